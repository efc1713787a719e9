"""The dense CRF: on the training grid and at full size, against pydensecrf2."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.inputs import BATCH, BIG, CLASSES, GRID, probabilities, scenes
from benchmarks.timing import Row, cores, in_turns, processes
from pipeline.weak.dsrg.crf import CrfWeights
from pipeline.weak.dsrg.lattice import lattice_crf
from pipeline.weak.dsrg.refine import refine

TRAINING = CrfWeights(theta_alpha=80 / 12, theta_gamma=3 / 12)

# Inherited by the peer's processes: energies (C, N), pixels (H, W, 3) and weights of each image.
work: list[tuple[np.ndarray, np.ndarray, CrfWeights]] = []


def pydensecrf(number: int) -> np.ndarray:
    """The peer's labels of one image of `work`."""
    from pydensecrf import densecrf

    energy, pixels, weights = work[number]
    height, width = pixels.shape[:2]
    crf = densecrf.DenseCRF2D(width, height, len(energy))
    crf.setUnaryEnergy(energy)
    crf.addPairwiseGaussian(sxy=weights.theta_gamma, compat=weights.gaussian)
    crf.addPairwiseBilateral(
        sxy=weights.theta_alpha,
        srgb=weights.theta_beta,
        rgbim=pixels,
        compat=weights.bilateral,
    )
    labels: np.ndarray = np.array(crf.inference(weights.iterations)).argmax(axis=0)
    return labels.astype(np.uint8)


def rows() -> Iterator[Row]:
    """Grid and full size: one process per core for the peer, as many threads or a GPU for ours."""
    yield grid_row(torch.device("cpu"), 1.0)
    yield full_row(torch.device("cpu"), 1.0)
    if torch.cuda.is_available():
        yield grid_row(torch.device("cuda"), 100.0)
        yield full_row(torch.device("cuda"), 30.0)


def grid_row(device: torch.device, target: float) -> Row:
    """A batch of DSRG's training: 41 x 41, 21 classes, energies -p."""
    images, masks = scenes(BATCH, 8 * GRID, 8 * GRID)
    small = F.interpolate(images.float(), size=(GRID, GRID), mode="area").round()
    p = probabilities(masks[:, ::8, ::8], CLASSES, sharpness=8.0)
    load(-p, small, TRAINING)
    p, small = p.to(device), small.to(device)
    name = f"CRF, 41x41, 21 classes, batch of 20, {device.type}"
    return compare(name, lambda: refine(p, small, TRAINING, exact=False).argmax(dim=1), target)


def full_row(device: torch.device, target: float) -> Row:
    """Proxy masks: 500 x 375, background and three tags, energies -log p."""
    images, masks = scenes(4, *BIG)
    p = probabilities(masks, 9)[:, [0, 1, 4, 7]]
    energies = -(p / p.sum(dim=1, keepdim=True)).clamp(min=1e-5).log()
    load(energies, images.float(), CrfWeights())

    placed = energies.to(device), images.float().to(device)

    def ours() -> torch.Tensor:
        pairs = zip(*placed, strict=True)
        labels = [lattice_crf(u[None], i[None], CrfWeights())[0].argmax(dim=0) for u, i in pairs]
        return torch.stack(labels)

    return compare(f"CRF, 500x375, 4 classes, {device.type}", ours, target)


def load(energies: torch.Tensor, images: torch.Tensor, weights: CrfWeights) -> None:
    """Store the images in the peer's layout before its processes start."""
    work.clear()
    for energy, image in zip(energies, images, strict=True):
        pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy().astype(np.uint8))
        work.append((np.ascontiguousarray(energy.flatten(1).numpy()), pixels, weights))


def compare(name: str, ours: Callable[[], torch.Tensor], target: float) -> Row:
    """Ours against the peer on `work`: equal labels, and milliseconds per image."""
    with processes() as pool:

        def peer() -> list[np.ndarray]:
            return list(pool.map(pydensecrf, range(len(work))))

        agreement = float((ours().flatten(1).cpu().numpy() == np.stack(peer())).mean())
        ms, peer_ms = (1000 * s / len(work) for s in in_turns(ours, peer))
    note = f"labels agree in {100 * agreement:.2f} %"
    return Row(
        name, f"pydensecrf2 on {cores()} processes", ms, peer_ms, "ms an image", target, note
    )
