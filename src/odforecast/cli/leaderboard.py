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
from odforecast.report.blocks import Block, SortTable
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
            "to those of the frequencies known when the forecast was made, below 1 is better"
        ]
    },
)
_MISSING = (
    text_of("model"),
    text_of("past data", "vintage"),
    Column("asked", "asked"),
    Column("missing", "missing"),
    Column("failures", "failures"),
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
_TASK = (
    Column("WIS", "wis_all"),
    RATIO,
    Column("naive", "rel_naive", form="{:.2f}"),
    COVERED_90,
)


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
        n_units = (
            part.groupby([*keys, "horizon_group"], observed=True)["n_units"].max().sum()
        )
        title(
            f"Leaderboard on {words(kind)} ({kind}); {n_units:,.0f} forecasts per model"
        )
        table = "Nothing can be scored yet."
        if part["wis"].notna().any():
            columns = (WIS, RATIO, COVERED_90)
            table = lay_groups(_sections(part, keys), columns, groups=_groups(part))
        click.echo(table)
    if every:
        _print_blocks(skill_blocks(results, drawn=False)[1:])
    ratio = (
        f"ratio: WIS divided by {BASELINE}'s on the same forecasts, below 1 is better"
    )
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
        parts += [_block_table(table) for table in block.tables]
        click.echo("\n\n".join(parts))


def _block_table(table: SortTable) -> str:
    """A table of a page under its caption, with what its columns mean."""
    values = [row[max(table.sorted_by, 0)].value for row in table.rows]
    cells = []
    for i in np.argsort(values, kind="stable"):
        row = []
        for cell in table.rows[i]:
            row.append(
                f"{cell.text} ({cell.small})" if cell.small else cell.text.rstrip()
            )
        cells.append(row)
    heads = [textwrap.fill(column.title, 10) for column in table.columns]
    text = f"{wrapped(table.caption)}\n\n{grid(heads, cells)}"
    notes = [
        f"{column.title}: {column.note}" for column in table.columns if column.note
    ]
    notes += _WORDS[table.words]
    if notes:
        sentence = "; ".join(notes)
        text += f"\n{wrapped(f'{sentence}.')}"
    return text


def _by_model(part: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each model by months ahead."""
    groups = part.groupby("model", sort=False)
    return {str(model): rows.set_index("horizon_group") for model, rows in groups}


def _sections(board: pd.DataFrame, keys: list[str]) -> Sections:
    """Each group of a board and its models, the best first; one without any score is last."""
    sections = []
    for head, part in board.groupby(keys, sort=False, observed=True):
        rows = _by_model(part)
        means = {
            model: table["wis"].fillna(math.inf).mean() for model, table in rows.items()
        }
        models = sorted(rows, key=means.__getitem__)
        sections.append(
            (", ".join(map(words, head)), [(model, rows[model]) for model in models])
        )
    return sections


def _groups(board: pd.DataFrame) -> list[str]:
    """Groups of months ahead that a board has, in their order."""
    groups = set(board["horizon_group"].astype(str))
    return [group for group in HORIZON_GROUPS if group in groups]


def _print_missing(results: od.Results) -> None:
    """Forecasts that are missing and failures, per model; one line where there are none."""
    table = lacking(results)
    short = table[(table["missing"] > 0) | (table["failures"] > 0)]
    if short.empty:
        counts = table.groupby("vintage", sort=False)["asked"].first()
        text = ", ".join(f"{int(n):,} ({kind})" for kind, n in counts.items())
        say(f"Every model made all forecasts: {text}.")
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
    manifest = results.manifest
    keys = ["vintage", "model"]
    horizons = manifest["horizons"]
    n_ahead = int(manifest["horizon"]) if isinstance(horizons, str) else len(horizons)
    per_origin = len(manifest["locations"]) * len(manifest["targets"]) * n_ahead
    usable = [
        origin for origin in manifest["origins"] if origin["data_hash"] is not None
    ]
    origins = Counter(origin["vintage"] for origin in usable)
    ahead = results.scores[results.scores["horizon"] >= 1]
    counts = ahead[keys].astype(str).value_counts(sort=False)
    failures = results.failures.astype(str).groupby(keys, sort=False)["reason"]
    reasons = failures.agg(lambda texts: texts.value_counts().index[0])
    columns = [counts, failures.size(), reasons]
    table = pd.concat(columns, axis=1, keys=["forecasts", "failures", "reason"])
    table = table.fillna({"forecasts": 0, "failures": 0, "reason": ""}).reset_index()
    table["asked"] = table["vintage"].map(origins) * per_origin
    table["missing"] = (table["asked"] - table["forecasts"]).clip(lower=0).astype(int)
    table["failures"] = table["failures"].astype(int)
    order = [*origins]
    table = table.sort_values(
        "vintage", key=lambda kinds: kinds.map(order.index), kind="stable"
    )
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
        rows = _by_model(part)
        # Without a mean over what all have there is no place in an order.
        incomplete = {model for model in rows if not rows[model]["in_all"].all()}
        means = {
            model: rows[model]["wis_all"].fillna(math.inf).mean() for model in rows
        }
        models = sorted(rows, key=lambda model: (model in incomplete, means[model]))
        sections.append((words(level), [(model, rows[model]) for model in models]))
        for text in _on_level(part, groups, incomplete=sorted(incomplete)):
            notes.append(f"{words(level)}: {text}")
    title("Leaderboard")
    click.echo(f"{lay_groups(sections, _TASK, groups)}\n")
    for text in notes:
        say(text, indent="  ")
    legend = f"{WHAT_WIS_IS}, over the counts that all models forecast"
    if BASELINE in board.models:
        legend += f"; ratio: WIS divided by {BASELINE}'s on the counts in common"
    if board.second:
        legend += f"; naive: divided by {board.second}'s"
    say(f"{legend}; {WHAT_90_IS}; seconds: per origin.")


def _on_level(
    part: pd.DataFrame,
    groups: Sequence[str],
    incomplete: Sequence[str],
) -> Iterator[str]:
    """What the scores of the nation or the states are over, and who is listed last."""
    n_all = part.groupby(part["horizon_group"].astype(str))["n_all"].first()
    counts = " / ".join(f"{int(n_all.get(group, 0)):,}" for group in groups)
    yield f"{counts} counts that all models forecast"
    empty = part[part["n_all"] == 0]
    if len(empty):
        months = (
            f" {' and '.join(_groups(empty))} months ahead"
            if part["n_all"].any()
            else ""
        )
        reason = "no model has half of the counts"
        if empty["in_all"].any():
            reason = "each was forecast by some models and not by others"
        yield f"no count{months} was forecast by all, so there is no WIS and no 90%: {reason}"
    if incomplete:
        models = ", ".join(incomplete)
        yield f"forecast fewer than half of the scorable counts, so listed last: {models}"
