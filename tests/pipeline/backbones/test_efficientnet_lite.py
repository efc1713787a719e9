"""EfficientNet-Lite0 with the weights of its package: every tensor, every stride, nothing asked."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pipeline.base import fetch as fetch_module
from pipeline.base.errors import UserError
from pipeline.networks.backbone import build_backbone
from pipeline.networks.efficientnet_lite import lite0, lite0_weights
from pipeline.networks.layers import BatchNorm
from pipeline.networks.weights import imagenet_file
from pipeline.settings.registry import BACKBONES

NAMES = [name for name in BACKBONES.names() if name.startswith("efficientnet_lite0")]
CLASSIFIER = ("_conv_head.", "_bn1.", "_fc.")


@pytest.fixture(scope="module")
def stored() -> dict[str, Tensor]:
    """The package's file, read without this project."""
    state: dict[str, Tensor] = torch.load(lite0_weights(), weights_only=True)
    return state


def filled(stride: int, stored: dict[str, Tensor]) -> nn.Module:
    """Lite0 at any stride with the package's weights."""
    body = lite0(stride)[0].eval()
    body.load_state_dict({k: v for k, v in stored.items() if not k.startswith(CLASSIFIER)})
    return body


@pytest.mark.parametrize("name", NAMES)
def test_every_tensor_of_the_package_is_taken_and_nothing_downloaded(
    name: str, stored: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(fetch_module.requests, "get", lambda *given: pytest.fail("asked the web"))
    assert imagenet_file(name) == lite0_weights()
    ours = build_backbone(name, "imagenet").body.state_dict()
    unused = stored.keys() - ours.keys()
    assert all(key.startswith(CLASSIFIER) for key in unused)
    assert len(unused) == 8  # of the last convolution, its norm, and the linear layer
    assert all(torch.equal(ours[key], stored[key]) for key in ours)
    assert not list(tmp_path.iterdir())


def test_a_deeper_network_of_the_family_is_refused(
    stored: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(stored | {"_blocks.16._bn2.bias": torch.zeros(320)}, tmp_path / "deeper.pth")
    with pytest.raises(UserError, match=r"'_blocks\.16\._bn2\.bias' is not one of the network's"):
        build_backbone("efficientnet_lite0", str(tmp_path / "deeper.pth"))


def test_norms_have_the_constants_of_the_training() -> None:
    with torch.device("meta"):
        norms = [m for m in lite0(8)[0].modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 48
    assert all(isinstance(norm, BatchNorm) for norm in norms)  # for several processes
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}


@pytest.mark.parametrize(("stride", "sparser"), [(8, 16), (8, 32), (16, 32)])
def test_a_denser_grid_holds_the_sparser_one(
    stride: int, sparser: int, stored: dict[str, Tensor]
) -> None:
    """Dilation instead of stride: 32 is the network as it was trained."""
    image = torch.randn(1, 3, 97, 65)
    step = sparser // stride
    with torch.inference_mode():
        dense = filled(stride, stored)(image)[:, :, ::step, ::step]
        sparse = filled(sparser, stored)(image)
    assert float(sparse.std()) > 1
    torch.testing.assert_close(dense, sparse, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_features_are_those_of_timm(stride: int, stored: dict[str, Tensor]) -> None:
    """Which pads as TensorFlow does, where the weights come from; equal on a side of 32k+1."""
    timm = pytest.importorskip("timm")
    body = filled(stride, stored)
    theirs = timm.create_model(
        "tf_efficientnet_lite0", features_only=True, output_stride=stride, out_indices=(4,)
    ).eval()
    assert {norm.eps for norm in theirs.modules() if isinstance(norm, nn.BatchNorm2d)} == {1e-3}
    names = zip(theirs.state_dict(), body.state_dict().values(), strict=True)  # in one order
    theirs.load_state_dict(dict(names))
    image = torch.randn(1, 3, 97, 65)
    with torch.inference_mode():
        torch.testing.assert_close(body(image), theirs(image)[0], rtol=1e-4, atol=1e-4)
