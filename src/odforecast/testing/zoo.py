"""The zoo: panels of every shape a model meets, made from seeds; no file is read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from odforecast.geography import JURISDICTIONS, NATION, closed
from odforecast.geography.places import by_fips, counties_of
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH, month_end
from odforecast.names import (
    ALL_DEATHS,
    ALL_DRUGS,
    COUNTIES,
    RESIDENCE,
    STATES,
    VINTAGE_SYNTHETIC,
)
from odforecast.panel import LAYERS, Floats, Panel, Triangle
from odforecast.publication import publication_date
from odforecast.seeds import seed_from

LAST = np.datetime64("2021-06", "M")
#: Of a panel whose last counts may still change.
FINAL = LAST - 6 * ONE_MONTH
#: The nation, a large, a middling, a badly delayed and a small jurisdiction, with deaths a month.
PLACES = {"US": 6000.0, "OH": 380.0, "AZ": 190.0, "WV": 95.0, "WY": 9.0}
#: States with few counties: three, five, one and ten.
FEW = ("DE", "RI", "DC", "NH")
#: Share of the deaths of a month that a release still lacks, newest month first.
LATE = np.array([0.12, 0.06, 0.03, 0.015, 0.008, 0.004])
#: The one panel no model may refuse.
ORDINARY = "ordinary"
_ALWAYS = slice(None)


def zoo(dataset: str = STATES) -> dict[str, Panel]:
    """All panels by name, the ordinary one first.

    Parameters
    ----------
    dataset : {"states", "counties"}
        What the panels hold.

    Returns
    -------
    dict of str to Panel
        ``ordinary``: five places, 70 counts, delay, predicted counts, percentages, earlier
        releases and deaths of all causes beside it. Each other one differs in one thing. Of
        counties: four small states with hidden, lost and missing counts, and the states beside.

    Examples
    --------
    >>> import odforecast as od
    >>> panels = od.testing.zoo()
    >>> next(iter(panels)), panels["one-location"].locations
    ('ordinary', ('OH',))
    """
    if dataset == COUNTIES:
        return _of_counties()
    whole = ordinary()
    clean = make_panel(PLACES)
    late = month_end(whole.last_month) + dt.timedelta(days=260)
    steady = np.repeat(clean.reported[:, :1], clean.months.size, axis=1)
    # Half as many deaths in the last year as in the year before, overnight.
    halved = np.round(clean.monthly)
    halved[:, -12:] = np.round(halved[:, -12:] / 2)
    ohio = make_panel(
        {"39035": 45.0, "39049": 55.0, "39061": 35.0, "39001": 1.5}, n_sums=48
    )
    return {
        ORDINARY: whole,
        "clean": clean,
        "one-location": rows(whole, ["OH"]),
        "without-nation": rows(whole, ["OH", "AZ", "WV", "WY"]),
        "whole-nation": nation(),
        "without-predicted": _blank(whole, "predicted"),
        "without-pending": _blank(whole, "pending", "complete"),
        "without-beside": replace(whole, beside={}, triangle=None),
        "later-published": replace(whole, as_of=late, release=late),
        "suppressed": _hidden(whole, ["WY"], when=slice(12), low=1.0, high=9.0),
        "gap": _hidden(whole, ["WY"], when=slice(10, 12)),
        "one-location-late": _hidden(whole, ["AZ"], when=slice(-2, None)),
        "one-location-short": _hidden(whole, ["WV"], when=slice(None, -5)),
        "short": _shortened(whole, 30),
        "very-short": _shortened(whole, 6),
        "long": make_panel(PLACES, n_sums=130),
        "small-counts": make_panel({"WY": 0.5}, growth=0.0),
        "no-deaths": make_panel({"WY": 0.0}),
        "constant": _with_reported(clean, steady),
        "noisy": make_panel(PLACES, spread=0.4),
        "level-shift": _with_reported(clean, rolling_sums(np.maximum(halved, 0.0))),
        "counties": replace(ohio, dataset=COUNTIES, basis=RESIDENCE),
    }


def _of_counties() -> dict[str, Panel]:
    """All panels of counties by name, the ordinary one first."""
    whole = ordinary_counties()
    first = whole.locations[:1]
    states = whole.beside[STATES]
    counties_by_state = {s: [c.fips for c in counties_of(s)] for s in FEW}
    no_deaths = whole.reported.copy()
    no_deaths[[whole.index(s) for s in counties_by_state["NH"]]] = 0.0
    people = {s: 1e5 * (1 + i) for i, s in enumerate(whole.locations)}
    return {
        ORDINARY: whole,
        "clean": replace(whole, final_through=LAST),
        "one-county-state": rows(whole, counties_by_state["DC"]),
        "one-state": rows(whole, counties_by_state["RI"]),
        "all-hidden": _hidden(
            whole, counties_by_state["NH"], when=_ALWAYS, low=1.0, high=9.0
        ),
        "no-deaths": replace(whole, reported=no_deaths),
        "never-seen": _hidden(whole, first, when=_ALWAYS, low=1000.0, high=np.inf),
        "missing": _hidden(whole, first, when=_ALWAYS),
        "gap": _hidden(whole, first, when=slice(10, 12)),
        "with-people": replace(whole, residents=people),
        "without-urban": replace(whole, urban={}),
        "states-end-earlier": replace(
            whole, beside={STATES: states.cut(LAST - 2 * ONE_MONTH)}
        ),
        "short": _shortened(whole, 13),
        "very-short": _shortened(whole, 3),
    }


def make_panel(
    places: Mapping[str, float],
    n_sums: int = 70,
    growth: float = 0.006,
    spread: float = 0.05,
) -> Panel:
    """Counts with trend, seasons and noise, all final, and nothing else."""
    n = n_sums + 11
    t = np.arange(n) - n / 2
    months = []
    for place, level in places.items():
        rng = np.random.default_rng(seed_from("zoo", place, n_sums, level, spread))
        drift = np.cumsum(rng.normal(0.0, 0.015, n))
        mean = level * np.exp(
            growth * t + drift - drift[n // 2] + 0.05 * np.sin(t * np.pi / 6)
        )
        noise = rng.gamma(1 / spread**2, spread**2, n)
        months.append(rng.poisson(mean * noise).astype(float))
    return _panel(tuple(places), closed(rolling_sums(np.array(months)), tuple(places)))


def _panel(places: tuple[str, ...], sums: Floats, **fields: Any) -> Panel:
    """A panel of counts alone, all final."""
    empty = np.full(sums.shape, np.nan)
    day = publication_date(LAST)
    defaults: dict[str, Any] = {"as_of": day, "release": day, "final_through": LAST}
    defaults |= dict.fromkeys(("predicted", "complete", "pending"), empty)
    defaults |= {
        "months": LAST - np.arange(sums.shape[1])[::-1] * ONE_MONTH,
        "reported": sums,
    }
    return Panel(
        ALL_DRUGS, vintage=VINTAGE_SYNTHETIC, locations=places, **defaults | fields
    )


def ordinary() -> Panel:
    """A panel as a release would be: the last counts incomplete, with all CDC says about them."""
    true = make_panel(PLACES)
    sums = true.reported
    n_time = true.months.size
    # A sum lacks what its own newest months lack.
    lacking = np.zeros(n_time)
    lacking[-LATE.size :] = [LATE[k:].sum() / 12 for k in range(LATE.size)][::-1]
    reported = np.round(sums * (1 - lacking))
    rng = np.random.default_rng(seed_from("zoo", "predicted"))
    predicted = np.round(sums * rng.normal(1.0, 0.002, sums.shape))
    pending = 0.1 + 100 * lacking * 0.3 + np.zeros(sums.shape)
    earlier, pending_before = np.full((2, 3, *sums.shape), np.nan)
    for r, months_ago in enumerate((3, 2, 1)):
        published = slice(n_time - months_ago)
        earlier[r, :, published] = np.round(
            sums[:, published] * (1 - lacking[months_ago:])
        )
        pending_before[r, :, n_time - months_ago - 16 : n_time - months_ago] = pending[
            :, -16:
        ]
    days = tuple(true.release - dt.timedelta(days=30 * k) for k in (3, 2, 1))
    all_deaths = np.round(35 * np.broadcast_to(sums[:, -13], (3, len(sums))))
    triangle = Triangle(
        days,
        earlier,
        pending=pending_before,
        predicted=np.round(earlier * 1.01),
        all_deaths=all_deaths,
    )
    everyone = replace(
        _with_reported(true, np.round(35 * reported)), final_through=FINAL
    )
    panels = {"all-deaths": replace(everyone, indicator=ALL_DEATHS)}
    complete = 100.0 - lacking * 100 + np.zeros(sums.shape)
    return replace(
        _with_reported(true, reported),
        predicted=predicted,
        pending=pending,
        complete=complete,
        beside=panels,
        triangle=triangle,
        final_through=FINAL,
    )


def nation() -> Panel:
    """The nation and its 52 parts: where draws are joint over locations, they must add up."""
    rng = np.random.default_rng(seed_from("zoo", "nation"))
    sizes = dict(
        zip(JURISDICTIONS, rng.lognormal(4.0, 0.9, len(JURISDICTIONS)).tolist())
    )
    return make_panel({NATION: 0.0, **sizes}, n_sums=40)


def ordinary_counties() -> Panel:
    """Counties of four states as a release would be: hidden counts, a lost one, not final."""
    states = nation()
    sums = []
    urban = {}
    places = sorted(
        (c for state in FEW for c in counties_of(state)), key=lambda c: c.fips
    )
    for county in places:
        rng = np.random.default_rng(seed_from("zoo", "county", county.fips))
        group = counties_of(county.state)
        rank = group.index(by_fips()[county.fips])
        whole = sum(np.exp(-0.9 * k) for k in range(len(group)))
        months = np.maximum(states.monthly[states.index(county.state), -41:], 0.0)
        sums.append(rolling_sums(rng.poisson(months * np.exp(-0.9 * rank) / whole)))
        urban[county.fips] = str(min(2 + rank, 6))
    counts = np.array(sums)
    hidden = (counts >= 1) & (counts <= 9)
    lost = counts >= 1000
    bounds = {
        "low": np.select([hidden, lost], [1.0, 1000.0], counts),
        "high": np.select([hidden, lost], [9.0, np.inf], counts),
    }
    visible = np.where(hidden | lost, np.nan, counts)
    fips = tuple(c.fips for c in places)
    return _panel(
        fips,
        visible,
        dataset=COUNTIES,
        basis=RESIDENCE,
        beside={STATES: states},
        final_through=FINAL,
        urban=urban,
        **bounds,
    )


def rows(panel: Panel, places: Sequence[str]) -> Panel:
    """A panel of these places, as if there were no others: not a selection."""
    selection = panel.select(list(places))
    panels = {
        name: replace(table, selected=False) for name, table in selection.beside.items()
    }
    return replace(selection, selected=False, beside=panels)


def until(panel: Panel, month: np.datetime64) -> Panel:
    """A panel as far as ``month``, with all it says about the months kept, predicted counts too."""
    day = publication_date(month)
    panels = {name: until(table, month) for name, table in panel.beside.items()}
    position = int((month - panel.months[0]).astype(int))
    layers = _months(panel, slice(position + 1))
    return replace(
        panel,
        as_of=day,
        release=day,
        beside=panels,
        triangle=None,
        final_through=month - 6 * ONE_MONTH,
        **layers,
    )


def scrambled(panel: Panel, month: np.datetime64) -> Panel:
    """A panel with other counts after ``month``, in all that it says."""
    # A slope, not a jump: it must be a history that a model can be fitted to.
    slope = 1.0 + 0.03 * np.maximum((panel.months - month).astype(int), 0)
    panels = {name: scrambled(table, month) for name, table in panel.beside.items()}
    return replace(
        panel,
        beside=panels,
        reported=np.round(panel.reported * slope),
        predicted=np.round(panel.predicted * slope),
    )


def _shortened(panel: Panel, n_sums: int) -> Panel:
    """Only the last counts of a panel."""
    last_counts = slice(-n_sums, None)
    triangle = None if panel.triangle is None else panel.triangle.cells(last_counts)
    return replace(panel, triangle=triangle, **_months(panel, last_counts))


def _months(panel: Panel, part: slice) -> dict[str, Any]:
    """The fields of a panel that have months, with some of them."""
    layers = {name: getattr(panel, name)[:, part] for name in LAYERS}
    return layers | {"months": panel.months[part]}


def _blank(panel: Panel, *layers: str) -> Panel:
    """A panel that does not say something."""
    empty: dict[str, Any] = dict.fromkeys(layers, np.full(panel.reported.shape, np.nan))
    return replace(panel, **empty)


def _with_reported(panel: Panel, reported: Floats) -> Panel:
    """The same panel with other counts, none of them hidden: the panel works out their bounds."""
    own_bounds: dict[str, Any] = {"low": None, "high": None}
    return replace(panel, reported=reported, **own_bounds)


def _hidden(
    panel: Panel,
    places: Sequence[str],
    when: slice,
    low: float = np.nan,
    high: float = np.nan,
) -> Panel:
    """A panel without some counts, which lie between two numbers, or are missing."""
    layers = {name: getattr(panel, name).copy() for name in ("reported", "low", "high")}
    for place in places:
        for layer, value in zip(layers.values(), (np.nan, low, high)):
            layer[panel.index(place), when] = value
    return replace(panel, **layers)
