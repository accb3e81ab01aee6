"""A forecaster of sktime as one of ours: :func:`from_sktime`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from odforecast.errors import ForecastError, PanelError, one_of
from odforecast.models.adapters.foreign import (
    FROM_ERRORS,
    FROM_QUANTILES,
    LEVELS,
    WINDOWS,
    adapted,
    point,
    steadied,
)
from odforecast.models.content import installed
from odforecast.models.innovations import Paths
from odforecast.models.model import Model
from odforecast.panel import Floats


def from_sktime(
    forecaster: Any,
    on: str = "months",
    name: str | None = None,
    paths: str = FROM_ERRORS,
    log: bool = True,
    windows: int = WINDOWS,
) -> Model:
    """Use a forecaster of sktime as a model of this library.

    A clone is fitted to each place, on monthly periods without gaps.

    Parameters
    ----------
    forecaster : sktime forecaster
        For example ``ThetaForecaster(sp=12)``: any that forecasts one series.
    on : {"months", "sums"}
        Fit the months behind CDC's counts (then added), or the 12-month counts themselves.
    name : str, optional
        Default: its class and parameters.
    paths : {"errors", "quantiles"}
        Draw paths from point forecasts and past errors
        (:func:`odforecast.models.adapters.foreign.past_errors`), with ``windows`` more fits; or
        from ``predict_quantiles`` (only on sums).
    log : bool
        Fit to log(1 + deaths).
    windows : int
        Earlier forecasts for ``paths="errors"``, three months apart.

    Returns
    -------
    Model
        Joint over months or over nothing, never over places. Negative draws become zero, with a
        warning.

    Raises
    ------
    ForecastError
        If sktime is not installed, it is not an sktime forecaster, a setting is unknown, or
        quantiles are missing or requested on months.

    Notes
    -----
    A ``random_state`` that is not set gets a seed from what is forecast. Needs
    ``pip install 'odforecast[sktime]'``. A season of 12 fitted to recovered months is partly that
    of the recovery.

    Examples
    --------
    >>> import odforecast as od
    >>> from sktime.forecasting.naive import NaiveForecaster
    >>> model = od.models.from_sktime(NaiveForecaster(sp=12))
    >>> panel = od.bundled().as_of("2025-09-17").panel()
    >>> model.fit(panel.select("Ohio")).forecast(draws=100).samples().shape
    (100, 1, 12)
    >>> model.label, sorted(model.spec.joint)
    ('NaiveForecaster(sp=12)', ['month'])
    """
    try:
        from sktime.forecasting.base import BaseForecaster  # type: ignore[import-untyped]
    except ImportError as error:
        raise ForecastError(
            "sktime is not installed", hint="pip install 'odforecast[sktime]'"
        ) from error
    if not isinstance(forecaster, BaseForecaster):
        what = forecaster.__name__ if isinstance(forecaster, type) else repr(forecaster)[:80]
        raise ForecastError(
            f"forecaster is {what}, no forecaster of sktime",
            hint="give an object: from_sktime(ThetaForecaster(sp=12))",
        )
    known = (FROM_ERRORS, FROM_QUANTILES)
    if paths not in known:
        raise ForecastError(f"paths is {paths!r}, unknown", hint=one_of(paths, known))
    if paths == FROM_QUANTILES and not forecaster.get_tag(
        "capability:pred_int", False, raise_error=False
    ):
        raise ForecastError(
            f"{type(forecaster).__name__} gives no quantiles", hint="use paths='errors'"
        )
    with steadied(0):
        copy = forecaster.clone()
    return adapted(_Sktime(copy), forecaster, on, name, paths, log, windows, installed("sktime"))


@dataclass(frozen=True, eq=False)
class _Sktime:
    """A forecaster of sktime, not fitted."""

    forecaster: Any

    def fit(self, y: Floats, first: np.datetime64, seed: int) -> _Fitted:
        import pandas as pd

        index = pd.period_range(pd.Period(str(first), freq="M"), periods=y.size, freq="M")
        series = pd.Series(np.array(y), index=index, name="deaths")
        with steadied(seed):
            copy = self.forecaster.clone()
            unset = {
                k: seed % 2**31
                for k, v in copy.get_params(deep=True).items()
                if k.rpartition("__")[2] == "random_state" and v is None
            }
            copy.set_params(**unset)
            late = bool(copy.get_tag("requires-fh-in-fit", False, raise_error=False))
            return _Fitted(copy if late else copy.fit(series), series, late, seed)


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A forecaster of sktime fitted to one series, or to be fitted for each horizon."""

    forecaster: Any
    series: Any
    late: bool
    seed: int

    def _ready(self, horizon: int) -> tuple[Any, list[int]]:
        ahead = list(range(1, horizon + 1))
        if not self.late:
            return self.forecaster, ahead
        return self.forecaster.clone().fit(self.series, fh=ahead), ahead

    def mean(self, horizon: int) -> Floats:
        with steadied(self.seed):
            forecaster, ahead = self._ready(horizon)
            return point(forecaster.predict(fh=ahead), horizon)

    def quantiles(self, horizon: int) -> Floats:
        with steadied(self.seed):
            forecaster, ahead = self._ready(horizon)
            made = forecaster.predict_quantiles(fh=ahead, alpha=list(LEVELS))
        return np.asarray(made, dtype=float).T

    def paths(self) -> Paths:
        raise PanelError("forecasters of sktime have no paths of their own")
