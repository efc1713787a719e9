"""The networks compared (Table 1): which branch is trained on which images with which labels.

A name is a base, then, after a point, who makes the proxies, then extras that go beyond the paper:
`dual`, `dual.self`, `dual+ema`, `dual_n1.self+ema+refresh`. (DVC takes no @ in a stage's name.)
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

from pipeline.settings.registry import GENERATORS

Labels = Literal["mask", "proxy"]

# Weight of the other network in an average with `strong` (Eq. 4): where the paper's curve is
# highest (Fig. 6). Ours is not searched on val.
PAPERS_LAMBDA = 0.4

# In the order in which a name has them.
EXTRAS = {
    "ema": "the average of its weights over the steps is scored",
    "confidence": "proxy pixels weigh as much as they are sure",
    "refresh": "it makes its proxies itself on the way",
    "consistency": "its strong branch is also trained on its own predictions on the weak images",
}


@dataclass(frozen=True)
class Stream:
    """What one branch is trained on.

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
        neck_n: shared convolutions; None: those of params.yaml.
        extras: names in `EXTRAS`, in its order.
        generator: who makes the proxies; None: the first in proxy.generators.
    """

    streams: tuple[Stream, ...]
    title: str
    natural: bool = False
    neck_n: int | None = None
    extras: tuple[str, ...] = ()
    generator: str | None = None

    @property
    def branches(self) -> int:
        """How many branches the network has."""
        return len(self.streams)

    def allows(self, extra: str) -> bool:
        """Whether an extra has something to work on here.

        `confidence` and `refresh` change proxies; `consistency` wants two branches, the last of
        them on the proxies of the weak images alone.
        """
        if extra == "consistency":
            return self.branches > 1 and self.streams[-1] == PROXIES
        return extra == "ema" or self.uses_proxies

    @property
    def uses_proxies(self) -> bool:
        """Whether it is trained on any proxies."""
        return any("proxy" in (stream.strong, stream.weak) for stream in self.streams)


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
    "dual_mixed": Variant(
        (STRONG, Stream(strong="mask", weak="proxy")),
        "dual branch, the weak branch with strong and weak masks in one pool",
    ),
    "dual_full": Variant(
        (STRONG, Stream(strong="mask", weak="mask")),
        "dual branch, the weak branch with true masks for every training image",
    ),
}
REPEATED = re.compile(r"mixed_x([2-9]|[1-9]\d{1,3})")
NECKS = re.compile(r"dual_n([0-3])")
NAMES = (
    f"{', '.join(VARIANTS)}, dual_n0 to dual_n3, mixed_x2, mixed_x3 and so on, each alone or with "
    f"extras in this order: {''.join(f'+{extra}' for extra in EXTRAS)} (confidence and refresh "
    "where proxies are used; consistency with two branches, proxies in the weak one); before them, "
    "where proxies are used, a generator: dual.self"
)


def find_variant(name: str) -> Variant | None:
    """The variant of a name; None where there is none.

    >>> find_variant("mixed_x4").streams[0].repeat
    4
    >>> find_variant("dual_n2.self+ema").neck_n, find_variant("dual_n2.self+ema").extras
    (2, ('ema',))
    >>> find_variant("dual.self").generator, find_variant("strong.self")
    ('self', None)
    """
    whole, *extras = name.split("+")
    base, _, generator = whole.partition(".")
    variant = _find_base(base)
    # Each at most once, in the order of EXTRAS: one network has one name.
    if variant is None or extras != [extra for extra in EXTRAS if extra in extras]:
        return None
    if not all(variant.allows(extra) for extra in extras):
        return None
    if "." in whole and not (generator in GENERATORS.names() and variant.uses_proxies):
        return None
    by = [f"proxies by {generator}"] if generator else []
    title = "; ".join((variant.title, *by, *(EXTRAS[extra] for extra in extras)))
    return replace(variant, title=title, extras=tuple(extras), generator=generator or None)


def _find_base(name: str) -> Variant | None:
    if repeated := REPEATED.fullmatch(name):
        stream = Stream(strong="mask", weak="proxy", repeat=int(repeated[1]))
        title = f"single branch, one pool, strong masks {repeated[1]} times in it"
        return Variant((stream,), title)
    if neck := NECKS.fullmatch(name):
        dual = VARIANTS["dual"]
        title = f"{dual.title}, {neck[1]} of 3 convolutions shared"
        return replace(dual, title=title, neck_n=int(neck[1]))
    return VARIANTS.get(name)
