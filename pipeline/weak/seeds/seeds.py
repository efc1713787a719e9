"""Stage seeds: train the classification network on tags, write seeds for every training image."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pipeline.base.errors import UserError
from pipeline.batches.augment import View, normalise
from pipeline.data.manifest import Manifest
from pipeline.data.seeds import CLASSIFIER, UNSEEDED
from pipeline.devices.device import pick_device, seed_everything
from pipeline.devices.distributed import total_array, world
from pipeline.engine.forward import prepare, share_of
from pipeline.engine.learner import Learner
from pipeline.engine.log import Log, Rows, mean_of_last, write_history
from pipeline.engine.loop import Task, fit
from pipeline.engine.optim import caffe_optimiser, caffe_schedule, steps_of
from pipeline.networks.backbone import build_backbone
from pipeline.networks.stored import start_files, store_network
from pipeline.runs.checkpoint import Checkpoints
from pipeline.runs.monitor import counted_in_steps
from pipeline.runs.resume import resumable_folder, walk
from pipeline.runs.work_key import Key, key_of
from pipeline.settings.params import Cam, Params
from pipeline.settings.paths import resolve_user_path
from pipeline.weak.seeds.cam import (
    CamNet,
    activation_maps,
    background_from_saliency,
    cam_sides,
    place_seeds,
    scores_and_saliency,
)
from pipeline.weak.seeds.tag_precision import write_tag_precision
from pipeline.weak.seeds.tagged import Tagged, TaggedImages

ROWS = 50  # of the log in a whole training; up to twice as many in a short one


def make_seeds(params: Params, manifest: Manifest, folder: Path) -> dict[str, float]:
    """Train, place seeds; write classifier.safetensors, seeds.npy, tags.csv and history.csv.

    seeds.npy is (N, h, w) bytes, one entry for each strong and weak row in manifest order.
    A run that was stopped resumes where it was, training or placing.

    Returns:
        share of pixels seeded (percent) and the classifier's accuracy over its last batches.
    """
    refuse_untagged(params, manifest)
    seed_everything(params.seed, 1)
    start = [] if params.backbone_weights == "classifier" else start_files(params)
    key = key_of("seeds", params, [*start, manifest.folder / "manifest.csv"])
    with resumable_folder(folder, "seeds", key) as part:
        network, rows = train_classifier(params, manifest, key)
        seeds_Nhw, scores_NC = seed_all(network, params.cam, manifest, part.with_name("placing"))
        if world().leads:
            store_network(network, part / CLASSIFIER)
            write_history(part / "history.csv", rows)
            np.save(part / "seeds.npy", seeds_Nhw)
            write_tag_precision(part / "tags.csv", manifest, scores_NC)
    seeded = 100.0 * float((seeds_Nhw != UNSEEDED).mean())
    return {"seeded": seeded, "tag_accuracy": mean_of_last(rows, 5)["tag_accuracy"]}


def refuse_untagged(params: Params, manifest: Manifest) -> None:
    """Refuse, before hours of work, a data set in which DSRG could make no proxy.

    Raises:
        UserError: no image without a mask has tags, and no mask is to be hidden.
    """
    tagged = any(not row.mask or row.split == "weak" for row in manifest.tagged())
    if "dsrg" in params.proxy.generators and not tagged and params.split.strong is None:
        raise UserError(
            "no image without a mask has tags, so generator dsrg can make no proxies: tag some "
            "images, or do without tags: -S 'proxy.generators=[self]'"
        )


def train_classifier(params: Params, manifest: Manifest, key: Key) -> tuple[CamNet, Rows]:
    """The classification network, trained on the sigmoid cross entropy of each class's tag."""
    cam, tagged = params.cam, manifest.tagged()
    steps = steps_of(cam.optimiser, len(tagged))
    course = counted_in_steps("seeds: classify", cam.optimiser, steps, params)
    start = params.backbone_weights if params.backbone_weights != "classifier" else "none"
    block, learn_norm = params.backbone_block, start == "none"
    backbone = build_backbone(params.backbone, start, train_norm=learn_norm, block=block)
    network = CamNet(backbone, len(manifest.classes), cam.width, cam.dropout)
    losses = tag_losses(network, params)
    optimiser = caffe_optimiser(network, cam.optimiser)
    log = Log(course.what, ("loss", "tag_accuracy"), every=max(1, course.steps // ROWS))
    learner = Learner(network, optimiser, caffe_schedule(optimiser, cam.optimiser, steps), log)
    view = View(cam.image_size, cam.scale_min, cam.scale_max)
    images = TaggedImages(manifest, tagged, cam.image_size, view=view)

    def batches_after(done: int) -> Iterator[Tagged]:
        size, workers = cam.optimiser.batch_size, params.machine.workers
        return images.batches(size, steps, params.seed, done, workers)

    fit(Task(course, batches_after, losses), learner, Checkpoints("seeds", key, learner))
    return network.eval(), log.rows


def tag_losses(network: CamNet, params: Params) -> Callable[[Tagged], tuple[Tensor, Tensor]]:
    """Make a network ready to train; a batch's loss over the tags of the object classes.

    Returns:
        function from images and tags to this process's share of the loss to minimise, and of that
        and the percentage of tags that are right to log.
    """
    device, batch_size = pick_device(), params.cam.optimiser.batch_size
    forward = prepare(network, params.engine, batch_size)
    share = share_of("cam.optimiser.batch_size", batch_size) / batch_size

    def losses(batch: Tagged) -> tuple[Tensor, Tensor]:
        target_BC = batch.tags[:, 1:].float().to(device)
        scores_BC = forward(normalise(batch.images.to(device)))
        loss = share * F.binary_cross_entropy_with_logits(scores_BC, target_BC)
        right = share * 100 * ((scores_BC > 0) == (target_BC > 0)).float().mean()
        return loss, torch.stack([loss, right])

    return losses


def seed_all(
    network: CamNet, cam: Cam, manifest: Manifest, resume: Path | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Seeds (N, h, w) and scores (N, C-1) of every tagged image; each process those of its share.

    What was placed is saved in `resume` now and then, if given, for a run that is stopped.
    """
    device = pick_device()
    rows = manifest.tagged()
    images = TaggedImages(manifest, rows, cam.image_size)
    sides = [cam.image_size, *cam_sides(cam)]
    grid = -(-cam.image_size // network.backbone.geometry.stride)
    seeds_Nhw = np.zeros((len(rows), grid, grid), dtype=np.uint8)
    scores_NC = np.zeros((len(rows), len(manifest.classes) - 1), dtype=np.float32)
    size = cam.optimiser.batch_size
    firsts = world().share(range(0, len(rows), size))
    arrays: dict[str, NDArray[Any]] = {"seeds": seeds_Nhw, "scores": scores_NC}
    for first in walk(firsts, resume, arrays, "seeds: place"):
        part = range(first, min(first + size, len(rows)))
        base, *batches = (normalise(batch.to(device)) for batch in images.at_sides(part, sides))
        maps = activation_maps(network, batches, cam.image_size, flip=cam.flip).cpu().numpy()
        scores, saliency = scores_and_saliency(network, base)
        scores_NC[part.start : part.stop] = scores.cpu().numpy()
        for i, maps_Chw, saliency_hw in zip(part, maps, saliency.cpu(), strict=True):
            ground = _background(saliency_hw, cam, rows[i].id)
            seeds_Nhw[i] = place_seeds(maps_Chw, rows[i].known_tags, ground, cam.foreground)
    return total_array(seeds_Nhw), total_array(scores_NC)


def _background(saliency_hw: Tensor, cam: Cam, image_id: str) -> NDArray[np.bool_]:
    """Background seeds, from the user's saliency maps where there are some (DSRG), else SEC's."""
    if cam.saliency is None:
        return background_from_saliency(saliency_hw.numpy(), cam.background)
    path = resolve_user_path(cam.saliency) / f"{image_id}.png"
    if not path.exists():
        raise UserError(f"cam.saliency: {path} is not there; every training image needs one")
    side = (saliency_hw.shape[1], saliency_hw.shape[0])
    with Image.open(path) as image:
        grey = image.convert("L").resize(side, Image.Resampling.BILINEAR)
    return np.asarray(grey, dtype=np.float32) / 255.0 < cam.saliency_below
