"""A hub made from an archive, and one that goes on with new releases."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from odforecast.errors import DataError, one_of
from odforecast.forecast.trend import CATEGORIES, LONGEST, category, thresholds
from odforecast.geography.places import called, lookup, population
from odforecast.hub import config
from odforecast.hub.config import NOWCAST
from odforecast.hub.files import DECIMALS, write_parquet
from odforecast.hub.layout import (
    CONFIG,
    MODEL_METADATA,
    MODEL_OUTPUT,
    TARGET_DATA,
    Hub,
    origins_of,
    values_of,
)
from odforecast.months import ONE_MONTH, Months, month_end
from odforecast.names import (
    ALL_DRUGS,
    LOCATION,
    MONTH,
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

#: What stands in the configuration until somebody says better.
CONTACT: Final[Mapping[str, str]] = {"name": "The hub's maintainer", "email": "hub@example.org"}
REPOSITORY: Final = "example/overdose-hub"
#: Columns of the time series, without ``as_of``, which its folder says.
TIME_SERIES: Final = (
    "target_end_date", "location", "target", "location_name", "observation", "predicted",
    "percent_complete", "percent_pending",
)  # fmt: skip
#: Columns of the answers.
ORACLE: Final = (
    "origin_date", "target_end_date", "location", "target", "output_type", "output_type_id",
    "oracle_value", "as_of",
)  # fmt: skip


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

    Raises
    ------
    DataError
        If the folder is not empty, or an argument is wrong.
    BacktestError
        If there is no origin.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> hub = od.hub.init(tempfile.mkdtemp() + "/hub", od.bundled())
    >>> hub.rounds[0]["additional_metadata"]["last_data_dates"]
    {'2025-09-17': '2025-04-30', '2026-01-14': '2025-08-31'}
    >>> len(hub.target_files("time-series")), len(hub.metadata_files())
    (2, 9)
    """
    from odforecast.backtesting.origin import KINDS, origins
    from odforecast.scoring import Truth

    if not isinstance(folder, str | os.PathLike):
        raise DataError(f"folder is {quoted(folder)}", hint="give the path of a new folder")
    target = Path(folder)
    check_room(target)
    if kind not in KINDS:
        raise DataError(f"unknown kind of rounds {kind!r}", hint=one_of(kind, KINDS))
    if license not in config.licences():
        raise DataError(f"unknown licence {license!r}", hint=one_of(license, config.licences()))
    labels = _labels(models)
    releases = _releases(archive)
    panels = _panels(origins(releases, kind, start, end, donors=1, indicator=indicator))
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
    admin = config.admin_config(title, maintainer, contact, repository, facts)
    tasks = config.tasks_config(panels, horizon, samples, joint)
    with appearing(target) as part:
        config.write_json(admin, part / CONFIG / "admin.json")
        config.write_json(tasks, part / CONFIG / "tasks.json")
        write_targets(part, panels, panels, truth, horizon)
        (part / MODEL_METADATA).mkdir()
        for label in labels:
            config.write_metadata(label, part, license)
        (part / MODEL_OUTPUT).mkdir()
        (part / "auxiliary-data").mkdir()
        config.write_text(_places(newest), part / "auxiliary-data" / "locations.csv")
        config.write_pages(admin, tasks, labels, part)
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
    facts = there.admin.get("additional_metadata") or {}
    needed = {"indicator", "rounds", "truth_release"}
    if needed - set(facts) or not there.rounds:
        raise DataError(
            f"{there.root} was not made by odforecast hub init, so its rounds cannot be added to",
            hint="add them to tasks.json by hand",
        )
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
    days = list(origins_of(there))
    known = {panel.as_of.isoformat(): panel for panel in panels}
    if missing := [day for day in days if day not in known]:
        raise DataError(
            f"the archive has no release {missing[0]}, which is a round of {there.root}",
            hint="use the archive that the hub was made from",
        )
    # Releases before the hub's first round were left out when it was made.
    before = [known[day] for day in days]
    new = [panel for day, panel in known.items() if day > max(days)]
    last = there.rounds[-1]
    horizon = max(values_of(last["model_tasks"][0]["task_ids"]["horizon"]))
    write_targets(there.root, new, before + new, truth, horizon)
    if new:
        rounds = [*there.rounds[:-1], config.with_origins(last, new, before)]
        if "last_data_date" in last:
            rounds = [*there.rounds, config.with_origins(_emptied(last), new, before)]
        config.write_json({**there.tasks, "rounds": rounds}, there.root / CONFIG / "tasks.json")
    changed = {**facts, "truth_release": str(truth.release)}
    if new:
        changed["horizon_rule"] = config.HORIZON_RULE
    if changed != facts:
        admin = {**there.admin, "additional_metadata": changed}
        config.write_json(admin, there.root / CONFIG / "admin.json")
    return Hub.open(there.root)


def _emptied(round_: Mapping[str, Any]) -> dict[str, Any]:
    """A round of one release, as older versions made them, without its origin and its rule."""
    none = {x: {"required": None, "optional": None} for x in ("origin_date", "target_end_date")}
    tasks = [task | {"task_ids": task["task_ids"] | none} for task in round_["model_tasks"]]
    for task in tasks:
        task["target_metadata"] = [
            target | {"description": config.with_rule(target["description"])}
            for target in task["target_metadata"]
        ]
    kept = {k: v for k, v in round_.items() if k not in ("round_name", "last_data_date")}
    said = dict(kept.get("additional_metadata") or {})
    said["horizon"] = dict(said.get("horizon") or {}) | {"counted_from": config.LAST_DATES}
    return kept | {"model_tasks": tasks, "additional_metadata": said}


def _releases(archive: Archive | None) -> Archive:
    """The archive given, or your own."""
    if archive is None:
        return own_archive()
    if not isinstance(archive, Archive):
        raise DataError(
            f"archive is {quoted(archive)}, not an archive",
            hint="pass od.bundled(), od.archive() or od.Archive(folder)",
        )
    return archive


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


@contextlib.contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """A hidden folder beside an absent or empty one that takes its place only once it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    part.mkdir()
    try:
        yield part
        if folder.is_dir():
            folder.rmdir()  # an empty one; if somebody filled it meanwhile, this raises
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _labels(models: Sequence[str] | str | None) -> tuple[str, ...]:
    """Labels of built-in models, each once."""
    if models is None:
        from odforecast.backtesting import DEFAULT_MODELS

        return DEFAULT_MODELS
    if isinstance(models, str):
        if models != "all":
            raise DataError(f"models is {models!r}", hint="a list of labels, or 'all'")
        return config.all_labels()
    labels = tuple(dict.fromkeys(models))
    if wrong := [label for label in labels if not config.built_in(label)]:
        raise DataError(
            f"{wrong[0]!r} is not a built-in model of states",
            hint=one_of(wrong[0], config.all_labels()),
        )
    return labels


def _panels(found: Sequence[Origin]) -> list[Panel]:
    """What was known at each origin; of several of one day, what reaches furthest."""
    kept: dict[object, Panel] = {}
    for panel in (o.panel for o in found if o.panel is not None):
        before = kept.get(panel.as_of)
        if before is None or before.last_month <= panel.last_month:
            kept[panel.as_of] = panel
    if not kept:
        why = next((o.reason for o in found if o.reason), "no release can be used")
        raise DataError(f"no round can be made: {why}")
    return [kept[day] for day in sorted(kept, key=str)]


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
        table = _units(panel, target, months)
        names = np.array([called(s) for s in panel.locations], dtype=object)
        table["location_name"] = np.repeat(names, months.size)
        for name, values in zip(TIME_SERIES[4:], (counts, *more)):
            table[name] = values.ravel()
        parts.append(table[table["observation"].notna()])
    return pd.concat(parts, ignore_index=True)[list(TIME_SERIES)]


def oracle_output(panels: Iterable[Panel], truth: Truth, horizon: int = 12) -> pd.DataFrame:
    """The answers of the rounds, as far as they are known."""
    parts = [
        part
        for panel in panels
        if panel.as_of < truth.release
        for part in (
            *(_counts(panel, truth, target, horizon) for target in TARGETS),
            _trends(panel, truth, min(horizon, LONGEST)),
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
    table = _answers(panel, truth, target, months)
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
    came = category(later - before, before, thresholds(known)[0]).ravel()
    table = _answers(panel, truth, TARGET_TREND, months).assign(output_type="pmf")
    table = table.loc[np.repeat(np.flatnonzero(came >= 0), len(CATEGORIES))]
    k = np.arange(len(table)) % len(CATEGORIES)
    table["output_type_id"] = np.array(CATEGORIES, dtype=object)[k]
    table["oracle_value"] = (came[table.index] == k).astype(float)
    return table


def _answers(panel: Panel, truth: Truth, target: str, months: Months) -> pd.DataFrame:
    """Units of an origin, and what their answers are from."""
    table = _units(panel, target, months)
    table["origin_date"] = np.datetime64(panel.as_of, "s")
    table["as_of"] = np.datetime64(truth.release, "s")
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
    hub: Path, new: Iterable[Panel], panels: Iterable[Panel], truth: Truth, horizon: int
) -> None:
    """Write versions of the time series, and the answers."""
    for panel in new:
        name = f"as_of={panel.as_of}"
        path = hub / TARGET_DATA / "time-series" / name / "part-0.parquet"
        write_parquet(time_series(panel), path)
    answers = oracle_output(panels, truth, horizon)
    write_parquet(answers, hub / TARGET_DATA / "oracle-output.parquet")
