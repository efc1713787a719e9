"""Picture grids in the manner of the paper's Fig. 7, as small images inside the page."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.errors import need
from pipeline.images import Bytes, palette_bytes, read_image, read_mask
from pipeline.manifest import ClassList, Manifest, Row
from pipeline.params import Params
from pipeline.paths import PREDICTIONS, PROXY, SEEDS
from pipeline.plan import proxy_path
from pipeline.progress import track
from pipeline.report.sources import stale

LONGEST = 320  # pixels of a picture's longer side on the page
TINY = 128  # up to here photographs stay lossless, and are enlarged pixel by pixel


@dataclass(frozen=True)
class Picture:
    """One picture of a row: a data URI, what it shows, and what stands under it."""

    uri: str
    size: tuple[int, int]
    alt: str
    caption: str
    tiny: bool


@dataclass(frozen=True)
class Strip:
    """One image of the data set and all that belongs to it, side by side."""

    id: str
    tags: tuple[str, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Grid:
    """Strips below each other, and the classes that appear in any of them (255: no label)."""

    strips: tuple[Strip, ...]
    indices: tuple[int, ...]


def spread_evenly(count: int, rows: int) -> list[int]:
    """Places of `rows` things spread evenly over `count`, all where there are fewer.

    >>> spread_evenly(100, 4), spread_evenly(2, 4)
    ([12, 37, 62, 87], [0, 1])
    """
    rows = min(rows, count)
    return [(2 * place + 1) * count // (2 * rows) for place in range(rows)]


def prediction_path(variant: str, image_id: str) -> Path:
    """Where stage evaluate writes a prediction.

    Raises:
        UserError: it is not there.
    """
    return need(PREDICTIONS / variant / f"{image_id}.png", f"evaluate {variant}")


def val_grid(params: Params, manifest: Manifest) -> Grid:
    """Val images spread evenly from the worst to the best prediction of the last variant.

    Raises:
        UserError: a prediction is missing or has another size than its image.
    """
    last, classes = params.variants[-1], len(manifest.classes)
    rows = [row for row in manifest.of("val") if row.mask]
    scores = []
    for row in track(rows, "report: rank val images"):
        truth_HW = _indices(manifest.path(row.mask))
        mask_HW = _indices(prediction_path(last, row.id))
        if mask_HW.shape != truth_HW.shape:
            path = prediction_path(last, row.id)
            raise stale(path, "has another size than its image", f"evaluate {last}")
        scores.append(image_iou(truth_HW, mask_HW, classes))
    order = [rows[place] for place in np.argsort(scores, kind="stable")]
    chosen = [order[place] for place in spread_evenly(len(order), params.report.rows)]
    return _grid(_val_strip(manifest, params.variants, row) for row in chosen)


def proxy_grid(params: Params, manifest: Manifest, weak: Sequence[str]) -> Grid:
    """Weak images spread evenly over the weak list, with their seeds and proxies.

    Raises:
        UserError: the seeds or a proxy are missing.
    """
    path = need(SEEDS / "seeds.npy", "seeds")
    seeds_Nhw = np.load(path, mmap_mode="r")
    rows = manifest.train()
    if len(seeds_Nhw) != len(rows):
        raise stale(path, "was made for another data set", "seeds")
    chosen = [weak[place] for place in spread_evenly(len(weak), params.report.rows)]
    places = {row.id: (place, row) for place, row in enumerate(rows) if row.id in chosen}
    return _grid(
        _proxy_strip(manifest, places[name][1], np.array(seeds_Nhw[places[name][0]]))
        for name in chosen
    )


def _grid(made: Iterable[tuple[Strip, set[int]]]) -> Grid:
    strips, used = [], set()
    for strip, indices in made:
        strips.append(strip)
        used |= indices
    return Grid(tuple(strips), tuple(sorted(used)))


def _val_strip(manifest: Manifest, variants: Sequence[str], row: Row) -> tuple[Strip, set[int]]:
    truth_HW = _indices(manifest.path(row.mask))
    strip = _Builder(manifest.classes, row, manifest.path(row.image))
    strip.add_mask(truth_HW, "truth", f"true mask of {row.id}")
    for name in variants:
        mask_HW = _indices(prediction_path(name, row.id))
        score = f"{image_iou(truth_HW, mask_HW, len(manifest.classes)):.0f}"
        strip.add_mask(mask_HW, f"{name} {score}", f"prediction of {name} for {row.id}")
    return strip.done()


def _proxy_strip(manifest: Manifest, row: Row, seeds_hw: Bytes) -> tuple[Strip, set[int]]:
    strip = _Builder(manifest.classes, row, manifest.path(row.image))
    if row.mask:
        strip.add_mask(_indices(manifest.path(row.mask)), "truth", f"true mask of {row.id}")
    strip.add_mask(seeds_hw, "seeds", f"localisation seeds of {row.id}")
    proxy_HW = _indices(need(proxy_path(row.id, PROXY), "proxy"))
    strip.add_mask(proxy_HW, "proxy", f"proxy mask of {row.id}")
    return strip.done()


class _Builder:
    """Adds pictures to a strip, all at the size of its photograph."""

    def __init__(self, classes: ClassList, row: Row, image: Path) -> None:
        self.classes, self.row, self.used = classes, row, set[int]()
        photograph = read_image(image)
        self.tiny = max(photograph.size) <= TINY
        photograph.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
        self.size = photograph.size
        self.pictures = [self._picture(photograph, f"image {row.id}", "image")]

    def add_mask(self, mask_HW: Bytes, caption: str, alt: str) -> None:
        """Add a mask of class indices; the text for the blind names the classes it holds."""
        self.used |= set(np.unique(mask_HW).tolist())
        names = [self.classes.names[i] for i in np.unique(mask_HW) if 0 < i < len(self.classes)]
        image = Image.fromarray(mask_HW).resize(self.size, Image.Resampling.NEAREST)
        image.putpalette(palette_bytes(self.classes))
        self.pictures.append(self._picture(image, f"{alt}: {', '.join(names) or 'none'}", caption))

    def done(self) -> tuple[Strip, set[int]]:
        """The strip and the class indices its masks hold."""
        tags = tuple(self.classes.names[tag] for tag in self.row.tags)
        return Strip(self.row.id, tags, tuple(self.pictures)), self.used

    def _picture(self, image: Image.Image, alt: str, caption: str) -> Picture:
        buffer = io.BytesIO()
        kind = "jpeg" if image.mode == "RGB" and not self.tiny else "png"
        image.save(buffer, format=kind, quality=82, optimize=True)
        data = base64.b64encode(buffer.getvalue()).decode()
        return Picture(f"data:image/{kind};base64,{data}", image.size, alt, caption, self.tiny)


def _indices(path: Path) -> Bytes:
    return np.array(read_mask(path))


def legend(classes: ClassList, indices: Sequence[int]) -> list[tuple[str, str]]:
    """Name and CSS colour of every index in a grid; 255 is what has no label."""
    colours = palette_bytes(classes)
    entries = []
    for index in indices:
        red, green, blue = colours[3 * index : 3 * index + 3]
        name = classes.names[index] if index < len(classes) else "no label"
        entries.append((name, f"rgb({red} {green} {blue})"))
    return entries
