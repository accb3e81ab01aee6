"""Tables on a screen, each from a list of columns: what is above them, what is in them, and how."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from odforecast.cli.screen import grid
from odforecast.names import TARGET_12MO, TARGET_MONTH, TARGET_TREND

if TYPE_CHECKING:
    import pandas as pd

#: Targets and groups of places, as people call them.
WORDS: Final = {
    TARGET_12MO: "12-month deaths", TARGET_MONTH: "monthly deaths", TARGET_TREND: "trend",
    "nation": "US", "jurisdictions": "states", "nowcast": "completed counts",
    "pseudo-delayed": "recent months incomplete", "pseudo-clean": "recent months complete",
    "real": "real releases",
}  # fmt: skip
WHAT_90_IS: Final = "90%: how often the 90% interval contained the final count"
WHAT_WIS_IS: Final = "WIS: mean weighted interval score in deaths, lower is better"


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


def width() -> int:
    """Columns of the terminal; 80 in a pipe."""
    return shutil.get_terminal_size((80, 24)).columns


def lay(
    table: pd.DataFrame,
    labels: Mapping[str, str],
    columns: Iterable[Column],
    spare: Sequence[Sequence[str]] = (),
) -> str:
    """A row per row: labels, the first where it changes, then the columns that hold something.

    Columns named in ``spare`` are left out, the first ones first, until the rest fits the terminal.
    """
    shown = [c for c in columns if c.name in table and table[c.name].notna().any()]
    return _fitting(shown, spare, lambda shown: _rows(table, labels, shown))


def _rows(table: pd.DataFrame, labels: Mapping[str, str], columns: Sequence[Column]) -> str:
    """A table of these columns."""
    rows, before = [], None
    for row in table.to_dict("records"):
        first, *others = (str(row[name]) for name in labels)
        same = first == before and len(labels) > 1
        rows.append(["" if same else first, *others, *(c.text(row[c.name]) for c in columns)])
        before = first
    return grid([*labels.values(), *(c.head for c in columns)], rows, left=len(labels))


def lay_groups(
    sections: Sequence[tuple[str, Sequence[tuple[str, pd.DataFrame]]]],
    columns: Iterable[Column],
    groups: Sequence[str],
    spare: Sequence[Sequence[str]] = (),
) -> str:
    """A row per model under the title of its section, a column per score and group of horizons.

    A section holds models, and each one's rows by ``horizon_group``.
    """
    found = [rows for _, models in sections for _, rows in models]
    shown = [c for c in columns if any(c.name in r and r[c.name].notna().any() for r in found)]

    def made(columns: Sequence[Column]) -> str:
        """A table of these scores."""
        heads = [f"{c.head}\n{group}" for c in columns for group in groups]
        lines: list[list[str]] = []
        for title, models in sections:
            lines += [[title, *[""] * len(heads)]] if title else []
            for model, rows in models:
                at = [c.text(rows[c.name].get(g)) if c.name in rows else "–"
                      for c in columns for g in groups]  # fmt: skip
                lines.append([f"{'  ' * bool(title)}{model}", *at])
        return grid(["months ahead", *heads], lines)

    return _fitting(shown, spare, made)


def _fitting(
    columns: list[Column], spare: Sequence[Sequence[str]], made: Callable[[list[Column]], str]
) -> str:
    """What is made of the columns, without as many of the spare ones as do not fit."""
    text = made(columns)
    for names in spare:
        if max(map(len, text.splitlines())) <= width():
            break
        columns = [c for c in columns if c.name not in names]
        text = made(columns)
    return text
