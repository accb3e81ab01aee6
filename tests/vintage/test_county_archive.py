"""Releases of counties in an archive: kept like those of the states, and never in their way."""

import datetime as dt
import shutil
from collections import Counter
from functools import cache

import numpy as np
import pandas as pd
import pytest
from county_release import DEATHS, county_cells, csv_text
from hypothesis import given, settings
from hypothesis import strategies as st

import odforecast as od
from odforecast.errors import ArchiveError, DataError, PanelError, QuarantineError, UnknownNameError
from odforecast.names import COUNTIES, RESIDENCE, STATES
from odforecast.sources.county import read_county
from odforecast.vintage.quality import contradictions
from odforecast.vintage.revisions import revisions

DAYS = ("2025-03-09", "2025-06-08", "2025-09-07")
BUNDLED = "2025-09-17"


@cache
def states_alone():
    return od.Archive.in_memory({BUNDLED: od.bundled().release(BUNDLED)})


def write(folder, day, rows=None, months=21, shift=0):
    folder.mkdir(parents=True, exist_ok=True)
    rows = county_cells(day, months, shift) if rows is None else rows
    path = folder / f"{day}.csv"
    path.write_text(csv_text(rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return [write(folder, day, months=18 + 3 * i, shift=i) for i, day in enumerate(DAYS)]


@pytest.fixture(scope="module")
def made(files, tmp_path_factory):
    own = od.Archive(tmp_path_factory.mktemp("made") / "archive")
    assert all(own.add(file) for file in reversed(files))
    return own.path


@pytest.fixture
def archive(made, tmp_path):
    return od.Archive(shutil.copytree(made, tmp_path / "archive")).above(states_alone())


def test_a_file_goes_where_its_columns_say(archive, files, tmp_path):
    assert [str(d) for d in archive.releases("counties")] == list(DAYS)
    assert [str(d) for d in archive.releases()] == [BUNDLED]
    names = sorted(p.name.split(".")[0] for p in (tmp_path / "archive/dataset=counties").iterdir())
    assert names == [f"release={day}" for day in DAYS]
    table = archive.release(DAYS[1], dataset="counties")
    pd.testing.assert_frame_equal(table, read_county(files[1]).table)
    assert archive.origin(DAYS[1], "counties").file == f"{DAYS[1]}.csv"
    assert len(archive.origin(DAYS[1], "counties").sha256) == 64
    assert set(archive.log["dataset"]) == {STATES, COUNTIES}
    assert f"of counties: 3 releases, {DAYS[0]} to {DAYS[-1]}" in repr(archive)
    frame = archive.to_frame().astype(str)
    assert frame["dataset"].tolist() == [STATES, *[COUNTIES] * 3]
    assert frame["last_month"].tolist() == ["2025-04-01", "2024-09-01", "2024-12-01", "2025-03-01"]
    assert frame["rows"].tolist()[1:] == ["126", "147", "168"]
    held = {day: archive.release(day, dataset="counties") for day in DAYS}
    memory = od.Archive.in_memory({BUNDLED: states_alone().as_of().table}, held)
    assert memory.content_hash == archive.content_hash


def test_counties_newer_than_the_states_have_a_day_of_their_own(archive, tmp_path):
    """Origins of counties raised: the states' last day is before this release."""
    assert archive.add(write(tmp_path, "2025-12-07", months=27, shift=3))
    assert archive.as_of().as_of == archive.as_of().date == dt.date(2025, 9, 17)
    assert archive.as_of().release("counties") == dt.date(2025, 9, 7)
    newest = archive.as_of(dataset="counties")
    assert (newest.as_of, newest.date) == (dt.date(2025, 12, 7), dt.date(2025, 9, 17))
    found = od.origins(archive, dataset="counties")
    assert {str(o.panel.release) for o in found} == {"2025-12-07"}
    assert [str(o.panel.last_month) for o in found] == ["2024-09", "2024-12"]
    one, two = (v.panel(dataset="counties") for v in (archive.as_of("2025-12-07"), newest))
    assert one.data_hash == two.data_hash
    newer = {"2025-12-07": archive.release("2025-12-07", dataset="counties")}
    alone = od.Archive.in_memory({BUNDLED: od.bundled().release(BUNDLED)}, newer)
    assert {str(o.panel.release) for o in od.origins(alone, dataset="counties")} == {"2025-12-07"}
    with pytest.raises(ArchiveError, match=r"the first is 2025-12-07; archive.as_of\(dataset="):
        alone.as_of().panel(dataset="counties")


@pytest.mark.parametrize(
    ("county", "count", "said"),
    [
        ("Autauga", "440", "01001 2023-06.*440; a month before it is 15, and a sum over 12 months"),
        ("Bibb", "160", "01007 2023-06.*160; a month before it is 1 to 9"),
        ("New Castle", "24", "10003 2023-06.*24; a month before it is 241"),
    ],
)
def test_a_release_that_contradicts_itself_is_stored_apart(tmp_path, county, count, said):
    rows = county_cells(DAYS[0], 18)
    row = next(r for r in rows if r["COUNTYNAME"] == county and r["Month"] == "6")
    row[DEATHS], row["Footnote"] = count, ""
    store = od.Archive(tmp_path / "archive")
    with pytest.raises(QuarantineError, match=f"release {DAYS[0]} of counties contradicts itself "
                       f"and was set aside: {said}"):  # fmt: skip
        store.add(write(tmp_path, DAYS[0], rows))
    assert store.releases("counties") == ()
    assert list(store.quarantined()["dataset"]) == [COUNTIES]
    store.accept(DAYS[0], "CDC published it so", "counties")
    panel = store.above(states_alone()).as_of().panel(dataset="counties")
    assert f"release {DAYS[0]} of counties was accepted: CDC published it so" in panel.notes


def changed(folder, day, deaths):
    rows = county_cells(day)
    for row in rows:
        new = deaths(row) if callable(deaths) else deaths.get(row["COUNTYNAME"])
        row[DEATHS] = row[DEATHS] if new is None else new
    return write(folder, day, rows)


def a_lost_thousand(row):
    """Beside 990 a count that is lost may well be 1,000."""
    if row["COUNTYNAME"] == "New Castle":
        return "" if row["Month"] == "6" else "990"
    return {"Kent": "999"}.get(row["COUNTYNAME"])


@pytest.mark.parametrize(
    ("deaths", "beside", "places", "months", "words"),
    [
        ({"New Castle": "950"}, "states", {"10003"}, 24, "its state has"),
        # Each of them within the state's, together not.
        (dict.fromkeys(["Kent", "New Castle", "Sussex"], "400"), "states", {"DE"}, 24,
         "at least so many in its counties, and"),
        ({"Sussex": "20"}, "before", {"10005"}, 18, "20; the release before said 95"),
        ({"Kent": "999", "New Castle": ""}, "before", {"10001", "10003"}, 18,
         "1,000 or more; the release before said 240"),
        # Records that were late may all arrive at once, in the last year.
        ({"Sussex": "280"}, "before", {"10005"}, 6, "280; the release before said 95"),
        (a_lost_thousand, "", set(), 0, ""),
    ],
)  # fmt: skip
def test_only_another_table_shows_it(tmp_path, files, deaths, beside, places, months, words):
    table = read_county(changed(tmp_path / "b", "2025-09-07", deaths)).table
    others = {"before": read_county(files[0]).table, "states": states_alone().as_of().table}
    assert contradictions(table) == []
    found = contradictions(table, *(others[x] if x == beside else None for x in others))
    assert Counter(c.location for c in found) == dict.fromkeys(places, months)
    assert all(c.month <= "2023-09" for c in found) or months != 6
    assert not places or any(words in str(c) for c in found)


def test_the_states_of_the_day_are_asked_when_counties_are_added(tmp_path):
    file = changed(tmp_path, "2025-09-17", {"New Castle": "950"})
    with pytest.raises(QuarantineError, match=r"10003 2023-04.*its state has"):
        od.Archive(tmp_path / "a").above(states_alone()).add(file)
    assert od.Archive(tmp_path / "b").add(file)  # nothing to compare with


def test_the_panel_of_counties(archive):
    panel = archive.as_of().panel(dataset="counties")
    assert (panel.dataset, panel.basis, panel.vintage) == (COUNTIES, RESIDENCE, "real")
    assert (panel.as_of, panel.release) == (dt.date(2025, 9, 17), dt.date(2025, 9, 7))
    assert panel.locations == ("01001", "01007", "01011", "10001", "10003", "10005", "51005")
    assert (str(panel.months[0]), str(panel.last_month)) == ("2023-04", "2025-03")
    assert panel.reported[3, :3].tolist() == [72, 73, 74]
    bibb = panel.index("01007")
    assert panel.hidden[bibb].all()
    assert (panel.low[bibb, 0], panel.high[bibb, 0]) == (1, 9)
    assert (panel.reported[panel.index("01011"), 0], panel.urban["51005"]) == (0, "6")
    (note,) = panel.notes  # the made-up release is of three states, two of them in part
    assert note.startswith("release 2025-09-07 has no rows for 3,135 counties (64 of 67 of Alabama")
    states = panel.beside["states"]
    # What the states' release of that day says of newer months is known, and used.
    whole = states_alone().as_of().panel()
    assert states.last_month == whole.last_month > panel.last_month
    assert states.data_hash == whole.data_hash
    triangle = panel.triangle
    assert [str(d) for d in triangle.releases] == list(DAYS[:2])
    assert triangle.reported[0, 3, :3].tolist() == [70, 71, 72]
    assert np.isnan(triangle.reported[0, 3, 18:]).all()
    assert np.isnan(triangle.reported[:, bibb]).all()


def early():
    table, day = od.bundled().release(BUNDLED), "2025-02-01"
    return od.Archive.in_memory({day: table[table["month"] < "2024-10-01"].assign(
        release=pd.Timestamp(day))})  # fmt: skip


def test_a_panel_as_it_was_known(archive, tmp_path):
    both = archive.above(early())
    panel = both.as_of("2025-07-01").panel(dataset="counties")
    assert (str(panel.release), str(panel.beside["states"].release)) == (DAYS[1], "2025-02-01")
    assert panel.beside["states"].as_of == panel.as_of == dt.date(2025, 7, 1)
    assert both.as_of("2025-07-01").release("counties") == dt.date(2025, 6, 8)
    (old,) = both.as_of("2026-02-01").panel(dataset="counties").notes[:-1]
    assert old.startswith("release 2025-09-07 of counties was 147 days old on 2026-02-01; CDC pub")


def test_a_release_that_was_cut_off_at_the_end_of_a_line_is_seen(tmp_path, archive):
    """Nothing but the rows it lacks shows that the counties of a state do not add up."""
    rows = county_cells("2025-12-07", 24, shift=1)
    cut = [row for row in rows if row["COUNTYNAME"] not in ("New Castle", "Sussex")]
    loaded = read_county(write(tmp_path, "2025-12-07", cut))
    assert "2 of 3 of Delaware" in " ".join(loaded.notes)
    with pytest.raises(QuarantineError, match="no rows of it, as 2 of 3 counties of Delaware"):
        archive.add(loaded)
    assert archive.add(loaded, accept="CDC did so")
    notes = archive.as_of("2025-12-07").panel(dataset="counties").notes
    assert any("2 of 3 of Delaware" in n for n in notes)
    last = ("Sussex", "2025", "3")
    short = [r for r in rows if (r["COUNTYNAME"], r["Year"], r["Month"]) != last]
    said = " ".join(read_county(write(tmp_path, "2025-12-07", short)).notes)
    assert "no rows for Sussex County, Delaware in months that others have" in said


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda _: states_alone().as_of().panel(dataset="counties"), ArchiveError,
         "holds no release of counties; odforecast data fetch --dataset counties, or odforecast"),
        (lambda a: a.above(early()).as_of("2025-02-01").panel(dataset="counties"), ArchiveError,
         "of counties of 2025-02-01 or before: the first is "),
        (lambda a: a.as_of("2025-07-01"), ArchiveError, "nothing was known on 2025-07-01"),
        (lambda a: a.as_of().panel("T40.4", dataset="counties"), PanelError,
         "counties have no counts of .*T40.4"),
        (lambda a: a.as_of().panel(dataset="county"), ArchiveError, "unknown data set 'county'"),
        (lambda a: a.releases("county"), ArchiveError, "did you mean 'counties'"),
        (lambda a: a.release("2020-01-01", dataset="counties"), ArchiveError,
         "holds no release 2020-01-01 of counties"),
        (lambda a: a.as_of().to_frame(dataset="counties", locations="39035"), PanelError,
         f"release {DAYS[-1]} has no 39035"),
        (lambda a: od.Archive.in_memory({}, {"2025-01-01": a.release(DAYS[0], dataset="counties")}),
         ArchiveError, "filed under 2025-01-01 says that it is rel"),
        (lambda a: revisions(a, ["US", "10003"]), UnknownNameError, "have releases of their own"),
        (lambda a: revisions(a, "10003", "T40.4"), UnknownNameError, "have releases of their own"),
        (lambda _: revisions(states_alone(), "10003"), ArchiveError, "no release has a reported"),
    ],
)  # fmt: skip
def test_what_there_is_none_of(archive, ask, error, words):
    with pytest.raises(error, match=words):
        ask(archive)


def test_counties_go_with_the_states(archive, tmp_path, files):
    with pytest.raises(DataError, match="has counts by county, which go with the states' counts"):
        od.read(files[0])
    own = od.archive(tmp_path / "archive")  # counties alone
    with pytest.raises(ArchiveError, match="no release of the states, which those of counties go"):
        own.as_of()
    assert "no release of the states yet" in repr(own)


def test_how_counts_of_a_county_were_revised(archive):
    seen = archive.as_of().revisions("New Castle, Delaware")
    assert [str(d) for d in seen.releases] == list(DAYS)
    assert (seen.locations, seen.reported[:, 0, 0].tolist()) == (("10003",), [240, 241, 242])
    assert seen.reported.shape == (3, 1, 24)
    assert seen.hashes == tuple(archive.data_hash(day, "counties") for day in DAYS)
    assert len(revisions(archive, ["10003", "39035"]).to_frame()) == 18 + 21 + 24
    table = archive.as_of().to_frame(dataset="counties", locations=["10003", "Autauga, Alabama"])
    assert (table["fips"].unique().tolist(), len(table)) == (["10003", "01001"], 48)


@pytest.mark.slow
@settings(max_examples=4)
@given(st.integers(0, 10_000), st.booleans())
def test_nothing_published_later_is_in_a_panel(tmp_path_factory, seed, drop):
    """Later releases of either data set may be anything: what was known stays bit for bit."""
    chance, states = np.random.default_rng(seed), states_alone().as_of().table
    tables = {day: states.assign(release=pd.Timestamp(day)) for day in ("2025-05-14", "2025-06-18")}
    folder = tmp_path_factory.mktemp("leak")

    def seen(scrambled):
        own = od.Archive(folder / f"{scrambled}")
        for i, day in enumerate(DAYS[:2]):
            own.add(write(folder, day, months=18 + 3 * i))
        if scrambled and drop:
            held = {"2025-05-14": tables["2025-05-14"]}
            return own.above(od.Archive.in_memory(held)).as_of("2025-06-10").panel(dataset=COUNTIES)
        later, rows = tables["2025-06-18"].copy(), county_cells(DAYS[2])
        if scrambled:
            new = chance.integers(0, 9999, len(later))
            later["reported"] = later["reported"].mask(later["reported"].notna(), new)
            for row in rows:
                row[DEATHS], row["Footnote"] = str(chance.integers(10, 900)), ""
            for one, two in zip(rows[-48:-24], rows[-24:]):
                two[DEATHS] = one[DEATHS]  # the county that is listed twice
        own.add(write(folder, DAYS[2], rows), accept="whatever it is")
        held = tables | {"2025-06-18": later}
        return own.above(od.Archive.in_memory(held)).as_of("2025-06-10").panel(dataset=COUNTIES)

    one, other = seen(False), seen(True)
    assert (one.data_hash, one.notes) == (other.data_hash, other.notes)
    for name in ("reported", "low", "high", "pending"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
    assert one.beside["states"].data_hash == other.beside["states"].data_hash
    assert one.triangle.reported.tobytes() == other.triangle.reported.tobytes()
