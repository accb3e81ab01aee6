"""What is compiled or drawn together equals the plain formula, one at a time, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from panel_factory import bundled_panel
from threadpoolctl import threadpool_limits

import odforecast as od
from odforecast.geography import JURISDICTIONS, NATION
from odforecast.models.baselines import past_errors, persistence
from odforecast.models.classical import _FITTERS
from odforecast.models.delay.constants import delays_for
from odforecast.models.delay.deficit import (
    CUT_SHARED,
    OPEN,
    Deficit,
    Factors,
    deficit,
    late_draws,
    prior_factors,
)
from odforecast.models.ensemble.model import LEVELS, MAX_HORIZON, Past, learn_weights
from odforecast.models.innovations import Innovations, Paths, ThetaPaths, drawn
from odforecast.models.kernels import quantiles_at
from odforecast.models.paths import months_from_sums, symmetric_quantiles, trailing_months
from odforecast.monthly.sums import rolling_sums
from odforecast.seeds import Streams

STREAMS = Streams(1, "states", "all-drugs", "2025-04")


@pytest.fixture(autouse=True)
def one_thread():
    """Products of matrices are added up in another order on several threads."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield


# Paths of the classical models


def plain_path(one: Paths, horizon: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Paths of one series, step by step, as their recursions read."""
    first = 0.0
    if isinstance(one, Innovations) and one.slope_sd:
        first = rng.standard_normal((draws, 1))
    errors = one.sigma * rng.standard_normal((horizon, draws)).T
    if isinstance(one, Innovations):
        slope = one.slope + one.slope_sd * first
        out = one.level + slope * np.arange(1, horizon + 1) + np.zeros((draws, 1))
        state = np.broadcast_to(one.state, (draws, one.state.size))
        for h in range(horizon):
            error = errors[:, h]
            out[:, h] += (state * one.observe).sum(axis=1) + error
            state = state @ one.transition.T + error[:, None] * one.gain
        return out
    assert isinstance(one, ThetaPaths)
    out = np.empty((draws, horizon))
    level, mean, a, b = (np.full(draws, x) for x in (one.level, one.mean, one.intercept, one.slope))
    keep = 1.0 - one.alpha
    for h in range(horizon):
        i = one.n + h
        line = a * keep**i + b * (1.0 - keep ** (i + 1)) / one.alpha
        y = level + (1.0 - 1.0 / one.theta) * line + errors[:, h]
        out[:, h] = y
        level = one.alpha * y + keep * level
        if one.dynamic:
            b = ((i - 1) * b + 6.0 * (y - mean) / (i + 1)) / (i + 2)
            mean = (i * mean + y) / (i + 1)
            a = mean - b * (i + 2) / 2.0
    return out


@st.composite
def fitted_series(draw) -> Paths:
    """A series of any form: state spaces of 1, 2, 3 and 12 numbers, Theta that learns or not."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    size = draw(st.sampled_from([0, 1, 2, 3, 12]))
    sigma = draw(st.sampled_from([0.0, 0.03]))
    if size == 0:
        level, mean, intercept, slope = rng.normal(5, 1, 4)
        return ThetaPaths(level, mean, intercept, slope / 100, rng.uniform(0.1, 0.99),
                          draw(st.sampled_from([1.0, 2.0, 37.5])), sigma,
                          draw(st.integers(24, 140)), draw(st.booleans()))  # fmt: skip
    line = draw(st.sampled_from([(0.0, 0.0, 0.0), (1.5, 0.01, 0.0), (0.0, 0.01, 0.004)]))
    return Innovations(rng.normal(0, 0.5, (size, size)), rng.normal(0, 1, size),
                       rng.normal(0, 1, size), rng.normal(5, 1, size), sigma, *line)  # fmt: skip


@given(st.lists(fitted_series(), min_size=1, max_size=6), st.integers(1, 14), st.integers(1, 40))
def test_paths_drawn_together_equal_each_alone(series, horizon, draws) -> None:
    made = drawn(series, horizon, draws, [np.random.default_rng(i) for i in range(len(series))])
    assert made.shape == (len(series), draws, horizon)
    for i, one in enumerate(series):
        by_hand = plain_path(one, horizon, draws, np.random.default_rng(i))
        assert made[i].tobytes() == by_hand.tobytes()
        assert one.draw(horizon, draws, np.random.default_rng(i)).tobytes() == by_hand.tobytes()


def test_another_form_draws_itself() -> None:
    class Flat:
        def draw(self, horizon: int, draws: int, _: np.random.Generator) -> np.ndarray:
            return np.full((draws, horizon), 7.0)

    rngs = [np.random.default_rng(i) for i in range(3)]
    walk = Innovations(np.eye(1), np.ones(1), np.ones(1), np.array([2.0]), 0.0)
    assert drawn([Flat(), walk, Flat()], 2, 2, rngs)[:, 0, 0].tolist() == [7.0, 2.0, 7.0]


# Estimates


@pytest.mark.parametrize("sums", [False, True])
def test_estimates_are_those_of_statsforecast_s_own_models(sums: bool) -> None:
    from statsforecast.models import AutoETS, AutoTheta

    panel = bundled_panel()
    for place in panel.locations:
        for n in (40, 93, None):
            months = trailing_months(panel, place)[:n]
            y = np.log1p(rolling_sums(months) if sums else months)
            ets = _FITTERS["auto-ets"](y)
            theirs = AutoETS(season_length=1, model="AAN", damped=True).fit(y).model_
            assert isinstance(ets, Innovations)
            assert ets.gain.tolist() == theirs["par"][:2].tolist()
            assert ets.observe[1] == theirs["par"][3]
            assert ets.state.tolist() == theirs["states"][-1].tolist()
            assert ets.sigma == float(np.sqrt(theirs["sigma2"]))
            theta = _FITTERS["auto-theta"](y)
            other = AutoTheta(season_length=1).fit(y).model_
            assert isinstance(theta, ThetaPaths)
            assert [theta.level, theta.mean, theta.intercept, theta.slope] == [
                float(x) for x in other["states"][-1][:4]
            ]
            assert (theta.alpha, theta.theta) == (other["par"]["alpha"], other["par"]["theta"])
            assert theta.dynamic == (other["modeltype"] in ("DSTM", "DOTM"))
            assert theta.sigma == float(np.std(np.asarray(other["residuals"])[3:], ddof=1))


# Baselines


@given(
    st.integers(0, 10**6),
    st.integers(1, 40),
    st.lists(st.floats(0.0, 1.0, allow_subnormal=False), min_size=1, max_size=9),
    st.sampled_from([1.0, 1.7]),
)
def test_quantiles_are_numpy_s(seed, n, levels, factor) -> None:
    values = np.random.default_rng(seed).normal(0, 100, (2, 3, n)).round(1)
    values.sort(axis=2)
    given_levels = np.array([levels] * 3)
    out = np.empty((len(levels), 3, 2))
    quantiles_at(values, np.array([n, n]), np.array([factor, 1.0]), given_levels, out)
    for h, times in enumerate((factor, 1.0)):
        for g in range(3):
            by_hand = times * np.quantile(values[h, g], levels)
            assert out[:, g, h].tolist() == by_hand.tolist()


@pytest.mark.parametrize("name", ["hub-baseline", "damped-trend"])
def test_a_baseline_s_spread_is_that_of_each_place_and_horizon(name: str) -> None:
    from odforecast.models.baselines import damped_trend
    from odforecast.models.paths import shuffled_levels

    panel = bundled_panel()
    forecast = od.get_model(name).fit(panel).forecast(draws=50)
    rule = damped_trend if name == "damped-trend" else persistence
    for i, place in enumerate(forecast.locations):
        sums = rolling_sums(trailing_months(panel, place))
        points = rule(sums, 12)
        streams = Streams(1, panel.dataset, panel.indicator, str(panel.last_month))
        levels = shuffled_levels(50, streams.generator("location", place))
        for h in range(1, 13):
            errors, stretch = past_errors(sums, points, h)
            spread = stretch * symmetric_quantiles(errors, levels)
            by_hand = np.maximum(points[-1, h - 1] + spread, 0.0)
            assert forecast.draws[:, i, h - 1].tolist() == by_hand.tolist()


# Late arrivals


def plain_late(
    missing: Deficit, rows: list[int], locations: tuple[str, ...], factors: Factors
) -> np.ndarray:
    draws = len(factors.late)
    out = missing.late[rows] * (1.0 + factors.late)[..., None]
    out += missing.revised[rows] * factors.revision[..., None]
    us_cut, us_year = STREAMS.generator("cut").standard_normal((2, draws))
    common = np.exp(CUT_SHARED * us_cut)
    common /= np.exp(0.5 * CUT_SHARED**2)
    for k, i in enumerate(rows):
        rng = STREAMS.generator("late", locations[i])
        noise = rng.standard_normal((draws, OPEN), dtype=np.float32)
        out[:, k, -OPEN:] += missing.noise[i, -OPEN:] * noise
        year = missing.year_shared * us_year
        if locations[i] != NATION:
            year = year + missing.year_own * rng.standard_normal(draws)
        out[:, k] += year[:, None] * missing.year[i]
        share = missing.cut_share[i]
        if share == 1.0:
            size = np.ones(draws)
        elif locations[i] == NATION:
            size = share * common
        else:
            happens = rng.random(draws) < share
            size = np.where(happens, rng.exponential(size=draws), 0.0) * common
        out[:, k] -= size[:, None] * missing.cut[i]
        # Whole deaths: the running sum is rounded by chance.
        chance = STREAMS.generator("whole", locations[i]).random((draws, 1))
        run = np.floor(np.cumsum(np.concatenate([chance, out[:, k]], axis=1), axis=1))
        out[:, k] = np.diff(run, axis=1)
    return out


@pytest.mark.parametrize("share", [None, 1.0, 0.4])
@pytest.mark.parametrize("part", [slice(None), slice(3, 40, 7)])
def test_late_arrivals_are_put_together_as_they_read(share: float | None, part: slice) -> None:
    panel = od.bundled().as_of().panel()
    missing = deficit(panel, delays_for(panel))
    rng = np.random.default_rng(2)
    shape = missing.late.shape
    made_up = {n: rng.gamma(2, 9, shape) for n in ("late", "revised", "noise", "year", "cut")}
    missing = replace(missing, **made_up)
    if share is not None:
        missing = replace(missing, cut_share=np.full(shape[0], share))
    rows = list(range(53))[part]
    factors = prior_factors(missing, rows, panel.locations, 60, STREAMS)
    made = late_draws(missing, rows, panel.locations, factors, STREAMS)
    assert made.tobytes() == plain_late(missing, rows, panel.locations, factors).tobytes()


# Ensembles


def plain_weights(past: Past, rows: np.ndarray, steps: int = 200) -> np.ndarray:
    n_members = past.quantiles.shape[0]
    weights = np.full((n_members, MAX_HORIZON), 1.0 / n_members)
    for h in range(MAX_HORIZON):
        values = past.quantiles[..., rows, h]
        truth = past.observed[:, rows, h]
        good = np.isfinite(values).all(axis=(0, 2)) & np.isfinite(truth)
        if good.sum() < 10:
            continue
        x = np.moveaxis(values, 2, -1)[:, good]
        y = truth[good][:, None]
        w = weights[:, h].copy()
        scale = np.abs(np.diff(x, axis=0)).mean() + 1e-12 if n_members > 1 else 1.0
        for _ in range(steps):
            pooled = np.tensordot(w, x, axes=1)
            slope = np.where(y < pooled, 1.0 - LEVELS, -LEVELS)
            gradient = (slope * x).mean(axis=(1, 2)) / scale
            w = w * np.exp(-2.0 * (gradient - gradient.mean()))
            w /= w.sum()
        weights[:, h] = 0.5 * w + 0.5 / n_members
    return weights


@pytest.mark.parametrize(("members", "cuts", "places"), [(3, 14, 9), (2, 9, 4), (1, 4, 4)])
def test_weights_are_learned_in_the_same_steps(members: int, cuts: int, places: int) -> None:
    rng = np.random.default_rng(members)
    shape = (members, cuts, LEVELS.size, places, MAX_HORIZON)
    quantiles = np.sort(rng.gamma(2, 50, shape), axis=2)
    observed = rng.gamma(2, 50, (cuts, places, MAX_HORIZON))
    quantiles[0, 0] = np.nan
    observed[-1, :, 4:] = np.nan
    rows = np.arange(1, places)
    made = learn_weights(Past(quantiles, observed), rows, steps=60)
    assert made.tobytes() == plain_weights(Past(quantiles, observed), rows, 60).tobytes()
    assert members == 1 or np.ptp(made) > 0.01


def test_months_of_many_places_are_those_of_each() -> None:
    rng = np.random.default_rng(0)
    months = rng.poisson(50, (4, 30)).astype(float)
    sums = rng.gamma(20, 30, (7, 4, 15))
    together = months_from_sums(sums, months[:, -12:].sum(axis=1), months)
    for i in range(4):
        one = months_from_sums(sums[:, i], float(months[i, -12:].sum()), months[i])
        assert together[:, i].tolist() == one.tolist()
        whole = np.concatenate([np.broadcast_to(months[i, -11:], (7, 11)), one], axis=1)
        np.testing.assert_allclose(rolling_sums(whole), sums[:, i])


# dlm


@pytest.mark.parametrize("horizon", [1, 2])
def test_the_nation_adds_its_parts_up_one_after_the_other(horizon: int) -> None:
    panel = od.bundled().as_of().panel().cut("2019-03")
    assert set(panel.locations[1:]) == {*JURISDICTIONS, "PR"}
    forecast = od.get_model("dlm").fit(panel).forecast(horizon, draws=7)
    draws = forecast.draws
    total = np.zeros(draws.shape[::2])
    for place in JURISDICTIONS:
        total = total + draws[:, forecast.index(place)]
    assert draws[:, 0].tobytes() == total.tobytes()


def test_the_nation_is_the_sum_of_the_parts_in_every_order_of_the_panel() -> None:
    panel = od.bundled().as_of().panel()
    made = od.get_model("dlm").fit(panel).forecast(draws=40)
    mixed = panel.select([*panel.locations[20:], *panel.locations[:20]])
    other = od.get_model("dlm").fit(mixed).forecast(draws=40)
    assert other.locations == mixed.locations
    for place in panel.locations:
        one, two = made.index(place), other.index(place)
        assert made.draws[:, one].tobytes() == other.draws[:, two].tobytes()
        assert made.known[:, one].tobytes() == other.known[:, two].tobytes()
