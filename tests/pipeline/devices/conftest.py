"""What the tests of devices set is set back."""

import os
from collections.abc import Iterator

import pytest
import torch

from pipeline.devices import gpus
from pipeline.devices.device import CUBLAS, prefer
from pipeline.devices.gpus import VISIBLE


@pytest.fixture
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No device is chosen and no GPU claimed; nor are they after the test."""
    for name in (CUBLAS, VISIBLE):
        monkeypatch.setenv(name, "")  # so that it is set back, even where it was not set
        monkeypatch.delenv(name)
    cudnn = torch.backends.cudnn
    flags = cudnn.deterministic, cudnn.benchmark
    yield
    prefer(None)
    if torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(mode=False)
    cudnn.deterministic, cudnn.benchmark = flags
    os.environ.pop(CUBLAS, None)
    os.environ.pop(VISIBLE, None)
    for claim in gpus.held:
        claim.release()
    gpus.held.clear()
