"""How long the long stages of a run will take on this machine.

One step of each network is timed on two images of noise; the rest is counting. Reading, CRF and
scores come on top, so what is said is rather too little than too much.

Shape legend: B batch, C classes, H W image, h w grid.
"""

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pipeline.batches.labelled import Batch
from pipeline.data.manifest import Manifest
from pipeline.data.plan import Plan
from pipeline.devices.device import pick_device
from pipeline.engine.forward import prepare
from pipeline.engine.optim import steps_of
from pipeline.networks.backbone import build_backbone
from pipeline.settings.needs import needed_by
from pipeline.settings.params import Params
from pipeline.settings.variants import PROXIES, STRONG
from pipeline.train.batch_losses import plain_losses
from pipeline.train.build import build_network
from pipeline.train.train import total_steps
from pipeline.weak.dsrg.dsrg import growing_losses
from pipeline.weak.dsrg.network import build_dsrg
from pipeline.weak.seeds.cam import CamNet
from pipeline.weak.seeds.seeds import tag_losses
from pipeline.weak.seeds.tagged import Tagged

IMAGES = 2  # of noise, one a branch
STEPS = 4
FORWARD = 1 / 3  # of a training step's time


class Counts(NamedTuple):
    """How many training images have tags, and how many a network on proxies is trained on."""

    tagged: int
    weak: int


def count_images(params: Params, manifest: Manifest) -> Counts:
    """The counts of a data set, before its images are split."""
    train = manifest.train()
    strong = params.split.strong or sum(row.split == "strong" for row in train)
    return Counts(len(manifest.tagged()), len(train) - strong)


def forecast(params: Params, counts: Counts, classes: int) -> dict[str, float]:
    """Seconds of each long stage of a run, all trainings of stage train together."""
    few = in_small_batches(params)
    needed = {stage for stage, users in needed_by(params).items() if users}
    seconds = {}
    if "seeds" in needed:
        cam, each = params.cam, time_cam(few, classes)
        steps = steps_of(cam.optimiser, counts.tagged)
        views = 1 + (1 + cam.flip) * sum(scale**2 for scale in cam.scales)
        seconds["seeds"] = each * (
            steps * cam.optimiser.batch_size + FORWARD * views * counts.tagged
        )
    if "dsrg" in needed:
        each, optimiser = time_dsrg(few, classes), params.dsrg.optimiser
        views = sum(scale**2 for scale in params.proxy.scales)
        seconds["dsrg"] = each * steps_of(optimiser, counts.tagged) * optimiser.batch_size
        seconds["proxy"] = each * FORWARD * views * counts.tagged
    steps, _ = total_steps(params, counts.weak)
    one = time_train(few, classes) * steps * params.train.batch_size
    if "teacher" in needed:
        seconds["teacher"] = one
    seconds["train"] = one * len(params.variants) * len(params.seeds)
    return seconds


def in_small_batches(params: Params) -> Params:
    """The params with batches of as many images as are timed."""
    values = params.model_dump()
    for block in (values["cam"]["optimiser"], values["dsrg"]["optimiser"], values["train"]):
        block["batch_size"] = IMAGES
    return Params.model_validate(values)


def time_cam(params: Params, classes: int) -> float:
    """Seconds that an image takes in a training step of the classification network."""
    cam = params.cam
    backbone = build_backbone(params.backbone, "none", block=params.backbone_block)
    network = CamNet(backbone, classes, cam.width, cam.dropout)
    losses = tag_losses(network, params)
    return seconds_an_image(partial(losses, tagged_noise(cam.image_size, 1, classes)), network)


def time_dsrg(params: Params, classes: int) -> float:
    """Seconds that an image takes in a training step of DSRG's network, growing included."""
    network = build_dsrg(params, classes, "none")
    losses = growing_losses(network, params, classes)
    side = params.dsrg.image_size
    grid = -(-side // network.backbone.geometry.stride)
    return seconds_an_image(partial(losses, tagged_noise(side, grid, classes)), network)


def time_train(params: Params, classes: int) -> float:
    """Seconds that an image takes in a training step of the dual-branch network."""
    train = params.train
    dual = Plan("dual", params.neck_n, (STRONG, PROXIES), strong=(), weak=())
    network = build_network(params, dual, classes, "none")
    forward = prepare(network, params.engine, train.batch_size)
    images_B3HW = noise(256, 3, train.crop, train.crop)
    masks_BHW = noise(classes, train.crop, train.crop)
    batch = Batch(("",) * IMAGES, images_B3HW, masks_BHW, (1,) * IMAGES, (), None)
    geometry = network.backbone.geometry
    step = partial(plain_losses, batch.on(pick_device()), forward=forward, geometry=geometry)
    return seconds_an_image(step, network)


def tagged_noise(side: int, grid: int, classes: int) -> Tagged:
    """Images of noise with every tag, and seeds of every class."""
    tags_BC = torch.ones(IMAGES, classes, dtype=torch.bool)
    seeds_Bhw = noise(classes, grid, grid)
    return Tagged(("",) * IMAGES, noise(256, 3, side, side), tags_BC, seeds_Bhw, seeds_Bhw)


def noise(below: int, *shape: int) -> Tensor:
    """Random bytes (B, *shape), each less than `below`."""
    return torch.randint(below, (IMAGES, *shape), dtype=torch.uint8)


def seconds_an_image(losses: Callable[[], tuple[Tensor, Tensor]], network: nn.Module) -> float:
    """Seconds that an image takes in the fastest of some steps: the first is always slow."""
    network.train()
    seconds = []
    for _ in range(STEPS):
        started = perf_counter()
        loss, _ = losses()
        loss.backward()
        float(loss.detach())  # a GPU is done now
        seconds.append(perf_counter() - started)
    return min(seconds) / IMAGES
