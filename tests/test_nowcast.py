"""The nowcast: what it says of the last counts, of sums of places, and where there is none."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from panel_factory import release_panel, with_counts

import odforecast as od
from odforecast.forecast import Forecast
from odforecast.forecast.tables import published, unbiased, usual_ratio
from odforecast.months import ONE_MONTH
from odforecast.names import TARGET_12MO
from odforecast.panel import Panel

PLACES = ("OH", "AZ", "WV", "WY")


def made(panel: Panel, states: tuple[str, ...] = PLACES) -> Forecast:
    """Months as known, some of them later: 12 months revised, whatever the panel's last one."""
    first = panel.last_month - 11 * ONE_MONTH
    months = panel.monthly[[panel.index(s) for s in states], -12:]
    late = np.random.default_rng(3).gamma(1.0, 2.0, (60, len(states), 14))
    paths = np.concatenate([months, months[:, :2]], axis=1) + late
    named = {"model": "late", "spec_hash": "0", "seed": "1", "data_hash": panel.data_hash}
    return Forecast.from_panel(panel, paths, states, first_month=first, provenance=named)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return release_panel()


def test_the_revision_is_the_count_once_final_less_the_reported_one(panel):
    forecast = made(panel)
    table = forecast.nowcast(level=0.8)
    low, median, high = forecast.quantiles([0.1, 0.5, 0.9])[..., :12].reshape(3, -1)
    rows = [panel.index(s) for s in PLACES]
    assert np.array_equal(table["reported"], panel.reported[rows, -12:].ravel())
    for name, want in {"low": low, "median": median, "high": high}.items():
        np.testing.assert_allclose(table[name], want, rtol=1e-12)
        moved = "revision" if name == "median" else f"revision_{name}"
        np.testing.assert_array_equal(table[moved], table[name] - table["reported"])
    wider = forecast.nowcast(level=0.98)
    assert (wider["high"] - wider["low"] >= table["high"] - table["low"]).all()


def test_what_cdc_predicts_stands_beside_it(panel):
    table = made(panel).nowcast()
    rows = [panel.index(s) for s in PLACES]
    assert np.array_equal(table["predicted"], panel.predicted[rows, -12:].ravel())
    assert table["complete"].isna().all()
    told = replace(panel, complete=np.full(panel.reported.shape, 98.5))
    assert (made(told).nowcast()["complete"] == 98.5).all()
    # At the last month, worked out by hand from the counts.
    usual = (panel.predicted[rows, -24:-12] / panel.reported[rows, -24:-12]).mean(axis=1)
    last = table[table["horizon"] == 0]["predicted_unbiased"]
    np.testing.assert_allclose(last, panel.predicted[rows, -1] / usual, rtol=1e-12)


def test_the_usual_excess_is_that_of_counts_12_to_23_months_old():
    reported, predicted = np.full((1, 40), 100.0), np.full((1, 40), 500.0)
    predicted[0, -24:-12] = [101.0, 103.0] * 6
    predicted[0, -12:] = 104.04
    assert usual_ratio(reported, predicted) == pytest.approx([1.02])
    assert unbiased(reported, predicted)[0, -1] == pytest.approx(102.0)
    # What is hidden, absent or without deaths is left out of the mean; of nothing there is none.
    reported[0, -24:-14:2], predicted[0, -14] = 0.0, np.nan
    assert usual_ratio(reported, predicted) == pytest.approx([1.03])
    assert np.isnan(usual_ratio(reported, np.full((1, 40), np.nan)))[0]
    assert np.isnan(usual_ratio(reported[:, -12:], predicted[:, -12:]))[0]


def test_a_hidden_count_has_no_revision(panel):
    reported = panel.reported.copy()
    reported[panel.index("WY"), -30:-2] = np.nan
    low, high = (np.where(np.isnan(reported), bound, reported) for bound in (1.0, 9.0))
    first = panel.last_month - 11 * ONE_MONTH
    hidden = replace(panel, reported=reported, low=low, high=high)
    made_up = Forecast.from_panel(hidden, np.full((5, 1, 12), 2.0), ["WY"], first_month=first)
    table = made_up.nowcast()
    assert table["reported"].isna().tolist() == [True] * 10 + [False] * 2
    # The count of the last month needs drawn months alone; those of hidden months are unknown.
    assert table["median"].iloc[-1] == 24.0
    assert table[["revision", "median"]].iloc[:10].isna().all(axis=None)


def test_the_nowcast_of_a_total_is_that_of_the_sum_of_the_draws(panel, tmp_path):
    forecast = made(panel)
    both = forecast.total(["Ohio", "WV"], "Ohio valley")
    table = both.nowcast()
    draws = forecast.select(["OH", "WV"]).samples()[..., :12].sum(axis=1)
    np.testing.assert_allclose(table["median"], np.quantile(draws, 0.5, axis=0), rtol=1e-12)
    np.testing.assert_allclose(table["high"], np.quantile(draws, 0.95, axis=0), rtol=1e-12)
    rows = [panel.index(s) for s in ("OH", "WV")]
    sums = [getattr(panel, x)[rows].sum(axis=0)[None] for x in ("reported", "predicted")]
    assert np.array_equal(table["reported"], sums[0][0, -12:])
    np.testing.assert_array_equal(table["predicted_unbiased"], unbiased(*sums)[0, -12:])
    # A sum of sums, of one place under another name, and one that was sent somewhere.
    more = Forecast.concat([both, forecast.select("AZ")]).total(["Ohio valley", "AZ"], "three")
    assert more.parts["three"] == ("OH", "WV", "AZ")
    assert more.nowcast()["reported"].iloc[-1] == panel.reported[[1, 3, 2], -1].sum()
    renamed = forecast.total(["WY"], "it").nowcast()
    assert renamed["reported"].tolist() == panel.reported[panel.index("WY"), -12:].tolist()
    saved = od.load_forecast(both.save(tmp_path / "both"))
    for again in (pickle.loads(pickle.dumps(both)), saved):
        assert dict(again.parts) == {"Ohio valley": ("OH", "WV")}
        pd.testing.assert_frame_equal(again.nowcast(), table)


def test_more_counts_other_places_and_another_target_change_nothing(panel):
    forecast = made(panel)
    table = forecast.nowcast()
    sums = replace(forecast, draws=forecast.samples(), target=TARGET_12MO)
    pd.testing.assert_frame_equal(sums.nowcast(), table)
    reported = published(forecast)
    assert np.isfinite(reported[:, :12]).all()
    assert np.isnan(reported[:, 12:]).all()
    assert np.isnan(published(replace(forecast, panel=None))).all()
    twice = with_counts(panel, panel.reported * 2.0, panel.predicted * 2.0)
    excess = made(twice).nowcast()["predicted_unbiased"]
    np.testing.assert_allclose(excess, 2 * table["predicted_unbiased"], rtol=1e-12)
    one = table[table["location"] == "WV"].reset_index(drop=True)
    pd.testing.assert_frame_equal(made(panel).select("WV").nowcast(), one, check_exact=True)
