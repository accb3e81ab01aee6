"""Donors: what the real releases whose counts have settled missed, month of death by month."""

from __future__ import annotations

import datetime as dt
import gzip
import io
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib import resources

import numpy as np
import pandas as pd

from odforecast.errors import ArchiveError, DataError, OdforecastError
from odforecast.geography import JURISDICTIONS, NATION
from odforecast.months import ONE_MONTH, month_end
from odforecast.panel import Donor, Floats, Panel
from odforecast.publication import SETTLED
from odforecast.vintage.archive import Archive

#: Months back that a donor tells of: the last twelve counts are made of 23 months, models ask of
#: the twelve before what was usual, and ``cdc-predicted`` of 25 predicted values and more.
BACK = 48
#: A donor's predecessors are at most this many months older.
PREDECESSORS = 3
#: Largest and smallest share of a month's count that is late; what is beyond is put to the month
#: before. A few months of one to five deaths need it.
MOST = 0.95
LEAST = -1.0
#: Counts before the late ones from which the recursion starts, months before the last.
_START = 36

SHIPPED = "donors.csv.gz"
QUANTITIES = ("late", "ratio", "pending", "complete")
#: Columns of the shipped table before those of the months back.
HEAD = ["release", "age", "final_back", "location", "quantity"]


def donors(archive: Archive, truth: Panel | None = None) -> tuple[Donor, ...]:
    """A donor for each real release whose counts have settled, oldest first.

    Parameters
    ----------
    truth : Panel, optional
        The settled counts; default: the newest release of the archive.

    Returns
    -------
    tuple of Donor
        With the releases up to three months older as predecessors. Which releases gave none,
        and why, says :func:`gathered`.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.vintage.donors import donors
    >>> donors(od.bundled())  # nothing of the older one has settled in the newer
    ()
    """
    return gathered(archive, truth)[0]


def gathered(
    archive: Archive, truth: Panel | None = None
) -> tuple[tuple[Donor, ...], dict[dt.date, str]]:
    """The donors of an archive, and the releases that gave none with the reason."""
    if truth is None:
        try:
            truth = archive.as_of().panel()
        except ArchiveError:  # it holds no release at all
            return (), {}
    left_out: dict[dt.date, str] = {}
    panels: dict[dt.date, Panel] = {}
    for date in archive.releases():
        if date >= truth.release:
            left_out[date] = (
                f"not older than the release that is the truth ({truth.release})"
            )
            continue
        try:
            panels[date] = archive.as_of(date).panel()
        except OdforecastError as error:
            left_out[date] = error.message
    left_out |= archive.copies({d: p.last_month for d, p in panels.items()})
    found: list[Donor] = []
    for date in sorted(panels.keys() - left_out.keys()):
        try:
            found.append(donor_of(panels[date], truth))
        except OdforecastError as error:
            left_out[date] = error.message
    return linked(found), left_out


def donor_of(panel: Panel, truth: Panel) -> Donor:
    """The donor that a release is, without predecessors."""
    last = panel.last_month
    old = int((np.datetime64(truth.release, "M") - last).astype(int))
    if old < SETTLED or not truth.months[0] <= last <= truth.last_month:
        raise DataError(
            f"its last month {last} has not settled in the release {truth.release}",
            hint=f"{SETTLED} months are needed, it is {old} months old there",
        )
    # The months that the shares are shares of are those a delayed panel takes the shares from:
    # recovered from the counts up to the last month. Months recovered from all counts differ by
    # a constant per calendar month, and the counts would not come back.
    settled = truth.cut(last)
    deficit, months, places = _aligned(panel, settled)
    rows = [panel.index(s) for s in places]
    return Donor(
        release=panel.release,
        locations=places,
        age=(panel.release - month_end(last)).days,
        late=_late(deficit, months),
        ratio=_recent(_over(panel.predicted[rows], panel.reported[rows])),
        pending=_recent(panel.pending[rows]),
        complete=_recent(panel.complete[rows]),
        final_back=max(int((last - panel.final_through).astype(int)), 0),
        deaths=_over(panel.all_deaths[rows], panel.reported[rows, -1]),
    )


def _aligned(panel: Panel, settled: Panel) -> tuple[Floats, Floats, tuple[str, ...]]:
    """What a release's counts lack of the settled ones, the settled months, and the places."""
    offset = int((panel.months[0] - settled.months[0]).astype(int))
    at = np.arange(settled.months.size) - offset
    deficits = []
    months = []
    places = []
    for state in (NATION, *JURISDICTIONS):
        if state not in panel.locations or state not in settled.locations:
            continue
        row = settled.index(state)
        counts = np.where(
            at < 0, np.nan, panel.reported[panel.index(state), np.maximum(at, 0)]
        )
        deficit = settled.reported[row] - counts
        known = np.flatnonzero(~np.isnan(deficit))
        if (
            not known.size
            or known[-1] < at.size - 1
            or np.isnan(settled.monthly[row]).any()
        ):
            continue
        between = np.arange(known[0], at.size)
        deficit[between] = np.interp(between, known, deficit[known])
        deficits.append(deficit)
        months.append(settled.monthly[row])
        places.append(state)
    if not set(places) - {NATION}:
        raise DataError(
            "no jurisdiction has a count of the last month in both releases"
        )
    return np.stack(deficits), np.stack(months), tuple(places)


def _late(deficit: Floats, months: Floats) -> Floats:
    """Shares of the months not yet in a release, shape (L, BACK), the last month first."""
    late = np.zeros_like(months)
    for out, lacks, deaths in zip(late, deficit, months):
        start = max(int(np.flatnonzero(~np.isnan(lacks))[0]), lacks.size - 1 - _START)
        year = deaths[start : start + 12]
        weight = year / year.sum() if year.sum() > 0 else np.full(12, 1 / 12)
        out[start : start + 12] = lacks[start] * weight
        for t in range(start + 1, lacks.size):
            out[t + 11] = lacks[t] - lacks[t - 1] + out[t - 1]
    return _shares(late, months)


def _shares(late: Floats, months: Floats) -> Floats:
    """Late deaths over the months' deaths, within limits, the last month first."""
    out = np.zeros((len(months), BACK))
    carried = np.zeros(len(months))
    for back in range(min(BACK, months.shape[1])):
        deaths = months[:, -1 - back]
        wanted = late[:, -1 - back] + carried
        kept = np.clip(wanted, LEAST * deaths, MOST * deaths)
        carried = wanted - kept
        np.divide(kept, deaths, out=out[:, back], where=deaths > 0)
    return out


def _recent(table: Floats) -> Floats:
    """The last counts' columns, the last first; NaN before the first."""
    last = table[:, : -BACK - 1 : -1]
    return np.pad(last, ((0, 0), (0, BACK - last.shape[1])), constant_values=np.nan)


def _over(above: Floats, below: Floats) -> Floats:
    """A ratio; NaN where either is not above 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((below > 0) & (above > 0), above / below, np.nan)


def linked(found: Iterable[Donor]) -> tuple[Donor, ...]:
    """Donors in order, each with those up to three months older as its predecessors."""
    bare = sorted((replace(d, predecessors=()) for d in found), key=lambda d: d.release)
    month = {d.release: np.datetime64(d.release, "M") for d in bare}
    out = []
    for each in bare:
        first = month[each.release] - PREDECESSORS * ONE_MONTH
        earlier = [d for d in bare if first <= month[d.release] < month[each.release]]
        out.append(replace(each, predecessors=tuple(earlier)))
    return tuple(out)


def available(archive: Archive | None = None) -> tuple[Donor, ...]:
    """Donors to draw from: those of the archive's own releases, and the shipped ones beneath.

    Parameters
    ----------
    archive : Archive, optional
        Without, the shipped ones.
    """
    own = () if archive is None else donors(archive)
    held = {d.last_month for d in own}
    return linked([*own, *(d for d in shipped() if d.last_month not in held)])


@cache
def shipped() -> tuple[Donor, ...]:
    """The donors that ship with the package.

    >>> sorted({d.era for d in shipped()})
    ['4.5', '6.5']
    """
    file = resources.files("odforecast.vintage") / "bundled" / SHIPPED
    return parsed(gzip.decompress(file.read_bytes()).decode())


def parsed(text: str) -> tuple[Donor, ...]:
    """The donors of a table: a line per release, location and quantity."""
    table = pd.read_csv(io.StringIO(text), comment="#", float_precision="round_trip")
    found = []
    for release, rows in table.groupby("release", sort=False):
        late, ratio, pending, complete, deaths = (
            np.ascontiguousarray(rows.loc[rows["quantity"] == name, "0":], dtype=float)
            for name in (*QUANTITIES, "deaths")
        )
        first = rows.iloc[0]
        found.append(
            Donor(
                release=dt.date.fromisoformat(str(release)),
                age=int(first["age"]),
                locations=tuple(rows["location"].unique()),
                final_back=int(first["final_back"]),
                deaths=deaths[:, 0].copy(),
                late=late,
                ratio=ratio,
                pending=pending,
                complete=complete,
            )
        )
    return linked(found)
