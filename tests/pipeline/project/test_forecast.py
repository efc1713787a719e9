"""The forecast counts what the stages do: steps and views, each at the time that one takes."""

import pytest

from pipeline.project import forecast as module
from pipeline.project.forecast import Counts, forecast
from tests.settings import small_params

CLASSES = 9


def test_real_steps_take_time() -> None:
    seconds = forecast(small_params(), Counts(tagged=16, weak=10), CLASSES)
    assert list(seconds) == ["seeds", "dsrg", "proxy", "train"]
    assert all(0 < value < 60 for value in seconds.values())


def test_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, each in (("time_cam", 1.0), ("time_dsrg", 2.0), ("time_train", 3.0)):
        monkeypatch.setattr(module, name, lambda params, classes, each=each: each)
    changes = {
        "cam.scales": [0.5, 1.0], "cam.flip": True, "proxy.scales": [1.0], "seeds": [0, 1],
        "proxy.generators": ["dsrg", "self"], "train.epochs": 3,
    }  # fmt: skip
    seconds = forecast(small_params(**changes), Counts(tagged=16, weak=10), CLASSES)
    assert seconds == {
        "seeds": pytest.approx(4 * 4 + (1 + 2 * 1.25) * 16 / 3),  # 4 steps of 4 images
        "dsrg": pytest.approx(2 * 4 * 4),
        "proxy": pytest.approx(2 * 16 / 3),
        "teacher": pytest.approx(3 * 15 * 4),  # 3 epochs of 5 steps, two weak images in each
        "train": pytest.approx(2 * 4 * 3 * 15 * 4),  # of four variants, two seeds each
    }
