"""What the classifier of a project takes photographs without tags for, the most doubtful first."""

from collections.abc import Iterator

import torch

from pipeline.base.progress import track
from pipeline.batches.augment import normalise
from pipeline.data.manifest import Manifest
from pipeline.devices.device import pick_device, placed
from pipeline.settings.params import Params
from pipeline.settings.paths import SEEDS
from pipeline.tagging.server import Picture
from pipeline.weak.seeds.cam import load_classifier
from pipeline.weak.seeds.tagged import TaggedImages


def in_order_of_doubt(params: Params, manifest: Manifest) -> list[Picture]:
    """The training images without mask and tags, each with the classes that are likelier than not.

    An image's doubt is that of its most doubtful class: 1 at a probability of a half, 0 at 0 and 1.

    Raises:
        UserError: there is no classifier, or it is none of `params`.
    """
    rows = [row for row in manifest.train() if row.tags is None and not row.mask]
    network = placed(load_classifier(params, len(manifest.classes), SEEDS)).eval()
    images = TaggedImages(manifest, rows, params.cam.image_size)
    names = manifest.classes.names[1:]

    def guesses() -> Iterator[Picture]:
        for place, row in enumerate(track(rows, "look at photographs")):
            (image_13HW,) = images.at_sides(range(place, place + 1), [params.cam.image_size])
            with torch.inference_mode():
                (scores_C,) = network(normalise(image_13HW.to(pick_device())))
            likely_C = scores_C.sigmoid().cpu().numpy()
            guess = tuple(name for name, p in zip(names, likely_C, strict=True) if p > 0.5)
            yield Picture(row.id, guess, float((1 - abs(2 * likely_C - 1)).max()))

    return sorted(guesses(), key=lambda picture: -(picture.doubt or 0))
