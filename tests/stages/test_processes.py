"""Stages in two processes, by a param and under torchrun: results of one, and what kills do."""

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.settings import ROOT, SMALL, files_of, late, put, raw_values

ENV = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
STEPS = 20
EXTRAS = "dual+ema+confidence+refresh+consistency"
# Batches that two processes cannot halve, dropout, and rates at which rounding stays rounding.
CHANGES = {
    "cam.dropout": 0.5,
    "cam.optimiser.iterations": STEPS,
    "cam.optimiser.batch_size": 5,
    "cam.optimiser.learning_rate": 1e-3,
    "dsrg.dropout": 0.5,
    "dsrg.optimiser.iterations": STEPS,
    "dsrg.optimiser.batch_size": 5,
    "dsrg.optimiser.learning_rate": 1e-4,
    "train.iterations": STEPS,
    "train.batch_size": 6,
    "train.learning_rate": 1e-4,
    "train.learning_rate_backbone": 5e-6,
    "train.validations": 1,
    "extras.consistency_threshold": 0.1,
    "variants": ["dual", EXTRAS],
    "evaluate.batch_size": 2,
}
TRAINING = ["-m", "stages.train", "dual", "0"]

pytestmark = pytest.mark.slow


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=ENV, text=True, capture_output=True, check=False
    )


def stage(name: str, cwd: Path, *arguments: str, params: str = "params.yaml") -> str:
    done = run("-m", f"stages.{name}", *arguments, "--params", params, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_params(path: Path, **changes: object) -> None:
    values = put(put(put(raw_values(), SMALL), CHANGES), changes)
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(values, file)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which one process ran every stage; two.yaml asks for two."""
    folder = tmp_path_factory.mktemp("one")
    write_params(folder / "params.yaml")
    write_params(folder / "two.yaml", **{"machine.processes": 2})
    for name in ("download", "seeds", "dsrg", "proxy dsrg", "split"):
        stage(name.split()[0], folder, *name.split()[1:])
    for variant in ("dual", EXTRAS):
        stage("train", folder, variant, "0")
    stage("evaluate", folder, "dual")
    return folder


@pytest.fixture
def two(one: Path, tmp_path: Path) -> Path:
    """A folder whose inputs are those of `one`, and which asks for two processes."""
    folder = tmp_path / "two"
    subprocess.run(["cp", "-r", str(one), str(folder)], check=True)
    (folder / "two.yaml").replace(folder / "params.yaml")
    return folder


def column(path: Path, name: str) -> list[float]:
    with path.open(encoding="utf-8", newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


@pytest.mark.parametrize(
    ("command", "history", "names"),
    [
        (["seeds"], "data/seeds/history.csv", ["loss", "tag_accuracy"]),
        (["dsrg"], "data/dsrg/history.csv", ["seeding", "boundary", "seeded", "grown"]),
        (["train", "dual", "0"], "data/models/dual/0/history.csv", ["loss", "val_miou"]),
        (
            ["train", EXTRAS, "0"],
            f"data/models/{EXTRAS}/0/history.csv",
            ["loss", "consistency", "sure", "val_miou"],
        ),
    ],
    ids=["seeds", "dsrg", "train", "extras"],
)
def test_two_processes_learn_as_one(
    one: Path, two: Path, command: list[str], history: str, names: list[str]
) -> None:
    output = stage(command[0], two, *command[1:])
    assert output.count("wrote") == 1
    for name in names:
        expected = column(one / history, name)
        assert len(expected) == (1 if name == "val_miou" else STEPS)
        assert column(two / history, name) == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_proxies_and_their_quality_are_the_same_bytes(one: Path, two: Path) -> None:
    stage("proxy", two, "dsrg")
    files = sorted(path.relative_to(one) for path in (one / "data/proxy").rglob("*.*"))
    assert len(files) == 2 * 16 + 4
    assert all((two / file).read_bytes() == (one / file).read_bytes() for file in files)


SLOW = late("weak.proxy.proxy", "write_mask", "proxy", 0.3)


def test_proxies_are_measured_when_all_are_written(one: Path, two: Path) -> None:
    """A process that is done with its own must not look for those of another too soon."""
    (two / "slow.py").write_text(SLOW, "utf-8")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = run(*launcher, "slow.py", "dsrg", cwd=two)
    assert done.returncode == 0, done.stderr
    file = "data/proxy/dsrg/quality.json"
    assert (two / file).read_bytes() == (one / file).read_bytes()


def torchrun(node: int, port: int, *arguments: str) -> list[str]:
    """One of two machines, as torchrun wants it: here both are this one."""
    return [
        *(sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"),
        *(f"--node-rank={node}", "--master-addr=127.0.0.1", f"--master-port={port}"),
        *arguments,
    ]


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@pytest.mark.parametrize("machines", [1, 2])
def test_every_image_is_scored_once(one: Path, two: Path, machines: int) -> None:
    if machines == 1:
        stage("evaluate", two, "dual")
    else:
        port, arguments = free_port(), ["-m", "stages.evaluate", "dual"]
        nodes = [
            subprocess.Popen(torchrun(node, port, *arguments), cwd=two, env=ENV) for node in (0, 1)
        ]
        assert [node.wait(timeout=120) for node in nodes] == [0, 0]
    for output, count in (("results/*/*/dual.*", 4), ("data/predictions/dual", 5)):
        files = [path.relative_to(one) for path in files_of(one, output)]
        assert len(files) == count
        assert all((two / file).read_bytes() == (one / file).read_bytes() for file in files)


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8")
    return [int(child) for child in text.split()]


def begin_training(folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """Start a training that would take minutes; its process and those of its two workers."""
    write_params(folder / "params.yaml", **{"machine.processes": 2, "train.iterations": 100_000})
    process = subprocess.Popen(
        [sys.executable, *TRAINING], cwd=folder, env=ENV, text=True, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not (folder / "data/models/dual/.0.part").exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1)  # into the steps
    return process, children(process.pid)


@pytest.mark.skipif(not Path("/proc").exists(), reason="wants Linux's /proc")
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_ends_the_run_with_a_message(two: Path, victim: int) -> None:
    before = (two / "data/models/dual/0/network.safetensors").read_bytes()
    process, workers = begin_training(two)
    os.kill(workers[victim], signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    (message,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert f"process {victim} of 2 was killed by SIGKILL" in message
    assert "Traceback" not in errors
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert (two / "data/models/dual/0/network.safetensors").read_bytes() == before


@pytest.mark.parametrize("variant", ["dual", EXTRAS], ids=["dual", "extras"])
def test_a_killed_training_goes_on_and_ends_as_one_that_was_not(two: Path, variant: str) -> None:
    """A checkpoint at every row and a kill in between; then the same command again."""
    code = "import runpy, sys; import pipeline.runs.resume as c; c.EVERY = 0.0\n"
    code += f"sys.argv = ['train', {variant!r}, '0']; "
    code += "runpy.run_module('stages.train', run_name='__main__')"
    write_params(two / "params.yaml", **{"train.iterations": 300})
    stage("train", two, variant, "0")
    folder = two / "data/models" / variant / "0"
    whole = {path.name: path.read_bytes() for path in folder.glob("*.*")}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=two, env=ENV)
    while len(list((two / "data/checkpoints").rglob("*.pt"))) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    done = run("-m", "stages.train", variant, "0", cwd=two)
    assert "resumes after step" in done.stderr
    files = {path.name: path.read_bytes() for path in folder.glob("*.*")}
    assert files == whole
    assert not list((two / "data/checkpoints").iterdir())


@pytest.mark.skipif(not Path("/proc").exists(), reason="wants Linux's /proc")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_workers_go_with_their_launcher(two: Path, sent: signal.Signals) -> None:
    process, workers = begin_training(two)
    assert len(workers) == 2
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in errors
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_more_processes_than_images_are_refused_in_one_line(two: Path) -> None:
    """Before any of them starts: those that torchrun has started find out each for itself."""
    write_params(two / "params.yaml", **{"machine.processes": 20})
    for stage_name, key, most in (
        (["-m", "stages.seeds"], "cam.optimiser.batch_size", 5),
        (["-m", "stages.dsrg"], "dsrg.optimiser.batch_size", 5),
        (TRAINING, "train.batch_size", 3),
    ):
        done = run(*stage_name, cwd=two)
        assert done.returncode == 1
        assert done.stderr == (
            f"error: {key}: {most} images for 20 processes; raise it or set machine.processes to "
            f"{most} at most\n"
        )
