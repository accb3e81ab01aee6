"""A state's own counts on CDC's scale, and how far each month is known from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from odforecast.models.own.late import Late, ages_of
from odforecast.models.own.move import HALF, near
from odforecast.monthly.sums import rolling_sums
from odforecast.months import Months
from odforecast.panel import Floats, Own, Panel
from odforecast.panel.own import LEAST_OVERLAP
from odforecast.panel.own import common as common_months

#: Months that both have, at most: five years.
WINDOW = 60
#: Sd of the change in a year of the log of 12-month deaths by residence over those by occurrence
#: (median state), and the years that it weighs as.
DRIFT, _DRIFT_YEARS = 0.018, 3.0
#: Months of plain Poisson noise that the noise of counting in two systems is shrunk to.
_POISSON_MONTHS = 12.0
#: How much of each step of a random walk two adjacent means of 12 months have between them: 1/12 of
#: the first, all of the middle one, 1/12 of the last.
_WEIGHTS = np.arange(1, 13) / 12.0
#: Steps whose variance a mean of 12 months has to its last month: sum of (k/12)^2, k = 1..11.
_TO_LAST = float((_WEIGHTS[:-1] ** 2).sum())
#: Variance of a walk in 12 months over that of the difference of those means, (650 + 506) / 144
#: steps': means level out a third of it.
OF_MEANS = 12.0 / (float((_WEIGHTS**2).sum()) + _TO_LAST)


@dataclass(frozen=True)
class Seen:
    """What a place's own counts say of its months, on CDC's scale.

    Attributes
    ----------
    months : ndarray of datetime64[M], shape (k,)
        Months that CDC's counts do not settle.
    deaths : ndarray, shape (k,)
        Deaths expected of them.
    noise : ndarray, shape (k, k)
        Covariance of the errors of their logs.
    factor, factor_sd : float
        Own over CDC's counts of the last common 12 months, and the relative sd at the last month.
    shared : int
        Months that it was learned on.
    common : ndarray, shape (k,)
        Sd of what other places have of those errors, too: late arrivals, where files are taken to
        fill up as CDC's counts do.
    """

    months: Months
    deaths: Floats
    noise: Floats
    factor: float
    factor_sd: float
    shared: int
    common: Floats


def seen_months(
    panel: Panel, own: Own, state: str, late: Late, drawn: dict[object, Floats]
) -> Seen | None:
    """What a place's own counts say of months that CDC's do not settle.

    Parameters
    ----------
    panel : Panel
    own : Own
    state : str
    late : Late
    drawn : dict
        Months to their draws, where a model completes CDC's counts. Used where CDC's settled
        counts share too few months with the state's.

    Returns
    -------
    Seen or None
        None if there are too few common months.
    """
    months, _, days = own.of(state)
    both, mine, cdc = common_months(panel, own, state)
    end, extra = panel.final_through, 0.0
    if (both <= end).sum() < LEAST_OVERLAP:
        end = panel.last_month
        completed = [drawn.get(m, np.array([c])) for m, c in zip(both.tolist(), cdc)]
        cdc = np.array([np.mean(x) for x in completed])
        # The last 12 months are known as far as the model's draws of them agree.
        open_months = [x for x in completed[-12:] if np.size(x) > 1]
        if open_months:
            spread = float(np.std(np.sum(open_months, axis=0)))
            extra = spread / max(float(cdc[-12:].sum()), 1.0)
    keep = both <= end
    both, mine, cdc = both[keep][-WINDOW:], mine[keep][-WINDOW:], cdc[keep][-WINDOW:]
    if both.size < LEAST_OVERLAP:
        return None
    missing, missing_sd = late.missing(ages_of(months, days))
    place = {m: i for i, m in enumerate(months.tolist())}
    at = np.array([place[m] for m in both.tolist()])
    mine = mine * np.exp(missing[at])
    size = rolling_sums(np.stack([mine, cdc])) + HALF
    ratio = size[0] / size[1]
    # The ratio of the twelve months about each month, and of the last twelve from there on.
    centred = np.clip(np.arange(both.size) - 5, 0, ratio.size - 1)
    scaled = mine / ratio[centred]
    calendar = both.astype(int) % 12
    constant, years = np.zeros(12), np.zeros(12)
    for c in range(12):
        of = calendar == c
        years[c] = of.sum()
        constant[c] = (cdc - scaled)[of].mean()
    left = cdc - scaled - constant[calendar]
    free = max(both.size - 12 - both.size // 12, 0)
    level = np.maximum(scaled + constant[calendar], HALF)
    phi = (_POISSON_MONTHS + (left**2 / level).sum()) / (_POISSON_MONTHS + free)
    changes = np.log(ratio[12:] / ratio[:-12])[::-12]
    change = (_DRIFT_YEARS * DRIFT**2 + (changes**2).sum()) / (_DRIFT_YEARS + changes.size)
    drift = OF_MEANS * change  # variance in 12 months
    new = np.flatnonzero(months > both[-1])
    month = months[new]
    deaths = own.of(state)[1][new] * np.exp(missing[new]) / ratio[-1]
    of_year = month.astype(int) % 12
    deaths = np.maximum(deaths + constant[of_year], 0.0)
    # Errors in deaths become errors of logs at a level that the count itself does not move.
    year = float(level[-12:].mean())
    usual = np.array([np.mean(drawn[m]) if m in drawn else year for m in month.tolist()])
    usual = np.maximum(usual, HALF) + HALF
    since = (month - both[-1]).astype(float) + _TO_LAST
    walk = drift / 12.0 * np.minimum.outer(since, since)
    late_sd = missing_sd[new] - missing_sd[at[-12:]].mean()
    filling = near(since) * np.outer(late_sd, late_sd)
    filling = filling + np.diag((late.noise * missing[new]) ** 2)
    single = phi * (1.0 + 1.0 / years[of_year]) / usual
    noise = walk + extra**2 + phi / size[1][-1] + np.diag(single) + filling
    last = float(np.sqrt(drift / 12.0 * (since[-1] if new.size else _TO_LAST) + extra**2))
    common = np.sqrt(late.common) * late_sd
    return Seen(month, deaths, noise, float(ratio[-1]), last, int(both.size), common)
