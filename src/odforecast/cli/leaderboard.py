"""The tables that ``odforecast backtest`` prints: models by horizon, per kind of vintage."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from odforecast.backtesting import Results
from odforecast.backtesting.results import BASELINE
from odforecast.cli.county_leaderboard import county_leaderboard
from odforecast.cli.lacking import print_lacking
from odforecast.cli.written import form_of
from odforecast.names import DECIDING, VINTAGE_DELAYED
from odforecast.panel import ERAS
from odforecast.scoring import relative_to_baseline, summarise
from odforecast.scoring.columns import HORIZON_GROUPS, with_groups
from odforecast.scoring.summary import is_of_counties

#: Shown per horizon group: summary column, title, format.
_SHOWN = (
    ("wis", "WIS", "{:,.0f}"),
    ("rel_wis", "rel", "{:.2f}"),
    ("coverage_90", "cov90", "{:.2f}"),
)
#: The same of the nowcast, whose counts are nearly known: beside what was revised of them.
_SHOWN_OF_NOWCAST = (
    ("wis", "WIS", "{:,.1f}"),
    ("rel_wis_reported", "of the\nrevision", "{:.2f}"),
    ("coverage_90", "cov90", "{:.2f}"),
    ("coverage_90_revised", "cov90,\nrevised", "{:.2f}"),
    ("n_revised", "revised", "{:,.0f}"),
    ("n_scorable", "scored", "{:,.0f}"),
)
#: Of the trend, per horizon group.
_SHOWN_OF_TREND = (("rps", "RPS"), ("rel_rps", "of the\npooled"))
#: Head of the first column.
_FIRST = "horizon, months"
#: The era of today's releases: on delayed pseudo-vintages it has a row of its own.
TODAY = ERAS[1]
_ALONE = f"{TODAY}-month era"
#: Probability of the printed intervals.
_LEVEL = 0.9


def leaderboard(screen: Console, results: Results, extra: list[str]) -> None:
    """One table per kind of vintage, level, and what else is asked for: a row a model, the best
    first, and the first model's row on today's era alone; then intervals of that model. Counties
    have tables of their own.
    """
    if is_of_counties(results.scores):
        county_leaderboard(screen, results, extra)
        return
    keys = ["vintage", "level", *extra]
    board = results.leaderboard(by=[*keys, "horizon_group"])
    if "target" in board and "target" not in keys:  # several targets have no common mean
        keys = ["vintage", "target", *keys[1:]]
    first = next(iter(results.manifest["models"]))
    alone = _today(results, first, keys)
    kinds = {kind: i for i, kind in enumerate(in_order(board["vintage"]))}
    board = board.sort_values("vintage", kind="stable", key=lambda x: x.map(kinds))
    completed = board[board["horizon_group"].astype(str) == "nowcast"]
    board = board[board["horizon_group"].astype(str) != "nowcast"]
    groups = [g for g in HORIZON_GROUPS if g in set(board["horizon_group"].astype(str))]
    several = len(set(board["vintage"])) > 1
    for kind in in_order(board["vintage"]):
        shown_board = board[board["vintage"] == kind]
        for head, part in shown_board.groupby(keys, sort=False, observed=True):
            units = part.groupby("horizon_group", sort=False, observed=True)["n_units"].max()
            named = keys if several or kind == VINTAGE_DELAYED else keys[1:]
            title = f"{_title(named, head[-len(named) :])} ({units.sum():,.0f} units a model)"
            rows = {
                str(m): r.set_index("horizon_group") for m, r in part.groupby("model", sort=False)
            }
            ordered = sorted(  # a model without any score is last
                rows.items(), key=lambda item: item[1]["wis"].fillna(math.inf).mean()
            )
            if head in alone:
                ordered.append((f"{first}, {_ALONE}", alone[head]))
            cells = {
                name: {
                    model: [_cell(row[key].get(g) if key in row else None, form) for g in groups]
                    for model, row in ordered
                }
                for key, name, form in _SHOWN
                if part[key].notna().any()
            }
            if not cells:
                _put(screen, title, "  nothing could be scored\n")
                continue
            for names in _fitting(cells, groups, screen.width):
                table = _table()
                for name in names:
                    for group in groups:
                        table.add_column(f"{name}\n{group}", justify="right", no_wrap=True)
                for model, _ in ordered:
                    table.add_row(model, *(c for name in names for c in cells[name][model]))
                _put(screen, title, table)
    _trends(screen, board, keys, groups)
    _nowcasts(screen, completed, keys)
    related = f" rel: as a share of {BASELINE}'s on the same units;"
    screen.print(
        f"WIS: mean weighted interval score, deaths, lower is better;"
        f"{related if board['rel_wis'].notna().any() else ''} "
        "cov90: share of truths inside the 90% interval.",
        highlight=False,
    )
    print_lacking(screen, results)
    _intervals(screen, results, first)


def _trends(screen: Console, board: pd.DataFrame, keys: list[str], groups: Sequence[str]) -> None:
    """How good the chances of the five kinds of change were: a table per kind and level."""
    if "rps" not in board or not board["rps"].notna().any():
        return
    shown = [(name, title) for name, title in _SHOWN_OF_TREND if board[name].notna().any()]
    for head, part in board.groupby(keys, sort=False, observed=True):
        if not part["rps"].notna().any():
            continue
        table = _table()
        for _, title in shown:
            for group in groups:
                table.add_column(f"{title}\n{group}", justify="right", no_wrap=True)
        rows = {str(m): r.set_index("horizon_group") for m, r in part.groupby("model", sort=False)}
        for model, row in sorted(rows.items(), key=lambda item: item[1]["rps"].mean()):
            cells = [_cell(row[name].get(group), "{:.3f}" if name == "rps" else "{:.2f}")
                     for name, _ in shown for group in groups]  # fmt: skip
            table.add_row(model, *cells)
        _put(screen, f"{_title(keys, head)}: trend", table)
    screen.print(
        "trend: five kinds of change on a year earlier; RPS: mean ranked probability score of "
        "their chances, lower is better; of the pooled: as a share of that of the frequencies "
        "known at the origin. Up to 6 months ahead half of what decides is counted already.",
        highlight=False,
    )


def _nowcasts(screen: Console, board: pd.DataFrame, keys: list[str]) -> None:
    """Counts published before the forecast was made, and completed: a table per kind and level."""
    shown = [s for s in _SHOWN_OF_NOWCAST if s[0] in board and board[s[0]].notna().any()]
    for head, part in board.groupby(keys, sort=False, observed=True):
        if not part["n_scorable"].any():
            continue
        table = _table("")
        for _, name, _ in shown:
            table.add_column(name, justify="right", no_wrap=True)
        for row in part.sort_values("wis", kind="stable").to_dict("records"):
            table.add_row(str(row["model"]), *(_cell(row[key], form) for key, _, form in shown))
        _put(screen, f"{_title(keys, head)}: nowcast, horizons -11 to 0", table)
    if not board.empty:
        screen.print(
            "nowcast: counts published when the forecast was made, completed; of the revision: WIS "
            "over the mean absolute revision, below 1 is better than leaving them; revised: those "
            "that changed by more than 1 death and 0.2%.",
            highlight=False,
        )


def in_order(kinds: Iterable[str]) -> list[str]:
    """Kinds of vintage: what decides comes first, then the guard, then the upper bound."""
    there = set(kinds)
    return [kind for kind in DECIDING if kind in there]


def _today(results: Results, model: str, keys: list[str]) -> dict[tuple[object, ...], pd.DataFrame]:
    """The model's summary on delayed pseudo-vintages of today's era alone, by table."""
    scores = results.scores
    scores = scores[
        (scores["vintage"] == VINTAGE_DELAYED) & scores["model"].isin([model, BASELINE])
    ]
    scores = with_groups(scores, ["era"])
    scores = scores[scores["era"].astype(str) == TODAY]
    if scores.empty or model not in set(scores["model"]):
        return {}
    baseline = BASELINE if BASELINE in set(scores["model"]) else None
    board = summarise(scores, by=[*keys, "horizon_group"], baseline=baseline)
    board = board[board["model"] == model]
    return {
        head: part.set_index("horizon_group")
        for head, part in board.groupby(keys, sort=False, observed=True)
    }


def _intervals(screen: Console, results: Results, model: str) -> None:
    """The model's ratio to the baselines with intervals, and what they rest on."""
    scores = results.scores
    others = [b for b in (BASELINE, "naive+delay") if b in set(scores["model"]) and b != model]
    lines: list[tuple[str, pd.DataFrame]] = []
    targets = list(dict.fromkeys(scores["target"]))
    for kind in in_order(scores["vintage"]):
        for target in targets:
            part = scores[(scores["vintage"] == kind) & (scores["target"] == target)]
            part = part[part["scorable"].astype(bool)]
            for other in others:
                pair = with_groups(part[part["model"].isin([model, other])], ["era"])
                for label, rows in (("", pair), (f", {_ALONE}", pair[pair["era"] == TODAY])):
                    if label and kind != VINTAGE_DELAYED:
                        continue
                    if set(rows["model"]) != {model, other}:
                        continue
                    ratio = relative_to_baseline(
                        rows, other, by=["level", "horizon_group"], level=_LEVEL
                    )
                    ratio = ratio[(ratio["model"] == model) & ratio["ratio"].notna()]
                    if ratio["lower"].notna().any():
                        name = f"{kind}, {target}" if len(targets) > 1 else kind
                        lines.append((f"{name}, to {other}{label}", ratio))
    if not lines:
        return
    held = {g for _, ratio in lines for g in ratio["horizon_group"].astype(str)}
    groups = [g for g in HORIZON_GROUPS if g in held]
    for level in ("nation", "jurisdictions"):
        table = _table()
        for group in groups:
            table.add_column(group, justify="right", no_wrap=True)
        table.add_column("rests on", overflow="fold")
        for name, ratio in lines:
            rows = ratio[ratio["level"] == level].set_index("horizon_group")
            if not rows.empty:
                table.add_row(name, *(_span(rows, g) for g in groups), _rests(rows))
        if table.row_count:
            share = f"share of another's WIS, {_LEVEL * 100:.0f}% interval"
            _put(screen, f"{model}, {level}: {share}", table)
    screen.print(
        "Intervals: blocks of origins drawn again and, where the delay comes from donors, whole "
        "donor releases of each era.",
        highlight=False,
    )


def _span(rows: pd.DataFrame, group: str) -> str:
    if group not in rows.index:
        return "–"
    at = list(rows.index).index(group)
    ratio, lower, upper = (float(rows[k].iloc[at]) for k in ("ratio", "lower", "upper"))
    return f"{ratio:.2f}" if math.isnan(lower) else f"{ratio:.2f}\n{lower:.2f}–{upper:.2f}"


def _rests(rows: pd.DataFrame) -> str:
    """What the intervals of all groups rest on: the least of them."""
    names = ["n_origins", "n_blocks", "n_donors"]
    found = rows.loc[rows["ratio"].notna(), names].drop_duplicates().sort_values(names)
    origins, blocks, donors = (int(n) for n in found.iloc[0])
    least = "at least " if len(found) > 1 else ""
    return f"{least}{origins} months in {blocks} blocks" + (f" × {donors} donors" if donors else "")


def _title(keys: Sequence[str], head: Sequence[object]) -> str:
    """What a table is of; dates as days or months."""
    said = (
        f"{value:{form_of(key)}}" if isinstance(value, pd.Timestamp) else str(value)
        for key, value in zip(keys, head, strict=True)
    )
    return ", ".join(said)


def _table(first: str = _FIRST) -> Table:
    table = Table(padding=(0, 1, 0, 0), box=SIMPLE_HEAD)
    table.add_column(first, overflow="fold")
    return table


def _put(screen: Console, title: str, table: Table | str) -> None:
    """A table, or words, below a title, which may be wider."""
    screen.print(title, style="bold", highlight=False)
    screen.print(table)


def _fitting(
    cells: Mapping[str, Mapping[str, Sequence[str]]], groups: Sequence[str], width: int
) -> list[list[str]]:
    """The scores that fit beside one another; the rest go into a table of their own."""
    models = next(iter(cells.values()))
    first = max(*(len(model) for model in models), len(_FIRST)) + 2
    out: list[list[str]] = []
    room = 0
    for name, rows in cells.items():
        heads = [max(len(name), len(group)) for group in groups]
        each = sum(
            max(head, *(len(row[i]) for row in rows.values())) + 2 for i, head in enumerate(heads)
        )
        if each > room:
            out.append([])
            room = width - first
        out[-1].append(name)
        room -= each
    return out


def _cell(value: object, form: str) -> str:
    return "–" if pd.isna(value) else form.format(value)  # type: ignore[call-overload]
