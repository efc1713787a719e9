"""Write proxy masks for all training images, and measure them: data/proxy."""

import typer

from pipeline.paths import PARAMS, PROXY, RECORDS, SEEDS
from stages.common import ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(params_file: ParamsFile = PARAMS) -> None:
    """Multi-scale inference, full-resolution CRF, argmax within the image's tags."""
    params = read_params(params_file)

    from pipeline.manifest import open_manifest
    from pipeline.proxy import make_proxies
    from pipeline.record import write_record

    with start(params.engine) as world:
        manifest = open_manifest(params)
        quality = make_proxies(params, manifest, seeds=SEEDS, folder=PROXY)
        if world.leads:
            write_record(RECORDS / "proxy.json", summary=quality)
            scores = ", ".join(f"{key.replace('_', ' ')} {v}" for key, v in quality.items())
            typer.echo(f"{len(manifest.train())} masks; {scores}")
            typer.echo(f"wrote {PROXY}")


if __name__ == "__main__":
    typer.run(main)
