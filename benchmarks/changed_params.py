"""Params of a file with some values changed: {"train.iterations": 1}."""

from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

from pipeline.settings.params import Params
from pipeline.settings.params_file import load_params


def changed_params(path: Path, changes: Mapping[str, object]) -> Params:
    """The params of a file, with values changed by their dotted names."""
    values = load_params(path).model_dump()
    for key, value in changes.items():
        *blocks, last = key.split(".")
        block = values
        for name in blocks:
            block = block[name]
        block[last] = value
    return Params.model_validate(values)


def write_params(params: Params, path: Path) -> None:
    """Write them as a file that stages read."""
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(params.model_dump(), file)
