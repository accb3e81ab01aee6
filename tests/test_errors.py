"""One family of errors, and wrong calls: each says what was given and what to do."""

import functools
import json
import pickle
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import toys
from hypothesis import given
from hypothesis import strategies as st

import odforecast as od
from odforecast import errors, scenario, scoring
from odforecast.backtesting.results import BASELINE, Results
from odforecast.errors import OdforecastError, near, one_of
from odforecast.evidence.validate import Setting, run_checks
from odforecast.io import replacing
from odforecast.models import registry
from odforecast.models.baselines import Baseline, persistence

FAMILY = [getattr(errors, name) for name in dir(errors) if name.endswith("Error")]


def test_message_then_hint_and_the_builtin_one_would_expect(subtests):
    special = {errors.UnknownNameError: LookupError, errors.DownloadError: ConnectionError,
               errors.ShapeError: ConnectionError}  # fmt: skip
    for error in FAMILY:
        with subtests.test(error=error):
            raised = error("row 3 has no month", hint="add one")
            assert str(raised) == "row 3 has no month; add one"
            assert (raised.message, raised.hint) == ("row 3 has no month", "add one")
            assert str(error("row 3 has no month")) == "row 3 has no month"
            assert error is OdforecastError or issubclass(error, special.get(error, ValueError))


@pytest.mark.slow
@given(st.sampled_from(FAMILY), st.text(), st.none() | st.text())
def test_pickling_keeps_class_message_and_hint(error, message, hint):
    # A parallel backtest carries its workers' errors home.
    back = pickle.loads(pickle.dumps(error(message, hint=hint)))
    assert type(back) is error
    assert (back.message, back.hint, str(back)) == (message, hint, str(error(message, hint=hint)))


KNOWN = ["dlm", "ensemble", "auto-ets", "hub-baseline"]


@given(st.sampled_from(KNOWN), st.data())
def test_one_wrong_letter_is_seen_through(name, data):
    at = data.draw(st.integers(0, len(name) - 1))
    wrong = name[:at] + data.draw(st.sampled_from("xq")) + name[at + 1 :]
    assert near(wrong, KNOWN) == near(wrong.upper(), KNOWN) == (name,)
    assert one_of(wrong, KNOWN).startswith(f"did you mean {name!r}? one of: dlm")


@given(st.text() | st.integers() | st.none() | st.binary())
def test_whatever_is_given_is_no_failure_of_its_own(value):
    assert len(near(value, ["real", "pseudo-clean"])) <= 1
    assert one_of(value, ["real"]).endswith("one of: real")
    assert one_of(value, []) == "there is none"


@pytest.fixture(scope="module")
def made():
    m = SimpleNamespace(archive=od.bundled(), vintage=od.bundled().as_of())
    m.panel = m.vintage.panel()
    m.fitted, m.truth = od.get_model("drift").fit(m.panel), od.Truth(m.panel)
    m.forecast = m.fitted.forecast(horizon=24, draws=20)
    m.projection = od.project(m.forecast, scenario.named("supply-shock-2023-like"))
    m.results = run(["naive", "hub-baseline"], end="2021-01", origins="pseudo-delayed")
    return m


def run(models="naive", **more):
    few = {"origins": "pseudo-clean", "start": "2021-01", "end": "2021-02", "draws": 20,
           "locations": ["US", "Ohio"], "progress": False, "archive": od.bundled()}  # fmt: skip
    return od.backtest(models, **(few | more))


def frame(**columns):
    whole = {"location": ["OH"], "month": ["2024-01"], "reported": [5.0], **columns}
    return pd.DataFrame({k: v for k, v in whole.items() if v is not None})


def checks(*names):
    return next(run_checks(Setting(od.bundled(), "2025-09-17", od.get_model("naive")), names))


def flat(panel, horizon, draws, rng):
    mean = panel.reported[:, -1:] / 12
    return rng.poisson(np.repeat(mean, horizon, axis=1), (draws, len(panel.locations), horizon))


def nothing_to_count(p):
    return p


def one_more(panel, horizon, draws, rng, more):
    return flat(panel, horizon, draws, rng)


SEEDED = {
    "a forecast": lambda m, s: m.fitted.forecast(seed=s),
    "a projection": lambda m, s: od.project(m.forecast, scenario.NULL, seed=s),
    "the past": lambda m, s: scenario.past("class-scheduled", m.archive, seed=s),
    "an update": lambda _, s: od.update("/nowhere", seed=s),
}
LEVELS = {
    "a table": lambda m, v: m.forecast.to_frame([v]),
    "years": lambda m, v: m.forecast.years("US", v),
    "a hub table": lambda m, v: od.to_hub(m.forecast, [v]),
    "deaths averted": lambda m, v: m.projection.averted([v]),
    "a prior": lambda _, v: scenario.Normal(0, 1).interval(v),
}
NO_FORECAST = r"forecast is a Panel, no Forecast; .*fit\(panel\)"
OHIO = "'Ohoi'; did you mean Ohio"
#: Calls of each class of error, and what the message says: what was given, and what may be meant.
CALLS = {
    errors.UnknownNameError: [
        (lambda _: od.get_model("dml"), "'dml'; did you mean 'dlm'?"),
        (lambda _: od.get_model("auto-est+delay"), "'auto-est'; did you mean 'auto-ets'?"),
        (lambda _: od.get_model("naive+dely"), "'dely'; did you mean 'delay'?"),
        (lambda _: od.get_model(5), r"name is 5.*od.models\(\)"),
        (lambda _: od.get_model("dlm", dealy=False), "'dealy'; did you mean 'delay'?.*dated"),
        (lambda _: od.get_model("naive", k=1), "naive has no parameter 'k'.*nothing to set"),
        (lambda _: od.register("mine", 5), "factory is 5.*@od.forecaster"),
        (lambda _: od.get_model("ensemble", members=["naive", "drft"]), "'drft'.*mean 'drift'?"),
        (lambda m: m.vintage.revisions("US", "heroine"), "'heroine'; did you mean 'heroin'?"),
        (lambda m: m.vintage.revisions().triangle("US", "reportd"), "'reportd'.*'reported'?"),
        (lambda _: od.Panel.from_frame(frame(location=["Ohoi"]), "2024-06-01"), OHIO),
        (lambda _: run(locations="Ohoi"), OHIO),
        (lambda m: m.fitted.plot("Ohoi"), OHIO),
        (lambda m: m.truth.select([]), "locations is empty"),
        (lambda _: run("naiv"), "'naiv'; did you mean 'naive'?"),
        (lambda m: scenario.past("class-schedule", m.archive), "mean 'class-scheduled'?"),
        (lambda _: scenario.cite("degenhardt-2005"), "'degenhardt-2005'.*'degenhardt-2006'"),
        (lambda m: m.projection.forecast("supply-shock"), "'supply-shock'.*'supply-shock-2023-l"),
        (lambda m: m.projection.plot(kind="overlai"), "kind is 'overlai'.*mean 'overlay'?"),
        *((lambda _, n=n: od.register(n, od.forecaster()(flat)), f"'{n}', and odforecast has a mod")
          for n in ("dlm", "hub-baseline", "county", "auto-ets-sums")),
        *((lambda _, n=n: od.register(n, od.forecaster()(flat)), "name is")
          for n in ("../x", "q+delay", "a b", "a/b", ".a", "-a", "å", "a\n", "", 3)),
        *((lambda _, n=n: od.get_model("naive", label=n), "which is not a valid label; a text of")
          for n in (3, "", "a/b", b"naive", ["naive"])),
        *((lambda _, n=n: od.forecaster(label=n)(flat), "which is not a valid label")
          for n in (3, "", "a/b", b"naive", ["naive"])),
    ],
    errors.DataError: [
        (lambda m: m.archive.as_of("July"), "'July' is not a day"),
        (lambda m: od.write_hub(m.forecast), r"path is missing; od.write_hub\("),
    ],
    errors.ArchiveError: [
        (lambda m: m.archive.as_of("2001-01-01"), "on 2001-01-01.* is 2025-09-17"),
        (lambda m: m.archive.release("2024-01-10"), "2024-01-10; the nearest is 2025-09-17"),
        (lambda m: m.vintage.panel(dataset="state"), "'state'; did you mean 'states'?"),
    ],
    errors.PanelError: [
        (lambda m: m.vintage.panel("cocane"), "'cocane'; did you mean 'cocaine'?"),
        (lambda m: m.vintage.panel("fentanyl"), "'fentanyl'; .* mean 'T40.4'? it has: .*Number"),
        (lambda m: m.vintage.panel("T40.5"), "'T40.5'; did you mean 'cocaine'?"),
        (lambda m: m.panel.cut("2030-13"), "'2030-13' is not a date; write it as 2024-07"),
        (lambda _: od.Panel.from_frame(frame(reported=None), "2024-06-01"), "has no reported"),
        (lambda _: od.Panel.from_frame(frame(), "June"), "as_of: 'June'"),
    ],
    errors.ForecastError: [
        (lambda m: m.fitted.forecast(0), "horizon is 0, .* at least 1"),
        (lambda m: m.fitted.forecast(draws=2.5), "draws is 2.5, .*a whole number"),
        (lambda m: m.fitted.forecast(until="2020-01"), "until 2020-01 .* 2025-08"),
        (lambda m: m.fitted.forecast(3, until="2026-01"), "horizon or until, not both"),
        (lambda m: m.fitted.forecast(seed=None), "seed is None"),
        (lambda m: m.forecast.probability_below(float("nan")), "value is NaN; give a number"),
        (lambda m: m.projection.probability_fewer_than(float("nan")), "value is NaN; give a num"),
        (lambda m: od.to_hub(m.panel), NO_FORECAST),
        (lambda _: od.get_model("dlm", delay="no"), "delay of dlm is 'no', allowed: True or F"),
        (lambda _: od.get_model("hierarchical", draws=0.5), "draws of .* is 0.5, allowed: a whole"),
        (lambda _: od.get_model("hierarchical", every=0), "every of hierarchical is 0, allowed: a"),
        (lambda _: od.get_model("county", step=-1), "step of county is -1, allowed: a number ab"),
        (lambda _: od.get_model("county", paths=3).spec, "paths is 3, allowed: the name of a mod"),
        (lambda m: m.forecast.first(-1), "draws is -1"),
        (lambda m: od.hub.write(m.panel, "a.csv"), NO_FORECAST),
        (lambda _: od.forecaster(by="stat"), "by is 'stat'.*did you mean 'state'?"),
        (lambda _: od.forecaster(target="deaths"), "target is 'deaths'.*deaths_12mo"),
        (lambda _: od.forecaster(by=flat)(flat), "with parentheses"),
        *((lambda _, v=v: od.forecaster(joint=v)(flat), words) for v, words in (
            (("moth",), "axis 'moth'; did you mean 'month'?"), (None, "joint is None, allowed"),
            (3, "joint is 3, allowed"), (("month", 3), "joint is .*, allowed"),
            (("months",), "unknown axis 'months'"), ("months", "unknown axis 'months'"),
            ((), r"joint is \(\) and the paths are of months"),
            ("location", "and the paths are of months"),
        )),
        *((lambda _, v=v: od.forecaster(min_months=v)(flat), f"min_months is {v!r}")
          for v in ("36", True, 0)),
        (lambda _: od.forecaster()(nothing_to_count),
         r"nothing_to_count\(p\) .*\(panel, horizon, draws, r"),
        (lambda _: od.forecaster()(one_more), r"def one_more\(panel, horizon, draws, rng\)"),
        *((lambda _, v=v: od.forecaster()(v), "write one with def")
          for v in (5, functools.partial(flat), "flat", None)),
    ],
    errors.ScoringError: [
        (lambda m: od.score(m.forecast, m.panel), r"truth is a Panel.*od.Truth\(panel\)"),
        (lambda m: od.Truth(m.panel, "predictd"), "kind is 'predictd'.*mean 'predicted'?"),
        (lambda m: od.Truth(m.panel, kind=["reported"]), "unknown truth"),
        *((lambda m, v=v: od.Truth(m.panel, min_age=v), "min_age is")
          for v in ("12", 12.5, True, [12], -1)),
        *((lambda _, v=v: od.Truth(v), "no Panel") for v in ("x", None, od)),
        (lambda m: m.truth.observed(["US"], m.panel.months, "deaths"), "target is 'deaths'"),
        (lambda m: m.results.leaderboard(by=["horizon_grop"]), "'horizon_grop'.*'horizon_group'?"),
        (lambda m: scoring.relative_skill(m.results.scores, metric="wiss"), "'wiss'.*mean 'wis'?"),
    ],
    errors.BacktestError: [
        (lambda m: od.origins(m.archive, kind="reel"), "'reel'; did you mean 'real'?"),
        (lambda m: od.origins(m.archive, "pseudo-clean", step=0), "step .*, got 0"),
        (lambda _: run(origins="pseudo-delaid"), "'pseudo-delaid'.*mean 'pseudo-delayed'?"),
        (lambda _: run(targets=["deaths_12m"]), "'deaths_12m'; did you mean 'deaths_12mo'?"),
        (lambda m: m.results.leaderboard(baseline="naiv"), "baseline is 'naiv'.*mean 'naive'?"),
        (lambda m: m.results.plot(kind="pitt"), "kind is 'pitt'.*mean 'pit'?"),
    ],
    errors.ScenarioError: [
        (lambda _: scenario.named("cooperation-resumd"), "'cooperation-resumd'.*'cooperation-resu"),
        (lambda _: scenario.named("tariff-only", half_lif=1.0), "'half_lif'.*mean 'half_life'?"),
        (lambda _: checks("hindcst"), "'hindcst'.*allowed: null, calibration"),
        (lambda _: checks("placebo-tim"), "'placebo-tim'.*mean 'placebo-time'?"),
    ],
    OdforecastError: [
        *((lambda m, f=f, s=s: f(m, s), f"seed is {s!r},.* number of at least 0")
          for f in SEEDED.values() for s in (1.0, True, "1", -1, float("nan"))),
        *((lambda m, f=f, v=v: f(m, v), f"level is {v!r},.*above 0 and below 1")
          for f in LEVELS.values() for v in (float("nan"), 5.0, 0.0)),
    ],
}  # fmt: skip


def test_a_wrong_call_says_what_was_given_and_what_to_do(made, monkeypatch, subtests):
    monkeypatch.setattr(registry, "_REGISTERED", {})
    for error, calls in CALLS.items():
        for call, words in calls:
            with subtests.test(words=words):
                with pytest.raises(error, match=words.replace("?", r"\?")) as caught:
                    call(made)
                message = str(caught.value)
                assert "Traceback" not in message
                assert not re.search(r" at 0x[0-9a-f]+", message)
                assert registry._REGISTERED == {}


WRONG_BACKTESTS = [
    *(({"draws": x}, f"draws is {x!r}, allowed: a whole num.* 2") for x in ("20", True, 1)),
    ({"horizon": 0}, "horizon is 0"),
    *(({"step": step}, f"step is {step!r}") for step in ("4", 0)),
    ({"donors": "9"}, "donors is '9'"),
    ({"locations": 39}, "locations is 39"),
    *(({"seed": seed}, f"seed is {seed}, allowed: a whole num") for seed in (-1, None, 1.0)),
    ({"targets": 12}, "targets is 12"),
    ({"targets": ("deaths",)}, "unknown target"),
    ({"horizons": "6"}, "horizons has '6'"),
    ({"horizons": [0]}, "horizons has 0, allowed: whole numbers of months from 1 to 12"),
    *(({"horizons": [3, x]}, f"horizons has {x}") for x in (13, 2.5)),
    ({"horizons": []}, "horizons is empty"),
    ({"origins": 5}, "origins has a int, which is not an Origin"),
    ({"truth": "reported"}, "truth is a str, not a Truth"),
    ({"start": "2022-01"}, "lies after end"),
    ({"end": "2030-01"}, "outside the panel"),
    ({"models": []}, "nothing to do"),
    ({"models": ["naive", "naive"]}, "two models labelled naive"),
    *(({"models": models}, said)
      for model, said in (
          (flat, "models has a function, .*@od.forecaster"),
          (Baseline, "models has a class Baseline.*od.register"),
          (Baseline("hub-baseline", persistence), "models has a Baseline.*od.register"),
          (5, "models has a int.*od.models"),
          (None, "models has a NoneType"),
      )
      for models in ([model], model)[: 1 + (model is not None)]),
]  # fmt: skip


def test_a_backtest_that_is_asked_for_wrongly(subtests):
    for settings, message in WRONG_BACKTESTS:
        refused = pytest.raises(errors.BacktestError, match=message)
        with subtests.test(settings=settings), refused:
            run(**settings)


def test_what_is_right_although_it_looks_odd(made, monkeypatch):
    monkeypatch.setattr(registry, "_REGISTERED", {})
    ages = [od.Truth(made.panel, min_age=age).data_hash for age in (np.int64(6), 6)]
    assert ages[0] == ages[1]
    for _ in range(2):
        od.register("My_model-2.0", od.forecaster(label="mine")(flat))
    assert od.get_model("My_model-2.0").label == "My_model-2.0"
    assert od.get_model("My_model-2.0+delay").label == "My_model-2.0+delay"

    def more(panel, horizon, draws, rng, scale=1.0):
        return flat(panel, horizon, draws, rng)

    def any_number(*given):
        return flat(*given)

    assert od.forecaster()(more).label == "more"
    assert od.forecaster()(any_number).label == "any_number"


def test_a_file_that_cannot_be_written_is_called_by_its_own_name():
    with pytest.raises(OSError, match=r"/proc/a\.txt") as caught, replacing("/proc/a.txt") as part:
        part.write_text("a")
    assert caught.value.filename == "/proc/a.txt"


@pytest.mark.parametrize(
    "held", [{}, {"task": {"name": "quick", "fingerprint": "0" * 64}}, {"task": {"name": "other"}}]
)
def test_a_task_is_not_answered_over_other_results(tmp_path, held):
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(held))
    with pytest.raises(errors.BacktestError, match=r"holds the .* run of task quick.*another fol"):
        od.backtest(["naive"], task="quick", out=tmp_path, progress=False)
    assert json.loads(file.read_text()) == held
    assert list(tmp_path.iterdir()) == [file]


#: Models that fail everywhere.
NAMES = ["exits", "not_a_number", "returns_none"]
FAILING = [toys.model(name, name) for name in NAMES]


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


SPLITS = [([], None), ("model", "naive"), ("location", BASELINE), (["vintage", "horizon"], None)]


@pytest.mark.parametrize(("by", "baseline"), SPLITS)
def test_it_has_its_rows_however_the_table_is_split(some_failed, by, baseline):
    board = some_failed.leaderboard(by=by, baseline=baseline)
    groups = [k for k in ([by] if isinstance(by, str) else by) if k != "model"]
    assert not board.duplicated([*groups, "model"]).any()
    heads = len(board[groups].drop_duplicates()) if groups else 1
    assert len(board) == 5 * heads


def test_a_run_with_progress_names_them_in_one_line(capsys):
    run([*FAILING[::2], "naive"], progress=True)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: no forecast at all of exits, returns_none: ")
    assert "SystemExit: enough" in line
    told = []
    run([FAILING[0], "naive"], progress=told.append)
    run([FAILING[0], "naive"], progress=False)
    run(["naive"], progress=True)
    assert capsys.readouterr().err == ""
    assert any(step.failure for step in told)
