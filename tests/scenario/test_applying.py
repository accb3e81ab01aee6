"""Scope, spread and the three numbers: what an effect does to the paths of a forecast."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from test_project import LAST, MONTH, forecast

import odforecast as od
from odforecast import scenario as sc
from odforecast.errors import ScenarioError
from odforecast.geography import JURISDICTIONS
from odforecast.scenario.apply import Applied, share_name
from odforecast.scenario.drawing import _beta, uniforms

ONSET = "2025-05"
SHARES = {"fentanyl-share": {"US": 0.57}}


@pytest.fixture(scope="module")
def whole(fitted):
    return fitted.forecast(24, draws=80, seed=2)


@pytest.fixture(scope="module")
def many(fitted):
    return fitted.forecast(24, draws=500, seed=1)


def one(size=None, name="x", **changes):
    size = sc.Normal(-0.45, 0.2) if size is None else size
    return sc.Scenario(name, (sc.Intervention("x", **({"size": size, "onset": ONSET} | changes)),))


@pytest.mark.parametrize("scope", ["all-drugs", "T40.4"])
def test_the_nation_changes_by_the_stated_effect_in_every_draw(whole, scope):
    scenario = one(scope=scope)
    projection = sc.project(whole, scenario)
    shown = projection if scope == "all-drugs" else projection.part(scope)
    both = (shown.baseline, shown.forecast("x"))
    before, after = (f.draws[:, :, shown.ahead].sum(axis=2) for f in both)
    us, x = shown.baseline.index("US"), scenario.interventions[0]
    beta = _beta(x, uniforms(x, projection.seed, projection.order))
    # T40.4 of eight jurisdictions is worked out from shares, so its nation adds up but for them.
    tolerance = 1e-9 if scope == "all-drugs" else 0.02
    assert np.abs(np.log(after[:, us] / before[:, us]) - beta).max() < tolerance
    signs = np.sign(np.round(np.delete(after - before, us, axis=1), 9))
    assert ((signs == np.sign(beta)[:, None]) | (signs == 0)).all()


@pytest.mark.parametrize("name", sc.prior_names())
def test_no_named_prior_makes_a_class_larger_than_the_whole(many, name):
    projected = sc.project(many, od.scenario.named(name)).forecast(name)
    part = projected.part("T40.4")
    all_drugs = projected.select(list(part.locations))
    assert (part.draws <= all_drugs.draws + 1e-6).all()
    assert (part.samples() <= all_drugs.samples() + 1e-6).all()
    us = projected.index("US")
    parts = [i for i in range(len(projected.locations)) if i != us]
    assert np.allclose(projected.draws[:, parts].sum(axis=1), projected.draws[:, us])


def test_an_effect_of_nothing_leaves_every_draw_as_it_is(whole):
    projection = sc.project(whole, one(sc.Fixed(0.0), scope="T40.4", p_null=0))
    for shown, base in ((projection, whole), (projection.part("T40.4"), whole.part("T40.4"))):
        assert (shown.forecast("x").draws == base.draws).all()
    assert projection.answer()["same"].eq(1.0).all()


def test_a_forecast_of_the_class_changes_by_the_effect():
    panel = od.bundled().as_of("2025-09-17").panel("T40.4").select(["US", "OH"])
    fitted = od.get_model("drift").fit(panel)
    projection = sc.project(fitted, one(sc.Fixed(-0.3), scope="T40.4"), 12, 50)
    assert np.allclose(projection.forecast("x").draws / projection.baseline.draws, np.exp(-0.3))
    everything = sc.project(fitted, one(sc.Fixed(-0.3)), 12, 50)
    assert np.allclose(everything.forecast("x").draws / everything.baseline.draws, np.exp(-0.3))
    assert "same ratio" in " ".join(everything.warnings)
    with pytest.raises(ScenarioError, match=r"scopes are cocaine, allowed: all-drugs, and T40\.4"):
        sc.project(fitted, one(sc.Fixed(-0.3), scope="cocaine"), 12, 50)


def test_a_class_effect_through_shares_is_the_formula_of_one_moment():
    panel = od.bundled().as_of("2025-09-17").panel().select(["US", "OH"])
    fitted = od.get_model("drift").fit(panel)
    scenario = one(sc.Fixed(-0.45), scope="T40.4", replaced=sc.Fixed(0.25))
    projection = sc.project(fitted, scenario, 12, 50)
    w = np.array([projection.tables["fentanyl-share"][s] for s in ("US", "OH")])
    ratio = projection.forecast("x").draws / projection.baseline.draws
    assert np.allclose(ratio, (1 - 0.75 * w * (1 - np.exp(-0.45)))[None, :, None])


def test_answer_in_three_numbers(whole):
    scenario = one(p_null=0.3, name="mixed")
    projection = sc.project(whole, [sc.NULL, scenario]).select(["US", "Ohio"])
    row = projection.answer().set_index("location").loc["US"]
    chances = scenario.interventions[0].chances()
    assert tuple(row[["works", "nothing", "backfires"]]) == chances
    assert chances[0] == pytest.approx(0.7 * 0.9878, abs=1e-3)
    saved = projection.averted_draws("mixed")[:, 0, projection.ahead].sum(axis=1)
    good = saved[saved > 0]
    assert row["averted_if_works_mean"] == pytest.approx(good.mean())
    assert row["averted_if_works_q50"] == pytest.approx(np.median(good))
    assert row["averted_if_works_q05"] == pytest.approx(np.quantile(good, 0.05))
    assert row["averted_mean"] == pytest.approx(saved.mean())
    shares = [(saved > 0).mean(), (saved == 0).mean(), (saved < 0).mean()]
    assert row[["fewer", "same", "more"]].tolist() == shares
    assert row["same"] > 0.1


def test_of_two_each_works_or_not(whole):
    back = sc.Rebound(sc.Fixed(0.5))
    stays = sc.Intervention("x", sc.Fixed(-0.3), ONSET, p_null=0, rebound=back)
    both = sc.Scenario("both", (stays, sc.Intervention("y", sc.Fixed(-0.1), ONSET, p_null=1.0)))
    found = sc.project(whole, both).outcomes().set_index(["location", "outcome"])["share"]
    names = ["both work", "only x works", "only y works", "neither works"]
    assert found["US"].to_dict() == dict(zip(names, [0.0, 1.0, 0.0, 0.0]))


@pytest.mark.parametrize("scope", ["all-drugs", "T40.4"])
def test_one_number_in_all_places(whole, scope):
    scenario = one(sc.Fixed(-0.4), name="shock", scope=scope)
    projection = sc.project(whole, scenario)
    assert projection.source is whole
    # The part alone lacks eight jurisdictions, which share in the factor c.
    shown, close = (projection, 1e-9) if scope == "all-drugs" else (projection.part(scope), 1e-4)
    cut = shown.select(["US"])
    table = cut.averted()
    mean = table[table["period"] == "all"]["averted_mean"].item()
    assert cut.answer()["averted_mean"].item() == pytest.approx(mean)
    keys = {"seed": cut.seed, "exposures": cut.tables}
    sizes = sc.tornado(cut.source, scenario, location="US", **keys)
    assert sizes["averted"].to_numpy() == pytest.approx(mean, rel=close)


def test_cost_of_delay(whole):
    scenario = one(sc.Fixed(-0.3))
    table = sc.cost_of_delay(whole, scenario, (0, 6, 12), seed=2)
    assert table["onset"].tolist() == ["2025-05", "2025-11", "2026-05"]
    assert table["not_prevented"].iloc[0] == 0.0
    assert (np.diff(table["not_prevented"]) > 0).all()
    assert (table["until"] == str(whole.months[-1])).all()
    # What stays is lost by waiting, in the long run too; what fades is only postponed.
    np.testing.assert_allclose(table["not_prevented_run_out"], table["not_prevented"])
    short = one(sc.Fixed(-0.3), half_life=sc.Fixed(6))
    fades = sc.cost_of_delay(whole, short, (0, 12), seed=2).iloc[1]
    assert abs(fades["not_prevented_run_out"]) < 0.05 * fades["averted_mean"]
    assert fades["not_prevented"] > 5 * abs(fades["not_prevented_run_out"])
    us = whole.draws[:, whole.index("US"), whole.months > whole.last_month][:, :6].sum(axis=1)
    assert table["not_prevented"].iloc[1] == pytest.approx(us.mean() * -np.expm1(-0.3))
    for wait, said in ((60, "after the last month"), (-3, "delay is -3, allowed: a whole number")):
        with pytest.raises(ScenarioError, match=said):
            sc.cost_of_delay(whole, scenario, (0, wait))
    # The nation that is added later is in the source too.
    projection = sc.project(whole.select(list(JURISDICTIONS)), one(sc.Fixed(-0.2))).with_nation()
    table = sc.cost_of_delay(projection.source, one(sc.Fixed(-0.2)), (0,), location="US")
    mean = projection.select("US").answer()["averted_mean"].item()
    assert table["averted_mean"].item() == pytest.approx(mean)


def test_a_region_is_the_sum_of_its_states(whole):
    projection = sc.project(whole, one())
    west = projection.region("West")
    states = [s for s in whole.locations if s in west.baseline.parts["West"]]
    one_by_one = projection.select(states).averted_draws("x").sum(axis=1)
    assert np.allclose(west.averted_draws("x")[:, 0], one_by_one)
    said = sc.project(whole.region("West"), one()).warnings
    assert any("without what differs between states" in text for text in said)


def test_what_cannot_be_held_is_said_and_notes_stand_in_one_order(whole):
    few = sc.project(od.get_model("drift").fit(whole.panel.select(["OH"])), one(), 12, 20)
    assert any("without their sum being held" in text for text in few.warnings)
    absent = sc.project(whole, one(exposure={"PR": 1.0, "default": 0.0}))
    assert any("names PR, which is not forecast" in text for text in absent.warnings)
    third = sc.project(whole, one(sc.Normal(-0.12, 0.001), exposure={"OH": 1.0, "default": 0.25}))
    (said,) = [text for text in third.warnings if "with its exposures" in text]
    assert "by -3." in said
    short = sc.project(whole.first(6), one(sc.Fixed(-0.2)))
    assert short.answer()["averted_if_works_q50"].isna().all()
    assert "too few draws to say" in short.text("US")
    base = whole.select(["OH", "WV"])
    classes = ["T40.4", "psychostimulants", "cocaine", "heroin", "methadone"]
    part = replace(whole.select("OH"), draws=0.1 * whole.select("OH").draws, beside={})
    carrying = replace(base, beside={}).with_parts(dict.fromkeys(classes, part))
    applied = Applied(carrying, {share_name(short): {"WV": 0.1} for short in classes}, 1)
    applied.acted([])
    assert [note.split()[3] for note in applied.notes] == sorted(classes)


@pytest.fixture(scope="module")
def baseline():
    level = {"draws": np.full((400, 1, 24), 6000.0), "known": np.full((1, 11), 6000.0)}
    return replace(forecast(("US",)), **level)


def test_tornado_by_hand_and_that_every_assumption_is_varied(baseline):
    x = sc.Intervention("x", sc.Normal(-0.3, 0.1), "2025-05", p_null=0.25, spread=0.0)
    table = sc.tornado(baseline, sc.Scenario("s", (x,)), location="US").set_index("assumption")
    assert set(table.index) == {"size", "p_null", "exposure"}
    assert table.at["p_null", "averted_high"] == 0.0
    low = -0.3 - 1.6448536 * 0.1
    expected = (1 - 0.25) * 24 * 6000 * -np.expm1(low)
    assert table.at["size", "averted_low"] == pytest.approx(expected, rel=0.06)
    assert table["swing"].is_monotonic_decreasing
    between = sc.Uniform(1, 3)
    back = sc.Rebound(sc.Uniform(0.1, 0.3), 0.4, after=between, half_life=between)
    times = dict.fromkeys(["lag", "ramp", "plateau", "half_life"], between)
    onset = ("2025-06", "2025-09")
    x = sc.Intervention("x", sc.Normal(-0.3, 0.1), onset, p_null=0.1, rebound=back, **times)
    table = sc.tornado(baseline, sc.Scenario("s", (x,)))
    assert set(table["assumption"]) == {
        "size", "lag", "ramp", "plateau", "half_life", "rebound fraction", "spread",
        "rebound after", "rebound half_life", "rebound p_null", "p_null", "onset", "exposure",
    }  # fmt: skip
    with pytest.raises(ScenarioError, match="null assumes nothing"):
        sc.tornado(baseline, sc.NULL)


def test_months_a_nowcast_revises_count_nowhere(baseline):
    draws = np.concatenate([np.full((400, 1, 12), 9000.0), baseline.draws], axis=2)
    nowcast = replace(baseline, draws=draws, months=np.arange(LAST - 11 * MONTH, LAST + 25 * MONTH))
    resumed = sc.named("cooperation-resumed", onset="2025-08")
    one, two = (sc.attribution(f, resumed, exposures=SHARES) for f in (baseline, nowcast))
    pd.testing.assert_frame_equal(one, two)

    def cut(*onset, **keys):
        return sc.Scenario("s", (sc.Intervention("x", sc.Normal(-0.3, 0.1), *onset, **keys),))

    ramps = cut("2025-06", ramp=sc.Uniform(1, 9))
    pd.testing.assert_frame_equal(sc.tornado(baseline, ramps), sc.tornado(nowcast, ramps))
    # What has begun has a baseline of its own, which a forecast cannot give.
    for work in (
        lambda: sc.tornado(baseline, cut("2025-01")),
        lambda: sc.cost_of_delay(baseline, cut("2025-01")),
        lambda: sc.attribution(baseline, sc.named("cooperation-resumed", "2025-01")),
    ):
        with pytest.raises(ScenarioError, match="before the last known month"):
            work()
    assert sc.cost_of_delay(baseline, cut(), (0,))["onset"].tolist() == ["2025-10"]


#: Mean of 1 - exp(size share) with size ~ Normal(-0.65, 0.29) and share ~ Beta(1.5, 4).
def mean_fall() -> float:
    def inside(share: float) -> float:
        left = np.exp(-0.65 * share + 0.29**2 * share**2 / 2)  # of a lognormal, over the size
        return float(stats.beta.pdf(share, 1.5, 4) * (1 - left))

    return integrate.quad(inside, 0.0, 1.0)[0]


def test_the_mean_is_the_integral_and_the_chances_are_exact(baseline):
    expected = 24 * 6000 * 0.6 * mean_fall()  # 13,295 of 144,000 deaths
    keys = {"size": sc.Normal(-0.65, 0.29), "share": sc.Beta(1.5, 4), "p_null": 0.4, "spread": 0.0}
    for seed in range(5):
        row = sc.project(baseline, one(**keys), seed=seed).answer().iloc[0]
        assert row["averted_mean"] == pytest.approx(expected, rel=0.01)
        # Of 400 draws 160 do nothing, and of 240 sizes 237 are below zero: 0.9875.
        assert row[["fewer", "same", "more"]].tolist() == [237 / 400, 160 / 400, 3 / 400]
        chances = row[["works", "nothing", "backfires"]].astype(float)
        assert chances.to_numpy() == pytest.approx([0.5925, 0.4, 0.0075], abs=1e-4)


def test_attribution_is_a_chain_that_ends_at_the_answer(baseline):
    resumed = sc.named("cooperation-resumed", onset="2025-06")
    made = sc.project(baseline, resumed, seed=4, exposures=SHARES)
    table = sc.attribution(made, resumed)
    chain, shares = table[:4], table[4:]
    answer = made.answer()["averted_mean"].item()
    assert chain["averted_mean"].iloc[-1] == pytest.approx(answer, rel=1e-12)
    assert chain["difference"].sum() == pytest.approx(answer, rel=1e-12)
    assert sc.tornado(made, resumed)["averted"].to_numpy() == pytest.approx(answer, rel=1e-12)
    whole, share, chance, _ = chain["averted_mean"]
    shock = sc.named("supply-shock-2023-like", onset="2025-06", p_null=0.0, belief="me")
    full = sc.project(baseline, shock, seed=4, exposures=SHARES).answer()["averted_mean"].item()
    assert whole == pytest.approx(full, rel=0.01)  # another name, and so other draws
    assert 0.2 * whole < share < 0.35 * whole  # the share's mean is 0.27
    assert chance == pytest.approx(0.6 * share, rel=0.02)
    assert [step.split()[-1] for step in shares["step"]] == ["0%", "25%", "50%", "75%", "100%"]
    assert shares["averted_mean"].iloc[0] == 0.0
    assert shares["averted_mean"].is_monotonic_increasing
    assert shares["difference"].isna().all()
    for name in ("supply-shock-2023-like", "naloxone-healing"):
        with pytest.raises(ScenarioError, match="not a share of supply-shock-2023-like"):
            sc.attribution(made, sc.named(name, onset="2025-06"))
