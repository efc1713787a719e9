"""Write proxy masks for all training images, and measure them: data/proxy."""

import typer

from pipeline.paths import DSRG, PARAMS, PROXY, RECORDS, SEEDS
from stages.common import ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(params_file: ParamsFile = PARAMS) -> None:
    """Multi-scale inference, full-resolution CRF, argmax within the image's tags."""
    params = read_params(params_file)

    from pipeline.distributed import shared_folder
    from pipeline.manifest import open_manifest
    from pipeline.proxy import load_dsrg, write_proxies
    from pipeline.quality import measure
    from pipeline.record import write_record

    with start(params.engine) as world:
        manifest = open_manifest(params)
        network = load_dsrg(params, manifest, DSRG)
        with shared_folder(PROXY) as folder:
            written = write_proxies(params, manifest, network, folder)
            quality = measure(params, manifest, folder, SEEDS)
        if world.leads:
            write_record(RECORDS / "proxy.json", summary=quality)
            scores = ", ".join(f"{key.replace('_', ' ')} {v}" for key, v in quality.items())
            typer.echo(f"{written} masks; {scores}")
            typer.echo(f"wrote {PROXY}")


if __name__ == "__main__":
    typer.run(main)
