"""Panels for tests of models: the bundled figures, and changes to them."""

import datetime as dt
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.geography import JURISDICTIONS
from odforecast.names import ALL_DRUGS, VINTAGE_REAL, VINTAGE_SYNTHETIC
from odforecast.panel import Donor, Panel
from odforecast.publication import final_through, publication_date

#: The nation, a large, a middling, a badly delayed and the smallest jurisdiction.
STATES = ("US", "OH", "AZ", "WV", "WY")
RELEASE = dt.date(2025, 9, 17)


def counts_panel(counts, places, months, as_of, **more):
    """A panel of reported 12-month counts, and nothing else but what is given."""
    given = {"indicator": ALL_DRUGS, "release": as_of, "vintage": VINTAGE_REAL}
    given |= dict.fromkeys(("predicted", "complete", "pending"), np.full(counts.shape, np.nan))
    given |= {"locations": tuple(places), "months": months, "reported": counts}
    return Panel(as_of=as_of, **(given | more))


@cache
def bundled_panel(states: tuple[str, ...] = STATES) -> Panel:
    """The bundled release of 2025-09-17, all months, with nothing beside it."""
    table = od.bundled().release(RELEASE, ALL_DRUGS)
    wide = table.pivot(index="state", columns="month", values=["reported", "predicted"])
    reported, predicted = (wide[x].loc[list(states)] for x in ("reported", "predicted"))
    months = reported.columns.to_numpy().astype("datetime64[M]")
    more = {"predicted": predicted.to_numpy(), "final_through": final_through(RELEASE)}
    return counts_panel(reported.to_numpy(), states, months, RELEASE, **more)


@cache
def cut_panel(last: str = "2021-06", states: tuple[str, ...] = STATES) -> Panel:
    """The bundled release up to a month, as a clean pseudo-vintage: final, nothing predicted."""
    return bundled_panel(states).cut(last)


def as_release(whole: Panel, last: str = "2021-06") -> Panel:
    """A panel as a release of its last month, with predicted counts; half a year is not final."""
    cut = whole.cut(last)
    said = {"predicted": whole.predicted[:, : cut.months.size], "vintage": VINTAGE_REAL}
    return replace(cut, final_through=cut.last_month - np.timedelta64(6, "M"), **said)


@cache
def release_panel(last: str = "2021-06", states: tuple[str, ...] = STATES) -> Panel:
    return as_release(bundled_panel(states), last)


def own_counts(panel, state="OH", more=3, first="2022-05"):
    """CDC's own months of a state from one on, and some more after its last."""
    row = panel.monthly[panel.index(state)][panel.month_grid >= np.datetime64(first)]
    grid = np.arange(np.datetime64(first), panel.last_month + np.timedelta64(more + 1, "M"))
    deaths = np.append(row, row[len(row) - more :])
    return pd.DataFrame({"location": state, "month": grid.astype(str), "deaths": deaths})


def with_counts(panel: Panel, reported: np.ndarray, predicted: np.ndarray | None = None) -> Panel:
    """The same panel with other counts; predicted ones follow the reported unless given."""
    predicted = reported if predicted is None else predicted
    return replace(panel, reported=reported, predicted=predicted, low=None, high=None)


def only(panel: Panel, states: list[str] | tuple[str, ...]) -> Panel:
    """A panel of these locations, as if there were no others: not a selection."""
    return replace(panel.select(states), selected=False)


def made_donor(late, back=0, locations=JURISDICTIONS, **keywords):
    """A made-up release of 2023-11 or some months before: what it missed, what it said of that."""
    month = np.datetime64("2023-11", "M") - np.timedelta64(back, "M")
    shape = late.shape
    given: dict[str, object] = {
        "release": month.astype("datetime64[D]").astype(object) + dt.timedelta(days=13),
        "locations": locations, "age": 135, "late": late, "ratio": np.full(shape, 1.05),
        "pending": np.full(shape, 0.4), "complete": np.full(shape, 98.0), "final_back": 6,
    }  # fmt: skip
    return Donor(**(given | keywords))  # type: ignore[arg-type]


def made_panel(months: dict[str, np.ndarray], last: str = "2021-06") -> Panel:
    """A panel of made-up months of death, all final."""
    counts = np.round(np.array(list(months.values())))
    sums = np.lib.stride_tricks.sliding_window_view(counts, 12, axis=1).sum(axis=2)
    end = np.datetime64(last, "M")
    day, grid = publication_date(end), end - np.arange(sums.shape[1])[::-1].astype("m8[M]")
    return counts_panel(sums, months, grid, day, vintage=VINTAGE_SYNTHETIC, final_through=end)
