"""Scores of the nowcast: on counts, and beside what was revised."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from panel_factory import bundled_panel, release_panel

import odforecast as od
from odforecast.forecast import Forecast
from odforecast.months import ONE_MONTH
from odforecast.scoring import per_100k, summarise
from odforecast.scoring.units import revised

PLACES = ("US", "OH", "AZ", "WV", "WY")


@pytest.fixture(scope="module")
def release():
    """A release whose last three counts lack 5, 2 and 1 %, and Wyoming's nothing."""
    whole = release_panel()
    reported = whole.reported.copy()
    reported[:-1, -3:] = np.round(reported[:-1, -3:] * [0.99, 0.98, 0.95])
    return replace(whole, reported=reported, low=None, high=None)


@pytest.fixture(scope="module")
def scores(release) -> pd.DataFrame:
    months = release.monthly[:, -12:]
    late = np.random.default_rng(5).gamma(2.0, 0.01, (80, len(PLACES), 14))
    paths = np.concatenate([months, months[:, :2]], axis=1) * (1 + late)
    forecast = Forecast.from_panel(
        release, paths, PLACES, first_month=release.last_month - 11 * ONE_MONTH
    )
    table = od.score(forecast, od.Truth(bundled_panel()))
    return table.assign(model="late", as_of=pd.Timestamp(release.as_of), vintage="real")


def test_reported_is_what_the_release_itself_said(scores, release):
    now = scores[scores["horizon"] <= 0]
    assert np.array_equal(now["reported"], release.reported[:, -12:].ravel())
    ahead = scores[scores["horizon"] > 0]
    assert ahead["reported"].isna().all()
    assert not ahead["revised"].any()
    assert scores["revised"].dtype == bool
    for state in ("US", "OH"):
        rows = now[now["location"] == state]
        assert rows["revised"].tolist() == [False] * 9 + [True] * 3


def test_months_have_no_reported_count(release):
    forecast = od.get_model("naive").fit(release).forecast(draws=20)
    table = od.score(forecast, od.Truth(bundled_panel()), "deaths_month")
    assert table["reported"].isna().all()
    assert not table["revised"].any()


def test_what_counts_as_revised():
    # More than one death, and more than 0.2 %, up or down.
    assert revised([11, 12, 8, 9], [10.0] * 4).tolist() == [False, True, True, False]
    assert revised([100_200, 100_201, 99_799], [1e5] * 3).tolist() == [False, True, True]
    assert revised([np.nan, 5, 0], [5, np.nan, 0]).tolist() == [False, False, False]


def test_wis_of_the_count_is_wis_of_the_revision(scores, release):
    """Shifting draws and truth by the reported count leaves the score as it is."""
    from odforecast.names import HUB_QUANTILES
    from odforecast.scoring import weighted_interval_score

    rng = np.random.default_rng(2)
    quantiles = np.sort(rng.normal(1000, 20, (len(HUB_QUANTILES), 6)), axis=0)
    observed, reported = rng.normal(1000, 30, 6), rng.normal(980, 10, 6)
    levels = weighted_interval_score(quantiles, HUB_QUANTILES, observed).total
    moved = weighted_interval_score(quantiles - reported, HUB_QUANTILES, observed - reported).total
    np.testing.assert_allclose(levels, moved, rtol=1e-9)


def test_leaving_the_count_as_it_is_scores_one(scores):
    """A forecast without spread at the reported count has WIS equal to the revision."""
    stays = scores.assign(wis=(scores["observed"] - scores["reported"]).abs())
    board = summarise(stays, by=["horizon_group"]).set_index("horizon_group")
    assert board.loc["nowcast", "rel_wis_reported"] == pytest.approx(1.0)


def test_the_summary_relates_to_the_revision(scores):
    board = summarise(scores, by=["level", "horizon_group"]).set_index(["level", "horizon_group"])
    us = scores[(scores["location"] == "US") & (scores["horizon"] <= 0)]
    row = board.loc[("nation", "nowcast")]
    moved = (us["observed"] - us["reported"]).abs()
    assert row["mae_reported"] == pytest.approx(moved.mean())
    assert row["rel_wis_reported"] == pytest.approx(us["wis"].mean() / moved.mean())
    assert row["n_revised"] == 3
    assert row["coverage_90_revised"] == pytest.approx(us[us["revised"]]["cover_90"].mean())
    ahead = board.loc[("nation", "1-3")]
    assert ahead[["mae_reported", "rel_wis_reported", "coverage_90_revised"]].isna().all()
    assert ahead["n_revised"] == 0


def test_single_horizons_and_revised_counts_are_groups(scores):
    board = summarise(scores, by=["level", "horizon"])
    us = board[board["level"] == "nation"].set_index("horizon")
    assert us.index.tolist() == [*range(-11, 1), 1, 2]
    assert us.loc[-5, "mae_reported"] == 0.0
    assert np.isnan(us.loc[-5, "rel_wis_reported"])  # nothing was revised
    assert us.loc[0, "coverage_90"] == us.loc[0, "coverage_90_revised"]
    split = summarise(scores, by=["horizon_group", "revised"])
    now = split[split["horizon_group"] == "nowcast"].set_index("revised")
    assert now.loc[True, "n_units"] == now.loc[True, "n_revised"]
    assert now.loc[False, "n_revised"] == 0


def test_the_other_groups_and_tables_without_reported_stay(scores):
    with_it = summarise(scores, by=["horizon_group"])
    without = summarise(scores.drop(columns=["reported", "revised"]), by=["horizon_group"])
    assert "mae_reported" not in without
    pd.testing.assert_frame_equal(with_it[without.columns], without)
    ahead = scores[scores["horizon"] > 0]
    assert "mae_reported" not in summarise(ahead, by=["horizon_group"])


def test_what_is_not_scorable_is_left_out(scores):
    some = scores.copy()
    lost = some["horizon"] == 0
    some.loc[lost, "scorable"] = False
    some.loc[lost, ["wis", "observed", "cover_90"]] = np.nan
    names = ["n_revised", "mae_reported", "rel_wis_reported", "coverage_90_revised"]
    want = summarise(scores[scores["horizon"] < 0])[names]
    pd.testing.assert_frame_equal(summarise(some)[names], want)


def test_per_100000_residents_the_same_counts_are_revised(scores):
    states = scores[scores["location"].isin(["OH", "WY"])]
    rates = per_100k(states)
    row = states.index[0]
    factor = rates.loc[row, "observed"] / states.loc[row, "observed"]
    assert rates.loc[row, "reported"] == pytest.approx(states.loc[row, "reported"] * factor)
    one, other = (
        summarise(x, by=["location", "horizon_group"]).set_index(["location", "horizon_group"])
        for x in (states, rates)
    )
    assert (one["n_revised"] == other["n_revised"]).all()
    assert other.loc[("OH", "nowcast"), "direction"] == one.loc[("OH", "nowcast"), "direction"]


def test_a_backtest_has_it(tmp_path):
    panel = od.bundled().as_of().panel()
    from odforecast.backtesting import Origin

    origin = Origin(panel.as_of, "real", panel)
    truth = od.Truth(panel, min_age=0)
    results = od.backtest(
        ["naive+delay", "hub-baseline"], [origin], truth=truth, draws=20, locations=["US", "OH"],
        progress=False,
    )  # fmt: skip
    board = results.leaderboard(by=["horizon"], baseline=None)
    now = board[board["horizon"] <= 0]
    assert set(now["model"]) == {"naive+delay"}
    assert now["horizon"].tolist() == list(range(-11, 1))
    assert now["coverage_90"].notna().all()
    assert (now["mae_reported"] == 0).all()  # scored against the release itself
    groups = results.leaderboard()
    assert groups["horizon_group"].astype(str).unique().tolist()[0] == "nowcast"
    results.save(tmp_path / "r")
    assert od.Results.load(tmp_path / "r").scores["revised"].dtype == bool


def test_the_tables_of_the_benchmark(scores, release):
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "bench_nowcast.py"
    spec = importlib.util.spec_from_file_location("bench_nowcast", path)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    named = scores.assign(data_hash=release.data_hash)
    rows = bench.with_predicted(named, [release])
    assert len(rows) == 12 * len(PLACES)
    us = rows[(rows["location"] == "US") & (rows["horizon"] == 0)].iloc[0]
    assert us["predicted"] == release.predicted[0, -1]
    board = bench.tables(rows).set_index(["level", "horizon"])
    last = board.loc[("nation", "0")]
    assert last["reported"] == abs(us["observed"] - us["reported"])
    assert last["CDC"] == abs(us["observed"] - us["predicted"])
    assert last["nowcast"] == pytest.approx(us["ae"])
    assert last["rel_wis"] == pytest.approx(us["wis"] / last["reported"])
    assert board.loc[("jurisdictions", "all"), "n"] == 48
    # Any scores will do: without CDC's values their errors are left out.
    bare = bench.tables(named).set_index(["level", "horizon"])
    assert "CDC" not in bare
    assert bare.loc[("nation", "all"), "coverage_90_revised"] == pytest.approx(
        board.loc[("nation", "all"), "coverage_90_revised"]
    )
