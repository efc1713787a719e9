"""Put latest.json into docs/benchmarks.md as its table: python -m benchmarks.markdown."""

import json
from pathlib import Path
from typing import Any

from benchmarks.__main__ import LATEST
from pipeline.base.atomic import whole_file

PAGE = Path("docs/benchmarks.md")
BEGIN, END = "<!-- table: make bench -->\n", "<!-- end of table -->\n"
HEAD = (
    "| what | against | ours | peer | limit | unit | ratio | aim | | again |\n"
    + 10 * "|---"
    + "|\n"
)


def table(entries: list[dict[str, Any]]) -> str:
    """The entries as a Markdown table; misses in bold."""
    return HEAD + "".join(line(entry) for entry in entries)


def line(entry: dict[str, Any]) -> str:
    """One entry as a line."""
    note = f" ({entry['note']})" if entry["note"] else ""
    limit = f"{entry['limit']:.3g}" if entry["limit"] else ""
    aim = f"{entry['target']:.2f}×" if entry["target"] else "–"
    verdict = ("met" if entry["met"] else "**missed**") if entry["target"] else ""
    cells = (
        f"{entry['name']}{note}",
        entry["peer_name"],
        *(f"{entry[key]:.3g}" for key in ("ours", "peer")),
        limit,
        entry["unit"],
        f"{entry['ratio']:.2f}×",
        aim,
        verdict,
        f"`{entry['module']}`",
    )
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Rewrite the text between the two marks."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    entries = json.loads(LATEST.read_text(encoding="utf-8"))
    with whole_file(PAGE) as part:
        part.write_text(f"{before}{BEGIN}\n{table(entries)}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
