"""A donor: how incomplete a real release was, to be laid on another month's counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import PanelError
from odforecast.months import ONE_MONTH, month_end
from odforecast.publication import final_through, not_final
from odforecast.seeds import content_hash

Floats = NDArray[np.float64]

_TABLES = ("late", "ratio", "pending", "complete")
#: Eras by how old the newest month was at release, in months: until January 2022, and since.
ERAS = ("6.5", "4.5")
#: Days from the end of a release's last month from which on it is one of the first era.
_SLOW = 168


def era_of(age: int) -> str:
    """Era of a release by the days from the end of its last month.

    Examples
    --------
    >>> era_of(197), era_of(134)
    ('6.5', '4.5')
    """
    return ERAS[0] if age >= _SLOW else ERAS[1]


@dataclass(frozen=True, eq=False)
class Donor:
    """What one real release missed and what it said about itself, by months back.

    Attributes
    ----------
    release : datetime.date
        The release.
    locations : tuple of str
        CDC codes, length L. Of the US only what the release said of it is used: its counts are
        the sum of its parts.
    age : int
        Days from the end of the release's last month to the release.
    late : ndarray, shape (L, A)
        Share of a month's settled deaths that was not yet in the release; the last month
        first. May be negative: closing a year's file removes deaths.
    ratio : ndarray, shape (L, A)
        CDC's predicted over reported 12-month-ending count, the last month first; NaN where
        there was none.
    pending, complete : ndarray, shape (L, A)
        CDC's percentages; NaN where there were none.
    final_back : int
        Months from the release's last month back to the last final one.
    deaths : ndarray, shape (L,), optional
        Deaths of all causes in a year, as they were known at the release, over the last
        reported 12-month-ending count; NaN where unknown. Default: unknown.
    predecessors : tuple of Donor
        Releases up to three months older, for the triangle of the delayed panel. Their own
        predecessors are not used.
    """

    release: dt.date
    locations: tuple[str, ...]
    age: int
    late: Floats
    ratio: Floats
    pending: Floats
    complete: Floats
    final_back: int
    predecessors: Sequence[Donor] = field(default=())
    deaths: Floats = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        shape = np.shape(self.late)
        if len(shape) != 2 or shape[0] != len(self.locations):
            raise PanelError(f"late has shape {shape}, expected ({len(self.locations)}, A)")
        unknown = np.full(shape[0], np.nan)
        for name in (*_TABLES, "deaths"):
            given = getattr(self, name)
            array = np.array(unknown if given is None else given, dtype=float)
            expected = shape[:1] if name == "deaths" else shape
            if array.shape != expected:
                raise PanelError(f"{name} has shape {array.shape}, expected {expected}")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if not np.isfinite(self.late).all() or (self.late >= 1).any():
            raise PanelError("late shares must be finite and below 1")
        if (self.deaths <= 0).any():
            raise PanelError("deaths of all causes over overdose deaths must be above 0, or NaN")
        if self.age < 0 or self.final_back < 0:
            raise PanelError(f"age and final_back are not negative, got {self.age}, "
                             f"{self.final_back}")  # fmt: skip
        object.__setattr__(self, "predecessors", tuple(self.predecessors))

    @property
    def data_hash(self) -> str:
        """Hash of all the donor holds."""
        return content_hash(
            self.release,
            self.locations,
            self.age,
            self.final_back,
            *(getattr(self, name) for name in _TABLES),
            self.deaths,
            *(p.data_hash for p in self.predecessors),
        )

    def row(self, location: str) -> int | None:
        """Row of a location; None where the donor has none."""
        return self.locations.index(location) if location in self.locations else None

    @property
    def last_month(self) -> np.datetime64:
        """Last month of the release: the one whose end is nearest ``age`` days before it."""
        end = np.datetime64(self.release, "D") - np.timedelta64(self.age, "D")
        return np.datetime64((end + np.timedelta64(15, "D")).astype("datetime64[M]") - ONE_MONTH)

    @property
    def era(self) -> str:
        """``"6.5"`` or ``"4.5"``: months from the end of the last month to the release."""
        return era_of(self.age)

    def released(self, month: np.datetime64) -> dt.date:
        """The day a release with this last month would have come out, as old as the donor."""
        return month_end(month) + dt.timedelta(days=self.age)

    def final_at(self, month: np.datetime64) -> np.datetime64:
        """Last final month of such a release, by the calendar of annual files."""
        return min(final_through(self.released(month)), np.datetime64(month, "M"))

    def distance(self, month: np.datetime64) -> int:
        """Months by which its last closed December is moved to stand where that month needs it."""
        return abs(self.final_back - _between(self.final_at(month), month))

    def moved(self, month: np.datetime64) -> Donor:
        """The donor as it stands at another last month, its December where the calendar has it.

        What a release misses hangs on what is still open: after the last closed December late
        records arrive, before it none will. So tables go by months since that December, not by
        row. With c months from the donor's last month back to it and e at ``month``, the months
        after December take the donor's columns from the newest on, its oldest open one for those
        it has not (e > c); those before take the columns from December on. Ratios and percentages
        are of twelve months each: they are moved by what each month adds to December's. Beyond
        the table nothing is late, and they stay at the oldest. What the closed year
        loses again goes by the time since its closing
        (:func:`odforecast.publication.not_final`). Equal c and e change nothing.
        """
        back = _between(self.final_at(month), month)
        if back == self.final_back:
            return self
        width = self.late.shape[1]
        at = np.arange(width)
        open_ = np.minimum(at, max(self.final_back - 1, 0))
        column = np.where(at < back, open_, self.final_back + at - back)
        inside = np.minimum(column, width - 1)
        tables = {name: getattr(self, name)[:, inside] for name in _TABLES}
        tables["late"] = np.where(column < width, tables["late"], 0.0)
        for name in ("ratio", "pending", "complete"):
            # Of twelve months each: what a month adds to the value at December goes with it.
            whole = getattr(self, name)
            steps = -np.diff(whole, axis=1, append=whole[:, -1:])
            added = np.where(column[:back] < self.final_back, steps[:, inside[:back]], 0.0)
            until = np.cumsum(added[:, ::-1], axis=1)[:, ::-1]
            tables[name][:, :back] = tables[name][:, [min(back, width - 1)]] + until
        # What a closed year still loses goes by the time since its closing, and ends with the
        # final file; what still came in for it (a share above 0) does not grow with that time.
        mine = not_final(self.release, self.last_month - self.final_back * ONE_MONTH)
        now = not_final(self.released(month), self.final_at(month))
        closed = tables["late"][:, at >= back]
        if not now:
            closed = np.zeros(closed.shape)
        elif mine:
            closed = np.where(closed < 0, closed * now / mine, closed)
        tables["late"][:, at >= back] = closed
        return replace(self, final_back=back, **tables)


def _between(earlier: np.datetime64, later: np.datetime64) -> int:
    return int((np.datetime64(later, "M") - np.datetime64(earlier, "M")).astype(int))
