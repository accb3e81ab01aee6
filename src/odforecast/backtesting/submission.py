"""A task for a model that lives elsewhere."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
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
from odforecast.io import replacing_folder
from odforecast.months import month_end
from odforecast.names import ALL_DRUGS, COUNTIES, HUB_COLUMNS, HUB_QUANTILES, TARGET_12MO
from odforecast.panel import Floats, Panel
from odforecast.say import quoted
from odforecast.scoring import score_hub
from odforecast.scoring.columns import SCORE_COLUMNS
from odforecast.scoring.units import revised
from odforecast.seeds import content_hash

#: What a submission is taken to be.
CLAIM = (
    "the submitter says that each forecast was made from what was known on its origin's day; "
    "nothing here can check that"
)
#: Months before the last known one that may be completed: the nowcast.
_BACK = 11
#: By this file a folder is known to hold an exported task.
MARK = "task.json"
KNOWN = "known"
ASKED = "asked"
#: Columns of the files of what was known.
KNOWN_COLUMNS = (
    "origin_id",
    "as_of",
    "release",
    "location",
    "abbreviation",
    "indicator",
    "month",
    "reported",
    "predicted",
    "percent_complete",
    "percent_pending",
)
#: Of its numbers, what the layers of a panel are called there.
_LAYERS = dict(zip(KNOWN_COLUMNS[-4:], ("reported", "predicted", "complete", "pending")))
#: Indicator of what an earlier release knew of deaths from all causes, at its last month.
A_YEAR = "Deaths from all causes in a year"
#: Columns of the files of what is asked for, the key of a forecast in a hub file among them.
ASKED_COLUMNS = ("origin_id", *HUB_COLUMNS[:5])

# -- The task as files ----------------------------------------------------------------------------


def export(task: Task, folder: str | Path) -> Path:
    """Write what each origin knew, and what is asked for, as CSV files.

    An exported task is replaced. Refuses a task of counties, for which hubs have no codes, and a
    folder of something else.

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
        with replacing_folder(out) as made:
            _write_all(task, origins, out=made)
    except OSError as error:
        raise BacktestError(f"cannot write to {out}: {error.strerror or error}") from error
    return out


def _write_all(task: Task, origins: Sequence[tuple[str, Origin]], out: Path) -> None:
    for name in (KNOWN, ASKED):
        (out / name).mkdir(parents=True)
    rows = []
    first = True
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
    """Forecasts that a task asks for at an origin: a row per place, target and month."""
    says = task.definition
    panel = origin.panel
    assert panel is not None
    there = places(task, [panel])
    ahead = months_ahead(says)
    out = forecasts_of([as_dict(origin)], there, targets=says["targets"], ahead=ahead)
    return pd.DataFrame(
        {
            "origin_date": str(origin.as_of),
            "location": out["location"].map({s: lookup(s).code for s in there}),
            "target": out["target"],
            "horizon": out["horizon"],
            "target_end_date": [str(month_end(m)) for m in out["month"].to_numpy("datetime64[M]")],
        }
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
    parts = [
        _cells(
            each,
            each.as_of,
            layers={name: getattr(each, layer) for name, layer in _LAYERS.items()},
        )
        for each in (panel, *(p for _, p in sorted(panel.beside.items())))
    ]
    parts += _earlier(panel)
    table = pd.concat(parts, ignore_index=True).assign(origin_id=key, as_of=str(panel.as_of))
    return table[list(KNOWN_COLUMNS)]


def _earlier(panel: Panel) -> Iterator[pd.DataFrame]:
    """What earlier releases said about the same cells, and of deaths of all causes in a year."""
    if panel.triangle is None:
        return
    layers = panel.triangle.layers
    for i, date in enumerate(panel.triangle.releases):
        said = {name: layers[n][i] for name, n in _LAYERS.items() if n in layers}
        yield _cells(panel, date, layers=said)
        if (everyone := layers.get("all_deaths")) is not None and np.isfinite(everyone[i]).any():
            cells = np.full(panel.reported.shape, np.nan)
            cells[:, np.flatnonzero(np.isfinite(said["reported"]).any(axis=0))[-1]] = everyone[i]
            yield _cells(panel, date, layers={"reported": cells}).assign(indicator=A_YEAR)


def _cells(panel: Panel, release: dt.date, layers: Mapping[str, Floats]) -> pd.DataFrame:
    """The cells of one indicator that hold anything in a release."""
    n_loc, n_time = panel.reported.shape
    columns = {
        "release": str(release),
        "location": np.repeat([lookup(s).code for s in panel.locations], n_time),
        "abbreviation": np.repeat(panel.locations, n_time),
        "indicator": "all-drugs" if panel.indicator == ALL_DRUGS else panel.indicator,
        "month": np.tile([str(m) for m in panel.months], n_loc),
    }
    table = pd.DataFrame(columns | {name: layer.ravel() for name, layer in layers.items()})
    return table[table[list(layers)].notna().any(axis=1)]


def _template(wanted: pd.DataFrame) -> pd.DataFrame:
    """Rows of a hub file, a row per level, values left empty."""
    n = len(HUB_QUANTILES)
    rows = wanted.loc[wanted.index.repeat(n)].reset_index(drop=True)
    rows["output_type"] = "quantile"
    rows["output_type_id"] = np.tile(HUB_QUANTILES, len(wanted))
    rows["value"] = ""
    return rows[list(HUB_COLUMNS)]


def _write(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(
        path,
        index=False,
        lineterminator="\n",
        float_format="%.10g",
    )


# -- Forecasts that were made elsewhere -----------------------------------------------------------


def score_submission(
    task: Task,
    tables: Mapping[str, pd.DataFrame],
    label: str,
    version: str = "submitted",
    files: Mapping[str, str] | None = None,
) -> Results:
    """Score hub tables of a task's origins, by origin id.

    Tables are as :func:`odforecast.read_hub` returns them. ``label`` is a name for the leaderboard,
    ``files`` the file of each table, for messages. Missing origins, places and months are rows of
    :attr:`Results.failures`; forecasts not requested are left out, with a note. A mistake in a
    table is a BacktestError.

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
            f"{quoted(wrong[0])} is not an origin of task {task.name}",
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
    scores = []
    quantiles = []
    failures = []
    left_out = 0
    chances = 0
    for key, origin in known.items():
        told = keys | labels_of(origin)
        if origin.panel is None or key not in tables:
            reason = origin.reason or "no file of this origin was submitted"
            failures.append(failure_row(told, "*", target="*", reason=reason))
            continue
        chances += int((tables[key]["output_type"] == "pmf").sum())
        where = ", ".join([*([files[key]] if files and key in files else []), f"origin {key}"])
        rows, extra = _wanted(task, where, origin=origin, table=tables[key])
        left_out += extra
        failures += _missing(task, origin, rows=rows, told=told)
        if not rows.empty:
            scores.append(_scores(task, origin.panel, rows=rows, told=told, spec=spec))
            quantiles.append(_quantiles(origin.panel, rows, told=told))
    if not scores:
        raise BacktestError("no forecast that the task asks for was submitted")
    said = []
    if left_out:
        said.append(f"{left_out:,} forecasts that the task does not ask for were left out")
    if chances:
        said.append(f"{chances:,} rows of chances of a trend (pmf) were left out: not scored here")
    says = task.definition
    if named := ", ".join(says["scores"]["metrics"]):
        said.append(f"metrics of the task were not made ({named}): they need a forecast made here")
    manifest = manifest_of(
        task.truth,
        task.origins,
        notes=said,
        run=content_hash(task.fingerprint, spec),
        models={label: version},
        specs={label: spec},
        code=None,
        warnings={},
        model_seconds={},
        locations=list(places(task, [o.panel for o in task.origins if o.panel is not None])),
        targets=list(says["targets"]),
        horizon=says["horizon"],
        horizons=says["horizons"],
        levels=list(HUB_QUANTILES),
        draws=says["draws"],
        seed=says["seed"],
        task=task.manifest,
        submitted={label: {"files": len(tables), "claim": CLAIM}},
    )
    table = pd.concat(quantiles, ignore_index=True)
    return Results(
        {
            "scores": pd.concat(scores, ignore_index=True),
            "quantiles": table.astype(dict.fromkeys(QUANTILE_CATEGORIES, "category")),
            "failures": failure_table(failures),
        },
        manifest,
    )


def _wanted(
    task: Task,
    where: str,
    origin: Origin,
    table: pd.DataFrame,
) -> tuple[pd.DataFrame, int]:
    """The rows that the task asks for, nowcast included, and how many forecasts are others."""
    panel = origin.panel
    says = task.definition
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
        raise BacktestError(f"{where}: forecasts have scenarios, and a task has none")
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
            f"{row['target']} is not a number",
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
    task: Task,
    origin: Origin,
    rows: pd.DataFrame,
    told: Mapping[str, Any],
) -> list[dict[str, object]]:
    """A failure row per place and target of which a forecast is missing."""
    keys = ["location", "target", "horizon"]
    wanted = asked(task, origin)[keys]
    there = rows[keys].drop_duplicates()
    lacking = wanted.merge(
        there,
        on=keys,
        how="left",
        indicator=True,
    )
    lacking = lacking[lacking["_merge"] == "left_only"]
    n = int(wanted.groupby(keys[:2]).size().max()) if len(wanted) else 0
    out = []
    for (code, target), part in lacking.groupby(keys[:2], sort=False):
        what = "no month" if len(part) == n else f"{n - len(part)} of {n} months"
        reason = f"{what} submitted" if len(part) == n else f"{what} submitted: others are missing"
        out.append(failure_row(told, lookup(str(code)).state, target=str(target), reason=reason))
    return out


def _scores(
    task: Task,
    panel: Panel,
    rows: pd.DataFrame,
    told: Mapping[str, Any],
    spec: str,
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
