"""Rules of quantiles, draws and vectors, and calibration: by hand, by identities, by a library."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from other_scores import scoringrules
from scipy import stats

from odforecast import scoring as s
from odforecast.names import HUB_QUANTILES
from odforecast.scoring.rules import miss_distances, pair_distances

THREE = [0.25, 0.5, 0.75]
LEVELS = np.array(HUB_QUANTILES)


NAN = np.nan
FIVE, AT = [0.1, 0.25, 0.5, 0.75, 0.9], np.repeat([[80.0], [90], [100], [110], [120]], 7, axis=1)
DRAWN = np.repeat([[1.0], [2.0], [2.0], [4.0]], 5, axis=1)


@pytest.mark.parametrize(
    ("rule", "given", "want"),
    [
        (s.interval_score, (90, 110, 100, 0.2), 20),
        (s.interval_score, (90, 110, 85, 0.2), 20 + 10 * 5),
        (s.interval_score, (90, 110, 112, 0.5), 20 + 4 * 2),
        (s.quantile_score, ([80.0, 100.0, 130.0], [0.1, 0.5, 0.9], 110.0), [0.1 * 30, 5, 0.1 * 20]),
        (s.absolute_percentage_error, ([5.0, 5.0, 5.0], [4.0, 0.0, NAN]), [25.0, NAN, NAN]),
        (s.bias_from_quantiles, (AT, FIVE, [79.0, 80, 95, 100, 105, 121, NAN]),
         [1, 0.8, 0.5, 0, -0.5, -1, NAN]),
        (s.crps_from_draws, ([100.0], 90.0), 10),
        # |1-4|, |3-4| -> 2; pairs: 0, 2, 2, 0 -> 1, half of it 0.5
        (s.crps_from_draws, ([1.0, 3.0], 4.0), 1.5),
        (s.bias_from_draws, (DRAWN, [0.0, 2.0, 3.0, 9.0, NAN]), [1.0, 0.0, -0.5, -1.0, NAN]),
        (s.interval_coverage, (AT[:, :4], [0.05, 0.25, 0.5, 0.75, 0.95], [80.0, 108, 121, NAN],
                             [0.5, 0.9]), [[0, 1, 0, NAN], [1, 1, 0, NAN]]),
        (lambda *x: s.quantile_coverage(*x)["coverage"], (AT[:, :4], FIVE, [85.0, 100, 121, NAN]),
         [0, 1 / 3, 2 / 3, 2 / 3, 2 / 3]),
        # Order that is lost in the last digit is no crossing.
        (lambda *x: s.weighted_interval_score(*x).total, ([1e2, 1e2 - 1e-13, 1e2], THREE, 1e2), 0),
    ],
)  # fmt: skip
def test_by_hand(rule, given, want):
    np.testing.assert_allclose(rule(*given), want, atol=1e-12)


@pytest.mark.parametrize(
    ("observed", "over", "under"),
    [
        # K = 1, alpha = 0.5: (|y - m| / 2 + 0.25 * IS) / 1.5
        (100.0, 0.0, 0.0),
        (104.0, 0.0, 0.5 * 4 / 1.5),
        (97.0, 0.5 * 3 / 1.5, 0.0),
        (120.0, 0.0, (10 + 0.5 * 20) / 1.5),
        (80.0, (10 + 0.5 * 20) / 1.5, 0.0),
    ],
)
def test_wis_by_hand_where_the_observation_is_not_the_median(observed, over, under):
    score = s.weighted_interval_score([90.0, 100.0, 110.0], THREE, observed)
    whole = (0.5 * abs(observed - 100) + 0.25 * s.interval_score(90, 110, observed, 0.5)) / 1.5
    got = (score.spread, score.over, score.under, score.total)
    assert got == pytest.approx((0.25 * 20 / 1.5, over, under, whole), abs=1e-12)


def forecasts(n: int = 6):
    """Quantiles (23, n) and observations (n,)."""
    steps = arrays(float, (23, n), elements=st.floats(0, 50))
    start = arrays(float, (n,), elements=st.floats(0, 1e5))
    gap = arrays(float, (n,), elements=st.floats(-500, 1500))
    return st.tuples(steps, start, gap).map(
        lambda x: (np.cumsum(x[0], axis=0) + x[1], np.maximum(x[1] + x[2], 0))
    )


@given(forecasts())
def test_wis_is_that_of_scoringrules_and_its_parts_add_up_exactly(case):
    quantiles, observed = case
    score = s.weighted_interval_score(quantiles, LEVELS, observed)
    assert (score.spread + score.over + score.under == score.total).all()
    assert all((part >= 0).all() for part in score)
    assert ((score.over == 0) | (score.under == 0)).all()
    # Its own weighted_interval_score is wrong wherever the observation is not the median.
    other = scoringrules().crps_quantile(observed, quantiles.T, LEVELS, backend="numpy")
    np.testing.assert_allclose(score.total, other, rtol=1e-9, atol=1e-9)


MANY = arrays(float, st.tuples(st.integers(2, 30), st.just(4)), elements=st.floats(0, 1e4))


@given(MANY, arrays(float, (4,), elements=st.floats(0, 1e4)))
def test_crps_against_scoringrules(draws, observed):
    other = scoringrules().crps_ensemble(observed, draws.T, estimator="nrg", backend="numpy")
    np.testing.assert_allclose(s.crps_from_draws(draws, observed), other, rtol=1e-8, atol=1e-6)


def test_log_score_is_the_density_it_says():
    rng = np.random.default_rng(3)
    draws = rng.lognormal(5, 0.2, 500)
    logs = np.log1p(draws)
    variance = logs.var(ddof=1) + 1 / 12 / (1 + np.median(draws)) ** 2
    grid = np.arange(1, 800)
    got = s.log_score_from_draws(np.repeat(draws[:, None], grid.size, axis=1), grid.astype(float))
    density = np.exp(-((np.log1p(grid) - logs.mean()) ** 2) / 2 / variance)
    density /= np.sqrt(2 * np.pi * variance) * (1 + grid)
    np.testing.assert_allclose(got, -np.log(density))
    assert np.exp(-got).sum() == pytest.approx(1, abs=1e-3)


def test_log_score_of_equal_draws_is_finite_and_of_negative_ones_unknown():
    same = [s.log_score_from_draws([7.0] * 3, x) for x in (7.0, 9.0)]
    assert np.isfinite(same[0])
    assert same[1] > same[0]
    for draws, observed in (([-1.0, 7.0, 7.0], 7.0), ([1.0, 7.0, 7.0], np.nan)):
        assert np.isnan(s.log_score_from_draws(draws, observed))


RNG = np.random.default_rng(3)


@pytest.mark.parametrize(("fair", "estimator"), [(False, "nrg"), (True, "fair")])
def test_golden_values_of_scoringrules(fair, estimator, monkeypatch):
    draws, y = RNG.gamma(3, 200, (60, 5, 7)), RNG.gamma(3, 200, (5, 7))
    want = scoringrules().es_ensemble(y, draws, m_axis=0, v_axis=-1, estimator=estimator)
    np.testing.assert_allclose(s.energy_score(draws, y, fair=fair), want, rtol=1e-10)
    monkeypatch.setattr("odforecast.scoring.rules._BLOCK", 7)
    np.testing.assert_allclose(s.energy_score(draws, y, fair=fair), want, rtol=1e-10)


def test_distances_of_all_parts_at_once_are_those_of_each():
    draws, y = RNG.normal(size=(41, 5, 3)), RNG.normal(size=(5, 3))
    whole = np.array([True, True, False, True, True])
    miss, apart = miss_distances(draws, y, whole), pair_distances(draws, whole)
    for m in range(3):
        got = miss.by_month[m] - apart.by_month[m] / 2
        assert got == pytest.approx(s.energy_score(draws[:, :, m], y[:, m]), rel=1e-10)
    for i in range(5):
        got = miss.by_place[i] - apart.by_place[i] / 2
        assert got == pytest.approx(s.energy_score(draws[:, i], y[i]), rel=1e-10)
    flat = draws[:, whole].reshape(41, -1)
    want = s.energy_score(flat, y[whole].ravel())
    assert miss.both - apart.both / 2 == pytest.approx(want, rel=1e-10)


def test_pit_by_hand_and_uniform_even_for_small_counts():
    draws = np.repeat([[10.0], [20.0], [30.0]], 3, axis=1)
    got = s.pit_from_draws(draws, [5.0, 25.0, np.nan], seed=1)
    assert 0 <= got[0] < 0.25
    assert 0.5 <= got[1] < 0.75
    assert np.isnan(got[2])
    counts = np.random.default_rng(5).poisson(0.7, (51, 6000)).astype(float)
    pit, again = (s.pit_from_draws(counts[1:], counts[0], seed=1) for _ in range(2))
    assert s.pit_summary(pit)["ks_p"] > 0.01
    assert (pit == again).all()
    exact = s.interval_pit(counts[1:], counts[0], counts[0], seed=1)
    np.testing.assert_allclose(exact, pit)


def test_pit_summary_by_hand():
    pit = np.array([0.9, 0.5, np.nan, 0.5, 0.6])
    got = s.pit_summary(pit)
    assert (got["n"], got["mean"]) == (4, pytest.approx(0.625))
    assert got["spread"] == pytest.approx(np.nanstd(pit) * np.sqrt(12))
    test = stats.kstest(pit[~np.isnan(pit)], "uniform")
    assert (got["ks"], got["ks_p"]) == pytest.approx((test.statistic, test.pvalue))
    assert s.pit_summary([np.nan])["n"] == 0
    assert np.isnan(s.pit_summary([])["mean"])
    assert s.pit_histogram([np.nan])["density"].isna().all()
