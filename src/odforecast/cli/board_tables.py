"""The screen of a leaderboard: who takes part, what is missing, and the scores on common counts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from rich.console import Console

from odforecast.backtesting.board import Board
from odforecast.backtesting.results import BASELINE
from odforecast.backtesting.unit import on_screen
from odforecast.cli.screen import plain_table, print_whole
from odforecast.scoring.columns import HORIZON_GROUPS

_DASH = "–"


def print_board(console: Console, board: Board) -> None:
    """Print a leaderboard.

    Parameters
    ----------
    console : Console
        Without markup: labels may hold brackets.
    board : Board
    """
    task = board.task
    console.print(f"task {task['name']} ({task['fingerprint'][:12]})", highlight=False)
    table = board.to_frame()
    shared = dict(table.groupby("model")["n_common"].sum())
    print_entries(console, board.entries, {str(m): float(n) for m, n in shared.items()})
    if table.empty:
        console.print("nothing could be scored", highlight=False)
        return
    for level, part in table.groupby("level", observed=True, sort=True):
        _print_level(console, str(level), part, board.second)
    console.print(
        "WIS and cov90: mean weighted interval score, deaths, and truths inside the 90% "
        "interval, over the counts that all models have (–: not among all)"
        + (
            f"; rel: as a share of {BASELINE}'s on the counts both have (n)"
            if BASELINE in board.models
            else ""
        )
        + (f"; naive: of {board.second}'s" if board.second else "")
        + ".",
        highlight=False,
    )


def print_entries(
    console: Console, entries: pd.DataFrame, shared: Mapping[str, float] | None = None
) -> None:
    """A row per model: forecasts missing, failures, counts shared with the baseline, cost.

    Parameters
    ----------
    console : Console
    entries : DataFrame
        As :attr:`odforecast.backtesting.board.Board.entries`.
    shared : mapping of str to float, optional
        Counts that a model has in common with the baseline.
    """
    shared = shared or {}
    grid = plain_table()
    grid.add_column("model", overflow="fold")
    for name in ("asked", "missing", "failures", "n", "s per\norigin"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("made", overflow="fold")
    for row in entries.to_dict("records"):
        seconds = row["seconds_per_origin"]
        grid.add_row(
            str(row["model"]),
            f"{row['n_asked']:,}",
            f"{row['n_missing']:,}",
            f"{row['n_failures']:,}",
            _cell(shared.get(str(row["model"]), 0) or None, "{:,.0f}"),
            _DASH if pd.isna(seconds) else f"{seconds:.2f}",
            "elsewhere" if row["submitted"] else "here",
        )
    print_whole(console, grid)
    for row in entries.to_dict("records"):
        if row["n_failures"]:
            console.print(f"  {row['model']}: {on_screen(row['failure'])}", highlight=False)


def _print_level(console: Console, level: str, part: pd.DataFrame, second: str | None) -> None:
    groups = [g for g in HORIZON_GROUPS if g in set(part["horizon_group"].astype(str))]
    blocks = [
        ("WIS", "wis_all", "{:.0f}"),
        ("rel", "rel_wis", "{:.2f}"),
        *([("naive", "rel_naive", "{:.2f}")] if second else []),
        ("cov90, %", "coverage_90", "{:.0%}"),
    ]
    blocks = [b for b in blocks if part[b[1]].notna().any()]
    rows = {str(m): r.set_index("horizon_group") for m, r in part.groupby("model", sort=False)}
    apart = [m for m in rows if not rows[m]["in_all"].all()]
    # Without a mean over what all have there is no place in an order.
    order = sorted(rows, key=lambda m: (m in apart, rows[m]["wis_all"].fillna(np.inf).mean()))
    some = next(iter(rows.values()))
    common = " / ".join(f"{int(some['n_all'].get(g, 0)):,}" for g in groups)
    console.print(
        f"{level}: {' / '.join(groups)} months ahead; counts of all: {common}",
        style="bold", highlight=False,
    )  # fmt: skip
    grid = plain_table()
    grid.add_column("model", overflow="fold")
    for name, _, _ in blocks:
        grid.add_column(name, justify="right", no_wrap=True)
    for model in order:
        row = rows[model]
        cells = ["/".join(_cell(row[key].get(g), form) for g in groups) for _, key, form in blocks]
        grid.add_row(model, *cells)
    print_whole(console, grid)
    if why := none_common(part):
        console.print(f"  {why}", highlight=False)
    if apart:
        console.print(
            f"  not among all, with fewer than half of the counts: {', '.join(sorted(apart))}",
            highlight=False,
        )


def none_common(part: pd.DataFrame) -> str:
    """Why there is no mean over what all have, where there is none; else empty.

    Parameters
    ----------
    part : DataFrame
        Rows of one level of :meth:`odforecast.backtesting.board.Board.table`.
    """
    none = part[part["n_all"] == 0]
    if none.empty:
        return ""
    if part["n_all"].any():
        groups = set(none["horizon_group"].astype(str))
        where = f" {' and '.join(g for g in HORIZON_GROUPS if g in groups)} months ahead"
    else:
        where = ""
    why = (
        "no model has half of the counts"
        if not none["in_all"].any()
        else "each was forecast by some models and not by others"
    )
    return f"no count that all have{where}, so no WIS and no coverage: {why}"


def _cell(value: object, form: str) -> str:
    if value is None or pd.isna(value):  # type: ignore[call-overload]
        return _DASH
    text = form.format(value).removesuffix("%")
    return text.removeprefix("0") if form == "{:.2f}" and text.startswith("0.") else text
