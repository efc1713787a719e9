"""The manifest: one row an image, the same for every kind of data set.

`data/dataset/manifest.csv` has the columns id, image, mask, split, tags, width, height, md5, where
needed also truth, proxy, fold (`Row`), and `classes.csv` the columns index, name, red, green, blue.
Paths are relative to the manifest's own folder, or to the user's `data_root` where they start with
`@root/`; so a manifest moves between machines with its repository. Tags are class names joined by
`;`; an empty cell says that the image is known to show none, `?` that its tags are not known. The
md5 is of all files of a row: stages depend on the manifest alone, and it changes when any file it
names does.
"""

import csv
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from pathlib import Path
from sys import intern
from typing import Annotated, Any, TextIO

from pydantic import Field

from pipeline.base.atomic import whole_file
from pipeline.base.errors import UserError, need
from pipeline.settings.params import Block, Params, Positive
from pipeline.settings.paths import DATASET, resolve_user_path

ROOT = "@root/"
SPLITS = ("strong", "weak", "val", "test")
COLUMNS = ("id", "image", "mask", "split", "tags", "width", "height", "md5")
OPTIONAL = ("truth", "proxy", "fold")  # columns that are there if a row has one
UNKNOWN = "?"  # in place of tags
READING = "reading.json"
IGNORE = 255  # border or unlabelled: in no loss and no score


@dataclass(frozen=True, slots=True)
class Row:
    """One image.

    Attributes:
        image, mask: files of width x height pixels; `mask` is empty where there is none.
        tags: indices of the object classes in it; None: not known.
        truth: the mask at the photograph's own size, where download scaled it and scores count.
        proxy: a proxy mask that another tool made, where there is one.
        fold: of a strong image, which of the folds that are held out and scored in turn it belongs
            to, from 0; None: to none.
        care: what reading the image took, such as "turned by EXIF"; it is for the summary of stage
            download and not in the file.
    """

    id: str
    image: str
    mask: str
    split: str
    tags: tuple[int, ...] | None
    width: int
    height: int
    md5: str = ""
    truth: str = ""
    proxy: str = ""
    fold: int | None = None
    care: tuple[str, ...] = field(default=(), compare=False)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, as `read_image` compares them."""
        return self.width, self.height

    @property
    def known_tags(self) -> tuple[int, ...]:
        """The tags of an image whose tags are known, which alone may ask (`Manifest.tagged`)."""
        assert self.tags is not None, f"the tags of {self.id!r} are not known"
        return self.tags


@dataclass(frozen=True)
class ClassList:
    """Class names, background first, and the colour each has in palette PNGs."""

    names: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]

    def __len__(self) -> int:
        """Count the classes, background included."""
        return len(self.names)


@dataclass(frozen=True)
class Manifest:
    """All images of a data set, its classes, and where their files are."""

    rows: tuple[Row, ...]
    classes: ClassList
    folder: Path
    data_root: Path

    def path(self, relative: str) -> Path:
        """Full path of an `image` or `mask` entry."""
        if relative.startswith(ROOT):
            return self.data_root / relative[len(ROOT) :]
        return self.folder / relative

    def of(self, *splits: str) -> list[Row]:
        """Rows of the given splits, in the manifest's order."""
        return [row for row in self.rows if row.split in splits]

    def truth_path(self, row: Row) -> Path:
        """The mask that scores count, which has the photograph's own size."""
        return self.path(row.truth or row.mask)

    def train(self) -> list[Row]:
        """Rows anything may be trained on: strong and weak."""
        return self.of("strong", "weak")

    def tagged(self) -> list[Row]:
        """Those with known tags that are in no fold: all that the classifier and DSRG may see."""
        return [row for row in self.train() if row.tags is not None and row.fold is None]

    @property
    def fold_sizes(self) -> tuple[int, ...]:
        """How many images each fold has; empty where there are no folds."""
        counts = Counter(row.fold for row in self.rows if row.fold is not None)
        return tuple(counts[fold] for fold in range(max(counts, default=-1) + 1))

    def held_out(self, seed: int) -> list[Row]:
        """Rows that the training with this seed must not see; it is scored on them.

        Those of fold `seed` modulo the number of folds; none where there are no folds.
        """
        folds = len(self.fold_sizes)
        return [row for row in self.rows if row.fold is not None and row.fold == seed % folds]

    def scored(self, seed: int | None = None) -> list[Row]:
        """All rows that a score counts: val rows with a mask or, where there are folds, theirs.

        Args:
            seed: of one training, which is scored on its own fold; None: the rows of all folds.
        """
        if not self.fold_sizes:
            return [row for row in self.of("val") if row.mask]
        if seed is not None:
            return self.held_out(seed)
        return [row for row in self.rows if row.fold is not None]


def voc_palette(count: int) -> tuple[tuple[int, int, int], ...]:
    """The PASCAL VOC colour map: bits of the index spread over the high bits of R, G, B.

    >>> voc_palette(3)
    ((0, 0, 0), (128, 0, 0), (0, 128, 0))
    """
    colours = []
    for index in range(count):
        rgb = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                rgb[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
        colours.append((rgb[0], rgb[1], rgb[2]))
    return tuple(colours)


def is_unprinted(character: str) -> bool:
    """Whether a character ends a line or has no place in text: controls, halves of surrogates."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def make_classes(names: Sequence[str]) -> ClassList:
    """Class list with VOC colours.

    Raises:
        UserError: fewer than two classes, more than 255, an empty, a repeated or an odd name.
    """
    if not 2 <= len(names) <= IGNORE:
        raise UserError(f"a data set needs 2 to 255 classes with background, found {len(names)}")
    for name in names:
        if not name.strip() or ";" in name:
            raise UserError(f"class name {name!r} is empty or holds a ';'; rename it")
        if name == UNKNOWN:
            raise UserError(f"class name {name!r} stands for tags that are not known; rename it")
        if any(map(is_unprinted, name)):
            raise UserError(f"class name {name!r} holds a control character; rename it")
    doubles = sorted(name for name, count in Counter(names).items() if count > 1)
    if doubles:
        raise UserError(f"class names are repeated: {', '.join(doubles)}")
    return ClassList(tuple(names), voc_palette(len(names)))


def write_manifest(folder: Path, rows: Iterable[Row], classes: ClassList) -> None:
    """Write manifest.csv and classes.csv into `folder`.

    Raises:
        UserError: an id is repeated or a split is unknown.
    """
    seen: set[str] = set()
    rows = list(rows)
    further = [
        name for name in OPTIONAL if any(getattr(row, name) not in ("", None) for row in rows)
    ]
    with (
        whole_file(folder / "manifest.csv") as part,
        part.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*COLUMNS, *further])
        for row in rows:
            if row.id in seen:
                raise UserError(f"image id {row.id!r} is twice in the data set")
            if row.split not in SPLITS:
                raise UserError(f"image {row.id!r} has the unknown split {row.split!r}")
            seen.add(row.id)
            tags = UNKNOWN
            if row.tags is not None:
                tags = ";".join(classes.names[tag] for tag in row.tags)
            cells = [row.id, row.image, row.mask, row.split, tags, row.width, row.height, row.md5]
            writer.writerow([*cells, *(getattr(row, name) for name in further)])
    with (
        whole_file(folder / "classes.csv") as part,
        part.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("index", "name", "red", "green", "blue"))
        for index, (name, colour) in enumerate(zip(classes.names, classes.colours, strict=True)):
            writer.writerow([index, name, *colour])


def read_classes(folder: Path) -> ClassList:
    """Read classes.csv.

    Raises:
        UserError: the file is not there or is damaged.
    """
    path = need(folder / "classes.csv", "download")
    with _undamaged(path), path.open(newline="", encoding="utf-8") as file:
        entries = list(csv.DictReader(file))
        names = tuple(entry["name"] for entry in entries)
        colours = tuple((int(e["red"]), int(e["green"]), int(e["blue"])) for e in entries)
        if not names:
            raise ValueError("it has no row")
    return ClassList(names, colours)


def read_manifest(folder: Path, data_root: Path) -> Manifest:
    """Read manifest.csv and classes.csv from `folder`.

    Raises:
        UserError: a file is missing or damaged, or a tag is no class.
    """
    classes, path = read_classes(folder), need(folder / "manifest.csv", "download")
    with _undamaged(path), path.open(newline="", encoding="utf-8") as file:
        return Manifest(tuple(read_rows(file, classes)), classes, folder, data_root)


@contextmanager
def _undamaged(path: Path) -> Iterator[None]:
    """Raise what reading a damaged table raises as one error, with the way to write it again."""
    try:
        yield
    except (ValueError, TypeError, KeyError, IndexError, csv.Error, OSError) as error:
        raise UserError(
            f"{path} is damaged ({error}): run `python -m stages.download` to write it again"
        ) from error


def read_rows(file: TextIO, classes: ClassList) -> Iterator[Row]:
    """The rows of an open manifest.csv, one by one.

    Equal splits, tags and sizes are one object in memory: 118,000 rows have few of each.

    Raises:
        UserError: a tag is no class.
    """
    index = {name: number for number, name in enumerate(classes.names)}
    number = cache(int)

    @cache
    def indices(tags: str) -> tuple[int, ...] | None:
        return None if tags == UNKNOWN else tuple(index[name] for name in tags.split(";") if name)

    reader = csv.reader(file)
    header = next(reader, [])
    columns = itemgetter(*map(header.index, COLUMNS))
    further = {name: header.index(name) for name in OPTIONAL if name in header}
    for cells in filter(None, reader):
        name, image, mask, split, tags, width, height, md5 = columns(cells)
        more: dict[str, Any] = {key: cells[place] for key, place in further.items()}
        if "fold" in more:
            more["fold"] = int(more["fold"]) if more["fold"] else None
        if split not in SPLITS:
            raise ValueError(f"image {name!r} has the split {split!r}")
        try:
            known = indices(tags)
        except KeyError as error:
            raise UserError(
                f"{file.name}: image {name!r} has the tag {error.args[0]!r}, "
                "which is not in classes.csv"
            ) from None
        size = number(width), number(height)
        yield Row(name, image, mask, intern(split), known, *size, md5, **more)


class Reading(Block):
    """How photographs became the images that networks are trained on: new ones are read alike.

    Attributes:
        white: the value of 16 bits that became 255; None if no photograph had 16 bits.
        longest_side: pixels that the longer side has at most; None if they were left as they are.
    """

    white: Annotated[int, Field(ge=255, lt=2**16)] | None = None
    longest_side: Positive | None = None


def write_reading(folder: Path, reading: Reading) -> None:
    """Write reading.json, unless photographs are read as they are."""
    if reading != Reading():
        with whole_file(folder / READING) as part:
            text = reading.model_dump_json(exclude_none=True)
            part.write_text(f"{text}\n", "utf-8", newline="\n")


def read_reading(folder: Path) -> Reading:
    """Read reading.json.

    Stages that read images need not depend on it: what follows from it is in manifest.csv. The one
    that keeps the numbers depends on the param.

    Raises:
        UserError: the file is damaged.
    """
    path = folder / READING
    if not path.exists():
        return Reading()
    with _undamaged(path):
        return Reading.model_validate_json(path.read_bytes())


def open_manifest(params: Params) -> Manifest:
    """The manifest that stage download wrote, its `@root/` paths under the user's data_root."""
    return read_manifest(DATASET, resolve_user_path(params.data_root))
