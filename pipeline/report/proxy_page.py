"""A page of the first pictures of a run: proxies, as soon as they are made."""

from pathlib import Path

from pipeline.base.atomic import whole_file
from pipeline.data.manifest import Manifest
from pipeline.report.pictures import proxy_grids
from pipeline.report.strips import legend
from pipeline.report.template import render
from pipeline.settings.params import Params


def write_proxy_page(params: Params, manifest: Manifest, generator: str, path: Path) -> None:
    """Write a page with one generator's worst proxies, if true masks are known, and some others.

    Args:
        params: all of params.yaml.
        manifest: the data set.
        generator: whose proxies have just been written.
        path: of the page, which is one file.

    Raises:
        UserError: the seeds or a proxy are missing.
    """
    alone = params.proxy.model_copy(update={"generators": [generator]})
    ids = [row.id for row in manifest.train()]
    grids = proxy_grids(params.model_copy(update={"proxy": alone}), manifest, ids)
    used = {index for grid in grids.values() for index in grid.indices}
    colours = legend(manifest.classes, used)
    values = {"generator": generator, "grids": grids, "legend": colours}
    with whole_file(path) as part:
        part.write_text(render("proxy_page.html.j2", values, {}), "utf-8", newline="\n")
