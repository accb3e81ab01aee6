"""The validation ladder: each check on data where the answer is known, or on CDC's counts."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import odforecast as od
from bench_effects import GENERATORS
from odforecast.cli import main
from odforecast.errors import ScenarioError
from odforecast.evidence import calibration, hindcast, placebo, validate
from odforecast.evidence.check import Check, CheckResult, Rung
from odforecast.evidence.validate import CHECKS, Setting, run_checks
from odforecast.names import SYNTHETIC_OPIOIDS
from odforecast.scenario import named_intervention
from odforecast.scenario.effects import Estimator
from odforecast.scenario.past import past_event, settled_through

# Release of 2025-09-17, settled counts to 2024-09: change, percentile, place.
GOLDEN = {
    "2017-03": (-0.162, 17.2, 2),
    "2018-02": (-0.083, 44.1, 2),
    "2019-05": (+0.187, 90.3, 4),
    "2022-08": (-0.010, 61.3, 2),
}


@pytest.fixture(scope="module")
def setting():
    return Setting(od.bundled(), "2025-09-17", od.get_model("auto-ets"), simulations=20)


def assert_drawn(result, folder):
    for key, draw in result.figures.items():
        draw().savefig(folder / f"{key}.svg")
        assert (folder / f"{key}.svg").stat().st_size > 5000
    assert result.name in str(result)


@pytest.mark.slow
def test_recovery_over_a_hundred_simulations(tmp_path):
    result = calibration.check_recovery(simulations=100, seed=1)
    assert result.passed
    assert 0.84 <= result.table["covered"].mean() <= 0.96
    assert result.table["injected"].iloc[0] == pytest.approx(np.log(0.8))
    assert_drawn(result, tmp_path)


def test_growth_changes_by_hand_and_settled_counts_are_those_that_a_truth_would_score(panel):
    table = placebo.growth_changes(panel).set_index("month")
    us = dict(zip(panel.months.astype(str), panel.reported[0]))
    by_hand = np.log(us["2024-07"] / us["2023-07"]) - np.log(us["2023-07"] / us["2022-07"])
    assert table.at["2023-07", "change"] == pytest.approx(by_hand)
    assert table["percentile"].max() == 100.0
    with pytest.raises(ScenarioError, match="37 or more"):
        placebo.growth_changes(panel, until="2017-01")
    last = settled_through(panel)
    values, _ = od.Truth(panel).observed(["US"], np.array([last, last + np.timedelta64(1, "M")]))
    assert np.isfinite(values[0]).tolist() == [True, False]
    assert settled_through(panel.cut("2020-01")) == np.datetime64("2020-01")


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
    result = placebo.check_placebo_units(panel, shares, permutations=200)
    groups = result.table.groupby("group")["change"].mean()
    assert groups["high"] < groups["low"]
    assert_drawn(result, tmp_path)
    turned = {k: 1 - v for k, v in shares.items()}
    assert "p = 1.0" in placebo.check_placebo_units(panel, turned, permutations=200).text
    with pytest.raises(ScenarioError, match="6 or more"):
        placebo.check_placebo_units(panel, {"OH": 0.5})


def test_plumbing_is_no_evidence(panel, setting):
    result = hindcast.check_hindcast(panel, setting.model, draws=100, seeds=2)
    assert result.name == "hindcast-plumbing"
    assert result.passed is None
    assert result.text.startswith("Plumbing, not evidence")
    summary = hindcast.coverage_summary(result.table).set_index("scenario_id")
    shock = summary.loc["supply-shock-2023-like"]
    assert shock["nation"] >= summary.loc["null", "nation"]
    assert abs(shock["median_error_nation"]) < abs(summary.loc["null", "median_error_nation"])
    assert len(result.table) == 2 * 53 * 12


@pytest.mark.slow
def test_leave_this_episode_out(panel, setting):
    mean, sd, names = hindcast.prior_from_episodes("2023-01")
    effects = np.array([-0.693, -0.916, -0.128, -0.654, -0.042, 0.0, 0.0])
    assert len(names) == 7
    assert not any("Supply" in n for n in names)
    assert mean == pytest.approx(effects.mean(), abs=0.01)
    assert sd == pytest.approx(effects.std(ddof=1) * np.sqrt(8 / 7), abs=0.01)
    one = hindcast.check_leave_this_out(panel, setting.model, draws=200, seeds=5)
    other = hindcast.check_leave_this_out(panel, setting.model, draws=200, seeds=5, seed=100)
    assert one.passed is other.passed is True
    assert "episodes before 2023" in one.text
    with pytest.raises(ScenarioError, match="4 or more"):
        hindcast.prior_from_episodes("2002-01")


def test_hindcasts_use_nothing_after_their_origin(panel, setting):
    changed = panel.reported.copy()
    changed[:, panel.months > np.datetime64("2022-12")] *= 3
    layers = {"reported": changed, "low": changed, "high": changed}
    later = od.Panel(**{**panel.__getstate__(), **layers})
    for check in (hindcast.check_hindcast, hindcast.check_leave_this_out):
        both = (check(p, setting.model, draws=20, seeds=1).table for p in (panel, later))
        pd.testing.assert_frame_equal(*(table[["low", "median", "high"]] for table in both))


def test_leave_one_episode_out(panel, setting):
    ((_, result),) = run_checks(setting, ("leave-one-episode-out",))
    assert len(result.table) == 8
    assert result.table["mean_shift"].abs().max() > 0.05
    with pytest.raises(ScenarioError, match="4 or more"):
        hindcast.predict_each(["a"], np.zeros(1))
    us = dict(zip(panel.months.astype(str), panel.reported[0]))
    raw = np.log(us["2024-12"] / us["2023-12"])
    assert f"changed by {raw:+.3f} on the log scale from 2023 to 2024, a raw change" in result.text
    for data in (None, panel.cut("2023-06")):
        assert "In these data" not in hindcast.check_leave_one_out(panel=data).text


@pytest.mark.slow
def test_detectable_effect_shrinks_with_data(panel):
    result = validate.check_detectable(panel.select(["OH", "PA", "CA"]), after=(3, 12, 24))
    # A year of upheaval near another onset makes a point of difference; months make twenty.
    least = result.table["minimum_percent"].to_numpy()
    assert (np.diff(least) > -1.0).all()
    assert least[-1] > least[0] + 15.0
    assert (least < 0).all()
    none = "months after an onset show no effect"
    for months, said in ((400, "too few"), (1, f"1 {none}"), (-3, f"-3 {none}")):
        with pytest.raises(ScenarioError, match=said):
            validate.check_detectable(panel.select(["US"]), after=(months,))
    # Of few deaths three months say nearly nothing, and the prior says nothing: .82 with it.
    assert validate.check_detectable(panel.select(["WY"]), after=(3,)).table["sd"].item() > 0.9


def test_past_effect_reports_what_the_data_said(setting):
    x = named_intervention("cooperation-suspended", onset="2022-08")
    posterior, report = validate.past_effect(setting.panel(x.scope), x, timings=64)
    assert report.prior_dominated
    assert report == posterior.summary()
    assert 1 / 3 < report.bayes_factor < 3


@pytest.mark.slow
def test_identifiability_of_past_events(setting):
    table = validate.check_identifiability(setting.panel, setting.shares, timings=64).table
    table = table.set_index("event")
    assert len(table) == 6
    assert table.loc["class-scheduled", "prior_dominated"]
    assert table.loc["cooperation-suspended", "prior_dominated"]
    assert table.loc["supply-shock-2023", "high"] < 0
    assert table.loc["supply-shock-2023", "bayes_factor"] < 0.6
    assert np.isnan(table.loc["supply-shock-2023", "percentile"])
    factor, kept = table["bayes_factor"], table["ratio"]
    assert (table["prior_dominated"] == (factor.between(1 / 3, 3) & (kept > 0.8))).all()


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
    asked = []

    def shares(month):
        asked.append(str(np.datetime64(month, "M")))
        return setting.shares("2022-12")

    def event(name):
        return replace(past_event(name), scope="all-drugs", exposure="fentanyl-share")

    monkeypatch.setattr("odforecast.evidence.validate.past_event", event)
    table = validate.check_identifiability(setting.panel, shares, timings=16).table
    assert asked == [str(np.datetime64(m, "M") - np.timedelta64(1, "M")) for m in table["month"]]


def test_bands_hold_uniform_samples_as_often_as_they_say_and_see_others():
    held, rng = calibration.bands(200, 0.9), np.random.default_rng(11)
    share = np.mean([held.outside(rng.random(200)) == 0.0 for _ in range(2000)])
    assert share == pytest.approx(0.9, abs=0.025)
    limits, rng = calibration.bands(1000), np.random.default_rng(1)
    assert limits.outside(rng.beta(1.3, 1.3, 1000)) > 0  # too wide
    assert limits.outside(rng.beta(0.75, 0.75, 1000)) > 0  # too narrow
    assert limits.outside(rng.beta(1.2, 1.0, 1000)) > 0  # biased
    with pytest.raises(ScenarioError, match="20 or more"):
        calibration.bands(5)
    x, at = np.array([0.1, 0.5, 0.5, 0.9]), np.array([0.05, 0.1, 0.5, 0.95])
    assert calibration.shares(x, at).tolist() == [0, 0.25, 0.75, 1]


@pytest.mark.slow
def test_posterior_is_calibrated_on_its_own_generator_and_a_wrong_one_is_noticed(monkeypatch):
    result = calibration.check_calibration(simulations=100, seed=3)
    assert result.passed, result.text
    result.figures["calibration"]()
    posterior = Estimator.posterior

    def narrow(self, deaths):
        found = posterior(self, deaths)
        return replace(found, variances=0.25 * found.variances)

    monkeypatch.setattr(Estimator, "posterior", narrow)
    assert calibration.check_calibration(simulations=100, seed=3).passed is False


def test_generators_give_counts_and_what_was_injected():
    for epidemic in GENERATORS.values():
        rng = np.random.default_rng(2)
        panel, beta = epidemic(rng, calibration.simulated_months(), calibration.EVENT, 5)
        assert panel.shape == (5, calibration.simulated_months().size)
        assert (panel >= 0).all()
        assert (panel == np.round(panel)).all()
        assert -1.2 < beta < 0.9


@pytest.mark.slow
def test_a_wandering_slope_is_known_of():
    epidemic, months, n = GENERATORS["wandering slope .005"], calibration.simulated_months(), 50
    estimator = Estimator(months, calibration.EVENT, locations=10, draws=100)
    inside = []
    for i in range(n):
        panel, beta = epidemic(np.random.default_rng(i), months, calibration.EVENT, 10)
        low, high = estimator.posterior(panel).interval(0.9)
        inside.append(low <= beta <= high)
    assert np.mean(inside) >= 0.9 - 3 * np.sqrt(0.09 / n)


@pytest.fixture(scope="module")
def changes(panel):
    return placebo.growth_changes(panel, until=settled_through(panel))


@pytest.fixture(scope="module")
def ranks(changes):
    return placebo.event_ranks(changes).set_index("month")


def test_golden_ranks_of_the_bundled_release(changes, ranks):
    months = changes["month"]
    assert (len(changes), months.iloc[0], months.iloc[-1]) == (93, "2016-01", "2023-09")
    assert ranks["months"].unique().tolist() == [93]
    for month, (change, percentile, place) in GOLDEN.items():
        row = ranks.loc[month]
        assert row["change"] == pytest.approx(change, abs=5e-4)
        assert row["percentile"] == pytest.approx(percentile, abs=0.05)
        assert (row["place"], row["windows"], row["lowest_rank"]) == (place, 4, 25.0)
    row = ranks.loc["2023-07"]
    assert row["id"] in placebo.CHOSEN
    assert row["chosen"]
    assert row["change"] == pytest.approx(-0.213, abs=5e-4)
    assert row[["percentile", "place", "windows", "lowest_rank", "p_low", "p_high"]].isna().all()
    assert ranks.loc["2023-11", ["change", "percentile", "place", "p_low"]].isna().all()


def test_folds_are_disjoint_and_hold_every_month_once(changes):
    folds = placebo.placebo_folds(changes)
    assert (len(folds), folds["windows"].sum()) == (24, len(changes))
    assert folds["windows"].value_counts().to_dict() == {4: 21, 3: 3}
    assert folds["lowest_rank"].min() == 25.0
    one = changes[changes["month"].isin(["2016-01", "2018-01", "2020-01", "2022-01"])]["change"]
    first = folds.iloc[0]
    assert (first["first"], first["last"]) == ("2016-01", "2022-01")
    assert first["sd"] == pytest.approx(one.std(ddof=1))
    assert placebo.placebo_folds(changes, 36)["windows"].value_counts().to_dict() == {3: 21, 2: 15}


def test_p_values_by_hand_and_their_floor(changes, ranks):
    """No share lies under one over the disjoint windows, the event's own among them."""
    found = changes.set_index("month")["change"]
    own = found[["2017-03", "2019-03", "2021-03", "2023-03"]]
    assert ranks.at["2017-03", "place"] == (own <= own["2017-03"]).sum()
    shares = []
    for phase in range(24):
        apart = found.iloc[phase::24]
        far = [abs((pd.Period(m) - pd.Period("2017-03")).n) >= 24 for m in apart.index]
        shares.append((1 + (apart[far] <= own["2017-03"]).sum()) / (1 + sum(far)))
    assert ranks.at["2017-03", "p_low"] == pytest.approx(min(shares))
    assert ranks.at["2017-03", "p_high"] == pytest.approx(max(shares))
    assert ranks["p_low"].min() >= 0.2


def test_the_command_prints_what_the_functions_compute(panel, ranks):
    words = ["scenario", "validate", "placebo-time", "--as-of", "2025-09-17"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    said = result.output
    flat = " ".join(said.split())
    for words in (
        "US, release 2025-09-17, settled counts 2015-01 to 2024-09. ",
        "after each of 93 dates, 2016-01 to 2023-09",
        "3 or 4 windows of 24 months are disjoint",
        "so the lowest rank they can give is 25%",
        "mean -0.177 sd 0.136 (without NC 0.133) NC -0.41 to AK +0.29",
        "Midwest 2022-02, Northeast 2023-05, South 2023-05, West 2023-11",
        " ".join(placebo.check_placebo_time(panel).text.split()),
    ):
        assert words in flat
    lines = said.splitlines()
    for month, row in ranks.iterrows():
        line = lines[lines.index(f"  {month}  {row['event']}") + 1]
        if month in GOLDEN:
            assert f"percentile {row['percentile']:.0f}, place {row['place']:.0f} of 4" in line
            assert "(lowest rank 25%)" in line
        else:
            assert "no rank: " in line
            assert "percentile" not in line
    assert "-0.21  no rank: the date was chosen because of the fall" in said
    assert max(map(len, lines)) <= 80


def test_another_window_is_named_and_not_called_settled(panel, tmp_path):
    result = placebo.check_placebo_time(panel.select("US"), until="2025-04")
    assert result.passed is None
    assert ", counts 2015-01 to 2025-04.\n" in result.text
    assert "each of 100 dates" in result.text
    assert "settled counts" not in result.text
    assert "jurisdiction" not in result.text
    (draw,) = placebo.check_placebo_time(panel.select("US")).figures.values()
    figure = draw()
    label = figure.axes[0].get_xlabel()
    assert "Supply shock: chosen, no rank" in label
    assert "Cooperation suspended: 61" in label
    figure.savefig(tmp_path / "ranks.png", dpi=60)


def test_spreads_of_the_bundled_release_by_hand_and_only_of_settled_years(panel):
    table = placebo.state_spreads(panel).set_index("since")
    assert table["jurisdictions"].unique().tolist() == [52]
    fall = table.loc["2023-08"]
    assert (fall["lowest_state"], fall["highest_state"]) == ("NC", "AK")
    sds = table.loc[table["year"] == "ordinary", "sd"]
    assert sds.index.tolist() == ["2017-12", "2018-12", "2021-12", "2022-12"]
    assert sds.round(2).tolist() == [0.11, 0.12, 0.08, 0.12]
    assert placebo.effect_spread(table) == pytest.approx(0.082, abs=5e-4)
    assert placebo.effect_spread(table) < abs(fall["mean"]) / 2
    assert np.isnan(placebo.effect_spread(table[table["year"] == "fall"]))
    years = [np.datetime64(m) for m in ("2017-12", "2018-12")]
    before, counts = (panel.reported[1:, panel.months == year] for year in years)
    assert panel.locations[0] == "US"
    early = placebo.state_spreads(panel.cut("2019-06"))
    assert early["since"].tolist() == ["2017-12"]
    assert early["sd"].item() == pytest.approx(np.std(np.log(counts / before), ddof=1))
    with pytest.raises(ScenarioError, match="no year with settled counts"):
        placebo.state_spreads(panel.cut("2018-06"))
    two = placebo.check_placebo_time(panel.select(["US", "OH"]))
    assert "no year with settled counts" in two.text
    assert placebo.regional_peaks(panel)["jurisdictions"].sum() == 52


def test_placebo_outcome_ranks_no_chosen_date(panel):
    other = od.bundled().as_of("2025-09-17").panel(SYNTHETIC_OPIOIDS)
    result = placebo.check_placebo_outcome(panel, other)
    rows = result.table.set_index("month")
    assert rows.loc["2023-07", ["percentile", "percentile_placebo"]].isna().all()
    assert np.isfinite(rows.at["2023-07", "change_placebo"])
    assert "settled counts to 2024-09 (4 disjoint windows, lowest rank 25%)" in result.text
    assert "no rank, the date was chosen" in result.text


def test_what_the_article_quotes_of_an_old_release_is_in_that_release(vsrr):
    docs = Path(__file__).resolve().parents[2] / "docs"
    spec = importlib.util.spec_from_file_location("article_figures", docs / "article_figures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (docs / "article.md").read_text()
    rows = module.national(vsrr / module.THEN.name).set_index(["indicator", "month"])
    for indicator, month, kind, count, growth in module.QUOTED:
        row = rows.loc[(indicator, pd.Timestamp(month))]
        assert (row[kind], row[f"{kind}_growth"]) == (count, pytest.approx(growth, abs=0.05))
        assert f"| {kind} | {count:,} | {growth:+.1f}% |" in page
    near = []
    for kind in ("reported", "predicted"):
        seen = rows[rows[kind].between(73_000, 74_000)]
        near += [(abs(g - 25), *key) for key, g in seen[f"{kind}_growth"].items()]
    assert min(near)[2] == pd.Timestamp("2021-07")
    assert min(near)[1].endswith("(T40.2-T40.4)")
    decembers = [pd.Timestamp(f"{year}-12") for year in range(2015, 2022)]
    for indicator in (SYNTHETIC_OPIOIDS, "Number of Drug Overdose Deaths"):
        assert f"{rows.loc[indicator].loc[decembers, 'reported'].sum():,.0f}" in page
