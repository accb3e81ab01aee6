"""Past releases from public copies, against a server on this machine that misbehaves on request."""

import csv
import datetime as dt
import gzip
import hashlib
import re
from collections import deque
from pathlib import Path

import pytest
from county_release import county_cells, csv_text
from past_server import FileServer, Made, address, release_csv, row

import odforecast as od
from odforecast.errors import ArchiveError, DataError, DownloadError
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage import ledger, past
from odforecast.vintage.past import RawFiles, compare, fetch_past, missing, read_copies, states

DAY, LAST = "2024-12-11", "2024-07"
CONTENT = release_csv(LAST)
WRONG = CONTENT.replace(b"WV", b"WY", 1)
PAGE = b"<html><title>Moved</title></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
CUT = CONTENT.rstrip(b"\n")
PACKED = gzip.compress(CONTENT, mtime=0)
ELSEWHERE = release_csv("2024-08")
COUNTIES = csv_text(county_cells("2024-10-06", 15)).encode()
ODD = "my data/Counts (1) [copy] #2 100%?.csv"
TODAY = dt.date.today().replace(day=1) - dt.timedelta(days=1)


def later(**words) -> tuple[dict[str, str], bytes]:
    content = release_csv("2024-08")
    return row("2025-01-15", "2024-08", content, owner="b", **words), content


def copies_of(*owners: str, content: bytes = CONTENT) -> Made:
    return Made.of(*((row(DAY, LAST, content, owner=owner), content) for owner in owners))


class Run:
    """Fetches a made-up list into an archive, and keeps what was said and asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: dict[str, deque[str]] = {}
        self.asked: list[str] = []

    @property
    def archive(self) -> od.Archive:
        return od.Archive(self.folder / "archive")

    @property
    def kept(self) -> list[Path]:
        return sorted((self.folder / "archive" / "downloads" / "past").glob("*/*"))

    @property
    def contents(self) -> list[bytes]:
        read = [(f, f.read_bytes()) for f in self.kept]
        return [gzip.decompress(x) if f.name.endswith(".whole.gz") else x for f, x in read]

    def __call__(self, made: Made, **options):
        copies = read_copies(made.write(self.folder / "copies.csv"))
        with FileServer(made.files) as server:
            server.faults.update(self.faults)
            client = {"timeout": 5, "sleep": lambda _: None} | options.pop("client", {})
            with RawFiles(server.url, **client) as one:
                try:
                    return fetch_past(self.archive, one, copies=copies, **options)
                finally:
                    self.asked = list(server.log)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


@pytest.mark.parametrize(
    ("there", "listed", "about", "status", "says", "kept"),
    [
        *((CONTENT, CONTENT, {"check": check}, "added",
           f"added, 180 rows to 2024-07; date: inferred; checked: {says}structure", True)
          for check, says in (("sha256", "sha256, "), ("git blob", "git blob, "), ("", ""))),
        (WRONG, CONTENT, {}, "refused", "bytes with the SHA-256 ", False),
        (WRONG, CONTENT, {"check": "git blob"}, "refused", "the git blob hash ", False),
        (PAGE, PAGE, {"check": ""}, "refused", "a web page or XML (Moved), not data", False),
        # What its hash vouches for is kept for a reader that understands it.
        (PAGE, PAGE, {}, "refused", "a web page or XML (Moved), not data", True),
        (POINTER, POINTER, {}, "refused", "pointer to large-file storage (git LFS)", False),
        (CUT, CUT, {"check": ""}, "refused", "the last line has no line end", False),
        (CUT, CUT, {"check": "git blob"}, "added", "added", True),  # its hash proves it whole
        (PACKED, PACKED, {"path": "counts.csv.gz"}, "added", "added", True),
        (CONTENT, CONTENT, {"path": ODD}, "added", "added", True),
        (ELSEWHERE, ELSEWHERE, {}, "refused", "ends in 2024-08, and the list says 2024-07", True),
        (COUNTIES, COUNTIES, {"settled": False}, "refused", "counts of counties, and states", True),
    ],
)  # fmt: skip
def test_what_becomes_of_a_copy(run: Run, there, listed, about, status, says, kept) -> None:
    one = row(DAY, LAST, listed, **about)
    done, added = run(Made.of((one, there), later()))
    assert (done.status, added.status) == (status, "added")
    assert says in done.words
    assert (there in run.contents, len(run.kept)) == (kept, 1 + kept)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", file.name) for file in run.kept)
    if status == "refused":
        assert [str(d) for d in run.archive.releases()] == ["2025-01-15"]
        assert missing((done, added)) == (dt.date(2024, 12, 11),)
        return
    origin, copy = run.archive.origin(DAY), read_copies(run.folder / "copies.csv")[0]
    assert (origin.kind, origin.basis) == ("past", "inferred")
    assert origin.checks == ", ".join(filter(None, (copy.check, "structure")))
    assert origin.place == copy.place == f"someone/drugs@{copy.commit}:{one['path']}"
    sha256 = hashlib.sha256(there).hexdigest()
    assert (origin.file, origin.sha256) == (Path(one["path"]).name, sha256)
    assert run.archive.log["place"].iloc[0] == copy.place
    file = run.folder / f"{DAY}.csv"
    file.write_bytes(CONTENT)
    assert run.archive.release(DAY).equals(read_vsrr(file).table)
    assert states(run.archive, read_copies(run.folder / "copies.csv")) == ["there", "there"]


@pytest.mark.parametrize("fault", ["404", "403", "elsewhere", "drop", "503", "endless", "stall"])
def test_a_vanished_copy_is_a_warning_and_the_next_one_is_tried(run: Run, fault: str) -> None:
    made = copies_of("someone", "b")
    first, second = map(address, made.rows)
    run.faults = {first: deque([fault] * 2)}
    client = {"attempts": 2, "most_bytes": 1_000_000, "timeout": 0.1 if fault == "stall" else 5}
    gone, added = run(made, client=client)
    assert (gone.status, added.status) == ("gone", "added")
    assert str(gone).startswith(f"{DAY}: someone/drugs: counts.csv: not available: 127.0.0.1:")
    assert "\n" not in gone.words
    assert run.archive.origin(DAY).place.startswith("b/drugs@")
    assert missing((gone, added)) == ()
    assert len(run.kept) == 1
    assert fault != "elsewhere" or run.asked == [first, second]


def test_what_was_downloaded_is_kept_whole_and_not_downloaded_again(run: Run) -> None:
    first, second = row(DAY, LAST, CONTENT, check=""), later(check="")
    made, here, there = Made.of((first, CONTENT), second), address(first), address(second[0])
    run.faults = {here: deque(["cut"]), there: deque(["cut"] * 3)}
    added, gone = run(made)
    assert (added.status, gone.status) == ("added", "gone")
    assert "3 attempts" in gone.words
    assert run.contents == [CONTENT]
    run.faults = {}
    for asked, statuses in (([there], ["there", "added"]), ([], ["there", "there"])):
        assert [o.status for o in run(made)] == statuses
        assert run.asked == asked


def test_a_run_that_was_stopped_goes_on(run: Run) -> None:
    made, seen = copies_of("someone", "b"), []

    def stop(here: int, total: int) -> None:
        seen.append((here, total))
        if here == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(made, progress=stop)
    assert run.asked == [address(made.rows[0])]
    run(made, progress=lambda *n: seen.append(n))
    assert run.asked == [address(made.rows[1])]
    assert seen == [(0, 2), (1, 2), (0, 2), (1, 2), (2, 2)]
    # Kept bytes serve another ledger of the same folder, unless they were damaged meanwhile.
    (run.folder / "archive" / ledger.LEDGER).unlink()
    for file in (run.folder / "archive" / "dataset=states").iterdir():
        file.unlink()
    run.kept[0].write_bytes(run.kept[0].read_bytes()[:-40])
    assert sorted(o.status for o in run(made)) == ["added", "equal"]
    assert len(run.asked) == 1


def test_a_server_that_never_answers_is_left(run: Run) -> None:
    made = copies_of(*(f"o{i}" for i in range(9)))
    run.faults = {address(one): deque(["drop"] * 3) for one in made.rows}
    with pytest.raises(DownloadError, match="does not answer, 3 copies were asked for; check"):
        run(made)
    assert len(run.asked) == 9  # three copies, three attempts


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (1, "equal", "second copy of release 2024-12-11, all 180 reported counts equal"),
        (1.02, "differs", "2 of 180 reported counts differ, e.g. WV 2024-07, Number of Drug Over"),
    ],
)
def test_of_two_copies_the_first_is_kept(run: Run, change: float, status: str, words: str) -> None:
    other = release_csv(LAST, change=change) + b"\n"
    two = ((row(DAY, LAST, CONTENT), CONTENT), (row(DAY, LAST, other, owner="b"), other))
    first, second = run(Made.of(*two))
    assert (first.status, second.status) == ("added", status)
    assert words in second.words
    assert run.archive.origin(DAY).place.startswith("someone/")
    assert len(run.archive.log) == 1  # nothing merged
    assert missing((first, second)) == ()
    table = run.archive.release(DAY)
    found = compare(table, table[table["state"] != "YC"])  # a blank differs from a count
    assert found[:2] == (180, 60)
    assert found[2].endswith(" and blank")


@pytest.mark.parametrize("order", [1, -1])
def test_a_guessed_date_is_settled_by_the_last_month(run: Run, order: int) -> None:
    # Listed as the release before, and as one after, both of which nobody has.
    pairs = [
        (row("2024-11-13", "2024-06", CONTENT, owner="a", settled=False), CONTENT),
        (row("2024-12-11", "2024-07", b"x", owner="b"), None),
        (row("2025-01-15", "2024-08", CONTENT, owner="c", settled=False), CONTENT),
    ]
    done = {o.copy.repository[0]: o for o in run(Made.of(*pairs[::order]))}
    assert {k: o.status for k, o in done.items()} == {"a": "added", "b": "gone", "c": "equal"}
    assert "(listed as 2024-11-13, by its last month)" in done["a"].words
    assert [str(d) for d in run.archive.releases()] == ["2024-12-11"]
    assert run.archive.origin("2024-12-11").basis == "last month"


@pytest.mark.parametrize(
    ("listed", "last", "basis", "status", "date", "found"),
    [
        (DAY, LAST, "inferred", "added", DAY, "last month"),  # a guess that was right
        ("2024-12-12", LAST, "known", "added", "2024-12-12", "known"),
        # Seven months until 2022, by CDC's calendar: no other copy says so.
        ("2020-02-12", "2020-03", "inferred", "added", "2020-10-15", "last month"),
    ],
)
def test_how_dates_are_known(run: Run, listed, last, basis, status, date, found) -> None:
    guess = "2019-07" if last == "2020-03" else last
    content = release_csv(last)
    (done,) = run(Made.of((row(listed, guess, content, settled=False, basis=basis), content)))
    assert (done.status, str(done.release)) == (status, date)
    assert run.archive.origin(date).basis == found
    near = row("2020-10-14" if last == "2020-03" else "2024-12-13", last, content, owner="b")
    (done,) = run(Made.of((near, content)))
    assert (done.status, len(run.archive.releases())) == ("equal", 1)
    assert done.words.startswith(f"second copy of release {date}, all")


def claimed():
    table = od.bundled().as_of("2025-09-17").table.assign(release="2025-12-30")
    return table.assign(month=table["month"].dt.strftime("%Y-%m")).to_csv(index=False).encode()


def unpublished():
    content = release_csv(f"2024-{TODAY:%m}")
    for year in (2024, 2023, 2022, 2021):  # as if time had gone on
        content = content.replace(b",%d," % year, b",%d," % (year + TODAY.year - 2024))
    return content


@pytest.mark.parametrize(
    ("listed", "last", "content", "says"),
    [
        ("2025-10-15", "2025-02", claimed, "its release column says 2025-12-30"),
        (DAY, LAST, unpublished, f"ends in {TODAY:%Y-%m}, which CDC publishes about "),
    ],
)
def test_what_a_copy_says_of_its_date_is_not_believed(run, listed, last, content, says):
    (done,) = run(Made.of((row(listed, last, content(), settled=False), content())))
    assert (done.status, run.archive.releases()) == ("refused", ())
    assert says in done.words


def test_a_release_that_contradicts_itself_lies_apart(run: Run) -> None:
    wrong = release_csv(LAST, change=10)
    made = Made.of((row(DAY, LAST, wrong), wrong), later())
    apart, added = run(made)
    assert (apart.status, added.status) == ("quarantined", "added")
    assert "contradicts itself and was set aside: WV 2024-07" in apart.words
    assert "\n" not in apart.words
    assert missing((apart, added)) == (dt.date(2024, 12, 11),)
    assert list(run.archive.quarantined()["place"]) == [apart.copy.place]
    again, there = run(made)
    assert (again.status, there.status, run.asked) == ("quarantined", "there", [])
    assert "is quarantined, because it contradicts itself: odforecast data" in again.words
    assert list(run.archive.log["event"]) == ["quarantined", "added"]
    # Whoever accepts it is told of what it was: the bytes were checked, the structure was not.
    run.archive.accept(DAY, "CDC published it so")
    assert run.archive.origin(DAY).checks == "sha256, accepted"
    # A right copy takes the free place; the two do not mix.
    other, right = Run(run.folder / "other"), copies_of("b", "c", "d")
    other.folder.mkdir()
    del right.files[address(right.rows[2])]
    done = other(Made([made.rows[0], *right.rows], made.files | right.files))
    assert [o.status for o in done] == ["quarantined", "added", "equal", "gone"]
    assert missing(done) == ()
    copies = read_copies(other.folder / "copies.csv")
    assert states(other.archive, copies) == ["apart", "there", "kept", "-"]
    with pytest.raises(ArchiveError, match="archive is in memory; give a folder"):
        fetch_past(od.bundled(), RawFiles(), copies=copies)


def test_what_the_user_retracted_stays_so(run: Run) -> None:
    made = Made.of((row(DAY, LAST, CONTENT), CONTENT), later())
    (done,) = run(made, release=DAY)
    assert (done.status, len(run.asked)) == ("added", 1)
    run.archive.retract(DAY, "not CDC's file")
    (done,) = run(made, release=DAY)
    assert done.status == "retracted"
    assert done.words == "not used again, these figures were retracted: not CDC's file"
    assert run.archive.releases() == ()
    assert missing((done,)) == ()
    with pytest.raises(DataError, match=r"no copy of release 2024-01-01 is listed; the nearest is"):
        run(made, release="2024-01-01")


def test_the_bundled_release_does_not_keep_the_whole_one_away(run: Run, own_archive: Path) -> None:
    content = release_csv("2025-04")
    made = Made.of((row("2025-09-17", "2025-04", content, basis="known"), content))
    copies = read_copies(made.write(run.folder / "copies.csv"))
    assert od.archive().origin("2025-09-17").kind == "bundled"
    with FileServer(made.files) as server, RawFiles(server.url) as one:
        (done,) = fetch_past(own_archive, one, copies=copies)
    assert done.status == "added"
    assert od.archive().origin("2025-09-17").kind == "past"
    assert len(od.archive().release("2025-09-17")) == 180
    od.archive().retract("2025-09-17", "only three places")
    assert [str(d) for d in od.archive().releases()] == ["2026-01-14"]


def test_the_list_that_ships_is_the_shared_one_and_names_the_better_copy_first(vsrr: Path) -> None:
    ours = Path(od.__file__).parent / "vintage" / "bundled" / "past_releases.csv"
    rows = [list(csv.reader(f.read_text().splitlines())) for f in (ours, vsrr / ours.name)]
    assert rows[0][0] == rows[1][0]
    assert sorted(rows[0]) == sorted(rows[1])  # the order says which copy is tried first
    copies = past.past_copies()
    assert len({c.place for c in copies}) == 52
    first = {c.release: c for c in reversed(copies)}
    assert all((not first[c.release].check) <= (not c.check) for c in copies)
    assert first[dt.date(2019, 9, 11)].repository == "linmck/group_project_1"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"path": "../../etc/passwd"}, "copies.csv row 2: path '../../etc/passwd' is not a path"),
        ({"path": "/etc/passwd"}, "'/etc/passwd' is not a path"),
        ({"path": "a/./b"}, "'a/./b' is not a path"),
        ({"commit": "main"}, "commit 'main' is not 40 hexadecimal digits"),
        ({"repository": "a/b/../c"}, "repository 'a/b/../c' is not OWNER/NAME"),
        ({"sha256": "0f"}, "sha256 '0f' is not 64 hexadecimal digits"),
        ({"git_blob": "0f"}, "git_blob '0f' is not 40 hexadecimal digits"),
        ({"release_date": "2024-13-01"}, "'2024-13-01' is not a day such as 2024-12-11"),
        ({"last_month": "2024-13"}, "last_month '2024-13' is not a month such as 2024-07"),
        ({"release_basis": "guess"}, "'guess' is neither known nor inferred"),
        ({"contents_read": "maybe"}, "'maybe' is neither yes nor no"),
        (lambda x: [x, x], "row 3: path 'counts.csv' is there twice at that commit; leave one"),
        (lambda x: [{k: v for k, v in x.items() if k != "sha256"}],
         "copies.csv: no column sha256; it has release_date,"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_understood_is_refused(tmp_path, change, says):
    file, one = tmp_path / "copies.csv", row(DAY, LAST, b"x")
    Made(change(one) if callable(change) else [one | change], {}).write(file)
    with pytest.raises(DataError, match=re.escape(says)):
        read_copies(file)
    file.write_text(",".join(one) + "\n")
    with pytest.raises(DataError, match=r"copies.csv: a header but no rows"):
        read_copies(file)
