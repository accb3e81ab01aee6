"""How good forecasts were, from a backtest: leaderboard, skill, coverage, PIT; of counties too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from odforecast.backtesting import Results
from odforecast.backtesting.results import BASELINE
from odforecast.errors import OdforecastError
from odforecast.geography import JURISDICTIONS, called
from odforecast.names import COVERAGE_LEVELS, TARGET_12MO, deciding_kind
from odforecast.report.site.blocks import Block, Figure, present
from odforecast.report.site.drawings import PHONE, figure_of
from odforecast.report.site.table import (
    NONE,
    Cell,
    Column,
    Row,
    SortTable,
    number,
    share,
    table_of,
    text,
)
from odforecast.say import deaths_of, number_of
from odforecast.scoring import pit_histogram, relative_to_baseline, summarise
from odforecast.scoring.columns import HORIZON_GROUPS, REGIMES, with_groups
from odforecast.scoring.summary import (
    COUNTY_BASELINE,
    COUNTY_TITLE,
    county_coverage,
    county_leaderboard,
    ten_or_more,
)

#: The other denominator, for one alone is easy to beat.
SECOND = "naive+delay"
TITLE = "How good the forecasts were"
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
    "WIS is the weighted interval score, in deaths: narrow intervals lower it, and counts outside "
    "them raise it. WIS / another model is the ratio on the counts that both forecast; below 1 is "
    "better. Intervals of ratios come from resampled blocks of origins and, where the delay comes "
    "from real releases, of whole releases."
)
COUNTY_WORDS = (
    "CRPS from 10 on: the continuous ranked probability score of the count and the draws, each "
    "taken as 9 where it is less, over all counties: a hidden count is 9 or less, and no county is "
    "left out because it fell below 10. Bands: ranked probability score of no death, 1 to 9, 10 "
    f"and more. Both are a share of those of {COUNTY_BASELINE} on the same counts, ± a standard "
    "error over states; below 1 is better. WIS and coverage use counties with 10 and more when "
    "the forecast was made whose count is known. The others are left out, so these come second."
)
MODEL = Column("Model", "", text("model"), numbers=False)
_REGIME_NAMES = {"rise": "rise, 2020–21", "fall": "fall, 2023–24", "other": "other months"}
_SIZES = {
    "hidden": "1 to 9", "0": "none", "10-19": "10 to 19", "20-49": "20 to 49",
    "50-199": "50 to 199", "200+": "200 and more", "": "not known",
}  # fmt: skip


class Skill:
    """Scores of a backtest as they are shown: 12-month counts, one kind of vintage.

    Attributes
    ----------
    results : Results
    kind : str
        The kind of vintage that decides: delayed ones where there are some.
    scores : DataFrame
        Unit-level scores of that kind that can be scored, with groups.
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
        named: Any = results.manifest.get("models", {})
        models = [*named, *sorted(set(results.scores["model"]) - set(named))]
        self.models = [m for m in models if m in set(self.scores["model"])]
        there = [b for b in (BASELINE, SECOND) if b in self.models]
        self.baseline = there[0] if there else None

    @property
    def model(self) -> str:
        """The first model of the backtest."""
        return self.models[0] if self.models else ""

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

    def whose(self, level: str) -> str:
        """That, as a caption begins."""
        name = self.where(level)
        return name[:1].upper() + name[1:]

    @property
    def deaths(self) -> str:
        """What was forecast, in words."""
        indicator = self.results.manifest.get("indicator")
        return deaths_of(str(indicator)) if indicator else "deaths"

    def about(self) -> str:
        """What was scored, in a sentence."""
        truth: Any = self.results.manifest.get("truth", {})
        origins = self.scores["last_month"]
        first, last = (f"{m:%B %Y}" for m in (origins.min(), origins.max()))
        donors = sum(1 for name in self.scores["donor"].dropna().astype(str).unique() if name)
        said = (
            f"{number_of(len(self.models), 'model')}, forecasts of {self.deaths} from "
            f"{origins.nunique()} months ({first} to {last}), given "
            f"{_KIND_NAMES.get(self.kind, self.kind)}; scored against the counts "
            f"{truth.get('name', 'reported')} in the release of {truth.get('release', '?')}."
        )
        return said + (f" The delay is that of {donors} real releases." if donors else "")


def skill_blocks(results: Results, folded: bool = False) -> list[Block]:
    """How good forecasts were."""
    skill = Skill(results)
    if skill.scores.empty:
        return [Block("leaderboard", TITLE, ("No count could be scored.",), folded=folded)]
    return present([
        Block("leaderboard", TITLE, (skill.about(), WORDS), (), _boards(skill), folded=folded,
              about="leaderboard of models"),
        Block("skill-horizon", "Skill by months ahead", (), _drawn(skill, "skill"),
              _ratio_tables(skill, "horizon_group"), folded=folded),
        Block("skill-regime", "Skill in the rise and in the fall", (), (),
              _ratio_tables(skill, "regime"), folded=folded),
        Block("nowcasts", "Skill of final counts and of kinds of change", (), (),
              [*_nowcasts(skill), *_by_level(skill, _trends)], folded=folded),
        Block("coverage-of", "How often intervals contained the final count", (),
              _drawn(skill, "coverage"), _by_level(skill, _coverage), folded=folded),
        Block("pit-of", "Where in the forecast the final counts fell", (), _drawn(skill, "pit"),
              _by_level(skill, _pits), folded=folded),
    ])  # fmt: skip


def _drawn(skill: Skill, kind: str) -> list[Figure]:
    """A figure of the scores; none where there is nothing to draw."""
    from odforecast import plot

    options: dict[str, Any] = {"vintage": skill.kind}
    if kind == "skill" and skill.baseline is None:
        return []
    if kind != "skill":
        options["model"] = skill.model
    try:
        return [figure_of(
            f"{kind}-figure", lambda axes: getattr(plot, kind)(skill.results, axes=axes, **options),
            [(760.0, 360.0), PHONE], skill.about(),
        )]  # fmt: skip
    except OdforecastError:
        return []


def _by_level(
    skill: Skill, make: Callable[[Skill, str, pd.DataFrame], SortTable | None]
) -> list[SortTable]:
    """A table per level, those that there are."""
    tables = [make(skill, level, rows) for level, rows in skill.levels]
    return [t for t in tables if t is not None]


def _boards(skill: Skill) -> list[SortTable]:
    """Leaderboards, of the nation and of the jurisdictions, over all months ahead."""
    return [_board(skill, rows, level) for level, rows in skill.levels[::-1]]


def _board(skill: Skill, rows: pd.DataFrame, level: str) -> SortTable:
    related = {
        base: relative_to_baseline(rows, base, level=0.9).set_index("model")
        for base in (BASELINE, SECOND) if base in skill.models
    }  # fmt: skip
    columns = [
        MODEL,
        Column("WIS", "deaths, lower is better", number("wis", deaths)),
        *(Column(f"WIS / {base}", "90% interval", partial(_ratio, table, "model"))
          for base, table in related.items()),
    ]  # fmt: skip
    if skill.baseline and rows["log_wis"].notna().any():
        logs = relative_to_baseline(rows, skill.baseline, "log_wis", bootstrap=0).set_index("model")
        columns.append(
            Column(
                f"Log WIS / {skill.baseline}", "places count alike", partial(_ratio, logs, "model")
            )
        )
    if level == "jurisdictions" and skill.baseline is not None:
        better = _better(rows, skill.baseline)
        columns.append(
            Column("Places better", f"than {skill.baseline}",
                   lambda r: number("better", share)({"better": better.get(str(r["model"]))}))
        )  # fmt: skip
    columns += [
        Column("90%", "interval coverage", number("coverage_90", share)),
        Column("50%", "interval coverage", number("coverage_50", share)),
        Column("Counts", "scored", number("n_scorable")),
    ]
    caption = f"{skill.whose(level)}, 1 to {int(rows['horizon'].max())} months ahead."
    for table in list(related.values())[:1]:  # one group of units: all models rest on the same
        caption += f" Intervals rest on {_rests(table.iloc[0])}."
    records = summarise(rows).to_dict("records")
    return table_of(f"board-{level}", caption, records, columns, sorted_by=1)


def _better(rows: pd.DataFrame, baseline: str) -> dict[str, float]:
    """Share of places where a model's WIS is below the baseline's."""
    table = relative_to_baseline(rows, baseline, by=["location"], bootstrap=0)
    known = table[table["ratio"].notna() & (table["model"] != baseline)]
    shares = (known["ratio"] < 1).groupby(known["model"]).mean()
    return {str(k): float(v) for k, v in shares.items()}


def _rests(row: pd.Series[Any]) -> str:
    """How many groups an interval rests on."""
    donors = f" × {int(row['n_donors'])} releases" if row["n_donors"] else ""
    return f"{int(row['n_origins'])} months in {int(row['n_blocks'])} blocks{donors}"


def _ratio_tables(skill: Skill, key: str) -> list[SortTable]:
    """The ratio to the baseline with its interval, by ``"horizon_group"`` or ``"regime"``."""
    rows = skill.ahead
    if skill.baseline is None or rows["wis"].isna().all():
        return []
    table = relative_to_baseline(rows, skill.baseline, by=["level", key], level=0.9)
    table = table.assign(group=table[key].astype(str))
    out = []
    for level in ("nation", "jurisdictions"):
        part = table[table["level"] == level]
        held = [g for g in _GROUPS[key] if g in set(part["group"])]
        if not held:
            continue
        columns = [MODEL]
        for group in held:
            one = part[part["group"] == group].set_index("model")
            columns.append(
                Column(_group_name(group), _rests(one.iloc[0]), partial(_ratio, one, "model"))
            )
        caption = (
            f"Share of the WIS of {skill.baseline} {_HOW[key]}, {skill.where(level)}; below 1 is "
            "better, 90% intervals."
        )
        records = [{"model": m} for m in skill.models]
        out.append(
            table_of(f"{key.split('_')[0]}-{level}", caption, records, columns, sorted_by=-1)
        )
    return out


def _group_name(group: str) -> str:
    return _REGIME_NAMES.get(group, f"{group.replace('-', '–')} months ahead")


def _ratio(table: pd.DataFrame, key: str, row: Row) -> Cell:
    """A ratio with its interval, where there is one."""
    if row[key] not in table.index:
        return Cell(NONE)
    r: Any = table.loc[row[key]]
    if not np.isfinite(r["ratio"]):
        return Cell(NONE)
    low, high = r["lower"], r["upper"]
    known = np.isfinite([low, high]).all() and low != high
    ends = f"{low:.2f} to {high:.2f}" if known else ""
    return Cell(f"{r['ratio']:.2f}", float(r["ratio"]), small=ends)


def _trends(skill: Skill, level: str, rows: pd.DataFrame) -> SortTable | None:
    """How good the chances of the five kinds of change were, by months ahead."""
    if "rps" not in rows:
        return None
    rows = rows[rows["rps"].notna() & rows["rps_pooled"].notna()]
    held = [g for g in HORIZON_GROUPS if g in set(rows["horizon_group"].astype(str))]
    if not held:
        return None
    means = rows.groupby(["model", "horizon_group"], observed=True)[["rps", "rps_pooled"]].mean()
    ratios = (means["rps"] / means["rps_pooled"]).unstack("horizon_group")
    ratios.columns = [str(c) for c in ratios.columns]
    columns = [MODEL]
    columns += [Column(_group_name(g), "", number(g, two_digits)) for g in held]
    caption = (
        f"{skill.whose(level)}, chances of the five kinds of change: ranked probability score as a "
        "share of that of the frequencies known at the time; below 1 is better. Up to 6 months "
        "ahead half of the 12 months is counted already."
    )
    records = [{"model": m, **ratios.loc[m]} for m in skill.models if m in ratios.index]
    return table_of(f"trend-skill-{level}", caption, records, columns, sorted_by=-1)


def _coverage(skill: Skill, level: str, rows: pd.DataFrame) -> SortTable | None:
    """Shares of counts inside the intervals, by model and months ahead."""
    board = summarise(rows, by=["horizon_group"])
    if board["coverage_90"].isna().all():
        return None
    columns = [
        MODEL,
        Column("Months ahead", "", text("horizon_group", lambda g: str(g).replace("-", "–")),
               numbers=False),
        *(Column(f"{round(100 * c)}% interval", "", number(f"coverage_{round(100 * c)}", share))
          for c in COVERAGE_LEVELS),
        Column("Counts", "", number("n_scorable")),
    ]  # fmt: skip
    caption = (
        f"{skill.whose(level)}: share of the final counts inside each interval. A good 90% "
        "interval contains 90% of them."
    )
    records = [r for m in skill.models for r in board[board["model"] == m].to_dict("records")]
    return table_of(f"coverage-{level}", caption, records, columns, sorted_by=-1)


def _pits(skill: Skill, level: str, rows: pd.DataFrame) -> SortTable | None:
    """The numbers of the histograms."""
    records: list[dict[Any, Any]] = []
    for model in skill.models:
        table = pit_histogram(rows.loc[rows["model"] == model, "pit"].to_numpy())
        if total := table["n"].sum():
            parts = enumerate(table["n"].to_numpy() / total)
            records.append({"model": model, **{f"part{i}": x for i, x in parts}})
    if not records:
        return None
    columns = [MODEL]
    columns += [
        Column(f"{i / 10:.1f}–{(i + 1) / 10:.1f}", "", number(f"part{i}", share)) for i in range(10)
    ]
    caption = (
        f"{skill.whose(level)}: share of the counts in each tenth of the forecast; 10% in each is "
        "right."
    )
    return table_of(f"pit-table-{level}", caption, records, columns, sorted_by=-1)


def _nowcasts(skill: Skill) -> list[SortTable]:
    """Counts that were published when the forecast was made, and completed."""
    rows = skill.scores[skill.scores["horizon"] <= 0]
    board = summarise(rows, by=["level"]) if len(rows) else rows
    if "rel_wis_reported" not in board or board["rel_wis_reported"].isna().all():
        return []
    columns = [
        MODEL,
        Column("Where", "", text("level", skill.where), numbers=False),
        Column("WIS", "deaths", number("wis", deaths)),
        Column("Share of the revision", "below 1 is better than leaving the counts",
               number("rel_wis_reported", two_digits)),
        Column("90% interval", "coverage", number("coverage_90", share)),
        Column("90% interval", "coverage of counts that were revised",
               number("coverage_90_revised", share)),
        Column("Counts", "", number("n_scorable")),
    ]  # fmt: skip
    caption = "The twelve counts last published, and what they became."
    records = [r for r in board.to_dict("records") if np.isfinite(r["wis"])]
    return [table_of("nowcast-skill", caption, records, columns, sorted_by=-1)]


def two_digits(value: float) -> str:
    """A ratio."""
    return f"{value:.2f}"


def deaths(value: float) -> str:
    """A mean of deaths."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


# Counties: nothing of a single one, and no score first that only counts of 10 and more have,
# for that would reward whoever is too high


def county_skill_blocks(results: Results) -> list[Block]:
    """Leaderboards of counties by months ahead, coverage by size, and chances of 10 and more."""
    scores = results.scores
    kind = deciding_kind(scores["vintage"].astype(str))
    scores = scores[(scores["vintage"] == kind) & (scores["target"] == TARGET_12MO)]
    title = f"{TITLE}: {COUNTY_TITLE}"
    if not scores["bounded"].any():
        return [Block("leaderboard", title, ("No count could be scored.",))]
    models = list(dict.fromkeys(scores["model"].astype(str)))
    about = _county_about(results, scores)
    return [
        Block("leaderboard", title, (about, COUNTY_WORDS), (), _county_boards(scores)),
        Block("coverage-of", "How often intervals contained the count", (), (),
              [_county_coverage(scores, models)]),
        Block("ten-of", "Chances of 10 and more", (), (), [_county_chances(scores, models)]),
    ]  # fmt: skip


def _county_about(results: Results, scores: pd.DataFrame) -> str:
    truth: Any = results.manifest.get("truth", {})
    months = scores["last_month"]
    what = deaths_of(str(results.manifest.get("indicator", "")))
    places = number_of(scores["location"].nunique(), "county", "counties")
    return (
        f"{number_of(scores['model'].nunique(), 'model')}, forecasts of {what} of residents in "
        f"{places}, from {number_of(months.nunique(), 'month')} ({months.min():%B %Y} to "
        f"{months.max():%B %Y}); scored against the {truth.get('name', 'reported')} counts in the "
        f"release of {truth.get('release', '?')}, which are provisional. One plateau says nothing "
        "of other times: standard errors are over counties, clustered by state."
    )


def _county_boards(scores: pd.DataFrame) -> list[SortTable]:
    board = county_leaderboard(scores)
    columns = [
        MODEL,
        Column("CRPS from 10 on", "deaths, lower is better", number("twcrps", two_digits)),
        Column("CRPS / baseline", "± standard error", partial(_related, "twcrps")),
        Column("Bands / baseline", "", number("rel_rps", two_digits)),
        Column("WIS / baseline", "± standard error", partial(_related, "wis")),
        Column("90%", "interval coverage", number("coverage_90", share)),
    ]
    out = []
    for ahead, part in board[board["n_units"] > 0].groupby("horizon", sort=True):
        first = part.iloc[0]
        caption = (
            f"{number_of(int(str(ahead)), 'month')} ahead: {part['n_units'].max():,} counts of "
            f"{number_of(int(first['n_counties']), 'county', 'counties')} in "
            f"{number_of(int(first['n_states']), 'state')}, of which {part['n_wis'].max():,} are "
            "known and of counties with 10 and more at the origin."
        )
        records = part.to_dict("records")
        out.append(table_of(f"board-{ahead}", caption, records, columns, sorted_by=1))
    return out


def _related(name: str, row: Row) -> Cell:
    """A ratio ± its standard error."""
    cell, error = number(f"rel_{name}", two_digits)(row), float(row[f"se_{name}"])
    return Cell(f"{cell.text} ± {error:.3f}", cell.value) if error > 0.0 else cell


def _county_coverage(scores: pd.DataFrame, models: Sequence[str]) -> SortTable:
    table = county_coverage(scores, by="size")
    columns = [
        MODEL,
        Column("Deaths", "in the last count known", text("size", lambda s: _SIZES[str(s)]),
               numbers=False),
        Column("90%", "interval coverage", number("coverage_90", share)),
        Column("50%", "interval coverage", number("coverage_50", share)),
        Column("Counts known", "", number("n_exact")),
        Column("Middle 90%", "of PIT, hidden counts too", number("pit_90", share)),
        Column("Counts", "known or hidden", number("n_bounded")),
    ]  # fmt: skip
    caption = (
        "All months ahead together: share of the known counts inside the interval; and, right "
        "whatever is hidden, the share of all counts in the middle 90% of the forecast."
    )
    return table_of("coverage", caption, _of_models(table, models), columns, sorted_by=-1)


def _county_chances(scores: pd.DataFrame, models: Sequence[str]) -> SortTable:
    table = ten_or_more(scores, by=(), bins=5)
    columns = [
        MODEL,
        Column("Chance given", "",
               lambda r: Cell(f"{100 * r['left']:.0f}–{100 * r['right']:.0f}%"), numbers=False),
        Column("Mean chance", "", number("given", share)),
        Column("Outcome", "share with 10 and more", number("came", share)),
        Column("Counts", "", number("n")),
    ]  # fmt: skip
    caption = (
        "All months ahead together: of counties that were given such a chance of 10 deaths and "
        "more, how many had them; as many as the mean chance is right."
    )
    return table_of("ten", caption, _of_models(table, models), columns, sorted_by=-1)


def _of_models(table: pd.DataFrame, models: Sequence[str]) -> list[dict[Any, Any]]:
    return [r for m in models for r in table[table["model"] == m].to_dict("records")]
