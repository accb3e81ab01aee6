"""A clock's reading of counts: each release as it was on its day, with what it still misses drawn.

The posterior of the effect (:mod:`odforecast.scenario.effects`) is worked out exactly for each draw
of the deaths that arrive late, and the chances are averaged: a deficit does not pass for an effect.
The last month is left out, for it is the difference of two sums that are both incomplete.

The estimator of past events stops 24 months after an onset, for later turns are another story. A
clock cannot stop there: it reads on for five years.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from odforecast.errors import PanelError
from odforecast.geography import JURISDICTIONS, NATION, called, closed
from odforecast.models.delay.constants import delays_for
from odforecast.models.delay.deficit import SPAN, deficit, is_final, late_draws, prior_factors
from odforecast.months import ONE_MONTH, Months
from odforecast.names import ALL_DRUGS, STATES
from odforecast.panel import Floats, Panel
from odforecast.scenario.effects import GRID, Estimator, EventPosterior, EventPrior, Grid, geometric
from odforecast.scenario.exposure import fentanyl_share
from odforecast.scenario.grammar import ALL
from odforecast.scenario.intervention import Intervention
from odforecast.scenario.past import BEFORE, FEWEST, felt_by
from odforecast.scenario.series import Series, with_series
from odforecast.seeds import Streams

if TYPE_CHECKING:
    from odforecast.vintage.archive import Archive

#: Months after the onset that a clock reads.
READS = 60
#: Last months of a release that it leaves out.
YOUNGEST = 1
#: Draws of the deaths that arrive late, and of the timing for each.
IMPUTED, TIMINGS = 12, 256
#: Draws of the timing, and what the mean does by itself, where thousands of worlds are read.
LIGHT = 64
COARSE = Grid(
    geometric(0.003, 0.3, 6), geometric(0.003, 0.3, 5), (0.0, 0.008, 0.03), (0.04, 0.04, 0.02),
    (12.0,), (None, 0),
)  # fmt: skip

THREE = ("works", "nothing", "backfires")


@dataclass(frozen=True, eq=False)
class Reading:
    """Counts of one release, completed K times: deaths (K, S, T), the nation's own (K, T)."""

    months: Months
    states: tuple[str, ...]
    deaths: Floats
    nation: Floats | None


class Clock:
    """One intervention in one location: its exposures, and releases read as of their day."""

    def __init__(
        self, x: Intervention, code: str, archive: Archive, series: tuple[Series, ...], seed: int
    ) -> None:
        self.x, self.code, self.archive, self.series, self.seed = x, code, archive, series, seed
        self.prior = EventPrior.of(x)
        self.indicator = ALL_DRUGS if x.scope == ALL else x.scope
        self.notes: list[str] = []

    @cached_property
    def felt(self) -> dict[str, float]:
        """Exposure of every location, as it was on the eve of the onset."""
        newest = self.archive.as_of(self.archive.last_seen)
        panel, shares = newest.panel(), {}
        if isinstance(self.x.exposure, str):
            eve = min(self.x.onset[0] - ONE_MONTH, panel.last_month)
            synthetic = newest.panel("T40.4")
            shares = {"fentanyl-share": fentanyl_share(panel, synthetic, fill="region", month=eve)}
        return felt_by(self.x, panel, shares)

    @cached_property
    def before(self) -> tuple[float, float, float]:
        """The three chances before there are any counts."""
        return self.x.chances()

    @cached_property
    def weights(self) -> Floats:
        """What the estimator's chances are multiplied by, for it takes the size for normal.

        A share of a size is not: that it works, does nothing or backfires keeps the chances that
        the prior gives them, and within each the size is the estimator's.
        """
        falls = float(ndtr(-self.prior.mean / self.prior.sd))
        if self.prior.one_sided:
            falls = float(self.prior.high == 0.0)
        effect = 1.0 - self.prior.p_null
        own = np.array([effect * falls, self.prior.p_null, effect * (1.0 - falls)])
        out: Floats = np.divide(np.array(self.before), own, out=np.zeros(3), where=own > 0.0)
        return out

    def chances(self, posterior: EventPosterior) -> Floats:
        """Probability that it works, does nothing, and backfires, by the sign of its size."""
        weighed = np.array(chances_of(posterior)) * self.weights
        return np.asarray(weighed / weighed.sum())

    def so_far(self) -> tuple[list[dict[str, Any]], list[EventPosterior]]:
        """Rows of the chances, and the newest posteriors; none before there are counts."""
        rows = [_row(None, self.x.onset[0] - ONE_MONTH, self.before, 0.0)]
        last: list[EventPosterior] = []
        for day in self.archive.releases():
            if np.datetime64(day, "M") < self.x.onset[0]:
                continue
            try:
                panel = self.archive.as_of(day).panel(self.indicator)
                reading = self.reading(panel)
            except PanelError as error:
                self.notes.append(f"Release {day} is not read: {error.message}.")
                continue
            if reading is None:
                continue
            last = list(self.posteriors(reading, until=np.datetime64(day, "M") - ONE_MONTH))
            each = np.array([self.chances(p) for p in last])
            sd = float(each[:, 0].std())
            rows.append(_row(day, reading.months[-1], tuple(each.mean(axis=0)), sd))
        return rows, last

    def reading(self, panel: Panel) -> Reading | None:
        """A release's counts from four years before the onset; None before there are any since."""
        x = self.x
        last = min(panel.last_month - YOUNGEST * ONE_MONTH, x.onset[1] + READS * ONE_MONTH)
        if last < x.onset[0]:
            return None
        grid = panel.month_grid
        span = (grid >= x.onset[0] - BEFORE * ONE_MONTH) & (grid <= last)
        months = completed(panel, IMPUTED, self.seed)[:, :, span]
        there = {
            s: months[:, i] for i, s in enumerate(panel.locations)
            if np.isfinite(months[:, i]).all()
        }  # fmt: skip
        if self.code not in there:
            raise PanelError(f"{called(self.code)} has months without a count")
        if self.code != NATION:
            return Reading(grid[span], (self.code,), there[self.code][:, None], None)
        states = tuple(
            s for s in JURISDICTIONS if s in there and there[s].mean(axis=0).min() >= FEWEST
        )
        if not states:
            return Reading(grid[span], (NATION,), there[NATION][:, None], None)
        deaths = np.stack([there[s] for s in states], axis=1)
        return Reading(grid[span], states, deaths, there[NATION])

    def estimator(
        self, months: Months, states: Sequence[str], weights: Floats, nation: bool, light: bool
    ) -> Estimator:
        """The estimator of counts of these places; with the nation's own counts, or without."""
        return Estimator(
            months, [self.x], np.array([[self.felt[s]] for s in states]), weights,
            nation=np.array([self.felt[NATION]]) if nation else None,
            draws=LIGHT if light else TIMINGS, grid=COARSE if light else GRID, seed=self.seed,
        )  # fmt: skip

    def posteriors(self, reading: Reading, until: np.datetime64) -> list[EventPosterior]:
        """One posterior for each completion of the counts, with the series known by then."""
        r = reading
        made = self.estimator(
            r.months, r.states, r.deaths.mean(axis=(0, 2)), r.nation is not None, light=False
        )
        known = [s.until(until) for s in self.series if s.months[0] <= until]
        # A release that misses nothing has been completed in one way only.
        n = 1 if (r.deaths == r.deaths[:1]).all() else len(r.deaths)
        nations = [None] * n if r.nation is None else r.nation[:n]
        return [
            with_series(made.posterior(deaths, nation), known)
            for deaths, nation in zip(r.deaths[:n], nations)
        ]


def completed(panel: Panel, draws: int, seed: int) -> Floats:
    """A panel's months with the deaths that arrive late drawn, shape (draws, L, T + 11)."""
    months = np.repeat(panel.monthly[None], draws, axis=0)
    if is_final(panel):
        return months
    missing, everyone = deficit(panel, delays_for(panel)), list(range(len(panel.locations)))
    streams = Streams(seed, STATES, panel.indicator, str(panel.last_month))
    factors = prior_factors(missing, everyone, panel.locations, draws, streams)
    late = late_draws(missing, everyone, panel.locations, factors, streams)
    if missing.adds_up:
        late = closed(late, panel.locations, axis=1)
    n = min(SPAN, months.shape[2])
    months[:, :, -n:] = np.maximum(months[:, :, -n:] + late[:, :, -n:], 0.0)
    return months


def chances_of(posterior: EventPosterior) -> tuple[float, float, float]:
    """Chances of a size below 0, of none, and of one above, as the estimator has them."""
    nothing = posterior.p_null()
    if nothing >= 1.0:
        return 0.0, 1.0, 0.0
    works = (1.0 - nothing) * posterior.cdf(0.0)
    return works, nothing, max(1.0 - nothing - works, 0.0)


def _row(
    day: dt.date | None, month: np.datetime64, three: tuple[float, ...], sd: float
) -> dict[str, Any]:
    release = pd.NaT if day is None else pd.Timestamp(day)
    return {"release": release, "month": str(month), **dict(zip(THREE, three)), "late_sd": sd}
