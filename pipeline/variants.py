"""The networks that are compared: which images, with which labels, teach which branch (Table 1)."""

import re
from dataclasses import dataclass
from typing import Literal

Labels = Literal["mask", "proxy"]

# Weight of the other network in an average with `strong` (Eq. 4): where the paper's curve is
# highest (Fig. 6). Ours is not searched on val.
PAPERS_LAMBDA = 0.4


@dataclass(frozen=True)
class Stream:
    """What one branch is taught by.

    Attributes:
        strong: the label kind of the strong list, None: the list is not used.
        weak: the same of the weak list.
        repeat: how many times every strong image stands in the stream (§3.1, oversampling).
    """

    strong: Labels | None = None
    weak: Labels | None = None
    repeat: int = 1


@dataclass(frozen=True)
class Variant:
    """One stream a branch; branch 0 is kept for inference.

    Attributes:
        streams: of branch 0, 1, ...
        title: what a reader of the report is told.
        natural: batches are drawn from all streams at once, as many images of each as chance
            gives, instead of the same number of each (Table 1's "w/o oversampling").
    """

    streams: tuple[Stream, ...]
    title: str
    natural: bool = False

    @property
    def branches(self) -> int:
        """How many branches the network has."""
        return len(self.streams)


STRONG, PROXIES = Stream(strong="mask"), Stream(weak="proxy")

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
        (STRONG,),
        "single branch, strong masks only",
    ),
    "full": Variant(
        (Stream(strong="mask", weak="mask"),),
        "single branch, true masks for every training image",
    ),
    "dual_natural": Variant(
        (STRONG, PROXIES),
        "dual branch, batches as the lists are long",
        natural=True,
    ),
    "dual": Variant(
        (STRONG, PROXIES),
        "dual branch, half strong, half weak",
    ),
    "dual_full": Variant(
        (STRONG, Stream(strong="mask", weak="mask")),
        "dual branch, the weak branch with true masks for every training image",
    ),
}
REPEATED = re.compile(r"mixed_x([1-9]\d{0,3})")
NAMES = f"{', '.join(VARIANTS)}, mixed_x2, mixed_x3 and so on"


def find_variant(name: str) -> Variant | None:
    """The variant of a name; None where there is none.

    >>> find_variant("mixed_x4").streams[0].repeat
    4
    """
    repeated = REPEATED.fullmatch(name)
    if repeated is None:
        return VARIANTS.get(name)
    stream = Stream(strong="mask", weak="proxy", repeat=int(repeated[1]))
    return Variant((stream,), f"single branch, one pool, strong masks {repeated[1]} times in it")
