"""The public record: what was forecast on which day, and what came.

``record.csv`` only grows. One line a forecast of a place and month, and later one line for the
count that came: once as first published (*provisional*, judged by nothing, for it is too low) and
once when it is *settled*, at least 12 months old in the release it is taken from. A count is a
fact about a place and month, not about one of the forecasts of it, so it stands there once, and
which forecasts held it is worked out when the record is read. No line is ever changed: what was
made from figures that were retracted or replaced is *withdrawn* by a line of its own, and a right
count is written behind the wrong one (:mod:`odforecast.updating.withdrawn`).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.forecast import Forecast
from odforecast.months import to_month
from odforecast.names import TARGET_12MO
from odforecast.panel import Panel
from odforecast.updating.chain import append_chained, read_chained

#: Months from the end of a period to the release that settles its count.
SETTLED_AGE = 12
FORECAST, CAME, WITHDRAWN = "forecast", "came", "withdrawn"
PROVISIONAL, SETTLED = "provisional", "settled"
#: Levels of the five columns of deaths.
LEVELS = {"low_90": 0.05, "low_50": 0.25, "median": 0.5, "high_50": 0.75, "high_90": 0.95}
#: Columns of the file before the check of the line.
COLUMNS = (
    "batch", "lines", "kind", "on", "release", "location", "month", "horizon",
    *LEVELS, "count", "status", "model", "spec", "version", "data", "seed", "draws",
)  # fmt: skip
#: What makes a forecast the same forecast; another line for it is not written.
KEY = ["release", "location", "month", "spec", "version", "data", "seed", "draws"]
_HEAD = ",".join((*COLUMNS, "check"))
_WHOLE = ("batch", "lines", "horizon", "seed", "draws")
_DATES = ("on", "release", "month")


def read(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a record, and check every line.

    Parameters
    ----------
    path : path
        ``record.csv``; if it does not exist, the table has no rows.

    Returns
    -------
    DataFrame
        One row a line: ``batch`` (number of the update), ``lines`` (how many lines that update
        wrote), ``kind`` (``"forecast"``, ``"came"`` or ``"withdrawn"``), ``on`` (UTC day of
        writing), ``release`` (the release forecast from, or the count is from), ``location`` (CDC
        code), ``month`` (end of the 12 months). Of a forecast: ``horizon`` (months after the last
        published one), ``low_90``, ``low_50``, ``median``, ``high_50``, ``high_90`` (deaths in 12
        months, once final), ``model``, ``spec`` (hash), ``version`` (of the package), ``data``
        (hash of the panel), ``seed``, ``draws``. Of what came: ``count`` and ``status``
        (``"provisional"`` or ``"settled"``). Of what is withdrawn: ``release`` and, of forecasts,
        ``data``; see
        :func:`standing`.

    Raises
    ------
    DataError
        With the number of the first line that is not as it was written.

    Examples
    --------
    >>> from odforecast.updating import read
    >>> read("no-such-folder/record.csv").empty
    True
    """
    found = read_chained(Path(path), _HEAD)
    rows = list(csv.reader(found.lines))
    for number, row in enumerate(rows, 2):
        if len(row) != len(COLUMNS):
            raise DataError(
                f"{path}, line {number}: {len(row) + 1} cells, not {len(COLUMNS) + 1}",
                hint="look for a newer version of odforecast",
            )
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype=str)
    for name in _WHOLE:
        table[name] = pd.to_numeric(table[name]).astype("Int64")
    for name in (*LEVELS, "count"):
        table[name] = pd.to_numeric(table[name]).astype(float)
    for name in _DATES:
        table[name] = pd.to_datetime(table[name]).astype("datetime64[s]")
    return table


def is_torn(path: str | os.PathLike[str]) -> bool:
    """Whether the end of a record was cut off while it was written: the next update clears it.

    Raises
    ------
    DataError
        As :func:`read`.
    """
    return read_chained(Path(path), _HEAD).torn


def standing(table: pd.DataFrame) -> pd.DataFrame:
    """Forecasts and counts of a record that were not withdrawn.

    A ``withdrawn`` line with ``data`` takes back the forecasts above it that were made from that
    release by that data; one without takes back the counts above it that are from that release.

    Parameters
    ----------
    table : DataFrame
        From :func:`read`, in the order of the file.

    Returns
    -------
    DataFrame
        Its rows of other kinds that stand, with their index.

    Examples
    --------
    >>> standing(read("no-such-folder/record.csv")).empty
    True
    """
    kept = (table["kind"] != WITHDRAWN).to_numpy(dtype=bool)
    place = np.arange(len(table))
    for at in np.flatnonzero(~kept):
        release, data = table["release"].iloc[at], table["data"].iloc[at]
        if data:
            of = (table["kind"] == FORECAST) & (table["data"] == data)
        else:
            of = table["kind"] == CAME
        kept &= ~((of & (table["release"] == release)).to_numpy(dtype=bool) & (place < at))
    return table[kept]


def lines_of(table: pd.DataFrame, forecast: Forecast, panel: Panel, on: dt.date) -> pd.DataFrame:
    """What an update adds to a record: forecasts that it lacks, and the counts that came.

    Parameters
    ----------
    table : DataFrame
        The record so far, from :func:`read`.
    forecast : Forecast
        Of all drugs; horizons 0 to the last are recorded, in deaths once final.
    panel : Panel
        The release it was made from, of all locations.
    on : datetime.date
        Today.

    Returns
    -------
    DataFrame
        As :func:`read` gives it; without rows if nothing is new.
    """
    made, held = forecast_lines(forecast, panel), standing(table)
    if not held.empty:
        there = held.loc[held["kind"] == FORECAST, KEY]
        both = made[KEY].merge(there.drop_duplicates(), on=KEY, how="left", indicator=True)
        made = made[(both["_merge"] == "left_only").to_numpy()]
    return batch_of(table, [_came_lines(held, panel), made], on)


def batch_of(table: pd.DataFrame, parts: Sequence[pd.DataFrame], on: dt.date) -> pd.DataFrame:
    """Lines, numbered as the next update of a record.

    Parameters
    ----------
    table : DataFrame
        The record so far.
    parts : sequence of DataFrame
        What :func:`typed` gives.
    on : datetime.date
        Today.
    """
    parts = [part for part in parts if len(part)]
    number = 1 if table.empty else int(table["batch"].max()) + 1
    day = pd.Timestamp(on).as_unit("s")
    lines = sum(map(len, parts))
    parts = [part.assign(batch=number, lines=lines, on=day) for part in parts]
    if not parts:
        return table.iloc[:0]
    return joined(parts).astype(table.dtypes.to_dict())


def joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Lines behind each other, column by column: some parts have no month at all.

    Parameters
    ----------
    parts : sequence of DataFrame
        One at least.
    """
    columns = {c: pd.concat([part[c] for part in parts], ignore_index=True) for c in parts[0]}
    return pd.DataFrame(columns)


def append(path: str | os.PathLike[str], new: pd.DataFrame) -> None:
    """Write what :func:`lines_of` gave at the end of a record.

    Raises
    ------
    DataError
        If a line there is not as it was written, or the file cannot be written to.
    """
    if new.empty:
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in new.to_dict("records"):
        writer.writerow([_cell(name, row[name]) for name in COLUMNS])
    append_chained(Path(path), _HEAD, text.getvalue().splitlines())


def forecast_lines(forecast: Forecast, panel: Panel) -> pd.DataFrame:
    """Lines of a forecast, whatever a record holds.

    Parameters
    ----------
    forecast : Forecast
    panel : Panel
        The release it was made from, of all locations.
    """
    ahead = np.flatnonzero(forecast.horizons >= 0)
    values = forecast.quantiles(list(LEVELS.values()), TARGET_12MO)[:, :, ahead]
    said = forecast.provenance
    n_loc = len(forecast.locations)
    rows: dict[str, Any] = {
        "kind": FORECAST,
        "release": pd.Timestamp(said["release"]),
        "location": np.repeat(forecast.locations, ahead.size),
        "month": np.tile(forecast.months[ahead].astype("datetime64[s]"), n_loc),
        "horizon": np.tile(forecast.horizons[ahead], n_loc),
    }
    rows |= {name: np.round(v.ravel(), 1) for name, v in zip(LEVELS, values, strict=True)}
    rows |= {
        "status": "",
        "model": said["label"],
        "spec": said["spec_hash"],
        "version": said["odforecast"],
        "data": panel.data_hash,  # of the whole release, whatever places were asked for
        "seed": int(said["seed"]),
        "draws": len(forecast.draws),
    }
    table = pd.DataFrame(rows)
    # A place whose earlier counts are hidden has no 12-month count for a while.
    table = table[table["median"].notna()].reset_index(drop=True)
    return typed(table)


def _came_lines(held: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """Counts of a release that answer forecasts made from earlier ones, and are not there yet."""
    release = pd.Timestamp(panel.release)
    made = held[(held["kind"] == FORECAST) & (held["release"] < release)]
    wanted = made.groupby(["location", "month"])["horizon"].max().reset_index()
    came = held[held["kind"] == CAME]
    there = set(zip(came["location"], came["month"], came["status"]))
    rows = []
    for place, stamp, ahead in zip(*(wanted[c] for c in ("location", "month", "horizon"))):
        count, status = count_in(panel, place, stamp)
        if not np.isfinite(count) or (place, stamp, status) in there:
            continue
        if status == PROVISIONAL and ahead < 1:
            continue  # it was published before anything was forecast
        rows.append((release, place, stamp, count, status))
    return came_lines(rows)


def count_in(panel: Panel, place: str, stamp: pd.Timestamp) -> tuple[float, str]:
    """The count of a place and month in a release (NaN where it has none), and its status.

    Parameters
    ----------
    panel : Panel
    place : str
    stamp : Timestamp
        End of the 12 months.
    """
    month = to_month(stamp)
    column = int((month - panel.months[0]).astype(int))
    age = int((np.datetime64(panel.release, "M") - month).astype(int))
    status = SETTLED if age >= SETTLED_AGE else PROVISIONAL
    if place not in panel.locations or not 0 <= column < panel.months.size:
        return float("nan"), status
    return float(panel.reported[panel.locations.index(place), column]), status


def came_lines(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """Lines of counts that came.

    Parameters
    ----------
    rows : sequence of tuple
        Release, location, month, count, status.
    """
    found = pd.DataFrame(rows, columns=["release", "location", "month", "count", "status"])
    return typed(found.assign(kind=CAME, model="", spec="", version="", data=""))


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Columns as :func:`read` gives them.

    Parameters
    ----------
    table : DataFrame
        Some of them.
    """
    out = table.reindex(columns=list(COLUMNS))
    for name in _WHOLE:
        out[name] = out[name].astype("Int64")
    for name in (*LEVELS, "count"):
        out[name] = out[name].astype(float)
    for name in _DATES:
        out[name] = out[name].astype("datetime64[s]")
    return out


def _cell(name: str, value: Any) -> str:
    """A value as it stands in the file; nothing where there is none."""
    if pd.isna(value):
        return ""
    if name == "month":
        return f"{value:%Y-%m}"
    if name in ("on", "release"):
        return f"{value:%Y-%m-%d}"
    if name in LEVELS:
        return f"{value:.1f}"
    return f"{value:.0f}" if name in ("count", *_WHOLE) else str(value)
