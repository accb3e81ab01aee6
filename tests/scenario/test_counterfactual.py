"""The past: two counterfactuals, what is removed and what the eve knew."""

from dataclasses import replace

import numpy as np
import pytest

import odforecast as od
from bench_past import KNOWN, SETTINGS, estimated, history, measured, planted, world
from odforecast.errors import ScenarioError, UnknownNameError
from odforecast.geography import JURISDICTIONS
from odforecast.monthly.sums import rolling_sums
from odforecast.names import TARGET_12MO
from odforecast.scenario import Fixed, named_intervention
from odforecast.scenario.effects import EffectDraws, EventPrior
from odforecast.scenario.past import (
    PRIOR_OF,
    WHATEVER,
    Counts,
    Donors,
    counts_around,
    estimate,
    felt_by,
    given_effect,
    grown_alike,
    neutral_twin,
    past,
    past_event,
    removed,
)

MODEL = od.get_model("auto-ets")


def gone(event, archive=None, **keywords):
    return past(event, archive or od.bundled(), model=MODEL, **keywords)


@pytest.fixture(scope="module")
def shock():
    return gone("supply-shock-2023", draws=400, timings=64)


def test_events_of_the_catalogue():
    onsets = {name: str(past_event(name).onset[0]) for name in PRIOR_OF}
    assert len(onsets) == 6
    assert (onsets["class-scheduled"], onsets["supply-shock-2023"]) == ("2019-05", "2023-07")
    with pytest.raises(UnknownNameError, match="no past event 'busan'"):
        past_event("busan")


@pytest.mark.parametrize("name", PRIOR_OF)
def test_a_neutral_twin_favors_neither_side_whatever_the_event(name):
    event, twin = past_event(name), neutral_twin(name)
    prior = EventPrior.from_event(twin)
    assert (*prior.given_effect, prior.p_null) == (0.0, pytest.approx(0.4), 0.5)
    assert (twin.name, twin.onset, twin.scope) == (event.name, event.onset, event.scope)
    same = ("lag", "ramp", "half_life", "spread", "exposure", "rebound")
    assert [getattr(twin, key) for key in same] == [getattr(event, key) for key in same]


@pytest.mark.slow
def test_the_neutral_twin_of_woodside_gives_what_its_stated_prior_gives():
    """3,300 (-1,500 to 18,100), worked out apart from this code with the stated N(0, .4)."""
    deaths = gone(neutral_twin("cooperation-resumed")).averted("2024-12")
    assert deaths.mean() == pytest.approx(3300, rel=0.05)
    assert np.quantile(deaths, [0.05, 0.95]) == pytest.approx([-1500, 18100], rel=0.05)


def test_no_effect_gives_back_what_was_observed_exactly():
    found = gone(replace(past_event("class-scheduled"), p_null=1.0), draws=20, timings=16)
    assert (found.removed == found.observed).all()
    assert not found.delta.any()
    assert found.summary.p_null == 1.0
    gap = np.where(np.arange(30) < 5, np.nan, 50.0)
    sums = np.convolve(gap, np.ones(12), "valid")
    assert (removed(gap, np.where(np.isnan(sums), 600.0, sums), np.zeros((2, 30))) == 600.0).all()


def test_what_is_removed_carries_no_forecast_noise(shock):
    """Before the effect began the counterfactual is what was observed, in every draw."""
    before = shock.months < shock.onset
    assert (shock.removed[:, before] == shock.observed[before]).all()
    month = np.datetime64("2024-12")
    at, grid = int(np.flatnonzero(shock.months == month)[0]), shock.month_grid
    year = (grid > month - np.timedelta64(12, "M")) & (grid <= month)
    panel = od.bundled().as_of().panel(shock.indicator)
    by_hand = (panel.monthly[panel.index("US")][year] * np.exp(-shock.delta[:, year])).sum(axis=1)
    np.testing.assert_allclose(shock.removed[:, at], by_hand, rtol=1e-6)
    np.testing.assert_allclose(shock.averted(month), by_hand - shock.observed[at], rtol=1e-4)
    np.testing.assert_allclose(shock.delta, shock.posterior.delta(shock.month_grid, shock.drawn))
    assert (shock.drawn.beta == 0).mean() == pytest.approx(shock.summary.p_null, abs=0.02)
    assert shock.summary.high < 0
    assert np.median(shock.averted("2024-12")) > 0


def test_the_eve_knows_nothing_of_what_followed_and_is_named_apart(shock):
    assert (shock.eve_kind, shock.eve.last_month) == ("cut", np.datetime64("2023-06"))
    fitted = MODEL.fit(od.bundled().as_of().panel(shock.indicator).cut("2023-06"))
    direct = fitted.forecast(until=str(shock.eve.months[-1]), draws=400, seed=1).select("US")
    np.testing.assert_array_equal(*(x.quantiles([0.5], TARGET_12MO) for x in (shock.eve, direct)))
    frame = shock.to_frame()
    kinds = ["observed", "effect removed", "forecast from the eve"]
    assert frame["counterfactual"].unique().tolist() == kinds
    assert frame[frame["counterfactual"] == "forecast from the eve"]["month"].min() == "2023-07"
    assert frame[frame["counterfactual"] == "observed"]["level"].isna().all()
    assert (frame["location"] == "US").all()
    with pytest.raises(ScenarioError, match="allowed: 2015-01 to"):
        shock.averted("2030-01")


@pytest.mark.slow
def test_the_eve_takes_the_release_of_that_day(vsrr):
    vintages = [od.read(vsrr / f) for f in ("2024-12-11.csv.gz", "2025-07-16.parquet")]
    archive = od.Archive.in_memory({v.date: v.table for v in vintages})
    x = replace(named_intervention("cooperation-resumed", onset="2025-01"), scope="all-drugs")
    found = gone(x, archive, draws=50, timings=16)
    assert (found.eve_kind, str(found.eve.panel.release)) == ("real", "2024-12-11")
    assert "that day's release" in found.text()
    assert found.eve.last_month == np.datetime64("2024-07")


def test_text_says_what_must_be_said(shock):
    text = shock.text()
    for said in (
        WHATEVER,
        "Prior, given an effect: -0.65 (sd 0.29)",
        "no effect with probability 0.10",
        "cut at the eve, more complete than any release was that day",
        "Effect removed, if there was one:",
        "Forecast from the eve",
        "The probability of no effect is 0.0",
        "such intervals contained the deaths averted in ",
        "counts through December 2024",
        "In the 12 months ending in July 2025, ",
        "shock-2023-like (July 2023), United States, drug overdose deaths with synt",
    ):
        assert said in text
    assert ("Prior-dominated" in text) == shock.summary.prior_dominated
    hidden = np.where(shock.months > np.datetime64("2025-04"), np.nan, shock.observed)
    april = shock.observed[shock.months == np.datetime64("2025-04")][0]
    said = f"In the 12 months ending in April 2025, {april:,.0f} deaths were observed"
    assert said in replace(shock, observed=hidden).text()
    none = replace(shock, observed=np.full(hidden.shape, np.nan)).text()
    assert "No count of the United States from the onset to July 2025 is published." in none


def test_the_interval_is_that_given_an_effect(shock):
    """By hand: of 0 (no effect) and 1 to 101, the ends lie 1.15 times 45 from the middle."""
    effects = EffectDraws(np.r_[np.zeros(40), np.ones(101)], np.zeros(141, int))
    draws = np.r_[np.zeros(40), np.arange(1.0, 102.0)]
    assert given_effect(draws, effects, [0.05, 0.5, 0.95]) == pytest.approx([-0.75, 51, 102.75])
    nothing = EffectDraws(np.zeros(3), np.zeros(3, int))
    assert given_effect(np.full(3, 7.0), nothing, [0.05, 0.95]).tolist() == [7.0, 7.0]
    deaths = shock.averted("2024-12")
    mean, low, high = shock.averted_given_effect("2024-12")
    assert mean == pytest.approx(deaths[shock.drawn.beta != 0].mean())
    assert low < np.quantile(deaths, 0.05) < mean < np.quantile(deaths, 0.95) < high
    frame = shock.to_frame((0.05, 0.95)).query("counterfactual == 'effect removed'")
    ends = (
        frame[frame["month"] == "2024-12"]["value"]
        - shock.observed[shock.months == np.datetime64("2024-12")]
    )
    assert ends.tolist() == pytest.approx([low, high])


def test_the_nation_adds_up_places_that_feel_much():
    """A fall of 40% in Ohio and West Virginia alone, taken out of the nation's deaths by hand."""
    felt = {"OH": 1.0, "WV": 1.0, "default": 0.0}
    x = replace(past_event("cooperation-resumed"), scope="all-drugs", onset="2021-01",
                exposure=felt, size=Fixed(np.log(0.6)), share=Fixed(1), p_null=0.0,
                spread=Fixed(0))  # fmt: skip
    panel = od.bundled().as_of().panel()
    counts, _, _, delta = estimate(panel, x, felt_by(x, panel, {}), draws=5, timings=1)
    months = (panel.month_grid >= x.onset[0]) & (panel.month_grid <= counts.months[-1])
    shape = x.curve(panel.month_grid)[months]
    whole = panel.monthly[panel.index("US"), months]
    two = panel.monthly[[panel.index("OH"), panel.index("WV")]][:, months].sum(axis=0)
    by_hand = (two * (0.6**-shape - 1)).sum()
    found = (whole * np.expm1(-delta[0, months])).sum()
    assert found == pytest.approx(by_hand, rel=0.05)


def test_donors_grow_alike_and_placebos_say_how_well():
    rng, months = np.random.default_rng(3), np.arange("2018-01", "2024-01", dtype="datetime64[M]")
    growth = rng.normal(0, 0.02, (2, 72)).cumsum(axis=1)
    mixes = rng.uniform(size=(31, 1))
    paths = 200 * np.exp(mixes * growth[0] + (1 - mixes) * growth[1])
    paths *= np.exp(rng.normal(0, 0.02, paths.shape))
    onset = np.datetime64("2022-01")
    after = months >= onset
    without = paths[0, after].copy()
    paths[0, after] *= 0.7
    places = tuple(sorted(JURISDICTIONS)[:31])
    counts = Counts(months, places, np.r_[1.0, np.zeros(30)], deaths=paths[None])
    donors = Donors.from_counts(counts, onset, places[0])
    assert donors.placebos.shape == (30, 2, 24)
    ends = [np.datetime64("2022-12"), np.datetime64("2023-12")]
    middle, low, high = donors.averted(*ends)
    truth = without.sum() - paths[0, after].sum()
    assert middle == pytest.approx(truth, abs=0.05 * without.sum())
    assert low < truth < high
    # The 28th of 30 errors: the rank of 90% of 31, rounded up.
    sums = donors.placebos.sum(axis=2)
    reach = np.sort(np.abs(np.log(sums[:, 0] / sums[:, 1])))[27]
    own = paths[0, after].sum()
    assert high + own == pytest.approx((middle + own) * np.exp(reach))
    assert np.isnan(donors.averted(np.datetime64("2024-06"))).all()
    assert Donors.from_counts(counts, onset, places[1]) is None
    few = replace(counts, places=places[:15], felt=counts.felt[:15], deaths=paths[None, :15])
    assert Donors.from_counts(few, onset, places[0]) is None
    first = Donors.from_counts(replace(counts, felt=np.r_[1.0, 1.0, np.zeros(29)]), onset, "US")
    assert first.placebos.shape == (100, 2, 24)
    np.testing.assert_allclose(first.own, paths[:2, after].sum(axis=0))
    np.testing.assert_allclose(grown_alike(paths[1], paths[1:3], 48), paths[1], rtol=1e-3)


def test_one_state_has_its_own_factor():
    found = gone("supply-shock-2023", location="Ohio", draws=200, timings=64)
    assert found.location == "OH"
    whole = found.posterior.delta(found.month_grid, found.drawn)
    there = whole != 0
    ratio = np.unique(np.round((found.delta[there] / whole[there]), 6))
    assert (ratio > 0).all()
    assert ratio.size > 20


def test_exposure_is_as_of_the_event():
    x = replace(past_event("class-scheduled"), scope="all-drugs", exposure="fentanyl-share")
    found, newest = gone(x, draws=20, timings=16), od.bundled().as_of()
    top, all_drugs = newest.panel("T40.4"), newest.panel()
    share = [p.reported[p.index("US")][p.months == np.datetime64("2019-04")][0]
             for p in (top, all_drugs)]  # fmt: skip
    beta = found.drawn.beta
    shape = found.posterior.timings.shape(found.month_grid)[found.drawn.timing]
    there = beta != 0
    expected = share[0] / share[1] * (beta[:, None] * shape)[there]
    np.testing.assert_allclose(found.delta[there], expected)
    assert "Exposure as it was in April 2019" in found.text()


def test_counts_that_are_seen():
    x = past_event("supply-shock-2023")
    panel = od.bundled().as_of().panel(x.scope)
    seen = counts_around(panel, x)
    assert seen.months[0] == np.datetime64("2019-07")
    assert seen.months[-1] == panel.final_through == np.datetime64("2024-12")
    assert seen.deaths.min() >= 3
    assert seen.nation is not None
    assert "US" not in seen.places
    alone = counts_around(panel.select("US"), x)
    assert alone.places == ("US",)
    assert alone.nation is None
    assert counts_around(panel, past_event("class-scheduled")).months[-1] == np.datetime64(
        "2021-05"
    )


def test_a_table_of_states_gives_the_nation_what_its_deaths_feel():
    x = replace(past_event("cooperation-resumed"), exposure={"WV": 1.0, "OH": 1.0, "default": 0.0})
    panel = od.bundled().as_of().panel(x.scope)
    felt = felt_by(x, panel, {})
    grid, onset = panel.month_grid, x.onset[0]
    year = (grid < onset) & (grid >= onset - np.timedelta64(12, "M"))
    states = [s for s in panel.locations if s in JURISDICTIONS]
    deaths = {s: np.nansum(panel.monthly[panel.index(s), year]) for s in states}
    assert felt["US"] == pytest.approx((deaths["WV"] + deaths["OH"]) / sum(deaths.values()))
    assert felt_by(replace(x, exposure={"US": 0.5, "default": 0.0}), panel, {})["US"] == 0.5


@pytest.mark.parametrize(
    ("event", "keys", "said"),
    [
        (named_intervention("tariff-only", onset="2025-10"), {},
         "allowed: after 2015-01, before 2025-08"),
        ("class-scheduled", {"draws": 0}, "draws is 0, allowed: a whole number of at least 1"),
        ("class-scheduled", {"timings": 0}, "timings is 0, allowed: a whole number of at least 1"),
    ],
)  # fmt: skip
def test_onsets_outside_the_counts_and_nothing_to_draw(event, keys, said):
    with pytest.raises(ScenarioError, match=said):
        gone(event, **keys)


def test_fixed_size_is_removed_as_it_is():
    course = {"lag": Fixed(2), "ramp": Fixed(12), "half_life": Fixed(30), "spread": Fixed(0)}
    x = replace(past_event("supply-shock-2023"), size=Fixed(-0.4), p_null=0.0, **course)
    found = gone(x, draws=10, timings=1)
    np.testing.assert_allclose(found.delta, np.tile(-0.4 * x.curve(found.month_grid), (10, 1)),
                               atol=1e-4)  # fmt: skip


def test_the_season_of_the_months_says_nothing():
    """Months are recovered up to a constant per calendar month: none of it may matter."""
    panel, months, size = world(history(), np.random.default_rng(5), SETTINGS["-20%, blocks of 12"])
    assert size == pytest.approx(np.log(0.8))
    assert (months[0] == months[1:].sum(axis=0)).all()
    np.testing.assert_array_equal(panel.reported, rolling_sums(months))
    season = np.exp(0.05 * np.sin(np.arange(12) ** 2))[np.arange(months.shape[1]) % 12]
    found = [estimated(panel, m, KNOWN, "nation") for m in (months, months * season)]
    assert found[1].mean() == pytest.approx(found[0].mean(), abs=0.02 * found[0].sd())
    recovered = estimated(panel, months, KNOWN, "past")
    assert recovered.mean() == pytest.approx(found[0].mean(), abs=0.2 * found[0].sd())
    assert recovered.sd() == pytest.approx(found[0].sd(), rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SETTINGS if "drawn" not in name])
def test_the_interval_holds(name):
    holds = measured(SETTINGS[name], ["past"], 60, 5)["past"][:, 0].mean()
    assert 0.9 - 3 * np.sqrt(0.09 / 60) <= holds


@pytest.mark.slow
@pytest.mark.parametrize("alike", [True, False])
def test_what_is_printed_holds_the_deaths_averted(alike):
    """At 0, -20 and -40%; 40 plants tell a coverage of 85% from one of 65%."""
    rows = planted(40, group=True, alike=alike, half="B", seed=2)
    holds = rows["past, given an effect", "two years"][:, :, 0].mean(axis=0)
    assert (holds[[0, 2, 3]] >= 0.75).all()
