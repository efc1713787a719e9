"""Put latest.json into docs/benchmarks.md as its table: python -m benchmarks.markdown."""

import json
from pathlib import Path
from typing import Any

from benchmarks.__main__ import LATEST
from docs.between_marks import put_between

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
    entries = json.loads(LATEST.read_text(encoding="utf-8"))
    put_between(PAGE, BEGIN, END, table(entries))


if __name__ == "__main__":
    main()
