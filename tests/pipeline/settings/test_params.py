"""params.yaml and the recipes load; every kind of mistake is one line that names the key."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from ruamel.yaml import YAML

from pipeline.base.errors import UserError
from pipeline.settings.params import Params
from pipeline.settings.params_file import load_params
from pipeline.settings.registry import BACKBONES
from tests.settings import ROOT, put, raw_values, small_params

FILES = [ROOT / "params.yaml", *sorted((ROOT / "recipes").glob("*.yaml"))]


def written(folder: Path, **changes: Any) -> Path:
    """A params file like the repository's with some values changed."""
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(put(raw_values(), changes), text)
    path = folder / "params.yaml"
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def complaint(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_params(path)
    return str(caught.value)


# --- the files that come with the project -------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_loads(path: Path) -> None:
    assert isinstance(load_params(path), Params)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_explains_its_keys(path: Path) -> None:
    keys = [line for line in path.read_text(encoding="utf-8").splitlines() if ":" in line]
    top = [line for line in keys if not line.startswith((" ", "#"))]
    assert [line.split(":")[0] for line in top] == list(Params.model_fields)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_warped_sides_mirror_onto_the_grid(path: Path) -> None:
    """A mirrored image's grid points lie on the mirrored grid points only for some sides.

    Otherwise seeds, which are mirrored on the grid, would be off by up to stride - 1 pixels.
    """
    params = load_params(path)
    with torch.device("meta"):
        _, geometry = BACKBONES.load(params.backbone).build()
    for side in (params.cam.image_size, params.dsrg.image_size):
        assert side % geometry.stride == (1 if geometry.corner else 0), (path.name, side)


# --- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("dataset", "pascal", "dataset: should be 'coco', 'folder', 'shapes' or 'voc'"),
        ("dataset", "common", "dataset: should be 'coco', "),
        ("backbone", "vgg", "backbone: should be 'efficientnet_lite0', "),
        (
            "proxy.generators",
            ["sam"],
            "proxy.generators.0: should be 'dsrg', 'files' or 'self', not 'sam'",
        ),
        ("neck_n", 4, "neck_n: should be less than or equal to 3, not 4"),
        ("neck_n", -1, "neck_n: should be greater than or equal to 0, not -1"),
        ("neck_n", "1", "neck_n: should be a valid integer, not '1'"),
        ("neck_n", 1.0, "neck_n: should be a valid integer, not 1.0"),
        ("neck_n", True, "neck_n: should be a valid integer, not True"),
        ("seed", -1, "seed: should be greater than or equal to 0"),
        ("seeds", [], "seeds: "),
        ("seeds", [0, "1"], "seeds.1: should be a valid integer, not '1'"),
        ("seeds", [0, 0], "seeds: an entry is repeated"),
        ("seeds", 0, "seeds: should be a valid list, not 0"),
        ("variants", [], "variants: "),
        (
            "variants",
            ["dual", "duel"],
            "variants: 'duel' is none of weak, mixed, strong, full, dual_",
        ),
        ("variants", ["mixed_x0"], "variants: 'mixed_x0' is none of weak, mixed, "),
        ("variants", ["mixed_x1"], "variants: 'mixed_x1' is none of weak, mixed, "),
        ("variants", ["dual", "dual"], "variants: an entry is repeated"),
        ("ensembles", ["dual_full"], "ensembles: 'dual_full' is averaged with strong, so variants"),
        ("ensembles", ["strong"], "ensembles: 'strong' is averaged with strong, so variants"),
        ("ensembles", ["weak", "weak"], "ensembles: an entry is repeated"),
        ("variants", ["strong+refresh"], "variants: 'strong+refresh' is none of weak, mixed, "),
        ("extras.ema_decay", 1.0, "extras.ema_decay: should be less than 1"),
        ("extras.refresh_at", 0.0, "extras.refresh_at: should be greater than 0"),
        ("extras.consistency_weight", 0, "extras.consistency_weight: should be"),
        ("extras.consistency_threshold", 95, "extras.consistency_threshold: should"),
        ("train.batch_size", 15, "train.batch_size: should be a multiple of 2, not 15"),
        ("train.learning_rate", 0, "train.learning_rate: should be greater than 0, not 0"),
        ("train.learning_rate", "fast", "train.learning_rate: should be a valid number"),
        ("train.epochs", None, "train.epochs: should be a valid integer, not None"),
        ("train.decay_epoch", 10**6, "train.decay_epoch: must not be above train.epochs"),
        ("dsrg.image_size", 7, "dsrg.image_size: must equal cam.image_size"),
        ("train.scale_min", 9.0, "train.scale_min: must not be above train.scale_max"),
        ("cam.scale_min", 9.0, "cam.scale_min: must not be above cam.scale_max"),
        ("cam.foreground", 1.0, "cam.foreground: should be less than 1"),
        ("cam.optimiser", None, "cam.optimiser: should be"),
        ("dsrg.theta_background", 99, "dsrg.theta_background: should be less than 1"),
        ("dsrg.crf.theta_gamma", 0, "dsrg.crf.theta_gamma: should be greater than 0"),
        ("dsrg.dilations", [], "dsrg.dilations: "),
        ("proxy.scales", [], "proxy.scales: "),
        ("proxy.scales", [1.0, 0.0], "proxy.scales.1: should be greater than 0"),
        ("download.shapes.size", 16, "download.shapes.size: should be greater than or equal to 32"),
        ("train", 3, "train: should be"),
    ],
)
def test_impossible_values(tmp_path: Path, key: str, value: Any, message: str) -> None:
    said = complaint(written(tmp_path, **{key: value}))
    assert f"params.yaml: {message}" in said
    assert len(said.splitlines()) == 1


def test_the_message_for_an_extra_says_what_it_wants(tmp_path: Path) -> None:
    said = complaint(written(tmp_path, variants=["mixed+consistency"]))
    assert "consistency with two branches, proxies in the weak one" in said
    assert "+ema+confidence+refresh+consistency" in said


def test_confidence_may_be_used_where_it_is_written(tmp_path: Path) -> None:
    changes = {"variants": ["dual+confidence"], "neck_n": 0}
    assert load_params(written(tmp_path, **changes)).variants == ["dual+confidence"]


def test_tensorboard_is_asked_for_before_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, **{"machine.tensorboard": True})
    assert load_params(path).machine.tensorboard
    monkeypatch.setattr("pipeline.settings.params.find_spec", lambda _: None)
    said = complaint(path)
    assert (
        "machine.tensorboard: should be false until `pip install tensorboard` has run, not True"
        in said
    )
    assert load_params(written(tmp_path)).machine.tensorboard is False


def test_an_unknown_key_and_a_missing_one(tmp_path: Path) -> None:
    values = raw_values()
    values["train"]["epoch"] = values["train"].pop("epochs")
    path = tmp_path / "params.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(values, file)
    assert complaint(path).splitlines() == [
        f"{path}: train.epochs: missing",
        "  train.epoch: unknown key; remove it or correct its name",
        "Lines to add (below the `train:` that is there), with the values of "
        "recipes/coco-vgg16.yaml:",
        "train:",
        "  epochs: 20  # passes of the dual batch's weak half over the weak images",
    ]


def test_all_mistakes_in_one_go(tmp_path: Path) -> None:
    said = complaint(written(tmp_path, **{"neck_n": 9, "train.crop": 0, "cam.width": "8"}))
    assert all(key in said for key in ("neck_n: ", "train.crop: ", "cam.width: "))
    assert len(said.splitlines()) == 3


def test_the_narrow_network_has_no_imagenet_weights() -> None:
    with pytest.raises(
        ValidationError, match="backbone_weights: backbone vgg16_narrow has no ImageNet"
    ):
        small_params(backbone="vgg16_narrow", backbone_weights="imagenet")


@pytest.mark.parametrize(
    "content",
    [b"", b"just text", b"- a\n- list\n", b"a: [1, 2", b"a: 1\na: 2\n", b"a: \xff\n", b"a:\n\t- 1"],
)
def test_files_that_are_no_params(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    assert str(path) in complaint(path)


def test_a_missing_file(tmp_path: Path) -> None:
    assert "run from the repository root" in complaint(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-4", 1e-4), ("1.0e-4", 1e-4), ("1E-4", 1e-4), ("0.0001", 1e-4), ("1", 1.0)],
)
def test_numbers_as_people_write_them(tmp_path: Path, text: str, value: float) -> None:
    """YAML 1.1 would read 1e-4 as a string; here it is the number meant."""
    lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
    changed = [
        f"  learning_rate_backbone: {text}" if "learning_rate_backbone:" in line else line
        for line in lines
    ]
    path = tmp_path / "params.yaml"
    path.write_text("\n".join(changed), encoding="utf-8")
    read = load_params(path).train.learning_rate_backbone
    assert isinstance(read, float)
    assert read == value


def test_params_cannot_be_changed_by_accident(params: Params) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        params.train.epochs = 3  # type: ignore[misc]
