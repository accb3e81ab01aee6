"""Panel: labels, immutability, cutting, hashes."""

from __future__ import annotations

import datetime as dt
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panel_factory import bundled_panel

import odforecast as od
from odforecast.errors import PanelError
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH, month_end, to_month
from odforecast.names import VINTAGE_CLEAN, VINTAGE_REAL
from odforecast.panel import Panel
from odforecast.publication import publication_date
from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import bundled


@pytest.fixture(scope="module")
def panel() -> Panel:
    return bundled().as_of("2025-09-17").panel()


def test_bundled_panel_has_the_nation_and_52_jurisdictions(panel):
    assert panel.locations[0] == "US"
    assert len(panel.locations) == 53
    assert str(panel.months[0]) == "2015-01"
    assert str(panel.last_month) == "2025-04"
    assert panel.vintage == VINTAGE_REAL


def test_jurisdictions_add_up_to_the_nation(panel):
    assert (panel.reported[1:].sum(axis=0) == panel.reported[0]).all()


def test_months_add_up_to_what_was_reported(panel):
    assert (rolling_sums(panel.monthly) == panel.reported).all()
    assert panel.month_grid.size == panel.monthly.shape[1]


def test_arrays_are_read_only(panel):
    for array in (panel.reported, panel.predicted, panel.monthly, panel.months):
        with pytest.raises(ValueError, match="read-only"):
            array[..., 0] = array[..., 1]


@given(st.integers(0, 123))
@settings(max_examples=30, deadline=None)
def test_a_cut_panel_knows_nothing_later(last):
    panel = bundled().as_of("2025-09-17").panel().select(["US", "WY"])
    month = panel.months[last]
    seen = panel.cut(month)
    assert seen.last_month == seen.final_through == month
    assert seen.vintage == VINTAGE_CLEAN
    assert seen.as_of == min(publication_date(month), panel.as_of)
    assert (seen.reported == panel.reported[:, : last + 1]).all()
    for layer in (seen.predicted, seen.complete, seen.pending):
        assert np.isnan(layer).all()
    # Equal to a cut of an archive that never held the later months.
    table = bundled().as_of("2025-09-17").table
    stamp = pd.Timestamp(month.astype("datetime64[s]"))
    short = Archive.in_memory({"2025-09-17": table[table["month"] <= stamp]})
    fresh = short.as_of("2025-09-17").panel().select(["US", "WY"]).cut(month)
    assert fresh.data_hash == seen.data_hash
    assert (fresh.monthly == seen.monthly).all()


def test_cutting_outside_the_panel_is_refused(panel):
    with pytest.raises(PanelError, match="cannot cut at 2026-01"):
        panel.cut("2026-01")


def test_as_of_before_the_last_month_is_refused(panel):
    with pytest.raises(PanelError, match="lies before the last month"):
        Panel(**{**_fields(panel), "as_of": dt.date(2019, 12, 31)})


def test_hash_ignores_row_order_and_sees_every_number(panel):
    order = list(panel.locations[::-1])
    assert panel.select(order).data_hash == panel.data_hash
    table = bundled().as_of("2025-09-17").table.copy()
    shuffled = Archive.in_memory({"2025-09-17": table.sample(frac=1, random_state=1)})
    assert shuffled.as_of("2025-09-17").panel().data_hash == panel.data_hash
    row = table.index[(table["state"] == "WY") & (table["month"] == "2020-05-01")][0]
    table.loc[row, "reported"] += 1
    other = Archive.in_memory({"2025-09-17": table})
    assert other.as_of("2025-09-17").panel().data_hash != panel.data_hash


def test_pickles(panel):
    again = pickle.loads(pickle.dumps(panel))
    assert again.data_hash == panel.data_hash
    assert (again.monthly == panel.monthly).all()
    assert not again.reported.flags.writeable


def test_unknown_indicator_and_location_say_what_is_there(panel):
    with pytest.raises(
        PanelError, match=r"no indicator 'Fentanyl'; did you mean 'T40.4'\? it has: Number"
    ):
        bundled().as_of("2025-09-17").panel("Fentanyl")
    with pytest.raises(PanelError, match="has no PR"):
        panel.index("PR")


def test_usable_says_why_not(panel):
    reported = panel.reported.copy()
    reported[1, -1] = np.nan
    reported[2, :] = np.nan
    reported[3, :-5] = np.nan
    reported[4, 50] = 0.0
    broken = Panel(**{**_fields(panel), "reported": reported})
    usable, skipped = broken.usable()
    names = panel.locations
    assert "no reported count in the last month" in skipped[names[1]]
    assert "no reported count" in skipped[names[2]]
    assert "only 16 months" in skipped[names[3]]
    assert "contradict" in skipped[names[4]]
    assert len(usable) == 49


def _fields(panel: Panel) -> dict[str, object]:
    return {name: getattr(panel, name) for name in panel.__dataclass_fields__}


def test_population_is_missing_where_the_denominator_does_not_match(panel):
    people = panel.populations()
    assert people[panel.index("US"), -1] > 330e6
    assert np.isnan(people[panel.index("NY")]).all()
    assert np.isnan(people[panel.index("YC")]).all()


@pytest.mark.parametrize("text", ["2024-02", "2024-02-29", dt.date(2024, 2, 1)])
def test_months(text):
    assert to_month(text) == np.datetime64("2024-02")
    assert month_end(to_month(text)) == dt.date(2024, 2, 29)


@pytest.mark.parametrize(
    "text", ["Febtober", "July", "today", "now", "2024", "2024-13", "2024-02-31", "", None, "NaT"]
)
def test_what_is_no_month(text):
    with pytest.raises(PanelError, match="is no month"):
        to_month(text)


def test_months_must_be_consecutive(panel):
    months = panel.months.copy()
    months[3:] += ONE_MONTH
    with pytest.raises(PanelError, match="consecutive"):
        Panel(**{**_fields(panel), "months": months})


def test_long_table_round_trip(panel):
    frame = panel.to_frame()
    assert len(frame) == 53 * 124
    wide = frame.pivot(index="location", columns="month", values="reported")
    assert (wide.loc["WV"].to_numpy() == panel.reported[panel.index("WV")]).all()


def test_a_location_with_just_enough_months_is_usable():
    panel = bundled_panel()
    n = panel.monthly.shape[1]
    assert panel.usable(min_months=n)[0] == panel.locations
    good, skipped = panel.usable(min_months=n + 1)
    assert good == ()
    assert skipped["OH"] == f"only {n} months up to {panel.last_month}"


def test_another_order_of_the_places_is_the_same_panel():
    """A class is published for fewer places than all drugs, which stand beside it."""
    fentanyl = od.bundled().as_of("2025-09-17").panel("T40.4")
    assert len(fentanyl.beside["all-drugs"].locations) > len(fentanyl.locations)
    turned = fentanyl.select(sorted(fentanyl.locations, reverse=True))
    assert turned.data_hash == fentanyl.data_hash
    made = od.get_model("ensemble-equal").fit(fentanyl).forecast(draws=10)
    assert made.locations
    few = fentanyl.select(["OH", "US"])
    assert set(few.beside["all-drugs"].locations) == {"OH", "US"}
