"""Commands are functions with named parameters: called here without click."""

import inspect
from dataclasses import fields, is_dataclass
from pathlib import Path

import click
import pytest
from test_cli_vocabulary import EVERY

import odforecast as od
from odforecast.cli.answer import Output
from odforecast.cli.backtest import PastDates, backtest
from odforecast.cli.data import fetch_copies, fetch_latest
from odforecast.cli.forecast import forecast
from odforecast.cli.source import Data, OwnCounts, Request, Simulation

BUNDLED = Data(source="bundled", as_of="2025-09-17")


def answer_of(seed):
    return forecast.callback(
        request=Request(locations="US,Ohio", horizon=3),
        data=BUNDLED,
        simulation=Simulation(model="naive", draws=60, seed=seed),
        own_counts=OwnCounts(),
        output=Output(),
        level=0.8,
    )


def test_a_forecast_by_its_parameters_is_the_one_of_the_library():
    answer = answer_of(seed=7)
    meta = answer.data["meta"]
    assert (meta["model"], meta["seed"], meta["draws"], meta["level"]) == ("naive", 7, 60, 0.8)
    assert meta["locations"] == ["US", "OH"]
    panel = od.bundled().as_of("2025-09-17").panel()
    made = od.get_model("naive").fit(panel).forecast(3, draws=60, seed=7)
    assert answer.frame.equals(made.summary(["US", "OH"], 0.8))
    assert not answer.frame.equals(answer_of(seed=8).frame)
    assert answer.text().startswith("The United States: for the 12 months ending in")


def test_a_backtest_by_its_parameters(capsys):
    answer = backtest.callback(
        request=Request(locations="WV", horizon=2),
        data=BUNDLED,
        simulation=Simulation(draws=20, seed=5),
        dates=PastDates(start="2021-01", end="2021-02", step=1, vintages="clean"),
        models="naive",
        jobs=1,
    )
    assert "2 origins (pseudo-clean)" in capsys.readouterr().out
    meta = answer.data()["meta"]
    assert (meta["seed"], meta["draws"], meta["locations"]) == (5, 20, ["WV"])
    (row,) = answer.data()["leaderboard"].to_dict("records")
    assert (row["model"], row["horizon_group"], row["n_units"]) == ("naive", "1-3", 4)


def test_what_a_function_refuses_it_refuses_without_click():
    with pytest.raises(click.UsageError, match="give --horizon or --until, not both"):
        Request(horizon=3, until="2026-01")
    with pytest.raises(click.UsageError, match="give --archive or --source, not both"):
        Data(archive=Path("a"), source="bundled").open()
    settings = {"url": "http://localhost:1", "soda3": False}
    with pytest.raises(click.UsageError, match="--since goes with --out FILE"):
        fetch_latest("states", None, since=2020, out=None, **settings)
    with pytest.raises(click.UsageError, match="only if --git is given"):
        fetch_copies("counties", None, only_list=True, release=None, copies=None, url="")


#: What the door does with the answer, and words that become ``locations``.
AT_THE_DOOR = {"as_json", "table", "plot", "html", "places"}


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_option_reaches_the_function_with_one_default(path):
    command = EVERY[path]
    defaults = {}
    for name, parameter in inspect.signature(command.callback, eval_str=True).parameters.items():
        if is_dataclass(parameter.annotation):
            defaults |= {field.name: field.default for field in fields(parameter.annotation)}
        else:
            defaults[name] = parameter.default
    options = {param.name: param for param in command.params if param.expose_value}
    assert set(options) - AT_THE_DOOR <= set(defaults)
    for name in set(options) & set(defaults):
        if isinstance(options[name].default, str | int | float):
            assert defaults[name] in (inspect.Parameter.empty, options[name].default), name
