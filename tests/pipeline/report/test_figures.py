"""Charts are SVG that stands alone, follows the theme and says what it shows."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from markupsafe import Markup

from pipeline.report import figures
from pipeline.report.collect import Outcome
from pipeline.report.figures import Line, confusion_chart, dash_of, line_chart, score_bars, tone_of
from pipeline.report.sources import Curve
from pipeline.variants import VARIANTS

NASTY = '<script>-->$a$ & "b"'


def parse(svg: Markup) -> ET.Element:
    return ET.fromstring(f'<x xmlns:xlink="http://www.w3.org/1999/xlink">{svg}</x>')[0]


def texts(svg: Markup) -> list[str]:
    return ["".join(element.itertext()) for element in parse(svg).iter("text")]


def outcome(name: str, by_seed: dict[int, float], confusion: np.ndarray) -> Outcome:
    metrics = {"miou": 50.0, "miou_sd": 1.25}
    return Outcome(name, "", metrics, by_seed, [], confusion)


def test_every_variant_has_a_tone() -> None:
    styles = {name: (tone_of(name), dash_of(name)) for name in (*VARIANTS, "mixed_x3")}
    assert len(set(styles.values())) == len(styles)
    assert tone_of("mixed_x3") == tone_of("mixed")
    assert tone_of("dual_n1+ema") == tone_of("dual+ema") == tone_of("dual")
    css = (Path(figures.__file__).parent / "page.css.j2").read_text("utf-8")
    for name in VARIANTS:  # the page's own marks
        assert f".tone-{name.split('_')[0]} {{" in css or f".tone-{name.split('_')[0]}, " in css


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
    lines = [Line(name, curve, tone_of(name), dash_of(name)) for name in VARIANTS]
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
