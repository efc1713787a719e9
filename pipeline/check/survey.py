"""Counts what is in a folder of photographs, in one pass over all its files."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.data.manifest import IGNORE, ClassList, Row
from pipeline.datasets.folder.divide import Choice, divide
from pipeline.datasets.folder.prepare import find, look
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.manifest_rows import Counts

KNOWN, VAL, TAGGED = "strong", "val", "weak"


@dataclass
class Survey:
    """A folder as the pipeline would read it; `classes` is None if they are not known.

    `pixels_256` counts the pixels of all masks by index; `blank` lists masks without an object,
    `vague` those with half or more ignored. `named` is what says which images validate, if anything
    does; `strong` is how many keep their masks, where not all do.
    """

    root: Path
    kind: str
    classes: ClassList | None
    left_out: list[str]
    rows: list[Row] = field(default_factory=list)
    pixels_256: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    blank: list[str] = field(default_factory=list)
    vague: list[str] = field(default_factory=list)
    problems: dict[str, list[str]] = field(default_factory=dict)
    warnings: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    converted: Counter[str] = field(default_factory=Counter)
    named: str = ""
    strong: int | None = None

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

    @cached_property
    def images(self) -> dict[str, Counter[int]]:
        """How many images there are, by split and by the classes they have."""
        counts: dict[str, Counter[int]] = {}
        for row in self.rows:
            counts.setdefault(row.split, Counter()).update(row.tags or ())
        return counts

    def holding(self, split: str, index: int) -> int:
        """How many images of a split have a class."""
        return self.images.get(split, Counter())[index]

    def counted(
        self, seen: Iterable[tuple[Row, Counts | None]]
    ) -> Iterator[tuple[Row, Counts | None]]:
        """Pass images on, and count the pixels of each index in their masks."""
        for row, counts_256 in seen:
            if counts_256 is not None:
                self.pixels_256 += counts_256
                if not counts_256[1:IGNORE].any():
                    self.blank.append(row.id)
                if counts_256[IGNORE] * 2 >= counts_256.sum():
                    self.vague.append(row.id)
            yield row, counts_256


def survey(root: Path, choice: Choice, folder: Path) -> Survey:
    """Read every file of a folder as stage download would, but go on after each problem.

    Args:
        root: the user's folder; nothing is written there.
        choice: how the masked images are divided.
        folder: gets masks/, with the masks that were not class indices.
    """
    findings = Findings()
    found = find(folder, root, findings)
    known = found.annotations
    made = Survey(root, known.kind, known.classes, found.left_out)
    made.named, made.strong = found.named, choice.strong
    seen = made.counted(look(found, folder, root, findings))
    made.rows = divide(seen, found.named, choice, findings, known.corrected)
    made.problems, made.warnings = findings.problems, findings.warnings
    made.converted = findings.converted
    return made
