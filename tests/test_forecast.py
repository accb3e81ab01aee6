"""Forecast: sums, coherence, and the promises it refuses to break."""

import datetime as dt
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from county_forecasts import made_forecast
from forecast_factory import PANEL, made
from hypothesis import given
from hypothesis import strategies as st

import odforecast as od
from odforecast.errors import ForecastError, OdforecastError, UnknownNameError
from odforecast.forecasts import Forecast
from odforecast.forecasts.tables import published_on
from odforecast.geography.places import JURISDICTIONS
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH
from odforecast.names import LOCATION, TARGET_12MO, TARGET_MONTH


def make(panel, states, draws=50, months=12, seed=0, **keywords):
    paths = np.random.default_rng(seed).poisson(40, (draws, len(states), months))
    return Forecast.from_panel(panel, paths, states, **keywords)


@given(st.integers(1, 30), st.integers(0, 5))
def test_twelve_month_counts_are_known_plus_forecast_months(panel, months, seed):
    forecast = make(panel, ["WV", "OH"], months=months, seed=seed)
    got = forecast.samples(TARGET_12MO)
    rows = [panel.index(s) for s in ("WV", "OH")]
    for h in range(1, months + 1):
        ahead = forecast.draws[:, :, max(0, h - 12) : h].sum(axis=2)
        n_known = max(0, 12 - h)
        before = panel.monthly[rows, panel.monthly.shape[1] - n_known :].sum(axis=1)
        assert np.allclose(got[:, :, h - 1], ahead + before, rtol=0, atol=1e-9)


def drawn_known(panel, states, draws=50, months=15, seed=3, **keywords):
    """A forecast of the last twelve months and three more, and of what the ones before miss."""
    late = np.random.default_rng(seed).normal(2, 3, (draws, len(states), 11))
    first = panel.last_month - 11 * ONE_MONTH
    return make(panel, states, draws, months, seed, first_month=first, late=late, **keywords)


def test_months_before_the_draws_can_differ_in_every_draw(panel):
    first = panel.last_month - 11 * ONE_MONTH
    for late in (None, np.zeros((50, 1, 11))):  # nothing late leaves the months known
        whole = make(panel, ["WV"], months=15, first_month=first, late=late)
        assert (whole.known == panel.monthly[[panel.index("WV")], -23:-12]).all()
    # With a single draw there are no two ways to write it: a file holds one row per place.
    assert drawn_known(panel, ["WV", "OH"], draws=1).known.shape == (2, 11)
    forecast = drawn_known(panel, ["WV", "OH"])
    rows = [panel.index(s) for s in ("WV", "OH")]
    late = np.random.default_rng(3).normal(2, 3, (50, 2, 11))
    assert (forecast.known == panel.monthly[rows, -23:-12] + late).all()
    path = np.concatenate([forecast.known, forecast.draws], axis=2)
    np.testing.assert_allclose(forecast.samples(), rolling_sums(path), rtol=1e-12)
    paths = np.ones((4, 1, 3))
    plain = Forecast.from_panel(panel, paths, ["WV"])
    paths[0, 0, 0] = 7  # still writable, and nobody else's
    assert (plain.draws == 1).all()
    for array in (forecast.known, plain.draws):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_drawn_known_months_follow_selections_and_sums(panel):
    whole = drawn_known(panel, JURISDICTIONS)
    us = whole.with_nation()
    assert us.locations[0] == "US"
    np.testing.assert_allclose(us.known[:, 0], whole.known.sum(axis=1))
    samples = us.samples()
    np.testing.assert_allclose(samples[:, 0], samples[:, 1:].sum(axis=1))
    some, rows = whole.select(["OH", "WV"]), [whole.index("OH"), whole.index("WV")]
    assert (some.known == whole.known[:, rows]).all()
    assert (some.samples() == whole.samples()[:, rows]).all()
    both = whole.total(["OH", "WV"], "both")
    assert both.known.shape == (50, 1, 11)
    np.testing.assert_allclose(both.samples()[:, 0], some.samples().sum(axis=1))
    regions = [whole.region(r) for r in ("Northeast", "Midwest", "South", "West")]
    np.testing.assert_allclose(sum(r.samples() for r in regions)[:, 0], samples[:, 0])
    assert some.change(whole.last_month + 1 * ONE_MONTH).shape == (50, 2)
    assert len(some.first(5).draws) == 5
    np.testing.assert_array_equal(some.first(5).samples(), some.samples()[:5])


def test_quantiles_shares_and_arrays_are_those_of_the_draws(panel):
    forecast = make(panel, ["WV", "OH"], draws=101)
    levels = [0.9, 0.01, 0.5]
    expected = np.quantile(forecast.samples(), levels, axis=0)
    assert np.allclose(forecast.quantiles(levels), expected)
    monthly = np.quantile(forecast.draws, levels, axis=0)
    assert np.allclose(forecast.quantiles(levels, TARGET_MONTH), monthly)
    value = np.median(forecast.samples()[:, 0, 3])
    assert forecast.probability_below(value)[0, 3] == pytest.approx(0.5, abs=0.05)
    array = forecast.to_xarray()
    assert array.dims == ("draw", "location", "month")
    np.testing.assert_array_equal(array.sel(location="OH"), forecast.samples()[:, 1])


def test_puerto_rico_may_be_added_to_the_nation():
    made = od.get_model("naive").fit(od.bundled().as_of().panel().select(["US", "PR"]))
    made = replace(made.forecast(1, draws=5), joint=frozenset({LOCATION}))
    assert made.total(["US", "PR"], "with Puerto Rico").parts["with Puerto Rico"] == ("US", "PR")


def test_change_compares_with_the_nowcast_of_the_same_draw(panel):
    # Draws begin at horizon -11: the count a year before horizon 12 is drawn, not reported.
    rng = np.random.default_rng(0)
    paths = rng.poisson(100, (50, 1, 24)).astype(float)
    first = panel.last_month - np.timedelta64(11, "M")
    forecast = Forecast.from_panel(panel, paths, ["WV"], first_month=first)
    last = forecast.months[-1]
    now, then = paths[:, 0, :12].sum(axis=1), paths[:, 0, 12:].sum(axis=1)
    assert np.allclose(forecast.change(last)[:, 0], then - now)
    # Before the draws, the reported count stands.
    early = first - np.timedelta64(1, "M")
    at = panel.reported[panel.index("WV"), panel.months == early]
    assert np.allclose(forecast.count_at(early), at)


def test_counts_that_no_world_has_together_are_not_compared(panel):
    sums = np.random.default_rng(1).poisson(900.0, (50, 1, 18)).astype(float)
    made = make(panel, ["WV"], months=18)
    apart = replace(made, draws=sums, target=TARGET_12MO, joint=frozenset())
    assert apart.change(panel.last_month + 12 * ONE_MONTH).shape == (50, 1)
    for table, column in ((apart.trend(), "stable"), (apart.summary(), "fall")):
        shares = table.set_index("horizon")[column]
        assert shares.loc[:12].notna().all()
        assert shares.loc[13:].isna().all()


PLACES = ("US", "AZ", "OH", "WV", "WY")  # in the order of CDC's table
WHOLE = od.get_model("dlm").fit(PANEL).forecast(draws=20)
LATE = np.random.default_rng(1).normal(0, 2, (20, 5, 11))

DAY = "2025-09-17"
ADAMS = "39001"


@cache
def forecast(name: str) -> od.Forecast:
    panel = od.bundled().as_of(DAY).panel()
    if name == "county":
        return made_forecast(draws=40)
    if name in ("made", "bare"):
        return made() if name == "made" else made(None)
    if name == "sums":  # of New York, within the Northeast and beside it
        dlm = forecast("dlm")
        northeast = dlm.region("Northeast")
        state = dlm.select("NY")
        return replace(
            northeast,
            locations=("Northeast", "NY"),
            draws=np.concatenate([northeast.draws, state.draws], axis=1),
            known=np.concatenate([northeast.known, state.known], axis=-2),
            beside={},
        )
    if name == "cut":
        return od.get_model("dlm").fit(panel.cut("2024-04")).forecast(draws=20)
    return od.get_model(name).fit(panel).forecast(3 if name == "drift" else 20, draws=20)


#: Of a forecast, what is called, and what is said.
SAID = [
    ("dlm", lambda f: f.index("Ohoi"), r"unknown location 'Ohoi'; did you mean Ohio"),
    ("made", lambda f: f.index("AZ"), "no forecast for AZ; too short"),
    ("county", lambda f: f.index("48113"), r"no forecast for 48113; it has: 39001.* [0-9]+ more$"),
    ("dlm", lambda f: f.select([]), "locations is empty"),
    ("dlm", lambda f: f.select(["OH", "39"]), r"locations names OH twice \('OH' and '39'\)"),
    ("made", lambda f: f.select("AZ"), r"the forecast has no AZ \(AZ: too short\)"),
    ("county", lambda f: f.select("Ohio"), r"its counties are OH/\*"),
    ("dlm", lambda f: f.trend([]), "locations is empty"),
    ("made", lambda f: f.years(locations="Ohoi"), "Ohoi"),
    ("made", lambda f: f.nowcast("CA"), "the forecast has no CA"),
    ("naive", lambda f: f.nation(), "not joint over locations, so they cannot be added; use a mo"),
    ("made", lambda f: f.nation(), "no forecast for AK"),
    ("county", lambda f: f.nation(), "is of counties, by residence, and US is a sum of states"),
    ("county", lambda f: f.with_nation(), "is of counties, by residence"),
    ("county", lambda f: f.region("Midwest"), "and Midwest is a sum of states; add counties: "),
    ("dlm", lambda f: f.region("Midwst"), "unknown region 'Midwst'; did you mean 'Midwest'"),
    ("dlm", lambda f: f.total("Ohio", "x"), r"locations is 'Ohio', not a list of places; write "),
    ("dlm", lambda f: f.total(None, "x"), "locations is None, not a list"),
    ("dlm", lambda f: f.total(["OH"], ""), r"name is '', not a name; write total\("),
    ("dlm", lambda f: f.total([], "x"), "no location to add up to 'x'; name one or more"),
    ("dlm", lambda f: f.total(["WV", "54"], "x"), "WV, WV would count WV twice; leave one out"),
    ("sums", lambda f: f.total(["Northeast", "NY"], "x"), "Northeast, NY would count NY twice"),
    ("dlm", lambda f: f.total(["US", "WV"], "x"), "US already holds the other locations"),
    *(("dlm", lambda f, n=name: f.total(["OH", "WV"], n), "is the name of a place, which is not")
      for name in ("CA", "California", "US", "United States", "West", "OH")),
    ("county", lambda f: f.total(["39035", ADAMS], "39163"), "'39163' is the name of a place"),
    ("dlm", lambda f: f.samples("deaths_week"), "unknown target 'deaths_week'; did you mean"),
    ("county", lambda f: f.samples(TARGET_MONTH), "does not forecast deaths_month; it forecasts d"),
    ("county", lambda f: f.to_frame(target=TARGET_MONTH), "does not forecast deaths_month"),
    ("made", lambda f: replace(f, joint=frozenset({"location"})).samples(),
     "not joint over months, so they cannot be added; ask for single months"),
    ("dlm", lambda f: f.count_at("2027-01"), "2027-01 lies after the forecast, which ends 2026-12"),
    ("dlm", lambda f: f.change("2030-01"), "lies after the forecast"),
    ("dlm", lambda f: f.count_at("1990-01"), "no count is known for 1990-01"),
    ("bare", lambda f: f.count_at("2021-01"), "no count is known for 2021-01"),
    ("dlm", lambda f: f.count_at("soon"), "'soon' is not a date"),
    ("dlm", lambda f: replace(f, joint=frozenset()).change(f.months[0] + 12 * ONE_MONTH),
     "those of 2025-05 and of 2024-05 belong to no one world"),
    ("dlm", lambda f: replace(f, joint=frozenset()).change("2026-12"),
     "those of 2026-12 and of 2025-12 belong to no one world"),
    *(("made", lambda f, x=level: f.quantiles([0.5, x]), "a quantile level is .*, allowed: a num")
      for level in (0.0, 1.0, 1.5, "a", None, True, float("nan"))),
    ("made", lambda f: f.quantiles([]), "no quantile level is named; name one"),
    ("made", lambda f: f.quantiles([[0.1], [0.2, 0.3]]), r"levels are \[\[0\.1\], .*give num"),
    ("made", lambda f: f.probability_below("a"), "value is 'a'; give a number of deaths"),
    ("made", lambda f: f.probability_below([1, 2, 3]), r"value is \[1, 2, 3\]; give a number"),
    ("made", lambda f: f.probability_below(None), "value is NaN"),
    *((who, lambda f, m=method, x=level: getattr(f, m)(level=x), "level is .*, allowed: a number")
      for who, method in (("made", "summary"), ("made", "nowcast"), ("county", "counties"))
      for level in (0.0, 1.0, -0.1, 90, float("nan"))),
    ("drift", lambda f: f.years(), "no year ends in the forecast, 2025-05 to 2025-07; forecast f"),
    ("dlm", lambda f: f.counties(), r"of states, whose counts are not hidden; forecast\.summary"),
    ("bare", lambda f: f.nowcast(), "has no panel"),
    ("cut", lambda f: f.nowcast(), "all counts up to 2024-04 are final: .*nothing"),
    ("naive", lambda f: f.nowcast(), "naive takes the last counts as reported.*use dlm"),
    ("county", lambda f: f.nowcast(), "does not complete those"),
    ("county", lambda f: f.ranking(0), "k is 0"),
    ("county", lambda f: f.ranking(by="death"), "by is 'death'; did you mean 'deaths'"),
    ("county", lambda f: f.ranking(month="2030-01"), "2030-01 is not forecast; from 2023-04 to 2"),
    ("county", lambda f: f.select(ADAMS).ranking(), "1 single places: a ranking needs two"),
    ("county", lambda f: f.ranking(by="rate"), "no place has a population.*with_population"),
    ("dlm", lambda f: f.select(["NY", "YC"]).ranking(by="rate"), "no place has a pop.*by deaths"),
    ("naive", lambda f: f.ranking(), "not joint over locations, so places cannot be compared"),
    ("dlm", lambda f: f.text("Ohio", "NY"), "record is 'NY', no results of a backtest; a text is"),
    ("dlm", lambda f: f.text(["Ohio", "NY"]), "location names 2 places, and a text is of one"),
    ("made", lambda f: f.text(), r"2 locations and no US.*name one: text\('WV'\)"),
    ("dlm", lambda f: f.part("heroin"), "this forecast holds no heroin; it holds T40.4"),
    ("naive", lambda f: f.part("T40.4"), "holds no T40.4; FL: no reported count in the last mon"),
    ("made", lambda f: f.part("T40.4"), "holds no T40.4; dlm carries T40.4 where"),
    ("dlm", lambda f: f.with_parts({"x": f.first(3)}), "x does not belong to these draws"),
    *(("made", lambda _, x=shape: made(known=np.ones(x)), "known has shape")
      for shape in ((2, 10), (3, 2, 11), (7, 1, 11), (7, 11), (11,))),
    ("made", lambda _: made(draws=np.ones((7, 3, 5))), r"shape \(7, 3, 5\), expected \(D, \(2, 5"),
    ("made", lambda _: made(draws=np.ones((0, 2, 5))), "draws have shape"),
    ("made", lambda f: made(months=f.months[[0, 1, 2, 3, 3]]), "months must be consecutive"),
    ("made", lambda _: made(locations=("OH", "OH")), "locations must be distinct"),
    ("made", lambda _: made(joint=frozenset({"x"})), "unknown axis in"),
    ("made", lambda _: made(target="x"), "unknown axis in .* or target 'x'"),
    ("made", lambda f: replace(f, draws=np.where(f.draws == f.draws[2, 1, 1], np.inf, f.draws)),
     "1 draws are not finite, first at draw 2, OH, 2021-06"),
    ("dlm", lambda _: od.get_model().fit(od.bundled()), r"panel is Archive, not a Panel; archive"),
    ("dlm", lambda f: od.project(f, "cooperation-resumed"), r"no Scenario; od\.scenario\.named"),
    ("dlm", lambda f: od.get_model("naive").fit(f.panel).forecast(until="2099-01"), "at most 120"),
    ("dlm", lambda _: od.register("dlm", od.get_model("naive")), "for example 'my-dlm'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "call", "said"), SAID)
def test_a_refusal_says_what_is_wrong_and_what_to_do(name, call, said):
    with pytest.raises(OdforecastError, match=said) as caught:
        call(forecast(name))
    assert "\n" not in str(caught.value)


def test_a_place_that_is_none_is_another_mistake_than_one_that_is_not_there():
    with pytest.raises(UnknownNameError):
        forecast("made").select("Ohoi")
    with pytest.raises(ForecastError):
        forecast("made").select("CA")


def test_the_release_is_named_not_the_day_asked_for():
    panel = od.bundled().as_of("2026-01-01").panel()
    late, cut = (
        od.get_model("naive").fit(p).forecast(draws=20) for p in (panel, panel.cut("2022-06"))
    )
    assert late.as_of == dt.date(2026, 1, 1)
    assert published_on(late) == dt.date(2025, 9, 17)
    assert "as published by September 17, 2025" in late.text("Ohio")
    assert published_on(cut) == cut.as_of < dt.date(2025, 9, 17)
    assert ", a final count." in cut.text("Ohio")


def test_paths_of_counts_are_counts_and_give_no_months():
    sums = made(target=TARGET_12MO)
    assert sums.samples() is sums.draws
    assert sums.targets == {TARGET_12MO}
    # One month ahead is added to known ones, joint over months or not.
    one = made(draws=np.full((7, 2, 1), 9.0), known=np.ones((2, 11)), joint=frozenset(),
               months=np.array(["2021-07"], dtype="M8[M]"))  # fmt: skip
    assert (one.samples() == 20.0).all()


def test_a_place_comes_first_everywhere():
    delayed = forecast("naive+delay")
    for table in (delayed.summary, delayed.years, delayed.trend, delayed.nowcast):
        assert set(table("Ohio")["location"]) == {"OH"}
    assert delayed.text("Ohio").startswith("In Ohio, ")
    assert forecast("dlm").select(JURISDICTIONS).text().startswith("In the United States, ")
    assert delayed.quantiles(0.5).shape == delayed.quantiles([0.5]).shape
