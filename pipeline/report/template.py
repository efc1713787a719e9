"""The page's template: everything printed is escaped, and a browser is told to trust nothing else.

The page's content-security policy forbids scripts, forms and every request: pictures are data URIs,
and of style sheets the page's own is known by its hash. Style attributes are allowed, for charts
and swatches are full of them; without a source for pictures or fonts they can fetch nothing.
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.report import tables
from pipeline.report.drawing import FAMILIES, family_of

TEMPLATES = Path(__file__).parent


def render_page(values: Mapping[str, object]) -> str:
    """The page as HTML.

    Args:
        values: what page.html.j2 and the files it includes name.
    """
    made = environment()
    style = f"\n{made.get_template('page.css.j2').render()}\n"
    page = made.get_template("page.html.j2")
    return page.render(values, policy=policy(style), style=Markup(style))  # noqa: S704 - a file of ours


def policy(style: str) -> str:
    """The content-security policy of a page whose one style element holds `style`.

    Browsers that know no `style-src-elem` fall back to `style-src`.
    """
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    sources = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "style-src-elem": f"'sha256-{digest}'",
        "style-src-attr": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {source}" for name, source in sources.items())


def environment() -> Environment:
    """The template engine: whatever a template prints is escaped, unknown names are errors."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        plain=tables.plain,
        clock=tables.clock,
        quality=tables.quality_name,
        tone=lambda name: family_of(name) if family_of(name) in FAMILIES else "",
    )
    return made
