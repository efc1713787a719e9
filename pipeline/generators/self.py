"""Proxies from a network that was trained on the strong masks: self-training, without any tags.

Where tags are known they rule out the other classes, as everywhere; where they are not, every class
is possible. Pixels of which the network is not sure are ignored (`proxy.sure`): what it learns from
itself would be its own mistakes.

Shape legend: H W image, L labels that an image may have.
"""

import torch
from torch import Tensor

from pipeline.data.manifest import IGNORE, Manifest, Row
from pipeline.devices.device import placed
from pipeline.networks.stored import load_network
from pipeline.scoring.score import Segmenter, predict_logits
from pipeline.settings.params import Params
from pipeline.settings.paths import TEACHER
from pipeline.train.build import build_single
from pipeline.weak.proxy.generator import Generator, Proxy, best_label

STAGES = ("teacher",)


def load(params: Params, manifest: Manifest) -> Generator:
    """The generator that asks the network of stage teacher.

    Raises:
        UserError: that stage's network is missing, damaged or another one.
    """
    network = build_single(params, len(manifest.classes), "none")
    load_network(network, TEACHER / "network.safetensors", "teacher")
    return generator_of(placed(network).eval(), params.proxy.sure, len(manifest.classes))


def generator_of(network: Segmenter, sure: float, classes: int) -> Generator:
    """The generator that asks a network; pixels below the probability `sure` are ignored."""

    def generate(row: Row, image_3HW: Tensor) -> Proxy:
        labels = range(classes) if row.tags is None else (0, *row.tags)
        logits_CHW = predict_logits(network, image_3HW[None])[0]
        p_LHW = logits_CHW[list(labels)].softmax(dim=0)
        sure_HW = p_LHW.amax(dim=0)
        mask_HW = best_label(p_LHW, labels)
        return Proxy(torch.where(sure_HW < sure, IGNORE, mask_HW), sure_HW)

    return generate
