"""Which files a folder of photographs holds: images by their stem, masks, classes.txt."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from pipeline.datasets.common import read_lines
from pipeline.datasets.names import check_names, composed
from pipeline.datasets.problems import Problems
from pipeline.errors import UserError
from pipeline.manifest import ClassList, make_classes

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


def read_classes_txt(path: Path) -> ClassList:
    """Class names, one a line, background first.

    Raises:
        UserError: the file is missing, or the names are no class list.
    """
    if not path.exists():
        raise UserError(f"{path} is not there: write the class names, one a line, background first")
    lines = read_lines(path)
    try:
        return make_classes(lines)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def find_images(folder: Path, problems: Problems, beside: str = "") -> dict[str, Path]:
    """Images by file stem, in the stems' order; files that begin with a dot are passed over.

    `beside` is the suffix of files that may lie beside them. A problem is: the folder is missing or
    empty, something in it is no image, two images have the same stem, or a name could not be that
    of a file beside it.
    """
    found = [
        path for path in list_folder(folder, problems) if path.suffix.lower() != (beside or None)
    ]
    problems.add(
        f"{folder} must hold image files only ({' '.join(SUFFIXES)}); convert or move out",
        [path.name for path in found if path.suffix.lower() not in SUFFIXES],
    )
    by_stem = defaultdict(list)
    for path in found:
        if path.suffix.lower() in SUFFIXES:
            by_stem[path.stem].append(path)
    problems.add(
        f"{folder} has images with the same stem; rename",
        [path.name for paths in by_stem.values() if len(paths) > 1 for path in paths],
    )
    check_names(by_stem, folder, problems)
    if not by_stem and folder.is_dir():
        problems.add(f"{folder} holds no images", ["put photographs there"])
    return {stem: paths[0] for stem, paths in sorted(by_stem.items())}


def find_masks(folder: Path, images: Mapping[str, Path], problems: Problems) -> dict[str, Path]:
    """Masks by the stem of their image.

    A problem is: the folder is missing, a file in it is no PNG or has no image.
    """
    stems = {composed(stem): stem for stem in images}
    found = list_folder(folder, problems, "; COCO JSON, LabelMe's or CVAT's files may stand for it")
    pngs = [path for path in found if path.suffix.lower() == ".png"]
    problems.add(
        f"{folder}: masks are PNG files of class indices; convert or move out",
        [path.name for path in found if path.suffix.lower() != ".png"],
    )
    if images:
        problems.add(
            f"{folder} has masks without an image in images/; move out",
            [path.name for path in pngs if composed(path.stem) not in stems],
        )
    return {stems[composed(path.stem)]: path for path in pngs if composed(path.stem) in stems}


def list_folder(folder: Path, problems: Problems, instead: str = "") -> list[Path]:
    """Everything in a folder, sorted, but what begins with a dot; `instead`: another way out."""
    with problems.gathered():
        try:
            return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(
                f"{folder} is not there: it is one of the folders that data_root must hold{instead}"
            ) from None
        except OSError as error:
            raise UserError(f"{folder} cannot be read ({error.strerror})") from error
    return []
