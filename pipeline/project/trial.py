"""A training on other lists than the run's, without DVC, in a folder that shares the run's data."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ruamel.yaml import YAML

from pipeline.base.errors import UserError
from pipeline.data.pairs import proxies_hash
from pipeline.data.plan import write_plans
from pipeline.settings.params import Params
from pipeline.settings.paths import (
    DATASET,
    DSRG,
    PARAMS,
    PROXY,
    SEEDS,
    SPLIT,
    resolve_user_path,
    result_file,
)
from pipeline.settings.registry import ROOT
from pipeline.split.split import plan_of, start_digest

SHARED = (DATASET, SEEDS, DSRG, PROXY)


def score(
    params: Params,
    folder: Path,
    variant: str,
    lists: tuple[Sequence[str], Sequence[str]],
    seed: int,
    steps: int,
) -> float:
    """Train and score one network; the same call resumes a training that was stopped.

    Args:
        params: of the finished run in the current folder.
        folder: where the training happens.
        variant: a name of the run's kind.
        lists: ids with masks to train on, and ids whose proxies stand in for masks.
        seed: of the training.
        steps: of the training, whatever the lists are.

    Returns:
        mIoU on val in percent.

    Raises:
        UserError: a stage failed, and has said why.
    """
    (folder / DATASET.parent).mkdir(parents=True, exist_ok=True)
    for path in SHARED:
        if path.exists() and (folder / path).resolve() != path.resolve():
            (folder / path).unlink(missing_ok=True)  # the project was moved or copied
            (folder / path).symlink_to(path.resolve())
    write_params(params, folder, variant, seed, steps)
    strong, weak = map(list, lists)
    plan = plan_of(variant, params, (strong, weak))
    plan = replace(plan, proxies=proxies_hash(plan), start=start_digest(params))
    shutil.rmtree(folder / SPLIT, ignore_errors=True)
    (folder / SPLIT).mkdir()
    write_plans(folder / SPLIT, [plan])
    for stage in (["train", variant, str(seed)], ["evaluate", variant]):
        command = [sys.executable, "-m", f"stages.{stage[0]}", *stage[1:]]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=folder, env=environment, check=False)
        if done.returncode:
            ended = UserError(f"{' '.join(stage)} ended with exit code {done.returncode}")
            ended.exit_code = done.returncode
            raise ended
    path = folder / result_file(params.dataset, "seeds", variant)
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    return float(row["miou"])


def write_params(params: Params, folder: Path, variant: str, seed: int, steps: int) -> None:
    """The run's params for this training alone; relative paths would lead elsewhere."""
    values = params.model_dump()
    values |= {"variants": [variant], "seeds": [seed], "ensembles": []}
    values["train"]["iterations"] = steps
    values["data_root"] = str(resolve_user_path(params.data_root))
    weights = resolve_user_path(params.backbone_weights)
    if weights.is_file():
        values["backbone_weights"] = str(weights)
    with (folder / PARAMS).open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(values, file)
