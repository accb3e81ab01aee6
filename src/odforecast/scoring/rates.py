"""Scores per 100,000 residents."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from odforecast.geography.places import LOCATIONS, population
from odforecast.scoring.columns import COUNT_COLUMNS, METRIC_COLUMNS

#: Names of the lognormal log score in a score table, today's first.
LOG_SCORES: Final = ("log_score_lognormal", "log_score")

_STATES = frozenset(x.state for x in LOCATIONS)


def per_100k(scores: pd.DataFrame) -> pd.DataFrame:
    """The same scores per 100,000 residents, so that large states do not rule an average.

    Counts and scores in deaths (:data:`~odforecast.scoring.columns.COUNT_COLUMNS`) are
    divided by the population on July 1 of the target month's year; the lognormal log score
    becomes minus the log density per unit of the rate. All other scores are the same on both
    scales, but ``log_wis``, which has no meaning for a rate and becomes NaN. Metrics of a user's
    own stay as they are: they are scores of the count.

    Parameters
    ----------
    scores : DataFrame
        Unit-level scores.

    Returns
    -------
    DataFrame
        A copy with the column ``scale`` set to ``"per_100k"``. Units without a population
        (``NY`` and ``YC``, which the census does not split as CDC does, and regions) have
        ``scorable`` False, NaN scores and the reason.
    """
    out = scores.copy()
    years = pd.DatetimeIndex(out["month"]).year
    pairs = list(zip(out["location"].astype(str), years))
    residents = {pair: _residents(*pair) for pair in set(pairs)}
    factor = 1e5 / np.array([residents[pair] for pair in pairs])
    for name in (*COUNT_COLUMNS, *({"reported", "last_reported"} & set(out.columns))):
        out[name] = out[name] * factor
    for name in LOG_SCORES:  # whichever name the table has for it
        if name in out:
            out[name] = out[name] - np.log(factor)
    out["log_wis"] = np.nan
    lost = np.isnan(factor) & out["scorable"].to_numpy()
    out.loc[lost, "scorable"] = False
    out.loc[lost, "reason"] = "no population that matches CDC's jurisdiction"
    scored = [name for name in dict.fromkeys((*METRIC_COLUMNS, *LOG_SCORES)) if name in out]
    out.loc[np.isnan(factor), scored] = np.nan
    if "twcrps" in out:
        # A hidden count is no rate of any size, and a score table holds no people of counties.
        out[["twcrps", "twwis", "mean"]] = np.nan
        out["bounded"] = False
    out["scale"] = "per_100k"
    return out


def _residents(state: str, year: int) -> float:
    return population(state, year) if state in _STATES else float("nan")
