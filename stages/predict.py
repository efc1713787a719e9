"""Masks for photographs from a model file; no part of dvc.yaml."""

import warnings
from pathlib import Path
from typing import Annotated

import typer

from stages.annotations import FEWEST, Specks, Tool, summary
from stages.command import stage

Images = Annotated[
    list[str],
    typer.Argument(help="Files, folders (with all in them), quoted patterns; - reads a list."),
]
Scales = Annotated[
    str,
    typer.Option(
        help="Resize by each of these and average; 0.75,1,1.25 takes three times as long."
    ),
]
Flip = Annotated[
    bool, typer.Option("--flip", help="Average with the mirrored image; twice as long.")
]
Window = Annotated[
    int | None, typer.Option(help="Side in pixels of windows that slide over the image.")
]
Stride = Annotated[
    int | None,
    typer.Option(help="Pixels between windows; three quarters of the window by default."),
]
LongestSide = Annotated[
    int | None,
    typer.Option(
        help="Pixels to which larger photographs are scaled for the network; by default as in "
        "training. Masks have the photograph's own size in any case."
    ),
]
Probabilities = Annotated[
    bool,
    typer.Option(
        "--probabilities", help="Also write the probabilities: float16, classes x rows x columns."
    ),
]
Where = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]
As = Annotated[
    Tool | None, typer.Option("--as", help="Also write annotations that this tool can edit.")
]
Overlays = Annotated[bool, typer.Option(help="Write photographs with the objects coloured.")]


@stage
def main(
    model: Annotated[Path, typer.Argument(help="A file that stage package wrote.")],
    images: Images,
    out: Annotated[Path, typer.Option(help="Folder for masks, overlays and areas.csv.")],
    scales: Scales = "1",
    flip: Flip = False,
    window: Window = None,
    stride: Stride = None,
    longest_side: LongestSide = None,
    probabilities: Probabilities = False,
    overlays: Overlays = True,
    tool: As = None,
    specks: Specks = FEWEST,
    device: Where = "auto",
) -> None:
    """Write masks of photographs, by a trained network.

    For each a palette PNG at its own size and an overlay, and a table of areas for all.
    """
    warnings.filterwarnings("ignore", module="PIL")  # of metadata that breaks off
    from pipeline.model.photographs import find_photographs, make_out, printable

    found = find_photographs(images, out)

    from pipeline.devices.choice import take_device
    from pipeline.devices.device import pick_device, use_tf32
    from pipeline.model.inference import Options, read_scales
    from pipeline.model.predict import load_model
    from pipeline.model.predict_files import AREAS, predict_files

    take_device(device, key="--device", wait=False)
    options = Options(read_scales(scales), flip, window, stride, longest_side)
    make_out(out)
    if pick_device().type == "cuda":
        use_tf32(allowed=False)  # as stage evaluate runs by default
    network, export = load_model(model), None
    if tool:
        from pipeline.editable.exchange import Export

        export = Export(tool, out / tool, network.info.class_list, specks)
    outcome = predict_files(
        network,
        found.photographs,
        out,
        options,
        probabilities=probabilities,
        overlays=overlays,
        export=export,
    )
    count = len(found.photographs)
    done = f"{outcome.done} of {count} images predicted; areas in {out / AREAS}"
    written = ""
    if export and tool and outcome.done:
        export.finish()
        written = summary(export, tool)
    for line in filter(None, (done, outcome.note(), written, str(found.passed_over))):
        typer.echo(printable(line))
    if outcome.failed:
        raise outcome.error()


if __name__ == "__main__":
    typer.run(main)
