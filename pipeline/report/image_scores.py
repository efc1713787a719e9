"""Every scored image of a network by itself: what the interval over images is drawn from."""

from collections.abc import Iterator

from pipeline.base.progress import track
from pipeline.data.manifest import Manifest
from pipeline.report.bootstrap import image_counts
from pipeline.report.pictures import read_indices, read_prediction
from pipeline.scoring.metrics import Counts, confusion_matrix


def read_image_counts(manifest: Manifest, name: str) -> Counts | None:
    """`image_counts` of a network's predictions, in the order of `Manifest.scored`.

    They are the first seed's, with folds those of the first seed of each.

    Returns:
        counts (N, 2, C); None where no image is scored.

    Raises:
        UserError: a prediction is missing or has another size than its image.
    """
    rows = manifest.scored()

    def confusions() -> Iterator[Counts]:
        for row in track(rows, f"report: images of {name}"):
            truth_HW = read_indices(manifest.truth_path(row))
            mask_HW = read_prediction(name, row.id, truth_HW)
            yield confusion_matrix(truth_HW, mask_HW, len(manifest.classes))

    return image_counts(confusions()) if rows else None
