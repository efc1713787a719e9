"""A tiny run: every file the page reads, written by the project's own writers."""

import contextlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.base.record import write_record
from pipeline.data.id_lists import write_ids
from pipeline.data.images import Bytes, tags_of_mask, write_mask
from pipeline.data.manifest import (
    ClassList,
    Manifest,
    Row,
    make_classes,
    open_manifest,
    write_manifest,
)
from pipeline.data.pairs import MADE
from pipeline.data.plan import make_plan, write_plans
from pipeline.data.tables import write_csv
from pipeline.datasets.shapes.prepare import CLASS_NAMES, render_scene
from pipeline.engine.log import write_history
from pipeline.evaluate.results import write_results
from pipeline.report.page import write_report
from pipeline.scoring.metrics import Counts, confusion_matrix
from pipeline.settings.params import Params
from pipeline.settings.params_file import load_params
from pipeline.settings.paths import (
    DATASET,
    DSRG,
    PREDICTIONS,
    SEEDS,
    SPLIT,
    model_dir,
    proxy_dir,
    record_file,
    result_file,
)

HOSTILE = (
    "<script>alert(1)</script>",
    '"onerror=',
    "'",
    "</svg>",
    "$x_1%",
    ' font-family: x" #01a001 | \\',  # what drawing.py looks for, and what tables are made of
    "&amp;",
)
SIDE = 32
COUNTS = {"strong": 2, "weak": 5, "val": 6}
# pixels the networks get wrong
WRONG_EVERY = {"dsrg": 2, "weak": 2, "mixed": 3, "strong": 4, "dual": 9, "ensemble_weak": 5}
NAMES = ("background", "<script>alert(1)</script>", "a & $b$", *CLASS_NAMES[3:])
IDS = tuple(str(number) for number in range(sum(COUNTS.values())))


@pytest.fixture(scope="session")
def params() -> Params:
    """The embedded data set's values, two seeds, an average, two pictures of each kind."""
    values = load_params(Path("params.yaml"))
    report = values.report.model_copy(update={"rows": 2})
    changes = {"seeds": [0, 7], "ensembles": ["weak"], "report": report}
    return values.model_copy(update=changes)


@pytest.fixture(scope="session")
def finished_run(params: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything; not to be changed."""
    folder = tmp_path_factory.mktemp("run")
    with contextlib.chdir(folder):
        write_data_set()
        write_run(params, open_manifest(params))
    return folder


@pytest.fixture(scope="session")
def hostile_page(params: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run in which every name that somebody can choose is meant to do harm."""
    folder = tmp_path_factory.mktemp("hostile")
    chosen = params.model_copy(update={"data_root": HOSTILE[0]})
    with contextlib.chdir(folder):
        filled = (*HOSTILE[:-1], HOSTILE[-1].replace(";", ""))  # classes may not hold it
        write_data_set(
            ["background", *filled, *CLASS_NAMES[len(HOSTILE) + 1 :]],
            [f"{HOSTILE[int(i) % len(HOSTILE)]}{int(i) // len(HOSTILE) or ''}" for i in IDS],
        )
        write_run(chosen, open_manifest(chosen))
        for place, stage in enumerate(("download", "seeds", "dsrg", "proxy dsrg", "split")):
            commit, device = HOSTILE[place], HOSTILE[place - 1]
            note(stage, commit=commit, device=device, machine=device)
        for name in chosen.variants:
            note(f"evaluate {name}", commit=HOSTILE[0], device=HOSTILE[1])
        write_report(chosen, open_manifest(chosen), folder / "report")
    return folder / "report"


@pytest.fixture
def run(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, a copy of a finished run."""
    shutil.copytree(finished_run, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(scope="session")
def page(params: Params, finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The finished run's page."""
    folder = tmp_path_factory.mktemp("page")
    with contextlib.chdir(finished_run):
        write_report(params, open_manifest(params), folder)
    return (folder / "index.html").read_text(encoding="utf-8")


def write_data_set(names: Sequence[str] = NAMES, ids: Sequence[str] = IDS) -> None:
    """Small scenes whose classes have names that HTML, SVG or matplotlib could trip over."""
    classes = make_classes(names)
    (DATASET / "images").mkdir(parents=True)
    (DATASET / "masks").mkdir()
    rows = []
    splits = [split for split, count in COUNTS.items() for _ in range(count)]
    for index, split in enumerate(splits):
        scene = render_scene(0, index, SIDE)
        image, mask = f"images/{index}.png", f"masks/{index}.png"
        Image.fromarray(scene.image).save(DATASET / image)
        write_mask(DATASET / mask, scene.mask, classes)
        tags = tags_of_mask(scene.mask)
        rows.append(Row(ids[index], image, mask, split, tags, SIDE, SIDE))
    write_manifest(DATASET, rows, classes)


def write_run(params: Params, manifest: Manifest) -> None:
    """Everything after stage download."""
    write_weak_side(manifest)
    lists = [[row.id for row in manifest.of(split)] for split in ("strong", "weak")]
    SPLIT.mkdir()
    write_plans(SPLIT, [make_plan(name, params.neck_n, *lists) for name in params.variants])
    for name in params.variants:
        write_variant(name, params.seeds, manifest)
    write_variant("dsrg", [params.seed], manifest)
    for name in params.ensembles:
        write_variant(f"ensemble_{name}", params.seeds, manifest)
        rows = [[f"{step / 10:g}", f"{70 - abs(step - 3):.4f}", "1.5000"] for step in range(11)]
        rows.append(["max", "68.2500", "1.5000"])
        header = ["lambda", "miou", "miou_sd"]
        write_csv(result_file("shapes", "lambda", f"ensemble_{name}"), header, rows)
    for stage in ("download", "seeds", "dsrg", "proxy dsrg", "split", "evaluate_dsrg"):
        note(stage, commit="c0ffee", device="CPU")
    for name in params.variants:
        for seed in params.seeds:  # trained on a GPU, scored elsewhere and later
            note(f"train {name} {seed}", commit=f"abc{seed}", device="a GPU")
        note(f"evaluate {name}", commit="def", device="CPU")


def note(stage: str, **values: str) -> None:
    """A stage's record, of the manifest: that of any file is as good."""
    write_record(record_file(stage), DATASET / "manifest.csv", **values)


def write_weak_side(manifest: Manifest) -> None:
    """Seeds, proxies, their quality and their curves."""
    for folder in (SEEDS, DSRG, proxy_dir("dsrg") / "masks"):
        folder.mkdir(parents=True)
    for row in manifest.train():
        put_mask(
            proxy_dir("dsrg") / "masks" / f"{row.id}.png", truth_of(manifest, row), manifest.classes
        )
    write_ids(proxy_dir("dsrg") / MADE, (row.id for row in manifest.train()))
    np.save(SEEDS / "seeds.npy", np.full((len(manifest.train()), 4, 4), 255, dtype=np.uint8))
    write_history(SEEDS / "history.csv", [{"step": 1, "loss": 1.0, "tag_accuracy": 88.5}])
    tags = [["boat", 3, "71.25"], ["train", 0, ""]]
    write_csv(SEEDS / "tags.csv", ["class", "images", "average_precision"], tags)
    columns = {"seeding": 1.0, "boundary": 0.5, "seeded": 30.0, "grown": 55.5}
    columns |= {"checked": 40.0, "checked_grown": 25.0, "right": 20.0}
    write_history(DSRG / "history.csv", [{"step": s, **columns} for s in (1, 2)])
    totals = {"images": 12, "seed_precision": 81.25, "proxy_miou": 43.5, "cam_miou": 31.0}
    (proxy_dir("dsrg") / "quality.json").write_text(json.dumps(totals), "utf-8")
    lines = ["class,seed_precision,proxy_iou", '"background",90.5,77.7', "boat,,"]
    scores = [[row.id, f"{50 + place:.2f}"] for place, row in enumerate(manifest.train())]
    write_csv(
        proxy_dir("dsrg") / "images.csv",
        ["id", "proxy_iou"],
        [*scores[:-1], [scores[-1][0], "3.00"]],
    )
    (proxy_dir("dsrg") / "quality.csv").write_text("\n".join(lines) + "\n", "utf-8")


def put_mask(path: Path, mask_HW: Bytes, classes: ClassList) -> None:
    """Write a mask, in a folder of its own if its image's id has a slash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(path, mask_HW, classes)


def write_variant(name: str, seeds: Sequence[int], manifest: Manifest) -> None:
    """Results, predictions and curves of one variant; later seeds are a little better."""
    predictions = PREDICTIONS / name
    predictions.mkdir(parents=True)
    confusions = []
    for order, seed in enumerate(seeds):
        every = WRONG_EVERY[name] + order
        confusions.append(score(manifest, every))
        rows: list[dict[str, float]] = [{"step": 10, "loss": 2.0}, {"step": 20, "val_miou": 40.0}]
        write_history(model_dir(name, seed) / "history.csv", rows)
    for row in manifest.of("val"):
        mask_HW = spoil(truth_of(manifest, row), WRONG_EVERY[name])
        put_mask(predictions / f"{row.id}.png", mask_HW, manifest.classes)
    write_results("shapes", name, manifest.classes, seeds, confusions)


def score(manifest: Manifest, every: int) -> Counts:
    """Confusion of predictions that are wrong in every `every`-th pixel."""
    classes = len(manifest.classes)
    total = np.zeros((classes, classes + 1), dtype=np.int64)
    for row in manifest.of("val"):
        truth_HW = truth_of(manifest, row)
        total += confusion_matrix(truth_HW, spoil(truth_HW, every), classes)
    return total


def truth_of(manifest: Manifest, row: Row) -> Bytes:
    """The true mask of a row."""
    with Image.open(manifest.path(row.mask)) as image:
        return np.array(image)


def spoil(mask_HW: Bytes, every: int) -> Bytes:
    """A prediction: the mask with every `every`-th pixel set to background."""
    flat = np.where(mask_HW == 255, 0, mask_HW).reshape(-1).copy()
    flat[::every] = 0
    spoilt: Bytes = flat.reshape(mask_HW.shape).astype(np.uint8)
    return spoilt


@pytest.fixture(scope="session")
def classes() -> ClassList:
    """The tiny run's classes."""
    return make_classes(NAMES)
