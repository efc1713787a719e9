"""The trainings of the budget curve: nested draws, resumed, with the scores of real stages."""

import pytest

from pipeline.base.errors import UserError
from pipeline.data.manifest import Manifest
from pipeline.project import curve
from pipeline.project.curve import run_curve, trainings
from pipeline.report.curve import read_points
from tests.settings import small_params

PARAMS = {"variants": ["strong", "dual"], "proxy.generators": ["dsrg"]}


def test_draws_are_nested(ready: Manifest) -> None:
    found = list(trainings(small_params(**PARAMS), ready, [2, 5], 3))
    assert len(found) == 3 * (2 * 2 + 1)
    assert len({one.steps for one in found}) == 1
    ids = {row.id for row in ready.train()}
    for training in found[:-1]:
        assert len(training.strong) == training.masks
        assert set(training.strong).isdisjoint(training.weak)
    for draw in range(3):
        few, _, many, _, half = (one for one in found if one.draw == draw)
        assert set(few.strong) < set(many.strong)
        assert set(few.strong) | set(few.weak) == ids
        assert (half.network, half.strong) == ("dual", many.strong)
        assert set(half.weak) < set(many.weak)
        assert len(half.weak) == len(many.weak) // 2
    assert len({tuple(one.strong) for one in found if one.masks == 2}) > 1


def test_what_has_a_point_is_not_trained_again(
    ready: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    params, asked = small_params(**PARAMS), []

    def score(
        _params: object, _folder: object, variant: str, lists: tuple, seed: int, _steps: int
    ) -> float:
        if len(asked) == 4:
            raise UserError("stopped")
        asked.append((variant, len(lists[0]), seed))
        return 50.0 + len(asked)

    monkeypatch.setattr(curve, "score", score)
    with pytest.raises(UserError, match="stopped"):
        list(run_curve(params, ready, [2, 5], 1))
    before = read_points(params, ready)
    assert [(p.network, p.masks, p.miou) for p in before] == [
        ("strong", 2, 51.0), ("dual", 2, 52.0), ("strong", 5, 53.0), ("dual", 5, 54.0),
    ]  # fmt: skip
    asked.clear()
    (made,) = run_curve(params, ready, [2, 5], 1)
    assert asked == [("dual", 5, 0)]
    assert read_points(params, ready) == [*before, made]


def test_what_is_refused(ready: Manifest) -> None:
    with pytest.raises(UserError, match="--masks: give numbers from 1 to 6"):
        list(run_curve(small_params(**PARAMS), ready, [2, 7], 1))
    for changes in (
        {"proxy.generators": ["self"]},
        {"variants": ["strong", "dual.self"], "proxy.generators": ["dsrg", "self"]},
        {"variants": ["strong"]},
    ):
        with pytest.raises(UserError, match="variants such as"):
            list(run_curve(small_params(**{**PARAMS, **changes}), ready, [2], 1))
