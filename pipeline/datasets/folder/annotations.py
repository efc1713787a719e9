"""Masks and tags of a folder of photographs, from whatever tool they were annotated with."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.base.errors import UserError
from pipeline.base.progress import track
from pipeline.data.images import write_mask
from pipeline.data.manifest import ClassList, make_classes
from pipeline.datasets.folder.annotated_image import AnnotatedImage, AnnotatedObject
from pipeline.datasets.folder.coco_json import read_coco
from pipeline.datasets.folder.colours import coloured_classes, find_table, index_masks, read_colours
from pipeline.datasets.folder.cvat import read_cvat
from pipeline.datasets.folder.find_files import find_masks, read_classes_txt
from pipeline.datasets.folder.labelme import read_labelme
from pipeline.datasets.reading.coco_instances import Instance, rasterise
from pipeline.datasets.reading.image_names import clashing_names, nfc
from pipeline.datasets.reading.problems import Problems

Read = Callable[[Sequence[Path], Problems], tuple[list[AnnotatedImage], list[str]]]

MASKS = "masks"
READERS: dict[str, Read] = {"COCO JSON": read_coco, "LabelMe": read_labelme, "CVAT": read_cvat}
BACKGROUND = ("background", "_background_")  # the second is LabelMe's
IGNORED = ("ignore", "__ignore__")


@dataclass(frozen=True)
class Annotations:
    """Masks and tags by the stems of the images; `sources` are what masks were painted from."""

    kind: str
    classes: ClassList | None
    masks: Mapping[str, Path] = field(default_factory=dict)
    tags: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


def find_kinds(root: Path) -> dict[str, list[Path]]:
    """Files of each kind of annotation in a folder, without those that begin with a dot."""
    several = root / "annotations"
    found = {
        MASKS: [*(root / MASKS).glob("*")],
        "COCO JSON": [*root.glob("annotations.json"), *several.glob("*.json")],
        "LabelMe": [*(root / "labelme").glob("*.json"), *(root / "images").glob("*.json")],
        "CVAT": [*root.glob("annotations.xml"), *several.glob("*.xml")],
    }
    seen = {
        kind: sorted(path for path in paths if not path.name.startswith("."))
        for kind, paths in found.items()
    }
    return {kind: paths for kind, paths in seen.items() if paths}


def read_annotations(
    root: Path,
    kinds: Mapping[str, list[Path]],
    images: Mapping[str, Path],
    folder: Path,
    problems: Problems,
) -> Annotations:
    """Masks, tags and classes from the annotations in a folder.

    Masks that are not class indices already are written to `folder/masks`. `kinds` is what
    `find_kinds` has found there.

    Problems: annotations of several kinds, or of none, and what their readers find.
    """
    if len(kinds) > 1:
        problems.add(
            f"{root} contains annotations of several kinds; keep one kind and move the others out",
            [f"{kind} ({paths[0].relative_to(root)})" for kind, paths in kinds.items()],
        )
        return Annotations(MASKS, None)
    kind = next(iter(kinds), MASKS)
    if kind == MASKS:
        return _read_masks(root, images, folder, problems)
    found: list[AnnotatedImage] = []
    classes, names = None, list[str]()
    with problems.gathered():
        found, names = READERS[kind](kinds[kind], problems)
    with problems.gathered():
        if names or (root / "classes.txt").exists():
            classes = _choose_classes(root, names)
    if classes is None:
        return Annotations(kind, None)
    return _paint(kind, _match(found, images, root, problems), classes, root, folder, problems)


def _read_masks(
    root: Path, images: Mapping[str, Path], folder: Path, problems: Problems
) -> Annotations:
    """PNGs of class indices, or of colours if there is a table of them."""
    masks = find_masks(root / MASKS, images, problems)
    table = find_table(root)
    classes = None
    with problems.gathered():
        if table is None:
            classes = read_classes_txt(root / "classes.txt")
            return Annotations("indexed masks", classes, masks)
        colours = read_colours(table)
        classes = coloured_classes(table, colours)
        made = index_masks(masks, colours, classes, folder, problems)
        sources = {stem: str(masks[stem]) for stem in made}
        return Annotations(f"masks of colours ({table.name})", classes, made, sources=sources)
    return Annotations(MASKS, classes, masks if table is None else {})


def _paint(
    kind: str,
    found: Mapping[str, AnnotatedImage],
    classes: ClassList,
    root: Path,
    folder: Path,
    problems: Problems,
) -> Annotations:
    """Paint what an annotation tool exported into masks.

    An image without an outline gets no mask: it may be empty or not annotated yet. Its boxes are
    tags.
    """
    index = {name: number for number, name in enumerate(classes.names)}
    index |= dict.fromkeys(set(BACKGROUND) - index.keys(), 0)
    _check_names(found.values(), index, classes, root, problems)
    (folder / MASKS).mkdir(exist_ok=True)
    masks, tags = {}, {}
    for stem, image in track(list(found.items()), "paint masks"):
        if any(item.known and item.name in index for item in image.objects):
            masks[stem] = folder / MASKS / f"{stem}.png"
            instances = [_instance(item, index) for item in image.objects]
            write_mask(masks[stem], rasterise(instances, image.height, image.width), classes)
        tagged = {index.get(name, 0) for name in _names(image)} - {0}
        if tagged:
            tags[stem] = tuple(sorted(tagged))
    return Annotations(kind, classes, masks, tags, {s: i.source for s, i in found.items()})


def _names(image: AnnotatedImage) -> set[str]:
    """All names an image is annotated with."""
    return image.tags | {item.name for item in image.objects}


def _choose_classes(root: Path, names: Sequence[str]) -> ClassList:
    """The classes of classes.txt if that exists, else background and the exported names.

    Raises:
        UserError: they are no class list.
    """
    if (root / "classes.txt").exists():
        return read_classes_txt(root / "classes.txt")
    objects = [name for name in names if name not in (*BACKGROUND, *IGNORED)]
    same = clashing_names(objects)
    if same:
        raise UserError(
            f"{root}: labels that differ only in case: {', '.join(same)}; merge them, or list "
            "both in classes.txt"
        )
    try:
        return make_classes(["background", *objects])
    except UserError as error:
        raise UserError(
            f"{root}: the labels cannot be used as classes ({error}); rename them, or write "
            "classes.txt"
        ) from None


def _match(
    found: Iterable[AnnotatedImage], images: Mapping[str, Path], root: Path, problems: Problems
) -> dict[str, AnnotatedImage]:
    """Annotations by the stem of their image; tools may write other suffixes."""
    stems = {nfc(stem): stem for stem in images}
    matched: dict[str, AnnotatedImage] = {}
    unknown, doubled = [], []
    for item in found:
        if not item.objects and not item.tags:
            continue
        stem = stems.get(nfc(Path(item.file_name).stem))
        if stem is None:
            unknown.append(item.source)
        elif stem in matched:
            doubled.append(item.source)
        else:
            matched[stem] = item
    if images:
        problems.add(
            f"{root}: annotations of images that are not in images/; add the images or remove the "
            "annotations",
            unknown,
        )
    problems.add(f"{root}: images with several annotations; keep one", doubled)
    return matched


def _check_names(
    found: Iterable[AnnotatedImage],
    index: Mapping[str, int],
    classes: ClassList,
    root: Path,
    problems: Problems,
) -> None:
    """Find labels that are not classes."""
    problems.add(
        f"{root}: labels that are not among {', '.join(classes.names)}; correct them, or add "
        "them to classes.txt",
        [
            f"{name!r} of {item.source}"
            for item in found
            for name in sorted(_names(item))
            if name not in index and name not in IGNORED
        ],
    )


def _instance(item: AnnotatedObject, index: Mapping[str, int]) -> Instance:
    """An object as `rasterise` takes it: unknown pixels become 255, under everything else."""
    label = index.get(item.name)
    unknown = not item.known or label is None
    return Instance(label or 0, item.area, unknown, item.runs, item.layer)
