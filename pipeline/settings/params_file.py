"""Reading params.yaml: everything wrong with it is told in one go, before any work starts."""

import reprlib
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from pipeline.base.errors import UserError
from pipeline.settings.mending import dotted, missing_keys, way_back, what_to_add
from pipeline.settings.params import Params, device_text

SHORT = reprlib.Repr()  # a value in a message may be anything YAML can say
SHORT.maxstring = SHORT.maxother = 80


def load_params(path: Path) -> Params:
    """Read and check params.yaml.

    Raises:
        UserError: the file is missing or no YAML, or keys are unknown, missing or impossible; the
            message lists every such key in one go and says how to mend them.
    """
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is not there: run from the repository root") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}," if mark else ""
        reason = error.problem or error.context
        raise UserError(f"{path}{line} is not readable YAML: {reason}") from error
    except Exception as error:  # ruamel raises more than its own errors on odd text
        raise UserError(f"{path} is not readable YAML: {_first_line(error)}") from error
    return check_params(values, path)


def check_params(values: Any, path: Path) -> Params:
    """What a params file holds, as params.

    Raises:
        UserError: keys are unknown, missing or impossible; the message lists every such key.
    """
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold keys and values; copy one from recipes/")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        errors = error.errors()
    missing = missing_keys(errors)
    said = f"{path}: " + "\n  ".join(_explain(entry, missing) for entry in errors)
    mend = [*what_to_add(values, path, missing), *way_back(values, path, errors, said)]
    raise UserError("\n".join([said, *mend]))


def with_device(params: Params, device: str | None) -> Params:
    """Params whose machine.device is that of the option --device, where it was given.

    Raises:
        UserError: it names no device.
    """
    if device is None:
        return params
    machine = params.machine.model_copy(update={"device": read_device(device, "--device")})
    return params.model_copy(update={"machine": machine})


def read_device(text: str, key: str) -> str:
    """The name of a device, as an option or a call has it.

    Raises:
        UserError: it names none; the message names the `key`.
    """
    try:
        return device_text(text)
    except ValueError as error:
        raise UserError(f"{key}: {error}, not {SHORT.repr(text)}") from None


def _explain(entry: ErrorDetails, missing: list[str]) -> str:
    """One line for one pydantic error: the key, what is wrong, what was given."""
    key = dotted(entry)
    if entry["type"] == "extra_forbidden":
        for other in missing:  # earlier versions had some keys elsewhere
            block, found, _ = f".{other}.".partition(f".{entry['loc'][-1]}.")
            if found:
                place = f"{block}{found}".strip(".")
                return f"{key}: unknown key; remove it, its place is {place}"
        return f"{key}: unknown key; remove it or correct its name"
    if entry["type"] == "missing":
        return f"{key}: missing"
    if entry["type"] == "model_type":
        return f"{key}: should be a block of keys, not {SHORT.repr(entry['input'])}"
    if entry["type"] == "value_error":
        said = str(entry["ctx"]["error"])
        return f"{key}: {said}, not {SHORT.repr(entry['input'])}" if key else said
    message = entry["msg"].removeprefix("Input ")
    return f"{key}: {message}, not {SHORT.repr(entry['input'])}"


def _first_line(error: Exception) -> str:
    """What an exception says, on one line."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
