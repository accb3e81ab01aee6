"""No module needs one that needs it, whether it imports it at the top or inside a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import odforecast as od

ROOT = Path(od.__file__).parent
#: A circle that stays, cut at an import inside a function: `Task.run` is `backtest` with `task=`,
#: which loads tasks by name.
CUT = {("odforecast.backtesting.task", "odforecast.backtesting.run")}


def imported(node: ast.AST) -> Iterator[str]:
    """Modules that are imported for more than annotations, and the names taken from them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        yield from imported(child)


def graph() -> dict[str, set[str]]:
    """Each module of the package, and those of the package that it needs."""
    paths = {}
    for path in ROOT.rglob("*.py"):
        name = ".".join(("odforecast", *path.relative_to(ROOT).with_suffix("").parts))
        paths[name.removesuffix(".__init__")] = path
    found = {}
    for name, path in paths.items():
        taken = imported(ast.parse(path.read_text()))
        needed = {t if t in paths else t.rpartition(".")[0] for t in taken}
        # The lazy names of the package itself are for its users.
        found[name] = (needed & set(paths)) - {name, "odforecast"}
    return found


@pytest.mark.slow
def test_there_is_no_circle_but_those_that_are_named() -> None:
    needs = graph()
    for module, needed in CUT:
        assert needed in needs[module], f"{module} needs {needed} no more: take it off the list"
        needs[module].remove(needed)
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail("a circle: " + " <- ".join(error.args[1]))
