"""Score every unit of a forecast: one row per (location, month), nothing dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from odforecast.errors import ScoringError
from odforecast.forecasts import Forecast
from odforecast.forecasts.adding import between, count_last, in_order
from odforecast.forecasts.tables import published
from odforecast.geography.places import LOCATIONS, lookup, population
from odforecast.names import COUNTIES, HUB_QUANTILES, LOCATION, SCENARIO_ID, TARGET_12MO
from odforecast.panel import Panel
from odforecast.scoring import columns, rules
from odforecast.scoring.columns import METRIC_COLUMNS
from odforecast.scoring.metrics import Metric, apply_metric, check_metrics
from odforecast.scoring.rules import Floats, coverages, quantiles_sorted
from odforecast.scoring.trend import trend_pair
from odforecast.scoring.truth import Truth, forecast_and_truth, months_ahead
from odforecast.seeds import seed_from

#: Values to score against and why the others cannot be: ``Truth.observed`` of the backtest.
Observe = Callable[
    [Sequence[str], NDArray[np.datetime64], str], tuple[Floats, NDArray[np.object_]]
]


#: Columns of a table before it is one: arrays of one length, or a value that all rows have.
Columns = dict[str, Any]

#: Draws are scored in blocks of places of this many values, which stay in a core's own memory.
_BLOCK_VALUES = 1 << 16


def score_units(
    forecast: Forecast,
    observed: ArrayLike,
    target: str = TARGET_12MO,
    horizons: Sequence[int] | None = None,
    bounds: tuple[Floats, Floats] | None = None,
) -> pd.DataFrame:
    """Score every unit of a forecast against an array of counts.

    Parameters
    ----------
    observed : array_like, shape (L, M)
        Truth in the order of ``forecast.locations`` and months; NaN where unknown.
    target : {"deaths_12mo", "deaths_month"}
    horizons : sequence of int, optional
        Months after the panel's last month; default: all.
    bounds : pair of ndarray, shape (L, M), optional
        Lower and upper bounds of counts that are not known exactly; adds the columns of
        :func:`odforecast.scoring.rules.bounded_scores`.

    Returns
    -------
    DataFrame
        L × M rows, months fastest: :data:`~odforecast.scoring.columns.UNIT_COLUMNS`, ``median``
        and :data:`~odforecast.scoring.columns.METRIC_COLUMNS`. WIS uses the 23 hub quantiles.
        Units without truth have ``scorable`` False, a reason, and NaN scores.

    Raises
    ------
    ScoringError
        If ``observed`` has another shape, or an infinite or negative count.
    ForecastError
        If the forecast does not have the target.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel().select(["US"])
    >>> forecast = od.get_model("drift").fit(panel).forecast(horizon=2, draws=200, seed=1)
    >>> table = od.scoring.score_units(forecast, [[75_000.0, np.nan]])
    >>> table["scorable"].tolist(), bool(table["wis"].isna()[1])
    ([True, False], True)
    """
    return pd.DataFrame(
        unit_columns(
            forecast, observed, target=target, horizons=horizons, bounds=bounds
        )[0]
    )


def unit_columns(
    forecast: Forecast,
    observed: ArrayLike,
    target: str = TARGET_12MO,
    horizons: Sequence[int] | None = None,
    bounds: tuple[Floats, Floats] | None = None,
    levels: Sequence[float] = (),
    locations: Sequence[str] | None = None,
) -> tuple[Columns, Floats]:
    """Columns of :func:`score_units` and quantiles of the same draws, sorted once."""
    locations = forecast.locations if locations is None else locations
    months = picked_months(forecast, horizons)
    n_loc = len(locations)
    n_months = months.size
    shape = (n_loc, n_months)
    truth = np.asarray(observed, dtype=float)
    if truth.shape != shape:
        raise ScoringError(
            f"observed has shape {truth.shape}, the forecast has (locations, months) = {shape}"
        )
    if np.isinf(truth).any() or (truth < 0).any():
        raise ScoringError(
            "observed counts must be finite and not negative, or NaN if unknown"
        )
    samples = forecast.samples(target)
    n_draws = len(samples)
    rows = rows_of(forecast, locations)
    every_month = n_months == samples.shape[2]
    key = (forecast.provenance.get("model", ""), forecast.as_of, target)
    uniforms = _uniforms(key, locations, n_months=forecast.months.size)[:, months]
    blocks: list[dict[str, Floats]] = []
    step = max(1, _BLOCK_VALUES // (n_draws * n_months))
    for start in range(0, n_loc, step):
        block = slice(start, start + step)
        draws = samples.take(rows[block], axis=1)
        if not every_month:
            draws = draws[:, :, months]
        ordered = in_order(draws.reshape(n_draws, -1))
        y = truth[block].ravel()
        u = uniforms[block].ravel()
        scores = _draw_scores(ordered, y, uniforms=u)
        if bounds is not None:
            low, high = (np.asarray(x, dtype=float)[block].ravel() for x in bounds)
            scores |= rules.bounded_scores(ordered, low, high=high, uniforms=u)
        hub = quantiles_sorted(ordered, HUB_QUANTILES)
        stored = between(ordered, levels)
        blocks.append(scores | {"hub": hub, "kept": stored})
    scores = {
        name: np.concatenate([x[name] for x in blocks], axis=-1) for name in blocks[0]
    }
    hub = scores.pop("hub")
    stored = scores.pop("kept")
    y = truth.ravel()
    scores = _quantile_scores(hub, HUB_QUANTILES, y=y) | scores
    places = np.repeat(np.array(locations, dtype=object), n_months)
    ahead, at = (
        np.tile(x[months], n_loc) for x in (forecast.horizons, forecast.months)
    )
    reasons = np.where(np.isnan(y), "no observed value", "").astype(object)
    table = _columns(
        scores,
        forecast.as_of,
        location=places,
        target=target,
        horizon=ahead,
        month=at,
        observed=y,
        reason=reasons,
        n_draws=n_draws,
    )
    return table, stored.reshape(len(levels), n_loc, n_months)


def rows_of(forecast: Forecast, locations: Sequence[str]) -> NDArray[np.intp]:
    """Positions of places in a forecast."""
    position = {place: row for row, place in enumerate(forecast.locations)}
    return np.array([position[place] for place in locations], dtype=np.intp)


def picked_months(
    forecast: Forecast, horizons: Sequence[int] | None
) -> NDArray[np.intp]:
    """Positions of the months at these horizons, in order; of all months by default."""
    if horizons is None:
        return np.arange(forecast.months.size)
    ahead = forecast.horizons
    return np.flatnonzero(np.isin(ahead, months_ahead(horizons, ahead.tolist())))


def score_hub(table: pd.DataFrame, observe: Observe) -> pd.DataFrame:
    """Scores of a hubverse table, as read by :func:`odforecast.hub.read_hub`.

    Rows of a trend (``pmf``) are left out. Quantiles give WIS, absolute error, bias and
    coverage. Samples also give CRPS, log score
    and PIT; where a unit has both, its quantiles are scored, and samples add the rest.

    Parameters
    ----------
    table : DataFrame
        Columns of :data:`odforecast.names.HUB_COLUMNS`, and ``scenario_id`` where it has
        several scenarios; checked.
    observe : callable
        ``(locations, months, target) -> (values, reasons)``, arrays of shape (L, M); for
        example :meth:`odforecast.scoring.Truth.observed`.

    Returns
    -------
    DataFrame
        One row per (origin, location, target, month), with ``as_of`` and ``last_month``,
        ``scenario_id`` if the table has it (then a row per scenario too), and the columns of
        :func:`score_units`; ``n_draws`` 0 where there are no samples.

    Raises
    ------
    ScoringError
        If a unit has quantile levels from which no WIS can be computed.
    """
    if table.empty:
        raise ScoringError("the table has no forecasts", hint="is the file empty?")
    # What the trend is compared with is not in a file: it is scored where it is made.
    table = table[table["output_type"] != "pmf"].astype({"output_type_id": float})
    if table.empty:
        raise ScoringError(
            "the table holds chances of the trend only, which are not scored from files",
            hint="odforecast backtest scores them (rps)",
        )
    parts = []
    scenario = [SCENARIO_ID] if SCENARIO_ID in table else []
    for (origin, *named, target), rows in table.groupby(
        ["origin_date", *scenario, "target"]
    ):
        day = pd.Timestamp(str(origin))
        part = _score_origin(rows, day, target=str(target), observe=observe)
        last = part["month"].astype("datetime64[M]") - part["horizon"].astype(
            "timedelta64[M]"
        )
        first = {"as_of": day, "last_month": last.astype("datetime64[s]")}
        parts.append(pd.DataFrame(first | dict(zip(scenario, map(str, named))) | part))
    return pd.concat(parts, ignore_index=True)


def _quantile_scores(
    values: Floats, levels: Sequence[float], y: Floats
) -> dict[str, Floats]:
    """Scores from quantiles (Q, U) and observations (U,)."""
    median = values[len(levels) // 2]
    counts = (values >= 0).all(axis=0)
    # A log scale needs counts.
    logs = np.log1p(np.where(counts, values, 0.0))
    log_wis = rules.weighted_interval_score(logs, levels, observed=np.log1p(y)).total
    names = ("wis", "wis_spread", "wis_over", "wis_under")
    return {
        "median": median,
        **dict(zip(names, rules.weighted_interval_score(values, levels, observed=y))),
        "log_wis": np.where(counts, log_wis, np.nan),
        "ae": rules.absolute_error(median, y),
        "ape": rules.absolute_percentage_error(median, y),
        **coverages(values, levels, observed=y),
    }


def _draw_scores(ordered: Floats, y: Floats, uniforms: Floats) -> dict[str, Floats]:
    """Scores that need draws, sorted (U, D); ``uniforms`` (U,) break the ties of the PIT."""
    gap = ordered - y[:, None]
    above = gap > 0
    below = count_last(gap < 0)
    within = ordered.shape[1] - count_last(above)
    pit = (below + uniforms * (1 + (within - below))) / (ordered.shape[1] + 1)
    return {
        "crps": rules.crps_of_gaps(gap, above),
        "log_score": rules.log_score_sorted(ordered, y),
        "bias": rules.bias_of_ranks(below, within, n=ordered.shape[1], observed=y),
        "pit": np.where(np.isnan(y), np.nan, pit),
    }


def _uniforms(
    key: tuple[object, ...], locations: Sequence[str], n_months: int
) -> Floats:
    """Uniform numbers (L, M) that depend on the labels alone, not on which others are there."""
    seeds = [seed_from("pit", *key, state) for state in locations]
    return np.array([np.random.default_rng(seed).random(n_months) for seed in seeds])


def observed_units(
    observe: Observe,
    states: NDArray[np.object_],
    months: NDArray[np.datetime64],
    target: str = TARGET_12MO,
) -> tuple[Floats, NDArray[np.object_]]:
    """Truth of single (location, month) units, read off the grid that ``observe`` gives."""
    places, row = np.unique(states.astype(str), return_inverse=True)
    grid, column = np.unique(months, return_inverse=True)
    values, reasons = observe([str(s) for s in places], grid, target)
    return values[row, column], reasons[row, column]


def _score_origin(
    rows: pd.DataFrame,
    origin: pd.Timestamp,
    target: str,
    observe: Observe,
) -> Columns:
    """Columns of scores of the rows of one origin and target of a hub table."""
    keys = ["location", "target_end_date", "horizon"]
    units = pd.MultiIndex.from_frame(rows[keys].drop_duplicates()).sort_values()
    states = np.array(
        [lookup(code).state for code in units.get_level_values(0)], dtype=object
    )
    months = units.get_level_values(1).to_numpy().astype("datetime64[M]")
    y, reasons = observed_units(observe, states, months=months, target=target)
    scores = {name: np.full(len(units), np.nan) for name in ("median", *METRIC_COLUMNS)}
    n_draws = np.zeros(len(units), dtype=np.int64)
    for kind in (
        "sample",
        "quantile",
    ):  # quantiles last: they overrule those of samples
        block = rows[rows["output_type"] == kind].sort_values([*keys, "output_type_id"])
        if block.empty:
            continue
        sizes = block.groupby(keys, sort=True).size()
        if sizes.min() != sizes.max():
            raise ScoringError(
                f"units of {origin.date()} have {sizes.min()} to {sizes.max()} rows of "
                f"output_type {kind}, for example {sizes.idxmin()}",
                hint="every unit needs the same levels or the same number of samples",
            )
        n = int(sizes.iloc[0])
        at = units.get_indexer(sizes.index)
        values = block["value"].to_numpy(dtype=float).reshape(-1, n)
        if kind == "sample":
            ordered = np.sort(values, axis=1)
            key = ("", origin.date(), target)
            uniforms = [
                _uniforms((*key, m), [s], n_months=1)[0, 0]
                for s, m in zip(states, months)
            ]
            hub = quantiles_sorted(ordered, HUB_QUANTILES)
            part = _quantile_scores(hub, HUB_QUANTILES, y=y[at])
            part |= _draw_scores(ordered, y[at], uniforms=np.array(uniforms)[at])
            n_draws[at] = n
        else:
            levels = block["output_type_id"].to_numpy(dtype=float).reshape(-1, n)
            if (levels != levels[0]).any():
                raise ScoringError(
                    f"units of {origin.date()} have different quantile levels",
                    hint="give every unit the same levels",
                )
            tau = levels[0].tolist()
            part = _quantile_scores(values.T, tau, y=y[at])
            part["bias"] = rules.bias_from_quantiles(values.T, tau, observed=y[at])
        for name, values_of_score in part.items():
            scores[name][at] = values_of_score
    horizon = units.get_level_values(2).to_numpy().astype(np.int64)
    return _columns(
        scores,
        origin,
        location=states,
        target=target,
        horizon=horizon,
        month=months,
        observed=y,
        reason=reasons,
        n_draws=n_draws,
    )


def _columns(scores: dict[str, Floats], as_of: Any, **units: Any) -> Columns:
    """The columns of the unit-level table, in their order."""
    months = units["month"]
    table = units | scores
    table["month"] = months.astype("datetime64[s]")
    table["horizon_from_origin"] = (months - np.datetime64(as_of, "M")).astype(np.int64)
    table["regime"] = columns.regimes(months)
    table["scorable"] = ~np.isnan(units["observed"])
    names = dict.fromkeys((*columns.UNIT_COLUMNS, "median", *METRIC_COLUMNS, *scores))
    return {name: table[name] for name in names}


def score(
    forecast: Forecast,
    truth: Truth,
    target: str = TARGET_12MO,
    known: Panel | None = None,
    horizons: Sequence[int] | None = None,
    metrics: Sequence[Metric | str] = (),
) -> pd.DataFrame:
    """Score a forecast against a later release: one row per location and month.

    Parameters
    ----------
    truth : Truth
        A count that is too young is *not scorable*, with the reason.
    target : {"deaths_12mo", "deaths_month"}
    known : Panel, optional
        The whole panel of the origin, for past frequencies of the trend.
    horizons : sequence of int, optional
        Months after the panel's last month; default: all.
    metrics : sequence of Metric or str
        More scores, each a column (:class:`odforecast.scoring.metrics.Metric`).

    Returns
    -------
    DataFrame
        The columns of :func:`odforecast.scoring.score_units` with ``truth``, ``truth_release``,
        ``reason``, ``last_reported``, ``reported`` (the count in the forecast's own release),
        ``revised`` (whether it changed), ``joint_locations``, ``horizon_from_origin``,
        ``warnings``, ``rps`` and ``rps_pooled``. Counties have
        :data:`odforecast.scoring.columns.COUNTY_COLUMNS` too, and no trend scores.

    Raises
    ------
    ScoringError
        If forecast and truth count deaths in different ways, or different deaths.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("naive").fit(panel.cut("2022-06")).forecast(draws=100)
    >>> bool(od.score(forecast.select("Ohio"), od.Truth(panel))["scorable"].all())
    True
    """
    return pd.DataFrame(
        score_columns(
            forecast,
            truth,
            target=target,
            known=known,
            horizons=horizons,
            levels=(),
            metrics=metrics,
        )[0]
    )


def score_columns(
    forecast: Forecast,
    truth: Truth,
    target: str = TARGET_12MO,
    known: Panel | None = None,
    horizons: Sequence[int] | None = None,
    levels: Sequence[float] = (),
    metrics: Sequence[Metric | str] = (),
    locations: Sequence[str] | None = None,
) -> tuple[Columns, Floats]:
    """The columns of :func:`score`, and quantiles of the same draws, which are sorted once.

    Of some places only, where these are named: to select them would copy the draws.
    """
    forecast_and_truth(forecast, truth)
    if forecast.basis != truth.basis:
        raise ScoringError(
            f"the forecast counts deaths by {forecast.basis}, the truth by {truth.basis}",
            hint="score against counts of the same kind",
        )
    panel = forecast.panel
    if panel is not None and panel.indicator != truth.panel.indicator:
        raise ScoringError(
            f"the forecast is of {panel.indicator!r}, the truth of {truth.panel.indicator!r}",
            hint="score against counts of the same indicator",
        )
    picked = picked_months(forecast, horizons)
    places = forecast.locations if locations is None else locations
    rows = rows_of(forecast, places)
    months = forecast.months[picked]
    observed, reasons = truth.observed(places, months, target)
    sums = target == TARGET_12MO
    counties = sums and truth.panel.dataset == COUNTIES
    bounds = truth.bounds(places, months) if counties else None
    table, quantiles = unit_columns(
        forecast,
        observed,
        target=target,
        horizons=horizons,
        bounds=bounds,
        levels=levels,
        locations=places,
    )
    last_count = (
        {} if panel is None else dict(zip(panel.locations, panel.reported[:, -1]))
    )
    missing = reported = rps = rps_pooled = np.full(observed.shape, np.nan)
    if sums:
        reported = published(forecast)[rows][:, picked]
    if sums and not counties:
        pair = trend_pair(forecast, truth, known=known, locations=places)
        rps, rps_pooled = (x[:, picked] for x in pair)
    table |= {
        "rps": rps.ravel(),
        "rps_pooled": rps_pooled.ravel(),
        "truth": truth.kind,
        "truth_release": pd.Timestamp(truth.release),
        "reason": reasons.ravel(),
        "last_reported": np.repeat(
            [float(last_count.get(s, np.nan)) for s in places], months.size
        ),
        "reported": reported.ravel(),
        "revised": revised(observed, reported).ravel(),
        "joint_locations": LOCATION in forecast.joint,
        "horizon_from_origin": np.tile(
            forecast.horizons_from_origin[picked], len(places)
        ),
        "warnings": "; ".join(forecast.warnings),
    }
    if bounds is not None:
        table = columns.county_columns(table, forecast.panel, places, *bounds)
    if metrics:
        samples = forecast.samples(target).take(rows, axis=1)[:, :, picked]
        values_of_metrics = {
            m.name: apply_metric(m, samples, observed=observed)
            if m.target in (None, target)
            else missing
            for m in check_metrics(metrics)
        }
        if clashes := [name for name in values_of_metrics if name in table]:
            raise ScoringError(
                f"metric {clashes[0]!r} has the name of a column of the score table",
                hint="give it another",
            )
        table |= {name: values.ravel() for name, values in values_of_metrics.items()}
    return table, quantiles


#: A count was revised if it moved by more than this: deaths, or a share of it.
MOVED_DEATHS = 1.0
MOVED_SHARE = 0.002


def revised(observed: ArrayLike, reported: ArrayLike) -> NDArray[np.bool_]:
    """Whether counts became others by more than the larger of 1 death and 0.2%.

    The interval of a count that never changes holds it whatever its width: coverage of a
    nowcast is told by those that do.

    Parameters
    ----------
    observed, reported : array_like
        The count as it became, and as it was; of one shape.

    Returns
    -------
    ndarray of bool
        False where either is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.scoring.units import revised
    >>> revised([101, 102, 1002, 1003, np.nan], [100, 100, 1000, 1000, 100]).tolist()
    [False, True, False, True, False]
    """
    before = np.asarray(reported, dtype=float)
    moved = np.abs(np.asarray(observed, dtype=float) - before)
    return np.asarray(moved > np.maximum(MOVED_DEATHS, MOVED_SHARE * before))


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
    residents = {
        (s, y): population(s, y) if s in _STATES else np.nan for s, y in set(pairs)
    }
    factor = 1e5 / np.array([residents[pair] for pair in pairs])
    for name in (
        *columns.COUNT_COLUMNS,
        *({"reported", "last_reported"} & set(out.columns)),
    ):
        out[name] = out[name] * factor
    for name in LOG_SCORES:  # whichever name the table has for it
        if name in out:
            out[name] = out[name] - np.log(factor)
    out["log_wis"] = np.nan
    nobody = np.isnan(factor)
    lost = nobody & out["scorable"].to_numpy()
    out.loc[lost, "scorable"] = False
    out.loc[lost, "reason"] = "no population that matches CDC's jurisdiction"
    scored = [
        name for name in dict.fromkeys((*METRIC_COLUMNS, *LOG_SCORES)) if name in out
    ]
    out.loc[nobody, scored] = np.nan
    if "twcrps" in out:
        # A hidden count is no rate of any size, and a score table holds no people of counties.
        out[["twcrps", "twwis", "mean"]] = np.nan
        out["bounded"] = False
    out["scale"] = "per_100k"
    return out
