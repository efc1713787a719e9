"""DVC as its users know it: the commands of docs/dvc.md, through the real dvc.

The page's commands are taken from it, section by section, and run in a copy of a small repository.
"""

import csv
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.events import scalars
from tests.repository import ENV, run, stages_run
from tests.settings import ROOT

PAGE = (ROOT / "docs" / "dvc.md").read_text(encoding="utf-8")
SCREEN = 100  # characters
LOSS = Path("live/train-dual-0/plots/metrics/loss.tsv")

pytestmark = pytest.mark.slow


def commands(section: str) -> list[str]:
    """The command lines of a section of the page, without what stands behind #."""
    _, found, text = PAGE.partition(f"\n## {section}\n")
    assert found, section
    lines = re.findall(r"^    ((?:dvc|git) .*?)(?:\s+#.*)?$", text.split("\n## ")[0], re.MULTILINE)
    assert lines
    return lines


def shell(line: str, cwd: Path) -> str:
    return run("bash", "-c", line, cwd=cwd)


def change(folder: Path, key: str, value: str) -> None:
    """Another value for a key of one line in params.yaml."""
    path = folder / "params.yaml"
    text, count = re.subn(rf"(?m)^(\s*{key}:) \S+", rf"\1 {value}", path.read_text("utf-8"))
    assert count == 1, key
    path.write_text(text, "utf-8")


@pytest.fixture
def second(own: Path) -> Path:
    """A clone on which `dvc pull` ran, as the page has it."""
    for line in [*commands("A remote"), *commands("Push")]:
        shell(line, own)
    for line in commands("Pull"):
        there = own.parent if line.startswith("git clone") else own.parent / "second"
        shell(line.replace("ADDRESS", str(own)), there)
    return own.parent / "second"


def test_a_second_clone_pulls_everything_and_has_nothing_to_run(own: Path, second: Path) -> None:
    assert stages_run(run("dvc", "repro", cwd=second)) == []
    assert "up to date" in run("dvc", "status", cwd=second)
    for name in ("data/models/dual/0/network.safetensors", "report/index.html"):
        assert (second / name).read_bytes() == (own / name).read_bytes()


def test_one_output_can_be_pulled_alone(own: Path, second: Path, tmp_path: Path) -> None:
    run("git", "clone", "-q", str(own), "third", cwd=tmp_path)
    (line,) = commands("One output alone")
    third = tmp_path / "third"
    run("dvc", "remote", "add", "--local", "-f", "storage", str(own.parent / "storage"), cwd=third)
    shell(line, third)
    assert {path.name for path in (third / "data").iterdir()} == {"models", "raw"}
    network = third / "data/models/dual/0/network.safetensors"
    assert network.read_bytes() == (second / network.relative_to(third)).read_bytes()


def test_a_sweep_is_queued_run_and_fits_a_screen(own: Path) -> None:
    queue, start, *_ = commands("A sweep")
    queued = re.findall(r"Queued experiment '([^']+)'", shell(queue, own))
    assert len(queued) == 4  # one for each neck_n
    run("dvc", "queue", "remove", *queued[:2], cwd=own)  # two are enough to see them run
    shell(start, own)
    deadline = time.monotonic() + 300
    while run("dvc", "queue", "status", cwd=own).count("Success") < 2:
        assert time.monotonic() < deadline
        time.sleep(2)
    (show,) = commands("What is worth a column")
    table = shell(f"COLUMNS={SCREEN} {show}", own)  # as wide as a terminal says it is
    lines = table.splitlines()
    assert max(len(line) for line in lines) <= SCREEN, table
    assert "neck_n" in table
    assert "…" not in table  # what does not fit is cut to this
    assert all(name in table for name in queued[2:])


def test_what_a_commit_changed_is_the_difference_of_its_metrics(own: Path) -> None:
    """The page's commands: an experiment becomes a commit, and is compared with the one before."""
    before = json.loads((own / "results/shapes/metrics/dual.json").read_text("utf-8"))
    run("dvc", "exp", "run", "--name", "neck1", "-S", "neck_n=1", cwd=own)
    lines = commands("From one commit to the next")
    for line in lines[:-1]:
        shell(line.replace("NAME", "neck1"), own)
    shown = json.loads(shell(f"{lines[-1]} --all --json", own))
    after = json.loads((own / "results/shapes/metrics/dual.json").read_text("utf-8"))
    said = shown["results/shapes/metrics/dual.json"]
    assert {key: value["old"] for key, value in said.items()} == before
    assert {key: value["new"] for key, value in said.items()} == after


def test_tensorboard_is_no_reason_to_run_anything(own: Path) -> None:
    change(own, "tensorboard", "true")
    assert "up to date" in run("dvc", "status", cwd=own)


def test_curves_are_drawn_while_a_training_runs_and_go_on_after_a_stop(own: Path) -> None:
    """`dvc plots` beside `dvc repro`, which is stopped half-way and called again."""
    set_steps(own, 1200)
    change(own, "tensorboard", "true")
    repro = ["dvc", "repro", "train@dual-0"]
    with begun(repro, own) as training:
        wait_for_rows(own / LOSS, 2, training)
        drawn = json.loads(run("dvc", "plots", "show", "--json", cwd=own))
        assert training.poll() is None  # all of that was while it ran
    assert not drawn.get("errors")
    (plot,) = drawn["data"][LOSS.as_posix()]
    assert len(plot["content"]["data"]["values"]) >= 2
    # dvc.lock: stage teacher has the params of trainings, too, and is left out once more.
    assert run("git", "status", "--short", cwd=own) == " M dvc.lock\n M params.yaml\n"
    assert len(rows_of(own / LOSS)) < 100
    output = run(*repro, cwd=own)
    assert "train-dual-0: resumes after step" in output
    assert re.search(
        r"^train: dual seed 0: step 1200/1200, loss .*, 0:00 left", output, re.MULTILINE
    )
    assert "\r" not in output
    assert "\x1b" not in output
    with (own / "data/models/dual/0/history.csv").open(encoding="utf-8") as file:
        history = [(row["step"], float(row["loss"])) for row in csv.DictReader(file)]
    shown = [(row["step"], float(row["loss"])) for row in rows_of(own / LOSS)]
    assert shown == [(step, pytest.approx(loss, rel=1e-5)) for step, loss in history]
    assert len(shown) == 100
    events = scalars(own / "data/tensorboard/train-dual-0")
    assert [(str(step), value) for step, value in events["loss"]] == [
        (step, pytest.approx(loss, rel=1e-5)) for step, loss in history
    ]
    assert {"val_miou", "images_per_second", "learning_rate/new"} <= set(events)


@contextmanager
def begun(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command that runs in this block, and is stopped at its end as a terminal does it."""
    with (folder.parent / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=ENV, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            process.wait(60)


def set_steps(folder: Path, steps: int) -> None:
    """Another number of steps for the networks that are compared."""
    path = folder / "params.yaml"
    text = path.read_text("utf-8")
    before, train, after = text.partition("\ntrain:\n")
    after, count = re.subn(r"(?m)^  iterations: \d+", f"  iterations: {steps}", after)
    assert count == 1
    path.write_text(before + train + after, "utf-8")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def wait_for_rows(path: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Until a training has drawn so many rows of its own: an earlier one's are taken away."""
    path.unlink(missing_ok=True)
    deadline = time.monotonic() + 200
    while not path.exists() or len(rows_of(path)) < count:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
