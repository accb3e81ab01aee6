"""The canonical long table: its columns, order, types, hash, and text form.

One row per (release, location, month, indicator), columns
:data:`odforecast.names.TABLE_COLUMNS` in that order, rows sorted by indicator, location
(US first, then CDC codes alphabetically, NYC and Puerto Rico last) and month:

================  ==================  =====================================================
column            type                meaning
================  ==================  =====================================================
release           datetime64[ns]      release date; one per table
location          str                 hub code: two-digit FIPS, ``US`` or ``NYC``
state             str                 CDC code: postal abbreviation, ``US`` or ``YC``
month             datetime64[ns]      first day of the month that ends the 12-month period
indicator         str                 CDC's text
reported          float64             12-month-ending deaths (percent for one indicator)
predicted         float64             CDC's completeness-adjusted value; NaN if blank
percent_complete  float64             percent; ``99.5+`` is 99.5, a lower bound
percent_pending   float64             percent of death records pending investigation
status            str                 one of :data:`odforecast.names.STATUSES`
================  ==================  =====================================================
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography.places import LOCATIONS
from odforecast.names import ALL_DEATHS, ALL_DRUGS, STATUSES, SYNTHETIC_OPIOIDS, TABLE_COLUMNS
from odforecast.say import quoted
from odforecast.seeds import content_hash

PERCENT_SPECIFIED = "Percent with drugs specified"

#: Every indicator of the data set, in CDC's spelling.
INDICATORS: tuple[str, ...] = (
    ALL_DRUGS,
    ALL_DEATHS,
    PERCENT_SPECIFIED,
    "Opioids (T40.0-T40.4,T40.6)",
    SYNTHETIC_OPIOIDS,
    "Heroin (T40.1)",
    "Natural & semi-synthetic opioids (T40.2)",
    "Natural & semi-synthetic opioids, incl. methadone (T40.2, T40.3)",
    "Natural, semi-synthetic, & synthetic opioids, incl. methadone (T40.2-T40.4)",
    "Methadone (T40.3)",
    "Cocaine (T40.5)",
    "Psychostimulants with abuse potential (T43.6)",
)

_STATES = tuple(x.state for x in LOCATIONS)
_CODES = np.array([x.code for x in LOCATIONS], dtype=object)
_NUMBERS = ("reported", "predicted", "percent_complete", "percent_pending")


def to_date(value: object) -> dt.date:
    """A day from ``"2024-12-11"``, a date or a timestamp.

    Raises
    ------
    DataError
        If the value is no day; a month such as ``"2024-12"`` is none.

    Examples
    --------
    >>> to_date("2024-12-11")
    datetime.date(2024, 12, 11)
    """
    if value is not pd.NaT:  # which is a datetime, but no day
        if isinstance(value, dt.datetime):  # pandas timestamps too
            return value.date()
        if isinstance(value, dt.date):
            return value
    if isinstance(value, np.datetime64):
        value = str(value)[:10]
    text = str(value).strip()
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            pass
    raise DataError(f"{quoted(text)} is not a day", hint="write it as 2024-12-11")


def location_codes(states: NDArray[np.object_]) -> NDArray[np.object_]:
    """Hub codes of CDC codes.

    Examples
    --------
    >>> location_codes(np.array(["US", "AL", "YC"], dtype=object)).tolist()
    ['US', '01', 'NYC']
    """
    return _CODES[pd.Index(_STATES).get_indexer(pd.Index(states))]


def canonical(table: pd.DataFrame) -> pd.DataFrame:
    """Check a canonical table, fix its types, and sort it.

    Parameters
    ----------
    table : DataFrame
        Columns of :data:`odforecast.names.TABLE_COLUMNS`, in any order.

    Returns
    -------
    DataFrame
        A sorted copy; equal tables in any row order give the same result.

    Raises
    ------
    DataError
        If a column is missing or unknown, a value is outside its column's domain, a row
        appears twice, or more than one release is in it.
    """
    names = [str(c) for c in table.columns]
    if sorted(names) != sorted(TABLE_COLUMNS):
        missing = [c for c in TABLE_COLUMNS if c not in names]
        extra = [c for c in names if c not in TABLE_COLUMNS]
        raise DataError(
            f"not a canonical table: missing {missing or 'nothing'}, unknown {extra or 'nothing'}",
            hint="read files with read_vsrr",
        )
    if table.empty:
        raise DataError("the table has no rows", hint="a release has at least one")
    columns: dict[str, Any] = {
        "release": pd.to_datetime(table["release"]).to_numpy().astype("datetime64[ns]"),
        "month": pd.to_datetime(table["month"]).to_numpy().astype("datetime64[M]"),
    }
    for name in ("location", "state", "indicator", "status"):
        columns[name] = table[name].to_numpy(dtype=object)
    for name in _NUMBERS:
        columns[name] = table[name].to_numpy(dtype=float, na_value=np.nan)
    releases = np.unique(columns["release"])
    if releases.size != 1 or np.isnat(releases[0]):
        raise DataError(f"a table holds one release, got {releases.size}", hint="split it")
    ranks = {}
    for name, known in (("state", _STATES), ("indicator", INDICATORS), ("status", STATUSES)):
        ranks[name] = pd.Index(known).get_indexer(columns[name])
        if (unknown := np.flatnonzero(ranks[name] < 0)).size:
            raise DataError(f"row {unknown[0]}: unknown {name} {quoted(columns[name][unknown[0]])}")
    if np.isnat(columns["month"]).any():
        raise DataError("a row has no month")
    if (columns["location"] != location_codes(columns["state"])).any():
        raise DataError("location and state contradict each other")
    blank = np.isnan(columns["reported"])
    if (wrong := np.flatnonzero(blank == (columns["status"] == "ok"))).size:
        raise DataError(
            f"row {wrong[0]}: reported {columns['reported'][wrong[0]]} with status "
            f"{columns['status'][wrong[0]]!r}",
            hint="status is 'ok' exactly where there is a reported value",
        )
    for name in _NUMBERS:
        with np.errstate(invalid="ignore"):
            bad = np.flatnonzero((columns[name] < 0) | np.isinf(columns[name]))
        if bad.size:
            raise DataError(f"row {bad[0]}: {name} is {columns[name][bad[0]]}")
    stamps = columns["month"].astype(np.int64)
    order = np.lexsort((stamps, ranks["state"], ranks["indicator"]))
    key = np.stack([ranks["indicator"], ranks["state"], stamps])[:, order]
    if (same := np.flatnonzero((np.diff(key, axis=1) == 0).all(axis=0))).size:
        row = order[same[0]]
        raise DataError(
            f"two rows for {columns['state'][row]}, {columns['month'][row]}, "
            f"{columns['indicator'][row]}",
            hint="a release gives each number once",
        )
    columns["month"] = columns["month"].astype("datetime64[ns]")
    return pd.DataFrame({name: columns[name][order] for name in TABLE_COLUMNS})


def day_numbers(table: pd.DataFrame, name: str) -> NDArray[np.int64]:
    """A column of days as whole days, for a hash.

    Raises
    ------
    DataError
        If a release is no day, or a month not its first day, to the nanosecond: such a row would
        have the hash of the right one, and be found by no month.
    """
    values = table[name].to_numpy()
    days = values.astype(f"datetime64[{'M' if name == 'month' else 'D'}]")
    if (odd := np.flatnonzero(days != values)).size:
        raise DataError(f"row {odd[0]}: {name} is {values[odd[0]]}, a time within {days[odd[0]]}")
    return np.asarray(days.astype("datetime64[D]").astype("<i8"))


def table_hash(table: pd.DataFrame) -> str:
    """Content hash of a canonical table (as :func:`canonical` returns it)."""
    parts: list[object] = []
    for name in TABLE_COLUMNS:
        values = table[name].to_numpy()
        if name in _NUMBERS:
            values = values.astype("<f8")
            values = np.where(np.isnan(values), np.nan, values) + 0.0  # one NaN, one zero
            parts.append(values)
        elif name in ("release", "month"):
            parts.append(day_numbers(table, name))
        else:
            parts.append("\n".join(values.tolist()))
    return content_hash(*parts)


def to_text(table: pd.DataFrame) -> pd.DataFrame:
    """The canonical table as people read it: months ``2024-07``, counts ``126``, blanks.

    :func:`odforecast.sources.vsrr.read_vsrr` reads the CSV of it back to the same table.

    Parameters
    ----------
    table : DataFrame
        Canonical table.

    Returns
    -------
    DataFrame
        The same columns and rows, all text.
    """
    out: dict[str, object] = {}
    for name in TABLE_COLUMNS:
        values = table[name].to_numpy()
        if name in _NUMBERS:
            codes, unique = pd.factorize(values, use_na_sentinel=False)
            text = np.array([_number_text(float(x)) for x in unique], dtype=object)
            out[name] = text[codes]
        elif name in ("release", "month"):
            out[name] = values.astype(f"datetime64[{'M' if name == 'month' else 'D'}]").astype(str)
        else:
            out[name] = values
    return pd.DataFrame(out, columns=list(TABLE_COLUMNS))


def _number_text(value: float) -> str:
    if np.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() else repr(value)
