"""Forecasts of a task that were made elsewhere: read, checked and scored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.backtesting.board import check_label
from odforecast.backtesting.origin import Origin, as_dict, labels_of
from odforecast.backtesting.results import QUANTILE_COLUMNS, Results, manifest_of
from odforecast.backtesting.task import ALL, Task, forecasts_of, months_ahead, places
from odforecast.backtesting.unit import QUANTILE_CATEGORIES, failure_row, failure_table
from odforecast.errors import BacktestError
from odforecast.geography.places import lookup
from odforecast.months import month_end
from odforecast.names import COUNTIES, HUB_QUANTILES, TARGET_12MO
from odforecast.panel import Panel
from odforecast.say import quoted
from odforecast.scoring import score_hub
from odforecast.scoring.columns import SCORE_COLUMNS
from odforecast.scoring.files import check_hub, read_forecasts
from odforecast.scoring.units import revised
from odforecast.seeds import content_hash

#: What a submission is taken to be.
CLAIM = (
    "the submitter says that each forecast was made from what was known on its origin's day; "
    "nothing here can check that"
)
#: Months before the last known one that may be completed: the nowcast.
_BACK = 11
#: What names one forecast of an origin.
_UNIT = ["location", "target", "horizon"]


def asked(task: Task, origin: Origin) -> pd.DataFrame:
    """Forecasts that a task asks for at an origin: a row per place, target and month."""
    definition = task.definition
    assert origin.panel is not None
    locations = places(task, [origin.panel])
    table = forecasts_of(
        [as_dict(origin)],
        locations,
        targets=definition["targets"],
        ahead=months_ahead(definition),
    )
    codes = {state: lookup(state).code for state in locations}
    months = table["month"].to_numpy("datetime64[M]")
    return pd.DataFrame(
        {
            "origin_date": str(origin.as_of),
            "location": table["location"].map(codes),
            "target": table["target"],
            "horizon": table["horizon"],
            "target_end_date": [str(month_end(month)) for month in months],
        }
    )


def score_submission(
    task: Task,
    forecasts: Mapping[str, str | Path | pd.DataFrame],
    label: str,
    version: str = "submitted",
) -> Results:
    """Score forecasts of a task's origins that were made elsewhere.

    Parameters
    ----------
    task : Task
        A task of states.
    forecasts : mapping of str to path or DataFrame
        Origin id (:attr:`Task.origin_ids`) to a hub file, a simple table or a hub table.
    label : str
        Name of the model on a leaderboard.
    version : str
        Its version.

    Returns
    -------
    Results
        Missing origins, places and months are rows of :attr:`Results.failures`; forecasts not
        requested are left out, with a note.

    Raises
    ------
    DataError
        If a file cannot be read, or breaks a rule of hub files: with file, row and value.
    BacktestError
        If an origin, a day or a horizon is not of the task, or nothing it asks for is there.

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
    definition = task.definition
    if definition["dataset"] == COUNTIES:
        raise BacktestError(
            f"task {task.name} is of counties, and hub files hold jurisdictions"
        )
    origins = dict(zip(task.origin_ids, task.origins))
    for key in forecasts:
        if key not in origins:
            raise BacktestError(
                f"{quoted(key)} is not an origin of task {task.name}",
                hint=f"its {len(origins)} origins are {', '.join(task.origin_ids[:2])}, …",
            )
    check_label(label)
    tables = {key: _read(forecasts[key], key, origin=origins[key]) for key in forecasts}
    spec = _hash_of(tables, label, version=version)
    scores = []
    quantiles = []
    failures = []
    n_unasked = 0
    n_chances = 0
    for key, origin in origins.items():
        labels = {"model": label, "model_version": version} | labels_of(origin)
        if origin.panel is None or key not in tables:
            reason = origin.reason or "no file of this origin was submitted"
            failures.append(failure_row(labels, "*", target="*", reason=reason))
            continue
        table = tables[key]
        n_chances += int((table["output_type"] == "pmf").sum())
        source = _source(forecasts[key], key)
        rows, n_left_out = _select_asked(task, source, origin=origin, table=table)
        n_unasked += n_left_out
        failures += _missing(task, origin, rows=rows, labels=labels)
        if not rows.empty:
            scores.append(
                _scores(task, origin.panel, rows=rows, labels=labels, spec=spec)
            )
            quantiles.append(_quantiles(origin.panel, rows, labels=labels))
    if not scores:
        raise BacktestError("no forecast that the task asks for was submitted")
    notes = []
    if n_unasked:
        notes.append(
            f"{n_unasked:,} forecasts that the task does not ask for were left out"
        )
    if n_chances:
        notes.append(
            f"{n_chances:,} rows of chances of a trend (pmf) were left out: not scored here"
        )
    if metrics := ", ".join(definition["scores"]["metrics"]):
        notes.append(
            f"metrics of the task were not made ({metrics}): they need a forecast made here"
        )
    manifest = manifest_of(
        task.truth,
        task.origins,
        notes=notes,
        run=content_hash(task.fingerprint, spec),
        models={label: version},
        specs={label: spec},
        code=None,
        warnings={},
        model_seconds={},
        locations=list(
            places(task, [o.panel for o in task.origins if o.panel is not None])
        ),
        targets=list(definition["targets"]),
        horizon=definition["horizon"],
        horizons=definition["horizons"],
        levels=list(HUB_QUANTILES),
        draws=definition["draws"],
        seed=definition["seed"],
        task=task.manifest,
        submitted={label: {"files": len(tables), "claim": CLAIM}},
    )
    quantile_table = pd.concat(quantiles, ignore_index=True)
    return Results(
        {
            "scores": pd.concat(scores, ignore_index=True),
            "quantiles": quantile_table.astype(
                dict.fromkeys(QUANTILE_CATEGORIES, "category")
            ),
            "failures": failure_table(failures),
        },
        manifest,
    )


def _read(
    forecast: str | Path | pd.DataFrame, key: str, origin: Origin
) -> pd.DataFrame:
    """Hub rows of a file or table, checked."""
    if isinstance(forecast, pd.DataFrame):
        return check_hub(forecast, source=_source(forecast, key))
    return read_forecasts(forecast, origin_date=origin.as_of)


def _source(forecast: str | Path | pd.DataFrame, key: str) -> str:
    """Where forecasts come from, for messages."""
    if isinstance(forecast, pd.DataFrame):
        return f"origin {key}"
    return f"{Path(forecast).name}, origin {key}"


def _hash_of(tables: Mapping[str, pd.DataFrame], label: str, version: str) -> str:
    """Hash of the forecasts; rows and columns in another order are the same forecasts."""
    hashes = []
    for key in sorted(tables):
        names = sorted(map(str, tables[key]))
        row_hashes = pd.util.hash_pandas_object(
            tables[key][names], index=False
        ).to_numpy()
        hashes.append(content_hash(*names, np.sort(row_hashes)))
    return content_hash("submitted", label, version, *hashes)


def _select_asked(
    task: Task,
    source: str,
    origin: Origin,
    table: pd.DataFrame,
) -> tuple[pd.DataFrame, int]:
    """The rows that the task asks for, nowcast included, and the number of other forecasts."""
    panel = origin.panel
    assert panel is not None
    table = table[table["output_type"].isin(["quantile", "sample"])]
    days = table["origin_date"].astype("datetime64[s]")
    wrong_days = days[days != pd.Timestamp(origin.as_of)]
    if len(wrong_days):
        raise BacktestError(
            f"{source}: forecasts say origin_date {wrong_days.iloc[0]:%Y-%m-%d}, it is "
            f"{origin.as_of}",
            hint="tasks.json of the exported origin has its day",
        )
    months = table["target_end_date"].to_numpy().astype("datetime64[M]")
    ahead = (months - panel.last_month).astype(int)
    wrong = table[ahead != table["horizon"].to_numpy()]
    if len(wrong):
        row = wrong.iloc[0]
        raise BacktestError(
            f"{source}: horizon {row['horizon']} of location {row['location']} does not fit "
            f"{row['target_end_date']:%Y-%m}",
            hint=f"horizon 1 is the month after {panel.last_month}, the last one known",
        )
    if "scenario_id" in table:
        raise BacktestError(f"{source}: forecasts have scenarios, and a task has none")
    wanted_units = asked(task, origin)
    horizons = set(wanted_units["horizon"])
    if task.definition["horizons"] == ALL:
        horizons |= set(range(-_BACK, 1))
    keep = (
        table["location"].isin(set(wanted_units["location"]))
        & table["target"].isin(task.definition["targets"])
        & table["horizon"].isin(horizons)
    )
    unasked = table.loc[~keep, _UNIT].drop_duplicates()
    rows = table[keep]
    # The same levels for everybody: more of them would be another score.
    level = rows["output_type_id"].to_numpy(dtype=float)[:, None]
    usual = np.isclose(level, np.array(HUB_QUANTILES), rtol=0, atol=1e-9).any(axis=1)
    is_sample = (rows["output_type"] == "sample").to_numpy()
    return rows[usual | is_sample], len(unasked)


def _missing(
    task: Task,
    origin: Origin,
    rows: pd.DataFrame,
    labels: Mapping[str, Any],
) -> list[dict[str, object]]:
    """A failure row per place and target of which a forecast is missing."""
    units = asked(task, origin)[_UNIT]
    submitted = rows[_UNIT].drop_duplicates()
    joined = units.merge(
        submitted,
        on=_UNIT,
        how="left",
        indicator=True,
    )
    missing = joined[joined["_merge"] == "left_only"]
    n_months = int(units.groupby(_UNIT[:2]).size().max()) if len(units) else 0
    failures = []
    for (code, target), part in missing.groupby(_UNIT[:2], sort=False):
        reason = "no month submitted"
        if len(part) < n_months:
            n_submitted = n_months - len(part)
            reason = f"{n_submitted} of {n_months} months submitted: others are missing"
        state = lookup(str(code)).state
        failures.append(failure_row(labels, state, target=str(target), reason=reason))
    return failures


def _scores(
    task: Task,
    panel: Panel,
    rows: pd.DataFrame,
    labels: Mapping[str, Any],
    spec: str,
) -> pd.DataFrame:
    """Rows of the score table."""
    truth = task.truth
    table = score_hub(rows, truth.observed).drop(columns=["as_of", "last_month"])
    row_of = {state: i for i, state in enumerate(panel.locations)}
    row = table["location"].map(row_of).to_numpy()
    month = table["month"].to_numpy().astype("datetime64[M]")
    column = (month - panel.months[0]).astype(int)
    inside = (column >= 0) & (column < panel.months.size)
    reported = np.full(len(table), np.nan)
    reported[inside] = panel.reported[row[inside], column[inside]]
    reported[table["target"] != TARGET_12MO] = np.nan
    table = table.assign(
        **labels,
        truth=truth.kind,
        truth_release=pd.Timestamp(truth.release),
        data_hash=panel.data_hash,
        spec_hash=spec,
        seed=task.definition["seed"],
        rps=np.nan,
        rps_pooled=np.nan,
        last_reported=panel.reported[row, -1],
        reported=reported,
        revised=revised(table["observed"], reported),
        joint_locations=False,
        warnings="",
    )
    first = [name for name in SCORE_COLUMNS if name in table]
    rest = [name for name in table if name not in first]
    return table[[*first, *rest]]


def _quantiles(
    panel: Panel, rows: pd.DataFrame, labels: Mapping[str, Any]
) -> pd.DataFrame:
    """Rows of the table of quantiles."""
    rows = rows[rows["output_type"] == "quantile"]
    months = rows["target_end_date"].to_numpy().astype("datetime64[M]")
    table = rows[["target", "horizon", "value"]].assign(
        location=[lookup(code).state for code in rows["location"]],
        month=months.astype("datetime64[ms]"),
        level=rows["output_type_id"].astype(float),
        model=labels["model"],
        as_of=labels["as_of"],
        last_month=np.datetime64(panel.last_month, "ms"),
        donor=labels["donor"],
    )
    return table[list(QUANTILE_COLUMNS)]
