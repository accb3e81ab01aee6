"""The code's structure: no circles, what a model may reach, and the way of a row to a quantile."""

import ast
import gc
import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from commands import ok

import odforecast as od

ROOT = Path(od.__file__).parent


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


@pytest.mark.slow
def test_there_is_no_circle() -> None:
    taken = {}
    for path in ROOT.rglob("*.py"):
        name = ".".join(("odforecast", *path.relative_to(ROOT).with_suffix("").parts))
        taken[name.removesuffix(".__init__")] = set(imported(ast.parse(path.read_text())))
    needs = {}
    for name, names in taken.items():
        modules = {t if t in taken else t.rpartition(".")[0] for t in names} & {*taken}
        needs[name] = modules - {name, "odforecast"}  # whose lazy names are for its users
    TopologicalSorter(needs).prepare()  # raises an error that shows a circle


def test_nothing_reads_the_context_of_a_command() -> None:
    for path in ROOT.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "get_current_context" not in text, path
        assert "pass_context" not in text, path


MODELS = ROOT / "models"
#: The registry and a decorated function's model, which other processes find by its name, load a
#: module by name; packages are found by their distribution; dated constants are files of ours.
ALLOWED = {
    "registry.py": {"importlib.metadata"},
    "content.py": {"importlib.metadata"},
    "model.py": {"importlib", "importlib.metadata"},
    "constants.py": {"importlib"},
    "delay/constants.py": {"importlib"},
    "statespace/share.py": {"importlib"},
}
FILES = sorted(MODELS.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(MODELS)) for p in FILES])
def test_no_model_loads_a_module_by_name_or_opens_a_file(path: Path) -> None:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "__import__", "eval", "exec"}
    loaders = {"importlib", "runpy", "pkgutil", "io", "pathlib"}
    found = {name for name in found if name.partition(".")[0] in loaders}
    assert found <= ALLOWED.get(str(path.relative_to(MODELS)), set())


def test_every_model_is_given_the_panel_alone() -> None:
    seen, todo = set(), [od.bundled().as_of().panel()]
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, type):
            continue
        seen.add(id(item))
        assert not isinstance(item, od.Archive | od.Vintage)
        ours = type(item).__module__.startswith("odforecast")
        if ours and (state := getattr(item, "__dict__", None)) is not None:
            todo += list(state.values())
        elif type(item).__name__ in {"dict", "mappingproxy", "tuple", "list"}:
            todo += gc.get_referents(item)


#: The files that a row of a CSV file passes on its way to a quantile: docs/design.md lists them. In
#: a process of its own, the second way is noted: imports are done, nothing is remembered.
TRACE = """
import functools, gc, sys
from pathlib import Path
import odforecast as od

def way(file):
    made = od.get_model().fit(od.read(file).panel()).forecast(12, draws=20)
    return made.select("Ohio").quantiles([0.05, 0.5, 0.95])

way(sys.argv[1])
for found in gc.get_objects():
    if isinstance(found, functools._lru_cache_wrapper) and "odforecast" in found.__module__:
        found.cache_clear()
root = f"{Path(od.__file__).parent}/"
passed = []

def note(frame, event, _):
    file = frame.f_code.co_filename
    if event == "call" and file.startswith(root):
        passed.append(file.removeprefix(root))

sys.setprofile(note)
way(sys.argv[1])
sys.setprofile(None)
print(sum(one != after for one, after in zip(passed, passed[1:])), *dict.fromkeys(passed))
"""


@pytest.mark.slow
def test_a_row_passes_the_files_that_the_page_lists(tmp_path):
    ok("data", "export", "--out", tmp_path / "release.csv")
    changes, *passed = subprocess.check_output(
        [sys.executable, "-c", TRACE, str(tmp_path / "release.csv")], text=True
    ).split()
    page = (Path(__file__).parents[1] / "docs" / "design.md").read_text(encoding="utf-8")
    section = page.partition("## From a CSV row to a quantile")[2].partition("\n## ")[0]
    assert re.findall(r"^\| \d+ \| `([^`]+)` \|", section, re.M) == passed
    assert len(passed) <= 33  # a newcomer reads no more
    assert int(changes) <= 450  # of file, from one call to the next


HEAVY = {
    "arviz", "arviz_base", "arviz_plots", "arviz_stats", "click", "dask", "distributed",
    "matplotlib", "numba", "nutpie", "pandas", "pyarrow", "pymc", "pytensor", "rich", "scipy",
    "scoringrules", "statsforecast", "statsmodels", "xarray",
}  # fmt: skip


def loaded_by(code: str) -> set[str]:
    """Top-level packages that a fresh interpreter holds after running ``code``."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    shown = subprocess.check_output([sys.executable, "-c", script], text=True)
    return {name.partition(".")[0] for name in shown.splitlines()[-1].split()}


def test_import_loads_nothing_heavy_and_names_only_when_asked() -> None:
    code = "import os; os.environ.pop('NUMBA_CACHE_DIR', 0)\nimport odforecast as od\n"
    code += "assert 'Panel' in dir(od)\nod.OdforecastError"
    loaded = loaded_by(f"{code}\nassert 'NUMBA_CACHE_DIR' not in os.environ")
    assert not loaded & {*HEAVY, "tempfile"}  # a folder is found only where there is no room


@pytest.mark.slow
def test_data_and_names_need_no_sampler() -> None:
    loaded = loaded_by("import odforecast as od\nod.Panel, od.get_model, od.bundled, od.models()")
    assert not loaded & {"pymc", "pytensor", "nutpie", "arviz_stats", "matplotlib", "statsforecast"}


FORECAST = """
import odforecast as od
made = od.get_model("damped-trend+delay").fit(od.bundled().as_of().panel()).forecast(3, draws=5)
print(od.__file__, made.draws.shape)
"""


@pytest.mark.slow
@pytest.mark.parametrize("found", ["nothing", "a folder of its own", "somebody else's"])
def test_where_neither_home_nor_package_can_be_written_to(tmp_path: Path, found: str) -> None:
    """As root no folder is closed to numba's cache: files stand where the folders would be made."""
    copy = shutil.copytree(ROOT, tmp_path / "odforecast", ignore=lambda *_: ["__pycache__"])
    for folder in (copy, *(p for p in copy.rglob("*") if p.is_dir())):
        (folder / "__pycache__").touch()
    (home := tmp_path / "home").touch()
    (temp := tmp_path / "temp").mkdir()
    mine = temp / f"odforecast-{os.getuid()}"
    if found != "nothing":
        mine.mkdir()
        mine.chmod(0o700 if found == "a folder of its own" else 0o777)
    away = {"HOME": f"{home}/none", "TMPDIR": str(temp), "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", FORECAST], capture_output=True, text=True, env=away, cwd=tmp_path
    )
    assert done.stdout == f"{copy}/__init__.py (5, 54, 15)\n", done.stderr
    kept = {p.relative_to(temp).parts[0] for p in temp.rglob("*.nbi")}
    assert len(kept) == 1
    assert (kept == {mine.name}) == (found != "somebody else's")


def test_table_type_checking_imports_and_all_agree() -> None:
    tree = ast.parse(Path(od.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    # Submodules in the form `import odforecast.x as x`: the other one makes circles for mypy.
    typed = {
        alias.asname or alias.name: getattr(node, "module", "odforecast")
        for node in block.body
        for alias in node.names
        if isinstance(node, ast.ImportFrom) or alias.name == f"odforecast.{alias.asname}"
    }
    homes = {name: home or "odforecast" for name, home in od._HOME.items()}
    assert typed == homes
    assert set(od.__all__) == {*od._HOME, "OdforecastError"}
    assert od.__all__ == sorted(od.__all__)


def test_no_public_name_is_a_submodule() -> None:
    # Importing a submodule sets it as an attribute of the package, over a function of that name.
    modules = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or path.is_dir()}
    # Those that are both are the modules themselves, so nothing can be put over a function.
    both = modules & set(od.__all__)
    assert both == {name for name, home in od._HOME.items() if not home}
    for name in both:
        assert getattr(od, name) is sys.modules[f"odforecast.{name}"]


def test_every_name_that_a_module_offers_is_there() -> None:
    for path in ROOT.rglob("*.py"):
        name = ".".join(("odforecast", *path.relative_to(ROOT).with_suffix("").parts))
        if "__all__" in path.read_text(encoding="utf-8") and path.name != "__main__.py":
            module = importlib.import_module(name.removesuffix(".__init__"))
            assert [x for x in module.__all__ if not hasattr(module, x)] == [], name
