"""Forecasts under scenarios, as scenario hubs have them."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError, ForecastError, whole
from odforecast.forecasts import Forecast
from odforecast.geography.places import lookup
from odforecast.hub.files import thinned, to_hub, write_parquet
from odforecast.hub.layout import MODEL_OUTPUT, model_id, submission_stem
from odforecast.hub.making import (
    check_room,
    one_round,
    write_metadata,
    write_round,
    write_text,
)
from odforecast.io import replacing_folder
from odforecast.months import ONE_MONTH, to_day
from odforecast.names import HUB_QUANTILES, SCENARIO_ID, TARGET_12MO
from odforecast.panel import Panel
from odforecast.say import listed, quoted
from odforecast.scoring.files import LONGEST_NAME, is_scenario_name
from odforecast.sources.columns import BadCell, Column, Parser, Table
from odforecast.sources.read import read_raw

#: Fewest samples that a round asks for.
FEWEST_SAMPLES = 100
#: Columns of the file of :func:`read_held`; the last one may be left out.
HELD_COLUMNS = (SCENARIO_ID, "first_month", "last_month", "note")
_MONTH = re.compile(r"(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])")


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
        As :func:`odforecast.to_hub` gives it, with the text ``scenario_id`` behind ``origin_date``;
        scenarios in the order given. Samples with one ``output_type_id`` are one draw, in all
        scenarios and both targets; over locations and months as far as the draws are joint.

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
    _check(forecasts, of_samples=output_type == "sample")
    parts = []
    for name, forecast in forecasts.items():
        part = to_hub(
            forecast, levels, targets=targets, output_type=output_type, own=own
        )
        part.insert(1, SCENARIO_ID, name)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def write_scenario_hub(
    forecasts: Mapping[str, Forecast],
    folder: str | os.PathLike[str],
    panel: Panel,
    *,
    date: dt.date | str | None = None,
    samples: int | None = None,
    assumptions: str = "",
) -> Path:
    """Write a hub of one round of scenarios, with these forecasts as its first submission.

    ``tasks.json`` follows version 6.0.0 of the hubverse's schema. It asks for the 12-month counts
    of months that were not published yet. Samples of one number are one draw under every scenario,
    over locations and months as far as the draws are joint.

    Parameters
    ----------
    forecasts : mapping of str to Forecast
        As for :func:`scenarios_to_hub`, of a built-in model.
    folder : path
        Absent or empty.
    panel : Panel
        What was known: its counts become the target data.
    date : date, optional
        The round's own day, which is its id and the ``origin_date`` in files. Default: the as-of
        date of the forecasts.
    samples : int, optional
        Draws that are written, and the most that the round takes; it asks for 100, or for as many
        as these. Default: all.
    assumptions : str
        Text of ``auxiliary-data/scenarios.yaml``, for other teams.

    Returns
    -------
    Path
        The file of the submission, with quantiles and samples.

    Raises
    ------
    DataError
        If the folder is not empty, or the model is not built in.
    ForecastError
        If the date is earlier than the data, there are fewer draws, or as
        :func:`scenarios_to_hub`.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(draws=100).select("OH")
    >>> path = od.hub.write_scenario_hub({"null": forecast, "less": forecast},
    ...     tempfile.mkdtemp() + "/hub", panel, date="2026-03-01")
    >>> path.name
    '2026-03-01-odforecast-drift.parquet'
    >>> od.hub.check(path.parents[2]).ok
    True
    """
    target = Path(folder)
    check_room(target)
    _check(forecasts, of_samples=True)
    base = next(iter(forecasts.values()))
    day = str(to_day(date or base.as_of))
    if day < str(base.as_of):
        raise ForecastError(
            f"the round's date is {day}, and the forecast uses data published by {base.as_of}",
            hint="give that day or a later one, or forecast from earlier data",
        )
    n_draws = len(base.draws)
    n = n_draws if samples is None else whole("samples", samples, least=1)
    if n > n_draws:
        raise ForecastError(
            f"the forecast has {n_draws} draws, and {n} samples are asked for",
            hint="forecast with more draws",
        )
    targets = [TARGET_12MO]
    tasks = one_round(
        {
            "origin_date": [day],
            SCENARIO_ID: list(forecasts),
            "location": [lookup(state).code for state in base.locations],
            "target": targets,
            "horizon": [int(h) for h in base.horizons if h >= 1],
        },
        last_month=base.last_month,
        levels=HUB_QUANTILES,
        samples=(min(FEWEST_SAMPLES, n), n),
        joint=base.joint,
    )
    chosen = {name: thinned(forecast, n) for name, forecast in forecasts.items()}
    table = pd.concat(
        [
            scenarios_to_hub(forecasts, targets=targets),
            scenarios_to_hub(chosen, targets=targets, output_type="sample"),
        ]
    )
    table = table[table["horizon"] >= 1]
    table["origin_date"] = pd.Timestamp(day).as_unit("s")
    label = base.provenance.get("label", base.provenance.get("model", ""))
    name = model_id(label)
    file = Path(MODEL_OUTPUT, name, f"{submission_stem(day, name)}.parquet")
    with replacing_folder(target) as part:
        write_round(
            part,
            tasks,
            panel.select(base.locations),
            targets=targets,
            name=f"Scenarios of US drug-overdose deaths, {day}",
            facts={},
        )
        write_metadata(label, part)
        write_parquet(table, part / file)
        if assumptions:
            write_text(assumptions, part / "auxiliary-data" / "scenarios.yaml")
    return target / file


def _check_names(names: Sequence[object]) -> None:
    """Refuse none, and what is not a name."""
    if not names:
        raise ForecastError("no scenarios", hint="give one or more")
    for name in names:
        if not is_scenario_name(name):
            raise ForecastError(
                f"{quoted(name)} is not a scenario name",
                hint=f"1 to {LONGEST_NAME} printable characters, no space before or after them",
            )


def _check(forecasts: Mapping[str, Forecast], *, of_samples: bool) -> None:
    """Refuse forecasts that are not of one origin or, where draws are written, not paired."""
    _check_names(list(forecasts))
    (first, base), *rest = forecasts.items()
    for name, forecast in rest:
        differences = {
            "origin": base.as_of != forecast.as_of,
            "last known month": base.last_month != forecast.last_month,
            "locations": base.locations != forecast.locations,
            "months": not np.array_equal(base.months, forecast.months),
            "targets": set(base.targets) != set(forecast.targets),
        }
        if of_samples:
            differences["joint axes"] = base.joint != forecast.joint
            differences["number of draws"] = len(base.draws) != len(forecast.draws)
        for feature, differs in differences.items():
            if differs:
                raise ForecastError(
                    f"scenarios {quoted(first)} and {quoted(name)} differ in {feature}",
                    hint="scenarios of one file are projected from one forecast",
                )


def read_held(
    path: str | Path, scenarios: Collection[str] | None = None
) -> pd.DataFrame:
    """Read for which months the assumptions of each scenario held.

    What held is a fact about the world (the agreement was in force, the supply was down) that
    counts of deaths do not say; somebody who knows writes it down.

    Parameters
    ----------
    path : str or Path
        CSV file: ``scenario_id, first_month, last_month`` and perhaps ``note``; months as
        2024-03, both included. A scenario may have several rows, of different months; one without
        a row held in no month.
    scenarios : collection of str, optional
        Names that are allowed; default: any.

    Returns
    -------
    DataFrame
        ``scenario_id``, ``first_month``, ``last_month`` (timestamps), ``note``; a row each.

    Raises
    ------
    DataError
        With file, row, column, value and what is allowed, at the first thing wrong.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import odforecast as od
    >>> path = Path(tempfile.mkdtemp()) / "held.csv"
    >>> _ = path.write_text("scenario_id,first_month,last_month\\nnull,2024-01,2024-06\\n")
    >>> od.hub.read_held(path)["last_month"].dt.strftime("%Y-%m").tolist()
    ['2024-06']
    """

    def scenario(text: str) -> str | BadCell:
        """The name of a scenario."""
        if not is_scenario_name(text):
            return BadCell("is not a scenario name", "name it as the forecasts do")
        if scenarios is not None and text not in scenarios:
            allowed = f"they have: {listed(scenarios)}"
            return BadCell("is not a scenario of the forecasts", allowed)
        return text

    def month(text: str) -> np.datetime64 | BadCell:
        """A month as it must be written."""
        if _MONTH.fullmatch(text):
            return np.datetime64(text, "M")
        return BadCell("is not a month", "write it as 2024-03")

    parsers: tuple[Parser, ...] = (scenario, month, month, str)
    columns = [
        Column(name, name, parse=parse) for name, parse in zip(HELD_COLUMNS, parsers)
    ]
    content = f"a CSV file with columns {', '.join(HELD_COLUMNS)}"
    try:
        raw = read_raw(path)
    except DataError as error:
        raise DataError(error.message, hint=f"give {content}") from error
    table = Table(raw, columns, needs=HELD_COLUMNS[:3], what=content)
    first = table.values("first_month", dtype="datetime64[M]")
    last = table.values("last_month", dtype="datetime64[M]")
    hint = "the last month it held, included"
    table.refuse(first > last, "last_month", "lies before first_month", hint)
    names = table.texts(SCENARIO_ID)
    row_of = dict[tuple[str, Any], int]()
    for i, (name, start, end) in enumerate(zip(names, first, last)):
        for each_month in np.arange(start, end + ONE_MONTH):
            earlier = row_of.setdefault((name, each_month), i)
            if earlier != i:
                reason = f"begins months that row {table.rows[earlier]} has too ({each_month})"
                table.refuse(
                    [i], "first_month", reason, "give every month of a scenario once"
                )
    return pd.DataFrame(
        {
            SCENARIO_ID: names,
            "first_month": first.astype("datetime64[s]"),
            "last_month": last.astype("datetime64[s]"),
            "note": table.texts("note"),
        }
    )
