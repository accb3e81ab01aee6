"""Somebody else's model may do anything: its units end as scores or as one row with the reason."""

import datetime as dt
import os
import random
import warnings
from dataclasses import replace

import numpy as np
import pytest
import toys
from commands import run
from made_up_counties import made_up
from panel_factory import cut_panel
from toys import same_rows as same

from odforecast.backtesting import Results, backtest, plan, run_unit, run_units
from odforecast.backtesting.unit import SCREEN, contained, on_screen
from odforecast.errors import BacktestError
from odforecast.models import Model
from odforecast.models.baselines import _FITTERS, _fitted
from odforecast.models.registry import _REGISTERED
from odforecast.panel import Triangle

STATES = ("US", "OH", "WV")
SPAN = ("2021-02", "2021-03", 1)
OPTIONS = {"draws": 20, "progress": False}
#: These give scores all the same.
WORKS = (toys.warns, toys.seeds_the_world, toys.prints)


@pytest.fixture(scope="module")
def good(truth, found):
    return backtest([toys.model(name="good")], found, truth=truth, **OPTIONS)


def crowd() -> list[Model]:
    bad = [toys.model(name, name) for name in toys.FAILS]
    odd = [toys.model(odd, odd.__name__) for odd in WORKS]
    return [toys.model(name="good"), *bad, *odd, toys.model(name="last")]


def check(results: Results, good: Results, found, twice: str = "") -> None:
    scores, failures = results.scores, results.failures
    assert set(scores["model"]) == {"good", "last", *(o.__name__ for o in WORKS)}
    assert failures["model"].value_counts().to_dict() == dict.fromkeys(toys.FAILS, len(found))
    assert set(failures["location"]) == {"*"}
    for row in failures.itertuples():
        assert toys.FAILS[row.model][1] in row.reason, row.model
    memory = failures.loc[failures["model"] == "out_of_memory", "reason"]
    assert memory.str.endswith(f"posterior{twice}").all()
    same(scores[scores["model"] == "good"], good.scores)
    # The PIT of counts is randomised, from a seed of the model's own.
    own = ["model", "spec_hash", "pit"]
    for name in ("last", "prints", "warns"):
        same(scores[scores["model"] == name].drop(columns=own), good.scores.drop(columns=own))
    said = results.manifest["warnings"]
    assert set(said) == {"warns"}
    assert len(said["warns"]) <= 12
    words = ("RuntimeWarning: once more (×10000)", "UserWarning: number 0", "and 46 other warnings")
    assert {f"{word} ({len(found)} units)" for word in words} <= set(said["warns"])


@pytest.mark.slow
def test_in_this_process(truth, found, good, tmp_path, capfd):
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    before = np.random.get_state()[1].copy(), random.getstate(), np.geterr()  # noqa: NPY002
    results = backtest(crowd(), found, truth=truth, out=tmp_path, **OPTIONS)
    check(results, good, found)
    assert (np.random.get_state()[1] == before[0]).all()  # noqa: NPY002
    assert (random.getstate(), np.geterr()) == before[1:]
    assert capfd.readouterr() == ("", "")
    # Whatever the reasons are, they can be kept, whole.
    again = Results.load(tmp_path).failures
    same(again, results.failures)
    assert again["reason"].str.len().max() > 1000


MEMORY = np._core._exceptions._ArrayMemoryError((10**6,), np.dtype(float))  # as numpy raises it


@pytest.mark.parametrize("error", [Exception(), MEMORY])
def test_a_series_without_memory_is_fitted_again(truth, found, tmp_path, monkeypatch, error):
    stored = error is not MEMORY
    reason = "drift could not be fitted: Exception" if stored else "MemoryError: "
    _fitted.cache_clear()
    fits = [lambda _: toys.raising(error), *[_FITTERS["drift"]] * 9]
    monkeypatch.setitem(_FITTERS, "drift", lambda y: fits.pop(0)(y))
    units = plan(["naive", "drift"], found[:1], truth, draws=20)
    first = run_units(units, out=tmp_path)
    assert first.failures["reason"].str.startswith(reason).tolist() == [True]
    steps = []
    second = run_units(units, out=tmp_path, progress=steps.append)
    assert [s.reused for s in steps].count(True) == 1 + stored
    assert len(second.failures) == stored


@pytest.mark.slow
def test_in_processes(truth, found, pool, capfd):
    one = found[1:]
    good = backtest([toys.model(name="good")], one, truth=truth, **OPTIONS)
    with pytest.warns(UserWarning, match="1 unit .* was run again, alone"):
        results = backtest(crowd(), one, truth=truth, executor=pool, **OPTIONS)
    check(results, good, one, twice=", twice")
    alone = backtest(crowd(), one, truth=truth, **OPTIONS)
    same(results.scores, alone.scores)
    assert capfd.readouterr() == ("", "")


def parts(panel):
    return [panel, *panel.beside.values(), panel.triangle]


def put(thing, name, value):
    object.__setattr__(thing, name, value)


def turn(panel):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        panel.reported.shape = panel.reported.shape[::-1]


CHANGES = {
    "counts": lambda p: put(p, "reported", 2 * p.reported),
    "places beside": lambda p: [put(x, "locations", x.locations[::-1]) for x in p.beside.values()],
    "months": lambda p: vars(p).update(_recovered=(p.monthly * 2, {})),
    "a method": lambda p: vars(p).update(populations=lambda: 0.0),
    "months beside": lambda p: [toys.force(x.monthly) for x in p.beside.values()],
    "the triangle": lambda p: put(p.triangle, "reported", 2 * p.triangle.reported),
    "problems": lambda p: p._recovered[1].update(US="not liked"),
    "the shape": turn,
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_is_changed_in_a_panel_is_noticed_and_put_back(panel, truth, found, what):
    def odd(seen, paths):
        CHANGES[what](seen)
        return paths

    beside = replace(found[0].panel, beside={}, triangle=None)
    triangle = Triangle((dt.date(2021, 1, 1),), beside.reported[None])
    seen = replace(beside, beside={"all-deaths": beside}, triangle=triangle)
    expected = (replace(seen).data_hash, seen.usable(), seen.reported.shape)
    before_months = seen.monthly.copy()
    origin = replace(found[0], panel=seen)
    (unit,) = plan([toys.model(odd, by=None)], [origin], truth, draws=20)
    assert unit.seen is seen
    before = [dict(vars(p)) for p in parts(seen)]
    outcome = run_unit(unit)
    assert outcome.scores.empty
    assert outcome.failures["reason"].tolist() == ["BacktestError: the model changed its panel"]
    for part, attributes in zip(parts(seen), before):
        assert all(vars(part)[name] is value for name, value in attributes.items())
    fresh = replace(seen)
    assert (fresh.data_hash, fresh.usable(), fresh.reported.shape) == expected
    assert seen.usable() == expected[1]
    for months in (seen.monthly, seen.beside["all-deaths"].monthly):
        np.testing.assert_array_equal(months, before_months)
        assert not months.flags.writeable


def test_a_place_left_out_in_silence_is_named(truth, found):
    silent = toys.model(toys.leaves_one_out, "silent", by=None)
    results = backtest([silent], found, truth=truth, **OPTIONS)
    assert results.failures["location"].tolist() == ["US", "US"]
    assert set(results.failures["reason"]) == {"silent left it out and does not say why"}


def test_ctrl_c_and_the_working_folder_are_the_users(truth, found, tmp_path, monkeypatch):
    def interrupted(panel, paths):
        raise KeyboardInterrupt

    def moves(panel, paths):
        os.chdir("/")
        return paths

    with pytest.raises(KeyboardInterrupt):
        backtest([toys.model(interrupted)], found, truth=truth, **OPTIONS)
    monkeypatch.chdir(tmp_path)
    backtest([toys.model(moves)], found, truth=truth, out="here", **OPTIONS)
    assert (tmp_path / "here" / "scores.parquet").exists()


@pytest.mark.slow
def test_a_model_that_cannot_be_sent(truth, found, pool, good):
    models = [toys.model(name="good"), toys.model(lambda _, paths: paths, "local")]
    results = backtest(models, found, truth=truth, executor=pool, **OPTIONS)
    same(results.scores, good.scores)
    assert results.failures["reason"].str.startswith("could not be run in another process").all()


def test_markup_in_a_reason_is_shown_as_it_is_and_kept_whole(monkeypatch, tmp_path):
    monkeypatch.setitem(_REGISTERED, "mark", lambda: toys.model("raises_markup"))
    monkeypatch.setitem(_REGISTERED, "m[red]k", toys.model)
    arguments = ["backtest", "--vintages", "clean", "--start", "2021-01", "--end", "2021-01",
                 "--locations", "US", "--draws", "20", "--jobs", "1", "--models"]  # fmt: skip
    result = run(*arguments, "mark,m[red]k", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "1 × ValueError: [red]stop[/red] :skull: [31m very" in result.stdout
    assert "ValueError: [red]stop[/red] :skull: [31m very" in result.stderr
    assert "m[red]k " in result.stdout
    assert "\x1b" not in result.output
    assert "long" not in result.output.replace("longer", "")
    assert Results.load(tmp_path).failures["reason"].iloc[0].endswith("very long")
    failed = run(*arguments, "mark")
    assert failed.exit_code == 1
    assert "[red]stop[/red]" in failed.output
    assert "every unit failed; most often: ValueError: [red]stop" in failed.output
    assert len(failed.output.splitlines()[-1]) < 2 * SCREEN
    assert on_screen("a\n b\tc\x1b[31m") == "a b c [31m"
    assert len(on_screen("x" * 1000)) == SCREEN


def test_what_stands_beside_the_states_of_counties_is_put_back_too():
    inner = cut_panel()
    states = replace(cut_panel(), beside={"all-deaths": inner})
    panel = replace(made_up(("DE",)), beside={"states": states})
    before = inner.reported.copy()
    with pytest.raises(BacktestError, match="changed its panel"), contained([panel], 1):
        toys.force(inner.reported, 1.0)
    np.testing.assert_array_equal(inner.reported, before)
    assert not inner.reported.flags.writeable
