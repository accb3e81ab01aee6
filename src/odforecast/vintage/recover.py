"""Months behind 12-month sums of a release, with what the sums leave open kept as uncertainty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import null_space, solve_triangular
from scipy.special import ndtr, ndtri

from odforecast.errors import DataError
from odforecast.geography import pick
from odforecast.monthly.sums import (
    chain,
    constants,
    recover_months,
    rolling_sums,
    round_to_sum,
    spread,
    windows,
)
from odforecast.names import ALL_DRUGS, indicator_name
from odforecast.sources.wonder import NEW_YORK, Wonder, us_months

Floats = NDArray[np.float64]
Months = NDArray[np.datetime64]
Bools = NDArray[np.bool_]
#: Rows (k, d) and limits (k,) of the points ``x`` with ``rows @ x >= limits``.
Bounds = tuple[Floats, Floats]

#: Monthly standard deviation of the log level (random walk), national to small states.
WALKS = (0.005, 0.01, 0.02, 0.03, 0.045, 0.07)
#: Standard deviation of the seasonal pattern; a place alone, and around the nation's pattern.
SEASONS = (0.005, 0.01, 0.02, 0.03, 0.045, 0.07)
DEVIATIONS = (0.002, 0.01, 0.02, 0.04, 0.07)
#: Prior scale (half-normal) of the seasonal pattern's standard deviation: overdose deaths vary
#: by a few per cent over the year (3% in WONDER's US months 2015-2018).
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
class _Row:
    """Posterior of one location's months: a Gaussian in the open numbers, cut to ``bounds``."""

    base: Floats  # (n,) months that give the sums exactly
    sums: Floats  # (n - 11,) published sums, NaN where not published
    space: Floats  # (n, d) directions that leave the published sums unchanged
    bounds: Bounds
    mean: Floats  # (d,)
    factor: Floats  # (d, d) Cholesky factor of the covariance

    def draws(self, n: int, rng: np.random.Generator) -> Floats:
        """Months before rounding, shape (n, months)."""
        open_ = draw_truncated(self.mean, self.factor, bounds=self.bounds, n=n, rng=rng)
        return np.asarray(np.maximum(self.base + open_ @ self.space.T, 0.0))


@dataclass(frozen=True)
class Pinned:
    """Months recovered from 12-month-ending sums, and their uncertainty."""

    months: Floats
    sd: Floats
    level: Floats
    _rows: Mapping[int, _Row] = field(repr=False)

    def draws(self, n: int, seed: int) -> Floats:
        """Draw months; the same seed gives the same draws, row by row."""
        out = np.full((n, *self.months.shape), np.nan)
        for i, row in self._rows.items():
            draws = row.draws(n, np.random.default_rng([seed, i]))
            out[:, i, ~np.isnan(self.months[i])] = whole_months(draws, row.sums)
        return out


def pin_months(
    sums: Floats,
    first: np.datetime64,
    *,
    known: Floats | None = None,
    suppressed: Bools | None = None,
    nation: int | None = None,
) -> Pinned:
    """Months behind 12-month-ending sums of one vintage, with their standard deviation and draws.

    ``sums`` are (L, T), NaN where not published; ``first`` is 11 months before their first month.
    ``known`` are months known from CDC WONDER, by residence, (L, T + 11), NaN where unknown;
    ``suppressed`` marks sums that are missing because they are below 10; rows vary around the
    seasonal pattern of row ``nation``. A DataError if the sums cannot be made of non-negative
    months.

    >>> months = np.array([[3, 5, 4, 6, 2, 7, 5, 4, 3, 6, 5, 4, 2, 6.0]])
    >>> pinned = pin_months(rolling_sums(months), np.datetime64("2020-01"))
    >>> bool((rolling_sums(pinned.draws(5, seed=1)) == rolling_sums(months)).all())
    True
    """
    sums = np.asarray(sums, dtype=float)
    base = recover_months(sums)
    known = (
        np.full(base.shape, np.nan) if known is None else np.asarray(known, dtype=float)
    )
    hidden = (
        np.zeros(sums.shape, dtype=bool)
        if suppressed is None
        else np.asarray(suppressed)
    )
    if known.shape != base.shape or hidden.shape != sums.shape:
        raise DataError(
            f"sums {sums.shape} need known {base.shape} and suppressed {sums.shape}, "
            f"got {known.shape} and {hidden.shape}"
        )
    if (known <= 0).any():
        raise DataError(
            "a known month is not positive", hint="leave unknown months NaN"
        )
    stamps = np.datetime64(first, "M") + np.arange(base.shape[1] + 1).astype(
        "timedelta64[M]"
    )
    months = base.copy()
    sd = np.full(base.shape, np.nan)
    level = np.full(len(base), np.nan)
    rows: dict[int, _Row] = {}
    centre = None  # the nation's season, once it is known
    for i in sorted(range(len(base)), key=lambda i: i != nation):
        published = np.flatnonzero(~np.isnan(sums[i]))
        if not published.size:
            continue
        a = int(published[0])
        b = int(published[-1]) + 1
        span = slice(a, b + 11)
        rows[i], level[i], season = _fit(
            base[i, span],
            sums[i, a:b],
            hidden=hidden[i, a:b],
            known=known[i, span],
            stamps=stamps[a : b + 12],
            centre=centre,
        )
        centre = season if i == nation else centre
        # A cut Gaussian's moments have no formula: those of many draws, always the same ones.
        draws = rows[i].draws(400, np.random.default_rng(0))
        months[i, span] = whole_months(draws.mean(axis=0)[None], sums[i, a:b])[0]
        sd[i, span] = draws.std(axis=0)
    return Pinned(months, sd, level, rows)


_GAPS = np.subtract.outer(np.arange(12), np.arange(12))
_CENTRED = np.eye(12) - 1.0 / 12.0
#: Correlation of the seasonal pattern over calendar months: smooth, adding to zero.
_KERNEL = _CENTRED @ np.exp(-2.0 * np.sin(np.pi * _GAPS / 12.0) ** 2) @ _CENTRED
_KERNEL /= np.diag(_KERNEL).mean()


def _directions(sums: Floats) -> Floats:
    """Directions in the months that change no published sum, shape (n, d)."""
    window = windows(sums)
    if len(window) == sums.size:
        basis = np.linalg.svd(np.ones((1, 12)))[2][1:].T  # constants that add to zero
        return np.asarray(basis[np.arange(window.shape[1]) % 12])
    return np.asarray(null_space(window))


def _fit(
    base: Floats,
    sums: Floats,
    hidden: Bools,
    known: Floats,
    stamps: Months,
    centre: Floats | None,
) -> tuple[_Row, float, Floats]:
    """Posterior of one location's months, its level and its season, about another's or zero."""
    days = np.diff(stamps.astype("datetime64[D]")).astype(float)
    calendar = stamps[:-1].astype(int) % 12
    scales = SEASONS if centre is None else DEVIATIONS
    centre = np.zeros(12) if centre is None else centre
    n = base.size
    space = _directions(sums)
    offset = centre[calendar]
    d = space.shape[1]
    walk = np.minimum.outer(np.arange(n), np.arange(n)).astype(float)
    season = _KERNEL[calendar[:, None], calendar[None]]
    pins = np.flatnonzero(~np.isnan(known))

    def solve(level: Floats, step: float, amplitude: float) -> tuple[Any, ...]:
        """Generalised least squares for the open numbers, with flat priors on them."""
        smooth = step**2 * walk + amplitude**2 * season
        root = np.linalg.cholesky(smooth + np.diag(1.0 / level))
        response = np.log(level / days) + (base - level) / level - offset
        design = np.hstack([-space / level[:, None], np.ones((n, 1))])
        predictors = solve_triangular(root, design, lower=True)
        responses = solve_triangular(root, response, lower=True)
        loglik = -float(np.log(np.diag(root)).sum())
        if pins.size:
            # month = ratio * known + noise: one more unknown, one more row per known month.
            value = known[pins]
            zeros = np.zeros((pins.size, 1))
            noise = np.sqrt(KNOWN_FLOOR**2 + KNOWN_AWAY / value)
            extra = np.hstack([-space[pins] / value[:, None], zeros, zeros + 1.0])
            without_ratio = np.hstack([predictors, np.zeros((n, 1))])
            predictors = np.vstack([without_ratio, extra / noise[:, None]])
            responses = np.concatenate([responses, base[pins] / value / noise])
            loglik -= float(np.log(noise).sum())
        gram = predictors.T @ predictors
        gram[np.diag_indices(d)] += (
            1e-9  # directions nothing speaks about stay where they are
        )
        solution = np.linalg.solve(gram, predictors.T @ responses)
        rest = responses - predictors @ solution
        loglik -= 0.5 * float(np.linalg.slogdet(gram)[1]) + 0.5 * float(rest @ rest)
        covariance = np.linalg.inv(gram)[:d, :d]
        factor = np.linalg.cholesky((covariance + covariance.T) / 2)
        months = base + space @ solution[:d]
        residual = (
            np.log(level / days) + (months - level) / level - offset - solution[d]
        )
        once = solve_triangular(root, residual, lower=True)
        pull = solve_triangular(root, once, lower=True, trans="T")
        fitted = solution[d] + offset + smooth @ pull
        shape = amplitude**2 * (
            _KERNEL @ np.bincount(calendar, weights=pull, minlength=12)
        )
        ratio = solution[d + 1] if pins.size else np.nan
        score = loglik - 0.5 * (amplitude / SEASON_PRIOR) ** 2
        return score, solution[:d], factor, centre + shape, ratio, fitted

    # The first guess of the level: deaths per day over the 12 months around.
    filled = rolling_sums(base)
    last = filled.size - 1
    middle = np.arange(n) - 6
    around = (
        filled[np.clip(middle, 0, last)] + filled[np.clip(middle + 1, 0, last)]
    ) / 2.0
    level = np.maximum(around / 365.25 * days, 0.3)
    for _ in range(5):
        fitted = solve(level, WALKS[2], scales[len(scales) // 2])[-1]
        level = np.maximum(days * np.exp(fitted), 1e-3)
    fits = [solve(level, step, amplitude) for step in WALKS for amplitude in scales]
    score, means, factors, seasons, ratios, _ = map(np.stack, zip(*fits))
    weights = np.exp(score - score.max())
    weights /= weights.sum()
    # One Gaussian with the mean and covariance of the weighted grid.
    mean = weights @ means
    cov = np.einsum("g,gij,gkj->ik", weights, factors, factors)
    cov += np.einsum("g,gi,gj->ij", weights, means - mean, means - mean)
    # Months are not negative, and suppressed sums lie below 10.
    at = hidden & np.isnan(sums)
    base_sums = rolling_sums(base)[at]
    through = rolling_sums(space.T).T[at]
    limits = (-base, SUPPRESSED[0] - base_sums, base_sums - SUPPRESSED[1])
    bounds = np.vstack([space, through, -through]), np.concatenate(limits)
    row = _Row(
        base,
        sums,
        space=space,
        bounds=bounds,
        mean=mean,
        factor=np.linalg.cholesky(cov),
    )
    return row, float(weights @ ratios), np.einsum("g,gk->k", weights, seasons)


def _inner_point(rows: Floats, limits: Floats) -> Floats:
    """A point as far inside the bounds as possible; refused if no point is inside."""
    from scipy.optimize import (
        linprog,
    )  # a quarter of the time that importing forecasts takes

    norms = np.linalg.norm(rows, axis=1)
    # Limits no direction can change (zero rows) are either kept or broken already.
    free = norms > 1e-12
    d = rows.shape[1]
    answer = linprog(
        np.append(np.zeros(d), -1.0),
        A_ub=np.hstack([-rows[free], norms[free, None]]),
        b_ub=-limits[free],
        bounds=[(None, None)] * d + [(0.0, 1e6)],
    )
    if not answer.success or answer.x is None or (limits[~free] > 1e-6).any():
        raise DataError(
            "no non-negative months give these sums and suppressed cells",
            hint="are the sums of one release, and of one definition?",
        )
    return np.asarray(answer.x[:d])


def draw_truncated(
    mean: Floats,
    factor: Floats,
    bounds: Bounds,
    n: int,
    rng: np.random.Generator,
) -> Floats:
    """Draws of a Gaussian of a mean and a Cholesky factor, cut to bounds, shape (n, d).

    By rejection where that keeps enough, else by Gibbs sampling, one chain per draw.

    >>> half = np.array([[1.0]]), np.array([2.0])
    >>> draws = draw_truncated(np.zeros(1), np.eye(1), half, 500, np.random.default_rng(1))
    >>> bool((draws >= 2).all()), bool(2.2 < draws.mean() < 2.5)
    (True, True)
    """
    rows, limits = bounds
    free = mean + rng.standard_normal((4 * n, mean.size)) @ factor.T
    inside = (free @ rows.T >= limits - 1e-9).all(axis=1)
    accepted = free[inside]
    if len(accepted) >= n:
        return np.asarray(accepted[:n])
    start = np.linalg.solve(factor, _inner_point(rows, limits) - mean)
    z = np.repeat(start[None], n, axis=0)
    slopes = rows @ factor  # constraints in the whitened space
    slack = z @ slopes.T - (limits - rows @ mean)  # >= 0 inside
    for _ in range(SWEEPS):
        for j in range(mean.size):
            slope = slopes[:, j]
            up = slope > 1e-12
            down = slope < -1e-12
            # Where there is no room, rounding puts a point outside: it must not be thrown further.
            room = np.maximum(slack, 0.0)
            low = z[:, j] - (room[:, up] / slope[up]).min(axis=1, initial=np.inf)
            high = z[:, j] - (room[:, down] / slope[down]).max(axis=1, initial=-np.inf)
            new = _cut_normal(low, high, rng=rng)
            slack += (new - z[:, j])[:, None] * slope
            z[:, j] = new
    return np.asarray(mean + z @ factor.T)


def _cut_normal(low: Floats, high: Floats, rng: np.random.Generator) -> Floats:
    """Standard normal draws between limits, far tails included."""
    flip = low > 0  # the lower tail is the accurate one
    a = np.where(flip, -high, low)
    b = np.where(flip, -low, high)
    pa = ndtr(a)
    pb = ndtr(b)
    x = ndtri(pa + (pb - pa) * rng.random(low.size))
    # Beyond 37 standard deviations both probabilities are zero, or their share is: stay at the
    # nearer limit.
    x = np.clip(np.where((pb > 0) & np.isfinite(x), x, b), a, b)
    return np.asarray(np.where(flip, -x, x))


def whole_months(months: Floats, sums: Floats) -> Floats:
    """Whole deaths close to real months, with rolling sums exactly as published."""
    published = ~np.isnan(sums)
    published_sums = sums[published]
    if (published_sums != np.round(published_sums)).any():
        return months
    target = np.round(rolling_sums(months))
    target[:, published] = published_sums
    # What is above the lowest constants is rounded by largest remainder.
    _, lowest, room = constants(target)
    excess = spread(np.maximum(months[:, :12] - lowest, 0.0), room)
    rounded = chain(lowest + round_to_sum(excess, room), target)
    # Rounding unpublished sums can cost a death where a month is zero: such draws stay real.
    return np.where((room < 0)[:, None], months, rounded)


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class RecoveredMonths:
    """Months behind one release's 12-month-ending counts."""

    table: pd.DataFrame
    level: pd.Series
    notes: tuple[str, ...]


def recovered_months(
    table: pd.DataFrame,
    locations: str | Iterable[str] = "all",
    *,
    indicator: str = ALL_DRUGS,
    wonder: Sequence[Wonder] = (),
    draws: int = 1000,
    seed: int = 1,
) -> RecoveredMonths:
    """Recover the months of one release, with quantiles.

    Parameters
    ----------
    table : DataFrame
        Canonical table of one release.
    locations : str or iterable of str
        Codes, ``"all"``, and ``NY+YC`` for New York State with the city. The nation is always
        used for the seasonal pattern, where the release has it.
    indicator : str
        Of CDC's table.
    wonder : sequence of Wonder
        Exports by residence in the official definition; a later one overrules an earlier one.
        They pin the US, ``NY+YC`` and every state but ``NY`` and ``YC`` alone.
    draws, seed : int
        Draws behind the quantiles, and their seed.

    Raises
    ------
    DataError
        If the release lacks the indicator or a location, or an export has another definition
        or counts by occurrence.
    """
    indicator = indicator_name(indicator)
    rows = table[table["indicator"] == indicator]
    if rows["reported"].isna().all():
        there = ", ".join(table["indicator"].unique())
        raise DataError(
            f"the release has no reported counts of {indicator!r}", f"it has {there}"
        )
    every = pd.date_range(rows["month"].min(), rows["month"].max(), freq="MS")
    sums, status = (
        rows.pivot(
            index="state",
            columns="month",
            values=name,
        ).reindex(columns=every)
        for name in ("reported", "status")
    )
    hidden = status == "suppressed"
    if {"NY", "YC"} <= set(sums.index):
        sums.loc[NEW_YORK[0]] = sums.loc["NY"] + sums.loc["YC"]
        hidden.loc[NEW_YORK[0]] = False
    available = sorted(sums.index, key=lambda state: (state != "US", state))
    if isinstance(locations, str) and locations.strip().lower() != "all":
        locations = [name.strip() for name in locations.split(",") if name.strip()]
    states = pick(locations, available, "the release", DataError)
    # The nation's seasonal pattern is used always.
    wanted = list(dict.fromkeys([*states, *(["US"] if "US" in sums.index else [])]))
    first = np.datetime64(every[0], "M") - np.timedelta64(11, "M")
    stamps = pd.date_range(pd.Timestamp(first), every[-1], freq="MS")
    known = _known(wonder, wanted, stamps=stamps)
    pinned = pin_months(
        sums.loc[wanted].to_numpy(dtype=float),
        first,
        known=known.to_numpy(dtype=float),
        suppressed=hidden.loc[wanted].to_numpy(dtype=bool),
        nation=wanted.index("US") if "US" in wanted else None,
    )
    several = len(states)
    quantiles = np.quantile(pinned.draws(draws, seed)[:, :several], QUANTILES, axis=0)
    how = np.where(known.loc[list(states)].notna().any(axis=1), "wonder", "season")
    columns = {
        "state": np.repeat(np.array(states, dtype=object), stamps.size),
        "month": np.tile(stamps, several),
        "deaths": pinned.months[:several].ravel(),
        "sd": pinned.sd[:several].ravel(),
        **{f"q{100 * q:02.0f}": row.ravel() for q, row in zip(QUANTILES, quantiles)},
        "pinned": np.repeat(how.astype(object), stamps.size),
    }
    months = pd.DataFrame(columns).dropna(subset="deaths", ignore_index=True)
    if months.empty:
        raise DataError(f"no reported counts of {indicator!r} for {', '.join(states)}")
    level = pd.Series(pinned.level, index=wanted, name="level").loc[list(states)]
    notes = ["draws are independent between locations: do not add quantiles up"]
    if wonder and {"NY", "YC"} & set(states):
        notes.append(
            "WONDER has New York State as a whole: NY and YC are pinned by season only"
        )
    if "US" in states and not np.isnan(level["US"]):
        notes.append(
            f"US: {level['US']:.4f} deaths by occurrence for each of WONDER's residents"
        )
    return RecoveredMonths(months, level, notes=tuple(notes))


def _known(
    wonder: Sequence[Wonder], states: list[str], stamps: pd.DatetimeIndex
) -> pd.DataFrame:
    """WONDER's months (final ones only) as states by months, NaN where unknown."""
    out = pd.DataFrame(np.nan, index=pd.Index(states), columns=stamps)
    for export in wonder:
        report = export.report
        if not report.official or report.counted_by != "residence":
            raise DataError(
                f"{report.file}: {report.definition}, by {report.counted_by}: it cannot pin CDC's "
                "counts of all drug-overdose deaths",
                hint="export underlying cause X40-X44, X60-X64, X85, Y10-Y14 by residence",
            )
        table = export.table[
            ~export.table["provisional"] & export.table["deaths"].notna()
        ]
        wide = table.pivot(
            index="state",
            columns="month",
            values="deaths",
        )
        if "US" in states and (len(report.places) == 51 or not export.totals.empty):
            final = us_months(export)["deaths"].reindex(table["month"].unique())
            wide.loc["US"] = final.reindex(wide.columns)
        wide = wide.where(wide > 0)
        out.update(wide.reindex(index=out.index, columns=out.columns))
    return out
