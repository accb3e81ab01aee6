"""Time-series baselines: random walks, ETS, Theta, ARIMA and CES, one series at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from odforecast.errors import PanelError
from odforecast.models.adapters import arima, ces, theta
from odforecast.models.innovations import FittedSeries, Innovations, Paths, fit_series
from odforecast.models.spec import Spec
from odforecast.names import MONTH, TARGET_12MO, TARGET_MONTH
from odforecast.panel import Floats, Panel


def _naive(y: Floats) -> Paths:
    one = np.ones(1)
    sigma = float(np.sqrt(np.mean(np.diff(y) ** 2)))
    return Innovations(np.eye(1), one, gain=one, state=y[-1:], sigma=sigma)


def _drift(y: Floats) -> Paths:
    one = np.ones(1)
    steps = np.diff(y)
    slope = float(steps.mean())
    sigma = float(steps.std(ddof=1))
    slope_sd = sigma / np.sqrt(steps.size)
    return Innovations(
        np.eye(1),
        one,
        gain=one,
        state=y[-1:],
        sigma=sigma,
        level=0.0,
        slope=slope,
        slope_sd=slope_sd,
    )


def _seasonal_naive(y: Floats) -> Paths:
    # The state is the last twelve values, oldest first; each new value goes to the end.
    first = np.eye(12)[0]
    last = np.eye(12)[-1]
    sigma = float(np.sqrt(np.mean((y[12:] - y[:-12]) ** 2)))
    return Innovations(
        np.roll(np.eye(12), 1, axis=1), first, gain=last, state=y[-12:], sigma=sigma
    )


def _ets(y: Floats) -> Paths:
    from statsforecast.ets import ets_f

    # Always a damped trend: undamped, the 2017 origins lose at 7-12 months (national WIS .96
    # of the hub baseline's, against .68). Paths follow the model's own one-step recursion;
    # statsforecast's point forecasts of two months and more weigh the slope by 2φ, 2φ + φ² …
    # where φ + φ², φ + φ² + φ³ … belongs. This is what AutoETS calls, but for `nmse`: it asks for
    # errors of three months ahead too, which hang on nothing and which nothing hangs on, and they
    # are half of its time.
    model = ets_f(
        y,
        m=1,
        model="AAN",
        damped=True,
        nmse=1,
    )  # type: ignore[no-untyped-call]
    alpha, beta, _, phi = (float(x) for x in model["par"][:4])
    return Innovations(
        np.array([[1.0, phi], [0.0, phi]]),
        np.array([1.0, phi]),
        gain=np.array([alpha, beta]),
        state=np.array(model["states"][-1], dtype=float),
        sigma=float(np.sqrt(model["sigma2"])),
    )


def _theta(y: Floats) -> Paths:
    from statsforecast.theta import auto_theta

    # What AutoTheta calls, but for `nmse`: see _ets.
    return theta(auto_theta(y, m=1, nmse=1))  # type: ignore[no-untyped-call]


def _arima(y: Floats) -> Paths:
    from statsforecast.models import AutoARIMA

    return arima(AutoARIMA(season_length=1).fit(y).model_)


def _ces(y: Floats) -> Paths:
    from statsforecast.models import AutoCES

    return ces(AutoCES(season_length=1, model="N").fit(y).model_)


_FITTERS: dict[str, Callable[[Floats], Paths]] = {
    "naive": _naive,
    "drift": _drift,
    "seasonal-naive": _seasonal_naive,
    "auto-ets": _ets,
    "auto-theta": _theta,
    "auto-arima": _arima,
    "auto-ces": _ces,
}


@dataclass(frozen=True)
class Classical:
    """A classical model, on months or on 12-month sums.

    Each series is fitted by itself and draws from its own stream: the draws
    are joint over months, not over locations, and the US row is a series of its own.

    >>> Classical("naive-sums", "naive", sums=True).spec.target
    'deaths_12mo'
    """

    name: str
    #: One of `_FITTERS`.
    form: str
    #: Whether it is fitted to 12-month sums.
    sums: bool = False

    @property
    def spec(self) -> Spec:
        """What the model is."""
        return Spec(
            self.name,
            "3",
            by="location",
            target=TARGET_12MO if self.sums else TARGET_MONTH,
            joint=frozenset({MONTH}),
        )

    def fit(self, panel: Panel) -> FittedSeries:
        """Fit every usable location of a panel."""

        def fit(_: str, deaths: Floats) -> Paths:
            return _fitted(self.form, np.log1p(deaths).tobytes())

        return fit_series(self.spec, panel, fit=fit)


# Panels of a backtest share most of their series, and so do an ensemble and its members fitted
# beside it. A series and its fit are some 2 KB.
@lru_cache(maxsize=16_384)
def _fitted(form: str, series: bytes) -> Paths:
    """The fit of a series, given as the bytes of its numbers."""
    y = np.frombuffer(series).copy()
    if np.ptp(y) == 0:
        raise PanelError("the series never changes, so it shows no spread")
    fitted = _FITTERS[form](y)
    if not all(np.isfinite(number).all() for number in vars(fitted).values()):
        raise PanelError("the estimates are not finite")
    for number in vars(fitted).values():
        if isinstance(number, np.ndarray):
            number.flags.writeable = False  # others are given this very fit
    return fitted
