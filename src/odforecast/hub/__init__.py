"""Hubverse hubs and their files: made, submitted to, written, read; what is wrong is refused.

One row per (origin, location, target, month, output type, level or sample). ``origin_date``
is the as-of date; ``horizon`` counts months after the last month CDC had published by then
(0 and below: a model revises what was published); ``target_end_date`` is the last day of the
target month. Files of scenarios have ``scenario_id`` as well.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from odforecast.forecast import Forecast
from odforecast.hub.cells import file_kind
from odforecast.hub.checks import Checks, check
from odforecast.hub.files import OUTPUT_TYPES, check_hub, read_hub, to_hub, write_hub
from odforecast.hub.files import read_hub as read
from odforecast.hub.layout import Hub
from odforecast.hub.making import init, update
from odforecast.hub.naming import label_of, model_id
from odforecast.hub.scenarios import read_held, scenario_tasks, scenarios_to_hub, write_tasks
from odforecast.hub.scores import HubScores, score
from odforecast.hub.submission import submit
from odforecast.names import HUB_QUANTILES

__all__ = [
    "OUTPUT_TYPES",
    "Checks",
    "Hub",
    "HubScores",
    "check",
    "check_hub",
    "file_kind",
    "init",
    "label_of",
    "model_id",
    "read",
    "read_held",
    "read_hub",
    "scenario_tasks",
    "scenarios_to_hub",
    "score",
    "submit",
    "to_hub",
    "update",
    "write",
    "write_hub",
    "write_tasks",
]


def write(
    forecast: Forecast | pd.DataFrame,
    path: str | os.PathLike[str],
    levels: Sequence[float] = HUB_QUANTILES,
    targets: Sequence[str] | None = None,
    output_type: str = "quantile",
    own: bool = False,
) -> Path:
    """Write a forecast, or a hub table, as a hubverse model-output file.

    Parameters
    ----------
    forecast : Forecast or DataFrame
        A forecast, or a table as :func:`odforecast.to_hub` or :func:`scenarios_to_hub` gives it.
    path : path
        ``.csv``, ``.csv.gz`` or ``.parquet``.
    levels, targets, output_type, own
        As for :func:`odforecast.to_hub`; a table has them already.

    Returns
    -------
    Path
        Where it was written: whole, or not at all.

    Raises
    ------
    DataError
        If the table breaks a rule of the hub, or the file type is unknown.
    ForecastError
        If a location has no hub code, a target is not forecast, or the forecast rests on own
        counts.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(draws=50)
    >>> path = od.hub.write(forecast.select("Ohio"), tempfile.mkdtemp() + "/drift.csv")
    >>> len(od.hub.read(path))
    552
    """
    if not isinstance(forecast, pd.DataFrame):
        forecast = to_hub(forecast, levels, targets, output_type, own)
    return write_hub(forecast, Path(path))
