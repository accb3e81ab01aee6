"""A table of a page: a frame, and for each column how its rows are shown.

A cell has what is read and, apart from it, the exact number that it is sorted by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from odforecast.say import between, likely, percent, rounded, step_of

Row = Mapping[Any, Any]
#: What stands where nothing is known.
NONE = "–"


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes
    ----------
    text : str
    value : float
        What it is sorted by. NaN: last; a text is sorted by what it says.
    link : str
        Page that it leads to.
    small : str
        A second line.
    key : str
        Address of the row, of a first cell.
    spark, range : mapping, optional
        What is drawn in place of the text: see the macros of those names.
    """

    text: str
    value: float = math.nan
    link: str = ""
    small: str = ""
    key: str = ""
    spark: Mapping[str, Any] | None = None
    range: Mapping[str, Any] | None = None

    @property
    def order(self) -> str:
        """The value as the page carries it; empty where there is none."""
        return "" if math.isnan(self.value) else f"{self.value:.6g}"


Show = Callable[[Row], Cell]


@dataclass(frozen=True)
class Column:
    """A column: its head, and what it shows of a row.

    Attributes
    ----------
    title, note : str
        What it is called, and a line of explanation below.
    show : callable, optional
        Row to cell; without one the table is given its cells.
    numbers : bool
        Whether it is set to the right.
    first : {"ascending", "descending", ""}
        How it is sorted first; empty: not at all.
    look : str
        Class of its cells.
    marks : sequence
        Numbers of a scale in the head: position, text and anchor.
    wide : float
        Width of that scale, in pixels.
    """

    title: str
    note: str = ""
    show: Show | None = None
    numbers: bool = True
    first: str = "ascending"
    look: str = ""
    marks: Sequence[tuple[float, str, str]] = ()
    wide: float = 132.0


@dataclass(frozen=True)
class SortTable:
    """A table that a reader may sort; the first column names the rows.

    Attributes
    ----------
    key : str
        Tells it apart from the other tables of a page.
    caption : str
    columns : sequence of Column
    rows : sequence of sequence of Cell
    top : sequence of sequence of Cell
        Rows that stay above the others: the nation.
    sorted_by : int
        Column by which the rows are in rising order at first; −1 for none.
    menu : sequence of (str, int, str)
        What a phone may sort by: name, column, direction. With a menu there is a find box, and
        rows are cards on a phone.
    find, source : str
        What the find box is called, and the line below the table.
    files : sequence
        Downloads, :class:`odforecast.report.site.blocks.File`.
    look : str
        A class of its own.
    """

    key: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    top: Sequence[Sequence[Cell]] = ()
    sorted_by: int = 0
    menu: Sequence[tuple[str, int, str]] = ()
    find: str = ""
    source: str = ""
    files: Sequence[Any] = field(default=())
    look: str = ""


def table_of(
    key: str,
    caption: str,
    records: Iterable[Row],
    columns: Sequence[Column],
    top: Callable[[Row], bool] | None = None,
    **more: Any,
) -> SortTable:
    """A table of records: every column shows every row; ``top`` tells which rows stay above."""
    apart: tuple[list[list[Cell]], list[list[Cell]]] = ([], [])
    for record in records:
        cells = [column.show(record) for column in columns if column.show is not None]
        apart[top is not None and top(record)].append(cells)
    return SortTable(key, caption, columns, apart[0], apart[1], **more)


# What a column shows of a row


def text(key: str, name: Callable[[Any], str] = str) -> Show:
    """A text."""
    return lambda row: Cell(name(row[key]))


def number(key: str, form: Callable[[float], str] = "{:,.0f}".format) -> Show:
    """A number; a dash where it is not known."""

    def show(row: Row) -> Cell:
        value = row.get(key)
        if value is None or not np.isfinite(value):
            return Cell(NONE)
        return Cell(form(float(value)), float(value))

    return show


def share(value: float) -> str:
    """A share in whole percent."""
    return f"{100 * value:.0f}%"


def chance(key: str) -> Show:
    """A probability to the nearest 5 percent."""
    return number(key, likely)


def minus(text: str) -> str:
    """A text whose hyphens before numbers are minus signs."""
    return text.replace("-", "−")


def middle(low: str, middle: str, high: str) -> Show:
    """A number of deaths no finer than its interval."""

    def show(row: Row) -> Cell:
        if not np.isfinite([row[low], row[middle], row[high]]).all():
            return Cell(NONE)
        step = step_of(row[low], row[high])
        return Cell(minus(rounded(row[middle], step)), float(row[middle]))

    return show


def ends(low: str, high: str) -> Show:
    """The ends of an interval of deaths; sorted by its width."""

    def show(row: Row) -> Cell:
        if not np.isfinite([row[low], row[high]]).all():
            return Cell(NONE)
        return Cell(minus(between(row[low], row[high])), float(row[high] - row[low]))

    return show


def both(low: str, middle_of: str, high: str) -> Show:
    """A number of deaths, and its interval below."""
    above, below = middle(low, middle_of, high), ends(low, high)

    def show(row: Row) -> Cell:
        cell = above(row)
        if cell.text == NONE:
            return cell
        return Cell(cell.text, cell.value, small=below(row).text)

    return show


def change_ends(row: Row) -> str:
    """The interval of a change in percent; empty where it is not known."""
    if not np.isfinite([row["change_low"], row["change_high"]]).all():
        return ""
    return f"{percent(row['change_low'])} to {percent(row['change_high'])}"
