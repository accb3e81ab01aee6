"""County scores: proper whatever is hidden, the same as from single rules, tables by hand."""

import dataclasses
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from other_scores import scoringrules

import odforecast as od
from odforecast import scoring as s
from odforecast.names import ALL_DRUGS, COUNTIES, HUB_QUANTILES, RESIDENCE, VINTAGE_CLEAN
from odforecast.scoring import units as units_module
from odforecast.scoring.columns import COUNTY_COLUMNS
from odforecast.scoring.rules import band
from odforecast.scoring.summary import ratio_error

PLACES = ("10001", "10003", "10005", "44001", "44003", "44005")
LAST = np.datetime64("2022-06", "M")


def panel_of(low, high, last=LAST, release=dt.date(2023, 10, 8)) -> od.Panel:
    low, high = np.array(low, dtype=float), np.array(high, dtype=float)
    reported = np.where(low == high, low, np.nan)
    blank = np.full(low.shape, np.nan)
    places = PLACES[: len(low)]
    return od.Panel(
        indicator=ALL_DRUGS, as_of=release, release=release, vintage=VINTAGE_CLEAN,
        locations=places, months=last - np.arange(low.shape[1])[::-1].astype("timedelta64[M]"),
        reported=reported, predicted=blank, complete=blank, pending=blank, low=low, high=high,
        dataset=COUNTIES, basis=RESIDENCE, urban=dict(zip(places, "654321")),
    )  # fmt: skip


INF, NAN = np.inf, np.nan
#: A county each: shown, hidden, 0, lost, missing, shown and below 20.
ORIGIN = panel_of([[60], [1], [0], [1000], [NAN], [10]], [[60], [9], [0], [INF], [NAN], [10]])
AFTER = panel_of(
    [[61, 62], [1, 12], [0, 1], [1000, 1000], [NAN, NAN], [1, 11]],
    [[61, 62], [9, 12], [0, 9], [INF, INF], [NAN, NAN], [9, 11]],
    last=np.datetime64("2022-08", "M"),
)


def forecast_of(panel=ORIGIN, n_months=2, draws=200, seed=1, **keywords) -> od.Forecast:
    rng = np.random.default_rng(seed)
    mean = np.array([60.0, 5.0, 0.3, 1400.0, 20.0, 12.0])
    return od.Forecast(
        draws=rng.poisson(mean[:, None], (draws, 6, n_months)).astype(float), locations=PLACES,
        months=panel.last_month + np.arange(1, n_months + 1).astype("timedelta64[M]"),
        known=np.full((6, 11), np.nan), as_of=dt.date(2022, 11, 15), last_month=panel.last_month,
        target="deaths_12mo", joint=frozenset({"month"}), basis=RESIDENCE, panel=panel,
        provenance={"model": "made"}, **keywords,
    )  # fmt: skip


def bounded(y):
    """Bounds of counts of which those between 1 and 9 are hidden."""
    hidden = (y >= 1) & (y <= 9)
    return np.where(hidden, 1.0, y), np.where(hidden, 9.0, y)


def test_threshold_weighted_crps_is_that_of_scoringrules():
    rng = np.random.default_rng(2)
    draws, y = (rng.poisson(11.0, size).astype(float) for size in ((300, 40), 40))
    how = {"estimator": "nrg", "v_func": lambda x: np.maximum(x, 9.0)}
    want = scoringrules().twcrps_ensemble(y, draws.T, **how)
    np.testing.assert_allclose(s.threshold_weighted_crps(draws, *bounded(y)), want, atol=1e-12)


def test_bands():
    found = band([0, 1, 3, 10, 1000, 1, NAN], [0, 9, 3, 10, INF, 10, NAN])
    assert found.tolist() == [0, 1, 1, 2, 2, -1, -1]


def test_truth_of_counties_is_provisional_and_gives_bounds():
    truth = s.Truth(AFTER)
    assert (truth.min_age, truth.provisional) == (6, True)
    assert not s.Truth(AFTER, min_age=12).provisional
    assert "provisional truth" in repr(truth)
    assert "Provisional truth" in truth._repr_html_()
    np.testing.assert_array_equal(truth.bounds(PLACES, AFTER.months), (AFTER.low, AFTER.high))
    values, reasons = truth.observed(PLACES, AFTER.months)
    np.testing.assert_array_equal(np.isnan(values), AFTER.low != AFTER.high)
    assert reasons[1, 0] == "suppressed in release 2023-10-08: 1 to 9"
    assert reasons[3, 0] == "lost in release 2023-10-08: 1,000 or more"
    assert reasons[4, 0] == "not published in release 2023-10-08"


def test_bounds_of_what_is_too_young_unknown_or_elsewhere_are_unknown():
    truth = s.Truth(AFTER, min_age=15)
    months = np.append(AFTER.months, AFTER.last_month + np.timedelta64(1, "M"))
    for bound in truth.bounds(["10001", "56001"], months):
        assert np.isnan(bound).tolist() == [[False, True, True], [True] * 3]
    _, reasons = truth.observed(["10003", "56001"], months)
    assert [x[:10] for x in reasons[0, [0, 2]]] == ["suppressed", "after the "]
    assert reasons[1, 0] == "release 2023-10-08 has no 56001"


def test_the_score_table_of_counties():
    forecast = forecast_of()
    table = od.score(forecast, s.Truth(AFTER))
    assert tuple(table.columns[-len(COUNTY_COLUMNS) :]) == COUNTY_COLUMNS
    together = dataclasses.replace(forecast, joint=frozenset({"month", "location"}))
    for scores, joint in ((table, False), (od.score(together, s.Truth(AFTER)), True)):
        assert (scores["joint_locations"] == joint).all()
    low, high = AFTER.low.ravel(), AFTER.high.ravel()
    flat = forecast.draws.reshape(200, -1)
    np.testing.assert_array_equal(table["observed_low"], low)
    np.testing.assert_array_equal(table["observed_high"], high)
    assert table["bounded"].tolist() == [True] * 6 + [False] * 4 + [True] * 2
    np.testing.assert_allclose(table["twcrps"], s.threshold_weighted_crps(flat, low, high))
    none, shown = (flat < 0.5).mean(axis=0), (flat >= 9.5).mean(axis=0)
    chances = np.stack([none, 1 - none - shown, shown], axis=-1)
    np.testing.assert_array_equal(table[["p_zero", "p_hidden", "p_ten"]], chances)
    want = od.scoring.ranked_probability_score(chances, band(low, high))
    np.testing.assert_array_equal(table["rps_bands"], want)
    assert table["rps_bands"].notna().tolist() == [True] * 8 + [False] * 2 + [True] * 2
    np.testing.assert_allclose(table["mean"], flat.mean(axis=0))
    y = np.where(low == high, np.maximum(low, 9), np.where(high == 9, 9, np.nan))
    quantiles = np.maximum(forecast.quantiles(HUB_QUANTILES).reshape(23, -1), 9)
    wis = s.weighted_interval_score(quantiles, HUB_QUANTILES, y).total
    np.testing.assert_allclose(table["twwis"], wis)
    assert table["scorable"].tolist() == (low == high).tolist()
    assert table["pit"].notna().tolist() == [True] * 8 + [False] * 2 + [True] * 2
    uniform = units_module._uniforms(("made", forecast.as_of, "deaths_12mo"), PLACES, 2).ravel()
    below, within = (flat < low).sum(axis=0), ((flat >= low) & (flat <= high)).sum(axis=0)
    pit = np.where(np.isnan(low), np.nan, (below + uniform * (1 + within)) / 201)
    np.testing.assert_allclose(table["pit"], pit)
    assert table["wis"].notna().tolist() == (low == high).tolist()
    assert table["rps"].isna().all()
    first = table.iloc[::2]
    assert first["size"].tolist() == ["50-199", "hidden", "0", "200+", "", "10-19"]
    assert first["visible"].tolist() == [True, False, False, True, False, True]
    assert first["urban"].tolist() == list("654321")


def score_table(n_counties=40, models=("a", "county-hub-baseline"), months=(3, 12)):
    """Scores at random of counties of eight states, whose counts are hidden if 1-9."""
    rng, n = np.random.default_rng(1), n_counties * len(months)
    y = rng.poisson(np.repeat(rng.gamma(1.0, 25.0, n_counties), len(months)))
    low, high = bounded(y)
    exact = np.where(low == high, 1.0, NAN)
    codes = [f"{10 + i % 8}{2 * (i // 8) + 1:03d}" for i in range(n_counties)]
    parts = []
    for model in models:
        rows = {
            "model": model, "as_of": "2022-11-15", "location": np.repeat(codes, len(months)),
            "month": [f"2023-{m:02d}" for m in months] * n_counties,
            "horizon": np.tile(months, n_counties), "observed": y * exact, "scorable": low == high,
            "observed_low": low, "observed_high": high, "bounded": True, "urban": "3",
            "twcrps": rng.gamma(2, 1, n), "twwis": rng.gamma(2, 1, n), "mean": rng.gamma(2, 9, n),
            "wis": rng.gamma(2, 1, n) * exact, "rps_bands": rng.gamma(2, 1, n),
            "p_ten": rng.random(n), "pit": rng.random(n), "size": "10-19",
            "visible": rng.random(n) < 0.7,  # some have become hidden since
        } | {f"cover_{c}": (rng.random(n) < c / 100) * exact for c in (50, 80, 90, 95)}  # fmt: skip
        parts.append(pd.DataFrame(rows))
    return pd.concat(parts, ignore_index=True)


def test_the_leaderboard_by_hand():
    scores = score_table()
    board = s.county_leaderboard(scores)
    assert board.attrs["title"] == "one plateau, one release, provisional truth"
    board = board.set_index(["horizon", "model"])
    for horizon in (3, 12):
        part = scores[scores["horizon"] == horizon]
        mine, base = (part[part["model"] == m] for m in ("a", "county-hub-baseline"))
        line = board.loc[horizon, "a"]
        assert line[["n_units", "n_counties", "n_states"]].tolist() == [40, 40, 8]
        visible = mine["visible"].to_numpy()
        subsets = {"twcrps": slice(None), "rps": slice(None), "twwis": visible}
        for name, seen in (subsets | {"wis": visible & mine["scorable"].to_numpy()}).items():
            column = "rps_bands" if name == "rps" else name
            a, b = mine[column].to_numpy()[seen], base[column].to_numpy()[seen]
            assert line[name] == pytest.approx(a.mean())
            assert line[f"rel_{name}"] == pytest.approx(a.sum() / b.sum())
            states = mine["location"].str[:2].to_numpy()[seen]
            gaps = [(a - a.sum() / b.sum() * b)[states == x].sum() for x in set(states)]
            error = np.sqrt(len(gaps) / (len(gaps) - 1) * np.sum(np.square(gaps))) / b.sum()
            assert line[f"se_{name}"] == pytest.approx(error)
        assert line["n_visible"] == mine["visible"].sum()
        exact = mine[mine["visible"] & mine["scorable"]]
        assert len(exact) < line["n_visible"] < 40
        assert line["n_wis"] == len(exact)
        assert line["coverage_90"] == pytest.approx(exact["cover_90"].mean())
        own = board.loc[horizon, "county-hub-baseline"]
        assert (own["rel_twcrps"], own["se_twcrps"]) == (1.0, 0.0)


def test_models_are_related_on_the_units_both_have():
    scores = score_table(months=(3,))
    lacks = (scores["model"] == "a") & (scores["location"].str[:2] == "10")
    line = s.county_leaderboard(scores[~lacks]).set_index("model").loc["a"]
    both = scores[scores["location"].str[:2] != "10"].groupby("model")["twcrps"].sum()
    assert line["rel_twcrps"] == pytest.approx(both["a"] / both["county-hub-baseline"])
    alone = s.county_leaderboard(scores[scores["model"] == "a"])
    assert alone["rel_twcrps"].isna().all()
    assert alone["twcrps"].notna().all()
    assert s.county_leaderboard(scores, baseline=None)["rel_wis"].isna().all()
    ones = np.ones(8)
    assert np.isnan(ratio_error(ones, ones, np.zeros(8, dtype=object))[1])
    assert np.isnan(ratio_error(ones[:0], ones[:0], np.zeros(0, dtype=object))[0])


def test_what_was_lost_is_counted_and_left_out():
    scores = score_table(months=(3,))
    lost = scores["location"] == "10001"
    scores.loc[lost, ["observed_low", "observed_high"]] = (1000.0, np.inf)
    scores.loc[lost, ["twcrps", "twwis", "wis"]] = np.nan
    scores.loc[lost, ["bounded", "scorable"]] = False
    board = s.county_leaderboard(scores)
    assert board[["n_unknown", "n_units"]].to_numpy().tolist() == [[1, 39]] * 2
    assert board["twcrps"].notna().all()
    assert s.ten_or_more(scores)["n"].sum() == 80


def test_calibration_by_hand():
    scores = score_table(400, models=("a",), months=(3,))
    scores.loc[:3, "pit"] = [0.05, 0.95, 0.05, 0.95]  # the lower edge is within, the upper is not
    held = s.county_coverage(scores, ["horizon"]).iloc[0]
    pit, exact = scores["pit"], scores[scores["scorable"]]
    assert (held["n_bounded"], held["n_exact"]) == (400, len(exact))
    assert held["pit_90"] == ((pit >= 0.05) & (pit < 0.95)).mean()
    assert held["pit_mean"] == pytest.approx(pit.mean())
    assert held["pit_spread"] == pytest.approx(np.std(pit) * np.sqrt(12))
    for c in (50, 80, 90, 95):
        assert held[f"coverage_{c}"] == pytest.approx(exact[f"cover_{c}"].mean())
    ten = s.ten_or_more(scores, bins=5)
    assert ten["n"].sum() == 400
    for row in ten.itertuples():
        here = scores[(scores["p_ten"] >= row.left) & (scores["p_ten"] < row.right)]
        came, given = (here["observed_low"] >= 10).astype(float), here["p_ten"]
        assert (row.n, row.given, row.came) == pytest.approx((len(here), given.mean(), came.mean()))
        assert row.gap == pytest.approx(row.came - row.given)
        off = came - given - row.gap
        states = off.groupby(here["location"].str[:2]).sum()
        error = np.sqrt(len(states) / (len(states) - 1) * (states**2).sum()) / len(here)
        assert row.se == pytest.approx(error)
