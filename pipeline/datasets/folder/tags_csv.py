"""tags.csv: the names of the classes in each photograph."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.data.manifest import ClassList
from pipeline.datasets.reading.image_names import nfc
from pipeline.datasets.reading.problems import Problems
from pipeline.datasets.reading.text_files import read_table


def read_tags(
    path: Path, images: Mapping[str, Path], classes: ClassList | None, problems: Problems
) -> dict[str, tuple[int, ...]]:
    """Class indices of every tagged image; empty if there is no tags.csv.

    Problems: wrong columns, an image that is unknown or has two rows, an unknown tag.
    """
    table: list[dict[str | None, str]] = []
    with problems.gathered():
        table = read_table(path, ("image", "tags")) if path.exists() else []
    stems = {nfc(image.name): stem for stem, image in images.items()}
    stems |= {nfc(stem): stem for stem in images}
    names = classes.names if classes else ()
    index = {name: number for number, name in enumerate(names) if number}
    tags: dict[str, tuple[int, ...]] = {}
    seen: set[str] = set()
    unknown, doubled, unknown_tags = [], [], []
    for entry in table:
        named = [name.strip() for name in (entry["tags"] or "").split(";") if name.strip()]
        stem = stems.get(nfc(entry["image"].strip()))
        if stem is None:
            unknown.append(entry["image"])
        elif stem in seen or None in entry:
            doubled.append(entry["image"])
        else:
            seen.add(stem)
        unknown_tags += [f"{name!r} of {entry['image']}" for name in named if name not in index]
        if named and stem is not None:
            tags[stem] = tuple(sorted({index[name] for name in named if name in index}))
    if images:
        problems.add(
            f"{path} tags images that are not in images/; correct the names or remove the rows",
            unknown,
        )
    problems.add(
        f"{path} has several rows or too many columns for these images; join tags with ';'", doubled
    )
    if classes:
        problems.add(
            f"{path} has tags that are not among {', '.join(names[1:])}; correct them, or add "
            "them to classes.txt",
            unknown_tags,
        )
    return tags
