"""The first minute of a stranger: places as words, an answer, a workbook, a page, short help."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from commands import ok, run

import odforecast as od
from odforecast.cli.answer import write_table
from odforecast.say import shown_warnings

QUICK = ("--draws", "60")


@pytest.mark.parametrize(
    ("words", "places"),
    [
        ("Ohio", ["OH"]),
        ("New York", ["NY"]),
        ("new york NYC Ohio", ["NY", "YC", "OH"]),
        ("US,OH West Virginia", ["US", "OH", "WV"]),
        ("--state Ohio --state WV", ["OH", "WV"]),
        ("--locations Ohio,WV", ["OH", "WV"]),
    ],
)
def test_places_are_words_or_an_option(words, places):
    said = json.loads(ok("forecast", "--model", "naive", *QUICK, "--json", *words.split()))
    assert said["meta"]["locations"] == places


def test_the_first_line_answers_and_a_small_table_follows(tmp_path):
    picture, table = tmp_path / "ohio.png", tmp_path / "ohio.csv"
    done = run("forecast", "Ohio", *QUICK, "--plot", picture, "--table", table)
    assert done.exit_code == 0, done.output
    first = " ".join(done.stdout.split("\n\n")[0].split())
    assert re.match(r"Ohio: for the 12 months ending in August 2026 the forecast is about", first)
    assert re.search(r"90% interval [\d,]+ to [\d,]+", first)
    assert re.search(r"the probability of a fall is [\w ]+%\.", first)
    rows = re.findall(r"^(20\d\d-\d\d) ", done.stdout, re.M)
    assert rows == ["2025-11", "2026-02", "2026-05", "2026-08"]
    assert done.stdout.endswith(f"table: {table} (24 rows)\nfigure: {picture}\n")
    assert "To save it" not in done.stdout


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
    assert [c.value for c in cells] == [
        "'=name", "n", '\'=HYPERLINK("http://x")', 1.5, "ab", None, None, 3,
    ]  # fmt: skip


def test_a_report_needs_no_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "page: report.html" in ok("report", "--state", "Ohio", *QUICK)
    assert "Ohio" in Path("report.html").read_text()


def test_help_is_short_in_groups_and_help_all_has_the_rest():
    short, whole = ok("forecast", "--help"), ok("forecast", "--help-all")
    groups = re.findall(r"^(\w+):", short, re.M)
    assert groups == ["Usage", "What", "Data", "Output", "Options"]
    listed = re.findall(r"^  (?:-h, )?(--[\w-]+)", short, re.M)
    assert 9 <= len(set(listed) - {"--help", "--help-all"}) <= 11
    every = re.findall(r"^  (?:-h, )?(--[\w-]+)", whole, re.M)
    assert set(listed) < set(every)
    assert {"--draws", "--seed", "--save", "--locations", "--counts"} <= set(every)


def test_a_few_draws_below_zero_are_no_warning():
    few, many = (f"{n} of 1,272,000 drawn months were below zero and set to 0"
                 for n in ("262", "12,720"))  # fmt: skip
    assert shown_warnings([few, many, "read with care"]) == [many, "read with care"]
    done = run("forecast", "Ohio", "--draws", "1000", "--json")
    assert "below zero" not in done.stderr
    assert any("below zero" in text for text in json.loads(done.stdout)["meta"]["warnings"])


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
    assert next(iter(inspect.signature(od.quick.forecast).parameters)) == "places"
    assert od.forecast.Forecast is od.Forecast  # the package is still one
