"""Intervals of past effects hold in worlds made of the history's own growth."""

from __future__ import annotations

import numpy as np
import pytest

from bench_past import KNOWN, SETTINGS, estimated, history, measured, world


@pytest.fixture(scope="module")
def made():
    setting = SETTINGS["-20%, blocks of 12"]
    return world(history(), np.random.default_rng(5), setting)


def test_a_world_is_published_as_sums_that_hold_the_effect(made):
    panel, months, size = made
    assert size == pytest.approx(np.log(0.8))
    assert (months[0] == months[1:].sum(axis=0)).all()
    sums = np.apply_along_axis(lambda row: np.convolve(row, np.ones(12), "valid"), 1, months)
    np.testing.assert_array_equal(panel.reported, sums)


def test_the_season_of_the_months_says_nothing(made):
    """Months are recovered up to a constant per calendar month: none of it may matter."""
    panel, months, _ = made
    season = np.exp(0.05 * np.sin(np.arange(12) ** 2))[np.arange(months.shape[1]) % 12]
    found = [estimated(panel, m, KNOWN, "nation") for m in (months, months * season)]
    assert found[1].mean() == pytest.approx(found[0].mean(), abs=0.02 * found[0].sd())
    recovered = estimated(panel, months, KNOWN, "past")
    assert recovered.mean() == pytest.approx(found[0].mean(), abs=0.2 * found[0].sd())
    assert recovered.sd() == pytest.approx(found[0].sd(), rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SETTINGS if "drawn" not in name])
def test_the_interval_holds(name):
    holds = measured(SETTINGS[name], ["past"], 100, 5)["past"][:, 0].mean()
    assert 0.9 - 3 * np.sqrt(0.09 / 100) <= holds
