"""Baselines: rules on 12-month sums, and time-series models of one series at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from odforecast.errors import PanelError
from odforecast.forecasts import Forecast
from odforecast.models.adapters import arima, ces, theta
from odforecast.models.innovations import FittedSeries, Innovations, Paths, fit_series
from odforecast.models.paths import (
    MIN_ERRORS,
    floor_at_zero,
    require_some,
    shuffled_levels,
    since_last_gap,
    symmetric_quantiles,
    trailing_months,
    usable_locations,
)
from odforecast.models.spec import MIN_MONTHS, Spec
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH
from odforecast.names import MONTH, TARGET_12MO, TARGET_MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

#: Last months that ``cdc-predicted`` revises.
REVISED_MONTHS = 6
#: Sums this old are taken as settled when CDC's predicted values are compared with them.
SETTLED_AFTER = 12
#: Settled months compared.
SETTLED_MONTHS = 24

#: Takes sums (..., n) and a horizon; point forecasts from every month, shape (..., n, horizon).
Rule = Callable[[Floats, int], Floats]


def persistence(sums: Floats, horizon: int) -> Floats:
    """Point forecasts from every month, (..., n, horizon): the last 12-month-ending count."""
    return np.repeat(sums[..., None], horizon, axis=-1)


def damped_trend(sums: Floats, horizon: int, damping: float = 0.85) -> Floats:
    """Point forecasts from every month: the last quarter's mean change, dying away."""
    # `S[t] + d (φ + φ² + … + φʰ)` with `d = (S[t] - S[t-3]) / 3`; NaN for the first three
    # months.
    slope = np.full(sums.shape, np.nan)
    slope[..., 3:] = (sums[..., 3:] - sums[..., :-3]) / 3.0
    weight = np.cumsum(damping ** np.arange(1, horizon + 1))
    return np.asarray(sums[..., None] + slope[..., None] * weight)


def past_errors(sums: Floats, points: Floats, horizon: int) -> tuple[Floats, float]:
    """Errors a rule made at one horizon, within the series, or within each of some as long."""
    # Where the series is too short for `MIN_ERRORS` errors at that horizon, the errors of the
    # longest horizon that has them are returned, with the factor `sqrt(h / h0)` (as for a random
    # walk) to stretch them by. `points` (..., n, H) are point forecasts from every month, NaN in
    # the same months of all series.
    for h in range(horizon, 0, -1):
        errors = sums[..., h:] - points[..., : sums.shape[-1] - h, h - 1]
        missing = np.isnan(errors).any(axis=tuple(range(errors.ndim - 1)))
        errors = errors[..., ~missing]
        if errors.shape[-1] >= MIN_ERRORS:
            return errors, float(np.sqrt(horizon / h))
    raise PanelError(f"{sums.shape[-1]} sums are too few for {MIN_ERRORS} past errors")


def spreads(sums: Floats, points: Floats, levels: Floats) -> tuple[Floats, int]:
    """Errors of G series as long at the levels (G, D) of each; and the first stretched horizon."""
    # (D, G, H); 0 where none is stretched.
    # Each is `symmetric_quantiles` of `past_errors`, bit for bit.
    horizon = points.shape[-1]
    stretched = 0
    out = np.empty((horizon, *levels.shape))
    for h in range(1, horizon + 1):
        errors, stretch = past_errors(sums, points, horizon=h)
        ordered = np.sort(np.concatenate([errors, -errors], axis=-1), axis=-1)
        at = (ordered.shape[-1] - 1) * levels
        low = at.astype(int)
        share = at - low
        under, over = (np.take_along_axis(ordered, low + k, axis=1) for k in (0, 1))
        step = over - under
        # From the nearer end, as numpy does.
        value = np.where(share < 0.5, under + step * share, over - step * (1.0 - share))
        out[h - 1] = stretch * value
        if stretch > 1.0 and not stretched:
            stretched = h
    return out.transpose(2, 1, 0), stretched


def settled_gaps(panel: Panel, state: str) -> Floats:
    """Relative distance of CDC's predicted from reported counts that have settled."""
    # Of the `SETTLED_MONTHS` months that are at least `SETTLED_AFTER` months old;
    # months without either, or without deaths, left out.
    old = slice(-SETTLED_AFTER - SETTLED_MONTHS, -SETTLED_AFTER)
    row = panel.index(state)
    reported = panel.reported[row, old]
    predicted = panel.predicted[row, old]
    known = (reported > 0) & ~np.isnan(predicted)
    return np.asarray(predicted[known] / reported[known] - 1.0)


@dataclass(
    frozen=True,
    eq=False,
    repr=False,
)
class FittedBaseline:
    """A baseline bound to a panel. There is nothing to estimate before the horizon is known."""

    spec: Spec
    #: Point forecasts, whose past errors are the spread.
    rule: Rule
    #: What it forecasts from.
    panel: Panel
    #: Usable locations.
    locations: tuple[str, ...]
    #: The other locations, and why they are left out.
    skipped: Mapping[str, str]

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths of 12-month counts; see :class:`odforecast.models.model.Drawer`."""
        states = list(self.locations)
        revised = REVISED_MONTHS * self.spec.corrects_delay
        stretched: dict[str, int] = {}
        series = [self._series(state) for state in states]
        paths = np.empty((draws, len(states), revised + horizon))
        # Series as long go together.
        for size in dict.fromkeys(s.size for s in series):
            rows = [i for i, s in enumerate(series) if s.size == size]
            some = [states[i] for i in rows]
            levels = np.stack(
                [shuffled_levels(draws, streams.generator("location", s)) for s in some]
            )
            sums = np.stack([series[i] for i in rows])
            paths[:, rows], first = self._paths(
                some, sums, horizon=horizon, levels=levels
            )
            if first:
                stretched |= dict.fromkeys(some, first)
        out, warnings = floor_at_zero(paths, states, what="12-month sums")
        if stretched:
            warnings += (
                f"too few past errors from horizon {min(stretched.values())} on "
                f"({', '.join(s for s in states if s in stretched)}): shorter horizons' errors, "
                "widened by the square root of time, stand in",
            )
        return Forecast.from_panel(
            self.panel,
            out,
            locations=states,
            first_month=self.panel.last_month + (1 - revised) * ONE_MONTH,
            joint=self.spec.joint,
            target=TARGET_12MO,
            skipped=self.skipped,
            warnings=warnings,
        )

    def _series(self, state: str) -> Floats:
        """The sums of a location that the rule is applied to, shape (n,)."""
        if self.spec.corrects_delay:
            return since_last_gap(self.panel.predicted[self.panel.index(state)])
        return rolling_sums(trailing_months(self.panel, state))

    def _paths(
        self,
        states: list[str],
        sums: Floats,
        horizon: int,
        levels: Floats,
    ) -> tuple[Floats, int]:
        """Paths of sums, shape (D, G, H), and the first horizon whose spread is stretched."""
        points = self.rule(sums, horizon)
        spread, stretched = spreads(sums, points, levels=levels)
        if not self.spec.corrects_delay:
            spread += points[:, -1]
            return spread, stretched
        gaps = [settled_gaps(self.panel, s) for s in states]
        quantiles = [
            symmetric_quantiles(g, level) for g, level in zip(gaps, levels, strict=True)
        ]
        relative = np.stack(quantiles, axis=1)[..., None]
        now = sums[:, -REVISED_MONTHS:] * (1.0 + relative)
        # What is wrong with the value now and what changes later are taken as independent.
        side = np.sign(levels.T - 0.5)[..., None]
        future = points[:, -1] + side * np.hypot(sums[:, -1:] * relative, spread)
        return np.concatenate([now, future], axis=2), stretched


@dataclass(frozen=True)
class Baseline:
    """A rule on 12-month sums with its past errors.

    The median is what the rule says. The spread at horizon h is that of the rule's past errors
    over h months, in both directions, as in the COVID-19 Forecast Hub's baseline but direct per
    horizon.

    >>> Baseline("hub-baseline", persistence).spec.target
    'deaths_12mo'
    """

    name: str
    rule: Rule
    #: Whether it starts from CDC's predicted counts, which complete the last months.
    predicted: bool = False

    @property
    def spec(self) -> Spec:
        """What the model is."""
        return Spec(
            self.name,
            "2",
            by="location",
            target=TARGET_12MO,
            joint=frozenset({MONTH}),
            corrects_delay=self.predicted,
        )

    def fit(self, panel: Panel) -> FittedBaseline:
        """Bind to a panel."""
        states, skipped = usable_locations(panel, self.name)
        if self.predicted:
            for state in states:
                length = since_last_gap(panel.predicted[panel.index(state)]).size
                gaps = settled_gaps(panel, state).size
                if length < MIN_MONTHS - 11:
                    skipped[state] = (
                        f"only {length} predicted values up to {panel.last_month}, "
                        f"{MIN_MONTHS - 11} needed"
                    )
                elif gaps < MIN_ERRORS:
                    skipped[state] = (
                        f"only {gaps} settled months with a predicted value, {MIN_ERRORS} needed"
                    )
            states = [s for s in states if s not in skipped]
            require_some(states, skipped, panel=panel, model=self.name)
        return FittedBaseline(
            self.spec, self.rule, panel, locations=tuple(states), skipped=skipped
        )


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
