"""Which of the project's modules import which, read from their sources; the order of the rooms."""

import ast
from pathlib import Path

PACKAGES = ("pipeline", "stages")

# The rooms of pipeline/, lowest first: a room imports only from rooms before it. NAME stands for
# the data sets, of which none imports another.
ROOMS = (
    *("base", "settings", "data", "devices", "networks", "backbones", "batches", "runs", "engine"),
    *("weak/seeds", "weak/dsrg", "scoring", "weak/proxy", "train", "generators", "evaluate"),
    *(
        "split",
        "report",
        "verify",
        "model",
        "datasets/reading",
        "datasets/NAME",
        "editable",
        "choosing",
        "tagging",
        "check",
        "project",
    ),
)


def module_file(name: str, root: Path) -> Path | None:
    """Source file of a dotted name inside the project, or None where it is none."""
    base = root.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.exists():
            return path
    return None


def imported_names(path: Path, *, inside: bool = True) -> set[str]:
    """Dotted names a source file imports anywhere, or not `inside` its functions."""
    names: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide what a stage depends on"
            module = node.module or ""
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
        if inside or not isinstance(node, ast.FunctionDef):
            waiting += ast.iter_child_nodes(node)
    return {name for name in names if name.split(".")[0] in PACKAGES}


def imported_files(path: Path, root: Path, *, inside: bool = True) -> set[Path]:
    """Files of the project that a source file imports; packages of a room hold no code."""
    found = {module_file(name, root) for name in imported_names(path, inside=inside)}
    return {file for file in found if file is not None}


def import_closure(start: str, root: Path) -> set[str]:
    """Files of `start` and of everything it imports within the project, relative to `root`."""
    found: set[Path] = set()
    waiting = [module_file(start, root)]
    while waiting:
        path = waiting.pop()
        if path is None or path in found:
            continue
        found.add(path)
        waiting += sorted(imported_files(path, root))
    return {path.relative_to(root).as_posix() for path in found}


def room(path: Path, root: Path) -> str:
    """The room that a file of pipeline/ is in, as ROOMS has it; else the folder it lies in."""
    folders = path.relative_to(root / "pipeline").parts[:-1]
    if folders[:1] == ("datasets",) and len(folders) > 1:
        return "datasets/reading" if folders[1] == "reading" else "datasets/NAME"
    return "/".join(folders[:2] if folders[:1] == ("weak",) else folders[:1])


def room_imports(root: Path) -> dict[tuple[str, str], list[str]]:
    """Pairs of rooms of which the first imports from the second; the imports, file by file."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in sorted((root / "pipeline").rglob("*.py")):
        for file in sorted(imported_files(path, root)):
            if not file.is_relative_to(root / "pipeline"):
                continue
            pair = (room(path, root), room(file, root))
            if pair[1] in ROOMS and pair[0] != pair[1]:
                ours, theirs = (each.relative_to(root).as_posix() for each in (path, file))
                found.setdefault(pair, []).append(f"{ours} imports {theirs}")
    return found
