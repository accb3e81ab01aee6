"""An archive never tells the future, never changes a release, and survives company."""

import datetime as dt
import io
import pickle
from functools import cache

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from release_factory import cdc_cells, csv_bytes

import odforecast as od
from odforecast.cli import main
from odforecast.errors import ArchiveError, DataError, PanelError
from odforecast.names import ALL_DRUGS, COUNTIES, SYNTHETIC_OPIOIDS
from odforecast.sources.release import read_release
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage import vintage as earlier
from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import BUNDLED_RELEASE, BUNDLED_RELEASES
from odforecast.vintage.donors import gathered
from odforecast.vintage.ledger import Origin
from odforecast.vintage.revisions import revisions

METHADONE = "Methadone (T40.3)"
DAYS = ["2024-09-11", "2024-10-16", "2024-11-13", "2024-12-11"]
FILES = {
    "2025-09-17": "bundled/figures_2025-09-17.csv",
    "2026-01-14": "unread/2026-01-14.csv.gz",
    "2023-10-08": "county/2023-10-08.csv.gz",
}


def write(folder, day, first="1000"):
    cells = cdc_cells()
    cells.loc[0, "Data Value"] = first
    path = folder / f"{day}.csv"
    path.write_bytes(csv_bytes(cells))
    return path


@pytest.fixture
def files(tmp_path):
    return [write(tmp_path, day, first=str(1000 + i)) for i, day in enumerate(DAYS)]


@pytest.fixture
def archive(files, tmp_path):
    store = Archive(tmp_path / "deep" / "archive")
    for file in reversed(files):  # the order does not matter
        assert store.add(read_vsrr(file))
    return store


def stored(store, day):
    (file,) = store.path.glob(f"dataset=states/release={day}.*.parquet")
    return file


def days(store):
    return [str(day) for day in store.releases()]


def test_it_answers_with_what_was_known(archive, files):
    assert (days(archive), str(archive.last_seen)) == (DAYS, DAYS[-1])
    seen = archive.as_of("2024-11-30")
    assert (str(seen.as_of), str(seen.date)) == ("2024-11-30", "2024-11-13")
    assert seen.rows(ALL_DRUGS)["reported"][0] == 1002
    assert archive.as_of(dt.date(2024, 11, 13)).date == dt.date(2024, 11, 13)
    assert archive.as_of(dt.datetime(2024, 11, 12, 23)).date == dt.date(2024, 10, 16)
    assert archive.as_of(pd.Timestamp("2024-12-11")).note is seen.note is None
    later = archive.as_of("2025-03-01")
    assert str(later.date) == DAYS[-1]
    assert later.note == ("the newest stored release, 2024-12-11, is used for 2025-03-01")
    gap = Archive.in_memory({DAYS[i]: read_vsrr(files[i]).table for i in (0, 3)})
    assert gap.as_of("2024-10-26").note is None
    assert "46 days old" in gap.as_of("2024-10-27").note


def test_before_the_first_release(archive, tmp_path):
    with pytest.raises(ArchiveError, match=r"nothing was known on 2024-09-10: the first .*09-11"):
        archive.as_of("2024-09-10")
    with pytest.raises(DataError, match="'2024-09' is not a day"):
        archive.as_of("2024-09")
    empty = Archive(tmp_path / "nothing")
    assert (empty.releases(), empty.last_seen) == ((), None)
    for words, hint in ((r"there is no folder \S*/nothing; check the path",) * 2,
                        ("holds no release; add one", "holds no release; fill it")):  # fmt: skip
        for ask, said in ((empty.as_of, words), (lambda: od.archive(empty.path), hint)):
            with pytest.raises(ArchiveError, match=said):
                ask()
        (tmp_path / "nothing").mkdir(exist_ok=words.startswith("holds"))  # looking made nothing


@cache
def early():
    table = od.bundled().as_of("2025-09-17").table
    return table[table["month"] < "2015-03"]


@given(
    releases=st.sets(st.dates(dt.date(2024, 8, 1), dt.date(2030, 1, 1)), min_size=1, max_size=5),
    asked=st.dates(dt.date(2024, 7, 1), dt.date(2031, 1, 1)),
)
def test_never_later_than_asked(releases, asked):
    store = Archive.in_memory({d: early().assign(release=pd.Timestamp(d)) for d in releases})
    known = [d for d in releases if d <= asked]
    if not known:
        with pytest.raises(ArchiveError):
            store.as_of(asked)
        return
    seen = store.as_of(asked)
    assert seen.date == max(known)
    assert (seen.table["release"] <= pd.Timestamp(asked)).all()
    assert (seen.note is None) or seen.date == max(releases) or (asked - seen.date).days > 45


@pytest.fixture
def memory(files):
    return Archive.in_memory({d: read_vsrr(f).table for d, f in zip(DAYS, files)})


def test_disk_and_memory_agree(archive, memory, files):
    tables = {str(d): read_vsrr(f).table for d, f in zip(DAYS, files)}
    for day in DAYS:
        assert memory.as_of(day).data_hash == archive.as_of(day).data_hash
        assert_frame_equal(memory.as_of(day).table, archive.as_of(day).table)
        assert_frame_equal(archive.as_of(day).table, tables[day])
    shuffled = Archive.in_memory({d: t.sample(frac=1, random_state=1) for d, t in tables.items()})
    again = [pickle.loads(pickle.dumps(store)) for store in (archive, memory)]
    for same in (memory, shuffled, *again):
        assert same.content_hash == archive.content_hash
    assert Archive.in_memory({DAYS[0]: tables[DAYS[0]]}).content_hash != archive.content_hash
    assert memory.path is None


@pytest.mark.parametrize("where", ["archive", "memory"])
def test_a_release_never_changes(request, files, tmp_path, where):
    store = request.getfixturevalue(where)
    before = store.content_hash
    assert store.add(read_vsrr(files[1])) is False
    other = write(tmp_path, DAYS[1], first="555")
    with pytest.raises(ArchiveError, match="holds other numbers for release 2024-10-16: 27 rows"):
        store.add(read_vsrr(other))
    seen = store.as_of(DAYS[0])
    table = seen.table
    table.loc[:, "reported"] = -1.0
    again = store.as_of(DAYS[0])
    assert again.table["reported"].min() > 0
    assert again.data_hash == seen.data_hash
    given = read_vsrr(files[0]).table
    own = Archive.in_memory({DAYS[0]: given})
    given.loc[:, "reported"] = 0.0
    assert own.as_of(DAYS[0]).table["reported"].min() > 0
    assert store.content_hash == before


def test_tables_that_are_refused(files):
    table = read_vsrr(files[0]).table
    for bad, message in [
        (table.drop(columns="status"), "missing .'status'."),
        (table.assign(predicted=-1.0), "predicted is -1.0"),
        (table.assign(status="ok"), "with status 'ok'"),
        (table.assign(location="01"), "contradict"),
        (table.assign(state="ZZ"), "unknown state 'ZZ'"),
        (table.assign(indicator="x"), "unknown indicator 'x'"),
        (table.assign(release=pd.Timestamp("2024-09-12")), "says that it is release 2024-09-12"),
        (pd.concat([table, table]), "two rows for US"),
        (table.iloc[:0], "no rows"),
    ]:
        with pytest.raises(ArchiveError, match=message):
            Archive.in_memory({DAYS[0]: bad})


def test_damaged_files_are_refused(archive, files):
    file = stored(archive, DAYS[0])
    whole = file.read_bytes()
    arrow = pq.read_table(io.BytesIO(whole), partitioning=None)
    frame = arrow.to_pandas()
    count, time = frame.copy(), frame.copy()
    count.loc[0, "reported"] += 1
    time.loc[5, "month"] += np.timedelta64(1, "us")  # a low bit of a stored time

    def edited(frame):
        table = arrow.from_pandas(frame, preserve_index=False)
        pq.write_table(table.replace_schema_metadata(arrow.schema.metadata), file)

    for damage, words in (
        (lambda: file.write_bytes(whole[: len(whole) // 2]),
         r"release=2024-09-11.*parquet cannot be read"),
        (lambda: edited(count), "is not as it was written; delete it"),
        (lambda: edited(time), r"row 5: month is .*, a time within 2024-07.*; delete"),
        (lambda: frame.to_parquet(file), "cannot be read as a release"),  # somebody else's file
        (lambda: file.write_bytes(stored(archive, DAYS[1]).read_bytes()), "is not as it was writ"),
    ):  # fmt: skip
        damage()
        for asked in (None, ALL_DRUGS):
            with pytest.raises(ArchiveError, match=words):
                archive.release(DAYS[0], asked)
    file.unlink()
    assert archive.add(read_vsrr(files[0]))
    assert days(archive) == DAYS


@pytest.mark.parametrize("indicator", [ALL_DRUGS, METHADONE, SYNTHETIC_OPIOIDS])
def test_one_indicator_is_a_slice_of_the_whole(archive, indicator):
    for store, day in ((archive, DAYS[0]), (od.bundled(), "2025-09-17")):
        whole = store.as_of(day)
        expected = whole.table[whole.table["indicator"] == indicator].reset_index(drop=True)
        assert_frame_equal(store.as_of(day).rows(indicator), expected)
        assert store.release(day, "Cocaine (T40.5)").empty
        with pytest.raises(PanelError, match=r"it has: .*Number of Drug Overdose Deaths"):
            store.as_of(day).panel("cocaine")


def test_of_copies_of_one_month_one_counts_everywhere(files, tmp_path):
    """A release under two dates was two origins, two donors and two revisions."""
    store = Archive(tmp_path / "archive")
    for file, basis in zip(files, ("inferred", "known", "given", "known"), strict=True):
        store.add(read_vsrr(file), origin=Origin(basis=basis))
    one = dt.date(2024, 10, 16)
    again = "it ends in 2024-07, as release 2024-10-16 does: that one counts"
    seen = revisions(store)
    assert seen.releases == (one,)
    assert set(seen.skipped.values()) == {again}
    assert store.as_of().panel().triangle is None  # its own release under other dates is none
    found = od.origins(store, "real")
    assert [(o.as_of, o.reason) for o in found if o.panel is not None] == [(one, "")]
    assert [o.reason for o in found if o.panel is None] == [again] * 3
    assert [str(d) for d, why in gathered(store)[1].items() if why == again] == [DAYS[0], DAYS[2]]


@pytest.mark.parametrize("process", ["the same", "a fresh one"])
def test_a_lost_old_release_is_told_alike_in_every_process(archive, process):
    """It closed the newest release, but not where the old one had been read already."""
    archive.as_of().panel()
    stored(archive, DAYS[0]).unlink()
    if process == "a fresh one":
        earlier._remembered.cache_clear()
    with pytest.raises(ArchiveError, match=r"=2024-09-11\.\w+\.parquet is missing; add") as no:
        archive.as_of().panel()
    hint = no.value.hint.partition("leave it out: odforecast ")[2]
    done = CliRunner().invoke(main, hint.replace("TEXT", "lost").split())
    assert done.exit_code == 0, done.output
    assert archive.as_of().panel().triangle is None  # all of these end in the same month


def test_a_failed_write_leaves_nothing_and_foreign_files_are_left(archive, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ArchiveError, match="No space left on device; is the folder writable"):
        archive.add(read_vsrr(write(tmp_path, "2025-01-15")))
    assert days(archive) == DAYS
    names = {p.name.partition("=")[0] for p in archive.path.rglob("*") if p.is_file()}
    assert names == {"release", "ledger.jsonl"}
    (archive.path / "notes.txt").write_text("mine")
    (archive.path / ".release=2024-01-01.parquet.1.ab.tmp").write_text("left by a crash")
    assert days(archive) == DAYS
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchiveError, match="is a file, not an archive folder"):
        Archive(tmp_path / "file")


def test_what_ships_of_which_each_caller_has_its_own(vsrr):
    archive = od.bundled()
    assert tuple(map(str, archive.releases())) == BUNDLED_RELEASES == ("2025-09-17", "2026-01-14")
    assert tuple(map(str, archive.releases(COUNTIES))) == ("2023-10-08",)
    for own in (archive, od.archive()):
        assert str(own.as_of().date) == BUNDLED_RELEASE
        assert own.as_of().note is None
    assert list(archive.quarantined().index) == []
    for row in archive.to_frame().itertuples():
        assert (row.kind, row.basis) == ("bundled", "known")
    mine, theirs = od.bundled(), od.bundled()
    mine.as_of().table["reported"] = 0.0
    mine.add(read_vsrr(vsrr / "2017-12-13.csv"))
    assert len(mine.releases()) == 3
    assert len(theirs.releases()) == 2
    assert theirs.as_of().table["reported"].max() > 100_000


@pytest.mark.slow
@pytest.mark.parametrize("day", FILES)
def test_every_number_and_status_is_that_of_the_file(shared, day):
    loaded = read_release(shared / FILES[day])
    dataset = COUNTIES if "county" in FILES[day] else "states"
    archive = od.bundled()
    held = archive.release(day, None, dataset)
    pd.testing.assert_frame_equal(held, loaded.table)
    alone = od.Archive.in_memory(*[{day: held}, {}][:: 1 if dataset == "states" else -1])
    assert archive.data_hash(day, dataset) == alone.data_hash(day, dataset)
    sha256 = loaded.sha256 if dataset == COUNTIES else loaded.report.sha256
    assert archive.origin(day, dataset).sha256 == sha256
