"""The map of counties: sizes, colours, Alaska, and what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from county_forecasts import made_forecast
from matplotlib.collections import PathCollection

import odforecast as od
from odforecast import plot
from odforecast.errors import DataError, ForecastError, UnknownNameError
from odforecast.geography import centroid
from odforecast.plot.maps import Plane, albers

TABLE = pd.DataFrame(
    {
        "location": ["39035", "39061", "39163", "39001"],
        "median": [600.0, 300.0, np.nan, 4.0],
        "rate": [48.0, 36.0, np.nan, np.nan],
        "rise": [0.05, 0.95, np.nan, 0.5],
        "p_ten": [1.0, 1.0, 0.05, 0.2],
        "among": [0.9, 0.1, 0.0, 0.0],
    }
)


@pytest.fixture(scope="module")
def forecast() -> od.Forecast:
    return made_forecast(draws=60)


def bubbles(axes) -> PathCollection:
    """The bubbles; those of the legend have no place."""
    (found,) = (c for c in axes.collections if len(c.get_offsets()))
    return found


def labels(axes) -> list[str]:
    return axes.get_legend_handles_labels()[1]


def test_areas_are_in_proportion_and_small_counts_have_one_size():
    sizes = bubbles(plot.map(TABLE)).get_sizes()
    assert sizes[0] == pytest.approx(2 * sizes[1])
    assert sizes[2] == sizes[3] < sizes[1] / 10
    faces = bubbles(plot.map(TABLE)).get_facecolors()
    assert faces[:2, 3].min() > 0
    assert (faces[2:, 3] == 0).all()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("median", "most in Cuyahoga County, Ohio (600) and Hamilton County, Ohio (300)"),
        ("rate", "highest rates per 100,000 in Cuyahoga County, Ohio (48)"),
        ("rising", "most likely more than a year earlier in Hamilton County, Ohio (95%)"),
        ("ten", "most likely 10 or more in Cuyahoga County, Ohio (>99%)"),
        ("among", "most likely among the 10 highest: Cuyahoga County, Ohio (90%)"),
    ],
)
def test_each_value_says_its_numbers(value, said):
    axes = plot.map(TABLE, value, indicator="all-drugs")
    words = plot.alt_text(axes)
    assert said in words
    assert "fewer than 10 in 2 of 4 counties" in words
    assert words.startswith("Drug overdose deaths of residents by county")
    assert "fewer than 10" in labels(axes)
    assert ("over 90%" in labels(axes)) == (value in ("rising", "ten", "among"))


def test_colours_are_those_of_the_classes():
    rising = bubbles(plot.map(TABLE, "rising")).get_facecolors()
    blue, orange = rising[0], rising[1]
    assert blue[2] > blue[0]
    assert orange[0] > orange[2]
    assert rising[3, 3] == 0  # unknown, for the count a year before is hidden
    rates = plot.map(TABLE, "rate")
    assert [t for t in labels(rates) if "per 100,000" in t] == ["under 39 per 100,000"]


def test_a_forecast_and_its_tables_give_the_same_map(forecast):
    one = plot.map(forecast)
    two = plot.map(forecast.counties())
    assert np.array_equal(bubbles(one).get_sizes(), bubbles(two).get_sizes())
    assert "12 months ending March 2024" in plot.alt_text(two)
    assert "release of October 8, 2023" in plot.alt_text(one)
    assert plot.alt_text(forecast.plot()) == plot.alt_text(one)
    some = plot.map(forecast, locations=["39035", "Hamilton, Ohio"], month="2023-06")
    assert len(bubbles(some).get_sizes()) == 2
    assert "June 2023" in plot.alt_text(some)


def test_who_is_among_the_highest_is_asked_of_those_shown(forecast):
    axes = plot.map(forecast, "among", k=2)
    assert axes.get_title(loc="left").startswith("Chance of being among the 2 highest, ")
    ranked = forecast.ranking(2)
    same = plot.map(ranked, "among", k=2)
    assert np.array_equal(
        np.sort(bubbles(axes).get_facecolors(), axis=0),
        np.sort(bubbles(same).get_facecolors(), axis=0),
    )
    with pytest.raises(ForecastError, match="not joint"):
        plot.map(replace(forecast, joint=frozenset({"month"})), "among")


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_same_map_gives_the_same_bytes(forecast, tmp_path, suffix):
    one, two = (
        plot.save(plot.map(forecast), tmp_path / f"{n}.{suffix}").read_bytes() for n in "ab"
    )
    assert one == two


def test_it_draws_where_it_is_asked_to(forecast):
    from matplotlib.figure import Figure

    axes = Figure(layout="constrained").subplots()
    assert plot.map(forecast, axes=axes, title="Ohio's counties") is axes
    assert axes.get_title(loc="left") == "Ohio's counties"


def test_what_cannot_be_mapped(forecast):
    states = od.get_model("naive").fit(od.bundled().as_of().panel()).forecast(draws=20)
    with pytest.raises(DataError, match=r"od\.plot\.tile_map"):
        plot.map(states)
    with pytest.raises(DataError, match=r"use od\.plot\.map"):
        plot.tile_map(forecast)
    with pytest.raises(DataError, match="'OH' is not a county"):
        plot.map(pd.DataFrame({"location": ["OH"], "median": [1.0]}))
    with pytest.raises(DataError, match="no column 'rate'"):
        plot.map(TABLE[["location", "median"]], "rate")
    with pytest.raises(DataError, match="no column 'median'"):
        plot.map(TABLE[["location", "rate"]], "rate")
    with pytest.raises(DataError, match="a rate needs a population file"):
        plot.map(forecast, "rate")
    with pytest.raises(DataError, match="several rows"):
        plot.map(pd.concat([TABLE, TABLE]))
    with pytest.raises(DataError, match="nothing to map"):
        plot.map({"39035": 5.0})
    with pytest.raises(DataError, match="no 2030-01"):
        plot.map(forecast, month="2030-01")
    with pytest.raises(UnknownNameError, match="did you mean 'rising'"):
        plot.map(TABLE, "risin")


# The plane


def test_the_projection_keeps_areas():
    """A small square has the area that it has on the globe, wherever it lies."""
    for lat in (25.0, 40.0, 60.0):
        d = 0.01
        lon = np.array([-100.0, -100 + d, -100 + d, -100.0])
        x, y = albers(lon, np.array([lat, lat, lat + d, lat + d]), 29.5, 45.5, -96.0, 37.5)
        area = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
        globe = np.radians(d) * (np.sin(np.radians(lat + d)) - np.sin(np.radians(lat)))
        assert area == pytest.approx(globe, rel=1e-4)


def test_alaska_and_hawaii_stand_below_the_others():
    codes = ["53033", "06037", "12086", "23019", "48061", "02020", "02016", "15003"]
    at = np.array([centroid(c) for c in codes])
    states = np.array([c[:2] for c in codes])
    plane = Plane(at[:, 0], at[:, 1], states)
    put = {c: np.ravel(plane.put(a[:1], a[1:], c[:2])) for c, a in zip(codes, at)}
    lowest = min(put[c][1] for c in codes[:5])
    for code in ("02020", "02016", "15003"):
        assert put[code][1] < lowest
        assert put["06037"][0] - 0.2 < put[code][0] < put["48061"][0]
    assert put["02016"][0] < put["02020"][0] < put["15003"][0]
    # Alone, a state is drawn as it lies.
    only = Plane(at[5:7, 0], at[5:7, 1], states[5:7])
    assert not only.apart
    names = [
        t.get_text() for t in plot.map(pd.DataFrame({"location": codes, "median": 20.0})).texts
    ]
    assert "Alaska, a third of its size" in names
    assert "Hawaii" in names


def test_planning_regions_have_no_place():
    table = pd.DataFrame({"location": ["09110", "25013"], "median": [90.0, 60.0]})
    assert "1 without a place on the map" in plot.alt_text(plot.map(table))
    with pytest.raises(DataError, match="planning regions lie is not known"):
        plot.map(table[:1])
