"""The order of rooms: imports point upwards only, no circles, one meaning per equation label."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

import actilaw

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "actilaw"
# Each room imports only from rooms before it; the package root comes last.
ORDER = """
errors support theory counts recording forecasting fitting loss backtesting checks pruning study
reporting explorer integrations cli __init__ __main__
"""
ROOMS = ORDER.split()
NEVER = {("recording", "forecasting"), ("forecasting", "recording")} | {
    ("fitting", "recording"),
    ("recording", "fitting"),
}
LABEL = r"\((?:[A-Z]{1,3}\d+|\d+[a-z]?)\)"
MODULES = sorted(PACKAGE.rglob("*.py"))


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


NAMES = {module_name(file) for file in MODULES}


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


@cache
def imported(file: Path) -> set[str]:
    """Modules of the package that a file imports, anywhere in it, type checking included."""
    found = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("actilaw")}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("actilaw"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in NAMES else node.module)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
    return found


@pytest.mark.parametrize("file", MODULES, ids=module_name)
def test_imports_point_to_rooms_above(file: Path) -> None:
    here = room(module_name(file))
    assert here in ROOMS, f"{file} is in no known room"
    for module in imported(file):
        there = room(module)
        assert ROOMS.index(there) <= ROOMS.index(here), f"{file} imports {module} from a room below"
        assert (here, there) not in NEVER, f"{file} imports {module}: they meet in counts"


def test_no_module_imports_itself_by_a_circle() -> None:
    graph = {module_name(file): imported(file) - {module_name(file)} for file in MODULES}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for other in sorted(graph.get(module, ())):
                visit(other, (*path, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_no_name_hides_a_module() -> None:
    """`import actilaw.fitting.fit` gives the module, whatever the packages re-export."""
    for package in [PACKAGE, *(path.parent for path in PACKAGE.rglob("*/__init__.py"))]:
        name = module_name(package / "__init__.py")
        loaded = importlib.import_module(name)
        for inner in pkgutil.iter_modules([str(package)]):
            value = getattr(loaded, inner.name, None)
            if value is not None:
                hidden = f"{name}.{inner.name}"
                assert getattr(value, "__name__", "") == hidden, f"{hidden} is hidden by {value!r}"


def test_a_module_of_a_functions_name_can_be_imported() -> None:
    import actilaw.fitting.fit as module

    assert module.fit is actilaw.fit
    assert actilaw.fitting.fit is module


def labels_defined(file: Path) -> list[str]:
    """Labels that the module's docstring gives a meaning: an indented line that begins with one."""
    text = ast.get_docstring(tree_of(file), clean=False) or ""
    return re.findall(rf"^ {{4}}({LABEL})\s", text, flags=re.MULTILINE)


def test_every_equation_label_has_one_meaning() -> None:
    where = defaultdict(list)
    for file in MODULES:
        for label in labels_defined(file):
            where[label].append(module_name(file))
    twice = {label: files for label, files in where.items() if len(files) > 1}
    assert not twice
    assert {"(1)", "(5)", "(10)", "(13)", "(G1)", "(RF1)"} <= set(where)


def test_every_equation_label_in_use_is_defined() -> None:
    defined = {label for file in MODULES for label in labels_defined(file)}
    for file in [*MODULES, *(ROOT / "docs").rglob("*.md")]:
        text = file.read_text()
        if file.suffix == ".py":
            # Tokens of code such as range(3) are no labels: look at strings and comments alone.
            text = "\n".join(words_of(file))
        text = re.sub(r"`[^`]*`|```.*?```", "", text, flags=re.DOTALL)
        for label in re.findall(r"(?<![\w.\])])\((?:[A-Z]{2}\d|[A-Z]\d|\d{1,2}[a-z]?)\)", text):
            assert label in defined, f"{file.relative_to(ROOT)} uses {label}, which nothing defines"


def words_of(file: Path) -> list[str]:
    """Docstrings and comments."""
    text = file.read_text()
    found = re.findall(r"#\s(.*)", text)
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            found.append(ast.get_docstring(node) or "")
    return found


def test_a_constant_of_one_name_has_one_value() -> None:
    values = defaultdict(dict)
    for file in MODULES:
        for node in tree_of(file).body:
            if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
                continue
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            for name in re.findall(r"\b[A-Z][A-Z0-9_]+\b", ast.unparse(target)):
                values[name][ast.unparse(node.value)] = module_name(file)
    different = {name: found for name, found in values.items() if len(found) > 1}
    assert not different


def test_the_tree_in_contributing_is_the_tree() -> None:
    """Every room and every module of a room stands in CONTRIBUTING, and nothing else does."""
    [tree] = re.findall(
        r"```text\nactilaw/\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S
    )
    rooms, inside = {}, ""
    for line in tree.splitlines():
        found = re.match(r"^  (\w+)(/|\.py)\s{2,}\S", line)
        deeper = re.match(r"^ {4}([\w ,/]+?)\s*$", line)
        if found:
            inside = found[1]
            rooms[inside] = set()
        elif deeper:
            rooms[inside] |= set(re.findall(r"[\w/]+", deeper[1]))
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert set(rooms) == there - {"__init__", "__main__", "__pycache__", "py"}
    for name, modules in rooms.items():
        files = {
            str(file.relative_to(PACKAGE / name).with_suffix(""))
            for file in (PACKAGE / name).rglob("*.py")
            if file.stem != "__init__"
        }
        assert modules == files, f"CONTRIBUTING does not know {name}"
