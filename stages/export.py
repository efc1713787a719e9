"""A model file as ONNX and torch.export; no part of dvc.yaml."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stages.command import stage


class Format(StrEnum):
    """What to write."""

    ONNX = "onnx"
    TORCH = "torch"
    BOTH = "both"


@stage
def main(
    model: Annotated[Path, typer.Argument(help="A file that stage package wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for model.onnx, model.pt2 and the card.")],
    chosen: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.BOTH,
) -> None:
    """Write a network as ONNX and torch.export.

    Bytes of any size go in, probabilities and masks of that size come out.
    """
    from pipeline.model.photographs import make_out

    make_out(out)

    from pipeline.model.export import OPSET, TOLERANCE, export, use_of
    from pipeline.model.model_card import write_card
    from pipeline.model.model_file import read_model

    info, network = read_model(model)
    formats = ("onnx", "torch") if chosen is Format.BOTH else (chosen.value,)
    worst = export(info, network, out, formats)
    write_card(out, info, model, {}, use_of(info))
    for name, difference in worst.items():
        opset = f" (opset {OPSET})" if name.endswith(".onnx") else ""
        typer.echo(
            f"wrote {out / name}{opset}: differs from the network by {difference:.1e} at most, "
            f"{TOLERANCE:.0e} is allowed"
        )
    typer.echo(f"wrote {out / 'MODEL_CARD.md'}")


if __name__ == "__main__":
    typer.run(main)
