"""A state's own deaths: a table of counts by month, or a list with a row for each death."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography.places import called, code_of
from odforecast.months import ONE_MONTH, month_end, readings
from odforecast.say import month_name, number_of, quoted
from odforecast.sources.columns import BLANKS, BadCell, Table, count, needed
from odforecast.sources.read import Limits
from odforecast.sources.sheet import (
    FIRST,
    LAST,
    Sheet,
    Span,
    Term,
    date_parser,
    day_parser,
    month_parser,
    row_range,
    spans_of,
    words_of,
)

#: A list of deaths may have some hundred thousand rows.
LIMITS = Limits(size=100_000_000)
_WHOLE = "write the deaths of that month as a whole number; a suppressed month cannot be used"


def _deaths(text: str) -> float | BadCell:
    value = count(text)
    return BadCell(value.reason, _WHOLE) if isinstance(value, BadCell) else value


_OTHER_DATES = (
    "report reported type birth injury update updated received ending as by range"
)
_OTHER_COUNTS = (
    "rate rates percent pct per change cumulative rolling average mean predicted "
    "nonfatal non population cause manner place month date year type county city age "
    "12 twelve ytd visits ed emergency hospital hospitalizations ems calls"
)
TERMS = (
    Term(
        "location",
        "the place",
        "state, jurisdiction, place, geography, state name",
        parse=needed(str, hint="name the place"),
    ),
    Term(
        "year", "the year", words="year yr", without="month date fiscal", is_date=True
    ),
    Term(
        "month",
        "the month",
        words="month date period dod",
        without=_OTHER_DATES,
        is_date=True,
    ),
    Term(
        "deaths",
        "the deaths",
        "death, number, total, n, value",
        words="deaths count counts fatalities overdose overdoses od ods decedents",
        without=_OTHER_COUNTS,
        parse=needed(_deaths, "is not a number", hint=_WHOLE),
        is_sure=False,
    ),
    Term("as_of", "the day of the count"),
    Term("basis", "the definition"),
    Term("indicator", "the drugs"),
)
#: Chance of no death in the last days of a month below which a list ends within it.
_ENDS_WITHIN = 0.01
#: Rows of which one can tell that a table is a list.
_FIRST_ROWS = 1000
#: Values of a column of classes.
_MOST_CLASSES = 12


def read_own_counts(
    path: str | Path,
    limits: Limits | None = None,
    *,
    place: str = "",
    columns: Mapping[str, str] | None = None,
    date: str = "",
    where: Mapping[str, str] | None = None,
    say: Callable[[str], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Read a state's own monthly counts, or count a list of deaths by month.

    Parameters
    ----------
    path : path
        CSV (gzip or not; commas, tabs or semicolons), Excel or Parquet; one sheet of several is
        ``FILE.xlsx:Sheet``. Titles may stand above the header, totals and notes below. Columns
        ``location`` (or ``state``), ``month``, ``deaths``, and optionally ``as_of`` (a day),
        ``basis``, ``indicator``, also in other words: ``Month of death``, ``Year`` and ``Month``,
        ``Overdose deaths``. A wide table has months or years side by side. A month is written as
        ``2025-06``, ``June 2025``, ``Jun-25``, ``06/2025``, or as its first or last day
        (``2025-06-30``, ``6/1/2025``); ``05/06/2025`` is refused where the other cells do not tell
        the month from the day. Of a list of deaths, only the dates are kept.
    limits : Limits, optional
        How large a file may be; default: 100 MB.
    place : str
        The place of a list, and of a table without a column of places.
    columns : mapping of str to str, optional
        Headers, by what the columns are: ``{"deaths": "Confirmed OD"}``.
    date : str
        The column of dates of a list. Without it, a table without a column of deaths is a list
        if it has several days of a month.
    where : mapping of str to str, optional
        Only rows with a value in a column: ``{"Manner": "Accident"}``; case does not matter.
    say : callable, optional
        Gets a sentence about what was read and what was left out.
    warn : callable, optional
        Gets a sentence if some dates of a list are of the report.

    Returns
    -------
    DataFrame
        One row per month and place: ``location`` (str, as it is), ``month`` (datetime64[s]),
        ``deaths`` (float, whole), and those of the other columns that the file has (str; blank
        where it is; days as ``2025-09-01``).

    Raises
    ------
    DataError
        If the file is damaged, a column is missing or may be one of two, or a cell is not a month,
        a count or a day; names the row. No cell of a list is repeated.

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
    chosen = {**(columns or {})}
    if date:
        chosen["month"] = date
    where = where or {}
    try:
        sheet = Sheet(
            path,
            limits or LIMITS,
            terms=TERMS,
            chosen=chosen,
        )
        for header, value in where.items():
            _keep(sheet, header, value=value)
        spans = spans_of(sheet.headers)
        if date or (not spans and _is_list(sheet)):
            frame, sentences = _count_list(sheet, place)
        else:
            frame, sentences = _read_table(sheet, spans, place=place)
    except DataError as error:
        raise _of_counts(error) from error
    text, *doubts = [f"{sheet.name}: {sentence}" for sentence in sentences]
    if say is not None:
        say(text)
    if warn is not None:
        for doubt in doubts:
            warn(doubt)
    return frame


def _of_counts(error: DataError) -> DataError:
    """The same refusal, of a file that nobody has downloaded and that is not a release."""
    message = error.message.replace(
        "than any release", "than a table of counts can have"
    )
    hint = error.hint or ""
    if "line end" in hint:
        hint = "end the last line with a line end, if the file is whole"
    elif "is a day within" in message:
        hint = "write it as 2025-06; in a list of deaths, name the dates: --date COLUMN"
    elif "where the header has" in message:
        hint = "delete the row if it is a note, or complete it"
    elif "CDC" in hint or "download" in hint:
        columns = "with the columns location, month, deaths and a row per month"
        hint = f"save it as CSV or .xlsx, {columns}"
    return DataError(message, hint or None)


def are_counts(headers: Collection[str]) -> bool:
    """Whether headers are those of a table of counts by month."""
    needed = [term for term in TERMS if term.name in ("month", "deaths")]
    return all(any(map(term.fits, headers)) for term in needed)


# Tables of counts


def _read_table(
    sheet: Sheet, spans: Mapping[int, Span], place: str
) -> tuple[pd.DataFrame, list[str]]:
    """A table of counts by month, long or wide, and what was read."""
    location = _find_location(sheet, place)
    if spans:
        table, columns = _wide(sheet, spans, location=location, place=place)
    else:
        table, columns = _long(sheet, location, place=place)
    table.refuse_open_end()
    table.refuse_commas("deaths")
    months = table.values("month", month_parser(table.cells["month"]), "datetime64[M]")
    frame = pd.DataFrame({"location": table.texts("location")})
    frame["month"] = months.astype("datetime64[s]")
    frame["deaths"] = table.values("deaths")
    for name in ("as_of", "basis", "indicator"):
        if name in table:
            days = day_parser(table.cells[name]) if name == "as_of" else None
            frame[name] = table.texts(name, days)
    of_place = f" in {called(code_of(place))}" if location is None else ""
    text = f"read {number_of(len(frame), 'month')} of deaths{of_place} from {columns}"
    rows = row_range(dict.fromkeys(table.rows))
    return frame, ["; ".join([f"{text}, {rows}", *sheet.left_out])]


def _find_location(sheet: Sheet, place: str) -> int | None:
    """Where the places are; None if all counts are of the one that was asked for."""
    position = sheet.find("location")
    if position is None and not place:
        raise DataError(
            f"{sheet.name}: no column for the place; it has {sheet.present()}",
            hint="name one place in the command (--locations Ohio), or add a column location",
        )
    return position


def _places(sheet: Sheet, location: int | None, place: str) -> list[str]:
    return [place] * len(sheet) if location is None else sheet.cells(location)


def _long(sheet: Sheet, location: int | None, place: str) -> tuple[Table, str]:
    """A table with a row for each month, and its columns in words."""
    month = sheet.require("month")
    year = sheet.find("year")
    deaths = sheet.require("deaths")
    sheet.leave_out({0, year, month, location} - {deaths}, {deaths})
    months = sheet.cells(month)
    if year is not None:
        months = list(map(_joined, months, sheet.cells(year)))
    cells = {"location": _places(sheet, location, place), "month": months}
    positions = {"location": location, "month": month, "deaths": deaths}
    for name in ("as_of", "basis", "indicator"):
        positions[name] = sheet.find(name)
    table = sheet.table(positions, cells)
    used = [sheet.headers[i] for i in (year, month, deaths) if i is not None]
    *firsts, last = [quoted(header, 40) for header in used]
    return table, f"{', '.join(firsts)} and {last}"


def _wide(
    sheet: Sheet, spans: Mapping[int, Span], location: int | None, place: str
) -> tuple[Table, str]:
    """A table with months or years side by side; a blank cell is a month without a count."""
    kind = next(iter(spans.values())).kind
    texts = [span.text for span in spans.values()]
    if kind == "month" and texts != sorted(texts):
        raise DataError(
            f"{sheet.name}: the months are not in the order of the calendar",
            hint="write a row for each month, with the columns month and deaths",
        )
    label = None
    if kind != "both":
        label = sheet.find("year" if kind == "month" else "month") or 0
    sheet.leave_out({0, label, location} - {*spans}, spans)
    places = _places(sheet, location, place)
    parts = []
    for position, span in spans.items():
        months = [span.text] * len(sheet)
        if label is not None and kind == "month":
            months = [_joined(span.text, year) for year in sheet.cells(label)]
        elif label is not None:
            months = [_joined(month, span.text) for month in sheet.cells(label)]
        part = {"location": places, "month": months, "deaths": sheet.cells(position)}
        parts.append(pd.DataFrame(part, index=sheet.raw.rows))
    cells = pd.concat(parts).sort_index(kind="stable")
    cells = cells[cells["deaths"] != ""]
    rows = cells.index.to_numpy()
    table = sheet.table_of(cells.reset_index(drop=True), rows, key=("month",))
    heads = [quoted(sheet.headers[i], 40) for i in spans]
    return table, f"columns {heads[0]} to {heads[-1]}"


def _joined(month: str, year: str) -> str:
    """A month and a year in one text; a month of that year stays as it is."""
    years = {str(date)[:4] for date in readings(month)}
    if years:
        return month if year in years else f"{month} in {year}"
    if not year:
        return f"{month} without a year"
    return f"{month}/{year}" if month.isdigit() else f"{month} {year}"


# Lists of deaths


def _is_list(sheet: Sheet) -> bool:
    """Whether a table has a row for each death: no counts, and several days in a month."""
    if sheet.find("deaths") is not None:
        return False
    position = sheet.find("month")
    if position is None:
        return False
    dates = [readings(text) for text in sheet.cells(position)[:_FIRST_ROWS]]
    days = {str(date[0]) for date in dates if date}
    return len(days) > len({day[:7] for day in days})


def _count_list(sheet: Sheet, place: str) -> tuple[pd.DataFrame, list[str]]:
    """Deaths of a list by month. Only dates are read, and no cell is in a message."""
    if not place or "location" in sheet.chosen:
        raise DataError(
            f"{sheet.name}: a list of deaths is counted for one place",
            hint="name it in the command (--locations Connecticut); --where chooses rows",
        )
    position = sheet.require("month")
    header = quoted(sheet.headers[position], 40)
    days = np.sort(_days_of_list(sheet, position, header=header))
    months = days.astype("datetime64[M]")
    counts = np.bincount((months - months[0]).astype(int)).astype(float)
    grid = np.arange(months[0], months[-1] + ONE_MONTH)
    n_blank = len(sheet) - days.size
    if n_blank:
        sheet.left_out.append(f"{number_of(n_blank, 'row')} without a date left out")
    # A list that was made within a month has a part of its deaths.
    rest = (month_end(months[-1]) - days[-1].astype(dt.date)).days
    a_day = days.size / ((days[-1] - days[0]).astype(int) + 1)
    if math.exp(-a_day * rest) < _ENDS_WITHIN and grid.size > 1:
        sheet.left_out.append(f"the list ends in {month_name(grid[-1])}, left out")
        grid = grid[:-1]
        counts = counts[:-1]
    n_deaths = number_of(int(counts.sum()), "death")
    text = (
        f"counted {n_deaths} in {called(code_of(place))} by month of {header}, "
        f"{month_name(grid[0])} to {month_name(grid[-1])}"
    )
    sentences = ["; ".join([text, *sheet.left_out])]
    late = _reported(sheet, position)
    if late:
        sentences.append(
            f"{late} of the dates are of the report, not of the death, so some deaths "
            "may be counted in a later month"
        )
    month = grid.astype("datetime64[s]")
    frame = pd.DataFrame({"location": place, "month": month, "deaths": counts})
    return frame, sentences


def _days_of_list(sheet: Sheet, position: int, header: str) -> NDArray[np.datetime64]:
    """The dates of a list; rows without one are left out."""
    texts = sheet.cells(position)
    read = date_parser(texts)
    dates = {text: read(text) for text in set(texts) if text.lower() not in BLANKS}
    days = []
    for row, text in zip(sheet.raw.rows, texts):
        date = dates.get(text)
        if date is None:
            continue
        reason = "may be two days" if isinstance(date, BadCell) else _bad_date(date)
        if reason:
            raise DataError(
                f"{sheet.name} row {row}: the cell in {header} {reason}",
                hint="write days as 2025-06-30, or name another column with --date",
            )
        is_day = np.datetime_data(date.dtype)[0] == "D"
        days.append(date if is_day else month_end(date))
    if not days:
        raise DataError(
            f"{sheet.name}: no date in {header}",
            hint="name another column with --date",
        )
    return np.array(days, dtype="datetime64[D]")


def _bad_date(date: np.datetime64) -> str:
    """Why a date does not name one month; empty if it does."""
    if np.isnat(date) or not FIRST <= date.astype("datetime64[M]") <= LAST:
        return "is not a date"
    return "is a year" if np.datetime_data(date.dtype)[0] == "Y" else ""


def _reported(sheet: Sheet, position: int) -> str:
    """The share of dates that are of a report, where the list says so; empty where it does not."""
    if "report" in sheet.headers[position].lower():
        return "100%"
    for i, header in enumerate(sheet.headers):
        texts = [text.lower() for text in sheet.cells(i)]
        n_reported = sum("report" in text for text in texts)
        about_dates = i != position and "date" in words_of(header)
        if about_dates and n_reported and len(set(texts)) <= _MOST_CLASSES:
            return f"{n_reported / len(texts):.0%}"
    return ""


# Rows


def _keep(sheet: Sheet, header: str, value: str) -> None:
    """Keep the rows that have a value in a column."""
    texts = [text.lower() for text in sheet.cells(sheet.position(header))]
    rows = np.array([text == value.lower() for text in texts])
    if not rows.any():
        message = f"no row has {quoted(value, 40)} in {quoted(header, 40)}"
        raise DataError(f"{sheet.name}: {message}", "check the column and the value")
    n_others = int((~rows).sum())
    if n_others:
        header = quoted(header, 40)
        text = f"{number_of(n_others, 'row')} with another {header} left out"
        sheet.left_out.append(text)
    sheet.keep(rows)
