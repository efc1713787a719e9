"""Finds the images, masks and classes.txt of a folder of photographs."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from pipeline.base.errors import UserError
from pipeline.data.images import SUFFIXES
from pipeline.data.manifest import ClassList, make_classes
from pipeline.datasets.reading.image_names import check_names, nfc
from pipeline.datasets.reading.problems import Problems
from pipeline.datasets.reading.text_files import read_lines


def read_classes_txt(path: Path) -> ClassList:
    """Class names, one per line, background first.

    Raises:
        UserError: the file is missing, or the names cannot be classes.
    """
    if not path.exists():
        raise UserError(f"{path} is not there: write one class name per line, background first")
    lines = read_lines(path)
    try:
        return make_classes(lines)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def find_images(folder: Path, problems: Problems, beside: str = "") -> dict[str, Path]:
    """Images by file stem, in the stems' order; files that begin with a dot are ignored.

    `beside` is the suffix of other files allowed in the folder. Problems: the folder is missing or
    empty, something in it is not an image, two images have the same stem, or a name cannot be used
    (`check_names`).
    """
    found = [
        path for path in list_folder(folder, problems) if path.suffix.lower() != (beside or None)
    ]
    problems.add(
        f"{folder} must contain only images ({' '.join(SUFFIXES)}); convert these or move them out",
        [path.name for path in found if path.suffix.lower() not in SUFFIXES],
    )
    by_stem = defaultdict(list)
    for path in found:
        if path.suffix.lower() in SUFFIXES:
            by_stem[path.stem].append(path)
    problems.add(
        f"{folder} has images with the same name but for the suffix; rename",
        [path.name for paths in by_stem.values() if len(paths) > 1 for path in paths],
    )
    check_names(by_stem, folder, problems)
    if not by_stem and folder.is_dir():
        problems.add(f"{folder} contains no images", ["put photographs there"])
    return {stem: paths[0] for stem, paths in sorted(by_stem.items())}


def find_masks(folder: Path, images: Mapping[str, Path], problems: Problems) -> dict[str, Path]:
    """Masks by the stem of their image.

    Problems: the folder is missing, or a file in it is not a PNG or has no image.
    """
    stems = {nfc(stem): stem for stem in images}
    found = list_folder(folder, problems, ", or annotations as COCO JSON, LabelMe or CVAT files")
    pngs = [path for path in found if path.suffix.lower() == ".png"]
    problems.add(
        f"{folder}: masks must be PNG files of class indices; convert these or move them out",
        [path.name for path in found if path.suffix.lower() != ".png"],
    )
    if images:
        problems.add(
            f"{folder} has masks without an image in images/; move them out",
            [path.name for path in pngs if nfc(path.stem) not in stems],
        )
    return {stems[nfc(path.stem)]: path for path in pngs if nfc(path.stem) in stems}


def list_folder(folder: Path, problems: Problems, instead: str = "") -> list[Path]:
    """Files of a folder, sorted, without dotfiles; `instead` ends the message if it is missing."""
    with problems.gathered():
        try:
            return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(f"{folder} is not there: data_root must contain it{instead}") from None
        except OSError as error:
            raise UserError(f"{folder} cannot be read ({error.strerror})") from error
    return []
