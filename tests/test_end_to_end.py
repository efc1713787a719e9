"""The whole pipeline through the real `dvc repro`, on a configuration small enough for a test."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.repository import ENV, run, stages_run

pytestmark = pytest.mark.slow


def test_every_stage_ran_and_left_its_outputs(clone: Path) -> None:
    ran = stages_run((clone / ".git" / "repro.txt").read_text("utf-8"))
    assert ran[:2] == ["needs", "download"]
    assert ran[-1] == "report"
    assert set(ran) == {
        *("needs", "download", "seeds", "dsrg", "teacher", "proxy@dsrg", "split"),
        *("train@strong-0", "train@dual-0", "evaluate@strong", "evaluate@dual"),
        *("package@strong", "package@dual", "evaluate_dsrg", "report"),
    }
    metrics = json.loads((clone / "results/shapes/metrics/dual.json").read_text("utf-8"))
    assert set(metrics) == {"miou", "miou_sd", "pixel_accuracy", "class_accuracy", "weighted_iou"}
    assert 0 <= metrics["miou"] <= 100
    assert len(list((clone / "data/proxy/dsrg/masks").glob("*.png"))) == 24
    assert len(list((clone / "data/predictions/dual").glob("*.png"))) == 8
    assert "dual" in (clone / "report/index.html").read_text("utf-8")


def test_git_holds_the_metrics_and_nothing_heavy(clone: Path) -> None:
    tracked = run("git", "ls-files", cwd=clone).split()
    assert "results/shapes/metrics/dual.json" in tracked
    heavy = [name for name in tracked if name.startswith("data/") or name.endswith(".png")]
    assert heavy == ["data/raw/README.md"]


def test_repro_again_does_nothing(clone: Path) -> None:
    assert stages_run(run("dvc", "repro", cwd=clone)) == []


def test_predictions_are_those_of_evaluate_to_the_last_byte(own: Path) -> None:
    """From the packaged file alone, one image at a time, instead of in batches."""
    stage = [sys.executable, "-m", "stages.predict", "data/packages/dual/model.safetensors"]
    wanted = {path.stem: path for path in (own / "data/predictions/dual").glob("*.png")}
    images = [str(p) for p in sorted((own / "data/dataset/images").glob("*")) if p.stem in wanted]
    assert len(images) == 8
    run(*stage, *images, "--out", ".git/predicted", cwd=own)
    for path in (own / ".git/predicted/masks").iterdir():
        assert path.read_bytes() == wanted.pop(path.stem).read_bytes()
    assert not wanted


def test_the_packaged_model_is_an_artifact(own: Path, tmp_path: Path) -> None:
    """A tag makes it a version, and another project gets it by its name."""
    run("git", "tag", "-a", "dual@v1.0.0", "-m", "first", cwd=own)
    run("dvc", "artifacts", "get", str(own), "dual", "-o", "model.safetensors", cwd=tmp_path)
    wanted = (own / "data/packages/dual/model.safetensors").read_bytes()
    assert (tmp_path / "model.safetensors").read_bytes() == wanted


def test_neck_n_reruns_dual_alone(own: Path) -> None:
    output = run("dvc", "exp", "run", "-S", "neck_n=1", cwd=own)
    assert stages_run(output) == [
        *("split", "train@dual-0", "evaluate@dual", "package@dual", "report"),
    ]
    assert "neck_n" in run("dvc", "exp", "show", "--no-pager", "--csv", cwd=own)


def test_an_average_is_one_stage_more(own: Path) -> None:
    output = run("dvc", "exp", "run", "-S", "ensembles=[dual]", cwd=own)
    assert stages_run(output) == ["ensemble@dual", "report"]
    assert (own / "results/shapes/lambda/ensemble_dual.csv").exists()


def test_dvc_draws_the_plots(clone: Path) -> None:
    drawn = json.loads(run("dvc", "plots", "show", "--json", cwd=clone))
    assert not drawn.get("errors")
    for name in ("loss/dual.csv", "val_miou/dual.csv", "confusion/strong.csv"):
        assert f"report/plots/{name}" in drawn["data"]
    assert "results/shapes/per_class/dual.csv" in drawn["data"]
    pictures = [name for name in drawn["data"] if name.endswith(".png")]
    assert len(pictures) == 6  # two of each rank


def test_experiment_in_a_temporary_copy(own: Path) -> None:
    """DVC copies the repository; the copy must run its own code on its own files."""
    output = run("dvc", "exp", "run", "--temp", "-S", "evaluate.batch_size=3", cwd=own)
    assert "evaluate@dual" in stages_run(output)
    assert "batch_size: 3" not in (own / "params.yaml").read_text("utf-8")


def test_queued_experiments_run(own: Path) -> None:
    run("dvc", "exp", "run", "--queue", "--name", "queued", "-S", "report.rows=5", cwd=own)
    run("dvc", "exp", "run", "--run-all", cwd=own)
    assert "Success" in run("dvc", "queue", "status", cwd=own)
    assert stages_run(run("dvc", "queue", "logs", "queued", cwd=own)) == ["report"]


def test_queued_experiments_take_a_gpu_each(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers beside each other, and two GPUs, if only by name: CUDA is not asked."""
    monkeypatch.setitem(ENV, "CUDA_VISIBLE_DEVICES", "6,7")
    monkeypatch.setitem(ENV, "OMP_NUM_THREADS", "1")
    for seed in (3, 4):
        change = f"seeds=[{seed}]"
        run("dvc", "exp", "run", "--queue", "--name", f"pinned{seed}", "-S", change, cwd=own)
    run("dvc", "queue", "start", "--jobs", "2", cwd=own)
    deadline = time.monotonic() + 300
    while run("dvc", "queue", "status", cwd=own).count("Success") < 2:
        assert time.monotonic() < deadline
        time.sleep(2)
    for seed in (3, 4):
        logs = run("dvc", "queue", "logs", f"pinned{seed}", cwd=own)
        taken = set(re.findall(r"^takes GPU (\S+)$", logs, re.MULTILINE))
        assert taken
        assert taken <= {"6", "7"}


def test_a_stage_run_by_torchrun_is_handed_to_dvc(own: Path) -> None:
    """As docs/scaling.md has it for several machines; DVC then goes on behind that stage."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    stage = ["-m", "stages.train", "dual", "0"]
    run(*torchrun, "--nproc-per-node=2", *stage, cwd=own)
    run("dvc", "commit", "--force", "train@dual-0", cwd=own)
    assert stages_run(run("dvc", "repro", cwd=own)) == [
        *("evaluate@dual", "package@dual", "report"),
    ]


def test_a_clone_without_data_knows_that_nothing_is_to_do(clone: Path, tmp_path: Path) -> None:
    """What a CI job asks: does dvc.lock fit code and params?"""
    run("git", "clone", "-q", str(clone), str(tmp_path / "bare"), cwd=tmp_path)
    output = run("dvc", "repro", "--dry", "--allow-missing", cwd=tmp_path / "bare")
    assert stages_run(output) == []
    assert "up to date" in output


def test_a_typo_in_params_is_refused_before_any_work(own: Path) -> None:
    done = subprocess.run(
        ["dvc", "exp", "run", "-S", "neck_n=seven"],
        cwd=own, env=ENV, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "neck_n" in done.stdout + done.stderr
    assert "  dvc exp run -S neck_n=3\n" in done.stdout + done.stderr
    run("dvc", "exp", "run", "-S", "neck_n=3", cwd=own)
    assert run("git", "diff", "-w", "--", "params.yaml", cwd=own) == ""
