"""Leaderboards on the screen: of a backtest, of counties, and of a task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

import odforecast as od
from odforecast.backtesting.results import BASELINE
from odforecast.backtesting.unit import on_screen
from odforecast.cli import screen
from odforecast.cli.screen import (
    COVERED_90,
    RATIO,
    WHAT_90_IS,
    WIS,
    Column,
    lay,
    say,
    text_of,
    title,
    words,
)
from odforecast.names import DECIDING, deciding_kind
from odforecast.say import number_of
from odforecast.scoring.columns import HORIZON_GROUPS
from odforecast.scoring.summary import COUNTY_BASELINE, COUNTY_TITLE, is_of_counties

if TYPE_CHECKING:
    from odforecast.backtesting import Board

type Sections = list[tuple[str, list[tuple[str, pd.DataFrame]]]]

_TREND = (Column("RPS", "rps", "{:.3f}"), Column("ratio", "rel_rps", "{:.2f}"))
_COMPLETED = (
    text_of("", "of"), text_of("model"),
    Column("WIS", "wis", "{:,.1f}"), Column("of the\nrevision", "rel_wis_reported", "{:.2f}"),
    COVERED_90, Column("90%,\nrevised", "coverage_90_revised", "{:.0%}"),
    Column("revised", "n_revised"), Column("scored", "n_scorable"),
)  # fmt: skip
_MISSING = (
    text_of("model"), text_of("past data", "vintage"),
    *(Column(x, x) for x in ("asked", "missing", "failures")),
)  # fmt: skip
_ENTRIES = (
    text_of("", "model"), Column("asked", "n_asked"), Column("missing", "n_missing"),
    Column("failures", "n_failures"), Column("in common", "common"),
    Column("seconds", "seconds_per_origin", "{:.2f}"), Column("made", "made", "{}"),
)  # fmt: skip
_TASK = (Column("WIS", "wis_all"), RATIO, Column("naive", "rel_naive", "{:.2f}"), COVERED_90)


def print_leaderboard(results: od.Results, every: bool = False) -> None:
    """Print the leaderboard of what decides; with ``every``, all tables that a run has."""
    if is_of_counties(results.scores):
        _print_counties(results)
        return
    board = results.leaderboard(by=["vintage", "level", "horizon_group"])
    keys = [key for key in ("target", "level") if key in board]
    nowcast = board["horizon_group"].astype(str) == "nowcast"
    ahead, completed = board[~nowcast], board[nowcast]
    kinds = [kind for kind in DECIDING if kind in set(board["vintage"])]
    for kind in kinds if every else [deciding_kind(board["vintage"])]:
        part = ahead[ahead["vintage"] == kind]
        units = part.groupby([*keys, "horizon_group"], observed=True)["n_units"].max().sum()
        title(f"Leaderboard on {words(kind)} ({kind}); {units:,.0f} forecasts per model")
        shown = screen.lay_groups(_sections(part, keys), (WIS, RATIO, COVERED_90), _groups(part))
        click.echo(shown or "Nothing can be scored yet.")
    if every:
        _print_trend(ahead, kinds, keys)
        _print_completed(completed, kinds, keys)
    ratio = f"ratio: WIS divided by {BASELINE}'s on the same forecasts, below 1 is better; "
    say(f"{screen.WHAT_WIS_IS}; {ratio if board['rel_wis'].notna().any() else ''}{WHAT_90_IS}.",
        before="\n")  # fmt: skip
    _print_missing(results, every)
    if not every:
        say("--all shows every other table of this run: other kinds of past data, completed "
            "counts and the trend; --html FILE has the uncertainty of the ratios.")  # fmt: skip


def _sections(board: pd.DataFrame, keys: list[str], score: str = "wis") -> Sections:
    """Each group of a board and its models, the best first; one without any score is last."""
    found = []
    for head, part in board.groupby(keys, sort=False, observed=True):
        rows = {str(m): r.set_index("horizon_group") for m, r in part.groupby("model", sort=False)}
        best = sorted(rows, key=lambda m: rows[m][score].fillna(math.inf).mean())
        found.append((", ".join(map(words, head)), [(model, rows[model]) for model in best]))
    return found


def _groups(board: pd.DataFrame) -> list[str]:
    """Groups of months ahead that a board has, in their order."""
    there = set(board["horizon_group"].astype(str))
    return [g for g in HORIZON_GROUPS if g in there]


def _print_trend(board: pd.DataFrame, kinds: Sequence[str], keys: list[str]) -> None:
    """How good the chances of the five kinds of change were, on each kind of vintage."""
    if "rps" not in board or not board["rps"].notna().any():
        return
    scored = board.groupby(["vintage", *keys], observed=True)["rps"].transform("count") > 0
    for kind in kinds:
        part = board[scored & (board["vintage"] == kind)]
        title(f"Trend on {words(kind)} ({kind})")
        click.echo(screen.lay_groups(_sections(part, keys, "rps"), _TREND, _groups(part)))
    say("Five kinds of change from a year earlier. RPS: mean ranked probability score, lower is "
        "better; ratio: divided by the RPS of the frequencies known when the forecast was made. Up "
        "to 6 months ahead, half or more of the change has already been counted.",
        before="\n")  # fmt: skip


def _print_completed(board: pd.DataFrame, kinds: Sequence[str], keys: list[str]) -> None:
    """Counts published before the forecast was made and completed by it, by kind of vintage."""
    board = board[board["n_scorable"] > 0]
    if board.empty:
        return
    for kind in kinds:
        part = board[board["vintage"] == kind].sort_values([*keys, "wis"], kind="stable")
        title(f"Completed counts (nowcast, horizons -11 to 0) on {words(kind)} ({kind})")
        heads = [", ".join(map(words, row)) for row in part[keys].to_numpy().tolist()]
        click.echo(lay(part.assign(of=heads), _COMPLETED))
    say("Counts that were published when the forecast was made, completed by the model. Of the "
        "revision: WIS divided by the mean revision; below 1 is better than the published count. "
        "Revised: counts that changed by more than 1 death and 0.2%.", before="\n")  # fmt: skip


def _print_missing(results: od.Results, every: bool) -> None:
    """Forecasts that are missing and failures, per model; one line where there are none."""
    table = lacking(results)
    short = table[(table["missing"] > 0) | (table["failures"] > 0)]
    compared = "Ratios compare only counts that both models forecast."
    if short.empty:
        n = table.groupby("vintage", sort=False)["asked"].first()
        said = ", ".join(f"{int(k):,} ({kind})" for kind, k in n.items())
        say(f"Every model made all forecasts: {said}.")
    elif not every:
        few = ", ".join(
            f"{r['model']} {r['missing']:,} of {r['asked']:,} ({r['vintage']})"
            for r in short.to_dict("records")
        )
        say(f"Missing forecasts: {few}. {compared}")
    else:
        title("Missing forecasts")
        click.echo(lay(short, _MISSING))
        for row in short[short["failures"] > 0].to_dict("records"):
            say(f"{row['model']}: {on_screen(row['reason'])}", indent="  ")
        say(f"Missing: of the forecasts asked for; other models made all. {compared}")


def lacking(results: od.Results) -> pd.DataFrame:
    """Forecasts asked for, missing, and failures with the commonest reason, per model and kind."""
    scores, failures, says = results.scores, results.failures, results.manifest
    horizons = says["horizons"]
    n_ahead = int(says["horizon"]) if isinstance(horizons, str) else len(horizons)
    each = len(says["locations"]) * len(says["targets"]) * n_ahead
    asked: dict[str, int] = {}
    for origin in says["origins"]:
        usable = origin["data_hash"] is not None
        asked[origin["vintage"]] = asked.get(origin["vintage"], 0) + each * usable
    rows = []
    for kind, n_asked in asked.items():
        there = scores[(scores["horizon"] >= 1) & (scores["vintage"].astype(str) == kind)]
        made = there["model"].astype(str).value_counts(sort=False)
        failed = failures[failures["vintage"].astype(str) == kind]
        for model in dict.fromkeys([*made.index, *failed["model"].astype(str)]):
            why = failed.loc[failed["model"] == model, "reason"].astype(str).value_counts()
            missing = max(n_asked - int(made.get(model, 0)), 0)
            reason = str(why.index[0]) if len(why) else ""
            rows.append((kind, model, n_asked, missing, int(why.sum()), reason))
    columns = ["vintage", "model", "asked", "missing", "failures", "reason"]
    return pd.DataFrame(rows, columns=columns)


# Counties


def _print_counties(results: od.Results) -> None:
    """One table of counties: a section per months ahead."""
    board = results.leaderboard(by=["vintage", "horizon"])
    related = board["rel_twcrps"].notna().any()
    bands = Column("bands\nratio", "rel_rps", "{:.2f}") if related else (
        Column("bands", "rps", "{:.3f}"))  # fmt: skip
    columns = [
        text_of("", "model"), Column("scored", "n_units"), Column("twCRPS", "twcrps", "{:.2f}"),
        Column("ratio", _with_error), bands, WIS._replace(form="{:.1f}"), RATIO, COVERED_90,
    ]  # fmt: skip
    rows: list[Any] = []
    for horizon in dict.fromkeys(board["horizon"].tolist()):
        part = board[board["horizon"] == horizon]
        none = "" if part["n_units"].any() else ": nothing can be scored"
        rows.append({"model": f"{number_of(horizon, 'month')} ahead{none}"})
        indented = part.assign(model="  " + part["model"].astype(str))
        rows += [] if none else indented.to_dict("records")
    kind, one = str(board["vintage"].iloc[0]), board.iloc[board["n_counties"].argmax()]
    where = (f"{number_of(int(one['n_counties']), 'county', 'counties')} in "
             f"{number_of(int(one['n_states']), 'state')}")  # fmt: skip
    title(f"Leaderboard of {where} on {words(kind)} ({kind}): {COUNTY_TITLE}")
    click.echo(lay(rows, columns))
    ratio = f" Ratio: divided by {COUNTY_BASELINE}'s, ± its standard error over states."
    say("twCRPS: mean CRPS of max(deaths, 9) over all counties; hidden counts are 9 or less."
        f"{ratio if related else ''} Bands: ranked probability score of 0, 1 to 9, and 10 or more "
        f"deaths. WIS and 90%: counties with a published count before and after. {WHAT_90_IS}. "
        "Lower scores are better.", before="\n")  # fmt: skip


def _with_error(row: Any) -> str:
    """A ratio and its standard error."""
    ratio, error = row.get("rel_twcrps", math.nan), row.get("se_twcrps", 0.0)
    if ratio != ratio:
        return "–"
    return f"{ratio:.2f}" if error != error or error == 0.0 else f"{ratio:.2f} ±{error:.3f}"


# Tasks


def print_board(board: Board) -> None:
    """Print the leaderboard of a task: who takes part, what is missing, and scores."""
    say(f"task {board.task['name']} ({board.task['fingerprint'][:12]})")
    table, entries = board.to_frame(), board.entries
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
        notes += [f"{words(level)}: {text}" for text in _on_level(part, groups, sorted(apart))]
    title("Leaderboard")
    click.echo(f"{screen.lay_groups(sections, _TASK, groups)}\n")
    for text in notes:
        say(text, indent="  ")
    ratio = f"; ratio: WIS divided by {BASELINE}'s on the counts in common"
    naive = f"; naive: divided by {board.second}'s"
    say(f"{screen.WHAT_WIS_IS}, over the counts that all models forecast"
        f"{ratio if BASELINE in board.models else ''}{naive if board.second else ''}; "
        f"{WHAT_90_IS}; seconds: per origin.")  # fmt: skip


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
        yield ("forecast fewer than half of the scorable counts, so listed last: "
               f"{', '.join(apart)}")  # fmt: skip
