"""Stage train: one network on one variant's labels (§3.3, §3.4, §4.1)."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import cast

import torch

from pipeline.augment import View
from pipeline.build import build_network
from pipeline.checkpoint import Checkpoints, Learner
from pipeline.device import pick_device, seed_everything
from pipeline.distributed import shared_folder, world
from pipeline.ema import Average
from pipeline.engine import train_steps
from pipeline.evaluate import confusion_of
from pipeline.forward import prepare
from pipeline.history import has, last_values, log, write_history
from pipeline.keys import Key, key_of
from pipeline.manifest import Manifest
from pipeline.metrics import summarise
from pipeline.monitor import Course
from pipeline.network import DualBranchNet
from pipeline.optim import paper_adam
from pipeline.params import Params
from pipeline.paths import PROXY
from pipeline.plan import Plan, stream_pairs
from pipeline.refresh import refresh_proxies
from pipeline.sampling import Batch, BatchPlan, Pair, batches
from pipeline.start import start_files, start_weights, store_network
from pipeline.teaching import branch_losses, part_sizes


def total_steps(params: Params, weak_images: int) -> tuple[int, int]:
    """Steps of a run and the step after which the rates fall, the same for every variant.

    An epoch is one pass of the dual batch's weak half over the weak list (§3.3).
    """
    train = params.train
    steps = train.iterations or train.epochs * epoch_steps(params, weak_images)
    return steps, round(steps * train.decay_epoch / train.epochs)


def epoch_steps(params: Params, weak_images: int) -> int:
    """Steps of an epoch."""
    return -(-weak_images // (params.train.batch_size // 2))


def train_network(
    params: Params,
    manifest: Manifest,
    plan: Plan,
    seed: int,
    folder: Path,
    proxies: Path = PROXY,
) -> dict[str, float]:
    """Train one network; `folder` gets network.safetensors and history.csv.

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
    seed_everything(seed, 3)
    streams = stream_pairs(manifest, plan, proxies)
    with shared_folder(folder) as part:
        network = build_network(params, plan, len(manifest.classes), start_weights(params))
        forward = prepare(network, params.engine, params.train.batch_size)
        key = training_key(params, manifest, plan, streams)
        saved = Checkpoints(f"train-{plan.variant}-{seed}", key, learner_of(network, params, plan))
        losses, names = branch_losses(
            forward, cast(DualBranchNet, saved.learner.scored), params, plan
        )
        course = course_of(params, plan, seed)
        trained = train_steps(
            saved,
            batches_left(params, manifest, plan, streams, seed, saved),
            losses,
            lambda step: names_of(params, plan, streams, seed, step),
            names=names,
            every=max(1, course.steps // 100),
            course=course,
        )
        follow(trained, saved, manifest, params, course.steps)
        if world().leads:
            store_network(saved.learner.scored, part / "network.safetensors")
            write_history(part / "history.csv", saved.rows)
    saved.clear()  # not before everything is in its place
    return last_values(saved.rows)


def course_of(params: Params, plan: Plan, seed: int) -> Course:
    """How long the training of a variant is; `train.iterations` leaves no epochs to count."""
    steps, _ = total_steps(params, len(plan.weak))
    return Course(
        f"train: {plan.variant} seed {seed}",
        steps=steps,
        images=params.train.batch_size,
        epoch=None if params.train.iterations else epoch_steps(params, len(plan.weak)),
        tensorboard=params.engine.tensorboard,
    )


def learner_of(network: DualBranchNet, params: Params, plan: Plan) -> Learner:
    """A prepared network with its optimiser, its rates and, where planned, its average."""
    optimiser = paper_adam(network, params.train)
    _, decay_step = total_steps(params, len(plan.weak))
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [decay_step], gamma=0.1)
    decay = plan.extras.ema_decay
    return Learner(network, optimiser, schedule, Average(network, decay) if decay else None)


def follow(
    trained: Iterator[tuple[int, dict[str, float]]],
    saved: Checkpoints,
    manifest: Manifest,
    params: Params,
    steps: int,
) -> None:
    """Run a training to its end, log it, and score val on the way.

    Val is looked at when the step before it is saved: a training that is stopped meanwhile looks
    again and learns nothing twice.
    """
    looks = params.train.validations
    validate_at = {steps * k // looks for k in range(1, looks + 1)} - {0}
    scored = cast(DualBranchNet, saved.learner.scored)
    for step, means in chain([(saved.done, {})], trained):
        log(saved.rows, step, **means)
        if step in validate_at and not has(saved.rows, step, "val_miou"):
            if step > saved.done:
                saved.save(step)
            confusion = confusion_of(scored, manifest, params.evaluate.batch_size)
            log(saved.rows, step, val_miou=summarise(confusion)["miou"])
            saved.learner.network.train()
    saved.save(steps)


def batches_left(
    params: Params,
    manifest: Manifest,
    plan: Plan,
    streams: Sequence[Sequence[Pair]],
    seed: int,
    saved: Checkpoints,
) -> Iterator[Batch]:
    """This process's shares of the batches that are left; on the way the proxies are made anew.

    They are made when the first batch that wants them is asked for, from the network as it is
    then, and kept beside the checkpoints: a training that goes on after it finds them there.
    """
    steps, _ = total_steps(params, len(plan.weak))
    done, share = saved.done, plan.extras.refresh_at
    turn = steps if share is None else round(steps * share)

    def between(first: int, last: int, streams: Sequence[Sequence[Pair]]) -> Iterator[Batch]:
        order = batch_plan(params, plan, streams, seed, first, last)
        return random_batches(params, streams, order, len(manifest.classes))

    if done < turn:
        yield from between(done, turn, streams)
    if turn < steps:
        anew = saved.folder / "proxies"
        if done <= turn:
            saved.save(turn)  # what comes now takes a while
            scored = cast(DualBranchNet, saved.learner.scored)
            refresh_proxies(scored, manifest, plan, params.evaluate.batch_size, anew)
        yield from between(max(done, turn), steps, stream_pairs(manifest, plan, anew))


def batch_plan(
    params: Params,
    plan: Plan,
    streams: Sequence[Sequence[Pair]],
    seed: int,
    first: int,
    last: int,
) -> BatchPlan:
    """Which images make up the batches after step `first` up to `last`."""
    counts, sizes = [len(stream) for stream in streams], part_sizes(params, plan)
    return BatchPlan(counts, sizes, last, seed, done=first, natural=plan.natural)


def names_of(
    params: Params, plan: Plan, streams: Sequence[Sequence[Pair]], seed: int, step: int
) -> list[str]:
    """The ids of this process's images in the batch of a step, counted from 1."""
    (items,) = batch_plan(params, plan, streams, seed, step - 1, step)
    return [streams[item.stream][item.index][0].stem for item in items]


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
) -> Key:
    """What the checkpoints of a training belong to: its params, its plan, its images and masks."""
    masks = [file for stream in streams for pair in stream for file in pair[1:]]
    return key_of(
        params, [*start_files(params), manifest.folder / "manifest.csv", *masks], plan=plan
    )
