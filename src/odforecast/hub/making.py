"""A hub made from an archive, and one that goes on with new releases."""

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

from odforecast.errors import DataError, one_of
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
    HUB_COLUMNS,
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
CONTACT: Final[Mapping[str, str]] = {"name": "The hub's maintainer", "email": "hub@example.org"}
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
        raise DataError(f"folder is {quoted(folder)}", hint="give the path of a new folder")
    target = Path(folder)
    check_room(target)
    if kind not in KINDS:
        raise DataError(f"unknown kind of rounds {kind!r}", hint=one_of(kind, KINDS))
    if license not in licences():
        raise DataError(f"unknown license {license!r}", hint=one_of(license, licences()))
    labels = _labels(models)
    releases = _releases(archive)
    panels = _panels(origins(releases, kind, start=start, end=end, donors=1, indicator=indicator))
    newest = releases.as_of().panel(indicator)
    truth = Truth(newest)
    what = newest.indicator
    title = name or "Forecasts of US drug-overdose deaths" + f", {what}" * (what != ALL_DRUGS)
    facts = {
        "indicator": what,
        "dataset": newest.dataset,
        "basis": newest.basis,
        "rounds": kind,
        "truth_release": str(truth.release),
        "made_with": f"odforecast {__version__}",
    }
    admin = admin_config(title, maintainer, contact=contact, repository=repository, more=facts)
    tasks = tasks_config(panels, horizon, samples=samples, joint=joint)
    with replacing_folder(target) as part:
        for name in (MODEL_METADATA, MODEL_OUTPUT):
            (part / name).mkdir()
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

    there = hub if isinstance(hub, Hub) else Hub.open(hub)
    facts = facts_of(there)
    if not there.rounds or "last_data_date" in there.rounds[-1]:
        raise DataError(
            f"{there.root}: tasks.json has no entry of rounds as hub init writes it",
            hint="create another hub: odforecast hub init DIR",
        )
    last = there.rounds[-1]
    if facts["rounds"] != VINTAGE_REAL:
        raise DataError(
            f"{there.root} replays past months ({facts['rounds']}), so it takes no new rounds",
            hint="create another hub: odforecast hub init DIR",
        )
    releases = _releases(archive)
    truth = Truth(releases.as_of().panel(facts["indicator"]))
    if str(truth.release) < facts["truth_release"]:
        raise DataError(
            f"the archive ends with {truth.release}, and {there.root} already has final counts of "
            f"{facts['truth_release']}",
            hint="get the newer releases: odforecast data fetch",
        )
    panels = _panels(origins(releases, VINTAGE_REAL, indicator=facts["indicator"]))
    days = list(there.origins)
    known = {panel.as_of.isoformat(): panel for panel in panels}
    if missing := [day for day in days if day not in known]:
        raise DataError(
            f"the archive has no release {missing[0]}, which is a round of {there.root}",
            hint="use the archive that the hub was made from",
        )
    # Releases before the hub's first round were left out when it was made.
    before = [known[day] for day in days]
    new = [panel for day, panel in known.items() if day > max(days)]
    horizon = max(values_of(last["model_tasks"][0]["task_ids"]["horizon"]))
    write_targets(there.root, new, panels=before + new, truth=truth, horizon=horizon)
    if new:
        rounds = [*there.rounds[:-1], with_origins(last, new, before=before)]
        write_json({**there.tasks, "rounds": rounds}, there.config / "tasks.json")
    changed = {**facts, "truth_release": str(truth.release)}
    changed |= {"horizon_rule": HORIZON_RULE} if new else {}
    if changed != facts:
        write_json({**there.admin, "additional_metadata": changed}, there.config / "admin.json")
    return Hub.open(there.root)


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
        if there := sorted(p.name for p in folder.iterdir()):
            raise DataError(
                f"{folder} is not empty: {there[0]}",
                hint="give a new folder; an existing hub is not overwritten",
            )
    elif folder.exists() or folder.is_symlink():
        raise DataError(f"{folder} is a file", hint="give a new folder")
    above = next(p for p in folder.absolute().parents if p.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise DataError(f"{folder}: nothing can be written into {above}")


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
    if wrong := [label for label in labels if not built_in(label)]:
        raise DataError(
            f"{wrong[0]!r} is not a built-in model of states", hint=one_of(wrong[0], all_labels())
        )
    return labels


def _panels(found: Sequence[Origin]) -> list[Panel]:
    """What was known at each origin; of several of one day, what reaches furthest."""
    panels = [o.panel for o in found if o.panel is not None]
    if not panels:
        why = next((o.reason for o in found if o.reason), "no release can be used")
        raise DataError(f"no round can be made: {why}")
    panels.sort(key=lambda p: (p.as_of, p.last_month))
    return list({panel.as_of: panel for panel in panels}.values())


def _places(panel: Panel) -> str:
    """Places as hubs list them: code, name, people (blank where they are not counted)."""
    people = [population(s, int(str(panel.last_month)[:4])) for s in panel.locations]
    columns = {
        "abbreviation": panel.locations,
        "location": [lookup(s).code for s in panel.locations],
        "location_name": [called(s) for s in panel.locations],
        "population": pd.array(np.round(people), dtype="Int64"),
    }
    return pd.DataFrame(columns).to_csv(index=False, lineterminator="\n")


def time_series(panel: Panel) -> pd.DataFrame:
    """Every count that was known on a day, by target, place and month."""
    blank = np.full(panel.monthly.shape, np.nan)
    parts = []
    for target, months, counts, *more in (
        (TARGET_12MO, panel.months, panel.reported, panel.predicted, panel.complete, panel.pending),
        (TARGET_MONTH, panel.month_grid, np.round(panel.monthly, DECIMALS), blank, blank, blank),
    ):
        table = _units(panel, target, months=months)
        names = np.array([called(s) for s in panel.locations], dtype=object)
        table["location_name"] = np.repeat(names, months.size)
        for name, values in zip(TIME_SERIES[4:], (counts, *more)):
            table[name] = values.ravel()
        parts.append(table[table["observation"].notna()])
    return pd.concat(parts, ignore_index=True)[list(TIME_SERIES)]


def oracle_output(panels: Iterable[Panel], truth: Truth, horizon: int = 12) -> pd.DataFrame:
    """The answers of the rounds, as far as they are known."""
    release = np.datetime64(truth.release, "s")
    parts = [
        part.assign(origin_date=np.datetime64(panel.as_of, "s"), as_of=release)
        for panel in panels
        if panel.as_of < truth.release
        for part in (
            *(_counts(panel, truth, target=target, horizon=horizon) for target in TARGETS),
            _trends(panel, truth, horizon=min(horizon, LONGEST)),
        )
        if len(part)
    ]
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
    given = [table.assign(output_type=x, output_type_id=None) for x in ("quantile", "sample")]
    return pd.concat(given, ignore_index=True)


def _trends(panel: Panel, truth: Truth, horizon: int) -> pd.DataFrame:
    """The category that came: as :func:`odforecast.scoring.trend_scores` works it out."""
    months = panel.last_month + np.arange(1, horizon + 1) * ONE_MONTH
    known: Floats = np.full((len(panel.locations), months.size), np.nan)
    at = (months - 12 * ONE_MONTH - panel.months[0]).astype(int)
    inside = (at >= 0) & (at < panel.months.size)
    known[:, inside] = panel.reported[:, at[inside]]
    later, _ = truth.observed(panel.locations, months)
    before, _ = truth.observed(panel.locations, months - 12 * ONE_MONTH)
    came = category(later - before, before, first=thresholds(known)[0]).ravel()
    table = _units(panel, TARGET_TREND, months=months).assign(output_type="pmf")
    table = table.loc[np.repeat(np.flatnonzero(came >= 0), len(CATEGORIES))]
    k = np.arange(len(table)) % len(CATEGORIES)
    table["output_type_id"] = np.array(CATEGORIES, dtype=object)[k]
    table["oracle_value"] = (came[table.index] == k).astype(float)
    return table


def _units(panel: Panel, target: str, months: Months) -> pd.DataFrame:
    """A row per place and month."""
    ends = np.array([month_end(m) for m in months], dtype="datetime64[s]")
    codes = np.array([lookup(s).code for s in panel.locations], dtype=object)
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
    return (resources.files("odforecast.hub") / "templates" / name).read_text(encoding="utf-8")


def admin_config(
    name: str,
    maintainer: str,
    contact: Mapping[str, str],
    repository: str,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """What ``admin.json`` holds."""
    owner, _, repo = repository.partition("/")
    if not (owner and repo) or "/" in repo or len(repository.split()) != 1:
        raise DataError(f"repository is {repository!r}", hint="OWNER/NAME, as ohio/overdose-hub")
    email = contact.get("email", "")
    if not re.fullmatch(r"[^@\s]+@[^\s]*\.[^\s]*", email):
        raise DataError(f"the contact's address is {email!r}", hint="somebody@example.org")
    return {
        "schema_version": f"{SCHEMAS}/admin-schema.json",
        "name": name,
        "maintainer": maintainer,
        "contact": {"name": contact["name"], "email": email},
        "repository": {"host": "github", "owner": owner, "name": repo},
        "file_format": ["csv", "parquet"],
        "timezone": "US/Eastern",
        "additional_metadata": {"horizon_rule": HORIZON_RULE, **more},
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
        raise DataError(f"samples are {samples[0]} to {samples[1]}", hint="1 or more, rising")
    if wrong := set(joint) - {LOCATION, MONTH}:
        raise DataError(f"joint over {sorted(wrong)[0]!r}", hint=f"{LOCATION}, {MONTH}")
    tasks: dict[str, Any] = json.loads(template("tasks.json"))
    (round_,) = tasks["rounds"]
    ahead = list(range(1, horizon + 1))
    horizons = ([*NOWCAST, *ahead], [h for h in ahead if h <= LONGEST])
    for task, asked in zip(round_["model_tasks"], horizons):
        task["task_ids"]["horizon"]["optional"] = asked
        for target in task["target_metadata"]:
            target["description"] += f" {HORIZON_RULE}"
    set_samples(round_["model_tasks"][0], samples, joint=joint)
    return tasks | {"rounds": [with_origins(round_, panels)]}


def one_round(
    required: Mapping[str, Sequence[Any]],
    ends: Sequence[str],
    levels: Sequence[float],
    samples: tuple[int, int],
    joint: Iterable[str],
) -> dict[str, Any]:
    """``tasks.json`` of one round: values of each task id, all required, and the months' ends."""
    tasks: dict[str, Any] = json.loads(template("tasks.json"))
    (round_,) = tasks["rounds"]
    task = round_["model_tasks"][0]
    task["task_ids"] = {
        **{name: {"required": values, "optional": None} for name, values in required.items()},
        # Hubs want a variable that follows from others to be optional.
        "target_end_date": {"required": None, "optional": list(ends)},
    }
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
    del round_["additional_metadata"]
    return tasks | {"output_type_id_datatype": "double"}


def set_samples(task: dict[str, Any], samples: tuple[int, int], joint: Iterable[str]) -> None:
    """How many samples there are, and over which axes they are one course, besides the targets."""
    own = [name for axis, name in ((LOCATION, "location"), (MONTH, "horizon")) if axis not in joint]
    params = task["output_type"]["sample"]["output_type_id_params"]
    params |= {
        "min_samples_per_task": samples[0],
        "max_samples_per_task": samples[1],
        "compound_taskid_set": ["origin_date", *own],
    }


def with_origins(
    round_: Mapping[str, Any], panels: Sequence[Panel], before: Iterable[Panel] = ()
) -> dict[str, Any]:
    """A round with more origins, their months, and places that no earlier origin had."""
    made: dict[str, Any] = copy.deepcopy(dict(round_))
    ends = {str(p.as_of): month_end(p.last_month).isoformat() for p in panels}
    made["additional_metadata"].setdefault(LAST_DATES, {}).update(ends)
    old = {lookup(s).code for p in before for s in p.locations}
    new = {lookup(s).code for p in panels for s in p.locations} - old
    for task in made["model_tasks"]:
        ids = task["task_ids"]
        months = {
            month_end(p.last_month + h * ONE_MONTH).isoformat()
            for p in panels
            for h in values_of(ids["horizon"])
        }
        for name, more in (("origin_date", set(ends)), ("target_end_date", months)):
            ids[name]["optional"] = sorted(more | set(ids[name]["optional"] or ()))
        there = new | set(ids["location"]["optional"] or ())
        ids["location"]["optional"] = [x.code for x in LOCATIONS if x.code in there]
    return made


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
    specs = {name: get_model(name).spec for name in model_names(STATES)}
    return tuple(
        label
        for name, spec in specs.items()
        if spec.origin == TEAM
        for label in (name, *[name + _DELAY] * (not spec.corrects_delay))
    )


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
        methods = f"{methods} Recent months are first corrected for the reporting delay."
    joint = "Its draws are joint over the months of a location, not over locations."
    if LOCATION in spec.joint:
        joint = "Its draws are joint over locations and months: in each, the states add up to the "
        joint += "nation."
    paths = "Its paths are monthly deaths, added up to 12-month-ending counts."
    if spec.target == TARGET_12MO:
        paths = "Its paths are 12-month-ending counts; it does not forecast single months."
    late = "" if spec.corrects_delay else " It does not correct for the reporting delay."
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
    said = model_metadata(label, license)
    text = yaml.safe_dump(
        said,
        sort_keys=False,
        allow_unicode=True,
        width=96,
    )
    write_text(text, hub / MODEL_METADATA / f"{model_id(label)}.yml")


def write_json(value: Mapping[str, Any], path: Path) -> None:
    """Write a configuration for people to read: a list of numbers or words on one line."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    lines = re.sub(r"\[\n\s+([^\[\]{}]+?)\n\s*\]", lambda x: f"[{_BREAK.sub(' ', x[1])}]", text)
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
    facts, (round_,) = admin["additional_metadata"], tasks["rounds"]
    counts = round_["model_tasks"][0]
    due = round_["submissions_due"]
    ids = counts["task_ids"]
    sample = counts["output_type"]["sample"]["output_type_id_params"]
    over = [
        f"all {what}"
        for what, column in (("locations", "location"), ("months", "horizon"))
        if column not in sample["compound_taskid_set"]
    ]

    def model(*wanted: str) -> str:
        """The first of these models that the hub knows; else its first model."""
        return model_id(next((x for x in (*wanted, *labels) if x in labels), wanted[0]))

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
        "first": next(x for x in ids["target_end_date"]["optional"] if x > last),
        "horizon": ids["horizon"]["optional"][-1],
        "columns": ", ".join(f"`{c}`" for c in HUB_COLUMNS),
        "least": sample["min_samples_per_task"],
        "most": sample["max_samples_per_task"],
        "course": " and ".join(["both targets", *over]),
        "start": due["start"],
        "end": due["end"],
        "example": example,
        "example_id": model_id(example),
        "repository": f"{admin['repository']['owner']}/{admin['repository']['name']}",
        "baseline": model("hub-baseline"),
        "monthly_baseline": model("naive+delay", "naive"),
        "checked": json.dumps(list(dict.fromkeys([model("dlm"), model("hub-baseline")]))),
        "nation": json.dumps(nation),
        "states": json.dumps([x for x in codes if x not in nation] or codes),
        "places": "\n".join(f'    "{x.code}": "{called(x.state)}"' for x in LOCATIONS),
    }
    blocks = [
        x if x[0] in "|#" else _filled(x)
        for x in template("README.md").format(**words).strip().split("\n\n")
    ]
    write_text("\n\n".join(blocks) + "\n", hub / "README.md")
    for name, folder in _PAGES.items():
        write_text(template(name), hub / folder / name)
    write_text(template("submissions.md"), hub / MODEL_OUTPUT / "README.md")
    words["title"] = json.dumps(admin["name"], ensure_ascii=False)
    for name in ("site-config.yml", "predtimechart-config.yml", "predevals-config.yml"):
        write_text(template(f"dashboard/{name}").format(**words), hub / "dashboard" / name)


def _filled(text: str) -> str:
    """A text in lines; codes and dates hold no space: lines break between them."""
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)
