"""Where grid points lie, measured: what the project's backbones say, and grids that are neither."""

import pytest
import torch
from torch import Tensor, nn

from pipeline.networks.probe import find_corner, find_middle, stand_ins
from pipeline.settings.registry import BACKBONES

NAMES = [name for name in BACKBONES.names() if name not in ("timm", "resnet101")]


@pytest.mark.parametrize("name", NAMES)
def test_the_projects_backbones_are_found_as_they_say(name: str) -> None:
    body, geometry = BACKBONES.load(name).build()
    assert find_corner(body, geometry.stride) == geometry.corner


def strided(*paddings: int) -> nn.Sequential:
    """3x3 convolutions with stride 2; padded before the side by so much, by two pixels in all."""
    layers: list[nn.Module] = []
    for at, before in enumerate(paddings):
        layers += [nn.ZeroPad2d((before, 2 - before) * 2), nn.Conv2d(3 if at == 0 else 8, 8, 3, 2)]
    return nn.Sequential(*layers)


def test_points_on_other_pixels_are_refused_with_their_place() -> None:
    assert find_corner(strided(1, 1, 1), 8)
    with pytest.raises(ValueError, match=r"lie 0\.88, .* strides from the corners"):
        find_corner(strided(0, 0, 0), 8)


def test_padding_that_depends_on_the_side_is_refused() -> None:
    """As TensorFlow pads: a point is at the corner for 8k + 1 pixels, at a block's end for 8k."""

    class Same(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convs = nn.ModuleList(nn.Conv2d(3, 3, 3, 2) for _ in range(3))

        def forward(self, values: Tensor) -> Tensor:
            for conv in self.convs:
                h, w = (side % 2 for side in values.shape[-2:])
                values = conv(nn.functional.pad(values, (w, 1, h, 1)))
            return values

    with pytest.raises(ValueError, match=r"grid points lie 0\.00, 0\.88, 0\.00, 0\.88 strides"):
        find_corner(Same(), 8)


def test_another_number_of_points_is_refused() -> None:
    with pytest.raises(ValueError, match="its grid for 40x41 px is 5x5"):
        find_corner(nn.Conv2d(3, 4, 8, stride=8), 8)


def test_weights_and_mode_are_as_before() -> None:
    body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.MaxPool2d(2)).train()
    image, before = torch.randn(1, 3, 8, 8), [p.clone() for p in body.parameters()]
    wanted = body.eval()(image)
    body.train()
    with stand_ins(body):
        assert not body.training
        assert not torch.equal(body(image), wanted)
    assert body.training
    assert all(torch.equal(a, b) for a, b in zip(before, body.parameters(), strict=True))
    assert torch.equal(body.eval()(image), wanted)


def test_the_middle_block_is_one_that_the_features_follow_from() -> None:
    block = [nn.Sequential(nn.Conv2d(4, 4, 3, padding=1)) for _ in range(5)]
    net = nn.Sequential(nn.Conv2d(3, 4, 8, 8, padding=4), *block)
    assert find_middle(net, net, 8) == (4, "3", "grid")
