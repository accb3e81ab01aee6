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
type PanelOfDay = Callable[[dt.date], Panel | None]

_PERCENTS: Final = [round(100 * share) for share in COVERAGE_LEVELS]
#: Columns of the score table, and their names in hubs.
_NAMES: Final = {
    "wis": "wis",
    "wis_spread": "dispersion",
    "wis_over": "overprediction",
    "wis_under": "underprediction",
    "bias": "bias",
    "ae": "ae_median",
    **{f"cover_{percent}": f"interval_coverage_{percent}" for percent in _PERCENTS},
}


def score_levels(
    table: pd.DataFrame, levels: Mapping[float, str], truth: Truth
) -> pd.DataFrame:
    """Scores of a table of quantiles, one row per unit."""
    units = table[["last_month", "location", "target", "horizon", "month"]].copy()
    no_day = np.datetime64("NaT", "s")
    units.insert(0, "as_of", table.get("as_of", no_day))
    states = units["location"].astype(str).to_numpy(dtype=object)
    targets = units["target"].astype(str).to_numpy(dtype=object)
    months = units["month"].to_numpy().astype("datetime64[M]")
    observed = np.full(len(table), np.nan)
    reasons = np.full(len(table), "", dtype=object)
    for target in np.unique(targets):
        at = np.flatnonzero(targets == target)
        observed[at], reasons[at] = observed_units(
            truth.observed,
            states[at],
            months=months[at],
            target=str(target),
        )
    values: Floats = table[list(levels.values())].to_numpy(dtype=float)
    blank = np.isnan(values).any(axis=1)
    reasons[blank & (reasons == "")] = "the table holds no number there"
    negative = (values < 0).any(axis=1)
    reasons[negative & (reasons == "")] = "deaths cannot be negative"
    tau = list(levels)
    scores = _frame(units, observed, reasons=reasons)
    good = np.flatnonzero(reasons == "")
    if good.size:
        good_scores, reasons[good] = quantiles(
            values[good], tau, observed=observed[good]
        )
        scores = _frame(units, observed, reasons=reasons)
        for name, hub_name in _NAMES.items():
            if hub_name in good_scores:
                scores.loc[good, name] = good_scores[hub_name]
        good = np.flatnonzero(reasons == "")
    if good.size:
        log_values = np.log1p(values[good].T)
        log_wis = weighted_interval_score(
            log_values, tau, observed=np.log1p(observed[good])
        )
        scores.loc[good, "log_wis"] = log_wis.total
        middle = values[good, len(tau) // 2]
        scores.loc[good, "ape"] = absolute_percentage_error(middle, observed[good])
    median = np.flatnonzero(np.isclose(tau, 0.5, rtol=0, atol=1e-9))
    if median.size:
        scores["median"] = values[:, median[0]]
    if "reported" in table:
        of_year = targets == TARGET_12MO
        reported = np.where(of_year, table["reported"].to_numpy(dtype=float), np.nan)
        change = revised(scores["observed"].to_numpy(), reported)
        scores = scores.assign(reported=reported, revised=change)
    return scores


def score_trend(
    table: pd.DataFrame, truth: Truth, panel_of_day: PanelOfDay
) -> pd.DataFrame:
    """Scores of the trend in a hub table, by the very rule of forecasts in hand."""
    table = table[table["output_type"] == "pmf"]
    if table.empty:
        raise ScoringError(
            "the table holds no chances of the trend", hint="output type pmf"
        )
    keys = ["origin_date"]
    if SCENARIO_ID in table:
        keys.append(SCENARIO_ID)
    parts = []
    for (origin, *scenario), rows in table.groupby(keys, sort=True):
        day = pd.Timestamp(str(origin))
        part = _score_origin(rows, day, truth=truth, panel_of_day=panel_of_day)
        for name in scenario:
            part.insert(2, SCENARIO_ID, str(name))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _score_origin(
    rows: pd.DataFrame,
    day: pd.Timestamp,
    truth: Truth,
    panel_of_day: PanelOfDay,
) -> pd.DataFrame:
    """Scores of the trend of one origin."""
    keys = ["location", "target_end_date", "horizon"]
    wide = rows.pivot(
        index=keys,
        columns="output_type_id",
        values="value",
    ).sort_index()
    file_chances = wide.reindex(columns=list(CATEGORIES)).to_numpy(dtype=float)
    total = file_chances.sum(axis=1)
    chances = file_chances / np.where(total > 0, total, np.nan)[:, None]
    codes, ends, horizons = (wide.index.get_level_values(i) for i in range(3))
    states = np.array([lookup(code).state for code in codes], dtype=object)
    months = ends.to_numpy().astype("datetime64[M]")
    ahead = horizons.to_numpy().astype(np.int64)
    last = months - ahead.astype("timedelta64[M]")
    panel, release = known_panel(panel_of_day, truth, day=day.date(), last=last.min())
    year_before = (months - 12 * ONE_MONTH).astype("datetime64[M]")
    if panel is None:
        reported = np.full(len(states), np.nan)
        frequencies = np.full(len(CATEGORIES), np.nan)
    else:
        reported = _counts_of(panel, states, months=year_before)
        frequencies = pooled_frequencies(panel)
    later, later_reasons = observed_units(truth.observed, states, months=months)
    earlier, earlier_reasons = observed_units(
        truth.observed, states, months=year_before
    )
    observed = category(later - earlier, earlier, first=thresholds(reported)[0])
    earlier_reasons = np.array(
        [reason and f"{reason} (12 months before)" for reason in earlier_reasons],
        dtype=object,
    )
    unknown = (
        f"the count of 12 months before was not known at the origin (release {release})"
    )
    reasons = _reasons_against(file_chances, ahead)
    for further in (
        later_reasons,
        earlier_reasons,
        np.where(observed < 0, unknown, ""),
    ):
        reasons = np.where(reasons == "", further, reasons).astype(object)
    pooled = np.broadcast_to(frequencies, chances.shape)
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
    rps = ranked_probability_score(chances, observed)
    rps_pooled = ranked_probability_score(pooled, observed)
    names = np.array([*CATEGORIES, ""], dtype=object)[observed]
    out = out.assign(
        rps=np.where(scorable, rps, np.nan),
        rps_pooled=np.where(scorable, rps_pooled, np.nan),
        category=np.where(scorable, names, ""),
        known_release=release,
    )
    return out.astype({"horizon_from_origin": np.int64})


def _reasons_against(chances: Floats, ahead: NDArray[np.int64]) -> Texts:
    """Why units cannot be scored whatever comes; empty where they can."""
    reasons = np.full(len(chances), "", dtype=object)
    reasons[chances.sum(axis=1) == 0] = "its chances add up to 0"
    for i in np.flatnonzero(np.isnan(chances).any(axis=1)):
        missing = CATEGORIES[int(np.argmax(np.isnan(chances[i])))]
        reasons[i] = f"it lacks category {quoted(missing)}"
    reasons[ahead < 1] = "published at the origin, so no forecast"
    reasons[ahead > LONGEST] = f"more than {LONGEST} months ahead"
    return reasons


def known_panel(
    panel_of_day: PanelOfDay,
    truth: Truth,
    day: dt.date,
    last: np.datetime64,
) -> tuple[Panel | None, str]:
    """The panel that an origin's thresholds rest on, and which it is."""
    try:
        panel = panel_of_day(day)
    except ArchiveError:
        panel = None
    if panel is not None:
        return panel, str(panel.release)
    # Thresholds of months that are in the truth rest on counts a year older, which are settled.
    last = min(last, truth.panel.settled_through)
    if last < truth.panel.months[0]:
        return None, f"{truth.release}, which begins later"
    return truth.panel.cut(last), f"{truth.release}, cut after {last}"


def _counts_of(panel: Panel, states: Texts, months: Months) -> Floats:
    """Reported counts of single (location, month) units; NaN where there is none."""
    row_of = {state: i for i, state in enumerate(panel.locations)}
    row = np.array([row_of.get(state, -1) for state in states], dtype=int)
    column = (months - panel.months[0]).astype(int)
    inside = (row >= 0) & (column >= 0) & (column < panel.months.size)
    counts = np.full(len(states), np.nan)
    counts[inside] = panel.reported[row[inside], column[inside]]
    return counts


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
