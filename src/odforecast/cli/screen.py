"""Tables on a screen: whole, however narrow it is."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table


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


def columns(rows: list[list[str]]) -> str:
    """Rows of words under each other, each column as wide as its longest word."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows
    )
