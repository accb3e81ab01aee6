"""Chances of the trend in hub files, scored by the very rule of forecasts in hand.

A file says how likely each of the five categories is, not what they are: the thresholds rest on
the count of a year before *as known at the origin* (:mod:`odforecast.forecast.trend`). They are
read off the release that was known on the origin's day; where there is none, off the truth's own
release, cut where the file's panel ended.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ArchiveError, ScoringError
from odforecast.forecast.trend import CATEGORIES, LONGEST, category, thresholds
from odforecast.geography.places import lookup
from odforecast.months import ONE_MONTH
from odforecast.names import SCENARIO_ID, TARGET_12MO, TARGET_TREND
from odforecast.panel import Panel
from odforecast.say import quoted
from odforecast.scoring.columns import METRIC_COLUMNS, regimes
from odforecast.scoring.rules import Floats, ranked_probability_score
from odforecast.scoring.trend import pooled_frequencies
from odforecast.scoring.truth import Truth

#: What the release known on a day was; raises ArchiveError or gives None where there was none.
type Known = Callable[[dt.date], Panel | None]

_KEYS: Final = ["location", "target_end_date", "horizon"]


def known_panel(
    known: Known, truth: Truth, day: dt.date, last: np.datetime64
) -> tuple[Panel | None, str]:
    """The panel that an origin's thresholds rest on, and which it is.

    Parameters
    ----------
    known : callable
    truth : Truth
    day : date
        The origin.
    last : datetime64[M]
        Last month of the forecast's panel.

    Returns
    -------
    tuple of Panel or None and str
        None where the truth begins later than the forecast's panel ended: all that it says came
        after the origin.
    """
    try:
        panel = known(day)
    except ArchiveError:
        panel = None
    if panel is not None:
        return panel, str(panel.release)
    # Thresholds of months that are in the truth rest on counts a year older, which are settled.
    last = min(last, truth.panel.settled_through)
    if last < truth.panel.months[0]:
        return None, f"{truth.release}, which begins later"
    return truth.panel.cut(last), f"{truth.release}, cut after {last}"


def score_trend(table: pd.DataFrame, truth: Truth, known: Known) -> pd.DataFrame:
    """Scores of the trend in a hub table.

    Parameters
    ----------
    table : DataFrame
        As :func:`odforecast.hub.read_hub` gives it; only its ``pmf`` rows are taken.
    truth : Truth
        Must hold both counts: that of the month and that of 12 months before.
    known : callable
        The panel of the release known on a day.

    Returns
    -------
    DataFrame
        A row per unit, as :func:`odforecast.scoring.score_hub` gives it, with target
        ``trend_12mo``, ``rps`` (its mean over the 4 steps, as :func:`odforecast.score` has it),
        ``rps_pooled``, ``category`` (what came) and ``known_release`` (what the thresholds and
        the pooled frequencies rest on). All other scores are NaN. Chances are rounded in
        files; they are divided by their sum. As there, months that were published at the origin
        or lie more than 12 months ahead have no score; they have a reason.

    Raises
    ------
    ScoringError
        If it has no such rows.
    """
    table = table[table["output_type"] == "pmf"]
    if table.empty:
        raise ScoringError("the table holds no chances of the trend", hint="output type pmf")
    named = SCENARIO_ID in table
    parts = []
    for (origin, *scenario), rows in table.groupby(
        ["origin_date", *([SCENARIO_ID] if named else [])], sort=True
    ):
        part = _origin(rows, pd.Timestamp(str(origin)), truth, known)
        if named:
            part.insert(2, SCENARIO_ID, str(scenario[0]))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _origin(rows: pd.DataFrame, day: pd.Timestamp, truth: Truth, known: Known) -> pd.DataFrame:
    wide = rows.pivot(index=_KEYS, columns="output_type_id", values="value").sort_index()
    given = wide.reindex(columns=list(CATEGORIES)).to_numpy(dtype=float)
    total = given.sum(axis=1)
    chances = given / np.where(total > 0, total, np.nan)[:, None]
    codes, ends, horizons = (wide.index.get_level_values(i) for i in range(3))
    states = np.array([lookup(code).state for code in codes], dtype=object)
    months = ends.to_numpy().astype("datetime64[M]")
    ahead = horizons.to_numpy().astype(np.int64)
    last = months - ahead.astype("timedelta64[M]")
    panel, release = known_panel(known, truth, day.date(), last.min())
    year_before = (months - 12 * ONE_MONTH).astype("datetime64[M]")
    before = np.full(len(states), np.nan) if panel is None else _at(panel, states, year_before)
    first = thresholds(before)[0]
    later, why = _observed(truth, states, months)
    earlier, why_earlier = _observed(truth, states, year_before)
    came = category(later - earlier, earlier, first)
    reasons = _unfit(given, ahead)
    reasons = np.where(reasons == "", why, reasons)
    reasons = np.where(
        (reasons == "") & (why_earlier != ""),
        np.array([f"{w} (12 months before)" for w in why_earlier], dtype=object),
        reasons,
    )
    reasons = np.where(
        (reasons == "") & (came < 0),
        f"the count of 12 months before was not known at the origin (release {release})",
        reasons,
    )
    often = np.full(len(CATEGORIES), np.nan) if panel is None else pooled_frequencies(panel)
    pooled = np.broadcast_to(often, chances.shape)
    scorable = reasons == ""
    columns: dict[str, object] = {
        "as_of": day,
        "last_month": last.astype("datetime64[s]"),
        "location": states,
        "target": TARGET_TREND,
        "horizon": ahead,
        "month": months.astype("datetime64[s]"),
        "horizon_from_origin": (months - np.datetime64(day, "M")).astype(np.int64),
        "regime": regimes(months),
        "observed": np.where(scorable, later, np.nan),
        "scorable": scorable,
        "reason": reasons.astype(object),
        "n_draws": 0,
        "median": np.nan,
    }
    columns |= dict.fromkeys(METRIC_COLUMNS, np.nan)
    columns |= {
        "rps": np.where(scorable, ranked_probability_score(chances, came), np.nan),
        "rps_pooled": np.where(scorable, ranked_probability_score(pooled, came), np.nan),
        "category": np.where(scorable, np.array([*CATEGORIES, ""], dtype=object)[came], ""),
        "known_release": release,
    }
    return pd.DataFrame(columns)


def _unfit(chances: Floats, ahead: NDArray[np.int64]) -> NDArray[np.object_]:
    """Why units cannot be scored whatever comes; empty where they can."""
    reasons = np.full(len(chances), "", dtype=object)
    reasons[chances.sum(axis=1) == 0] = "its chances add up to 0"
    for i in np.flatnonzero(np.isnan(chances).any(axis=1)):
        lacking = CATEGORIES[int(np.argmax(np.isnan(chances[i])))]
        reasons[i] = f"it lacks category {quoted(lacking)}"
    reasons[ahead < 1] = "published at the origin, so no forecast"
    reasons[ahead > LONGEST] = f"more than {LONGEST} months ahead"
    return reasons


def _at(panel: Panel, states: NDArray[np.object_], months: NDArray[np.datetime64]) -> Floats:
    """Reported counts of single (location, month) units; NaN where there is none."""
    row = {s: i for i, s in enumerate(panel.locations)}
    column = (months - panel.months[0]).astype(int)
    good = (column >= 0) & (column < panel.months.size) & np.array([s in row for s in states])
    out = np.full(len(states), np.nan)
    out[good] = panel.reported[[row[s] for s in states[good]], column[good]]
    return out


def _observed(
    truth: Truth, states: NDArray[np.object_], months: NDArray[np.datetime64]
) -> tuple[Floats, NDArray[np.object_]]:
    """Truth of single (location, month) units."""
    places, row = np.unique(states.astype(str), return_inverse=True)
    grid, column = np.unique(months, return_inverse=True)
    values, reasons = truth.observed([str(s) for s in places], grid, TARGET_12MO)
    return values[row, column], reasons[row, column]
