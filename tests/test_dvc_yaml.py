"""dvc.yaml says the truth: stages list the rooms they use, params that exist, and no more."""

import ast
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.runs.work_key import code_of
from pipeline.settings.params import Params
from pipeline.settings.registry import BACKBONES, DATASETS, GENERATORS
from tests.imports import import_closure
from tests.settings import ROOT, small_params

STAGES = [
    *("needs", "download", "seeds", "dsrg", "teacher", "proxy", "split", "train"),
    *("evaluate", "evaluate_dsrg", "ensemble", "package", "report"),
]
# Modules that import others by a name in params.yaml, which no import statement shows. Those that
# load backbones stand last: a generator may need one.
LOADED_BY_NAME = {
    "pipeline/datasets/reading/download.py": DATASETS,
    "pipeline/weak/proxy/proxy.py": GENERATORS,
    "pipeline/networks/backbone.py": BACKBONES,
}
# What a stage may import without listing it, and why it cannot change the stage's results. An
# entry is a module or a room; everything else that is imported and not listed is an error.
UNLISTED = {
    "pipeline/__init__.py": "the version, which records name and no result",
    "pipeline/base": "how a process behaves: errors, stops, whole files, locks; it makes no value",
    "pipeline/runs": "shows and resumes; a resumed run ends in the same bytes (test_kills.py)",
    "pipeline/report": "a page that is no output, beside stage proxy",
    "pipeline/settings/params.py": "checks values; those that a stage reads are in its params",
    "pipeline/settings/params_file.py": "reads params.yaml as it stands, or refuses it",
    "pipeline/settings/needs.py": "what a run needs stands in data/needs, which is listed",
    "pipeline/settings/mending.py": "messages about a refused params.yaml",
    "pipeline/settings/paths.py": "names of folders; what lies in them is listed",
    "pipeline/settings/registry.py": "finds a module by its name, which is in the params",
    "pipeline/settings/variants.py": "what a variant is stands in its plan, which is listed",
    "stages/command.py": "options and errors of every script",
    "stages/processes.py": "starts processes; the results do not depend on their number",
    "stages/machine_errors.py": "messages",
    "stages/place.py": "says which stage of how many begins",
}


@cache
def dvc_yaml() -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))


def is_empty(file: str) -> bool:
    """Whether a module is a docstring and nothing else."""
    body = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    return len(body) <= 1 and all(isinstance(node, ast.Expr) for node in body)


@cache
def closure_of(stage: str) -> frozenset[str]:
    """Every module that a stage imports, directly or not, by any name in params.yaml."""
    closure = import_closure(f"stages.{stage}", ROOT)
    for loader, kind in LOADED_BY_NAME.items():
        if loader in closure:
            closure |= set().union(*(import_closure(kind.path(n), ROOT) for n in kind.names()))
    return frozenset(file for file in closure if not is_empty(file))


def listed_by(stage: str) -> dict[str, set[str]]:
    """The modules of each entry of a stage's code; a name from params.yaml stands for all."""
    listed = {}
    for dep in dvc_yaml()["stages"][stage]["deps"]:
        if dep.startswith(("pipeline/", "stages/")):
            pattern = dep.replace("${backbone}", "*").replace("${dataset}", "*")
            pattern = pattern.replace("${item.generator}", "*")
            found: set[Path] = set()
            for path in ROOT.glob(pattern):
                found |= set(path.rglob("*.py")) if path.is_dir() else {path}
            listed[dep] = {path.relative_to(ROOT).as_posix() for path in found}
    return listed


def test_the_stages_are_those_of_the_design() -> None:
    assert list(dvc_yaml()["stages"]) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_imports_is_listed_or_cannot_change_results(stage: str) -> None:
    covered = set().union(*listed_by(stage).values())
    for file in sorted(closure_of(stage) - covered):
        excused = file in UNLISTED or any(file.startswith(f"{room}/") for room in UNLISTED)
        assert excused, f"{stage} imports {file}: list its room in dvc.yaml"


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_lists_it_imports(stage: str) -> None:
    closure = closure_of(stage)
    if stage == "needs":  # it searches their sources for STAGES
        closure |= listed_by(stage)["pipeline/generators"]
    for dep, files in listed_by(stage).items():
        assert files & closure, f"{stage} lists {dep} and imports nothing of it"


def test_every_excuse_is_needed() -> None:
    """An entry of UNLISTED that nothing needs would hide the next module of its name."""
    for entry in UNLISTED:
        users = [
            stage
            for stage in STAGES
            if any(
                file == entry or file.startswith(f"{entry}/")
                for file in closure_of(stage) - set().union(*listed_by(stage).values())
            )
        ]
        assert users, entry


def test_dvc_yaml_is_a_table_of_contents() -> None:
    assert len((ROOT / "dvc.yaml").read_text(encoding="utf-8").splitlines()) <= 450
    assert len((ROOT / "dvc.lock").read_text(encoding="utf-8").splitlines()) <= 2600


@pytest.mark.parametrize("stage", STAGES)
def test_stopped_work_belongs_to_the_code_its_stage_lists(stage: str) -> None:
    """So an edit of the report keeps stopped trainings."""
    code = code_of(stage, small_params())
    assert len(code) == len(listed_by(stage))
    assert all((ROOT / dep).exists() for dep in code)
    assert ("pipeline/report" in code) == (stage == "report")


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


def test_a_training_takes_neck_n_extras_and_proxies_from_its_plan() -> None:
    """So only the variants that a change concerns are trained again."""
    stages = dvc_yaml()["stages"]
    assert not {"neck_n", "extras", "variants"} & set(stages["train"]["params"])
    assert {"neck_n", "extras", "variants"} <= set(stages["split"]["params"])
    assert not [dep for dep in stages["train"]["deps"] if dep.startswith("data/proxy")]
    assert "data/proxy" in stages["split"]["deps"]


def test_no_stage_knows_of_the_machine() -> None:
    """`machine` changes no result, and records of runs are neither deps nor outs."""
    for name, stage in dvc_yaml()["stages"].items():
        assert not [key for key in stage.get("params", []) if key.startswith("machine")], name
        assert not [path for path in stage["deps"] if "records" in path], name
        assert not [path for path in stage["outs"] if "records" in str(path)], name


def test_metrics_and_plots_stand_at_the_top_level() -> None:
    whole = dvc_yaml()
    assert whole["metrics"]
    assert whole["plots"]
    assert not [name for name, stage in whole["stages"].items() if {"metrics", "plots"} & {*stage}]


def test_train_keeps_only_cached_outputs() -> None:
    """One `cache: false` output would turn DVC's run cache off for the stage (docs of DVC)."""
    for stage in ("seeds", "dsrg", "teacher", "proxy", "train"):
        assert all(isinstance(out, str) for out in dvc_yaml()["stages"][stage]["outs"])
