"""Deaths averted: by calendar year, by months since the onset, and the answer in three numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScenarioError
from odforecast.forecast.adding import quantile_levels
from odforecast.months import Months
from odforecast.names import SCENARIO_ID
from odforecast.panel import Floats
from odforecast.scenario import drawing
from odforecast.scenario.limits import ALL
from odforecast.scenario.scenario import Scenario

if TYPE_CHECKING:
    from odforecast.scenario.projection import Projection


#: A monthly path within this share of the baseline counts as recovered.
RECOVERED = 0.01

#: Fewest draws in which a scenario works of which quantiles are given.
FEWEST = 10

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def averted(projection: Projection, levels: Sequence[float], against: str | None) -> pd.DataFrame:
    """See :meth:`odforecast.scenario.Projection.averted`."""
    probs = quantile_levels(levels, ScenarioError)
    other = projection.against(against)
    ahead = projection.ahead
    months = projection.baseline.months[ahead]
    rows: list[dict[str, Any]] = []
    for scenario in projection.scenarios:
        if scenario.is_null or scenario.name == other:
            continue
        base = projection.counted_against(scenario.name, against).draws[:, :, ahead]
        path = projection.forecast(scenario.name).draws[:, :, ahead]
        for kind, label, span in periods(months, scenario):
            a, b = base[:, :, span].sum(axis=2), path[:, :, span].sum(axis=2)
            saved, percent = a - b, _percent(a, b)
            q_saved = np.quantile(saved, probs, axis=0)
            q_percent = np.quantile(percent, probs, axis=0)
            for i, state in enumerate(projection.baseline.locations):
                row: dict[str, Any] = {
                    SCENARIO_ID: scenario.name,
                    "against": other,
                    "location": state,
                    "kind": kind,
                    "period": label,
                    "first_month": str(months[span][0]),
                    "last_month": str(months[span][-1]),
                    "baseline": a[:, i].mean(),
                    "averted_mean": saved[:, i].mean(),
                }
                row |= {f"averted_q{_tag(p)}": q for p, q in zip(probs, q_saved[:, i])}
                row["percent_mean"] = percent[:, i].mean()
                row |= {f"percent_q{_tag(p)}": q for p, q in zip(probs, q_percent[:, i])}
                rows.append(row | _ties(saved[:, i]))
    return pd.DataFrame(rows)


def answer(projection: Projection, against: str | None) -> pd.DataFrame:
    """See :meth:`odforecast.scenario.Projection.answer`."""
    other = projection.against(against)
    ahead = projection.ahead
    months = projection.baseline.months[ahead]
    rows = []
    for scenario in projection.scenarios:
        if scenario.is_null or scenario.name == other:
            continue
        base = projection.counted_against(scenario.name, against).draws[:, :, ahead].sum(axis=2)
        path = projection.forecast(scenario.name).draws[:, :, ahead].sum(axis=2)
        saved, percent = base - path, _percent(base, path)
        works = outcome(projection, scenario) < 0
        chances = assumed(projection, scenario)
        for i, state in enumerate(projection.baseline.locations):
            if_works = saved[works, i]
            few = if_works.size < FEWEST  # an interval of three draws says nothing
            three = [np.nan] * 3 if few else np.quantile(if_works, [0.5, 0.05, 0.95])
            low, high = np.quantile(saved[:, i], [0.05, 0.95])
            rows.append(
                {
                    SCENARIO_ID: scenario.name,
                    "against": other,
                    "location": state,
                    "first_month": str(months[0]),
                    "last_month": str(months[-1]),
                    "baseline": base[:, i].mean(),
                    **dict(zip(("works", "nothing", "backfires"), chances)),
                    "averted_if_works_q50": three[0],
                    "averted_if_works_q05": three[1],
                    "averted_if_works_q95": three[2],
                    "averted_mean": saved[:, i].mean(),
                    "averted_q05": low,
                    "averted_q95": high,
                    "percent_mean": percent[:, i].mean(),
                    **_ties(saved[:, i]),
                }
            )
    return pd.DataFrame(rows)


def outcome(projection: Projection, scenario: Scenario) -> Floats:
    """Change of the nation's deaths over 36 months from the onset, shape (D,).

    Below 0 in the draws where the scenario works, above where it backfires, whatever horizon is
    shown; in months' worth of deaths, those of a class weighed by its share of all.
    """
    draws = projection.baseline.draws.shape[0]
    total = np.zeros(draws)
    for x in scenario.interventions:
        weight = 1.0 if x.scope == ALL else projection.class_share(x.scope)
        total += weight * drawing.outcome(x, draws, projection.seed)
    return total


def assumed(projection: Projection, scenario: Scenario) -> tuple[float, float, float]:
    """Probability that a scenario works, does nothing, and backfires, as its priors say.

    Of several interventions: the shares of the draws.
    """
    if len(scenario.interventions) == 1:
        return scenario.interventions[0].chances()
    total = outcome(projection, scenario)
    return float((total < 0).mean()), float((total == 0).mean()), float((total > 0).mean())


def periods(months: Months, scenario: Scenario) -> list[tuple[str, str, NDArray[np.bool_]]]:
    """Kind, label and months of every period over which deaths are added up.

    Calendar years (``"2026"``, ``"2026 (May–Dec)"``), twelve months at a time since the earliest
    onset, and all months.

    Examples
    --------
    >>> from odforecast.scenario import NULL
    >>> ahead = np.arange("2026-11", "2028-01", dtype="datetime64[M]")
    >>> [label for _, label, _ in periods(ahead, NULL)]
    ['2026 (Nov–Dec)', '2027', 'all']
    """
    out = []
    years = months.astype("datetime64[Y]").astype(int) + 1970
    for year in np.unique(years):
        inside = years == year
        span = months[inside]
        label = str(year)
        if inside.sum() < 12:
            first, last = (_MONTHS[int(str(m)[5:7]) - 1] for m in (span[0], span[-1]))
            label += f" ({first})" if first == last else f" ({first}–{last})"
        out.append(("year", label, inside))
    if scenario.interventions:
        since = (months - min(x.onset[0] for x in scenario.interventions)).astype(int)
        for block in np.unique(since[since >= 0] // 12):
            inside = since // 12 == block
            span = since[inside]
            out.append(("since-onset", f"months {span[0] + 1}-{span[-1] + 1}", inside))
    return [*out, ("all", "all", np.ones(months.size, dtype=bool))]


def recovery(projection: Projection, tolerance: float = RECOVERED) -> pd.DataFrame:
    """See :meth:`odforecast.scenario.Projection.recovery_table`."""
    ahead = projection.ahead
    rows = []
    for scenario in projection.scenarios:
        if scenario.is_null:
            continue
        base = projection.counted_against(scenario.name, None).draws[:, :, ahead]
        path = projection.forecast(scenario.name).draws[:, :, ahead]
        with np.errstate(divide="ignore", invalid="ignore"):
            change = np.abs(np.where(base > 0, path / base - 1.0, 0.0))
        outside = change > tolerance
        last = outside.shape[2] - 1 - np.argmax(outside[:, :, ::-1], axis=2)
        months = (last + 1 - np.argmax(change, axis=2)).astype(float)
        left = outside.any(axis=2)
        back = left & (last + 1 < outside.shape[2])
        for i, state in enumerate(projection.baseline.locations):
            waits = np.where(back[:, i], months[:, i], np.inf)[left[:, i]]
            middle = float(np.median(waits)) if waits.size else np.inf
            rows.append(
                {
                    SCENARIO_ID: scenario.name,
                    "location": state,
                    "affected": left[:, i].mean(),
                    "recovered": back[left[:, i], i].mean() if waits.size else np.nan,
                    "median_months": middle if np.isfinite(middle) else np.nan,
                }
            )
    return pd.DataFrame(rows)


def _percent(before: Floats, after: Floats) -> Floats:
    return np.divide(100.0 * (after - before), before, out=np.zeros_like(before), where=before > 0)


def _ties(saved: Floats) -> dict[str, float]:
    """Chances of fewer deaths, of the same, and of more."""
    return {
        "fewer": float((saved > 0).mean()),
        "same": float((saved == 0).mean()),
        "more": float((saved < 0).mean()),
    }


def _tag(p: float) -> str:
    """Name of a quantile level: 0.05 → ``05``, 0.975 → ``97.5``."""
    text = f"{100 * p:g}"
    return text if "." in text else text.zfill(2)
