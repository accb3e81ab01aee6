"""The brief: what stands on its pages, and what lies in the folder."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import odforecast as od
from odforecast.errors import DataError, ForecastError, ScenarioError
from odforecast.report import scenario_figures as figures
from odforecast.report.brief import write_brief, write_briefs
from odforecast.report.page.believe import mind
from odforecast.report.words import assumption, assumption_in_short
from odforecast.say import chance
from odforecast.scenario import (
    CAVEAT,
    NULL,
    Fixed,
    Intervention,
    Normal,
    Scenario,
    named_intervention,
    project,
)
from odforecast.scenario.answer import answers, scenario_title

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
VOID = {"meta", "img", "br"}
#: Words that mean nothing to who does not write code.
CODE = (
    "p_null", "P(null)", "log rate", "half_life", "half-life", "sd ", "LogNormal", "Normal(",
    "Uniform(", "scenario_id", "T40.4", "prior", "posterior", "draws", "seed", "hash", "exposure",
    "vintage", "quantile", "nan", "None",
)  # fmt: skip


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.links, self.texts, self.sources = [], [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.sources += [v for k, v in attrs if k == "src"]
        self.links += [v for k, v in attrs if k == "href"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def words(page: str) -> str:
    """What a reader sees, with plain blanks."""
    return re.sub(r"\s+", " ", " ".join(read(page).texts).replace("\u00a0", " "))


@pytest.fixture(scope="module")
def forecast():
    panel = od.bundled().as_of("2025-09-17").panel()
    return od.get_model("dlm").fit(panel).forecast(until="2027-12", draws=120, seed=1)


@pytest.fixture(scope="module")
def one(forecast):
    shock = named_intervention("supply-shock-2023-like", onset="2025-10", note="a < b & c")
    return project(forecast, [Scenario("shock", (shock,), question="What <if>?")], seed=1)


@pytest.fixture(scope="module")
def three(forecast):
    names = ("supply-shock-2023-like", "cooperation-resumed", "cooperation-suspended")
    made = [Scenario(n, (named_intervention(n, onset="2025-11"),)) for n in names]
    return project(forecast, made, seed=1)


@pytest.fixture(scope="module")
def few(one):
    """Of three places: a sensitivity of all of them takes long."""
    return one.select(["US", "OH", "WV"])


@pytest.fixture(scope="module")
def page(one):
    return write_brief(one, location="Ohio")


# What stands on it


def test_a_brief_is_one_closed_file(page, one):
    reader = read(page)
    assert page.startswith("<!doctype html>")
    assert len(reader.sources) == 1
    assert reader.sources[0].startswith("data:image/svg+xml;base64,")
    assert reader.links == ["brief-annex.html"]
    assert page == write_brief(one, location="OH")
    assert "What &lt;if&gt;?" in page
    assert "a &lt; b &amp; c" in page


def test_the_pages_have_their_parts_in_order(page):
    seen = words(page)
    parts = [
        "What <if>?", "Ohio: deaths prevented by December 2027", CAVEAT, "Deaths by calendar year",
        "Without the measure.", "How sure", "have not been tested against real outcomes",
        "What was assumed", "How accurate past forecasts for Ohio were",
        "What the assumptions rest on", "What would change our mind",
        "if one false alarm in 20 is accepted",
        "What this does not say",
    ]  # fmt: skip
    places = [seen.index(p) for p in parts]
    assert places == sorted(places)
    assert page.count('<section class="next">') == 1


@pytest.mark.parametrize("which", ["one", "three"])
@pytest.mark.parametrize("place", ["US", "Ohio", "NY"])
def test_no_code_words(which, place, request):
    seen = words(write_brief(request.getfixturevalue(which), location=place))
    assert [w for w in CODE if w in seen] == []
    assert "OH " not in seen.replace("--locations OH", "")


def test_the_numbers_are_those_of_the_table(one, page, three):
    (a,) = answers(one, "OH")
    seen = words(page)
    ((label, p, mean, span),) = a.outcomes
    assert (label, p) == ("works", "")  # a what-if: no chance, and nothing over all outcomes
    assert f"If it works: mean and 90% interval {a.title} {mean} {span}" in seen
    assert "Chance: " not in seen
    assert "Over all outcomes" not in seen
    table = words(write_brief(three, location="US"))
    (_, resumed, _) = answers(three, "US")
    assert "Chance: our judgement Over all outcomes: mean and 90% interval" in table
    assert "works 59% does nothing 40% backfires 1%" in table
    assert f"{resumed.combined} ({resumed.combined_percent}) {resumed.combined_range}" in table
    assert "a what-if: none" in table


def test_of_several_measures_each_works_or_not(forecast):
    names = ("cooperation-resumed", "supplier-closure")
    both = Scenario("both", tuple(named_intervention(n, onset="2025-11") for n in names))
    seen = words(write_brief(project(forecast, both, seed=1), location="US"))
    for outcome in ("both work", "only cooperation resumed works", "neither works"):
        assert outcome in seen
    assert "If it works: " in seen  # the head of the column
    assert "If it works, " not in seen


def test_one_number_in_all_places(one):
    """The answer is the same whether one place was asked for or all of them."""
    for code in ("US", "OH"):
        alone = one.select([code])
        assert answers(alone, code) == answers(one, code)
        assert write_brief(alone, location=code) == write_brief(one, location=code)


def test_years_are_calendar_years(page, three):
    seen = words(page)
    assert re.search(r"2025 \(May–Dec\) 1,\d+0 .* 2026 2,\d+0 .* 2027 2,\d+0 ", seen)
    later = named_intervention("cooperation-resumed", onset="2026-03")
    late = project(three.baseline, Scenario("late", (later,)), seed=1)
    assert "2025 (May–Dec)" not in words(write_brief(late))  # nothing changes before it begins
    table = write_brief(three, location="US")
    heads = [scenario_title(s) for s in three.scenarios if not s.is_null]
    assert all(table.count(f'class="n">{h}</th>') == 1 for h in heads)


def test_the_chance_beside_a_limit_is_that_of_the_limit_shown(forecast):
    """5% limits were rounded to 40,000 and 120,000, below which lay 8% of the draws."""
    worse = Scenario("worse", (Intervention("worse", Fixed(0.3), onset="2025-10"),))
    made = project(forecast.select("US"), worse, seed=1)
    said = [x for x in mind(made, [worse]) if x.startswith("A final count")]
    assert said
    for item in said:
        month, low, high = re.search(
            r"months ending in (\w+ \d+) below ([\d,]+) or above ([\d,]+)\.", item
        ).groups()
        low, high = (float(x.replace(",", "")) for x in (low, high))
        counts = made.baseline.count_at(f"{pd.to_datetime(month):%Y-%m}")[:, 0]
        under, over = chance((counts < low).mean()), chance((counts > high).mean())
        either = (
            f"either is {under};" if under == over else f"below is {under}, of one above {over};"
        )
        assert either in item


def test_several_scenarios_stand_in_one_table(three):
    seen = words(write_brief(three, location="US"))
    assert "What three scenarios could mean for overdose deaths in the United States" in seen
    assert "Each changes drug overdose deaths with synthetic opioids (mostly fentanyl)" in seen
    assert "raises deaths 25% does nothing 75%" in seen


def test_a_class_carries_the_warning_of_cdc(page, forecast):
    assert "compare a state with its own past" in words(page)
    cut = Scenario("cut", (Intervention("cut", Fixed(-0.1), onset="2025-10"),))
    assert "compare a state" not in words(write_brief(project(forecast, cut, seed=1)))


def test_what_began_before_the_last_count_is_said(forecast):
    old = Scenario("old", (named_intervention("cooperation-resumed", onset="2024-01"),))
    seen = words(write_brief(project(forecast, old, seed=1), location="US"))
    assert "What begins before the end of April 2025" in seen
    assert "What begins before" not in words(
        write_brief(
            project(forecast, Scenario("s", (named_intervention("tariff-only", onset="2026-01"),)))
        )
    )


def test_sources_have_grades_and_references(three):
    seen = words(write_brief(three, location="US"))
    for part in ("medium", "low", "[1, "):
        assert part in seen
    works = [r for s in three.scenarios for x in s.interventions for r in x.references]
    assert works
    assert all(r in seen for r in works)


@pytest.fixture(scope="module")
def newest():
    """Of the release that past errors were scored against: before it nobody knew them."""
    made = od.get_model("dlm").fit(od.bundled().as_of().panel()).forecast(until="2027-12", draws=60)
    shock = named_intervention("supply-shock-2023-like", onset="2026-10")
    return project(made, [Scenario("shock", (shock,), question="What <if>?")], seed=1)


def test_skill_is_a_command_a_sentence_or_a_table(one, newest):
    page = words(write_brief(newest, location="Ohio"))
    assert "The same model, given only what was known on each day" in page
    assert "90% interval held" in page
    other = replace(one.baseline, provenance={**one.baseline.provenance, "spec_hash": "another"})
    seen = words(write_brief(project(other, one.scenarios[-1], seed=1), location="OH"))
    assert "were not scored for this brief" in seen
    assert "odforecast backtest --locations OH --out results" in seen
    said = words(write_brief(one, location="OH", skill="Off by 7% <so far>."))
    assert "Off by 7% <so far>." in said
    assert "not scored" not in said
    table = pd.DataFrame({"Months": ["1–3"], "n": [1200], "Off by": [0.031], "x": [np.nan]})
    assert "1–3 1,200 0.03 –" in words(write_brief(one, location="OH", skill=table))


def test_a_class_has_no_record_of_all_drugs(newest):
    from odforecast.report.record import past_record

    assert past_record(newest.baseline, "OH") is not None
    assert past_record(newest.baseline.part("T40.4"), "OH") is None


def test_a_sum_of_places_has_a_brief(forecast):
    cut = Scenario("cut", (Intervention("cut", Normal(-0.1, 0.05), onset="2025-10"),))
    whole = project(forecast.region("Midwest"), cut, seed=1)
    seen = words(write_brief(whole, location="Midwest"))
    assert "The Midwest: deaths prevented by December 2027" in seen
    assert "In the Midwest, " in seen


def test_a_brief_needs_something_to_compare(forecast, one):
    with pytest.raises(ScenarioError, match="none is there"):
        write_brief(project(forecast, NULL))
    with pytest.raises(ForecastError, match="no forecast for"):
        write_brief(one.select(["OH"]), location="WV")


EVIL = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "</style>", "{{ title }}")


def test_other_peoples_texts_are_texts(forecast, tmp_path):
    text = " ".join(EVIL)
    shock = named_intervention("tariff-only", onset="2025-10", source=text, note=text)
    evil = Scenario("evil", (shock,), title=text, question=text)
    cut = project(forecast.select(["US"]), evil, seed=1)
    for path in write_briefs(cut, tmp_path, skill=pd.DataFrame({text: [text], "b": [text]})):
        page = path.read_text(encoding="utf-8")
        tags = set(re.findall(r"<([a-z0-9]+)", page))
        assert tags <= {
            "html", "head", "meta", "title", "style", "body", "main", "section", "h1", "h2", "h3",
            "p", "strong", "ul", "ol", "li", "div", "table", "caption", "thead", "tbody", "tr",
            "th", "td", "figure", "figcaption", "img", "footer", "a", "code",
        }  # fmt: skip
        keys = set(re.findall(r' ([a-z-]+)="', re.sub(r"<style>.*?</style>", "", page, flags=re.S)))
        assert keys <= {
            "lang", "charset", "name", "content", "class", "alt", "src", "href", "scope", "id",
        }  # fmt: skip
        assert all(
            html.escape(e, quote=True).replace("&#x27;", "&#39;") in page.replace("&#34;", "&quot;")
            for e in EVIL
        )


# The words of assumptions


def test_an_assumption_in_plain_words():
    shock = named_intervention("supply-shock-2023-like", onset={"between": ["2026-01", "2026-03"]})
    said = assumption(shock)
    assert said.startswith("It begins some time from January 2026 to March 2026.")
    assert "change by −48% (90% range −67 to −16%) at full strength" in said
    assert "half of that is gone 30 months later" in said
    assert "come all the same, from another drug" in said
    half = assumption_in_short(shock.scaled(0.5))
    assert "−28% (90% range −43 to −8%)" in half
    felt = Intervention("felt", Fixed(-0.1), onset="2026-03", exposure=0.5)
    assert "of which 50% is felt" in assumption(felt)
    table = Intervention("felt", Fixed(-0.1), onset="2026-03", exposure={"OH": 1, "default": 0})
    assert "of which is felt 100% in Ohio, 0% elsewhere" in assumption(table)


# The folder


def test_one_place_has_the_brief_itself(few, tmp_path):
    written = write_briefs(few, tmp_path / "new", "Ohio")
    assert [p.name for p in written] == ["brief.html", "brief-annex.html"]
    assert written[0].read_text(encoding="utf-8") == write_brief(few, location="OH")
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == [
        "brief-annex.html", "brief.html",
    ]  # fmt: skip


@pytest.mark.slow
def test_several_places_are_one_file(few, tmp_path):
    (tmp_path / "brief-US.html").write_text(
        '<meta name="generator" content="odforecast 0.1">', encoding="utf-8"
    )  # of an earlier run
    written = write_briefs(few, tmp_path, ["US", "Ohio", "OH"], skill={"OH": "Off by 7%."})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["brief-annex.html", "brief.html"]
    page = written[0].read_text(encoding="utf-8")
    assert read(page).links == ["#US", "#OH", "brief-annex.html"]
    seen = words(page)
    assert "in the United States and Ohio" in seen or "What <if>?" in seen
    for code in ("US", "OH"):
        assert answers(few, code)[0].combined in seen
        assert page.count(f'<section id="{code}"') == 1
    assert seen.count("Off by 7%.") == 1


@pytest.mark.slow
def test_nothing_stale_stays_and_nothing_else_goes(few, tmp_path):
    write_briefs(few, tmp_path, ["US", "OH"])
    mine = tmp_path / "brief-mine.html"
    mine.write_text("<p>not of this library</p>")
    write_briefs(few, tmp_path, "WV")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "brief-annex.html", "brief-mine.html", "brief.html",
    ]  # fmt: skip
    assert "West Virginia" in (tmp_path / "brief.html").read_text(encoding="utf-8")


def test_what_is_refused_writes_nothing(few, tmp_path):
    for bad in (
        {"paper": "A5"}, {"stylesheet": tmp_path / "none.css"}, {"locations": "Atlantis"},
        {"locations": []},
    ):  # fmt: skip
        with pytest.raises((DataError, LookupError, ScenarioError)):
            write_briefs(few, tmp_path / "out", **bad)
    assert not (tmp_path / "out").exists()


def test_a_state_has_its_own_look(few, tmp_path):
    own = tmp_path / "own.css"
    own.write_text("h1 { color: #004b87 }")
    written = write_briefs(few, tmp_path / "out", "Ohio", stylesheet=own, paper="a4")
    for path in written:
        page = path.read_text(encoding="utf-8")
        assert "#004b87" in page
        assert "size: A4" in page


def test_the_annex_holds_what_the_brief_leaves_out(few, tmp_path):
    write_briefs(few, tmp_path, "Ohio", posterior_sds={"supply-shock-2023-like": 0.05})
    seen = words((tmp_path / "brief-annex.html").read_text(encoding="utf-8"))
    scenario = few.scenario("shock")
    for part in (
        CAVEAT, "Normal(-0.65, 0.29)", "a what-if: its results hold given", "on T40.4",
        "Sensitivity", "depends most on", "Beta(1.5, 4)", "25%", scenario.hash,
        "seed", "posterior sd / prior sd = 0.17", "Exposure", "Buprenorphine", "months 1-12",
    ):  # fmt: skip
        assert part in seen, part
    write_briefs(few, tmp_path, "Ohio")
    seen = words((tmp_path / "brief-annex.html").read_text(encoding="utf-8"))
    assert "prior-dominated by construction" in seen


# Figures


def test_figures_draw(one, three, tmp_path):
    panel = one.baseline.panel
    drawn = [
        figures.prior_figure(one.scenario("shock")),
        figures.fan_figure(one, "US", panel),
        figures.fan_figure(three, "OH"),
        figures.averted_figure(one),
    ]
    for i, figure in enumerate(drawn):
        figure.savefig(tmp_path / f"{i}.svg")
    with pytest.raises(ScenarioError, match="no priors"):
        figures.prior_figure(NULL)


def test_the_fan_shows_means_of_the_mixture(one):
    axes = figures.fan_figure(one, "US", one.baseline.panel).axes[0]
    counted, quo, shock = axes.lines[:3]
    assert counted.get_ydata()[-1] == one.baseline.panel.reported[0, -1]
    ahead = one.baseline.horizons > 0
    for line, name in ((quo, "null"), (shock, "shock")):
        mean = one.forecast(name).samples()[one.counted(name), 0].mean(axis=0)
        np.testing.assert_allclose(line.get_ydata()[-ahead.sum() :], mean[ahead])
    assert not any(t.get_text() == "US" for t in axes.get_figure().texts)


# In a browser


@pytest.mark.skipif(BROWSER is None, reason="no browser on this machine")
@pytest.mark.parametrize(("which", "paper"), [("one", "letter"), ("three", "a4")])
def test_a_brief_prints_on_two_pages(which, paper, request, tmp_path):
    path, printed = tmp_path / "brief.html", tmp_path / "brief.pdf"
    projection = request.getfixturevalue(which)
    path.write_text(write_brief(projection, location="US", paper=paper), encoding="utf-8")
    run = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
        f"--user-data-dir={tmp_path / 'browser'}", f"--print-to-pdf={printed}", path.as_uri(),
    ]  # fmt: skip
    subprocess.run(run, capture_output=True, timeout=120, check=True)
    pdf = printed.read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 2
    width = re.search(rb"/MediaBox\s*\[0 0 ([\d.]+)", pdf)
    assert width is not None
    assert round(float(width[1])) == {"letter": 612, "a4": 595}[paper]


def test_the_page_is_readable_without_its_style(page):
    """Every table has heads, every picture a text, and the language is said."""
    assert '<html lang="en">' in page
    assert page.count("<table") == page.count("<thead>")
    (alt,) = re.findall(r'<img src="[^"]*" alt="([^"]*)">', page)
    assert html.unescape(alt) == "Deaths in 12 months in Ohio, with and without what is assumed"


def test_a_measure_on_demand_has_words_of_its_own(forecast):
    pilot = replace(named_intervention("buprenorphine-expansion", onset="2025-10"), name="pilot")
    seen = words(write_brief(project(forecast, Scenario("pilot", (pilot,)), seed=1), location="US"))
    assert "A fall where it is done and none elsewhere would speak for it" in seen
    assert "changed the supply" not in seen
    assert "Purity and seizures" not in seen
