"""dvc.yaml says the truth: every stage lists the modules it imports and params that exist."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.params import Params, Train
from pipeline.registry import BACKBONES, DATASETS, GENERATORS
from tests.imports import import_closure

ROOT = Path(__file__).parent.parent
STAGES = [
    *("download", "seeds", "dsrg", "proxy", "split", "train"),
    *("evaluate", "evaluate_dsrg", "ensemble", "package", "report"),
]
# Modules that import others by a name in params.yaml, which no import statement tells. Those that
# load backbones stand last: a generator may want one.
LOADED_BY_NAME = {
    "pipeline/download.py": DATASETS,
    "pipeline/proxy.py": GENERATORS,
    "pipeline/backbones/__init__.py": BACKBONES,
}


def dvc_yaml() -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))


def test_the_stages_are_those_of_the_design() -> None:
    assert list(dvc_yaml()["stages"]) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_import_closure(stage: str) -> None:
    listed = [
        re.sub(r"\$\{[\w.]+\}", "*", dep)  # the one module that params.yaml names
        for dep in dvc_yaml()["stages"][stage]["deps"]
        if dep.startswith(("pipeline", "stages"))
    ]
    covered: set[str] = set()
    for dep in listed:
        path = ROOT / dep
        files = path.rglob("*.py") if path.is_dir() else ROOT.glob(dep)
        covered |= {file.relative_to(ROOT).as_posix() for file in files}
    empty = {"pipeline/__init__.py", "stages/__init__.py"}
    closure = import_closure(f"stages.{stage}", ROOT)
    for loader, kind in LOADED_BY_NAME.items():
        if loader in closure:
            modules = [f"{kind.package}.{name}" for name in kind.names()]
            closure |= set().union(*(import_closure(module, ROOT) for module in modules))
    assert closure - covered - empty == set(), "imported, but not listed in dvc.yaml"
    folders = tuple(f"{dep}/" for dep in listed if (ROOT / dep).is_dir())
    extra = {file for file in covered - closure if not file.startswith(folders)}
    assert extra == set(), "listed in dvc.yaml, but not imported"


@pytest.mark.parametrize("stage", STAGES)
def test_stage_has_a_description_and_a_module_command(stage: str) -> None:
    entry = dvc_yaml()["stages"][stage]
    assert entry["desc"]
    assert entry["cmd"].startswith(f"python -m stages.{stage}")


@pytest.mark.parametrize("stage", STAGES)
def test_params_exist(stage: str) -> None:
    for key in dvc_yaml()["stages"][stage].get("params", []):
        model: Any = Params
        for part in key.split("."):
            assert part in model.model_fields, f"{stage} lists the unknown param {key}"
            model = model.model_fields[part].annotation


def test_train_reads_extras_from_its_plan_alone() -> None:
    """So that another value of an extra trains the variants again that have it."""
    stages = dvc_yaml()["stages"]
    listed = {p for p in stages["train"]["params"] if p.split(".")[0] == "train"}
    assert listed == {f"train.{key}" for key in Train.model_fields if key != "extras"}
    assert "train.extras" in stages["split"]["params"]


def test_train_keeps_only_cached_outputs() -> None:
    """One `cache: false` output would turn DVC's run cache off for the stage (docs of DVC)."""
    for stage in ("seeds", "dsrg", "proxy", "train"):
        assert all(isinstance(out, str) for out in dvc_yaml()["stages"][stage]["outs"])
