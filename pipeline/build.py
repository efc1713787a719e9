"""The network of a plan, as params.yaml shapes it."""

from pipeline.backbones import build_backbone
from pipeline.network import DualBranchNet
from pipeline.params import Params
from pipeline.plan import Plan


def build_network(params: Params, plan: Plan, classes: int, weights: str) -> DualBranchNet:
    """The network of a plan; with one branch all three convolutions are its neck."""
    return DualBranchNet(
        build_backbone(params.backbone, weights),
        classes,
        branches=len(plan.streams),
        neck_n=plan.neck_n,
        width=params.train.neck_width,
        dilation=params.train.neck_dilation,
    )
