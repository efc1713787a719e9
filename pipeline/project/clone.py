"""A project of one's own: a local clone with its own params, results, git and DVC.

The code is in it, as DVC wants what its stages depend on in the repository; the environment is that
of the first clone. `git pull` brings later versions: params.yaml and dvc.lock stay as they are
here, and results of one's own lie in a folder that no version has (results/folder).
"""

import subprocess
from pathlib import Path

from pipeline.base.errors import UserError
from pipeline.project.settings import with_settings
from pipeline.settings.mending import as_override
from pipeline.settings.paths import PARAMS, RESULTS
from pipeline.settings.registry import ROOT

LOCK, NO_STAGES = Path("dvc.lock"), "schema: '2.0'\nstages: {}\n"
OWN = (PARAMS, LOCK)  # what a pull leaves as it is here


def make_project(folder: Path, data: Path, recipe: str) -> None:
    """Clone the repository of this code into `folder`, ready to run on the photographs in `data`.

    Args:
        folder: not there yet, or empty.
        data: a folder of photographs.
        recipe: a file of recipes/, without its suffix.

    Raises:
        UserError: one of the three is not as it should be, or git refuses.
    """
    refuse_wrong(folder, data, recipe)
    git(ROOT, "clone", "--quiet", str(ROOT), str(folder.resolve()))
    # The embedded data's results stay in history, where `git pull` wants them, and out of sight.
    git(folder, "sparse-checkout", "set", "--no-cone", "/*", f"!/{RESULTS}/shapes/")
    for name in OWN:
        add_line(folder / ".git/info/attributes", f"/{name} merge=ours")
    git(folder, "config", "merge.ours.driver", "true")
    # So that a plain `git pull` asks for nothing: it has a commit of its own to merge with, and
    # runs leave dvc.lock changed.
    git(folder, "config", "pull.rebase", "false")
    git(folder, "config", "merge.autostash", "true")
    branch = git(folder, "branch", "--show-current")
    if branch:  # a clone of a commit, as in CI, has none, and pulls nothing
        git(folder, "config", f"branch.{branch}.mergeOptions", "--no-edit")
    values = [f"data_root={as_override(str(data.resolve()))}"]
    text = with_settings(folder / "recipes" / f"{recipe}.yaml", values)
    (folder / PARAMS).write_text(text, "utf-8", newline="\n")
    (folder / LOCK).write_text(NO_STAGES, "utf-8", newline="\n")
    git(folder, *identity(folder), "commit", "--quiet", "--all", "--message", f"Recipe {recipe}")


def refuse_wrong(folder: Path, data: Path, recipe: str) -> None:
    """Refuse before anything is written.

    Raises:
        UserError: the message says what to give instead.
    """
    if not data.is_dir():
        raise UserError(f"--data: {data} is no folder; give the one that holds your photographs")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already; give a folder that is not")
    if ROOT in (folder.resolve(), *folder.resolve().parents):
        raise UserError(f"{folder} lies in this clone; give a folder beside it, such as ../mine")
    recipes = sorted(path.stem for path in (ROOT / "recipes").glob("folder*.yaml"))
    if recipe not in recipes:
        raise UserError(f"--recipe: {recipe} is none of {', '.join(recipes)}")
    if not (ROOT / ".git").exists():
        raise UserError(f"{ROOT} is no clone of the repository; clone it with git, then set it up")


def identity(folder: Path) -> list[str]:
    """Options of git for a commit where nobody has told it a name yet."""
    known = git(folder, "config", "--get", "user.email", check=False)
    return [] if known else ["-c", "user.name=swseg", "-c", "user.email=swseg@localhost"]


def add_line(path: Path, line: str) -> None:
    """Append a line to a file, which is made with its folder if it is missing."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(f"{line}\n")


def git(folder: Path, *arguments: str, check: bool = True) -> str:
    """What a command of git prints, without its line end.

    Raises:
        UserError: git is missing or refuses, and `check` asks for its success.
    """
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=check)
    except FileNotFoundError:
        raise UserError("git is not installed; a project is a clone, and needs it") from None
    except subprocess.CalledProcessError as error:
        raise UserError(f"git {arguments[0]} failed: {error.stderr.strip()}") from None
    return done.stdout.strip()
