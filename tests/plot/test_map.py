"""The map of counties: sizes, colours, Alaska, and what it says."""

import numpy as np
import pandas as pd
import pytest
from county_forecasts import made_forecast
from matplotlib.collections import PathCollection

import odforecast as od
from odforecast import plot
from odforecast.plot.maps import albers

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


def test_areas_are_in_proportion_and_colours_those_of_the_classes():
    sizes = bubbles(plot.map(TABLE)).get_sizes()
    assert sizes[0] == pytest.approx(2 * sizes[1])
    assert sizes[2] == sizes[3] < sizes[1] / 10
    faces = bubbles(plot.map(TABLE)).get_facecolors()
    assert faces[:2, 3].min() > 0
    assert (faces[2:, 3] == 0).all()
    rising = bubbles(plot.map(TABLE, "rising")).get_facecolors()
    blue, orange = rising[0], rising[1]
    assert blue[2] > blue[0]
    assert orange[0] > orange[2]
    assert rising[3, 3] == 0  # unknown, for the count a year before is hidden
    rates = plot.map(TABLE, "rate")
    assert [t for t in labels(rates) if "per 100,000" in t] == ["under 39 per 100,000"]


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


def test_a_forecast_and_its_tables_give_the_same_map(forecast):
    one, two = plot.map(forecast), plot.map(forecast.counties())
    assert np.array_equal(bubbles(one).get_sizes(), bubbles(two).get_sizes())
    assert "12 months ending March 2024" in plot.alt_text(two)
    assert "release of October 8, 2023" in plot.alt_text(one)
    assert plot.alt_text(forecast.plot()) == plot.alt_text(one)
    some = plot.map(forecast.select(["39035", "Hamilton, Ohio"]), month="2023-06")
    assert len(bubbles(some).get_sizes()) == 2
    assert "June 2023" in plot.alt_text(some)
    axes = plot.map(forecast, "among", k=2)
    assert axes.get_title(loc="left").startswith("Chance of being among the 2 highest, ")
    same = plot.map(forecast.ranking(2), "among", k=2)
    one, other = (np.sort(bubbles(x).get_facecolors(), axis=0) for x in (axes, same))
    assert np.array_equal(one, other)


def test_the_projection_keeps_areas():
    for lat in (25.0, 40.0, 60.0):
        d = 0.01
        lon = np.array([-100.0, -100 + d, -100 + d, -100.0])
        x, y = albers(lon, np.array([lat, lat, lat + d, lat + d]), 29.5, 45.5, -96.0, 37.5)
        area = 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
        globe = np.radians(d) * (np.sin(np.radians(lat + d)) - np.sin(np.radians(lat)))
        assert area == pytest.approx(globe, rel=1e-4)


def test_alaska_and_hawaii_are_below_the_others():
    codes = ["53033", "06037", "12086", "23019", "48061", "02020", "02016", "15003"]
    axes = plot.map(pd.DataFrame({"location": codes, "median": 20.0}))
    put = dict(zip(sorted(codes), bubbles(axes).get_offsets()))
    lowest = min(put[c][1] for c in codes[:5])
    for code in ("02020", "02016", "15003"):
        assert put[code][1] < lowest
        assert put["06037"][0] - 0.2 < put[code][0] < put["48061"][0]
    assert put["02016"][0] < put["02020"][0] < put["15003"][0]
    assert {"Alaska, a third of its size", "Hawaii"} <= {t.get_text() for t in axes.texts}
    alone = plot.map(pd.DataFrame({"location": codes[5:7], "median": 20.0}))
    assert "Alaska, a third of its size" not in {t.get_text() for t in alone.texts}
    regions = plot.map(pd.DataFrame({"location": ["09110", "25013"], "median": [90.0, 60.0]}))
    assert "1 without a place on the map" in plot.alt_text(regions)
