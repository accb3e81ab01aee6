"""The public record: what was forecast on which day, what came, and what it is worth.

``record.csv`` only grows. One line a forecast of a place and month, and later one line for the
count that came: once as first published (*provisional*, judged by nothing, for it is too low) and
once when it is *settled*, at least 12 months old in the release it is taken from. A count is a
fact about a place and month, not about one of the forecasts of it, so it stands there once, and
which forecasts held it is worked out when the record is read. No line is ever changed: what was
made from figures that were retracted or replaced is *withdrawn* by a line of its own, and a right
count is written behind the wrong one.

The first line names the columns; every other ends with 16 hex digits of a SHA-256 over the digits
of the line before (of the first line, for the second) and its own text. A line that was changed,
put in, taken out or moved no longer fits, and the reader says which. Who wants to deceive can
reckon the digits anew: against that helps only a copy in other hands, so publish the file.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.forecast import Forecast
from odforecast.months import to_month
from odforecast.names import DEFAULT_MODEL, TARGET_12MO
from odforecast.panel import Panel

#: Hex digits at the end of a line.
DIGITS = 16
_OPTIONS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
_RESTORE = "nobody edits a record: restore the file from a copy (its lines are only ever added to)"


@dataclass(frozen=True)
class Chained:
    """Lines of a file, each checked.

    Attributes
    ----------
    lines : tuple of str
        Without the digits; the first line, which names the columns, is not among them.
    link : str
        Digits that the next line builds on.
    size : int
        Bytes of the lines above; what stands behind them was cut off while it was written.
    torn : bool
        Whether there is such a rest.
    ended : bool
        Whether the last line has its line end.
    """

    lines: tuple[str, ...]
    link: str
    size: int
    torn: bool
    ended: bool


def link(before: str, text: str) -> str:
    """Digits of a line.

    Examples
    --------
    >>> link("", "a,b") == link("", "a,b") != link("0", "a,b")
    True
    """
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()[:DIGITS]


def read_chained(path: Path, head: str) -> Chained:
    """Read a file and check every line.

    Parameters
    ----------
    path : Path
        If it does not exist, or holds not even its first line, there are no lines.
    head : str
        The first line, as it must be.

    Raises
    ------
    DataError
        With the number of the first line that is not as it was written.
    """
    before = link("", head)
    nothing = Chained((), before, 0, torn=False, ended=True)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return nothing
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    pieces = content.split(b"\n")
    rest = pieces.pop()
    if not pieces:  # not one whole line: the very first write was cut off, or this is another file
        if not head.encode().startswith(rest):
            raise _edited(path, 1, "it does not name the columns of a record")
        return nothing if not rest else Chained((), before, 0, torn=True, ended=True)
    if _text(pieces[0]) != head:
        raise _edited(path, 1, "it does not name the columns of a record")
    lines, size = [], len(pieces[0]) + 1
    for number, piece in enumerate(pieces[1:], 2):
        found = _whole(piece, before)
        if found is None:
            raise _edited(path, number, "its check does not fit it and the lines before")
        before = link(before, found)
        lines.append(found)
        size += len(piece) + 1
    # A last line without its end is whole if its check fits: some editors take the end away.
    if rest and (found := _whole(rest, before)) is not None:
        return Chained((*lines, found), link(before, found), len(content), torn=False, ended=False)
    return Chained(tuple(lines), before, size, torn=bool(rest), ended=True)


def append_chained(path: Path, head: str, lines: list[str]) -> None:
    """Write lines at the end; what was there stays byte for byte.

    A rest that was cut off while it was written, and so never was a line, is cleared away.

    Raises
    ------
    DataError
        If a line there is not as it was written, or the file cannot be written to.
    """
    held = read_chained(path, head)
    start = "" if held.ended else "\n"
    if not held.size:
        start = f"{head}\n"
    before, text = held.link, []
    for line in lines:
        before = link(before, line)
        text.append(f"{line},{before}\n")
    content = (start + "".join(text)).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, _OPTIONS, 0o666)
        try:
            if held.torn:
                os.ftruncate(descriptor, held.size)
            os.lseek(descriptor, 0, os.SEEK_END)
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror or error}",
            hint="what was there is as it was; once it can be written to, run it again",
        ) from error


def _text(piece: bytes) -> str:
    # Git on Windows may put other line ends; what cannot be read is no line of a record.
    return piece.decode(errors="replace").removesuffix("\r")


def _whole(piece: bytes, before: str) -> str | None:
    """The text of a line whose digits fit; None for any other."""
    text, _, digits = _text(piece).rpartition(",")
    return text if digits == link(before, text) else None


def _edited(path: Path, number: int, why: str) -> DataError:
    return DataError(f"{path}, line {number}, is not as it was written: {why}", hint=_RESTORE)


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


def outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """Every forecast of a record beside what came.

    Parameters
    ----------
    table : DataFrame
        From :func:`read`.

    Returns
    -------
    DataFrame
        The rows of forecasts that stand, with ``came`` (deaths; the settled count where there is
        one, else the provisional, and of several the last; NaN), ``came_status``,
        ``came_release``, and ``inside_50`` and ``inside_90``: whether the settled count lies in the
        interval; missing before it is settled.

    Examples
    --------
    >>> from odforecast.updating import outcomes, read
    >>> outcomes(read("no-such-folder/record.csv")).columns[-1]
    'inside_90'
    """
    held = standing(table)
    made = held[held["kind"] == FORECAST].drop(columns=["count", "status"])
    came = held.loc[held["kind"] == CAME, ["location", "month", "count", "status", "release"]]
    came = came.rename(
        columns={"count": "came", "status": "came_status", "release": "came_release"}
    )
    keys = ["location", "month"]
    # "settled" sorts behind "provisional", and of each the line written last stands last.
    came = came.sort_values("came_status", kind="stable").drop_duplicates(keys, keep="last")
    both = made.merge(came, on=keys, how="left")
    # A count provisional at the origin is no outcome: the forecast says what it will be.
    known = (both["horizon"] <= 0).fillna(value=False) & (both["came_status"] == PROVISIONAL)
    both.loc[known, "came"] = np.nan
    both.loc[known, ["came_status", "came_release"]] = None
    judged = (both["came_status"] == SETTLED).to_numpy(dtype=bool)
    for name in ("50", "90"):
        inside = (both["came"] >= both[f"low_{name}"]) & (both["came"] <= both[f"high_{name}"])
        both[f"inside_{name}"] = pd.arrays.BooleanArray(inside.to_numpy(dtype=bool), ~judged)
    return both


def model_in_question(table: pd.DataFrame) -> str:
    """The model that a record is shown of: the default where it is in it, else the newest.

    Parameters
    ----------
    table : DataFrame
        From :func:`odforecast.updating.record.read`.

    Returns
    -------
    str
        As the record has it; empty if no forecast stands.
    """
    held = standing(table)
    models = held.loc[held["kind"] == FORECAST, "model"]
    if DEFAULT_MODEL in set(models):
        return DEFAULT_MODEL
    return str(models.iloc[-1]) if len(models) else ""


def one_each(found: pd.DataFrame, model: str) -> pd.DataFrame:
    """Of each release, place and month one forecast by a model: the newest.

    A release may be forecast again, with another seed or by another version: that is no second
    trial.

    Parameters
    ----------
    found : DataFrame
        From :func:`outcomes`.
    model : str

    Returns
    -------
    DataFrame
        Some of its rows.
    """
    mine: pd.DataFrame = found[found["model"] == model]
    return mine.drop_duplicates(["release", "location", "month"], keep="last")


def covered(found: pd.DataFrame, of: Sequence[str] = ("90", "50")) -> dict[str, tuple[int, int]]:
    """Of the settled counts, how many lie in each interval, and how many there are.

    Parameters
    ----------
    found : DataFrame
        From :func:`outcomes`.
    of : sequence of str
        Intervals.
    """
    judged = found[found["came_status"] == SETTLED]
    return {name: (int(judged[f"inside_{name}"].sum()), len(judged)) for name in of}
