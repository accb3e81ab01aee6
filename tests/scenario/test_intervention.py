"""What an intervention means, formula by formula: each test names the one that it holds."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odforecast import scenario as sc
from odforecast.geography import JURISDICTIONS

MONTHS = np.arange("2026-01", "2030-01", dtype="datetime64[M]")
STATES = tuple(JURISDICTIONS)
SIZES = st.floats(-1.2, 1.2).filter(lambda x: x == 0 or abs(x) > 1e-9)
#: Unequal expected deaths, from a handful to a tenth of the nation's.
WEIGHTS = {s: float(np.exp(0.08 * i)) for i, s in enumerate(STATES)}


def effect(x, states=("OH",), exposure=None, draws=50, seed=1, weights=None):
    felt = np.ones(len(states)) if exposure is None else np.asarray(exposure, dtype=float)
    return x.draw(MONTHS, states, felt, draws, seed, weights)


def cut(size=-0.4, **keys):
    """An intervention of January 2026, a step that stays unless the keys say otherwise."""
    prior = sc.Fixed(size) if isinstance(size, float) else size
    return sc.Intervention("x", prior, **({"onset": "2026-01", "spread": 0.0} | keys))


def nations(delta, weights=WEIGHTS):
    """Log of the change of all deaths, each state's multiplied by exp(delta); (D, L, M)."""
    share = np.array(list(weights.values())) / sum(weights.values())
    return np.log(np.einsum("s,dsm->dm", share, np.exp(delta)))


def test_formula_by_hand_and_a_residue_never_fades():
    x = cut(-0.4, onset="2026-03", lag=sc.Fixed(2), ramp=sc.Fixed(4), plateau=sc.Fixed(3),
            half_life=sc.Fixed(12))  # fmt: skip
    at = {str(m): v for m, v in zip(MONTHS, effect(x)[0, 0])}
    assert at["2026-05"] == 0.0  # onset + lag
    assert at["2026-07"] == pytest.approx(-0.2)  # half way up
    assert at["2026-09"] == pytest.approx(-0.4)  # full
    assert at["2026-12"] == pytest.approx(-0.4)  # end of the plateau
    assert at["2027-12"] == pytest.approx(-0.2)  # one half-life later
    assert at["2028-12"] == pytest.approx(-0.1)  # and another
    path = effect(cut(-0.4, half_life=sc.Fixed(6), residue=sc.Fixed(0.25)))[0, 0]
    expected = -0.4 * (0.25 + 0.75 * 2 ** (-np.arange(MONTHS.size) / 6))
    assert path == pytest.approx(expected, abs=1e-14)
    whole = effect(cut(-0.4, half_life=sc.Fixed(1), residue=sc.Fixed(1.0)))
    assert whole[0, 0] == pytest.approx(-0.4)
    assert effect(cut(-0.4, residue=sc.Fixed(0.25)))[0, 0, -1] == -0.4  # without a fade all stays


def test_onset_range_is_drawn_evenly():
    x = cut(-1.0, onset=("2026-02", "2026-04"))
    first = (effect(x, draws=6000)[:, 0] == 0).sum(axis=1)  # months before the onset
    values, counts = np.unique(first, return_counts=True)
    assert values.tolist() == [1, 2, 3]
    assert (abs(counts / 6000 - 1 / 3) < 0.03).all()


def test_effects_are_evenly_spaced_and_dealt_evenly_to_the_paths():
    x = cut(sc.Normal(-0.05, 0.1), p_null=0.4, share=sc.Beta(1.5, 4))
    order = np.random.default_rng(0).permutation(1000)
    alone = sc.drawing.uniforms(x, 3, 1000)
    u = sc.drawing.uniforms(x, 3, order)
    acts = alone["p_null"] >= 0.4
    assert acts.sum() == 600
    for key in ("size", "share", "lag"):
        evenly = (np.arange(600) + 0.5) / 600
        assert np.sort(alone[key][acts]) == pytest.approx(evenly, abs=1e-12)
        assert sorted(zip(u[key], u["size"])) == sorted(zip(alone[key], alone["size"]))
    change = sc.drawing.outcome(x, order, 3)
    assert [(change < 0).sum(), (change == 0).sum(), (change > 0).sum()] == [415, 400, 185]
    by_level = change[order].reshape(10, 100)  # paths from few to many deaths
    assert (by_level != 0).sum(axis=1) == pytest.approx(60, abs=4)  # at random 60, sd 5
    assert by_level.mean(axis=1).std() < 0.06 * change.std()  # at random 0.10
    # Of a stronger effect, or a more likely one, every path gets the one of the same rank.
    for other in (cut(sc.Normal(-0.1, 0.1), p_null=0.4), cut(sc.Normal(-0.05, 0.1), p_null=0.1)):
        stronger = sc.drawing.outcome(other, order, 3)
        assert np.corrcoef(change.argsort().argsort(), stronger.argsort().argsort())[0, 1] > 0.8


@settings(max_examples=25)
@given(size=SIZES, spread=st.floats(0.0, 0.5), seed=st.integers(0, 9))
def test_every_state_keeps_the_sign_and_the_nation_changes_by_e_beta(size, spread, seed):
    x = cut(sc.Fixed(size), spread=sc.Fixed(spread))
    drawn = effect(x, STATES, draws=40, seed=seed, weights=WEIGHTS)
    assert (np.sign(drawn) == np.sign(size)).all()
    assert np.abs(nations(drawn) - size).max() < 1e-12


def test_factors_of_states_have_mean_one_and_the_spread_that_is_said():
    drawn = effect(cut(-0.3, spread=sc.Fixed(0.4)), ("US", "OH", "WV"), draws=8000)[:, :, -1]
    own = drawn[:, 1:] / -0.3
    assert (drawn[:, 0] == -0.3).all()
    assert own.mean(axis=0) == pytest.approx([1, 1], abs=0.02)
    assert np.log(own).std(axis=0) == pytest.approx([0.4, 0.4], rel=0.03)
    assert abs(np.corrcoef(own[:, 0], own[:, 1])[0, 1]) < 0.05


def test_a_fixed_size_has_no_spread_and_a_tiny_one_does_nothing_much():
    tenth = sc.Intervention("x", sc.Fixed(np.log(0.9)), onset="2026-01")
    assert tenth.spread == sc.Fixed(0)
    assert np.exp(effect(tenth, ("OH", "WV"))[:, :, -1]) == pytest.approx(0.9, abs=1e-15)
    assert sc.Intervention("x", sc.Percent(-10), onset="2026-01").spread == sc.Fixed(0)
    assert sc.Intervention("x", sc.Normal(-0.1, 0.1), onset="2026-01").spread == sc.Uniform(0, 0.5)
    tiny = sc.Intervention("x", sc.Fixed(-1e-9), onset="2026-01", spread=0.5)
    drawn = effect(tiny, STATES, weights=WEIGHTS)
    assert ((drawn < 0) & (drawn > -1e-7)).all()


def test_interventions_of_one_name_are_paired_and_states_depend_on_no_company():
    one, other = cut(sc.Normal(-0.3, 0.1)), cut(sc.Normal(-0.3, 0.1), half_life=sc.Fixed(12))
    assert (effect(one)[:, 0, 0] == effect(other)[:, 0, 0]).all()
    named_y = sc.Intervention("y", one.size, "2026-01", spread=0.0)
    a, b = (effect(x, draws=4000)[:, 0, 0] for x in (one, named_y))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.05
    wide = effect(cut(sc.Normal(-0.3, 0.2)), draws=4000)[:, 0, 0]
    assert (np.argsort(wide) == np.argsort(a)).all()
    x = sc.named_intervention("supply-shock-2023-like", onset="2026-03")
    both = effect(x, ("OH", "WV"), weights=WEIGHTS)
    turned = effect(x, ("WV", "OH"), weights=WEIGHTS)
    alone = effect(x, ("WV",), weights=WEIGHTS)
    assert (both[:, 0] == turned[:, 1]).all()
    assert (both[:, 1:] == alone).all()


def test_all_regions_turn_together():
    x = cut(-0.4, lag=sc.LogNormal(6, 0.5))
    nation, ohio, georgia = (effect(x, ("US", "OH", "GA"), draws=200) == 0).sum(axis=2).T
    assert (nation == ohio).all()
    assert (nation == georgia).all()


def test_no_effect_means_none_in_any_state():
    drawn = effect(cut(sc.Normal(-0.3, 0.1), p_null=0.6, spread=0.3), ("OH", "WV"), draws=4000) == 0
    assert drawn.all(axis=(1, 2)).mean() == pytest.approx(0.6, abs=0.03)
    assert (drawn[:, 0, -1] == drawn[:, 1, -1]).all()
    way = {d: cut(sc.Normal(0.02, 0.06), direction=d) for d in ("either", "fall", "rise")}
    either, fall, rise = (effect(x, draws=4000)[:, 0, 0] for x in way.values())
    assert (fall == np.minimum(either, 0)).all()
    assert (rise == np.maximum(either, 0)).all()
    assert way["rise"].chances()[0] == 0.0


@pytest.mark.parametrize("name", sc.prior_names())
def test_chances_are_those_of_the_draws(name):
    x = sc.named_intervention(name, onset="2026-03")
    change = sc.drawing.outcome(x, 20_000, 1)
    drawn = ((change < 0).mean(), (change == 0).mean(), (change > 0).mean())
    assert x.chances() == pytest.approx(drawn, abs=0.012)
    assert x.backfire or x.chances()[2] < 1e-9  # whatever may backfire says how


def test_what_works_is_judged_over_36_months():
    # A month's success, and a rebound that takes it all back and never could take more.
    all_of_it = sc.Rebound(sc.Fixed(1.0), after=sc.Fixed(3), ramp=sc.Fixed(0))
    x = cut(sc.Normal(-0.45, 0.2), rebound=all_of_it)
    assert x.chances() == pytest.approx(cut(sc.Normal(-0.45, 0.2)).chances(), abs=0.005)
    assert sc.drawing.outcome(cut(-0.4), 3, 1) == pytest.approx(36 * np.expm1(-0.4))
    # All of it comes back after half a year, and stays: in the end as many deaths as before.
    back = sc.Rebound(sc.Fixed(1.0), after=sc.Fixed(0), ramp=sc.Fixed(0))
    assert cut(-0.3, half_life=sc.Fixed(6), rebound=back).chances() == (0.0, 0.0, 1.0)
    assert cut(-0.3, rebound=sc.Rebound(sc.Fixed(0.5))).chances() == (1.0, 0.0, 0.0)


def test_a_rebound_is_a_fraction_of_the_success_and_without_one_there_is_none():
    back = sc.Rebound(sc.Fixed(0.25), after=sc.Fixed(12), ramp=sc.Fixed(6))
    path = effect(cut(-0.4, ramp=sc.Fixed(4), rebound=back))[0, 0]
    assert path[4] == pytest.approx(-0.4)
    assert path[16] == pytest.approx(-0.4)  # onset + ramp + after
    assert path[19] == pytest.approx(-0.4 + 0.5 * 0.1)  # half of it is back
    assert path[22:] == pytest.approx(-0.3)
    assert effect(cut(-0.8, ramp=sc.Fixed(4), rebound=back))[0, 0] == pytest.approx(2 * path)
    fades = sc.Rebound(sc.Fixed(0.25), after=sc.Fixed(12), ramp=sc.Fixed(0), half_life=sc.Fixed(6))
    assert effect(cut(-0.4, rebound=fades))[0, 0, 18] == pytest.approx(-0.4 + 0.05)
    half = sc.Rebound(sc.Fixed(0.5), after=sc.Fixed(6), ramp=sc.Fixed(0))
    drawn = effect(cut(-0.4, spread=0.4, rebound=half), ("OH", "WV"))
    assert drawn[:, :, -1] == pytest.approx(0.5 * drawn[:, :, 0])
    back = sc.Rebound(sc.Fixed(0.5), after=sc.Fixed(1), ramp=sc.Fixed(0))
    for size in (0.3, 0.0):
        with_, without = cut(size, rebound=back), cut(size)
        assert (effect(with_) == effect(without)).all()
    never = sc.Rebound(sc.Fixed(0.5), p_null=1.0, after=sc.Fixed(1), ramp=sc.Fixed(0))
    assert (effect(cut(-0.3, rebound=never)) == effect(cut(-0.3))).all()
    rare = sc.Rebound(sc.Fixed(0.5), p_null=0.4, after=sc.Fixed(1), ramp=sc.Fixed(0))
    held = (effect(cut(-0.3, rebound=rare), draws=4000)[:, 0, -1] == -0.3).mean()
    assert held == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 1.0])
def test_a_part_of_a_success_averts_deaths_too(share):
    keys = {"direction": "fall", "rebound": {"prior": "substitution-rebound"}}
    x = sc.named_intervention("supply-shock-2023-like", onset="2026-01", **keys).scaled(share)
    drawn = effect(x, ("US", "OH"), draws=400)
    # In every draw: a late month may add a few, all months together never.
    assert (np.expm1(drawn).sum(axis=2) <= 1e-12).all()
    assert np.expm1(drawn).sum(axis=2).mean() < -0.05 * share * MONTHS.size
    assert drawn == pytest.approx(share * effect(x.scaled(1), ("US", "OH"), draws=400), abs=1e-12)


def test_pickles_and_hashes_with_a_table():
    keys = {"exposure": {"Ohio": 1.0, "default": 0.3}, "rebound": sc.Rebound(sc.Beta(2, 6))}
    keys["percent"] = {"quantiles": {"5%": -30, "50%": -10}}
    x = sc.named_intervention("analogue-scheduling", onset="2026-03", **keys)
    again = pickle.loads(pickle.dumps(x))
    assert again == x
    assert hash(again) == hash(x)
    assert dict(x.exposure) == {"OH": 1.0, "default": 0.3}
