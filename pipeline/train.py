"""Stage train: one network on one variant's labels (§3.3, §3.4, §4.1).

Shape legend: B batch, C classes, H W image, h w grid.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from pipeline.augment import View, normalise
from pipeline.build import build_network
from pipeline.checkpoint import Checkpoints, Learner, key_of
from pipeline.curves import Curves
from pipeline.device import pick_device, seed_everything
from pipeline.distributed import world
from pipeline.engine import fit, logged, prepare, share_of
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
from pipeline.sampling import Batch, BatchPlan, Pair, batches
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
    """Train and write network.safetensors, history.csv and DVCLive's curves into `folder`.

    Args:
        params: all of params.yaml.
        manifest: the data set.
        plan: the variant's streams.
        seed: of weights and batches.
        folder: where everything goes.
        proxies: data/proxy.

    Returns:
        loss over the last logged steps, and val mIoU where it was measured.
    """
    train, classes = params.train, len(manifest.classes)
    steps, decay_step = total_steps(params, len(plan.weak))
    sizes = tuple(train.batch_size // len(plan.streams) for _ in plan.streams)
    streams = stream_pairs(manifest, plan, proxies)
    seed_everything(seed, 3)
    network = build_network(params, plan, classes, start_weights(params))
    losses = branch_losses(network, params, plan, sizes)
    optimiser = paper_adam(network, train)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [decay_step], gamma=0.1)
    learner = Learner(network, optimiser, schedule)
    key = training_key(params, manifest, plan, streams)
    saved = Checkpoints(f"train-{plan.variant}-{seed}", key, learner)
    done, rows = saved.resume()
    counts = [len(stream) for stream in streams]
    order = BatchPlan(counts, sizes, steps, seed, done=done, natural=plan.natural)
    data = random_batches(params, streams, order, classes)

    shown = logged(fit(learner, data, losses), ("loss",), max(1, steps // 100))
    validate_at = {steps * k // train.validations for k in range(1, train.validations + 1)}
    with Curves(folder if world().leads else None, rows) as curves:
        what = f"train: {plan.variant} seed {seed}"
        for step, means in enumerate(track(shown, what, steps - done), start=done + 1):
            curves.log(step, **means)
            if step in validate_at:
                confusion = confusion_of(network, manifest, params.evaluate.batch_size)
                curves.log(step, val_miou=summarise(confusion)["miou"])
                network.train()
            if means:
                saved.offer(step, curves.rows)
        if world().leads:
            save_file(plain_state(network), folder / "network.safetensors")
        saved.clear()
        return curves.last()


def branch_losses(
    network: DualBranchNet, params: Params, plan: Plan, sizes: Sequence[int]
) -> Callable[[Batch], tuple[Tensor, Tensor]]:
    """Make a network ready to train; the loss of a batch whose parts each branch owns (Eq. 3).

    Raises:
        UserError: a part has fewer images than there are processes.

    Returns:
        function from images, masks and the parts' sizes to this process's share of the loss, twice:
        to minimise and to log.
    """
    train, geometry = params.train, network.backbone.geometry
    forward = prepare(network, params.engine, train.batch_size)
    for size in [train.batch_size] if plan.natural else sizes:
        share_of("train.batch_size", size)

    def losses(batch: Batch) -> tuple[Tensor, Tensor]:
        images_B3HW, masks_BHW, own_sizes = batch
        logits_BChw = forward(normalise(images_B3HW), own_sizes)
        logits_BCHW = upsample(logits_BChw, (train.crop, train.crop), geometry)
        loss = segmentation_loss(logits_BCHW, masks_BHW.long(), own_sizes)
        return loss, loss[None]

    return losses


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
    masks = [mask for stream in streams for _, mask in stream]
    return key_of(params, [*start_files(params), manifest.folder / "manifest.csv", *masks], plan)
