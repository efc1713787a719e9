"""Fills the page templates: all values are escaped, and the browser is told to trust nothing.

The page's content-security policy forbids forms, all requests and all scripts except the viewer's,
which is known by its hash, like the style sheet. Style attributes are allowed, because charts and
swatches need them; like the rest of the page they can only load pictures.

Pictures are data URIs. If the viewer has too many for the page, they are files beside it, with
style sheets that hold the indices of the masks. 'self' allows both: under http: files of the
page's own server, under file: any file of the machine (pictures tried in Chromium 150 and Firefox
140, style sheets in Chromium 156). Other sources do not work: `file:` fails under http:, and a
path under file:. No script may lie beside the page.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent
SCRIPTS = (  # of the viewer, in this order
    *("sets", "colours", "indices", "marks", "address", "thumbnails", "stage", "panel"),
    *("drawing", "changes", "keys", "main"),
)
Filters = Mapping[str, Callable[..., object]]


def render(
    name: str,
    values: Mapping[str, object],
    filters: Filters,
    *,
    folder: Path = TEMPLATES,
    css: str = "page.css.j2",
    script: str = "",
    files: bool = False,
    served: bool = False,
) -> str:
    """A page as HTML.

    Args:
        name: the template; it prints `policy`, `style` and, if it has one, `script`.
        values: the variables of the template and its includes.
        filters: its filters by name.
        folder: where it is; its includes may also be beside this module.
        css: the template of its style sheet.
        script: the content of its script element, if it has one.
        files: whether there are pictures and style sheets beside the page.
        served: whether its script talks to the page's server.
    """
    made = environment(filters, folder)
    style = f"\n{made.get_template(css).render()}\n"
    return made.get_template(name).render(
        values,
        policy=policy(style, script, files=files, served=served),
        style=Markup(style),  # noqa: S704 - a file of ours
        script=Markup(script),  # noqa: S704 - files of ours
    )


def whole_script() -> str:
    """The viewer's script: its files in one function, which keeps their names out of the page."""
    files = (TEMPLATES / "scripts" / f"{name}.js" for name in SCRIPTS)
    parts = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return f'\n"use strict";\n(() => {{\n{parts}}})();\n'


def policy(style: str, script: str, *, files: bool, served: bool = False) -> str:
    """The content-security policy of a page with one style element and at most one script.

    Browsers without `style-src-elem` use `style-src`.

    Args:
        style: the content of the style element.
        script: the content of the script element; empty if there is none.
        files: whether there are pictures and style sheets beside the page.
        served: whether its script talks to the page's server.
    """
    sources = {
        "default-src": "'none'",
        "script-src": digest(script) if script else "'none'",
        "img-src": "data: 'self'" if files else "data:",
        "style-src": "'unsafe-inline'",
        "style-src-elem": f"{digest(style)} 'self'" if files else digest(style),
        "style-src-attr": "'unsafe-inline'",
        **({"connect-src": "'self'"} if served else {}),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {source}" for name, source in sources.items())


def digest(text: str) -> str:
    """A policy's name for a script or style sheet that it allows."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def environment(filters: Filters, folder: Path = TEMPLATES) -> Environment:
    """The template engine: it escapes all values, and unknown names are errors."""
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
