"""The public API: complete, lazy, and light to import."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import odforecast as od

HEAVY = {
    "arviz", "arviz_base", "arviz_plots", "arviz_stats", "click", "dask", "distributed",
    "matplotlib", "numba", "nutpie", "pandas", "pyarrow", "pymc", "pytensor", "rich", "scipy",
    "scoringrules", "statsforecast", "statsmodels", "xarray",
}  # fmt: skip


def loaded_by(code: str) -> set[str]:
    """Top-level packages that a fresh interpreter holds after running ``code``."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


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
    """numba cannot cache there, and there was no forecast at all. As root no folder is closed:
    files stand where the folders would be made."""
    source = Path(od.__file__).parent
    copy = shutil.copytree(source, tmp_path / "odforecast", ignore=lambda *_: ["__pycache__"])
    for folder in (copy, *(p for p in copy.rglob("*") if p.is_dir())):
        (folder / "__pycache__").touch()
    (home := tmp_path / "home").touch()
    (temp := tmp_path / "temp").mkdir()
    mine = temp / f"odforecast-{os.getuid()}"
    if found != "nothing":
        mine.mkdir(mode=0o700 if found == "a folder of its own" else 0o777)
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
    typed = {}
    for node in block.body:
        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                typed[alias.asname or alias.name] = node.module
            elif alias.name == f"odforecast.{alias.asname}":
                # Submodules in this form: the other one makes circles for mypy.
                typed[alias.asname] = "odforecast"
    homes = {name: home or "odforecast" for name, home in od._HOME.items()}
    # The package odforecast.forecast, which can be called, is this function to type checkers.
    homes["forecast"] = "odforecast.quick"
    assert typed == homes
    assert set(od.__all__) == {*od._HOME, "OdforecastError"}
    assert od.__all__ == sorted(od.__all__)


def test_no_public_name_is_a_submodule() -> None:
    # Importing a submodule sets it as an attribute of the package, over a function of that name.
    folder = Path(od.__file__).parent
    modules = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    # Those that are both are the modules themselves, so nothing can be put over a function.
    both = modules & set(od.__all__)
    assert both == {name for name, home in od._HOME.items() if not home}
    for name in both:
        assert getattr(od, name) is sys.modules[f"odforecast.{name}"]
