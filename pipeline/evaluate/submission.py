"""Stage evaluate: masks of VOC's test images, packed as the evaluation server needs them.

The masks of VOC's test images are kept by the server, which scores one archive at a time. Test
images get into the manifest by a test.txt in the user's devkit (pipeline.datasets.voc.prepare).
"""

import gzip
import shutil
import tarfile
from functools import partial
from pathlib import Path

from pipeline.base.atomic import whole_file
from pipeline.data.manifest import Manifest, Row
from pipeline.devices.distributed import wait_for_all, world
from pipeline.runs.resume import walk
from pipeline.scoring.score import Refine, image_batches, predict_batch, write_masks
from pipeline.train.network import DualBranchNet

ARCHIVE = "submission.tar.gz"
# Competition 6 is segmentation with training data of one's own: SBD's masks, ImageNet's weights.
INSIDE = "results/VOC2012/Segmentation/comp6_test_cls"
SERVER = "http://host.robots.ox.ac.uk:8080"


def unscored(manifest: Manifest) -> list[Row]:
    """Images of split test without a mask, in the manifest's order."""
    return [row for row in manifest.of("test") if not row.mask]


def write_submission(
    network: DualBranchNet,
    manifest: Manifest,
    batch_size: int,
    folder: Path,
    what: str,
    resume: Path | None = None,
    refine: Refine | None = None,
) -> None:
    """Predict the test images and write `folder/submission.tar.gz`; nothing where there are none.

    Each process predicts its share; the leading one packs when all are done. The masks pass
    through a folder next to the archive, which is removed afterwards.

    Args:
        network: any trained network; it is left in eval mode.
        manifest: the data set.
        batch_size: images of one size that go through the network together.
        folder: a temporary folder that all processes see, such as `resumable_folder` gives.
        what: name of the progress bar.
        resume: folder for how far it is, from which a stopped run resumes, or None.
        refine: as in `predict_batch`.

    Raises:
        UserError: an image cannot be read.
    """
    rows = unscored(manifest)
    if not rows or (folder / ARCHIVE).exists():
        return
    masks = folder / "test"
    masks.mkdir(exist_ok=True)
    predict_masks(network, manifest, rows, batch_size, masks, what, resume, refine)
    wait_for_all()
    if world().leads:
        with whole_file(folder / ARCHIVE) as part:
            pack(masks, part)
    wait_for_all()
    shutil.rmtree(masks, ignore_errors=True)


def predict_masks(
    network: DualBranchNet,
    manifest: Manifest,
    rows: list[Row],
    batch_size: int,
    folder: Path,
    what: str,
    resume: Path | None = None,
    refine: Refine | None = None,
) -> None:
    """Write this process's share of the masks as palette PNGs, each as soon as it is known."""
    network.eval()
    through = partial(walk, folder=resume, arrays={}, what=what)
    for part, images_B3HW in image_batches(manifest, rows, batch_size, through):
        masks = predict_batch(network, images_B3HW, refine=refine)
        write_masks(part, masks, manifest.classes, folder)


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
