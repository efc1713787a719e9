"""Images, masks and outlines: what is written is read, what is damaged is read or refused."""

import io
import json
import random
import string
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from pycocotools import mask as rle

from pipeline.base.errors import UserError
from pipeline.data.images import Bytes, check_image, read_image, read_mask, tags_of_mask, write_mask
from pipeline.data.manifest import make_classes
from pipeline.datasets.coco.prepare import class_list
from pipeline.datasets.reading.coco_instances import (
    encode,
    rasterise,
    read_index,
    read_instances,
    unpack_counts,
)
from pipeline.datasets.reading.findings import Findings
from tests.bad_input.properties import VALUES, few, many, may_refuse
from tests.torture.seeds import images, instances

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

# --- masks and images ---------------------------------------------------------------------------


@few
@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=20)))
def test_masks_come_back_as_they_were_written(mask_HW: Bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        write_mask(path, mask_HW, make_classes(["background", "cat", "dog"]))
        assert np.array_equal(np.array(read_mask(path)), mask_HW)
    assert tags_of_mask(mask_HW) == tuple(sorted(set(mask_HW.ravel().tolist()) - {0, 255}))


@many
@given(st.data())
def test_damaged_images_are_refused_at_download_or_read_in_training(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from(images()))
    damaged = bytearray(good[: data.draw(st.integers(0, len(good)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.jpg"
        path.write_bytes(damaged)
        try:
            size = check_image(path, bytes(damaged)).size
        except UserError:
            with pytest.raises(UserError):
                read_image(path)
        else:
            assert read_image(path).size == size


@many
@given(st.binary(max_size=300))
def test_any_bytes_are_a_mask_or_refused(noise: bytes) -> None:
    buffer = io.BytesIO()
    Image.new("L", (9, 9), 1).save(buffer, "PNG")
    good = buffer.getvalue()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        for data in (noise, good[:33] + noise, good[: len(noise)] + noise):
            path.write_bytes(data)
            with may_refuse(str(path)):
                assert read_mask(path, 2).mode == "L"


# --- COCO ---------------------------------------------------------------------------------------

regions = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=24))


@many
@given(regions)
def test_run_lengths_agree_with_pycocotools(region: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
    height, width = region.shape
    packed = rle.encode(np.asfortranarray(region.astype(np.uint8)))["counts"]
    edges = np.flatnonzero(np.diff(region.T.ravel().astype(int), prepend=0))
    runs = [int(n) for n in np.diff([0, *edges, region.size])]
    assert unpack_counts(packed.decode()) == runs
    for counts in (packed.decode(), runs):
        found = encode({"size": [height, width], "counts": counts}, height, width)
        assert np.array_equal(rle.decode({"size": [height, width], "counts": found}), region)


@many
@given(st.lists(st.lists(st.floats(-9, 29), min_size=6, max_size=12), min_size=1, max_size=3))
def test_polygons_agree_with_pycocotools(polygons: list[list[float]]) -> None:
    even = [corners[: len(corners) // 2 * 2] for corners in polygons]
    found = encode(even, 20, 20)
    parts = [rle.decode(rle.frPyObjects([corners], 20, 20))[..., 0] for corners in even]
    assert np.array_equal(rle.decode({"size": [20, 20], "counts": found}), np.max(parts, axis=0))


@many
@given(st.data())
def test_changed_instances_are_read_or_refused(data: st.DataObject) -> None:
    content = json.loads(instances()[0])
    for _ in range(data.draw(st.integers(1, 3))):
        place: Any = content
        while True:
            keys = sorted(place) if isinstance(place, dict) else range(len(place))
            key = data.draw(st.sampled_from(keys))
            if (
                not place[key]
                or not isinstance(place[key], dict | list)
                or data.draw(st.booleans())
            ):
                break
            place = place[key]
        if data.draw(st.booleans()):
            place[key] = data.draw(VALUES)
        else:
            del place[key]
        if not content:
            break
    refused_or_painted(json.dumps(content))


@many
@given(st.integers(0, 10**9))
def test_garbled_instances_are_read_or_refused(seed: int) -> None:
    text = list(instances()[0].decode())
    draw = random.Random(seed)
    for _ in range(draw.randint(1, 5)):
        text[draw.randrange(len(text))] = draw.choice(string.printable)
    refused_or_painted("".join(text))


def refused_or_painted(text: str) -> None:
    """Read an instances file down to its masks."""
    with TemporaryDirectory() as folder:
        path, findings = Path(folder) / "instances.json", Findings()
        path.write_text(text, "utf-8", errors="surrogatepass")
        with may_refuse(str(path)):
            index = read_index(path, findings)
            found = read_instances(path, index, findings)
            findings.refuse(path)
            with may_refuse("class name"):  # `prepare` puts the file's name before it
                class_list(index)
            for key, image in index.images.items():
                if image.width * image.height < 2**20:
                    mask_HW = rasterise(found.get(key, ()), image.height, image.width)
                    assert mask_HW.shape == (image.height, image.width)
                    assert set(np.unique(mask_HW)) <= {*range(len(index.categories) + 1), 255}
