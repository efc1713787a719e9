"""Where networks start, and that a stored one comes back."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.backbones import build_backbone
from pipeline.errors import UserError
from pipeline.network import DualBranchNet
from pipeline.start import load_network, plain_state, start_weights
from tests.settings import small_params


def network(width: int = 8) -> DualBranchNet:
    return DualBranchNet(build_backbone("vgg16_narrow", "none"), 4, neck_n=1, width=width)


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


def test_missing_and_other_networks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    with pytest.raises(UserError, match=r"is not there: run `python -m stages.train dual 0`"):
        load_network(network(), path, "train dual 0")
    save_file(plain_state(network(width=9)), path)
    with pytest.raises(UserError, match=r"does not fit the network in params\.yaml"):
        load_network(network(), path, "train dual 0")
    path.write_bytes(b"half a file")
    with pytest.raises(UserError, match=r"network\.safetensors"):
        load_network(network(), path, "train dual 0")
