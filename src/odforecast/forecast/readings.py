"""What is read off the draws of a forecast: samples of a target, counts, changes, quantiles."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import ForecastError, one_of, short
from odforecast.forecast.published import layer_of
from odforecast.forecast.sums import between, in_order, quantile_levels, sums_of
from odforecast.months import ONE_MONTH, Months, to_month
from odforecast.names import HUB_QUANTILES, MONTH, TARGET_12MO, TARGET_MONTH, TARGETS
from odforecast.panel import Floats, Panel

if TYPE_CHECKING:
    from odforecast.forecast.forecast import Forecast


class Readings:
    """Numbers of a forecast, as arrays; the fields are those of :class:`~odforecast.Forecast`."""

    draws: Floats
    months: Months
    as_of: dt.date
    last_month: np.datetime64
    target: str
    joint: frozenset[str]
    panel: Panel | None
    provenance: Mapping[str, str]

    @property
    def targets(self) -> frozenset[str]:
        """What can be asked for: a model of months has both targets, one of sums only those."""
        return frozenset(TARGETS) if self.target == TARGET_MONTH else frozenset({TARGET_12MO})

    @property
    def horizons(self) -> NDArray[np.int64]:
        """Months after the panel's last month, shape (M,); 0 and below are revisions."""
        return (self.months - self.last_month).astype(np.int64)

    @property
    def horizons_from_origin(self) -> NDArray[np.int64]:
        """Months after the month of the as-of date, shape (M,)."""
        return (self.months - np.datetime64(self.as_of, "M")).astype(np.int64)

    def samples(self, target: str = TARGET_12MO) -> Floats:
        """Draws of a target, shape (D, L, M); read-only, as the draws are.

        Raises
        ------
        ForecastError
            If the target is unknown, the draws do not mean it, or sums are asked of months
            that are not joint.
        """
        if target not in TARGETS:
            raise ForecastError(f"unknown target {target!r}", hint=one_of(target, TARGETS))
        if target not in self.targets:
            raise ForecastError(
                f"{self.provenance.get('model', 'this model')} does not forecast {target}",
                hint=f"it forecasts {', '.join(sorted(self.targets))}",
            )
        if target == self.target:
            return self.draws
        if MONTH not in self.joint and self.months.size > 1:
            raise ForecastError(
                "these draws are not joint over months, so they cannot be added",
                hint="ask for single months, or use a model whose paths are joint over months",
            )
        return sums_of(cast("Forecast", self))

    def count_at(self, month: object) -> Floats:
        """12-month-ending deaths at a month in every draw, shape (D, L).

        A month that the draws reach is drawn (where counts are not final, it is the nowcast of
        the same draw); an earlier one is the reported count of the panel, of a sum of locations
        that of its parts.

        Raises
        ------
        ForecastError
            If the month lies after the forecast, or before the panel.
        """
        when = to_month(month)
        position = int((when - self.months[0]).astype(int))
        if position >= self.months.size:
            raise ForecastError(f"{when} lies after the forecast, which ends {self.months[-1]}")
        if position >= 0:
            return np.asarray(self.samples()[:, :, position])
        if self.panel is None or when < self.panel.months[0] or when > self.panel.last_month:
            raise ForecastError(f"no count is known for {when}")
        column = int((when - self.panel.months[0]).astype(int))
        counts = layer_of(cast("Forecast", self), "reported")[:, column]
        return np.broadcast_to(counts, (self.draws.shape[0], counts.size))

    def change(self, month: object) -> Floats:
        """Change of the 12-month-ending count at a month on the count 12 months earlier.

        Both counts are taken in the same draw and as once final: where the earlier one is not
        final, its nowcast is used, not the incomplete reported count. "Fall" and trend mean
        this and nothing else.

        Parameters
        ----------
        month : month

        Returns
        -------
        ndarray, shape (D, L)
            Deaths; below zero is a fall.

        Raises
        ------
        ForecastError
            If both counts are drawn, and the draws are not joint over months.

        Examples
        --------
        >>> import odforecast as od
        >>> fitted = od.get_model("dlm").fit(od.bundled().as_of().panel())
        >>> ohio = fitted.forecast(draws=100).select("Ohio")
        >>> ohio.change("2026-04").shape
        (100, 1)
        """
        when = to_month(month)
        before = when - 12 * ONE_MONTH
        if MONTH not in self.joint and before >= self.months[0]:
            raise ForecastError(
                f"these draws are not joint over months: those of {when} and of {before} belong "
                "to no one world, and cannot be compared",
                hint="ask for a month at most 12 after the last known one, or use another model",
            )
        return self.count_at(when) - self.count_at(before)

    def quantiles(
        self, levels: Sequence[float] = HUB_QUANTILES, target: str = TARGET_12MO
    ) -> Floats:
        """Quantiles of a target, shape (Q, L, M), in the order of ``levels``.

        Raises
        ------
        ForecastError
            If a level lies outside (0, 1), or the target is not forecast.
        """
        probs = quantile_levels(levels)
        return between(in_order(self.samples(target)), probs)

    def probability_below(self, value: float | Floats, target: str = TARGET_12MO) -> Floats:
        """Share of draws below ``value`` (scalar, or broadcastable to (L, M)), shape (L, M).

        Raises
        ------
        ForecastError
            If a value is no number, or the target is not forecast.
        """
        draws = self.samples(target)
        try:
            limits = np.asarray(value, dtype=float)
            np.broadcast_shapes(limits.shape, draws.shape[1:])
        except (TypeError, ValueError):
            raise ForecastError(
                f"value is {short(value)}, allowed: a number, or numbers of shape {draws.shape[1:]}"
            ) from None
        if np.isnan(limits).any():
            raise ForecastError("value is NaN", hint="give a number of deaths")
        return np.asarray((draws < limits).mean(axis=0))
