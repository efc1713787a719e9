"""A data set that changed since stage download: one line names the file and says how to go on."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.base.errors import UserError
from pipeline.batches.labelled import LabelledImages
from pipeline.batches.order import Item
from pipeline.data.images import AGAIN, read_image
from pipeline.data.manifest import Manifest, read_manifest
from pipeline.data.pairs import Pair, stream_pairs
from pipeline.data.plan import make_plan
from pipeline.datasets.reading.download import download
from pipeline.weak.seeds.tagged import TaggedImages
from tests.bad_input.spoiling import Spoil, content, cut, gone, pixels
from tests.settings import small_params
from tests.trees import make_folder

SMALL = np.zeros((20, 30, 3), dtype=np.uint8)


@pytest.fixture
def mine(tmp_path: Path) -> Manifest:
    """A folder of photographs, read."""
    make_folder(tmp_path / "mine")
    params = small_params(dataset="folder", data_root=str(tmp_path / "mine"))
    download(params, tmp_path / "out")
    return read_manifest(tmp_path / "out", tmp_path / "mine")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (gone("images/scene 1.jpg"), "cannot be read as an image (No such file or directory)"),
        (
            content("images/scene 1.jpg", "new"),
            "cannot be read as an image (it is not an image, or",
        ),
        (cut("images/scene 1.jpg", 0.5), "cannot be read as an image (image file is truncated"),
        (
            pixels("images/scene 1.jpg", SMALL, "JPEG"),
            "is 30x20 pixels, but 48x48 were expected",
        ),
    ],
    ids=["gone", "no image", "truncated", "another size"],
)
def test_an_image_that_changed(mine: Manifest, spoil: Spoil, says: str) -> None:
    spoil(mine.folder)
    rows = [row for row in mine.rows if row.id == "scene 1"]
    pairs = [[Pair(row.id, mine.path(row.image), mine.path(row.mask)) for row in rows]]
    item = Item(0, 0, (0, 0, 0, 0))
    for read in (
        lambda: TaggedImages(mine, rows, 32)[item],
        lambda: LabelledImages(pairs, len(mine.classes))[item],
    ):
        with pytest.raises(UserError) as caught:
            read()
        message = str(caught.value)
        assert message.startswith(f"{mine.folder}/images/scene 1.jpg {says}")
        assert message.endswith(AGAIN)
        assert len(message.splitlines()) == 1


def test_a_mask_that_is_gone_or_of_another_size(mine: Manifest) -> None:
    rows = [row for row in mine.rows if row.id == "scene 1"]
    pairs = [[Pair(row.id, mine.path(row.image), mine.path(row.mask)) for row in rows]]
    pixels("masks/scene 1.png", SMALL[..., 0])(mine.folder)
    with pytest.raises(UserError, match=r"scene 1\.jpg is 48x48 pixels, but 30x20 were expected"):
        LabelledImages(pairs, len(mine.classes))[Item(0, 0, (0, 0, 0, 0))]
    gone("masks/scene 1.png")(mine.folder)
    with pytest.raises(UserError, match=r"scene 1\.png cannot be read as a mask"):
        LabelledImages(pairs, len(mine.classes))[Item(0, 0, (0, 0, 0, 0))]


def test_what_changes_in_one_s_own_folder_is_not_mixed_in(mine: Manifest) -> None:
    rows = [row for row in mine.rows if row.id == "scene 1"]
    pairs = [[Pair(row.id, mine.path(row.image), mine.path(row.mask)) for row in rows]]
    item = Item(0, 0, (0, 0, 0, 0))
    before = LabelledImages(pairs, len(mine.classes))[item]
    shutil.rmtree(mine.data_root)
    after = LabelledImages(pairs, len(mine.classes))[item]
    assert all(map(torch.equal, before.tensors, after.tensors))


def test_a_plan_of_another_data_set(mine: Manifest) -> None:
    plan = make_plan("strong", 0, ["scene 0", "scene 99"], ["scene 5"])
    with pytest.raises(
        UserError, match="is trained on 'scene 99', which is no longer in the data set"
    ):
        stream_pairs(mine, plan)


def test_a_size_that_is_right_changes_nothing(mine: Manifest) -> None:
    for row in mine.rows:
        path = mine.path(row.image)
        assert read_image(path, row.size).tobytes() == read_image(path).tobytes()
