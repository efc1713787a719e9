"""Whatever things are called, they are text: only the viewer runs, and nothing is fetched."""

import base64
import csv
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pipeline.report.drawing import drawing
from pipeline.report.exports import Table, words, write_tables
from pipeline.report.template import policy, whole_script

ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "nav"),
    *("h1", "h2", "h3", "p", "a", "em", "strong", "code", "pre", "small", "i", "span", "div", "br"),
    *("table", "thead", "tbody", "tfoot", "tr", "th", "td", "dl", "dt", "dd", "ul", "li"),
    *("figure", "figcaption", "img", "details", "summary"),
    *("select", "option", "button", "input", "label", "kbd"),
    *("svg", "g", "defs", "path", "use", "text", "tspan", "image", "clippath", "rect", "line"),
}
HARMFUL = ("<script>alert(1)</script>", '"onerror=', "</svg>")
FETCHES = ("src", "srcset", "href", "xlink:href", "data", "action", "poster", "background")
VOID = {"meta", "img", "br", "input"}


class Parts(HTMLParser):
    """Tags with their attributes, texts, and whether elements close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.style = ""
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        if inside == "style":
            self.style += data
        if inside == "script":
            self.scripts.append(data)
        self.texts.append(data)


def parsed(page: str) -> Parts:
    parts = Parts()
    parts.feed(page)
    parts.close()
    assert parts.open == []
    return parts


@pytest.fixture(scope="module")
def text(hostile_page: Path) -> str:
    return (hostile_page / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def hostile(text: str) -> Parts:
    return parsed(text)


def harm(parts: Parts) -> list[str]:
    """Everything that could run or fetch."""
    found = [tag for tag, _ in parts.tags if tag not in ALLOWED]
    kinds = [attributes for tag, attributes in parts.tags if tag == "script"]
    if kinds == [{"type": "application/json", "id": "viewer-data"}, {}] and (
        json.loads(parts.scripts[0])["sets"] and parts.scripts[1] == whole_script()
    ):
        found = [tag for tag in found if tag != "script"]
    for tag, attributes in parts.tags:
        found += [name for name in attributes if name.startswith("on")]
        for name, value in attributes.items():
            inside = ("#", "data:image/png;", "data:image/jpeg;")
            relative = tag == "a" and not re.match(r"[a-z]+:|//", value.strip(), re.IGNORECASE)
            if name in FETCHES and not (value.startswith(inside) or relative):
                found.append(value)
            if name == "style" and re.search(r"url\((?!#)|@|expression|\\", value):
                found.append(value)
    return found + re.findall(r"url\((?!#)|@import", parts.style)


def test_names_meant_to_do_harm_are_text(hostile: Parts) -> None:
    assert harm(hostile) == []


def test_such_names_are_shown_as_they_are(hostile: Parts) -> None:
    shown = set(hostile.texts)
    for name in ("<script>alert(1)</script>", '"onerror=', "'", "</svg>", "$x_1%"):
        ticks = [n for n, (tag, _) in enumerate(hostile.tags) if tag == "text"]
        assert ticks
        assert name in shown
        assert any(name in attributes.get("alt", "") for _, attributes in hostile.tags)
    assert "&amp;" in shown  # an image's id
    assert ' font-family: x" #01a001 | \\' in shown


def test_records_are_text_on_the_page_of_the_run(hostile_page: Path) -> None:
    parts = parsed((hostile_page / "run.html").read_text(encoding="utf-8"))
    assert harm(parts) == []
    for name in ("<script>alert(1)</script>", '"onerror=', "</svg>"):
        assert name in parts.texts


def test_the_search_for_harm_finds_it() -> None:
    data = '<script type="application/json" id="viewer-data">{"sets": [1]}</script>'
    bad = (
        "<script>1</script>",
        f"{data}<script>{whole_script()} </script>",
        f"{data}<script>{whole_script()}</script><script></script>",
        '<img src="https://a.b/c.png">',
        '<a href="javascript:alert(1)">x</a>',
        '<p onclick="x()">x</p>',
        '<i style="background:url(//a.b)"></i>',
        "<style>@import 'a';</style>",
    )
    assert all(harm(parsed(one)) for one in bad)


def test_every_chart_is_whole(text: str) -> None:
    charts = re.findall(r"<svg role=.*?</svg>", text, re.DOTALL)
    assert len(charts) >= 8
    names = set()
    for chart in charts:
        head = '<svg xmlns:xlink="http://www.w3.org/1999/xlink" '
        root = ET.fromstring(chart.replace("<svg ", head, 1))
        names |= {element.text for element in root.iter("text")}
    assert {"<script>alert(1)</script>", ' font-family: x" #01a001 | \\'} <= names


def test_a_chart_keeps_texts_that_look_like_its_tags() -> None:
    odd = 'a font-family: b; #01a002 <g id="c">'
    with drawing(200, 100, "t", odd) as made:
        made.axes.set_xlabel(odd)
    root = ET.fromstring(str(made.svg).replace("<svg ", '<svg xmlns:xlink="x" ', 1))
    assert odd in {element.text for element in root.iter("text")}
    assert root.get("aria-label") == odd


def sha256(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_forbids_other_scripts_and_every_request(hostile: Parts) -> None:
    metas = [a for tag, a in hostile.tags if tag == "meta" and "http-equiv" in a]
    assert len(metas) == 1
    policy = dict(part.split(" ", 1) for part in metas[0]["content"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "data:"
    assert {"base-uri", "form-action"} <= {k for k, v in policy.items() if v == "'none'"}
    assert not {"connect-src", "font-src", "frame-src", "object-src", "worker-src"} & set(policy)
    assert policy["script-src"] == sha256(hostile.scripts[1])
    assert policy["style-src-elem"] == sha256(hostile.style)
    order = [tag for tag, _ in hostile.tags]
    assert order.index("meta") < order.index("style")  # it holds for what comes after it


def test_pictures_and_style_sheets_beside_the_page_are_all_it_may_load() -> None:
    inside, beside = policy("a", "b", files=False), policy("a", "b", files=True)
    sheet = f"style-src-elem {sha256('a')}"
    assert sheet in inside
    opened = inside.replace("img-src data:", "img-src data: 'self'")
    assert beside == opened.replace(sheet, f"{sheet} 'self'")
    assert f"script-src {sha256('b')};" in beside


def test_the_viewers_data_end_where_they_should(text: str, hostile: Parts) -> None:
    data = text[text.index('id="viewer-data">') :].split("\n", maxsplit=1)[0]
    assert data.count("<") == data.count("</script>") == 1
    assert set(HARMFUL) <= set(json.loads(hostile.scripts[0])["classes"])


def test_tables_for_latex_hold_names_as_text(hostile_page: Path) -> None:
    lines = (hostile_page / "tables" / "classes.tex").read_text(encoding="utf-8").splitlines()
    starts = [
        r"\textless{}script\textgreater{}alert(1)\textless{}/script\textgreater{} & ",
        r"\$x\_1\% & ",
        r' font-family: x" \#01a001 \textbar{} \textbackslash{} & ',
        r"\&amp & ",
    ]
    for start in starts:
        assert sum(line.startswith(start) for line in lines) == 1
    columns = {len(re.findall(r"(?<!\\)&", line)) for line in lines if line.endswith(r"\\")}
    assert len(columns) == 1
    assert not any(re.search(r"(?<!\\)[%$#_]", line) for line in lines[1:] if " & " in line)


def test_tables_for_machines_hold_names_as_they_are(hostile_page: Path) -> None:
    with (hostile_page / "tables" / "classes.csv").open(newline="", encoding="utf-8") as file:
        names = [row["class"] for row in csv.DictReader(file)]
    assert names[1:4] == ["<script>alert(1)</script>", '"onerror=', "'"]
    assert names[6] == ' font-family: x" #01a001 | \\'


def test_markdown_takes_names_for_text(tmp_path: Path) -> None:
    names = ("![x](https://a.b/c)", "&lt;", "$x_1%$", "_a_b_", "~~a~~", "a\nb\r\n| c")
    table = Table("t", "Odd.", ("name",), tuple(words(name) for name in names))
    write_tables(tmp_path, [table])
    rows = (tmp_path / "t.md").read_text("utf-8").splitlines()[4:]
    assert [row.strip("| ") for row in rows] == [
        r"!\[x\](https://a.b/c)",
        r"\&lt;",
        r"\$x_1%\$",
        r"\_a_b\_",
        r"\~\~a\~\~",
        r"a b \| c",
    ]
    latex = (tmp_path / "t.tex").read_text("utf-8")
    assert "a b \\textbar{} c \\\\\n" in latex
