"""The options of commands that write masks as annotations of a tool."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.editable.exchange import Export


class Tool(StrEnum):
    """Whose annotations to write."""

    LABELME = "labelme"
    CVAT = "cvat"
    COCO = "coco"
    LABELSTUDIO = "labelstudio"


Specks = Annotated[
    float,
    typer.Option(
        "--specks",
        min=0,
        max=1,
        help="In annotations, regions below this share of the photograph become what is around.",
    ),
]
FEWEST = 0.0005  # of a photograph: 5 pixels in 10,000


def summary(export: "Export", tool: Tool) -> str:
    """What was written, in a line."""
    specks, unknown = (100 * count / export.pixels for count in (export.specks, export.unknown))
    lost = f"{specks:.2g} % of the pixels were in specks and are left out"
    more = f", {unknown:.2g} % have no class and are left to you" if export.unknown else ""
    return f"{export.images} images for {tool} in {export.folder}; {lost}{more}"
