"""Which stages a run needs, and what a stage leaves that is not needed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.settings import registry
from pipeline.settings.needs import leave_out, leave_out_results, needed_by, write_needs
from pipeline.settings.registry import ROOT, stages_of
from tests.settings import small_params


@pytest.fixture(autouse=True)
def found_anew() -> Iterator[None]:
    """Names that a test's own modules add are forgotten after it."""
    yield
    registry.names_defining.cache_clear()


@pytest.mark.parametrize(
    ("generators", "weights", "needed"),
    [
        (["dsrg"], "none", {"seeds": ["dsrg"], "dsrg": ["dsrg"], "teacher": []}),
        (["self"], "none", {"seeds": [], "dsrg": [], "teacher": ["self"]}),
        (["files"], "none", {"seeds": [], "dsrg": [], "teacher": []}),
        (["self"], "classifier", {"seeds": ["backbone_weights"], "dsrg": [], "teacher": ["self"]}),
        (
            ["files", "self", "dsrg"],
            "none",
            {"seeds": ["dsrg"], "dsrg": ["dsrg"], "teacher": ["self"]},
        ),
    ],
)
def test_needs(
    generators: list[str], weights: str, needed: dict[str, list[str]], tmp_path: Path
) -> None:
    params = small_params(**{"proxy.generators": generators, "backbone_weights": weights})
    assert needed_by(params) == needed
    write_needs(params, tmp_path)
    for stage, users in needed.items():
        assert (tmp_path / f"{stage}.txt").read_text("utf-8") == ("yes\n" if users else "no\n")


@pytest.mark.parametrize(
    ("line", "stages"),
    [
        ("STAGES = ()", ()),
        ('STAGES: tuple[str, ...] = ("teacher",)', ("teacher",)),
        ('STAGES = ("dsrg",)', ("seeds", "dsrg")),  # which grows what stage seeds places
    ],
)
def test_stages_of_a_generator_of_one_s_own(
    line: str, stages: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_generator(line, tmp_path, monkeypatch)
    assert stages_of("mine") == stages


def test_a_stage_that_makes_no_proxies_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_generator('STAGES = ("seed",)', tmp_path, monkeypatch)
    with pytest.raises(
        ValidationError, match=r"generators/mine\.py names 'seed': it may hold seed"
    ):
        small_params(**{"proxy.generators": ["mine"]})


def test_no_generator_with_a_teacher_in_folds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_generator('STAGES = ("teacher",)', tmp_path, monkeypatch)
    folds = {"dataset": "folder", "download.folder.folds": 2, "seeds": [0, 1]}
    with pytest.raises(ValidationError, match="network of generator mine is trained on all masks"):
        small_params(**{**folds, "proxy.generators": ["mine"]})


def own_generator(line: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator `mine`, whose module has this line, beside those of the project."""
    for kind in ("backbones", "datasets", "generators"):
        shutil.copytree(ROOT / "pipeline" / kind, root / "pipeline" / kind)
    text = f"{line}\n\n\ndef load(params, manifest):\n    pass\n"
    (root / "pipeline/generators/mine.py").write_text(text, "utf-8")
    monkeypatch.setattr(registry, "ROOT", root)
    registry.names_defining.cache_clear()


def test_another_generator_changes_no_other_stage_s_file(tmp_path: Path) -> None:
    written = []
    for generators in (["dsrg"], ["dsrg", "self"], ["self", "files", "dsrg"]):
        write_needs(small_params(**{"proxy.generators": generators}), tmp_path)
        written.append([(tmp_path / f"{stage}.txt").read_bytes() for stage in ("seeds", "dsrg")])
    assert written[0] == written[1] == written[2]


def test_what_is_left_out_says_so(workspace: Path) -> None:
    said = leave_out("dsrg", Path("data/dsrg"))
    assert "dsrg is left out" in said
    assert [path.name for path in Path("data/dsrg").iterdir()] == ["left_out.txt"]
    leave_out_results("shapes", "dsrg")
    assert Path("results/shapes/metrics/dsrg.json").read_text("utf-8") == "{}\n"
