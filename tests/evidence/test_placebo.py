"""Placebo ranks and state spreads: one command, settled counts, the bundled release."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import odforecast as od
from odforecast.cli import main
from odforecast.errors import ScenarioError
from odforecast.evidence.placebo import (
    CHOSEN,
    check_placebo_outcome,
    check_placebo_time,
    effect_spread,
    event_ranks,
    placebo_folds,
    regional_peaks,
    state_spreads,
)
from odforecast.names import SYNTHETIC_OPIOIDS
from odforecast.scenario.past import growth_changes, settled_through

# Release of 2025-09-17, settled counts to 2024-09: change, percentile, place.
GOLDEN = {
    "2017-03": (-0.162, 17.2, 2),
    "2018-02": (-0.083, 44.1, 2),
    "2019-05": (+0.187, 90.3, 4),
    "2022-08": (-0.010, 61.3, 2),
}


@pytest.fixture(scope="module")
def panel():
    return od.bundled().as_of("2025-09-17").panel()


@pytest.fixture(scope="module")
def changes(panel):
    return growth_changes(panel, until=settled_through(panel))


@pytest.fixture(scope="module")
def ranks(changes):
    return event_ranks(changes).set_index("month")


def test_settled_counts_are_those_that_a_truth_would_score(panel):
    last = settled_through(panel)
    months = np.array([last, last + np.timedelta64(1, "M")])
    values, _ = od.Truth(panel).observed(["US"], months)
    assert np.isfinite(values[0]).tolist() == [True, False]
    assert settled_through(panel.cut("2020-01")) == np.datetime64("2020-01")


def test_golden_ranks_of_the_bundled_release(changes, ranks):
    months = changes["month"]
    assert (len(changes), months.iloc[0], months.iloc[-1]) == (93, "2016-01", "2023-09")
    assert ranks["months"].unique().tolist() == [93]
    for month, (change, percentile, place) in GOLDEN.items():
        row = ranks.loc[month]
        assert row["change"] == pytest.approx(change, abs=5e-4)
        assert row["percentile"] == pytest.approx(percentile, abs=0.05)
        assert (row["place"], row["windows"], row["lowest_rank"]) == (place, 4, 25.0)
    # A date chosen because of the fall has its size and no rank.
    row = ranks.loc["2023-07"]
    assert row["id"] in CHOSEN
    assert row["chosen"]
    assert row["change"] == pytest.approx(-0.213, abs=5e-4)
    assert row[["percentile", "place", "windows", "lowest_rank", "p_low", "p_high"]].isna().all()
    # Without a settled year after it an event has nothing.
    assert ranks.loc["2023-11", ["change", "percentile", "place", "p_low"]].isna().all()


def test_folds_are_disjoint_and_hold_every_month_once(changes):
    folds = placebo_folds(changes)
    assert len(folds) == 24
    assert folds["windows"].sum() == len(changes)
    assert folds["windows"].value_counts().to_dict() == {4: 21, 3: 3}
    assert folds["lowest_rank"].min() == 25.0
    one = changes[changes["month"].isin(["2016-01", "2018-01", "2020-01", "2022-01"])]["change"]
    first = folds.iloc[0]
    assert (first["first"], first["last"]) == ("2016-01", "2022-01")
    assert first["sd"] == pytest.approx(one.std(ddof=1))
    assert placebo_folds(changes, 36)["windows"].value_counts().to_dict() == {3: 21, 2: 15}


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


@pytest.mark.slow
def test_pure_noise_has_ranks_that_are_even(changes):
    """Over many made-up histories the p value of a fixed date is not below its level too often."""
    rng, low = np.random.default_rng(3), 0
    for _ in range(200):
        noise = changes.assign(change=rng.normal(size=len(changes)))
        noise["percentile"] = 100 * noise["change"].rank(method="max") / len(noise)
        low += event_ranks(noise).set_index("month").loc["2019-05", "place"] == 1
    assert low / 200 == pytest.approx(0.25, abs=0.08)


def test_the_command_prints_what_the_functions_compute(panel, ranks):
    result = CliRunner().invoke(
        main, ["scenario", "validate", "placebo-time", "--as-of", "2025-09-17"]
    )
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
        " ".join(check_placebo_time(panel).text.split()),
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
    result = check_placebo_time(panel.select("US"), until="2025-04")
    assert result.passed is None
    assert ", counts 2015-01 to 2025-04.\n" in result.text
    assert "each of 100 dates" in result.text
    assert "settled counts" not in result.text
    assert "jurisdiction" not in result.text
    (draw,) = check_placebo_time(panel.select("US")).figures.values()
    figure = draw()
    label = figure.axes[0].get_xlabel()
    assert "Supply shock: chosen, no rank" in label
    assert "Cooperation suspended: 61" in label
    figure.savefig(tmp_path / "ranks.png", dpi=60)


def test_state_spreads_of_the_bundled_release(panel):
    table = state_spreads(panel).set_index("since")
    assert table["jurisdictions"].unique().tolist() == [52]
    fall = table.loc["2023-08"]
    assert (fall["lowest_state"], fall["highest_state"]) == ("NC", "AK")
    sds = table.loc[table["year"] == "ordinary", "sd"]
    assert sds.index.tolist() == ["2017-12", "2018-12", "2021-12", "2022-12"]
    assert sds.round(2).tolist() == [0.11, 0.12, 0.08, 0.12]
    assert effect_spread(table) == pytest.approx(0.082, abs=5e-4)
    assert effect_spread(table) < abs(fall["mean"]) / 2
    assert np.isnan(effect_spread(table[table["year"] == "fall"]))


def test_spreads_by_hand_and_only_of_settled_years(panel):
    before, counts = (
        panel.reported[1:, panel.months == np.datetime64(m)] for m in ("2017-12", "2018-12")
    )
    assert panel.locations[0] == "US"
    early = state_spreads(panel.cut("2019-06"))
    assert early["since"].tolist() == ["2017-12"]
    assert early["sd"].item() == pytest.approx(np.std(np.log(counts / before), ddof=1))
    with pytest.raises(ScenarioError, match="no year with settled counts"):
        state_spreads(panel.cut("2018-06"))
    assert "no year with settled counts" in check_placebo_time(panel.select(["US", "OH"])).text
    assert regional_peaks(panel)["jurisdictions"].sum() == 52


def test_placebo_outcome_ranks_no_chosen_date(panel):
    other = od.bundled().as_of("2025-09-17").panel(SYNTHETIC_OPIOIDS)
    result = check_placebo_outcome(panel, other)
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
        assert row[kind] == count
        assert row[f"{kind}_growth"] == pytest.approx(growth, abs=0.05)
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
