"""What the budget curve says: known points, the interval by hand."""

from pathlib import Path

import pytest

from pipeline.data.manifest import open_manifest
from pipeline.data.tables import write_csv
from pipeline.report.curve import (
    HEADER,
    Point,
    curve_chart,
    curve_file,
    data_of,
    read_points,
    read_rows,
    steps,
    where_tags_pay,
    words,
)
from pipeline.settings.params import Params

T2 = 4.302653  # Student's t of two degrees, 97.5 %


def points(masks: int, strong: tuple[float, ...], dual: tuple[float, ...]) -> list[Point]:
    return [
        *(Point(masks, 90 - masks, draw, "strong", miou) for draw, miou in enumerate(strong)),
        *(Point(masks, 90 - masks, draw, "dual", miou) for draw, miou in enumerate(dual)),
    ]


FEW = points(10, (40.0, 42.0, 44.0), (45.0, 47.5, 49.5))
SOME = points(20, (50.0, 51.0, 52.0), (53.0, 54.5, 55.5))
MANY = points(40, (60.0, 61.0, 62.0), (60.5, 60.0, 63.0))


def test_steps() -> None:
    few, some = steps([*SOME, *FEW])
    assert (few.masks, few.strong, few.other) == (10, 42.0, pytest.approx(142 / 3))
    assert few.gap.by_seed == {0: 5.0, 1: 5.5, 2: 5.5}
    assert few.gap.interval == pytest.approx(
        (16 / 3 - T2 * 0.288675 / 3**0.5, 16 / 3 + T2 * 0.288675 / 3**0.5), abs=1e-4
    )
    assert some.masks == 20


def test_where_tags_pay() -> None:
    assert where_tags_pay(steps(FEW + SOME)) == "The tags help up to all 20 masks."
    assert where_tags_pay(steps(FEW + SOME + MANY)) == (
        "The tags help up to 20 masks; from 40 on by no more than chance."
    )
    assert where_tags_pay(steps(MANY)) == (
        "At no number of masks do the tags help by more than chance."
    )
    one = [point for point in FEW if point.draw == 0]
    assert where_tags_pay(steps(one)).startswith("With one draw of the masks it cannot be told")


def test_words() -> None:
    fewer = [Point(40, 25, draw, "dual", 58.0 + draw) for draw in range(3)]
    said = words(FEW + SOME + MANY + fewer)
    assert said[0] == "From 20 to 40 masks dual gained 6.8 points, strong 10.0."
    assert said[1].startswith(
        "With 25 of the photographs that have tags alone it is 59.0 % instead of 61.2 %"
    )
    assert len(said) == 3
    assert words([]) == []
    assert len(words(FEW)) == 1


def test_a_draw_that_is_half_done_does_not_count() -> None:
    (step,) = steps([*FEW, Point(10, 80, 3, "strong", 99.0)])
    assert step.strong == 42.0
    assert sorted(step.gap.by_seed) == [0, 1, 2]


def test_the_chart_names_its_ends() -> None:
    chart = curve_chart(FEW + SOME)
    assert "strong 42.0 at 10 and 51.0 at 20, dual 47.3 at 10 and 54.3 at 20" in chart


def test_points_of_other_data_are_not_read(params: Params, run: Path) -> None:
    manifest = open_manifest(params)
    rows = [(data_of(params, manifest), *point) for point in FEW]
    write_csv(curve_file("shapes"), HEADER, [*rows, ("0" * 12, *SOME[0])])
    assert read_points(params, manifest) == FEW
    others, _ = read_rows("shapes", data_of(params, manifest))
    assert others == [("0" * 12, *map(str, SOME[0]))]
    longer = params.train.model_copy(update={"iterations": 7})
    assert read_points(params.model_copy(update={"train": longer}), manifest) == []
