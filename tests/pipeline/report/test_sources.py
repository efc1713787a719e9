"""Reading other stages' files."""

from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.report.sources import curve, read_counts, read_json, read_table


def test_curves_pool_seeds_and_skip_empty_cells() -> None:
    runs = [
        [{"step": "20", "loss": "4"}, {"step": "10", "loss": "2"}],
        [{"step": "10", "loss": "4"}, {"step": "15", "loss": ""}, {"step": "30"}],
    ]
    pooled = curve(runs, "loss")
    assert pooled.steps == (10, 20)
    assert pooled.mean == (3.0, 4.0)
    assert (pooled.low, pooled.high) == ((2.0, 4.0), (4.0, 4.0))
    assert curve(runs, "val_miou").steps == ()


@pytest.mark.parametrize("text", ["", "[]", "{", '"a"'])
def test_spoilt_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=r"a\.json is no JSON object: run `python -m stages\.x y`"):
        read_json(tmp_path / "a.json", "x y")


def test_table_without_a_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("step,loss\n1,2\n")
    assert read_table(tmp_path / "a.csv", "x", ("step",)) == [{"step": "1", "loss": "2"}]
    with pytest.raises(UserError, match=r"a\.csv has no column 'val'"):
        read_table(tmp_path / "a.csv", "x", ("step", "val"))


def test_counts_are_read_by_position(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("truth,none,truth,none\nnone,1,2,3\ntruth,4,5,6\n")
    assert read_counts(tmp_path / "a.csv", "x").tolist() == [[1, 2, 3], [4, 5, 6]]
    (tmp_path / "a.csv").write_text("truth,a,none\na,1,2\nb,x,1\n")
    with pytest.raises(UserError, match=r"a\.csv is no matrix of counts"):
        read_counts(tmp_path / "a.csv", "x")
