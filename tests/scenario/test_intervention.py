from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odforecast.errors import ScenarioError
from odforecast.scenario import Fixed, Intervention, Normal, Rebound, Uniform, named_intervention
from odforecast.scenario.intervention import rise_and_fade

MONTHS = np.arange("2026-01", "2030-01", dtype="datetime64[M]")


def effect(x, states=("OH",), exposure=None, draws=50, seed=1):
    felt = np.ones(len(states)) if exposure is None else np.asarray(exposure, dtype=float)
    return x.draw(MONTHS, states, felt, draws, seed)


def test_formula_by_hand():
    x = Intervention(
        "x", Fixed(-0.4), onset="2026-03", lag=Fixed(2), ramp=Fixed(4), plateau=Fixed(3),
        half_life=Fixed(12), spread=0.0,
    )  # fmt: skip
    path = effect(x)[0, 0]
    at = {str(m): v for m, v in zip(MONTHS, path)}
    assert at["2026-05"] == 0.0  # onset + lag
    assert at["2026-07"] == pytest.approx(-0.2)  # half way up
    assert at["2026-09"] == pytest.approx(-0.4)  # full
    assert at["2026-12"] == pytest.approx(-0.4)  # end of the plateau
    assert at["2027-12"] == pytest.approx(-0.2)  # one half-life later


def test_step_and_permanent():
    since = np.array([[-1.0, 0.0, 5.0]])
    assert rise_and_fade(since, np.zeros(1), np.zeros(1), None).tolist() == [[0.0, 1.0, 1.0]]


def test_state_draws_do_not_depend_on_order_or_company():
    x = named_intervention("supply-shock-2023-like", onset="2026-03", exposure=1.0)
    both = effect(x, ("OH", "WV"))
    turned = effect(x, ("WV", "OH"))
    alone = effect(x, ("WV",))
    assert (both[:, 0] == turned[:, 1]).all()
    assert (both[:, 1:] == alone).all()


def test_spread_between_states_and_none_for_the_nation():
    x = Intervention("x", Fixed(-0.3), onset="2026-01", spread=0.15)
    drawn = effect(x, ("US", "OH", "WV"), draws=4000)[:, :, -1]
    assert (drawn[:, 0] == -0.3).all()
    assert drawn[:, 1].std() == pytest.approx(0.15, rel=0.05)
    assert abs(np.corrcoef(drawn[:, 1], drawn[:, 2])[0, 1]) < 0.05


def test_no_effect_means_none_in_any_state():
    x = Intervention("x", Normal(-0.3, 0.1), onset="2026-01", p_null=0.5, probability=0.8)
    drawn = effect(x, ("OH", "WV"), draws=4000)
    none = (drawn == 0).all(axis=(1, 2))
    assert none.mean() == pytest.approx(1 - 0.8 * 0.5, abs=0.03)
    assert ((drawn[:, 0, -1] == 0) == (drawn[:, 1, -1] == 0)).all()


def test_rebound_only_after_a_success():
    rebound = Rebound(Fixed(0.1), after=Fixed(12), ramp=Fixed(6))
    good = Intervention("x", Fixed(-0.3), onset="2026-01", spread=0.0, rebound=rebound)
    bad = Intervention("x", Fixed(0.3), onset="2026-01", spread=0.0, rebound=rebound)
    assert effect(good)[0, 0, -1] == pytest.approx(-0.2)
    assert effect(good)[0, 0, 12] == pytest.approx(-0.3)
    assert effect(bad)[0, 0, -1] == pytest.approx(0.3)


def test_onset_range_is_drawn_evenly():
    x = Intervention("x", Fixed(-1.0), onset=("2026-02", "2026-04"), spread=0.0)
    first = (effect(x, draws=6000)[:, 0] == 0).sum(axis=1)  # months before the onset
    values, counts = np.unique(first, return_counts=True)
    assert values.tolist() == [1, 2, 3]
    assert (abs(counts / 6000 - 1 / 3) < 0.03).all()


@given(share=st.floats(0, 1), seed=st.integers(0, 5))
def test_share_scales_the_size(share, seed):
    x = named_intervention("supply-shock-2023-like", onset="2026-03", exposure=1.0, spread=0.0)
    whole, part = effect(x, seed=seed), effect(x.scaled(share), seed=seed)
    assert np.allclose(part, share * whole)


def test_share_of_zero_is_no_effect_at_all():
    x = named_intervention("supply-shock-2023-like", onset="2026-03", exposure=1.0).scaled(0)
    assert (effect(x) == 0).all()


def test_pickles_and_hashes_with_a_table():
    x = named_intervention(
        "analogue-scheduling", onset="2026-03", exposure={"OH": 1.0, "default": 0.3}
    )
    again = pickle.loads(pickle.dumps(x))
    assert again == x
    assert hash(again) == hash(x)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"probability": 1.2}, "probability is 1.2, allowed: 0 to 1"),
        ({"p_null": -0.1}, "p_null is -0.1, allowed: 0 to 1"),
        ({"half_life": Fixed(-6)}, "half_life is -6, allowed: 0 or more"),
        ({"spread": 9.0}, "spread is 9, allowed: 0 to 2"),
        ({"onset": "2001-01"}, "allowed: 2014-02"),
        ({"onset": ("2026-05", "2026-01")}, "the first not after the last"),
        ({"grade": "superb"}, "allowed: high"),
        ({"exposure": "moon"}, "allowed: a number"),
        ({"exposure": {"OH": -1}}, "exposure of OH is -1"),
    ],
)
def test_mistakes(changes, words):
    with pytest.raises(ScenarioError) as caught:
        Intervention(**({"name": "x", "size": Fixed(-0.1), "onset": "2026-01"} | changes))
    assert words in str(caught.value)


def test_enters_a_likelihood():
    pm = pytest.importorskip("pymc")
    x = Intervention(
        "shock", Fixed(-0.4), onset="2026-03", ramp=Fixed(6), half_life=Fixed(12), lag=Fixed(1)
    )
    with pm.Model():
        drawn = pm.draw(x.to_pymc(MONTHS))
    assert np.allclose(drawn, -0.4 * x.curve(MONTHS))
    wide = Intervention("w", Uniform(-0.4, 0), onset=("2026-03", "2026-06"))
    with pytest.raises(ScenarioError, match="onset is a range"), pm.Model():
        wide.to_pymc(MONTHS)
