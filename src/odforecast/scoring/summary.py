"""Summaries of unit-level scores: one row per model and group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from odforecast.errors import ScoringError
from odforecast.names import TARGET_12MO
from odforecast.scoring.asked import columns_of, table_of
from odforecast.scoring.columns import with_groups
from odforecast.scoring.compare import relative_to_baseline
from odforecast.scoring.metrics import Metric
from odforecast.scoring.rates import LOG_SCORES
from odforecast.scoring.revision import against_reported

#: Means in a summary: column of the summary -> column of the unit-level table.
MEANS = {
    "wis": "wis",
    "wis_spread": "wis_spread",
    "wis_over": "wis_over",
    "wis_under": "wis_under",
    "log_wis": "log_wis",
    "crps": "crps",
    "log_score_lognormal": "log_score",
    "mae": "ae",
    "mape": "ape",
    "bias": "bias",
    "coverage_50": "cover_50",
    "coverage_80": "cover_80",
    "coverage_90": "cover_90",
    "coverage_95": "cover_95",
}


def summarise(
    scores: pd.DataFrame,
    by: str | Sequence[str] = (),
    baseline: str | None = None,
    metrics: str | Sequence[str | Metric] = (),
) -> pd.DataFrame:
    """Mean scores per model and group, best WIS first within each group.

    Parameters
    ----------
    scores : DataFrame or Results
        Unit-level scores.
    by : str or sequence of str
        Columns to group by, besides ``model``: ``horizon_group``, ``regime``, ``level``,
        ``location``, ``target``, ``vintage``, ``horizon``, ``as_of`` …
    baseline : str, optional
        Model to relate WIS to.
    metrics : sequence of str or Metric
        Further columns to average: those of metrics of a user's own.

    Returns
    -------
    DataFrame
        ``by``, ``model``, ``n_units``, ``n_scorable``, ``n_not_scorable``; means over the
        scorable units of WIS, its parts, WIS on the log scale, CRPS, the log score of a lognormal
        approximation (``log_score_lognormal``), absolute error (``mae``), absolute percentage
        error (``mape``), bias and coverage at 50/80/90/95. With a baseline: ``rel_wis``, the ratio
        of mean WIS on the units both have, and ``n_common``, their number. With a column
        ``last_reported``: ``direction``, the share of units where the median rightly says whether
        the 12-month count will be above the last reported one. With a column ``reported``, where a
        unit has one (the nowcast of published counts): ``mae_reported``, ``rel_wis_reported``,
        ``n_revised`` and ``coverage_90_revised``, see
        :func:`~odforecast.scoring.revision.against_reported`. With columns ``rps`` and
        ``rps_pooled``: ``rps``, the mean ranked probability score of the trend, and
        ``rel_rps``, its ratio to that of the pooled frequencies on the same units, where ``by``
        keeps horizons apart: up to six months ahead half or more is counted already.
        A mean is NaN, rather than a mean over fewer units, where a scorable unit lacks that
        score (no draws; a percentage of zero deaths).

    Raises
    ------
    ScoringError
        If a column is missing, or the baseline is not there.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import odforecast as od
    >>> from odforecast.scoring.summary import MEANS
    >>> scores = pd.DataFrame({"model": "a", "scorable": [True, True, False],
    ...     **{name: [1.0, 3.0, np.nan] for name in MEANS.values()}})
    >>> od.scoring.summarise(scores)[["model", "n_units", "n_not_scorable", "wis"]]
      model  n_units  n_not_scorable  wis
    0     a        3               1  2.0
    """
    scores = table_of(scores)
    groups = [name for name in columns_of(by) if name != "model"]
    means = dict(MEANS)
    means["log_score_lognormal"] = next((x for x in LOG_SCORES if x in scores), LOG_SCORES[0])
    named = [metrics] if isinstance(metrics, (str, Metric)) else list(metrics)
    names = [x.name if isinstance(x, Metric) else x for x in named]
    means |= {name: name for name in columns_of(names, "metrics")}
    needed = [*groups, "model", "scorable", *means.values()]
    table = with_groups(scores, needed)
    keys = [*groups, "model"]
    if {"last_reported", "observed", "median", "target"} <= set(table.columns):
        table = table.assign(direction=_direction(table))
        means["direction"] = "direction"
    scorable = table["scorable"].astype(bool)
    if table.empty:
        raise ScoringError("the score table is empty", hint="did every forecast fail?")
    out = table.groupby(keys, observed=True, sort=True, dropna=False).size().to_frame("n_units")
    grouped = table[scorable].groupby(keys, observed=True, sort=True, dropna=False)
    out["n_scorable"] = grouped.size().reindex(out.index, fill_value=0)
    out["n_not_scorable"] = out["n_units"] - out["n_scorable"]
    columns = list(means.values())
    values, counts = grouped[columns].mean(), grouped[columns].count()
    whole = counts.eq(grouped.size(), axis=0)
    values = values.where(whole).reindex(out.index)
    for name, column in means.items():
        out[name] = values[column]
    if "reported" in table and table["reported"].notna().any():
        out = out.join(against_reported(table, keys))
        out["n_revised"] = out["n_revised"].fillna(0).astype(int)
    apart = {"horizon", "horizon_group"} & set(groups)  # half of the near months is counted already
    if apart and {"rps", "rps_pooled"} <= set(table) and table["rps"].notna().any():
        both = table[table["rps"].notna() & table["rps_pooled"].notna()]
        mean = both.groupby(keys, observed=True, sort=True, dropna=False)[
            ["rps", "rps_pooled"]
        ].mean()
        out["rps"] = mean["rps"].reindex(out.index)
        out["rel_rps"] = (mean["rps"] / mean["rps_pooled"]).reindex(out.index)
    out = out.reset_index()
    if baseline is not None:
        out = out.merge(_relative(table, baseline, groups), on=keys, how="left")
        out["n_common"] = out["n_common"].fillna(0).astype(int)
    return out.sort_values([*groups, "wis", "model"], kind="stable", ignore_index=True)


def _relative(table: pd.DataFrame, baseline: str, groups: list[str]) -> pd.DataFrame:
    keys = [*groups, "model"]
    if not table["scorable"].any():
        found = table[keys].drop_duplicates()
        return found.assign(rel_wis=np.nan, n_common=0)
    related = relative_to_baseline(table, baseline, by=groups, bootstrap=0)
    related = related.rename(columns={"ratio": "rel_wis"})[[*keys, "rel_wis", "n_common"]]
    for name in groups:  # categories survive a merge only if both sides have them
        if isinstance(table[name].dtype, pd.CategoricalDtype):
            related[name] = related[name].astype(table[name].dtype)
    return related.assign(model=related["model"].astype(table["model"].dtype))


def _direction(table: pd.DataFrame) -> pd.Series[float]:
    """1 where the median is on the observation's side of the last reported count, else 0."""
    right = (table["median"] > table["last_reported"]) == (
        table["observed"] > table["last_reported"]
    )
    known = (table["target"].astype(str) == TARGET_12MO) & table["last_reported"].notna()
    return right.astype(float).where(known & table["observed"].notna())
