"""The images to predict, from files, folders, patterns or a list; and a name for each output."""

import glob
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.base.errors import UserError
from pipeline.data.images import SUFFIXES

STDIN = "-"


@dataclass(frozen=True)
class Photograph:
    """An image to predict.

    Attributes:
        path: the file.
        name: of its outputs, without suffix; / separates folders.
    """

    path: Path
    name: str


def find_photographs(sources: Sequence[str], out: Path) -> list[Photograph]:
    """The images of files, folders, patterns and of a list on standard input.

    Folders are searched with all subfolders, for suffixes that stage download accepts; names that
    start with a dot, and `out`, are skipped. A file given by name may have any suffix. Outputs keep
    the images' folders, below the deepest one that contains them all.

    Args:
        sources: what the user typed; `-` is a list on standard input, one per line.
        out: the folder of outputs.

    Returns:
        the images, each once, in the order given; those of a folder by name.

    Raises:
        UserError: a file or folder is missing, a pattern matches nothing, a folder has no images.
    """
    bases: list[str] = []
    paths: dict[str, Path] = {}
    for source in _expanded(sources):
        path = Path(source)
        if path.is_dir():
            bases.append(os.path.abspath(path))
            found = _in_folder(path, out)
            if not found:
                kinds = " ".join(SUFFIXES)
                raise UserError(f"{source} holds no images ({kinds}); give another folder")
        elif path.exists():
            bases.append(os.path.dirname(os.path.abspath(path)))
            found = [path]
        else:
            raise UserError(f"{source} is not there; give files, folders or patterns of images")
        for path in found:
            paths.setdefault(os.path.abspath(path), path)
    names = output_names(list(paths), os.path.commonpath(bases))
    return [Photograph(path, name) for path, name in zip(paths.values(), names, strict=True)]


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
            listed = [line.rstrip("\r\n") for line in sys.stdin]
            if not any(listed):
                raise UserError("- stands for a list on standard input, which is empty")
            yield from filter(None, listed)
        elif glob.has_magic(source) and not os.path.lexists(source):
            matches = sorted(glob.glob(source, recursive=True))
            if not matches:
                raise UserError(f"{source} matches no file; ** stands for folders at any depth")
            yield from matches
        else:
            yield source


def _in_folder(folder: Path, out: Path) -> list[Path]:
    """Images in and below a folder, by name."""
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and os.path.abspath(Path(parent, name)) != os.path.abspath(out)
        )
        found += [
            Path(parent, name)
            for name in sorted(files)
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
    return found


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
