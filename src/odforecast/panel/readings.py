"""What a model reads off a panel: the months behind its sums, and which places can be used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import DataError, PanelError
from odforecast.geography import absent, code_of, population
from odforecast.monthly.sums import recover_months
from odforecast.months import ONE_MONTH, Months
from odforecast.names import COUNTIES
from odforecast.panel.layers import Floats
from odforecast.publication import SETTLED

if TYPE_CHECKING:
    from odforecast.panel.panel import Panel


class Readings:
    """Numbers of a panel, as arrays; the fields are those of :class:`~odforecast.Panel`."""

    as_of: dt.date
    release: dt.date
    final_through: np.datetime64
    locations: tuple[str, ...]
    months: Months
    reported: Floats
    high: Floats
    dataset: str
    beside: Mapping[str, Panel]
    problems: Mapping[str, str]
    residents: Mapping[str, float]

    @property
    def last_month(self) -> np.datetime64:
        """Last month with a reported count anywhere."""
        return np.datetime64(self.months[-1], "M")

    @property
    def settled_through(self) -> np.datetime64:
        """Last month whose count is final, or at least 12 months old where the panel is seen."""
        seen = np.datetime64(min(self.as_of, self.release), "M")
        settled = max(seen - SETTLED * ONE_MONTH, self.final_through)
        return np.datetime64(min(settled, self.last_month), "M")

    @property
    def month_grid(self) -> Months:
        """Months behind the sums, shape (T + 11,): starts 11 before ``months``."""
        return np.arange(self.months[0] - 11 * ONE_MONTH, self.months[-1] + ONE_MONTH)

    @cached_property
    def _recovered(self) -> tuple[Floats, dict[str, str]]:
        problems = dict(self.problems)
        sums = self.reported.copy()
        # A suppressed count is 1 to 9, not something smooth: months are those after the last one.
        for row, hidden in enumerate(self.hidden):
            if hidden.any():
                sums[row, : int(np.flatnonzero(hidden)[-1]) + 1] = np.nan
        try:
            months = recover_months(sums)
        except DataError:
            rows = []
            for state, one in zip(self.locations, sums):
                try:
                    rows.append(recover_months(one[None])[0])
                except DataError as error:
                    problems[state] = error.message
                    rows.append(np.full(one.size + 11, np.nan))
            months = np.stack(rows)
        months.flags.writeable = False
        return months, problems

    @property
    def hidden(self) -> NDArray[np.bool_]:
        """Whether a count was suppressed, shape (L, T)."""
        return np.isnan(self.reported) & np.isfinite(self.high)

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Whether a release lost a count of 1,000 and more, shape (L, T)."""
        return np.isnan(self.reported) & np.isposinf(self.high)

    @property
    def monthly(self) -> Floats:
        """Monthly deaths behind the reported sums, shape (L, T + 11), on :attr:`month_grid`.

        Exact up to one additive constant per calendar month; see
        :mod:`odforecast.monthly.sums`. NaN up to the last suppressed count of a row.
        """
        return self._recovered[0]

    @cached_property
    def all_deaths(self) -> Floats:
        """Deaths from all causes in a year, shape (L,): what a percentage of records pending is
        a percentage of; NaN where unknown.

        The newest count of ``beside["all-deaths"]`` where its counts are final, else the newest
        that is at least 12 months old: by then all records are in, if not all causes.
        """
        out = np.full(len(self.locations), np.nan)
        whole = self.beside.get("all-deaths")
        if whole is None:
            return out
        until = whole.last_month
        if whole.final_through < until:
            until = np.datetime64(until - 12 * ONE_MONTH, "M")
        counts = whole.reported[:, whole.months <= until]
        for i, state in enumerate(self.locations):
            if state in whole.locations:
                row = counts[whole.locations.index(state)]
                known = row[~np.isnan(row)]
                out[i] = known[-1] if known.size else np.nan
        out.flags.writeable = False
        return out

    def usable(self, min_months: int = 24) -> tuple[tuple[str, ...], dict[str, str]]:
        """Locations a model can use, and why the others cannot be used.

        A usable location has a reported count in the last month and at least ``min_months``
        months without a gap before it.

        Returns
        -------
        usable : tuple of str
        skipped : dict of str to str
            Location to reason.
        """
        months, problems = self._recovered
        skipped: dict[str, str] = {}
        good: list[str] = []
        for i, (state, row) in enumerate(zip(self.locations, months)):
            gaps = np.flatnonzero(np.isnan(row))
            length = row.size if gaps.size == 0 else row.size - 1 - int(gaps[-1])
            if state in problems:
                skipped[state] = problems[state]
            elif self.hidden[i, -1]:
                skipped[state] = f"the count of the last month ({self.last_month}) is suppressed"
            elif length == 0:
                skipped[state] = f"no reported count in the last month ({self.last_month})"
            elif length < min_months:
                why = " since a suppressed count" if self.hidden[i].any() else ""
                skipped[state] = f"only {length} months up to {self.last_month}{why}"
            else:
                good.append(state)
        return tuple(good), skipped

    def index(self, location: str) -> int:
        """Row of a location, given by any of its names.

        Raises
        ------
        PanelError
            If the panel does not hold it.
        """
        code = location if location in self.locations else code_of(location)
        absent([code], self.locations, "the panel", PanelError)
        return self.locations.index(code)

    def populations(self) -> Floats:
        """Residents on July 1 of each month's year, shape (L, T); NaN for NY and YC, whose
        denominators do not match CDC's split (see :func:`odforecast.geography.population`).
        Of counties: :attr:`residents`, the same in every month.
        """
        if self.dataset == COUNTIES:
            people = [self.residents.get(s, np.nan) for s in self.locations]
            return np.repeat(np.array(people, dtype=float)[:, None], self.months.size, axis=1)
        years = self.months.astype("datetime64[Y]").astype(int) + 1970
        return np.array([[population(s, int(y)) for y in years] for s in self.locations])
