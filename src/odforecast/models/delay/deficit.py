"""What is missing from the last counts of a release, month of death by month of death."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from odforecast.geography import JURISDICTIONS, NATION, closed, whole_and_parts
from odforecast.monthly.sums import rolling_sums
from odforecast.panel import Floats, Panel
from odforecast.publication import not_final
from odforecast.seeds import Streams

#: Months of the nowcast: horizons -11 to 0.
AGES = 12
#: A relative error of the last 12-month count is twice that in the level forecast from: the
#: deaths missing belong to the last months of the twelve. `make constants` prints what the
#: releases say of it.
LEVEL = 2.0
#: Months before the last that can still change: a year back from the last closed December.
SPAN = 28
#: The last closed December is at most this many months back by the calendar.
OPEN = 15
#: A release that holds no more than this of what a closed year gains tells what it will be.
EARLY = 0.12
#: Degrees of freedom of what a release shares; assumed, as that of the nation's innovations.
SHARED_DF = 5.0
#: Months of this age and more, from their end to the release, are old.
OLD = 13
#: Share of a closed year's cut that falls on each of its months, the last first: what comes after
#: closing is mostly of its last months.
RAMP = np.arange(12, 0, -1) / 78.0
#: Sd of the log of what a release's cuts share: some closings are large everywhere.
CUT_SHARED = 0.9
#: Random numbers of a place are kept if they are of no more draws than this.
MOST_KEPT = 1 << 11
#: The nation's own errors where its parts are not there: theirs average out.
_ALONE = 0.2


@dataclass(frozen=True)
class Delays:
    """How much of what is pending arrives, and how far that is known; spreads are sd."""

    # Share of the records pending beyond what stays pending that end as overdose deaths
    kappa: float
    kappa_error: float  # Relative error of `kappa`
    kappa_old: (
        float  # That share in months more than a year old, over that in younger ones
    )
    old_error: float  # Relative error of `kappa_old` in a single release
    kappa_predicted: float  # Share of the excess of CDC's predicted count that arrives
    sd_own: float  # Relative error of a jurisdiction's own late arrivals
    sd_shared: float  # Relative error of late arrivals that all jurisdictions of a release share
    noise: float  # Relative error of a single month's late arrivals
    revision_own: (
        float  # A jurisdiction's unannounced arrivals, as a share of its last count
    )
    revision_shared: float  # Those that a release shares
    revision_decay: (
        float  # Share of them that goes on to the month before, month by month
    )
    revision_noise: float  # Unannounced arrivals of a single month
    closing_share: (
        float  # Share of jurisdictions whose closed year is cut by its final file
    )
    closing_size: (
        float  # Mean cut of those, as a share of the year's count, in December
    )
    # A jurisdiction's other changes of a closed year, in either direction, as a share of its count
    closing_own: float
    closing_shared: float  # Those that all share
    # Where a release says nothing on how incomplete it is: late share of a month's deaths six
    # months after its end
    late: float
    late_decay: float  # Log decline of that share a month
    late_own: float  # A jurisdiction's relative error of it
    late_shared: float  # The release's


#: Names of the constants.
NAMES = tuple(f.name for f in fields(Delays))


@dataclass(frozen=True)
class Deficit:
    """Late arrivals that a panel still misses, and how far they are known."""

    # (L, SPAN): Expected deaths that arrive late, by month of death, the last month at the end
    late: Floats
    own: Floats  # (L,): Sd of a location's own relative error of `late`
    shared: Floats  # (L,): Scale of the relative error that a release shares
    noise: Floats  # (L, SPAN): Sd of a single month's error, in deaths
    # (L, SPAN): Sd of the error that a release shares of its months more than a year old, in deaths
    old: Floats
    revised: Floats  # (L, SPAN): Deaths by which one unit of a revision changes a month
    revision_own: Floats  # (L,): Sd of a location's own revision
    revision_shared: float  # Scale of the release's
    # (L, SPAN): Deaths that the closed year loses if it is cut, on average; never negative
    cut: Floats
    # (L,): Probability that it is cut; 1 where a release of about its closing says by how much
    cut_share: Floats
    # (L, SPAN): Deaths by which other changes of the closed year, as a share of its count, change a
    # month
    year: Floats
    year_own: float  # Sd of a location's own such changes
    year_shared: float  # Sd of those that a release shares
    adds_up: bool  # Whether the US is the sum of its parts: all have a count in the last month
    # Location to what `late` rests on: `"pending"`, `"predicted"`, `"age"`, or `"final"`
    how: dict[str, str]

    @property
    def months(self) -> Floats:
        """What is to be added to each month on average, shape (L, SPAN)."""
        return self.late - self.cut_share[:, None] * self.cut

    def sums(self, locations: tuple[str, ...], ages: int = 12) -> Floats:
        """What is to be added to each of the last counts, shape (L, ages), the last at the end."""
        before = np.zeros((len(self.late), 11))
        sums = rolling_sums(np.concatenate([before, self.months], axis=1))
        return closed(sums[:, -ages:], locations) if self.adds_up else sums[:, -ages:]


def deficit(panel: Panel, constants: Delays) -> Deficit:
    """What the last counts of a panel miss; the US is the sum of its parts if all are there."""
    n_loc = len(panel.locations)
    n_open = open_months(panel)
    is_open = slice(SPAN - n_open, SPAN)
    us = None
    if NATION in panel.locations:
        us = panel.locations.index(NATION)
    late, revised, noise, old = np.zeros((4, n_loc, SPAN))
    shared_told = float(np.hypot(constants.sd_shared, constants.kappa_error))
    own = np.full(n_loc, constants.sd_own)
    shared = np.full(n_loc, shared_told)
    revision_own = np.full(n_loc, constants.revision_own)
    how = dict.fromkeys(panel.locations, "final")
    adds_up = _adds_up(panel)
    if n_open:
        known = [row[~np.isnan(row)] for row in panel.reported]
        last = np.array([row[-1] if row.size else 0.0 for row in known])
        profile = (
            1.0 - constants.revision_decay
        ) * constants.revision_decay ** np.arange(n_open)
        revised[:, is_open] = last[:, None] * profile[::-1]
        ages = _ages(panel, n_open)
        for i, state in enumerate(panel.locations):
            arriving, how[state] = arriving_late(
                panel, i, n_open=n_open, constants=constants
            )
            if how[state] == "age":
                share = np.minimum(
                    constants.late * np.exp(-constants.late_decay * (ages - 6)), 0.5
                )
                arriving = last[i] / 12.0 * share / (1.0 - share)
                own[i] = constants.late_own
                shared[i] = constants.late_shared
            late[i, is_open] = arriving[::-1]
        if adds_up and us is not None:
            late = closed(late, panel.locations)
            parts = [s for s in JURISDICTIONS if how[s] != "age"]
            if (
                how[NATION] == "age" and parts
            ):  # a US row that was added up says nothing itself
                how[NATION] = how[parts[0]]
                own[us] = constants.sd_own
                shared[us] = shared_told
        noise = np.hypot(constants.noise * late, constants.revision_noise * revised)
        told = np.array([how[s] == "pending" for s in panel.locations])
        aged = told[:, None] & (ages >= OLD)[::-1]
        old[:, is_open] = constants.old_error * aged * late[:, is_open]
    if us is not None:
        for errors in (own, revision_own, noise):
            errors[us] *= _ALONE
    # How much of what the last closed year gained after closing is in it, and the share of a change
    # of its count that falls on each month: zero where its file is final.
    weight = not_final(seen_in(panel), panel.final_through)
    where = np.zeros(SPAN)
    year = np.zeros(n_loc)
    gained = None
    if not (weight and 0 < n_open < panel.months.size):
        weight = 0.0
    else:
        begin = max(SPAN - n_open - 12, 0)
        where[begin : SPAN - n_open] = RAMP[: SPAN - n_open - begin][::-1]
        year = np.nan_to_num(panel.reported[:, -n_open - 1])
        gained = _gained_since_closing(panel, n_open)
    cut_share = np.full(n_loc, constants.closing_share if weight else 0.0)
    size = np.full(n_loc, weight * constants.closing_size)
    if gained is not None:
        there = np.isfinite(gained) & (year > 0)
        cut_share[there] = 1.0
        size[there] = gained[there] / year[there]
    return Deficit(
        late=late,
        own=own,
        shared=shared,
        noise=noise,
        old=old,
        revised=revised,
        revision_own=revision_own,
        revision_shared=constants.revision_shared
        / of_open(constants.revision_decay, n_open),
        cut=size[:, None] * year[:, None] * where,
        cut_share=cut_share,
        year=year[:, None] * (where > 0) / 12.0,
        year_own=constants.closing_own,
        year_shared=constants.closing_shared,
        adds_up=adds_up,
        how=how,
    )


def is_final(panel: Panel) -> bool:
    """Whether all counts of a panel are final, so that nothing is missing from them."""
    return bool(panel.final_through >= panel.last_month)


def corrected(panel: Panel, missing: Deficit) -> Panel:
    """The panel with the deaths it is expected to miss added to its counts."""
    ages = min(SPAN, panel.months.size)
    reported = panel.reported.copy()
    reported[:, -ages:] += missing.sums(panel.locations, ages)
    return replace(panel, reported=reported)


def how_warnings(how: dict[str, str], locations: tuple[str, ...]) -> list[str]:
    """What to say where a release does not say how incomplete it is."""
    bare = [s for s in locations if how.get(s) == "age"]
    if not bare:
        return []
    named = ", ".join(bare) if len(bare) <= 8 else f"{len(bare)} locations"
    return [
        f"the release says nothing on how incomplete {named} are: late deaths as in earlier "
        "releases of that age, and wider intervals"
    ]


def open_months(panel: Panel) -> int:
    """Months after the last closed December, as many as the panel allows; 0 if all are final."""
    n = int((panel.last_month - panel.final_through).astype(int))
    return max(0, min(n, OPEN, panel.months.size - 1))


def of_open(decay: float, n_open: int) -> float:
    """Share of the geometric weights ``w`` that falls on the open months."""
    # 1 where there are none.
    # What a release shares is divided by it: a release with two open months, of September, is as
    # uncertain as a whole as one with ten.
    return 1.0 - decay**n_open if n_open else 1.0


def arriving_late(
    panel: Panel, row: int, n_open: int, constants: Delays
) -> tuple[Floats, str]:
    """Late arrivals expected of a location's open months, the last first, and what tells them."""
    # NaN and `"age"` where nothing does.
    sums = pending_deaths(panel, row, n_open=n_open)
    if sums is not None:
        months = months_between(constants.kappa * sums)
        return months * of_age(_ages(panel, n_open), constants.kappa_old), "pending"
    sums = predicted_excess(panel, row, n_open=n_open)
    if sums is not None:
        return months_between(constants.kappa_predicted * sums), "predicted"
    return np.full(n_open, np.nan), "age"


def of_age(ages: Floats, share: float) -> Floats:
    """A share for months more than a year old, 1 for younger ones; shape (n,)."""
    return np.where(ages >= OLD, share, 1.0)


def months_between(sums: Floats) -> Floats:
    """Months whose 12-month sums these are, the last first; shape (..., n). Before them: none."""
    months: Floats = -np.diff(sums, append=0.0)
    # Of more than twelve, a sum less the next lacks the month that left it.
    for k in range(months.shape[-1] - 13, -1, -1):
        months[..., k] += months[..., k + 12]
    return months


def pending_deaths(panel: Panel, row: int, n_open: int) -> Floats | None:
    """Deaths whose records are pending beyond those that stay so, in the last sums."""
    # Shape (n_open,), the last sum first, never negative; None where the release does not say.
    everyone = panel.all_deaths[row]
    pending = panel.pending[row, -n_open - 1 :][::-1]
    if not (np.isfinite(pending).all() and np.isfinite(everyone)):
        return None
    return np.asarray(np.maximum(pending[:-1] - pending[-1], 0.0) / 100.0 * everyone)


def predicted_excess(panel: Panel, row: int, n_open: int) -> Floats | None:
    """Deaths that CDC's predicted counts have more than the reported, beyond what stays so."""
    # Shape (n_open,), the last sum first, never negative; None where the release does not say.
    reported = panel.reported[row, -n_open - 1 :][::-1]
    predicted = panel.predicted[row, -n_open - 1 :][::-1]
    if not np.isfinite(reported + predicted).all() or (reported <= 0).any():
        return None
    ratio = predicted / reported
    if ratio[-1] <= 0:
        return None
    return np.asarray(reported[:-1] * np.maximum(ratio[:-1] / ratio[-1] - 1.0, 0.0))


def seen_in(panel: Panel) -> np.datetime64:
    """Month in which the counts came out: a cut or delayed panel is seen before its release."""
    # A delayed panel keeps the release it was cut from, and is seen when its donor would have been.
    return np.datetime64(
        panel.as_of if panel.donor else min(panel.as_of, panel.release), "M"
    )


def _ages(panel: Panel, n_open: int) -> Floats:
    """Months from the end of each open month to the release, the last month first."""
    newest = int((seen_in(panel) - panel.months[-1]).astype(int)) - 1
    return newest + np.arange(n_open, dtype=float)


def _gained_since_closing(panel: Panel, n_open: int) -> Floats | None:
    """Deaths the closed year has gained since a release of about its closing, shape (L,)."""
    # The final file will not hold them. None without such a release; never negative.
    triangle = panel.triangle
    if triangle is None:
        return None
    now = not_final(seen_in(panel), panel.final_through)
    best: Floats | None = None
    for release, counts in zip(triangle.releases, triangle.reported, strict=True):
        then = not_final(release, panel.final_through)
        if 0 < then <= EARLY < now:
            change: Floats = panel.reported[:, -n_open - 1] - counts[:, -n_open - 1]
            gained: Floats = np.maximum(change, 0.0)
            best = closed(gained, panel.locations) if _adds_up(panel) else gained
            if (
                release.month != 8
            ):  # the file closes about September: August's is a makeshift
                break
    return best


def _adds_up(panel: Panel) -> bool:
    """Whether the US is there with all of its parts, each with a count in the last month."""
    rows = whole_and_parts(panel.locations)
    return rows is not None and bool(np.isfinite(panel.reported[rows[1], -1]).all())


@dataclass(frozen=True)
class Factors:
    """The errors that a location's months have in common, in every draw; shape (D, L)."""

    late: Floats  # Relative error of the late arrivals
    revision: Floats  # Arrivals that nothing announced, as a share of the last count


def prior_factors(
    deficit: Deficit,
    rows: list[int],
    locations: tuple[str, ...],
    draws: int,
    streams: Streams,
) -> Factors:
    """Factors of some rows of a panel as they are before anything is forecast."""
    factors = shared_factors(deficit, rows, draws=draws, streams=streams)
    for k, i in enumerate(rows):
        late, revision = streams.generator("delay", locations[i]).standard_normal(
            (2, draws)
        )
        factors.late[:, k] += deficit.own[i] * late
        factors.revision[:, k] += deficit.revision_own[i] * revision
    return factors


def shared_factors(
    deficit: Deficit, rows: list[int], draws: int, streams: Streams
) -> Factors:
    """What all locations of a release share of the errors, as it is beforehand."""
    rng = streams.generator("delay")
    normal = rng.standard_normal((2, draws))
    us_late, us_revision = normal * np.sqrt(SHARED_DF / rng.chisquare(SHARED_DF, draws))
    return Factors(
        us_late[:, None] * deficit.shared[rows],
        np.repeat(deficit.revision_shared * us_revision[:, None], len(rows), axis=1),
    )


class LateNumbers(NamedTuple):
    """The random numbers of what arrives late at one place."""

    single: NDArray[np.float32]  # (D, OPEN): Standard normals of the single months
    chance: Floats  # (D,): Uniform: how its deaths are rounded
    year: Floats  # (D,): Standard normals of other changes of the closed year
    chance_cut: Floats  # (D,): Uniform: whether the closed year is cut
    cut: Floats  # (D,): Exponential: by how much


def draw_late_numbers(streams: Streams, place: str, draws: int) -> LateNumbers:
    """The random numbers of what arrives late at one place, from its own streams."""
    rng = streams.generator("late", place)
    numbers = LateNumbers(
        single=rng.standard_normal((draws, OPEN), dtype=np.float32),
        chance=streams.generator("whole", place).random(draws),
        year=rng.standard_normal(draws),
        chance_cut=rng.random(draws),
        cut=rng.exponential(size=draws),
    )
    for array in numbers:
        array.flags.writeable = False
    return numbers


#: The same numbers, kept: the donors of one month share them. 64 places take about 6 MB.
kept_late_numbers = lru_cache(maxsize=64)(draw_late_numbers)


def late_numbers(streams: Streams, place: str, draws: int) -> LateNumbers:
    """The random numbers of what arrives late at one place; kept where they are few."""
    if draws > MOST_KEPT:
        return draw_late_numbers(streams, place, draws)
    return kept_late_numbers(streams, place, draws)


def late_draws(
    deficit: Deficit,
    rows: list[int],
    locations: tuple[str, ...],
    factors: Factors,
    streams: Streams,
) -> Floats:
    """Deaths that arrive late of some rows of a panel, by month of death; shape (D, L, SPAN)."""
    # Whole deaths, the last month at the end; negative where a closed year loses deaths.
    draws = len(factors.late)
    us_cut, us_year = streams.generator("cut").standard_normal((2, draws))
    us_old = streams.generator("old").standard_normal(draws)
    common = np.exp(CUT_SHARED * us_cut)
    common /= np.exp(0.5 * CUT_SHARED**2)
    out = np.empty((draws, len(rows), SPAN))
    for k, i in enumerate(rows):
        numbers = late_numbers(streams, locations[i], draws)
        changed = deficit.year_shared * us_year
        if locations[i] != NATION:
            changed += deficit.year_own * numbers.year
        share = deficit.cut_share[i]
        if share == 1.0:  # an earlier release says how much
            size = np.ones(draws)
        elif locations[i] == NATION:  # without its parts: they are cut on average
            size = share * common
        else:
            size = np.where(numbers.chance_cut < share, numbers.cut, 0.0) * common
        _late_arrivals(
            deficit.late[i],
            deficit.revised[i],
            deficit.noise[i],
            deficit.year[i],
            deficit.cut[i],
            deficit.old[i],
            factors.late[:, k],
            factors.revision[:, k],
            us_old,
            numbers.single,
            changed,
            size,
            numbers.chance,
            out[:, k],
        )
    return out


def with_nowcast(counted: Floats, late: Floats, ahead: Floats) -> tuple[Floats, int]:
    """The last of those counted (L, T) with what arrives late (D, L, SPAN), and those ahead."""
    # None of them below zero, shape (D, L, AGES + H); and how many were.
    out = np.empty((*ahead.shape[:2], AGES + ahead.shape[2]))
    np.add(counted[:, -AGES:], late[..., -AGES:], out=out[..., :AGES])
    out[..., AGES:] = ahead
    return out, set_to_zero(out)


def set_to_zero(months: Floats) -> int:
    """Set the months below zero to zero, in place; how many there were."""
    below = months < 0
    count = int(np.count_nonzero(below))
    if count:
        months[below] = 0.0
    return count


# Nothing may be reordered or joined here: sums over these draws must not change in the last bit.
@nb.njit(cache=True)
def _late_arrivals(
    late: Floats,  # (SPAN,), as those that follow: of `Deficit`
    revised: Floats,
    noise: Floats,
    year: Floats,
    cut: Floats,
    old: Floats,
    late_error: Floats,  # (D,), as those that follow: of `Factors`
    revision: Floats,
    old_error: Floats,  # (D,): Errors of the months more than a year old
    single: NDArray[np.float32],  # (D, OPEN): Errors of the last months
    changed: Floats,  # (D,): Change of the closed year, as a share of its count
    size: Floats,  # (D,): How often its average cut it loses
    chance: Floats,  # (D,): What is added before rounding down
    out: Floats,  # (D, SPAN)
) -> None:
    """Deaths that arrive late at a place in every draw, month by month, into ``out``."""
    # Deaths are whole: their running sum is raised by `chance` and rounded down, so that every
    # sum of months is right on average.
    n_draws, span = out.shape
    begin = span - single.shape[1]
    for d in range(n_draws):
        more = 1.0 + late_error[d]
        run = chance[d]
        before = 0.0
        for j in range(span):
            value = late[j] * more
            value += revised[j] * revision[d]
            if j >= begin:
                value += noise[j] * single[d, j - begin]
            value += changed[d] * year[j]
            value -= size[d] * cut[j]
            value += old_error[d] * old[j]
            run += value
            whole = np.floor(run)
            out[d, j] = whole - before
            before = whole
