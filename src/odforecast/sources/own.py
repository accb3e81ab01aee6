"""A state's own monthly counts: a small table of the health department's, CSV or Excel."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.months import month_end, readings
from odforecast.say import day_name
from odforecast.sources.columns import (
    BadCell,
    Column,
    Parser,
    Table,
    count,
    letters,
    needed,
)
from odforecast.sources.read import Limits, read_raw

#: A state has some hundred months, and some days for each.
LIMITS = Limits(size=20_000_000)
_FIRST = np.datetime64("1900-01")
_LAST = np.datetime64("2200-12")
_WHOLE = "write the deaths of that month as a whole number; a suppressed month cannot be used"


def _deaths(text: str) -> float | BadCell:
    value = count(text)
    return BadCell(value.reason, _WHOLE) if isinstance(value, BadCell) else value


_PLACE = needed(str, hint="name the place")
COLUMNS = (
    Column("location", "location", parse=_PLACE),
    Column("state", "state", parse=_PLACE),
    Column("month", "month"),
    Column("deaths", "deaths", parse=needed(_deaths, "is not a number", hint=_WHOLE)),
    Column("as_of", "as_of"),
    Column("basis", "basis"),
    Column("indicator", "indicator"),
)
_HEADS = frozenset().union(*(column.heads() for column in COLUMNS))


def read_own_counts(path: str | Path, limits: Limits | None = None) -> pd.DataFrame:
    """Read a state's own monthly counts.

    Parameters
    ----------
    path : path
        CSV (gzip or not; commas, tabs or semicolons), Excel or Parquet; one sheet of several is
        ``FILE.xlsx:Sheet``. Titles may stand above the header. Columns ``location`` (or ``state``),
        ``month``, ``deaths``, and optionally ``as_of`` (a day), ``basis``, ``indicator``; other
        columns are not read. A month is written as ``2025-06``, ``June 2025``, ``Jun-25``,
        ``06/2025``, or as its first or last day (``2025-06-30``, ``6/1/2025``); ``05/06/2025`` is
        refused where the other cells do not tell the month from the day.
    limits : Limits, optional
        How large a file may be; default: 20 MB.

    Returns
    -------
    DataFrame
        One row per row of the file: ``location`` (str, as it is), ``month`` (datetime64[s]),
        ``deaths`` (float, whole), and those of the other columns that the file has (str; blank
        where it is; days as ``2025-09-01``).

    Raises
    ------
    DataError
        If the file is damaged, a column is missing, or a cell is not a month, a count or a day;
        names the row.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from odforecast.sources.own import read_own_counts
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "ohio.csv"
    ...     _ = path.write_text("Location,Month,Deaths\\nOhio,2025-05,182\\nOhio,Jun-25,171\\n")
    ...     read_own_counts(path)["deaths"].tolist()
    [182.0, 171.0]
    """
    try:
        raw = read_raw(
            path,
            limits or LIMITS,
            header=lambda row: len(_HEADS & set(map(letters, row))) > 1,
        )
        table = Table(
            raw,
            COLUMNS,
            needs=(("location", "state"), "month", "deaths"),
            others=True,
            what="a table with the columns location, month, deaths (and, if there, as_of, basis, "
            "indicator)",
        )
        table.refuse_open_end()
    except DataError as error:
        raise _of_counts(error) from error
    table.refuse_commas("deaths")
    months = table.values("month", _dates(table, "month"), "datetime64[M]")
    frame = pd.DataFrame(
        {"location": table.texts("location" if "location" in table else "state")}
    )
    frame["month"] = months.astype("datetime64[s]")
    frame["deaths"] = table.values("deaths")
    for name in ("as_of", "basis", "indicator"):
        if name in table:
            frame[name] = table.texts(
                name, _dates(table, name) if name == "as_of" else None
            )
    return frame


def _of_counts(error: DataError) -> DataError:
    """The same refusal, of a file that nobody has downloaded and that is not a release."""
    message = error.message.replace(
        "than any release", "than a table of counts can have"
    )
    hint = error.hint or ""
    if "line end" in hint:
        hint = "end the last line with a line end, if the file is whole"
    elif "CDC" in hint or "download" in hint:
        columns = "with the columns location, month, deaths and a row per month"
        hint = f"save it as CSV or .xlsx, {columns}"
    return DataError(message, hint or None)


def _dates(table: Table, name: str) -> Parser:
    """Parser of the months or days of a column, whose cells together tell month from day."""
    texts = table.cells[name].unique()
    of_months = name == "month"
    numbers = [re.match(r"([0-9]{1,2})[/-]([0-9]{1,2})[/-]", text) for text in texts]
    day_first = any(found and int(found[1]) > 12 for found in numbers)
    month_first = any(found and int(found[2]) > 12 for found in numbers) or (
        of_months and all(found is None or int(found[2]) == 1 for found in numbers)
    )

    def date(text: str) -> Any:
        found = readings(text)
        if len(found) > 1 and day_first == month_first:
            said = " or ".join(day_name(day.astype(dt.date)) for day in found)
            return BadCell(
                f"may be {said}", "write it as 2025-06-30, or a month as 2025-06"
            )
        one = found[-1 if day_first else 0] if found else np.datetime64("NaT", "Y")
        unit = np.datetime_data(one.dtype)[0]
        if not of_months:
            bad = BadCell("is not a day", "write it as 2025-09-01")
            return str(one) if unit == "D" else bad if text else ""
        month = one.astype("datetime64[M]")
        hint = "write it as 2025-06"
        if unit not in ("M", "D") or not _FIRST <= month <= _LAST:
            return BadCell("is not a month", hint)
        if unit == "D" and str(one)[-2:] not in ("01", str(month_end(month).day)):
            return BadCell("is a day within a month", hint)
        return month

    return date
