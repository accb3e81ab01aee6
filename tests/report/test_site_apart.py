"""Pages: what is kept apart, what is of other deaths, and numbers against a sum made here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from site_factory import PLACES, Page, small_forecast, small_results

import odforecast as od
from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.report.numbers import past_record
from odforecast.report.site import write_report, write_site
from odforecast.report.skill import Skill, skill_blocks
from odforecast.say import between, likely, rounded, step_of
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
    assert "4 of 52 jurisdictions: share of the final counts inside each interval" in report.words
    assert "4 of 52 jurisdictions: share of the counts in each tenth" in report.words


def test_places_of_a_run_are_named_or_counted(results):
    assert Skill(results.select(["US", "Ohio"])).where("jurisdictions") == "Ohio"
    assert Skill(results).where("jurisdictions") == "4 of 52 jurisdictions"
    assert Skill(results).where("nation") == "United States"


def test_of_the_nation_alone_its_own_numbers_are_shown(results):
    blocks = {b.key: b for b in skill_blocks(results.select("US"))}
    assert [t.key for t in blocks["pit-of"].tables] == ["pit-table-nation"]
    assert [t.key for t in blocks["coverage-of"].tables] == ["coverage-nation"]
    assert len(blocks["coverage-of"].figures) == len(blocks["pit-of"].figures) == 1


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


# Twelve months ahead, of a forecast that goes on


def test_what_is_shown_is_twelve_months_ahead(site, report, forecast):
    summary = forecast.summary()
    assert summary["horizon"].max() > 12
    ahead = summary[summary["horizon"] == 12].set_index("location")
    far = summary[summary["horizon"] == summary["horizon"].max()].set_index("location")
    for code, name in (("OH", "ohio.html"), ("US", "united-states.html")):
        page, r = site[name], ahead.loc[code]
        assert page.all("h1")
        name = "US" if code == "US" else called(code)
        assert f"{name} drug overdose deaths: forecast to April 2026" in page.words
        step = step_of(r["low"], r["high"])
        said = f"deaths, 12 months to April 2026 90% interval {between(r['low'], r['high'], step)}"
        assert f"Forecast {rounded(r['median'], step)} {said}" in spaced(page)
    tile = f"chance of a fall {likely(ahead.loc['OH', 'fall'])}"
    assert any(tile in at.get("aria-label", "") for at in report.all("a"))
    assert (ahead["fall"].map(likely) != far["fall"].map(likely)).any()
    assert "12 months to April 2026 against the 12 months before" in report.words


def test_a_fan_is_read_from_a_table_with_the_ends_of_its_90_percent(site, forecast):
    one = forecast.select("OH")
    low, middle, high = one.quantiles([0.05, 0.5, 0.95])[:, 0, one.horizons == 12][:, 0]
    step = step_of(low, high)
    rows = [at for at in site["ohio.html"].all("tr") if "data-said" in at]
    said = f"{rounded(middle, step)} (90% interval {between(low, high, step)})"
    assert rows[-1]["data-said"] == f"forecast {said}"
    assert float(rows[-1]["data-v"]) == pytest.approx(middle, abs=0.06)
    known = [at for at in rows if "data-known" in at]
    assert "deaths reported; final count expected: " in known[-1]["data-said"]
    assert float(known[-1]["data-v"]) == forecast.panel.reported[forecast.panel.index("OH"), -1]


def spaced(page: Page) -> str:
    """Its texts, with a space between elements."""
    return " ".join(" ".join(page.texts).split())


# What is published, whatever the model does with it


def test_a_model_without_a_nowcast_shows_what_is_published(tmp_path, panel):
    made = od.get_model("naive").fit(panel).forecast(12, draws=30).select(["US", "OH"])
    assert made.horizons.min() == 1
    write_site(tmp_path / "s", made)
    index = Page((tmp_path / "s" / "index.html").read_text(encoding="utf-8"))
    for code in ("US", "OH"):
        reported = panel.reported[panel.index(code), -1]
        predicted = panel.predicted[panel.index(code), -1]
        cells = rows_of(index, "nowcast")[called(code)]
        assert [value(c) for c in cells[1:3]] == pytest.approx([reported, predicted], rel=1e-5)
    page = spaced(Page((tmp_path / "s" / "ohio.html").read_text(encoding="utf-8")))
    assert f"Reported so far {reported:,.0f} deaths" in page
    assert f"CDC predicts {predicted:,.0f}" in page


def test_a_sum_shows_what_is_published_of_its_parts(tmp_path, forecast, panel):
    both = forecast.total(["OH", "WY"], "both")
    path = write_report(tmp_path / "r.html", forecast=both)
    cells = rows_of(Page(path.read_text(encoding="utf-8")), "nowcast")["both"]
    parts = [panel.index(s) for s in ("OH", "WY")]
    assert value(cells[1]) == panel.reported[parts, -1].sum()


# Of which deaths


@pytest.fixture(scope="module")
def fentanyl():
    panel = od.bundled().as_of("2025-09-17").panel("T40.4")
    made = od.get_model("drift").fit(panel).forecast(12, draws=30)
    return made.select(["US", "OH"])


def test_a_class_is_not_labelled_as_all_drugs(tmp_path, fentanyl):
    page = Page(write_report(tmp_path / "r.html", forecast=fentanyl).read_text(encoding="utf-8"))
    assert f"D{CLASS} by state, 12 months ending April 2026" in page.words
    assert "Drug overdose deaths by state" not in page.words


@pytest.mark.slow
def test_results_alone_say_of_which_deaths_they_are(tmp_path, results):
    theirs = type(results)(
        {"scores": results.scores, "quantiles": results.quantiles, "failures": results.failures},
        {**results.manifest, "indicator": "T40.4"},
    )
    for given, deaths in ((results, "drug overdose deaths"), (theirs, f"d{CLASS}")):
        path = write_report(tmp_path / "r.html", results=given, replace=True)
        page = Page(path.read_text(encoding="utf-8"))
        assert f"How good forecasts of {deaths} were" in page.words
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
    assert table["Typical (median) error"].tolist() == ["3.0%", "–", "3.0%"]
    assert "nan" not in f"{said} {table.to_string()}"


@pytest.mark.slow
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
    assert "In 2 past tests" in said["ohio"]
    assert "In 2 past tests" not in said["west-virginia"]
