"""The page of the public benchmark, whole in one file, from its numbers (``board_numbers.py``)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from board_numbers import NOTHING_COMMON, costs_of, in_all, second_of

from odforecast.names import COVERAGE_LEVELS, VINTAGE_DELAYED
from odforecast.panel import ERAS
from odforecast.plot.files import describe
from odforecast.plot.style import BAND50, BLUE, INK, MUTED, heading, literal
from odforecast.report.blocks import PHONE, Block, Cell, Column, Figure, SortTable, figure_of
from odforecast.report.blocks import page as page_of
from odforecast.report.page import Table
from odforecast.scoring.columns import HORIZON_GROUPS

#: Models whose bars and histograms are drawn.
_DRAWN, _HISTOGRAMS = 12, 6
_KINDS = {
    VINTAGE_DELAYED: "With delay",
    "real": "Real releases",
    "pseudo-clean": "Complete counts",
}
_SAYS = {
    VINTAGE_DELAYED: "This task decides. A later release is cut at each month and made as "
    "incomplete as real releases were, so a model sees what it would have seen that day.",
    "real": "A check: releases as published. They are few, so intervals are wide.",
    "pseudo-clean": "The model alone: counts that are complete to the last month, which nobody has "
    "in real time. An upper bound.",
}
WORDS = (
    "WIS is the weighted interval score, in deaths. Narrower intervals lower it; counts outside "
    "them raise it. Models are compared on the counts that both have. Two baselines are shown: "
    "hub-baseline repeats the last published count, which is too low; naive+delay completes the "
    "last months first and is harder to beat. Intervals of ratios come from resampling blocks of "
    "origins and, where the delay comes from real releases, whole releases."
)
EXPLORATORY = (
    "All results are exploratory: the developers had seen these releases. They used origins of "
    "2019–20 to build the models, and those of 2021 to choose the nation's settings."
)
Rows = Sequence[Mapping[str, Any]]
#: Seconds per origin, by model; empty where they were not measured.
Costs = Mapping[str, float]

LEVELS = ("jurisdictions", "nation")
LEVEL_NAMES = {"jurisdictions": "States, DC and New York City", "nation": "United States"}
REGIMES = {"rise": "rise 2020–21", "fall": "fall 2023–24"}
NONE = "–"
#: Marks a row that is of other places, or other origins, than one beside it.
_OTHERS = "of other counts"


def board_page(
    summary: Mapping[str, Any],
    timings: Mapping[str, Any] | None = None,
    paper: str = "letter",
) -> str:
    """The page of the benchmark.

    Parameters
    ----------
    summary : mapping
        Of :func:`board_numbers.summary_of`.
    timings : mapping, optional
        ``machine``, and ``tasks``: by the name of a task its ``fingerprint`` and ``seconds`` per
        origin, by model. Of a task with another fingerprint they are not shown.
    paper : {"letter", "a4"}
        What it is printed on.

    Returns
    -------
    str
        HTML that needs nothing beside it; the same numbers give the same page.
    """
    run = [t for t in summary["tasks"] if t["run"]]
    blocks = [_about(summary)]
    for task in run:
        blocks += _task(task, costs_of(task, timings))
    blocks.append(_lacking(summary))
    blocks.append(_manifest(summary, timings))
    return page_of(
        paper,
        title="Leaderboard: forecasts of overdose deaths",
        subtitle="Every model forecasts the same counts from what was known on the same days.",
        lead=_lead(run), warnings=[EXPLORATORY], contents=True,
        blocks=blocks,
        made=f"Made with odforecast {summary['odforecast']} from CDC's provisional counts.",
    )  # fmt: skip


def _lead(run: Sequence[Mapping[str, Any]]) -> list[str]:
    """The answer in sentences: the first task's, of the jurisdictions."""
    if not run:
        return ["No task was run."]
    task = run[0]
    rows = [r for r in task["tables"]["all"] if r["level"] == "jurisdictions"]
    rows = [r for r in rows if r["rel_wis"] is not None and in_all(r)]
    if not rows:
        return []
    best = min(rows, key=lambda r: r["rel_wis"])
    text = (
        f"On {task['name']}, {best['model']} has the lowest score of {len(rows)} models in the "
        f"states: its WIS is {best['rel_wis']:.2f} of the hub baseline's"
    )
    if best["rel_naive"] is not None:
        text += f" and {best['rel_naive']:.2f} of that of naive+delay"
    text += (
        f", on {best['n_common']:,} counts; its 90% intervals contained {_percent(best)} of the "
    )
    text += "final counts."
    out = [text]
    today = [r for r in task["tables"].get("today", ()) if r["model"] == best["model"]]
    today = [r for r in today if r["level"] == "jurisdictions" and r["rel_wis"] is not None]
    if today:
        each = ", ".join(f"{r['rel_wis']:.2f} ({_dashed(r['horizon_group'])})" for r in today)
        out.append(
            f"With releases as they come today, {ERAS[1]} months after the last month: {each} of "
            "the hub baseline's, by months ahead."
        )
    return out


def _dashed(group: str) -> str:
    return group.replace("-", "–")


def _percent(row: Mapping[str, Any]) -> str:
    value = row["coverage_90"]
    return NONE if value is None else f"{100 * value:.0f}%"


def _about(summary: Mapping[str, Any]) -> Block:
    rows = []
    for t in summary["tasks"]:
        says = t["definition"]
        if not t["run"]:
            rows.append([t["name"], t["title"], "not run", t["reason"], ""])
            continue
        donors = f" by {t['n_donors']} donors" if t["n_donors"] else ""
        rows.append(
            [
                t["name"],
                f"{t['title']}; {t['places']}",
                t["fingerprint"][:12],
                f"{t['n_origins']}{donors}, {t['first']} to {t['last']}",
                f"{says['truth']['kind']}, {t['truth']['release']}",
            ]
        )
    head = ["Task", "What", "Fingerprint", "Origins", "Truth"]
    return Block(
        "tasks", "What is asked", (WORDS,), (), (),
        [Table(head, rows, caption="A fingerprint is a hash of the definition and the data.")],
    )  # fmt: skip


def _task(task: Mapping[str, Any], costs: Mapping[str, float]) -> list[Block]:
    """The blocks of one task."""
    name, kind = task["name"], task["definition"]["vintages"]
    delayed = kind == VINTAGE_DELAYED
    title = _KINDS.get(kind, kind)

    def by(table: str, key: str = "horizon_group", about: str = "") -> list[SortTable]:
        return _tables(*(by_group(task, table, x, key, about) for x in LEVELS))

    board = _tables(*(overall(task, level, costs) for level in LEVELS))
    regimes, pairs = by("regimes", "regime"), _tables(pairwise_table(task))
    held = _tables(*(coverage_table(task, level) for level in LEVELS))
    about, picture, pit = (_SAYS.get(kind, ""),), _there(_picture(task)), _there(_histograms(task))
    if not delayed:
        # What guards, and what is an upper bound, takes less room than what decides.
        blocks = [
            Block(name, title, about, picture, [*board, *by("horizons")]),
            Block(f"{name}-more", f"{title}: more", (), pit, [*regimes, *pairs, *held]),
        ]
    else:
        today = f", donors of the {ERAS[1]}-month era alone"
        blocks = [
            Block(name, f"{title}: the leaderboard", about, picture, board),
            Block(
                f"{name}-today", f"{title}: today, {ERAS[1]} months late", (), (),
                by("today", about=today),
            ),
            Block(
                f"{name}-claim", f"{title}: from 2021 on", (), (),
                by("claim", about=", origins from 2021-01 on"),
            ),
            Block(f"{name}-horizons", f"{title}: by months ahead", (), (), by("horizons")),
            Block(f"{name}-regimes", f"{title}: rise and fall", (), (), regimes),
            Block(f"{name}-pairs", f"{title}: pairs of models", (), (), pairs),
            Block(f"{name}-calibration", f"{title}: coverage of intervals", (), pit, held),
        ]  # fmt: skip
    return [b for b in blocks if b.tables or b.figures]


def _picture(task: Mapping[str, Any]) -> Figure | None:
    """Ratios to the hub baseline with intervals, the best models first."""
    rows = [r for r in task["tables"]["all"] if r["level"] == "jurisdictions"]
    rows = [r for r in rows if r["rel_wis"] is not None and r["model"] != "hub-baseline"]
    rows = [r for r in rows if in_all(r)]
    rows = sorted(rows, key=lambda r: r["rel_wis"])[:_DRAWN]
    if not rows:
        return None
    said = "; ".join(f"{r['model']} {r['rel_wis']:.2f}" for r in rows)

    def draw(axes: Any) -> Any:
        """A row for each model."""
        for y, r in enumerate(rows[::-1]):
            low, high = r["rel_wis_low"], r["rel_wis_high"]
            if low is not None and high is not None:
                axes.plot([low, high], [y, y], color=BAND50, lw=5, solid_capstyle="butt")
            axes.plot(r["rel_wis"], y, "o", color=BLUE, ms=7)
        axes.axvline(1.0, color=INK, lw=1, ls=(0, (4, 3)))
        axes.set_yticks(range(len(rows)), [_cut(r["model"], 24) for r in rows[::-1]])
        axes.set_xlabel("share of the WIS of hub-baseline", color=MUTED)
        heading(
            axes, f"WIS as a share of hub-baseline's, task {task['name']}",
            "States, DC and New York City, all months ahead; left of the line is better. Bars: "
            f"90% intervals. The best {len(rows)} of {len(task['models'])} models.",
        )  # fmt: skip
        describe(axes, f"{said}.")
        return axes

    tall = 70.0 + 24 * len(rows)
    return figure_of(f"{task['name']}-picture", draw, [(760.0, tall), (PHONE[0], tall)])


def _histograms(task: Mapping[str, Any]) -> Figure | None:
    """PIT histograms of the best models that have draws."""
    found = task["pit"].get("jurisdictions", {})
    ranked = [r["model"] for r in task["tables"]["all"] if r["level"] == "jurisdictions"]
    shown = [m for m in ranked if m in found and sum(found[m])][:_HISTOGRAMS]
    if not shown:
        return None

    def draw(axes: Any) -> Any:
        """A row of ten bars for each model, beside its name."""
        for row, model in enumerate(shown[::-1]):
            counts = np.array(found[model], dtype=float)
            bars = 0.4 * counts * counts.size / counts.sum()
            axes.bar(np.arange(10) / 10 + 0.05, bars, 0.09, bottom=row, color=BAND50)
            axes.plot([0, 1], [row + 0.4] * 2, color=INK, lw=0.8, ls=(0, (4, 3)))
        axes.set_yticks(range(len(shown)), [_cut(m, 24) for m in shown[::-1]])
        axes.set_xlim(0, 1)
        heading(
            axes, f"Where the counts fell in the forecasts, task {task['name']}",
            "States, DC and New York City. A hump in the middle: intervals too wide; a U: too "
            "narrow; high at the right: forecasts too low. The line is where all bars would be.",
        )  # fmt: skip
        describe(axes, f"PIT histograms of {', '.join(shown)}.")
        return axes

    tall = 40.0 + 60 * len(shown)
    return figure_of(f"{task['name']}-pit", draw, [(760.0, tall), (PHONE[0], tall)])


def _cut(label: str, most: int) -> str:
    """A label that fits; the tables beside the figure have it whole."""
    return literal(label if len(label) <= most else f"{label[: most - 1]}…")


def _lacking(summary: Mapping[str, Any]) -> Block:
    found = lacking_table(summary["tasks"], summary["left_out"])
    said = "No model lacks a forecast." if found is None else (
        "A model that skips difficult counts has a better mean. So missing counts are shown, and "
        "comparisons use only counts that both models have."
    )  # fmt: skip
    return Block("missing", "Missing forecasts and models", (said,), (), _tables(found))


def _manifest(summary: Mapping[str, Any], timings: Mapping[str, Any] | None) -> Block:
    plain = []
    for task in (t for t in summary["tasks"] if t["run"]):
        says = task["definition"]
        facts = [
            ["fingerprint", task["fingerprint"]],
            ["hash of the truth", task["truth"]["data_hash"]],
            ["hash of what was known", task["data"]],
            ["code", task["code"] or "?"],
            ["draws, seed", f"{says['draws']:,}, {says['seed']}"],
        ]
        facts += [
            [m["model"], f"{m['kind']}, version {m['version']}, spec {m['spec']}"]
            for m in task["models"]
        ]
        plain.append(Table(["What", "Value"], facts, caption=f"Task {task['name']}"))
    general = [["odforecast", summary["odforecast"]]]
    general += [[name, v] for name, v in summary["libraries"].items()]
    general += [["command", c] for c in summary["commands"]]
    if timings:
        general.append(["seconds measured on", str(timings.get("machine", "?"))])
    plain.append(Table(["What", "Value"], general, caption="The run"))
    return Block("manifest", "To compute it again", (), (), (), plain)


def _there(*figures: Figure | None) -> list[Figure]:
    return [f for f in figures if f is not None]


def _tables(*found: SortTable | None) -> list[SortTable]:
    return [t for t in found if t is not None]


def _nan(value: float | None) -> float:
    return np.nan if value is None else value


# Tables


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
        Column("/ hub", "90% interval"),
        *([Column("/ naive", "90% interval")] if second else []),
        Column("log / hub", "of log WIS"),
        Column("90%", "coverage"),
        Column("50%", "coverage"),
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
        f"{LEVEL_NAMES[level]}, all months ahead. WIS and coverage use the "
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
    head += [Column(_group(g), "90% coverage") for g in held]
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
        f"1 is better; coverage of the counts that all have: {counts}; {_rests(last)}.{few}"
    )
    return SortTable(f"{task['name']}-{table}-{level}", caption, head, cells, (), -1)


def coverage_table(task: Mapping[str, Any], level: str) -> SortTable | None:
    """Shares of counts inside the intervals, by model."""
    found = task["coverage"].get(level)
    if not found:
        return None
    columns = [Column("Model", numbers=False)]
    columns += [Column(f"{round(100 * c)}% interval") for c in COVERAGE_LEVELS]
    ranked = [r["model"] for r in task["tables"]["all"] if r["level"] == level]
    cells = [[Cell(model), *map(share, found[model])] for model in ranked if model in found]
    caption = (
        f"{LEVEL_NAMES[level]}: share inside the interval, of the counts that all have. "
        "It should be what the name says."
    )
    return SortTable(f"{task['name']}-coverage-{level}", caption, columns, cells, (), -1)


def pairwise_table(task: Mapping[str, Any]) -> SortTable | None:
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
        f"counts; 90% intervals from {some['n_groups']} groups of consecutive origins."
    )
    return SortTable(f"{task['name']}-pairwise", caption, columns, cells, (), -1)


def lacking_table(tasks: Sequence[Mapping[str, Any]], left_out: Rows) -> SortTable | None:
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
    caption = "Missing forecasts, and models that are not on the board."
    return SortTable("lacking", caption, columns, cells, (), -1)


# Cells


def ratio(r: Mapping[str, Any], name: str, low: str = "", high: str = "") -> Cell:
    """A ratio with its interval, where there is one."""
    value, a, b = r.get(name), r.get(low or f"{name}_low"), r.get(high or f"{name}_high")
    if value is None:
        return Cell(NONE)
    ends = f"{a:.2f}–{b:.2f}" if a is not None and b is not None and a != b else ""
    return Cell(f"{value:.2f}", value, small=ends)


def share(value: float | None) -> Cell:
    """A share in percent."""
    return Cell(NONE) if value is None else Cell(f"{100 * value:.0f}%", value)


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


def _order(found: Mapping[str, Mapping[str, Any]], held: Sequence[str]) -> tuple[bool, float]:
    """By the mean ratio; behind them whoever has too few counts in some group."""
    apart = not all(in_all(r) for r in found.values())
    values = [found[g]["rel_wis"] for g in held if g in found]
    known = [v if v is not None else found[g]["wis"] for v, g in zip(values, held) if g in found]
    finite = [v for v in known if v is not None]
    return apart, math.fsum(finite) / len(finite) if finite else math.inf


def _apart(rows: Rows) -> str:
    """A sentence that names who is not among *all*, and one where nothing is common to them;
    empty if neither.
    """
    names = list(dict.fromkeys(str(r["model"]) for r in rows if not in_all(r)))
    out = "" if all(r["n_all"] for r in rows) else f" {NOTHING_COMMON}"
    if names:
        out += f" Listed separately, with fewer than half of the counts: {', '.join(names)}."
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
    return f"90% intervals rest on {what}" + (f" ({'; '.join(less)})" if less else "")


def _based_on(row: Mapping[str, Any]) -> str:
    donors = f" × {row['n_donors']} releases" if row["n_donors"] else ""
    return f"{row['n_origins']} months in {row['n_blocks']} blocks{donors}"


def _folded(text: str, width: int = 60) -> str:
    """A reason in lines, so that a table stays narrow."""
    return "\n".join(textwrap.wrap(text, width)) or text
