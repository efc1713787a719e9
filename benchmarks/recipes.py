"""Memory and seconds of a training step of each recipe, at its full batch."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.timing import Row
from pipeline.settings.params_file import load_params

RECIPES = Path("recipes")
BUDGET = 16_000.0  # MB of a common GPU

# Runs in a process of its own, so that its peak is its own.
CHILD = """
import json, sys, time
from pathlib import Path
import torch
from pipeline.base.record import peak_memory_mb
from pipeline.devices.device import pick_device
from pipeline.engine.forward import prepare
from pipeline.train.losses import segmentation_loss
from pipeline.networks.grid import upsample
from pipeline.engine.optim import paper_adam
from pipeline.settings.params_file import load_params
from pipeline.train.build import build_network
from pipeline.data.plan import make_plan

params = load_params(Path(sys.argv[1]))
train, device = params.train, pick_device()
network = build_network(params, make_plan("dual", params.neck_n, (), ()), 21, "none")
forward = prepare(network, params.engine, train.batch_size)
optimiser = paper_adam(network, train)
images = torch.randn(train.batch_size, 3, train.crop, train.crop, device=device)
labels = torch.zeros(train.batch_size, train.crop, train.crop, dtype=torch.long, device=device)
sizes = (train.batch_size // 2,) * 2
for _ in range(2):
    start = time.perf_counter()
    logits = upsample(forward(images, sizes), labels.shape[1:], network.backbone.geometry)
    loss = segmentation_loss(logits, labels, sizes)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    float(loss)
    seconds = time.perf_counter() - start
on_gpu = device.type == "cuda"
megabytes = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else peak_memory_mb()
print(json.dumps({"seconds": seconds, "peak": megabytes}))
"""


def measure(recipe: Path) -> dict[str, float]:
    """Seconds and peak megabytes of the second step, in a process of its own."""
    command = [sys.executable, "-c", CHILD, str(recipe)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    values: dict[str, float] = json.loads(done.stdout)
    return values


def rows() -> Iterator[Row]:
    """Peak memory of a step of `dual`: of the GPU, or of the process without one."""
    where = "GPU memory" if torch.cuda.is_available() else "process"
    for path in sorted(RECIPES.glob("*.yaml")):
        train, engine = load_params(path).train, load_params(path).engine
        found = measure(path)
        yield Row(
            f"{path.stem}: peak of a training step, batch {train.batch_size} at {train.crop} px, "
            f"{engine.precision}",
            f"budget, {where}",
            found["peak"],
            BUDGET,
            "MB",
            1.0,
            note=f"{found['seconds']:.2f} s a step",
        )
