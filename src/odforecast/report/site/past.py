"""Past forecasts of a backtest, place by place: what was known, what was said, what came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from odforecast.backtesting import Results
from odforecast.forecast.record import Scored
from odforecast.months import ONE_MONTH, Months
from odforecast.names import TARGET_12MO, VINTAGE_DELAYED, VINTAGE_REAL, deciding_kind
from odforecast.panel import Floats, Panel
from odforecast.scoring.truth import MIN_AGE

_SIDES = (0.05, 0.5, 0.95)
#: Arrows of a picture: more of them hide one another.
MOST = 40


@dataclass(frozen=True)
class Arrow:
    """One past forecast of one place.

    Attributes
    ----------
    last_month : datetime64[M]
        The last month known when it was made.
    known : float
        The 12-month count of that month as it was known then.
    months : ndarray of datetime64[M], shape (H,)
    low, median, high : ndarray, shape (H,)
        90% interval and middle value, deaths in 12 months.
    """

    last_month: np.datetime64
    known: float
    months: Months
    low: Floats
    median: Floats
    high: Floats


@dataclass(frozen=True)
class PastForecasts:
    """Past forecasts of one model in one place.

    Attributes
    ----------
    model : str
    arrows : sequence of Arrow
        In order of time; at most :data:`MOST`.
    horizon : int
        Months ahead of the longest.
    note : str
        Where the counts known then come from.
    """

    model: str
    arrows: Sequence[Arrow]
    horizon: int
    note: str


@dataclass(frozen=True)
class Scores:
    """Some of the scores of a backtest, and what was run."""

    scores: pd.DataFrame
    manifest: Mapping[str, Any]


def by_place(record: Scored | None) -> Callable[[str], Scored | None]:
    """Scores of one place at a time, so that fifty pages do not search all of them fifty times.

    Of a place without scores none are given: what ships of the default model is then shown.
    """
    if record is None:
        return lambda _: None
    parts = {
        str(s): Scores(rows, record.manifest)
        for s, rows in record.scores.groupby("location", observed=True)
    }
    return parts.get


def past_forecasts(
    results: Results, model: str, through: np.datetime64
) -> Mapping[str, PastForecasts]:
    """Past forecasts of a model by location code; empty where the backtest kept none.

    Of several kinds of vintage, the one that a claim rests on; of a month whose delay was taken
    from several releases, the first one's forecast is shown.

    Parameters
    ----------
    results : Results
    model : str
        One of its labels.
    through : datetime64[M]
        Nothing later is used: a page of an earlier day must not know what came after it.
    """
    scores = results.scores
    mine = scores[(scores["model"] == model) & (scores["target"] == TARGET_12MO)]
    kind = deciding_kind(mine["vintage"].astype(str))
    mine = mine[(mine["vintage"] == kind) & (mine["horizon"] >= 1)]
    if mine.empty or "last_reported" not in mine:
        return {}
    origins = mine[["last_month", "as_of", "donor"]].drop_duplicates()
    origins = origins.sort_values(["last_month", "as_of", "donor"], kind="stable")
    origins = origins.drop_duplicates("last_month")
    origins = origins[origins["last_month"].to_numpy().astype("datetime64[M]") <= through]
    if origins.empty:
        return {}
    every = -(-len(origins) // MOST)
    origins = origins.iloc[::-1].iloc[::every].iloc[::-1]
    wide = _quantiles(results, model, origins)
    if wide.empty:
        return {}
    mine = mine.merge(origins, on=["last_month", "as_of", "donor"])
    keys = ["location", "last_month", "as_of", "month"]
    joined = mine.merge(wide, on=keys, how="inner").sort_values(keys, kind="stable")
    note = _note(kind, every)
    return {
        str(place): _of_place(rows, model, note)
        for place, rows in joined.groupby("location", sort=False)
    }


def _quantiles(results: Results, model: str, origins: pd.DataFrame) -> pd.DataFrame:
    """Interval and middle value, a row per place, origin and month."""
    table = results.quantiles
    if table.empty:
        return table
    rows = table[
        (table["model"] == model)
        & (table["target"] == TARGET_12MO)
        & (table["horizon"] >= 1)
        & table["level"].isin(_SIDES)
        & table["as_of"].isin(origins["as_of"])
    ]
    if "donor" in rows:
        kept = origins[["last_month", "as_of", "donor"]]
        rows = rows.assign(donor=rows["donor"].astype(object)).merge(kept)
    rows = rows.assign(location=rows["location"].astype(object))
    keys = ["location", "last_month", "as_of", "month"]
    # Kinds of vintage are not told apart here: two that agree in all of these have no interval.
    rows = rows[~rows.duplicated([*keys, "level"], keep=False)]
    wide = rows.pivot_table(index=keys, columns="level", values="value")
    if set(_SIDES) - set(wide.columns):
        return pd.DataFrame()
    return wide[list(_SIDES)].set_axis(["q_low", "q_median", "q_high"], axis=1).reset_index()


def _of_place(rows: pd.DataFrame, model: str, note: str) -> PastForecasts:
    arrows = []
    for _, part in rows.groupby("last_month", sort=True):
        last = part.iloc[-1]
        if not np.isfinite([last["q_low"], last["q_median"], last["q_high"]]).all():
            continue  # a count that it needs was hidden
        arrows.append(
            Arrow(
                last_month=np.datetime64(last["last_month"], "M"),
                known=float(last["last_reported"]),
                months=part["month"].to_numpy().astype("datetime64[M]"),
                low=part["q_low"].to_numpy(float),
                median=part["q_median"].to_numpy(float),
                high=part["q_high"].to_numpy(float),
            )
        )
    return PastForecasts(model, arrows, int(rows["horizon"].max()), note)


def ends_held(made: PastForecasts, location: str, now: Panel) -> tuple[int, int]:
    """How many ends of arrows held the count of a release, and of how many whose count is settled.

    The release is the one that the picture draws: what is said and what is seen are the same.

    Parameters
    ----------
    made : PastForecasts
        Of this place.
    location : str
    now : Panel
        Counts as they are known now. One is settled a year after its month.
    """
    if location not in now.locations:
        return 0, 0
    counts = now.reported[now.index(location)]
    settled = np.datetime64(now.release, "M") - MIN_AGE * ONE_MONTH
    inside = known = 0
    for arrow in made.arrows:
        column = int((arrow.months[-1] - now.months[0]).astype(int))
        if arrow.months[-1] > settled or not 0 <= column < counts.size:
            continue
        if np.isfinite(counts[column]):
            known += 1
            inside += int(arrow.low[-1] <= counts[column] <= arrow.high[-1])
    return inside, known


def _note(kind: str, every: int) -> str:
    seen = {
        VINTAGE_REAL: "What was known is the release of the day.",
        VINTAGE_DELAYED: "What was known is made from a later release: cut at the month, and as "
        "incomplete as a real release was.",
    }.get(kind, "What was known is a later release cut at the month, its counts final.")
    return f"{seen} One in {every} of them is drawn." if every > 1 else seen
