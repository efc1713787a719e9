"""Write one generator's proxy masks, and measure them: data/proxy/<generator>."""

from typing import Annotated

import typer

from pipeline.base.errors import UserError
from pipeline.settings.paths import PARAMS, SEEDS, first_pictures, proxy_dir, record_file
from stages.command import Device, ParamsFile, read_params, stage
from stages.processes import start


@stage
def main(
    generator: Annotated[str, typer.Argument(help="One of proxy.generators in params.yaml.")],
    params_file: ParamsFile = PARAMS,
    device: Device = None,
) -> None:
    """Write a proxy mask of every training image that gets one, and measure them."""
    params = read_params(params_file, device)
    if generator not in params.proxy.generators:
        listed = ", ".join(params.proxy.generators)
        raise UserError(
            f"{generator} is not in proxy.generators of params.yaml, which has {listed}"
        )

    from pipeline.base.record import write_record
    from pipeline.data.manifest import open_manifest
    from pipeline.report.proxy_page import write_proxy_page
    from pipeline.weak.proxy.proxy import make_proxies

    with start(params) as world:
        folder, manifest = proxy_dir(generator), open_manifest(params)
        quality = make_proxies(params, manifest, generator, seeds=SEEDS, folder=folder)
        if world.leads:
            record = record_file(f"proxy {generator}")
            write_record(record, folder / "images.csv", device=world.device, summary=quality)
            write_proxy_page(params, manifest, generator, first_pictures(generator))
            typer.echo("; ".join(f"{key.replace('_', ' ')} {v}" for key, v in quality.items()))
            typer.echo(f"wrote {folder}; first pictures: open {first_pictures(generator)}")


if __name__ == "__main__":
    typer.run(main)
