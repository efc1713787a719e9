"""Write proxy masks for all training images, and measure them: data/proxy."""

import typer

from pipeline.settings.paths import PARAMS, PROXY, SEEDS, record_file
from stages.command import Device, ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(params_file: ParamsFile = PARAMS, device: Device = None) -> None:
    """Write a proxy mask of every training image, by the generator in params.yaml; measure them."""
    params = read_params(params_file, device)

    from pipeline.base.record import write_record
    from pipeline.data.manifest import open_manifest
    from pipeline.weak.proxy.proxy import make_proxies

    with start(params) as world:
        manifest = open_manifest(params)
        quality = make_proxies(params, manifest, seeds=SEEDS, folder=PROXY)
        if world.leads:
            write_record(
                record_file("proxy"), PROXY / "images.csv", device=world.device, summary=quality
            )
            scores = ", ".join(f"{key.replace('_', ' ')} {v}" for key, v in quality.items())
            typer.echo(f"{len(manifest.proxied())} masks; {scores}")
            typer.echo(f"wrote {PROXY}")


if __name__ == "__main__":
    typer.run(main)
