"""Seeds as stage seeds leaves them for dsrg, proxy and the report."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.base.errors import UserError, need
from pipeline.data.manifest import Manifest

CLASSIFIER = "classifier.safetensors"  # beside the seeds
UNSEEDED = 255  # a grid point without a seed


def read_seeds(folder: Path, manifest: Manifest) -> NDArray[np.uint8]:
    """Seeds of every strong and weak row, (N, h, w), mapped from the file, not read into memory.

    Raises:
        UserError: the file is missing or damaged, or was made from another manifest.
    """
    path = need(folder / "seeds.npy", "seeds")
    try:
        seeds_Nhw: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise UserError(f"{path} is damaged ({error}): run `python -m stages.seeds`") from error
    if len(seeds_Nhw) != len(manifest.tagged()):
        raise UserError(
            f"{path} holds {len(seeds_Nhw)} images, the manifest {len(manifest.tagged())}: "
            "run `python -m stages.seeds` again"
        )
    return seeds_Nhw
