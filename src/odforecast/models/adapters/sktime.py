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
    """A forecaster of sktime as a model of this library.

    It is fitted to one place at a time, a clone for each; the one given is left as it is. It gets
    a series of monthly periods without gaps.

    Parameters
    ----------
    forecaster : sktime forecaster
        For example ``ThetaForecaster(sp=12)``: any that forecasts one series without other ones,
        pipelines and reductions of regressions too.
    on : {"months", "sums"}
        What it is fitted to. ``"months"``: the months behind CDC's sums, and drawn months are
        added to the known ones, for 12-month counts. ``"sums"``: the 12-month sums themselves,
        as most people do, which forgets that 12 − h of the twelve months are known.
    name : str, optional
        What tables call it; default: its class and parameters. Two adapters of one forecaster,
        with other ``paths`` or ``log``, need one each to stand in one backtest.
    paths : {"errors", "quantiles"}
        Where sample paths come from: sktime's forecasters have none that are joint over months.
        ``"errors"``: its point forecasts, and the errors of its own earlier forecasts
        (:func:`odforecast.models.adapters.foreign.past_errors`), joint over months; it is fitted
        ``windows`` times more. ``"quantiles"``: ``predict_quantiles``, of each month by itself:
        joint over nothing, so only on sums.
    log : bool
        Fit to log(1 + deaths), as the built-in models; else to deaths.
    windows : int
        With ``paths="errors"``: earlier forecasts at most, each three months before the last.

    Returns
    -------
    Model
        Joint over months or over nothing; never over places: the nation is a series of its own,
        and sums of places are refused. Negative draws are set to zero, and the forecast's
        warnings say how many.

    Raises
    ------
    ForecastError
        If sktime is not installed, it is not a forecaster of it, a setting is unknown, it has no
        quantiles, or quantiles are asked for on months.

    Notes
    -----
    Each ``random_state`` that is not set gets a number that hangs on what is forecast, so that
    one seed gives one forecast. Needs ``pip install 'odforecast[sktime]'``.

    CDC publishes sums, and the months behind them are known up to one constant per calendar
    month: a season of 12 that is fitted to them is partly that of the recovery.

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
