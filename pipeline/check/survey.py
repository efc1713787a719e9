"""Counts what is in a folder of photographs, in one pass over all its files."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data.manifest import IGNORE, ClassList, Row
from pipeline.datasets.folder.prepare import find, look
from pipeline.datasets.reading.findings import Findings

KNOWN, VAL, TAGGED = "strong", "val", "weak"


@dataclass
class Survey:
    """A folder as the pipeline would read it; `classes` is None if they are not known.

    `images` counts images by split and by the classes they have, `pixels_256` the pixels of all
    masks by index; `blank` lists masks without an object, `vague` those with half or more ignored.
    """

    root: Path
    kind: str
    classes: ClassList | None
    left_out: list[str]
    rows: list[Row] = field(default_factory=list)
    images: dict[str, Counter[int]] = field(default_factory=dict)
    pixels_256: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    blank: list[str] = field(default_factory=list)
    vague: list[str] = field(default_factory=list)
    problems: dict[str, list[str]] = field(default_factory=dict)
    warnings: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    converted: Counter[str] = field(default_factory=Counter)

    @property
    def conversions(self) -> dict[str, int]:
        """How often something was read otherwise than it stands in its file, by kind."""
        care = Counter(kind for row in self.rows for kind in row.care)
        return dict(sorted((self.converted + care).items()))

    @property
    def usable(self) -> bool:
        """Whether the pipeline would accept it."""
        return not self.problems

    def of(self, split: str) -> list[Row]:
        """The images of a split; `TAGGED` are those whose tags are known."""
        return [row for row in self.rows if row.split == split and row.tags is not None]

    @property
    def bare(self) -> list[Row]:
        """The images of which neither a mask nor tags are known."""
        return [row for row in self.rows if row.tags is None]

    def holding(self, split: str, index: int) -> int:
        """How many images of a split have a class."""
        return self.images.get(split, Counter())[index]

    def count(self, row: Row, counts_256: NDArray[np.int64] | None) -> None:
        """Count one image, and the pixels of each index in its mask."""
        self.rows.append(row)
        self.images.setdefault(row.split, Counter()).update(row.tags or ())
        if counts_256 is None:
            return
        self.pixels_256 += counts_256
        if not counts_256[1:IGNORE].any():
            self.blank.append(row.id)
        if counts_256[IGNORE] * 2 >= counts_256.sum():
            self.vague.append(row.id)


def survey(root: Path, share: float, seed: int, folder: Path) -> Survey:
    """Read every file of a folder as stage download would, but go on after each problem.

    Args:
        root: the user's folder; nothing is written there.
        share: of masked images for validation, if there is no val.txt.
        seed: for drawing them.
        folder: gets masks/, with the masks that were not class indices.
    """
    findings = Findings()
    found = find(folder, root, share, seed, findings)
    known = found.annotations
    made = Survey(root, known.kind, known.classes, found.left_out)
    for row, counts_256 in look(found, folder, root, findings):
        made.count(row, counts_256)
    made.problems, made.warnings = findings.problems, findings.warnings
    made.converted = findings.converted
    return made
