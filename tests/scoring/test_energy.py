"""Energy score: golden values, identities, and what the quick mean over pairs costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from other_scores import scoringrules

from odforecast.errors import ScoringError
from odforecast.scoring import crps_from_draws, energy_score
from odforecast.scoring.rules import STEPS, miss_distances, pair_distances

RNG = np.random.default_rng(3)


def by_hand(draws, y, fair):
    n = len(draws)
    miss = np.mean([np.linalg.norm(x - y) for x in draws])
    pairs = sum(np.linalg.norm(a - b) for a in draws for b in draws)
    return miss - pairs / (2 * (n * (n - 1) if fair else n * n))


@pytest.mark.parametrize("fair", [True, False])
def test_by_hand(fair):
    draws, y = RNG.normal(5, 2, (17, 4)), RNG.normal(5, 2, 4)
    assert energy_score(draws, y, fair=fair) == pytest.approx(by_hand(draws, y, fair), rel=1e-12)


@pytest.mark.parametrize(("fair", "estimator"), [(False, "nrg"), (True, "fair")])
def test_golden_values_of_scoringrules(fair, estimator):
    sr = scoringrules()
    draws, y = RNG.gamma(3, 200, (60, 5, 7)), RNG.gamma(3, 200, (5, 7))
    want = sr.es_ensemble(y, draws, m_axis=0, v_axis=-1, estimator=estimator)
    np.testing.assert_allclose(energy_score(draws, y, fair=fair), want, rtol=1e-10)


def test_of_one_element_it_is_the_crps():
    draws, y = RNG.gamma(3, 200, (80, 6)), RNG.gamma(3, 200, 6)
    got = energy_score(draws[..., None], y[..., None], fair=False)
    np.testing.assert_allclose(got, crps_from_draws(draws, y), rtol=1e-10)


def test_the_fair_score_does_not_depend_on_the_number_of_draws():
    """Both are means over many forecasts from which the truth comes, too."""
    rng = np.random.default_rng(11)
    mean = {}
    for n in (3, 30):
        draws, y = rng.normal(size=(n, 40_000 // n, 3)), rng.normal(size=(40_000 // n, 3))
        mean[n] = [energy_score(draws, y, fair=f).mean() for f in (True, False)]
    assert mean[3][0] == pytest.approx(mean[30][0], abs=0.03)
    assert mean[3][1] > mean[30][1] + 0.2  # of the draws themselves: too high by E|X - X'| / 2D


def test_counts_in_the_thousands_lose_no_digits():
    draws = RNG.normal(size=(50, 3)) * 1e-3
    y = np.zeros(3)
    near, far = energy_score(draws, y), energy_score(draws + 1e6, y + 1e6)
    assert far == pytest.approx(near, rel=1e-6)


def test_blocks_change_nothing(monkeypatch):
    draws, y = RNG.normal(size=(25, 2, 3)), RNG.normal(size=(2, 3))
    whole = energy_score(draws, y)
    monkeypatch.setattr("odforecast.scoring.rules._BLOCK", 7)
    np.testing.assert_allclose(energy_score(draws, y), whole, rtol=1e-12)


@given(st.integers(2, 12), st.floats(0.1, 1e4), st.floats(-1e3, 1e3), st.integers(0, 99))
def test_it_scales_and_moves_with_the_data(n, scale, shift, seed):
    rng = np.random.default_rng(seed)
    draws, y = rng.normal(size=(n, 3)), rng.normal(size=3)
    got = energy_score(draws * scale + shift, y * scale + shift)
    assert got == pytest.approx(scale * energy_score(draws, y), rel=1e-6, abs=1e-6 * scale)


def test_what_cannot_be_scored():
    with pytest.raises(ScoringError, match="do not match"):
        energy_score(np.ones((4, 3)), np.ones(2))
    with pytest.raises(ScoringError, match="two or more"):
        energy_score(np.ones((1, 3)), np.ones(3))
    with pytest.raises(ScoringError, match="finite"):
        energy_score(np.full((4, 3), np.nan), np.ones(3))
    assert np.isnan(energy_score(np.ones((4, 2, 3)), [[1, 2, np.nan], [1, 1, 1]])).tolist() == [
        True, False,
    ]  # fmt: skip


def test_distances_of_all_parts_at_once_are_those_of_each():
    draws, y = RNG.normal(size=(41, 5, 3)), RNG.normal(size=(5, 3))
    whole = np.array([True, True, False, True, True])
    miss, apart = miss_distances(draws, y, whole), pair_distances(draws, whole)
    for m in range(3):
        got = miss.by_month[m] - apart.by_month[m] / 2
        assert got == pytest.approx(energy_score(draws[:, :, m], y[:, m]), rel=1e-10)
    for i in range(5):
        got = miss.by_place[i] - apart.by_place[i] / 2
        assert got == pytest.approx(energy_score(draws[:, i], y[i]), rel=1e-10)
    flat = draws[:, whole].reshape(41, -1)
    want = energy_score(flat, y[whole].ravel())
    assert miss.both - apart.both / 2 == pytest.approx(want, rel=1e-10)


def test_few_pairs_are_near_all_pairs():
    """64 steps of 1,000 draws: what leaving pairs out costs, beside having 1,000 draws."""
    rng = np.random.default_rng(9)
    level = rng.normal(0, 0.1, (1000, 1, 1))
    draws = level + rng.normal(0, 0.1, (1000, 20, 6)).cumsum(axis=2)
    whole = np.ones(20, dtype=bool)
    few, every = pair_distances(draws, whole), pair_distances(draws, whole, steps=999)
    for got, want in zip(few, every):
        np.testing.assert_allclose(got, want, rtol=0.01)
    halves = [pair_distances(x, whole, steps=499).both for x in (draws[:500], draws[500:])]
    assert abs(few.both - every.both) < abs(halves[0] - halves[1])
    assert STEPS == 64
