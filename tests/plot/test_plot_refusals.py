"""What figures refuse: the call, the error, and its words."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from county_forecasts import made_forecast
from matplotlib.figure import Figure
from test_drawn import pairs, triangle
from test_map import TABLE

import odforecast as od
from odforecast import plot
from odforecast.errors import ArchiveError, DataError, ForecastError, UnknownNameError

QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95]
PAIRS = pairs({"a": 1.0, "b": 2.0})
MONTH = pd.to_datetime(["2024-01"])
HIDDEN = pd.DataFrame({"location": "39035", "month": MONTH, "reported": np.nan})
REGION = pd.DataFrame({"location": ["09110"], "median": [90.0]})
REFUSED = [
    (lambda x: plot.counts(x.panel, "Ohoi"), UnknownNameError, "did you mean Ohio"),
    (lambda x: plot.counts(x.panel, "Puerto Rico"), UnknownNameError, "it has: US"),
    (lambda x: plot.counts(x.panel.select(["OH", "WV"])), UnknownNameError,
     "has 2 locations and no US"),
    (lambda x: plot.counts(x.panel.to_frame().drop(columns="reported")), DataError,
     "no column 'reported'"),
    (lambda _: plot.counts(3), DataError, "counts is a int"),
    (lambda x: plot.counts(x.panel.to_frame().iloc[:0]), DataError, "empty"),
    (lambda _: plot.counts(HIDDEN), DataError, "no count of Cuyahoga"),
    (lambda x: plot.fan(x.made.select("OH").to_frame([0.05, 0.5, 0.95]), bands=(0.8,)), DataError,
     r"no level 0\.1"),
    (lambda x: plot.fan(x.made, "Ohio", bands=(90,)), DataError, "bands holds 90"),
    (lambda x: plot.fan(pd.concat([x.made.select("OH").to_frame(QUANTILES)] * 2)), DataError,
     "a month of a place twice"),
    (lambda x: plot.small_multiples(x.made, []), DataError, "locations is empty"),
    (lambda x: plot.small_multiples(x.made, ["OH", "WV"], axes=[None]), DataError,
     "1 axes for 2 places"),
    (lambda _: plot.tile_map({"OH": 2830.0, "WV": 900.0}), DataError,
     "these look like counts: a map of counts"),
    (lambda _: plot.tile_map({"OH": 2830.0}, kind="median"), DataError, "where many people live"),
    (lambda _: plot.tile_map({"OH": -130.0}), DataError, "Ohio has -130"),
    (lambda _: plot.tile_map({"OH": 62.0}, kind="fall"), DataError, "lies between 0 and 1"),
    (lambda _: plot.tile_map({"OH": float("nan")}), DataError, "no place has a value"),
    (lambda _: plot.tile_map({"OH": 1.0}, kind="chnage"), UnknownNameError, "mean 'change'"),
    (lambda _: plot.tile_map({"OH": 1.0, "Ohio": 1.0}), UnknownNameError, "given twice"),
    (lambda x: plot.tile_map(x.panel.to_frame()), DataError, "no column 'change': a map of counts"),
    (lambda _: plot.tile_map(pd.Series({"OH": 5.0}, name="count")), DataError, "a map of counts"),
    (lambda x: plot.tile_map(x.made, month="2031-01"), DataError, "the table has no 2031-01"),
    (lambda x: plot.tile_map(x.county), DataError, r"use od\.plot\.map"),
    (lambda x: plot.map(x.made), DataError, r"od\.plot\.tile_map"),
    (lambda _: plot.map(pd.DataFrame({"location": ["OH"], "median": [1.0]})), DataError,
     "'OH' is not a county"),
    (lambda _: plot.map(TABLE[["location", "median"]], "rate"), DataError, "no column 'rate'"),
    (lambda x: plot.map(x.county, "rate"), DataError, "a rate needs a population file"),
    (lambda _: plot.map(pd.concat([TABLE, TABLE])), DataError, "several rows"),
    (lambda _: plot.map({"39035": 5.0}), DataError, "nothing to draw"),
    (lambda _: plot.map(TABLE, "risin"), UnknownNameError, "did you mean 'rising'"),
    (lambda x: plot.map(replace(x.county, joint=frozenset({"month"})), "among"), ForecastError,
     "not joint"),
    (lambda _: plot.map(REGION), DataError, "planning regions lie is not known"),
    (lambda x: plot.said_and_came(x.results, "Ohio", model="drft"), UnknownNameError,
     "did you mean 'drift'"),
    (lambda x: plot.said_and_came(x.results, "Ohio", horizon=18), DataError,
     "nothing was scored 18 months ahead"),
    (lambda x: plot.errors(x.results.to_frame().assign(scorable=False)), DataError,
     r"none of .* could be scored"),
    (lambda x: plot.coverage(x.results, level="states"), UnknownNameError,
     "one of: jurisdictions, nation"),
    (lambda x: plot.coverage(x.results, vintage="real"), UnknownNameError, "vintage is 'real'"),
    (lambda x: plot.coverage(x.results.to_frame().drop(columns="vintage"), vintage="real"),
     DataError, "no such column"),
    (lambda x: plot.pit(x.results.to_frame().assign(pit=np.nan)), DataError, "has no PIT"),
    (lambda x: plot.skill(x.board.assign(rel_wis=np.nan), "regime"), DataError,
     "no model is related to hub-baseline"),
    (lambda x: plot.skill(pd.concat([x.board, x.board]), "regime"), DataError,
     "several rows of hub-baseline for one regime"),
    (lambda _: plot.pairwise(pd.concat([PAIRS, PAIRS])), DataError, "several rows"),
    (lambda _: plot.pairwise(PAIRS, models=["a", "z"]), DataError, "'z' is not among the pairs"),
    (lambda _: plot.pairwise(PAIRS, models="a"), DataError, "name two or more"),
    (lambda x: plot.nowcast(x.made, "NYC", kind="counts ever"), UnknownNameError,
     "kind is 'counts ever'"),
    (lambda _: plot.revision_triangle(triangle()[-3:]), ArchiveError,
     "1 release with counts of United States"),
    (lambda x: plot.overlay(x.projection, "PR"), UnknownNameError, "has no PR"),
    (lambda x: plot.prevented(od.project(x.made, od.scenario.NULL), "Ohio"), DataError,
     "nothing but the status quo"),
    (lambda _: plot.save(plot.tile_map({"OH": 1.0}), "ohio.jpg"), DataError,
     r"use \.png, \.svg or \.pdf"),
    (lambda _: plot.save(Figure(), "none.svg"), DataError, "no axes"),
    (lambda _: plot.alt_text(Figure().subplots()), DataError, "was drawn on these axes"),
]  # fmt: skip


@pytest.fixture(scope="module")
def given(panel, forecast, results, projection) -> SimpleNamespace:
    board = results.leaderboard(by=["level", "regime"])
    return SimpleNamespace(panel=panel, made=forecast, results=results, projection=projection,
                           board=board, county=made_forecast(draws=60))  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_refused(given, call, error, words):
    with pytest.raises(error, match=words):
        call(given)
