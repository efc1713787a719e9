"""The page's template: everything printed is escaped, and a browser is told to trust nothing else.

The page's content-security policy forbids forms, every request and every script but one, the
viewer's, which like the style sheet is known by its hash. Style attributes are allowed, for charts
and swatches are full of them; they can fetch pictures at most, as the rest of the page.

Pictures are data URIs. Where those of the viewer are too many for the page, they are files beside
it, and 'self' admits them, in Chromium 150 and Firefox 140 alike: under http: those of the page's
own server, under file: any file of the machine. Of the other sources, `file:` does not do under
http:, and a path is none under file:.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent
SCRIPTS = (
    "sets",
    "colours",
    "thumbnails",
    "stage",
    "panel",
    "main",
)  # of the viewer, in this order
Filters = Mapping[str, Callable[..., object]]


def render(
    name: str,
    values: Mapping[str, object],
    filters: Filters,
    *,
    folder: Path = TEMPLATES,
    script: str = "",
    files: bool = False,
) -> str:
    """A page as HTML, in the look of page.css.j2.

    Args:
        name: the template, which prints `policy` and `style` in its head, and perhaps `script`.
        values: what it and the files it includes name.
        filters: what it makes of values, by name.
        folder: where it lies; what it includes may lie beside this module, too.
        script: what its one script element holds, if it has one.
        files: whether pictures lie beside the page.
    """
    made = environment(filters, folder)
    style = f"\n{made.get_template('page.css.j2').render()}\n"
    return made.get_template(name).render(
        values,
        policy=policy(style, script, files=files),
        style=Markup(style),  # noqa: S704 - a file of ours
        script=Markup(script),  # noqa: S704 - files of ours
    )


def whole_script() -> str:
    """The viewer's script: its files in one function, so that no name of theirs is the page's."""
    files = (TEMPLATES / "scripts" / f"{name}.js" for name in SCRIPTS)
    parts = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return f'\n"use strict";\n(() => {{\n{parts}}})();\n'


def policy(style: str, script: str, *, files: bool) -> str:
    """The content-security policy of a page with one style element and at most one script.

    Browsers that know no `style-src-elem` fall back to `style-src`.

    Args:
        style: what the style element holds.
        script: what the script element holds; empty where there is none.
        files: whether pictures lie beside the page.
    """
    sources = {
        "default-src": "'none'",
        "script-src": digest(script) if script else "'none'",
        "img-src": "data: 'self'" if files else "data:",
        "style-src": "'unsafe-inline'",
        "style-src-elem": digest(style),
        "style-src-attr": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {source}" for name, source in sources.items())


def digest(text: str) -> str:
    """How a policy names the one script or style sheet it admits."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def environment(filters: Filters, folder: Path = TEMPLATES) -> Environment:
    """The template engine: whatever a template prints is escaped, unknown names are errors."""
    made = Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    made.filters.update(filters)
    return made
