"""What can be named in params.yaml is found by its file, and nothing else is."""

import subprocess
import sys

import pytest

from pipeline.settings.registry import BACKBONES, DATASETS, GENERATORS, Kind

KNOWN = {
    DATASETS: ("coco", "folder", "shapes", "voc"),
    BACKBONES: (
        *("efficientnet_lite0", "efficientnet_lite0_os16", "resnet101", "squeezenet1_0"),
        *("timm", "vgg16", "vgg16_narrow"),
    ),
    GENERATORS: ("dsrg", "files", "self"),
}


@pytest.mark.parametrize("kind", KNOWN, ids=lambda kind: kind.module)
def test_names_are_the_modules_with_the_function(kind: Kind) -> None:
    assert kind.names() == KNOWN[kind]
    for name in kind.names():
        module = kind.load(name)
        assert callable(getattr(module, kind.function))
        assert kind.defines(name, "imagenet") == hasattr(module, "imagenet")


@pytest.mark.parametrize("name", ["common", "rendered", "", "__init__", "os", "voc.prepare", "VOC"])
def test_what_is_no_data_set_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(ValueError, match=r"^should be 'coco', 'folder', 'shapes' or 'voc'$"):
        DATASETS.check(name)
    with pytest.raises(ValueError, match=r"^should be"):
        DATASETS.load(name)


def test_a_refused_name_comes_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"^should be 'dsrg', 'files' or 'self'$"):
        GENERATORS.check("sam")


def test_a_constant_is_read_without_importing() -> None:
    assert GENERATORS.constant("dsrg", "STAGES") == ("seeds", "dsrg")
    assert GENERATORS.constant("files", "STAGES") == GENERATORS.constant("files", "OTHER") == ()


def test_names_are_known_without_torch() -> None:
    """Reading params.yaml takes a tenth of a second; torch alone would take more than one."""
    code = (
        "import sys, pipeline.settings.params; print({'torch', 'numpy', 'scipy'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
