"""What a clock reads: releases as they were on their day, with what they still miss drawn.

The posterior of the effect (:mod:`odforecast.scenario.effects`) is worked out exactly for each draw
of the deaths that arrive late, and the chances are averaged: a deficit does not pass for an effect.
The last month is left out, for it is the difference of two sums that are both incomplete. Exposures
and the nation's weights are those of the release that is read. A clock reads for five years.

A user's series (purity, price, seizures) stands beside the counts with a stated elasticity::

    log y(t) = a + b t + elasticity * beta * shape(t) + walk(t) + error(t)

The sizes of the random walk and the single errors are estimated from before the onset. Given the
timing this is normal in ``beta``, as the deaths are, so the two are multiplied exactly. An
elasticity has no error here, and a series is taken to be known to the month before each release.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import ndtr

from odforecast.errors import DataError, PanelError, ScenarioError
from odforecast.geography import NATION, called, closed
from odforecast.models.delay.constants import delays_for
from odforecast.models.delay.deficit import (
    SPAN,
    deficit,
    is_final,
    late_draws,
    prior_factors,
)
from odforecast.months import ONE_MONTH, Months, to_month
from odforecast.names import ALL_DRUGS, STATES
from odforecast.panel import Floats, Panel
from odforecast.say import number_of
from odforecast.scenario.effects import EventPosterior, EventPrior, log_sum
from odforecast.scenario.grammar import ALL
from odforecast.scenario.intervention import Intervention
from odforecast.scenario.past import BEFORE, Counts, eve_shares, felt_by
from odforecast.seeds import Streams
from odforecast.sources.columns import Column, Table, needed, number
from odforecast.sources.read import read_raw

if TYPE_CHECKING:
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.vintage import Vintage

#: Months after the onset that a clock reads.
READS = 60
#: Last months of a release that it leaves out.
YOUNGEST = 1
#: Draws of the deaths that arrive late, and of the timing for each.
IMPUTED = 12
TIMINGS = 256
#: Fewest values of a series before the onset: they say how much it moves by itself.
FEWEST_VALUES = 12
#: A chance below which a prior leaves none for anything but what an intervention is there for.
NONE_LEFT = 1e-9
THREE = ("works", "nothing", "backfires")

_POSITIVE = "is not a number above 0"
_COLUMNS = (
    Column("month", "month"),
    Column(
        "value",
        "value",
        parse=needed(number, _POSITIVE, hint="leave out months without a value"),
    ),
    Column("elasticity", "elasticity", parse=needed(number, "is not a number")),
)


# ---------------------------------------------------------------------------- a series of one's own


@dataclass(frozen=True, eq=False)
class Series:
    """A monthly series that an effect on deaths is stated to move too.

    Attributes
    ----------
    name : str
    months : ndarray of datetime64[M], shape (N,)
        In order; months may be missing.
    values : ndarray, shape (N,)
        Above 0. A clock takes them as known, as they are here, to the month before each release.
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
            raise ScenarioError(
                f"{self.name} has values that are not above 0, allowed: above 0"
            )
        if not np.isfinite(self.elasticity):
            raise ScenarioError(
                f"{self.name}: elasticity is {self.elasticity}, allowed: a number"
            )

    def until(self, month: object) -> Series:
        """The same, up to a month."""
        keep = self.months <= to_month(month)
        return replace(self, months=self.months[keep], values=self.values[keep])

    def measured(self, onset: np.datetime64) -> Series:
        """The same, with its noise estimated from the months before an onset, 12 or more."""
        if self.noise is not None:
            return self
        before = self.months < onset
        if before.sum() < FEWEST_VALUES:
            raise ScenarioError(
                f"{self.name} has {before.sum()} values before {onset}, allowed: {FEWEST_VALUES} "
                "or more",
                hint="they say how much the series moves by itself",
            )
        months = self.months[before]
        logs = np.log(self.values[before])
        size = max(float(np.var(np.diff(logs))), 1e-6)

        def cost(theta: Floats) -> float:
            """Minus twice the restricted log likelihood."""
            walk, error = np.exp(theta)
            precision, constant = _precision(months, (float(walk), float(error)))
            return float(constant + logs @ precision @ logs)

        start = np.log([0.3 * size, 0.3 * size])
        bounds = [(float(np.log(1e-4 * size)), float(np.log(10.0 * size)))] * 2
        walk, error = np.exp(minimize(cost, start, method="L-BFGS-B", bounds=bounds).x)
        return replace(self, noise=(float(walk), float(error)))


def read_series(path: str | Path) -> Series:
    """A user's series: CSV with the columns ``month``, ``value`` and ``elasticity``.

    Parameters
    ----------
    path : path
        The series is named after the file. ``elasticity`` has the same number in every row.

    Raises
    ------
    ScenarioError
        If a column is missing, a month is given twice, a value is not above 0, or the
        elasticity is not stated, or differs from row to row.
    """
    needs = ("month", "value", "elasticity")
    try:
        table = Table(
            read_raw(path),
            _COLUMNS,
            needs=needs,
            others=True,
            what=f"a table with the columns {', '.join(needs)}",
        )
        table.refuse_open_end()
        months = table.months("1990-01")
        values = table.values("value")
        stated = sorted({*table.values("elasticity")})
    except DataError as error:
        raise ScenarioError(error.message, error.hint) from error
    if len(stated) != 1:
        raise ScenarioError(
            f"{path}: elasticity is {', '.join(f'{e:g}' for e in stated[:3])}, allowed: one number",
            hint="the same number in every row",
        )
    order = np.argsort(months, kind="stable")
    if (np.diff(months[order]).astype(int) == 0).any():
        raise ScenarioError(
            f"{path}: a month is given twice, allowed: one value per month"
        )
    return Series(
        Path(path).stem,
        months[order],
        values=values[order],
        elasticity=float(stated[0]),
    )


def _precision(months: Months, noise: tuple[float, float]) -> tuple[Floats, float]:
    """Precision with level and drift free, and the constant of the restricted likelihood."""
    since = (months - months[0]).astype(float)
    walk, error = noise
    covariance = walk * np.minimum.outer(since, since) + error * np.eye(since.size)
    trend = np.stack([np.ones(since.size), since / max(since[-1], 1.0)], axis=1)
    inverse = np.linalg.inv(covariance)
    weighted = inverse @ trend
    information = trend.T @ weighted
    constant = float(
        np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(information)[1]
    )
    return np.asarray(
        inverse - weighted @ np.linalg.solve(information, weighted.T)
    ), constant


def with_series(posterior: EventPosterior, series: Sequence[Series]) -> EventPosterior:
    """A posterior with series beside its counts, exactly.

    They are independent of each other, and of the counts, given the effect.
    """
    onset = posterior.event.onset[0]
    for item in series:
        if item.months[-1] < onset:
            continue
        noise = item.measured(onset).noise
        assert noise is not None
        months_precision, _ = _precision(item.months, noise)
        shapes = item.elasticity * posterior.timings.shape(item.months)
        weighted = shapes @ months_precision
        precision = np.einsum("jn,jn->j", weighted, shapes)
        pull = weighted @ np.log(item.values)
        # The normal of the size times a normal likelihood of it; nothing has no size.
        mean = posterior.means
        variance = posterior.variances
        narrowed = 1.0 / (1.0 / variance + precision)
        moved = narrowed * (mean / variance + pull)
        gain = 0.5 * (
            moved**2 / narrowed - mean**2 / variance + np.log(narrowed / variance)
        )
        posterior = replace(
            posterior,
            effect=posterior.effect + gain,
            means=moved,
            variances=narrowed,
        )
    return posterior


# ------------------------------------------------------------------------------------- releases


class Clock:
    """One intervention in one location, and releases read as of their day."""

    def __init__(
        self,
        x: Intervention,
        code: str,
        archive: Archive | None,
        series: tuple[Series, ...],
        seed: int,
    ) -> None:
        self.x = x
        self.code = code
        self.archive = archive
        self.series = series
        self.seed = seed
        self.prior = EventPrior.from_event(x)
        #: Chances before any counts; of a what-if even odds, for nobody gave it a chance.
        self.before = even_odds(x) if x.is_what_if else x.chances()
        self.indicator = ALL_DRUGS if x.scope == ALL else x.scope
        self.notes: list[str] = []
        self._below: set[tuple[str, str, str]] = set()

    def month(self, k: int) -> np.datetime64:
        """The k-th month since the onset."""
        month: np.datetime64 = self.x.onset[0] + (k - 1) * ONE_MONTH
        return month

    def felt(self, vintage: Vintage) -> dict[str, float]:
        """Exposure of every location on the eve of the onset, as a release has it."""
        return felt_by(self.x, vintage.panel(), tables=eve_shares(self.x, vintage))

    def chances(
        self, posterior: EventPosterior, before: Sequence[float] | None = None
    ) -> Floats:
        """Probability that it works, does nothing, and backfires, by the sign of its size.

        ``before`` are these chances before any counts, where they are not the clock's own.
        """
        weighted = likelihoods(posterior) * (self.before if before is None else before)
        return np.asarray(weighted / weighted.sum())

    def so_far(self) -> tuple[list[dict[str, Any]], list[EventPosterior]]:
        """Rows of the chances, and the newest posteriors; none before there are counts."""
        rows = [_row(None, self.x.onset[0] - ONE_MONTH, three=self.before, sd=0.0)]
        posteriors: list[EventPosterior] = []
        assert self.archive is not None
        for day in self.archive.releases():
            if np.datetime64(day, "M") < self.x.onset[0]:
                continue
            try:
                vintage = self.archive.as_of(day)
                reading = self.reading(
                    vintage.panel(self.indicator), self.felt(vintage)
                )
            except (PanelError, ScenarioError) as error:
                self.notes.append(f"The release of {day} is not read: {error.message}.")
                continue
            if reading.months[-1] < self.x.onset[0]:
                continue
            posteriors = self.posteriors(
                reading, until=np.datetime64(day, "M") - ONE_MONTH
            )
            chances = np.array([self.chances(p) for p in posteriors])
            sd = float(chances[:, 0].std())
            three = tuple(chances.mean(axis=0))
            rows.append(_row(day, reading.months[-1], three=three, sd=sd))
        if self._below:
            counts = number_of(len(self._below), "completed count")
            self.notes.append(
                f"In some draws {counts} of a place and month fell below 0; 0 is used instead."
            )
        return rows, posteriors

    def reading(
        self, panel: Panel, felt: Mapping[str, float], draws: int = IMPUTED
    ) -> Counts:
        """A release's counts, from four years before the onset or before the last of them."""
        x = self.x
        last = min(
            panel.last_month - YOUNGEST * ONE_MONTH, x.onset[1] + READS * ONE_MONTH
        )
        first = min(x.onset[0], last + ONE_MONTH) - BEFORE * ONE_MONTH
        grid = panel.month_grid
        span = (grid >= first) & (grid <= last)
        months = completed(panel, draws, seed=self.seed)
        young = span & (grid > grid[-1] - SPAN * ONE_MONTH) & (not is_final(panel))
        below = (months < 0.0).any(axis=0) & young
        months = np.where(below, np.maximum(months, 0.0), months)
        counts = Counts.from_panel(panel, months, span=span, felt=felt, code=self.code)
        places = list(counts.places)
        if counts.nation is not None:
            places.append(NATION)
        if self.code not in places:
            raise PanelError(f"{called(self.code)} has months without a count")
        for place in places:
            for month in grid[below[panel.index(place)]]:
                self._below.add((str(panel.release), place, str(month)))
        return counts

    def posteriors(self, reading: Counts, until: np.datetime64) -> list[EventPosterior]:
        """One posterior for each completion of the counts, with the series known by then."""
        series = [item.until(until) for item in self.series if item.months[0] <= until]
        deaths = reading.deaths
        # A release that misses nothing has been completed in one way only.
        worlds = 1 if (deaths == deaths[:1]).all() else None
        counts = reading.until(deaths.shape[2], worlds)
        weights = deaths.mean(axis=(0, 2))
        begun = bool(reading.months[-1] >= self.x.onset[0])
        posteriors = counts.posteriors(
            self.x, weights, begun=begun, draws=TIMINGS, seed=self.seed
        )
        return [with_series(posterior, series) for posterior in posteriors]


def aim(x: Intervention) -> int:
    """Which of the three chances is that of what it is there for."""
    return 2 if x.rises else 0


def even_odds(x: Intervention) -> tuple[float, ...]:
    """Chances of somebody who gives it even odds to do what it is there for.

    The other half is divided as its prior divides it; all of it is "nothing" where that has none.
    """
    rest = np.array(x.chances())
    rest[aim(x)] = 0.0
    if rest.sum() < NONE_LEFT:
        rest[1] = 1.0
    chances = 0.5 * rest / rest.sum()
    chances[aim(x)] = 0.5
    return tuple(chances.tolist())


def completed(panel: Panel, draws: int, seed: int) -> Floats:
    """A panel's months with the deaths that arrive late drawn, shape (draws, L, T + 11)."""
    months = np.repeat(panel.monthly[None], draws, axis=0)
    if is_final(panel):
        return months
    missing = deficit(panel, delays_for(panel))
    places = panel.locations
    rows = list(range(len(places)))
    streams = Streams(
        seed, STATES, indicator=panel.indicator, last_month=str(panel.last_month)
    )
    factors = prior_factors(
        missing, rows, locations=places, draws=draws, streams=streams
    )
    late = late_draws(missing, rows, locations=places, factors=factors, streams=streams)
    if missing.adds_up:
        late = closed(late, places, axis=1)
    n = min(SPAN, months.shape[2])
    months[:, :, -n:] += late[:, :, -n:]
    return months


def chances_of(posterior: EventPosterior) -> tuple[float, float, float]:
    """Chances of a size below 0, of none, and of one above, as the estimator has them."""
    nothing = posterior.p_null()
    if nothing >= 1.0:
        return 0.0, 1.0, 0.0
    works = (1.0 - nothing) * posterior.cdf(0.0)
    return works, nothing, max(1.0 - nothing - works, 0.0)


def likelihoods(posterior: EventPosterior) -> Floats:
    """Evidence that it works, does nothing, and backfires, (3,); the largest of the last two is 1.

    It is free of the prior's chances: the prior of a share times a size is not normal, as the
    estimator assumes, and keeps the chances that are stated.
    """
    prior = posterior.prior
    falls = float(ndtr(-prior.mean / prior.sd))
    if prior.one_sided:
        falls = float(prior.high == 0.0)
    gain = log_sum(posterior.log_evidence) - log_sum(posterior.none)
    below = posterior.cdf(0.0)
    signs = np.array([below, 1.0 - below])
    priors = np.array([falls, 1.0 - falls])
    ratios = np.divide(signs, priors, out=np.zeros(2), where=priors > 0.0)
    # Both are divided by the larger, so that neither is out of range.
    top = max(gain, 0.0)
    works, backfires = np.exp(gain - top) * ratios
    return np.array([works, np.exp(-top), backfires])


def _row(
    day: dt.date | None,
    month: np.datetime64,
    three: tuple[float, ...],
    sd: float,
) -> dict[str, Any]:
    release = pd.NaT if day is None else pd.Timestamp(day)
    return {
        "release": release,
        "month": str(month),
        **dict(zip(THREE, three)),
        "late_sd": sd,
    }
