"""Change in 12-month growth after every month, ranked."""

from __future__ import annotations

import numpy as np
import pandas as pd

from odforecast.errors import ScenarioError
from odforecast.months import ONE_MONTH, to_month
from odforecast.panel import Panel
from odforecast.scenario.intervention import NATION
from odforecast.scoring.truth import MIN_AGE

YEAR = 12


def settled_through(panel: Panel) -> np.datetime64:
    """Last month whose count is settled: at least 12 months old in the panel's release.

    Examples
    --------
    >>> import odforecast as od
    >>> settled_through(od.bundled().as_of().panel())
    np.datetime64('2025-01')
    """
    old_enough = np.datetime64(panel.release, "M") - MIN_AGE * ONE_MONTH
    return np.datetime64(min(old_enough, panel.last_month), "M")


def growth_changes(panel: Panel, state: str = NATION, until: object | None = None) -> pd.DataFrame:
    """Change in 12-month growth after every month, and its rank among all months.

    With S the 12-month-ending count: ``log S(t+12)/S(t) - log S(t)/S(t-12)``. Low ranks are
    unusually large falls in growth.

    Parameters
    ----------
    panel : Panel
        Counts of one release.
    state : str
        Location.
    until : month, optional
        Use counts up to this month only: ranks depend on which months there are. Ranks that are
        printed use :func:`settled_through`.

    Returns
    -------
    DataFrame
        ``month, before, after, change`` and ``percentile`` (share of months whose change is
        as low or lower, in percent), one row per month with a year of counts on either side.

    Raises
    ------
    ScenarioError
        If there are fewer than 37 months of counts.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel().select(["US"])
    >>> len(growth_changes(panel)), len(growth_changes(panel, until=settled_through(panel)))
    (104, 97)
    """
    keep = panel.months <= (panel.last_month if until is None else to_month(until))
    counts = panel.reported[panel.index(state)][keep]
    months = panel.months[keep]
    if months.size < 3 * YEAR + 1:
        raise ScenarioError(
            f"{months.size} months of counts are too few for placebo ranks, allowed: 37 or more"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(counts)
    growth = logs[YEAR:] - logs[:-YEAR]
    table = pd.DataFrame(
        {
            "month": months[YEAR:-YEAR].astype(str),
            "before": growth[:-YEAR],
            "after": growth[YEAR:],
            "change": growth[YEAR:] - growth[:-YEAR],
        }
    )
    table = table.dropna(subset="change").reset_index(drop=True)
    return table.assign(percentile=100.0 * table["change"].rank(method="max") / len(table))
