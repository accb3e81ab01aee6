"""The benchmark's page: made of rounded numbers alone, whole in one file, and the same twice."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

import odforecast as od
from odforecast.backtesting import Results
from odforecast.backtesting.board import leaderboard
from odforecast.backtesting.task import Task
from odforecast.errors import DataError
from odforecast.report.board import (
    board_page,
    joint_rows,
    markdown,
    read_summary,
    read_timings,
    summary_of,
    task_not_run,
    task_summary,
    write_summary,
)
from odforecast.report.board.written import packed, unpacked

ROOT = Path(__file__).resolve().parents[2]
MODELS = ("dlm", "hub-baseline", "naive+delay")


@pytest.fixture(scope="module")
def results() -> Any:
    return Task.load("quick").run(MODELS, progress=False)


@pytest.fixture(scope="module")
def summary(results: Any) -> dict[str, Any]:
    said = task_summary(leaderboard(results), {"dlm": "plug-in"})
    real = task_not_run(Task.load("states-real"), "the archive lacks <releases>")
    return summary_of([said, real], [("quick", "auto-arima", "too slow")], None, ["make x"])


def tables(page: str) -> dict[str, list[list[str]]]:
    """Cells of the sortable tables, by their keys."""
    out = {}
    for key, text in re.findall(r'<table class="sortable" id="table-([^"]+)">(.*?)</table>', page, re.S):  # fmt: skip  # noqa: E501
        rows = re.findall(r"<tr>(.*?)</tr>", text.partition("</thead>")[2], re.S)
        cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", r, re.S) for r in rows]
        out[key] = [[re.sub(r"<[^>]+>", "", c) for c in row] for row in cells]
    return out


def test_the_numbers_are_those_of_the_board(results: Any, summary: dict[str, Any]) -> None:
    board = leaderboard(results)
    task = summary["tasks"][0]
    assert task["fingerprint"] == Task.load("quick").fingerprint
    whole = board.table(by=["level", "regime"])
    for row, said in zip(whole.to_dict("records"), task["tables"]["regimes"], strict=True):
        assert said["model"] == row["model"]
        assert said["regime"] == row["regime"]
        assert said["rel_wis"] == pytest.approx(row["rel_wis"], abs=5e-4)
        assert said["wis_all"] == pytest.approx(row["wis_all"], rel=5e-4)
        assert said["n_common"] == row["n_common"]
    scores = results.scores
    rows = scores[
        (scores["horizon"] > 0) & (scores["model"] == "dlm") & (scores["location"] != "US")
    ]
    assert sum(task["pit"]["jurisdictions"]["dlm"]) == len(rows)
    inside = [float(rows[f"cover_{n}"].mean()) for n in (50, 80, 90, 95)]
    assert task["coverage"]["jurisdictions"]["dlm"] == pytest.approx(inside, abs=5e-4)


def test_the_page_shows_them(summary: dict[str, Any]) -> None:
    page = board_page(summary)
    found = tables(page)
    all_rows = [r for r in summary["tasks"][0]["tables"]["all"] if r["level"] == "jurisdictions"]
    shown = {row[0]: row for row in found["quick-all-jurisdictions"]}
    for r in all_rows:
        cells = shown[r["model"]]
        assert cells[2].split("\n")[0] == f"{r['rel_wis']:.2f}"
        assert cells[3].split("\n")[0] == f"{r['rel_naive']:.2f}"
    assert shown["dlm"][-1] == "plug-in"
    for key in ("horizons", "claim", "today", "regimes"):
        assert {row[0] for row in found[f"quick-{key}-nation"]} == set(MODELS)
    assert [row[:2] for row in found["lacking"]] == [["auto-arima", "quick"]]
    assert "the archive lacks &lt;releases&gt;" in page
    assert Task.load("quick").short in page
    assert "exploratory" in page


def test_the_page_is_whole_in_one_file(summary: dict[str, Any]) -> None:
    page = board_page(summary)
    assert "Content-Security-Policy" in page
    assert "default-src 'none'" in page
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', page)
    assert "<script" in page
    assert page.count("<h1>") == 1
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for to in re.findall(r'href="#([^"]+)"', page):
        assert to in ids


def test_labels_of_strangers_are_text(summary: dict[str, Any]) -> None:
    bad = "<img src=x onerror=alert(1)>"
    said = unpacked(packed(summary))
    task = said["tasks"][0]
    for row in task["tables"]["all"]:
        row["model"] = row["model"].replace("dlm", bad)
    task["models"][0] |= {"model": bad, "failure": "[red]<b>\x1b[2J", "n_failures": 1}
    page = board_page(said)
    assert "<img" not in page
    assert "\x1b" not in page
    assert "&lt;img src=x" in page


def test_seconds_stand_there_for_the_same_fingerprint_only(summary: dict[str, Any]) -> None:
    task = summary["tasks"][0]
    each = {"fingerprint": task["fingerprint"], "seconds": {"dlm": 0.083}}
    timings = {"machine": "a machine", "tasks": {"quick": each}}
    page = board_page(summary, timings)
    rows = {row[0]: row for row in tables(page)["quick-all-nation"]}
    assert rows["dlm"][-2] == "0.083"
    assert rows["hub-baseline"][-2] == "–"
    assert "a machine" in page
    assert "| seconds |" in markdown(summary, timings)
    other = {"machine": "a machine", "tasks": {"quick": {**each, "fingerprint": "0"}}}
    assert ">0.083<" in page
    assert ">0.083<" not in board_page(summary, other)
    assert "seconds |" not in markdown(summary, other)


def test_numbers_are_read_as_they_were_written(summary: dict[str, Any], tmp_path: Path) -> None:
    path = write_summary(summary, tmp_path / "board.json")
    back = read_summary(path)
    assert back == summary
    assert board_page(back) == board_page(summary)
    assert write_summary(back, tmp_path / "again.json").read_bytes() == path.read_bytes()
    assert "NaN" not in path.read_text()
    assert len(path.read_bytes()) < 40_000  # three models: rows stand on a line each
    assert read_timings(tmp_path / "none.json") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99}', "x"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError, match=r"x\.json"):
        read_summary(tmp_path / "x.json")
    with pytest.raises(DataError, match=r"x\.json"):
        read_timings(tmp_path / "x.json")


def test_tables_of_the_docs(summary: dict[str, Any]) -> None:
    text = markdown(summary)
    assert text.count("## `") == 2
    assert "Not run: the archive lacks" in text
    assert "| `dlm` |" in text
    assert "releases as they come today" in text
    # Every row of a table has as many cells as its head.
    for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_sums_beside_the_control() -> None:
    """Of a model whose draws are joint over places; one whose draws are not says so."""
    says = Task.load("quick").definition
    task = Task(
        {**says, "step": 24, "locations": "all", "draws": 100,
         "scores": {"metrics": [], "joint": True}}
    )  # fmt: skip
    joint = task.run(["dlm", "drift"], progress=False).joint
    rows = pd.DataFrame(joint_rows(joint)).set_index(["model", "what"])
    mine = joint[
        (joint["model"] == "dlm") & (joint["statistic"] == "sum") & (joint["place"] == "US")
    ]
    mine = mine[mine["scorable"].astype(bool)]
    score = mine.groupby(mine["control"].astype(bool))["score"].mean()
    row = rows.loc[("dlm", "sum, nation")]
    assert row["score"] == pytest.approx(score[False], rel=1e-3)
    assert row["control_score"] == pytest.approx(score[True], rel=1e-3)
    assert row["n"] == (~mine["control"].astype(bool)).sum()
    apart = rows.loc[("drift", "sum, nation")]
    assert apart["n"] == 0
    assert "not joint over places" in apart["reason"]
    said = summary_of(
        [], [], {"task": "x", "fingerprint": "0" * 64, "origins": 3, "rows": joint_rows(joint)}
    )
    page = board_page(said)
    assert "sum of the states, WIS" in page
    assert "not joint over places" in page
    assert "drift has no row: " in page


def test_sums_of_other_places_do_not_stand_side_by_side_unmarked() -> None:
    def row(model: str, what: str, places: tuple[int, int, float] | None, n: int) -> dict[str, Any]:
        said = dict.fromkeys(("score", "control_score", "cover_90", "control_cover_90"), 0.5)
        low, most, mean = places or (None, None, None)
        joined = {"n_places": low, "n_places_most": most, "n_places_mean": mean}
        return {"model": model, "what": what, "n": n, "reason": "", **said, **joined}

    def shown(*rows: dict[str, Any]) -> tuple[dict[tuple[str, str], str], str]:
        said = {"task": "x", "fingerprint": "0" * 64, "origins": 3, "rows": list(rows)}
        page = board_page(summary_of([], [], said))
        return {(r[0], r[1]): r[-1] for r in tables(page)["joint"]}, page

    nation, regions = "sum of the states, WIS", "sums of census regions, WIS"
    same = [row(m, "sum, nation", (52, 52, 52.0), 36) for m in ("a", "b")]
    found, page = shown(*same)
    assert set(found.values()) == {"52"}
    assert "not to be compared" not in page
    found, page = shown(
        same[0], row("b", "sum, nation", (51, 51, 51.0), 36), row("c", "sum, nation", None, 0),
        row("a", "sum, regions", (9, 17, 13.0), 144), row("b", "sum, regions", (9, 17, 12.75), 144),
        row("a", "energy", (52, 52, 52.0), 36), row("b", "energy", (52, 52, 52.0), 24),
    )  # fmt: skip
    assert found[("a", nation)] == "52"
    assert found[("b", nation)] == "51, of other counts"
    assert ("c", nation) not in found
    assert "c has no row: nothing of it was scored." in page
    assert found[("b", regions)] == "9–17, of other counts"
    assert found[("b", "energy score over places, of logs")] == "52, of other counts"
    assert "not to be compared" in page


def test_who_is_not_among_all_is_named_and_does_not_lead(results: Any) -> None:
    scores = results.scores
    mine = scores.index[(scores["model"] == "dlm") & (scores["horizon"] >= 1)]
    best = scores.loc[mine].groupby("location")["wis"].idxmin()  # a count each, hit by chance
    few = od.backtesting.Results(
        {"scores": scores[~scores.index.isin(mine.difference(best))].reset_index(drop=True),
         "quantiles": results.quantiles, "failures": results.failures},
        results.manifest,
    )  # fmt: skip
    said = summary_of([task_summary(leaderboard(few))])
    page = board_page(said)
    assert "Not among all, for fewer than half of the counts were forecast: dlm." in page
    assert "On quick, naive+delay has the lowest score of 2 models" in page
    assert [r[0] for r in tables(page)["quick-all-jurisdictions"]][-1] == "dlm"
    assert "Not among all, for fewer than half of the counts were forecast: `dlm`." in markdown(
        said
    )
    whole = board_page(summary_of([task_summary(leaderboard(results))]))
    assert "Not among all" not in whole


# The tool


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = ROOT / "tools" / "make_leaderboard.py"
    sys.path.insert(0, str(path.parent))
    try:
        spec = importlib.util.spec_from_file_location("make_leaderboard", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


def test_two_runs_write_the_same_bytes(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = []
    for name in ("one", "two"):
        out = tmp_path / name
        tool.main(
            ["--quick", "--models", "hub-baseline,naive+delay,outside", "--jobs", "1",
             "--out", str(out), "--releases", str(tmp_path)]
        )  # fmt: skip
        made.append({p.name: p.read_bytes() for p in out.iterdir() if p.is_file()})
    assert sorted(made[0]) == ["board.html", "board.json", "summary.md"]
    assert made[0] == made[1]
    said = read_summary(tmp_path / "one" / "board.json")
    kinds = {m["model"]: m["kind"] for m in said["tasks"][0]["models"]}
    assert kinds == {
        "hub-baseline": "built-in", "naive+delay": "built-in", "outside": "submitted",
    }  # fmt: skip
    # Asked again with the seconds: they are in a file of their own, and in the page.
    tool.main(
        ["--quick", "--models", "hub-baseline,naive+delay,outside", "--jobs", "1", "--timings",
         "--out", str(tmp_path / "one"), "--releases", str(tmp_path)]
    )  # fmt: skip
    assert (tmp_path / "one" / "board.json").read_bytes() == made[0]["board.json"]
    seconds = read_timings(tmp_path / "one" / "timings.json")
    assert seconds is not None
    assert set(seconds["tasks"]["quick"]["seconds"]) == {"hub-baseline", "naive+delay"}
    assert str(tmp_path) not in (tmp_path / "one" / "board.html").read_text()
    assert "quick: 3 models" in capsys.readouterr().out


def test_everybody_is_named_or_left_out_with_a_reason(tool: ModuleType) -> None:
    from odforecast.models import model_names

    ours = [n for n in model_names("states") if od.get_model(n).spec.origin == "odforecast"]
    for name in tool.TASKS:
        task = Task.load(name)
        names, left_out = tool.built_in(task, slow=False)
        gone = {m for _, m, _ in left_out}
        assert set(ours) <= {*names, *gone}
        assert all(reason for *_, reason in left_out)
        clean = task.definition["vintages"] == "pseudo-clean"
        assert ("naive+delay" in names) is not clean
        assert "dlm+delay" not in names
    slow, _ = tool.built_in(Task.load("states-clean"), slow=True)
    assert set(tool.SLOW) <= set(slow)


def test_the_committed_numbers_are_a_page(tool: ModuleType) -> None:
    path = ROOT / "docs" / "leaderboard" / tool.SUMMARY
    said = read_summary(path)
    timings = read_timings(path.with_name(tool.TIMINGS))
    assert board_page(said, timings).startswith("<!doctype html>")
    assert path.with_name(tool.TABLES).read_text() == markdown(said, timings)
    # A definition that was changed has other numbers: make it again.
    for task in said["tasks"]:
        assert task["definition"] == Task.load(task["name"]).definition


def test_the_leaderboard_says_what_the_headline_table_says() -> None:
    """Two programs score the same origins: their ratios differ by no more than a place left out."""
    board = read_summary(ROOT / "docs" / "leaderboard" / "board.json")
    (task,) = [t for t in board["tasks"] if t["name"] == "states-delayed"]
    rows = {(r["level"], r["model"], r["horizon_group"]): r for r in task["tables"]["horizons"]}
    seen = 0
    for line in (ROOT / "docs" / "models" / "delay.md").read_text().splitlines():
        cells = line.strip("| ").split(" | ")
        if len(cells) == 6 and cells[1] == "all origins":
            for ratio, cell in (("rel_wis", cells[3]), ("rel_naive", cells[4])):
                for group, said in zip(("1-3", "4-6", "7-12"), cell.split(" / "), strict=True):
                    row = rows[cells[0], cells[2].strip("`"), group]
                    assert row[ratio] == pytest.approx(float(said), abs=0.0011), line
                    seen += 1
    assert seen == 2 * 5 * 6


def test_nothing_in_common_is_said_on_the_page_and_in_the_docs(results: Any) -> None:
    """Three models of a third of the origins each: no mean over what all have."""
    days = sorted(results.scores["last_month"].unique())
    scores = results.scores
    which = scores["model"].astype(str).map({m: i for i, m in enumerate(MODELS)})
    keep = which == scores["last_month"].map({d: i % len(MODELS) for i, d in enumerate(days)})
    names = ("scores", "quantiles", "failures")
    apart = Results({n: getattr(results, n) for n in names}, dict(results.manifest))
    apart._tables["scores"] = scores[keep].reset_index(drop=True)
    said = summary_of([task_summary(leaderboard(apart))])
    (task,) = said["tasks"]
    assert {r["n_all"] for r in task["tables"]["all"]} == {0}
    assert {r["coverage_90"] for r in task["tables"]["all"]} == {None}
    assert task["coverage"]["nation"]["dlm"] == [None] * 4
    for text in (board_page(said), markdown(said)):
        assert "Where all have no count in common there is no WIS and no coverage" in text
