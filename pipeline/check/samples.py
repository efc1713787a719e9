"""Some photographs of a folder with their masks over them, chosen by a stated rule."""

from pathlib import Path

import numpy as np

from pipeline.base.errors import UserError
from pipeline.check.survey import TAGGED, Survey
from pipeline.data.images import read_mask
from pipeline.data.manifest import Manifest, Row
from pipeline.report.strips import Strip, StripBuilder, spread_evenly

MASKED, WITHOUT = 8, 4  # images shown


def show_samples(survey: Survey, folder: Path) -> tuple[dict[str, list[Strip]], set[int]]:
    """Photographs, evenly spaced in the order of their names, and the classes in them.

    Args:
        survey: the folder; images whose mask cannot be used are skipped.
        folder: where the masks are that were made from annotations.
    """
    if survey.classes is None:
        return {}, set()
    manifest = Manifest(tuple(survey.rows), survey.classes, folder, survey.root)
    rows = sorted(survey.rows, key=lambda row: row.id)
    parts = {
        "with masks": ([row for row in rows if row.mask], MASKED),
        "with tags only": ([row for row in rows if row.split == TAGGED and not row.mask], WITHOUT),
    }
    used: set[int] = set()
    shown: dict[str, list[Strip]] = {}
    for name, (members, count) in parts.items():
        for place in spread_evenly(len(members), count):
            try:
                strip, indices = _show(manifest, members[place])
            except UserError:  # listed among the problems
                continue
            shown.setdefault(name, []).append(strip)
            used |= indices
    return shown, used


def _show(manifest: Manifest, row: Row) -> tuple[Strip, set[int]]:
    """A photograph with its mask over it and beside it."""
    strip = StripBuilder(manifest.classes, row, manifest.path(row.image))
    if row.mask:
        path = manifest.path(row.mask)
        mask_HW = np.array(read_mask(path, len(manifest.classes), size=row.size))
        strip.add_overlay(mask_HW, "mask over it", f"mask of {row.id} over the photograph")
        strip.add_mask(mask_HW, "mask", f"mask of {row.id}")
    return strip.done()
