"""The strong-weak dual-branch network (§3.2, Fig. 3) and the way its grid is laid on the image.

Shape legend: B batch, C classes, K channels, H W image, h w grid.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipeline.networks.backbone import Backbone, he_init

TOTAL_CONVOLUTIONS = 3  # neck and branch together, §3.2


def convolutions(count: int, channels: int, width: int, dilation: int) -> nn.Sequential:
    """`count` 3x3 convolutions with ReLU, the first from `channels` to `width`."""
    layers: list[nn.Module] = []
    for _ in range(count):
        layers += [
            nn.Conv2d(channels, width, 3, padding=dilation, dilation=dilation),
            nn.ReLU(inplace=True),
        ]
        channels = width
    return nn.Sequential(*layers)


class DualBranchNet(nn.Module):
    """Backbone, shared neck, and one branch for each kind of annotation.

    "The total number of convolution layers in the neck and subsequent branch is fixed" (§3.2):
    `neck_n` of the three are shared, each branch has the other 3 - neck_n and a 1x1 classifier.
    Branch 0 is the one kept for inference; with `branches=1` this is the single-branch network.
    """

    def __init__(
        self,
        backbone: Backbone,
        classes: int,
        *,
        branches: int = 2,
        neck_n: int = 0,
        width: int = 512,
        dilation: int = 4,
    ) -> None:
        """Build neck and branches on `backbone`, He-initialised.

        Raises:
            ValueError: `neck_n` is not in 0..3.
        """
        super().__init__()
        if not 0 <= neck_n <= TOTAL_CONVOLUTIONS:
            raise ValueError(f"neck_n must be in 0..{TOTAL_CONVOLUTIONS}, not {neck_n}")
        self.backbone = backbone
        channels = backbone.geometry.channels
        self.neck = convolutions(neck_n, channels, width, dilation)
        self.branches = nn.ModuleList()
        for _ in range(branches):
            branch = convolutions(
                TOTAL_CONVOLUTIONS - neck_n, width if neck_n else channels, width, dilation
            )
            classifier = nn.Conv2d(width, classes, 1)
            branch.apply(he_init)
            # Small first logits: the loss starts at log C whatever the width.
            nn.init.normal_(classifier.weight, std=0.01)
            nn.init.zeros_(classifier.bias)  # type: ignore[arg-type]
            self.branches.append(branch.append(classifier))
        self.neck.apply(he_init)

    def forward(self, images_B3HW: Tensor, sizes: Sequence[int] | None = None) -> Tensor:
        """Logits on the grid; while training, of a batch whose parts belong to branch 0, 1, ...

        The paper runs every branch on all images and drops the half without annotations (Fig. 5);
        its gradients are those of sending through each branch only the part that counts, as here.

        Args:
            images_B3HW: the strong images, then the weak ones.
            sizes: how many images each branch owns, in order; sums to B. None: all go through
                branch 0, the strong one, as at inference.

        Returns:
            tensor with shape (B, C, h, w), in the order of the images.
        """
        features_BKhw = self.neck(self.backbone(images_B3HW))
        if sizes is None:
            logits_BChw: Tensor = self.branches[0](features_BKhw)
            return logits_BChw
        # Each branch gets only its own images: half of the work, the same gradients.
        parts = torch.split(features_BKhw, list(sizes))
        return torch.cat([branch(part) for branch, part in zip(self.branches, parts, strict=True)])
