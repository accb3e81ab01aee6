"""Leaderboards on the screen: of a backtest, of counties, and of a task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from odforecast.backtesting.results import BASELINE
from odforecast.backtesting.unit import on_screen
from odforecast.cli.answer import form_of
from odforecast.cli.screen import say
from odforecast.cli.tables import WHAT_90_IS, WHAT_WIS_IS, Column, lay, lay_groups, title, words
from odforecast.names import DECIDING, VINTAGE_DELAYED, deciding_kind
from odforecast.panel import ERAS
from odforecast.say import number_of
from odforecast.scoring import relative_to_baseline, summarise
from odforecast.scoring.columns import HORIZON_GROUPS, with_groups
from odforecast.scoring.summary import COUNTY_BASELINE, COUNTY_TITLE, is_of_counties

if TYPE_CHECKING:
    from odforecast.backtesting import Board, Results

_WIS, _RATIO = Column("WIS", "wis"), Column("ratio", "rel_wis", "{:.2f}")
_90 = Column("90%", "coverage_90", "{:.0%}")
_LEADERBOARD = (_WIS, _RATIO, _90)
_TREND = (Column("RPS", "rps", "{:.3f}"), Column("ratio", "rel_rps", "{:.2f}"))
_COMPLETED = (
    Column("WIS", "wis", "{:,.1f}"), Column("of the\nrevision", "rel_wis_reported", "{:.2f}"), _90,
    Column("90%,\nrevised", "coverage_90_revised", "{:.0%}"), Column("revised", "n_revised"),
    Column("scored", "n_scorable"),
)  # fmt: skip
_MISSING = (
    Column("asked", "asked"), Column("missing", "missing"), Column("failures", "failures"),
    Column("in common", "n"),
)  # fmt: skip
_ENTRIES = (
    Column("asked", "n_asked"), Column("missing", "n_missing"), Column("failures", "n_failures"),
    Column("in common", "common"), Column("seconds", "seconds_per_origin", "{:.2f}"),
    Column("made", "made", "{}"),
)  # fmt: skip
_TASK = (
    Column("WIS", "wis_all"), Column("ratio", "rel_wis", "{:.2f}"),
    Column("naive", "rel_naive", "{:.2f}"), _90,
)  # fmt: skip
#: The era of today's releases: on delayed pseudo-vintages it has a row of its own.
TODAY = ERAS[1]
_ALONE = f"{TODAY}-month era"
#: Probability of the printed intervals.
_LEVEL = 0.9
_UNITS = ["as_of", "donor", "location", "target", "month"]


def print_leaderboard(results: Results, extra: Sequence[str] = (), every: bool = False) -> None:
    """Print the leaderboard of what decides; with ``every``, all tables that a run has."""
    if is_of_counties(results.scores):
        _print_counties(results, extra)
        return
    board = results.leaderboard(by=["vintage", "level", *extra, "horizon_group"])
    keys = ["target"] if "target" in board and "target" not in extra else []
    keys += ["level", *extra]
    nowcast = board["horizon_group"].astype(str) == "nowcast"
    ahead, completed = board[~nowcast], board[nowcast]
    first = str(next(iter(results.manifest["models"])))
    kinds = [kind for kind in DECIDING if kind in set(board["vintage"])]
    today = _today(results, first, keys) if every else {}
    for kind in kinds if every else [deciding_kind(board["vintage"])]:
        _print_kind(ahead[ahead["vintage"] == kind], kind, keys, first, today)
    if every:
        _print_trend(ahead, kinds, keys)
        _print_completed(completed, kinds, keys)
    ratio = f"ratio: WIS divided by {BASELINE}'s on the same forecasts, below 1 is better; "
    click.echo()
    say(f"{WHAT_WIS_IS}; {ratio if board['rel_wis'].notna().any() else ''}{WHAT_90_IS}.")
    _print_missing(results, every)
    if every:
        _print_intervals(results, first)
    else:
        say("--all shows every other table of this run: other kinds of past data, completed "
            "counts, trend, and the uncertainty of the ratios.")  # fmt: skip


def _sections(
    board: pd.DataFrame, keys: list[str], score: str = "wis"
) -> Iterator[tuple[tuple[Any, ...], list[tuple[str, pd.DataFrame]]]]:
    """Each group of a board and its models, the best first; one without any score is last."""
    for head, part in board.groupby(keys, sort=False, observed=True):
        rows = {str(m): r.set_index("horizon_group") for m, r in part.groupby("model", sort=False)}
        best = sorted(rows, key=lambda m: rows[m][score].fillna(math.inf).mean())
        yield head, [(model, rows[model]) for model in best]


def _print_kind(
    board: pd.DataFrame, kind: str, keys: list[str], first: str, today: Mapping[Any, Any]
) -> None:
    """The leaderboard of one kind of vintage."""
    units = board.groupby([*keys, "horizon_group"], observed=True)["n_units"].max().sum()
    title(f"Leaderboard on {words(kind)} ({kind}); {units:,.0f} forecasts per model")
    sections = []
    for head, models in _sections(board, keys):
        if kind == VINTAGE_DELAYED and head in today:
            models = [*models, (f"{first}, {_ALONE}", today[head])]
        sections.append((_named(keys, head), models))
    click.echo(lay_groups(sections, _LEADERBOARD, _groups(board)) or "Nothing can be scored yet.")


def _groups(board: pd.DataFrame) -> list[str]:
    """Groups of months ahead that a board has, in their order."""
    there = set(board["horizon_group"].astype(str))
    return [g for g in HORIZON_GROUPS if g in there]


def _named(keys: Sequence[str], head: Sequence[object]) -> str:
    """What a section is of; dates as days or months."""
    return ", ".join(
        f"{x:{form_of(key)}}" if isinstance(x, pd.Timestamp) else words(x)
        for key, x in zip(keys, head, strict=True)
    )


def _print_trend(board: pd.DataFrame, kinds: Sequence[str], keys: list[str]) -> None:
    """How good the chances of the five kinds of change were, on each kind of vintage."""
    if "rps" not in board or not board["rps"].notna().any():
        return
    scored = board.groupby(["vintage", *keys], observed=True)["rps"].transform("count") > 0
    for kind in kinds:
        part = board[scored & (board["vintage"] == kind)]
        title(f"Trend on {words(kind)} ({kind})")
        found = _sections(part, keys, "rps")
        sections = ((_named(keys, head), models) for head, models in found)
        click.echo(lay_groups(sections, _TREND, _groups(part)))
    click.echo()
    say("Five kinds of change from a year earlier. RPS: mean ranked probability score, lower is "
        "better; ratio: divided by the RPS of the frequencies known when the forecast was made. Up "
        "to 6 months ahead, half or more of the change has already been counted.")  # fmt: skip


def _print_completed(board: pd.DataFrame, kinds: Sequence[str], keys: list[str]) -> None:
    """Counts published before the forecast was made and completed by it, by kind of vintage."""
    board = board[board["n_scorable"] > 0]
    if board.empty:
        return
    for kind in kinds:
        part = board[board["vintage"] == kind].sort_values("wis", kind="stable")
        part = part.sort_values(keys, kind="stable")
        title(f"Completed counts (nowcast, horizons -11 to 0) on {words(kind)} ({kind})")
        heads = [_named(keys, row) for row in part[keys].to_numpy().tolist()]
        click.echo(lay(part.assign(of=heads), {"of": "", "model": "model"}, _COMPLETED))
    click.echo()
    say("Counts that were published when the forecast was made, completed by the model. Of the "
        "revision: WIS divided by the mean revision; below 1 is better than the published count. "
        "Revised: counts that changed by more than 1 death and 0.2%.")  # fmt: skip


def _today(results: Results, model: str, keys: list[str]) -> dict[Any, pd.DataFrame]:
    """The model's summary on delayed pseudo-vintages of today's era alone, by section."""
    scores = results.scores
    mine = scores["model"].isin([model, BASELINE])
    scores = with_groups(scores[(scores["vintage"] == VINTAGE_DELAYED) & mine], ["era"])
    scores = scores[scores["era"].astype(str) == TODAY]
    if model not in set(scores["model"]):
        return {}
    baseline = BASELINE if BASELINE in set(scores["model"]) else None
    board = summarise(scores, by=[*keys, "horizon_group"], baseline=baseline)
    board = board[board["model"] == model]
    groups = board.groupby(keys, sort=False, observed=True)
    return {head: part.set_index("horizon_group") for head, part in groups}


def _print_missing(results: Results, every: bool) -> None:
    """Forecasts that are missing and failures, per model; one line where there are none."""
    table = lacking(results)
    short = table[(table["missing"] > 0) | (table["failures"] > 0)]
    if short.empty:
        n = table.groupby("vintage", sort=False)["asked"].first()
        said = ", ".join(f"{int(k):,} ({kind})" for kind, k in n.items())
        say(f"Every model made all forecasts: {said}.")
    elif not every:
        few = ", ".join(
            f"{r['model']} {r['missing']:,} of {r['asked']:,} ({r['vintage']})"
            for r in short.to_dict("records")
        )
        say(f"Missing forecasts: {few}. Ratios compare only counts that both models forecast.")
    else:
        named = BASELINE in set(table["model"])
        title("Missing forecasts")
        columns = _MISSING if named else _MISSING[:-1]
        click.echo(lay(short, {"model": "model", "vintage": "past data"}, columns))
        for row in short[short["failures"] > 0].to_dict("records"):
            say(f"{row['model']}: {on_screen(row['reason'])}", indent="  ")
        common = f"; in common: counts scored that {BASELINE} has too" if named else ""
        say(f"Missing: of the forecasts asked for; other models made all{common}. Ratios compare "
            "only counts that both models forecast.")  # fmt: skip


def lacking(results: Results) -> pd.DataFrame:
    """Forecasts asked for, missing, and failures, per model and kind of vintage.

    With the commonest ``reason``, and ``n``, the counts scored that the hub baseline has as well.
    """
    scores, failures, says = results.scores, results.failures, results.manifest
    ahead = scores.loc[scores["horizon"] >= 1, ["model", "vintage", "scorable", *_UNITS]]
    horizons = says["horizons"]
    n_ahead = int(says["horizon"]) if isinstance(horizons, str) else len(horizons)
    each = len(says["locations"]) * len(says["targets"]) * n_ahead
    asked: dict[str, int] = {}
    for origin in says["origins"]:
        usable = origin["data_hash"] is not None
        asked[origin["vintage"]] = asked.get(origin["vintage"], 0) + each * usable
    rows = []
    for kind, n_asked in asked.items():
        mine = ahead[ahead["vintage"].astype(str) == kind]
        failed = failures[failures["vintage"].astype(str) == kind]
        base = mine[(mine["model"] == BASELINE) & mine["scorable"].astype(bool)]
        there = pd.MultiIndex.from_frame(base[_UNITS].astype(str))
        for model in dict.fromkeys([*mine["model"].astype(str), *failed["model"].astype(str)]):
            part = mine[mine["model"] == model]
            why = failed.loc[failed["model"] == model, "reason"].astype(str).value_counts()
            scored = part[part["scorable"].astype(bool)]
            missing, n = max(n_asked - len(part), 0), len(scored)
            if missing and len(there):  # else it has what the baseline has
                n = int(pd.MultiIndex.from_frame(scored[_UNITS].astype(str)).isin(there).sum())
            rows.append(
                {"vintage": kind, "model": model, "asked": n_asked, "missing": missing,
                 "failures": int(why.sum()), "reason": str(why.index[0]) if len(why) else "",
                 "n": min(n, len(base))}
            )  # fmt: skip
    columns = ["vintage", "model", "asked", "missing", "failures", "reason", "n"]
    return pd.DataFrame(rows, columns=columns)


def _print_intervals(results: Results, model: str) -> None:
    """The first model's ratio to the baselines with intervals, and what they rest on."""
    scores = results.scores[results.scores["scorable"].astype(bool)]
    others = [b for b in (BASELINE, "naive+delay") if b in set(scores["model"]) and b != model]
    targets = set(scores["target"])
    found: list[tuple[str, pd.DataFrame]] = []
    for (kind, target), part in scores.groupby(["vintage", "target"], sort=False, observed=True):
        for other in others:
            pair = with_groups(part[part["model"].isin([model, other])], ["era"])
            eras = {"": pair}
            if kind == VINTAGE_DELAYED:
                eras[f", {_ALONE}"] = pair[pair["era"] == TODAY]
            for era, rows in eras.items():
                if set(rows["model"]) != {model, other}:
                    continue
                by = ["level", "horizon_group"]
                ratio = relative_to_baseline(rows, other, by=by, level=_LEVEL)
                ratio = ratio[(ratio["model"] == model) & ratio["ratio"].notna()]
                if ratio["lower"].notna().any():
                    name = f"{kind}, {words(target)}" if len(targets) > 1 else kind
                    found.append((f"{name}, to {other}{era}", ratio))
    found.sort(key=lambda line: DECIDING.index(line[0].partition(",")[0]))
    rests = False
    for level in ("nation", "jurisdictions"):
        lines = []
        for name, ratio in found:
            mine = ratio[ratio["level"] == level].set_index("horizon_group")
            spans = {str(g): _span(r) for g, r in mine.iterrows()}
            if spans:
                lines.append({"of": name, **spans, "rests": _rests(mine)})
        if lines:
            rests = True
            title(f"{model}, {words(level)}: WIS divided by another model's, {_LEVEL:.0%} interval")
            columns = [*(Column(g, g, "{}") for g in HORIZON_GROUPS), Column("from", "rests", "{}")]
            click.echo(lay(pd.DataFrame(lines), {"of": "months ahead"}, columns))
    if rests:
        click.echo()
        say("Intervals resample blocks of origins and, where the delay comes from donors, whole "
            "donor releases of each era.")  # fmt: skip


def _span(row: pd.Series) -> str:
    """A ratio and its interval."""
    ratio, lower, upper = (float(row[key]) for key in ("ratio", "lower", "upper"))
    return f"{ratio:.2f}" if math.isnan(lower) else f"{ratio:.2f} ({lower:.2f}–{upper:.2f})"


def _rests(rows: pd.DataFrame) -> str:
    """What the intervals of all groups rest on: the least of them."""
    names = ["n_origins", "n_blocks", "n_donors"]
    found = rows.loc[rows["ratio"].notna(), names].drop_duplicates().sort_values(names)
    origins, blocks, donors = (int(n) for n in found.iloc[0])
    least = "at least " if len(found) > 1 else ""
    return f"{least}{origins} months in {blocks} blocks" + (f" × {donors} donors" if donors else "")


# Counties


def _print_counties(results: Results, extra: Sequence[str]) -> None:
    """One table of counties: a section per months ahead and what else is asked for."""
    keys = ["vintage", *extra, "horizon"]
    board = results.leaderboard(by=keys)
    keys = (["target"] if "target" in board and "target" not in keys else []) + keys
    related = board["rel_twcrps"].notna().any()
    columns = [
        Column("scored", "n_units"), Column("twCRPS", "twcrps", "{:.2f}"),
        Column("ratio", "ratio", "{}"),
        Column("bands\nratio", "rel_rps", "{:.2f}") if related else
        Column("bands", "rps", "{:.3f}"),
        Column("WIS", "wis", "{:.1f}"), Column("ratio", "rel_wis", "{:.2f}"), _90,
    ]  # fmt: skip
    ratios = [
        _with_error(ratio, error) for ratio, error in zip(board["rel_twcrps"], board["se_twcrps"])
    ]
    board["ratio"], board["model"] = ratios, "  " + board["model"].astype(str)
    rows: list[dict[Any, Any]] = []
    for head, part in board.groupby(keys, sort=False, observed=True):
        said: dict[str, Any] = dict(zip(keys, head, strict=True))
        months = f"{number_of(int(said.pop('horizon')), 'month')} ahead"
        names = [_of_county(key, x) for key, x in said.items() if key != "vintage"]
        none = "" if part["n_units"].any() else ": nothing can be scored"
        rows.append({"model": f"{', '.join([months, *names])}{none}"})
        rows += [] if none else part.to_dict("records")
    kind, one = str(board["vintage"].iloc[0]), board.iloc[board["n_counties"].argmax()]
    where = (f"{number_of(int(one['n_counties']), 'county', 'counties')} in "
             f"{number_of(int(one['n_states']), 'state')}")  # fmt: skip
    title(f"Leaderboard of {where} on {words(kind)} ({kind}): {COUNTY_TITLE}")
    click.echo(lay(pd.DataFrame(rows), {"model": ""}, columns))
    click.echo()
    ratio = f" Ratio: divided by {COUNTY_BASELINE}'s, ± its standard error over states."
    say("twCRPS: mean CRPS of max(deaths, 9) over all counties; hidden counts are 9 or less."
        f"{ratio if related else ''} Bands: ranked probability score of 0, 1 to 9, and 10 or more "
        f"deaths. WIS and 90%: counties with a published count before and after. {WHAT_90_IS}. "
        "Lower scores are better.")  # fmt: skip


def _of_county(key: str, value: object) -> str:
    """What a section of counties is of."""
    if key == "visible":
        return f"{'visible' if value else 'hidden'} at the origin"
    if isinstance(value, pd.Timestamp):
        return f"{value:{form_of(key)}}"
    return f"{key} {value}" if key in ("size", "urban") else words(value)


def _with_error(ratio: float, error: float) -> str | None:
    """A ratio and its standard error."""
    if ratio != ratio:
        return None
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
    click.echo(lay(entries, {"model": ""}, _ENTRIES))
    for row in entries[entries["n_failures"] > 0].to_dict("records"):
        say(f"{row['model']}: {on_screen(row['failure'])}", indent="  ")
    if table.empty:
        say("Nothing can be scored yet.")
        return
    groups = _groups(table)
    sections, notes = [], []
    for level, part in table.groupby("level", observed=True, sort=True):
        rows = {str(m): r.set_index("horizon_group") for m, r in part.groupby("model", sort=False)}
        apart = {m for m in rows if not rows[m]["in_all"].all()}
        # Without a mean over what all have there is no place in an order.
        best = sorted(rows, key=lambda m: (m in apart, rows[m]["wis_all"].fillna(math.inf).mean()))
        sections.append((words(level), [(m, rows[m]) for m in best]))
        n_all = next(iter(rows.values()))["n_all"]
        counts = " / ".join(f"{int(n_all.get(g, 0)):,}" for g in groups)
        notes.append(f"{words(level)}: {counts} counts that all models forecast")
        if why := _none_common(part):
            notes.append(f"{words(level)}: {why}")
        if apart:
            notes.append(f"{words(level)}: forecast fewer than half of the scorable counts, so "
                         f"listed last: {', '.join(sorted(apart))}")  # fmt: skip
    title("Leaderboard")
    click.echo(lay_groups(sections, _TASK, groups))
    click.echo()
    for text in notes:
        say(text, indent="  ")
    ratio = f"; ratio: WIS divided by {BASELINE}'s on the counts in common"
    naive = f"; naive: divided by {board.second}'s"
    say(f"{WHAT_WIS_IS}, over the counts that all models forecast"
        f"{ratio if BASELINE in board.models else ''}{naive if board.second else ''}; "
        f"{WHAT_90_IS}; seconds: per origin.")  # fmt: skip


def _none_common(part: pd.DataFrame) -> str:
    """Why there is no mean over what all models have, where there is none; else empty."""
    none = part[part["n_all"] == 0]
    if none.empty:
        return ""
    groups = " and ".join(_groups(none)) if part["n_all"].any() else ""
    where = f" {groups} months ahead" if groups else ""
    why = (
        "each was forecast by some models and not by others"
        if none["in_all"].any()
        else "no model has half of the counts"
    )
    return f"no count{where} was forecast by all, so there is no WIS and no 90%: {why}"
