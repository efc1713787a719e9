"""Workers that fail say why, in the main process, and nobody waits for them."""

import multiprocessing
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.base.errors import UserError
from pipeline.batches.augment import View
from pipeline.batches.labelled import Batch, LabelledImages, batches
from pipeline.batches.loading import Collate, Reader, loader, shared
from pipeline.batches.order import BatchPlan
from pipeline.data.manifest import Manifest
from pipeline.data.pairs import Pair
from pipeline.weak.seeds.tagged import TaggedImages
from tests.settings import ROOT

STEPS = 400
SOON = 20.0  # seconds
KILLED = r"^machine\.workers: a process that decodes images was killed; .*/dev/shm"


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    """Sixty small images of noise with masks."""
    made: list[Pair] = []
    for number in range(60):
        noise = np.random.default_rng(number).integers(0, 256, (20, 24, 3)).astype(np.uint8)
        image, mask = tmp_path / f"{number}.png", tmp_path / f"mask{number}.png"
        Image.fromarray(noise).save(image)
        Image.new("L", (24, 20), number % 5).save(mask)
        made.append(Pair(str(number), image, mask))
    return made


def begun(pairs: list[Pair]) -> Iterator[Batch]:
    """Batches made by two workers, the first of them taken."""
    made = batches(
        [pairs[:20], pairs[20:]],
        BatchPlan((20, 40), (2, 2), STEPS, seed=0),
        view=View(16, 0.8, 1.3),
        classes=5,
        workers=2,
        device=torch.device("cpu"),
    )
    assert next(made).images.shape == (4, 3, 16, 16)
    return made


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TimeoutError where a block takes longer."""

    def late(_number: int, _frame: object) -> None:
        raise TimeoutError(f"more than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGBUS, signal.SIGTERM])
def test_a_killed_worker_is_reported_soon(pairs: list[Pair], sent: signal.Signals) -> None:
    """SIGBUS is what a full /dev/shm sends."""
    made = begun(pairs)
    pids = [worker.pid or 0 for worker in multiprocessing.active_children()]
    assert len(pids) == 2
    os.kill(pids[0], sent)
    os.waitid(os.P_PID, pids[0], os.WEXITED | os.WNOWAIT)
    time.sleep(0.2)  # and nothing is raised here, in the middle of a step
    with within(SOON), pytest.raises(UserError, match=KILLED) as caught:
        list(made)
    assert "\n" not in str(caught.value)
    assert not multiprocessing.active_children()


def test_a_worker_killed_while_it_is_waited_for(pairs: list[Pair], tmp_path: Path) -> None:
    """Its next image never comes: a pipe that nobody writes to."""
    os.mkfifo(tmp_path / "pipe.png")
    endless: list[Pair] = [Pair("x", tmp_path / "pipe.png", pairs[0].mask)] * 60
    made = loader(LabelledImages([endless], 5), BatchPlan((60,), (4,), STEPS, seed=0), 2, list)

    def kill_one() -> None:
        os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)

    threading.Timer(3.0, kill_one).start()
    with within(SOON), pytest.raises(UserError, match=KILLED):
        list(made)
    assert not multiprocessing.active_children()


def test_another_error_stays_what_it_is(pairs: list[Pair]) -> None:
    def spoilt(_samples: list[object]) -> None:
        raise RuntimeError("out of sorts")

    with pytest.raises(RuntimeError, match="out of sorts"):
        list(loader(LabelledImages([pairs], 5), BatchPlan((60,), (4,), 2, seed=0), 0, spoilt))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_spoilt_image_is_named(pairs: list[Pair], workers: int) -> None:
    spoilt = pairs[33].image
    spoilt.write_bytes(spoilt.read_bytes()[:200])
    plan = BatchPlan((60,), (4,), STEPS, seed=0)
    made = loader(LabelledImages([pairs], 5), plan, workers, list)
    with pytest.raises(UserError) as caught:
        list(made)
    assert str(caught.value).startswith(f"{spoilt} cannot be read as an image")
    assert "Traceback" not in str(caught.value)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_spoilt_image_with_tags_is_named(
    manifest: Manifest, tmp_path: Path, workers: int
) -> None:
    copied = Manifest(manifest.rows, manifest.classes, tmp_path, tmp_path)
    for row in manifest.train():
        path = copied.path(row.image)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(manifest.path(row.image).read_bytes())
    spoilt = copied.path(copied.train()[3].image)
    spoilt.write_bytes(b"no image")
    images = TaggedImages(copied, copied.train(), 32)
    with pytest.raises(UserError, match=r"cannot be read as an image") as caught:
        list(images.batches(4, 4, seed=0, workers=workers))
    assert str(spoilt) in str(caught.value)


def test_no_memory_to_decode_in() -> None:
    class Hungry(LabelledImages):
        def __getitem__(self, item: object) -> tuple[object, ...]:
            raise MemoryError

    error = Reader(Hungry([[]], 2))[0]
    assert isinstance(error, UserError)
    assert "machine.workers" in str(error)
    assert Collate(list)([1, error, 2]) is error


SCRIPT = """
import resource, sys
from pathlib import Path
from pipeline.base.errors import UserError
from pipeline.batches.loading import loader
from pipeline.batches.order import BatchPlan
from pipeline.data.pairs import Pair
from pipeline.batches.labelled import LabelledImages

pairs = [Pair(str(n), Path(f"{n}.png"), Path(f"mask{n}.png")) for n in range(60)]
resource.setrlimit(getattr(resource, sys.argv[1]), (int(sys.argv[2]),) * 2)
try:
    made = loader(LabelledImages([pairs], 5), BatchPlan((60,), (4,), 200, seed=0), 2, list)
    print(sum(1 for _ in made))
except UserError as error:
    print(error)
"""


def limited(folder: Path, limit: str, value: int) -> str:
    """What a process prints that may not have more of something."""
    assert hasattr(resource, limit)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, limit, str(value)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr
    return run.stdout


def test_no_shared_memory_is_told(pairs: list[Pair]) -> None:
    """A file in /dev/shm may not be as large as an image: torch alone would wait for ever."""
    told = limited(pairs[0].image.parent, "RLIMIT_FSIZE", 1000)
    assert told.startswith("machine.workers: unable to")
    assert told.count("\n") == 1


def test_images_a_worker_keeps_are_no_open_files(pairs: list[Pair]) -> None:
    """Sixty images and masks are kept, and no more than ninety files may be open."""
    assert limited(pairs[0].image.parent, "RLIMIT_NOFILE", 90) == "200\n"


def test_shared_copies_equal_what_they_copy() -> None:
    images = torch.arange(24, dtype=torch.uint8).reshape(1, 2, 4, 3).permute(0, 3, 1, 2)
    batch = Batch(("a",), images, torch.zeros(1, 2, 4), (1,), (), None)
    copy = shared(batch)
    assert isinstance(copy, Batch)
    assert torch.equal(copy.images, images)
    assert copy.images.stride() == images.stride()
    assert copy.images.is_shared()
    assert not images.is_shared()
    assert (copy.ids, copy.sizes, copy.items, copy.sure) == (("a",), (1,), (), None)
    assert type(shared([(images, 1)])[0]) is tuple


def test_an_error_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(UserError("a.png cannot be read")))
    assert (type(error), str(error)) == (UserError, "a.png cannot be read")
