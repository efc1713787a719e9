"""Data sets, backbones and proxy generators by name: found by their file.

What params.yaml names belongs to a kind when its module defines the kind's function. Sources are
searched and not imported: reading params.yaml must not load torch, nor a library of a data set that
nobody uses.
"""

import ast
import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Kind:
    """Modules `module`, in which * stands for the name, that define `function`."""

    module: str
    function: str

    def names(self) -> tuple[str, ...]:
        """The names of all, sorted."""
        return names_defining(self.module, self.function)

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
        return name in names_defining(self.module, function)

    def constant(self, name: str, key: str) -> tuple[str, ...]:
        """A tuple of names that one of them defines at its top level; empty if it does not."""
        path = ROOT / f"{self.path(name).replace('.', '/')}.py"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id=defined)], value=ast.expr() as value)
                    | ast.AnnAssign(target=ast.Name(id=defined), value=ast.expr() as value)
                ) if defined == key:
                    return tuple(ast.literal_eval(value))
        return ()

    def path(self, name: str) -> str:
        """Dotted path of one of them."""
        return self.module.replace("*", self.check(name))

    def load(self, name: str) -> ModuleType:
        """Import one of them."""
        return import_module(self.path(name))


@cache
def names_defining(module: str, function: str) -> tuple[str, ...]:
    """Names for which a module defines a function at its top level, sorted."""
    pattern = module.replace(".", "/") + ".py"
    place = len(Path(pattern.partition("*")[0]).parts)
    definition = re.compile(rf"^def {function}\(", re.MULTILINE)
    return tuple(
        path.relative_to(ROOT).with_suffix("").parts[place]
        for path in sorted(ROOT.glob(pattern))
        if path.stem != "__init__" and definition.search(path.read_text(encoding="utf-8"))
    )


DATASETS = Kind("pipeline.datasets.*.prepare", "prepare")  # docs/adding-a-data-set.md
BACKBONES = Kind("pipeline.backbones.*", "build")  # docs/adding-a-backbone.md
GENERATORS = Kind("pipeline.generators.*", "load")  # docs/adding-a-proxy-generator.md

FOR_PROXIES = ("seeds", "dsrg", "teacher")  # stages that some generators do without


def stages_of(generator: str) -> tuple[str, ...]:
    """The stages behind a generator's proxies: `STAGES` of its module; seeds come before dsrg.

    Raises:
        ValueError: the module names another stage.
    """
    named = GENERATORS.constant(generator, "STAGES")
    if unknown := set(named) - {*FOR_PROXIES}:
        raise ValueError(
            f"STAGES in pipeline/generators/{generator}.py names {sorted(unknown)[0]!r}: it may "
            f"hold {', '.join(FOR_PROXIES)}"
        )
    return tuple(s for s in FOR_PROXIES if s in named or (s == "seeds" and "dsrg" in named))
