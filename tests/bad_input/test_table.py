"""Every kind of bad input gives the message messages.txt has, and leaves nothing behind."""

import hashlib
import shutil
from pathlib import Path

import pytest
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.data.manifest import read_manifest
from pipeline.datasets.reading.download import download
from pipeline.settings.params_file import load_params
from tests.bad_input.spoiling import Spoil
from tests.bad_input.table import CHOICES, REFUSED, TAKEN
from tests.exports import EXPORTS
from tests.settings import ROOT, small_params
from tests.trees import make_coco, make_folder, make_voc

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
MESSAGES = Path(__file__).with_name("messages.txt")


def told() -> dict[str, str]:
    """What messages.txt says of each case: a line with its name, below it the message, indented."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in MESSAGES.read_text("utf-8").splitlines():
        if line.startswith("    "):
            found[name].append(line[4:])
        elif line and not line.startswith("#"):
            name = line
            assert name not in found, name
            found[name] = []
    return {name: "\n".join(lines) for name, lines in found.items()}


TOLD = told()
LINES = len((ROOT / "params.yaml").read_text("utf-8").splitlines())


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One good data set of each kind, and a good params.yaml, to be copied."""
    root = tmp_path_factory.mktemp("good")
    make_folder(root / "folder")
    make_voc(root / "voc", sbd=True)
    make_coco(root / "coco")
    for kind, make in EXPORTS.items():
        make(root / kind)
    (root / "params").mkdir()
    shutil.copy(ROOT / "params.yaml", root / "params")
    return root


def read(kind: str, root: Path, out: Path, name: str = "") -> str:
    """Read what lies under `root`; the summary that stage download prints."""
    if kind == "params":
        load_params(root / "params.yaml")
        return "read"
    dataset = "folder" if kind in EXPORTS else kind
    values = {"dataset": dataset, "data_root": str(root), "download.coco.strong": 4}
    params = small_params(**values, **CHOICES.get(name, {}))
    return ", ".join(f"{count} {what}" for what, count in download(params, out).items())


def outcome(kind: str, name: str, spoil: Spoil, good: Path, tmp_path: Path) -> str:
    """What is said of a data set that was spoilt, with `~` for its folder."""
    root, out = tmp_path / "data set", tmp_path / "out"
    shutil.copytree(good / kind, root)
    spoil(root)
    try:
        said = read(kind, root, out, name)
    except UserError as error:
        said = str(error)
        listing = {"out.problems.txt"} & {path.name for path in tmp_path.iterdir()}
        left = {path.name for path in tmp_path.iterdir() if path.name != "checkpoints"}
        assert left == {"data set", *listing}
        assert not list(tmp_path.glob("checkpoints/*"))
    else:
        said = f"read: {said}"
    for after in (1, 2):  # params.yaml grows, and these cases append to it
        said = said.replace(f"yaml, line {LINES + after},", f"yaml, line END + {after},")
    return said.replace(str(root), "~").replace(str(out), "out")


@pytest.mark.parametrize(
    ("kind", "name", "spoil"),
    [
        pytest.param(kind, name, spoil, id=f"{kind}: {name}")
        for table in (REFUSED, TAKEN)
        for kind, rows in table.items()
        for name, spoil in rows
    ],
)
def test_what_is_said(kind: str, name: str, spoil: Spoil, good: Path, tmp_path: Path) -> None:
    said = outcome(kind, name, spoil, good, tmp_path)
    assert said == TOLD[f"{kind}: {name}"]
    taken = kind in TAKEN and any(name == row[0] for row in TAKEN[kind])
    assert said.startswith("read: ") == taken


def test_every_message_belongs_to_a_case() -> None:
    cases = {
        f"{kind}: {name}"
        for table in (REFUSED, TAKEN)
        for kind, rows in table.items()
        for name, _ in rows
    }
    assert set(TOLD) == cases
    assert len(cases) >= 60


@pytest.mark.parametrize("kind", ["folder", "voc", "coco", "params", *EXPORTS])
def test_what_is_not_spoilt_is_read(kind: str, good: Path, tmp_path: Path) -> None:
    counts = (
        "5 strong, 8 weak, 2 val" if kind in ("folder", *EXPORTS) else "4 strong, 8 weak, 3 val"
    )
    said = read(kind, good / kind, tmp_path / "out")
    assert said == ("read" if kind == "params" else f"{counts}, 0 test")


@pytest.mark.parametrize("kind", ["folder", "voc", "coco"])
def test_every_image_is_read_once_and_marked_as_ever(
    kind: str, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path) or real(path))
    real_open = Image.open
    monkeypatch.setattr(
        Image,
        "open",
        lambda source, *rest: (isinstance(source, Path) and opened.append(source))
        or real_open(source, *rest),
    )  # fmt: skip
    read(kind, good / kind, tmp_path / "out")
    assert len(opened) == len(set(opened))
    manifest = read_manifest(tmp_path / "out", good / kind)
    copied = kind == "folder"
    sources = (good / kind / r.image if copied else manifest.path(r.image) for r in manifest.rows)
    assert set(sources) <= set(opened)
    for row in manifest.rows:
        files = [row.mask, row.image] if copied else [row.image, row.mask]
        data = b"".join(manifest.path(name).read_bytes() for name in files if name)
        assert row.md5 == hashlib.md5(data).hexdigest()
