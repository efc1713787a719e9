"""Tags that are worth a second look: a classifier that has not seen them expects others.

About half of what such lists show is wrong (Northcutt 2021), so nothing is corrected by itself.

Shape legend: N images, K object classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.base.errors import UserError
from pipeline.base.progress import track
from pipeline.batches.augment import normalise
from pipeline.data.manifest import Manifest, Row
from pipeline.datasets.folder.stratify import draw_folds
from pipeline.devices.device import pick_device, seed_everything
from pipeline.networks.stored import start_files
from pipeline.runs.resume import resumable_folder
from pipeline.runs.work_key import key_of
from pipeline.settings.params import Params
from pipeline.settings.paths import DATA
from pipeline.weak.seeds.cam import CamNet
from pipeline.weak.seeds.seeds import train_classifier
from pipeline.weak.seeds.tagged import TaggedImages

REVIEW = DATA / "review"
UNLIKELY = 0.5
LEAST = 10  # images with a class; with fewer its tags are not looked at
SCORES = "probabilities.npy"

Table = NDArray[np.float64]


class Doubt(NamedTuple):
    """A tag to look at again.

    Attributes:
        id: of the image.
        label: class index.
        missing: whether the tag is not there and may be lacking; else it is there and may be wrong.
        probability: of the class, by a classifier that has not seen the image's tags.
        quality: how well tag and probability fit, from 0 to 1.
    """

    id: str
    label: int
    missing: bool
    probability: float
    quality: float


def review(params: Params, manifest: Manifest, folds: int) -> tuple[list[Doubt], list[int]]:
    """The tags that are likelier to be wrong than right, the least fitting first; classes left out.

    Trains the classifier of stage seeds once a fold, without that fold's images. A run that was
    stopped resumes.

    Raises:
        UserError: too few images have tags.
    """
    need_cleanlab()
    rows = manifest.tagged()
    if len(rows) < folds:
        raise UserError(f"--folds: {folds} folds need as many images with tags; {len(rows)} have")
    fold_of = draw_folds({row.id: row.known_tags for row in rows}, folds, params.seed)
    likely_NK = np.zeros((len(rows), len(manifest.classes) - 1))
    for fold in range(folds):
        own = np.array([fold_of[row.id] == fold for row in rows])
        likely_NK[own] = unseen(params, manifest, fold_of, fold, folds)
    tagged_NK = np.array(
        [[label in row.known_tags for label in range(1, len(manifest.classes))] for row in rows]
    )
    enough = np.flatnonzero(tagged_NK.sum(axis=0) >= LEAST)
    few = [int(label) + 1 for label in range(tagged_NK.shape[1]) if label not in enough]
    if not len(enough):
        return [], few
    found = worth_a_look([row.id for row in rows], tagged_NK[:, enough], likely_NK[:, enough])
    return [doubt._replace(label=int(enough[doubt.label]) + 1) for doubt in found], few


def unseen(
    params: Params, manifest: Manifest, fold_of: Mapping[str, int], fold: int, folds: int
) -> Table:
    """Probabilities (n, K) of the images of a fold, by a classifier of the others."""
    key = key_of(
        "seeds",
        params,
        [*start_files(params), manifest.folder / "manifest.csv"],
        fold=fold,
        folds=folds,
    )
    path = REVIEW / key.digits
    if not path.exists():
        seed_everything(params.seed, 1)
        others = [row for row in manifest.rows if fold_of.get(row.id) != fold]
        with resumable_folder(path, "seeds", key) as part:
            network, _ = train_classifier(params, replace(manifest, rows=tuple(others)), key)
            rows = [row for row in manifest.tagged() if fold_of[row.id] == fold]
            np.save(part / SCORES, probabilities(network, params, manifest, rows))
    found: Table = np.load(path / SCORES)
    return found


def probabilities(
    network: CamNet, params: Params, manifest: Manifest, rows: Sequence[Row]
) -> Table:
    """The classifier's probabilities of the object classes, (n, K)."""
    images, side = TaggedImages(manifest, list(rows), params.cam.image_size), params.cam.image_size
    found_nK = np.zeros((len(rows), len(manifest.classes) - 1))
    for place in track(range(len(rows)), "look at photographs"):
        (image_13HW,) = images.at_sides(range(place, place + 1), [side])
        with torch.inference_mode():
            scores_1K = network(normalise(image_13HW.to(pick_device())))
        found_nK[place] = scores_1K[0].double().sigmoid().cpu().numpy()
    return found_nK


def need_cleanlab() -> None:
    """Refuse before hours of work.

    Raises:
        UserError: cleanlab is not installed.
    """
    if find_spec("cleanlab") is None:
        raise UserError("this needs the package cleanlab: pip install --editable '.[review]'")


def worth_a_look(ids: Sequence[str], tagged_NK: NDArray[np.bool_], likely_NK: Table) -> list[Doubt]:
    """The tags of which the contrary is likelier, each class by itself, the least fitting first.

    How well a tag fits is cleanlab's label quality.
    """
    from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class

    labels = [list(map(int, np.flatnonzero(tagged_K))) for tagged_K in tagged_NK]
    quality_NK = get_label_quality_scores_per_class(labels, likely_NK)
    found = [
        Doubt(
            ids[place],
            int(label),
            not tagged_NK[place, label],
            float(likely_NK[place, label]),
            float(quality_NK[place, label]),
        )
        for place, label in zip(*np.nonzero(quality_NK < UNLIKELY), strict=True)
    ]
    return sorted(found, key=lambda doubt: (doubt.quality, doubt.id, doubt.label))
