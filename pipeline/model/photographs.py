"""The images to predict, from files, folders, patterns or a list; and a name for each output.

What is in the folders and no image is told, but for what systems leave there.
"""

import glob
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline.base.errors import UserError
from pipeline.data import heic
from pipeline.data.images import SUCH_AS, SUFFIXES, is_system_file

STDIN = "-"
NAMED = 3  # files of a kind that are named; the others are counted
# Folders of masks beside such of images, or beside images, as data sets have them.
IMAGES = {"images", "jpegimages"}
MASKS = {"masks", "labelme", "segmentationclass", "segmentationclasspng", "segmentationobject"}


@dataclass(frozen=True)
class Photograph:
    """An image to predict.

    Attributes:
        path: the file.
        name: of its outputs, without suffix; / separates folders.
    """

    path: Path
    name: str


@dataclass
class PassedOver:
    """What a search in folders left out, by path; systems' files are not told."""

    files: list[Path] = field(default_factory=list)
    heic: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    links: list[Path] = field(default_factory=list)
    closed: list[Path] = field(default_factory=list)

    def __str__(self) -> str:
        """One line; empty if there is nothing to tell."""
        told = (
            _several(self.files, "file", " that cannot be read as images"),
            _several(self.heic, "HEIC photograph", after=f": {heic.INSTALL}"),
            _several(self.folders, "folder", " of masks beside images"),
            _several(self.links, "link", " to folders"),
            _several(self.closed, "folder", " that cannot be opened"),
        )
        parts = [part for part in told if part]
        return f"passed over: {'; '.join(parts)}" if parts else ""


@dataclass(frozen=True)
class Found:
    """The images, each once, in the order given, those of a folder by name; and what is none."""

    photographs: list[Photograph]
    passed_over: PassedOver


def find_photographs(sources: Sequence[str], out: Path) -> Found:
    """The images of files, folders, patterns and of a list on standard input.

    Folders are searched with all subfolders, for suffixes of images; system files, `out`, and
    folders of masks beside one of images are skipped. A file given by name may have any suffix.
    Outputs keep the images' folders, below the deepest one that contains them all.

    Args:
        sources: what the user typed; `-` is a list on standard input, one per line.
        out: the folder of outputs.

    Raises:
        UserError: a file or folder is missing, a pattern matches nothing, a folder has no images.
    """
    bases: list[str] = []
    paths: dict[str, Path] = {}
    passed_over = PassedOver()
    for source in _expanded(sources):
        path = Path(source)
        if os.path.isdir(source):
            bases.append(os.path.abspath(path))
            found = _in_folder(path, out, passed_over)
            if not found:
                raise UserError(
                    f"{source} holds no images ({SUCH_AS}); give another folder"
                    + (f"; {passed_over}" if str(passed_over) else "")
                )
        elif os.path.exists(source):
            bases.append(os.path.dirname(os.path.abspath(path)))
            found = [path]
        else:
            name = source or "an empty name"
            raise UserError(f"{name} is not there; give files, folders or patterns of images")
        for path in found:
            paths.setdefault(os.path.abspath(path), path)
    names = output_names(list(paths), os.path.commonpath(bases))
    pairs = zip(paths.values(), names, strict=True)
    return Found([Photograph(path, name) for path, name in pairs], passed_over)


def make_out(out: Path) -> None:
    """Make the folder of outputs before predicting anything.

    Raises:
        UserError: it cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise UserError(f"--out {out} cannot be written ({error.strerror}): give another") from None


def _expanded(sources: Sequence[str]) -> Iterable[str]:
    """Replace `-` by the list on standard input, and patterns by their matches."""
    for source in sources:
        if source == STDIN:
            listed = [os.fsdecode(line.rstrip(b"\r\n")) for line in sys.stdin.buffer]
            if not any(listed):
                raise UserError("- stands for a list on standard input, which is empty")
            yield from filter(None, listed)
        elif glob.has_magic(source) and not os.path.lexists(source):
            found = sorted(glob.glob(source, recursive=True))
            matches = [path for path in found if not is_system_file(os.path.basename(path))]
            if not matches:
                raise UserError(f"{source} matches no file; ** stands for folders at any depth")
            yield from matches
        else:
            yield source


def _in_folder(folder: Path, out: Path, passed_over: PassedOver) -> list[Path]:
    """Images in and below a folder, by name."""
    found = []
    for top, folders, files in os.walk(folder, onerror=lambda error: _closed(error, passed_over)):
        parent = Path(top)
        images_here = any(Path(name).suffix.lower() in SUFFIXES for name in files)
        folders[:] = _to_search(parent, folders, images_here, out, passed_over)
        for path in (parent / name for name in sorted(files) if not is_system_file(name)):
            suffix = path.suffix.lower()
            if suffix in SUFFIXES:
                found.append(path)
            else:
                (passed_over.heic if suffix in heic.SUFFIXES else passed_over.files).append(path)
    return found


def _to_search(
    parent: Path, folders: list[str], images_here: bool, out: Path, passed_over: PassedOver
) -> list[str]:
    """The folders in `parent` to search, by name; `images_here`: there are images beside them."""
    beside_images = images_here or bool(IMAGES & {name.casefold() for name in folders})
    kept = []
    for name in sorted(folders):
        path = parent / name
        if is_system_file(name) or os.path.abspath(path) == os.path.abspath(out):
            continue
        if beside_images and name.casefold() in MASKS:
            passed_over.folders.append(path)
        elif path.is_symlink():
            passed_over.links.append(path)
        else:
            kept.append(name)
    return kept


def _closed(error: OSError, passed_over: PassedOver) -> None:
    """Take down a folder that cannot be listed."""
    passed_over.closed.append(Path(error.filename))


def _several(paths: Sequence[Path], what: str, why: str = "", after: str = "") -> str:
    """How many they are and the first ones; empty if there is none."""
    names = list({os.path.abspath(path): path.name for path in paths}.values())
    if not names:
        return ""
    first = ", ".join(names[:NAMED] + ["…"] * (len(names) > NAMED))
    return f"{len(names)} {what}{'s' * (len(names) > 1)}{why} ({first}){after}"


def printable(text: str) -> str:
    r"""Text whose bytes of names that are no text are written out.

    >>> print(printable("a\udce9.jpg"))
    a\udce9.jpg
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def output_names(paths: Sequence[str], base: str) -> list[str]:
    """Names below `base`; if two differ only by suffix or case, they keep the suffix.

    >>> output_names(["/a/1.jpg", "/a/b/1.jpg", "/a/b/1.png"], "/a")
    ['1', 'b/1.jpg', 'b/1.png']
    """
    relative = [PurePosixPath(Path(os.path.relpath(path, base)).as_posix()) for path in paths]
    bare = [str(name.with_suffix("")) for name in relative]
    counts = Counter(name.casefold() for name in bare)
    chosen = [
        short if counts[short.casefold()] == 1 else str(name)
        for short, name in zip(bare, relative, strict=True)
    ]
    again = Counter(name.casefold() for name in chosen)
    return [  # A.JPG and a.jpg may be two images here, but one file on a disk that ignores case
        name if again[name.casefold()] == 1 else f"{name}-{place}"
        for place, name in enumerate(chosen, start=1)
    ]
