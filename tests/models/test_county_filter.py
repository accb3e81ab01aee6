"""The filter of counties against exact enumeration, and what a hidden count may tell."""

import numpy as np
import pytest
from county_oracle import exact, moments
from scipy import stats

from odforecast.models.county import filter as county

STEP = 0.03


def alone(low, high, level=4.0, shape=1.0, window=12, months=None, total=np.nan):
    """A single county, no state's remainder unless a total is given."""
    low, high = np.atleast_2d(low).astype(float), np.atleast_2d(high).astype(float)
    n, n_time = low.shape
    months = np.ones(n_time + window - 1) if months is None else months
    start = (np.full(n, level), np.full(n, shape), months, np.full(n_time, total))
    return county.filtered(low, high, *start, 1.0, STEP, window)


def bounds(seen):
    """Of counts of which those below 0 are hidden."""
    seen = np.array(seen)
    return np.where(seen < 0, 1, seen), np.where(seen < 0, 9, seen)


def compared(low: np.ndarray, high: np.ndarray, level: float, shape: float, window: int = 6):
    """(mean, sd) of sum and level, and the means of the months: exact, and filtered."""
    e = np.full(low.size + window - 1, 1 / window)
    truth = exact(low, high, e, level, shape, STEP, window, 40 if window < 12 else 20)
    state = alone(low, high, level, shape, window)
    mean, cov = state.mean[0], state.cov[0]
    total = moments(np.arange(truth["sum"].size), truth["sum"])
    right = (*total, *moments(truth["levels"], truth["level"]))
    got = (mean[:-1].sum(), np.sqrt(max(cov[:-1, :-1].sum(), 0.0)), mean[-1], np.sqrt(cov[-1, -1]))
    return right, got, truth["months"], mean[:-1]


@pytest.mark.parametrize(("mean", "var"), [(4.0, 4.0), (4.0, 9.0), (0.7, 1.5), (14.0, 30.0)])
def test_probabilities_of_a_hidden_count_are_those_of_the_negative_binomial(mean, var):
    whole = stats.poisson(mean) if var == mean else stats.nbinom(mean**2 / (var - mean), mean / var)
    p = whole.pmf(np.arange(1, 10))
    np.testing.assert_allclose(county.counts_between(mean, var, 1.0, 9.0), p / p.sum(), rtol=1e-9)


@pytest.mark.parametrize("mean", [400.0, 900.0, 1100.0, 2500.0])
def test_a_lost_count_is_a_normal_cut_at_its_floor(mean):
    cut = stats.truncnorm((999.5 - mean) / 100.0, np.inf, loc=mean, scale=100.0)
    found = county.moments_between(mean, 100.0**2, 1000.0, np.inf)
    np.testing.assert_allclose(found[0], cut.mean(), rtol=1e-4)
    np.testing.assert_allclose(found[1], cut.var(), rtol=0.03)


def test_the_first_sum_gives_a_multinomial_and_a_gamma_again():
    e = np.array([0.1, 0.2, 0.3, 0.4])
    mean, cov = np.zeros(5), np.zeros((5, 5))
    county.begun(mean, cov, 6.0, 2.0, e, 8.0, 0.0)
    np.testing.assert_allclose(mean[:4], 8 * e)
    np.testing.assert_allclose(cov[:4, :4], 8 * (np.diag(e) - np.outer(e, e)), atol=1e-12)
    rate = 2.0 / 6.0 + 1.0
    np.testing.assert_allclose([mean[4], cov[4, 4]], [10.0 / rate, 10.0 / rate**2])
    assert cov[:4, 4] == pytest.approx(0.0)


def test_overlapping_sums_are_exact_and_zeros_are_zeros():
    rng = np.random.default_rng(1)
    months = rng.poisson(3.0, 35)
    sums = np.convolve(months, np.ones(12, dtype=int), "valid")
    state = alone(sums, sums, 36.0)
    assert state.kind[0] == county.EXACT
    assert state.mean[0, :12].sum() == pytest.approx(sums[-1], abs=1e-9)
    assert state.cov[0, :12, :12].sum() == pytest.approx(0.0, abs=1e-8)
    # Every difference of two sums is a difference of months that the state respects.
    gone = np.zeros(12, dtype=int)
    state = alone(gone, gone, 3.0)
    assert (state.mean[0, :12] == 0).all()
    assert (state.cov[0, :12] == 0).all()
    assert 0 < state.mean[0, 12] < 1.5


def test_hidden_counts_are_taken_a_third_of_a_window_apart_and_after_a_known_one():
    between = np.ones((1, 25), dtype=bool)
    late = between.copy()
    late[0, :6] = False
    at = [np.flatnonzero(county.taken(x, ~x)[0]).tolist() for x in (between, late)]
    assert at == [[0, 4, 8, 12, 16, 20, 24], [6, 8, 12, 16, 20, 24]]


HIDDEN = [(6, 1.0, 1.0), (6, 3.0, 1.0), (6, 4.0, 3.0), (6, 8.0, 1.0), (6, 12.0, 3.0)]


@pytest.mark.slow
@pytest.mark.parametrize(("window", "level", "shape"), [*HIDDEN, (12, 1.0, 1.0), (12, 8.0, 1.0)])
def test_a_county_hidden_for_long_is_as_exact_enumeration_says(window, level, shape):
    right, got, months, means = compared(np.full(24, 1), np.full(24, 9), level, shape, window)
    (mean, at), (sd, spread) = ((got[i::2], right[i::2]) for i in (0, 1))
    assert sd == pytest.approx(spread, rel=0.1)
    near = 0.15 if window == 6 else 0.2
    assert (np.abs(np.subtract(mean, at)) < np.multiply(near, spread)).all()
    np.testing.assert_allclose(means, months, atol=0.1)


PATTERNS = {
    "none, then hidden": [0] * 8 + [-1] * 8,
    "hidden, then none": [-1] * 8 + [0] * 8,
    "shown, then hidden": [12, 10, -1, -1, -1, 10, -1, -1, -1, -1, -1, -1],
    "hidden, then shown": [-1] * 4 + [10, -1, 10, 11, 12, 14, 14, 12, 10, 13, 10, 10],
}


@pytest.mark.parametrize("name", PATTERNS)
def test_counts_that_come_and_go(name):
    right, got, months, means = compared(*bounds(PATTERNS[name]), 5.0, 1.5)
    assert got[0] == pytest.approx(right[0], abs=0.35)
    assert got[1] == pytest.approx(right[1], rel=0.2, abs=0.02)
    assert got[2] == pytest.approx(right[2], rel=0.1)
    assert got[3] == pytest.approx(right[3], rel=0.15)
    # Normal months may have means below none; their sums have not.
    np.testing.assert_allclose(means, months, atol=0.8)


def test_a_death_after_none_is_known_to_the_month():
    mean = alone(*bounds([0] * 6 + [-1] * 3), 1.0, 2.0).mean[0]
    # It came in the third month from the end, and none came before it.
    assert mean[9] > 0.9
    assert (np.abs(mean[:9]) < 1e-9).all()


def test_a_lost_count_is_what_the_state_leaves():
    n = 25
    seen = np.full((3, n), 300.0)
    low, high = seen.copy(), seen.copy()
    low[0], high[0] = 1000.0, np.inf
    months = np.full(n + 11, 2200.0 / 12)
    state = alone(low, high, 300.0, 1.0, months=months, total=2200.0)
    assert state.kind[0] == county.BETWEEN
    mean, sd = state.mean[0, :12].sum(), np.sqrt(state.cov[0, :12, :12].sum())
    # Residence over occurrence is not known better than to a few percent.
    assert mean == pytest.approx(1600.0, abs=60.0)
    assert 40.0 < sd < 140.0
    less = alone(low, high, 300.0, 1.0, months=months * 0.72, total=1584.0)
    assert 1000.0 < less.mean[0, :12].sum() < 1150.0


def test_residence_over_occurrence_is_learned_where_all_are_shown():
    n = 25
    counts = np.full((2, n), 250.0)
    state = alone(counts, counts, 250.0, months=np.full(n + 11, 50.0), total=600.0)
    assert state.rho[0] == pytest.approx(500 / 600, rel=1e-3)
    assert state.rho[1] < 0.01**2
