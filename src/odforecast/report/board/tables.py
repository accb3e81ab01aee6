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
#: Marks a row that is of other places, or other origins, than one beside it.
_OTHERS = "of other counts"
NOTHING_COMMON = (
    "Where all have no count in common there is no WIS and no coverage: either no model has half "
    "of the counts, or each count was forecast by some and not by others."
)


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
        f"{LEVEL_NAMES[level]}, all months ahead. WIS and what is held: over the "
        f"{first['n_all']:,} counts that all models have; WIS {_denominators(second)} on the "
        f"counts both have. Missing: forecasts that were asked for ({first['n_asked']:,}) and not "
        f"made; {_rests(rows)}.{_apart(rows)}"
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
    few = _apart([r for r in rows if r[key] in held])
    caption = (
        f"{LEVEL_NAMES[level]}{about}: WIS {_denominators(second)} on the counts both have, below "
        f"1 is better; what is held, of the counts that all have: {counts}; {_rests(last)}.{few}"
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
    caption = (
        f"{LEVEL_NAMES[level]}: share of the counts that all have inside; right is what the name "
        "says."
    )
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
        Column("Places", "in each", numbers=False),
    ]
    cells = []
    usual = _usual(kept)
    # A model without any number is a sentence, not seven rows of dashes.
    scored = {r["model"] for r in kept if r["n"]}
    without = {
        r["model"]: r["reason"] or "nothing of it was scored"
        for r in kept
        if r["model"] not in scored
    }
    for r in kept:
        if r["model"] in without:
            continue
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
            Cell(_places_in(r, usual.get(r["what"]))),
        ]
        cells.append(row)
    caption = (
        "What people add up. Shuffled: the same draws, put together anew between places, so that "
        "every place's own forecast is unchanged and what places have in common is gone."
    )
    caption += "".join(f" {name} has no row: {why}." for name, why in without.items())
    if any(str(row[-1].text).endswith(_OTHERS) for row in cells):
        caption += (
            " Of other counts: added up over other places than another model's row of the same, or "
            "scored at other origins; the two are not to be compared."
        )
    return SortTable("joint", caption, columns, cells, (), -1)


def _extent(r: Mapping[str, Any]) -> tuple[Any, ...]:
    """Of how many places, and how often: the same in rows that may be compared."""
    return r.get("n_places"), r.get("n_places_most"), r.get("n_places_mean"), r["n"]


def _usual(rows: Rows) -> dict[str, tuple[Any, ...]]:
    """By what is scored, the extent of the row that has most."""
    out: dict[str, tuple[Any, ...]] = {}
    for r in rows:
        if r.get("n_places_mean") is None or not r["n"]:
            continue
        held = out.get(r["what"])
        if held is None or (r["n_places_mean"], r["n"]) > (held[2], held[3]):
            out[r["what"]] = _extent(r)
    return out


def _places_in(r: Mapping[str, Any], usual: tuple[Any, ...] | None) -> str:
    """Places in a sum or vector, and whether another model's row is of others."""
    if r.get("n_places_mean") is None or not r["n"]:
        return NONE
    low, high = r["n_places"], r["n_places_most"]
    text = f"{low}" if low == high else f"{low}–{high}"
    return text if usual is None or _extent(r) == usual else f"{text}, {_OTHERS}"


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


def _order(found: Mapping[str, Mapping[str, Any]], held: Sequence[str]) -> tuple[bool, float]:
    """By the mean ratio; behind them whoever has too few counts in some group."""
    apart = not all(in_all(r) for r in found.values())
    values = [found[g]["rel_wis"] for g in held if g in found]
    known = [v if v is not None else found[g]["wis"] for v, g in zip(values, held) if g in found]
    finite = [v for v in known if v is not None]
    return apart, math.fsum(finite) / len(finite) if finite else math.inf


def in_all(row: Mapping[str, Any]) -> bool:
    """Whether a model is among *all*; numbers of an earlier run do not say, and had no other."""
    return bool(row.get("in_all", True))


def _apart(rows: Rows) -> str:
    """A sentence that names who is not among *all*, and one where nothing is common to them;
    empty if neither.
    """
    names = list(dict.fromkeys(str(r["model"]) for r in rows if not in_all(r)))
    out = "" if all(r["n_all"] for r in rows) else f" {NOTHING_COMMON}"
    if names:
        out += (
            f" Not among all, for fewer than half of the counts were forecast: {', '.join(names)}."
        )
    return out


def _group(group: str) -> str:
    return REGIMES.get(group, f"{group.replace('-', '–')} months")


def _denominators(second: str | None) -> str:
    return "as a share of hub-baseline's (hub)" + (f" and {second}'s (naive)" if second else "")


def _rests(rows: Sequence[Mapping[str, Any]]) -> str:
    """What intervals rest on, in a sentence; whether there are any, and who has less."""
    most = max(rows, key=lambda r: (r["n_origins"], r["n_blocks"], r["n_donors"]))
    what = _based_on(most)
    if not any(r["rel_wis_low"] is not None for r in rows):
        return f"{what} are too few for intervals"
    less = [f"{r['model']} {_based_on(r)}" for r in rows if _based_on(r) != what]
    return f"90 % intervals rest on {what}" + (f" ({'; '.join(less)})" if less else "")


def _based_on(row: Mapping[str, Any]) -> str:
    donors = f" × {row['n_donors']} releases" if row["n_donors"] else ""
    return f"{row['n_origins']} months in {row['n_blocks']} blocks{donors}"


def _folded(text: str, width: int = 60) -> str:
    """A reason in lines, so that a table stays narrow."""
    import textwrap

    return "\n".join(textwrap.wrap(text, width)) or text
