"""The network of a plan, as params.yaml shapes it."""

from pipeline.data.plan import ALL_SHARED, Plan
from pipeline.networks.backbone import build_backbone
from pipeline.settings.params import Params
from pipeline.train.network import DualBranchNet


def build_network(params: Params, plan: Plan, classes: int, weights: str) -> DualBranchNet:
    """The network of a plan; with one branch all three convolutions are its neck."""
    return _build(params, classes, weights, len(plan.streams), plan.neck_n)


def build_single(params: Params, classes: int, weights: str) -> DualBranchNet:
    """The network of a variant with one branch, such as stage teacher trains."""
    return _build(params, classes, weights, 1, ALL_SHARED)


def _build(params: Params, classes: int, weights: str, branches: int, neck_n: int) -> DualBranchNet:
    return DualBranchNet(
        build_backbone(params.backbone, weights, block=params.backbone_block),
        classes,
        branches=branches,
        neck_n=neck_n,
        width=params.train.neck_width,
        dilation=params.train.neck_dilation,
    )
