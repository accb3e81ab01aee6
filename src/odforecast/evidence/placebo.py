"""Placebos: would the same test have found an effect where there can be none?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from odforecast.errors import ScenarioError
from odforecast.evidence.check import CheckResult
from odforecast.months import to_month
from odforecast.panel import Floats, Panel
from odforecast.scenario.catalogue import events
from odforecast.scenario.growth import growth_changes
from odforecast.scenario.intervention import NATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure


def event_ranks(changes: pd.DataFrame) -> pd.DataFrame:
    """Ranks at the months of the event calendar, in order of date.

    Parameters
    ----------
    changes : DataFrame
        From :func:`growth_changes`.

    Returns
    -------
    DataFrame
        ``event, month, change, percentile, months``; NaN where a year of counts on either
        side is not there.
    """
    calendar = events()
    calendar = calendar[calendar["placebo_month"] != ""]
    found = changes.set_index("month")
    rows = []
    for name, month in zip(calendar["event"], calendar["placebo_month"]):
        here = month in found.index
        rows.append(
            {
                "event": name,
                "month": month,
                "change": found.at[month, "change"] if here else np.nan,
                "percentile": found.at[month, "percentile"] if here else np.nan,
                "months": len(changes),
            }
        )
    return pd.DataFrame(rows).sort_values("month", ignore_index=True)


def check_placebo_time(panel: Panel, until: object | None = "2024-08") -> CheckResult:
    """Placebo in time: the change at each event among the changes at **all** months.

    Parameters
    ----------
    panel : Panel
        US counts.
    until : month or None
        Last month used; ranks up to the panel's last month are given beside them.
    """
    whole = growth_changes(panel)
    cut = growth_changes(panel, until=until)
    table = event_ranks(cut).merge(
        event_ranks(whole)[["event", "percentile", "months"]], on="event", suffixes=("", "_all")
    )
    low = cut["month"].iloc[int(cut["percentile"].to_numpy().argmin())]
    text = (
        f"Ranks among {len(cut)} months (counts to {until or panel.last_month}) and among all "
        f"{len(whole)}. The lowest rank is at {low}. A date inside a fall that had begun ranks "
        "low whatever happened that day, so a low rank is no evidence for its event; a middling "
        "or high rank is evidence that nothing visible followed."
    )
    return CheckResult(
        "placebo-time", None, table, text, {"placebo-time": lambda: _ranks_figure(whole, table)}
    )


def check_placebo_outcome(panel: Panel, placebo: Panel) -> CheckResult:
    """Placebo outcome: the same ranks for deaths that fentanyl supply should not touch.

    Parameters
    ----------
    panel, placebo : Panel
        All drugs, and for example psychostimulants (T43.6), US, of one release. Deaths may
        involve both, so the placebo is not clean: it can only show that a change is **not**
        specific to fentanyl.
    """
    last = str(min(panel.last_month, placebo.last_month))
    ours, theirs = (event_ranks(growth_changes(p, until=last)) for p in (panel, placebo))
    table = ours.merge(
        theirs[["event", "change", "percentile"]], on="event", suffixes=("", "_placebo")
    )
    table["placebo"] = placebo.indicator
    seen = table.dropna()
    unspecific = seen[(seen["percentile"] <= 10) & (seen["percentile_placebo"] <= 10)]
    names = ", ".join(unspecific["event"]) or "none"
    text = (
        f"Events with an unusual fall (10th percentile or lower) in all drugs and in "
        f"{placebo.indicator} alike: {names}. Where both fall, fentanyl supply alone does not "
        "explain it, though many deaths involve both."
    )
    return CheckResult(
        "placebo-outcome", None, table, text, {"placebo-outcome": lambda: _pairs_figure(table)}
    )


def check_placebo_units(
    panel: Panel,
    shares: Mapping[str, float],
    month: object = "2023-07",
    *,
    permutations: int = 2000,
    seed: int = 1,
) -> CheckResult:
    """Placebo units: do locations with little fentanyl change less?

    The change in 12-month growth after ``month`` is compared between the third of locations
    with the least and the third with the most exposure, with a permutation p-value.

    Parameters
    ----------
    panel : Panel
        Counts of jurisdictions.
    shares : mapping of str to float
        Exposure by location, as known at ``month``.
    month : month
        Date of the event.
    """
    stamp = str(to_month(month))
    rows = []
    for state in panel.locations:
        if state == NATION or state not in shares:
            continue
        changes = growth_changes(panel, state)
        here = changes.loc[changes["month"] == stamp, "change"].to_numpy()
        if here.size:
            rows.append({"location": state, "exposure": shares[state], "change": here[0]})
    if len(rows) < 6:
        raise ScenarioError(
            f"{len(rows)} locations have counts around {stamp} and an exposure, allowed: 6 or more"
        )
    table = pd.DataFrame(rows).sort_values("exposure", ignore_index=True)
    third = len(table) // 3
    change = table["change"].to_numpy()
    table["group"] = "middle"
    table.loc[: third - 1, "group"] = "low"
    table.loc[len(table) - third :, "group"] = "high"
    gap = _gap(change, third)
    rng = np.random.default_rng(seed)
    null = np.array([_gap(rng.permutation(change), third) for _ in range(permutations)])
    p = float((1 + (null <= gap).sum()) / (1 + permutations))
    low, high = change[:third].mean(), change[len(change) - third :].mean()
    text = (
        f"Mean change in 12-month growth after {stamp}: {low:+.3f} in the {third} locations with "
        f"the least exposure, {high:+.3f} in the {third} with the most (permutation p = {p:.4f} "
        "that the exposed fell more). A fall in the least exposed is what anything but "
        "fentanyl supply would leave too."
    )
    return CheckResult(
        "placebo-units", None, table, text, {"placebo-units": lambda: _units_figure(table)}
    )


def _gap(change: Floats, third: int) -> float:
    return float(change[change.size - third :].mean() - change[:third].mean())


def _ranks_figure(changes: pd.DataFrame, ranks: pd.DataFrame) -> Figure:
    from odforecast.plot.style import ranks_over_time

    return ranks_over_time(changes, ranks)


def _pairs_figure(table: pd.DataFrame) -> Figure:
    from odforecast.plot.style import rank_pairs

    return rank_pairs(table)


def _units_figure(table: pd.DataFrame) -> Figure:
    from odforecast.plot.style import exposure_scatter

    return exposure_scatter(table)
