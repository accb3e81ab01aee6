"""The delay's constants, refined by the releases of the user's own archive.

A panel carries what earlier releases said of themselves (:class:`odforecast.panel.Triangle`). Those
whose counts have settled since tell how much of what was pending arrived, as the releases behind
the dated sets do: the same estimate is made again from the releases of the dated set and these.
What the own releases missed is read off the panel itself, so it was published by the panel's day;
what those that ship missed was measured on the newest bundled release. Without such a
release the dated set is taken as it ships, digit by digit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from odforecast.errors import PanelError
from odforecast.geography import JURISDICTIONS
from odforecast.models.delay.dated import Delays, dated_key, dated_set
from odforecast.models.delay.deficit import EARLY, open_months, seen_in
from odforecast.models.delay.estimate import Seen, estimate, seen
from odforecast.models.delay.shipped import SETTLED, known_by, shipped_seen
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DEATHS, ALL_DRUGS, STATES, VINTAGE_REAL
from odforecast.panel import Panel
from odforecast.publication import final_through, not_final
from odforecast.seeds import content_hash

#: A last count that settled at more than this many times itself, or so few parts of it, is no
#: release's: a file of another unit, or of other places.
FAR = 3.0
#: Counts below this may be as far.
SMALL = 100.0
#: Estimates that a process keeps.
_MOST = 64


@dataclass(frozen=True)
class Learned:
    """Constants of the delay, and what they rest on beside the dated set.

    Attributes
    ----------
    constants : Delays
    shipped : int
        Releases that ship.
    own : tuple of str
        Release dates of the archive's own, oldest first.
    left_out : dict of str to str
        Release date to why it could not be used.
    """

    constants: Delays
    shipped: int
    own: tuple[str, ...]
    left_out: dict[str, str]

    def said(self) -> str:
        """One line; empty where the archive holds no further release that has settled.

        Examples
        --------
        >>> from odforecast.models.delay.dated import all_delays
        >>> constants = next(iter(all_delays().values()))
        >>> Learned(constants, 16, ("2025-10-15", "2026-02-11"), {}).said()
        'delay learned from 16 releases that ship and 2 of this archive, 2025-10-15 to 2026-02-11'
        """
        said = []
        if self.own:
            span = " to ".join(dict.fromkeys((self.own[0], self.own[-1])))
            ships = f"{self.shipped} releases that ship"
            said.append(f"delay learned from {ships} and {len(self.own)} of this archive, {span}")
        said += [f"delay not learned from {day}: {why}" for day, why in self.left_out.items()]
        return "; ".join(said)


def settled_releases(panel: Panel) -> tuple[int, ...]:
    """Places in a panel's triangle of the releases whose last counts have settled.

    Only releases that a vintage read with what they said of themselves, of all drugs. Settled is a
    count of twelve months ago; but while the year that closed last still holds what its final file
    will drop (November to January), none of its months: they would teach too much.
    """
    triangle = panel.triangle
    if (
        triangle is None
        or triangle.pending is None
        or panel.indicator != ALL_DRUGS
        or panel.dataset != STATES
    ):
        return ()
    day, today = min(panel.as_of, panel.release), seen_in(panel)
    until = np.datetime64(today - SETTLED * ONE_MONTH, "M")
    if not_final(today, panel.final_through) > EARLY:
        until = min(until, np.datetime64(panel.final_through - 12 * ONE_MONTH, "M"))
    known = np.isfinite(triangle.reported).any(axis=1)
    out = []
    for i, release in enumerate(triangle.releases):
        columns = np.flatnonzero(known[i])
        if columns.size and release < day and panel.months[columns[-1]] <= until:
            out.append(i)
    return tuple(out)


def further_releases(panel: Panel) -> tuple[int, ...]:
    """Of those, the ones that the panel's dated set does not rest on. CDC has one a month."""
    settled = settled_releases(panel)
    if not settled or panel.triangle is None:
        return ()
    cutoff, _ = dated_key(panel)
    taken = {s.release[:7] for s in known_by(cutoff, shipped_seen())}
    dates = panel.triangle.releases
    return tuple(i for i in settled if dates[i].isoformat()[:7] not in taken)


def learned(panel: Panel) -> Learned:
    """Constants for a panel, by the dated set and the settled releases in its triangle.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    Learned
        The same for the same content, whatever the order in which releases came to the archive.
    """
    cutoff, without = dated_key(panel)
    dated = dated_set(panel)
    ships = tuple(s for s in known_by(cutoff, shipped_seen()) if s.release != without)
    further = further_releases(panel)
    if not further:
        return Learned(dated, len(ships), (), {})
    key = _key(panel, further)
    if (held := _kept.get(key)) is not None:
        return held
    own, left_out = [], {}
    for date, found in _told(panel, further):
        if isinstance(found, Seen):
            own.append(found)
        else:
            left_out[date] = found
    if own:
        constants, _ = estimate(sorted((*ships, *own), key=lambda s: s.release))
        made = Learned(constants, len(ships), tuple(s.release for s in own), left_out)
    else:
        made = Learned(dated, len(ships), (), left_out)
    _kept[key] = made
    while len(_kept) > _MOST:
        _kept.popitem(last=False)
    return made


_kept: OrderedDict[str, Learned] = OrderedDict()


def _key(panel: Panel, further: tuple[int, ...]) -> str:
    """Hash of all that the estimate depends on."""
    assert panel.triangle is not None
    chosen = [layer[list(further)] for layer in panel.triangle.layers.values()]
    dates = [panel.triangle.releases[i] for i in further]
    return content_hash(
        dated_key(panel), panel.locations, panel.months, panel.reported, dates, *chosen
    )


def _told(panel: Panel, further: tuple[int, ...]) -> Iterator[tuple[str, Seen | str]]:
    """Release date, and what it turned out to miss or why that cannot be said."""
    assert panel.triangle is not None
    dates = panel.triangle.releases
    # A day that was guessed makes two of one release: they would count twice.
    last_of = {dates[i].isoformat()[:7]: dates[i] for i in further}
    for i in further:
        date = dates[i]
        if (last := last_of[date.isoformat()[:7]]) != date:
            yield date.isoformat(), f"that of {last} stands for the month"
            continue
        try:
            yield date.isoformat(), _seen(panel, i)
        except PanelError as error:
            yield date.isoformat(), error.message


def _seen(panel: Panel, i: int) -> Seen:
    """What one of the triangle's releases turned out to miss, by the panel's own counts.

    Raises
    ------
    PanelError
        If the release is not whole, says nothing of records pending, or is no release of these
        places.
    """
    release = as_released(panel, i)
    found = seen(release, panel)
    if found is None:
        absent = [s for s in JURISDICTIONS if s not in panel.locations]
        if absent:
            raise PanelError(f"the panel has no {absent[0]}")
        final = open_months(release) == 0
        raise PanelError("all its counts were final" if final else "it has too few months")
    stop = release.months.size
    recent = slice(max(stop - found.n_open - 13, 0), stop)
    rows = [panel.locations.index(s) for s in JURISDICTIONS]
    for which, counts in (("it", release.reported), ("the panel", panel.reported)):
        gap = np.isnan(counts[rows, recent]).any(axis=1)
        if gap.any():
            state = JURISDICTIONS[int(np.flatnonzero(gap)[0])]
            raise PanelError(f"{which} lacks a count of {state} among its last months")
    told = np.isfinite(found.pending).all(axis=1)
    if not told.all():
        state = JURISDICTIONS[int(np.flatnonzero(~told)[0])]
        raise PanelError(f"it does not say how many records of {state} are pending")
    month = min(found.n_open, 12)
    if not np.isfinite(found.months[:, :month]).all():
        raise PanelError("months of the panel cannot be recovered")
    settled = panel.reported[rows, stop - 1]
    size = np.maximum(found.last, SMALL)
    far = (settled > FAR * size) | (size > FAR * np.maximum(settled, SMALL))
    if far.any():
        k = int(np.flatnonzero(far)[0])
        raise PanelError(
            f"{JURISDICTIONS[k]} has {found.last[k]:,.0f} deaths in it, and {settled[k]:,.0f} now"
        )
    if not found.pending[:, 0].any():
        raise PanelError("it says that nothing is pending")
    return found


def as_released(panel: Panel, i: int) -> Panel:
    """A release of the panel's triangle as a panel of its own day, on the same places."""
    triangle = panel.triangle
    assert triangle is not None
    assert triangle.pending is not None
    assert triangle.predicted is not None
    assert triangle.all_deaths is not None
    date = triangle.releases[i]
    known = np.isfinite(triangle.reported[i]).any(axis=0)
    stop = int(np.flatnonzero(known)[-1]) + 1

    def made(indicator: str, first: int, final: np.datetime64, **layers: Any) -> Panel:
        blank = np.full((len(panel.locations), stop - first), np.nan)
        return Panel(
            indicator=indicator,
            as_of=date,
            release=date,
            vintage=VINTAGE_REAL,
            locations=panel.locations,
            months=panel.months[first:stop],
            final_through=final,
            **{"predicted": blank, "complete": blank, "pending": blank, **layers},
        )

    # A percentage is one of all deaths: they stand at one month, as final.
    everyone = triangle.all_deaths[i][:, None]
    whole = made(ALL_DEATHS, stop - 1, panel.months[stop - 1], reported=everyone)
    own = made(
        panel.indicator,
        0,
        final_through(date),
        reported=triangle.reported[i][:, :stop],
        predicted=triangle.predicted[i][:, :stop],
        pending=triangle.pending[i][:, :stop],
    )
    return replace(own, beside={"all-deaths": whole})
