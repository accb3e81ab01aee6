"""The tables of the evidence library say what the evidence says."""

import hashlib
import re

import numpy as np
import pandas as pd
import pytest
from evidence_page import PAGE, course_change, full_strength, quantities, to_markdown
from scipy.stats import lognorm

import odforecast as od
from odforecast.errors import UnknownNameError
from odforecast.scenario import named, named_intervention
from odforecast.scenario.catalogue import (
    cite,
    events,
    levers,
    library,
    prior_names,
    prior_table,
    prior_title,
    references,
)
from odforecast.scenario.effects import EventPrior

#: Of all hashes of the shipped priors as scenarios from 2026-03: change one on purpose only.
HASHES = "8879be86ecf023e3"
SCENARIO_KEYS = {
    "name", "scope", "belief", "size", "percent", "dose", "p_null", "direction", "backfire",
    "replaced", "lag", "ramp", "half_life", "residue", "share", "exposure",
    "fraction", "mechanism", "needs", "sign", "stop", "grade", "source", "note", "references",
}  # fmt: skip
TABLE = quantities().set_index("event")
COUNTED = TABLE.index[TABLE["since"] != ""]


def _parts(table: dict) -> tuple[float, float, float]:
    size = named_intervention(table["name"], onset="2026-03").size
    below = float(np.mean(size.ppf((np.arange(200_000) + 0.5) / 200_000) < 0))
    there = 1 - table["p_null"]
    falls = there * below if table["direction"] != "rise" else 0.0
    rises = there * (1 - below) if table["direction"] != "fall" else 0.0
    return falls, 1 - falls - rises, rises


def _by_id() -> pd.DataFrame:
    return events().set_index("id")


def test_there_is_no_prior_but_these_whatever_is_done_to_their_tables():
    hashes = {name: named(name, onset="2026-03").hash for name in prior_names()}
    assert hashlib.sha256(repr(hashes).encode()).hexdigest()[:16] == HASHES, hashes
    assert len(prior_names("demand")) == 5
    assert prior_names("demand", "pressure")[0] == "tariff-only"
    kinds = {library()["priors"][n]["kind"] for n in prior_names()}
    assert kinds == {"supply", "control", "cooperation", "pressure", "demand"}
    prior_table("tariff-only")["size"]["normal"][0] = 9
    assert prior_table("tariff-only")["size"] == {"normal": [0.0, 0.04]}
    for ask, said in ((prior_table, "allowed: supply-shock"), (cite, "unknown reference 'peace'")):
        with pytest.raises(UnknownNameError, match=said):
            ask("peace")


@pytest.mark.parametrize("name", prior_names())
def test_every_prior_is_in_the_form_of_a_scenario_file(name):
    table, parts = prior_table(name), library()["priors"][name]["parts"]
    assert set(table) <= SCENARIO_KEYS
    assert table["name"] == name
    # What may come of it follows from size, p_null and direction; what may backfire says how.
    falls, nothing, rises = _parts(table)
    given = {"works": falls, "nothing": nothing, "backfires": rises}
    if table["direction"] == "rise":
        given = {"rises": rises, "nothing": nothing}
    assert parts == pytest.approx(given, abs=0.005)
    assert (rises >= 0.005) == bool(table.get("backfire"))
    # A class-scoped effect says how much of it comes all the same, and is its own exposure.
    assert table["scope"] == ("all-drugs" if name == "analogue-scheduling" else "T40.4")
    assert (table["scope"] == "T40.4") == ("replaced" in table)
    assert table["scope"] == "all-drugs" or table["exposure"] == 1.0
    assert all(table[key] for key in ("source", "grade", "note", "references"))
    assert prior_title(name)
    assert "spread" not in table


@pytest.mark.parametrize(
    ("name", "ratio", "low", "high"),
    [("methadone-expansion", 0.41, 0.24, 0.70), ("buprenorphine-expansion", 0.62, 0.41, 0.92)],
)
def test_treatment_is_the_share_treated_times_one_less_the_hazard_ratio(name, ratio, low, high):
    hazard = lognorm(np.log(high / low) / (2 * 1.96), scale=ratio)
    percent = named_intervention(name, onset="2026-03").size.change
    assert percent.mean == pytest.approx(-10 * (1 - hazard.mean()), abs=0.05)
    assert percent.sd == pytest.approx(10 * hazard.std(), abs=0.05)
    assert f"{ratio} ({low:.2f}–{high:.2f})" in levers().set_index("prior").loc[name, "effect"]


def test_every_event_has_a_source_a_grade_a_reference_and_tags():
    table = events()
    assert len(table) == 38
    assert table["id"].is_unique
    assert table["month"].is_monotonic_increasing
    for column in ("event", "effect", "source", "grade", "tags", "changed", "lag", "reference"):
        assert (table[column].str.len() > 0).all()
    assert set(",".join(table["tags"]).replace(" ", "").split(",")) == {"V", "S", "C", "J"}
    kinds = {"supply", "control", "cooperation", "enforcement", "pressure", "check", "rival"}
    assert set(table["kind"]) == kinds
    assert np.isfinite(table.loc[table["episode"], "log_rr"]).all()


@pytest.mark.parametrize(
    ("name", "kind", "date", "words"),
    [
        ("forensic-institute-listed", "pressure", "2020-05-22", "low point"),
        ("un-controls-2022", "control", "2022-03-16", "4-AP"),
        ("us-sanctions-2023", "enforcement", "2023-10-03", "28 people and firms"),
        ("china-white-paper", "cooperation", "2025-03-04", "own account"),
        ("india-second-source", "supply", "2025-01-06; 2025-03-25", "India"),
        ("mexico-controls-2005", "control", "2005-11", "−12% in Mexico and −11% in Texas"),
        ("mexico-closure-2007", "enforcement", "2007-03", "−56% in Mexico and −48% in Texas"),
        ("permanganate-controls", "control", "1989-10; 2006-12", "back in 1–2 years"),
    ],
)
def test_events_that_were_missing(name, kind, date, words):
    row = _by_id().loc[name]
    assert (row["kind"], row["date"]) == (kind, date)
    assert words in " ".join([row["event"], row["changed"], row["effect"]])


def test_grades_follow_our_own_evidence():
    assert prior_table("cooperation-suspended")["grade"] == "none"
    assert prior_table("class-scheduling")["grade"] == "low"
    assert _by_id().loc["cooperation-suspended", "grade"].startswith("none: ")
    assert _by_id().loc["class-scheduled", "grade"] == "low: its window holds the pandemic"


def test_every_reference_is_whole_and_used():
    table = references()
    assert table["id"].is_unique
    assert list(table) == ["id", "authors", "year", "title", "journal", "doi", "citation"]
    for column in ("authors", "title", "journal"):
        assert (table[column].str.len() > 0).all()
    assert table["year"].between(1990, 2026).all()
    items = [*library()["events"], *library()["priors"].values()]
    assert {key for item in items for key in item["references"]} == set(table["id"])


def test_the_page_in_the_docs_is_the_library_and_shows_everything():
    page = to_markdown()
    assert PAGE.read_text(encoding="utf-8") == page
    graded = events().query("kind != 'rival'")["grade"]
    backfires = [prior_table(name).get("backfire", "") for name in prior_names()]
    shown = [*prior_names(), *backfires, *events()["event"], *events()["source"], *graded]
    assert [text for text in shown if text not in page] == []
    assert "percentile" not in page  # ranks come from one command, with release and window
    bibliography = (PAGE.parents[1] / "bibliography.md").read_text(encoding="utf-8")
    assert ".. evidence-references::" in bibliography  # all of them, in the order of the numbers


@pytest.mark.parametrize("page", ["article.md", "concepts/scenarios.md", "reference/evidence.md"])
def test_pages_that_use_the_calendar_say_what_its_dates_are(page):
    text = " ".join((PAGE.parents[1] / page).read_text(encoding="utf-8").split())
    assert library()["calendar"]["note"] in text


def test_the_article_has_its_central_claim_and_mechanism():
    text = (PAGE.parents[1] / "article.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")]
    wanted = ("made a difference", "know-your-customer", "India", "age", "cooperation halted")
    said = {words: next((row for row in rows if words in row[0]), None) for words in wanted}
    assert all(said.values()), said
    assert all("**" in row[-1] for row in said.values())
    assert "cannot identify cooperation" in said["made a difference"][-1]
    assert re.search("19 June 2023|June 19, 2023", text)


def test_each_correction_names_tests_that_exist():
    page = (PAGE.parent / "corrections.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (\d+) \|", page, re.M) == [str(n) for n in range(1, 13)]
    for row in re.findall(r"^\| \d+ \|.*$", page, re.M):
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, test in named:
            assert f"def {test}(" in (PAGE.parents[2] / file).read_text(encoding="utf-8"), test


def _on_the_counts(row):
    panel = od.bundled().as_of(row["release"]).panel(row["count"]).select("US")
    counts = dict(zip(panel.months.astype(str), panel.reported[0]))
    return float(np.log(counts[row["until"]] / counts[row["since"]]))


def test_every_prior_read_from_an_episode_names_it_and_ships_its_size_at_full_strength():
    scheduled = {"analogue-scheduling", "precursor-scheduling"}
    assert set(TABLE["prior"]) == {"supply-shock-2023-like", "supplier-closure", *scheduled}
    assert list(COUNTED) == ["carfentanil-scheduled", "supply-shock-2023"]
    assert TABLE["shipped"].to_numpy() == pytest.approx(TABLE["size"].to_numpy(), abs=0.035)


@pytest.mark.parametrize("event", COUNTED)
def test_the_priors_median_course_reproduces_the_counts(event):
    row = TABLE.loc[event]
    counted = _on_the_counts(row)
    assert row["log_rr"] == pytest.approx(counted, abs=1.5e-3)
    onset = next(e["dates"][0][:7] for e in library()["events"] if e["id"] == event)
    x = named_intervention(row["prior"], onset=onset)
    found = course_change(x, row["shipped"], row["since"], row["until"])
    assert float(found) == pytest.approx(counted, abs=0.012)
    # The size that was shipped before took the change between two ramping years for it.
    before = course_change(x, row["log_rr"], row["since"], row["until"])
    assert abs(float(before)) < 0.7 * abs(row["log_rr"])


def test_the_fall_to_april_2025_asks_for_a_little_more():
    x = named_intervention("supply-shock-2023-like", onset="2023-07")
    panel = od.bundled().as_of("2025-09-17").panel("T40.4").select("US")
    fall = float(np.log(panel.reported[0, -1] / panel.reported.max()))
    assert fall == pytest.approx(-0.610, abs=5e-4)
    assert full_strength(x, fall, "2023-06", "2025-04") == pytest.approx(-0.70, abs=0.03)


def test_resumed_cooperation_is_the_share_credited_of_the_shock():
    names = ("cooperation-resumed", "supply-shock-2023-like")
    resumed, shock = (named_intervention(n, onset="2026-01") for n in names)
    assert resumed.size == shock.size
    assert resumed.share == od.scenario.Beta(*library()["attribution"]["prior"]["beta"])
    assert resumed.lag != shock.lag
    # A posterior of the past takes the product as the normal with its mean and sd.
    rng = np.random.default_rng(1)
    drawn = shock.size.ppf(rng.random(400_000)) * resumed.share.ppf(rng.random(400_000))
    matched = EventPrior.from_event(resumed)
    assert (matched.mean, matched.sd) == pytest.approx((drawn.mean(), drawn.std()), abs=2e-3)


def test_a_rebound_adds_as_much_as_it_would_alone():
    alone = named_intervention("substitution-rebound", onset="2026-01").size.mean
    back = {"prior": "substitution-rebound"}
    shock = named_intervention("supply-shock-2023-like", onset="2026-01", rebound=back)
    assert -shock.rebound.fraction.mean * shock.size.mean == pytest.approx(alone, abs=1e-3)


def test_controls_pass_and_closures_partly_stay():
    names = ("precursor-scheduling", "supplier-closure")
    control, closure = (named_intervention(n, onset="2026-01") for n in names)
    assert (control.p_null, control.residue.mean) == (pytest.approx(8 / 13, abs=0.02), 0.0)
    assert closure.size.mean < control.size.mean
    assert closure.residue.mean == 0.5
