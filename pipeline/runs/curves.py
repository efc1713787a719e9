"""Curves to watch while a training runs: DVCLive's files, and TensorBoard's if asked for.

They are outside DVC's outputs, which appear whole at the end (pipeline.base.atomic). A resumed
training continues its curves, no step twice.
"""

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pipeline.settings.paths import LIVE, TENSORBOARD

Row = Mapping[str, float]
Rows = Sequence[dict[str, float]]


class Curves(Protocol):
    """One kind of curves."""

    def draw(self, row: Row) -> None:
        """Add a row of history.csv: `step` and named values."""

    def draw_more(self, step: int, values: Row) -> None:
        """Add what history.csv does not have: learning rates, images/s."""

    def close(self) -> None:
        """Nothing more will come."""


class LiveFiles:
    """DVCLive's files, which `dvc plots` and its extension for VS Code draw (docs/dvc.md)."""

    def __init__(self, live: Any) -> None:
        """Write through `dvclive.Live`."""
        self.live = live

    def draw(self, row: Row) -> None:
        """Add a row of history.csv."""
        self.live.step = int(row["step"])
        for name, value in row.items():
            if name != "step":
                self.live.log_metric(name, value)
        self.live.next_step()

    def draw_more(self, step: int, values: Row) -> None:
        """Leave these out: those of an earlier process are not known when a training resumes."""

    def close(self) -> None:
        """Tell DVCLive."""
        self.live.end()


class EventFiles:
    """TensorBoard's event files."""

    def __init__(self, writer: Any) -> None:
        """Write through torch's `SummaryWriter`."""
        self.writer = writer

    def draw(self, row: Row) -> None:
        """Add a row of history.csv."""
        self.draw_more(int(row["step"]), {key: row[key] for key in row if key != "step"})

    def draw_more(self, step: int, values: Row) -> None:
        """Add values of a step; they are in the file when this returns."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def close(self) -> None:
        """Close the file."""
        self.writer.close()


def open_curves(name: str, rows: Rows, done: int, *, tensorboard: bool) -> list[Curves]:
    """Curves of a training, with those of the earlier process that it resumes.

    Args:
        name: of their folders in `live/` and data/tensorboard, such as train-dual-0.
        rows: what was logged so far.
        done: steps done.
        tensorboard: whether event files are wanted.
    """
    kinds: list[Curves] = []
    live = _open_live(LIVE / name)
    if live is not None:
        kinds.append(LiveFiles(live))
        for row in rows:
            kinds[0].draw(row)
    if tensorboard:
        kinds.append(_open_events(TENSORBOARD / name, rows, done))
    return kinds


def _open_live(folder: Path) -> Any:
    """DVCLive in an emptied folder; None where it is not installed or finds no repository."""
    try:
        from dvclive import Live
    except ImportError:
        return None
    try:
        return Live(
            str(folder), save_dvc_exp=False, dvcyaml=None, report=None, monitor_system=False
        )
    except Exception as error:
        # It asks git and DVC about the repository, which may have no commit yet or be no clone at
        # all. Curves beside history.csv are not worth a training run.
        print(f"DVCLive is not used here: {error}", file=sys.stderr)
        return None


def _open_events(folder: Path, rows: Rows, done: int) -> EventFiles:
    """An event file beside an earlier process's, whose steps after `done` no longer count."""
    from torch.utils.tensorboard import SummaryWriter

    if not done:
        shutil.rmtree(folder, ignore_errors=True)
    earlier = folder.exists()
    events = EventFiles(SummaryWriter(str(folder), purge_step=done + 1))
    for row in [] if earlier else rows:
        events.draw(row)
    return events
