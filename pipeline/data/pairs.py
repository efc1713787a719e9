"""What a plan's streams are in files: an image and the mask it is trained on."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from pipeline.base.errors import UserError, need
from pipeline.data.id_lists import read_ids
from pipeline.data.manifest import Manifest
from pipeline.data.plan import Plan
from pipeline.settings.paths import proxy_dir
from pipeline.settings.variants import Labels

MADE = "made.txt"  # of a generator: ids of the images that have a proxy, one a line
TAUGHT = "taught.txt"  # of stage teacher: ids of the images whose masks it learnt from, one a line


class Pair(NamedTuple):
    """An image, its mask, and how sure the mask is where that counts."""

    id: str
    image: Path
    mask: Path
    confidence: Path | None = None


def stream_pairs(manifest: Manifest, plan: Plan, proxies: Path | None = None) -> list[list[Pair]]:
    """The images and masks of every stream.

    Args:
        manifest: the data set.
        plan: the variant's.
        proxies: a folder with masks/ and confidence/; by default that of the plan's generator.

    Raises:
        UserError: a proxy mask or its confidence is missing, a strong image has no mask, or the
            plan was made for another data set.
    """
    rows = {row.id: row for row in manifest.train()}

    def pair(image_id: str, labels: Labels) -> Pair:
        row = rows.get(image_id)
        if row is None:
            raise UserError(
                f"{plan.variant} is trained on {image_id!r}, which is no longer in the data set: "
                "run `python -m stages.split`"
            )
        image = manifest.path(row.image)
        if labels == "mask":
            if not row.mask:
                raise UserError(f"{plan.variant} needs the mask of {image_id!r}, which has none")
            return Pair(image_id, image, manifest.path(row.mask))
        folder, stage = proxies or proxies_of(plan), f"proxy {plan.generator}"
        mask = need(proxy_path(image_id, folder), stage)
        if not plan.extras.confidence:
            return Pair(image_id, image, mask)
        return Pair(image_id, image, mask, need(confidence_path(image_id, folder), stage))

    streams = []
    for stream in plan.streams:
        strong = plan.strong * stream.repeat
        chosen = ((strong, stream.strong), (plan.weak, stream.weak))
        pairs = [pair(image_id, labels) for ids, labels in chosen if labels for image_id in ids]
        streams.append(pairs)
    return streams


def proxied(plan: Plan) -> list[str]:
    """Ids of the images whose proxies a variant is trained on, each once."""
    lists = [
        ids
        for stream in plan.streams
        for ids, labels in ((plan.strong, stream.strong), (plan.weak, stream.weak))
        if labels == "proxy"
    ]
    return list(dict.fromkeys(image_id for ids in lists for image_id in ids))


def proxies_hash(plan: Plan, proxies: Path | None = None) -> str | None:
    """SHA-256 of the proxies that a variant is trained on; None where it uses none.

    Args:
        plan: the variant's.
        proxies: as in `stream_pairs`.

    Raises:
        UserError: one of them is missing.
    """
    ids = proxied(plan)
    if not ids:
        return None
    folder = proxies or proxies_of(plan)
    paths_of = (proxy_path, confidence_path) if plan.extras.confidence else (proxy_path,)
    total = hashlib.sha256()
    for image_id in ids:
        for path_of in paths_of:
            data = need(path_of(image_id, folder), f"proxy {plan.generator}").read_bytes()
            total.update(f"{image_id} {hashlib.sha256(data).hexdigest()}\n".encode())
    return total.hexdigest()


def made_by(generator: str) -> list[str]:
    """Ids of the images that a generator has made a proxy of.

    Raises:
        UserError: stage proxy did not run for it.
    """
    return read_ids(need(proxy_dir(generator) / MADE, f"proxy {generator}"))


def proxies_of(plan: Plan) -> Path:
    """The folder of the proxies that a variant is trained on."""
    assert plan.generator is not None, plan.variant
    return proxy_dir(plan.generator)


def proxy_path(image_id: str, proxies: Path) -> Path:
    """Where stage proxy writes the mask of one image, in its generator's folder."""
    return proxies / "masks" / f"{image_id}.png"


def confidence_path(image_id: str, proxies: Path) -> Path:
    """Where stage proxy writes how sure it is of that mask."""
    return proxies / "confidence" / f"{image_id}.png"
