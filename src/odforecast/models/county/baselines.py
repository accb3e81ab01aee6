"""The simplest forecasts of counties: the last count, with past changes round it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import PanelError
from odforecast.forecasts import Forecast
from odforecast.geography.places import by_fips, counties_of, edition_held
from odforecast.models.paths import (
    MIN_ERRORS,
    require_some,
    shuffled_levels,
    symmetric_quantiles,
)
from odforecast.models.spec import Spec
from odforecast.names import COUNTIES, MONTH, STATES, TARGET_12MO
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

#: Counts from which a release shows them: smaller ones tell nothing of a pooled spread.
SHOWN = 10
#: Months of counts that the baselines need: one change over 12 months.
MIN_MONTHS = 13
#: A release that lost its large counts lost those of this many and more.
FLOOR = 1000.0
#: What a hidden count can be.
HIDDEN = np.arange(1, 10)

Whole = NDArray[np.int32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of L counties of a panel in T months, and which of them are hidden or lost."""

    #: Where they are from.
    panel: Panel
    #: The counties with a count, hidden or lost one.
    locations: tuple[str, ...]
    #: The other counties, and why they are left out.
    skipped: dict[str, str]
    #: Counts shown, NaN where hidden or lost, shape (L, T).
    known: Floats
    #: Whether a count is hidden, for it is small, shape (L, T).
    hidden: Bools
    #: Whether a count is lost, though it is large, shape (L, T).
    lost: Bools
    #: Counties without a count in the last month, for which an earlier one is used.
    stale: tuple[str, ...]

    @cached_property
    def states(self) -> NDArray[np.str_]:
        """Jurisdiction of each county, shape (L,)."""
        return np.array([by_fips()[fips].state for fips in self.locations])

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know."""
        warnings = []
        if self.stale:
            examples = ", ".join(self.stale[:5])
            warnings.append(
                f"{len(self.stale)} counties have no count in {self.panel.last_month} "
                f"({examples}): their last one stands in"
            )
        _, complete = self._remainders
        states = self.states[self.lost[:, -1] & ~complete]
        if states.size:
            names = ", ".join(sorted(set(states.tolist())))
            warnings.append(
                f"lost counts are taken as 1,000: no count of the whole state ({names})"
            )
        return tuple(warnings)

    def drawn_hidden(self, draws: int, streams: Streams) -> Whole:
        """What each county's hidden counts are in each draw, shape (L, D)."""
        # 1 to 9, as often each; 0 in counties that were never hidden.
        out = np.zeros((len(self.locations), draws), dtype=np.int32)
        for i in np.flatnonzero(self.hidden.any(axis=1)):
            rng = streams.generator("hidden", self.locations[i])
            out[i] = 1 + rng.permutation(draws) * HIDDEN.size // draws
        return out

    def drawn_last(self, hidden: Whole) -> Whole:
        """The counts of the last month in each draw, given those hidden, both of shape (L, D)."""
        last = np.nan_to_num(self.known[:, -1]).astype(np.int32)
        out = np.where(self.hidden[:, [-1]], hidden, last[:, None])
        for i in np.flatnonzero(self.lost[:, -1]):
            out[i] = self.drawn_lost(int(i), hidden)[:, -1]
        return out

    def drawn_history(self, row: int, hidden: Whole) -> Floats:
        """Counts of a county in every draw, shape (D, T), lost ones completed."""
        counts = np.where(self.hidden[row], hidden[row][:, None], self.known[row])
        return np.where(self.lost[row], self.drawn_lost(row, hidden), counts)

    def drawn_lost(self, row: int, hidden: Whole) -> Floats:
        """What the state leaves for a county that lost counts, shape (D, T), whole numbers."""
        # NaN in months where it lost none.
        remainders, complete = self._remainders
        state = np.flatnonzero(self.states == self.states[row])
        losers = state[self.lost[state].any(axis=1)]
        small = np.einsum("it,id->dt", self.hidden[state].astype(float), hidden[state])
        out = np.full((hidden.shape[1], self.lost.shape[1]), np.nan)
        for t in np.flatnonzero(self.lost[row]):
            if not complete[row] or np.isnan(remainders[row, t]):
                out[:, t] = FLOOR
                continue
            remainder = remainders[row, t] - small[:, t]
            rows = losers[self.lost[losers, t]]
            # One that was shown before or after is near 1,000; those never shown share the rest.
            unseen = rows[np.isnan(self.known[rows]).all(axis=1)]
            if not unseen.size:
                value = remainder / rows.size
            elif row in unseen:
                value = (remainder - FLOOR * (rows.size - unseen.size)) / unseen.size
            else:
                value = np.full(remainder.shape, FLOOR)
            out[:, t] = np.rint(np.maximum(value, FLOOR))
        return out

    @cached_property
    def _remainders(self) -> tuple[Floats, Bools]:
        """States less their counties shown, (L, T), where one lost a count; whether it is known."""
        # It is known (L,) where the state's count is, and all of its counties are here.
        remainders = np.full(self.lost.shape, np.nan)
        complete = np.zeros(len(self.locations), dtype=bool)
        panel = self.panel.beside.get(STATES)
        if panel is None or not self.lost.any():
            return remainders, complete
        edition = edition_held(self.panel.locations)
        columns = (self.panel.months - panel.months[0]).astype(int)
        inside = (columns >= 0) & (columns < panel.months.size)
        for state in set(self.states[self.lost.any(axis=1)].tolist()):
            rows = np.flatnonzero(self.states == state)
            if state not in panel.locations or rows.size < len(
                counties_of(state, edition)
            ):
                continue
            total = np.full(self.lost.shape[1], np.nan)
            total[inside] = panel.reported[
                panel.locations.index(state), columns[inside]
            ]
            remainders[rows] = total - np.nansum(self.known[rows], axis=0)
            complete[rows] = True
        return remainders, complete


def counts_of(panel: Panel, model: str) -> Counts:
    """The counties of a panel that can be forecast, and their counts."""
    if panel.months.size < MIN_MONTHS:
        raise PanelError(
            f"{model} needs {MIN_MONTHS} months of counties' counts, and this panel has "
            f"{panel.months.size} ({panel.months[0]} to {panel.last_month})",
            hint="take a later date, or a release that goes back further",
        )
    counted = ~np.isnan(panel.low)
    usable = counted.any(axis=1)
    rows = np.flatnonzero(usable)
    locations = tuple(panel.locations[i] for i in rows)
    skipped = {
        panel.locations[i]: "no count in any month" for i in np.flatnonzero(~usable)
    }
    require_some(locations, skipped, panel=panel, model=model)
    # A month without a count has that of the last month before it that has one, else the first.
    counted = counted[rows]
    months = np.where(counted, np.arange(counted.shape[1]), -1)
    months = np.maximum.accumulate(months, axis=1)
    months = np.where(months < 0, counted.argmax(axis=1)[:, None], months)
    return Counts(
        panel,
        locations,
        skipped=skipped,
        known=np.take_along_axis(panel.reported[rows], months, axis=1),
        hidden=np.take_along_axis(panel.hidden[rows], months, axis=1),
        lost=np.take_along_axis(panel.lost[rows], months, axis=1),
        stale=tuple(
            place for place, last in zip(locations, counted[:, -1]) if not last
        ),
    )


def enough(n_months: int, horizon: int, needed: int) -> tuple[int, float]:
    """The longest horizon up to this one with enough differences, and what to stretch them by."""
    longest = max(1, min(horizon, n_months - needed))
    return longest, float(np.sqrt(horizon / longest))


def sorted_changes(history: Floats, steps: int) -> Floats:
    """Differences over some months and their mirror images, in order, shape (N, 2 (T - steps))."""
    gaps = history[:, steps:] - history[:, :-steps]
    return np.sort(np.concatenate([gaps, -gaps], axis=1), axis=1)


def at_levels(ordered: Floats, rows: NDArray[np.intp], levels: Floats) -> Floats:
    """Quantiles, linear between the values as numpy's default, of rows in order."""
    # ordered (N, K)
    position = levels * (ordered.shape[1] - 1)
    below = position.astype(np.intp)
    above = np.minimum(below + 1, ordered.shape[1] - 1)
    left = ordered[rows, below]
    return np.asarray(left + (ordered[rows, above] - left) * (position - below))


def shown_roots(known: Floats) -> Floats:
    """Square roots of counts of 10 and more, NaN for others, shape (L, T)."""
    return np.sqrt(np.where(known >= SHOWN, known, np.nan))


@dataclass(
    frozen=True,
    eq=False,
    repr=False,
)
class FittedCountyBaseline:
    """A county baseline bound to a panel."""

    counts: Counts
    #: Whether all counties have one spread, that of the past changes of all.
    pooled: bool

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths of 12-month counts; see :class:`odforecast.models.model.Drawer`."""
        counts = self.counts
        levels = np.array(
            [
                shuffled_levels(draws, streams.generator("location", s))
                for s in counts.locations
            ]
        )
        hidden = counts.drawn_hidden(draws, streams)
        last = counts.drawn_last(hidden)
        out = np.empty((*last.shape, horizon), dtype=np.int32)
        if self.pooled:
            self._pooled(out, last, levels=levels)
        else:
            self._by_county(out, last, levels=levels, hidden=hidden)
        panel = counts.panel
        warnings = counts.warnings
        n_months = panel.months.size
        # A pooled spread has many counties in each pair of months.
        needed = 1 if self.pooled else MIN_ERRORS
        longest, stretch = enough(n_months, horizon, needed=needed)
        if stretch > 1.0:
            warnings += (
                f"{n_months} months are too few for past changes over more than {longest}: those, "
                "widened by the square root of time, stand in",
            )
        return Forecast.from_panel(
            panel,
            cast("Floats", out.transpose(1, 0, 2)),
            locations=counts.locations,
            # Months behind counts of counties are not recovered: what is hidden hides them.
            known=np.full((len(counts.locations), 11), np.nan),
            target=TARGET_12MO,
            joint=frozenset({MONTH}),
            skipped=counts.skipped,
            warnings=warnings,
        )

    def _pooled(self, out: Whole, last: Whole, levels: Floats) -> None:
        roots = shown_roots(self.counts.known)
        last_root = np.sqrt(last)
        # Every county has the same levels, in another order: their quantiles are taken once.
        grid = np.sort(levels[0])
        rank = np.searchsorted(grid, levels)
        for h in range(1, out.shape[2] + 1):
            for longest in range(min(h, roots.shape[1] - 1), 0, -1):
                changes = roots[:, longest:] - roots[:, :-longest]
                changes = changes[~np.isnan(changes)]
                if changes.size:  # fit saw to it that there are some over one month
                    break
            error = np.sqrt(h / longest) * symmetric_quantiles(changes, grid)[rank]
            out[:, :, h - 1] = np.rint(np.maximum(last_root + error, 0.0) ** 2)

    def _by_county(
        self, out: Whole, last: Whole, levels: Floats, hidden: Whole
    ) -> None:
        counts = self.counts
        ever_hidden = counts.hidden.any(axis=1)
        losers = np.flatnonzero(counts.lost.any(axis=1))
        # A row for every history: one of a county always shown, nine of one that was hidden.
        n_rows = np.where(ever_hidden, HIDDEN.size, 1)
        county = np.repeat(np.arange(ever_hidden.size), n_rows)
        first = np.searchsorted(county, np.arange(ever_hidden.size))
        value = 1.0 + np.arange(county.size) - first[county]
        histories = np.where(
            counts.hidden[county], value[:, None], counts.known[county]
        )
        rows = first[:, None] + np.maximum(hidden - 1, 0)
        lost = {int(i): counts.drawn_history(int(i), hidden) for i in losers}
        every_draw = np.arange(levels.shape[1])
        for h in range(1, out.shape[2] + 1):
            longest, stretch = enough(histories.shape[1], h, needed=MIN_ERRORS)
            error = at_levels(sorted_changes(histories, longest), rows, levels=levels)
            for i, history in lost.items():
                changes = sorted_changes(history, longest)
                error[i] = at_levels(changes, every_draw, levels=levels[i])
            out[:, :, h - 1] = np.maximum(last + np.rint(stretch * error), 0.0)


@dataclass(frozen=True)
class CountyBaseline:
    """The last count and past changes: a county's own, or those of all counties pooled.

    >>> CountyBaseline("county-hub-baseline").spec.target
    'deaths_12mo'
    """

    name: str
    #: Whether all counties have one spread, that of the past changes of all.
    pooled: bool = False

    @property
    def spec(self) -> Spec:
        """What the model is."""
        # What a release lost is what the state's other counties leave: all of a state at once.
        return Spec(
            self.name,
            "1",
            by=None if self.pooled else "state",
            target=TARGET_12MO,
            joint=frozenset({MONTH}),
            min_months=MIN_MONTHS,
            dataset=COUNTIES,
        )

    def fit(self, panel: Panel) -> FittedCountyBaseline:
        """Bind to a panel."""
        counts = counts_of(panel, self.name)
        if self.pooled and np.isnan(np.diff(shown_roots(counts.known))).all():
            raise PanelError(
                f"{self.name} pools past changes of counties with {SHOWN} deaths and more, and "
                "no county has two such counts, one after the other",
                hint="take the whole panel, or county-hub-baseline",
            )
        return FittedCountyBaseline(counts, self.pooled)
