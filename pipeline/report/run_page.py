"""A page of its own for how a run went: times, memory, devices, commits, versions.

These differ from run to run, so DVC does not hash the page (.dvcignore), and index.html holds
nothing of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.base.atomic import whole_file
from pipeline.base.digests import digest
from pipeline.base.record import read_record
from pipeline.report.scored_networks import scored_names, stage_of
from pipeline.report.tables import plain
from pipeline.report.template import render
from pipeline.settings.needs import needed_by
from pipeline.settings.params import Params
from pipeline.settings.paths import record_file

SHARED = ("commit", "device", "machine", "python")  # most often the same in every stage


@dataclass(frozen=True)
class Record:
    """What one stage ran on; `values` is empty where there is no record of it here."""

    stage: str
    values: Mapping[str, Any]


def write_run_page(params: Params, folder: Path, title: str) -> None:
    """Write `folder`/run.html, which belongs to the index.html there, of that title."""
    records = read_records(params)
    values = {
        "title": title,
        "page": digest(folder / "index.html"),
        "records": records,
        "ran_on": same_everywhere(records),
        "changed": any(str(r.values.get("commit")).endswith("+") for r in records),
        "total_seconds": sum(r.values.get("seconds", 0.0) for r in records),
    }
    page = render("run.html.j2", values, {"plain": plain, "clock": clock})
    with whole_file(folder / "run.html") as part:
        part.write_text(page, "utf-8", newline="\n")


def read_records(params: Params) -> list[Record]:
    """The record of every stage of this run, in the order the stages run."""
    weak = [stage for stage, users in needed_by(params).items() if users]
    proxies = (f"proxy {generator}" for generator in params.proxy.generators)
    trained = (f"train {name} {seed}" for name in params.variants for seed in params.seeds)
    scored = map(stage_of, scored_names(params))
    stages = ("download", *weak, *proxies, "split", *trained, *scored)
    return [Record(stage, read_record(record_file(stage))) for stage in stages]


def same_everywhere(records: Sequence[Record]) -> list[tuple[str, list[str]]]:
    """What the stages ran on: every value of machine, device, versions, most often one each."""
    found: dict[str, list[str]] = {}
    for record in records:
        values = {key: record.values.get(key) for key in SHARED}
        for key, value in {**values, **record.values.get("packages", {})}.items():
            if value is not None and str(value) not in found.setdefault(key, []):
                found[key].append(str(value))
    return [(key, values) for key, values in found.items() if values]


def clock(seconds: float) -> str:
    """Seconds in words.

    >>> clock(41.6), clock(754), clock(7300)
    ('42 s', '12 min 34 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
