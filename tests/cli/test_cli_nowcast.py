"""``odforecast nowcast`` as a stranger would use it."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import odforecast as od
from odforecast.cli import main
from odforecast.say import rounded, step_of

QUICK = ("--source", "bundled", "--draws", "60")


def run(*arguments: str):
    return CliRunner().invoke(main, ["nowcast", *arguments])


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """What the default model says in Python."""
    fitted = od.get_model().fit(od.bundled().as_of().panel())
    return fitted.forecast(draws=60).nowcast()


def test_a_stranger_reads_the_answer_first(table):
    result = run(*QUICK)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    us = table[(table["location"] == "US") & (table["horizon"] == 0)].iloc[0]
    step = step_of(us["low"], us["high"])
    said = "{} deaths (90% interval {} to {})".format(
        *(rounded(us[x], step) for x in ("median", "low", "high"))
    )
    text = " ".join(lines)
    assert text.startswith("The United States: the final count for the 12 months ending in August")
    assert f"will be about {said}. Reported so far: 69,172." in text
    assert "Number of Drug Overdose Deaths, as of 2026-01-14" in text
    rows = [line.split()[0] for line in lines if re.match(r"[A-Z]{2,3}  ", line)]
    assert rows == list(dict.fromkeys(table["location"]))[:12]
    assert "… and 42 more states (--rows 0 shows all)" in lines
    every = run(*QUICK, "--rows", "0").stdout.splitlines()
    rows = [line.split()[0] for line in every if re.match(r"[A-Z]{2,3}  ", line)]
    assert [row.replace("NYC", "YC") for row in rows] == list(dict.fromkeys(table["location"]))
    assert max(map(len, lines)) <= 80
    assert "release 2026-01-14" in result.stderr
    assert re.search(r"model dlm \(spec \w+\), 60 draws, seed 1", result.stdout)


def test_all_twelve_counts_of_some_places(table):
    result = run(*QUICK, "--locations", "WV,Ohio", "--months", "12")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "Reported so far: 671." in " ".join(lines)
    assert sum(bool(re.search(r"20\d\d-\d\d  ", line)) for line in lines) == 24
    assert max(map(len, lines)) <= 80
    first = table[(table["location"] == "OH") & (table["horizon"] == -11)].iloc[0]
    (row,) = (line for line in lines if line.startswith("OH "))
    step = step_of(first["low"], first["high"])
    assert row.split()[1:4] == ["2024-09", "3,515", rounded(first["median"], step)]


def test_the_forecast_command_says_the_same_of_the_last_count(table):
    done = CliRunner().invoke(main, ["forecast", *QUICK, "--locations", "US", "--json"])
    us = table[(table["location"] == "US") & (table["horizon"] == 0)].iloc[0]
    (row,) = (r for r in json.loads(done.stdout)["summary"] if r["horizon"] == 0)
    assert row["reported"] == 69_172
    for name in ("low", "median", "high"):
        assert row[name] == pytest.approx(us[name], abs=1e-5)


def test_json_is_all_of_standard_output(table):
    result = run(*QUICK, "--locations", "US,WV", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["meta"]["locations"] == ["US", "WV"]
    assert len(said["nowcast"]) == 24
    assert said["nowcast"][0]["complete"] == 100
    assert "model dlm" in result.stderr


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "json", "parquet"])
def test_the_file_holds_all_twelve_counts_of_the_places(ending, tmp_path, table):
    out = tmp_path / f"n.{ending}"
    result = run(*QUICK, "--locations", "US,WV", "--out", str(out))
    assert result.exit_code == 0, result.output
    assert f"table: {out} (24 rows)" in result.stdout
    want = table[table["location"].isin(["US", "WV"])].reset_index(drop=True)
    if ending == "json":
        rows = json.loads(out.read_text())
        assert rows[0]["complete"] == 100
        got = pd.DataFrame(rows)
    else:
        got = pd.read_parquet(out) if ending == "parquet" else pd.read_csv(out)
    assert got.columns.tolist() == want.columns.tolist()
    assert got["location"].tolist() == want["location"].tolist()
    assert pd.to_datetime(got["month"]).tolist() == want["month"].tolist()
    for name in ("reported", "low", "median", "high", "revision", "predicted_unbiased"):
        np.testing.assert_allclose(got[name], want[name], rtol=1e-6, atol=1e-6)
    again = tmp_path / f"again.{ending}"
    assert run(*QUICK, "--locations", "US,WV", "--out", str(again)).exit_code == 0
    assert again.read_bytes() == out.read_bytes()


def test_level(tmp_path):
    out = tmp_path / "n.csv"
    result = run(*QUICK, "--locations", "US", "--level", "0.5", "--out", str(out))
    assert result.exit_code == 0, result.output
    assert "50%" in result.stdout
    assert (pd.read_csv(out)["level"] == 0.5).all()


@pytest.mark.parametrize(("ending", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_figure(tmp_path, ending, begins):
    drawn = [tmp_path / f"{name}.{ending}" for name in "ab"]
    for path in drawn:
        result = run(*QUICK, "--locations", "US", "--plot", str(path))
        assert result.exit_code == 0, result.output
        assert f"figure: {path}" in result.stdout
    assert drawn[0].read_bytes().startswith(begins)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"a.{ending}", f"b.{ending}"]


def test_a_release_that_says_how_complete_it_is(vsrr):
    result = run("--source", str(vsrr / "2024-12-11.csv.gz"), "--locations", "US,OH", *QUICK[2:])
    assert result.exit_code == 0, result.output
    assert "Reported so far: 90,157." in " ".join(result.stdout.split())
    assert "complete" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_only_what_a_model_revises_is_shown():
    result = run(*QUICK, "--model", "cdc-predicted", "--locations", "US", "--months", "12")
    assert result.exit_code == 0, result.output
    assert sum(bool(re.search(r"20\d\d-\d\d  ", x)) for x in result.stdout.splitlines()) == 6


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--model", "naive"], 1, "error: naive takes the last counts as reported, so it has no "
         "nowcast; use dlm"),
        (["--model", "oracle"], 1, "error: unknown model 'oracle'"),
        (["--locations", "US,Narnia"], 1, "error: unknown location 'Narnia'"),
        (["--as-of", "2019-01-01"], 1, "nothing was known on 2019-01-01"),
        (["--out", "n.xls"], 2, "for --table: 'n.xls' must end in .csv, .csv.gz, .json, .parquet"),
        (["--plot", "n.gif"], 2, "for --plot: 'n.gif' must end in .png, .svg, .pdf"),
        (["--months", "13"], 2, "--months"),
        (["--level", "1"], 2, "--level"),
        (["--level", "90"], 2, "--level"),
        (["--level", "nan"], 2, "nan is not a number"),
        (["--horizon", "3"], 2, "--horizon"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(arguments, code, message):
    result = run(*QUICK, *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    if code == 1:
        assert result.stderr.strip().splitlines()[-1].startswith("error: ")


def test_it_is_listed():
    result = CliRunner().invoke(main, ["--help"])
    assert "Estimate the final value of recent counts." in result.stdout
