"""Which stage of how many: the order in which DVC really ran them."""

from pathlib import Path

import pytest

from stages.place import all_stages, announce
from tests.repository import stages_run
from tests.settings import ROOT, small_params


@pytest.mark.slow
def test_the_places_are_those_in_which_dvc_ran(clone: Path) -> None:
    printed = (clone / ".git/repro.txt").read_text("utf-8")
    names = stages_run(printed)
    for place, name in enumerate(names, start=1):
        assert f"[{place} of {len(names)}] {name.replace('@', ' ')}: " in printed


def test_every_variant_seed_and_generator_has_its_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    params = small_params(variants=["strong", "dual"], seeds=[0, 1], ensembles=["dual"])
    stages = list(all_stages(params))
    assert stages[5] == "proxy@dsrg"
    assert stages[7:11] == ["train@strong-0", "train@strong-1", "train@dual-0", "train@dual-1"]
    assert stages[11:] == [
        *("evaluate@strong", "evaluate@dual", "evaluate_dsrg", "ensemble@dual"),
        *("package@strong", "package@dual", "report"),
    ]


def test_without_dvc_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    announce(small_params())
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("DVC_STAGE", "report")
    announce(small_params())
    assert capsys.readouterr().out == "[21 of 21] report: lay everything out on one page\n"
