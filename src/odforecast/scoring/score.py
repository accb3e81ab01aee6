"""Score one forecast against one truth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from odforecast.errors import ScoringError
from odforecast.forecast import Forecast
from odforecast.forecast.published import published
from odforecast.names import LOCATION, TARGET_12MO
from odforecast.panel import Panel
from odforecast.scoring.revision import revised
from odforecast.scoring.trend import trend_scores
from odforecast.scoring.truth import Truth
from odforecast.scoring.units import score_units


def score(
    forecast: Forecast, truth: Truth, target: str = TARGET_12MO, known: Panel | None = None
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

    Raises
    ------
    ScoringError
        If forecast and truth count deaths in different ways, or different deaths.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of("2025-09-17").panel()
    >>> forecast = od.get_model("naive").fit(panel.cut("2022-06")).forecast(draws=100)
    >>> bool(od.score(forecast.select("Ohio"), od.Truth(panel))["scorable"].all())
    True
    """
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
    observed, reasons = truth.observed(forecast.locations, forecast.months, target)
    table = score_units(forecast, observed, target=target)
    last = np.full(len(forecast.locations), np.nan)
    if panel is not None:
        last = np.array(
            [
                panel.reported[panel.locations.index(s), -1] if s in panel.locations else np.nan
                for s in forecast.locations
            ]
        )
    reported = np.full(observed.shape, np.nan)
    if target == TARGET_12MO:
        reported = published(forecast)
    rps = rps_pooled = np.full(len(table), np.nan)
    if target == TARGET_12MO:
        rps, rps_pooled = trend_scores(forecast, truth, known).to_numpy().T
    return table.assign(
        rps=rps,
        rps_pooled=rps_pooled,
        target=target,
        truth=truth.kind,
        truth_release=pd.Timestamp(truth.release),
        reason=reasons.ravel(),
        last_reported=np.repeat(last, forecast.months.size),
        reported=reported.ravel(),
        revised=revised(observed, reported).ravel(),
        joint_locations=LOCATION in forecast.joint,
        horizon_from_origin=np.tile(forecast.horizons_from_origin, len(forecast.locations)),
        warnings="; ".join(forecast.warnings),
    )
