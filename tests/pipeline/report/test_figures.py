"""Charts are SVG that stands alone, follows the theme and says what it shows."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from markupsafe import Markup

from pipeline.report import figures
from pipeline.report.collect import Outcome
from pipeline.report.drawing import dashes, tone_of
from pipeline.report.figures import Line, confusion_chart, lambda_chart, line_chart, score_bars
from pipeline.report.sources import Curve
from pipeline.settings.variants import VARIANTS

NASTY = '<script>-->$a$ & "b"'


def parse(svg: Markup) -> ET.Element:
    return ET.fromstring(f'<x xmlns:xlink="http://www.w3.org/1999/xlink">{svg}</x>')[0]


def texts(svg: Markup) -> list[str]:
    return ["".join(element.itertext()) for element in parse(svg).iter("text")]


def outcome(name: str, by_seed: dict[int, float], confusion: np.ndarray) -> Outcome:
    metrics = {"miou": 50.0, "miou_sd": 1.25}
    return Outcome(name, "", metrics, by_seed, [], confusion)


def test_every_network_has_a_look_of_its_own() -> None:
    names = [*VARIANTS, "mixed_x2", "mixed_x3", "dual_full", "dsrg", "ensemble_weak"]
    looks = {name: (tone_of(name), dash) for name, dash in dashes(names).items()}
    assert len(set(looks.values())) == len(looks) == len(set(names))
    assert tone_of("mixed_x3") == tone_of("mixed")
    assert tone_of("dual_n1+ema") == tone_of("dual+ema") == tone_of("dual")
    css = (Path(figures.__file__).parent / "page.css.j2").read_text("utf-8")
    for name in names:  # the page's own marks
        assert f".tone-{name.split('_')[0]} {{" in css or f".tone-{name.split('_')[0]}, " in css


def test_the_average_starts_from_strong_alone() -> None:
    curve = Curve((0.0, 0.5, 1.0), (60.0, 62.0, 50.0), (59.0, 61.0, 49.0), (61.0, 63.0, 51.0))
    svg = lambda_chart({"weak": curve, "mixed": curve}, 60.0, 70.8)
    assert {"weak", "mixed", "strong", "the paper's λ", "the paper"} <= set(texts(svg))
    assert "the paper" not in texts(lambda_chart({"weak": curve}, 60.0, None))
    assert "from strong alone 60.0 to weak 50.0, mixed 50.0" in parse(svg).attrib["aria-label"]


def test_bars_show_deviation_only_over_seeds() -> None:
    none = np.zeros((2, 3), dtype=np.int64)
    one = texts(score_bars([outcome("dual", {0: 50.0}, none)]))
    two = texts(score_bars([outcome("dual", {0: 49.0, 1: 51.0}, none)]))
    assert "50.00" in one
    assert "50.00 ± 1.25" in two


@pytest.mark.parametrize("classes", [2, 20])
def test_confusion(classes: int) -> None:
    counts = np.eye(classes, classes + 1, dtype=np.int64) * 3
    counts[1, 0] = 1
    names = ["background", *(f"{NASTY}{i}" for i in range(1, classes))]
    svg = confusion_chart(outcome("dual", {0: 1.0}, counts), names)
    words = texts(svg)
    assert words.count(f"{NASTY}1") == 2  # once a row, once a column
    assert ("75" in words) == ("25" in words) == (classes == 2)
    assert "none" not in words
    counts[0, -1] = 1
    assert "none" in texts(confusion_chart(outcome("dual", {0: 1.0}, counts), names))


def test_lines() -> None:
    curve = Curve((1, 2), (3.0, 4.0), (2.0, 4.0), (5.0, 4.0))
    lines = [Line(name, curve, tone_of(name), dash) for name, dash in dashes(VARIANTS).items()]
    svg = line_chart("loss", lines, "loss")
    assert set(VARIANTS) <= set(texts(svg))
    assert "dual ends at 4" in parse(svg).attrib["aria-label"]
    for number in range(1, 5):
        assert f"var(--tone-{number})" in svg


def test_no_fixed_ink_and_no_group_ids() -> None:
    svg = line_chart("loss", [Line("a", Curve((1,), (3.0,), (3.0,), (3.0,)), "#01a011")], NASTY)
    assert "#01a0" not in svg
    assert "currentColor" in svg
    assert "<g id" not in svg
    assert "font-family" not in svg
    assert "http" not in svg
    assert NASTY in texts(svg)
