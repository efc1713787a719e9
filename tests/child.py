"""Processes beside the tests' own."""

import subprocess
import sys
import textwrap


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that runs `code`, with the arguments in `sys.argv`."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
    )
