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
from pipeline.paths import PROXY
from pipeline.sampling import Pair
from pipeline.variants import Labels, Stream, find_variant

ALL_SHARED = 3  # with one branch there is nobody to share with: all convolutions are the neck


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


def make_plan(variant: str, neck_n: int, strong: Sequence[str], weak: Sequence[str]) -> Plan:
    """The plan of a variant; `neck_n` matters only where there are two branches."""
    found = find_variant(variant)
    assert found is not None, variant
    shared = neck_n if found.branches > 1 else ALL_SHARED
    return Plan(variant, shared, found.streams, tuple(strong), tuple(weak), found.natural)


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
            "streams": [asdict(stream) for stream in plan.streams],
            "strong": {"images": len(plan.strong), "sha256": list_hash(plan.strong)},
            "weak": {"images": len(plan.weak), "sha256": list_hash(plan.weak)},
        }
        text = json.dumps(values, indent=2) + "\n"
        (folder / "plans" / f"{plan.variant}.json").write_text(text, "utf-8", newline="\n")


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
    lists = {}
    for name in ("strong", "weak"):
        file = folder / f"{name}.txt"
        lists[name] = tuple(file.read_text(encoding="utf-8").split("\n")[:-1])
        digest = list_hash(lists[name])
        if any(values[name]["sha256"] != digest for values in found.values()):
            raise UserError(f"{file} was changed after the split: run `python -m stages.split`")
    return {
        variant: Plan(
            variant,
            values["neck_n"],
            tuple(Stream(**stream) for stream in values["streams"]),
            lists["strong"],
            lists["weak"],
            values["natural"],
        )
        for variant, values in found.items()
    }


def _plan_values(folder: Path, variant: str) -> dict[str, Any]:
    path = folder / "plans" / f"{variant}.json"
    if not path.exists():
        raise UserError(f"{path} is not there: add {variant!r} to variants and run stages.split")
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def stream_pairs(manifest: Manifest, plan: Plan, proxies: Path = PROXY) -> list[list[Pair]]:
    """Image and mask files of every stream.

    Raises:
        UserError: a proxy mask is missing, or a strong image has no mask.
    """
    rows = {row.id: row for row in manifest.train()}

    def pair(image_id: str, labels: Labels) -> Pair:
        row = rows[image_id]
        mask = manifest.path(row.mask) if labels == "mask" else proxy_path(image_id, proxies)
        if labels == "mask" and not row.mask:
            raise UserError(f"{plan.variant} wants the mask of {image_id!r}, which has none")
        return manifest.path(row.image), need(mask, "proxy") if labels == "proxy" else mask

    streams = []
    for stream in plan.streams:
        strong = plan.strong * stream.repeat
        chosen = ((strong, stream.strong), (plan.weak, stream.weak))
        pairs = [pair(image_id, labels) for ids, labels in chosen if labels for image_id in ids]
        streams.append(pairs)
    return streams


def proxy_path(image_id: str, proxies: Path = PROXY) -> Path:
    """Where stage proxy writes the mask of one image."""
    return proxies / "masks" / f"{image_id}.png"
