"""The networks that are compared: which images, with which labels, teach which branch (Table 1)."""

from dataclasses import dataclass
from typing import Literal

Labels = Literal["mask", "proxy"]


@dataclass(frozen=True)
class Stream:
    """What one branch is taught by: the label kind of each list, None = list not used."""

    strong: Labels | None = None
    weak: Labels | None = None


@dataclass(frozen=True)
class Variant:
    """One stream a branch; streams share each batch equally. Branch 0 is kept for inference."""

    streams: tuple[Stream, ...]
    title: str

    @property
    def branches(self) -> int:
        """How many branches the network has."""
        return len(self.streams)


VARIANTS: dict[str, Variant] = {
    "weak": Variant(
        (Stream(strong="proxy", weak="proxy"),),
        "single branch, proxy masks for every training image",
    ),
    "mixed": Variant(
        (Stream(strong="mask", weak="proxy"),),
        "single branch, strong and weak masks in one pool",
    ),
    "strong": Variant(
        (Stream(strong="mask"),),
        "single branch, strong masks only",
    ),
    "dual": Variant(
        (Stream(strong="mask"), Stream(weak="proxy")),
        "dual branch, half strong, half weak",
    ),
}
