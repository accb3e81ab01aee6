"""Backtests that are asked for wrongly, and models that fail in them: said, and never silent."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest

import odforecast as od
from odforecast.backtesting.results import BASELINE, Results
from odforecast.backtesting.task import Task
from odforecast.errors import BacktestError, ForecastError, ScoringError, UnknownNameError
from odforecast.models import registry
from odforecast.models.baselines import Baseline

FEW = {
    "origins": "pseudo-clean",
    "start": "2021-01",
    "end": "2021-02",
    "locations": ["US", "Ohio"],
    "draws": 20,
    "progress": False,
}


def run(models="naive", **more):
    return od.backtest(models, **{"archive": od.bundled(), **FEW, **more})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"draws": "20"}, "draws is '20', allowed: a whole number"),
        ({"draws": 20.5}, "draws is 20.5"),
        ({"draws": True}, "draws is True"),
        ({"draws": 1}, "draws is 1, allowed: a whole number of at least 2"),
        ({"horizon": "12"}, "horizon is '12'"),
        ({"horizon": 0}, "horizon is 0"),
        ({"step": "4"}, "step is '4'"),
        ({"step": 0}, "step is 0"),
        ({"donors": "9"}, "donors is '9'"),
        ({"locations": 39}, "locations is 39"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": "1"}, "seed is '1'"),
        ({"seed": None}, "seed is None"),
        ({"seed": 1.0}, "seed is 1.0, allowed: a whole number of at least 0"),
        ({"joint": "yes"}, "joint is 'yes'"),
        ({"joint": None}, "joint is None"),
        ({"targets": 12}, "targets is 12"),
        ({"targets": ("deaths",)}, "unknown target"),
        ({"horizons": "6"}, "horizons has '6'"),
        ({"horizons": [0]}, "horizons has 0, allowed: whole numbers of months from 1 to 12"),
        ({"horizons": [3, 13]}, "horizons has 13"),
        ({"horizons": [2.5]}, "horizons has 2.5"),
        ({"horizons": []}, "horizons is empty"),
        ({"origins": 5}, "origins has a int, which is not an Origin"),
        ({"origins": [5]}, "origins has a int"),
        ({"truth": "reported"}, "truth is a str, not a Truth"),
        ({"start": "2022-01"}, "lies after end"),
        ({"end": "2030-01"}, "outside the panel"),
        ({"models": []}, "nothing to do"),
        ({"models": ["naive", "naive"]}, "two models labelled naive"),
    ],
)
def test_an_argument_of_the_wrong_kind_is_refused(settings, said):
    with pytest.raises(BacktestError, match=said):
        run(**settings)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda p: p, "models has a function, .*@od.forecaster"),
        (Baseline, "models has a class Baseline.*od.register"),
        (Baseline("hub-baseline"), "models has a Baseline.*od.register"),
        (5, "models has a int.*od.models"),
        (None, "models has a NoneType"),
    ],
)
def test_what_is_no_model_is_refused_with_how_to_make_one(model, said):
    with pytest.raises(BacktestError, match=said):
        run([model])
    if model is not None:
        with pytest.raises(BacktestError, match=said):
            run(model)


def test_a_truth_is_made_of_a_panel_and_a_whole_number_of_months():
    panel = od.bundled().as_of().panel()
    for age in ("12", 12.5, True, [12]):
        with pytest.raises(ScoringError, match="min_age is"):
            od.Truth(panel, min_age=age)
    with pytest.raises(ScoringError, match="min_age is -1"):
        od.Truth(panel, min_age=-1)
    for thing in ("x", None, od.bundled()):
        with pytest.raises(ScoringError, match="no Panel"):
            od.Truth(thing)
    with pytest.raises(ScoringError, match="unknown truth"):
        od.Truth(panel, kind=["reported"])
    assert od.Truth(panel, min_age=np.int64(6)).data_hash == od.Truth(panel, min_age=6).data_hash


# --- models that fail everywhere ---------------------------------------------------------


def not_a_number(panel, horizon, draws, rng):
    return np.full((draws, 1, horizon), np.nan)


def raises(panel, horizon, draws, rng):
    raise ValueError("nothing comes to mind")


def shapeless(panel, horizon, draws, rng):
    return np.ones(3)


FAILING = [od.forecaster()(f) for f in (not_a_number, raises, shapeless)]
NAMES = ["not_a_number", "raises", "shapeless"]


@pytest.fixture(scope="module")
def some_failed():
    return run([*FAILING, "hub-baseline", "naive"])


def test_a_model_that_fails_everywhere_has_a_row_in_every_group(some_failed, tmp_path):
    board = some_failed.leaderboard()
    assert set(some_failed.scores["model"]) == {"hub-baseline", "naive"}
    groups = board.groupby(["level", "horizon_group"], sort=False, observed=True)
    assert len(groups) >= 4
    for _, rows in groups:
        assert sorted(rows["model"][:2]) == ["hub-baseline", "naive"]
        assert rows["model"].tolist()[2:] == NAMES
    lost = board[board["model"].isin(NAMES)]
    counts = [c for c in board if c.startswith("n_")]
    assert (lost[counts] == 0).all(axis=None)
    assert lost["n_scorable"].dtype == int
    assert lost[["wis", "rel_wis", "mae", "coverage_90"]].isna().all(axis=None)
    assert groups.ngroup().is_monotonic_increasing
    some_failed.save(tmp_path / "saved")
    assert Results.load(tmp_path / "saved").leaderboard().equals(board)


@pytest.mark.parametrize(
    ("by", "baseline"),
    [
        ([], None),
        ("model", "naive"),
        ("location", BASELINE),
        (["vintage", "target", "horizon"], None),
    ],
)
def test_it_has_its_rows_however_the_table_is_split(some_failed, by, baseline):
    board = some_failed.leaderboard(by=by, baseline=baseline)
    groups = [k for k in ([by] if isinstance(by, str) else by) if k != "model"]
    assert not board.duplicated([*groups, "model"]).any()
    heads = len(board[groups].drop_duplicates()) if groups else 1
    assert len(board) == 5 * heads


def test_a_run_with_progress_names_them_in_one_line(capsys):
    run([*FAILING[1:], "naive"], progress=True)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: no forecast at all of raises, shapeless: ")
    assert "nothing comes to mind" in line
    told = []
    run([FAILING[1], "naive"], progress=told.append)
    run([FAILING[1], "naive"], progress=False)
    run(["naive"], progress=True)
    assert capsys.readouterr().err == ""
    assert any(step.failure for step in told)


# --- a folder of another task -------------------------------------------------------------


@pytest.fixture
def quick():
    return Task.load("quick")


def _said(folder, task):
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps({} if task is None else {"task": task}))
    return (folder / "manifest.json").read_bytes()


@pytest.mark.parametrize(
    "held", [None, {"name": "quick", "fingerprint": "0" * 64}, {"name": "other"}]
)
def test_a_task_is_not_answered_over_other_results(tmp_path, quick, held):
    before = _said(tmp_path, held)
    with pytest.raises(BacktestError, match=r"holds the results of .* run of task quick") as caught:
        od.backtest(["naive"], task=quick, out=tmp_path, progress=False)
    assert "another folder" in str(caught.value)
    assert (tmp_path / "manifest.json").read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"manifest.json"}


# Models that are given, registered or decorated wrongly: one clear line each, up front


def flat(panel, horizon, draws, rng):
    mean = panel.reported[:, -1:] / 12
    return rng.poisson(np.repeat(mean, horizon, axis=1), (draws, len(panel.locations), horizon))


def nothing_to_count(p):
    return p


@pytest.fixture(scope="module")
def panel():
    return od.bundled().as_of("2025-09-17").panel().select(["Ohio", "Wyoming"])


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTERED", {})


@pytest.mark.parametrize("name", ["dlm", "hub-baseline", "county", "auto-ets-sums"])
def test_a_built_in_name_cannot_be_registered(name, registered):
    before = od.get_model(name).spec.hash
    with pytest.raises(UnknownNameError, match=f"'{name}', and odforecast has a model of that"):
        od.register(name, od.forecaster()(flat))
    assert od.get_model(name).spec.hash == before


@pytest.mark.parametrize("name", ["../x", "q+delay", "a b", "a/b", ".a", "-a", "å", "a\n", "", 3])
def test_what_is_no_name_cannot_be_registered(name, registered):
    with pytest.raises(UnknownNameError, match="name is"):
        od.register(name, od.forecaster()(flat))
    assert registry._REGISTERED == {}


def test_ones_own_name_can_be_registered_again_and_completed(registered):
    for _ in range(2):
        od.register("My_model-2.0", od.forecaster(label="mine")(flat))
    assert od.get_model("My_model-2.0").label == "My_model-2.0"
    assert od.get_model("My_model-2.0+delay").label == "My_model-2.0+delay"


@pytest.mark.parametrize("label", [3, "", "a/b", b"naive", ["naive"]])
def test_a_label_is_a_text_that_is_a_label(label):
    with pytest.raises(UnknownNameError, match="which is not a valid label"):
        od.get_model("naive", label=label)
    with pytest.raises(UnknownNameError, match="which is not a valid label"):
        od.forecaster(label=label)(flat)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"joint": None}, "joint is None, allowed"),
        ({"joint": 3}, "joint is 3, allowed"),
        ({"joint": ("month", 3)}, "joint is .*, allowed"),
        ({"joint": ("months",)}, "unknown axis 'months'"),
        ({"joint": "months"}, "unknown axis 'months'"),
        ({"joint": ()}, r"joint is \(\) and the paths are of months"),
        ({"joint": "location"}, "and the paths are of months"),
        ({"min_months": "36"}, "min_months is '36'"),
        ({"min_months": True}, "min_months is True"),
        ({"min_months": 0}, "min_months is 0"),
        ({"by": flat}, "with parentheses"),
    ],
)
def test_settings_of_a_decorated_function(settings, said):
    with pytest.raises(ForecastError, match=said):
        od.forecaster(**settings)(flat)


def test_a_function_must_take_the_four_arguments():
    with pytest.raises(ForecastError, match=r"nothing_to_count\(p\) .*\(panel, horizon, draws, r"):
        od.forecaster()(nothing_to_count)
    with pytest.raises(ForecastError, match=r"def f\(panel, horizon, draws, rng\)"):

        @od.forecaster()
        def f(panel, horizon, draws, rng, more):
            return None

    def more(panel, horizon, draws, rng, scale=1.0):
        return flat(panel, horizon, draws, rng)

    def any_number(*given):
        return flat(*given)

    assert od.forecaster()(more).label == "more"
    assert od.forecaster()(any_number).label == "any_number"


@pytest.mark.parametrize("thing", [5, functools.partial(flat), "flat", None])
def test_what_is_no_function_is_not_decorated(thing):
    with pytest.raises(ForecastError, match="write one with def"):
        od.forecaster()(thing)
