"""Backtests that once went wrong, each test named after the fault."""

from __future__ import annotations

import datetime as dt
import json
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import toys
from toys import same, same_rows

import odforecast as od
from odforecast.backtesting import Origin, Results, backtest, default_models, plan, run_units
from odforecast.backtesting.store import UnitStore
from odforecast.errors import BacktestError, ScoringError, UnknownNameError
from odforecast.models import Model, get_model
from odforecast.names import TARGET_12MO, TARGET_MONTH
from odforecast.panel import Panel
from odforecast.scoring import Truth
from odforecast.vintage import Archive, bundled

STATES = ("US", "OH", "WV")


def release_of(day: str, last: str) -> pd.DataFrame:
    """A release as CDC might have published it: the bundled counts up to a month."""
    table = bundled().as_of("2025-09-17").table
    table = table[table["state"].isin(STATES) & (table["month"] <= pd.Timestamp(last))]
    return table.assign(release=pd.Timestamp(day)).reset_index(drop=True)


def archive_of(**changed: pd.DataFrame) -> Archive:
    """Three monthly releases of early 2022, and the bundled one."""
    spans = {
        "2022-03-16": "2021-10", "2022-04-13": "2021-11", "2022-05-11": "2021-12",
        "2025-09-17": "2025-04",
    }  # fmt: skip
    tables = {day: release_of(day, last) for day, last in spans.items()}
    return Archive.in_memory(tables | changed)


# Without the baseline, and with one target of two


def test_asking_for_both_targets_lost_the_one_a_model_has(truth, found):
    both = (TARGET_12MO, TARGET_MONTH)
    results = backtest(["naive", "hub-baseline"], found, truth=truth, draws=20, targets=both)
    mine = results.scores[results.scores["model"] == "hub-baseline"]
    assert set(mine["target"]) == {TARGET_12MO}
    assert len(mine) == len(found) * 3 * 12
    alone = backtest(["hub-baseline"], found, truth=truth, draws=20).scores
    same(mine.reset_index(drop=True), alone)
    assert len(results.failures) == len(found)
    assert set(results.failures["model"]) == {"hub-baseline"}
    assert set(results.failures["target"]) == {TARGET_MONTH}
    assert set(results.failures["location"]) == {"*"}
    assert set(results.failures["reason"]) == {"does not forecast deaths_month"}
    board = results.leaderboard()
    months = board[board["target"] == TARGET_MONTH]
    assert set(months["model"]) == {"naive"}
    assert months["rel_wis"].isna().all()
    assert board[board["target"] == TARGET_12MO]["rel_wis"].notna().all()


# The default list


def test_real_releases_showed_baselines_without_the_delay_layer_only():
    names = default_models(od.origins(archive_of(), "real"))
    assert names[0] == "dlm"
    for name in ("naive", "drift", "auto-ets", "auto-theta"):
        assert name in names
        assert f"{name}+delay" in names
    assert {"hub-baseline", "cdc-predicted", "ensemble"} <= set(names)
    assert len(set(names)) == len(names)
    assert not {"dlm+delay", "ensemble+delay"} & set(names)


# Going on with a stopped run


def test_two_configurations_of_one_model_were_stored_as_one(truth, found, tmp_path):
    low, high = toys.steps("steps low", 0.5), toys.steps("steps high", 2.0)
    units = plan([low, high], found, truth, draws=20)
    assert len({u.key for u in units}) == len(units)
    together = run_units(units, out=tmp_path)
    assert {p.name for p in (tmp_path / "units").iterdir()} == {
        f"model={m.spec.hash}" for m in (low, high)
    }
    again = run_units(plan([low, high], found, truth, draws=20), out=tmp_path)
    same(again.scores, together.scores)
    for model in (low, high):
        mine = together.scores[together.scores["model"] == model.label].reset_index(drop=True)
        same(mine, backtest([model], found, truth=truth, draws=20).scores)
    medians = together.scores.groupby("model")["median"].mean()
    assert medians["steps high"] > 1.5 * medians["steps low"]


def test_a_failed_unit_was_kept_as_its_failure(truth, found, tmp_path):
    bad, good, steps = toys.steps(fail=["2021-01"]), toys.steps(), []
    first = backtest([bad], found, truth=truth, draws=20, out=tmp_path)
    assert first.failures["reason"].tolist() == ["ZeroDivisionError: not today"]
    second = backtest([good], found, truth=truth, draws=20, out=tmp_path, progress=steps.append)
    assert good.inner.fits == ["2021-01"]
    assert sorted(s.reused for s in steps) == [False, True, True]
    assert second.failures.empty
    fresh = backtest([toys.steps()], found, truth=truth, draws=20)
    same(second.scores, fresh.scores)
    same(second.quantiles, fresh.quantiles)


@pytest.mark.parametrize("label", ["a/b", "../up", "a\\b", "", " x", "a\nb"])
def test_a_label_could_be_a_path(label):
    with pytest.raises(UnknownNameError, match="is not a valid label"):
        Model(toys.Steps(), label)
    if label:
        with pytest.raises(UnknownNameError, match="is not a valid label"):
            get_model("naive", label=label)
        with pytest.raises(UnknownNameError, match="is not a valid label"):
            od.forecaster(label=label)(lambda *_: None)


def test_a_stored_result_is_reused_under_a_new_label_and_shown_under_it(truth, found, tmp_path):
    backtest([get_model("naive", label="old")], found, truth=truth, draws=20, out=tmp_path)
    steps = []
    again = backtest(
        [get_model("naive", label="new name")], found, truth=truth, draws=20, out=tmp_path,
        progress=steps.append,
    )  # fmt: skip
    assert all(s.reused for s in steps)
    assert set(again.scores["model"]) == {"new name"}
    assert set(again.quantiles["model"]) == {"new name"}
    assert set(again.leaderboard()["model"]) == {"new name"}
    assert list(again.manifest["models"]) == ["new name"]
    loaded = Results.load(tmp_path)
    assert set(loaded.scores["model"]) == {"new name"}


def test_a_relabelled_function_lost_its_label_on_the_way_to_a_worker():
    renamed = Model(LAST_YEAR.inner, "last year (mine)", LAST_YEAR.reference)
    assert pickle.loads(pickle.dumps(renamed)).label == "last year (mine)"
    assert pickle.loads(pickle.dumps(LAST_YEAR)).label == "LAST_YEAR"


@od.forecaster()
def LAST_YEAR(panel, horizon, draws, rng):
    return rng.poisson(panel.reported[:, -1] / 12, (draws, 1, horizon)).astype(float)


# Origins


def test_real_origins_outside_the_window_were_run_all_the_same():
    blank = release_of("2022-04-13", "2021-11")
    blank["reported"] = np.nan
    blank["status"] = "missing"
    archive = archive_of(**{"2022-04-13": blank})
    everything = od.origins(archive, "real")
    assert [o.panel is None for o in everything] == [False, True, False, False]
    assert "no reported counts" in everything[1].reason
    late = od.origins(archive, "real", start="2021-12")
    assert [str(o.as_of) for o in late] == ["2022-05-11", "2025-09-17"]
    early = od.origins(archive, "real", end="2021-10")
    assert [str(o.as_of) for o in early] == ["2022-03-16"]
    within = od.origins(archive, "real", start="2021-11", end="2021-12")
    assert [str(o.as_of) for o in within] == ["2022-04-13", "2022-05-11"]
    with pytest.raises(BacktestError, match="no release with a last month in"):
        od.origins(archive, "real", start="2023-01", end="2023-06")


def made_up(panel: Panel) -> Panel:
    frame = panel.to_frame()[["location", "month", "reported"]]
    return Panel.from_frame(frame, as_of="2025-09-17")


def test_a_made_up_panel_was_taken_as_origin_and_as_truth(panel, truth, found):
    synthetic = made_up(panel)
    origin = Origin(synthetic.as_of, synthetic.vintage, synthetic)
    with pytest.raises(BacktestError, match="made-up panels are not origins"):
        backtest(["naive"], [*found, origin], truth=truth, draws=20)
    with pytest.raises(ScoringError, match="a made-up panel cannot be a truth"):
        Truth(synthetic)
    relabelled = Origin(synthetic.as_of, "real", synthetic)
    with pytest.raises(BacktestError, match="made-up panels are not origins"):
        plan(["naive"], [relabelled], truth)


def test_deaths_of_one_kind_were_scored_against_those_of_another(panel, found):
    opioids = bundled().as_of("2025-09-17").panel("T40.4")
    with pytest.raises(BacktestError, match=r"T40\.4"):
        plan(["naive"], found, Truth(opioids))
    forecast = get_model("naive").fit(found[0].panel).forecast(draws=20)
    with pytest.raises(ScoringError, match=r"T40\.4"):
        od.score(forecast, Truth(opioids))


# Models that return something else than was asked for


def test_an_origin_given_twice(truth, found):
    """Its rows were doubled without a word."""
    again = replace(found[0], panel=replace(found[0].panel))
    hole = Origin(dt.date(2023, 4, 12), "real", None, "no reported counts")
    for origins in ([found[0], found[0]], [found[0], found[1], again], [hole, *found, hole]):
        with pytest.raises(BacktestError, match=r"the origin of .* is given twice"):
            backtest(["naive"], origins, truth=truth, draws=20)


# Folders of earlier versions


def test_a_results_folder_of_an_earlier_version_still_opens(truth, found, tmp_path):
    made = backtest(["naive", "hub-baseline"], found, truth=truth, draws=20)
    made.scores.drop(columns=["donor", "spec_hash"]).to_parquet(tmp_path / "scores.parquet")
    made.quantiles.to_parquet(tmp_path / "quantiles.parquet")
    made.failures.drop(columns="target").to_parquet(tmp_path / "failures.parquet")
    manifest = {k: v for k, v in made.manifest.items() if k not in ("specs", "code")}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    old = tmp_path / "units" / "naive" / "2021-08-15-0123456789abcdef"
    old.mkdir(parents=True)
    (old / "done.json").write_text(json.dumps({"seconds": 1.0, "unit": "naive"}))
    loaded = Results.load(tmp_path)
    assert repr(loaded).startswith("<Results: 2 models, 3 origins, 216 score rows")
    assert ["cannot be verified" in n for n in loaded.notes] == [True]
    same(loaded.leaderboard(), made.leaderboard())
    assert len(loaded.quantiles) == len(made.quantiles)
    assert loaded.failures.empty
    assert set(loaded.select("Ohio").scores["location"]) == {"OH"}
    # Its units are of another code: computed again, not reused, not in the way.
    units = plan(["naive"], found, truth, draws=20)
    assert not any(UnitStore(tmp_path / "units").told(u) for u in units)
    assert len(run_units(units, out=tmp_path).scores) == 108


def test_two_models_of_unknown_code_with_equal_specs_had_the_rows_of_one(truth, found, tmp_path):
    """They were reused, too."""
    models = [toys.steps("low", 1.0, origin=""), toys.steps("high", 3.0, origin="")]
    models[1].inner.spec = models[0].inner.spec
    models[1] = Model(models[1].inner, "high")
    assert models[0].spec.hash == models[1].spec.hash
    alone = [backtest(model, found, truth=truth, draws=20) for model in models]
    for out in (None, tmp_path):
        both = backtest(models, found, truth=truth, draws=20, out=out)
        for model, own in zip(models, alone):
            for name in ("scores", "quantiles"):
                rows, want = getattr(both, name), getattr(own, name)
                rows = rows[rows["model"] == model.label]
                same_rows(rows.astype({"model": str}), want.astype({"model": str}))
    fits = len(models[0].inner.fits)
    backtest(models, found, truth=truth, draws=20, out=tmp_path)
    assert len(models[0].inner.fits) == fits + len(found)
