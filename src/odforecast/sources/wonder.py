"""CDC WONDER exports of monthly deaths: text or CSV, whatever was ticked when it was queried."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography.places import BY_KEY
from odforecast.months import readings
from odforecast.say import plain, quoted
from odforecast.sources.columns import (
    BadCell,
    Bools,
    Column,
    Table,
    Texts,
    among,
    number,
)
from odforecast.sources.read import (
    Limits,
    RawFile,
    delimited,
    filled,
    read_content,
    utf8,
)

_RANGE = re.compile(r"\b([A-Z])([0-9][0-9])(\.[0-9])?(?:-([A-Z])([0-9][0-9]))?\b")
_MONTH = re.compile(
    r"([A-Z][a-z]{2})\.?, ([0-9]{4})(?: \((provisional(?: and partial)?)\))?"
)
_DAY = r"[A-Z][a-z]+ [0-9]{1,2}, [0-9]{4}"
_RATE_WORDS = frozenset(
    {"not applicable", "suppressed", "unreliable", "not available", "missing"}
)
_AGAIN = "export it from CDC WONDER again"
#: WONDER answers with 75,000 rows at most.
LIMITS = Limits(size=50_000_000)
_MOST_ROWS = 200_000


def _rate(text: str) -> float | BadCell:
    if text.lower() in _RATE_WORDS:
        return math.nan
    value = number(text)
    if isinstance(value, BadCell) or value < 0:
        return BadCell("is not a number", _AGAIN)
    return value


def _count(text: str) -> float | BadCell:
    if text == "Suppressed":
        return math.nan
    value = number(text)
    whole = isinstance(value, float) and re.fullmatch(r"[0-9,]+", text)
    return value if whole else BadCell("is not a count of deaths", _AGAIN)


def _month(text: str) -> np.datetime64 | BadCell:
    match = _MONTH.fullmatch(text)
    months = readings(f"{match[1]} {match[2]}") if match else ()
    return months[0] if months else BadCell("is not a month", _AGAIN)


COLUMNS = (
    Column(
        "notes",
        "Notes",
        parse=among(("", "Total"), "is a note that is not known", hint=_AGAIN),
    ),
    Column("place", "State", headers=("residencestate", "occurrencestate")),
    Column("code", "State Code", headers=("residencestatecode", "occurrencestatecode")),
    Column("month", "Month", parse=_month),
    Column("month_code", "Month Code"),
    Column("year", "Year"),
    Column("year_code", "Year Code"),
    Column("cause", "Multiple Cause of death"),
    Column("cause_code", "Multiple Cause of death Code"),
    Column("deaths", "Deaths", parse=_count),
    Column("population", "Population", parse=_rate),
    Column("rate", "Crude Rate", parse=_rate),
    Column("adjusted", "Age Adjusted Rate", parse=_rate),
)

#: New York State with New York City, as CDC code and as hub code.
NEW_YORK = ("NY+YC", "36+NYC")


class Footer(NamedTuple):
    """What the footer of an export says."""

    definition: str
    official: bool
    group_by: str
    query_date: dt.date
    data_as_of: dt.date | None


@dataclass(frozen=True)
class WonderReport:
    """What was in an export."""

    file: str
    total_rows: int
    duplicates: int
    hidden: int
    places: tuple[str, ...]
    counted_by: str
    footer: Footer | None
    definition: str
    official: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Wonder:
    """A CDC WONDER export."""

    table: pd.DataFrame
    totals: pd.Series
    report: WonderReport


def us_months(export: Wonder) -> pd.DataFrame:
    """US deaths by month, with the range that hidden and suppressed cells leave open."""
    table = export.table
    if export.report.places == ("US",):
        deaths = table.set_index("month")["deaths"]
        return pd.DataFrame({"deaths": deaths, "low": deaths, "high": deaths})
    if len(export.report.places) != 51 and export.totals.empty:
        message = f"{len(export.report.places)} places do not make up the US"
        raise DataError(
            f"{export.report.file}: {message}", hint="export all 50 states and DC"
        )
    by_month = table.groupby("month")
    counted = by_month["deaths"].sum()
    suppressed = (table["status"] == "suppressed").groupby(table["month"]).sum()
    absent = 51 - by_month.size()
    low = counted + suppressed
    high = counted + 9.0 * (suppressed + absent)
    exact = export.totals.reindex(counted.index)
    low = exact.fillna(low)
    high = exact.fillna(high)
    return pd.DataFrame({"deaths": (low + high) / 2.0, "low": low, "high": high})


def _read_footer(name: str, lines: list[list[str]]) -> Footer:
    """Footer of an export, from its lines after the data."""
    text = "\n".join(" ".join(cell for cell in row if cell) for row in lines)
    pairs = re.findall(r"^(Dataset|Group By|Query Date): (.+)$", text, re.MULTILINE)
    fields = dict(reversed(pairs))  # of two lines the first
    if len(fields) < 3:
        message = "the footer is incomplete (no data set, grouping or query date)"
        raise DataError(
            f"{name}: {message}", f"the file is cut off or damaged; {_AGAIN}"
        )
    query = text[text.index("Dataset: ") : text.index("Group By: ")].replace("\n", " ")
    causes = {"UCD": "underlying", "MCD": "multiple"}
    basis = (
        " and ".join(word for code, word in causes.items() if code in query)
        or "unknown"
    )
    conditions = [_codes(part) for part in query.split("Codes: AND")]
    codes = [condition for condition in conditions if condition]
    words = f" {' and '.join(map(_ranges, codes))}" if codes else ", codes unknown"
    query_date = _day(name, fields["Query Date"])
    as_of = re.search(f"as of ({_DAY})", text)
    return Footer(
        definition=f"{basis} cause{words}",
        official=basis == "underlying" and codes == [OVERDOSE_CODES],
        group_by=fields["Group By"],
        query_date=query_date,
        data_as_of=_day(name, as_of[1]) if as_of else None,
    )


def _day(name: str, text: str) -> dt.date:
    """A day of a footer: ``Apr 21, 2025 4:56:10 PM``, ``April 21, 2025``."""
    match = re.match(_DAY, text)
    days = readings(match[0]) if match else ()
    if not days:
        raise DataError(
            f"{name}: the footer holds a wrong date: {quoted(text, 40)}", _AGAIN
        )
    return days[0].item()  # type: ignore[no-any-return]


def _codes(text: str) -> set[str]:
    """ICD-10 codes of a text, ranges in full."""
    codes = set()
    for letter, first, digit, last_letter, last in _RANGE.findall(text):
        start = int(first)
        end = start
        if last and last_letter == letter and not digit:
            end = int(last)
        codes |= {f"{letter}{n:02d}{digit}" for n in range(start, end + 1)}
    return codes


#: Underlying causes of the official definition of a drug-overdose death.
OVERDOSE_CODES = frozenset(_codes("X40-X44, X60-X64, X85, Y10-Y14"))


def _ranges(codes: set[str]) -> str:
    """Codes in order, runs joined.

    >>> _ranges({"X85", "X40", "X42", "X41", "T40.4"})
    'T40.4, X40-X42, X85'
    """
    runs: list[list[str]] = []
    for code in sorted(codes):
        if (
            runs
            and "." not in code
            and f"{code[0]}{int(code[1:]) - 1:02d}" == runs[-1][-1]
        ):
            runs[-1].append(code)
        else:
            runs.append([code])
    return ", ".join(r[0] if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs)


def read_wonder(path: str | Path, limits: Limits | None = None) -> Wonder:
    """Read one CDC WONDER export of monthly deaths, by state or for the US.

    Parameters
    ----------
    path : path
        Tab-separated text as WONDER exports it, or a CSV copy.
    limits : Limits, optional
        How large a file may be; default: 50 MB (WONDER gives 75,000 rows at most).

    Returns
    -------
    Wonder
        Table, totals and report.

    Raises
    ------
    DataError
        If the file is cut off, of another kind, or holds anything that cannot be trusted.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from odforecast.sources.wonder import read_wonder
    >>> text = "Notes,Month,Month Code,State,State Code,Deaths\\n"
    >>> text += ',"Jan., 2018",2018/01,Alabama,01,56\\n'
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "alabama.csv"
    ...     _ = path.write_text(text)
    ...     read_wonder(path).table[["location", "deaths", "status"]].values.tolist()
    [['01', 56.0, 'ok']]
    """
    content = read_content(path, limits or LIMITS)
    raw, footer = _read_export(content.name, utf8(content.name, content.data))
    table = Table(
        raw,
        COLUMNS,
        needs=("month", "month_code", "deaths"),
        what="a CDC WONDER export grouped by month (and state)",
    )
    by_occurrence = any(
        "occurrence" in str(header).lower() for header in raw.cells.columns
    )
    by_state = "place" in table
    if by_state != ("code" in table):
        table.require("place", "code")
    if footer is not None and by_state != ("state" in footer.group_by.lower()):
        column = "a state column" if by_state else "no state column"
        message = (
            f"the footer says it is grouped by {plain(footer.group_by)}, the header has"
        )
        raise DataError(f"{raw.name}: {message} {column}", _AGAIN)
    for name in ("population", "rate", "adjusted"):
        table.values(name)
    total = table.texts("notes") == "Total"
    if total.all():
        raise DataError(f"{raw.name}: only Total rows", _AGAIN)
    state = _states(table, total, by_occurrence=by_occurrence)
    month = _months(table, total)
    deaths = table.values("deaths")
    suppressed = np.isnan(deaths)
    table.refuse(total & suppressed, "deaths", "is not a count of deaths", _AGAIN)
    small = ~total & (state != "US") & (deaths > 0) & (deaths < 10)
    table.refuse(small, "deaths", "is 1 to 9, which WONDER never shows", _AGAIN)
    definition = _cause(table, total)
    official = False
    if footer is not None:
        definition = footer.definition
        official = footer.official
    rows = pd.DataFrame(
        {
            "location": [_code(code) for code in state],
            "state": state,
            "month": month.astype("datetime64[ns]"),
            "deaths": deaths,
            "status": np.where(suppressed, "suppressed", "ok").astype(object),
            "provisional": table.matches("month", r"\(.*\)$"),
            "partial": table.matches("month", r"\(.*partial\)$"),
            "definition": definition,
            "query_date": np.datetime64(footer.query_date if footer else "NaT", "ns"),
        }
    )
    totals = rows.loc[total, ["state", "month", "deaths"]]
    rows = rows[~total]
    exact = rows.duplicated()
    rows = rows[~exact]
    second = rows.index[rows.duplicated(["state", "month"])]
    table.refuse(second, "deaths", "is a second value for its state and month", _AGAIN)
    rows = rows.sort_values(["state", "month"], ignore_index=True)
    by_month = _check_totals(table, rows, totals=totals)
    places = tuple(dict.fromkeys(rows["state"]))
    hidden = len(places) * rows["month"].nunique() - len(rows)
    cells = f"{hidden} cells of {len(places)} places by month have no row"
    notes = {
        "no footer: cause and query date unknown, completeness unproven": footer
        is None,
        f"{cells}: zero, or hidden because suppressed": hidden > 0,
        "New York includes New York City (NY+YC)": NEW_YORK[0] in places,
        f"not the official definition of overdose deaths: {definition}": not official,
    }
    report = WonderReport(
        file=raw.name,
        total_rows=int(total.sum()),
        duplicates=int(exact.sum()),
        hidden=hidden,
        places=places,
        counted_by="occurrence" if by_occurrence else "residence",
        footer=footer,
        definition=definition,
        official=official,
        notes=tuple(note for note, holds in notes.items() if holds),
    )
    return Wonder(rows, by_month, report=report)


def _read_export(name: str, data: bytes) -> tuple[RawFile, Footer | None]:
    """Cells of an export, and its footer."""
    tab = b"\t" in data.lstrip(b"\r\n").split(b"\n", 1)[0]
    lines = delimited(name, data, separator="\t" if tab else ",")
    cells = [[cell.strip() for cell in line] for line in islice(lines, _MOST_ROWS)]
    if next(lines, None) is not None:
        hint = "is it an export of CDC WONDER?"
        raise DataError(
            f"{name}: more than {_MOST_ROWS:,} rows, or an endless footer", hint
        )
    ends = (i for i, row in enumerate(cells) if row[:1] == ["---"])
    end = next(ends, len(cells))
    header = cells[0]
    rows = [(i, row) for i, row in enumerate(cells[1:end], start=2) if any(row)]
    footer = _read_footer(name, cells[end:]) if end < len(cells) else None
    if footer is None and tab:
        raise DataError(f"{name}: no footer: the file is cut off", _AGAIN)
    if footer is None and not data.endswith((b"\n", b"\r")):
        row_name = f"{name} row {len(rows) + 1}"
        raise DataError(f"{row_name}: the last line has no line end: cut off?", _AGAIN)
    for i, row in rows:
        if len(row) != len(header):
            message = (
                f"{name} row {i}: {len(row)} cells where the header has {len(header)}"
            )
            raise DataError(message, f"the file is cut off or damaged; {_AGAIN}")
    if not rows:
        raise DataError(f"{name}: a header but no rows", _AGAIN)
    table, numbers = filled(name, header, rows=rows, limits=LIMITS)
    return RawFile(name, table, rows=numbers, row_word="row", kind="csv"), footer


def _code(state: str) -> str:
    """Hub code of a CDC code, or of New York State."""
    if state == NEW_YORK[0]:
        return NEW_YORK[1]
    return BY_KEY[state].code if state else ""


def _states(table: Table, total: Bools, *, by_occurrence: bool) -> Texts:
    """CDC codes; blank for a total of all states."""
    if "place" not in table:
        return np.full(len(table), "US", dtype=object)
    pairs = list(zip(table.cells["place"], table.cells["code"], strict=True))
    states: dict[tuple[str, str], str] = {("", ""): ""}
    for name, code in set(pairs):
        place = BY_KEY.get(name.upper())
        if place is not None and place.name == name and code.zfill(2) == place.code:
            whole = place.state == "NY" and not by_occurrence
            states[name, code] = NEW_YORK[0] if whole else place.state
    codes = pd.Series(pairs).map(states.get)
    bad = codes.isna() | ((codes == "") & ~total)
    table.refuse(bad, "place", "is not a state with its code beside it", _AGAIN)
    return codes.to_numpy(dtype=object)


def _months(table: Table, total: Bools) -> NDArray[np.datetime64]:
    """Months; NaT for a total of all months. Month, its code and the year must agree."""
    blank = (table.cells["month"] == "") & (table.cells["month_code"] == "")
    counted = ~(total & blank.to_numpy())
    months = table.values("month", dtype="datetime64[M]", only=counted)
    code = np.where(counted, table.cells["month_code"].str.replace("/", "-"), "NaT")
    differ = code != months.astype(str)
    table.refuse(differ, "month_code", "contradicts the month", _AGAIN)
    for column in ("year", "year_code"):
        if column in table:
            year = table.texts(column, lambda text: text.split(" (")[0])
            differ = counted & (year != months.astype("datetime64[Y]").astype(str))
            table.refuse(differ, column, "contradicts the month", _AGAIN)
    return months


def _cause(table: Table, total: Bools) -> str:
    """Cause of death in words, from its columns, which are the same in all rows."""
    values = []
    hint = "export one cause at a time: causes overlap and must not be added"
    for name in ("cause", "cause_code"):
        texts = table.texts(name)
        first = texts[~total][0]
        table.refuse(
            ~total & (texts != first), name, "is a second cause of death", hint
        )
        values.append(first)
    cause, code = values
    if not cause and not code:
        return "unknown cause"
    return f"multiple cause {code} ({cause}), underlying cause unknown"


def _check_totals(table: Table, rows: pd.DataFrame, totals: pd.DataFrame) -> pd.Series:
    """Compare each Total row with the rows it adds up; totals by month."""
    by_state = "place" in table
    months = rows["month"].nunique()
    once = totals.drop_duplicates()
    second = once.index[once.duplicated(["state", "month"])]
    table.refuse(second, "deaths", "is a second total for the same rows", _AGAIN)
    for i, (state, month, deaths) in totals.iterrows():
        of_state = by_state and bool(state)
        of_month = not pd.isna(month)
        part = rows[rows["state"] == state] if of_state else rows
        part = part[part["month"] == month] if of_month else part
        cells = 51 if by_state and not of_state else 1
        if not of_month:
            cells *= months
        counted = part["deaths"].sum()
        blank = cells - part["deaths"].notna().sum()
        if not counted <= deaths <= counted + 9 * blank:
            reason = f"is a total that its rows do not give ({counted:g}, {blank} cells not shown)"
            table.refuse([i], "deaths", reason, _AGAIN)
    whole = totals[totals["month"].notna() & ((totals["state"] == "") | (not by_state))]
    by_month = whole.drop_duplicates("month").set_index("month")["deaths"]
    by_month.index = pd.DatetimeIndex(by_month.index, name="month")
    return by_month.astype(float)
