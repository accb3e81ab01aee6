"""The zoo of counties: small states whose counts are hidden, lost and missing; no file is read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from odforecast.geography.places import by_fips, counties_of
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DRUGS, COUNTIES, RESIDENCE, STATES, VINTAGE_SYNTHETIC
from odforecast.panel import Panel
from odforecast.publication import publication_date
from odforecast.seeds import seed_from
from odforecast.testing.zoo import LAST, ORDINARY, nation, rows, shortened

#: Few counties each: three, five, one and ten.
PLACES = ("DE", "RI", "DC", "NH")
N_SUMS = 30


def county_zoo() -> dict[str, Panel]:
    """All panels of counties by name, the ordinary one first."""
    whole = ordinary()
    first = whole.locations[0]
    return {
        ORDINARY: whole,
        "clean": replace(whole, final_through=LAST),
        "one-county-state": rows(whole, [c.fips for c in counties_of("DC")]),
        "one-state": rows(whole, [c.fips for c in counties_of("RI")]),
        "all-hidden": _hidden(whole, "NH"),
        "no-deaths": _counted(whole, "NH", 0.0),
        "never-seen": _unknown(whole, first, slice(None), 1000.0, np.inf),
        "missing": _unknown(whole, first, slice(None), np.nan, np.nan),
        "gap": _unknown(whole, first, slice(10, 12), np.nan, np.nan),
        "with-people": replace(
            whole, residents={s: 1e5 * (1 + i) for i, s in enumerate(whole.locations)}
        ),
        "without-urban": replace(whole, urban={}),
        "states-end-earlier": replace(
            whole, beside={STATES: whole.beside[STATES].cut(LAST - 2 * ONE_MONTH)}
        ),
        "short": shortened(whole, 13),
        "very-short": shortened(whole, 3),
    }


def ordinary() -> Panel:
    """Counties of four states as a release would be: hidden counts, a lost one, not final."""
    states = nation()
    places = [c for state in PLACES for c in counties_of(state)]
    places.sort(key=lambda c: c.fips)
    sums = np.empty((len(places), N_SUMS))
    urban = {}
    for i, county in enumerate(places):
        rng = np.random.default_rng(seed_from("zoo", "county", county.fips))
        group = counties_of(county.state)
        share = np.exp(-0.9 * group.index(by_fips()[county.fips]))
        whole = sum(np.exp(-0.9 * k) for k in range(len(group)))
        months = states.monthly[states.index(county.state), -(N_SUMS + 11) :]
        sums[i] = rolling_sums(rng.poisson(np.maximum(months, 0.0) * share / whole))
        urban[county.fips] = str(min(2 + group.index(by_fips()[county.fips]), 6))
    low, high, reported = sums.copy(), sums.copy(), sums.copy()
    few = (sums >= 1) & (sums <= 9)
    reported[few], low[few], high[few] = np.nan, 1.0, 9.0
    lost = sums >= 1000
    reported[lost], low[lost], high[lost] = np.nan, 1000.0, np.inf
    empty = np.full(sums.shape, np.nan)
    return Panel(
        indicator=ALL_DRUGS,
        as_of=publication_date(LAST),
        release=publication_date(LAST),
        vintage=VINTAGE_SYNTHETIC,
        locations=tuple(c.fips for c in places),
        months=LAST - np.arange(N_SUMS)[::-1] * ONE_MONTH,
        reported=reported,
        predicted=empty,
        complete=empty,
        pending=empty,
        low=low,
        high=high,
        dataset=COUNTIES,
        basis=RESIDENCE,
        beside={STATES: states},
        final_through=LAST - 6 * ONE_MONTH,
        urban=urban,
    )


def _of(panel: Panel, state: str) -> list[int]:
    return [i for i, s in enumerate(panel.locations) if by_fips()[s].state == state]


def _hidden(panel: Panel, state: str) -> Panel:
    """Every count of a state's counties from 1 to 9, and none shown."""
    reported, low, high = panel.reported.copy(), panel.low.copy(), panel.high.copy()
    at = _of(panel, state)
    reported[at], low[at], high[at] = np.nan, 1.0, 9.0
    return replace(panel, reported=reported, low=low, high=high)


def _counted(panel: Panel, state: str, count: float) -> Panel:
    reported = panel.reported.copy()
    reported[_of(panel, state)] = count
    return replace(panel, reported=reported)


def _unknown(panel: Panel, place: str, when: slice, least: float, most: float) -> Panel:
    reported, low, high = panel.reported.copy(), panel.low.copy(), panel.high.copy()
    i = panel.index(place)
    reported[i, when], low[i, when], high[i, when] = np.nan, least, most
    return replace(panel, reported=reported, low=low, high=high)
