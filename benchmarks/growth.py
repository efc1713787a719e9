"""How time and memory grow with the number of images, up to the size of COCO."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks.timing import Row, in_turns
from pipeline.base.record import peak_memory_mb
from pipeline.data.manifest import Manifest, make_classes, read_manifest, write_manifest
from pipeline.data.manifest import Row as ManifestRow
from pipeline.data.plan import make_plan, read_plan, write_plans

SMALL, LARGE = 11_800, 118_000


@dataclass(frozen=True)
class Cost:
    """Seconds of the manifest and of the split, and megabytes of both above the imports."""

    manifest: float
    split: float
    peak: float


def measure(count: int) -> Cost:
    """The cost of `count` images, in a process of its own, so that the peak is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(cost_of, count).result()


def cost_of(count: int) -> Cost:
    """The cost of `count` images in this process; an untimed first round shows the peak."""
    before = peak_memory_mb()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = make_manifest(folder, count)
        make_split(folder, manifest)
        peak = peak_memory_mb() - before
        first, second = in_turns(
            lambda: make_manifest(folder, count), lambda: make_split(folder, manifest), rounds=5
        )
    return Cost(first, second, peak)


def make_manifest(folder: Path, count: int) -> Manifest:
    """Write and read a manifest; a sixth of the images is strong, as in COCO's setting."""
    rows = (
        ManifestRow(
            f"{i:012d}",
            f"@root/train2017/{i:012d}.jpg",
            f"masks/{i:012d}.png",
            "weak" if i % 6 else "strong",
            (1, 2),
            640,
            480,
            f"{i:032x}",
        )
        for i in range(count)
    )
    write_manifest(folder, rows, make_classes(["background", "cat", "dog"]))
    return read_manifest(folder, folder)


def make_split(folder: Path, manifest: Manifest) -> None:
    """Lists and plans, written and read."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        lists = [[row.id for row in manifest.of(split)] for split in ("strong", "weak")]
        write_plans(Path(name), [make_plan(variant, 0, *lists) for variant in ("strong", "dual")])
        read_plan(Path(name), "dual")


def rows() -> Iterator[Row]:
    """Linear growth: an image costs as much among 118,000 as among 11,800."""
    small, large = measure(SMALL), measure(LARGE)
    for what in ("manifest", "split"):
        yield Row(
            f"{what}: an image among {LARGE:,}",
            f"an image among {SMALL:,}",
            1e6 * getattr(large, what) / LARGE,
            1e6 * getattr(small, what) / SMALL,
            "µs an image",
            1 / 1.3,
        )
    yield Row(
        f"manifest and split of {LARGE:,} images, memory above the imports",
        "budget",
        large.peak,
        300.0,
        "MB",
        1.0,
        note=f"{SMALL:,} images: {small.peak:.0f} MB",
    )
