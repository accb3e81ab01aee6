"""Leaderboards on the screen: of a backtest, of counties, and of a task."""

from __future__ import annotations

import math
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click
import numpy as np
import pandas as pd

import odforecast as od
from odforecast.backtesting.results import BASELINE
from odforecast.backtesting.unit import on_screen
from odforecast.cli.screen import (
    COVERED_90,
    RATIO,
    WHAT_90_IS,
    WHAT_WIS_IS,
    WIS,
    Column,
    grid,
    lay,
    lay_groups,
    say,
    text_of,
    title,
    words,
    wrapped,
)
from odforecast.names import DECIDING, deciding_kind
from odforecast.report.blocks import Block
from odforecast.report.skill import county_skill_blocks, skill_blocks
from odforecast.scoring.columns import HORIZON_GROUPS
from odforecast.scoring.summary import COUNTY_BASELINE, is_of_counties

if TYPE_CHECKING:
    from odforecast.backtesting import Board

type Sections = list[tuple[str, list[tuple[str, pd.DataFrame]]]]

#: What pages say of a table in words of their own.
_WORDS: defaultdict[str, list[str]] = defaultdict(
    list,
    {
        "trend": [
            "ratio of ranked probability scores of the five kinds of change from a year earlier "
            "to those "
            "of the frequencies known when the forecast was made, below 1 is better"
        ]
    },
)
_MISSING = (
    text_of("model"),
    text_of("past data", "vintage"),
    *(Column(x, x) for x in ("asked", "missing", "failures")),
)
_ENTRIES = (
    text_of("", "model"),
    Column("asked", "n_asked"),
    Column("missing", "n_missing"),
    Column("failures", "n_failures"),
    Column("in common", "common"),
    Column("seconds", "seconds_per_origin", form="{:.2f}"),
    Column("made", "made", form="{}"),
)
_TASK = (Column("WIS", "wis_all"), RATIO, Column("naive", "rel_naive", form="{:.2f}"), COVERED_90)


def print_leaderboard(results: od.Results, every: bool = False) -> None:
    """Print the leaderboard of what decides; with ``every``, all tables that a run has."""
    if is_of_counties(results.scores):
        _print_blocks(county_skill_blocks(results)[: None if every else 1])
        say(
            "CRPS from 10 on: mean CRPS of max(deaths, 9) over all counties; hidden counts are 9 "
            f"or less. Baseline: {COUNTY_BASELINE}, ± the standard error over states. Bands: "
            "ranked probability score of 0, 1 to 9, and 10 or more deaths. WIS and 90%: counties "
            f"with a published count before and after. {WHAT_90_IS}. Lower scores are better.",
            before="\n",
        )
        return
    board = results.leaderboard(by=["vintage", "level", "horizon_group"])
    keys = [key for key in ("target", "level") if key in board]
    ahead = board[board["horizon_group"].astype(str) != "nowcast"]
    kinds = [kind for kind in DECIDING if kind in set(board["vintage"])]
    for kind in kinds if every else [deciding_kind(board["vintage"])]:
        part = ahead[ahead["vintage"] == kind]
        units = part.groupby([*keys, "horizon_group"], observed=True)["n_units"].max().sum()
        title(f"Leaderboard on {words(kind)} ({kind}); {units:,.0f} forecasts per model")
        if part["wis"].notna().any():
            click.echo(
                lay_groups(_sections(part, keys), (WIS, RATIO, COVERED_90), groups=_groups(part))
            )
        else:
            click.echo("Nothing can be scored yet.")
    if every:
        _print_blocks(skill_blocks(results, drawn=False)[1:])
    ratio = f"ratio: WIS divided by {BASELINE}'s on the same forecasts, below 1 is better"
    if BASELINE not in set(board["model"]):
        ratio = f"no ratio without {BASELINE} among the models"
    say(f"{WHAT_WIS_IS}; {ratio}; {WHAT_90_IS}.", before="\n")
    _print_missing(results)
    if not every:
        say(
            "--all shows every other table of this run: other kinds of past data, ratios with "
            "their uncertainty, completed counts, the trend and coverage."
        )


def _print_blocks(blocks: Iterable[Block]) -> None:
    """Print the tables of a page."""
    for block in blocks:
        title(block.title)
        parts = [wrapped(text) for text in block.paragraphs]
        for table in block.tables:
            values = [row[max(table.sorted_by, 0)].value for row in table.rows]
            rows = [table.rows[i] for i in np.argsort(values, kind="stable")]
            cells = [
                [f"{x.text} {x.small and f'({x.small})'}".rstrip() for x in row] for row in rows
            ]
            heads = [textwrap.fill(column.title, 10) for column in table.columns]
            notes = [f"{c.title}: {c.note}" for c in table.columns if c.note]
            parts.append(f"{wrapped(table.caption)}\n\n{grid(heads, cells)}")
            if text := "; ".join([*notes, *_WORDS[table.words]]):
                parts[-1] += f"\n{wrapped(f'{text}.')}"
        click.echo("\n\n".join(parts))


def _sections(board: pd.DataFrame, keys: list[str]) -> Sections:
    """Each group of a board and its models, the best first; one without any score is last."""
    found = []
    for head, part in board.groupby(keys, sort=False, observed=True):
        rows = {str(m): r.set_index("horizon_group") for m, r in part.groupby("model", sort=False)}
        best = sorted(rows, key=lambda m: rows[m]["wis"].fillna(math.inf).mean())
        found.append((", ".join(map(words, head)), [(model, rows[model]) for model in best]))
    return found


def _groups(board: pd.DataFrame) -> list[str]:
    """Groups of months ahead that a board has, in their order."""
    there = set(board["horizon_group"].astype(str))
    return [g for g in HORIZON_GROUPS if g in there]


def _print_missing(results: od.Results) -> None:
    """Forecasts that are missing and failures, per model; one line where there are none."""
    table = lacking(results)
    short = table[(table["missing"] > 0) | (table["failures"] > 0)]
    if short.empty:
        n = table.groupby("vintage", sort=False)["asked"].first()
        said = ", ".join(f"{int(k):,} ({kind})" for kind, k in n.items())
        say(f"Every model made all forecasts: {said}.")
        return
    title("Missing forecasts")
    click.echo(lay(short, _MISSING))
    for row in short[short["failures"] > 0].to_dict("records"):
        say(f"{row['model']}: {on_screen(row['reason'])}", indent="  ")
    say(
        "Missing: of the forecasts asked for; other models made all. Ratios compare only counts "
        "that both models forecast."
    )


def lacking(results: od.Results) -> pd.DataFrame:
    """Forecasts asked for, missing, and failures with the commonest reason, per model and kind."""
    says = results.manifest
    keys = ["vintage", "model"]
    horizons = says["horizons"]
    n_ahead = int(says["horizon"]) if isinstance(horizons, str) else len(horizons)
    each = len(says["locations"]) * len(says["targets"]) * n_ahead
    origins = Counter(x["vintage"] for x in says["origins"] if x["data_hash"] is not None)
    ahead = results.scores[results.scores["horizon"] >= 1]
    made = ahead[keys].astype(str).value_counts(sort=False)
    failed = results.failures.astype(str).groupby(keys, sort=False)["reason"]
    reasons = failed.agg(lambda texts: texts.value_counts().index[0])
    table = pd.concat([made, failed.size(), reasons], axis=1, keys=["made", "failures", "reason"])
    table = table.fillna({"made": 0, "failures": 0, "reason": ""}).reset_index()
    asked = table["vintage"].map(origins) * each
    missing = (asked - table["made"]).clip(lower=0).astype(int)
    table = table.assign(
        asked=asked,
        missing=missing,
        failures=table["failures"].astype(int),
    )
    table = table.sort_values("vintage", key=lambda x: x.map([*origins].index), kind="stable")
    return table[[*keys, "asked", "missing", "failures", "reason"]]


# Tasks


def print_board(board: Board) -> None:
    """Print the leaderboard of a task: who takes part, what is missing, and scores."""
    say(f"task {board.task['name']} ({board.task['fingerprint'][:12]})")
    table = board.to_frame()
    entries = board.entries
    common = entries["model"].map(table.groupby("model")["n_common"].sum())
    entries = entries.assign(
        common=common.where(common > 0),
        made=entries["submitted"].map({True: "elsewhere", False: "here"}),
    )
    title("Models")
    click.echo(lay(entries, _ENTRIES))
    for row in entries[entries["n_failures"] > 0].to_dict("records"):
        say(f"{row['model']}: {on_screen(row['failure'])}", indent="  ")
    if table.empty:
        say("Nothing can be scored yet.")
        return
    groups = _groups(table)
    sections: Sections = []
    notes: list[str] = []
    for level, part in table.groupby("level", observed=True, sort=True):
        rows = {str(m): r.set_index("horizon_group") for m, r in part.groupby("model", sort=False)}
        apart = {m for m in rows if not rows[m]["in_all"].all()}
        # Without a mean over what all have there is no place in an order.
        best = sorted(rows, key=lambda m: (m in apart, rows[m]["wis_all"].fillna(math.inf).mean()))
        sections.append((words(level), [(m, rows[m]) for m in best]))
        notes += [
            f"{words(level)}: {text}" for text in _on_level(part, groups, apart=sorted(apart))
        ]
    title("Leaderboard")
    click.echo(f"{lay_groups(sections, _TASK, groups)}\n")
    for text in notes:
        say(text, indent="  ")
    ratio = f"; ratio: WIS divided by {BASELINE}'s on the counts in common"
    naive = f"; naive: divided by {board.second}'s"
    say(
        f"{WHAT_WIS_IS}, over the counts that all models forecast"
        f"{ratio if BASELINE in board.models else ''}{naive if board.second else ''}; "
        f"{WHAT_90_IS}; seconds: per origin."
    )


def _on_level(part: pd.DataFrame, groups: Sequence[str], apart: Sequence[str]) -> Iterator[str]:
    """What the scores of the nation or the states are over, and who is listed last."""
    n_all = part.groupby(part["horizon_group"].astype(str))["n_all"].first()
    counts = " / ".join(f"{int(n_all.get(g, 0)):,}" for g in groups)
    yield f"{counts} counts that all models forecast"
    none = part[part["n_all"] == 0]
    if len(none):
        where = f" {' and '.join(_groups(none))} months ahead" if part["n_all"].any() else ""
        why = "no model has half of the counts"
        if none["in_all"].any():
            why = "each was forecast by some models and not by others"
        yield f"no count{where} was forecast by all, so there is no WIS and no 90%: {why}"
    if apart:
        yield (
            f"forecast fewer than half of the scorable counts, so listed last: {', '.join(apart)}"
        )
