"""Picture grids like the paper's Fig. 4 and Fig. 7, with images chosen by stated rules."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.base.errors import need
from pipeline.base.progress import track
from pipeline.data.images import Bytes, read_mask
from pipeline.data.manifest import Manifest, Row
from pipeline.data.pairs import made_by, proxy_path
from pipeline.report.scored_networks import DSRG_ROW, dsrg_row, stage_of, subject
from pipeline.report.sources import read_table, stale
from pipeline.report.strips import Strip, StripBuilder, spread_evenly
from pipeline.scoring.metrics import image_iou
from pipeline.settings.needs import needed_by
from pipeline.settings.params import Params
from pipeline.settings.paths import PREDICTIONS, SEEDS, proxy_dir

COLUMNS = 6  # networks that fit side by side; if there are more, only the paper's are shown
MAIN_COLUMNS = (DSRG_ROW, "weak", "mixed", "strong", "dual")


@dataclass(frozen=True)
class Grid:
    """Strips, one below the other, and the classes in any of them (255: no label)."""

    strips: tuple[Strip, ...]
    indices: tuple[int, ...]


def by_rank(count: int, each: int) -> dict[str, list[int]]:
    """Places of the best, the middle and the worst of `count` things in rising order.

    >>> by_rank(100, 2)
    {'best': [99, 98], 'median': [49, 50], 'worst': [1, 0]}
    >>> by_rank(2, 5)
    {'best': [1], 'median': [], 'worst': [0]}
    """
    each = max(1, min(each, count // 3))
    best = list(range(count - 1, count - 1 - each, -1))
    worst = [place for place in range(each - 1, -1, -1) if place not in best]
    first = (count - each) // 2
    middle = [p for p in range(first, first + each) if p not in best and p not in worst]
    return {"best": best, "median": middle, "worst": worst}


def shown_columns(params: Params) -> list[str]:
    """The networks that fit into a grid: all, or the paper's and the report's subject."""
    names = [*dsrg_row(params), *params.variants]
    if len(names) <= COLUMNS:
        return names
    return [name for name in names if name in (*MAIN_COLUMNS, subject(params.variants))]


def prediction_path(name: str, image_id: str) -> Path:
    """The file of a network's prediction.

    Raises:
        UserError: it is missing.
    """
    return need(PREDICTIONS / name / f"{image_id}.png", stage_of(name))


def read_prediction(name: str, image_id: str, truth_HW: Bytes) -> Bytes:
    """The mask that a network predicts.

    Raises:
        UserError: it is missing, or has another size than its image.
    """
    path = prediction_path(name, image_id)
    mask_HW = read_indices(path)
    if mask_HW.shape != truth_HW.shape:
        raise stale(path, "has another size than its image", stage_of(name))
    return mask_HW


def read_seed_grids(manifest: Manifest, names: Collection[str]) -> dict[str, Bytes]:
    """The localisation seeds (h, w) of those of some images that have seeds: the tagged ones.

    Raises:
        UserError: they are missing, damaged, or were made for another data set.
    """
    path = need(SEEDS / "seeds.npy", "seeds")
    try:
        seeds_Nhw: Bytes = np.load(path, mmap_mode="r")
    except (ValueError, EOFError):
        raise stale(path, "is damaged", "seeds") from None
    rows, wanted = manifest.tagged(), set(names)
    if len(seeds_Nhw) != len(rows):
        raise stale(path, "was made for another data set", "seeds")
    places = ((place, row.id) for place, row in enumerate(rows) if row.id in wanted)
    return {name: np.array(seeds_Nhw[place]) for place, name in places}


def val_grid(params: Params, manifest: Manifest) -> dict[str, Grid]:
    """The val images with the best, middle and worst predictions of the report's subject (Fig. 7).

    Raises:
        UserError: a prediction is missing or has another size than its image.
    """
    about, classes = subject(params.variants), len(manifest.classes)
    rows = manifest.scored()
    scores = []
    for row in track(rows, "report: rank val images"):
        truth_HW = read_indices(manifest.truth_path(row))
        mask_HW = read_prediction(about, row.id, truth_HW)
        scores.append(image_iou(truth_HW, mask_HW, classes))
    order = [rows[place] for place in np.argsort(scores, kind="stable")]
    names = shown_columns(params)
    return {
        kind: _grid(_val_strip(manifest, names, order[place]) for place in places)
        for kind, places in by_rank(len(order), params.report.rows).items()
        if places
    }


def proxy_grids(params: Params, manifest: Manifest, weak: Sequence[str]) -> dict[str, Grid]:
    """Weak images with seeds and proxies: the worst proxies (Fig. 4), and evenly spaced images.

    Raises:
        UserError: the seeds or a proxy are missing.
    """
    rows = params.report.rows
    made = {image_id for name in params.proxy.generators for image_id in made_by(name)}
    weak = [image_id for image_id in weak if image_id in made]
    spread = [weak[place] for place in spread_evenly(len(weak), rows)]
    scores = {name: proxy_scores(set(weak), name) for name in params.proxy.generators}
    first = scores[params.proxy.generators[0]]
    worst = sorted(first, key=lambda name: (first[name], name))[:rows]
    chosen = {"worst": worst, "spread": spread} if worst else {"spread": spread}
    seeded = bool(needed_by(params)["dsrg"])
    return {
        kind: _grid(_proxy_strips(manifest, names, scores, seeded))
        for kind, names in chosen.items()
    }


def proxy_scores(weak: set[str], generator: str) -> dict[str, float]:
    """IoU of the proxy in each weak image that has a true mask; empty if none has."""
    path = proxy_dir(generator) / "images.csv"
    if not path.exists():
        return {}
    table = read_table(path, f"proxy {generator}", ("id", "proxy_iou"))
    return {row["id"]: float(row["proxy_iou"]) for row in table if row["id"] in weak}


def _grid(made: Iterable[tuple[Strip, set[int]]]) -> Grid:
    strips, used = [], set()
    for strip, indices in made:
        strips.append(strip)
        used |= indices
    return Grid(tuple(strips), tuple(sorted(used)))


def _val_strip(manifest: Manifest, names: Sequence[str], row: Row) -> tuple[Strip, set[int]]:
    truth_HW = read_indices(manifest.truth_path(row))
    strip = StripBuilder(manifest.classes, row, manifest.path(row.image))
    strip.add_mask(truth_HW, "truth", f"true mask of {row.id}")
    for name in names:
        mask_HW = read_indices(prediction_path(name, row.id))
        score = f"{image_iou(truth_HW, mask_HW, len(manifest.classes)):.0f}"
        strip.add_mask(mask_HW, f"{name} {score}", f"prediction of {name} for {row.id}")
    return strip.done()


def _proxy_strips(
    manifest: Manifest,
    names: Sequence[str],
    scores: Mapping[str, Mapping[str, float]],
    seeded: bool,
) -> Iterable[tuple[Strip, set[int]]]:
    """Photograph, truth, seeds if there are any, and each generator's proxy if it has one."""
    seeds = read_seed_grids(manifest, names) if seeded else {}
    made = {generator: set(made_by(generator)) for generator in scores}
    rows = {row.id: row for row in manifest.train()}
    for name in names:
        row = rows[name]
        strip = StripBuilder(manifest.classes, row, manifest.path(row.image))
        if row.mask:
            strip.add_mask(read_indices(manifest.path(row.mask)), "truth", f"true mask of {name}")
        if name in seeds:
            strip.add_mask(seeds[name], "seeds", f"localisation seeds of {name}")
        for layer, generator in proxy_layers(list(scores)).items():
            if name in made[generator]:
                score = f" {scores[generator][name]:.0f}" if name in scores[generator] else ""
                proxy_HW = read_proxy(name, generator)
                strip.add_mask(proxy_HW, f"{layer}{score}", f"{layer} for {name}")
        yield strip.done()


def proxy_layers(generators: Sequence[str]) -> dict[str, str]:
    """What proxies are called, and their generator.

    >>> proxy_layers(["dsrg"]), proxy_layers(["dsrg", "self"])
    ({'proxy': 'dsrg'}, {'proxy of dsrg': 'dsrg', 'proxy of self': 'self'})
    """
    if len(generators) == 1:
        return {"proxy": generators[0]}
    return {f"proxy of {name}": name for name in generators}


def read_proxy(image_id: str, generator: str, size: tuple[int, int] | None = None) -> Bytes:
    """The proxy mask (H, W) that a generator made of an image.

    Raises:
        UserError: it is missing, or has another size.
    """
    path = need(proxy_path(image_id, proxy_dir(generator)), f"proxy {generator}")
    return read_indices(path, size)


def read_indices(path: Path, size: tuple[int, int] | None = None) -> Bytes:
    """A mask of class indices (H, W), of this width and height where they are given."""
    return np.array(read_mask(path, size=size))
