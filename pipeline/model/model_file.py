"""One trained network in one file: tensors, and all that is needed to use them.

It is a safetensors file whose header holds, under one key, JSON text: how the network is built,
its classes and their colours, how images are normalised, and where it comes from. Only what
inference needs is in it: backbone, neck and branch 0.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import AfterValidator, Field, ValidationError, model_validator
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from pipeline.base.atomic import whole_file
from pipeline.base.errors import UserError
from pipeline.batches.augment import MEAN, STD
from pipeline.data.manifest import ClassList, make_classes
from pipeline.networks.backbone import Backbone, build_body
from pipeline.networks.weights import misfit
from pipeline.settings.params import Block, Count, Positive, Timm
from pipeline.settings.registry import BACKBONES
from pipeline.train.network import DualBranchNet

FORMAT = 1
KEY = "strong_weak_segmentation"
INFERENCE_PARTS = ("backbone.", "neck.", "branches.0.")
WAY_OUT = "`python -m stages.package dual` writes one"

Byte = Annotated[int, Field(ge=0, le=255)]
Three = tuple[float, float, float]


class ClassEntry(Block):
    """One class: its name and the colour it has in palette PNGs."""

    name: str
    colour: tuple[Byte, Byte, Byte]


class Scores(Block):
    """How good networks of this kind are on the val images; percent.

    Attributes:
        images: how many were scored.
        seeds: how many networks, trained with other seeds, the means are over; with folds, how
            many times one for each fold.
        means: of these networks, as metrics/<variant>.json has them.
        this: mIoU of the network in the file, with folds on its own.
        classes: mean IoU of each class that occurs.
        folds: how many images are in each, where each was scored by networks trained without it.
        fold: which of them the network in the file was trained without.
    """

    images: Positive
    seeds: Positive
    means: dict[str, float]
    this: float
    classes: dict[str, float]
    folds: tuple[Positive, ...] | None = Field(default=None, exclude_if=lambda folds: folds is None)
    fold: Count | None = Field(default=None, exclude_if=lambda fold: fold is None)


class ModelInfo(Block):
    """What a model file says of itself.

    Attributes:
        variant: name of the variant (pipeline.settings.variants).
        timm: which network of timm; None where the backbone is another.
        classes: background first.
        mean, std: of RGB in 0..1, which the network's input is normalised with.
        data_set: what it was trained on, with `strong` masks and `weak` images without.
        commit: only in files of earlier versions; the model card has it now, from a record.
        scores: None where nothing was scored.
        licence: what to mind before passing the weights on.
        white: the value of 16-bit photographs that became 255 in training; None if there were none.
        longest_side: pixels to which longer sides of photographs were scaled; None: not at all.
    """

    format: Literal[1]
    variant: str
    backbone: Annotated[str, AfterValidator(BACKBONES.check)]
    timm: Timm | None = Field(default=None, exclude_if=lambda timm: timm is None)
    neck_n: Annotated[int, Field(ge=0, le=3)]
    width: Annotated[int, Field(gt=0, le=8192)]
    dilation: Annotated[int, Field(gt=0, le=1024)]
    classes: tuple[ClassEntry, ...]
    mean: Three
    std: Three
    data_set: str
    strong: Count
    weak: Count
    seed: Count
    params: dict[str, Any]
    scores: Scores | None
    licence: str
    white: Annotated[int, Field(ge=255, lt=2**16)] | None = Field(
        default=None, exclude_if=lambda white: white is None
    )
    longest_side: Positive | None = Field(default=None, exclude_if=lambda side: side is None)
    commit: str | None = Field(default=None, exclude=True)

    @model_validator(mode="after")
    def _whole(self) -> "ModelInfo":
        if (self.backbone == "timm") != (self.timm is not None):
            raise ValueError("backbone timm and the key timm go together")
        return self

    @property
    def class_list(self) -> ClassList:
        """Names and colours, for `pipeline.data.images`."""
        return ClassList(
            tuple(entry.name for entry in self.classes),
            tuple(entry.colour for entry in self.classes),
        )


def inference_tensors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that inference needs: all but those of the weak branch."""
    return {key: value for key, value in state.items() if key.startswith(INFERENCE_PARTS)}


def write_model(path: Path, info: ModelInfo, state: Mapping[str, Tensor]) -> None:
    """Write a model file whole; the same content gives the same bytes.

    Raises:
        UserError: the tensors are not those of the network that `info` describes.
    """
    problem = misfit(state, empty_network(info).state_dict())
    if problem:
        raise UserError(f"{path} is not written: {problem}")
    # One key alone: safetensors writes several in an order of its own.
    data = save(dict(state), metadata={KEY: info.model_dump_json()})
    with whole_file(path) as part:
        part.write_bytes(data)


def read_info(path: Path) -> ModelInfo:
    """What a model file says of itself; its tensors are not read.

    Raises:
        UserError: it is missing, no model file, damaged, or of another format.
    """
    if not path.is_file():
        reason = "is a folder" if path.is_dir() else "is not there"
        raise UserError(f"model {path} {reason}; give a model file: {WAY_OUT}")
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(KEY)
    except OSError as error:
        raise UserError(f"model {path} cannot be read ({error.strerror or error})") from None
    except SafetensorError:
        raise UserError(
            f"model {path} is no safetensors file, or is cut off; pickles such as .pth are not "
            f"read; {WAY_OUT}"
        ) from None
    if text is None:
        raise UserError(
            f"model {path} holds tensors, but not what they are (classes, backbone, ...): {WAY_OUT}"
        )
    return _checked(text, path)


def read_model(path: Path) -> tuple[ModelInfo, DualBranchNet]:
    """A model file's description and its network, on the CPU, ready for inference.

    Raises:
        UserError: as `read_info`, or the tensors do not fit or are not finite.
    """
    info = read_info(path)
    network = empty_network(info)
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"model {path} cannot be read ({error})") from None
    problem = misfit(state, network.state_dict())
    if problem:
        raise UserError(f"model {path} is damaged: {problem}; {WAY_OUT}")
    network.load_state_dict(state, strict=False)  # counts of batches may be missing
    return info, network.eval().requires_grad_(requires_grad=False)


def empty_network(info: ModelInfo) -> DualBranchNet:
    """The network of a model file, single-branch, whose tensors are to be filled.

    The caller's random numbers are left alone. (On torch's meta device, where nothing is drawn,
    initialisation imports torch's compiler, which takes longer.)
    """
    with torch.random.fork_rng(devices=[]):
        return DualBranchNet(
            Backbone(*build_body(info.backbone, info.timm)),
            len(info.classes),
            branches=1,
            neck_n=info.neck_n,
            width=info.width,
            dilation=info.dilation,
        )


def _checked(text: str, path: Path) -> ModelInfo:
    """The description in a file's header."""
    try:
        info = ModelInfo.model_validate_json(text)
        make_classes(info.class_list.names)
    except ValidationError as error:
        found = error.errors()[0]
        key = ".".join(str(part) for part in found["loc"])
        if key == "format":
            raise UserError(
                f"model {path} is of format {found['input']!r}, and this version reads format "
                f"{FORMAT}: take the version of the code that wrote it"
            ) from None
        raise UserError(
            f"model {path} is damaged: its description has a wrong {key or 'form'} "
            f"({found['msg']}); {WAY_OUT}"
        ) from None
    except UserError as error:
        raise UserError(f"model {path} is damaged: {error}") from None
    if (info.mean, info.std) != (MEAN, STD):
        raise UserError(f"model {path} is damaged: format {FORMAT} has another normalisation")
    return info
