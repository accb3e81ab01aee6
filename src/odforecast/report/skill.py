"""How accurate forecasts were, from a backtest: leaderboard, skill, coverage, PIT; counties too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from odforecast import plot
from odforecast.backtesting import Results
from odforecast.backtesting.results import BASELINE
from odforecast.errors import OdforecastError
from odforecast.geography import JURISDICTIONS, called
from odforecast.names import COVERAGE_LEVELS, TARGET_12MO, deciding_kind
from odforecast.report.blocks import (
    NONE,
    PHONE,
    Block,
    Cell,
    Column,
    Figure,
    Row,
    SortTable,
    figure_of,
    known,
    number,
    share,
    table_of,
    text,
)
from odforecast.say import capital, day_name, deaths_of, number_of
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
TITLE = "How accurate past forecasts were"
_KIND_NAMES = {
    "pseudo-delayed": "counts as incomplete as those in real releases",
    "real": "real releases",
    "pseudo-clean": "final counts cut at a month",
    "synthetic": "made-up counts",
}
_REGIME_NAMES = {
    "rise": "rise, 2020–21",
    "fall": "fall, 2023–24",
    "other": "other months",
}
_SIZES = {
    "hidden": "1 to 9",
    "0": "none",
    "10-19": "10 to 19",
    "20-49": "20 to 49",
    "50-199": "50 to 199",
    "200+": "200 and more",
    "": "not known",
}


class Skill:
    """Scores of a backtest as they are shown: 12-month counts, one ``kind`` of vintage.

    ``scores`` are those that can be scored of the kind that decides, with groups; WIS is held
    against that of the ``baseline``, if there is one.
    """

    def __init__(self, results: Results, drawn: bool = True) -> None:
        self.results = results
        self.drawn = drawn
        scores = results.scores
        scores = scores[scores["target"] == TARGET_12MO]
        self.kind = deciding_kind(scores["vintage"].astype(str))
        scores = scores[
            (scores["vintage"] == self.kind) & scores["scorable"].astype(bool)
        ]
        self.scores = with_groups(scores, ["level", "horizon_group", "regime"])
        #: Of months that were not published when the forecast was made.
        self.ahead = self.scores[self.scores["horizon"] >= 1]
        named: Any = results.manifest.get("models", {})
        models = [*named, *sorted(set(results.scores["model"]) - set(named))]
        self.models = [m for m in models if m in set(self.scores["model"])]
        self.bases = [b for b in (BASELINE, SECOND) if b in self.models]
        self.baseline = self.bases[0] if self.bases else None
        self.model = self.models[0] if self.models else ""

    @property
    def levels(self) -> list[tuple[str, pd.DataFrame]]:
        """Scores by level, the jurisdictions first: the nation is no 52nd of them."""
        parts = [
            (x, self.ahead[self.ahead["level"] == x])
            for x in ("jurisdictions", "nation")
        ]
        return [(level, part) for level, part in parts if len(part)]

    def where(self, level: str) -> str:
        """Which places a level holds: all jurisdictions, a few by name, or how many."""
        places = (
            self.scores.loc[self.scores["level"] == level, "location"]
            .astype(str)
            .unique()
        )
        if level == "nation":
            return "United States"
        if len(places) == len(JURISDICTIONS):
            return "states, DC and New York City"
        if len(places) <= 3:
            return ", ".join(called(s) for s in places)
        return f"{len(places)} of {len(JURISDICTIONS)} jurisdictions"

    def whose(self, level: str) -> str:
        """That, as a caption begins."""
        return capital(self.where(level))

    @property
    def deaths(self) -> str:
        """What was forecast, in words."""
        indicator = self.results.manifest.get("indicator")
        return deaths_of(str(indicator)) if indicator else "deaths"

    def about(self) -> str:
        """What was scored, in a sentence."""
        origins = self.scores["last_month"]
        donors = sum(
            1 for name in self.scores["donor"].dropna().astype(str).unique() if name
        )
        said = (
            f"{number_of(len(self.models), 'model')}, forecasts of {self.deaths} from "
            f"{_span(origins)}, made from {_KIND_NAMES.get(self.kind, self.kind)}; "
            f"{_against(self.results)}."
        )
        return said + (
            f" The delay is that of {donors} real releases." if donors else ""
        )


def _against(results: Results) -> str:
    """Which counts were the truth, in words."""
    truth: Any = results.manifest.get("truth", {})
    day = day_name(results.scores["truth_release"].max())
    return f"scored against the {truth.get('name', 'reported')} counts in the release of {day}"


def _span(months: pd.Series[Any]) -> str:
    """How many months, and from when to when."""
    ends = " to ".join(
        dict.fromkeys(f"{x:%B %Y}" for x in (months.min(), months.max()))
    )
    return f"{number_of(months.nunique(), 'month')} ({ends})"


def skill_blocks(
    results: Results, folded: bool = False, drawn: bool = True
) -> list[Block]:
    """How accurate forecasts were, with figures or with tables alone."""
    skill = Skill(results, drawn)
    if skill.scores.empty:
        return [
            Block(
                "leaderboard",
                TITLE,
                paragraphs=("No count could be scored.",),
                folded=folded,
            )
        ]
    boards = [_board(skill, level, rows=rows) for level, rows in skill.levels[::-1]]
    first = Block(
        "leaderboard",
        "Leaderboard of models",
        paragraphs=(skill.about(),),
        figures=(),
        tables=boards,
        folded=folded,
        words="board",
    )
    near = [
        (level, summarise(part, by=["horizon_group"])) for level, part in skill.levels
    ]
    parts: list[tuple[str, str, list[Figure], Sequence[SortTable | None]]] = [
        (
            "skill-horizon",
            "Skill by months ahead",
            _drawn(skill, "skill"),
            _ratio_tables(skill, "horizon_group"),
        ),
        (
            "skill-regime",
            "Skill in the rise and in the fall",
            [],
            _ratio_tables(skill, "regime"),
        ),
        (
            "nowcasts",
            "Skill of nowcasts and of the chances of a change",
            [],
            [_nowcasts(skill), *(_trends(skill, *part) for part in near)],
        ),
        (
            "coverage-of",
            "How often intervals contained the final count",
            _drawn(skill, "coverage"),
            [_coverage(skill, *part) for part in near],
        ),
        (
            "pit-of",
            "Where final counts fell within the forecasts",
            _drawn(skill, "pit"),
            [_pits(skill, *part) for part in skill.levels],
        ),
    ]
    return [first] + [
        Block(
            key,
            title,
            paragraphs=(),
            figures=drawn,
            tables=[t for t in tables if t is not None],
            folded=folded,
        )
        for key, title, drawn, tables in parts
    ]


def _drawn(skill: Skill, kind: str) -> list[Figure]:
    """A figure of the scores; none where there is nothing to draw."""
    options: dict[str, Any] = {"vintage": skill.kind}
    if not skill.drawn or (kind == "skill" and skill.baseline is None):
        return []
    if kind != "skill":
        options["model"] = skill.model
    try:
        return [
            figure_of(
                f"{kind}-figure",
                lambda axes: getattr(plot, kind)(skill.results, axes=axes, **options),
                sizes=[(760.0, 360.0), PHONE],
                source=skill.about(),
            )
        ]
    except OdforecastError:
        return []


def _table(
    key: str,
    caption: str,
    records: Sequence[Row],
    *columns: Column,
    sorted_by: int = -1,
    words: str = "",
) -> SortTable:
    """A table of models; the others columns are given."""
    every = [Column("Model", "", show=text("model"), numbers=False), *columns]
    return table_of(
        key, caption, records=records, columns=every, sorted_by=sorted_by, words=words
    )


def _shares(*columns: tuple[str, str, str]) -> list[Column]:
    """Columns of shares in whole percent: title, note and key."""
    return [
        Column(title, note, show=number(key, share)) for title, note, key in columns
    ]


def _board(skill: Skill, level: str, rows: pd.DataFrame) -> SortTable:
    """The leaderboard of a level, over all months ahead."""
    related = {
        base: relative_to_baseline(rows, base, level=0.9).set_index("model")
        for base in skill.bases
    }
    columns = [
        Column("WIS", "deaths, lower is better", show=number("wis", _deaths)),
        Column("Mean error", "deaths, percent", show=_error),
        *(
            Column(f"WIS / {base}", "90% interval", show=partial(_ratio, table))
            for base, table in related.items()
        ),
    ]
    base = skill.baseline
    if base and rows["log_wis"].notna().any():
        logs = relative_to_baseline(
            rows, base, metric="log_wis", bootstrap=0
        ).set_index("model")
        columns.append(
            Column(
                f"Log WIS / {base}", "places count alike", show=partial(_ratio, logs)
            )
        )
    records = summarise(rows).to_dict("records")
    if base and level == "jurisdictions":
        table = relative_to_baseline(rows, base, by=["location"], bootstrap=0)
        table = table[table["ratio"].notna() & (table["model"] != base)]
        better = (table["ratio"] < 1).groupby(table["model"]).mean()
        records = [{**r, "better": better.get(r["model"])} for r in records]
        columns += _shares(("Places better", f"than {base}", "better"))
    columns += _shares(
        ("90%", "interval coverage", "coverage_90"),
        ("50%", "interval coverage", "coverage_50"),
    )
    columns.append(Column("Counts", "scored", show=number("n_scorable")))
    caption = f"{skill.whose(level)}, 1 to {int(rows['horizon'].max())} months ahead."
    for table in list(related.values())[
        :1
    ]:  # one group of units: all models rest on the same
        caption += f" Intervals rest on {_rests(table.iloc[0])}."
    return _table(f"board-{level}", caption, records, *columns, sorted_by=1)


def _error(row: Row) -> Cell:
    """How far medians were off on average: in deaths, and below in percent of the final count."""
    cell = number("mae", _deaths)(row)
    return replace(cell, small=f"{row['mape']:.1f}%") if known(row, "mape") else cell


def _rests(row: pd.Series[Any]) -> str:
    """How many groups an interval rests on."""
    donors = f" × {int(row['n_donors'])} releases" if row["n_donors"] else ""
    return f"{int(row['n_origins'])} months in {int(row['n_blocks'])} blocks{donors}"


def _ratio_tables(skill: Skill, key: str) -> list[SortTable]:
    """The ratio to the baseline with its interval, by ``"horizon_group"`` or ``"regime"``."""
    if skill.baseline is None or skill.ahead["wis"].isna().all():
        return []
    groups, how = {
        "horizon_group": (HORIZON_GROUPS, "by months ahead"),
        "regime": (REGIMES, "by the time that was forecast"),
    }[key]
    table = relative_to_baseline(
        skill.ahead, skill.baseline, by=["level", key], level=0.9
    )
    parts = {
        (level, str(group)): part.set_index("model")
        for (level, group), part in table.groupby(["level", key], observed=True)
    }
    out = []
    for level, _ in skill.levels[::-1]:
        held = {g: parts[level, g] for g in groups if (level, g) in parts}
        columns = [
            Column(_group_name(g), _rests(part.iloc[0]), show=partial(_ratio, part))
            for g, part in held.items()
        ]
        caption = (
            f"Share of the WIS of {skill.baseline} {how}, {skill.where(level)}; below 1 is "
            "better, 90% intervals."
        )
        records = [{"model": m} for m in skill.models]
        if columns:
            out.append(
                _table(f"{key.split('_')[0]}-{level}", caption, records, *columns)
            )
    return out


def _group_name(group: str) -> str:
    return _REGIME_NAMES.get(group, f"{group.replace('-', '–')} months ahead")


def _ratio(table: pd.DataFrame, row: Row) -> Cell:
    """A model's ratio with its interval, where there is one."""
    r: Any = table.loc[row["model"]] if row["model"] in table.index else {}
    if not known(r, "ratio"):
        return Cell(NONE)
    shown = known(r, "lower", "upper") and r["lower"] != r["upper"]
    ends = f"{r['lower']:.2f} to {r['upper']:.2f}" if shown else ""
    return Cell(f"{r['ratio']:.2f}", float(r["ratio"]), small=ends)


def _trends(skill: Skill, level: str, near: pd.DataFrame) -> SortTable | None:
    """How good the chances of the five kinds of change were, by months ahead."""
    if "rel_rps" not in near:
        return None
    ratios = (
        near.dropna(subset="rel_rps")
        .astype({"horizon_group": str})
        .pivot(
            index="model",
            columns="horizon_group",
            values="rel_rps",
        )
    )
    records = [{"model": m, **ratios.loc[m]} for m in skill.models if m in ratios.index]
    columns = [
        Column(_group_name(g), "", show=number(g, _TWO))
        for g in HORIZON_GROUPS
        if g in ratios
    ]
    if not columns:
        return None
    return _table(
        f"trend-skill-{level}", skill.whose(level), records, *columns, words="trend"
    )


def _coverage(skill: Skill, level: str, near: pd.DataFrame) -> SortTable | None:
    """Shares of counts inside the intervals, by model and months ahead."""
    if near["coverage_90"].isna().all():
        return None
    levels = [f"{round(100 * c)}" for c in COVERAGE_LEVELS]
    return _table(
        f"coverage-{level}",
        skill.whose(level),
        _of_models(near, skill.models),
        Column(
            "Months ahead",
            "",
            show=text("horizon_group", lambda g: str(g).replace("-", "–")),
            numbers=False,
        ),
        *_shares(*((f"{c}% interval", "", f"coverage_{c}") for c in levels)),
        Column("Counts", "", show=number("n_scorable")),
        words="coverage",
    )


def _pits(skill: Skill, level: str, rows: pd.DataFrame) -> SortTable | None:
    """The numbers of the histograms."""
    records: list[dict[Any, Any]] = []
    for model in skill.models:
        counts = pit_histogram(rows.loc[rows["model"] == model, "pit"].to_numpy())[
            "n"
        ].to_numpy()
        if total := counts.sum():
            parts = enumerate(counts / total)
            records.append({"model": model, **{f"part{i}": x for i, x in parts}})
    if not records:
        return None
    tenths = ((f"{i / 10:.1f}–{(i + 1) / 10:.1f}", "", f"part{i}") for i in range(10))
    return _table(
        f"pit-table-{level}",
        skill.whose(level),
        records,
        *_shares(*tenths),
        words="pit",
    )


def _nowcasts(skill: Skill) -> SortTable | None:
    """Counts that were published when the forecast was made, and completed."""
    rows = skill.scores[skill.scores["horizon"] <= 0]
    board = summarise(rows, by=["level"]) if len(rows) else rows
    if "rel_wis_reported" not in board or board["rel_wis_reported"].isna().all():
        return None
    records = [r for r in board.to_dict("records") if known(r, "wis")]
    return _table(
        "nowcast-skill",
        "The twelve counts last published, and what they became.",
        records,
        Column("Where", "", show=text("level", skill.where), numbers=False),
        Column("WIS", "deaths", show=number("wis", _deaths)),
        Column(
            "Share of the revision",
            "below 1 is better than leaving the counts",
            show=number("rel_wis_reported", _TWO),
        ),
        *_shares(
            ("90% interval", "coverage", "coverage_90"),
            (
                "90% interval",
                "coverage of counts that were revised",
                "coverage_90_revised",
            ),
        ),
        Column("Counts", "", show=number("n_scorable")),
    )


_TWO = "{:.2f}".format


def _deaths(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _of_models(table: pd.DataFrame, models: Sequence[str]) -> list[dict[Any, Any]]:
    return [r for m in models for r in table[table["model"] == m].to_dict("records")]


# Counties: nothing of a single one, and no score first that only counts of 10 and more have,
# for that would reward whoever is too high


def county_skill_blocks(results: Results) -> list[Block]:
    """Leaderboards of counties by months ahead, coverage by size, and chances of 10 and more."""
    scores = results.scores
    kind = deciding_kind(scores["vintage"].astype(str))
    scores = scores[(scores["vintage"] == kind) & (scores["target"] == TARGET_12MO)]
    title = f"{TITLE}: {COUNTY_TITLE}"
    if not scores["bounded"].any():
        return [Block("leaderboard", title, paragraphs=("No count could be scored.",))]
    models = list(dict.fromkeys(scores["model"].astype(str)))
    places = scores["location"].nunique()
    about = (
        f"{number_of(len(models), 'model')}, forecasts of "
        f"{deaths_of(str(results.manifest.get('indicator', '')))} of residents in "
        f"{number_of(places, 'county', 'counties')}, from "
        f"{_span(scores['last_month'])}; {_against(results)}, which are provisional. One plateau "
        "says nothing of other times: standard errors are over counties, clustered by state."
    )
    return [
        Block(
            "leaderboard",
            title,
            paragraphs=(about,),
            figures=(),
            tables=_county_boards(scores),
            words="county-board",
            of={"baseline": COUNTY_BASELINE},
        ),
        Block(
            "coverage-of",
            "How often intervals contained the count",
            paragraphs=(),
            figures=(),
            tables=[_county_coverage(scores, models)],
        ),
        Block(
            "ten-of",
            "Chances of 10 and more",
            paragraphs=(),
            figures=(),
            tables=[_county_chances(scores, models)],
        ),
    ]


def _county_boards(scores: pd.DataFrame) -> list[SortTable]:
    board = county_leaderboard(scores)
    columns = [
        Column(
            "CRPS from 10 on", "deaths, lower is better", show=number("twcrps", _TWO)
        ),
        Column("CRPS / baseline", "± standard error", show=partial(_related, "twcrps")),
        Column("Bands / baseline", "", show=number("rel_rps", _TWO)),
        Column("WIS / baseline", "± standard error", show=partial(_related, "wis")),
        *_shares(("90%", "interval coverage", "coverage_90")),
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
        out.append(_table(f"board-{ahead}", caption, records, *columns, sorted_by=1))
    return out


def _related(name: str, row: Row) -> Cell:
    """A ratio ± its standard error."""
    cell = number(f"rel_{name}", _TWO)(row)
    error = float(row[f"se_{name}"])
    return Cell(f"{cell.text} ± {error:.3f}", cell.value) if error > 0.0 else cell


def _county_coverage(scores: pd.DataFrame, models: Sequence[str]) -> SortTable:
    return _table(
        "coverage",
        "All months ahead together",
        _of_models(county_coverage(scores, by="size"), models),
        Column(
            "Deaths",
            "in the last count known",
            show=text("size", lambda s: _SIZES[str(s)]),
            numbers=False,
        ),
        *_shares(
            ("90%", "interval coverage", "coverage_90"),
            ("50%", "interval coverage", "coverage_50"),
        ),
        Column("Counts known", "", show=number("n_exact")),
        *_shares(("Middle 90%", "of PIT, hidden counts too", "pit_90")),
        Column("Counts", "known or hidden", show=number("n_bounded")),
        words="county-coverage",
    )


def _county_chances(scores: pd.DataFrame, models: Sequence[str]) -> SortTable:
    return _table(
        "ten",
        "All months ahead together",
        _of_models(ten_or_more(scores, by=(), bins=5), models),
        Column(
            "Chance given",
            "",
            show=lambda r: Cell(f"{100 * r['left']:.0f}–{100 * r['right']:.0f}%"),
            numbers=False,
        ),
        *_shares(
            ("Mean chance", "", "given"), ("Outcome", "share with 10 and more", "came")
        ),
        Column("Counts", "", show=number("n")),
        words="ten",
    )
