"""Which stages a run needs, and what a stage leaves that is not needed."""

from pathlib import Path

import pytest

from pipeline.settings.needs import leave_out, leave_out_results, needed_by, write_needs
from tests.settings import small_params


@pytest.mark.parametrize(
    ("generators", "weights", "needed"),
    [
        (["dsrg"], "none", {"seeds": ["dsrg"], "dsrg": ["dsrg"], "teacher": []}),
        (["self"], "none", {"seeds": [], "dsrg": [], "teacher": ["self"]}),
        (["files"], "none", {"seeds": [], "dsrg": [], "teacher": []}),
        (["self"], "classifier", {"seeds": ["backbone_weights"], "dsrg": [], "teacher": ["self"]}),
        (
            ["files", "self", "dsrg"],
            "none",
            {"seeds": ["dsrg"], "dsrg": ["dsrg"], "teacher": ["self"]},
        ),
    ],
)
def test_needs(
    generators: list[str], weights: str, needed: dict[str, list[str]], tmp_path: Path
) -> None:
    params = small_params(**{"proxy.generators": generators, "backbone_weights": weights})
    assert needed_by(params) == needed
    write_needs(params, tmp_path)
    for stage, users in needed.items():
        assert (tmp_path / f"{stage}.txt").read_text("utf-8") == ("yes\n" if users else "no\n")


def test_another_generator_changes_no_other_stage_s_file(tmp_path: Path) -> None:
    written = []
    for generators in (["dsrg"], ["dsrg", "self"], ["self", "files", "dsrg"]):
        write_needs(small_params(**{"proxy.generators": generators}), tmp_path)
        written.append([(tmp_path / f"{stage}.txt").read_bytes() for stage in ("seeds", "dsrg")])
    assert written[0] == written[1] == written[2]


def test_what_is_left_out_says_so(workspace: Path) -> None:
    said = leave_out("dsrg", Path("data/dsrg"))
    assert "dsrg is left out" in said
    assert [path.name for path in Path("data/dsrg").iterdir()] == ["left_out.txt"]
    leave_out_results("dsrg")
    assert Path("results/metrics/dsrg.json").read_text("utf-8") == "{}\n"
