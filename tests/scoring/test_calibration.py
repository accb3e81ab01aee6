"""Coverage and PIT: by hand, and on forecasts known to be calibrated or not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odforecast.errors import ScoringError
from odforecast.names import COVERAGE_LEVELS, HUB_QUANTILES
from odforecast.scoring import (
    interval_coverage,
    pit_from_draws,
    pit_histogram,
    pit_summary,
    quantile_coverage,
)


def world(width: float = 1.0, n: int = 4000, draws: int = 99):
    """Draws (D, n) and observations (n,); ``width`` is the forecast's over the true spread."""
    rng = np.random.default_rng(4)
    centre = rng.normal(200, 30, n)
    return centre + width * rng.normal(0, 10, (draws, n)), centre + rng.normal(0, 10, n)


def test_coverage_by_hand():
    quantiles = np.repeat([[90.0], [95.0], [100.0], [105.0], [110.0]], 4, axis=1)
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    got = interval_coverage(quantiles, levels, [90.0, 104.0, 111.0, np.nan], [0.5, 0.9])
    np.testing.assert_array_equal(got, [[0, 1, 0, np.nan], [1, 1, 0, np.nan]])


def test_coverage_needs_both_ends():
    with pytest.raises(ScoringError, match=r"quantile level 0\.1 is not among"):
        interval_coverage([1.0, 2.0, 3.0], [0.25, 0.5, 0.75], 2.0, [0.8])


def test_hub_levels_hold_every_reported_interval():
    draws, observed = world(draws=999)
    quantiles = np.quantile(draws, HUB_QUANTILES, axis=0)
    got = interval_coverage(quantiles, HUB_QUANTILES, observed).mean(axis=1)
    np.testing.assert_allclose(got, COVERAGE_LEVELS, atol=0.02)


def test_quantile_coverage_is_the_level_when_calibrated():
    draws, observed = world(draws=999)
    observed[:10] = np.nan
    table = quantile_coverage(np.quantile(draws, HUB_QUANTILES, axis=0), HUB_QUANTILES, observed)
    np.testing.assert_allclose(table["coverage"], table["level"], atol=0.025)
    assert (table["n"] == observed.size - 10).all()


def test_quantile_coverage_of_nothing_is_unknown():
    table = quantile_coverage([[1.0], [2.0], [3.0]], [0.25, 0.5, 0.75], [np.nan])
    assert table["coverage"].isna().all()
    assert (table["n"] == 0).all()


def test_pit_by_hand_without_ties():
    draws = np.repeat([[10.0], [20.0], [30.0]], 3, axis=1)
    got = pit_from_draws(draws, [5.0, 25.0, np.nan], seed=1)
    assert 0 <= got[0] < 0.25
    assert 0.5 <= got[1] < 0.75
    assert np.isnan(got[2])


@given(st.integers(1, 20), st.integers(0, 5))
def test_pit_of_a_tie_stays_within_the_tied_ranks(n, ties):
    draws = np.concatenate([np.full(n, 1.0), np.full(ties, 2.0), np.full(3, 9.0)])
    got = float(pit_from_draws(draws, 2.0, seed=3))
    assert n / (n + ties + 4) <= got <= (n + ties + 1) / (n + ties + 4)


def test_pit_is_uniform_even_for_small_counts():
    rng = np.random.default_rng(5)
    counts = rng.poisson(0.7, (51, 6000)).astype(float)
    draws, observed = counts[1:], counts[0]
    pit = pit_from_draws(draws, observed, seed=1)
    assert pit_summary(pit)["ks_p"] > 0.01
    assert (pit == pit_from_draws(draws, observed, seed=1)).all()


def test_summary_tells_narrow_wide_and_shifted():
    def summary(width: float = 1.0, shift: float = 0.0) -> dict[str, float]:
        draws, observed = world(width)
        return pit_summary(pit_from_draws(draws + shift, observed, seed=1))

    right = summary()
    assert right["n"] == 4000
    assert right["ks_p"] > 0.01
    assert right["spread"] == pytest.approx(1, abs=0.05)
    assert summary(0.5)["spread"] > 1.2
    assert summary(2.0)["spread"] < 0.8
    assert summary(shift=-8)["mean"] > 0.6  # forecasts too low
    assert summary(0.5)["ks_p"] < 1e-6


def test_histogram_is_flat_when_calibrated_and_a_u_when_narrow():
    flat = pit_histogram(pit_from_draws(*world(), seed=1))
    assert flat["n"].sum() == 4000
    np.testing.assert_allclose(flat["density"], 1, atol=0.2)
    narrow = pit_histogram(pit_from_draws(*world(0.4), seed=1))["density"]
    assert narrow.iloc[0] > 2 < narrow.iloc[-1]
    assert narrow.iloc[4] < 0.7


def test_nothing_scorable_and_nonsense():
    assert pit_summary([np.nan])["n"] == 0
    assert np.isnan(pit_summary([])["mean"])
    assert pit_histogram([np.nan])["density"].isna().all()
    with pytest.raises(ScoringError, match=r"\[0, 1\]"):
        pit_summary([1.2])
    with pytest.raises(ScoringError, match="at least one bin"):
        pit_histogram([0.5], bins=0)
