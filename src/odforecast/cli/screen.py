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
from itertools import takewhile
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


def wrapped(text: str, columns: int | None = None, indent: str = "", start: str = "") -> str:
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


def columns(rows: Sequence[Sequence[str]], indent: str = "  ", whole: bool = False) -> str:
    """Rows of words in columns; the last cell is broken between words and goes on under itself.

    ``whole`` keeps a row in one line where nobody looks at a screen. Where the other columns leave
    no room, the last cell has lines of its own.
    """
    *names, last = zip(*rows)
    widths = [max(map(len, cells)) for cells in names]
    room = width() - len(indent) - sum(widths) - 2 * len(widths)
    lines = []
    for *cells, text in rows:
        head = indent + "".join(f"{cell.ljust(w)}  " for cell, w in zip(cells, widths))
        if whole and not fitted():
            lines.append(head + text)
        elif room < 20 and max(map(len, last)) > room:
            lines += [head, wrapped(text, None, indent="    ", start="    ")]
        else:
            most = len(head) + max(room, 20)
            lines.append(wrapped(text, most, indent=" " * len(head), start=head) or head)
    return "\n".join(line.rstrip() for line in lines if line)


def facts(found: Mapping[str, Any], indent: str = "  ") -> str:
    """What is known of something, a line each."""
    return columns([[key.replace("_", " "), _fact(value)] for key, value in found.items()], indent)


def _fact(value: Any) -> str:
    """A value in words."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        first = [f"{key} {_fact(item)}" for key, item in list(value.items())[:4]]
        return ", ".join(first) + (f", … ({len(value)})" if len(value) > len(first) else "")
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
    above = _lines(heads)
    below = [line for row in rows for line in _lines(row)]
    widths = [max(map(len, cells)) for cells in zip(*above, *below)]
    names = sum(widths[:left]) + 2 * (left - 1)
    parts: list[list[int]] = [[]]
    used = names
    for i in range(left, len(heads)):
        if fitted() and parts[-1] and used + 2 + widths[i] > width():
            parts.append([])
            used = names
        parts[-1].append(i)
        used += 2 + widths[i]

    def line(cells: Sequence[str], shown: Sequence[int]) -> str:
        """Names at the left, numbers at the right."""
        put = (cells[i].ljust(widths[i]) if i < left else cells[i].rjust(widths[i]) for i in shown)
        return "  ".join(put).rstrip()

    tables = []
    for part in parts:
        shown = [*range(left), *part]
        top = [text for cells in above if (text := line(cells, shown)) or len(parts) == 1]
        rule = "─" * (sum(widths[i] + 2 for i in shown) - 2)
        tables.append("\n".join([*top, rule, *(line(cells, shown) for cells in below)]))
    return "\n\n".join(tables)


def _lines(cells: Sequence[str]) -> list[tuple[str, ...]]:
    """The lines of a row, whose cells end in the last."""
    parts = [cell.split("\n") for cell in cells]
    deep = max(map(len, parts))
    return list(zip(*([""] * (deep - len(part)) + part for part in parts)))


def words(value: object) -> str:
    """What people call a target, a group of places or a kind of vintage."""
    return WORDS.get(str(value), str(value))


class Column(NamedTuple):
    """A column: its head, a name in the data or what makes the cell of a row, and the form."""

    head: str
    of: str | Callable[[Any], str]
    form: str | Callable[[Any], str] = "{:,.0f}"

    def cell(self, row: Any) -> str:
        """What the screen has of a row; a dash where there is nothing."""
        if callable(self.of):
            return self.of(row)
        value = row.get(self.of)
        if value is None or value != value:
            return "–"
        return self.form(value) if callable(self.form) else self.form.format(value)


#: The form of a column of words.
TEXT: Final = "{}"


def text_of(head: str, of: str | Callable[[Any], str] = "") -> Column:
    """A column of words; by itself of the column that is called so."""
    return Column(head, of or head, form=TEXT)


def listing(rows: Sequence[Any], shown: Sequence[Column]) -> str:
    """Columns of rows: numbers at the right, the last of any length."""
    lines = [[c.head for c in shown], *([c.cell(row) for c in shown] for row in rows)]
    for i, column in enumerate(shown):
        most = max(len(line[i]) for line in lines)
        for line in lines if column.form != TEXT else ():
            line[i] = line[i].rjust(most)
    return columns(lines, "", whole=True)


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
    cells = {c: [c.cell(row) for row in rows] for c in columns}
    shown = {c: x for c, x in cells.items() if c.form == TEXT or set(x) - {"–"}}
    left = sum(1 for _ in takewhile(lambda c: c.form == TEXT, shown))
    lines = list(map(list, zip(*map(_starred, shown.values()))))
    for before, row, line in reversed(list(zip([[], *lines], rows, lines))):
        if left > 1 and line[:1] == before[:1]:
            line[0] = ""
        if len(row) == 1:
            line[left:] = [""] * len(line[left:])
    return grid([c.head for c in shown], lines, left=left)


def _starred(column: list[str]) -> list[str]:
    """Numbers under each other: a star has the room of a digit."""
    if not any(cell.endswith("*") for cell in column):
        return column
    return [cell if cell.endswith("*") else f"{cell} " for cell in column]


def lay_groups(
    sections: Iterable[tuple[str, Sequence[tuple[str, pd.DataFrame]]]],
    columns: Iterable[Column],
    groups: Sequence[str],
) -> str:
    """A row per model under the title of its section, a column per score and months ahead.

    A section holds models, and of each the rows by ``horizon_group``.
    """
    rows: list[dict[Any, Any]] = []
    for name, models in sections:
        rows += [{"name": name}] if name else []
        for model, scores in models:
            label = "\n".join(f"{'  ' * bool(name)}{x}" for x in textwrap.wrap(model, 44))
            rows.append({"name": label, **scores.to_dict("index")})

    def within(column: Column, group: str) -> Callable[[Any], str]:
        """The cell of a group of months ahead."""
        return lambda row: column.cell(row.get(group, {}))

    shown = (Column(f"{c.head}\n{group}", within(c, group)) for c in columns for group in groups)
    return lay(rows, [text_of("months ahead", "name"), *shown])


# Cells


def count(low: float, middle: float, high: float) -> str:
    """A count with its interval, both no finer than the interval.

    >>> count(58_612.0, 70_118.0, 84_093.0), count(float("nan"), 1.0, 2.0)
    ('70,000 (59,000–84,000)', '–')
    """
    if not low <= high:
        return "–"
    step = step_of(low, high)
    ends = [rounded(low, step), rounded(high, step)]
    # A count that is as good as known has no interval to speak of.
    return ends[0] if ends[0] == ends[1] else f"{rounded(middle, step)} ({ends[0]}–{ends[1]})"


def change(low: float, middle: float, high: float) -> str:
    """A change in percent with its interval.

    >>> change(-21.8, -8.2, 9.4)
    '−8 (−22 to +9)'
    """
    low_text, text, high_text = (percent(x).removesuffix("%") for x in (low, middle, high))
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


def more_places(places: int, rows: int, what: str = "states") -> str:
    """How many places a table leaves out; empty if none."""
    left = places - rows if rows else 0
    return f"… and {left:,} more {what} (--rows 0 shows all)" if left > 0 else ""


# Progress


@contextmanager
def _compiling() -> Iterator[None]:
    """Say, before the first compilation on a machine, that it happens once."""
    if "numba" not in sys.modules:  # then the model has nothing to compile
        yield
        return
    from numba.core import event

    class Said(event.Listener):
        """Says it at the first start."""

        done = False

        def on_start(self, _: object) -> None:
            """A function is compiled, for none was stored."""
            if not self.done:
                self.done = True
                note("compiling the model for this machine; it happens once, and takes seconds")

        def on_end(self, _: object) -> None:
            """Nothing is said."""

    with event.install_listener("numba:compile", Said()):
        yield


@contextmanager
def working(what: str, patience: float = PATIENCE) -> Iterator[Callable[[int, int], None] | None]:
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

    shown = Progress(
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
    task = shown.add_task(what, total=None)
    timer = threading.Timer(patience, shown.start)
    timer.daemon = True

    def tell(text: str, done: int, total: int) -> None:
        """Move the bar."""
        shown.update(
            task,
            description=text,
            completed=done,
            total=total,
        )

    timer.start()
    try:
        with watching(tell), _compiling():
            yield partial(tell, what)
    finally:
        timer.cancel()
        timer.join()
        shown.stop()
