"""The table of counties: its columns, order, types, hash, and text form.

One row per county and month of one release, columns :data:`COUNTY_COLUMNS` in that order, rows
sorted by FIPS and month:

=================  ==================  ====================================================
column             type                meaning
=================  ==================  ====================================================
release            datetime64[ns]      release date; one per table
fips               str                 five digits, leading zero kept
state              str                 CDC code; New York City's five are ``YC``
county             str                 name as CDC writes it
month              datetime64[ns]      first day of the month that ends the 12-month period
deaths             float64             12-month-ending deaths of residents; NaN if blank
status             str                 ``ok``, ``suppressed`` (1 to 9) or ``missing``
percent_pending    float64             percent of death records pending investigation
completeness_note  str                 CDC's words on how complete earlier data were
urban              str                 ``1`` (large central metro) to ``6`` (noncore), or blank
=================  ==================  ====================================================
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.geography.places import by_fips
from odforecast.say import quoted
from odforecast.seeds import content_hash
from odforecast.sources.table import day_numbers

#: Columns of the table, in order.
COUNTY_COLUMNS = (
    "release", "fips", "state", "county", "month", "deaths", "status", "percent_pending",
    "completeness_note", "urban",
)  # fmt: skip
#: Codes of how urban a county is, from large central metro to noncore; blank where not said.
URBAN = ("1", "2", "3", "4", "5", "6", "")

_DAYS = ("release", "month")
_NUMBERS = ("deaths", "percent_pending")
_STATUSES = ("ok", "suppressed", "missing")


def canonical_counties(table: pd.DataFrame) -> pd.DataFrame:
    """Check a table of counties, fix its types, and sort it.

    Parameters
    ----------
    table : DataFrame
        Columns :data:`COUNTY_COLUMNS`, in any order.

    Returns
    -------
    DataFrame
        A sorted copy; equal tables in any row order give the same result.

    Raises
    ------
    DataError
        If a column is missing or unknown, a value is outside its column's domain, a county and
        month appear twice, or more than one release is in it.
    """
    names = [str(c) for c in table.columns]
    if sorted(names) != sorted(COUNTY_COLUMNS):
        missing = [c for c in COUNTY_COLUMNS if c not in names]
        extra = [c for c in names if c not in COUNTY_COLUMNS]
        raise DataError(
            f"no table of counties: missing {missing or 'nothing'}, unknown {extra or 'nothing'}",
            hint="read files with read_county",
        )
    if table.empty:
        raise DataError("the table has no rows", hint="a release has at least one")
    columns: dict[str, Any] = {}
    for name in COUNTY_COLUMNS:
        if name in _DAYS:
            unit = "D" if name == "release" else "M"
            days = pd.to_datetime(table[name]).to_numpy().astype(f"datetime64[{unit}]")
            columns[name] = days.astype("datetime64[ns]")
        elif name in _NUMBERS:
            columns[name] = table[name].to_numpy(dtype=float, na_value=np.nan)
        else:
            columns[name] = table[name].to_numpy(dtype=object)
    releases = np.unique(columns["release"])
    if releases.size != 1 or np.isnat(releases[0]):
        raise DataError(f"a table holds one release, got {releases.size}", hint="split it")
    if np.isnat(columns["month"]).any():
        raise DataError("a row has no month")
    known = by_fips()
    for name, allowed in (("status", _STATUSES), ("urban", URBAN), ("fips", known)):
        codes, found = pd.factorize(columns[name], use_na_sentinel=False)
        bad = np.array([value not in allowed for value in found])[codes]
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise DataError(f"row {row}: unknown {name} {quoted(str(columns[name][row]))}")
    state = pd.Series(columns["fips"]).map({fips: c.state for fips, c in known.items()})
    if (wrong := np.flatnonzero(state.to_numpy() != columns["state"])).size:
        row = int(wrong[0])
        raise DataError(f"row {row}: {columns['fips'][row]} lies in {state.iloc[row]}")
    blank = np.isnan(columns["deaths"])
    if (wrong := np.flatnonzero(blank == (columns["status"] == "ok"))).size:
        row = int(wrong[0])
        raise DataError(
            f"row {row}: deaths {columns['deaths'][row]} with status {columns['status'][row]!r}",
            hint="status is 'ok' exactly where there is a count",
        )
    with np.errstate(invalid="ignore"):
        deaths, pending = columns["deaths"], columns["percent_pending"]
        bad = (deaths < 0) | np.isinf(deaths) | (pending < 0) | (pending > 100)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(f"row {row}: deaths {deaths[row]}, percent pending {pending[row]}")
    order = np.lexsort((columns["month"], columns["fips"].astype("U5")))
    out = pd.DataFrame({name: columns[name][order] for name in COUNTY_COLUMNS})
    if (same := np.flatnonzero(out.duplicated(["fips", "month"]).to_numpy())).size:
        first = out.iloc[int(same[0])]
        raise DataError(
            f"two rows for {first['fips']}, {first['month']:%Y-%m}",
            hint="a release gives each number once",
        )
    return out


def county_hash(table: pd.DataFrame) -> str:
    """Content hash of a table of counties (as :func:`canonical_counties` returns it)."""
    parts: list[object] = []
    for name in COUNTY_COLUMNS:
        values = table[name].to_numpy()
        if name in _NUMBERS:
            values = values.astype("<f8")
            parts.append(np.where(np.isnan(values), np.nan, values) + 0.0)  # one NaN, one zero
        elif name in _DAYS:
            parts.append(day_numbers(table, name))
        else:
            # Names repeat from month to month: the codes and the distinct texts say it all.
            codes, texts = pd.factorize(values)
            parts += [codes.astype("<i8"), "\n".join(map(str, texts))]
    return content_hash("counties", *parts)


def county_text(table: pd.DataFrame) -> pd.DataFrame:
    """The table as people read it: months ``2024-07``, counts ``126``, blanks.

    Parameters
    ----------
    table : DataFrame
        As :func:`canonical_counties` returns it.

    Returns
    -------
    DataFrame
        The same columns and rows, all text.
    """
    out: dict[str, object] = {}
    for name in COUNTY_COLUMNS:
        values = table[name].to_numpy()
        if name in _NUMBERS:
            codes, unique = pd.factorize(values, use_na_sentinel=False)
            text = np.array(["" if np.isnan(x) else f"{x:.12g}" for x in unique], dtype=object)
            out[name] = text[codes]
        elif name in _DAYS:
            out[name] = values.astype(f"datetime64[{'M' if name == 'month' else 'D'}]").astype(str)
        else:
            out[name] = values
    return pd.DataFrame(out, columns=list(COUNTY_COLUMNS))
