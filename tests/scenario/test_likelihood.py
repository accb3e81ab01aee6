"""Past events in the likelihood: the known exposure, and a large effect that is found."""

from __future__ import annotations

import datetime as dt
import pickle
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm

from odforecast.errors import ScenarioError
from odforecast.models.hierarchy.inputs import REST
from odforecast.models.hierarchy.model import Hierarchical, container
from odforecast.names import ALL_DRUGS, VINTAGE_CLEAN
from odforecast.panel import Panel
from odforecast.scenario.growth import growth_changes
from odforecast.scenario.intervention import Intervention, Rebound
from odforecast.scenario.likelihood import past_effects, posterior_against_prior, savage_dickey
from odforecast.scenario.priors import Beta, Fixed, Normal

STATES = ("AZ", "CT", "OH", "WV")
FELT = {"AZ": 0.0, "CT": 0.0, "OH": 1.0, "WV": 1.0}
GRID = np.datetime64("2016-01") + np.arange(51).astype("timedelta64[M]")
SHOCK = Intervention(
    "shock",
    Normal(-0.3, 0.3),
    onset="2018-01",
    lag=Fixed(1),
    ramp=Fixed(4),
    half_life=Fixed(12),
    exposure=FELT,
)
INJECTED = -0.6


@cache
def panel() -> Panel:
    """Flat epidemics with the effect in OH and WV only; 40 12-month sums."""
    rng = np.random.default_rng(3)
    felt = np.array([FELT[s] for s in STATES])
    mean = np.array([300.0, 200.0, 400.0, 250.0])[:, None] * np.exp(
        INJECTED * felt[:, None] * by_hand(GRID)
    )
    months = rng.poisson(mean).astype(float)
    sums = np.lib.stride_tricks.sliding_window_view(months, 12, axis=1).sum(axis=2)
    unknown = np.full(sums.shape, np.nan)
    day = dt.date(2020, 9, 1)
    return Panel(
        indicator=ALL_DRUGS,
        as_of=day,
        release=day,
        vintage=VINTAGE_CLEAN,
        locations=STATES,
        months=GRID[11:],
        reported=sums,
        predicted=sums,
        complete=unknown,
        pending=unknown,
    )


def by_hand(months: np.ndarray) -> np.ndarray:
    """Lag 1, ramp 4, half-life 12, in plain arithmetic."""
    out = []
    for month in months:
        x = int((month - np.datetime64("2018-01")).astype(int)) - 1
        rise = 0.0 if x < 0 else min(x / 4, 1.0)
        out.append(rise * 2 ** (-max(x - 4, 0) / 12))
    return np.array(out)


def test_exposure_is_the_formula() -> None:
    (effect,) = past_effects([SHOCK], panel())
    assert (effect.name, effect.mean, effect.scale) == ("shock", -0.3, 0.3)
    inputs, _ = Hierarchical(effects=(effect,)).inputs(panel())
    felt = np.array([FELT[s] for s in inputs.locations])
    np.testing.assert_allclose(inputs.exposure[0], felt[:, None] * by_hand(inputs.months))
    np.testing.assert_array_equal(inputs.effect_mean, [-0.3])
    # Months after the last known one are there too: the forecast carries on what is left.
    ahead = np.array(["2021-02"], "datetime64[M]")
    np.testing.assert_allclose(effect.exposure(["OH"], ahead), by_hand(ahead)[None])
    assert pickle.loads(pickle.dumps(effect)).mean == -0.3


def test_rest_of_the_nation_feels_what_the_nation_feels() -> None:
    x = replace(SHOCK, exposure="fentanyl-share")
    shares = {"fentanyl-share": dict.fromkeys(STATES, 0.5) | {"US": 0.7}}
    (effect,) = past_effects([x], panel(), shares)
    month = np.array(["2018-06"], "datetime64[M]")
    np.testing.assert_allclose(effect.exposure(["OH", REST], month)[:, 0], [0.5, 0.7])


def test_coefficients_are_labelled_by_event() -> None:
    effects = past_effects([SHOCK, replace(SHOCK, name="other")], panel())
    inputs, _ = Hierarchical(effects=effects).inputs(panel())
    idata = container(inputs, effects, {"effect": np.zeros((1, 5, 2))}, None)
    assert idata["posterior"]["effect"].sel(effect_name="other").shape == (1, 5)


def test_prior_is_that_of_size_times_share() -> None:
    x = replace(SHOCK, share=Beta(1.5, 4))
    (effect,) = past_effects([x], panel())
    rng = np.random.default_rng(0)
    drawn = x.size.draw(rng, 200_000) * x.share.draw(rng, 200_000)
    assert effect.mean == pytest.approx(drawn.mean(), abs=0.002)
    assert effect.scale == pytest.approx(drawn.std(), rel=0.01)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"onset": ("2018-01", "2018-03")}, "allowed in a likelihood: one month"),
        ({"onset": "2021-01"}, "up to 2020-03"),
        ({"onset": "2015-01"}, "after 2016-01"),
        ({"rebound": Rebound(Beta(2, 8))}, "rebound cannot enter"),
        ({"size": Fixed(-0.3)}, "not fixed"),
        ({"exposure": 0.0}, "no month of the panel"),
        ({"exposure": "fentanyl-share"}, "needs shares by location"),
    ],
)
def test_what_cannot_enter(change, message) -> None:
    with pytest.raises(ScenarioError, match=message):
        past_effects([replace(SHOCK, **change)], panel())


def test_names_are_unique() -> None:
    with pytest.raises(ScenarioError, match="allowed: each once"):
        past_effects([SHOCK, SHOCK], panel())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_large_effect_is_found() -> None:
    effects = past_effects([SHOCK], panel())
    model = Hierarchical(draws=150, tune=200, chains=1, cores=1, effects=effects)
    fitted = model.fit(panel())
    (row,) = posterior_against_prior(fitted, [SHOCK]).to_dict("records")
    assert row["prior_mean"] == -0.3
    assert row["posterior_mean"] == pytest.approx(INJECTED, abs=0.15)
    assert row["ratio"] < 0.8
    assert row["ratio"] == pytest.approx(row["posterior_sd"] / 0.3)
    assert not row["prior_dominated"]
    assert row["bayes_factor"] < 0.01
    assert row["p_null"] == row["prior_p_null"] == 0.0
    total = replace(
        panel().select(["AZ"]),
        reported=panel().reported.sum(axis=0)[None],
        predicted=panel().reported.sum(axis=0)[None],
    )
    changes = growth_changes(total, "AZ").set_index("month")
    assert row["placebo_percentile"] == changes.at["2018-01", "percentile"]
    assert row["placebo_months"] == len(changes) == 16
    assert row["placebo_of"] == "sum of 4 locations"
    with pytest.raises(ScenarioError, match="not in the likelihood with this prior"):
        posterior_against_prior(fitted, [replace(SHOCK, size=Normal(0.0, 1.0))])


def test_bayes_factor_is_the_ratio_of_densities_at_nothing() -> None:
    before, after = norm(-0.3, 0.3), norm(-0.1, 0.05)
    expected = after.pdf(0.0) / before.pdf(0.0)
    assert savage_dickey((-0.3, 0.3), (-0.1, 0.05)) == pytest.approx(expected)
    assert savage_dickey((-0.3, 0.3), (-0.3, 0.3)) == 1.0


def test_posterior_against_prior_by_hand() -> None:
    """What the table says of draws that are known: no sampler is needed."""
    (effect,) = past_effects([SHOCK], panel())
    rng = np.random.default_rng(1)
    draws = rng.normal(-0.4, 0.05, (2, 500, 1))
    idata = {"posterior": {"effect": SimpleNamespace(values=draws)}}
    fitted = SimpleNamespace(effects=(effect,), panel=panel(), idata=idata)
    (row,) = posterior_against_prior(fitted, [SHOCK]).to_dict("records")
    assert row["posterior_mean"] == pytest.approx(draws.mean())
    assert row["ratio"] == pytest.approx(draws.std(ddof=1) / 0.3)
    assert row["bayes_factor"] < 1e-6
    assert not row["prior_dominated"]
    assert row["placebo_of"] == "sum of 4 locations"
    vague = {"posterior": {"effect": SimpleNamespace(values=rng.normal(-0.3, 0.29, (2, 500, 1)))}}
    same = SimpleNamespace(effects=(effect,), panel=panel(), idata=vague)
    (row,) = posterior_against_prior(same, [SHOCK]).to_dict("records")
    assert row["prior_dominated"]
    with pytest.raises(ScenarioError, match="not in the likelihood with this prior"):
        posterior_against_prior(fitted, [replace(SHOCK, size=Normal(0.0, 1.0))])
