"""Stage seeds on a tiny data set: repeatable, on the grid, and within the tags."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.data.manifest import Manifest
from pipeline.data.seeds import UNSEEDED, read_seeds
from pipeline.weak.seeds.cam import load_classifier
from pipeline.weak.seeds.seeds import make_seeds, seed_all
from tests.settings import small_params

GRID = 8


def made(manifest: Manifest, folder: Path, **changes: object) -> dict[str, float]:
    folder.mkdir()
    return make_seeds(small_params(**changes), manifest, folder)


def test_files_and_seeds(manifest: Manifest, tmp_path: Path) -> None:
    summary = made(manifest, tmp_path / "a")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "classifier.safetensors",
        "history.csv",
        "seeds.npy",
        "tags.csv",
    ]
    head, *lines = (tmp_path / "a/tags.csv").read_text("utf-8").splitlines()
    assert head == "class,images,average_precision"
    assert [line.split(",")[0] for line in lines] == list(manifest.classes.names[1:])
    held = [sum(c + 1 in row.known_tags for row in manifest.tagged()) for c in range(len(lines))]
    assert [int(line.split(",")[1]) for line in lines] == held
    seeds = read_seeds(tmp_path / "a", manifest)
    assert seeds.shape == (16, GRID, GRID)
    assert seeds.dtype == np.uint8
    for row, seed in zip(manifest.train(), seeds, strict=True):
        assert set(np.unique(seed)) <= {0, *row.tags, UNSEEDED}
        assert set(np.unique(seed)) & set(row.tags)  # an object of the image has a seed
    assert summary["seeded"] == pytest.approx(100 * float((seeds != UNSEEDED).mean()))
    assert 0 <= summary["tag_accuracy"] <= 100
    background = (np.array(seeds) == 0).mean(axis=(1, 2))
    assert background.max() <= small_params().cam.background


def test_same_seed_same_bytes(manifest: Manifest, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        made(manifest, tmp_path / name, seed=seed)
    for file in ("classifier.safetensors", "seeds.npy"):
        one, two, other = ((tmp_path / name / file).read_bytes() for name in ("a", "b", "c"))
        assert one == two
        assert one != other


def test_the_classifier_learns(manifest: Manifest, tmp_path: Path) -> None:
    made(manifest, tmp_path / "a", **{"cam.optimiser.iterations": 60})
    lines = (tmp_path / "a" / "history.csv").read_text().splitlines()
    assert lines[0] == "step,loss,tag_accuracy"
    losses = [float(line.split(",")[1]) for line in lines[1:]]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


def test_seeds_are_those_of_the_stored_classifier(manifest: Manifest, tmp_path: Path) -> None:
    made(manifest, tmp_path / "a")
    params = small_params()
    network = load_classifier(params, len(manifest.classes), tmp_path / "a").eval()
    again, _ = seed_all(network, params.cam, manifest)
    np.testing.assert_array_equal(again, read_seeds(tmp_path / "a", manifest))


def test_the_users_own_saliency_maps(manifest: Manifest, tmp_path: Path) -> None:
    made(manifest, tmp_path / "a")
    (tmp_path / "maps").mkdir()
    grey = np.full((32, 32), 200, dtype=np.uint8)
    grey[:, :16] = 15  # 15 / 255 is just below 0.06
    for row in manifest.train():
        Image.fromarray(grey).save(tmp_path / "maps" / f"{row.id}.png")
    changes = {"cam.saliency": str(tmp_path / "maps"), "cam.saliency_below": 0.06}
    params = small_params(**changes)
    network = load_classifier(params, len(manifest.classes), tmp_path / "a").eval()
    seeds, _ = seed_all(network, params.cam, manifest)
    left = seeds[:, :, : GRID // 2 - 1]
    assert (left != UNSEEDED).all()  # ground where no object is
    assert not (seeds[:, :, GRID // 2 + 1 :] == 0).any()
    (tmp_path / "maps" / f"{manifest.train()[3].id}.png").unlink()
    with pytest.raises(UserError, match=r"cam\.saliency: .*00003\.png is not there"):
        seed_all(network, params.cam, manifest)


def test_an_images_seeds_do_not_depend_on_its_batch(manifest: Manifest, tmp_path: Path) -> None:
    """No dropout and no batch statistics once the network is trained."""
    made(manifest, tmp_path / "a")
    params = small_params(**{"cam.optimiser.batch_size": 5})
    network = load_classifier(params, len(manifest.classes), tmp_path / "a").eval()
    np.testing.assert_array_equal(
        seed_all(network, params.cam, manifest)[0], read_seeds(tmp_path / "a", manifest)
    )


def test_seeds_of_another_manifest_are_refused(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"run `python -m stages\.seeds` first"):
        read_seeds(tmp_path, manifest)
    np.save(tmp_path / "seeds.npy", np.zeros((15, GRID, GRID), dtype=np.uint8))
    with pytest.raises(UserError, match="holds 15 images, the manifest 16"):
        read_seeds(tmp_path, manifest)
    fewer = replace(manifest, rows=manifest.rows[1:])
    assert read_seeds(tmp_path, fewer).shape == (15, GRID, GRID)


@pytest.mark.parametrize("length", [0, 5, 100, 200])
def test_damaged_seeds_are_named(manifest: Manifest, tmp_path: Path, length: int) -> None:
    path = tmp_path / "seeds.npy"
    np.save(path, np.zeros((16, GRID, GRID), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UserError, match=r"seeds\.npy is damaged .*run `python -m stages\.seeds`"):
        read_seeds(tmp_path, manifest)
