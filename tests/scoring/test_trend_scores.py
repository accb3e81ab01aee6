"""Scores of the trend and of the turn, and groups of places."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from score_tables import counts_panel

import odforecast as od
from odforecast import scoring as s
from odforecast.forecasts.trend import CATEGORIES, category, thresholds
from odforecast.geography import JURISDICTIONS
from odforecast.months import ONE_MONTH
from odforecast.names import LOCATION, MONTH
from odforecast.scoring.columns import regions, size_classes
from odforecast.scoring.trend import chances, pooled_turns

PLACES = tuple(JURISDICTIONS)
MONTHS = np.arange("2018-01", "2022-01", dtype="datetime64[M]")
LAST = np.datetime64("2020-12")
ORIGIN = dt.date(2021, 5, 12)


def panel_of(counts, as_of=dt.date(2023, 6, 14), places=PLACES, months=MONTHS):
    return counts_panel(counts, places, months, as_of)


def forecast_of(draws, known, places=PLACES, joint=(LOCATION, MONTH), first=1):
    """A forecast of 12-month counts (D, L, 12) made at the origin from what was known."""
    seen = LAST - ONE_MONTH * np.arange(known.shape[1])[::-1]
    return od.Forecast(
        draws=draws, locations=places, months=LAST + ONE_MONTH * np.arange(first, 13),
        known=np.full((len(places), 11), np.nan), as_of=ORIGIN, last_month=LAST,
        target="deaths_12mo", joint=frozenset(joint), provenance={"model": "made"},
        panel=panel_of(known, ORIGIN, places, seen),
    )  # fmt: skip


def test_ranked_probabilities_by_hand():
    # Cumulative .1 .3 .6 .9 against 0 0 1 1: (.01 + .09 + .16 + .01) / 4.
    assert np.isclose(s.ranked_probability_score([0.1, 0.2, 0.3, 0.3, 0.1], 2), 0.27 / 4)
    assert s.ranked_probability_score([1.0, 0, 0, 0, 0], 4) == 1.0
    assert np.isnan(s.ranked_probability_score([1.0, 0, 0, 0, 0], -1))
    assert np.isnan(s.ranked_probability_score([np.nan] * 5, 0))


def test_pooled_frequencies_are_of_settled_counts_alone(panel):
    share = s.pooled_frequencies(panel)
    found = []
    until = np.datetime64("2024-12")  # final by the calendar, later than 12 months old
    assert panel.final_through == until
    for counts in np.delete(panel.reported, panel.index("US"), axis=0):
        for before, later in zip(counts, counts[12:][panel.months[12:] <= until]):
            found.append(int(category(later - before, before, thresholds(before)[0])))
    found = [k for k in found if k >= 0]
    assert np.allclose(share, np.bincount(found, minlength=5) / len(found))


def came_at(panel, row, place, month):
    """The category that came, by the threshold of a row of the trend's table."""
    later, before = (
        panel.reported[panel.index(place), panel.months == m][0]
        for m in (month, month - 12 * ONE_MONTH)
    )
    return int(category(later - before, before, row["t1"]))


def test_scores_are_those_of_the_trend_table(panel):
    known = panel.cut("2022-06")
    made = od.get_model("dlm").fit(known).forecast(until="2023-12", draws=100)
    scores = od.score(made, od.Truth(panel)).set_index(["location", "horizon"])
    trend = made.trend().set_index(["location", "horizon"])
    pooled = s.pooled_frequencies(known)
    for at in (("OH", 1), ("WY", 7), ("US", 12)):
        row, got = trend.loc[at], scores.loc[at]
        came = came_at(panel, row, at[0], known.last_month + at[1] * ONE_MONTH)
        given = row[list(CATEGORIES)].to_numpy(dtype=float)
        assert np.isclose(got["rps"], s.ranked_probability_score(given, came))
        assert np.isclose(got["rps_pooled"], s.ranked_probability_score(pooled, came))
    there = scores["rps"].notna().groupby("horizon").all()
    assert there.to_dict() == {h: h <= 12 for h in range(1, 19)}


def test_the_threshold_is_that_of_the_origin_not_of_the_outcome(panel):
    """Where the origin saw next to nothing, a rise by a third is no large one."""
    known, month = panel.cut("2022-06"), np.datetime64("2023-06", "M")
    low = known.reported.copy()
    low[known.index("OR"), -12:] = 2.0
    made = od.get_model("naive").fit(known).forecast(draws=100).select("Oregon")
    made = replace(made, panel=replace(known, reported=low, low=low, high=low), beside={})
    row = made.trend().set_index("horizon").loc[12]
    assert (row["before"], row["t1"]) == (2.0, 128.0)
    before = panel.reported[panel.index("OR"), panel.months == month - 12 * ONE_MONTH][0]
    own = {"t1": thresholds(before)[0]}
    came = came_at(panel, row, "OR", month)
    assert (came, came_at(panel, own, "OR", month)) == (2, 4)
    rps = od.score(made, od.Truth(panel)).set_index("horizon").loc[12, "rps"]
    given = row[list(CATEGORIES)].to_numpy(dtype=float)
    assert np.isclose(rps, s.ranked_probability_score(given, came))


def test_the_comparison_hangs_on_the_whole_panel_not_on_what_was_selected(panel):
    known, truth, model = panel.cut("2022-06"), od.Truth(panel), od.get_model("naive")
    alone = model.fit(known.select("Ohio")).forecast(draws=50)
    whole = model.fit(known).forecast(draws=50).select("Ohio")
    of_whole = s.trend_scores(whole, truth)
    assert s.trend_scores(alone, truth, known).equals(of_whole)
    assert not s.trend_scores(alone, truth).equals(of_whole)


TWO = ("OH", "WV")


def counts_of(ohio, wv):
    """Counts of 36 months: flat at 1,000 in 2019, then as said."""
    return np.stack([np.r_[np.full(12, 1000.0), x] for x in (ohio, wv)])


def turning_of(draws, known, counts, **keywords):
    made = forecast_of(draws, known, TWO, **keywords)
    return s.turning_scores(made, od.Truth(panel_of(counts, places=TWO, months=MONTHS[12:])))


RISING = np.r_[1000.0 + 10 * np.arange(1, 13), 1120 - 20.0 * np.arange(1, 13)]
STILL = np.r_[np.full(12, 1100.0), 1100 + 5.0 * np.arange(1, 13)]


def test_turns_by_hand():
    counts = counts_of(RISING, STILL)
    # Ohio: changes on a year earlier in 2021 are 1100 - 1010 = 90, 1080 - 1020 = 60 … 1040 - 1040
    # = 0 in April (no rise), so it has turned from four months ahead on; West Virginia never.
    draws = np.repeat(counts[None, :, 24:], 4, axis=0)
    draws[0, 0] = 2000.0  # one of four draws of Ohio rises on
    table = turning_of(draws, counts[:, :24], counts)
    ohio, wv = (table[table["location"] == place] for place in TWO)
    for name, value in {"turned": 1.0, "chance": 0.75, "brier": 0.0625}.items():
        assert ohio.sort_values("horizon")[name].tolist() == [0.0] * 3 + [value] * 9
    assert (wv[["turned", "chance"]] == 0).all(axis=None)
    assert table["pooled"].notna().any()
    np.testing.assert_allclose(table["brier_pooled"], (table["pooled"] - table["turned"]) ** 2)


def test_the_direction_at_the_origin_is_that_of_each_draw():
    """Where the last months are completed, a draw's own count says which way it was going."""
    counts = counts_of(RISING, STILL)
    late = counts[:, :24] * 1.0
    late[0, -1] = 980.0  # as reported then: it looked like a fall
    nowcast = np.repeat(counts[None, :, 23:], 2, axis=0)  # the final count of December, then 2021
    seen = turning_of(nowcast, late, counts, first=0)
    blind = turning_of(nowcast[:, :, 1:], late, counts)
    for table, want in ((seen, (0.0, 0.0, 0.0)), (blind, (1.0, 0.0, 1.0))):
        row = table[(table["location"] == "OH") & (table["horizon"] == 1)].iloc[0]
        assert (row["chance"], row["turned"], row["brier"]) == want


def test_what_is_unknown_stays_unknown():
    counts = counts_of(RISING, STILL)
    counts[0, 27] = np.nan
    draws = np.repeat(np.nan_to_num(counts[None, :, 24:], nan=1000.0), 3, axis=0)
    table = turning_of(draws, counts[:, :24], counts)
    ohio = table[table["location"] == "OH"]
    assert ohio["brier"].isna().tolist() == [False] * 3 + [True] * 9
    lost = chances(np.array([[np.nan], [1.0]]), np.ones((2, 1, 3)))
    assert np.isnan(lost).all()


def test_pooled_turns_by_hand_and_blind_to_what_is_not_settled():
    counts = counts_of(RISING, STILL)
    changes = counts[:, 12:] - counts[:, :-12]
    windows = [(row[t], row[t + 1 : t + 4]) for row in changes for t in range(24 - 3)]
    want = np.mean([((later > 0) != (first > 0)).any() for first, later in windows])

    def pooled(counts, as_of=dt.date(2023, 6, 14)):
        return pooled_turns(panel_of(counts, as_of, TWO, MONTHS[12:]), np.array([3, 30]))

    got = pooled(counts)
    assert got[0] == pytest.approx(want)
    assert np.isnan(got[1])
    shorter = np.array(counts)
    shorter[:, 30:] = 0.0
    young = dt.date(2022, 6, 15)  # settled until June 2021
    assert pooled(counts, young)[0] == pooled(shorter, young)[0] != got[0]


def test_groups_of_places():
    codes = ["US", "OH", "YC", "DC", "06037"]
    assert regions(codes).tolist() == ["nation", "Midwest", "Northeast", "South", "West"]
    sizes = ["nation", "under 500", "500-1,999", "500-1,999", "2,000 or more"]
    assert size_classes([9e4, 499.0, 500.0, 1999.0, 2000.0], codes).tolist() == sizes
    assert size_classes([np.nan, np.nan], ["US", "OH"]).tolist() == ["nation", None]
