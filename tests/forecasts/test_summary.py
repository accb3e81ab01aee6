"""The tables that screens, pages and files take numbers from; the nowcast; past errors."""

import datetime as dt
import pickle
import re
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from forecast_factory import PANEL, made
from hypothesis import given
from hypothesis import strategies as st
from panel_factory import release_panel, with_counts

import odforecast as od
from odforecast.errors import ForecastError
from odforecast.forecasts import Forecast
from odforecast.forecasts.record import past_errors, table_of
from odforecast.forecasts.tables import published, residents, unbiased, usual_ratio, year_before
from odforecast.forecasts.trend import category, thresholds
from odforecast.geography import called, population
from odforecast.months import ONE_MONTH
from odforecast.names import TARGET_12MO
from odforecast.panel import Panel
from odforecast.say import chance, rounded, step_of

DAY = "2025-09-17"
SAMPLES = od.Forecast.samples
ENDS = ("low", "median", "high")
counts = st.floats(0, 1e6, allow_nan=False)
PLACES = ("OH", "AZ", "WV", "WY")


@pytest.fixture(scope="module")
def forecast(fitted):
    return fitted.forecast(until="2026-12", draws=150)


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


def test_what_cdc_says_stands_beside_it_and_years_are_decembers(panel, table, forecast):
    last = row(table, "OH", "2025-04")
    assert last["reported"] == panel.reported[panel.index("OH"), -1] == 2830
    assert last["predicted"] == panel.predicted[panel.index("OH"), -1]
    assert table[table["horizon"] > 0][["reported", "predicted"]].isna().all(axis=None)
    assert table[table["horizon"] <= 0]["reported"].notna().all()
    years = forecast.years(locations=["Ohio"])
    assert (years["year"].tolist(), years["known"].tolist()) == ([2024, 2025, 2026], [12, 4, 0])
    chosen = table[(table["location"] == "OH") & (table["month"].dt.month == 12)]
    chosen = chosen.reset_index(drop=True)
    pd.testing.assert_frame_equal(years[list(table)], chosen, check_like=True)


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


def test_every_number_of_every_text_is_in_the_table(fitted_newest):
    forecast = fitted_newest.forecast(draws=150)
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
            *(rounded(at[k], step_of(at["low"], at["high"])) for at in (now, last) for k in ENDS),
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
    assert (flat.summary().query("horizon >= 13")[["change", "fall"]] == 0).all(axis=None)
    hidden = made(known=np.full((2, 11), np.nan)).summary()
    assert hidden[["low", "median", "high", "change", "fall", "rate"]].isna().all(axis=None)


@pytest.mark.parametrize("asked", [["US"], ["WV", "OH"], ["NY"], ["YC", "WY"], ["NY", "YC"]])
def test_some_places_are_as_in_the_whole_table_and_no_others_are_added_up(forecast, table, asked):
    with patch.object(od.Forecast, "samples", autospec=True, side_effect=SAMPLES) as summed:
        found = forecast.summary(asked)
    expected = pd.concat([table[table["location"] == s] for s in asked], ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    used = {place for call in summed.mock_calls for place in call.args[0].locations}
    both = {"NY", "YC"} if {"NY", "YC"} & set(asked) else set()
    assert set(asked) <= used <= {*asked, *both}


@given(counts, counts, st.floats(0, 1e5))
def test_a_rise_and_a_fall_of_one_size_are_mirrored(change, before, n):
    first = thresholds(n)[0]
    rise, fall = category(change, before, first), category(-change, before, first)
    assert rise + fall == 4
    assert rise >= 2
    assert category(change * 2, before, first) >= rise


def test_the_trend_rests_on_what_was_known_at_the_origin_and_its_thresholds_by_hand(forecast):
    panel = forecast.panel
    last = forecast.trend("WY").query("horizon == 12").iloc[0]
    assert last["before"] == panel.reported[panel.index("WY"), -1] == 89
    assert np.isclose(last["t1"], 128 * np.sqrt(2 / 89))
    assert np.isclose(last["t2"], 3 * last["t1"])
    # Not on the completed count, which moves with the draws.
    assert np.ptp(forecast.count_at("2025-04")[:, forecast.index("WY")]) > 0
    assert forecast.trend()["horizon"].max() == 12
    late = od.get_model("naive").fit(forecast.panel).forecast(14, draws=10)
    late = replace(late, draws=late.draws[:, :, 12:], months=late.months[12:])
    with pytest.raises(ForecastError, match="no month up to 12 months after 2025-04"):
        late.trend()
    # 1.28 √(2/N) is 5% at N = 2 (1.28 / .05)² = 1,310.72.
    first, large = thresholds([1310.0, 1311.0, 200.0, 2.0])
    assert first[0] > 5
    assert np.allclose(first[1:], [5.0, 12.8, 128.0])
    assert np.allclose(large, 3 * first)
    assert np.isnan(thresholds(np.nan)[0])
    assert thresholds(0.0)[0] == thresholds(1.0)[0]


def revised(released: Panel, states: tuple[str, ...] = PLACES) -> Forecast:
    """Months as known, some of them later: 12 months revised, whatever the panel's last one."""
    first = released.last_month - 11 * ONE_MONTH
    months = released.monthly[[released.index(s) for s in states], -12:]
    late = np.random.default_rng(3).gamma(1.0, 2.0, (60, len(states), 14))
    paths = np.concatenate([months, months[:, :2]], axis=1) + late
    named = {"model": "late", "spec_hash": "0", "seed": "1", "data_hash": released.data_hash}
    return Forecast.from_panel(released, paths, states, first_month=first, provenance=named)


@pytest.fixture(scope="module")
def released() -> Panel:
    return release_panel()


def test_the_revision_is_the_count_once_final_less_the_reported_one(released):
    forecast = revised(released)
    table = forecast.nowcast(level=0.8)
    low, median, high = forecast.quantiles([0.1, 0.5, 0.9])[..., :12].reshape(3, -1)
    rows = [released.index(s) for s in PLACES]
    assert np.array_equal(table["reported"], released.reported[rows, -12:].ravel())
    for name, want in {"low": low, "median": median, "high": high}.items():
        np.testing.assert_allclose(table[name], want, rtol=1e-12)
        moved = "revision" if name == "median" else f"revision_{name}"
        np.testing.assert_array_equal(table[moved], table[name] - table["reported"])
    wider = forecast.nowcast(level=0.98)
    assert (wider["high"] - wider["low"] >= table["high"] - table["low"]).all()


def test_what_cdc_predicts_stands_beside_it(released):
    table, rows = revised(released).nowcast(), [released.index(s) for s in PLACES]
    assert np.array_equal(table["predicted"], released.predicted[rows, -12:].ravel())
    assert table["complete"].isna().all()
    told = replace(released, complete=np.full(released.reported.shape, 98.5))
    assert (revised(told).nowcast()["complete"] == 98.5).all()
    usual = (released.predicted[rows, -24:-12] / released.reported[rows, -24:-12]).mean(axis=1)
    last = table[table["horizon"] == 0]["predicted_unbiased"]
    np.testing.assert_allclose(last, released.predicted[rows, -1] / usual, rtol=1e-12)


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


def test_a_hidden_count_has_no_revision(released):
    reported = released.reported.copy()
    reported[released.index("WY"), -30:-2] = np.nan
    low, high = (np.where(np.isnan(reported), bound, reported) for bound in (1.0, 9.0))
    first = released.last_month - 11 * ONE_MONTH
    hidden = replace(released, reported=reported, low=low, high=high)
    made_up = Forecast.from_panel(hidden, np.full((5, 1, 12), 2.0), ["WY"], first_month=first)
    table = made_up.nowcast()
    assert table["reported"].isna().tolist() == [True] * 10 + [False] * 2
    # The count of the last month needs drawn months alone; those of hidden months are unknown.
    assert table["median"].iloc[-1] == 24.0
    assert table[["revision", "median"]].iloc[:10].isna().all(axis=None)


def test_the_nowcast_of_a_total_is_that_of_the_sum_of_the_draws(released, tmp_path):
    forecast = revised(released)
    both = forecast.total(["Ohio", "WV"], "Ohio valley")
    table = both.nowcast()
    draws = forecast.select(["OH", "WV"]).samples()[..., :12].sum(axis=1)
    np.testing.assert_allclose(table["median"], np.quantile(draws, 0.5, axis=0), rtol=1e-12)
    np.testing.assert_allclose(table["high"], np.quantile(draws, 0.95, axis=0), rtol=1e-12)
    rows = [released.index(s) for s in ("OH", "WV")]
    sums = [getattr(released, x)[rows].sum(axis=0)[None] for x in ("reported", "predicted")]
    assert np.array_equal(table["reported"], sums[0][0, -12:])
    np.testing.assert_array_equal(table["predicted_unbiased"], unbiased(*sums)[0, -12:])
    arizona = forecast.select("AZ")
    joined = replace(
        both,
        locations=("Ohio valley", "AZ"),
        draws=np.concatenate([both.draws, arizona.draws], axis=1),
        known=np.concatenate([both.known, arizona.known], axis=-2),
    )
    more = joined.total(["Ohio valley", "AZ"], "three")
    assert more.parts["three"] == ("OH", "WV", "AZ")
    assert more.nowcast()["reported"].iloc[-1] == released.reported[[1, 3, 2], -1].sum()
    renamed = forecast.total(["WY"], "it").nowcast()
    assert renamed["reported"].tolist() == released.reported[released.index("WY"), -12:].tolist()
    for again in (pickle.loads(pickle.dumps(both)), od.load_forecast(both.save(tmp_path / "both"))):
        assert dict(again.parts) == {"Ohio valley": ("OH", "WV")}
        pd.testing.assert_frame_equal(again.nowcast(), table)


def test_more_counts_other_places_and_another_target_change_nothing(released):
    forecast = revised(released)
    table = forecast.nowcast()
    sums = replace(forecast, draws=forecast.samples(), target=TARGET_12MO)
    pd.testing.assert_frame_equal(sums.nowcast(), table)
    reported = published(forecast)
    assert np.isfinite(reported[:, :12]).all()
    assert np.isnan(reported[:, 12:]).all()
    assert np.isnan(published(replace(forecast, panel=None))).all()
    twice = with_counts(released, released.reported * 2.0, released.predicted * 2.0)
    excess = revised(twice).nowcast()["predicted_unbiased"]
    np.testing.assert_allclose(excess, 2 * table["predicted_unbiased"], rtol=1e-12)
    one = table[table["location"] == "WV"].reset_index(drop=True)
    pd.testing.assert_frame_equal(revised(released).select("WV").nowcast(), one, check_exact=True)


@pytest.fixture(scope="module")
def whole(fitted_newest):
    return fitted_newest.forecast(draws=60)


@pytest.fixture(scope="module")
def results():
    how = {"start": "2021-01", "end": "2023-09", "step": 8, "draws": 60, "progress": False}
    return od.backtest(["naive+delay", "drift"], "pseudo-clean", locations="OH,WV", **how)


def test_the_default_has_a_record_everywhere_and_at_every_horizon(whole):
    for place in whole.locations:
        rows = past_errors(whole, place)
        if place == "PR":  # no part of the nation: not scored
            assert rows is None
            continue
        assert rows["horizon"].tolist() == list(range(1, 13))
        assert (rows["forecasts"] > 80).all()
        assert rows["first"].min() >= "2021-02"
        assert (rows["error"] > 0).all()
        assert rows["held"].between(0, 1).all()


def test_of_another_model_class_or_day_nothing_is_said(newest, whole):
    # The day before the release that the record was scored against, it could not be known.
    early = replace(whole, as_of=dt.date(2026, 1, 13), beside={})
    cut = od.get_model("dlm").fit(newest.cut("2024-09")).forecast(draws=9)
    undelayed = od.get_model("dlm", delay=False).fit(newest).forecast(draws=9)
    for other in (early, cut, undelayed, whole.part("T40.4")):
        assert past_errors(other, "OH") is None
    assert "past tests" not in early.text("Ohio")
    assert "past tests" not in whole.region("Midwest").text()
    assert "past tests" in whole.text("Ohio")


def test_a_backtest_of_ones_own_is_taken(newest, results):
    made = od.get_model("naive+delay").fit(newest).forecast(draws=60)
    assert "past tests" not in made.text("Ohio")
    last = past_errors(made, "OH", results).set_index("horizon").loc[12]
    mine = results.scores.query("model == 'naive+delay' and location == 'OH' and scorable")
    mine = mine[mine["horizon"] == 12]
    assert (last["error"], last["forecasts"]) == (round(mine["ape"].median(), 1), len(mine))
    error = f"the typical (median) error here was {last['error']:.0f}%"
    assert f"In {len(mine)} past tests, {error}" in made.text("Ohio", record=results)
    assert "past tests" not in made.text("Maine", record=results)


def test_what_was_not_settled_on_the_day_of_the_forecast_is_left_out(newest, results):
    early = od.get_model("naive+delay").fit(newest.cut("2023-02")).forecast(draws=60)
    assert early.as_of < dt.date(2025, 9, 17)
    rows = past_errors(early, "OH", results)
    newest = np.datetime64(early.as_of, "M") - np.timedelta64(12, "M")
    assert rows["last"].max() == str(newest)


def test_kinds_of_vintage_have_no_common_mean(newest):
    made = od.get_model("drift").fit(newest).forecast(draws=40)
    kinds = ("pseudo-delayed", "pseudo-clean")
    span = ("2021-01", "2022-01", 6, 2)
    found = [o for kind in kinds for o in od.origins(od.bundled(), kind, *span)]
    both = od.backtest(["drift"], found, locations="US", draws=40, progress=False)
    assert set(both.scores["vintage"]) == set(kinds)
    alone = both.scores.query("vintage == 'pseudo-delayed' and horizon == 1 and scorable")
    first = past_errors(made, "US", both).set_index("horizon").loc[1]
    assert (first["error"], first["forecasts"]) == (round(alone["ape"].median(), 1), len(alone))


def test_results_of_other_deaths_or_another_model_are_refused(newest, whole, results):
    how = {"start": "2021-01", "end": "2021-01", "locations": "US", "draws": 20, "progress": False}
    other = od.backtest(["drift"], "pseudo-clean", indicator="T40.4", **how)
    manifest = {k: v for k, v in other.manifest.items() if k != "indicator"}
    unsaid = od.Results({"scores": other.scores}, manifest)
    made = od.get_model("drift").fit(newest).forecast(draws=20)
    assert other.manifest["specs"]["drift"] == made.provenance["spec_hash"]
    for of, record, said in (
        (made, other, "the record is of 'Synthetic opioids"),
        (made, unsaid, "does not say which deaths it is of"),
        (whole, results, r"record: no scores of dlm .*it holds drift"),
    ):
        with pytest.raises(ForecastError, match=said):
            of.text("US", record=record)


def test_only_12_month_counts_that_are_scorable_and_ahead_count():
    same = {"location": "OH", "spec_hash": "a", "vintage": "real"}
    days = {"month": pd.Timestamp("2022-01-01"), "truth_release": pd.Timestamp("2024-01-10")}
    units = {"horizon": [0, 1, 1, 1, 1], "scorable": [True, True, True, False, True]}
    units |= {"target": ["deaths_12mo"] * 4 + ["deaths"]}
    units |= {"ape": [50.0, 1.0, 3.0, 99.0, 70.0], "cover_90": [1.0, 1.0, 0.0, 1.0, 1.0]}
    scores = pd.DataFrame(units).assign(**same, **days)
    (only,) = table_of(scores)[["horizon", "forecasts", "error", "held"]].to_numpy().tolist()
    assert only == [1, 2, 2.0, 0.5]
