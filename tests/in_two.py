"""What two processes do in tests/pipeline/devices/test_distributed.py.

`python -m tests.in_two FOLDER`; each process writes what it got to FOLDER/<rank>.pt.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.batches.order import BatchPlan, Item
from pipeline.devices.distributed import World, gathered, joined, shared_folder, total, total_array
from pipeline.engine.forward import prepare
from pipeline.networks.layers import BatchNorm, Dropout
from pipeline.train.consistency import strong_copies
from tests.settings import small_params

BATCH = 5  # uneven shares: three images and two
ENGINE = small_params().engine


class Small(nn.Module):
    """A convolution, the two layers that see the whole batch, and a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3), BatchNorm(8), nn.ReLU(), Dropout(0.5), nn.Conv2d(8, 2, 3)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        return self.layers(images)


def learn(world: World, steps: int = 4) -> dict[str, Tensor]:
    """A few steps on random images; the parameters, buffers and losses after them."""
    torch.manual_seed(0)
    network = Small().double()
    images = torch.randn(steps, BATCH, 3, 12, 12).double()
    targets = torch.randint(0, 2, (steps, BATCH, 8, 8))
    forward = prepare(network, ENGINE, BATCH)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    losses = []
    for step in range(steps):
        logits = forward(world.share(images[step]))
        loss = nn.functional.cross_entropy(logits, world.share(targets[step])) * len(logits) / BATCH
        optimiser.zero_grad()
        (loss * world.size).backward()
        optimiser.step()
        losses.append(loss.detach()[None])
    return {**network.state_dict(), "losses": torch.stack([total(loss) for loss in losses])[:, 0]}


def sums(world: World) -> dict[str, object]:
    """Sums over processes, and the gradient that comes back through one."""
    x = torch.tensor([1.0, 2.0]) * (world.rank + 1)
    x.requires_grad_()
    (total(x) * torch.tensor([10.0, 100.0]) * (world.rank + 1)).sum().backward()
    counts = total_array(np.arange(3) + 10 * world.rank)
    return {"total": total(x.detach()), "gradient": x.grad, "counts": counts}


def copies(world: World) -> tuple[Tensor, Tensor]:
    """Strong copies of this process's images of a batch of five."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (BATCH, 3, 16, 16), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 9, (BATCH, 16, 16), generator=generator)
    items = [Item(1, slot, (0, 0, 1, slot)) for slot in range(BATCH)]
    return strong_copies(world.share(images), world.share(labels), world.share(items))


def main(folder: Path) -> None:
    """Everything, once."""
    with joined() as world:
        with shared_folder(folder / "shared") as part:
            (part / f"{world.rank}.txt").write_text(part.name, "utf-8")
        done = (folder / "shared").exists()
        plan = list(BatchPlan(counts=(6, 30), sizes=(3, 2), steps=4, seed=1))
        items = [[(item.stream, item.index, item.key) for item in batch] for batch in plan]
        rows = gathered(world.share(torch.arange(BATCH)[:, None].byte()))
        found = {
            **{"learnt": learn(world), "sums": sums(world), "items": items, "shared": done},
            **{"rows": rows, "copies": copies(world)},
        }
        torch.save(found, folder / f"{world.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
