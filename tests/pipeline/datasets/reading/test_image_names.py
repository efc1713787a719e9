"""Odd names either work all the way to the files stages write, or are refused with a reason."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.base.atomic import whole_file
from pipeline.data.images import read_mask, write_mask
from pipeline.data.manifest import read_manifest
from pipeline.data.pairs import confidence_path, proxied, proxy_path
from pipeline.data.plan import make_plan, read_plan, write_plans
from pipeline.datasets.reading.download import download
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.image_names import NAME_BYTES, check_names
from tests.settings import small_params
from tests.trees import make_folder

GOOD = [
    "a  b c",
    "Käfer 甲虫",
    "-rf",
    "a \"b\", 'c'",
    "<script>alert(1)<",
    "100%20#1?",
    "=1+1",
    "a;b",
    "NUL.tar",
    "x" * NAME_BYTES,
    "é" * (NAME_BYTES // 2),
]


def test_odd_names_work_all_the_way(tmp_path: Path) -> None:
    root, out = tmp_path / "mine", tmp_path / "out"
    make_folder(root)
    lines = ["image,tags"]
    for number, name in zip(range(4, 12), GOOD, strict=False):
        (root / "images" / f"scene {number}.jpg").rename(root / "images" / f"{name}.jpg")
        quoted = name.replace('"', '""')
        lines.append(f'"{quoted}",boat')
    for number, name in zip(range(3), GOOD[8:], strict=True):
        (root / "images" / f"scene {number}.jpg").rename(root / "images" / f"{name}.jpg")
        (root / "masks" / f"scene {number}.png").rename(root / "masks" / f"{name}.png")
    (root / "tags.csv").write_text("\n".join(lines), "utf-8")
    (root / "splits").mkdir()
    names = "\n".join([*GOOD, "scene 3"])
    (root / "splits" / "train.txt").write_text(names, "utf-8")
    (root / "splits" / "val.txt").write_text("scene 12\nscene 13\n", "utf-8")
    download(small_params(dataset="folder", data_root=str(root)), out)
    manifest = read_manifest(out, root)
    assert {row.id for row in manifest.of("weak")} == set(GOOD[:8])
    assert {row.id for row in manifest.of("strong")} == {*GOOD[8:], "scene 3"}

    strong, weak = ([row.id for row in manifest.of(split)] for split in ("strong", "weak"))
    lists = tmp_path / "lists"
    lists.mkdir()
    write_plans(lists, [make_plan("weak", 0, strong, weak)])
    plan = read_plan(lists, "weak")
    assert proxied(plan) == [*strong, *weak]
    mask_HW = np.ones((4, 4), dtype=np.uint8)
    for name in proxied(plan):
        for path in (proxy_path(name, lists), confidence_path(name, lists)):
            with whole_file(path) as part:
                write_mask(part, mask_HW, manifest.classes)
            assert np.array_equal(np.array(read_mask(path)), mask_HW)
    assert {path.stem for path in (lists / "masks").iterdir()} == {*strong, *weak}


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["a/b"], "contain a path: 'a/b'"),
        ([".."], "contain a path: '..'"),
        ([""], "contain a path: ''"),
        (["a\\b"], r"contain a path: 'a\\b'"),
        (["a\0"], r"contain a path: 'a\x00'"),
        (["a\nb"], r"line end or another control character, or that are not UTF-8; rename: 'a\nb'"),
        (
            ["a\x85b"],
            r"line end or another control character, or that are not UTF-8; rename: 'a\x85b'",
        ),
        (
            ["\udcff"],
            r"line end or another control character, or that are not UTF-8; rename: '\udcff'",
        ),
        ([" a"], "begin or end with a space, which lists cannot hold; rename: ' a'"),
        (["a\u3000"], "begin or end with a space, which lists cannot hold; rename: 'a\\u3000'"),
        (["x" * (NAME_BYTES + 1)], f"longer than {NAME_BYTES} bytes"),
        (["é" * (NAME_BYTES // 2 + 1)], f"longer than {NAME_BYTES} bytes"),
        (["a", "A", "b"], "which some file systems treat as the same; rename: 'a', 'A'"),
        (["é", "e\u0301"], r"which some file systems treat as the same; rename: '\xe9', 'e\u0301'"),
        (
            ["STRASSE", "straße"],
            r"which some file systems treat as the same; rename: 'STRASSE', 'stra\xdfe'",
        ),
        (["a", "a"], "has names twice: a"),
    ],
)
def test_names_that_are_refused(names: list[str], problem: str) -> None:
    findings = Findings()
    check_names(names, "here", findings)
    (said,) = (f"{what}: {', '.join(cases)}" for what, cases in findings.problems.items())
    assert said.startswith("here has names")
    assert problem in said
