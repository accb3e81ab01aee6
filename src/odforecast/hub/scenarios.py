"""Forecasts under scenarios, as scenario hubs have them: one table, and the hub's configuration.

``scenario_id`` is a task variable. Samples are paired across scenarios: one ``output_type_id`` is
one draw under every one of them, so that what a scenario changes can be worked out sample by
sample.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from odforecast.errors import ForecastError
from odforecast.forecast import Forecast
from odforecast.geography.places import lookup
from odforecast.hub.file_check import LONGEST_NAME, is_scenario_name
from odforecast.hub.files import to_hub
from odforecast.io import replacing
from odforecast.months import month_end
from odforecast.names import (
    HUB_QUANTILES,
    LOCATION,
    MONTH,
    SCENARIO_ID,
    TARGET_12MO,
    TARGET_MONTH,
    TARGETS,
)
from odforecast.say import quoted

#: Schema that :func:`scenario_tasks` is written for.
SCHEMA: Final = (
    "https://raw.githubusercontent.com/hubverse-org/schemas/main/v6.0.0/tasks-schema.json"
)

_TITLES: Final = {
    TARGET_12MO: "Drug-overdose deaths in the 12 months ending with the target month",
    TARGET_MONTH: "Drug-overdose deaths in the target month",
}


def scenarios_to_hub(
    forecasts: Mapping[str, Forecast],
    levels: Sequence[float] = HUB_QUANTILES,
    targets: Sequence[str] | None = None,
    output_type: str = "quantile",
    own: bool = False,
) -> pd.DataFrame:
    """Hubverse rows of forecasts under scenarios.

    Parameters
    ----------
    forecasts : mapping of str to Forecast
        Scenario name to its forecast, for example ``Projection.forecasts``. All of one origin,
        with the same locations and months; draw *i* of each is draw *i* of the others.
    levels, targets, output_type, own
        As for :func:`odforecast.to_hub`.

    Returns
    -------
    DataFrame
        As :func:`odforecast.to_hub` gives it, with the text ``scenario_id`` behind
        ``origin_date``; scenarios in the order given. Samples with one ``output_type_id`` are
        one draw, in all scenarios and both targets; over locations and months as far as the
        draws are joint.

    Raises
    ------
    ForecastError
        If the forecasts are not of one origin, a name is none, or :func:`odforecast.to_hub`
        refuses one of them.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel().select(["US"])
    >>> forecast = od.get_model("drift").fit(panel).forecast(horizon=1, draws=200, seed=1)
    >>> table = od.hub.scenarios_to_hub({"null": forecast, "less": forecast}, levels=[0.5])
    >>> table[["scenario_id", "target", "horizon"]].values.tolist()[1:3]
    [['null', 'deaths_month', 1], ['less', 'deaths_12mo', 1]]
    """
    _check(forecasts, drawn=output_type == "sample")
    parts = []
    for name, forecast in forecasts.items():
        part = to_hub(forecast, levels, targets, output_type, own)
        part.insert(1, SCENARIO_ID, name)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def scenario_tasks(
    names: Iterable[str],
    forecast: Forecast,
    levels: Sequence[float] = HUB_QUANTILES,
    targets: Sequence[str] | None = None,
    samples: int = 100,
    due: tuple[int, int] = (0, 27),
) -> dict[str, Any]:
    """Hub configuration (``tasks.json``) of one round of scenarios.

    Parameters
    ----------
    names : iterable of str
        The scenarios; every one is required.
    forecast : Forecast
        Any of the forecasts: it says origin, locations, months, and how far draws are joint.
    levels : sequence of float
        Quantile levels; required.
    targets : sequence of str, optional
        Default: those the forecast has.
    samples : int
        Samples of each task; they may be left out.
    due : tuple of int
        First and last day of submission, in days after the origin.

    Returns
    -------
    dict
        What ``tasks.json`` holds, by version 6.0.0 of the hubverse's schema. ``scenario_id`` is a
        task variable and not in ``compound_taskid_set``: samples of one number belong together
        over all scenarios, and over both targets; also over locations and months, as far as the
        draws are joint. ``target_end_date`` follows from origin and horizon.

    Raises
    ------
    ForecastError
        If a name is none or stands there twice, or ``samples`` is below 1.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel().select(["US"])
    >>> forecast = od.get_model("drift").fit(panel).forecast(horizon=1, draws=200, seed=1)
    >>> (task,) = od.hub.scenario_tasks(["null", "less"], forecast)["rounds"][0]["model_tasks"]
    >>> task["task_ids"]["scenario_id"]
    {'required': ['null', 'less'], 'optional': None}
    >>> task["output_type"]["sample"]["output_type_id_params"]["compound_taskid_set"]
    ['origin_date', 'location']
    """
    scenarios = list(names)
    _check_names(scenarios)
    if twice := [n for n in dict.fromkeys(scenarios) if scenarios.count(n) > 1]:
        raise ForecastError(f"scenario {quoted(twice[0])} is there twice", hint="name each once")
    if samples < 1:
        raise ForecastError(f"samples is {samples}", hint="1 or more")
    wanted = [t for t in TARGETS if t in forecast.targets] if targets is None else list(targets)
    if unknown := [t for t in wanted if t not in forecast.targets]:
        raise ForecastError(
            f"no target {unknown[0]!r}",
            hint=f"the forecast has: {', '.join(sorted(forecast.targets))}",
        )
    own = [*([] if LOCATION in forecast.joint else ["location"]),
           *([] if MONTH in forecast.joint else ["horizon"])]  # fmt: skip
    task_ids = {
        "origin_date": _required([forecast.as_of.isoformat()]),
        SCENARIO_ID: _required(scenarios),
        "location": _required([lookup(s).code for s in forecast.locations]),
        "target": _required(wanted),
        "horizon": _required([int(h) for h in forecast.horizons]),
        # Hubs want a variable that follows from others to be optional.
        "target_end_date": {
            "required": None,
            "optional": [month_end(m).isoformat() for m in forecast.months],
        },
    }
    deaths = {"type": "double", "minimum": 0}
    outputs = {
        "quantile": {
            "output_type_id": {"required": [float(x) for x in levels]},
            "value": deaths,
            "is_required": True,
        },
        "sample": {
            "output_type_id_params": {
                "type": "integer",
                "min_samples_per_task": samples,
                "max_samples_per_task": samples,
                "compound_taskid_set": ["origin_date", *own],
            },
            "value": deaths,
            "is_required": False,
        },
    }
    round_ = {
        "round_id_from_variable": True,
        "round_id": "origin_date",
        # One set of tasks: a sample may not span two, and a draw is one over both targets.
        "model_tasks": [
            {
                "task_ids": task_ids,
                "output_type": outputs,
                "target_metadata": [_metadata(target) for target in wanted],
            }
        ],
        "submissions_due": {"relative_to": "origin_date", "start": due[0], "end": due[1]},
        "file_format": ["csv", "parquet"],
        "derived_task_ids": ["target_end_date"],
    }
    return {"schema_version": SCHEMA, "rounds": [round_], "output_type_id_datatype": "double"}


def write_tasks(tasks: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Write a hub configuration as JSON; the file is complete or absent.

    Parameters
    ----------
    tasks : mapping
        As :func:`scenario_tasks` gives it.
    path : path
        Usually ``hub-config/tasks.json``.

    Returns
    -------
    Path
        Where it was written.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> path = od.hub.write_tasks({"rounds": []}, tempfile.mkdtemp() + "/hub-config/tasks.json")
    >>> path.name
    'tasks.json'
    """
    target = Path(path)
    text = json.dumps(tasks, indent=2, ensure_ascii=False) + "\n"
    with replacing(target) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    return target


def _required(values: list[Any]) -> dict[str, Any]:
    return {"required": values, "optional": None}


def _metadata(target: str) -> dict[str, Any]:
    return {
        "target_id": target,
        "target_name": _TITLES[target],
        "target_units": "deaths",
        "target_keys": {"target": target},
        "target_type": "continuous",
        "is_step_ahead": True,
        "time_unit": "month",
    }


def _check_names(names: Sequence[object]) -> None:
    if not names:
        raise ForecastError("no scenarios", hint="give one or more")
    for name in names:
        if not is_scenario_name(name):
            raise ForecastError(
                f"{quoted(name)} is no name of a scenario",
                hint=f"1 to {LONGEST_NAME} printable characters, no space before or after them",
            )


def _check(forecasts: Mapping[str, Forecast], *, drawn: bool) -> None:
    """Refuse forecasts that are not of one origin or, where draws are written, not paired."""
    _check_names(list(forecasts))
    (first, base), *others = forecasts.items()
    for name, other in others:
        unlike = {
            "origin": base.as_of != other.as_of,
            "last known month": base.last_month != other.last_month,
            "locations": base.locations != other.locations,
            "months": not np.array_equal(base.months, other.months),
            "targets": set(base.targets) != set(other.targets),
            "joint axes": drawn and base.joint != other.joint,
            "number of draws": drawn and base.draws.shape[0] != other.draws.shape[0],
        }
        if found := [what for what, differs in unlike.items() if differs]:
            raise ForecastError(
                f"scenarios {quoted(first)} and {quoted(name)} differ in {found[0]}",
                hint="scenarios of one file are projected from one forecast",
            )
