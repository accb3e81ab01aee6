"""``odforecast backtest --dataset counties``, and on a cluster."""

from __future__ import annotations

import json
import re
import sys
from functools import partial

import commands
import pytest
from click.testing import CliRunner
from made_up_counties import Archive, made_up

from odforecast.backtesting import Results
from odforecast.cli import backtest, main

run = partial(commands.run, "backtest")

QUICK = ["--dataset", "counties", "--models", "county-hub-baseline", "--locations",
         "DE/*,NYC/*", "--draws", "40", "--jobs", "1", "--start", "2022-06"]  # fmt: skip


@pytest.fixture
def opened(monkeypatch):
    panel = made_up(("DE", "YC"))
    monkeypatch.setattr(backtest, "open_source", lambda *_: Archive(panel))
    return panel


def test_a_table_per_horizon_that_fits_the_screen(opened, tmp_path):
    result = run(*QUICK, "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    said = result.output
    flat = " ".join(said.split())
    assert "3 origins (pseudo-clean), known through 2022-06 to 2022-12; 8 places" in flat
    assert (
        "Final counts: provisional, reported in release 2023-10-08, at least 6 months after" in flat
    )
    assert "past forecasts were: one plateau, one release, provisional truth" in flat
    assert "3 months ahead: 24 counts of 8 counties in 2 states" in flat
    assert re.search(r"\ncounty-hub-baseline +[\d.]+ +1.00 ", said)
    assert max(len(x) for x in said.splitlines() if str(tmp_path) not in x) <= 80
    results = Results.load(tmp_path)
    assert set(results.scores["horizon"]) == {3, 6, 9, 12}
    assert results.manifest["dataset"] == "counties"
    assert (tmp_path / "leaderboard.csv").read_text().startswith("horizon,model,n_units")


@pytest.mark.slow
def test_its_files_are_not_for_publication(opened, tmp_path):
    out = tmp_path / "run"
    said = "hold the model's own numbers, below 10 too: not for publication"
    first = run(*QUICK, "--out", str(out))
    assert said in " ".join(first.output.split())
    assert said in Results.load(out).manifest["publication"]
    assert "more location" not in first.output
    assert said not in " ".join(run(*QUICK).output.split())
    # Fewer places: their scores are no more in the tables.
    words = ["DE/*" if x == "DE/*,NYC/*" else x for x in QUICK]
    fewer = run(*words, "--out", str(out))
    assert fewer.exit_code == 0, fewer.output
    assert f"{out} had scores of 5 more locations (36005, 36047, 36061, …)" in " ".join(
        fewer.stderr.split()
    )
    assert set(Results.load(out).scores["location"]) == {"10001", "10003", "10005"}
    again = run(*words, "--out", str(out))
    assert "more location" not in again.output


def test_json_has_a_row_for_each_horizon(opened):
    made = CliRunner().invoke(main, ["backtest", *QUICK, "--json"])
    board = json.loads(made.stdout)["leaderboard"]
    assert [row["horizon"] for row in board] == [3, 6, 9, 12]
    assert board[0]["n_units"] == 24


def test_the_age_of_truth_can_be_set(opened):
    result = run(*QUICK, "--min-truth-age", "12")
    said = " ".join(result.output.split())
    assert "Final counts: reported in release 2023-10-08, at least 12 months after" in said


def test_all_models_are_those_of_the_data_set(opened, monkeypatch):
    asked = []

    def names(dataset=None):
        asked.append(dataset)
        return ("county-hub-baseline", "county-last")

    monkeypatch.setattr("odforecast.models.model_names", names)
    result = run(*QUICK, "--models", "all", "--start", "2022-12")
    assert result.exit_code == 0, result.output
    assert asked == ["counties"]
    assert "county-last" in result.output


def test_a_mistake_is_one_line(opened):
    result = run(*QUICK, "--vintages", "delayed")
    assert result.exit_code == 1
    assert "the delay of 'all-drugs' (counties) is not known" in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


def test_dask_that_is_not_installed_is_said(opened, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = run(*QUICK, "--dask", "local")
    assert result.exit_code == 1
    assert "error: Dask is not installed; pip install 'odforecast[cluster]'" in result.stderr
