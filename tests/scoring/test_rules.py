"""Scoring rules by hand, by identities, and against another library."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from other_scores import scoringrules

from odforecast.errors import ScoringError
from odforecast.names import HUB_QUANTILES
from odforecast.scoring import (
    absolute_percentage_error,
    bias_from_quantiles,
    interval_score,
    quantile_score,
    weighted_interval_score,
)

THREE = [0.25, 0.5, 0.75]
LEVELS = np.array(HUB_QUANTILES)


def test_interval_score_by_hand():
    assert interval_score(90, 110, 100, alpha=0.2) == 20
    assert interval_score(90, 110, 85, alpha=0.2) == 20 + 10 * 5
    assert interval_score(90, 110, 112, alpha=0.5) == 20 + 4 * 2


@pytest.mark.parametrize(
    ("observed", "spread", "over", "under"),
    [
        # K = 1, alpha = 0.5: (|y - m| / 2 + 0.25 * IS) / 1.5
        (100.0, 0.25 * 20 / 1.5, 0.0, 0.0),
        (104.0, 0.25 * 20 / 1.5, 0.0, 0.5 * 4 / 1.5),
        (97.0, 0.25 * 20 / 1.5, 0.5 * 3 / 1.5, 0.0),
        (120.0, 0.25 * 20 / 1.5, 0.0, (10 + 0.5 * 20) / 1.5),
        (80.0, 0.25 * 20 / 1.5, (10 + 0.5 * 20) / 1.5, 0.0),
    ],
)
def test_wis_by_hand_where_the_observation_is_not_the_median(observed, spread, over, under):
    score = weighted_interval_score([90.0, 100.0, 110.0], THREE, observed)
    assert score.spread == pytest.approx(spread, abs=1e-12)
    assert score.over == pytest.approx(over, abs=1e-12)
    assert score.under == pytest.approx(under, abs=1e-12)
    whole = (0.5 * abs(observed - 100) + 0.25 * interval_score(90, 110, observed, 0.5)) / 1.5
    assert score.total == pytest.approx(whole, abs=1e-12)


def test_wis_of_the_median_alone_is_its_absolute_error():
    assert weighted_interval_score([90.0], [0.5], 97.0).total == 7.0


def test_quantile_score_by_hand():
    got = quantile_score([80.0, 100.0, 130.0], [0.1, 0.5, 0.9], 110.0)
    np.testing.assert_allclose(got, [0.1 * 30, 0.5 * 10, 0.1 * 20])


def forecasts(n: int = 6):
    """Quantiles (23, n) and observations (n,)."""
    steps = arrays(float, (23, n), elements=st.floats(0, 50))
    start = arrays(float, (n,), elements=st.floats(0, 1e5))
    gap = arrays(float, (n,), elements=st.floats(-500, 1500))
    return st.tuples(steps, start, gap).map(
        lambda x: (np.cumsum(x[0], axis=0) + x[1], np.maximum(x[1] + x[2], 0))
    )


@given(forecasts())
def test_parts_add_up_exactly_and_nothing_is_negative(case):
    quantiles, observed = case
    score = weighted_interval_score(quantiles, LEVELS, observed)
    assert (score.spread + score.over + score.under == score.total).all()
    assert all((part >= 0).all() for part in score)
    assert ((score.over == 0) | (score.under == 0)).all()


@given(forecasts())
def test_wis_is_twice_the_mean_quantile_score(case):
    quantiles, observed = case
    total = weighted_interval_score(quantiles, LEVELS, observed).total
    mean = 2 * quantile_score(quantiles, LEVELS, observed).mean(axis=0)
    np.testing.assert_allclose(total, mean, rtol=1e-9, atol=1e-9)


@given(forecasts())
def test_wis_against_scoringrules_quantile_crps(case):
    # Its own weighted_interval_score is wrong wherever the observation is not the median.
    sr = scoringrules()
    quantiles, observed = case
    total = weighted_interval_score(quantiles, LEVELS, observed).total
    other = sr.crps_quantile(observed, quantiles.T, LEVELS, backend="numpy")
    np.testing.assert_allclose(total, other, rtol=1e-9, atol=1e-9)


@given(forecasts(), st.floats(0.01, 100), st.floats(0, 1e4))
def test_wis_scales_with_the_counts_and_ignores_a_shift(case, factor, shift):
    quantiles, observed = case
    plain = weighted_interval_score(quantiles, LEVELS, observed).total
    scaled = weighted_interval_score(quantiles * factor, LEVELS, observed * factor).total
    moved = weighted_interval_score(quantiles + shift, LEVELS, observed + shift).total
    np.testing.assert_allclose(scaled, factor * plain, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(moved, plain, rtol=1e-7, atol=1e-7)


def test_the_true_quantiles_score_best_on_average():
    rng = np.random.default_rng(1)
    observed = rng.normal(100, 10, 40_000)
    z = np.quantile(rng.normal(size=400_000), LEVELS)

    def mean_wis(centre: float, scale: float) -> float:
        quantiles = np.broadcast_to((centre + scale * z)[:, None], (23, observed.size))
        return float(weighted_interval_score(quantiles, LEVELS, observed).total.mean())

    best = mean_wis(100, 10)
    for wrong in ((103, 10), (97, 10), (100, 7), (100, 14)):
        assert mean_wis(*wrong) > best


def test_a_missing_observation_gives_nan_in_every_part():
    score = weighted_interval_score(
        np.array([[90.0, 90], [100, 100], [110, 110]]), THREE, [1, np.nan]
    )
    assert all(np.isfinite(part[0]) and np.isnan(part[1]) for part in score)


@pytest.mark.parametrize(
    ("quantiles", "levels", "message"),
    [
        ([1.0, 2.0], [0.25, 0.75], "symmetric about 0.5"),
        ([1.0, 2.0, 3.0], [0.1, 0.5, 0.8], "symmetric about 0.5"),
        ([1.0, 2.0, 3.0], [0.75, 0.5, 0.25], "must rise"),
        ([1.0, 2.0], THREE, "3 levels for quantiles of shape"),
        ([3.0, 2.0, 1.0], THREE, "quantiles cross: level 0.5 is 2, below 3 at level 0.25"),
        ([1.0, np.nan, 2.0], THREE, "finite"),
    ],
)
def test_what_cannot_be_scored_is_refused(quantiles, levels, message):
    with pytest.raises(ScoringError, match=message):
        weighted_interval_score(quantiles, levels, 1.0)


def test_order_lost_in_the_last_digit_is_not_a_crossing():
    quantiles = [100.0, 100.0 - 1e-13, 100.0]
    score = weighted_interval_score(quantiles, THREE, 100.0)
    assert score.total == 0


def test_interval_score_refuses_nonsense():
    with pytest.raises(ScoringError, match="alpha"):
        interval_score(1, 2, 1, alpha=1.0)
    with pytest.raises(ScoringError, match="below its lower end"):
        interval_score(2, 1, 1, alpha=0.5)


def test_percentage_error_of_nothing_is_unknown():
    got = absolute_percentage_error([5.0, 5.0, 5.0], [4.0, 0.0, np.nan])
    np.testing.assert_allclose(got, [25.0, np.nan, np.nan])


def test_bias_from_quantiles_by_hand():
    levels = [0.1, 0.25, 0.5, 0.75, 0.9]
    quantiles = np.array([80.0, 90, 100, 110, 120])
    for observed, bias in ((79, 1), (80, 0.8), (95, 0.5), (100, 0), (105, -0.5), (121, -1)):
        assert bias_from_quantiles(quantiles, levels, float(observed)) == pytest.approx(bias)
    assert np.isnan(bias_from_quantiles(quantiles, levels, np.nan))
    with pytest.raises(ScoringError, match="median"):
        bias_from_quantiles([1.0], [0.1], 1.0)
