"""Scores of this package's own tables in files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ArchiveError, ScoringError
from odforecast.forecasts.trend import CATEGORIES, LONGEST, category, thresholds
from odforecast.geography.places import lookup
from odforecast.hub.scores import Texts, quantiles
from odforecast.months import ONE_MONTH, Months
from odforecast.names import COVERAGE_LEVELS, SCENARIO_ID, TARGET_12MO, TARGET_TREND
from odforecast.panel import Panel
from odforecast.say import quoted
from odforecast.scoring.columns import METRIC_COLUMNS, regimes
from odforecast.scoring.rules import (
    Floats,
    absolute_percentage_error,
    ranked_probability_score,
    weighted_interval_score,
)
from odforecast.scoring.trend import pooled_frequencies
from odforecast.scoring.truth import Truth
from odforecast.scoring.units import observed_units, revised

#: What the release known on a day was; raises ArchiveError or gives None where there was none.
type Known = Callable[[dt.date], Panel | None]

_NAMES: Final = {
    "wis": "wis",
    "wis_spread": "dispersion",
    "wis_over": "overprediction",
    "wis_under": "underprediction",
    "bias": "bias",
    "ae": "ae_median",
} | {f"cover_{round(100 * x)}": f"interval_coverage_{round(100 * x)}" for x in COVERAGE_LEVELS}


def score_levels(table: pd.DataFrame, levels: Mapping[float, str], truth: Truth) -> pd.DataFrame:
    """Scores of a table of quantiles, one row per unit."""
    units = table[["last_month", "location", "target", "horizon", "month"]].copy()
    units.insert(0, "as_of", table["as_of"] if "as_of" in table else np.datetime64("NaT", "s"))
    states, targets = (units[x].astype(str).to_numpy(dtype=object) for x in ("location", "target"))
    months = units["month"].to_numpy().astype("datetime64[M]")
    y = np.full(len(table), np.nan)
    reasons = np.full(len(table), "", dtype=object)
    for target in np.unique(targets):
        at = np.flatnonzero(targets == target)
        y[at], reasons[at] = observed_units(
            truth.observed,
            states[at],
            months=months[at],
            target=str(target),
        )
    q: Floats = table[list(levels.values())].to_numpy(dtype=float)
    for bad, why in (
        (np.isnan(q), "the table holds no number there"),
        (q < 0, "deaths cannot be negative"),
    ):
        reasons[bad.any(axis=1) & (reasons == "")] = why
    tau = list(levels)
    scores = {}
    good = np.flatnonzero(reasons == "")
    if good.size:
        found, reasons[good] = quantiles(q[good], tau, observed=y[good])
        scores = {x: (good, found[y]) for x, y in _NAMES.items() if y in found}
        good = np.flatnonzero(reasons == "")
    if good.size:
        logs = weighted_interval_score(np.log1p(q[good].T), tau, observed=np.log1p(y[good]))
        apes = absolute_percentage_error(q[good, len(tau) // 2], y[good])
        scores |= {"log_wis": (good, logs.total), "ape": (good, apes)}
    median = np.flatnonzero(np.isclose(tau, 0.5, rtol=0, atol=1e-9))
    out = _frame(units, y, reasons=reasons).assign(
        median=q[:, median[0]] if median.size else np.nan
    )
    for name, (where, values) in scores.items():
        out.loc[where, name] = values
    if "reported" in table:
        was = np.where(targets == TARGET_12MO, table["reported"].to_numpy(dtype=float), np.nan)
        out = out.assign(reported=was, revised=revised(out["observed"].to_numpy(), was))
    return out


def score_trend(table: pd.DataFrame, truth: Truth, known: Known) -> pd.DataFrame:
    """Scores of the trend in a hub table, by the very rule of forecasts in hand."""
    table = table[table["output_type"] == "pmf"]
    if table.empty:
        raise ScoringError("the table holds no chances of the trend", hint="output type pmf")
    named = [SCENARIO_ID] if SCENARIO_ID in table else []
    parts = []
    for (origin, *scenario), rows in table.groupby(["origin_date", *named], sort=True):
        part = _of_origin(rows, pd.Timestamp(str(origin)), truth=truth, known=known)
        for name in scenario:
            part.insert(2, SCENARIO_ID, str(name))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _of_origin(rows: pd.DataFrame, day: pd.Timestamp, truth: Truth, known: Known) -> pd.DataFrame:
    """Scores of the trend of one origin."""
    keys = ["location", "target_end_date", "horizon"]
    wide = rows.pivot(
        index=keys,
        columns="output_type_id",
        values="value",
    ).sort_index()
    given = wide.reindex(columns=list(CATEGORIES)).to_numpy(dtype=float)
    total = given.sum(axis=1)
    chances = given / np.where(total > 0, total, np.nan)[:, None]
    codes, ends, horizons = (wide.index.get_level_values(i) for i in range(3))
    states = np.array([lookup(code).state for code in codes], dtype=object)
    months = ends.to_numpy().astype("datetime64[M]")
    ahead = horizons.to_numpy().astype(np.int64)
    last = months - ahead.astype("timedelta64[M]")
    panel, release = known_panel(known, truth, day=day.date(), last=last.min())
    year_before = (months - 12 * ONE_MONTH).astype("datetime64[M]")
    before = (
        np.full(len(states), np.nan) if panel is None else _at(panel, states, months=year_before)
    )
    later, why = observed_units(truth.observed, states, months=months)
    earlier, why_earlier = observed_units(truth.observed, states, months=year_before)
    came = category(later - earlier, earlier, first=thresholds(before)[0])
    reasons = _unfit(given, ahead)
    unknown = f"the count of 12 months before was not known at the origin (release {release})"
    for more in (
        why,
        np.array([w and f"{w} (12 months before)" for w in why_earlier], dtype=object),
        np.where(came < 0, unknown, ""),
    ):
        reasons = np.where(reasons == "", more, reasons).astype(object)
    often = np.full(len(CATEGORIES), np.nan) if panel is None else pooled_frequencies(panel)
    pooled = np.broadcast_to(often, chances.shape)
    scorable = reasons == ""
    units = {
        "as_of": day,
        "last_month": last,
        "location": states,
        "target": TARGET_TREND,
        "horizon": ahead,
        "month": months,
    }
    out = _frame(pd.DataFrame(units), later, reasons=reasons)
    scores = {
        name: np.where(scorable, ranked_probability_score(x, came), np.nan)
        for name, x in (("rps", chances), ("rps_pooled", pooled))
    }
    names = np.where(scorable, np.array([*CATEGORIES, ""], dtype=object)[came], "")
    out = out.assign(**scores, category=names, known_release=release)
    return out.astype({"horizon_from_origin": np.int64})


def _unfit(chances: Floats, ahead: NDArray[np.int64]) -> Texts:
    """Why units cannot be scored whatever comes; empty where they can."""
    reasons = np.full(len(chances), "", dtype=object)
    reasons[chances.sum(axis=1) == 0] = "its chances add up to 0"
    for i in np.flatnonzero(np.isnan(chances).any(axis=1)):
        lacking = CATEGORIES[int(np.argmax(np.isnan(chances[i])))]
        reasons[i] = f"it lacks category {quoted(lacking)}"
    reasons[ahead < 1] = "published at the origin, so no forecast"
    reasons[ahead > LONGEST] = f"more than {LONGEST} months ahead"
    return reasons


def known_panel(
    known: Known,
    truth: Truth,
    day: dt.date,
    last: np.datetime64,
) -> tuple[Panel | None, str]:
    """The panel that an origin's thresholds rest on, and which it is."""
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


def _at(panel: Panel, states: Texts, months: Months) -> Floats:
    """Reported counts of single (location, month) units; NaN where there is none."""
    row = {s: i for i, s in enumerate(panel.locations)}
    column = (months - panel.months[0]).astype(int)
    good = (column >= 0) & (column < panel.months.size) & np.array([s in row for s in states])
    out = np.full(len(states), np.nan)
    out[good] = panel.reported[[row[s] for s in states[good]], column[good]]
    return out


def _frame(units: pd.DataFrame, observed: Floats, reasons: Texts) -> pd.DataFrame:
    """The columns that all tables of scores have, from those that say what is forecast."""
    months = units["month"].to_numpy().astype("datetime64[M]")
    start = units["as_of"].to_numpy().astype("datetime64[M]")
    ahead = np.where(np.isnat(start), np.nan, (months - start).astype(float))
    days = dict.fromkeys(("as_of", "last_month", "month"), "datetime64[s]")
    scorable = reasons == ""
    return (
        units.reset_index(drop=True)
        .astype(days | {"horizon": np.int64})
        .assign(
            horizon_from_origin=ahead,
            regime=regimes(months),
            observed=np.where(scorable, observed, np.nan),
            scorable=scorable,
            reason=reasons,
            n_draws=0,
            median=np.nan,
            **dict.fromkeys(METRIC_COLUMNS, np.nan),
        )
    )
