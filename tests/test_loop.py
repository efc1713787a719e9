"""The labelling loop through the real commands: check, run, next, correct, join, run again."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.images import Bytes, read_mask
from pipeline.data.manifest import Manifest, make_classes, read_manifest
from pipeline.editable.drawn import Drawn
from pipeline.editable.labelme import LabelmeWriter
from pipeline.editable.outlines import outline
from tests.test_few_masks import inside, make_photographs, stages, table
from tests.trees import CLASS_NAMES, scene

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
MASKS, TAGGED = 8, 10
RUN = (
    *("download", "seeds", "dsrg", "proxy dsrg", "split"),
    *("train strong 0", "train dual 0", "evaluate strong", "evaluate dual"),
    *("package strong", "package dual"),
)


def truth(key: str) -> Bytes:
    """The true mask of a photograph, without its unknown border."""
    mask_HW = scene(int(key))[1]
    return np.where(mask_HW == 255, 0, mask_HW).astype(np.uint8)


def annotator(folder: Path, mask_of: Callable[[str], Bytes], keys: list[str]) -> None:
    """Draw true masks over some of the annotations that were written, as LabelMe saves them."""
    writer = LabelmeWriter(folder, make_classes(CLASS_NAMES))
    for key in keys:
        path = folder / f"{key}.json"
        photograph = folder / json.loads(path.read_text("utf-8"))["imagePath"]
        assert photograph.resolve().stem == key
        writer.add(Drawn(photograph, f"{key}.jpg", outline(mask_of(key), 0.0)))
    writer.finish()


def read(folder: Path) -> Manifest:
    return read_manifest(folder / "data/dataset", folder / "mine")


def test_from_a_first_network_to_a_better_one(tmp_path: Path) -> None:
    make_photographs(tmp_path / "mine", MASKS, TAGGED)
    with inside(tmp_path, {"variants": ["strong", "dual"], "proxy.generators": ["dsrg"]}):
        stages("check mine", *RUN)
        before = read(tmp_path)
        printed = stages("next --count 4 --as labelme --out next", "proxies --as cvat --out next")
        assert "4 photographs in next/next.csv" in printed["next --count 4 --as labelme --out next"]
        assert f"{TAGGED} images for cvat" in printed["proxies --as cvat --out next"]
        rows = table("next/next.csv")
        chosen = [row["image"] for row in rows]
        assert len(set(chosen)) == 4
        assert all(row["reason"] and int(row["corners"]) >= 0 for row in rows)
        page = Path("next/index.html").read_text("utf-8")
        assert all(f"<code>{key}</code>" in page for key in chosen)
        annotator(Path("next/labelme"), truth, chosen[:3])
        join = "join next/labelme --data mine"
        assert "3 images were changed" in stages(join)[join]
        stages("check mine", *RUN)
        after = read(tmp_path)
        for key in chosen[:3]:
            found_HW = np.asarray(read_mask(Path("mine/corrected", f"{key}.png")))
            wrong = (found_HW != truth(key)).mean()
            assert wrong < 0.02
    strong = {row.id for row in after.of("strong")}
    assert strong == {row.id for row in before.of("strong")} | set(chosen[:3])
    assert [row.id for row in after.of("val")] == [row.id for row in before.of("val")]
    scores = json.loads((tmp_path / "results/folder/metrics/dual.json").read_text())
    assert 0 <= scores["miou"] <= 100


def test_marked_photographs_come_first(tmp_path: Path) -> None:
    make_photographs(tmp_path / "mine", MASKS, TAGGED)
    with inside(tmp_path, {"variants": ["strong", "dual"], "proxy.generators": ["dsrg"]}):
        stages(*RUN)
        weak = [row.id for row in read(tmp_path).of("weak")]
        marked = [weak[-1], weak[2]]
        lines = ["set,id", "val,00", *(f"weak,{key}" for key in marked)]
        Path("marked.csv").write_text("\n".join(lines))
        for rule in ("random", "balanced", "doubt", "both"):
            stages(f"next --count 3 --marked marked.csv --by {rule} --out {rule}")
            rows = table(f"{rule}/next.csv")
            assert [row["image"] for row in rows[:2]] == marked
            assert rows[0]["reason"].startswith("you marked it")
            assert len({row["image"] for row in rows}) == 3


def test_the_curve_is_in_the_report(tmp_path: Path) -> None:
    make_photographs(tmp_path / "mine", MASKS, TAGGED)
    with inside(tmp_path, {"variants": ["strong", "dual"], "proxy.generators": ["dsrg"]}):
        stages(*RUN, "evaluate_dsrg")
        masks = len(read(tmp_path).of("strong"))
        command = f"curve --masks {masks} --draws 1"
        printed = stages(command)[command]
        assert f"{masks} masks, draw 0: strong " in printed
        rows = table("results/folder/curve.csv")
        assert [(row["network"], row["masks"]) for row in rows] == [
            ("strong", str(masks)), ("dual", str(masks)), ("dual", str(masks)),
        ]  # fmt: skip
        own = table("results/folder/seeds/strong.csv")[0]["miou"]
        assert float(rows[0]["miou"]) == pytest.approx(float(own), abs=1e-3)  # the same training
        assert "masks, draw" not in stages(command)[command]
        stages("report")
        page = Path("report/index.html").read_text("utf-8")
        assert "What would more masks and tags bring?" in page
        assert "With one draw of the masks it cannot be told from chance" in page
