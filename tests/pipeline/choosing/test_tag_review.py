"""Tags worth a look: what was flipped is listed, by classifiers that have not seen it."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.base.errors import UserError
from pipeline.choosing import tag_review
from pipeline.choosing.report import write_review
from pipeline.choosing.tag_review import Doubt, review, worth_a_look
from pipeline.data.manifest import Manifest
from pipeline.datasets.folder.stratify import draw_folds
from tests.settings import small_params

pytest.importorskip("cleanlab", reason="cleanlab is not installed")


def test_flipped_tags_are_listed_first() -> None:
    rng = np.random.default_rng(0)
    true_NK = rng.random((400, 3)) < 0.4
    likely_NK = np.clip(np.where(true_NK, 0.85, 0.15) + rng.normal(0, 0.08, (400, 3)), 0, 1)
    tagged_NK = true_NK.copy()
    flips = [(3, 0), (50, 1), (99, 2), (200, 0), (321, 1)]
    for place, label in flips:
        tagged_NK[place, label] ^= True
    found = worth_a_look([str(n) for n in range(400)], tagged_NK, likely_NK)
    first = {(int(doubt.id), doubt.label) for doubt in found[: len(flips)]}
    assert first == set(flips)
    for doubt in found:
        tagged = tagged_NK[int(doubt.id), doubt.label]
        assert doubt.missing == (not tagged)
        likely = doubt.probability if tagged else 1 - doubt.probability
        assert doubt.quality == pytest.approx(likely)
    assert [d.quality for d in found] == sorted(d.quality for d in found)


def test_each_fold_is_judged_by_a_classifier_of_the_others(
    manifest: Manifest, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params, trained = small_params(), []
    train = tag_review.train_classifier

    def watched(own: object, part: Manifest, key: object) -> object:
        trained.append({row.id for row in part.tagged()})
        return train(own, part, key)

    monkeypatch.setattr(tag_review, "train_classifier", watched)
    monkeypatch.setattr(tag_review, "LEAST", 1)
    doubts, few = review(params, manifest, 2)
    rows = manifest.tagged()
    fold_of = draw_folds({row.id: row.known_tags for row in rows}, 2, params.seed)
    assert trained == [{k for k, f in fold_of.items() if f != fold} for fold in (0, 1)]
    shown = {tag for row in rows for tag in row.known_tags}
    assert set(few) == set(range(1, len(manifest.classes))) - shown
    assert all(doubt.label in shown for doubt in doubts)
    again, _ = review(params, manifest, 2)
    assert (again, len(trained)) == (doubts, 2)  # nothing is trained twice


def test_classes_in_few_images_are_left_out(manifest: Manifest, workspace: Path) -> None:
    doubts, few = review(small_params(), manifest, 2)
    counts = dict.fromkeys(range(1, len(manifest.classes)), 0)
    for row in manifest.tagged():
        for tag in row.known_tags:
            counts[tag] += 1
    assert few == [tag for tag, count in counts.items() if count < tag_review.LEAST]
    assert not {doubt.label for doubt in doubts} & set(few)
    with pytest.raises(UserError, match="99 folds need as many images with tags; 16 have"):
        review(small_params(), manifest, 99)


def test_the_lists(manifest: Manifest, workspace: Path) -> None:
    first, second = manifest.tagged()[:2]
    doubts = [Doubt(first.id, 2, True, 0.97, 0.03), Doubt(second.id, 1, False, 0.1, 0.1)]
    write_review(manifest, doubts, [3], Path("review"))
    names = manifest.classes.names
    assert Path("review/review.csv").read_text().splitlines()[1:] == [
        f"{first.id},missing,{names[2]},0.9700", f"{second.id},wrong,{names[1]},0.1000",
    ]  # fmt: skip
    page = Path("review/index.html").read_text("utf-8")
    assert page.index("Perhaps missing: 1") < page.index(f"{names[2]} at 97 %")
    assert page.index("Perhaps wrong: 1") < page.index(f"{names[1]} at 10 %")
    assert f"show {names[3]}, so these tags" in page
