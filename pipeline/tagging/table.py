"""tags.csv while somebody tags: read before every change, and written whole after it."""

import csv
import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pipeline.base.atomic import whole_file
from pipeline.datasets.folder.class_names import BACKGROUND, Labels, is_background
from pipeline.datasets.folder.find_files import Photographs
from pipeline.datasets.reading.text_files import read_table

HEADER = ("image", "tags")
Tags = tuple[str, ...] | None  # none of the classes is (); None: nobody has looked


class TagTable:
    """The table of a folder; rows that others write meanwhile are kept."""

    def __init__(self, path: Path, photographs: Photographs, labels: Labels) -> None:
        """Take the file, which may be missing."""
        self.path, self.photographs, self.labels = path, photographs, labels
        self.find = cache(photographs.find)

    def read(self) -> dict[str, Tags]:
        """The tags of each photograph that has a row, by id."""
        found = {self.find(row[0]): tags_of(row[1]) for row in self._rows()}
        return {key: tags for key, tags in found.items() if key is not None}

    def write(self, key: str, tags: Tags) -> None:
        """Set the tags of a photograph; its row stays where it is, a new one comes last.

        Raises:
            UserError: the file is no longer such a table.
            OSError: it cannot be written; then it is as it was.
        """
        rows = self._rows()
        cell = cell_of(tags)
        for row in rows:
            if self.find(row[0]) == key:
                row[1] = cell
                break
        else:
            name = self.photographs.paths[key].name
            rows.append([name if self.find(name) == key else key, cell])
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([HEADER, *rows])
        with whole_file(self.path) as part:
            part.write_text(text.getvalue(), "utf-8")

    def _rows(self) -> list[list[str]]:
        """Image and tags of every row, as they stand there."""
        if not self.path.exists():
            return []
        return [[row["image"].strip(), row["tags"] or ""] for row in read_table(self.path, HEADER)]


def tags_of(cell: str) -> Tags:
    """The tags in a cell.

    >>> tags_of("cat; dog"), tags_of("background"), tags_of("")
    (('cat', 'dog'), (), None)
    """
    named = [name.strip() for name in cell.split(";") if name.strip()]
    return tuple(name for name in named if not is_background(name)) if named else None


def cell_of(tags: Sequence[str] | None) -> str:
    """What stands in the cell.

    >>> cell_of(("cat", "dog")), cell_of(()), cell_of(None)
    ('cat;dog', 'background', '')
    """
    if tags is None:
        return ""
    return ";".join(tags) or BACKGROUND
