"""What a package says of its network: scores, params without paths, the training's commit."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from pipeline.build import build_network
from pipeline.errors import UserError
from pipeline.manifest import Manifest
from pipeline.model_file import read_model
from pipeline.package import MODEL, package, read_scores, write_package
from pipeline.params import Params
from pipeline.plan import Plan, make_plan
from pipeline.results import write_results
from tests.settings import small_params


@pytest.fixture
def plan(manifest: Manifest) -> Plan:
    return make_plan("dual", 1, ["a", "b"], ["c"])


@pytest.fixture
def trained(manifest: Manifest, params: Params, plan: Plan, workspace: Path) -> Path:
    """data/models, data/records and results as the stages leave them."""
    network = build_network(params, plan, len(manifest.classes), "none")
    for folder in ("models/dual/0", "records"):
        (workspace / folder).mkdir(parents=True)
    save_file(network.state_dict(), workspace / "models/dual/0/network.safetensors")
    record = {"commit": "0123456789ab", "seconds": 1.5}
    (workspace / "records/train-dual-0.json").write_text(json.dumps(record), "utf-8")
    confusion = np.eye(len(manifest.classes), len(manifest.classes) + 1, dtype=np.int64)
    confusion[1, 0] = 1
    write_results(workspace / "results", manifest.classes, [0, 1], [confusion, 2 * confusion])
    return workspace


def write(params: Params, manifest: Manifest, plan: Plan, folder: Path) -> Path:
    info, state = package(
        params,
        manifest,
        plan,
        models=folder / "models",
        records=folder / "records",
        results=folder / "results",
    )
    (folder / "package").mkdir(exist_ok=True)
    write_package(info, state, folder / "package")
    return folder / "package" / MODEL


def test_a_package_follows_from_what_was_trained(
    params: Params, manifest: Manifest, plan: Plan, trained: Path
) -> None:
    info, network = read_model(write(params, manifest, plan, trained))
    assert info.class_list == manifest.classes
    assert (info.commit, info.strong, info.weak, info.neck_n) == ("0123456789ab", 2, 1, 1)
    assert len(network.branches) == 1
    assert info.scores is not None
    assert info.scores.images == 5
    assert info.scores.this == info.scores.means["miou"] < 100
    first = (trained / "package" / MODEL).read_bytes()
    assert write(params, manifest, plan, trained).read_bytes() == first
    assert "0123456789ab" in (trained / "package/MODEL_CARD.md").read_text("utf-8")


def test_paths_of_this_machine_stay_here(manifest: Manifest, plan: Plan, trained: Path) -> None:
    params = small_params(
        data_root="/home/somebody/photographs",
        backbone_weights="/home/somebody/w.pth",
        **{"cam.saliency": "/home/somebody/maps"},
    )
    path = write(params, manifest, plan, trained)
    assert b"somebody" not in path.read_bytes()
    assert "somebody" not in path.with_name("MODEL_CARD.md").read_text("utf-8")
    assert read_model(path)[0].params["backbone_weights"] == "w.pth"
    assert "weights it started from" in read_model(path)[0].licence


def test_without_val_there_are_no_scores(manifest: Manifest, workspace: Path) -> None:
    rows = tuple(row for row in manifest.rows if row.split != "val")
    assert read_scores(workspace, replace(manifest, rows=rows), "dual", 0, 1) is None


def test_what_is_missing_names_its_stage(
    params: Params, manifest: Manifest, plan: Plan, trained: Path
) -> None:
    for name, stage in (
        ("results/seeds.csv", "evaluate dual"),
        ("records/train-dual-0.json", "train dual 0"),
        ("models/dual/0/network.safetensors", "train dual 0"),
    ):
        path = trained / name
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(UserError, match=f"run `python -m stages.{stage}` first"):
            write(params, manifest, plan, trained)
        path.write_bytes(b"{")
        with pytest.raises(UserError, match=f"stages.{stage}"):
            write(params, manifest, plan, trained)
        path.write_bytes(content)


def test_a_network_of_other_params_is_refused(
    manifest: Manifest, plan: Plan, trained: Path
) -> None:
    other = small_params(**{"train.neck_width": 16})
    with pytest.raises(UserError, match="is of another shape"):
        write(other, manifest, plan, trained)
