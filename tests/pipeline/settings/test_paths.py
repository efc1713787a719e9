"""A path the user typed means their own checkout, wherever DVC runs the stage."""

from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.settings import paths
from pipeline.settings.paths import model_dir, resolve_user_path


@pytest.mark.parametrize(
    "inside", ["", ".dvc/tmp/exps/tmpab12", ".dvc/tmp/exps/standalone/tmpab12", ".dvc/tmp/exps/a/b"]
)
def test_relative_paths_start_from_the_checkout(tmp_path: Path, inside: str) -> None:
    repository = tmp_path / "my repository"
    here = repository / inside
    here.mkdir(parents=True)
    assert resolve_user_path("data/raw", here) == repository / "data" / "raw"
    assert resolve_user_path("../photos", here) == tmp_path / "photos"
    assert resolve_user_path(Path("."), here) == repository


def test_only_a_whole_dvc_folder_counts(tmp_path: Path) -> None:
    for inside in ("exps/tmpab12", ".dvc/tmp", ".dvc/tmp/exps", "tmp/exps/a"):
        here = tmp_path / inside
        here.mkdir(parents=True, exist_ok=True)
        assert resolve_user_path("raw", here) == here / "raw"


def test_absolute_paths_stay_and_home_is_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / ".dvc" / "tmp" / "exps" / "a"
    here.mkdir(parents=True)
    assert resolve_user_path(str(tmp_path / "x"), here) == tmp_path / "x"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert resolve_user_path("~/x", here) == tmp_path / "home" / "x"


def test_links_in_a_circle_are_told(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UserError, match=r"loop in params\.yaml leads nowhere"):
        resolve_user_path("loop", tmp_path)


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert resolve_user_path("link/a", tmp_path) == tmp_path / "real" / "a"


def test_the_folder_a_stage_runs_in_is_the_default(workspace: Path) -> None:
    assert resolve_user_path("raw") == workspace.resolve() / "raw"


def test_everything_the_project_writes_is_relative() -> None:
    places = [value for value in vars(paths).values() if isinstance(value, Path)]
    assert len(places) >= 10
    assert not any(place.is_absolute() for place in places)
    assert len(set(places)) == len(places)
    assert model_dir("dual", 3) == paths.MODELS / "dual" / "3"
