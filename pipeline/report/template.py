"""The page's template: everything printed is escaped, and a browser is told to trust nothing else.

The page's content-security policy forbids scripts, forms and every request: pictures are data URIs,
and of style sheets the page's own is known by its hash. Style attributes are allowed, for charts
and swatches are full of them; without a source for pictures or fonts they can fetch nothing.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent
Filters = Mapping[str, Callable[..., object]]


def render(
    name: str, values: Mapping[str, object], filters: Filters, folder: Path = TEMPLATES
) -> str:
    """A page as HTML, in the look of page.css.j2.

    Args:
        name: the template, which prints `policy` and `style` in its head.
        values: what it and the files it includes name.
        filters: what it makes of values, by name.
        folder: where it lies; what it includes may lie beside this module, too.
    """
    made = environment(filters, folder)
    style = f"\n{made.get_template('page.css.j2').render()}\n"
    page = made.get_template(name)
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


def environment(filters: Filters, folder: Path = TEMPLATES) -> Environment:
    """The template engine: whatever a template prints is escaped, unknown names are errors."""
    made = Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(filters)
    return made
