"""Seeded region growing, against a loop of scipy.ndimage.label."""

from collections.abc import Iterator

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from benchmarks.inputs import BATCH, CLASSES, GRID, probabilities, scenes
from benchmarks.timing import Row, in_turns
from pipeline.data.images import tag_vector, tags_of_mask
from pipeline.data.seeds import UNSEEDED
from pipeline.weak.dsrg.growing import grow

EIGHT = np.ones((3, 3), dtype=int)


def scipy_grow(seeds_hw: np.ndarray, p_Chw: np.ndarray, classes: list[int]) -> np.ndarray:
    """One image as in DSRG's released layer: label each class, keep components with a seed."""
    tagged = p_Chw[classes]
    best = np.array(classes, dtype=np.uint8)[tagged.argmax(axis=0)]
    passing = tagged.max(axis=0) > np.where(best == 0, 0.99, 0.85)
    labels = np.where(passing, best, seeds_hw)
    grown = seeds_hw.copy()
    for c in classes:
        marks, count = ndimage.label(labels == c, EIGHT)
        held = np.zeros(count + 1, dtype=bool)
        held[marks[(seeds_hw == c) & (labels == c)]] = True
        held[0] = False
        grown[held[marks] & (seeds_hw == UNSEEDED)] = c
    return grown


def batch() -> tuple[Tensor, Tensor, list[list[int]]]:
    """Seeds, probabilities and tags of twenty scenes."""
    _, masks = scenes(BATCH, 8 * GRID, 8 * GRID)
    masks = masks[:, ::8, ::8]
    p = probabilities(masks, CLASSES, sharpness=14.0)
    generator = torch.Generator().manual_seed(0)
    chosen = torch.rand(masks.shape, generator=generator) < 0.1
    seeds = torch.where(chosen, masks, UNSEEDED)
    return seeds, p, [[0, *tags_of_mask(mask.numpy())] for mask in masks]


def rows() -> Iterator[Row]:
    """The loop over all 21 classes, over the tags alone as DSRG has it, and a GPU's budget."""
    seeds, p, tags = batch()
    tags_BC = torch.from_numpy(np.stack([tag_vector(t[1:], CLASSES) for t in tags]))

    def loop(lists: list[list[int]]) -> np.ndarray:
        parts = zip(seeds.numpy(), p.numpy(), lists, strict=True)
        return np.stack([scipy_grow(*part) for part in parts])

    def row(device: str, ours: float, name: str, peer: float, target: float) -> Row:
        equal = np.array_equal(grow(*placed[device]).cpu().numpy(), loop(tags))
        note = "equal results" if equal else "RESULTS DIFFER"
        what = f"growing, 41x41, 21 classes, batch of 20, {device}"
        return Row(what, name, 1000 * ours, 1000 * peer, "ms a batch", target, note)

    everything = [list(range(CLASSES))] * BATCH
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    placed = {d: (seeds.to(d), p.to(d), tags_BC.to(d)) for d in devices}
    ours = [lambda parts=parts: grow(*parts) for parts in placed.values()]
    cost = in_turns(lambda: loop(everything), lambda: loop(tags), *ours, rounds=9)
    label = "scipy.ndimage.label for each image and"
    yield row("cpu", cost[2], f"{label} class", cost[0], 10.0)
    yield row("cpu", cost[2], f"{label} tag, which gives the same", cost[1], 0.0)
    if len(devices) > 1:
        yield row("cuda", cost[3], "budget", 1e-3, 1.0)
