"""What a GPU does with all of this, in parts of minutes each: one JSON file and one page.

    python -m benchmarks.gpu                                   # or make gpu
    python -m benchmarks.gpu --photographs path/to/voc         # the whole chain on them, too

Neither DVC nor a network is needed. A part that ended is not run again: call it as often as the
time on a machine needs. `--toy` rehearses everything on a CPU, in sizes that say nothing.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import pytest
import torch
import typer
from jinja2 import Environment, FileSystemLoader

from benchmarks import whole_run
from benchmarks.changed_params import changed_params, write_params
from benchmarks.stage_cost import ROOT
from pipeline.base.atomic import whole_file
from pipeline.base.record import commit, device, peak_memory_mb
from pipeline.settings.params import Params
from pipeline.settings.paths import PARAMS

LIMIT = 600  # seconds of a part; stages that were stopped resume when it is called again
RECIPES = sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))
PHOTOGRAPHS = "voc-squeezenet"  # the recipe for photographs
BENCHES = ("growing", "crf", "steps", "training")
# Changes to `engine`, and what they are called.
PRECISIONS = {
    "fp32": {"precision": "fp32", "tf32": False, "compile": False},
    "tf32": {"precision": "fp32", "tf32": True, "compile": False},
    "bf16": {"precision": "bf16", "tf32": True, "compile": False},
    "bf16-compiled": {"precision": "bf16", "tf32": True, "compile": True},
}
# Of a real run and of a rehearsal.
SIZES = {False: {"strong": 64, "weak": 192}, True: {"strong": 4, "weak": 4}}
TOY = {
    **{"machine.workers": 0, "train.batch_size": 4, "train.crop": 33, "train.neck_width": 8},
    **{"cam.image_size": 33, "cam.width": 8, "dsrg.image_size": 33, "dsrg.width": 8},
    **{"proxy.image_size": 33, "cam.optimiser.iterations": 2, "dsrg.optimiser.iterations": 2},
    **{"train.iterations": 2, "train.validations": 0, "engine.precision": "fp32"},
}
TRAINING = {"train.iterations": 200, "train.validations": 0, "backbone_weights": "none"}
Line = dict[str, Any]

Out = Annotated[Path, typer.Option(help="Folder for what is measured.")]
Photographs = Annotated[Path | None, typer.Option(help="A folder with VOCdevkit/VOC2012.")]
Weights = Annotated[str, typer.Option(help="backbone_weights for the photographs.")]
Toy = Annotated[bool, typer.Option("--toy", help="Rehearse in small sizes.")]
One = Annotated[str | None, typer.Option(hidden=True)]


def main(
    out: Out = Path("gpu"),
    photographs: Photographs = None,
    weights: Weights = "imagenet",
    toy: Toy = False,
    part: One = None,
) -> None:
    """Measure what is not measured yet, a process for each part; then write gpu.json and a page."""
    out = out.resolve()  # each part is a process that runs in the project's folder
    if part is not None:
        kind, _, what = part.partition(" ")
        keep(out, part, PARTS[kind](what, toy))
        return
    if toy:  # apart from what is really measured
        out = out / "toy"
    out.mkdir(parents=True, exist_ok=True)
    for name in parts_of():
        if not file_of(out, name).exists():
            command = [sys.executable, "-m", "benchmarks.gpu", "--part", name, "--out", str(out)]
            said = ended(name, [*command, *["--toy"] * toy], out)
            typer.echo(f"{name}: {said}")
    if photographs is not None:
        run_stages(photographs.resolve(), weights, out, toy)
    typer.echo(f"wrote {write_page(out)}")


def file_of(out: Path, part: str) -> Path:
    """Where the lines of a part are kept."""
    return out / f"{part.replace(' ', '-')}.json"


def keep(out: Path, part: str, lines: list[Line]) -> None:
    """Write the lines of a part that ended."""
    with whole_file(file_of(out, part)) as path:
        path.write_text(json.dumps({"part": part, "lines": lines}), "utf-8")


def parts_of() -> list[str]:
    """All parts but the stages on photographs."""
    return [
        "tests",
        *(f"bench {name}" for name in BENCHES),
        *(f"repeat {kind}" for kind in ("deterministic", "fastest")),
        *(f"precision {name}" for name in PRECISIONS),
        *(f"recipe {name}" for name in RECIPES),
    ]


def ended(name: str, command: list[str], out: Path, cwd: Path = ROOT) -> str:
    """Run a part; how it ended. What it prints is in a log beside its lines."""
    start = time.perf_counter()
    log = file_of(out, name).with_suffix(".log")
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=file, stderr=file
        )
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.terminate()  # which stages obey: they write a checkpoint
            process.wait()
            return f"not over after {LIMIT} s; the same command goes on"
    return f"{time.perf_counter() - start:.0f} s" if code == 0 else f"failed, see {log}"


# --- the parts: each gives the lines of a table ---------------------------------------------------


class Results:
    """A plugin of pytest that keeps how each test ended."""

    def __init__(self) -> None:
        """Start empty."""
        self.lines: list[Line] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest for the set-up, the test and the end of each."""
        if report.when == "call" or report.outcome != "passed":
            self.lines.append({"test": report.nodeid, "result": report.outcome})


def gpu_tests(_: str, toy: bool) -> list[Line]:
    """The tests that need a GPU; without one they are skipped."""
    results = Results()
    pytest.main(["-q", "-m", "gpu", "tests/pipeline"], plugins=[results])
    return results.lines


def bench_rows(name: str, toy: bool) -> list[Line]:
    """The rows of one module of `make bench`; a rehearsal looks whether it can be imported."""
    try:
        rows = import_module(f"benchmarks.{name}").rows
    except ImportError as error:
        return [{"what": name, "ours": f"left out: {error}"}]
    shown = ("ours", "peer", "unit", "ratio", "note")
    return [
        {"what": row.name, "against": row.peer_name, **{k: row.as_dict()[k] for k in shown}}
        for row in ([] if toy else rows())
    ]


def repeated(kind: str, toy: bool) -> list[Line]:
    """Whether two trainings of one seed leave the same bytes, and how long they take."""
    params = changed(ROOT / PARAMS, toy, {"engine.deterministic": kind == "deterministic"})
    runs = [whole_run.train_dual(params, **SIZES[toy]) for _ in range(2)]
    same = runs[0].network == runs[1].network
    return [{"mode": kind, "same bytes": same, **costs(runs[1], params)}]


def precision(name: str, toy: bool) -> list[Line]:
    """A training of VGG16 in one precision: what it costs, and the loss that it reaches."""
    engine = {f"engine.{key}": value for key, value in PRECISIONS[name].items()}
    params = changed(ROOT / "recipes/voc-vgg16.yaml", toy, engine)
    return [{"precision": name, **trained(params, toy)}]


def recipe(name: str, toy: bool) -> list[Line]:
    """200 steps of a recipe's `dual` at its batch and crop, from random weights."""
    params = changed(ROOT / f"recipes/{name}.yaml", toy, {})
    engine, train = params.engine, params.train
    shape = f"{train.batch_size} × {train.crop} px"
    return [{"recipe": name, "batch": shape, "precision": engine.precision, **trained(params, toy)}]


PARTS: dict[str, Callable[[str, bool], list[Line]]] = {
    "tests": gpu_tests,
    "bench": bench_rows,
    "repeat": repeated,
    "precision": precision,
    "recipe": recipe,
}


def trained(params: Params, toy: bool) -> Line:
    """A training on rendered photographs: its costs, and its first and last losses."""
    done = whole_run.train_dual(params, **SIZES[toy])
    few = max(1, len(done.losses) // 10)
    first, last = sum(done.losses[:few]) / few, sum(done.losses[-few:]) / few
    return {**costs(done, params), "loss, first tenth": first, "loss, last tenth": last}


def costs(done: whole_run.Trained, params: Params) -> Line:
    """Images a second, from reading the first file to the last step, and the peak of memory."""
    gpu = torch.cuda.is_available()
    peak = torch.cuda.max_memory_allocated() / 2**20 if gpu else peak_memory_mb()
    rate = done.steps * params.train.batch_size / done.seconds
    return {"steps": done.steps, "images/s": rate, f"peak MB, {'GPU' if gpu else 'process'}": peak}


def changed(path: Path, toy: bool, changes: dict[str, Any]) -> Params:
    """The params of a file for a training here."""
    return changed_params(path, {**TRAINING, **changes, **(TOY if toy else {})})


# --- photographs ----------------------------------------------------------------------------------


def run_stages(data_root: Path, weights: str, out: Path, toy: bool) -> None:
    """Every stage of the recipe for photographs, one after the other, as DVC would run them.

    It ends at the first that fails or is not over in time.
    """
    folder = out / "photographs"
    folder.mkdir(exist_ok=True)
    changes = {"data_root": str(data_root), "backbone_weights": weights}
    params = changed(
        ROOT / f"recipes/{PHOTOGRAPHS}.yaml", toy, {"train.iterations": None, **changes}
    )
    write_params(params, folder / PARAMS)
    for stage in stages_of(params):
        name = f"stage {stage}"
        if file_of(out, name).exists():
            continue
        start = time.perf_counter()
        said = ended(name, [sys.executable, "-m", *f"stages.{stage}".split()], out, folder)
        typer.echo(f"{name}: {said}")
        if not said.endswith(" s"):
            return
        keep(out, name, [{"stage": stage, "seconds": time.perf_counter() - start}])
    scores = folder / "results" / params.dataset / "metrics"
    lines = [
        {"network": path.stem, "mIoU": json.loads(path.read_text("utf-8"))["miou"]}
        for path in sorted(scores.glob("*.json"))
    ]
    keep(out, "score", lines)


def stages_of(params: Params) -> Iterator[str]:
    """Commands of all stages, in the order of dvc.yaml."""
    yield from ("needs", "download", "seeds", "dsrg", "teacher")
    yield from (f"proxy {name}" for name in params.proxy.generators)
    yield "split"
    yield from (f"train {name} {seed}" for name in params.variants for seed in params.seeds)
    for stage in ("evaluate", "package"):
        yield from (f"{stage} {name}" for name in params.variants)
    yield from ("evaluate_dsrg", "report")


# --- the page -------------------------------------------------------------------------------------

TITLES = {
    "tests": "Tests that need a GPU",
    "bench": "Benchmarks",
    "repeat": "Two trainings of one seed",
    "precision": "Precision",
    "recipe": "A training of each recipe's network",
    "stage": "Stages on photographs",
    "score": "Scores on photographs",
}


def write_page(out: Path) -> Path:
    """Write gpu.json and index.html from the parts that ended; the page's path."""
    parts = [json.loads(path.read_text("utf-8")) for path in sorted(out.glob("*.json"))]
    tables: dict[str, list[Line]] = {kind: [] for kind in TITLES}
    for part in parts:
        if "part" in part:
            tables[part["part"].partition(" ")[0]] += part["lines"]
    found = {
        **{"device": device(), "torch": torch.__version__, "commit": commit()},
        "tables": {TITLES[kind]: lines for kind, lines in tables.items() if lines},
    }
    with whole_file(out / "gpu.json") as path:
        path.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
    ).get_template("gpu.html.j2")
    with whole_file(out / "index.html") as path:
        path.write_text(page.render(**found), "utf-8")
    return out / "index.html"


if __name__ == "__main__":
    typer.run(main)
