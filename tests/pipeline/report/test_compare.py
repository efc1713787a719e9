"""Tables beside the paper's: what was run, what was not, where it came from; files of them."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.manifest import make_classes
from pipeline.report.claims import CLAIMS, found, judge
from pipeline.report.collect import ClassScore, Outcome, Training
from pipeline.report.compare import (
    RunSize,
    claims_table,
    in_order,
    table1,
    table2,
    table3,
)
from pipeline.report.exports import NOT_RUN, Cell, Table, words, write_tables
from pipeline.report.plots import sampled_pairs
from pipeline.report.published import read_table1, read_table2, read_table3
from pipeline.report.scores import curve_table, extras_table, seed_table
from pipeline.report.sources import Curve
from tests.settings import small_params


def outcome(name: str, *scores: float, per_class: tuple[float | None, ...] = ()) -> Outcome:
    sd = float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0
    metrics = {"miou": float(np.mean(scores)), "miou_sd": sd}
    classes = [ClassScore(iou, 0.0, 1) for iou in per_class]
    empty = np.zeros((1, 2), np.int64)
    scored = dict(enumerate(scores))
    return Outcome(name, f"title of {name}", metrics, scored, classes, empty, "shapes")


def by_first(table: Table) -> dict[str, list[str]]:
    return {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}


def test_table1_has_the_papers_rows_run_or_not() -> None:
    scored = [
        *(outcome("strong", 68.0, 70.0), outcome("dual", 70.0, 73.0), outcome("dsrg", 50.0)),
        *(outcome("mixed_x4", 64.0, 65.0), outcome("ensemble_mixed", 69.0, 71.0)),
        outcome("dual+ema", 72.0, 73.0),
    ]
    table = table1(read_table1(), scored)
    rows = by_first(table)
    assert list(rows) == [
        *("dsrg", "weak", "mixed", "mixed_x4", "strong", "full", "ensemble_mixed"),
        *("dual_natural", "dual", "dual_full", "dual+ema"),
    ]
    assert rows["weak"] == ["60.1", NOT_RUN, "–", "–", "–", "10k weak (retrain)"]
    # 2 and 3 points: mean 2.5, sd 0.707, t of one degree 12.706
    assert rows["dual"][:-1] == ["72.2", "71.50", "2.12", "+2.50", "−3.85 to +8.85"]
    assert rows["mixed_x4"][:2] == ["up to 65.9", "64.50"]
    assert rows["ensemble_mixed"][:2] == ["70.8", "70.00"]
    assert rows["dsrg"][:-1] == ["57.0", "50.00", "–", "–", "–"]
    assert rows["dual+ema"][:2] == ["–", "72.50"]
    assert rows["dual+ema"][-1] == "title of dual+ema"
    for row in table.rows:
        sources = {str(source.path) for source in row[2].sources}
        assert sources == (
            set() if row[2].text == NOT_RUN else {f"results/shapes/metrics/{row[0].text}.json"}
        )


def test_order_is_the_tables() -> None:
    names = ["dual+ema", "dual", "ensemble_weak", "mixed_x2", "dsrg", "strong"]
    assert [o.name for o in in_order([outcome(name, 1.0) for name in names])] == [
        *("dsrg", "mixed_x2", "strong", "ensemble_weak", "dual", "dual+ema"),
    ]


@pytest.mark.parametrize(
    ("dataset", "backbone", "runs"),
    [
        ("voc", "vgg16", ["71.5", NOT_RUN]),
        ("voc", "resnet101", [NOT_RUN, "71.5"]),
        ("voc", "squeezenet1_0", [NOT_RUN, NOT_RUN]),
        ("coco", "vgg16", [NOT_RUN, NOT_RUN]),
    ],
)
def test_table2_takes_only_runs_of_its_setting(
    dataset: str, backbone: str, runs: list[str]
) -> None:
    params = small_params(dataset=dataset, backbone=backbone)
    counts = RunSize(437, 2694, 445, "1000 steps")
    table = table2(read_table2(), params, counts, [outcome("dual", 70.0, 73.0)])
    rows = [row for row in table.rows if row[5].text == "this project"]
    assert [row[2].text for row in rows] == runs
    for row in rows:  # a run says how large it was
        own = ("437 pixel + 2694 class", "445 val images, 1000 steps")
        copied = ("1.4k pixel + 9k class", "–")
        assert (row[4].text, row[6].text) == (copied if row[2].text == NOT_RUN else own)
    assert not counts.papers(params)
    whole = RunSize(1464, 9118, 1449, "20 epochs")
    assert whole.papers(params) == ((dataset, backbone) == ("voc", "vgg16"))
    papers = {row[0].text + row[1].text: row[2].text for row in table.rows}
    assert "copied by the paper" in next(row[6].text for row in table.rows if row[2].text == "64.3")
    assert papers["OursResNet101"] == "76.6"
    assert papers["WSSLVGG16"] in ("60.6", "64.6")


def test_table3_sets_the_classes_beside_the_papers() -> None:
    published = read_table3()
    classes = make_classes([row.name for row in published[:-1]])
    ious: list[float | None] = [float(place) for place in range(81)]
    ious[2] = None
    table = table3(published, classes, [outcome("dual", 40.0, per_class=tuple(ious))])
    rows = {row[1].text: [cell.text for cell in row[2:]] for row in table.rows}
    assert rows["person"] == ["74.4", "60.7", "75.2", NOT_RUN, NOT_RUN, "1.0"]
    assert rows["bicycle"][-1] == "–"
    renamed = make_classes(["motorbike" if n == "car" else n for n in classes.names])
    table = table3(published, renamed, [outcome("dual", 40.0, per_class=tuple(ious))])
    assert {row[1].text: row[-1].text for row in table.rows}["car"] == "–"
    assert rows["mean IoU"] == ["46.1", "33.4", "47.6", NOT_RUN, NOT_RUN, "40.0"]


PAPER = {row.variant: row.miou for row in read_table1()}


def test_every_claim_is_the_papers() -> None:
    for claim in CLAIMS:
        assert PAPER[claim.better] > PAPER[claim.worse], claim.text


def test_verdicts() -> None:
    scored = [
        *(outcome("strong", 60.0, 60.0, 60.0), outcome("mixed", 50.0, 51.0, 50.5)),
        *(outcome("dual", 61.0, 59.5, 60.6), outcome("weak", 52.0, 53.0, 52.4)),
        outcome("dsrg", 45.0),
    ]
    verdicts = {v.names: v for v in judge(PAPER, scored)}
    assert verdicts["strong", "mixed"].word == "holds"
    assert verdicts["strong", "mixed"].paper == pytest.approx(6.1)
    assert verdicts["dual", "strong"].word == "within noise"
    assert verdicts["mixed", "weak"].word == "does not hold"
    assert verdicts["weak", "dsrg"].word == "one training: above"  # DSRG's noise is not known
    assert verdicts["dual", "full"].word == NOT_RUN
    one = judge(PAPER, [outcome("strong", 60.0), outcome("dual", 59.0)])
    assert next(v for v in one if v.names == ("dual", "strong")).word == "one training: below"
    table = claims_table(list(verdicts.values()), "VOC")
    assert "of these 4, 0.2." in table.caption
    assert "no verdict" in claims_table(one, "VOC").caption
    rows = by_first(table)
    assert rows["The dual branch gains over strong masks alone"][1:3] == ["+0.37", "+3.3"]


def test_extras_against_the_same_network_without() -> None:
    scored = [
        *(outcome("dual", 60.0, 61.0), outcome("dual+ema", 61.0, 62.1)),
        *(outcome("dual+ema+refresh", 60.0, 62.0), outcome("strong+ema", 50.0, 50.0)),
    ]
    rows = by_first(extras_table(scored))
    assert list(rows) == ["dual+ema", "dual+ema+refresh"]  # strong alone was not run
    assert rows["dual+ema"] == ["helps", "61.55", "60.50", "+1.05", "+0.41 to +1.69"]
    assert rows["dual+ema+refresh"][0] == "within noise"
    one = [outcome("dual", 60.0), outcome("dual+ema", 59.0)]
    assert by_first(extras_table(one))["dual+ema"][0] == "one training: below"


def test_names_behind_the_papers_rows() -> None:
    scores = dict.fromkeys(
        ["mixed_x2", "mixed_x10", "mixed_x99+ema", "ensemble_weak", "ensemble_mixed"]
    )
    assert found("mixed_xK", scores) == "mixed_x10"
    assert found("ensemble", scores) == "ensemble_mixed"
    assert found("ensemble", {"ensemble_weak": None}) == "ensemble_weak"
    assert found("ensemble", {"ensemble_full": None}) == "ensemble"  # not the paper's
    assert (found("ensemble", {}), found("dual", {})) == ("ensemble", "dual")


def test_seeds_and_the_best_epoch() -> None:
    scored = [outcome("strong", 60.0, 62.0), outcome("dual", 61.0, 61.5), outcome("dsrg", 40.0)]
    rows = by_first(seed_table(scored, ()))
    assert rows["dual"] == ["61.00", "61.50", "+1.00", "−0.50", "1 of 2"]
    assert "dsrg" not in rows
    none = Curve((), (), (), ())
    trainings = [Training("dual", none, none, (62.0, 63.0)), Training("strong", none, none, ())]
    assert by_first(curve_table(trainings, scored)) == {"dual": ["61.25", "62.50", "+1.25"]}


def test_files_of_a_table(tmp_path: Path) -> None:
    source = outcome("dual", 1.0).source()
    rows = (
        (*words("a_b & 5 %", "x | y"), Cell("72.20", (source,)), Cell("±0.5", (source,))),
        (*words("λ ≥ 2 {}~^\\", "–"), Cell("−3"), Cell(NOT_RUN)),
    )
    table = Table("t", "Of 100 %.", ("net", "what", "here", "sd"), rows, words=(0, 1))
    write_tables(tmp_path, [table])
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert lines[0]["here"] == "72.20"
    assert (lines[1]["what"], lines[1]["here"]) == ("", "-3")  # for machines
    assert [line["file"] for line in lines] == ["results/shapes/metrics/dual.json", ""]
    markdown = (tmp_path / "t.md").read_text("utf-8")
    assert r"x \| y" in markdown
    assert re.search(r"^\|:-+\|:-+\|-+:\|-+:\|$", markdown, re.MULTILINE)
    assert (
        len({len(re.sub(r"\\\|", "", line).split("|")) for line in markdown.splitlines()[2:]}) == 1
    )
    latex = (tmp_path / "t.tex").read_text("utf-8")
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{llrr}"):
        assert part in latex
    assert r"a\_b \& 5 \% & x \textbar{} y & 72.20 & $\pm$0.5 \\" in latex
    assert r"$\lambda$ $\ge$ 2 \{\}\textasciitilde{}\textasciicircum{}" in latex
    assert latex.isascii()


def test_long_tables_break_over_pages_and_odd_names_stay_names(tmp_path: Path) -> None:
    rows = tuple(words(f"class {number}", "1") for number in range(50))
    odd = (*words("[x]", "<script>*a*`b`"),)
    write_tables(tmp_path, [Table("long", "Many.", ("class", "iou"), (odd, *rows))])
    latex = (tmp_path / "long.tex").read_text("utf-8")
    assert r"\begin{longtable}" in latex
    assert r"{}[x] & \textless{}script" in latex
    markdown = (tmp_path / "long.md").read_text("utf-8")
    assert r"\<script>\*a\*\`b\`" in markdown


def test_confusion_for_dvc_is_in_percent() -> None:
    confusion = np.array([[2, 1, 0], [0, 0, 0]])
    pairs = sampled_pairs(confusion)
    assert pairs == [(0, 0)] * 67 + [(0, 1)] * 33
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 1000, (5, 6))
    pairs = sampled_pairs(counts)
    for truth in range(5):
        given = np.bincount([p for t, p in pairs if t == truth], minlength=6)
        assert given.sum() == 100
        assert np.abs(given - 100 * counts[truth] / counts[truth].sum()).max() < 1
