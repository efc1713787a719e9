"""Training curves: history.csv always, DVCLive's files beside it where DVCLive is installed."""

import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from pipeline.history import write_history


class Curves:
    """Collects values by step and writes them on leaving the block.

    DVCLive's files are what `dvc plots` and the VS Code extension draw while training runs; they
    are left out, with nothing lost from history.csv, where the package is not there.
    """

    def __init__(self, folder: Path | None, rows: list[dict[str, float]]) -> None:
        """Log into `folder`, first the rows an earlier process logged; None: nothing is written.

        Rows are appended to `rows` itself.
        """
        self.folder, self.rows = folder, rows
        self._live = _open_live(folder / "live") if folder else None
        for row in rows:
            self._show(int(row["step"]), {key: row[key] for key in row if key != "step"})

    def log(self, step: int, **values: float) -> None:
        """Add values of one step, if any; several calls for one step share a row."""
        if not values:
            return
        if not self.rows or self.rows[-1]["step"] != step:
            self.rows.append({"step": step})
        self.rows[-1].update(values)
        self._show(step, values)

    def has(self, step: int, name: str) -> bool:
        """Whether the last row is of this step and holds this value."""
        return bool(self.rows) and self.rows[-1]["step"] == step and name in self.rows[-1]

    def _show(self, step: int, values: dict[str, float]) -> None:
        if self._live is not None:
            self._live.step = step
            for name, value in values.items():
                self._live.log_metric(name, value)

    def last(self) -> dict[str, float]:
        """The last value of every name."""
        values: dict[str, float] = {}
        for row in self.rows:
            values.update(row)
        return values

    def __enter__(self) -> "Curves":
        """Start logging."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write history.csv and close DVCLive."""
        if self._live is not None:
            self._live.end()
        if kind is None and self.folder:
            write_history(self.folder / "history.csv", self.rows)


def _open_live(folder: Path) -> Any:
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
