"""Columns of a table: known names, how cells are parsed, and the messages that refuse them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography.places import BY_KEY
from odforecast.months import readings
from odforecast.say import listed, plain, quoted
from odforecast.sources.read import AGAIN, RawFile

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Texts = NDArray[np.object_]

#: What publishers and tools write into a cell that holds nothing.
BLANKS = frozenset({"", "na", "n/a", "nan", "null", "none", "no data", "<na>"})

_NUMBER = re.compile(
    r"[+-]?([1-9][0-9]{0,2}(,[0-9]{3})+|[0-9]+)(\.[0-9]*)?([eE]\+?[0-9]{1,2})?"
)
_YEAR_MONTH = re.compile(
    r"([0-9]{4})-([0-9]{2})(-01([T ]00:00:00(\.0+)?Z?)?)?", re.IGNORECASE
)
_MOST_DEATHS = 10_000_000  # a year; all causes are about 3.4 million in the worst one
_CORRECT = "correct the cell, or download the file again"


@dataclass(frozen=True)
class BadCell:
    """Why a text has no value, and what to do about it."""

    reason: str
    hint: str = _CORRECT


#: Text of a cell to its value.
Parser = Callable[[str], Any]


def number(text: str) -> float | BadCell:
    """A number with or without thousands separators; NaN for blanks.

    >>> number("4,034"), number("126.0"), number("1e+05"), number("1,23").reason
    (4034.0, 126.0, 100000.0, 'is not a number')
    >>> number("9" * 400).reason, number("\u0663").reason  # more than a float holds; another script
    ('is not a number', 'is not a number')
    """
    if text.isdecimal() and text.isascii() and len(text) < 16:
        return float(text)
    if text.lower() in BLANKS:
        return math.nan
    if _NUMBER.fullmatch(text):
        value = float(text.replace(",", ""))
        if math.isfinite(value):
            return value
    return BadCell(
        "is not a number", "write 1234 or 1,234; leave the cell blank if none"
    )


def count(text: str) -> float | BadCell:
    """A number of deaths in at most a year; NaN for blanks."""
    value = number(text)
    if isinstance(value, BadCell):
        return value
    # Is 4.000 four, or four thousand the European way?
    if text.endswith(".000") and re.fullmatch(r"[0-9]{1,3}\.000", text):
        reason = "may be a thousand times larger, if its point separates thousands"
        return BadCell(reason, "write counts without a point")
    if value < 0:
        return BadCell("is negative")
    if value % 1 > 0:
        return BadCell("is not a whole number of deaths")
    if value > _MOST_DEATHS:
        return BadCell("is more than the US ever had")
    return value


def within(
    low: float, high: float, reason: str, hint: str = _CORRECT, whole: bool = False
) -> Parser:
    """Parser of numbers of a range; NaN for blanks."""

    def parse(text: str) -> float | BadCell:
        value = number(text)
        if isinstance(value, BadCell) or value < low or value > high:
            return BadCell(reason, hint)
        if whole and value % 1 > 0:
            return BadCell(reason, hint)
        return value

    return parse


def years(first: int) -> Parser:
    """Parser of years of a data set."""
    reason = "is not a year of this data set"
    hint = f"it starts in {first}"
    parse = within(first, 2200, reason=reason, hint=hint, whole=True)
    return needed(parse, reason, hint=hint)


def percent(text: str) -> float | BadCell:
    """A percentage from 0 to 100; ``99.5+``, a lower bound, is 99.5; NaN for blanks."""
    return share(text.rstrip("+%").rstrip())  # type: ignore[no-any-return]


#: A percentage without any sign.
share = within(0, 100, reason="is not a percentage from 0 to 100")


def among(choices: Collection[str], reason: str, hint: str = _CORRECT) -> Parser:
    """Parser of texts that are one of some."""
    return lambda text: text if text in choices else BadCell(reason, hint)


def needed(parse: Parser, reason: str = "is blank", hint: str = _CORRECT) -> Parser:
    """The same parser for cells that must not be blank."""

    def filled(text: str) -> Any:
        value = parse(text)
        blank = text == "" or (isinstance(value, float) and math.isnan(value))
        return BadCell(reason, hint) if blank else value

    return filled


def state(text: str) -> str | BadCell:
    """CDC's code of a jurisdiction, from its code, FIPS or name."""
    key = text.zfill(2) if text.isdigit() else text.upper()
    place = BY_KEY.get(key)
    if place is None:
        hint = "use postal codes, US, and YC for New York City"
        return BadCell("is not a jurisdiction of this data set", hint)
    return place.state


def month_cell(text: str) -> tuple[float, int] | BadCell:
    """Year (NaN if the cell has none) and month of a cell.

    >>> month_cell("September"), month_cell("09"), month_cell("2024-07")
    ((nan, 9), (nan, 9), (2024, 7))
    """
    year = math.nan
    month = 0
    if re.fullmatch(r"[0-9]{1,2}(\.0+)?", text):
        month = int(float(text))
    elif match := _YEAR_MONTH.fullmatch(text):
        year = int(match[1])
        month = int(match[2])
    elif text.removesuffix(".").isalpha():
        dates = readings(f"{text} 2000")
        if dates:
            month = dates[0].item().month
    if not 1 <= month <= 12:
        return BadCell("is not a month", "write July or 2024-07")
    return year, month


@dataclass(frozen=True)
class Column:
    """One column of a kind of file."""

    name: str
    title: str
    parse: Parser = str
    headers: tuple[str, ...] = ()

    def heads(self) -> set[str]:
        """Every header it may have, letters only."""
        return {letters(self.name), letters(self.title), *self.headers}


def letters(header: str) -> str:
    """Letters and digits of a header: case, spaces, dots and underscores do not matter."""
    return re.sub(r"[^0-9a-z]", "", header.lower())


class Table:
    """Text cells of a file, by column."""

    def __init__(
        self,
        raw: RawFile,
        columns: Sequence[Column],
        *,
        needs: Sequence[str | tuple[str, ...]] = (),
        key: Sequence[str] = (),
        what: str,
        others: bool = False,
    ) -> None:
        self.raw = raw
        self.name = raw.name
        self.rows = raw.rows
        self.columns = {column.name: column for column in columns}
        self.key = key
        self.what = what
        self._codes: dict[str, tuple[NDArray[np.intp], Texts]] = {}
        name_of = {head: column.name for column in columns for head in column.heads()}
        headers = [str(header) for header in raw.cells.columns]
        names = [name_of.get(letters(header)) for header in headers]
        self.headers: dict[str, str] = {}
        for name, header in zip(names, headers):
            if name in self.headers:
                pair = f"{quoted(self.headers[name], 40)} and {quoted(header, 40)}"
                title = self.columns[name].title
                raise DataError(
                    f"{raw.name}: two columns for {title} ({pair})", hint="keep one"
                )
            if name is not None:
                self.headers[name] = header
        at = [i for i, name in enumerate(names) if name is not None]
        self.cells = raw.cells.iloc[:, at].set_axis(list(self.headers), axis=1)
        self.require(*needs)
        unknown = [quoted(h, 40) for h, name in zip(headers, names) if name is None]
        if unknown and not others:
            message = "unknown columns" if len(unknown) > 1 else "unknown column"
            message += f" {', '.join(unknown[:5])}"
            if len(unknown) > 5:
                message += f" and {len(unknown) - 5} more"
            raise DataError(
                f"{raw.name}: {message}", hint=f"delete what was added to {what}"
            )

    def __contains__(self, name: str) -> bool:
        return name in self.headers

    def __len__(self) -> int:
        return len(self.cells)

    def require(self, *columns: str | tuple[str, ...]) -> None:
        """Refuse the file unless it has these columns, and one of each tuple of columns."""
        absent = []
        for column in columns:
            names = (column,) if isinstance(column, str) else column
            if self.headers.keys().isdisjoint(names):
                titles = [self.columns[name].title for name in names]
                absent.append(" or ".join(titles))
        if absent:
            present = listed(self.raw.cells.columns)
            raise DataError(
                f"{self.name}: no column {', '.join(absent)}; it has {present}",
                hint=f"is it {self.what}?",
            )

    def values(
        self,
        name: str,
        parse: Parser | None = None,
        dtype: Any = float,
        only: Bools | None = None,
    ) -> NDArray[Any]:
        """Values of a column, by its parser or another; a column that is not there is blank."""
        if name not in self._codes:
            cells = np.full(len(self), "", dtype=object)
            if name in self:
                cells = self.cells[name].to_numpy()
            self._codes[name] = pd.factorize(cells)
        codes, texts = self._codes[name]
        parse = parse or self.columns[name].parse
        selected = codes if only is None else codes[only]
        uses = np.bincount(selected, minlength=len(texts)).tolist()
        parsed = [parse(text) if n else None for text, n in zip(texts, uses)]
        bad = np.array([isinstance(value, BadCell) for value in parsed], dtype=bool)
        if bad.any():
            wrong = bad[codes]
            if only is not None:
                wrong = wrong & only
            first = parsed[codes[np.argmax(wrong)]]
            self.refuse(wrong, name, reason=first.reason, hint=first.hint)
        values: NDArray[Any] = np.array(parsed, dtype=dtype)
        return values[codes]

    def texts(self, name: str, parse: Parser | None = None) -> Texts:
        """Values of a column of texts."""
        return self.values(name, parse, dtype=object)

    def matches(self, name: str, pattern: str) -> Bools:
        """Whether the cells of a column hold a pattern, in upper or lower case."""
        search = re.compile(pattern, re.IGNORECASE).search
        return self.values(name, lambda text: search(text) is not None, dtype=bool)

    def agree(self, name: str, values: Any, reason: str, hint: str = "") -> None:
        """Refuse the file if a column, where there is one, says something else than another."""
        if name in self:
            self.refuse(self.texts(name) != values, name, reason=reason, hint=hint)

    def single(self, name: str) -> Any:
        """The one value that a column has in all rows: two are two releases."""
        values = set(self.texts(name))
        if len(values) != 1:
            cells = listed(sorted(self.cells[name].unique()), 3)
            raise DataError(
                f"{self.name}: {len(values)} releases in one table ({cells})",
                hint="one file per release",
            )
        return values.pop()

    def months(self, first: str) -> NDArray[np.datetime64]:
        """Months from the columns ``month`` and, where there is one, ``year``."""
        years, numbers = self.values("month", month_cell).T  # two numbers of a cell
        if "year" in self:
            years_inside = years
            years = self.values("year")
            wrong = ~np.isnan(years_inside) & (years_inside != years)
            self.refuse(
                wrong,
                "month",
                reason="is not a month of that year",
                hint="write July, 7 or 2024-07",
            )
        reason = "is not a month with a year"
        hint = "add a Year column, or write 2024-07"
        self.refuse(np.isnan(years), "month", reason=reason, hint=hint)
        since_1970 = (years - 1970) * 12 + numbers - 1
        months = since_1970.astype(np.int64).astype("datetime64[M]")
        early = f"lies before {first}, where the data set starts"
        self.refuse(
            months < np.datetime64(first), "month", reason=early, hint="check the year"
        )
        return np.asarray(months)

    def refuse_open_end(self) -> None:
        """Refuse a blank at the end of a file without a line end, where a value may be cut off."""
        if self.raw.open_end:
            blank = f"a blank {plain(self.raw.cells.columns[-1], 40)}"
            reason = (
                f"has no line end and ends in {blank}, where a value may be cut off"
            )
            hint = f"{AGAIN}, or add a line end if the file is whole"
            raise DataError(
                f"{self.where(len(self) - 1)}: the last line {reason}", hint
            )

    def where(self, i: int) -> str:
        """File, row and key of row ``i``, as the file writes them."""
        row = f"{self.name} {self.raw.row_word} {self.rows[i]}"
        key = ", ".join(
            plain(self.cells[name].iloc[i]) for name in self.key if name in self
        )
        return f"{row} ({key})" if key else row

    def refuse(self, bad: Any, name: str, reason: str, hint: str = "") -> None:
        """Refuse the file if any cell of a column is bad (a mask or positions); name the first."""
        bad = np.asarray(bad)
        at = np.flatnonzero(bad) if bad.dtype == bool else np.sort(bad)
        if at.size:
            first = int(at[0])
            cell = f"{plain(self.headers[name], 40)} {quoted(self.cells[name].iloc[first])}"
            message = f"{self.where(first)}: {cell} {reason}"
            if at.size > 1:
                message += f" (and {at.size - 1:,} more such cells)"
            raise DataError(message, hint or _CORRECT)

    def refuse_commas(self, name: str) -> None:
        """Refuse commas in the numbers of a file that has semicolons between its columns."""
        if self.raw.separator == ";":
            comma = self.cells[name].str.contains(",")
            reason = "may hold a decimal comma or a separator of thousands"
            self.refuse(
                comma,
                name,
                reason=reason,
                hint="write whole numbers without separators",
            )
