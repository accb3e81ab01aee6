"""Tables on a screen, each from a list of columns: the head, the name in the data, and the form."""

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
    """A column: its head, the name it has in the data, and the form of its values."""

    head: str
    name: str
    form: str | Callable[[Any], str] = "{:,.0f}"

    def text(self, value: Any) -> str:
        """A value as the screen has it; a dash where there is none."""
        if value is None or value != value:
            return "–"
        return self.form(value) if callable(self.form) else self.form.format(value)


def title(text: str) -> None:
    """The title of a table."""
    click.secho(f"\n{wrapped(text)}\n", bold=True)


def lay(table: pd.DataFrame, labels: Mapping[str, str], columns: Iterable[Column]) -> str:
    """A row per row: labels, the first where it changes, then the columns that hold something."""
    shown = [c for c in columns if c.name in table and table[c.name].notna().any()]
    rows, before = [], None
    for row in table.to_dict("records"):
        names = [str(row[name]) for name in labels]
        again = len(names) > 1 and names[0] == before
        before = names[0] if names else None
        cells = [c.text(row[c.name]) for c in shown]
        blank = cells and set(cells) == {"–"}  # a row that is a title
        rows.append([*([""] * again + names[again:]), *([""] * len(cells) if blank else cells)])
    return grid([*labels.values(), *(c.head for c in shown)], rows, left=len(labels))


def lay_groups(
    sections: Iterable[tuple[str, Sequence[tuple[str, pd.DataFrame]]]],
    columns: Iterable[Column], groups: Sequence[str],
) -> str:  # fmt: skip
    """A row per model under the title of its section, a column per score and months ahead.

    A section holds models, and of each the rows by ``horizon_group``.
    """
    sections = list(sections)
    found = [rows for _, models in sections for _, rows in models]
    shown = [c for c in columns if any(c.name in r and r[c.name].notna().any() for r in found)]
    heads = [f"{c.head}\n{group}" for c in shown for group in groups]
    lines: list[list[str]] = []
    for name, models in sections:
        lines += [[name, *[""] * len(heads)]] if name else []
        for model, rows in models:
            cells = [c.text(rows[c.name].get(g)) if c.name in rows else "–"
                     for c in shown for g in groups]  # fmt: skip
            *first, last = textwrap.wrap(model, 44)
            lines += [[f"{'  ' * bool(name)}{text}", *[""] * len(heads)] for text in first]
            lines.append([f"{'  ' * bool(name)}{last}", *cells])
    return grid(["months ahead", *heads], lines) if shown else ""
