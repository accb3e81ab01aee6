"""Donors: late arrivals by month of death, from releases whose counts have settled."""

import datetime as dt
import gzip
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import panel_factory
import pytest

import odforecast as od
from odforecast.errors import DataError, PanelError
from odforecast.geography import JURISDICTIONS
from odforecast.monthly.sums import rolling_sums
from odforecast.panel import Panel
from odforecast.vintage import donors as module
from odforecast.vintage.donors import available, donor_of, donors, gathered, linked, shipped

ROOT = Path(__file__).resolve().parents[2]
PLACES = ("OH", "WV", "WY")
LEVELS = np.array([400.0, 100.0, 6.0])
#: Months of death, and the last month of the release; the truth goes on for two years.
N, LAST = 96, 71
#: Deaths that came late by months back, beyond a year, so that the recursion matters.
LATE = np.array([60, 30, 20, 10, 5, 4, 3, 2, 2, -3, -2, -1, 8, 6, 5, 4])


def made_panel(months, last, release, final_through=None, **layers):
    panel = panel_factory.made_panel(dict(zip(PLACES, months)), last)
    day = dt.date.fromisoformat(release)
    return replace(panel, as_of=day, release=day, vintage="real", final_through=final_through,
                   **layers)  # fmt: skip


@pytest.fixture(scope="module")
def months():
    season = 1 + 0.1 * np.sin(np.arange(N) / 2)
    noise = np.random.default_rng(8).uniform(0.9, 1.1, (len(PLACES), N))
    return np.round(LEVELS[:, None] * season * noise)


@pytest.fixture(scope="module")
def truth(months) -> Panel:
    return made_panel(months, "2021-12", "2022-05-15")


def seen(months, late, restated=None):
    had = months.copy()
    had[:2, LAST - late.size + 1 : LAST + 1] -= late[::-1]
    if restated is not None:
        had[:2, restated] -= 40
    sums = rolling_sums(had)[:, : LAST - 10]
    return made_panel(
        had[:, : LAST + 1], "2019-12", "2020-04-15", np.datetime64("2018-12"),
        predicted=np.round(1.02 * sums), pending=np.full(sums.shape, 0.3),
    )  # fmt: skip


def test_late_arrivals_by_month_of_death(months, truth):
    release = seen(months, LATE)
    assert str(release.last_month) == "2019-12"
    donor = donor_of(release, truth)
    found = donor.late * truth.cut(release.last_month).monthly[:, ::-1][:, : module.BACK]
    np.testing.assert_allclose(found[:2, : LATE.size], np.tile(LATE, (2, 1)), atol=1e-9)
    np.testing.assert_allclose(found[:, LATE.size :], 0, atol=1e-9)
    assert (found[2] == 0).all()
    assert donor.age == (dt.date(2020, 4, 15) - dt.date(2019, 12, 31)).days
    assert (donor.era, donor.final_back) == ("4.5", 12)
    assert donor.last_month == release.last_month
    assert donor.ratio[0, 0] == release.predicted[0, -1] / release.reported[0, -1]
    assert (donor.pending == 0.3).all()
    assert np.isnan(donor.complete).all()
    assert np.isnan(donor.deaths).all()  # no deaths of all causes beside it
    again = truth.delayed(release.last_month, donor)
    assert np.array_equal(again.reported, release.reported)
    assert np.array_equal(again.predicted[:, -24:], release.predicted[:, -24:])
    assert (again.as_of, again.final_through) == (release.release, release.final_through)


@pytest.mark.parametrize("where", [0, 22, 24, 30, 35])
def test_restated_old_years_do_not_come_back_every_twelve_months(months, truth, where):
    """Neither of before the recursion starts, nor of its first year (months 24 to 35)."""
    release = seen(months, LATE, restated=where)
    again = truth.delayed(release.last_month, donor_of(release, truth))
    assert np.abs(again.reported - release.reported)[:, -13:].max() <= 1


def test_a_missing_count_inside_is_taken_to_lack_what_its_neighbors_lack(months, truth):
    release = seen(months, LATE)
    for back, gap, places in ((-15, 3, PLACES), (-1, 0, ("OH", "WY"))):
        holed = np.array(release.reported)
        holed[1, back] = np.nan  # without its last count a place is left out
        donor = donor_of(replace(release, reported=holed, low=None, high=None), truth)
        assert (donor.locations, np.isfinite(donor.late).all()) == (places, True)
        again = truth.delayed(release.last_month, donor).select(places)
        rows = [release.index(place) for place in places]
        assert np.abs(again.reported - release.reported[rows])[:, -13:].max() <= gap


def test_more_late_than_there_are_deaths_goes_to_the_month_before():
    table = np.zeros((3, 40))
    table[:, -1], table[:, -3] = [0, 0, 7], [0, 0, -9]
    shares = module._shares(table, np.full((3, 40), 6.0))
    first, last = (7 - module.MOST * 6) / 6, (-9 - module.LEAST * 6) / 6
    assert shares[2, :4] == pytest.approx([module.MOST, first, module.LEAST, last])
    assert (shares[:2] == 0).all()
    assert (shares * 6.0).sum() == pytest.approx(-2)


def test_what_is_no_donor(months, truth):
    release, one = seen(months, LATE), shipped()[0]
    for ask, error, words in (
        (lambda: donor_of(release, replace(truth, release=dt.date(2020, 11, 15))), DataError,
         "has not settled"),
        (lambda: replace(one, deaths=np.ones(3)), PanelError, "deaths has shape"),
        (lambda: replace(one, deaths=np.zeros(len(one.locations))), PanelError, "above 0"),
    ):  # fmt: skip
        with pytest.raises(error, match=words):
            ask()
    assert replace(one, deaths=one.deaths * 2).data_hash != one.data_hash
    found, left_out = gathered(od.bundled())
    assert found == donors(od.bundled()) == ()
    assert set(left_out) == {dt.date(2025, 9, 17), dt.date(2026, 1, 14)}
    assert "has not settled" in left_out[dt.date(2025, 9, 17)]
    assert "is the truth" in left_out[dt.date(2026, 1, 14)]


def test_written_and_read_again(months, truth, tool):
    made = donor_of(seen(months, LATE), truth)
    made = replace(made, deaths=np.array([30.0, np.nan, 28.5]))
    (again,) = module.parsed(tool.written([made], ["a line"]))
    assert (again.release, again.locations) == (made.release, made.locations)
    for name in ("late", "ratio", "pending", "complete", "deaths"):
        np.testing.assert_allclose(getattr(again, name), getattr(made, name), rtol=6e-5)


def test_the_shipped_donors():
    found = shipped()
    assert len(found) == 17
    early = [str(d.release) for d in found if d.era == "4.5"]
    assert early == ["2022-10-12", "2024-04-17", "2024-12-11"]
    assert all(d.locations == ("US", *JURISDICTIONS) for d in found)
    assert all(d.late.shape == (53, module.BACK) for d in found)
    assert sum(bool(d.predecessors) for d in found) == 9
    data = (resources.files("odforecast.vintage") / "bundled" / module.SHIPPED).read_bytes()
    assert len(data) < 500_000
    assert data[4:8] == bytes(4), "a time in the file: the same table has other bytes"
    about = gzip.decompress(data).decode().split("release,age")[0]
    assert "Truth: reported in release 2026-01-14" in about
    assert all(f"{each.release} " in about for each in found)
    # Of releases before it, a donor takes those of a quarter and no more.
    first = replace(found[0], predecessors=())
    days = [dt.date(2020, m, 12) for m in (1, 2, 4, 5)]
    chain = linked([replace(first, release=d) for d in reversed(days)])
    assert [[p.release.month for p in d.predecessors] for d in chain] == [[], [1], [1, 2], [2, 4]]


@pytest.mark.parametrize("moved", [0, 5])  # under another date it is no second one
def test_the_archives_own_copy_of_a_release_comes_first(monkeypatch, moved):
    theirs = shipped()[3]
    day = theirs.release + dt.timedelta(days=moved)
    half, age = theirs.late / 2, theirs.age + moved
    mine = replace(theirs, predecessors=(), late=half, release=day, age=age)
    extra = replace(mine, release=dt.date(2019, 12, 11), age=theirs.age)
    monkeypatch.setattr(module, "donors", lambda _: (mine, extra))
    found = {d.last_month: d for d in available(od.bundled())}
    assert len(available(od.bundled())) == len(found) == 18
    assert np.array_equal(found[mine.last_month].late, mine.late)
    assert found[extra.last_month].release == extra.release
    assert len(available()) == 17


@pytest.fixture(scope="session")
def tool():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        import donors

        yield donors


@pytest.fixture(scope="session")
def whole(real) -> od.Archive:
    tables = {day: real.release(day) for day in real.releases()}
    kept = {d: t for d, t in tables.items() if set(JURISDICTIONS) <= set(t["state"])}
    return od.Archive.in_memory(kept).above(od.bundled())


@pytest.mark.slow
def test_the_shipped_table_is_as_made_again(whole, tool):
    text, left_out = tool.made(whole)
    assert gzip.decompress(tool.TABLE.read_bytes()).decode() == text
    assert "not settled" in left_out["2025-07-16"]
    assert set(left_out) == {"2025-07-16", "2025-09-17", "2026-01-14"}


@pytest.mark.slow
@pytest.mark.parametrize("donor", shipped(), ids=lambda d: str(d.release))
def test_a_real_release_as_its_own_donor_gives_its_counts_back(whole, donor):
    """To the death, but for one release with months of a single death: two."""
    release = whole.as_of(donor.release).panel()
    again = whole.as_of().panel().delayed(release.last_month, donor).select(donor.locations)
    rows = [release.index(s) for s in again.locations]
    allowed = 2 if str(donor.release) == "2018-11-14" else 0
    for back in range(24):
        gap = np.abs(again.reported[:, -1 - back] - release.reported[rows, -1 - back])
        assert np.nanmax(gap) <= allowed, back
    assert (again.as_of, again.final_through) == (release.release, release.final_through)
    for name in ("predicted", "pending", "complete"):
        mine, theirs = (getattr(p, name)[:, -module.BACK :] for p in (again, release))
        assert np.allclose(mine, theirs[rows], rtol=1e-4, atol=1 + allowed, equal_nan=True)
    assert np.abs(again.all_deaths / release.all_deaths[rows] - 1).max() < 1e-4
    if donor.predecessors:
        assert again.triangle is not None
        assert release.triangle is not None
        for day, table in zip(again.triangle.releases, again.triangle.reported, strict=True):
            theirs = release.triangle.reported[release.triangle.releases.index(day)][rows]
            gap = np.abs(table[:, -25:-1] - theirs[:, -25:-1])
            assert np.nanmax(gap) <= 2
            assert np.isnan(table[:, -1]).all()
