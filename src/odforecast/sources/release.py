"""A release of either data set, told apart by its columns: states' counts or counties'."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

from odforecast.errors import DataError
from odforecast.say import listed
from odforecast.sources import county, vsrr
from odforecast.sources.columns import letters
from odforecast.sources.county import Counties
from odforecast.sources.own import are_counts
from odforecast.sources.read import Limits, RawFile, read_raw, semicolons
from odforecast.sources.vsrr import Loaded

#: A release read from a file.
Release = Loaded | Counties

#: Columns that only the one or the other has, letters only.
_COUNTIES = frozenset(
    {"fips", "countyname", "countyfips", "provisionaldrugoverdosedeaths"}
)
_STATES = frozenset({"indicator", "datavalue", "state", "statename", "year", "month"})
#: Columns of a header, at least.
_LEAST_COLUMNS = 3


def read_release(
    path: str | Path, release: str | dt.date | None = None, limits: Limits | None = None
) -> Release:
    """Read one release of CDC's provisional counts: by state (``xkb8-kh2a``) or by county.

    Parameters
    ----------
    path : path
        A file in any form that :func:`odforecast.sources.vsrr.read_vsrr` and
        :func:`odforecast.sources.county.read_county` read; titles may stand above its header.
    release : date or str, optional
        Release date. Default: the date the file name starts with; for counties, else the day
        the data are of.
    limits : Limits, optional
        How large a file may be; default: beyond any release.

    Raises
    ------
    DataError
        If the file is neither, or cannot be trusted.
    """
    raw = read_raw(path, limits, header=_is_header)
    if raw.separator == ";":
        raise semicolons(raw.name)
    return interpret(raw, release)


def _is_header(row: list[str]) -> bool:
    """Whether a row names columns of a release; titles may stand above it."""
    known = (_STATES | _COUNTIES) & set(map(letters, row))
    return len(known) >= _LEAST_COLUMNS or are_counts(row)


def interpret(raw: RawFile, release: str | dt.date | None = None) -> Release:
    """The release in raw cells; see :func:`read_release`."""
    headers = {letters(str(header)) for header in raw.cells.columns}
    if headers & _COUNTIES:
        return county.interpret(raw, release)
    if "indicator" not in headers and are_counts(raw.cells.columns):
        message = f"{raw.name}: a state's own counts, not a release of CDC's"
        hint = f"use them in a forecast: odforecast forecast PLACE --counts {raw.name}"
        raise DataError(message, hint)
    if not headers & _STATES:
        columns = listed(raw.cells.columns, 6)
        # Without a header, the first row may be about a person.
        if any(re.search("[0-9]", header) for header in headers):
            columns = "other columns, or no header"
        said = "neither CDC's counts by state (State, Year, Month, Indicator, Data Value) nor by "
        said += "county (FIPS, Year, Month, Provisional Drug Overdose Deaths): it has "
        hint = "download one of the two from data.cdc.gov: xkb8-kh2a, gb4e-yj24"
        raise DataError(f"{raw.name}: {said}{columns}", hint)
    return vsrr.interpret(raw, release)
