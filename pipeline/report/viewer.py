"""Data of the page's viewer: pictures that the browser stacks, and their numbers.

Masks are grey PNGs whose value is the class index. The browser colours them (scripts/colours.js),
so outlines, errors, hidden classes and other palettes need no other picture, and no script reads
pixels. Which class is under the pointer the script knows from the indices, written apart.
Shape legend: C classes, H W image, h w grid of the seeds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.base.progress import track
from pipeline.data.images import BORDER_COLOUR, Bytes, read_image
from pipeline.data.manifest import ClassList, Manifest, Row
from pipeline.data.pairs import made_by
from pipeline.report.pictures import (
    proxy_layers,
    proxy_scores,
    read_indices,
    read_prediction,
    read_proxy,
    read_seed_grids,
)
from pipeline.report.scored_networks import dsrg_row, subject
from pipeline.report.strips import TINY, spread_evenly
from pipeline.report.viewer_layers import LayerFiles, delete_files, inline_bytes
from pipeline.scoring.metrics import class_iou, confusion_matrix, mean_present
from pipeline.settings.needs import needed_by
from pipeline.settings.params import Params

LONGEST = 512  # pixels of a picture's longer side; VOC's have 500 and stay as they are
THUMBNAIL = 128  # pixels of a thumbnail's longer side, twice its size on the page
VAL_MOST = 5000  # val images shown, all of COCO's; of more, evenly spaced ones
WEAK_WORST = 100  # weak images with the worst proxies, and
WEAK_SPREAD = 200  # evenly spaced ones of the weak list; COCO has 98,000
# Bytes of pictures in the page itself: it can still be mailed, and opens at once. More pictures are
# files beside it, and the browser loads those that the user looks at.
INLINE = 8_000_000

Masks = dict[str, Bytes]
# VOC's own colours are dark and dull over a photograph. Of these the first are furthest apart; the
# classes of a data set get them in turn, like the others below (scripts/colours.js).
BRIGHT = (
    *("#ff1f3d", "#2f6bff", "#ffe600", "#ff2bd6", "#00e5ff", "#ff8000", "#14e000", "#8a1fff"),
    *("#00ffa2", "#ff9ed2", "#b8ff1f", "#a83a00", "#00128f", "#009688", "#b0005e", "#b7a1ff"),
    *("#007a29", "#a38c00", "#ffc08a", "#4f93b8"),
)
# For colour-blind readers: Okabe and Ito's seven hues (2008) in the order in which an image's
# classes get them, then the same paler.
SAFE = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
PALER = ("#f5d899", "#bbe1f6", "#99d8c7", "#f9f4b4", "#99c7e0", "#eebf99", "#ebc9dc")


def write_viewer(
    params: Params, manifest: Manifest, weak: Sequence[str], folder: Path
) -> dict[str, Any]:
    """Make the viewer's pictures; if they are few, they go into the page.

    Args:
        params: all of params.yaml.
        manifest: the data set.
        weak: ids of the weak images.
        folder: where index.html goes; if there are many pictures, they go into its folder viewer/.

    Returns:
        what the page's script reads, for JSON; `inline`: it contains the pictures.

    Raises:
        UserError: a mask is missing or has another size than its image.
    """
    made = [val_set(params, manifest, folder), weak_set(params, manifest, weak, folder)]
    return viewer_values(manifest.classes, made, folder)


def viewer_values(classes: ClassList, made: Sequence["ImageSet"], folder: Path) -> dict[str, Any]:
    """What the page's script reads of sets whose pictures are in `folder`, for JSON.

    Few pictures go into it, and their files are deleted; `inline` says so.
    """
    inline = inline_bytes(chosen.files for chosen in made) <= INLINE
    sets = [chosen.told(inline) for chosen in made if chosen.rows]
    if inline:
        delete_files(folder)
    return {
        "classes": list(classes.names),
        "colours": ["#000000", *BRIGHT],
        "no_label": as_hex(BORDER_COLOUR),
        "safe": [*SAFE, *PALER],
        "inline": inline,
        "sets": sets,
    }


@dataclass(frozen=True)
class ImageSet:
    """Images to choose from: their layers, and the numbers of each (`numbers`)."""

    rows: Sequence[Row]
    main: str  # the layer the set is about
    scored: list[str]
    tiny: bool
    files: LayerFiles
    sizes: list[tuple[int, int]]
    counted: list[dict[str, Any]]

    def told(self, inline: bool) -> dict[str, Any]:
        """The set for the page's script, by column."""
        layers = [
            layer.told(len(self.rows), self.files.folder, inline)
            for layer in self.files.layers.values()
        ]
        columns = {key: [one[key] for one in self.counted] for key in self.counted[0]}
        return {
            "key": self.files.key,
            "main": self.main,
            "scored": self.scored,
            "pairs": list(combinations(range(len(self.scored)), 2)),
            "tiny": self.tiny,
            "ids": [row.id for row in self.rows],
            "tags": [row.tags for row in self.rows],
            "sizes": self.sizes,
            **columns,
            "layers": layers,
            "indices": self.files.told_indices(inline),
        }


def val_set(params: Params, manifest: Manifest, folder: Path) -> ImageSet:
    """Val images, at most 5,000, with the predictions of all networks of the first seed.

    Raises:
        UserError: a prediction is missing or has another size than its image.
    """
    names = [*dsrg_row(params), *params.variants]

    def masks(row: Row) -> Masks:
        truth_HW = read_indices(manifest.truth_path(row))
        return {"truth": truth_HW} | {n: read_prediction(n, row.id, truth_HW) for n in names}

    rows = manifest.scored()
    rows = [rows[place] for place in spread_evenly(len(rows), VAL_MOST)]
    files = LayerFiles(folder, "val")
    return write_set(manifest, files, rows, masks, names, subject(params.variants))


def weak_set(params: Params, manifest: Manifest, weak: Sequence[str], folder: Path) -> ImageSet:
    """Weak images that all generators made a proxy of, with seeds and, if known, true masks.

    Raises:
        UserError: the seeds or a proxy are missing, or a mask has another size than its image.
    """
    layers, generators = proxy_layers(params.proxy.generators), params.proxy.generators
    made = set.intersection(*(set(made_by(generator)) for generator in generators))
    shown = set(chosen_weak([name for name in weak if name in made], generators[0]))
    seeds = read_seed_grids(manifest, shown) if needed_by(params)["dsrg"] else {}

    def masks(row: Row) -> Masks:
        found = {"truth": read_indices(manifest.path(row.mask), row.size)} if row.mask else {}
        if row.id in seeds:
            grid = Image.fromarray(seeds[row.id])
            found["seeds"] = np.array(grid.resize(row.size, Image.Resampling.NEAREST))
        return found | {name: read_proxy(row.id, by, row.size) for name, by in layers.items()}

    rows = [row for row in manifest.train() if row.id in shown]
    files = LayerFiles(folder, "weak")
    return write_set(manifest, files, rows, masks, list(layers), next(iter(layers)))


def chosen_weak(weak: Sequence[str], generator: str) -> list[str]:
    """Weak images to show: those with a generator's worst proxies, if known, and evenly spaced."""
    spread = [weak[place] for place in spread_evenly(len(weak), WEAK_SPREAD)]
    scores = proxy_scores(set(weak), generator)
    worst = sorted(scores, key=lambda name: (scores[name], name))[:WEAK_WORST]
    return list(dict.fromkeys([*worst, *spread]))


def as_hex(colour: tuple[int, int, int]) -> str:
    """A colour in CSS notation.

    >>> as_hex((224, 224, 192))
    '#e0e0c0'
    """
    return "#" + bytes(colour).hex()


def write_set(
    manifest: Manifest,
    files: LayerFiles,
    rows: Sequence[Row],
    read: Callable[[Row], Masks],
    scored: list[str],
    main: str,
) -> ImageSet:
    """Write the pictures of `rows` and compute their numbers."""
    tiny = all(max(row.size) <= TINY for row in rows)
    sizes, counted = [], []
    for place, row in enumerate(track(rows, f"report: viewer, {files.key}", len(rows))):
        photograph, masks, small = read_image(manifest.path(row.image)), read(row), Masks()
        photograph.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
        sizes.append(photograph.size)
        files.put("photograph", place, photograph)
        for name, mask_HW in masks.items():
            mask = Image.fromarray(mask_HW).resize(photograph.size, Image.Resampling.NEAREST)
            files.put(name, place, mask)
            small[name] = np.asarray(mask)
        files.put_indices(place, small)
        if not tiny:
            photograph.thumbnail((THUMBNAIL, THUMBNAIL))
            files.put("thumbnail", place, photograph)
        counted.append(numbers(masks, scored, len(manifest.classes)))
    return ImageSet(rows, main, scored, tiny, files, sizes, counted)


def numbers(masks: Masks, scored: Sequence[str], classes: int) -> dict[str, Any]:
    """The numbers of one image.

    Args:
        masks: masks of one size by name, with `truth` if it is known.
        scored: names of the masks to compare with the truth and with each other.
        classes: number of classes C.

    Returns:
        `present`, every index in any mask; `iou`, the mean IoU of each scored mask within the
        image, and `by_class`, its IoU of each index present, both in percent, None where there is
        no value; `apart`, the share of pixels in percent in which two of `scored` differ, by pair.
    """
    present = sorted(set().union(*(np.unique(mask_HW).tolist() for mask_HW in masks.values())))
    iou: list[float | None] = [None] * len(scored)
    by_class: list[list[float | None]] = [[] for _ in scored]
    if "truth" in masks:
        counts = [confusion_matrix(masks["truth"], masks[name], classes) for name in scored]
        found = [class_iou(confusion) for confusion in counts]
        iou = [_short(mean_present(iou_C)) for iou_C in found]
        by_class = [
            [_short(iou_C[index]) if index < classes else None for index in present]
            for iou_C in found
        ]
    pairs = combinations(scored, 2)
    apart = [_short(100 * float(np.mean(masks[a] != masks[b]))) for a, b in pairs]
    return {"present": present, "iou": iou, "by_class": by_class, "apart": apart}


def _short(value: float) -> float | None:
    """A number with one decimal; None for NaN."""
    return round(float(value), 1) if np.isfinite(value) else None
