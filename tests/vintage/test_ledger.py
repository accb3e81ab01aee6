"""The ledger only grows and loses nothing; many writers at once, and kills, double nothing."""

import datetime as dt
import multiprocessing
import os
import random
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import odforecast as od
from odforecast.errors import ArchiveError
from odforecast.vintage import ledger
from odforecast.vintage.ledger import Event, Origin, append, fold, read

DAY = dt.date(2024, 12, 11)
A, B, C = "a" * 16, "b" * 16, "c" * 16
KEY = ("states", DAY)
EVENTS = st.builds(
    Event,
    st.sampled_from(ledger.EVENTS),
    st.sampled_from(["states", "counties"]),
    st.dates(dt.date(2015, 1, 1), dt.date(2040, 1, 1)),
    st.sampled_from([A, B, C]),
    reason=st.text(max_size=30),
    replaces=st.sampled_from(["", A, B]),
    source=st.sampled_from([{}, {"file": "a}b.csv", "sha256": "0f" * 32}]),
)
DAYS = [f"2024-{m:02d}-12" for m in range(1, 9)]
posix = pytest.mark.skipif(os.name != "posix", reason="forks its writers")


def event(kind, digest=A, **more):
    return Event(kind, "states", DAY, digest, **more)


ADDED, OTHER = event("added", A), event("added", B)
APART = event("quarantined", A, reason="WV 2024-07")
TAKEN = event("accepted", A, reason="CDC says so")
GONE = event("retracted", A, reason="wrong file")
NEW = event("replaced", B, reason="digits swapped", replaces=A)


@pytest.mark.parametrize(
    ("events", "current", "apart"),
    [
        ([ADDED, OTHER], A, ""),  # the first figures count
        ([ADDED, event("accepted", B, reason="why")], A, ""),
        ([APART], None, A),  # quarantined ones not until they are accepted
        ([APART, TAKEN], A, ""),
        ([APART, OTHER], B, A),  # the right file of the same day needs nobody's leave
        ([ADDED, APART], A, ""),  # what counts is not put apart by somebody who looks again
        ([ADDED, GONE], None, A),
        ([ADDED, GONE, OTHER], B, A),
        ([ADDED, event("retracted", B, reason="another")], A, ""),
        ([ADDED, GONE, TAKEN], A, ""),
        ([ADDED, NEW], B, A),
        # Two who replace at once: the first is right, the second replaces what counts no more.
        ([ADDED, NEW, event("replaced", C, reason="me too", replaces=A)], B, None),
        ([NEW], None, None),
    ],
)
def test_what_counts_and_what_lies_apart(events, current, apart):
    folded = fold(events)
    held = folded.current.get(KEY)
    assert (None if held is None else held.event.data_hash) == current
    if apart is not None:
        assert set(folded.apart.get(KEY, {})) == set(apart and [apart])
    if held is not None and events[-1] in (TAKEN, NEW):
        taken = events[-1] == TAKEN
        assert held.reason == ("accepted: CDC says so" if taken else "replaced: digits swapped")


@given(st.lists(EVENTS, max_size=6))
def test_what_is_written_is_read(tmp_path_factory, events):
    file = tmp_path_factory.mktemp("ledger") / ledger.LEDGER
    signed = [e.signed() for e in events]
    for one in signed:
        append(file, one)
    assert read(file) == signed
    if events:
        assert file.read_bytes().count(b"\n") == len(events)


def test_an_append_that_was_cut_off_never_happened(tmp_path):
    file = tmp_path / ledger.LEDGER
    odd = {"reason": '"x"} "check', "source": {"file": "a}"}}
    first, second, third = (event("added", h, **odd).signed() for h in (A, B, C))
    append(file, first)
    start = file.stat().st_size
    append(file, second)
    whole = file.read_bytes()
    for size in range(start, len(whole)):
        file.write_bytes(whole[:size])
        # All but the newline or the closing brace: everything that was to be said is there.
        expected = [first, second] if size >= len(whole) - 2 else [first]
        assert read(file) == expected, size
        append(file, third)
        assert read(file) == [*expected, third], size


def test_a_changed_line_is_named(tmp_path):
    file = tmp_path / ledger.LEDGER
    for one in (event("added", A), event("retracted", A, reason="the wrong file")):
        append(file, one.signed())
    whole = file.read_bytes()
    rest = whole.index(b"\n") + 1
    for place in range(rest, len(whole) - 1):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ArchiveError, match=r"line 2 (is not as it was written|was changed)"):
            read(file)
    file.write_bytes(whole[:rest].replace(A.encode(), B.encode()) + whole[rest:])
    with pytest.raises(ArchiveError, match=r"ledger.jsonl, line 1 is not as it was written"):
        read(file)
    for line in (b"[1, 2]\n", b"7\n", b'{"a": 1}\n', b"[" * 100_000 + b"}\n"):
        file.write_bytes(line)
        with pytest.raises(ArchiveError, match=r"line 1 (is not as it was|was changed)"):
            read(file)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"event": "split"}, "does not know the event 'split' of the data set 'states'"),
        ({"dataset": "../x"}, "of the data set '../x'"),
        ({"more": 1}, "does not know the event"),
        ({"release": "../../x"}, "no release date or no hash"),
        ({"release": 7}, "no release date or no hash"),
        ({"data_hash": "../../../etc/passwd"}, "no release date or no hash"),
    ],
)
def test_what_this_version_does_not_know_is_refused(tmp_path, values, message):
    file = tmp_path / ledger.LEDGER
    file.write_bytes(ledger._line(ledger._plain(ADDED.signed()) | values))
    with pytest.raises(ArchiveError, match=message):
        read(file)
    assert Origin.from_source({"origin": "cdc", "sha256": "0f", "signed by": "CDC"}).kind == "cdc"


def test_no_room_is_said_and_calls_that_windows_lacks_are_not_needed(tmp_path, monkeypatch):
    file = tmp_path / ledger.LEDGER
    append(file, event("added", A).signed())
    whole = os.write
    monkeypatch.setattr(ledger.os, "write", lambda f, line: whole(f, line[:20]))
    with pytest.raises(ArchiveError, match="No space left on device; is the folder writable"):
        append(file, event("added", B).signed())
    monkeypatch.undo()
    assert [e.data_hash for e in read(file)] == [A]
    append(file, event("added", C).signed())
    assert [e.data_hash for e in read(file)] == [A, C]
    for name in ("pread", "pwrite"):
        monkeypatch.delattr(ledger.os, name)
    file.write_bytes(b'{"cut off')
    for digest in (A, B):
        append(file, event("added", digest).signed())
    assert [e.data_hash for e in read(file)] == [A, B]


def append_fifty(file):
    for i in range(50):
        said = Event("added", "states", dt.date(2024, 1, 1), f"{i:016x}", reason="x" * 900)
        append(file, said.signed())


def add(store, files, said):
    archive = od.Archive(store)
    with said.open("w") as out:
        for file in files:
            try:
                done = archive.add(file)
            except ArchiveError:
                done = "refused"
            print(Path(file).name, done, file=out, flush=True)


@pytest.fixture
def start():
    """Starts a process for each list of arguments, all at once; none is left in the end."""
    context, running = multiprocessing.get_context("forkserver"), []
    context.set_forkserver_preload(["odforecast.vintage.archive", "odforecast.sources.release"])

    def begin(what, *calls):
        begun = [context.Process(target=what, args=call) for call in calls]
        running.extend(begun)
        for one in begun:
            one.start()
        return begun

    yield begin
    for one in running:
        one.kill()
        one.join()


@pytest.fixture
def added(start, tmp_path):

    def run(*lists, seconds=None):
        said = [tmp_path / f"said-{time.monotonic_ns()}-{i}" for i in range(len(lists))]
        begun = start(add, *((tmp_path / "archive", *pair) for pair in zip(lists, said)))
        if seconds is not None:
            while not said[0].exists():
                time.sleep(0.001)
            time.sleep(seconds)
            begun[0].kill()
        for one in begun:
            one.join()
        return [file.read_text().splitlines() for file in said]

    return run


def made(folder, more=0):
    table = od.bundled().as_of("2025-09-17").table
    table = table[(table["month"] < "2017-01-01") & table["state"].isin(["OH", "WV"])]
    out = []
    for i, day in enumerate(DAYS):
        file = folder / f"{day}.parquet"
        counts = {n: table[n] + i + more for n in ("reported", "predicted")}
        table.assign(release=pd.Timestamp(day), **counts).to_parquet(file)
        out.append(str(file))
    return out


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return made(tmp_path_factory.mktemp("files"))


def counts_of(table):
    return sorted(table["reported"].dropna())


def check_whole(store, files):
    archive = od.Archive(store)
    assert [str(d) for d in archive.releases()] == DAYS
    for day, file in zip(DAYS, files, strict=True):
        assert counts_of(archive.release(day)) == counts_of(pd.read_parquet(file))
    assert set(archive.log["event"]) == {"added"}


@posix
@pytest.mark.slow
def test_processes_that_append_at_once_lose_nothing(start, tmp_path):
    file = tmp_path / ledger.LEDGER
    for one in start(append_fifty, *[[file]] * 4):
        one.join()
        assert one.exitcode == 0
    assert sorted([e.data_hash for e in read(file)]) == sorted([f"{i:016x}" for i in range(50)] * 4)


@posix
@pytest.mark.slow
def test_six_writers_at_once(added, files, tmp_path):
    said = added(*(random.Random(i).sample(files, len(files)) for i in range(6)))
    answers = Counter(line for lines in said for line in lines)
    for file in files:  # one of the six added it, five saw that it was there
        name = Path(file).name
        assert (answers[f"{name} True"], answers[f"{name} False"]) == (1, 5)
    check_whole(tmp_path / "archive", files)


@posix
@pytest.mark.slow
def test_two_writers_that_disagree(added, files, tmp_path):
    (tmp_path / "other").mkdir()
    both = files, made(tmp_path / "other", more=50)
    mine, theirs = added(*both)
    archive = od.Archive(tmp_path / "archive")
    for i, day in enumerate(DAYS):
        said = (mine[i].split()[1], theirs[i].split()[1])
        assert said in (("True", "refused"), ("refused", "True"))
        won = pd.read_parquet(both[said[0] == "refused"][i])
        assert counts_of(archive.release(day)) == counts_of(won)
    assert not [p for p in archive.path.rglob("*") if p.suffix in (".tmp", ".lock")]


@posix
@pytest.mark.slow
def test_killed_again_and_again(added, files, tmp_path):
    chance, store, killed = random.Random(11), tmp_path / "archive", 0
    for _ in range(6):
        (said,) = added(files, seconds=chance.uniform(0.0, 0.12))
        killed += len(said) < len(files)
        archive = od.Archive(store)
        for day in archive.releases():  # what is there is whole
            archive.release(day)
    assert killed
    (said,) = added(files)
    assert len(said) == len(files)
    check_whole(store, files)
    assert len(read(store / ledger.LEDGER)) == len(DAYS)
