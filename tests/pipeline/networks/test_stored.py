"""Where networks start, and that a stored one comes back."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from pipeline.base.errors import UserError
from pipeline.networks.backbone import build_backbone
from pipeline.networks.stored import load_network, plain_state, start_weights
from pipeline.train.network import DualBranchNet
from tests.settings import small_params

KEY = "backbone.body.3.weight"


def network(width: int = 8, neck_n: int = 1) -> DualBranchNet:
    return DualBranchNet(build_backbone("vgg16_narrow", "none"), 4, neck_n=neck_n, width=width)


def test_classifier_means_what_stage_seeds_wrote(workspace: Path) -> None:
    weights = start_weights(small_params(backbone_weights="classifier"))
    assert Path(weights) == workspace.resolve() / "data" / "seeds" / "classifier.safetensors"
    assert start_weights(small_params(backbone_weights="none")) == "none"
    assert start_weights(small_params(backbone_weights="my/file.pth")) == "my/file.pth"


def test_a_network_comes_back_to_the_bit(tmp_path: Path) -> None:
    first, second = network().to(memory_format=torch.channels_last), network()
    save_file(plain_state(first), tmp_path / "network.safetensors")
    load_network(second, tmp_path / "network.safetensors", "dsrg")
    for (name, a), b in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_missing_network_names_the_stage(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not there: run `python -m stages.train dual 0`"):
        load_network(network(), tmp_path / "network.safetensors", "train dual 0")


Change = Callable[[dict[str, Tensor]], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.popitem(), r"tensor '.*' is missing"),
        (
            lambda state: state.update(more=torch.zeros(1)),
            "tensor 'more' is not one of the",
        ),
        (lambda state: state[KEY].fill_(float("nan")), rf"tensor '{KEY}' holds NaN or infinity"),
        (lambda state: state[KEY][0].fill_(float("inf")), rf"'{KEY}' holds NaN or infinity"),
        (
            lambda state: state.update({KEY: torch.zeros(2)}),
            rf"'{KEY}' is of another shape, \(2,\)",
        ),
        (lambda state: state.update({KEY: state[KEY].int()}), rf"'{KEY}' is of another kind"),
    ],
)
def test_network_that_does_not_fit(tmp_path: Path, change: Change, message: str) -> None:
    path = tmp_path / "network.safetensors"
    state = {key: value.clone() for key, value in plain_state(network()).items()}
    change(state)
    save_file(state, path)
    with pytest.raises(UserError, match=r"does not fit the network in params\.yaml: ") as caught:
        load_network(network(), path, "train dual 0")
    assert str(caught.value).startswith(str(path))
    assert re.search(message, str(caught.value))
    assert str(caught.value).endswith("; run `python -m stages.train dual 0` again")
    assert "\n" not in str(caught.value)


def test_network_of_another_width_or_depth(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_file(plain_state(network(width=9)), path)
    with pytest.raises(UserError, match=r"of another shape"):
        load_network(network(), path, "train dual 0")
    save_file(plain_state(network(neck_n=2)), path)
    with pytest.raises(UserError, match=r"is missing|is none of"):
        load_network(network(), path, "train dual 0")


def test_file_that_is_no_network(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_file(plain_state(network()), path)
    whole = path.read_bytes()
    for content in (b"", b"half a file", whole[:-1], whole[: len(whole) // 2], b"<html></html>"):
        path.write_bytes(content)
        with pytest.raises(
            UserError, match=r"not a plain tensor file .*run `python -m stages\.dsrg`"
        ):
            load_network(network(), path, "dsrg")
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match=r"it is a folder"):
        load_network(network(), path, "dsrg")
