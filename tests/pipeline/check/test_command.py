"""`python -m stages.check`: what it prints, the page it leaves, its exit code, what it loads."""

import json
import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pipeline.check.summary import next_command, recipe
from pipeline.check.survey import Survey
from pipeline.data.manifest import Row
from stages import check
from tests.bad_input.spoiling import added, cut, every, renamed, turned
from tests.exports import make_labelme
from tests.settings import ROOT
from tests.trees import make_folder

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def run(*arguments: object) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(check.main)
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


class Tags(HTMLParser):
    """The tags of a page, and whether each one is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_same_for_programs(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    make_folder(root)
    every(turned("images/scene 4.jpg", 6), cut("images/scene 5.jpg", 0.5))(root)
    code, said = run(root, "--out", tmp_path / "out", "--json")
    found = json.loads(said)
    assert code == 1
    assert not found["usable"]
    assert (found["counts"]["images"], found["counts"]["tags only"]) == (14, 7)
    assert found["classes"][1]["name"] == "boat"
    assert found["conversions"] == {"turned by EXIF": 1}
    assert found["warnings"][0].keys() == {"finding", "fix"}
    ((problem, cases),) = found["problems"].items()
    assert problem == "images cannot be used"
    assert "scene 5.jpg" in cases[0]
    page = Path(found["page"]).read_text("utf-8")
    assert "1 turned by EXIF" in page


def test_a_good_folder(tmp_path: Path) -> None:
    make_folder(tmp_path / "mine")
    code, said = run(tmp_path / "mine", "--out", tmp_path / "out")
    assert code == 0
    assert "15 images, 5 masks to train on, 2 masks to validate on, 8 tags only, 0 neither" in said
    assert "can be trained on" in said
    new = f"swseg new ../mine-project --data {tmp_path / 'mine'}"
    assert f"next: {new} && cd ../mine-project && swseg run" in said
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert Tags(page).open == []
    assert page.count("<img ") == 7 * 3 + 4
    assert set(re.findall(r'src="(.{15})', page)) == {"data:image/png;"}
    assert "default-src &#39;none&#39;" in page
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["index.html"]


def test_exports_are_shown_with_their_masks(tmp_path: Path) -> None:
    make_labelme(tmp_path / "mine")
    code, said = run(tmp_path / "mine", "--out", tmp_path / "out")
    assert (code, "LabelMe" in said) == (0, True)
    assert (tmp_path / "out" / "index.html").read_text("utf-8").count("<img ") == 7 * 3 + 4


def test_a_bad_folder(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    make_folder(root)
    every(
        cut("images/scene 4.jpg", 0.5),
        added("tags.csv", "scene 99.jpg,boat"),
        renamed("scene 0", "<script>alert(1)<"),
        cut("masks/scene 2.png", 0.5),
    )(root)
    code, said = run(root, "--out", tmp_path / "out")
    assert code == 1
    assert "cannot be used yet, for 3 reasons" in said
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    for text in ("scene 4.jpg cannot be read as an image", "scene 99.jpg", "scene 2.png"):
        assert text in said
        assert text in page
    assert "script" not in Tags(page).seen
    assert "&lt;script&gt;alert(1)&lt;" in page


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    code, said = run(tmp_path / "nowhere", "--out", tmp_path / "out")
    assert code == 1
    assert "nowhere is no folder" in said
    assert not (tmp_path / "out").exists()


def test_torch_is_not_loaded(tmp_path: Path) -> None:
    make_folder(tmp_path / "mine")
    script = (
        "import sys\nfrom pathlib import Path\nfrom stages.check import main\n"
        f"main(Path({str(tmp_path / 'mine')!r}))\n"
        "assert not {'torch', 'matplotlib', 'pandas'} & set(sys.modules)\n"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path, env=environment, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "check" / "index.html").exists()


def test_the_recipe_suits_the_number_of_images(tmp_path: Path) -> None:
    row = Row("a", "@root/images/a.jpg", "", "weak", (1,), 9, 9)
    for count, chosen in ((2999, ""), (3000, " --recipe folder")):
        found = Survey(tmp_path, "indexed masks", None, [], [row] * count)
        assert next_command(found)[0].endswith(f" --data {tmp_path}{chosen}")
        assert (ROOT / "recipes" / f"{recipe(found)}.yaml").exists()


@pytest.mark.parametrize("name", ["photos", "my photos", "it's", 'a"b', "{x}", "ä"])
def test_the_next_commands_name_the_folder_as_a_shell_reads_it(name: str, tmp_path: Path) -> None:
    found = Survey(tmp_path / name, "indexed masks", None, [], strong=50)
    new, enter, run = map(shlex.split, next_command(found))
    assert new == ["swseg", "new", f"../{name}-project", "--data", str(tmp_path / name)]
    assert enter == ["cd", f"../{name}-project"]
    assert run == ["swseg", "run", "-S", "split.strong=50"]
