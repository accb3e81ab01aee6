"""Five categories of change: thresholds that do not look at the outcome."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import odforecast as od
from odforecast.errors import ForecastError
from odforecast.forecast.trend import CATEGORIES, category, thresholds

DAY = "2025-09-17"
counts = st.floats(0, 1e6, allow_nan=False)


@pytest.fixture(scope="module")
def forecast():
    panel = od.bundled().as_of(DAY).panel()
    return od.get_model("dlm").fit(panel).forecast(until="2026-12", draws=150)


def test_thresholds_by_hand():
    # 1.28 √(2/N) is 5% at N = 2 (1.28 / .05)² = 1,310.72.
    first, large = thresholds([1310.0, 1311.0, 200.0, 2.0])
    assert first[0] > 5
    assert first[1] == 5
    assert np.isclose(first[2], 12.8)
    assert np.isclose(first[3], 128.0)
    assert np.allclose(large, 3 * first)
    assert np.isnan(thresholds(np.nan)[0])
    assert thresholds(0.0)[0] == thresholds(1.0)[0]


def test_categories_at_their_edges():
    assert CATEGORIES == ("large_decrease", "decrease", "stable", "increase", "large_increase")
    moved = [-15.01, -15, -5.01, -5, 0, 5, 5.01, 15, 15.01]
    assert category(moved, 100.0, 5.0).tolist() == [0, 1, 1, 2, 2, 2, 3, 3, 4]
    # From nothing, anything is a large rise; nothing after nothing is stable.
    assert category([0.0, 1.0], 0.0, 128.0).tolist() == [2, 4]
    assert category([np.nan, 1, 1], [1, np.nan, 1], [5, 5, np.nan]).tolist() == [-1, -1, -1]


@given(counts, counts, st.floats(0, 1e5))
def test_a_rise_and_a_fall_of_one_size_are_mirrored(change, before, n):
    first = thresholds(n)[0]
    rise, fall = category(change, before, first), category(-change, before, first)
    assert rise + fall == 4
    assert rise >= 2
    assert category(change * 2, before, first) >= rise


def test_probabilities_are_shares_of_the_draws(forecast):
    table = forecast.trend(["Ohio", "WY"])
    assert np.allclose(table[list(CATEGORIES)].sum(axis=1), 1)
    last = table[(table["location"] == "OH") & (table["horizon"] == 12)].iloc[0]
    moved = forecast.change("2026-04")[:, forecast.index("OH")]
    before = forecast.count_at("2025-04")[:, forecast.index("OH")]
    share = 100 * moved / before
    assert last["t1"] == 5
    assert last["large_decrease"] == (share < -15).mean()
    assert last["decrease"] == ((share >= -15) & (share < -5)).mean()
    assert last["stable"] == (abs(share) <= 5).mean()
    # A fall is a fall of any size: no more probable than all that is not a rise.
    falls = (moved < 0).mean()
    assert last["large_decrease"] + last["decrease"] <= falls
    assert falls <= 1 - last["increase"] - last["large_increase"]


def test_the_threshold_rests_on_what_was_known_at_the_origin(forecast):
    panel = forecast.panel
    last = forecast.trend("WY").query("horizon == 12").iloc[0]
    reported = panel.reported[panel.index("WY"), -1]
    assert last["before"] == reported == 89
    assert np.isclose(last["t1"], 128 * np.sqrt(2 / 89))
    assert np.isclose(last["t2"], 3 * last["t1"])
    # Not on the completed count, which moves with the draws.
    assert np.ptp(forecast.count_at("2025-04")[:, forecast.index("WY")]) > 0


def test_further_ahead_than_a_year_there_is_none(forecast):
    assert forecast.trend()["horizon"].max() == 12
    late = od.get_model("naive").fit(forecast.panel).forecast(14, draws=10)
    late = od.Forecast(
        late.draws[:, :, 12:], late.locations, late.months[12:], late.known, late.as_of,
        late.last_month, panel=late.panel, joint=late.joint,
    )  # fmt: skip
    with pytest.raises(ForecastError, match="no month up to 12 months after 2025-04"):
        late.trend()
