"""Proxy masks: one for every training image, within its tags and at its own size."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.data.images import read_mask
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import MADE, confidence_path, proxy_path
from pipeline.generators.dsrg import generator_of
from pipeline.networks.stored import plain_state
from pipeline.weak.dsrg.network import DsrgNet, build_dsrg, load_dsrg
from pipeline.weak.proxy.generator import Proxy
from pipeline.weak.proxy.proxy import write_made, write_proxies
from tests.settings import small_params

CLASSES = 9


@pytest.fixture(scope="module")
def network() -> DsrgNet:
    torch.manual_seed(0)
    return build_dsrg(small_params(), CLASSES, "none").eval()


def test_every_training_image_gets_a_mask(
    manifest: Manifest, network: DsrgNet, tmp_path: Path
) -> None:
    few = replace(manifest, rows=(*manifest.rows[4:8], *manifest.of("val")))
    write_proxies(few, generator_of(small_params(), network), tmp_path)
    assert sorted(path.stem for path in (tmp_path / "masks").iterdir()) == [
        row.id for row in few.train()
    ]
    for row in few.train():
        mask = np.array(read_mask(tmp_path / "masks" / f"{row.id}.png", CLASSES))
        assert mask.shape == (row.height, row.width)
        assert set(np.unique(mask)) <= {0, *row.tags}


def test_confidence_is_written_beside(manifest: Manifest, network: DsrgNet, tmp_path: Path) -> None:
    few = replace(manifest, rows=manifest.train()[4:8])
    write_proxies(few, generator_of(small_params(), network), tmp_path)
    for row in few.train():
        assert proxy_path(row.id, tmp_path).exists()
        grey = np.array(read_mask(confidence_path(row.id, tmp_path)))
        assert grey.shape == (row.height, row.width)
        # The best of T labels has at least 1/T, and an untagged image is all background for sure.
        assert grey.min() >= 255 // (1 + len(row.tags)) - 17


def test_masks_have_the_images_own_size(
    manifest: Manifest, network: DsrgNet, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (50, 21), (200, 10, 10)).save(tmp_path / "images" / "wide.png")
    row = replace(manifest.rows[0], id="wide", image="images/wide.png", width=50, height=21)
    wide = replace(manifest, rows=(row,), folder=tmp_path)
    write_proxies(wide, generator_of(small_params(), network), tmp_path)
    assert read_mask(tmp_path / "masks" / "wide.png").size == (50, 21)


def test_the_stored_network_is_the_one_used(
    manifest: Manifest, network: DsrgNet, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    save_file(plain_state(network), tmp_path / "network.safetensors")
    loaded = load_dsrg(small_params(), manifest, tmp_path)
    for a, b in zip(network.parameters(), loaded.parameters(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(UserError, match="does not fit"):
        load_dsrg(small_params(**{"dsrg.width": 9}), manifest, tmp_path)


def test_another_shape_than_the_image_has_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    one = replace(manifest, rows=manifest.train()[:1])
    proxy = Proxy(torch.zeros(12, 32), torch.ones(12, 32))
    with pytest.raises(ValueError, match=rf"proxy of '{one.rows[0].id}': shape \(12, 32\)"):
        write_proxies(one, lambda row, image_3HW: proxy, tmp_path)


def test_an_image_without_known_tags_gets_no_proxy_of_dsrg(
    manifest: Manifest, tmp_path: Path
) -> None:
    first, second = manifest.train()[:2]
    few = replace(manifest, rows=(replace(first, tags=None), second))
    network = build_dsrg(small_params(), len(manifest.classes), "none")
    write_proxies(few, generator_of(small_params(), network), tmp_path)
    write_made(few, tmp_path)
    assert [path.stem for path in (tmp_path / "masks").iterdir()] == [second.id]
    assert (tmp_path / MADE).read_text("utf-8") == f"{second.id}\n"
