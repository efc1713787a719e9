"""Networks of timm: grids, where their points lie, colours, weights, refusals; nothing is asked."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pipeline.backbones import timm as module
from pipeline.base.errors import UserError
from pipeline.batches.augment import MEAN, STD
from pipeline.model.export import TOLERANCE, Exported, check, export
from pipeline.model.model_file import inference_tensors, read_model, write_model
from pipeline.networks.backbone import Backbone, build_backbone
from pipeline.networks.stored import plain_state
from pipeline.settings.params import Timm
from pipeline.weak.seeds.cam import CamNet, scores_and_saliency
from tests.models import small_info, small_network

timm = pytest.importorskip("timm")

# Name, stride, whether grid points are corners: dilated, with TensorFlow's padding, with stages
# left out, a ViT, and one whose channels lie last.
KINDS = [
    ("resnet18", 16, True),
    ("resnet18", 8, True),
    ("tf_mobilenetv3_small_minimal_100", 16, True),
    ("convnext_atto", 16, False),
    ("vgg11", 8, False),
    ("test_vit", 16, False),
    ("swin_tiny_patch4_window7_224", 8, False),
]
SIZES = [(65, 65), (64, 64), (47, 90), (33, 17), (1, 7)]


def chosen(model: str = "test_resnet", stride: int = 16) -> Timm:
    return Timm(model=model, output_stride=stride)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: f"{kind[0]}-{kind[1]}")
def kind(request: pytest.FixtureRequest) -> tuple[Backbone, bool]:
    torch.manual_seed(0)
    model, stride, corner = request.param
    return build_backbone("timm", "none", block=chosen(model, stride)).eval(), corner


# --- the grid -----------------------------------------------------------------------------------


def test_grid_and_saliency_are_the_size_over_the_stride_rounded_up(
    kind: tuple[Backbone, bool],
) -> None:
    backbone, corner = kind
    geometry = backbone.geometry
    assert geometry.corner == corner
    network = CamNet(backbone, 3, 4, dropout=0.0).eval()
    for size in SIZES:
        grid = tuple(-(-side // geometry.stride) for side in size)
        with torch.inference_mode():
            assert backbone(torch.randn(2, 3, *size)).shape == (2, geometry.channels, *grid)
        scores, saliency = scores_and_saliency(network, torch.randn(2, 3, *size))
        assert scores.shape == (2, 2)
        assert saliency.shape == (2, *grid)
        assert min(size) < 30 or float(saliency.max()) > 0


def test_a_mirrored_image_has_mirrored_features(kind: tuple[Backbone, bool]) -> None:
    """With symmetric filters; not so if points lay elsewhere. No measuring of gradients is used."""
    backbone, corner = kind
    if backbone.body.channels_last:
        pytest.skip("what merges patches has no filter to make symmetric")
    for name, value in backbone.named_parameters():
        if value.ndim == 4 and value.shape[-1] > 1:
            value.data.add_(value.data.flip(-1))
        elif name.endswith("pos_embed"):
            value.data.zero_()
    side = 4 * backbone.geometry.stride + corner
    image = torch.randn(1, 3, side, side)
    with torch.inference_mode():
        features = backbone(image)
        mirrored = backbone(image.flip(-1)).flip(-1)
    scale = float(features.std())
    assert scale > 0
    torch.testing.assert_close(mirrored, features, rtol=0, atol=1e-3 * scale)


def test_a_network_trained_on_other_colours_gets_them() -> None:
    body, _ = module.build(chosen("test_vit"))
    own = timm.create_model("test_vit").pretrained_cfg
    assert tuple(own["mean"]) != MEAN
    seen: list[torch.Tensor] = []
    body.net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    colours = torch.rand(1, 3, 32, 32)

    def normal(mean: Any, std: Any) -> torch.Tensor:
        return (colours - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)

    body(normal(MEAN, STD))
    torch.testing.assert_close(seen[0], normal(own["mean"], own["std"]))
    assert not module.build(chosen("test_resnet"))[0].state_dict().keys() & {"factor", "shift"}


def test_batch_norm_stays_frozen() -> None:
    backbone = build_backbone("timm", "none", block=chosen()).train()
    norms = [part for part in backbone.modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)
    learning = build_backbone("timm", "none", train_norm=True, block=chosen()).train()
    assert all(part.training for part in learning.modules())


# --- weights ------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["test_resnet", "test_vit", "convnext_atto"])
def test_every_tensor_comes_from_timms_file(model: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    whole = timm.create_model(model)
    torch.save(whole.state_dict(), tmp_path / "timm.pth")
    backbone = build_backbone("timm", str(tmp_path / "timm.pth"), block=chosen(model))
    theirs = [tensor for tensor in whole.state_dict().values() if tensor.numel() > 9]
    for name, tensor in backbone.body.state_dict().items():
        assert tensor.numel() <= 9 or any(
            tensor.shape == other.shape and torch.equal(tensor, other) for other in theirs
        ), name


def test_a_file_of_this_project_fills_it(tmp_path: Path) -> None:
    first = CamNet(build_backbone("timm", "none", block=chosen()), 5, 8, dropout=0.5)
    save_file(plain_state(first), tmp_path / "classifier.safetensors")
    path = str(tmp_path / "classifier.safetensors")
    second = build_backbone("timm", path, block=chosen()).body.state_dict()
    for name, tensor in first.backbone.body.state_dict().items():
        assert torch.equal(second[name], tensor), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"layer9.0.conv1.weight": torch.zeros(1)},
            "'net.layer9.0.conv1.weight' is not one of the",
        ),
        ({"conv1.0.weight": None}, "'net.conv1.0.weight' is missing"),
        ({"conv1.0.weight": torch.zeros(1)}, "'net.conv1.0.weight' is of another shape"),
    ],
)
def test_another_file_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    state = {**timm.create_model("test_resnet").state_dict(), **change}
    state = {key: value for key, value in state.items() if value is not None}
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(UserError, match=rf"odd\.pth does not hold timm's test_resnet: .*{message}"):
        build_backbone("timm", str(tmp_path / "odd.pth"), block=chosen())


def test_imagenet_takes_timms_own_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    real = timm.create_model

    def pretrained(name: str, pretrained: bool = False, **given: Any) -> nn.Module:
        net = real(name, **given)
        for value in net.parameters() if pretrained else ():
            nn.init.constant_(value, 0.25)
        return net

    monkeypatch.setattr(timm, "create_model", pretrained)
    backbone = build_backbone("timm", "imagenet", block=chosen("test_resnet.r160_in1k"))
    assert all((value == 0.25).all() for value in backbone.parameters())


def test_without_a_network_the_message_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    real = timm.create_model

    def offline(name: str, pretrained: bool = False, **given: Any) -> nn.Module:
        if pretrained:
            raise OSError("cannot reach the hub\nand more")
        return real(name, **given)

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(UserError, match=r"weights of timm's test_resnet cannot be had \(cannot re"):
        build_backbone("timm", "imagenet", block=chosen())


def test_a_network_without_weights_is_refused_early() -> None:
    with pytest.raises(UserError, match="backbone_weights: timm has no weights of resnetblur18"):
        module.check(chosen("resnetblur18"), "imagenet")


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "stride", "message"),
    [
        ("resnet19", 16, r"timm\.model: timm [\d.]+ has no 'resnet19'; near it are resnet18"),
        ("resnet18.mine", 16, "resnet18 has no tag 'mine', but the tags a1_in1k, "),
        ("test_vit", 8, r"timm\.output_stride: test_vit has no features at stride 8, but at 16"),
        ("mixer_s32_224", 32, "mixer_s32_224 has no regular grid .Input height"),
        ("mvitv2_tiny", 16, r"mvitv2_tiny has no regular grid \(its grid points lie"),
    ],
)
def test_what_cannot_serve_is_refused_with_the_reason(
    model: str, stride: int, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        module.check(chosen(model, stride), "none")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(UserError, match=r"needs a package: `pip install --editable '\.\[timm\]'`"):
        module.build(chosen())


# --- model files --------------------------------------------------------------------------------


def test_a_model_file_says_which_network_it_is(tmp_path: Path) -> None:
    info, network = small_info("timm", timm=chosen()), small_network("timm", 2, chosen())
    write_model(tmp_path / "m.safetensors", info, inference_tensors(network.state_dict()))
    read, again = read_model(tmp_path / "m.safetensors")
    assert read == info
    image = torch.randn(1, 3, 40, 33)
    with torch.inference_mode():
        assert torch.equal(again(image), network(image))
    assert "timm" not in small_info().model_dump()
    for wrong in ({"backbone": "timm"}, {"timm": chosen()}):
        with pytest.raises(ValueError, match="go together"):
            small_info(**wrong)


def test_the_exported_module_is_the_network() -> None:
    network = small_network("timm", 1, chosen("test_vit"))
    wrapped = Exported(network)

    def run(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probabilities, mask = wrapped(torch.from_numpy(images))
        return probabilities.numpy(), mask.numpy()

    assert check(network, run, "wrapped") <= 1e-6


@pytest.mark.slow
def test_it_exports(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    network = small_network("timm", 1, chosen())
    worst = export(small_info("timm", timm=chosen()), network, tmp_path, ("onnx",))
    assert worst["model.onnx"] <= TOLERANCE
