"""What params.yaml holds, as typed values with their bounds."""

import re
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from pipeline.settings.registry import BACKBONES, DATASETS, GENERATORS, stages_of
from pipeline.settings.variants import NAMES, find_variant

TIMM_INSTALL = "`pip install --editable '.[timm]'` installs it"
MOST = 10**9  # of anything that is counted; more is a slip of the keyboard


def _path_text(text: str) -> str:
    """Refuse what no path can be."""
    try:
        possible = text.strip() and "\0" not in text and Path(text).expanduser()
    except RuntimeError:  # a home of nobody
        possible = None
    if not possible:
        raise ValueError("should be a path")
    return text


def device_text(text: str) -> str:
    """Refuse what names no device; whether one is there is seen where it is used.

    Raises:
        ValueError: the message says what it should be.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?|mps", text):
        raise ValueError("should be auto, cpu, cuda, cuda:N with a number, or mps")
    return text


Positive = Annotated[int, Field(gt=0, le=MOST)]
Count = Annotated[int, Field(ge=0, le=MOST)]
PathText = Annotated[str, AfterValidator(_path_text)]
DeviceText = Annotated[str, AfterValidator(device_text)]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]
Portion = Annotated[float, Field(ge=0, lt=1)]
NonNegative = Annotated[float, Field(ge=0)]


class Block(BaseModel):
    """Base of every block: unknown keys and silent type conversions are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _timm_installed(name: str) -> str:
    """Ask for the package before it is needed; finding it does not import it."""
    if name == "timm" and find_spec("timm") is None:
        raise ValueError(f"needs a package: {TIMM_INSTALL}; until then it cannot be 'timm'")
    return name


def _model_text(text: str) -> str:
    """Refuse what names no model of timm; whether timm has it is seen where it is built."""
    if not re.fullmatch(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?", text):
        raise ValueError("should be a name of timm.list_models(), such as resnet50")
    return text


class Timm(Block):
    """Backbone timm: which of its models, and the pixels from one grid point to the next."""

    model: Annotated[str, AfterValidator(_model_text)]
    output_stride: Annotated[int, Field(ge=8, le=32)]


class Shapes(Block):
    """How many scenes the embedded data set renders, and their side in pixels."""

    strong: Positive
    weak: Positive
    val: Positive
    size: Annotated[int, Field(ge=32, le=512)]


class Coco(Block):
    """COCO: how many of the 118k training images keep their masks (paper §4.5: 20,000)."""

    strong: Positive


class Folder(Block):
    """The user's own data: working size, and which masked images are scored without lists.

    A share of them is held out or, with `folds`, each fold in turn: by training seed s, s % folds.
    """

    longest_side: Positive
    val_share: Share
    folds: Annotated[int, Field(ge=2, le=100)] | None


class Download(Block):
    """Stage download: one sub-block for each kind of data set that has something to choose."""

    shapes: Shapes
    coco: Coco
    folder: Folder


class Optimiser(Block):
    """Length, rates and their decay, as SEC and DSRG train; both take SGD with momentum."""

    method: Literal["sgd", "adam"]
    epochs: Positive
    iterations: Positive | None
    batch_size: Positive
    learning_rate: Rate
    head_factor: Rate  # the new layers learn this many times faster
    decay: Annotated[float, Field(gt=0, le=1)]
    decay_every: Annotated[float, Field(gt=0, le=1)]
    weight_decay: NonNegative


def _installed(wanted: bool) -> bool:
    if wanted and find_spec("tensorboard") is None:
        raise ValueError("should be false until `pip install tensorboard` has run")
    return wanted


class Engine(Block):
    """How networks run: what can change how results round, and nothing else of them."""

    precision: Literal["fp32", "bf16"]
    tf32: bool
    compile: bool
    deterministic: bool


class Machine(Block):
    """What changes no result."""

    device: DeviceText
    processes: Positive
    workers: Count
    tensorboard: Annotated[bool, AfterValidator(_installed)]


class Cam(Block):
    """Stage seeds: the classification network and the rules that turn it into seeds."""

    image_size: Positive
    width: Positive
    dropout: Portion
    scale_min: Rate
    scale_max: Rate
    scales: Annotated[list[Rate], Field(min_length=1)]
    flip: bool
    foreground: Share
    background: Share
    saliency: PathText | None
    saliency_below: Share
    optimiser: Optimiser


class Crf(Block):
    """Fully connected CRF (Krähenbühl and Koltun): weights and kernel widths."""

    bilateral: NonNegative
    gaussian: NonNegative
    theta_alpha: Rate
    theta_beta: Rate
    theta_gamma: Rate
    iterations: Positive


class Dsrg(Block):
    """Stage dsrg: the network that grows the seeds while it trains."""

    image_size: Positive
    width: Positive
    dropout: Portion
    dilations: Annotated[list[Positive], Field(min_length=1)]
    grow_on: Literal["crf", "softmax"]
    theta_foreground: Share
    theta_background: Share
    exact_crf: bool
    crf: Crf
    optimiser: Optimiser


def _generator(name: str) -> str:
    """Refuse what is no generator, or one whose module is wrong."""
    GENERATORS.check(name)
    stages_of(name)
    return name


class Proxy(Block):
    """Stage proxy: who makes the masks; scales and CRF of the generator dsrg, `sure` of self."""

    generators: Annotated[list[Annotated[str, AfterValidator(_generator)]], Field(min_length=1)]
    sure: Share
    image_size: Positive
    scales: Annotated[list[Rate], Field(min_length=1)]
    crf: Crf


class Split(Block):
    """Stage split: null keeps the data set's own strong set, a number draws that many."""

    strong: Positive | None
    draw: Count


class Train(Block):
    """Stage train: the schedule of §4.1."""

    epochs: Positive
    decay_epoch: Positive
    iterations: Positive | None
    batch_size: Annotated[int, Field(ge=2, multiple_of=2)]
    crop: Positive
    scale_min: Rate
    scale_max: Rate
    learning_rate: Rate
    learning_rate_backbone: Rate
    weight_decay: NonNegative
    neck_width: Positive
    neck_dilation: Positive
    validations: Count


class Extras(Block):
    """Beyond the paper: how the extras work that a variant's name asks for, such as dual+ema."""

    ema_decay: Share
    refresh_at: Share
    consistency_weight: Rate
    consistency_threshold: Share


class Evaluate(Block):
    """Stage evaluate: images of one size that go through the network at once; a CRF after it."""

    batch_size: Positive
    crf: bool


class Report(Block):
    """Stage report: pictures of each kind (best, median, worst, ...)."""

    rows: Positive


class Params(Block):
    """All of params.yaml."""

    dataset: Annotated[str, AfterValidator(DATASETS.check)]
    data_root: PathText
    backbone: Annotated[str, AfterValidator(BACKBONES.check), AfterValidator(_timm_installed)]
    timm: Timm
    backbone_weights: PathText
    variants: Annotated[list[str], Field(min_length=1)]
    neck_n: Annotated[int, Field(ge=0, le=3)]
    ensembles: list[str]
    seeds: Annotated[list[Count], Field(min_length=1)]
    seed: Count
    engine: Engine
    machine: Machine
    download: Download
    cam: Cam
    dsrg: Dsrg
    proxy: Proxy
    split: Split
    train: Train
    extras: Extras
    evaluate: Evaluate
    report: Report

    @property
    def backbone_block(self) -> Timm | None:
        """What the backbone's `build` is given; None for those with nothing to choose."""
        return self.timm if self.backbone == "timm" else None

    @model_validator(mode="after")
    def _variants_are_known(self) -> "Params":
        generators = self.proxy.generators
        for name in self.variants:
            found = find_variant(name)
            if found is None:
                raise ValueError(f"variants: {name!r} is none of {NAMES}")
            if found.generator and found.generator not in generators:
                listed = ",".join([*generators, found.generator])
                raise ValueError(
                    f"variants: {name!r} needs {found.generator} in proxy.generators: "
                    f"-S 'proxy.generators=[{listed}]'"
                )
        return self

    @model_validator(mode="after")
    def _consistent(self) -> "Params":
        lists = {key: getattr(self, key) for key in ("variants", "ensembles", "seeds")}
        for key, entries in (*lists.items(), ("proxy.generators", self.proxy.generators)):
            if len(set(entries)) != len(entries):
                raise ValueError(f"{key}: an entry is repeated")
        lacking = [name for name in self.ensembles if not {name, "strong"} <= {*self.variants}]
        if lacking or "strong" in self.ensembles:
            raise ValueError(
                f"ensembles: {(lacking or ['strong'])[0]!r} is averaged with strong, so variants "
                "must hold both; -S 'ensembles=[]' leaves ensembles out"
            )
        self._check_folds()
        for key, block in (("cam", self.cam), ("train", self.train)):
            if block.scale_min > block.scale_max:
                raise ValueError(f"{key}.scale_min: must not be above {key}.scale_max")
        if self.dsrg.image_size != self.cam.image_size:
            raise ValueError(
                "dsrg.image_size: must equal cam.image_size; both networks use one grid"
            )
        if self.train.decay_epoch > self.train.epochs:
            raise ValueError("train.decay_epoch: must not be above train.epochs")
        pretrained = BACKBONES.defines(self.backbone, "imagenet")
        if self.backbone_weights == "imagenet" and not pretrained:
            raise ValueError(
                f"backbone_weights: backbone {self.backbone} has no ImageNet weights; use "
                "classifier or none"
            )
        return self

    def _check_folds(self) -> None:
        """Refuse folds that a mask is hidden from, or that seeds do not score equally often."""
        folds = self.download.folder.folds
        if self.dataset != "folder" or folds is None:
            return
        if self.split.strong is not None:
            raise ValueError(
                "download.folder.folds: every mask is trained on and scored in its fold, so "
                "split.strong hides none; -S split.strong=null or -S download.folder.folds=null"
            )
        taught = [name for name in self.proxy.generators if "teacher" in stages_of(name)]
        if taught:
            raise ValueError(
                f"download.folder.folds: the network of generator {taught[0]} is trained on all "
                "masks, held out or not; -S download.folder.folds=null or other proxy.generators"
            )
        held_out = Counter(seed % folds for seed in self.seeds)
        if len(held_out) < folds or len(set(held_out.values())) > 1:
            wanted = ",".join(map(str, range(folds)))
            raise ValueError(
                f"seeds: with {folds} folds training seed s is scored on fold s % {folds}, so the "
                f"seeds must hold out every fold equally often; -S 'seeds=[{wanted}]'"
            )
