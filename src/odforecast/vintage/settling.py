"""How counts settled: completeness by age, and how each count moved until it was final.

Both go over the table of counts that have a final value,
:meth:`odforecast.vintage.revisions.Revisions.units`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd


def completeness(units: pd.DataFrame, by: Iterable[str] = ("location",)) -> pd.DataFrame:
    """Completeness by months since the end of the period.

    Parameters
    ----------
    units : DataFrame
        As :meth:`odforecast.vintage.revisions.Revisions.units` gives it.
    by : iterable of str
        Columns besides ``age``; empty for one curve over all.

    Returns
    -------
    DataFrame
        Columns ``*by``, ``age``, ``n`` (counts behind it), ``median``, ``low`` and ``high``
        (5 and 95 %) of reported / final.
    """
    grouped = units.groupby([*by, "age"], sort=True)["completeness"]
    curve = grouped.agg(
        n="size",
        median="median",
        low=lambda x: x.quantile(0.05),
        high=lambda x: x.quantile(0.95),
    )
    return curve.reset_index()


def settling(units: pd.DataFrame, within: float = 1.0) -> pd.DataFrame:
    """How each count moved until it was final: number, spread, lag.

    Parameters
    ----------
    units : DataFrame
        As :meth:`odforecast.vintage.revisions.Revisions.units` gives it.
    within : float
        Percent of the final count.

    Returns
    -------
    DataFrame
        One row per (location, month): ``releases`` (that had it, besides the final one),
        ``first`` (first reported count), ``final``, ``first_age``, ``first_change`` (percent
        from first to final), ``spread`` (percent of final, highest less lowest) and
        ``settled_age``: the age in the first release from which on all stayed within
        ``within`` % of final; NaN if even the last before the final one was outside. Ages
        between two releases cannot be told apart, so it is an upper bound.
    """
    rows = []
    for (location, month), group in units.groupby(["location", "month"], sort=True):
        one = group.sort_values("release")
        values = one["reported"].to_numpy()
        final = float(one["final"].iloc[0])
        near = np.abs(values / final - 1) <= within / 100
        outside = np.flatnonzero(~near)
        start = 0 if outside.size == 0 else int(outside[-1]) + 1
        ages = one["age"].to_numpy()
        everything = np.append(values, final)
        rows.append(
            {
                "location": location,
                "month": month,
                "releases": len(one),
                "first": values[0],
                "final": final,
                "first_age": int(ages[0]),
                "first_change": 100 * (final / values[0] - 1) if values[0] else np.nan,
                "spread": 100 * np.ptp(everything) / final,
                "settled_age": float(ages[start]) if start < len(ages) else np.nan,
            }
        )
    columns = [
        "location", "month", "releases", "first", "final", "first_age", "first_change", "spread",
        "settled_age",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
