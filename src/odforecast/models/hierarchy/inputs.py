"""What the hierarchy is fitted to: the padded arrays of a panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography import JURISDICTIONS, NATION, lookup
from odforecast.models.delay.deficit import SPAN, Deficit
from odforecast.models.paths import require_some, usable_locations
from odforecast.monthly.sums import recover_months
from odforecast.months import Months
from odforecast.panel import Floats, Panel

Bools = NDArray[np.bool_]

#: Months a location needs: a year of 12-month sums. Pooling does the rest.
MIN_MONTHS = 24
#: The part of the nation that a panel does not show state by state.
REST = "rest of US"
#: The time axis is padded to about a multiple of this, so that few graphs serve all origins.
PAD = 24
#: Counts that a suppressed one may be.
HIDDEN = np.arange(1.0, 10.0)


@dataclass(frozen=True, eq=False)
class Inputs:
    """Padded arrays of one panel. S jurisdictions, T months, K knots, R regions."""

    # Time ends at the origin and is padded on the left; knots stand every `every` months, counted
    # back from the last month, the first of them at month 0.

    # Length S, sorted, so that the order of a panel's rows does not matter
    locations: tuple[str, ...]
    months: Months  # (T,)
    counts: Floats  # (S, T): Deaths, completed by what is expected to arrive late; 0 where not seen
    seen: Bools  # (S, T)
    weights: Floats  # (T, K): Linear interpolation between knots
    first: int  # First knot in use
    every: int
    region: Floats  # (S, R): Region of a state, one-hot; R is 0 where there are none
    regions: tuple[str, ...]
    # (C, T): Months of the 12-month counts that stand before a location's first month, one after
    # the other: of the location's suppressed counts those that share no month
    windows: Floats
    window_row: NDArray[np.int64]  # (C,)
    window_counts: (
        Floats  # (C, 9): What such a count may be; NaN in the places left over
    )
    # What the counts of each row miss, in the order of `locations`; None if nothing
    missing: Deficit | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(S, T, K)."""
        return (*self.counts.shape, self.weights.shape[1])

    @property
    def pooled(self) -> bool:
        """Whether there is a nation above the locations."""
        return len(self.locations) > 1

    @property
    def begin(self) -> int:
        """First month that says something on any location."""
        return int(np.argmax(self.seen.any(axis=0) | (self.windows > 0).any(axis=0)))

    @property
    def month_hot(self) -> Floats:
        """Calendar month of each month, one-hot, shape (T, 12)."""
        return month_one_hot(self.months)

    def last(self, array: Floats) -> Floats:
        """An array (S, SPAN) of the last months on the grid of all, zero before."""
        out = np.zeros(self.counts.shape)
        ages = min(SPAN, out.shape[1])
        out[:, -ages:] = array[:, -ages:]
        return out

    @property
    def slack(self) -> Floats:
        """Variance of a single month's late arrivals, as a share of its square, shape (S, T)."""
        noise = 0.0 if self.missing is None else self.last(self.missing.noise)
        return np.asarray((noise / np.maximum(self.counts, 1.0)) ** 2)


def month_one_hot(months: Months) -> Floats:
    """Calendar months, one-hot, shape (T, 12)."""
    return np.asarray(np.eye(12)[months.astype("datetime64[M]").astype(int) % 12])


def interpolation(n_months: int, every: int) -> tuple[Floats, NDArray[np.int64]]:
    """Weights (T, K) of linear interpolation, and the months at which the K knots stand."""
    # The last knot stands at the last month; the first at or before month 0.
    n_knots = -(-(n_months - 1) // every) + 1
    position = n_months - 1 - every * np.arange(n_knots - 1, -1, -1)
    month = np.arange(n_months)
    knot = np.minimum(np.searchsorted(position, month, side="right") - 1, n_knots - 2)
    share = (month - position[knot]) / every
    weights = np.zeros((n_months, n_knots))
    weights[month, knot] = 1.0 - share
    weights[month, knot + 1] += share
    return weights, position


def between_knots(n_months: int, every: int) -> tuple[Floats, Floats]:
    """What monthly steps of the nation add up to."""
    # -> quarter (K - 1, T - 1), bridge (T, T - 1)
    weights, position = interpolation(n_months, every)
    path = -np.triu(np.ones((n_months, n_months - 1)))
    quarter = np.diff(path[position], axis=0)
    bridge = path - weights @ path[position]
    return quarter, np.where(np.abs(bridge) < 1e-12, 0.0, bridge)


def from_panel(
    panel: Panel,
    model: str,
    *,
    every: int = 3,
    missing: Deficit | None = None,
) -> tuple[Inputs, dict[str, str]]:
    """Arrays of a panel, and the locations that cannot be used with the reason."""
    # A nation shown together with some of its jurisdictions is modelled as those and the rest, so
    # that it is their sum. Months that are missing stay missing.
    states, skipped = usable_locations(panel, model, min_months=MIN_MONTHS)
    parts = sorted(s for s in states if s in JURISDICTIONS or s == "PR")
    rows = {s: panel.monthly[panel.index(s)] for s in parts}
    if NATION in states:
        rest = None
        try:
            rest = _rest(panel, [s for s in parts if s != "PR"])
        except DataError as error:
            skipped[NATION] = (
                f"its counts contradict its jurisdictions': {error.message}"
            )
        if rest is not None:
            rows[REST if rows else NATION] = rest
    require_some(list(rows), skipped, panel=panel, model=model)
    names = tuple(rows)
    months = panel.month_grid
    counts = np.stack(list(rows.values()))
    cells = [
        c
        for i, s in enumerate(parts)
        for c in _before(panel, s, row=i, months=counts[i])
    ]
    begin = int(np.argmax((~np.isnan(counts)).any(axis=0)))
    begin = min([begin, *(start for _, start, _ in cells)])
    months = months[begin:]
    counts = counts[:, begin:]
    unit = every * max(1, -(-PAD // every))
    n_time = 1 + unit * -(-(months.size - 1) // unit)
    early = n_time - months.size
    left = ((0, 0), (early, 0))
    seen = np.pad(~np.isnan(counts), left)
    axis = months[-1] - np.arange(n_time - 1, -1, -1).astype("timedelta64[M]")
    weights, position = interpolation(n_time, every)
    region, regions = _tree(names)
    windows = np.zeros((len(cells), n_time))
    for c, (_, start, _) in enumerate(cells):
        windows[c, early + start - begin + np.arange(12)] = 1.0
    inputs = Inputs(
        locations=names,
        months=axis,
        counts=np.pad(np.nan_to_num(counts), left),
        seen=seen,
        weights=weights,
        first=int(np.searchsorted(position, early, side="right") - 1),
        every=every,
        region=region,
        regions=regions,
        windows=windows,
        window_row=np.array([row for row, _, _ in cells], dtype=np.int64),
        window_counts=np.array([values for _, _, values in cells]).reshape(
            -1, HIDDEN.size
        ),
        missing=None if missing is None else _missing_of(missing, panel, names=names),
    )
    return inputs, skipped


def _before(
    panel: Panel, state: str, row: int, months: Floats
) -> list[tuple[int, int, Floats]]:
    """Counts before a location's first known month, each of the 12 months before the next."""
    # (row, first month on the panel's grid, what it may be).
    i = panel.index(state)
    if not panel.hidden[i].any():
        return []
    out = []
    for k in range(int(np.argmax(~np.isnan(months))) - 12, -1, -12):
        if panel.hidden[i, k]:
            inside = (panel.low[i, k] <= HIDDEN) & (panel.high[i, k] >= HIDDEN)
            out.append((row, k, np.where(inside, HIDDEN, np.nan)))
        elif not np.isnan(panel.reported[i, k]):
            out.append(
                (row, k, np.r_[panel.reported[i, k], np.full(HIDDEN.size - 1, np.nan)])
            )
    return out


def _missing_of(missing: Deficit, panel: Panel, names: tuple[str, ...]) -> Deficit:
    """What the rows of the inputs miss: the rest of the nation what its other parts do not."""
    rows = [panel.locations.index(NATION if s == REST else s) for s in names]
    layers = ("late", "noise", "revised", "cut", "year")
    of = {k: getattr(missing, k)[rows].copy() for k in layers}
    if REST in names:
        here = names.index(REST)
        us = panel.locations.index(NATION)
        parts = [panel.locations.index(s) for s in names if s not in (REST, "PR")]
        for k in ("late", "revised", "cut", "year"):
            whole = getattr(missing, k)
            of[k][here] = np.maximum(whole[us] - whole[parts].sum(axis=0), 0.0)
    errors = {
        k: getattr(missing, k)[rows]
        for k in ("own", "shared", "revision_own", "cut_share")
    }
    return replace(missing, **of, **errors)


def _rest(panel: Panel, parts: Sequence[str]) -> Floats | None:
    """Months of the nation without ``parts``; None where nothing is left."""
    rows = [panel.index(s) for s in parts]
    sums = panel.reported[panel.index("US")] - np.nansum(panel.reported[rows], axis=0)
    whole = set(parts) == set(JURISDICTIONS)
    if whole and not (np.abs(sums[~np.isnan(sums)]) > 0.5).any():
        return None
    if parts:
        # A month in which a part is missing says nothing about the rest.
        sums = np.where(np.isnan(panel.reported[rows]).any(axis=0), np.nan, sums)
    return np.asarray(recover_months(sums[None])[0])


def _tree(names: Sequence[str]) -> tuple[Floats, tuple[str, ...]]:
    """Regions exist where at least two of them have two members."""
    # Puerto Rico and the rest of the nation belong to no region: each is its own.
    own = [s if s in (REST, NATION) else lookup(s).region or s for s in names]
    regions = sorted(set(own))
    if sum(own.count(r) >= 2 for r in regions) < 2:
        return np.zeros((len(names), 0)), ()
    return np.array([[float(r == o) for r in regions] for o in own]), tuple(regions)
