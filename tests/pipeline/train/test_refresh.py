"""Proxies made anew: which images, within which classes, by which network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pipeline.batches.augment import image_tensor, normalise
from pipeline.data.images import read_image, read_mask
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import confidence_path, proxy_path
from pipeline.data.plan import Plan, make_plan
from pipeline.train.build import build_network
from pipeline.train.network import DualBranchNet
from pipeline.train.refresh import best_tagged, refresh_proxies
from tests.settings import small_params


def plan(manifest: Manifest, variant: str) -> Plan:
    strong, weak = ([row.id for row in manifest.of(split)] for split in ("strong", "weak"))
    return make_plan(variant, 1, strong, weak, extras=small_params().extras)


def network(manifest: Manifest) -> DualBranchNet:
    """A network with large random logits, so that it would often choose an untagged class."""
    torch.manual_seed(0)
    subject = build_network(
        small_params(), plan(manifest, "dual+refresh"), len(manifest.classes), "none"
    )
    for branch in subject.branches:
        torch.nn.init.normal_(branch[-1].weight, std=3.0)
    return subject


@pytest.mark.parametrize("tags", [(), (3,), (4, 1)])
def test_the_best_of_background_and_tags(tags: tuple[int, ...]) -> None:
    logits = 4 * torch.randn(6, 5, 7, generator=torch.Generator().manual_seed(0)).double()
    mask, p = best_tagged(logits, tags)
    for y, x in np.ndindex(5, 7):
        powers = {c: float(logits[c, y, x].exp()) for c in (0, *tags)}
        assert int(mask[y, x]) == max(powers, key=powers.__getitem__)
        assert float(p[y, x]) == pytest.approx(max(powers.values()) / sum(powers.values()))


@pytest.mark.parametrize(
    ("variant", "splits"),
    [("dual+refresh", {"weak"}), ("weak+refresh", {"strong", "weak"}), ("mixed+refresh", {"weak"})],
)
def test_who_gets_new_proxies(
    manifest: Manifest, tmp_path: Path, variant: str, splits: set[str]
) -> None:
    refresh_proxies(network(manifest), manifest, plan(manifest, variant), 4, tmp_path / "new")
    written = {path.stem for path in (tmp_path / "new" / "masks").iterdir()}
    assert written == {row.id for split in splits for row in manifest.of(split)}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["masks"]


def test_they_are_the_strong_branchs_within_the_tags(manifest: Manifest, tmp_path: Path) -> None:
    subject = network(manifest).train()
    wanted = plan(manifest, "dual+confidence+refresh")
    refresh_proxies(subject, manifest, wanted, 4, tmp_path / "new")
    assert subject.training
    subject.eval()
    classes = set()
    for row in manifest.of("weak"):
        image = image_tensor(read_image(manifest.path(row.image)))[None]
        with torch.inference_mode():
            features = subject.neck(subject.backbone(normalise(image)))
            grid = subject.branches[0](features)  # stride 4, block-centred, 32 px
        full = F.interpolate(grid, (32, 32), mode="bilinear", align_corners=False)[0]
        labels = torch.tensor([0, *row.tags])
        p, place = full[labels].softmax(0).max(0)
        found = np.array(read_mask(proxy_path(row.id, tmp_path / "new")))
        same = found == labels[place].numpy()
        assert same.mean() > 0.99  # but for ties in rounding
        grey = np.array(read_mask(confidence_path(row.id, tmp_path / "new")))
        assert np.abs(grey / 255 - p.numpy())[same].max() <= 0.5 / 15 + 1e-3
        classes |= set(np.unique(found))
    assert len(classes) > 1


def test_the_network_alone_decides(manifest: Manifest, tmp_path: Path) -> None:
    wanted, subject = plan(manifest, "dual+refresh"), network(manifest)
    few = replace(manifest, rows=tuple(replace(row, mask="") for row in manifest.rows))
    for name, known in (("a", manifest), ("b", few)):  # true masks have no say
        refresh_proxies(subject, known, wanted, 4, tmp_path / name)
    (tmp_path / "a" / "masks" / "stale.png").touch()
    torch.nn.init.normal_(subject.branches[1][-1].weight, std=50.0)
    refresh_proxies(subject, few, wanted, 4, tmp_path / "a")  # replaced as a whole
    files = sorted(path.name for path in (tmp_path / "a" / "masks").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "b" / "masks").iterdir())
    for name in files:
        one, two = ((tmp_path / f / "masks" / name).read_bytes() for f in "ab")
        assert one == two  # the weak branch has no say
    torch.nn.init.normal_(subject.branches[0][-1].weight, std=50.0)
    refresh_proxies(subject, few, wanted, 4, tmp_path / "b")
    assert any(
        (tmp_path / "a" / "masks" / n).read_bytes() != (tmp_path / "b" / "masks" / n).read_bytes()
        for n in files
    )
