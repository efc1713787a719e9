"""Split requirements.lock, for a torch from an index of its own: `make setup TORCH_INDEX=…`.

Writes two files for pip. torch.txt has the versions of torch and torchvision, without the hashes:
that index has other files. rest.txt has everything else with its hashes, without the libraries that
only torch's build for CUDA needs.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

LOCK = Path(__file__).with_name("requirements.lock")
TORCH = {"torch", "torchvision"}
FOR_LINUX = "sys_platform == 'linux'"


def split(lock: str) -> tuple[str, str]:
    """The texts of torch.txt and rest.txt.

    A package is CUDA's if the lock has it for Linux alone, and only torch and other packages of
    CUDA need it. Comments such as `# via torch` say who needs it.
    """
    parts = re.split(r"^(?=\w)", lock, flags=re.MULTILINE)[1:]
    entries = [(part.partition("==")[0], part) for part in parts]  # some names have two
    needed_by: dict[str, set[str]] = defaultdict(set)
    for name, part in entries:
        needed_by[name] |= set(re.findall(r"^ +# +(?:via )?(\S+)", part, re.MULTILINE)) - {"via"}
    cuda = {name for name, part in entries if FOR_LINUX in part}
    while others := {name for name in cuda if not needed_by[name] <= cuda | {"torch"}}:
        cuda -= others
    torch = [part.partition(" \\")[0] + "\n" for name, part in entries if name in TORCH]
    rest = [part for name, part in entries if name not in cuda | TORCH]
    return "".join(torch), "".join(rest)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    texts = split(LOCK.read_text(encoding="utf-8"))
    for name, text in zip(("torch.txt", "rest.txt"), texts, strict=True):
        (folder / name).write_text(text, encoding="utf-8")
