"""The dual-branch network against the paper's own scheme, and grids against linear ramps."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.data.manifest import IGNORE
from pipeline.networks.backbone import Backbone
from pipeline.networks.grid import Geometry, downsample, upsample
from pipeline.train.losses import segmentation_loss
from pipeline.train.network import DualBranchNet

CORNER = Geometry(6, 8, corner=True, saliency="0")
CENTRE = Geometry(6, 8, corner=False, saliency="0")
CLASSES = 4
SIZES = (2, 3)


def tiny_backbone() -> Backbone:
    """Two convolutions of stride 2: geometry matters to no test of the network itself."""
    body = nn.Sequential(
        nn.Conv2d(3, 5, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(5, 6, 3, 2, 1), nn.ReLU()
    )
    return Backbone(body, Geometry(6, 4, corner=True, saliency="0"))


def tiny_net(neck_n: int, branches: int = 2) -> DualBranchNet:
    torch.manual_seed(0)
    return DualBranchNet(
        tiny_backbone(), CLASSES, branches=branches, neck_n=neck_n, width=7, dilation=2
    )


def tiny_batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(sum(SIZES), 3, 16, 16, generator=generator, dtype=torch.float64)
    target = torch.randint(0, CLASSES, (sum(SIZES), 4, 4), generator=generator)
    target[0, :2] = target[3, :, 3] = IGNORE
    return images, target


def spatial(module: nn.Module) -> list[nn.Conv2d]:
    """The 3x3 convolutions of a module, its 1x1 classifier not counted."""
    return [m for m in module.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]


# --- §3.2 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("neck_n", range(4))
@pytest.mark.parametrize("branches", [1, 2])
def test_every_image_passes_three_convolutions_and_a_classifier(neck_n: int, branches: int) -> None:
    net = tiny_net(neck_n, branches)
    assert len(net.branches) == branches
    assert len(spatial(net.neck)) == neck_n
    for branch in net.branches:
        path = [*spatial(net.neck), *spatial(branch)]
        assert len(path) == 3
        assert [conv.in_channels for conv in path] == [6, 7, 7]
        assert all(conv.dilation == conv.padding == (2, 2) for conv in path)
        assert branch[-1].kernel_size == (1, 1)
        assert branch[-1].out_channels == CLASSES
    assert net(torch.zeros(1, 3, 16, 20)).shape == (1, CLASSES, 4, 5)


@pytest.mark.parametrize("neck_n", [-1, 4])
def test_neck_n_outside_its_range(neck_n: int) -> None:
    with pytest.raises(ValueError, match=rf"0\.\.3, not {neck_n}"):
        tiny_net(neck_n)


def test_branches_have_their_own_weights_and_share_the_rest() -> None:
    for neck_n in range(4):
        net = tiny_net(neck_n)
        strong, weak = (set(branch.parameters()) for branch in net.branches)
        assert not strong & weak
        shared = set(net.neck.parameters()) | set(net.backbone.parameters())
        assert strong | weak | shared == set(net.parameters())
        single = sum(p.numel() for p in tiny_net(neck_n, branches=1).parameters())
        assert single == sum(p.numel() for p in strong | shared)


# --- Fig. 5 -------------------------------------------------------------------------------------


def paper_forward(net: DualBranchNet, images: Tensor) -> Tensor:
    """Fig. 5 word by word: all images through both branches, halves dropped, rest joined."""
    features = net.neck(net.backbone(images))
    strong, weak = net.branches[0](features), net.branches[1](features)
    return torch.cat([strong[: SIZES[0]], weak[SIZES[0] :]])


def gradients(net: DualBranchNet) -> dict[str, Tensor]:
    found = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
    net.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize("neck_n", range(4))
def test_gradients_are_those_of_the_papers_scheme(neck_n: int) -> None:
    net, (images, target) = tiny_net(neck_n).double(), tiny_batch()
    logits = net(images, SIZES)
    segmentation_loss(logits, target, SIZES).backward()
    ours = gradients(net)
    theirs_logits = paper_forward(net, images)
    torch.testing.assert_close(logits, theirs_logits)
    strong = F.cross_entropy(theirs_logits[: SIZES[0]], target[: SIZES[0]], ignore_index=IGNORE)
    weak = F.cross_entropy(theirs_logits[SIZES[0] :], target[SIZES[0] :], ignore_index=IGNORE)
    (strong + weak).backward()
    theirs = gradients(net)
    assert set(ours) == set(theirs) == {name for name, _ in net.named_parameters()}
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, theirs[name], rtol=1e-10, atol=1e-12, msg=name)


@pytest.mark.parametrize("neck_n", range(4))
@pytest.mark.parametrize("half", [0, 1])
def test_a_branch_learns_from_its_own_images_only(neck_n: int, half: int) -> None:
    net, (images, _) = tiny_net(neck_n), tiny_batch()
    parts = net(images.float(), SIZES).split(SIZES)
    parts[half].square().sum().backward()
    for index, branch in enumerate(net.branches):
        reached = [p.grad is not None and bool(p.grad.any()) for p in branch.parameters()]
        assert all(reached) if index == half else not any(reached)
    assert all(p.grad is not None for p in net.backbone.parameters())


def test_inference_is_the_strong_branch() -> None:
    net, (images, _) = tiny_net(1).eval(), tiny_batch()
    images = images.float()
    halves = net(images, SIZES)
    torch.testing.assert_close(net(images)[: SIZES[0]], halves[: SIZES[0]])
    torch.testing.assert_close(net(images, (0, 5))[SIZES[0] :], halves[SIZES[0] :])
    single = tiny_net(3, branches=1)
    torch.testing.assert_close(single(images), single(images, (5,)))


def test_halves_that_do_not_fit_are_refused() -> None:
    images = torch.zeros(5, 3, 16, 16)
    with pytest.raises(RuntimeError, match="split"):
        tiny_net(1)(images, (2, 2))
    with pytest.raises(ValueError, match="zip"):
        tiny_net(1)(images, (5,))


# --- the grid on the image ----------------------------------------------------------------------


def grid_size(size: tuple[int, int], stride: int = 8) -> tuple[int, int]:
    return -(-size[0] // stride), -(-size[1] // stride)


def pixel_coordinates(size: tuple[int, int]) -> Tensor:
    """Row and column of every pixel, and a plane of zeros: (1, 3, H, W)."""
    rows, columns = torch.meshgrid(*(torch.arange(n).double() for n in size), indexing="ij")
    return torch.stack([rows, columns, torch.zeros(size)])[None]


@pytest.mark.parametrize("size", [(321, 321), (321, 241), (41, 9)])
def test_corner_grid_of_8k_plus_1(size: tuple[int, int]) -> None:
    image = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    small = downsample(image, grid_size(size), CORNER)
    assert torch.equal(small, image[..., ::8, ::8])
    logits = torch.randn(2, CLASSES, *grid_size(size))
    expected = F.interpolate(logits, size, mode="bilinear", align_corners=True)
    torch.testing.assert_close(upsample(logits, size, CORNER), expected)


@pytest.mark.parametrize("size", [(328, 328), (64, 40)])
def test_centre_grid_of_8k(size: tuple[int, int]) -> None:
    image = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    small = downsample(image, grid_size(size), CENTRE)
    assert torch.equal(small, image[..., 3::8, 3::8])
    logits = torch.randn(2, CLASSES, *grid_size(size))
    expected = F.interpolate(logits, size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsample(logits, size, CENTRE), expected)


@pytest.mark.parametrize("geometry", [CORNER, CENTRE], ids=["corner", "centre"])
@pytest.mark.parametrize("size", [(321, 328), (64, 65), (47, 83), (9, 130)])
def test_a_ramp_of_coordinates_comes_back(geometry: Geometry, size: tuple[int, int]) -> None:
    """Whatever the size, every pixel between grid points gets its own coordinates back."""
    grid = grid_size(size)
    middle = 0.0 if geometry.corner else 3.5
    ramp = 8.0 * pixel_coordinates(grid) + middle
    full = upsample(ramp, size, geometry)
    assert full.shape == (1, 3, *size)
    truth = pixel_coordinates(size)
    for axis in (0, 1):
        least, most = middle, middle + 8 * (grid[axis] - 1)
        expected = truth[0, axis].clamp(least, most)  # beyond the last grid point: repeated
        torch.testing.assert_close(full[0, axis], expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("geometry", [CORNER, CENTRE], ids=["corner", "centre"])
@pytest.mark.parametrize("size", [(321, 328), (64, 65), (47, 83), (3, 130)])
def test_downsample_takes_the_pixel_under_each_grid_point(
    geometry: Geometry, size: tuple[int, int]
) -> None:
    grid = grid_size(size)
    small = downsample(pixel_coordinates(size), grid, geometry)
    assert small.shape == (1, 3, *grid)
    offset = 0 if geometry.corner else 3
    for y in range(grid[0]):
        for x in range(grid[1]):
            expected = [min(8 * y + offset, size[0] - 1), min(8 * x + offset, size[1] - 1), 0]
            assert small[0, :, y, x].tolist() == expected


def test_stride_4_of_the_narrow_backbone() -> None:
    geometry = Geometry(6, 4, corner=False, saliency="0")
    image = torch.arange(64).view(1, 1, 8, 8)
    assert torch.equal(downsample(image, (2, 2), geometry), image[..., 1::4, 1::4])
    ramp = upsample(torch.tensor([1.5, 5.5]).view(1, 1, 1, 2), (4, 8), geometry)
    assert ramp[0, 0, 0].tolist() == [1.5, 1.5, 2.0, 3.0, 4.0, 5.0, 5.5, 5.5]
