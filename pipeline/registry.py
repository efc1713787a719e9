"""Data sets, backbones and proxy generators by name: one module each, found by its file.

A module belongs to a kind when it defines the kind's function; its own name is the name that
params.yaml gives. Sources are searched and not imported, because reading params.yaml must not load
torch, nor a library of a data set that nobody uses.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType


@dataclass(frozen=True)
class Kind:
    """Modules of one package that define one function."""

    package: str
    function: str

    def names(self) -> tuple[str, ...]:
        """Their names, sorted."""
        return modules_defining(self.package, self.function)

    def check(self, name: str) -> str:
        """The name itself.

        Raises:
            ValueError: there is no such module; the message has those that there are.
        """
        if name not in self.names():
            *others, last = map(repr, self.names())
            known = f"{', '.join(others)} or {last}" if others else last
            raise ValueError(f"should be {known}")
        return name

    def defines(self, name: str, function: str) -> bool:
        """Whether one of them defines a further function."""
        return name in modules_defining(self.package, function)

    def load(self, name: str) -> ModuleType:
        """Import one of them."""
        return import_module(f"{self.package}.{self.check(name)}")


@cache
def modules_defining(package: str, function: str) -> tuple[str, ...]:
    """Names of a package's modules that define a function at their top level, sorted."""
    folder = Path(__file__).parents[1].joinpath(*package.split("."))
    definition = re.compile(rf"^def {function}\(", re.MULTILINE)
    return tuple(
        path.stem
        for path in sorted(folder.glob("*.py"))
        if path.stem != "__init__" and definition.search(path.read_text(encoding="utf-8"))
    )


DATASETS = Kind("pipeline.datasets", "prepare")  # docs/adding-a-data-set.md
BACKBONES = Kind("pipeline.backbones", "build")  # docs/adding-a-backbone.md
GENERATORS = Kind("pipeline.generators", "load")  # docs/adding-a-proxy-generator.md
