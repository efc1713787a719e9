"""The strong and weak lists, drawn or given, and the lists that are refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.data.manifest import Manifest
from pipeline.data.plan import read_plan
from pipeline.split.split import check_lists, draw_lists, write_split
from tests.settings import small_params


def test_the_data_sets_own_lists(manifest: Manifest) -> None:
    strong, weak = draw_lists(small_params(), manifest)
    assert strong == [row.id for row in manifest.rows if row.split == "strong"]
    assert weak == [row.id for row in manifest.rows if row.split == "weak"]


def test_drawn_lists_partition_the_training_images(manifest: Manifest) -> None:
    everything = [row.id for row in manifest.train()]
    drawn = set()
    for seed in range(4):
        params = small_params(**{"split.strong": 3, "seed": seed})
        strong, weak = draw_lists(params, manifest)
        assert (strong, weak) == draw_lists(params, manifest)
        assert len(strong) == 3
        assert sorted(strong + weak) == sorted(everything)
        assert sorted(strong, key=everything.index) == strong  # the manifest's order
        drawn.add(tuple(strong))
    assert len(drawn) == 4


def test_only_images_with_masks_are_drawn(manifest: Manifest) -> None:
    rows = tuple(replace(r, mask="") if r.split == "weak" else r for r in manifest.rows)
    half = replace(manifest, rows=rows)
    strong, weak = draw_lists(small_params(**{"split.strong": 5}), half)
    assert set(strong) < {row.id for row in rows if row.mask}
    assert len(weak) == 11
    with pytest.raises(UserError, match=r"split\.strong: 7 asked for, but only 6 images"):
        draw_lists(small_params(**{"split.strong": 7}), half)


def test_every_variant_gets_a_plan(ready: Manifest, tmp_path: Path) -> None:
    params = small_params()
    summary = write_split(params, ready, tmp_path)
    assert summary["strong"].startswith("6 images, sha256 ")
    assert summary["weak"].startswith("10 images, sha256 ")
    read = [read_plan(tmp_path, variant) for variant in params.variants]
    assert {(len(plan.strong), len(plan.weak)) for plan in read} == {(6, 10)}
    assert [plan.neck_n for plan in read] == [3, 3, 3, params.neck_n]
    assert [plan.proxies is None for plan in read] == [name == "strong" for name in params.variants]


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        (([], ["b"], ["c"]), "the strong list is empty"),
        ((["a"], [], ["c"]), "the weak list is empty"),
        ((["a"], ["b"], []), "the val list is empty"),
        ((["a", "b"], ["b", "c"], ["d"]), "1 images are both strong and weak: b"),
        ((["a", "b"], ["c"], ["b", "a"]), "2 images are both strong and val: a, b"),
        ((["a"], ["c"], ["c"]), "1 images are both weak and val: c"),
    ],
)
def test_lists_that_are_refused(lists: tuple[list[str], ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_lists(*lists)


def test_a_draw_that_leaves_no_weak_image_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the weak list is empty"):
        write_split(small_params(**{"split.strong": 16}), manifest, tmp_path)
