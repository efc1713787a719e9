"""Digests of files."""

import hashlib
from pathlib import Path


def digest(path: Path) -> str:
    """Sixteen digits of a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
