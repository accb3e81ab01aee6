"""The size of an effect at full strength, from the quantity it was read from.

Each episode of ``evidence.toml`` states its quantity, a change between two windows; the size is
solved so that the prior's own course reproduces it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from odforecast.errors import ScenarioError
from odforecast.months import ONE_MONTH, to_month
from odforecast.panel import Floats
from odforecast.scenario.catalogue import library
from odforecast.scenario.file import named_intervention
from odforecast.scenario.intervention import NATION, REST, Intervention
from odforecast.scenario.priors import Fixed

#: Draws of the timing behind a median course.
DRAWS = 4000


def course_change(x: Intervention, size: Floats | float, since: object, until: object) -> Floats:
    """Log change between 12-month totals of the nation at two months, for sizes of an effect.

    Deaths would be level without the effect, and the change is the median over draws of the timing.
    The size is the log rate ratio at full strength and exposure 1.

    >>> import odforecast as od
    >>> step = od.scenario.Intervention("step", od.scenario.Fixed(-0.5), onset="2023-07")
    >>> round(float(course_change(step, -0.5, "2023-06", "2024-06")), 3)
    -0.5
    """
    first, last = to_month(since) - 11 * ONE_MONTH, to_month(until)
    months = np.arange(first, last + ONE_MONTH)
    felt = x.exposure.get(REST, 1.0) if isinstance(x.exposure, Mapping) else x.exposure
    felt = 1.0 if isinstance(felt, str) else felt  # shares from data differ by place
    unit = replace(
        x, size=Fixed(1.0), share=Fixed(1.0), spread=Fixed(0.0), p_null=0.0,
        direction="either", rebound=None,
    )  # fmt: skip
    course = unit.draw(months, [NATION], np.array([float(felt)]), DRAWS, 1)[:, 0]
    change = [
        np.median(np.log(rates[:, -12:].mean(axis=1) / rates[:, :12].mean(axis=1)))
        for rates in (np.exp(b * course) for b in np.ravel(size))
    ]
    return np.reshape(change, np.shape(size))


def full_strength(x: Intervention, change: float, since: object, until: object) -> float:
    """The size whose median course gives a log change between two 12-month totals.

    Parameters
    ----------
    x : Intervention
        With an onset; its own size does not matter.
    change : float
        Log change that was measured.
    since, until : month
        Last months of the two windows of 12 months.

    Raises
    ------
    ScenarioError
        If no size gives that change.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.scenario.size import full_strength
    >>> shock = od.scenario.named_intervention("supply-shock-2023-like", onset="2023-07")
    >>> round(full_strength(shock, -0.420, "2023-12", "2024-12"), 2)
    -0.63
    """

    def gap(size: float) -> float:
        return float(course_change(x, size, since, until)) - change

    if gap(-4.0) * gap(4.0) > 0:
        raise ScenarioError(
            f"{x.name}: no size gives a log change of {change:+.3f} from {since} to {until}",
            hint="the effect must begin before the second window ends",
        )
    return float(brentq(gap, -4.0, 4.0, xtol=1e-6))


def quantities() -> pd.DataFrame:
    """What each size was read from: one row per measured quantity of the evidence library.

    Returns
    -------
    DataFrame
        ``event, prior`` (whose size it sets), ``count`` (which count), ``since, until`` (last
        months of the two 12-month windows; "" where the source gives the change at full
        strength), ``release`` (of CDC, or the work), ``log_rr`` (the change that was measured),
        ``size`` (what it means at full strength and exposure 1), ``shipped`` (the prior's own
        size at ``level``), ``level`` (which quantile of the prior's size it is).

    Examples
    --------
    >>> from odforecast.scenario.size import quantities
    >>> table = quantities().set_index("event")[["log_rr", "size", "shipped"]]
    >>> print(*table.loc["supply-shock-2023"].map("{:.2f}".format))
    -0.42 -0.63 -0.65
    """
    rows = []
    for event in library()["events"]:
        if "quantity" not in event:
            continue
        told = event["quantity"]
        since, until = told.get("windows", ("", ""))
        # Without windows the onset does not matter, and some lie before the first count.
        x = named_intervention(told["prior"], onset=event["dates"][0][:7] if since else "2020-01")
        log_rr, level = event["effect"]["log_rr"], told.get("level", 0.5)
        rows.append(
            {
                "event": event["id"],
                "prior": told["prior"],
                "count": told["count"],
                "since": since,
                "until": until,
                "release": told["release"],
                "log_rr": log_rr,
                "size": full_strength(x, log_rr, since, until) if since else log_rr,
                "shipped": round(float(x.size.ppf(np.array(level))), 3),
                "level": level,
            }
        )
    return pd.DataFrame(rows)
