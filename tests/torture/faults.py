"""Full disks and folders that cannot be written, in every stage, on a small disk in memory."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.settings import files_of, remove
from tests.torture.project import STAGES, Tally, digests, make_project, run_stage

SIZE = 64 << 20  # bytes of the disk
ROOM = (0.0, 0.3, 0.9)  # of what a stage writes, so much fits on the full disk
MESSAGES = {
    "full": ("no space left",),
    "read-only": ("no permission", "Read-only file system"),
}


def may_mount() -> bool:
    """Whether this process may mount a disk in memory; `unshare --map-root-user` helps."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "tmpfs", folder]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return False
        subprocess.run(["umount", folder], check=True)
    return True


@contextmanager
def disk() -> Iterator[Path]:
    """A small disk in memory, gone afterwards."""
    folder = tempfile.mkdtemp()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=True)
    try:
        yield Path(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        os.rmdir(folder)


def faults() -> list[Tally]:
    """Try every fault in every stage."""
    full, locked = Tally("full disk"), Tally("read-only disk")
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        whole.mkdir()
        make_project(whole)
        for command, _ in STAGES:
            done = run_stage(*command, cwd=whole)
            assert done.returncode == 0, done.stderr
        for command, outputs in STAGES:
            for room in ROOM:
                wrong = fill(whole, command, outputs, room)
                note(full, f"{' '.join(command)}, room for {room:.0%}", wrong)
            note(locked, " ".join(command), lock(whole, command, outputs))
    return [full, locked]


def note(tally: Tally, name: str, wrong: list[str]) -> None:
    """Count a fault and say what became of it."""
    tally.tried += 1
    tally.lost += [f"{name}: {text}" for text in wrong]
    print(f"{tally.name}, {name}: {'; '.join(wrong) or 'survived'}")


def fill(whole: Path, command: tuple[str, ...], outputs: tuple[str, ...], room: float) -> list[str]:
    """Run a stage on a disk with too little room, then with enough; what was wrong."""
    with disk() as top:
        folder = before(whole, top / "project", outputs)
        wanted = sum(path.stat().st_size for o in outputs for path in files_of(whole, o))
        filler = top / "filler"
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(4096, free(top) - int(room * wanted)))
        wrong = fails_well(folder, whole, command, outputs, "full")
        filler.unlink()
        return wrong + succeeds(folder, whole, command, outputs)


def lock(whole: Path, command: tuple[str, ...], outputs: tuple[str, ...]) -> list[str]:
    """Run a stage on a disk that cannot be written, then on one that can; what was wrong."""
    with disk() as top:
        folder = before(whole, top / "project", outputs)
        subprocess.run(["mount", "-o", "remount,ro", str(top)], check=True)
        wrong = fails_well(folder, whole, command, outputs, "read-only")
        subprocess.run(["mount", "-o", "remount,rw", str(top)], check=True)
        return wrong + succeeds(folder, whole, command, outputs)


def before(whole: Path, folder: Path, outputs: tuple[str, ...]) -> Path:
    """A copy of the whole run without a stage's outputs."""
    shutil.copytree(whole, folder)
    for output in outputs:
        remove(folder, output)
    return folder


def free(folder: Path) -> int:
    """Bytes that can still be written."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def fails_well(
    folder: Path, whole: Path, command: tuple[str, ...], outputs: tuple[str, ...], fault: str
) -> list[str]:
    """Run a stage that cannot end: one message, no traceback, no half-written output."""
    done = run_stage(*command, cwd=folder)
    wrong = []
    if done.returncode == 0:
        wrong += [f"{o} is not whole" for o in outputs if digests(folder, o) != digests(whole, o)]
        return wrong
    if "Traceback" in done.stderr:
        wrong.append(f"traceback: {done.stderr.strip().splitlines()[-1]}")
    elif not any(text in done.stderr for text in MESSAGES[fault]):
        wrong.append(f"its message is {done.stderr.strip()[-200:]!r}")
    halves = [o for o in outputs if files_of(folder, o) and not same_where_there(folder, whole, o)]
    return wrong + [f"{output} was half written" for output in halves]


def same_where_there(folder: Path, whole: Path, output: str) -> bool:
    """Whether the files an output has are whole; results are files that come one by one."""
    expected = digests(whole, output)
    found = digests(folder, output)
    if output.startswith("results/"):
        return found.items() <= expected.items()
    return found == expected


def succeeds(
    folder: Path, whole: Path, command: tuple[str, ...], outputs: tuple[str, ...]
) -> list[str]:
    """Run the stage again, with nothing in its way: the bytes of a whole run."""
    done = run_stage(*command, cwd=folder)
    if done.returncode:
        return [f"the next run failed: {done.stderr.strip()[-200:]}"]
    return [f"{o} is not the same" for o in outputs if digests(folder, o) != digests(whole, o)]
