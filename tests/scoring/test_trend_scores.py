"""Ranked probability score of the trend, and what it is compared with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import odforecast as od
from odforecast.errors import ScoringError
from odforecast.forecast.trend import CATEGORIES, category, thresholds
from odforecast.months import ONE_MONTH
from odforecast.scoring import pooled_frequencies, ranked_probability_score, trend_scores

DAY = "2025-09-17"


@pytest.fixture(scope="module")
def panel():
    return od.bundled().as_of(DAY).panel()


def test_by_hand():
    # Cumulative .1 .3 .6 .9 against 0 0 1 1: (.01 + .09 + .16 + .01) / 4.
    assert np.isclose(ranked_probability_score([0.1, 0.2, 0.3, 0.3, 0.1], 2), 0.27 / 4)
    assert ranked_probability_score([1.0, 0, 0, 0, 0], 4) == 1.0
    assert np.isnan(ranked_probability_score([1.0, 0, 0, 0, 0], -1))
    assert np.isnan(ranked_probability_score([np.nan] * 5, 0))


@given(
    st.lists(st.floats(0.01, 1), min_size=5, max_size=5),
    st.lists(st.floats(0.01, 1), min_size=5, max_size=5),
)
def test_it_is_proper(true, other):
    p, q = (np.array(x) / sum(x) for x in (true, other))
    expected = lambda r: sum(p[k] * ranked_probability_score(r, k) for k in range(5))  # noqa: E731
    assert expected(p) <= expected(q) + 1e-12


@pytest.mark.parametrize(
    ("bad", "said"), [([0.5, 0.6], "add up to 1"), ([-0.5, 1.5], "0 or more"), ([1.0], "two")]
)
def test_no_probabilities(bad, said):
    with pytest.raises(ScoringError, match=said):
        ranked_probability_score(bad, 0)


def test_pooled_frequencies_are_of_settled_counts_alone(panel):
    share = pooled_frequencies(panel)
    # The same by a loop over the jurisdictions.
    found = []
    until = np.datetime64("2024-12")  # final by the calendar, later than 12 months old
    assert panel.final_through == until
    for i, place in enumerate(panel.locations):
        if place == "US":
            continue
        for j, month in enumerate(panel.months):
            if j >= 12 and month <= until:
                before, later = panel.reported[i, j - 12], panel.reported[i, j]
                found.append(int(category(later - before, before, thresholds(before)[0])))
    found = [k for k in found if k >= 0]
    assert np.allclose(share, np.bincount(found, minlength=5) / len(found))


def test_scores_are_those_of_the_trend_table(panel):
    known = panel.cut("2022-06")
    made = od.get_model("dlm").fit(known).forecast(until="2023-12", draws=100)
    truth = od.Truth(panel)
    scores = od.score(made, truth).set_index(["location", "horizon"])
    trend = made.trend().set_index(["location", "horizon"])
    pooled = pooled_frequencies(known)
    for place, h in (("OH", 1), ("WY", 7), ("US", 12)):
        month = known.last_month + h * ONE_MONTH
        later, before = (
            panel.reported[panel.index(place), panel.months == m][0]
            for m in (month, month - 12 * ONE_MONTH)
        )
        row = trend.loc[(place, h)]
        came = category(later - before, before, row["t1"])
        given = row[list(CATEGORIES)].to_numpy(dtype=float)
        assert np.isclose(scores.loc[(place, h), "rps"], ranked_probability_score(given, came))
        assert np.isclose(
            scores.loc[(place, h), "rps_pooled"], ranked_probability_score(pooled, came)
        )
    assert scores["rps"].notna().groupby("horizon").all().to_dict() == {
        h: 1 <= h <= 12 for h in range(1, 19)
    }


def test_the_threshold_is_that_of_the_origin_not_of_the_outcome(panel):
    """Where the origin saw next to nothing, a rise by a third is no large one."""
    known = panel.cut("2022-06")
    low = known.reported.copy()
    low[known.index("OR"), -12:] = 2.0
    made = od.get_model("naive").fit(known).forecast(draws=100).select("Oregon")
    made = replace(made, panel=replace(known, reported=low, low=low, high=low), beside={})
    row = made.trend().set_index("horizon").loc[12]
    assert (row["before"], row["t1"]) == (2.0, 128.0)
    later, before = (
        panel.reported[panel.index("OR"), panel.months == np.datetime64(m, "M")][0]
        for m in ("2023-06", "2022-06")
    )
    came = int(category(later - before, before, 128.0))
    assert (came, int(category(later - before, before, thresholds(before)[0]))) == (2, 4)
    rps = od.score(made, od.Truth(panel)).set_index("horizon").loc[12, "rps"]
    given = row[list(CATEGORIES)].to_numpy(dtype=float)
    assert np.isclose(rps, ranked_probability_score(given, came))


def test_where_the_forecast_has_no_category_nor_has_the_comparison(panel):
    known = panel.cut("2022-06")
    gone = known.reported.copy()
    gone[known.index("WY"), :-11] = np.nan
    seen = replace(known, reported=gone, low=gone, high=gone)
    made = od.get_model("naive").fit(known).forecast(draws=30).select(["WY", "OH"])
    made = replace(made, panel=seen, beside={})
    table = trend_scores(made, od.Truth(panel))
    assert (table["rps"].isna() == table["rps_pooled"].isna()).all()
    assert table["rps"].isna().any()
    assert table["rps"].notna().any()


def test_the_comparison_hangs_on_the_whole_panel_not_on_what_was_selected(panel):
    known = panel.cut("2022-06")
    truth = od.Truth(panel)
    fitted = od.get_model("naive")
    alone = fitted.fit(known.select("Ohio")).forecast(draws=50)
    whole = fitted.fit(known).forecast(draws=50).select("Ohio")
    of_whole = trend_scores(whole, truth)
    assert trend_scores(alone, truth, known).equals(of_whole)
    assert not trend_scores(alone, truth).equals(of_whole)


def test_a_summary_relates_it_on_the_same_units():
    results = od.backtest(
        ["naive"], "pseudo-clean", start="2021-06", end="2022-06", step=6, locations="OH,WV",
        draws=40, progress=False,
    )  # fmt: skip
    board = results.leaderboard(by=["horizon_group"], baseline=None)
    scores = results.labelled().query("horizon_group == '7-12' and scorable")
    row = board[board["horizon_group"].astype(str) == "7-12"].iloc[0]
    assert "rps" not in results.leaderboard(by=["level"], baseline=None)
    assert np.isclose(row["rel_rps"], scores["rps"].sum() / scores["rps_pooled"].sum())
