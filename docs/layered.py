"""A graph in rows, for a picture: every arrow points down, few cross, boxes lie near their own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Arrow = tuple[str, str]  # from, to

GAP = 18.0  # between boxes of a row


@dataclass
class Node:
    """A box in a row; without a name, the place where an arrow crosses the row."""

    name: str
    row: int
    down: list["Node"] = field(default_factory=list)
    up: list["Node"] = field(default_factory=list)
    x: float = 0.0

    @property
    def width(self) -> float:
        """Of its box."""
        return 148.0 if self.name else 8.0


def reduced(arrows: set[Arrow]) -> set[Arrow]:
    """Arrows without those that a way along others replaces; there must be no circle."""

    def below(room: str) -> set[str]:
        direct = {low for high, low in arrows if high == room}
        return direct.union(*(below(each) for each in direct))

    return {
        (high, low)
        for high, low in arrows
        if not any(low in below(other) for top, other in arrows if top == high and other != low)
    }


def placed(names: Iterable[str], arrows: set[Arrow]) -> list[list[Node]]:
    """Rows of nodes, lowest first, with few crossings and x near what each is joined to.

    Args:
        names: of the boxes; what an arrow leads to stands before what it comes from.
        arrows: from a name to one that lies lower.
    """
    nodes: dict[str, Node] = {}
    rows: list[list[Node]] = []

    def put(name: str, row: int) -> Node:
        rows.extend([] for _ in range(row + 1 - len(rows)))
        rows[row].append(Node(name, row))
        return rows[row][-1]

    for name in names:
        lower = [nodes[low] for high, low in sorted(arrows) if high == name]
        nodes[name] = put(name, 1 + max((node.row for node in lower), default=-1))
        for target in lower:
            upper = nodes[name]
            for crossed in range(nodes[name].row - 1, target.row, -1):
                crossing = put("", crossed)
                _join(upper, crossing)
                upper = crossing
            _join(upper, target)
    best = rows
    for sweep in range(24):
        rows = [list(row) for row in rows]
        for row in rows if sweep % 2 else rows[::-1]:
            _sort(row, "down" if sweep % 2 else "up", rows)
        if _crossings(rows) < _crossings(best):
            best = rows
    _spread(best)
    return best


def _join(upper: Node, lower: Node) -> None:
    upper.down.append(lower)
    lower.up.append(upper)


def _sort(row: list[Node], side: str, rows: list[list[Node]]) -> None:
    """Order a row by the mean place of what its nodes are joined to."""
    place = {id(node): i / len(each) for each in rows for i, node in enumerate(each)}

    def mean(node: Node) -> float:
        joined: list[Node] = getattr(node, side)
        return sum(place[id(n)] for n in joined) / len(joined) if joined else place[id(node)]

    row.sort(key=mean)


def _crossings(rows: list[list[Node]]) -> int:
    place = {id(node): i for row in rows for i, node in enumerate(row)}
    count = 0
    for row in rows:
        pairs = [(place[id(node)], place[id(low)]) for node in row for low in node.down]
        count += sum((a - c) * (b - d) < 0 for a, b in pairs for c, d in pairs) // 2
    return count


def _spread(rows: list[list[Node]]) -> None:
    """Set every x to the mean of its neighbours' where the row's order and widths allow it."""
    for row in rows:
        _settle(row, [float(i) for i in range(len(row))])
    for turn in range(60):
        for row in rows if turn % 2 else rows[::-1]:
            wanted = []
            for node in row:
                joined = node.down + node.up
                wanted.append(sum(n.x for n in joined) / len(joined) if joined else node.x)
            _settle(row, wanted)
    left = min(node.x - node.width / 2 for row in rows for node in row)
    for row in rows:
        for node in row:
            node.x -= left


def _settle(row: list[Node], wanted: Sequence[float]) -> None:
    """Places nearest to those wanted (least squares) at which no boxes overlap."""
    offsets, at = [], 0.0
    for i, node in enumerate(row):
        at += (row[i - 1].width + node.width) / 2 + GAP if i else 0.0
        offsets.append(at)
    blocks: list[tuple[float, int]] = []  # mean of what its nodes want, and how many they are
    for want, offset in zip(wanted, offsets, strict=True):
        mean, count = want - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, others = blocks.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        blocks.append((mean, count))
    starts = [mean for mean, count in blocks for _ in range(count)]
    for node, start, offset in zip(row, starts, offsets, strict=True):
        node.x = start + offset
