"""A table as people keep it: its header under titles, its columns by the words of the trade."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError, one_of
from odforecast.months import month_end, readings
from odforecast.say import day_name, listed, quoted
from odforecast.sources.columns import (
    BLANKS,
    BadCell,
    Column,
    Parser,
    Table,
    letters,
    month_cell,
    number,
)
from odforecast.sources.read import AGAIN, Limits, read_raw

_TOTAL = re.compile(
    r"(grand |sub|annual |yearly |all )?-?totals?\b|.*\btotals?$|sum$|ytd\b|year to date",
    re.IGNORECASE,
)
#: Months of a table: others are slips.
FIRST = np.datetime64("1900-01")
LAST = np.datetime64("2200-12")
#: Columns of a wide table: fewer are no sign of one.
_LEAST_SPANS = 3


@dataclass(frozen=True)
class Term:
    """What a column is, and the words by which people call it."""

    #: Its name in ``--column NAME=HEADER``, a header that it always may have.
    name: str
    #: What it is, in a sentence.
    title: str
    #: Other headers, in words of small letters, with commas between them.
    headers: str = ""
    #: Words of which its header has one.
    words: str = ""
    #: Words of which its header has none.
    without: str = ""
    #: Parser of its cells.
    parse: Parser = str
    #: Whether it is a month or a year: every table has such a column.
    is_date: bool = False
    #: Whether a header that is its name is it, whatever other headers may be it, too.
    is_sure: bool = True

    def fits(self, header: str) -> bool:
        """Whether a column with this header may be it."""
        words = set(words_of(header))
        text = " ".join(words_of(header))
        if text in (self.name.replace("_", " "), *self.headers.split(", ")):
            return bool(text)
        return bool(
            words & {*self.words.split()} and not words & {*self.without.split()}
        )


def words_of(header: str) -> list[str]:
    """Words and numbers of a header, in small letters.

    >>> words_of("DateType"), words_of("Month_of death")
    (['date', 'type'], ['month', 'of', 'death'])
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", header)
    return re.findall(r"[a-z]+|[0-9]+", spaced.lower())


@dataclass(frozen=True)
class Span:
    """The months that a column of a wide table is about."""

    #: ``"month"``, ``"year"``, or ``"both"``.
    kind: str
    #: ``03``, ``2021``, or ``2021-03``.
    text: str


def _span(header: str) -> Span | None:
    """The months that a header names: a month, a year, or a month of a year."""
    dates = readings(header)
    if len(dates) == 1:
        text = str(dates[0])
        if len(text) == 4:
            return Span("year", text)
        return Span("both", text[:7]) if text[7:] in ("", "-01") else None
    month = month_cell(header)
    if dates or isinstance(month, BadCell):
        return None
    return Span("month", f"{month[1]:02}")


def spans_of(headers: Sequence[str]) -> dict[int, Span]:
    """The columns of a wide table, by position; none in a long one.

    >>> spans_of(["State", "2021", "2022", "Total"])
    {1: Span(kind='year', text='2021'), 2: Span(kind='year', text='2022')}
    """
    by_kind: dict[str, dict[int, Span]] = {}
    for i, header in enumerate(headers):
        span = _span(header)
        if span is not None:
            by_kind.setdefault(span.kind, {})[i] = span
    spans = max(by_kind.values(), key=len, default={})
    # 1, 2, 3 are months; 2, 5, 1 are counts.
    numbers = [int(headers[i]) for i in spans if len(headers[i]) < 3]
    if len(spans) < 2 or numbers != list(range(1, len(numbers) + 1)):
        return {}
    return spans


class Sheet:
    """Cells of a file, and which of its columns is what.

    Parameters
    ----------
    path : path
        The file, or ``FILE.xlsx:Sheet``.
    limits : Limits
        How large it may be.
    terms : sequence of Term
        What its columns may be.
    chosen : mapping of str to str
        Headers of columns that somebody named, by the name of the term.

    Raises
    ------
    DataError
        If the file cannot be read or has no header. Cells of a row that may not be the header are
        in no message: they may be about a person.
    """

    def __init__(
        self,
        path: str | Path,
        limits: Limits,
        terms: Sequence[Term],
        chosen: Mapping[str, str],
    ) -> None:
        self.terms = {term.name: term for term in terms}
        for name in chosen:
            if name not in self.terms:
                message = f"--column {name}=…: {quoted(name, 40)} is not a column"
                raise DataError(message, hint=one_of(name, list(self.terms)))
        self.chosen = chosen
        self._named = set(map(letters, chosen.values()))
        self.raw = read_raw(path, limits, header=self._is_header)
        self.name = self.raw.name
        self.headers = [str(header) for header in self.raw.cells.columns]
        if not self._is_header(self.headers):
            raise DataError(
                f"{self.name}: no row with a column for the month in the first 20 rows",
                hint="put the names of all columns into one row, or name it: --column month=NAME",
            )
        #: What was left out, in words.
        self.left_out: list[str] = []

    def _is_header(self, row: Sequence[str]) -> bool:
        """Whether a row has names of columns, and no values."""
        texts = [text for text in row if text.strip()]
        if len(texts) < 2:
            return False
        if self._named & {letters(text) for text in texts}:
            return True
        terms = [term for term in self.terms.values() if term.is_date]
        dated = any(term.fits(text) for term in terms for text in texts)
        n_spans = len(spans_of(texts))
        if n_spans >= _LEAST_SPANS or (dated and n_spans > 1):
            return True
        values = [text for text in texts if readings(text) or _is_number(text)]
        return dated and not values

    def __len__(self) -> int:
        return len(self.raw.cells)

    def cells(self, position: int) -> list[str]:
        """The cells of a column."""
        return list(self.raw.cells.iloc[:, position])

    def position(self, header: str) -> int:
        """Where the column with a header is."""
        word = letters(header)
        alike = [i for i, x in enumerate(self.headers) if letters(x).startswith(word)]
        exact = [i for i in alike if self.headers[i] == header]
        positions = exact or alike
        if len(positions) != 1:
            problem = "several columns" if positions else "no column"
            raise DataError(
                f"{self.name}: {problem} {quoted(header, 40)}; it has {self.present()}",
                hint="write the header as in the file",
            )
        return positions[0]

    def present(self) -> str:
        """The headers, in words."""
        return listed([header for header in self.headers if header])

    def find(self, name: str) -> int | None:
        """Where the column of a term is; None if there is none, refused if it may be two."""
        if name in self.chosen:
            return self.position(self.chosen[name])
        term = self.terms[name]
        fits = [i for i, header in enumerate(self.headers) if term.fits(header)]
        exact = [i for i in fits if letters(self.headers[i]) == letters(name)]
        if len(exact) == 1 and term.is_sure:
            return exact[0]
        if len(fits) > 1 and term.is_date:
            # A date of death, and not one of anything else, where only one says so.
            of_death = [
                i
                for i in fits
                if {"death", "died", "dod"} & {*words_of(self.headers[i])}
            ]
            fits = of_death if len(of_death) == 1 else fits
        if len(fits) > 1:
            first, second = (quoted(self.headers[i], 40) for i in fits[:2])
            example = self.headers[fits[0]]
            raise DataError(
                f"{self.name}: {term.title} may be {first} or {second}",
                hint=f'say which: --column {name}="{example}"',
            )
        return fits[0] if fits else None

    def require(self, name: str) -> int:
        """Where the column of a term is; refused if there is none."""
        position = self.find(name)
        if position is None:
            raise DataError(
                f"{self.name}: no column for {self.terms[name].title}; it has {self.present()}",
                hint=f"say which it is: --column {name}=NAME",
            )
        return position

    def table(
        self, positions: Mapping[str, int | None], cells: Mapping[str, list[str]]
    ) -> Table:
        """Columns under the names of their terms, some with other cells than the file's."""
        at = {name: i for name, i in positions.items() if i is not None}
        frame = pd.DataFrame(
            {name: self.cells(i) for name, i in at.items()} | {**cells}
        )
        table = self.table_of(frame, self.raw.rows)
        table.headers |= {name: self.headers[i] for name, i in at.items()}
        return table

    def table_of(
        self, cells: pd.DataFrame, rows: NDArray[np.int_], key: Sequence[str] = ()
    ) -> Table:
        """Cells under the names of terms, in these rows of the file."""
        terms = self.terms.values()
        columns = [Column(term.name, term.name, parse=term.parse) for term in terms]
        raw = replace(self.raw, cells=cells, rows=rows)
        return Table(raw, columns, key=key, what="a table")

    def keep(self, rows: np.ndarray) -> None:
        """Keep some rows, by a mask."""
        cells = self.raw.cells[rows].reset_index(drop=True)
        self.raw = replace(self.raw, cells=cells, rows=self.raw.rows[rows])

    def leave_out(
        self, labels: Collection[int | None], counts: Collection[int]
    ) -> None:
        """Leave out rows of totals, and notes below the table: both are said."""
        table = self.raw.cells
        named = table.iloc[:, [i for i in labels if i is not None]].to_numpy(dtype=str)
        total = np.array([any(map(_TOTAL.match, row)) for row in named], dtype=bool)
        blank = (table.iloc[:, sorted(counts)] == "").to_numpy().all(axis=1)
        texts = table.max(axis=1)
        alone = (table != "").sum(axis=1).to_numpy() == 1
        note = blank & alone & ~total & ~texts.map(_dated).to_numpy(dtype=bool)
        below = np.logical_and.accumulate((note | total)[::-1])[::-1]
        note = note & below
        for rows, one, many in (
            (total, "a total", "totals"),
            (note, "a note", "notes"),
        ):
            if rows.any():
                numbers = self.raw.rows[rows]
                noun = one if len(numbers) == 1 else many
                self.left_out.append(f"{row_range(numbers)}, {noun}, left out")
        self.keep(~(total | note))
        if not len(self):
            raise DataError(f"{self.name}: a header but no rows", hint=AGAIN)


def row_range(numbers: Iterable[int]) -> str:
    """Rows by their numbers, in words.

    >>> row_range([4, 5, 6]), row_range([7]), row_range([3, 9])
    ('rows 4 to 6', 'row 7', 'rows 3, 9')
    """
    rows = [int(number) for number in numbers]
    if len(rows) == 1:
        return f"row {rows[0]}"
    if rows[-1] - rows[0] == len(rows) - 1:
        return f"rows {rows[0]} to {rows[-1]}"
    return f"rows {listed(rows, 4)}"


def _is_number(text: str) -> bool:
    return text.lower() not in BLANKS and not isinstance(number(text), BadCell)


def _dated(text: str) -> bool:
    return bool(readings(text)) or not isinstance(month_cell(text), BadCell)


# Dates


def date_parser(texts: Iterable[str], of_months: bool = False) -> Parser:
    """Parser of dates, whose cells together tell month from day; NaT where a text is none."""
    numbers = [
        re.match(r"([0-9]{1,2})[/-]([0-9]{1,2})[/-]", text) for text in set(texts)
    ]
    day_first = any(found and int(found[1]) > 12 for found in numbers)
    month_first = any(found and int(found[2]) > 12 for found in numbers) or (
        of_months and all(found is None or int(found[2]) == 1 for found in numbers)
    )

    def date(text: str) -> Any:
        found = readings(text)
        if len(found) > 1 and day_first == month_first:
            said = " or ".join(day_name(day.astype(dt.date)) for day in found)
            hint = "write it as 2025-06-30, or a month as 2025-06"
            return BadCell(f"may be {said}", hint)
        if not found:
            return np.datetime64("NaT", "Y")
        return found[-1 if day_first else 0]

    return date


def day_parser(texts: Iterable[str]) -> Parser:
    """Parser of days, as text; blank where there is none."""
    read = date_parser(texts)

    def day(text: str) -> str | BadCell:
        date = read(text)
        if isinstance(date, BadCell) or not text:
            return date if text else ""
        if np.datetime_data(date.dtype)[0] != "D":
            return BadCell("is not a day", "write it as 2025-09-01")
        return str(date)

    return day


def month_parser(texts: Iterable[str]) -> Parser:
    """Parser of months, and of their first and last days."""
    read = date_parser(texts, of_months=True)
    hint = "write it as 2025-06"

    def month(text: str) -> Any:
        date = read(text)
        if isinstance(date, BadCell):
            return date
        unit = np.datetime_data(date.dtype)[0]
        value = date.astype("datetime64[M]")
        if unit not in ("M", "D") or not FIRST <= value <= LAST:
            return BadCell("is not a month", hint)
        if unit == "D" and str(date)[-2:] not in ("01", str(month_end(value).day)):
            return BadCell("is a day within a month", hint)
        return value

    return month
