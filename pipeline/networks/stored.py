"""The weights a segmentation network starts from, and how a trained one is stored and loaded."""

from pathlib import Path

from safetensors.torch import save
from torch import Tensor, nn

from pipeline.base.errors import UserError, need
from pipeline.data.seeds import CLASSIFIER
from pipeline.networks.weights import misfit, read_tensors
from pipeline.settings.params import Params
from pipeline.settings.paths import SEEDS, resolve_user_path


def start_weights(params: Params) -> str:
    """The backbone weights a segmentation network starts from.

    `classifier` is the backbone that stage seeds trained on the tags: where ImageNet weights
    cannot be had it replaces them, and needs no label that the setting does not give.
    """
    if params.backbone_weights == "classifier":
        return str((SEEDS / CLASSIFIER).resolve())
    return params.backbone_weights


def start_files(params: Params) -> list[Path]:
    """The files that `start_weights` names; none for `none` and `imagenet`."""
    path = resolve_user_path(start_weights(params))
    return [path] if path.is_file() else []


def plain_state(network: nn.Module) -> dict[str, Tensor]:
    """A network's tensors on the CPU in row-major order, as safetensors stores them."""
    return {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}


def store_network(network: nn.Module, path: Path) -> None:
    """Write a network's tensors; safetensors' own writer hides that a disk is full.

    Raises:
        OSError: the disk is full.
    """
    path.write_bytes(save(plain_state(network)))


def load_network(network: nn.Module, path: Path, stage: str) -> None:
    """Fill a whole network from the file that `stage` wrote.

    Raises:
        UserError: the file is missing or damaged, belongs to another architecture, or holds values
            that are not finite.
    """
    way_out = f"run `python -m stages.{stage}` again"
    state = read_tensors(need(path, stage), way_out)
    problem = misfit(state, network.state_dict())
    if problem:
        raise UserError(f"{path} does not fit the network in params.yaml: {problem}; {way_out}")
    network.load_state_dict(state, strict=False)  # counts of batches may be missing
