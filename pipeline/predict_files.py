"""What a prediction leaves behind: masks, overlays, probabilities, a table of areas.

Every file is written whole. What an earlier run left in the folder stays, but for files of the
same name and the table.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image
from torch import Tensor

from pipeline.atomic import whole_file
from pipeline.errors import UserError
from pipeline.images import Bytes, write_mask
from pipeline.inference import Options
from pipeline.manifest import ClassList
from pipeline.overlay import overlay
from pipeline.photographs import Photograph
from pipeline.predict import Model, as_tensor
from pipeline.progress import track
from pipeline.results import write_csv
from pipeline.stopping import StoppedError

AREAS = "areas.csv"
HEADER = ["image", "class", "pixels", "share"]
AHEAD = 2  # images that are decoded while the network is busy with another

Source = TypeVar("Source")
Result = TypeVar("Result")


@dataclass
class Outcome:
    """What became of the images: rows of the table, and what went wrong with whom."""

    done: int = 0
    areas: list[list[str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def error(self) -> UserError:
        """All that went wrong, a line each."""
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
) -> Outcome:
    """Predict images into `out`; one that cannot be read does not keep the others.

    `out` gets masks/<name>.png, overlays/<name>.jpg, probabilities/<name>.npy and areas.csv.

    Returns:
        what became of them; the table is written by then.

    Raises:
        UserError: `out` cannot be written, or the process was asked to stop; what is there is
            whole, the table, too.
    """
    outcome = Outcome()
    try:
        (out / AREAS).unlink(missing_ok=True)
        pairs = zip(photographs, ahead(photographs, _read), strict=True)
        for photograph, image in track(pairs, "predict", total=len(photographs)):
            if isinstance(image, UserError):
                outcome.failed.append(str(image))
                continue
            mask_HW = _predict(model, image, photograph, out, options, probabilities)
            _write(photograph, image, mask_HW, model.info.class_list, out, overlays)
            outcome.areas += areas(photograph.path, mask_HW, model.classes)
            outcome.done += 1
        write_csv(out / AREAS, HEADER, outcome.areas)
    except (StoppedError, OSError) as error:
        with suppress(OSError):
            write_csv(out / AREAS, HEADER, outcome.areas)
        raise _broken_off(error, outcome, len(photographs), out) from None
    return outcome


def _broken_off(
    error: StoppedError | OSError, outcome: Outcome, total: int, out: Path
) -> UserError:
    """What to tell when not all images were come to; unlike a stage, nothing goes on from there."""
    if isinstance(error, StoppedError):
        why, code = str(error).partition(";")[0], error.exit_code
    else:
        why, code = f"{error.filename or out}: {error.strerror or error}", UserError.exit_code
    told = UserError(
        f"{why}; {outcome.done} of {total} images are whole in {out}, and the same command begins "
        "with the first again"
    )
    told.exit_code = code
    return told


def _read(photograph: Photograph) -> Tensor | UserError:
    try:
        return as_tensor(photograph.path)
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
            laid.save(part, format="JPEG", quality=90)


def areas(path: Path, mask_HW: Bytes, classes: tuple[str, ...]) -> list[list[str]]:
    """Rows of areas.csv: the classes an image holds, with pixels and share of the image."""
    # A name may hold bytes that are no text; they are written as \\udc followed by two digits.
    name = str(path).encode("utf-8", "backslashreplace").decode("utf-8")
    counts = np.bincount(mask_HW.reshape(-1), minlength=len(classes))
    return [
        [name, classes[index], str(count), f"{count / mask_HW.size:.6f}"]
        for index, count in enumerate(counts)
        if count
    ]


def ahead(sources: Iterable[Source], work: Callable[[Source], Result]) -> Iterator[Result]:
    """Results in order, the next few already under way in a thread."""
    with ThreadPoolExecutor(1) as pool:
        futures: deque[Future[Result]] = deque()
        for source in sources:
            futures.append(pool.submit(work, source))
            if len(futures) > AHEAD:
                yield futures.popleft().result()
        while futures:
            yield futures.popleft().result()
