"""How to mend a refused params.yaml: the lines it lacks, the command that takes values back."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import ErrorDetails
from ruamel.yaml import YAML

from pipeline.settings.params import Block, Params
from pipeline.settings.paths import PARAMS
from pipeline.settings.registry import ROOT

ABSENT = object()
WORD = re.compile(r"[a-z_][\w-]*", re.IGNORECASE | re.ASCII)
BARE = re.compile(r"(?!(?:true|false|null|inf|nan)$)[a-z_][\w./+-]*", re.IGNORECASE | re.ASCII)
SHOWN = 3  # values that the message shows; the command has them all


def keys_of(block: type[Block], above: str = "") -> Iterator[str]:
    """Every key of a block that holds a value, dotted as `dvc exp run -S` takes it."""
    for name, field in block.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Block):
            yield from keys_of(kind, f"{above}{name}.")
        else:
            yield above + name


KEYS = tuple(keys_of(Params))


def missing_keys(errors: list[ErrorDetails]) -> list[str]:
    """The keys that are missing, those of a missing block one by one."""
    missing = [dotted(error) for error in errors if error["type"] == "missing"]
    return [key for key in KEYS if any(f"{key}.".startswith(f"{name}.") for name in missing)]


def what_to_add(values: dict[str, Any], path: Path, missing: list[str]) -> list[str]:
    """The lines of missing keys, from the file with all of them that has most values in common.

    That is a recipe of this version, or what the last commit has. Empty where nothing is missing.
    """
    texts = {"the last commit": committed(path)} if missing else {}
    for recipe in sorted((ROOT / "recipes").glob("*.yaml")) if missing else ():
        texts[f"recipes/{recipe.name}"] = recipe.read_text("utf-8")
    likeness = {
        name: _likeness(_read(text), values)
        for name, text in texts.items()
        if {*missing} <= {*lines_by_key(text)}
    }
    if not likeness:
        return []
    name = max(likeness, key=lambda name: likeness[name])
    wanted = {
        key: lines
        for key, lines in lines_by_key(texts[name]).items()
        if any(f"{lacking}.".startswith(f"{key}.") for lacking in missing)
    }
    there = [f"`{key}:`" for key in wanted if value_of(values, key) is not ABSENT]
    hint = f" (below the {' and '.join(there)} that is there)" if there else ""
    lines = [line for lines in wanted.values() for line in lines]
    return [f"Lines to add{hint}, with the values of {name}:", *lines]


def lines_by_key(text: str) -> dict[str, list[str]]:
    """The lines of each key and block in a file of DVC's form, with the comment above them."""
    found: dict[str, list[str]] = {}
    path: list[str] = []
    above: list[str] = []
    for line in text.splitlines():
        word = line.strip()
        if not word:
            above = []
        elif word.startswith("#"):
            above.append(line)
        elif word.startswith("- ") and path:
            found[".".join(path)].append(line)
        else:
            path = [*path[: (len(line) - len(line.lstrip())) // 2], word.partition(":")[0]]
            found[".".join(path)] = [*above, line]
            above = []
    return found


def way_back(
    values: dict[str, Any], path: Path, errors: list[ErrorDetails], said: str
) -> list[str]:
    """The command that takes refused keys back to the last commit and leaves all others.

    Args:
        values: what the params file holds.
        path: of that file.
        errors: what is wrong with it.
        said: the same in words, which name the keys that could be to blame.

    Returns:
        Two lines; empty where the last commit had the same, or there is none.
    """
    before = _read(committed(path))
    had, overrides = [], []
    for error in errors if before else ():
        key, is_key = dotted(error), all(WORD.fullmatch(str(part)) for part in error["loc"])
        if error["type"] == "model_type":  # a value where a block should be
            overrides.append(f"{key}={{}}")
        elif error["type"] == "extra_forbidden" and is_key and value_of(before, key) is ABSENT:
            had.append(f"no key {key}")
            overrides += [f"{key}=0"] if error["input"] is None else []  # Hydra removes no null
            overrides.append(f"~{key}")
    for key in KEYS:
        old, now = value_of(before, key), value_of(values, key)
        if old is not ABSENT and repr(old) != repr(now) and _names(said, key):
            had.append(f"{key}={as_override(old)}")
            overrides.append(("+" if now is ABSENT else "") + had[-1])
    if not had:
        return []
    more = f" and {len(had) - SHOWN} more" if had[SHOWN:] else ""
    return [
        f"The last commit had {', '.join(had[:SHOWN])}{more}; this goes back to it and leaves all "
        "other keys:",
        f"  dvc exp run {' '.join(f'-S {shlex.quote(override)}' for override in overrides)}",
    ]


def as_override(value: object) -> str:
    """A value as `dvc exp run -S` reads it.

    >>> as_override(["dual+ema", 0.5, None, "12"])
    "[dual+ema,0.5,null,'12']"
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(as_override, value))}]"
    if isinstance(value, str) and not BARE.fullmatch(value):
        return "'" + re.sub(r"(\\*)('|\Z)", lambda m: m[1] * 2 + (m[2] and r"\'"), value) + "'"
    return str(value)


def committed(path: Path) -> str:
    """params.yaml as the last commit has it; empty for another file and where no commit is."""
    command = ["git", "show", f"HEAD:./{PARAMS}"]
    if path != PARAMS:
        return ""
    try:
        return subprocess.run(command, capture_output=True, timeout=10, check=True).stdout.decode()
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""


def value_of(values: Any, key: str) -> Any:
    """What a file's content holds under a dotted key; ABSENT where there is no such key."""
    for name in key.split("."):
        if not isinstance(values, dict) or name not in values:
            return ABSENT
        values = values[name]
    return values


def dotted(error: ErrorDetails) -> str:
    """The key an error is about."""
    return ".".join(map(str, error["loc"]))


def _names(said: str, key: str) -> bool:
    """Whether a message names a key, an entry of its list, or a block that it is in."""
    blocks = [re.escape(key[: dot.start()]) for dot in re.finditer(r"\.", key)]
    named = "|".join([re.escape(key) + r"(?!\w)", *(rf"{block}(?=:)" for block in blocks)])
    return re.search(rf"(?<![\w.])(?:{named})", said) is not None


def _likeness(one: dict[str, Any], other: dict[str, Any]) -> int:
    """In how many keys two files agree."""
    return sum(value_of(one, key) == value_of(other, key) for key in KEYS)


def _read(text: str) -> dict[str, Any]:
    """The content of a params file; empty where the text is not one."""
    try:
        values = YAML(typ="safe", pure=True).load(text)
    except Exception:  # ruamel raises more than its own errors on odd text
        values = None
    return values if isinstance(values, dict) else {}
