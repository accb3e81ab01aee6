"""What a command says before it works: a misspelled place, a county, and how old the data are."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pytest
from commands import run, said

#: Libraries that take most of a second to load, and what loads them.
HEAVY = (
    "pandas", "scipy", "numba", "pymc", "statsforecast", "matplotlib", "pyarrow",
    "odforecast.models", "odforecast.vintage", "odforecast.forecast",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "forecast", "forecast --dataset counties", "nowcast", "report --out page.html", "backtest",
        "hub submit folder", "update",
    ],
)  # fmt: skip
def test_a_misspelled_place_is_answered_before_anything_heavy_loads(command):
    code = (
        "import sys\n"
        "from odforecast.cli import main\n"
        "status = main(sys.argv[1:], standalone_mode=False)\n"
        f"print(status, sorted({{*sys.modules}} & {set(HEAVY)!r}))\n"
    )
    words = [*command.split(), "--locations", "US,Ohoi"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    assert done.stderr == (
        "error: unknown location 'Ohoi'; did you mean Ohio or Ohio County, West Virginia?\n"
    )
    assert done.stdout == "1 []\n"


NAIVE = "--model naive --locations US --draws 20"


@pytest.mark.parametrize(
    ("command", "counties"),
    [
        (f"forecast {NAIVE}", False),
        ("forecast --dataset counties --model county-last --locations DE/* --draws 20", True),
    ],
)
def test_old_data_are_said_to_be_old(monkeypatch, command, counties):
    more = " --dataset counties" if counties else ""
    old = f"CDC has published newer data: odforecast data fetch{more}."
    release = dt.date(2023, 10, 8) if counties else dt.date(2026, 1, 14)
    for days, there in ((60, False), (61, True)):
        day = release + dt.timedelta(days=days)
        monkeypatch.setattr("odforecast.cli.source.today", lambda day=day: day)
        done = run(*command.split())
        assert done.exit_code == 0, done.output
        assert (f"These data are 2 months old. {old}" in said(done)) is there
    done = run(*command.split(), "--as-of", "2026-01-14")
    assert done.exit_code == 0, done.output
    assert "months old" not in said(done)
