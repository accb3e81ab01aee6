"""Panels, their triangles and their pseudo-vintages (the table of panel/pseudo.py)."""

import datetime as dt
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from forecast_factory import made, same
from panel_factory import RELEASE, counts_panel, made_donor, made_panel

import odforecast as od
from odforecast.backtesting.unit import contained
from odforecast.errors import BacktestError, PanelError
from odforecast.geography import JURISDICTIONS
from odforecast.monthly.sums import rolling_sums
from odforecast.names import VINTAGE_CLEAN
from odforecast.panel import Panel, Triangle
from odforecast.publication import final_through, last_published, not_final, publication_date
from odforecast.testing.zoo import ordinary
from odforecast.vintage.donors import shipped


def test_months_add_up_to_the_counts_and_nothing_can_be_written_to(panel):
    assert (rolling_sums(panel.monthly) == panel.reported).all()
    assert (panel.reported[1:].sum(axis=0) == panel.reported[0]).all()
    cells = np.zeros((2, 3, 4))
    layers = Triangle(DATES, cells, cells, cells, np.zeros((2, 3))).layers.values()
    cells += 1.0
    assert not any(layer.any() for layer in layers)
    for array in (panel.reported, panel.predicted, panel.monthly, panel.months, *layers):
        with pytest.raises(ValueError, match="read-only"):
            array[..., 0] = array[..., 1]


@pytest.mark.parametrize("month", ["2015-01", "2019-03", "2024-11"])
def test_a_cut_panel_knows_nothing_later(panel, month):
    whole, places = panel, ["US", "WY"]
    panel, month = panel.select(places), np.datetime64(month)
    seen = panel.cut(month)
    assert seen.last_month == seen.final_through == month
    assert seen.vintage == VINTAGE_CLEAN
    assert seen.as_of == min(publication_date(month), whole.as_of)
    assert (seen.reported == panel.reported[:, : seen.months.size]).all()
    # Equal to a cut of an archive that never held the later months.
    table = od.bundled().as_of("2025-09-17").table
    short = od.Archive.in_memory({"2025-09-17": table[table["month"] <= pd.Timestamp(str(month))]})
    fresh = short.as_of("2025-09-17").panel().select(places).cut(month)
    assert fresh.data_hash == seen.data_hash
    assert (fresh.monthly == seen.monthly).all()


DELAYED = {"vintage": "pseudo-delayed", "donor": "2023-11-14/x"}


@pytest.mark.parametrize("make", [Panel.cut, lambda p, m: p.delayed(m, shipped()[0])])
@pytest.mark.parametrize(
    ("bent", "month", "said"),
    [
        ({}, "2026-01", "cannot cut at 2026-01: the panel has"),
        ({}, "2025-04", "after 2024-12 are neither final nor 12 .* fit the panel as it is, or cut"),
        ({}, "2025-01", "in release 2025-09-17, counts after 2024-12 are neither final nor"),
        # Not final, but 12 months old in the release, and no longer.
        ({"final_through": np.datetime64("2023-12")}, "2024-10", "after 2024-09 are neither"),
        (DELAYED, "2023-01", "a delayed panel"),
        (DELAYED | {"vintage": "synthetic"}, "2023-01", "a delayed panel"),
    ],
)
def test_only_what_is_settled_can_be_cut_and_delayed(panel, make, bent, month, said):
    with pytest.raises(PanelError, match=said):
        make(replace(panel, **bent), month)


def test_puerto_rico_is_noted_once_whichever_the_donor():
    whole = od.bundled().as_of().panel()
    notes = {n for d in shipped()[:4] for n in whole.delayed("2023-06", d).notes}
    said = "no release shows how late reports arrive in Puerto Rico: it is taken as complete"
    assert [n for n in notes if "PR" in n or "Puerto Rico" in n] == [said]


def test_what_is_final_or_a_year_old_can_be_cut(panel):
    assert panel.settled_through == panel.cut("2024-12").last_month == np.datetime64("2024-12")
    younger = replace(panel, final_through=np.datetime64("2023-12"))
    assert younger.settled_through == younger.cut("2024-09").last_month
    # One that is seen early has no old counts, whatever release it is of.
    early = dt.date(2025, 5, 2)
    assert replace(younger, as_of=early).settled_through == np.datetime64("2024-05")
    assert publication_date("2024-12") > replace(panel, as_of=early).cut("2024-12").as_of == early
    cut = panel.cut("2024-02")
    assert cut.settled_through == cut.cut("2024-02").last_month


EIGHTEEN = np.arange("2024-01", "2025-07", dtype="M8[M]")


@pytest.mark.parametrize(
    ("final_through", "deaths"),
    [
        # June 2025 is not final, nor is any month of its twelve: the newest count then is June
        # 2024's, the sixth; West Virginia's newest before it is March's.
        ("2024-12", [1_005.0, 2_002.0]),
        # Final counts are as they are, the eighteenth.
        ("2025-06", [1_017.0, 2_017.0]),
        ("2026-12", [1_017.0, 2_017.0]),
    ],
)
def test_deaths_of_all_causes_are_the_newest_that_are_in(final_through, deaths):
    counts = np.arange(18.0) + np.array([[1_000.0], [2_000.0]])
    counts[1, 3:6] = np.nan
    final = {"final_through": np.datetime64(final_through)}
    causes = counts_panel(counts, ("OH", "WV"), EIGHTEEN, RELEASE, **final)
    beside = {"all-deaths": causes}
    panel = counts_panel(np.ones((3, 18)), ("WV", "OH", "WY"), EIGHTEEN, RELEASE, beside=beside)
    np.testing.assert_array_equal(panel.all_deaths, [deaths[1], deaths[0], np.nan])


def test_what_is_settled_hangs_on_the_release_too():
    december = {"final_through": np.datetime64("2023-12")}
    counts = np.ones((1, 18))
    panel = counts_panel(counts, ("OH",), EIGHTEEN, dt.date(2025, 9, 17), **december)
    assert str(panel.settled_through) == "2024-09"
    # Looked at half a year later, it is no newer; before it was out, it would be older.
    assert str(replace(panel, as_of=dt.date(2026, 3, 10)).settled_through) == "2024-09"
    assert str(replace(panel, as_of=dt.date(2025, 7, 1)).settled_through) == "2024-07"
    # Final counts are settled however young, and nothing after the last month is.
    for final, settled in (("2024-12", "2024-12"), ("2025-12", "2025-06")):
        later = replace(panel, final_through=np.datetime64(final))
        assert str(later.settled_through) == settled


def test_each_field_that_a_model_may_read_is_in_the_hash():
    counts = np.arange(36.0).reshape(2, 18)
    more = {"urban": {"39035": "1"}, "residents": {"39035": 1_200_000.0}}
    panel = counts_panel(counts, ("39035", "39049"), EIGHTEEN, RELEASE, dataset="counties", **more)
    changes = [
        {"urban": {"39035": "2"}},
        {"urban": {}},
        {"residents": {"39035": 1_200_001.0}},
        {"residents": {}},
        {"reported": counts + 1.0},
        {"pending": counts},
        {"predicted": counts},
        {"complete": counts},
        {"final_through": np.datetime64("2024-12")},
        {"as_of": dt.date(2025, 9, 18)},
        {"donor": "2024-09-11"},
        {"months": EIGHTEEN + np.timedelta64(1, "M")},
    ]
    hashes = [panel.data_hash] + [replace(panel, **change).data_hash for change in changes]
    assert len(set(hashes)) == 1 + len(changes)
    other_order = {"locations": ("39049", "39035"), "reported": counts[::-1]}
    bounds = {"low": panel.low[::-1], "high": panel.high[::-1]}
    assert replace(panel, **other_order, **bounds).data_hash == panel.data_hash


def test_hash_ignores_row_order_and_sees_every_number(panel):
    def hashed(table: pd.DataFrame) -> str:
        return od.Archive.in_memory({"2025-09-17": table}).as_of("2025-09-17").panel().data_hash

    fentanyl = od.bundled().as_of("2025-09-17").panel("T40.4")
    for each in (panel, fentanyl):
        assert each.select(each.locations[::-1]).data_hash == each.data_hash
    assert len(fentanyl.beside["all-drugs"].locations) > len(fentanyl.locations)
    assert set(fentanyl.select(["OH", "US"]).beside["all-drugs"].locations) == {"OH", "US"}
    table = od.bundled().as_of("2025-09-17").table.copy()
    assert hashed(table.sample(frac=1, random_state=1)) == panel.data_hash
    table.loc[(table["state"] == "WY") & (table["month"] == "2020-05-01"), "reported"] += 1
    assert hashed(table) != panel.data_hash


def test_usable_says_why_not(panel):
    reported = panel.reported.copy()
    reported[1, -1] = reported[2, :] = reported[3, :-5] = np.nan
    reported[4, 50] = 0.0
    usable, skipped = replace(panel, reported=reported, low=None, high=None).usable()
    said = ("no reported count in the last month", "no reported count", "only 16 months")
    for name, words in zip(panel.locations[1:], (*said, "contradict")):
        assert words in skipped[name]
    assert len(usable) == 49
    n = panel.monthly.shape[1]
    assert panel.usable(min_months=n)[0] == panel.locations
    good, skipped = panel.usable(min_months=n + 1)
    assert good == ()
    assert skipped["OH"] == f"only {n} months up to {panel.last_month}"


SHORT = np.ones((53, 3))
DATES = (dt.date(2021, 1, 13), dt.date(2021, 2, 17))
CELLS, ROW = np.zeros((2, 3, 4)), np.zeros((2, 3))
MONTHS = pd.period_range("2018-01", "2022-12", freq="M").astype(str)
FRAME = pd.DataFrame({"location": "Ohio", "month": MONTHS, "reported": 4000 + np.arange(60)})


def frame_of(**columns: object):
    return lambda _: Panel.from_frame(FRAME.assign(**columns), as_of="2023-06-01")


@pytest.mark.parametrize(("make", "said"), [
    (lambda p: replace(p, locations=("US",) * 53), "locations must be distinct"),
    (lambda p: replace(p, months=p.months[::2]), "months must be consecutive"),
    (lambda p: replace(p, as_of=dt.date(2019, 12, 31)), "lies before the last month 2025-04"),
    (lambda p: replace(p, predicted=SHORT), r"predicted has shape \(53, 3\), expected"),
    (lambda p: p.index("PR"), "the panel has no PR"),
    (lambda p: p.delayed("2023-06", "x"), "donor is 'x', allowed: a Donor"),
    (lambda _: Panel.from_frame(FRAME[["month"]], "2023-06-01"), "has no location, reported"),
    (frame_of(month="July"), "row 0, month: 'July' is not a date"),
    (frame_of(reported="many"), "OH 2018-01: reported is 'many', which is not a count"),
    (frame_of(reported="38528e6533165796"), "reported is '38528e6533165796', which is not"),
    (frame_of(reported=-1), "reported is -1, which is not a count"),
    (frame_of(pending="few"), "pending is 'few', which is not a number"),
    (lambda _: Panel.from_frame(pd.concat([FRAME, FRAME]), "2023-06-01"), "is given twice"),
    (lambda _: Triangle(DATES, CELLS, CELLS), "pending, predicted and all_deaths, or none"),
    (lambda _: Triangle(DATES, CELLS, CELLS, CELLS, ROW[0]), r"all_deaths .* shape \(3,\)"),
    (lambda _: Triangle(DATES, CELLS, CELLS[:, :, 1:], CELLS, ROW),
     r"pending of a triangle has shape \(2, 3, 3\)"),
    (lambda _: Triangle(DATES, ROW), r"of 2 releases has shape \(2, 3\), expected \(R, L, T"),
    (lambda _: Triangle(DATES[::-1], CELLS), "distinct and in order"),
    (lambda _: donor(late=np.ones((52, TOLD))), "late shares must be finite and below 1"),
    (lambda _: replace(donor(), late=np.zeros((2, 3))), r"late has shape \(2, 3\), expec"),
    (lambda _: replace(donor(), pending=np.zeros((52, 3))), r"\(52, 3\), expected \(52, 24\)"),
    (lambda _: replace(donor(), age=-1), "age and final_back not negative"),
])  # fmt: skip
def test_what_is_no_panel_triangle_or_donor_is_refused(panel, make, said):
    with pytest.raises(PanelError, match=said):
        make(panel)


def test_a_year_without_deaths_known_on_the_first_of_its_last_month_is_a_panel() -> None:
    months = [f"2020-{month:02}" for month in range(1, 13)]
    frame = pd.DataFrame({"location": "OH", "month": months, "reported": 0.0})
    year = Panel.from_frame(frame, as_of="2020-12-01")
    assert year.reported.tolist() == [[0.0] * 12]
    assert "Ohio" in year._repr_html_()


@pytest.fixture(scope="module")
def released() -> Panel:
    return ordinary()


def bare(released: Panel) -> Panel:
    """The counts of earlier releases alone, as a panel made by hand has them."""
    earlier = released.triangle
    return replace(released, triangle=Triangle(earlier.releases, earlier.reported))


def test_the_hash_sees_every_layer_in_any_order_of_places(released):
    assert released.select(released.locations[::-1]).data_hash == released.data_hash
    seen = {p.data_hash for p in (released, bare(released), replace(released, triangle=None))}
    for name, layer in released.triangle.layers.items():
        moved = replace(released.triangle, **{name: np.where(np.isnan(layer), layer, layer + 1.0)})
        seen.add(replace(released, triangle=moved).data_hash)
    assert len(seen) == 3 + 4


def test_places_and_months_are_taken_from_every_layer(released):
    two, layers = released.select(["WV", "OH"]), released.triangle.layers
    at = [released.index("WV"), released.index("OH")]
    for name, layer in layers.items():
        np.testing.assert_array_equal(two.triangle.layers[name], layer[:, at])
    last = released.triangle.cells(slice(-5, None)).layers
    np.testing.assert_array_equal(last["pending"], layers["pending"][..., -5:])
    np.testing.assert_array_equal(last["all_deaths"], layers["all_deaths"])
    half = released.triangle.counted(lambda counts: counts / 2)
    for name, factor in {"reported": 2, "predicted": 2, "pending": 1, "all_deaths": 1}.items():
        np.testing.assert_array_equal(factor * half.layers[name], layers[name])


@pytest.mark.parametrize("change", [lambda p: p, bare], ids=["all", "counts"])
def test_saved_and_pickled_it_is_the_same(released, change, tmp_path):
    released = change(released)
    again = od.load_forecast(made(released).save(tmp_path / "f")).panel
    assert again.data_hash == released.data_hash
    same(again.triangle, released.triangle)
    same(pickle.loads(pickle.dumps(released)).triangle, released.triangle)


@pytest.mark.parametrize("name", ["pending", "predicted", "all_deaths"])
def test_a_model_that_writes_into_a_layer_is_found_out(name):
    released = ordinary()
    layer = released.triangle.layers[name]
    before = layer.copy()

    def write():
        with contained([released], 1):
            layer.flags.writeable = True
            layer[:] = 7.0

    with pytest.raises(BacktestError, match="changed"):
        write()
    np.testing.assert_array_equal(layer, before)


END = "2022-06"
#: The donor tells of two years, so that a model sees what was usual before.
AGES, TOLD = 6, 24
LATE = np.zeros((52, TOLD))
LATE[:, :AGES] = np.linspace(0.3, 0.01, AGES)
LATE[:, :AGES] *= np.random.default_rng(4).uniform(0.5, 1.5, (52, AGES))


def donor(back=0, late=LATE, predecessors=()):
    deaths = np.linspace(20, 40, len(late))
    return made_donor(late, back, predecessors=predecessors, deaths=deaths)


@pytest.fixture(scope="module")
def base() -> Panel:
    """The bundled panel with deaths from all causes beside it."""
    whole = od.bundled().as_of("2025-09-17").panel()
    causes = replace(whole, reported=30 * whole.reported, beside={}, triangle=None)
    return replace(whole, beside={**whole.beside, "all-deaths": causes})


def test_a_clean_cut_keeps_nothing_later_in_any_layer(base):
    seen = base.cut(END)
    assert seen.vintage == "pseudo-clean"
    assert seen.as_of == publication_date(END)
    assert str(seen.final_through) == END
    assert seen.triangle is None
    for name in ("predicted", "complete", "pending"):
        assert np.isnan(getattr(seen, name)).all(), name
    assert str(seen.beside["T40.4"].last_month) == END
    # The last count of all causes that may be known is that of a year before.
    causes = base.beside["all-deaths"]
    at = causes.months == np.datetime64("2021-06")
    assert str(seen.beside["all-deaths"].last_month) == "2021-06"
    assert seen.all_deaths[0] == causes.reported[causes.index("US"), at][0]


def test_a_delayed_vintage_misses_the_donors_late_arrivals(base):
    seen, clean = base.delayed(END, donor()), base.cut(END)
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
    half = base.delayed(END, donor(late=LATE / 2))
    assert seen.data_hash != half.data_hash
    assert seen.donor != half.donor
    none = base.delayed(END, donor(late=np.zeros((52, TOLD))))
    assert np.array_equal(none.reported, clean.reported)


def test_six_months_of_two_places_miss_late_arrivals_as_on_paper() -> None:
    late = np.zeros((52, TOLD))
    late[:, :3] = 0.5, 0.2, 0.1  # of April, March and February
    late[:, 4] = -0.1  # December, which has closed, gains nothing and loses a tenth
    months = {"OH": np.full(40, 100.0), "WV": np.full(40, 20.0)}
    panel = made_panel(months, "2023-06")
    seen = panel.delayed("2022-04", made_donor(late, final_back=4, age=135))
    # Twelve months to April miss 50, 20 and 10 and hold 10 too much; those to March 20 and 10.
    assert seen.reported[0, -6:].tolist() == [1_200, 1_210, 1_210, 1_200, 1_180, 1_130]
    assert seen.reported[1, -6:].tolist() == [240, 242, 242, 240, 236, 226]
    assert (str(seen.final_through), str(seen.as_of)) == ("2021-12", "2022-09-12")


def test_deaths_of_all_causes_stand_as_they_did_to_the_donors_counts(base):
    """In the donor's ratio to the overdose deaths, whether or not the base has one of its own."""
    made = donor()
    seen, bare = base.delayed(END, made), replace(base, beside={}).delayed(END, made)
    assert seen.data_hash == bare.data_hash
    for state in ("WV", "OH"):
        count = seen.reported[seen.index(state), -1]
        ratio = made.deaths[JURISDICTIONS.index(state)]
        assert seen.all_deaths[seen.index(state)] == np.round(ratio * count)
    assert seen.all_deaths[0] == seen.all_deaths[1:].sum()
    unknown = replace(made, deaths=np.where(np.arange(52) == 3, np.nan, made.deaths))
    part = base.delayed(END, unknown)
    assert np.isnan(part.all_deaths[[0, part.index(JURISDICTIONS[3])]]).all()
    assert np.isfinite(part.all_deaths).sum() == 51
    assert not base.delayed(END, replace(made, deaths=None)).beside


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
def test_tables_go_by_months_since_the_last_closed_december(base, month, open_months, columns):
    late = np.tile(np.linspace(0.24, 0.01, TOLD), (52, 1))
    late[:, 6:] *= -1  # a closed year's file loses deaths again
    made = replace(donor(late=late), pending=np.tile(np.arange(24.0, 0, -1), (52, 1)))
    at = np.datetime64(month)
    seen = base.delayed(month, made)
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


def test_the_calendar_of_a_donor():
    old = replace(donor(), age=300)
    for month, final in (("2021-12", "2021-12"), ("2021-11", "2021-11"), ("2022-01", "2021-12")):
        assert str(old.final_at(np.datetime64(month))) == final  # never after the origin
    assert (donor().era, replace(donor(), age=197).era) == ("4.5", "6.5")
    made = replace(donor(), release=dt.date(2024, 12, 11), age=133)
    assert made.last_month == np.datetime64("2024-07")
    assert made.released(np.datetime64("2022-02")) == dt.date(2022, 7, 11)


def test_a_place_that_the_donor_lacks_is_said(base):
    made = donor()
    keep, places = zip(*((i, s) for i, s in enumerate(JURISDICTIONS) if s != "WV"))
    layers = ("late", "ratio", "pending", "complete", "deaths")
    tables = {n: getattr(made, n)[list(keep)] for n in layers}
    seen = base.delayed(END, replace(made, locations=places, **tables))
    assert any("has no WV" in note for note in seen.notes)
    row = seen.index("WV")
    assert np.array_equal(seen.reported[row], base.cut(END).reported[row])
    assert not base.delayed(END, made).notes


@pytest.mark.parametrize("month", ["2022-03", "2022-06", "2022-10"])
def test_predecessors_within_three_months_are_what_their_own_pseudo_vintages_would_be(base, month):
    # The one of four months before is too old.
    made = donor(predecessors=(donor(1), donor(2), donor(4)))
    seen = base.delayed(month, made)
    assert all(d < seen.as_of for d in seen.triangle.releases)
    for table, earlier in zip(seen.triangle.reported, (donor(2), donor(1)), strict=True):
        back = int((made.last_month - earlier.last_month).astype(int))
        alone = base.delayed(np.datetime64(month) - np.timedelta64(back, "M"), earlier)
        assert np.array_equal(table[:, :-back], alone.reported)
        assert np.isnan(table[:, -back:]).all()


def test_select_hash_and_pickle_go_through_everything(base):
    seen = base.delayed(END, donor(predecessors=(donor(1),)))
    few = seen.select(["Ohio", "US"])
    assert few.selected
    assert not seen.select(seen.locations).selected
    assert few.beside["all-deaths"].locations == ("OH", "US")
    assert few.triangle.reported.shape[1] == 2
    assert pickle.loads(pickle.dumps(few)).data_hash == few.data_hash
    moved = replace(seen.beside["all-deaths"], reported=seen.beside["all-deaths"].reported + 1)
    assert replace(seen, beside={"all-deaths": moved}).data_hash != seen.data_hash
    assert replace(seen, triangle=None).data_hash != seen.data_hash


def test_a_suppressed_count_is_an_interval_and_no_month(base):
    layers, wy = {}, base.index("WY")
    for name, value in (("reported", np.nan), ("low", 1.0), ("high", 9.0)):
        layers[name] = np.array(getattr(base, name))
        layers[name][wy, 40] = value
    layers["reported"][wy, 50] = np.nan  # lost, not suppressed
    seen = replace(base, **layers)
    assert seen.hidden[wy].sum() == 1
    assert not seen.lost.any()
    assert np.isnan(seen.low[wy, 50])
    # Counts from 41 on: the first of them is the sum of months 41 to 52.
    assert np.isnan(seen.monthly[wy, :41]).all()
    assert np.isfinite(seen.monthly[wy, 41:]).all()
    layers["low"][wy, 40] = layers["high"][wy, 40] = 5.0  # no interval: missing
    assert not replace(base, **layers).hidden.any()


def test_a_panel_shows_two_of_its_notes(base):
    shown = repr(replace(base, notes=("first", "second", "third")))
    assert "note: first" in shown
    assert "note: second" in shown
    assert "third" not in shown


def test_a_synthetic_panel_is_for_looking_and_no_backtest_takes_it():
    made = Panel.from_frame(FRAME, as_of="2023-06-01")
    assert made.vintage == "synthetic"
    assert od.get_model("dlm").fit(made).forecast(draws=10).locations == ("OH",)
    origin = od.origins(od.bundled(), "pseudo-clean", start="2022-01", end="2022-01")[0]
    with pytest.raises(BacktestError, match="made-up"):
        od.backtest(["naive"], [replace(origin, panel=made)], progress=False)


ANNUAL = {"2024-12-11": "2023-12", "2025-07-16": "2023-12", "2025-08-13": "2024-12",
          "2025-09-17": "2024-12", "2018-10-17": "2017-12", "2019-04-17": "2017-12"}  # fmt: skip


def test_the_calendar_of_annual_files():
    assert {day: str(final_through(dt.date.fromisoformat(day))) for day in ANNUAL} == ANNUAL


def test_last_published_is_the_inverse_of_publication():
    for month in np.arange("2016-01", "2025-01", dtype="datetime64[M]"):
        day = publication_date(month)
        assert last_published(day) >= month
        assert publication_date(last_published(day)) <= day
