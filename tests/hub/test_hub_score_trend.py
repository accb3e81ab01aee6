"""Chances of the trend in hub files: what the comparison may know, and what has no score."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import odforecast as od
from odforecast.errors import ArchiveError
from odforecast.forecast.trend import CATEGORIES
from odforecast.hub import to_hub
from odforecast.hub.tables import known_panel, score_levels, score_trend
from odforecast.scoring.rules import ranked_probability_score
from odforecast.scoring.trend import pooled_frequencies, trend_pair

LAST = np.datetime64("2022-06")
DAY = dt.date(2022, 11, 16)


def unknown(day: dt.date) -> None:
    """No release was kept of any day."""
    raise ArchiveError(f"no release of {day}")


@pytest.fixture(scope="module")
def panel():
    return od.bundled().as_of("2025-09-17").panel()


@pytest.fixture(scope="module")
def truth(panel):
    return od.Truth(panel)


@pytest.fixture(scope="module")
def made(panel):
    return od.get_model("drift").fit(panel.cut(LAST)).forecast(12, draws=60).select(["US", "WV"])


@pytest.fixture(scope="module")
def rows(made):
    return to_hub(made, output_type="pmf")


def test_the_comparison_knows_nothing_that_came_after_the_origin(rows, panel, truth):
    """Frequencies are those of the truth cut at the origin, not of the whole."""
    cut, whole = pooled_frequencies(panel.cut(LAST)), pooled_frequencies(panel)
    assert np.abs(cut - whole).max() > 0.005  # else this test would see no leak
    table = score_trend(rows, truth, unknown)
    assert table["scorable"].all()
    came = [CATEGORIES.index(name) for name in table["category"]]
    want = ranked_probability_score(np.broadcast_to(cut, (len(came), 5)), came)
    np.testing.assert_array_equal(table["rps_pooled"], want)
    found, said = known_panel(unknown, truth, DAY, LAST)
    assert found.last_month == LAST
    assert said == "2025-09-17, cut after 2022-06"


def test_a_truth_is_cut_where_it_is_settled_and_where_it_ends(panel):
    """A younger last month would pass for a final one."""
    old = od.Truth(panel.cut("2021-12"), min_age=0)
    for truth, last, want in (
        (od.Truth(panel), panel.last_month, panel.settled_through),
        (old, LAST, np.datetime64("2021-12")),
    ):
        found, said = known_panel(unknown, truth, DAY, last)
        assert found.last_month == want
        assert found.as_of <= truth.panel.as_of
        assert said.endswith(f"cut after {want}")
    assert panel.settled_through < panel.last_month


def test_a_truth_that_begins_after_the_origin_says_nothing_of_it(rows, panel):
    keep = panel.months > LAST
    fields = {name: value[:, keep] for name, value in vars(panel).items()
              if isinstance(value, np.ndarray) and value.ndim == 2
              and value.shape[1] == panel.months.size}  # fmt: skip
    late = replace(panel, months=panel.months[keep], **fields)
    found, said = known_panel(unknown, od.Truth(late), DAY, LAST)
    assert found is None
    assert said.endswith("which begins later")
    table = score_trend(rows, od.Truth(late), unknown)
    assert not table["scorable"].any()
    assert table["reason"].ne("").all()
    assert table[["rps", "rps_pooled"]].isna().all(axis=None)


def test_what_has_no_rps_is_not_scorable_and_says_why(rows, truth):
    want = score_trend(rows, truth, unknown)
    assert want["scorable"].all()
    assert want["rps"].notna().all()
    for factor in (0.5, 1.0005, 3.0):  # chances are divided by their sum
        have = score_trend(rows.assign(value=rows["value"] * factor), truth, unknown)
        np.testing.assert_allclose(have["rps"], want["rps"], rtol=0, atol=1e-12)
    one = (rows["location"] == "54") & (rows["horizon"] == 1)
    for changed, reason in (
        (rows[~(one & (rows["output_type_id"] == "stable"))], "it lacks category 'stable'"),
        (rows.assign(value=rows["value"].where(~one, 0.0)), "its chances add up to 0"),
    ):
        table = score_trend(changed, truth, unknown)
        (bad,) = table[~table["scorable"]].to_dict("records")
        assert bad["reason"] == reason
        assert (bad["location"], bad["horizon"], bad["category"]) == ("WV", 1, "")
        assert (table["scorable"] == table["rps"].notna()).all()


@pytest.mark.parametrize(("steps", "reason"), [
    (1, "published at the origin, so no forecast"), (-1, "more than 12 months ahead"),
])  # fmt: skip
def test_months_that_the_library_does_not_score_are_not_scored_here(
    made, rows, panel, truth, steps, reason
):
    """Horizon 0 and horizon 13: the panel ends a month later or earlier than the file says."""
    moved = rows.assign(horizon=rows["horizon"] - steps)
    table = score_trend(moved, truth, unknown)
    off = ~table["horizon"].between(1, 12)
    assert off.sum() == 2
    assert (table["scorable"] == ~off).all()
    assert set(table.loc[off, "reason"]) == {reason}
    assert table.loc[off, ["rps", "rps_pooled"]].isna().all(axis=None)
    shifted = replace(made, last_month=made.last_month + np.timedelta64(steps, "M"))
    rps, _ = trend_pair(shifted, truth, panel.cut(LAST))
    assert (np.isnan(rps).ravel() == off.to_numpy()).all()


@pytest.mark.parametrize(("levels", "reason"), [
    ({0.05: "low", 0.95: "high"}, "WIS needs levels symmetric about a median"),
    ({0.05: "low", 0.5: "median", 0.9: "high"}, "WIS needs levels symmetric about a median"),
    ({0.0: "low", 0.5: "median", 1.0: "high"}, "a level does not lie between 0 and 1"),
])  # fmt: skip
def test_levels_without_a_wis_say_so(levels, reason, truth):
    table = pd.DataFrame(
        {"location": ["US"], "target": "deaths_12mo", "month": pd.Timestamp("2022-08-01"),
         "last_month": pd.Timestamp("2022-06-01"), "horizon": 2, "low": 9e4, "median": 1e5,
         "high": 1.1e5}
    )  # fmt: skip
    (row,) = score_levels(table, levels, truth).to_dict("records")
    assert row["reason"].startswith(reason)
    assert not row["scorable"]
    assert all(np.isnan(row[name]) for name in ("wis", "log_wis", "ape"))
    # The upper end of an interval is no median.
    assert row["median"] == 1e5 if 0.5 in levels else np.isnan(row["median"])
