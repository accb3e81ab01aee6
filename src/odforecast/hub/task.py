"""A task of a backtest as hubs, for a model that lives elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import numpy as np

from odforecast.backtesting.origin import Origin, as_dict
from odforecast.backtesting.submission import asked
from odforecast.backtesting.task import ALL, Task
from odforecast.errors import BacktestError
from odforecast.geography.places import lookup
from odforecast.hub.layout import (
    CONFIG,
    MODEL_METADATA,
    MODEL_OUTPUT,
    TARGET_DATA,
    TEAM,
)
from odforecast.hub.making import (
    CONTACT,
    LAST_DATES,
    NOWCAST,
    REPOSITORY,
    admin_config,
    check_room,
    one_round,
    template,
    time_series,
    write_json,
    write_text,
)
from odforecast.io import replacing_folder
from odforecast.months import ONE_MONTH, month_end
from odforecast.names import COUNTIES, HUB_QUANTILES
from odforecast.panel import Panel

#: The definition of an exported task, and its origins.
TASK_FILE: Final = "task.json"


def export_task(task: Task, folder: str | os.PathLike[str]) -> Path:
    """Write each origin of a task as a hub of one round: what was known, and what is asked for.

    A folder per origin, named by its id: ``target-data/time-series.csv`` has every count known
    that day, ``hub-config/tasks.json`` the forecasts asked for. ``task.json`` has the task and its
    origins. An exported task is replaced. Refuses a task of counties, for which hubs have no codes,
    and a folder of something else.

    >>> import tempfile
    >>> from odforecast.backtesting import Task
    >>> folder = export_task(Task.load("quick"), tempfile.mkdtemp())
    >>> sorted(path.name for path in folder.iterdir())[-2:]
    ['2024-02-16-by-2024-04-17', 'task.json']
    """
    if task.definition["dataset"] == COUNTIES:
        raise BacktestError(
            f"task {task.name} is of counties, and hub files have codes of jurisdictions only",
            hint="write a model in Python (od.models), or take a task of states",
        )
    target = Path(folder)
    if not _is_exported(target):
        check_room(target)
    origins = dict(zip(task.origin_ids, task.origins))
    listing = [{"origin_id": key} | as_dict(origin) for key, origin in origins.items()]
    try:
        with replacing_folder(target) as part:
            for key, origin in origins.items():
                if origin.panel is not None:
                    _write_origin(task, origin, panel=origin.panel, hub=part / key)
            write_json(task.manifest | {"origins": listing}, part / TASK_FILE)
    except OSError as error:
        raise BacktestError(
            f"cannot write to {target}: {error.strerror or error}"
        ) from error
    return target


def _is_exported(folder: Path) -> bool:
    """Whether a folder holds an exported task and nothing else."""
    if folder.is_symlink() or not (folder / TASK_FILE).is_file():
        return False
    others = (path for path in folder.iterdir() if path.name != TASK_FILE)
    return all((path / CONFIG).is_dir() for path in others)


def _write_origin(task: Task, origin: Origin, panel: Panel, hub: Path) -> None:
    """Write an origin of a task as a hub of one round."""
    for name in (MODEL_METADATA, MODEL_OUTPUT):
        (hub / name).mkdir(parents=True)
    units = asked(task, origin)
    day = str(origin.as_of)
    nowcast = list(NOWCAST) if task.definition["horizons"] == ALL else []
    ahead = [int(horizon) for horizon in units["horizon"].unique()]
    locations = list(units["location"].unique())
    codes = [lookup(state).code for state in panel.locations]
    months = panel.last_month + np.array([*nowcast, *ahead]) * ONE_MONTH
    tasks = one_round(
        {
            "origin_date": [day],
            "location": locations,
            "target": list(units["target"].unique()),
            "horizon": ahead,
        },
        ends=[month_end(month).isoformat() for month in months],
        levels=HUB_QUANTILES,
        samples=(100, 1000),
        joint=(),
    )
    (round_,) = tasks["rounds"]
    task_ids = round_["model_tasks"][0]["task_ids"]
    task_ids["horizon"]["optional"] = nowcast or None
    # The target data have more places than a task asks for.
    task_ids["location"]["optional"] = [
        code for code in codes if code not in locations
    ] or None
    round_["additional_metadata"] = {
        LAST_DATES: {day: month_end(panel.last_month).isoformat()}
    }
    facts = {
        "indicator": panel.indicator,
        "task": task.name,
        "fingerprint": task.fingerprint,
    }
    admin = admin_config(
        f"Task {task.name}",
        TEAM,
        contact=CONTACT,
        repository=REPOSITORY,
        facts=facts,
    )
    write_json(admin, hub / CONFIG / "admin.json")
    write_json(tasks, hub / CONFIG / "tasks.json")
    for name in ("target-data.json", "model-metadata-schema.json"):
        write_text(template(name), hub / CONFIG / name)
    counts = time_series(panel)
    counts = counts[counts["target"].isin(task.definition["targets"])]
    text = counts.assign(as_of=day).to_csv(
        index=False,
        lineterminator="\n",
        float_format="%.10g",
        date_format="%Y-%m-%d",
    )
    write_text(text, hub / TARGET_DATA / "time-series.csv")
