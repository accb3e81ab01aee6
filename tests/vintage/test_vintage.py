"""The one door to what was known, and nothing later: panels, revisions, recovered months."""

import datetime as dt
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import odforecast as od
from odforecast.errors import ArchiveError, DataError, PanelError, UnknownNameError
from odforecast.models.delay.constants import delays_for
from odforecast.models.delay.deficit import deficit
from odforecast.monthly.sums import rolling_sums
from odforecast.names import ALL_DEATHS, ALL_DRUGS, SYNTHETIC_OPIOIDS, TABLE_COLUMNS
from odforecast.sources.table import canonical
from odforecast.sources.vsrr import read_vsrr
from odforecast.sources.wonder import read_wonder, us_months
from odforecast.vintage.recover import recovered_months
from odforecast.vintage.revisions import compare, completeness, revisions
from odforecast.vintage.vintage import SAID_MONTHS

FILES = ("2018-09-12.csv", "2018-10-17.csv", "2018-11-14.csv")
LATE = dt.date(2026, 1, 14)
DATES = ("2023-06-14", "2023-07-12", "2024-07-17")
#: Releases × months 2022-11..2023-01 of one place; NaN: not published.
VALUES = np.array([[100.0, np.nan, np.nan], [104.0, 90.0, np.nan], [103.0, 99.0, 80.0]])
counts = hnp.arrays(
    float, (3, 3), elements=st.integers(0, 500).map(float) | st.just(float("nan"))
).filter(lambda x: np.isfinite(x.diagonal()).all())  # each release has a last month of its own


@pytest.fixture(scope="module")
def tables(vsrr: Path) -> dict[dt.date, pd.DataFrame]:
    loaded = [read_vsrr(vsrr / name) for name in FILES]
    return {x.release: x.table for x in loaded} | {LATE: od.bundled().release(LATE)}


@pytest.fixture(scope="module")
def archive(tables) -> od.Archive:
    return od.Archive.in_memory(tables)


def test_a_panel_has_what_stands_beside_it_and_what_was_said_before(archive):
    panel = archive.as_of("2018-11-14").panel()
    assert panel.beside["all-deaths"].indicator == ALL_DEATHS
    assert "T40.4" in panel.beside
    assert all(p.as_of == panel.as_of and not p.beside for p in panel.beside.values())
    assert panel.triangle is not None
    assert [str(d) for d in panel.triangle.releases] == ["2018-09-12", "2018-10-17"]
    earlier = archive.as_of("2018-10-17").panel()
    us, month = earlier.index("US"), earlier.last_month
    here = int((month - panel.months[0]).astype(int))
    assert panel.triangle.reported[1, panel.index("US"), here] == earlier.reported[us, -1]
    assert np.isnan(panel.triangle.reported[1, 0, -1])  # had not been published
    assert archive.as_of("2018-09-12").panel().triangle is None
    # Of a class releases of two years; of all drugs, for a model to learn from, those of eight.
    late = archive.as_of()
    assert late.panel("T40.4").triangle is None
    assert len(late.panel().triangle) == 3
    assert archive.as_of("2018-11-14").panel("T40.4").triangle.pending is None


def test_a_class_has_beside_it_the_releases_of_24_months():
    table = od.bundled().as_of("2026-01-14").table
    tables = {"2026-01-14": table}
    for day, last in (("2023-12-13", "2023-07"), ("2024-01-10", "2023-08")):
        tables[day] = table[table["month"] <= last].assign(release=pd.Timestamp(day))
    triangle = od.Archive.in_memory(tables).as_of().panel("T40.4").triangle
    assert [str(day) for day in triangle.releases] == ["2024-01-10"]


def test_a_triangle_has_what_each_release_said_of_itself(archive):
    panel = archive.as_of().panel()
    triangle = panel.triangle
    assert triangle is not None
    for r, date in enumerate(triangle.releases):
        then = archive.as_of(date).panel()
        rows = [panel.index(s) for s in then.locations]
        np.testing.assert_array_equal(triangle.all_deaths[r, rows], then.all_deaths)
        at = np.searchsorted(panel.months, then.months)
        np.testing.assert_array_equal(triangle.reported[r][rows][:, at], then.reported)
        for layer in ("pending", "predicted"):
            table, recent = getattr(triangle, layer)[r][rows], at[-SAID_MONTHS:]
            np.testing.assert_array_equal(table[:, recent], getattr(then, layer)[:, -SAID_MONTHS:])
            assert np.isnan(np.delete(table, recent, axis=1)).all()
    assert np.isfinite(triangle.pending[:, :, 38:40]).any()


@pytest.mark.slow
def test_indicators_have_their_own_triangles(vsrr, tmp_path):
    """What a process keeps of a file is kept by indicator."""
    kept = [ALL_DRUGS, ALL_DEATHS, "Cocaine (T40.5)"]
    loaded = [read_vsrr(vsrr / name) for name in FILES[::2]]
    loaded = [replace(x, table=x.table[x.table["indicator"].isin(kept)]) for x in loaded]
    disk = od.Archive(tmp_path / "archive")
    for release in loaded[::-1]:
        disk.add(release)
    memory = od.Archive.in_memory({x.release: x.table for x in loaded})
    for of in (ALL_DRUGS, "cocaine", ALL_DRUGS):  # once more: from what was kept
        one, two = (a.as_of().panel(of) for a in (disk, memory))
        assert one.data_hash == two.data_hash
        np.testing.assert_array_equal(one.triangle.reported, two.triangle.reported)
        assert (one.triangle.pending is None) == (two.triangle.pending is None) == (of != ALL_DRUGS)


def test_deaths_of_all_causes_come_from_no_later_release(tables):
    """The newest known that day: a later release must not reach an earlier panel."""
    first, second, *_ = tables
    bare = {d: tables[d][tables[d]["indicator"] != ALL_DEATHS] for d in (first, second)}
    less = [od.Archive.in_memory(tables | {d: bare[d]}) for d in (first, second)]
    without_first, without_second = less
    assert without_second.as_of(second).panel().beside["all-deaths"].release == first
    panel = without_first.as_of(first).panel()
    assert "all-deaths" not in panel.beside
    assert np.isnan(panel.all_deaths).all()
    each = (without_first, od.Archive.in_memory(tables), without_second)
    none, whole, old = (a.as_of("2018-11-14").panel().triangle.all_deaths for a in each)
    assert np.isnan(none[0]).all()
    np.testing.assert_array_equal(old[1], whole[0])


@pytest.mark.slow
def test_scrambling_every_later_release_moves_nothing(tables):
    day = list(tables)[1]
    scrambled = {d: t.assign(reported=t["reported"] * 0 + 5.0) for d, t in tables.items()}
    later = {d: t for d, t in scrambled.items() if d > day}
    one = od.Archive.in_memory(tables).as_of(day).panel()
    two = od.Archive.in_memory(tables | later).as_of(day).panel()
    assert one.data_hash == two.data_hash
    missing = [deficit(p, delays_for(p)) for p in (one, two)]
    assert np.array_equal(missing[0].months, missing[1].months)
    assert (missing[0].cut_share == 0.1154).all() or (missing[0].cut_share == 1.0).any()
    forecasts = [od.get_model().fit(p).forecast(draws=50) for p in (one, two)]
    assert np.array_equal(forecasts[0].draws, forecasts[1].draws)


def test_the_us_row_is_the_sum_where_it_is_missing(vsrr):
    panel = od.read(vsrr / "2020-12-16_totals_no_us.csv", "2020-12-16").panel()
    assert panel.locations[0] == "US"
    assert np.array_equal(panel.reported[1:].sum(axis=0), panel.reported[0])
    assert any("sum of the 52" in note for note in panel.notes)
    assert od.get_model("naive").fit(panel.select("US")).forecast(draws=5).locations == ("US",)
    with pytest.raises(PanelError, match="no reported counts"):  # predicted values alone
        od.read(vsrr / "2023-04-12_year2022_only.csv", "2023-04-12").panel()


def test_classes_by_short_name_with_suppressed_cells_of_one_to_nine(archive):
    vintage = archive.as_of()
    assert vintage.panel("all-drugs").indicator == ALL_DRUGS
    assert vintage.panel("cocaine").indicator == "Cocaine (T40.5)"
    assert vintage.panel("Cocaine (T40.5)").data_hash == vintage.panel("COCAINE").data_hash
    panel = vintage.panel("heroin")
    assert panel.hidden.any()
    assert (panel.low[panel.hidden] == 1).all()
    assert (panel.high[panel.hidden] == 9).all()


def test_revisions_know_nothing_later_and_a_vintage_stays_in_its_process(archive, vsrr):
    seen = archive.as_of("2018-10-17").revisions()
    assert [str(d) for d in seen.releases] == ["2018-09-12", "2018-10-17"]
    with pytest.raises(ArchiveError, match="read only"):
        archive.until("2018-10-17").add(vsrr / FILES[0])
    assert list(od.archive().log["event"]) == ["added"] * 3  # the bundled ones, beneath
    with pytest.raises(TypeError, match="send vintage"):
        pickle.dumps(archive.as_of())


def table(date, row):
    months = pd.date_range("2022-11-01", periods=row.size, freq="MS")
    frame = pd.DataFrame({"month": months, "reported": row}).dropna()
    frame = frame.assign(release=pd.Timestamp(date), state="WV", location="54", status="ok",
                         indicator=ALL_DRUGS, predicted=frame["reported"] + 1,
                         percent_complete=np.nan, percent_pending=np.nan)  # fmt: skip
    return canonical(frame[list(TABLE_COLUMNS)])


def small(values=VALUES):
    return od.Archive.in_memory({d: table(d, row) for d, row in zip(DATES, values)})


def test_triangle_units_and_curves_by_hand():
    seen = revisions(small(), "West Virginia")
    np.testing.assert_array_equal(seen.triangle("54").to_numpy(), VALUES)
    np.testing.assert_array_equal(seen.triangle("WV", "predicted").to_numpy(), VALUES + 1)
    np.testing.assert_array_equal(seen.ages[0], [7, 6, 5])
    assert seen.releases == tuple(dt.date.fromisoformat(d) for d in DATES)
    assert seen.hashes == tuple(small().data_hash(d) for d in DATES)
    assert seen.units(settled=20)["month"].dt.month.unique().tolist() == [11]
    young = seen.units(settled=30)
    assert young.empty
    assert completeness(young).empty
    blank = table(DATES[1], VALUES[1]).assign(reported=np.nan, status="missing")
    tables = {d: table(d, r) for d, r in zip(DATES, VALUES)} | {DATES[1]: blank}
    seen = revisions(od.Archive.in_memory(tables), "WV")
    assert seen.skipped == {dt.date(2023, 7, 12): "no reported count of it"}
    assert len(seen.releases) == 2
    units = revisions(small(), "WV").units()
    assert (units["age"].tolist(), units["reported"].tolist()) == ([7, 8, 7], [100, 104, 90])
    assert units["final"].tolist() == [103, 103, 99]
    curve = completeness(units)
    assert curve["n"].tolist() == [2, 1]
    assert curve["median"].tolist() == pytest.approx([(100 / 103 + 90 / 99) / 2, 104 / 103])


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda a: revisions(a, "WV", "deaths"), UnknownNameError, "unknown indicator"),
        (lambda a: revisions(a, "Atlantis"), UnknownNameError, "unknown location"),
        (lambda a: revisions(a, "OH"), ArchiveError, "no release has a reported count"),
        (lambda a: revisions(a, "WV").triangle("OH"), UnknownNameError, "of revisions has no OH"),
        (lambda a: compare(a, "2023-06-15", DATES[1]), ArchiveError,
         "no release 2023-06-15; the nearest is 2023-06-14"),
    ],
)  # fmt: skip
def test_refusals(ask, error, words):
    with pytest.raises(error, match=words):
        ask(small())


def test_compare_by_hand():
    found = compare(small(), DATES[0], DATES[1])
    assert (found["kind"].tolist(), found["change"].tolist()[0]) == (["changed", "appeared"], 4)
    assert found["percent"].tolist()[0] == pytest.approx(4.0)
    assert found["status_a"].tolist() == ["ok", "absent"]
    assert compare(small(), DATES[1], DATES[0])["kind"].tolist() == ["changed", "vanished"]


@pytest.mark.slow
@given(counts.map(lambda x: np.where(np.tri(3, dtype=bool), x, np.nan)))
def test_the_triangle_is_the_releases(values):
    store = small(values)
    seen = revisions(store, "WV")
    got = seen.triangle("WV").reindex(columns=pd.date_range("2022-11-01", periods=3, freq="MS"))
    np.testing.assert_array_equal(got.to_numpy(), values)
    assert compare(store, DATES[0], DATES[0]).empty
    there, back = (compare(store, *pair) for pair in (DATES[:2], DATES[1::-1]))
    np.testing.assert_array_equal(there["change"], -back["change"])
    same = (values[0] == values[1]) | (np.isnan(values[0]) & np.isnan(values[1]))
    assert len(there) == int((~same).sum())
    assert np.isfinite(seen.units(settled=0)["completeness"]).all()


@pytest.mark.slow
def test_real_revisions_are_those_known(real):
    seen = revisions(real, "US")
    triangle = seen.triangle("US")
    assert triangle.loc["2018-11-14", "2017-12-01"] == 70_908
    assert triangle.loc["2019-04-17", "2017-12-01"] == 70_699  # closing the year: downwards
    assert triangle.loc["2024-12-11", "2023-12-01"] == 107_682
    assert triangle.loc["2025-07-16", "2023-12-01"] == 106_881
    assert list(map(str, seen.skipped)) == ["2020-12-16", "2021-11-17", "2023-01-11", "2023-04-12"]
    change = compare(real, "2024-12-11", "2025-07-16", ALL_DRUGS)
    december = change["month"] == pd.Timestamp("2023-12-01")
    assert change[december & (change["state"] == "US")]["change"].tolist() == [-801]


@pytest.fixture(scope="module")
def release():
    return od.bundled().as_of("2025-09-17").table


def wonder(shared, *years):
    return [read_wonder(shared / "wonder" / f"all_drugs_state_month_{y}.txt") for y in years]


def us_truth(shared):
    return pd.concat([us_months(x)["deaths"] for x in wonder(shared, *range(2019, 2024))])


def gap_error(found, truth):
    """MAPE in percent after one level ratio."""
    months = found.table.set_index("month")["deaths"][truth.index]
    return float((months / truth * truth.sum() / months.sum() - 1).abs().mean() * 100)


def test_us_months_match_wonder_as_promised_and_no_other_definition_pins(release, shared):
    truth = us_truth(shared)
    assert len(truth) == 60
    assert gap_error(recovered_months(release, "US", draws=100), truth) <= 1.5
    pinned = recovered_months(release, "US", wonder=wonder(shared, 2018), draws=100)
    assert gap_error(pinned, truth) <= 0.6
    assert pinned.level["US"] == pytest.approx(1.007, abs=0.001)
    assert set(pinned.table["pinned"]) == {"wonder"}
    wider = read_wonder(shared / "wonder" / "all_drugs_state_month_2015_to_2020.txt")
    with pytest.raises(DataError, match=r"multiple cause .* cannot pin"):
        recovered_months(release, "US", wonder=[wider])
    with pytest.raises(DataError, match="the release has no PR"):
        recovered_months(release, "PR")


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
    found = recovered_months(release, "all", indicator=SYNTHETIC_OPIOIDS, draws=20)
    assert found.table["deaths"].ge(0).all()
    assert found.table["state"].nunique() > 40
