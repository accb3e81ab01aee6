"""What a forecast of counties says of itself, and that no number below 10 is in it."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from county_forecasts import made_forecast, made_panel
from forecast_factory import same

import odforecast as od
from odforecast import plot
from odforecast.errors import DataError, ForecastError, UnknownNameError
from odforecast.forecast import tables as module
from odforecast.forecast.tables import among_highest
from odforecast.forecast.text import text
from odforecast.plot.style import head_of
from odforecast.report.brief import write_brief, write_briefs
from odforecast.report.site import write_county_page, write_report, write_site

CUYAHOGA, VINTON, FRANKLIN, ADAMS = "39035", "39163", "39049", "39001"
#: Nobody ever died there.
NONE = "39003"


@pytest.fixture(scope="module")
def forecast() -> od.Forecast:
    # 201 draws: the 5th, 25th, 50th … percent are draws themselves, and none lies between two.
    return made_forecast(draws=201)


@pytest.fixture(scope="module")
def table(forecast):
    return forecast.counties()


def scrambled(forecast: od.Forecast) -> od.Forecast:
    """The same, with each draw of 1 to 9 replaced by another of 1 to 9."""
    rng = np.random.default_rng(11)
    draws = forecast.draws.copy()
    small = (draws >= 1) & (draws < 10)
    draws[small] = rng.integers(1, 10, small.sum())
    return replace(forecast, draws=draws)


# The table


def test_its_columns_are_a_file_format(table):
    assert list(table.columns) == [
        *("location", "name", "month", "horizon", "horizon_from_origin", "last", "level"),
        *("low", "low_50", "median", "high_50", "high", "fall", "rise"),
        *("p_zero", "p_hidden", "p_ten", "rate_low", "rate", "rate_high", "few"),
    ]
    assert len(table) == 88 * 12


def test_no_number_below_ten_is_in_it_but_the_chances_of_such(forecast, table):
    names = ["low", "low_50", "median", "high_50", "high"]
    counts, exact = table[names].to_numpy(), forecast.counties(exact=True)[names].to_numpy()
    assert np.nanmin(counts) >= 10
    held = forecast.quantiles([0.05, 0.25, 0.5, 0.75, 0.95]).transpose(1, 2, 0).reshape(-1, 5)
    assert np.array_equal(exact, held)
    assert np.array_equal(np.isnan(counts), held < 10)
    assert np.array_equal(counts[held >= 10], held[held >= 10])
    draws = forecast.draws.transpose(1, 2, 0).reshape(-1, 201)
    assert np.allclose(table["p_zero"], (draws == 0).mean(axis=1))
    assert np.allclose(table["p_ten"], (draws >= 10).mean(axis=1))
    assert np.allclose(table[["p_zero", "p_hidden", "p_ten"]].sum(axis=1), 1)


def test_the_last_count_stands_as_published_and_changes_only_where_it_is_known(forecast, table):
    at = table[table["horizon"] == 12].set_index("location")
    cuyahoga = forecast.index(CUYAHOGA)
    assert at.loc[CUYAHOGA, "last"] == f"{forecast.panel.reported[cuyahoga, -1]:.0f}"
    assert at.loc[[VINTON, FRANKLIN, NONE], "last"].tolist() == ["1–9", "≥1,000", "0"]
    change = forecast.change("2024-03")[:, cuyahoga]
    assert at.loc[CUYAHOGA, ["fall", "rise"]].tolist() == [(change < 0).mean(), (change > 0).mean()]
    assert at.loc[[VINTON, FRANKLIN], ["fall", "rise"]].isna().all(axis=None)
    assert at.loc[NONE, "fall"] == 0


def test_many_counties_are_done_in_blocks(forecast, table, monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", 30)
    assert forecast.counties().equals(table)


def test_rates_are_missing_where_the_count_is(forecast):
    people = dict.fromkeys(forecast.locations, 50000.0) | {CUYAHOGA: 1_200_000.0}
    made = replace(forecast, panel=replace(forecast.panel, residents=people))
    at = made.counties().query("horizon == 12").set_index("location")
    assert at.loc[CUYAHOGA, "rate"] == at.loc[CUYAHOGA, "median"] / 12
    assert np.isnan(at.loc[VINTON, "rate"])
    assert at.loc[ADAMS, "few"]
    assert not at.loc[CUYAHOGA, "few"]
    summary = made.summary([CUYAHOGA]).iloc[-1]
    assert summary["rate"] == at.loc[CUYAHOGA, "rate"]
    assert summary["rate_of"] == CUYAHOGA
    both = made.total([CUYAHOGA, ADAMS], "two").summary().iloc[-1]
    assert both["rate"] == pytest.approx(1e5 * both["median"] / 1_250_000)


# What is shown


def test_what_lies_below_ten_makes_no_difference(forecast, table, tmp_path):
    other = scrambled(forecast)
    few = [CUYAHOGA, FRANKLIN, VINTON, ADAMS, NONE]
    assert not np.array_equal(other.draws, forecast.draws)
    assert other.counties().equals(table)
    for county in (CUYAHOGA, VINTON, ADAMS, NONE):
        assert other.text(county) == forecast.text(county)
    assert other._repr_html_() == forecast._repr_html_()
    for draw in (
        lambda f: plot.map(f),
        lambda f: plot.map(f, "ten"),
        lambda f: plot.map(f, "rising"),
        lambda f: plot.fan(f, VINTON),
        lambda f: plot.fan(f, ADAMS),
    ):
        one, two = (
            plot.save(draw(f), tmp_path / f"{n}.svg").read_bytes()
            for n, f in (("one", forecast.select(few)), ("two", other.select(few)))
        )
        assert one == two
    one, two = (
        write_county_page(tmp_path / f"{n}.html", f.select(few), k=3).read_text(encoding="utf-8")
        for n, f in (("one", forecast), ("two", other))
    )
    assert one == two
    assert "&lt;10" in one


@pytest.mark.parametrize(
    ("county", "said"),
    [
        (VINTON, "between 1 and 9 drug overdose deaths of residents were reported"),
        (VINTON, "is fewer than 10 deaths: the probability of none is"),
        (VINTON, "no change can be given"),
        (FRANKLIN, "1,000 or more drug overdose deaths of residents"),
        (ADAMS, "90% interval fewer than 10 to"),
        (NONE, "0 drug overdose deaths of residents were reported"),
        (NONE, "in the release of October 8, 2023"),
        (CUYAHOGA, "the forecast is about"),
    ],
)
def test_texts_say_ranges(forecast, county, said):
    assert said in forecast.text(county)
    assert "fewer than 10" not in forecast.text(CUYAHOGA)
    # Fewer than none there cannot be.
    assert "12 months before" not in forecast.text(NONE)


def test_a_change_of_few_deaths_has_no_percent(forecast):
    few = replace(forecast, draws=np.full_like(forecast.draws, 19.0))
    many = replace(forecast, draws=np.full_like(forecast.draws, 300.0))
    assert re.search(r"about \d+ fewer than 12 months before; the", few.text(CUYAHOGA))
    assert re.search(r"about \d+ fewer than 12 months before \(−\d+%\)", many.text(CUYAHOGA))
    less = replace(forecast, draws=np.full_like(forecast.draws, 9.0)).text(CUYAHOGA)
    assert "The probability of fewer than 12 months before is more than 99%" in less
    assert "about" not in less
    before = replace(many, panel=with_before(forecast.panel, 19.0))
    assert "about 281 more than 12 months before; the" in before.text(CUYAHOGA)
    none = replace(many, panel=with_before(forecast.panel, 0.0))
    assert "12 months before" not in none.text(CUYAHOGA)


def with_before(panel: od.Panel, count: float) -> od.Panel:
    reported = panel.reported.copy()
    reported[panel.index(CUYAHOGA), -1] = count
    return replace(panel, reported=reported)


def test_a_text_may_be_of_another_month(forecast):
    far = made_forecast(horizon=25, draws=40)
    said = text(far, CUYAHOGA, month="2025-04")
    assert "For the 12 months ending in April 2025" in said
    assert "For the 12 months ending in March 2024" in text(far, CUYAHOGA)
    # The count a year before is a forecast then, and one below 10 is no less hidden.
    draws = far.draws.copy()
    draws[:, far.index(CUYAHOGA), :13] = 4.0
    hidden = text(replace(far, draws=draws), CUYAHOGA, month="2025-04")
    assert "The probability of fewer than 12 months before is" in hidden


def test_reports_and_briefs_are_of_states(forecast, tmp_path):
    for write in (
        lambda: write_report(tmp_path / "a.html", forecast=forecast),
        lambda: write_site(tmp_path / "site", forecast),
        lambda: write_brief(SimpleNamespace(baseline=forecast)),
        lambda: write_briefs(SimpleNamespace(baseline=forecast), tmp_path / "briefs"),
    ):
        with pytest.raises(DataError, match=r"is of counties.*--dataset counties --html FILE"):
            write()
    assert not list(tmp_path.iterdir())


def test_one_wording_of_the_day(forecast, tmp_path):
    said = "release of October 8, 2023"
    fan = plot.fan(forecast, CUYAHOGA)
    page = write_county_page(tmp_path / "x.html", forecast).read_text(encoding="utf-8")
    for shown in (
        " ".join(t.get_text() for t in fan.texts),
        plot.alt_text(fan),
        plot.alt_text(plot.map(forecast)),
        plot.alt_text(plot.counts(forecast.panel, CUYAHOGA)),
        forecast.text(CUYAHOGA),
        page,
    ):
        assert said in " ".join(shown.split())
    assert "s of October" not in page
    assert "as published by" not in page


def test_the_page_of_another_month(tmp_path):
    far = made_forecast(horizon=25, draws=40)
    path = tmp_path / "x.html"
    text = write_county_page(path, far, month="2025-04").read_text(encoding="utf-8")
    assert "to April 2025" in text
    assert "12 months ending in April 2025" in text
    assert "12 months ending April 2025" in text
    assert "March 2024" not in text.replace("beyond March 2024", "")
    assert "Of 88 counties, " in text
    one = write_county_page(tmp_path / "y.html", far.select(ADAMS)).read_text()
    assert "in Adams County, Ohio" in one
    assert "Of 88" not in one
    assert "Hot spots" not in one
    states = od.get_model("naive").fit(od.bundled().as_of().panel()).forecast(draws=20)
    with pytest.raises(DataError, match="write_report"):
        write_county_page(tmp_path / "states.html", states)
    with pytest.raises(DataError, match="has no 2030-01; it has 2023-04 to 2025-04"):
        write_county_page(tmp_path / "z.html", far, month="2030-01")


def test_the_district_is_named_once():
    dc = made_forecast(made_panel("DC"), draws=40)
    assert dc.text().startswith("In the District of Columbia, 0 drug")
    assert dc.counties()["name"].iloc[0] == "District of Columbia"
    assert "in the District of Columbia," in plot.alt_text(plot.fan(dc))


def test_a_county_says_what_it_is(forecast):
    assert ".plot('39035'), .select('Ohio/*')" in repr(forecast.panel)
    with pytest.raises(UnknownNameError, match=r"has no OH; OH is a state, and these are counties"):
        forecast.panel.plot("Ohio")
    assert ".ranking()" in repr(forecast)
    assert forecast.select("Hamilton, Ohio").locations == ("39061",)
    assert forecast.trend()["t1"].notna().any()
    assert len(forecast.years(CUYAHOGA)) == 1
    ohio = forecast.total(forecast.locations, "Ohio, residents")
    assert np.array_equal(ohio.draws[:, 0], forecast.draws.sum(axis=1))


def test_it_is_kept_whole(forecast, tmp_path):
    states = od.bundled().as_of().panel()
    seen = replace(
        forecast.panel,
        beside={"states": states},
        residents={CUYAHOGA: 1_200_000.0},
        urban={CUYAHOGA: "1"},
    )
    made = replace(forecast, panel=seen)
    made.save(tmp_path / "counties")
    same(od.load_forecast(tmp_path / "counties"), made)


# Hot spots


def test_ties_for_the_last_rank_are_shared():
    rng = np.random.default_rng(3)
    values = rng.integers(0, 6, (40, 9)).astype(float)
    for k in (1, 2, 4, 8):
        # Every order of the tied, many times over.
        found = np.zeros(9)
        for _ in range(400):
            noise = rng.permuted(np.tile(np.arange(9) / 100, (40, 1)), axis=1)
            order = np.argsort(-(values + noise), axis=1)[:, :k]
            found += np.bincount(order.ravel(), minlength=9) / (400 * 40)
        chances = among_highest(values, k)
        assert np.allclose(chances, found, atol=0.02)
        assert chances.sum() == pytest.approx(k)
    assert among_highest(values, 9).tolist() == [1.0] * 9


def test_the_ranking_is_the_same_whatever_the_order(forecast):
    table = forecast.ranking(3)
    assert list(table) == [
        *("location", "name", "month", "horizon", "by", "k", "among", "deaths", "rate", "few"),
        *("rising", "above_last"),
    ]
    assert table["among"].sum() == pytest.approx(3)
    assert table["among"].is_monotonic_decreasing
    back = forecast.select(forecast.locations[::-1]).ranking(3)
    assert back.equals(table)
    top = table.set_index("location")
    assert set(table["location"][:3]) == {FRANKLIN, CUYAHOGA, "39061"}
    rising = (forecast.change("2024-03")[:, forecast.index(CUYAHOGA)] > 0).mean()
    assert top.loc[CUYAHOGA, "rising"] == rising == top.loc[CUYAHOGA, "above_last"]
    assert top.loc[[FRANKLIN, VINTON], ["rising", "above_last"]].isna().all(axis=None)
    assert np.isnan(top.loc[VINTON, "deaths"])
    assert forecast.ranking(3, exact=True)["deaths"].notna().all()
    # What is not shown has no rank, so that it does not show in one.
    assert scrambled(forecast).ranking(60).equals(forecast.ranking(60))
    at = forecast.samples()[:, :, -1]
    assert forecast.ranking(60)["among"].sum() == pytest.approx((at >= 10).sum() / len(at))
    assert forecast.ranking(60, exact=True)["among"].sum() == pytest.approx(60)
    near = forecast.ranking(3, month="2023-06").set_index("location")
    before = forecast.change("2023-06")[:, forecast.index(CUYAHOGA)]
    assert near.loc[CUYAHOGA, "rising"] == (before > 0).mean() != near.loc[CUYAHOGA, "above_last"]


def test_rates_are_ranked_where_people_are_known(forecast):
    people = {CUYAHOGA: 1_200_000.0, ADAMS: 10_000.0, "39061": 400_000.0}
    made = replace(forecast, panel=replace(forecast.panel, residents=people))
    table = made.ranking(1, by="rate")
    assert table["location"][0] in (ADAMS, "39061")
    assert table["among"].notna().sum() == 3
    assert table["among"].sum() == pytest.approx(1)
    assert list(table["among"].isna()) == [False] * 3 + [True] * 85
    with pytest.raises(ForecastError, match="no place has a population"):
        forecast.ranking(1, by="rate")


def test_states_are_ranked_without_the_nation():
    panel = od.bundled().as_of("2025-09-17").panel()
    rng = np.random.default_rng(1)
    draws = rng.gamma(50, 4, (40, 3, 12))
    made = od.Forecast.from_panel(panel, draws, ["US", "OH", "WV"], joint={"location", "month"})
    assert set(made.ranking(1)["location"]) == {"OH", "WV"}
    assert made.ranking(1, by="rate")["rate"].notna().all()


def test_a_rise_on_a_drawn_count_needs_draws_that_are_joint_over_months():
    panel = od.bundled().as_of("2025-09-17").panel()
    last = panel.reported[[panel.index(s) for s in ("OH", "WV")], -1:]
    draws = np.random.default_rng(1).normal(last, last / 10, (13, 40, 2, 1))
    both = od.Forecast.from_panel(
        panel, np.concatenate(draws, axis=2), ["OH", "WV"], target="deaths_12mo"
    )
    apart = replace(both, joint=frozenset({"location"}))
    near, far = both.months[-2:]  # a year after the last count that is reported, and drawn
    for made, month in ((both, near), (both, far), (apart, near)):
        rising = made.ranking(1, month=month).set_index("location")["rising"]
        share = (both.change(month) > 0).mean(axis=0)
        assert rising.to_dict() == dict(zip(("OH", "WV"), share))
        assert ((share > 0) & (share < 1)).all()
    table = apart.ranking(1, month=far)
    assert table["rising"].isna().all()
    assert table["above_last"].notna().all()


# Figures of one county


def test_a_fan_draws_nothing_below_ten(forecast):
    axes = plot.fan(forecast, ADAMS)
    for line in axes.lines:
        known = np.asarray(line.get_ydata(), dtype=float)
        assert not ((known > 0) & (known < 10)).any()
    for band in axes.collections:
        for path in band.get_paths():
            assert path.vertices.size == 0 or path.vertices[:, 1].min() >= 10
    assert "Hatched: below 10, not shown." in head_of(axes).caption
    assert "interval fewer than 10 to" in plot.alt_text(axes)
    hidden = plot.fan(forecast, VINTON)
    assert "1 to 9 reported for March 2023; forecast for March 2024 <10" in plot.alt_text(hidden)
    assert "<10" in [t.get_text() for t in hidden.texts]
    with pytest.raises(UnknownNameError, match=r"has no WV; WV is a state, and these are counties"):
        plot.fan(forecast, "WV")
    wide = plot.fan(forecast, CUYAHOGA)
    assert "Hatched" not in head_of(wide).caption


def test_counts_that_were_lost_are_not_drawn():
    panel = made_panel()
    with pytest.raises(DataError, match="no count of Franklin"):
        plot.counts(panel, FRANKLIN)
    assert "suppressed" in plot.alt_text(plot.counts(panel, VINTON))
    with pytest.raises(UnknownNameError, match="has 88 counties: a figure is of one"):
        plot.fan(made_forecast(panel))


def test_past_errors_say_no_median_below_ten():
    months = np.array(["2022-06", "2022-09"], dtype="datetime64[M]").astype("datetime64[s]")
    scores = pd.DataFrame(
        {
            "model": "county", "location": CUYAHOGA, "target": "deaths_12mo", "horizon": 12,
            "month": months, "last_month": months - np.timedelta64(365, "D"), "scorable": True,
            "vintage": "pseudo-clean", "observed": [20.0, 20.0], "median": [10.0, 7.0],
        }
    )  # fmt: skip
    axes = plot.errors(scores, CUYAHOGA)
    assert "without medians below 10" in head_of(axes).caption
    assert "the median error was −50%" in plot.alt_text(axes)
    said = plot.alt_text(plot.said_and_came(scores, CUYAHOGA))
    assert "half of the medians were within 50.0% of it" in said
    assert "the last forecast was <10 for September 2022" in said
    with pytest.raises(DataError, match="no forecast of Cuyahoga County, Ohio says 10 or more"):
        plot.errors(scores.assign(median=7.0), CUYAHOGA)
