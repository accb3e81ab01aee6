"""Tables of medians and intervals, scored as what they are: quantiles of few levels.

``forecast --table``, ``nowcast --out`` and the record of ``update`` keep no draws and no 23
quantiles. Their WIS is over the levels they have, and is another score than that of hub files.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from odforecast.hub.scoring import rules
from odforecast.names import COVERAGE_LEVELS, TARGET_12MO
from odforecast.scoring.columns import METRIC_COLUMNS, regimes
from odforecast.scoring.rules import Floats, absolute_percentage_error, weighted_interval_score
from odforecast.scoring.truth import Truth
from odforecast.scoring.units import revised

_NAMES = {
    "wis": "wis",
    "wis_spread": "dispersion",
    "wis_over": "overprediction",
    "wis_under": "underprediction",
    "bias": "bias",
    "ae": "ae_median",
}


def score_levels(table: pd.DataFrame, levels: Mapping[float, str], truth: Truth) -> pd.DataFrame:
    """Scores of a table of quantiles, one row per unit.

    Parameters
    ----------
    table : DataFrame
        ``location`` (CDC code), ``target``, ``month`` and ``last_month`` (timestamps),
        ``horizon``, a column per level and, if it has one, ``as_of``; ``reported`` is kept.
    levels : mapping of float to str
        Level to column, rising.
    truth : Truth

    Returns
    -------
    DataFrame
        As :func:`odforecast.scoring.score_hub` gives it, in the table's order. Coverage is there
        for intervals both of whose ends are levels; CRPS and the like are NaN. ``as_of`` is
        missing where the table does not say it, and the median where 0.5 is no level. A unit
        without a number says so.
    """
    n = len(table)
    states = table["location"].astype(str).to_numpy(dtype=object)
    months = table["month"].to_numpy().astype("datetime64[M]")
    y, reasons = np.full(n, np.nan), np.full(n, "", dtype=object)
    for target, part in table.reset_index(drop=True).groupby("target", sort=False):
        at = part.index.to_numpy()
        places, row = np.unique(states[at].astype(str), return_inverse=True)
        grid, column = np.unique(months[at], return_inverse=True)
        values, why = truth.observed([str(s) for s in places], grid, str(target))
        y[at], reasons[at] = values[row, column], why[row, column]
    q: Floats = table[list(levels.values())].to_numpy(dtype=float)
    lacking = np.isnan(q).any(axis=1)
    reasons[lacking & (reasons == "")] = "the table holds no number there"
    reasons[(q < 0).any(axis=1) & (reasons == "")] = "deaths cannot be negative"
    tau = list(levels)
    scores = {name: np.full(n, np.nan) for name in METRIC_COLUMNS}
    good = np.flatnonzero(reasons == "")
    if good.size:
        found, why_not = rules.quantiles(q[good], tau, y[good])
        reasons[good] = why_not
        for name, theirs in _NAMES.items():
            scores[name][good] = found[theirs]
        for share in COVERAGE_LEVELS:
            p = round(100 * share)
            scores[f"cover_{p}"][good] = found[f"interval_coverage_{p}"]
        good = np.flatnonzero(reasons == "")
    if good.size:
        logs = weighted_interval_score(np.log1p(q[good].T), tau, np.log1p(y[good]))
        scores["log_wis"][good] = logs.total
        scores["ape"][good] = absolute_percentage_error(q[good, len(tau) // 2], y[good])
    middle = np.flatnonzero(np.isclose(tau, 0.5, rtol=0, atol=1e-9))
    scorable = reasons == ""
    as_of = table["as_of"].to_numpy() if "as_of" in table else np.full(n, "NaT", "M8[s]")
    as_of = as_of.astype("datetime64[s]")
    far = (months - as_of.astype("datetime64[M]")).astype(float)
    columns: dict[str, object] = {
        "as_of": as_of,
        "last_month": table["last_month"].to_numpy().astype("datetime64[s]"),
        "location": states,
        "target": table["target"].to_numpy(dtype=object),
        "horizon": table["horizon"].to_numpy().astype(np.int64),
        "month": months.astype("datetime64[s]"),
        "horizon_from_origin": np.where(np.isnat(as_of), np.nan, far),
        "regime": regimes(months),
        "observed": np.where(scorable, y, np.nan),
        "scorable": scorable,
        "reason": reasons,
        "n_draws": 0,
        "median": q[:, middle[0]] if middle.size else np.nan,
        **scores,
    }
    if "reported" in table:
        was = table["reported"].to_numpy(dtype=float)
        was = np.where(table["target"].astype(str) == TARGET_12MO, was, np.nan)
        columns |= {"reported": was, "revised": revised(np.where(scorable, y, np.nan), was)}
    return pd.DataFrame(columns)
