"""A browser, and reports to open in it. Selenium may be missing, so it is imported late."""

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.data.manifest import open_manifest
from pipeline.report import viewer as made_by
from pipeline.report.page import write_report
from pipeline.settings.params import Params

if TYPE_CHECKING:
    from selenium import webdriver

    from tests.pipeline.report.browsing import Viewer

MANY = 5000


@pytest.fixture(scope="session")
def inside(params: Params, finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report that holds its pictures."""
    return report_of(params, finished_run, tmp_path_factory.mktemp("inside"))


@pytest.fixture(scope="session")
def beside(params: Params, finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with its pictures beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made_by, "INLINE", 0)
        return report_of(params, finished_run, tmp_path_factory.mktemp("beside"))


def report_of(params: Params, run: Path, folder: Path) -> Path:
    with contextlib.chdir(run):
        write_report(params, open_manifest(params), folder)
    return folder


@pytest.fixture(scope="session")
def many(beside: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report with its pictures beside it, its val images again and again up to 5,000."""
    folder = tmp_path_factory.mktemp("many")
    page = (beside / "index.html").read_text("utf-8")
    found = re.search(r'(id="viewer-data">)(.*?)(</script>)', page)
    assert found
    data = json.loads(found[2])
    data["sets"] = data["sets"][:1]
    val = data["sets"][0]
    count = len(val["ids"])
    for layer in val["layers"]:
        (folder / layer["folder"]).mkdir(parents=True)
        for place in range(MANY):
            name = f"{layer['folder']}{place}.{layer['end']}"
            os.link(beside / f"{layer['folder']}{place % count}.{layer['end']}", folder / name)
    for column in ("sizes", "tags", "present", "by_class", "apart"):
        val[column] = [val[column][place % count] for place in range(MANY)]
    val["ids"] = [f"image {place}" for place in range(MANY)]
    scores = np.random.default_rng(0).uniform(0, 100, (MANY, len(val["scored"])))
    val["iou"] = scores.round(1).tolist()
    text = page[: found.start(2)] + json.dumps(data).replace("<", "\\u003c") + page[found.end(2) :]
    (folder / "index.html").write_text(text, "utf-8")
    return folder


@pytest.fixture
def opened(browser: "webdriver.Chrome", inside: Path) -> Iterator["Viewer"]:
    """The page, freshly opened; it must not have complained at the end."""
    from tests.pipeline.report.browsing import Viewer, url_of

    page = Viewer(browser, url_of(inside))
    yield page
    assert page.complaints() == []
    page.run("localStorage.clear()")
