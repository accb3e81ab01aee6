"""One family of errors: fact, hint, and the builtin one would expect."""

from __future__ import annotations

import inspect
import pickle
import re
from collections.abc import Callable
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import odforecast as od
from odforecast import errors
from odforecast.errors import OdforecastError, near, one_of

FAMILY = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, OdforecastError)
]


@pytest.mark.parametrize("error", FAMILY)
def test_message_then_hint(error: type[OdforecastError]) -> None:
    raised = error("row 3 has no month", hint="add one")
    assert str(raised) == "row 3 has no month; add one"
    assert (raised.message, raised.hint) == ("row 3 has no month", "add one")
    assert str(error("row 3 has no month")) == "row 3 has no month"


@pytest.mark.parametrize("error", [e for e in FAMILY if e is not OdforecastError])
def test_each_is_also_the_builtin_one_would_expect(error: type[OdforecastError]) -> None:
    special = {errors.UnknownNameError: LookupError, errors.DownloadError: ConnectionError}
    expected = special.get(error, ValueError)
    assert issubclass(error, expected)
    with pytest.raises(OdforecastError):
        raise error("wrong")


@pytest.mark.slow
@given(st.sampled_from(FAMILY), st.text(), st.none() | st.text())
def test_pickling_keeps_class_message_and_hint(
    error: type[OdforecastError], message: str, hint: str | None
) -> None:
    # A parallel backtest carries its workers' errors home.
    back = pickle.loads(pickle.dumps(error(message, hint=hint)))
    assert type(back) is error
    assert (back.message, back.hint, str(back)) == (message, hint, str(error(message, hint=hint)))


# --- "did you mean" -------------------------------------------------------------------------


@given(st.sampled_from(["dlm", "ensemble", "auto-ets", "hub-baseline"]), st.data())
def test_one_wrong_letter_is_seen_through(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 1))
    wrong = name[:at] + data.draw(st.sampled_from("xq")) + name[at + 1 :]
    known = ["dlm", "ensemble", "auto-ets", "hub-baseline"]
    assert near(wrong, known) == (name,)
    assert near(wrong.upper(), known) == (name,)
    assert one_of(wrong, known).startswith(f"did you mean {name!r}? one of: dlm")


@given(st.text() | st.integers() | st.none() | st.binary())
def test_whatever_is_given_is_no_failure_of_its_own(value: object) -> None:
    assert len(near(value, ["real", "pseudo-clean"])) <= 1
    assert one_of(value, ["real"]).endswith("one of: real")
    assert one_of(value, []) == "there is none"


# --- wrong calls ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made() -> SimpleNamespace:
    archive = od.bundled()
    vintage = archive.as_of()
    panel = vintage.panel()
    fitted = od.get_model("drift").fit(panel)
    forecast = fitted.forecast(horizon=24, draws=20)
    return SimpleNamespace(
        archive=archive,
        vintage=vintage,
        panel=panel,
        fitted=fitted,
        forecast=forecast,
        truth=od.Truth(panel),
        projection=od.project(forecast, od.scenario.named("supply-shock-2023-like")),
        results=od.backtest(
            ["naive", "hub-baseline"], archive=archive, start="2021-01", end="2021-01",
            locations=["US", "Ohio"], draws=20, progress=False,
        ),
    )  # fmt: skip


def checks(*names: str) -> object:
    from odforecast.evidence.validate import Setting, run_checks

    setting = Setting(od.bundled(), "2025-09-17", od.get_model("naive"))
    return next(iter(run_checks(setting, names)))


def frame(**columns: object) -> pd.DataFrame:
    whole = {"location": ["OH"], "month": ["2024-01"], "reported": [5.0], **columns}
    return pd.DataFrame({k: v for k, v in whole.items() if v is not None})


def backtest(**changes: object) -> object:
    asked = {"models": ["naive"], "archive": od.bundled(), "start": "2021-01", "end": "2021-01"}
    return od.backtest(**(asked | {"progress": False} | changes))  # type: ignore[arg-type]


#: What is called, and what the message must hold: the value given, and what may be meant or done.
WRONG: dict[str, tuple[Callable[[SimpleNamespace], object], tuple[str, ...]]] = {
    # models
    "model": (lambda _: od.get_model("dml"), ("'dml'", "did you mean 'dlm'?")),
    "model, upper case": (lambda _: od.get_model("Naive"), ("'Naive'", "mean 'naive'?")),
    "model under a layer": (
        lambda _: od.get_model("auto-est+delay"), ("'auto-est'", "did you mean 'auto-ets'?")),
    "layer": (lambda _: od.get_model("naive+dely"), ("'dely'", "did you mean 'delay'?")),
    "model that is none": (lambda _: od.get_model(5), ("name is 5", "od.models()")),
    "setting": (
        lambda _: od.get_model("dlm", dealy=False), ("'dealy'", "did you mean 'delay'?", "dated")),
    "setting where there is none": (
        lambda _: od.get_model("naive", k=1), ("naive has no parameter 'k'", "nothing to set")),
    "registered": (
        lambda _: od.register("mine", 5),  # type: ignore[arg-type]
        ("factory is 5", "@od.forecaster")),
    "label": (lambda _: od.get_model(label="a/b"), ("label is 'a/b'", "letters, digits")),
    "by": (lambda _: od.forecaster(by="stat"), ("by is 'stat'", "did you mean 'state'?")),
    "joint": (
        lambda _: od.forecaster(joint=("moth",)), ("joint", "'moth'", "did you mean 'month'?")),
    "target of a model": (
        lambda _: od.forecaster(target="deaths"), ("target is 'deaths'", "deaths_12mo")),
    "member": (
        lambda _: od.get_model("ensemble", members=["naive", "drft"]),
        ("'drft'", "did you mean 'drift'?")),
    # what was known
    "as-of date": (lambda m: m.archive.as_of("July"), ("'July'",)),
    "as-of before all": (lambda m: m.archive.as_of("2001-01-01"), ("2001-01-01", "2025-09-17")),
    "release": (lambda m: m.archive.release("2024-01-10"), ("2024-01-10", "nearest is 2025-09-17")),
    "indicator": (lambda m: m.vintage.panel("cocane"), ("'cocane'", "did you mean 'cocaine'?")),
    "indicator, as people say": (
        lambda m: m.vintage.panel("fentanyl"), ("'fentanyl'", "did you mean 'T40.4'?")),
    "code of an indicator": (
        lambda m: m.vintage.panel("T40.5"), ("'T40.5'", "did you mean 'cocaine'?")),
    "indicator of revisions": (
        lambda m: m.vintage.revisions("US", "heroine"), ("'heroine'", "did you mean 'heroin'?")),
    "data set": (
        lambda m: m.vintage.panel(dataset="state"), ("'state'", "did you mean 'states'?")),
    "column of revisions": (
        lambda m: m.vintage.revisions().triangle("US", "reportd"),
        ("'reportd'", "did you mean 'reported'?")),
    "month of a cut": (lambda m: m.panel.cut("2030-13"), ("'2030-13' is not a date", "2024-07")),
    "frame without a column": (
        lambda _: od.Panel.from_frame(frame(reported=None), "2024-06-01"), ("no reported",)),
    "frame's date": (lambda _: od.Panel.from_frame(frame(), "June"), ("as_of: 'June'",)),
    "frame's place": (
        lambda _: od.Panel.from_frame(frame(location=["Ohoi"]), "2024-06-01"),
        ("'Ohoi'", "did you mean Ohio")),
    # places
    "place": (lambda m: m.panel.select("Ohoi"), ("'Ohoi'", "did you mean Ohio")),
    "place of a forecast": (lambda m: m.forecast.select("Ohoi"), ("'Ohoi'", "mean Ohio")),
    "place of a backtest": (lambda _: backtest(locations="Ohoi"), ("'Ohoi'", "mean Ohio")),
    "place of a figure": (lambda m: m.fitted.plot("Ohoi"), ("'Ohoi'", "did you mean Ohio")),
    "no place": (lambda m: m.truth.select([]), ("locations is empty",)),
    # forecasts
    "horizon": (lambda m: m.fitted.forecast(0), ("horizon is 0", "at least 1")),
    "draws": (lambda m: m.fitted.forecast(draws=2.5), ("draws is 2.5", "whole number")),
    "until": (lambda m: m.fitted.forecast(until="2020-01"), ("until 2020-01", "2025-08")),
    "both": (lambda m: m.fitted.forecast(3, until="2026-01"), ("horizon or until, not both",)),
    **{
        f"seed {seed!r} of {what}": (call(seed), (f"seed is {seed!r}", "number of at least 0"))
        for seed in (1.0, True, "1", -1, float("nan"))
        for what, call in {
            "a forecast": lambda s: lambda m: m.fitted.forecast(seed=s),
            "a projection": lambda s: lambda m: od.project(m.forecast, od.scenario.NULL, seed=s),
            "the past": lambda s: lambda m: od.scenario.past("class-scheduled", m.archive, seed=s),
            "an update": lambda s: lambda _: od.update("/nowhere", seed=s),
            "joint scores": lambda s: lambda m: od.scoring.joint_scores(m.forecast, m.truth, s),
        }.items()
    },
    "no seed": (lambda m: m.fitted.forecast(seed=None), ("seed is None",)),
    **{
        f"level {level!r} of {what}": (call(level), (f"level is {level!r}", "above 0 and below 1"))
        for level in (float("nan"), 5.0, 0.0)
        for what, call in {
            "quantiles": lambda v: lambda m: m.forecast.quantiles([0.5, v]),
            "a table": lambda v: lambda m: m.forecast.to_frame([v]),
            "a summary": lambda v: lambda m: m.forecast.summary("US", v),
            "years": lambda v: lambda m: m.forecast.years("US", v),
            "a nowcast": lambda v: lambda m: m.forecast.nowcast("US", v),
            "a hub table": lambda v: lambda m: od.to_hub(m.forecast, [v]),
            "deaths averted": lambda v: lambda m: m.projection.averted([v]),
            "a prior": lambda v: lambda _: od.scenario.Normal(0, 1).interval(v),
        }.items()
    },
    "no level": (lambda m: m.forecast.quantiles([]), ("no quantile level", "such as 0.5")),
    "threshold": (lambda m: m.forecast.probability_below(float("nan")), ("value is NaN", "give")),
    "threshold of a projection": (
        lambda m: m.projection.probability_fewer_than(float("nan")), ("value is NaN", "give")),
    "panel for a forecast": (lambda m: od.to_hub(m.panel), ("forecast is a Panel", "fit(panel)")),
    "panel among forecasts": (
        lambda m: od.Forecast.concat([m.forecast, m.panel]), ("a Panel, no Forecast", "give one")),
    "hub file without a path": (
        lambda m: od.write_hub(m.forecast), ("path is missing", "od.write_hub(")),
    "hub file of a panel": (
        lambda m: od.hub.write(m.panel, "a.csv"), ("a Panel, no Forecast", "fit(panel)")),
    "panel for a truth": (
        lambda m: od.score(m.forecast, m.panel), ("truth is a Panel", "od.Truth(panel)")),
    "target": (lambda m: m.forecast.samples("deaths_moth"), ("'deaths_moth'", "deaths_month")),
    "month of a count": (lambda m: m.forecast.count_at("2040-01"), ("2040-01", "ends 2027-08")),
    # scores and backtests
    "kind of origins": (
        lambda m: od.origins(m.archive, kind="reel"), ("'reel'", "did you mean 'real'?")),
    "origins of a backtest": (
        lambda _: backtest(origins="pseudo-delaid"), ("'pseudo-delaid'", "mean 'pseudo-delayed'?")),
    "step": (lambda m: od.origins(m.archive, "pseudo-clean", step=0), ("step", "got 0")),
    "targets": (
        lambda _: backtest(targets=["deaths_12m"]), ("'deaths_12m'", "mean 'deaths_12mo'?")),
    "models of a backtest": (lambda _: backtest(models="naiv"), ("'naiv'", "mean 'naive'?")),
    "kind of truth": (
        lambda m: od.Truth(m.panel, "predictd"), ("kind is 'predictd'", "mean 'predicted'?")),
    "target of a truth": (
        lambda m: m.truth.observed(["US"], m.panel.months, "deaths"), ("target is 'deaths'",)),
    "column of a leaderboard": (
        lambda m: m.results.leaderboard(by=["horizon_grop"]),
        ("'horizon_grop'", "did you mean 'horizon_group'?")),
    "baseline": (
        lambda m: m.results.leaderboard(baseline="naiv"), ("baseline is 'naiv'", "mean 'naive'?")),
    "score": (
        lambda m: relative(m.results.scores, "wiss"),
        ("'wiss'", "did you mean 'wis'?")),
    "figure": (lambda m: m.results.plot(kind="pitt"), ("kind is 'pitt'", "did you mean 'pit'?")),
    # scenarios
    "prior": (
        lambda _: od.scenario.named("cooperation-resumd"),
        ("'cooperation-resumd'", "did you mean 'cooperation-resumed'?")),
    "key of a prior": (
        lambda _: od.scenario.named("tariff-only", half_lif=1.0),
        ("'half_lif'", "did you mean 'half_life'?")),
    "event": (
        lambda m: od.scenario.past("class-schedule", m.archive),
        ("'class-schedule'", "did you mean 'class-scheduled'?")),
    "reference": (
        lambda _: od.scenario.cite("degenhardt-2005"), ("'degenhardt-2005'", "degenhardt-2006")),
    "scenario": (
        lambda m: m.projection.forecast("supply-shock"),
        ("'supply-shock'", "did you mean 'supply-shock-2023-like'?")),
    "figure of a projection": (
        lambda m: m.projection.plot(kind="overlai"), ("'overlai'", "did you mean 'overlay'?")),
    "check": (lambda _: checks("hindcst"), ("'hindcst'", "allowed: null, calibration")),
    "check, near": (
        lambda _: checks("placebo-tim"), ("'placebo-tim'", "did you mean 'placebo-time'?")),
}  # fmt: skip


def relative(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    from odforecast.scoring import relative_skill

    return relative_skill(scores, metric=metric)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_says_what_was_given_and_what_to_do(name: str, made: SimpleNamespace) -> None:
    call, says = WRONG[name]
    with pytest.raises(OdforecastError) as caught:
        call(made)
    message = str(caught.value)
    missing = [part for part in says if part not in message]
    assert not missing, f"{message!r} lacks {missing}"
    assert "Traceback" not in message
    assert not re.search(r" at 0x[0-9a-f]+", message)


def test_a_file_that_cannot_be_written_is_called_by_its_own_name() -> None:
    from odforecast.io import replacing

    with pytest.raises(OSError, match=r"/proc/a\.txt") as caught, replacing("/proc/a.txt") as part:
        part.write_text("a")
    assert caught.value.filename == "/proc/a.txt"
