"""The parts of Label Studio's export."""

from typing import Any

import numpy as np


def pack_brush(region: Any, count: int = 1 << 16) -> list[int]:
    """A mask as a brush's list of bytes: `count` values at a time, one if they are the same."""
    height, width = region.shape
    values_HWC = np.full((height, width, 4), 7, np.uint8)  # the colour says nothing
    values_HWC[..., 3] = np.where(region, 255, 0)
    values = values_HWC.ravel()
    bits = [f"{values.size:032b}", f"{8 - 1:05b}", *["1111"] * 4]
    for start in range(0, values.size, count):
        block = values[start : start + count]
        repeated = int(np.ptp(block) == 0)
        bits += [f"{repeated}", "00", f"{len(block) - 1:016b}"]
        bits += [f"{value:08b}" for value in (block[:1] if repeated else block)]
    text = "".join(bits)
    return [int(text[start : start + 8].ljust(8, "0"), 2) for start in range(0, len(text), 8)]


def task(link: str, *results: Any) -> dict[str, Any]:
    """A task with one annotation."""
    annotation = {"id": 1, "result": list(results), "was_cancelled": False}
    data = {"image": link, "text": "what else is known.jpg"}
    return {"id": 7, "data": data, "annotations": [annotation], "predictions": []}


def result(kind: str, value: Any, size: tuple[int, int] = (48, 48), **more: Any) -> dict[str, Any]:
    """A result that has a shape, of an image of this width and height."""
    sizes = {"original_width": size[0], "original_height": size[1], "image_rotation": 0}
    return {"id": "a", "type": kind, "to_name": "image", "value": value, **sizes, **more}


def choices(*names: str) -> dict[str, Any]:
    """A result of an image without a shape."""
    return {"id": "b", "type": "choices", "to_name": "image", "value": {"choices": list(names)}}
