"""Extras in a whole training: what each changes, and that a kill anywhere changes no byte."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipeline.batches import labelled
from pipeline.data.confidence import write_confidence
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import confidence_path
from pipeline.data.plan import make_plan
from pipeline.runs import checkpoint
from pipeline.runs import resume as kept
from pipeline.settings.paths import proxy_dir
from pipeline.train import batch_losses, refresh
from pipeline.train import train as train_module
from pipeline.train.train import train_network
from tests.settings import ROOT, small_params

STEPS, TURN = 10, 6
ALL = "dual+ema+confidence+refresh+consistency"
CHANGES = {
    "train.iterations": STEPS,
    "extras.refresh_at": TURN / STEPS,
    "extras.consistency_threshold": 0.1,  # of nine classes: taught from the first step
}


class KilledError(Exception):
    """Stands for a signal."""


@pytest.fixture
def proxied(ready: Manifest, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """Proxies with random confidence; a checkpoint at every step."""
    monkeypatch.setattr(kept, "EVERY", 0.0)
    for number, row in enumerate(ready.train()):
        path = confidence_path(row.id, proxy_dir("dsrg"))
        path.parent.mkdir(parents=True, exist_ok=True)
        generator = torch.Generator().manual_seed(number)
        write_confidence(path, torch.rand(row.height, row.width, generator=generator))
    return ready


def train(manifest: Manifest, name: str, variant: str, **changes: object) -> dict[str, bytes]:
    """The files of a training."""
    params = small_params(**{**CHANGES, **changes})
    strong, weak = ([row.id for row in manifest.of(split)] for split in ("strong", "weak"))
    plan = make_plan(variant, 1, strong, weak, extras=params.extras)
    folder = Path(name)
    train_network(params, manifest, plan, 0, folder)
    return {file: (folder / file).read_bytes() for file in ("network.safetensors", "history.csv")}


def test_no_two_of_them_learn_the_same(proxied: Manifest) -> None:
    names = ["dual", *(f"dual+{extra}" for extra in ALL.split("+")[1:]), ALL, "dual_n0"]
    networks = {train(proxied, name, name)["network.safetensors"] for name in names}
    assert len(networks) == len(names)
    assert train(proxied, "n1", "dual_n1") == train(proxied, "n", "dual")


def test_the_plain_network_learns_the_same_beside_its_average(proxied: Manifest) -> None:
    """The average only watches: the losses are those of the plain variant."""
    plain, watched = (train(proxied, name, name) for name in ("dual", "dual+ema"))
    assert plain["history.csv"] == watched["history.csv"]


def test_an_average_of_one_step_is_the_network(proxied: Manifest) -> None:
    plain, watched = (
        train(proxied, name, name, **{"train.iterations": 1}) for name in ("dual", "dual+ema")
    )
    assert plain == watched


def test_the_average_is_what_is_validated(
    proxied: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = train_module.confusion_of

    def looking(network: torch.nn.Module, *rest: object, **more: object) -> object:
        seen.append({key: value.clone() for key, value in network.state_dict().items()})
        return real(network, *rest, **more)

    monkeypatch.setattr(train_module, "confusion_of", looking)
    train(proxied, "a", "dual+ema", **{"train.validations": 2})
    stored = load_file("a/network.safetensors")
    assert len(seen) == 2
    assert all(torch.equal(stored[key], value) for key, value in seen[-1].items())


def test_the_average_makes_the_proxies_anew(
    proxied: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    learners, made_by = [], []
    real = checkpoint.Checkpoints.__init__

    def looking(self: checkpoint.Checkpoints, name: str, key: str, learner: object) -> None:
        learners.append(learner)
        real(self, name, key, learner)

    def refreshing(network: torch.nn.Module, *rest: object) -> None:
        made_by.append(network)
        refresh.refresh_proxies(network, *rest)

    monkeypatch.setattr(checkpoint.Checkpoints, "__init__", looking)
    monkeypatch.setattr(train_module, "refresh_proxies", refreshing)
    train(proxied, "a", "dual+ema+refresh")
    assert made_by == [learners[0].average.module]


def test_training_alone_does_not_import_torchvision() -> None:
    code = "import sys, pipeline.train.train; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_until_the_refresh_everything_is_as_without(proxied: Manifest) -> None:
    plain, fresh = (
        train(proxied, name, name)["history.csv"].decode().splitlines()
        for name in ("dual", "dual+refresh")
    )
    assert len(plain) == len(fresh) == STEPS + 1
    assert fresh[: TURN + 1] == plain[: TURN + 1]
    assert fresh[TURN + 1] != plain[TURN + 1]


def test_the_rest_of_the_steps_learn_from_the_new_proxies(
    proxied: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    real = labelled.read_mask

    def looking(path: Path, *rest: int) -> object:
        read.append(path)
        return real(path, *rest)

    monkeypatch.setattr(labelled, "read_mask", looking)
    train(proxied, "a", "dual+confidence+refresh")
    turn = next(i for i, path in enumerate(read) if "checkpoints" in path.parts)
    before, after = read[:turn], read[turn:]
    assert not [path for path in after if path.parts[:2] == ("data", "proxy")]
    assert {path.parent.name for path in after if "checkpoints" in path.parts} == {
        *("masks", "confidence")
    }
    assert [path for path in before if path.parts[:2] == ("data", "proxy")]
    assert not Path("data/checkpoints").exists() or not list(Path("data/checkpoints").iterdir())


def logged(files: dict[str, bytes]) -> list[list[str]]:
    """The rows of a history, names first."""
    return [line.split(",") for line in files["history.csv"].decode().splitlines()]


def test_consistency_is_logged_and_counts(proxied: Manifest) -> None:
    heavier = {"extras.consistency_weight": 3.0}
    once = logged(train(proxied, "a", "dual+consistency"))
    thrice = logged(train(proxied, "b", "dual+consistency", **heavier))
    assert once[0] == ["step", "loss", "consistency", "sure"]
    loss, term, sure = (float(value) for value in once[1][1:])
    assert term > 0
    assert 0 < sure <= 1
    assert once[1][2:] == thrice[1][2:]
    assert float(thrice[1][1]) - loss == pytest.approx(2 * term, rel=1e-3)


def test_nothing_is_sure_enough_at_first(proxied: Manifest) -> None:
    """With a threshold no near-zero logits reach, the first loss is that of the plain variant."""
    changes = {"extras.consistency_threshold": 0.999}
    plain, careful = (
        logged(train(proxied, name, name, **changes)) for name in ("dual", "dual+consistency")
    )
    loss, term, sure = (float(value) for value in careful[1][1:])
    assert (term, sure) == (0, 0)
    assert loss == pytest.approx(float(plain[1][1]), rel=1e-5)


@pytest.mark.parametrize(
    "variant", ["dual_natural+consistency", "weak+refresh", "mixed+confidence"]
)
def test_other_variants_train_with_them(proxied: Manifest, variant: str) -> None:
    base, _ = variant.split("+")
    one, two = (train(proxied, name, name)["network.safetensors"] for name in (variant, base))
    assert one != two


# --- kills --------------------------------------------------------------------------------------


def at_call(number: int, real: Callable[..., object]) -> Callable[..., object]:
    """A function that dies at its call of this number."""
    calls = []

    def dying(*arguments: object, **named: object) -> object:
        calls.append(None)
        if len(calls) == number:
            raise KilledError
        return real(*arguments, **named)

    return dying


@pytest.mark.parametrize("variant", [ALL, "dual+ema", "dual+refresh", "dual+consistency"])
@pytest.mark.parametrize("kill_at", [2, TURN + 1, TURN + 3, STEPS])
def test_a_killed_training_ends_in_the_same_bytes(
    proxied: Manifest, variant: str, kill_at: int
) -> None:
    whole = train(proxied, "whole", variant)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            batch_losses, "segmentation_loss", at_call(kill_at, batch_losses.segmentation_loss)
        )
        with pytest.raises(KilledError):
            train(proxied, "cut", variant)
    assert list(Path("data/checkpoints").rglob("*.pt"))
    assert train(proxied, "cut", variant) == whole
    assert not list(Path("data/checkpoints").iterdir())


@pytest.mark.parametrize("mask", [1, 4])
def test_a_kill_while_the_proxies_are_made_anew(
    proxied: Manifest, mask: int, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = train(proxied, "whole", ALL)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(refresh, "write_mask", at_call(mask, refresh.write_mask))
        with pytest.raises(KilledError):
            train(proxied, "cut", ALL)
    assert not list(Path("data/checkpoints").glob("*/proxies"))  # whole or not at all
    assert train(proxied, "cut", ALL) == whole
    assert f"resumes after step {TURN}" in capsys.readouterr().err


def test_a_training_back_behind_its_refresh_makes_it_again(proxied: Manifest) -> None:
    """The checkpoints after the refresh are gone, what it wrote is not, and is not trusted."""
    whole = train(proxied, "whole", "dual+refresh")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            batch_losses, "segmentation_loss", at_call(TURN + 3, batch_losses.segmentation_loss)
        )
        with pytest.raises(KilledError):
            train(proxied, "cut", "dual+refresh")
    for path in Path("data/checkpoints").rglob("*.pt"):
        path.unlink()
    masks = sorted(Path("data/checkpoints").glob("*/proxies/masks/*.png"))
    assert len(masks) == len(proxied.of("weak"))
    for path in masks:
        path.write_bytes(b"")
    assert train(proxied, "cut", "dual+refresh") == whole


def test_proxies_made_anew_are_within_the_tags(
    proxied: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, set[int]] = {}
    real = refresh.write_mask

    def looking(path: Path, mask: np.ndarray, *rest: object) -> object:
        found[path.stem] = set(np.unique(mask).tolist())
        return real(path, mask, *rest)

    monkeypatch.setattr(refresh, "write_mask", looking)
    train(proxied, "a", "dual+refresh", **{"train.learning_rate": 1e-2})
    assert found.keys() == {row.id for row in proxied.of("weak")}
    assert all(found[row.id] <= {0, *row.tags} for row in proxied.of("weak"))
