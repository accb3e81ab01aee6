"""Boards: what may stand on one, what is missing, and that comparisons are on common counts."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from odforecast.backtesting import Results
from odforecast.backtesting.board import COLUMNS, Board, leaderboard
from odforecast.backtesting.task import Task, fingerprint_of
from odforecast.errors import BacktestError
from odforecast.scoring import relative_to_baseline

MODELS = ("hub-baseline", "naive+delay", "drift+delay")


@pytest.fixture(scope="module")
def quick() -> Task:
    return Task.load("quick")


@pytest.fixture(scope="module")
def run(quick) -> Results:
    return quick.run(MODELS, progress=False)


def copied(results: Results, **manifest: object) -> Results:
    tables = {name: getattr(results, name) for name in ("scores", "quantiles", "failures")}
    return Results(tables, {**results.manifest, **manifest})


def with_scores(results: Results, scores: pd.DataFrame) -> Results:
    out = copied(results)
    out._tables["scores"] = scores.reset_index(drop=True)
    return out


def holed(results: Results, lose: Callable[[pd.DataFrame], pd.Series]) -> Results:
    return with_scores(results, results.scores[~lose(results.scores)])


def ragged(results: Results) -> Results:
    rng = np.random.default_rng(7)
    scores = results.scores[rng.random(len(results.scores)) >= 0.2]
    young = pd.MultiIndex.from_frame(scores[["as_of", "location", "horizon"]])
    lost = rng.random(len(young.unique())) < 0.1
    kept = ~lost[young.unique().get_indexer(young)]
    return with_scores(results, scores.assign(scorable=kept))


def ahead(board: Board) -> pd.DataFrame:
    return board.scores[board.scores["horizon"] >= 1]


def test_folders_and_results_are_put_together(run, quick, tmp_path):
    run.save(tmp_path / "one")
    quick.run("naive", out=tmp_path / "two", progress=False)
    again = quick.run("drift+delay", progress=False)  # one model twice counts once
    board = leaderboard([tmp_path / "one", str(tmp_path / "two"), again])
    assert board.models == [*MODELS, "naive"]
    assert [len(part.scores) for part in board.parts] == [8 * 4 * 12] * 4
    entries = board.entries.set_index("model")
    assert entries[["n_missing", "n_asked"]].eq([0, 8 * 4 * 12]).all(axis=None)
    assert entries.loc["naive", "where"] == str(tmp_path / "two")
    assert entries["seconds_per_origin"].gt(0).all()
    assert entries["spec_hash"].nunique() == 4
    assert (entries["code"] == entries["code"].iloc[0]).all()
    assert "4 models on task quick" in repr(board)


def test_what_a_model_lacks_is_counted(run):
    two = "model == 'drift+delay' and location == 'OH' and horizon < 3"
    board = leaderboard(holed(run, lambda s: s.eval(two)))
    assert board.entries.set_index("model")["n_missing"].tolist() == [0, 0, 16]
    assert board.models == list(MODELS)
    table = board.table(bootstrap=0).set_index(["level", "horizon_group", "model"])
    row = table.loc[("jurisdictions", "1-3", "drift+delay")]
    assert (row["n_asked"], row["n_missing"], row["n_scored"]) == (72, 16, 56)
    # The others have more, and are compared on what both have; nobody's mean of all does.
    assert set(table.loc[("jurisdictions", "1-3")]["n_all"]) == {56}
    assert row["n_common"] == row["n_common_naive"] == 56
    assert table.loc[("jurisdictions", "1-3", "naive+delay"), "n_common"] == 72
    assert table.loc[("nation", "1-3", "drift+delay"), "n_missing"] == 0


def test_a_model_that_failed_is_there_and_takes_nothing_from_the_others(run):
    gone = holed(run, lambda s: s["model"] == "drift+delay")
    row = dict.fromkeys(gone.failures.columns)
    row |= {"model": "drift+delay", "location": "*", "target": "*", "reason": "ValueError: no"}
    gone._tables["failures"] = pd.DataFrame([row] * 8)
    board = leaderboard(gone)
    entry = board.entries.set_index("model").loc["drift+delay"]
    assert entry[["n_missing", "n_failures", "failure"]].tolist() == [384, 8, "ValueError: no"]
    table = board.table(by=["level"], bootstrap=0)
    assert set(table.loc[table["level"] == "nation", "n_all"]) == {96}
    mine = table[table["model"] == "drift+delay"]
    assert mine["n_missing"].sum() == 384
    assert mine["rel_wis"].isna().all()


@pytest.mark.parametrize("by", [["level", "horizon_group"], ["regime"], ["location"], []])
@pytest.mark.parametrize("base", ["hub-baseline", "naive+delay"])
def test_ratios_are_those_of_the_score_table(run, by, base):
    """The grid adds in another way what ``relative_to_baseline`` adds over rows."""
    board = leaderboard(ragged(run))
    naive = base != "hub-baseline"
    name, n = ("rel_naive", "n_common_naive") if naive else ("rel_wis", "n_common")
    expected = relative_to_baseline(ahead(board), base, by=by)
    table = board.table(by=by)
    keys = [*by, "model"]
    one, other = (each.astype(dict.fromkeys(by, str)) for each in (table, expected))
    both = one.merge(other, on=keys, suffixes=("", "_there"))
    assert len(both) == len(table) == len(expected)
    assert both[name].to_numpy() == pytest.approx(both["ratio"].to_numpy(), nan_ok=True)
    assert both[n].tolist() == both["n_common_there"].tolist()
    # The table says what the interval of the first ratio rests on.
    for count in () if naive else ("n_origins", "n_blocks", "n_donors"):
        assert both[count].tolist() == both[f"{count}_there"].tolist()


@pytest.mark.slow
def test_intervals_are_those_of_the_score_table():
    says = Task.load("quick").definition
    task = Task({**says, "step": 4, "donors": 3, "draws": 60, "locations": ["OH", "US"]})
    run = task.run(["hub-baseline", "naive+delay"], progress=False)
    board = leaderboard(ragged(run))
    table = board.table(by=["level"]).set_index(["level", "model"])
    expected = relative_to_baseline(ahead(board), "hub-baseline", by=["level"])
    expected = expected.set_index(["level", "model"])
    assert expected["lower"].notna().all()
    for mine, theirs in (("rel_wis_low", "lower"), ("rel_wis_high", "upper")):
        assert table[mine].to_dict() == pytest.approx(expected[theirs].to_dict())


@pytest.mark.parametrize(("kept", "among"), [(192, True), (191, False), (1, False)])
def test_half_of_the_counts_is_enough_to_decide_what_all_have(run, kept, among):
    whole = leaderboard(run).table(by=[], bootstrap=0).set_index("model")
    mine = run.scores.index[(run.scores["model"] == "drift+delay") & (run.scores["horizon"] >= 1)]
    table = leaderboard(holed(run, lambda s: s.index.isin(mine[kept:]))).table(by=[], bootstrap=0)
    last = table["model"].iloc[-1]
    table = table.set_index("model")
    assert table["in_all"].to_dict() == dict.fromkeys(MODELS, True) | {"drift+delay": among}
    assert set(table["n_all"]) == {kept if among else 384}
    row = table.loc["drift+delay"]
    assert row["n_common"] == kept  # the pair is still there, and counted
    # Who is not among all is last, and no mean and coverage of its own stand beside the others'.
    assert last == "drift+delay" or among
    assert row[["wis_all", "coverage_50", "coverage_90"]].isna().all() != among
    if not among:
        others = [["hub-baseline", "naive+delay"], ["wis_all", "coverage_90"]]
        pd.testing.assert_frame_equal(table.loc[*others], whole.loc[*others])


TWICE = r"model drift\+delay has two rows of one unit"


@pytest.mark.parametrize(("horizon", "words"), [(12, TWICE), (13, "task does not ask for")])
def test_a_row_too_much_is_refused(run, horizon, words):
    last = run.scores[run.scores["horizon"] == 12].iloc[[-1]].assign(horizon=horizon)
    with pytest.raises(BacktestError, match=words):
        leaderboard(with_scores(run, pd.concat([run.scores, last]))).table()


def test_means_and_coverage_are_those_of_the_rows(run):
    board = leaderboard(ragged(run))
    table = board.table(by=[], bootstrap=0).set_index("model")
    rows = ahead(board)
    rows = rows[rows["scorable"].astype(bool)]
    assert table["wis"].to_dict() == pytest.approx(rows.groupby("model")["wis"].mean().to_dict())
    keys = ["as_of", "donor", "location", "month"]
    # Coverage is over the counts of the mean beside it, not over a model's own.
    for name in ("50", "90"):
        held = rows.assign(x=rows[f"cover_{name}"].astype(float))
        held = held.pivot(index=keys, columns="model", values="x").dropna().mean()
        assert table[f"coverage_{name}"].to_dict() == pytest.approx(held.to_dict())
    wide = rows.pivot(index=keys, columns="model", values="wis").dropna()
    assert set(table["n_all"]) == {len(wide)}
    assert table["wis_all"].to_dict() == pytest.approx(wide.mean().to_dict())
    assert table["wis_all"].is_monotonic_increasing


def test_a_part_of_the_origins(run):
    board = leaderboard(run)

    def asked(**part: Any) -> int:
        return int(board.table(by=[], bootstrap=0, **part)["n_asked"].iloc[0])

    assert asked(only={"era": "4.5"}) + asked(only={"era": "6.5"}) == asked()
    months = pd.to_datetime([o["last_month"] for o in run.manifest["origins"]], format="ISO8601")
    assert asked(since="2021-01") == (months >= "2021-01").sum() * 4 * 12
    assert list(board.table(by=[], bootstrap=0).columns) == list(COLUMNS)
    assert board.table(by=[], only={"era": "none"}).empty


def answering(results: Results, **other: Any) -> Results:
    says = results.manifest | other
    task = says["task"] | {"definition": says["task"]["definition"] | other.pop("said", {})}
    found = fingerprint_of(task["definition"], says["truth"]["data_hash"], says["origins"])
    return copied(results, **other, task=task | {"fingerprint": found})


def changed(results: Results, *path: Any) -> Results:
    says = json.loads(json.dumps(results.manifest))
    held = says
    for key in path[:-2]:
        held = held[key]
    held[path[-2]] = path[-1]
    return copied(results, **says)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda r: [r, answering(r, said={"draws": 100, "seed": 2})],
         "of quick (TASK): draws is 200 and 100; seed is 1 and 2; compare results of one task"),
        (lambda r: [r, answering(r, truth=r.manifest["truth"] | {"data_hash": "0"})],
         "the definition is the same, the truth is not"),
        (lambda r: [r, answering(r, origins=r.manifest["origins"][:-1])],
         "the definition is the same, the number of origins is not"),
        (lambda r: [r, answering(r, origins=[r.manifest["origins"][0] | {"data_hash": "0" * 16},
                                             *r.manifest["origins"][1:]])],
         "the definition is the same, what was known is not: the first origin that differs"),
        (lambda r: changed(r, "task", "definition", "draws", 1000), "one of them was changed"),
        (lambda r: changed(r, "origins", 3, "data_hash", "0" * 16), "one of them was changed"),
        (lambda r: changed(r, "truth", "data_hash", "0" * 16), "one of them was changed"),
        (lambda r: changed(r, "task", "fingerprint", "0" * 64), "one of them was changed"),
        (lambda r: copied(r, task=None), "results 1 was run without a task"),
        (lambda r: copied(r, dataset="counties"), "is of counties"),
        (lambda r: copied(r, submitted={"naive+delay": {}}), "are named naive+delay, as a model"),
        (lambda _: [], "no results to compare"),
        (lambda r: [r, with_scores(r, r.scores.assign(wis=r.scores["wis"] * 1.001))],
         "in results 1 and in results 2, and not the same: their scores"),
        (lambda r: [r, holed(r, lambda s: s.index == len(s) - 1)], "384 and 383 scores"),
        (lambda r: [r, copied(r, code="another")], " and another; leave one folder out"),
        (lambda _: "/tmp/nope", "no such folder of results: '/tmp/nope'; give folders"),
        (lambda _: Path(__file__).parent, "holds no results; give folders of odforecast"),
    ],
)  # fmt: skip
def test_what_has_no_board(run, quick, given, said):
    with pytest.raises(BacktestError) as caught:
        leaderboard(given(run))
    text = str(caught.value).replace(f"is of task quick ({quick.short})", "")
    assert re.sub(r"of quick \(\w{12}\)", "of quick (TASK)", text).count(said) == 1
