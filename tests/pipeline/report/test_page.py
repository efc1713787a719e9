"""The page holds every number, loads nothing, escapes everything, and names what is missing."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.data.manifest import open_manifest
from pipeline.report.page import comparison_text, write_report
from pipeline.settings.params import Params
from pipeline.settings.paths import (
    DATASET,
    MODELS,
    PREDICTIONS,
    SEEDS,
    SPLIT,
    proxy_dir,
    result_file,
)
from pipeline.split.absent_classes import absent_classes
from tests.settings import ROOT

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Outline(HTMLParser):
    """Checks that elements close in order, and keeps ids, links and images."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.images: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if name := values.get("id"):
            self.ids.append(name)
        keys = ("src", "xlink:href", "srcset", "data", "action")
        self.loads += [value for key in keys if (value := values.get(key))]
        if target := values.get("href"):
            (self.links if tag == "a" else self.loads).append(target)
        if tag == "img":
            self.images.append(values)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    parser.close()
    return parser


def render(params: Params) -> str:
    write_report(params, open_manifest(params), Path("report"))
    return Path("report/index.html").read_text(encoding="utf-8")


def test_well_formed(outline: Outline) -> None:
    assert outline.open == []
    assert len(set(outline.ids)) == len(outline.ids)


def test_nothing_is_loaded(page: str, outline: Outline) -> None:
    assert all(link.startswith(("#", "data:image/")) for link in outline.loads)
    assert not re.search(r"https?:|@import|url\((?!#)", page)


def test_links_lead_somewhere(outline: Outline, params: Params, run: Path) -> None:
    targets = {link[1:] for link in outline.links if link.startswith("#")}
    assert targets
    assert targets <= set(outline.ids)
    write_report(params, open_manifest(params), Path("report"))
    files = {link for link in outline.links if not link.startswith("#")}
    assert "../results/shapes/seeds/dual.csv" in files
    assert "tables/table1.tex" in files
    assert [link for link in files if not (Path("report") / link).exists()] == []


def test_measured_numbers_say_what_they_were_measured_with(page: str, params: Params) -> None:
    for name in ("dual", "ensemble_weak"):
        file = f"results/shapes/metrics/{name}.json"
        assert f'<a class="here" href="../{file}" title="{file}: shapes; seeds 0, 7">' in page
    assert 'title="results/shapes/metrics/dsrg.json: shapes; seed 0"' in page


def test_class_names_are_escaped(page: str) -> None:
    assert page.count("<script") == 2  # the viewer and its data; tests/test_trust.py knows them
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "a &amp; $b$" in page


def test_every_score_is_there(page: str, params: Params, finished_run: Path) -> None:
    for name in params.variants:
        metrics = json.loads((finished_run / result_file("shapes", "metrics", name)).read_text())
        for value in metrics.values():
            assert f"{value:.2f}" in page
        with (finished_run / result_file("shapes", "per_class", name)).open() as file:
            for row in csv.DictReader(file):
                assert not row["iou"] or f"{float(row['iou']):.1f}" in page


def test_growth_is_measured_on_strong_images(page: str) -> None:
    assert "grown seeds, strong images (%) by training step: precision ends at 80, recall" in page
    assert "recall ends at 50" in page
    assert re.search(r"<th>boat</th><td>3</td><td[^>]*>71\.2</td>", page)
    assert re.search(r"<th>train</th><td>0</td><td[^>]*>–</td>", page)


def test_the_maximum_of_two_networks(page: str) -> None:
    assert re.search(r"their maximum, §3\):\s+weak 68\.2", page)


def test_variants_stand_in_order(page: str, params: Params) -> None:
    table = page[page.index('id="comparison"') : page.index("</table>")]
    rows = re.findall(r'<th[^>]*><i class="key tone-\w+"></i>(\w+)</th>', table)
    assert rows == [
        *("dsrg", "weak", "mixed", "mixed_xK", "strong", "full", "ensemble_weak"),
        *("dual_natural", "dual", "dual_full"),
    ]


def test_counts_and_rule(page: str) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", page))
    assert "2 with masks" in text
    assert "5 with tags" in text
    assert "Chosen by rule: of all 6 validation images" in text
    assert "mean and standard deviation over 2 training seeds" in text


def test_pictures_have_words(outline: Outline, params: Params) -> None:
    shown = 3 * 2 * (3 + len(params.variants)) + 2 * 2 * 4
    assert len(outline.images) == shown
    assert all(image["alt"] and image["width"] and image["height"] for image in outline.images)


def test_proxies_are_measured(page: str) -> None:
    assert "43.5" in page
    assert "77.7" in page
    assert "is not known here" not in page


def test_same_input_same_page(page: str, params: Params, run: Path) -> None:
    assert render(params) == page


def test_the_stage_does_without_torch(params: Params, run: Path) -> None:
    values = params.model_dump(mode="json")
    Path("params.yaml").write_text(json.dumps(values), "utf-8")
    code = (
        "import sys, runpy\n"
        "sys.argv = ['report']\n"
        "try:\n"
        "    runpy.run_module('stages.report', run_name='__main__')\n"
        "except SystemExit as leave:\n"
        "    assert not leave.code\n"
        "print({'torch', 'numba'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.stdout.endswith("set()\n"), done.stdout + done.stderr
    assert Path("report/index.html").stat().st_size > 10_000


def test_data_set_without_true_masks_on_weak_images(params: Params, run: Path) -> None:
    (proxy_dir("dsrg") / "quality.json").write_text('{"images": 0}', "utf-8")
    text = (DATASET / "manifest.csv").read_text(encoding="utf-8")
    bare = re.sub(r"masks/\d+\.png,weak", ",weak", text)
    (DATASET / "manifest.csv").write_text(bare, "utf-8")
    (proxy_dir("dsrg") / "images.csv").write_text("id,proxy_iou\n", "utf-8")
    page = render(params)
    assert "How good they are is not known" in page
    assert "Where they fail most" not in page
    assert page.count("<small>truth</small>") == 6  # of val only


def test_one_seed_and_no_strong(params: Params, run: Path) -> None:
    changes = {"variants": ["dual", "weak"], "ensembles": [], "seeds": [0]}
    few = params.model_copy(update=changes)
    for name in few.variants:
        path = result_file("shapes", "seeds", name)
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    page = render(few)
    assert "With one training per variant" in page
    assert "The interval is over the choice of val images" in page
    assert page.count(" over the scored images</a>") == 1  # weak − dsrg
    assert "Seed by seed" not in page
    assert "<code>dvc exp run -S 'ensembles=[weak]'</code>" in page
    assert "strong − mixed</td>" in page  # a claim that this run cannot judge


def test_one_training_has_an_interval_over_images(params: Params, run: Path) -> None:
    one = params.model_copy(update={"ensembles": [], "seeds": [0]})
    for name in one.variants:
        path = result_file("shapes", "seeds", name)
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    page = " ".join(render(one).split())
    rows = {row[0]: row for row in read_rows(Path("report/tables/table1.csv"))}
    assert " over the scored images" in rows["dual"][5]
    low, high = (float(n.replace("−", "-")) for n in re.findall(r"[+−][\d.]+", rows["dual"][5]))
    assert low < float(rows["dual"][4].replace("−", "-")) < high
    assert f"(95 % interval {rows['dual'][5]})" in page
    assert "one training: above" in page  # a training's own noise is not in the interval
    assert 'href="../data/predictions/dual"' in page


def read_rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_no_validation_during_training(params: Params, run: Path) -> None:
    for path in MODELS.glob("*/*/history.csv"):
        path.write_text("step,loss\n10,2.0\n20,1.0\n", "utf-8")
    assert "Val was not scored during training" in render(params)
    last = Path("report/plots/val_miou/dual.csv").read_text("utf-8").splitlines()
    miou = json.loads(result_file("shapes", "metrics", "dual").read_text())["miou"]
    assert last == ["step,val_miou", f"20,{miou:.6g}"]  # so that DVC has a plot to draw


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        (result_file("shapes", "metrics", "dual"), "evaluate dual"),
        (result_file("shapes", "seeds", "weak"), "evaluate weak"),
        (result_file("shapes", "per_class", "weak"), "evaluate weak"),
        (result_file("shapes", "confusion", "weak"), "evaluate weak"),
        (PREDICTIONS / "dual" / "9.png", "evaluate dual"),
        (MODELS / "mixed" / "7" / "history.csv", "train mixed 7"),
        (SEEDS / "history.csv", "seeds"),
        (SEEDS / "seeds.npy", "seeds"),
        (Path("data/dsrg/history.csv"), "dsrg"),
        (proxy_dir("dsrg") / "quality.csv", "proxy dsrg"),
        (SPLIT / "weak.txt", "split"),
    ],
)
def test_missing_file_is_named_with_its_stage(
    params: Params, run: Path, path: Path, stage: str
) -> None:
    path.unlink()
    with pytest.raises(UserError, match=re.escape(f"{path} is not there")) as caught:
        write_report(params, open_manifest(params), run / "report")
    assert f"python -m stages.{stage}`" in str(caught.value)
    assert not (run / "report").exists()


def test_missing_proxies(params: Params, run: Path) -> None:
    shutil.rmtree(proxy_dir("dsrg") / "masks")
    with pytest.raises(UserError, match=r"run `python -m stages\.proxy dsrg` first"):
        write_report(params, open_manifest(params), run / "report")


def test_stale_results(params: Params, run: Path) -> None:
    more = params.model_copy(update={"seeds": [0, 7, 8]})
    with pytest.raises(UserError, match=r"seeds/.*csv was made for other seeds"):
        write_report(more, open_manifest(more), run / "report")
    path = result_file("shapes", "per_class", "weak")
    path.write_text(path.read_text(encoding="utf-8").replace("bird", "bat"), "utf-8")
    with pytest.raises(UserError, match=r"per_class/weak\.csv has other classes than the data set"):
        write_report(params, open_manifest(params), run / "report")


def test_text_for_the_terminal(params: Params, run: Path) -> None:
    lines = comparison_text(params, open_manifest(params)).splitlines()
    names = ["dsrg", *params.variants, "ensemble_weak"]
    assert [line.split()[0] for line in lines[1:-1]] == names
    metrics = json.loads(result_file("shapes", "metrics", "dual").read_text())
    assert f"{metrics['miou']:.2f} ± {metrics['miou_sd']:.2f}" in lines[5]
    assert f"{metrics['pixel_accuracy']:.2f}" in lines[5]
    assert lines[-1] == "percent on val; mean ± standard deviation over 2 seeds"
    assert len({len(line) for line in lines[:-1]}) == 1
    result_file("shapes", "metrics", "dual").unlink()
    with pytest.raises(UserError, match=r"stages\.evaluate dual"):
        comparison_text(params, open_manifest(params))


def test_classes_without_a_pixel_are_warned_of(page: str, params: Params, run: Path) -> None:
    manifest = open_manifest(params)
    absent = absent_classes(manifest, [row.id for row in manifest.of("strong")])
    assert absent.strong
    assert absent.val
    text = re.sub(r"\s+", " ", page)
    for kind, count, names in (("strong", 2, absent.strong), ("val", 6, absent.val)):
        assert f"none of the {count} {kind} masks holds {escape(', '.join(names))}" in text


def test_without_such_classes_there_is_no_warning(params: Params, run: Path) -> None:
    text = (DATASET / "manifest.csv").read_text(encoding="utf-8")
    everything = ";".join(open_manifest(params).classes.names[1:])
    rows = list(csv.reader(text.splitlines()))
    with (DATASET / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [rows[0], *([*row[:4], everything, *row[5:]] for row in rows[1:])]
        )
    assert "Warning" not in render(params)
