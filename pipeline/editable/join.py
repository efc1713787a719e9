"""Corrected annotations join a folder's masks: those that a person changed, as corrected/."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.base.atomic import whole_file
from pipeline.base.errors import UserError
from pipeline.data.images import Bytes, read_image, write_mask
from pipeline.data.tables import write_csv
from pipeline.datasets.folder.annotations import (
    CLASSES,
    paint,
    read_annotations,
    refuse_other_classes,
)
from pipeline.datasets.folder.class_names import Labels, find_list, read_list
from pipeline.datasets.folder.colours import find_table
from pipeline.datasets.folder.find_files import Photographs, find_photographs, walk
from pipeline.datasets.folder.layout import CORRECTED, LABELME, find_layout, kind_of
from pipeline.datasets.reading.findings import Findings
from pipeline.editable.exchange import HEADER, WRITTEN, fingerprint, read_export, read_written


@dataclass
class Joined:
    """Ids of the images that were changed, and of those that are as they were written."""

    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


def join(corrected: Path, data_root: Path) -> Joined:
    """Write the masks of images that a person changed into `data_root`/corrected.

    Args:
        corrected: the folder that `Export` wrote, with the tool's files in place of its own; or the
            file that the tool exported, in that folder.
        data_root: the folder of photographs.

    Raises:
        UserError: there are no annotations, it is not known what was written, or the classes have
            changed since other masks were corrected.
        DataError: they cannot be read, or an image or a class is not in `data_root`.
    """
    paths, kind = files_to_read(corrected)
    folder = corrected if corrected.is_dir() else corrected.parent
    written = read_written(folder)
    images = read_export(kind, paths)
    labels, photographs = labels_of(data_root), find_own(data_root)
    refuse_other_classes(data_root / CORRECTED, labels.classes.names)
    findings = Findings()
    names = {photographs.find(name): name for name in written}
    joined, masks = Joined(), dict[str, Bytes]()
    for image in images:
        key = photographs.find(image.file_name)
        unknown = sorted(name for name in image.tags if labels.find(name) is None)
        if key not in names and not image.objects:
            continue  # tools list all photographs of a task, also those that nobody has opened
        if key is None:
            findings.add(f"{data_root} lacks the images of annotations", [image.file_name])
        elif unknown:
            findings.add(f"{image.source}: labels that are no classes of {data_root}", unknown)
        elif key in names and fingerprint(image) == written[names[key]]:
            joined.unchanged.append(key)
        else:
            joined.changed.append(key)
            written[names.get(key, image.file_name)] = fingerprint(image)
            if not image.width:  # Label Studio has no size where nothing is drawn
                image.width, image.height = read_image(photographs.paths[key]).size
            masks[key] = paint(image, labels)
    findings.refuse(data_root)
    for key, mask_HW in masks.items():
        with whole_file(data_root / CORRECTED / f"{key}.png") as part:
            write_mask(part, mask_HW, labels.classes)
    if masks:
        listing = "".join(f"{name}\n" for name in labels.classes.names)
        with whole_file(data_root / CORRECTED / CLASSES) as part:
            part.write_text(listing, "utf-8")
        write_csv(folder / WRITTEN, HEADER, written.items())  # now these are taken
    return joined


def files_to_read(corrected: Path) -> tuple[Sequence[Path], str]:
    """The files of annotations in a folder, or the one file, and their kind.

    Raises:
        UserError: there are none, of several kinds, or several of a kind that needs one.
    """
    if not corrected.exists():
        raise UserError(f"{corrected} is not there; give the folder of corrected annotations")
    paths = [corrected] if corrected.is_file() else list(walk(corrected))
    kinds: dict[str, list[Path]] = {}
    for path in paths:
        kind = kind_of(path) if path.suffix.lower() in (".json", ".xml") else None
        if kind:
            kinds.setdefault(kind, []).append(path)
    several = [path for found in kinds.values() for path in found]
    if len(kinds) == 1:
        ((kind, paths),) = kinds.items()
        if kind == LABELME or len(paths) == 1:
            return paths, kind
    if several:
        names = ", ".join(path.name for path in several[:3])
        raise UserError(f"{corrected} has several files of annotations ({names}); give one of them")
    raise UserError(
        f"{corrected} has no annotations of LabelMe, CVAT or Label Studio, and no COCO JSON; put "
        "what the tool exported there"
    )


def find_own(data_root: Path) -> Photographs:
    """The photographs of a folder.

    Raises:
        DataError: there are none, or they cannot be told apart.
    """
    findings = Findings()
    layout = find_layout(data_root, Findings())  # masks may be lacking
    photographs = find_photographs(layout.images, data_root, findings, ".json")
    if not layout.images:
        findings.add(f"{data_root} has no photographs; put them into {data_root / 'images'}")
    findings.refuse(data_root)
    return photographs


def labels_of(data_root: Path) -> Labels:
    """The classes of a folder, which may have no mask yet.

    Raises:
        DataError: they are not named, or its annotations cannot be used.
    """
    if find_list(data_root).exists() and find_table(data_root) is None:
        return read_list(find_list(data_root))
    findings = Findings()
    layout = find_layout(data_root, findings)
    with tempfile.TemporaryDirectory() as name:
        known = read_annotations(layout, find_own(data_root), Path(name), findings)
    findings.refuse(data_root)
    assert known.labels is not None
    return known.labels
