"""Archive: every release ever loaded, and what was known on a day.

On disk an archive is a folder with one Parquet file per release,
``release=2024-12-11.parquet``. Files are written once and never changed: a release is
complete or absent, processes may add at the same time, and each file carries the hash of its
table, which is checked whenever it is read.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from odforecast.errors import ArchiveError, DataError
from odforecast.seeds import content_hash
from odforecast.sources.table import canonical, table_hash, to_date
from odforecast.sources.vsrr import Loaded, read_vsrr
from odforecast.vintage.archive_file import read_meta, read_release, write_release
from odforecast.vintage.vintage import Vintage

_FILE = re.compile(r"release=(\d{4}-\d{2}-\d{2})\.parquet")
#: CDC publishes every month: a longer silence means that the archive lacks releases.
_STALE_DAYS = 45


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
    (datetime.date(2025, 9, 17),)
    >>> archive.as_of("2025-12-01").note
    'the last release seen is 2025-09-17: asked for 2025-12-01, answered with it'
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path: Path | None = Path(path)
        self._tables: dict[dt.date, pd.DataFrame] = {}
        if self._path.exists() and not self._path.is_dir():
            raise ArchiveError(
                f"{self._path} is a file, not an archive folder",
                hint="give a folder, or read the file as a source",
            )

    @classmethod
    def in_memory(cls, tables: Mapping[str | dt.date, pd.DataFrame]) -> Archive:
        """An archive that lives in memory.

        Parameters
        ----------
        tables : mapping of date to DataFrame
            Canonical long tables by release date; copied.

        Raises
        ------
        ArchiveError
            If a table is not canonical, or is of another release than its date.
        """
        archive = cls._empty()
        for key, table in tables.items():
            archive._put(_checked(table, to_date(key)), source={})
        return archive

    @classmethod
    def _empty(cls) -> Archive:
        archive = cls.__new__(cls)
        archive._path = None
        archive._tables = {}
        return archive

    def __repr__(self) -> str:
        dates = self.releases()
        span = f"{len(dates)} releases, {dates[0]}..{dates[-1]}" if dates else "empty"
        return f"<Archive {self._path or 'in memory'}: {span}>"

    @property
    def path(self) -> Path | None:
        """Folder; None in memory."""
        return self._path

    def releases(self) -> tuple[dt.date, ...]:
        """Release dates, oldest first."""
        if self._path is None:
            return tuple(sorted(self._tables))
        if not self._path.is_dir():
            return ()
        found = (_FILE.fullmatch(entry) for entry in os.listdir(self._path))
        return tuple(sorted(_day(self._path, m) for m in found if m))

    @property
    def last_seen(self) -> dt.date | None:
        """The last release; None if the archive is empty."""
        dates = self.releases()
        return dates[-1] if dates else None

    @property
    def content_hash(self) -> str:
        """Hash of all releases: the same releases give the same hash, wherever they lie."""
        return content_hash(*(f"{d} {self._stored_hash(d)}" for d in self.releases()))

    @property
    def log(self) -> pd.DataFrame:
        """Every release, oldest first: ``release``, ``data_hash``, ``file``, ``sha256``."""
        rows = []
        for date in self.releases():
            source = self._stored_meta(date).get("source", {})
            rows.append((date, self._stored_hash(date), source.get("file", ""),
                         source.get("sha256", "")))  # fmt: skip
        return pd.DataFrame(rows, columns=["release", "data_hash", "file", "sha256"])

    def add(self, loaded: Loaded | str | os.PathLike[str]) -> bool:
        """Add one release, for good.

        Parameters
        ----------
        loaded : path or Loaded
            One of CDC's files, or what :func:`odforecast.sources.vsrr.read_vsrr` made of it.

        Returns
        -------
        bool
            True if it was added; False if the very same release was there already.

        Raises
        ------
        ArchiveError
            If the archive holds other numbers for that release date.
        """
        if not isinstance(loaded, Loaded):
            loaded = read_vsrr(Path(loaded))
        table = _checked(loaded.table, loaded.release)
        source = {"file": loaded.report.file, "sha256": loaded.report.sha256}
        return self._put(table, source)

    def source(self, date: str | dt.date) -> dict[str, str]:
        """Where a release came from: ``file`` and ``sha256`` of its bytes; empty in memory.

        Parameters
        ----------
        date : date or str
            Release date.

        Raises
        ------
        ArchiveError
            If the archive does not hold that release.
        """
        return dict(self._stored_meta(self._held(date)).get("source", {}))

    def data_hash(self, date: str | dt.date) -> str:
        """Content hash of a release; not its rows, only what its file says, is read.

        Parameters
        ----------
        date : date or str
            Release date.

        Raises
        ------
        ArchiveError
            If the archive does not hold that release.
        """
        return self._stored_hash(self._held(date))

    def release(self, date: str | dt.date, indicator: str | None = None) -> pd.DataFrame:
        """The table of one release.

        Parameters
        ----------
        date : date or str
            Release date; for a day between releases, see :meth:`as_of`.
        indicator : str, optional
            Only its rows are read; none are there if the release lacks it.

        Returns
        -------
        DataFrame
            Canonical long table; the caller's own copy.

        Raises
        ------
        ArchiveError
            If the archive does not hold that release, or its file is damaged.
        """
        return self._read(self._held(date), indicator)[0]

    def as_of(self, day: str | dt.date | None = None) -> Vintage:
        """What was known on a day: the newest release by then, never anything later.

        Parameters
        ----------
        day : date or str, optional
            ``"2024-12-11"``; default: the day of the last release. A release is known on its
            own day.

        Returns
        -------
        Vintage

        Raises
        ------
        ArchiveError
            If the archive holds nothing that old.
        """
        dates = self.releases()
        if not dates:
            raise ArchiveError(
                f"{self._path or 'the archive'} holds no release",
                hint="add one: odforecast data add FILE --archive DIR",
            )
        day = dates[-1] if day is None else to_date(day)
        known = [d for d in dates if d <= day]
        if not known:
            raise ArchiveError(
                f"nothing was known on {day}: the first release of the archive is {dates[0]}",
                hint=f"ask for {dates[0]} or later, or add an older release",
            )
        date = known[-1]
        note = None
        if day > date == dates[-1]:
            note = f"the last release seen is {date}: asked for {day}, answered with it"
        elif (day - date).days > _STALE_DAYS:
            note = (
                f"release {date} was {(day - date).days} days old on {day}; CDC publishes every "
                "month, so the archive lacks the releases between"
            )
        return Vintage(self, day, date, note)

    def until(self, day: str | dt.date) -> Archive:
        """The releases known on a day, as an archive of their own; nothing later is in it."""
        day = to_date(day)
        from odforecast.vintage.views import Until

        return Until(self, tuple(d for d in self.releases() if d <= day))

    # Storage

    def _put(self, table: pd.DataFrame, source: Mapping[str, str]) -> bool:
        date = table["release"].iloc[0].date()
        if self._path is None:
            if date not in self._tables:
                self._tables[date] = table
                return True
        else:
            if write_release(self._file(date), table, source):
                return True
        old, new = self._stored_hash(date), table_hash(table)
        if old != new:
            held = len(self._read(date)[0])
            raise ArchiveError(
                f"the archive holds other numbers for release {date}: {held:,} rows "
                f"(hash {old}) there, {len(table):,} rows (hash {new}) in the new one",
                hint="a release never changes: is the release date right, is one of them a "
                "subset? Keep a second version in an archive of its own",
            )
        return False

    def _file(self, date: dt.date) -> Path:
        assert self._path is not None
        return self._path / f"release={date}.parquet"

    def _held(self, date: str | dt.date) -> dt.date:
        date = to_date(date)
        if date not in (dates := self.releases()):
            near = min(dates, key=lambda d: abs(d - date), default=None)
            raise ArchiveError(
                f"{self._path or 'the archive'} holds no release {date}",
                hint="it is empty" if near is None else f"the nearest is {near}",
            )
        return date

    def _stored_meta(self, date: dt.date) -> dict[str, Any]:
        return {} if self._path is None else read_meta(self._file(date))

    def _stored_hash(self, date: dt.date) -> str:
        if self._path is None:
            return table_hash(self._tables[date])
        return str(self._stored_meta(date)["data_hash"])

    def _read(self, date: dt.date, indicator: str | None = None) -> tuple[pd.DataFrame, str]:
        if self._path is not None:
            return read_release(self._file(date), date, indicator)
        table = self._tables[date]
        digest = table_hash(table)
        if indicator is not None:
            table = table[table["indicator"] == indicator].reset_index(drop=True)
        return table.copy(), digest


def _checked(table: pd.DataFrame, date: dt.date) -> pd.DataFrame:
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


def _day(path: Path, found: re.Match[str]) -> dt.date:
    try:
        return dt.date.fromisoformat(found.group(1))
    except ValueError as error:
        raise ArchiveError(
            f"{path / found.group()}: {found.group(1)} is no day", hint="was it renamed?"
        ) from error
