"""A trained network to look at, without a training: new scenes and its masks, in the viewer.

The network is `dual` of the default run, demo/model.safetensors; dvc.lock has its checksum.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from pipeline.base.atomic import whole_file
from pipeline.data.images import Bytes, tags_of_mask, write_mask
from pipeline.data.manifest import Manifest, Row
from pipeline.datasets.shapes.prepare import render_scene
from pipeline.model.predict import Model, load_model
from pipeline.report.pictures import read_indices
from pipeline.report.template import render, whole_script
from pipeline.report.viewer import viewer_values, write_set
from pipeline.report.viewer_layers import LayerFiles
from pipeline.settings.registry import ROOT

MODEL = ROOT / "demo" / "model.safetensors"
FIRST, SCENES, SIDE, SEED = 950_000, 48, 64, 0  # scenes that no run trains on or is scored on


def write_demo(page: Path) -> int:
    """Write a page of new scenes with the network's masks; the number of scenes."""
    model = load_model(MODEL, device="cpu")
    with TemporaryDirectory() as name:
        folder = Path(name)
        manifest = render_scenes(model, folder)
        variant = model.info.variant

        def masks(row: Row) -> dict[str, Bytes]:
            image = manifest.path(row.image)
            return {"truth": read_indices(manifest.path(row.mask)), variant: model.predict(image)}

        files = LayerFiles(folder, "val")
        shown = write_set(manifest, files, manifest.rows, masks, [variant], variant)
        viewer = viewer_values(manifest.classes, [shown], folder)
    values = {"info": model.info, "scenes": SCENES, "viewer": viewer}
    here = Path(__file__).parent
    text = render("demo.html.j2", values, {}, folder=here, script=whole_script())
    with whole_file(page) as part:
        part.write_text(text, "utf-8", newline="\n")
    return SCENES


def render_scenes(model: Model, folder: Path) -> Manifest:
    """Scenes with their true masks, as a data set in `folder`."""
    classes, rows = model.info.class_list, []
    for number in range(FIRST, FIRST + SCENES):
        scene = render_scene(SEED, number, SIDE)
        image, mask = f"{number}.png", f"{number}-mask.png"
        Image.fromarray(scene.image).save(folder / image)
        write_mask(folder / mask, scene.mask, classes)
        rows.append(Row(str(number), image, mask, "val", tags_of_mask(scene.mask), SIDE, SIDE))
    return Manifest(tuple(rows), classes, folder, folder)
