"""Kill a real `dvc repro` at random moments; the next one must end in the bytes of a whole run."""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML, YAMLError

from tests.torture.project import ENV, Tally, differing, make_project, run

PATIENCE = 40.0  # seconds for everything to be gone after a signal


def kill_all(group: int) -> None:
    """SIGKILL to DVC and whatever it runs."""
    os.killpg(group, signal.SIGKILL)


def kill_dvc(group: int) -> None:
    """SIGKILL to DVC alone: its stage is left without a parent."""
    os.kill(group, signal.SIGKILL)


def end_all(group: int) -> None:
    """SIGTERM to all, as Slurm does."""
    os.killpg(group, signal.SIGTERM)


def end_dvc(group: int) -> None:
    """SIGTERM to DVC alone."""
    os.kill(group, signal.SIGTERM)


def interrupt(group: int) -> None:
    """Ctrl-C in a terminal."""
    os.killpg(group, signal.SIGINT)


WAYS: dict[str, Callable[[int], None]] = {
    "SIGKILL to all": kill_all,
    "SIGKILL to DVC alone": kill_dvc,
    "SIGTERM to all": end_all,
    "SIGTERM to DVC alone": end_dvc,
    "Ctrl-C": interrupt,
}


def kills(times: int, seed: int, note: Callable[[list[Tally]], None]) -> list[Tally]:
    """Kill so many runs, in all ways in turn, each at a moment drawn over the whole run.

    Args:
        times: how many; a run that is over before its moment does not count and is made again.
        seed: of the moments.
        note: gets the counts so far after each.
    """
    with tempfile.TemporaryDirectory() as folder:
        whole, template = Path(folder) / "whole", Path(folder) / "template"
        template.mkdir()
        make_project(template, variants=["dual"], ensembles=[])
        shutil.copytree(template, whole)
        started = time.monotonic()
        done = run("dvc", "repro", cwd=whole)
        seconds = time.monotonic() - started
        assert done.returncode == 0, done.stdout + done.stderr
        tallies = {way: Tally(f"`dvc repro`, {way}") for way in WAYS}
        moments, number = random.Random(seed), 0
        while number < times:
            way, moment = list(WAYS)[number % len(WAYS)], moments.uniform(0.02, 0.98) * seconds
            copy = Path(shutil.copytree(template, Path(folder) / "killed"))
            wrong = kill_once(copy, whole, WAYS[way], moment, tallies[way])
            shutil.rmtree(copy)
            if wrong is None:
                continue
            number += 1
            tallies[way].tried += 1
            tallies[way].lost += [f"{moment:.1f} of {seconds:.1f} s: {text}" for text in wrong]
            what = "; ".join(wrong) or "survived"
            print(f"{number}/{times} {way}, {moment:.1f} of {seconds:.1f} s: {what}", flush=True)
            note(list(tallies.values()))
    return list(tallies.values())


def kill_once(
    folder: Path, whole: Path, way: Callable[[int], None], moment: float, tally: Tally
) -> list[str] | None:
    """Kill one run at a moment, look at what it left, run again.

    Returns:
        what was wrong; None where the run was over before the moment.
    """
    process = subprocess.Popen(
        ["dvc", "repro"], cwd=folder, env=ENV, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(moment)
    if process.poll() is not None:
        return None
    wrong = []
    asked = time.monotonic()
    way(process.pid)
    process.wait()
    while alive(process.pid):
        if time.monotonic() - asked > PATIENCE:
            os.killpg(process.pid, signal.SIGKILL)
            wrong.append(f"something ran on for {PATIENCE:.0f} s")
            break
        time.sleep(0.05)
    wrong += [f"{output} was half written" for output in differing(folder, whole, absent=True)]
    if lock_is_cut(folder):
        tally.cut += 1
        (folder / "dvc.lock").unlink()
    again = run("dvc", "repro", cwd=folder)
    if again.returncode:
        last = (again.stdout + again.stderr).strip().splitlines()[-1:]
        wrong.append(f"the next run failed: {' '.join(last)}")
    else:
        wrong += [f"{output} is not the same" for output in differing(folder, whole)]
    return wrong


def lock_is_cut(folder: Path) -> bool:
    """Whether DVC was killed while it wrote dvc.lock, which it does in place."""
    lock = folder / "dvc.lock"
    try:
        return lock.exists() and "schema" not in (YAML(typ="safe", pure=True).load(lock) or {})
    except YAMLError:
        return True


def alive(group: int) -> bool:
    """Whether any process of a group is there."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
