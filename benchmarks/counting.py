"""The confusion matrix, against torchmetrics and NumPy's bincount."""

from collections.abc import Iterator

import numpy as np
import torch
from torchmetrics.classification import MulticlassJaccardIndex

from benchmarks.inputs import probabilities, scenes
from benchmarks.timing import Row, in_turns
from pipeline.manifest import IGNORE
from pipeline.metrics import confusion_matrix


def bincount(truth: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """What most evaluation scripts of the field do."""
    known = truth != IGNORE
    index = classes * truth[known].astype(int) + prediction[known]
    return np.bincount(index, minlength=classes**2).reshape(classes, classes)


def rows() -> Iterator[Row]:
    """21 and 81 classes, twelve masks of 500 x 375; at last noise, where no two pixels agree."""
    _, truth = scenes(12)
    for classes in (21, 81):
        prediction = probabilities(truth, classes).argmax(dim=1).byte()
        yield from compare("confusion matrix", truth, prediction, classes, 3.0)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 21, truth.shape, generator=generator, dtype=torch.uint8)
    yield from compare("confusion matrix of noise", truth, noise, 21, 1.0)


def compare(
    name: str, truth: torch.Tensor, prediction: torch.Tensor, classes: int, target: float
) -> Iterator[Row]:
    """Rows of one case."""
    pairs = list(zip(truth, prediction, strict=True))
    metric = MulticlassJaccardIndex(classes, ignore_index=IGNORE, average=None)

    def ours() -> np.ndarray:
        total: np.ndarray = np.sum([confusion_matrix(t, p, classes) for t, p in pairs], axis=0)
        return total[:, :classes]

    def numpy() -> np.ndarray:
        total: np.ndarray = np.sum(
            [bincount(t.numpy(), p.numpy(), classes) for t, p in pairs], axis=0
        )
        return total

    def metrics() -> None:
        metric.reset()
        for t, p in pairs:
            metric.update(p, t.long())

    seconds = [1000 * s / len(pairs) for s in in_turns(ours, numpy, metrics)]
    metrics()
    equal = np.array_equal(ours(), numpy()) and np.array_equal(ours(), metric.confmat.numpy())
    note = "equal counts" if equal else "COUNTS DIFFER"
    for peer, seconds_of_peer in (("NumPy bincount", 1), ("torchmetrics", 2)):
        yield Row(
            f"{name}, {classes} classes",
            peer,
            seconds[0],
            seconds[seconds_of_peer],
            unit="ms an image",
            target=target,
            note=note,
        )
