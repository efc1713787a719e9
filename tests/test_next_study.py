"""The study of what to draw next: its rows, and that none is trained twice."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from docs.results.next import study
from docs.results.next.study import ADDED, START, Start, append, key, read_rows, run, starts
from pipeline.choosing.order import Rule
from pipeline.data.manifest import Manifest
from tests.pipeline.choosing.test_order import signals
from tests.settings import small_params

MASKS = 4


@pytest.fixture
def trained(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[str, Sequence[str], Sequence[str]]]:
    """What would be trained: variant and both lists."""
    asked: list[tuple[str, Sequence[str], Sequence[str]]] = []

    def score(_params: object, _folder: object, variant: str, lists: tuple, *_: int) -> float:
        asked.append((variant, *lists))
        return float(len(asked))

    looked = {row.id: signals(place / 20) for place, row in enumerate(manifest.train())}
    monkeypatch.setattr(study, "score", score)
    monkeypatch.setattr(study, "packaged", lambda *_: None)
    monkeypatch.setattr(study, "look_at", lambda _, rows, *__: {r.id: looked[r.id] for r in rows})
    monkeypatch.setattr(study, "ADDED", 3)
    return asked


def test_each_rule_adds_to_the_same_start(
    manifest: Manifest, trained: list[tuple[str, Sequence[str], Sequence[str]]]
) -> None:
    rows = list(run(small_params(), manifest, Start(MASKS, 0), set()))
    assert rows == [(START, 1.0), *((rule.value, n) for n, rule in enumerate(Rule, start=3))]
    assert [variant for variant, _, _ in trained] == ["dual", "strong", *["dual"] * 4]
    first = set(trained[0][1])
    assert len(first) == MASKS
    for _, strong, weak in trained[2:]:
        assert first < set(strong)
        assert len(strong) == MASKS + 3
        assert {*strong, *weak} == {row.id for row in manifest.train()}
    assert len({tuple(strong) for _, strong, _ in trained[2:]}) > 1


def test_known_rows_are_left_out(
    manifest: Manifest, trained: list[tuple[str, Sequence[str], Sequence[str]]]
) -> None:
    known = {START, Rule.RANDOM.value, Rule.BOTH.value}
    rows = list(run(small_params(), manifest, Start(MASKS, 0), known))
    assert [rule for rule, _ in rows] == [Rule.BALANCED, Rule.DOUBT]


def test_rows(tmp_path: Path) -> None:
    assert [tuple(start) for start in starts(2)] == [(20, 0), (60, 0), (20, 1), (60, 1)]
    path = tmp_path / "scores.csv"
    assert read_rows(path) == []
    append(path, [*key("shapes", Start(20, 1)), "both", "61.2500"])
    append(path, [*key("shapes", Start(60, 1)), "both", "65.5000"])
    assert read_rows(path) == [
        ["shapes", "20", str(ADDED), "1", "both", "61.2500"],
        ["shapes", "60", str(ADDED), "1", "both", "65.5000"],
    ]
