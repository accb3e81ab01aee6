"""Models of a package that is installed apart: listed, run, named; broken ones say so in a line.

Its own build backend makes a wheel of the example, unpacked into a folder as an installer does.
"""

import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

import odforecast as od
from odforecast.errors import UnknownNameError
from odforecast.models import Model, plugin_problems, registry
from odforecast.models.registry import plugged_in
from odforecast.testing import check_forecaster, zoo

SOURCE = Path(__file__).parent / "odforecast-example"
MODELS = ("last-quarter", "steady-growth")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    pytest.importorskip("setuptools", reason="the example is built by setuptools")
    folder = tmp_path_factory.mktemp("plugin")
    ignore = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    shutil.copytree(SOURCE, folder / "source", ignore=ignore)
    code = "from setuptools import build_meta; build_meta.build_wheel('..')"
    command = [sys.executable, "-W", "ignore", "-c", code]
    subprocess.run(command, cwd=folder / "source", check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    assert wheel.name == "odforecast_example-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


def install(folder: Path, name: str, module: str, points: str) -> None:
    """A distribution as an installer leaves it: a module, and what is said of it."""
    stem = name.replace("-", "_")
    said = folder / f"{stem}-1.0.dist-info"
    said.mkdir()
    (folder / f"{stem}.py").write_text(module)
    (said / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (said / "entry_points.txt").write_text(f"[odforecast.models]\n{points}\n")
    (said / "RECORD").write_text(f"{stem}.py,,\n{said.name}/METADATA,,\n")


@pytest.fixture
def on_path(monkeypatch, tmp_path) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "_REGISTERED", {})
    return tmp_path


@pytest.mark.slow
def test_its_rows_stand_in_a_backtest(installed, tmp_path):
    env = os.environ | {"PYTHONPATH": str(installed), "XDG_DATA_HOME": str(tmp_path)}
    words = "-m odforecast backtest --models last-quarter,steady-growth,naive --vintages clean"
    words += " --start 2023-03 --end 2023-04 --locations US,OH --draws 20 --jobs 2 --out"
    command = [sys.executable, *words.split(), str(tmp_path / "out")]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    scores = pd.concat(pd.read_parquet(p) for p in (tmp_path / "out").rglob("*scores*.parquet"))
    counts = scores.groupby("model").size()
    assert set(counts.index) == {*MODELS, "naive"}
    assert len(set(counts)) == 1, "as many rows as the built-in one"
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    origins = dict.fromkeys(MODELS, "odforecast-example==1.2.3") | {"naive": "odforecast"}
    assert manifest["sources"] == origins
    assert set(manifest["specs"]) == set(origins)


@pytest.mark.slow
def test_it_takes_a_layer_and_settings_and_keeps_the_contract(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    panels = {k: v for k, v in zoo().items() if k in ("ordinary", "gap", "very-short")}
    for name in (*MODELS, "steady-growth+delay"):
        check_forecaster(name, panels)
    growing = od.get_model("steady-growth", growth=0.01)
    assert growing.label == "steady-growth(growth=0.01)"
    assert growing.spec.hash != od.get_model("steady-growth").spec.hash
    assert growing.spec.origin == "odforecast-example==1.2.3"
    assert pickle.loads(pickle.dumps(growing)).spec == growing.spec
    for name, words in (
        ("steady-growth", r"no parameter 'grow'; did you mean 'growth'"),
        ("last-quarter", r"last-quarter has nothing to set"),
        ("last-quater", r"did you mean 'last-quarter'"),
    ):
        with pytest.raises(UnknownNameError, match=words):
            od.get_model(name, grow=0.01)
    assert set(MODELS) <= set(od.models().index)
    assert plugin_problems() == ()


FINE = """
import odforecast as od

@od.forecaster()
def fine(panel, horizon, draws, rng):
    return rng.poisson(9.0, (draws, 1, horizon)).astype(float)
"""
NO_FIT = "from odforecast.models import Spec\nclass f:\n  spec = Spec('x')"
NO_SPEC = "class f:\n  spec = {}\n  def fit(self, p): 1"
#: Module, what the entry point says, and what is said of it.
BROKEN = {
    "no-module": ("", "x = nowhere_at_all:Model", "ModuleNotFoundError: No module named"),
    "no-attribute": ("", "x = broken_pack:Model", "AttributeError: module 'broken_pack' has no"),
    "import-error": ("import not_there", "x = broken_pack:f", "ModuleNotFoundError"),
    "syntax-error": ("def f(:", "x = broken_pack:f", "SyntaxError"),
    "raises": ("raise RuntimeError('no\\nluck')", "x = broken_pack:f", "RuntimeError: no"),
    "exits": ("raise SystemExit(3)", "x = broken_pack:f", "SystemExit: 3"),
    "text": ("f = 'a model'", "x = broken_pack:f", "the text 'a model', not a model"),
    "no-spec": ("class f:\n  def fit(self, p): 1", "x = broken_pack:f", "a f has no spec"),
    "no-fit": (NO_FIT, "x = broken_pack:f", "a f has no fit"),
    "spec-is-no-spec": (NO_SPEC, "x = broken_pack:f", "a f has a spec that is not a Spec"),
    "bare-function": ("def f(panel, n): 1", "x = broken_pack:f", "missing 2 required positional"),
    "factory-raises": ("def f(): raise OSError('x')", "x = broken_pack:f", "cannot be made: OSErr"),
    "makes-nothing": ("def f(): pass", "x = broken_pack:f", "a NoneType has no spec"),
    "built-in-name": (FINE, "dlm = broken_pack:fine", "not used: odforecast has a model of that"),
    "layer-name": (FINE, "x+delay = broken_pack:fine", "its name is not a valid model name"),
    "strange-name": (FINE, "a/b = broken_pack:fine", "its name is not a valid model name"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_one_is_one_line_and_touches_no_other(case, on_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "broken_pack", raising=False)
    module, points, words = BROKEN[case]
    name = points.partition(" =")[0]
    install(on_path, "broken-pack", module, points)
    install(on_path, "other-pack", FINE, "fine = other_pack:fine")
    (said,) = plugin_problems()
    assert said.startswith(f"model {name!r} of broken-pack==1.0 ")
    assert words in said
    assert "\n" not in said
    assert len(said) < 420
    assert set(plugged_in()) == {"fine", *(["x"] if name == "x" else [])}
    # The others are as they were.
    assert isinstance(od.get_model("fine"), Model)
    assert od.get_model("dlm").spec.origin == "odforecast"
    assert "fine" in registry.model_names("states")
    with pytest.warns(UserWarning, match="broken-pack") as warned:
        table = od.models()
    assert len(warned) == 1
    assert {"dlm", "fine"} <= set(table.index)
    if name == "x":
        assert "x" not in table.index
        assert "x" not in registry.model_names("states")
        with pytest.raises(UnknownNameError, match=r"broken-pack==1\.0"):
            od.get_model("x")


def test_one_name_in_two_packages_is_the_first_ones(on_path):
    for name in ("pack-b", "pack-a"):
        install(on_path, name, FINE, f"fine = {name.replace('-', '_')}:fine")
    assert plugin_problems() == (
        "model 'fine' of pack-b==1.0 is not used: pack-a==1.0 has a model of that name",
    )
    assert od.get_model("fine").spec.origin == "pack-a==1.0"


STATED = """
from dataclasses import dataclass
from odforecast.models import Spec

@dataclass
class Stated:
    spec: Spec = Spec("stated", by="location", origin="old-name==0.1")
    def fit(self, panel):
        raise NotImplementedError
    def more(self, panels):
        return len(panels)
"""


@pytest.mark.parametrize(("editable", "origin"), [(False, "stated-pack==1.0"), (True, "")])
def test_the_origin_is_what_is_installed_not_what_an_author_wrote(on_path, editable, origin):
    """Of a package that is installed for editing, nothing is used again."""
    install(on_path, "stated-pack", STATED, "stated = stated_pack:Stated")
    if editable:
        (on_path / "stated_pack-1.0.dist-info" / "direct_url.json").write_text(
            '{"url": "file:///x", "dir_info": {"editable": true}}'
        )
    made = od.get_model("stated")
    assert made.spec.origin == origin
    assert made.inner.more([1, 2]) == 2, "what else it offers is there"
    assert not hasattr(made.inner, "idata")
