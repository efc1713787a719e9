"""Errors of the machine, such as a full disk, as messages with a way out."""

import errno
import sys

from pipeline.base.errors import UserError
from pipeline.base.record import peak_memory_mb

AGAIN = "then run the same command again; long stages resume from what was saved"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LOCKED = (errno.EACCES, errno.EPERM, errno.EROFS)
IN_THE_WAY = {
    errno.ENOTDIR: "a file is there, or above it, where a folder is needed",
    errno.EEXIST: "a file is there where a folder is needed",
    errno.EISDIR: "a folder is there where a file is needed",
}
# The params or options that lower a stage's memory most.
LOWER = {
    "stages.seeds": "cam.optimiser.batch_size, cam.image_size, cam.width",
    "stages.dsrg": "dsrg.optimiser.batch_size, dsrg.image_size, dsrg.width",
    "stages.proxy": "proxy.image_size, proxy.scales, machine.processes",
    "stages.train": "train.batch_size, train.crop, train.neck_width",
    "stages.predict": "--window, --scales",
}
ELSE = "evaluate.batch_size, machine.processes"


def explain(error: Exception) -> UserError | None:
    """One message for an error of disk or memory; None for any other."""
    if isinstance(error, MemoryError) or _is_torch_memory(error):
        return UserError(
            f"out of memory after a peak of {_peak()}: lower {_params()}; {AGAIN}"
            " unless what you change is part of it"
        )
    return _explain_file(error) if isinstance(error, OSError) and error.errno else None


def _explain_file(error: OSError) -> UserError:
    """One message for a file that cannot be written or read."""
    where = "a file" if error.filename is None else str(error.filename)
    if error.errno in FULL:
        return UserError(f"no space left to write {where}: make room there; {AGAIN}")
    if error.errno in LOCKED:
        return UserError(f"no permission for {where} ({error.strerror}): change that; {AGAIN}")
    if error.errno in IN_THE_WAY:
        return UserError(f"{where}: {IN_THE_WAY[error.errno]}; move it away; {AGAIN}")
    return UserError(f"{where}: {error.strerror}; {AGAIN}")


def _is_torch_memory(error: Exception) -> bool:
    """Whether torch ran out of memory: an error of its own with CUDA, a plain one elsewhere."""
    plain = ("DefaultCPUAllocator", "MPS backend out of memory")
    return type(error).__name__ == "OutOfMemoryError" or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in plain)
    )


def _peak() -> str:
    """The most memory this process held: the GPU's if there is one in use."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return f"{torch.cuda.max_memory_reserved() / 1e9:.1f} GB on the GPU"
    return f"{peak_memory_mb() / 1000:.1f} GB"


def _params() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    stage = spec.name if spec else ""
    return LOWER.get(stage, ELSE)
