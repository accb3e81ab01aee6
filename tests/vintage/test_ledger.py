"""The ledger only grows, loses nothing, and nobody's change of it goes unseen."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odforecast.errors import ArchiveError
from odforecast.vintage import ledger
from odforecast.vintage.ledger import Event, Origin, append, fold, read

DAY = dt.date(2024, 12, 11)
A, B, C = "a" * 16, "b" * 16, "c" * 16
KEY = ("states", DAY)


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


@given(
    st.lists(
        st.builds(
            Event,
            st.sampled_from(ledger.EVENTS),
            st.sampled_from(["states", "counties"]),
            st.dates(dt.date(2015, 1, 1), dt.date(2040, 1, 1)),
            st.sampled_from([A, B, C]),
            reason=st.text(max_size=30),
            replaces=st.sampled_from(["", A, B]),
            source=st.sampled_from([{}, {"file": "a}b.csv", "sha256": "0f" * 32}]),
        ),
        max_size=6,
    )
)
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
    first, second, third = (
        event("added", h, reason='"x"} "check', source={"file": "a}"}).signed() for h in (A, B, C)
    )
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


def signed_line(**values):
    return ledger._line(ledger._plain(event("added").signed()) | values)


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
    file.write_bytes(signed_line(**values))
    with pytest.raises(ArchiveError, match=message):
        read(file)


def test_an_origin_of_a_later_version_is_read():
    assert Origin.of({"origin": "cdc", "sha256": "0f", "signed by": "CDC"}).kind == "cdc"


def test_no_room_is_said(tmp_path, monkeypatch):
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


_WRITER = """
import datetime as dt, os, sys
from pathlib import Path
from odforecast.vintage.ledger import Event, append
writers = []
for _ in range(4):
    process = os.fork()
    if not process:
        break
    writers.append(process)
else:
    sys.exit(any([os.waitpid(process, 0)[1] for process in writers]))
for i in range(50):
    event = Event("added", "states", dt.date(2024, 1, 1), f"{i:016x}", reason="x" * 900)
    append(Path(sys.argv[1]), event.signed())
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks its writers")
def test_processes_that_append_at_once_lose_nothing(tmp_path):
    file = tmp_path / ledger.LEDGER
    subprocess.run([sys.executable, "-c", _WRITER, str(file)], check=True)
    hashes = [e.data_hash for e in read(file)]
    assert sorted(hashes) == sorted([f"{i:016x}" for i in range(50)] * 4)


def test_it_needs_no_calls_that_windows_lacks(tmp_path, monkeypatch):
    for name in ("pread", "pwrite"):
        monkeypatch.delattr(ledger.os, name)
    file = tmp_path / ledger.LEDGER
    file.write_bytes(b'{"cut off')
    for digest in (A, B):
        append(file, event("added", digest).signed())
    assert [e.data_hash for e in read(file)] == [A, B]
