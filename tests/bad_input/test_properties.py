"""Params, manifests and names: what is written is read, what is odd is refused."""

import io
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline.data.manifest import SPLITS, Row, make_classes, read_manifest, write_manifest
from pipeline.datasets.reading.findings import Findings
from pipeline.datasets.reading.image_names import check_names
from pipeline.settings.params_file import load_params
from tests.bad_input.properties import VALUES, few, many, may_refuse
from tests.settings import raw_values

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=40)
GOOD = raw_values()
PARAMS_LINES = io.StringIO()
YAML(typ="safe", pure=True).dump(GOOD, PARAMS_LINES)


def refused_or_params(text: str) -> bool:
    """Whether a text is read as params; if not, it must be refused with words."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        path.write_text(text, "utf-8", errors="surrogatepass")
        with may_refuse(str(path)) as refused:
            load_params(path)
        return not refused


# --- params -------------------------------------------------------------------------------------


@few
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_is_refused_as_params(text: str) -> None:
    assert not refused_or_params(text)


@few
@given(st.text("[]{}&*!|>'\"%@`#:-,? \n\t01aé", max_size=40))
def test_any_punctuation_is_refused_as_params(text: str) -> None:
    assert not refused_or_params(text)


@few
@given(st.data())
def test_any_value_in_any_place_is_taken_or_refused(data: st.DataObject) -> None:
    values = deepcopy(GOOD)
    block = values
    key = data.draw(st.sampled_from(sorted(block)))
    while isinstance(block[key], dict) and data.draw(st.booleans()):
        block = block[key]
        key = data.draw(st.sampled_from(sorted(block)))
    block[key] = data.draw(VALUES)
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(values, text)
    refused_or_params(text.getvalue())


@few
@given(
    st.integers(0, 3),
    st.lists(st.integers(0, 10**9), min_size=1, max_size=4, unique=True),
    st.floats(1e-9, 10, exclude_min=True),
)
def test_params_come_back_as_they_were_written(neck: int, seeds: list[int], rate: float) -> None:
    values = deepcopy(GOOD)
    values["neck_n"], values["seeds"], values["train"]["learning_rate"] = neck, seeds, rate
    with TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        with path.open("w", encoding="utf-8") as file:
            YAML(typ="safe", pure=True).dump(values, file)
        assert load_params(path).model_dump() == values


# --- manifest -----------------------------------------------------------------------------------

CLASS_NAMES = NAMES.map(str.strip).filter(lambda n: n and ";" not in n and n.isprintable())


@many
@given(st.data())
def test_manifests_come_back_as_they_were_written(data: st.DataObject) -> None:
    names = data.draw(st.lists(CLASS_NAMES, min_size=2, max_size=5, unique=True))
    classes = make_classes(names)
    row = st.builds(
        Row,
        id=NAMES,
        image=NAMES,
        mask=NAMES | st.just(""),
        split=st.sampled_from(SPLITS),
        tags=st.sets(st.integers(1, len(names) - 1)).map(lambda tags: tuple(sorted(tags))),
        width=st.integers(1, 10**6),
        height=st.integers(1, 10**6),
        md5=st.text("0123456789abcdef", max_size=32),
    )
    rows = tuple(data.draw(st.lists(row, max_size=6, unique_by=lambda row: row.id)))
    with TemporaryDirectory() as folder:
        write_manifest(Path(folder), rows, classes)
        manifest = read_manifest(Path(folder), Path(folder))
    assert manifest.rows == rows
    assert manifest.classes == classes


@many
@given(st.binary(max_size=200), st.integers(0, 120))
def test_damaged_manifests_are_refused(noise: bytes, at: int) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        row = Row("a", "images/a.png", "masks/a.png", "strong", (1,), 10, 6, "0" * 32)
        write_manifest(folder, [row], make_classes(["background", "cat"]))
        for file in ("manifest.csv", "classes.csv"):
            good = (folder / file).read_bytes()
            (folder / file).write_bytes(good[:at] + noise + good[at:])
            with may_refuse(file):
                read_manifest(folder, folder)
            (folder / file).write_bytes(good)


@many
@given(st.lists(st.text(max_size=12) | st.text("aAäÄ \u0308", max_size=3), max_size=5))
def test_names_that_pass_are_files_and_lines(names: list[str]) -> None:
    findings = Findings()
    check_names(names, "~", findings)
    if findings:
        return
    assert "\n".join(names).splitlines() == names
    with TemporaryDirectory() as folder:
        for name in names:
            (Path(folder) / f"{name}.png").write_text(name)
        assert {path.stem for path in Path(folder).iterdir()} == set(names)
