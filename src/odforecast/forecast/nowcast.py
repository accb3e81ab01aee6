"""The nowcast: what the last published counts will be once final, beside what is published.

Also here, for whoever needs it: CDC's predicted value cleared of its own usual excess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from odforecast.errors import ForecastError, proportion
from odforecast.forecast.counties import of_counties
from odforecast.forecast.published import at_months, layer_of, published
from odforecast.panel import Floats, Panel

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.forecast.forecast import Forecast

#: The counts that say what is usual: 12 to 23 months before the last one.
_USUAL = slice(-24, -12)


def usual_ratio(reported: Floats, predicted: Floats) -> Floats:
    """How far CDC's predicted values usually lie above the counts reported later.

    Parameters
    ----------
    reported, predicted : ndarray, shape (L, T)
        12-month-ending deaths of one release, up to its last month.

    Returns
    -------
    ndarray, shape (L,)
        Mean of predicted over reported of the counts 12 to 23 months old, by when little is
        missing; months without either, or without deaths, are left out. NaN where none is left.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.forecast.nowcast import usual_ratio
    >>> usual_ratio(np.full((1, 24), 100.0), np.full((1, 24), 102.0))
    array([1.02])
    """
    past, said = reported[:, _USUAL], predicted[:, _USUAL]
    known = (past > 0) & np.isfinite(said)
    ratios = np.divide(said, past, out=np.zeros(past.shape), where=known)
    n = known.sum(axis=1)
    usual: Floats = np.divide(ratios.sum(axis=1), n, out=np.full(n.shape, np.nan), where=n > 0)
    return usual


def unbiased(reported: Floats, predicted: Floats) -> Floats:
    """CDC's predicted values divided by their :func:`usual_ratio`, shape (L, T).

    The predicted value lies 1 to 3 % above the final count for good in many jurisdictions; what
    remains after the division says what is missing *now*.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.forecast.nowcast import unbiased
    >>> predicted = np.full((1, 24), 102.0)
    >>> predicted[0, -1] = 104.04
    >>> unbiased(np.full((1, 24), 100.0), predicted)[0, [0, -1]].round(6).tolist()
    [100.0, 102.0]
    """
    return np.asarray(predicted / usual_ratio(reported, predicted)[:, None])


def nowcast(forecast: Forecast, level: float = 0.9) -> pd.DataFrame:
    """Counts once final; see :meth:`odforecast.Forecast.nowcast`."""
    import pandas as pd

    proportion("level", level)
    panel = forecast.panel
    if panel is None:
        raise ForecastError(
            "this forecast has no panel, so there are no reported counts to complete",
            hint="make it with get_model().fit(panel).forecast()",
        )
    now = np.flatnonzero(forecast.horizons <= 0)
    if not now.size:
        raise _nothing(forecast, panel)
    reported, predicted = (layer_of(forecast, name) for name in ("reported", "predicted"))
    layers = {
        "reported": at_months(forecast, reported),
        "predicted": at_months(forecast, predicted),
        "predicted_unbiased": at_months(forecast, unbiased(reported, predicted)),
        "complete": published(forecast, "complete"),
    }
    sides = [(1 - level) / 2, 0.5, (1 + level) / 2]
    final = dict(zip(("low", "median", "high"), forecast.quantiles(sides)))
    # The reported count is a constant: quantiles of the revision are those of the count, shifted.
    moved = {
        name: final[side] - layers["reported"]
        for name, side in (
            ("revision_low", "low"),
            ("revision", "median"),
            ("revision_high", "high"),
        )
    }
    columns = {"reported": layers.pop("reported")} | final | moved | layers
    n_loc = len(forecast.locations)
    return pd.DataFrame(
        {
            "location": np.repeat(np.array(forecast.locations, dtype=object), now.size),
            "month": np.tile(forecast.months[now].astype("datetime64[s]"), n_loc),
            "horizon": np.tile(forecast.horizons[now], n_loc),
            "level": level,
        }
        | {name: values[:, now].ravel() for name, values in columns.items()}
    )


def _nothing(forecast: Forecast, panel: Panel) -> ForecastError:
    """Why there is no nowcast."""
    if panel.final_through >= panel.last_month:
        return ForecastError(
            f"all counts up to {panel.last_month} are final: there is nothing to nowcast",
            hint="they are in panel.reported",
        )
    if of_counties(forecast):
        return ForecastError(
            f"{forecast.provenance.get('label', 'this model')} forecasts counts of counties after "
            "the last published one, and does not complete those",
            hint="of states there is a nowcast: get_model().fit(panel).forecast().nowcast()",
        )
    return ForecastError(
        f"{forecast.provenance.get('label', 'this model')} takes the last counts as reported, so "
        "it has no nowcast",
        hint="use dlm, which completes them, or put +delay after a model's name (naive+delay)",
    )
