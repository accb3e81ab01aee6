"""Each figure once: what it shows are the numbers it was given, and what it refuses."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import odforecast as od
from odforecast import plot
from odforecast.geography import JURISDICTIONS
from odforecast.plot.maps import GRID
from odforecast.plot.style import head_of
from odforecast.say import chance


def line(axes, label):
    (found,) = (x for x in axes.lines if x.get_label() == label)
    return found


def numbers(text: str) -> set[float]:
    return {float(x.replace(",", "")) for x in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}


# Counts


def test_counts_are_those_of_the_panel(panel):
    axes = plot.counts(panel, "ohio")
    row = panel.index("OH")
    np.testing.assert_array_equal(line(axes, "reported").get_ydata(), panel.reported[row])
    assert axes.get_ylim()[0] == 0
    said = plot.alt_text(axes)
    assert f"{panel.reported[row, -1]:,.0f} reported for April 2025" in said
    assert "September 17, 2025" in said
    assert "September 17, 2025" in " ".join(head_of(axes))


def test_a_frame_draws_as_its_panel_does(panel):
    axes, same = plot.counts(panel), plot.counts(panel.to_frame())
    np.testing.assert_array_equal(axes.lines[-1].get_ydata(), same.lines[-1].get_ydata())
    assert same.get_title(loc="left").endswith("each month, United States")


def test_suppressed_counts_are_shown_between_their_bounds():
    months = pd.to_datetime(["2024-01", "2024-02"])
    layers = {"reported": [12.0, np.nan], "low": [12, 1.0], "high": [12, 9.0]}
    table = pd.DataFrame({"location": "39035", "month": months, **layers})
    axes = plot.counts(table)
    assert axes.get_title(loc="left").endswith("Cuyahoga County, Ohio")
    (path,) = axes.collections[0].get_paths()
    assert sorted(path.vertices[:, 1]) == [1, 9]
    assert "1 counts suppressed" in plot.alt_text(axes)


# Fans


def test_a_fan_opens_at_the_last_count_and_shows_the_quantiles(panel, forecast):
    figure = Figure(layout="constrained")
    given = figure.subplots()
    axes = plot.fan(forecast, "Ohio", axes=given, months=24)
    assert axes is given
    row, months = panel.index("OH"), forecast.months
    known = line(axes, "reported").get_ydata()
    np.testing.assert_array_equal(known, panel.reported[row, -24:])
    median = line(axes, "forecast").get_ydata()
    assert median[0] == panel.reported[row, -1]
    low, middle, high = forecast.quantiles([0.05, 0.5, 0.95])[:, forecast.index("OH")]
    np.testing.assert_allclose(median[1:], middle)
    bands = [c.get_paths()[0].vertices[:, 1] for c in axes.collections if c.get_paths()]
    assert any(np.isclose(v, low[-1]).any() and np.isclose(v, high[-1]).any() for v in bands)
    assert months.size == 12
    said = numbers(plot.alt_text(axes))
    assert panel.reported[row, -1] in said
    assert any(abs(x - middle[-1]) <= 0.07 * (high[-1] - low[-1]) for x in said)


def texts(axes) -> list[str]:
    return [t.get_text() for t in axes.texts]


def test_the_last_count_is_marked_with_what_it_will_be(panel, revising):
    axes = plot.fan(revising, "US")
    back = revising.horizons <= 0
    row = panel.index("US")
    assert line(axes, "reported").get_ydata()[-1] == panel.reported[row, -1]
    estimate = revising.quantiles([0.5])[0, revising.index("US")][back]
    np.testing.assert_allclose(line(axes, "forecast").get_ydata()[: back.sum()], estimate)
    marks = {x.get_gid(): x.get_ydata() for x in axes.lines if x.get_gid()}
    np.testing.assert_allclose(marks["final"], estimate[-1])
    assert marks["reported"] == panel.reported[row, -1]
    assert f"{panel.reported[row, -1]:,.0f} reported" in texts(axes)
    assert any(t.startswith("about ") and t.endswith(" when final") for t in texts(axes))
    assert f"{panel.reported[row].max():,.0f} in June 2023" in texts(axes)


def test_the_end_of_a_fan_says_median_and_interval(forecast):
    axes = plot.fan(forecast, "Ohio")
    said = plot.alt_text(axes)
    beside = [t.get_text() for t in axes.texts if t.get_gid() == ".beside"]
    assert beside[:2] == ["Forecast, 12 months", "to April 2026"]
    for text in beside[2:]:
        assert text in said
    longer = od.get_model("drift").fit(forecast.panel).forecast(horizon=20, draws=60, seed=1)
    untested = plot.fan(longer, "Ohio")
    assert "not tested" in head_of(untested).caption
    assert "not tested" not in head_of(axes).caption


def test_a_table_of_a_forecast_draws_the_same(panel, forecast):
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    table = forecast.select("Ohio").to_frame(levels)
    axes, same = plot.fan(forecast, "Ohio"), plot.fan(table, history=panel)
    np.testing.assert_allclose(
        line(axes, "forecast").get_ydata(), line(same, "forecast").get_ydata()
    )
    assert "as of September 2025" in plot.alt_text(same)
    bare = plot.fan(table)
    assert "reported" not in plot.alt_text(bare)
    assert len(line(bare, "forecast").get_ydata()) == 12  # nothing to open from


def test_one_forecast_over_another(forecast, revising):
    axes = plot.fan(forecast, "WV")
    plot.fan(revising, "WV", axes=axes, color="#d55e00", label="with delay")
    labels = axes.get_legend_handles_labels()[1]
    assert labels.count("reported") == 1
    assert {"Forecast", "With delay"} <= set(texts(axes))
    highest = max(x.get_ydata().max() for x in axes.lines)
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > max(highest, forecast.select("WV").quantiles([0.95]).max())
    assert {"forecast", "with delay"} <= set(labels)
    assert "forecast by with delay for April 2026" in plot.alt_text(axes)


def test_a_sum_has_the_history_of_its_parts(revising, panel):
    midwest = revising.region("Midwest")
    axes = plot.fan(midwest)
    assert axes.get_title(loc="left").endswith("each month, Midwest")
    rows = [panel.index(s) for s in midwest.parts["Midwest"]]
    loose = line(axes, "reported").get_ydata()
    np.testing.assert_array_equal(loose[-1], panel.reported[rows, -1].sum())
    assert "in the Midwest" in plot.alt_text(axes)
    nation = plot.fan(revising.select([s for s in revising.locations if s != "US"]).nation())
    us = line(nation, "reported").get_ydata()
    np.testing.assert_array_equal(us[-1], panel.reported[panel.index("US"), -1])


@pytest.mark.slow
def test_small_multiples_are_one_place_each_and_all_places_fit(panel, forecast):
    grid = plot.small_multiples(forecast, "New York")
    assert grid[0].get_title(loc="left").startswith("New York outside NYC  ")
    grid = plot.small_multiples(forecast)
    assert len(grid) == len(forecast.locations)
    assert all(a.get_ylim()[0] == 0 for a in grid)
    figure = grid[0].get_figure()
    figure.draw_without_rendering()
    titles = [a._left_title.get_window_extent() for a in grid[:4]]
    assert all(a.x1 <= b.x0 for a, b in itertools.pairwise(titles))
    assert plot.alt_text(grid).count("forecast for") == len(grid)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(358, 300), (560, 376), (1080, 376)])
@pytest.mark.parametrize("place", ["US", "OH", "AZ", "VT"])
def test_labels_of_a_fan_hide_no_other_and_leave_nothing_out(revising, size, place):
    axes = plot.fan(revising, place, axes=plot.sheet(size), months=120)
    figure = axes.get_figure()
    figure.draw_without_rendering()
    ticks = [t for t in axes.get_xticklabels() if t.get_visible()]
    boxes = [t.get_window_extent() for t in (*ticks, *axes.texts) if t.get_text()]
    for box in boxes:
        assert figure.bbox.x0 - 1 <= box.x0
        assert box.x1 <= figure.bbox.x1 + 1
        assert figure.bbox.y0 - 1 <= box.y0
        assert box.y1 <= figure.bbox.y1 + 1
    for a, b in itertools.combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        along = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(across, along) < 4, (a, b)


# Tiles


def test_the_grid_holds_every_place_once():
    assert set(GRID) == {*JURISDICTIONS, "PR"}
    assert len(set(GRID.values())) == len(GRID)
    (x, y), (cx, cy) = GRID["NY"], GRID["YC"]
    assert abs(x - cx) + abs(y - cy) == 1  # beside one another


def test_tiles_show_changes_and_say_what_is_missing():
    axes = plot.tile_map({"Ohio": -12.4, "WV": 20.1, "NYC": 0.2, "VT": np.nan, "US": -3})
    texts = [t.get_text() for t in axes.texts]
    for text in ("−12%", "+20%"):
        assert texts.count(text) == 1
    assert "−3%" not in texts  # the nation is no tile
    assert texts.count("–") == 49
    assert sum(p.get_hatch() is not None for p in axes.patches) == 49
    said = plot.alt_text(axes)
    assert "a fall in 1 of 3 places, from −12% (Ohio) to +20% (West Virginia)" in said
    assert "United States −3%" in said
    assert "Vermont" not in said.partition("No value")[0]


def test_a_forecast_is_mapped_twelve_months_ahead(forecast):
    from odforecast.forecast.tables import summary

    table = summary(forecast)
    axes = plot.tile_map(table, kind="fall")
    rows = table[table["horizon"] == 12].set_index("location")
    x, y = GRID["OH"]
    (shown,) = (t.get_text() for t in axes.texts if t.get_position() == (x + 0.5, y + 0.72))
    assert shown == chance(rows.loc["OH", "fall"], short=True).replace(" ", "\u2009")
    assert "April 2026" in plot.alt_text(axes)
    early = plot.tile_map(table, month="2025-10")
    assert "October 2025" in plot.alt_text(early)


# Past forecasts


def test_what_was_said_and_what_came(results, panel):
    axes = plot.said_and_came(results, "Ohio", model="drift", every=1)
    scores = results.scores
    mine = scores[(scores["model"] == "drift") & (scores["location"] == "OH")]
    mine = mine[(mine["horizon"] == 12) & mine["scorable"]].sort_values("last_month")
    medians = [x.get_ydata() for x in axes.lines if x.get_label().startswith("forecast: median")]
    np.testing.assert_allclose(np.sort(np.concatenate(medians)), np.sort(mine["median"]))
    assert len(medians[1]) == (~mine["cover_90"].astype(bool)).sum()
    ends = [s[:, 1] for s in axes.collections[0].get_segments()]
    wide = results.quantiles
    wide = wide[(wide["model"] == "drift") & (wide["location"] == "OH") & (wide["horizon"] == 12)]
    low = wide[wide["level"] == 0.05].sort_values("last_month")["value"]
    np.testing.assert_allclose([e[0] for e in ends], low.iloc[: len(ends)])
    inside = int(mine["cover_90"].sum())
    assert f"{inside} of {len(mine)} 90% intervals contained" in plot.alt_text(axes)
    now = plot.said_and_came(results, "Ohio", history=panel)
    assert line(now, "as known now").get_ydata()[-1] == panel.reported[panel.index("OH"), -1]


# Calibration and skill


def test_pit_bars_average_to_one_and_a_group_is_a_part(results):
    for group in (None, "7-12"):
        bars = [b.get_height() for b in plot.pit(results, horizon_group=group, bins=8).patches]
        assert np.mean(bars) == pytest.approx(1)


def test_reliability_has_a_band_where_there_are_enough_origins(results):
    assert len(plot.reliability(results, "drift").collections) == 1  # five years
    few = results.to_frame()
    assert not plot.reliability(few[few["last_month"] < "2020-01-01"], "drift").collections


# Revisions


def test_the_nowcast_shows_what_was_reported_and_what_it_will_be(panel, revising):
    axes = plot.nowcast(revising, "NYC")
    table = revising.select("YC").nowcast()
    np.testing.assert_allclose(line(axes, "final count: median").get_ydata(), table["median"])
    np.testing.assert_array_equal(
        line(axes, "reported").get_ydata(), panel.reported[panel.index("YC"), -24:]
    )
    said = plot.alt_text(axes)
    assert f"{table['reported'].iloc[-1]:,.0f} reported for April 2025" in said
    below = plot.nowcast(table, kind="revision")
    np.testing.assert_allclose(line(below, "final count: median").get_ydata(), table["revision"])


def triangle() -> pd.DataFrame:
    rows = [
        (release, month, 1000.0 + 10 * i + 2 * r)
        for r, release in enumerate(["2024-06-12", "2024-12-11", "2025-09-17"])
        for i, month in enumerate(pd.date_range("2023-01-01", periods=14 + 4 * r, freq="MS"))
    ]
    table = pd.DataFrame(rows, columns=["release", "month", "reported"])
    return table.assign(location="US", release=pd.to_datetime(table["release"]))


def test_the_triangle_has_every_release_over_the_newest():
    table = triangle()
    axes = plot.revision_triangle(table)
    labels = [t.get_text() for t in axes.get_figure().legends[0].get_texts()]
    assert labels == ["2024-06-12", "2024-12-11", "2025-09-17 (the line)"]
    newest = table[table["release"] == "2025-09-17"]["reported"]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), newest)
    assert "February 2024 was first 1,130, and is 1,134 in the newest" in plot.alt_text(axes)
    percent = plot.revision_triangle(table, kind="percent")
    first = percent.lines[0]
    np.testing.assert_allclose(first.get_ydata()[0], 100 * (1000 / 1004 - 1))


# Scenarios


def test_the_overlay_shows_means_and_not_medians(projection):
    axes = plot.overlay(projection, "Ohio", titles={"supply-shock-2023-like": "A shock for $1"})
    row = projection.baseline.index("OH")
    held = projection.counted("supply-shock-2023-like")  # a what-if: given that it works
    mean = projection.forecast("supply-shock-2023-like").samples()[held, row].mean(axis=0)
    np.testing.assert_allclose(line(axes, r"A shock for \$1").get_ydata(), mean)
    assert line(axes, "Status quo").get_linestyle() == "--"
    assert "A shock for $1" in plot.alt_text(axes)
    assert plot.overlay(projection.select("Ohio")).get_title(loc="left").endswith(", Ohio")


def test_what_is_prevented_are_the_numbers_of_the_answer(projection):
    judged = od.scenario.named("cooperation-resumed", onset="2026-01")
    both = od.project(projection.baseline, [*projection.scenarios[1:], judged], seed=1)
    axes = plot.prevented(both, "Ohio", titles={"cooperation-resumed": "For $1"})
    table = both.select("Ohio").answer().set_index("scenario_id")
    works = both.select("Ohio").outcomes().drop_duplicates("scenario_id")["averted_mean"]
    dots = [x.get_xdata()[0] for x in axes.lines if x.get_marker() == "o"]
    np.testing.assert_allclose(dots, works)
    (diamond,) = (x.get_xdata()[0] for x in axes.lines if x.get_marker() == "D")
    assert diamond == pytest.approx(table.loc["cooperation-resumed", "averted_mean"])
    assert diamond <= dots[1]
    said = plot.alt_text(axes)
    assert "a what-if, no chance" in said
    assert "For $1 (59% likely)" in said


def test_averted_by_year_is_the_table_and_by_month_adds_up_to_it(projection):
    axes = plot.averted(projection, "Ohio")
    table = projection.averted()
    rows = table[(table["location"] == "OH") & table["kind"].isin(["year", "all"])]
    (dots,) = (x for x in axes.lines if x.get_marker() == "o")
    np.testing.assert_allclose(dots.get_ydata(), rows["averted_mean"])
    month = plot.averted(projection, "Ohio", by="month")
    np.testing.assert_allclose(
        month.lines[0].get_ydata()[-1], rows.loc[rows["kind"] == "all", "averted_mean"].iloc[0]
    )
    same = plot.averted(table, "Ohio")
    (again,) = (x for x in same.lines if x.get_marker() == "o")
    np.testing.assert_allclose(again.get_ydata(), dots.get_ydata())
