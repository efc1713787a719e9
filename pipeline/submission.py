"""Stage evaluate: masks of VOC's test images, packed as the evaluation server wants them.

The masks of VOC's test images are kept by the server, which scores one archive at a time. Test
images get into the manifest by a test.txt in the user's devkit (pipeline.datasets.voc).
"""

import gzip
import shutil
import tarfile
from pathlib import Path

import torch

from pipeline.distributed import wait_for_all, world
from pipeline.evaluate import image_batches, predict_batch
from pipeline.images import write_mask
from pipeline.manifest import Manifest, Row
from pipeline.network import DualBranchNet

ARCHIVE = "submission.tar.gz"
# Competition 6 is segmentation with training data of one's own: SBD's masks, ImageNet's weights.
INSIDE = "results/VOC2012/Segmentation/comp6_test_cls"
SERVER = "http://host.robots.ox.ac.uk:8080"


def unscored(manifest: Manifest) -> list[Row]:
    """Images of split test without a mask, in the manifest's order."""
    return [row for row in manifest.of("test") if not row.mask]


def write_submission(
    network: DualBranchNet, manifest: Manifest, batch_size: int, folder: Path, what: str
) -> None:
    """Predict the test images and write `folder/submission.tar.gz`; nothing where there are none.

    Each process predicts its share; the leading one packs when all are done. The masks pass
    through a folder beside the archive, which is gone afterwards.

    Args:
        network: any trained network; it is left in eval mode.
        manifest: the data set.
        batch_size: images of one size that go through the network together.
        folder: a temporary folder that all processes see, such as `shared_folder` gives.
        what: name of the progress bar.

    Raises:
        UserError: an image cannot be read.
    """
    rows = unscored(manifest)
    if not rows:
        return
    masks = folder / "test"
    masks.mkdir(exist_ok=True)
    predict_masks(network, manifest, rows, batch_size, masks, what)
    wait_for_all()
    if world().leads:
        pack(masks, folder / ARCHIVE)
        shutil.rmtree(masks)


def predict_masks(
    network: DualBranchNet,
    manifest: Manifest,
    rows: list[Row],
    batch_size: int,
    folder: Path,
    what: str,
) -> None:
    """Write this process's share of the masks as palette PNGs, each as soon as it is known."""
    network.eval()
    for part, images_B3HW in image_batches(manifest, rows, batch_size, what):
        predicted_BHW = predict_batch(network, images_B3HW).to(torch.uint8).cpu()
        for row, mask_HW in zip(part, predicted_BHW.numpy(), strict=True):
            write_mask(folder / f"{row.id}.png", mask_HW, manifest.classes)


def pack(masks: Path, archive: Path) -> None:
    """Pack all PNGs of a folder in VOC's layout; the same masks give the same bytes.

    Names are sorted, owners, times and modes are the same for all. The PNGs hold little air, so
    they are packed fast rather than tight.
    """
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for path in sorted(masks.glob("*.png")):
            member = tarfile.TarInfo(f"{INSIDE}/{path.name}")
            member.size = path.stat().st_size
            with path.open("rb") as file:
                tar.addfile(member, file)
