"""What a package says of its network: scores, params without paths, and how it was trained."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.base.errors import UserError
from pipeline.base.record import write_record
from pipeline.data.manifest import Manifest, Reading, write_reading
from pipeline.data.plan import Plan, make_plan
from pipeline.evaluate.results import write_results
from pipeline.model.model_file import read_model
from pipeline.model.package import MODEL, package, read_scores, write_package
from pipeline.settings.params import Params
from pipeline.settings.paths import MODELS, model_dir, record_file, result_file
from pipeline.train.build import build_network
from tests.settings import small_params

NETWORK = model_dir("dual", 0) / "network.safetensors"


@pytest.fixture
def plan(manifest: Manifest) -> Plan:
    return make_plan("dual", 1, ["a", "b"], ["c"])


@pytest.fixture
def trained(manifest: Manifest, params: Params, plan: Plan, workspace: Path) -> Path:
    """data/models and results as the stages leave them."""
    network = build_network(params, plan, len(manifest.classes), "none")
    NETWORK.parent.mkdir(parents=True)
    save_file(network.state_dict(), NETWORK)
    confusion = np.eye(len(manifest.classes), len(manifest.classes) + 1, dtype=np.int64)
    confusion[1, 0] = 1
    write_results("shapes", "dual", manifest.classes, [0, 1], [confusion, 2 * confusion])
    return workspace


def write(params: Params, manifest: Manifest, plan: Plan, folder: Path) -> Path:
    info, state = package(params, manifest, plan, models=MODELS)
    (folder / "package").mkdir(exist_ok=True)
    write_package(info, state, folder / "package")
    return folder / "package" / MODEL


def test_a_package_follows_from_what_was_trained(
    params: Params, manifest: Manifest, plan: Plan, trained: Path
) -> None:
    info, network = read_model(write(params, manifest, plan, trained))
    assert info.class_list == manifest.classes
    assert (info.strong, info.weak, info.neck_n) == (2, 1, 1)
    assert len(network.branches) == 1
    assert info.scores is not None
    assert info.scores.images == 5
    assert info.scores.this == info.scores.means["miou"] < 100
    first = (trained / "package" / MODEL).read_bytes()
    assert write(params, manifest, plan, trained).read_bytes() == first


def test_a_package_knows_the_white_of_its_data_set(
    params: Params, manifest: Manifest, plan: Plan, trained: Path
) -> None:
    assert read_model(write(params, manifest, plan, trained))[0].white is None
    write_reading(trained, Reading(white=4095))
    there = replace(manifest, folder=trained)
    assert read_model(write(params, there, plan, trained))[0].white == 4095


def test_the_card_tells_how_this_very_network_was_trained(
    params: Params, manifest: Manifest, plan: Plan, trained: Path
) -> None:
    """It alone, not the model file; and nothing of another training of the same name."""
    none = "There is no record of the training."
    path = write(params, manifest, plan, trained)
    card = path.with_name("MODEL_CARD.md")
    assert none in card.read_text("utf-8")
    without = path.read_bytes()
    write_record(record_file("train dual 0"), NETWORK, commit="0123456789ab", device="CPU")
    assert write(params, manifest, plan, trained).read_bytes() == without
    assert "Trained at commit `0123456789ab` in " in card.read_text("utf-8")
    assert f"begins with `{hashlib.sha256(without).hexdigest()[:16]}`" in card.read_text("utf-8")
    torch.manual_seed(9)
    network = build_network(params, plan, len(manifest.classes), "none")
    save_file(network.state_dict(), NETWORK)
    write(params, manifest, plan, trained)
    assert none in card.read_text("utf-8")


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


def test_without_val_there_are_no_scores(
    params: Params, manifest: Manifest, workspace: Path
) -> None:
    rows = tuple(row for row in manifest.rows if row.split != "val")
    assert read_scores(params, replace(manifest, rows=rows), "dual") is None


def test_what_is_missing_names_its_stage(
    params: Params, manifest: Manifest, plan: Plan, trained: Path
) -> None:
    for path, stage in (
        (result_file("shapes", "seeds", "dual"), "evaluate dual"),
        (NETWORK, "train dual 0"),
    ):
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
