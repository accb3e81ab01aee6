"""Ensembles: pooling, joint draws, and that what is learned was known at the origin."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from panel_factory import bundled_panel, cut_panel, with_counts
from scipy.stats import norm

from odforecast.models import ensemble as learning
from odforecast.models import get_model
from odforecast.models.content import Kept
from odforecast.models.ensemble import LEVELS, MAX_HORIZON, Past, Pool, learn_weights, learn_width
from odforecast.names import HUB_QUANTILES
from odforecast.seeds import Streams

MEMBERS = [get_model("drift"), get_model("hub-baseline")]


def gaussian_past(sds: list[float], cuts: int = 40, truth_sd: float = 10.0) -> Past:
    """Members with normal quantiles around zero, and truths of sd ``truth_sd``."""
    values = 100 + np.outer(sds, norm.ppf(LEVELS))
    shape = (len(sds), cuts, LEVELS.size, 30, MAX_HORIZON)
    quantiles = np.broadcast_to(values[:, None, :, None, None], shape).copy()
    rng = np.random.default_rng(0)
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
    panel = bundled_panel()
    later = panel.months > np.datetime64("2021-06")
    other = with_counts(panel, np.round(np.where(later, 3.0, 1.0) * panel.reported))
    one, two = (Pool("ensemble", MEMBERS).fit(p.cut("2021-06")) for p in (panel, other))
    assert (one.weights == two.weights).all()
    assert (one.width == two.width).all()
    assert not (one.weights == 0.5).all()
    streams = Streams(1, "states", panel.indicator, "2021-06")
    assert (one.draw(12, 60, streams).draws == two.draw(12, 60, streams).draws).all()


@pytest.mark.parametrize(("name", "near"), [("ensemble-equal", 1e-9), ("ensemble-linear", 0.02)])
def test_a_pool_averages_the_quantiles_of_its_members_or_is_their_mixture(name, near):
    panel = cut_panel("2021-06", ("OH",))
    models = (get_model(name, members=MEMBERS), *MEMBERS)
    pooled, *parts = (model.fit(panel).forecast(12, draws=4000) for model in models)
    # Members draw from the pool's streams, so the mean is exact.
    expected = np.mean([f.quantiles(HUB_QUANTILES) for f in parts], axis=0)
    if name == "ensemble-linear":
        expected = np.quantile(np.concatenate([f.samples() for f in parts]), HUB_QUANTILES, axis=0)
    np.testing.assert_allclose(pooled.quantiles(HUB_QUANTILES), expected, rtol=near)


def test_past_forecasts_are_shared_by_threads(monkeypatch):
    monkeypatch.setattr(learning, "_past", Kept(1))
    cuts = [bundled_panel(("OH",)).cut(month) for month in ("2021-06", "2021-07")]
    work = lambda i: learning._quantiles(MEMBERS[0], cuts[i % 2], ("OH",))  # noqa: E731
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(work, range(40)))
    assert all(np.array_equal(m, made[i % 2]) for i, m in enumerate(made))


def test_past_forecasts_of_two_configurations_are_not_taken_for_one(panel):
    models = (get_model("dlm", delay=False, **dated) for dated in ({}, {"dated": True}, {}))
    cut = panel.cut("2021-06")
    one, two, again = (learning._quantiles(model, cut, ("OH",)) for model in models)
    assert not np.array_equal(one, two)
    assert np.array_equal(one, again)
