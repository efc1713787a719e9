"""What a photograph costs where there are many: the stages that look at each image once.

Three sizes of one folder show whether an image among more costs as much as among fewer, and whether
memory stays. `python -m benchmarks coco_size` runs everything on as many images as COCO has.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.changed_params import changed_params, write_params
from benchmarks.inputs import scenes
from benchmarks.stage_cost import ROOT, Cost, run_stage
from benchmarks.timing import Row
from pipeline.data.images import write_mask
from pipeline.data.manifest import make_classes
from pipeline.data.tables import write_csv
from pipeline.datasets.shapes.prepare import CLASS_NAMES
from pipeline.settings.paths import PARAMS

SIZES = (60, 180, 420)
COCO = 118_000
DISTINCT = 16
SIDES = (640, 480)  # width and height
MASKED = 6  # one in so many has a mask
MEASURED = ("download", "check", "seeds", "proxy")
RECIPE = ROOT / "recipes/folder-cpu.yaml"
# One step of each training: what is measured is what follows.
CHANGES = {"cam.optimiser.iterations": 1, "dsrg.optimiser.iterations": 1, "data_root": "photos"}


def write_photographs(folder: Path, count: int) -> None:
    """A folder data set of rendered scenes, no two files alike; one in six has a mask."""
    images, masks = scenes(DISTINCT)
    classes = make_classes(CLASS_NAMES)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in CLASS_NAMES), "utf-8")
    tags = []
    for number in range(count):
        pixels, mask = images[number % DISTINCT].numpy(), masks[number % DISTINCT].numpy()
        image = Image.fromarray(np.roll(pixels.transpose(1, 2, 0), number, axis=1)).resize(SIDES)
        image.save(folder / f"images/{number:06d}.jpg", quality=90)
        mask = np.roll(mask, number, axis=1)
        if number % MASKED == 0:
            large = Image.fromarray(mask).resize(SIDES, Image.Resampling.NEAREST)
            write_mask(folder / f"masks/{number:06d}.png", np.asarray(large), classes)
        else:
            shown = [CLASS_NAMES[i] for i in np.unique(mask) if 0 < i < len(CLASS_NAMES)]
            tags.append([f"{number:06d}.jpg", ";".join(shown)])
    write_csv(folder / "tags.csv", ["image", "tags"], tags)


def measure(count: int) -> dict[str, Cost]:
    """The cost of each stage for `count` photographs, on one core."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photographs(folder / "photos", count)
        write_params(changed_params(RECIPE, CHANGES), folder / PARAMS)
        commands = ("needs", "download", "check photos", "seeds", "dsrg", "proxy dsrg")
        return {c.split()[0]: run_stage(folder, *c.split()) for c in commands}


def rows() -> Iterator[Row]:
    """Milliseconds of an image among more, beside those among fewer."""
    few, some, many = (measure(count) for count in SIZES)
    for stage in MEASURED:
        among_more = (many[stage].seconds - some[stage].seconds) / (SIZES[2] - SIZES[1])
        among_fewer = (some[stage].seconds - few[stage].seconds) / (SIZES[1] - SIZES[0])
        yield Row(
            f"{stage}, photographs of {SIDES[0]} x {SIDES[1]}, one core: an image of {SIZES[2]}",
            f"an image of {SIZES[1]}",
            1e3 * among_more,
            1e3 * among_fewer,
            "ms an image",
            1 / 1.3,
            note=f"{1 / among_more:.1f} images/s, {COCO:,}: {among_more * COCO / 3600:.2g} "
            f"core-hours; {some[stage].peak:.0f} MB, then {many[stage].peak:.0f}",
        )
