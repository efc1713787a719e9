"""Full disks, kills and other processes: what is kept, and that nothing is fetched twice."""

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pipeline.base import disk
from pipeline.base.disk import need_room
from pipeline.base.errors import UserError
from pipeline.base.fetch import fetch
from tests.child import child
from tests.file_server import BODY, MD5, FileServer, part_of
from tests.packing import FILES, make_tar


def test_room_is_what_the_system_says(tmp_path: Path) -> None:
    system = os.statvfs(tmp_path)
    free = system.f_bavail * system.f_frsize
    need_room(tmp_path, free // 2, "half of it")
    with pytest.raises(UserError, match=rf"^{tmp_path}: twice as much needs {2 * free / 1e9:.2f}"):
        need_room(tmp_path, 2 * free, "twice as much")


def test_room_needed_and_free_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1_234_000_000})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage)
    need_room(tmp_path, 1_234_000_000, "it")
    with pytest.raises(UserError) as caught:
        need_room(tmp_path, 19_336_861_798, "train2017.zip")
    assert str(caught.value) == (
        f"{tmp_path}: train2017.zip needs 19.34 GB, 1.23 GB are free; make room or use another "
        "disk (data_root in params.yaml, TORCH_HOME for pretrained weights)"
    )


def test_disk_that_fills_keeps_what_came(server: FileServer, path: Path) -> None:
    """The kernel refuses to write beyond a limit, as it does on a full disk."""
    code = """
        import resource, sys
        from pathlib import Path
        from pipeline.base.fetch import fetch
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
        try:
            fetch([sys.argv[1]], Path(sys.argv[2]), sys.argv[3])
        except OSError as error:
            sys.exit(f"refused: {error.errno}")
    """
    run = child(code, server.url("/a.bin"), path, MD5)
    assert "refused: 27" in run.communicate()[1]
    kept = part_of(path).read_bytes()
    assert kept == BODY[: len(kept)]
    assert len(kept) > 900_000
    assert not path.exists()
    fetch([server.url("/a.bin")], path, MD5)
    assert path.read_bytes() == BODY
    assert server.asked[-1][1] == f"bytes={len(kept)}-"


def test_killed_download_goes_on(server: FileServer, path: Path) -> None:
    server.stalls["/a.bin"] = [2_000_000]
    code = """
        import sys
        from pathlib import Path
        from pipeline.base.fetch import fetch
        fetch([sys.argv[1]], Path(sys.argv[2]), sys.argv[3])
    """
    run = child(code, server.url("/a.bin"), path, MD5)
    until = time.monotonic() + 60
    while (not part_of(path).exists() or part_of(path).stat().st_size < 1_500_000) and (
        time.monotonic() < until
    ):
        time.sleep(0.01)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    kept = part_of(path).stat().st_size
    assert not path.exists()
    fetch([server.url("/a.bin")], path, MD5)
    assert path.read_bytes() == BODY
    assert server.asked[-1][1] == f"bytes={kept}-"
    assert list(path.parent.iterdir()) == [path]


def test_two_processes_download_once(server: FileServer, path: Path) -> None:
    server.stalls["/a.bin"] = [1_000_000]
    code = """
        import sys
        from pathlib import Path
        from pipeline.base import fetch as module
        module.TIMEOUT = (5.0, 3.0)
        module.fetch([sys.argv[1]], Path(sys.argv[2]), sys.argv[3])
    """
    runs = [child(code, server.url("/a.bin"), path, MD5) for _ in range(2)]
    said = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert path.read_bytes() == BODY
    assert len(server.asked) == 2  # the first stalled, was left, and went on; the second had it
    assert list(path.parent.iterdir()) == [path]


WATCHED = """
    import os, sys
    from pathlib import Path
    from pipeline.networks import weights
    from pipeline.datasets.reading.archives import Archive, obtain
    root, home, tar, md5, net, digest = sys.argv[1:]
    weights.imagenet_source = lambda name: (net, digest)
    written = []

    def watch(event, given):
        if event == "open" and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            written.append(given[0])
        elif event in ("os.mkdir", "os.rename", "os.link", "os.symlink", "os.truncate"):
            written.extend(x for x in given if isinstance(x, (str, os.PathLike)))

    sys.addaudithook(watch)
    obtain(Archive((tar,), md5, "top"), Path(root, "set"), Path(root))
    weights.imagenet_file("squeezenet1_0")
    print(*{os.path.abspath(path) for path in written}, sep="\\n")
"""


def test_nothing_is_written_elsewhere(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python reports every path it opens for writing, makes or renames; all are ours."""
    server.files["/a.tgz"] = make_tar(FILES)
    md5 = hashlib.md5(server.files["/a.tgz"]).hexdigest()
    root, home = tmp_path / "root", tmp_path / "torch"
    monkeypatch.setenv("TORCH_HOME", str(home))
    given = [root, home, server.url("/a.tgz"), md5, server.url("/a.bin"), MD5]
    command = [sys.executable, "-c", textwrap.dedent(WATCHED), *map(str, given)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    paths = run.stdout.split()
    assert {str(home / "hub/checkpoints/a.bin.part"), str(root / "downloads/a.tgz")} <= set(paths)
    assert [path for path in paths if not path.startswith((f"{root}", f"{home}"))] == []
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {
        *("root/downloads/a.tgz", "root/set/a.txt", "root/set/deep/b.txt"),
        "torch/hub/checkpoints/a.bin",
    }
