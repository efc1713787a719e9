"""What photographs with masks are for, once these are read: training, validation, or folds."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.data.manifest import IGNORE, Row
from pipeline.datasets.folder.stratify import draw_folds, draw_val
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.manifest_rows import NEEDED, Counts, need_splits
from pipeline.settings.needs import needed_by
from pipeline.settings.params import Params

WITHOUT_FOLDS = "-S download.folder.folds=null leaves folds out"
NO_WEAK = f"the data set has no weak images: it needs {NEEDED['weak']}"


@dataclass(frozen=True)
class Choice:
    """What params.yaml says of it.

    Attributes:
        share: of the masked images, for validation if nothing says which are.
        seed: of what is drawn.
        folds: how many folds are scored in turn; None: val images are.
        strong: how many images keep their masks; None: all that have one.
        tags: whether a classifier learns the tags.
    """

    share: float
    seed: int
    folds: int | None = None
    strong: int | None = None
    tags: bool = True


def choice_of(params: Params) -> Choice:
    """The choice that params.yaml makes."""
    folder, tags = params.download.folder, bool(needed_by(params)["seeds"])
    return Choice(folder.val_share, params.seed, folder.folds, params.split.strong, tags)


def divide(
    seen: Iterable[tuple[Row, Counts | None]],
    named: str,
    choice: Choice,
    findings: Findings,
    corrected: frozenset[str] = frozenset(),
) -> list[Row]:
    """The rows with their split and fold.

    With `choice.folds` every masked image gets a fold and none validates. Else, where nothing says
    which images validate, some of the masked ones are drawn. Both draws are stratified by the
    classes in the masks and do not depend on the order of the images.

    Args:
        seen: all images, masked ones as strong or val, with the pixels of each index in the mask.
        named: what says which images validate; empty: nothing does.
        choice: what params.yaml says.
        findings: gets what is found; with problems in it nothing is drawn.
        corrected: ids that are not drawn but train, where there are others: so scores before and
            after a correction are of one list.

    Problems: folds although something says which images validate; fewer masks than folds; no
    image of a split that training needs; no object in any mask to train on. Some tools write
    objects as 255, which is ignore here.
    """
    rows, objects = list[Row](), dict[str, tuple[int, ...]]()
    for row, counts_256 in seen:
        rows.append(row)
        if counts_256 is not None and row.split == "strong":
            objects[row.id] = tuple(map(int, np.flatnonzero(counts_256[1:IGNORE]) + 1))
    drawn_from = {key: found for key, found in objects.items() if key not in corrected} or objects
    if choice.folds is not None:
        _check_folds(len(drawn_from), named, choice.folds, findings)
    if not findings and choice.folds is not None:
        fold = draw_folds(drawn_from, choice.folds, choice.seed)
        rows = [replace(row, fold=fold.get(row.id)) for row in rows]
    elif not findings and not named:
        val = draw_val(drawn_from, choice.share, choice.seed)
        rows = [replace(row, split="val") if row.id in val else row for row in rows]
    if not findings:
        _check_splits(rows, choice, findings)
    training = (objects[row.id] for row in rows if row.split == "strong" and row.id in objects)
    if not findings and not any(training):
        findings.add(
            "no mask of a training image contains an object; pixel values must be class indices: "
            "0 for the first class in classes.txt, 1 for the next, 255 to ignore"
        )
    return rows


def _check_folds(masks: int, named: str, folds: int, findings: Findings) -> None:
    """Add what stands against folds to the findings."""
    if named:
        findings.add(
            f"download.folder.folds is {folds}, so every mask is scored in its fold, but {named} "
            f"decides which images validate: remove that, or {WITHOUT_FOLDS}"
        )
    elif not findings and masks < folds:
        findings.add(
            f"download.folder.folds is {folds}, but only {masks} images have masks: each fold "
            f"needs one; {WITHOUT_FOLDS}"
        )


def _check_splits(rows: Sequence[Row], choice: Choice, findings: Findings) -> None:
    """Add the splits that training needs and that are empty to the findings.

    Images with masks can stand in for those with tags alone: `split.strong` hides their masks.
    """
    with findings.gathered():
        need_splits(rows, ("strong",) if choice.folds else ("strong", "val"))
    counts = Counter(row.split for row in rows)
    masks, kept = counts["strong"], choice.strong
    untagged = not any(row.tags for row in rows if row.split == "weak")
    if choice.folds and choice.tags and counts["weak"] and untagged:
        findings.add(
            f"download.folder.folds is {choice.folds}, so the classifier learns from images "
            f"without masks alone, and none has tags: tag some in tags.csv; {WITHOUT_FOLDS}"
        )
    if findings or counts["weak"] or (kept is not None and kept < masks):
        return
    findings.add(NO_WEAK + (hide_some(masks, choice.folds) if masks > 1 else ""))


def hide_some(masks: int, folds: int | None) -> str:
    """The way out for a folder in which every training image has a mask.

    >>> hide_some(6, None)[:60]
    '. Where every image has a mask, -S split.strong=3 keeps 3 of'
    """
    also = "" if folds is None else " -S download.folder.folds=null"
    return (
        f". Where every image has a mask, -S split.strong={masks // 2}{also} keeps {masks // 2} of "
        f"the {masks} training masks; the others are hidden from training and measure the proxies"
    )
