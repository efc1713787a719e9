"""Masks whose pixels are class indices, in the many forms people's tools write them."""

from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.data.images import MASK_FORMATS, Bytes, bits_of, open_mask
from pipeline.data.manifest import IGNORE
from pipeline.data.tiff_channels import refusal
from pipeline.datasets.folder.class_names import Labels
from pipeline.datasets.reading.findings import Findings, name_some
from pipeline.datasets.reading.manifest_rows import MaskReader, MaskSeen

NAMED = 3  # colours listed for a mask


class IndexMasks(MaskReader):
    """Reads masks of indices; what it finds in all of them is told by `tell`."""

    def __init__(self, labels: Labels, findings: Findings) -> None:
        """Take the classes that the indices mean."""
        self.labels, self.findings = labels, findings
        self.colours: dict[int, dict[tuple[int, ...], list[str]]] = defaultdict(
            lambda: defaultdict(list)
        )
        # Of two classes, masks in which 255 is the object, is ignored, or does not occur.
        self.white: list[str] = []
        self.ignoring: list[str] = []
        self.plain: list[str] = []

    def read(self, path: Path, data: bytes) -> MaskSeen:
        """Class indices of a mask, (H, W), and how they were read.

        Raises:
            UserError: it is no mask, or has an index that is no class.
        """
        with open_mask(path, data, MASK_FORMATS) as image:
            _refuse_more(path, image)
            found_HW, care = read_numbers(path, image, data)
            palette = image.getpalette() if image.mode == "P" else None
        counts = np.bincount(found_HW.ravel(), minlength=256)
        present = [int(value) for value in np.flatnonzero(counts)]
        if palette is not None:
            for value in present:
                colour = tuple(palette[3 * value : 3 * value + 3])
                self.colours[value][colour].append(path.name)
        table = np.zeros(max(256, len(counts)), np.uint8)
        table[: len(self.labels.indices)] = self.labels.indices
        table[IGNORE] = IGNORE
        if len(self.labels.classes) == 2:
            drawn = 1 in table[[value for value in present if value != IGNORE]]
            seen = self.plain if IGNORE not in present else self.ignoring if drawn else self.white
            if seen is self.white:
                table[IGNORE] = 1
                care += (f"with a mask of 0 and 255, read as {self.labels.classes.names[1]}",)
            if drawn or seen is self.white:
                seen.append(path.name)
        self._refuse_odd(path, present)
        mask_HW: Bytes = table[found_HW]
        plain = image.format == "PNG" and not care and np.array_equal(mask_HW, found_HW)
        return MaskSeen(mask_HW, care, written=not plain)

    def tell(self) -> None:
        """Add to the findings what only all masks together show."""
        if self.labels.first:
            self.findings.warn(
                f"The first line of {self.labels.place}, index 0, is read as the background",
                [self.labels.first],
                "Call it background if it is; otherwise add the line background above it.",
            )
        objects, own = self.labels.classes.names[1], self.labels.indices.index(1)
        if self.white and self.ignoring:
            self.findings.add(
                f"255 is ignored in masks that have {objects}, too ({self.ignoring[0]}), so it is "
                f"unclear in these; write it as {own} if it is {objects}, as 0 if it is background",
                self.white,
            )
        elif self.white and self.plain:
            self.findings.warn(
                f"Some masks have {objects} as {own}, others as 255",
                [f"{len(self.plain)} as {self.plain[0]}", f"{len(self.white)} as {self.white[0]}"],
                "Fine if 255 is the object in the latter; if it is ignored there, write it as 0.",
            )
        odd = [
            f"index {index} is "
            + " and ".join(f"{_rgb(c)} in {name_some(f, most=2)}" for c, f in each.items())
            for index, each in sorted(self.colours.items())
            if len(each) > 1
        ]
        self.findings.warn(
            "The palettes of masks differ",
            odd,
            "Indices count here, not colours; if colours should, write colours.csv.",
        )

    def _refuse_odd(self, path: Path, present: list[int]) -> None:
        """Refuse indices that are neither classes nor 255."""
        highest = max((value for value in present if value != IGNORE), default=0)
        count = len(self.labels.indices)
        if highest < count:
            return
        if highest == count and self.labels.first:
            raise UserError(f"{path} holds the class index {highest}; {self.labels.line_to_add}")
        few = "" if len(present) <= count + 2 else "; grey between two indices comes from scaling"
        raise UserError(
            f"{path} holds the class index {highest}, but there are only {count} classes "
            f"(0 is background, 255 is ignored); correct it, or add the class{few}"
        )


def read_numbers(
    path: Path, image: Image.Image, data: bytes
) -> tuple[NDArray[np.integer], tuple[str, ...]]:
    """The numbers in a mask's pixels, (H, W), and what care that takes.

    Raises:
        UserError: they are no single numbers below 256, or the mask has several frames.
    """
    mode, bits = image.mode, bits_of(image, data)
    if mode == "P":
        return np.asarray(image), ()
    if mode == "1":
        return np.asarray(image).astype(np.uint8), ("with a mask of single bits",)
    if mode == "L" and bits < 8:  # Pillow spreads 2 and 4 bits over 0 to 255
        spread = 255 // (2**bits - 1)
        return np.asarray(image) // spread, (f"with a mask of {bits} bits",)
    if mode == "L":
        return np.asarray(image), ()
    if mode in ("RGB", "RGBA", "LA") and bits == 8:
        bands_HWC = np.asarray(image)
        grey_HW = bands_HWC[..., 0]
        if mode != "LA" and (bands_HWC[..., :3] != grey_HW[..., None]).any():
            raise UserError(
                f"{path} is a mask of colours, {list_colours(bands_HWC)}; write their classes into "
                "colours.csv: name,red,green,blue"
            )
        if mode in ("RGBA", "LA") and np.ptp(grey_HW) == 0 < np.ptp(bands_HWC[..., -1]):
            raise UserError(f"{path} has its shape in its transparency alone; save it as grey")
        return grey_HW, (f"with a mask in {mode}",)
    if mode.startswith("I"):
        wide_HW = np.asarray(image).astype(np.int64)
        wide_HW[wide_HW == 2**16 - 1] = IGNORE
        if wide_HW.min() < 0 or wide_HW.max() > IGNORE:
            raise UserError(f"{path} holds the number {wide_HW.max()}; class indices end at 255")
        return wide_HW, (f"with a mask of {bits} bits",)
    raise UserError(
        f"{path} is a mask of {bits} bits in mode {mode}; save its indices in grey with 8 bits"
    )


def _refuse_more(path: Path, image: Image.Image) -> None:
    """Refuse a mask with more in it than one number for each pixel."""
    if getattr(image, "n_frames", 1) > 1:
        raise UserError(f"{path} has several frames; save one mask a file")
    odd = refusal(image.tag_v2) if image.format == "TIFF" else ""  # type: ignore[attr-defined]
    if odd:
        raise UserError(f"{path} cannot be read as a mask: {odd}")


def list_colours(bands_HWC: Bytes) -> str:
    """The most frequent colours in an image, for a message."""
    colours, counts = np.unique(bands_HWC[..., :3].reshape(-1, 3), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    texts = [_rgb(tuple(colours[place].tolist())) for place in order[:NAMED]]
    rest = len(colours) - NAMED
    return "such as " + " and ".join(texts) + (f" and {rest} more" if rest > 0 else "")


def _rgb(colour: tuple[int, ...]) -> str:
    """A colour as people write it."""
    return ",".join(map(str, colour))
