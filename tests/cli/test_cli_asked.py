"""What is asked for is what is given: targets, levels, and nothing written over."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from commands import ok, run

import odforecast as od
from odforecast.cli.screen import count

FORECAST = ("forecast", "--source", "bundled", "--model", "drift", "--draws", "60")
BACKTEST = ("backtest", "--start", "2021-01", "--end", "2021-02", "--step", "1", "--draws", "40",
            "--locations", "US,WV", "--jobs", "1", "--models", "naive,hub-baseline")  # fmt: skip


@pytest.fixture(scope="module")
def drift():
    return od.get_model("drift").fit(od.bundled().as_of().panel()).forecast(draws=60)


def test_months_are_written_as_months(drift, tmp_path):
    places = ("--locations", "US,NY", "--target", "deaths_month")
    said = json.loads(ok(*FORECAST, *places, "--json"))
    ok(*FORECAST, *places, "--table", tmp_path / "m.csv", "--out", tmp_path / "hub.csv")
    table = pd.read_csv(tmp_path / "m.csv")
    want = drift.select(["US", "NY"]).quantiles([0.05, 0.5, 0.95], "deaths_month")
    for got in (pd.DataFrame(said["months"]), table):
        assert set(got["target"]) == {"deaths_month"}
        assert list(got.columns[:4]) == ["location", "name", "month", "horizon"]
        np.testing.assert_allclose(got[["low", "median", "high"]].to_numpy().T,
                                   want.reshape(3, -1), atol=1e-5)  # fmt: skip
    hub = od.read_hub(tmp_path / "hub.csv")
    assert set(hub["target"]) == {"deaths_month"}
    middle = hub.loc[hub["output_type_id"].astype(float) == 0.5, "value"]
    np.testing.assert_allclose(middle, table["median"], atol=0.01)
    shown = ok(*FORECAST, *places)
    last = table[(table["location"] == "NY") & (table["month"] == "2026-08")].iloc[0]
    assert count(last["low"], last["median"], last["high"]) in shown


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        ("deaths_12mo", ["meta", "summary", "years", "trend"]),
        ("deaths_month", ["meta", "months"]),
        ("both", ["meta", "summary", "years", "trend", "months"]),
    ],
)
def test_json_says_its_target(asked, keys):
    said = json.loads(ok(*FORECAST, "--locations", "US", "--target", asked, "--json"))
    assert list(said) == keys
    assert said["meta"]["target"] == asked


def test_months_alone_are_not_drawn(tmp_path):
    ok(*FORECAST, "--locations", "WV", "--target", "deaths_month", "--out", tmp_path / "m.csv")
    done = run(
        "score", tmp_path / "m.csv", "--plot", tmp_path / "p.svg", "--out", tmp_path / "s.csv"
    )
    assert done.exit_code == 1
    assert "--plot shows 12-month counts, and the files contain none" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["m.csv"]


@pytest.mark.parametrize(("places", "level"), [("US,NY", "0.8"), ("OH", "0.3")])
def test_the_level_reaches_the_picture(places, level, tmp_path):
    path = tmp_path / "p.svg"
    ok(*FORECAST, "--locations", places, "--level", level, "--plot", path)
    text = path.read_text(encoding="utf-8")
    assert f"{100 * float(level):g}% interval" in text
    assert "90% interval" not in text


def test_a_backtest_of_which_nothing_can_be_scored_says_so(tmp_path):
    words = [*BACKTEST, "--vintages", "clean", "--min-truth-age", "900", "--out", tmp_path / "r"]
    done = run(*words, "--plot", tmp_path / "p.svg")
    assert done.exit_code == 1
    assert "error: no forecast can be scored yet" in done.stderr
    assert "96 cannot be scored" in done.stdout
    assert (tmp_path / "r" / "leaderboard.csv").exists()
    one = run(*words, "--json")
    assert one.exit_code == 1
    assert json.loads(one.stdout)["leaderboard"]


def test_a_folder_without_the_city_is_said_to_lack_the_rate(tmp_path):
    words = ("forecast", "--source", "bundled", "--draws", "60", "--save", tmp_path / "s")
    alone = run(*words, "--locations", "NY")
    assert "cannot be made from it; for that, save both" in " ".join(alone.stderr.split())
    assert "save both" not in run(*words, "--replace", "--locations", "NY,NYC,OH").stderr


def test_the_page_of_new_york_has_the_rate_of_state_and_city(tmp_path):
    page = tmp_path / "p.html"
    words = ("forecast", "--source", "bundled", "--draws", "60", "--locations", "New York")
    ok(*words, "--html", page)
    said = json.loads(ok(*words, "--json"))["summary"][-1]
    assert said["rate_of"] == "NY+YC"
    assert f">{said['rate']:.0f}†" in page.read_text(encoding="utf-8")
