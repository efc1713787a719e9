"""Coverage-guided fuzzing of everything that reads what a user brings.

    python -m tests.torture.fuzz --seconds 60                 # every target for a minute
    python -m tests.torture.fuzz --seconds 600 --target mask  # one of them

Needs the extra `torture` (atheris). A finding is any exception but UserError, an input that takes
over 10 s, or over 2 GB of memory; it is kept under --keep with its traceback, and the exit code
is 1. Each target runs in a process of its own, so that a crash of a C library is a finding, too.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.torture.project import Tally

HANG, MEMORY = 10, 2048  # seconds, MB
LONGEST = 8192  # bytes of an input; the seeds are smaller
Read = Callable[[bytes], object]


def read_params(folder: Path) -> tuple[Read, list[bytes]]:
    """params.yaml as text."""
    from pipeline.settings.params_file import load_params
    from tests.torture import seeds

    return lambda data: load_params(written(folder / "params.yaml", data)), seeds.params()


def read_photographs(folder: Path) -> tuple[Read, list[bytes]]:
    """The check at download and the reading in training, which must agree."""
    from pipeline.base.errors import UserError
    from pipeline.data.images import check_image, read_image
    from tests.torture import seeds

    def read(data: bytes) -> None:
        path = written(folder / "a.jpg", data)
        try:
            size = check_image(path, data).size
        except UserError:
            return
        if read_image(path).size != size:
            raise AssertionError(f"the check says {size}, reading gives another")

    return read, seeds.images()


def read_masks(folder: Path) -> tuple[Read, list[bytes]]:
    """Indexed PNGs."""
    from pipeline.data.images import read_mask, tags_of_mask
    from tests.torture import seeds

    def read(data: bytes) -> None:
        import numpy as np

        mask = read_mask(written(folder / "a.png", data), 3)
        tags_of_mask(np.asarray(mask))

    return read, seeds.masks()


def read_manifests(folder: Path) -> tuple[Read, list[bytes]]:
    """manifest.csv beside a whole classes.csv."""
    from pipeline.data.manifest import read_manifest
    from tests.torture import seeds

    start = seeds.manifests(folder)

    def read(data: bytes) -> None:
        written(folder / "manifest.csv", data)
        read_manifest(folder, folder)

    return read, start


def read_instances(folder: Path) -> tuple[Read, list[bytes]]:
    """COCO's JSON down to painted masks."""
    from pipeline.datasets.coco.prepare import class_list
    from pipeline.datasets.reading.coco_instances import rasterise, read_index, read_instances
    from pipeline.datasets.reading.findings import Findings
    from tests.torture import seeds

    def read(data: bytes) -> None:
        path, findings = written(folder / "instances.json", data), Findings()
        index = read_index(path, findings)
        found = read_instances(path, index, findings)
        findings.refuse(folder)
        class_list(index)
        for key, picture in index.images.items():
            if picture.width * picture.height <= 2**20:  # the image's own header has to agree
                rasterise(found.get(key, ()), picture.height, picture.width)

    return read, seeds.instances()


def read_matlab(folder: Path) -> tuple[Read, list[bytes]]:
    """SBD's masks, which are compressed; on others that are damaged SciPy crashes."""
    from pipeline.datasets.voc.prepare import is_packed, read_sbd_mask
    from tests.torture import seeds

    def read(data: bytes) -> None:
        if is_packed(data) or len(data) < 132:
            read_sbd_mask(written(folder / "a.mat", data))

    return read, seeds.matlab()


def read_folders(folder: Path) -> tuple[Read, list[bytes]]:
    """classes.txt, tags.csv and both lists of a folder of photographs."""
    import logging

    from PIL import Image

    from pipeline.datasets.folder import prepare as reader
    from tests.settings import small_params
    from tests.torture import seeds

    logging.disable()
    params = small_params(dataset="folder")
    names = ("classes.txt", "tags.csv", "splits/train.txt", "splits/val.txt")
    root, made = folder / "mine", folder / "made"
    for path in (root / "images", root / "masks", root / "splits", made):
        path.mkdir(parents=True)
    for name in ("m0", "m1", "m2", "t0", "t1"):
        Image.new("RGB", (4, 4)).save(root / "images" / f"{name}.jpg")
        if name < "t":
            Image.new("L", (4, 4), 1).save(root / "masks" / f"{name}.png")

    def read(data: bytes) -> None:
        parts = data.split(b"\0")[: len(names)]
        for name, part in zip(names, parts + [b""] * len(names), strict=False):
            written(root / name, part)
        reader.prepare(made, root, params)

    return read, seeds.folders()


def read_exports(folder: Path) -> tuple[Read, list[bytes]]:
    """What annotation tools export, down to painted masks; the first byte says which."""
    import logging

    from PIL import Image

    from pipeline.datasets.folder.prepare import find, look
    from pipeline.datasets.reading.findings import Findings
    from tests.torture import seeds

    logging.disable()
    kinds = {b"o": "annotations.json", b"c": "annotations.xml", b"t": "colours.csv"}
    root, made = folder / "mine", folder / "made"
    for path in (root / "images", root / "masks", root / "labelme", made):
        path.mkdir(parents=True)
    Image.new("RGB", (16, 12)).save(root / "images" / "a.jpg")

    def read(data: bytes) -> None:
        name = kinds.get(data[:1], "labelme/a.json")
        if name == "colours.csv":
            Image.new("RGB", (16, 12), (9, 9, 9)).save(root / "masks" / "a.png")
        findings = Findings()
        path = written(root / name, data[1:])
        try:
            found = find(made, root, findings)
            list(look(found, made, root, findings, 8))
        finally:
            path.unlink()
            (root / "masks" / "a.png").unlink(missing_ok=True)
        findings.refuse(root)

    return read, seeds.exports()


def read_archives(folder: Path) -> tuple[Read, list[bytes]]:
    """Tars and zips."""
    from pipeline.datasets.reading.archives import unpack
    from tests.torture import seeds

    def read(data: bytes) -> None:
        try:
            unpack(written(folder / "packed", data), folder / "inner" / "out")
        finally:
            shutil.rmtree(folder / "inner", ignore_errors=True)
            outside = {path.name for path in folder.iterdir()} - {"packed"}
            if outside:
                raise AssertionError(f"unpacked outside of its folder: {outside}")

    return read, seeds.archives()


def read_weights(folder: Path) -> tuple[Read, list[bytes]]:
    """A file of backbone weights, safetensors or torch's own."""
    from pipeline.networks.weights import read_tensors
    from tests.torture import seeds

    def read(data: bytes) -> None:
        name = "a.safetensors" if data[:1] == b"s" else "a.pth"
        read_tensors(written(folder / name, data[1:]), "give another file")

    return read, seeds.weights()


TARGETS = {
    "params": read_params,
    "image": read_photographs,
    "mask": read_masks,
    "manifest": read_manifests,
    "coco": read_instances,
    "matlab": read_matlab,
    "folder": read_folders,
    "exports": read_exports,
    "archive": read_archives,
    "weights": read_weights,
}


def written(path: Path, data: bytes) -> Path:
    """A file with these bytes."""
    path.write_bytes(data)
    return path


def fuzz(target: str, seconds: int, keep: Path) -> None:
    """Fuzz one target in this process; libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(
        include=["pipeline", "PIL", "ruamel", "tarfile", "zipfile", "scipy.io.matlab"]
    ):
        import PIL.Image
        import ruamel.yaml  # noqa: F401

        import pipeline.base.errors

        folder = Path(tempfile.mkdtemp())
        inner = folder / "work"
        inner.mkdir()
        read, good = TARGETS[target](inner)
    PIL.Image.init()
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(good):
        (corpus / f"{number}").write_bytes(data)
        read_or_refuse(read, data, pipeline.base.errors.UserError)
    options = [
        f"-max_total_time={seconds}", f"-timeout={HANG}", f"-rss_limit_mb={MEMORY}",
        f"-max_len={max(LONGEST, *map(len, good))}", f"-artifact_prefix={keep}/{target}-",
        "-print_final_stats=1", "-verbosity=1",
    ]  # fmt: skip
    atheris.Setup(
        [sys.argv[0], *options, str(corpus)],
        lambda data: read_or_refuse(read, data, pipeline.base.errors.UserError),
    )
    atheris.Fuzz()


def read_or_refuse(read: Read, data: bytes, refusal: type[Exception]) -> None:
    """Read; being refused with a message is as good as being read."""
    try:
        read(data)
    except refusal as error:
        if not str(error).strip():
            raise AssertionError("refused without a word") from error


def run(target: str, seconds: int, keep: Path) -> Tally:
    """Fuzz one target in a process of its own, print what came of it and count it."""
    command = [sys.executable, "-m", "tests.torture.fuzz", "--inside", target]
    command += ["--seconds", str(seconds), "--keep", str(keep)]
    with (keep / f"{target}.log").open("w+b") as log:
        done = subprocess.run(command, stdout=log, stderr=log, check=False)
        log.seek(0)
        text = log.read().decode(errors="replace")
    runs = re.findall(r"stat::number_of_executed_units: (\d+)", text)
    features = re.findall(r" ft: (\d+)", text)
    found = sorted(path.name for path in keep.glob(f"{target}-*"))
    if done.returncode and not found:
        found = [f"it ended with {done.returncode}: see {keep / target}.log"]
    result = f"FOUND {', '.join(found)}" if found else "nothing found"
    print(
        f"{target}: {seconds} s, {runs[-1] if runs else '?'} executions, "
        f"{features[-1] if features else '?'} features, {result}",
        flush=True,
    )
    return Tally(f"fuzzing, {target}, {seconds} s", int(runs[-1]) if runs else 0, found)


def fuzz_all(seconds: float) -> list[Tally]:
    """Fuzz every target, so many seconds in all."""
    keep = Path("data/fuzz")
    keep.mkdir(parents=True, exist_ok=True)
    return [run(target, round(seconds / len(TARGETS)), keep) for target in TARGETS]


def main() -> int:
    """Command line; 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="of each target")
    parser.add_argument("--target", choices=TARGETS, action="append", help="all where not given")
    parser.add_argument("--keep", type=Path, default=Path("data/fuzz"), help="findings and logs")
    parser.add_argument("--inside", choices=TARGETS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    if options.inside:
        fuzz(options.inside, options.seconds, options.keep)
        return 0
    targets = options.target or list(TARGETS)
    found = [run(target, options.seconds, options.keep) for target in targets]
    return int(any(tally.lost for tally in found))


if __name__ == "__main__":
    sys.exit(main())
