"""What the site has beyond the files of docs/: a page a module, the root's pages, lists of files.

Pages are written for a reader of the repository, so their links lead to files. Here a link to a
module leads to its page, one to a folder of results to a list of it, and what the site lacks is
left as text.
"""

import ast
import os
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
# README would take the place of index.md.
ROOT_PAGES = {
    "README.md": "overview.md",
    **{name: name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")},
}
SOURCES = {uri: name for name, uri in ROOT_PAGES.items()}
LINK = re.compile(r"(!?)\[([^\]]+)\]\(([^)\s]+)\)")
CODE = re.compile(r"^```(?s:.*?)^```$|^ {4}.*$", re.MULTILINE)


def modules() -> dict[str, str]:
    """Every module of `pipeline` with the first line of its docstring."""
    found = {}
    for path in sorted((ROOT / "pipeline").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        found[name] = said.partition("\n")[0]
    return found


def index() -> str:
    """A table of modules for each package: a room, or the folder around rooms."""
    lines, said = ["# Modules"], modules()
    for package in (name for name in said if (ROOT / name.replace(".", "/")).is_dir()):
        lines += ["", f"## [{package}]({package}.md)", "", said[package], ""]
        inside = [name for name in said if re.fullmatch(rf"{package}\.\w+", name)]
        names = [name for name in inside if not (ROOT / name.replace(".", "/")).is_dir()]
        rows = [f"| [{name.rpartition('.')[2]}]({name}.md) | {said[name]} |" for name in names]
        lines += ["| module | |", "|---|---|", *rows] if rows else []
    return "\n".join(lines)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file of docs/ holds."""
    made = {"reference/index.md": index()}
    for name in modules():
        made[f"reference/{name}.md"] = f"# {name}\n\n::: {name}\n"
    for name, uri in ROOT_PAGES.items():
        made[uri] = (ROOT / name).read_text(encoding="utf-8")
    for folder in folders_of_files():
        names = sorted(path.name for path in (ROOT / "docs" / folder).iterdir())
        lines = [f"- [{name}]({name})" for name in names]
        made[f"{folder}/index.md"] = "\n".join([f"# {folder}", "", *lines])
    for uri, content in made.items():
        files.append(File.generated(config, uri, content=content))
    return files


def folders_of_files() -> list[str]:
    """Folders below docs/results, which hold files of numbers."""
    return [f"results/{path.name}" for path in (ROOT / "docs/results").iterdir() if path.is_dir()]


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead every link to what the site has; code stays as it is."""
    here = page.file.src_uri
    parts, end = [], 0
    for code in CODE.finditer(markdown):
        parts += [lead(markdown[end : code.start()], here, files), code[0]]
        end = code.end()
    return "".join([*parts, lead(markdown[end:], here, files)])


def lead(text: str, here: str, files: Files) -> str:
    """Text with its links changed."""

    def changed(link: re.Match[str]) -> str:
        picture, words, target = link.groups()
        target, mark, anchor = target.partition("#")
        if not target or ":" in target:
            return link[0]
        uri = site_uri(here, target)
        if files.get_file_from_path(uri) is None:
            return words
        relative = posixpath.relpath(uri, posixpath.dirname(here) or ".")
        return f"{picture}[{words}]({relative}{mark}{anchor})"

    return LINK.sub(changed, text)


def site_uri(here: str, target: str) -> str:
    """Where the site has what a link of a file in the repository leads to."""
    source = SOURCES.get(here, f"docs/{here}")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    if path.startswith("pipeline/") and path.endswith(".py"):
        name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return f"reference/{name}.md"
    uri = ROOT_PAGES.get(path, path.removeprefix("docs/"))
    return f"{uri}/index.md" if os.path.isdir(ROOT / "docs" / uri) else uri
