"""Archive: every release ever loaded, and what was known on a day."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import ArchiveError, DataError, QuarantineError
from odforecast.io import replacing
from odforecast.names import COUNTIES, DATASETS, STATES
from odforecast.say import card, html_table, number_of, steady
from odforecast.seeds import content_hash
from odforecast.sources.release import Release, read_release
from odforecast.sources.table import canonical, table_hash, to_date
from odforecast.vintage import ledger
from odforecast.vintage.dataset import (
    SETS,
    dataset_named,
    dataset_of,
    indicators,
    of_table,
    source_of,
)
from odforecast.vintage.ledger import Event, Origin, State
from odforecast.vintage.quality import Contradiction, contradictions
from odforecast.vintage.vintage import Vintage

_META = b"odforecast"


@dataclass(frozen=True)
class Kept:
    """The figures of one event: a file, or a table in memory."""

    event: Event
    file: Path | None = None
    table: pd.DataFrame | None = None
    reason: str = ""

    def read(self, indicator: str | None = None) -> pd.DataFrame:
        """The rows, or those of one indicator; the caller's own, checked against their hash."""
        if self.file is not None:
            return self._rows(self.file, indicator)
        assert self.table is not None
        if indicator is None:
            return self.table.copy()
        return self.table[self.table["indicator"] == indicator].reset_index(drop=True)

    def _rows(self, file: Path, indicator: str | None) -> pd.DataFrame:
        """Rows of the file."""
        import pyarrow.parquet as pq

        with _readable(file), pq.ParquetFile(file) as handle:
            meta = json.loads((handle.schema_arrow.metadata or {})[_META])
            groups = list(range(handle.num_row_groups))
            expected = meta["data_hash"]
            right = expected == self.event.data_hash
            if indicator is not None:
                groups = [
                    i for i, name in enumerate(meta["parts"]) if name == indicator
                ]
                expected = meta["parts"].get(indicator)
            table = handle.read_row_groups(groups).to_pandas(ignore_metadata=True)
            if right and groups:
                # What was hashed was canonical: rows with that hash need no second look.
                day = table["release"].iloc[0].date()
                right = table_hash(table) == expected and day == self.event.release
            if not right:
                raise ArchiveError(
                    f"{file} is not as it was written", hint=_again(file)
                )
            typed: pd.DataFrame = (
                table.astype(SETS[self.event.dataset].types) if groups else table
            )
            return typed


def _again(file: Path) -> str:
    """What to do about a file that is lost or damaged."""
    which = " --dataset counties" if file.parent.name == f"dataset={COUNTIES}" else ""
    return (
        ("delete it and " if file.exists() else "")
        + "add the release again from CDC's file, or leave it out: odforecast data fix retract "
        f"{file.name.removeprefix('release=')[:10]}{which} --archive {file.parent.parent} "
        "--reason TEXT"
    )


@contextlib.contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Turn whatever a damaged file raises into one error that names it."""
    import pyarrow as pa

    try:
        yield
    except ArchiveError:
        raise
    except (pa.ArrowException, OSError, LookupError, ValueError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        lost = isinstance(error, FileNotFoundError)
        what = "is missing" if lost else f"cannot be read as a release ({first})"
        raise ArchiveError(f"{file} {what}", hint=_again(file)) from error


def _write_parquet(handle: Any, table: pd.DataFrame, meta: dict[str, Any]) -> None:
    """A table as row groups, with its hashes in the metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    dataset = of_table(table)
    slices = [slice(0, len(table))]
    if dataset.part:
        names = table[dataset.part].to_numpy()
        # A canonical table is sorted by indicator: each is one slice.
        starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]]).tolist()
        slices = [slice(a, b) for a, b in zip(starts, [*starts[1:], len(names)])]
        meta["parts"] = {str(names[s.start]): table_hash(table.iloc[s]) for s in slices}
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    arrow = arrow.replace_schema_metadata({_META: json.dumps(meta).encode()})
    # Of states hardly a number comes twice: as streams of bytes they take a quarter less.
    apart = [
        f.name for f in arrow.schema if dataset.part and pa.types.is_floating(f.type)
    ]
    with pq.ParquetWriter(
        handle,
        arrow.schema,
        compression="zstd",
        compression_level=9,
        use_dictionary=[name for name in arrow.schema.names if name not in apart],
        use_byte_stream_split=apart,
    ) as writer:
        for s in slices:
            writer.write_table(arrow.slice(s.start, s.stop - s.start))


@dataclass
class Folder:
    """Files in a folder, and its ledger; without a folder, tables in memory."""

    path: Path | None = None
    _tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    _events: list[Event] = field(default_factory=list)
    #: The ledger as last read, and its time and size then: in one piece, for threads.
    _seen: tuple[tuple[int, int], list[Event]] = ((0, 0), [])

    def events(self) -> list[Event]:
        """What happened, oldest first; the ledger is read again when it has changed."""
        if self.path is None:
            return list(self._events)
        try:
            stat = (self.path / ledger.LEDGER).stat()
        except FileNotFoundError:
            if any(self.path.rglob("release=*.parquet")):
                raise ArchiveError(
                    f"{self.path} has releases and no {ledger.LEDGER}, which says what counts",
                    hint="restore it from a copy, or make a new archive from CDC's files",
                ) from None
            return []
        mark = (stat.st_mtime_ns, stat.st_size)
        if (seen := self._seen)[0] != mark:
            seen = self._seen = (mark, ledger.read(self.path / ledger.LEDGER))
        return seen[1]

    @property
    def state(self) -> State:
        """What the events add up to."""
        return ledger.fold(self.events())

    def kept(self, dataset: str, state: State | None = None) -> dict[dt.date, Kept]:
        """The figures that count, by date of the release; ``state``: what the events add up to."""
        state = state or self.state
        return {
            date: replace(self.figures(current.event), reason=current.reason)
            for (name, date), current in state.current.items()
            if name == dataset
        }

    def figures(self, event: Event) -> Kept:
        """The figures of an event, whether they count or not."""
        if self.path is None:
            return Kept(event, table=self._tables[event.data_hash])
        name = f"release={event.release}.{event.data_hash}.parquet"
        return Kept(event, self.path / f"dataset={event.dataset}" / name)

    def append(self, event: Event) -> Event:
        """Let an event happen; in memory, when it did is not kept."""
        if self.path is None:
            self._events.append(event)
            return event
        event = event.signed()
        ledger.append(self.path / ledger.LEDGER, event)
        return event

    def write(self, table: pd.DataFrame, event: Event) -> None:
        """Keep the figures of an event that is about to happen, unless they are there."""
        if self.path is None:
            self._tables[event.data_hash] = table
            return
        # The ledger is there before any release: files without one are a loss, no beginning.
        ledger.begin(self.path / ledger.LEDGER)
        kept = self.figures(event)
        assert kept.file is not None
        if kept.file.exists():  # by an add that was cut off, or was put aside
            kept.read()
            return
        meta = {"data_hash": event.data_hash, "source": event.source}
        try:
            # Its name has the figures' hash: whoever else writes it now writes the same.
            with replacing(kept.file) as part, part.open("wb") as handle:
                _write_parquet(handle, table, meta=meta)
                handle.flush()
                os.fsync(handle.fileno())
        except OSError as error:
            raise ledger.unwritable(kept.file, error) from error


#: Contradictions that a message names; the ledger has more of them.
_SHOWN = 3
_KEPT = 50
_EVER = dt.date.max


class Archive:
    """Releases in a folder, or in memory (:meth:`in_memory`).

    Parameters
    ----------
    path : path
        Folder; made by the first :meth:`add`.

    Examples
    --------
    >>> import odforecast as od
    >>> archive = od.bundled()
    >>> archive.releases()
    (datetime.date(2025, 9, 17), datetime.date(2026, 1, 14))
    >>> archive.as_of("2026-02-01").note
    'the newest stored release, 2026-01-14, is used for 2026-02-01'
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = Path(path)
        if path.exists() and not path.is_dir():
            raise ArchiveError(
                f"{path} is a file, not an archive folder",
                hint="give a folder, or read the file as a source",
            )
        self._folder = Folder(path)
        #: Other archives whose releases lie beneath these, in order; and the last day of all.
        self._beneath: tuple[Archive, ...] = ()
        self._until = _EVER

    @classmethod
    def _from_folder(
        cls,
        folder: Folder,
        *,
        beneath: tuple[Archive, ...] = (),
        until: dt.date = _EVER,
    ) -> Archive:
        """An archive of files or tables that are there already."""
        archive = cls.__new__(cls)
        archive._folder = folder
        archive._beneath = beneath
        archive._until = until
        return archive

    @classmethod
    def in_memory(
        cls,
        tables: Mapping[str | dt.date, pd.DataFrame],
        counties: Mapping[str | dt.date, pd.DataFrame] | None = None,
    ) -> Archive:
        """An archive that lives in memory.

        Parameters
        ----------
        tables : mapping of date to DataFrame
            Canonical tables of states by release date; copied, and taken as they are: whether they
            contradict themselves is not asked.
        counties : mapping of date to DataFrame, optional
            The same of counties.

        Raises
        ------
        ArchiveError
            If a table is not canonical, or is of another release than its date.
        """
        archive = cls._from_folder(Folder())
        for key, table in (*tables.items(), *(counties or {}).items()):
            archive._put(_checked(table, to_date(key)), {}, check=False)
        return archive

    @steady
    def __repr__(self) -> str:
        dates = self.releases()
        counties = self.releases(COUNTIES)
        empty = "no release of the states yet" if counties else "empty: no release yet"
        ask = ".as_of(), .as_of('2024-12-11'), .to_frame(), .log, .add(file)"
        return card(
            f"Archive: {self.path or 'in memory'}",
            _span(dates) if dates else empty,
            f"of counties: {_span(counties)}" if counties else "",
            f"next: {ask if dates else '.add(file), or odforecast data fetch in a terminal'}",
        )

    @steady
    def _repr_html_(self) -> str:
        rows = [
            (date, dataset, held.reason)
            for dataset in DATASETS
            for date, held in sorted(self._kept(dataset).items(), reverse=True)
        ]
        table = pd.DataFrame(rows, columns=["release", "dataset", "note"])
        idle = [
            c
            for c, usual in (("dataset", STATES), ("note", ""))
            if (table[c] == usual).all()
        ]
        title = f"Archive {self.path or 'in memory'}: {number_of(len(rows), 'release')}"
        hint = "newest first; next: .as_of(), .to_frame()"
        return html_table(table.drop(columns=idle), title, note=hint)

    def to_frame(self) -> pd.DataFrame:
        """Every release that counts, oldest first; each is read for it.

        Returns
        -------
        DataFrame
            ``release`` (datetime64[s]), ``dataset`` (``"states"`` or ``"counties"``),
            ``last_month`` (last with a reported count anywhere, datetime64[s], NaT where there is
            none), ``rows`` (of the table, int), ``indicators`` (how many, int), ``kind`` and
            ``basis`` (where it came from and how its date is known, see
            :class:`odforecast.vintage.ledger.Origin`; str), ``note`` (why figures that
            contradict themselves, or replaced others, count; str), ``data_hash`` (str).

        Raises
        ------
        ArchiveError
            If a file is damaged.

        Examples
        --------
        >>> import odforecast as od
        >>> table = od.bundled().to_frame()[["release", "last_month", "dataset"]]
        >>> table.astype(str).to_numpy().tolist()
        [['2025-09-17', '2025-04-01', 'states'], ['2026-01-14', '2025-08-01', 'states'],
         ['2023-10-08', '2023-03-01', 'counties']]
        """
        rows = []
        for dataset in DATASETS:
            for date, held in sorted(self._kept(dataset).items()):
                table = held.read()
                origin = self.origin(date, dataset)
                counted = table[SETS[dataset].counts].notna()
                last = table.loc[counted, "month"].max()
                rows.append(
                    (
                        np.datetime64(date, "s"),
                        dataset,
                        last,
                        len(table),
                        len(indicators(table)),
                        origin.kind,
                        origin.basis,
                        self.reason(date, dataset),
                        held.event.data_hash,
                    )
                )
        names = [
            "release",
            "dataset",
            "last_month",
            "rows",
            "indicators",
            "kind",
            "basis",
            "note",
            "data_hash",
        ]
        table = pd.DataFrame(rows, columns=names)
        return table.astype({"release": "datetime64[s]", "last_month": "datetime64[s]"})

    @property
    def path(self) -> Path | None:
        """Folder; None in memory."""
        return self._folder.path

    def releases(self, dataset: str = STATES) -> tuple[dt.date, ...]:
        """Dates of the releases that count, oldest first.

        Parameters
        ----------
        dataset : {"states", "counties"}
        """
        return tuple(sorted(self._kept(dataset_named(dataset))))

    @property
    def last_seen(self) -> dt.date | None:
        """The last release of the states; None if there is none."""
        dates = self.releases()
        return dates[-1] if dates else None

    @property
    def content_hash(self) -> str:
        """Hash of all releases: the same releases give the same hash, wherever they lie."""
        parts = []
        for dataset in DATASETS:
            kept = self._kept(dataset)
            # Those of states are named by their dates alone, as before there were others.
            label = "" if dataset == STATES else f"{dataset} "
            parts += [f"{label}{d} {kept[d].event.data_hash}" for d in sorted(kept)]
        return content_hash(*parts)

    @property
    def log(self) -> pd.DataFrame:
        """What happened to the releases, oldest event first.

        Columns ``at`` (UTC; empty in memory), ``event``, ``dataset``, ``release``, ``data_hash``,
        ``reason``, ``replaces``, ``file`` and ``sha256`` of CDC's file, and for downloads
        ``origin``, ``place``, ``basis`` and ``checks`` (see :meth:`origin`).
        """
        source = ["file", "sha256", "origin", "place", "basis", "checks"]
        columns = [
            "at",
            "event",
            "dataset",
            "release",
            "data_hash",
            "reason",
            "replaces",
            *source,
        ]
        rows = [
            dict.fromkeys(source, "") | e.source | e.__dict__ for e in self._events()
        ]
        return pd.DataFrame(rows, columns=columns)

    def quarantined(self) -> pd.DataFrame:
        """Releases that are quarantined, never used: rows of :attr:`log`."""
        columns = ["dataset", "release", "data_hash"]
        apart = self._changed().state.apart
        held = [(*key, digest) for key, found in apart.items() for digest in found]
        last = (
            self._own()
            .log.drop_duplicates(columns, keep="last")
            .set_index(columns, drop=False)
        )
        return last[last.index.isin(held)].reset_index(drop=True)

    def origin(self, date: str | dt.date, dataset: str = STATES) -> Origin:
        """Where a release came from, how its date is known, and what was checked.

        Parameters
        ----------
        date : date or str
            Release date.
        dataset : {"states", "counties"}

        Examples
        --------
        >>> import odforecast as od
        >>> od.bundled().origin("2026-01-14").kind
        'bundled'
        """
        figures = self._figures(to_date(date), dataset)
        sources = [
            event.source
            for event in self._events()
            if event.figures == figures.event.figures and event.source
        ]
        origin = Origin.from_source(sources[-1] if sources else {})
        if "accepted: " not in figures.reason:
            return origin
        # The structure is what contradicts itself.
        checks = [check for check in origin.checks.split(", ") if check != "structure"]
        return replace(origin, checks=", ".join([*checks, "accepted"]))

    def data_hash(self, date: str | dt.date, dataset: str = STATES) -> str:
        """Content hash of a release; not its rows, only what its file says, is read.

        Parameters
        ----------
        date : date or str
            Release date.
        dataset : {"states", "counties"}
        """
        return self._figures(to_date(date), dataset).event.data_hash

    def release(
        self,
        date: str | dt.date,
        indicator: str | None = None,
        dataset: str = STATES,
    ) -> pd.DataFrame:
        """The table of one release.

        Parameters
        ----------
        date : date or str
            Release date; for a day between releases, see :meth:`as_of`.
        indicator : str, optional
            Of states: only its rows are read; none are there if the release lacks it.
        dataset : {"states", "counties"}

        Returns
        -------
        DataFrame
            Canonical long table, or that of counties (:mod:`odforecast.sources.table`);
            the caller's own copy.

        Raises
        ------
        ArchiveError
            If the archive does not hold that release, or its file is damaged.
        """
        return self._figures(to_date(date), dataset).read(indicator)

    def as_of(self, day: str | dt.date | None = None, dataset: str = STATES) -> Vintage:
        """What was known on a day: the newest release by then, never anything later.

        Of the states always, and of the counties where there are any.

        Parameters
        ----------
        day : date or str, optional
            ``"2024-12-11"``; default: the day of the last release of the states that counts. A
            release is known on its own day.
        dataset : {"states", "counties"}
            The default is then the day of the last release of this data set, if that is later.

        Raises
        ------
        ArchiveError
            If the archive holds nothing of the states that old.
        """
        dates = self.releases()
        apart = self._apart()
        if not dates:
            where = self.path or "the archive"
            others = self.releases(COUNTIES)
            if self.path is not None and not self.path.is_dir():
                raise ArchiveError(
                    f"there is no folder {where}", hint="check the path of the archive"
                )
            raise ArchiveError(
                f"{where} holds no release"
                + (" of the states, which those of counties go with" if others else ""),
                hint=self._said_apart()
                or "add one: odforecast data add FILE --archive DIR",
            )
        last = max((*dates, *apart))
        # What was quarantined since is told, too; but the day is that of the newest release used.
        newest = max((*dates, *self.releases(dataset)))
        if day is None:
            day = newest
            until = max(newest, last)
        else:
            day = until = to_date(day)
        released = [date for date in dates if date <= day]
        if not released:
            raise ArchiveError(
                f"nothing was known on {day}: the first release of the archive is {dates[0]}",
                hint=f"ask for {dates[0]} or later, or add an older release",
            )
        date = released[-1]
        age = (day - date).days
        note = ""
        if day > date == last:
            note = f"the newest stored release, {date}, is used for {day}"
        elif age > SETS[STATES].stale:
            note = (
                f"release {date} was {age} days old on {day}; CDC publishes every month, so the "
                "archive lacks the releases between"
            )
        after = date + dt.timedelta(days=1)
        reason = _reason(self._figures(date))
        notes = [note, self._said_apart(STATES, after, last=until), reason]
        return Vintage(
            self, day, date=date, note="; ".join(filter(None, notes)) or None
        )

    def reason(self, date: str | dt.date, dataset: str = STATES) -> str:
        """Why figures that contradict themselves, or replaced others, count; else empty."""
        return _reason(self._figures(to_date(date), dataset))

    def copies(
        self, last: Mapping[dt.date, np.datetime64], dataset: str = STATES
    ) -> dict[dt.date, str]:
        """Releases that end in the same month as another one, which counts, and what to say.

        CDC publishes a month once. Where an archive has it under two dates, the release counts
        whose date is certain, or else the first.

        Parameters
        ----------
        last : mapping of datetime.date to datetime64[M]
            Last month with a count, by release.
        dataset : {"states", "counties"}
        """
        found: dict[np.datetime64, list[dt.date]] = {}
        for date, month in sorted(last.items()):
            found.setdefault(month, []).append(date)
        out: dict[dt.date, str] = {}
        for month, dates in found.items():
            if len(dates) > 1:
                sure = [
                    d
                    for d in dates
                    if self.origin(d, dataset).basis in ("known", "given")
                ]
                first = (sure or dates)[0]
                words = f"it ends in {month}, as release {first} does: that one counts"
                out |= dict.fromkeys((d for d in dates if d != first), words)
        return out

    def until(self, day: str | dt.date) -> Archive:
        """The releases known on a day, as an archive of their own; nothing later is in it."""
        until = min(to_date(day), self._until)
        return self._from_folder(self._folder, beneath=self._beneath, until=until)

    def above(self, beneath: Archive) -> Archive:
        """This archive with the releases of another beneath; where both have one, this one's.

        What is added, accepted, replaced or retracted is so in this archive. One that it had and
        retracted is not taken from beneath either. Where this archive ends at a day
        (:meth:`until`), what lies beneath does too.
        """
        lower = (*self._beneath, beneath)
        return self._from_folder(self._folder, beneath=lower, until=self._until)

    def _own(self) -> Archive:
        """What changes go to, alone."""
        return self._from_folder(self._folder)

    def _changed(self) -> Folder:
        """What changes go to; nothing is added to what was known on a day."""
        if self._until < _EVER:
            raise ArchiveError(
                f"this view of an archive ends at {self._until} and is read only",
                hint="add to the archive itself",
            )
        return self._folder

    def _events(self) -> list[Event]:
        """What happened beneath, then here, to releases of the time."""
        events = [e for lower in self._beneath[::-1] for e in lower._events()]
        events += self._folder.events()
        return [e for e in events if e.release <= self._until]

    def _kept(self, dataset: str = STATES) -> dict[dt.date, Kept]:
        """The figures that count, by date."""
        state = self._folder.state
        kept = self._folder.kept(dataset, state)
        gone = state.retracted(dataset)
        for lower in self._beneath:
            kept = {
                d: k for d, k in lower._kept(dataset).items() if d not in gone
            } | kept
            gone |= ledger.fold(lower._events()).retracted(dataset)
        return {d: k for d, k in kept.items() if d <= self._until}

    def _figures(self, date: dt.date, dataset: str = STATES) -> Kept:
        """The figures that count for a date, or an error that names the nearest."""
        releases = self._kept(dataset_named(dataset))
        if date in releases:
            return releases[date]
        hint = self._said_apart(dataset, date, last=date)
        if not hint and releases:
            nearest = min(releases, key=lambda release: abs(release - date))
            hint = f"the nearest is {nearest}"
        elif not hint:
            hint = "it is empty" if dataset == STATES else f"it has none of {dataset}"
        raise ArchiveError(
            f"{self.path or 'the archive'} holds no {SETS[dataset].called(date)}",
            hint=hint,
        )

    def _apart(self, dataset: str = STATES) -> list[dt.date]:
        """Dates of which figures are quarantined, quarantined or retracted, and none count."""
        apart = ledger.fold(self._events()).apart
        kept = self._kept(dataset)
        return sorted(
            d
            for (name, d), held in apart.items()
            if name == dataset and held and d not in kept
        )

    def _said_apart(
        self,
        dataset: str = STATES,
        first: dt.date = dt.date.min,
        last: dt.date = dt.date.max,
    ) -> str:
        """One line on releases of a time that are quarantined; empty if there are none."""
        dates = [d for d in self._apart(dataset) if first <= d <= last]
        if not dates:
            return ""
        many = len(dates) > 1
        which = (
            f"{len(dates)} releases to {dates[-1]} are"
            if many
            else f"release {dates[-1]} is"
        )
        return f"{which} quarantined, unused: see odforecast data releases --log"

    def add(
        self,
        loaded: Release | str | os.PathLike[str],
        accept: str | None = None,
        *,
        origin: Origin | None = None,
    ) -> bool:
        """Add one release of the states or counties, permanently.

        Parameters
        ----------
        loaded : path, Loaded or Counties
            One of CDC's files, told apart by its columns; or what
            :func:`odforecast.sources.vsrr.read_vsrr` or
            :func:`odforecast.sources.county.read_county` made of it.
        accept : str, optional
            Use the release although it contradicts itself, or was retracted, and why. The
            reason goes into the ledger and into every result made from the release.
        origin : Origin, optional
            Where it was downloaded from; default: a file added by hand.

        Returns
        -------
        bool
            True if it was added; False if the very same release was there already.

        Raises
        ------
        QuarantineError
            If the release contradicts itself, see
            :func:`odforecast.vintage.quality.contradictions`. It is stored apart, and used by
            nothing.
        ArchiveError
            If the archive holds other numbers for that release date.
        """
        loaded, table = _read(loaded)
        source = {} if origin is None else origin.source
        return self._put(table, source | source_of(loaded), accept=accept)

    def replace(
        self,
        loaded: Release | str | os.PathLike[str],
        reason: str,
        accept: str | None = None,
    ) -> bool:
        """Replace wrong figures; the wrong ones stay in the archive, unused.

        Parameters
        ----------
        loaded : path, Loaded or Counties
            The right file of a release that the archive holds.
        reason : str
            Why; it goes into the ledger and into every result made from the new figures.
        accept : str, optional
            As in :meth:`add`.

        Returns
        -------
        bool
            False if the archive holds these very figures already.

        Raises
        ------
        QuarantineError
            If the new figures contradict themselves.
        ArchiveError
            If there is no such release, or no reason.
        """
        loaded, table = _read(loaded)
        old = self._own().data_hash(loaded.release, dataset_of(loaded))
        if old == table_hash(table):
            return False
        return self._put(
            table, source_of(loaded), accept=accept, instead=(old, reason_of(reason))
        )

    def _put(
        self,
        table: pd.DataFrame,
        source: dict[str, str],
        accept: str | None = None,
        *,
        check: bool = True,
        instead: tuple[str, str] = ("", ""),
    ) -> bool:
        """Add the figures of a canonical table; ``instead``: of which hash, and why."""
        dataset = of_table(table)
        day = table["release"].iloc[0].date()
        store = self._changed()
        called = dataset.called(day)
        event = Event(
            ledger.ADDED,
            dataset.name,
            release=day,
            data_hash=table_hash(table),
            source=source,
        )
        digest, (old, why) = event.data_hash, instead
        accept = None if accept is None else reason_of(accept)
        held = store.kept(dataset.name).get(day)
        if held is not None and held.event.data_hash != old:
            if held.event.data_hash != digest:
                raise _other(held, table, digest=digest)
            if held.file is None or held.file.exists():
                return False
            store.write(table, event)  # somebody deleted the file
            return True
        known = store.state.apart.get(event.key, {}).get(digest)
        retracted = known is not None and known.event != ledger.QUARANTINED
        if known is not None and retracted and accept is None:
            raise ArchiveError(
                f"these figures of {called} were {known.event}: {known.reason}",
                hint="--accept REASON takes them back",
            )
        wrong = self._wrong(table) if check else []
        store.write(table, event)
        if wrong and accept is None:
            if known is None:
                cells = listed(wrong, _KEPT)
                store.append(replace(event, event=ledger.QUARANTINED, reason=cells))
            raise QuarantineError(
                f"{called} contradicts itself and was set aside: {listed(wrong)}",
                hint="get the file again; if CDC did publish these figures, odforecast data fix "
                f"accept {day} --reason TEXT uses them (or, with data add, --accept REASON)",
            )
        taken = accept if accept and (wrong or retracted) else ""
        if not old:
            event = replace(event, reason=taken)
        else:
            why += f"; accepted: {taken}" if taken else ""
            event = replace(
                event,
                event=ledger.REPLACED,
                replaces=old,
                reason=why,
            )
        event = store.append(event)
        now = store.state.current.get(event.key)
        if now is None:  # another process retracted it just now
            raise ArchiveError(
                f"{called} was retracted meanwhile", hint="see data releases --log"
            )
        if now.event.data_hash != digest:  # another process was first
            raise _other(store.kept(dataset.name)[day], table, digest=digest)
        return now.event == event

    def _wrong(self, table: pd.DataFrame) -> list[Contradiction]:
        """What a release contradicts in itself, the one before and, for counties, the states."""
        dataset = of_table(table).name
        day = table["release"].iloc[0].date()
        # Also what lies beneath: the first release of one's own is compared with the bundled one.
        kept = self._kept(dataset)
        states = None
        earlier = [d for d in kept if d < day]
        if dataset == COUNTIES:
            known = {d: k for d, k in self._kept().items() if d <= day}
            states = known[max(known)].read() if known else None
        return contradictions(
            table, kept[max(earlier)].read() if earlier else None, states
        )

    def retract(self, date: str | dt.date, reason: str, dataset: str = STATES) -> None:
        """Use a release no more; its figures stay in the archive, apart.

        Parameters
        ----------
        date : date or str
            Release date.
        reason : str
            Why; it goes into the ledger.
        dataset : {"states", "counties"}

        Raises
        ------
        ArchiveError
            If there is no such release, or no reason.
        """
        date = to_date(date)
        own = self._own()
        if date in set(self.releases(dataset)) - set(own.releases(dataset)):
            raise ArchiveError(
                f"release {date} ships with odforecast, and is not in your archive",
                hint="to leave it out, use an archive of your own: --archive DIR",
            )
        digest = own._figures(date, dataset).event.data_hash
        event = Event(
            ledger.RETRACTED,
            dataset,
            release=date,
            data_hash=digest,
            reason=reason_of(reason),
        )
        self._changed().append(event)

    def accept(self, date: str | dt.date, reason: str, dataset: str = STATES) -> None:
        """Use a release that was stored apart, quarantined or retracted, after all.

        Parameters
        ----------
        date : date or str
            Release date.
        reason : str
            Why; it goes into the ledger and into every result made from the release.
        dataset : {"states", "counties"}

        Raises
        ------
        ArchiveError
            If none of that date is quarantined, several do, another one counts already, or there
            is no reason.
        """
        date = to_date(date)
        reason = reason_of(reason)
        dataset = dataset_named(dataset)
        store = self._changed()
        apart = store.state.apart.get((dataset, date), {})
        if (dataset, date) in store.state.current:
            raise ArchiveError(
                f"release {date} has figures that count already",
                hint="retract them first",
            )
        if len(apart) != 1:
            raise ArchiveError(
                f"{len(apart) or 'no'} files of release {date} are quarantined",
                hint="see odforecast data releases --log; data add FILE --accept REASON uses one",
            )
        digest, event = next(iter(apart.items()))
        store.figures(
            replace(event, data_hash=digest)
        ).read()  # or what is wrong with them
        store.append(
            Event(
                ledger.ACCEPTED, dataset, release=date, data_hash=digest, reason=reason
            )
        )


def _reason(figures: Kept) -> str:
    """Why figures that contradict themselves, or replaced others, count; else empty."""
    if not figures.reason:
        return ""
    event = figures.event
    return f"{SETS[event.dataset].called(event.release)} was {figures.reason}"


def _span(dates: tuple[dt.date, ...]) -> str:
    """How many releases there are, and of which time."""
    last = f" to {dates[-1]}" if len(dates) > 1 else ""
    return f"{number_of(len(dates), 'release')}, {dates[0]}{last}"


def reason_of(text: str) -> str:
    """A reason in one line, or a refusal of what is none."""
    text = " ".join(text.split())
    if not 3 <= len(text) <= 500:
        raise ArchiveError(
            f"a reason has 3 to 500 characters, got {len(text)}",
            hint="say what is wrong with the figures, and how you know",
        )
    return text


def listed(wrong: list[Contradiction], shown: int = _SHOWN) -> str:
    """The first contradictions in words, and how many more there are."""
    rest = f"; and {len(wrong) - shown:,} more cells" if len(wrong) > shown else ""
    return "; ".join(str(c) for c in wrong[:shown]) + rest


def _read(loaded: Release | str | os.PathLike[str]) -> tuple[Release, pd.DataFrame]:
    """A release, read if it is a file, and its table in canonical form."""
    if isinstance(loaded, str | os.PathLike):
        loaded = read_release(Path(loaded))
    return loaded, _checked(loaded.table, loaded.release)


def _checked(table: pd.DataFrame, date: dt.date) -> pd.DataFrame:
    """The table in canonical form, of the release it is filed under."""
    try:
        table = canonical(table)
    except DataError as error:
        raise ArchiveError(f"release {date}: {error.message}", error.hint) from error
    inside = table["release"].iloc[0].date()
    if inside != date:
        raise ArchiveError(
            f"the table filed under {date} says that it is release {inside}",
            hint="file it under its own release date",
        )
    return table


def _other(held: Kept, table: pd.DataFrame, digest: str) -> ArchiveError:
    """What to say about figures that are not those there."""
    return ArchiveError(
        f"the archive holds other numbers for {of_table(table).called(held.event.release)}: "
        f"{len(held.read()):,} rows (hash {held.event.data_hash}) there, {len(table):,} rows (hash "
        f"{digest}) in the new one",
        hint="a release never changes: is the date right, is one a subset? If those there are "
        "wrong: odforecast data fix replace FILE --reason TEXT",
    )
