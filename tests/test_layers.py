"""What a model may reach: not the archive, not a file, not the truth."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import odforecast as od

MODELS = Path(od.__file__).parent / "models"
#: Loading a module by name is the registry's business, and that of a decorated function's model,
#: which other processes find by its name; installed packages' models are found by their entry
#: points, and what code is, by its distribution; the dated constants are a file of the package.
ALLOWED = {
    "registry.py": {"importlib", "importlib.metadata"},
    "content.py": {"importlib.metadata"},
    "model.py": {"importlib", "importlib.metadata"},
    "constants.py": {"importlib"},
    "delay/constants.py": {"importlib"},
    "statespace/share.py": {"importlib"},
}
FILES = sorted(MODELS.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(MODELS)) for p in FILES])
def test_no_model_loads_a_module_by_name_or_opens_a_file(path: Path) -> None:
    allowed = ALLOWED.get(str(path.relative_to(MODELS)), set())
    for node in ast.walk(ast.parse(path.read_text())):
        found: set[str] = set()
        if isinstance(node, ast.Import):
            found = {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            found = {node.module or ""}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "__import__", "eval", "exec"}, path
        for name in found:
            if name.partition(".")[0] in {"importlib", "runpy", "pkgutil", "io", "pathlib"}:
                assert name in allowed, f"{path.name} imports {name}"
            assert not name.startswith(
                ("odforecast.vintage", "odforecast.sources", "odforecast.scoring",
                 "odforecast.backtesting")
            ), f"{path.name} imports {name}"  # fmt: skip


def test_every_model_is_given_the_panel_alone() -> None:
    """Nothing reachable from a panel leads to an archive."""
    import gc

    panel = od.bundled().as_of().panel()
    seen: set[int] = set()
    todo: list[object] = [panel]
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, type):
            continue
        seen.add(id(item))
        assert not isinstance(item, od.Archive | od.Vintage)
        state = getattr(item, "__dict__", None)
        if state is not None and type(item).__module__.startswith("odforecast"):
            todo += list(state.values())
        elif type(item).__name__ in {"dict", "mappingproxy"}:
            todo += gc.get_referents(item)
        elif isinstance(item, tuple | list):
            todo += list(item)
