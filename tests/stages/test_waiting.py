"""A stage's threads give their core away soon, unless the user has said how they wait."""

import json
import subprocess
import sys

import pytest

from tests.settings import ROOT

CODE = """
import json, os
from stages.command import stage

@stage
def main() -> None:
    print(json.dumps({key: os.environ.get(key) for key in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}))

main()
"""


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({}, {"GOMP_SPINCOUNT": "3000", "OMP_WAIT_POLICY": None}),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7", "OMP_WAIT_POLICY": None}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": None, "OMP_WAIT_POLICY": "ACTIVE"}),
    ],
)
def test_what_the_environment_says(given: dict[str, str], seen: dict[str, str | None]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin"} | given, text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == seen
