"""Calibration: bands that hold what they say, and a posterior that lies within them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench_effects import GENERATORS
from odforecast.errors import ScenarioError
from odforecast.evidence.calibration import (
    EVENT,
    bands,
    check_calibration,
    shares,
    simulated_months,
)
from odforecast.scenario.effects import Estimator


def test_bands_hold_uniform_samples_as_often_as_they_say():
    limits = bands(200, 0.9)
    rng = np.random.default_rng(11)
    held = [limits.outside(rng.random(200)) == 0.0 for _ in range(2000)]
    assert np.mean(held) == pytest.approx(0.9, abs=0.025)


def test_bands_see_what_is_not_uniform():
    limits = bands(1000)
    rng = np.random.default_rng(1)
    assert limits.outside(rng.beta(1.3, 1.3, 1000)) > 0  # too wide
    assert limits.outside(rng.beta(0.75, 0.75, 1000)) > 0  # too narrow
    assert limits.outside(rng.beta(1.2, 1.0, 1000)) > 0  # biased
    with pytest.raises(ScenarioError, match="20 or more"):
        bands(5)


def test_shares_are_the_empirical_distribution():
    x = np.array([0.1, 0.5, 0.5, 0.9])
    np.testing.assert_array_equal(shares(x, np.array([0.05, 0.1, 0.5, 0.95])), [0, 0.25, 0.75, 1])


@pytest.mark.slow
def test_posterior_is_calibrated_on_its_own_generator():
    result = check_calibration(simulations=200, seed=3)
    assert result.passed, result.text
    result.figures["calibration"]()


@pytest.mark.slow
def test_a_wrong_posterior_is_noticed(monkeypatch):
    """Sds half of what they are."""
    posterior = Estimator.posterior

    def narrow(self, deaths):
        found = posterior(self, deaths)
        return replace(found, variances=0.25 * found.variances)

    monkeypatch.setattr(Estimator, "posterior", narrow)
    assert check_calibration(simulations=200, seed=3).passed is False


def test_generators_give_counts_and_what_was_injected():
    for epidemic in GENERATORS.values():
        rng = np.random.default_rng(2)
        panel, beta = epidemic(rng, simulated_months(), EVENT, 5)
        assert panel.shape == (5, simulated_months().size)
        assert (panel >= 0).all()
        assert (panel == np.round(panel)).all()
        assert -1.2 < beta < 0.9


@pytest.mark.slow
def test_a_wandering_slope_is_known_of():
    epidemic = GENERATORS["wandering slope .005"]
    months = simulated_months()
    estimator = Estimator(months, EVENT, locations=10, draws=100)
    inside = []
    for i in range(80):
        panel, beta = epidemic(np.random.default_rng(i), months, EVENT, 10)
        low, high = estimator.posterior(panel).interval(0.9)
        inside.append(low <= beta <= high)
    assert np.mean(inside) >= 0.9 - 3 * np.sqrt(0.09 / 80)
