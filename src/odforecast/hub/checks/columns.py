"""Checks of a submission's columns: round id, names and types."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from odforecast.hub.checks.outcome import SHOWN, Finding, first_rows
from odforecast.hub.checks.rows import Rows, fits
from odforecast.hub.checks.tasks import STANDARD, Round, Word
from odforecast.say import listed, plain, quoted

#: How an R type is said in a message.
_SAID = {"double": "number", "integer": "whole number", "Date": "day such as 2024-07-31"}


def broken_rows(
    rows: Rows, column: str, bad: np.ndarray, message: str
) -> tuple[list[Finding], int]:
    """The first rows of a mask as findings, one per distinct cell, and how many rows there are.

    Parameters
    ----------
    rows : Rows
    column : str
    bad : ndarray of bool, shape (rows,)
    message : str
        What is wrong with all of them.
    """
    found = []
    at = np.flatnonzero(bad)
    firsts = np.unique(rows.columns[column].codes[at], return_index=True)[1]
    for i in at[np.sort(firsts)[:SHOWN]]:
        text = rows.columns[column].text(int(i))
        found.append(Finding(message, rows.row(i), column, "NA" if text is None else text))
    return found, len(at)


def unreadable_cells(rows: Rows, types: dict[str, str]) -> tuple[list[Finding], int]:
    """Cells of a CSV file that cannot be read as the type of their column."""
    found: list[Finding] = []
    count = 0
    for name, kind in types.items():
        column = rows.columns.get(name)
        if column is None or column.kind != "text" or kind == "character":
            continue
        bad = ~column.where(lambda w, kind=kind: fits(w, kind))  # type: ignore[misc]
        some, n = broken_rows(rows, name, bad, f"is no {_SAID.get(kind, kind)}")
        found, count = found + some, count + n
    return found[:SHOWN], count


def unique_round(rows: Rows, column: str) -> list[Finding]:
    """The column of round ids holds one."""
    ids = rows.columns[column].distinct()
    if len(ids) == 1:
        return []
    return [Finding(f"holds {len(ids)} round ids: {_said(ids)}; one is needed", None, column)]


def match_round(rows: Rows, column: str, round_id: str) -> tuple[list[Finding], int]:
    """It is that of the file's name."""
    bad = ~rows.columns[column].among([round_id])
    return broken_rows(rows, column, bad, f"the file's name says round {round_id}")


def column_names(rows: Rows, entry: Round) -> list[Finding]:
    """The columns are the round's task ids and the standard ones, in any order."""
    return names_differ(rows, (*entry.task_ids, *STANDARD))


def names_differ(rows: Rows, wanted: Sequence[str]) -> list[Finding]:
    """What is missing, and what is too much."""
    missing = [c for c in wanted if c not in rows.columns]
    extra = [c for c in rows.columns if c not in wanted]
    found = [Finding("this column is missing", None, c) for c in missing]
    if extra:
        text = f"{len(extra):,} unknown column{'s' * (len(extra) > 1)}: {listed(extra, 3)}"
        found.append(Finding(f"{text}; the columns are {listed(wanted, 20)}"))
    return found


def column_types(rows: Rows, types: dict[str, str]) -> list[Finding]:
    """Columns of a typed file (Parquet, Arrow) have the types of the configuration."""
    found = []
    for name, column in rows.columns.items():
        wanted = types.get(name)
        if wanted is not None and column.kind not in ("text", wanted):
            text = f"is of type {plain(column.kind)}, and {wanted} is needed"
            found.append(Finding(text, None, name))
    return found


def derived_values(rows: Rows, entry: Round, derived: Sequence[str]) -> tuple[list[Finding], int]:
    """Derived task ids have values of the configuration; of their combination nothing is said."""
    found: list[Finding] = []
    count = 0
    for name in derived:
        known = {w for t in entry.tasks if name in t.task_ids for w in t.task_ids[name].allowed}
        if any(name not in t.task_ids for t in entry.tasks):
            known.add(None)
        bad = ~rows.columns[name].among(known)
        some, n = broken_rows(rows, name, bad, "no value of this derived task id")
        found, count = found + some, count + n
    return found, count


def duplicate_rows(rows: Rows, columns: Sequence[str], message: str) -> tuple[list[Finding], int]:
    """Rows that repeat an earlier one in all these columns."""
    key = rows.key(columns)
    order = np.argsort(key, kind="stable")
    again = np.zeros(rows.n, dtype=bool)
    same = key[order[1:]] == key[order[:-1]]
    again[order[1:][same]] = True
    begins = np.where(np.r_[True, ~same], np.arange(rows.n), 0) if rows.n else order
    starts = np.maximum.accumulate(begins)
    first = np.zeros(rows.n, dtype=np.int64)
    first[order] = order[starts]
    found = [
        Finding(f"{message} of row {rows.row(first[i]):,}: {said_row(rows, columns, int(i))}",
                rows.row(i))
        for i in first_rows(again)
    ]  # fmt: skip
    return found, int(again.sum())


def said_row(rows: Rows, columns: Sequence[str], i: int) -> str:
    """A row's values in some columns, for a message."""
    texts = ((name, rows.columns[name].text(i)) for name in columns)
    return ", ".join(f"{name} {plain('NA' if w is None else w, 40)}" for name, w in texts)


def _said(values: Sequence[Word]) -> str:
    return ", ".join("NA" if v is None else quoted(v, 40) for v in values[:4])
