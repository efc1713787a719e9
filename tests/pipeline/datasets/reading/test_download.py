"""The dispatch to the kinds of data sets, and that a failure leaves what was there."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.data.manifest import ClassList, Manifest, Row, make_classes, read_manifest
from pipeline.datasets.reading import download as module
from pipeline.datasets.reading.download import download, find_prepare
from pipeline.settings.params import Params
from pipeline.settings.paths import DATASET
from tests.settings import small_params
from tests.trees import make_folder


@pytest.mark.parametrize("dataset", ["shapes", "voc", "coco", "folder"])
def test_every_kind_has_a_reader(dataset: str) -> None:
    assert callable(find_prepare(dataset))


def test_folder_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def prepare(folder: Path, data_root: Path, params: Params) -> tuple[list[Row], ClassList]:
        asked.append(data_root)
        (folder / "made").write_text(params.dataset)
        if len(asked) == 2:
            raise UserError("no more")
        (folder / "image").write_bytes(b"pixels")
        rows = [Row(f"{n}", "image", "", "weak", (1,), 4, 4) for n in range(3)]
        return rows, make_classes(["background", "cat"])

    monkeypatch.setattr(module, "find_prepare", lambda dataset: prepare)
    monkeypatch.chdir(tmp_path)
    params = Params.model_construct(dataset="voc", data_root="photos")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("")
    assert download(params, Path("out")) == {"strong": 0, "weak": 3, "val": 0, "test": 0}
    assert asked == [tmp_path.resolve() / "photos"]
    with pytest.raises(UserError, match="no more"):
        download(params, Path("out"))
    assert len(read_manifest(Path("out"), tmp_path).rows) == 3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "classes.csv",
        "image",
        "made",
        "manifest.csv",
    ]


@pytest.mark.parametrize("inside", ["data/dataset", "data/dataset/photos", "data/models", "link"])
def test_photographs_where_stages_replace_folders_are_refused_and_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    monkeypatch.chdir(tmp_path)
    photos = tmp_path / ("data/dataset" if inside == "link" else inside)
    make_folder(photos)
    if inside == "link":
        (tmp_path / "link").symlink_to(photos)
    before = sorted(tmp_path.rglob("*"))
    params = small_params(dataset="folder", data_root=inside)
    with pytest.raises(UserError, match=r"^data_root: .* is inside data/\w+, which stages replace"):
        download(params, DATASET)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_manifest_changes_with_any_file_it_names(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"image")
    (tmp_path / "b.png").write_bytes(b"mask")
    classes = make_classes(["background", "cat"])
    row = Row("a", "a.png", "@root/b.png", "weak", (1,), 4, 4)
    manifest = Manifest((row,), classes, tmp_path, tmp_path)
    before = module.mark(row, manifest)
    assert before.md5 == hashlib.md5(b"imagemask").hexdigest()
    (tmp_path / "b.png").write_bytes(b"other")
    assert module.mark(row, manifest).md5 != before.md5
    both = replace(row, truth="b.png", proxy="a.png")
    assert module.mark(both, manifest).md5 == hashlib.md5(b"imageotherotherimage").hexdigest()
