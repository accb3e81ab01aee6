"""Draws of what arrives late: one draw per path, of every month that can still change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from odforecast.geography import NATION
from odforecast.models.delay.deficit import OPEN, SHARED_DF, SPAN, Deficit
from odforecast.panel import Floats
from odforecast.seeds import Streams

#: Sd of the log of what a release's cuts share: some closings are large everywhere.
CUT_SHARED = 0.9


@dataclass(frozen=True)
class Factors:
    """The errors that a location's months have in common, in every draw.

    Attributes
    ----------
    late : ndarray, shape (D, L)
        Relative error of the late arrivals.
    revision : ndarray, shape (D, L)
        Arrivals that nothing announced, as a share of the last count.
    """

    late: Floats
    revision: Floats


def prior_factors(
    deficit: Deficit, rows: list[int], locations: tuple[str, ...], draws: int, streams: Streams
) -> Factors:
    """Factors as they are before anything is forecast; shape (D, len(rows))."""
    found = shared_factors(deficit, rows, draws, streams)
    for k, i in enumerate(rows):
        own_late, own_revision = streams.generator("delay", locations[i]).standard_normal(
            (2, draws)
        )
        found.late[:, k] += deficit.own[i] * own_late
        found.revision[:, k] += deficit.revision_own[i] * own_revision
    return found


def shared_factors(deficit: Deficit, rows: list[int], draws: int, streams: Streams) -> Factors:
    """What all locations of a release share of the errors, as it is beforehand; shape (D, L)."""
    rng = streams.generator("delay")
    normal = rng.standard_normal((2, draws))
    us_late, us_revision = normal * np.sqrt(SHARED_DF / rng.chisquare(SHARED_DF, draws))
    return Factors(
        us_late[:, None] * deficit.shared[rows],
        np.repeat(deficit.revision_shared * us_revision[:, None], len(rows), axis=1),
    )


def late_draws(
    deficit: Deficit,
    rows: list[int],
    locations: tuple[str, ...],
    factors: Factors,
    streams: Streams,
) -> Floats:
    """Deaths that arrive late, by month of death, the last month at the end.

    Parameters
    ----------
    deficit : Deficit
    rows : list of int
        Rows of the panel that are drawn, L of them.
    locations : tuple of str
        The panel's.
    factors : Factors
    streams : Streams

    Returns
    -------
    ndarray, shape (D, L, SPAN)
        Whole deaths. May be negative: a closed year loses deaths.
    """
    from odforecast.models.delay.kernels import late_arrivals

    draws, n = len(factors.late), len(rows)
    us_cut, us_year = streams.generator("cut").standard_normal((2, draws))
    us_old = streams.generator("old").standard_normal(draws)
    common = np.exp(CUT_SHARED * us_cut)
    common /= np.exp(0.5 * CUT_SHARED**2)
    single = np.empty((n, draws, OPEN), dtype=np.float32)
    changed, size, chance = np.empty((3, n, draws))
    for k, i in enumerate(rows):
        rng = streams.generator("late", locations[i])
        rng.standard_normal(out=single[k], dtype=np.float32)
        chance[k] = streams.generator("whole", locations[i]).random(draws)
        changed[k] = deficit.year_shared * us_year
        if locations[i] != NATION:
            changed[k] += deficit.year_own * rng.standard_normal(draws)
        share = deficit.cut_share[i]
        if share == 1.0:  # an earlier release says how much
            size[k] = 1.0
        elif locations[i] == NATION:  # without its parts: they are cut on average
            size[k] = share * common
        else:
            happens = rng.random(draws) < share
            size[k] = np.where(happens, rng.exponential(size=draws), 0.0) * common
    out = np.empty((draws, n, SPAN))
    late_arrivals(
        deficit.late[rows], deficit.revised[rows], deficit.noise[rows], deficit.year[rows],
        deficit.cut[rows], deficit.old[rows], factors.late, factors.revision, us_old, single,
        changed, size, chance, out,
    )  # fmt: skip
    return out
