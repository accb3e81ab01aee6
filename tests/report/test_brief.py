"""The brief: what stands on its pages, and what lies in the folder."""

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from site_factory import Page

import odforecast as od
from odforecast import scenario as sc
from odforecast.errors import DataError, ScenarioError
from odforecast.forecasts.text import sentences
from odforecast.report.annex import prior_figure
from odforecast.report.brief import (
    Option,
    assumption,
    bridge,
    mind,
    strips,
    write_brief,
    write_briefs,
)
from odforecast.say import about, chance, month_name
from odforecast.scenario.answer import answers
from odforecast.scenario.mechanism import NEUTRAL_CAVEAT

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
#: Words that mean nothing to who does not write code.
CODE = (
    "p_null", "P(null)", "log rate", "half_life", "half-life", "sd ", "LogNormal", "Normal(",
    "Uniform(", "scenario_id", "T40.4", "prior", "posterior", "draws", "seed", "hash", "exposure",
    "vintage", "quantile", "nan", "status quo",
)  # fmt: skip


def words(page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(Page(page).texts).replace("\u00a0", " "))


def seen_of(baseline, *scenarios, location="US") -> str:
    projection = sc.project(baseline, list(scenarios), seed=1, begun=True)
    return words(write_brief(projection, location=location))


def of_prior(name: str, onset: str, *more: str, called: str = "", **changed) -> sc.Scenario:
    parts = tuple(sc.named_intervention(n, onset=onset, **changed) for n in (name, *more))
    return sc.Scenario(called or name, parts)


@pytest.fixture(scope="module", autouse=True)
def few_worlds():
    """When counts would show it is tested beside the clock: here it is only quick."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WORLDS", "COMPLETIONS"):
            patch.setattr(sys.modules["odforecast.scenario.detection"], name, 2)
        yield


@pytest.fixture(scope="module")
def forecast(fitted):
    return fitted.forecast(until="2027-12", draws=120, seed=1)


@pytest.fixture(scope="module")
def one(forecast):
    shock = sc.named_intervention("supply-shock-2023-like", onset="2025-10", note="a < b & c")
    return sc.project(forecast, [sc.Scenario("shock", (shock,), question="What <if>?")], seed=1)


@pytest.fixture(scope="module")
def three(forecast):
    names = ("supply-shock-2023-like", "cooperation-resumed", "cooperation-suspended")
    return sc.project(forecast, [of_prior(n, "2025-11") for n in names], seed=1)


@pytest.fixture(scope="module")
def five(latest):
    names = ("cooperation-resumed", "supplier-closure", "buprenorphine-expansion",
             "naloxone-healing", "supply-shock-2023-like")  # fmt: skip
    return sc.project(latest.baseline, [of_prior(n, "2026-03") for n in names], seed=1)


@pytest.fixture(scope="module")
def page(one):
    return write_brief(one, location="Ohio")


def test_a_brief_is_one_closed_file_whether_one_place_was_asked_for_or_all(page, one):
    assert page.startswith("<!doctype html>")
    assert " src=" not in page
    assert Page(page).links() == ["brief-annex.html"]
    assert "What &lt;if&gt;?" in page
    assert "a &lt; b &amp; c" in page
    alone = one.select(["OH"])
    assert alone.text("OH") == one.text("OH")
    assert write_brief(alone, location="OH") == page


def test_the_pages_have_their_parts_in_order_and_the_numbers_of_the_table(one, page):
    seen = words(page)
    parts = [
        "Shock: what it could mean for overdose deaths in Ohio, 2025–2027",
        "It begins in October 2025", "What <if>?", "if it works, ",
        "Deaths that the option would prevent in Ohio by December 2027",
        "First month it would show", "Why −", NEUTRAL_CAVEAT, "What we assumed", "the forecast is",
        "What the evidence is", "How accurate past forecasts were",
        "Forecasts beyond 12 months have not been tested", "What this brief does not say",
        "What would change our mind", "Counts show it once somebody who began",
    ]  # fmt: skip
    places = [seen.index(p) for p in parts]
    assert places == sorted(places)
    assert page.count('<section class="next second">') == 1
    (a,) = answers(one, "OH")
    ((label, p, mean, span),) = a.outcomes
    assert (label, p) == ("works", "")  # a what-if: no probability, and nothing over all outcomes
    assert f"{mean} {span} No probability attached" in seen
    assert "over all outcomes:" not in seen


@pytest.mark.parametrize(("which", "place"), [("one", "NY"), ("three", "US"), ("three", "Ohio")])
def test_no_code_words(which, place, request):
    seen = words(write_brief(request.getfixturevalue(which), location=place))
    assert [w for w in CODE if w in seen] == []
    assert "OH " not in seen.replace("--locations OH", "")


def test_three_options_are_compared(three):
    seen = words(write_brief(three, location="US"))
    (_, resumed, _) = answers(three, "US")
    for part in (
        "What three options could mean for overdose deaths in the United States, 2025–",
        "59%, our judgment nothing 40%, backfires 1%",
        "Our judgment: that of the odforecast developers, November 2026.",
        f"Cooperation resumed, as in November 2023: {resumed.combined} on average",
        f"which the odforecast developers judge 59% likely: {resumed.outcomes[0][2]}",
        f"{resumed.combined} {resumed.combined_range} 59%",  # the table of decisions
        "A supply shock like that of 2023, a what-if: ",
        "Change of drug overdose deaths with synthetic opioids (mostly fentanyl), if",
        "25% raises deaths, our judgment nothing 75%", "It does not add options together",
        "Medium: it has been seen, but other causes are possible", "[1, ",
        *(r for s in three.scenarios for x in s.interventions for r in x.references),
    ):  # fmt: skip
        assert part in seen, part


def test_of_several_measures_each_works_or_not_and_what_has_begun_is_said(forecast, page):
    begun = "What began by April 2025, the last month counted"
    assert begun in seen_of(forecast, of_prior("cooperation-resumed", "2024-01"))
    assert "What began by" not in words(page)
    both = of_prior("cooperation-resumed", "2025-11", "supplier-closure", called="both")
    seen = seen_of(forecast, both)
    assert re.search(r"If both work \(25%\): [\d,]+ fewer\.", seen)
    assert "25% both work, our judgment only cooperation resumed works 34%" in seen
    assert "Both (supplier closure)" in seen


def test_the_figure_shows_the_numbers_of_the_answer(three):
    one = three.select(["US"])
    found = [Option(answer) for answer in one.answers]
    scale, rows = strips(found)
    table, parts = one.answer(), one.outcomes().drop_duplicates("scenario_id")
    means = table["averted_mean"], parts["averted_mean"]
    for o, row, mean, works in zip(found, rows, *means, strict=True):
        assert row.mean == scale.at(works)
        assert row.low <= row.mean <= row.high
        assert (row.diamond is None) == o.what_if
        if row.diamond is not None:
            # Over all outcomes less is prevented than if it works, or less is added.
            assert row.diamond == scale.at(mean)
            assert abs(row.diamond - scale.at(0)) <= abs(row.mean - scale.at(0))
    assert [text for _, text in scale.ticks].count("0") == 1
    page = write_brief(three, location="US")
    assert page.count('class="interval"') == page.count('class="mean"') == 3
    assert page.count('class="whole"') == 2
    assert page.count('<tr role="row" class="if">') == page.count(" stroke-dasharray=") == 1


@pytest.mark.slow
def test_the_month_it_would_show_is_the_clocks():
    """Brief and clock read one function on one release, whatever model and seed they have."""
    halved = sc.Intervention("halved", sc.Normal(-1.4, 0.2), onset="2026-02", p_null=0.5)
    pinched = replace(halved, name="pinched", size=sc.Normal(-0.02, 0.01))
    both = [sc.Scenario(x.name, (x,)) for x in (halved, pinched)]
    both.append(sc.Scenario("both", (halved, pinched)))
    fitted = od.get_model("drift").fit(od.bundled().as_of().panel())
    projection = sc.project(fitted.forecast(until="2027-12", draws=50), both, seed=7)
    answers = projection.select(["US"]).answers
    months = [Option(answer).shown for answer in answers]
    assert re.fullmatch(r"[A-Z][a-z]+ 202[67]", months[0])
    assert months[1:] == ["Not within five years", "Counts cannot tell its parts apart"]
    clock = sc.track(halved, od.bundled(), location="Ohio", draws=2, seed=3)
    assert clock.detection.to_dict() == answers[0].detection.to_dict()
    assert month_name(clock.sure_month) == months[0]
    page = words(write_brief(projection))
    assert f"Halved: {clock.detection.by_size()}" in page
    assert clock.detection.criterion in page


def test_the_arithmetic_ends_at_the_answer(three, forecast):
    one = three.select(["US"])
    found = [Option(answer) for answer in one.answers]
    title, steps = bridge(one, found)  # of the first that somebody judged
    row = found[1].numbers
    assert title.startswith("Cooperation resumed, as in November 2023: why −")
    assert len(steps) == 5
    values = [float(v.replace("−", "-").rstrip("%")) for v, _ in steps]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(row["percent_mean"], abs=0.5)
    share = row["averted_if_works_mean"] / row["baseline"]
    assert values[-2] == pytest.approx(-100 * share, abs=0.5)
    what_if = sc.project(forecast.select(["OH"]), three.scenarios[1], seed=1)
    _, steps = bridge(what_if, [Option(answer) for answer in what_if.answers])
    assert steps[-1][0].endswith(" fewer")
    felt = sc.Intervention(
        "felt", sc.Fixed(-0.1), onset="2025-10", exposure={"Ohio": 0.5, "default": 0}
    )
    half = sc.project(forecast.select(["OH"]), sc.Scenario("s", (felt,)), seed=1)
    _, steps = bridge(half, [Option(answer) for answer in half.answers])
    assert ("−5%", "50% of the effect is felt in Ohio") in steps
    rise = sc.project(forecast.select(["US"]), three.scenarios[3], seed=1)
    assert bridge(rise, [Option(answer) for answer in rise.answers]) is None


def test_decisions_measures_on_demand_and_sums_of_places_have_words_of_their_own(forecast):
    plain = sc.Intervention("cut", sc.Fixed(-0.1), onset="2025-10", p_null=0.5)
    seen = seen_of(forecast, sc.Scenario("s", (plain,)))
    assert "How likely" in seen
    assert "Stop if" not in seen
    seen = seen_of(forecast, sc.Scenario("s", (replace(plain, stop="Nothing <changes>"),)))
    assert "Nothing <changes>" in seen
    assert "Who has to do what" not in seen
    seen = seen_of(forecast, of_prior("buprenorphine-expansion", "2025-10", called="pilot"))
    assert "A fall where the option is in place and none elsewhere would support it" in seen
    assert "changed the supply" not in seen
    assert "Purity and seizures" not in seen
    cut = sc.Scenario("cut", (sc.Intervention("cut", sc.Normal(-0.1, 0.05), onset="2025-10"),))
    seen = seen_of(forecast.region("Midwest"), cut, location="Midwest")
    assert "would prevent in the Midwest by December 2027" in seen
    assert "In the Midwest, " in seen


def test_years_and_sentences_are_those_of_the_forecast(page, forecast, three):
    seen = words(page)
    y26, y27 = (about(x) for x in forecast.years(locations="Ohio")["median"].iloc[-2:])
    assert re.search(rf"is 1,\d+0 in 2025 \(May–Dec\), {y26} in 2026, {y27} in 2027 \(medi", seen)
    assert all(part.removeprefix("F") in seen for part in sentences(forecast, "OH"))
    later = sc.named_intervention("cooperation-resumed", onset="2026-03")
    late = sc.project(three.baseline, sc.Scenario("late", (later,)), seed=1)
    assert "2025 (May–Dec)" not in words(write_brief(late))  # nothing changes before it begins


def test_the_chance_beside_a_limit_is_that_of_the_limit_shown(forecast):
    worse = sc.Scenario("worse", (sc.Intervention("worse", sc.Fixed(0.3), onset="2025-10"),))
    made = sc.project(forecast.select("US"), worse, seed=1)
    found = mind(made, [worse])
    assert found
    for item in found:
        said = r"months ending in (\w+ \d+) below ([\d,]+) or above ([\d,]+)\."
        month, *ends = re.search(said, item).groups()
        low, high = (float(x.replace(",", "")) for x in ends)
        counts = made.baseline.count_at(f"{pd.to_datetime(month):%Y-%m}")[:, 0]
        under, over = chance((counts < low).mean()), chance((counts > high).mean())
        assert f"of one below is {under} and of one above {over}." in item


@pytest.fixture(scope="module")
def latest(fitted_newest):
    """Of the release that past errors were scored against: before it nobody knew them."""
    made = fitted_newest.forecast(until="2027-12", draws=60)
    shock = sc.named_intervention("supply-shock-2023-like", onset="2026-10")
    return sc.project(made, [sc.Scenario("shock", (shock,), question="What <if>?")], seed=1)


def test_past_errors_are_a_table_or_a_command(one, latest):
    page = words(write_brief(latest, location="Ohio"))
    assert "We reran the model as of past dates with the data available then" in page
    assert "90% interval contained the final count" in page
    other = replace(one.baseline, provenance={**one.baseline.provenance, "spec_hash": "another"})
    seen = seen_of(other, one.scenarios[-1], location="OH")
    assert "were not scored for this brief" in seen
    assert "odforecast backtest --locations OH --out results" in seen


def test_an_assumption_in_plain_words():
    shock = sc.named_intervention(
        "supply-shock-2023-like", onset={"between": ["2026-01", "2026-03"]}
    )
    size = "−46% (median −48%; −68% to −19%)"  # 1 - exp(-.65) is .48
    assert assumption(shock) == [size, "14 months", "Half gone after 30 months", "0 to 5"]
    assert assumption(shock.scaled(0.5))[0] == "−27% (median −28%; −43% to −10%)"
    cut = {"name": "felt", "size": sc.Fixed(-0.1), "onset": "2026-03"}
    for more, said in (
        ({"exposure": 0.5}, "−10%; 50% of it is felt"),
        ({"exposure": {"OH": 1, "default": 0}}, "−10%; 100% of it in Ohio, 0% elsewhere"),
        ({"exposure": {"default": 0.3}}, "−10%; 30% of it everywhere"),
        ({"exposure": "fentanyl-share"}, "−10%; each state in proportion to its share of fentanyl"),
    ):
        assert assumption(sc.Intervention(**cut, **more)) == [said, "At once", "Lasts", "none"]
    back = sc.named_intervention("cooperation-resumed", onset="2026-03", plateau=6, residue=0.2,
                              rebound={"prior": "substitution-rebound"})  # fmt: skip
    assert assumption(back)[2] == (
        "Full for 6 months, then half gone after 18 months; 20% of it lasts; if it works, 2–37% of "
        "the reduction is later lost to other drugs (60% likely)"
    )


def test_what_is_refused_writes_nothing(one, forecast, tmp_path):
    for bad in ({"paper": "A5"}, {"stylesheet": tmp_path / "none.css"}, {"locations": []}):
        with pytest.raises((DataError, LookupError, ScenarioError)):
            write_briefs(one.select(["US"]), tmp_path / "out", **bad)
    with pytest.raises(ScenarioError, match="none is there"):
        write_brief(sc.project(forecast, sc.NULL))
    with pytest.raises(ScenarioError, match="no priors"):
        prior_figure(sc.NULL)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_several_places_are_one_file_and_the_annex_has_the_rest(one, tmp_path):
    few = one.select(["US", "OH"])  # a sensitivity of all places takes long
    (tmp_path / "brief-mine.html").write_text("<p>not of this library</p>")
    old = '<meta name="generator" content="odforecast 0.1">'
    (tmp_path / "brief-US.html").write_text(old)  # of an earlier run
    written = write_briefs(few, tmp_path, ["US", "Ohio", "OH"])
    left = sorted(p.name for p in tmp_path.iterdir())
    assert left == ["brief-annex.html", "brief-mine.html", "brief.html"]
    page = written[0].read_text(encoding="utf-8")
    assert Page(page).links() == ["#US", "#OH", "brief-annex.html"]
    seen = words(page)
    for code in ("US", "OH"):
        assert answers(few, code)[0].combined in seen
        assert page.count(f'<section id="{code}"') == 1
    seen = words(written[1].read_text(encoding="utf-8"))  # the annex has what the brief leaves out
    for part in (
        NEUTRAL_CAVEAT, "Normal(-0.65, 0.29)", "a what-if, with no probability attached", "T40.4",
        "seed", "Sensitivity", "depends most on", few.scenario("shock").hash,
        "Exposure", "prior-dominated by construction", "Buprenorphine", "months 1-12",
    ):  # fmt: skip
        assert part in seen, part


@pytest.mark.slow
def test_the_annex_shows_who_judged_what(forecast, tmp_path):
    (scenario,) = sc.read_scenarios(Path(od.__file__).parent / "examples" / "judged-by-three.yaml")
    made = sc.project(forecast.select(["US"]), scenario, seed=1)
    brief, annex = (p.read_text(encoding="utf-8") for p in write_briefs(made, tmp_path))
    seen = words(annex)
    assert "Who judged what" in seen
    assert "State epidemiologist (example), October 2, 2025 40% −12%, −7%, −3%" in seen
    assert "Toxicologist (example), October 7, 2025 20% 20%, 30%, 50%" in seen
    assert annex.count('class="outer"') == 2  # the pool of the size, and of the chance
    assert annex.count('class="mean"') == 8
    seen = words(brief)
    assert "72%, the judgment of State epidemiologist (example) and 2 others" in seen
    assert "The judgment of State epidemiologist (example) and 2 others: given " in seen
    # Only the signs are those of the shipped prior.
    assert seen.count("odforecast developers") == 1
    assert "Signs and stop rules are the judgment of the odforecast developers" in seen


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no browser on this machine")
@pytest.mark.parametrize(("of", "paper", "wide"), [("three", "a4", 595), ("five", "letter", 612)])
def test_a_brief_prints_on_two_pages_and_fits_a_phone(of, paper, wide, request, tmp_path):
    path = tmp_path / "brief.html"
    projection = request.getfixturevalue(of)
    path.write_text(write_brief(projection, location="US", paper=paper), encoding="utf-8")
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=str(BROWSER), args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 390, "height": 844})
        shown.goto(path.as_uri())
        assert shown.evaluate("document.documentElement.scrollWidth") == 390
        pdf = shown.pdf(prefer_css_page_size=True)
        browser.close()
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 2
    width = re.search(rb"/MediaBox\s*\[0 0 ([\d.]+)", pdf)
    assert width is not None
    assert round(float(width[1])) == wide


#: Words by what they are about, and the briefs that may use them.
SUPPLY = ("purity", "seizure", "supply", "fentanyl, and none")
COOPERATION = ("cooperat", "seller", "precursor")
CONTROL = ("listed", "control")
CARE = ("naloxone", "treatment", "kits")
WORDS = {
    "cooperation-resumed": CARE + CONTROL,
    "supply-shock-2023-like": CARE + CONTROL + COOPERATION,
    "analogue-scheduling": CARE + COOPERATION + SUPPLY,
    "naloxone-source": SUPPLY + COOPERATION + CONTROL,
    "methadone-expansion": SUPPLY + COOPERATION + CONTROL + ("naloxone", "kits"),
}
OWN = """
name: x
interventions:
  - {name: x, onset: 2025-10, %s percent: {quantiles: {5%%: -20%%, 50%%: -10%%}}}
"""


@pytest.mark.parametrize("name", WORDS)
def test_a_brief_has_no_words_that_its_scenario_does_not_support(forecast, name, tmp_path):
    scenario = of_prior(name, "2025-10")
    made = sc.project(forecast.select(["US", "OH"]), scenario, seed=1)
    seen = words(write_brief(made, location="US"))
    for reference in scenario.interventions[0].references:
        seen = seen.replace(reference, "")
    seen = seen.lower()
    assert [word for word in WORDS[name] if word in seen] == []
    assert "it has no chance" not in seen
    if name != "supply-shock-2023-like":
        assert "Earliest sign (judgment)".lower() in seen
        assert "judgment of the odforecast developers, november 2026. no source measures" in seen
    write_briefs(made, tmp_path, "US")
    annex = words((tmp_path / "brief-annex.html").read_text())
    # Percentages of one whole add up, and the steps end at the answer.
    assert (": the answer" in annex) == (name == "cooperation-resumed")
    parts = re.findall(r"(\d+)% / (\d+)% / (\d+)%", annex)
    assert {sum(map(int, part)) for part in parts} <= {100}


@pytest.mark.parametrize("mechanism", ["", "mechanism: naloxone,"])
def test_without_a_chance_it_is_a_what_if_in_every_product(forecast, mechanism, tmp_path):
    (own,) = sc.parse_scenarios(OWN % mechanism)
    assert own.interventions[0].is_what_if
    made = sc.project(forecast.select(["US", "OH"]), own, seed=1)
    write_briefs(made, tmp_path, "OH")
    pages = [words((tmp_path / name).read_text()) for name in ("brief.html", "brief-annex.html")]
    for seen in (*pages, made.text("OH")):
        assert re.search("no probability (is )?attached|a what-if", seen)
        for word in ("likely", "judged", "judgment: ", "backfires", "has no chance", "100%)"):
            assert word not in seen.replace("How likely", ""), word
    brief = pages[0].lower()
    assert [word for word in SUPPLY + COOPERATION + CONTROL if word in brief] == []
    chances = made.answer()[["works", "nothing", "backfires", "fewer", "same", "more"]]
    assert chances.isna().all(axis=None)
    assert made.outcomes()["chance"].isna().all()
    assert "p_null" not in set(own.to_frame()["quantity"])
