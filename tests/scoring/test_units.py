"""Unit-level scores: nothing dropped, every number the same as from the single rules."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd

from odforecast.forecast import Forecast
from odforecast.hub import to_hub
from odforecast.scoring import per_100k, score_hub, score_units
from odforecast.scoring.columns import HORIZON_GROUPS, METRIC_COLUMNS, horizon_group, with_groups

FIRST = np.datetime64("2023-12", "M")


def made_forecast(
    states=("US", "OH", "YC"), n_months=4, draws=200, first=FIRST, last=None, **keywords
) -> Forecast:
    rng = np.random.default_rng(7)
    level = np.array([8000.0, 400.0, 250.0])[: len(states), None]
    return Forecast(
        draws=rng.poisson(level, (draws, len(states), n_months)).astype(float),
        locations=tuple(states), months=first + np.arange(n_months).astype("timedelta64[M]"),
        known=np.repeat(level, 11, axis=1), as_of=dt.date(2024, 4, 17),
        last_month=first - np.timedelta64(1, "M") if last is None else last,
        provenance={"model": "made"}, **keywords,
    )  # fmt: skip


def truth_for(forecast: Forecast, target="deaths_12mo") -> np.ndarray:
    observed = np.median(forecast.samples(target), axis=0) + 30.0
    observed[1, 2] = np.nan
    return observed


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


def test_units_without_truth_stay_with_a_reason_and_no_score():
    table = score_units(made_forecast(), truth_for(made_forecast()))
    row = table[(table["location"] == "OH") & (table["horizon"] == 3)].iloc[0]
    assert not row["scorable"]
    assert row["reason"]
    assert row[list(METRIC_COLUMNS)].isna().all()
    assert np.isfinite(row["median"])
    others = table.drop(index=row.name)
    assert others["scorable"].all()
    assert others[list(METRIC_COLUMNS)].notna().all(axis=None)


def test_scores_do_not_depend_on_which_other_locations_are_there():
    forecast = made_forecast()
    observed = truth_for(forecast)
    whole = score_units(forecast, observed)
    part = score_units(forecast.select(["YC"]), observed[[2]])
    wanted = whole[whole["location"] == "YC"].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, wanted)


def test_rates_divide_counts_and_say_where_there_is_no_population():
    table = score_units(made_forecast(), truth_for(made_forecast()))
    rates = per_100k(table)
    us, nyc = (rates["location"] == s for s in ("US", "YC"))
    factor = rates["wis"][us] / table["wis"][us]
    assert (factor < 1e-3).all()
    for name in ("observed", "median", "crps", "ae", "wis_spread"):
        np.testing.assert_allclose(rates[name][us], table[name][us] * factor)
    for name in ("bias", "pit", "ape", "cover_50"):
        np.testing.assert_array_equal(rates[name][us], table[name][us])
    np.testing.assert_allclose(rates["log_score"][us], table["log_score"][us] - np.log(factor))
    assert not rates["scorable"][nyc].any()
    assert rates["reason"][nyc].str.contains("no population").all()
    assert rates.loc[nyc, list(METRIC_COLUMNS)].isna().all(axis=None)
    assert table["scorable"].sum() == 11  # the given table is left alone


def observe_constant(value: float, young: str = "2024-03"):
    def observe(locations, months, target):
        values = np.full((len(locations), months.size), value)
        reasons = np.full(values.shape, "", dtype=object)
        values[:, months >= np.datetime64(young)] = np.nan
        reasons[:, months >= np.datetime64(young)] = "too young: really"
        return values, reasons

    return observe


def test_a_hub_file_scores_as_the_forecast_it_came_from():
    forecast = made_forecast()
    table = to_hub(forecast)
    got = score_hub(table, observe_constant(4000.0))
    assert len(got) == 2 * 3 * 4
    observed = np.full((3, 4), 4000.0)
    observed[:, 3] = np.nan
    for target in ("deaths_12mo", "deaths_month"):
        want = score_units(forecast, observed, target).set_index(["location", "month"])
        have = got[got["target"] == target].set_index(["location", "month"]).loc[want.index]
        for name in ("wis", "wis_spread", "ae", "ape", "cover_50", "cover_95", "horizon"):
            np.testing.assert_allclose(have[name], want[name], rtol=1e-4, atol=2e-3, err_msg=name)
        assert have["crps"].isna().all()
    young = got["month"] == "2024-03-01"
    assert (got["reason"][young] == "too young: really").all()
    assert not got["scorable"][young].any()
    assert got["scorable"][~young].all()
    assert (got["as_of"] == "2024-04-17").all()
    assert (got["last_month"] == "2023-11-01").all()


def test_samples_in_a_hub_file_give_every_score():
    forecast = made_forecast()
    got = score_hub(to_hub(forecast, output_type="sample"), observe_constant(4000.0))
    observed = np.full((3, 4), 4000.0)
    observed[:, 3] = np.nan
    want = score_units(forecast, observed).set_index(["location", "month"])
    have = got[got["target"] == "deaths_12mo"].set_index(["location", "month"]).loc[want.index]
    for name in ("wis", "crps", "log_score", "bias", "n_draws"):
        np.testing.assert_allclose(have[name], want[name], rtol=1e-9, err_msg=name)
    scored = have[have["scorable"]]
    assert scored["pit"].between(0, 1).all()


def test_quantiles_overrule_samples_and_lose_nothing():
    forecast = made_forecast()
    both = pd.concat([to_hub(forecast), to_hub(forecast, output_type="sample")])
    got = score_hub(both, observe_constant(4000.0))
    alone = score_hub(to_hub(forecast), observe_constant(4000.0))
    np.testing.assert_array_equal(got["wis"], alone["wis"])
    assert got["crps"][got["scorable"]].notna().all()


def test_horizon_groups_in_order():
    assert [horizon_group(h) for h in (-5, 0, 1, 3, 4, 6, 7, 12, 13)] == [
        "nowcast", "nowcast", "1-3", "1-3", "4-6", "4-6", "7-12", "7-12", "13+",
    ]  # fmt: skip
    table = pd.DataFrame({"horizon": [24, 1, 0], "location": ["US", "OH", "YC"]})
    grouped = with_groups(table, ["horizon_group", "level"])
    assert tuple(grouped["horizon_group"].cat.categories) == HORIZON_GROUPS
    assert grouped["level"].tolist() == ["nation", "jurisdictions", "jurisdictions"]
