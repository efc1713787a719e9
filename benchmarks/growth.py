"""How time and memory grow with the number of images, up to the size of COCO."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from benchmarks.timing import Row

SMALL, LARGE = 11_800, 118_000

# Runs in a process of its own, so that its peak is its own.
CHILD = """
import json, sys, time
from pathlib import Path
from pipeline.manifest import Row, make_classes, read_manifest, write_manifest
from pipeline.plan import make_plan, read_plan, write_plans

count, folder = int(sys.argv[1]), Path(sys.argv[2])
def peak():  # getrusage would give the peak of the process that started this one
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

classes = make_classes(["background", "cat", "dog"])
before, start = peak(), time.perf_counter()
rows = (
    Row(f"{i:012d}", f"@root/train2017/{i:012d}.jpg", f"masks/{i:012d}.png",
        "strong" if i % 6 == 0 else "weak", (1, 2), 640, 480, "0" * 32)
    for i in range(count)
)
write_manifest(folder, rows, classes)
manifest = read_manifest(folder, folder)
written = time.perf_counter()
lists = [[row.id for row in manifest.of(split)] for split in ("strong", "weak")]
write_plans(folder, [make_plan(name, 0, *lists) for name in ("strong", "dual")])
read_plan(folder, "dual")
end = time.perf_counter()
print(json.dumps({"manifest": written - start, "split": end - written, "peak": peak() - before}))
"""


def measure(count: int) -> dict[str, float]:
    """Seconds of manifest and split, and megabytes above the imports, for `count` images."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", CHILD, str(count), folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    values: dict[str, float] = json.loads(done.stdout)
    return values


def rows() -> Iterator[Row]:
    """Linear means: an image costs as much among 118,000 as among 11,800."""
    small, large = measure(SMALL), measure(LARGE)
    for what in ("manifest", "split"):
        yield Row(
            f"{what}: an image among {LARGE:,}",
            f"an image among {SMALL:,}",
            1e6 * large[what] / LARGE,
            1e6 * small[what] / SMALL,
            "µs an image",
            1 / 1.3,
        )
    yield Row(
        f"manifest and split of {LARGE:,} images, memory above the imports",
        "budget",
        large["peak"],
        300.0,
        "MB",
        1.0,
        note=f"{SMALL:,} images: {small['peak']:.0f} MB",
    )
