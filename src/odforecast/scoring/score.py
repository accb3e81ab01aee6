"""Score one forecast against one truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from odforecast.errors import ScoringError
from odforecast.forecast import Forecast
from odforecast.forecast.tables import published
from odforecast.names import COUNTIES, LOCATION, TARGET_12MO
from odforecast.panel import Panel
from odforecast.scoring.asked import forecast_and_truth
from odforecast.scoring.county_columns import with_county_columns
from odforecast.scoring.revision import revised
from odforecast.scoring.rules import Floats
from odforecast.scoring.trend import trend_pair
from odforecast.scoring.truth import Truth
from odforecast.scoring.units import Columns, picked_months, table_of, unit_columns

if TYPE_CHECKING:
    from odforecast.scoring.metrics import Metric


def score(
    forecast: Forecast,
    truth: Truth,
    target: str = TARGET_12MO,
    known: Panel | None = None,
    horizons: Sequence[int] | None = None,
    metrics: Sequence[Metric | str] = (),
) -> pd.DataFrame:
    """Scores of a forecast, one row per location and month.

    Parameters
    ----------
    forecast : Forecast
    truth : Truth
        Counts of a later release. A count too young is *not scorable*, with the reason.
    target : {"deaths_12mo", "deaths_month"}
    known : Panel, optional
        The whole panel of the origin, for what the trend is compared with. Default: the
        forecast's.
    horizons : sequence of int, optional
        Only these months after the panel's last; default: all.
    metrics : sequence of Metric or str
        More scores, each a column of its name after the others: see
        :class:`odforecast.scoring.metrics.Metric`.

    Returns
    -------
    DataFrame
        The score table (see :func:`odforecast.scoring.score_units`) with ``truth``,
        ``truth_release``, ``reason``, ``last_reported``, ``reported``, ``revised``,
        ``joint_locations``, ``horizon_from_origin``, ``warnings``, ``rps`` and ``rps_pooled``
        (:func:`odforecast.scoring.trend.trend_scores`; NaN for months). ``reported`` is the
        12-month count that the release of the forecast itself had of a month (the nowcast's;
        NaN after its last month), ``revised`` whether that became another one
        (:func:`odforecast.scoring.revision.revised`).
        Counties have the columns of :data:`odforecast.scoring.county_columns.COUNTY_COLUMNS` too:
        ``observed_low`` and ``observed_high``, whether they say enough for the threshold-weighted
        CRPS (``bounded``), ``twcrps`` and ``twwis`` over counts of at least 9, ``rps_bands`` of
        0, 1 to 9, 10 and more, the chances of these (``p_zero``, ``p_hidden``, ``p_ten``),
        ``mean``, and class of ``size``, ``visible`` and ``urban`` at the origin. Their ``pit`` is
        there for hidden counts too; their trend is not scored (``rps`` NaN).

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
    columns, _ = score_columns(forecast, truth, target, known, horizons, metrics=metrics)
    return table_of(columns)


def score_columns(
    forecast: Forecast,
    truth: Truth,
    target: str = TARGET_12MO,
    known: Panel | None = None,
    horizons: Sequence[int] | None = None,
    levels: Sequence[float] = (),
    metrics: Sequence[Metric | str] = (),
) -> tuple[Columns, Floats]:
    """The columns of :func:`score`, and quantiles of the same draws, which are sorted once.

    Parameters
    ----------
    forecast, truth, target, known, horizons, metrics
        As of :func:`score`.
    levels : sequence of float
        Of the quantiles.

    Returns
    -------
    columns : dict of str to array or scalar
    quantiles : ndarray, shape (Q, L, M)
        Of the months asked for.
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
    months, n_months = forecast.months[picked], picked.size
    observed, reasons = truth.observed(forecast.locations, months, target)
    of_counties = truth.panel.dataset == COUNTIES and target == TARGET_12MO
    bounds = truth.bounds(forecast.locations, months) if of_counties else None
    columns, quantiles = unit_columns(forecast, observed, target, horizons, bounds, levels)
    last = np.full(len(forecast.locations), np.nan)
    if panel is not None:
        row = {s: i for i, s in enumerate(panel.locations)}
        last = np.array(
            [panel.reported[row[s], -1] if s in row else np.nan for s in forecast.locations]
        )
    reported = np.full(observed.shape, np.nan)
    if target == TARGET_12MO:
        reported = published(forecast)[:, picked]
    rps = rps_pooled = np.full(observed.size, np.nan)
    if target == TARGET_12MO and not of_counties:
        rps, rps_pooled = (x[:, picked].ravel() for x in trend_pair(forecast, truth, known))
    columns |= {
        "rps": rps,
        "rps_pooled": rps_pooled,
        "truth": truth.kind,
        "truth_release": pd.Timestamp(truth.release),
        "reason": reasons.ravel(),
        "last_reported": np.repeat(last, n_months),
        "reported": reported.ravel(),
        "revised": revised(observed, reported).ravel(),
        "joint_locations": LOCATION in forecast.joint,
        "horizon_from_origin": np.tile(
            forecast.horizons_from_origin[picked], len(forecast.locations)
        ),
        "warnings": "; ".join(forecast.warnings),
    }
    if bounds is not None:
        columns = with_county_columns(columns, forecast, *bounds)
    if metrics:
        samples = forecast.samples(target)[:, :, picked]
        own = metric_columns(metrics, samples, observed, target)
        if taken := [name for name in own if name in columns]:
            raise ScoringError(
                f"metric {taken[0]!r} has the name of a column of the score table",
                hint="give it another",
            )
        columns |= own
    return columns, quantiles


def metric_columns(
    metrics: Sequence[Metric | str], samples: Floats, observed: Floats, target: str
) -> dict[str, Floats]:
    """A column per metric: of draws (D, L, M) and counts (L, M), places as they stand.

    NaN where a metric is of the other target.

    Raises
    ------
    ScoringError
        If one is unknown, or is not what a metric is.
    """
    from odforecast.scoring.metrics import apply_metric, check_metrics

    none = np.full(observed.size, np.nan)
    return {
        m.name: apply_metric(m, samples, observed).ravel() if m.target in (None, target) else none
        for m in check_metrics(metrics)
    }
