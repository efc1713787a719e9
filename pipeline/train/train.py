"""Stage train: one network on one variant's labels (§3.3, §3.4, §4.1)."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from pipeline.batches.augment import View
from pipeline.batches.labelled import Batch, batches
from pipeline.batches.order import BatchPlan
from pipeline.data.folds import without
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import Pair, stream_pairs
from pipeline.data.plan import Plan
from pipeline.devices.device import pick_device, seed_everything
from pipeline.devices.distributed import refuse_idle, shared_folder, world
from pipeline.engine.ema import Average
from pipeline.engine.forward import Forward, precisely, prepare
from pipeline.engine.learner import Learner
from pipeline.engine.log import Log, write_history
from pipeline.engine.loop import Task, fit
from pipeline.engine.optim import paper_adam
from pipeline.networks.stored import start_files, start_weights, store_network
from pipeline.runs.checkpoint import Checkpoints
from pipeline.runs.monitor import Course
from pipeline.runs.work_key import Key, key_of
from pipeline.scoring.metrics import summarise
from pipeline.scoring.score import confusion_of
from pipeline.settings.params import Params
from pipeline.train.batch_losses import consistent_losses, plain_losses
from pipeline.train.build import build_network
from pipeline.train.network import DualBranchNet
from pipeline.train.refresh import refresh_proxies

ROWS = 100  # of the log in a whole training; up to twice as many in a short one


def train_network(
    params: Params,
    manifest: Manifest,
    plan: Plan,
    seed: int,
    folder: Path,
    proxies: Path | None = None,
) -> dict[str, float]:
    """Train one network; `folder` gets network.safetensors and history.csv.

    Args:
        params: all of params.yaml.
        manifest: the data set.
        plan: the variant's streams, less the fold that is held out.
        seed: of weights and batches; where there are folds, it says which.
        folder: where everything goes, in one piece when the training is over.
        proxies: of the generator; by default where stage proxy writes them.

    Returns:
        what was logged last: the loss, the terms of an extra, val mIoU where it was measured.

    Raises:
        UserError: a file is missing or damaged, a part of a batch has fewer images than there are
            processes, or the loss is not finite.
        StoppedError: asked to stop; the same call resumes.
    """
    plan = without(plan, manifest.held_out(seed))
    seed_everything(seed, 3)
    refuse_idle("train.batch_size", smallest_part(params, plan), world().size)
    # Before any work: a proxy or mask that is missing is reported here.
    streams = stream_pairs(manifest, plan, proxies)
    with shared_folder(folder) as part:
        network = build_network(params, plan, len(manifest.classes), start_weights(params))
        forward = prepare(network, params.engine, params.train.batch_size)
        course = course_of(params, plan, seed)
        learner = learner_of(network, params, plan, course)
        scored = cast(DualBranchNet, learner.scored)
        key = training_key(params, manifest, plan, streams)
        saved = Checkpoints(f"train-{plan.variant}-{seed}", key, learner)
        # Beside the checkpoints: a training resumed after the refresh finds them there.
        own_proxies, batch_size = saved.folder / "proxies", params.evaluate.batch_size
        task = Task(
            course,
            partial(
                batches_after,
                params=params,
                manifest=manifest,
                plan=plan,
                seed=seed,
                streams=streams,
                own_proxies=own_proxies,
            ),
            losses_of(params, plan, forward, scored),
            looks=looks_of(params, course.steps),
            score=lambda: summarise(confusion_of(scored, manifest, batch_size, seed=seed))["miou"],
            refresh_after=refresh_step(params, plan),
            refresh=lambda: refresh_proxies(scored, manifest, plan, batch_size, own_proxies),
        )
        fit(task, learner, saved)
        if world().leads:
            store_network(scored, part / "network.safetensors")
            write_history(part / "history.csv", learner.log.rows)
    saved.clear()  # not before everything is in its place
    return learner.log.last()


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


def part_sizes(params: Params, plan: Plan) -> tuple[int, ...]:
    """How many images of a batch each branch owns (§3.3: half and half)."""
    return tuple(params.train.batch_size // len(plan.streams) for _ in plan.streams)


def smallest_part(params: Params, plan: Plan) -> int:
    """The fewest images of a batch that are shared out among processes together."""
    return params.train.batch_size if plan.natural else min(part_sizes(params, plan))


def looks_of(params: Params, steps: int) -> frozenset[int]:
    """The steps after which val is scored: `train.validations`, evenly, the last step included."""
    looks = params.train.validations
    return frozenset(steps * k // looks for k in range(1, looks + 1)) - {0}


def refresh_step(params: Params, plan: Plan) -> int | None:
    """The step after which a variant makes its proxies itself; None: never."""
    steps, _ = total_steps(params, plan.epoch_images)
    share = plan.extras.refresh_at
    return None if share is None else round(steps * share)


def course_of(params: Params, plan: Plan, seed: int) -> Course:
    """How long the training of a variant is; `train.iterations` leaves no epochs to count."""
    steps, _ = total_steps(params, plan.epoch_images)
    return Course(
        f"train: {plan.variant} seed {seed}",
        steps=steps,
        images=params.train.batch_size,
        epoch=None if params.train.iterations else epoch_steps(params, plan.epoch_images),
        tensorboard=params.machine.tensorboard,
    )


def learner_of(network: DualBranchNet, params: Params, plan: Plan, course: Course) -> Learner:
    """A prepared network with its optimiser, its rates, its log and, where planned, its average."""
    optimiser = paper_adam(network, params.train)
    _, decay_step = total_steps(params, plan.epoch_images)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [decay_step], gamma=0.1)
    terms = ["loss", "consistency", "sure"] if plan.extras.consistency_weight else ["loss"]
    log = Log(course.what, terms, every=max(1, course.steps // ROWS))
    decay = plan.extras.ema_decay
    return Learner(network, optimiser, schedule, log, Average(network, decay) if decay else None)


def batches_after(
    done: int,
    *,
    params: Params,
    manifest: Manifest,
    plan: Plan,
    seed: int,
    streams: Sequence[Sequence[Pair]],
    own_proxies: Path,
) -> Iterator[Batch]:
    """This process's shares of the batches after step `done`, up to the refresh or the end.

    Args:
        done: steps done.
        params: all of params.yaml.
        manifest: the data set.
        plan: the variant's.
        seed: of order and views.
        streams: images and masks of each branch, proxies as stage proxy made them.
        own_proxies: those the network made itself, which count from the refresh on.
    """
    train, refresh_after = params.train, refresh_step(params, plan)
    last, _ = total_steps(params, plan.epoch_images)
    # Up to the refresh only: later batches are of other masks, and workers read ahead.
    if refresh_after is not None and done < refresh_after:
        last = refresh_after
    elif refresh_after is not None:
        streams = stream_pairs(manifest, plan, own_proxies)
    counts, sizes = [len(stream) for stream in streams], part_sizes(params, plan)
    yield from batches(
        streams,
        BatchPlan(counts, sizes, last, seed, done=done, natural=plan.natural),
        view=View(train.crop, train.scale_min, train.scale_max),
        classes=len(manifest.classes),
        workers=params.machine.workers,
        device=pick_device(),
    )


def losses_of(
    params: Params, plan: Plan, forward: Forward, scored: DualBranchNet
) -> Callable[[Batch], tuple[Tensor, Tensor]]:
    """The loss of a batch, with consistency where planned, held to the predictions of `scored`."""
    geometry, extras = scored.backbone.geometry, plan.extras
    if extras.consistency_weight is None or extras.consistency_threshold is None:
        return partial(plain_losses, forward=forward, geometry=geometry)
    return partial(
        consistent_losses,
        forward=forward,
        teacher=precisely(scored, params.engine),
        geometry=geometry,
        weight=extras.consistency_weight,
        threshold=extras.consistency_threshold,
    )


def training_key(
    params: Params, manifest: Manifest, plan: Plan, streams: Sequence[Sequence[Pair]]
) -> Key:
    """What the checkpoints of a training belong to: its params, its plan, its images and masks."""
    pairs = [pair for stream in streams for pair in stream]
    masks = [path for pair in pairs for path in (pair.mask, pair.confidence) if path]
    files = [*start_files(params), manifest.folder / "manifest.csv", *masks]
    return key_of("train", params, files, plan=plan)
