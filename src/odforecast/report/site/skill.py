"""How good forecasts were, from a backtest: leaderboard, skill, coverage, PIT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from odforecast.backtesting import Results
from odforecast.backtesting.results import BASELINE
from odforecast.geography import JURISDICTIONS, called
from odforecast.names import TARGET_12MO, deciding_kind
from odforecast.report.site.charts import Bar, intervals
from odforecast.report.site.drawing import Drawing
from odforecast.report.site.parts import Cell, Column, SortTable
from odforecast.report.site.tables import NONE
from odforecast.say import deaths_of, number_of
from odforecast.scoring import relative_to_baseline, summarise
from odforecast.scoring.columns import HORIZON_GROUPS, REGIMES, with_groups

#: The other denominator, for one alone is easy to beat.
SECOND = "naive+delay"
_KIND_NAMES = {
    "pseudo-delayed": "as incomplete as real releases were",
    "real": "real releases",
    "pseudo-clean": "final counts cut at a month",
    "synthetic": "made-up counts",
}
#: Places of a run that are listed; more are counted.
_NAMED = 3
LEVEL_NAMES = {"nation": "United States", "jurisdictions": "states, DC and New York City"}
_GROUPS = {"horizon_group": HORIZON_GROUPS, "regime": REGIMES}
_HOW = {"horizon_group": "by months ahead", "regime": "by the time that was forecast"}
#: What the columns of a leaderboard mean.
WORDS = (
    "WIS: weighted interval score, in deaths; it falls as intervals get narrower and rises as "
    "counts lie outside them. WIS / another model: the ratio on the counts that both forecast, "
    "below 1 is better. Intervals of ratios: blocks of origins drawn again and, where the delay "
    "comes from real releases, whole releases."
)
_REGIME_NAMES = {"rise": "rise, 2020–21", "fall": "fall, 2023–24", "other": "other months"}


class Skill:
    """Scores of a backtest as they are shown: 12-month counts, one kind of vintage.

    Attributes
    ----------
    results : Results
    kind : str
        The kind of vintage that decides: delayed ones where there are some.
    scores : DataFrame
        Unit-level scores of that kind that can be scored, with groups.
    model : str
        The first model of the backtest.
    models : list of str
    baseline : str or None
        What WIS is held against.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        scores = results.scores
        scores = scores[scores["target"] == TARGET_12MO]
        self.kind = deciding_kind(scores["vintage"].astype(str))
        scores = scores[(scores["vintage"] == self.kind) & scores["scorable"].astype(bool)]
        self.scores = with_groups(scores, ["level", "horizon_group", "regime"])
        self.models = [m for m in _models(results) if m in set(self.scores["model"])]
        self.model = self.models[0] if self.models else ""
        there = [b for b in (BASELINE, SECOND) if b in self.models]
        self.baseline = there[0] if there else None

    @property
    def usable(self) -> bool:
        """Whether there is anything to show."""
        return not self.scores.empty

    @property
    def ahead(self) -> pd.DataFrame:
        """Scores of months that were not published when the forecast was made."""
        return self.scores[self.scores["horizon"] >= 1]

    @property
    def levels(self) -> list[tuple[str, pd.DataFrame]]:
        """Those scores by level, the jurisdictions first: the nation is no 52nd of them."""
        rows = self.ahead
        parts = [(level, rows[rows["level"] == level]) for level in ("jurisdictions", "nation")]
        return [(level, part) for level, part in parts if len(part)]

    def where(self, level: str) -> str:
        """Which places a level holds: all jurisdictions, a few by name, or how many."""
        places = self.scores.loc[self.scores["level"] == level, "location"].astype(str).unique()
        if level != "jurisdictions" or len(places) == len(JURISDICTIONS):
            return LEVEL_NAMES[level]
        if len(places) <= _NAMED:
            return ", ".join(called(s) for s in places)
        return f"{len(places)} of {len(JURISDICTIONS)} jurisdictions"

    @property
    def deaths(self) -> str:
        """What was forecast, in words."""
        indicator = self.results.manifest.get("indicator")
        return deaths_of(str(indicator)) if indicator else "deaths"

    def related(self, by: Sequence[str], baseline: str, metric: str = "wis") -> pd.DataFrame:
        """Ratios to a baseline with 90% intervals; empty where nothing can be compared."""
        rows = self.ahead
        if baseline not in set(rows["model"]) or rows[metric].isna().all():
            return pd.DataFrame(columns=[*by, "model", "ratio", "lower", "upper"])
        return relative_to_baseline(rows, baseline, metric, by=list(by), level=0.9)

    def about(self) -> str:
        """What was scored, in a sentence."""
        truth: Any = self.results.manifest.get("truth", {})
        origins = self.scores["last_month"]
        first, last = (f"{m:%B %Y}" for m in (origins.min(), origins.max()))
        donors = sum(1 for name in self.scores["donor"].dropna().astype(str).unique() if name)
        text = (
            f"{number_of(len(self.models), 'model')}, forecasts of {self.deaths} from "
            f"{origins.nunique()} months ({first} to {last}), given "
            f"{_KIND_NAMES.get(self.kind, self.kind)}; scored against the counts "
            f"{truth.get('name', 'reported')} in the release of {truth.get('release', '?')}."
        )
        if donors:
            text += f" The delay is that of {donors} real releases."
        return text


def level_name(skill: Skill, level: str) -> str:
    """Whose scores they are, as a caption begins."""
    name = skill.where(level)
    return name[:1].upper() + name[1:]


def boards(skill: Skill) -> list[SortTable]:
    """Leaderboards, of the nation and of the jurisdictions, over all months ahead."""
    out = []
    for level in ("nation", "jurisdictions"):
        rows = skill.ahead[skill.ahead["level"] == level]
        if len(rows):
            out.append(_board(skill, rows, level))
    return out


def _board(skill: Skill, rows: pd.DataFrame, level: str) -> SortTable:
    board = summarise(rows)
    columns = [Column("Model", numbers=False), Column("WIS", "deaths, lower is better")]
    related: dict[str, pd.DataFrame] = {}
    for base in (b for b in (BASELINE, SECOND) if b in skill.models):
        related[base] = relative_to_baseline(rows, base, level=0.9).set_index("model")
        columns.append(Column(f"WIS / {base}", "90% interval"))
    logs = None
    if skill.baseline and rows["log_wis"].notna().any():
        logs = relative_to_baseline(rows, skill.baseline, "log_wis", bootstrap=0)
        logs = logs.set_index("model")
        columns.append(Column(f"Log WIS / {skill.baseline}", "places count alike"))
    better = _better(skill, rows) if level == "jurisdictions" else None
    if better is not None:
        columns.append(Column("Places better", f"than {skill.baseline}"))
    columns += [
        Column("90%", "interval held"),
        Column("50%", "interval held"),
        Column("Counts", "scored"),
    ]
    cells = []
    for r in board.to_dict("records"):
        name = str(r["model"])
        row = [Cell(name), Cell(deaths(r["wis"]), plain_float(r["wis"]))]
        row += [ratio_cell(t, name) for t in related.values()]
        if logs is not None:
            row.append(ratio_cell(logs, name))
        if better is not None:
            share = better.get(name, np.nan)
            row.append(Cell(share_of(share), share))
        row += [
            Cell(share_of(r[f"coverage_{n}"]), plain_float(r[f"coverage_{n}"])) for n in (90, 50)
        ]
        row.append(Cell(f"{int(r['n_scorable']):,}", float(r["n_scorable"])))
        cells.append(row)
    caption = f"{level_name(skill, level)}, 1 to {int(rows['horizon'].max())} months ahead."
    for table in list(related.values())[:1]:  # one group of units: all models rest on the same
        caption += f" Intervals rest on {_rests(table.iloc[0]).replace(chr(10), ' ')}."
    return SortTable(f"board-{level}", caption, columns, cells, (), 1)


def _better(skill: Skill, rows: pd.DataFrame) -> dict[str, float] | None:
    """Share of places where a model's WIS is below the baseline's."""
    if skill.baseline is None:
        return None
    table = relative_to_baseline(rows, skill.baseline, by=["location"], bootstrap=0)
    known = table[table["ratio"].notna()]
    shares = (known["ratio"] < 1).groupby(known["model"]).mean()
    found = {str(k): float(v) for k, v in shares.items()}
    return {**found, skill.baseline: float("nan")}


def _rests(row: pd.Series[Any]) -> str:
    """How many groups an interval rests on."""
    donors = f"\n× {int(row['n_donors'])} releases" if row["n_donors"] else ""
    return f"{int(row['n_origins'])} months in {int(row['n_blocks'])} blocks{donors}"


def skill_tables(skill: Skill, key: str) -> list[SortTable]:
    """The ratio to the baseline with its interval, by ``"horizon_group"`` or ``"regime"``."""
    if skill.baseline is None:
        return []
    table = skill.related(["level", key], skill.baseline)
    table = table.assign(group=table[key].astype(str))
    out = []
    for level in ("nation", "jurisdictions"):
        part = table[table["level"] == level]
        held = [g for g in _GROUPS[key] if g in set(part["group"])]
        if not held:
            continue
        columns = [Column("Model", numbers=False)]
        columns += [Column(_group_name(g), _rests(part[part["group"] == g].iloc[0])) for g in held]
        cells = []
        for model in skill.models:
            mine = part[part["model"] == model].set_index("group")
            cells.append([Cell(model), *(ratio_cell(mine, g) for g in held)])
        caption = (
            f"Share of the WIS of {skill.baseline} {_HOW[key]}, {skill.where(level)}; below 1 is "
            "better, 90% intervals."
        )
        out.append(SortTable(f"{key.split('_')[0]}-{level}", caption, columns, cells, (), -1))
    return out


def _group_name(group: str) -> str:
    return _REGIME_NAMES.get(group, f"{group.replace('-', '–')} months ahead")


def skill_picture(skill: Skill, key: str) -> Drawing | None:
    """Ratios to the baseline with intervals, by ``"horizon_group"`` or ``"regime"``."""
    if skill.baseline is None:
        return None
    table = skill.related(["level", key], skill.baseline)
    table = table[(table["level"] == "jurisdictions") & table["ratio"].notna()]
    shown = [m for m in skill.models if m != skill.baseline][:8]
    bars: list[Bar] = []
    said = []
    for group in _GROUPS[key]:
        part = table[table[key].astype(str) == group].to_dict("records")
        rows = {str(r["model"]): r for r in part}
        if not rows or not shown:
            continue
        label = _group_name(group)
        bars.append(Bar(label, head=True))
        for model in (m for m in shown if m in rows):
            r = rows[model]
            bars.append(Bar(model, float(r["ratio"]), float(r["lower"]), float(r["upper"])))
            if model == skill.model:
                said.append(f"{label}: {_ratio(r['ratio'], r['lower'], r['upper'])}")
    if not said:
        return None
    return intervals(
        bars, f"Skill {_HOW[key]}",
        f"{skill.model} as a share of {skill.baseline}: {'; '.join(said)}.",
        f"Share of the WIS of {skill.baseline} in {skill.where('jurisdictions')}; left of the line "
        "is better. Bars: 90% intervals, where there are groups enough.",
        unit=f"share of the WIS of {skill.baseline}", reference=1.0, log=True,
        key=f"skill-{key.split('_')[0]}",
    )  # fmt: skip


# Cells


def ratio_cell(table: pd.DataFrame, key: str) -> Cell:
    """A ratio with its interval, where there is one."""
    if key not in table.index:
        return Cell(NONE)
    r: Any = table.loc[key]
    return Cell(_ratio(r["ratio"], r["lower"], r["upper"], "\n"), plain_float(r["ratio"]))


def _ratio(ratio: float, low: float, high: float, gap: str = " ") -> str:
    if not np.isfinite(ratio):
        return NONE
    ends = f"{gap}{low:.2f} to {high:.2f}" if np.isfinite([low, high]).all() and low != high else ""
    if gap == " " and ends:
        ends = f" ({ends.strip()})"
    return f"{ratio:.2f}{ends}"


def two_digits(value: float) -> str:
    """A ratio."""
    return f"{value:.2f}" if np.isfinite(value) else NONE


def deaths(value: float) -> str:
    """A mean of deaths."""
    if not np.isfinite(value):
        return NONE
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def share_of(value: float) -> str:
    """A share in percent."""
    return f"{100 * value:.0f}%" if np.isfinite(value) else NONE


def plain_float(value: object) -> float:
    """A number of a table as it is sorted by."""
    return float(value)  # type: ignore[arg-type]


def _models(results: Results) -> list[str]:
    """Labels in the order of the run."""
    named: Any = results.manifest.get("models", {})
    return [*named, *sorted(set(results.scores["model"]) - set(named))]
