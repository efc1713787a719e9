"""MODEL_CARD.md: what a model is, how good, how it is used, what to mind."""

import re
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from pipeline.atomic import whole_file
from pipeline.model_file import ModelInfo
from pipeline.variants import find_variant

CARD = "MODEL_CARD.md"
USE = """\
    python -m stages.predict {file} photographs --out predicted

or from Python

    from pipeline.predict import load_model
    model = load_model("{file}")
    mask = model.predict("photograph.jpg")  # class indices, (height, width)
"""
INTENDED = """\
It was made to compare ways of learning from few masks, and finds the classes above in photographs
like those it was trained on. It gives every pixel one of them: what is none of its classes becomes
background or the class it looks most like. Objects much larger or smaller in pixels than in the
training images are found less well. Nobody has checked it for decisions about people, nor for any
use in which a mistake does harm.
"""


def write_card(folder: Path, info: ModelInfo, file: str, more: str = "") -> None:
    """Write `folder`/MODEL_CARD.md.

    Args:
        folder: where the model lies.
        info: what the model says of itself.
        file: the model file's name.
        more: Markdown on other files beside it.
    """
    with whole_file(folder / CARD) as part:
        part.write_text(card(info, file, more), "utf-8", newline="\n")


def card(info: ModelInfo, file: str, more: str = "") -> str:
    """The card's text; arguments as of `write_card`."""
    sections = {
        "Classes": "\n".join(f"{i}. {plain(c.name)}" for i, c in enumerate(info.classes)),
        "Data": _data(info),
        "Scores": _scores(info),
        "Use": USE.format(file=file) + more,
        "Intended use and limits": INTENDED,
        "Licence": info.licence,
        "Where it comes from": _origin(info),
    }
    # Markdown counts a list on from its first number.
    parts = [f"# {plain(info.variant)} on {plain(info.data_set)}\n\n{_what(info)}"]
    parts += [f"## {title}\n\n{text.rstrip()}" for title, text in sections.items()]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    r"""Text that Markdown and HTML show as it is.

    >>> print(plain("<b>a_b</b>|*"))
    &lt;b&gt;a\_b&lt;/b&gt;\|\*
    """
    escaped = re.sub(r"([\\`*_{}\[\]()#+!|~-])", r"\\\1", text)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _what(info: ModelInfo) -> str:
    variant = find_variant(info.variant)
    title = f": {variant.title}" if variant else ""
    return (
        f"A network for semantic segmentation: {info.backbone} with three convolutions of "
        f"{info.width} channels and a classifier (Luo and Yang, ECCV 2020). It is the variant "
        f"`{info.variant}`{title}. Of a dual-branch network the file holds backbone, neck and "
        "strong branch; the weak branch served training alone."
    )


def _data(info: ModelInfo) -> str:
    return (
        f"Trained on `{info.data_set}`, whose strong list has {info.strong} images with masks and "
        f"whose weak list has {info.weak} with tags alone; the variant says which it is taught by."
    )


def _scores(info: ModelInfo) -> str:
    scores = info.scores
    if scores is None:
        return "None: the data set has no val image with a mask."
    over = "one network" if scores.seeds == 1 else f"{scores.seeds} networks of other seeds"
    lines = [
        f"Percent, on {scores.images} val images at their own size, in one pass each. mIoU of this "
        f"network: **{scores.this:.2f}**. Means over {over}:",
        "",
        *_table("score", scores.means),
        "",
        *_table("class", scores.classes, "IoU"),
    ]
    return "\n".join(lines)


def _table(head: str, values: dict[str, float], unit: str = "") -> list[str]:
    rows = [f"| {plain(name)} | {value:.2f} |" for name, value in values.items()]
    return [f"| {head} | {unit or 'percent'} |", "|---|---:|", *rows]


def _origin(info: ModelInfo) -> str:
    text = StringIO()
    YAML().dump(info.params, text)
    indented = "".join(f"    {line}\n" for line in text.getvalue().splitlines())
    commit = info.commit or "unknown"
    changed = " (+: with changes that were not committed)" if commit.endswith("+") else ""
    return (
        f"Commit `{commit}`{changed}, training seed {info.seed}, format {info.format}. "
        f"Params:\n\n{indented}"
    )
