"""Scores of units: each number that of its plain definition, and nothing dropped."""

import datetime as dt
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import odforecast as od
from odforecast.forecasts import adding as sums
from odforecast.forecasts.tables import year_before
from odforecast.forecasts.trend import LARGE, category, probabilities, thresholds
from odforecast.monthly.sums import rolling_sums
from odforecast.names import HUB_QUANTILES, TARGET_MONTH
from odforecast.scoring import per_100k, score_hub, score_units, weighted_interval_score
from odforecast.scoring import units as units_module
from odforecast.scoring.columns import HORIZON_GROUPS, METRIC_COLUMNS, horizon_group, with_groups
from odforecast.scoring.units import unit_columns

FIRST = np.datetime64("2023-12", "M")
PLACES = ("US", "OH", "YC", "WV", "WY")


def plain_sums(forecast: od.Forecast) -> np.ndarray:
    known = np.broadcast_to(forecast.known, (*forecast.draws.shape[:2], 11))
    return rolling_sums(np.concatenate([known, forecast.draws], axis=2))


def forecast_of(draws, known=None, target=TARGET_MONTH, **keywords) -> od.Forecast:
    _, places, months = draws.shape
    known = np.ones((places, 11)) if known is None else known
    return od.Forecast(
        draws=draws, locations=PLACES[:places], known=known,
        months=FIRST + np.arange(months).astype("timedelta64[M]"), as_of=dt.date(2024, 4, 17),
        last_month=FIRST - np.timedelta64(1, "M"), target=target, provenance={"model": "made"},
        **keywords,
    )  # fmt: skip


KINDS = [(30.0, "whole"), (30.0, "real"), (0.3, "whole"), (5.0, "same"), (3e5, "large")]


@st.composite
def odd(draw):
    """Draws, months known before them, and counts: ties, few draws, whole numbers and others."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([2, 3, 7, 8, 9, 16, 100, 127, 128, 129, 300, 1000]))
    shape = (n, draw(st.integers(1, 4)), draw(st.sampled_from([1, 2, 12, 13, 25])))
    level, kind = draw(st.sampled_from(KINDS))
    made = {
        "whole": lambda: rng.poisson(level, shape).astype(float),
        "real": lambda: rng.lognormal(np.log(level), 1.0, shape),
        "same": lambda: np.full(shape, level),
        "large": lambda: rng.normal(level, level / 10, shape),
    }[kind]()
    drawn = draw(st.booleans())
    known = rng.gamma(2.0, level / 2, (*((n,) if drawn else ()), shape[1], 11))
    if kind in ("whole", "same"):
        known = np.floor(known)
    forecast = forecast_of(made, known)
    # Some counts are draws themselves, some are far away, some are not there.
    middle = plain_sums(forecast)
    y = middle[rng.integers(n)] + rng.choice([0.0, 0.0, 1.0, -1.0, 50.0], shape[1:])
    y = np.maximum(np.where(rng.random(shape[1:]) < 0.15, np.nan, y), 0.0)
    return forecast, y


@given(odd())
def test_every_score_is_that_of_its_definition(case):
    forecast, y = case
    draws = plain_sums(forecast)
    n = len(draws)
    table = score_units(forecast, y)
    flat, came = draws.reshape(n, -1), y.ravel()
    quantiles = np.quantile(flat, HUB_QUANTILES, axis=0)
    wis = weighted_interval_score(np.maximum.accumulate(quantiles, axis=0), HUB_QUANTILES, came)
    np.testing.assert_allclose(table["wis"], wis.total, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(table["median"], np.median(flat, axis=0), rtol=1e-12)
    spread = np.array([np.abs(x[:, None] - x).mean() for x in flat.T]) / 2
    crps = np.abs(flat - came).mean(axis=0) - spread
    np.testing.assert_allclose(table["crps"], crps, rtol=1e-7, atol=1e-6 * (1 + flat.max() * 1e-3))
    below, ties = (flat < came).sum(axis=0), (flat == came).sum(axis=0)
    known = ~np.isnan(came)
    bias = (1 - (below + ties) / n - below / n)[known]
    np.testing.assert_allclose(table["bias"][known], bias, atol=1e-12)
    pit = table["pit"].to_numpy()[known]
    assert (pit >= (below / (n + 1))[known] - 1e-12).all()
    assert (pit <= ((below + ties + 1) / (n + 1))[known] + 1e-12).all()
    low, high = (quantiles[HUB_QUANTILES.index(x)] for x in (0.05, 0.95))
    close = np.isclose(low, came) | np.isclose(high, came)
    inside = ((low <= came) & (came <= high)).astype(float)
    np.testing.assert_array_equal(table["cover_90"][known & ~close], inside[known & ~close])
    gone = ["wis", "crps", "log_wis", "bias", "pit", "cover_50", "ae", "ape"]
    assert table.loc[~known, gone].isna().all(axis=None)


@given(odd())
def test_sums_and_quantiles_are_to_the_last_bit_those_of_the_forecast(case):
    forecast, y = case
    levels = (0.01, 0.25, 0.5, 0.9)
    _, found = unit_columns(forecast, y, levels=levels)
    np.testing.assert_array_equal(forecast.samples(), plain_sums(forecast))
    assert forecast.samples().flags.c_contiguous
    ordered = np.sort(plain_sums(forecast), axis=0)
    position = np.asarray(levels) * (len(ordered) - 1)
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, len(ordered) - 1)
    share = (position - low)[:, None, None]
    np.testing.assert_array_equal(found, ordered[low] * (1.0 - share) + ordered[high] * share)
    np.testing.assert_array_equal(found, forecast.quantiles(levels))
    assert found.flags.c_contiguous


@pytest.mark.parametrize("block", [1, 40, 1000, 1 << 20])
def test_blocks_change_no_sum_and_no_score(monkeypatch, block):
    rng = np.random.default_rng(3)
    known = rng.lognormal(3, 1, (5, 11))
    known[1, 4] = np.nan
    draws = rng.lognormal(3, 1, (50, 5, 14))
    whole = sums.added(known, draws)
    lost = np.zeros(whole.shape, dtype=bool)
    lost[:, 1, :5] = True
    assert (np.isnan(whole) == lost).all()
    made = forecast_of(draws)
    y = np.median(made.samples(), axis=0)
    table = score_units(made, y)
    monkeypatch.setattr(sums, "_BLOCK", block)
    monkeypatch.setattr(units_module, "_BLOCK_VALUES", block)
    np.testing.assert_array_equal(sums.added(known, draws), whole)
    pd.testing.assert_frame_equal(score_units(made, y), table, check_exact=True)


def test_chances_of_the_trend_are_shares_of_draws(fitted):
    made = fitted.forecast(12, draws=70, seed=4)
    assert made.months.size > 12  # a year before is drawn at the end, and known at the beginning
    made = replace(made, draws=made.draws * np.linspace(0.2, 6.0, 70)[:, None, None])
    months = np.arange(made.months.size)
    rows = [3, 0, 17]
    later, before = made.samples(), year_before(made)
    first = thresholds(np.abs(before[0]))[0][rows][:, months]
    first[1, 2] = np.nan
    found = probabilities(made, first, rows, months)
    for i, row in enumerate(rows):
        for j, month in enumerate(months):
            t1 = first[i, j]
            moved = 100 * (later - before)[:, row, month] / before[:, row, month]
            steps = np.sign(moved) * ((np.abs(moved) > t1) + 1.0 * (np.abs(moved) > LARGE * t1))
            want = np.array([(steps == k).mean() for k in (-2, -1, 0, 1, 2)]) + 0 * t1
            np.testing.assert_allclose(found[i, j], want, atol=1e-12)


@pytest.mark.parametrize("before", [100.0, 0.0, -3.0, np.nan])
def test_categories_at_the_edges(before):
    change = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-300, 5.0, -5.0, 15.0, -15.0, 15.1])
    unit = np.asarray(before) * 5.0 / 100
    size = np.abs(change)
    steps = (size > unit).astype(int) + (size > LARGE * unit).astype(int)
    want = 2 + np.sign(np.nan_to_num(change)).astype(int) * steps
    want[np.isnan(size + unit)] = -1
    assert category(change, before, 5.0).tolist() == want.tolist()


DERIVED = {
    "select": lambda f: f.select(["WV", "OH"]),
    "select in another order": lambda f: f.select(list(PLACES[::-1])),
    "first": lambda f: f.first(7),
    "total": lambda f: f.total(["OH", "WV"], "two"),
    "other draws": lambda f: replace(f, draws=f.draws * 2),
    "other months known": lambda f: replace(f, known=f.known + 1),
    "pickled": lambda f: pickle.loads(pickle.dumps(f)),
    "with_parts": lambda f: f.with_parts({"T40.4": replace(f, draws=f.draws / 2)}),
    "part": lambda f: DERIVED["with_parts"](f).part("T40.4"),
}


@pytest.mark.parametrize("how", DERIVED)
def test_what_is_made_of_a_forecast_has_its_own_sums(how):
    rng = np.random.default_rng(5)
    made = forecast_of(rng.lognormal(3, 1, (40, 5, 4)), rng.lognormal(3, 1, (40, 5, 11)))
    before = made.samples().copy()
    other = DERIVED[how](made)
    np.testing.assert_array_equal(other.samples(), plain_sums(other))
    np.testing.assert_array_equal(made.samples(), before)
    np.testing.assert_array_equal(other.samples(), plain_sums(other))


def made_forecast() -> od.Forecast:
    level = np.array([8000.0, 400.0, 250.0])[:, None]
    draws = np.random.default_rng(7).poisson(level, (200, 3, 4)).astype(float)
    return forecast_of(draws, np.repeat(level, 11, axis=1))


@pytest.fixture
def scored() -> pd.DataFrame:
    """Scores of counts that are 30 above the medians; one of Ohio's is not known."""
    observed = np.median(made_forecast().samples("deaths_12mo"), axis=0) + 30.0
    observed[1, 2] = np.nan
    return score_units(made_forecast(), observed)


def test_ties_of_the_pit_are_broken_anew_at_every_origin():
    """Of counts the same number in all origins would be one number seen many times."""
    forecast = made_forecast()
    even = replace(forecast, draws=np.full_like(forecast.draws, 20.0))
    later = replace(even, as_of=dt.date(2024, 5, 15))
    observed = even.samples("deaths_12mo")[0]
    one, again, other = (score_units(f, observed)["pit"] for f in (even, even, later))
    assert one.equals(again)
    assert (one != other).all()
    assert one.between(0, 1).all()


def test_units_without_truth_stay_with_a_reason_and_no_score(scored):
    row = scored[(scored["location"] == "OH") & (scored["horizon"] == 3)].iloc[0]
    assert (row["scorable"], bool(row["reason"])) == (False, True)
    assert row[list(METRIC_COLUMNS)].isna().all()
    assert np.isfinite(row["median"])
    others = scored.drop(index=row.name)
    assert others["scorable"].all()
    assert others[list(METRIC_COLUMNS)].notna().all(axis=None)


def test_scores_do_not_depend_on_which_other_locations_are_there(scored):
    whole = scored[scored["location"] == "YC"].reset_index(drop=True)
    part = score_units(made_forecast().select(["YC"]), whole["observed"].to_numpy()[None])
    pd.testing.assert_frame_equal(part, whole)


def test_rates_divide_counts_and_say_where_there_is_no_population(scored):
    rates = per_100k(scored)
    us, nyc = (rates["location"] == s for s in ("US", "YC"))
    factor = rates["wis"][us] / scored["wis"][us]
    assert (factor < 1e-3).all()
    for name in ("observed", "median", "crps", "ae", "wis_spread"):
        np.testing.assert_allclose(rates[name][us], scored[name][us] * factor)
    for name in ("bias", "pit", "ape", "cover_50"):
        np.testing.assert_array_equal(rates[name][us], scored[name][us])
    np.testing.assert_allclose(rates["log_score"][us], scored["log_score"][us] - np.log(factor))
    assert not rates["scorable"][nyc].any()
    assert rates["reason"][nyc].str.contains("no population").all()
    assert rates.loc[nyc, list(METRIC_COLUMNS)].isna().all(axis=None)
    assert scored["scorable"].sum() == 11  # the given table is left alone


def observe(locations, months, target):
    """4,000 everywhere, and nothing of March 2024."""
    young = np.broadcast_to(months >= np.datetime64("2024-03"), (len(locations), months.size))
    values = np.where(young, np.nan, 4000.0)
    return values, np.where(young, "too young: really", "").astype(object)


OF_KIND = {"sample": ("wis", "crps", "log_score", "bias", "n_draws")}
OF_KIND["quantile"] = ("wis", "wis_spread", "ae", "ape", "cover_50", "cover_95", "horizon")


@pytest.mark.parametrize("kind", OF_KIND)
def test_a_hub_file_scores_as_the_forecast_it_came_from(kind):
    forecast, close = made_forecast(), (1e-4, 2e-3) if kind == "quantile" else (1e-9, 0)
    got = score_hub(od.to_hub(forecast, output_type=kind), observe)
    assert len(got) == 2 * 3 * 4
    for target in ("deaths_12mo", "deaths_month"):
        observed, _ = observe(forecast.locations, forecast.months, target)
        want = score_units(forecast, observed, target).set_index(["location", "month"])
        have = got[got["target"] == target].set_index(["location", "month"]).loc[want.index]
        for name in OF_KIND[kind]:
            np.testing.assert_allclose(have[name], want[name], *close, err_msg=name)
        assert have["crps"].isna().all() == (kind == "quantile")
    young = got["month"] == "2024-03-01"
    assert (got["reason"][young] == "too young: really").all()
    assert (got["scorable"] == ~young).all()
    assert got["pit"][~young].between(0, 1).all() == (kind == "sample")
    assert (got["as_of"] == "2024-04-17").all()
    assert (got["last_month"] == "2023-11-01").all()


def test_quantiles_overrule_samples_and_lose_nothing():
    quantiles, samples = (od.to_hub(made_forecast(), output_type=k) for k in ("quantile", "sample"))
    got = score_hub(pd.concat([quantiles, samples]), observe)
    np.testing.assert_array_equal(got["wis"], score_hub(quantiles, observe)["wis"])
    assert got["crps"][got["scorable"]].notna().all()


def test_horizon_groups_in_order():
    assert [horizon_group(h) for h in (-5, 0, 1, 3, 4, 6, 7, 12, 13)] == [
        "nowcast", "nowcast", "1-3", "1-3", "4-6", "4-6", "7-12", "7-12", "13+",
    ]  # fmt: skip
    table = pd.DataFrame({"horizon": [24, 1, 0], "location": ["US", "OH", "YC"]})
    grouped = with_groups(table, ["horizon_group", "level"])
    assert tuple(grouped["horizon_group"].cat.categories) == HORIZON_GROUPS
    assert grouped["level"].tolist() == ["nation", "jurisdictions", "jurisdictions"]
