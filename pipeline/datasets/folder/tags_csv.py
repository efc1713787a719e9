"""tags.csv: the names of the classes in each photograph."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.data.manifest import IGNORE
from pipeline.datasets.folder.class_names import Labels, is_background, near
from pipeline.datasets.folder.find_files import Photographs
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.text_files import read_table

Tags = Mapping[str, tuple[int, ...] | None]


def read_tags(
    path: Path, photographs: Photographs, labels: Labels | None, findings: Findings
) -> Tags:
    """Class indices of every image in the table; empty if there is no tags.csv.

    The tag background alone says that someone looked, and none of the classes is there. An empty
    cell says that no one has looked yet: None.

    Problems: wrong columns, an image that is unknown or has two rows, an unknown tag.
    """
    table: list[dict[str | None, str]] = []
    with findings.gathered():
        table = read_table(path, ("image", "tags")) if path.exists() else []
    tags: dict[str, tuple[int, ...] | None] = {}
    unknown, doubled, unknown_tags = [], [], []
    for entry in table:
        named = [name.strip() for name in (entry["tags"] or "").split(";") if name.strip()]
        key = photographs.find(entry["image"].strip())
        if key is None:
            unknown.append(photographs.suggest(entry["image"]))
        elif key in tags or None in entry:
            doubled.append(entry["image"])
        if labels is None:
            continue
        objects = {labels.find(name) for name in named if not is_background(name)}
        unknown_tags += [
            f"{name!r} of {entry['image']}{near(name, labels.classes.names[1:])}"
            for name in named
            if labels.find(name) is None
        ]
        if labels.first in named:
            findings.add(labels.line_to_add, [f"tag of {entry['image']}"])
        if key is not None:
            known = tuple(sorted(label for label in objects if label not in (None, 0, IGNORE)))
            tags[key] = known if named and objects != {IGNORE} else None
    if photographs.paths:
        findings.add(
            f"{path} names images that cannot be found; correct the names, or remove the rows",
            unknown,
        )
    findings.add(
        f"{path} has several rows or too many columns for these images; join tags with ';'", doubled
    )
    if labels:
        findings.add(
            f"{path} has tags that are not among {', '.join(labels.classes.names[1:])}; correct "
            "them, or add them to classes.txt",
            unknown_tags,
        )
    return tags
