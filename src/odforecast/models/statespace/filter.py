"""Filtering the months of some locations together: what is known of them at the origin."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import PanelError
from odforecast.geography import REGIONS, find, lookup
from odforecast.models.delay.deficit import SPAN, Deficit
from odforecast.models.spec import MIN_MONTHS
from odforecast.months import month_lengths
from odforecast.panel import Floats, Panel


@dataclass(frozen=True)
class Scales:
    """Standard deviations a month on the log scale, the damping of the nation's slope, noise.

    A model without scales of its own takes them from the table that ``make constants`` writes
    (:mod:`odforecast.models.constants`).
    """

    level_own: float
    level_region: float
    level_us: float
    slope_us: float
    damp_us: float
    noise: float
    shock: float

    def of_the_nation(self) -> Scales:
        """Scales of the US as a single series: the parts' own innovations average out."""
        # Root of the summed squared shares of 52 jurisdictions and of 4 regions in deaths.
        parts, regions = 0.19, 0.52
        return replace(
            self,
            level_own=parts * self.level_own,
            level_region=regions * self.level_region,
            noise=parts * self.noise,
        )


#: Nothing is incomplete: what the filter is given for it.
COMPLETE = np.empty((0, 0))


@dataclass(frozen=True)
class State:
    """What the filter knows at the origin about some locations.

    Attributes
    ----------
    locations : tuple of str
    mean, cov : ndarray, shapes (K,) and (K, K)
        In the order of :func:`odforecast.models.statespace.kernels.kalman`.
    scales : Scales
    shift : ndarray, shape (L, 12)
        By calendar column of the panel: from the model's pins to the panel's.
    years : ndarray, shape (L,)
        Years averaged in a pin.
    region : ndarray of int, shape (L,)
        Row of ``REGIONS``.
    incomplete : bool
        Whether the errors of the late arrivals are in the state.
    """

    locations: tuple[str, ...]
    mean: Floats
    cov: Floats
    scales: Scales
    shift: Floats
    years: Floats
    region: NDArray[np.int64]
    incomplete: bool = False

    @property
    def size(self) -> int:
        """Length of the state of levels and the nation's slope; the last month's shock is over."""
        return len(self.locations) + 1

    @property
    def alone(self) -> str:
        """The only location, which then has a nation of its own; else empty."""
        return self.locations[0] if len(self.locations) == 1 else ""


def filtered(
    panel: Panel,
    states: tuple[str, ...],
    scales: Scales,
    missing: Deficit | None = None,
) -> State:
    """Filter the months of some locations together, up to the panel's last.

    Parameters
    ----------
    panel : Panel
    states : tuple of str
    scales : Scales
    missing : Deficit, optional
        What the last months miss; without it they are taken as they are.

    Raises
    ------
    PanelError
        If a location has too few months.
    """
    from odforecast.models.statespace.kernels import kalman
    from odforecast.models.statespace.pins import repin, rough_level, years_averaged

    rows = [panel.locations.index(s) for s in states]
    recovered = panel.monthly[rows].copy()
    n = recovered.shape[1]
    ages = min(SPAN, n)
    if missing is not None:
        recovered[:, n - ages :] += missing.months[rows, SPAN - ages :]
    # What stands before a gap says little, and its pins less: start after the last gap.
    used = np.empty(len(states))
    for i, row in enumerate(recovered):
        gaps = np.flatnonzero(np.isnan(row))
        used[i] = row.size if gaps.size == 0 else row.size - 1 - gaps[-1]
        row[: row.size - int(used[i])] = np.nan
    if used.min() < MIN_MONTHS:
        raise PanelError(f"{states[int(used.argmin())]} has only {used.min():.0f} months")
    # Deaths per day: months differ by a tenth in length.
    lengths = month_lengths(panel.month_grid)
    constants = repin(recovered, rough_level(recovered), lengths)
    months = np.maximum(recovered + constants[:, np.arange(n) % 12], 0.0) / lengths
    region = np.array([_region(s) for s in states], dtype=np.int64)
    theta = np.array(astuple(scales))
    years = years_averaged(used)
    mean, cov = _prior(months, theta)
    share = 1.0 - 1.0 / np.maximum(years, 1.01)
    begin = n
    if missing is not None:
        changing = (missing.late[rows] != 0).any(axis=0) | (missing.revised[rows] != 0).any(axis=0)
        begin = n - int(SPAN - changing.argmax()) if changing.any() else n
    common = (region, theta)
    # In one layout, or the filter is compiled twice.
    before = np.ascontiguousarray(months[:, :begin])
    kalman(before, *common, mean, cov, share, 0, COMPLETE, COMPLETE, COMPLETE)
    if begin < n:
        assert missing is not None
        mean, cov = _with_errors(mean, cov, missing, rows)
        late, revised, noise = (
            _last(a[rows], n) / lengths for a in (missing.late, missing.revised, missing.noise)
        )
        kalman(months, *common, mean, cov, share, begin, late, revised, noise**2)
    return State(states, mean, cov, scales, -constants, years, region, begin < n)


def _last(array: Floats, n: int) -> Floats:
    """An array of the last SPAN months on a grid of ``n``, zero before."""
    out = np.zeros((len(array), n))
    ages = min(SPAN, n)
    out[:, n - ages :] = array[:, SPAN - ages :]
    return out


def _with_errors(
    mean: Floats, cov: Floats, missing: Deficit, rows: list[int]
) -> tuple[Floats, Floats]:
    """The state with the errors of the late arrivals put after it, as they are beforehand.

    What all locations of a release share is not learned from its months: a nation that has begun
    to fall looks like a release that is less complete than usual, and the filter would take a
    part of the one for the other. It is drawn as it is beforehand instead
    (:func:`odforecast.models.delay.deficit.shared_factors`).
    """
    spread = np.concatenate([missing.own[rows], missing.revision_own[rows]])
    size = mean.size
    longer = np.zeros((size + spread.size, size + spread.size))
    longer[:size, :size] = cov
    longer[size:, size:] = np.diag(spread**2)
    return np.concatenate([mean, np.zeros(spread.size)]), longer


def _region(state: str) -> int:
    name = lookup(find(state).state).region  # a county's is its state's
    # The US and Puerto Rico have no region; alone in their filter, any index will do.
    return 0 if name is None else REGIONS.index(name)


def _prior(months: Floats, theta: Floats) -> tuple[Floats, Floats]:
    """Mean and covariance of the state before the first month."""
    first = np.array([row[~np.isnan(row)][:12].mean() for row in months])
    mean = np.concatenate([np.log(first + 0.1), np.zeros(2)])
    variance = np.full(mean.size, 0.15**2)
    slope, damp = theta[3], theta[4]
    variance[-2] = min(slope**2 / (1.0 - damp**2), 0.02**2)
    variance[-1] = 0.0
    return mean, np.diag(variance)
