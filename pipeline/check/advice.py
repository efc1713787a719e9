"""Warnings before training on a folder that can be used but may disappoint."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pipeline.check.survey import KNOWN, TAGGED, VAL, Survey
from pipeline.datasets.reading.findings import name_some

FEW_MASKS = 5  # of a class: fewer hardly teach its outline
FEW_VAL = 20  # masks: with fewer, one image moves the mean by a point or more
FOLDS, FEW_ALL = 5, 50  # masks in all: with fewer, folds score every one of them
SMALL = 64  # pixels of the shorter side
RARE = 50  # times fewer pixels than the most frequent object class


class Advice(NamedTuple):
    """What was found, and what to do about it."""

    finding: str
    fix: str


def advise(survey: Survey) -> list[Advice]:
    """All warnings, the most serious first."""
    if survey.classes is None or not survey.rows:
        return []
    read = [Advice(f"{w}: {_list(cases)}.", fix) for (w, fix), cases in survey.warnings.items()]
    return [*read, *_of_classes(survey), *_of_masks(survey), *_of_images(survey)]


def _of_classes(survey: Survey) -> Iterator[Advice]:
    """Classes that cannot be learnt well, or at all."""
    assert survey.classes is not None
    names = dict(enumerate(survey.classes.names[1:], start=1))
    masks = {name: survey.holding(KNOWN, i) for i, name in names.items()}
    tags = {name: survey.holding(TAGGED, i) for i, name in names.items()}
    val = {name: survey.holding(VAL, i) for i, name in names.items()}
    nowhere = [n for n in names.values() if not masks[n] + tags[n] + val[n]]
    if nowhere:
        yield Advice(
            f"No image has {_list(nowhere)}.", "Annotate some, or remove the name from classes.txt."
        )
    unmasked = [n for n in names.values() if not masks[n] and n not in nowhere]
    if unmasked:
        yield Advice(
            f"No training mask has {_list(unmasked)}: networks trained on masks never see that.",
            f"Draw {FEW_MASKS} or more masks of each class.",
        )
    few = [f"{n} ({masks[n]})" for n in names.values() if 0 < masks[n] < FEW_MASKS]
    if few:
        yield Advice(f"Fewer than {FEW_MASKS} training masks have {_list(few)}.", "Draw more.")
    untagged = [n for n in names.values() if not tags[n] and n not in nowhere]
    if untagged:
        yield Advice(
            f"No image with tags only has {_list(untagged)}: there the weak branch cannot help.",
            "Tag photographs of it.",
        )
    unseen = [n for n in names.values() if not val[n] and n not in nowhere]
    if unseen:
        yield Advice(
            f"No validation image has {_list(unseen)}: its IoU will say nothing.",
            "Draw two masks of each or more: one to train on, one to validate.",
        )
    yield from _of_pixels(survey, names)


def _of_pixels(survey: Survey, names: dict[int, str]) -> Iterator[Advice]:
    """Classes with hardly a pixel compared to others."""
    pixels = {name: int(survey.pixels_256[index]) for index, name in names.items()}
    most = max(pixels.values())
    rare = [name for name, count in pixels.items() if 0 < count * RARE < most]
    if rare:
        main = max(pixels, key=lambda name: pixels[name])
        yield Advice(
            f"In all masks, {_list(rare)}: less than a {RARE}th of the pixels of {main}.",
            "Draw more masks of it, and look at the IoU of each class, not only at the mean.",
        )


def _of_masks(survey: Survey) -> Iterator[Advice]:
    """Masks that are few or nearly empty."""
    val = len(survey.of(VAL))
    masks = val + len(survey.of(KNOWN))
    drawn = not survey.named and survey.strong is None
    if drawn and FOLDS <= masks < FEW_ALL and survey.of(TAGGED):
        seeds = ",".join(map(str, range(FOLDS)))
        yield Advice(
            f"Images to score on: only {val} of {masks} masks.",
            f"Score every one in {FOLDS} folds, by {FOLDS} trainings: add "
            f"-S download.folder.folds={FOLDS} -S 'seeds=[{seeds}]' to `dvc exp run`.",
        )
    elif 0 < val < FEW_VAL:
        yield Advice(
            f"Images to score on: only {val}. The mean IoU may be off by many points.",
            "Draw more masks before you compare methods.",
        )
    if survey.blank:
        yield Advice(
            f"Masks without any object: {_list(survey.blank)}.",
            "Fine if the photograph shows none; otherwise the mask is not finished.",
        )
    if survey.vague:
        yield Advice(
            f"Masks with half or more of their pixels ignored (255): {_list(survey.vague)}.",
            "Fine if intended; otherwise fill them in.",
        )


def _of_images(survey: Survey) -> Iterator[Advice]:
    """Photographs that are unused, without tags, or small."""
    if survey.left_out:
        yield Advice(
            f"{_count(survey.left_out)} for testing, or in no list, and will not be used: "
            f"{_list(survey.left_out)}.",
            "Fine if intended; otherwise add them to splits/train.txt.",
        )
    bare = [row.id for row in survey.bare]
    if bare:
        yield Advice(
            f"{_count(bare)} neither masked nor tagged: {_list(bare)}.",
            "Generators that learn from tags pass them over: tag them in tags.csv, that takes "
            "minutes.",
        )
    small = [row.id for row in survey.rows if min(row.width, row.height) < SMALL]
    if small:
        yield Advice(
            f"{_count(small)} lower or narrower than {SMALL} pixels: {_list(small)}.",
            "Lower the image sizes in params.yaml, cam.image_size to train.crop.",
        )
    turned = [row.id for row in survey.rows if "turned by EXIF" in row.care]
    if turned:
        yield Advice(
            f"{_count(turned)} turned upright by an EXIF tag: {_list(turned)}.",
            "Check in the samples below that their masks fit.",
        )


def _count(items: Sequence[str]) -> str:
    """A count of images, with its verb."""
    return "1 image is" if len(items) == 1 else f"{len(items)} images are"


def _list(items: Iterable[str]) -> str:
    """Names in a sentence, the first ten of them."""
    return name_some(items)
