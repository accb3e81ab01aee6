"""Where the releases of an archive lie: in a folder, in memory, or in another archive.

A store says which figures count (:meth:`Store.kept`) and what happened to them
(:meth:`Store.events`), and keeps new ones. It decides nothing: what the events add up to is
:mod:`odforecast.vintage.ledger`'s, what may be added is the archive's.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pandas as pd

from odforecast.errors import ArchiveError
from odforecast.names import STATES
from odforecast.vintage import ledger
from odforecast.vintage.archive_file import Kept, read_release, write_release
from odforecast.vintage.ledger import Event

#: A release of an archive older than the ledger.
_FILE = re.compile(r"release=(\d{4}-\d{2}-\d{2})\.parquet")


class Store(Protocol):
    """Where releases lie."""

    @property
    def path(self) -> Path | None:
        """Folder; None in memory."""
        ...

    def events(self, explained: bool = False) -> list[Event]:
        """What happened, oldest first; if asked, with the hashes of files without a ledger."""
        ...

    def kept(self, dataset: str = STATES) -> dict[dt.date, Kept]:
        """The figures that count, by date of the release."""
        ...

    def own(self) -> OwnStore:
        """The store that changes go to."""
        ...


class OwnStore(Store, Protocol):
    """A store that can be changed."""

    def append(self, event: Event) -> Event:
        """Let an event happen."""
        ...

    def write(self, table: pd.DataFrame, event: Event) -> None:
        """Keep the figures of an event that is about to happen."""
        ...

    def figures(self, event: Event) -> Kept:
        """The figures of an event, whether they count or not."""
        ...


class Folder:
    """Files in a folder, and its ledger."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: Events as last read, and the time and size of the ledger they were read from.
        self._seen: tuple[tuple[int, int], list[Event]] | None = None

    def own(self) -> Folder:
        """This store."""
        return self

    def events(self, explained: bool = False) -> list[Event]:
        """Releases older than the ledger, then the ledger."""
        if not self.path.is_dir():
            return []
        found = (_FILE.fullmatch(entry) for entry in sorted(os.listdir(self.path)))
        old = [Event(ledger.ADDED, STATES, _day(self.path, m), "") for m in found if m]
        if explained:
            files = [(e, Kept(e.release, file=self._old(e.release))) for e in old]
            old = [replace(e, data_hash=f.data_hash, source=f.source) for e, f in files]
        return [*old, *self._ledger()]

    def kept(self, dataset: str = STATES) -> dict[dt.date, Kept]:
        """The figures that count, by date."""
        current = ledger.fold(self.events()).current
        return {
            date: replace(self.figures(held.event), reason=held.reason)
            for (name, date), held in current.items()
            if name == dataset
        }

    def figures(self, event: Event) -> Kept:
        """The file of an event's figures."""
        file, old = self._file(event.dataset, event.release, event.data_hash), None
        if not event.data_hash or not file.exists():
            old = self._old(event.release)  # from before the ledger
        if old is not None and old.exists():
            file = old
        return Kept(event.release, file=file, digest=event.data_hash)

    def append(self, event: Event) -> Event:
        """Write an event into the ledger."""
        event = event.signed()
        ledger.append(self.path / ledger.LEDGER, event)
        return event

    def write(self, table: pd.DataFrame, event: Event) -> None:
        """Write figures into a file of their own, unless it is there."""
        # The ledger is there before any release: files without one are a loss, no beginning.
        ledger.begin(self.path / ledger.LEDGER)
        file = self._file(event.dataset, event.release, event.data_hash)
        if not write_release(file, table, event.source):
            read_release(file, event.release)  # by an add that was cut off, or was put aside

    def _file(self, dataset: str, date: dt.date, digest: str) -> Path:
        return self.path / f"dataset={dataset}" / f"release={date}.{digest}.parquet"

    def _old(self, date: dt.date) -> Path:
        return self.path / f"release={date}.parquet"

    def _ledger(self) -> list[Event]:
        file = self.path / ledger.LEDGER
        try:
            stat = file.stat()
        except FileNotFoundError:
            if any(self.path.glob("dataset=*/release=*.parquet")):
                raise ArchiveError(
                    f"{self.path} has releases and no {ledger.LEDGER}, which says what counts",
                    hint="restore it from a copy, or make a new archive from CDC's files",
                ) from None
            return []
        mark = (stat.st_mtime_ns, stat.st_size)
        if self._seen is None or self._seen[0] != mark:
            self._seen = (mark, ledger.read(file))
        return self._seen[1]


class Memory:
    """Tables in memory."""

    path: Path | None = None

    def __init__(self) -> None:
        self._tables: dict[str, pd.DataFrame] = {}
        self._events: list[Event] = []

    def own(self) -> Memory:
        """This store."""
        return self

    def events(self, explained: bool = False) -> list[Event]:  # noqa: ARG002
        """What happened, oldest first."""
        return list(self._events)

    def kept(self, dataset: str = STATES) -> dict[dt.date, Kept]:
        """The figures that count, by date."""
        current = ledger.fold(self._events).current
        return {
            date: Kept(date, held.reason, table=self._tables[held.data_hash])
            for (name, date), held in current.items()
            if name == dataset
        }

    def append(self, event: Event) -> Event:
        """Let an event happen; when, is not kept."""
        self._events.append(event)
        return event

    def figures(self, event: Event) -> Kept:
        """The table of an event."""
        return Kept(event.release, table=self._tables[event.data_hash])

    def write(self, table: pd.DataFrame, event: Event) -> None:
        """Keep a table."""
        self._tables[event.data_hash] = table


class Until:
    """Another store up to a day, read only."""

    def __init__(self, whole: Store, day: dt.date) -> None:
        self._whole, self._day = whole, day
        self.path = whole.path

    def own(self) -> OwnStore:
        """Refused: nothing is added to what was known."""
        raise ArchiveError(
            f"this view of an archive ends at {self._day} and is read only",
            hint="add to the archive itself",
        )

    def events(self, explained: bool = False) -> list[Event]:
        """What happened to releases of the time."""
        return [e for e in self._whole.events(explained) if e.release <= self._day]

    def kept(self, dataset: str = STATES) -> dict[dt.date, Kept]:
        """The figures of the time."""
        kept = self._whole.kept(dataset)
        return {date: kept[date] for date in kept if date <= self._day}


class Layered:
    """A store with another beneath: where both have a release, the upper's counts.

    A release that the upper one had and retracted is not taken from beneath either.
    """

    def __init__(self, upper: Store, beneath: Store) -> None:
        self._upper, self._beneath = upper, beneath
        self.path = upper.path

    def own(self) -> OwnStore:
        """The upper one."""
        return self._upper.own()

    def events(self, explained: bool = False) -> list[Event]:
        """What happened beneath, then above."""
        return [*self._beneath.events(explained), *self._upper.events(explained)]

    def kept(self, dataset: str = STATES) -> dict[dt.date, Kept]:
        """The figures that count, by date."""
        gone = ledger.fold(self._upper.events()).retracted(dataset)
        beneath = self._beneath.kept(dataset)
        return {d: k for d, k in beneath.items() if d not in gone} | self._upper.kept(dataset)


def _day(path: Path, found: re.Match[str]) -> dt.date:
    try:
        return dt.date.fromisoformat(found.group(1))
    except ValueError as error:
        raise ArchiveError(
            f"{path / found.group()}: {found.group(1)} is no day", hint="was it renamed?"
        ) from error
