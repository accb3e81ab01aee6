"""What a forecast of counties says of itself, and that no number below 10 is in it."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from county_forecasts import made_forecast

import odforecast as od
from odforecast import plot
from odforecast.errors import DataError, UnknownNameError
from odforecast.forecasts import tables
from odforecast.forecasts.tables import among_highest
from odforecast.plot.style import head_of
from odforecast.report.counties import write_county_page

CUYAHOGA, VINTON, FRANKLIN, ADAMS = "39035", "39163", "39049", "39001"
NONE = "39003"


@pytest.fixture(scope="module")
def forecast() -> od.Forecast:
    # 201 draws: the 5th, 25th, 50th … percent are draws themselves, and none lies between two.
    return made_forecast(draws=201)


@pytest.fixture(scope="module")
def table(forecast):
    return forecast.counties()


def scrambled(forecast: od.Forecast) -> od.Forecast:
    small = (forecast.draws >= 1) & (forecast.draws < 10)
    others = np.random.default_rng(11).integers(1, 10, small.shape)
    return replace(forecast, draws=np.where(small, others, forecast.draws))


def test_no_number_below_ten_is_in_it_but_the_chances_of_such(forecast, table, monkeypatch):
    assert len(table) == 88 * 12
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
    monkeypatch.setattr(tables, "_AT_ONCE", 30)  # many counties are done in blocks
    assert forecast.counties().equals(table)


def test_the_last_count_stands_as_published_and_changes_only_where_it_is_known(forecast, table):
    at = table[table["horizon"] == 12].set_index("location")
    cuyahoga = forecast.index(CUYAHOGA)
    assert at.loc[CUYAHOGA, "last"] == f"{forecast.panel.reported[cuyahoga, -1]:.0f}"
    assert at.loc[[VINTON, FRANKLIN, NONE], "last"].tolist() == ["1–9", "≥1,000", "0"]
    change = forecast.change("2024-03")[:, cuyahoga]
    assert at.loc[CUYAHOGA, ["fall", "rise"]].tolist() == [(change < 0).mean(), (change > 0).mean()]
    assert at.loc[[VINTON, FRANKLIN], ["fall", "rise"]].isna().all(axis=None)
    assert at.loc[NONE, "fall"] == 0


@pytest.mark.slow
def test_what_lies_below_ten_makes_no_difference(forecast, table, tmp_path):
    other = scrambled(forecast)
    few = [CUYAHOGA, FRANKLIN, VINTON, ADAMS, NONE]
    assert not np.array_equal(other.draws, forecast.draws)
    assert other.counties().equals(table)
    for county in (CUYAHOGA, VINTON, ADAMS, NONE):
        assert other.text(county) == forecast.text(county)
    assert other._repr_html_() == forecast._repr_html_()

    def written(f: od.Forecast) -> list[bytes]:
        some = f.select(few)
        axes = [plot.map(some), plot.map(some, "ten"), plot.map(some, "rising")]
        axes += [plot.fan(some, VINTON), plot.fan(some, ADAMS)]
        page = write_county_page(tmp_path / "page.html", some, k=3, replace=True)
        figures = (plot.save(a, tmp_path / "figure.svg").read_bytes() for a in axes)
        return [*figures, page.read_bytes()]

    *_, page = written(forecast)
    assert written(other) == written(forecast)
    known = "with deaths up to March 2023. Its forecasts are for the 12 months ending in "
    for words in (
        "&lt;10",
        f"release of October 8, 2023, {known}",
        "The next release was due by February 20, 2024.",
    ):
        assert words in page.decode()
    assert "data fetch" not in page.decode()


@pytest.mark.parametrize(
    ("county", "said"),
    [
        (VINTON, "between 1 and 9 drug overdose deaths of residents were reported"),
        (VINTON, "is fewer than 10 deaths: the probability of none is"),
        (VINTON, "no change can be given"),
        (FRANKLIN, "1,000 or more drug overdose deaths of residents"),
        (ADAMS, "90% interval fewer than 10 to"),
        (NONE, "0 drug overdose deaths of residents were reported .* release of October 8, 2023"),
        (CUYAHOGA, "the forecast is about"),
    ],
)
def test_texts_say_ranges(forecast, county, said):
    assert re.search(said, forecast.text(county))
    assert "fewer than 10" not in forecast.text(CUYAHOGA)
    assert "12 months before" not in forecast.text(NONE)


def test_ten_are_shown_and_nine_are_not_by_hand(forecast):
    draws = np.broadcast_to(np.resize([0.0, 1.0, 9.0, 10.0], 200)[:, None, None], (200, 88, 12))
    even = replace(forecast, draws=draws)
    chances = even.counties()[["p_zero", "p_hidden", "p_ten"]]
    assert (chances == [0.25, 0.5, 0.25]).all(axis=None)
    said = "the probability of none is 25%, that of 1 to 9 is 50%, and that of 10 or more 25%"
    assert said in even.text(ADAMS)
    for deaths, few in ((19.0, True), (20.0, False)):
        alike = replace(forecast, draws=np.full_like(forecast.draws, deaths))
        assert (alike.counties()["few"] == few).all()
        assert (alike.select([CUYAHOGA, ADAMS]).ranking(1)["few"] == few).all()
    panel = replace(forecast.panel, residents={ADAMS: 10_000.0})
    ten = replace(forecast, panel=panel, draws=np.full_like(forecast.draws, 10.0))
    assert (ten.counties(ADAMS)["rate"] == 100.0).all()


@pytest.mark.parametrize(
    ("draws", "before", "said"),
    [
        (10.0, None, r"about \d+ fewer than 12 months before; the"),
        (19.0, None, r"about \d+ fewer than 12 months before; the"),
        (20.0, None, r"about \d+ fewer than 12 months before \(−\d+%\)"),
        (300.0, None, r"about \d+ fewer than 12 months before \(−\d+%\)"),
        (9.0, None, "The probability of fewer than 12 months before is more than 99%"),
        (300.0, 19.0, "about 281 more than 12 months before; the"),
        (300.0, 300.0, "as many as 12 months before; .* less than 1%, of no change more than 99%"),
        (300.0, 0.0, ""),
    ],
)
def test_a_change_of_few_deaths_has_no_percent(forecast, draws, before, said):
    panel = forecast.panel
    if before is not None:
        reported = panel.reported.copy()
        reported[panel.index(CUYAHOGA), -1] = before
        panel = replace(panel, reported=reported)
    text = replace(forecast, draws=np.full_like(forecast.draws, draws), panel=panel).text(CUYAHOGA)
    assert re.search(said, text)
    assert (draws < 10) == ("about" not in text) == ("10 or more" in text)
    assert before != 0 or "12 months before" not in text


@pytest.mark.parametrize("k", [1, 2, 4, 8, 9])
def test_ties_for_the_last_rank_are_shared(k):
    rng = np.random.default_rng(3)
    values, found = rng.integers(0, 6, (40, 9)).astype(float), np.zeros(9)
    for _ in range(400):
        noise = rng.permuted(np.tile(np.arange(9) / 100, (40, 1)), axis=1)
        order = np.argsort(-(values + noise), axis=1)[:, :k]
        found += np.bincount(order.ravel(), minlength=9) / (400 * 40)
    chances = among_highest(values, k)
    assert np.allclose(chances, found, atol=0.02)
    assert chances.sum() == pytest.approx(k)
    assert (among_highest(values, 9 + k) == 1.0).all()


def test_the_ranking_is_the_same_whatever_the_order(forecast):
    table = forecast.ranking(3)
    assert table["among"].sum() == pytest.approx(3)
    assert table["among"].is_monotonic_decreasing
    assert forecast.select(forecast.locations[::-1]).ranking(3).equals(table)
    top = table.set_index("location")
    assert set(table["location"][:3]) == {FRANKLIN, CUYAHOGA, "39061"}
    mine = forecast.index(CUYAHOGA)
    rising = (forecast.change("2024-03")[:, mine] > 0).mean()
    assert top.loc[CUYAHOGA, "rising"] == rising == top.loc[CUYAHOGA, "above_last"]
    assert top.loc[[FRANKLIN, VINTON], ["rising", "above_last"]].isna().all(axis=None)
    assert np.isnan(top.loc[VINTON, "deaths"])
    assert forecast.ranking(3, exact=True)["deaths"].notna().all()
    # What is not shown has no rank, so that it does not show in one.
    assert scrambled(forecast).ranking(60).equals(forecast.ranking(60))
    at = forecast.samples()[:, :, -1]
    assert forecast.ranking(60)["among"].sum() == pytest.approx((at >= 10).sum() / len(at))
    assert forecast.ranking(60, exact=True)["among"].sum() == pytest.approx(60)
    near = forecast.ranking(3, month="2023-06").set_index("location").loc[CUYAHOGA]
    assert near["rising"] == (forecast.change("2023-06")[:, mine] > 0).mean() != near["above_last"]


def test_rates_are_ranked_where_people_are_known(forecast):
    people = {CUYAHOGA: 1_200_000.0, ADAMS: 10_000.0, "39061": 400_000.0}
    table = replace(forecast, panel=replace(forecast.panel, residents=people)).ranking(1, by="rate")
    assert table["location"][0] in (ADAMS, "39061")
    assert table["among"].sum() == pytest.approx(1)
    assert list(table["among"].isna()) == [False] * 3 + [True] * 85


def test_a_fan_draws_nothing_below_ten(forecast):
    axes = plot.fan(forecast, ADAMS)
    for line in axes.lines:
        known = np.asarray(line.get_ydata(), dtype=float)
        assert not ((known > 0) & (known < 10)).any()
    for path in (p for band in axes.collections for p in band.get_paths()):
        assert path.vertices.size == 0 or path.vertices[:, 1].min() >= 10
    assert "Hatched: below 10, not shown." in head_of(axes).caption
    assert "interval fewer than 10 to" in plot.alt_text(axes)
    hidden = plot.fan(forecast, VINTON)
    assert "1 to 9 reported for March 2023; forecast for March 2024 <10" in plot.alt_text(hidden)
    assert "<10" in [t.get_text() for t in hidden.texts]
    assert "Hatched" not in head_of(plot.fan(forecast, CUYAHOGA)).caption
    assert "suppressed" in plot.alt_text(plot.counts(forecast.panel, VINTON))


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda f: plot.fan(f, "WV"), UnknownNameError, "has no WV; WV is a state, and these are"),
        (plot.fan, UnknownNameError, "has 88 counties; name one"),
        (lambda f: plot.counts(f.panel, FRANKLIN), DataError, "no count of Franklin"),
    ],
)
def test_a_figure_is_of_one_county_that_has_counts(forecast, call, error, said):
    with pytest.raises(error, match=said):
        call(forecast)


def test_past_errors_say_no_median_below_ten():
    months = np.array(["2022-06", "2022-09"], dtype="datetime64[M]").astype("datetime64[s]")
    same = {"model": "county", "location": CUYAHOGA, "target": "deaths_12mo", "horizon": 12}
    same |= {"scorable": True, "vintage": "pseudo-clean", "observed": 20.0}
    when = {"month": months, "last_month": months - np.timedelta64(365, "D")}
    scores = pd.DataFrame({"median": [10.0, 7.0]} | when).assign(**same)
    axes = plot.errors(scores, CUYAHOGA)
    assert "without medians below 10" in head_of(axes).caption
    assert "the median error was −50%" in plot.alt_text(axes)
    said = plot.alt_text(plot.said_and_came(scores, CUYAHOGA))
    assert "half of the medians were within 50.0% of it" in said
    assert "the last forecast was <10 for September 2022" in said
    with pytest.raises(DataError, match="no forecast of Cuyahoga County, Ohio says 10 or more"):
        plot.errors(scores.assign(median=7.0), CUYAHOGA)
