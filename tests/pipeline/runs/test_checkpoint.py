"""Checkpoints: a training that was cut ends in the same bytes; damaged and foreign ones do not."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pipeline.engine.learner import Learner
from pipeline.engine.log import Log
from pipeline.engine.loop import Task, fit
from pipeline.networks.layers import Dropout
from pipeline.runs import resume as module
from pipeline.runs.checkpoint import Checkpoints
from pipeline.runs.monitor import Course
from pipeline.runs.work_key import Key
from pipeline.weak.seeds.tagged import Tagged

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
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 70, 0.5)
    return Learner(network, optimiser, schedule, Log("x", ("loss",), every=4))


def train(
    kill_at: int = STEPS, key: str = "k", hook: Callable[[int], object] = int
) -> tuple[Learner, list[dict[str, float]]]:
    """Train on noise that depends on the step alone; die before step `kill_at`."""
    subject = learner()

    def batches(done: int) -> Iterator[Tagged]:
        for step in range(done, STEPS):
            yield Tagged((f"image {step}",), *[torch.tensor(step)] * 4)

    def losses(batch: Tagged) -> tuple[Tensor, Tensor]:
        step = int(batch.images)
        if step == kill_at:
            raise KilledError
        hook(step)
        generator = torch.Generator().manual_seed(step)
        loss = subject.network(torch.randn(3, 2, 5, 5, generator=generator)).square().mean()
        return loss, loss[None]

    saved = Checkpoints("x", Key({"part": key}), subject)
    course = Course("x", STEPS, images=3, epoch=None, tensorboard=False)
    fit(Task(course, batches, losses), subject, saved)
    saved.clear()
    return subject, subject.log.rows


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


def test_it_resumes_and_does_not_start_again(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KilledError):
        train(100)
    with pytest.raises(KilledError):
        train(100)  # the step it dies at comes at once
    assert "resumes after step 100" in capsys.readouterr().err


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
    assert "is damaged and left out" in said
    assert "resumes after step 52" in said
    assert same(whole, again)


def test_another_key_starts_afresh_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KilledError):
        train(57, key="a")
    with pytest.raises(KilledError):
        train(57, key="b")
    said = capsys.readouterr().err
    assert "x: starts afresh; changed: part (was a)" in said
    assert "resumes" not in said
    assert len(kept()) == 4
    train(key="b")
    train(key="a")
    assert "resumes after step 56" in capsys.readouterr().err  # b has not cost a what it had
    assert kept() == []


def test_checkpoints_wait_for_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 3600.0)
    with pytest.raises(KilledError):
        train(150)
    assert kept() == []


def test_states_go_before_the_files_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill while the folder is removed leaves no state whose files are gone."""
    saved = Checkpoints("train", Key({}), learner())
    saved.save(1)
    (saved.folder / "proxies").mkdir()
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # killed before it begins
    saved.clear()
    assert (saved.folder / "proxies").exists()
    assert not list(saved.folder.glob("*.pt"))
