"""Masks for photographs, in three lines of Python.

from pipeline.model.predict import load_model

model = load_model("model.safetensors")
mask = model.predict("photograph.jpg")
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pipeline.base.errors import UserError
from pipeline.batches.augment import image_tensor
from pipeline.data.images import Bytes, read_image, shrink
from pipeline.devices.choice import named_device
from pipeline.devices.device import placed
from pipeline.model.inference import Band, Options, predict_bands
from pipeline.model.model_file import ModelInfo, read_model
from pipeline.train.network import DualBranchNet

ImageInput = str | Path | Bytes
WHOLE = Options()


class Model:
    """A trained network with its description.

    Attributes:
        info: classes, colours, scores, origin.
        network: in eval mode.
    """

    def __init__(
        self, info: ModelInfo, network: DualBranchNet, device: torch.device | None = None
    ) -> None:
        """Put the network on a device; None: on this process's, as stage evaluate does."""
        self.info = info
        self.network = placed(network, device)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; a mask contains their indices."""
        return self.info.class_list.names

    def predict(self, image: ImageInput, options: Options = WHOLE) -> Bytes:
        """Predict the class indices of an image at its own size.

        Args:
            image: a file, or RGB bytes (H, W, 3); a file is turned upright by its EXIF data.
            options: scales, mirroring and windows; the default is how the paper predicts.

        Returns:
            array (H, W), uint8.

        Raises:
            UserError: the image cannot be read, or the array is not one of RGB bytes.
        """
        return np.concatenate([band.mask_RW for band in self.bands(self.read(image), options)])

    def probabilities(self, image: ImageInput, options: Options = WHOLE) -> NDArray[np.float32]:
        """Probability of each class at each pixel; arguments and errors as in `predict`.

        Returns:
            array (C, H, W), float32; it sums to 1 over the classes.
        """
        bands = self.bands(self.read(image), options, probabilities=True)
        parts = [band.probabilities_CRW for band in bands if band.probabilities_CRW is not None]
        found: NDArray[np.float32] = torch.cat(parts, dim=1).numpy()
        return found

    def read(self, image: ImageInput) -> Tensor:
        """An image as `predict` takes it, as a uint8 tensor (3, H, W); errors as there.

        16 bits are scaled as in training; without any there, by the photograph's own range.
        """
        return as_tensor(image, self.info.white)

    def bands(
        self, image_3HW: Tensor, options: Options, *, probabilities: bool = False
    ) -> Iterator[Band]:
        """Predict from top to bottom, for images whose probabilities do not fit into memory.

        The image is brought to the working size of the training, the result back to its own size.
        """
        size = image_3HW.shape[-2], image_3HW.shape[-1]
        working_3hw = self.working(image_3HW, options.longest_side or self.info.longest_side)
        return predict_bands(self.network, working_3hw, options, size, probabilities=probabilities)

    def working(self, image_3HW: Tensor, longest_side: int | None) -> Tensor:
        """An image as stage download scales it for training."""
        if longest_side is None or max(image_3HW.shape) <= longest_side:
            return image_3HW
        photograph = Image.fromarray(image_3HW.permute(1, 2, 0).contiguous().numpy())
        return image_tensor(shrink(photograph, longest_side))


def load_model(path: str | Path, device: str = "auto") -> Model:
    """Read a model file that stage package wrote.

    Args:
        path: the file.
        device: `cpu`, `cuda`, `cuda:N` or `mps`; `auto` is the first GPU where there is one, else
            the CPU.

    Raises:
        UserError: it is missing, not a model file, damaged, or of another format; or the device is
            not there.
    """
    where = named_device(device, "device")
    return Model(*read_model(Path(path)), where)


def as_tensor(image: ImageInput, white: int | None = None) -> Tensor:
    """An image as a uint8 tensor (3, H, W); `white` is for `read_image`.

    Raises:
        UserError: it cannot be read, or is not RGB bytes.
    """
    if isinstance(image, str | Path):
        return image_tensor(read_image(Path(image), white=white))
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[-1] != 3 or not array.size:
        raise UserError(
            f"an image has to be a file or an array (height, width, 3) of bytes, not "
            f"{array.shape} of {array.dtype}; of a Pillow image: np.asarray(image.convert('RGB'))"
        )
    return torch.from_numpy(np.array(array)).permute(2, 0, 1)
