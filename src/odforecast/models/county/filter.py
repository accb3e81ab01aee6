"""The months and the level of each county of a state, from its 12-month counts."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc
from typing import Final

import numba as nb
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from odforecast.panel import Floats

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: What is known of a sum.
MISSING = 0
EXACT = 1
BETWEEN = 2
#: Below this, in deaths a year, a level is none: noise that follows the level needs some.
LEAST = 1e-3
#: A variance that is none, in deaths squared.
NONE = 1e-9
#: Counts between two that are further apart than this are cut off a normal, not gone through.
MANY = 50.0
#: Counties whose first sum is this and more count for the likelihood, as long as they are seen: to
#: look at all that are visible would be to choose those that did not fall.
ENOUGH = 20.0
#: Variance of a county's month over its mean: plain Poisson.
PHI: Final = 1.0
#: Standard deviation of the relative step of a county's share of its state, a month.
STEP: Final = 0.03
#: Levels of counties by how urban they are (the release's code): mean, in deaths a year, and
#: shape of a gamma distribution; and the same of rates, in deaths per 100,000 people a year.
LEVELS: Final = {
    "1": (401.0, 2.7, 38.9, 3.2),
    "2": (62.8, 0.69, 29.0, 4.0),
    "3": (61.0, 0.64, 31.7, 3.7),
    "4": (23.9, 0.98, 27.1, 3.3),
    "5": (12.0, 1.0, 27.0, 2.6),
    "6": (3.68, 0.66, 24.3, 1.9),
}
#: How far a state's levels are from these, as the sd of a logarithm.
STATE: Final = 0.68
#: Residence over occurrence before any count is seen: sd around 1, and sd of its change in a year.
RESIDENCE_SD = 0.06
RESIDENCE_STEP = 0.018
#: sd of the logarithm of how much more, or less, complete counties are than their state.
COMPLETENESS_SD: Final = 0.03


#: Logarithms of the factor of a state that are tried.
FACTORS = np.linspace(-1.6, 1.6, 65)
#: A county without a class is taken for one of these.
UNKNOWN = "5"


def levels(
    urban: list[str],
    people: Floats,
    low: Floats,
    high: Floats,
) -> tuple[Floats, Floats, float]:
    """Gamma prior of the levels of a state's counties."""
    # people (n,); low, high (n,) -> mean (n,), shape : ndarray, shape (n,)
    known = np.array([LEVELS[u if u in LEVELS else UNKNOWN] for u in urban])
    counted = people > 0
    mean = np.where(counted, np.nan_to_num(people) * known[:, 2] / 1e5, known[:, 0])
    shape = np.where(counted, known[:, 3], known[:, 1])
    told = np.isfinite(low) & np.isfinite(high)
    fit = -0.5 * (FACTORS / STATE) ** 2
    if told.any():
        means = mean[told, None] * np.exp(FACTORS)
        shapes = np.broadcast_to(shape[told, None], means.shape)
        fit = fit + log_likelihood(means, shapes, low=low[told], high=high[told]).sum(
            axis=0
        )
    weight = np.exp(fit - fit.max())
    factor = float(np.exp((weight * FACTORS).sum() / weight.sum()))
    return mean * factor, shape, factor


def log_likelihood(mean: Floats, shape: Floats, low: Floats, high: Floats) -> Floats:
    """Log likelihood of each county's count: negative binomial, between two where it was hidden."""
    # mean, shape (n, F); low, high (n,) -> (n, F)
    p = mean / (mean + shape)
    start = shape * np.log1p(-p)

    def log_pmf(k: Floats, rows: NDArray[np.bool_]) -> Floats:
        k = k[rows, None]
        a = shape[rows]
        pmf = (
            gammaln(k + a)
            - gammaln(a)
            - gammaln(k + 1.0)
            + start[rows]
            + k * np.log(p[rows])
        )
        return np.asarray(pmf)

    out = np.zeros(mean.shape)
    exact = low == high
    out[exact] = log_pmf(low, exact)
    few = ~exact & np.isfinite(high)
    if few.any():
        inside = np.zeros((int(few.sum()), mean.shape[1]))
        for k in range(int(low[few].min()), int(high[few].max()) + 1):
            held = ((low <= k) & (k <= high))[few, None]
            inside += np.where(
                held, np.exp(log_pmf(np.full(low.size, float(k)), few)), 0.0
            )
        out[few] = np.log(np.maximum(inside, 1e-300))
    return out


WINDOW = 12
#: Hidden counts that are used lie this part of a window apart: then mean and sd are closest to
#: those of exact enumeration (tests/models/test_county_filter.py). Used every month, the filter is
#: too sure.
SPACES = 3
#: A level that is not known but for being lost: sd over mean.
LOST_SHAPE = 4.0


@dataclass(frozen=True)
class CountyState:
    """What the counts up to the last say about the counties of a state."""

    # (n,): What is known of the last count: nothing, all, or what it lies between
    kind: NDArray[np.int64]
    low: Floats  # (n,): The least it may be
    high: Floats  # (n,): The most it may be
    # (n, 13): Means of the last twelve months, oldest first, and of the level, in deaths (a year)
    mean: Floats
    cov: Floats  # (n, 13, 13): Their covariance
    site: Floats  # (n, 4): See `filtered_state`
    rho: tuple[float, float]  # Residence over occurrence: mean and variance
    loglik: float


def taken(
    between: NDArray[np.bool_], exact: NDArray[np.bool_], window: int = WINDOW
) -> NDArray[np.bool_]:
    """Which hidden counts are used."""
    # Going back from the last, those a third of a window apart; and every one that follows a count
    # that is known, for that one says nearly all of these deaths: what the hidden one adds is about
    # the month that came and the one that went.
    # between, exact (n, T) -> (n, T)
    out = np.zeros_like(between)
    free = np.full(len(between), between.shape[1])
    for t in range(between.shape[1] - 1, -1, -1):
        out[:, t] = between[:, t] & (free > t)
        free = np.where(out[:, t], t - window // SPACES + 1, free)
    out[:, 1:] |= between[:, 1:] & exact[:, :-1]
    return out


def filtered(
    # (n, T): The least each 12-month count may be; NaN where nothing is known
    low: Floats,
    high: Floats,  # (n, T): The most it may be: the same where it is known
    level: Floats,  # (n,): Mean of the gamma prior of the levels; see `levels`
    shape: Floats,  # (n,): Its shape
    months: Floats,  # (T + 11,): The state's months; NaN where unknown
    total: Floats,  # (T,): The state's 12-month counts, by occurrence; NaN where unknown
    phi: float = PHI,
    step: float = STEP,
    window: int = WINDOW,  # Months of a sum
) -> CountyState:
    """Filter the counties of one state."""
    n, n_time = low.shape
    kind = np.where(
        low == high, EXACT, np.where(np.isnan(low), MISSING, BETWEEN)
    ).astype(np.int64)
    closing = np.zeros(n_time, dtype=bool)
    closing[n_time - 1 :: -window] = True
    level = level.copy()
    shape = shape.copy()
    lost = kind == BETWEEN
    lost &= ~np.isfinite(high)
    never = lost.any(axis=1) & ~(kind == EXACT).any(axis=1)
    if never.any():
        # Of a county that was never seen, the state's remainder says more than its class.
        t = int(np.flatnonzero(closing)[0])
        seen = np.nansum(
            np.where(kind[:, t] == EXACT, low[:, t], 4.0 * (kind[:, t] == BETWEEN))
        )
        rest = (np.nan_to_num(total[t]) - seen) / never.sum()
        level[never] = np.maximum(rest, 1.2 * low[never].max(axis=1, initial=1000.0))
        shape[never] = LOST_SHAPE
    rho = np.array([1.0, RESIDENCE_SD**2, RESIDENCE_STEP**2 / 12.0])
    mean = np.zeros((n, window + 1))
    cov = np.zeros((n, window + 1, window + 1))
    site = np.zeros((n, 4))
    loglik = filtered_state(
        kind,
        np.nan_to_num(low),
        high,
        taken(kind == BETWEEN, kind == EXACT, window=window),
        per_year(months, window),
        level,
        shape,
        total,
        closing,
        phi,
        step**2,
        rho,
        mean,
        cov,
        site,
    )
    return CountyState(
        kind[:, -1],
        low[:, -1],
        high=high[:, -1],
        mean=mean,
        cov=cov,
        site=site,
        rho=(rho[0], rho[1]),
        loglik=loglik,
    )


def per_year(months: Floats, window: int = WINDOW) -> Floats:
    """Deaths a month of a county that has one in the last twelve months, as the state goes."""
    # Months of the state that are unknown are taken as the average of the last twelve, and none is
    # taken as less than a twentieth of that: small states have months without any death, and their
    # counties have deaths by residence in these all the same.
    filled = _filled(months, window)
    return np.asarray(filled / filled[-window:].sum())


def per_year_total(months: Floats) -> float:
    """Deaths of the state in the last twelve months, as :func:`per_year` counts them."""
    return float(_filled(months, WINDOW)[-WINDOW:].sum())


def _filled(months: Floats, window: int) -> Floats:
    positive = np.maximum(months, 0.0)
    last = positive[-window:]
    mean = float(np.nanmean(last)) if np.isfinite(last).any() else 0.0
    mean = mean if mean > 0.0 else 1.0 / window
    return np.asarray(
        np.maximum(np.where(np.isnan(positive), mean, positive), 0.05 * mean)
    )


@nb.njit(cache=True)
def counts_between(mean: float, var: float, low: float, high: float) -> Floats:
    """Probabilities of the whole numbers ``low`` to ``high`` given that it is one of them."""
    # The count is of Panjer's family with this mean and variance before: negative binomial where
    # the variance is above the mean, Poisson where it is as large, binomial below; where much is
    # known of it (variance below half the mean), normal.
    n = int(high - low) + 1
    log = np.zeros(n)
    mean = max(mean, LEAST)
    var = max(var, 1e-4)
    if var < 0.5 * mean:
        for k in range(n):
            log[k] = -0.5 * (low + k - mean) ** 2 / var
    else:
        a = 1.0 - mean / var
        b = mean * mean / var - a
        for k in range(1, n):
            ratio = a + b / (low + k)
            log[k] = log[k - 1] + (np.log(ratio) if ratio > 0.0 else -1e3)
    out: Floats = np.exp(log - log.max())
    out /= out.sum()
    return out


@nb.njit(cache=True)
def moments_between(
    mean: float, var: float, low: float, high: float
) -> tuple[float, float]:
    """Mean and variance of a count that is known to lie between two, both included."""
    # A few whole numbers are gone through. Of many, and where there is no upper end, a normal is
    # cut at `low`.
    if high - low < MANY:
        p = counts_between(mean, var, low, high)
        first = second = 0.0
        for k in range(p.size):
            first += p[k] * (low + k)
            second += p[k] * (low + k) ** 2
        return first, max(second - first * first, 0.0)
    sd = np.sqrt(max(var, 1e-4))
    z = (low - 0.5 - mean) / sd
    if z < -6.0:
        return mean, var
    # Ratio of the normal's density to its upper tail; far out, by its continued fraction.
    if z < 6.0:
        hazard = (
            np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi) / (0.5 * erfc(z / np.sqrt(2.0)))
        )
    else:
        hazard = z + 1.0 / (z + 2.0 / (z + 3.0 / (z + 4.0 / z)))
    return mean + sd * hazard, max(var * (1.0 + z * hazard - hazard * hazard), 0.0)


@nb.njit(cache=True)
def begun(
    mean: Floats,
    cov: Floats,
    level: float,
    shape: float,
    e: Floats,
    count: float,
    spread: float,
) -> None:
    """State after its first sum, whose mean and variance are given; overwrites mean and cov."""
    # The level is gamma before (mean `level`, `shape`), the months are Poisson: given the sum,
    # they are a multinomial and the level is gamma again. Exact.
    w = e.size
    exposure = e.sum()
    rate = shape / level
    total = rate + exposure
    for u in range(w):
        a = e[u] / exposure
        mean[u] = count * a
        for v in range(w):
            cov[u, v] = (spread - count) * a * e[v] / exposure
        cov[u, u] += count * a
        cov[u, w] = cov[w, u] = a * spread / total
    mean[w] = (shape + count) / total
    cov[w, w] = (shape + count + spread) / total**2


@nb.njit(cache=True)
def stepped(mean: Floats, cov: Floats, e: float, phi: float, q: float) -> None:
    """One month on: the oldest leaves, the level moves, a new month comes."""
    w = mean.size - 1
    level = max(mean[w], LEAST)
    cov[w, w] += q * level * level
    for u in range(w - 1):
        mean[u] = mean[u + 1]
        for v in range(w - 1):
            cov[u, v] = cov[u + 1, v + 1]
        cov[u, w] = cov[w, u] = cov[u + 1, w]
    mean[w - 1] = level * e
    for u in range(w - 1):
        cov[u, w - 1] = cov[w - 1, u] = e * cov[u, w]
    cov[w - 1, w] = cov[w, w - 1] = e * cov[w, w]
    cov[w - 1, w - 1] = phi * level * e + cov[w, w] * e * e


@nb.njit(cache=True)
def sum_of(mean: Floats, cov: Floats) -> tuple[float, float]:
    """Mean and variance of the sum of the months."""
    w = mean.size - 1
    return mean[:w].sum(), max(cov[:w, :w].sum(), 0.0)


@nb.njit(cache=True)
def learned(mean: Floats, cov: Floats, count: float, spread: float) -> None:
    """Condition on a sum that has mean ``count`` and variance ``spread`` afterwards."""
    w = mean.size - 1
    before, var = sum_of(mean, cov)
    if var < NONE:
        return
    with_sum = np.zeros(w + 1)
    for i in range(w + 1):
        for u in range(w):
            with_sum[i] += cov[i, u]
    level = mean[w]
    for i in range(w + 1):
        mean[i] += with_sum[i] * (count - before) / var
    # The variance of a gamma level goes with its mean: what turns out smaller is surer. So does
    # that of Poisson months, where no more than bounds of their sum are known.
    mean[w] = max(mean[w], LEAST)
    of_months = 1.0
    if spread > 0.0:
        of_months = np.sqrt(min(max(count / max(before, LEAST), 0.25), 4.0))
    of_level = np.sqrt(mean[w] / max(level, LEAST))
    for i in range(w + 1):
        a = of_level if i == w else of_months
        for j in range(w + 1):
            b = of_level if j == w else of_months
            rest = cov[i, j] - with_sum[i] * with_sum[j] / var
            cov[i, j] = a * b * rest + with_sum[i] * with_sum[j] * spread / var**2
    if count == 0.0 and spread == 0.0:
        mean[:w] = 0.0
        cov[:w] = 0.0
        cov[:, :w] = 0.0


@nb.njit(cache=True)
def filtered_state(
    kind: Ints,  # (n, T): `MISSING`, `EXACT` or `BETWEEN`
    low: Floats,  # (n, T): The least the sum may be; the sum where it is exact
    high: Floats,  # (n, T): The most it may be; the sum where it is exact
    used: Bools,  # (n, T): Which of the sums that lie between two are taken: see `taken`
    e: Floats,  # (T + w - 1,): Deaths a month of a county that has one a year now
    level: Floats,  # (n,): Mean of the gamma prior of the levels, in deaths a year
    shape: Floats,  # (n,): Its shape
    total: Floats,  # (T,): The state's 12-month counts; NaN where unknown
    # (T,): Sums at which what is left of the state is taken in; no two of them share a month
    closing: Bools,
    phi: float,  # Variance of a month over its mean
    q: float,  # Variance of the relative step of the level
    rho: Floats,  # (3,): Residence over occurrence: mean, variance, variance of a month's step
    mean: Floats,  # (n, w + 1)
    cov: Floats,  # (n, w + 1, w + 1)
    # (n, 4): Of the last sum, where it lies between two: mean and variance without it, and
    # precision and shift of what is left of the state
    site: Floats,
) -> float:
    """Filter the counties of a state; overwrites ``rho``, ``mean``, ``cov`` and ``site``."""
    n, n_time = kind.shape
    w = mean.shape[1] - 1
    loglik = 0.0
    started = np.zeros(n, dtype=np.bool_)
    whole = np.zeros(n, dtype=np.bool_)
    middle = np.zeros(n)
    spread = np.zeros(n)
    for t in range(n_time):
        window = e[t : t + w]
        exposure = window.sum()
        for i in range(n):
            here = kind[i, t]
            take = here == EXACT or (here == BETWEEN and used[i, t])
            if started[i]:
                stepped(mean[i], cov[i], e[t + w - 1], phi, q)
                middle[i], spread[i] = sum_of(mean[i], cov[i])
            else:
                middle[i] = level[i] * exposure
                spread[i] = middle[i] + middle[i] ** 2 / shape[i]
            site[i, 0] = middle[i]
            site[i, 1] = spread[i]
            site[i, 2] = 0.0
            site[i, 3] = 0.0
            if here == EXACT:
                after = low[i, t]
                var = 0.0
                if t == 0:
                    whole[i] = after >= ENOUGH
                elif whole[i]:
                    off = after - middle[i]
                    loglik -= 0.5 * (
                        np.log(2.0 * np.pi * spread[i]) + off * off / spread[i]
                    )
            elif here == BETWEEN:
                whole[i] = False
                after, var = moments_between(
                    middle[i], spread[i], low[i, t], high[i, t]
                )
            else:
                whole[i] = False
                after = middle[i]
                var = spread[i]
            if take or (not started[i] and here == MISSING and t == n_time - 1):
                if started[i]:
                    learned(mean[i], cov[i], after, var)
                else:
                    begun(mean[i], cov[i], level[i], shape[i], window, after, var)
                    started[i] = True
            middle[i] = after
            spread[i] = var
        if t > 0:
            rho[1] += rho[2] * rho[0] * rho[0]
        if not closing[t] or np.isnan(total[t]):
            continue
        # One observation: what the state has by residence is the counties together.
        wide = total[t] ** 2 * rho[1]
        for i in range(n):
            wide += spread[i]
        if wide < NONE:
            continue
        off = rho[0] * total[t] - middle.sum()
        for i in range(n):
            if kind[i, t] == EXACT or not started[i] or spread[i] < NONE:
                continue
            if kind[i, t] == BETWEEN and not used[i, t]:
                continue
            after = middle[i] + spread[i] * off / wide
            var = spread[i] * (1.0 - spread[i] / wide)
            site[i, 2] = 1.0 / max(var, NONE) - 1.0 / spread[i]
            site[i, 3] = after / max(var, NONE) - middle[i] / spread[i]
            learned(mean[i], cov[i], after, var)
        rho[0] -= total[t] * rho[1] * off / wide
        rho[1] = max(rho[1] - (total[t] * rho[1]) ** 2 / wide, 0.0)
    return loglik


@nb.njit(cache=True)
def root_of(cov: Floats) -> Floats:
    """Lower triangle whose square is ``cov``, which may lack directions."""
    n = cov.shape[0]
    root = np.zeros((n, n))
    for j in range(n):
        left = cov[j, j]
        for k in range(j):
            left -= root[j, k] ** 2
        if left < NONE:
            continue
        root[j, j] = np.sqrt(left)
        for i in range(j + 1, n):
            x = cov[i, j]
            for k in range(j):
                x -= root[i, k] * root[j, k]
            root[i, j] = x / root[j, j]
    return root


@nb.njit(cache=True)
def drawn_county(
    rng: np.random.Generator,  # The county's own
    kind: int,  # What is known of the last sum
    low: float,  # The least it may be
    high: float,  # The most it may be
    mean: Floats,  # As `filtered_state` leaves it
    cov: Floats,  # As `filtered_state` leaves it
    site: Floats,  # As `filtered_state` leaves it
    ahead: Floats,  # (D, H): Deaths a month, after the last, of a county that has one a year
    # (D, w): The same of deaths that the last months still miss; of length 0 where they miss none
    late: Floats,
    q: float,
    last: Floats,  # (D,): The last sum in every draw, as it is known
    # (D, 1 + H): 12-month sums: the last once complete, and those after it; not whole numbers yet
    out: Floats,
) -> None:
    """Draw the state of one county, and its sums; overwrites ``last`` and ``out``."""
    draws, horizon = ahead.shape
    w = mean.size - 1
    step = np.sqrt(q)
    few = kind == BETWEEN and high - low < MANY
    none = kind == EXACT and low == 0.0
    root = root_of(cov)
    # A normal draw of a month is turned into one of a gamma of the same mean and variance, by
    # Wilson and Hilferty's cube: deaths of a month are none and more, and many are less rare than
    # under a normal.
    normal = np.ones(w, dtype=np.bool_)
    sd = np.ones(w)
    middle = np.zeros(w)
    scale = np.ones(w)
    for i in range(w):
        if cov[i, i] >= NONE and mean[i] >= LEAST:
            shape = mean[i] * mean[i] / cov[i, i]
            normal[i] = False
            sd[i] = np.sqrt(cov[i, i])
            middle[i] = 1.0 - 1.0 / (9.0 * shape)
            scale[i] = 3.0 * np.sqrt(shape)
    # Of every draw, since months are drawn one after the other over all draws: a shorter forecast
    # is then the beginning of a longer one.
    kept = np.zeros((draws, w))
    new = np.zeros(draws)
    levels = np.zeros(draws)
    fresh = np.zeros((draws, horizon))
    z = np.zeros(w + 1)
    p = np.zeros(1)
    before, var = sum_of(mean, cov)
    if few:
        p = counts_between(site[0], site[1], low, high)
        for k in range(p.size):
            x = low + k
            p[k] *= np.exp(
                site[3] * (x - site[0]) - 0.5 * site[2] * (x * x - site[0] ** 2)
            )
        p /= p.sum()
    slope = rest = 0.0
    if few and var > NONE:
        slope = cov[w, :w].sum() / var
    rest = max(cov[w, w] - slope * slope * var, 1e-6 * mean[w] ** 2)
    for d in range(draws):
        months = kept[d]
        if none or few:
            count = 0.0
            if few:
                x = rng.random()
                k = 0
                while k < p.size - 1 and x > p[k]:
                    x -= p[k]
                    k += 1
                count = low + k
            # A gamma, for it is small; its deaths fall into months as those of the mean do.
            level = max(mean[w] + slope * (count - before), 0.1 * mean[w])
            level = rng.gamma(level * level / rest, rest / level)
            for _ in range(int(count)):
                x = rng.random() * before
                u = 0
                while u < w - 1 and x > max(mean[u], 0.0):
                    x -= max(mean[u], 0.0)
                    u += 1
                months[u] += 1.0
        else:
            for i in range(w + 1):
                z[i] = rng.standard_normal()
            for i in range(w + 1):
                x = mean[i]
                for j in range(i + 1):
                    x += root[i, j] * z[j]
                if i == w:
                    level = max(x, 0.05 * mean[w], LEAST)
                elif normal[i]:
                    months[i] = max(x, 0.0)
                else:
                    cube = middle[i] + (x - mean[i]) / sd[i] / scale[i]
                    months[i] = mean[i] * max(cube, 0.0) ** 3
            count = before
            if kind != EXACT:
                count = before
                for i in range(w):
                    for j in range(i + 1):
                        count += root[i, j] * z[j]
                count = max(count, low if kind == BETWEEN else 0.0)
            now = months.sum()
            for i in range(w):
                months[i] = months[i] * count / now if now > 0.0 else count / w
        last[d] = count
        if late.shape[0] > 0:
            for u in range(w):
                if late[d, u] > 0.0:
                    months[u] += rng.poisson(level * late[d, u])
        levels[d] = level
        out[d, 0] = months.sum()
    for h in range(horizon):
        for d in range(draws):
            levels[d] *= np.exp(step * rng.standard_normal() - 0.5 * q)
            fresh[d, h] = rng.poisson(levels[d] * ahead[d, h])
            # What is kept of the last months, and what the new ones add.
            new[d] += fresh[d, h]
            left = 0.0
            if h < w:
                for u in range(h + 1, w):
                    left += kept[d, u]
                left = max(left, 0.0)
            else:
                new[d] -= fresh[d, h - w]
            out[d, 1 + h] = left + new[d]


def raked(
    sums: Floats, expected: Floats, target: Floats, at: Floats
) -> NDArray[np.int32]:
    """Whole numbers (D, n, H) in proportion to ``sums`` that add up to ``target``."""
    # Rounded by a systematic sample: every number is one of the two whole ones next to it, and
    # right on average.
    # sums (n, D, H); expected (n,); target (D, H); at (D,)
    n, draws, horizon = sums.shape
    whole = np.empty((draws, horizon))
    for h in range(horizon):
        whole[:, h] = sums[..., h].sum(axis=0)
    none = whole <= 0.0
    whole[none] = np.cumsum(expected)[-1]
    out = np.empty((draws, n, horizon), dtype=np.int32)
    rounded_parts(sums, expected, none, target / whole, target, at, out)
    return out


# Nothing may be reordered or joined here: the draws must not change in the last bit.
@nb.njit(cache=True)
def rounded_parts(
    sums: Floats,  # (n, D, H)
    expected: Floats,  # (n,): What stands for the sums where there are none
    none: Bools,  # (D, H): Where that is
    factor: Floats,  # (D, H): From sums to parts of the target
    target: Floats,  # (D, H)
    at: Floats,  # (D,): What is added before rounding down
    out: NDArray[np.int32],  # (D, n, H)
) -> None:
    """Parts whose running sum is rounded down, into ``out``; the last takes what is left."""
    n, draws, horizon = sums.shape
    run = np.zeros(horizon)
    before = np.zeros(horizon)
    for d in range(draws):
        run[:] = 0.0
        before[:] = 0.0
        for i in range(n):
            for h in range(horizon):
                part = expected[i] if none[d, h] else sums[i, d, h]
                run[h] += part * factor[d, h]
                upto = min(np.floor(run[h] + at[d]), target[d, h])
                if i == n - 1:
                    upto = target[d, h]
                out[d, i, h] = np.int32(upto - before[h])
                before[h] = upto
