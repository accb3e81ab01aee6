"""Parts of a page: tables that can be sorted, and sections of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from odforecast.report.page import Picture, Table
from odforecast.report.site.drawing import Drawing


@dataclass(frozen=True)
class Section:
    """What another part of the library puts into a report: a title and what stands below it.

    Attributes
    ----------
    title : str
    paragraphs : sequence of str
    tables : sequence of Table
        See :class:`odforecast.report.page.Table`.
    pictures : sequence of Picture or Drawing
        Made by :func:`odforecast.report.page.picture`, or drawn for the page.

    Examples
    --------
    >>> from odforecast.report.site import Section
    >>> Section("What changed", ("Two counts were revised.",)).title
    'What changed'
    """

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture | Drawing] = ()

    @property
    def images(self) -> list[Picture]:
        """The pictures that were made outside the page."""
        return [p for p in self.pictures if isinstance(p, Picture)]

    @property
    def drawings(self) -> list[Drawing]:
        """The pictures that are drawn in the page."""
        return [p for p in self.pictures if isinstance(p, Drawing)]


@dataclass(frozen=True)
class Cell:
    """A cell of a table: what is read, and what it is sorted by.

    Attributes
    ----------
    text : str
        Lines are kept.
    value : float
        NaN: sorted last; a text is sorted by what it says.
    link : str
        Page that it leads to.
    """

    text: str
    value: float = math.nan
    link: str = ""

    @property
    def order(self) -> str:
        """The value as the page carries it; empty where there is none."""
        return "" if math.isnan(self.value) else f"{self.value:.6g}"


@dataclass(frozen=True)
class Column:
    """A column's title, a line of explanation, and whether it holds numbers."""

    title: str
    note: str = ""
    numbers: bool = True


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
    """

    key: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    top: Sequence[Sequence[Cell]] = ()
    sorted_by: int = 0
