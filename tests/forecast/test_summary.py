"""The table that every screen, page and file takes its numbers from."""

from __future__ import annotations

import re
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from forecast_factory import PANEL, made
from hypothesis import given
from hypothesis import strategies as st

import odforecast as od
from odforecast.errors import ForecastError
from odforecast.forecast.record import past_errors
from odforecast.forecast.tables import residents, year_before
from odforecast.forecast.trend import category, thresholds
from odforecast.geography import called, population
from odforecast.months import ONE_MONTH
from odforecast.say import chance, rounded, step_of

DAY = "2025-09-17"
SAMPLES = od.Forecast.samples


@pytest.fixture(scope="module")
def panel():
    return od.bundled().as_of(DAY).panel()


@pytest.fixture(scope="module")
def forecast(panel):
    return od.get_model("dlm").fit(panel).forecast(until="2026-12", draws=150)


@pytest.fixture(scope="module")
def table(forecast):
    return forecast.summary()


def row(table: pd.DataFrame, place: str, month: str) -> pd.Series:
    found = table[(table["location"] == place) & (table["month"] == pd.Timestamp(month))]
    assert len(found) == 1
    return found.iloc[0]


def test_counts_are_the_quantiles_of_the_draws(forecast, table):
    assert len(table) == 53 * (12 + 20)
    ours = table[["low", "median", "high"]].to_numpy().T.reshape(3, 53, -1)
    assert np.array_equal(ours, forecast.quantiles([0.05, 0.5, 0.95]))
    wide = forecast.summary(level=0.5)
    assert (wide["low"] >= table["low"]).all()
    assert (wide["high"] <= table["high"]).all()
    before, sums = year_before(forecast), forecast.samples()
    assert np.array_equal(before[:, :, 12:], sums[:, :, :-12])
    # Before the nowcast: as reported, the same in every draw.
    assert (before[:, :, :12] == before[:1, :, :12]).all()


@pytest.mark.parametrize("month", ["2024-05", "2025-04", "2025-05", "2026-04", "2026-12"])
def test_the_change_is_that_of_change_at_every_horizon(forecast, table, month):
    ohio = forecast.index("Ohio")
    moved = forecast.change(month)[:, ohio]
    before = forecast.count_at(np.datetime64(month, "M") - 12 * ONE_MONTH)[:, ohio]
    seen = row(table, "OH", month)
    expected = np.quantile(100 * moved / before, [0.05, 0.5, 0.95])
    assert np.allclose(seen[["change_low", "change", "change_high"]].astype(float), expected)
    assert seen["fall"] == (moved < 0).mean()


def test_what_cdc_says_stands_beside_it_and_ends_with_it(panel, table):
    last = row(table, "OH", "2025-04")
    assert last["reported"] == panel.reported[panel.index("OH"), -1] == 2830
    assert last["predicted"] == panel.predicted[panel.index("OH"), -1]
    ahead = table[table["horizon"] > 0]
    assert ahead[["reported", "predicted"]].isna().all(axis=None)
    assert table[table["horizon"] <= 0]["reported"].notna().all()


@pytest.mark.parametrize(
    ("place", "month", "year"),
    # The census ends somewhere: later years take its last.
    [("OH", "2024-12", 2024), ("US", "2024-06", 2024), ("OH", "2026-12", 2026)],
)
def test_a_rate_is_the_count_over_the_people_of_its_year(table, place, month, year):
    seen, people = row(table, place, month), population(place, year)
    assert np.isclose(seen["rate"], 1e5 * seen["median"] / people)
    assert np.isclose(seen["rate_high"], 1e5 * seen["high"] / people)
    assert seen["rate_of"] == place


def test_new_york_and_its_city_have_one_rate_together(forecast, table):
    both = forecast.total(["NY", "YC"], "both").quantiles([0.05, 0.5, 0.95])[:, 0, -1]
    rates, columns = 1e5 * both / population("NY+YC", 2026), ["rate_low", "rate", "rate_high"]
    for place in ("NY", "YC"):
        seen = row(table, place, "2026-12")
        assert seen["rate_of"] == "NY+YC"
        assert np.allclose(seen[columns].astype(float), rates)
    assert called("NY") == "New York outside NYC"
    # Chosen last, it keeps its rate; chosen first, there is nobody to share one with.
    assert set(forecast.summary(locations="New York")["rate_of"]) == {"NY+YC"}
    alone = forecast.select("New York").summary()
    assert alone["rate"].isna().all()
    assert set(alone["rate_of"]) == {""}
    apart = od.get_model("naive").fit(forecast.panel).forecast(draws=20).summary(["NY", "YC"])
    assert apart["rate"].isna().all()


def test_a_sum_of_places_has_the_people_of_its_parts(forecast):
    north = forecast.region("Northeast")
    people = sum(population(s, 2025) for s in north.parts["Northeast"] if s not in ("NY", "YC"))
    people += population("NY+YC", 2025)
    seen = row(north.summary(), "Northeast", "2025-10")
    assert np.isclose(seen["rate"], 1e5 * seen["median"] / people)
    assert seen["name"] == "Northeast"
    nation = forecast.nation().summary().iloc[-1]
    assert np.isclose(nation["rate"] * population("US", 2026) / 1e5, nation["median"])
    assert np.isnan(residents(["OH", "NY"], 2024))
    valley = forecast.total(["OH", "WV"], "the valley")
    counts = forecast.panel.reported[[forecast.panel.index(s) for s in ("OH", "WV")], -1]
    assert valley.summary().query("horizon == 0")["reported"].item() == counts.sum()
    assert np.isfinite(valley.change("2024-12")).all()


def test_years_are_decembers_and_say_what_is_known(forecast, table):
    years = forecast.years(locations=["Ohio"])
    assert years["year"].tolist() == [2024, 2025, 2026]
    assert years["known"].tolist() == [12, 4, 0]
    chosen = table[(table["location"] == "OH") & (table["month"].dt.month == 12)]
    pd.testing.assert_frame_equal(
        years[list(table)], chosen.reset_index(drop=True), check_like=True
    )


def test_every_number_of_every_text_is_in_the_table():
    forecast = od.get_model("dlm").fit(od.bundled().as_of().panel()).forecast(draws=150)
    table = forecast.summary()
    assert set(forecast.trend()["location"]) == set(forecast.locations)
    for place in forecast.locations:
        if place == "PR":  # was not scored: no past errors
            continue
        said = forecast.text(place)
        rows = table[table["location"] == place].set_index("horizon")
        now, last = rows.loc[0], rows.loc[12]
        errors = past_errors(forecast, place).set_index("horizon").loc[12]
        step = step_of(last["low"], last["high"])
        before = np.median(forecast.change(last["month"])[:, forecast.index(place)])
        allowed = {
            f"{now['reported']:,.0f}",
            *(
                rounded(at[k], step_of(at["low"], at["high"]))
                for at in (now, last)
                for k in ("low", "median", "high")
            ),
            *(f"{errors[k]:,.0f}" for k in ("error", "forecasts")),
            f"{100 * errors['held']:.0f}",
            rounded(abs(before), step),
            f"{abs(round(last['change']))}",
            *re.findall(r"\d+", chance(last["fall"])),
            *("12", "90", "14", "2025", "2026"),  # months, the interval, dates
        }
        numbers = [x.rstrip(",") for x in re.findall(r"\d[\d,]*", said)]
        assert len(numbers) >= 12, said
        assert set(numbers) <= allowed, said
        assert "past tests, the typical (median) error here was" in said


def test_no_change_is_no_fall_and_hidden_counts_stay_hidden():
    months = PANEL.last_month + np.arange(1, 15) * ONE_MONTH
    flat = made(draws=np.full((8, 2, 14), 1.0), known=np.ones((2, 11)), months=months)
    seen = flat.summary().query("horizon >= 13")
    assert (seen[["change", "fall"]] == 0).all(axis=None)
    hidden = made(known=np.full((2, 11), np.nan)).summary()
    assert hidden[["low", "median", "high", "change", "fall", "rate"]].isna().all(axis=None)


@pytest.mark.parametrize("asked", [["US"], ["WV", "OH"], ["NY"], ["YC", "WY"], ["NY", "YC"]])
def test_some_places_are_as_in_the_whole_table_and_no_others_are_added_up(forecast, table, asked):
    with patch.object(od.Forecast, "samples", autospec=True, side_effect=SAMPLES) as summed:
        found = forecast.summary(asked)
    expected = pd.concat([table[table["location"] == s] for s in asked], ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    # New York and the city have one rate, of the two together.
    used = {place for call in summed.mock_calls for place in call.args[0].locations}
    both = {"NY", "YC"} if {"NY", "YC"} & set(asked) else set()
    assert set(asked) <= used <= {*asked, *both}


counts = st.floats(0, 1e6, allow_nan=False)


def test_thresholds_by_hand():
    # 1.28 √(2/N) is 5% at N = 2 (1.28 / .05)² = 1,310.72.
    first, large = thresholds([1310.0, 1311.0, 200.0, 2.0])
    assert first[0] > 5
    assert np.allclose(first[1:], [5.0, 12.8, 128.0])
    assert np.allclose(large, 3 * first)
    assert np.isnan(thresholds(np.nan)[0])
    assert thresholds(0.0)[0] == thresholds(1.0)[0]


@given(counts, counts, st.floats(0, 1e5))
def test_a_rise_and_a_fall_of_one_size_are_mirrored(change, before, n):
    first = thresholds(n)[0]
    rise, fall = category(change, before, first), category(-change, before, first)
    assert rise + fall == 4
    assert rise >= 2
    assert category(change * 2, before, first) >= rise


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
    late = replace(late, draws=late.draws[:, :, 12:], months=late.months[12:])
    with pytest.raises(ForecastError, match="no month up to 12 months after 2025-04"):
        late.trend()
