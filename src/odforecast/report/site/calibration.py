"""Whether intervals held: coverage, PIT, and the nowcast, from a backtest."""

from __future__ import annotations

import numpy as np
import pandas as pd

from odforecast.names import COVERAGE_LEVELS
from odforecast.report.site.charts import Bar, histograms, intervals
from odforecast.report.site.drawing import Drawing
from odforecast.report.site.parts import Cell, Column, SortTable
from odforecast.report.site.skill import (
    Skill,
    deaths,
    level_name,
    plain_float,
    share_of,
    two_digits,
)
from odforecast.scoring import pit_histogram, summarise
from odforecast.scoring.columns import HORIZON_GROUPS


def trend_skill(skill: Skill) -> list[SortTable]:
    """How good the chances of the five kinds of change were, by months ahead; one per level."""
    if "rps" not in skill.scores:
        return []
    tables = [_trend_skill(skill, level, rows) for level, rows in skill.levels]
    return [t for t in tables if t is not None]


def _trend_skill(skill: Skill, level: str, rows: pd.DataFrame) -> SortTable | None:
    rows = rows[rows["rps"].notna() & rows["rps_pooled"].notna()]
    held = [g for g in HORIZON_GROUPS if g in set(rows["horizon_group"].astype(str))]
    if not held:
        return None
    columns = [Column("Model", numbers=False)]
    columns += [Column(f"{g.replace('-', '–')} months ahead") for g in held]
    means = rows.groupby(["model", "horizon_group"], observed=True)[["rps", "rps_pooled"]].mean()
    ratios = (means["rps"] / means["rps_pooled"]).rename("ratio").reset_index()
    found = {
        (str(r["model"]), str(r["horizon_group"])): float(r["ratio"])
        for r in ratios.to_dict("records")
    }
    cells = []
    for model in (m for m in skill.models if any(k[0] == m for k in found)):
        values = [found.get((model, g), float("nan")) for g in held]
        cells.append([Cell(model), *(Cell(two_digits(v), v) for v in values)])
    caption = (
        f"{level_name(skill, level)}, chances of the five kinds of change: ranked probability "
        "score, as a share of that of the frequencies known at the time; below 1 is better. Up to "
        "6 months ahead half of the 12 months is counted already."
    )
    return SortTable(f"trend-skill-{level}", caption, columns, cells, (), -1)


def coverage_tables(skill: Skill) -> list[SortTable]:
    """Shares of counts inside the intervals, by model and months ahead; a table per level."""
    names = [f"coverage_{round(100 * c)}" for c in COVERAGE_LEVELS]
    columns = [Column("Model", numbers=False), Column("Months ahead", numbers=False)]
    columns += [Column(f"{round(100 * c)}% interval") for c in COVERAGE_LEVELS]
    columns.append(Column("Counts"))
    out = []
    for level, rows in skill.levels:
        board = summarise(rows, by=["horizon_group"])
        if board["coverage_90"].isna().all():
            continue
        cells = []
        for model in skill.models:
            for r in board[board["model"] == model].to_dict("records"):
                row = [Cell(model), Cell(str(r["horizon_group"]).replace("-", "–"))]
                row += [Cell(share_of(r[n]), plain_float(r[n])) for n in names]
                cells.append([*row, Cell(f"{int(r['n_scorable']):,}", float(r["n_scorable"]))])
        caption = (
            f"{level_name(skill, level)}: share of the counts that lay inside the interval; right "
            "is what its name says."
        )
        out.append(SortTable(f"coverage-{level}", caption, columns, cells, (), -1))
    return out


def coverage_picture(skill: Skill) -> Drawing | None:
    """Coverage of the first model's intervals, in the jurisdictions if there are any."""
    level, rows = skill.levels[0] if skill.levels else ("", skill.ahead)
    rows = rows[rows["model"] == skill.model]
    board = summarise(rows, by=["horizon_group"]) if len(rows) else rows
    if board.empty or board["coverage_90"].isna().all():
        return None
    bars = []
    for r in board.to_dict("records"):
        bars.append(Bar(f"{str(r['horizon_group']).replace('-', '–')} months ahead", head=True))
        for c in COVERAGE_LEVELS:
            name = f"{round(100 * c)}% interval"
            bars.append(Bar(name, plain_float(r[f"coverage_{round(100 * c)}"]), mark=c))
    said = "; ".join(
        f"{str(r['horizon_group']).replace('-', '–')} months ahead the 90% interval held "
        f"{share_of(r['coverage_90'])}"
        for r in board.to_dict("records")
    )
    return intervals(
        bars, f"Coverage of {skill.model}, {skill.where(level)}", f"{said}.",
        "Dots: share of the counts inside the interval; ticks: what it should be.",
        unit="share of the counts inside", percent=True, ends=(0.3, 1.0), key="coverage-picture",
    )  # fmt: skip


def pit_picture(skill: Skill) -> Drawing | None:
    """PIT histograms of the models, the first six, in the jurisdictions if there are any."""
    if not skill.levels:
        return None
    level, rows = skill.levels[0]
    tables = [
        (m, pit_histogram(rows.loc[rows["model"] == m, "pit"].to_numpy())) for m in skill.models[:6]
    ]
    return histograms(
        tables, skill.where(level),
        "Bars: how many counts fell into each tenth of the forecast; level with the line is right. "
        "Higher at both ends: intervals too narrow; a hump: too wide; higher at the right: "
        "forecasts too low.",
    )  # fmt: skip


def pit_tables(skill: Skill) -> list[SortTable]:
    """The numbers of the histograms; a table per level."""
    columns = [Column("Model", numbers=False)]
    columns += [Column(f"{i / 10:.1f}–{(i + 1) / 10:.1f}") for i in range(10)]
    out = []
    for level, rows in skill.levels:
        cells = []
        for model in skill.models:
            table = pit_histogram(rows.loc[rows["model"] == model, "pit"].to_numpy())
            if total := table["n"].sum():
                shares = table["n"].to_numpy() / total
                cells.append([Cell(model), *(Cell(f"{100 * s:.0f}%", float(s)) for s in shares)])
        caption = (
            f"{level_name(skill, level)}: share of the counts in each tenth of the forecast; 10% "
            "in each is right."
        )
        if cells:
            out.append(SortTable(f"pit-table-{level}", caption, columns, cells, (), -1))
    return out


def nowcast_skill(skill: Skill) -> SortTable | None:
    """Counts that were published when the forecast was made, and completed."""
    rows = skill.scores[skill.scores["horizon"] <= 0]
    if rows.empty:
        return None
    board = summarise(rows, by=["level"])
    if "rel_wis_reported" not in board or board["rel_wis_reported"].isna().all():
        return None
    columns = [
        Column("Model", numbers=False),
        Column("Where", numbers=False),
        Column("WIS", "deaths"),
        Column("Share of the revision", "below 1 is better than leaving the counts"),
        Column("90% interval held"),
        Column("90% interval held", "of counts that were revised"),
        Column("Counts"),
    ]
    cells = [
        [
            Cell(str(r["model"])),
            Cell(skill.where(str(r["level"]))),
            Cell(deaths(r["wis"]), plain_float(r["wis"])),
            Cell(two_digits(r["rel_wis_reported"]), plain_float(r["rel_wis_reported"])),
            Cell(share_of(r["coverage_90"]), plain_float(r["coverage_90"])),
            Cell(share_of(r["coverage_90_revised"]), plain_float(r["coverage_90_revised"])),
            Cell(f"{int(r['n_scorable']):,}", float(r["n_scorable"])),
        ]
        for r in board.to_dict("records")
        if np.isfinite(r["wis"])
    ]
    caption = "Nowcasts: the twelve counts last published, and what they became."
    return SortTable("nowcast-skill", caption, columns, cells, (), -1)
