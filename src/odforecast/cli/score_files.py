"""Files and folders of forecasts that ``odforecast score`` reads, whichever command wrote them."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow.parquet as pq

from odforecast.backtesting import Results
from odforecast.errors import DataError
from odforecast.forecast import Forecast, load_forecast
from odforecast.hub import label_of, read_hub
from odforecast.hub.files import numbers, read_texts
from odforecast.hub.tables import Known, score_levels, score_trend
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DRUGS, COUNTIES, HUB_QUANTILES, SCENARIO_ID, TARGET_12MO, TARGETS
from odforecast.say import quoted
from odforecast.scoring import Truth, score_hub
from odforecast.scoring import score as score_forecast
from odforecast.updating import record

#: Levels of quantiles, rising.
type Levels = tuple[float, ...]

#: Columns by which a table of medians and intervals is known.
INTERVALS: Final = frozenset({"location", "month", "horizon", "level", "low", "median", "high"})
#: Folders that are scored whole, by a file in them, and files in them that are not scored alone.
_PARTS: Final = {
    "manifest.json": (
        "a backtest",
        {"manifest.json", "quantiles.parquet", "scores.parquet", "failures.parquet",
         "joint.parquet", "leaderboard.csv"},
    ),
    "scenarios.yaml": (
        "a run of scenarios",
        {"scenarios.yaml", "answer.csv", "deaths_averted.csv", "time_to_recover.csv",
         "exposure.csv", "cost_of_delay.csv"},
    ),
}  # fmt: skip
_ENDING: Final = re.compile(r"\.(csv|csv\.gz|parquet|json)$", re.IGNORECASE)
_DATED: Final = re.compile(r"^(\d{4}-\d{2}-\d{2})-(?=.)")
_MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])(-01)?")
_COUNTY: Final = re.compile(r"\d{5}")
_BACKTEST_KEYS: Final = (
    "as_of", "last_month", "donor", "target", "location", "month", "horizon"
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Forecasts of one model in one file: a hub table, a forecast with its draws, or quantiles.

    ``levels`` are those of ``table``, level to column; ``indicator`` is what is counted, where the
    file says it.
    """

    model: str
    path: Path
    hub: pd.DataFrame | None = None
    forecast: Forecast | None = None
    table: pd.DataFrame | None = None
    levels: dict[float, str] | None = None
    indicator: str = ""

    @property
    def scenarios(self) -> list[str]:
        """The scenarios, in their order; none in ordinary files."""
        there = self.hub is not None and SCENARIO_ID in self.hub
        return list(dict.fromkeys(self.hub[SCENARIO_ID])) if there else []  # type: ignore[index]

    @property
    def targets(self) -> set[str]:
        """What is forecast."""
        if self.forecast is not None:
            return set(self.forecast.targets)
        table = self.hub if self.hub is not None else self.table
        return set() if table is None else set(table["target"])

    @property
    def level_sets(self) -> set[Levels]:
        """Levels that the WIS is over, by origin; of draws, those of hubs."""
        found: list[Any] = [self.levels or HUB_QUANTILES]
        if self.hub is not None and not (self.hub["output_type"] == "sample").all():
            rows = self.hub[self.hub["output_type"] == "quantile"]
            # All units of one origin have the same: other files were refused.
            found = list(rows.groupby("origin_date", sort=False)["output_type_id"].unique())
        return {tuple(sorted(round(float(x), 9) for x in levels)) for levels in found}

    def scores(self, truth: Truth, known: Known) -> Iterator[pd.DataFrame]:
        """Tables of scores, with how many levels (``n_levels``) WIS is over."""
        if self.forecast is not None:
            made = self.forecast
            tables = [score_forecast(made, truth, t) for t in TARGETS if t in made.targets]
            part = pd.concat(tables, ignore_index=True)
            part.insert(0, "as_of", pd.Timestamp(made.as_of).as_unit("s"))
            part.insert(1, "last_month", made.last_month.astype("datetime64[s]"))
            yield part.assign(n_levels=len(HUB_QUANTILES))
        elif self.table is not None and self.levels is not None:
            part = score_levels(self.table, self.levels, truth)
            if "donor" in self.table:
                part["donor"] = self.table["donor"].to_numpy()
            yield part.assign(n_levels=len(self.levels))
        elif self.hub is not None:
            kinds = self.hub["output_type"]
            quantiles = self.hub[kinds == "quantile"]["output_type_id"].nunique()
            if (kinds != "pmf").any():
                n_levels = quantiles or len(HUB_QUANTILES)  # of samples, those of hubs
                yield score_hub(self.hub, truth.observed).assign(n_levels=int(n_levels))
            if (kinds == "pmf").any():
                yield score_trend(self.hub, truth, known).assign(n_levels=0)


def read_any(paths: Sequence[Path]) -> list[Forecasts]:
    """Read files and folders, whatever each is; a backtest and a record hold several models."""
    found = [one for path in paths for one in _read(path)]
    names = _labels(dict.fromkeys(one.model for one in found if one.hub is not None))
    return [replace(one, model=names.get(one.model, one.model)) for one in found]


def model_name(path: Path) -> str:
    """Model of a file: its name without endings and the leading date.

    >>> model_name(Path("2024-12-11-team-model.csv.gz"))
    'team-model'
    """
    name = _DATED.sub("", _ENDING.sub("", path.name))
    if not name.isprintable():
        raise DataError(
            f"{quoted(path.name)} cannot name a model: it contains control characters",
            hint="rename the file",
        )
    return name


def _labels(names: Iterable[str]) -> dict[str, str]:
    """Labels of names in a hub; a name that has none, or would get another's, is kept."""
    out: dict[str, str] = {}
    for name in names:
        try:
            out[name] = label_of(name)
        except DataError:
            out[name] = name
    others = {name for name, label in out.items() if name == label}
    return {name: name if label in others else label for name, label in out.items()}


def _read(path: Path) -> list[Forecasts]:
    """What a file or folder holds."""
    if path.is_dir():
        return _folder(path)
    if not os.path.lexists(path):
        raise DataError(f"{path}: no such file")
    if path.name == "record.csv":
        return _record(path)
    for marker, (what, files) in _PARTS.items():
        if path.name in files and (path.parent / marker).is_file():
            raise DataError(
                f"{path}: part of {what}, not a file of forecasts",
                hint=f"score the folder: odforecast score {path.parent}",
            )
    there = _columns_of(path)
    if there >= INTERVALS:
        return [_intervals(path)]
    if {"draw", "location", "month"} <= there:
        raise DataError(
            f"{path}: contains draws without the date they were made",
            hint="score the folder of the run, or quantiles.csv and samples.parquet in it",
        )
    if path.name.lower().endswith(".json"):
        raise DataError(
            f"{path}: not a table of medians and intervals",
            hint="score the CSV or Parquet file of forecast --table, --out or nowcast --table",
        )
    return [Forecasts(model_name(path), path, hub=_hub(path))]


def _hub(path: Path) -> pd.DataFrame:
    """A hub file, checked."""
    return read_hub(path, levels=HUB_QUANTILES)


def _folder(path: Path) -> list[Forecasts]:
    """What a folder holds: a forecast, a run of scenarios, a record or a backtest."""
    there = {p.name for p in path.iterdir()}
    if "forecast.json" in there:
        return [_saved(path)]
    run = path / "data" if (path / "data" / "scenarios.yaml").is_file() else path
    if (run / "scenarios.yaml").is_file():
        names = ("quantiles.csv", "samples.parquet")
        parts = [_hub(run / n) for n in names if (run / n).is_file()]
        if not parts:
            raise DataError(f"{path}: a run of scenarios without quantiles.csv")
        return [Forecasts(model_name(path), path, hub=pd.concat(parts, ignore_index=True))]
    if "record.csv" in there:
        return _record(path / "record.csv")
    if "manifest.json" in there:
        return _results(path)
    if "hub-config" in there:
        raise DataError(f"{path}: a hub", hint=f"odforecast hub score {path}")
    hub = {"origin_date", "output_type", "value"}
    files = sorted(
        n for n in there
        if n.endswith((".csv", ".csv.gz", ".parquet"))
        and any(_columns_of(path / n) >= names for names in (INTERVALS, hub))
    )  # fmt: skip
    what = f"score the files in it: {', '.join(files[:3])}" if files else "give a file"
    raise DataError(f"{path}: contains no forecast, run or results", hint=what)


def _saved(path: Path) -> Forecasts:
    """A forecast with all its draws."""
    made = load_forecast(path)
    label = made.provenance.get("label") or made.provenance.get("model") or model_name(path)
    indicator = made.panel.indicator if made.panel is not None else ""
    return Forecasts(label, path, forecast=made, indicator=indicator)


def _results(path: Path) -> list[Forecasts]:
    """Quantiles of a backtest, by model."""
    results = Results.load(path)
    for wrong, why in (
        (results.manifest.get("dataset") == COUNTIES,
         "a backtest of counties, which cannot be scored from files"),
        (results.quantiles.empty, "the run did not keep its quantiles"),
    ):  # fmt: skip
        if wrong:
            raise DataError(f"{path}: {why}", hint="its scores are in scores.parquet")
    table = results.quantiles.astype(dict.fromkeys(("donor", "target", "location"), str))
    levels = {float(x): f"q{float(x):g}" for x in sorted(set(table["level"].astype(float)))}
    indicator = str(results.manifest.get("indicator") or "")
    out = []
    for model, rows in table.groupby("model", observed=True, sort=False):
        wide = rows.pivot(index=list(_BACKTEST_KEYS), columns="level", values="value")
        wide = wide.reset_index().rename(columns=levels)
        own = {x: name for x, name in levels.items() if name in wide}
        out.append(Forecasts(str(model), path, table=wide, levels=own, indicator=indicator))
    return out


def _record(path: Path) -> list[Forecasts]:
    """Forecasts of a record, by model; those of one release made twice are kept apart."""
    lines = record.standing(record.read(path))
    lines = lines[lines["kind"] == record.FORECAST]
    if lines.empty:
        raise DataError(f"{path}: contains no forecast", hint="odforecast update writes them")
    month = lines["month"].to_numpy().astype("datetime64[M]")
    last = month - lines["horizon"].to_numpy().astype(int) * ONE_MONTH
    again = lines.duplicated(["model", "release", "location", "month"], keep=False)
    name = lines["model"].astype(str)
    lines = lines.assign(
        as_of=lines["release"], target=TARGET_12MO, last_month=last.astype("datetime64[s]"),
        model=name.where(~again, name + " (update " + lines["batch"].astype(str) + ")"),
    )  # fmt: skip
    levels = {level: column for column, level in record.LEVELS.items()}
    return [
        Forecasts(str(model), path, table=rows, levels=levels, indicator=ALL_DRUGS)
        for model, rows in lines.groupby("model", sort=False)
    ]


def _intervals(path: Path) -> Forecasts:
    """A table of medians and intervals."""
    cells, rows = _cells(path)

    def refuse(bad: pd.Series, column: str, what: str, hint: str | None = None) -> None:
        """Refuse the first bad cell of a column."""
        if bad.any():
            at = int(bad.to_numpy().argmax())
            where = f"{path}, row {rows[at]}, column {column}"
            raise DataError(f"{where}: {quoted(cells[column].iloc[at])} is not {what}", hint=hint)

    def number(name: str, *, must: bool = False) -> pd.Series:
        """Numbers of a column; an empty cell is one only where it must be."""
        texts = cells[name].astype(object)
        found = pd.Series(numbers(texts), index=cells.index)
        refuse(found.isna() & (must | (texts != "")), name, "a number")
        return found

    refuse(~cells["month"].str.fullmatch(_MONTH), "month", "a month", "write it as 2024-12")
    if cells["location"].str.fullmatch(_COUNTY).any():
        raise DataError(
            f"{path}: counties cannot be scored from files",
            hint="odforecast backtest --dataset counties scores models of counties",
        )
    level = number("level", must=True)
    if len(set(level)) != 1 or not 0 < level.iloc[0] < 1:
        raise DataError(f"{path}: column level must contain one level between 0 and 1")
    month = pd.to_datetime(cells["month"].str[:7], format="%Y-%m").astype("datetime64[s]")
    horizon = number("horizon", must=True).astype(int)
    last = month.to_numpy().astype("datetime64[M]") - horizon.to_numpy().astype("timedelta64[M]")
    low = round((1 - float(level.iloc[0])) / 2, 12)
    levels = {low: "low", 0.5: "median", round(1 - low, 12): "high"}
    table = pd.DataFrame(
        {"location": cells["location"], "target": cells.get("target", TARGET_12MO), "month": month,
         "horizon": horizon, "last_month": last.astype("datetime64[s]")}
        | {name: number(name) for name in (*levels.values(), "reported") if name in cells}
    )  # fmt: skip
    if found := _DATED.match(path.name):
        try:
            table["as_of"] = pd.Timestamp(found[1]).as_unit("s")
        except ValueError:
            raise DataError(f"{path}: {found[1]} is not a day") from None
    return Forecasts(model_name(path), path, table=table, levels=levels)


def _cells(path: Path) -> tuple[pd.DataFrame, Sequence[int]]:
    """Cells of a table as text, and the row that each is in."""
    cells, rows = read_texts(path)
    if cells.empty:
        raise DataError(f"{path}: no rows")
    return cells, rows.tolist()


def _columns_of(path: Path) -> frozenset[str]:
    """Names of a file's columns; none where it cannot be read, which its own reader will say."""
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            return frozenset(pq.read_schema(path).names)
        with gzip.open(path, "rb") if name.endswith(".gz") else path.open("rb") as handle:
            line = handle.readline(10_000).decode("utf-8-sig")
    except (OSError, EOFError, ValueError, IndexError, DataError):
        return frozenset()
    return frozenset(cell.strip('"') for cell in line.strip().split(","))
