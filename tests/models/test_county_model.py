"""The county model: what its draws add up to, what they hang on, and whom it forecasts."""

import datetime as dt
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from county_panels import real_counties
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import odforecast as od
from county_truth import GivenPaths
from odforecast.errors import PanelError
from odforecast.geography.places import by_fips
from odforecast.models import Model, get_model
from odforecast.models.content import Kept
from odforecast.models.county import model as county_states
from odforecast.models.county.baselines import CountyBaseline, counts_of
from odforecast.models.county.filter import FACTORS, levels, raked
from odforecast.models.county.model import County, Delay, ModelPaths, delay_of
from odforecast.models.paths import shuffled_levels
from odforecast.models.statespace.model import Dlm
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DRUGS, COUNTIES, RESIDENCE, STATES, TARGET_12MO, VINTAGE_CLEAN
from odforecast.seeds import Streams
from odforecast.testing import zoo

ZOO = zoo("counties")
PANEL = ZOO["ordinary"]
DRAWS = 60


def streams(panel: od.Panel, seed: int = 1) -> Streams:
    return Streams(seed, panel.dataset, panel.indicator, str(panel.last_month))


def rows_of(made: od.Forecast | od.Panel, state: str) -> list[int]:
    return [i for i, s in enumerate(made.locations) if by_fips()[s].state == state]


@cache
def fitted(where: str = "ordinary"):
    return get_model("county").fit(ZOO[where])


@cache
def forecast(where: str = "ordinary", horizon: int = 12, draws: int = DRAWS) -> od.Forecast:
    return fitted(where).forecast(horizon, draws=draws)


def add_up(made: od.Forecast, fitted, panel: od.Panel) -> None:
    """In every draw the counties of each state are raked to it, by residence."""
    of = streams(panel)
    first = 0 if panel.final_through < panel.last_month else 1
    paths = fitted.paths.draw(panel.beside[STATES], panel.last_month, 12, len(made.draws), of)
    assert set(fitted.states) == {by_fips()[s].state for s in made.locations}
    for state in fitted.states:
        total = fitted._drawn(state, paths[state], of)[1][:, first:]
        np.testing.assert_array_equal(made.draws[:, rows_of(made, state)].sum(axis=1), total)


@pytest.mark.parametrize("where", [n for n in ZOO if n != "very-short"])
def test_counties_add_up_to_their_state_by_residence_in_every_draw(where):
    made = forecast(where)
    add_up(made, fitted(where).inner, ZOO[where])
    np.testing.assert_array_equal(made.draws, np.round(made.draws))
    assert made.draws.min() >= 0


def test_the_states_are_those_of_the_users_own_forecast_bit_for_bit():
    beside = PANEL.beside[STATES]
    own = get_model().fit(beside).forecast(12, draws=DRAWS, seed=1)
    found = ModelPaths(get_model()).draw(beside, PANEL.last_month, 12, DRAWS, streams(PANEL))
    for state in own.locations:
        row = own.samples(TARGET_12MO)[:, own.index(state), -12:]
        np.testing.assert_array_equal(found[state].sums, row)


def test_the_states_are_fitted_once_for_all_counties(monkeypatch):
    fits = []
    plain = Dlm.fit
    monkeypatch.setattr(Dlm, "fit", lambda self, panel: fits.append(1) or plain(self, panel))
    monkeypatch.setattr(county_states, "_paths", Kept(2))
    for state in ("RI", "NH", "DE"):
        get_model("county").fit(PANEL.select(f"{state}/*")).forecast(3, draws=10)
    assert len(fits) == 1
    get_model("county").fit(PANEL).forecast(4, draws=10)
    assert len(fits) == 2
    # What is kept holds on to nothing of the states' history.
    for path in (p for _, (kept,) in county_states._paths._values.values() for p in kept.values()):
        assert path.months.base is None
        assert path.sums.base is None


def test_paths_of_a_function_that_no_version_tells_are_drawn_again():
    def made(deaths):
        @od.forecaster(by="location", joint=("month",))
        def mine(panel, horizon, draws, rng):
            return np.full((draws, 1, horizon), deaths)

        return mine

    states = PANEL.beside[STATES].select(["RI"])
    lasts = [
        ModelPaths(made(deaths)).draw(states, PANEL.last_month, 3, DRAWS, streams(PANEL))["RI"]
        for deaths in (100.0, 500.0)
    ]
    assert [float(path.months[0, -1]) for path in lasts] == [100.0, 500.0]


def test_rounding_keeps_sums_and_is_right_on_average():
    draws = 20_000
    rng = np.random.default_rng(1)
    share = np.concatenate([np.full(30, 0.3), rng.uniform(1, 50, 9), [0.0]])
    sums = np.repeat(share[:, None, None], draws, axis=1)
    target = np.full((draws, 1), 150.0)
    out = raked(sums, share, target, rng.random(draws))
    assert (out.sum(axis=1) == 150).all()
    exact = share * 150.0 / share.sum()
    np.testing.assert_allclose(out[..., 0].mean(axis=0), exact, atol=0.02)
    assert (np.abs(out[..., 0] - exact) < 1.0).all()
    # Where no death is drawn they go by what is expected.
    none = raked(0.0 * sums, share, target, rng.random(draws))
    np.testing.assert_allclose(none[..., 0].mean(axis=0), exact, atol=0.02)


def test_without_the_states_it_is_refused_and_without_a_state_its_counties_are_skipped():
    with pytest.raises(PanelError, match="has no states' panel beside it") as caught:
        get_model("county").fit(replace(PANEL, beside={}))
    assert "dataset='counties'" in caught.value.hint
    beside = PANEL.beside[STATES]
    reported = beside.reported.copy()
    reported[beside.index("RI"), -1] = np.nan
    panel = replace(PANEL, beside={STATES: replace(beside, reported=reported, low=None, high=None)})
    made = get_model("county").fit(panel).forecast(3, draws=10)
    assert set(made.skipped) == {s for s in PANEL.locations if by_fips()[s].state == "RI"}
    assert "its state RI: no reported count in the last month" in made.skipped["44001"]


@pytest.mark.parametrize("name", ["naive", "hub-baseline"])
def test_other_models_of_the_states_lend_their_paths(name):
    made = get_model("county", paths=name).fit(PANEL).forecast(6, draws=DRAWS)
    assert np.isfinite(made.draws).all()
    assert made.provenance["label"] == f"county(paths={name!r})"


def test_the_states_true_months_can_be_given():
    panel = ZOO["clean"]
    cut, truth = panel.cut(panel.last_month - 6 * ONE_MONTH), panel.beside[STATES]
    given = Model(County(paths=GivenPaths(truth)), "county, true states")
    made = given.fit(cut).forecast(6, draws=DRAWS)
    sums = made.draws[:, rows_of(made, "RI")].sum(axis=1)[:, -1]
    assert (sums / truth.reported[truth.index("RI"), -1]).std() < 0.05
    assert given.spec.hash != get_model("county").spec.hash
    with pytest.raises(PanelError, match="is not given for all months"):
        given.fit(cut).forecast(7, draws=5)
    some = Model(County(paths=GivenPaths(truth.select(["RI"]))), "county, one true state")
    with pytest.raises(PanelError, match=r"counties follow their states, and given .* forecast"):
        some.fit(cut).forecast(6, draws=5)


def test_newer_months_of_the_states_are_used():
    last = PANEL.last_month - 5 * ONE_MONTH
    early, whole = PANEL.cut(last), PANEL.beside[STATES]
    whole = replace(whole, final_through=whole.last_month)
    plain, row = get_model("dlm", delay=False), whole.index("RI")
    at = ModelPaths(plain).draw(whole, last, 12, DRAWS, streams(early))["RI"]
    own = plain.fit(whole).forecast(7, draws=DRAWS)
    # Five months known, seven drawn: those of the states' own forecast.
    assert (at.sums[:, :5] == whole.reported[row, -5:]).all()
    np.testing.assert_array_equal(at.sums[:, 5:], own.samples(TARGET_12MO)[:, row])
    assert np.allclose(at.months[:, :5], whole.monthly[row, -5:])
    fitted = get_model("county", paths="dlm").fit(replace(early, beside={STATES: whole}))
    made, blind = (f.forecast(5, draws=200) for f in (fitted, get_model("county").fit(early)))
    spread = [f.draws[:, rows_of(f, "RI"), -1].sum(axis=1).std() for f in (made, blind)]
    assert spread[0] < 0.6 * spread[1]
    # All of it may be known: nothing is left to forecast.
    assert fitted.forecast(2, draws=20).horizons.tolist() == [1, 2]


def test_levels_follow_class_state_and_residents():
    low = high = np.array([0.0, 40.0, 8.0])
    mean, _, factor = levels(["6", "4", "5"], np.full(3, np.nan), low, high)
    assert mean[0] < mean[2] < mean[1]
    twice, _, more = levels(["6", "4", "5"], np.full(3, np.nan), 4 * low + 4, 4 * high + 4)
    assert more > factor
    np.testing.assert_allclose(twice / mean, more / factor)
    assert np.exp(FACTORS[0]) < factor < np.exp(FACTORS[-1])
    people = np.array([1e4, 1e5, np.nan])
    counted, narrower, _ = levels(["6", "6", "6"], people, low, high)
    assert counted[1] == pytest.approx(10 * counted[0])
    assert narrower[0] > narrower[2]
    # Nothing known, nothing learned: the class as it is.
    nothing = np.full(3, np.nan)
    assert levels(["6", "4", "5"], nothing, nothing, nothing)[2] == pytest.approx(1.0)


def test_residents_change_the_forecast_and_the_table_says_so():
    plain, counted = fitted().to_frame(), fitted("with-people").to_frame()
    said = "level before any count, from"
    assert plain.set_index("name").loc[said, "value"] == "counts alone"
    n = len(PANEL.locations)
    assert counted.set_index("name").loc[said, "value"] == f"rates of residents ({n} counties)"
    assert not np.array_equal(forecast().draws, forecast("with-people").draws)


def test_counties_that_fall_behind_their_state_are_completed():
    counts = np.concatenate([np.full(12, 400.0), np.linspace(395, 340, 12)])[None]
    total = np.full(24, 1000.0)
    delay = delay_of(np.repeat(counts, 2, axis=0), np.repeat(counts, 2, axis=0), total)
    fell = np.log(340.0 / 400.0)
    assert delay.behind == pytest.approx(fell * 0.03**2 / (0.03**2 + 0.018**2), rel=0.02)
    assert 0.01 < delay.spread < 0.03
    # With the state it is as complete as the state is; counts that are unknown tell nothing.
    assert delay_of(counts, counts, counts[0]).behind == pytest.approx(0.0)
    assert np.isnan(delay_of(counts, counts, np.full(24, np.nan)).total)
    assert Delay().as_complete == 1.0


@pytest.mark.slow
def test_the_real_release(shared):
    panel = real_counties().cut("2022-06")
    fitted = get_model("county").fit(panel)
    made = fitted.forecast(12, draws=200)
    assert len(made.locations) == 3142
    add_up(made, fitted.inner, panel)
    assert 1500 < made.draws[:, made.index("17031"), 0].mean() < 2700  # Cook
    ohio = [s for s in panel.locations if s.startswith("39")]
    alone = get_model("county").fit(panel.select(ohio)).forecast(12, draws=200)
    np.testing.assert_array_equal(alone.draws, made.select(ohio).draws)
    truth = real_counties().reported[:, panel.months.size + 5]
    ok = (panel.reported[:, -1] >= 10) & (truth >= 10)
    low, high = np.quantile(made.draws[:, ok, 5], [0.05, 0.95], axis=0)
    assert 0.88 < ((truth[ok] >= low) & (truth[ok] <= high)).mean() < 0.97


def test_a_count_is_compared_with_the_year_before_once_complete():
    reported = PANEL.reported.copy()
    rows = rows_of(PANEL, "RI")
    reported[rows, -1] = np.floor(0.88 * reported[rows, -2])
    ends = {n: np.where(np.isnan(reported), getattr(PANEL, n), reported) for n in ("low", "high")}
    panel = replace(PANEL, reported=reported, **ends)
    made = get_model("county").fit(panel).forecast(12, draws=300)
    assert made.horizons[0] == 0
    mine = made.select([PANEL.locations[i] for i in rows])
    shown = np.nansum(reported[rows, -1]) + 4.0 * panel.hidden[rows, -1].sum()
    assert mine.draws[:, :, 0].sum(axis=1).mean() > 1.03 * shown
    table = mine.counties()
    assert table["horizon"].min() == 1
    fall = table[table["horizon"] == 12].set_index("location")["fall"].reindex(mine.locations)
    fell, known = (mine.draws[:, :, 12] < mine.draws[:, :, 0]).mean(axis=0), fall.notna()
    assert known.any()
    np.testing.assert_allclose(fell[known], fall[known])
    # Nothing of the kind where counts are final.
    assert forecast("clean").horizons[0] == 1


LAST = np.datetime64("2022-06", "M")
DELAWARE = ("10001", "10003", "10005")
RHODE_ISLAND = ("44001", "44003", "44005", "44007", "44009")
SEED = Streams(1, COUNTIES, ALL_DRUGS, str(LAST))


def sums_panel(counts: np.ndarray, places: tuple[str, ...], totals: dict) -> od.Panel:
    """A panel of 12-month counts (L, T), hidden from 1 to 9, lost from 1,000 on."""
    counts = np.array(counts, dtype=float)
    hidden, lost = (counts >= 1) & (counts <= 9), counts >= 1000
    reported = np.where(hidden | lost, np.nan, counts)
    common: dict[str, Any] = dict.fromkeys(("as_of", "release"), dt.date(2022, 11, 15))
    common |= {"indicator": ALL_DRUGS, "vintage": VINTAGE_CLEAN}
    common["months"] = LAST - np.arange(counts.shape[1])[::-1].astype("timedelta64[M]")

    def blank(like: np.ndarray) -> dict[str, np.ndarray]:
        return dict.fromkeys(("predicted", "complete", "pending"), np.full(like.shape, np.nan))

    whole = np.array(list(totals.values()), dtype=float)
    states = od.Panel(**common, locations=tuple(totals), reported=whole, **blank(whole))
    common |= {"dataset": COUNTIES, "basis": RESIDENCE, "urban": dict.fromkeys(places, "3")}
    low = np.where(hidden, 1.0, np.where(lost, 1000.0, reported))
    high = np.where(hidden, 9.0, np.where(lost, np.inf, reported))
    common |= {"reported": reported, "low": low, "high": high, "beside": {STATES: states}}
    return od.Panel(**common, **blank(counts), locations=places)


def two_states() -> tuple[od.Panel, np.ndarray]:
    """Delaware and Rhode Island: shown, partly and always hidden, always 0, and lost counts."""
    means = np.array([12.0, 0.7, 3.0, 0.25, 0.8, 5.0, 110.0, 0.0])
    months = np.random.default_rng(3).poisson(means[:, None], (8, 41))
    sums = np.lib.stride_tricks.sliding_window_view(months, 12, axis=1).sum(axis=2)
    totals = {"DE": sums[:3].sum(axis=0), "RI": sums[3:].sum(axis=0)}
    return sums_panel(sums, DELAWARE + RHODE_ISLAND, totals), sums


def baseline(name: str, panel: od.Panel, draws: int = 200) -> od.Forecast:
    return (
        Model(CountyBaseline(name, pooled=name == "county-last"), name)
        .fit(panel)
        .draw(12, draws, SEED)
    )


def hidden_numbers(fips, draws):
    """What a county's hidden counts are in each draw, as the module says it."""
    return 1 + SEED.generator("hidden", fips).permutation(draws) * 9 // draws


@pytest.mark.parametrize("fips", ["10001", "10003", "44003"])
def test_hub_baseline_is_the_last_count_and_the_countys_own_mirrored_changes(fips):
    panel, _ = two_states()
    draws = 90
    made = baseline("county-hub-baseline", panel, draws)
    row = panel.locations.index(fips)
    levels = shuffled_levels(draws, SEED.generator("location", fips))
    number = hidden_numbers(fips, draws)
    for d in range(draws):
        history = np.where(panel.hidden[row], number[d], panel.reported[row])
        for h in (1, 5, 12):
            gaps = history[h:] - history[:-h]
            error = np.quantile(np.concatenate([gaps, -gaps]), levels[d])
            want = max(0.0, history[-1] + np.rint(error))
            assert made.draws[d, row, h - 1] == want, (d, h)


def test_last_value_takes_one_spread_of_square_roots_from_all_counties_shown():
    panel, _ = two_states()
    made = baseline("county-last", panel)
    roots = np.sqrt(np.where(panel.reported >= 10, panel.reported, np.nan))
    for fips in ("10001", "10003", "44009"):  # shown, at times hidden, always 0
        row = panel.locations.index(fips)
        levels = shuffled_levels(200, SEED.generator("location", fips))
        last = np.where(panel.hidden[row, -1], hidden_numbers(fips, 200), panel.reported[row, -1])
        for h in (1, 12):
            gaps = (roots[:, h:] - roots[:, :-h]).ravel()
            gaps = gaps[~np.isnan(gaps)]
            error = np.quantile(np.concatenate([gaps, -gaps]), levels)
            want = np.rint(np.maximum(np.sqrt(last) + error, 0) ** 2)
            np.testing.assert_array_equal(made.draws[:, row, h - 1], want)


def test_a_lost_count_is_what_the_state_leaves_in_each_draw():
    panel, sums = two_states()
    counts = counts_of(panel, "x")
    hidden = counts.drawn_hidden(90, SEED)
    row = panel.locations.index("44007")
    rows = [3, 4, 5, 7]
    for t in (0, 29):
        others = sum(hidden[i] if panel.hidden[i, t] else panel.reported[i, t] for i in rows)
        want = np.maximum(1000, sums[3:, t].sum() - others)
        np.testing.assert_array_equal(counts.drawn_lost(row, hidden)[:, t], want)
    last = counts.drawn_lost(row, hidden)[:, -1]
    np.testing.assert_array_equal(counts.drawn_last(hidden)[row], last)


@pytest.mark.parametrize("part", ["no states", "not all counties"])
def test_without_the_whole_state_a_lost_count_is_its_floor_and_that_is_said(part):
    panel, _ = two_states()
    few = panel.select([s for s in panel.locations if s != "44001"])
    few = replace(panel, beside={}) if part == "no states" else replace(few, selected=False)
    made = baseline("county-hub-baseline", few)
    assert (made.draws[:, made.locations.index("44007")] == 1000).all()
    assert any("taken as 1,000" in w and "RI" in w for w in made.warnings)


@pytest.mark.parametrize("name", ["county-hub-baseline", "county-last"])
def test_what_is_missing_stands_as_it_was_and_that_is_said(name):
    panel, sums = two_states()
    gone = np.zeros(panel.reported.shape, dtype=bool)
    gone[0, -2:] = gone[2, :3] = gone[5] = True
    layers = {n: np.where(gone, np.nan, getattr(panel, n)) for n in ("reported", "low", "high")}
    panel = replace(panel, **layers)
    filled = counts_of(panel, "x")
    np.testing.assert_array_equal(filled.known[0, -3:], [sums[0, -3]] * 3)
    assert filled.hidden[2, 0] == filled.hidden[2, 3]
    made = baseline(name, panel)
    assert "44005" not in made.locations
    assert made.skipped == {"44005": "no count in any month"}
    assert any("10001" in w and "last one stands in" in w for w in made.warnings)
    assert np.median(made.draws[:, 0, 0]) == pytest.approx(sums[0, -3], rel=0.2)


COUNTS = st.sampled_from(range(16)) | st.just(np.nan) | st.integers(900, 1100)


@given(arrays(float, (3, 13), elements=COUNTS))
def test_any_counts_give_whole_numbers_for_every_county_with_one(counts):
    if np.isnan(counts).all():
        counts[0, 0] = 1.0
    panel = sums_panel(counts, DELAWARE, {"DE": np.nansum(counts, axis=0)})
    some = [s for s, row in zip(DELAWARE, counts) if not np.isnan(row).all()]
    made = baseline("county-hub-baseline", panel, 9)  # the other may have nothing to pool
    assert list(made.locations) == some
    assert (made.draws == np.rint(made.draws)).all()
    assert (made.draws >= 0).all()
