"""Fixtures that several tests share: small params and a small rendered data set."""

from pathlib import Path

import pytest

from pipeline.datasets.rendered import prepare
from pipeline.manifest import Manifest, read_manifest, write_manifest
from pipeline.params import Params
from tests.settings import small_params


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
