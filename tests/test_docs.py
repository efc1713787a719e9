"""README and docs/: links lead somewhere, examples print what they show, the site builds."""

import ast
import doctest
import importlib.util
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.imports import ROOMS, module_file
from tests.settings import ROOT

PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda path: path.as_posix()
)
CODE = re.compile(r"^```(?s:.*?)^```$|`[^`\n]+`", re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<(https?://[^>]+)>")
PATH = re.compile(r"\b(?:pipeline|stages|tests|benchmarks|recipes)/[\w./-]+\w")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def targets(page: Path) -> list[str]:
    """Where a page's links lead; what stands in code is no link."""
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    return [first or second for first, second in LINK.findall(text)]


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and the site make them."""
    text = re.sub(r"^```(?s:.*?)^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: set[str] = set()
    for heading in HEADING.findall(text):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
        slug = re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        found.add(slug)
    return found


@by_page
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in targets(page):
        url = urlsplit(target)
        if url.scheme:
            assert url.scheme in ("https", "http"), target
            assert url.netloc, target  # not fetched: a test must not need the web
            continue
        path = (page.parent / url.path).resolve() if url.path else page
        assert path.is_relative_to(ROOT), f"{target} leads out of the repository"
        assert path.exists(), f"{page.name} links to {target}, which is not there"
        if url.fragment:
            assert url.fragment in anchors(path), f"{page.name}: no heading for {target}"


def test_the_checker_sees_what_is_wrong(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A *b*, c's d (§3.2)\n[x](gone.md) `[y](z)`\n```\n[v](w)\n# no\n```\n", "utf-8"
    )
    assert targets(page) == ["gone.md"]
    assert anchors(page) == {"a-b-cs-d-32"}


@by_page
def test_examples_print_what_they_show(page: Path) -> None:
    text = re.sub(r"^```.*$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    examples = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples, out=said.append)
    assert not said, "".join(said)


@by_page
def test_commands_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"(?:python|torchrun).* -m stages\.([a-z_]+)", text):
        assert (ROOT / "stages" / f"{name}.py").exists(), f"python -m stages.{name}"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in re.findall(r"(?:^ {4}|`)make (\w+)", text, re.MULTILINE):
        assert f"\n{name}:" in makefile, f"make {name}"
    for name in re.findall(r"recipes/([\w-]+)\.yaml", text):
        assert (ROOT / "recipes" / f"{name}.yaml").exists(), f"recipes/{name}.yaml"


@by_page
def test_paths_and_modules_exist(page: Path) -> None:
    """But for those that a page adds itself, by a code block that begins with the path."""
    text = page.read_text(encoding="utf-8")
    own = set(re.findall(r"^```python\n# (\S+\.py)$", text, re.MULTILINE))
    for found in set(PATH.findall(text)) - own:
        assert "NAME" in found or (ROOT / found).exists(), f"{page.name} names {found}"
    own = {path.removesuffix(".py").replace("/", ".") for path in own}
    for found in set(re.findall(r"\bpipeline(?:\.\w+)+", text)) - own:
        module, _, name = found.rpartition(".")
        source = module_file(module, ROOT)
        assert source, f"{page.name} names {found}"
        defined = re.search(rf"^(class |def )?{name}\b", source.read_text("utf-8"), re.MULTILINE)
        assert defined or module_file(found, ROOT), f"{page.name} names {found}"


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_tree_names_every_room() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    tree = text.partition("## The tree\n\n")[2].partition("\n\n")[0]
    assert len(tree.splitlines()) <= 20
    named = re.findall(r"[a-z/]+/(?= |$)", tree)
    for room in ROOMS:
        assert f"{room.removesuffix('NAME').rstrip('/')}/" in named, room


def test_the_architecture_names_every_stage() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    stages = re.findall(r"^  (\w+):$", (ROOT / "dvc.yaml").read_text("utf-8"), re.MULTILINE)
    assert len(stages) > 5
    for name in stages:
        assert f"`{name}`" in text or name in re.findall(r"\w+", text), name


def test_every_page_is_reached_from_the_site(tmp_path: Path) -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:")[2]
    for page in (ROOT / "docs").rglob("*.md"):
        assert page.relative_to(ROOT / "docs").as_posix() in nav, page


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None,
    reason="the extra docs is not installed",
)
def test_the_site_builds_and_fetches_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for path in (ROOT / "pipeline").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        shown = (tmp_path / "reference" / f"{name}.html").read_text("utf-8")
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert f'id="{name}.{node.name}"' in shown, f"{name}.{node.name}"
    for path in tmp_path.rglob("*.html"):
        loaded = re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=.?(https?:[^\s>\"]+)",
                            path.read_text("utf-8"))  # fmt: skip
        assert not [url for url in loaded if "canonical" not in url], path
