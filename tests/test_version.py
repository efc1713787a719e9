"""The version: one literal in pipeline/__init__.py, the same wherever else it stands."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from ruamel.yaml import YAML

from pipeline import __version__
from tests.settings import ROOT, copy_project


def test_citation_and_changelog_have_the_version() -> None:
    citation = YAML(typ="safe", pure=True).load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (.*)$", changelog, re.MULTILINE)
    assert newest
    assert __version__ in re.findall(r"\d+\.\d+\.\d+\w*", newest[1])


def test_a_wheel_has_the_version_and_every_file(tmp_path: Path) -> None:
    copy_project(tmp_path)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    ours = {
        path.relative_to(tmp_path).as_posix()
        for folder in ("pipeline", "stages")
        for path in (tmp_path / folder).rglob("*")
        if path.is_file()
    }
    build = "from setuptools.build_meta import build_wheel; build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, capture_output=True, check=True)
    name = f"strong_weak_segmentation-{__version__}"
    with zipfile.ZipFile(tmp_path / f"{name}-py3-none-any.whl") as wheel:
        packed = set(wheel.namelist())
    assert "pipeline/py.typed" in ours
    assert {path for path in packed if not path.startswith(f"{name}.dist-info/")} == ours
