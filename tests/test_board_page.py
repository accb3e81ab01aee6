"""The benchmark's page: made of rounded numbers alone, whole in one file, and the same twice."""

from pathlib import Path

import board_numbers
import make_leaderboard
import pytest
from board_numbers import read_summary, read_timings
from board_page import board_page
from site_factory import Page

from odforecast.backtesting.board import leaderboard
from odforecast.backtesting.task import Task

ROOT = Path(__file__).resolve().parents[1]
MODELS = ("dlm", "hub-baseline", "naive+delay")


@pytest.fixture(scope="module")
def results():
    return Task.load("quick").run(MODELS, progress=False)


@pytest.fixture(scope="module")
def summary(results):
    said = board_numbers.task_summary(leaderboard(results), {"dlm": "plug-in"})
    real = board_numbers.task_not_run(Task.load("states-real"), "the archive lacks <releases>")
    lacking = [("quick", "auto-arima", "too slow")]
    return board_numbers.summary_of([said, real], lacking, ["make x"])


@pytest.mark.slow
def test_the_numbers_are_those_of_the_board(results, summary):
    board = leaderboard(results)
    task = summary["tasks"][0]
    assert task["fingerprint"] == Task.load("quick").fingerprint
    whole = board.table(by=["level", "regime"])
    for row, said in zip(whole.to_dict("records"), task["tables"]["regimes"], strict=True):
        assert all(said[key] == row[key] for key in ("model", "regime", "n_common"))
        assert said["rel_wis"] == pytest.approx(row["rel_wis"], abs=5e-4)
        assert said["wis_all"] == pytest.approx(row["wis_all"], rel=5e-4)
    rows = results.scores.query("horizon > 0 and model == 'dlm' and location != 'US'")
    assert sum(task["pit"]["jurisdictions"]["dlm"]) == len(rows)
    inside = [float(rows[f"cover_{n}"].mean()) for n in (50, 80, 90, 95)]
    assert task["coverage"]["jurisdictions"]["dlm"] == pytest.approx(inside, abs=5e-4)


@pytest.mark.slow
def test_the_page_shows_them(summary):
    page = board_page(summary)
    # Rows without a header of their own columns.
    tables = Page(page).tables.items()
    found = {k.removeprefix("table-"): [[c for c, _ in row] for row in t[1:]] for k, t in tables}
    all_rows = [r for r in summary["tasks"][0]["tables"]["all"] if r["level"] == "jurisdictions"]
    shown = {row[0]: row for row in found["quick-all-jurisdictions"]}
    for r in all_rows:
        cells = shown[r["model"]]
        assert cells[2].split(" ")[0] == f"{r['rel_wis']:.2f}"
        assert cells[3].split(" ")[0] == f"{r['rel_naive']:.2f}"
    assert shown["dlm"][-1] == "plug-in"
    for key in ("horizons", "claim", "today", "regimes"):
        assert {row[0] for row in found[f"quick-{key}-nation"]} == set(MODELS)
    assert [row[:2] for row in found["lacking"]] == [["auto-arima", "quick"]]
    assert "the archive lacks &lt;releases&gt;" in page
    assert Task.load("quick").short in page
    assert "exploratory" in page


@pytest.mark.slow
def test_labels_of_strangers_are_text(summary):
    bad = "<img src=x onerror=alert(1)>"
    said = board_numbers.unpacked(board_numbers.packed(summary))
    task = said["tasks"][0]
    for row in task["tables"]["all"]:
        row["model"] = row["model"].replace("dlm", bad)
    task["models"][0] |= {"model": bad, "failure": "[red]<b>\x1b[2J", "n_failures": 1}
    page = board_page(said)
    assert "<img" not in page
    assert "\x1b" not in page
    assert "&lt;img src=x" in page


@pytest.mark.slow
def test_two_runs_write_the_same_bytes(tmp_path, capsys):
    made = []
    words = ["--quick", "--models", "hub-baseline,naive+delay,outside", "--jobs", "1",
             "--releases", str(tmp_path), "--out"]  # fmt: skip
    for name in ("one", "two"):
        out = tmp_path / name
        make_leaderboard.main([*words, str(out)])
        made.append({p.name: p.read_bytes() for p in out.iterdir() if p.is_file()})
    assert sorted(made[0]) == ["board.html", "board.json", "summary.md"]
    assert made[0] == made[1]
    said = read_summary(tmp_path / "one" / "board.json")
    kinds = [(m["model"], m["kind"]) for m in said["tasks"][0]["models"]]
    built_in = [("hub-baseline", "built-in"), ("naive+delay", "built-in")]
    assert sorted(kinds) == [*built_in, ("outside", "submitted")]
    # Asked again with the seconds: they are in a file of their own, and in the page.
    make_leaderboard.main([*words, str(tmp_path / "one"), "--timings"])
    assert (tmp_path / "one" / "board.json").read_bytes() == made[0]["board.json"]
    seconds = read_timings(tmp_path / "one" / "timings.json")
    assert seconds is not None
    assert set(seconds["tasks"]["quick"]["seconds"]) == {"hub-baseline", "naive+delay"}
    assert str(tmp_path) not in (tmp_path / "one" / "board.html").read_text()
    assert "quick: 3 models" in capsys.readouterr().out


@pytest.mark.slow
def test_the_committed_numbers_are_a_page():
    path = ROOT / "docs" / "leaderboard" / make_leaderboard.SUMMARY
    said, timings = read_summary(path), read_timings(path.with_name(make_leaderboard.TIMINGS))
    assert board_page(said, timings).startswith("<!doctype html>")
    shown = path.with_name(make_leaderboard.TABLES).read_text()
    assert shown == board_numbers.markdown(said, timings)
    # A definition that was changed has other numbers: make it again.
    for task in said["tasks"]:
        assert task["definition"] == Task.load(task["name"]).definition


def test_the_leaderboard_says_what_the_headline_table_says():
    """Two programs score the same origins: their ratios differ by no more than a place left out."""
    board = read_summary(ROOT / "docs" / "leaderboard" / "board.json")
    (task,) = [t for t in board["tasks"] if t["name"] == "states-delayed"]
    rows = {(r["level"], r["model"], r["horizon_group"]): r for r in task["tables"]["horizons"]}
    seen = []
    for line in (ROOT / "docs" / "models" / "delay.md").read_text().splitlines():
        cells = line.strip("| ").split(" | ")
        if len(cells) == 6 and cells[1] == "all origins":
            for ratio, cell in (("rel_wis", cells[3]), ("rel_naive", cells[4])):
                for group, said in zip(("1-3", "4-6", "7-12"), cell.split(" / "), strict=True):
                    seen.append(rows[cells[0], cells[2].strip("`"), group][ratio])
                    assert seen[-1] == pytest.approx(float(said), abs=0.0011), line
    assert len(seen) == 2 * 5 * 6
