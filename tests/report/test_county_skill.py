"""Results of counties on a page and in figures: all counties first, and nothing below 10."""

import re
from pathlib import Path

import numpy as np
import pytest
from county_forecasts import made_forecast
from made_up_counties import made_up

import odforecast as od
import odforecast.plot as plots
from odforecast.backtesting import cuts
from odforecast.errors import DataError
from odforecast.geography.places import counties_of
from odforecast.plot.style import head_of
from odforecast.report.counties import COVERED, write_county_page
from odforecast.report.site import write_report, write_site
from odforecast.scoring import Truth, county_leaderboard

KENT, SMALL = (next(c.fips for c in counties_of("DE")), "36085")


@pytest.fixture(scope="module")
def results():
    panel = made_up(("DE", "YC"))
    found = cuts(panel, start="2022-03", end="2022-09", step=3)
    models = ["county-last", "county-hub-baseline"]
    return od.backtest(models, found, truth=Truth(panel), draws=60, progress=False)


def words(path):
    page = re.sub(r"(?s)<style.*?</style>|<script.*?</script>", "", path.read_text("utf-8"))
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_a_page_of_county_results_begins_with_all_counties(results, tmp_path):
    said = words(write_report(tmp_path / "page.html", results=results))
    assert "one plateau, one release, provisional truth" in said
    assert "3 months ahead: 24 counts of 8 counties in 2 states, of which 21 are known" in said
    assert "clustered by state" in said
    assert "jurisdictions" not in said
    row = county_leaderboard(results.scores).set_index(["horizon", "model"]).loc[(3, "county-last")]
    assert f"{row['twcrps']:.2f} {row['rel_twcrps']:.2f} ± {row['se_twcrps']:.3f}" in said
    assert re.search(r"county-last 1 to 9 – – 0 \d+% 9 ", said)


def test_a_page_of_states_refuses_counties(tmp_path):
    made = od.get_model("county-last").fit(made_up(("DE", "YC"))).forecast(draws=20)
    for write in (write_report, write_site):
        with pytest.raises(DataError, match="would show counts below 10"):
            write(tmp_path / "made.html", forecast=made)
    assert not list(tmp_path.iterdir())


def test_figures_of_counties_say_so_and_show_nothing_below_10(results):
    axes = results.plot(kind="skill")
    assert head_of(axes).title == "Error relative to county-hub-baseline"
    assert "counties" in plots.alt_text(axes)
    assert "7 counties" in plots.alt_text(results.plot(kind="coverage"))
    # Hidden counts have a PIT; without them, counties that fell below 10 would be missing.
    assert "8 counties" in plots.alt_text(results.plot(kind="pit"))
    scores = results.scores.assign(low=3.0, high=22.0)
    mine, last = scores["location"] == KENT, scores["last_month"].max()
    scores.loc[mine, "median"] = np.where(scores.loc[mine, "last_month"] < last, 7.0, 12.0)
    scores.loc[mine & (scores["last_month"] == last), "observed"] = 0.0
    axes = plots.said_and_came(scores, KENT, model="county-last", horizon=3)
    drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    bars = np.concatenate([path.vertices[:, 1] for path in axes.collections[0].get_paths()])
    assert np.nanmin(drawn) >= 10
    assert np.nanmin(bars) >= 10
    said = plots.alt_text(axes)
    assert "the last forecast was 12 for" in said
    assert "the final count was <10" in said
    assert "Counts below 10 are not shown." in head_of(axes).caption


def test_a_page_of_counties_says_how_often_past_intervals_contained_the_count(tmp_path):
    shown = write_county_page(tmp_path / "page.html", made_forecast(draws=60))
    model = made_forecast(draws=60).provenance["model"]
    assert ("has not been measured" in words(shown)) == (model not in COVERED)
    text = (Path(__file__).parents[2] / "docs" / "models" / "counties.md").read_text("utf-8")
    for model, ends in COVERED.items():
        (row,) = (x for x in text.splitlines() if x.startswith(f"| `{model}` | ."))
        shares = [round(100 * float(x)) for x in row.split("|")[-2].split("/")]
        assert ends == (min(shares), max(shares))
