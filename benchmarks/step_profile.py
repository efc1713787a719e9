"""Profiles a training step: python -m benchmarks.step_profile prints tables.

One of the default run (params.yaml, rendered scenes), two of VGG16 at its benchmark's size.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import typer
from torch.profiler import ProfilerActivity, profile, record_function

from benchmarks.training import dual_step
from pipeline.batches.augment import View, normalise
from pipeline.batches.labelled import batches
from pipeline.batches.order import BatchPlan
from pipeline.data.manifest import read_manifest, write_manifest
from pipeline.data.pairs import Pair
from pipeline.data.plan import make_plan
from pipeline.datasets.shapes.prepare import prepare
from pipeline.devices.device import pick_device
from pipeline.engine.forward import prepare as prepare_network
from pipeline.engine.optim import paper_adam
from pipeline.networks.grid import upsample
from pipeline.settings.params import Engine, Params
from pipeline.settings.params_file import load_params
from pipeline.train.build import build_network
from pipeline.train.losses import segmentation_loss

STEPS = 10


def default_steps(params: Params, folder: Path) -> Callable[[], object]:
    """A function that takes one step of `dual` as params.yaml has it, data included."""
    rows, classes = prepare(folder, folder, params)
    write_manifest(folder, rows, classes)
    manifest = read_manifest(folder, folder)
    train = params.train
    sizes = (train.batch_size // 2,) * 2
    pairs = [
        [Pair(r.id, manifest.path(r.image), manifest.path(r.mask)) for r in manifest.of(split)]
        for split in ("strong", "weak")
    ]
    order = BatchPlan([len(stream) for stream in pairs], sizes, 1000, seed=0)
    view = View(train.crop, train.scale_min, train.scale_max)
    data = iter(batches(pairs, order, view=view, classes=len(classes), workers=0,
                        device=pick_device()))  # fmt: skip
    plan = make_plan("dual", params.neck_n, (), ())
    network = build_network(params, plan, len(classes), "none")
    forward = prepare_network(network, params.engine, train.batch_size)
    optimiser = paper_adam(network, train)

    for _ in range(-(-params.download.shapes.weak // sizes[1])):
        next(data)  # a pass over the weak images: from then on they are in memory

    def step() -> None:
        with record_function("data: views of decoded images"):
            batch = next(data)
        with record_function("normalise"):
            normal = normalise(batch.images)
        with record_function("forward"):
            size = (train.crop, train.crop)
            logits = upsample(forward(normal, sizes), size, network.backbone.geometry)
        with record_function("loss"):
            loss = segmentation_loss(logits, batch.masks.long(), sizes)
        optimiser.zero_grad(set_to_none=True)
        with record_function("backward"):
            loss.backward()
        with record_function("optimiser"):
            optimiser.step()

    return step


def table(step: Callable[[], object]) -> str:
    """Operators of ten steps by their own time."""
    for _ in range(3):
        step()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        for _ in range(STEPS):
            step()
    return str(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=18))


def main() -> None:
    """Print the tables."""
    params = load_params(Path("params.yaml"))
    with tempfile.TemporaryDirectory() as folder:
        typer.echo(f"{STEPS} steps of the default dual\n")
        typer.echo(table(default_steps(params, Path(folder))))
    for precision in ("fp32", "bf16"):
        engine = Engine(precision=precision, tf32=False, compile=False, deterministic=False)
        typer.echo(f"{STEPS} steps of VGG16 dual, {precision}\n")
        typer.echo(table(dual_step(engine)))


if __name__ == "__main__":
    typer.run(main)
