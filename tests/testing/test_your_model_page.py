"""The page on bringing a model: its example is twenty lines, runs as it is, prints what it says."""

import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import odforecast as od

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "your-model.md"
SCRIPT = PAGE.with_name("your_model.py")


def test_the_example_is_twenty_lines_on_the_page():
    assert len(SCRIPT.read_text().splitlines()) <= 20
    assert f"```{{literalinclude}} {SCRIPT.name}" in PAGE.read_text()


@pytest.mark.slow
def test_it_runs_as_it_is_and_prints_what_the_page_says(tmp_path):
    words = [sys.executable, "-W", "error", str(SCRIPT)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = re.search(rf"{SCRIPT.name}\n.*?```text\n(.*?)```", PAGE.read_text(), re.S)
    assert said is not None
    assert done.stdout == said[1]
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


@pytest.mark.slow
def test_the_lines_of_sktime_run(tmp_path, monkeypatch):
    pytest.importorskip("sktime")
    code = re.search(r"^:::\{code-block\} python\n(.*?)^:::", PAGE.read_text(), re.M | re.S)
    assert code is not None
    short = code[1].replace('end="2022-06"', 'end="2022-01", donors=1, draws=20, progress=False')
    assert short != code[1]
    monkeypatch.chdir(tmp_path)
    space: dict[str, object] = {"od": od}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The default of config", category=FutureWarning)
        exec(compile(short, str(PAGE), "exec"), space)
    results = space["results"]
    assert isinstance(results, od.Results)
    assert set(results.scores["model"]) == {"ThetaForecaster(sp=12)", "naive"}
    assert set(results.scores["location"]) == {"US", "OH"}
