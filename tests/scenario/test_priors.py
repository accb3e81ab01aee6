from __future__ import annotations

import math

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from odforecast.errors import ScenarioError
from odforecast.scenario import (
    Beta,
    Dose,
    Fixed,
    LogNormal,
    Normal,
    Percent,
    Quantiles,
    Uniform,
    parse_scenarios,
)
from odforecast.scenario.priors import TOLERANCE

PLAIN = [Normal(-0.45, 0.2), LogNormal(6, 0.5), Uniform(9, 15), Beta(1.5, 4), Fixed(3)]
SAID = [
    Quantiles({0.05: -0.3, 0.5: -0.1}),
    Quantiles({0.05: -0.6, 0.5: -0.2, 0.95: -0.05}),
    Percent(Normal(-9, 5)),
    Percent(-30),
    Percent(Quantiles({0.05: -30, 0.5: -10})),
    Dose(-40, Uniform(0, 0.84)),
    Dose(25, Beta(2, 3)),
    Dose(-40, 0.5),
]
TIMES = Quantiles({0.05: 1, 0.95: 12}, "positive")
SHARES = Quantiles({0.1: 0.05, 0.5: 0.2, 0.9: 0.6}, "unit")


def of_file(**keys):
    """The intervention of a file with these keys."""
    text = yaml.safe_dump({"name": "s", "interventions": [{"name": "x", **keys}]})
    return parse_scenarios(text)[0].interventions[0]


@pytest.mark.parametrize("prior", [*PLAIN, *SAID, TIMES, SHARES], ids=str)
def test_draws_have_the_moments_they_claim(prior):
    drawn = prior.draw(np.random.default_rng(1), 200_000)
    assert drawn.mean() == pytest.approx(prior.mean, abs=0.02 * max(1, abs(prior.mean)))
    assert drawn.std() == pytest.approx(prior.sd, rel=0.03, abs=1e-9)


@given(
    change=st.floats(-79, 390).filter(lambda x: abs(x) > 1e-5),
    sd=st.floats(1e-3, 0.3),
    small=st.booleans(),
)
def test_a_percent_reads_back_however_small(change, sd, small):
    one = Percent(Normal(change / 1000 if small else change, sd))
    assert of_file(**one.to_dict()).size == one
    assert of_file(**Percent(change).to_dict()).size == Percent(change)


def test_two_quantiles_are_met_exactly_by_a_normal():
    said = Quantiles({0.05: -30, 0.5: -10})
    sd = 20 / 1.6448536269514722
    u = np.linspace(0.01, 0.99, 99)
    assert said.ppf(u) == pytest.approx(Normal(-10, sd).ppf(u), abs=1e-9)
    assert str(said) == "5%: -30, 50%: -10; fitted Normal(-10, 12.16)"
    assert str(Percent(said)) == "5%: -30%, 50%: -10%; fitted Normal(-10%, 12.16%)"


levels = st.tuples(st.floats(0.01, 0.3), st.floats(0.35, 0.65), st.floats(0.7, 0.99))


@given(p=levels, first=st.floats(-40, 5), up=st.floats(0.5, 20), ratio=st.floats(0.2, 5))
def test_three_quantiles_are_met_and_rise(p, first, up, ratio):
    z = [Normal(0, 1).ppf(np.array(x)) for x in p]
    values = (first, first + up, first + up + up * ratio * (z[2] - z[1]) / (z[1] - z[0]))
    said = Quantiles(tuple(zip(p, values)))
    assert said.ppf(np.array(p)) == pytest.approx(values, abs=1e-6 * (values[2] - values[0]))
    drawn = said.ppf(np.linspace(0.001, 0.999, 500))
    assert (np.diff(drawn) > 0).all()


def test_four_quantiles_are_met_or_refused():
    near = {0.05: -30, 0.25: -15, 0.5: -10, 0.75: -5, 0.95: 3}
    said = Quantiles(near)
    miss = said.ppf(np.array(list(near))) - np.array(list(near.values()))
    assert np.abs(miss).max() < TOLERANCE * 33
    assert "5%: -30, 25%: -15" in str(said)
    assert "with 5%: -29.6, 25%: -16.4" in str(said)
    with pytest.raises(ScenarioError, match=r"no smooth .* the nearest has 5%: -33, 25%: -16"):
        Quantiles({0.05: -30, 0.25: -29, 0.5: 5, 0.95: 6})


def test_times_stay_above_zero_and_shares_within_one():
    u = np.array([1e-9, 0.05, 0.5, 0.95, 1 - 1e-9])
    assert (TIMES.ppf(u) > 0).all()
    assert TIMES.ppf(u)[[1, 3]] == pytest.approx([1, 12])
    assert str(TIMES) == "5%: 1, 95%: 12; fitted LogNormal(3.464, 0.7554)"
    assert ((SHARES.ppf(u) > 0) & (SHARES.ppf(u) < 1)).all()
    assert SHARES.ppf(np.array([0.1, 0.5, 0.9])) == pytest.approx([0.05, 0.2, 0.6])


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (7, "quantiles is 7, allowed: two or more"),
        ({0.05: -10, 0.5: -10}, "allowed: values that rise"),
        (((0.05, 1), (0.05, 2)), "5% is given twice"),
        ({0: 1, 0.5: 2}, "allowed: above 0% and below 100%"),
        ({0.5: 1, 1: 2}, "1 is no quantile"),
        ({0.05: -math.inf, 0.5: 1}, "5% is -inf, allowed: a number up to"),
    ],
)
def test_quantiles_nobody_can_mean(points, words):
    with pytest.raises(ScenarioError) as caught:
        Quantiles(points)
    assert words in str(caught.value)


def test_a_percent_is_of_deaths_at_full_strength():
    assert Percent(-30).ppf(np.array(0.5)) == pytest.approx(math.log(0.7))
    assert Percent(-30).sd == 0.0
    assert 100 * np.expm1(Percent(Normal(-9, 5)).ppf(np.array([0.5, 0.05]))) == pytest.approx(
        [-9, -9 - 5 * 1.6448536]
    )


@pytest.mark.parametrize(
    ("value", "same"),
    [
        (-30, Percent(-30)),
        ("-30%", Percent(-30)),
        ("−30%", Percent(-30)),
        ("-0.3%", Percent(-0.3)),
        (0, Percent(0)),
        ({"normal": [-9, 5]}, Percent(Normal(-9, 5))),
        ({"normal": ["-9%", "5%"]}, Percent(Normal(-9, 5))),
        ({"normal": {"mean": "-0.09%", "sd": "0.05%"}}, Percent(Normal(-0.09, 0.05))),
        ({"quantiles": {"5%": "-30%", "50%": -10}}, Percent(Quantiles({0.05: -30, 0.5: -10}))),
        ({"quantiles": {"0.05": -30, "0.5": -10}}, Percent(Quantiles({0.05: -30, 0.5: -10}))),
    ],
)
def test_ways_to_say_a_percent(value, same):
    assert of_file(percent=value).size == same


def test_a_dose_is_its_change_times_the_elasticity():
    dose = Dose(-40, Uniform(0, 0.84))
    u = np.array([0.0, 0.25, 1.0])
    assert dose.ppf(u) == pytest.approx(math.log(0.6) * 0.84 * (1 - u))
    assert (np.diff(dose.ppf(np.linspace(0, 1, 50))) > 0).all()
    assert Dose(-40, 1).ppf(np.array(0.3)) == pytest.approx(math.log(0.6))
    assert Dose(25, Uniform(0, 1)).ppf(u) == pytest.approx(math.log(1.25) * u)


def test_shares_may_be_percents():
    assert of_file(size=-0.1, share="40%").share == Fixed(0.4)
    assert of_file(size=-0.1, share={"uniform": ["20%", "60%"]}).share == Uniform(0.2, 0.6)
    said = of_file(size=-0.1, share={"quantiles": {"5%": "10%", "95%": "60%"}}).share
    assert said.scale == "unit"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Fixed(math.nan),
        lambda: Normal(math.inf, 1),
        lambda: Normal(0, math.inf),
        lambda: Uniform(0, math.inf),
        lambda: LogNormal(math.inf, 1),
        lambda: Fixed("1"),
        lambda: Percent("-30"),
        lambda: Dose(math.nan, 1),
        lambda: Quantiles({0.5: 1, 0.6: 2}, "odd"),
    ],
)
def test_no_prior_is_made_of_what_is_no_number(make):
    with pytest.raises(ScenarioError):
        make()
