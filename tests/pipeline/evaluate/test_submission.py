"""VOC's test images: the archive for the evaluation server, and nothing else changed by it."""

import contextlib
import gzip
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML
from safetensors.torch import save_file

from pipeline.batches.augment import image_tensor
from pipeline.data.images import palette_bytes, read_image
from pipeline.data.manifest import Manifest, Row, read_manifest
from pipeline.data.plan import make_plan, write_plans
from pipeline.datasets.reading.download import download
from pipeline.evaluate.submission import ARCHIVE, pack, unscored, write_submission
from pipeline.evaluate.variant import evaluate_variant
from pipeline.networks.stored import plain_state
from pipeline.scoring.score import predict_batch
from pipeline.settings.params import Params
from pipeline.settings.paths import DATASET, MODELS, PREDICTIONS, RESULTS, SPLIT
from pipeline.train.build import build_network
from pipeline.train.network import DualBranchNet
from tests.settings import ROOT, SMALL, late, put, raw_values, small_params
from tests.trees import make_voc

TEST = 5
LAYOUT = [f"results/VOC2012/Segmentation/comp6_test_cls/2007_{n:06d}.png" for n in range(100, 105)]


def changes(root: Path) -> dict[str, Any]:
    """VOC under `root`, two seeds, two images of one size at once."""
    return {"dataset": "voc", "data_root": str(root), "seeds": [3, 1], "evaluate.batch_size": 2}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a VOC that has test images, a plan and two networks; only to be read."""
    folder = tmp_path_factory.mktemp("voc")
    make_voc(folder / "root", sbd=False, test=TEST)
    params = small_params(**changes(folder / "root"))
    with contextlib.chdir(folder):
        download(params, DATASET)
        plan = make_plan("dual", 1, ["a"], ["b"])
        SPLIT.mkdir()
        write_plans(SPLIT, [plan])
        for seed in params.seeds:
            torch.manual_seed(seed)
            (MODELS / "dual" / str(seed)).mkdir(parents=True)
            state = plain_state(build_network(params, plan, 21, "none"))
            save_file(state, MODELS / "dual" / str(seed) / "network.safetensors")
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        values = put(put(raw_values(), SMALL), {**changes(folder / "root"), "variants": ["dual"]})
        YAML(typ="safe", pure=True).dump(values, file)
    return folder


@pytest.fixture
def here(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of it, as the current folder."""
    subprocess.run(["cp", "-r", str(finished), str(tmp_path / "run")], check=True)
    monkeypatch.chdir(tmp_path / "run")
    return tmp_path / "run"


def evaluate(root: Path, dataset: str = "voc") -> dict[str, float]:
    """Stage evaluate on the current folder."""
    return evaluate_variant(
        small_params(**{**changes(root), "dataset": dataset}),
        read_manifest(DATASET, root),
        make_plan("dual", 1, ["a"], ["b"]),
        models=MODELS,
        predictions=PREDICTIONS / "dual",
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def first_network(params: Params) -> DualBranchNet:
    """The network of the first seed, drawn anew."""
    torch.manual_seed(3)
    return build_network(params, make_plan("dual", 1, ["a"], ["b"]), 21, "none").eval()


def test_the_archive_holds_the_first_seeds_masks_in_vocs_layout(here: Path) -> None:
    root = here / "root"
    evaluate(root)
    manifest = read_manifest(DATASET, root)
    network = first_network(small_params(**changes(root)))
    with tarfile.open(PREDICTIONS / "dual" / ARCHIVE) as tar:
        members = tar.getmembers()
        assert [member.name for member in members] == LAYOUT
        assert all(member.isreg() for member in members)
        for row, member in zip(manifest.of("test"), members, strict=True):
            file = tar.extractfile(member)
            assert file is not None
            with Image.open(io.BytesIO(file.read())) as image:
                assert image.mode == "P"
                assert image.getpalette() == palette_bytes(manifest.classes)
                assert image.size == (row.width, row.height)
                mask_HW = np.array(image)
            picture = image_tensor(read_image(manifest.path(row.image)))
            expected_HW = predict_batch(network, picture[None])[0]
            assert mask_HW.max() < 21
            assert np.mean(mask_HW == expected_HW) > 0.999  # ties of floating-point sums
    assert len(np.unique(expected_HW)) > 1


def test_val_is_scored_and_kept_as_without_test_images(here: Path) -> None:
    root = here / "root"
    evaluate(root)
    with_test = contents(PREDICTIONS / "dual")
    del with_test[ARCHIVE]
    results = contents(RESULTS)
    (root / "VOCdevkit/VOC2012/ImageSets/Segmentation/test.txt").unlink()
    download(small_params(**changes(root)), DATASET)
    evaluate(root)
    assert contents(PREDICTIONS / "dual") == with_test
    assert len(with_test) == 3
    assert contents(RESULTS) == results


def test_other_data_sets_get_no_archive(here: Path) -> None:
    evaluate(here / "root", dataset="folder")
    assert len(list((PREDICTIONS / "dual").glob("*.png"))) == 3
    assert len(list((PREDICTIONS / "dual").iterdir())) == 3


def test_the_same_masks_give_the_same_bytes(tmp_path: Path) -> None:
    for name, order in (("a", "xyz"), ("b", "zyx")):
        (tmp_path / name).mkdir()
        for letter in order:
            path = tmp_path / name / f"{letter}.png"
            path.write_bytes(letter.encode() * 700)
            os.utime(path, (order.index(letter), 1_000_000 + ord(letter)))
            path.chmod(0o600 if name == "a" else 0o644)
        pack(tmp_path / name, tmp_path / f"{name}.tar.gz")
    packed = (tmp_path / "a.tar.gz").read_bytes()
    assert packed == (tmp_path / "b.tar.gz").read_bytes()
    assert packed[:10] == b"\x1f\x8b\x08\x00" + bytes(4) + packed[8:10]  # neither name nor time
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as tar:
        stamps = {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in tar.getmembers()}
        assert stamps == {(0, 0, 0, "", "", 0o644)}
        assert [m.name[-5:] for m in tar.getmembers()] == ["x.png", "y.png", "z.png"]


def test_masks_are_written_as_they_come(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When an image is read, the masks of all batches before it are on disk."""
    manifest = read_manifest(DATASET, here / "root")
    seen = []

    def watched(path: Path, size: tuple[int, int]) -> Image.Image:
        seen.append(len(list((here / "out/test").glob("*.png"))))
        return read_image(path, size)

    monkeypatch.setattr("pipeline.scoring.score.read_image", watched)
    (here / "out").mkdir()
    network = first_network(small_params(**changes(here / "root")))
    write_submission(network, manifest, 1, here / "out", "test")
    assert seen == [0, 1, 2, 3, 4]
    assert [path.name for path in (here / "out").iterdir()] == [ARCHIVE]


def test_no_part_of_an_archive_is_left(here: Path) -> None:
    """An image that cannot be read: what an earlier run wrote stays, nothing is added."""
    evaluate(here / "root")
    before = contents(PREDICTIONS)
    broken = here / "root/VOCdevkit/VOC2012/JPEGImages/2007_000103.jpg"
    broken.write_bytes(b"no image")
    with pytest.raises(Exception, match=r"2007_000103\.jpg cannot be read"):
        evaluate(here / "root")
    assert contents(PREDICTIONS) == before


def test_only_test_images_without_masks_are_unscored(manifest: Manifest) -> None:
    known = Row("a", "a.jpg", "a.png", "test", (1,), 8, 8)
    rows = (*manifest.rows, known, Row("b", "b.jpg", "", "test", (), 8, 8))
    others = (*rows, Row("c", "c.jpg", "", "weak", (1,), 8, 8))
    found = unscored(Manifest(others, manifest.classes, manifest.folder, manifest.data_root))
    assert [row.id for row in found] == ["b"]


SLOW = late("evaluate.submission", "write_masks", "evaluate", 0.5, rank=1)


def stage(*arguments: str) -> str:
    """Run Python on the current folder; what it prints."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=env, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_two_processes_write_the_same_archive(here: Path) -> None:
    """The leading one packs when the slower one is done, and one line says whom it is for."""
    (here / "slow.py").write_text(SLOW, "utf-8")
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "slow.py")
    found = []
    for command in (("-m", "stages.evaluate"), launcher):
        (line,) = [line for line in stage(*command, "dual").splitlines() if ARCHIVE in line]
        assert "host.robots.ox.ac.uk" in line
        assert "alone can score" in line
        found.append(contents(PREDICTIONS / "dual"))
    assert found[0] == found[1]
    assert len(found[0]) == 4
