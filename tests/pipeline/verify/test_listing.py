"""The list of a run: which files, on what machine, and a text that is read as it was written."""

import hashlib
from pathlib import Path

import pytest
import torch

from pipeline.base.errors import UserError
from pipeline.verify import listing
from pipeline.verify.listing import list_run, machine, processor, read_listing, write_listing
from tests.settings import small_params

FILES = {
    "data/seeds/seeds.npy",
    *(f"data/proxy/dsrg/{kind}/a/1.png" for kind in ("masks", "confidence")),
    *(f"data/predictions/{name}/1.png" for name in ("dsrg", "strong", "dual")),
    *(
        f"results/shapes/metrics/{name}.json"
        for name in ("dsrg", "strong", "dual", "ensemble_dual")
    ),
    *(f"results/shapes/seeds/{name}.csv" for name in ("dsrg", "strong", "dual", "ensemble_dual")),
    "results/shapes/lambda/ensemble_dual.csv",
}
PARAMS = small_params(variants=["strong", "dual"], ensembles=["dual"])


@pytest.fixture
def run(workspace: Path) -> Path:
    """What a run leaves, and what another one left."""
    others = (
        "data/predictions/weak/1.png",
        "results/shapes/seeds/weak.csv",
        "data/models/dual/0/history.csv",
    )
    for name in {*FILES, *others}:
        path = workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "seed,miou\n0,50.1250\n" if "/seeds/" in name else "{}"
        path.write_text(text, "utf-8")
    return workspace


def test_a_list_has_the_runs_own_files_and_scores(run: Path) -> None:
    found = list_run(PARAMS)
    assert found.digests.keys() == FILES
    digits = hashlib.sha256(b"{}").hexdigest()[:12]
    assert found.digests["results/shapes/lambda/ensemble_dual.csv"] == digits
    names = ("dsrg", "strong", "dual", "ensemble_dual")
    assert found.miou == {name: {"0": 50.125} for name in names}


def test_what_changes_no_result_is_not_compared(run: Path) -> None:
    other = small_params(
        **{"data_root": "elsewhere", "report.rows": 9},
        **{"machine.workers": 3, "machine.device": "cpu"},
        variants=["strong", "dual"],
    )
    assert list_run(other).params == list_run(PARAMS).params
    more = small_params(variants=["strong", "dual"], **{"cam.foreground": 0.2})
    assert list_run(more).params != list_run(PARAMS).params


def test_a_list_names_the_device_that_params_choose(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "device", lambda: "NVIDIA X1")
    names = [machine(chosen)["device"] for chosen in ("auto", "cuda:1", "cpu", "mps")]
    assert names == ["NVIDIA X1", "NVIDIA X1", "CPU", "MPS"]
    chosen = small_params(variants=["strong", "dual"], **{"machine.device": "cpu"})
    assert list_run(chosen).machine["device"] == "CPU"


def test_a_list_is_read_as_it_was_written(run: Path) -> None:
    (run / "data/proxy/dsrg/masks/a/1.png").rename(
        run / "data/proxy/dsrg/masks/a/# two  spaces: x.png"
    )
    found = list_run(PARAMS)
    write_listing(Path("list.txt"), found)
    assert read_listing(Path("list.txt")) == found
    lines = Path("list.txt").read_text("utf-8").splitlines()
    path = "data/seeds/seeds.npy"
    assert f"{hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]}  {path}" in lines


@pytest.mark.parametrize(
    ("gone", "stage"),
    [
        ("data/seeds/seeds.npy", "seeds"),
        ("data/proxy/dsrg/confidence", "proxy dsrg"),
        ("data/predictions/dual", "evaluate dual"),
        ("results/shapes/seeds/ensemble_dual.csv", "ensemble dual"),
    ],
)
def test_what_is_missing_names_its_stage(run: Path, gone: str, stage: str) -> None:
    (run / gone).rename(run / "away")
    with pytest.raises(UserError, match=f"{gone} is not there: run `python -m stages.{stage}`"):
        list_run(PARAMS)


def test_no_list() -> None:
    with pytest.raises(UserError, match=r"`python -m stages\.verify --write` lists this run"):
        read_listing(Path("nowhere.txt"))


def test_the_machine_is_what_rounding_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    found = machine()
    assert list(found) == ["processor", "device", "instructions", "threads", "torch"]
    assert (found["threads"], found["torch"]) == ("7", torch.__version__)


def test_the_processor_is_the_systems_word(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = "vendor_id\t: Maker\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: M 7\nstepping\t: 2\n"
    Path("cpuinfo").write_text(f"processor\t: 0\n{one}\nprocessor\t: 1\n{one}", "utf-8")
    monkeypatch.setattr(listing, "CPU", Path("cpuinfo"))
    assert processor() == "Maker, 25, 1, 2, M 7"
    monkeypatch.setattr(listing, "CPU", Path("none"))  # as on macOS
    monkeypatch.setattr("platform.processor", lambda: "arm")
    assert processor() == "arm"
