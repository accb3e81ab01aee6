"""A hub made from an archive, one that goes on with new releases, and a task as hubs."""

from __future__ import annotations

import copy
import json
import os
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import yaml

from odforecast.backtesting.origin import Origin, as_dict
from odforecast.backtesting.submission import asked
from odforecast.backtesting.task import ALL, Task
from odforecast.errors import BacktestError, DataError, one_of
from odforecast.forecasts.trend import CATEGORIES, LONGEST, category, thresholds
from odforecast.geography.places import LOCATIONS, called, lookup, population
from odforecast.hub.files import DECIMALS, write_parquet
from odforecast.hub.layout import (
    CONFIG,
    MODEL_METADATA,
    MODEL_OUTPUT,
    TARGET_DATA,
    TEAM,
    Hub,
    model_id,
    values_of,
)
from odforecast.io import replacing, replacing_folder
from odforecast.models import get_model, model_names, registry
from odforecast.months import ONE_MONTH, Months, month_end
from odforecast.names import (
    ALL_DRUGS,
    COUNTIES,
    HUB_COLUMNS,
    HUB_QUANTILES,
    LOCATION,
    MONTH,
    STATES,
    TARGET_12MO,
    TARGET_MONTH,
    TARGET_TREND,
    TARGETS,
    VINTAGE_REAL,
)
from odforecast.panel import Floats, Panel
from odforecast.say import quoted
from odforecast.version import __version__
from odforecast.vintage import Archive
from odforecast.vintage import archive as own_archive

if TYPE_CHECKING:
    from odforecast.backtesting.origin import Origin
    from odforecast.scoring import Truth

#: The schemas that the configuration is written for.
SCHEMAS: Final = "https://raw.githubusercontent.com/hubverse-org/schemas/main/v6.0.0"
#: The rule, in words: it stands in every target's description.
HORIZON_RULE: Final = (
    "Horizon h is the h-th month after the last month known on origin_date (last_data_dates in the "
    "round's additional_metadata has that month for each origin_date). It is not counted from "
    "origin_date. target_end_date is the last day of the month. Horizons of 0 and below revise "
    "months that are already published."
)
#: Where a round says which month was the last one known, by origin.
LAST_DATES: Final = "last_data_dates"
#: Horizons of months that were published already, and are revised.
NOWCAST: Final = tuple(range(-11, 1))
_ROUNDS: Final = {
    VINTAGE_REAL: "one round per CDC release",
    "pseudo-clean": "one round per past month, with complete counts from one later release",
    "pseudo-delayed": "one round per past month, with counts from one later release, made as "
    "incomplete as a real release was",
}
_BY: Final = {
    None: "It is fitted to all locations together.",
    "state": "It is fitted to each state separately.",
    "location": "It is fitted to each location separately.",
}
_DELAY = "+delay"
#: Files that are the same in every hub, and their folders.
_PAGES: Final = {
    "target-data.json": CONFIG,
    "model-metadata-schema.json": CONFIG,
    "validate-submission.yaml": ".github/workflows",
}
_BREAK: Final = re.compile(r"\n\s+")

#: What stands in the configuration until somebody says better.
CONTACT: Final[Mapping[str, str]] = {
    "name": "The hub's maintainer",
    "email": "hub@example.org",
}
REPOSITORY: Final = "example/overdose-hub"
#: Columns of the time series, without ``as_of``, which its folder says.
TIME_SERIES: Final = (
    "target_end_date",
    "location",
    "target",
    "location_name",
    "observation",
    "predicted",
    "percent_complete",
    "percent_pending",
)
#: Columns of the answers.
ORACLE: Final = (
    "origin_date",
    "target_end_date",
    "location",
    "target",
    "output_type",
    "output_type_id",
    "oracle_value",
    "as_of",
)


def init(
    folder: str | os.PathLike[str],
    archive: Archive | None = None,
    *,
    indicator: str = "all-drugs",
    kind: str = VINTAGE_REAL,
    start: object | None = None,
    end: object | None = None,
    models: Sequence[str] | str | None = None,
    horizon: int = 12,
    samples: tuple[int, int] = (100, 1000),
    joint: Sequence[str] = (LOCATION, MONTH),
    name: str | None = None,
    maintainer: str = "odforecast",
    contact: Mapping[str, str] = CONTACT,
    repository: str = REPOSITORY,
    license: str = "CC-BY-4.0",
) -> Hub:
    """Make a hubverse hub.

    Parameters
    ----------
    folder : path
        Absent or empty.
    archive : Archive, optional
        Default: your own releases with the bundled ones.
    indicator : str
        CDC's name or a short one.
    kind : {"real", "pseudo-clean", "pseudo-delayed"}
        One round per release, or one per past month, complete or as incomplete as a release was.
    start, end : month, optional
        First and last *last known month* of the rounds.
    models : sequence of str, or "all", optional
        Built-in models whose metadata are written. Default: those of a backtest.
    horizon : int
        Months ahead.
    samples : tuple of int
        Fewest and most samples of a task.
    joint : sequence of str
        Axes over which a sample must be one path: ``"location"``, ``"month"``.
    contact : mapping of str to str
        ``name`` and ``email``.
    repository : str
        ``OWNER/NAME``.
    license : str
        Of the built-in models' output.

    Returns
    -------
    Hub
        Valid by version 6.0.0 of the hubverse's schemas, with the dashboard's files.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> hub = od.hub.init(tempfile.mkdtemp() + "/hub", od.bundled())
    >>> hub.rounds[0]["additional_metadata"]["last_data_dates"]
    {'2025-09-17': '2025-04-30', '2026-01-14': '2025-08-31'}
    >>> len(hub.target_files("time-series")), len(hub.metadata_files())
    (2, 8)
    """
    from odforecast.backtesting.origin import KINDS, origins
    from odforecast.scoring import Truth

    if not isinstance(folder, str | os.PathLike):
        raise DataError(
            f"folder is {quoted(folder)}", hint="give the path of a new folder"
        )
    target = Path(folder)
    check_room(target)
    if kind not in KINDS:
        raise DataError(f"unknown kind of rounds {kind!r}", hint=one_of(kind, KINDS))
    if license not in licences():
        raise DataError(
            f"unknown license {license!r}", hint=one_of(license, licences())
        )
    labels = _labels(models)
    releases = _releases(archive)
    panels = _panels(
        origins(releases, kind, start=start, end=end, donors=1, indicator=indicator)
    )
    newest = releases.as_of().panel(indicator)
    truth = Truth(newest)
    title = name or "Forecasts of US drug-overdose deaths"
    if not name and newest.indicator != ALL_DRUGS:
        title += f", {newest.indicator}"
    facts = {
        "indicator": newest.indicator,
        "dataset": newest.dataset,
        "basis": newest.basis,
        "rounds": kind,
        "truth_release": str(truth.release),
        "made_with": f"odforecast {__version__}",
    }
    admin = admin_config(
        title, maintainer, contact=contact, repository=repository, facts=facts
    )
    tasks = tasks_config(panels, horizon, samples=samples, joint=joint)
    with replacing_folder(target) as part:
        for folder_name in (MODEL_METADATA, MODEL_OUTPUT):
            (part / folder_name).mkdir()
        write_json(admin, part / CONFIG / "admin.json")
        write_json(tasks, part / CONFIG / "tasks.json")
        write_targets(part, panels, panels=panels, truth=truth, horizon=horizon)
        for label in labels:
            write_metadata(label, part, license=license)
        write_text(_places(newest), part / "auxiliary-data" / "locations.csv")
        write_pages(admin, tasks, labels=labels, hub=part)
        check_room(target)  # somebody may have filled it meanwhile
    return Hub.open(target)


def update(hub: str | os.PathLike[str] | Hub, archive: Archive | None = None) -> Hub:
    """Add the rounds of new releases, and the counts that have settled.

    Existing rounds, submissions, metadata and pages stay. A round is in ``tasks.json`` only once
    its data are there.

    Parameters
    ----------
    hub : path or Hub
        Made by :func:`odforecast.hub.init`, one round per release.
    archive : Archive, optional
        Default: your own releases with the bundled ones.

    Raises
    ------
    DataError
        If the hub was not made here, its rounds are past months, or the archive lacks a release of
        the hub.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> hub = od.hub.init(tempfile.mkdtemp() + "/hub", od.bundled())
    >>> len(od.hub.update(hub, od.bundled()).target_files("time-series"))
    2
    """
    from odforecast.backtesting.origin import origins
    from odforecast.scoring import Truth

    opened = hub if isinstance(hub, Hub) else Hub.open(hub)
    facts = facts_of(opened)
    if not opened.rounds or "last_data_date" in opened.rounds[-1]:
        raise DataError(
            f"{opened.root}: tasks.json has no entry of rounds as hub init writes it",
            hint="create another hub: odforecast hub init DIR",
        )
    last = opened.rounds[-1]
    if facts["rounds"] != VINTAGE_REAL:
        raise DataError(
            f"{opened.root} replays past months ({facts['rounds']}), so it takes no new rounds",
            hint="create another hub: odforecast hub init DIR",
        )
    releases = _releases(archive)
    truth = Truth(releases.as_of().panel(facts["indicator"]))
    if str(truth.release) < facts["truth_release"]:
        raise DataError(
            f"the archive ends with {truth.release}, and {opened.root} already has final counts of "
            f"{facts['truth_release']}",
            hint="get the newer releases: odforecast data fetch",
        )
    panels = _panels(origins(releases, VINTAGE_REAL, indicator=facts["indicator"]))
    days = list(opened.origins)
    panel_of = {panel.as_of.isoformat(): panel for panel in panels}
    for day in days:
        if day not in panel_of:
            raise DataError(
                f"the archive has no release {day}, which is a round of {opened.root}",
                hint="use the archive that the hub was made from",
            )
    # Releases before the hub's first round were left out when it was made.
    before = [panel_of[day] for day in days]
    new = [panel for day, panel in panel_of.items() if day > max(days)]
    horizon = max(values_of(last["model_tasks"][0]["task_ids"]["horizon"]))
    write_targets(opened.root, new, panels=before + new, truth=truth, horizon=horizon)
    if new:
        rounds = [*opened.rounds[:-1], with_origins(last, new, before=before)]
        write_json({**opened.tasks, "rounds": rounds}, opened.config / "tasks.json")
    new_facts = {**facts, "truth_release": str(truth.release)}
    if new:
        new_facts["horizon_rule"] = HORIZON_RULE
    if new_facts != facts:
        admin = {**opened.admin, "additional_metadata": new_facts}
        write_json(admin, opened.config / "admin.json")
    return Hub.open(opened.root)


def facts_of(hub: Hub) -> dict[str, Any]:
    """What a hub that was made here says about itself; another one is refused."""
    facts = dict(hub.admin.get("additional_metadata") or {})
    if not {"indicator", "rounds", "truth_release"} <= set(facts):
        raise DataError(
            f"{hub.root} was not made by odforecast hub init",
            hint="add rounds to tasks.json by hand, forecast from what was known then, and use "
            "od.hub.submit",
        )
    return facts


def _releases(archive: Archive | None) -> Archive:
    """The archive given, or your own."""
    if archive is not None and not isinstance(archive, Archive):
        raise DataError(
            f"archive is {quoted(archive)}, not an archive",
            hint="pass od.bundled(), od.archive() or od.Archive(folder)",
        )
    return own_archive() if archive is None else archive


def check_room(folder: Path) -> None:
    """Refuse a folder that holds something, before any work."""
    if folder.is_dir():
        names = sorted(path.name for path in folder.iterdir())
        if names:
            raise DataError(
                f"{folder} is not empty: {names[0]}",
                hint="give a new folder; an existing hub is not overwritten",
            )
    elif folder.exists() or folder.is_symlink():
        raise DataError(f"{folder} is a file", hint="give a new folder")
    parent = next(path for path in folder.absolute().parents if path.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise DataError(f"{folder}: nothing can be written into {parent}")


def _labels(models: Sequence[str] | str | None) -> tuple[str, ...]:
    """Labels of built-in models, each once."""
    if models is None:
        from odforecast.backtesting import DEFAULT_MODELS

        return DEFAULT_MODELS
    if isinstance(models, str):
        if models != "all":
            raise DataError(f"models is {models!r}", hint="a list of labels, or 'all'")
        return all_labels()
    labels = tuple(dict.fromkeys(models))
    for label in labels:
        if not built_in(label):
            raise DataError(
                f"{label!r} is not a built-in model of states",
                hint=one_of(label, all_labels()),
            )
    return labels


def _panels(origins: Sequence[Origin]) -> list[Panel]:
    """What was known at each origin; of several of one day, what reaches furthest."""
    panels = [origin.panel for origin in origins if origin.panel is not None]
    if not panels:
        reasons = [origin.reason for origin in origins if origin.reason]
        reason = reasons[0] if reasons else "no release can be used"
        raise DataError(f"no round can be made: {reason}")
    panels.sort(key=lambda panel: (panel.as_of, panel.last_month))
    return list({panel.as_of: panel for panel in panels}.values())


def _places(panel: Panel) -> str:
    """Places as hubs list them: code, name, people (blank where they are not counted)."""
    year = int(str(panel.last_month)[:4])
    people = [population(state, year) for state in panel.locations]
    columns = {
        "abbreviation": panel.locations,
        "location": [lookup(state).code for state in panel.locations],
        "location_name": [called(state) for state in panel.locations],
        "population": pd.array(np.round(people), dtype="Int64"),
    }
    return pd.DataFrame(columns).to_csv(index=False, lineterminator="\n")


def time_series(panel: Panel) -> pd.DataFrame:
    """Every count that was known on a day, by target, place and month."""
    sums = _units(panel, TARGET_12MO, months=panel.months).assign(
        observation=panel.reported.ravel(),
        predicted=panel.predicted.ravel(),
        percent_complete=panel.complete.ravel(),
        percent_pending=panel.pending.ravel(),
    )
    monthly = _units(panel, TARGET_MONTH, months=panel.month_grid).assign(
        observation=np.round(panel.monthly, DECIMALS).ravel(),
        predicted=np.nan,
        percent_complete=np.nan,
        percent_pending=np.nan,
    )
    table = pd.concat([sums, monthly], ignore_index=True)
    table = table[table["observation"].notna()].reset_index(drop=True)
    names = {lookup(state).code: called(state) for state in panel.locations}
    table["location_name"] = table["location"].map(names)
    return table[list(TIME_SERIES)]


def oracle_output(
    panels: Iterable[Panel], truth: Truth, horizon: int = 12
) -> pd.DataFrame:
    """The answers of the rounds, as far as they are known."""
    release = np.datetime64(truth.release, "s")
    parts = []
    for panel in panels:
        if panel.as_of >= truth.release:
            continue
        tables = [
            _counts(panel, truth, target=target, horizon=horizon) for target in TARGETS
        ]
        tables.append(_trends(panel, truth, horizon=min(horizon, LONGEST)))
        origin = np.datetime64(panel.as_of, "s")
        for table in tables:
            if len(table):
                parts.append(table.assign(origin_date=origin, as_of=release))
    if not parts:
        return pd.DataFrame(columns=list(ORACLE))
    return pd.concat(parts, ignore_index=True)[list(ORACLE)]


def _counts(panel: Panel, truth: Truth, target: str, horizon: int) -> pd.DataFrame:
    """Answers of quantiles and samples: the count itself, whatever the level or number."""
    months = panel.last_month + np.arange(NOWCAST[0], horizon + 1) * ONE_MONTH
    values, _ = truth.observed(panel.locations, months, target)
    table = _units(panel, target, months=months)
    table["oracle_value"] = np.round(values, DECIMALS).ravel()
    table = table[table["oracle_value"].notna()]
    if table.empty:
        return table
    parts = []
    for output_type in ("quantile", "sample"):
        parts.append(table.assign(output_type=output_type, output_type_id=None))
    return pd.concat(parts, ignore_index=True)


def _trends(panel: Panel, truth: Truth, horizon: int) -> pd.DataFrame:
    """The observed category, as :func:`odforecast.scoring.trend_scores` works it out."""
    months = panel.last_month + np.arange(1, horizon + 1) * ONE_MONTH
    year_before = months - 12 * ONE_MONTH
    reported: Floats = np.full((len(panel.locations), months.size), np.nan)
    column = (year_before - panel.months[0]).astype(int)
    inside = (column >= 0) & (column < panel.months.size)
    reported[:, inside] = panel.reported[:, column[inside]]
    later, _ = truth.observed(panel.locations, months)
    earlier, _ = truth.observed(panel.locations, year_before)
    observed = category(later - earlier, earlier, first=thresholds(reported)[0]).ravel()
    table = _units(panel, TARGET_TREND, months=months).assign(output_type="pmf")
    table = table.loc[np.repeat(np.flatnonzero(observed >= 0), len(CATEGORIES))]
    k = np.arange(len(table)) % len(CATEGORIES)
    table["output_type_id"] = np.array(CATEGORIES, dtype=object)[k]
    table["oracle_value"] = (observed[table.index] == k).astype(float)
    return table


def _units(panel: Panel, target: str, months: Months) -> pd.DataFrame:
    """A row per place and month."""
    ends = np.array([month_end(month) for month in months], dtype="datetime64[s]")
    codes = np.array([lookup(state).code for state in panel.locations], dtype=object)
    return pd.DataFrame(
        {
            "target_end_date": np.tile(ends, len(codes)),
            "location": np.repeat(codes, months.size),
            "target": target,
        }
    )


def write_targets(
    hub: Path,
    new: Iterable[Panel],
    panels: Iterable[Panel],
    truth: Truth,
    horizon: int,
) -> None:
    """Write versions of the time series, and the answers."""
    for panel in new:
        name = f"as_of={panel.as_of}"
        path = hub / TARGET_DATA / "time-series" / name / "part-0.parquet"
        write_parquet(time_series(panel), path)
    answers = oracle_output(panels, truth, horizon=horizon)
    write_parquet(answers, hub / TARGET_DATA / "oracle-output.parquet")


# The configuration, the models' metadata, the pages


def template(name: str) -> str:
    """A text of ``templates/``."""
    return (resources.files("odforecast.hub") / "templates" / name).read_text(
        encoding="utf-8"
    )


def admin_config(
    name: str,
    maintainer: str,
    contact: Mapping[str, str],
    repository: str,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """What ``admin.json`` holds; ``facts`` are about the hub's data."""
    owner, _, repo = repository.partition("/")
    if not (owner and repo) or "/" in repo or len(repository.split()) != 1:
        raise DataError(
            f"repository is {repository!r}", hint="OWNER/NAME, as ohio/overdose-hub"
        )
    email = contact.get("email", "")
    if not re.fullmatch(r"[^@\s]+@[^\s]*\.[^\s]*", email):
        raise DataError(
            f"the contact's address is {email!r}", hint="somebody@example.org"
        )
    return {
        "schema_version": f"{SCHEMAS}/admin-schema.json",
        "name": name,
        "maintainer": maintainer,
        "contact": {"name": contact["name"], "email": email},
        "repository": {"host": "github", "owner": owner, "name": repo},
        "file_format": ["csv", "parquet"],
        "timezone": "US/Eastern",
        "additional_metadata": {"horizon_rule": HORIZON_RULE, **facts},
    }


def tasks_config(
    panels: Sequence[Panel],
    horizon: int,
    samples: tuple[int, int],
    joint: Iterable[str],
) -> dict[str, Any]:
    """What ``tasks.json`` holds, by version 6.0.0 of the hubverse's schema."""
    if not 1 <= horizon <= 120:
        raise DataError(f"horizon is {horizon}", hint="1 to 120 months")
    if not 1 <= samples[0] <= samples[1]:
        raise DataError(
            f"samples are {samples[0]} to {samples[1]}", hint="1 or more, rising"
        )
    for axis in sorted(joint):
        if axis not in (LOCATION, MONTH):
            raise DataError(f"joint over {axis!r}", hint=f"{LOCATION}, {MONTH}")
    tasks: dict[str, Any] = json.loads(template("tasks.json"))
    (round_,) = tasks["rounds"]
    ahead = list(range(1, horizon + 1))
    counts, trend = round_["model_tasks"]
    counts["task_ids"]["horizon"]["optional"] = [*NOWCAST, *ahead]
    trend["task_ids"]["horizon"]["optional"] = ahead[:LONGEST]
    for task in (counts, trend):
        for target in task["target_metadata"]:
            target["description"] += f" {HORIZON_RULE}"
    set_samples(counts, samples, joint=joint)
    return tasks | {"rounds": [with_origins(round_, panels)]}


def one_round(
    required: Mapping[str, Sequence[Any]],
    last_month: np.datetime64,
    levels: Sequence[float],
    samples: tuple[int, int],
    joint: Iterable[str],
    revised: Sequence[int] = (),
) -> dict[str, Any]:
    """``tasks.json`` of one round: values of each task id, all required.

    Horizons count from ``last_month``, the last one known; those of ``revised`` are optional.
    """
    tasks: dict[str, Any] = json.loads(template("tasks.json"))
    (round_,) = tasks["rounds"]
    task = round_["model_tasks"][0]
    task_ids: dict[str, Any] = {}
    for name, values in required.items():
        task_ids[name] = {"required": values, "optional": None}
    # Hubs want a variable that follows from others to be optional.
    task_ids["horizon"]["optional"] = list(revised) or None
    months = last_month + np.array([*revised, *required["horizon"]]) * ONE_MONTH
    ends = [month_end(month).isoformat() for month in months]
    task_ids["target_end_date"] = {"required": None, "optional": ends}
    task["task_ids"] = task_ids
    quantiles = task["output_type"]["quantile"]["output_type_id"]
    quantiles["required"] = [float(level) for level in levels]
    set_samples(task, samples, joint=joint)
    metadata = {target["target_id"]: target for target in task["target_metadata"]}
    for target in metadata.values():
        del target["description"]
    task["target_metadata"] = [metadata[name] for name in required["target"]]
    # One set of tasks: a sample may not span two, and a draw is one over both targets.
    round_ |= {"model_tasks": [task], "file_format": ["csv", "parquet"]}
    round_["derived_task_ids"] = tasks.pop("derived_task_ids")
    (day,) = required["origin_date"]
    round_["additional_metadata"] = {
        LAST_DATES: {day: month_end(last_month).isoformat()}
    }
    return tasks | {"output_type_id_datatype": "double"}


def write_round(
    hub: Path,
    tasks: Mapping[str, Any],
    panel: Panel,
    targets: Iterable[str],
    name: str,
    facts: Mapping[str, Any],
) -> None:
    """Write a hub of one round: what is asked for, and the counts of targets known then."""
    for folder in (MODEL_METADATA, MODEL_OUTPUT):
        (hub / folder).mkdir(parents=True)
    admin = admin_config(
        name,
        TEAM,
        contact=CONTACT,
        repository=REPOSITORY,
        facts={"indicator": panel.indicator, **facts},
    )
    write_json(admin, hub / CONFIG / "admin.json")
    write_json(tasks, hub / CONFIG / "tasks.json")
    for page in ("target-data.json", "model-metadata-schema.json"):
        write_text(template(page), hub / CONFIG / page)
    counts = time_series(panel).assign(as_of=str(panel.as_of))
    text = counts[counts["target"].isin(targets)].to_csv(
        index=False,
        lineterminator="\n",
        float_format="%.10g",
        date_format="%Y-%m-%d",
    )
    write_text(text, hub / TARGET_DATA / "time-series.csv")


def set_samples(
    task: dict[str, Any], samples: tuple[int, int], joint: Iterable[str]
) -> None:
    """How many samples there are, and over which axes they are one course, besides the targets."""
    compound = ["origin_date"]
    if LOCATION not in joint:
        compound.append("location")
    if MONTH not in joint:
        compound.append("horizon")
    params = task["output_type"]["sample"]["output_type_id_params"]
    params |= {
        "min_samples_per_task": samples[0],
        "max_samples_per_task": samples[1],
        "compound_taskid_set": compound,
    }


def with_origins(
    round_: Mapping[str, Any], panels: Sequence[Panel], before: Iterable[Panel] = ()
) -> dict[str, Any]:
    """A round with more origins, their months, and places that no earlier origin had."""
    grown: dict[str, Any] = copy.deepcopy(dict(round_))
    last_dates = {
        str(panel.as_of): month_end(panel.last_month).isoformat() for panel in panels
    }
    grown["additional_metadata"].setdefault(LAST_DATES, {}).update(last_dates)
    new_codes = _codes_in(panels) - _codes_in(before)
    for task in grown["model_tasks"]:
        ids = task["task_ids"]
        ends = set()
        for panel in panels:
            for horizon in values_of(ids["horizon"]):
                ends.add(month_end(panel.last_month + horizon * ONE_MONTH).isoformat())
        for name, days in (("origin_date", set(last_dates)), ("target_end_date", ends)):
            ids[name]["optional"] = sorted(days | set(ids[name]["optional"] or ()))
        codes = new_codes | set(ids["location"]["optional"] or ())
        ids["location"]["optional"] = [
            place.code for place in LOCATIONS if place.code in codes
        ]
    return grown


def _codes_in(panels: Iterable[Panel]) -> set[str]:
    """Hub codes of the places of panels."""
    return {lookup(state).code for panel in panels for state in panel.locations}


@cache
def licences() -> tuple[str, ...]:
    """Licences that a model's output may have in a hub made here."""
    schema = json.loads(template("model-metadata-schema.json"))
    return tuple(schema["properties"]["license"]["enum"])


def built_in(label: str) -> bool:
    """Whether a label is of a model of states that comes with the package."""
    row = registry.built_in(label)
    return row is not None and row.dataset == STATES


def all_labels() -> tuple[str, ...]:
    """Labels of all built-in models of states; each with ``+delay`` too where it can have it."""
    labels = []
    for name in model_names(STATES):
        spec = get_model(name).spec
        if spec.origin != TEAM:
            continue
        labels.append(name)
        if not spec.corrects_delay:
            labels.append(name + _DELAY)
    return tuple(labels)


def model_metadata(label: str, license: str = "CC-BY-4.0") -> dict[str, Any]:
    """What a hub is to know of a built-in model."""
    row = registry.built_in(label)
    if row is None or row.dataset != STATES:
        raise DataError(
            f"{label!r} is not a built-in model of states",
            hint=f"write its metadata by hand into {MODEL_METADATA}/TEAM-MODEL.yml",
        )
    spec = get_model(label).spec
    name = row.title
    methods = row.methods
    if label.endswith(_DELAY):
        name = f"{name}, corrected for delay"
        methods = (
            f"{methods} Recent months are first corrected for the reporting delay."
        )
    joint = "Its draws are joint over the months of a location, not over locations."
    if LOCATION in spec.joint:
        joint = (
            "Its draws are joint over locations and months: in each, the states add up to the "
            "nation."
        )
    paths = "Its paths are monthly deaths, added up to 12-month-ending counts."
    if spec.target == TARGET_12MO:
        paths = (
            "Its paths are 12-month-ending counts; it does not forecast single months."
        )
    late = (
        "" if spec.corrects_delay else " It does not correct for the reporting delay."
    )
    team, _, abbr = model_id(label).partition("-")
    return dict(yaml.safe_load(template("metadata.yml"))) | {
        "team_abbr": team,
        "model_name": name,
        "model_abbr": abbr,
        "model_version": f"{spec.version} ({spec.hash})",
        "license": license,
        "designated_model": row.listed or row.baseline,  # what the dashboard draws
        "methods": methods,
        "methods_long": f"Label in odforecast: {label}. {methods} {_BY[spec.by]} {joint} "
        f"{paths}{late}",
        "ensemble_of_models": len(spec.members) > 1,
    }


def write_metadata(label: str, hub: Path, license: str = "CC-BY-4.0") -> None:
    """Write a built-in model's metadata, ``model-metadata/TEAM-MODEL.yml``."""
    text = yaml.safe_dump(
        model_metadata(label, license),
        sort_keys=False,
        allow_unicode=True,
        width=96,
    )
    write_text(text, hub / MODEL_METADATA / f"{model_id(label)}.yml")


def write_json(value: Mapping[str, Any], path: Path) -> None:
    """Write a configuration for people to read: a list of numbers or words on one line."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    lines = re.sub(
        r"\[\n\s+([^\[\]{}]+?)\n\s*\]", lambda x: f"[{_BREAK.sub(' ', x[1])}]", text
    )
    write_text(lines + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write a text; it is whole, or as it was."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_pages(
    admin: Mapping[str, Any],
    tasks: Mapping[str, Any],
    labels: Sequence[str],
    hub: Path,
) -> None:
    """Write what a hub says to people and to others' machines."""
    facts = admin["additional_metadata"]
    (round_,) = tasks["rounds"]
    counts = round_["model_tasks"][0]
    due = round_["submissions_due"]
    ids = counts["task_ids"]
    sample = counts["output_type"]["sample"]["output_type_id_params"]
    course = ["both targets"]
    if "location" not in sample["compound_taskid_set"]:
        course.append("all locations")
    if "horizon" not in sample["compound_taskid_set"]:
        course.append("all months")

    def model(*choices: str) -> str:
        """The first of these models that the hub knows; else its first model."""
        available = [label for label in (*choices, *labels) if label in labels]
        return model_id(available[0] if available else choices[0])

    day, last = list(round_["additional_metadata"][LAST_DATES].items())[-1]
    example = labels[-1] if labels else "auto-ets"
    codes = ids["location"]["optional"]
    nation = ["US"] if "US" in codes else codes[:1]
    words = {
        "title": admin["name"],
        "made_with": facts["made_with"],
        "indicator": facts["indicator"],
        "made": _ROUNDS[facts["rounds"]],
        "rule": HORIZON_RULE,
        "day": day,
        "last": last,
        "first": next(end for end in ids["target_end_date"]["optional"] if end > last),
        "horizon": ids["horizon"]["optional"][-1],
        "columns": ", ".join(f"`{name}`" for name in HUB_COLUMNS),
        "least": sample["min_samples_per_task"],
        "most": sample["max_samples_per_task"],
        "course": " and ".join(course),
        "start": due["start"],
        "end": due["end"],
        "example": example,
        "example_id": model_id(example),
        "repository": f"{admin['repository']['owner']}/{admin['repository']['name']}",
        "baseline": model("hub-baseline"),
        "monthly_baseline": model("naive+delay", "naive"),
        "checked": json.dumps(
            list(dict.fromkeys([model("dlm"), model("hub-baseline")]))
        ),
        "nation": json.dumps(nation),
        "states": json.dumps([code for code in codes if code not in nation] or codes),
        "places": "\n".join(f'    "{x.code}": "{called(x.state)}"' for x in LOCATIONS),
    }
    blocks = template("README.md").format(**words).strip().split("\n\n")
    for i, block in enumerate(blocks):
        if block[0] not in "|#":
            blocks[i] = _filled(block)
    write_text("\n\n".join(blocks) + "\n", hub / "README.md")
    for name, folder in _PAGES.items():
        write_text(template(name), hub / folder / name)
    write_text(template("submissions.md"), hub / MODEL_OUTPUT / "README.md")
    words["title"] = json.dumps(admin["name"], ensure_ascii=False)
    for name in ("site-config.yml", "predtimechart-config.yml", "predevals-config.yml"):
        write_text(
            template(f"dashboard/{name}").format(**words), hub / "dashboard" / name
        )


def _filled(text: str) -> str:
    """A text in lines; codes and dates hold no space: lines break between them."""
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


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
