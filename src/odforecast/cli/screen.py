"""What goes to a screen: at most 80 columns, and no number without its end."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

#: Columns of a screen, and of what goes into a pipe.
WIDTH = 80


def say(text: str, err: bool = False, indent: str = "") -> None:
    """A sentence, in lines that fit a screen.

    Parameters
    ----------
    text : str
        Spaces and line ends count as one space.
    err : bool
        On standard error, where JSON goes to standard output.
    indent : str
        Before every line but the first.
    """
    click.echo(wrapped(text, indent=indent), err=err)


def wrapped(text: str, width: int = WIDTH, indent: str = "") -> str:
    """Text in lines of a width; a word longer than that, such as a path, stays whole.

    Examples
    --------
    >>> print(wrapped("one two three", 8, "  "))
    one two
      three
    """
    return "\n".join(
        textwrap.wrap(
            text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    )


def note(text: str, kind: str = "note") -> None:
    """A sentence on standard error, its kind before it; its lines fit a screen."""
    click.echo(wrapped(f"{kind}: {text}", indent="  "), err=True)


def warn(text: str) -> None:
    """A warning on standard error."""
    note(text, "warning")


def plain_table() -> Table:
    """An empty table as all commands print them."""
    return Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def print_whole(console: Console, table: Table) -> None:
    """Print a table as wide as it needs to be.

    In a pipe, or on a screen too narrow for it, lines get longer: a terminal breaks them, but no
    number loses its end.
    """
    options = console.options.update(max_width=10_000)
    width = console.measure(table, options=options).maximum
    if width <= console.width:
        console.print(table)
        return
    was, console.width = console.width, width
    try:
        console.print(table, soft_wrap=True)
    finally:
        console.width = was


def columns(rows: Sequence[Sequence[str]], width: int = WIDTH) -> str:
    """Rows of words under each other, each column as wide as its longest word.

    The last cells are broken between words, and go on under themselves.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        head = "  " + "".join(f"{cell.ljust(w)}  " for cell, w in zip(row, widths))
        room = max(width - len(head), 20)
        first, *rest = textwrap.wrap(row[-1], room, break_long_words=False) or [""]
        lines += [(head + first).rstrip(), *(" " * len(head) + text for text in rest)]
    return "\n".join(lines)


def print_lines(rows: Sequence[Sequence[object]], form: str) -> None:
    """Print a header and rows whose last cell may be of any length.

    In a pipe a row is one line. On a terminal too narrow for a row, the last cells stand on lines
    of their own, so nothing is cut and the columns stay columns.

    Parameters
    ----------
    rows : sequence of sequence
        The header first.
    form : str
        Of all cells but the last.
    """
    heads = [form.format(*row[:-1]) for row in rows]
    width = max(len(f"{head}  {row[-1]}") for head, row in zip(heads, rows, strict=True))
    narrow = sys.stdout.isatty() and width > shutil.get_terminal_size().columns
    for head, row in zip(heads, rows, strict=True):
        click.echo(f"{head.rstrip()}\n    {row[-1]}" if narrow else f"{head}  {row[-1]}")


def grid(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Rows under their heads, with a rule between; no space at the ends of lines.

    Parameters
    ----------
    heads : sequence of str
        Of one line or several.
    rows : sequence of sequence of str
    left : int
        As many columns stand at the left, the others at the right.

    Examples
    --------
    >>> print(grid(["", "deaths\\n2025"], [["US", "70,000"], ["OH", "2,500"]]))
        deaths
          2025
    ──────────
    US  70,000
    OH   2,500
    """
    titles = [head.split("\n") for head in heads]
    deep = max(map(len, titles))
    tops = [[""] * (deep - len(title)) + title for title in titles]
    above = [[top[i] for top in tops] for i in range(deep)]
    widths = [max(len(row[i]) for row in [*above, *rows]) for i in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        pairs = enumerate(zip(cells, widths))
        put = (cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in pairs)
        return "  ".join(put).rstrip()

    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([*map(line, above), rule, *map(line, rows)])
