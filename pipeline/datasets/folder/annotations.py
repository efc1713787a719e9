"""Masks and tags of a folder of photographs, from whatever tool they were annotated with."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.base.errors import UserError
from pipeline.base.progress import track
from pipeline.data.images import Bytes, write_mask
from pipeline.data.manifest import IGNORE, ClassList
from pipeline.datasets.folder.annotated_image import AnnotatedImage, AnnotatedObject
from pipeline.datasets.folder.class_names import (
    Labels,
    find_list,
    labels_of_export,
    near,
    read_list,
)
from pipeline.datasets.folder.coco_json import read_coco
from pipeline.datasets.folder.colours import ColourMasks, coloured_labels, find_table, read_colours
from pipeline.datasets.folder.cvat import read_cvat
from pipeline.datasets.folder.find_files import Photographs, find_masks
from pipeline.datasets.folder.index_masks import IndexMasks
from pipeline.datasets.folder.label_studio import read_label_studio
from pipeline.datasets.folder.labelme import read_labelme
from pipeline.datasets.folder.layout import COCO, CVAT, LABEL_STUDIO, LABELME, MASKS, Layout
from pipeline.datasets.reading.coco_instances import Instance, rasterise
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.manifest_rows import MaskReader, MaskSeen

Read = Callable[[Sequence[Path], Findings], tuple[list[AnnotatedImage], list[str]]]

CLASSES = "classes.txt"  # in corrected/: the classes with which its masks were written

READERS: dict[str, Read] = {
    COCO: read_coco,
    LABELME: read_labelme,
    CVAT: read_cvat,
    LABEL_STUDIO: read_label_studio,
}


@dataclass(frozen=True)
class Annotations:
    """What is known of photographs, by their ids.

    Attributes:
        kind: of annotation, for people.
        labels: the classes; None if they could not be found out.
        masks: files.
        reader: of these files, unless they are PNGs of class indices.
        proxies: files of masks that another tool made.
        proxy_reader: of these files.
        tags: class indices; empty where someone looked, and none of the classes is there.
        sizes: height and width, as annotations say them.
        parts: of the split, where files or folders say that: train, val or test.
        sources: names for messages, of what masks were painted from.
        corrected: ids whose only masks were corrected; they are not drawn to validate.
    """

    kind: str
    labels: Labels | None
    masks: Mapping[str, Path] = field(default_factory=dict)
    reader: MaskReader | None = None
    proxies: Mapping[str, Path] = field(default_factory=dict)
    proxy_reader: MaskReader | None = None
    tags: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    corrected: frozenset[str] = frozenset()

    @property
    def classes(self) -> ClassList | None:
        """The classes, if they could be found out."""
        return None if self.labels is None else self.labels.classes


def read_annotations(
    layout: Layout, photographs: Photographs, folder: Path, findings: Findings
) -> Annotations:
    """Masks, tags and classes from the annotations in a folder, and masks of proxies/.

    A mask in corrected/ goes before any other of its photograph.

    What annotation tools exported is painted into `folder/masks`.

    Problems: annotations of several kinds, or of none, and what their readers find.
    """
    known = _read_annotations(layout, photographs, folder, findings)
    if known.labels is None:
        return known
    if layout.proxies.is_dir():
        coloured = isinstance(known.reader, ColourMasks)
        reader = known.reader if coloured else IndexMasks(known.labels, findings)
        proxies = find_masks(layout.proxies, photographs, findings)
        known = replace(known, proxies=proxies, proxy_reader=reader)
    if layout.corrected.is_dir():
        known = _with_corrected(known, layout.corrected, photographs, findings)
    return known


class CorrectedMasks(MaskReader):
    """Reads what `swseg join` wrote as it is, and masks elsewhere by their own reader."""

    def __init__(self, folder: Path, classes: ClassList, other: MaskReader | None) -> None:
        """Take the folder of what was corrected, and the reader of all other masks."""
        super().__init__(classes)
        self.folder, self.other = folder, other or MaskReader(classes)

    def read(self, path: Path, data: bytes) -> MaskSeen:
        """One mask; raises what its reader does."""
        own = path.is_relative_to(self.folder)
        return super().read(path, data) if own else self.other.read(path, data)

    def tell(self) -> None:
        """Add to the findings what all other masks show."""
        self.other.tell()


def _with_corrected(
    known: Annotations,
    folder: Path,
    photographs: Photographs,
    findings: Findings,
) -> Annotations:
    """The same with the masks of corrected/.

    Problem: the classes are no longer those with which they were written.
    """
    assert known.classes is not None
    with findings.gathered():
        refuse_other_classes(folder, known.classes.names)
    found = find_masks(folder, photographs, findings, beside=CLASSES)
    return replace(
        known,
        masks={**known.masks, **found},
        corrected=frozenset(found.keys() - known.masks.keys()),
        reader=CorrectedMasks(folder, known.classes, known.reader),
    )


def refuse_other_classes(folder: Path, now: Sequence[str]) -> None:
    """Refuse masks in corrected/ that were written with other classes than there are now.

    Raises:
        UserError: classes.txt there is missing, or does not begin the classes.
    """
    if not folder.is_dir():
        return
    then = read_list(folder / CLASSES).classes.names
    if then != tuple(now[: len(then)]):
        raise UserError(
            f"{folder / CLASSES} has {', '.join(then)}, but the classes are {', '.join(now)}: then "
            "the masks there mean others; add new classes at the end only"
        )


def _read_annotations(
    layout: Layout, photographs: Photographs, folder: Path, findings: Findings
) -> Annotations:
    """The same without proxies/."""
    root, kinds = layout.root, layout.kinds
    if len(kinds) > 1:
        findings.add(
            f"{root} has annotations of several kinds, so it is unclear which count; keep one kind",
            [f"{kind} ({paths[0].relative_to(root)})" for kind, paths in kinds.items()],
        )
    if len(kinds) != 1:
        return Annotations(MASKS, None)
    ((kind, paths),) = kinds.items()
    if kind == MASKS:
        return _read_masks(layout, photographs, findings)
    found: list[AnnotatedImage] = []
    labels, names = None, list[str]()
    with findings.gathered():
        found, names = READERS[kind](paths, findings)
    listing = find_list(root)
    with findings.gathered():
        if listing.exists():
            labels = read_list(listing)
        else:
            used = sorted({name for image in found for name in image.tags})
            labels = labels_of_export(root, names or used)
    if labels is None:
        return Annotations(kind, None)
    return _paint(kind, _match(found, photographs, root, findings), labels, folder, findings)


def _read_masks(layout: Layout, photographs: Photographs, findings: Findings) -> Annotations:
    """Masks of class indices, or of colours if there is a table of them."""
    there = layout.masks.is_dir()
    masks = find_masks(layout.masks, photographs, findings) if there else {}
    table = find_table(layout.root)
    with findings.gathered():
        if table is None:
            labels = read_list(find_list(layout.root))
            return Annotations("indexed masks", labels, masks, IndexMasks(labels, findings))
        colours = read_colours(table)
        labels = coloured_labels(table, colours)
        kind = f"masks of colours ({table.name})"
        return Annotations(kind, labels, masks, ColourMasks(colours, labels))
    return Annotations(MASKS, None)


def _paint(
    kind: str,
    found: Mapping[str, AnnotatedImage],
    labels: Labels,
    folder: Path,
    findings: Findings,
) -> Annotations:
    """Paint what an annotation tool exported into masks.

    An image without an outline gets no mask. What is annotated in it are its tags; if that is
    nothing, someone looked at it, and none of the classes is there.
    """
    _check_names(found.values(), labels, findings)
    (folder / MASKS).mkdir(exist_ok=True)
    masks, tags = {}, {}
    for key, image in track(list(found.items()), "paint masks"):
        if any(item.known and labels.find(item.name) != IGNORE for item in image.objects):
            masks[key] = folder / MASKS / f"{key}.png"
            write_mask(masks[key], paint(image, labels), labels.classes)
        named = {labels.find(name) for name in image.tags | image.flags}
        if named != {IGNORE}:
            tags[key] = tuple(sorted(label for label in named if label not in (None, 0, IGNORE)))
    return Annotations(
        kind,
        labels,
        masks,
        tags=tags,
        sizes={key: (image.height, image.width) for key, image in found.items() if image.width},
        parts={key: image.part for key, image in found.items() if image.part},
        sources={key: image.source for key, image in found.items()},
    )


def _match(
    found: Iterable[AnnotatedImage], photographs: Photographs, root: Path, findings: Findings
) -> dict[str, AnnotatedImage]:
    """Annotations by the id of their image; tools may write other suffixes and folders."""
    matched: dict[str, AnnotatedImage] = {}
    unknown, doubled = [], []
    for item in found:
        key = photographs.find(item.file_name)
        annotated = bool(item.tags | item.flags)
        if key is None:
            unknown += [photographs.suggest(item.file_name, item.source)] if annotated else []
        elif key not in matched or not matched[key].tags | matched[key].flags:
            matched[key] = item
        elif annotated:
            doubled.append(item.source)
    if photographs.paths:
        findings.add(
            f"{root}: annotations of images that cannot be found; add the images, or remove the "
            "annotations",
            unknown,
        )
    findings.add(f"{root}: images with several annotations; keep one", doubled)
    return matched


def _check_names(found: Iterable[AnnotatedImage], labels: Labels, findings: Findings) -> None:
    """Find labels that are no classes, or that would be drawn as background; tell of flags."""
    unknown: list[str] = []
    flags: Counter[str] = Counter()
    for item in found:
        unknown += [
            f"{name!r} of {item.source}{near(name, labels.classes.names)}"
            for name in sorted(item.tags)
            if labels.find(name) is None
        ]
        if labels.first in item.tags:
            findings.add(labels.line_to_add, [item.source])
        flags.update(name for name in item.flags if labels.find(name) is None)
    findings.add(
        f"{labels.place}: labels that are not among {', '.join(labels.classes.names)}; correct "
        "them, or add them to the list of classes",
        unknown,
    )
    findings.warn(
        "Flags that are no class are not read as tags",
        [f"{name} ({count})" for name, count in sorted(flags.items())],
        "Fine if intended; otherwise list them in classes.txt.",
    )


def paint(image: AnnotatedImage, labels: Labels) -> Bytes:
    """What is drawn in an image as class indices, (H, W)."""
    instances = [_instance(item, labels) for item in image.objects]
    return rasterise(instances, image.height, image.width)


def _instance(item: AnnotatedObject, labels: Labels) -> Instance:
    """An object as `rasterise` takes it.

    A box is unknown under all outlines; what is named ignore is unknown over what lies beneath it.
    """
    label = labels.find(item.name) or 0
    unknown = not item.known and label != IGNORE
    return Instance(label, item.area, unknown, item.runs, item.layer)
