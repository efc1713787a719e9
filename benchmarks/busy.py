"""A training step of two threads or more on cores that others use, too: how threads wait."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.timing import Row, cores
from stages.common import TURNS

ROUNDS, STEPS = 6, 15
STEP = f"""
import json, time, torch
from pipeline.backbones import build_backbone
from pipeline.losses import segmentation_loss
from pipeline.network import DualBranchNet, upsample

torch.manual_seed(0)
network = DualBranchNet(build_backbone("vgg16_narrow", "none"), 9, width=64, dilation=2).train()
optimiser = torch.optim.Adam(network.parameters(), lr=1e-5, fused=True)
images, labels = torch.randn(16, 3, 48, 48), torch.randint(0, 9, (16, 48, 48))
seconds = []
for _ in range({STEPS}):
    start = time.perf_counter()
    logits = upsample(network(images, (8, 8)), (48, 48), network.backbone.geometry)
    optimiser.zero_grad(set_to_none=True)
    segmentation_loss(logits, labels, (8, 8)).backward()
    optimiser.step()
    seconds.append(time.perf_counter() - start)
print(json.dumps(sum(seconds[3:]) / len(seconds[3:])))
"""


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that do nothing but compute."""
    started = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)
    ]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def seconds_of_a_step(turns: str | None) -> float:
    """The mean over the steps of one process; None: OpenMP waits as it likes."""
    ours = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS")
    environment = {key: value for key, value in os.environ.items() if key not in ours}
    if turns is not None:
        environment["GOMP_SPINCOUNT"] = turns
    done = subprocess.run(
        [sys.executable, "-c", STEP], env=environment, check=True, capture_output=True, text=True
    )
    return float(json.loads(done.stdout))


def rows() -> Iterator[Row]:
    """Beside one busy process, and alone; means, for the slow runs are what it is about."""
    what = f"step of the embedded data's dual network on {cores()} cores"
    for others, where, aim in ((1, "beside one busy process", 1.5), (0, "alone", 0.85)):
        with busy(others):
            pairs = [(seconds_of_a_step(TURNS), seconds_of_a_step(None)) for _ in range(ROUNDS)]
        ours, peer = (1000 * sum(side) / ROUNDS for side in zip(*pairs, strict=True))
        yield Row(f"{what}, {where}", "OpenMP's own way of waiting", ours, peer, "ms", aim)
