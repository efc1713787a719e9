"""The manifest survives a round trip and refuses what later stages could not use."""

import csv
import gc
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.data.folds import without
from pipeline.data.manifest import (
    COLUMNS,
    Reading,
    Row,
    make_classes,
    read_classes,
    read_manifest,
    read_reading,
    voc_palette,
    write_manifest,
    write_reading,
)
from pipeline.data.plan import make_plan

CLASSES = make_classes(["background", "cat, or lion", "Hündin", 'the "dog"'])
ROWS = (
    Row("a", "@root/images/a b.jpg", "masks/a.png", "strong", (1, 3), 10, 6),
    Row("b", "images/b.png", "", "weak", (), 7, 8),
    Row("c", "images/c.png", "masks/c.png", "val", (2,), 9, 9),
    Row("d", "images/d.png", "", "test", (), 9, 9),
)


def test_round_trip(tmp_path: Path) -> None:
    write_manifest(tmp_path, ROWS, CLASSES)
    manifest = read_manifest(tmp_path, tmp_path / "root")
    assert manifest.rows == ROWS
    assert manifest.classes == CLASSES
    assert read_classes(tmp_path) == CLASSES


def test_files_are_plain_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_manifest(tmp_path, ROWS, CLASSES)
    lines = (tmp_path / "manifest.csv").read_bytes().split(b"\n")
    assert lines[0].decode() == ",".join(COLUMNS)
    assert lines[2] == b"b,images/b.png,,weak,,7,8,"
    assert lines[-1] == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classes.csv", "manifest.csv"]


MORE = (
    replace(ROWS[0], fold=1),
    replace(ROWS[1], tags=None, proxy="proxies/b.png"),
    replace(ROWS[2], truth="truth/c.png"),
)


def test_tags_are_known_or_none_or_unknown(tmp_path: Path) -> None:
    write_manifest(tmp_path, MORE, CLASSES)
    manifest = read_manifest(tmp_path, tmp_path)
    assert manifest.rows == MORE
    lines = (tmp_path / "manifest.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == ",".join((*COLUMNS, "truth", "proxy", "fold"))
    assert lines[2] == "b,images/b.png,,weak,?,7,8,,,proxies/b.png,"
    assert manifest.tagged() == []  # what is in a fold is scored
    assert [row.id for row in manifest.train()] == ["a", "b"]
    assert manifest.truth_path(manifest.rows[2]) == tmp_path / "truth/c.png"
    assert manifest.truth_path(manifest.rows[0]) == tmp_path / "masks/a.png"
    with pytest.raises(AssertionError, match="tags of 'b' are not known"):
        _ = manifest.rows[1].known_tags


def test_a_seed_holds_out_one_fold(tmp_path: Path) -> None:
    """Eight images in folds 0, 1, 2, 0, 1, ...; one more with a mask, and one with tags."""
    folded = [replace(ROWS[0], id=f"f{n}", fold=n % 3) for n in range(8)]
    write_manifest(tmp_path, [*folded, ROWS[0], ROWS[1]], CLASSES)
    manifest = read_manifest(tmp_path, tmp_path)
    assert manifest.fold_sizes == (3, 3, 2)
    for seed in range(9):
        held_out = manifest.held_out(seed)
        assert {row.fold for row in held_out} == {seed % 3}
        assert manifest.scored(seed) == held_out
        plan = without(make_plan("dual", 0, [r.id for r in folded] + ["a"], ["b"]), held_out)
        assert sorted([*plan.strong, *(row.id for row in held_out)]) == sorted(
            [*(row.id for row in folded), "a"]
        )
        assert plan.weak == ("b",)
    assert manifest.scored() == folded
    assert [row.id for row in manifest.tagged()] == ["a", "b"]


def test_without_folds_every_seed_is_scored_on_val(tmp_path: Path) -> None:
    write_manifest(tmp_path, ROWS, CLASSES)
    manifest = read_manifest(tmp_path, tmp_path)
    assert manifest.fold_sizes == ()
    assert manifest.held_out(3) == []
    assert manifest.scored(3) == manifest.scored() == [ROWS[2]]


def test_no_class_has_the_name_of_unknown_tags() -> None:
    with pytest.raises(UserError, match="'\\?' stands for tags that are not known"):
        make_classes(["background", "?"])


def test_paths_follow_their_root(tmp_path: Path) -> None:
    write_manifest(tmp_path, ROWS, CLASSES)
    manifest = read_manifest(tmp_path, Path("/photos"))
    assert manifest.path(ROWS[0].image) == Path("/photos/images/a b.jpg")
    assert manifest.path(ROWS[0].mask) == tmp_path / "masks" / "a.png"


def test_splits(tmp_path: Path) -> None:
    write_manifest(tmp_path, ROWS, CLASSES)
    manifest = read_manifest(tmp_path, tmp_path)
    assert [row.id for row in manifest.train()] == ["a", "b"]
    assert [row.id for row in manifest.of("test", "val")] == ["c", "d"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ROWS[0], "'a' is twice in the data set"),
        (replace(ROWS[0], id="z", split="train"), "split 'train'"),
    ],
)
def test_bad_rows_leave_no_manifest(tmp_path: Path, row: Row, message: str) -> None:
    with pytest.raises(UserError, match=message):
        write_manifest(tmp_path, [*ROWS, row], CLASSES)
    assert list(tmp_path.iterdir()) == []


def test_unknown_tag(tmp_path: Path) -> None:
    write_manifest(tmp_path, ROWS, CLASSES)
    text = (tmp_path / "manifest.csv").read_text(encoding="utf-8")
    (tmp_path / "manifest.csv").write_text(text.replace("Hündin", "Katze"), encoding="utf-8")
    with pytest.raises(UserError, match="'c' has the tag 'Katze'"):
        read_manifest(tmp_path, tmp_path)


def test_rows_share_what_is_equal_and_hold_nothing_else(tmp_path: Path) -> None:
    """A hundred thousand rows stay in memory; see benchmarks/memory.py."""
    write_manifest(tmp_path, [replace(ROWS[0], id=f"{i}", width=640) for i in range(2)], CLASSES)
    one, two = read_manifest(tmp_path, tmp_path).rows
    assert one.tags is two.tags
    assert one.split is two.split
    assert one.width is two.width
    assert not hasattr(one, "__dict__")


@pytest.mark.parametrize("collecting", [True, False])
def test_reading_leaves_the_garbage_collector_as_it_was(tmp_path: Path, collecting: bool) -> None:
    write_manifest(tmp_path, ROWS, CLASSES)
    was_on = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        read_manifest(tmp_path, tmp_path)
        assert gc.isenabled() == collecting
    finally:
        (gc.enable if was_on else gc.disable)()


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    write_manifest(tmp_path, ROWS, CLASSES)
    path = tmp_path / "manifest.csv"
    with path.open(newline="", encoding="utf-8") as file:
        lines = [[*reversed(cells), "more"] for cells in csv.reader(file)]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    assert read_manifest(tmp_path, tmp_path).rows == ROWS


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"run `python -m stages\.download` first"):
        read_manifest(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["background"], "found 1"),
        ([f"{n}" for n in range(256)], "found 256"),
        (["background", " "], "' ' is empty"),
        (["background", "a;b"], "'a;b' is empty or holds a ';'"),
        (["background", "b", "a", "b"], "are repeated: b"),
        (["background", "a\nb"], "holds a control character"),
        (["background", "\ud800"], "holds a control character"),
    ],
)
def test_bad_class_names(names: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_classes(names)


def test_palette_is_vocs() -> None:
    colours = voc_palette(256)
    # Colours every VOC user has seen: aeroplane, person, tvmonitor, and the border.
    assert (colours[1], colours[15]) == ((128, 0, 0), (192, 128, 128))
    assert (colours[20], colours[255]) == ((0, 64, 128), (224, 224, 192))
    assert len(set(colours)) == 256


@pytest.mark.parametrize("file", ["manifest.csv", "classes.csv"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\xff\xfe",
        b"a,b\n1,2\n",
        b"id,image,mask,split,tags,width,height,md5\na,i,m,weak,,x,6,\n",
        b"id,image,mask,split,tags,width,height,md5\na,i,m,weak\n",
        b"id,image,mask,split,tags,width,height,md5\na,i,m,train,,5,6,\n",
        b"index,name,red,green,blue\n0,background,x,0,0\n",
        b"index,name,red,green,blue\n0,background\n",
        b"index,name,red,green,blue\n",
    ],
)
def test_damaged_tables(tmp_path: Path, file: str, content: bytes) -> None:
    write_manifest(tmp_path, ROWS, CLASSES)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_manifest(tmp_path, tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / file} is damaged (")
    assert str(caught.value).endswith("run `python -m stages.download` to write it again")


def test_care_is_not_written(tmp_path: Path) -> None:
    write_manifest(tmp_path, [replace(ROWS[0], care=("turned by EXIF",))], CLASSES)
    (row,) = read_manifest(tmp_path, tmp_path).rows
    assert (row, row.care, row.size) == (ROWS[0], (), (10, 6))


def test_how_photographs_were_read(tmp_path: Path) -> None:
    assert read_reading(tmp_path) == Reading()
    write_reading(tmp_path, Reading(white=4095, longest_side=320))
    path = tmp_path / "reading.json"
    assert path.read_bytes() == b'{"white":4095,"longest_side":320}\n'
    assert read_reading(tmp_path) == Reading(white=4095, longest_side=320)
    for damaged in ("", "white", '{"white":0}', '{"white":65536}', '{"side":3}'):
        path.write_text(damaged, "utf-8")
        with pytest.raises(UserError, match=r"reading\.json is damaged (?s:.*) write it again"):
            read_reading(tmp_path)
