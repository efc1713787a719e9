"""From a finished run to the photographs that are to be drawn next."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.base.errors import UserError, need
from pipeline.base.progress import track
from pipeline.choosing.order import Rule, choose
from pipeline.choosing.signals import Signals, look
from pipeline.data.manifest import Manifest, Row
from pipeline.datasets.reading.text_files import read_table
from pipeline.model.package import MODEL
from pipeline.model.predict import Model, load_model
from pipeline.report.scored_networks import subject
from pipeline.settings.params import Params
from pipeline.settings.paths import PACKAGES

OTHER = "strong"  # the network that the main one is compared with


class Listed(NamedTuple):
    """What to draw next.

    Attributes:
        chosen: ids, the first first.
        signals: of each of them.
        drawn: how many masks show a class, by class.
    """

    chosen: list[str]
    signals: Mapping[str, Signals]
    drawn: Mapping[int, int]


def choose_next(
    params: Params,
    manifest: Manifest,
    rule: Rule,
    first: Sequence[str],
    count: int,
    specks: float,
) -> Listed:
    """Choose among the images with tags and no mask; `first` come first.

    Raises:
        UserError: a network is missing, or there is no such image.
    """
    rows = candidates(manifest)
    if not rows:
        raise UserError("every photograph with tags has a mask: there is none to draw next")
    masks = Counter(tag for row in manifest.of("strong") for tag in row.known_tags)
    networks, first = read_networks(params), first[:count]
    looked = look_at(manifest, rows.values() if rule.by_doubt else (), networks, specks)
    rest = {key: row.known_tags for key, row in rows.items() if key not in first}
    so_far = masks + Counter(tag for key in first for tag in rows[key].known_tags)
    doubted = {key: looked[key] for key in rest if key in looked}
    chosen = [*first, *choose(rule, rest, so_far, doubted, count - len(first), params.seed)]
    others = [rows[key] for key in chosen if key not in looked]
    looked |= look_at(manifest, others, networks, specks)
    return Listed(chosen, {key: looked[key] for key in chosen}, masks)


def candidates(manifest: Manifest) -> dict[str, Row]:
    """The images with tags and no mask, by id."""
    return {row.id: row for row in manifest.of("weak") if row.tags is not None}


def read_networks(params: Params) -> tuple[Model, Model | None]:
    """The run's main network, and the one trained on masks alone if it is another."""
    main = subject(params.variants)
    found = [
        load_model(need(PACKAGES / name / MODEL, f"package {name}"))
        for name in dict.fromkeys((main, OTHER))
        if name in params.variants
    ]
    return found[0], found[1] if len(found) > 1 else None


def look_at(
    manifest: Manifest, rows: Collection[Row], networks: tuple[Model, Model | None], specks: float
) -> dict[str, Signals]:
    """The signals of images, by id."""
    return {
        row.id: look(*networks, manifest.path(row.image), row.known_tags, specks)
        for row in track(rows, "look at photographs")
    }


def read_marked(path: Path, manifest: Manifest) -> tuple[str, ...]:
    """The ids in a list that the viewer saved, of images with tags and no mask.

    Raises:
        UserError: the file is missing or no such list.
    """
    rows = candidates(manifest)
    listed = [row["id"] for row in read_table(path, ("set", "id"))]
    return tuple(dict.fromkeys(key for key in listed if key in rows))
