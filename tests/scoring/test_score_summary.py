"""Summaries of scenarios, and of the nowcast beside what was revised."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hub_tables import made
from panel_factory import bundled_panel, release_panel

import odforecast as od
from odforecast.hub import check_hub, scenarios_to_hub
from odforecast.months import ONE_MONTH
from odforecast.scoring import per_100k, score_hub, summarise
from odforecast.scoring.columns import METRIC_COLUMNS
from odforecast.scoring.summary import calibration, mark_plausible, nearest, plausibility
from odforecast.scoring.units import revised


def held(*spans: tuple[str, str, str]) -> pd.DataFrame:
    table = pd.DataFrame(spans, columns=["scenario_id", "first_month", "last_month"])
    for column in ("first_month", "last_month"):
        table[column] = pd.to_datetime(table[column], format="ISO8601")
    return table


def units(name: str, horizons, target="deaths_month", last="2023-12", **columns) -> pd.DataFrame:
    months = np.datetime64(last, "M") + np.asarray(horizons).astype("timedelta64[M]")
    given = {"scenario_id": name, "model": "m", "location": "US", "target": target}
    given |= {"horizon": horizons, "month": months.astype("datetime64[s]"), "scorable": True}
    table = pd.DataFrame(dict.fromkeys(METRIC_COLUMNS, np.nan) | given | columns)
    return table.assign(as_of=pd.Timestamp("2024-05-15"))


def test_a_month_is_plausible_if_it_held():
    scores = units("shock", [-1, 0, 1, 2, 3, 4])
    spans = held(("shock", "2024-02", "2024-03"), ("null", "2020-01", "2030-01"))
    got = mark_plausible(scores, spans)
    assert got["plausible"].tolist() == [pd.NA, pd.NA, False, True, True, False]
    pd.testing.assert_frame_equal(got.drop(columns="plausible"), scores)
    assert not mark_plausible(scores, held())["plausible"].any()


def test_a_sum_of_twelve_months_is_plausible_if_all_its_months_to_come_held():
    scores = units("shock", list(range(15)), target="deaths_12mo")

    def marked(*spans):
        got = mark_plausible(scores, held(*(("shock", *s) for s in spans)))["plausible"]
        assert got.isna().tolist() == [True] + [False] * 14
        return [h for h, x in zip(scores["horizon"], got.fillna(False)) if x]

    # The last known month is 2023-12: horizon 1 adds up 2023-02 to 2024-01, and only the last of
    # them is to come; horizon 13 adds up 2024-02 to 2025-01, all to come.
    assert marked(("2024-01", "2024-03")) == [1, 2, 3]
    assert marked(("2024-02", "2025-02")) == [13, 14]
    assert marked(("2024-01", "2024-05"), ("2024-06", "2024-08")) == list(range(1, 9))
    assert marked(("2024-01", "2024-02"), ("2024-04", "2024-12")) == [1, 2]
    assert marked(("2024-02", "2024-12")) == []


def test_plausibility_by_hand():
    # The same months of another place are the same months.
    kinds = [units("null", range(6)), *(units("shock", range(6), location=s) for s in ("US", "OH"))]
    scores = pd.concat(kinds, ignore_index=True)
    scores.loc[scores["horizon"] == 5, "scorable"] = False
    spans = held(("shock", "2024-02", "2024-02"), ("shock", "2024-04", "2024-09"))
    table = plausibility(mark_plausible(scores, spans)).set_index("scenario_id")
    null, shock = (
        table.loc[x, ["months", "plausible", "share"]].tolist() for x in ("null", "shock")
    )
    assert (null, shock) == ([4, 0, 0.0], [4, 2, 0.5])
    assert pd.isna(table.loc["null", "first"])
    ends = table.loc["shock", ["first", "last"]].tolist()
    assert ends == [pd.Timestamp("2024-02-01"), pd.Timestamp("2024-04-01")]


def test_calibration_by_hand():
    null = units("null", range(5), wis=[99.0, 1, 2, 3, 6], cover_95=[0.0, 1, 1, 0, 0])
    shock = units("shock", range(5), wis=[99.0, 4, 4, 2, 2], cover_95=[0.0, 0, 1, 1, 1])
    scores = pd.concat([null, shock], ignore_index=True)
    whole = calibration(scores)
    assert whole["months"].tolist() == ["all", "all"]
    marked = mark_plausible(scores, held(("null", "2024-01", "2024-03")))
    table = calibration(marked).set_index(["scenario_id", "months"])
    assert table["level"].unique().tolist() == ["nation"]
    rows = [(name, months) for name in ("null", "shock") for months in ("plausible", "all")]
    got = table.loc[rows, ["n_scorable", "wis", "coverage_95"]].astype(float)
    want = [(3, 2.0, 2 / 3), (4, 3.0, 0.5), (0, np.nan, np.nan), (4, 3.0, 0.75)]
    np.testing.assert_allclose(got, want)
    all_of_it = whole.set_index("scenario_id")[["wis", "coverage_95"]]
    want = table.xs("all", level="months")[["wis", "coverage_95"]]
    pd.testing.assert_frame_equal(all_of_it, want)


def test_the_nearest_scenario_by_hand():
    wis = {"null": [0.0, 1, 2, 3, 0], "shock": [9.0, 1, 1, 1], "boom": [9.0, 8, 9, 1]}
    parts = [units(name, range(len(x)), wis=x) for name, x in wis.items()]
    scores = pd.concat(parts, ignore_index=True)
    table = nearest(scores).set_index("scenario_id")
    # Three months all have; the month up to the last known one counts for nobody.
    assert table["n_common"].tolist() == [3, 3, 3]
    assert list(table["wis"].items()) == [("shock", 1.0), ("null", 2.0), ("boom", 6.0)]
    shares = {"null": 0.5 / 3, "shock": (0.5 + 1 + 0.5) / 3, "boom": 0.5 / 3}
    assert table["nearest"].to_dict() == pytest.approx(shares)
    assert nearest(scores.assign(scorable=False)).empty


def test_scores_of_a_scenario_are_those_of_its_own_file():
    names = ("null", "NA", "$ é")
    forecasts = {n: made(seed=i, back=1) for i, n in enumerate(names)}

    def observe(locations, months, target):
        values = np.full((len(locations), months.size), 480.0 + 5000.0 * (target == "deaths_12mo"))
        values[0, 0] = np.nan
        return values, np.where(np.isnan(values), "none", "").astype(object)

    for kind in ("quantile", "sample"):
        table = check_hub(scenarios_to_hub(forecasts, output_type=kind))
        scores = score_hub(table, observe)
        assert list(scores.columns[:4]) == ["as_of", "last_month", "scenario_id", "location"]
        assert len(scores) == 3 * 2 * 9
        for name in names:
            own = table[table["scenario_id"] == name].drop(columns="scenario_id")
            want = score_hub(own.reset_index(drop=True), observe)
            got = scores[scores["scenario_id"] == name].drop(columns="scenario_id")
            pd.testing.assert_frame_equal(got.reset_index(drop=True), want)


PLACES = ("US", "OH", "AZ", "WV", "WY")


@pytest.fixture(scope="module")
def release():
    """A release whose last three counts lack 5, 2 and 1%, and Wyoming's nothing."""
    whole = release_panel()
    reported = whole.reported.copy()
    reported[:-1, -3:] = np.round(reported[:-1, -3:] * [0.99, 0.98, 0.95])
    return replace(whole, reported=reported, low=None, high=None)


@pytest.fixture(scope="module")
def scores(release) -> pd.DataFrame:
    months = release.monthly[:, -12:]
    late = np.random.default_rng(5).gamma(2.0, 0.01, (80, len(PLACES), 14))
    paths = np.concatenate([months, months[:, :2]], axis=1) * (1 + late)
    first = release.last_month - 11 * ONE_MONTH
    forecast = od.Forecast.from_panel(release, paths, PLACES, first_month=first)
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
    moved = revised([8, 9, 99_799, 5, 0], [10, 10, 1e5, np.nan, 0])
    assert moved.tolist() == [True, False, True, False, False]


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
    # A forecast without spread at the reported count has WIS equal to the revision.
    stays = scores.assign(wis=(scores["observed"] - scores["reported"]).abs())
    board = summarise(stays, by=["horizon_group"]).set_index("horizon_group")
    assert board.loc["nowcast", "rel_wis_reported"] == pytest.approx(1.0)


def test_per_100000_residents_the_same_counts_are_revised(scores):
    states = scores[scores["location"].isin(["OH", "WY"])]
    rates = per_100k(states)
    row = states.index[0]
    factor = rates.loc[row, "observed"] / states.loc[row, "observed"]
    assert rates.loc[row, "reported"] == pytest.approx(states.loc[row, "reported"] * factor)
    by = ["location", "horizon_group"]
    one, other = (summarise(x, by=by).set_index(by) for x in (states, rates))
    assert (one["n_revised"] == other["n_revised"]).all()
    assert other.loc[("OH", "nowcast"), "direction"] == one.loc[("OH", "nowcast"), "direction"]
