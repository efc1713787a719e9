"""Fixtures that several tests share: small params and a small rendered data set."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from filelock import FileLock

from pipeline.data.id_lists import write_ids
from pipeline.data.images import read_mask, write_mask
from pipeline.data.manifest import IGNORE, Manifest, read_manifest, write_manifest
from pipeline.data.pairs import MADE, proxy_path
from pipeline.datasets.shapes.prepare import prepare
from pipeline.settings.params import Params
from pipeline.settings.paths import proxy_dir
from tests.repository import fill_repository
from tests.settings import small_params

if TYPE_CHECKING:
    from selenium import webdriver


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first: else one process would wait at the end for the other's."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def params() -> Params:
    """The repository's own params.yaml with every size and length cut down."""
    return small_params()


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """A rendered data set: 6 strong, 10 weak and 5 val scenes of 32 pixels. Only to be read."""
    folder = tmp_path_factory.mktemp("dataset")
    rows, classes = prepare(folder, folder, small_params())
    write_manifest(folder, rows, classes)
    return read_manifest(folder, folder)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that relative paths such as data/seeds start from."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ready(manifest: Manifest, workspace: Path) -> Manifest:
    """A workspace with proxies: the true masks with the objects' lower halves cut off."""
    for row in manifest.train():
        path = proxy_path(row.id, proxy_dir("dsrg"))
        path.parent.mkdir(parents=True, exist_ok=True)
        mask = np.array(read_mask(manifest.path(row.mask)))
        mask[mask == IGNORE] = mask[row.height // 2 :] = 0
        write_mask(path, mask, manifest.classes)
    write_ids(proxy_dir("dsrg") / MADE, (row.id for row in manifest.train()))
    return manifest


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small repository, `dvc repro` already run; made once for all of pytest's processes.

    Only to be read.
    """
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # which has a folder of its own in that of the run
        place = place.parent
    with FileLock(place / "clone.lock"):
        if not (place / "clone").exists():
            fill_repository(place / "clone.begun")
            (place / "clone.begun").rename(place / "clone")
    return place / "clone"


@pytest.fixture
def own(clone: Path, tmp_path: Path) -> Path:
    """A copy of the small repository that a test may change."""
    return Path(shutil.copytree(clone, tmp_path / "own", symlinks=True))


@pytest.fixture(scope="session")
def browser() -> Iterator["webdriver.Chrome"]:
    """A headless Chromium. Selenium may be missing, so it is imported late."""
    from tests.pipeline.report.browsing import start_chromium

    started = start_chromium()
    yield started
    started.quit()
