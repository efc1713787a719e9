"""Say how long the long stages will take on this machine; no part of dvc.yaml."""

import typer

from pipeline.settings.paths import PARAMS
from stages.command import Device, ParamsFile, read_params, stage


@stage
def main(params_file: ParamsFile = PARAMS, device: Device = None) -> None:
    """Time one step of each network, and count."""
    params = read_params(params_file, device)

    import torch

    from pipeline.data.manifest import open_manifest
    from pipeline.devices.choice import take_device
    from pipeline.devices.device import device_name, pick_device
    from pipeline.project.forecast import count_images, forecast

    take_device(params.machine.device, wait=False)
    manifest = open_manifest(params)
    seconds = forecast(params, count_images(params, manifest), len(manifest.classes))
    threads = f", {torch.get_num_threads()} threads" if pick_device().type == "cpu" else ""
    parts = ", ".join(f"{name} {minutes(part)}" for name, part in seconds.items())
    whole = minutes(sum(seconds.values()))
    typer.echo(f"on {device_name()}{threads}: about {whole} minutes in all ({parts})")


def minutes(seconds: float) -> str:
    """Minutes, those of a short time with a decimal."""
    return f"{seconds / 60:.1f}" if seconds < 600 else f"{seconds / 60:.0f}"


if __name__ == "__main__":
    typer.run(main)
