"""What DVC does with a folder of many small masks: add it, compare it, hand it to a stage."""

import tempfile
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from benchmarks.growth import LARGE, SMALL
from benchmarks.share import SHARE, make_repository, own_seconds, run
from benchmarks.timing import Row
from pipeline.datasets.shapes import CLASS_NAMES, render_scene
from pipeline.images import write_mask
from pipeline.manifest import make_classes

SIDE = 128  # pixels of a mask
EMPTY = 10  # files: what DVC costs without any
READERS = 5  # stages that read data/proxy/masks: four of train, and report
CRF_MS = 78.0  # of one mask of 500 x 375 on two cores; docs/benchmarks.md

MAKE = """
import sys
from pathlib import Path

mask = Path("mask.png").read_bytes()
Path("masks").mkdir()
for number in range(int(sys.argv[1])):  # no two are equal, as DVC keeps equal files once
    Path(f"masks/{number:012d}.png").write_bytes(mask + number.to_bytes(8, "big"))
"""
STAGES = """
stages:
  make:
    cmd: python timed.py make.py {count}
    outs: [masks]
  use:
    cmd: python timed.py -c 'open("done", "w").close()'
    deps: [masks]
    outs: [done]
"""


@dataclass(frozen=True)
class Cost:
    """Seconds of DVC for one folder of files."""

    add: float
    use: float
    status: float

    def per_file(self, empty: "Cost", count: int) -> "Cost":
        """Microseconds a file, above those of an empty folder."""
        pairs = zip(astuple(self), astuple(empty), strict=True)
        return Cost(*(1e6 * (one - none) / count for one, none in pairs))


def measure(count: int) -> Cost:
    """Add a folder of `count` masks, hand it to a stage, and look whether anything changed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_repository(folder)
        write_mask(folder / "mask.png", render_scene(0, 0, SIDE).mask, make_classes(CLASS_NAMES))
        (folder / "make.py").write_text(MAKE, "utf-8")
        (folder / "dvc.yaml").write_text(STAGES.format(count=count), "utf-8")
        add = own_seconds(folder, "make")
        use = own_seconds(folder, "--single-item", "use")
        status = min(run(folder, "dvc", "status") for _ in range(3))
    return Cost(add, use, status)


def rows() -> Iterator[Row]:
    """A file costs as much among many; and all of DVC against the work that makes a mask."""
    empty = measure(EMPTY)
    small, large = (measure(count).per_file(empty, count) for count in (SMALL, LARGE))
    for what in ("add", "status"):
        yield Row(
            f"DVC, {what}: a mask among {LARGE:,}",
            f"a mask among {SMALL:,}",
            getattr(large, what),
            getattr(small, what),
            "µs a mask",
            1 / 1.3,
        )
    yield Row(
        f"DVC, a mask among {LARGE:,}: added, then read by {READERS} stages",
        f"{100 * SHARE:.0f} % of its CRF at 500x375",
        (large.add + READERS * large.use) / 1000,
        SHARE * CRF_MS,
        "ms a mask",
        1.0,
    )
