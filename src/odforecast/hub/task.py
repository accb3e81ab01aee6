"""A task of a backtest as hubs, for a model that lives elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from odforecast.backtesting.origin import Origin, as_dict
from odforecast.backtesting.submission import asked
from odforecast.backtesting.task import ALL, Task
from odforecast.errors import BacktestError
from odforecast.geography.places import lookup
from odforecast.hub.layout import CONFIG
from odforecast.hub.making import (
    NOWCAST,
    check_room,
    one_round,
    write_json,
    write_round,
)
from odforecast.io import replacing_folder
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
    units = asked(task, origin)
    day = str(origin.as_of)
    ahead = [int(horizon) for horizon in units["horizon"].unique()]
    locations = list(units["location"].unique())
    codes = [lookup(state).code for state in panel.locations]
    tasks = one_round(
        {
            "origin_date": [day],
            "location": locations,
            "target": list(units["target"].unique()),
            "horizon": ahead,
        },
        last_month=panel.last_month,
        levels=HUB_QUANTILES,
        samples=(100, 1000),
        joint=(),
        revised=NOWCAST if task.definition["horizons"] == ALL else (),
    )
    (round_,) = tasks["rounds"]
    task_ids = round_["model_tasks"][0]["task_ids"]
    # The target data have more places than a task asks for.
    task_ids["location"]["optional"] = [
        code for code in codes if code not in locations
    ] or None
    write_round(
        hub,
        tasks,
        panel,
        targets=task.definition["targets"],
        name=f"Task {task.name}",
        facts={"task": task.name, "fingerprint": task.fingerprint},
    )
