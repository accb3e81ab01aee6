"""A backtest with metrics, joint scores or a task: more columns, a fourth table, nothing else."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import toys
from toys import same

import odforecast as od
from odforecast.backtesting import Results, Workers, backtest, plan
from odforecast.backtesting import unit as digest
from odforecast.backtesting.unit import JOINT_LABELS
from odforecast.errors import BacktestError, ScoringError, UnknownNameError
from odforecast.models import Spec
from odforecast.names import TARGET_12MO, TARGET_MONTH
from odforecast.scoring.joint import JOINT_COLUMNS, joint_scores
from odforecast.scoring.metrics import Metric

MODELS = ["naive", toys.by_state]
BOTH = (TARGET_12MO, TARGET_MONTH)
STATES = ("OH", "WV", "WY")
SPAN = ("2021-02", "2021-03", 1)


def far(samples, observed):
    return np.where(np.isnan(observed), np.nan, (samples > observed).mean(axis=0))


FAR = Metric("far", far, version="1")
MONTHS = Metric("far_months", far, target=TARGET_MONTH)


def test_every_file_that_can_change_a_forecast_is_in_the_code_digest():
    hashed = set(digest.hashed_files())
    there = [file for name in digest._CODE for file in (digest._ROOT / name).rglob("*")]
    assert {f for f in there if f.is_file() and "__pycache__" not in f.parts} <= hashed
    names = {file.name for file in hashed}
    assert {"seen.csv.gz", "delay.csv", "shares.csv", "classical.py", "seeds.py"} <= names


@pytest.fixture(scope="module")
def setting(found, truth):
    return {"origins": found, "truth": truth, "draws": 30, "progress": False}


ALL = ("scores", "quantiles", "failures", "joint")


def test_a_metric_is_a_column_and_changes_no_other(setting):
    plain = backtest(MODELS, **setting, targets=BOTH)
    more = backtest(MODELS, **setting, targets=BOTH, metrics=[FAR, MONTHS])
    assert [*more.scores][-2:] == ["far", "far_months"]
    same(more.scores[[*plain.scores]], plain.scores)
    same(more, plain, ["quantiles", "failures", "joint"])
    assert more.manifest["metrics"] == ["far", "far_months"]
    assert "metrics" not in plain.manifest
    scores = more.scores
    of_months = (scores["target"] == TARGET_MONTH).to_numpy()
    assert scores["far_months"][~of_months].isna().all()
    assert (scores["far_months"][of_months] == scores["far"][of_months]).all()
    # 1 less bias is the share at or below and the share below, of draws without ties.
    assert ((scores["far"] * 2 - 1 - scores["bias"]).abs() < 0.2).all()


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
    more = {"targets": BOTH, "metrics": [FAR, MONTHS], "joint": True}
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


def test_joint_scores_are_those_of_each_forecast(setting):
    results = backtest("naive", **setting, joint=True)
    table = results.joint
    assert [*table] == [*JOINT_COLUMNS, *JOINT_LABELS]
    assert results.manifest["joint"] is True
    assert set(table["data_hash"]) == {o.panel.data_hash for o in setting["origins"]}
    for unit in plan("naive", setting["origins"], setting["truth"], draws=30, joint=True):
        forecast = unit.model.fit(unit.seen).forecast(12, draws=30, seed=unit.seed)
        want = joint_scores(forecast, unit.truth, seed=unit.seed)
        mine = table[table["last_month"] == pd.Timestamp(str(unit.origin.panel.last_month))]
        got = mine[[*JOINT_COLUMNS]].reset_index(drop=True)
        want["month"] = want["month"].astype("datetime64[ms]")  # a file has no seconds
        pd.testing.assert_frame_equal(got, want)


def test_without_joint_scores_there_is_no_table_and_no_file(setting, tmp_path):
    plain = backtest("naive", **setting, out=tmp_path)
    assert not (tmp_path / "joint.parquet").exists()
    assert "joint" not in plain.manifest
    assert plain.joint.empty
    assert [*plain.joint] == [*JOINT_COLUMNS, *JOINT_LABELS]
    backtest("naive", **setting, out=tmp_path, joint=True)
    assert (tmp_path / "joint.parquet").exists()
    backtest("naive", **setting, out=tmp_path)
    assert not (tmp_path / "joint.parquet").exists()  # it is no part of these results
    assert Results.load(tmp_path).joint.empty
    plain.save(tmp_path / "saved")
    assert not (tmp_path / "saved" / "joint.parquet").exists()


def test_categories_come_in_the_order_of_the_origins_not_of_the_block(setting, tmp_path):
    two = zip(setting["origins"], ("b", "a"), strict=True)
    found = [replace(o, donor=donor, panel=replace(o.panel, donor=donor)) for o, donor in two]
    here, there = (
        backtest("naive", **setting | {"origins": found}, out=x) for x in (None, tmp_path)
    )
    assert here.quantiles["donor"].cat.categories.tolist() == ["b", "a"]
    same(here, there)


@pytest.mark.slow
def test_a_worker_that_runs_other_code_is_refused(setting, tmp_path, monkeypatch):
    monkeypatch.setattr("odforecast.backtesting.run.code_digest", lambda: "edited meanwhile")
    with Workers(1) as workers, pytest.raises(BacktestError, match="other code than this one"):
        backtest("naive", **setting, out=tmp_path / "run", executor=workers)
    assert not (tmp_path / "run" / "manifest.json").exists()
