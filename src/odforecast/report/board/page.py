"""The benchmark's page, whole in one file, from its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from odforecast.names import VINTAGE_DELAYED
from odforecast.panel import ERAS
from odforecast.report.board import tables
from odforecast.report.page import Table, render
from odforecast.report.site.blocks import Block
from odforecast.report.site.charts import Bar, histograms, intervals
from odforecast.report.site.drawing import Drawing
from odforecast.report.site.parts import SortTable

#: Models whose bars and histograms are drawn.
_DRAWN, _HISTOGRAMS = 12, 6
_KINDS = {
    VINTAGE_DELAYED: "With delay",
    "real": "Real releases",
    "pseudo-clean": "Complete counts",
}
_SAYS = {
    VINTAGE_DELAYED: "This decides. A later release is cut at each month and made as incomplete as "
    "real releases were: what a forecaster was given on such a day.",
    "real": "The guard: releases as they were published. They are few, and their intervals wide.",
    "pseudo-clean": "The forecaster alone: counts that are complete to the last month, as nobody "
    "was ever given them. An upper bound.",
}
WORDS = (
    "WIS: weighted interval score, in deaths; it falls as intervals get narrower and rises as "
    "counts lie outside them. Models are compared on the counts that both have, and the number of "
    "counts stands beside. There are two denominators, for one alone is easy to beat: the hub "
    "baseline (the last count, as wide as its past errors) takes the last months as they were "
    "published, too low; naive+delay completes them first. Intervals of ratios: blocks of origins "
    "drawn again and, where the delay comes from real releases, whole releases."
)
EXPLORATORY = (
    "All of this is exploratory: the people who built the models had seen these releases. Origins "
    "of 2019–20 were used in their development, and those of 2021 for the nation's settings."
)


def board_page(
    summary: Mapping[str, Any],
    timings: Mapping[str, Any] | None = None,
    paper: str = "letter",
) -> str:
    """The page of the benchmark.

    Parameters
    ----------
    summary : mapping
        Of :func:`odforecast.report.board.summary_of`.
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
    blocks.append(_joint(summary["joint"]))
    blocks.append(_lacking(summary))
    blocks.append(_manifest(summary, timings))
    context: dict[str, object] = {
        "title": "The benchmark: forecasts of overdose deaths, side by side",
        "subtitle": "Everybody is asked the same, from what was known on the same days.",
        "lead": _lead(run),
        "warnings": [EXPLORATORY],
        "numbers": (), "sections": (), "files": (), "links": (), "places": (), "contents": True,
        "blocks": [b for b in blocks if not b.empty],
        "made": f"Made with odforecast {summary['odforecast']} from CDC's provisional counts.",
    }  # fmt: skip
    return render("site-page", context, paper=paper, script="sort")


def costs_of(task: Mapping[str, Any], timings: Mapping[str, Any] | None) -> Mapping[str, float]:
    """Seconds per origin of the models of a task; empty where they are of another fingerprint."""
    found = (timings or {}).get("tasks", {}).get(task["name"], {})
    if found.get("fingerprint") != task["fingerprint"]:
        return {}
    return dict(found["seconds"])


def _lead(run: Sequence[Mapping[str, Any]]) -> list[str]:
    """The answer in sentences: the first task's, of the jurisdictions."""
    if not run:
        return ["No task was run."]
    task = run[0]
    rows = [r for r in task["tables"]["all"] if r["level"] == "jurisdictions"]
    rows = [r for r in rows if r["rel_wis"] is not None and tables.in_all(r)]
    if not rows:
        return []
    best = min(rows, key=lambda r: r["rel_wis"])
    text = (
        f"On {task['name']}, {best['model']} has the lowest score of {len(rows)} models in the "
        f"states: its WIS is {best['rel_wis']:.2f} of the hub baseline's"
    )
    if best["rel_naive"] is not None:
        text += f" and {best['rel_naive']:.2f} of that of naive+delay"
    text += f", on {best['n_common']:,} counts; its 90 % intervals held {_percent(best)}."
    out = [text]
    today = [r for r in task["tables"].get("today", ()) if r["model"] == best["model"]]
    today = [r for r in today if r["level"] == "jurisdictions" and r["rel_wis"] is not None]
    if today:
        each = ", ".join(f"{r['rel_wis']:.2f} ({_dashed(r['horizon_group'])})" for r in today)
        out.append(
            f"As releases come today, {ERAS[1]} months after the last month: {each} of the hub "
            "baseline's, by months ahead."
        )
    return out


def _dashed(group: str) -> str:
    return group.replace("-", "–")


def _percent(row: Mapping[str, Any]) -> str:
    value = row["coverage_90"]
    return tables.NONE if value is None else f"{100 * value:.0f} %"


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
        [Table(head, rows, caption="A fingerprint is a hash of the definition and of the data.")],
    )  # fmt: skip


def _task(task: Mapping[str, Any], costs: Mapping[str, float]) -> list[Block]:
    """The blocks of one task."""
    name, kind = task["name"], task["definition"]["vintages"]
    delayed = kind == VINTAGE_DELAYED
    title = _KINDS.get(kind, kind)

    def by(table: str, key: str = "horizon_group", about: str = "") -> list[SortTable]:
        return _tables(*(tables.by_group(task, table, x, key, about) for x in tables.LEVELS))

    board = _tables(*(tables.overall(task, level, costs) for level in tables.LEVELS))
    regimes, pairs = by("regimes", "regime"), _tables(tables.pairwise(task))
    held = _tables(*(tables.coverage(task, level) for level in tables.LEVELS))
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
            Block(f"{name}-pairs", f"{title}: each against each", (), (), pairs),
            Block(f"{name}-calibration", f"{title}: did intervals hold", (), pit, held),
        ]  # fmt: skip
    return [b for b in blocks if b.tables or b.drawings]


def _picture(task: Mapping[str, Any]) -> Drawing | None:
    """Ratios to the hub baseline with intervals, the best models first."""
    rows = [r for r in task["tables"]["all"] if r["level"] == "jurisdictions"]
    rows = [r for r in rows if r["rel_wis"] is not None and r["model"] != "hub-baseline"]
    rows = [r for r in rows if tables.in_all(r)]
    rows = sorted(rows, key=lambda r: r["rel_wis"])[:_DRAWN]
    if not rows:
        return None
    bars = [
        Bar(r["model"], r["rel_wis"], _nan(r["rel_wis_low"]), _nan(r["rel_wis_high"])) for r in rows
    ]
    said = "; ".join(f"{r['model']} {r['rel_wis']:.2f}" for r in rows)
    return intervals(
        bars, f"WIS as a share of hub-baseline's, task {task['name']}", f"{said}.",
        "States, DC and New York City, all months ahead; left of the line is better. Bars: 90 % "
        f"intervals. The best {len(rows)} of {len(task['models'])} models.",
        unit="share of the WIS of hub-baseline", reference=1.0, log=True,
        key=f"{task['name']}-picture",
    )  # fmt: skip


def _histograms(task: Mapping[str, Any]) -> Drawing | None:
    """PIT histograms of the best models that have draws."""
    found = task["pit"].get("jurisdictions", {})
    ranked = [r["model"] for r in task["tables"]["all"] if r["level"] == "jurisdictions"]
    shown = [m for m in ranked if m in found][:_HISTOGRAMS]
    parts = []
    for model in shown:
        counts = np.array(found[model], dtype=float)
        density = counts * counts.size / counts.sum()
        parts.append((model, pd.DataFrame({"n": counts.astype(int), "density": density})))
    drawn = histograms(
        parts,
        f"States, DC and New York City, task {task['name']}",
        "A hump in the middle: intervals too wide; a U: too narrow; high at the right: forecasts "
        "too low. The line is where all bars would be.",
    )
    if drawn is None:
        return None
    return Drawing(
        drawn.title, drawn.description, drawn.shapes, drawn.caption, drawn.width, drawn.height,
        f"{task['name']}-pit",
    )  # fmt: skip


def _joint(joint: Mapping[str, Any] | None) -> Block:
    if joint is None:
        return Block("joint-of", "Sums of the states' draws")
    text = (
        f"Task {joint['task']} ({joint['fingerprint'][:12]}), {joint['origins']} origins. Scores "
        "of single places see nothing of what places have in common, and the energy score hardly; "
        "sums and paths do."
    )
    return Block(
        "joint-of", "Sums of the states' draws", (text,), (), _tables(tables.joint(joint["rows"]))
    )


def _lacking(summary: Mapping[str, Any]) -> Block:
    found = tables.lacking(summary["tasks"], summary["left_out"])
    said = "No model lacks a forecast." if found is None else (
        "A model that leaves out what is hard has a better mean: what is missing is counted, and "
        "comparisons are of counts that both models have."
    )  # fmt: skip
    return Block("missing", "What is missing, and who is not here", (said,), (), _tables(found))


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


def _there(*drawings: Drawing | None) -> list[Drawing]:
    return [d for d in drawings if d is not None]


def _tables(*found: SortTable | None) -> list[SortTable]:
    return [t for t in found if t is not None]


def _nan(value: float | None) -> float:
    return np.nan if value is None else value
