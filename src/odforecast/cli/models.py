"""``odforecast models``: the models there are, one line each."""

from __future__ import annotations

import inspect
from typing import Any

import click

from odforecast.cli.options import json_option
from odforecast.cli.screen import columns, note, say
from odforecast.cli.written import print_json
from odforecast.errors import ForecastError, OdforecastError
from odforecast.names import COUNTIES, DEFAULT_COUNTY_MODEL, DEFAULT_MODEL, STATES, TARGET_12MO

#: What the built-in models are, in a line.
LINES = {
    "dlm": "levels of states, regions, nation, moving together",
    "ensemble": "dlm, ETS, Theta: weights and widths from the past",
    "ensemble-equal": "the three pooled, with equal weights",
    "ensemble-linear": "the three mixed, with equal weights",
    "hub-baseline": "the last count, as wide as its past errors",
    "damped-trend": "the last quarter's mean change, dying away",
    "cdc-predicted": "CDC's predicted count, carried on",
    "naive": "a random walk of months",
    "drift": "a random walk of months with a slope",
    "seasonal-naive": "the same month a year before",
    "auto-ets": "exponential smoothing, its form chosen",
    "auto-theta": "Theta, its form chosen",
    "auto-arima": "ARIMA, its orders chosen",
    "auto-ces": "complex exponential smoothing, its form chosen",
    "hierarchical": "Bayesian hierarchy by PyMC: minutes",
    "hierarchical-quick": "the same, approximated: seconds",
    "county": "months and levels of a state's counties, its sum",
    "county-hub-baseline": "a county's last count, as wide as its past errors",
    "county-last": "the last count, one spread for all, of its root",
}
_SUMS = "-sums"


@click.command()
@json_option
@click.option("--check", "checked", metavar="NAME",
              help="Check that a model keeps the rules of every forecaster.")  # fmt: skip
def models(as_json: bool, checked: str | None) -> None:
    """List the models, one line each.

    Any of them goes after --model. A model without the delay takes the last months as they were
    published, too low; NAME+delay completes them first.
    """
    from odforecast.models import get_model, model_names, plugin_problems

    if checked is not None:
        _check(checked)
        return
    for text in plugin_problems():
        note(text, "warning")
    found: list[dict[str, Any]] = []
    for name in model_names():
        try:
            spec = get_model(name).spec
        except (OdforecastError, ImportError):  # a plug-in that cannot be loaded: said above
            continue
        found.append(
            {
                "model": name,
                "default": name in (DEFAULT_MODEL, DEFAULT_COUNTY_MODEL),
                "dataset": spec.dataset or STATES,
                "knows_delay": spec.corrects_delay,
                "by": spec.by or "panel",
                "target": spec.target,
                "joint": sorted(spec.joint),
                "origin": spec.origin,
                "what": _line(name, get_model(name).inner, spec.origin),
                "spec_hash": spec.hash,
            }
        )
    if as_json:
        print_json(found)
        return
    shown = [m for m in found if not _is_twin(m, found)]
    click.echo(columns(_rows([m for m in shown if m["dataset"] != COUNTIES])))
    twins = [m["model"] for m in found if m not in shown]
    click.echo("* the default; knows the delay: completes the last months, too low as published")
    if twins:
        say(
            f"{len(twins)} more have {_SUMS} after their names ({', '.join(twins[:2])}, …): the "
            "same, fitted to the 12-month sums as most people do, not to the months behind them."
        )
    say(
        "NAME+delay completes the last months for a model that does not know the delay, for "
        "example naive+delay."
    )
    if of_counties := [m for m in shown if m["dataset"] == COUNTIES]:
        click.echo("Of counties, with --dataset counties:")
        click.echo(columns(_rows(of_counties)))


def _check(name: str) -> None:
    """Every rule of a forecaster, and what is broken."""
    from odforecast.testing import ContractError, check_forecaster

    try:
        say(str(check_forecaster(name)))
    except ContractError as error:
        raise ForecastError(str(error)) from error


def _rows(models: list[dict[str, Any]]) -> list[list[str]]:
    """A table of models, with its head."""
    rows = [["model", "delay", "what it is"]]
    for model in models:
        whose = "" if model["origin"] == "odforecast" else f" [{model['origin'] or 'yours'}]"
        knows = "knows" if model["knows_delay"] else "–"
        rows.append([model["model"] + " *" * model["default"], knows, model["what"] + whose])
    return rows


def _is_twin(model: dict[str, Any], found: list[dict[str, Any]]) -> bool:
    name = str(model["model"])
    base = name.removesuffix(_SUMS)
    there = {m["model"] for m in found}
    return base != name and base in there and model["target"] == TARGET_12MO


def _line(name: str, inner: object, origin: str) -> str:
    """What a model is: ours, or the first line of what its author wrote."""
    if origin == "odforecast":
        base = name.removesuffix(_SUMS)
        return LINES.get(base, "") + (", on 12-month sums" if base != name else "")
    of = inner if inspect.getdoc(inner) and not isinstance(inner, type) else type(inner)
    first = (inspect.getdoc(of) or "").partition("\n")[0].strip()
    return " ".join(first.split())[:200].rstrip(".")
