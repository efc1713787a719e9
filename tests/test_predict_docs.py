"""The Python in docs/predict.md runs as it stands."""

import re
from pathlib import Path

import pytest
from PIL import Image

from pipeline.model.export import export
from pipeline.model.model_file import read_model
from tests.models import write_small
from tests.settings import ROOT


def test_every_block_of_python_runs(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    text = (ROOT / "docs/predict.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 3
    Image.linear_gradient("L").resize((40, 30)).save("photograph.jpg")
    export(*read_model(write_small(workspace)), workspace, ("onnx",))
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert getattr(names["mask"], "shape", None) == (1, 30, 40)
    assert capsys.readouterr().out.startswith("{'")
