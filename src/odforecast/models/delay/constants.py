"""The constants of a panel's delay: a dated set that ships, refined by the archive's own releases.

``make constants`` writes the dated sets, and each again without one release. A panel takes the
newest that was known on its day, without its own or its donor's release.

A panel carries what earlier releases said of themselves (:class:`odforecast.panel.Triangle`). Those
whose counts have settled since tell how much of what was pending arrived, as the releases behind
the dated sets do: the same estimate is made again from the releases of the dated set and these.
What the own releases missed is read off the panel itself, so it was published by the panel's day;
what those that ship missed was measured on the newest bundled release. Without such a
release the dated set is taken as it ships, digit by digit.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import PanelError
from odforecast.geography import JURISDICTIONS
from odforecast.models.constants import read_rows
from odforecast.models.delay.deficit import EARLY, NAMES, open_months, seen_in
from odforecast.models.delay.deficit import Delays as Delays
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DEATHS, ALL_DRUGS, STATES, VINTAGE_REAL
from odforecast.panel import Panel
from odforecast.publication import SETTLED, final_through, not_final
from odforecast.say import number_of
from odforecast.seeds import content_hash

if TYPE_CHECKING:
    from odforecast.models.delay.estimate import Seen

#: A last count that settled at more than this many times itself, or so few parts of it, is no
#: release's: a file of another unit, or of other places.
FAR = 3.0
#: Counts below this may be as far.
SMALL = 100.0
#: Estimates that a process keeps.
_MOST = 64


@cache
def all_delays() -> dict[tuple[dt.date, str], Delays]:
    """Every set that ships, by cut-off and release left out."""
    text = resources.files("odforecast.models.delay").joinpath("delay.csv").read_text("utf-8")
    sets: dict[tuple[dt.date, str], dict[str, float]] = {}
    for row in read_rows(text):
        key = (dt.date.fromisoformat(row["cutoff"]), row["without"])
        sets.setdefault(key, {})[row["name"]] = float(row["value"])
    return {key: Delays(**values) for key, values in sets.items()}


def dated_key(panel: Panel) -> tuple[dt.date, str]:
    """Cut-off of the newest set that was known on the panel's day, and the release to leave out:
    its own or its donor's. Before the first cut-off, the first is taken.
    """
    cutoffs = sorted({cutoff for cutoff, _ in all_delays()})
    known = [c for c in cutoffs if c <= panel.as_of] or cutoffs[:1]
    return known[-1], panel.donor.partition("/")[0] or panel.release.isoformat()


def dated_set(panel: Panel) -> Delays:
    """The newest set that was known on a panel's day, without its own or its donor's release."""
    sets = all_delays()
    cutoff, without = dated_key(panel)
    return sets.get((cutoff, without), sets[cutoff, ""])


@dataclass(frozen=True)
class Learned:
    """Constants of the delay, and what they rest on beside the dated set.

    Attributes
    ----------
    constants : Delays
    shipped : int
        Releases that ship, of those that they were estimated from.
    own : tuple of str
        Release dates of the archive's own, oldest first.
    left_out : dict of str to str
        Release date to why it could not be used.
    """

    constants: Delays
    shipped: int = 0
    own: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)

    def said(self) -> str:
        """One line; empty where the archive holds no further release that has settled."""
        said = []
        if self.own:
            span = " to ".join(dict.fromkeys((self.own[0], self.own[-1])))
            ships = f"{self.shipped} releases that ship"
            said.append(f"delay learned from {ships} and {len(self.own)} of this archive, {span}")
        said += [f"delay not learned from {day}: {why}" for day, why in self.left_out.items()]
        return "; ".join(said)


_kept: OrderedDict[str, Learned] = OrderedDict()


def learned_delays(panel: Panel) -> Learned:
    """A panel's constants, and what they rest on.

    The same for the same content, whatever the order in which releases came to the archive.
    """
    dated = dated_set(panel)
    further = further_releases(panel)
    if not further:
        return Learned(dated)
    assert panel.triangle is not None
    cutoff, without = dated_key(panel)
    chosen = [layer[list(further)] for layer in panel.triangle.layers.values()]
    dates = [panel.triangle.releases[i] for i in further]
    key = content_hash(
        (cutoff, without), panel.locations, panel.months, panel.reported, dates, *chosen
    )
    if (held := _kept.get(key)) is not None:
        return held
    from odforecast.models.delay.estimate import Seen, estimate, known_by, shipped_seen

    own, left_out = [], {}
    for date, found in _told(panel, further):
        if isinstance(found, Seen):
            own.append(found)
        else:
            left_out[date] = found
    made = Learned(dated, left_out=left_out)
    if own:
        ships = [s for s in known_by(cutoff, shipped_seen()) if s.release != without]
        constants, _ = estimate(sorted((*ships, *own), key=lambda s: s.release))
        made = Learned(constants, len(ships), tuple(s.release for s in own), left_out)
    _kept[key] = made
    while len(_kept) > _MOST:
        _kept.popitem(last=False)
    return made


def delays_for(panel: Panel) -> Delays:
    """A panel's constants: :func:`learned_delays` says what they rest on.

    Examples
    --------
    >>> import odforecast as od
    >>> delays_for(od.bundled().as_of().panel()).kappa
    0.475
    """
    return learned_delays(panel).constants


def said_of(panel: Panel) -> str:
    """What a panel's own constants rest on beside the dated set, in one line; else empty.

    For fitted models: each says it (``delay_said``) of the panel whose constants it took.
    """
    return learned_delays(panel).said()


def source_of(panel: Panel) -> str:
    """Where a panel's constants are from, in a few words."""
    cutoff, without = dated_key(panel)
    source = f"constants of {cutoff}"
    if (cutoff, without) in all_delays():
        source += f", without {without}"
    if own := learned_delays(panel).own:
        source += f", and {number_of(len(own), 'release')} of the archive"
    return source


def described_delays(panel: Panel) -> list[tuple[str, float, str]]:
    """The constants of the delay and where they are from, for a table."""
    constants, source = delays_for(panel), source_of(panel)
    return [(f"delay {name}", getattr(constants, name), source) for name in NAMES]


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
    from odforecast.models.delay.estimate import known_by, shipped_seen

    taken = {s.release[:7] for s in known_by(dated_key(panel)[0], shipped_seen())}
    dates = panel.triangle.releases
    return tuple(i for i in settled if dates[i].isoformat()[:7] not in taken)


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
            yield date.isoformat(), seen_since(panel, i)
        except PanelError as error:
            yield date.isoformat(), error.message


def seen_since(panel: Panel, i: int) -> Seen:
    """What one of the triangle's releases turned out to miss, by the panel's own counts.

    Raises
    ------
    PanelError
        If the release is not whole, says nothing of records pending, or is no release of these
        places.
    """
    from odforecast.models.delay.estimate import seen

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
