"""A refused params.yaml is mended by what the message says: the command, the lines to add."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides, to_hydra_overrides
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline.base.errors import UserError
from pipeline.settings.mending import KEYS, as_override
from pipeline.settings.params_file import load_params
from tests.repository import ENV, run
from tests.settings import ROOT

PARAMS = Path("params.yaml")
GOOD = (ROOT / "params.yaml").read_text("utf-8")
USERS = GOOD.replace("rows: 4", "rows: 9")  # a change since the commit that must stay
STAGE = "stages:\n  s:\n    cmd: python -m stages.split\n    params: [neck_n]\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A commit of params.yaml; the file in the folder has one more change by the user."""
    monkeypatch.chdir(tmp_path)
    PARAMS.write_text(GOOD, "utf-8")
    run("git", "init", "-q", "-b", "main", cwd=tmp_path)
    run("git", "add", "-A", cwd=tmp_path)
    run("git", "commit", "-qm", "params", cwd=tmp_path)
    PARAMS.write_text(USERS, "utf-8")
    return tmp_path


def complaint() -> str:
    with pytest.raises(UserError) as caught:
        load_params(PARAMS)
    return str(caught.value)


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def overrides_in(said: str) -> list[str]:
    """What the command in a message has for -S, as a shell hands it over."""
    *_, had, command = said.splitlines()
    assert had.startswith("The last commit had ")
    words = shlex.split(command)
    assert words[:3] == ["dvc", "exp", "run"]
    assert set(words[3::2]) == {"-S"}
    return words[4::2]


@pytest.mark.parametrize(
    ("spoilt", "back"),
    [
        (["neck_n=7"], ["neck_n=0"]),
        (["neck_n=7", "train.crop=0"], ["neck_n=0", "train.crop=48"]),
        (["neck_n=true"], ["neck_n=0"]),
        (["data_root=' '"], ["data_root=data/raw"]),
        (["train.iterations=0"], ["train.iterations=null"]),
        (["train.learning_rate=fast"], ["train.learning_rate=0.002"]),
        (["variants=[dual,typo]"], ["variants=[weak,mixed,strong,dual]"]),
        (["proxy.scales=[1.0,0]"], ["proxy.scales=[0.75,1.0,1.25]"]),
        (["ensembles=[dual,dual]"], ["ensembles=[]"]),
        (["train.epochs=5"], ["train.epochs=16"]),
        (["backbone_weights=imagenet"], ["backbone_weights=classifier"]),
        (["+typo=1"], ["~typo"]),
        (["+typo=null"], ["typo=0", "~typo"]),
        (["+train.typo=1", "neck_n=9"], ["~train.typo", "neck_n=0"]),
    ],
    ids=" ".join,
)
def test_the_command_takes_back_what_is_refused_and_leaves_the_rest(
    repository: Path, spoilt: list[str], back: list[str]
) -> None:
    apply_overrides(PARAMS, spoilt)
    assert overrides_in(complaint()) == back
    apply_overrides(PARAMS, back)
    # A value that was longer has pushed the comment behind it to the right.
    assert re.sub(" +#", "  #", PARAMS.read_text("utf-8")) == re.sub(" +#", "  #", USERS)


@pytest.mark.parametrize("spoilt", ["~neck_n", "~machine", "train=3", "cam.optimiser=null"])
def test_the_command_puts_back_what_was_removed(repository: Path, spoilt: str) -> None:
    """Comments that DVC removed with a key are gone; the lines to add have them."""
    apply_overrides(PARAMS, [spoilt])
    apply_overrides(PARAMS, overrides_in(complaint()))
    load_params(PARAMS)
    assert read(PARAMS.read_text("utf-8")) == read(USERS)


def test_every_key_is_taken_back(repository: Path) -> None:
    apply_overrides(PARAMS, [f"{key}=[[x]]" for key in KEYS])
    back = overrides_in(complaint())
    assert [override.partition("=")[0] for override in back] == list(KEYS)
    apply_overrides(PARAMS, back)
    assert read(PARAMS.read_text("utf-8")) == read(GOOD)


def test_the_real_command_after_a_real_failure(repository: Path) -> None:
    """Without files to work on, the stage still fails; params.yaml is as it was."""
    run("dvc", "init", "-q", cwd=repository)
    (repository / "dvc.yaml").write_text(STAGE, "utf-8")
    run("git", "add", "-A", cwd=repository)
    run("git", "commit", "-qm", "with DVC", "--", "dvc.yaml", ".dvc", cwd=repository)
    env = ENV | {"PYTHONPATH": str(ROOT)}
    command: Any = ["dvc", "exp", "run", "-S", "neck_n=7"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert "neck_n: should be less than or equal to 3, not 7" in said
    command = re.search(r"^  (dvc exp run .*)$", said, re.MULTILINE)
    assert command is not None
    subprocess.run(command[1], shell=True, env=env, capture_output=True, check=False)
    assert PARAMS.read_text("utf-8") == USERS


@pytest.mark.parametrize("missing", ["git", "commit", "key", "YAML"])
def test_without_a_last_commit_the_message_ends_before(
    repository: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    if missing == "git":
        monkeypatch.setenv("PATH", "")
    elif missing == "commit":
        run("git", "update-ref", "-d", "HEAD", cwd=repository)
    else:
        PARAMS.write_text("neck_n: 7\n" if missing == "key" else "neck_n: [", "utf-8")
        run("git", "commit", "-qam", "another", cwd=repository)
        PARAMS.write_text(USERS, "utf-8")
    apply_overrides(PARAMS, ["neck_n=7"])
    assert complaint() == "params.yaml: neck_n: should be less than or equal to 3, not 7"


def test_another_file_has_no_last_commit(repository: Path) -> None:
    apply_overrides(PARAMS, ["neck_n=7"])
    with pytest.raises(UserError) as caught:
        load_params(repository / "params.yaml")
    assert "commit" not in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda values: st.lists(values, max_size=3),
        max_leaves=4,
    )
)
def test_values_are_read_as_they_are_meant(value: Any) -> None:
    (read_back,) = to_hydra_overrides([f"key={as_override(value)}"])
    assert read_back.value() == value


# --- files of earlier versions --------------------------------------------------------------------


def earlier() -> str:
    """A file in which machine and extras were parts of engine and train."""
    text = re.sub(r"(?m)^(machine|extras):.*\n(  .*\n)+", "", GOOD)
    moved = "engine:\n  processes: 4\n  workers: 0\n  tensorboard: false\n"
    text = re.sub(r"(?m)^engine:.*\n", moved, text)
    return text.replace("\nevaluate:", "\n  extras:\n    ema_decay: 0.9\nevaluate:")


@pytest.mark.parametrize("known", ["last commit", "recipes"])
def test_a_file_of_an_earlier_version_is_mended_in_one_go(repository: Path, known: str) -> None:
    PARAMS.write_text(earlier(), "utf-8")
    if known == "recipes":
        run("git", "commit", "-qam", "an earlier version", cwd=repository)
    said = complaint()
    for old, new in (
        *((f"engine.{key}", f"machine.{key}") for key in ("processes", "workers", "tensorboard")),
        ("train.extras", "extras"),
    ):
        assert f"{old}: unknown key; remove it, its place is {new}\n" in said
    added = re.search(r"(?m)^Lines to add, with the values of .*:\n((?:(?!The last).*\n?)+)", said)
    assert added is not None
    assert re.findall(r"(?m)^\w+:  # ", added[1]) == ["machine:  # ", "extras:  # "]
    text = re.sub(r"  (processes|workers|tensorboard):.*\n", "", earlier())
    text = text.replace("\n  extras:\n    ema_decay: 0.9", "")
    PARAMS.write_text(text + added[1], "utf-8")
    assert load_params(PARAMS).machine.processes == 1
    assert ("dvc exp run" in said) == (known == "last commit")


def test_lines_to_add_come_from_the_most_similar_file(tmp_path: Path) -> None:
    for recipe in (ROOT / "recipes").glob("*.yaml"):
        text = recipe.read_text("utf-8")
        path = tmp_path / "mine.yaml"
        path.write_text(re.sub(r"(?m)^  crop:.*\n", "", text), "utf-8")
        with pytest.raises(UserError) as caught:
            load_params(path)
        (line,) = re.findall(r"(?m)^  crop:.*$", text)
        assert str(caught.value).endswith(
            f"with the values of recipes/{recipe.name}:\ntrain:\n{line}"
        )
