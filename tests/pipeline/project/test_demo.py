"""The demo: its network is that of the committed run, and the page shows what it finds."""

import base64
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from ruamel.yaml import YAML

from pipeline.datasets.shapes.prepare import VAL_FROM, render_scene
from pipeline.model.predict import load_model
from pipeline.project.demo import FIRST, MODEL, SCENES, SEED, SIDE, write_demo
from pipeline.settings.params_file import load_params
from tests.settings import ROOT


def viewer_of(page: str) -> dict[str, Any]:
    found = re.search(r'id="viewer-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_network_is_that_of_the_committed_run() -> None:
    """After a run with other numbers: cp data/packages/dual/* demo/."""
    lock = YAML(typ="safe", pure=True).load((ROOT / "dvc.lock").read_text("utf-8"))
    (out,) = lock["stages"]["package@dual"]["outs"]
    md5 = hashlib.md5(MODEL.read_bytes(), usedforsecurity=False).hexdigest()
    listed = json.dumps([{"md5": md5, "relpath": MODEL.name}])
    assert out["size"] == MODEL.stat().st_size
    whole = hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest()
    assert out["md5"] == f"{whole}.dir"


def test_no_run_knows_the_scenes() -> None:
    assert VAL_FROM + load_params(ROOT / "params.yaml").download.shapes.val <= FIRST


def test_the_page_shows_the_networks_masks(tmp_path: Path) -> None:
    page = tmp_path / "demo.html"
    assert write_demo(page) == SCENES
    viewer = viewer_of(page.read_text("utf-8"))
    (shown,) = viewer["sets"]
    assert shown["ids"] == [str(FIRST + place) for place in range(SCENES)]
    masks = {layer["name"]: layer for layer in shown["layers"]}
    scene, model = render_scene(SEED, FIRST + 5, SIDE), load_model(MODEL)
    for name, mask in (("truth", scene.mask), ("dual", model.predict(scene.image))):
        with Image.open(io.BytesIO(base64.b64decode(masks[name]["data"][5]))) as image:
            assert np.array_equal(np.asarray(image), mask)
    assert [path.name for path in tmp_path.iterdir()] == ["demo.html"]
