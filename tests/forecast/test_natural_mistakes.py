"""What people try first, and what they are told."""

from __future__ import annotations

import datetime as dt

import pytest

import odforecast as od
from odforecast.forecast.tables import published_on
from odforecast.say import between, step_of


@pytest.fixture(scope="module")
def panel():
    return od.bundled().as_of("2025-09-17").panel()


@pytest.fixture(scope="module")
def forecast(panel):
    return od.get_model("naive+delay").fit(panel).forecast(draws=60)


def test_a_place_comes_first_everywhere(forecast):
    assert set(forecast.summary("Ohio")["location"]) == {"OH"}
    assert set(forecast.years("Ohio")["location"]) == {"OH"}
    assert set(forecast.trend("Ohio")["location"]) == {"OH"}
    assert set(forecast.nowcast("Ohio")["location"]) == {"OH"}
    assert forecast.text("Ohio").startswith("In Ohio, ")
    assert forecast.quantiles(0.5).shape == forecast.quantiles([0.5]).shape


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda f: f.text("Ohio", "NY"), r"record is 'NY', no results of a backtest; a text is of"),
        (lambda f: f.text(["Ohio", "NY"]), r"location names 2 places, and a text is of one"),
        (
            lambda _: od.get_model().fit(od.bundled()),
            r"panel is Archive, not a Panel; archive\.as_of",
        ),
        (lambda f: od.project(f, "cooperation-resumed"), r"no Scenario; od\.scenario\.named"),
        (lambda f: od.get_model("naive").fit(f.panel).forecast(until="2099-01"), r"at most 120"),
        (lambda f: f.probability_below("a"), r"value is 'a'; give a number of deaths"),
        (lambda f: f.probability_below([1, 2, 3]), r"value is \[1, 2, 3\]; give a number"),
        (lambda f: f.quantiles([[0.1], [0.2, 0.3]]), r"quantile levels are \[\[0\.1\], .*give num"),
    ],
)
def test_natural_mistakes_are_answered(forecast, call, said):
    with pytest.raises(od.OdforecastError, match=said):
        call(forecast)


def test_the_release_is_named_not_the_day_asked_for():
    late = od.bundled().as_of("2026-01-01").panel()
    made = od.get_model("naive").fit(late).forecast(draws=20)
    assert made.as_of == dt.date(2026, 1, 1)
    assert published_on(made) == dt.date(2025, 9, 17)
    assert "as published by September 17, 2025" in made.text("Ohio")
    cut = od.get_model("naive").fit(late.cut("2022-06")).forecast(draws=20)
    assert published_on(cut) == cut.as_of < dt.date(2025, 9, 17)


def test_an_end_that_is_no_zero_is_not_rounded_to_one():
    assert between(384, 20_708) == "400 to 20,700"
    assert between(-20_708, -384) == "-20,700 to -400"
    assert between(-300, 20_708) == "0 to 21,000"  # zero lies inside
    assert step_of(0.2, 900) == 1.0


def test_a_model_of_ones_own_never_takes_the_place_of_the_default():
    with pytest.raises(od.OdforecastError, match=r"give yours another, for example 'my-dlm'"):
        od.register("dlm", od.get_model("naive"))
    assert od.get_model().label == "dlm"
    assert od.get_model().spec.model == "dlm"
