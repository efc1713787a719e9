"""Draw the two pictures of docs/architecture.md from the code: `python -m docs.draw_architecture`.

docs/images/rooms.svg has the rooms of pipeline/ and what they import, read from the sources;
docs/images/way.svg the data's way through the stages of dvc.yaml, with the class or function that
holds each step.
"""

import ast
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from docs.layered import Node, placed, reduced
from pipeline.settings.registry import DATASETS
from tests.imports import ROOMS, room_imports

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
PIPELINE = ROOT / "pipeline"
DVC_YAML: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text("utf-8"))

INK, LINE = "#1b2438", "#33415c"  # these and the fills are network.svg's
BLUE, ORANGE, GREEN, WHITE = "#dde5f4", "#fbe0c3", "#cfe8d5", "#ffffff"
MARGIN = 24
ROOM_HEIGHT, ROOM_BETWEEN = 64, 56
STEP_WIDTH, STEP_HEIGHT, STEP_BESIDE, STEP_BETWEEN = 168, 118, 30, 70

BY_NAME = ("backbones", "generators", "datasets/NAME")  # loaded by a name in params.yaml
CAPTION = (
    "An arrow is an import; one that a way along other arrows replaces is left out.",
    "Dashed: found by its name in params.yaml. White: listed by no stage of dvc.yaml.",
)


@dataclass(frozen=True)
class Step:
    """One step of the data's way.

    Attributes:
        title: what the data is here.
        stage: which makes it, a name in dvc.yaml; none for what the user brings.
        out: how one of the stage's outs begins; none for what is never a file.
        code: the class or function that holds it, by a name that no other has.
    """

    title: str
    stage: str
    out: str
    code: str


WAY = (
    Step("photograph", "", "", "read_image"),
    Step("manifest", "download", "data/dataset", "Manifest"),
    Step("seeds", "seeds", "data/seeds", "read_seeds"),
    Step("network", "dsrg", "data/dsrg", "DsrgNet"),
    Step("proxy", "proxy", "data/proxy", "write_proxies"),
    Step("plan", "split", "data/split", "Plan"),
    Step("batch", "train", "", "Batch"),
    Step("logits", "train", "data/models", "DualBranchNet"),
    Step("score", "evaluate", "results", "class_iou"),
    Step("page", "report", "report", "write_report"),
)


def pictures() -> dict[str, str]:
    """Both pictures by their file's name."""
    return {"rooms.svg": draw_rooms(), "way.svg": draw_way()}


def draw_rooms() -> str:
    """The rooms in rows, each above all that it imports."""
    # An arrow back is left to tests/test_rooms.py: there are no rows for a circle.
    arrows = {pair for pair in room_imports(ROOT) if ROOMS.index(pair[1]) < ROOMS.index(pair[0])}
    rows = placed(ROOMS, reduced(arrows))
    rooms = [node for row in rows for node in row if node.name]
    width = max(node.x + node.width / 2 for row in rows for node in row) + 2 * MARGIN
    height = MARGIN + len(rows) * (ROOM_HEIGHT + ROOM_BETWEEN) + 18 * len(CAPTION)

    def top(node: Node) -> float:
        return MARGIN + (len(rows) - 1 - node.row) * (ROOM_HEIGHT + ROOM_BETWEEN)

    parts = [line(arrow_path(node, low, top)) for node in rooms for low in node.down]
    for node in rooms:
        fill = BLUE if is_listed(node.name) else WHITE
        more = ' stroke-dasharray="6 4"' if node.name in BY_NAME else ""
        parts.append(box(node.x, top(node), node.width, ROOM_HEIGHT, fill, more))
        said = re.split(r" \(|:|\.$", purpose(node.name))[0]
        lines = textwrap.wrap(said, 23)
        parts += label(node.x, top(node) + 21 + 8 * (2 - len(lines)), node.name, lines)
    for i, said in enumerate(CAPTION):
        parts.append(
            text(0, height - MARGIN + 18 * (i + 1 - len(CAPTION)), said, 13, LINE, "start")
        )
    return svg(width, height, "The rooms of pipeline/ and what they import", parts)


def arrow_path(node: Node, low: Node, top: Any) -> str:
    """From a box's bottom to another's top, by way of the places where it crosses rows."""
    x, y = node.x + port(node, low, node.down), top(node) + ROOM_HEIGHT
    path, upper = f"M{x:.0f} {y:.0f}", node
    while True:
        end = low.x + (port(low, upper, low.up) if low.name else 0)
        goal = top(low) - (2 if low.name else 0)
        half = (y + goal) / 2
        path += f"C{x:.0f} {half:.0f} {end:.0f} {half:.0f} {end:.0f} {goal:.0f}"
        if low.name:
            return path
        x, y = end, top(low) + ROOM_HEIGHT
        path += f"V{y:.0f}"
        upper, low = low, low.down[0]


def port(node: Node, other: Node, joined: Sequence[Node]) -> float:
    """Where an arrow meets a box, from its middle: arrows lie side by side as their ends do."""
    order = sorted(joined, key=lambda each: each.x)
    return (order.index(other) - (len(order) - 1) / 2) * min(22, 110 / len(order))


def purpose(room: str) -> str:
    """What a room is for: the first line of its docstring, or of the folder around data sets."""
    if room == "datasets/NAME":
        return f"{', '.join(DATASETS.names())}: one package a data set."
    source = (PIPELINE / room / "__init__.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def is_listed(room: str) -> bool:
    """Whether a stage lists a room, or one file of it by a name in params.yaml."""
    listed = re.compile(rf"pipeline/{room.replace('NAME', '')}(/?\$.*)?")
    return any(
        listed.fullmatch(dep) for stage in DVC_YAML["stages"].values() for dep in stage["deps"]
    )


def draw_way() -> str:
    """The ten steps from a photograph to the page, in two rows."""
    across = len(WAY) // 2
    pace, low = STEP_WIDTH + STEP_BESIDE, STEP_HEIGHT + STEP_BETWEEN
    parts = []
    for i, step in enumerate(WAY):
        x, y = STEP_WIDTH / 2 + i % across * pace, MARGIN + i // across * low
        weak = step.stage in ("seeds", "dsrg", "proxy")
        fill = ORANGE if weak else BLUE if i >= across else GREEN
        parts.append(box(x, y, STEP_WIDTH, STEP_HEIGHT, fill))
        parts += label(x, y + 30, step.title, [made_by(step), kept_in(step)])
        for j, name in enumerate(held_by(step)):
            parts.append(text(x, y + 82 + 15 * j, name, 11, INK, more=' font-family="monospace"'))
        if i % across:
            parts.append(
                line(
                    f"M{x - pace + STEP_WIDTH / 2:.0f} {y + STEP_HEIGHT / 2:.0f}h{STEP_BESIDE - 2}"
                )
            )
    first, last, half = STEP_WIDTH // 2, STEP_WIDTH // 2 + (across - 1) * pace, STEP_BETWEEN // 2
    turn = f"v{half - 8}q0 8 -8 8H{first + 8}q-8 0 -8 8v{half - 10}"
    parts.append(line(f"M{last} {MARGIN + STEP_HEIGHT}{turn}"))
    width = 2 * MARGIN + across * pace - STEP_BESIDE
    return svg(width, 2 * MARGIN + low + STEP_HEIGHT, "The data's way", parts)


def made_by(step: Step) -> str:
    """The stage that makes it."""
    assert not step.stage or step.stage in DVC_YAML["stages"], f"dvc.yaml has no {step.stage}"
    return f"stage {step.stage}" if step.stage else "yours, or rendered"


def kept_in(step: Step) -> str:
    """Where its files lie."""
    if not step.out:
        return "in memory" if step.stage else "data_root"
    outs = [
        str(*out) if isinstance(out, dict) else out
        for out in DVC_YAML["stages"][step.stage]["outs"]
    ]
    assert any(out.startswith(step.out) for out in outs), f"{step.stage} writes no {step.out}"
    return f"{step.out}/"


def held_by(step: Step) -> tuple[str, str]:
    """The class or function that holds it, and its module in pipeline/."""
    definition = re.compile(rf"^(class|def) {step.code}\b", re.MULTILINE)
    found = [
        path.relative_to(PIPELINE).as_posix()
        for path in sorted(PIPELINE.rglob("*.py"))
        if definition.search(path.read_text(encoding="utf-8"))
    ]
    assert len(found) == 1, f"{step.code} should be defined once, not in {found}: mend WAY"
    return step.code, found[0]


def svg(width: float, height: float, said: str, parts: Sequence[str]) -> str:
    """A picture on white, as wide as its parts and two margins; x starts behind the first."""
    size = f'width="{width:.0f}" height="{height:.0f}"'
    begin = (
        '<svg xmlns="http://www.w3.org/2000/svg" font-family="Helvetica, Arial, sans-serif"'
        f' viewBox="{-MARGIN} 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(said)}">',
        '<defs><marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" orient="auto"'
        f' markerHeight="7"><path d="M0 0L10 5L0 10z" fill="{LINE}"/></marker></defs>',
        f'<rect x="{-MARGIN}" {size} rx="12" fill="{WHITE}"/>',
    )
    return "\n".join([*begin, *parts, "</svg>\n"])


def line(path: str) -> str:
    """An arrow along a path."""
    return f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.5" marker-end="url(#a)"/>'


def box(x: float, y: float, width: float, height: float, fill: str, more: str = "") -> str:
    """A box whose top's middle is at x and y."""
    place = f'x="{x - width / 2:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return f'<rect {place} rx="8" fill="{fill}" stroke="{LINE}" stroke-width="1.5"{more}/>'


def label(x: float, y: float, title: str, lines: Sequence[str]) -> list[str]:
    """A title and lines below it."""
    below = [text(x, y + 18 + 15 * i, said, 12, LINE) for i, said in enumerate(lines)]
    return [text(x, y, title, 15, INK, more=' font-weight="600"'), *below]


def text(
    x: float, y: float, said: str, size: int, fill: str, anchor: str = "middle", more: str = ""
) -> str:
    """One line."""
    place = f'x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="{size}" fill="{fill}"{more}>{escape(said)}</text>'


if __name__ == "__main__":
    for file, picture in pictures().items():
        (IMAGES / file).write_text(picture, "utf-8", newline="\n")
