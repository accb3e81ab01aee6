"""Each figure once: what it shows are the numbers it was given, and what it refuses."""

import itertools
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from county_forecasts import made_forecast
from matplotlib.figure import Figure
from test_map import TABLE

import odforecast as od
from odforecast import plot
from odforecast.errors import ArchiveError, DataError, ForecastError, UnknownNameError
from odforecast.geography import JURISDICTIONS
from odforecast.plot.maps import GRID
from odforecast.plot.style import head_of
from odforecast.say import chance


def line(axes, label):
    (found,) = (x for x in axes.lines if x.get_label() == label)
    return found


def numbers(text: str) -> set[float]:
    return {float(x.replace(",", "")) for x in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}


def says(axes, *parts: str) -> None:
    said = plot.alt_text(axes)
    assert [p for p in parts if p not in said] == [], said


def texts(axes, gid=None) -> list[str]:
    return [t.get_text() for t in axes.texts if gid is None or t.get_gid() == gid]


def test_counts_are_those_of_the_panel_or_its_frame(panel):
    row = panel.index("OH")
    for given in (panel, panel.to_frame()):
        axes = plot.counts(given, "ohio")
        np.testing.assert_array_equal(line(axes, "reported").get_ydata(), panel.reported[row])
        assert axes.get_ylim()[0] == 0
        assert axes.get_title(loc="left").endswith("each month, Ohio")
        says(axes, f"{panel.reported[row, -1]:,.0f} reported for April 2025")
    says(plot.counts(panel, "ohio"), "September 17, 2025")
    assert "September 17, 2025" in " ".join(head_of(plot.counts(panel)))
    months = pd.to_datetime(["2024-01-01", "2024-02-01"])
    layers = {"reported": [12.0, np.nan], "low": [12, 1.0], "high": [12, 9.0]}
    axes = plot.counts(pd.DataFrame({"location": "39035", "month": months, **layers}))
    assert axes.get_title(loc="left").endswith("Cuyahoga County, Ohio")
    (path,) = axes.collections[0].get_paths()
    assert sorted(path.vertices[:, 1]) == [1, 9]
    says(axes, "1 counts suppressed")


def test_a_fan_opens_at_the_last_count_and_shows_the_quantiles(panel, forecast):
    given = Figure(layout="constrained").subplots()
    axes = plot.fan(forecast, "Ohio", axes=given, months=24)
    assert axes is given
    row = panel.index("OH")
    np.testing.assert_array_equal(line(axes, "reported").get_ydata(), panel.reported[row, -24:])
    median = line(axes, "forecast").get_ydata()
    assert median[0] == panel.reported[row, -1]
    low, middle, high = forecast.quantiles([0.05, 0.5, 0.95])[:, forecast.index("OH")]
    np.testing.assert_allclose(median[1:], middle)
    bands = [c.get_paths()[0].vertices[:, 1] for c in axes.collections if c.get_paths()]
    assert any(np.isclose(v, low[-1]).any() and np.isclose(v, high[-1]).any() for v in bands)
    said = numbers(plot.alt_text(axes))
    assert panel.reported[row, -1] in said
    assert any(abs(x - middle[-1]) <= 0.07 * (high[-1] - low[-1]) for x in said)
    axes = plot.fan(forecast, "Ohio")
    first, until, *rest = texts(axes, ".beside")
    assert (first, until) == ("Forecast, 12 months", "to April 2026")
    says(axes, *rest)
    longer = od.get_model("drift").fit(forecast.panel).forecast(horizon=20, draws=60, seed=1)
    assert "not tested" in head_of(plot.fan(longer, "Ohio")).caption
    assert "not tested" not in head_of(axes).caption


def test_the_last_count_is_marked_with_what_it_will_be(panel, revising):
    axes, row = plot.fan(revising, "US"), panel.index("US")
    back = revising.horizons <= 0
    estimate = revising.quantiles([0.5])[0, revising.index("US")][back]
    np.testing.assert_allclose(line(axes, "forecast").get_ydata()[: back.sum()], estimate)
    marks = {x.get_gid(): x.get_ydata() for x in axes.lines if x.get_gid()}
    np.testing.assert_allclose(marks["final"], estimate[-1])
    last = panel.reported[row, -1]
    assert marks["reported"] == line(axes, "reported").get_ydata()[-1] == last
    top = f"{panel.reported[row].max():,.0f} in June 2023"
    assert {f"{last:,.0f} reported", top} <= set(texts(axes))
    assert any(t.startswith("about ") and t.endswith(" when final") for t in texts(axes))


@pytest.mark.slow
def test_the_line_of_a_fan_does_not_run_through_a_number(panel, forecast):
    history, seen = panel.select(["US"]).to_frame(), set()
    for count in range(60_000, 90_000, 2_000):
        given = history.assign(reported=float(count))
        axes = plot.fan(forecast, "US", history=given, axes=plot.sheet((692, 376)))
        axes.figure.draw_without_rendering()
        up = axes.bbox.height / np.ptp(axes.get_ylim())
        above = min((up * (count - x) for x in axes.get_yticks()[1:]), key=lambda x: abs(x - 8))
        first = line(axes, "reported").get_xdata()[0].astype(float)
        if not (-5 < above < 4 or 12 < above < 28):  # where letters begin and end
            assert (axes.get_xlim()[0] < first - 60) == (0 < above < 16), (count, above)
            seen.add(0 < above < 16)
    assert seen == {True, False}


def test_a_table_of_a_forecast_draws_the_same(panel, forecast):
    table = forecast.select("Ohio").to_frame([0.05, 0.25, 0.5, 0.75, 0.95])
    axes, same, bare = plot.fan(forecast, "Ohio"), plot.fan(table, history=panel), plot.fan(table)
    middle = line(axes, "forecast").get_ydata()
    np.testing.assert_allclose(line(same, "forecast").get_ydata(), middle)
    says(same, "as of September 2025")
    assert "reported" not in plot.alt_text(bare)
    assert len(line(bare, "forecast").get_ydata()) == 12  # nothing to open from


def test_one_forecast_over_another(forecast, revising):
    axes = plot.fan(forecast, "WV")
    plot.fan(revising, "WV", axes=axes, color="#d55e00", label="with delay")
    labels = axes.get_legend_handles_labels()[1]
    assert labels.count("reported") == 1
    assert {"forecast", "with delay"} <= set(labels)
    assert {"Forecast", "With delay"} <= set(texts(axes))
    highest = max(x.get_ydata().max() for x in axes.lines)
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > max(highest, forecast.select("WV").quantiles([0.95]).max())
    says(axes, "forecast by with delay for April 2026")


def test_a_sum_has_the_history_of_its_parts_unless_one_is_hidden(revising, panel, forecast):
    midwest = revising.region("Midwest")
    nation = revising.select([s for s in revising.locations if s != "US"]).nation()
    for made, rows in (
        (midwest, [panel.index(s) for s in midwest.parts["Midwest"]]), (nation, panel.index("US")),
    ):  # fmt: skip
        assert line(plot.fan(made), "reported").get_ydata()[-1] == panel.reported[rows, -1].sum()
    says(plot.fan(midwest), "in the Midwest")
    joint = replace(forecast, joint=frozenset({"location", "month"}))  # as if its draws were
    both, history = joint.total(["OH", "WV"], "both"), panel.select(["OH", "WV"]).to_frame()
    month = history["month"].max() - pd.DateOffset(months=5)
    history.loc[(history["location"] == "WV") & (history["month"] == month), "reported"] = np.nan
    shown = line(plot.fan(both, history=history), "reported").get_ydata()
    assert np.flatnonzero(np.isnan(shown)).tolist() == [len(shown) - 6]
    assert shown[-1] == panel.reported[[panel.index("OH"), panel.index("WV")], -1].sum()


@pytest.mark.slow
def test_small_multiples_are_one_place_each_and_all_places_fit(forecast):
    (one,) = plot.small_multiples(forecast, "New York")
    assert one.get_title(loc="left").startswith("New York outside NYC  ")
    grid = plot.small_multiples(forecast)
    assert len(grid) == len(forecast.locations) == plot.alt_text(grid).count("forecast for")
    assert all(a.get_ylim()[0] == 0 for a in grid)
    grid.figure.draw_without_rendering()
    titles = [a._left_title.get_window_extent() for a in grid[:4]]
    assert all(a.x1 <= b.x0 for a, b in itertools.pairwise(titles))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(358, 300), (1080, 376)])
@pytest.mark.parametrize("place", ["US", "AZ", "VT"])
def test_labels_of_a_fan_hide_no_other_and_leave_nothing_out(revising, size, place):
    axes = plot.fan(revising, place, axes=plot.sheet(size), months=120)
    figure = axes.get_figure()
    figure.draw_without_rendering()
    ticks = [t for t in axes.get_xticklabels() if t.get_visible()]
    boxes = [t.get_window_extent() for t in (*ticks, *axes.texts) if t.get_text()]
    for box in boxes:
        assert figure.bbox.x0 - 1 <= box.x0 < box.x1 <= figure.bbox.x1 + 1
        assert figure.bbox.y0 - 1 <= box.y0 < box.y1 <= figure.bbox.y1 + 1
    for a, b in itertools.combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        assert min(across, min(a.y1, b.y1) - max(a.y0, b.y0)) < 4, (a, b)


def test_tiles_show_changes_or_chances_and_say_what_is_missing():
    axes = plot.tile_map({"Ohio": -12.4, "WV": 20.1, "NYC": 0.2, "VT": np.nan, "US": -3})
    shown = [texts(axes).count(text) for text in ("−12%", "+20%", "–", "−3%")]
    assert shown == [1, 1, 49, 0]  # the nation is no tile
    assert sum(p.get_hatch() is not None for p in axes.patches) == 49
    says(axes, "a fall in 1 of 3 places, from −12% (Ohio) to +20% (West Virginia)")
    says(axes, "United States −3%")
    assert "Vermont" not in plot.alt_text(axes).partition("No value")[0]
    # A chance on the edge is not said to be certain, and a fall is likelier above one half.
    axes = plot.tile_map({"OH": 0.005, "WV": 0.995, "IN": 0.006}, kind="fall")
    assert {"<1%", ">99%", "1%"} <= set(texts(axes))
    assert not {"0%", "100%"} & set(texts(axes))
    shares = {"OH": 0.69, "WV": 0.51, "IN": 0.5, "KY": 0.31, "US": 0.99}
    says(plot.tile_map(shares, kind="fall"), "a fall is likelier than not in 2 of 4 places")
    assert set(GRID) == {*JURISDICTIONS, "PR"}
    assert len(set(GRID.values())) == len(GRID)
    (x, y), (cx, cy) = GRID["NY"], GRID["YC"]
    assert abs(x - cx) + abs(y - cy) == 1  # beside one another


def test_a_forecast_is_mapped_twelve_months_ahead(forecast):
    table = forecast.summary()
    axes = plot.tile_map(table, kind="fall")
    rows = table[table["horizon"] == 12].set_index("location")
    x, y = GRID["OH"]
    (shown,) = (t.get_text() for t in axes.texts if t.get_position() == (x + 0.5, y + 0.72))
    assert shown == chance(rows.loc["OH", "fall"], short=True).replace(" ", "\u2009")
    says(axes, "April 2026")
    says(plot.tile_map(table, month="2025-10"), "October 2025")
    for chances, said in (((0.9, 0.1), " 1 of 2 jurisdictions and to rise in 1"),
                          ((0.9, 0.5), " 1 of 2 jurisdictions")):  # fmt: skip
        axes = plot.tile_map(dict(zip(("OH", "WV"), chances)), kind="fall")
        assert head_of(axes).title == f"Deaths are likely to fall in{said}"


def test_what_was_said_and_what_came(results):
    axes = plot.said_and_came(results, "Ohio", model="drift")
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


def test_the_nowcast_shows_what_was_reported_and_what_it_will_be(panel, revising):
    axes, table = plot.nowcast(revising, "NYC"), revising.select("YC").nowcast()
    np.testing.assert_allclose(line(axes, "final count: median").get_ydata(), table["median"])
    counts = panel.reported[panel.index("YC"), -24:]
    np.testing.assert_array_equal(line(axes, "reported").get_ydata(), counts)
    assert f"{table['reported'].iloc[-1]:,.0f} reported for April 2025" in plot.alt_text(axes)
    below = plot.nowcast(table, kind="revision")
    labels = {"median": "final count: median", "predicted": "CDC's predicted value",
              "predicted_unbiased": "CDC's, minus its usual excess"}  # fmt: skip
    for name, label in labels.items():
        less = table[name] - table["reported"]
        np.testing.assert_allclose(line(below, label).get_ydata(), less)
        assert not np.allclose(less, 0)


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
    first = plot.revision_triangle(table, kind="percent").lines[0]
    np.testing.assert_allclose(first.get_ydata()[0], 100 * (1000 / 1004 - 1))


def test_the_overlay_shows_means_and_what_is_averted_is_the_table(projection):
    axes = plot.overlay(projection, "Ohio", titles={"supply-shock-2023-like": "A shock for $1"})
    row = projection.baseline.index("OH")
    held = projection.counted("supply-shock-2023-like")  # a what-if: given that it works
    mean = projection.forecast("supply-shock-2023-like").samples()[held, row].mean(axis=0)
    np.testing.assert_allclose(line(axes, r"A shock for \$1").get_ydata(), mean)
    assert line(axes, "Status quo").get_linestyle() == "--"
    assert "A shock for $1" in plot.alt_text(axes)
    assert plot.overlay(projection.select("Ohio")).get_title(loc="left").endswith(", Ohio")
    axes, table = plot.averted(projection, "Ohio"), projection.averted()
    rows = table[(table["location"] == "OH") & table["kind"].isin(["year", "all"])]
    (dots,) = (x for x in axes.lines if x.get_marker() == "o")
    np.testing.assert_allclose(dots.get_ydata(), rows["averted_mean"])


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
    says(axes, "a what-if, no probability", "For $1 (59% likely)")


def test_spoken_coverage_is_of_months_ahead(mixed):
    s = mixed.scores
    mine = s[(s["model"] == "naive+delay") & (s["vintage"] == "pseudo-delayed")]
    mine = mine[mine["scorable"] & (mine["target"] == "deaths_12mo") & (mine["location"] != "US")]
    ahead = mine[mine["horizon"] >= 1]
    said = plot.alt_text(plot.coverage(mixed, "naive+delay"))
    told = 0
    for n in (50, 80, 90, 95):
        share = f"{100 * ahead[f'cover_{n}'].mean():.0f}"
        assert f"{n}% intervals contained {share}%" in said
        told += share != f"{100 * mine[f'cover_{n}'].mean():.0f}"
    assert told  # with the nowcast it would be another number


def scored(**columns) -> pd.DataFrame:
    same = {"model": "a", "location": "OH", "target": "deaths_12mo", "horizon": 12,
            "scorable": True, "vintage": "real"}  # fmt: skip
    return pd.DataFrame({**columns, **{k: v for k, v in same.items() if k not in columns}})


def test_the_bars_of_pit_have_a_mean_of_1(results):
    assert np.mean([b.get_height() for b in plot.pit(results).patches]) == pytest.approx(1)


def ahead(median, low, high) -> pd.DataFrame:
    months = pd.date_range("2020-01-01", periods=len(median), freq="MS")
    last = months - pd.DateOffset(months=12)
    return scored(month=months, last_month=last, observed=100.0, median=median, low=low, high=high)


def test_half_of_the_medians_are_within_the_middle_error():
    axes = plot.said_and_came(ahead([101.0, 98.0, 103.0, 140.0, 60.0], 90.0, 110.0))
    says(axes, "half of the medians were within 3.0% of it")  # not 17.2%
    says(axes, "5 of 5 90% intervals contained the final count")


@pytest.mark.parametrize(("medians", "side"), [((120, 125), "lower"), ((120, 80), "")])
def test_misses_on_one_side_are_said_to_be(medians, side):
    median = np.array(medians)
    axes = plot.said_and_came(ahead(median, median - 10, median + 10))
    assert "2 of 2 intervals missed" in texts(axes)
    assert (f"final counts were {side}" in texts(axes)) == bool(side)
    assert (f", and the other counts were {side}" in plot.alt_text(axes)) == bool(side)


QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95]
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
