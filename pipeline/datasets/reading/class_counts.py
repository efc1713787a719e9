"""How many of the images that are scored have each class, in words."""

from collections import Counter

from pipeline.data.folds import describe_folds
from pipeline.data.manifest import Manifest
from pipeline.datasets.reading.findings import name_some


def scored_lines(manifest: Manifest) -> list[str]:
    """What scores rest on, in a line or two: images by class, and the classes without any.

    With folds every mask trains and is scored; but a class of one mask is never in both at once.
    """
    rows, sizes = manifest.scored(), manifest.fold_sizes
    if not rows:
        return []
    counts = Counter(tag for row in rows for tag in row.known_tags)
    names = dict(enumerate(manifest.classes.names[1:], start=1))
    kind = f"scored over {describe_folds(sizes)}" if sizes else "val"
    lines = [f"{kind}: {name_some(f'{name} in {counts[i]}' for i, name in names.items())}"]
    least = 2 if sizes else 1
    lacking = [name for index, name in names.items() if counts[index] < least]
    if lacking and sizes:
        lines.append(f"not in two masks, so never trained on and scored: {name_some(lacking)}")
    elif lacking:
        lines.append(f"in no val image: {name_some(lacking)}")
    return lines
