"""The validation ladder: each check on data where the answer is known, or on CDC's counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import odforecast as od
from bench_effects import GENERATORS
from odforecast.errors import ScenarioError
from odforecast.evidence.calibration import (
    EVENT,
    bands,
    check_calibration,
    check_recovery,
    shares,
    simulated_months,
)
from odforecast.evidence.check import Check, CheckResult, Rung
from odforecast.evidence.detect import (
    check_detectable,
    check_identifiability,
    past_effect,
    power,
    power_text,
)
from odforecast.evidence.hindcast import (
    check_hindcast,
    check_leave_one_out,
    check_leave_this_out,
    coverage_summary,
    predict_each,
    prior_from_episodes,
)
from odforecast.evidence.placebo import check_placebo_units, growth_changes
from odforecast.evidence.validate import CHECKS, Setting, run_checks
from odforecast.scenario import Scenario, named_intervention
from odforecast.scenario.effects import Estimator
from odforecast.scenario.past import past_event


@pytest.fixture(scope="module")
def setting():
    return Setting(od.bundled(), "2025-09-17", od.get_model("auto-ets"), simulations=20)


@pytest.fixture(scope="module")
def panel(setting):
    return setting.panel()


def assert_drawn(result, folder):
    for key, draw in result.figures.items():
        draw().savefig(folder / f"{key}.svg")
        assert (folder / f"{key}.svg").stat().st_size > 5000
    assert result.name in str(result)


@pytest.mark.slow
def test_recovery_over_a_hundred_simulations(tmp_path):
    result = check_recovery(simulations=100, seed=1)
    assert result.passed
    assert 0.84 <= result.table["covered"].mean() <= 0.96
    assert result.table["injected"].iloc[0] == pytest.approx(np.log(0.8))
    assert_drawn(result, tmp_path)


def test_growth_changes_by_hand(panel):
    table = growth_changes(panel).set_index("month")
    us = dict(zip(panel.months.astype(str), panel.reported[0]))
    by_hand = np.log(us["2024-07"] / us["2023-07"]) - np.log(us["2023-07"] / us["2022-07"])
    assert table.at["2023-07", "change"] == pytest.approx(by_hand)
    assert table["percentile"].max() == 100.0
    with pytest.raises(ScenarioError, match="37 or more"):
        growth_changes(panel, until="2017-01")


@pytest.mark.slow
def test_placebo_outcome(setting, vsrr):
    vintage = od.read(vsrr / "2025-07-16.parquet")
    archive = od.Archive.in_memory({vintage.date: vintage.table})
    here = Setting(archive, str(vintage.date), setting.model)
    ((_, result),) = run_checks(here, ("placebo-outcome",))
    assert isinstance(result, CheckResult)
    assert result.table["percentile_placebo"].notna().sum() >= 4
    ((_, missing),) = run_checks(setting, ("placebo-outcome",))
    assert isinstance(missing, ScenarioError)
    assert "has no Psychostimulants" in str(missing)


def test_placebo_units_see_an_exposure_gradient(panel, setting, tmp_path):
    shares = setting.shares("2023-07")
    result = check_placebo_units(panel, shares, permutations=200)
    groups = result.table.groupby("group")["change"].mean()
    assert groups["high"] < groups["low"]
    assert_drawn(result, tmp_path)
    turned = {k: 1 - v for k, v in shares.items()}
    assert "p = 1.0" in check_placebo_units(panel, turned, permutations=200).text
    with pytest.raises(ScenarioError, match="6 or more"):
        check_placebo_units(panel, {"OH": 0.5})


def test_plumbing_is_no_evidence(panel, setting):
    result = check_hindcast(panel, setting.model, draws=100, seeds=2)
    assert result.name == "hindcast-plumbing"
    assert result.passed is None
    assert result.text.startswith("Plumbing, not evidence")
    summary = coverage_summary(result.table).set_index("scenario_id")
    shock = summary.loc["supply-shock-2023-like"]
    assert shock["nation"] >= summary.loc["null", "nation"]
    assert abs(shock["median_error_nation"]) < abs(summary.loc["null", "median_error_nation"])
    assert len(result.table) == 2 * 53 * 12


@pytest.mark.slow
def test_leave_this_episode_out(panel, setting):
    mean, sd, names = prior_from_episodes("2023-01")
    effects = np.array([-0.693, -0.916, -0.128, -0.654, -0.042, 0.0, 0.0])
    assert len(names) == 7
    assert not any("Supply" in n for n in names)
    assert mean == pytest.approx(effects.mean(), abs=0.01)
    assert sd == pytest.approx(effects.std(ddof=1) * np.sqrt(8 / 7), abs=0.01)
    one = check_leave_this_out(panel, setting.model, draws=200, seeds=5)
    other = check_leave_this_out(panel, setting.model, draws=200, seeds=5, seed=100)
    assert one.passed is other.passed is True
    assert "episodes before 2023" in one.text
    with pytest.raises(ScenarioError, match="4 or more"):
        prior_from_episodes("2002-01")


def test_hindcasts_use_nothing_after_their_origin(panel, setting):
    changed = panel.reported.copy()
    changed[:, panel.months > np.datetime64("2022-12")] *= 3
    layers = {"reported": changed, "low": changed, "high": changed}
    later = od.Panel(**{**panel.__getstate__(), **layers})
    for check in (check_hindcast, check_leave_this_out):
        one, two = (
            check(p, setting.model, draws=20, seeds=1).table[["low", "median", "high"]]
            for p in (panel, later)
        )
        pd.testing.assert_frame_equal(one, two)


def test_leave_one_episode_out(panel, setting):
    ((_, result),) = run_checks(setting, ("leave-one-episode-out",))
    assert len(result.table) == 8
    assert result.table["mean_shift"].abs().max() > 0.05
    with pytest.raises(ScenarioError, match="4 or more"):
        predict_each(["a"], np.zeros(1))
    us = dict(zip(panel.months.astype(str), panel.reported[0]))
    raw = np.log(us["2024-12"] / us["2023-12"])
    assert f"changed by {raw:+.3f} on the log scale from 2023 to 2024, a raw change" in result.text
    for data in (None, panel.cut("2023-06")):
        assert "In these data" not in check_leave_one_out(panel=data).text


@pytest.mark.slow
def test_detectable_effect_shrinks_with_data(panel):
    result = check_detectable(panel.select(["OH", "PA", "CA"]), after=(3, 12, 24))
    # A year of upheaval near another onset makes a point of difference; months make twenty.
    least = result.table["minimum_percent"].to_numpy()
    assert (np.diff(least) > -1.0).all()
    assert least[-1] > least[0] + 15.0
    assert (least < 0).all()
    for months, said in (
        (400, "too few"),
        (1, "1 months after an onset show no effect"),
        (-3, "-3 months after an onset show no effect"),
    ):
        with pytest.raises(ScenarioError, match=said):
            check_detectable(panel.select(["US"]), after=(months,))
    # Of few deaths three months say nearly nothing, and the prior says nothing: .82 with it.
    assert check_detectable(panel.select(["WY"]), after=(3,)).table["sd"].item() > 0.9


def test_past_effect_reports_what_the_data_said(setting):
    x = named_intervention("cooperation-suspended", onset="2022-08")
    posterior, report = past_effect(setting.panel(x.scope), x, timings=64)
    assert report.prior_dominated
    assert report == posterior.summary()
    assert 1 / 3 < report.bayes_factor < 3


@pytest.mark.slow
def test_identifiability_of_past_events(setting):
    table = check_identifiability(setting.panel, setting.shares, timings=64).table
    table = table.set_index("event")
    assert len(table) == 6
    assert table.loc["class-scheduled", "prior_dominated"]
    assert table.loc["cooperation-suspended", "prior_dominated"]
    # What followed July 2023 was a fall, whatever its cause.
    assert table.loc["supply-shock-2023", "high"] < 0
    assert table.loc["supply-shock-2023", "bayes_factor"] < 0.6
    assert np.isnan(table.loc["supply-shock-2023", "percentile"])
    factor, kept = table["bayes_factor"], table["ratio"]
    expected = factor.between(1 / 3, 3) & (kept > 0.8)
    assert (table["prior_dominated"] == expected).all()


def test_checks_that_are_there_and_ones_own(setting):
    class Rows:
        name = "rows"

        def run(self, here):
            rows = len(here.panel().locations)
            return CheckResult("rows", rows == 53, pd.DataFrame({"rows": [rows]}), "Rows.")

    (_, null), (name, own) = run_checks(setting, ("null", "rows"), extra=[Rows()])
    assert null.passed
    assert name == "rows"
    assert own.passed
    assert len(CHECKS) == 12
    assert all(isinstance(check, Check) and check.name == k for k, check in CHECKS.items())
    for names, more, said in (
        (("luck",), (), "unknown check 'luck', allowed: null"),
        ((), [Rung("null", lambda _: null)], "'null' is there already"),
    ):
        with pytest.raises(ScenarioError, match=said):
            list(run_checks(setting, names, extra=more))


@pytest.mark.slow
def test_identifiability_takes_the_exposure_of_the_eve_of_each_event(setting, monkeypatch):
    """What later years made of a state's exposure must not reach the posterior of an event."""
    asked = []

    def shares(month):
        asked.append(str(np.datetime64(month, "M")))
        return setting.shares("2022-12")

    def event(name):
        return replace(past_event(name), scope="all-drugs", exposure="fentanyl-share")

    monkeypatch.setattr("odforecast.evidence.detect.past_event", event)
    table = check_identifiability(setting.panel, shares, timings=16).table
    eve = [str(np.datetime64(m, "M") - np.timedelta64(1, "M")) for m in table["month"]]
    assert asked == eve


@pytest.mark.slow
def test_deaths_alone_do_not_tell_cooperation_from_nothing():
    """At a false-alarm rate of 5%, 18 months on: the release of 2026-01-14, default model."""
    forecast = od.get_model().fit(od.bundled().as_of().panel()).forecast(18, draws=2000)
    nothing = Scenario("zero", (named_intervention("tariff-only", onset="2025-09", size=0.0),))
    names = ("supply-shock-2023-like", "cooperation-resumed")
    both = od.project(forecast, [*(od.scenario.named(n, onset="2025-09") for n in names), nothing])
    apart = both.part("T40.4")
    found = [power(p, n) for n in (*names, "zero") for p in (both, apart)]
    assert found == pytest.approx([0.20, 0.40, 0.065, 0.08, 0.05, 0.05], abs=0.025)
    assert power(both, names[0], 99) == power(both, names[0])
    text = power_text(both)
    assert f"to {100 * found[0]:.0f}% on all overdose deaths and " in text
    assert f"to {100 * found[1]:.0f}% on deaths with synthetic opioids alone" in text
    assert text.startswith("Deaths alone will not tell: purity of fentanyl")
    assert "synthetic opioids" not in power_text(both.part("T40.4"))


def test_bands_hold_uniform_samples_as_often_as_they_say_and_see_others():
    held = bands(200, 0.9)
    rng = np.random.default_rng(11)
    share = np.mean([held.outside(rng.random(200)) == 0.0 for _ in range(2000)])
    assert share == pytest.approx(0.9, abs=0.025)
    limits = bands(1000)
    rng = np.random.default_rng(1)
    assert limits.outside(rng.beta(1.3, 1.3, 1000)) > 0  # too wide
    assert limits.outside(rng.beta(0.75, 0.75, 1000)) > 0  # too narrow
    assert limits.outside(rng.beta(1.2, 1.0, 1000)) > 0  # biased
    with pytest.raises(ScenarioError, match="20 or more"):
        bands(5)
    x = np.array([0.1, 0.5, 0.5, 0.9])
    np.testing.assert_array_equal(shares(x, np.array([0.05, 0.1, 0.5, 0.95])), [0, 0.25, 0.75, 1])


@pytest.mark.slow
def test_posterior_is_calibrated_on_its_own_generator_and_a_wrong_one_is_noticed(monkeypatch):
    result = check_calibration(simulations=100, seed=3)
    assert result.passed, result.text
    result.figures["calibration"]()
    posterior = Estimator.posterior

    def narrow(self, deaths):
        """Sds half of what they are."""
        found = posterior(self, deaths)
        return replace(found, variances=0.25 * found.variances)

    monkeypatch.setattr(Estimator, "posterior", narrow)
    assert check_calibration(simulations=60, seed=3).passed is False


def test_generators_give_counts_and_what_was_injected():
    for epidemic in GENERATORS.values():
        rng = np.random.default_rng(2)
        panel, beta = epidemic(rng, simulated_months(), EVENT, 5)
        assert panel.shape == (5, simulated_months().size)
        assert (panel >= 0).all()
        assert (panel == np.round(panel)).all()
        assert -1.2 < beta < 0.9


@pytest.mark.slow
def test_a_wandering_slope_is_known_of():
    epidemic, months, n = GENERATORS["wandering slope .005"], simulated_months(), 50
    estimator = Estimator(months, EVENT, locations=10, draws=100)
    inside = []
    for i in range(n):
        panel, beta = epidemic(np.random.default_rng(i), months, EVENT, 10)
        low, high = estimator.posterior(panel).interval(0.9)
        inside.append(low <= beta <= high)
    assert np.mean(inside) >= 0.9 - 3 * np.sqrt(0.09 / n)
