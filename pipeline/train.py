"""Stage train: one network on one variant's labels (§3.3, §3.4, §4.1).

Shape legend: B batch, C classes, H W image, h w grid.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

from pipeline.augment import View, normalise
from pipeline.build import build_network
from pipeline.curves import Curves
from pipeline.device import pick_device, seed_everything
from pipeline.evaluate import confusion_of
from pipeline.losses import segmentation_loss
from pipeline.manifest import Manifest
from pipeline.metrics import summarise
from pipeline.network import upsample
from pipeline.optim import paper_adam
from pipeline.params import Params
from pipeline.plan import Plan, stream_pairs
from pipeline.progress import track
from pipeline.sampling import batches
from pipeline.start import plain_state, start_weights


def total_steps(params: Params, weak_images: int) -> tuple[int, int]:
    """Steps of a run and the step after which the rates fall, the same for every variant.

    An epoch is one pass of the dual batch's weak half over the weak list (§3.3).
    """
    train = params.train
    steps = train.iterations or train.epochs * -(-weak_images // (train.batch_size // 2))
    return steps, round(steps * train.decay_epoch / train.epochs)


def train_network(
    params: Params, manifest: Manifest, plan: Plan, seed: int, folder: Path
) -> dict[str, float]:
    """Train and write network.safetensors, history.csv and DVCLive's curves into `folder`.

    Returns:
        loss over the last logged steps, and val mIoU where it was measured.
    """
    train, device, classes = params.train, pick_device(), len(manifest.classes)
    seed_everything(seed, 3)
    network = build_network(params, plan, classes, start_weights(params))
    network = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimiser = paper_adam(network, train)
    steps, decay_step = total_steps(params, len(plan.weak))
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [decay_step], gamma=0.1)
    sizes = tuple(train.batch_size // len(plan.streams) for _ in plan.streams)
    data = batches(
        stream_pairs(manifest, plan),
        sizes,
        steps=steps,
        seed=seed,
        view=View(train.crop, train.scale_min, train.scale_max),
        classes=classes,
        workers=train.workers,
        device=device,
    )
    validate_at = {steps * k // train.validations for k in range(1, train.validations + 1)}
    log_every = max(1, steps // 100)
    loss_sum = torch.zeros((), device=device)
    with Curves(folder) as curves:
        for step, (images_B3HW, masks_BHW) in enumerate(
            track(data, f"train: {plan.variant} seed {seed}", steps), start=1
        ):
            target_BHW = masks_BHW.long()
            logits_BChw = network.forward_halves(normalise(images_B3HW), sizes)
            logits_BCHW = upsample(logits_BChw, (train.crop, train.crop), network.backbone.geometry)
            loss = segmentation_loss(logits_BCHW, target_BHW, sizes)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()

            loss_sum += loss.detach()
            if step % log_every == 0:
                curves.log(step, loss=float(loss_sum) / log_every)
                loss_sum.zero_()
            if step in validate_at:
                confusion = confusion_of(network, manifest, params.evaluate.batch_size)
                curves.log(step, val_miou=summarise(confusion)["miou"])
                network.train()
        save_file(plain_state(network), folder / "network.safetensors")
        return curves.last()
