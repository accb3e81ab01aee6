"""Scores of draws: by hand, by brute force, and against another library."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from other_scores import scoringrules

from odforecast.errors import ScoringError
from odforecast.scoring import bias_from_draws, crps_from_draws, log_score_from_draws
from odforecast.scoring import rules as module

DRAWS = arrays(float, st.tuples(st.integers(2, 30), st.just(4)), elements=st.floats(0, 1e4))
OBSERVED = arrays(float, (4,), elements=st.floats(0, 1e4))


def brute_crps(draws: np.ndarray, observed: float) -> float:
    pairs = np.abs(draws[:, None] - draws[None, :]).mean()
    return float(np.abs(draws - observed).mean() - pairs / 2)


def test_crps_by_hand():
    assert crps_from_draws([100.0], 90.0) == 10
    # |1-4|, |3-4| -> 2; pairs: 0, 2, 2, 0 -> 1, half of it 0.5
    assert crps_from_draws([1.0, 3.0], 4.0) == pytest.approx(1.5)


@given(DRAWS, OBSERVED)
def test_crps_is_the_definition_and_never_negative(draws, observed):
    got = crps_from_draws(draws, observed)
    want = [brute_crps(draws[:, i], observed[i]) for i in range(4)]
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-7)
    assert (got >= 0).all()


@given(DRAWS, OBSERVED)
def test_crps_against_scoringrules(draws, observed):
    sr = scoringrules()
    other = sr.crps_ensemble(observed, draws.T, estimator="nrg", backend="numpy")
    np.testing.assert_allclose(crps_from_draws(draws, observed), other, rtol=1e-8, atol=1e-6)


@given(DRAWS, OBSERVED, st.floats(0.01, 100), st.randoms(use_true_random=False))
def test_crps_scales_and_ignores_the_order_of_draws(draws, observed, factor, random):
    plain = crps_from_draws(draws, observed)
    order = list(range(len(draws)))
    random.shuffle(order)
    np.testing.assert_array_equal(crps_from_draws(draws[order], observed), plain)
    scaled = crps_from_draws(draws * factor, observed * factor)
    np.testing.assert_allclose(scaled, factor * plain, rtol=1e-9, atol=1e-8)


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    draws, observed = rng.gamma(5, 20, (50, 7, 3)), rng.gamma(5, 20, (7, 3))
    whole = crps_from_draws(draws, observed)
    assert whole.shape == (7, 3)
    monkeypatch.setattr(module, "_BLOCK_VALUES", 120)
    np.testing.assert_array_equal(crps_from_draws(draws, observed), whole)


def test_draws_are_left_as_they_were():
    draws = np.array([[3.0], [1.0], [2.0]])
    draws.flags.writeable = False
    crps_from_draws(draws, [2.0])
    assert draws.ravel().tolist() == [3, 1, 2]


@pytest.mark.parametrize("rule", [crps_from_draws, log_score_from_draws])
def test_the_true_distribution_scores_best_on_average(rule):
    rng = np.random.default_rng(2)
    observed = rng.poisson(100, 3000).astype(float)

    def mean(draws: np.ndarray) -> float:
        return float(rule(np.repeat(draws[:, None], observed.size, axis=1), observed).mean())

    best = mean(rng.poisson(100, 2000).astype(float))
    assert mean(rng.poisson(106, 2000).astype(float)) > best
    assert mean(np.round(rng.normal(100, 20, 2000))) > best
    assert mean(np.round(rng.normal(100, 4, 2000))) > best


def test_log_score_is_the_density_it_says():
    rng = np.random.default_rng(3)
    draws = rng.lognormal(5, 0.2, 500)
    logs = np.log1p(draws)
    variance = logs.var(ddof=1) + 1 / 12 / (1 + np.median(draws)) ** 2
    grid = np.arange(1, 800)
    got = log_score_from_draws(np.repeat(draws[:, None], grid.size, axis=1), grid.astype(float))
    density = np.exp(-((np.log1p(grid) - logs.mean()) ** 2) / 2 / variance)
    density /= np.sqrt(2 * np.pi * variance) * (1 + grid)
    np.testing.assert_allclose(got, -np.log(density))
    assert np.exp(-got).sum() == pytest.approx(1, abs=1e-3)


def test_log_score_of_equal_draws_is_finite_and_of_negative_ones_unknown():
    assert np.isfinite(log_score_from_draws([7.0, 7.0, 7.0], 7.0))
    assert log_score_from_draws([7.0] * 3, 9.0) > log_score_from_draws([7.0] * 3, 7.0)
    assert np.isnan(log_score_from_draws([-1.0, 7.0, 7.0], 7.0))
    assert np.isnan(log_score_from_draws([1.0, 7.0, 7.0], np.nan))
    with pytest.raises(ScoringError, match="at least 2"):
        log_score_from_draws([7.0], 7.0)


def test_bias_by_hand():
    draws = np.repeat([[1.0], [2.0], [2.0], [4.0]], 5, axis=1)
    got = bias_from_draws(draws, [0.0, 2.0, 3.0, 9.0, np.nan])
    np.testing.assert_allclose(got, [1.0, 1 - 0.25 - 0.75, 1 - 1.5, -1.0, np.nan])


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(ScoringError, match="no draws"):
        crps_from_draws(np.empty((0, 2)), [1.0, 2.0])
    with pytest.raises(ScoringError, match="do not match"):
        crps_from_draws([[1.0, 2.0]], [1.0, 2.0, 3.0])
    with pytest.raises(ScoringError, match="finite"):
        crps_from_draws([[1.0], [np.inf]], [1.0])
    assert np.isnan(crps_from_draws([1.0, 2.0], np.nan))
