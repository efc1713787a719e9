"""The exponential moving average of a network over its training (mean teacher, Tarvainen 2017)."""

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """An average of all weights and buffers, to be told of every step by `update_parameters`.

    The first update copies the network. The k-th after it keeps min(decay, (1 + k) / (10 + k)) of
    the average, so that early on, when every step is far better than the last, it keeps little.

    Args:
        network: on its device already, ready to train.
        decay: share of itself that the average keeps in a step, later on.

    Returns:
        wrapper whose `module` is the average, in eval mode and without gradients.
    """

    def update(average: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        # The wrapper's own count lies on the CPU: reading it does not wait for the GPU.
        step = int(whole.n_averaged)
        get_ema_multi_avg_fn(min(decay, (1 + step) / (10 + step)))(average, current, count)

    whole = AveragedModel(network, multi_avg_fn=update, use_buffers=True)  # type: ignore[arg-type]
    whole.requires_grad_(False).eval()
    return whole
