"""What ``odforecast score`` reads: every file and folder of forecasts that this package writes.

=============================  ===========================================================
``forecast --out``, ``update``  hub files: quantiles, samples, chances of the trend
``scenario run``               its folder, or ``quantiles.csv`` and ``samples.parquet`` in it
``forecast --save``            the folder of a forecast, all draws
``backtest --out``             the folder of results, with the quantiles it kept
``forecast --table``           a median and an interval for each place and month
``nowcast --out``              the same of the last counts published
``update``                     ``record.csv``, or the folder it lies in
=============================  ===========================================================
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from odforecast.errors import DataError
from odforecast.say import quoted

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.forecast import Forecast

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


@dataclass(frozen=True, eq=False)
class Held:
    """Forecasts of one model in one file.

    Attributes
    ----------
    model : str
    path : Path
    hub : DataFrame, optional
        A hub table, checked.
    forecast : Forecast, optional
        With all its draws.
    table : DataFrame, optional
        Quantiles of few levels, as :func:`odforecast.hub.tables.score_levels` takes
        them, or of a backtest the same with its 23.
    levels : dict of float to str
        Of ``table``: level to column.
    indicator : str
        What is counted, where the file says it.
    """

    model: str
    path: Path
    hub: pd.DataFrame | None = None
    forecast: Forecast | None = None
    table: pd.DataFrame | None = None
    levels: dict[float, str] | None = None
    indicator: str = ""


def read_any(paths: Sequence[Path]) -> list[Held]:
    """Read files and folders, whatever each is.

    Parameters
    ----------
    paths : sequence of Path

    Returns
    -------
    list of Held
        A backtest and a record hold several models.

    Raises
    ------
    DataError, ForecastError, BacktestError
        If one cannot be read, or holds no forecasts that can be scored.
    """
    held = [one for path in paths for one in _read(path)]
    names = _labels(dict.fromkeys(one.model for one in held if one.hub is not None))
    return [
        Held(names.get(one.model, one.model), one.path, one.hub, one.forecast, one.table,
             one.levels, one.indicator)
        for one in held
    ]  # fmt: skip


def model_name(path: Path) -> str:
    """Model a file is of: its name without endings and the leading date.

    Raises
    ------
    DataError
        If the file's name holds what no screen or table should: control codes, bytes that are
        no text.

    Examples
    --------
    >>> model_name(Path("2024-12-11-team-model.csv.gz"))
    'team-model'
    """
    name = _DATED.sub("", _ENDING.sub("", path.name))
    if not name.isprintable():
        raise DataError(
            f"{quoted(path.name)} names no model: it holds control codes", hint="rename the file"
        )
    return name


def _labels(names: Iterable[str]) -> dict[str, str]:
    """Labels of names in a hub; a name that is none, or would be another's label, stays."""
    from odforecast.hub import label_of

    out: dict[str, str] = {}
    for name in names:
        try:
            out[name] = label_of(name)
        except DataError:
            out[name] = name
    others = {name for name, label in out.items() if name == label}
    return {name: name if label in others else label for name, label in out.items()}


def _read(path: Path) -> list[Held]:
    if path.is_dir():
        return _folder(path)
    if not os.path.lexists(path):
        raise DataError(f"{path}: no such file")
    if path.name == "record.csv":
        return _record(path)
    _refuse_part(path)
    there = columns_of(path)
    if there >= INTERVALS:
        return [_intervals(path)]
    if {"draw", "location", "month"} <= there:
        raise DataError(
            f"{path}: holds draws and no day that they are as of",
            hint="score the folder of the run, or quantiles.csv and samples.parquet in it",
        )
    if path.name.lower().endswith(".json") and path.exists():
        raise DataError(
            f"{path}: not a table of medians and intervals",
            hint="score what forecast --table, --out or --save wrote, or nowcast --out",
        )
    return [Held(model_name(path), path, hub=_hub(path))]


def _refuse_part(path: Path) -> None:
    """Refuse a file that is scored only with the folder it lies in."""
    for marker, (what, files) in _PARTS.items():
        if path.name in files and (path.parent / marker).is_file():
            raise DataError(
                f"{path}: a part of {what}, and no file of forecasts",
                hint=f"score the folder: odforecast score {path.parent}",
            )


def _hub(path: Path) -> pd.DataFrame:
    from odforecast.hub import read_hub
    from odforecast.names import HUB_QUANTILES

    return read_hub(path, levels=HUB_QUANTILES)


def _folder(path: Path) -> list[Held]:
    import pandas as pd

    there = {p.name for p in path.iterdir()}
    if "forecast.json" in there:
        return [_saved(path)]
    run = path / "data" if (path / "data" / "scenarios.yaml").is_file() else path
    if (run / "scenarios.yaml").is_file():
        names = ("quantiles.csv", "samples.parquet")
        parts = [_hub(run / n) for n in names if (run / n).is_file()]
        if not parts:
            raise DataError(f"{path}: a run of scenarios without quantiles.csv")
        return [Held(model_name(path), path, hub=pd.concat(parts, ignore_index=True))]
    if "record.csv" in there:
        return _record(path / "record.csv")
    if "manifest.json" in there:
        return _results(path)
    if "hub-config" in there:
        raise DataError(f"{path}: a hub", hint=f"odforecast hub score {path}")
    files = sorted(
        n for n in there if n.endswith((".csv", ".csv.gz", ".parquet")) and _scorable(path / n)
    )
    what = f"score the files in it: {', '.join(files[:3])}" if files else "give a file"
    raise DataError(f"{path}: holds no forecast, no run and no results", hint=what)


def _scorable(path: Path) -> bool:
    """Whether a file has the columns of one that can be scored."""
    there = columns_of(path)
    return there >= INTERVALS or there >= {"origin_date", "output_type", "value"}


def _saved(path: Path) -> Held:
    from odforecast.forecast import load_forecast

    made = load_forecast(path)
    label = made.provenance.get("label") or made.provenance.get("model") or model_name(path)
    indicator = made.panel.indicator if made.panel is not None else ""
    return Held(label, path, forecast=made, indicator=indicator)


def _results(path: Path) -> list[Held]:
    """Quantiles of a backtest, by model."""
    from odforecast.backtesting import Results
    from odforecast.names import COUNTIES

    results = Results.load(path)
    if results.manifest.get("dataset") == COUNTIES:
        raise DataError(
            f"{path}: a backtest of counties, which are not scored from files",
            hint="its scores are in scores.parquet",
        )
    table = results.quantiles
    if table.empty:
        raise DataError(
            f"{path}: the run kept no quantiles", hint="its scores are in scores.parquet"
        )
    out = []
    keys = ["as_of", "last_month", "donor", "target", "location", "month", "horizon"]
    for model, rows in table.groupby("model", observed=True, sort=False):
        rows = rows.drop(columns="model").astype(
            dict.fromkeys(("donor", "target", "location"), str)
        )
        wide = rows.pivot(index=keys, columns="level", values="value").reset_index()
        levels = {float(x): f"q{float(x):g}" for x in sorted(set(rows["level"].astype(float)))}
        wide = wide.rename(columns=levels)
        said = str(results.manifest.get("indicator") or "")
        out.append(Held(str(model), path, table=wide, levels=levels, indicator=said))
    return out


def _record(path: Path) -> list[Held]:
    """Forecasts of a record, by model; those of one release made twice stand apart."""
    from odforecast.months import ONE_MONTH
    from odforecast.names import ALL_DRUGS, TARGET_12MO
    from odforecast.updating import record

    lines = record.standing(record.read(path))
    lines = lines[lines["kind"] == record.FORECAST]
    if lines.empty:
        raise DataError(f"{path}: no forecast in it", hint="odforecast update writes them")
    month = lines["month"].to_numpy().astype("datetime64[M]")
    last = month - lines["horizon"].to_numpy().astype(int) * ONE_MONTH
    lines = lines.assign(
        as_of=lines["release"], target=TARGET_12MO, last_month=last.astype("datetime64[s]")
    )
    again = lines.duplicated(["model", "release", "location", "month"], keep=False)
    name = lines["model"].astype(str)
    twice = name + " (update " + lines["batch"].astype(str) + ")"
    lines = lines.assign(model=name.where(~again, twice))
    levels = {level: column for column, level in record.LEVELS.items()}
    return [
        Held(str(model), path, table=rows, levels=levels, indicator=ALL_DRUGS)
        for model, rows in lines.groupby("model", sort=False)
    ]


def _intervals(path: Path) -> Held:
    """A table of medians and intervals."""
    import pandas as pd

    from odforecast.hub.cells import numbers
    from odforecast.names import TARGET_12MO

    cells, rows = _cells(path)

    def number(name: str, *, must: bool = False) -> pd.Series:
        texts = cells[name].astype(object)
        found = pd.Series(numbers(texts), index=cells.index)
        bad = found.isna() & (must | (texts != ""))
        if bad.any():
            at = int(bad.to_numpy().argmax())
            raise DataError(
                f"{path}, row {rows[at]}, column {name}: {quoted(texts.iloc[at])} is no number"
            )
        return found

    bad = ~cells["month"].str.fullmatch(_MONTH)
    if bad.any():
        at = int(bad.to_numpy().argmax())
        raise DataError(
            f"{path}, row {rows[at]}, column month: {quoted(cells['month'].iloc[at])} is no month",
            hint="as 2024-12",
        )
    if cells["location"].str.fullmatch(_COUNTY).any():
        raise DataError(
            f"{path}: counties are not scored from files",
            hint="odforecast backtest --dataset counties scores models of them",
        )
    level = number("level", must=True)
    if len(set(level)) != 1 or not 0 < level.iloc[0] < 1:
        raise DataError(f"{path}: column level must hold one level between 0 and 1")
    month = pd.to_datetime(cells["month"].str[:7], format="%Y-%m").astype("datetime64[s]")
    horizon = number("horizon", must=True).astype(int)
    last = month.to_numpy().astype("datetime64[M]") - horizon.to_numpy().astype("timedelta64[M]")
    low = round((1 - float(level.iloc[0])) / 2, 12)
    levels = {low: "low", 0.5: "median", round(1 - low, 12): "high"}
    table = pd.DataFrame(
        {
            "location": cells["location"],
            "target": cells.get("target", TARGET_12MO),
            "month": month,
            "horizon": horizon,
            "last_month": last.astype("datetime64[s]"),
            **{name: number(name) for name in levels.values()},
        }
    )
    if "reported" in cells:
        table["reported"] = number("reported")
    if found := _DATED.match(path.name):
        try:
            table["as_of"] = pd.Timestamp(found[1]).as_unit("s")
        except ValueError:
            raise DataError(f"{path}: {found[1]} is no day") from None
    return Held(model_name(path), path, table=table, levels=levels)


def _cells(path: Path) -> tuple[pd.DataFrame, Sequence[int]]:
    """Cells of a table as text, and the row each stands in."""
    import pandas as pd

    from odforecast.hub.cells import read_texts, text_of

    if path.name.lower().endswith(".json"):
        found = _json(path)
        table = pd.DataFrame(found)
        texts = {str(c): [text_of(x) for x in table[c].astype(object)] for c in table}
        cells = pd.DataFrame(texts, dtype=object)
        rows: Sequence[int] = range(1, len(cells) + 1)
    else:
        cells, numbered = read_texts(path)
        rows = numbered.tolist()
    if cells.empty:
        raise DataError(f"{path}: no rows")
    return cells, rows


def _json(path: Path) -> list[dict[str, object]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(found, list) or not all(isinstance(x, dict) for x in found):
        raise DataError(f"{path}: no list of rows", hint="what --table writes")
    return found


def columns_of(path: Path) -> frozenset[str]:
    """Names of a file's columns; none where it cannot be read, which its own reader will say.

    Examples
    --------
    >>> sorted(columns_of(Path("nowhere.csv")))
    []
    """
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            import pyarrow.parquet as pq

            return frozenset(pq.read_schema(path).names)
        if name.endswith(".json"):
            return frozenset(_json(path)[0])
        with gzip.open(path, "rb") if name.endswith(".gz") else path.open("rb") as handle:
            line = handle.readline(10_000).decode("utf-8-sig")
    except (OSError, EOFError, ValueError, IndexError, DataError):
        return frozenset()
    return frozenset(cell.strip('"') for cell in line.strip().split(","))
