"""Classes without a pixel are found by the tags, which say what a slow look at the masks says."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.images import read_mask
from pipeline.data.manifest import Manifest, Row
from pipeline.scoring.metrics import class_iou, summarise
from pipeline.split.absent_classes import Absent, absence_warnings, absent_classes
from pipeline.split.split import write_split
from tests.settings import small_params


def by_pixels(manifest: Manifest, rows: list[Row]) -> tuple[str, ...]:
    """Object classes without a pixel in the masks themselves."""
    held = set()
    for row in rows:
        held |= set(np.unique(np.array(read_mask(manifest.path(row.mask)))).tolist())
    return tuple(n for i, n in enumerate(manifest.classes.names) if i and i not in held)


def without(manifest: Manifest, split: str, index: int) -> Manifest:
    """The data set without the images of a split that hold a class."""
    kept = (row for row in manifest.rows if row.split != split or index not in row.tags)
    return replace(manifest, rows=tuple(kept))


@pytest.mark.parametrize("count", [1, 3, 6])
def test_tags_say_what_the_masks_say(manifest: Manifest, count: int) -> None:
    strong = manifest.of("strong")[:count]
    absent = absent_classes(manifest, [row.id for row in strong])
    assert absent.strong == by_pixels(manifest, strong)
    assert absent.val == by_pixels(manifest, manifest.of("val"))


def test_a_class_is_taken_from_a_split(manifest: Manifest) -> None:
    index = manifest.of("val")[0].tags[0]
    less = without(manifest, "val", index)
    assert manifest.classes.names[index] in absent_classes(less, []).val
    nothing = absent_classes(manifest, [])
    assert nothing.strong == manifest.classes.names[1:]  # the background is no tag


def test_unmasked_val_images_do_not_count(manifest: Manifest) -> None:
    rows = tuple(replace(row, mask="") if row.split == "val" else row for row in manifest.rows)
    assert absent_classes(replace(manifest, rows=rows), []).val == manifest.classes.names[1:]


def test_nothing_to_warn_of() -> None:
    assert absence_warnings(Absent((), ())) == []


def test_stage_split_tells_and_writes_the_same(
    ready: Manifest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    params, index = small_params(), ready.of("val")[0].tags[0]
    whole = Manifest(
        tuple(replace(row, tags=tuple(range(1, len(ready.classes)))) for row in ready.rows),
        *(ready.classes, ready.folder, ready.data_root),
    )
    (tmp_path / "whole").mkdir()
    with caplog.at_level(logging.WARNING):
        write_split(params, whole, tmp_path / "whole")
    assert caplog.messages == []
    tags = tuple(tag for tag in range(1, len(ready.classes)) if tag != index)
    rows = tuple(row if row.split == "weak" else replace(row, tags=tags) for row in whole.rows)
    (tmp_path / "less").mkdir()
    with caplog.at_level(logging.WARNING):
        write_split(params, replace(whole, rows=rows), tmp_path / "less")
    name = ready.classes.names[index]
    assert [text.split(":")[0] for text in caplog.messages] == [
        f"no strong mask holds {name}",
        f"no val mask holds {name}",
    ]
    written = [path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*.*")]
    assert len(written) == 2 + len(params.variants)
    for name in written:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "less" / name).read_bytes()


def test_the_mean_is_as_the_warning_says() -> None:
    """Absent and not predicted: left out. Absent and predicted once: 0, and it counts."""
    left_out = np.array([[8, 0, 0, 0], [0, 8, 0, 0], [0, 0, 0, 0]])
    assert np.isnan(class_iou(left_out)[2])
    assert summarise(left_out)["miou"] == 100.0
    predicted = left_out + np.array([[0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert class_iou(predicted)[2] == 0.0
    assert summarise(predicted)["miou"] == pytest.approx((100 * 8 / 9 + 100 + 0) / 3)
