"""Pseudo-vintages: a later panel as it might have been known earlier.

What each kind holds is decided here and nowhere else:

====================  =========================  =============================================
layer                 clean, cut at month e      delayed, by a donor
====================  =========================  =============================================
reported              to e                       to e, less the donor's late arrivals
predicted             blank                      the donor's ratio to reported
pending, complete     blank                      the donor's percentages
deaths, all causes    to e - 12 months           the donor's ratio to reported, at e - 12 months
T40.4 beside it       to e                       none: the donor does not hold its late arrivals
triangle              none                       the donor's predecessors within three months
final_through         e                          calendar of annual files, that day; never after e
as-of date            publication calendar       end of e + the donor's age
====================  =========================  =============================================

**Deaths of all causes go with the donor.** A percentage pending is one of all deaths. What it
says of overdose deaths hangs on how many deaths there were for each of those: with 40 for each
in 2017 and 31 in 2022, the same percentage of the base's own deaths would tell of another number
of missing overdose deaths than the donor missed, and a rule for the delay would be scored on a
release that contradicts itself. So the deaths pending stand in the same ratio to the overdose
deaths as they did in the donor, and it does not matter whether the base has deaths of all causes.

**The calendar is that of the day.** Where the donor's last closed December lies as many months
back as that of the day, its tables are laid on as they are; else they are moved, by
:meth:`odforecast.panel.Donor.moved`; :meth:`~odforecast.panel.Donor.distance` says by how much.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from odforecast.errors import PanelError
from odforecast.geography import NATION, closed, whole_and_parts
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH, to_month
from odforecast.names import (
    ALL_DEATHS,
    ALL_DRUGS,
    VINTAGE_CLEAN,
    VINTAGE_DELAYED,
    VINTAGE_SYNTHETIC,
)
from odforecast.panel.donor import Donor
from odforecast.panel.layers import LAYERS, Floats
from odforecast.panel.triangle import Triangle
from odforecast.publication import publication_date

if TYPE_CHECKING:
    from odforecast.panel.panel import Panel

#: Predecessors of a donor this many months back are in the triangle.
PREDECESSORS = 3


def settled(panel: Panel, month: object) -> np.datetime64:
    """A month at which a panel may be cut: a younger count would pass for a final one."""
    if panel.donor:
        raise PanelError("a delayed panel cannot be cut", hint="cut the panel it was made from")
    last, until = to_month(month), panel.settled_through
    if until < last <= panel.last_month:
        raise PanelError(
            f"cannot cut at {last}: in release {panel.release}, counts after {until} are neither "
            "final nor 12 months old",
            hint=f"fit the panel as it is, or cut at {until} or earlier",
        )
    return last


def clean(panel: Panel, month: np.datetime64) -> Panel:
    """The panel up to ``month``, taken as complete to the end."""
    return _cut(panel, month, min(publication_date(month), panel.as_of), VINTAGE_CLEAN)


def delayed(panel: Panel, month: np.datetime64, donor: Donor) -> Panel:
    """The panel up to ``month``, as incomplete as the donor was."""
    if panel.indicator != ALL_DRUGS and panel.vintage != VINTAGE_SYNTHETIC:
        raise PanelError(
            f"no donor holds the late arrivals of {panel.indicator!r}",
            hint="delay all drugs, or cut the panel",
        )
    label = f"{donor.release}/{donor.data_hash}"
    base = _cut(panel, month, donor.released(month), VINTAGE_DELAYED)
    parts = [s for s in base.locations if s in donor.locations and s != NATION]
    if not parts:
        raise PanelError(f"the donor of {donor.release} has none of the panel's locations")
    triangle = _triangle(panel, month, donor, base)
    final = donor.final_at(month)
    donor = donor.moved(month)
    reported, predicted = _incomplete(base, donor), np.full(base.reported.shape, np.nan)
    pending, complete = predicted.copy(), predicted.copy()
    for i, state in enumerate(base.locations):
        row = donor.row(state)
        if row is None:
            continue
        n = min(donor.late.shape[1], base.months.size)
        recent = slice(base.months.size - n, base.months.size)
        predicted[i, recent] = reported[i, recent] * donor.ratio[row, :n][::-1]
        pending[i, recent] = donor.pending[row, :n][::-1]
        complete[i, recent] = donor.complete[row, :n][::-1]
    notes = base.notes
    # No donor has Puerto Rico: it is said once, whichever the donor.
    whole = [s for s in base.locations if s not in (*parts, NATION)]
    if "PR" in whole:
        notes += ("no release tells what arrives late of PR: complete there",)
    if whole := [s for s in whole if s != "PR"]:
        notes += (f"the donor of {donor.release} has no {', '.join(whole)}: complete there",)
    return replace(
        base,
        reported=reported,
        predicted=np.round(predicted),
        pending=pending,
        complete=complete,
        # A class has late arrivals of its own, which the donor does not hold.
        beside=_all_deaths(base, donor, reported[:, -1]),
        triangle=triangle,
        final_through=final,
        donor=label,
        notes=notes,
    )


def _all_deaths(base: Panel, donor: Donor, last: Floats) -> dict[str, Panel]:
    """Deaths of all causes in the donor's ratio to the last reported counts, a year before."""
    counts = np.full((len(base.locations), 1), np.nan)
    for i, state in enumerate(base.locations):
        row = donor.row(state)
        if row is not None:
            counts[i, 0] = np.round(donor.deaths[row] * last[i])
    if donor.row(NATION) is None:
        counts = closed(counts, base.locations)
    if np.isnan(counts).all():
        return {}
    month = np.array([base.last_month - 12 * ONE_MONTH])
    blank = np.full(counts.shape, np.nan)
    return {
        "all-deaths": type(base)(
            indicator=ALL_DEATHS,
            as_of=base.as_of,
            release=base.release,
            vintage=base.vintage,
            locations=base.locations,
            months=month,
            reported=counts,
            predicted=blank,
            complete=blank,
            pending=blank,
            dataset=base.dataset,
            basis=base.basis,
            final_through=month[0],
        )
    }


def _cut(panel: Panel, month: np.datetime64, as_of: dt.date, vintage: str) -> Panel:
    if not panel.months[0] <= month <= panel.months[-1]:
        raise PanelError(f"cannot cut at {month}: the panel has {panel.months[0]}.."
                         f"{panel.months[-1]}")  # fmt: skip
    if panel.vintage == VINTAGE_SYNTHETIC:
        vintage = VINTAGE_SYNTHETIC  # what is made up stays so, however it is cut
    stop = int((month - panel.months[0]).astype(int)) + 1
    layers = {name: getattr(panel, name)[:, :stop] for name in LAYERS}
    blank = np.full((len(panel.locations), stop), np.nan)
    layers |= dict.fromkeys(("predicted", "complete", "pending"), blank)
    beside = {}
    for name, other in panel.beside.items():
        last = month - 12 * ONE_MONTH if name == "all-deaths" else month
        if other.months[0] <= last:
            beside[name] = _cut(other, min(last, other.last_month), as_of, vintage)
    return replace(
        panel,
        as_of=as_of,
        vintage=vintage,
        months=panel.months[:stop],
        beside=beside,
        triangle=None,
        final_through=month,
        donor="",
        **layers,
    )


def _incomplete(base: Panel, donor: Donor) -> Floats:
    """Reported counts less the donor's late arrivals, month of death by month of death."""
    months = base.monthly.copy()
    for i, state in enumerate(base.locations):
        row = donor.row(state)
        if row is not None:
            n = min(donor.late.shape[1], months.shape[1])
            months[i, -n:] *= 1.0 - donor.late[row, :n][::-1]
    sums = rolling_sums(months)
    # Counts without recovered months stay as they are; whole deaths only.
    sums = np.where(np.isnan(sums), base.reported, np.round(sums))
    if NATION in base.locations and whole_and_parts(base.locations) is None:
        raise PanelError(
            "the US cannot be delayed: not all of its parts are in the panel",
            hint="delay the whole panel, and select from the forecast",
        )
    return closed(sums, base.locations)


def _triangle(panel: Panel, month: np.datetime64, donor: Donor, base: Panel) -> Triangle | None:
    """Counts that the donor's predecessors would have given, on the grid of ``base``."""
    releases, tables = [], []
    for earlier in sorted(donor.predecessors, key=lambda d: d.release):
        back = int(
            (np.datetime64(donor.release, "M") - np.datetime64(earlier.release, "M")).astype(int)
        )
        # Its last month is as many months before as it was, three in one release included.
        last = month - int((donor.last_month - earlier.last_month).astype(int)) * ONE_MONTH
        if not 1 <= back <= PREDECESSORS or last < panel.months[0]:
            continue
        seen = _cut(panel, last, base.as_of, VINTAGE_DELAYED)
        table = np.full(base.reported.shape, np.nan)
        table[:, : seen.months.size] = _incomplete(seen, earlier.moved(last))
        shift = donor.release - earlier.release
        releases.append(base.as_of - shift)
        tables.append(table)
    return Triangle(tuple(releases), np.stack(tables)) if releases else None
