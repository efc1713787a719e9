"""HEIC, the format of iPhones, which Pillow reads with the package pillow-heif (extra `heic`)."""

from functools import cache
from importlib.util import find_spec

SUFFIXES = (".heic", ".heics", ".heif", ".heifs", ".hif")
INSTALL = "`pip install --editable '.[heic]'` installs what reads it"


def is_installed() -> bool:
    """Whether the package is there; it is not imported."""
    return find_spec("pillow_heif") is not None


@cache
def register() -> bool:
    """Teach Pillow to open HEIC; False if the package is missing."""
    if not is_installed():
        return False
    from pillow_heif import register_heif_opener

    register_heif_opener()
    return True


def is_heic(start: bytes) -> bool:
    """Whether a file that starts so is HEIC, whatever its suffix says.

    >>> is_heic(bytes(4) + b"ftypheic"), is_heic(bytes(4) + b"ftypqt  ")
    (True, False)
    """
    return start[4:8] == b"ftyp" and start[8:10] in (b"he", b"mi", b"ms")  # heic, hevc, mif1, msf1
