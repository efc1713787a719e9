"""A stopped walk resumes, a folder appears whole, two runs do not mix."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.base import atomic
from pipeline.base.errors import UserError
from pipeline.base.stopping import StoppedError, listening
from pipeline.runs import resume as kept
from pipeline.runs.resume import resumable_folder, walk
from pipeline.runs.work_folder import close_work, open_work, work_folder
from pipeline.runs.work_key import Key
from tests.settings import ROOT

KEY, OTHER = Key({"train.crop": 1}), Key({"train.crop": 2})
ITEMS = list(range(10))


class KilledError(Exception):
    """Stands for a signal."""


@pytest.fixture(autouse=True)
def _after_every_item(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "EVERY", 0.0)
    monkeypatch.setattr(atomic, "PATIENCE", 0.2)


def squares(die_at: int | None = None, seen: list[int] | None = None) -> NDArray[np.int64]:
    """Squares of the items and their sum; die before an item is done."""
    total = np.zeros(len(ITEMS) + 1, dtype=np.int64)
    for item in walk(ITEMS, Path("data/checkpoints/x"), {"total": total}, "x: square"):
        if item == die_at:
            raise KilledError
        if seen is not None:
            seen.append(item)
        total[item] = item**2
        total[-1] += item**2
    return total


@pytest.mark.parametrize("die_at", [0, 1, 5, 9])
def test_a_walk_goes_on_and_does_nothing_twice(die_at: int) -> None:
    with pytest.raises(KilledError):
        squares(die_at)
    seen: list[int] = []
    assert squares(seen=seen).tolist() == [*(i**2 for i in ITEMS), 285]
    assert seen == ITEMS[die_at:]


def test_a_walk_stops_between_two_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "EVERY", 3600.0)
    seen: list[int] = []
    total = np.zeros(1)
    folder = Path("data/checkpoints/x")
    with pytest.raises(StoppedError), listening():
        for item in walk(ITEMS, folder, {"total": total}, None):
            seen.append(item)
            total += item
            if item == 4:
                os.kill(os.getpid(), signal.SIGTERM)
    assert seen == [0, 1, 2, 3, 4]
    total = np.zeros(1)
    assert list(walk(ITEMS, folder, {"total": total}, None)) == [5, 6, 7, 8, 9]
    assert total == 10


def test_a_damaged_note_is_passed_over_with_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KilledError):
        squares(7)
    last = max(Path("data/checkpoints/x").rglob("*.pt"))
    last.write_bytes(last.read_bytes()[:-3])
    seen: list[int] = []
    assert squares(seen=seen)[-1] == 285
    assert seen == ITEMS[6:]
    assert "is damaged and left out" in capsys.readouterr().err


def test_a_full_disk_costs_the_checkpoint_and_not_the_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("torch.save", full)
    assert squares()[-1] == 285
    assert "no checkpoint at step 1" in capsys.readouterr().err
    assert not list(Path("data/checkpoints").rglob("*part"))


def test_a_resumable_folder_is_whole_or_waits_for_the_next_run() -> None:
    out = Path("data/out")
    with pytest.raises(KilledError), resumable_folder(out, "x", KEY) as part:
        (part / "a").write_text("1")
        raise KilledError
    assert not out.exists()
    with resumable_folder(out, "x", KEY) as part:
        assert (part / "a").read_text() == "1"
        (part / "b").write_text("2")
    assert sorted(path.name for path in out.iterdir()) == ["a", "b"]
    assert not list(Path("data/checkpoints").iterdir())


def test_another_key_begins_with_nothing_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    out = Path("data/out")
    with pytest.raises(KilledError), resumable_folder(out, "x", KEY) as part:
        (part / "a").write_text("1")
        raise KilledError
    with resumable_folder(out, "x", OTHER) as part:
        assert list(part.iterdir()) == []
    assert list(out.iterdir()) == []
    assert "x: starts afresh; changed: train.crop (was 1)" in capsys.readouterr().err
    with resumable_folder(out, "x", KEY) as part:  # back to what was stopped: it resumes
        assert (part / "a").read_text() == "1"
    assert not list(Path("data/checkpoints").iterdir())


def test_of_stopped_runs_under_other_keys_the_last_two_wait_for_two_weeks() -> None:
    keys = [Key({"train.crop": number}) for number in range(5)]
    now = time.time()
    for age, key in enumerate(keys):
        folder = open_work("x", key)
        (folder / "000000001-0123456789abcdef.pt").write_bytes(b"state")
        for path in (*folder.iterdir(), folder):
            os.utime(path, (now - age * 3600, now - age * 3600))
    open_work("xy", KEY)  # another work whose name begins alike
    left = {path.name for path in Path("data/checkpoints").glob("x-*")}
    assert left == {work_folder("x", key).name for key in (keys[0], keys[1], keys[4])}
    old = now - 15 * 24 * 3600
    for path in (*work_folder("x", keys[1]).iterdir(), work_folder("x", keys[1])):
        os.utime(path, (old, old))
    close_work("x", keys[4])
    left = {path.name for path in Path("data/checkpoints").iterdir()}
    assert left == {work_folder("x", keys[0]).name, work_folder("xy", KEY).name}


def test_two_runs_do_not_write_one_output_at_once() -> None:
    out = Path("data/out")
    code = (
        "from pathlib import Path\nfrom pipeline.base.atomic import exclusive\n"
        f"with exclusive(Path({str(out)!r})):\n    print('locked', flush=True)\n    input()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    with (
        pytest.raises(UserError, match=r"another process is using data/out"),
        resumable_folder(out, "x", KEY),
    ):
        pytest.fail("not reached")
    process.kill()
    process.wait()
    with resumable_folder(out, "x", KEY):  # the lock went with its process
        pass
    assert out.exists()
