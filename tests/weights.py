"""Files of weights as torchvision has them, filled with random numbers of a sensible size."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models

from pipeline.networks.weights import imagenet_source
from pipeline.settings.registry import BACKBONES

# A backbone with torchvision's ImageNet weights is named as torchvision names it.
TORCHVISION: dict[str, Callable[..., nn.Module]] = {
    name: models.get_model_builder(name)
    for name in models.list_models()
    if name in BACKBONES.names() and BACKBONES.defines(name, "imagenet")
}
IMAGENET = {name: models.get_model_weights(name)["IMAGENET1K_V1"] for name in TORCHVISION}


def random_state(model: Callable[..., nn.Module], seed: int = 0) -> dict[str, Tensor]:
    """A state dict with torchvision's keys and shapes; unused layers take no room in a file."""
    torch.manual_seed(seed)
    with torch.device("meta"):
        wanted = model(weights=None).state_dict()
    state = {}
    for key, tensor in wanted.items():
        if key.startswith(("classifier.", "fc.")):
            state[key] = torch.zeros(1).expand(tensor.shape)
        elif key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(7)
        elif key.endswith("running_var"):
            state[key] = torch.rand(tensor.shape) + 0.5
        else:
            fan = tensor[0].numel() if tensor.ndim == 4 else 100
            state[key] = torch.randn(tensor.shape) * (2 / fan) ** 0.5
    return state


def fill_hub(home: Path, name: str) -> Path | tuple[str, str]:
    """Put a backbone's file where torch looks with TORCH_HOME=`home` before it downloads one.

    Returns:
        what `pipeline.networks.weights.imagenet_source` would say if this file were torchvision's;
        what it says where the weights are installed.
    """
    if name not in IMAGENET:
        return imagenet_source(name)
    path = home / "hub" / "checkpoints" / IMAGENET[name].url.rsplit("/", 1)[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(random_state(TORCHVISION[name]), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return IMAGENET[name].url, f"sha256:{digest[:8]}"
