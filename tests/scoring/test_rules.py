"""Rules of quantiles, draws and vectors, calibration, and metrics that a user adds."""

import functools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from other_scores import scoringrules
from scipy import stats

from odforecast import scoring as s
from odforecast.names import HUB_QUANTILES
from odforecast.scoring.columns import METRIC_COLUMNS
from odforecast.scoring.metrics import METRICS, Metric, apply_metric, check_metrics
from odforecast.scoring.rules import FLOOR, bias_sorted, bins_of, over_units

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
        (lambda x, y: over_units(x, y, bias_sorted), (DRAWN, [0.0, 2.0, 3.0, 9.0, NAN]),
         [1.0, 0.0, -0.5, -1.0, NAN]),
        (s.interval_coverage, (AT[:, :4], [0.05, 0.25, 0.5, 0.75, 0.95], [80.0, 108, 121, NAN],
                             [0.5, 0.9]), [[0, 1, 0, NAN], [1, 1, 0, NAN]]),
        # Order that is lost in the last digit is no crossing.
        (lambda *x: s.weighted_interval_score(*x).total, ([1e2, 1e2 - 1e-13, 1e2], THREE, 1e2), 0),
    ],
)  # fmt: skip
def test_by_hand(rule, given, want):
    np.testing.assert_allclose(rule(*given), want, atol=1e-12)


def test_wis_by_hand_where_the_observation_is_not_the_median():
    # K = 1, alpha = 0.5: (|y - m| / 2 + 0.25 * IS) / 1.5
    observed, outside = np.array([100.0, 104, 97, 120, 80]), (10 + 0.5 * 20) / 1.5
    under = [0.0, 0.5 * 4 / 1.5, 0.0, outside, 0.0]
    over = [0.0, 0.0, 0.5 * 3 / 1.5, 0.0, outside]
    score = s.weighted_interval_score(np.tile([[90.0], [100], [110]], 5), THREE, observed)
    whole = (0.5 * abs(observed - 100) + 0.25 * s.interval_score(90, 110, observed, 0.5)) / 1.5
    got = (score.spread, score.over, score.under, score.total)
    np.testing.assert_allclose(got, ([0.25 * 20 / 1.5] * 5, over, under, whole), atol=1e-12)


def forecasts(n: int = 6):
    shapes = {(23, n): (0, 50), (1, n): (0, 1e5), (n,): (-500, 1500)}
    given = (arrays(float, shape, elements=st.floats(*ends)) for shape, ends in shapes.items())
    return st.tuples(*given).map(
        lambda x: (np.cumsum(x[0], axis=0) + x[1], np.maximum(x[1][0] + x[2], 0))
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


def test_pit_by_hand_and_uniform_even_for_small_counts():
    draws = np.repeat([[10.0], [20.0], [30.0]], 3, axis=1)
    got = s.pit_from_draws(draws, [5.0, 25.0, np.nan], seed=1)
    assert np.floor(4 * got[:2]).tolist() == [0, 2]  # the quarter it lies in
    assert np.isnan(got[2])
    counts = np.random.default_rng(5).poisson(0.7, (51, 6000)).astype(float)
    pit, again = (s.pit_from_draws(counts[1:], counts[0], seed=1) for _ in range(2))
    assert stats.kstest(pit, "uniform").pvalue > 0.01
    assert (pit == again).all()
    assert s.pit_histogram([np.nan])["density"].isna().all()
    exact = s.interval_pit(counts[1:], counts[0], counts[0], seed=1)
    np.testing.assert_allclose(exact, pit)


DRAWS = np.random.default_rng(1).gamma(40.0, 25.0, (300, 3, 2))
TRUTH = np.array([[900.0, 1000.0], [np.nan, 1100.0], [1500.0, 700.0]])


def mean_error(samples, observed):
    return samples.mean(axis=0) - observed


def test_a_metric_is_applied_and_unknown_where_nothing_came():
    got = apply_metric(Metric("mean_error", mean_error), DRAWS, TRUTH)
    np.testing.assert_allclose(got, DRAWS.mean(axis=0) - TRUTH)
    always = Metric("always", lambda _, observed: np.ones(observed.shape))
    assert np.isnan(apply_metric(always, DRAWS, TRUTH)[1, 0])
    assert check_metrics(["se", always]) == (METRICS["se"], always)
    assert check_metrics([]) == ()
    assert check_metrics("se") == (METRICS["se"],)


def test_the_key_changes_with_everything_that_changes_the_values():
    held = [functools.partial(_with, k=k) for k in (1, 2)]
    functions = [mean_error, _another, _above(1000), _above(2000), _with_default, *held]
    metrics = [Metric("mine", function) for function in functions]
    others = ({"name": "other"}, {"version": "2"}, {"target": "deaths_12mo"})
    metrics += [Metric(**{"name": "mine", "function": mean_error} | other) for other in others]
    assert len({m.key for m in metrics}) == len(metrics)
    assert all(m.reusable for m in metrics)
    for metric, function in ((metrics[0], mean_error), (metrics[2], _above(1000))):
        assert metric.key == Metric("mine", function).key


def test_a_lambda_is_never_used_again():
    one, two = Metric("m", lambda s, y: y + 1), Metric("m", lambda s, y: y + 2)  # noqa: ARG005
    assert not one.reusable
    assert one.key != two.key


def test_where_the_text_is_unknown_nothing_is_used_again():
    made: dict[str, object] = {}
    exec("def odd(samples, observed):\n    return observed", made)
    one, two = Metric("odd", made["odd"]), Metric("odd", made["odd"])
    assert not one.reusable
    assert one.key != two.key
    held = Metric("held", functools.partial(_with, k=object()))  # no plain value
    assert not held.reusable
    assert not Metric("numpy_made", np.add).reusable


def test_built_in_metrics_are_what_they_say():
    y = np.array([[900.0, 1000.0]])
    draws = DRAWS[:, :1]
    got = {name: apply_metric(metric, draws, y) for name, metric in METRICS.items()}
    np.testing.assert_allclose(got["crps_log"], s.crps_from_draws(np.log1p(draws), np.log1p(y)))
    np.testing.assert_allclose(got["se"], (draws.mean(axis=0) - y) ** 2)
    logs = np.log1p(draws)
    v = logs.var(axis=0, ddof=1) + 1 / 12 / (1 + np.median(draws, axis=0)) ** 2
    want = np.log(v) + (np.log1p(y) - logs.mean(axis=0)) ** 2 / v
    np.testing.assert_allclose(got["dss_log"], want)
    for name in ("crps_log", "dss_log"):
        assert np.isnan(apply_metric(METRICS[name], draws - 2000.0, y)).all()


@pytest.mark.parametrize("name", ["log_score", "log_score_lognormal"])
def test_a_summary_averages_them_where_asked_and_names_the_log_score(name):
    columns = dict.fromkeys([c for c in METRIC_COLUMNS if not c.startswith("log_score")], 1.0)
    given = {"model": ["a", "a"], "scorable": True, "mine": [1.0, 3.0], name: 4.0}
    table = pd.DataFrame(given | columns)
    got = s.summarise(table, metrics=["mine"])
    assert got["mine"].tolist() == [2.0]
    assert got["log_score_lognormal"].tolist() == [4.0]
    assert not {"mine", "log_score"} & set(s.summarise(table))


def test_binned_score_by_hand():
    # log(1.05) bins: 100 and 101 share bin 94, 107 lies above it.
    assert bins_of([100.0, 101.0, 107.0]).tolist() == [94, 94, 95]
    assert s.binned_log_score([100.0, 101.0, 107.0, 300.0], 107.0) == pytest.approx(np.log(4))
    assert np.isnan(s.binned_log_score(np.ones(4), np.nan))
    assert s.binned_log_score(np.full(4, -5.0), 0.0) == -FLOOR  # below zero: in no bin


def _another(samples, observed):
    return observed - samples.mean(axis=0)


def _above(limit):
    def above(samples, observed):
        return (samples > limit).mean(axis=0) + 0 * observed

    return above


def _with(samples, observed, k):
    return observed * k


def _with_default(samples, observed, k=(1, 2.0, [3, None])):
    return observed * k[0]
