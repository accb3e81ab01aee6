"""Tables of the benchmark's page, from its numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from odforecast.names import COVERAGE_LEVELS
from odforecast.report.site.parts import Cell, Column, SortTable
from odforecast.scoring.columns import HORIZON_GROUPS

Rows = Sequence[Mapping[str, Any]]
#: Seconds per origin, by model; empty where they were not measured.
Costs = Mapping[str, float]

LEVELS = ("jurisdictions", "nation")
LEVEL_NAMES = {"jurisdictions": "States, DC and New York City", "nation": "United States"}
REGIMES = {"rise": "rise 2020–21", "fall": "fall 2023–24"}
NONE = "–"


def overall(task: Mapping[str, Any], level: str, costs: Costs) -> SortTable | None:
    """One row per model: both denominators, coverage, what is missing, what it costs."""
    rows = [r for r in task["tables"]["all"] if r["level"] == level]
    if not rows:
        return None
    kinds = {m["model"]: m["kind"] for m in task["models"]}
    second = second_of(task)
    columns = [
        Column("Model", numbers=False),
        Column("WIS", "deaths"),
        Column("/ hub", "90 % interval"),
        *([Column("/ naive", "90 % interval")] if second else []),
        Column("log / hub", "of log WIS"),
        Column("90 %", "held"),
        Column("50 %", "held"),
        Column("Missing"),
        *([Column("Seconds", "per origin")] if costs else []),
        Column("Made", numbers=False),
    ]
    cells = []
    for r in rows:
        name = str(r["model"])
        row = [
            Cell(name),
            _number(r["wis_all"]),
            ratio(r, "rel_wis"),
            *([ratio(r, "rel_naive")] if second else []),
            _ratio_alone(r["rel_log_wis"]),
            share(r["coverage_90"]),
            share(r["coverage_50"]),
            Cell(f"{r['n_missing']:,}", float(r["n_missing"])),
        ]
        if costs:
            row.append(_seconds(costs.get(name)))
        cells.append([*row, Cell(kinds.get(name, ""))])
    first = rows[0]
    caption = (
        f"{LEVEL_NAMES[level]}, all months ahead. WIS over the {first['n_all']:,} counts that all "
        f"models have, and {_denominators(second)} on the counts both have. Missing: forecasts "
        f"that were asked for ({first['n_asked']:,}) and not made; {_rests(rows)}."
    )
    return SortTable(f"{task['name']}-all-{level}", caption, columns, cells, (), 1)


def by_group(
    task: Mapping[str, Any],
    table: str,
    level: str,
    key: str = "horizon_group",
    about: str = "",
    naive: bool = True,
) -> SortTable | None:
    """Ratios to both denominators and coverage by months ahead, or by regime."""
    rows = [r for r in task["tables"].get(table, ()) if r["level"] == level]
    names: Sequence[str] = HORIZON_GROUPS if key == "horizon_group" else tuple(REGIMES)
    held = [g for g in names if any(r[key] == g for r in rows)]
    if not held:
        return None
    second = second_of(task) if naive else None
    head = [Column("Model", numbers=False)]
    by_model: dict[str, dict[str, Mapping[str, Any]]] = {}
    for r in rows:
        by_model.setdefault(str(r["model"]), {})[str(r[key])] = r
    some = {g: next(r for r in rows if r[key] == g) for g in held}
    for base in ("hub", *(["naive"] if second else [])):
        head += [Column(_group(g), f"/ {base}") for g in held]
    head += [Column(_group(g), "90 % held") for g in held]
    cells = []
    order = sorted(by_model, key=lambda m: _order(by_model[m], held))
    for model in order:
        found = by_model[model]
        row = [Cell(model)]
        for name in ("rel_wis", *(["rel_naive"] if second else [])):
            row += [ratio(found[g], name) if g in found else Cell(NONE) for g in held]
        row += [share(found[g]["coverage_90"]) if g in found else Cell(NONE) for g in held]
        cells.append(row)
    counts = " / ".join(f"{some[g]['n_all']:,}" for g in held)
    last = [r for r in rows if r[key] == held[-1]]
    caption = (
        f"{LEVEL_NAMES[level]}{about}: WIS {_denominators(second)} on the counts both have, below "
        f"1 is better. Counts that all have: {counts}; {_rests(last)}."
    )
    return SortTable(f"{task['name']}-{table}-{level}", caption, head, cells, (), -1)


def coverage(task: Mapping[str, Any], level: str) -> SortTable | None:
    """Shares of counts inside the intervals, by model."""
    found = task["coverage"].get(level)
    if not found:
        return None
    columns = [Column("Model", numbers=False)]
    columns += [Column(f"{round(100 * c)} % interval") for c in COVERAGE_LEVELS]
    ranked = [r["model"] for r in task["tables"]["all"] if r["level"] == level]
    cells = [[Cell(model), *map(share, found[model])] for model in ranked if model in found]
    caption = f"{LEVEL_NAMES[level]}: share of the counts inside; right is what the name says."
    return SortTable(f"{task['name']}-coverage-{level}", caption, columns, cells, (), -1)


def pairwise(task: Mapping[str, Any]) -> SortTable | None:
    """The best models against one another: row over column."""
    models = task["pairwise"]["models"]
    rows = {(r["model"], r["other"]): r for r in task["pairwise"]["rows"]}
    if len(models) < 2 or not rows:
        return None
    columns = [Column("WIS of … as a share of that of", numbers=False)]
    columns += [Column(m) for m in models]
    cells = []
    for model in models:
        row = [Cell(model)]
        for other in models:
            r = rows.get((model, other))
            row.append(Cell("") if r is None else ratio(r, "ratio", "lower", "upper"))
        cells.append(row)
    some = next(iter(rows.values()))
    n = sorted({r["n_common"] for r in rows.values()})
    counts = f"{n[0]:,}" if len(n) == 1 else f"{n[0]:,} to {n[-1]:,}"
    caption = (
        f"States, DC and New York City: the model of the row over that of the column, on {counts} "
        f"counts; 90 % intervals from {some['n_groups']} groups of consecutive origins."
    )
    return SortTable(f"{task['name']}-pairwise", caption, columns, cells, (), -1)


def joint(rows: Rows) -> SortTable | None:
    """What depends on draws being joint, beside the same draws shuffled between places."""
    named = {
        "sum, nation": "sum of the states, WIS",
        "sum, regions": "sums of census regions, WIS",
        "energy": "energy score over places, of logs",
        "largest_rise": "largest rise on the way, WIS",
        "largest_fall": "largest fall on the way, WIS",
        "peak_month": "month of the peak, RPS",
        "turn": "whether it turns, Brier",
    }
    kept = [r for r in rows if r["what"] in named]
    if not kept:
        return None
    columns = [
        Column("Model", numbers=False),
        Column("Of what", numbers=False),
        Column("Score"),
        Column("Shuffled", "score of the control"),
        Column("Share", "score / control"),
        Column("90 % held"),
        Column("Shuffled", "90 % held"),
        Column("Scored"),
    ]
    cells = []
    for r in kept:
        score, control = r["score"], r["control_score"]
        both = score is not None and control
        row = [
            Cell(r["model"]),
            Cell(named[r["what"]]),
            _number(score) if r["n"] else Cell(r["reason"]),
            _number(control),
            _ratio_alone(score / control if both else None),
            share(r["cover_90"]),
            share(r["control_cover_90"]),
            Cell(f"{r['n']:,}", float(r["n"])),
        ]
        cells.append(row)
    caption = (
        "What people add up. Shuffled: the same draws, put together anew between places, so that "
        "every place's own forecast is unchanged and what places have in common is gone."
    )
    return SortTable("joint", caption, columns, cells, (), -1)


def lacking(tasks: Sequence[Mapping[str, Any]], left_out: Rows) -> SortTable | None:
    """Models with missing forecasts or failures, and models that are on no board, with reasons."""
    columns = [
        Column("Model", numbers=False),
        Column("Task", numbers=False),
        Column("Missing"),
        Column("Asked for"),
        Column("Failures", "rows with a reason"),
        Column("Why", "the commonest reason", numbers=False),
    ]
    cells = []
    for task in tasks:
        for m in task.get("models", ()):
            if m["n_missing"] or m["n_failures"]:
                numbers = [m["n_missing"], m["n_asked"], m["n_failures"]]
                counts = [Cell(f"{n:,}", float(n)) for n in numbers]
                cells.append([Cell(m["model"]), Cell(task["name"]), *counts, Cell(m["failure"])])
    for r in left_out:
        nothing = [Cell(NONE), Cell(NONE), Cell(NONE)]
        cells.append([Cell(r["model"]), Cell(r["task"]), *nothing, Cell(_folded(r["reason"]))])
    if not cells:
        return None
    caption = "What is missing, and what is on no board."
    return SortTable("lacking", caption, columns, cells, (), -1)


# Cells


def ratio(r: Mapping[str, Any], name: str, low: str = "", high: str = "") -> Cell:
    """A ratio with its interval, where there is one."""
    value, a, b = r.get(name), r.get(low or f"{name}_low"), r.get(high or f"{name}_high")
    if value is None:
        return Cell(NONE)
    ends = f"\n{a:.2f}–{b:.2f}" if a is not None and b is not None and a != b else ""
    return Cell(f"{value:.2f}{ends}", value)


def share(value: float | None) -> Cell:
    """A share in percent."""
    return Cell(NONE) if value is None else Cell(f"{100 * value:.0f} %", value)


def _ratio_alone(value: float | None) -> Cell:
    return Cell(NONE) if value is None else Cell(f"{value:.2f}", value)


def _number(value: float | None) -> Cell:
    if value is None:
        return Cell(NONE)
    size = abs(value)
    form = ",.0f" if size >= 100 else ".1f" if size >= 10 else ".2f" if size >= 1 else ".3f"
    return Cell(f"{value:{form}}", value)


def _seconds(value: float | None) -> Cell:
    return Cell(NONE) if value is None else Cell(f"{value:.2g}", value)


def second_of(task: Mapping[str, Any]) -> str | None:
    """The other denominator of a task."""
    there = [m["model"] for m in task["models"]]
    usual = ("naive+delay", "naive") if "clean" in task["definition"]["vintages"] else (
        "naive+delay",
    )  # fmt: skip
    return next((m for m in usual if m in there), None)


def _order(found: Mapping[str, Mapping[str, Any]], held: Sequence[str]) -> float:
    values = [found[g]["rel_wis"] for g in held if g in found]
    known = [v if v is not None else found[g]["wis"] for v, g in zip(values, held) if g in found]
    finite = [v for v in known if v is not None]
    return math.fsum(finite) / len(finite) if finite else math.inf


def _group(group: str) -> str:
    return REGIMES.get(group, f"{group.replace('-', '–')} months")


def _denominators(second: str | None) -> str:
    return "as a share of hub-baseline's (hub)" + (f" and {second}'s (naive)" if second else "")


def _rests(rows: Sequence[Mapping[str, Any]]) -> str:
    """What intervals rest on, in a sentence; whether there are any."""
    row = rows[0]
    donors = f" × {row['n_donors']} releases" if row["n_donors"] else ""
    what = f"{row['n_origins']} months in {row['n_blocks']} blocks{donors}"
    if any(r["rel_wis_low"] is not None for r in rows):
        return f"90 % intervals rest on {what}"
    return f"{what} are too few for intervals"


def _folded(text: str, width: int = 60) -> str:
    """A reason in lines, so that a table stays narrow."""
    import textwrap

    return "\n".join(textwrap.wrap(text, width)) or text
