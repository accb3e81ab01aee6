"""How far a state's own counts are filled up, by the age of a month."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from odforecast.models.delay.constants import Delays
from odforecast.months import Months
from odforecast.panel import Floats, Own
from odforecast.panel.own import Days

#: The spread of CDC's late arrivals, where they stand for the state's.
DOUBLED = 2.0
#: Pairs of days needed to learn the late arrivals from the file, and what the prior of their
#: relative error weighs.
_PAIRS, _PRIOR_PAIRS = 6, 4.0
#: How much older than the youngest month of the file the youngest pair may be, months.
_YOUNG = 1.0
#: The age at which the constants give the late share.
_AGE = 6.0
#: Of a month no more than this is ever still to come.
_MOST = 0.9


@dataclass(frozen=True)
class Late:
    """Late arrivals of months by their age: the share still to come is ``alpha exp(-delta age)``.

    Attributes
    ----------
    alpha, delta : float
    spread : float
        Relative error of the odds of arriving late, the same for all months of a place.
    noise : float
        Relative error of a single month's.
    how : str
        What it rests on.
    common : float
        Share of the variance of the error that all places have in common whose counts are taken to
        fill up as CDC's do.
    """

    alpha: float
    delta: float
    spread: float
    noise: float
    how: str
    common: float = 0.0

    def share(self, ages: Floats) -> Floats:
        """Share of a month's deaths that is still to come."""
        found: Floats = np.minimum(self.alpha * np.exp(-self.delta * ages), _MOST)
        return found

    def missing(self, ages: Floats) -> tuple[Floats, Floats]:
        """Mean and sd of the log of a month once complete over the month as counted.

        The odds of arriving late are lognormal, so that less than nothing never arrives.
        """
        share = self.share(ages)
        odds = share / (1.0 - share)
        spread = np.sqrt(np.log1p(self.spread**2))
        nodes, weights = np.polynomial.hermite_e.hermegauss(20)
        drawn = np.log1p(odds[:, None] * np.exp(spread * nodes - 0.5 * spread**2))
        weights = weights / weights.sum()
        mean = drawn @ weights
        variance = (drawn - mean[:, None]) ** 2 @ weights
        return mean, np.sqrt(variance)


def late_arrivals(own: Own, state: str, constants: Delays) -> Late:
    """How far a place's counts are filled up by age: from its own days, else as CDC's are.

    Ages are months from the end of a month to the day on which it was counted.
    """
    spread = float(np.hypot(constants.late_own, constants.late_shared))
    if own.complete:
        return Late(0.0, 1.0, 0.0, 0.0, "taken as complete")
    months, deaths, days = own.rows(state)
    newest = {m: (y, d) for m, y, d in zip(months, deaths, days)}  # the last row of a month stays
    ages = ages_of(months, days)
    last = np.array([newest[m][0] for m in months])
    last_ages = ages_of(months, np.array([newest[m][1] for m in months], dtype="datetime64[D]"))
    pair = (last_ages > ages) & (last > 0) & (deaths > 0)
    many = pair.sum() >= _PAIRS and np.unique(months[pair]).size >= 3
    # Pairs of old months show nothing of young ones, such as those that the file ends in.
    young = many and ages[pair].min() <= last_ages.min() + _YOUNG
    if young:
        alpha, delta, spread = _fitted(
            ages[pair], last_ages[pair], deaths[pair], last[pair], spread
        )
        how = f"assumed to fill up as {int(pair.sum())} earlier counts in the file did"
        return Late(alpha, delta, spread, constants.noise, how)
    why = "the file has one day only"
    if pair.any():
        why = "few months of the file have several days"
    if many:
        why = "the months of the file that have several days were older than its last"
    return Late(
        constants.late * float(np.exp(constants.late_decay * _AGE)),
        constants.late_decay,
        DOUBLED * spread,
        constants.noise,
        f"assumed to be as incomplete as CDC's, with doubled uncertainty, because {why}",
        common=float(constants.late_shared / spread) ** 2,
    )


def ages_of(months: Months, days: Days) -> Floats:
    """Whole months from the end of each month to a day."""
    return (days.astype("datetime64[M]") - months).astype(float) - 1.0


def _fitted(
    young: Floats, old: Floats, then: Floats, now: Floats, spread: float
) -> tuple[float, float, float]:
    """``alpha``, ``delta`` and the spread of pairs of counts of one month, by least squares."""
    change = np.log(then / now)
    best: float = np.inf
    found = (0.0, 1.0)
    for fall in np.linspace(0.1, 1.2, 23):
        for start in np.concatenate([[0.0], np.geomspace(0.01, 2.0, 60)]):
            before, after = (np.minimum(start * np.exp(-fall * a), _MOST) for a in (young, old))
            error = change - np.log1p(-before) + np.log1p(-after)
            loss = float((now * error**2).sum())
            if loss < best - 1e-12:
                best, found = loss, (float(start), float(fall))
    alpha, delta = found
    before, after = (np.minimum(alpha * np.exp(-delta * a), _MOST) for a in (young, old))
    odds = before / (1.0 - before) - after / (1.0 - after)
    told = odds > 0.02
    error = (now / then - 1.0 - odds)[told] / odds[told]
    # What counting alone scatters is no error of the curve.
    chance = 1.0 / (odds[told] * then[told])
    squares = np.maximum(error**2 - chance, 0.0).sum()
    variance = (_PRIOR_PAIRS * spread**2 + squares) / (_PRIOR_PAIRS + told.sum())
    return alpha, delta, float(np.sqrt(variance))
