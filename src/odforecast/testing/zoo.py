"""The zoo: panels of every shape a model meets, made from seeds; no file is read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from odforecast.geography import JURISDICTIONS, NATION, closed
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
#: The nation, a large, a middling, a badly delayed and a small jurisdiction, with deaths a month.
PLACES = {"US": 6000.0, "OH": 380.0, "AZ": 190.0, "WV": 95.0, "WY": 9.0}
#: Share of the deaths of a month that a release still lacks, newest month first.
LATE = np.array([0.12, 0.06, 0.03, 0.015, 0.008, 0.004])
#: Counts that are their own bounds: the panel works them out.
_OWN_BOUNDS: dict[str, Any] = {"low": None, "high": None}
#: The one panel no model may refuse.
ORDINARY = "ordinary"


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
        from odforecast.testing.county_zoo import county_zoo

        return county_zoo()
    whole = ordinary()
    clean = made(PLACES)
    return {
        ORDINARY: whole,
        "clean": clean,
        "one-location": rows(whole, ["OH"]),
        "without-nation": rows(whole, ["OH", "AZ", "WV", "WY"]),
        "whole-nation": nation(),
        "without-predicted": blank(whole, "predicted"),
        "without-pending": blank(whole, "pending", "complete"),
        "without-beside": replace(whole, beside={}, triangle=None),
        "later-published": _aged(whole, 60),
        "suppressed": suppressed(whole),
        "gap": _without(whole, "WY", slice(10, 12)),
        "one-location-late": _without(whole, "AZ", slice(-2, None)),
        "one-location-short": _without(whole, "WV", slice(None, -5)),
        "short": shortened(whole, 30),
        "very-short": shortened(whole, 6),
        "long": made(PLACES, n_sums=130),
        "small-counts": made({"WY": 0.5}, growth=0.0),
        "no-deaths": made({"WY": 0.0}),
        "constant": _constant(clean),
        "noisy": made(PLACES, spread=0.4),
        "level-shift": _shifted(clean),
        "counties": counties(),
    }


def made(
    places: dict[str, float],
    n_sums: int = 70,
    last: np.datetime64 = LAST,
    growth: float = 0.006,
    spread: float = 0.05,
) -> Panel:
    """Counts with trend, seasons and noise, all final, and nothing else.

    Parameters
    ----------
    places : dict of str to float
        Deaths a month in the middle of the series.
    n_sums : int
        Counts per place.
    last : month
        Last month.
    growth : float
        Growth a month.
    spread : float
        Noise beyond Poisson's, as a share of the mean.
    """
    n = n_sums + 11
    t = np.arange(n) - n / 2
    months = []
    for place, level in places.items():
        rng = np.random.default_rng(seed_from("zoo", place, n_sums, level, spread))
        drift = np.cumsum(rng.normal(0.0, 0.015, n))
        mean = level * np.exp(growth * t + drift - drift[n // 2] + 0.05 * np.sin(t * np.pi / 6))
        noise = rng.gamma(1 / spread**2, spread**2, n)
        months.append(rng.poisson(mean * noise).astype(float))
    sums = closed(rolling_sums(np.array(months)), tuple(places))
    empty = np.full(sums.shape, np.nan)
    return Panel(
        indicator=ALL_DRUGS,
        as_of=publication_date(last),
        release=publication_date(last),
        vintage=VINTAGE_SYNTHETIC,
        locations=tuple(places),
        months=last - np.arange(n_sums)[::-1] * ONE_MONTH,
        reported=sums,
        predicted=empty,
        complete=empty,
        pending=empty,
        final_through=last,
    )


def ordinary(places: dict[str, float] | None = None) -> Panel:
    """A panel as a release would be: the last counts incomplete, with all CDC says of them."""
    true = made(PLACES if places is None else places)
    sums, n_time = true.reported, true.months.size
    # A sum lacks what its own newest months lack.
    lacking = np.zeros(n_time)
    lacking[-LATE.size :] = [LATE[k:].sum() / 12 for k in range(LATE.size)][::-1]
    reported = np.round(sums * (1 - lacking))
    rng = np.random.default_rng(seed_from("zoo", "predicted"))
    predicted = np.round(sums * rng.normal(1.0, 0.002, sums.shape))
    pending = 0.1 + 100 * lacking * 0.3 + np.zeros(sums.shape)
    earlier, said = np.full((2, 3, *sums.shape), np.nan)
    for r, back in enumerate((3, 2, 1)):
        seen = slice(n_time - back)
        earlier[r, :, seen] = np.round(sums[:, seen] * (1 - lacking[back:]))
        said[r, :, n_time - back - 16 : n_time - back] = pending[:, -16:]
    first = true.release
    triangle = Triangle(
        tuple(first - dt.timedelta(days=30 * k) for k in (3, 2, 1)),
        earlier,
        pending=said,
        predicted=np.round(earlier * 1.01),
        all_deaths=np.round(35 * np.broadcast_to(sums[:, -13], (3, len(sums)))),
    )
    whole = replace(
        with_reported(true, np.round(35 * reported)),
        indicator=ALL_DEATHS,
        final_through=LAST - 6 * ONE_MONTH,
    )
    return replace(
        with_reported(true, reported),
        predicted=predicted,
        pending=pending,
        complete=100.0 - lacking * 100 + np.zeros(sums.shape),
        beside={"all-deaths": whole},
        triangle=triangle,
        final_through=LAST - 6 * ONE_MONTH,
    )


def nation() -> Panel:
    """The nation and its 52 parts: where draws are joint over locations, they must add up."""
    rng = np.random.default_rng(seed_from("zoo", "nation"))
    sizes = dict(zip(JURISDICTIONS, rng.lognormal(4.0, 0.9, len(JURISDICTIONS)).tolist()))
    return made({NATION: 0.0, **sizes}, n_sums=40)


def counties() -> Panel:
    """Counties of Ohio and their state's row is absent: a short file, counted by residence."""
    panel = made({"39035": 45.0, "39049": 55.0, "39061": 35.0, "39001": 1.5}, n_sums=48)
    return replace(panel, dataset=COUNTIES, basis=RESIDENCE)


def suppressed(panel: Panel) -> Panel:
    """The smallest place with counts of 1 to 9 hidden in its first year."""
    row = panel.index("WY")
    reported, low, high = panel.reported.copy(), panel.low.copy(), panel.high.copy()
    reported[row, :12], low[row, :12], high[row, :12] = np.nan, 1.0, 9.0
    return replace(panel, reported=reported, low=low, high=high)


def rows(panel: Panel, places: Sequence[str]) -> Panel:
    """A panel of these places, as if there were no others: not a selection."""
    picked = panel.select(list(places))
    beside = {name: replace(other, selected=False) for name, other in picked.beside.items()}
    return replace(picked, selected=False, beside=beside)


def shortened(panel: Panel, n_sums: int) -> Panel:
    """Only the last counts of a panel."""
    layers: dict[str, Any] = {name: getattr(panel, name)[:, -n_sums:] for name in LAYERS}
    triangle = None if panel.triangle is None else panel.triangle.cells(slice(-n_sums, None))
    return replace(panel, months=panel.months[-n_sums:], triangle=triangle, **layers)


def blank(panel: Panel, *layers: str) -> Panel:
    """A panel that does not say something."""
    empty: dict[str, Any] = {n: np.full(panel.reported.shape, np.nan) for n in layers}
    return replace(panel, **empty)


def with_reported(panel: Panel, reported: Floats) -> Panel:
    """The same panel with other counts, none of them hidden."""
    return replace(panel, reported=reported, **_OWN_BOUNDS)


def until(panel: Panel, month: np.datetime64) -> Panel:
    """A panel as far as ``month``, with all it says of the months kept, predicted counts too."""
    stop = int((month - panel.months[0]).astype(int)) + 1
    layers: dict[str, Any] = {name: getattr(panel, name)[:, :stop] for name in LAYERS}
    return replace(
        panel,
        as_of=publication_date(month),
        release=publication_date(month),
        months=panel.months[:stop],
        beside={name: until(other, month) for name, other in panel.beside.items()},
        triangle=None,
        final_through=month - 6 * ONE_MONTH,
        **layers,
    )


def scrambled(panel: Panel, month: np.datetime64) -> Panel:
    """A panel with other counts after ``month``, in all that it says."""
    # A slope, not a jump: it must be a history that a model can be fitted to.
    ahead = np.maximum((panel.months - month).astype(int), 0)
    layers: dict[str, Any] = {
        name: np.round(getattr(panel, name) * (1.0 + 0.03 * ahead))
        for name in ("reported", "predicted")
    }
    return replace(
        panel,
        beside={name: scrambled(other, month) for name, other in panel.beside.items()},
        **layers,
    )


def _without(panel: Panel, place: str, when: slice) -> Panel:
    reported = panel.reported.copy()
    reported[panel.index(place), when] = np.nan
    return with_reported(panel, reported)


def _aged(panel: Panel, days: int) -> Panel:
    late = month_end(panel.last_month) + dt.timedelta(days=days + 200)
    return replace(panel, as_of=late, release=late)


def _constant(panel: Panel) -> Panel:
    return with_reported(panel, np.repeat(panel.reported[:, :1], panel.months.size, axis=1))


def _shifted(panel: Panel) -> Panel:
    """Half as many deaths in the last year as in the year before, overnight."""
    months = np.round(panel.monthly).copy()
    months[:, -12:] = np.round(months[:, -12:] / 2)
    return with_reported(panel, rolling_sums(np.maximum(months, 0.0)))
