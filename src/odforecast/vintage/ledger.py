"""Ledger: what happened to the releases of an archive, one line an event, never rewritten."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from odforecast.errors import ArchiveError
from odforecast.names import DATASETS
from odforecast.seeds import content_hash

LEDGER = "ledger.jsonl"
EVENTS = ("added", "quarantined", "accepted", "retracted", "replaced")
ADDED, QUARANTINED, ACCEPTED, RETRACTED, REPLACED = EVENTS

#: The data set and the date of a release.
Key = tuple[str, dt.date]
#: What a line has at its end, and an append that was cut off lacks.
_CHECK = re.compile(r'"check": "[0-9a-f]{16}"$')
_WHOLE = re.compile(r'"check": "[0-9a-f]{16}"|\}$')
# Windows would write another line end than was checked.
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
_HASH = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Origin:
    """Where the figures of a release came from.

    ``kind`` is "file" (added by hand), "cdc" (data.cdc.gov), "past" (a public copy of a past
    release) or "bundled". ``place`` of a copy is its repository, commit and path. ``basis`` is how
    the release date is known: "given" with a file, "known" from CDC, "inferred" by CDC's calendar
    as listed or from the day that a file of counties says its data are of, "last month" by CDC's
    calendar from the last month in the file. ``checks`` are what was checked: "sha256" or "git
    blob" of the bytes, and "structure". ``file`` and ``sha256`` are of CDC's file.
    """

    kind: str = "file"
    place: str = ""
    basis: str = "given"
    checks: str = "structure"
    file: str = ""
    sha256: str = ""

    @classmethod
    def from_source(cls, source: Mapping[str, str]) -> Origin:
        """The origin that a line of the ledger says."""
        fields = {"kind" if k == "origin" else k: text for k, text in source.items()}
        # A later version may say more.
        return cls(
            **{k: text for k, text in fields.items() if k in cls.__dataclass_fields__}
        )

    @property
    def source(self) -> dict[str, str]:
        """As :attr:`Event.source`."""
        values = {"origin" if k == "kind" else k: v for k, v in self.__dict__.items()}
        return {name: text for name, text in values.items() if text}


@dataclass(frozen=True)
class Event:
    """One thing that happened to one release."""

    event: str
    dataset: str
    release: dt.date
    data_hash: str
    reason: str = ""
    replaces: str = ""
    source: dict[str, str] = field(default_factory=dict, hash=False)
    at: str = ""
    id: str = ""

    @property
    def key(self) -> Key:
        """Data set and date."""
        return (self.dataset, self.release)

    @property
    def figures(self) -> tuple[str, dt.date, str]:
        """Data set, date and hash."""
        return (self.dataset, self.release, self.data_hash)

    def signed(self) -> Event:
        """The event as it happens now."""
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return replace(self, at=now, id=secrets.token_hex(8))


class Current(NamedTuple):
    """The figures that count for one release."""

    event: Event
    reason: str


@dataclass
class State:
    """What events add up to."""

    current: dict[Key, Current] = field(default_factory=dict)
    apart: dict[Key, dict[str, Event]] = field(default_factory=dict)

    def retracted(self, dataset: str) -> set[dt.date]:
        """Dates whose figures were retracted, and that have no others."""
        apart = {
            key: held for key, held in self.apart.items() if key not in self.current
        }
        return {
            date
            for (name, date), held in apart.items()
            if name == dataset and any(e.event == RETRACTED for e in held.values())
        }


def fold(events: Iterable[Event]) -> State:
    """What the events of an archive, in the order in which they were written, add up to."""
    state = State()
    for event in events:
        key = event.key
        current = state.current.get(key)
        unused = state.apart.setdefault(key, {})
        current_hash = "" if current is None else current.event.data_hash
        is_current = current_hash == (event.replaces or event.data_hash)
        if event.event == QUARANTINED:
            if current_hash != event.data_hash:
                unused[event.data_hash] = event
        elif event.event in (ADDED, ACCEPTED):
            if current is None:
                reason = f"accepted: {event.reason}" if event.reason else ""
                state.current[key] = Current(event, reason)
                unused.pop(event.data_hash, None)
        elif event.event == RETRACTED:
            if is_current:
                del state.current[key]
                unused[event.data_hash] = event
        elif is_current:  # replaced
            unused[event.replaces] = event
            unused.pop(event.data_hash, None)
            state.current[key] = Current(event, f"replaced: {event.reason}")
    return state


def read(path: Path) -> list[Event]:
    """Events of a ledger, oldest first; none if there is no such file."""
    try:
        lines = path.read_bytes().decode("utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ArchiveError(f"cannot read {path}: {error.strerror or error}") from error
    events = []
    for number, line in enumerate(lines, start=1):
        if (
            line.strip()
            and (event := _parsed(line, f"{path}, line {number}")) is not None
        ):
            events.append(event)
    return events


def begin(path: Path) -> None:
    """Make an empty ledger, unless there is one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise unwritable(path, error) from error


def append(path: Path, event: Event) -> None:
    """Write an event at the end of a ledger, in one piece."""
    line = _line(_plain(event))
    try:
        descriptor = os.open(path, _APPEND, 0o666)
        try:
            if os.fstat(descriptor).st_size:
                os.lseek(descriptor, -1, os.SEEK_END)
                if os.read(descriptor, 1) != b"\n":
                    line = b"\n" + line  # an append before this one was cut off
            written = os.write(descriptor, line)
            if written < len(line):
                raise OSError(28, "No space left on device")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> ArchiveError:
    """What to say about a file that cannot be written."""
    return ArchiveError(
        f"cannot write {path}: {error.strerror or error}",
        hint="is the folder writable?",
    )


def _plain(event: Event) -> dict[str, str]:
    """The event as flat text, its source as ``file`` and ``sha256``, and what more there is."""
    values = {k: str(v) for k, v in event.__dict__.items() if k != "source"}
    values |= {k: event.source.get(k, "") for k in _SOURCE}
    return values | {k: event.source[k] for k in _MORE if event.source.get(k)}


def _line(values: dict[str, str]) -> bytes:
    """One line of JSON whose last character alone is a closing brace."""
    text = json.dumps(values | {"check": _check(values)}, ensure_ascii=True)
    return ("{" + text[1:-1].replace("}", "\\u007d") + "}\n").encode()


def _check(values: dict[str, str]) -> str:
    return content_hash(json.dumps(values, sort_keys=True))


def _parsed(line: str, where: str) -> Event | None:
    """The event of a line; None if its append was cut off."""
    if _CHECK.search(line):  # cut off before its last character
        line += "}"
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        if not _WHOLE.search(line):
            return None
        raise ArchiveError(f"{where} was changed: no JSON", hint=_RESTORE) from error
    if not isinstance(values, dict) or values.pop("check", None) != _check(values):
        raise ArchiveError(f"{where} is not as it was written", hint=_RESTORE)
    kind = str(values.get("event"))
    dataset = str(values.get("dataset"))
    if (
        kind not in EVENTS
        or dataset not in DATASETS
        or set(values) - {*_MORE} != _FIELDS
    ):
        raise ArchiveError(
            f"{where}: this version does not know the event {kind!r} of the data set {dataset!r}",
            hint="look for a newer version of odforecast",
        )
    # Both become part of a file's name.
    try:
        day = dt.date.fromisoformat(values["release"])
    except (TypeError, ValueError):
        day = None
    if day is None or not _HASH.fullmatch(str(values["data_hash"])):
        raise ArchiveError(f"{where}: no release date or no hash", hint=_RESTORE)
    source = {k: v for k in (*_SOURCE, *_MORE) if (v := values.pop(k, ""))}
    return Event(**{**values, "release": day, "source": source})


_SOURCE = ("file", "sha256")
#: Only in lines of releases that were downloaded, or whose date is a guess: other files added by
#: hand have lines as ever.
_MORE = ("origin", "place", "basis", "checks")
_FIELDS = {*Event.__dataclass_fields__, *_SOURCE} - {"source"}
_RESTORE = "restore the ledger from a copy: it says which figures of a release count"
