"""A fully connected CRF on final predictions, as `evaluate.crf` asks for it (§4.1 does without).

Shape legend: B batch, C classes, H W image.
"""

from torch import Tensor

from pipeline.scoring.score import Refine
from pipeline.settings.params import Crf, Params
from pipeline.weak.dsrg.crf import CrfWeights
from pipeline.weak.dsrg.lattice import lattice_crf


def refinement(params: Params) -> Refine | None:
    """The CRF that predictions go through before they are scored; None: they do not."""
    return crf_of(params.proxy.crf) if params.evaluate.crf else None


def crf_of(crf: Crf) -> Refine:
    """The CRF of `proxy.crf` over all classes."""
    weights = CrfWeights(**crf.model_dump())

    def refine(logits_BCHW: Tensor, images_B3HW: Tensor) -> Tensor:
        images_B3HW = images_B3HW.to(logits_BCHW.device)
        return lattice_crf(-logits_BCHW.log_softmax(dim=1), images_B3HW.float(), weights)

    return refine
