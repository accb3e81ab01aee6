"""A series of one's own beside the counts: purity, price, seizures, with a stated elasticity.

Its logarithm is taken for a level and a drift, plus the elasticity times the effect on deaths,
plus noise, a random walk and single errors whose sizes are estimated from before the onset::

    log y(t) = a + b t + elasticity * beta * shape(t) + walk(t) + error(t)

Given the timing this is normal in ``beta``, as the deaths are, so the two are multiplied exactly,
timing by timing. An elasticity is an assumption; it has no error here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from odforecast.errors import DataError, ScenarioError
from odforecast.months import Months, to_month
from odforecast.panel import Floats
from odforecast.scenario.effects import Component, EventPosterior
from odforecast.sources.columns import Column, Table, needed, number
from odforecast.sources.read import read_raw

#: Fewest values before the onset: they say how much the series moves by itself.
FEWEST = 12


@dataclass(frozen=True, eq=False)
class Series:
    """A monthly series that an effect on deaths is stated to move too.

    Attributes
    ----------
    name : str
    months : ndarray of datetime64[M], shape (N,)
        In order; months may be missing.
    values : ndarray, shape (N,)
        Above 0.
    elasticity : float
        Change of its logarithm for a change of 1 in the logarithm of deaths: 1.2 for a purity
        that falls by 1.2% where deaths fall by 1%, below 0 for a price that rises.
    noise : tuple of float, optional
        Variances of its walk (a month) and of its single errors, on the log scale. Default:
        estimated from the months before the onset (:meth:`measured`).

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.scenario import Series
    >>> months = np.arange("2022-01", "2024-01", dtype="datetime64[M]")
    >>> purity = Series("purity", months, np.full(24, 15.0), elasticity=1.2)
    >>> purity.until("2022-03").values.tolist()
    [15.0, 15.0, 15.0]
    """

    name: str
    months: Months
    values: Floats
    elasticity: float
    noise: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        months = np.asarray(self.months, dtype="datetime64[M]")
        values = np.asarray(self.values, dtype=float)
        object.__setattr__(self, "months", months)
        object.__setattr__(self, "values", values)
        ordered = bool((np.diff(months).astype(int) >= 1).all())
        if months.shape != values.shape or months.ndim != 1 or not ordered:
            raise ScenarioError(
                f"{self.name}: months are not in order, or not as many as values",
                hint="one value per month, the oldest first",
            )
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise ScenarioError(f"{self.name} has values that are not above 0, allowed: above 0")
        if not np.isfinite(self.elasticity):
            raise ScenarioError(f"{self.name}: elasticity is {self.elasticity}, allowed: a number")

    def until(self, month: object) -> Series:
        """The same, up to a month."""
        there = self.months <= to_month(month)
        return replace(self, months=self.months[there], values=self.values[there])

    def measured(self, onset: np.datetime64) -> Series:
        """The same, with its noise estimated from the months before an onset.

        Raises
        ------
        ScenarioError
            If there are fewer than 12 of them.
        """
        if self.noise is not None:
            return self
        before = self.months < onset
        if before.sum() < FEWEST:
            raise ScenarioError(
                f"{self.name} has {before.sum()} values before {onset}, allowed: {FEWEST} or more",
                hint="they say how much the series moves by itself",
            )
        return replace(self, noise=_variances(self.months[before], np.log(self.values[before])))


def with_series(posterior: EventPosterior, series: Sequence[Series]) -> EventPosterior:
    """A posterior of one event with series beside its counts, exactly.

    Parameters
    ----------
    posterior : EventPosterior
    series : sequence of Series
        Independent of each other, and of the counts, given the effect.
    """
    if len(posterior.events) != 1:
        raise ScenarioError(f"{len(posterior.events)} events, allowed beside a series: one")
    onset = posterior.events[0].onset[0]
    for one in series:
        if one.months[-1] < onset:
            continue
        noise = one.measured(onset).noise
        assert noise is not None
        known, _ = _precision(one.months, noise)
        shapes = one.elasticity * posterior.timings[0].shape(one.months)
        felt = shapes @ known
        precision, pull = np.einsum("jn,jn->j", felt, shapes), felt @ np.log(one.values)
        posterior = replace(
            posterior,
            components=tuple(_updated(c, precision, pull) for c in posterior.components),
        )
    return posterior


def _updated(component: Component, precision: Floats, pull: Floats) -> Component:
    """A component times a normal likelihood of its size; nothing has no size."""
    if not component.active:
        return component
    mean, variance = component.means[..., 0], component.covs[..., 0, 0]
    narrowed = 1.0 / (1.0 / variance + precision)
    moved = narrowed * (mean / variance + pull)
    gain = 0.5 * (moved**2 / narrowed - mean**2 / variance + np.log(narrowed / variance))
    return replace(
        component,
        log_evidence=component.log_evidence + gain,
        means=moved[..., None],
        covs=narrowed[..., None, None],
    )


def _precision(months: Months, noise: tuple[float, float]) -> tuple[Floats, float]:
    """Precision with level and drift free, and the constant of the restricted likelihood."""
    since = (months - months[0]).astype(float)
    walk, error = noise
    covariance = walk * np.minimum.outer(since, since) + error * np.eye(since.size)
    trend = np.stack([np.ones(since.size), since / max(since[-1], 1.0)], axis=1)
    inverse = np.linalg.inv(covariance)
    held = inverse @ trend
    both = trend.T @ held
    constant = float(np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(both)[1])
    return np.asarray(inverse - held @ np.linalg.solve(both, held.T)), constant


def _variances(months: Months, logs: Floats) -> tuple[float, float]:
    """Variances of the walk and of the errors, by restricted likelihood."""
    size = max(float(np.var(np.diff(logs))), 1e-6)

    def cost(theta: Floats) -> float:
        """Minus twice the restricted log likelihood."""
        walk, error = np.exp(theta)
        precision, constant = _precision(months, (float(walk), float(error)))
        return float(constant + logs @ precision @ logs)

    start = np.log([0.3 * size, 0.3 * size])
    bounds = [(float(np.log(1e-4 * size)), float(np.log(10.0 * size)))] * 2
    walk, error = np.exp(minimize(cost, start, method="L-BFGS-B", bounds=bounds).x)
    return float(walk), float(error)


def read_series(path: str | Path, elasticity: float | None = None) -> Series:
    """A user's series: CSV with the columns ``month``, ``value`` and ``elasticity``.

    Parameters
    ----------
    path : path
        The series is named after the file.
    elasticity : float, optional
        In place of the column, which has one number.

    Raises
    ------
    ScenarioError
        If a column is missing, a month is given twice, a value is not above 0, or the
        elasticity is not stated, or differs from row to row.
    """
    needs = ("month", "value") if elasticity is not None else ("month", "value", "elasticity")
    try:
        table = Table(
            read_raw(path), _COLUMNS, needs=needs, others=True,
            what=f"a table with the columns {', '.join(needs)}",
        )  # fmt: skip
        table.refuse_open_end()
        months, values = table.months("1990-01"), table.values("value")
        stated = [elasticity] if elasticity is not None else sorted({*table.values("elasticity")})
    except DataError as error:
        raise ScenarioError(error.message, error.hint) from error
    if len(stated) != 1:
        raise ScenarioError(
            f"{path}: elasticity is {', '.join(f'{e:g}' for e in stated[:3])}, allowed: one number",
            hint="the same number in every row",
        )
    order = np.argsort(months, kind="stable")
    if (np.diff(months[order]).astype(int) == 0).any():
        raise ScenarioError(f"{path}: a month is given twice, allowed: one value per month")
    return Series(Path(path).stem, months[order], values[order], float(stated[0]))


_POSITIVE = "is not a number above 0"
_COLUMNS = (
    Column("month", "month"),
    Column("value", "value", needed(number, _POSITIVE, "leave out months without a value")),
    Column("elasticity", "elasticity", needed(number, "is not a number")),
)
