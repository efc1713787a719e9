"""The strong and weak lists, drawn or given, and the lists that are refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.data.id_lists import write_ids
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import MADE
from pipeline.data.plan import read_plan
from pipeline.data.seeds import CLASSIFIER
from pipeline.settings.paths import SEEDS, proxy_dir
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


def test_each_generator_s_variants_have_its_weak_images(ready: Manifest, tmp_path: Path) -> None:
    ids = [row.id for row in ready.train()]
    weak = [row.id for row in ready.of("weak")]
    shutil.copytree(proxy_dir("dsrg"), proxy_dir("files"))
    write_ids(proxy_dir("files") / MADE, weak[:3])
    few = {"proxy.generators": ["dsrg", "files"], "variants": ["strong", "dual", "dual.files"]}
    write_split(small_params(**few), ready, tmp_path)
    plans = {name: read_plan(tmp_path, name) for name in few["variants"]}
    assert {name: len(plan.weak) for name, plan in plans.items()} == {
        **{"strong": 10, "dual": 10, "dual.files": 3}
    }
    assert plans["dual"].proxies != plans["dual.files"].proxies
    other = tmp_path / "other"
    other.mkdir()
    params = small_params(**{**few, "variants": ["weak.files"]})
    with pytest.raises(UserError, match=r"'weak\.files' is trained on proxies of the strong"):
        write_split(params, ready, other)
    write_ids(proxy_dir("files") / MADE, ids[:1])
    with pytest.raises(UserError, match="generator files made no proxy of a weak image"):
        write_split(small_params(**few), ready, other)
    unused = small_params(**{**few, "variants": ["strong", "dual"]})
    unlisted = small_params(variants=["strong", "dual"])
    for folder, chosen in ((tmp_path / "unused", unused), (tmp_path / "unlisted", unlisted)):
        folder.mkdir()
        write_split(chosen, ready, folder)
    for name in ("strong", "dual"):
        one, two = (
            (tmp_path / f / f"plans/{name}.json").read_bytes() for f in ("unused", "unlisted")
        )
        assert one == two


def test_a_plan_knows_the_classifier_it_starts_from(ready: Manifest, tmp_path: Path) -> None:
    from_classifier = {"backbone_weights": "classifier", "variants": ["strong"]}
    with pytest.raises(UserError, match=r"run `python -m stages\.seeds` first"):
        write_split(small_params(**from_classifier), ready, tmp_path)
    starts = []
    SEEDS.mkdir(parents=True)
    for content in (b"1", b"2"):
        (SEEDS / CLASSIFIER).write_bytes(content)
        for place, weights in enumerate(("classifier", "none")):
            folder = tmp_path / f"{content.decode()}{place}"
            folder.mkdir()
            params = small_params(**{**from_classifier, "backbone_weights": weights})
            write_split(params, ready, folder)
            starts.append(read_plan(folder, "strong").start)
    assert starts[0] != starts[2]
    assert starts[1] is starts[3] is None
