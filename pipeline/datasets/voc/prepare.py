"""PASCAL VOC 2012 with the masks of SBD: 1,464 strong, 9,118 weak and 1,449 val images."""

import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from pipeline.base.errors import UserError
from pipeline.base.progress import track
from pipeline.data.images import Bytes
from pipeline.data.manifest import ClassList, Row, make_classes
from pipeline.datasets.reading.archives import Archive, obtain
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.image_names import check_names
from pipeline.datasets.reading.manifest_rows import MASKS, Entry, make_rows
from pipeline.datasets.reading.resumable_masks import ResumableMasks, resumable_masks
from pipeline.datasets.reading.text_files import read_ids
from pipeline.datasets.voc.crash_guard import CrashError, crash_guard
from pipeline.settings.params import Params

CLASS_NAMES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat"),
    *("chair", "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant"),
    *("sheep", "sofa", "train", "tvmonitor"),
)
FULL = {"train": 1464, "trainaug": 10582, "val": 1449}  # the counts every paper uses

VOC = Archive(
    urls=(
        "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
        "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
    ),
    md5="6cd6e144f989b92b3379bac3b3de84fd",
    inside="VOCdevkit/VOC2012",
)
SBD = Archive(
    urls=(
        "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/"
        "benchmark.tgz",
    ),
    md5="82b4d87ceb2ed10f6038a1cba92111cb",
    inside="benchmark_RELEASE/dataset",
)


def prepare(folder: Path, data_root: Path, params: Params) -> tuple[list[Row], ClassList]:
    """Manifest rows of VOC 2012 under `data_root`, downloaded if it is missing.

    Strong images are the devkit's train.txt and val images its val.txt, both with the devkit's
    own masks. Weak images are trainaug without train: trainaug.txt if the devkit has one, else
    (VOC train + SBD train + SBD val) - VOC val. Their masks, which are used to score proxies and
    never for training, come from `SegmentationClassAug` if the devkit has it, else from SBD. SBD is
    only downloaded if one of the two is missing. A test.txt adds test images without masks.

    Args:
        folder: the data set's folder; masks made from SBD go to its masks/.
        data_root: contains `VOCdevkit/VOC2012`, and `SBD` if that is needed.
        params: not used; all data sets are prepared by the same call.

    Raises:
        UserError: a download fails, files are missing or inconsistent, or train.txt is VOC's own
            list but trainaug or val have other counts than VOC's.
    """
    devkit = data_root / "VOCdevkit" / "VOC2012"
    if not devkit.exists():
        obtain(VOC, devkit, data_root, _is_needed_of_voc)
    classes = make_classes(CLASS_NAMES)
    findings = Findings()
    lists = read_lists(devkit, data_root, findings)
    official = devkit / "SegmentationClass"
    with _weak_masks(lists["weak"], devkit, folder, data_root, classes, findings) as masks:
        masks |= {name: official / f"{name}.png" for name in lists["strong"] + lists["val"]}
        entries = [
            Entry(name, devkit / "JPEGImages" / f"{name}.jpg", masks.get(name), split)
            for split, names in lists.items()
            for name in names
        ]
        return make_rows(entries, classes, folder, data_root, findings), classes


def read_lists(devkit: Path, data_root: Path, findings: Findings) -> dict[str, list[str]]:
    """Image ids of the splits strong, weak, val and, with a test.txt, test.

    Problems: lists overlap, or the counts are not those of `FULL`.

    Raises:
        UserError: a list is missing, lists an id twice, or has ids that cannot be file names.
    """
    folder = devkit / "ImageSets" / "Segmentation"
    train, val = read_ids(folder / "train.txt"), read_ids(folder / "val.txt")
    if (folder / "trainaug.txt").exists():
        trainaug = set(read_ids(folder / "trainaug.txt"))
    else:
        sbd = find_sbd(data_root)
        trainaug = {*train, *read_ids(sbd / "train.txt"), *read_ids(sbd / "val.txt")} - set(val)
    test = read_ids(folder / "test.txt") if (folder / "test.txt").exists() else []
    check_names([*dict.fromkeys([*train, *sorted(trainaug), *val, *test])], folder, findings)
    findings.refuse(folder)  # nothing is read or written under such names
    for first, left, second, right in (
        ("train.txt and trainaug.txt", {*train, *trainaug}, "val.txt", {*val}),
        ("the other lists", {*train, *trainaug, *val}, "test.txt", {*test}),
    ):
        # Scores on training images are meaningless.
        findings.add(f"{folder}: {second} shares images with {first}", sorted(left & right))
    with findings.gathered():
        _check_counts({"train": len(train), "trainaug": len(trainaug), "val": len(val)}, folder)
    return {"strong": train, "weak": sorted(trainaug - {*train}), "val": val, "test": test}


def find_sbd(data_root: Path) -> Path:
    """Folder with SBD's cls/, train.txt and val.txt; downloaded if it is missing.

    Raises:
        UserError: the download fails.
    """
    for name in ("SBD", "sbd", "benchmark_RELEASE/dataset"):
        if (data_root / name / "cls").is_dir():
            return data_root / name
    obtain(SBD, data_root / "SBD", data_root, _is_needed_of_sbd)
    return data_root / "SBD"


def read_sbd_mask(path: Path) -> Bytes:
    """Class indices of one SBD file, (H, W).

    SciPy may crash, and this process with it, on damaged files: see `crash_guard`.

    Raises:
        UserError: the file is missing, damaged, or contains an index past the classes.
    """
    if not path.exists():
        raise UserError(f"{path} is not there: remove {path.parent.parent} to download SBD again")
    try:
        data = path.read_bytes()
        if is_packed(data):
            zlib.decompress(data[136:])  # checks the checksum, which SciPy does not
        mask_HW = np.asarray(loadmat(io.BytesIO(data))["GTcls"][0, 0]["Segmentation"])
        low, high = int(mask_HW.min()), int(mask_HW.max())
    except Exception as error:  # loadmat raises many kinds on damaged files
        raise UserError(f"{path} cannot be read as an SBD mask ({error!r})") from error
    if mask_HW.ndim != 2 or low < 0:
        raise UserError(f"{path} cannot be read as an SBD mask: it does not contain class indices")
    if high >= len(CLASS_NAMES):
        raise UserError(f"{path} contains class index {high}, but VOC's last is 20")
    return mask_HW.astype(np.uint8)


def is_packed(data: bytes) -> bool:
    """Whether a MATLAB file's first variable is compressed, as in MATLAB since version 7."""
    return data[126:132] in (b"IM\x0f\0\0\0", b"MI\0\0\0\x0f")


@contextmanager
def _weak_masks(
    ids: list[str],
    devkit: Path,
    folder: Path,
    data_root: Path,
    classes: ClassList,
    findings: Findings,
) -> Iterator[dict[str, Path]]:
    """Yield the paths of the weak images' masks, after making those that come from SBD.

    If the stage is stopped before the block ends, the masks made so far are kept.
    """
    ready = devkit / "SegmentationClassAug"
    if ready.is_dir():
        yield {name: ready / f"{name}.png" for name in ids}
        return
    sbd = find_sbd(data_root)
    files = {name: sbd / "cls" / f"{name}.mat" for name in ids}
    there = filter(Path.is_file, files.values())
    with resumable_masks(folder, classes, there, "scipy") as masks:
        done = _convert(files, masks, findings)
        yield {name: folder / "masks" / f"{name}.png" for name in done}


def _convert(files: dict[str, Path], masks: ResumableMasks, findings: Findings) -> list[str]:
    """Make masks from SBD's files; returns the ids of those that could be read."""
    done = []
    with crash_guard(read_sbd_mask) as read:
        for name, file in track(list(files.items()), "convert SBD masks"):
            try:
                masks.make(name, partial(_read_or_refuse, read, file))
            except UserError as error:
                findings.say(MASKS, error)
            else:
                done.append(name)
    return done


def _read_or_refuse(read: Callable[[Path], Bytes], path: Path) -> Bytes:
    """The mask of an SBD file, or a UserError where SciPy crashes on it."""
    try:
        return read(path)
    except CrashError:
        raise UserError(
            f"{path} cannot be read as an SBD mask: the process that reads it ended twice; the "
            "file is damaged, or memory ran out"
        ) from None


def _check_counts(counts: dict[str, int], folder: Path) -> None:
    """Check the counts that go with the full train list; a subset may have any."""
    if counts["train"] == FULL["train"] and counts != FULL:
        raise UserError(
            f"{folder}: train.txt is VOC's full list of 1464 images, which goes with 10582 in "
            f"trainaug and 1449 in val, but here are {counts['trainaug']} and {counts['val']}"
        )


def _is_needed_of_voc(name: str) -> bool:
    """Segmentation needs no boxes and no instances."""
    return name.startswith(("ImageSets/Segmentation/", "JPEGImages/", "SegmentationClass/"))


def _is_needed_of_sbd(name: str) -> bool:
    """SBD's images are VOC's own, so only masks and lists are needed."""
    return name in ("train.txt", "val.txt") or (name.startswith("cls/") and name.endswith(".mat"))
