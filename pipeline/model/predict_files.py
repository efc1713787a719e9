"""Predicts images into a folder: masks, overlays, probabilities, a table of areas.

Every file is written whole. Files of an earlier run stay in the folder, except for those with the
same name and the table.
"""

import errno
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from PIL import Image
from torch import Tensor

from pipeline.base.atomic import whole_file
from pipeline.base.errors import UserError
from pipeline.base.progress import track
from pipeline.base.stopping import StoppedError
from pipeline.data.images import Bytes, has_sixteen_bits, write_mask
from pipeline.data.manifest import ClassList
from pipeline.data.tables import write_csv
from pipeline.model.inference import Options
from pipeline.model.photographs import Photograph, printable
from pipeline.model.predict import Model
from pipeline.report.overlay import overlay

AREAS = "areas.csv"
HEADER = ["image", "class", "pixels", "share"]
JPEG_SIDE = 65_500  # the most pixels of a JPEG's side
AHEAD = 2  # images to decode while the network works on another

Item = TypeVar("Item")
Result = TypeVar("Result")


class Export(Protocol):
    """Takes masks, to write them in another form."""

    def add(self, photograph: Path, name: str, mask_HW: Bytes) -> None:
        """Take the mask of a photograph; `name` has folders and a suffix."""


@dataclass
class PredictionLog:
    """The result of each image: rows of the table, and messages for those that failed.

    `own_range` counts photographs of 16 bits whose range in training is not known.
    """

    done: int = 0
    own_range: int = 0
    areas: list[list[str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def note(self) -> str:
        """How photographs of 16 bits were scaled; empty if that is as in training."""
        if not self.own_range:
            return ""
        one = self.own_range == 1
        return (
            f"{self.own_range} photograph{'' if one else 's'} of 16 bits, scaled by "
            f"{'its' if one else 'their'} own range: the model was trained on 8 bits"
        )

    def error(self) -> UserError:
        """All failures, one on each line."""
        lines = "".join(f"\n  {reason}" for reason in self.failed)
        return UserError(f"{len(self.failed)} of the images were not predicted:{lines}")


def predict_files(
    model: Model,
    photographs: list[Photograph],
    out: Path,
    options: Options,
    *,
    probabilities: bool = False,
    overlays: bool = True,
    export: Export | None = None,
) -> PredictionLog:
    """Predict images into `out`; if one cannot be read, the others are still predicted.

    `out` gets masks/<name>.png, overlays/<name>.jpg, probabilities/<name>.npy and areas.csv;
    `export` each photograph, the name of the file below the deepest folder that holds all, and its
    mask.

    Returns:
        the result of each; the table has been written.

    Raises:
        UserError: `out` cannot be written, or the process was asked to stop; all files written so
            far are whole, and so is the table.
    """
    log = PredictionLog()
    try:
        (out / AREAS).unlink(missing_ok=True)
        pairs = zip(photographs, ahead(photographs, partial(_read, model)), strict=True)
        for photograph, read in track(pairs, "predict", total=len(photographs)):
            if isinstance(read, UserError):
                log.failed.append(str(read))
                continue
            image, own_range = read
            try:
                mask_HW = _predict(model, image, photograph, out, options, probabilities)
                _write(photograph, image, mask_HW, model.info.class_list, out, overlays)
                if export:
                    name = f"{photograph.name}{photograph.path.suffix}"
                    export.add(photograph.path, name, mask_HW)
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
                log.failed.append(f"{photograph.path} has too long a name for its outputs; rename")
                continue
            log.areas += areas(photograph.path, mask_HW, model.classes)
            log.done += 1
            log.own_range += own_range
        write_csv(out / AREAS, HEADER, log.areas)
    except (StoppedError, OSError) as error:
        with suppress(OSError):
            write_csv(out / AREAS, HEADER, log.areas)
        raise _broken_off(error, log, len(photographs), out) from None
    return log


def _broken_off(
    error: StoppedError | OSError, log: PredictionLog, total: int, out: Path
) -> UserError:
    """The error for a run that ended early; unlike a stage, prediction does not resume."""
    if isinstance(error, StoppedError):
        why, code = str(error).partition(";")[0], error.exit_code
    else:
        why, code = f"{error.filename or out}: {error.strerror or error}", UserError.exit_code
    ended = UserError(
        f"{why}; {log.done} of {total} images are done, in {out}; the same command starts "
        "again with the first"
    )
    ended.exit_code = code
    return ended


def _read(model: Model, photograph: Photograph) -> tuple[Tensor, bool] | UserError:
    """An image, and whether its 16 bits are scaled by its own range."""
    try:
        own_range = model.info.white is None and has_sixteen_bits(photograph.path)
        return model.read(photograph.path), own_range
    except UserError as error:
        return error


def _predict(
    model: Model,
    image_3HW: Tensor,
    photograph: Photograph,
    out: Path,
    options: Options,
    probabilities: bool,
) -> Bytes:
    """An image's mask; its probabilities go to their file band by band."""
    if not probabilities:
        return np.concatenate([band.mask_RW for band in model.bands(image_3HW, options)])
    shape = (len(model.classes), *image_3HW.shape[-2:])
    masks = []
    with whole_file(out / "probabilities" / f"{photograph.name}.npy") as part:
        part.touch()
        file = np.lib.format.open_memmap(part, "w+", np.float16, shape)
        for band in model.bands(image_3HW, options, probabilities=True):
            assert band.probabilities_CRW is not None
            rows = slice(band.top, band.top + len(band.mask_RW))
            file[:, rows] = band.probabilities_CRW.numpy()
            masks.append(band.mask_RW)
        file.flush()
    return np.concatenate(masks)


def _write(
    photograph: Photograph,
    image_3HW: Tensor,
    mask_HW: Bytes,
    classes: ClassList,
    out: Path,
    overlays: bool,
) -> None:
    with whole_file(out / "masks" / f"{photograph.name}.png") as part:
        write_mask(part, mask_HW, classes)
    if overlays:
        with whole_file(out / "overlays" / f"{photograph.name}.jpg") as part:
            pixels = Image.fromarray(image_3HW.permute(1, 2, 0).contiguous().numpy())
            laid = overlay(pixels, mask_HW, classes)
            laid.thumbnail((JPEG_SIDE, JPEG_SIDE))
            laid.save(part, format="JPEG", quality=90)


def areas(path: Path, mask_HW: Bytes, classes: tuple[str, ...]) -> list[list[str]]:
    """Rows of areas.csv: the classes in an image, with their pixels and share of the image."""
    name = printable(str(path))
    counts = np.bincount(mask_HW.reshape(-1), minlength=len(classes))
    return [
        [name, classes[index], str(count), f"{count / mask_HW.size:.6f}"]
        for index, count in enumerate(counts)
        if count
    ]


def ahead(items: Iterable[Item], work: Callable[[Item], Result]) -> Iterator[Result]:
    """Results in order; a thread works on the next few."""
    with ThreadPoolExecutor(1) as pool:
        futures: deque[Future[Result]] = deque()
        for item in items:
            futures.append(pool.submit(work, item))
            if len(futures) > AHEAD:
                yield futures.popleft().result()
        while futures:
            yield futures.popleft().result()
