"""``odforecast report``: which folder is what, what is made, and what is refused."""

from functools import partial
from pathlib import Path

import exits
import pytest
from site_factory import Page, small_forecast, small_results

run = partial(exits.run, "report")


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    small_forecast().save(folder / "made")
    small_results().save(folder / "scored")
    return folder


@pytest.fixture(autouse=True)
def here(work, monkeypatch):
    monkeypatch.chdir(work)


def page(path: str) -> Page:
    return Page(Path(path).read_text(encoding="utf-8"))


@pytest.mark.slow
def test_folders_are_known_by_what_is_in_them(work):
    assert "page: both.html" in run("scored", "made", "--out", "both.html", code=0).output
    assert {"table-forecast", "table-board-nation"} <= set(page("both.html").tables)
    run("scored", "--out", "scores.html", code=0)
    assert "table-forecast" not in page("scores.html").tables
    run("made", "--out", "scores.html", code=0)  # a page of ours is replaced whole
    assert "table-board-nation" not in page("scores.html").tables
    run("made", "scored", "--site", "site", code=0)
    names = {p.name for p in Path("site").iterdir()}
    assert {"index.html", "leaderboard.html", "ohio.html", "forecast.csv"} <= names
    assert "holds a site already; --replace takes its place" in run("made", "--site", "site").output
    run("made", "--site", "site", "--replace", code=0)
    assert not Path("site/leaderboard.html").exists()


@pytest.mark.slow
def test_a_forecast_is_made_where_none_is_given(work):
    words = ("--source", "bundled", "--model", "naive", "--locations", "OH,NYC", "--draws", "30")
    run(*words, "--out", "made.html", code=0)
    made = page("made.html")
    assert [r[0][0] for r in made.tables["table-forecast"][1:]] == ["New York City", "Ohio"]
    assert [c[0][:4] for c in made.tables["table-years"][0][1:]] == ["2025", "2026", "2027"]
    run(*words, "--horizon", "3", "--out", "made.html", code=0)
    assert "12 months ending November 2025" in page("made.html").words


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["made", "--out", "a.html", "--site", "b"], "give --out FILE for a page, or --site DIR"),
        (["made", "made", "--out", "a.html"], "two forecasts: made and made; give one"),
        (["scored", "scored", "--out", "a.html"], "two backtests"),
        (["nothing", "--out", "a.html"], "nothing is not a folder. For a page of one place:"),
        (["file.txt", "--out", "a.html"], "file.txt is a file; give the folder"),
        (["empty", "--out", "a.html"], "empty holds neither a forecast nor a backtest"),
        (["made", "--model", "naive", "--out", "a.html"], "--model says how to make a forecast"),
        (["made", "--until", "2027-12", "--out", "a.html"], "--until says how to make a forecast"),
        (["scored", "--seed", "2", "--out", "a.html"], "--seed says how to make a forecast"),
        (["made", "--out", "mine.html"], "mine.html is not a page of odforecast"),
        (["made", "--out", "empty"], "empty"),
        (["made", "--site", "scored"], "scored holds other files"),
        (["made", "--locations", "Texas", "--out", "a.html"], "TX"),
        (["half", "--out", "a.html"], "half holds no complete backtest"),
    ],
)
def test_mistakes_are_said_and_nothing_is_written(work, args, said):
    Path("empty").mkdir(exist_ok=True)
    Path("half/units").mkdir(parents=True, exist_ok=True)
    Path("file.txt").write_text("mine")
    Path("mine.html").write_text("mine")
    before = sorted(map(str, Path().rglob("*")))
    done = run(*args)
    assert done.exit_code in (1, 2)
    assert said in done.output
    assert "Traceback" not in done.output
    assert sorted(map(str, Path().rglob("*"))) == before
    assert Path("file.txt").read_text() == Path("mine.html").read_text() == "mine"
