"""Months behind 12-month-ending sums, with what the sums leave open kept as uncertainty.

Sums of one vintage fix the months up to 11 numbers (see :mod:`odforecast.monthly.sums`). Here
those numbers, and any sums that were not published, get a posterior instead of one value:

* deaths per day are a smooth level (a random walk on the log scale) times a seasonal pattern,
  with Poisson noise: months of 31 days count more deaths, and so do rising years;
* the seasonal pattern is smooth over the year; a pattern that is *multiplicative* leaves its
  mark on the sums, because it grows and shrinks with the level, which the sums do fix;
* the scales of walk and season are not chosen: a grid of them is weighted by the likelihood
  of the sums, and their uncertainty is part of the spread;
* months known from CDC WONDER, where given, pin the numbers to within the noise between the
  two counts. WONDER counts residents, the sums count deaths that occurred in a place, so the
  ratio of the two levels is free, one number per location, and reported.

The posterior of the open numbers given the scales is Gaussian around a Poisson working
response (a Laplace approximation), cut to non-negative months and to the range of suppressed
sums. Draws of whole sums are whole months, and their rolling sums give back every published
sum exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space, solve_triangular
from scipy.special import ndtr, ndtri

from odforecast.errors import DataError
from odforecast.monthly.sums import chain, recover_months, rolling_sums, round_to_sum

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Monthly standard deviation of the log level (random walk), national to small states.
WALKS = (0.005, 0.01, 0.02, 0.03, 0.045, 0.07)
#: Standard deviation of the seasonal pattern; a place alone, and around the nation's pattern.
SEASONS = (0.005, 0.01, 0.02, 0.03, 0.045, 0.07)
DEVIATIONS = (0.002, 0.01, 0.02, 0.04, 0.07)
#: Prior scale (half-normal) of the seasonal pattern's standard deviation: overdose deaths vary
#: by a few per cent over the year (3 % in WONDER's US months 2015-2018).
SEASON_PRIOR = 0.03
#: Relative noise between a month by residence and the same month by occurrence, after the level
#: ratio: a floor, and the share of deaths that one count has and the other has not. 0.10 is the
#: median over the states in 2019-2023 (0.06-0.15): it sets the spread, not the months.
KNOWN_FLOOR = 0.005
KNOWN_AWAY = 0.10
#: A suppressed sum lies in this range.
SUPPRESSED = (0.0, 9.0)
#: Gibbs sweeps before a draw is taken; chains start apart and have a dozen dimensions.
SWEEPS = 60


@dataclass(frozen=True)
class Polytope:
    """Points ``x`` with ``rows @ x >= limits``.

    Attributes
    ----------
    rows : ndarray, shape (k, d)
        Normals.
    limits : ndarray, shape (k,)
        Lower limits.
    """

    rows: Floats
    limits: Floats

    def holds(self, points: Floats) -> Bools:
        """Whether each point (n, d) is inside, to within rounding."""
        return np.asarray((points @ self.rows.T >= self.limits - 1e-9).all(axis=1))

    def inner_point(self) -> Floats:
        """A point as far inside as possible.

        Raises
        ------
        DataError
            If no point is inside.
        """
        from scipy.optimize import linprog  # a quarter of the time that importing forecasts takes

        d = self.rows.shape[1]
        norms = np.linalg.norm(self.rows, axis=1)
        # Limits no direction can change (zero rows) are either kept or broken already.
        free = norms > 1e-12
        if (self.limits[~free] > 1e-6).any():
            raise DataError("the sums contradict each other: a month must be negative")
        answer = linprog(
            np.append(np.zeros(d), -1.0),
            A_ub=np.hstack([-self.rows[free], norms[free, None]]),
            b_ub=-self.limits[free],
            bounds=[(None, None)] * d + [(0.0, 1e6)],
        )
        if not answer.success or answer.x is None:
            raise DataError(
                "no non-negative months give these sums and suppressed cells",
                hint="are the sums of one release, and of one definition?",
            )
        return np.asarray(answer.x[:d])


@dataclass(frozen=True)
class _Row:
    """Posterior of one location's months: a Gaussian in the open numbers, cut to ``bounds``."""

    start: int  # first month with a value
    base: Floats  # (n,) months that give the sums exactly
    space: Floats  # (n, d) directions that leave the published sums unchanged
    mean: Floats  # (d,)
    factor: Floats  # (d, d) Cholesky factor of the covariance
    bounds: Polytope
    season: Floats  # (12,) by calendar month, January first
    level: float
    sums: Floats  # (n - 11,) published sums, NaN where not published

    def real_draws(self, n: int, rng: np.random.Generator) -> Floats:
        """Months before rounding, shape (n, months)."""
        open_ = draw_truncated(self.mean, self.factor, self.bounds, n, rng)
        return np.asarray(np.maximum(self.base + open_ @ self.space.T, 0.0))

    def draws(self, n: int, rng: np.random.Generator) -> Floats:
        """Months, shape (n, months)."""
        return whole_months(self.real_draws(n, rng), self.sums)

    def centre_and_spread(self) -> tuple[Floats, Floats]:
        """Posterior mean (whole, with exact sums) and standard deviation of the months."""
        # A cut Gaussian's moments have no formula: those of many draws, always the same ones.
        draws = self.real_draws(400, np.random.default_rng(0))
        return np.asarray(whole_months(draws.mean(axis=0)[None], self.sums)[0]), draws.std(axis=0)


@dataclass(frozen=True)
class Pinned:
    """Months recovered from 12-month-ending sums, and their uncertainty.

    Attributes
    ----------
    months : ndarray, shape (L, T + 11)
        Posterior mean, in whole deaths where the sums are whole; rolling sums give back the
        published sums exactly. NaN before the first and after the last published sum.
    sd : ndarray, shape (L, T + 11)
        Posterior standard deviation.
    level : ndarray, shape (L,)
        Deaths by the sums' count per death of the known months; NaN where none are known.
    season : ndarray, shape (L, 12)
        Seasonal pattern of deaths per day, January first, as log ratio to the level.
    """

    months: Floats
    sd: Floats
    level: Floats
    season: Floats
    _rows: tuple[_Row | None, ...] = field(repr=False)

    def draws(self, n: int, seed: int) -> Floats:
        """Draw months; the same seed gives the same draws, row by row.

        Parameters
        ----------
        n : int
            Number of draws.
        seed : int
            Seed.

        Returns
        -------
        ndarray, shape (n, L, T + 11)
            Months; each draw's rolling sums are the published sums. Draws are independent
            between locations: do not add them up over locations.
        """
        out = np.full((n, *self.months.shape), np.nan)
        for i, row in enumerate(self._rows):
            if row is not None:
                rng = np.random.default_rng([seed, i])
                out[:, i, row.start : row.start + row.base.size] = row.draws(n, rng)
        return out


def pin_months(
    sums: Floats,
    first: np.datetime64,
    *,
    known: Floats | None = None,
    suppressed: Bools | None = None,
    nation: int | None = None,
) -> Pinned:
    """Months behind 12-month-ending sums of one vintage, with their uncertainty.

    Parameters
    ----------
    sums : ndarray, shape (L, T)
        12-month-ending deaths; NaN where not published.
    first : datetime64[M]
        First month: 11 months before the month of the first sum.
    known : ndarray, shape (L, T + 11), optional
        Months known from CDC WONDER (by residence); NaN where unknown.
    suppressed : ndarray of bool, shape (L, T), optional
        Sums that are missing because they are below 10.
    nation : int, optional
        Row whose seasonal pattern the other rows vary around.

    Returns
    -------
    Pinned
        Months, their standard deviation and draws.

    Raises
    ------
    DataError
        If shapes differ, or if the sums cannot be made of non-negative months.

    Examples
    --------
    >>> months = np.array([[3, 5, 4, 6, 2, 7, 5, 4, 3, 6, 5, 4, 2, 6.0]])
    >>> pinned = pin_months(rolling_sums(months), np.datetime64("2020-01"))
    >>> bool((rolling_sums(pinned.draws(5, seed=1)) == rolling_sums(months)).all())
    True
    """
    sums = np.asarray(sums, dtype=float)
    base = recover_months(sums)
    n_loc, n = base.shape
    known = np.full(base.shape, np.nan) if known is None else np.asarray(known, dtype=float)
    hidden = np.zeros(sums.shape, dtype=bool) if suppressed is None else np.asarray(suppressed)
    if known.shape != base.shape or hidden.shape != sums.shape:
        raise DataError(
            f"sums {sums.shape} need known {base.shape} and suppressed {sums.shape}, "
            f"got {known.shape} and {hidden.shape}"
        )
    if (known <= 0).any():
        raise DataError("a known month is not positive", hint="leave unknown months NaN")
    stamps = np.datetime64(first, "M") + np.arange(n + 1).astype("timedelta64[M]")
    days = np.diff(stamps.astype("datetime64[D]")).astype(float)
    calendar = stamps[:-1].astype(int) % 12
    # Copies: each row keeps a view of its base.
    out = Pinned(
        months=base.copy(),
        sd=np.full(base.shape, np.nan),
        level=np.full(n_loc, np.nan),
        season=np.full((n_loc, 12), np.nan),
        _rows=(),
    )
    rows: list[_Row | None] = [None] * n_loc
    order = [*([] if nation is None else [nation]), *(i for i in range(n_loc) if i != nation)]
    centre = np.zeros(12)
    for i in order:
        seen = np.flatnonzero(~np.isnan(sums[i]))
        if not seen.size:
            continue
        a, b = int(seen[0]), int(seen[-1]) + 1
        span = slice(a, b + 11)
        alone = nation is None or i == nation or rows[nation] is None
        row = _fit(
            _Problem(
                start=a,
                base=base[i, span],
                sums=sums[i, a:b],
                hidden=hidden[i, a:b],
                days=days[span],
                calendar=calendar[span],
                known=known[i, span],
                centre=np.zeros(12) if alone else centre,
                scales=SEASONS if alone else DEVIATIONS,
            )
        )
        if i == nation:
            centre = row.season
        rows[i] = row
        out.months[i, span], out.sd[i, span] = row.centre_and_spread()
        out.level[i] = row.level
        out.season[i] = row.season
    return Pinned(out.months, out.sd, out.level, out.season, tuple(rows))


@dataclass(frozen=True)
class _Problem:
    """What is given about one location, from its first to its last published sum."""

    start: int
    base: Floats
    sums: Floats
    hidden: Bools
    days: Floats
    calendar: NDArray[np.int_]
    known: Floats
    centre: Floats
    scales: tuple[float, ...]


def _season_kernel() -> Floats:
    """Correlation of the seasonal pattern over calendar months: smooth, adding to zero."""
    gap = np.subtract.outer(np.arange(12), np.arange(12))
    kernel = np.exp(-2.0 * np.sin(np.pi * gap / 12.0) ** 2)
    centred = np.eye(12) - 1.0 / 12.0
    kernel = centred @ kernel @ centred
    return np.asarray(kernel / np.diag(kernel).mean())


_KERNEL = _season_kernel()


def _directions(sums: Floats) -> Floats:
    """Directions in the months that change no published sum, shape (n, d)."""
    n = sums.size + 11
    seen = np.flatnonzero(~np.isnan(sums))
    if seen.size == sums.size:
        basis = np.linalg.svd(np.ones((1, 12)))[2][1:].T  # constants that add to zero
        return np.asarray(basis[np.arange(n) % 12])
    window = np.zeros((seen.size, n))
    for i, t in enumerate(seen):
        window[i, t : t + 12] = 1.0
    return np.asarray(null_space(window))


def _fit(p: _Problem) -> _Row:
    """Posterior of the open numbers of one location."""
    n = p.base.size
    space = _directions(p.sums)
    bounds = _bounds(p, space)
    walk = np.minimum.outer(np.arange(n), np.arange(n)).astype(float)
    season = _KERNEL[p.calendar[:, None], p.calendar[None]]
    # The first guess of the level: deaths per day over the 12 months around.
    filled = rolling_sums(p.base)
    middle = np.arange(n) - 6
    around = (filled[np.clip(middle, 0, filled.size - 1)]
              + filled[np.clip(middle + 1, 0, filled.size - 1)]) / 2.0  # fmt: skip
    level = np.maximum(around / 365.25 * p.days, 0.3)
    at = (WALKS[2], p.scales[len(p.scales) // 2])
    for _ in range(5):
        solved = _solve(p, space, level, at[0] ** 2 * walk, at[1] ** 2 * season)
        level = np.maximum(p.days * np.exp(solved.smooth), 1e-3)
    grid = [(w, s) for w in WALKS for s in p.scales]
    found = [_solve(p, space, level, w**2 * walk, s**2 * season) for w, s in grid]
    prior = SEASON_PRIOR
    score = np.array([f.loglik for f in found])
    score -= 0.5 * (np.array([s for _, s in grid]) / prior) ** 2
    weights = np.exp(score - score.max())
    weights /= weights.sum()
    # One Gaussian with the mean and covariance of the weighted grid.
    means = np.stack([f.mean for f in found])
    factors = np.stack([f.factor for f in found])
    mean = weights @ means
    cov = np.einsum("g,gij,gkj->ik", weights, factors, factors)
    cov += np.einsum("g,gi,gj->ij", weights, means - mean, means - mean)
    return _Row(
        start=p.start,
        base=p.base,
        space=space,
        mean=mean,
        factor=np.linalg.cholesky(cov),
        bounds=bounds,
        season=np.einsum("g,gk->k", weights, np.stack([f.season for f in found])),
        level=float(weights @ np.array([f.ratio for f in found])),
        sums=p.sums,
    )


def _bounds(p: _Problem, space: Floats) -> Polytope:
    """Non-negative months, and suppressed sums below 10, in the open numbers."""
    rows, limits = [space], [-p.base]
    if p.hidden.any():
        at = np.flatnonzero(p.hidden & np.isnan(p.sums))
        sums = rolling_sums(p.base)[at]
        through = np.lib.stride_tricks.sliding_window_view(space, 12, axis=0).sum(-1)[at]
        rows += [through, -through]
        limits += [SUPPRESSED[0] - sums, sums - SUPPRESSED[1]]
    return Polytope(np.vstack(rows), np.concatenate(limits))


@dataclass(frozen=True)
class _Solved:
    mean: Floats
    factor: Floats
    loglik: float
    smooth: Floats
    season: Floats
    ratio: float


def _solve(p: _Problem, space: Floats, level: Floats, walk: Floats, season: Floats) -> _Solved:
    """Generalised least squares for the open numbers, with flat priors on them.

    The working response of month t is ``log(level / days) + (month - level) / level``; its
    covariance is that of walk and season, plus the Poisson variance ``1 / level``.
    """
    n, d = space.shape
    smooth = walk + season
    covariance = smooth + np.diag(1.0 / level)
    offset = p.centre[p.calendar]
    response = np.log(level / p.days) + (p.base - level) / level - offset
    design = np.hstack([-space / level[:, None], np.ones((n, 1))])
    pins = np.flatnonzero(~np.isnan(p.known))
    root = np.linalg.cholesky(covariance)
    left = solve_triangular(root, design, lower=True)
    right = solve_triangular(root, response, lower=True)
    loglik = -float(np.log(np.diag(root)).sum())
    if pins.size:
        # month = ratio * known + noise: one more unknown, one more row per known month.
        value = p.known[pins]
        noise = np.sqrt(KNOWN_FLOOR**2 + KNOWN_AWAY / value)
        extra = np.hstack(
            [-space[pins] / value[:, None], np.zeros((pins.size, 1)), np.ones((pins.size, 1))]
        )
        left = np.vstack([np.hstack([left, np.zeros((n, 1))]), extra / noise[:, None]])
        right = np.concatenate([right, p.base[pins] / value / noise])
        loglik -= float(np.log(noise).sum())
    gram = left.T @ left
    gram[np.diag_indices(d)] += 1e-9  # directions nothing speaks about stay where they are
    solution = np.linalg.solve(gram, left.T @ right)
    rest = right - left @ solution
    loglik -= 0.5 * float(np.linalg.slogdet(gram)[1]) + 0.5 * float(rest @ rest)
    covariance_open = np.linalg.inv(gram)[:d, :d]
    months = p.base + space @ solution[:d]
    residual = np.log(level / p.days) + (months - level) / level - offset - solution[d]
    pull = solve_triangular(
        root, solve_triangular(root, residual, lower=True), lower=True, trans="T"
    )
    scale = season[0, 0] / _KERNEL[p.calendar[0], p.calendar[0]]
    by_month = np.bincount(p.calendar, weights=pull, minlength=12)
    return _Solved(
        mean=solution[:d],
        factor=np.linalg.cholesky((covariance_open + covariance_open.T) / 2),
        loglik=loglik,
        smooth=solution[d] + offset + smooth @ pull,
        season=p.centre + scale * (_KERNEL @ by_month),
        ratio=float(solution[d + 1]) if pins.size else float("nan"),
    )


def draw_truncated(
    mean: Floats, factor: Floats, bounds: Polytope, n: int, rng: np.random.Generator
) -> Floats:
    """Draws of a Gaussian cut to a polytope.

    Parameters
    ----------
    mean : ndarray, shape (d,)
        Mean before the cut.
    factor : ndarray, shape (d, d)
        Lower Cholesky factor of the covariance before the cut.
    bounds : Polytope
        Where draws must lie.
    n : int
        Number of draws.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n, d)
        By rejection where that keeps enough, else by Gibbs sampling, one chain per draw.

    Examples
    --------
    >>> half = Polytope(np.array([[1.0]]), np.array([2.0]))
    >>> draws = draw_truncated(np.zeros(1), np.eye(1), half, 500, np.random.default_rng(1))
    >>> bool((draws >= 2).all()), bool(2.2 < draws.mean() < 2.5)
    (True, True)
    """
    free = mean + rng.standard_normal((4 * n, mean.size)) @ factor.T
    kept = free[bounds.holds(free)]
    if len(kept) >= n:
        return np.asarray(kept[:n])
    start = np.linalg.solve(factor, bounds.inner_point() - mean)
    z = np.repeat(start[None], n, axis=0)
    slopes = bounds.rows @ factor  # constraints in the whitened space
    limits = bounds.limits - bounds.rows @ mean
    slack = z @ slopes.T - limits  # >= 0 inside
    for _ in range(SWEEPS):
        for j in range(mean.size):
            slope = slopes[:, j]
            up, down = slope > 1e-12, slope < -1e-12
            # Where there is no room, rounding puts a point outside: it must not be thrown further.
            room = np.maximum(slack, 0.0)
            low = z[:, j] - (room[:, up] / slope[up]).min(axis=1, initial=np.inf)
            high = z[:, j] - (room[:, down] / slope[down]).max(axis=1, initial=-np.inf)
            new = _cut_normal(low, high, rng)
            slack += (new - z[:, j])[:, None] * slope
            z[:, j] = new
    return np.asarray(mean + z @ factor.T)


def _cut_normal(low: Floats, high: Floats, rng: np.random.Generator) -> Floats:
    """Standard normal draws between limits, far tails included."""
    flip = low > 0  # the lower tail is the accurate one
    a, b = np.where(flip, -high, low), np.where(flip, -low, high)
    pa, pb = ndtr(a), ndtr(b)
    x = ndtri(pa + (pb - pa) * rng.random(low.size))
    # Beyond 37 standard deviations both probabilities are zero, or their share is: stay at the
    # nearer limit.
    x = np.where((pb > 0) & np.isfinite(x), x, b)
    x = np.clip(x, a, b)
    return np.asarray(np.where(flip, -x, x))


def whole_months(months: Floats, sums: Floats) -> Floats:
    """Whole deaths close to real months, with rolling sums exactly as published.

    Parameters
    ----------
    months : ndarray, shape (n, T + 11)
        Non-negative months whose rolling sums are ``sums``, but for rounding.
    sums : ndarray, shape (T,)
        Published sums; NaN where not published.

    Returns
    -------
    ndarray, shape (n, T + 11)
        Whole, non-negative months; the input where published sums are not whole.
    """
    seen = ~np.isnan(sums)
    if (sums[seen] != np.round(sums[seen])).any():
        return months
    target = np.round(rolling_sums(months))
    target[:, seen] = sums[seen]
    n = len(target)
    # Months less their constants; each constant has a lower limit (no month negative), and what is
    # above the limits is rounded by largest remainder.
    partial = chain(np.zeros((n, 12)), target)
    lowest = np.stack([-partial[:, k::12].min(axis=1) for k in range(12)], axis=1)
    room = target[:, 0] - lowest.sum(axis=1)
    broken = room < 0
    if broken.any():
        # Rounding unpublished sums can cost a death where a month is zero: keep them real.
        done = months.copy()
        if not broken.all():
            done[~broken] = whole_months(months[~broken], sums)
        return done
    excess = np.maximum(months[:, :12] - lowest, 0.0)
    total = excess.sum(axis=1)
    scale = np.divide(room, total, out=np.zeros_like(room), where=total > 0)
    excess = np.where((total > 0)[:, None], excess * scale[:, None], room[:, None] / 12.0)
    return chain(lowest + round_to_sum(excess, room), target)
