"""Which of the stages that make proxies a run needs: some generators do without.

DVC knows no stage that may be left out. So these stages run in any case, each after a file of its
own that says yes or no; where it says no, they write an empty folder and end at once. A generator
more changes no other stage's file, and runs no other stage again.
"""

from pathlib import Path

from pipeline.base.atomic import whole_file, whole_folder
from pipeline.settings.params import Params
from pipeline.settings.paths import result_file
from pipeline.settings.registry import FOR_PROXIES, stages_of

LEFT_OUT = "left_out.txt"


def needed_by(params: Params) -> dict[str, list[str]]:
    """For each of `FOR_PROXIES` what needs it: names of generators, or of a param."""
    needed: dict[str, list[str]] = {stage: [] for stage in FOR_PROXIES}
    for generator in params.proxy.generators:
        for stage in stages_of(generator):
            needed[stage].append(generator)
    if params.backbone_weights == "classifier":
        needed["seeds"].append("backbone_weights")
    return needed


def write_needs(params: Params, folder: Path) -> None:
    """Write `folder`/<stage>.txt for each of `FOR_PROXIES`."""
    for stage, users in needed_by(params).items():
        (folder / f"{stage}.txt").write_text("yes\n" if users else "no\n", "utf-8", newline="\n")


def leave_out_results(dataset: str, name: str) -> str:
    """Write empty files of results for a network that is not there, as DVC wants them.

    Returns:
        what to tell the user.
    """
    for kind in ("metrics", "seeds", "per_class", "confusion"):
        with whole_file(result_file(dataset, kind, name)) as part:
            part.write_text("{}\n" if kind == "metrics" else "", "utf-8", newline="\n")
    return f"{name} is not scored: no generator in proxy.generators needs it"


def leave_out(stage: str, folder: Path) -> str:
    """Write the output of a stage that is not needed; what to tell the user."""
    said = f"{stage} is left out: no generator in proxy.generators needs it"
    with whole_folder(folder) as part:
        (part / LEFT_OUT).write_text(f"{said}\n", "utf-8", newline="\n")
    return said
