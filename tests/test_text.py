"""Answers in sentences: of a forecast, and of a projection."""

import numpy as np
import pytest
from forecast_factory import made

import odforecast as od
from odforecast.forecasts.text import place_name
from odforecast.geography import LOCATIONS
from odforecast.say import between, chance, step_of


@pytest.fixture(scope="module")
def forecast(fitted):
    return fitted.forecast(12, draws=200, seed=1)


def test_three_sentences_with_the_nowcast(forecast):
    first, second, third = forecast.text("Ohio").removesuffix(".").split(". ")
    assert first.startswith(
        "In Ohio, 2,830 drug overdose deaths were reported for the 12 months ending in April 2025, "
        "as published by September 17, 2025; the final count will be about 2,8"
    )
    assert "(90% interval 2," in first
    assert second.startswith("For the 12 months ending in April 2026 the forecast is about ")
    assert "(90% interval " in second
    assert "than 12 months before" in third
    assert "; the probability of a fall is " in third
    # The numbers are those of the draws.
    ohio = forecast.select("Ohio")
    assert ohio.text() == forecast.text("Ohio")
    found = np.quantile(ohio.count_at("2026-04")[:, 0], [0.05, 0.5, 0.95])
    step = 100 if np.ptp(found) >= 700 else 10
    for value in found:
        assert f"{round(value / step) * step:,.0f}" in second
    moved = ohio.change("2026-04")[:, 0]
    assert f"the probability of a fall is {chance(float((moved < 0).mean()))}" in third
    assert f"{abs(round(float(np.median(moved)) / step) * step):,.0f} fewer" in third


def test_places_have_their_full_names(forecast):
    assert forecast.text().startswith("In the United States, 73,690 ")
    assert forecast.text("DC").startswith("In the District of Columbia, ")
    assert forecast.text("NY").startswith("In New York State without New York City, ")
    assert forecast.text("NYC").startswith("In New York City, ")
    for place in LOCATIONS:
        assert place.name.split(" of ")[0] in place_name(place.state)


def test_a_region_is_its_parts_and_a_class_is_named(forecast, panel):
    said = forecast.region("Midwest").text()
    states = [x.state for x in LOCATIONS if x.region == "Midwest"]
    count = panel.reported[[panel.locations.index(s) for s in states], -1].sum()
    assert said.startswith(f"In the Midwest, {count:,.0f} drug overdose deaths")
    assert "the probability of a fall" in said
    said = forecast.part("T40.4").text("Ohio")
    assert "drug overdose deaths with synthetic opioids (mostly fentanyl) were reported" in said
    assert "deaths with synthetic opioids (mostly fentanyl) (90% interval" in said.split(". ")[1]


def test_without_a_nowcast_it_says_so(panel):
    said = od.get_model("drift").fit(panel).forecast(6, draws=100).text("Ohio")
    first, second, third = said.removesuffix(".").split(". ")
    assert first.endswith("the forecast takes it as it is, though late reports may still change it")
    assert second.startswith("For the 12 months ending in October 2025 ")
    assert "than 12 months before" in third
    settled = panel.cut("2024-04")
    said = od.get_model("drift").fit(settled).forecast(12, draws=100).text("Ohio")
    assert ", a final count. " in said


@pytest.mark.parametrize(("share", "said"), [
    (0.0, "less than 1%"), (0.005, "less than 1%"), (0.0051, "1%"), (0.5, "50%"),
    (0.774, "75%"), (0.776, "80%"), (0.123, "10%"), (0.093, "9%"), (0.907, "91%"),
    (0.96, "96%"), (0.9949, "99%"), (0.995, "more than 99%"), (1.0, "more than 99%"),
])  # fmt: skip
def test_no_chance_is_0_or_100(share, said):
    assert chance(share) == said
    short = chance(share, short=True)
    assert short.replace("<", "less than ").replace(">", "more than ") == said


def test_an_end_that_is_no_zero_is_not_rounded_to_one():
    assert between(384, 20_708) == "400 to 20,700"
    assert between(-20_708, -384) == "-20,700 to -400"
    assert between(-300, 20_708) == "0 to 21,000"  # zero lies inside
    assert step_of(0.2, 900) == 1.0


def test_what_is_hidden_is_not_made_up():
    said = made(known=np.full((2, 11), np.nan)).text("WV")
    assert "nan" not in said.lower()
    assert "there is no forecast: a count is hidden" in said
