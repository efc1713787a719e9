"""Keys of kept work: what changes them, what does not, and how a change is told."""

from pathlib import Path

import pytest

from pipeline.runs.work_folder import MADE_OF, open_work
from pipeline.runs.work_key import Key, key_of
from tests.settings import small_params


def test_the_key_follows_params_files_and_parts_but_not_processes(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("1")
    key = key_of("train", small_params(), [file], plan="plan").digits
    assert key == key_of("train", small_params(), [file], plan="plan").digits
    for same_work in (
        {"machine.device": "cuda:1"},
        {"machine.processes": 2},
        {"machine.workers": 3},
        {"machine.tensorboard": True},
        {"report.rows": 7},
    ):
        assert key == key_of("train", small_params(**same_work), [file], plan="plan").digits
    others = {
        key_of("train", small_params(**{"train.crop": 16}), [file], plan="plan").digits,
        key_of("train", small_params(**{"engine.precision": "bf16"}), [file], plan="plan").digits,
        key_of("train", small_params(), [], plan="plan").digits,
        key_of("train", small_params(), [file], plan="another plan").digits,
    }
    file.write_text("2")
    others.add(key_of("train", small_params(), [file], plan="plan").digits)
    assert len(others | {key}) == 6


def test_what_else_is_compared_is_not_in_the_key() -> None:
    """Another variant, seed or average beside a training must not make it start afresh."""
    plain = key_of("train", small_params(), []).digits
    others = {"variants": ["strong"], "ensembles": ["weak"], "seeds": [3], "neck_n": 3}
    for change, value in {**others, "extras.ema_decay": 0.5, "report.rows": 9}.items():
        assert key_of("train", small_params(**{change: value}), []).digits == plain
    assert key_of("train", small_params(**{"train.crop": 24}), []).digits != plain


def test_changes_are_told_by_the_names_a_user_knows(tmp_path: Path) -> None:
    before = key_of("train", small_params(), [tmp_path / "."] * 0)
    now = key_of("train", small_params(**{"train.crop": 24, "seed": 3}), [])
    assert now.differences(before.parts) == "seed (was 0), train.crop (was 32)"
    file = tmp_path / "weights"
    file.write_text("1")
    old = key_of("train", small_params(), [file])
    file.write_text("2")
    assert key_of("train", small_params(), [file]).differences(old.parts) == f"files in {tmp_path}"


def test_many_changes_are_counted() -> None:
    assert Key({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}).differences({}) == ("a, b, c, and 2 more")


def test_what_a_power_failure_left_of_an_older_key_does_no_harm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (open_work("x", Key({"a": 1}), tmp_path) / MADE_OF).write_bytes(b"")
    assert open_work("x", Key({"a": 2}), tmp_path).is_dir()
    assert "x: starts afresh; changed: a\n" in capsys.readouterr().err
