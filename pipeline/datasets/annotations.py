"""What the photographs of a folder are annotated with, whatever tool it comes from, as masks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.datasets.coco_masks import Instance, rasterise
from pipeline.datasets.colours import coloured_classes, find_table, index_masks, read_colours
from pipeline.datasets.cvat import read_cvat
from pipeline.datasets.folder_files import find_masks, read_classes_txt
from pipeline.datasets.labelme import read_labelme
from pipeline.datasets.names import composed, twins
from pipeline.datasets.outlining import Annotated, Outline
from pipeline.datasets.own_coco import read_coco
from pipeline.datasets.problems import Problems
from pipeline.errors import UserError
from pipeline.images import write_mask
from pipeline.manifest import ClassList, make_classes
from pipeline.progress import track

Read = Callable[[Sequence[Path], Problems], tuple[list[Annotated], list[str]]]

MASKS = "masks"
READERS: dict[str, Read] = {"COCO JSON": read_coco, "LabelMe": read_labelme, "CVAT": read_cvat}
BACKGROUND = ("background", "_background_")  # the second is LabelMe's
IGNORED = ("ignore", "__ignore__")


@dataclass(frozen=True)
class Annotations:
    """All that is known of pixels and tags, by the stems of the images.

    `sources` names where masks come from that were made here.
    """

    kind: str
    classes: ClassList | None
    masks: Mapping[str, Path] = field(default_factory=dict)
    tags: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


def find_kinds(root: Path) -> dict[str, list[Path]]:
    """Files of every kind of annotation in a folder; the kinds that are not there are left out.

    As among images, files that begin with a dot are passed over.
    """
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
    """Masks, tags and classes from whatever annotations a folder holds.

    Masks that are not class indices already are written to `folder/masks`. `kinds` is what
    `find_kinds` has found there.

    A problem is: there are annotations of several kinds, or of none, and what their readers find.
    """
    if len(kinds) > 1:
        problems.add(
            f"{root} holds annotations of several kinds; keep one of them and move the others out",
            [f"{kind} ({paths[0].relative_to(root)})" for kind, paths in kinds.items()],
        )
        return Annotations(MASKS, None)
    kind = next(iter(kinds), MASKS)
    if kind == MASKS:
        return _read_masks(root, images, folder, problems)
    found: list[Annotated] = []
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
    """PNGs of class indices, or of colours where there is a table of them."""
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
    found: Mapping[str, Annotated],
    classes: ClassList,
    root: Path,
    folder: Path,
    problems: Problems,
) -> Annotations:
    """What an annotation tool exported, painted into masks.

    An image without an outline gets no mask, for nobody can tell whether it is not annotated yet or
    shows nothing; its boxes are tags.
    """
    index = {name: number for number, name in enumerate(classes.names)}
    index |= dict.fromkeys(set(BACKGROUND) - index.keys(), 0)
    _check_names(found.values(), index, classes, root, problems)
    (folder / MASKS).mkdir(exist_ok=True)
    masks, tags = {}, {}
    for stem, item in track(list(found.items()), "paint masks"):
        if any(outline.known and outline.name in index for outline in item.outlines):
            masks[stem] = folder / MASKS / f"{stem}.png"
            instances = [_instance(outline, index) for outline in item.outlines]
            write_mask(masks[stem], rasterise(instances, item.height, item.width), classes)
        tagged = {index.get(name, 0) for name in _names(item)} - {0}
        if tagged:
            tags[stem] = tuple(sorted(tagged))
    return Annotations(kind, classes, masks, tags, {s: i.source for s, i in found.items()})


def _names(item: Annotated) -> set[str]:
    """All names an image is annotated with."""
    return item.tags | {outline.name for outline in item.outlines}


def _choose_classes(root: Path, names: Sequence[str]) -> ClassList:
    """The classes of classes.txt where that is there, else background and the names exported.

    Raises:
        UserError: they are no class list.
    """
    if (root / "classes.txt").exists():
        return read_classes_txt(root / "classes.txt")
    objects = [name for name in names if name not in (*BACKGROUND, *IGNORED)]
    same = twins(objects)
    if same:
        raise UserError(
            f"{root}: labels that differ only in case: {', '.join(same)}; make them one, or list "
            "both in classes.txt"
        )
    try:
        return make_classes(["background", *objects])
    except UserError as error:
        raise UserError(
            f"{root}: the labels are no classes ({error}); rename them, or write classes.txt"
        ) from None


def _match(
    found: Iterable[Annotated], images: Mapping[str, Path], root: Path, problems: Problems
) -> dict[str, Annotated]:
    """What is annotated by the stem of its image; tools may write other suffixes."""
    stems = {composed(stem): stem for stem in images}
    matched: dict[str, Annotated] = {}
    unknown, doubled = [], []
    for item in found:
        if not item.outlines and not item.tags:
            continue
        stem = stems.get(composed(Path(item.file_name).stem))
        if stem is None:
            unknown.append(item.source)
        elif stem in matched:
            doubled.append(item.source)
        else:
            matched[stem] = item
    if images:
        problems.add(
            f"{root}: images are annotated that are not in images/; put them there, or take them "
            "out",
            unknown,
        )
    problems.add(f"{root}: images are annotated twice; keep one", doubled)
    return matched


def _check_names(
    found: Iterable[Annotated],
    index: Mapping[str, int],
    classes: ClassList,
    root: Path,
    problems: Problems,
) -> None:
    """Find labels that are no classes."""
    problems.add(
        f"{root}: labels that are none of {', '.join(classes.names)}; mend them, or add them to "
        "classes.txt",
        [
            f"{name!r} of {item.source}"
            for item in found
            for name in sorted(_names(item))
            if name not in index and name not in IGNORED
        ],
    )


def _instance(outline: Outline, index: Mapping[str, int]) -> Instance:
    """An outline as COCO's painting takes it: what is not known is 255, under everything else."""
    label = index.get(outline.name)
    unknown = not outline.known or label is None
    return Instance(label or 0, outline.area, unknown, outline.runs, outline.layer)
