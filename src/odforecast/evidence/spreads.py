"""How far apart jurisdictions moved, and when the regions turned: computed, never typed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from odforecast.errors import ScenarioError
from odforecast.geography import JURISDICTIONS, lookup
from odforecast.months import to_month
from odforecast.panel import Floats, Panel
from odforecast.scenario.growth import settled_through

#: The year of the fall.
FALL = ("2023-08", "2024-08")
#: Calendar years without a turn of the nation: neither the rise of 2020–21 nor the fall.
ORDINARY = (
    ("2017-12", "2018-12"),
    ("2018-12", "2019-12"),
    ("2021-12", "2022-12"),
    ("2022-12", "2023-12"),
)
#: Counts of 2023 that CDC knows to be wrong.
WRONG = "NC"


def state_spreads(panel: Panel) -> pd.DataFrame:
    """Log change of 12-month-ending deaths over a year, across jurisdictions.

    Parameters
    ----------
    panel : Panel
        Counts of one release. Years whose end is not settled are left out.

    Returns
    -------
    DataFrame
        One row per year: ``since, until, year`` (``fall`` or ``ordinary``), ``jurisdictions``
        with both counts, ``mean, sd`` (n − 1), ``sd_without_nc`` (its 2023 is wrong for good),
        ``lowest_state, lowest, highest_state, highest``.

    Raises
    ------
    ScenarioError
        If fewer than two jurisdictions have counts.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.evidence.spreads import state_spreads
    >>> table = state_spreads(od.bundled().as_of().panel())
    >>> table.loc[table["year"] == "fall", ["mean", "sd"]].round(3).values.tolist()
    [[-0.177, 0.136]]
    """
    states = _jurisdictions(panel)
    last = settled_through(panel)
    rows = []
    for since, until in (FALL, *ORDINARY):
        if to_month(until) > last or to_month(since) < panel.months[0]:
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = np.log(_at(panel, states, until) / _at(panel, states, since))
        seen = np.isfinite(moved)
        if seen.sum() < 2:
            continue
        names, moved = np.array(states)[seen], moved[seen]
        rows.append(
            {
                "since": since,
                "until": until,
                "year": "fall" if (since, until) == FALL else "ordinary",
                "jurisdictions": int(seen.sum()),
                "mean": float(moved.mean()),
                "sd": float(moved.std(ddof=1)),
                "sd_without_nc": float(moved[names != WRONG].std(ddof=1)),
                "lowest_state": str(names[moved.argmin()]),
                "lowest": float(moved.min()),
                "highest_state": str(names[moved.argmax()]),
                "highest": float(moved.max()),
            }
        )
    if not rows:
        raise ScenarioError("no year with settled counts of two jurisdictions or more")
    return pd.DataFrame(rows)


def regional_peaks(panel: Panel) -> pd.DataFrame:
    """Month in which each region's 12-month-ending count was highest, on settled counts.

    Parameters
    ----------
    panel : Panel
        Counts of one release.

    Returns
    -------
    DataFrame
        ``region, month, deaths, jurisdictions``, in order of month.
    """
    states = _jurisdictions(panel)
    kept = panel.months <= settled_through(panel)
    rows = []
    for region in sorted({str(lookup(s).region) for s in states}):
        here = [s for s in states if lookup(s).region == region]
        total = panel.reported[[panel.index(s) for s in here]][:, kept].sum(axis=0)
        if np.isfinite(total).any():
            at = int(np.nanargmax(total))
            month, deaths = str(panel.months[kept][at]), float(total[at])
            rows.append((region, month, deaths, len(here)))
    table = pd.DataFrame(rows, columns=["region", "month", "deaths", "jurisdictions"])
    return table.sort_values("month", kind="stable", ignore_index=True)


def effect_spread(spreads: pd.DataFrame) -> float:
    """Sd across jurisdictions that the year of the fall has beyond an ordinary year.

    The root of the difference of variances, that of ordinary years being their mean; NaN
    without both, 0 where ordinary years spread more.
    """
    variance = spreads["sd"] ** 2
    fall, ordinary = (variance[spreads["year"] == name].mean() for name in ("fall", "ordinary"))
    return float(np.sqrt(np.maximum(fall - ordinary, 0.0)))


def spreads_text(panel: Panel) -> str:
    """Both tables and what is left for an effect, as lines to print."""
    table = state_spreads(panel)
    lines = [
        "Log change of the 12-month-ending count by jurisdiction, settled counts of release "
        f"{panel.release}:"
    ]
    for r in table.to_dict("records"):
        lines.append(
            f"  {r['since']} to {r['until']}  n {r['jurisdictions']}  mean {r['mean']:+.3f}  "
            f"sd {r['sd']:.3f} (without {WRONG} {r['sd_without_nc']:.3f})  "
            f"{r['lowest_state']} {r['lowest']:+.2f} to {r['highest_state']} {r['highest']:+.2f}"
        )
    left = effect_spread(table)
    if np.isfinite(left):
        mean = table.loc[table["year"] == "fall", "mean"].item()
        lines.append(
            f"The first is the year of the fall, the others are ordinary: beyond their spread its "
            f"own has an sd of {left:.3f}, on a mean of {mean:+.3f}."
        )
    peaks = ", ".join(f"{r.region} {r.month}" for r in regional_peaks(panel).itertuples())
    return "\n".join([*lines, f"Peak of the 12-month-ending count: {peaks}."])


def _jurisdictions(panel: Panel) -> list[str]:
    return [s for s in panel.locations if s in JURISDICTIONS]


def _at(panel: Panel, states: list[str], month: str) -> Floats:
    rows = [panel.index(s) for s in states]
    values: Floats = panel.reported[rows, int((to_month(month) - panel.months[0]).astype(int))]
    return values
