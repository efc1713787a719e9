"""What a prediction leaves behind, for photographs of all kinds."""

import csv
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.base.stopping import StoppedError
from pipeline.data.images import read_mask
from pipeline.model import predict_files as module
from pipeline.model.inference import Options
from pipeline.model.photographs import Photograph, find_photographs
from pipeline.model.predict import Model, load_model
from pipeline.model.predict_files import PredictionLog, ahead, predict_files
from tests.models import write_small
from tests.sixteen import png16


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(write_small(tmp_path_factory.mktemp("model")))


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def predict(model: Model, *sources: str, **options: object) -> PredictionLog:
    out = Path("out")
    found = find_photographs(sources, out)
    return predict_files(model, found.photographs, out, Options(), **options)  # type: ignore[arg-type]


def table() -> list[dict[str, str]]:
    with Path("out/areas.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_masks_overlays_and_areas_agree(model: Model, workspace: Path) -> None:
    noise(50, 40).save("a.png")
    outcome = predict(model, "a.png")
    assert (outcome.done, outcome.failed) == (1, [])
    with Image.open("out/masks/a.png") as mask:
        assert (mask.mode, mask.size) == ("P", (50, 40))
        assert mask.getpalette()[3:6] == [128, 0, 0]
    indices = np.array(read_mask(Path("out/masks/a.png"), 5))
    assert np.array_equal(indices, model.predict("a.png"))
    with Image.open("out/overlays/a.jpg") as overlay:
        assert overlay.size == (50, 40)
    rows = table()
    assert {row["class"] for row in rows} == {model.classes[i] for i in np.unique(indices)}
    assert sum(int(row["pixels"]) for row in rows) == 50 * 40
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1, abs=1e-5)
    assert {row["image"] for row in rows} == {"a.png"}


def test_probabilities_are_those_of_the_mask(model: Model, workspace: Path) -> None:
    noise(40, 33).save("a.png")
    predict(model, "a.png", probabilities=True, overlays=False)
    written = np.load("out/probabilities/a.npy")
    assert (written.dtype, written.shape) == (np.float16, (5, 33, 40))
    np.testing.assert_allclose(written, model.probabilities("a.png"), atol=6e-4)
    assert not Path("out/overlays").exists()


def test_photographs_of_all_kinds(model: Model, workspace: Path) -> None:
    upright = noise(60, 40)
    exif = Image.Exif()
    exif[0x0112] = 6
    Path("in").mkdir()
    upright.save("in/turned.jpg", exif=exif)
    upright.convert("CMYK").save("in/cmyk.jpg")
    upright.convert("L").save("in/grey with space.png")
    upright.convert("RGBA").save("in/über <script>.png")
    noise(1, 1).save("in/dot.png")
    assert predict(model, "in").done == 5
    sizes = {}
    for path in Path("out/masks").iterdir():
        with Image.open(path) as mask:
            sizes[path.stem] = mask.size
    assert sizes == {
        "turned": (40, 60),
        "cmyk": (60, 40),
        "grey with space": (60, 40),
        "über <script>": (60, 40),
        "dot": (1, 1),
    }


def test_sixteen_bits_are_scaled_as_in_training(model: Model, workspace: Path) -> None:
    narrow = np.array(noise(40, 33))
    Path("a.png").write_bytes(png16(narrow.astype(np.uint16) * 16))  # of 12 bits
    noise(40, 33).save("b.png")
    trained = Model(model.info.model_copy(update={"white": 4080}), model.network)
    outcome = predict(trained, "a.png", "b.png")
    assert outcome.note() == ""
    masks = [read_mask(Path(f"out/masks/{name}.png")).tobytes() for name in "ab"]
    assert masks[0] == masks[1]
    outcome = predict(model, "a.png", "b.png")
    assert outcome.note() == (
        "1 photograph of 16 bits, scaled by its own range: the model was trained on 8 bits"
    )
    outcome.own_range = 2
    assert outcome.note().startswith("2 photographs of 16 bits, scaled by their own range: ")


def test_one_image_that_cannot_be_written_leaves_the_others(
    model: Model, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "JPEG_SIDE", 30)
    long = "n" * 250 + ".png"
    noise(40, 20).save(long)
    noise(40, 20).save("b.png")
    outcome = predict(model, long, "b.png")
    assert outcome.failed == [f"{long} has too long a name for its outputs; rename"]
    assert outcome.done == 1
    with Image.open("out/overlays/b.jpg") as overlay:
        assert overlay.size == (30, 15)


def test_what_cannot_be_read_is_told_and_the_rest_is_done(model: Model, workspace: Path) -> None:
    Path("in").mkdir()
    noise(40, 40).save("in/b.png")
    Path("in/a.jpg").write_text("no image", "utf-8")
    Path("in/c.jpg").touch()
    outcome = predict(model, "in")
    assert outcome.done == 1
    told = str(outcome.error())
    assert told.startswith("2 of the images were not predicted:\n  ")
    assert "a.jpg" in told
    assert "c.jpg" in told
    assert [path.name for path in Path("out/masks").iterdir()] == ["b.png"]


def test_another_run_replaces_its_files_and_the_table_alone(model: Model, workspace: Path) -> None:
    noise(40, 40).save("a.png")
    noise(32, 32).save("b.png")
    predict(model, "a.png")
    predict(model, "b.png")
    assert sorted(path.name for path in Path("out/masks").iterdir()) == ["a.png", "b.png"]
    assert {row["image"] for row in table()} == {"b.png"}


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (StoppedError(signal.SIGTERM), 143, "stopped by SIGTERM; 1 of 2 images are done, in out"),
        (OSError(28, "No space left on device", "out/masks"), 1, "No space left on device; 1 of 2"),
    ],
)
def test_broken_off_it_leaves_whole_files_and_a_table(
    model: Model,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: int,
    words: str,
) -> None:
    noise(40, 40).save("a.png")
    noise(32, 32).save("b.png")
    real = module.write_mask

    def failing(path: Path, *arguments: object) -> None:
        if "b.png" in path.name:
            path.write_bytes(b"half")
            raise error
        real(path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "write_mask", failing)
    with pytest.raises(UserError, match=words) as told:
        predict(model, "a.png", "b.png")
    assert told.value.exit_code == code
    assert "starts again with the first" in str(told.value)
    assert {row["image"] for row in table()} == {"a.png"}
    assert [path.name for path in Path("out/masks").iterdir()] == ["a.png"]


def test_names_that_are_no_text_are_written_out(model: Model) -> None:
    odd = Path(b"in/\xff.png".decode("utf-8", "surrogateescape"))
    assert module.areas(odd, np.zeros((2, 2), np.uint8), model.classes)[0][0] == "in/\\udcff.png"


def test_work_ahead_keeps_its_order() -> None:
    assert list(ahead(range(7), lambda number: number**2)) == [n**2 for n in range(7)]
    assert list(ahead([], str)) == []


def test_a_large_photograph_in_bounded_memory(model: Model, workspace: Path) -> None:
    """Its probabilities alone would be 12 MB; the windows' band is a part of that."""
    photograph = Photograph(Path("a.png"), "a")
    noise(300, 2000).save("a.png")
    outcome = predict_files(model, [photograph], Path("out"), Options(window=64, stride=64))
    assert outcome.done == 1
    assert read_mask(Path("out/masks/a.png")).size == (300, 2000)
