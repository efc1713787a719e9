"""Tables as files for a paper or a page of notes: CSV, Markdown, LaTeX with booktabs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.report.collect import Source, unique

NOT_RUN = "not run"
LONG = 40  # rows that fit on a page
# Characters with a meaning in Markdown; it ignores an underscore within a word.
MARKUP = re.compile(r"([\\|`*<&$~\[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
BREAK = re.compile(r"[\r\n]+")  # ends a row in either format
SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "λ": r"$\lambda$",
    "≥": r"$\ge$",
    "≤": r"$\le$",
    "–": "--",
    "§": r"\S{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: what it shows.
        sources: the files its number comes from; none if it is copied, or words.
        main: whether it is the main number of its row.
    """

    text: str
    sources: tuple[Source, ...] = ()
    main: bool = False


@dataclass(frozen=True)
class Table:
    """A table as the page, the CSV, the Markdown and the LaTeX file show it.

    Attributes:
        name: of its files.
        caption: what it shows, as a sentence.
        header: names of the columns.
        rows: cells, one for each column.
        words: indices of columns with words, which are aligned left.
    """

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: tuple[int, ...] = (0,)


def words(*texts: str) -> tuple[Cell, ...]:
    """Cells without a source."""
    return tuple(Cell(text) for text in texts)


def write_tables(folder: Path, tables: Sequence[Table]) -> None:
    """Write <name>.csv, <name>.md and <name>.tex for every table.

    The CSV has plain minus signs, empty cells for dashes, and two more columns: the source files of
    a row's measured numbers, and what they were measured with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for table in tables:
        frame = pd.DataFrame(
            [[cell.text for cell in row] for row in table.rows], columns=list(table.header)
        )
        for suffix, text in (("md", as_markdown(frame, table)), ("tex", as_latex(frame, table))):
            (folder / f"{table.name}.{suffix}").write_text(text, "utf-8", newline="\n")
        sources = [[source for cell in row for source in cell.sources] for row in table.rows]
        frame = frame.map(_for_machines)
        frame["file"] = ["; ".join(unique(source.path for source in row)) for row in sources]
        frame["measured with"] = [
            "; ".join(unique(source.details for source in row)) for row in sources
        ]
        csv = frame.to_csv(index=False, lineterminator="\n")
        (folder / f"{table.name}.csv").write_text(csv, "utf-8", newline="\n")


def as_markdown(frame: pd.DataFrame, table: Table) -> str:
    """A pipe table under its caption; numbers to the right."""
    align = _alignment(table)
    literal = frame.rename(columns=_literal).map(_literal)
    text: str = literal.to_markdown(
        index=False,
        disable_numparse=True,
        colalign=["left" if a == "l" else "right" for a in align],
    )
    return f"{table.caption}\n\n{text}\n"


def as_latex(frame: pd.DataFrame, table: Table) -> str:
    r"""A table with booktabs' rules, over several pages if it is long, for \input."""
    long = len(frame) > LONG
    escaped = frame.rename(columns=_escaped).map(_escaped)
    text: str = escaped.style.hide(axis="index").to_latex(
        hrules=True,
        column_format=_alignment(table),
        caption=_escaped(table.caption),
        label=f"tab:{table.name}",
        position_float=None if long else "centering",
        environment="longtable" if long else None,
    )
    return f"% needs booktabs{' and longtable' if long else ''}\n{text}"


def _literal(text: str) -> str:
    return BREAK.sub(" ", MARKUP.sub(r"\\\1", text))


def _escaped(text: str) -> str:
    text = BREAK.sub(" ", text)
    # After a row's end, LaTeX reads [ and * as its arguments.
    guard = "{}" if text.startswith(("[", "*")) else ""
    return guard + "".join(SPECIAL.get(character, character) for character in text)


def _for_machines(text: str) -> str:
    return "" if text == "–" else text.replace("−", "-")


def _alignment(table: Table) -> str:
    return "".join("l" if place in table.words else "r" for place in range(len(table.header)))
