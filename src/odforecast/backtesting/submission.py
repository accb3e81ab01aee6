"""Forecasts that were made elsewhere, as results of a task: scored as those made here are.

That each was made from what was known on its origin's day is what the submitter says. Nothing
here can check it, and the manifest and every board say so.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from odforecast.backtesting.board import check_label
from odforecast.backtesting.export import asked
from odforecast.backtesting.origin import Origin
from odforecast.backtesting.planning import usual_places
from odforecast.backtesting.results import QUANTILE_COLUMNS, Results
from odforecast.backtesting.task import ALL, Task
from odforecast.backtesting.unit import FAILURE_COLUMNS, QUANTILE_CATEGORIES, failure_row
from odforecast.errors import BacktestError
from odforecast.geography.places import lookup
from odforecast.names import COUNTIES, HUB_QUANTILES, TARGET_12MO
from odforecast.panel import Panel
from odforecast.say import quoted
from odforecast.scoring import score_hub
from odforecast.scoring.columns import SCORE_COLUMNS
from odforecast.scoring.units import revised
from odforecast.seeds import content_hash
from odforecast.version import __version__

#: What a submission is taken to be.
CLAIM = (
    "the submitter says that each forecast was made from what was known on its origin's day; "
    "nothing here can check that"
)
#: Months before the last known one that may be completed: the nowcast.
_BACK = 11


def score_submission(
    task: Task,
    tables: Mapping[str, pd.DataFrame],
    label: str,
    version: str = "submitted",
    notes: Iterable[str] = (),
    files: Mapping[str, str] | None = None,
) -> Results:
    """Score hub tables of a task's origins.

    Parameters
    ----------
    task : Task
    tables : mapping of str to DataFrame
        By origin id (:attr:`Task.origin_ids`), tables as :func:`odforecast.read_hub` gives them.
    label : str
        Name of the model on a leaderboard; not that of a model that can be run here.
    version : str
        Of the model; for people.
    notes : iterable of str
        Put into the manifest.
    files : mapping of str to str, optional
        By origin id, the file that its table is from, for messages.

    Returns
    -------
    Results
        With the task's fingerprint. An origin without a table, a place without forecasts and
        months that are missing are rows of :attr:`Results.failures`. Forecasts that the task does
        not ask for are left out, with a note; so are chances of a trend, and the task's joint
        scores and metrics, which are worked out of whole forecasts.

    Raises
    ------
    BacktestError
        If an id is no origin's, a table is of another day or counts horizons from another month,
        quantiles are not all of :data:`odforecast.names.HUB_QUANTILES`, a value is no number, the
        label is that of a model of the registry, or nothing is left to score.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.backtesting import Task
    >>> task = Task.load("quick")
    >>> made = od.get_model("drift").fit(task.origins[0].panel).forecast(draws=100)
    >>> results = score_submission(task, {task.origin_ids[0]: od.to_hub(made)}, "my-drift")
    >>> len(results.scores), len(results.failures)  # 4 places by 12 months; 7 origins are missing
    (48, 7)
    """
    if task.definition["dataset"] == COUNTIES:
        raise BacktestError(f"task {task.name} is of counties, and hub files hold jurisdictions")
    known = dict(zip(task.origin_ids, task.origins))
    if wrong := [key for key in tables if key not in known]:
        raise BacktestError(
            f"{quoted(wrong[0])} is no origin of task {task.name}",
            hint=f"its {len(known)} origins are {', '.join(list(known)[:2])}, …",
        )
    check_label(label)
    hashes = []
    for key in sorted(tables):  # rows and columns in another order are the same forecasts
        names = sorted(map(str, tables[key]))
        rows_hash = pd.util.hash_pandas_object(tables[key][names], index=False).to_numpy()
        hashes.append(content_hash(*names, np.sort(rows_hash)))
    spec = content_hash("submitted", label, version, *hashes)
    keys = {"model": label, "model_version": version}
    scores, quantiles, failures, left_out, chances = [], [], [], 0, 0
    for key, origin in known.items():
        told = keys | _of_origin(origin)
        if origin.panel is None:
            failures.append(failure_row(told, "*", "*", origin.reason))
            continue
        if key not in tables:
            failures.append(failure_row(told, "*", "*", "no file of this origin was submitted"))
            continue
        chances += int((tables[key]["output_type"] == "pmf").sum())
        file = (files or {}).get(key)
        where = f"origin {key}" if file is None else f"{file}, origin {key}"
        rows, extra = _wanted(task, where, origin, tables[key])
        left_out += extra
        failures += _missing(task, origin, rows, told)
        if rows.empty:
            continue
        scores.append(_scores(task, origin.panel, rows, told, spec))
        quantiles.append(_quantiles(origin.panel, rows, told))
    if not scores:
        raise BacktestError("no forecast that the task asks for was submitted")
    said = list(notes)
    if left_out:
        said.append(f"{left_out:,} forecasts that the task does not ask for were left out")
    if chances:
        said.append(f"{chances:,} rows of chances of a trend (pmf) were left out: not scored here")
    more = task.definition["scores"]
    if more["joint"]:
        said.append("joint scores were not made: they need draws of a forecast that is made here")
    if more["metrics"]:
        named = ", ".join(more["metrics"])
        said.append(f"metrics of the task were not made ({named}): they need a forecast made here")
    table = pd.concat(quantiles, ignore_index=True)
    return Results(
        {
            "scores": pd.concat(scores, ignore_index=True),
            "quantiles": table.astype(dict.fromkeys(QUANTILE_CATEGORIES, "category")),
            "failures": pd.DataFrame(failures, columns=list(FAILURE_COLUMNS)),
        },
        _manifest(task, label, version, spec, len(tables), said),
    )


def _wanted(
    task: Task, where: str, origin: Origin, table: pd.DataFrame
) -> tuple[pd.DataFrame, int]:
    """The rows that the task asks for, nowcast included, and how many forecasts are others."""
    panel, says = origin.panel, task.definition
    assert panel is not None
    table = table[table["output_type"].isin(["quantile", "sample"])]
    days = table["origin_date"].astype("datetime64[s]")
    others = days[days != pd.Timestamp(origin.as_of)]
    if len(others):
        raise BacktestError(
            f"{where}: forecasts say origin_date {others.iloc[0]:%Y-%m-%d}, it is {origin.as_of}",
            hint="origins.csv of the exported task has the day of each",
        )
    months = table["target_end_date"].to_numpy().astype("datetime64[M]")
    ahead = (months - panel.last_month).astype(int)
    if (off := ahead != table["horizon"].to_numpy()).any():
        row = table[off].iloc[0]
        raise BacktestError(
            f"{where}: horizon {row['horizon']} of location {row['location']} does not fit "
            f"{row['target_end_date']:%Y-%m}",
            hint=f"horizon 1 is the month after {panel.last_month}, the last one known",
        )
    if "scenario_id" in table:
        raise BacktestError(f"{where}: forecasts have scenarios, which a task has not")
    asked_for = asked(task, origin)
    horizons = set(asked_for["horizon"])
    if says["horizons"] == ALL:
        horizons |= set(range(-_BACK, 1))
    keep = table["location"].isin(set(asked_for["location"]))
    keep &= table["target"].isin(says["targets"]) & table["horizon"].isin(horizons)
    extra = table.loc[~keep, ["location", "target", "horizon"]].drop_duplicates()
    rows = table[keep]
    # The same levels for everybody: more of them would be another score.
    level = rows["output_type_id"].to_numpy(dtype=float)[:, None]
    usual = np.isclose(level, np.array(HUB_QUANTILES), rtol=0, atol=1e-9).any(axis=1)
    rows = rows[usual | (rows["output_type"] == "sample").to_numpy()]
    _refuse_holes(where, rows)
    return rows, len(extra)


def _refuse_holes(where: str, rows: pd.DataFrame) -> None:
    """Refuse a forecast that lacks levels: without the outer ones its WIS would be lower."""
    units = ["location", "target", "horizon", "target_end_date"]
    bad = rows[~np.isfinite(rows["value"].to_numpy(dtype=float))]
    if len(bad):
        row = bad.iloc[0]
        raise BacktestError(
            f"{where}: a value of location {row['location']}, {row['target_end_date']:%Y-%m}, "
            f"{row['target']} is no number",
            hint="leave a forecast out as a whole: what is missing is counted",
        )
    levels = rows[rows["output_type"] == "quantile"]
    level = levels["output_type_id"].astype(float).round(6)
    found = levels.assign(level=level).groupby(units, sort=False)["level"].agg(["size", "nunique"])
    n = len(HUB_QUANTILES)
    if not (off := found[(found["size"] != n) | (found["nunique"] != n)]).empty:
        location, target, _, end = off.index[0]
        size, different = (int(x) for x in off.iloc[0])
        twice = f" ({size} rows)" if size != different else ""
        raise BacktestError(
            f"{where}: the forecast of location {location}, {end:%Y-%m}, {target} has "
            f"{different} of the {n} quantile levels{twice}",
            hint="give each of them once, or samples: levels.csv of the exported task has them",
        )


def _missing(
    task: Task, origin: Origin, rows: pd.DataFrame, told: Mapping[str, Any]
) -> list[dict[str, object]]:
    """A failure row per place and target of which a forecast is missing."""
    keys = ["location", "target", "horizon"]
    wanted = asked(task, origin)[keys]
    there = rows[keys].drop_duplicates()
    lacking = wanted.merge(there, on=keys, how="left", indicator=True)
    lacking = lacking[lacking["_merge"] == "left_only"]
    n = int(wanted.groupby(keys[:2]).size().max()) if len(wanted) else 0
    out = []
    for (code, target), part in lacking.groupby(keys[:2], sort=False):
        what = "no month" if len(part) == n else f"{n - len(part)} of {n} months"
        reason = f"{what} submitted" if len(part) == n else f"{what} submitted: others are missing"
        out.append(failure_row(told, lookup(str(code)).state, str(target), reason))
    return out


def _scores(
    task: Task, panel: Panel, rows: pd.DataFrame, told: Mapping[str, Any], spec: str
) -> pd.DataFrame:
    """Rows of the score table."""
    truth = task.truth
    table = score_hub(rows, truth.observed).drop(columns=["as_of", "last_month"])
    row = {s: i for i, s in enumerate(panel.locations)}
    at = table["location"].map(row).to_numpy()
    column = (table["month"].to_numpy().astype("datetime64[M]") - panel.months[0]).astype(int)
    inside = (column >= 0) & (column < panel.months.size)
    reported = np.full(len(table), np.nan)
    reported[inside] = panel.reported[at[inside], column[inside]]
    reported[table["target"] != TARGET_12MO] = np.nan
    table = table.assign(
        **told,
        truth=truth.kind,
        truth_release=pd.Timestamp(truth.release),
        data_hash=panel.data_hash,
        spec_hash=spec,
        seed=task.definition["seed"],
        rps=np.nan,
        rps_pooled=np.nan,
        last_reported=panel.reported[at, -1],
        reported=reported,
        revised=revised(table["observed"], reported),
        joint_locations=False,
        warnings="",
    )
    first = [c for c in SCORE_COLUMNS if c in table]
    return table[[*first, *(c for c in table if c not in first)]]


def _quantiles(panel: Panel, rows: pd.DataFrame, told: Mapping[str, Any]) -> pd.DataFrame:
    rows = rows[rows["output_type"] == "quantile"]
    months = rows["target_end_date"].to_numpy().astype("datetime64[M]")
    table = rows[["target", "horizon", "value"]].assign(
        location=[lookup(code).state for code in rows["location"]],
        month=months.astype("datetime64[ms]"),
        level=rows["output_type_id"].astype(float),
        model=told["model"],
        as_of=told["as_of"],
        last_month=np.datetime64(panel.last_month, "ms"),
        donor=told["donor"],
    )
    return table[list(QUANTILE_COLUMNS)]


def _of_origin(origin: Origin) -> dict[str, Any]:
    panel = origin.panel
    last = None if panel is None else pd.Timestamp(panel.last_month.astype("datetime64[s]"))
    return {
        "as_of": pd.Timestamp(origin.as_of),
        "last_month": last,
        "vintage": origin.vintage,
        "donor": origin.donor if panel is None else panel.donor,
        "donor_distance": np.nan if origin.distance is None else float(origin.distance),
    }


def _manifest(
    task: Task, label: str, version: str, spec: str, n_files: int, notes: list[str]
) -> dict[str, object]:
    """As the manifest of a run, with what is known of forecasts that were made elsewhere."""
    panels = [o.panel for o in task.origins if o.panel is not None]
    says, truth = task.definition, task.truth
    locations = list(usual_places(panels))
    if says["locations"] != ALL:
        known = dict.fromkeys(s for p in panels for s in p.locations)
        locations = [s for s in known if s in says["locations"]]
    return {
        "odforecast": __version__,
        "python": platform.python_version(),
        "run": content_hash(task.fingerprint, spec),
        "models": {label: version},
        "specs": {label: spec},
        "code": None,
        "warnings": {},
        "model_seconds": {},
        "origins": task.origins_listed,
        "truth": {
            "name": truth.kind,
            "release": str(truth.release),
            "min_age": truth.min_age,
            "data_hash": truth.data_hash,
        },
        "locations": locations,
        "indicator": truth.panel.indicator,
        "dataset": truth.panel.dataset,
        "basis": truth.panel.basis,
        "targets": list(says["targets"]),
        "horizon": says["horizon"],
        "horizons": says["horizons"],
        "levels": list(HUB_QUANTILES),
        "draws": says["draws"],
        "seed": says["seed"],
        "notes": notes,
        "data_notes": list(dict.fromkeys(n for p in (*panels, truth.panel) for n in p.notes)),
        "task": task.manifest,
        "submitted": {label: {"files": n_files, "claim": CLAIM}},
    }
