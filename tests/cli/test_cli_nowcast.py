"""``odforecast nowcast`` as a stranger would use it."""

import json
import re
from functools import partial

import commands
import exits
import numpy as np
import pandas as pd
import pytest

import odforecast as od
from odforecast.say import rounded, step_of

run = partial(exits.run, "nowcast")

QUICK = ("--source", "bundled", "--draws", "60")


@pytest.fixture(scope="module")
def table():
    fitted = od.get_model().fit(od.bundled().as_of().panel())
    return fitted.forecast(draws=60).nowcast()


CDC = ("nowcast", *QUICK, "--model", "cdc-predicted")


def said_of(table, place, horizon):
    """A row of the table, and its numbers as they are rounded on the screen."""
    row = table[(table["location"] == place) & (table["horizon"] == horizon)].iloc[0]
    step = step_of(row["low"], row["high"])
    return [rounded(row[x], step) for x in ("median", "low", "high")]


def test_a_stranger_reads_the_answer_first(table):
    result = run(*QUICK, code=0)
    lines = result.stdout.splitlines()
    text = " ".join(lines)
    assert text.startswith(
        "In the United States, 69,172 drug overdose deaths were reported for the"
    )
    middle, low, high = said_of(table, "US", 0)
    assert f"; the final count will be about {middle} (90% interval {low} to {high})." in text
    assert "Number of Drug Overdose Deaths, as of 2026-01-14" in text
    rows = [line.split()[0] for line in lines if re.match(r"[A-Z]{2,3}  ", line)]
    assert rows == list(dict.fromkeys(table["location"]))[:12]
    assert "… and 42 more states (--rows 0 shows all)" in lines
    assert "release 2026-01-14" in result.stderr
    assert re.search(r"model dlm \(spec \w+\), 60 draws, seed 1", result.stdout)


def test_all_twelve_counts_of_some_places(table):
    text = commands.ok("nowcast", *QUICK, "--locations", "WV,Ohio", "--months", "12")
    lines = text.splitlines()
    assert "In West Virginia, 671 drug overdose deaths were reported" in " ".join(lines)
    assert sum(bool(re.search(r"20\d\d-\d\d  ", line)) for line in lines) == 24
    (row,) = (line for line in lines if line.startswith("OH "))
    assert row.split()[1:4] == ["2024-09", "3,515", said_of(table, "OH", -11)[0]]
    # Only what a model revises is shown.
    text = commands.ok(*CDC, "--locations", "US", "--months", "12")
    assert sum(bool(re.search(r"20\d\d-\d\d  ", x)) for x in text.splitlines()) == 6


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_the_file_holds_all_twelve_counts_of_the_places(ending, tmp_path, table):
    out = tmp_path / f"n.{ending}"
    words = ("nowcast", *QUICK, "--locations", "US,WV", "--table")
    assert f"table: {out} (24 rows)" in commands.ok(*words, out)
    want = table[table["location"].isin(["US", "WV"])].reset_index(drop=True)
    if ending == "json":
        rows = json.loads(out.read_text())
        assert rows[0]["complete"] == 100
        got = pd.DataFrame(rows)
    else:
        got = pd.read_parquet(out) if ending == "parquet" else pd.read_csv(out)
    assert got.columns.tolist() == want.columns.tolist()
    assert got["location"].tolist() == want["location"].tolist()
    assert pd.to_datetime(got["month"], format="ISO8601").tolist() == want["month"].tolist()
    for name in ("reported", "low", "median", "high", "revision", "predicted_unbiased"):
        np.testing.assert_allclose(got[name], want[name], rtol=1e-6, atol=1e-6)
    again = tmp_path / f"again.{ending}"
    commands.ok(*words, again)
    assert again.read_bytes() == out.read_bytes()
