"""The photographs of a folder that are to be tagged, and the table that their tags are in."""

import tempfile
from pathlib import Path

from pipeline.base.errors import UserError
from pipeline.data.manifest import open_manifest
from pipeline.data.seeds import CLASSIFIER
from pipeline.datasets.folder.annotations import read_annotations
from pipeline.datasets.folder.class_names import Labels, find_list, read_list
from pipeline.datasets.folder.layout import find_layout
from pipeline.datasets.folder.tags_csv import read_tags
from pipeline.datasets.reading.findings import Findings
from pipeline.editable.join import find_own
from pipeline.settings.params_file import load_params
from pipeline.settings.paths import PARAMS, SEEDS, resolve_user_path
from pipeline.tagging.guesses import in_order_of_doubt
from pipeline.tagging.server import Picture
from pipeline.tagging.table import TagTable


def open_folder(root: Path) -> tuple[TagTable, list[Picture]]:
    """The table of a folder, and its photographs without a mask, those that were guessed first.

    Masks may be missing altogether: whoever tags has often not drawn any yet.

    Raises:
        DataError: its photographs or its tags.csv cannot be used.
        UserError: it has no photographs, or nothing says what the classes are.
    """
    layout, photographs = find_layout(root, Findings()), find_own(root)
    findings = Findings()
    with tempfile.TemporaryDirectory() as name:
        drawn = read_annotations(layout, photographs, Path(name), Findings())
    labels = read_list(find_list(root)) if find_list(root).exists() else drawn.labels
    if labels is None:
        raise UserError(
            f"{find_list(root)} is not there: write one class name per line, background first"
        )
    path = root / "tags.csv"
    read_tags(path, photographs, labels, findings)
    findings.refuse(root)
    guessed = [
        picture
        for picture in guesses(root, labels)
        if picture.id in photographs.paths and picture.id not in drawn.masks
    ]
    known = {picture.id for picture in guessed}
    others = [key for key in photographs.paths if key not in drawn.masks and key not in known]
    return TagTable(path, photographs, labels), [*guessed, *map(Picture, others)]


def guesses(root: Path, labels: Labels) -> list[Picture]:
    """What the classifier of the project here guesses, if it was run on the folder as it is."""
    if not (PARAMS.exists() and (SEEDS / CLASSIFIER).exists()):
        return []
    params = load_params(PARAMS)
    if params.dataset != "folder" or resolve_user_path(params.data_root).resolve() != root:
        return []
    manifest = open_manifest(params)
    if manifest.classes.names != labels.classes.names:
        return []
    return in_order_of_doubt(params, manifest)
