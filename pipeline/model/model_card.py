"""MODEL_CARD.md: what a model is, its scores, its use and its limits."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from pipeline.base.atomic import whole_file
from pipeline.base.digests import digest
from pipeline.data.folds import describe_folds
from pipeline.model.model_file import ModelInfo, Scores
from pipeline.settings.variants import find_variant

CARD = "MODEL_CARD.md"
USE = """\
    swseg predict {file} photographs --out predicted

or from Python

    from pipeline.model.predict import load_model
    model = load_model("{file}")
    mask = model.predict("photograph.jpg")  # class indices, (height, width)
"""
INTENDED = """\
It was made to compare ways of learning from few masks, and finds the classes above in photographs
like those it was trained on. It assigns every pixel to one of them: objects of other classes become
background or the class that they resemble most. Objects that are much larger or smaller in pixels
than in the training images are found less well. It has not been checked for decisions about people,
nor for any use in which a mistake does harm.
"""


def write_card(
    folder: Path, info: ModelInfo, model: Path, record: Mapping[str, Any], more: str = ""
) -> None:
    """Write `folder`/MODEL_CARD.md.

    Args:
        folder: where it goes.
        info: what the model says of itself.
        model: the model file.
        record: of its training; empty if there is none.
        more: Markdown on other files beside the card.
    """
    text = card(info, model.name, record, more)
    text += f"\nWritten for the model file whose SHA-256 begins with `{digest(model)}`.\n"
    with whole_file(folder / CARD) as part:
        part.write_text(text, "utf-8", newline="\n")


def card(info: ModelInfo, file: str, record: Mapping[str, Any], more: str = "") -> str:
    """The card's text; arguments as in `write_card`, but with the model file's name."""
    sections = {
        "Classes": "\n".join(f"{i}. {escape(c.name)}" for i, c in enumerate(info.classes)),
        "Data": _data(info),
        "Scores": _scores(info),
        "Use": USE.format(file=file) + more,
        "Intended use and limits": INTENDED,
        "Licence": info.licence,
        "Where it comes from": _origin(info, record),
    }
    # Markdown numbers a list from its first number on.
    parts = [f"# {escape(info.variant)} on {escape(info.data_set)}\n\n{_what(info)}"]
    parts += [f"## {title}\n\n{text.rstrip()}" for title, text in sections.items()]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    r"""Text with Markdown's and HTML's special characters escaped.

    >>> print(escape("<b>a_b</b>|*"))
    &lt;b&gt;a\_b&lt;/b&gt;\|\*
    """
    escaped = re.sub(r"([\\`*_{}\[\]()#+!|~-])", r"\\\1", text)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _what(info: ModelInfo) -> str:
    variant = find_variant(info.variant)
    title = f": {variant.title}" if variant else ""
    own = info.timm
    backbone = f"timm's {own.model} at stride {own.output_stride}" if own else info.backbone
    return (
        f"A network for semantic segmentation: {backbone} with three convolutions of "
        f"{info.width} channels and a classifier (Luo and Yang, ECCV 2020). It is the variant "
        f"`{info.variant}`{title}. Of a dual-branch network the file has the backbone, the neck "
        "and the strong branch; the weak branch is only for training."
    )


def _data(info: ModelInfo) -> str:
    text = (
        f"Trained on `{info.data_set}`, whose strong list has {info.strong} images with masks and "
        f"whose weak list has {info.weak} others; the variant says which it used, and how."
    )
    if info.longest_side is not None:
        text += (
            f" Photographs were scaled to {info.longest_side} pixels on their longer side at most."
        )
    if info.white is not None:
        text += f" Those of 16 bits were scaled so that {info.white} became 255."
    return text


def _scores(info: ModelInfo) -> str:
    scores = info.scores
    if scores is None:
        return "None: the data set has no val image with a mask."
    lines = [
        _over_folds(scores, scores.folds) if scores.folds else _on_val(scores),
        "",
        *_table("score", scores.means),
        "",
        *_table("class", scores.classes, "IoU"),
    ]
    return "\n".join(lines)


def _on_val(scores: Scores) -> str:
    """What the tables of scores are of."""
    over = "one network" if scores.seeds == 1 else f"{scores.seeds} networks of other seeds"
    return (
        f"Percent, on {scores.images} val images at their own size, in one pass each. mIoU of this "
        f"network: **{scores.this:.2f}**. Means over {over}:"
    )


def _over_folds(scores: Scores, sizes: Sequence[int]) -> str:
    """The same where every image with a mask was scored in its fold; `sizes` are those of folds."""
    own = sizes[scores.fold or 0]
    again = "" if scores.seeds == 1 else f", means over {scores.seeds} such sets of networks"
    return (
        f"Percent, at the images' own size, in one pass each. This network was trained without "
        f"{own} of the {scores.images} images with masks, fold {scores.fold} of {len(sizes)}; on "
        f"these its mIoU is **{scores.this:.2f}**, which is of {own} images only. The tables are "
        f"over {describe_folds(sizes)}: every image with a mask was scored once, by a network "
        f"trained without it{again}. They rate the method, and not this one network:"
    )


def _table(head: str, values: dict[str, float], unit: str = "") -> list[str]:
    rows = [f"| {escape(name)} | {value:.2f} |" for name, value in values.items()]
    return [f"| {head} | {unit or 'percent'} |", "|---|---:|", *rows]


def _origin(info: ModelInfo, record: Mapping[str, Any]) -> str:
    text = StringIO()
    YAML().dump(info.params, text)
    indented = "".join(f"    {line}\n" for line in text.getvalue().splitlines())
    return (
        f"{_run(info, record)}\n\nTraining seed {info.seed}, format {info.format}. "
        f"Params:\n\n{indented}"
    )


def _run(info: ModelInfo, record: Mapping[str, Any]) -> str:
    """How the training went, as far as it is known."""
    commit = record.get("commit") or info.commit
    parts = []
    if commit:
        changed = " (+: with changes that were not committed)" if commit.endswith("+") else ""
        parts.append(f"at commit `{commit}`{changed}")
    if record:
        device, machine = escape(record["device"]), escape(record["machine"])
        parts.append(f"in {record['seconds']:.0f} s on {device} ({machine})")
    return f"Trained {' '.join(parts)}." if parts else "There is no record of the training."
