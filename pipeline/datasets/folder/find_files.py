"""Finds the photographs of a folder and the masks that belong to them, at any depth."""

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from pipeline.base.errors import UserError
from pipeline.data import heic
from pipeline.data.images import SUCH_AS, SUFFIXES, is_system_file
from pipeline.datasets.folder.class_names import near
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.image_names import check_names, nfc

MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp")
# What tools add to an image's name for its mask: x_mask.png, x_L.png, x-seg.png, mask_x.png.
ADDED = re.compile(
    r"^(?:masks?|labels?|gt|seg)[_-]|[_.-](?:masks?|labels?|l|gt|seg|segmentation|annotation)$",
    re.IGNORECASE,
)
FEW = 500  # photographs; to compare each of many names with each of more takes hours
UPLOAD = re.compile(r"^[0-9a-f]{8}-")  # Label Studio puts it before the name of an uploaded file


@dataclass(frozen=True)
class Photographs:
    """The photographs of a folder.

    Attributes:
        paths: file by id, in the order of the ids. An id is the file's stem; where several folders
            have a stem, it is the folders and the stem, joined by two underscores.
        named: id by file name and by stem; where several folders have a stem, each with as many
            folders before it as tell them apart.
        shared: ids by names that several photographs have.
    """

    paths: Mapping[str, Path]
    named: Mapping[str, str]
    shared: Mapping[str, set[str]]

    def find(self, name: str) -> str | None:
        """The id of a photograph by the name another file gives it; None if none or several fit.

        Names may contain folders of another machine, another suffix, capitals, percent signs in
        place of special characters, and what Label Studio adds to uploaded files.
        """
        for form in dict.fromkeys((nfc(name), nfc(unquote(name)))):
            parts = re.split(r"[/\\]", form)
            uploaded = UPLOAD.sub("", parts[-1])
            found = self._find(parts) or self._find([*parts[:-1], uploaded])
            if found:
                return found
        return None

    def _find(self, parts: Sequence[str]) -> str | None:
        """The one photograph that the longest end of a path fits."""
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            for key in (end, _without_suffix(end), end.casefold(), _without_suffix(end.casefold())):
                if key in self.named:
                    return self.named[key]
        return None

    def suggest(self, name: str, shown: str = "") -> str:
        """A name that is unknown, as `shown`, with the nearest that is known if these are few."""
        same = self.shared.get(nfc(PurePosixPath(name).name), ())
        if same:
            return f"{shown or name} (which of {', '.join(sorted(same))}? name its folder, too)"
        few = len(self.paths) <= FEW
        return (shown or name) + (near(PurePosixPath(name).stem, tuple(self.paths)) if few else "")


def find_photographs(
    roots: Sequence[Path], data_root: Path, findings: Findings, beside: str = ""
) -> Photographs:
    """The photographs in and below some folders; what systems leave there is passed over.

    Args:
        roots: the folders.
        data_root: the user's folder, in which they lie.
        findings: gets what is found.
        beside: the suffix of other files allowed there.

    Problems: a folder is empty or has something else in it, two images are called the same but for
    the suffix, or a name cannot be used (`check_names`).
    """
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for root in roots:
        found = list(walk(root))
        images = [path for path in found if path.suffix.lower() in SUFFIXES]
        findings.add(
            f"{root} has files that are not read as photographs; keep them elsewhere, or convert "
            f"them ({SUCH_AS})",
            [
                f"{path.relative_to(root)}{_way_to_heic(path)}"
                for path in found
                if path.suffix.lower() not in (*SUFFIXES, beside or None)
            ],
        )
        for path in images:
            by_stem[path.stem].append(path)
        if not images:
            findings.add(f"{root} contains no images", ["put photographs there"])
    paths: dict[str, Path] = {}
    for stem, same in by_stem.items():
        for path in same:
            inner = path.relative_to(roots[0] if len(roots) == 1 else data_root).with_suffix("")
            key = stem if len(same) == 1 else "__".join(inner.parts)
            if key in paths:
                findings.add(
                    f"{data_root} has images with the same name but for the suffix; keep one of "
                    "each, or rename",
                    [f"{other.relative_to(data_root)}" for other in (paths[key], path)],
                )
            paths[key] = path
    check_names(paths, " and ".join(map(str, roots)), findings)
    return Photographs(dict(sorted(paths.items())), *_names(paths, by_stem, data_root))


def find_masks(
    folder: Path, photographs: Photographs, findings: Findings, beside: str = ""
) -> dict[str, Path]:
    """Masks by the id of their photograph; `beside` is the name of another file allowed there.

    Problems: a file cannot be a mask or has no photograph, or a photograph has several.
    """
    found = [path for path in walk(folder) if path.name != beside]
    masks = [path for path in found if path.suffix.lower() in MASK_SUFFIXES]
    findings.add(
        f"{folder} has files that are not read as masks, which are PNG, TIFF or BMP files (JPEG "
        "changes pixels); keep them elsewhere, or export them again",
        [path.relative_to(folder) for path in found if path.suffix.lower() not in MASK_SUFFIXES],
    )
    by_id: dict[str, list[Path]] = defaultdict(list)
    unknown = []
    for path in masks:
        name = path.relative_to(folder).with_suffix("").as_posix()
        inner, _, stem = name.rpartition("/")
        forms = (stem, ADDED.sub("", stem))
        ids = (photographs.find(f"{inner}/{form}") for form in forms)
        key = next(filter(None, ids), None)
        if key is None:
            unknown.append(photographs.suggest(path.relative_to(folder).as_posix()))
        else:
            by_id[key].append(path)
    if photographs.paths:
        findings.add(
            f"{folder} has masks whose image cannot be found; add the image, or give the mask its "
            "image's name",
            unknown,
        )
    findings.add(
        f"{folder} has several masks of one image; keep one of each",
        [path.relative_to(folder) for same in by_id.values() if len(same) > 1 for path in same],
    )
    return {key: same[0] for key, same in by_id.items()}


def walk(folder: Path) -> Iterator[Path]:
    """The files in and below a folder, by name; what systems and tools hide there is left out.

    Raises:
        UserError: a folder cannot be opened.
    """
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not is_system_file(name))
        for name in sorted(files):
            if not is_system_file(name):
                yield Path(parent, name)


def _refuse(error: OSError) -> None:
    """Refuse a folder that cannot be opened."""
    raise UserError(f"{error.filename} cannot be read ({error.strerror})")


def _way_to_heic(path: Path) -> str:
    """What to install where a file is HEIC, which is read with a package of its own."""
    return f" ({heic.INSTALL})" if path.suffix.lower() in heic.SUFFIXES else ""


def _without_suffix(name: str) -> str:
    """A name without the suffix of an image or of annotations, if it ends in one."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in (*SUFFIXES, ".json") else name


def _names(
    paths: Mapping[str, Path], by_stem: Mapping[str, Sequence[Path]], data_root: Path
) -> tuple[dict[str, str], dict[str, set[str]]]:
    """The id that each name means, and the ids of names that several photographs have."""
    exact: dict[str, set[str]] = defaultdict(set)
    bare: dict[str, set[str]] = defaultdict(set)
    uploaded: dict[str, set[str]] = defaultdict(set)
    for key, path in paths.items():
        parts = [nfc(part) for part in path.relative_to(data_root).parts]
        for start in range(len(parts)) if len(by_stem[path.stem]) > 1 else [-1]:
            end = "/".join(parts[start:])
            exact[end].add(key)
            bare[end.rpartition(".")[0]].add(key)
        bare[nfc(key)].add(key)
        uploaded[re.sub(r"[^-\w.]", "", parts[-1].replace(" ", "_"))].add(key)
    folded = {name.casefold(): same for name, same in {**bare, **exact}.items()}
    ids = {**folded, **uploaded, **bare, **exact}  # whole names go before others
    shared = {name: same for name, same in ids.items() if len(same) > 1}
    return {name: min(same) for name, same in ids.items() if len(same) == 1}, shared
