"""pipeline/ is a house of rooms: one purpose each, and imports that run one way between them."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from pipeline.settings.registry import BACKBONES, DATASETS, GENERATORS, Kind
from tests.imports import ROOMS, imported_files, imported_names, room, room_imports
from tests.settings import ROOT

PIPELINE = ROOT / "pipeline"
MODULES = sorted(PIPELINE.rglob("*.py"))
NAMED = re.compile(
    r"pipeline/(datasets/(?!reading/)\w+/|(backbones|generators)/(?!__init__)\w+[.]py)"
)
# The check looks at a folder before stage download does, by that data set's own reader, as does who
# tags it, corrects its masks or chooses among its photographs; the demo renders scenes.
PEOPLES = ("editable", "choosing", "tagging", "check")
MAY_NAME = {
    *((room, "pipeline/datasets/folder/") for room in PEOPLES),
    ("project", "pipeline/datasets/shapes/"),
}


def packages() -> list[Path]:
    """The `__init__.py` of pipeline/, its rooms, and the folders around rooms."""
    rooms = [PIPELINE / name for name in ROOMS if name != "datasets/NAME"]
    datasets = [PIPELINE / "datasets" / name for name in DATASETS.names()]
    around = [PIPELINE, PIPELINE / "weak", PIPELINE / "datasets"]
    return [folder / "__init__.py" for folder in (*around, *rooms, *datasets)]


def test_pipeline_holds_the_rooms_and_nothing_else() -> None:
    assert [path.name for path in PIPELINE.glob("*.py")] == ["__init__.py"]
    assert {room(path, ROOT) for path in MODULES} == {*ROOMS, "", "weak", "datasets"}


@pytest.mark.parametrize("path", packages(), ids=lambda path: path.parent.name)
def test_a_room_says_its_purpose_and_holds_no_code_of_its_own(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    purpose = (ast.get_docstring(tree) or "").partition("\n")[0]
    assert re.fullmatch(r"[A-Z].{8,98}[.]", purpose), f"{path}: one line says what it is for"
    version = [path.parent == PIPELINE and isinstance(node, ast.Assign) for node in tree.body[1:]]
    assert version in ([], [True]), f"{path}: code belongs in a module of the room"


def arrows_back(root: Path) -> list[str]:
    """Imports from a room that the order has later, or does not have."""
    return [
        said
        for (importer, imported), each in room_imports(root).items()
        for said in each
        if ROOMS.index(imported) > ROOMS.index(importer)
    ]


def test_imports_between_rooms_follow_the_order() -> None:
    assert arrows_back(ROOT) == [], "an arrow points back; tests/imports.py has the order"


def test_an_arrow_back_is_seen_inside_a_function_too(tmp_path: Path) -> None:
    for name, text in {
        "runs/a.py": "def run():\n    from pipeline.engine import b\n",
        "engine/b.py": "import pipeline.runs.a\n",
        "engine/__init__.py": "",
    }.items():
        path = tmp_path / "pipeline" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    assert set(arrows_back(tmp_path)) == {
        "pipeline/runs/a.py imports pipeline/engine/__init__.py",
        "pipeline/runs/a.py imports pipeline/engine/b.py",
    }


def test_modules_import_each_other_without_circles() -> None:
    """At module level; Python itself bears a circle that is closed inside a function."""
    graph = {path: imported_files(path, ROOT, inside=False) for path in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " -> ".join(path.relative_to(ROOT).as_posix() for path in error.args[1][::-1])
        pytest.fail(f"modules import each other in a circle: {circle}")


@pytest.mark.parametrize("kind", [BACKBONES, GENERATORS], ids=lambda kind: kind.module)
def test_one_file_a_name(kind: Kind) -> None:
    folder = PIPELINE / kind.module.split(".")[1]
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")}
    assert files == {"__init__.py", *(f"{name}.py" for name in kind.names())}


def test_what_params_yaml_names_is_loaded_by_the_registry_alone() -> None:
    """Else a new file would need an import somewhere, and dvc.yaml's ${…} would miss a module."""
    for path in MODULES:
        own = path.relative_to(ROOT).as_posix()
        for file in imported_files(path, ROOT):
            there = file.relative_to(ROOT).as_posix()
            named = NAMED.match(there)
            if named and not own.startswith(named[0]):
                assert (room(path, ROOT), named[0]) in MAY_NAME, f"{own} imports {there} by name"


def test_the_library_does_not_know_the_stages() -> None:
    for path in MODULES:
        assert not [name for name in imported_names(path) if name.startswith("stages")], path


def test_tests_mirror_the_rooms() -> None:
    tests = ROOT / "tests" / "pipeline"
    tested = {room(PIPELINE / path.relative_to(tests), ROOT) for path in tests.rglob("test_*.py")}
    assert tested - set(ROOMS) == set(), "tests of a room that is not there"
    assert set(ROOMS) - tested == set(), "rooms without tests"
