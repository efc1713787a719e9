"""Two gloo processes against one: sums, layers, batches and a few steps of training."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.base.errors import UserError
from pipeline.batches.order import BatchPlan
from pipeline.devices.distributed import World, shared_folder, total, total_array, world
from pipeline.devices.launch import launch, usable_cores
from tests.in_two import copies, learn
from tests.settings import ROOT


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("two")
    code = (
        f"from pipeline.devices.launch import launch; launch('tests.in_two', [{str(folder)!r}], 2)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    names = sorted(path.read_text("utf-8") for path in (folder / "shared").iterdir())
    assert names == [".shared.part"] * 2
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in (0, 1)]


def test_one_process_is_a_world_of_its_own(tmp_path: Path) -> None:
    assert world() == World(0, 1)
    assert world().leads
    assert list(world().share("abc")) == list("abc")
    values = torch.tensor([1.0, 2.0])
    assert total(values) is values
    array = values.int().numpy()
    assert total_array(array) is array
    with shared_folder(tmp_path / "a") as part:
        (part / "b").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_shares_are_every_item_once() -> None:
    for size in (1, 2, 3, 7):
        shares = [World(rank, size).share(range(5)) for rank in range(size)]
        assert sorted(item for share in shares for item in share) == list(range(5))


def test_sums_are_over_both_and_reach_both(both: list[dict[str, Any]]) -> None:
    for found in both:
        assert found["sums"]["total"].tolist() == [3, 6]
        assert found["sums"]["counts"].tolist() == [10, 12, 14]
        # Each x feeds both processes' sums, which weigh it by 1 and by 2.
        assert found["sums"]["gradient"].tolist() == [30, 300]


def test_rows_are_gathered_in_their_order(both: list[dict[str, Any]]) -> None:
    for found in both:
        assert found["rows"].tolist() == [[0], [1], [2], [3], [4]]


def test_copies_are_mixed_over_both_as_in_one(both: list[dict[str, Any]]) -> None:
    """A rectangle of an image that another process is using, too."""
    for rank, found in enumerate(both):
        for whole, part in zip(copies(World()), found["copies"], strict=True):
            assert torch.equal(whole[rank::2], part)


def test_a_shared_folder_is_in_place_for_all_when_it_is_left(both: list[dict[str, Any]]) -> None:
    assert all(found["shared"] for found in both)


def test_batches_are_shared_out(both: list[dict[str, Any]]) -> None:
    """Together the items of one process, streams in order, random keys unchanged."""
    whole = list(BatchPlan(counts=(6, 30), sizes=(3, 2), steps=4, seed=1))
    for step, batch in enumerate(whole):
        items = [(item.stream, item.index, item.key) for item in batch]
        assert both[0]["items"][step] == [items[0], items[2], items[3]]
        assert both[1]["items"][step] == [items[1], items[4]]


def test_dropout_batch_norm_and_gradients_are_those_of_one_process(
    both: list[dict[str, Any]],
) -> None:
    alone = learn(World())
    for found in both:
        assert found["learnt"].keys() == alone.keys()
        for name, tensor in alone.items():
            torch.testing.assert_close(
                found["learnt"][name], tensor, rtol=1e-6, atol=1e-7, msg=name
            )


def test_a_launch_gives_every_process_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Agent:
        def __init__(self, *_: object) -> None:
            seen.append(os.environ["OMP_NUM_THREADS"])

        def __call__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("pipeline.devices.launch.elastic_launch", Agent)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    launch("stages.x", [], 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    launch("stages.x", [], 4)
    assert seen == ["2", "3"]


def test_more_processes_than_gpus_are_refused_before_they_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("pipeline.devices.launch.elastic_launch", lambda *_: pytest.fail("started"))
    with pytest.raises(UserError, match=r"machine\.processes: 20 processes.* 2 GPUs.* 2 at most"):
        launch("stages.x", [], 20)


def test_cores_are_known_on_every_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert usable_cores() == os.cpu_count()
