"""The page of first pictures, before any network is trained."""

import shutil
from pathlib import Path

from pipeline.data.manifest import open_manifest
from pipeline.report.proxy_page import write_proxy_page
from pipeline.settings.params import Params
from pipeline.settings.paths import MODELS, SPLIT, first_pictures, proxy_dir


def test_it_needs_nothing_behind_the_proxies(params: Params, run: Path) -> None:
    for folder in (SPLIT, MODELS):
        shutil.rmtree(folder)
    path = first_pictures("dsrg")
    write_proxy_page(params, open_manifest(params), "dsrg", path)
    page = path.read_text("utf-8")
    assert "Where they fail most" in page
    assert page.count('<figure class="strip">') == 2 * params.report.rows
    assert page.count("data:image/") >= 4 * page.count('<figure class="strip">')


def test_another_generator_need_not_be_there(params: Params, run: Path) -> None:
    both = params.proxy.model_copy(update={"generators": ["self", "dsrg"]})
    (proxy_dir("dsrg") / "images.csv").write_text("id,proxy_iou\n", "utf-8")
    path = first_pictures("dsrg")
    wanted = params.model_copy(update={"proxy": both})
    write_proxy_page(wanted, open_manifest(params), "dsrg", path)
    assert "Where they fail most" not in path.read_text("utf-8")
