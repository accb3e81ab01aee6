"""Posterior of past events: against algebra written out, and against what is known exactly."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm, truncnorm

from odforecast.errors import ScenarioError
from odforecast.scenario import Fixed, Intervention, LogNormal, Normal, Uniform
from odforecast.scenario.effects import Estimator, EventPrior, Grid, machine, rotation

MONTHS = np.arange("2016-01", "2021-01", dtype="datetime64[M]")
STEP = {"lag": Fixed(1), "ramp": Fixed(5), "half_life": Fixed(12), "spread": Fixed(0)}
EVENT = Intervention("event", Normal(-0.1, 0.2), onset="2019-01", p_null=0.4, **STEP)
LONG = LogNormal(12, 0.6)
OPEN = replace(
    EVENT, lag=LogNormal(3, 0.6), ramp=Uniform(3, 9), half_life=LONG, spread=Uniform(0, 0.5)
)


def estimate(deaths, event, **options):
    return Estimator(MONTHS, event, locations=len(deaths), **options).posterior(deaths)


def panel(seed=1, locations=6, beta=-0.3, felt=1.0):
    rng = np.random.default_rng(seed)
    logs = np.log(400) + np.cumsum(rng.normal(0, 0.01, (locations, MONTHS.size)), axis=1)
    return rng.poisson(np.exp(logs + beta * felt * EVENT.curve(MONTHS))).astype(float)


def covariance(walk, noise, growth, n, half_life=12.0, burst=()):
    out, size = np.zeros((n, n)), [4.0 if k in burst else 1.0 for k in range(n)]
    alike = [[size[k] * size[m] * 0.5 ** (abs(k - m) / half_life) for m in range(n)]
             for k in range(n)]  # fmt: skip
    for i in range(n):
        for j in range(n):
            out[i, j] = walk * (min(i, j) + 1) + noise * (i == j)
            out[i, j] += growth * sum(alike[k][m] for k in range(i + 1) for m in range(j + 1))
    return out


@pytest.mark.parametrize(("deviation", "start"), [(0.0, None), (0.03, None), (0.03, -6)])
def test_evidence_and_posterior_are_those_of_the_joint_normal(deviation, start):
    """One node, unequal exposures: density of all rows at once, by scipy."""
    sd_w, sd_n, sd_s = 0.02, 0.03, 0.004
    grid = Grid((sd_w,), (sd_n,), (sd_s,), half_lives=(8.0,), bursts=(start,))
    burst = () if start is None else range(36 + start, 48 + start)
    felt = np.array([1.0, 0.5, 0.3])
    est = Estimator(MONTHS, EVENT, felt, draws=1, grid=grid)
    z = est.turned(panel(locations=3)) @ est._machine.basis.T
    own = (0.015**2, 0.05**2)
    s = est._statistics(z, est._shapes, est._q, np.arange(1), own)
    evidence, mean, variance = est.given_effect(s, np.full(1, deviation))
    n, basis = MONTHS.size, est._machine.basis
    x, turn = basis @ EVENT.curve(MONTHS), rotation(np.ones(3))
    turn[0] /= np.sqrt(3)  # the mean itself
    first = basis @ covariance(sd_w**2, sd_n**2, sd_s**2, n, 8.0, burst) @ basis.T
    rest = basis @ covariance(own[0], own[1], 0.0, n) @ basis.T
    blocks, data = np.zeros((3 * (n - 13),) * 2), z.ravel()
    share0 = (turn[0] ** 2 * felt**2).sum()
    share1 = ((felt**2).sum() - 3 * share0) / 2
    for r in range(3):
        cells = slice(r * (n - 13), (r + 1) * (n - 13))
        blocks[cells, cells] = first if r == 0 else rest
        blocks[cells, cells] += deviation * (share1 if r else share0) * np.outer(x, x)
    design = np.concatenate([loads * x for loads in turn @ felt])
    whole = blocks + 0.2**2 * np.outer(design, design)
    density = multivariate_normal(-0.1 * design, whole).logpdf(data)
    # That the contrasts deviate is no evidence: it is taken out, with an effect and without one.
    own = slice(n - 13, None)
    density -= multivariate_normal(np.zeros(2 * (n - 13)), blocks[own, own]).logpdf(data[own])
    constant = 0.5 * (n - 13) * np.log(2 * np.pi)
    # The machine's basis is orthonormal, so densities are those of the projected rows.
    assert evidence[0, 0] == pytest.approx(density + constant, abs=1e-6)
    gain = 0.2**2 * design @ np.linalg.inv(whole)
    assert mean[0, 0] == pytest.approx(-0.1 + gain @ (data + 0.1 * design), rel=1e-7)
    assert variance[0, 0] == pytest.approx(0.2**2 * (1 - gain @ design), rel=1e-6)


def test_nothing_is_the_density_without_an_effect():
    est = Estimator(MONTHS, EVENT, draws=1, grid=Grid((0.02,), (0.03,), (0.0,)))
    y = panel(locations=1)
    found = est.posterior(y)
    basis, n = est._machine.basis, MONTHS.size
    z, x = basis @ np.log(y[0] + 0.5), basis @ EVENT.curve(MONTHS)
    cov = basis @ covariance(0.02**2, 0.03**2, 0.0, n) @ basis.T
    none = multivariate_normal(np.zeros(n - 13), cov).logpdf(z)
    some = multivariate_normal(-0.1 * x, cov + 0.2**2 * np.outer(x, x)).logpdf(z)
    assert found.bayes_factor() == pytest.approx(np.exp(none - some), rel=1e-6)
    odds = 0.4 / 0.6 * np.exp(none - some)
    assert found.p_null() == pytest.approx(odds / (1 + odds), rel=1e-6)


def test_without_information_or_with_a_spike_of_one_it_is_the_prior():
    found = estimate(panel(), replace(EVENT, onset="2020-12", lag=Fixed(24), p_null=0.4), draws=1)
    assert found.p_null() == pytest.approx(0.4, abs=1e-9)
    assert found.bayes_factor() == pytest.approx(1.0, abs=1e-9)
    assert (found.mean(), found.sd()) == pytest.approx((-0.1, 0.2), abs=1e-9)
    low, high = found.interval(0.9)
    assert (low, high) == pytest.approx(norm(-0.1, 0.2).interval(0.9), abs=1e-5)
    assert found.summary().prior_dominated
    found = estimate(panel(), replace(OPEN, p_null=1.0))
    assert found.p_null() == 1.0
    drawn = found.draws(200)
    assert not drawn.beta.any()
    assert not found.delta(MONTHS, drawn).any()
    assert found.mean() < 0


def test_prior_dominated_needs_both():
    """A sharp prior far from 0: the sd stays, the odds move: not prior-dominated."""
    sharp = replace(OPEN, size=Normal(-0.6, 0.02), p_null=0.5)
    found = estimate(panel(beta=0.0), sharp).summary()
    assert found.sd > 0.8 * found.prior_sd
    assert found.bayes_factor > 3
    assert not found.prior_dominated
    wide = estimate(panel(beta=0.0), replace(OPEN, size=Normal(0.0, 1.0), p_null=0.5)).summary()
    assert wide.sd < 0.8
    assert not wide.prior_dominated


def test_direction_cuts_the_other_tail_off():
    prior = EventPrior.from_event(
        replace(EVENT, size=Normal(0.02, 0.06), p_null=0.6, direction="rise")
    )
    assert prior.p_null == pytest.approx(0.6 + 0.4 * norm.cdf(-0.02 / 0.06))
    exact = truncnorm(-0.02 / 0.06, np.inf, 0.02, 0.06)
    assert prior.given_effect == pytest.approx((exact.mean(), exact.std()))
    late = replace(EVENT, onset="2020-12", lag=Fixed(24), size=Normal(0.02, 0.06), p_null=0.6,
                   direction="rise")  # fmt: skip
    found = estimate(panel(), late, draws=1)
    assert found.p_null() == pytest.approx(prior.p_null, abs=1e-9)
    assert (found.mean(), found.sd()) == pytest.approx(prior.given_effect, rel=1e-6)
    drawn = found.draws(4000).beta
    assert (drawn >= 0).all()
    assert (drawn == 0).mean() == pytest.approx(prior.p_null, abs=0.02)
    assert drawn[drawn > 0].mean() == pytest.approx(exact.mean(), abs=0.003)
    assert found.cdf(exact.median()) == pytest.approx(0.5, abs=1e-6)


def test_draws_agree_with_the_mixture():
    found = estimate(panel(beta=-0.1), OPEN)
    drawn = found.draws(20_000)
    there = drawn.beta != 0
    assert there.mean() == pytest.approx(1 - found.p_null(), abs=0.005)
    assert drawn.beta[there].mean() == pytest.approx(found.mean(), abs=0.01)
    assert drawn.beta[there].std() == pytest.approx(found.sd(), rel=0.03)
    shape = found.timings.shape(MONTHS)[drawn.timing]
    np.testing.assert_allclose(found.delta(MONTHS, drawn), drawn.beta[:, None] * shape)


def test_states_differ_as_far_as_the_effect_allows():
    rng, own = np.random.default_rng(4), np.array([0.5, 0.7, 0.9, 1.1, 1.3, 1.5])
    y = rng.poisson(5000 * np.exp(-0.5 * own[:, None] * EVENT.curve(MONTHS))).astype(float)
    found = estimate(y, replace(EVENT, spread=Uniform(0, 0.5)))
    u = found.own_factors(found.draws(1000))
    assert (u > 0).all()
    assert np.corrcoef(u.mean(axis=0), own)[0, 1] > 0.95
    slope = np.polyfit(own / own.mean(), u.mean(axis=0) / u.mean(), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.15)
    assert found.timing_weights() @ found.timings.spread > 0.25
    even = estimate(y, EVENT)
    np.testing.assert_array_equal(even.own_factors(even.draws(50)), 1.0)


def test_grid_priors_add_up():
    grid = Grid((0.01, 0.02, 0.04), (0.01, 0.02), (0.0, 0.01, 0.02), (0.03, 0.03, 0.01))
    assert np.exp(grid.log_prior).sum() == pytest.approx(1.0)
    half = Grid((0.01, 0.02, 0.04), (1.0,), (0.0,), (0.02, 1.0, 1.0))
    by_hand = np.array([1, 2, 4]) * (1 + np.array([0.5, 1.0, 2.0]) ** 2 / 3) ** -2
    np.testing.assert_allclose(np.exp(half.log_prior), by_hand / by_hand.sum())
    flat = Grid((0.01, 0.02, 0.04), (1.0,), (0.0,))
    np.testing.assert_allclose(np.exp(flat.log_prior), np.array([1, 2, 4]) / 7)
    assert machine(30, flat).precision.shape == (3, 17, 17)
    more = Grid((0.01,), (0.02,), half_lives=(6.0, 24.0), bursts=(None, 0, 6))
    np.testing.assert_allclose(np.exp(more.log_prior), [0.25, 0.125, 0.125] * 2)


def test_nation_takes_the_place_of_the_mean():
    y = panel(locations=4)
    est = Estimator(MONTHS, EVENT, locations=4, weights=y.mean(axis=1), nation=1.0)
    a, b = est.posterior(y, y.sum(axis=0)), estimate(y, EVENT, weights=y.mean(axis=1))
    assert a.mean() == pytest.approx(b.mean(), abs=0.5 * b.sd())
    moved = est.posterior(y, y.sum(axis=0) * np.exp(-0.5 * EVENT.curve(MONTHS)))
    assert moved.mean() < a.mean() - 0.2


def test_what_cannot_be_estimated():
    est = Estimator(MONTHS, EVENT, locations=2, draws=1)
    for ask, message in (
        (lambda: estimate(panel(), replace(EVENT, onset="2021-06")), "up to 2020-12"),
        (lambda: estimate(panel(), replace(EVENT, onset="2015-06")), "after 2016-01"),
        (lambda: est.posterior(np.full((2, MONTHS.size), np.nan)), "missing or negative"),
        (lambda: Estimator(MONTHS[:10], EVENT, locations=2), "too few"),
    ):
        with pytest.raises(ScenarioError, match=message):
            ask()


def test_that_states_differ_is_no_evidence_for_an_effect():
    """With the nation's own counts unmoved, states that part say nothing of a change."""
    rng = np.random.default_rng(7)
    apart = np.linspace(-0.4, 0.4, 6)[:, None] * EVENT.curve(MONTHS)
    y = rng.poisson(3000 * np.exp(apart)).astype(float)
    nation = rng.poisson(18000, MONTHS.size).astype(float)
    x = replace(EVENT, spread=Uniform(0, 0.5), size=Normal(-0.3, 0.2))
    est = Estimator(MONTHS, x, locations=6, nation=1.0)
    even = rng.poisson(3000, y.shape).astype(float)
    factors = [est.posterior(d, nation).bayes_factor() for d in (y, even)]
    assert factors[0] > 1
    assert factors[0] == pytest.approx(factors[1], rel=0.3)
