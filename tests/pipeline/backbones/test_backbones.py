"""Backbones: grids, where grid points lie, torchvision's own weights, frozen batch norm."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from pipeline.backbones import squeezenet1_0, vgg16
from pipeline.base.errors import UserError
from pipeline.networks.backbone import Backbone, build_backbone
from pipeline.networks.stored import plain_state
from pipeline.settings.registry import BACKBONES
from pipeline.weak.seeds.cam import CamNet
from tests.settings import ROOT
from tests.weights import TORCHVISION, random_state

NAMES = [name for name in BACKBONES.names() if name != "timm"]  # it is in test_timm.py
SIZES = [(321, 321), (328, 328), (64, 64), (65, 65), (47, 90), (241, 33), (1, 7)]


@pytest.fixture(scope="module", params=NAMES)
def shapes_only(request: pytest.FixtureRequest) -> Backbone:
    """A backbone on torch's meta device: it computes shapes and nothing else."""
    with torch.device("meta"):
        return Backbone(*BACKBONES.load(request.param).build()).eval()


# --- the grid -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_grid_is_the_size_over_the_stride_rounded_up(
    shapes_only: Backbone, size: tuple[int, int]
) -> None:
    geometry = shapes_only.geometry
    grid = tuple(-(-side // geometry.stride) for side in size)
    seen: list[torch.Size] = []
    layer = shapes_only.body.get_submodule(geometry.saliency)
    hook = layer.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    features = shapes_only(torch.empty(2, 3, *size, device="meta"))
    hook.remove()
    assert features.shape == (2, geometry.channels, *grid)
    assert seen[0][-2:] == grid  # saliency needs no interpolation


def only_centre_taps(body: nn.Module) -> nn.Module:
    """Convolutions that look at one pixel, average poolings: what is left is where a point lies."""
    for module in body.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                pool = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode)
                setattr(module, name, pool)
            elif isinstance(child, nn.Conv2d):
                nn.init.zeros_(child.weight)
                middle = child.kernel_size[0] // 2
                child.weight.data[:, :, middle, middle] = 1.0 / child.weight.shape[1]
                if child.bias is not None:
                    nn.init.zeros_(child.bias)
    return body


@pytest.mark.parametrize("name", NAMES)
def test_grid_points_lie_where_the_geometry_says(name: str) -> None:
    body, geometry = BACKBONES.load(name).build()
    body = only_centre_taps(body).eval()
    side = 5 * geometry.stride + 1
    image = torch.full((1, 3, side, side), 1e-3, requires_grad=True)  # too small for a ReLU6 to cut
    features = body(image)
    expected = 0.0 if geometry.corner else (geometry.stride - 1) / 2
    for y, x in ((1, 2), (3, 3)):
        (weight,) = torch.autograd.grad(features[0, :, y, x].sum(), image, retain_graph=True)
        place = weight.sum(dim=(0, 1)) / weight.sum()
        steps = torch.arange(float(side))
        found = [float(place.sum(dim=1) @ steps), float(place.sum(dim=0) @ steps)]
        wanted = [geometry.stride * y + expected, geometry.stride * x + expected]
        assert found == pytest.approx(wanted, abs=1e-3)


# --- torchvision's weights ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files as torchvision would have them in its cache."""
    folder = tmp_path_factory.mktemp("weights")
    for name, model in TORCHVISION.items():
        torch.save(random_state(model), folder / f"{name}.pth")
    return {name: folder / f"{name}.pth" for name in TORCHVISION}


@pytest.mark.parametrize("name", sorted(TORCHVISION))
def test_every_tensor_comes_from_torchvisions_file(name: str, checkpoints: dict[str, Path]) -> None:
    backbone = build_backbone(name, str(checkpoints[name]))
    stored = torch.load(checkpoints[name], weights_only=True)
    ours = backbone.body.state_dict()
    unused = {k for k in stored if k.removeprefix("features.") not in ours}
    assert all(key.startswith(("classifier.", "fc.")) for key in unused)
    for key, tensor in stored.items():
        if key not in unused:
            assert torch.equal(ours[key.removeprefix("features.")], tensor), key


def test_a_seed_means_what_it_meant_with_torchvisions_constructors() -> None:
    """Heads are drawn after the backbone, which has to take as many random numbers as before."""

    def drawn_after(make: Callable[[], object]) -> float:
        torch.manual_seed(0)
        make()
        return float(torch.rand(()))

    def vgg() -> None:
        models.vgg.make_layers(models.vgg.cfgs["D"])
        for _ in range(3):  # conv5, once more with dilation
            nn.Conv2d(512, 512, 3)

    assert drawn_after(vgg16.build) == drawn_after(vgg)
    assert drawn_after(squeezenet1_0.build) == drawn_after(models.squeezenet1_0)


def test_networks_for_cpus_do_without_torchvision() -> None:
    """It takes as long to import as torch."""
    code = (
        "import sys\n"
        "from pipeline.networks.backbone import build_backbone\n"
        "for name in ('vgg16', 'squeezenet1_0', 'efficientnet_lite0', 'vgg16_narrow'):\n"
        "    build_backbone(name, 'none')\n"
        "sys.exit('torchvision' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_vgg16_is_torchvisions_up_to_the_fourth_pooling(checkpoints: dict[str, Path]) -> None:
    ours = build_backbone("vgg16", str(checkpoints["vgg16"])).body
    with torch.device("meta"):
        theirs = nn.Sequential(*models.vgg16(weights=None).features[:23])
    theirs = theirs.to_empty(device="cpu")
    stored = torch.load(checkpoints["vgg16"], weights_only=True)
    theirs.load_state_dict(
        {k.removeprefix("features."): v for k, v in stored.items() if k.startswith("features.")},
        strict=False,
    )
    image = torch.randn(1, 3, 40, 24)
    with torch.inference_mode():
        torch.testing.assert_close(ours[:23](image), theirs(image))


def test_squeezenet_is_torchvisions_scaled_to_what_heads_expect(
    checkpoints: dict[str, Path],
) -> None:
    """Its first convolution and two poolings padded, the third dropped, the last Fire dilated."""
    ours = build_backbone("squeezenet1_0", str(checkpoints["squeezenet1_0"])).body
    theirs = models.squeezenet1_0(weights=None)
    theirs.load_state_dict(torch.load(checkpoints["squeezenet1_0"], weights_only=True))
    layers = theirs.features
    layers[0].padding = (3, 3)
    layers[2] = layers[6] = nn.MaxPool2d(3, stride=2, padding=1)
    layers[11] = nn.Identity()
    layers[12].expand3x3.dilation = layers[12].expand3x3.padding = (2, 2)
    image = torch.randn(1, 3, 33, 49)
    with torch.inference_mode():
        features = layers(image)
        assert float(features.std()) > 0
        assert torch.equal(ours(image), squeezenet1_0.SCALE * features)


def test_vgg16_drops_two_poolings_and_dilates_conv5() -> None:
    with torch.device("meta"):
        body, _ = vgg16.build()
    assert sum(isinstance(layer, nn.MaxPool2d) for layer in body) == 3
    dilations = [layer.dilation[0] for layer in body if isinstance(layer, nn.Conv2d)]
    assert dilations == [1] * 10 + [2] * 3


def test_resnet_holds_the_plain_network_at_every_fourth_point(
    checkpoints: dict[str, Path],
) -> None:
    """Dilation instead of stride: the plain network's output is among the dense one's points."""
    ours = build_backbone("resnet101", str(checkpoints["resnet101"])).eval()
    with torch.device("meta"):
        theirs = models.resnet101(weights=None)
    theirs = theirs.to_empty(device="cpu").eval()
    theirs.load_state_dict(torch.load(checkpoints["resnet101"], weights_only=True))
    theirs.avgpool, theirs.fc = nn.Identity(), nn.Identity()
    image = torch.randn(1, 3, 65, 33)
    with torch.inference_mode():
        dense = ours(image)[:, :, ::4, ::4]
        plain = theirs(image).view_as(dense)
    assert float(plain.std()) > 0
    torch.testing.assert_close(dense, plain, rtol=1e-3, atol=1e-3 * float(plain.std()))


def test_the_narrow_network_comes_from_a_file_of_this_project(tmp_path: Path) -> None:
    first = CamNet(build_backbone("vgg16_narrow", "none"), 5, 8, dropout=0.5)
    save_file(plain_state(first), tmp_path / "classifier.safetensors")
    second = build_backbone("vgg16_narrow", str(tmp_path / "classifier.safetensors"))
    stored, loaded = first.backbone.body.state_dict(), second.body.state_dict()
    assert stored.keys() == loaded.keys()
    assert all(torch.equal(stored[key], loaded[key]) for key in stored)


def test_random_weights_follow_he() -> None:
    torch.manual_seed(0)
    body = build_backbone("vgg16_narrow", "none").body
    for layer in body:
        if isinstance(layer, nn.Conv2d) and layer.in_channels > 3:
            fan = layer.in_channels * 9
            assert float(layer.weight.detach().std()) == pytest.approx((2 / fan) ** 0.5, rel=0.05)


# --- files that are not what they should be; more of them in test_weights.py --------------------


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.pth is not there"):
        build_backbone("vgg16_narrow", str(tmp_path / "nothing.pth"))


def test_another_architecture_is_refused_and_a_tensor_named(
    checkpoints: dict[str, Path],
) -> None:
    with pytest.raises(UserError, match=r"tensor 'bn1\.bias' is missing"):
        build_backbone("resnet101", str(checkpoints["squeezenet1_0"]))
    with pytest.raises(UserError, match=r"does not hold vgg16_narrow: tensor '1\.bias' is missing"):
        build_backbone("vgg16_narrow", str(checkpoints["vgg16"]))


def test_a_deeper_network_of_the_same_family_is_refused(tmp_path: Path) -> None:
    """ResNet-152 has every tensor of ResNet-101, in the same shapes, and more."""
    with torch.device("meta"):
        deeper = models.resnet152(weights=None).state_dict()
    # One number in place of each tensor's many, or the file would take 240 MB.
    torch.save(
        {key: torch.zeros(()).expand(value.shape) for key, value in deeper.items()},
        tmp_path / "deeper.pth",
    )
    with pytest.raises(
        UserError, match=r"deeper\.pth does not hold resnet101: .*is not one of the"
    ):
        build_backbone("resnet101", str(tmp_path / "deeper.pth"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(9, 9, 3, 3), r"is of another shape, \(9, 9, 3, 3\) and not \(16, 16, 3, 3\)"),
        (torch.full((16, 16, 3, 3), float("nan")), "holds NaN or infinity"),
        (None, "is missing"),
    ],
)
def test_one_bad_tensor_is_named(tmp_path: Path, value: torch.Tensor | None, message: str) -> None:
    state = plain_state(CamNet(build_backbone("vgg16_narrow", "none"), 5, 8, dropout=0.5))
    del state["backbone.body.3.weight"]
    if value is not None:
        state["backbone.body.3.weight"] = value
    save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(UserError, match=rf"odd\.safetensors .*'3\.weight' {message}"):
        build_backbone("vgg16_narrow", str(tmp_path / "odd.safetensors"))


# --- batch norm ---------------------------------------------------------------------------------


def test_batch_norm_stays_frozen_while_training() -> None:
    backbone = build_backbone("vgg16_narrow", "none")
    outer = nn.Sequential(backbone, nn.Dropout(0.5)).train()
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 13
    assert outer[1].training
    assert not any(norm.training for norm in norms)
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    images = torch.randn(2, 3, 16, 16)
    together = backbone(images)
    torch.testing.assert_close(together[:1], backbone(images[:1]))  # images do not mix
    assert all(torch.equal(before[key], value) for key, value in backbone.state_dict().items())
    together.sum().backward()
    assert all(norm.weight.grad is not None for norm in norms)  # scale and shift still learn


def test_batch_norm_learns_while_pretraining() -> None:
    backbone = build_backbone("vgg16_narrow", "none", train_norm=True).train()
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(norm.training for norm in norms)
    backbone(torch.randn(2, 3, 16, 16))
    assert all(float(norm.running_mean.abs().sum()) > 0 for norm in norms)
    assert not any(norm.training for norm in backbone.eval().modules())
