"""The backtest: resumable, unit by unit, failures as rows; with metrics, joint scores or a task."""

import datetime as dt
import json
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import toys
from toys import same, same_rows, undivided

import odforecast as od
from odforecast.backtesting import Origin, Results, Workers, backtest, cuts, plan, run_units
from odforecast.backtesting import planning as blocks
from odforecast.backtesting import unit as digest
from odforecast.backtesting.store import UnitStore
from odforecast.backtesting.unit import code_digest
from odforecast.errors import BacktestError, ScoringError, UnknownNameError
from odforecast.models import Model, Spec, get_model
from odforecast.names import RESIDENCE, TARGET_12MO, TARGET_MONTH
from odforecast.panel.pseudo import clean
from odforecast.scoring.metrics import Metric
from odforecast.seeds import content_hash

STATES = ("WY", "US", "OH", "YC")
BOTH = (TARGET_12MO, TARGET_MONTH)
QUICK = {"draws": 20, "progress": False}
HOLE = Origin(dt.date(2023, 4, 12), "real", None, "no reported counts")


def test_a_stopped_run_goes_on_without_recomputing(truth, found, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 1)
    model = toys.steps()

    def stop_after_two(step):
        if step.done == 2:
            raise toys.Away

    steps, given = [], {"truth": truth, "draws": 20, "out": tmp_path}
    with pytest.raises(toys.Away):
        backtest([model], found, **given, progress=stop_after_two)
    assert not (tmp_path / "scores.parquet").exists()
    resumed = backtest([model], found, **given, progress=steps.append)
    assert len(model.inner.fits) == 3
    assert [s.reused for s in steps] == [True, True, False]
    assert [s.seconds > 0 for s in steps] == [False, False, True]  # nothing was computed twice
    same(backtest([model], found, truth=truth, **QUICK), resumed)
    assert Results.load(tmp_path).manifest == resumed.manifest


def test_a_failed_unit_was_kept_as_its_failure(truth, found, tmp_path):
    bad, good, steps = toys.steps(fail=["2021-01"]), toys.steps(), []
    first = backtest([bad], found, truth=truth, out=tmp_path, **QUICK)
    assert first.failures["reason"].tolist() == ["ZeroDivisionError: not today"]
    second = backtest([good], found, truth=truth, draws=20, out=tmp_path, progress=steps.append)
    assert good.inner.fits == ["2021-01"]
    assert sorted(s.reused for s in steps) == [False, True, True]
    assert second.failures.empty
    same(second, backtest([toys.steps()], found, truth=truth, **QUICK), ["scores", "quantiles"])


def test_two_models_of_unknown_code_with_equal_specs_had_the_rows_of_one(truth, found, tmp_path):
    models = [toys.steps("low", 1.0, origin=""), toys.steps("high", 3.0, origin="")]
    models[1].inner.spec = models[0].inner.spec
    models[1] = Model(models[1].inner, "high")
    assert models[0].spec.hash == models[1].spec.hash
    alone = [backtest(model, found, truth=truth, **QUICK) for model in models]
    for out in (None, tmp_path):
        both = backtest(models, found, truth=truth, out=out, **QUICK)
        for model, own in zip(models, alone):
            for name in ("scores", "quantiles"):
                rows, want = getattr(both, name), getattr(own, name)
                rows = rows[rows["model"] == model.label]
                same_rows(rows.astype({"model": str}), want.astype({"model": str}))
    fits = len(models[0].inner.fits)
    backtest(models, found, truth=truth, out=tmp_path, **QUICK)
    assert len(models[0].inner.fits) == fits + len(found)


def test_a_stored_result_is_reused_under_a_new_label_and_shown_under_it(truth, found, tmp_path):
    backtest([get_model("naive", label="old")], found, truth=truth, out=tmp_path, **QUICK)
    steps, renamed = [], get_model("naive", label="new name")
    given = {"truth": truth, "draws": 20, "out": tmp_path, "progress": steps.append}
    again = backtest([renamed], found, **given)
    assert all(s.reused for s in steps)
    loaded = Results.load(tmp_path)
    for table in (again.scores, again.quantiles, again.leaderboard(), loaded.scores):
        assert set(table["model"]) == {"new name"}
    assert list(again.manifest["models"]) == ["new name"]
    # A function keeps its label on the way to a worker.
    mine = Model(toys.by_state.inner, "by state (mine)", toys.by_state.reference)
    assert pickle.loads(pickle.dumps(mine)).label == "by state (mine)"


def test_a_results_folder_of_an_earlier_version_still_opens(truth, found, tmp_path):
    made = backtest(["naive", "hub-baseline"], found, truth=truth, **QUICK)
    made.scores.drop(columns=["donor", "spec_hash"]).to_parquet(tmp_path / "scores.parquet")
    made.quantiles.to_parquet(tmp_path / "quantiles.parquet")
    made.failures.drop(columns="target").to_parquet(tmp_path / "failures.parquet")
    manifest = {k: v for k, v in made.manifest.items() if k not in ("specs", "code")}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    old = tmp_path / "units" / "naive" / "2021-08-15-0123456789abcdef"
    old.mkdir(parents=True)
    (old / "done.json").write_text(json.dumps({"seconds": 1.0, "unit": "naive"}))
    loaded = Results.load(tmp_path)
    assert repr(loaded).startswith("<Results: 2 models, 3 origins, 288 score rows")
    assert ["cannot be verified" in n for n in loaded.notes] == [True]
    same(loaded.leaderboard(), made.leaderboard())
    assert len(loaded.quantiles) == len(made.quantiles)
    assert loaded.failures.empty
    assert set(loaded.select("Ohio").scores["location"]) == {"OH"}
    # Its units are of another code: computed again, not reused, not in the way.
    units = plan(["naive"], found, truth, draws=20)
    assert not any(UnitStore(tmp_path / "units").find(u) for u in units)
    assert len(run_units(units, out=tmp_path).scores) == 144


def test_a_unit_key_changes_with_everything_that_matters(panel, truth, found):
    one, other = (Metric("far", lambda samples, _: samples[0], version=v) for v in "12")

    def key(models=("naive",), origins=found, truth=truth, **more):
        return plan(models, origins, truth, **more)[0].key

    changes = [
        {}, {"models": ["drift"]}, {"models": [toys.steps("steps", 0.5)]},
        {"models": [toys.steps("steps", 2.0)]}, {"origins": found[1:]}, {"draws": 999},
        {"truth": od.Truth(panel, min_age=0)}, {"seed": 2}, {"locations": ["US"]},
        {"targets": TARGET_MONTH},
        {"horizons": [3]}, {"horizons": [4]}, {"metrics": [one]}, {"metrics": [other]},
    ]  # fmt: skip
    (unit, *_) = plan(["naive"], found, truth)
    keys = [key(**change) for change in changes]
    keys += [replace(unit, levels=()).key, replace(unit, state="OH").key]
    assert len(set(keys)) == len(keys)
    assert keys[0] == unit.key == key(metrics=())
    # Stored results of earlier runs are used again.
    assert unit.key == content_hash(
        unit.model.spec.hash, code_digest(), unit.origin.panel.data_hash, "", None,
        unit.truth.data_hash, STATES, (TARGET_12MO,), 12, unit.draws, 1, "",
    )  # fmt: skip


def test_all_models_come_to_some_origins_before_the_next_ones(panel, truth):
    """What models share of an origin is worked out once, and kept for a while only."""
    nine = cuts(panel, start="2021-01", end="2021-09")
    units = plan(["naive", "drift"], nine, truth, draws=20)
    assert blocks.blocks(units, range(18)) == [[*range(8)], [*range(9, 17)], [8], [17]]
    assert blocks.blocks(units, [3, 8, 12]) == [[3], [12], [8]]
    # The last origins in halves: no process waits long for another.
    assert blocks.blocks(units, range(8)) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_origins_published_on_one_day_stay_apart(panel, truth):
    close = cuts(panel, start="2021-06", end="2021-10")
    assert len({o.as_of for o in close}) == 3
    results = backtest(["naive", "hub-baseline"], close, truth=truth, **QUICK)
    board = results.leaderboard()
    assert board["n_units"].sum() == len(results.scores) == 2 * 5 * 4 * 12
    assert set(od.scoring.pairwise(results)["n_origins"]) == {5}


def test_what_truth_says_and_what_is_too_young_to_be_scored(panel, truth):
    values, reasons = truth.observed(("US", "PR"), panel.months[:3])
    assert (values[0] == panel.reported[1, :3]).all()
    assert (reasons[1] == "release 2025-09-17 has no PR").all()
    months, _ = truth.observed(("US",), panel.months[:3], TARGET_MONTH)
    assert (months[0] == panel.monthly[1, 11:14]).all()
    predicted, _ = od.Truth(panel, "predicted").observed(("US",), panel.months[:3])
    assert (predicted[0] == panel.predicted[1, :3]).all()
    late = cuts(panel, start="2024-06", end="2024-06")
    results = backtest(["naive"], late, truth=truth, **QUICK)
    scores = results.scores.set_index(["location", "month"])
    young = scores.loc[("US", "2024-10-01")]
    assert (scores.loc[("US", "2024-09-01"), "scorable"], young["scorable"]) == (True, False)
    assert young["reason"].startswith("too young: release 2025-09-17 is 11 months")
    assert young[["wis", "observed"]].isna().all()
    assert "after the last month" in scores.loc[("US", "2025-05-01"), "reason"]
    assert results.leaderboard()["n_not_scorable"].sum() == 36


def test_real_origins_outside_the_window_were_run_all_the_same():
    table = od.bundled().as_of("2025-09-17").table
    table = table[table["state"].isin(STATES)]
    lasts = {"2022-03-16": "2021-10", "2022-04-13": "2021-11", "2022-05-11": "2021-12"}
    tables = {}
    for day, last in (lasts | {"2025-09-17": "2025-04"}).items():
        seen = table[table["month"] <= last].assign(release=pd.Timestamp(day))
        tables[day] = seen.reset_index(drop=True)
    tables["2022-04-13"] = tables["2022-04-13"].assign(reported=np.nan, status="missing")
    archive = od.Archive.in_memory(tables)
    everything = od.origins(archive, "real")
    assert [o.panel is None for o in everything] == [False, True, False, False]
    assert "no reported counts" in everything[1].reason
    for span, days in (
        ({"start": "2021-12"}, ["2022-05-11", "2025-09-17"]),
        ({"end": "2021-10"}, ["2022-03-16"]),
        ({"start": "2021-11", "end": "2021-12"}, ["2022-04-13", "2022-05-11"]),
    ):
        assert [str(o.as_of) for o in od.origins(archive, "real", **span)] == days
    with pytest.raises(BacktestError, match="no release with a last month in"):
        od.origins(archive, "real", start="2023-01", end="2023-06")


def made_up(panel, vintage=None) -> Origin:
    frame = panel.to_frame()[["location", "month", "reported"]]
    made = od.Panel.from_frame(frame, as_of="2025-09-17")
    return Origin(made.as_of, vintage or made.vintage, made)


def opioids() -> od.Panel:
    return od.bundled().as_of("2025-09-17").panel("T40.4")


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda c: backtest(["naive"], [*c.found, made_up(c.panel)], truth=c.truth, **QUICK),
         BacktestError, "made-up panels are not origins"),
        (lambda c: plan(["naive"], [made_up(c.panel, "real")], c.truth),
         BacktestError, "made-up panels are not origins"),
        (lambda c: od.Truth(made_up(c.panel).panel), ScoringError, "made-up panel cannot be"),
        (lambda c: plan(["naive"], c.found, od.Truth(opioids())), BacktestError, r"T40\.4"),
        (lambda c: od.score(get_model("naive").fit(c.found[0].panel).forecast(draws=20),
                                  od.Truth(opioids())), ScoringError, r"T40\.4"),
        (lambda c: plan(["naive"], c.found, od.Truth(replace(c.panel, basis=RESIDENCE))),
         BacktestError, "in different ways"),
        (lambda c: plan(["naive"], c.found, c.truth, locations=["PR"]),
         UnknownNameError, "no data for PR"),
        (lambda c: plan(["naive"], 2 * c.found[:1], c.truth), BacktestError, "is given twice"),
        (lambda c: plan(["naive"], [*c.found, pickle.loads(pickle.dumps(c.found[0]))], c.truth),
         BacktestError, "the origin of .* is given twice"),
        (lambda c: plan(["naive"], [HOLE, *c.found, HOLE], c.truth),
         BacktestError, "the origin of .* is given twice"),
    ],
)  # fmt: skip
def test_origins_and_truths_that_are_refused(panel, truth, found, call, error, words):
    with pytest.raises(error, match=words):
        call(SimpleNamespace(panel=panel, truth=truth, found=found))


def test_asking_for_both_targets_lost_the_one_a_model_has(truth, found):
    results = backtest(["naive", "hub-baseline"], found, truth=truth, targets=BOTH, **QUICK)
    mine = results.scores[results.scores["model"] == "hub-baseline"]
    assert set(mine["target"]) == {TARGET_12MO}
    assert len(mine) == len(found) * 4 * 12
    same_rows(mine, backtest(["hub-baseline"], found, truth=truth, **QUICK).scores)
    rows = results.failures[["model", "target", "location", "reason"]].to_numpy().tolist()
    lacks = ["hub-baseline", TARGET_MONTH, "*", "does not forecast deaths_month"]
    assert rows == [lacks] * len(found)
    board = results.leaderboard()
    months = board[board["target"] == TARGET_MONTH]
    assert set(months["model"]) == {"naive"}
    assert months["rel_wis"].isna().all()
    assert board[board["target"] == TARGET_12MO]["rel_wis"].notna().all()


def test_failures_come_in_the_order_asked(truth, found):
    asked = ("WV", "US", "CA", "OH", "TX")
    whole = cuts(od.bundled().as_of("2025-09-17").panel(), start="2021-07", end="2021-07")
    results = backtest(["naive"], [found[0], *whole], truth=truth, locations=asked, **QUICK)
    want = [[s, f"release 2025-09-17 has no {s}"] for s in ("WV", "CA", "TX")]
    assert results.failures[["location", "reason"]].to_numpy().tolist() == want


def test_one_unit_per_state_each_with_its_own_panel(truth, found):
    units = plan([toys.by_state, "naive"], found, truth, draws=20)
    mine = [u for u in units if u.model is toys.by_state]
    places = [(u.state, u.locations, u.seen.locations) for u in mine]
    assert places == [(s, (s,), (s,)) for s in 3 * STATES]
    assert len({u.key for u in units}) == len(units) == 3 * len(STATES) + 3
    assert mine[0].label == "by_state as of 2021-08-15 in WY"
    # The nation is a unit of its own, from its own row; regions are no rows of a panel.
    asked = plan([toys.by_state], found, truth, locations=["US"])
    assert [(u.state, u.seen.locations) for u in asked] == [("US", ("US",))] * 3


@pytest.mark.parametrize("targets", [(TARGET_12MO,), (TARGET_MONTH,), BOTH])
def test_equals_the_undivided_computation_bit_for_bit(truth, found, targets, tmp_path):
    units = plan([toys.by_state, "naive"], found, truth, draws=20, targets=targets)
    divided, together = run_units(units, out=tmp_path), run_units(undivided(units))
    same(divided, together)
    for name in ("scores", "quantiles", "failures"):
        same_rows(getattr(Results.load(tmp_path), name), getattr(divided, name))
    same(run_units(units, out=tmp_path).quantiles, divided.quantiles)
    assert divided.manifest["locations"] == list(STATES)
    ohio = plan([toys.by_state], found, truth, draws=20, targets=targets, locations=["Ohio"])
    whole = divided.scores[divided.scores["model"].eq("by_state")]
    kept = whole[whole["location"] == "OH"]
    same_rows(run_units(ohio).scores.astype({"model": str}), kept.astype({"model": str}))


@pytest.mark.parametrize("model", [toys.by_state, "naive"])
def test_places_fail_alone_as_they_would_undivided(panel, truth, found, model):
    reported = panel.reported.copy()
    reported[0, -1] = np.nan
    gappy = clean(replace(panel, reported=reported, low=None, high=None), panel.last_month)
    narrow = found[2].panel.select(["US", "OH"])
    two = [Origin(p.as_of, "pseudo-clean", p) for p in (gappy, narrow)]
    units = plan([model], [found[0], two[0], HOLE, two[1]], truth, draws=20)
    divided = run_units(units)
    same(divided, run_units(undivided(units)))
    failures = divided.failures
    assert failures["location"].tolist() == ["WY", "*", "WY", "YC"]
    assert failures["reason"].tolist()[1] == "no reported counts"
    lacking = [f"release 2025-09-17 has no {s}" for s in ("WY", "YC")]
    assert failures["reason"].tolist()[2:] == lacking
    counts = divided.scores["location"].astype(str).value_counts().to_dict()
    assert counts == {"US": 36, "OH": 36, "YC": 24, "WY": 12}
    assert divided.manifest["origins"][2]["reason"] == "no reported counts"


def test_a_failing_state_fails_alone(truth, found):
    def not_ohio(panel, paths):
        if "OH" in panel.locations:
            raise ZeroDivisionError("no")
        return paths

    results = backtest([toys.model(not_ohio, by="state")], found, truth=truth, **QUICK)
    assert results.failures["location"].tolist() == ["OH"] * 3
    assert set(results.scores["location"]) == {"WY", "US", "YC"}


MODELS = ["naive", toys.by_state]


def far(samples, observed):
    return np.where(np.isnan(observed), np.nan, (samples > observed).mean(axis=0))


FAR = Metric("far", far, version="1")
MONTHS = Metric("far_months", far, target=TARGET_MONTH)


def test_every_file_that_can_change_a_forecast_is_in_the_code_digest():
    hashed = set(digest.hashed_files())
    there = [file for name in digest._CODE for file in (digest._ROOT / name).rglob("*")]
    assert {f for f in there if f.is_file() and "__pycache__" not in f.parts} <= hashed
    names = {file.name for file in hashed}
    assert {"seen.csv.gz", "delay.csv", "shares.csv", "baselines.py", "seeds.py"} <= names


@pytest.fixture(scope="module")
def setting(found, truth):
    return {"origins": found[:2], "truth": truth, "draws": 30, "progress": False}


ALL = ("scores", "quantiles", "failures")


def test_a_metric_is_a_column_and_changes_no_other(setting):
    plain = backtest(MODELS, **setting, targets=BOTH)
    more = backtest(MODELS, **setting, targets=BOTH, metrics=[FAR, MONTHS])
    assert [*more.scores][-2:] == ["far", "far_months"]
    same(more.scores[[*plain.scores]], plain.scores)
    same(more, plain, ["quantiles", "failures"])
    assert more.manifest["metrics"] == ["far", "far_months"]
    assert "metrics" not in plain.manifest
    scores = more.scores
    of_months = (scores["target"] == TARGET_MONTH).to_numpy()
    assert scores["far_months"][~of_months].isna().all()
    assert (scores["far_months"][of_months] == scores["far"][of_months]).all()
    # 1 less bias is the share at or below and the share below, of draws without ties.
    many = scores[scores["location"] != "WY"]
    assert ((many["far"] * 2 - 1 - many["bias"]).abs() < 0.2).all()


def test_a_metric_in_score_alone(setting, panel):
    forecast = od.get_model("naive").fit(panel.cut("2021-02")).forecast(draws=30)
    table = od.score(forecast, setting["truth"], metrics=[FAR], horizons=[2, 7])
    y, _ = setting["truth"].observed(forecast.locations, forecast.months)
    want = (forecast.samples() > y).mean(axis=0)[:, [1, 6]].ravel()
    np.testing.assert_array_equal(table["far"], want)
    assert [*table][-1] == "far"
    taken = Metric("far", far)
    object.__setattr__(taken, "name", "reported")
    for metric, error in (("no_such", UnknownNameError), (taken, ScoringError)):
        with pytest.raises(error, match=getattr(metric, "name", metric)):
            od.score(forecast, setting["truth"], metrics=[metric])


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_a_model_of_nobody_knows_whom_is_not_stored_however_deep(setting, depth):
    (unit,) = plan("naive", setting["origins"][:1], setting["truth"])
    for origin in ("odforecast", ""):
        spec = Spec("mine", origin=origin)
        for level in range(depth):
            spec = Spec(f"of {level}", members=(Spec("ours"), spec, Spec("ours too")))
        model = SimpleNamespace(spec=spec)
        assert replace(unit, model=model).reusable == bool(origin)


@pytest.mark.slow
def test_workers_processes_and_threads_agree_to_the_last_bit(setting, tmp_path):
    models = [*MODELS, "auto-theta", "dlm"]
    more = {"targets": BOTH, "metrics": [FAR, MONTHS], "locations": STATES[2:]}
    here = backtest(models, **setting, **more)
    spawn = get_context("spawn")
    for name, pool in (("workers", Workers(2)), ("threads", ThreadPoolExecutor(2)),
                       ("processes", ProcessPoolExecutor(2, mp_context=spawn))):  # fmt: skip
        with pool:
            other = backtest(models, **setting, **more, out=tmp_path / name, executor=pool)
        same(here, other, ALL)
        assert here.manifest["run"] == other.manifest["run"]
    same(here, Results.load(tmp_path / "workers"), ALL)
    # Again: nothing is computed, and the tables are the same.
    seen = []
    more["progress"] = seen.append
    same(here, backtest(models, **(setting | more), out=tmp_path / "workers"), ALL)
    # Code of unknown origin is run again.
    assert all(p.reused == ("by_state" not in p.label) for p in seen)
    here.save(tmp_path / "saved")
    same(Results.load(tmp_path / "saved"), here, ALL)


def test_a_lambda_cannot_be_sent_and_is_refused_before_work(setting):
    metric = Metric("mine", lambda samples, observed: 0 * observed + 0 * samples[0])
    with Workers(1) as workers:
        with pytest.raises(BacktestError, match=r"metric 'mine' cannot be sent"):
            backtest("naive", **setting, metrics=[metric], executor=workers)
        assert not workers._live
    assert "mine" in backtest("naive", **setting, metrics=[metric]).scores


def test_a_folder_with_the_joint_scores_of_an_earlier_version_opens(setting, tmp_path):
    plain = backtest("naive", **setting, out=tmp_path)
    table, manifest = tmp_path / "joint.parquet", tmp_path / "manifest.json"
    table.write_bytes(b"rows of an earlier version")
    said = json.loads(manifest.read_text())
    said["files"]["joint"] = "0" * 64
    manifest.write_text(json.dumps(said | {"joint": True}))
    same(Results.load(tmp_path), plain)
    # Another run into the folder leaves no table that its manifest does not name.
    backtest("naive", **setting, out=tmp_path)
    assert not table.exists()


def test_categories_come_in_the_order_of_the_origins_not_of_the_block(setting, tmp_path):
    two = zip(setting["origins"], ("b", "a"), strict=True)
    found = [replace(o, donor=donor, panel=replace(o.panel, donor=donor)) for o, donor in two]
    setting = setting | {"origins": found}
    here, there = (backtest("naive", **setting, out=x) for x in (None, tmp_path))
    assert here.quantiles["donor"].cat.categories.tolist() == ["b", "a"]
    same(here, there)


@pytest.mark.slow
def test_a_worker_that_runs_other_code_is_refused(setting, tmp_path, monkeypatch):
    monkeypatch.setattr("odforecast.backtesting.run.code_digest", lambda: "edited meanwhile")
    with Workers(1) as workers, pytest.raises(BacktestError, match="other code than this one"):
        backtest("naive", **setting, out=tmp_path / "run", executor=workers)
    assert not (tmp_path / "run" / "manifest.json").exists()
