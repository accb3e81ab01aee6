"""Published forecasts, scored: printed figures, what came, and what models say beside them."""

import re
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from figures import published_figure

import bench_published as bench
import odforecast as od
from bench_published import delayed_at, printed, published
from odforecast.errors import ScoringError
from odforecast.panel import era_of
from odforecast.vintage.donors import available

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def alone() -> pd.DataFrame:
    return published(models=[]).set_index("id")


@pytest.fixture(scope="module")
def whole() -> pd.DataFrame:
    return published()


def test_printed_figures_are_those_of_the_domain(alone):
    source = alone.loc["source-2023"]
    assert source[["said", "low", "high", "came"]].tolist() == [62_110, 60_800, 64_400, 83_140]
    assert (source["error"], source["held"]) == (-21_030, 0)
    # (u − l) + 2/α (y − u), α = 0.05
    assert source["interval_score"] == pytest.approx(3_600 + 40 * (83_140 - 64_400))
    lancet = alone.loc["stanford-lancet-2020-24"]
    assert lancet["interval_score"] == pytest.approx(172_000 + 40 * (441_000 - 369_000))
    # Bracher and others 2021, of a median and one interval: (½|y − m| + α/2 IS) / 1.5
    assert lancet["wis"] == pytest.approx((0.5 * 178_000 + 0.025 * lancet["interval_score"]) / 1.5)
    study = alone.loc["krishna-sarima"]
    assert (study["error_percent"], study["held_share"]) == (23.9, 0.479)
    assert np.isnan(study["said"])
    table = printed()
    assert table["id"].is_unique
    assert (table[["source", "note"]] != "").all(axis=None)
    assert set(table["kind"]) == {"projection", "fit or projection", "predicted value", "study"}


def test_the_table_of_source_is_that_of_the_workbook(alone, shared):
    book = openpyxl.load_workbook(shared / "published" / "source_supplement_table.xlsx")
    sheet = book["Per year"]
    pairs = [
        (row[i], row[i + 1])
        for row in sheet.iter_rows(values_only=True)
        for i in range(len(row) - 2)
        if isinstance(row[i], int) and isinstance(row[i + 1], int) and str(row[i + 2])[:1] == "="
    ]
    rows = alone[alone["kind"] == "fit or projection"]
    assert [tuple(x) for x in rows[["said", "came"]].to_numpy()] == pairs


def test_cdcs_values_are_those_of_the_press(alone, shared):
    press = pd.read_csv(shared / "published" / "us_press_values.csv")
    rows = alone[alone["kind"] == "predicted value"].reset_index()
    assert rows["published"].tolist() == press["release_date"].tolist()
    assert rows["last"].tolist() == press["period_end"].str[:7].tolist()
    assert rows["said"].tolist() == press["predicted"].tolist()
    same_day = rows["known_then"].where(rows["known_from"] == "printed the same day")
    np.testing.assert_array_equal(same_day, press["reported"])
    assert rows["source"].tolist() == press["source"].tolist()
    ends = rows.groupby(["published", "counts"])["last"].transform("max")
    assert (rows["ahead"].eq(0) == rows["last"].eq(ends)).all()
    spans = pd.to_datetime(rows["last"], format="ISO8601") - pd.DateOffset(months=11)
    assert rows["first"].tolist() == spans.dt.strftime("%Y-%m").tolist()


def test_what_came_is_reported_in_the_newest_release(alone):
    panel, row = od.bundled().as_of().panel(), alone.loc["cdc-2022-01-12-2021-06-all"]
    at = panel.months.astype(str).tolist().index("2021-06")
    assert row["came"] == panel.reported[panel.index("US"), at]
    assert row["came_from"] == "release 2026-01-14"
    assert row["settled"]
    assert alone.loc["cdc-2025-05-14-2024-12-all", "settled"]  # 13 months old there
    opioids = alone[(alone["counts"] == "opioids") & (alone["kind"] == "predicted value")]
    assert (opioids["came_from"] == "release 2026-01-14").all()
    older = published(od.bundled().until("2025-09-17"), models=[])
    opioids = older[(older["counts"] == "opioids") & (older["kind"] == "predicted value")]
    assert opioids["came"].isna().all()
    assert opioids["came_from"].str.startswith("no opioids").all()


def test_models_see_a_release_of_the_era_and_nothing_later(whole):
    beside = whole["beside"]
    none = whole[~beside.isin(["same count", "all drugs, same years"])]
    assert (none["beside"] != "").all()
    assert none[[f"{m}_median" for m in bench.MODELS]].isna().all(axis=None)
    same = whole[beside == "same count"]
    assert len(same) == 9
    here = od.bundled()
    ends = {pd.Timestamp(d.release): pd.Period(str(d.last_month)) for d in available(here)}
    for _, row in same.iterrows():
        panel, text = delayed_at(here, row["yardstick"], row["published"])
        assert text == row["origin"]
        assert (str(panel.last_month), panel.vintage) == (row["last"], "pseudo-delayed")
        last = pd.Timestamp(row["last"]) + pd.offsets.MonthEnd(0)
        age = (pd.Timestamp(row["published"]) - last).days
        donor = pd.Timestamp(text.rpartition(" ")[2])
        assert ((donor.to_period("M") - ends[donor]).n < 6) == (era_of(age) == "4.5")
        reported = panel.reported[panel.index("US"), -1]
        assert reported < row["came"]  # what completing it is about
        assert row["hub-baseline_median"] == reported
    with pytest.raises(ScoringError, match="have not settled in release 2026-01-14"):
        delayed_at(here, "2024-09")


def test_the_page_and_its_figure_have_the_numbers_of_the_benchmark(whole):
    page = (ROOT / "docs" / "published.md").read_text()
    assert bench.listing(whole) in page
    assert all(table in page for table in bench.markdown(whole).split("\n\n"))
    figure = published_figure(whole)
    said = od.plot.alt_text(figure)
    assert "FDA SOURCE, base case (2023, opioids) -25%" in said
    assert "0 of 3 printed intervals contained the final count" in said
    assert "11 releases: -0.9 to +1.5%" in said
    assert [t.get_text() for t in figure.axes[1].get_yticklabels()][-1] == "12 months to 2024-12"
    svg = (ROOT / "docs" / "_static" / "published-forecasts.svg").read_text()
    assert not re.search(r"\bNaN\b|nan", svg)
