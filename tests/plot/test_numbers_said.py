"""Numbers that are said, and lines that add up: each against a sum made here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from odforecast import plot


def line(axes, label):
    (found,) = (x for x in axes.lines if x.get_label() == label)
    return found


def test_a_chance_on_the_edge_is_not_said_to_be_certain():
    axes = plot.tile_map({"OH": 0.005, "WV": 0.995, "IN": 0.006}, kind="fall")
    texts = [t.get_text() for t in axes.texts]
    assert {"<1%", ">99%", "1%"} <= set(texts)
    assert not {"0%", "100%"} & set(texts)


def test_a_fall_is_likelier_above_one_half():
    shares = {"OH": 0.69, "WV": 0.51, "IN": 0.5, "KY": 0.31, "US": 0.99}
    said = plot.alt_text(plot.tile_map(shares, kind="fall"))
    assert "a fall is likelier than not in 2 of 4 places" in said


def test_spoken_coverage_is_of_months_ahead(mixed):
    s = mixed.scores
    mine = s[(s["model"] == "naive+delay") & (s["vintage"] == "pseudo-delayed")]
    mine = mine[mine["scorable"] & (mine["target"] == "deaths_12mo") & (mine["location"] != "US")]
    ahead = mine[mine["horizon"] >= 1]
    said = plot.alt_text(plot.coverage(mixed, "naive+delay"))
    told = 0
    for n in (50, 80, 90, 95):
        share = f"{100 * ahead[f'cover_{n}'].mean():.0f}"
        assert f"{n}% intervals contained {share}%" in said
        told += share != f"{100 * mine[f'cover_{n}'].mean():.0f}"
    assert told  # with the nowcast it would be another number


def scored(**columns) -> pd.DataFrame:
    """A score table of one model in one place."""
    same = {"model": "a", "location": "OH", "target": "deaths_12mo", "horizon": 12,
            "scorable": True, "vintage": "real"}  # fmt: skip
    return pd.DataFrame({**columns, **{k: v for k, v in same.items() if k not in columns}})


def test_the_band_of_reliability_is_of_90_percent():
    # Five blocks of twelve months, each of other shares below one half.
    months = pd.date_range("2015-01-01", periods=60, freq="MS")
    pits = np.concatenate([[0.25] * n + [0.75] * (12 - n) for n in (2, 5, 6, 9, 10)])
    axes = plot.reliability(scored(pit=pits, month=months, last_month=months))
    shares = np.array([2, 5, 6, 9, 10]) / 12
    reach = 2.131847 * shares.std(ddof=1) / np.sqrt(5)  # Student's t with 4 degrees, 95%
    (band,) = axes.collections
    at_half = band.get_paths()[0].vertices
    ends = sorted({round(y, 3) for x, y in at_half if np.isclose(x, 50)})
    exact = [100 * (shares.mean() - reach), 100 * (shares.mean() + reach)]
    assert ends == pytest.approx(exact, abs=0.01)


def test_half_of_the_medians_are_within_the_middle_error():
    months = pd.date_range("2020-01-01", periods=5, freq="MS")
    table = scored(
        month=months, last_month=months - pd.DateOffset(months=12), observed=100.0,
        median=[101.0, 98.0, 103.0, 140.0, 60.0], low=90.0, high=110.0,
    )  # fmt: skip
    said = plot.alt_text(plot.said_and_came(table))
    assert "half of the medians were within 3.0% of it" in said  # 17.2% on average
    assert "5 of 5 90% intervals contained the final count" in said


def test_revisions_are_less_the_reported_count(revising):
    table = revising.select("YC").nowcast()
    axes = plot.nowcast(revising, "NYC", kind="revision")
    shown = line(axes, "CDC's predicted value").get_ydata()
    np.testing.assert_allclose(shown, table["predicted"] - table["reported"])
    shown = line(axes, "the same, cleared of its usual excess").get_ydata()
    np.testing.assert_allclose(shown, table["predicted_unbiased"] - table["reported"])
    assert not np.allclose(table["median"], table["reported"])


def test_a_sum_with_a_hidden_count_is_not_known(forecast, panel):
    joint = replace(forecast, joint=frozenset({"location", "month"}))  # as if its draws were
    both = joint.total(["OH", "WV"], "both")
    history = panel.select(["OH", "WV"]).to_frame()
    month = history["month"].max() - pd.DateOffset(months=5)
    hidden = (history["location"] == "WV") & (history["month"] == month)
    history.loc[hidden, "reported"] = np.nan
    shown = line(plot.fan(both, history=history), "reported").get_ydata()
    assert np.flatnonzero(np.isnan(shown)).tolist() == [len(shown) - 6]
    rows = [panel.index("OH"), panel.index("WV")]
    assert shown[-1] == panel.reported[rows, -1].sum()
