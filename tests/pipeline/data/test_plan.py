"""Plans: which branch is trained on what, and what a change of neck_n touches."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.data.manifest import Manifest, Row, make_classes
from pipeline.data.pairs import (
    Pair,
    confidence_path,
    proxied,
    proxies_hash,
    proxies_of,
    proxy_path,
    stream_pairs,
)
from pipeline.data.plan import (
    Plan,
    PlannedExtras,
    list_hash,
    make_plan,
    read_plan,
    read_plans,
    write_plans,
)
from pipeline.settings.params import Extras
from pipeline.settings.variants import VARIANTS
from tests.settings import small_params

STRONG, WEAK = ("s1", "s2"), ("w1", "w2", "w3")
EXTRAS = Extras(ema_decay=0.9, refresh_at=0.5, consistency_weight=2.0, consistency_threshold=0.8)


@pytest.fixture
def images(tmp_path: Path) -> Manifest:
    """Strong images with masks, weak ones without, proxies for all."""
    rows = [Row(i, f"images/{i}.png", f"masks/{i}.png", "strong", (1,), 8, 8) for i in STRONG]
    rows += [Row(i, f"@root/{i}.jpg", "", "weak", (1,), 8, 8) for i in WEAK]
    (tmp_path / "proxy" / "masks").mkdir(parents=True)
    for row in rows:
        proxy_path(row.id, tmp_path / "proxy").write_bytes(b"")
    folder, root = tmp_path / "dataset", tmp_path / "raw"
    return Manifest(tuple(rows), make_classes(["background", "cat"]), folder, root)


def plans(neck_n: int = 1) -> list[Plan]:
    return [make_plan(variant, neck_n, STRONG, WEAK) for variant in VARIANTS]


def labels(manifest: Manifest, tmp_path: Path, variant: str) -> list[list[tuple[str, str]]]:
    """(image id, mask or proxy) of every stream."""
    streams = stream_pairs(manifest, make_plan(variant, 1, STRONG, WEAK), tmp_path / "proxy")
    return [
        [(pair.id, "mask" if pair.mask.parts[-3] == "dataset" else "proxy") for pair in pairs]
        for pairs in streams
    ]


def test_which_branch_is_trained_on_what(images: Manifest, tmp_path: Path) -> None:
    masks = [(i, "mask") for i in STRONG]
    proxies = [(i, "proxy") for i in WEAK]
    assert labels(images, tmp_path, "weak") == [[*((i, "proxy") for i in STRONG), *proxies]]
    assert labels(images, tmp_path, "mixed") == [[*masks, *proxies]]
    assert labels(images, tmp_path, "strong") == [masks]
    assert labels(images, tmp_path, "dual") == [masks, proxies]
    assert labels(images, tmp_path, "dual_natural") == [masks, proxies]
    assert labels(images, tmp_path, "mixed_x3") == [[*masks, *masks, *masks, *proxies]]


def test_true_masks_for_all_want_them_for_the_weak_images(images: Manifest, tmp_path: Path) -> None:
    """COCO and VOC have them; one's own photographs have not, and are told so."""
    with pytest.raises(UserError, match=r"full needs the mask of 'w1', which has none"):
        labels(images, tmp_path, "full")
    rows = [replace(row, mask=f"masks/{row.id}.png") for row in images.rows]
    masked = replace(images, rows=tuple(rows))
    masks = [(i, "mask") for i in (*STRONG, *WEAK)]
    assert labels(masked, tmp_path, "full") == [masks]
    assert labels(masked, tmp_path, "dual_full") == [masks[:2], masks]


def test_batches_are_natural_where_the_variant_says_so() -> None:
    assert [plan.variant for plan in plans() if plan.natural] == ["dual_natural"]


def test_files_are_the_manifests_and_the_proxies(images: Manifest, tmp_path: Path) -> None:
    (strong, weak) = stream_pairs(images, make_plan("dual", 1, STRONG, WEAK), tmp_path / "proxy")
    assert strong[0] == Pair(
        "s1",
        tmp_path / "dataset" / "images" / "s1.png",
        tmp_path / "dataset" / "masks" / "s1.png",
    )
    mask = tmp_path / "proxy" / "masks" / "w1.png"
    assert weak[0] == Pair("w1", tmp_path / "raw" / "w1.jpg", mask)


def test_no_true_mask_of_a_weak_image_is_ever_used(images: Manifest, tmp_path: Path) -> None:
    """The rendered data set has masks of weak images, too; training must not see them."""
    rows = tuple(replace(row, mask=f"masks/{row.id}.png") for row in images.rows)
    for variant in set(VARIANTS) - {"full", "dual_full"}:  # which are there to use them
        for stream in labels(replace(images, rows=rows), tmp_path, variant):
            assert not [i for i, kind in stream if kind == "mask" and i in WEAK]


def test_a_strong_image_without_mask_is_named(images: Manifest, tmp_path: Path) -> None:
    plan = make_plan("strong", 1, [*STRONG, "w1"], WEAK[1:])
    with pytest.raises(UserError, match=r"strong needs the mask of 'w1', which has none"):
        stream_pairs(images, plan, tmp_path / "proxy")


def test_a_missing_proxy_is_named_before_training(images: Manifest, tmp_path: Path) -> None:
    proxy_path("w2", tmp_path / "proxy").unlink()
    stream_pairs(images, make_plan("strong", 1, STRONG, WEAK), tmp_path / "proxy")
    with pytest.raises(UserError, match=r"w2\.png is not there"):
        stream_pairs(images, make_plan("dual", 1, STRONG, WEAK), tmp_path / "proxy")


@pytest.mark.parametrize("neck_n", range(4))
def test_neck_n_touches_dual_branches_alone(tmp_path: Path, neck_n: int) -> None:
    for folder, n in ((tmp_path / "a", 2), (tmp_path / "b", neck_n)):
        folder.mkdir()
        write_plans(folder, plans(n))
    for variant in VARIANTS:
        one, two = ((tmp_path / f / "plans" / f"{variant}.json").read_bytes() for f in "ab")
        assert (one == two) == (VARIANTS[variant].branches == 1 or neck_n == 2)
    for name in ("strong.txt", "weak.txt"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_round_trip(tmp_path: Path) -> None:
    write_plans(tmp_path, plans())
    for plan in plans():
        assert read_plan(tmp_path, plan.variant) == plan
    assert (tmp_path / "weak.txt").read_bytes() == b"w1\nw2\nw3\n"
    stored = json.loads((tmp_path / "plans" / "dual.json").read_text())
    digest = hashlib.sha256(b"w1\nw2\nw3").hexdigest()
    assert stored["weak"] == {"list": "weak", "images": 3, "sha256": digest}


def test_a_generator_with_fewer_proxies_has_a_list_of_its_own(tmp_path: Path) -> None:
    some = [
        make_plan("strong", 0, STRONG, WEAK),
        make_plan("dual", 0, STRONG, WEAK[:2], epoch_images=3),
        make_plan("dual.self", 0, STRONG, WEAK),
        make_plan("mixed", 0, STRONG, WEAK[:2], epoch_images=3),
    ]
    write_plans(tmp_path, some)
    assert list(read_plans(tmp_path, [plan.variant for plan in some]).values()) == some
    assert (tmp_path / "weak.txt").read_text("utf-8") == "w1\nw2\nw3\n"
    assert (tmp_path / "weak-dsrg.txt").read_text("utf-8") == "w1\nw2\n"
    (tmp_path / "weak-dsrg.txt").write_text("w1\n", "utf-8")
    assert read_plan(tmp_path, "dual.self") == some[2]
    with pytest.raises(UserError, match=r"weak-dsrg\.txt was changed after the split"):
        read_plan(tmp_path, "dual")


def test_a_plan_does_not_depend_on_the_other_variants(tmp_path: Path) -> None:
    few = make_plan("dual", 0, STRONG, WEAK[:2], epoch_images=3)
    others = [make_plan("strong", 0, STRONG, WEAK), make_plan("dual.self", 0, STRONG, WEAK)]
    for folder, some in ((tmp_path / "a", [few]), (tmp_path / "b", [*others, few])):
        folder.mkdir()
        write_plans(folder, some)
    one, two = ((tmp_path / f / "plans/dual.json").read_bytes() for f in "ab")
    assert one == two
    assert [make_plan("strong", 0, STRONG, WEAK, generator=g) for g in ("dsrg", "self")] == [
        others[0],
        others[0],
    ]


def test_proxies_are_those_of_the_plan_s_generator(images: Manifest, tmp_path: Path) -> None:
    assert make_plan("dual.self", 0, STRONG, WEAK).generator == "self"
    assert make_plan("dual", 0, STRONG, WEAK, generator="files").generator == "files"
    plan = make_plan("dual.self+ema", 0, STRONG, WEAK, extras=small_params().extras)
    assert proxies_of(plan) == Path("data/proxy/self")
    with pytest.raises(
        UserError, match=r"data/proxy/self/masks/w1\.png .* `python -m stages\.proxy self`"
    ):
        stream_pairs(images, plan)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dual", PlannedExtras()),
        ("strong+ema", PlannedExtras(ema_decay=0.9)),
        ("weak+confidence+refresh", PlannedExtras(confidence=True, refresh_at=0.5)),
        ("dual+consistency", PlannedExtras(consistency_weight=2.0, consistency_threshold=0.8)),
        ("dual_n2+ema+confidence+refresh+consistency", PlannedExtras(0.9, True, 0.5, 2.0, 0.8)),
    ],
)
def test_a_plan_holds_the_values_of_its_own_extras(
    tmp_path: Path, name: str, expected: PlannedExtras
) -> None:
    plan = make_plan(name, 1, STRONG, WEAK, extras=EXTRAS)
    assert plan.extras == expected
    assert plan.neck_n == (2 if "_n2" in name else 1 if "dual" in name else 3)
    write_plans(tmp_path, [plan])
    assert read_plan(tmp_path, name) == plan


def test_another_value_of_an_extra_touches_the_plans_that_have_it(tmp_path: Path) -> None:
    names = ("dual", "dual+ema", "dual+refresh")
    for folder, decay in ((tmp_path / "a", 0.9), (tmp_path / "b", 0.99)):
        folder.mkdir()
        extras = EXTRAS.model_copy(update={"ema_decay": decay})
        write_plans(folder, [make_plan(v, 1, STRONG, WEAK, extras=extras) for v in names])
    one, two = (
        [(tmp_path / f / "plans" / f"{name}.json").read_bytes() for name in names] for f in "ab"
    )
    assert [a == b for a, b in zip(one, two, strict=True)] == [True, False, True]


def test_confidence_stands_beside_proxies_alone(images: Manifest, tmp_path: Path) -> None:
    proxies = tmp_path / "proxy"
    plan = make_plan("mixed+confidence", 1, STRONG, WEAK, extras=EXTRAS)
    with pytest.raises(UserError, match=r"confidence/w1\.png is not there"):
        stream_pairs(images, plan, proxies)
    for image_id in (*STRONG, *WEAK):
        path = confidence_path(image_id, proxies)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    (pool,) = stream_pairs(images, plan, proxies)
    sure = [None, None, *(confidence_path(i, proxies) for i in WEAK)]
    assert [pair.confidence for pair in pool] == sure
    assert pool[2].mask == proxy_path("w1", proxies)
    (plain,) = stream_pairs(images, make_plan("mixed", 1, STRONG, WEAK), proxies)
    assert {pair.confidence for pair in plain} == {None}


def test_which_images_are_trained_on_by_their_proxies() -> None:
    assert proxied(make_plan("weak", 1, STRONG, WEAK)) == [*STRONG, *WEAK]
    for name in ("mixed", "mixed_x3", "dual", "dual_natural"):
        assert proxied(make_plan(name, 1, STRONG, WEAK)) == list(WEAK)
    for name in ("strong", "full", "dual_full"):
        assert proxied(make_plan(name, 1, STRONG, WEAK)) == []


def test_a_plan_follows_the_proxies_it_uses_and_no_others(images: Manifest, tmp_path: Path) -> None:
    proxies = tmp_path / "proxy"
    names = ("weak", "mixed", "dual", "strong", "full")

    def hashes() -> list[str | None]:
        return [proxies_hash(make_plan(name, 1, STRONG, WEAK), proxies) for name in names]

    before = hashes()
    proxy_path("s1", proxies).write_bytes(
        b"1"
    )  # `weak` alone is trained on proxies of strong images
    after = hashes()
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, *[True] * 4]
    proxy_path("w2", proxies).write_bytes(b"2")
    changed = [a != b for a, b in zip(after, hashes(), strict=True)]
    assert changed == [True, True, True, False, False]
    assert before[3:] == [None, None]
    sure = make_plan("dual+confidence", 1, STRONG, WEAK, extras=EXTRAS)
    with pytest.raises(UserError, match=r"confidence/w1\.png is not there"):
        proxies_hash(sure, proxies)


def test_plans_read_together_share_their_lists(tmp_path: Path) -> None:
    write_plans(tmp_path, plans())
    together = read_plans(tmp_path, ["dual", "weak"])
    assert together == {name: read_plan(tmp_path, name) for name in ("dual", "weak")}
    assert list(together) == ["dual", "weak"]
    assert together["dual"].weak is together["weak"].weak


@pytest.mark.parametrize("name", ["nothing", "../strong", "", "dual☃"])
def test_what_is_no_variant_is_told_which_there_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"is not a variant; variants are .*dual"):
        read_plan(tmp_path, name)


def test_a_variant_without_plan_is_named(tmp_path: Path) -> None:
    write_plans(tmp_path, plans()[:1])
    with pytest.raises(UserError, match="add 'dual' to variants"):
        read_plan(tmp_path, "dual")


@pytest.mark.parametrize("text", ["s1\n", "s2\ns1\n", "s1\ns2\ns3\n", ""])
def test_a_list_changed_by_hand_is_refused(tmp_path: Path, text: str) -> None:
    write_plans(tmp_path, plans())
    (tmp_path / "strong.txt").write_text(text)
    with pytest.raises(UserError, match=r"strong\.txt was changed after the split"):
        read_plan(tmp_path, "dual")


def test_list_hash_tells_order_and_content() -> None:
    hashes = {list_hash(ids) for ids in (["a", "b"], ["b", "a"], ["a"], ["ab"], [])}
    assert len(hashes) == 5


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"strong": 1}', "[" * 100_000])
def test_a_damaged_plan_is_refused(tmp_path: Path, text: str) -> None:
    write_plans(tmp_path, plans())
    path = next((tmp_path / "plans").glob("*.json"))
    path.write_text(text)
    with pytest.raises(UserError, match=r"json is damaged: run `python -m stages\.split`"):
        read_plan(tmp_path, path.stem)


def test_a_list_that_is_gone_or_no_text(tmp_path: Path) -> None:
    write_plans(tmp_path, plans())
    variant = plans()[0].variant
    (tmp_path / "weak.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"weak\.txt is damaged"):
        read_plan(tmp_path, variant)
    (tmp_path / "weak.txt").unlink()
    with pytest.raises(UserError, match=r"weak\.txt is not there: run `python -m stages\.split`"):
        read_plan(tmp_path, variant)
