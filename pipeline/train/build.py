"""The network of a plan, as params.yaml shapes it."""

from pipeline.data.plan import Plan
from pipeline.networks.backbone import build_backbone
from pipeline.settings.params import Params
from pipeline.train.network import DualBranchNet


def build_network(params: Params, plan: Plan, classes: int, weights: str) -> DualBranchNet:
    """The network of a plan; with one branch all three convolutions are its neck."""
    return DualBranchNet(
        build_backbone(params.backbone, weights, block=params.backbone_block),
        classes,
        branches=len(plan.streams),
        neck_n=plan.neck_n,
        width=params.train.neck_width,
        dilation=params.train.neck_dilation,
    )
