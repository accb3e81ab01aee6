"""A task as files, for a model that lives elsewhere: what was known at each origin, and what is
asked for.

::

    DIR/
      task.json           the definition and the fingerprint
      origins.csv         a row per origin: its id, its day, its files
      levels.csv          the quantile levels that every forecast is given at
      template.csv        rows of a hub file for the first origin, values left empty
      known/ORIGIN.csv    what was known: a row per release, place, indicator and month
      asked/ORIGIN.csv    what is asked for: a row per place and month

Nothing of what came later is in it. Places have hub codes (``54``), as the forecasts must.
"""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.backtesting.origin import Origin
from odforecast.backtesting.planning import usual_places
from odforecast.backtesting.task import ALL, Task
from odforecast.errors import BacktestError
from odforecast.geography import resolve
from odforecast.geography.places import lookup
from odforecast.months import ONE_MONTH, month_end
from odforecast.names import ALL_DRUGS, COUNTIES, HUB_COLUMNS, HUB_QUANTILES
from odforecast.panel import Floats, Panel

#: By this file a folder is known to hold an exported task.
MARK = "task.json"
KNOWN, ASKED = "known", "asked"
#: Columns of the files of what was known.
KNOWN_COLUMNS = (
    "origin_id", "as_of", "release", "location", "abbreviation", "indicator", "month", "reported",
    "predicted", "percent_complete", "percent_pending",
)  # fmt: skip
#: Indicator of what an earlier release knew of deaths from all causes, at its last month.
A_YEAR = "Deaths from all causes in a year"
#: Columns of the files of what is asked for, the key of a forecast in a hub file among them.
ASKED_COLUMNS = ("origin_id", *HUB_COLUMNS[:5])


def export(task: Task, folder: str | Path) -> Path:
    """Write what each origin knew, and what is asked for, as CSV files.

    Parameters
    ----------
    task : Task
    folder : path
        Made; an exported task that it holds is replaced.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    BacktestError
        If the task is of counties, for which hubs have no codes; if the folder holds something
        else, or cannot be written to: then it stays as it was.

    Examples
    --------
    >>> import tempfile
    >>> from odforecast.backtesting import Task
    >>> folder = export(Task.load("quick"), tempfile.mkdtemp())
    >>> sorted(p.name for p in folder.iterdir())
    ['asked', 'known', 'levels.csv', 'origins.csv', 'task.json', 'template.csv']
    """
    if task.definition["dataset"] == COUNTIES:
        raise BacktestError(
            f"task {task.name} is of counties, and hub files have codes of jurisdictions only",
            hint="write a model in Python (od.models), or take a task of states",
        )
    out = Path(folder)
    _check_room(out)
    origins = list(zip(task.origin_ids, task.origins))  # or why they cannot be had
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # The folder appears when all of it is written; what was there stays until then.
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as beside:
            made = Path(beside) / "task"
            _write_all(task, origins, made)
            old = Path(beside) / "old"
            if out.exists():
                out.rename(old)
            try:
                made.rename(out)
            except OSError:
                if old.exists():  # else it would go with the folder beside
                    old.rename(out)
                raise
    except OSError as error:
        raise BacktestError(f"cannot write to {out}: {error.strerror or error}") from error
    return out


def _write_all(task: Task, origins: Sequence[tuple[str, Origin]], out: Path) -> None:
    for name in (KNOWN, ASKED):
        (out / name).mkdir(parents=True)
    rows, first = [], True
    for key, origin in origins:
        rows.append(_about(key, origin))
        if origin.panel is None:
            continue
        wanted = asked(task, origin).assign(origin_id=key)
        _write(_known(key, origin.panel), out / KNOWN / f"{key}.csv")
        _write(wanted[list(ASKED_COLUMNS)], out / ASKED / f"{key}.csv")
        if first:
            _write(_template(wanted), out / "template.csv")
            first = False
    _write(pd.DataFrame(rows), out / "origins.csv")
    _write(pd.DataFrame({"output_type_id": HUB_QUANTILES}), out / "levels.csv")
    text = json.dumps(task.manifest, indent=1, ensure_ascii=False)
    (out / MARK).write_text(text + "\n", encoding="utf-8")


def asked(task: Task, origin: Origin) -> pd.DataFrame:
    """Forecasts that a task asks for at an origin: a row per place, target and month.

    Parameters
    ----------
    task : Task
    origin : Origin
        With a panel.

    Returns
    -------
    DataFrame
        The first five of :data:`odforecast.names.HUB_COLUMNS`: ``origin_date`` and
        ``target_end_date`` as days (str), ``location`` as hub code.
    """
    says, panel = task.definition, origin.panel
    assert panel is not None
    places = usual_places([panel])
    if says["locations"] != ALL:
        wanted = set(resolve(says["locations"]))
        places = tuple(s for s in panel.locations if s in wanted)
    ahead = horizons(task)
    ends = [str(month_end(panel.last_month + h * ONE_MONTH)) for h in ahead]
    keys = [(lookup(s).code, target) for s in places for target in says["targets"]]
    return pd.DataFrame(
        {
            "origin_date": str(origin.as_of),
            "location": np.repeat([code for code, _ in keys], len(ahead)),
            "target": np.repeat([target for _, target in keys], len(ahead)),
            "horizon": np.tile(ahead, len(keys)),
            "target_end_date": np.tile(ends, len(keys)),
        }
    )


def horizons(task: Task) -> list[int]:
    """Months ahead that a task scores."""
    says = task.definition
    return (
        list(range(1, says["horizon"] + 1))
        if says["horizons"] in (None, ALL)
        else list(says["horizons"])
    )


def _check_room(out: Path) -> None:
    """Refuse a folder that holds something else than an exported task."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise BacktestError(f"{out} is a file", hint="give a folder")
    if not out.is_dir() or not any(out.iterdir()):
        return
    ours = {MARK, "origins.csv", "levels.csv", "template.csv", KNOWN, ASKED}
    others = sorted(p.name for p in out.iterdir() if p.name not in ours)
    if others or not (out / MARK).exists():
        named = f" ({others[0]})" if others else ""
        raise BacktestError(f"{out} holds other files{named}", hint="give a folder of its own")


def _about(key: str, origin: Origin) -> dict[str, Any]:
    panel = origin.panel
    return {
        "origin_id": key,
        "as_of": str(origin.as_of),
        "last_month": "" if panel is None else str(panel.last_month),
        "final_through": "" if panel is None else str(panel.final_through),
        "vintage": origin.vintage,
        "donor": origin.donor,
        "known": "" if panel is None else f"{KNOWN}/{key}.csv",
        "asked": "" if panel is None else f"{ASKED}/{key}.csv",
        "reason": origin.reason,
    }


def _known(key: str, panel: Panel) -> pd.DataFrame:
    """All that a model of ours is handed: the panel, what stands beside it, earlier releases."""
    parts = [_layers(panel), *(_layers(p) for _, p in sorted(panel.beside.items()))]
    parts += list(_earlier(panel))
    table = pd.concat(parts, ignore_index=True).assign(origin_id=key, as_of=str(panel.as_of))
    return table[list(KNOWN_COLUMNS)]


def _layers(panel: Panel) -> pd.DataFrame:
    """The cells of one indicator that hold anything."""
    table = _cells(panel, str(panel.as_of)).assign(
        reported=panel.reported.ravel(),
        predicted=panel.predicted.ravel(),
        percent_complete=panel.complete.ravel(),
        percent_pending=panel.pending.ravel(),
    )
    values = list(KNOWN_COLUMNS[-4:])
    return table[table[values].notna().any(axis=1)]


def _earlier(panel: Panel) -> Iterator[pd.DataFrame]:
    """What earlier releases said of the same cells."""
    if panel.triangle is None:
        return
    names = {"predicted": "predicted", "pending": "percent_pending"}
    for i, date in enumerate(panel.triangle.releases):
        layers = panel.triangle.layers
        said = {column: layers[n][i].ravel() for n, column in names.items() if n in layers}
        table = _cells(panel, str(date)).assign(reported=layers["reported"][i].ravel(), **said)
        yield table[table[["reported", *said]].notna().any(axis=1)]
        if (everyone := layers.get("all_deaths")) is not None and np.isfinite(everyone[i]).any():
            yield _a_year(panel, date, everyone[i])


def _a_year(panel: Panel, date: dt.date, deaths: Floats) -> pd.DataFrame:
    """Deaths of all causes in a year as an earlier release had them, at its last month."""
    assert panel.triangle is not None
    counts = panel.triangle.reported[panel.triangle.releases.index(date)]
    last = int(np.flatnonzero(np.isfinite(counts).any(axis=0))[-1])
    cells = np.full(panel.reported.shape, np.nan)
    cells[:, last] = deaths
    table = _cells(panel, str(date)).assign(indicator=A_YEAR, reported=cells.ravel())
    return table[table["reported"].notna()]


def _cells(panel: Panel, release: str) -> pd.DataFrame:
    n_loc, n_time = panel.reported.shape
    return pd.DataFrame(
        {
            "release": release,
            "location": np.repeat([lookup(s).code for s in panel.locations], n_time),
            "abbreviation": np.repeat(panel.locations, n_time),
            "indicator": "all-drugs" if panel.indicator == ALL_DRUGS else panel.indicator,
            "month": np.tile([str(m) for m in panel.months], n_loc),
        }
    )


def _template(wanted: pd.DataFrame) -> pd.DataFrame:
    """Rows of a hub file, a row per level, values left empty."""
    n = len(HUB_QUANTILES)
    rows = wanted.loc[wanted.index.repeat(n)].reset_index(drop=True)
    rows["output_type"] = "quantile"
    rows["output_type_id"] = np.tile(HUB_QUANTILES, len(wanted))
    rows["value"] = ""
    return rows[list(HUB_COLUMNS)]


def _write(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, lineterminator="\n", float_format="%.10g")
