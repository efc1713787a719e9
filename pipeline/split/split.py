"""Stage split: which training images keep their masks, and what each variant is trained on."""

import logging
from dataclasses import replace
from pathlib import Path

from pipeline.base.errors import UserError
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import proxies_hash
from pipeline.data.plan import list_hash, make_plan, write_plans
from pipeline.devices.device import rng
from pipeline.settings.params import Params
from pipeline.split.absent_classes import absence_warnings, absent_classes

log = logging.getLogger(__name__)


def write_split(params: Params, manifest: Manifest, folder: Path) -> dict[str, str]:
    """Write strong.txt, weak.txt and a plan for every variant into `folder`.

    A class that no strong mask or no val mask holds gives a warning.

    Returns:
        short description of each list: its length and the head of its hash.

    Raises:
        UserError: more strong images are asked for than have masks, a list is empty or shares an
            image with another, or a proxy is missing.
    """
    strong, weak = draw_lists(params, manifest)
    val = [row.id for row in manifest.of("val")]
    check_lists(strong, weak, None if manifest.fold_sizes else val)
    for warning in absence_warnings(absent_classes(manifest, strong)):
        log.warning("%s", warning)
    neck_n, extras = params.neck_n, params.extras
    plans = [make_plan(v, neck_n, strong, weak, extras=extras) for v in params.variants]
    write_plans(folder, [replace(plan, proxies=proxies_hash(plan)) for plan in plans])
    return {
        name: f"{len(ids)} images, sha256 {list_hash(ids)[:12]}"
        for name, ids in (("strong", strong), ("weak", weak))
    }


def draw_lists(params: Params, manifest: Manifest) -> tuple[list[str], list[str]]:
    """The data set's own strong and weak lists, or `split.strong` images drawn with `seed`.

    Raises:
        UserError: more strong images are asked for than have masks.
    """
    rows, count = manifest.train(), params.split.strong
    if count is None:
        strong = {row.id for row in rows if row.split == "strong"}
    else:
        masked = [row.id for row in rows if row.mask]
        if count > len(masked):
            raise UserError(
                f"split.strong: {count} asked for, but only {len(masked)} images have masks"
            )
        chosen = rng(params.seed, 5).permutation(len(masked))[:count]
        strong = {masked[int(i)] for i in chosen}
    return (
        [row.id for row in rows if row.id in strong],
        [row.id for row in rows if row.id not in strong and row.tags is not None],
    )


def check_lists(strong: list[str], weak: list[str], val: list[str] | None) -> None:
    """Refuse lists that are empty, share an image, or hold one of val.

    Where there are folds val is None: strong images are held out and scored in turn.

    Raises:
        UserError: naming the list and the first images.
    """
    for name, ids in (("strong", strong), ("weak", weak), ("val", val)):
        if ids is not None and not ids:
            raise UserError(f"the {name} list is empty; the experiment needs all three lists")
    for first, second, overlap in (
        ("strong", "weak", set(strong) & set(weak)),
        ("strong", "val", set(strong) & set(val or ())),
        ("weak", "val", set(weak) & set(val or ())),
    ):
        if overlap:
            named = ", ".join(sorted(overlap)[:5])
            raise UserError(f"{len(overlap)} images are both {first} and {second}: {named}")
