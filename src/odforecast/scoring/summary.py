"""Summaries of unit-level scores: models and groups, counties, scenarios."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScoringError
from odforecast.names import SCENARIO_ID, TARGET_12MO
from odforecast.scoring import columns
from odforecast.scoring.columns import (
    UNIT_KEYS,
    columns_of,
    groups_of,
    need,
    with_groups,
)
from odforecast.scoring.metrics import Metric
from odforecast.scoring.pairs import relative_to_baseline
from odforecast.scoring.rules import Floats
from odforecast.scoring.units import LOG_SCORES, revised

#: Means in a summary: column of the summary -> column of the unit-level table.
MEANS = {
    name: name
    for name in ("wis", "wis_spread", "wis_over", "wis_under", "log_wis", "crps")
}
MEANS |= {
    "log_score_lognormal": "log_score",
    "mae": "ae",
    "mape": "ape",
    "bias": "bias",
}
MEANS |= {f"coverage_{k}": f"cover_{k}" for k in (50, 80, 90, 95)}


def summarise(
    scores: pd.DataFrame,
    by: str | Sequence[str] = (),
    baseline: str | None = None,
    metrics: str | Sequence[str | Metric] = (),
) -> pd.DataFrame:
    """Mean scores per model and group, best WIS first.

    Parameters
    ----------
    by : str or sequence of str
        Columns to group by besides ``model``: ``horizon_group``, ``regime``, ``level``,
        ``location``, ``target``, ``vintage``, ``horizon``, ``as_of`` …
    baseline : str, optional
        Model for relative WIS.
    metrics : sequence of str or Metric
        More columns to average.

    Returns
    -------
    DataFrame
        ``by``, ``model``, ``n_units``, ``n_scorable``, ``n_not_scorable``; means of WIS and its
        parts, ``log_wis``, CRPS, ``log_score_lognormal``, ``mae``, ``mape``, bias and coverage at
        50/80/90/95. With a baseline: ``rel_wis`` on the ``n_common`` units both have. With
        ``last_reported``: ``direction``, the share of medians on the right side of the last
        reported count. For the nowcast: ``mae_reported`` (mean absolute revision),
        ``rel_wis_reported`` (mean WIS over it), ``n_revised`` and ``coverage_90_revised``. With
        ``rps``: ``rps`` and ``rel_rps`` (over past frequencies) where ``by`` separates horizons.
        A mean is NaN where a scorable unit lacks the score.

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
    scores = columns.table_of(scores)
    groups = [name for name in columns_of(by) if name != "model"]
    keys = [*groups, "model"]
    requested = [metrics] if isinstance(metrics, (str, Metric)) else list(metrics)
    names = [x.name if isinstance(x, Metric) else x for x in requested]
    means = MEANS | {name: name for name in columns_of(names, "metrics")}
    means["log_score_lognormal"] = next(
        (x for x in LOG_SCORES if x in scores), LOG_SCORES[0]
    )
    if twice := [
        name for name, column in means.items() if name != column and column in means
    ]:
        raise ScoringError(
            f"metrics names {means[twice[0]]!r}, which every summary has as {twice[0]!r}",
            hint="leave it out",
        )
    nowcast = "reported" in scores and scores["reported"].notna().any()
    of_nowcast = ("target", "observed") if nowcast else ()
    table = with_groups(scores, [*keys, "scorable", *means.values(), *of_nowcast])
    if {"last_reported", "observed", "median", "target"} <= set(table.columns):
        table = table.assign(direction=_direction(table))
        means["direction"] = "direction"
    if table.empty:
        raise ScoringError("the score table is empty", hint="did every forecast fail?")

    def grouped(rows: pd.DataFrame) -> Any:
        """Rows by group and model."""
        return rows.groupby(
            keys,
            observed=True,
            sort=True,
            dropna=False,
        )

    out: pd.DataFrame = grouped(table).size().to_frame("n_units")
    scored = grouped(table[table["scorable"].astype(bool)])
    out["n_scorable"] = scored.size().reindex(out.index, fill_value=0)
    out["n_not_scorable"] = out["n_units"] - out["n_scorable"]
    averages = scored[list(means.values())]
    complete = averages.count().eq(scored.size(), axis=0)
    averages = averages.mean().where(complete).reindex(out.index)
    for name, column in means.items():
        out[name] = averages[column]
    if nowcast:
        moves = grouped(_revisions(table))
        out["n_revised"] = moves["moved"].sum().reindex(out.index).fillna(0).astype(int)
        mean = moves[["revision", "covered", "wis"]].mean().reindex(out.index)
        share = (mean["wis"] / mean["revision"]).where(mean["revision"] > 0)
        out["mae_reported"] = mean["revision"]
        out["rel_wis_reported"] = share
        out["coverage_90_revised"] = mean["covered"]
    split = {"horizon", "horizon_group"} & set(
        groups
    )  # half of the near months is counted already
    if split and {"rps", "rps_pooled"} <= set(table) and table["rps"].notna().any():
        paired = table[table["rps"].notna() & table["rps_pooled"].notna()]
        mean = grouped(paired)[["rps", "rps_pooled"]].mean().reindex(out.index)
        out["rps"] = mean["rps"]
        out["rel_rps"] = mean["rps"] / mean["rps_pooled"]
    out = out.reset_index()
    if baseline is not None:
        out = out.merge(_relative(table, baseline, groups=groups), on=keys, how="left")
        out["n_common"] = out["n_common"].fillna(0).astype(int)
    return out.sort_values([*groups, "wis", "model"], kind="stable", ignore_index=True)


def _direction(table: pd.DataFrame) -> pd.Series[float]:
    """1 where the median is on the observation's side of the last reported count, else 0."""
    last = table["last_reported"]
    right = (table["median"] > last) == (table["observed"] > last)
    comparable = (table["target"].astype(str) == TARGET_12MO) & last.notna()
    return right.astype(float).where(comparable & table["observed"].notna())


def _revisions(table: pd.DataFrame) -> pd.DataFrame:
    """Scorable units of the nowcast, with how far the reported counts moved."""
    comparable = table["scorable"].astype(bool) & table["reported"].notna()
    rows = table[comparable & (table["target"].astype(str) == TARGET_12MO)]
    moved = revised(rows["observed"], rows["reported"])
    if "revised" in rows:  # as it was in deaths, should the table be per 100,000
        moved = rows["revised"].to_numpy(dtype=bool)
    revision = (rows["observed"] - rows["reported"]).abs()
    return rows.assign(
        moved=moved,
        revision=revision,
        covered=rows["cover_90"].where(moved),
    )


def _relative(table: pd.DataFrame, baseline: str, groups: list[str]) -> pd.DataFrame:
    keys = [*groups, "model"]
    if not table["scorable"].any():
        groups_without = table[keys].drop_duplicates()
        return groups_without.assign(rel_wis=np.nan, n_common=0)
    related = relative_to_baseline(table, baseline, by=groups, bootstrap=0)
    related = related.rename(columns={"ratio": "rel_wis"})[
        [*keys, "rel_wis", "n_common"]
    ]
    # Categories survive a merge only if both sides have them.
    return related.astype({name: table[name].dtype for name in keys})


#: Model that county scores are related to.
COUNTY_BASELINE: Final = "county-hub-baseline"
#: What every table of county scores is to be called with.
COUNTY_TITLE: Final = "one plateau, one release, provisional truth"


def is_of_counties(scores: pd.DataFrame) -> bool:
    """Whether a score table has the columns of counties."""
    return {"twcrps", "size", "observed_low"} <= set(scores.columns)


def county_leaderboard(
    scores: pd.DataFrame,
    by: str | Sequence[str] = ("horizon",),
    baseline: str | None = COUNTY_BASELINE,
) -> pd.DataFrame:
    """Scores of counties per model and group, best threshold-weighted CRPS first.

    Parameters
    ----------
    by : str or sequence of str
        ``horizon``, ``size``, ``urban``, ``visible``, ``as_of`` …
    baseline : str or None
        Model for relative scores.

    Returns
    -------
    DataFrame
        ``by``, ``model``; ``n_units``, ``n_counties``, ``n_states``, ``n_unknown``. Over **all**
        counties ``twcrps`` and ``rps`` with ratios (``rel_``) and standard errors over states
        (``se_``). Over counties **visible at the origin** ``n_visible``, ``twwis``, and for exact
        counts ``n_wis``, ``wis``, ``coverage_50``, ``coverage_90``, with ratios and standard
        errors. ``attrs["title"]`` names what the truth is.

    Raises
    ------
    ScoringError
        If these are not scores of counties, a column is missing, or a unit appears twice.

    Examples
    --------
    >>> import pandas as pd
    >>> from odforecast.scoring import county_leaderboard
    >>> rows = dict(as_of="2022-11-15", location=["39001", "54001"] * 2, month="2022-09",
    ...     horizon=3, observed_low=[12, 1] * 2, observed_high=[12, 9] * 2, bounded=True,
    ...     scorable=[True, False] * 2, visible=True, size="10-19", rps_bands=[0.1, 0.2] * 2,
    ...     model=["a", "a", "county-hub-baseline", "county-hub-baseline"],
    ...     twcrps=[1.0, 0.5, 2.0, 1.0], twwis=1.0, wis=1.0, cover_50=1.0, cover_90=1.0)
    >>> county_leaderboard(pd.DataFrame(rows))[["model", "n_units", "rel_twcrps", "se_twcrps"]]
                     model  n_units  rel_twcrps  se_twcrps
    0                    a        2         0.5        0.0
    1  county-hub-baseline        2         1.0        0.0
    """

    def lines(rows: pd.DataFrame, whole: Mapping[str, pd.DataFrame]) -> Lines:
        base = whole.get(baseline) if baseline is not None else None
        bounded = rows[rows["bounded"]]
        visible = bounded[bounded["visible"]]
        exact = visible[visible["scorable"]]
        yield {
            "n_units": len(bounded),
            "n_counties": bounded["location"].nunique(),
            "n_states": len(set(_states(bounded))),
            "n_unknown": len(rows) - len(bounded),
            **_related("twcrps", "twcrps", rows=bounded, base=base),
            **_related("rps", "rps_bands", rows=bounded, base=base),
            "n_visible": len(visible),
            **_related("twwis", "twwis", rows=visible, base=base),
            "n_wis": len(exact),
            **_related("wis", "wis", rows=exact, base=base),
            **{f"coverage_{k}": exact[f"cover_{k}"].mean() for k in (50, 90)},
            "se_coverage_90": _mean_error(exact["cover_90"], exact),
        }

    groups = [name for name in columns_of(by) if name != "model"]
    table = _by_model(scores, groups, lines=lines)
    order = [*groups, "twcrps", "model"]
    return table.sort_values(order, kind="stable", ignore_index=True)


def county_coverage(
    scores: pd.DataFrame, by: str | Sequence[str] = ("horizon", "size")
) -> pd.DataFrame:
    """How often intervals hold the count, and how PIT values are spread, per model and group.

    Returns
    -------
    DataFrame
        ``by``, ``model``; ``n_exact`` units with a known count, and of those the shares within the
        intervals, ``coverage_50`` … ``coverage_95``, with ``se_coverage_90`` over states;
        ``n_bounded`` units of which anything is known (hidden and lost ones too), and of their
        randomized PIT the share in the middle 90%, ``pit_90`` (.90 if calibrated, whatever is
        hidden), ``pit_mean`` and ``pit_spread`` (1 if calibrated, above: too narrow). Counts
        known to be exact are a selection where others are hidden: ``pit_90`` is over all.
    """

    def lines(rows: pd.DataFrame, _: object) -> Lines:
        exact = rows[rows["scorable"]]
        pit = rows["pit"].dropna()
        coverage = {
            f"coverage_{k}": exact[f"cover_{k}"].mean() for k in (50, 80, 90, 95)
        }
        yield {
            "n_exact": len(exact),
            **coverage,
            "se_coverage_90": _mean_error(exact["cover_90"], exact),
            "n_bounded": len(pit),
            "pit_90": float(((pit >= 0.05) & (pit < 0.95)).mean())
            if len(pit)
            else np.nan,
            "pit_mean": pit.mean(),
            "pit_spread": pit.std(ddof=0) * np.sqrt(12.0),
        }

    return _by_model(scores, columns_of(by), lines=lines)


def ten_or_more(
    scores: pd.DataFrame, by: str | Sequence[str] = ("horizon",), bins: int = 10
) -> pd.DataFrame:
    """Probability of 10 or more deaths against how often it happened, per model and group.

    Parameters
    ----------
    scores : DataFrame
        Unit-level scores of counties; every county counts of which it is known whether it had 10.
    bins : int
        Equal classes of the chance.

    Returns
    -------
    DataFrame
        ``by``, ``model``, ``left``, ``right`` (the class), ``n``, ``given`` (mean chance),
        ``came`` (share with 10 or more), ``gap`` (came minus given), ``se`` (of the gap, over
        states). Classes without units are left out.
    """
    if bins < 1:
        raise ScoringError(f"bins is {bins}, at least 1 is needed")

    def lines(rows: pd.DataFrame, _: object) -> Lines:
        rows = rows[(rows["observed_low"] >= 10) | (rows["observed_high"] < 10)]
        chance = rows["p_ten"].to_numpy(dtype=float)
        happened = (rows["observed_low"] >= 10).to_numpy(dtype=float)
        at = np.minimum((chance * bins).astype(int), bins - 1)
        for i in np.unique(at):
            in_bin = at == i
            gap = pd.Series(happened[in_bin] - chance[in_bin])
            yield {
                "left": i / bins,
                "right": (i + 1) / bins,
                "n": int(in_bin.sum()),
                "given": float(chance[in_bin].mean()),
                "came": float(happened[in_bin].mean()),
                "gap": float(gap.mean()),
                "se": _mean_error(gap, rows[in_bin]),
            }

    return _by_model(scores, columns_of(by), lines=lines)


#: Lines of a table of counties, from a model's units and those of all models.
Lines = Iterator[dict[str, object]]


def _by_model(
    scores: pd.DataFrame,
    by: Sequence[str],
    lines: Callable[[pd.DataFrame, Mapping[str, pd.DataFrame]], Lines],
) -> pd.DataFrame:
    """Lines of each model in each group; models are compared on the same units."""
    if not is_of_counties(scores):
        raise ScoringError(
            "these are not scores of counties",
            hint="od.score of a forecast of counties makes them",
        )
    if scores.empty:
        raise ScoringError("the score table is empty", hint="did every forecast fail?")
    scores = with_groups(scores, by)
    out = []
    if "size" in by:
        scores = _sized(scores)
    keys = [k for k in UNIT_KEYS if k in scores]
    columns.refuse_twice(scores, keys)
    for labels, part in groups_of(scores, by):
        units = part.groupby(keys, observed=True, dropna=False, sort=False)
        unit = units.ngroup()
        names = part["model"].astype(str).to_numpy()
        whole = {
            str(model): rows for model, rows in part.set_index(unit).groupby(names)
        }
        for model, rows in whole.items():
            out += [labels | {"model": model} | line for line in lines(rows, whole)]
    table = pd.DataFrame(out)
    if "size" in table:
        table = _sized(table)
    table.attrs["title"] = COUNTY_TITLE
    return table


def _sized(table: pd.DataFrame) -> pd.DataFrame:
    """The table, its classes of size in their order."""
    classes = (*columns.COUNTY_SIZES, "")
    return table.assign(
        size=pd.Categorical(table["size"].astype(str), classes, ordered=True)
    )


def _related(
    name: str,
    column: str,
    rows: pd.DataFrame,
    base: pd.DataFrame | None,
) -> dict[str, object]:
    """Mean of a score, its ratio to the baseline's on common units, and that one's error."""
    ratio = np.nan
    error = np.nan
    if base is not None:
        baseline = base[column].reindex(rows.index)
        common = (rows[column].notna() & baseline.notna()).to_numpy()
        scores = rows[column].to_numpy(float)[common]
        baseline_scores = baseline.to_numpy(float)[common]
        states = _states(rows[common])
        ratio, error = ratio_error(scores, baseline_scores, clusters=states)
    mean = rows[column].mean()
    return {name: mean, f"rel_{name}": ratio, f"se_{name}": error}


def ratio_error(
    scores: Floats, baseline: Floats, clusters: NDArray[np.object_]
) -> tuple[float, float]:
    """A ratio of sums and its standard error, clusters drawn as wholes (linearised)."""
    total = float(baseline.sum())
    if not scores.size or total == 0.0:
        return float("nan"), float("nan")
    ratio = float(scores.sum()) / total
    _, at = np.unique(clusters.astype(str), return_inverse=True)
    n = int(at.max()) + 1
    if n < 2:
        return ratio, float("nan")
    gap = np.bincount(at, weights=scores - ratio * baseline, minlength=n)
    return ratio, float(np.sqrt(n / (n - 1) * (gap**2).sum()) / total)


def _mean_error(values: pd.Series[float], rows: pd.DataFrame) -> float:
    """Standard error of a mean over some rows, over states."""
    numbers = np.asarray(values, dtype=np.float64)
    return ratio_error(numbers, np.ones_like(numbers), clusters=_states(rows))[1]


def _states(rows: pd.DataFrame) -> NDArray[np.object_]:
    """State of each county, the first two digits of its FIPS code."""
    return rows["location"].astype(str).str[:2].to_numpy(dtype=object)


#: Whether a scenario's assumptions held for what a row forecasts.
PLAUSIBLE = "plausible"


def mark_plausible(scores: pd.DataFrame, assumptions: pd.DataFrame) -> pd.DataFrame:
    """Say of every row whether its scenario's assumptions held for it."""
    need(scores, [SCENARIO_ID])
    spans: dict[str, set[int]] = {}
    ids = assumptions[SCENARIO_ID].astype(str)
    first = _numbers(assumptions["first_month"])
    last = _numbers(assumptions["last_month"])
    for name, start, stop in zip(ids, first, last):
        span = spans.setdefault(name, set())
        span.update(range(start, stop + 1))
    sums = scores["target"].astype(str) == TARGET_12MO
    months = _numbers(scores["month"])
    names = scores[SCENARIO_ID].astype(str)
    horizons = scores["horizon"].astype(int)
    keys: list[Any] = [names, sums, months, horizons]
    codes, different = pd.factorize(pd.MultiIndex.from_arrays(keys))
    answers: list[bool | None] = []
    for name, of_year, month, horizon in different:
        if horizon <= 0:
            answers.append(None)
            continue
        # The last `horizon` months follow the last known one.
        first_month = month - (min(horizon, 12) - 1) if of_year else month
        months_ahead = range(first_month, month + 1)
        span = spans.get(name, set())
        answers.append(span.issuperset(months_ahead))
    plausible = pd.array(answers, dtype="boolean").take(codes)
    return scores.assign(**{PLAUSIBLE: plausible})


def plausibility(scores: pd.DataFrame) -> pd.DataFrame:
    """How long the assumptions of each scenario held, out of the months that are scored."""
    need(scores, [SCENARIO_ID, PLAUSIBLE])
    keys = ["target", SCENARIO_ID]
    units = scores.loc[
        _ahead(scores), [*keys, "as_of", "month", PLAUSIBLE]
    ].drop_duplicates()
    fulfilled = units[units[PLAUSIBLE].astype(bool)].groupby(keys)["month"]
    out = units.groupby(keys, sort=True).size().to_frame("months")
    out[PLAUSIBLE] = fulfilled.size().reindex(out.index, fill_value=0)
    out["share"] = out[PLAUSIBLE] / out["months"]
    out["first"] = fulfilled.min().reindex(out.index)
    out["last"] = fulfilled.max().reindex(out.index)
    return out.reset_index()


def calibration(scores: pd.DataFrame, baseline: str | None = None) -> pd.DataFrame:
    """Coverage and WIS of each scenario: on its plausible months, and on all."""
    need(scores, [SCENARIO_ID, "model"])
    rows = scores[scores["horizon"] > 0]
    if rows.empty:
        raise ScoringError(
            "no month ahead to score", hint="scenarios change months to come"
        )
    rows = rows.assign(scorable=rows["scorable"].astype(bool))
    by = ["target", "level", SCENARIO_ID]
    parts = [summarise(rows, by, baseline=baseline).assign(months="all")]
    if PLAUSIBLE in rows:
        plausible = rows.assign(
            scorable=rows["scorable"] & rows[PLAUSIBLE].astype(bool)
        )
        parts.insert(
            0, summarise(plausible, by, baseline=baseline).assign(months=PLAUSIBLE)
        )
    out = pd.concat(parts, ignore_index=True)
    out.insert(len(by), "months", out.pop("months"))
    return out.sort_values([*by, "model"], kind="stable", ignore_index=True)


def nearest(scores: pd.DataFrame) -> pd.DataFrame:
    """The pool of scenarios: which one lay nearest to the truth."""
    need(scores, [SCENARIO_ID, "model", "wis"])
    groups = ["target", "level", "model"]
    parts = []
    for labels, part in groups_of(with_groups(scores[_ahead(scores)], groups), groups):
        keys = [k for k in UNIT_KEYS if k in part and k not in (*groups, SCENARIO_ID)]
        wide = part.set_index([*keys, SCENARIO_ID])["wis"]
        values = wide.unstack(SCENARIO_ID).dropna()
        lowest = values.eq(values.min(axis=1), axis=0)
        columns = labels | {
            SCENARIO_ID: values.columns.to_numpy(),
            "wis": values.mean().to_numpy(),
            "n_common": len(values),
            "nearest": lowest.div(lowest.sum(axis=1), axis=0).mean().to_numpy(),
        }
        parts.append(
            pd.DataFrame(columns).sort_values(["wis", SCENARIO_ID], kind="stable")
        )
    names = [*groups, SCENARIO_ID, "wis", "n_common", "nearest"]
    if not parts:
        return pd.DataFrame(columns=names)
    return pd.concat(parts, ignore_index=True)


def _numbers(months: pd.Series) -> np.ndarray:
    """Months as whole numbers."""
    return months.to_numpy().astype("datetime64[M]").astype(np.int64)


def _ahead(scores: pd.DataFrame) -> pd.Series[bool]:
    """Rows that are scorable, of months after the last known one."""
    return scores["scorable"].astype(bool) & (scores["horizon"] > 0)
