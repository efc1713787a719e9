"""Values for params.yaml from the command line, checked before the file changes."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory

from dvc.exceptions import InvalidArgumentError
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from pipeline.base.errors import UserError
from pipeline.settings.mending import KEYS
from pipeline.settings.params_file import check_params, load_params
from pipeline.settings.paths import PARAMS, resolve_user_path

OPTION = Path("-S")  # how messages begin


def check_settings(settings: Sequence[str]) -> None:
    """Check what `key=value` settings would make of params.yaml, which stays as it is.

    Raises:
        UserError: a value is refused, or the data are not there.
    """
    params = load_params(PARAMS)
    if settings:
        values = YAML(typ="safe", pure=True).load(with_settings(PARAMS, settings))
        params = check_params(values, OPTION)
    data = resolve_user_path(params.data_root)
    if not data.is_dir():
        raise UserError(f"data_root: {data} is no folder; give the one that holds the data set")


def with_settings(path: Path, settings: Sequence[str]) -> str:
    """The text of a params file after `key=value` settings, by the code behind `dvc exp run -S`.

    Raises:
        UserError: a setting is not readable, or there is no such key.
    """
    with TemporaryDirectory() as folder:
        copy = Path(folder, path.name)
        copy.write_bytes(path.read_bytes())
        try:
            apply_overrides(copy, list(settings))
        except InvalidArgumentError as error:
            raise UserError(_refused(settings, error)) from error
        return copy.read_text("utf-8")


def _refused(settings: Sequence[str], error: InvalidArgumentError) -> str:
    """What is wrong with settings that Hydra refuses."""
    for setting in settings:
        key, equals, _ = setting.partition("=")
        if not equals and not key.startswith("~"):
            return f"{OPTION} {setting}: should be KEY=VALUE"
        if key.lstrip("+~") not in KEYS:
            near = get_close_matches(key, KEYS, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; params.yaml has them all"
            return f"{OPTION} {setting}: there is no key {key}{hint}"
    reason = str(error.__cause__).partition("\n")[0]
    return f"{OPTION} {' '.join(settings)}: not readable ({reason})"
