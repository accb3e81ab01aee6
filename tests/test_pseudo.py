"""Pseudo-vintages treat every layer as the table of panel/pseudo.py says."""

from __future__ import annotations

import datetime as dt
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from panel_factory import made_donor

import odforecast as od
from odforecast.errors import BacktestError, PanelError
from odforecast.geography import JURISDICTIONS
from odforecast.panel import Donor, Panel
from odforecast.publication import final_through, last_published, not_final, publication_date

AGES = 6
END = "2022-06"
RNG = np.random.default_rng(4)
#: The donor tells of two years, so that a model sees what was usual before.
TOLD = 24
LATE = np.zeros((52, TOLD))
LATE[:, :AGES] = np.linspace(0.3, 0.01, AGES) * RNG.uniform(0.5, 1.5, (52, AGES))


def donor(back: int = 0, late: np.ndarray = LATE, predecessors: tuple[Donor, ...] = ()) -> Donor:
    deaths = np.linspace(20, 40, len(late))
    return made_donor(late, back, predecessors=predecessors, deaths=deaths)


@pytest.fixture(scope="module")
def panel() -> Panel:
    """The bundled panel with deaths from all causes beside it."""
    whole = od.bundled().as_of("2025-09-17").panel()
    causes = replace(whole, reported=30 * whole.reported, beside={}, triangle=None)
    return replace(whole, beside={**whole.beside, "all-deaths": causes})


def test_a_clean_cut_keeps_nothing_later_in_any_layer(panel):
    seen = panel.cut(END)
    assert seen.vintage == "pseudo-clean"
    assert seen.as_of == publication_date(END)
    assert str(seen.final_through) == END
    assert seen.triangle is None
    for name in ("predicted", "complete", "pending"):
        assert np.isnan(getattr(seen, name)).all(), name
    assert str(seen.beside["T40.4"].last_month) == END
    # The last count of all causes that may be known is that of a year before.
    causes = panel.beside["all-deaths"]
    at = causes.months == np.datetime64("2021-06")
    assert str(seen.beside["all-deaths"].last_month) == "2021-06"
    assert seen.all_deaths[0] == causes.reported[causes.index("US"), at][0]


def test_a_delayed_vintage_misses_the_donors_late_arrivals(panel):
    seen, clean = panel.delayed(END, donor()), panel.cut(END)
    assert seen.vintage == "pseudo-delayed"
    assert seen.donor.startswith("2023-11-14/")
    assert seen.as_of == dt.date(2022, 6, 30) + dt.timedelta(days=135)
    assert str(seen.final_through) == "2021-12"
    for state in ("WV", "OH"):
        row, late = clean.index(state), LATE[JURISDICTIONS.index(state), :AGES][::-1]
        # The last count misses all late arrivals of the last six months, month by month.
        missing = np.cumsum(clean.monthly[row, -AGES:] * late)
        gap = clean.reported[row, -AGES:] - missing
        np.testing.assert_allclose(seen.reported[row, -AGES:], gap, atol=0.5)
        assert seen.reported[row, -AGES - 1] == clean.reported[row, -AGES - 1]
        assert seen.predicted[row, -1] == np.round(1.05 * seen.reported[row, -1])
        assert (seen.pending[row, -TOLD:] == 0.4).all()
        assert np.isnan(seen.pending[row, :-TOLD]).all()
    assert np.array_equal(seen.reported[1:].sum(axis=0), seen.reported[0])
    assert set(seen.beside) == {"all-deaths"}
    assert str(seen.beside["all-deaths"].last_month) == "2021-06"
    assert seen.triangle is None
    # Another donor is another panel, and one that misses nothing a clean one.
    half = panel.delayed(END, donor(late=LATE / 2))
    assert seen.data_hash != half.data_hash
    assert seen.donor != half.donor
    none = panel.delayed(END, donor(late=np.zeros((52, TOLD))))
    assert np.array_equal(none.reported, clean.reported)


def test_deaths_of_all_causes_stand_as_they_did_to_the_donors_counts(panel):
    """The deaths pending are so many of all deaths: in the donor's ratio to the overdose deaths,
    whatever the base's own ratio is, and whether or not it has one.
    """
    made = donor()
    seen, bare = panel.delayed(END, made), replace(panel, beside={}).delayed(END, made)
    assert seen.data_hash == bare.data_hash
    for state in ("WV", "OH"):
        count = seen.reported[seen.index(state), -1]
        ratio = made.deaths[JURISDICTIONS.index(state)]
        assert seen.all_deaths[seen.index(state)] == np.round(ratio * count)
    assert seen.all_deaths[0] == seen.all_deaths[1:].sum()
    unknown = replace(made, deaths=np.where(np.arange(52) == 3, np.nan, made.deaths))
    part = panel.delayed(END, unknown)
    assert np.isnan(part.all_deaths[[0, part.index(JURISDICTIONS[3])]]).all()
    assert np.isfinite(part.all_deaths).sum() == 51
    assert not panel.delayed(END, replace(made, deaths=None)).beside


@pytest.mark.parametrize(
    ("month", "open_months", "columns"),
    [
        # The donor's December lies 6 months back, and so does that of June.
        ("2022-06", 6, range(24)),
        # March, released in August: 3 months are open. They take the newest columns, December and
        # what is before it those from December on; the table ends three columns early.
        ("2022-03", 3, [0, 1, 2, *range(6, 24), 23, 23, 23]),
        # August: 8 months are open, and the oldest open column stands for those the donor lacks.
        ("2022-08", 8, [0, 1, 2, 3, 4, 5, 5, 5, *range(6, 22)]),
        # February, released in July: the December before is not closed, that of 2020 is, and
        # its final file is out.
        ("2022-02", 14, [0, 1, 2, 3, 4, 5, *[5] * 8, *range(6, 16)]),
    ],
)
def test_tables_go_by_months_since_the_last_closed_december(panel, month, open_months, columns):
    late = np.zeros((52, TOLD))
    late[:] = np.linspace(0.24, 0.01, TOLD)
    late[:, 6:] *= -1  # a closed year's file loses deaths again
    made = replace(donor(late=late), pending=np.tile(np.arange(24.0, 0, -1), (52, 1)))
    at = np.datetime64(month)
    seen = panel.delayed(month, made)
    assert made.distance(at) == abs(6 - open_months)
    assert seen.final_through == at - np.timedelta64(open_months, "M")
    assert seen.final_through == final_through(seen.as_of)
    row = seen.index("OH")
    # Percentages are of twelve months: from December on the donor's, after it what each adds.
    expected = 24.0 - np.array(columns)
    expected[:open_months] = 18.0 + open_months - np.arange(open_months)
    assert seen.pending[row, ::-1][:TOLD].tolist() == expected.tolist()
    moved = made.moved(at)
    assert moved.final_back == open_months
    expected = late[0][list(columns)]
    if open_months < 6:  # beyond the table nothing is late
        expected[open_months - 6 :] = 0.0
    december = at - np.timedelta64(open_months, "M")
    after = 1.0 if open_months == 6 else not_final(seen.as_of, december)
    after /= 1.0 if open_months == 6 else not_final(made.release, "2022-12")
    expected[open_months:] *= after
    np.testing.assert_allclose(moved.late[0], expected, rtol=1e-12)
    came = replace(made, late=np.abs(late)).moved(at)  # what came in does not grow with time
    grown = np.abs(expected)
    grown[open_months:] /= after or 1
    np.testing.assert_allclose(came.late[0], grown, rtol=1e-12)
    assert (moved is made) == (open_months == 6)


@pytest.mark.parametrize(
    ("month", "final"),
    [("2021-12", "2021-12"), ("2021-11", "2021-11"), ("2022-01", "2021-12")],
)
def test_the_calendar_of_a_donor(month, final):
    old = replace(donor(), age=300)
    assert old.final_at(np.datetime64(month)) == np.datetime64(final)  # never after the origin
    assert (donor().era, replace(donor(), age=197).era) == ("4.5", "6.5")
    made = replace(donor(), release=dt.date(2024, 12, 11), age=133)
    assert made.last_month == np.datetime64("2024-07")
    assert made.released(np.datetime64("2022-02")) == dt.date(2022, 7, 11)


def test_a_place_that_the_donor_lacks_is_said(panel):
    made = donor()
    keep = np.array([s != "WV" for s in JURISDICTIONS])
    tables = {n: getattr(made, n)[keep] for n in ("late", "ratio", "pending", "complete", "deaths")}
    places = tuple(s for s in JURISDICTIONS if s != "WV")
    seen = panel.delayed(END, replace(made, locations=places, **tables))
    assert any("has no WV" in note for note in seen.notes)
    row = seen.index("WV")
    assert np.array_equal(seen.reported[row], panel.cut(END).reported[row])
    assert not panel.delayed(END, made).notes


@pytest.mark.parametrize("month", ["2022-03", "2022-06", "2022-10"])
def test_predecessors_within_three_months_are_what_their_own_pseudo_vintages_would_be(panel, month):
    # The one of four months before is too old.
    made = donor(predecessors=(donor(1), donor(2), donor(4)))
    seen = panel.delayed(month, made)
    assert all(d < seen.as_of for d in seen.triangle.releases)
    for table, earlier in zip(seen.triangle.reported, (donor(2), donor(1)), strict=True):
        back = int((made.last_month - earlier.last_month).astype(int))
        alone = panel.delayed(np.datetime64(month) - np.timedelta64(back, "M"), earlier)
        assert np.array_equal(table[:, :-back], alone.reported)
        assert np.isnan(table[:, -back:]).all()


@pytest.mark.parametrize(
    ("bent", "said"),
    [
        ({"late": np.ones((52, TOLD))}, "late shares must be finite and below 1"),
        ({"late": np.zeros((2, 3))}, r"late has shape \(2, 3\), expected \(52, A\)"),
        ({"pending": np.zeros((52, 3))}, r"pending has shape \(52, 3\), expected \(52, 24\)"),
        ({"deaths": np.zeros(52)}, "must be above 0 or NaN"),
        ({"age": -1}, "age and final_back not negative"),
    ],
)
def test_what_is_no_donor(bent, said):
    with pytest.raises(PanelError, match=said):
        replace(donor(), **bent)


def test_select_hash_and_pickle_go_through_everything(panel):
    seen = panel.delayed(END, donor(predecessors=(donor(1),)))
    few = seen.select(["Ohio", "US"])
    assert few.selected
    assert not seen.select(seen.locations).selected
    assert few.beside["all-deaths"].locations == ("OH", "US")
    assert few.triangle.reported.shape[1] == 2
    assert pickle.loads(pickle.dumps(few)).data_hash == few.data_hash
    moved = replace(seen.beside["all-deaths"], reported=seen.beside["all-deaths"].reported + 1)
    assert replace(seen, beside={"all-deaths": moved}).data_hash != seen.data_hash
    assert replace(seen, triangle=None).data_hash != seen.data_hash


def test_a_suppressed_count_is_an_interval_and_no_month(panel):
    layers = {name: np.array(getattr(panel, name)) for name in ("reported", "low", "high")}
    wy = panel.index("WY")
    for layer, value in zip(layers.values(), (np.nan, 1.0, 9.0)):
        layer[wy, 40] = value
    layers["reported"][wy, 50] = np.nan  # lost, not suppressed
    seen = replace(panel, **layers)
    assert seen.hidden[wy].sum() == 1
    assert np.isnan(seen.low[wy, 50])
    # Counts from 41 on: the first of them is the sum of months 41 to 52.
    assert np.isnan(seen.monthly[wy, :41]).all()
    assert np.isfinite(seen.monthly[wy, 41:]).all()
    layers["low"][wy, 40] = layers["high"][wy, 40] = 5.0  # no interval: missing
    assert not replace(panel, **layers).hidden.any()


def test_a_synthetic_panel_is_for_looking_and_no_backtest_takes_it():
    months = np.arange("2018-01", "2023-01", dtype="datetime64[M]").astype(str)
    counts = {"location": "Ohio", "month": months, "reported": 4000 + np.arange(60)}
    made = Panel.from_frame(pd.DataFrame(counts), as_of="2023-06-01")
    assert made.vintage == "synthetic"
    assert od.get_model("dlm").fit(made).forecast(draws=10).locations == ("OH",)
    origin = od.origins(od.bundled(), "pseudo-clean", start="2022-01", end="2022-01")[0]
    with pytest.raises(BacktestError, match="made-up"):
        od.backtest(["naive"], [replace(origin, panel=made)], progress=False)


@pytest.mark.parametrize(
    ("release", "final"),
    [("2024-12-11", "2023-12"), ("2025-07-16", "2023-12"), ("2025-08-13", "2024-12"),
     ("2025-09-17", "2024-12"), ("2018-10-17", "2017-12"), ("2019-04-17", "2017-12")],
)  # fmt: skip
def test_the_calendar_of_annual_files(release, final):
    assert str(final_through(dt.date.fromisoformat(release))) == final


def test_last_published_is_the_inverse_of_publication():
    for month in np.arange("2016-01", "2025-01", dtype="datetime64[M]"):
        day = publication_date(month)
        assert last_published(day) >= month
        assert publication_date(last_published(day)) <= day
