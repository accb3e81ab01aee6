"""Views of archives: one that ends at a day, one with releases beneath."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pandas as pd

from odforecast.errors import ArchiveError
from odforecast.vintage.archive import Archive


class Until(Archive):
    """A view of an archive that ends at a day."""

    def __init__(self, archive: Archive, dates: tuple[dt.date, ...]) -> None:
        self._whole, self._dates = archive, dates
        self._path = archive.path
        self._tables = {}

    def releases(self) -> tuple[dt.date, ...]:
        """Release dates, oldest first."""
        return self._dates

    def _put(self, table: pd.DataFrame, source: Mapping[str, str]) -> bool:  # noqa: ARG002
        raise ArchiveError("this view of an archive is read only", hint="add to the archive itself")

    def _stored_meta(self, date: dt.date) -> dict[str, Any]:
        return self._whole._stored_meta(date)

    def _stored_hash(self, date: dt.date) -> str:
        return self._whole._stored_hash(date)

    def _read(self, date: dt.date, indicator: str | None = None) -> tuple[pd.DataFrame, str]:
        return self._whole._read(date, indicator)


class Layered(Archive):
    """A user's archive with further releases beneath; the user's copy comes first."""

    def __init__(self, upper: Archive, beneath: Archive) -> None:
        self._upper, self._beneath = upper, beneath
        self._path = upper.path
        self._tables = {}

    def releases(self) -> tuple[dt.date, ...]:
        """Release dates, oldest first."""
        return tuple(sorted({*self._upper.releases(), *self._beneath.releases()}))

    def _of(self, date: dt.date) -> Archive:
        return self._upper if date in self._upper.releases() else self._beneath

    def _put(self, table: pd.DataFrame, source: Mapping[str, str]) -> bool:
        return self._upper._put(table, source)

    def _stored_meta(self, date: dt.date) -> dict[str, Any]:
        return self._of(date)._stored_meta(date)

    def _stored_hash(self, date: dt.date) -> str:
        return self._of(date)._stored_hash(date)

    def _read(self, date: dt.date, indicator: str | None = None) -> tuple[pd.DataFrame, str]:
        return self._of(date)._read(date, indicator)
