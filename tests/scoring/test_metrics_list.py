"""Metrics that a user adds: names, keys, what is checked, and those that are built in."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest

from odforecast.scoring import binned_log_score, crps_from_draws, summarise
from odforecast.scoring.columns import METRIC_COLUMNS
from odforecast.scoring.metrics import METRICS, Metric, apply_metric, check_metrics
from odforecast.scoring.rules import FLOOR, bins_of

DRAWS = np.random.default_rng(1).gamma(40.0, 25.0, (300, 3, 2))
TRUTH = np.array([[900.0, 1000.0], [np.nan, 1100.0], [1500.0, 700.0]])


def mean_error(samples, observed):
    return samples.mean(axis=0) - observed


def test_a_metric_is_applied_and_unknown_where_nothing_came():
    got = apply_metric(Metric("mean_error", mean_error), DRAWS, TRUTH)
    np.testing.assert_allclose(got, DRAWS.mean(axis=0) - TRUTH)
    assert np.isnan(got[1, 0])
    always = Metric("always", lambda _, observed: np.ones(observed.shape))
    assert np.isnan(apply_metric(always, DRAWS, TRUTH)[1, 0])
    assert check_metrics(["se", always]) == (METRICS["se"], always)
    assert check_metrics([]) == ()
    assert check_metrics("se") == (METRICS["se"],)


def test_the_key_changes_with_everything_that_changes_the_values():
    base = Metric("mine", mean_error)
    assert base.key == Metric("mine", mean_error).key
    assert base.reusable
    others = [
        Metric("other", mean_error),
        Metric("mine", mean_error, version="2"),
        Metric("mine", mean_error, target="deaths_12mo"),
        Metric("mine", _another),
        Metric("mine", _above(1000)),
        Metric("mine", _above(2000)),
        Metric("mine", functools.partial(_with, k=1)),
        Metric("mine", functools.partial(_with, k=2)),
        Metric("mine", _with_default),
    ]
    assert len({m.key for m in others} | {base.key}) == 1 + len(others)
    assert all(m.reusable for m in others)
    assert Metric("mine", _above(1000)).key == Metric("mine", _above(1000)).key


def test_two_lambdas_of_one_line_are_two_metrics():
    one, two = Metric("m", lambda s, y: y + 1), Metric("m", lambda s, y: y + 2)  # noqa: ARG005
    pair = [Metric("m", f) for f in (lambda s, y: y + s[0], lambda s, y: y - s[0])]
    named = [Metric("m", f) for f in (lambda s, _: np.abs(s[0]), lambda s, _: np.sign(s[0]))]
    inner = [Metric("m", f) for f in (lambda s, y: [v for v in y if v > 1] and y, lambda s, y: [v for v in y if v > 2] and y)]  # noqa: ARG005, E501  # fmt: skip
    held = [Metric("m", functools.partial(f, 1)) for f in (lambda k, s, y: y + k, lambda k, s, y: y * k)]  # noqa: ARG005, E501  # fmt: skip
    for first, second in ((one, two), pair, named, inner, held):
        assert first.reusable
        assert first.key != second.key
    again = [Metric("m", _above(1000)) for _ in range(2)]
    assert again[0].key == again[1].key


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
    np.testing.assert_allclose(got["crps_log"], crps_from_draws(np.log1p(draws), np.log1p(y)))
    np.testing.assert_allclose(got["se"], (draws.mean(axis=0) - y) ** 2)
    logs = np.log1p(draws)
    v = logs.var(axis=0, ddof=1) + 1 / 12 / (1 + np.median(draws, axis=0)) ** 2
    want = np.log(v) + (np.log1p(y) - logs.mean(axis=0)) ** 2 / v
    np.testing.assert_allclose(got["dss_log"], want)
    negative = draws - 2000.0
    for name in ("crps_log", "dss_log"):
        assert np.isnan(apply_metric(METRICS[name], negative, y)).all()


@pytest.mark.parametrize("name", ["log_score", "log_score_lognormal"])
def test_a_summary_averages_them_where_asked_and_names_the_log_score(name):
    columns = dict.fromkeys([c for c in METRIC_COLUMNS if not c.startswith("log_score")], 1.0)
    given = {"model": ["a", "a"], "scorable": True, "mine": [1.0, 3.0], name: 4.0}
    table = pd.DataFrame(given | columns)
    got = summarise(table, metrics=["mine"])
    assert got["mine"].tolist() == [2.0]
    assert got["log_score_lognormal"].tolist() == [4.0]
    assert not {"mine", "log_score"} & set(summarise(table))


def test_binned_score_by_hand():
    # log(1.05) bins: 100 and 101 share bin 94, 107 lies above it.
    assert bins_of([100.0, 101.0, 107.0]).tolist() == [94, 94, 95]
    assert binned_log_score([100.0, 101.0, 107.0, 300.0], 107.0) == pytest.approx(np.log(4))
    assert np.isnan(binned_log_score(np.ones(4), np.nan))
    assert binned_log_score(np.full(4, -5.0), 0.0) == -FLOOR  # below zero: in no bin


def _another(samples, observed):
    return observed - samples.mean(axis=0)


def _above(limit):
    return lambda samples, observed: (samples > limit).mean(axis=0) + 0 * observed


def _with(samples, observed, k):
    return observed * k


def _with_default(samples, observed, k=(1, 2.0, [3, None])):
    return observed * k[0]
