"""Archive: every release ever loaded, and what was known on a day.

On disk an archive is a folder::

    dataset=states/release=2024-12-11.4f0c…parquet    figures, named by date and content hash
    dataset=counties/release=2023-10-08.b2c3…parquet  the same, of counties
    ledger.jsonl                                      what happened to them, one line an event

Files are written once and never changed; the ledger only grows. What counts for a date is what
the events add up to (:mod:`odforecast.vintage.ledger`): the first figures added, unless they
were retracted or replaced. A release that contradicts itself is stored apart (*quarantined*) and
invisible until somebody accepts it with a reason. Archives from before the ledger, with files
``release=2024-12-11.parquet`` in the folder itself, are read as they are.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from odforecast.errors import ArchiveError
from odforecast.names import COUNTIES, DATASETS, STATES
from odforecast.say import card, html_table, number_of, steady
from odforecast.seeds import content_hash
from odforecast.sources.table import to_date
from odforecast.vintage import ledger
from odforecast.vintage.adding import apart_dates, called, checked, found, put, said_apart
from odforecast.vintage.archive_file import Kept
from odforecast.vintage.changing import Changing
from odforecast.vintage.figures import dataset_named
from odforecast.vintage.ledger import Origin
from odforecast.vintage.storage import Folder, Layered, Memory, Store, Until
from odforecast.vintage.vintage import Vintage

#: CDC publishes every month: a longer silence means that the archive lacks releases.
_STALE_DAYS = 45


class Archive(Changing):
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
    'the last release seen is 2026-01-14: asked for 2026-02-01, answered with it'
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = Path(path)
        if path.exists() and not path.is_dir():
            raise ArchiveError(
                f"{path} is a file, not an archive folder",
                hint="give a folder, or read the file as a source",
            )
        self._store: Store = Folder(path)

    @classmethod
    def _over(cls, store: Store) -> Archive:
        archive = cls.__new__(cls)
        archive._store = store
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
        archive = cls._over(Memory())
        for key, table in (*tables.items(), *(counties or {}).items()):
            put(archive._store.own(), checked(table, to_date(key)), {})
        return archive

    @steady
    def __repr__(self) -> str:
        dates, counties = self.releases(), self.releases(COUNTIES)
        empty = "no release of the states yet" if counties else "empty: no release yet"
        return card(
            f"Archive: {self.path or 'in memory'}",
            f"{number_of(len(dates), 'release')}, {_span(dates)}" if dates else empty,
            f"of counties: {number_of(len(counties), 'release')}, {_span(counties)}"
            if counties
            else "",
            "next: .as_of(), .as_of('2024-12-11'), .to_frame(), .log, .add(file)"
            if dates
            else "next: .add(file), or odforecast data fetch on the command line",
        )

    @steady
    def _repr_html_(self) -> str:
        rows = [
            (date, dataset, held.reason)
            for dataset in DATASETS
            for date, held in sorted(self._store.kept(dataset).items(), reverse=True)
        ]
        table = pd.DataFrame(rows, columns=["release", "dataset", "note"])
        idle = [c for c, usual in (("dataset", STATES), ("note", "")) if (table[c] == usual).all()]
        return html_table(
            table.drop(columns=idle),
            f"Archive {self.path or 'in memory'}: {number_of(len(rows), 'release')}",
            "newest first; next: .as_of(), .to_frame()",
        )

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
        from odforecast.vintage.contents import contents

        return contents(self)

    @property
    def path(self) -> Path | None:
        """Folder; None in memory."""
        return self._store.path

    def releases(self, dataset: str = STATES) -> tuple[dt.date, ...]:
        """Dates of the releases that count, oldest first.

        Parameters
        ----------
        dataset : {"states", "counties"}
        """
        return tuple(sorted(self._store.kept(dataset_named(dataset))))

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
            kept = self._store.kept(dataset)
            # Those of states are named by their dates alone, as before there were others.
            label = "" if dataset == STATES else f"{dataset} "
            parts += [f"{label}{d} {kept[d].data_hash}" for d in sorted(kept)]
        return content_hash(*parts)

    @property
    def log(self) -> pd.DataFrame:
        """What happened to the releases, oldest event first.

        Columns ``at`` (UTC; empty for what is older than the ledger), ``event``, ``dataset``,
        ``release``, ``data_hash``, ``reason``, ``replaces``, ``file`` and ``sha256`` of CDC's
        file, and for downloads ``origin``, ``place``, ``basis`` and ``checks`` (see
        :meth:`origin`).
        """
        source = ["file", "sha256", "origin", "place", "basis", "checks"]
        columns = ["at", "event", "dataset", "release", "data_hash", "reason", "replaces", *source]
        rows = []
        for event in self._store.events(explained=True):
            rows.append({**event.__dict__, **{k: event.source.get(k, "") for k in source}})
        return pd.DataFrame(rows, columns=columns)

    def quarantined(self) -> pd.DataFrame:
        """Releases that lie apart, never used: rows of :attr:`log`."""
        own = Archive._over(self._store.own())
        apart, log = ledger.fold(own._store.events()).apart, own.log
        held = {(*key, digest) for key, found in apart.items() for digest in found}
        columns = ["dataset", "release", "data_hash"]
        last = log.drop_duplicates(columns, keep="last")
        mask = [row in held for row in last[columns].itertuples(index=False, name=None)]
        return last[pd.Series(mask, index=last.index, dtype=bool)].reset_index(drop=True)

    def source(self, date: str | dt.date, dataset: str = STATES) -> dict[str, str]:
        """Where a release came from: ``file`` and ``sha256`` of its bytes; empty in memory.

        Parameters
        ----------
        date : date or str
            Release date.
        dataset : {"states", "counties"}

        Raises
        ------
        ArchiveError
            If the archive does not hold that release.
        """
        return self._held(date, dataset).source

    def origin(self, date: str | dt.date, dataset: str = STATES) -> Origin:
        """Where a release came from, how its date is known, and what was checked.

        Parameters
        ----------
        date : date or str
            Release date.
        dataset : {"states", "counties"}

        Raises
        ------
        ArchiveError
            If the archive does not hold that release.

        Examples
        --------
        >>> import odforecast as od
        >>> od.bundled().origin("2026-01-14").kind
        'bundled'
        """
        held = self._held(date, dataset)
        digest, source = held.data_hash, {}
        for event in self._store.events():
            if event.key == (dataset, held.release) and event.data_hash == digest and event.source:
                source = event.source
        found = Origin.of(source or held.source)
        if "accepted: " in held.reason:  # the structure is what contradicts itself
            kept = [c for c in found.checks.split(", ") if c != "structure"]
            found = replace(found, checks=", ".join([*kept, "accepted"]))
        return found

    def data_hash(self, date: str | dt.date, dataset: str = STATES) -> str:
        """Content hash of a release; not its rows, only what its file says, is read.

        Parameters
        ----------
        date : date or str
            Release date.
        dataset : {"states", "counties"}

        Raises
        ------
        ArchiveError
            If the archive does not hold that release.
        """
        return self._held(date, dataset).data_hash

    def release(
        self, date: str | dt.date, indicator: str | None = None, dataset: str = STATES
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
        return self._held(date, dataset).read(indicator)

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

        Returns
        -------
        Vintage

        Raises
        ------
        ArchiveError
            If the archive holds nothing of the states that old.
        """
        dates, apart = self.releases(), apart_dates(self._store)
        if not dates:
            others = self.releases(COUNTIES)
            raise ArchiveError(
                f"{self.path or 'the archive'} holds no release"
                + (" of the states, which those of counties go with" if others else ""),
                hint=said_apart(apart) or "add one: odforecast data add FILE --archive DIR",
            )
        last = max((*dates, *apart))
        # By default what lies apart since is told, too; but the day is that of the newest one used.
        newest = max((*dates, *self.releases(dataset)))
        day, until = (newest, max(newest, last)) if day is None else (to_date(day),) * 2
        known = [d for d in dates if d <= day]
        if not known:
            raise ArchiveError(
                f"nothing was known on {day}: the first release of the archive is {dates[0]}",
                hint=f"ask for {dates[0]} or later, or add an older release",
            )
        date = known[-1]
        note = None
        if day > date == dates[-1] and last == date:
            note = f"the last release seen is {date}: asked for {day}, answered with it"
        elif (day - date).days > _STALE_DAYS:
            note = (
                f"release {date} was {(day - date).days} days old on {day}; CDC publishes every "
                "month, so the archive lacks the releases between"
            )
        unused = said_apart([d for d in apart if date < d <= until])
        notes = [note, unused, self.reason(date)]
        return Vintage(self, day, date, "; ".join(n for n in notes if n) or None)

    def reason(self, date: str | dt.date, dataset: str = STATES) -> str:
        """Why figures that contradict themselves, or replaced others, count; else empty."""
        held = self._held(date, dataset)
        return f"{called(held.release, dataset)} was {held.reason}" if held.reason else ""

    def until(self, day: str | dt.date) -> Archive:
        """The releases known on a day, as an archive of their own; nothing later is in it."""
        day = to_date(day)
        return Archive._over(Until(self._store, day))

    def above(self, beneath: Archive) -> Archive:
        """This archive with the releases of another beneath; where both have one, this one's.

        What is added, accepted, replaced or retracted is so in this archive.
        """
        return Archive._over(Layered(self._store, beneath._store))

    def _held(self, date: str | dt.date, dataset: str = STATES) -> Kept:
        return found(self._store, date, dataset)


def _span(dates: tuple[dt.date, ...]) -> str:
    return f"{dates[0]} to {dates[-1]}" if len(dates) > 1 else str(dates[0])
