"""Pseudo-vintages: a later panel as it might have been known earlier.

What each kind holds is decided here and nowhere else:

====================  =========================  =============================================
layer                 clean, cut at month e      delayed, by a donor
====================  =========================  =============================================
reported              to e                       to e, less the donor's late arrivals
predicted             blank                      the donor's ratio to reported
pending, complete     blank                      the donor's percentages
deaths, all causes    to e - 12 months           to e - 12 months
triangle              none                       the donor's predecessors within three months
final_through         e                          the donor's, shifted
as-of date            publication calendar       end of e + the donor's age
====================  =========================  =============================================
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np

from odforecast.errors import PanelError
from odforecast.geography import NATION, closed, whole_and_parts
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH, month_end
from odforecast.names import VINTAGE_CLEAN, VINTAGE_DELAYED, VINTAGE_SYNTHETIC
from odforecast.panel.donor import Donor
from odforecast.panel.panel import LAYERS, Floats, Panel
from odforecast.panel.triangle import Triangle
from odforecast.publication import publication_date

#: Predecessors of a donor this many months back are in the triangle.
PREDECESSORS = 3


def clean(panel: Panel, month: np.datetime64) -> Panel:
    """The panel up to ``month``, complete to the end."""
    return _cut(panel, month, min(publication_date(month), panel.as_of), VINTAGE_CLEAN)


def delayed(panel: Panel, month: np.datetime64, donor: Donor) -> Panel:
    """The panel up to ``month``, as incomplete as the donor was."""
    as_of = month_end(month) + dt.timedelta(days=donor.age)
    base = _cut(panel, month, as_of, VINTAGE_DELAYED)
    parts = [s for s in base.locations if s in donor.locations]
    if not parts:
        raise PanelError(f"the donor of {donor.release} has none of the panel's locations")
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
    return replace(
        base,
        reported=reported,
        predicted=np.round(predicted),
        pending=pending,
        complete=complete,
        # A class has late arrivals of its own, which the donor does not hold.
        beside={k: p for k, p in base.beside.items() if k == "all-deaths"},
        triangle=_triangle(panel, month, donor, base),
        final_through=month - donor.final_back * ONE_MONTH,
        donor=f"{donor.release}/{donor.data_hash}",
    )


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
        last = month - back * ONE_MONTH
        if not 1 <= back <= PREDECESSORS or last < panel.months[0]:
            continue
        seen = _cut(panel, last, base.as_of, VINTAGE_DELAYED)
        table = np.full(base.reported.shape, np.nan)
        table[:, : seen.months.size] = _incomplete(seen, earlier)
        shift = donor.release - earlier.release
        releases.append(base.as_of - shift)
        tables.append(table)
    return Triangle(tuple(releases), np.stack(tables)) if releases else None
