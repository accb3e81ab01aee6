"""Time-series baselines: random walks, ETS, Theta, ARIMA and CES, one series at a time.

Each is fitted to the **months** behind CDC's sums (log scale) and its paths are added to the
known months; the ``-sums`` variant is the same model fitted to the 12-month sums themselves,
which is what most people do and throws away that 12 - h of the 12 months are known.

statsforecast estimates the parameters. The paths are drawn here, from the fitted state-space
form, because statsforecast 2.1 draws some of them wrongly: ``AutoETS.simulate`` drops an
undamped trend; ``AutoCES.simulate`` perturbs the last state only, so that its spread does not
grow with the horizon; ``AutoTheta.simulate`` lets the line of the static models learn too.
Drawing here also leaves numpy's global random state alone.

Scale and form were set once, and are not tuned on the years they are scored on. No model has
a season: sums show the months only up to one constant per calendar month, and
:mod:`odforecast.monthly.sums` picks the smoothest series, so a constant season cannot be
seen. (On the twelve origins of 2017, all with truth before 2019, a season in ETS lowered the
jurisdictions' WIS at 7-12 months by a tenth and raised the nation's by a third; log and square
root took turns. Those origins hold three to four years of months each: too few to choose by.)
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from odforecast.errors import PanelError
from odforecast.forecast import Forecast
from odforecast.models.innovations import Innovations, Paths, ThetaPaths, drawn
from odforecast.models.paths import (
    floor_at_zero,
    require_some,
    said,
    trailing_months,
    usable_locations,
)
from odforecast.models.spec import Spec
from odforecast.monthly.sums import rolling_sums
from odforecast.names import MONTH, TARGET_12MO, TARGET_MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams


def _naive(y: Floats) -> Paths:
    one = np.ones(1)
    sigma = float(np.sqrt(np.mean(np.diff(y) ** 2)))
    return Innovations(np.eye(1), one, one, y[-1:], sigma)


def _drift(y: Floats) -> Paths:
    one, steps = np.ones(1), np.diff(y)
    sigma = float(steps.std(ddof=1))
    slope_sd = sigma / np.sqrt(steps.size)
    return Innovations(
        np.eye(1), one, one, y[-1:], sigma, slope=float(steps.mean()), slope_sd=slope_sd
    )


def _seasonal_naive(y: Floats) -> Paths:
    # The state is the last twelve values, oldest first; each new value goes to the end.
    first, last = np.eye(12)[0], np.eye(12)[-1]
    sigma = float(np.sqrt(np.mean((y[12:] - y[:-12]) ** 2)))
    return Innovations(np.roll(np.eye(12), 1, axis=1), first, last, y[-12:], sigma)


def _ets(y: Floats) -> Paths:
    from statsforecast.ets import ets_f

    # Always a damped trend: undamped, the 2017 origins lose at 7-12 months (national WIS .96
    # of the hub baseline's, against .68). Paths follow the model's own one-step recursion;
    # statsforecast's point forecasts of two months and more weigh the slope by 2φ, 2φ + φ² …
    # where φ + φ², φ + φ² + φ³ … belongs. This is what AutoETS calls, but for `nmse`: it asks for
    # errors of three months ahead too, which hang on nothing and which nothing hangs on, and they
    # are half of its time.
    model = ets_f(y, m=1, model="AAN", damped=True, nmse=1)  # type: ignore[no-untyped-call]
    alpha, beta, _, phi = (float(x) for x in model["par"][:4])
    return Innovations(
        np.array([[1.0, phi], [0.0, phi]]),
        np.array([1.0, phi]),
        np.array([alpha, beta]),
        np.array(model["states"][-1], dtype=float),
        float(np.sqrt(model["sigma2"])),
    )


def _theta(y: Floats) -> Paths:
    from statsforecast.theta import auto_theta

    # What AutoTheta calls, but for `nmse`: see _ets.
    model = auto_theta(y, m=1, nmse=1)  # type: ignore[no-untyped-call]
    level, mean, intercept, slope, _ = (float(x) for x in model["states"][-1])
    # The first three residuals are the burn-in of the recursion.
    sigma = float(np.std(np.asarray(model["residuals"])[3:], ddof=1))
    return ThetaPaths(
        level=level,
        mean=mean,
        intercept=intercept,
        slope=slope,
        alpha=float(model["par"]["alpha"]),
        theta=float(model["par"]["theta"]),
        sigma=sigma,
        n=y.size,
        dynamic=model["modeltype"] in ("DSTM", "DOTM"),
    )


def _arima(y: Floats) -> Paths:
    from statsforecast.models import AutoARIMA

    model: Mapping[str, Any] = AutoARIMA(season_length=1).fit(y).model_
    form, coefs = model["model"], model["coef"]
    transition = np.array(form["T"], dtype=float)
    noise = np.array(form["V"], dtype=float)
    slope = float(coefs.get("drift", 0.0))
    return Innovations(
        transition,
        np.array(form["Z"], dtype=float) @ transition,
        # V = R R' with R[0] = 1.
        noise[:, 0] / np.sqrt(noise[0, 0]),
        np.array(form["a"], dtype=float),
        float(np.sqrt(model["sigma2"])),
        level=float(coefs.get("intercept", 0.0)) + slope * y.size,
        slope=slope,
    )


def _ces(y: Floats) -> Paths:
    from statsforecast.models import AutoCES

    model = AutoCES(season_length=1, model="N").fit(y).model_
    a0, a1 = (float(model["par"][k]) for k in ("alpha_0", "alpha_1"))
    return Innovations(
        np.array([[1.0, a1 - 1.0], [1.0, 1.0 - a0]]),
        np.array([1.0, 0.0]),
        np.array([a0 - a1, a0 + a1]),
        # The row after the last observation is scratch space of the C code.
        np.array(model["states"][y.size], dtype=float),
        float(np.sqrt(model["sigma2"])),
    )


_FITTERS: dict[str, Callable[[Floats], Paths]] = {
    "naive": _naive,
    "drift": _drift,
    "seasonal-naive": _seasonal_naive,
    "auto-ets": _ets,
    "auto-theta": _theta,
    "auto-arima": _arima,
    "auto-ces": _ces,
}

#: Fitted series by model and values, those asked for last. The panels of a backtest share most of
#: their series, and so do an ensemble and its members beside it.
_FITTED: OrderedDict[tuple[str, bytes], Paths | str] = OrderedDict()
_MOST_FITTED = 20_000  # some 1 KB each
_LOCK = threading.Lock()  # a backtest may run on threads

#: Names of the models of this module.
NAMES: tuple[str, ...] = (*_FITTERS, *(f"{name}-sums" for name in _FITTERS))


@dataclass(frozen=True, eq=False)
class FittedClassical:
    """Classical models fitted to the locations of a panel.

    Attributes
    ----------
    model : str
        Name of the model.
    panel : Panel
        What it was fitted to.
    series : mapping of str to Paths
        Fitted series by location.
    skipped : mapping of str to str
        Locations left out, and why.
    sums : bool
        Whether the series are 12-month sums (else months).
    """

    model: str
    panel: Panel
    series: Mapping[str, Paths]
    skipped: Mapping[str, str]
    sums: bool

    def __repr__(self) -> str:
        n, last = len(self.series), self.panel.last_month
        return f"<FittedClassical {self.model}: {n} locations to {last}>"

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths; see :class:`odforecast.models.model.Drawer`.

        Raises
        ------
        PanelError
            If the draws of every location explode.
        """
        skipped = dict(self.skipped)
        generators = [streams.generator("location", state) for state in self.series]
        with np.errstate(over="ignore", invalid="ignore"):
            paths = drawn(list(self.series.values()), horizon, draws, generators)
            np.expm1(paths, out=paths)
        good = np.isfinite(paths).all(axis=(1, 2))
        states = [s for s, ok in zip(self.series, good, strict=True) if ok]
        for state, ok in zip(self.series, good, strict=True):
            if not ok:
                skipped[state] = f"the draws of {self.model} explode within {horizon} months"
        require_some(states, skipped, self.panel, self.model)
        what = "12-month sums" if self.sums else "months"
        kept = paths if good.all() else paths[good]
        out = np.ascontiguousarray(kept.transpose(1, 0, 2))
        out, warnings = floor_at_zero(out, states, what)
        return Forecast.from_panel(
            self.panel,
            out,
            states,
            joint=frozenset({MONTH}),
            target=TARGET_12MO if self.sums else TARGET_MONTH,
            skipped=skipped,
            warnings=warnings,
        )


@dataclass(frozen=True)
class Classical:
    """A classical model, on months or (name ending in ``-sums``) on 12-month sums.

    Each series is fitted by itself and draws from its own stream: the draws are joint over months,
    not over locations, and the US row is a series of its own.

    Parameters
    ----------
    name : str
        One of :data:`NAMES`.

    Examples
    --------
    >>> Classical("naive-sums").name
    'naive-sums'
    """

    name: str

    @property
    def spec(self) -> Spec:
        """What the model is."""
        return Spec(
            self.name,
            "3",
            by="location",
            target=TARGET_12MO if self.name.endswith("-sums") else TARGET_MONTH,
            joint=frozenset({MONTH}),
        )

    def fit(self, panel: Panel) -> FittedClassical:
        """Fit every usable location of a panel.

        Raises
        ------
        PanelError
            If no location can be used.
        """
        return self.fit_many([panel])[0]

    def fit_many(self, panels: Sequence[Panel]) -> list[FittedClassical]:
        """Fit to several panels; a series that was fitted lately is not fitted again.

        Raises
        ------
        PanelError
            If of one of them no location can be used.
        """
        base = self.name.removesuffix("-sums")
        sums = base != self.name
        fitted = []
        for panel in panels:
            states, skipped = usable_locations(panel, self.name)
            series: dict[str, Paths] = {}
            for state in states:
                months = trailing_months(panel, state)
                found = _fit(base, np.log1p(rolling_sums(months) if sums else months))
                if isinstance(found, str):
                    skipped[state] = f"{self.name} could not be fitted: {found}"
                else:
                    series[state] = found
            require_some(list(series), skipped, panel, self.name)
            fitted.append(FittedClassical(self.name, panel, series, skipped, sums))
        return fitted


def _fit(base: str, y: Floats) -> Paths | str:
    """A fitted series, or why it could not be fitted; read back if it was fitted lately."""
    key = base, y.tobytes()
    with _LOCK:
        if (found := _FITTED.get(key)) is not None:
            _FITTED.move_to_end(key)
            return found
    try:
        found = _fit_one(base, y)
    except MemoryError:
        raise
    except Exception as error:
        # statsforecast raises bare Exceptions; one series must not end the others.
        found = said(error)
    with _LOCK:
        _FITTED[key] = found
        if len(_FITTED) > _MOST_FITTED:
            _FITTED.popitem(last=False)
    return found


def _fit_one(base: str, y: Floats) -> Paths:
    if np.ptp(y) == 0:
        raise PanelError("the series never changes, so it shows no spread")
    fitted = _FITTERS[base](y)
    for number in vars(fitted).values():
        finite = isfinite(number) if isinstance(number, float) else np.isfinite(number).all()
        if not finite:
            raise PanelError("the estimates are not finite")
    return fitted
