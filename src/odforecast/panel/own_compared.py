"""A state's own counts beside CDC's: the months that both have, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import PanelError
from odforecast.geography import called
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH, Months

if TYPE_CHECKING:
    from odforecast.panel.own import Own
    from odforecast.panel.panel import Panel

Floats = NDArray[np.float64]

#: Months that both must have: the level is learned on 12-month sums.
LEAST_OVERLAP = 12
#: Own counts over CDC's beyond which they cannot be of the same deaths. Months for 12-month sums
#: give 12, thousands 1,000; definitions in use differ by a tenth, a class by a half.
WILD = 3.0
#: Own counts over CDC's that need no second look: definitions in use differ by a tenth.
USUAL = (0.7, 1.4)
#: A month this many times that of a year before is a slip, if it is more than a few deaths.
_SLIP, _FEW = 10.0, 30.0
#: New York without the city, and the city: a place of its own.
_NEW_YORK, _CITY = "NY", "YC"


def common(panel: Panel, own: Own, state: str) -> tuple[Months, Floats, Floats]:
    """Consecutive months that both have, with the state's and CDC's deaths, each of shape (n,)."""
    months, deaths, _ = own.of(state)
    at = (months - panel.month_grid[0]).astype(int)
    inside = (at >= 0) & (at < panel.month_grid.size)
    cdc = panel.monthly[panel.locations.index(state)][at[inside]]
    there = np.isfinite(cdc)
    found, mine, cdc = months[inside][there], deaths[inside][there], cdc[there]
    # Sums over 12 months need months without a gap: those after CDC's last one.
    gaps = np.flatnonzero(np.diff(found).astype(int) != 1)
    first = gaps[-1] + 1 if gaps.size else 0
    return found[first:], mine[first:], cdc[first:]


def check(panel: Panel, own: Own, state: str) -> None:
    """Refuse counts of a state that have gaps or cannot be compared with CDC's."""
    months, deaths, _ = own.of(state)
    name = called(state)
    gaps = np.flatnonzero(np.diff(months).astype(int) != 1)
    if gaps.size:
        after = months[gaps[0]]
        raise PanelError(
            f"own counts of {name} have a gap: {after + ONE_MONTH} is missing between {after} and "
            f"{months[gaps[0] + 1]}",
            hint="give every month from the first to the last",
        )
    both, mine, cdc = common(panel, own, state)
    if both.size < LEAST_OVERLAP:
        which = f" ({both[0]} to {both[-1]})" if both.size else ""
        raise PanelError(
            f"own counts of {name} ({months[0]} to {months[-1]}) share {both.size} months with "
            f"CDC's{which}; {LEAST_OVERLAP} are needed to learn how the two compare",
            hint=f"add earlier months of the same definition, up to {panel.last_month}",
        )
    ours, theirs = float(rolling_sums(mine)[-1]), float(rolling_sums(cdc)[-1])
    ratio = ours / theirs if theirs > 0 else np.inf if ours else 1.0
    if not 1.0 / WILD < ratio < WILD:
        often = f"{ratio:,.2g} times CDC's"
        raise PanelError(
            f"own counts of {name} add up to {ours:,.0f} in the 12 months to {both[-1]}, where CDC "
            f"has {theirs:,.0f}: {often}",
            hint="are these 12-month counts given as months?"
            if ratio > 1
            else "are they of the same deaths, and of the whole state?",
        )
    _without_the_city(panel, state, both, ours, theirs)
    _slips(name, months, deaths)


def _without_the_city(panel: Panel, state: str, both: Months, ours: float, theirs: float) -> None:
    """Refuse New York's counts that hold the city, which is a place of its own in CDC's table."""
    if state != _NEW_YORK or _CITY not in panel.locations:
        return
    city = panel.monthly[panel.locations.index(_CITY)]
    at = (both[-12:] - panel.month_grid[0]).astype(int)
    whole = theirs + float(city[at].sum())
    # Nearer to the two together than to the state without the city.
    if ours**2 > whole * theirs:
        raise PanelError(
            f"own counts of {called(state)} add up to {ours:,.0f} in the 12 months to {both[-1]}, "
            f"where CDC has {theirs:,.0f} without the city and {whole:,.0f} with it",
            hint="CDC counts New York City apart: give the rest of the state as NY, and the city "
            "as NYC",
        )


def _slips(name: str, months: Months, deaths: Floats) -> None:
    """Refuse a month that is ten times, or a tenth of, what a place usually has."""
    before, now = deaths[:-12], deaths[12:]
    high = (now > _SLIP * before) & (now - before > _FEW)
    low = (before > _SLIP * now) & (before - now > _FEW)
    low[_end_of(low) :] = False
    if (high | low).any():
        i = int(np.flatnonzero(high | low)[0])
        raise PanelError(
            f"own counts of {name}: {now[i]:,.0f} deaths in {months[12 + i]} and {before[i]:,.0f} "
            f"in {months[i]}, a year before",
            hint="correct the month that is wrong",
        )
    # Of few months none may have a year before: the months about each, half a year either way.
    usual = np.array([np.median(deaths[max(i - 6, 0) : i + 7]) for i in range(deaths.size)])
    high = (deaths > _SLIP * usual) & (deaths - usual > _FEW)
    low = (usual > _SLIP * deaths) & (usual - deaths > _FEW)
    low[_end_of(low) :] = False
    if (high | low).any():
        i = int(np.flatnonzero(high | low)[0])
        raise PanelError(
            f"own counts of {name}: {deaths[i]:,.0f} deaths in {months[i]}, and about "
            f"{usual[i]:,.0f} in a month of those about it",
            hint="correct the month that is wrong",
        )


def _end_of(low: NDArray[np.bool_]) -> int:
    """Where the last months begin that may have hardly begun to come in."""
    usual = np.flatnonzero(~low)
    return int(usual[-1]) + 1 if usual.size else 0
