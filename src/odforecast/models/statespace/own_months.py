"""How the log months of the state-space model hang together: what a state's own counts move.

Every month that is drawn is linear in normals, on the log scale. A month ahead takes the level of
its place and the nation's slope at the origin, the innovations since then of the place, its region
and the nation, the nation's shock of the month, and what a release shares of the errors of the late
arrivals. One that CDC has counted takes the errors of its late arrivals, those of its place as the
filter left them: correlated with the levels. So what is observed of a place's months tells of
its other months, of its region's places and of the nation's, as far as the filter says.

The log of a count is taken at the mean of the draws: exact to first order. Of a place with few
deaths a month the drawn logs are wider, in Wyoming and South Dakota by a quarter or so. In a panel
of December, whose closed year is still open, the log of what a year's closing changes is farther
off; no own counts of those months are observed (:mod:`odforecast.models.own.scale`), and no other
month hangs together with them: they do not move. What arrives late after the closing of a year is
no normal: its first two moments are used. That relative growth moves between places
(:func:`~odforecast.models.statespace.growth.tilted`) changes no covariance here.
"""

from __future__ import annotations

import numpy as np

from odforecast.geography import NATION, REGIONS
from odforecast.models.delay.deficit import CUT_SHARED, OPEN, SHARED_DF, SPAN, Deficit
from odforecast.models.delay.layer import LEVEL
from odforecast.models.own.joint import LogMonths
from odforecast.models.own.move import HALF
from odforecast.models.statespace.draws import TAIL_DF, of_the_nation
from odforecast.models.statespace.filter import State
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

#: What a release shares: errors of late arrivals, revisions, cuts of a closed year, its changes,
#: errors of months more than a year old.
_OF_RELEASE = 5


def path_root(level: float, slope: float, damp: float, horizon: int) -> Floats:
    """Cholesky factor (H, H) of a level's future path under new innovations."""
    lag = np.subtract.outer(np.arange(horizon), np.arange(horizon))
    steps = np.where(lag >= 0, 1.0, 0.0)
    carried = np.where(lag > 0, (1.0 - damp ** np.maximum(lag, 0)) / (1.0 - damp), 0.0)
    cov = level**2 * steps @ steps.T + slope**2 * carried @ carried.T
    root: Floats = np.linalg.cholesky(cov + 1e-12 * np.eye(horizon))
    return root


def log_months(
    state: State,
    panel: Panel,
    missing: Deficit | None,
    mean: Floats,
    horizon: int,
    draws: int,
    streams: Streams,
) -> LogMonths:
    """How the logs of the months of a filter's places hang together.

    Parameters
    ----------
    state : State
    panel : Panel
    missing : Deficit or None
        What its last months miss.
    mean : ndarray, shape (L, n)
        Mean of the draws of each month, the ``horizon`` months ahead at the end.
    horizon, draws : int
    streams : Streams
        Those that the months were drawn from.
    """
    n_loc, n = mean.shape
    before = n - horizon
    scales, size = state.scales, state.size
    rows = [panel.locations.index(s) for s in state.locations]
    kept = np.delete(np.arange(state.mean.size), size)  # the shock of the last month is over
    n_region = len(REGIONS)
    release = kept.size
    regional = release + _OF_RELEASE
    shock = regional + n_region * horizon
    loads = np.zeros((n_loc, n, shock + horizon))
    own = np.zeros((n_loc, n, n))
    nation = np.zeros((n_loc, n, horizon))
    ahead = np.arange(1, horizon + 1)
    calendar = (panel.monthly.shape[1] + np.arange(horizon)) % 12

    walk = np.tri(horizon)
    of_nation = path_root(scales.level_us, scales.slope_us, scales.damp_us, horizon)
    for i in range(n_loc):
        # Deaths ahead are those of the level and what puts them on the panel's pins.
        level = np.maximum(mean[i, before:] - state.shift[i, calendar], HALF)
        share = level / (mean[i, before:] + HALF)
        here, region = loads[i, before:], int(state.region[i])
        here[:, i] = 1.0
        here[:, n_loc] = (1.0 - scales.damp_us**ahead) / (1.0 - scales.damp_us)
        first = regional + region * horizon
        here[:, first : first + horizon] = scales.level_region * walk
        here[:, shock:] = scales.shock * np.eye(horizon)
        here *= share[:, None]
        nation[i, before:] = share[:, None] * of_nation
        counting = (1.0 + 1.0 / state.years[i]) * (scales.noise**2 + 1.0 / level)
        own[i, before:, before:] = np.outer(share, share) * (
            scales.level_own**2 * walk @ walk.T + np.diag(counting)
        )
    if missing is not None:
        _late(state, panel, missing, rows, mean, before, loads, own, release)
    root = np.zeros((loads.shape[2],) * 2)
    root[:release, :release] = np.linalg.cholesky(
        state.cov[np.ix_(kept, kept)] + 1e-10 * np.eye(kept.size)
    )
    root[release:, release:] = np.eye(loads.shape[2] - release)
    scale = np.sqrt(TAIL_DF / of_the_nation(state, horizon, draws, streams).squared)
    usual = float(np.sqrt(TAIL_DF / (TAIL_DF - 2.0)))
    return LogMonths(state.locations, loads @ root, own, nation, scale, usual)


def _late(
    state: State,
    panel: Panel,
    missing: Deficit,
    rows: list[int],
    mean: Floats,
    before: int,
    loads: Floats,
    own: Floats,
    release: int,
) -> None:
    """Put in what arrives late, of months that CDC has counted and of the level ahead."""
    n_loc, size = len(rows), state.size
    late, revised = missing.late[rows], missing.revised[rows]
    common = float(np.exp(CUT_SHARED**2))
    for k, i in enumerate(rows):
        over = mean[k, :before] + HALF
        cut_share = missing.cut_share[i]

        def logs(deaths: Floats, over: Floats = over) -> Floats:
            """Of the months up to CDC's last, as a share of them."""
            return np.asarray(deaths[SPAN - before :] / over)

        if state.incomplete:
            loads[k, :before, size + k] = logs(late[k])
            loads[k, :before, size + n_loc + k] = logs(revised[k])
        heavy = np.sqrt(SHARED_DF / (SHARED_DF - 2.0))
        shared = heavy * missing.shared[i], heavy * missing.revision_shared
        # An earlier release says how much is cut; else some places are, and all more or less.
        told = cut_share == 1.0
        loads[k, :before, release] = shared[0] * logs(late[k])
        loads[k, :before, release + 1] = shared[1] * logs(revised[k])
        lost = 0.0 if told else float(cut_share * np.sqrt(common - 1.0))
        loads[k, :before, release + 2] = -lost * logs(missing.cut[i])
        loads[k, :before, release + 3] = missing.year_shared * logs(missing.year[i])
        loads[k, :before, release + 4] = logs(missing.old[i])
        if state.incomplete:
            last = panel.reported[i, -1] + missing.months[i, -12:].sum()
            share = LEVEL * mean[k, before:] / (mean[k, before:] + HALF) / max(last, 1.0)
            loads[k, before:, release] = share * shared[0] * late[k, -12:].sum()
            loads[k, before:, release + 1] = share * shared[1] * revised[k, -12:].sum()
        single = logs(np.where(np.arange(SPAN) >= SPAN - OPEN, missing.noise[i], 0.0))
        alone = np.diag(single**2)
        if state.locations[k] != NATION:
            alone += missing.year_own**2 * np.outer(*[logs(missing.year[i])] * 2)
            by_chance = 0.0 if told else common * (2.0 * cut_share - cut_share**2)
            alone += by_chance * np.outer(*[logs(missing.cut[i])] * 2)
        own[k, :before, :before] += alone
