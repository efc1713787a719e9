"""Where a folder keeps its photographs, its masks or annotations, and its split."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.errors import UserError
from pipeline.data.images import SUFFIXES
from pipeline.datasets.folder.find_files import walk
from pipeline.datasets.reading.findings import Findings, name_some

IMAGE_FOLDERS = ("images", "JPEGImages")  # the second as in VOC, which other tools write, too
MASK_FOLDERS = ("masks", "SegmentationClass", "SegmentationClassPNG")
PROXIES = "proxies"  # masks that another tool made, for the generator `files`
CORRECTED = "corrected"  # masks that `swseg join` wrote; they go before all others
OTHER_COCO = ("captions_", "person_keypoints_", "image_info_", "stuff_", "panoptic_")
MASKS, COCO, LABELME, CVAT = "masks", "COCO JSON", "LabelMe", "CVAT"
LABEL_STUDIO = "Label Studio's JSON"
ROBOFLOW = "_annotations.coco.json"  # beside the photographs of train/, valid/ and test/
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
HEAD = 1 << 16  # bytes in which a JSON file shows what it is

# What other folders look like: files only such a folder has, its name, and the way out.
OTHERS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("data.yaml", "labels/*.txt", "*/labels/*.txt"), "a YOLO export", "export it as COCO"),
    (
        ("*/_classes.csv", "*/_annotations.csv", "*/*.createml.json", "README.roboflow.txt"),
        "a Roboflow export",
        "export it as COCO Segmentation",
    ),
    (("Annotations/*.xml",), "boxes as in Pascal VOC", "export masks, or COCO"),
    (("train2017", "val2017"), "COCO 2017", "set dataset: coco in params.yaml"),
    (("leftImg8bit", "gtFine"), "Cityscapes", "put its photographs into images/"),
    (("meta.json", "*/ann/*.json"), "a Supervisely project", "export it as COCO"),
    (("via_*.json",), "a project of the VGG Image Annotator", "export it as COCO"),
    (("*.zip",), "an archive that is still packed", "unpack it"),
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """What lies where.

    Attributes:
        root: the user's folder.
        images: folders of photographs.
        masks: the folder of masks, which may be missing.
        proxies: the folder of masks that another tool made, which may be missing.
        corrected: the folder of masks that were corrected, which may be missing.
        kinds: files by the kind of annotation they are.
    """

    root: Path
    images: list[Path]
    masks: Path
    proxies: Path
    corrected: Path
    kinds: Mapping[str, list[Path]]


def find_layout(root: Path, findings: Findings) -> Layout:
    """Find out what lies where in a folder.

    Problems: it has no folder of photographs, or no masks and no annotations.

    Raises:
        UserError: it is not there, or a folder in it cannot be opened.
    """
    if not root.is_dir():
        raise UserError(f"{root} is not there: data_root must be the folder that holds images/")
    beside = sorted(root.glob(f"*/{ROBOFLOW}"))
    names = IMAGE_FOLDERS, MASK_FOLDERS, (PROXIES,), (CORRECTED,)
    own, masks, proxies, corrected = (folder_of(root, those) for those in names)
    images = [path for path in [own, *(path.parent for path in beside)] if path.is_dir()]
    kinds = {
        MASKS: [*walk(masks)] if masks.is_dir() else [],
        COCO: beside,
        LABELME: _named(".json", [root / "labelme", *images], but=beside),
    }
    unclear: dict[str, list[Path]] = {}
    for folder in (root, root / "annotations"):
        for path in [*_seen(folder.glob("*.json")), *_seen(folder.glob("*.xml"))]:
            kind = kind_of(path)
            if kind and not path.name.startswith(OTHER_COCO):
                kinds.setdefault(kind, []).append(path)
            elif not kind and (folder != root or path.stem == "annotations"):
                unclear.setdefault(_kind_to_expect(path), []).append(path)
    kinds = {kind: paths for kind, paths in kinds.items() if paths}
    if not kinds:  # their reader says what is wrong with files where annotations should be
        kinds = unclear or ({MASKS: []} if masks.is_dir() or corrected.is_dir() else {})
    lacking = [] if images else [f"a folder {IMAGE_FOLDERS[0]}/"]
    if not kinds:
        lacking += ["masks/ or annotations: COCO JSON, or of LabelMe, CVAT or Label Studio"]
    if lacking:
        findings.add(f"{root} needs {', and '.join(lacking)}{what_lies_in(root)}")
    return Layout(root, images, masks, proxies, corrected, kinds)


def folder_of(root: Path, names: Sequence[str]) -> Path:
    """The folder of the first of some names that exists, in any case; else the first name's."""
    there = {path.name.casefold(): path for path in root.iterdir() if path.is_dir()}
    found = (there.get(name.casefold()) for name in names)
    return next((path for path in found if path), root / names[0])


def kind_of(path: Path) -> str | None:
    """The kind of annotations in a file, by its beginning; None if that tells nothing."""
    head = _head(path)
    if path.suffix == ".xml":
        return CVAT if b"<annotations" in head else None
    if head.startswith(b"["):
        return LABEL_STUDIO if b'"data"' in head and b'"annotations"' in head else None
    if re.search(rb'"shapes"\s*:', head) and re.search(rb'"(version|imagePath|flags)"\s*:', head):
        return LABELME
    return COCO if re.search(rb'"(images|annotations|categories)"\s*:\s*\[', head) else None


def _kind_to_expect(path: Path) -> str:
    """The kind whose reader tells best what is wrong with a file of annotations."""
    if path.suffix == ".xml":
        return CVAT
    return LABEL_STUDIO if _head(path).startswith(b"[") else COCO


def _head(path: Path) -> bytes:
    """The beginning of a file; nothing if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError:
        return b""


def split_of_file(path: Path) -> str | None:
    """The part of the split that the name of a file of annotations stands for.

    >>> split_of_file(Path("annotations/instances_val2017.json"))
    'val'
    """
    if path.name == ROBOFLOW:
        return split_of_folders(path.parent, path.parent.parent)
    words = re.findall("[a-z]+", path.stem.casefold())
    return next((SPLITS[word] for word in words if word in SPLITS), None)


def split_of_folders(folder: Path, root: Path) -> str | None:
    """The part of the split that the name of one of the folders below the root stands for.

    >>> split_of_folders(Path("r/images/Train"), Path("r"))
    'train'
    """
    names = (re.sub("[0-9]+$", "", part).casefold() for part in folder.relative_to(root).parts)
    return next((SPLITS[name] for name in names if name in SPLITS), None)


def what_lies_in(root: Path) -> str:
    """The end of a message: what a folder does hold, and what that looks like."""
    names = sorted(
        f"{path.name}/" if path.is_dir() else path.name for path in _seen(root.iterdir())
    )
    if not names:
        return ": the folder is empty"
    for patterns, name, way_out in OTHERS:
        if any(next(root.glob(pattern), None) for pattern in patterns):
            return f"; it holds {name_some(names)}: this looks like {name}: {way_out}"
    if any(Path(name).suffix.lower() in SUFFIXES for name in names):
        return f"; it holds {name_some(names)}: put the photographs into images/"
    return f"; it holds {name_some(names)}"


def _seen(paths: Iterable[Path]) -> list[Path]:
    """Paths by name, without those that are hidden."""
    return sorted(path for path in paths if not path.name.startswith("."))


def _named(suffix: str, folders: Iterable[Path], but: Sequence[Path]) -> list[Path]:
    """Files with a suffix in and below some folders, but for those that are known already."""
    return [
        path
        for folder in folders
        if folder.is_dir()
        for path in walk(folder)
        if path.suffix.lower() == suffix and path not in but
    ]
