"""Checkpoints: a training that was cut ends in the same bytes; damaged and foreign ones do not."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pipeline import checkpoint as module
from pipeline.checkpoint import Checkpoints, Learner, key_of
from pipeline.engine import train_to_end
from pipeline.layers import Dropout
from tests.settings import small_params

STEPS = 200


class KilledError(Exception):
    """Stands for a signal."""


@pytest.fixture(autouse=True)
def _at_every_row(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 0.0)


def learner() -> Learner:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 4, 1), Dropout(0.5), nn.Conv2d(4, 1, 1))
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    return Learner(network, optimiser, torch.optim.lr_scheduler.StepLR(optimiser, 70, 0.5))


def train(kill_at: int = STEPS, key: str = "k") -> tuple[Learner, list[dict[str, float]]]:
    """Train on noise that depends on the step alone; die before step `kill_at`."""
    subject = learner()

    def batches(done: int) -> list[int]:
        return list(range(done, STEPS))

    def losses(step: int) -> tuple[Tensor, Tensor]:
        if step == kill_at:
            raise KilledError
        generator = torch.Generator().manual_seed(step)
        loss = subject.network(torch.randn(3, 2, 5, 5, generator=generator)).square().mean()
        return loss, loss[None]

    saved = Checkpoints("x", key, subject)
    return subject, train_to_end(saved, batches, losses, names=("loss",), steps=STEPS, what="x")


def kept() -> list[Path]:
    return sorted(Path("data/checkpoints").rglob("*.pt"))


def same(one: Learner, two: Learner) -> bool:
    pairs = zip(one.network.parameters(), two.network.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("kill_at", [1, 57, 199])
def test_a_training_that_was_cut_ends_as_if_it_had_not_been(kill_at: int) -> None:
    whole, rows = train()
    with pytest.raises(KilledError):
        train(kill_at)
    assert [int(path.stem.split("-")[0]) for path in kept()] == [
        step for step in (kill_at // 4 * 4 - 4, kill_at // 4 * 4) if step > 0
    ]
    again, rows_again = train()
    assert same(whole, again)
    assert rows == rows_again
    assert kept() == []


def test_it_goes_on_and_does_not_start_again(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KilledError):
        train(100)
    with pytest.raises(KilledError):
        train(100)  # the step it dies at comes at once
    assert "goes on after step 100" in capsys.readouterr().err


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.parametrize("harm", [damage, cut, lambda path: path.write_bytes(b"")])
def test_a_damaged_checkpoint_is_passed_over_with_a_word(
    harm: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    whole, _ = train()
    with pytest.raises(KilledError):
        train(57)
    harm(kept()[-1])
    again, _ = train()
    said = capsys.readouterr().err
    assert "is damaged and passed over" in said
    assert "goes on after step 52" in said
    assert same(whole, again)


def test_another_key_starts_afresh(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KilledError):
        train(57, key="a")
    train(key="b")
    assert "goes on" not in capsys.readouterr().err
    assert len(kept()) == 2  # those of a


def test_checkpoints_wait_for_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 3600.0)
    with pytest.raises(KilledError):
        train(150)
    assert kept() == []


def test_the_key_follows_params_files_and_parts_but_not_processes(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("1")
    key = key_of(small_params(), [file], "plan")
    assert key == key_of(small_params(), [file], "plan")
    for same_work in ({"engine.processes": 2}, {"engine.workers": 3}, {"report.rows": 7}):
        assert key == key_of(small_params(**same_work), [file], "plan")
    others = {
        key_of(small_params(**{"train.crop": 16}), [file], "plan"),
        key_of(small_params(**{"engine.precision": "bf16"}), [file], "plan"),
        key_of(small_params(), [], "plan"),
        key_of(small_params(), [file], "another plan"),
    }
    file.write_text("2")
    others.add(key_of(small_params(), [file], "plan"))
    assert len(others | {key}) == 6


def test_what_else_is_compared_is_not_in_the_key() -> None:
    """Another variant, seed or average beside a training must not make it start afresh."""
    plain = key_of(small_params(), [])
    others = {"variants": ["strong"], "ensembles": ["weak"], "seeds": [3], "neck_n": 3}
    for change, value in {**others, "train.extras.ema_decay": 0.5, "report.rows": 9}.items():
        assert key_of(small_params(**{change: value}), []) == plain
    assert key_of(small_params(**{"train.crop": 24}), []) != plain


def test_states_go_before_the_files_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill while the folder is removed leaves no state whose files are gone."""
    saved = Checkpoints("train", "key", learner())
    saved.saved_at = 0.0
    saved.offer(1, [])
    (saved.folder / "proxies").mkdir()
    monkeypatch.setattr(shutil, "rmtree", lambda *_: None)  # killed before it begins
    saved.clear()
    assert (saved.folder / "proxies").exists()
    assert not list(saved.folder.glob("*.pt"))
