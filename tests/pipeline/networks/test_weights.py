"""Files of weights: what is read, and every kind that is refused, by which message."""

import hashlib
import io
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import Tensor, nn

from pipeline.base import fetch as fetch_module
from pipeline.base.errors import UserError
from pipeline.networks import weights as module
from pipeline.networks.backbone import build_backbone
from pipeline.networks.weights import imagenet_file, imagenet_source, misfit, read_tensors
from tests.file_server import FileServer
from tests.weights import IMAGENET, TORCHVISION, fill_hub, random_state

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.count": torch.tensor(3)}


def pth(content: object, zipped: bool = True) -> bytes:
    """What `torch.save` writes, today or before 2020."""
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


class Trap:
    """Unpickling this would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.write_text, (self.path, "sprung")


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.pth", pth(STATE)), ("a.pth", pth(STATE, zipped=False)), ("a.safetensors", save(STATE))],
    ids=["pth", "old pth", "safetensors"],
)
def test_tensors_come_back(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    found = read_tensors(tmp_path / name, "")
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[key], STATE[key]) for key in STATE)


PAGE = b"\n<!DOCTYPE html><html>404</html>"
DAMAGED = r"(it is damaged|.*)"
REFUSED: dict[str, tuple[str, bytes, str]] = {
    "empty pth": ("a.pth", b"", "it is empty"),
    "empty safetensors": ("a.safetensors", b"", "it is empty"),
    "blank": ("a.pth", b"  \n ", "it is empty"),
    "web page as pth": ("a.pth", PAGE, "it is a web page"),
    "web page as safetensors": ("a.safetensors", PAGE, "it is a web page"),
    "text": ("a.pth", b"no weights at all, but text", "it is damaged, or has code"),
    "text as safetensors": ("a.safetensors", b"no weights at all, but text", DAMAGED),
    "cut pth": ("a.pth", pth(STATE)[:-400], DAMAGED),
    "cut old pth": ("a.pth", pth(STATE, zipped=False)[:-8], DAMAGED),
    "cut safetensors": ("a.safetensors", save(STATE)[:-8], DAMAGED),
    "half a header": ("a.safetensors", save(STATE)[:20], DAMAGED),
    "one tensor": ("a.pth", pth(torch.zeros(3)), "it has no named tensors"),
    "list": ("a.pth", pth([torch.zeros(3)]), "it has no named tensors"),
    "numbered": ("a.pth", pth({0: torch.zeros(3)}), "it has no named tensors"),
    "checkpoint": (
        *("a.pth", pth({"state_dict": STATE, "epoch": 3})),
        "it holds 'state_dict', which is not a tensor; save the state_dict alone",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_with_one_line(kind: str, tmp_path: Path) -> None:
    name, content, reason = REFUSED[kind]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_tensors(tmp_path / name, "bring another")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / name} is not a plain tensor file (")
    assert message.endswith("); bring another")
    assert "\n" not in message
    if reason is not DAMAGED:
        assert f"({reason}" in message


def test_folder(tmp_path: Path) -> None:
    for name in ("a.pth", "a.safetensors"):
        (tmp_path / name).mkdir()
        with pytest.raises(UserError, match="it is a folder"):
            read_tensors(tmp_path / name, "")


@pytest.mark.parametrize("name", ["trap.pth", "trap.safetensors"])
@pytest.mark.parametrize("how", ["zip", "old", "bare"])
def test_pickled_code_is_refused_and_not_run(tmp_path: Path, how: str, name: str) -> None:
    trap = {"a.weight": Trap(tmp_path / "sprung")}
    bare = pickle.dumps(trap, protocol=2)
    content = bare if how == "bare" else pth(trap, zipped=how == "zip")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=r"trap\..* is not a plain tensor file"):
        read_tensors(tmp_path / name, "")
    assert not (tmp_path / "sprung").exists()
    if how == "bare":  # the trap is a real one
        pickle.loads(bare)
        assert (tmp_path / "sprung").exists()


# --- fitting ------------------------------------------------------------------------------------


def changed(**values: Tensor | None) -> dict[str, Tensor]:
    """A small network's state with tensors replaced, added or, for None, left out."""
    state = dict(nn.BatchNorm1d(2).state_dict()) | values
    return {key: value for key, value in state.items() if value is not None}


MISFITS: dict[str, tuple[dict[str, Tensor], str]] = {
    "fits": (changed(), ""),
    "no count of batches": (changed(num_batches_tracked=None), ""),
    "another precision": (changed(bias=torch.ones(2, dtype=torch.bfloat16)), ""),
    "missing": (changed(bias=None), "'bias' is missing"),
    "surplus": (changed(further=torch.ones(1)), "'further' is not one of the network's"),
    "shape": (changed(bias=torch.ones(3)), "'bias' is of another shape, (3,) and not (2,)"),
    "axes": (changed(bias=torch.ones(2, 1)), "'bias' is of another shape, (2, 1) and not (2,)"),
    "integers": (changed(bias=torch.ones(2, dtype=torch.int8)), "'bias' is of another kind, torch"),
    "complex": (changed(bias=torch.ones(2, dtype=torch.complex64)), "'bias' is of another kind"),
    "sparse": (changed(bias=torch.ones(2).to_sparse()), "'bias' is of another kind"),
    "only a shape": (changed(bias=torch.ones(2, device="meta")), "'bias' is of another kind"),
    "NaN": (changed(bias=torch.tensor([0.0, float("nan")])), "'bias' holds NaN or infinity"),
    "infinity": (changed(bias=torch.tensor([float("-inf"), 0.0])), "'bias' holds NaN or infinity"),
    "too large for a float": (
        *(changed(bias=torch.tensor([1e300, 0.0], dtype=torch.float64)),),
        "'bias' holds NaN or infinity",
    ),
}


@pytest.mark.parametrize("kind", MISFITS)
def test_misfit_names_the_tensor(kind: str) -> None:
    state, message = MISFITS[kind]
    found = misfit(state, nn.BatchNorm1d(2).state_dict())
    assert found.startswith(f"tensor {message}") if message else found == ""


# --- torchvision's files ------------------------------------------------------------------------


def test_sources_are_torchvisions() -> None:
    assert imagenet_source("vgg16") == (
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        "sha256:397923af",
    )
    assert all(imagenet_source(name)[0] == IMAGENET[name].url for name in TORCHVISION)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server with SqueezeNet's file in torchvision's place, and an empty cache."""
    monkeypatch.setattr(fetch_module, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    content = pth(random_state(TORCHVISION["squeezenet1_0"]))
    digest = f"sha256:{hashlib.sha256(content).hexdigest()[:8]}"
    with FileServer({"/models/squeezenet1_0-b66bff10.pth": content}) as running:
        url = running.url("/models/squeezenet1_0-b66bff10.pth")
        monkeypatch.setattr(module, "imagenet_source", lambda name: (url, digest))
        yield running


def cached(tmp_path: Path) -> Path:
    """Where torch keeps SqueezeNet's file."""
    return tmp_path / "torch" / "hub" / "checkpoints" / "squeezenet1_0-b66bff10.pth"


def test_download_goes_where_torch_keeps_its_own(server: FileServer, tmp_path: Path) -> None:
    (url,) = (server.url(path) for path in server.files)
    server.cuts["/models/squeezenet1_0-b66bff10.pth"] = [1_000_000]
    assert imagenet_file("squeezenet1_0") == cached(tmp_path)
    assert [bool(asked) for _, asked in server.asked] == [False, True]  # resumed
    build_backbone("squeezenet1_0", "imagenet")
    assert len(server.asked) == 2
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [cached(tmp_path)]
    # and torch's own loader takes it from there
    state = torch.hub.load_state_dict_from_url(url, weights_only=True)
    assert len(server.asked) == 2
    assert torch.equal(
        build_backbone("squeezenet1_0", "imagenet").body[0].weight, state["features.0.weight"]
    )


def test_file_that_is_there_is_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    source = fill_hub(tmp_path / "torch", "squeezenet1_0")
    monkeypatch.setattr(module, "imagenet_source", lambda name: source)
    monkeypatch.setattr(fetch_module.requests, "get", lambda *given: pytest.fail("asked the web"))
    build_backbone("squeezenet1_0", "imagenet")


def test_half_a_file_in_the_cache_is_replaced(server: FileServer, tmp_path: Path) -> None:
    (content,) = server.files.values()
    cached(tmp_path).parent.mkdir(parents=True)
    cached(tmp_path).write_bytes(content[: len(content) // 2])
    build_backbone("squeezenet1_0", "imagenet")
    assert cached(tmp_path).read_bytes() == content


@pytest.mark.parametrize(
    "spoil",
    [lambda body: PAGE, lambda body: b"", lambda body: body[:-1] + b"x"],
    ids=["page", "empty", "one byte"],
)
def test_another_file_does_not_count(
    server: FileServer, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    (path,) = server.files
    server.files[path] = spoil(server.files[path])
    with pytest.raises(UserError, match=r"squeezenet1_0-b66bff10\.pth could not be downloaded"):
        build_backbone("squeezenet1_0", "imagenet")
    assert not cached(tmp_path).exists()


def test_code_in_a_download_is_not_run(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the digest is right: eight digits do not keep anyone out."""
    (path,) = server.files
    server.files[path] = pth({"features.0.weight": Trap(tmp_path / "sprung")})
    digest = f"sha256:{hashlib.sha256(server.files[path]).hexdigest()[:8]}"
    url = server.url(path)
    monkeypatch.setattr(module, "imagenet_source", lambda name: (url, digest))
    with pytest.raises(UserError, match="no code was run"):
        build_backbone("squeezenet1_0", "imagenet")
    assert not (tmp_path / "sprung").exists()
