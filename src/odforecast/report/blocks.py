"""What pages are made of: tables, figures, blocks, files to download; and the frame around them."""

from __future__ import annotations

import datetime as dt
import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from odforecast.backtesting import Results
from odforecast.forecasts import Forecast
from odforecast.forecasts.tables import of_counties, published_on
from odforecast.forecasts.text import own_counts, own_of
from odforecast.months import ONE_MONTH
from odforecast.names import COUNTIES, STATES
from odforecast.report.page import Picture, Table, for_spreadsheets, render
from odforecast.say import (
    between,
    capital,
    day_name,
    due,
    likely,
    minus,
    month_name,
    old_data,
    percent,
    rounded,
    shown_warnings,
    step_of,
)
from odforecast.version import __version__

Row = Mapping[Any, Any]
#: Width and height of a figure on a phone, in pixels.
PHONE = (358.0, 300.0)
#: What stands where nothing is known.
NONE = "–"
#: Where CDC shows the counts.
CDC = "https://www.cdc.gov/nchs/nvss/vsrr/drug-overdose-data.htm"


# Tables


@dataclass(frozen=True)
class Cell:
    """A text, the value that it is sorted by (NaN: last), a link, a line below, and the row's key.

    ``spark`` and ``range`` are drawn in place of the text: see the macros of those names.
    """

    text: str
    value: float = math.nan
    link: str = ""
    small: str = ""
    key: str = ""
    spark: Row | None = None
    range: Row | None = None

    @property
    def order(self) -> str:
        """The value as the page carries it; empty where there is none."""
        return "" if math.isnan(self.value) else f"{self.value:.6g}"


Show = Callable[[Row], Cell]


@dataclass(frozen=True)
class Column:
    """What it is called, a line below, what it shows of a row, and how it is sorted first.

    ``look`` is a class of its cells; ``marks`` are the position, text and anchor of each number of
    a scale in the head, which is ``wide`` pixels wide.
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

    Rows of ``top`` stay above the others. ``sorted_by`` is the column by which rows are in rising
    order at first, −1 for none. With a ``menu`` (name, column, direction) rows are cards on a
    phone, and there is a box to ``find`` one. The caption is followed by what ``words`` names.
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
    files: Sequence[File] = ()
    look: str = ""
    words: str = ""


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
    return SortTable(key, caption, columns, *apart, **more)


def known(row: Row, *keys: str) -> bool:
    """Whether a row has a number for each of these."""
    return all(row.get(k) is not None and math.isfinite(row[k]) for k in keys)


def text(key: str, name: Callable[[Any], str] = str) -> Show:
    """A text."""
    return lambda row: Cell(name(row[key]))


def number(key: str, form: Callable[[float], str] = "{:,.0f}".format) -> Show:
    """A number; a dash where it is not known."""
    return lambda row: (
        Cell(form(row[key]), float(row[key])) if known(row, key) else Cell(NONE)
    )


def share(value: float) -> str:
    """A share in whole percent."""
    return f"{100 * value:.0f}%"


def chance(key: str) -> Show:
    """A probability to the nearest 5 percent."""
    return number(key, likely)


def middle(*sides: str) -> Show:
    """A number of deaths no finer than its interval: low end, median and high end."""

    def show(row: Row) -> Cell:
        if not known(row, *sides):
            return Cell(NONE)
        low, mid, high = (float(row[k]) for k in sides)
        return Cell(minus(rounded(mid, step_of(low, high))), mid)

    return show


def ends(low: str, high: str) -> Show:
    """The ends of an interval of deaths; sorted by its width."""

    def show(row: Row) -> Cell:
        if not known(row, low, high):
            return Cell(NONE)
        return Cell(minus(between(row[low], row[high])), float(row[high] - row[low]))

    return show


def both(low: str, mid: str, high: str) -> Show:
    """A number of deaths, and its interval below."""
    above = middle(low, mid, high)
    below = ends(low, high)

    def show(row: Row) -> Cell:
        cell = above(row)
        return cell if cell.text == NONE else replace(cell, small=below(row).text)

    return show


def change_ends(row: Row) -> str:
    """The interval of a change in percent; empty where it is not known."""
    if not known(row, "change_low", "change_high"):
        return ""
    return f"{percent(row['change_low'])} to {percent(row['change_high'])}"


@dataclass(frozen=True)
class Scale:
    """Where numbers are on a line of pixels, or of percent of a width; and its round numbers."""

    low: float
    high: float
    start: float = 0.0
    end: float = 100.0
    digits: int = 1
    ticks: Sequence[tuple[float, str]] = ()

    @classmethod
    def over(cls, values: Iterable[float], unit: str = "") -> Scale:
        """In percent of the width: all of these numbers and zero, with some room at both ends."""
        given = [0.0, *values]
        low = min(given)
        high = max(given)
        span = (high - low) or 1.0
        scale = cls(low - 0.03 * span, high + 0.03 * span, digits=2)
        step = round_step(span, 3)
        at = (
            np.arange(np.ceil(scale.low / step), np.floor(scale.high / step) + 1) * step
        )
        texts = (minus(f"{x:z,.{0 if step >= 1 else 2}f}{unit}") for x in at)
        return replace(scale, ticks=list(zip(map(scale.at, at), texts)))

    def at(self, value: float) -> float:
        """The place of a number; of one beyond an end, that end."""
        inside = min(max(value, self.low), self.high)
        part = (self.end - self.start) * (inside - self.low) / (self.high - self.low)
        return round(float(self.start + part), self.digits)


@dataclass(frozen=True)
class Strip:
    """Marks of one row, in percent of the width: an interval, a dot, a diamond, an outer line."""

    low: float
    mean: float
    high: float
    diamond: float | None = None
    outer: tuple[float, float] | None = None


def round_step(span: float, most: int) -> float:
    """The least round step (1, 2, 5, 10 …) of which a span has at most so many."""
    power = 10.0 ** np.floor(np.log10(span / most))
    return float(next(power * k for k in (1, 2, 5, 10) if span / (power * k) <= most))


# Figures, files and blocks


@dataclass(frozen=True)
class File:
    """A download: its name, what the link says, and its text or where it is."""

    name: str
    says: str
    href: str

    @classmethod
    def csv(cls, name: str, table: pd.DataFrame, says: str = "Data (CSV)") -> File:
        """A table inside the page."""
        return cls(
            name,
            says,
            href=f"data:text/csv;charset=utf-8,{quote(csv_of(table), safe=' ')}",
        )


@dataclass(frozen=True)
class Figure:
    """A figure of a page: a drawing (SVG) for a wide screen, and one for a phone.

    ``months`` is the key of the table whose rows are read in the line above the plot; ``likely``
    are lines of names below.
    """

    key: str
    title: str
    caption: str
    drawings: Sequence[str]
    source: str = ""
    files: Sequence[File] = ()
    months: str = ""
    likely: Sequence[tuple[str, str]] = ()


def figure_of(
    key: str,
    draw: Callable[[Any], Any],
    sizes: Sequence[tuple[float, float]],
    source: str = "",
    **more: Any,
) -> Figure:
    """A figure in several sizes: ``draw`` puts it on axes."""
    from odforecast import plot
    from odforecast.plot.style import head_of

    with warnings.catch_warnings():
        # A name of hundreds of letters leaves no room for axes; the tables have it whole.
        warnings.filterwarnings("ignore", "constrained_layout not applied")
        made = [draw(plot.sheet(size)) for size in sizes]
        svg = [plot.inline(axes, f"{key}-{i}") for i, axes in enumerate(made, 1)]
    head = head_of(made[0])
    said = {"title": head.title, "caption": head.caption, **more}
    return Figure(key, drawings=svg, source=source or head.source, **said)


@dataclass(frozen=True)
class Block:
    """A titled part of a page, at ``#key``; of a folded one the title and ``about`` are seen.

    Its paragraphs are those called ``words`` in the template of that name, with the numbers ``of``
    what they are about, and ``paragraphs``. ``months`` are rows that a fan is read from.
    """

    key: str
    title: str
    paragraphs: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[SortTable] = ()
    plain: Sequence[Table] = ()
    months: Sequence[Mapping[str, str]] = ()
    folded: bool = False
    about: str = ""
    words: str = ""
    of: Mapping[str, object] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing is below the title."""
        return not (
            self.words
            or self.paragraphs
            or self.figures
            or self.tables
            or self.plain
            or self.months
        )


@dataclass(frozen=True)
class Section:
    """What another part of the library puts into a report: a title and what is below it.

    Attributes
    ----------
    title : str
    paragraphs : sequence of str
    tables : sequence of Table
        See :class:`odforecast.report.page.Table`.
    pictures : sequence of Picture
        Made by :func:`odforecast.report.page.picture`.
    links : sequence of (str, str)
        What a link says, and where it leads.

    Examples
    --------
    >>> from odforecast.report.site import Section
    >>> Section("What changed", ("Two counts were revised.",)).title
    'What changed'
    """

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    links: Sequence[tuple[str, str]] = ()


def page(paper: str = "letter", **context: Any) -> str:
    """A page of a report or a site; what it does not have is empty, and so are its blocks."""
    empty: dict[str, object] = {
        "subtitle": "",
        "description": context.get("title"),
        "lead": (),
        "warnings": (),
        "crumb": "",
        "place": "",
        "cards": (),
        "sections": (),
        "fan": None,
        "map": None,
        "pair": (),
        "related": (),
        "files": (),
        "links": (),
        "places": (),
        "methods": (),
        "stale": None,
        "contents": False,
        "cdc": CDC,
    }
    blocks = [b for b in context.pop("blocks", ()) if not b.empty]
    return render("site", {**empty, **context, "blocks": blocks}, paper=paper)


def csv_of(table: pd.DataFrame) -> str:
    """A table as CSV that is safe in a spreadsheet."""
    plain = (
        table.assign(month=table["month"].dt.strftime("%Y-%m"))
        if "month" in table
        else table
    )
    safe = for_spreadsheets(plain)
    return str(
        safe.to_csv(
            index=False,
            float_format="%.10g",
            lineterminator="\n",
        )
    )


# What is said of a forecast and of a backtest


def source_of(forecast: Forecast) -> str:
    """Where the numbers of a figure are from, in a line."""
    model = f"odforecast {forecast.provenance.get('label', '')}".strip()
    own = own_of(forecast)
    published = (
        f"published {day_name(published_on(forecast))}{f', with {own}' if own else ''}"
    )
    return f"Data: CDC/NCHS, {published}. Forecast: {model}."


def made(forecast: Forecast | None = None) -> str:
    """Where a page comes from, in a sentence; of scores alone, without a release."""
    counts = f"Made with odforecast {__version__} from CDC's provisional counts"
    if forecast is None:
        return f"{counts}."
    basis = (
        "where they occurred"
        if forecast.basis == "occurrence"
        else "where people lived"
    )
    own = ", and from own counts of states" if own_counts(forecast) else ""
    day = day_name(published_on(forecast))
    seen = f", release of {day}" if of_counties(forecast) else f" as published by {day}"
    return f"{counts} of overdose deaths (VSRR; deaths {basis}){seen}{own}."


def stale(forecast: Forecast, last: np.datetime64) -> dict[str, object]:
    """The banner of old data: what it says today, and from when on it and its end are shown.

    ``last`` is the month of the page's main answer.
    """
    released = published_on(forecast)
    dataset = COUNTIES if of_counties(forecast) else STATES
    until = due(released, dataset)
    today = dt.date.today()
    fresh = today <= until
    day = until + dt.timedelta(1) if fresh else today
    first, _, more = old_data(released, day, dataset).partition(". ")
    before, age, after = re.split(r"(\d+ \w+)", f"{first}.")
    return {
        "published": str(released),
        "due": str(until),
        "fresh": fresh,
        "before": before,
        "age": age,
        "after": after,
        "more": more,
        "over": f"The period forecast here ended in {month_name(last)}.",
        "since": str((last + ONE_MONTH).astype("datetime64[D]")),
        "ahead": np.datetime64(today, "M") <= last,
    }


def warnings_of(forecast: Forecast) -> list[str]:
    """Warnings that a reader should see; a few draws below zero are none."""
    notes = () if forecast.panel is None else forecast.panel.notes
    shown = [t for t in (*shown_warnings(forecast.warnings), *notes) if t]
    return [f"{capital(t)}" + "." * (t[-1] not in ".?!") for t in shown]


def manifest(
    forecast: Forecast | None, results: Results | None, folded: bool = True
) -> Block:
    """How the forecast is made, and how to reproduce it."""
    key = "methods"
    title = "How the forecast is made"
    if forecast is None:
        key = "manifest"
        title = "How to reproduce these scores"
    warnings = () if forecast is None else forecast.warnings
    hidden = [w for w in warnings if w not in shown_warnings(warnings)]
    return Block(
        key,
        title,
        folded=folded,
        about="model, data and how to reproduce this page",
        words="" if forecast is None and results is None else key,
        of={"forecast": forecast, "results": results, "warnings": hidden},
    )
