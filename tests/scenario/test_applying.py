"""Scope, spread and the three numbers: what an effect does to the paths of a forecast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import odforecast as od
from odforecast.errors import ScenarioError
from odforecast.geography import JURISDICTIONS
from odforecast.scenario import (
    NULL,
    Fixed,
    Intervention,
    Normal,
    Rebound,
    Scenario,
    cost_of_delay,
    prior_names,
    project,
    tornado,
)
from odforecast.scenario.apply import Applied, share_name
from odforecast.scenario.drawing import _beta, uniforms
from odforecast.scenario.sensitivity import attribution

ONSET = "2025-05"


@pytest.fixture(scope="module")
def whole():
    panel = od.bundled().as_of("2025-09-17").panel()
    return od.get_model().fit(panel).forecast(24, draws=80, seed=2)


@pytest.fixture(scope="module")
def many():
    panel = od.bundled().as_of("2025-09-17").panel()
    return od.get_model().fit(panel).forecast(24, draws=500, seed=1)


def one(size=None, name="x", **changes):
    size = Normal(-0.45, 0.2) if size is None else size
    return Scenario(name, (Intervention("x", **({"size": size, "onset": ONSET} | changes)),))


def totals(forecast, projection):
    return forecast.draws[:, :, projection.ahead].sum(axis=2)


@pytest.mark.parametrize("scope", ["all-drugs", "T40.4"])
def test_the_nation_changes_by_the_stated_effect_in_every_draw(whole, scope):
    scenario = one(scope=scope)
    projection = project(whole, scenario)
    shown = projection if scope == "all-drugs" else projection.part(scope)
    us = shown.baseline.index("US")
    ratio = totals(shown.forecast("x"), shown)[:, us] / totals(shown.baseline, shown)[:, us]
    x = scenario.interventions[0]
    beta = _beta(x, uniforms(x, projection.seed, 80))
    # T40.4 of eight jurisdictions is worked out from shares, so its nation adds up but for them.
    tolerance = 1e-9 if scope == "all-drugs" else 0.02
    assert np.abs(np.log(ratio) - beta).max() < tolerance
    states = [shown.baseline.index(s) for s in shown.baseline.locations if s != "US"]
    change = (
        totals(shown.forecast("x"), shown)[:, states] - totals(shown.baseline, shown)[:, states]
    )
    signs = np.sign(np.round(change, 9))
    assert ((signs == np.sign(beta)[:, None]) | (signs == 0)).all()


def test_an_effect_on_a_class_never_removes_more_than_the_class(whole):
    projection = project(whole, one(Fixed(-1.6), scope="T40.4"))
    part = projection.part("T40.4")
    places = list(part.baseline.locations)
    base, path = (f.select(places).draws for f in (whole, projection.forecast("x")))
    left = part.forecast("x").draws
    others = base - part.baseline.draws
    assert np.allclose(path - left, others, rtol=1e-9, atol=1e-6)  # the other deaths stay
    assert (path >= others - 1e-6).all()
    share = part.baseline.draws[:, 0].sum() / base[:, 0].sum()
    assert path[:, 0, -1].sum() / base[:, 0, -1].sum() > 1 - share


@pytest.mark.parametrize("name", prior_names())
def test_no_named_prior_makes_a_class_larger_than_the_whole(many, name):
    """Where a lever backfires, a class passed all drugs by up to 771 deaths."""
    projected = project(many, od.scenario.named(name)).forecast(name)
    part = projected.part("T40.4")
    all_drugs = projected.select(list(part.locations))
    assert (part.draws <= all_drugs.draws + 1e-6).all()
    assert (part.samples() <= all_drugs.samples() + 1e-6).all()
    # The nation is the sum of its parts, as before.
    us = projected.index("US")
    parts = [i for i in range(len(projected.locations)) if i != us]
    assert np.allclose(projected.draws[:, parts].sum(axis=1), projected.draws[:, us])


def test_notes_stand_in_one_order(whole):
    """They came in the order of a set, which differs from process to process."""
    base = whole.select(["OH", "WV"])
    classes = ["T40.4", "psychostimulants", "cocaine", "heroin", "methadone"]
    part = replace(whole.select("OH"), draws=0.1 * whole.select("OH").draws, beside={})
    carrying = replace(base, beside={}).with_parts(dict.fromkeys(classes, part))
    shares = {share_name(short): {"WV": 0.1} for short in classes}
    applied = Applied(carrying, shares, 1)
    applied.acted([])
    named = [note.split()[3] for note in applied.notes]
    assert named == sorted(classes)


def test_replaced_deaths_come_all_the_same(whole):
    plain = project(whole, one(Fixed(-0.5), scope="T40.4"))
    half = project(whole, one(Fixed(-0.5), scope="T40.4", replaced=Fixed(0.5)))
    all_of_it = project(whole, one(Fixed(-0.5), scope="T40.4", replaced=Fixed(1)))
    saved = [p.averted_draws("x") for p in (plain, half, all_of_it)]
    assert np.allclose(saved[1], 0.5 * saved[0], atol=1e-8)
    assert np.allclose(saved[2], 0.0, atol=1e-8)
    # Fentanyl deaths themselves fall as much in each.
    fentanyl = [p.part("T40.4").averted_draws("x") for p in (plain, half, all_of_it)]
    assert np.allclose(fentanyl[0], fentanyl[2])


def test_an_effect_of_nothing_leaves_every_draw_as_it_is(whole):
    projection = project(whole, one(Fixed(0.0), scope="T40.4"))
    assert (projection.forecast("x").draws == whole.draws).all()
    assert (projection.part("T40.4").forecast("x").draws == whole.part("T40.4").draws).all()
    assert projection.answer()["same"].eq(1.0).all()


def test_a_forecast_of_the_class_changes_by_the_effect():
    panel = od.bundled().as_of("2025-09-17").panel("T40.4").select(["US", "OH"])
    fitted = od.get_model("drift").fit(panel)
    projection = project(fitted, one(Fixed(-0.3), scope="T40.4"), 12, 50)
    ratio = projection.forecast("x").draws / projection.baseline.draws
    assert np.allclose(ratio, np.exp(-0.3))
    everything = project(fitted, one(Fixed(-0.3)), 12, 50)
    assert np.allclose(everything.forecast("x").draws / everything.baseline.draws, np.exp(-0.3))
    assert "same ratio" in " ".join(everything.warnings)
    with pytest.raises(ScenarioError, match=r"scopes are cocaine, allowed: all-drugs, and T40\.4"):
        project(fitted, one(Fixed(-0.3), scope="cocaine"), 12, 50)


def test_a_class_effect_through_shares_is_the_formula_of_one_moment():
    panel = od.bundled().as_of("2025-09-17").panel().select(["US", "OH"])
    fitted = od.get_model("drift").fit(panel)
    scenario = one(Fixed(-0.45), scope="T40.4", replaced=Fixed(0.25))
    projection = project(fitted, scenario, 12, 50)
    w = np.array([projection.tables["fentanyl-share"][s] for s in ("US", "OH")])
    ratio = projection.forecast("x").draws / projection.baseline.draws
    expected = 1 - 0.75 * w * (1 - np.exp(-0.45))
    assert np.allclose(ratio, expected[None, :, None])


def test_answer_in_three_numbers(whole):
    scenario = one(p_null=0.3, name="mixed")
    projection = project(whole, [NULL, scenario]).select(["US", "Ohio"])
    row = projection.answer().set_index("location").loc["US"]
    works, nothing, backfires = scenario.interventions[0].chances()
    assert (row["works"], row["nothing"], row["backfires"]) == (works, nothing, backfires)
    assert works == pytest.approx(0.7 * 0.9878, abs=1e-3)
    saved = projection.averted_draws("mixed")[:, 0, projection.ahead].sum(axis=1)
    good = saved[saved > 0]
    assert row["averted_if_works_mean"] == pytest.approx(good.mean())
    assert row["averted_if_works_q50"] == pytest.approx(np.median(good))
    assert row["averted_if_works_q05"] == pytest.approx(np.quantile(good, 0.05))
    assert row["averted_mean"] == pytest.approx(saved.mean())
    assert (row["fewer"], row["same"], row["more"]) == (
        (saved > 0).mean(), (saved == 0).mean(), (saved < 0).mean(),
    )  # fmt: skip
    assert row["same"] > 0.1


def test_what_works_is_judged_over_36_months_and_not_over_the_horizon(whole):
    # All of it comes back after half a year, and stays: in the end as many deaths as before.
    back = Rebound(Fixed(1.0), after=Fixed(0), ramp=Fixed(0))
    x = Intervention("x", Fixed(-0.3), ONSET, half_life=Fixed(6), rebound=back)
    assert x.chances() == (0.0, 0.0, 1.0)
    stays = Intervention("x", Fixed(-0.3), ONSET, rebound=Rebound(Fixed(0.5)))
    assert stays.chances() == (1.0, 0.0, 0.0)
    both = Scenario("both", (stays, Intervention("y", Fixed(-0.1), ONSET, p_null=1.0)))
    found = project(whole, both).outcomes().set_index(["location", "outcome"])["share"]
    assert found["US"].to_dict() == {
        "both work": 0.0, "only x works": 1.0, "only y works": 0.0, "neither works": 0.0,
    }  # fmt: skip


def test_one_number_in_all_places(whole):
    scenario = one(name="shock")
    projection = project(whole, scenario)
    cut = projection.select(["US"])
    table = cut.averted()
    mean = table[table["period"] == "all"]["averted_mean"].item()
    assert cut.answer()["averted_mean"].item() == pytest.approx(mean)
    assert cut.source is whole
    sizes = tornado(cut.source, scenario, location="US", seed=cut.seed, exposures=cut.tables)
    assert sizes["averted"].to_numpy() == pytest.approx(mean)
    shares = attribution(cut.source, ONSET, seed=cut.seed, exposures=cut.tables)
    assert shares["averted_mean"].iloc[0] == 0.0


def test_cost_of_delay(whole):
    scenario = one(Fixed(-0.3))
    table = cost_of_delay(whole, scenario, (0, 6, 12), seed=2)
    assert table["onset"].tolist() == ["2025-05", "2025-11", "2026-05"]
    assert table["not_prevented"].iloc[0] == 0.0
    assert (np.diff(table["not_prevented"]) > 0).all()
    assert (table["until"] == str(whole.months[-1])).all()
    # What stays is lost by waiting, in the long run too; what fades is only postponed.
    np.testing.assert_allclose(table["not_prevented_run_out"], table["not_prevented"])
    fades = cost_of_delay(whole, one(Fixed(-0.3), half_life=Fixed(6)), (0, 12), seed=2).iloc[1]
    assert abs(fades["not_prevented_run_out"]) < 0.05 * fades["averted_mean"]
    assert fades["not_prevented"] > 5 * abs(fades["not_prevented_run_out"])
    us = whole.draws[:, whole.index("US"), whole.months > whole.last_month]
    assert table["not_prevented"].iloc[1] == pytest.approx(
        us[:, :6].sum(axis=1).mean() * -np.expm1(-0.3)
    )
    for wait, said in ((60, "after the last month"), (-3, "delay is -3, allowed: a whole number")):
        with pytest.raises(ScenarioError, match=said):
            cost_of_delay(whole, scenario, (0, wait))


def test_a_part_has_its_own_sensitivity(whole):
    scenario = one(Fixed(-0.4), scope="T40.4")
    part = project(whole, scenario).part("T40.4").select(["US"])
    sizes = tornado(part.source, scenario, location="US", seed=part.seed, exposures=part.tables)
    assert sizes["averted"].to_numpy() == pytest.approx(
        # The part alone lacks eight jurisdictions, which share in the factor c.
        part.answer()["averted_mean"].item(),
        rel=1e-4,
    )


def test_the_nation_added_later_is_in_the_source_too(whole):
    projection = project(whole.select(list(JURISDICTIONS)), one(Fixed(-0.2))).with_nation()
    table = cost_of_delay(projection.source, one(Fixed(-0.2)), (0,), location="US")
    mean = projection.select("US").answer()["averted_mean"].item()
    assert table["averted_mean"].item() == pytest.approx(mean)


def test_a_region_is_the_sum_of_its_states(whole):
    projection = project(whole, one())
    west = projection.region("West")
    states = [s for s in whole.locations if s in west.baseline.parts["West"]]
    one_by_one = projection.select(states).averted_draws("x").sum(axis=1)
    assert np.allclose(west.averted_draws("x")[:, 0], one_by_one)
    said = project(whole.region("West"), one()).warnings
    assert any("without what differs between states" in text for text in said)


def test_what_cannot_be_held_is_said(whole):
    few = project(od.get_model("drift").fit(whole.panel.select(["OH"])), one(), 12, 20)
    assert any("without their sum being held" in text for text in few.warnings)
    absent = project(whole, one(exposure={"PR": 1.0, "default": 0.0}))
    assert any("names PR, which is not forecast" in text for text in absent.warnings)
    third = project(whole, one(Normal(-0.12, 0.001), exposure={"OH": 1.0, "default": 0.25}))
    (said,) = [text for text in third.warnings if "with its exposures" in text]
    assert "by -3." in said


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda f: project(f, Scenario("both", (
            Intervention("a", Fixed(-0.3), ONSET, scope="T40.4"),
            Intervention("b", Fixed(-0.3), ONSET, scope="cocaine"),
        ))), "scopes are T40.4, cocaine, allowed: all-drugs, and one class"),
        (lambda f: project(f, one(Fixed(-0.3), onset=("2025-10", "2035-12"))),
         r"may begin 2035-12, after .* until='2035-12'"),
    ],
)  # fmt: skip
def test_what_cannot_be_applied(whole, ask, said):
    with pytest.raises(ScenarioError, match=said):
        ask(whole)


def test_too_few_draws_give_no_interval(whole):
    few = project(whole.first(6), one(Fixed(-0.2)))
    assert few.answer()["averted_if_works_q50"].isna().all()
    assert "too few draws to say" in few.text("US")
