"""The page that scores cooperation: every number is one of its objects, and by hand."""

import re

import numpy as np
import pytest
from commands import ok, run
from scored_factory import SAID, made_up
from site_factory import Page

import odforecast as od
from odforecast.errors import ScenarioError
from odforecast.report import scored

# What the three dates say, cell by cell.
WOODSIDE = [
    "Cooperation resumes (Woodside)",
    "Warnings to firms, site closures, working groupOfficial statements of both governments, "
    "November 15, 2023 and January 30, 2024",
    "70%45% without counts",
    "65%60% before any countsCounts through July 2025",
    "Rank 3 of 510% to 80% for an event in another month",
]
PERMITS = [
    "4-AP, 1-boc-4-AP and norfentanyl controlled",
    "PermitsOfficial notice of the control, September 1, 2024",
    "more than 99%91% without counts",
    "30%35% before any countsCounts through July 2025",
    "Rank 4 of 510% to 80% for an event in another month",
]
BUSAN = [
    "Busan arrangement",
    "Export licences for 13 precursors, tariff 20 → 10%Official statements of both governments, "
    "October 30, 2025 and November 10, 2025",
    "Not known yetFinal counts end in January 2025",
    "60%No counts since then have been published",
    "–",
]
MOVED = ["60%", "70%", "65%", "35%", "25%", "30%", "60%"]


def cells(page: str, head: str) -> list[list[str]]:
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        if head in table:
            (rows,) = Page(table).tables.values()
            return [["".join(text.split("\n")) for text, _ in row] for row in rows[1:]]
    raise AssertionError(head)


@pytest.fixture(scope="module")
def page() -> str:
    return made_up().page()


def test_three_dates_by_hand(page):
    assert cells(page, "What was announced") == [WOODSIDE, PERMITS, BUSAN]
    assert [row[-1] for row in cells(page, ">Release<")] == MOVED
    calendar = {row[0]: row[3:] for row in cells(page, "What changed")}
    # Of 22 months from January 2023 on, 8 are before September 2023 and 14 before March 2024.
    assert calendar["Naloxone over the counter"] == ["70%", "35%"]
    assert calendar["US tariffs 10 → 20%"] == ["–", "–"]
    text = " ".join("".join(Page(page).texts).split())
    assert "Of 5 possible dates around November 2023, that month has only the 3rd highest" in text
    for part in ("between August 2023 and May 2024 (90% interval)", "70% before", SAID):
        assert part in text


def test_every_percentage_is_one_of_its_objects(page):
    text = re.sub(r"<(svg|style|script).*?</\1>", "", page, flags=re.DOTALL)
    from_calendar = set(re.findall(r"[\d.]+%", " ".join(od.scenario.events()["changed"])))
    from_calendar |= {"10%", "20%"}  # of the titles on tariffs
    values = [0.7, 10 / 22, 0.35, 0.8, 0.59, 0.72, 0.66, 0.34, 0.24, 0.29, 0.11, 0.81]
    shown = {f"{5 * round(20 * x)}%" for x in values} | {"90%", "3%", "99%", "1%", "91%", "95%"}
    flat = [f"{5 * round(20 * k / 22)}%" for k in range(1, 22)]
    assert set(re.findall(r"[\d.]+%", text)) <= shown | set(flat) | from_calendar


def test_a_what_if_has_no_probability():
    page = made_up({"busan": "supply-shock-2023-like"}).page()
    assert cells(page, "What was announced")[2][3:] == ["No probability attached", "–"]
    assert [row[-1] for row in cells(page, ">Release<")] == [*MOVED[:-1], "–"]


def test_it_asks_for_nothing_and_is_plain(page):
    assert re.findall(r'(?:src|href)="(?!#|data:)([^"]*)"', page) == [
        "https://www.cdc.gov/nchs/nvss/vsrr/drug-overdose-data.htm"
    ]
    assert "default-src 'none'" in page
    assert re.findall(r"<h1>(.*?)</h1>", page) == ["Cooperation 2023–2026, scored"]
    text = "".join(Page(page).texts)
    for word in ("posterior", "draws", "nan", "None", "p_null"):
        assert word not in text


@pytest.mark.slow
def test_the_command_writes_it_for_the_nation_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(scored, "track", lambda *_, **__: pytest.fail("a clock for Ohio"))
    words = ("scenario", "when", "--indicator", "T40.4", "--source", "bundled", "--html")
    result = run(*words, tmp_path / "page.html", "Ohio")
    assert "the page is about T40.4 in the US, not" in result.stderr
    monkeypatch.setattr(scored, "score_cooperation", lambda *_, **__: made_up())
    ok(*words, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == made_up().page()


@pytest.mark.slow
def test_an_update_of_the_nation_keeps_it(tmp_path, monkeypatch):
    monkeypatch.setattr(scored, "score_cooperation", lambda *_, **__: made_up())
    how = {"fetch": False, "model": "naive", "draws": 40}
    first = od.update(None, tmp_path / "a", locations="US", **how)
    page = first.folder / "cooperation.html"
    before = page.read_bytes()
    assert before.decode() == made_up().page()
    assert 'href="cooperation.html"' in first.page.read_text(encoding="utf-8")
    again = od.update(None, tmp_path / "a", locations="US", **how)
    assert (again.new, page.read_bytes()) == (False, before)
    ohio = od.update(None, tmp_path / "b", locations="Ohio", **how)
    assert not (ohio.folder / "cooperation.html").exists()
    monkeypatch.undo()
    monkeypatch.setattr(scored, "when", _too_few)
    (note,) = [
        n for n in od.update(None, tmp_path / "c", locations="US", **how).notes if "left" in n
    ]
    assert note == "cooperation.html is left out: too few counts"


def _too_few(*_, **__):
    raise ScenarioError("too few counts")


@pytest.mark.slow
def test_the_bundled_page_reads_when_and_track():
    made = scored.score_cooperation(od.bundled())
    rows = cells(made.page(), "What was announced")
    onset = od.scenario.when("T40.4", archive=od.bundled())
    assert rows[0][2] == f"{5 * round(20 * onset.before('2023-11'))}%75% without counts"
    for row, (key, (prior, month)) in zip(rows, scored.CLOCKS.items()):
        scenario = od.scenario.named(prior, onset=month)
        clock = od.scenario.track(scenario, od.bundled(), placebo=False)
        newest, drawn = clock.chances["works"].iloc[-1], made.tracks[key]
        assert row[3].startswith(f"{5 * round(20 * newest)}%")
        assert np.allclose(clock.chances["works"], drawn.chances["works"])
        if drawn.rank is not None:
            values = drawn.dates["works"]
            rank = 1 + int((values > newest).sum())
            assert row[4].startswith(f"Rank {rank} of {len(values)}")
