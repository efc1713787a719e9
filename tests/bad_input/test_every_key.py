"""Every key of params.yaml refuses wrong types, impossible numbers and unknown neighbours."""

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.base.errors import UserError
from pipeline.runs.work_key import flat
from pipeline.settings.params_file import check_params
from tests.settings import put, raw_values

GOOD = raw_values()
TRAININGS = ("train", "cam.optimiser", "dsrg.optimiser")  # blocks that say how long one is

# What is past either end of what a key takes, for the keys where a type alone does not say it.
ENDS: dict[str, tuple[Any, ...]] = {
    "neck_n": (-1, 4),
    "download.shapes.size": (31, 513),
    "train.batch_size": (1, 3),
    "seed": (-1, 10**10),
    "seeds": ([], [-1], [0, 0]),
    "ensembles": (["strong"], ["nobody"]),
    "variants": ([], ["nobody"], ["dual", "dual"]),
    "dsrg.dilations": ([], [0]),
    "proxy.scales": ([], [0.0]),
    "dataset": ("", "imagenet"),
    "backbone": ("", "resnet50"),
    "proxy.generators": ([], ["sam"], ["dsrg", "dsrg"]),
    "timm.model": ("", "resnet 50", "hf-hub:timm/resnet50", "a/b"),
    "timm.output_stride": (7, 33),
    "data_root": ("", "a\0b"),
    "backbone_weights": ("", "a\0b"),
    "cam.saliency": ("", "a\0b"),
    "machine.device": ("", "gpu", "CPU", "cuda:", "cuda:-1", "mps:0", "cpu\n"),
    "engine.precision": ("fp16",),
    "engine.tf32": ("yes",),
    "engine.compile": (1,),
    "cam.optimiser.method": ("adamw",),
    "dsrg.optimiser.method": ("adamw",),
    "split.strong": (0, -1, 10**10),
    "download.folder.folds": (1, -1, 101),
    **{f"{block}.iterations": (0, -1, 10**10) for block in TRAININGS},
    "cam.scales": ([], [0.0], [-1.0], ["1"]),
    "cam.flip": (1,),
    "dsrg.grow_on": ("posterior",),
    "dsrg.exact_crf": (1,),
}
MAY_BE_NULL = {
    *("cam.saliency", "download.folder.folds", "split.strong"),
    *(f"{block}.iterations" for block in TRAININGS),
}


def blocks(block: dict[str, Any], above: str = "") -> Iterator[str]:
    """Every block of keys, as the dotted beginning of its keys."""
    yield above
    for key, value in block.items():
        if isinstance(value, dict):
            yield from blocks(value, f"{above}{key}.")


def mistakes() -> Iterator[tuple[str, Any]]:
    """For every key values that it cannot have."""
    for key, value in flat(GOOD):
        yield key, {"a": 1}
        yield key, 1.5 if value is None or isinstance(value, str | list | bool) else "text"
        if key not in MAY_BE_NULL:
            yield key, None
        if key in ENDS:
            yield from ((key, end) for end in ENDS[key])
        elif isinstance(value, int):
            yield from ((key, end) for end in (-1, 10**10, 0.5))
        else:
            assert isinstance(value, float), f"{key} wants a line in ENDS"
            yield from ((key, end) for end in (-1.0, float("inf"), float("nan"), "0,5"))


def said(values: dict[str, Any]) -> str:
    """The message, without the file's name."""
    with pytest.raises(UserError) as caught:
        check_params(values, Path("mine.yaml"))
    assert str(caught.value).startswith("mine.yaml: ")
    return str(caught.value).removeprefix("mine.yaml: ")


@pytest.mark.parametrize("key", [key for key, _ in flat(GOOD)])
def test_values_a_key_cannot_have(key: str) -> None:
    for name, value in mistakes():
        if name == key:
            message = said(put(deepcopy(GOOD), {key: value}))
            assert message.startswith(key), (value, message)
            assert len(message.splitlines()) == 1


@pytest.mark.parametrize("block", list(blocks(GOOD)))
def test_keys_a_block_does_not_have(block: str) -> None:
    values = deepcopy(GOOD)
    inner = values
    for name in block.split(".")[:-1]:
        inner = inner[name]
    inner["unknown"] = 1
    message = said(values)
    assert message == f"{block}unknown: unknown key; remove it or correct its name"


@pytest.mark.parametrize("key", [key for key, _ in flat(GOOD)])
def test_keys_that_are_missing(key: str) -> None:
    values = deepcopy(GOOD)
    *above, last = key.split(".")
    inner = values
    for name in above:
        inner = inner[name]
    del inner[last]
    first, heading, *lines = said(values).splitlines()
    assert first == f"{key}: missing"
    assert re.search(r"^Lines to add.*with the values of recipes/[\w-]+\.yaml:$", heading)
    assert [name for name, _ in flat(YAML(typ="safe").load("\n".join(lines)))] == [key]
