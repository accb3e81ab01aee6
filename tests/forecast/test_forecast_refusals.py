"""What a forecast refuses, and what it says: what is wrong, and what to do."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from county_forecasts import made_forecast
from forecast_factory import made

import odforecast as od
from odforecast.errors import ForecastError, OdforecastError, UnknownNameError
from odforecast.forecast.tables import published_on
from odforecast.names import TARGET_12MO, TARGET_MONTH

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
        return od.Forecast.concat([dlm.region("Northeast"), dlm.select("NY")])
    if name == "cut":
        return od.get_model("dlm").fit(panel.cut("2024-04")).forecast(draws=20)
    return od.get_model(name).fit(panel).forecast(3 if name == "drift" else 20, draws=20)


#: Of a forecast, what is called, and what is said.
SAID = [
    # places
    ("dlm", lambda f: f.index("Ohoi"), r"unknown location 'Ohoi'; did you mean Ohio"),
    ("made", lambda f: f.index("AZ"), "no forecast for AZ; too short"),
    ("county", lambda f: f.index("48113"), r"no forecast for 48113; it has: 39001, .*, …$"),
    ("dlm", lambda f: f.select([]), "locations is empty"),
    ("dlm", lambda f: f.select(["OH", "39"]), r"locations names OH twice \('OH' and '39'\)"),
    ("made", lambda f: f.select("AZ"), r"the forecast has no AZ \(AZ: too short\)"),
    ("county", lambda f: f.select("Ohio"), r"its counties are OH/\*"),
    ("dlm", lambda f: f.trend([]), "locations is empty"),
    ("made", lambda f: f.years(locations="Ohoi"), "Ohoi"),
    ("made", lambda f: f.nowcast("CA"), "the forecast has no CA"),
    # sums
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
    *(
        ("dlm", lambda f, n=name: f.total(["OH", "WV"], n), "is the name of a place, which is not")
        for name in ("CA", "California", "US", "United States", "West", "OH")
    ),
    ("county", lambda f: f.total(["39035", ADAMS], "39163"), "'39163' is the name of a place"),
    # draws
    ("dlm", lambda f: f.samples("deaths_week"), "unknown target 'deaths_week'; did you mean"),
    ("county", lambda f: f.samples(TARGET_MONTH), "does not forecast deaths_month; it forecasts d"),
    ("county", lambda f: f.to_frame(target=TARGET_MONTH), "does not forecast deaths_month"),
    (
        "made",
        lambda f: replace(f, joint=frozenset({"location"})).samples(),
        "not joint over months, so they cannot be added; ask for single months",
    ),
    ("dlm", lambda f: f.count_at("2030-01"), "2030-01 lies after the forecast, which ends 2026-12"),
    ("dlm", lambda f: f.change("2030-01"), "lies after the forecast"),
    ("dlm", lambda f: f.count_at("1990-01"), "no count is known for 1990-01"),
    ("bare", lambda f: f.count_at("2021-01"), "no count is known for 2021-01"),
    ("dlm", lambda f: f.count_at("soon"), "'soon' is not a date"),
    (
        "dlm",
        lambda f: replace(f, joint=frozenset()).change("2026-12"),
        "those of 2026-12 and of 2025-12 belong to no one world",
    ),
    *(
        ("made", lambda f, x=level: f.quantiles([0.5, x]), "a quantile level is .*, allowed: a num")
        for level in (0.0, 1.0, 1.5, "a", None, True)
    ),
    ("made", lambda f: f.quantiles([]), "no quantile level is named; name one"),
    ("made", lambda f: f.quantiles([[0.1], [0.2, 0.3]]), r"levels are \[\[0\.1\], .*give num"),
    ("made", lambda f: f.probability_below("a"), "value is 'a'; give a number of deaths"),
    ("made", lambda f: f.probability_below([1, 2, 3]), r"value is \[1, 2, 3\]; give a number"),
    ("made", lambda f: f.probability_below(None), "value is NaN"),
    # tables
    *(
        (who, lambda f, m=method, x=level: getattr(f, m)(level=x), "level is .*, allowed: a number")
        for who, method in (("made", "summary"), ("made", "nowcast"), ("county", "counties"))
        for level in (0.0, 1.0, -0.1, 90, float("nan"))
    ),
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
    # texts
    ("dlm", lambda f: f.text("Ohio", "NY"), "record is 'NY', no results of a backtest; a text is"),
    ("dlm", lambda f: f.text(["Ohio", "NY"]), "location names 2 places, and a text is of one"),
    ("made", lambda f: f.text(), r"2 locations and no US.*name one: text\('WV'\)"),
    # parts
    ("dlm", lambda f: f.part("heroin"), "this forecast holds no heroin; it holds T40.4"),
    ("naive", lambda f: f.part("T40.4"), "holds no T40.4; FL: no reported count in the last mon"),
    ("made", lambda f: f.part("T40.4"), "holds no T40.4; dlm carries T40.4 where"),
    ("dlm", lambda f: f.with_parts({"x": f.first(3)}), "x does not belong to these draws"),
    # what it is made of
    *(
        ("made", lambda _, x=shape: made(known=np.ones(x)), "known has shape")
        for shape in ((2, 10), (3, 2, 11), (7, 1, 11), (7, 11), (11,))
    ),
    ("made", lambda _: made(draws=np.ones((7, 3, 5))), r"shape \(7, 3, 5\), expected \(D, \(2, 5"),
    ("made", lambda _: made(draws=np.ones((0, 2, 5))), "draws have shape"),
    ("made", lambda f: made(months=f.months[[0, 1, 2, 3, 3]]), "months must be consecutive"),
    ("made", lambda _: made(locations=("OH", "OH")), "locations must be distinct"),
    ("made", lambda _: made(joint=frozenset({"x"})), "unknown axis in"),
    ("made", lambda _: made(target="x"), "unknown axis in .* or target 'x'"),
    ("made", lambda f: replace(f, draws=np.where(f.draws == f.draws[2, 1, 1], np.inf, f.draws)),
     "1 draws are not finite, first at draw 2, OH, 2021-06"),
    # others
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


def test_paths_of_counts_are_counts_and_give_no_months():
    sums = made(target=TARGET_12MO)
    assert sums.samples() is sums.draws
    assert sums.targets == {TARGET_12MO}


def test_a_place_comes_first_everywhere():
    delayed = forecast("naive+delay")
    for table in (delayed.summary, delayed.years, delayed.trend, delayed.nowcast):
        assert set(table("Ohio")["location"]) == {"OH"}
    assert delayed.text("Ohio").startswith("In Ohio, ")
    assert delayed.quantiles(0.5).shape == delayed.quantiles([0.5]).shape
