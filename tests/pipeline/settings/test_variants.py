"""Names of variants: a base and extras, in one order, where they have something to work on."""

from itertools import chain, combinations, permutations

import pytest

from pipeline.settings.variants import EXTRAS, VARIANTS, find_variant

ORDER = ("ema", "confidence", "refresh", "consistency")
WITHOUT_PROXIES = {"strong", "full", "dual_full"}


def subsets() -> list[tuple[str, ...]]:
    return list(chain.from_iterable(combinations(ORDER, n) for n in range(1, 5)))


@pytest.mark.parametrize("extras", subsets(), ids="+".join)
def test_extras_come_in_one_order(extras: tuple[str, ...]) -> None:
    for shuffled in permutations(extras):
        found = find_variant("+".join(("dual", *shuffled)))
        assert (found is not None) == (shuffled == extras)
    found = find_variant("+".join(("dual", *extras)))
    assert found is not None
    assert found.extras == extras
    assert found.streams == VARIANTS["dual"].streams
    assert all(EXTRAS[extra] in found.title for extra in extras)


@pytest.mark.parametrize("base", [*VARIANTS, "mixed_x2", "dual_n0"])
def test_extras_want_something_to_work_on(base: str) -> None:
    allowed = {extra for extra in ORDER if find_variant(f"{base}+{extra}") is not None}
    expected = {"ema"}
    if base not in WITHOUT_PROXIES:
        expected |= {"confidence", "refresh"}
    if base in ("dual", "dual_natural", "dual_n0"):
        expected.add("consistency")
    assert allowed == expected


@pytest.mark.parametrize("neck_n", range(4))
def test_the_neck_study(neck_n: int) -> None:
    found = find_variant(f"dual_n{neck_n}+ema")
    assert found is not None
    assert found.neck_n == neck_n
    assert found.streams == VARIANTS["dual"].streams
    assert f"{neck_n} of 3" in found.title


@pytest.mark.parametrize(
    "name",
    [
        *("", "+", "+ema", "dual+", "dual++ema", "dual+ema+", "dual+ema+ema", "dual+EMA"),
        *("dual +ema", "dual+ema ", "dual_n4", "dual_n", "dual_n01", "dual_n1_n1", "strong_n1"),
        *("mixed_x0+ema", "duel+ema", "dual+emas", "dual,ema", "ema", "ema+dual", "dual-ema"),
    ],
)
def test_no_other_names(name: str) -> None:
    assert find_variant(name) is None


def test_plain_names_have_no_extras() -> None:
    for name, variant in VARIANTS.items():
        assert find_variant(name) == variant
        assert variant.extras == ()
        assert variant.neck_n is None
