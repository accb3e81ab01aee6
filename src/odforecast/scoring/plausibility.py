"""Scenarios against what came: plausibility first, calibration second.

A scenario is a forecast of what follows *if* its assumptions hold. Where they did not, a miss says
nothing about the forecast; so somebody says first for which months they held (plausibility), and
intervals are judged on those (calibration).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from odforecast.errors import ScoringError
from odforecast.names import SCENARIO_ID, TARGET_12MO
from odforecast.scoring.columns import UNIT_KEYS, with_groups
from odforecast.scoring.summary import summarise

#: Whether a scenario's assumptions held for what a row forecasts.
PLAUSIBLE = "plausible"


def mark_plausible(scores: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """Say of every row whether its scenario's assumptions held for it.

    Parameters
    ----------
    scores : DataFrame
        Unit-level scores with ``scenario_id``, as :func:`~odforecast.scoring.score_hub` gives
        them.
    held : DataFrame
        ``scenario_id, first_month, last_month``: months (both included) for which the assumptions
        of a scenario held. One that is not there held in none.

    Returns
    -------
    DataFrame
        The same with ``plausible``, true where the scenario held in every month that the count
        adds up and that follows the last known one: the month itself, or of a 12-month count all
        such months of the twelve. Missing for months up to the last known one: no scenario
        changes them.

    Raises
    ------
    ScoringError
        If the scores have no ``scenario_id``.

    Examples
    --------
    >>> scores = pd.DataFrame({"scenario_id": "shock", "target": "deaths_month", "horizon": [1, 2],
    ...     "month": pd.to_datetime(["2024-01-01", "2024-02-01"])})
    >>> held = pd.DataFrame({"scenario_id": ["shock"], "first_month": [pd.Timestamp("2024-02-01")],
    ...     "last_month": [pd.Timestamp("2024-05-01")]})
    >>> mark_plausible(scores, held)["plausible"].tolist()
    [False, True]
    """
    _need(scores, SCENARIO_ID)
    spans: dict[str, set[int]] = {}
    first, last = (_numbers(held[c]) for c in ("first_month", "last_month"))
    for name, start, stop in zip(held[SCENARIO_ID].astype(str), first, last):
        spans.setdefault(name, set()).update(range(start, stop + 1))
    keys = pd.DataFrame(
        {
            "name": scores[SCENARIO_ID].astype(str),
            "sums": scores["target"].astype(str) == TARGET_12MO,
            "month": _numbers(scores["month"]),
            "horizon": scores["horizon"].astype(int),
        }
    )
    codes, different = pd.factorize(pd.MultiIndex.from_frame(keys))
    answers = [
        None
        if horizon <= 0
        else spans.get(name, set()).issuperset(
            # The last `horizon` months follow the last known one.
            range(month - (min(horizon, 12) - 1 if sums else 0), month + 1)
        )
        for name, sums, month, horizon in different
    ]
    return scores.assign(**{PLAUSIBLE: pd.array(answers, dtype="boolean").take(codes)})


def plausibility(scores: pd.DataFrame) -> pd.DataFrame:
    """How long the assumptions of each scenario held, out of the months that are scored.

    Parameters
    ----------
    scores : DataFrame
        As :func:`mark_plausible` gives them.

    Returns
    -------
    DataFrame
        One row per target and scenario: ``target, scenario_id``; ``months`` (target months ahead
        that are scorable, of every origin), ``plausible`` (those for which it held), ``share``,
        ``first`` and ``last`` (of these; NaT if there is none).

    Raises
    ------
    ScoringError
        If a column is missing.

    Examples
    --------
    >>> scores = pd.DataFrame({"scenario_id": "shock", "target": "deaths_month", "horizon": [1, 2],
    ...     "month": pd.to_datetime(["2024-01-01", "2024-02-01"]), "scorable": True,
    ...     "as_of": pd.Timestamp("2024-06-12"), "plausible": [False, True]})
    >>> plausibility(scores)[["months", "plausible", "share"]].values.tolist()
    [[2.0, 1.0, 0.5]]
    """
    _need(scores, SCENARIO_ID, PLAUSIBLE)
    keys = ["target", SCENARIO_ID]
    units = scores.loc[_ahead(scores), [*keys, "as_of", "month", PLAUSIBLE]].drop_duplicates()
    held = units[units[PLAUSIBLE].astype(bool)].groupby(keys)["month"]
    out = units.groupby(keys, sort=True).size().to_frame("months")
    out[PLAUSIBLE] = held.size().reindex(out.index, fill_value=0)
    out["share"] = out[PLAUSIBLE] / out["months"]
    out["first"], out["last"] = held.min().reindex(out.index), held.max().reindex(out.index)
    return out.reset_index()


def calibration(scores: pd.DataFrame, baseline: str | None = None) -> pd.DataFrame:
    """Coverage and WIS of each scenario: on its plausible months, and on all.

    Parameters
    ----------
    scores : DataFrame
        Unit-level scores with ``scenario_id`` and ``model``; with ``plausible``, if that was
        judged.
    baseline : str, optional
        Model to relate WIS to, scenario by scenario.

    Returns
    -------
    DataFrame
        One row per target, level (``nation``, ``jurisdictions``), scenario, model and ``months``
        (``plausible``, ``all``; only ``all`` where plausibility was not judged), with the columns
        of :func:`~odforecast.scoring.summarise`. Months up to the last known one are left out.

    Raises
    ------
    ScoringError
        If a column is missing, or no month ahead is there.
    """
    _need(scores, SCENARIO_ID, "model")
    rows = scores[scores["horizon"] > 0]
    if rows.empty:
        raise ScoringError("no month ahead to score", hint="scenarios change months to come")
    rows = rows.assign(scorable=rows["scorable"].astype(bool))
    by = ["target", "level", SCENARIO_ID]
    parts = [summarise(rows, by, baseline).assign(months="all")]
    if PLAUSIBLE in rows:
        few = rows.assign(scorable=rows["scorable"] & rows[PLAUSIBLE].astype(bool))
        parts.insert(0, summarise(few, by, baseline).assign(months=PLAUSIBLE))
    out = pd.concat(parts, ignore_index=True)
    out.insert(len(by), "months", out.pop("months"))
    return out.sort_values([*by, "model"], kind="stable", ignore_index=True)


def nearest(scores: pd.DataFrame) -> pd.DataFrame:
    """The pool of scenarios: which one lay nearest to the truth.

    Parameters
    ----------
    scores : DataFrame
        Unit-level scores with ``scenario_id`` and ``model``.

    Returns
    -------
    DataFrame
        One row per target, level, model and scenario, the lowest WIS first: ``wis``, its mean over
        the scorable units ahead that all scenarios of the model have; ``n_common``, their number;
        ``nearest``, the share of them where it has the lowest (divided among equals). It says
        which one came true, not why: assumptions are judged by :func:`plausibility`.

    Raises
    ------
    ScoringError
        If a column is missing.

    Examples
    --------
    >>> scores = pd.DataFrame({"scenario_id": ["a", "b"], "model": "m", "target": "deaths_month",
    ...     "horizon": 1, "month": pd.Timestamp("2024-02-01"), "as_of": pd.Timestamp("2024-06-12"),
    ...     "location": "US", "scorable": True, "wis": [3.0, 2.0]})
    >>> nearest(scores)[["scenario_id", "wis", "nearest"]].values.tolist()
    [['b', 2.0, 1.0], ['a', 3.0, 0.0]]
    """
    _need(scores, SCENARIO_ID, "model", "wis")
    groups = ["target", "level", "model"]
    parts = []
    rows = with_groups(scores[_ahead(scores)], groups)
    for labels, part in rows.groupby(groups, observed=True, sort=True, dropna=False):
        keys = [k for k in UNIT_KEYS if k in part and k not in (*groups, SCENARIO_ID)]
        wide = part.set_index([*keys, SCENARIO_ID])["wis"]
        values = wide.unstack(SCENARIO_ID).dropna()
        lowest = values.eq(values.min(axis=1), axis=0)
        out = pd.DataFrame(
            {
                **dict(zip(groups, labels)),
                SCENARIO_ID: values.columns.to_numpy(),
                "wis": values.mean().to_numpy(),
                "n_common": len(values),
                "nearest": lowest.div(lowest.sum(axis=1), axis=0).mean().to_numpy(),
            }
        )
        parts.append(out.sort_values(["wis", SCENARIO_ID], kind="stable"))
    columns = [*groups, SCENARIO_ID, "wis", "n_common", "nearest"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _numbers(months: pd.Series) -> np.ndarray:
    """Months as whole numbers."""
    return months.to_numpy().astype("datetime64[M]").astype(np.int64)


def _ahead(scores: pd.DataFrame) -> pd.Series[bool]:
    """Rows that are scorable, of months after the last known one."""
    return scores["scorable"].astype(bool) & (scores["horizon"] > 0)


def _need(scores: pd.DataFrame, *columns: str) -> None:
    for name in columns:
        if name not in scores:
            raise ScoringError(
                f"the score table has no column {name!r}",
                hint=f"it has: {', '.join(map(str, scores.columns))}",
            )
