"""Ensembles: pooling, joint draws, and that what is learned was known at the origin."""

from __future__ import annotations

import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from panel_factory import bundled_panel, cut_panel, with_counts

from odforecast.models import ensemble as learning
from odforecast.models import get_model
from odforecast.models.ensemble import LEVELS, MAX_HORIZON, Past, Pool, learn_weights, learn_width
from odforecast.names import HUB_QUANTILES
from odforecast.seeds import Streams

CHEAP = ["drift", "hub-baseline"]


def gaussian_past(sds: list[float], cuts: int = 40, truth_sd: float = 10.0) -> Past:
    """Members with normal quantiles around zero, and truths of sd ``truth_sd``."""
    from scipy.stats import norm

    rng = np.random.default_rng(0)
    z = norm.ppf(LEVELS)
    shape = (len(sds), cuts, LEVELS.size, 30, MAX_HORIZON)
    quantiles = np.empty(shape)
    for m, sd in enumerate(sds):
        quantiles[m] = (100 + sd * z)[None, :, None, None]
    observed = 100 + truth_sd * rng.standard_normal((cuts, 30, MAX_HORIZON))
    return Past(quantiles, observed)


def test_weights_move_to_the_better_member_and_add_up():
    past = gaussian_past([10.0, 10.0])
    past.quantiles[1] += 25.0  # the second member is biased
    weights = learn_weights(past, np.arange(30))
    np.testing.assert_allclose(weights.sum(axis=0), 1.0)
    assert (weights[0] > 0.7).all()
    assert (weights[1] >= 0.2).all()  # drawn half way back to equal weights


@pytest.mark.parametrize("sd", [5.0, 20.0])
def test_widths_are_drawn_towards_what_would_have_covered(sd):
    past = gaussian_past([sd], cuts=400)
    factors = learn_width(past.quantiles[0], past.observed, np.arange(30))
    trust = 400 / 412
    np.testing.assert_allclose(factors, (10.0 / sd) ** trust, rtol=0.15)


def test_what_is_learned_was_known_at_the_origin():
    """Later numbers, changed at will, leave weights, widths and draws as they were."""
    panel = bundled_panel()
    changed = panel.reported.copy()
    stop = int(np.flatnonzero(panel.months == np.datetime64("2021-06"))[0]) + 1
    changed[:, stop:] *= 3.0
    other = with_counts(panel, np.round(changed))
    members = [get_model(m) for m in CHEAP]
    fits = [Pool("ensemble", members).fit(p.cut("2021-06")) for p in (panel, other)]
    assert (fits[0].weights == fits[1].weights).all()
    assert (fits[0].width == fits[1].width).all()
    assert not (fits[0].weights == 0.5).all()
    streams = Streams(1, "states", panel.indicator, "2021-06")
    draws = [f.draw(12, 60, streams).draws for f in fits]
    assert (draws[0] == draws[1]).all()


def test_equal_pool_averages_the_members_quantiles():
    panel = cut_panel("2021-06", ("OH",))
    members = [get_model(m) for m in CHEAP]
    pooled = get_model("ensemble-equal", members=members).fit(panel).forecast(12, draws=400)
    # Members draw from the pool's streams, so the mean is exact.
    expected = np.mean(
        [m.fit(panel).forecast(12, draws=400).quantiles(HUB_QUANTILES) for m in members], axis=0
    )
    np.testing.assert_allclose(pooled.quantiles(HUB_QUANTILES), expected, rtol=1e-9)


def test_linear_pool_is_the_mixture():
    panel = cut_panel("2021-06", ("OH",))
    members = [get_model(m) for m in CHEAP]
    pooled = get_model("ensemble-linear", members=members).fit(panel).forecast(12, draws=4000)
    both = np.concatenate([m.fit(panel).forecast(12, draws=4000).samples() for m in members])
    expected = np.quantile(both, HUB_QUANTILES, axis=0)
    np.testing.assert_allclose(pooled.quantiles(HUB_QUANTILES), expected, rtol=0.02)


def test_past_forecasts_are_shared_by_threads(monkeypatch):
    """A thread dropped the oldest while another was about to call it the newest: a KeyError."""

    class Slow(OrderedDict):
        def get(self, key):
            found = super().get(key)
            time.sleep(0.002)
            return found

    monkeypatch.setattr(learning, "_CACHE", Slow())
    monkeypatch.setattr(learning, "_CACHE_SIZE", 1)
    panel = bundled_panel(("OH",))
    cuts = [panel.cut(month) for month in ("2021-06", "2021-07")]
    model = get_model("drift")

    def work(i):
        return learning._quantiles(model, cuts[i % 2], ("OH",))

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(work, range(40)))
    assert all(np.array_equal(m, made[i % 2]) for i, m in enumerate(made))


def test_past_forecasts_of_two_configurations_are_not_taken_for_one():
    """The cache hangs on the whole spec and the whole panel, not on a name and the counts."""
    import odforecast as od
    from odforecast.models.ensemble import _quantiles

    cut = od.bundled().as_of().panel().cut("2021-06")
    one = _quantiles(od.get_model("dlm", delay=False), cut, ("OH",))
    two = _quantiles(od.get_model("dlm", delay=False, dated=True), cut, ("OH",))
    assert not np.array_equal(one, two)
    again = _quantiles(od.get_model("dlm", delay=False), cut, ("OH",))
    assert np.array_equal(one, again)
