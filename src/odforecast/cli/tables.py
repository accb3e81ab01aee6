"""Tables on a screen, each from a list of columns: the head, what is in it, and its form."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from odforecast.cli.screen import grid, wrapped
from odforecast.names import (
    TARGET_12MO,
    TARGET_MONTH,
    TARGET_TREND,
    VINTAGE_CLEAN,
    VINTAGE_DELAYED,
    VINTAGE_REAL,
)

if TYPE_CHECKING:
    import pandas as pd

#: Targets, groups of places and kinds of vintage, as people call them.
WORDS: Final = {
    TARGET_12MO: "12-month deaths", TARGET_MONTH: "monthly deaths", TARGET_TREND: "trend",
    "nation": "US", "jurisdictions": "states", VINTAGE_REAL: "real releases",
    VINTAGE_DELAYED: "past months, with reporting delay",
    VINTAGE_CLEAN: "past months, without reporting delay",
}  # fmt: skip
WHAT_90_IS: Final = "90%: how often the 90% interval contained the final count"
WHAT_WIS_IS: Final = "WIS: mean weighted interval score in deaths, lower is better"


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


def title(text: str) -> None:
    """The title of a table."""
    click.secho(f"\n{wrapped(text)}\n", bold=True)


def lay(
    table: pd.DataFrame | Sequence[Any], labels: Mapping[str, str], columns: Iterable[Column],
    left: int = 0,
) -> str:  # fmt: skip
    """A row per row: labels, the first where it changes, then the columns that hold something.

    ``left``: how many of the columns are names, too.
    """
    rows = list(table) if isinstance(table, Sequence) else table.to_dict("records")
    cells = [(c.head, [c.cell(row) for row in rows]) for c in columns]
    shown = {i: _starred(column) for i, (_, column) in enumerate(cells) if set(column) - {"–"}}
    lines, before = [], None
    for row, *numbers in zip(rows, *shown.values()):
        names = [str(row[name]) for name in labels]
        again = len(names) > 1 and names[0] == before
        before = names[0] if names else None
        if numbers and set(numbers) == {"–"}:  # a row that is a title
            numbers = [""] * len(numbers)
        lines.append([*([""] * again + names[again:]), *numbers])
    return grid([*labels.values(), *(cells[i][0] for i in shown)], lines, len(labels) + left)


def _starred(column: list[str]) -> list[str]:
    """Numbers under each other: a star has the room of a digit."""
    if not any(cell.endswith("*") for cell in column):
        return column
    return [cell if cell.endswith("*") else f"{cell} " for cell in column]


def lay_groups(
    sections: Iterable[tuple[str, Sequence[tuple[str, pd.DataFrame]]]],
    columns: Iterable[Column], groups: Sequence[str],
) -> str:  # fmt: skip
    """A row per model under the title of its section, a column per score and months ahead.

    A section holds models, and of each the rows by ``horizon_group``.
    """
    nothing: dict[str, Any] = {}
    found = [(name, [(m, rows.to_dict("index")) for m, rows in models])
             for name, models in sections]  # fmt: skip
    shown = [c for c in columns
             if any(c.cell(row) != "–" for _, models in found
                    for _, rows in models for row in rows.values())]  # fmt: skip
    heads = [f"{c.head}\n{group}" for c in shown for group in groups]
    lines: list[list[str]] = []
    for name, models in found:
        lines += [[name, *[""] * len(heads)]] if name else []
        for model, rows in models:
            *first, last = [f"{'  ' * bool(name)}{text}" for text in textwrap.wrap(model, 44)]
            lines += [[text, *[""] * len(heads)] for text in first]
            lines.append([last, *(c.cell(rows.get(g, nothing)) for c in shown for g in groups)])
    return grid(["months ahead", *heads], lines) if shown else ""
