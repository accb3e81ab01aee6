"""Past forecasts of a backtest, place by place: what was known, what was said, what came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from odforecast.backtesting import Results
from odforecast.forecast.record import Scored
from odforecast.months import Months
from odforecast.names import TARGET_12MO, VINTAGE_DELAYED, VINTAGE_REAL
from odforecast.panel import Floats

#: Whose pictures are drawn, the first of them that a backtest holds.
_KINDS = (VINTAGE_REAL, VINTAGE_DELAYED)
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
        90 % interval and middle value, deaths in 12 months.
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
    held : tuple of int
        How many of the last months that are known by now lie inside their interval, and of how
        many.
    note : str
        Where the counts known then come from.
    """

    model: str
    arrows: Sequence[Arrow]
    horizon: int
    held: tuple[int, int]
    note: str


@dataclass(frozen=True)
class Scores:
    """Some of the scores of a backtest."""

    scores: pd.DataFrame


def by_place(record: Scored | None) -> Callable[[str], Scored | None]:
    """Scores of one place at a time, so that fifty pages do not search all of them fifty times.

    Of a place without scores the whole record is given: who asks finds that there are none.
    """
    if record is None:
        return lambda _: None
    parts = {str(s): Scores(rows) for s, rows in record.scores.groupby("location", observed=True)}
    return lambda location: parts.get(location, record)


def past_forecasts(
    results: Results, model: str, through: np.datetime64
) -> Mapping[str, PastForecasts]:
    """Past forecasts of a model by location code; empty where the backtest kept none.

    Of a month whose delay was taken from several releases, the first one's forecast is shown.

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
    kinds = set(mine["vintage"])
    kind = next((k for k in _KINDS if k in kinds), next(iter(sorted(kinds)), ""))
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
        str(place): _of_place(rows, model, note, through)
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
    wide = rows.pivot_table(
        index=["location", "last_month", "as_of", "month"], columns="level", values="value"
    )
    if set(_SIDES) - set(wide.columns):
        return pd.DataFrame()
    return wide[list(_SIDES)].set_axis(["q_low", "q_median", "q_high"], axis=1).reset_index()


def _of_place(rows: pd.DataFrame, model: str, note: str, through: np.datetime64) -> PastForecasts:
    arrows, inside, known = [], 0, 0
    for _, part in rows.groupby("last_month", sort=True):
        last = part.iloc[-1]
        if not np.isfinite([last["q_low"], last["q_median"], last["q_high"]]).all():
            continue  # a count that it needs was hidden
        if np.isfinite(last["observed"]) and np.datetime64(last["month"], "M") <= through:
            known += 1
            inside += int(last["q_low"] <= last["observed"] <= last["q_high"])
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
    return PastForecasts(model, arrows, int(rows["horizon"].max()), (inside, known), note)


def _note(kind: str, every: int) -> str:
    seen = {
        VINTAGE_REAL: "What was known is the release of the day.",
        VINTAGE_DELAYED: "What was known is made from a later release: cut at the month, and as "
        "incomplete as a real release was.",
    }.get(kind, "What was known is a later release cut at the month, its counts final.")
    return f"{seen} One in {every} of them is drawn." if every > 1 else seen
