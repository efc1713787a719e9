"""Stage split: which training images keep their masks, and what each variant is trained on."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.base.digests import digest
from pipeline.base.errors import UserError, need
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import made_by, proxies_hash
from pipeline.data.plan import Plan, list_hash, make_plan, write_plans
from pipeline.data.randomness import rng
from pipeline.data.seeds import CLASSIFIER
from pipeline.settings.params import Params
from pipeline.settings.paths import SEEDS
from pipeline.settings.variants import find_variant
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
    plans = [plan_of(variant, params, (strong, weak)) for variant in params.variants]
    start = start_digest(params)
    plans = [replace(plan, proxies=proxies_hash(plan), start=start) for plan in plans]
    write_plans(folder, plans)
    return {
        name: f"{len(ids)} images, sha256 {list_hash(ids)[:12]}"
        for name, ids in (("strong", strong), ("weak", weak))
    }


def plan_of(variant: str, params: Params, lists: tuple[list[str], list[str]]) -> Plan:
    """A variant's plan: on all images, or on those that its generator has made proxies of.

    Raises:
        UserError: that generator has made no proxy of a weak image; or the variant is trained on
            proxies of strong images, and one has none.
    """
    found = find_variant(variant)
    assert found is not None
    strong, weak = lists
    epoch_images = len(weak)  # an epoch is as long for every variant, whatever has proxies
    generator = found.generator or params.proxy.generators[0]
    if found.uses_proxies:
        made_strong, weak = lists_of(generator, strong, weak)
        lacking = len(strong) - len(made_strong)
        if lacking and any(stream.strong == "proxy" for stream in found.streams):
            raise UserError(
                f"variants: {variant!r} is trained on proxies of the strong images, too, and "
                f"generator {generator} has none for {lacking} of {len(strong)}: leave it out, or "
                "name another generator"
            )
    return make_plan(
        variant,
        params.neck_n,
        strong,
        weak,
        extras=params.extras,
        generator=generator,
        epoch_images=epoch_images,
    )


def lists_of(
    generator: str, strong: Sequence[str], weak: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Those of two lists that a generator has made proxies of.

    Raises:
        UserError: of the weak ones there is none.
    """
    made = set(made_by(generator))
    chosen = [i for i in strong if i in made], [i for i in weak if i in made]
    if not chosen[1]:
        raise UserError(
            f"generator {generator} made no proxy of a weak image: dsrg needs tags, files masks in "
            "the folder proxies/; take a generator that made some: -S 'proxy.generators=[self]'"
        )
    return chosen


def start_digest(params: Params) -> str | None:
    """SHA-256 of the classifier that trainings start from; None where they do not."""
    if params.backbone_weights != "classifier":
        return None
    return digest(need(SEEDS / CLASSIFIER, "seeds"))


def draw_lists(params: Params, manifest: Manifest) -> tuple[list[str], list[str]]:
    """The data set's own strong and weak lists, or `split.strong` images, drawn.

    By `seed` and `split.draw`: another draw makes no proxies anew, another seed does.

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
        chosen = rng(params.seed, 5, params.split.draw).permutation(len(masked))[:count]
        strong = {masked[int(i)] for i in chosen}
    return (
        [row.id for row in rows if row.id in strong],
        [row.id for row in rows if row.id not in strong],
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
