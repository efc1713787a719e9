"""tags.csv: which classes are in a photograph, in the user's own words."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.datasets.common import read_table
from pipeline.datasets.names import composed
from pipeline.datasets.problems import Problems
from pipeline.manifest import ClassList


def read_tags(
    path: Path, images: Mapping[str, Path], classes: ClassList | None, problems: Problems
) -> dict[str, tuple[int, ...]]:
    """Class indices of every image that is tagged; none at all where there is no tags.csv.

    A problem is: the columns are others, an image is unknown or stands twice, a tag is unknown.
    """
    table: list[dict[str | None, str]] = []
    with problems.gathered():
        table = read_table(path, ("image", "tags")) if path.exists() else []
    stems = {composed(image.name): stem for stem, image in images.items()}
    stems |= {composed(stem): stem for stem in images}
    names = classes.names if classes else ()
    index = {name: number for number, name in enumerate(names) if number}
    tags: dict[str, tuple[int, ...]] = {}
    seen: set[str] = set()
    unknown, doubled, untold = [], [], []
    for entry in table:
        named = [name.strip() for name in (entry["tags"] or "").split(";") if name.strip()]
        stem = stems.get(composed(entry["image"].strip()))
        if stem is None:
            unknown.append(entry["image"])
        elif stem in seen or None in entry:
            doubled.append(entry["image"])
        else:
            seen.add(stem)
        untold += [f"{name!r} of {entry['image']}" for name in named if name not in index]
        if named and stem is not None:
            tags[stem] = tuple(sorted({index[name] for name in named if name in index}))
    if images:
        problems.add(
            f"{path} tags images that are not in images/; mend the names, or take them out", unknown
        )
    problems.add(f"{path} has more than one row or too many columns for; join tags by ;", doubled)
    if classes:
        problems.add(
            f"{path} has tags that are none of {', '.join(names[1:])}; mend them, or add to "
            "classes.txt",
            untold,
        )
    return tags
