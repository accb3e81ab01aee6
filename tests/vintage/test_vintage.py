"""The one door to what was known: what a vintage gives, and that it gives nothing later."""

from __future__ import annotations

import datetime as dt
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import odforecast as od
from odforecast.errors import ArchiveError, PanelError
from odforecast.models.delay.constants import delays_for
from odforecast.models.delay.deficit import deficit
from odforecast.names import ALL_DEATHS, ALL_DRUGS
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage.vintage import SAID_MONTHS

FILES = ("2018-09-12.csv", "2018-10-17.csv", "2018-11-14.csv")
LATE = dt.date(2026, 1, 14)


@pytest.fixture(scope="module")
def tables(vsrr: Path) -> dict[dt.date, pd.DataFrame]:
    loaded = [read_vsrr(vsrr / name) for name in FILES]
    return {x.release: x.table for x in loaded} | {LATE: od.bundled().release(LATE)}


@pytest.fixture(scope="module")
def archive(tables) -> od.Archive:
    return od.Archive.in_memory(tables)


def test_a_vintage_stays_in_its_process(archive):
    with pytest.raises(TypeError, match="send vintage"):
        pickle.dumps(archive.as_of())


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
    # Of a class, releases older than two years are in no triangle; of all drugs, for a model to
    # learn from once they have settled, those of eight years.
    late = archive.as_of()
    assert late.panel("T40.4").triangle is None
    assert len(late.panel().triangle) == 3
    assert archive.as_of("2018-11-14").panel("T40.4").triangle.pending is None


def test_a_triangle_has_what_each_release_said_of_itself(archive):
    """As the panel of that release has it, in the months that could still change."""
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
            table = getattr(triangle, layer)[r][rows]
            recent = at[-SAID_MONTHS:]
            said = getattr(then, layer)[:, -SAID_MONTHS:]
            np.testing.assert_array_equal(table[:, recent], said)
            assert np.isnan(np.delete(table, recent, axis=1)).all()
    assert np.isfinite(triangle.pending[:, :, 38:40]).any()


@pytest.mark.slow
def test_order_does_not_matter_and_indicators_have_their_own_triangles(vsrr, tmp_path):
    """What a process keeps of a file is kept by indicator."""
    kept = [ALL_DRUGS, ALL_DEATHS, "Cocaine (T40.5)"]
    loaded = [read_vsrr(vsrr / name) for name in FILES[::2]]
    loaded = [replace(x, table=x.table[x.table["indicator"].isin(kept)]) for x in loaded]
    one, two = od.Archive(tmp_path / "one"), od.Archive(tmp_path / "two")
    for archive, releases in ((one, loaded), (two, loaded[::-1])):
        for release in releases:
            archive.add(release)
    memory = od.Archive.in_memory({x.release: x.table for x in loaded})
    for of in (ALL_DRUGS, "cocaine", ALL_DRUGS):  # once more: from what was kept
        panels = [a.as_of().panel(of) for a in (one, two, memory)]
        assert len({p.data_hash for p in panels}) == 1
        for panel in panels:
            held = panels[0].triangle.reported
            np.testing.assert_array_equal(panel.triangle.reported, held)
            assert (panel.triangle.pending is None) == (of != ALL_DRUGS)


def test_deaths_of_all_causes_come_from_no_later_release(tables):
    """The newest known that day: a later release must not reach an earlier panel."""
    first, second, *_ = tables
    bare = {d: tables[d][tables[d]["indicator"] != ALL_DEATHS] for d in (first, second)}
    without_first, without_second = (
        od.Archive.in_memory(tables | {d: bare[d]}) for d in (first, second)
    )
    assert without_second.as_of(second).panel().beside["all-deaths"].release == first
    panel = without_first.as_of(first).panel()
    assert "all-deaths" not in panel.beside
    assert np.isnan(panel.all_deaths).all()
    # In a triangle, too.
    none, whole, old = (
        a.as_of("2018-11-14").panel().triangle.all_deaths
        for a in (without_first, od.Archive.in_memory(tables), without_second)
    )
    assert np.isnan(none[0]).all()
    np.testing.assert_array_equal(old[1], whole[0])


@pytest.mark.slow
def test_scrambling_every_later_release_moves_nothing(tables):
    day = list(tables)[1]
    later = {
        d: t.assign(reported=t["reported"].where(t["reported"].isna(), 5.0))
        for d, t in tables.items()
        if d > day
    }
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


def test_your_copy_of_a_release_comes_before_the_bundled_one(tmp_path, monkeypatch):
    monkeypatch.setattr("odforecast.vintage.bundle.default_folder", lambda: tmp_path / "own")
    assert [str(d) for d in od.archive().releases()] == ["2025-09-17", "2026-01-14"]
    table = od.bundled().as_of("2025-09-17").table
    table.loc[table["state"] == "WY", "predicted"] += 1
    other = table.assign(release=pd.Timestamp("2025-10-15"))
    for name, each in (("2025-09-17", table), ("2025-10-15", other)):
        each.to_parquet(tmp_path / f"{name}.parquet")
        od.Archive(tmp_path / "own").add(tmp_path / f"{name}.parquet")
    assert [str(d) for d in od.archive().releases()] == ["2025-09-17", "2025-10-15", "2026-01-14"]
    mine = od.archive().as_of("2025-09-17").panel()
    bundled = od.bundled().as_of("2025-09-17").panel()
    wy = mine.index("WY")
    assert np.array_equal(mine.predicted[wy], bundled.predicted[wy] + 1)
    log = od.archive().log
    assert list(log["event"]) == ["added"] * 5  # the bundled ones, beneath, too
    assert list(log["origin"] == "bundled") == [True, True, True, False, False]


def test_revisions_know_nothing_later(archive, vsrr):
    seen = archive.as_of("2018-10-17").revisions()
    assert [str(d) for d in seen.releases] == ["2018-09-12", "2018-10-17"]
    with pytest.raises(ArchiveError, match="read only"):
        archive.until("2018-10-17").add(vsrr / FILES[0])
