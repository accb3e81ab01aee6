"""What the hierarchy is fitted to: months × jurisdictions, knots, and who belongs to whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import DataError, PanelError
from odforecast.geography import JURISDICTIONS, lookup
from odforecast.models.paths import require_some, usable_locations
from odforecast.monthly.sums import recover_months
from odforecast.months import Months
from odforecast.panel import Floats, Panel

Bools = NDArray[np.bool_]

#: Months a location needs: a year of 12-month sums. Pooling does the rest.
MIN_MONTHS = 24
#: The part of the nation that a panel does not show state by state.
REST = "rest of US"
#: The time axis is padded to a multiple of this, so that few graphs serve all origins.
PAD = 24
#: Suppressed counts lie between these two, both included.
CENSORED_LOW, CENSORED_HIGH = 1, 9

Exposure = Callable[[Sequence[str], Months], Floats]


@dataclass(frozen=True)
class Effect:
    """An additive term of the log rate: a known exposure times an unknown coefficient.

    Attributes
    ----------
    name : str
        What it is.
    exposure : callable
        Takes the locations (CDC codes, or ``"rest of US"``) and months, past and future;
        returns an array of shape (L, M).
    scale : float
        Prior standard deviation of the coefficient.
    mean : float
        Its prior mean.

    Examples
    --------
    >>> step = Effect("step", lambda s, m: np.ones((len(s), m.size)), 0.1)
    >>> step.exposure(["OH"], np.array(["2020-02", "2020-03"], "datetime64[M]")).tolist()
    [[1.0, 1.0]]
    """

    name: str
    exposure: Exposure
    scale: float
    mean: float = 0.0


@dataclass(frozen=True, eq=False)
class Inputs:
    """Padded arrays of one panel. S jurisdictions, T months, K knots, J effects.

    Time ends at the origin and is padded on the left; knots stand every ``every`` months,
    counted back from the last month.

    Attributes
    ----------
    locations : tuple of str
        Length S, sorted, so that the order of a panel's rows does not matter.
    months : ndarray of datetime64[M], shape (T,)
    counts : ndarray, shape (S, T)
        Deaths; 0 where not seen.
    seen, censored : ndarray of bool, shape (S, T)
        Known counts; and counts known only to lie in 1..9. Never both.
    weights : ndarray, shape (T, K)
        Linear interpolation between knots.
    first : int
        First knot in use.
    members : tuple of ndarray
        One-hot matrices up the tree: region of a state (S, R), nation of a region (R, 1);
        or only (S, 1); or none for a single series.
    group_names : tuple of tuple of str
        Names of the nodes of each level.
    exposure : ndarray, shape (J, S, T)
    effect_mean, effect_scale : ndarray, shape (J,)
    """

    locations: tuple[str, ...]
    months: Months
    counts: Floats
    seen: Bools
    censored: Bools
    weights: Floats
    first: int
    every: int
    members: tuple[Floats, ...]
    group_names: tuple[tuple[str, ...], ...]
    exposure: Floats
    effect_mean: Floats
    effect_scale: Floats

    @property
    def shape(self) -> tuple[int, int, int]:
        """(S, T, K)."""
        return (*self.counts.shape, self.weights.shape[1])

    @property
    def month_hot(self) -> Floats:
        """Calendar month of each month, one-hot, shape (T, 12)."""
        return month_one_hot(self.months)


def month_one_hot(months: Months) -> Floats:
    """Calendar months, one-hot, shape (T, 12)."""
    return np.asarray(np.eye(12)[months.astype("datetime64[M]").astype(int) % 12])


def interpolation(n_months: int, every: int) -> tuple[Floats, NDArray[np.int64]]:
    """Weights (T, K) of linear interpolation, and the months at which the K knots stand.

    The last knot stands at the last month; the first at or before month 0.

    Examples
    --------
    >>> interpolation(5, 2)[1].tolist()
    [0, 2, 4]
    """
    n_knots = -(-(n_months - 1) // every) + 1
    position = n_months - 1 - every * np.arange(n_knots - 1, -1, -1)
    month = np.arange(n_months)
    knot = np.minimum(np.searchsorted(position, month, side="right") - 1, n_knots - 2)
    share = (month - position[knot]) / every
    weights = np.zeros((n_months, n_knots))
    weights[month, knot] = 1.0 - share
    weights[month, knot + 1] += share
    return weights, position


def from_panel(
    panel: Panel,
    model: str,
    *,
    every: int = 3,
    window: int | None = None,
    effects: Sequence[Effect] = (),
    censored: Callable[[Panel], Bools] | None = None,
) -> tuple[Inputs, dict[str, str]]:
    """Arrays of a panel, and the locations that cannot be used with the reason.

    A nation shown together with some of its jurisdictions is modelled as those and the rest,
    so that it is their sum. Months that are missing stay missing.

    Parameters
    ----------
    panel : Panel
    model : str
        For messages.
    every : int
        Months between knots.
    window : int, optional
        Use only the last so many months.
    effects : sequence of Effect
    censored : callable, optional
        Takes the panel; returns a mask of shape (L, T + 11) on ``panel.month_grid``: the
        count is not published but known to lie in 1..9.

    Raises
    ------
    PanelError
        If no location can be used, or the mask has the wrong shape.
    """
    states, skipped = usable_locations(panel, model, MIN_MONTHS)
    mask = np.zeros(panel.monthly.shape, bool) if censored is None else censored(panel)
    if mask.shape != panel.monthly.shape:
        raise PanelError(f"the censoring mask has shape {mask.shape}", hint="use panel.month_grid")
    parts = sorted(s for s in states if s in JURISDICTIONS or s == "PR")
    rows = {s: panel.monthly[panel.index(s)] for s in parts}
    hidden = {s: mask[panel.index(s)] & np.isnan(rows[s]) for s in parts}
    if "US" in states:
        try:
            rest = _rest(panel, [s for s in parts if s != "PR"])
        except DataError as error:
            skipped["US"] = f"its counts contradict its jurisdictions': {error.message}"
        else:
            if rest is not None:
                name = REST if rows else "US"
                rows[name], hidden[name] = rest, np.zeros(rest.size, bool)
    require_some(list(rows), skipped, panel, model)
    names = tuple(rows)
    months, counts = panel.month_grid, np.stack(list(rows.values()))
    dark = np.stack(list(hidden.values()))
    begin = int(np.argmax((~np.isnan(counts) | dark).any(axis=0)))
    if window is not None:
        begin = max(begin, months.size - window)
    months, counts, dark = months[begin:], counts[:, begin:], dark[:, begin:]
    n_time = PAD * -(-months.size // PAD)
    left = ((0, 0), (n_time - months.size, 0))
    seen = np.pad(~np.isnan(counts), left)
    axis = months[-1] - np.arange(n_time - 1, -1, -1).astype("timedelta64[M]")
    weights, position = interpolation(n_time, every)
    members, group_names = _tree(names)
    exposure = np.stack([e.exposure(names, axis) for e in effects]) if effects else None
    inputs = Inputs(
        locations=names,
        months=axis,
        counts=np.pad(np.nan_to_num(counts), left),
        seen=seen,
        censored=np.pad(dark, left),
        weights=weights,
        first=int(np.searchsorted(position, n_time - months.size, side="right") - 1),
        every=every,
        members=members,
        group_names=group_names,
        exposure=np.zeros((0, *seen.shape)) if exposure is None else exposure,
        effect_mean=np.array([e.mean for e in effects], dtype=float),
        effect_scale=np.array([e.scale for e in effects], dtype=float),
    )
    return inputs, skipped


def _rest(panel: Panel, parts: Sequence[str]) -> Floats | None:
    """Months of the nation without ``parts``; None where nothing is left."""
    rows = [panel.index(s) for s in parts]
    sums = panel.reported[panel.index("US")] - np.nansum(panel.reported[rows], axis=0)
    whole = set(parts) == set(JURISDICTIONS)
    if whole and not sums[~np.isnan(sums)].any():
        return None
    if parts:
        # A month in which a part is missing says nothing about the rest.
        sums = np.where(np.isnan(panel.reported[rows]).any(axis=0), np.nan, sums)
    return np.asarray(recover_months(sums[None])[0])


def _tree(names: Sequence[str]) -> tuple[tuple[Floats, ...], tuple[tuple[str, ...], ...]]:
    """Regions exist where at least two of them have two members; a nation from two up."""
    if len(names) < 2:
        return (), ()
    # Puerto Rico and the rest of the nation belong to no region: each is its own.
    own = [(lookup(s).region or s) if s != REST else REST for s in names]
    regions = sorted(set(own))
    if sum(own.count(r) >= 2 for r in regions) < 2:
        return (np.ones((len(names), 1)),), (("nation",),)
    hot = np.array([[float(r == o) for r in regions] for o in own])
    return (hot, np.ones((len(regions), 1))), (tuple(regions), ("nation",))
