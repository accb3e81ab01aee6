"""Diebold-Mariano at long horizons: golden values, exactness under white noise, and its size."""

from __future__ import annotations

import numpy as np
import pytest
import score_tables
from scipy import stats

from odforecast.scoring import diebold_mariano
from odforecast.scoring.pairs import _overlapping, bartlett_critical, cosine_test, fixed_b_test


def overlapping(rng, n_series, n_months, horizon=12):
    """Series whose neighbors share all but one of their months: MA(horizon - 1)."""
    noise = rng.standard_normal((n_series, n_months + horizon - 1))
    total = np.pad(noise, ((0, 0), (1, 0))).cumsum(axis=1)
    return total[:, horizon:] - total[:, :-horizon]


def scores_of(gap, horizon=12, step=1):
    wis = {"a": 100.0 + np.asarray(gap)[:, None], "b": np.full((len(gap), 1), 100.0)}
    return score_tables.scores_of(wis, horizon, ("US",), "2018-01", step)


@pytest.mark.parametrize("b", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("level", [0.05, 0.10])
def test_critical_values_of_kiefer_and_vogelsang_by_simulation(b, level):
    """The published polynomial, against the statistic's own distribution for white noise."""
    rng = np.random.default_rng(1)
    n, size = 20_000, 250
    x = rng.standard_normal((n, size))
    centred = x - x.mean(axis=1, keepdims=True)
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    weight = np.maximum(1 - apart / (b * size), 0)
    variance = ((centred @ weight) * centred).sum(axis=1) / size**2
    found = np.quantile(np.abs(x.mean(axis=1)) / np.sqrt(variance), 1 - level)
    assert bartlett_critical(b, level) == pytest.approx(found, rel=0.03)


def test_fixed_b_by_partial_sums():
    """With b = 1 the variance is twice the sum of squared partial sums (Kiefer et al. 2000)."""
    x = np.random.default_rng(2).normal(1, 2, 40)
    partial = (x - x.mean()).cumsum()
    want = x.mean() / np.sqrt(2 * (partial**2).sum() / 40**3)
    got = fixed_b_test(x, np.arange(40))
    assert got.statistic == pytest.approx(want)
    assert got.critical == bartlett_critical(1.0)


def test_cosines_by_hand():
    """Lazarus, Lewis, Stock and Watson (2018), equations 10 and 11."""
    x = np.random.default_rng(3).normal(1, 2, 64)
    t = (np.arange(1, 65) - 0.5) / 64
    averages = [np.sqrt(2 / 64) * (np.cos(np.pi * j * t) * x).sum() for j in range(1, 5)]
    want = x.mean() / np.sqrt(np.mean(np.square(averages)) / 64)
    got = cosine_test(x, np.arange(64), horizon=12)
    assert got.df == 4
    assert got.statistic == pytest.approx(want)
    assert got.critical == pytest.approx(2.776445)
    assert got.p_value == pytest.approx(2 * stats.t.sf(abs(want), 4))


@pytest.mark.parametrize(("n_months", "most"), [(36, 0.095), (64, 0.085), (96, 0.085)])
def test_the_size_under_overlap(n_months, most):
    """Errors of 12-month-ahead forecasts, equal on average: how often is a difference found?

    Nominal 5%. The test with normal critical values finds one in a fifth of the cases and more.
    """
    months = np.arange(n_months)
    x = overlapping(np.random.default_rng(5), 1000, n_months)
    usual = [_overlapping(row, months, 12, 12).statistic for row in x[:400]]
    usual = np.mean(np.abs(usual) > 1.96)
    fixed = np.mean([cosine_test(row, months, 12).p_value < 0.05 for row in x])
    assert fixed < most
    assert usual > fixed + 0.03
    bartlett = [fixed_b_test(row, months) for row in x[:400]]
    share = np.mean([abs(t.statistic) > t.critical for t in bartlett])
    assert fixed < share + 0.03  # b = 1 lies between the two


def test_the_method_follows_from_the_horizon():
    gap = overlapping(np.random.default_rng(7), 1, 64)[0]
    near = diebold_mariano(scores_of(gap, horizon=6), "a", "b").iloc[0]
    far = diebold_mariano(scores_of(gap, horizon=7), "a", "b").iloc[0]
    assert (near["method"], near["df"]) == ("overlap", 63)
    assert (far["method"], far["df"]) == ("cosine", 6)
    want = cosine_test(gap, np.arange(64), 7)
    assert far[["statistic", "p_value", "critical"]].tolist() == pytest.approx(
        [want.statistic, want.p_value, want.critical]
    )
    asked = diebold_mariano(scores_of(gap), "a", "b", method="fixed-b", b=0.5).iloc[0]
    assert asked["critical"] == bartlett_critical(0.5)
    assert np.isnan(asked["p_value"])
    assert asked["note"] == ""
    forced = diebold_mariano(scores_of(gap), "a", "b", method="overlap").iloc[0]
    assert forced["overlap"] == 12


def test_origins_half_a_year_apart_span_as_many_months():
    gap = np.random.default_rng(8).normal(size=12)
    row = diebold_mariano(scores_of(gap, step=6), "a", "b").iloc[0]
    assert row["overlap"] == 2
    assert row["df"] == min(int(0.8 * 72 / 12), int(0.4 * 12 ** (2 / 3)))


def test_too_few_months_have_no_answer():
    gap = overlapping(np.random.default_rng(9), 1, 29)[0]
    row = diebold_mariano(scores_of(gap), "a", "b").iloc[0]
    assert row["note"] == "29 origins within 29 months are too few: 30 months needed"
    assert np.isnan(row["p_value"])
    few = diebold_mariano(scores_of(gap[:7], step=6), "a", "b").iloc[0]
    assert few["note"] == "7 origins are too few: 8 needed"
