"""Labelled months of a release, pinned by season or by WONDER."""

from __future__ import annotations

import pandas as pd
import pytest

from odforecast.errors import DataError
from odforecast.monthly.sums import rolling_sums
from odforecast.names import ALL_DRUGS, SYNTHETIC_OPIOIDS
from odforecast.sources.wonder import read_wonder, us_months
from odforecast.vintage.bundle import bundled
from odforecast.vintage.recover import recovered_months


@pytest.fixture(scope="module")
def release() -> pd.DataFrame:
    return bundled().as_of("2025-09-17").table


def wonder(shared, *years):
    return [read_wonder(shared / "wonder" / f"all_drugs_state_month_{y}.txt") for y in years]


def us_truth(shared) -> pd.Series:
    return pd.concat([us_months(x)["deaths"] for x in wonder(shared, *range(2019, 2024))])


def gap_error(found, truth) -> float:
    """MAPE in percent after one level ratio."""
    months = found.table.set_index("month")["deaths"][truth.index]
    return float((months / truth * truth.sum() / months.sum() - 1).abs().mean() * 100)


def test_us_months_match_wonder_within_the_promise(release, shared):
    truth = us_truth(shared)
    assert len(truth) == 60
    season = recovered_months(release, "US", draws=100)
    assert gap_error(season, truth) <= 1.5
    # Pinned on 2018 only: every month compared lies outside.
    pinned = recovered_months(release, "US", wonder=wonder(shared, 2018), draws=100)
    assert gap_error(pinned, truth) <= 0.6
    assert pinned.level["US"] == pytest.approx(1.007, abs=0.001)
    assert set(pinned.table["pinned"]) == {"wonder"}


def test_months_give_back_the_release_and_new_york_is_whole(release):
    found = recovered_months(release, "WV,NY+YC", draws=100)
    months = found.table.pivot(index="state", columns="month", values="deaths")
    assert list(found.table["state"].unique()) == ["WV", "NY+YC"]
    rows = release[release["indicator"] == ALL_DRUGS]
    wide = rows.pivot(index="state", columns="month", values="reported")
    back = rolling_sums(months.loc[["WV", "NY+YC"]].to_numpy())
    assert (back[0] == wide.loc["WV"].to_numpy()).all()
    assert (back[1] == (wide.loc["NY"] + wide.loc["YC"]).to_numpy()).all()
    inner = found.table
    assert ((inner["q05"] <= inner["q50"]) & (inner["q50"] <= inner["q95"])).all()


@pytest.mark.slow
def test_drug_classes_with_gaps_are_recovered_between_their_first_and_last_sum(release):
    found = recovered_months(release, "all", indicator=SYNTHETIC_OPIOIDS, draws=100)
    assert found.table["deaths"].ge(0).all()
    assert found.table["state"].nunique() > 40


def test_another_definition_cannot_pin(release, shared):
    wider = read_wonder(shared / "wonder" / "all_drugs_state_month_2015_to_2020.txt")
    with pytest.raises(DataError, match=r"multiple cause .* cannot pin"):
        recovered_months(release, "US", wonder=[wider])
    with pytest.raises(DataError, match="the release has no PR"):
        recovered_months(release, "PR")
