"""How many clicks it takes to draw masks, and to correct proxies instead, by a stated count.

    python -m docs.results.next.work TRUE PROXIES --count 20

TRUE and PROXIES are folders of masks of the same names. To draw a mask takes a click for each
corner of its outlines. To correct a proxy takes a click for each of its corners that is more than
a tolerance off the true border of its class, to drag it or to delete it, and one for each true
corner that is more than that off the proxy's border, to put a corner there. Where that is more than
to draw the mask, it is drawn.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy import ndimage

from pipeline.data.images import Bytes, read_mask, resize_mask
from pipeline.data.manifest import IGNORE
from pipeline.data.randomness import rng
from pipeline.editable.outlines import Outlined, outline

SPECKS = 0.0005
TOLERANCE = 1 / 64  # of the longer side
SECONDS = 1.5  # a click, the moving included


def main(
    true: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    proxies: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    count: Annotated[int, typer.Option(help="Photographs, drawn at random.")] = 20,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
) -> None:
    """Count the clicks."""
    names = sorted(path.name for path in proxies.glob("*.png") if (true / path.name).exists())
    chosen = [names[place] for place in rng(seed, 17).permutation(len(names))[:count]]
    draw = correct = redrawn = 0
    for name in chosen:
        proxy_HW = np.asarray(read_mask(proxies / name))
        true_HW = np.asarray(read_mask(true / name))
        true_HW = np.where(true_HW == IGNORE, 0, true_HW).astype(np.uint8)
        drawing, correcting = clicks(resize_mask(true_HW, proxy_HW.shape[::-1]), proxy_HW)
        draw += drawing
        correct += min(drawing, correcting)
        redrawn += correcting >= drawing
    minutes = [clicked * SECONDS / 60 for clicked in (draw, correct)]
    typer.echo(f"{len(chosen)} masks: {draw} clicks to draw, about {minutes[0]:.0f} minutes")
    typer.echo(
        f"to correct: {correct} clicks, about {minutes[1]:.0f} minutes; {redrawn} of them are "
        "drawn anew"
    )


def clicks(true_HW: Bytes, proxy_HW: Bytes) -> tuple[int, int]:
    """Clicks to draw a mask, and to make it of a proxy."""
    tolerance = TOLERANCE * max(true_HW.shape)
    true, proxy = outline(true_HW, SPECKS), outline(proxy_HW, SPECKS)
    drawing = sum(len(region.ring_N2) for region in true.regions)
    return drawing, far(true, proxy, tolerance) + far(proxy, true, tolerance)


def far(outlined: Outlined, other: Outlined, tolerance: float) -> int:
    """Corners of one that are further than a tolerance from the other's border of their class."""
    count = 0
    for region in outlined.regions:
        own_HW = other.mask_HW == region.label
        inside_HW = ndimage.binary_erosion(own_HW, border_value=0)
        border_HW = own_HW & ~inside_HW
        if not border_HW.any():
            count += len(region.ring_N2)
            continue
        distance_HW = ndimage.distance_transform_edt(~border_HW)
        columns, rows = np.floor(region.ring_N2).astype(int).T
        height, width = own_HW.shape
        off_N = distance_HW[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
        count += int((off_N > tolerance).sum())
    return count


if __name__ == "__main__":
    typer.run(main)
