"""How good forecasts of counties were, from a backtest: over all counties, by size, by chance.

Nothing stands here of a single county, and no score that only counts of 10 and more have comes
first: that would reward whoever is too high.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from odforecast.backtesting import Results
from odforecast.names import TARGET_12MO, deciding_kind
from odforecast.report.site.blocks import Block
from odforecast.report.site.parts import Cell, Column, SortTable
from odforecast.report.site.skill import share_of, two_digits
from odforecast.say import deaths_of, number_of
from odforecast.scoring.summary import (
    COUNTY_BASELINE,
    COUNTY_TITLE,
    county_coverage,
    county_leaderboard,
    ten_or_more,
)

Row = Mapping[Hashable, Any]
#: What the columns mean.
WORDS = (
    "CRPS from 10 on: the continuous ranked probability score of the count and the draws, each "
    "taken as 9 where it is less, over all counties: a hidden count is 9 or less, and no county is "
    "left out because it fell below 10. Bands: ranked probability score of no death, 1 to 9, 10 "
    f"and more. Both as a share of those of {COUNTY_BASELINE} on the same counts, ± a standard "
    "error over states; below 1 is better. WIS and intervals held: counties with 10 and more when "
    "the forecast was made whose count is known; the others are left out, so these come second."
)
_SIZES = {
    "hidden": "1 to 9", "0": "none", "10-19": "10 to 19", "20-49": "20 to 49",
    "50-199": "50 to 199", "200+": "200 and more", "": "not known",
}  # fmt: skip


def county_skill_blocks(results: Results) -> list[Block]:
    """Leaderboards by months ahead, coverage by size, and chances of 10 and more.

    Parameters
    ----------
    results : Results
        Of a backtest of counties.
    """
    scores = results.scores
    kind = deciding_kind(scores["vintage"].astype(str))
    scores = scores[(scores["vintage"] == kind) & (scores["target"] == TARGET_12MO)]
    title = f"How good the forecasts were: {COUNTY_TITLE}"
    if not scores["bounded"].any():
        return [Block("leaderboard", title, ("No count could be scored.",))]
    models = list(dict.fromkeys(scores["model"].astype(str)))
    return [
        Block("leaderboard", title, (_about(results, scores), WORDS), (), _boards(scores)),
        Block("coverage-of", "How often the intervals held", (), (), [_coverage(scores, models)]),
        Block("ten-of", "Chances of 10 and more", (), (), [_chances(scores, models)]),
    ]


def _about(results: Results, scores: pd.DataFrame) -> str:
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


def _boards(scores: pd.DataFrame) -> list[SortTable]:
    board = county_leaderboard(scores)
    board = board[board["n_units"] > 0]
    columns = [
        Column("Model", numbers=False),
        Column("CRPS from 10 on", "deaths, lower is better"),
        Column("CRPS / baseline", "± standard error"),
        Column("Bands / baseline"),
        Column("WIS / baseline", "± standard error"),
        Column("90%", "interval held"),
    ]
    out = []
    for ahead, part in board.groupby("horizon", sort=True):
        first = part.iloc[0]
        caption = (
            f"{number_of(int(str(ahead)), 'month')} ahead: {part['n_units'].max():,} counts of "
            f"{number_of(int(first['n_counties']), 'county', 'counties')} in "
            f"{number_of(int(first['n_states']), 'state')}, of which {part['n_wis'].max():,} are "
            "known and of counties with 10 and more at the origin."
        )
        cells = [
            [
                Cell(str(r["model"])),
                Cell(two_digits(r["twcrps"]), float(r["twcrps"])),
                _related(r, "twcrps"),
                Cell(two_digits(r["rel_rps"]), float(r["rel_rps"])),
                _related(r, "wis"),
                Cell(share_of(r["coverage_90"]), float(r["coverage_90"])),
            ]
            for r in part.to_dict("records")
        ]
        out.append(SortTable(f"board-{ahead}", caption, columns, cells, (), 1))
    return out


def _related(row: Row, name: str) -> Cell:
    ratio, error = float(row[f"rel_{name}"]), float(row[f"se_{name}"])
    text = two_digits(ratio)
    return Cell(f"{text} ± {error:.3f}" if error > 0.0 else text, ratio)


def _coverage(scores: pd.DataFrame, models: Sequence[str]) -> SortTable:
    table = county_coverage(scores, by="size")
    columns = [
        Column("Model", numbers=False),
        Column("Deaths", "in the last count known", numbers=False),
        Column("90%", "interval held"),
        Column("50%", "interval held"),
        Column("Counts known"),
        Column("Middle 90%", "of PIT, hidden counts too"),
        Column("Counts", "known or hidden"),
    ]

    def cells(r: Row) -> list[Cell]:
        return [
            Cell(_SIZES[str(r["size"])]),
            Cell(share_of(r["coverage_90"]), float(r["coverage_90"])),
            Cell(share_of(r["coverage_50"]), float(r["coverage_50"])),
            Cell(f"{int(r['n_exact']):,}", float(r["n_exact"])),
            Cell(share_of(r["pit_90"]), float(r["pit_90"])),
            Cell(f"{int(r['n_bounded']):,}", float(r["n_bounded"])),
        ]

    caption = (
        "All months ahead together: share of the known counts inside the interval; and, right "
        "whatever is hidden, the share of all counts in the middle 90% of the forecast."
    )
    return SortTable("coverage", caption, columns, _of_models(table, models, cells), (), -1)


def _chances(scores: pd.DataFrame, models: Sequence[str]) -> SortTable:
    table = ten_or_more(scores, by=(), bins=5)
    columns = [
        Column("Model", numbers=False),
        Column("Chance given", numbers=False),
        Column("Mean chance"),
        Column("Came", "share with 10 and more"),
        Column("Counts"),
    ]

    def cells(r: Row) -> list[Cell]:
        return [
            Cell(f"{100 * r['left']:.0f}–{100 * r['right']:.0f}%"),
            Cell(share_of(r["given"]), float(r["given"])),
            Cell(share_of(r["came"]), float(r["came"])),
            Cell(f"{int(r['n']):,}", float(r["n"])),
        ]

    caption = (
        "All months ahead together: of counties that were given such a chance of 10 deaths and "
        "more, how many had them; as many as the mean chance is right."
    )
    return SortTable("ten", caption, columns, _of_models(table, models, cells), (), -1)


def _of_models(
    table: pd.DataFrame, models: Sequence[str], cells: Callable[[Row], list[Cell]]
) -> list[list[Cell]]:
    return [
        [Cell(model), *cells(r)]
        for model in models
        for r in table[table["model"] == model].to_dict("records")
    ]
