"""Past releases from public copies, against a server on this machine that misbehaves on request."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import hashlib
import json
import os
from collections import deque
from pathlib import Path

import pytest
from past_server import FileServer, Made, address, release_csv, row

import odforecast as od
from odforecast.errors import ArchiveError, DataError, DownloadError
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage import ledger
from odforecast.vintage.ledger import Event, Origin
from odforecast.vintage.past import (
    Copy,
    RawFiles,
    compare,
    fetch_past,
    git_blob,
    missing,
    past_copies,
    read_copies,
    states,
)

DAY, LAST = "2024-12-11", "2024-07"


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def content() -> bytes:
    return release_csv(LAST)


def later(**words) -> tuple[dict[str, str], bytes]:
    """A right copy of the release after, of another owner."""
    content = release_csv("2024-08")
    return row("2025-01-15", "2024-08", content, owner="b", **words), content


class Run:
    """Fetches a made-up list into an archive, and keeps what was said and asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: dict[str, deque[str]] = {}
        self.asked: list[str] = []
        self.raw: list[str] = []

    @property
    def archive(self) -> od.Archive:
        return od.Archive(self.folder / "archive")

    @property
    def kept(self) -> list[Path]:
        return sorted((self.folder / "archive" / "downloads" / "past").glob("*/*"))

    @property
    def contents(self) -> list[bytes]:
        read = [f.read_bytes() for f in self.kept]
        return [gzip.decompress(x) if x[:2] == b"\x1f\x8b" else x for x in read]

    def __call__(self, made: Made, **options):
        copies = read_copies(made.write(self.folder / "copies.csv"))
        with FileServer(made.files) as server:
            server.faults.update(self.faults)
            client = {"timeout": 5, "sleep": lambda _: None} | options.pop("client", {})
            with RawFiles(server.url, **client) as one:
                try:
                    return fetch_past(self.archive, one, copies=copies, **options)
                finally:
                    self.asked, self.raw = list(server.log), list(server.raw)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


# The bytes


@pytest.mark.parametrize("check", ["sha256", "git blob", ""])
def test_a_copy_with_the_right_hash_is_added(run: Run, content: bytes, check: str) -> None:
    made = Made.of((row(DAY, LAST, content, check=check), content))
    (done,) = run(made)
    assert (done.status, str(done.release)) == ("added", DAY)
    checks = ", ".join(c for c in (check, "structure") if c)
    assert f"added, 180 rows to {LAST}; date: inferred; checked: {checks}" in (done.words)
    origin = run.archive.origin(DAY)
    (copy,) = read_copies(run.folder / "copies.csv")
    assert (origin.kind, origin.basis, origin.checks) == ("past", "inferred", checks)
    assert origin.place == copy.place == f"someone/drugs@{copy.commit}:counts.csv"
    assert origin.sha256 == hashlib.sha256(content).hexdigest()
    assert run.archive.log["place"].item() == copy.place
    expected = read_vsrr(_file(run.folder / f"{DAY}.csv", content)).table
    assert run.archive.release(DAY).equals(expected)
    assert run.contents == [content]


@pytest.mark.parametrize("check", ["sha256", "git blob"])
def test_a_wrong_hash_is_refused_and_the_others_go_on(run: Run, content: bytes, check: str) -> None:
    wrong = content.replace(b"WV", b"WY", 1)
    made = Made.of((row(DAY, LAST, content, check=check), wrong), later())
    refused, added = run(made)
    assert (refused.status, added.status) == ("refused", "added")
    name = {"sha256": "SHA-256", "git blob": "git blob hash"}[check]
    assert f"bytes with the {name} " in refused.words
    assert "nothing of it is used" in refused.words
    assert [str(d) for d in run.archive.releases()] == ["2025-01-15"]
    assert len(run.kept) == 1
    assert missing((refused, added)) == (dt.date(2024, 12, 11),)


def test_what_is_no_release_is_refused(run: Run, content: bytes) -> None:
    page = b"<html><title>Moved</title></html>"
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    made = Made.of(
        (row(DAY, LAST, page, check=""), page),
        (row(DAY, LAST, pointer, owner="b"), pointer),
        (row(DAY, LAST, page, owner="c"), page),
    )
    done = run(made)
    assert [o.status for o in done] == ["refused"] * 3
    assert "a web page or XML (Moved), not data" in done[0].words
    assert "a pointer to large-file storage (git LFS), not the file" in done[1].words
    assert run.archive.releases() == ()
    # What its hash vouches for is kept for a reader that understands it, the other is not.
    assert run.contents == [page]


def test_paths_with_spaces_and_brackets(run: Run, content: bytes) -> None:
    path = "my data/Counts (1) [copy] #2 100%?.csv"
    (done,) = run(Made.of((row(DAY, LAST, content, path=path), content)))
    assert done.status == "added"
    assert run.raw[0].endswith("/my%20data/Counts%20%281%29%20%5Bcopy%5D%20%232%20100%25%3F.csv")
    (file,) = run.kept
    assert file.name == "Counts_1_copy_2_100_.csv.whole.gz"
    assert run.archive.origin(DAY).file == "Counts (1) [copy] #2 100%?.csv"
    assert run.archive.origin(DAY).place.endswith(f":{path}")


@pytest.mark.parametrize(
    ("change", "path", "check", "status"),
    [
        (lambda x: x.rstrip(b"\n"), "counts.csv", "", "refused"),  # cut off, for all one knows
        (lambda x: x.rstrip(b"\n"), "counts.csv", "git blob", "added"),  # its hash proves it whole
        (gzip.compress, "counts.csv.gz", "sha256", "added"),
    ],
)
def test_a_copy_is_kept_and_hashed_as_it_lies_there(
    run: Run, content: bytes, change, path: str, check: str, status: str
) -> None:
    changed = change(content)
    (done,) = run(Made.of((row(DAY, LAST, changed, path=path, check=check), changed)))
    assert done.status == status
    if status == "refused":
        assert "the last line has no line end" in done.words
        return
    assert run.archive.source(DAY)["sha256"] == hashlib.sha256(changed).hexdigest()
    assert path == "counts.csv" or run.kept[0].read_bytes() == changed
    assert states(run.archive, read_copies(run.folder / "copies.csv")) == ["there"]


# The server


@pytest.mark.parametrize("fault", ["404", "403", "elsewhere", "drop", "503", "endless", "stall"])
def test_a_vanished_copy_is_a_warning_and_the_next_one_is_tried(
    run: Run, content: bytes, fault: str
) -> None:
    first, second = row(DAY, LAST, content), row(DAY, LAST, content, owner="b")
    made = Made.of((first, content), (second, content))
    run.faults = {address(first): deque([fault] * 2)}
    client = {"attempts": 2, "most_bytes": 1_000_000}
    client |= {"timeout": 0.1} if fault == "stall" else {}
    gone, added = run(made, client=client)
    assert (gone.status, added.status) == ("gone", "added")
    assert str(gone).startswith(f"{DAY}: someone/drugs: counts.csv: not available: 127.0.0.1:")
    assert "\n" not in gone.words
    assert run.archive.origin(DAY).place.startswith("b/drugs@")
    assert missing((gone, added)) == ()
    assert len(run.kept) == 1
    if fault == "elsewhere":
        assert run.asked == [address(first), address(second)]


def test_a_cut_connection_is_asked_again_and_nothing_half_is_kept(run: Run, content: bytes) -> None:
    first, second = row(DAY, LAST, content, check=""), later(check="")
    made = Made.of((first, content), second)
    there = address(second[0])
    run.faults = {address(first): deque(["cut"]), there: deque(["cut"] * 3)}
    added, gone = run(made)
    assert (added.status, gone.status) == ("added", "gone")
    assert "3 attempts" in gone.words
    assert run.contents == [content]
    run.faults = {}
    for asked, statuses in (([there], ["there", "added"]), ([], ["there", "there"])):
        assert [o.status for o in run(made)] == statuses
        assert run.asked == asked


def test_what_was_downloaded_is_not_downloaded_again(run: Run, content: bytes) -> None:
    first, second = row(DAY, LAST, content), row(DAY, LAST, content, owner="b")
    made = Made.of((first, content), (second, content))
    seen = []

    def stop(here: int, total: int) -> None:
        seen.append((here, total))
        if here == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(made, progress=stop)
    assert run.asked == [address(first)]
    run(made, progress=lambda *n: seen.append(n))
    assert run.asked == [address(second)]
    assert seen == [(0, 2), (1, 2), (0, 2), (1, 2), (2, 2)]
    # Kept bytes serve another ledger of the same folder, unless they were damaged meanwhile.
    (run.folder / "archive" / ledger.LEDGER).unlink()
    for file in (run.folder / "archive" / "dataset=states").iterdir():
        file.unlink()
    run.kept[0].write_bytes(run.kept[0].read_bytes()[:-40])
    assert sorted(o.status for o in run(made)) == ["added", "equal"]
    assert len(run.asked) == 1


def test_a_server_that_never_answers_is_left(run: Run, content: bytes) -> None:
    rows = [(row(DAY, LAST, content, owner=f"o{i}"), content) for i in range(9)]
    run.faults = {address(one): deque(["drop"] * 3) for one, _ in rows}
    with pytest.raises(DownloadError, match="does not answer, 3 copies were asked for; check"):
        run(Made.of(*rows))
    assert len(run.asked) == 9  # three copies, three attempts


# The release


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (1, "equal", "second copy of release 2024-12-11, all 180 reported counts equal"),
        (1.02, "differs", "2 of 180 reported counts differ, e.g. WV 2024-07, Number of Drug Over"),
    ],
)
def test_of_two_copies_the_first_is_kept(
    run: Run, content: bytes, change: float, status: str, words: str
) -> None:
    other = release_csv(LAST, change=change) + b"\n"
    made = Made.of((row(DAY, LAST, content), content), (row(DAY, LAST, other, owner="b"), other))
    table = read_vsrr(_file(run.folder / f"{DAY}.csv", content)).table
    first, second = run(made)
    assert (first.status, second.status) == ("added", status)
    assert words in second.words
    assert run.archive.origin(DAY).place.startswith("someone/")
    assert run.archive.release(DAY).equals(table)  # nothing merged
    assert len(run.archive.log) == 1
    assert missing((first, second)) == ()
    found = compare(table, table[table["state"] != "YC"])  # a blank differs from a count
    assert found[:2] == (180, 60)
    assert found[2].endswith(" and blank")


@pytest.mark.parametrize("order", [1, -1])
def test_a_guessed_date_is_settled_by_the_last_month(run: Run, content: bytes, order: int) -> None:
    # Listed as the release before, and as one after, both of which nobody has.
    pairs = [
        (row("2024-11-13", "2024-06", content, owner="a", settled=False), content),
        (row("2024-12-11", "2024-07", b"x", owner="b"), None),
        (row("2025-01-15", "2024-08", content, owner="c", settled=False), content),
    ]
    done = {o.copy.repository[0]: o for o in run(Made.of(*pairs[::order]))}
    assert {k: o.status for k, o in done.items()} == {"a": "added", "b": "gone", "c": "equal"}
    assert "(listed as 2024-11-13, by its last month)" in done["a"].words
    assert [str(d) for d in run.archive.releases()] == ["2024-12-11"]
    assert run.archive.origin("2024-12-11").basis == "last month"


def test_where_no_other_copy_says_so_the_calendar_does(run: Run) -> None:
    seven = release_csv("2020-03")  # seven months until 2022
    one = row("2020-02-12", "2019-07", seven, settled=False)
    right = row("2020-10-14", "2020-03", seven, owner="b", settled=False, basis="known")
    (done,) = run(Made.of((one, seven)))
    assert (done.status, str(done.release)) == ("added", "2020-10-15")
    assert run.archive.origin("2020-10-15").basis == "last month"
    # The same release under the day that is right is no other release.
    (done,) = run(Made.of((right, seven)))
    assert done.status == "equal"
    assert done.words.startswith("second copy of release 2020-10-15, all")
    assert len(run.archive.releases()) == 1


def test_a_guess_that_was_right_and_a_day_that_is_known_stay(run: Run, content: bytes) -> None:
    run(Made.of((row(DAY, LAST, content, settled=False), content)))
    run(Made.of(later(settled=False, basis="known")))
    assert run.archive.origin(DAY).basis == "last month"
    assert run.archive.origin("2025-01-15").basis == "known"


def test_a_file_that_ends_elsewhere_than_its_list_is_refused(run: Run, content: bytes) -> None:
    (done,) = run(Made.of((row("2025-01-15", "2024-08", content), content)))
    assert done.status == "refused"
    assert "ends in 2024-07, and the list says 2024-08" in done.words


def test_a_release_that_contradicts_itself_lies_apart(run: Run, content: bytes) -> None:
    wrong = release_csv(LAST, change=10)
    made = Made.of((row(DAY, LAST, wrong), wrong), later())
    apart, added = run(made)
    assert (apart.status, added.status) == ("quarantined", "added")
    assert "contradicts itself and was stored apart: WV 2024-07" in apart.words
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
    other = Run(run.folder / "other")
    other.folder.mkdir()
    rows = [(row(DAY, LAST, content, owner=owner), content) for owner in "bcd"]
    done = other(Made.of((row(DAY, LAST, wrong), wrong), *rows[:2], (rows[2][0], None)))
    assert [o.status for o in done] == ["quarantined", "added", "equal", "gone"]
    assert missing(done) == ()
    copies = read_copies(other.folder / "copies.csv")
    assert states(other.archive, copies) == ["apart", "there", "kept", "-"]
    with pytest.raises(ArchiveError, match="archive is in memory; give a folder"):
        fetch_past(od.bundled(), RawFiles(), copies=copies)


def test_what_the_user_retracted_stays_so(run: Run, content: bytes) -> None:
    made = Made.of((row(DAY, LAST, content), content), later())
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


# Where releases came from


def test_the_bundled_release_does_not_keep_the_whole_one_away(run: Run, own_archive: Path) -> None:
    content = release_csv("2025-04")
    copies = read_copies(
        Made.of((row("2025-09-17", "2025-04", content, basis="known"), content)).write(
            run.folder / "copies.csv"
        )
    )
    assert od.archive().origin("2025-09-17") == od.bundled().origin("2025-09-17")
    assert od.archive().origin("2025-09-17").kind == "bundled"
    with FileServer({address_of(copies[0]): content}) as server, RawFiles(server.url) as one:
        (done,) = fetch_past(own_archive, one, copies=copies)
    assert done.status == "added"
    assert od.archive().origin("2025-09-17").kind == "past"
    assert len(od.archive().release("2025-09-17")) == 180
    od.archive().retract("2025-09-17", "only three places")
    assert [str(d) for d in od.archive().releases()] == ["2026-01-14"]


def test_old_ledgers_open_and_new_lines_are_checked(run: Run, content: bytes) -> None:
    store = run.archive
    file = run.folder / "archive" / ledger.LEDGER
    store.add(_file(run.folder / f"{DAY}.csv", content))
    assert set(json.loads(file.read_text())) == {
        "event", "dataset", "release", "data_hash", "reason", "replaces", "at", "id", "file",
        "sha256", "check",
    }  # fmt: skip
    origin = store.origin(DAY)
    assert (origin.kind, origin.basis, origin.file) == ("file", "given", f"{DAY}.csv")
    (event,) = ledger.read(file)
    # As fetch wrote it before it said where from, and as it does.
    for source, kind, place in (
        ({"file": "2024-12-11_vsrr_1733900000.json.gz"}, ("cdc", "known"), ""),
        (Origin("past", "a/b@0:c", "inferred").source, ("past", "inferred"), "a/b@0:c"),
    ):
        one = Event(**{**event.__dict__, "source": source})
        file.unlink()
        ledger.append(file, one)
        assert ledger.read(file) == [one]
        origin = store.origin(DAY)
        assert ((origin.kind, origin.basis), origin.place) == (kind, place)
    file.write_text(file.read_text().replace('"inferred"', '"known"'))
    with pytest.raises(ArchiveError, match="line 1 is not as it was written"):
        ledger.read(file)
    # Before there was a ledger, releases lay in the folder itself.
    (parquet,) = (run.folder / "archive" / "dataset=states").iterdir()
    os.replace(parquet, run.folder / "archive" / f"release={DAY}.parquet")
    file.unlink()
    (run.folder / "archive" / "dataset=states").rmdir()
    origin = run.archive.origin(DAY)
    assert (origin.kind, origin.file, origin.checks) == ("file", f"{DAY}.csv", "structure")


# The list


def test_the_list_that_ships_is_the_shared_one_and_names_the_better_copy_first(vsrr: Path) -> None:
    ours = Path(od.__file__).parent / "vintage" / "bundled" / "past_releases.csv"
    rows = [list(csv.reader(f.read_text().splitlines())) for f in (ours, vsrr / ours.name)]
    assert rows[0][0] == rows[1][0]
    assert sorted(rows[0]) == sorted(rows[1])  # the order says which copy is tried first
    copies = past_copies()
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
        (
            {"release_date": "2024-13-01"},
            "release_date '2024-13-01' is not a day such as 2024-12-11",
        ),
        ({"last_month": "2024-13"}, "last_month '2024-13' is not a month such as 2024-07"),
        ("twice", "copies.csv row 3: path 'counts.csv' is there twice at that commit; leave one"),
        ("no column", "copies.csv: no column sha256; it has release_date,"),
        ("no rows", "copies.csv: a header but no rows"),
        ("no file", "cannot read "),
    ],
)
def test_a_list_that_cannot_be_understood_is_refused(tmp_path: Path, change, says: str) -> None:
    file, one = tmp_path / "copies.csv", row(DAY, LAST, b"x")
    if change == "no rows":
        file.write_text(",".join(one) + "\n")
    elif change == "no column":
        Made([{k: v for k, v in one.items() if k != "sha256"}], {}).write(file)
    elif change != "no file":
        Made([one, one] if change == "twice" else [one | change], {}).write(file)
    with pytest.raises(DataError) as refused:
        read_copies(file)
    assert says in str(refused.value)


# Real files


@pytest.mark.parametrize("name", ["2018-04-11.csv", "2019-09-11.csv.gz", "2025-07-16.parquet"])
def test_a_real_copy(vsrr: Path, tmp_path: Path, name: str) -> None:
    content = (vsrr / name).read_bytes()
    content = gzip.decompress(content) if name.endswith(".gz") else content
    digest = hashlib.sha256(content).hexdigest()
    (copy,) = [c for c in past_copies() if c.sha256 == digest]
    assert copy.git_blob == git_blob(content)
    files = {address_of(copy): content}
    with FileServer(files) as server, RawFiles(server.url) as one:
        done = fetch_past(tmp_path / "archive", one, release=name[:10])
    status = {o.copy: o.status for o in done}
    assert status.pop(copy) == "added"
    assert set(status.values()) <= {"gone"}
    origin = od.Archive(tmp_path / "archive").origin(name[:10])
    assert (origin.kind, origin.checks) == ("past", "sha256, structure")


def address_of(copy: Copy) -> str:
    return f"/{copy.repository}/{copy.commit}/{copy.path}"


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
