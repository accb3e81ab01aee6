"""``odforecast forecast`` and ``nowcast`` as a stranger would use them."""

import inspect
import json
import re
from functools import partial
from pathlib import Path

import commands
import exits
import numpy as np
import openpyxl
import pandas as pd
import pytest
from commands import ok, said

import odforecast as od
from odforecast.cli.answer import write_table
from odforecast.cli.screen import change, count, share
from odforecast.forecasts import Forecast
from odforecast.forecasts.text import VALIDATED, place_name, sentences
from odforecast.geography import lookup
from odforecast.hub import read_hub
from odforecast.models import registry as base
from odforecast.models.registry import register
from odforecast.models.spec import Spec
from odforecast.say import rounded, shown_warnings, step_of

run = partial(exits.run, "forecast")

QUICK = ("--source", "bundled", "--draws", "60")
HUB = (*QUICK, "--model", "hub-baseline")
NAIVE = (*QUICK, "--model", "naive")
DRIFT = ("forecast", *QUICK, "--model", "drift")


@pytest.fixture(scope="module")
def whole(fitted_newest):
    return fitted_newest.forecast(until="2026-12", draws=60)


def table_of(text, head):
    below = text[text.index(head) :].partition("─\n")[2].split("\n\n")[0]
    return {x: cells.split() for x, cells in re.findall(r"^([A-Z]{2,3}) (.*)$", below, re.M)}


def begins(whole, name):
    known, ahead, moved = sentences(whole, name)
    place = place_name(name).replace("the", "The")
    return f"{place}: {ahead[:1].lower()}{ahead[1:]} {moved} {known}"


def test_the_screen_says_the_numbers_of_the_whole_forecast(whole):
    places = ["US", "NY", "NYC", "Ohio"]
    result = run(*QUICK, "--until", "2026-12", "--locations", ",".join(places), code=0)
    assert " ".join(result.stdout.split()).startswith(begins(whole, "US"))
    shown, table = table_of(result.stdout, "per"), whole.summary(locations=places)
    last = table[table["month"] == table["month"].max()].set_index("location")
    assert list(shown) == ["US", "NY", "NYC", "OH"]
    panel = whole.panel
    for shown_as, cells in shown.items():
        place = lookup(shown_as).state
        row, at = last.loc[place], panel.index(place)
        together = "*" if place in ("NY", "YC") else ""
        assert cells == [
            *(f"{layer[at, -1]:,.0f}" for layer in (panel.reported, panel.predicted)),
            *count(row["low"], row["median"], row["high"]).split(),
            *change(row["change_low"], row["change"], row["change_high"]).split(),
            share(row["fall"]), f"{row['rate']:.1f}{together}",
        ]  # fmt: skip
    assert last.loc["NY", "rate"] == last.loc["YC", "rate"]
    assert "*: rate of New York and New York City together" in said(result)
    years = whole.years(locations="Ohio")[["low", "median", "high"]].to_numpy()
    shown = table_of(result.stdout, "Calendar years")["OH"]
    assert shown == [word for year in years for word in count(*year).split()]
    assert re.search(r"all published +8 months published +all forecast", result.stdout)
    assert "Calendar years" not in run(*NAIVE, "--horizon", "3").stdout


def test_the_answer_is_of_the_first_place_and_a_small_table_follows(whole, tmp_path):
    picture, table = tmp_path / "ohio.png", tmp_path / "ohio.csv"
    text = ok("forecast", "Ohio", *QUICK, "--plot", picture, "--table", table)
    rows = re.findall(r"^(20\d\d-\d\d) ", text, re.M)
    assert rows == ["2025-11", "2026-02", "2026-05", "2026-08"]
    assert text.endswith(f"table: {table} (24 rows)\nfigure: {picture}\n")
    assert "To save it" not in text
    text = ok("forecast", *QUICK, "--until", "2026-12", "--locations", "Ohio,WV")
    assert " ".join(text.split()).startswith(begins(whole, "Ohio"))


@pytest.mark.parametrize(
    ("words", "places"),
    [
        ("Ohio", ["OH"]),
        ("New York", ["NY"]),
        ("new york NYC Ohio", ["NY", "YC", "OH"]),
        ("US,OH West Virginia", ["US", "OH", "WV"]),
        ("--state Ohio --state WV", ["OH", "WV"]),
        ("--locations Ohio,WV", ["OH", "WV"]),
        ("--locations WV,54 --locations WV", ["WV"]),
    ],
)
def test_places_are_words_or_an_option(words, places):
    meta = json.loads(ok("forecast", *NAIVE, "--json", *words.split()))["meta"]
    assert meta["locations"] == places


@pytest.mark.parametrize(
    ("target", "keys"),
    [
        ("deaths_12mo", ["meta", "summary", "years", "trend"]),
        ("deaths_month", ["meta", "months"]),
        ("both", ["meta", "summary", "years", "trend", "months"]),
    ],
)
def test_json_says_its_target(target, keys):
    found = json.loads(ok(*DRIFT, "--locations", "US", "--target", target, "--json"))
    assert (list(found), found["meta"]["target"]) == (keys, target)


def test_months_are_written_as_months(tmp_path):
    made = od.get_model("drift").fit(od.bundled().as_of().panel()).forecast(draws=60)
    places = ("--locations", "US,NY", "--target", "deaths_month")
    shown = ok(*DRIFT, *places, "--table", tmp_path / "m.csv", "--out", tmp_path / "hub.csv")
    table = pd.read_csv(tmp_path / "m.csv")
    want = made.select(["US", "NY"]).quantiles([0.05, 0.5, 0.95], "deaths_month")
    for got in (pd.DataFrame(json.loads(ok(*DRIFT, *places, "--json"))["months"]), table):
        assert set(got["target"]) == {"deaths_month"}
        assert list(got.columns[:4]) == ["location", "name", "month", "horizon"]
        counts = got[["low", "median", "high"]].to_numpy().T
        np.testing.assert_allclose(counts, want.reshape(3, -1), atol=1e-5)
    hub = read_hub(tmp_path / "hub.csv")
    assert set(hub["target"]) == {"deaths_month"}
    middle = hub.loc[hub["output_type_id"].astype(float) == 0.5, "value"]
    np.testing.assert_allclose(middle, table["median"], atol=0.01)
    last = table[(table["location"] == "NY") & (table["month"] == "2026-08")].iloc[0]
    assert count(last["low"], last["median"], last["high"]) in shown
    done = commands.run("score", tmp_path / "hub.csv", "--plot", tmp_path / "p.svg")
    assert done.exit_code == 1
    assert "--plot shows 12-month counts, and the files contain none" in done.stderr
    assert not (tmp_path / "p.svg").exists()


def test_table_and_file(tmp_path):
    out = tmp_path / "f.csv"
    text = ok("forecast", *HUB, "--locations", "US,WV,NYC", "--out", out)
    assert max(len(line) for line in text.splitlines() if str(out) not in line) <= 80
    assert not re.search(r"[\x1b]| $", text, re.M)
    assert f"hub file: {out} (828 rows)" in text
    text = " ".join(text.split())
    # The model has no draws of past months: the published counts are shown.
    assert "69,172 drug overdose deaths were reported" in text
    assert "Number of Drug Overdose Deaths, as of 2026-01-14" in text
    assert "months to 2026-08" in text
    assert "lower than a year earlier" in text
    made = od.get_model("hub-baseline").fit(od.bundled().as_of().panel()).forecast(draws=60)
    want = od.to_hub(made.select(["US", "WV", "NYC"]), targets=["deaths_12mo"])
    pd.testing.assert_frame_equal(read_hub(out), want, check_exact=True)
    text = ok("forecast", *HUB, "--horizon", "2")
    assert "… and 42 more states (--rows 0 shows all)" in text
    assert len(re.findall(r"^[A-Z]{2}  ", text, re.M)) == 12
    assert "To save it: --table" in text
    every = ok("forecast", *HUB, "--horizon", "2", "--rows", "0")
    assert len(re.findall(r"^[A-Z]{2,3}  ", every, re.M)) == 54


def test_a_workbook_holds_the_table_and_no_formula(tmp_path):
    files = tmp_path / "ohio.xlsx", tmp_path / "ohio.csv"
    for file in files:
        ok("forecast", "Ohio", *QUICK, "--table", file)
    book, text = pd.read_excel(files[0]), pd.read_csv(files[1])
    chances = text.select_dtypes("float").abs().max() <= 1
    rounded = text.round({name: 4 if low else 1 for name, low in chances.items()})
    pd.testing.assert_frame_equal(book, rounded, check_dtype=False, atol=0.11)
    about = pd.read_excel(files[0], "about", index_col=0)["value"]
    assert (about["model"], about["release"], about["as of"]) == ("dlm", *["2026-01-14"] * 2)
    odd = pd.DataFrame({"=name": ['=HYPERLINK("http://x")', "a\x07b", None], "n": [1.5, None, 3]})
    write_table(odd, tmp_path / "odd.xlsx")
    cells = [c for row in openpyxl.load_workbook(tmp_path / "odd.xlsx").active for c in row]
    assert not [c for c in cells if c.data_type == "f"]
    held = ["'=name", "n", '\'=HYPERLINK("http://x")', 1.5, "ab", None, None, 3]
    assert [c.value for c in cells] == held


def test_what_is_saved_is_the_forecast_of_the_places(whole, tmp_path):
    save = (*QUICK, "--until", "2026-12", "--save", tmp_path / "saved")
    assert "save both" not in run(*save, "--locations", "US,NY,NYC,Ohio").stderr
    kept = od.load_forecast(tmp_path / "saved")
    assert kept.locations == ("US", "NY", "YC", "OH")
    np.testing.assert_array_equal(kept.draws, whole.select(kept.locations).draws)
    again = run(*save, code=2)
    assert f"--save {tmp_path / 'saved'} contains a forecast; replace it with --rep" in again.stderr
    alone = run(*save, "--replace", "--locations", "NY", code=0)
    assert "cannot be made from it; for that, save both" in " ".join(alone.stderr.split())


def test_the_page_of_new_york_has_the_rate_of_state_and_city(tmp_path, monkeypatch):
    page = tmp_path / "p.html"
    words = ("forecast", *QUICK, "--locations", "New York")
    ok(*words, "--html", page)
    last = json.loads(ok(*words, "--json"))["summary"][-1]
    assert last["rate_of"] == "NY+YC"
    assert f">{last['rate']:.0f}†" in page.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)  # a report needs no name
    assert "page: report.html" in ok("report", "--state", "Ohio", *QUICK)
    assert "Ohio" in Path("report.html").read_text()


@pytest.mark.parametrize(("places", "level"), [("US,NY", "0.8"), ("OH", "0.3")])
def test_the_level_reaches_the_picture(places, level, tmp_path):
    path = tmp_path / "p.svg"
    ok(*DRIFT, "--locations", places, "--level", level, "--plot", path)
    text = path.read_text(encoding="utf-8")
    assert f"{100 * float(level):g}% interval" in text
    assert "90% interval" not in text


def test_the_default_seed_is_fixed_and_locations_do_not_matter(tmp_path):
    tables = []
    for words in ("US,WV", "US,WV", "WV", "WV --seed 9"):
        ok(*DRIFT, "--locations", *words.split(), "--out", tmp_path / "f.csv")
        tables.append(read_hub(tmp_path / "f.csv"))
    a, b, c, other = tables
    assert a.equals(b)
    assert a[a["location"] == "54"].reset_index(drop=True).equals(c)
    assert not other.equals(c)


def test_what_to_mind_is_said_on_standard_error_and_a_few_draws_below_zero_are_not():
    low = "hub-baseline takes them as reported, so it leans low"
    assert low in said(run(*HUB, "--locations", "US"))
    assert "leans low" not in run(*QUICK, "--model", "cdc-predicted", "--locations", "US").stderr
    far = said(run(*NAIVE, "--locations", "US", "--horizon", str(VALIDATED + 1)))
    assert far.count("(more than 12 months ahead) have not been tested") == 1
    near = run(*NAIVE, "--locations", "US", "--horizon", str(VALIDATED), "--as-of", "2026-02-01")
    assert "not been tested" not in said(near)
    assert "note: the newest stored release, 2026-01-14, is used" in said(near)
    few, many = (f"{n} of 1,272,000 drawn months were below zero and set to 0"
                 for n in ("262", "12,720"))  # fmt: skip
    assert shown_warnings([few, many, "read with care"]) == [many, "read with care"]
    done = run("Ohio", "--draws", "1000", "--json")
    assert "below zero" not in done.stderr
    assert any("below zero" in text for text in json.loads(done.stdout)["meta"]["warnings"])
    result = run(*HUB, "--locations", "US", "--target", "deaths_month", code=1)
    assert "hub-baseline does not forecast deaths_month" in result.stderr
    both = run(*HUB, "--locations", "US", "--target", "both", code=0)
    assert "note: hub-baseline does not forecast deaths_month" in both.stderr


@pytest.fixture
def models(monkeypatch):
    monkeypatch.setattr(base, "_REGISTERED", dict(base._REGISTERED))
    register("joint", Joint)
    register("alone", Alone)


class Joint:
    spec = Spec("joint", by=None, origin="tests==1")
    seen: tuple[str, ...] = ()

    def fit(self, panel):
        Joint.seen = panel.locations
        self.panel = panel
        return self

    def draw(self, horizon, draws, streams):
        states = [s for s in self.panel.locations if s != "WY"]
        rng = streams.generator("model")
        paths = rng.poisson(50.0, (draws, len(states), horizon)).astype(float)
        said = {"skipped": {"WY": "too small for it"}, "warnings": ("read with care",)}
        return Forecast.from_panel(self.panel, paths, states, joint=self.spec.joint, **said)


class Alone(Joint):
    """A model of mine. With more to say."""

    spec = Spec("alone", by="location", joint=frozenset({"month"}), origin="my-models 1.2")


def test_a_model_of_ones_own_sees_what_it_needs_is_listed_and_may_warn(models):
    text = ok("forecast", "--model", "joint", "--locations", "WV,OH", "--draws", "20")
    assert len(Joint.seen) == 54
    assert text.index("\nWV ") < text.index("\nOH ")
    assert "\nAL " not in text
    ok("forecast", "--model", "alone", "--locations", "WV,OH", "--draws", "20")
    assert Joint.seen == ("WV", "OH")
    text = ok("models")
    (line,) = (x for x in text.splitlines() if x.split()[:1] == ["alone"])
    assert "A model of mine. With more to say" in line
    assert "[my-models 1.2]" in " ".join(text.split())
    result = run("--model", "alone", "--locations", "US,WY", "--draws", "20", code=0)
    assert "skipped WY: too small for it" in result.stderr
    assert "warning: read with care" in result.stderr
    assert "WY" not in result.stdout


def test_help_is_short_in_groups_and_help_all_has_the_rest():
    short, every = ok("forecast", "--help"), ok("forecast", "--help-all")
    assert re.findall(r"^(\w+):", short, re.M) == ["Usage", "What", "Data", "Output", "Options"]
    listed, known = (set(re.findall(r"^  (?:-h, )?(--[\w-]+)", x, re.M)) for x in (short, every))
    assert 9 <= len(listed - {"--help", "--help-all"}) <= 11
    assert listed < known
    assert {"--draws", "--seed", "--save", "--locations", "--counts"} <= known


def test_examples_are_listed_copied_and_never_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    listed = json.loads(ok("examples", "--json"))
    assert "cooperation-2026.yaml" in [x["name"] for x in listed]
    assert all(x["what"] for x in listed)
    assert list(tmp_path.iterdir()) == []
    ok("examples", "cooperation-2026")
    od.scenario.read_scenarios("cooperation-2026.yaml")
    Path("cooperation-2026.yaml").write_text("mine")
    again = commands.run("examples", "pilot-two-states.yaml", "cooperation-2026")
    assert again.exit_code == 1
    assert "error: cooperation-2026.yaml exists already; copy into another folder" in again.stderr
    assert not Path("pilot-two-states.yaml").exists()
    assert Path("cooperation-2026.yaml").read_text() == "mine"
    ok("examples", "--out", "all")
    assert sorted(p.name for p in Path("all").iterdir()) == [x["name"] for x in listed]


@pytest.mark.slow
def test_one_call_is_the_four_lines():
    panel = od.archive().as_of("2026-01-14").panel()
    want = od.get_model().fit(panel).forecast(until="2026-12", draws=60, seed=3).select("Ohio,WV")
    got = od.forecast(["Ohio", "WV"], as_of="2026-01-14", until="2026-12", draws=60, seed=3)
    assert got.locations == want.locations == ("OH", "WV")
    assert (got.draws == want.draws).all()
    naive = od.forecast("WV", model="naive", horizon=3, draws=20, archive=od.bundled())
    whole = od.get_model("naive").fit(panel).forecast(3, draws=20).select("WV")
    assert (naive.draws == whole.draws).all()
    county = od.forecast("Delaware/*", model="county", draws=20)
    assert county.locations == ("10001", "10003", "10005")
    assert inspect.isfunction(od.forecast)
    assert next(iter(inspect.signature(od.forecast).parameters)) == "places"
    assert (inspect.getdoc(od.forecast) or "").startswith("Forecast overdose deaths")


@pytest.fixture(scope="module")
def nowcast(fitted_newest):
    return fitted_newest.forecast(draws=60).nowcast()


def said_of(table, place, horizon):
    """A row of the table, and its numbers as they are rounded on the screen."""
    row = table[(table["location"] == place) & (table["horizon"] == horizon)].iloc[0]
    step = step_of(row["low"], row["high"])
    return [rounded(row[x], step) for x in ("median", "low", "high")]


def test_the_nowcast_answers_first(nowcast):
    result = exits.run("nowcast", *QUICK, code=0)
    lines = result.stdout.splitlines()
    text = " ".join(lines)
    assert text.startswith("In the United States, 69,172 drug overdose deaths were reported for")
    middle, low, high = said_of(nowcast, "US", 0)
    assert f"; the final count will be about {middle} (90% interval {low} to {high})." in text
    assert "Number of Drug Overdose Deaths, as of 2026-01-14" in text
    rows = [line.split()[0] for line in lines if re.match(r"[A-Z]{2,3}  ", line)]
    assert rows == list(dict.fromkeys(nowcast["location"]))[:12]
    assert "… and 42 more states (--rows 0 shows all)" in lines
    assert "release 2026-01-14" in result.stderr
    assert re.search(r"model dlm \(spec \w+\), 60 draws, seed 1", result.stdout)


def test_all_twelve_counts_of_some_places(nowcast):
    text = ok("nowcast", *QUICK, "--locations", "WV,Ohio", "--months", "12")
    lines = text.splitlines()
    assert "In West Virginia, 671 drug overdose deaths were reported" in " ".join(lines)
    assert sum(bool(re.search(r"20\d\d-\d\d  ", line)) for line in lines) == 24
    (row,) = (line for line in lines if line.startswith("OH "))
    assert row.split()[1:4] == ["2024-09", "3,515", said_of(nowcast, "OH", -11)[0]]
    text = ok("nowcast", *QUICK, "--model", "cdc-predicted", "--locations", "US", "--months", "12")
    assert sum(bool(re.search(r"20\d\d-\d\d  ", x)) for x in text.splitlines()) == 6
