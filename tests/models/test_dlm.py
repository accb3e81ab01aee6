"""The state-space model: its filter against dense algebra, its draws against what they claim."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from panel_factory import bundled_panel, cut_panel, made_panel, only, with_counts
from scales_factory import HAND
from scipy.stats import multivariate_normal

from odforecast.geography.places import JURISDICTIONS, lookup
from odforecast.models import get_model
from odforecast.models.statespace.kernels import draw_counts, kalman, trend_loglik
from odforecast.models.statespace.model import (
    FACTOR_SD,
    FACTORS,
    _national_factor,
    _path_root,
    _prior,
)
from odforecast.models.statespace.pins import repin, rough_level, years_averaged
from odforecast.monthly.sums import rolling_sums
from odforecast.vintage.bundle import bundled


def dense_step(mean, cov, scales, region, n_region):
    """The transition of the state, written with matrices."""
    n = region.size
    size = 2 * n + n_region + 2
    move = np.zeros((size, size))
    noise = np.zeros((size, size))
    for i in range(n):
        move[i, [i, n + i, 2 * n + region[i], 2 * n + n_region]] = 1.0
        move[n + i, n + i] = scales.damp_own
        noise[n + i, n + i] = scales.slope_own**2
        for j in range(n):
            noise[i, j] = scales.level_us**2
            noise[i, j] += (i == j) * scales.level_own**2
            noise[i, j] += (region[i] == region[j]) * scales.level_region**2
    for r in range(n_region):
        move[2 * n + r, 2 * n + r] = scales.damp_region
        noise[2 * n + r, 2 * n + r] = scales.slope_region**2
    move[-2, -2] = scales.damp_us
    noise[-2, -2] = scales.slope_us**2
    noise[-1, -1] = scales.shock**2
    return move @ mean, move @ cov @ move.T + noise


def test_the_filter_equals_dense_algebra():
    rng = np.random.default_rng(1)
    region = np.array([0, 1, 0])
    scales = HAND
    months = rng.poisson(80, (3, 6)).astype(float)
    months[1, 3] = np.nan
    size = 2 * 3 + 2 + 2
    start = rng.normal(0, 0.01, size)
    start[:3] = np.log(80)
    root = rng.normal(0, 0.05, (size, size))
    first = root @ root.T
    first[-1] = first[:, -1] = 0.0
    start[-1] = 0.0
    mean, cov = start.copy(), first.copy()
    kalman(months, region, 2, np.array(astuple(scales)), mean, cov, np.ones(3))
    m, p = start, first
    for t in range(6):
        if t:
            m, p = dense_step(m, p, scales, region, 2)
        else:
            p = p.copy()
            p[-1, -1] = scales.shock**2
        for i in range(3):
            if np.isnan(months[i, t]):
                continue
            load = np.zeros(size)
            load[i] = load[-1] = 1.0
            mu = np.exp(load @ m)
            error = (months[i, t] - mu) / mu
            error = error if error <= 1 else 1 + np.log(error)
            total = load @ p @ load + scales.noise**2 + 1 / mu
            gain = p @ load / total
            m = m + gain * error
            p = p - np.outer(gain, load @ p)
    np.testing.assert_allclose(mean, m, atol=1e-10)
    np.testing.assert_allclose(cov, p, atol=1e-10)


def dense_trend(series, noise, level, slope, damp, burn=12):
    """Log likelihood of a damped trend after the burn-in, by the covariance of all months."""
    n = series.size
    move = np.array([[1.0, 1.0], [0.0, damp]])
    state = [np.diag([noise[0] + level, min(slope / (1 - damp**2), 4e-4)])]
    for _ in range(1, n):
        state.append(move @ state[-1] @ move.T + np.diag([level, slope]))
    cov = np.empty((n, n))
    for s in range(n):
        across = state[s]
        for t in range(s, n):
            cov[s, t] = cov[t, s] = across[0, 0]
            across = across @ move.T
    # The first month is where the level starts: known, but for its own noise.
    seen = cov[1:, 1:] + np.diag(noise[1:])
    gap = series[1:] - series[0]

    def density(k):
        return multivariate_normal(np.zeros(k), seen[:k, :k]).logpdf(gap[:k])

    return density(n - 1) - density(burn - 1) + 0.5 * (n - burn) * np.log(2 * np.pi)


@pytest.mark.parametrize("damp", [0.5, 0.97])
def test_the_likelihood_of_a_trend_equals_dense_algebra(damp):
    rng = np.random.default_rng(8)
    series = 8 + np.cumsum(0.05 * rng.standard_normal(40) + 0.02)
    noise = rng.uniform(1e-4, 4e-4, 40)
    level, slope = np.array([1e-4, 1e-3]), np.array([1e-6, 2e-4])
    got = trend_loglik(series, noise, level, slope, damp)
    expected = [dense_trend(series, noise, *pair, damp) for pair in zip(level, slope)]
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_the_factor_of_the_nation_rests_on_its_own_noise():
    rng = np.random.default_rng(9)
    months = np.exp(7 + np.cumsum(0.03 * rng.standard_normal(60))) * rng.uniform(
        0.9, 1.1, (3, 60)
    ) * np.array([[1.0], [2.0], [5.0]])  # fmt: skip
    total = months.sum(axis=0)
    square = sum((row.sum() / months.sum()) ** 2 for row in months)
    level = HAND.level_own**2 * square + (0.52 * HAND.level_region) ** 2
    noise = 1 / total + HAND.noise**2 * square + HAND.shock**2
    log_post = np.array([
        dense_trend(np.log(total), noise, level + (f * HAND.level_us) ** 2,
                    (f * HAND.slope_us) ** 2, HAND.damp_us)
        - 0.5 * (np.log(f) / FACTOR_SD) ** 2
        for f in FACTORS
    ])  # fmt: skip
    weight = np.exp(log_post - log_post.max())
    expected = np.sqrt((weight * FACTORS**2).sum() / weight.sum())
    assert _national_factor(months, HAND) == pytest.approx(expected, rel=1e-8)


def test_pins_take_up_their_share_of_the_noise():
    rng = np.random.default_rng(10)
    panel = made_panel({"OH": rng.poisson(300, 84), "WV": rng.poisson(80, 84)})
    fitted = get_model("dlm", delay=False, learn=False, scales=HAND).fit(panel)
    for state in fitted.inner.states:
        rows = [panel.index(s) for s in state.locations]
        n = panel.monthly.shape[1]
        months = panel.monthly[rows] - state.shift[:, np.arange(n) % 12]
        months = np.maximum(months, 0.0)
        theta = np.array(astuple(state.scales))
        mean, cov = _prior(months, 4, theta)
        region = np.array([("Northeast", "Midwest", "South", "West").index(lookup(s).region)
                           for s in state.locations])  # fmt: skip
        # n years average into a pin, so of a month's noise 1/n went into the pin.
        left = 1 - 1 / years_averaged(np.full(len(rows), float(n)))
        assert (left < 1).all()
        kalman(months, region, 4, theta, mean, cov, left)
        np.testing.assert_allclose(state.cov, cov, rtol=1e-9)
        np.testing.assert_allclose(state.mean, mean, rtol=1e-9)


def test_all_months_of_a_series_that_begins_late_are_used():
    rng = np.random.default_rng(11)
    counts = {s: rng.poisson(300, 120) for s in ("OH", "MI")}
    panel = made_panel(counts)
    reported = panel.reported.copy()
    # 73 sums tell of 73 + 11 months: 7 years.
    reported[0, : panel.months.size - 73] = np.nan
    gap = with_counts(panel, reported)
    recovered = gap.monthly[gap.index("OH")]
    after = recovered.size - 1 - np.flatnonzero(np.isnan(recovered))[-1]
    fitted = get_model("dlm", delay=False, learn=False, scales=HAND).fit(gap)
    (state,) = [s for s in fitted.inner.states if "OH" in s.locations]
    years = state.years[state.locations.index("OH")]
    assert after % 12 == 0  # one month less would be a year less
    assert years == years_averaged(np.array([float(after)]))[0]
    assert years > years_averaged(np.array([after - 1.0]))[0]


def test_a_gap_is_skipped_not_read_as_a_number():
    months = np.full((1, 40), 50.0)
    months[0, 10:20] = np.nan
    mean = np.zeros(2 + 4 + 2)
    mean[0] = np.log(50)
    cov = np.diag(np.full(mean.size, 0.01))
    loglik = kalman(months, np.zeros(1, int), 4, np.array(astuple(HAND)), mean, cov, np.ones(1))
    assert np.isfinite(loglik)
    assert np.isfinite(mean).all()
    assert np.exp(mean[0]) == pytest.approx(50, rel=0.05)


def test_the_level_path_has_the_covariance_of_its_recursion():
    rng = np.random.default_rng(0)
    level, slope, damp, horizon, n = 0.03, 0.02, 0.8, 6, 200_000
    drift = np.zeros(n)
    path = np.zeros((n, horizon))
    now = np.zeros(n)
    for h in range(horizon):
        now = now + drift + level * rng.standard_normal(n)
        drift = damp * drift + slope * rng.standard_normal(n)
        path[:, h] = now
    root = _path_root(level, slope, damp, horizon)
    np.testing.assert_allclose(np.cov(path.T), root @ root.T, rtol=0.05, atol=1e-5)


def test_likelihood_prefers_the_scale_that_made_the_series():
    rng = np.random.default_rng(3)
    series = 10 + np.cumsum(0.03 * rng.standard_normal(400))
    grid = np.array([0.003, 0.03, 0.3]) ** 2
    loglik = trend_loglik(series, np.full(400, 1e-6), grid, np.full(3, 1e-12), 0.9)
    assert loglik.argmax() == 1


@pytest.mark.parametrize("mean", [0.5, 4.0, 11.0, 13.0, 200.0])
def test_counts_have_mean_and_variance_of_the_model(mean):
    rng = np.random.default_rng(5)
    shape = (60_000, 1, 1)
    noise = 0.06
    out = np.empty(shape)
    level = np.full(shape, np.log(mean), dtype=np.float32)
    below = draw_counts(
        level,
        np.zeros(shape, np.float32),
        noise,
        np.zeros(1),
        np.zeros((1, 1)),
        rng.standard_normal(shape, dtype=np.float32),
        rng.random(shape, dtype=np.float32),
        out,
    )
    assert below == 0
    assert out.mean() == pytest.approx(mean, rel=0.02)
    assert out.var() == pytest.approx(mean + noise**2 * mean**2, rel=0.04)


def test_clipped_counts_are_counted():
    shape = (50, 1, 2)
    out = np.empty(shape)
    zeros = np.zeros(shape, np.float32)
    shift = np.array([[-5.0, 0.0]])
    below = draw_counts(zeros, zeros, 0.0, np.zeros(1), shift, zeros, zeros, out)
    assert below == 50
    assert (out[:, 0, 0] == 0).all()


def test_pins_find_a_constant_season_and_leave_the_rest():
    rng = np.random.default_rng(2)
    season = rng.normal(0, 4, 12)
    season -= season.mean()
    level = 100 + np.cumsum(rng.normal(0, 0.5, 120))
    months = (level + season[np.arange(120) % 12])[None]
    pins = repin(months, rough_level(months))
    np.testing.assert_allclose(pins[0], -season, atol=1.0)
    assert abs(pins.sum()) < 1e-8


def test_years_averaged():
    weights = np.array([1.0, 1 / 1.3])
    expected = [1.0, weights.sum() ** 2 / (weights**2).sum()]
    assert years_averaged(np.array([12.0, 24.0])) == pytest.approx(expected)
    long = years_averaged(np.array([36.0, 120.0]))
    assert 1 < long[0] < long[1] < 5


def test_draws_are_joint_and_the_nation_is_their_sum():
    panel = bundled().as_of("2025-09-17").panel()
    forecast = get_model("dlm").fit(panel).forecast(12, draws=400, seed=1)
    whole = forecast.samples()
    parts = [forecast.index(s) for s in JURISDICTIONS]
    np.testing.assert_allclose(whole[:, forecast.index("US")], whole[:, parts].sum(axis=1))
    # Shared shocks: the sum varies far more than independent jurisdictions would.
    last = whole[:, parts, -1]
    assert last.sum(axis=1).var() > 2 * last.var(axis=0).sum()


def test_recovered_months_keep_their_identity_under_the_models_pins():
    """The forecast is on the panel's pins: constants shifted there and back change no sum."""
    panel = cut_panel()
    forecast = get_model("dlm").fit(panel).forecast(12, draws=200, seed=1)
    sums = forecast.samples()
    known = panel.monthly[[panel.index(s) for s in forecast.locations], -11:]
    joined = np.concatenate([np.broadcast_to(known, (200, *known.shape)), forecast.draws], axis=2)
    np.testing.assert_allclose(sums, rolling_sums(joined))


def test_without_all_jurisdictions_the_nation_stands_alone_and_it_is_said():
    panel = only(bundled_panel(), ["US", "OH", "WY"])
    forecast = get_model("dlm", delay=False).fit(panel).forecast(12, draws=100, seed=1)
    assert "US is modelled on its own" in forecast.warnings[0]
    us = forecast.quantiles([0.05, 0.95])[:, 0, 0]
    assert us[0] < panel.reported[0, -1] * 1.05
    assert us[1] - us[0] < 0.1 * panel.reported[0, -1]


def test_a_turn_is_followed():
    """After a year of steady falls the median goes on falling; after flat years it stays."""
    panel = only(cut_panel(), ["OH"])
    months = np.full(panel.month_grid.size, 400.0)
    falling = months.copy()
    falling[-12:] *= 0.97 ** np.arange(1, 13)
    medians = []
    for row in (rolling_sums(months), np.round(rolling_sums(falling))):
        made = with_counts(panel, row[None])
        forecast = get_model("dlm").fit(made).forecast(6, draws=800, seed=1)
        medians.append(forecast.quantiles([0.5])[0, 0, -1] - row[-1])
    assert abs(medians[0]) < 60
    assert medians[1] < -150
