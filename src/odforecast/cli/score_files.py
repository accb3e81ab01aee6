"""What ``odforecast score`` reads, whichever command wrote it, and scores of those tables."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.backtesting import Results
from odforecast.errors import ArchiveError, DataError, ScoringError
from odforecast.forecasts import load_forecast
from odforecast.forecasts.trend import CATEGORIES, LONGEST, category, thresholds
from odforecast.geography.places import lookup
from odforecast.hub import label_of
from odforecast.hub.scores import Texts, quantiles
from odforecast.months import ONE_MONTH, Months
from odforecast.names import (
    ALL_DRUGS,
    COUNTIES,
    COVERAGE_LEVELS,
    HUB_QUANTILES,
    SCENARIO_ID,
    TARGET_12MO,
    TARGET_TREND,
    TARGETS,
)
from odforecast.panel import Panel
from odforecast.publication import last_published
from odforecast.say import quoted
from odforecast.scoring import Truth, score_hub
from odforecast.scoring import score as score_forecast
from odforecast.scoring.columns import METRIC_COLUMNS, regimes
from odforecast.scoring.files import (
    DAY_IN_NAME,
    header_of,
    is_hub_file,
    read_hub,
    read_simple,
)
from odforecast.scoring.rules import (
    Floats,
    absolute_percentage_error,
    ranked_probability_score,
    weighted_interval_score,
)
from odforecast.scoring.trend import pooled_frequencies
from odforecast.scoring.units import observed_units, revised
from odforecast.updating import record

#: Levels of quantiles, rising.
type Levels = tuple[float, ...]

#: Folders that are scored whole, by a file in them, and files in them that are not scored alone.
_PARTS: Final = {
    "manifest.json": (
        "a backtest",
        {
            "manifest.json",
            "quantiles.parquet",
            "scores.parquet",
            "failures.parquet",
            "joint.parquet",
            "leaderboard.csv",
        },
    ),
    "scenarios.yaml": (
        "a run of scenarios",
        {
            "scenarios.yaml",
            "answer.csv",
            "deaths_averted.csv",
            "time_to_recover.csv",
            "exposure.csv",
            "cost_of_delay.csv",
        },
    ),
}
_ENDING: Final = re.compile(
    r"\.(csv|csv\.gz|parquet|json|xlsx|tsv|txt)$", re.IGNORECASE
)
#: Days within which CDC publishes its next release.
_RELEASE_DAYS: Final = 45
_BACKTEST_KEYS: Final = (
    "as_of",
    "last_month",
    "donor",
    "target",
    "location",
    "month",
    "horizon",
)


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Forecasts of one model in one file: a hub table, a forecast with its draws, or quantiles."""

    model: str
    path: Path
    #: Makes tables of scores, with the number of levels that WIS is over (``n_levels``).
    scores: Callable[[Truth, PanelOfDay], Iterable[pd.DataFrame]]
    targets: set[str]
    #: The levels of each origin.
    levels: set[Levels]
    #: Scenarios in their order; none in ordinary files.
    scenarios: Sequence[str] = ()
    #: What is counted, where the file says it.
    indicator: str = ""


def read_any(
    paths: Sequence[Path], columns: Mapping[str, str], say: Callable[[str], None]
) -> list[Forecasts]:
    """Read files and folders, whatever each is; a backtest and a record hold several models.

    ``columns`` are headers of people's own tables, by what the columns are; ``say`` gets a sentence
    about what was read of each.
    """
    files = [forecasts for path in paths for forecasts in _read(path, columns, say=say)]
    labels = _labels(dict.fromkeys(forecasts.model for forecasts in files))
    return [replace(forecasts, model=labels[forecasts.model]) for forecasts in files]


def model_name(path: Path) -> str:
    """Model of a file: its name without endings and the leading date.

    >>> model_name(Path("2024-12-11-team-model.csv.gz"))
    'team-model'
    """
    name = DAY_IN_NAME.sub("", _ENDING.sub("", path.name))
    if not name.isprintable():
        raise DataError(
            f"{quoted(path.name)} cannot name a model: it contains control characters",
            hint="rename the file",
        )
    return name


def _labels(names: Iterable[str]) -> dict[str, str]:
    """Labels of names in a hub; a name that has none, or would get another's, is kept."""
    labels: dict[str, str] = {}
    for name in names:
        try:
            labels[name] = label_of(name)
        except DataError:
            labels[name] = name
    taken_names = {name for name, label in labels.items() if name == label}
    for name, label in labels.items():
        if label in taken_names:
            labels[name] = name
    return labels


def _read(
    path: Path, chosen: Mapping[str, str], say: Callable[[str], None]
) -> list[Forecasts]:
    """What a file or folder holds."""
    if path.is_dir():
        return _folder(path)
    if not os.path.lexists(path):
        raise DataError(f"{path}: no such file")
    if path.name == "record.csv":
        return _record(path)
    for marker, (content, files) in _PARTS.items():
        if path.name in files and (path.parent / marker).is_file():
            raise DataError(
                f"{path}: part of {content}, not a file of forecasts",
                hint=f"score the folder: odforecast score {path.parent}",
            )
    columns = header_of(path)
    if {"draw", "location", "month"} <= columns:
        raise DataError(
            f"{path}: contains draws without the date they were made",
            hint="score the folder of the run, or quantiles.csv and samples.parquet in it",
        )
    if is_hub_file(path):
        if "reference_date" in columns and "origin_date" not in columns:
            say(f"{path.name}: read 'reference_date' as origin_date")
        return [_hub(path, path)]
    simple = read_simple(path, chosen, say)
    return [
        _quantiles(model_name(path), path, table=simple.table, levels=simple.levels)
    ]


def _rising(levels: Iterable[float]) -> Levels:
    """Levels in their order."""
    return tuple(sorted(round(float(level), 9) for level in levels))


def _hub(path: Path, *files: Path) -> Forecasts:
    """Hub files of one model, checked."""
    parts = [read_hub(file, levels=HUB_QUANTILES) for file in files]
    table = pd.concat(parts, ignore_index=True)
    chances = table["output_type"] == "pmf"
    rows = table[table["output_type"] == "quantile"]
    # All units of one origin have the same levels: other files were refused.
    by_origin = rows.groupby("origin_date", sort=False)["output_type_id"].unique()
    levels = {_rising(of_origin) for of_origin in by_origin}
    if rows.empty and not chances.all():
        levels = {_rising(HUB_QUANTILES)}  # of samples

    def scores(truth: Truth, panel_of_day: PanelOfDay) -> Iterator[pd.DataFrame]:
        """Scores of quantiles and samples, and of the trend."""
        if not chances.all():
            n_levels = rows["output_type_id"].nunique() or len(HUB_QUANTILES)
            yield score_hub(table, truth.observed).assign(n_levels=n_levels)
        if chances.any():
            yield score_trend(table, truth, panel_of_day=panel_of_day).assign(
                n_levels=0
            )

    names = list(dict.fromkeys(table[SCENARIO_ID])) if SCENARIO_ID in table else []
    return Forecasts(
        model_name(path),
        path,
        scores=scores,
        targets=set(table["target"]),
        levels=levels,
        scenarios=names,
    )


def _quantiles(
    model: str,
    path: Path,
    table: pd.DataFrame,
    levels: Mapping[float, str],
    indicator: str = "",
) -> Forecasts:
    """A table of quantiles, level to column."""

    def scores(truth: Truth, panel_of_day: PanelOfDay) -> Iterator[pd.DataFrame]:
        """Scores of the table."""
        units = _with_horizon(table, path, panel_of_day=panel_of_day)
        part = score_levels(units, levels, truth=truth)
        if "donor" in table:
            part["donor"] = table["donor"].to_numpy()
        yield part.assign(n_levels=len(levels))

    targets = set(table["target"])
    return Forecasts(
        model,
        path,
        scores=scores,
        targets=targets,
        levels={_rising(levels)},
        indicator=indicator,
    )


def _with_horizon(
    table: pd.DataFrame, path: Path, panel_of_day: PanelOfDay
) -> pd.DataFrame:
    """A table with months ahead: counted from the last month of the release of its day."""
    if table["horizon"].notna().all():
        return table
    last_months = [_last_month(day, panel_of_day) for day in table["as_of"]]
    if None in last_months:
        raise DataError(
            f"{path}: no column horizon, and the release of that day is not here",
            hint="add the months ahead, or get the release: odforecast data fetch --past",
        )
    last = np.array(last_months, dtype="datetime64[M]")
    horizon = (table["month"].to_numpy().astype("datetime64[M]") - last).astype(int)
    return table.assign(horizon=horizon, last_month=last.astype("datetime64[s]"))


def _last_month(day: Any, panel_of_day: PanelOfDay) -> np.datetime64 | None:
    """The last month published by a day: by the release, or where it is sure, by the calendar."""
    if pd.isna(day):
        return None
    date = day.date()
    with suppress(ArchiveError):
        panel = panel_of_day(date)
        if panel is not None and (date - panel.release).days <= _RELEASE_DAYS:
            return panel.last_month
    week = dt.timedelta(days=7)
    months = {last_published(date - week), last_published(date + week)}
    return months.pop() if len(months) == 1 else None


def _folder(path: Path) -> list[Forecasts]:
    """What a folder holds: a forecast, a run of scenarios, a record or a backtest."""
    content = {file.name for file in path.iterdir()}
    if "forecast.json" in content:
        return [_saved(path)]
    run = path / "data" if (path / "data" / "scenarios.yaml").is_file() else path
    if (run / "scenarios.yaml").is_file():
        names = ("quantiles.csv", "samples.parquet")
        parts = [run / name for name in names if (run / name).is_file()]
        if not parts:
            raise DataError(f"{path}: a run of scenarios without quantiles.csv")
        return [_hub(path, *parts)]
    if "record.csv" in content:
        return _record(path / "record.csv")
    if "manifest.json" in content:
        return _results(path)
    if "hub-config" in content:
        raise DataError(f"{path}: a hub", hint=f"odforecast hub score {path}")
    hint = "give a file"
    files = [name for name in sorted(content) if _is_forecasts(path / name)]
    if files:
        hint = f"score the files in it: {', '.join(files[:3])}"
    raise DataError(f"{path}: contains no forecast, run or results", hint=hint)


def _is_forecasts(path: Path) -> bool:
    """Whether a file has the columns of a simple table or of a hub file."""
    if not path.name.endswith((".csv", ".csv.gz", ".parquet")):
        return False
    columns = header_of(path)
    return columns >= {"location", "median"} or columns >= {"output_type", "value"}


def _saved(path: Path) -> Forecasts:
    """A forecast with all its draws."""
    forecast = load_forecast(path)
    provenance = forecast.provenance
    label = provenance.get("label") or provenance.get("model") or model_name(path)
    targets = [target for target in TARGETS if target in forecast.targets]

    def scores(truth: Truth, _: PanelOfDay) -> Iterator[pd.DataFrame]:
        """Scores of the forecast, by target."""
        parts = [score_forecast(forecast, truth, target=target) for target in targets]
        part = pd.concat(parts, ignore_index=True)
        part.insert(0, "as_of", pd.Timestamp(forecast.as_of).as_unit("s"))
        part.insert(1, "last_month", forecast.last_month.astype("datetime64[s]"))
        yield part.assign(n_levels=len(HUB_QUANTILES))

    indicator = forecast.panel.indicator if forecast.panel is not None else ""
    levels = {_rising(HUB_QUANTILES)}
    return Forecasts(
        label,
        path,
        scores=scores,
        targets=set(targets),
        levels=levels,
        indicator=indicator,
    )


def _results(path: Path) -> list[Forecasts]:
    """Quantiles of a backtest, by model."""
    results = Results.load(path)
    reason = ""
    if results.manifest.get("dataset") == COUNTIES:
        reason = "a backtest of counties, which cannot be scored from files"
    elif results.quantiles.empty:
        reason = "the run did not keep its quantiles"
    if reason:
        raise DataError(f"{path}: {reason}", hint="its scores are in scores.parquet")
    table = results.quantiles.astype(
        dict.fromkeys(("donor", "target", "location"), str)
    )
    columns = {
        level: f"q{level:g}" for level in sorted(set(table["level"].astype(float)))
    }
    indicator = str(results.manifest.get("indicator") or "")
    files = []
    for model, rows in table.groupby("model", observed=True, sort=False):
        wide = rows.pivot(
            index=list(_BACKTEST_KEYS),
            columns="level",
            values="value",
        )
        wide = wide.reset_index().rename(columns=columns)
        levels = {level: name for level, name in columns.items() if name in wide}
        files.append(
            _quantiles(str(model), path, table=wide, levels=levels, indicator=indicator)
        )
    return files


def _record(path: Path) -> list[Forecasts]:
    """Forecasts of a record, by model; those of one release made twice are kept apart."""
    lines = record.standing(record.read(path))
    lines = lines[lines["kind"] == record.FORECAST]
    if lines.empty:
        raise DataError(
            f"{path}: contains no forecast", hint="odforecast update writes them"
        )
    month = lines["month"].to_numpy().astype("datetime64[M]")
    last = month - lines["horizon"].to_numpy().astype(int) * ONE_MONTH
    repeated = lines.duplicated(["model", "release", "location", "month"], keep=False)
    name = lines["model"].astype(str)
    lines = lines.assign(
        as_of=lines["release"],
        target=TARGET_12MO,
        last_month=last.astype("datetime64[s]"),
        model=name.where(
            ~repeated, name + " (update " + lines["batch"].astype(str) + ")"
        ),
    )
    levels = {level: column for column, level in record.LEVELS.items()}
    return [
        _quantiles(str(model), path, table=rows, levels=levels, indicator=ALL_DRUGS)
        for model, rows in lines.groupby("model", sort=False)
    ]


#: What the release known on a day was; raises ArchiveError or gives None where there was none.
type PanelOfDay = Callable[[dt.date], Panel | None]

_PERCENTS: Final = [round(100 * share) for share in COVERAGE_LEVELS]
#: Columns of the score table, and their names in hubs.
_NAMES: Final = {
    "wis": "wis",
    "wis_spread": "dispersion",
    "wis_over": "overprediction",
    "wis_under": "underprediction",
    "bias": "bias",
    "ae": "ae_median",
    **{f"cover_{percent}": f"interval_coverage_{percent}" for percent in _PERCENTS},
}


def score_levels(
    table: pd.DataFrame, levels: Mapping[float, str], truth: Truth
) -> pd.DataFrame:
    """Scores of a table of quantiles, one row per unit."""
    units = table[["last_month", "location", "target", "horizon", "month"]].copy()
    no_day = np.datetime64("NaT", "s")
    units.insert(0, "as_of", table.get("as_of", no_day))
    states = units["location"].astype(str).to_numpy(dtype=object)
    targets = units["target"].astype(str).to_numpy(dtype=object)
    months = units["month"].to_numpy().astype("datetime64[M]")
    observed = np.full(len(table), np.nan)
    reasons = np.full(len(table), "", dtype=object)
    for target in np.unique(targets):
        at = np.flatnonzero(targets == target)
        observed[at], reasons[at] = observed_units(
            truth.observed,
            states[at],
            months=months[at],
            target=str(target),
        )
    values: Floats = table[list(levels.values())].to_numpy(dtype=float)
    blank = np.isnan(values).any(axis=1)
    reasons[blank & (reasons == "")] = "the table holds no number there"
    negative = (values < 0).any(axis=1)
    reasons[negative & (reasons == "")] = "deaths cannot be negative"
    tau = list(levels)
    scores = _frame(units, observed, reasons=reasons)
    good = np.flatnonzero(reasons == "")
    if good.size:
        good_scores, reasons[good] = quantiles(
            values[good], tau, observed=observed[good]
        )
        scores = _frame(units, observed, reasons=reasons)
        for name, hub_name in _NAMES.items():
            if hub_name in good_scores:
                scores.loc[good, name] = good_scores[hub_name]
        good = np.flatnonzero(reasons == "")
    if good.size:
        log_values = np.log1p(values[good].T)
        log_wis = weighted_interval_score(
            log_values, tau, observed=np.log1p(observed[good])
        )
        scores.loc[good, "log_wis"] = log_wis.total
        middle = values[good, len(tau) // 2]
        scores.loc[good, "ape"] = absolute_percentage_error(middle, observed[good])
    median = np.flatnonzero(np.isclose(tau, 0.5, rtol=0, atol=1e-9))
    if median.size:
        scores["median"] = values[:, median[0]]
    if "reported" in table:
        of_year = targets == TARGET_12MO
        reported = np.where(of_year, table["reported"].to_numpy(dtype=float), np.nan)
        change = revised(scores["observed"].to_numpy(), reported)
        scores = scores.assign(reported=reported, revised=change)
    return scores


def score_trend(
    table: pd.DataFrame, truth: Truth, panel_of_day: PanelOfDay
) -> pd.DataFrame:
    """Scores of the trend in a hub table, by the very rule of forecasts in hand."""
    table = table[table["output_type"] == "pmf"]
    if table.empty:
        raise ScoringError(
            "the table holds no chances of the trend", hint="output type pmf"
        )
    keys = ["origin_date"]
    if SCENARIO_ID in table:
        keys.append(SCENARIO_ID)
    parts = []
    for (origin, *scenario), rows in table.groupby(keys, sort=True):
        day = pd.Timestamp(str(origin))
        part = _score_origin(rows, day, truth=truth, panel_of_day=panel_of_day)
        for name in scenario:
            part.insert(2, SCENARIO_ID, str(name))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _score_origin(
    rows: pd.DataFrame,
    day: pd.Timestamp,
    truth: Truth,
    panel_of_day: PanelOfDay,
) -> pd.DataFrame:
    """Scores of the trend of one origin."""
    keys = ["location", "target_end_date", "horizon"]
    wide = rows.pivot(
        index=keys,
        columns="output_type_id",
        values="value",
    ).sort_index()
    file_chances = wide.reindex(columns=list(CATEGORIES)).to_numpy(dtype=float)
    total = file_chances.sum(axis=1)
    chances = file_chances / np.where(total > 0, total, np.nan)[:, None]
    codes, ends, horizons = (wide.index.get_level_values(i) for i in range(3))
    states = np.array([lookup(code).state for code in codes], dtype=object)
    months = ends.to_numpy().astype("datetime64[M]")
    ahead = horizons.to_numpy().astype(np.int64)
    last = months - ahead.astype("timedelta64[M]")
    panel, release = known_panel(panel_of_day, truth, day=day.date(), last=last.min())
    year_before = (months - 12 * ONE_MONTH).astype("datetime64[M]")
    if panel is None:
        reported = np.full(len(states), np.nan)
        frequencies = np.full(len(CATEGORIES), np.nan)
    else:
        reported = _counts_of(panel, states, months=year_before)
        frequencies = pooled_frequencies(panel)
    later, later_reasons = observed_units(truth.observed, states, months=months)
    earlier, earlier_reasons = observed_units(
        truth.observed, states, months=year_before
    )
    observed = category(later - earlier, earlier, first=thresholds(reported)[0])
    earlier_reasons = np.array(
        [reason and f"{reason} (12 months before)" for reason in earlier_reasons],
        dtype=object,
    )
    unknown = (
        f"the count of 12 months before was not known at the origin (release {release})"
    )
    reasons = _reasons_against(file_chances, ahead)
    for further in (
        later_reasons,
        earlier_reasons,
        np.where(observed < 0, unknown, ""),
    ):
        reasons = np.where(reasons == "", further, reasons).astype(object)
    pooled = np.broadcast_to(frequencies, chances.shape)
    scorable = reasons == ""
    units = {
        "as_of": day,
        "last_month": last,
        "location": states,
        "target": TARGET_TREND,
        "horizon": ahead,
        "month": months,
    }
    out = _frame(pd.DataFrame(units), later, reasons=reasons)
    rps = ranked_probability_score(chances, observed)
    rps_pooled = ranked_probability_score(pooled, observed)
    names = np.array([*CATEGORIES, ""], dtype=object)[observed]
    out = out.assign(
        rps=np.where(scorable, rps, np.nan),
        rps_pooled=np.where(scorable, rps_pooled, np.nan),
        category=np.where(scorable, names, ""),
        known_release=release,
    )
    return out.astype({"horizon_from_origin": np.int64})


def _reasons_against(chances: Floats, ahead: NDArray[np.int64]) -> Texts:
    """Why units cannot be scored whatever comes; empty where they can."""
    reasons = np.full(len(chances), "", dtype=object)
    reasons[chances.sum(axis=1) == 0] = "its chances add up to 0"
    for i in np.flatnonzero(np.isnan(chances).any(axis=1)):
        missing = CATEGORIES[int(np.argmax(np.isnan(chances[i])))]
        reasons[i] = f"it lacks category {quoted(missing)}"
    reasons[ahead < 1] = "published at the origin, so no forecast"
    reasons[ahead > LONGEST] = f"more than {LONGEST} months ahead"
    return reasons


def known_panel(
    panel_of_day: PanelOfDay,
    truth: Truth,
    day: dt.date,
    last: np.datetime64,
) -> tuple[Panel | None, str]:
    """The panel that an origin's thresholds rest on, and which it is."""
    try:
        panel = panel_of_day(day)
    except ArchiveError:
        panel = None
    if panel is not None:
        return panel, str(panel.release)
    # Thresholds of months that are in the truth rest on counts a year older, which are settled.
    last = min(last, truth.panel.settled_through)
    if last < truth.panel.months[0]:
        return None, f"{truth.release}, which begins later"
    return truth.panel.cut(last), f"{truth.release}, cut after {last}"


def _counts_of(panel: Panel, states: Texts, months: Months) -> Floats:
    """Reported counts of single (location, month) units; NaN where there is none."""
    row_of = {state: i for i, state in enumerate(panel.locations)}
    row = np.array([row_of.get(state, -1) for state in states], dtype=int)
    column = (months - panel.months[0]).astype(int)
    inside = (row >= 0) & (column >= 0) & (column < panel.months.size)
    counts = np.full(len(states), np.nan)
    counts[inside] = panel.reported[row[inside], column[inside]]
    return counts


def _frame(units: pd.DataFrame, observed: Floats, reasons: Texts) -> pd.DataFrame:
    """The columns that all tables of scores have, from those that say what is forecast."""
    months = units["month"].to_numpy().astype("datetime64[M]")
    start = units["as_of"].to_numpy().astype("datetime64[M]")
    ahead = np.where(np.isnat(start), np.nan, (months - start).astype(float))
    days = dict.fromkeys(("as_of", "last_month", "month"), "datetime64[s]")
    scorable = reasons == ""
    return (
        units.reset_index(drop=True)
        .astype(days | {"horizon": np.int64})
        .assign(
            horizon_from_origin=ahead,
            regime=regimes(months),
            observed=np.where(scorable, observed, np.nan),
            scorable=scorable,
            reason=reasons,
            n_draws=0,
            median=np.nan,
            **dict.fromkeys(METRIC_COLUMNS, np.nan),
        )
    )
