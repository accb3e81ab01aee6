"""``odforecast task``, and ``odforecast backtest --task``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ok, said
from exits import run

from odforecast.backtesting import Results
from odforecast.backtesting.task import Task

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "outside_model.py"
SMALL = """\
name: small
title: One month
vintages: pseudo-delayed
start: 2021-01
end: 2021-01
donors: 3
draws: 60
locations: [US, Ohio]
truth: {release: 2025-09-17}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("made")
    file = made / "small.yaml"
    file.write_text(SMALL)
    Task.load(file).run(["hub-baseline", "naive+delay"], out=made / "one", progress=False)
    done = run("task", "export", file, made / "task")
    assert f"odforecast task submit {file} YOUR-DIR" in said(done)
    subprocess.run([sys.executable, SCRIPT, made / "task", made / "forecasts"], check=True)
    return made


def submit(folder, what, out, *more, label="mine", code=None):
    words = (folder / "small.yaml", what, "--label", label, "--out", out)
    return run("task", "submit", *words, *more, code=code)


def test_the_list_and_one_of_it(tmp_path):
    assert "states-delayed  Every month" in ok("task", "list")
    assert [row["name"] for row in json.loads(ok("task", "list", "--json"))] == list(Task.names())
    quick, text = Task.load("quick"), ok("task", "show", "quick")
    assert f"fingerprint: {quick.short}" in text
    assert "; 8 origins" in text
    shown = json.loads(ok("task", "show", "quick", "--json"))
    assert (shown["definition"], shown["fingerprint"]) == (quick.definition, quick.fingerprint)
    text = ok("task", "show", "states-real")
    assert "fingerprint: not known: the archive has 1 release of the 17" in text
    done = run("task", "export", "states-real", tmp_path / "nowhere", code=1)
    assert "lacks 2017-09-13" in done.output
    assert not any(tmp_path.iterdir())


def test_forecasts_that_were_made_elsewhere(folder, tmp_path):
    out = tmp_path / "theirs"
    assert "elsewhere" in submit(folder, folder / "forecasts", out, label="outside", code=0).output
    assert Results.load(out).manifest["submitted"]["outside"]["files"] == 3
    again = submit(folder, folder / "forecasts", out, label="outside", code=2)
    assert "contains results; replace it with --replace" in again.output
    done = run("task", "leaderboard", folder / "one", out, code=0)
    lines = [line.split() for line in done.output.splitlines()]
    (row,) = [x for x in lines if x[:1] == ["outside"] and x[-1] == "elsewhere"]
    assert row[1:5] == ["72", "0", "0", "72"]
    assert "naive: divided by naive+delay's" in said(done)
    found = json.loads(run("task", "leaderboard", folder / "one", out, "--json").output)
    assert found["task"]["name"] == "small"
    assert [e["model"] for e in found["entries"]] == ["hub-baseline", "naive+delay", "outside"]
    assert {r["horizon_group"] for r in found["leaderboard"]} == {"1-3", "4-6", "7-12"}


def test_tiny_submissions_take_no_column_and_alone_say_why(folder, tmp_path):
    tiny = [tmp_path / str(number) for number in range(3)]
    for out, file in zip(tiny, sorted((folder / "forecasts").glob("*.csv")), strict=True):
        assert submit(folder, file, out, label=f"tiny-{out.name}").exit_code == 0
    done = run("task", "leaderboard", folder / "one", *tiny[:2])
    assert "9 / 9 / 18 counts that all models forecast" in said(done)
    assert "half of the scorable counts, so listed last: tiny-0, tiny-1" in said(done)
    assert "WIS" in done.output.partition("Leaderboard")[2]
    assert any(x.split() == ["90%"] * 3 for x in done.output.splitlines())
    assert "no WIS" not in done.output
    apart = "each was forecast by some models and not by others"
    for some, why in ((tiny, "no model has half of the counts"), (tiny[:2], apart)):
        done = run("task", "leaderboard", *some)
        assert "0 / 0 / 0 counts that all models forecast" in said(done)
        assert f"no count was forecast by all, so there is no WIS and no 90%: {why}" in said(done)


def test_a_file_may_have_the_models_name_behind_the_origins(folder, tmp_path):
    files = sorted((folder / "forecasts").glob("*.csv"))
    for file in files:
        (tmp_path / f"{file.stem}-team-model.csv").write_bytes(file.read_bytes())
    done = submit(folder, min(tmp_path.glob("*.csv")), tmp_path / "out", "--json", code=0)
    (entry,) = json.loads(done.stdout)["entries"]
    assert (entry["n_missing"], entry["n_failures"]) == (48, 2)
    both = submit(folder, tmp_path, tmp_path / "out", files[0], "--replace", code=1)
    assert "are both of origin" in both.output


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("2021-01-01.csv", lambda _: "x\n", "is not named after an origin of task small"),
        ("{id}.csv", lambda _: "x\n", "no columns in its first line"),
        ("{id}.csv", lambda text: text.replace(",", ";"), "use commas between columns"),
        ("{id}.csv", lambda text: text.replace(",", "\t"), "use commas between columns"),
        ("{id}.txt", lambda _: "x\n", "contains no forecasts"),
    ],
)
def test_files_that_are_none(folder, tmp_path, name, change, words):
    file = min((folder / "forecasts").glob("*.csv"))
    (tmp_path / name.format(id=file.stem)).write_text(change(file.read_text()))
    done = submit(folder, tmp_path, tmp_path / "out", code=1)
    assert words in said(done)
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(folder, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    # The folder of a run, whose finished units are there, is no place either.
    for out in (tmp_path, folder / "one"):
        done = submit(folder, folder / "forecasts", out, "--replace", code=2)
        assert "contains other files" in done.output


def test_a_backtest_of_a_task(folder, tmp_path):
    file = folder / "small.yaml"
    words = ("--models", "hub-baseline,naive+delay", "--jobs", 1, "--out", tmp_path / "out")
    done = run("backtest", "--task", file, *words, code=0)
    assert f"task small ({Task.load(file).short})" in done.output
    assert "Every model made all forecasts: 72 (pseudo-delayed)" in done.output
    ours, theirs = (Results.load(p) for p in (tmp_path / "out", folder / "one"))
    assert ours.scores.equals(theirs.scores)
    assert ours.manifest["task"] == theirs.manifest["task"]
    assert run("task", "leaderboard", tmp_path / "out", folder / "one").exit_code == 0
