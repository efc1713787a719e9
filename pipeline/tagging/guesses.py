"""What the classifier of a project takes photographs without tags for, the most doubtful first."""

from pipeline.choosing.tag_review import probabilities
from pipeline.data.manifest import Manifest
from pipeline.devices.device import placed
from pipeline.settings.params import Params
from pipeline.settings.paths import SEEDS
from pipeline.tagging.server import Picture
from pipeline.weak.seeds.cam import load_classifier


def in_order_of_doubt(params: Params, manifest: Manifest) -> list[Picture]:
    """The training images without mask and tags, each with the classes that are likelier than not.

    An image's doubt is that of its most doubtful class: 1 at a probability of a half, 0 at 0 and 1.

    Raises:
        UserError: there is no classifier, or it is none of `params`.
    """
    rows = [row for row in manifest.train() if row.tags is None and not row.mask]
    network = placed(load_classifier(params, len(manifest.classes), SEEDS)).eval()
    names = manifest.classes.names[1:]
    likely_NK = probabilities(network, params, manifest, rows)
    guesses = [
        Picture(
            row.id,
            tuple(name for name, p in zip(names, likely_K, strict=True) if p > 0.5),
            float((1 - abs(2 * likely_K - 1)).max()),
        )
        for row, likely_K in zip(rows, likely_NK, strict=True)
    ]
    return sorted(guesses, key=lambda picture: -(picture.doubt or 0))
