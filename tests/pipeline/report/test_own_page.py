"""The words of a report on one's own photographs: whether tags help, which classes are weakest."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.manifest import ClassList, Manifest, Row
from pipeline.data.plan import Plan
from pipeline.report.bootstrap import image_counts
from pipeline.report.collect import ClassScore, Outcome
from pipeline.report.own_page import do_tags_help, weakest_first
from pipeline.scoring.metrics import confusion_matrix

EMPTY = np.zeros((2, 3), np.int64)


def outcome(name: str, *scores: float) -> Outcome:
    mean = sum(scores) / len(scores)
    return Outcome(name, "", {"miou": mean}, dict(enumerate(scores)), [], EMPTY)


@pytest.mark.parametrize(
    ("strong", "dual", "answer", "use"),
    [
        (
            (50, 51, 52),
            (55, 56.2, 57),
            "Yes: with them the network is better by 5.1 points",
            "dual",
        ),
        (
            (55, 56.2, 57),
            (50, 51, 52),
            "No: with them the network is worse by 5.1 points",
            "strong",
        ),
        ((50, 51, 52), (49, 56, 51), "That cannot be told from chance: better by 1.0 ", "dual"),
        ((50, 56, 51), (49, 52, 52), "That cannot be told from chance: worse by 1.3 ", "strong"),
        ((50,), (51,), "That cannot be told from these scores.", "dual"),
    ],
)
def test_the_answer_follows_the_interval(
    strong: tuple[float, ...], dual: tuple[float, ...], answer: str, use: str
) -> None:
    found = do_tags_help([outcome("strong", *strong), outcome("dual", *dual)])
    assert found.answer.startswith(answer)
    assert found.use == use
    assert found.model == Path(f"data/packages/{use}/model.safetensors")


def test_with_one_training_the_interval_is_over_images() -> None:
    rng = np.random.default_rng(0)
    truths = [rng.integers(0, 2, (8, 8), dtype=np.uint8) for _ in range(20)]
    right = image_counts(confusion_matrix(truth, truth, 2) for truth in truths)
    wrong = image_counts(confusion_matrix(truth, 1 - truth, 2) for truth in truths)
    strong, dual = outcome("strong", 0.0), outcome("dual", 100.0)
    found = do_tags_help([replace(strong, images=wrong), replace(dual, images=right)])
    assert found.interval == (100.0, 100.0)
    assert found.answer.startswith("Yes: ")


def test_without_strong_there_is_nothing_to_compare() -> None:
    found = do_tags_help([outcome("dual", 50.0)])
    assert (found.answer, found.gap, found.use) == ("", None, "dual")


def test_the_weakest_class_stands_first_with_what_shows_it() -> None:
    def row(name: str, split: str, tags: tuple[int, ...] | None) -> Row:
        mask = "" if split == "weak" else f"@root/masks/{name}.png"
        return Row(name, f"@root/images/{name}.jpg", mask, split, tags, 9, 9)

    rows = (
        row("a", "strong", (1, 2)), row("b", "strong", (2,)), row("c", "strong", (1,)),
        row("d", "weak", (1,)), row("e", "weak", (1, 3)), row("f", "val", (3,)),
        row("g", "weak", None),
    )  # fmt: skip
    names = ("background", "cat", "dog", "cow")
    classes = ClassList(names, tuple((index, 0, 0) for index in range(4)))
    manifest = Manifest(rows, classes, Path("data"), Path("root"))
    scores = [ClassScore(iou, None, 1) for iou in (90.0, 40.0, None, 10.0)]
    plan = Plan("strong", strong=("a", "b"), weak=("c", "d", "e", "g"), streams=(), neck_n=0)
    found = weakest_first(manifest, plan, replace(outcome("dual", 50.0), per_class=scores))
    assert [(line.name, line.masks, line.tags, line.scored) for line in found] == [
        ("cow", 0, 1, 1), ("cat", 1, 3, 0), ("dog", 2, 0, 0),
    ]  # fmt: skip
