"""Stage train: one network on one variant's labels (§3.3, §3.4, §4.1).

Shape legend: B batch, C classes, H W image, h w grid.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import save_file
from torch import Tensor

from pipeline.augment import View, normalise
from pipeline.build import build_network
from pipeline.checkpoint import Checkpoints, Learner, key_of
from pipeline.consistency import consistency_loss, pseudo_labels, strong_copies
from pipeline.curves import Curves
from pipeline.device import pick_device, seed_everything
from pipeline.distributed import shared_folder, world
from pipeline.ema import Average
from pipeline.engine import Forward, fit, logged, precisely, prepare, share_of
from pipeline.evaluate import confusion_of
from pipeline.losses import segmentation_loss
from pipeline.manifest import Manifest
from pipeline.metrics import summarise
from pipeline.network import DualBranchNet, upsample
from pipeline.optim import paper_adam
from pipeline.params import Params
from pipeline.paths import PROXY
from pipeline.plan import Plan, stream_pairs
from pipeline.progress import track
from pipeline.refresh import refresh_proxies
from pipeline.sampling import SURE, Batch, BatchPlan, Pair, batches
from pipeline.start import plain_state, start_files, start_weights


def total_steps(params: Params, weak_images: int) -> tuple[int, int]:
    """Steps of a run and the step after which the rates fall, the same for every variant.

    An epoch is one pass of the dual batch's weak half over the weak list (§3.3).
    """
    train = params.train
    steps = train.iterations or train.epochs * -(-weak_images // (train.batch_size // 2))
    return steps, round(steps * train.decay_epoch / train.epochs)


def train_network(
    params: Params,
    manifest: Manifest,
    plan: Plan,
    seed: int,
    folder: Path,
    proxies: Path = PROXY,
) -> dict[str, float]:
    """Train one network; `folder` gets network.safetensors, history.csv and DVCLive's curves.

    Args:
        params: all of params.yaml.
        manifest: the data set.
        plan: the variant's streams.
        seed: of weights and batches.
        folder: where everything goes, in one piece when the training is over.
        proxies: data/proxy.

    Returns:
        what was logged last: the loss, the terms of an extra, val mIoU where it was measured.
    """
    train = params.train
    steps, decay_step = total_steps(params, len(plan.weak))
    streams = stream_pairs(manifest, plan, proxies)
    seed_everything(seed, 3)
    network = build_network(params, plan, len(manifest.classes), start_weights(params))
    forward = prepare(network, params.engine, train.batch_size)
    optimiser = paper_adam(network, train)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [decay_step], gamma=0.1)
    decay = plan.extras.ema_decay
    learner = Learner(network, optimiser, schedule, Average(network, decay) if decay else None)
    scored = cast(DualBranchNet, learner.scored)
    losses, names = branch_losses(forward, scored, params, plan)
    key = training_key(params, manifest, plan, streams)
    saved = Checkpoints(f"train-{plan.variant}-{seed}", key, learner)
    done, rows = saved.resume()
    data = batches_left(params, manifest, plan, streams, seed, saved, done)

    shown = logged(fit(learner, data, losses), names, max(1, steps // 100))
    validate_at = {steps * k // train.validations for k in range(1, train.validations + 1)}
    with shared_folder(folder) as part, Curves(part if world().leads else None, rows) as curves:
        what = f"train: {plan.variant} seed {seed}"
        for step, means in enumerate(track(shown, what, steps - done), start=done + 1):
            curves.log(step, **means)
            if step in validate_at:
                confusion = confusion_of(scored, manifest, params.evaluate.batch_size)
                curves.log(step, val_miou=summarise(confusion)["miou"])
                network.train()
            if means:
                saved.offer(step, curves.rows)
        if world().leads:
            save_file(plain_state(scored), part / "network.safetensors")
    saved.clear()  # not before everything is in its place
    return curves.last()


def branch_losses(
    forward: Forward, scored: DualBranchNet, params: Params, plan: Plan
) -> tuple[Callable[[Batch], tuple[Tensor, Tensor]], tuple[str, ...]]:
    """The loss of a batch whose parts each branch owns (Eq. 3), and consistency where planned.

    Args:
        forward: the network's forward pass, as `engine.prepare` returns it.
        scored: the network, or its average where there is one: the teacher of consistency.
        params: all of params.yaml.
        plan: the variant's plan.

    Raises:
        UserError: a part has fewer images than there are processes.

    Returns:
        function from a batch to this process's share of the loss and of what is to be logged; and
        the names of the latter.
    """
    crop, geometry = params.train.crop, scored.backbone.geometry
    weight = plan.extras.consistency_weight or 0.0
    threshold = plan.extras.consistency_threshold or 0.0
    for size in [params.train.batch_size] if plan.natural else part_sizes(params, plan):
        share_of("train.batch_size", size)
    teacher = precisely(scored, params.engine)

    def full_size(logits_BChw: Tensor) -> Tensor:
        return upsample(logits_BChw, (crop, crop), geometry)

    def plain(batch: Batch) -> tuple[Tensor, Tensor]:
        logits_BCHW = full_size(forward(normalise(batch.images), batch.sizes))
        loss = taught_loss(logits_BCHW, batch)
        return loss, loss[None]

    def consistent(batch: Batch) -> tuple[Tensor, Tensor]:
        strong, weak = batch.sizes
        views_B3HW, own = batch.images[strong:], (strong + weak, weak)
        with torch.no_grad():
            known_BCHW = full_size(teacher(normalise(views_B3HW)))
        labels_BHW = pseudo_labels(known_BCHW, batch.masks[strong:], threshold)
        copies_B3HW, labels_BHW = strong_copies(views_B3HW, labels_BHW, batch.items[strong:])
        # The copies go through the strong branch, so they stand behind the strong images.
        images_B3HW = torch.cat([batch.images[:strong], copies_B3HW, views_B3HW])
        parts = forward(normalise(images_B3HW), own).split([strong, weak, weak])
        term, sure = consistency_loss(full_size(parts[1]), labels_BHW)
        taught_BCHW = full_size(torch.cat([parts[0], parts[2]]))
        loss = taught_loss(taught_BCHW, batch) + weight * term
        return loss, torch.stack([loss, term, sure])

    return (consistent, ("loss", "consistency", "sure")) if weight else (plain, ("loss",))


def taught_loss(logits_BCHW: Tensor, batch: Batch) -> Tensor:
    """Eq. 3 on a batch's masks, each pixel weighted by its confidence where that counts."""
    weight_BHW = None if batch.sure is None else batch.sure / SURE
    return segmentation_loss(logits_BCHW, batch.masks.long(), batch.sizes, weight_BHW)


def batches_left(
    params: Params,
    manifest: Manifest,
    plan: Plan,
    streams: Sequence[Sequence[Pair]],
    seed: int,
    saved: Checkpoints,
    done: int,
) -> Iterator[Batch]:
    """This process's shares of the batches after `done`; on the way the proxies are made anew.

    They are made when the first batch that wants them is asked for, from the network as it is
    then, and kept beside the checkpoints: a training that goes on after it finds them there.
    """
    steps, _ = total_steps(params, len(plan.weak))
    share = plan.extras.refresh_at
    turn = steps if share is None else round(steps * share)

    def between(first: int, last: int, streams: Sequence[Sequence[Pair]]) -> Iterator[Batch]:
        counts, sizes = [len(stream) for stream in streams], part_sizes(params, plan)
        order = BatchPlan(counts, sizes, last, seed, done=first, natural=plan.natural)
        return random_batches(params, streams, order, len(manifest.classes))

    if done < turn:
        yield from between(done, turn, streams)
    if turn < steps:
        anew = saved.folder / "proxies"
        if done <= turn:
            scored = cast(DualBranchNet, saved.learner.scored)
            refresh_proxies(scored, manifest, plan, params.evaluate.batch_size, anew)
        yield from between(max(done, turn), steps, stream_pairs(manifest, plan, anew))


def part_sizes(params: Params, plan: Plan) -> tuple[int, ...]:
    """How many images of a batch each branch owns."""
    return tuple(params.train.batch_size // len(plan.streams) for _ in plan.streams)


def random_batches(
    params: Params, streams: Sequence[Sequence[Pair]], order: BatchPlan, classes: int
) -> Iterator[Batch]:
    """This process's shares of the batches in `order`."""
    train = params.train
    return batches(
        streams,
        order,
        view=View(train.crop, train.scale_min, train.scale_max),
        classes=classes,
        workers=params.engine.workers,
        device=pick_device(),
    )


def training_key(
    params: Params, manifest: Manifest, plan: Plan, streams: Sequence[Sequence[Pair]]
) -> str:
    """What the checkpoints of a training belong to: its params, its plan, its images and masks."""
    masks = [file for stream in streams for pair in stream for file in pair[1:]]
    return key_of(params, [*start_files(params), manifest.folder / "manifest.csv", *masks], plan)
