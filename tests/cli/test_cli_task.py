"""``odforecast task``, and ``odforecast backtest --task``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import run, said

from odforecast.backtesting import Results
from odforecast.backtesting.task import Task

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "outside_model.py"
SMALL = """\
name: small
title: One month
vintages: pseudo-delayed
start: 2021-01
end: 2021-01
donors: 2
draws: 60
locations: [US, Ohio]
truth: {release: 2025-09-17}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A task, two results of it, and forecasts made by a script."""
    made = tmp_path_factory.mktemp("made")
    file = made / "small.yaml"
    file.write_text(SMALL)
    task = Task.load(file)
    task.run(["hub-baseline", "naive+delay"], out=made / "one", progress=False)
    done = run("task", "export", file, made / "task")
    assert f"odforecast task submit {file} YOUR-DIR" in " ".join(done.output.split())
    subprocess.run(
        [sys.executable, str(SCRIPT), str(made / "task"), str(made / "forecasts")], check=True
    )
    return made


def narrow(text):
    assert max(map(len, text.splitlines())) <= 80, max(text.splitlines(), key=len)


@pytest.mark.slow
def test_the_list_and_one_of_it():
    done = run("task", "list")
    assert done.exit_code == 0
    narrow(done.output)
    assert "states-delayed  Every month" in done.output
    said = json.loads(run("task", "list", "--json").output)
    assert [row["name"] for row in said] == list(Task.names())
    done = run("task", "show", "quick")
    narrow(done.output)
    assert f"fingerprint: {Task.load('quick').short}" in done.output
    assert "; 8 origins" in done.output
    said = json.loads(run("task", "show", "quick", "--json").output)
    assert said["definition"] == Task.load("quick").definition
    assert said["fingerprint"] == Task.load("quick").fingerprint


def test_a_task_whose_releases_are_not_there_is_shown(tmp_path):
    done = run("task", "show", "states-real")
    assert done.exit_code == 0
    narrow(done.output)
    assert "fingerprint: not known: the archive has 1 release of the 17" in done.output
    done = run("task", "export", "states-real", tmp_path / "nowhere")
    assert done.exit_code == 1
    assert "lacks 2017-09-13" in done.output
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_forecasts_that_were_made_elsewhere(folder, tmp_path):
    file, out = folder / "small.yaml", tmp_path / "theirs"
    done = run("task", "submit", file, folder / "forecasts", "--label", "outside", "--out", out)
    assert done.exit_code == 0, done.output
    narrow(done.output.replace(str(out), "OUT"))
    assert "elsewhere" in done.output
    assert Results.load(out).manifest["submitted"]["outside"]["files"] == 2
    again = run("task", "submit", file, folder / "forecasts", "--label", "outside", "--out", out)
    assert again.exit_code == 2
    assert "contains results; replace it with --replace" in again.output
    done = run("task", "leaderboard", folder / "one", out)
    assert done.exit_code == 0, done.output
    narrow(done.output)
    lines = [line.split() for line in done.output.splitlines()]
    (row,) = [x for x in lines if x[:1] == ["outside"] and x[-1] == "elsewhere"]
    assert row[1:5] == ["48", "0", "0", "48"]
    assert "naive: divided by naive+delay's" in " ".join(done.output.split())
    said = json.loads(run("task", "leaderboard", folder / "one", out, "--json").output)
    assert said["task"]["name"] == "small"
    assert [e["model"] for e in said["entries"]] == ["hub-baseline", "naive+delay", "outside"]
    assert {r["horizon_group"] for r in said["leaderboard"]} == {"1-3", "4-6", "7-12"}


def test_who_is_not_among_all_is_named(folder, tmp_path):
    task, key = folder / "small.yaml", Task.load(folder / "small.yaml").origin_ids[0]
    lines = (folder / "forecasts" / f"{key}.csv").read_text().splitlines(keepends=True)
    one = [line for line in lines[1:] if line.startswith(",".join(lines[1].split(",")[:4]))]
    (tmp_path / f"{key}.csv").write_text("".join([lines[0], *one]))
    out = tmp_path / "out"
    words = ("--label", "one-forecast", "--out", out)
    assert run("task", "submit", task, tmp_path / f"{key}.csv", *words).exit_code == 0
    done = run("task", "leaderboard", folder / "one", out)
    assert done.exit_code == 0, done.output
    narrow(done.output)
    assert "half of the scorable counts, so listed last: one-forecast" in said(done)
    assert "6 / 6 / 12 counts that all models forecast" in said(done)


def test_a_file_may_have_the_models_name_behind_the_origins(folder, tmp_path):
    files = sorted((folder / "forecasts").glob("*.csv"))
    for file in files:
        (tmp_path / f"{file.stem}-team-model.csv").write_bytes(file.read_bytes())
    task = folder / "small.yaml"
    words = ("--label", "m", "--out", tmp_path / "out", "--json")
    done = run("task", "submit", task, *sorted(tmp_path.glob("*.csv"))[:1], *words)
    assert done.exit_code == 0, done.output
    (entry,) = json.loads(done.stdout)["entries"]
    assert (entry["n_missing"], entry["n_failures"]) == (24, 1)
    both = run("task", "submit", task, tmp_path, files[0], *words, "--replace")
    assert both.exit_code == 1
    assert "are both of origin" in both.output


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("2021-01-01.csv", "x\n", "is not named after an origin of task small"),
        ("{id}.csv", "x\n", "no column origin_date"),
        ("{id}.csv", None, "contains no forecasts"),
    ],
)
def test_files_that_are_none(folder, tmp_path, name, text, said):
    key = Task.load(folder / "small.yaml").origin_ids[0]
    if text is not None:
        (tmp_path / name.format(id=key)).write_text(text)
    out = tmp_path / "out"
    done = run("task", "submit", folder / "small.yaml", tmp_path, "--label", "x", "--out", out)
    assert done.exit_code == 1
    assert said in done.output
    assert done.output.count("\n") == 1
    assert not out.exists()


def test_a_folder_of_something_else_is_left_alone(folder, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    words = ("--label", "x", "--out", tmp_path, "--replace")
    done = run("task", "submit", folder / "small.yaml", folder / "forecasts", *words)
    assert done.exit_code == 2
    assert "contains other files" in done.output
    # The folder of a run, whose finished units are there, is no place either.
    words = ("--label", "x", "--out", folder / "one", "--replace")
    done = run("task", "submit", folder / "small.yaml", folder / "forecasts", *words)
    assert done.exit_code == 2


def test_a_backtest_of_a_task(folder, tmp_path):
    file = folder / "small.yaml"
    words = ("--models", "hub-baseline,naive+delay", "--jobs", 1, "--out", tmp_path / "out")
    done = run("backtest", "--task", file, *words)
    assert done.exit_code == 0, done.output
    narrow(done.output.replace(str(tmp_path), ""))
    assert f"task small ({Task.load(file).short})" in done.output
    assert "Every model made all forecasts: 48 (pseudo-delayed)" in done.output
    ours, theirs = (Results.load(p) for p in (tmp_path / "out", folder / "one"))
    assert ours.scores.equals(theirs.scores)
    assert ours.manifest["task"] == theirs.manifest["task"]
    assert run("task", "leaderboard", tmp_path / "out", folder / "one").exit_code == 0


def submit(folder, what, out, label="mine"):
    return run("task", "submit", folder / "small.yaml", what, "--label", label, "--out", out)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_another_separator_is_named(folder, tmp_path, mark):
    file = sorted((folder / "forecasts").glob("*.csv"))[0]
    wrong = tmp_path / file.name
    wrong.write_text(file.read_text().replace(",", mark))
    done = submit(folder, wrong, tmp_path / "out")
    assert done.exit_code == 1
    assert file.name in "".join(done.output.split())
    assert "use commas between columns" in said(done)


@pytest.mark.slow
def test_tiny_submissions_take_no_column_and_alone_say_why(folder, tmp_path):
    """Two of different single origins, beside whole ones and by themselves."""
    file = tmp_path / "three.yaml"
    file.write_text(SMALL.replace("donors: 2", "donors: 3").replace("small", "three"))
    task = Task.load(file)
    task.run(["hub-baseline", "naive+delay"], out=tmp_path / "whole", progress=False)
    assert run("task", "export", file, tmp_path / "task").exit_code == 0
    made = tmp_path / "forecasts"
    subprocess.run([sys.executable, str(SCRIPT), str(tmp_path / "task"), str(made)], check=True)
    for number, key in enumerate(task.origin_ids):
        words = (made / f"{key}.csv", "--label", f"tiny-{number}", "--out", tmp_path / str(number))
        assert run("task", "submit", file, *words).exit_code == 0
    tiny = [tmp_path / str(n) for n in range(3)]
    done = run("task", "leaderboard", tmp_path / "whole", *tiny[:2])
    narrow(done.output)
    assert "9 / 9 / 18 counts that all models forecast" in said(done)
    assert "half of the scorable counts, so listed last: tiny-0, tiny-1" in said(done)
    assert "WIS" in done.output.partition("Leaderboard")[2]
    assert any(x.split() == ["90%"] * 3 for x in done.output.splitlines())
    assert "no WIS" not in done.output
    for some, why in (
        (tiny, "no model has half of the counts"),
        (tiny[:2], "each was forecast by some models and not by others"),
    ):
        done = run("task", "leaderboard", *some)
        narrow(done.output)
        assert "0 / 0 / 0 counts that all models forecast" in said(done)
        assert f"no count was forecast by all, so there is no WIS and no 90%: {why}" in said(done)
