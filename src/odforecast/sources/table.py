"""The canonical tables of states and of counties: columns, order, types, hash, and text form."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography.places import LOCATIONS, by_fips
from odforecast.names import (
    ALL_DEATHS,
    ALL_DRUGS,
    STATUSES,
    SYNTHETIC_OPIOIDS,
    TABLE_COLUMNS,
)
from odforecast.say import quoted
from odforecast.seeds import content_hash
from odforecast.sources.read import cell_text

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
#: Columns of the table of counties, in order.
COUNTY_COLUMNS = (
    "release",
    "fips",
    "state",
    "county",
    "month",
    "deaths",
    "status",
    "percent_pending",
    "completeness_note",
    "urban",
)
#: Codes of how urban a county is, from large central metro to noncore; blank where not said.
URBAN = ("1", "2", "3", "4", "5", "6", "")

_STATES = tuple(x.state for x in LOCATIONS)
_CODES = np.array([x.code for x in LOCATIONS], dtype=object)
#: Columns of days, and to which unit they are whole.
_DAYS = {"release": "D", "month": "M"}


class _Layout(NamedTuple):
    """Columns of a table, those of numbers (the count first), what a text may be, and the key."""

    columns: tuple[str, ...]
    numbers: tuple[str, ...]
    known: Mapping[str, Sequence[str]]
    key: tuple[str, ...]


@cache
def _layout(counties: bool) -> _Layout:
    if counties:
        known = {
            "status": ("ok", "suppressed", "missing"),
            "urban": URBAN,
            "fips": sorted(by_fips()),
        }
        return _Layout(
            COUNTY_COLUMNS,
            ("deaths", "percent_pending"),
            known=known,
            key=("fips", "month"),
        )
    numbers = ("reported", "predicted", "percent_complete", "percent_pending")
    known = {"state": _STATES, "indicator": INDICATORS, "status": STATUSES}
    return _Layout(
        TABLE_COLUMNS, numbers, known=known, key=("indicator", "state", "month")
    )


def to_date(value: object) -> dt.date:
    """A day from ``"2024-12-11"``, a date or a timestamp; a DataError otherwise, also for a month.

    >>> to_date("2024-12-11")
    datetime.date(2024, 12, 11)
    """
    if isinstance(value, dt.date) and not pd.isna(
        value
    ):  # NaT is a datetime, but not a day
        return value.date() if isinstance(value, dt.datetime) else value
    text = str(value)[:10] if isinstance(value, np.datetime64) else str(value).strip()
    with suppress(ValueError):
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return dt.date.fromisoformat(text)
    raise DataError(f"{quoted(text)} is not a day", hint="write it as 2024-12-11")


def location_codes(states: NDArray[np.object_]) -> NDArray[np.object_]:
    """Hub codes of CDC codes.

    >>> location_codes(np.array(["US", "AL", "YC"], dtype=object)).tolist()
    ['US', '01', 'NYC']
    """
    return _CODES[pd.Index(_STATES).get_indexer(pd.Index(states))]


def canonical(table: pd.DataFrame) -> pd.DataFrame:
    """Check a table of states or of counties, fix its types, and sort it."""
    layout = _layout("fips" in table)
    names = [str(c) for c in table.columns]
    if sorted(names) != sorted(layout.columns):
        missing = [c for c in layout.columns if c not in names] or "nothing"
        extra = [c for c in names if c not in layout.columns] or "nothing"
        said = f"not a canonical table: missing {missing}, unknown {extra}"
        raise DataError(said, hint="read files with read_release")
    if table.empty:
        raise DataError("the table has no rows", hint="a release has at least one")
    columns: dict[str, Any] = {}
    for name in layout.columns:
        if name in _DAYS:
            unit = "M" if name == "month" else "ns"
            columns[name] = (
                pd.to_datetime(table[name]).to_numpy().astype(f"datetime64[{unit}]")
            )
        elif name in layout.numbers:
            columns[name] = table[name].to_numpy(dtype=float, na_value=np.nan)
        else:
            columns[name] = table[name].to_numpy(dtype=object)
    releases = np.unique(columns["release"])
    if releases.size != 1 or np.isnat(releases[0]):
        raise DataError(
            f"a table holds one release, got {releases.size}", hint="split it"
        )
    if np.isnat(columns["month"]).any():
        raise DataError("a row has no month")
    ranks = {"month": columns["month"].astype(np.int64)}
    for name, known in layout.known.items():
        ranks[name] = pd.Index(known).get_indexer(columns[name])
        if (wrong := np.flatnonzero(ranks[name] < 0)).size:
            raise DataError(
                f"row {wrong[0]}: unknown {name} {quoted(columns[name][wrong[0]])}"
            )
    counted = layout.numbers[0]
    status = columns["status"]
    if (wrong := np.flatnonzero(np.isnan(columns[counted]) == (status == "ok"))).size:
        row = wrong[0]
        said = (
            f"row {row}: {counted} {columns[counted][row]} with status {status[row]!r}"
        )
        raise DataError(said, hint="status is 'ok' exactly where there is a count")
    for name in layout.numbers:
        most = 100.0 if name.startswith("percent") else np.finfo(float).max
        if (wrong := np.flatnonzero((columns[name] < 0) | (columns[name] > most))).size:
            raise DataError(f"row {wrong[0]}: {name} is {columns[name][wrong[0]]}")
    key = np.stack([ranks[name] for name in layout.key])
    order = np.lexsort(key[::-1])
    if (same := np.flatnonzero((np.diff(key[:, order], axis=1) == 0).all(axis=0))).size:
        row = order[same[0]]
        said = ", ".join(
            str(columns[name][row]) for name in layout.columns if name in layout.key
        )
        raise DataError(f"two rows for {said}", hint="a release gives each number once")
    columns["month"] = columns["month"].astype("datetime64[ns]")
    found = pd.DataFrame({name: columns[name][order] for name in layout.columns})
    if "fips" in found:
        state = found["fips"].map(
            {fips: county.state for fips, county in by_fips().items()}
        )
        if (wrong := np.flatnonzero(state != found["state"])).size:
            fips = found["fips"][wrong[0]]
            right = state[wrong[0]]
            said = found["state"][wrong[0]]
            raise DataError(f"{fips} lies in {right}, not in {said}")
    elif (
        found["location"].to_numpy() != location_codes(found["state"].to_numpy())
    ).any():
        raise DataError("location and state contradict each other")
    return found


def table_hash(table: pd.DataFrame) -> str:
    """Content hash of a table, as :func:`canonical` returns it."""
    counties = "fips" in table
    layout = _layout(counties)
    parts: list[object] = ["counties"] if counties else []
    for name in layout.columns:
        values = table[name].to_numpy()
        if name in layout.numbers:
            values = values.astype("<f8")
            parts.append(
                np.where(np.isnan(values), np.nan, values) + 0.0
            )  # one NaN, one zero
        elif name in _DAYS:
            days = values.astype(f"datetime64[{_DAYS[name]}]")
            if (odd := np.flatnonzero(days != values)).size:
                row = odd[0]
                # Such a row would have the hash of the right one, and be found by no month.
                raise DataError(
                    f"row {row}: {name} is {values[row]}, a time within {days[row]}"
                )
            parts.append(days.astype("datetime64[D]").astype("<i8"))
        elif counties:
            # Names repeat from month to month: the codes and the distinct texts say it all.
            codes, distinct = pd.factorize(values)
            parts += [codes.astype("<i8"), "\n".join(map(str, distinct))]
        else:
            parts.append("\n".join(values.tolist()))
    return content_hash(*parts)


def to_text(table: pd.DataFrame) -> pd.DataFrame:
    """The table as people read it, all text: months ``2024-07``, counts ``126``, blanks."""
    layout = _layout("fips" in table)
    out: dict[str, object] = {}
    for name in layout.columns:
        values = table[name].to_numpy()
        if name in layout.numbers:
            codes, unique = pd.factorize(values, use_na_sentinel=False)
            values = np.array([cell_text(float(x)) for x in unique], dtype=object)[
                codes
            ]
        elif name in _DAYS:
            values = values.astype(f"datetime64[{_DAYS[name]}]").astype(str)
        out[name] = values
    return pd.DataFrame(out)
