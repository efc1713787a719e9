"""Operations of each stage of a recipe, counted by torch.

python -m benchmarks.operations coco-vgg16

Multiplications and additions of convolutions and matrix products; what else a stage does is no
work for a GPU's matrix units. The images are COCO's (docs/scaling.md).
"""

from collections.abc import Callable, Iterator
from typing import Annotated, NamedTuple

import torch
import typer
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.stage_cost import ROOT
from pipeline.data.plan import make_plan
from pipeline.engine.optim import steps_of
from pipeline.generators.dsrg import multi_scale_logits
from pipeline.networks.backbone import build_backbone
from pipeline.settings.params import Params
from pipeline.settings.params_file import load_params
from pipeline.train.build import build_network
from pipeline.train.train import epoch_steps
from pipeline.weak.dsrg.network import build_dsrg
from pipeline.weak.seeds.cam import CamNet, activation_maps, cam_sides, scores_and_saliency

TRAIN, WEAK, VAL, CLASSES = 118_287, 98_287, 5_000, 81  # of COCO 2017, 20,000 masks kept
SIZE = (480, 640)  # rows and columns of most of its photographs

Recipe = Annotated[str, typer.Argument(help="A file of recipes/, without .yaml.")]


class Work(NamedTuple):
    """How many images a stage looks at, and the operations of each."""

    stage: str
    images: int
    operations: int


def main(recipe: Recipe = "coco-vgg16") -> None:
    """Print a table: images of each stage, operations of one and of all."""
    typer.echo("| stage | images | 10^9 operations an image | 10^15 in all |\n|---|---:|---:|---:|")
    for stage, images, operations in works(load_params(ROOT / f"recipes/{recipe}.yaml")):
        each, total = operations / 1e9, images * operations / 1e15
        typer.echo(f"| {stage} | {images:,} | {each:.0f} | {total:.0f} |")


def works(params: Params) -> Iterator[Work]:
    """Each stage's work; of train and evaluate that of one network with two branches."""
    cam, dsrg, train = params.cam, params.dsrg, params.train
    block = params.backbone_block
    backbone = build_backbone(params.backbone, "none", block=block)
    classifier = CamNet(backbone, CLASSES, cam.width, cam.dropout)
    square = torch.zeros(1, 3, cam.image_size, cam.image_size)
    learnt = steps_of(cam.optimiser, TRAIN) * cam.optimiser.batch_size
    yield Work("seeds, training", learnt, trained(lambda: classifier(square)))
    warped = [torch.zeros(1, 3, side, side) for side in cam_sides(cam)]
    yield Work(
        "seeds, placing",
        TRAIN,
        counted(lambda: activation_maps(classifier, warped, cam.image_size, flip=cam.flip))
        + counted(lambda: scores_and_saliency(classifier, square)),
    )

    network = build_dsrg(params, CLASSES, "none")
    square = torch.zeros(1, 3, dsrg.image_size, dsrg.image_size)
    learnt = steps_of(dsrg.optimiser, TRAIN) * dsrg.optimiser.batch_size
    yield Work("dsrg", learnt, trained(lambda: network(square)))
    sides = [round(params.proxy.image_size * scale) for scale in params.proxy.scales]
    scaled = [torch.zeros(3, side, side, dtype=torch.uint8) for side in sides]
    yield Work("proxy", TRAIN, counted(lambda: multi_scale_logits(network, scaled, SIZE)))

    dual = build_network(params, make_plan("dual", params.neck_n, (), ()), CLASSES, "none")
    views, whole = torch.zeros(2, 3, train.crop, train.crop), torch.zeros(1, 3, *SIZE)
    steps = train.epochs * epoch_steps(params, WEAK)
    yield Work("train", steps * train.batch_size, trained(lambda: dual(views, (1, 1))) // 2)
    scored = (train.validations + 1) * VAL
    yield Work("validating and evaluate", scored, counted(lambda: dual.eval()(whole)))


def trained(forward: Callable[[], torch.Tensor]) -> int:
    """Operations of a forward pass and its gradients."""
    return counted(lambda: forward().sum().backward())


def counted(work: Callable[[], object]) -> int:
    """Operations of a function."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


if __name__ == "__main__":
    typer.run(main)
