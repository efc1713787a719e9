"""tags.csv while somebody tags it."""

import shutil
from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.datasets.folder.tags_csv import read_tags
from pipeline.datasets.reading.findings import DataError, Findings
from pipeline.tagging.pictures import open_folder


def test_only_photographs_without_a_mask(folder: Path) -> None:
    _, pictures = open_folder(folder)
    assert [picture.id for picture in pictures] == ["a", "b.1", "c, d", "köter"]


def test_what_is_written_is_read_as_a_folders_tags(folder: Path) -> None:
    table, _ = open_folder(folder)
    table.write("a", ("cat", "red fish"))
    table.write("c, d", ())
    table.write("köter", ("dog",))
    table.write("köter", None)
    table.write("a", ("red fish",))
    assert table.path.read_text("utf-8") == (
        'image,tags\na.jpg,red fish\n"c, d.jpg",background\nköter.png,\n'
    )
    assert table.read() == {"a": ("red fish",), "c, d": (), "köter": None}
    findings = Findings()
    read = read_tags(table.path, table.photographs, table.labels, findings)
    assert (read, bool(findings)) == ({"a": (3,), "c, d": (), "köter": None}, False)


def test_photographs_that_share_a_name(folder: Path) -> None:
    for inner in ("x", "y"):
        (folder / "images" / inner).mkdir()
        shutil.copy(folder / "images" / "a.jpg", folder / "images" / inner / "same.jpg")
    table, pictures = open_folder(folder)
    keys = [picture.id for picture in pictures if picture.id.endswith("same")]
    assert len(keys) == 2
    for key, tag in zip(keys, ("cat", "dog"), strict=True):
        table.write(key, (tag,))
        table.write(key, (tag,))
    assert table.read() == {keys[0]: ("cat",), keys[1]: ("dog",)}
    assert len(open_folder(folder)[1]) == len(pictures)


def test_rows_of_others_stay(folder: Path) -> None:
    table, _ = open_folder(folder)
    table.path.write_text("\ufeffimage,tags\nimages/B.1.JPG, dog ; cat\ndrawn.jpg,dog\n", "utf-8")
    table.write("a", ("cat",))
    with table.path.open("a") as file:
        file.write("köter.png,dog\n")  # a spreadsheet, meanwhile
    table.write("b.1", ("dog",))
    lines = table.path.read_text("utf-8").splitlines()
    assert lines[1:] == ["images/B.1.JPG,dog", "drawn.jpg,dog", "a.jpg,cat", "köter.png,dog"]


def test_a_broken_table_stays_as_it_is(folder: Path) -> None:
    table, _ = open_folder(folder)
    table.path.write_text("file,labels\na.jpg,cat\n")
    with pytest.raises(UserError, match="must have the header image,tags"):
        table.write("a", ("dog",))
    assert table.path.read_text() == "file,labels\na.jpg,cat\n"


def test_what_cannot_be_tagged(folder: Path) -> None:
    (folder / "tags.csv").write_text("image,tags\nnobody.jpg,cat\n")
    with pytest.raises(DataError, match=r"images that cannot be found.*nobody\.jpg"):
        open_folder(folder)
    (folder / "tags.csv").unlink()
    (folder / "masks" / "drawn.png").unlink()
    (folder / "classes.txt").unlink()
    with pytest.raises(UserError, match=r"classes\.txt is not there: write one class name per"):
        open_folder(folder)
    for path in (folder / "images").iterdir():
        path.unlink()
    (folder / "classes.txt").write_text("background\ncat\n")
    with pytest.raises(DataError, match="contains no images"):
        open_folder(folder)
