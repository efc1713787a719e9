"""Exports against the network, in onnxruntime and torch, for every backbone."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.base.errors import UserError
from pipeline.model import export as module
from pipeline.model.export import Exported, check, export, reference
from pipeline.model.model_file import KEY, ModelInfo
from pipeline.settings.registry import BACKBONES
from tests.models import NAMES, small_info, small_network
from tests.settings import ROOT

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    worst = export(small_info(), small_network(), folder, ("onnx", "torch"))
    assert set(worst) == {"model.onnx", "model.pt2"}
    assert max(worst.values()) <= module.TOLERANCE
    return folder


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 5, 3), (1, 161, 97), (3, 40, 64)])
def test_onnx_is_the_network_at_any_size(exported: Path, size: tuple[int, int, int]) -> None:
    images = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(exported / "model.onnx")
    probabilities, mask = session.run(["probabilities", "mask"], {"images": images})
    wanted = reference(small_network(), images)
    np.testing.assert_allclose(probabilities, wanted, rtol=0, atol=module.TOLERANCE)
    assert mask.shape == size
    assert (mask == wanted.argmax(axis=1)).mean() > 0.99
    if size[1] > 8:
        assert wanted.max() - wanted.min() > 0.3  # or it would say little


def test_onnx_says_what_it_is(exported: Path) -> None:
    session = onnxruntime.InferenceSession(exported / "model.onnx")
    (images,) = session.get_inputs()
    assert (images.name, images.shape) == ("images", ["batch", "height", "width", 3])
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["classes"]) == list(NAMES)
    assert json.loads(properties["palette"])[1] == [128, 0, 0]
    assert ModelInfo.model_validate_json(properties[KEY]) == small_info()


def test_the_torch_program_holds_the_description(exported: Path) -> None:
    extra = {KEY: ""}
    program = torch.export.load(exported / "model.pt2", extra_files=extra)
    assert ModelInfo.model_validate_json(extra[KEY]) == small_info()
    assert not [name for name in program.state_dict if "branches.1" in name]


@pytest.mark.parametrize(
    "backbone",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name == "resnet101"))
        for name in BACKBONES.names()
        if name != "timm"  # which is in tests/pipeline/backbones/test_timm.py
    ],
)
def test_the_exported_module_is_the_network(backbone: str) -> None:
    """Before any exporter: the way back to the image's size is that of `network.upsample`."""
    network = small_network(backbone)
    wrapped = Exported(network)
    assert check(network, lambda images: run(wrapped, images), "wrapped") <= 1e-6


def run(wrapped: Exported, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    probabilities, mask = wrapped(torch.from_numpy(images))
    return probabilities.numpy(), mask.numpy()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "formats"),
    [
        ("efficientnet_lite0", ("onnx",)),
        ("resnet101", ("onnx",)),
        ("squeezenet1_0", ("onnx", "torch")),
        ("vgg16", ("onnx",)),
    ],
)
def test_every_backbone_exports(backbone: str, formats: tuple[str, ...], tmp_path: Path) -> None:
    worst = export(small_info(backbone), small_network(backbone), tmp_path, formats)
    assert len(worst) == len(formats)
    assert max(worst.values()) <= module.TOLERANCE


def test_a_difference_is_refused() -> None:
    network = small_network()
    wrapped = Exported(network)

    def off(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probabilities, mask = run(wrapped, images)
        return probabilities + 2e-4, mask

    def other(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probabilities, mask = run(wrapped, images)
        return probabilities, (mask + 1) % len(NAMES)

    for wrong in (off, other):
        with pytest.raises(UserError, match=r"model.onnx is not written: .* 1e-04 is allowed"):
            check(network, wrong, "model.onnx")


def test_without_its_packages_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"onnxscript: pip install --editable '.\[export\]'"):
        export(small_info(), small_network(), Path("none"), ("onnx",))


def test_the_card_s_lines_run_without_this_project(exported: Path, tmp_path: Path) -> None:
    """As a user of onnxruntime would: in a process and a folder of their own."""
    from PIL import Image

    (tmp_path / "model.onnx").write_bytes((exported / "model.onnx").read_bytes())
    Image.new("L", (62, 44), 90).save(tmp_path / "photograph.jpg")
    use = module.use_of(small_info(longest_side=31))
    code = use.split("this project:\n")[1].split("With torch")[0]
    lines = "\n".join(line.removeprefix("    ") for line in code.splitlines())
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"{lines}\nprint(mask.shape)"],
        cwd=tmp_path, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.stdout == "(1, 22, 31)\n", done.stderr
    assert str(ROOT) not in code
