"""What goes to a screen: sentences, tables and progress that follow the terminal's width."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from odforecast import names
from odforecast.say import chance, percent, rounded, step_of

if TYPE_CHECKING:
    import pandas as pd

#: Columns of text that goes into a pipe, and the least and the most that lines are fitted to.
WIDTH = 80
NARROWEST = 40
WIDEST = 100
#: Seconds after which a person wants to know what takes so long.
PATIENCE = 1.0
#: Targets, groups of places and kinds of vintage, as people call them.
WORDS: Final = {
    names.TARGET_12MO: "12-month deaths",
    names.TARGET_MONTH: "monthly deaths",
    names.TARGET_TREND: "trend",
    "nation": "US",
    "jurisdictions": "states",
    names.VINTAGE_REAL: "real releases",
    names.VINTAGE_DELAYED: "past months, with reporting delay",
    names.VINTAGE_CLEAN: "past months, without reporting delay",
}
WHAT_90_IS: Final = "90%: how often the 90% interval contained the final count"
WHAT_WIS_IS: Final = "WIS: mean weighted interval score in deaths, lower is better"


def width() -> int:
    """Columns that lines are fitted to: the terminal's, at most 100."""
    return max(NARROWEST, min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDEST))


def fitted() -> bool:
    """Whether somebody looks at a screen of a known width; in a pipe, rows stay whole."""
    return "COLUMNS" in os.environ or sys.stdout.isatty()


def wrapped(
    text: str, columns: int | None = None, indent: str = "", start: str = ""
) -> str:
    """Text in lines of a width, after a start; a word longer than that, such as a path, stays
    whole.

    >>> print(wrapped("one two three", 8, "  "))
    one two
      three
    """
    return textwrap.fill(
        text,
        columns or width(),
        initial_indent=start,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def say(text: str, err: bool = False, indent: str = "", before: str = "") -> None:
    """A paragraph, in lines that fit; on standard error where JSON goes to standard output."""
    click.echo(f"{before}{wrapped(text, indent=indent)}", err=err)


def note(text: str, kind: str = "note") -> None:
    """A sentence on standard error, its kind before it."""
    click.echo(wrapped(f"{kind}: {text}", indent="  "), err=True)


def columns(
    rows: Sequence[Sequence[str]], indent: str = "  ", whole: bool = False
) -> str:
    """Rows of words in columns; the last cell is broken between words and goes on under itself.

    ``whole`` keeps a row in one line where nobody looks at a screen. Where the other columns leave
    no room, the last cell has lines of its own.
    """
    *names, texts = zip(*rows)
    widths = [max(map(len, cells)) for cells in names]
    room = width() - len(indent) - sum(widths) - 2 * len(widths)
    below = room < 20 and max(map(len, texts)) > room
    lines = []
    for *cells, text in rows:
        padded = [f"{cell.ljust(w)}  " for cell, w in zip(cells, widths)]
        head = indent + "".join(padded)
        if whole and not fitted():
            lines.append(head + text)
        elif below:
            lines.append(head)
            lines.append(wrapped(text, None, indent="    ", start="    "))
        else:
            most = len(head) + max(room, 20)
            lines.append(
                wrapped(text, most, indent=" " * len(head), start=head) or head
            )
    return "\n".join(line.rstrip() for line in lines if line)


def facts(values: Mapping[str, Any]) -> str:
    """What is known of something, a line each."""
    rows = [[key.replace("_", " "), _fact(value)] for key, value in values.items()]
    return columns(rows)


def _fact(value: Any) -> str:
    """A value in words."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        text = ", ".join(
            f"{key} {_fact(item)}" for key, item in list(value.items())[:4]
        )
        return f"{text}, … ({len(value)})" if len(value) > 4 else text
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


def grid(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A table of numbers under their heads, whose first ``left`` columns are names.

    Heads may have several lines. On a screen too narrow for all columns, those that do not fit
    follow in a table below, with the names again.

    >>> print(grid(["", "deaths\\n2025"], [["US", "70,000"], ["OH", "2,500"]]))
        deaths
          2025
    ──────────
    US  70,000
    OH   2,500
    """
    head_lines = _lines(heads)
    row_lines = [line for row in rows for line in _lines(row)]
    widths = [max(map(len, cells)) for cells in zip(*head_lines, *row_lines)]
    names_width = sum(widths[:left]) + 2 * (left - 1)
    tables: list[list[int]] = [[]]
    used = names_width
    for i in range(left, len(heads)):
        if fitted() and tables[-1] and used + 2 + widths[i] > width():
            tables.append([])
            used = names_width
        tables[-1].append(i)
        used += 2 + widths[i]

    def line(cells: Sequence[str], places: Sequence[int]) -> str:
        """Names at the left, numbers at the right."""
        texts = []
        for i in places:
            cell = cells[i]
            texts.append(cell.ljust(widths[i]) if i < left else cell.rjust(widths[i]))
        return "  ".join(texts).rstrip()

    lines = []
    for numbers in tables:
        places = [*range(left), *numbers]
        top = [line(cells, places) for cells in head_lines]
        if len(tables) > 1:
            top = [text for text in top if text]
        rule = "─" * (sum(widths[i] + 2 for i in places) - 2)
        body = [line(cells, places) for cells in row_lines]
        lines.append("\n".join([*top, rule, *body]))
    return "\n\n".join(lines)


def _lines(cells: Sequence[str]) -> list[tuple[str, ...]]:
    """The lines of a row, whose cells end in the last."""
    parts = [cell.split("\n") for cell in cells]
    depth = max(map(len, parts))
    padded = [[""] * (depth - len(part)) + part for part in parts]
    return list(zip(*padded))


def words(value: object) -> str:
    """What people call a target, a group of places or a kind of vintage."""
    return WORDS.get(str(value), str(value))


class Column(NamedTuple):
    """A column of a table on the screen."""

    #: Its head, which may have several lines.
    head: str
    #: A name in the data, or what makes the cell of a row.
    content: str | Callable[[Any], str]
    #: How a value of the data is written.
    form: str | Callable[[Any], str] = "{:,.0f}"

    def cell(self, row: Any) -> str:
        """What the screen has of a row; a dash where there is nothing."""
        if callable(self.content):
            return self.content(row)
        value = row.get(self.content)
        if value is None or value != value:
            return "–"
        return self.form(value) if callable(self.form) else self.form.format(value)


#: The form of a column of words.
TEXT: Final = "{}"


def text_of(head: str, content: str | Callable[[Any], str] = "") -> Column:
    """A column of words; by itself of the column that is called so."""
    return Column(head, content or head, form=TEXT)


def listing(rows: Sequence[Any], table: Sequence[Column]) -> str:
    """Columns of rows: numbers at the right, the last of any length."""
    cells = []
    for column in table:
        texts = [column.head, *map(column.cell, rows)]
        most = max(map(len, texts)) if column.form != TEXT else 0
        cells.append([text.rjust(most) for text in texts])
    return columns(list(zip(*cells)), "", whole=True)


#: Columns of scores that several commands show.
WIS = Column("WIS", "wis")
RATIO = Column("ratio", "rel_wis", form="{:.2f}")
COVERED_90 = Column("90%", "coverage_90", form="{:.0%}")


def title(text: str) -> None:
    """The title of a table."""
    click.secho(f"\n{wrapped(text)}\n", bold=True)


def lay(table: pd.DataFrame | Sequence[Any], columns: Iterable[Column]) -> str:
    """A row per row, and the columns that hold something; columns of words that come first are
    names, the first of several where it changes. A row with one name alone is a title.
    """
    rows = list(table) if isinstance(table, Sequence) else table.to_dict("records")
    heads: list[str] = []
    cells: list[list[str]] = []
    left = 0
    for column in columns:
        texts = [column.cell(row) for row in rows]
        if column.form != TEXT and not set(texts) - {"–"}:
            continue
        if column.form == TEXT and left == len(heads):
            left += 1
        heads.append(column.head)
        cells.append(_starred(texts))
    lines = [list(line) for line in zip(*cells)]
    before = ""
    for row, line in zip(rows, lines):
        if len(row) == 1:
            line[left:] = [""] * len(line[left:])
        name = line[0]
        if left > 1 and name == before:
            line[0] = ""
        before = name
    return grid(heads, lines, left=left)


def _starred(cells: list[str]) -> list[str]:
    """Numbers under each other: a star has the room of a digit."""
    if not any(cell.endswith("*") for cell in cells):
        return cells
    return [cell if cell.endswith("*") else f"{cell} " for cell in cells]


def lay_groups(
    sections: Iterable[tuple[str, Sequence[tuple[str, pd.DataFrame]]]],
    columns: Iterable[Column],
    groups: Sequence[str],
) -> str:
    """A row per model under the title of its section, a column per score and months ahead.

    A section holds models, and of each the rows by ``horizon_group``.
    """
    rows: list[dict[Any, Any]] = []
    for section, models in sections:
        indent = "  " if section else ""
        if section:
            rows.append({"name": section})
        for model, scores in models:
            label = textwrap.indent("\n".join(textwrap.wrap(model, 44)), indent)
            rows.append({"name": label, **scores.to_dict("index")})

    def in_group(column: Column, group: str) -> Column:
        """The column in a group of months ahead."""
        return Column(
            f"{column.head}\n{group}", lambda row: column.cell(row.get(group, {}))
        )

    columns = [in_group(column, group) for column in columns for group in groups]
    return lay(rows, [text_of("months ahead", "name"), *columns])


# Cells


def count(low: float, middle: float, high: float) -> str:
    """A count with its interval, both no finer than the interval.

    >>> count(58_612.0, 70_118.0, 84_093.0), count(float("nan"), 1.0, 2.0)
    ('70,000 (59,000–84,000)', '–')
    """
    if not low <= high:
        return "–"
    step = step_of(low, high)
    low_text = rounded(low, step)
    high_text = rounded(high, step)
    # A count that is as good as known has no interval to speak of.
    if low_text == high_text:
        return low_text
    return f"{rounded(middle, step)} ({low_text}–{high_text})"


def change(low: float, middle: float, high: float) -> str:
    """A change in percent with its interval.

    >>> change(-21.8, -8.2, 9.4)
    '−8 (−22 to +9)'
    """
    low_text, text, high_text = (
        percent(x).removesuffix("%") for x in (low, middle, high)
    )
    return f"{text} ({low_text} to {high_text})" if low <= high else "–"


def share(value: float) -> str:
    """A probability in percent, as sentences say it, in signs for the words.

    >>> share(0.914), share(0.77), share(0.005), share(0.995), share(float("nan"))
    ('91', '75', '<1', '>99', '–')
    """
    return "–" if value != value else chance(value, short=True).removesuffix("%")


def code(place: str) -> str:
    """The code of a place as people know it: CDC's YC is New York City.

    >>> code("YC"), code("OH")
    ('NYC', 'OH')
    """
    return "NYC" if place == "YC" else place


def more_places(places: int, rows: int, kind: str = "states") -> str:
    """How many places a table leaves out; empty if none."""
    if rows == 0 or places <= rows:
        return ""
    return f"… and {places - rows:,} more {kind} (--rows 0 shows all)"


# Progress


@contextmanager
def _compiling() -> Iterator[None]:
    """Say, before the first compilation on a machine, that it happens once."""
    if "numba" not in sys.modules:  # then the model has nothing to compile
        yield
        return
    from numba.core import event

    class Announcement(event.Listener):
        """Says it at the first start."""

        announced = False

        def on_start(self, _: object) -> None:
            """A function is compiled, for none was stored."""
            if not self.announced:
                self.announced = True
                note(
                    "compiling the model for this machine; it happens once, and takes seconds"
                )

        def on_end(self, _: object) -> None:
            """Nothing is said."""

    with event.install_listener("numba:compile", Announcement()):
        yield


@contextmanager
def working(task: str) -> Iterator[Callable[[int, int], None] | None]:
    """Say on a terminal's standard error what is being done, if it takes longer than a moment.

    A model that counts its steps (PyMC's sampler does), or a caller that does, has a bar; any other
    a clock. Where nobody looks there is neither.
    """
    if not sys.stderr.isatty():
        with _compiling():
            yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    from odforecast.models.model import watching

    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True, markup=False),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    bar = progress.add_task(task, total=None)
    timer = threading.Timer(PATIENCE, progress.start)
    timer.daemon = True

    def report(text: str, steps: int, total: int) -> None:
        """Move the bar."""
        progress.update(
            bar,
            description=text,
            completed=steps,
            total=total,
        )

    timer.start()
    try:
        with watching(report), _compiling():
            yield partial(report, task)
    finally:
        timer.cancel()
        timer.join()
        progress.stop()
