"""Pseudo-vintages: a later panel as it might have been known earlier."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import PanelError, short
from odforecast.geography import NATION, closed, whole_and_parts
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH, month_end, to_month
from odforecast.names import (
    ALL_DEATHS,
    ALL_DRUGS,
    VINTAGE_CLEAN,
    VINTAGE_DELAYED,
    VINTAGE_SYNTHETIC,
)
from odforecast.panel.triangle import Floats, Triangle, fix_arrays, rows_for
from odforecast.publication import final_through, not_final, publication_date
from odforecast.seeds import content_hash

if TYPE_CHECKING:
    from odforecast.panel.panel import Panel

#: Predecessors of a donor this many months back are in the triangle.
PREDECESSORS = 3
#: Eras by how old the newest month was at release, in months: until January 2022, and since.
ERAS = ("6.5", "4.5")
#: Days from the end of a release's last month from which on it is one of the first era.
_SLOW = 168
#: Tables of a donor, by months back.
_TABLES = ("late", "ratio", "pending", "complete")
#: Layers that are blank in what is cut.
_BLANK = ("predicted", "complete", "pending")


def era_of(age: int) -> str:
    """Era of a release by the days from the end of its last month."""
    return ERAS[0] if age >= _SLOW else ERAS[1]


@dataclass(frozen=True, eq=False)
class Donor:
    """What one real release missed and what it said about itself, by months back.

    Attributes
    ----------
    release : datetime.date
        The release.
    locations : tuple of str
        CDC codes, length L. Of the US only what the release said about it is used: its counts are
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
            raise PanelError(
                f"late has shape {shape}, expected ({len(self.locations)}, A)"
            )
        fix_arrays(self, dict.fromkeys(_TABLES, shape) | {"deaths": shape[:1]})
        if not (np.isfinite(self.late) & (self.late < 1)).all():
            raise PanelError("late shares must be finite and below 1")
        if (self.deaths <= 0).any() or min(self.age, self.final_back) < 0:
            raise PanelError(
                "deaths must be above 0 or NaN, age and final_back not negative"
            )
        object.__setattr__(self, "predecessors", tuple(self.predecessors))

    @property
    def data_hash(self) -> str:
        """Hash of all the donor holds."""
        names = ("release", "locations", "age", "final_back", *_TABLES, "deaths")
        values = [getattr(self, name) for name in names]
        hashes = [donor.data_hash for donor in self.predecessors]
        return content_hash(*values, *hashes)

    @property
    def last_month(self) -> np.datetime64:
        """Last month of the release: the one whose end is nearest ``age`` days before it."""
        end = np.datetime64(self.release, "D") - np.timedelta64(self.age, "D")
        return np.datetime64(
            (end + np.timedelta64(15, "D")).astype("datetime64[M]") - ONE_MONTH
        )

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
        final_back = _between(self.final_at(month), month)
        if final_back == self.final_back:
            return self
        width = self.late.shape[1]
        position = np.arange(width)
        is_open = position < final_back
        open_column = np.minimum(position, max(self.final_back - 1, 0))
        column = np.where(is_open, open_column, self.final_back + position - final_back)
        inside = np.minimum(column, width - 1)
        tables = {name: getattr(self, name)[:, inside] for name in _TABLES}
        tables["late"] = np.where(column < width, tables["late"], 0.0)
        for name in ("ratio", "pending", "complete"):
            # Of twelve months each: what a month adds to the value at December goes with it.
            table = getattr(self, name)
            steps = -np.diff(table, axis=1, append=table[:, -1:])
            has_step = column[:final_back] < self.final_back
            additions = np.where(has_step, steps[:, inside[:final_back]], 0.0)
            change = np.cumsum(additions[:, ::-1], axis=1)[:, ::-1]
            december = tables[name][:, [min(final_back, width - 1)]]
            tables[name][:, :final_back] = december + change
        # What a closed year still loses goes by the time since its closing, and ends with the
        # final file; what still came in for it (a share above 0) does not grow with that time.
        before = not_final(self.release, self.last_month - self.final_back * ONE_MONTH)
        after = not_final(self.released(month), self.final_at(month))
        closed_late = tables["late"][:, ~is_open]
        if not after:
            closed_late = np.zeros(closed_late.shape)
        elif before:
            closed_late = np.where(
                closed_late < 0, closed_late * after / before, closed_late
            )
        tables["late"][:, ~is_open] = closed_late
        return replace(self, final_back=final_back, **tables)


def _laid(
    donor: Donor,
    table: str,
    locations: Sequence[str],
    n: int,
    fill: float = np.nan,
) -> Floats:
    """A donor's table on the last ``n`` months of other locations; ``fill`` where it has none."""
    values = getattr(donor, table)[:, :n][:, ::-1]
    wide = np.pad(values, ((0, 0), (n - values.shape[1], 0)), constant_values=fill)
    return rows_for(locations, donor.locations, values=wide, fill=fill)


def _between(earlier: object, later: object) -> int:
    """Months from one date to another."""
    return int((to_month(later) - to_month(earlier)).astype(int))


def settled(panel: Panel, month: object) -> np.datetime64:
    """A month at which a panel may be cut: a younger count would pass for a final one."""
    if panel.donor:
        raise PanelError(
            "a delayed panel cannot be cut", hint="cut the panel it was made from"
        )
    last = to_month(month)
    until = panel.settled_through
    if until < last <= panel.last_month:
        raise PanelError(
            f"cannot cut at {last}: in release {panel.release}, counts after {until} are neither "
            "final nor 12 months old",
            hint=f"fit the panel as it is, or cut at {until} or earlier",
        )
    return last


def clean(panel: Panel, month: np.datetime64) -> Panel:
    """The panel up to ``month``, taken as complete to the end."""
    return _cut(
        panel,
        month,
        as_of=min(publication_date(month), panel.as_of),
        vintage=VINTAGE_CLEAN,
    )


def delayed(panel: Panel, month: np.datetime64, donor: Donor) -> Panel:
    """The panel up to ``month``, as incomplete as the donor was."""
    if panel.indicator != ALL_DRUGS and panel.vintage != VINTAGE_SYNTHETIC:
        raise PanelError(
            f"no donor holds the late arrivals of {panel.indicator!r}",
            hint="delay all drugs, or cut the panel",
        )
    if not isinstance(donor, Donor):
        raise PanelError(
            f"donor is {short(donor)}, allowed: a Donor",
            hint="vintage.donors() has some",
        )
    label = f"{donor.release}/{donor.data_hash}"
    base = _cut(panel, month, as_of=donor.released(month), vintage=VINTAGE_DELAYED)
    parts = [s for s in base.locations if s in donor.locations and s != NATION]
    if not parts:
        raise PanelError(
            f"the donor of {donor.release} has none of the panel's locations"
        )
    triangle = _triangle(panel, month, donor=donor, base=base)
    final = donor.final_at(month)
    donor = donor.moved(month)
    reported = _incomplete(base, donor)
    notes = base.notes
    # No donor has Puerto Rico: it is said once, whichever the donor.
    missing = [place for place in base.locations if place not in (*parts, NATION)]
    if "PR" in missing:
        missing.remove("PR")
        notes += (
            "no release shows how late reports arrive in Puerto Rico: it is taken as complete",
        )
    if missing:
        notes += (
            f"the donor of {donor.release} has no {', '.join(missing)}: complete there",
        )
    n = base.months.size
    ratio = _laid(donor, "ratio", locations=base.locations, n=n)
    return replace(
        base,
        reported=reported,
        predicted=np.round(reported * ratio),
        pending=_laid(donor, "pending", locations=base.locations, n=n),
        complete=_laid(donor, "complete", locations=base.locations, n=n),
        # A class has late arrivals of its own, which the donor does not hold.
        beside=_all_deaths(base, donor, last=reported[:, -1]),
        triangle=triangle,
        final_through=final,
        donor=label,
        notes=notes,
    )


def _all_deaths(base: Panel, donor: Donor, last: Floats) -> dict[str, Panel]:
    """Deaths of all causes in the donor's ratio to the last reported counts, a year before."""
    ratio = rows_for(base.locations, donor.locations, values=donor.deaths)
    counts = np.round(ratio * last)[:, None]
    if NATION not in donor.locations:
        counts = closed(counts, base.locations)
    if np.isnan(counts).all():
        return {}
    month = np.array([base.last_month - 12 * ONE_MONTH])
    names = ("as_of", "release", "vintage", "locations", "dataset", "basis")
    values: dict[str, Any] = {name: getattr(base, name) for name in names}
    values |= dict.fromkeys(_BLANK, np.full(counts.shape, np.nan))
    values |= {"months": month, "reported": counts, "final_through": month[0]}
    return {"all-deaths": type(base)(indicator=ALL_DEATHS, **values)}


def _cut(panel: Panel, month: np.datetime64, as_of: dt.date, vintage: str) -> Panel:
    if not panel.months[0] <= month <= panel.months[-1]:
        span = f"{panel.months[0]}..{panel.months[-1]}"
        raise PanelError(f"cannot cut at {month}: the panel has {span}")
    if panel.vintage == VINTAGE_SYNTHETIC:
        vintage = VINTAGE_SYNTHETIC  # what is made up stays so, however it is cut
    stop = int((month - panel.months[0]).astype(int)) + 1
    layers = {
        name: getattr(panel, name)[:, :stop] for name in ("reported", "low", "high")
    }
    layers |= dict.fromkeys(_BLANK, np.full((len(panel.locations), stop), np.nan))
    class_panels = {}
    for name, class_panel in panel.beside.items():
        last = month - 12 * ONE_MONTH if name == "all-deaths" else month
        if class_panel.months[0] <= last:
            last = min(last, class_panel.last_month)
            class_panels[name] = _cut(class_panel, last, as_of=as_of, vintage=vintage)
    return replace(
        panel,
        as_of=as_of,
        vintage=vintage,
        months=panel.months[:stop],
        beside=class_panels,
        triangle=None,
        final_through=month,
        donor="",
        **layers,
    )


def _incomplete(base: Panel, donor: Donor) -> Floats:
    """Reported counts less the donor's late arrivals, month of death by month of death."""
    late = _laid(
        donor, "late", locations=base.locations, n=base.monthly.shape[1], fill=0.0
    )
    sums = rolling_sums(base.monthly * (1.0 - late))
    # Counts without recovered months stay as they are; whole deaths only.
    sums = np.where(np.isnan(sums), base.reported, np.round(sums))
    if NATION in base.locations and whole_and_parts(base.locations) is None:
        raise PanelError(
            "the US cannot be delayed: not all of its parts are in the panel",
            hint="delay the whole panel, and select from the forecast",
        )
    return closed(sums, base.locations)


def _triangle(
    panel: Panel, month: np.datetime64, donor: Donor, base: Panel
) -> Triangle | None:
    """Counts that the donor's predecessors would have given, on the grid of ``base``."""
    releases = []
    tables = []
    for earlier in sorted(donor.predecessors, key=lambda d: d.release):
        back = _between(earlier.release, donor.release)
        # Its last month is as many months before as it was, three in one release included.
        last = month - _between(earlier.last_month, donor.last_month) * ONE_MONTH
        if not 1 <= back <= PREDECESSORS or last < panel.months[0]:
            continue
        shorter = _cut(panel, last, as_of=base.as_of, vintage=VINTAGE_DELAYED)
        table = np.full(base.reported.shape, np.nan)
        table[:, : shorter.months.size] = _incomplete(shorter, earlier.moved(last))
        releases.append(base.as_of - (donor.release - earlier.release))
        tables.append(table)
    return Triangle(tuple(releases), np.stack(tables)) if releases else None
