"""Put a made text into a page that is otherwise written by hand."""

from pathlib import Path

from pipeline.base.atomic import whole_file


def put_between(page: Path, begin: str, end: str, text: str) -> None:
    """Replace what lies between two marks of a page, each a line of its own that occurs once.

    Raises:
        ValueError: a mark is missing, or occurs twice.
    """
    before, rest = page.read_text(encoding="utf-8").split(begin)
    _, after = rest.split(end)
    with whole_file(page) as part:
        part.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")
