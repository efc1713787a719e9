"""How a run went has a page of its own, and nothing of it is in the report."""

import hashlib
import re
import shutil
from pathlib import Path
from typing import Any

from pipeline.base.record import write_record
from pipeline.data.manifest import open_manifest
from pipeline.report.page import write_report
from pipeline.report.run_page import Record, read_records, same_everywhere
from pipeline.settings.params import Params
from pipeline.settings.paths import DATASET, RECORDS, record_file

STAGES = 5 + 4 * 2 + 1 + 4 + 1  # early ones, trainings, DSRG, variants, the average


def written(params: Params) -> dict[str, bytes]:
    """Every file of the report."""
    shutil.rmtree("report", ignore_errors=True)
    write_report(params, open_manifest(params), Path("report"))
    files = (path for path in Path("report").rglob("*") if path.is_file())
    return {path.relative_to("report").as_posix(): path.read_bytes() for path in files}


def test_another_run_is_another_page_and_the_same_report(params: Params, run: Path) -> None:
    """What DVC hashes of a report is as before; the page that .dvcignore names is not."""
    first = written(params)
    for record in read_records(params):
        path = record_file(record.stage)
        write_record(path, DATASET / "manifest.csv", commit="f00d", device="another")
    second = written(params)
    assert [name for name in first if first[name] != second[name]] == ["run.html"]
    assert first.keys() == second.keys()
    text = second["run.html"].decode()
    assert text.count("f00d") == 1 + STAGES
    assert hashlib.sha256(second["index.html"]).hexdigest()[:16] in text


def test_it_loads_nothing_and_leads_back(params: Params, run: Path) -> None:
    pages = written(params)
    text = pages["run.html"].decode()
    assert re.findall(r'href="([^"]*)"', text) == ["index.html"]
    assert not re.search(r"https?:|@import|url\(|<script|<img", text)
    assert "default-src &#39;none&#39;" in text
    assert b'href="run.html"' in pages["index.html"]


def test_stages_without_a_record_of_what_lies_here(params: Params, run: Path) -> None:
    assert written(params)["run.html"].count(b">no record here<") == 1  # the average has none
    Path("other").write_text("made by an earlier run")
    write_record(record_file("seeds"), Path("other"))
    Path("other").write_text("brought by DVC")
    assert written(params)["run.html"].count(b">no record here<") == 2
    shutil.rmtree(RECORDS)
    assert written(params)["run.html"].count(b">no record here<") == STAGES + 1


def test_what_the_stages_ran_on() -> None:
    def record(**values: Any) -> Record:
        return Record("seeds", values)

    records = [
        record(seconds=1.5, device="CPU", packages={"torch": "2"}),
        record(seconds=2.0, device="A GPU", packages={"torch": "2", "dvc": None}),
        record(),
    ]
    assert same_everywhere(records) == [("device", ["CPU", "A GPU"]), ("torch", ["2"])]
