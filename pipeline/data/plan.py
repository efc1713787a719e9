"""Plans: for each variant, which branch is trained on which lists with which labels.

A plan holds everything that a variant's training takes from the choice of variant, and nothing
else; so changing `neck_n` changes the plan of `dual` alone, and DVC trains `dual` alone again.
Proxies and the weights that training starts from are in it by their checksum: new ones train those
variants again that use them.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.base.errors import UserError, need
from pipeline.data.id_lists import read_ids, write_ids
from pipeline.settings.params import Extras
from pipeline.settings.variants import NAMES, Stream, find_variant

ALL_SHARED = 3  # with one branch all convolutions are the neck


@dataclass(frozen=True)
class PlannedExtras:
    """What a training does beyond the paper (docs/choices.md); None or False: it does not.

    Attributes:
        ema_decay: of the moving average of the network.
        confidence: whether proxy pixels weigh as much as they are sure.
        refresh_at: share of the steps after which the network makes its proxies itself.
        consistency_weight: of the loss on strongly augmented weak images.
        consistency_threshold: probability above which a prediction is trained on there.
    """

    ema_decay: float | None = None
    confidence: bool = False
    refresh_at: float | None = None
    consistency_weight: float | None = None
    consistency_threshold: float | None = None


@dataclass(frozen=True)
class Plan:
    """One variant: its streams, how many convolutions they share, and the two lists.

    Attributes:
        weak: those of the weak images that the generator has made a proxy of; all of them where
            the variant uses none.
        natural: batches are drawn from all streams at once (`variants.Variant`).
        proxies: SHA-256 of the proxies it is trained on (`pairs.proxies_hash`); None: of none.
        generator: who made them; None: it uses none.
        start: SHA-256 of the classifier it starts from; None: it starts from other weights.
        epoch_images: weak images of an epoch, the same for every variant (§3.3).
    """

    variant: str
    neck_n: int
    streams: tuple[Stream, ...]
    strong: tuple[str, ...]
    weak: tuple[str, ...]
    natural: bool = False
    extras: PlannedExtras = PlannedExtras()
    proxies: str | None = None
    generator: str | None = None
    start: str | None = None
    epoch_images: int = 0


def make_plan(
    variant: str,
    neck_n: int,
    strong: Sequence[str],
    weak: Sequence[str],
    *,
    extras: Extras | None = None,
    generator: str = "dsrg",
    epoch_images: int | None = None,
) -> Plan:
    """The plan of a variant.

    Args:
        variant: its name.
        neck_n: matters only where there are two branches and the name does not say it.
        strong: ids of the strong list.
        weak: ids of the weak list.
        extras: that block of params.yaml, of which the plan takes what the name asks for; may
            be left out where it asks for none.
        generator: who makes the proxies if the name does not say it.
        epoch_images: weak images of an epoch; None: those of the list.
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
        generator=(found.generator or generator) if found.uses_proxies else None,
        epoch_images=len(weak) if epoch_images is None else epoch_images,
    )


def plan_extras(names: Sequence[str], extras: Extras | None) -> PlannedExtras:
    """The values of the extras in `names`; other values may change and the plan stays as it is."""
    assert extras is not None, f"{names} need the values of `extras`"
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
    """Write plans/<variant>.json, and the lists: strong.txt, weak.txt, weak-<generator>.txt."""
    (folder / "plans").mkdir()
    for plan in plans:
        # Named by this plan alone: another variant in the run must not change what it holds.
        weak = "weak" if len(plan.weak) == plan.epoch_images else f"weak-{plan.generator}"
        for name, ids in (("strong", plan.strong), (weak, plan.weak)):
            write_ids(folder / f"{name}.txt", ids)
        values = {
            "variant": plan.variant,
            "neck_n": plan.neck_n,
            "natural": plan.natural,
            "extras": asdict(plan.extras),
            "streams": [asdict(stream) for stream in plan.streams],
            "strong": _list_entry("strong", plan.strong),
            "weak": _list_entry(weak, plan.weak),
            "proxies": plan.proxies,
            "generator": plan.generator,
            "start": plan.start,
            "epoch_images": plan.epoch_images,
        }
        text = json.dumps(values, indent=2) + "\n"
        _plan_path(folder, plan.variant).write_text(text, "utf-8", newline="\n")


def _list_entry(name: str, ids: tuple[str, ...]) -> dict[str, Any]:
    """A list in a plan: its file, length and hash."""
    return {"list": name, "images": len(ids), "sha256": list_hash(ids)}


def read_plan(folder: Path, variant: str) -> Plan:
    """Read what stage split wrote for one variant.

    Raises:
        UserError: there is no plan for it, or a list is not the one the plan was made from.
    """
    return read_plans(folder, [variant])[variant]


def read_plans(folder: Path, variants: Sequence[str]) -> dict[str, Plan]:
    """Read several variants' plans; a list that several hold is in memory once.

    Raises:
        UserError: as `read_plan`.
    """
    found = {variant: _plan_values(folder, variant) for variant in variants}
    plans, lists = {}, dict[str, tuple[str, ...]]()
    for variant, values in found.items():
        path = _plan_path(folder, variant)
        try:
            for entry in (values["strong"], values["weak"]):
                _read_list(folder, entry, lists)
            plans[variant] = Plan(
                variant,
                values["neck_n"],
                tuple(Stream(**stream) for stream in values["streams"]),
                lists[values["strong"]["list"]],
                lists[values["weak"]["list"]],
                values["natural"],
                PlannedExtras(**values["extras"]),
                values["proxies"],
                values["generator"],
                values["start"],
                values["epoch_images"],
            )
        except (KeyError, TypeError) as error:
            raise UserError(f"{path} is damaged: run `python -m stages.split`") from error
    return plans


def _read_list(folder: Path, entry: Mapping[str, Any], lists: dict[str, tuple[str, ...]]) -> None:
    """Read the list of a plan's entry, one id a line, unless it is there; check that it is it."""
    name = entry["list"]
    path = need(folder / f"{name}.txt", "split")
    if name not in lists:
        try:
            lists[name] = tuple(read_ids(path))
        except UnicodeDecodeError as error:
            raise UserError(f"{path} is damaged: run `python -m stages.split`") from error
    if list_hash(lists[name]) != entry["sha256"]:
        raise UserError(f"{path} was changed after the split: run `python -m stages.split`")


def _plan_path(folder: Path, variant: str) -> Path:
    return folder / "plans" / f"{variant}.json"


def _plan_values(folder: Path, variant: str) -> dict[str, Any]:
    path = _plan_path(folder, variant)
    if find_variant(variant) is None:
        raise UserError(f"{variant!r} is not a variant; variants are {NAMES}")
    if not path.exists():
        raise UserError(f"{path} is not there: add {variant!r} to variants and run stages.split")
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: run `python -m stages.split`") from error
    return values
