"""`make setup` with a torch from another index: real make and pip, and an index on loopback."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.file_server import FileServer
from tests.settings import ROOT, copy_project

FOR_LINUX = " ; sys_platform == 'linux'"
LOCK = [  # name, version, marker, who needs it
    ("cuda-toolkit", "13.2.2", FOR_LINUX, "torch"),
    ("dvclive", "3.49.1", "", "strong-weak-segmentation (pyproject.toml)"),
    ("nvidia-cublas", "13.4.1", FOR_LINUX, "cuda-toolkit nvidia-cudnn-cu13"),
    ("nvidia-cudnn-cu13", "9.26.0", FOR_LINUX, "nvidia-cublas"),  # a circle
    ("nvidia-ml-py", "13.615.71", "", "dvclive"),
    ("sympy", "1.14.0", "", "torch"),
    ("torch", "2.15.0", "", "strong-weak-segmentation (pyproject.toml) torchvision"),
    ("torchvision", "0.29.2", "", "strong-weak-segmentation (pyproject.toml)"),
    ("uvloop", "0.22.1", FOR_LINUX, "dvclive torch"),
]
CUDA = {"cuda-toolkit", "nvidia-cublas", "nvidia-cudnn-cu13"}
OTHERS = {"dvclive", "nvidia-ml-py", "sympy", *({"uvloop"} if sys.platform == "linux" else ())}


def wheel(name: str, version: str) -> tuple[str, bytes]:
    """File name and body of a package that holds nothing; some need others."""
    needs = {"torchvision": "torch", "dvclive": "nvidia-ml-py"}.get(name)
    folder = f"{name.replace('-', '_')}-{version}"
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as packed:
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        more = f"Requires-Dist: {needs}\n" if needs else ""
        packed.writestr(f"{folder}.dist-info/METADATA", head + more)
        tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        packed.writestr(f"{folder}.dist-info/WHEEL", tag)
        packed.writestr(f"{folder}.dist-info/RECORD", "")
    return f"{folder}-py3-none-any.whl", body.getvalue()


def setuptools_wheel() -> tuple[str, bytes]:
    """The setuptools that is installed here, packed again."""
    found = distribution("setuptools")
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as packed:
        for file in found.files or []:
            if file.suffix != ".pyc" and ".." not in file.parts:
                packed.write(str(file.locate()), file.as_posix())
    return f"setuptools-{found.version}-py3-none-any.whl", body.getvalue()


def entry(name: str, version: str, marker: str, users: str, body: bytes) -> str:
    """Lines of a lock, as uv writes them."""
    digits = hashlib.sha256(body).hexdigest()
    who = users.split()
    via = f" {who[0]}" if len(who) == 1 else "".join(f"\n    #   {user}" for user in who)
    return f"{name}=={version}{marker} \\\n    --hash=sha256:{digits}\n    # via{via}\n"


class Index(FileServer):
    """Two indexes: /lock has what the lock names, /cpu has other builds of torch."""

    def add(self, index: str, name: str, file: str, body: bytes) -> None:
        """Offer a package's only file."""
        link = file.replace("+", "%2B")
        self.files[f"/{index}/{name}/"] = f'<a href="{link}">{file}</a>'.encode()
        self.files[f"/{index}/{name}/{link}"] = body
        self.headers[f"/{index}/{name}/"] = {"Content-Type": "text/html"}


def make_setup(folder: Path, index: Index, *choice: str, ok: bool = True) -> str:
    """Run `make setup` as somebody with pip's settings for the index of the lock; its output."""
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "MAKE", "TORCH_INDEX"))
    }
    pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index.url("/lock/"), "PIP_RETRIES": "0"}
    pip |= {"PIP_NO_CACHE_DIR": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        ["make", "setup", f"PYTHON={sys.executable}", *choice], cwd=folder, env=kept | pip,
        text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert (done.returncode == 0) == ok, done.stdout
    return done.stdout


def installed(folder: Path) -> dict[str, str]:
    """Versions of what is installed there, by name."""
    found = (path.stem.partition("-") for path in folder.glob(".venv/lib/*/*/*.dist-info"))
    return {name.replace("_", "-"): version for name, _, version in found}


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as server:
        yield server


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_torch_from_another_index_and_the_rest_by_its_hashes(tmp_path: Path, index: Index) -> None:
    copy_project(tmp_path)
    for name in ("Makefile", "pyproject.toml", "README.md", "LICENSE", "split_lock.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    lock = "# A comment.\n"
    file, body = setuptools_wheel()
    index.add("lock", "setuptools", file, body)
    lock += entry("setuptools", file.split("-")[1], "", "torch", body)
    for name, version, marker, users in LOCK:
        file, body = wheel(name, version)
        index.add("lock", name, file, body)
        lock += entry(name, version, marker, users, body)
    (tmp_path / "requirements.lock").write_text(lock, "utf-8")
    for name, version in (("torch", "2.15.0+cpu"), ("torchvision", "0.29.2+cpu")):
        index.add("cpu", name, *wheel(name, version))

    # A file that is not the lock's is refused.
    path = next(path for path in index.files if path.endswith(".whl") and "sympy" in path)
    right, index.files[path] = index.files[path], wheel("sympy", "1.14.0")[1] + b"\0"
    said = make_setup(tmp_path, index, f"TORCH_INDEX={index.url('/cpu/')}", ok=False)
    assert "DO NOT MATCH THE HASHES" in said
    assert not (tmp_path / ".venv" / ".ready").exists()

    # The choice is remembered.
    index.files[path] = right
    make_setup(tmp_path, index)
    found = installed(tmp_path)
    assert (found["torch"], found["torchvision"]) == ("2.15.0+cpu", "0.29.2+cpu")
    assert set(found) >= OTHERS
    assert not set(found) & CUDA
    python = tmp_path / ".venv" / "bin" / "python"
    where = subprocess.run(
        [python, "-c", "import pipeline; print(pipeline.__file__)"], cwd=tmp_path.parent,
        text=True, check=True, capture_output=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(tmp_path)
    assert python.with_name("swseg").exists()

    # Again, or with the same index: nothing.
    index.asked.clear()
    for choice in ((), (f"TORCH_INDEX={index.url('/cpu/')}",)):
        assert "Nothing to be done" in make_setup(tmp_path, index, *choice)
    assert index.asked == []

    # Another choice starts anew.
    make_setup(tmp_path, index, "TORCH_INDEX=")
    found = installed(tmp_path)
    assert (found["torch"], found["torchvision"]) == ("2.15.0", "0.29.2")
    assert set(found) >= OTHERS
    assert (set(found) >= CUDA) == (sys.platform == "linux")
    assert not [path for path, _ in index.asked if path.startswith("/cpu/")]
