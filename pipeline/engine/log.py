"""What a training logs: rows of a step and named values, kept as CSV."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.base.atomic import whole_file
from pipeline.base.errors import LostProcessesError, UserError
from pipeline.devices.distributed import gathered, least, total, world

Rows = list[dict[str, float]]


class Log:
    """Means of the loss terms over some steps each, and what is measured now and then.

    Attributes:
        rows: what is logged so far.
        sums_T: of the terms since the last row, this process's share; None right after a row.
    """

    def __init__(self, what: str, terms: Sequence[str], every: int) -> None:
        """Log a training.

        Args:
            what: its name in messages, such as "train: dual seed 0".
            terms: names of the loss terms.
            every: steps in a row.
        """
        self.what, self.terms, self.every = what, terms, every
        self.rows: Rows = []
        self.sums_T: Tensor | None = None
        self.ids: dict[int, Sequence[str]] = {}  # of the batches since the last row
        self.bad = torch.tensor(math.inf)  # the first step with a loss that is not finite

    def add(self, step: int, terms_T: Tensor, ids: Sequence[str]) -> bool:
        """Count a step in; whether it completes a row.

        Args:
            step: counted from 1.
            terms_T: this process's share of the terms; over all processes they sum to the batch's.
            ids: of this process's images in the batch.

        Raises:
            UserError: a loss since the last row was not finite.
        """
        self.sums_T = terms_T.clone() if self.sums_T is None else self.sums_T.add_(terms_T)
        self.ids[step] = ids
        # Noted on the device and read with the rows: every look at a value would stop a GPU.
        now = torch.where(terms_T.isfinite().all(), math.inf, float(step))
        self.bad = torch.minimum(self.bad.to(now.device), now)
        if step % self.every:
            return False
        self.refuse_bad()
        means = (total(self.sums_T) / self.every).tolist()
        self.measure(step, **dict(zip(self.terms, means, strict=True)))
        self.sums_T = None
        self.ids.clear()
        return True

    def measure(self, step: int, **values: float) -> None:
        """Add named values of one step; several calls for one step share a row."""
        if not self.rows or self.rows[-1]["step"] != step:
            self.rows.append({"step": step})
        self.rows[-1].update(values)

    def has(self, step: int, name: str) -> bool:
        """Whether the last row is of this step and holds this value."""
        return bool(self.rows) and self.rows[-1]["step"] == step and name in self.rows[-1]

    def refuse_bad(self) -> None:
        """End a training whose loss was not finite.

        Raises:
            UserError: with the step, its images and the ways out.
        """
        step = least(float(self.bad))
        if step != math.inf:
            if float(self.bad) != step:  # the process whose images it was names them
                raise LostProcessesError(f"{self.what}: the loss of another process is not finite")
            raise UserError(
                f"{self.what}: the loss is not finite at step {step:.0f}, whose batch is "
                f"{', '.join(self.ids[int(step)])}. Lower the learning rate, or look at these "
                "images and masks; earlier checkpoints are still there"
            )

    def state(self) -> dict[str, Any]:
        """Everything a later process needs to resume; only where all losses were finite."""
        if self.sums_T is None:
            return {"rows": self.rows, "sums": None}
        self.refuse_bad()
        return {"rows": self.rows, "sums": gathered(self.sums_T[None])}

    def restore(self, state: dict[str, Any], device: torch.device) -> None:
        """Restore a state; another number of processes resumes with the same total."""
        self.rows = list(state["rows"])
        if state["sums"] is not None:
            sums_PT, here = state["sums"].to(device), world()
            same = len(sums_PT) == here.size
            self.sums_T = sums_PT[here.rank] if same else sums_PT.sum(0) * here.leads

    def last(self) -> dict[str, float]:
        """The last value of every name."""
        values: dict[str, float] = {}
        for row in self.rows:
            values.update(row)
        return values


def mean_of_last(rows: Rows, share: int) -> dict[str, float]:
    """The mean of each named value over the last rows, one in `share` of all."""
    last = rows[-max(1, len(rows) // share) :]
    return {key: float(np.mean([row[key] for row in last])) for key in rows[0] if key != "step"}


def write_history(path: Path, rows: Sequence[dict[str, float]]) -> None:
    """Write rows as CSV, a column for every name; steps as integers, the rest with six digits."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(keys)
        for row in rows:
            writer.writerow([_cell(row.get(key)) for key in keys])


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6g}"
