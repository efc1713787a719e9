"""Masks of another tool are proxies as they are; who has none gets none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.base.errors import UserError
from pipeline.data.images import read_mask, write_mask
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import MADE, confidence_path, proxy_path
from pipeline.generators.files import load
from pipeline.weak.proxy.proxy import write_made, write_proxies
from tests.settings import small_params


def test_files(manifest: Manifest, tmp_path: Path) -> None:
    first, second = manifest.of("weak")[:2]
    other = next(c for c in range(1, 9) if c not in first.known_tags)
    given = np.zeros((first.height, first.width), np.uint8)
    given[:9], given[20:25], given[25:] = first.known_tags[0], 255, other
    write_mask(tmp_path / "given.png", given, manifest.classes)
    row = replace(first, proxy=str(tmp_path / "given.png"), tags=None)
    few = replace(manifest, rows=(row, second))
    write_proxies(few, load(small_params(), few), tmp_path)
    write_made(few, tmp_path)
    assert (tmp_path / MADE).read_text("utf-8") == f"{row.id}\n"
    assert np.array_equal(np.asarray(read_mask(proxy_path(row.id, tmp_path))), given)
    assert (np.asarray(read_mask(confidence_path(row.id, tmp_path))) == 255).all()
    write_mask(tmp_path / "given.png", given[:5], manifest.classes)
    with pytest.raises(UserError, match=r"given\.png is 32x5 pixels, but 32x32 were expected"):
        write_proxies(few, load(small_params(), few), tmp_path)
