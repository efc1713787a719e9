"""Which of the project's own modules a module imports, directly or not, read from its source."""

import ast
from pathlib import Path

PACKAGES = ("pipeline", "stages")


def module_file(name: str, root: Path) -> Path | None:
    """Source file of a dotted name inside the project, or None where it is none."""
    base = root.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.exists():
            return path
    return None


def imported_names(path: Path) -> set[str]:
    """Dotted names a source file imports anywhere, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide what a stage depends on"
            module = node.module or ""
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] in PACKAGES}


def import_closure(start: str, root: Path) -> set[str]:
    """Files of `start` and of everything it imports within the project, relative to `root`."""
    found: set[Path] = set()
    waiting = [start]
    while waiting:
        path = module_file(waiting.pop(), root)
        if path is None or path in found:
            continue
        found.add(path)
        waiting += sorted(imported_names(path))
    return {path.relative_to(root).as_posix() for path in found}
