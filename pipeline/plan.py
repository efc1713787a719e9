"""Plans: for each variant, which lists with which labels teach which branch.

A plan holds everything that a variant's training takes from the choice of variant, and nothing
else; so changing `neck_n` changes the plan of `dual` alone, and DVC trains `dual` alone again.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UserError, need
from pipeline.manifest import Manifest
from pipeline.params import Extras
from pipeline.paths import PROXY
from pipeline.sampling import Pair
from pipeline.variants import NAMES, Labels, Stream, find_variant

ALL_SHARED = 3  # with one branch there is nobody to share with: all convolutions are the neck


@dataclass(frozen=True)
class PlannedExtras:
    """What a training does beyond the paper (docs/choices.md); None or False: it does not.

    Attributes:
        ema_decay: of the moving average of the network.
        confidence: whether proxy pixels weigh as much as they are sure.
        refresh_at: share of the steps after which the proxies are made anew.
        consistency_weight: of the loss on strongly augmented weak images.
        consistency_threshold: probability above which a prediction is taught there.
    """

    ema_decay: float | None = None
    confidence: bool = False
    refresh_at: float | None = None
    consistency_weight: float | None = None
    consistency_threshold: float | None = None


@dataclass(frozen=True)
class Plan:
    """One variant: its streams, how many convolutions they share, and the two lists.

    `natural`: batches are drawn from all streams at once (`variants.Variant`).
    """

    variant: str
    neck_n: int
    streams: tuple[Stream, ...]
    strong: tuple[str, ...]
    weak: tuple[str, ...]
    natural: bool = False
    extras: PlannedExtras = PlannedExtras()


def make_plan(
    variant: str,
    neck_n: int,
    strong: Sequence[str],
    weak: Sequence[str],
    *,
    extras: Extras | None = None,
) -> Plan:
    """The plan of a variant.

    Args:
        variant: its name.
        neck_n: matters only where there are two branches and the name does not say it.
        strong: ids of the strong list.
        weak: ids of the weak list.
        extras: `train.extras` of params.yaml, of which the plan takes what the name asks for; may
            be left out where it asks for none.
    """
    found = find_variant(variant)
    assert found is not None, variant
    shared = neck_n if found.neck_n is None else found.neck_n
    return Plan(
        variant,
        shared if found.branches > 1 else ALL_SHARED,
        found.streams,
        tuple(strong),
        tuple(weak),
        found.natural,
        plan_extras(found.extras, extras) if found.extras else PlannedExtras(),
    )


def plan_extras(names: Sequence[str], extras: Extras | None) -> PlannedExtras:
    """The values of the extras in `names`; other values may change and the plan stays as it is."""
    assert extras is not None, f"{names} want the values of train.extras"
    consistent = "consistency" in names
    return PlannedExtras(
        ema_decay=extras.ema_decay if "ema" in names else None,
        confidence="confidence" in names,
        refresh_at=extras.refresh_at if "refresh" in names else None,
        consistency_weight=extras.consistency_weight if consistent else None,
        consistency_threshold=extras.consistency_threshold if consistent else None,
    )


def list_hash(ids: Sequence[str]) -> str:
    """SHA-256 of a list of ids, one a line: two people can tell that they used the same split.

    >>> list_hash(["a", "b"])[:8]
    '7e18f737'
    """
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()


def write_plans(folder: Path, plans: Sequence[Plan]) -> None:
    """Write strong.txt, weak.txt and plans/<variant>.json; all plans share the two lists."""
    (folder / "plans").mkdir()
    for name, ids in (("strong", plans[0].strong), ("weak", plans[0].weak)):
        (folder / f"{name}.txt").write_text("".join(f"{i}\n" for i in ids), "utf-8", newline="\n")
    for plan in plans:
        values = {
            "variant": plan.variant,
            "neck_n": plan.neck_n,
            "natural": plan.natural,
            "extras": asdict(plan.extras),
            "streams": [asdict(stream) for stream in plan.streams],
            "strong": {"images": len(plan.strong), "sha256": list_hash(plan.strong)},
            "weak": {"images": len(plan.weak), "sha256": list_hash(plan.weak)},
        }
        text = json.dumps(values, indent=2) + "\n"
        _plan_path(folder, plan.variant).write_text(text, "utf-8", newline="\n")


def read_plan(folder: Path, variant: str) -> Plan:
    """Read what stage split wrote for one variant.

    Raises:
        UserError: there is no plan for it, or a list is not the one the plan was made from.
    """
    return read_plans(folder, [variant])[variant]


def read_plans(folder: Path, variants: Sequence[str]) -> dict[str, Plan]:
    """Read several variants' plans; all hold the same two lists, which are in memory once.

    Raises:
        UserError: as `read_plan`.
    """
    found = {variant: _plan_values(folder, variant) for variant in variants}
    lists = {name: _read_list(folder / f"{name}.txt") for name in ("strong", "weak")}
    digests = {name: list_hash(ids) for name, ids in lists.items()}
    plans = {}
    for variant, values in found.items():
        path = _plan_path(folder, variant)
        try:
            for name, digest in digests.items():
                if values[name]["sha256"] != digest:
                    raise UserError(
                        f"{folder / name}.txt was changed after the split: run "
                        "`python -m stages.split`"
                    )
            plans[variant] = Plan(
                variant,
                values["neck_n"],
                tuple(Stream(**stream) for stream in values["streams"]),
                lists["strong"],
                lists["weak"],
                values["natural"],
                PlannedExtras(**values["extras"]),
            )
        except (KeyError, TypeError) as error:
            raise UserError(f"{path} is damaged: run `python -m stages.split`") from error
    return plans


def _read_list(path: Path) -> tuple[str, ...]:
    """Ids of one list, one a line."""
    try:
        return tuple(need(path, "split").read_text(encoding="utf-8").split("\n")[:-1])
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is damaged: run `python -m stages.split`") from error


def _plan_path(folder: Path, variant: str) -> Path:
    return folder / "plans" / f"{variant}.json"


def _plan_values(folder: Path, variant: str) -> dict[str, Any]:
    path = _plan_path(folder, variant)
    if find_variant(variant) is None:
        raise UserError(f"{variant!r} is no variant, but none of {NAMES}")
    if not path.exists():
        raise UserError(f"{path} is not there: add {variant!r} to variants and run stages.split")
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: run `python -m stages.split`") from error
    return values


def stream_pairs(manifest: Manifest, plan: Plan, proxies: Path = PROXY) -> list[list[Pair]]:
    """Image and mask files of every stream, behind a proxy mask its confidence if it counts.

    Raises:
        UserError: a proxy mask or its confidence is missing, a strong image has no mask, or the
            plan was made for another data set.
    """
    rows = {row.id: row for row in manifest.train()}

    def pair(image_id: str, labels: Labels) -> Pair:
        row = rows.get(image_id)
        if row is None:
            raise UserError(
                f"{plan.variant} is taught by {image_id!r}, which the data set does not train on "
                "(any more): run `python -m stages.split`"
            )
        image = manifest.path(row.image)
        if labels == "mask":
            if not row.mask:
                raise UserError(f"{plan.variant} wants the mask of {image_id!r}, which has none")
            return image, manifest.path(row.mask)
        mask = need(proxy_path(image_id, proxies), "proxy")
        if not plan.extras.confidence:
            return image, mask
        return image, mask, need(confidence_path(image_id, proxies), "proxy")

    streams = []
    for stream in plan.streams:
        strong = plan.strong * stream.repeat
        chosen = ((strong, stream.strong), (plan.weak, stream.weak))
        pairs = [pair(image_id, labels) for ids, labels in chosen if labels for image_id in ids]
        streams.append(pairs)
    return streams


def proxied(plan: Plan) -> list[str]:
    """Ids of the images that a variant's proxies teach, each once."""
    lists = [
        ids
        for stream in plan.streams
        for ids, labels in ((plan.strong, stream.strong), (plan.weak, stream.weak))
        if labels == "proxy"
    ]
    return list(dict.fromkeys(image_id for ids in lists for image_id in ids))


def proxy_path(image_id: str, proxies: Path = PROXY) -> Path:
    """Where stage proxy writes the mask of one image."""
    return proxies / "masks" / f"{image_id}.png"


def confidence_path(image_id: str, proxies: Path = PROXY) -> Path:
    """Where stage proxy writes how sure it is of that mask."""
    return proxies / "confidence" / f"{image_id}.png"
