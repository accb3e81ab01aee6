"""Pages: what is kept apart, what is of other deaths, and numbers against a sum made here."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from site_factory import PLACES, Page, small_forecast, small_results

import odforecast as od
from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.report.record import past_record
from odforecast.report.site import write_report, write_site
from odforecast.report.site.past import ends_held, past_forecasts
from odforecast.report.site.pictures import fan, past
from odforecast.report.site.skill import Skill
from odforecast.report.site.tiles import change_look, fall_look
from odforecast.say import between, chance, month_name, rounded, step_of
from odforecast.scoring import pit_histogram, summarise

MODEL = "naive+delay"
CLASS = "rug overdose deaths with synthetic opioids (mostly fentanyl)"


@pytest.fixture(scope="module")
def forecast():
    return small_forecast()


@pytest.fixture(scope="module")
def results():
    """Two kinds of vintage, what decides last; delays of two releases for each month."""
    kinds = ("pseudo-clean", "pseudo-delayed")
    found = [o for k in kinds for o in od.origins(od.bundled(), k, "2019-06", "2023-06", 12, 2)]
    return od.backtest(
        [MODEL, "hub-baseline"], found, locations=PLACES, draws=60, progress=False
    )  # fmt: skip


@pytest.fixture(scope="module")
def deciding(results) -> pd.DataFrame:
    s = results.scores
    return s[(s["vintage"] == "pseudo-delayed") & s["scorable"]]


@pytest.fixture(scope="module")
def report(tmp_path_factory, forecast, results) -> Page:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, forecast=forecast, results=results)
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def site(tmp_path_factory, forecast, results) -> dict[str, Page]:
    files = write_site(tmp_path_factory.mktemp("site") / "site", forecast, results=results)
    pages = (p for p in files if p.suffix == ".html")
    return {p.name: Page(p.read_text(encoding="utf-8")) for p in pages}


@pytest.fixture(scope="module")
def panel():
    return od.bundled().as_of("2025-09-17").panel()


def rows_of(page: Page, table: str) -> dict[str, list[tuple[str, dict[str, str]]]]:
    return {row[0][0]: row for row in page.tables[f"table-{table}"][1:]}


def value(cell: tuple[str, dict[str, str]]) -> float:
    return float(cell[1]["data-v"])


def parts_of(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    nation = rows["location"] == "US"
    return {"nation": rows[nation], "jurisdictions": rows[~nation]}


# Kinds of vintage; the nation and the jurisdictions


def test_the_leaderboard_is_of_the_kind_that_decides(report, results, deciding):
    assert Skill(results).kind == "pseudo-delayed"
    for level, part in parts_of(deciding[deciding["horizon"] >= 1]).items():
        board = summarise(part).set_index("model")
        shown = rows_of(report, f"board-{level}")
        for model, cells in shown.items():
            assert value(cells[1]) == pytest.approx(board.loc[model, "wis"], rel=1e-5)
            assert value(cells[-1]) == board.loc[model, "n_scorable"]
    assert "given as incomplete as real releases were" in report.words


def test_places_better_is_the_share_with_the_smaller_error(report, deciding):
    rows = deciding[(deciding["horizon"] >= 1) & (deciding["location"] != "US")]
    wis = rows.groupby(["model", "location"])["wis"].mean().unstack("model")
    better = (wis[MODEL] < wis["hub-baseline"]).mean()
    heads = [c[0] for c in report.tables["table-board-jurisdictions"][0]]
    (at,) = (i for i, text in enumerate(heads) if text.startswith("Places better"))
    shown = rows_of(report, "board-jurisdictions")
    assert value(shown[MODEL][at]) == pytest.approx(better)
    assert shown["hub-baseline"][at][0] == "–"


def test_coverage_and_pit_keep_the_nation_apart(report, deciding):
    rows = deciding[(deciding["horizon"] >= 1) & (deciding["model"] == MODEL)]
    for level, part in parts_of(rows).items():
        shown = {r[1][0]: r for r in report.tables[f"table-coverage-{level}"] if r[0][0] == MODEL}
        for group, first, last in (("1–3", 1, 3), ("4–6", 4, 6), ("7–12", 7, 12)):
            near = part[part["horizon"].between(first, last)]
            said = [value(c) for c in shown[group][2:]]
            exact = [near[f"cover_{n}"].mean() for n in (50, 80, 90, 95)]
            assert said == pytest.approx([*exact, len(near)], rel=1e-5)
        n = pit_histogram(part["pit"].to_numpy())["n"]
        said = [value(c) for c in rows_of(report, f"pit-table-{level}")[MODEL][1:]]
        assert said == pytest.approx((n / n.sum()).tolist(), rel=1e-5)
    far = rows[(rows["location"] != "US") & (rows["horizon"] >= 7)]["cover_90"].mean()
    assert f"7–12 months ahead the 90% interval held {100 * far:.0f}%." in report.words
    assert "Coverage of naive+delay, 4 of 52 jurisdictions" in report.words
    assert "in the forecasts (PIT), 4 of 52 jurisdictions" in report.words


def test_places_of_a_run_are_named_or_counted(results):
    assert Skill(results.select(["US", "Ohio"])).where("jurisdictions") == "Ohio"
    assert Skill(results).where("jurisdictions") == "4 of 52 jurisdictions"
    assert Skill(results).where("nation") == "United States"


def test_of_the_nation_alone_its_own_coverage_is_drawn(results):
    from odforecast.report.site.calibration import coverage_picture, pit_picture, pit_tables

    skill = Skill(results.select("US"))
    assert "United States" in coverage_picture(skill).title
    assert "United States" in pit_picture(skill).title
    assert [t.key for t in pit_tables(skill)] == ["pit-table-nation"]


def test_kinds_of_change_are_a_share_of_what_frequencies_would_have(report, deciding):
    rows = deciding[(deciding["horizon"] >= 1) & deciding["rps_pooled"].notna()]
    for level, part in parts_of(rows[rows["model"] == MODEL]).items():
        heads = [c[0] for c in report.tables[f"table-trend-skill-{level}"][0][1:]]
        shown = rows_of(report, f"trend-skill-{level}")[MODEL][1:]
        assert len(shown) == len(heads) >= 2
        for cell, head in zip(shown, heads):
            first, _, last = head.removesuffix(" months ahead").partition("–")
            near = part[part["horizon"].between(int(first), int(last))]
            ratio = near["rps"].mean() / near["rps_pooled"].mean()
            assert value(cell) == pytest.approx(ratio, rel=1e-5)


# Past forecasts


def test_of_several_delays_of_a_month_the_first_is_drawn(results, deciding):
    made = past_forecasts(results, MODEL, np.datetime64("2030-01", "M"))["OH"]
    mine = deciding[(deciding["model"] == MODEL) & (deciding["location"] == "OH")]
    mine = mine[mine["horizon"] >= 1]
    assert (mine.groupby("last_month")["donor"].nunique() == 2).all()
    assert len(made.arrows) == mine["last_month"].nunique()
    for arrow in made.arrows:
        np.testing.assert_array_equal(arrow.months, arrow.last_month + np.arange(1, 13))
        rows = mine[mine["last_month"].to_numpy().astype("datetime64[M]") == arrow.last_month]
        first = rows.sort_values(["as_of", "donor"])["donor"].iloc[0]
        rows = rows[rows["donor"] == first].sort_values("month")
        np.testing.assert_allclose(arrow.median[: len(rows)], rows["median"], rtol=1e-6)
        assert arrow.known == rows["last_reported"].iloc[0]
    assert "as incomplete as a real release was" in made.note


def test_two_kinds_with_the_same_days_have_no_interval():
    scored = small_results()
    twice = pd.concat([scored.quantiles, scored.quantiles.assign(value=0.0)])
    both = type(scored)({"scores": scored.scores, "quantiles": twice}, scored.manifest)
    through = np.datetime64("2030-01", "M")
    assert past_forecasts(scored, MODEL, through)
    assert past_forecasts(both, MODEL, through) == {}


def test_the_ends_that_held_are_those_that_the_grey_line_crosses(results, panel):
    made = past_forecasts(results, MODEL, np.datetime64("2030-01", "M"))["OH"]
    row = panel.index("OH")
    for factor in (1.0, 0.0, 1.3):
        now = replace(panel, reported=panel.reported * factor)
        inside = known = 0
        for arrow in made.arrows:
            count = now.reported[row, (arrow.months[-1] - panel.months[0]).astype(int)]
            known += 1
            inside += arrow.low[-1] <= count <= arrow.high[-1]
        assert ends_held(made, "OH", now) == (inside, known)
        said = past("OH", made, now).description
        assert f"At {known} of the ends" in said
        assert said.endswith(f"the grey line passes through the interval at {inside} of them.")
    assert ends_held(made, "OH", replace(panel, reported=panel.reported * 0))[0] == 0
    # What is not a year old is drawn, and no claim rests on it.
    then = replace(panel.cut("2024-07"), release=dt.date(2024, 9, 17))
    early = ends_held(made, "OH", then)
    settled = np.datetime64("2023-09", "M")
    ends = [a.months[-1] for a in made.arrows]
    assert max(ends) <= then.last_month
    assert early[1] == sum(m <= settled for m in ends) == len(ends) - 1
    elsewhere = panel.select(["US", "WV"])
    assert ends_held(made, "OH", elsewhere) == (0, 0)
    assert "of the ends" not in past("OH", made, elsewhere).description


# Twelve months ahead, of a forecast that goes on


def test_what_is_shown_is_twelve_months_ahead(site, report, forecast):
    summary = forecast.summary()
    assert summary["horizon"].max() > 12
    ahead = summary[summary["horizon"] == 12].set_index("location")
    far = summary[summary["horizon"] == summary["horizon"].max()].set_index("location")
    for code, name in (("OH", "ohio.html"), ("US", "united-states.html")):
        page, r = site[name], ahead.loc[code]
        assert page.all("h1")
        assert f"{called(code)}: 12 months to April 2026" in page.words
        step = step_of(r["low"], r["high"])
        assert f"Forecast{rounded(r['median'], step)}90% interval" in page.words
        tile = f"{called(code)}: chance of a fall {chance(r['fall'])}"
        assert tile in report.words
    assert (ahead["fall"].map(chance) != far["fall"].map(chance)).any()
    assert "12 months to April 2026 against the 12 months before" in report.words


def test_a_fan_says_the_ends_of_its_90_percent(forecast):
    one = forecast.select("OH")
    said = fan(forecast, "OH").description
    for k in (int(np.flatnonzero(one.horizons == 12)[0]), -1):
        low, middle, high = one.quantiles([0.05, 0.5, 0.95])[:, 0, k]
        narrow = one.quantiles([0.1, 0.9])[:, 0, k]
        step = step_of(low, high)
        assert (
            f"about {rounded(middle, step)} forecast for those to {month_name(one.months[k])} "
            f"(90% interval {between(low, high, step)})"
        ) in said
        assert between(*narrow, step) != between(low, high, step)


def test_edges_of_the_classes_of_the_map():
    changes = {
        -21: "fall3", -20: "fall2", -11: "fall2", -10: "fall1", -6: "fall1", -5: "even",
        -4: "even", 0: "even", 5: "even", 6: "rise1", 10: "rise1", 11: "rise2", 12: "rise2",
        20: "rise2", 21: "rise3",
    }  # fmt: skip
    assert {v: change_look(v) for v in changes} == changes
    falls = {
        0.9: "fall3", 0.89: "fall2", 0.75: "fall2", 0.74: "fall1", 0.6: "fall1", 0.59: "even",
        0.4: "even", 0.39: "rise1", 0.25: "rise1", 0.24: "rise2", 0.1: "rise2", 0.09: "rise3",
    }  # fmt: skip
    assert {v: fall_look(v) for v in falls} == falls


# What is published, whatever the model does with it


def test_a_model_without_a_nowcast_shows_what_is_published(tmp_path, panel):
    made = od.get_model("naive").fit(panel).forecast(12, draws=30).select(["US", "OH"])
    assert made.horizons.min() == 1
    write_site(tmp_path / "s", made)
    index = Page((tmp_path / "s" / "index.html").read_text(encoding="utf-8"))
    for code in ("US", "OH"):
        reported = panel.reported[panel.index(code), -1]
        predicted = panel.predicted[panel.index(code), -1]
        cells = rows_of(index, "forecast")[called(code)]
        assert [value(c) for c in cells[5:7]] == pytest.approx([reported, predicted], rel=1e-5)
    page = Page((tmp_path / "s" / "ohio.html").read_text(encoding="utf-8"))
    assert f"Reported so far{reported:,.0f}CDC predicts {predicted:,.0f}" in page.words


def test_a_sum_shows_what_is_published_of_its_parts(tmp_path, forecast, panel):
    both = forecast.total(["OH", "WY"], "both")
    path = write_report(tmp_path / "r.html", forecast=both)
    cells = rows_of(Page(path.read_text(encoding="utf-8")), "forecast")["both"]
    parts = [panel.index(s) for s in ("OH", "WY")]
    assert value(cells[5]) == panel.reported[parts, -1].sum()


# Of which deaths


@pytest.fixture(scope="module")
def fentanyl():
    panel = od.bundled().as_of("2025-09-17").panel("T40.4")
    made = od.get_model("drift").fit(panel).forecast(12, draws=30)
    return made.select(["US", "OH"])


def test_a_class_is_not_labelled_as_all_drugs(tmp_path, fentanyl):
    page = Page(write_report(tmp_path / "r.html", forecast=fentanyl).read_text(encoding="utf-8"))
    assert f"D{CLASS} by place: forecast for the 12 months to April 2026" in page.words
    assert "Drug overdose deaths by place" not in page.words


def test_results_alone_say_of_which_deaths_they_are(tmp_path, results):
    theirs = type(results)(
        {"scores": results.scores, "quantiles": results.quantiles, "failures": results.failures},
        {**results.manifest, "indicator": "T40.4"},
    )
    for given, deaths in ((results, "drug overdose deaths"), (theirs, f"d{CLASS}")):
        path = write_report(tmp_path / "r.html", results=given, replace=True)
        page = Page(path.read_text(encoding="utf-8"))
        assert f"How good forecasts of {deaths} were." in page.words
        assert f"2 models, forecasts of {deaths} from" in page.words


def test_scores_of_other_deaths_are_refused_and_nothing_is_written(
    tmp_path, forecast, fentanyl, panel
):
    scored = small_results()
    with pytest.raises(DataError, match=r"results: of indicator 'Number of Drug.*'Synthetic"):
        write_report(tmp_path / "r.html", forecast=fentanyl, results=scored)
    for name in ("results", "record"):
        with pytest.raises(DataError, match=rf"{name}: of indicator 'Number of Drug"):
            write_site(tmp_path / "s", fentanyl, **{name: scored})
    said = {k: v for k, v in scored.manifest.items() if k != "indicator"}
    old = type(scored)(
        {"scores": scored.scores, "quantiles": scored.quantiles, "failures": scored.failures}, said
    )
    with pytest.raises(DataError, match="an earlier version of odforecast wrote it"):
        write_site(tmp_path / "s", forecast, results=old)
    other = type(scored)(old._tables, {**scored.manifest, "basis": "residence"})
    with pytest.raises(DataError, match="results: of basis 'residence'"):
        write_site(tmp_path / "s", forecast, results=other)
    with pytest.raises(DataError, match="later: of indicator 'Number of Drug"):
        write_site(tmp_path / "s", fentanyl, later=panel)
    with pytest.raises(DataError, match="the forecast holds no counts"):
        write_site(tmp_path / "s", replace(forecast, panel=None), results=scored)
    assert list(tmp_path.iterdir()) == []
    write_report(tmp_path / "old.html", results=old)  # alone they are shown


# Past errors


def test_where_no_percentage_exists_there_is_a_dash(forecast, results):
    scores = results.scores.assign(ape=np.where(results.scores["horizon"] == 6, np.nan, 3.0))
    record = type(results)({"scores": scores}, results.manifest)
    said, table = past_record(forecast, "OH", record)
    assert table["Middle error"].tolist() == ["3.0%", "–", "3.0%"]
    assert "nan" not in f"{said} {table.to_string()}"


def test_a_place_that_was_not_scored_shows_what_ships(tmp_path):
    panel = od.bundled().as_of().panel()
    forecast = od.get_model("dlm").fit(panel).forecast(draws=40).select(["US", "OH", "WV"])
    results = od.backtest(
        "dlm", start="2021-01", end="2021-06", step=5, donors=1, locations="OH", draws=40,
        progress=False,
    )  # fmt: skip
    write_site(tmp_path / "site", forecast, results=results)
    words = {p.stem: p.read_text(encoding="utf-8") for p in (tmp_path / "site").glob("*.html")}
    said = {name: text for name, text in words.items() if "past tests, the typical" in text}
    assert {"ohio", "west-virginia", "united-states"} <= set(said)
    assert "in 2 past tests" in said["ohio"]
    assert "in 2 past tests" not in said["west-virginia"]
