"""The ensemble: pooling, joint draws, and one order of places."""

from itertools import combinations

import numpy as np
import pytest
from panel_factory import cut_panel
from scipy.stats import spearmanr

from odforecast.errors import PanelError
from odforecast.models import Model, get_model
from odforecast.models.ensemble import Pool
from odforecast.names import HUB_QUANTILES

FOUR = ("CT", "MA", "OH", "MI")
MEMBERS = [get_model("drift"), get_model("hub-baseline")]


def test_it_averages_the_quantiles_of_its_members():
    panel = cut_panel("2021-06", ("OH",))
    models = (get_model("ensemble", members=MEMBERS), *MEMBERS)
    pooled, *parts = (model.fit(panel).forecast(12, draws=4000) for model in models)
    # Members draw from the pool's streams, so the mean is exact.
    expected = np.mean([f.quantiles(HUB_QUANTILES) for f in parts], axis=0)
    np.testing.assert_allclose(pooled.quantiles(HUB_QUANTILES), expected, rtol=1e-9)


def test_two_identical_members_are_that_member():
    panel = cut_panel("2021-06", ("OH", "WV"))
    drift = get_model("drift")
    expected = drift.fit(panel).forecast(14, draws=101)
    pooled = Model(Pool([drift, drift]), "pool").fit(panel).forecast(14, draws=101)
    np.testing.assert_allclose(pooled.samples(), expected.samples(), rtol=1e-9)
    np.testing.assert_allclose(pooled.draws, expected.draws, rtol=1e-6)


def test_pooled_draws_keep_the_ranks_of_the_joint_member_and_are_not_comonotone():
    panel = cut_panel("2021-06", FOUR)
    joint = get_model("dlm", delay=False)
    pool = Model(Pool([get_model("hub-baseline"), joint]), "pool")
    result, template = (m.fit(panel).forecast(6, draws=500).samples() for m in (pool, joint))
    np.testing.assert_array_equal(result.argsort(axis=0), template.argsort(axis=0))
    for a, b in combinations(range(4), 2):
        assert 0.1 < spearmanr(result[:, a, -1], result[:, b, -1]).statistic < 0.9


def test_the_order_of_the_panel_is_that_of_the_draws_and_moves_no_number():
    panel = cut_panel("2021-06", FOUR)
    model = get_model("ensemble", members=["dlm", "drift"], delay=False)
    one, other = (model.fit(panel.select(p)).forecast(6, draws=50) for p in (FOUR, FOUR[::-1]))
    assert other.locations == FOUR[::-1]
    assert one.draws.tobytes() == other.select(FOUR).draws.tobytes()


def test_members_are_at_least_two_that_take_the_last_months_as_they_are():
    with pytest.raises(PanelError, match="ensemble needs at least two members, got 1"):
        get_model("ensemble", members=["drift"])
    with pytest.raises(PanelError, match=r"drift\+delay corrects the delay itself"):
        get_model("ensemble", members=["naive", "drift+delay"])
