"""Other people's forecasts in files: hub files and simple tables, read and checked."""

from __future__ import annotations

import datetime as dt
import gzip
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from odforecast.errors import DataError
from odforecast.forecasts.trend import CATEGORIES
from odforecast.geography.places import LOCATIONS, lookup
from odforecast.months import ONE_MONTH, month_end
from odforecast.names import (
    HUB_COLUMNS,
    HUB_QUANTILES,
    SCENARIO_ID,
    TARGET_12MO,
    TARGET_TREND,
    TARGETS,
)
from odforecast.say import plain, quoted
from odforecast.sources.cells import (
    check_header,
    days,
    number,
    numbers,
    read_raw,
    without_index,
)
from odforecast.sources.columns import BadCell, Column, Table, needed, state
from odforecast.sources.read import read_raw as read_table

OUTPUT_TYPES = ("quantile", "sample", "pmf")
#: Probabilities may miss 1 by this much when read.
TOTAL = 0.001
#: Longest horizon, in months, and most characters of a scenario's name.
_MAX_HORIZON = 1200
LONGEST_NAME = 200
#: Least step between two quantile levels of a unit.
_MIN_STEP = 0.0001
_CODES = frozenset(x.code for x in LOCATIONS)
_UNIT = ("origin_date", SCENARIO_ID, "location", "target", "horizon", "target_end_date")


def read_hub(
    path: str | Path, levels: Sequence[float] | None = HUB_QUANTILES
) -> pd.DataFrame:
    """Read a hubverse model-output file and check every row.

    Parameters
    ----------
    path : str or Path
        ``.csv``, ``.csv.gz`` or ``.parquet``.
    levels : sequence of float or None
        Levels every unit with quantiles must have (it may have more); None to accept any.

    Returns
    -------
    DataFrame
        As given by :func:`to_hub`; a file of scenarios has ``scenario_id`` as its second
        column, wherever the file has it, as text: ``null`` is a name, not a missing value.
        Every rule holds within each scenario.

    Raises
    ------
    DataError
        With file, row, column and value: a file that cannot be read or is cut off, missing or
        doubled columns, lost leading zeros, unknown locations or targets, bad dates, values
        that are not finite numbers or are negative, duplicates, quantiles out of order, missing
        levels, horizons that contradict the dates. Rows are numbered as a text editor
        numbers lines in a CSV file (the header is line 1), from 1 in Parquet.
    """
    source = Path(path)
    raw = read_raw(source)
    table = check_hub(
        without_index(raw.cells),
        levels=levels,
        source=str(source),
        rows=raw.rows,
    )
    if not raw.ends:
        # Last, because it is the weakest sign: the row may be whole. But 1,345 cut to 13 is a
        # number too, and only the missing line end tells.
        raise DataError(
            f"{source}, row {raw.rows[-1]}: the last line has no line end; is the file cut off?",
            hint="get it again, or end the line if it is whole",
        )
    return table


def is_scenario_name(cell: object) -> bool:
    """Whether a cell names a scenario: text that a screen shows as it is."""
    if not isinstance(cell, str) or not 0 < len(cell) <= LONGEST_NAME:
        return False
    return cell.isprintable() and cell == cell.strip()


def check_hub(
    table: pd.DataFrame,
    levels: Sequence[float] | None = HUB_QUANTILES,
    source: str = "table",
    rows: np.ndarray | None = None,
) -> pd.DataFrame:
    """Check a hub table and give its columns their types and order.

    Parameters
    ----------
    table : DataFrame
        Text or typed columns; ``scenario_id`` may be among them.
    levels : sequence of float or None
        Levels every unit with quantiles must have; None to accept any.
    source : str
        Name of the file, for messages.
    rows : ndarray of int, optional
        Number of every row in the file; default: from 1.

    Returns
    -------
    DataFrame
        Columns :data:`odforecast.names.HUB_COLUMNS`, with ``scenario_id`` as the second where the
        table has it; typed; row order kept.
    """
    if rows is None:
        rows = np.arange(1, len(table) + 1)
    check_header(list(table.columns), source)
    missing = [name for name in HUB_COLUMNS if name not in table]
    if missing:
        hint = f"columns: {', '.join(HUB_COLUMNS)}"
        if len(table.columns) == 1 and re.search("[;\t]", str(table.columns[0])):
            hint = "use commas between columns, and points in decimals"
        raise DataError(f"{source}: no column {', '.join(missing)}", hint=hint)
    columns = list(HUB_COLUMNS)
    if SCENARIO_ID in table:
        columns.insert(1, SCENARIO_ID)
    extra = [name for name in table.columns if name not in columns]
    if extra:
        rest = f" and {len(extra) - 1:,} more" if len(extra) > 1 else ""
        raise DataError(
            f"{source}: unknown column {quoted(extra[0])}{rest}",
            hint="hub files name the model in the file name, and hold no other columns",
        )
    raw = table[columns].reset_index(drop=True)
    out = pd.DataFrame(index=raw.index)
    if raw.empty:
        raise DataError(f"{source}: no rows")
    unit = [name for name in columns if name in _UNIT]
    for bad, column, reason, hint in itertools.chain(
        _cell_rules(raw, out), _unit_rules(out, unit)
    ):
        # Rows that a rule does not speak of are good.
        if bad.any():
            row = int(bad[bad].index.min())
            cell = raw[column].iloc[row]
            value = quoted(cell) if isinstance(cell, str) else plain(cell)
            message = (
                f"{source}, row {rows[row]}, column {column}: {value} {reason}".rstrip()
            )
            n_rows = bad.sum()
            if n_rows > 1:
                message += f" ({n_rows} such rows)"
            raise DataError(message, hint=hint)
    if levels is not None:
        _check_levels(out, unit, levels=levels, source=source, numbered=rows)
    return out[columns]


#: A rule: the rows that break it, the column to look at, what is wrong with its cell, what to do.
type Rule = tuple[pd.Series[bool], str, str, str]


def _cell_rules(raw: pd.DataFrame, out: pd.DataFrame) -> Iterator[Rule]:
    """Rules of single cells, one after the other; ``out`` gets the typed columns."""

    def choice(column: str, allowed: Sequence[str]) -> Rule:
        """A column of few texts."""
        out[column] = _texts(raw[column])
        return ~out[column].isin(allowed), column, "", f"one of {', '.join(allowed)}"

    def parsed(column: str, values: np.ndarray, reason: str, hint: str) -> Rule:
        """A column of days or numbers."""
        out[column] = values
        return out[column].isna(), column, reason, hint

    def day(column: str) -> Rule:
        """A column of days."""
        hint = "write days as 2024-07-31, without time or zone"
        return parsed(column, days(raw[column]), "is not a date", hint)

    def finite(column: str) -> Rule:
        """A column of numbers."""
        hint = "give a number such as 1345.5"
        return parsed(column, numbers(raw[column]), "is not a finite number", hint)

    yield day("origin_date")
    if SCENARIO_ID in raw:
        yield from _scenario_rules(raw, out)
    codes = _texts(raw["location"])
    out["location"] = codes
    unknown = ~codes.isin(_CODES)
    # ASCII: other scripts have digits too.
    lost = unknown & codes.str.fullmatch("[0-9]") & codes.str.zfill(2).isin(_CODES)
    hint = "a leading zero was lost (by a spreadsheet?); write FIPS codes as text: 01, not 1"
    yield lost, "location", "", hint
    hint = "use two-digit FIPS codes (54 for West Virginia), US, or NYC"
    yield unknown, "location", "is not a location", hint
    yield choice("target", (*TARGETS, TARGET_TREND))
    yield finite("horizon")
    months = out["horizon"]
    yield months != months.round(), "horizon", "", "give a whole number of months"
    yield months.abs() > _MAX_HORIZON, "horizon", "", f"at most {_MAX_HORIZON} months"
    out["horizon"] = months.astype(np.int64)
    column = "target_end_date"
    yield day(column)
    hint = "targets end on the last day of a month"
    yield ~out[column].dt.is_month_end, column, "is not the last day of its month", hint
    yield choice("output_type", OUTPUT_TYPES)
    yield from _id_rules(raw, out)
    yield finite("value")
    negative = out["value"] < 0
    pmf = out["output_type"] == "pmf"
    yield negative & ~pmf, "value", "", "deaths cannot be negative"
    yield negative & pmf, "value", "", "probabilities cannot be negative"


def _scenario_rules(raw: pd.DataFrame, out: pd.DataFrame) -> Iterator[Rule]:
    """Every row names its scenario; nothing stands for a missing one."""
    cells = raw[SCENARIO_ID].astype(object)
    hint = (
        "every row names its scenario (null is a name), or the file has no such column"
    )
    yield cells.map(_is_none).astype(bool), SCENARIO_ID, "names no scenario", hint
    texts = pd.Series([isinstance(cell, str) for cell in cells])
    yield ~texts, SCENARIO_ID, "is not text", "write names of scenarios as text"
    hint = f"1 to {LONGEST_NAME} printable characters, no space before or after them"
    good = {name: is_scenario_name(name) for name in cells.unique()}
    yield ~cells.map(good).astype(bool), SCENARIO_ID, "is not a scenario name", hint
    out[SCENARIO_ID] = cells.astype(str)


def _id_rules(raw: pd.DataFrame, out: pd.DataFrame) -> Iterator[Rule]:
    """Levels, numbers of samples, and categories; the last are texts."""
    column = "output_type_id"
    kind = out["output_type"]
    pmf = kind == "pmf"
    hint = f"{TARGET_TREND} is given as pmf, and pmf is given of {TARGET_TREND}"
    odd = pmf != (out["target"] == TARGET_TREND)
    yield odd, "output_type", "does not fit the target", hint
    names = _texts(raw[column])
    yield pmf & ~names.isin(CATEGORIES), column, "", f"one of {', '.join(CATEGORIES)}"
    cells = raw[column]
    if pmf.any():
        cells = cells.astype(object).where(~pmf, 0)
    ids = pd.Series(numbers(cells))
    yield (
        ids.isna(),
        column,
        "is not a finite number",
        "give a finite number such as 0.5",
    )
    outside = (kind == "quantile") & ((ids <= 0) | (ids >= 1))
    yield outside, column, "", "quantile levels lie between 0 and 1"
    uncounted = (kind == "sample") & ((ids < 0) | (ids != ids.round()))
    yield uncounted, column, "", "number samples 0, 1, 2 …"
    if pmf.any():
        ids = ids.astype(object).where(~pmf, names)
    out[column] = ids


def _unit_rules(out: pd.DataFrame, unit: list[str]) -> Iterator[Rule]:
    """Rules of rows that belong together, one after the other."""
    # Within an origin, target month less horizon is one month: the panel's last.
    months = pd.Series(
        out["target_end_date"].to_numpy().astype("datetime64[M]").astype(int)
    )
    last = months - out["horizon"]
    first = last.groupby(out["origin_date"]).transform(
        lambda months: months.mode().iloc[0]
    )
    hint = (
        "within an origin, horizons and target months must move together: horizon h is "
        "the h-th month after the last one published"
    )
    yield last != first, "horizon", "does not fit target_end_date", hint
    origin = out["origin_date"].to_numpy().astype("datetime64[M]").astype(int)
    reason = "puts the last published month after the origin date"
    hint = (
        "horizon 1 is the first month after the last one published by the origin date"
    )
    yield last > origin, "horizon", reason, hint
    column = "output_type_id"
    keys = [*unit, "output_type", "output_type_id"]
    yield out.duplicated(keys), column, "repeats a row", "give every forecast once"
    # 0.5 and 0.5000001 are one level and a slip of the pen: scored as two, it counts twice.
    near = out.loc[out["output_type"] != "pmf", keys]
    near = near.sort_values(keys, kind="stable").astype({column: float})
    same_unit = (near[keys[:-1]] == near[keys[:-1]].shift()).all(axis=1)
    close = same_unit & (near[column].diff() < _MIN_STEP)
    hint = f"levels of a unit lie at least {_MIN_STEP} apart"
    yield close, column, "nearly repeats a level", hint
    rows = out[out["output_type"] == "quantile"]
    rows = rows.sort_values([*unit, column], kind="stable")
    unit_number = rows.groupby(unit, sort=False).ngroup()
    falls = (rows["value"].diff() < 0) & (unit_number == unit_number.shift())
    reason = "lies below the quantile of the next lower level"
    yield falls, "value", reason, "quantiles must not fall as their level rises"
    trends = out[out["output_type"] == "pmf"].groupby(unit, sort=False)["value"]
    hint = f"give every unit all of {', '.join(CATEGORIES)}"
    lacking = trends.transform("size") != len(CATEGORIES)
    yield lacking, column, "is of a unit that lacks a category", hint
    off = (trends.transform("sum") - 1).abs() > TOTAL
    hint = f"the probabilities of a unit add up to 1, within {TOTAL}"
    yield off, "value", "is of a unit whose probabilities do not add up to 1", hint


def _check_levels(
    out: pd.DataFrame,
    unit: list[str],
    levels: Sequence[float],
    source: str,
    numbered: np.ndarray,
) -> None:
    """Refuse a unit of quantiles without one of these levels."""
    rows = out[out["output_type"] == "quantile"]
    ids = rows["output_type_id"].to_numpy(dtype=float)[:, None]
    close = pd.DataFrame(np.isclose(ids, levels, rtol=0, atol=1e-9), rows.index)
    present = close.groupby([rows[name] for name in unit], sort=False).transform("any")
    short = rows[~present.all(axis=1)]
    if short.empty:
        return
    row = int(short.index[0])
    units = len(short[unit].drop_duplicates())
    first = rows.loc[row]
    missing = list(itertools.compress(levels, ~present.loc[row]))
    count = f" ({units} such units)" if units > 1 else ""
    scenario = (
        f", scenario {quoted(first[SCENARIO_ID])}" if SCENARIO_ID in first else ""
    )
    raise DataError(
        f"{source}, row {numbered[row]}, origin "
        f"{first['origin_date']:%Y-%m-%d}{scenario}, location {first['location']}, "
        f"{first['target']}, {first['target_end_date']:%Y-%m-%d}: "
        f"{len(missing)} of {len(levels)} quantile "
        f"levels missing, first {missing[0]:g}{count}",
        hint="give every unit all levels",
    )


def _texts(column: pd.Series) -> pd.Series[str]:
    """A column as text."""
    return column.astype(object).astype(str)


def _is_none(cell: object) -> bool:
    """Whether a cell holds nothing: None, NaN, an empty text."""
    if isinstance(cell, str | float):
        return cell == "" or cell != cell
    return cell is None or cell is pd.NA or cell is pd.NaT


# -- Simple tables -------------------------------------------------------------------------------

#: Columns of a simple table: medians and intervals, a row per place, month and interval.
SIMPLE_COLUMNS: Final = frozenset(
    {"location", "month", "horizon", "level", "low", "median", "high"}
)
#: What makes two rows of a simple table intervals of one forecast.
_SIMPLE_UNIT = ["location", "month", "target", "horizon"]
#: The day that a file's name begins with.
DAY_IN_NAME: Final = re.compile(r"^(\d{4}-\d{2}-\d{2})-(?=.)")


@dataclass(frozen=True, eq=False)
class SimpleTable:
    """Medians and intervals of 12-month counts or months, without their draws.

    Attributes
    ----------
    path : Path
        The file.
    table : DataFrame
        A row per place, month and target: ``location`` (CDC's code), ``month``, ``target``,
        ``horizon``, ``last_month``, a column per quantile level, ``as_of`` where the file's name
        begins with a day, and ``reported`` where the file has it.
    levels : dict of float to str
        Quantile levels, rising, and the column of each.
    rows : ndarray of int
        The row of the file that each row begins with.
    """

    path: Path
    table: pd.DataFrame
    levels: Mapping[float, str]
    rows: np.ndarray

    def to_hub(
        self, origin_date: dt.date, levels: Sequence[float] | None = HUB_QUANTILES
    ) -> pd.DataFrame:
        """Rows of a hub file, checked as those of a hub file are."""
        n_levels = len(self.levels)
        units = self.table.loc[self.table.index.repeat(n_levels)]
        rows = pd.DataFrame(
            {
                "origin_date": str(origin_date),
                "location": [lookup(place).code for place in units["location"]],
                "target": units["target"].to_numpy(),
                "horizon": units["horizon"].to_numpy(),
                "target_end_date": [
                    str(month_end(month))
                    for month in units["month"].to_numpy("datetime64[M]")
                ],
                "output_type": "quantile",
                "output_type_id": np.tile(list(self.levels), len(self.table)),
                "value": self.table[list(self.levels.values())]
                .to_numpy(dtype=float)
                .ravel(),
            }
        )
        return check_hub(
            rows,
            levels=levels,
            source=str(self.path),
            rows=np.repeat(self.rows, n_levels),
        )


def read_forecasts(
    path: str | Path,
    levels: Sequence[float] | None = HUB_QUANTILES,
    origin_date: dt.date | None = None,
) -> pd.DataFrame:
    """Read other people's forecasts, from a hub file or a simple table, as hub rows.

    Parameters
    ----------
    path : str or Path
        A hub file, as :func:`odforecast.read_hub` reads it, or a table with the columns
        ``location``, ``month``, ``horizon``, ``level``, ``low``, ``median`` and ``high``.
    levels : sequence of float or None
        Levels every unit with quantiles must have; None to accept any.
    origin_date : date, optional
        The day of a simple table; default: the one that its name begins with.

    Raises
    ------
    DataError
        With file, row, column and value.
    """
    source = Path(path)
    if "median" not in header_of(source):
        return read_hub(source, levels)
    simple = read_simple(source)
    if origin_date is None and "as_of" not in simple.table:
        raise DataError(
            f"{source}: neither the table nor the file name has the day of the forecast",
            hint="name the file by the day and the model: 2024-12-11-model.csv",
        )
    return simple.to_hub(origin_date or simple.table["as_of"].iloc[0].date(), levels)


def read_simple(path: Path) -> SimpleTable:
    """Read a table of medians and intervals."""
    parsers = dict.fromkeys(("level", "horizon"), needed(_value)) | {"location": _place}
    parsers |= dict.fromkeys(("low", "median", "high", "reported"), _value)
    names = sorted(SIMPLE_COLUMNS)
    columns = [
        Column(name, name, parse=parsers.get(name, str))
        for name in (*names, "reported", "target")
    ]
    cells = Table(
        read_table(path),
        columns,
        needs=names,
        what="a table of medians and intervals",
        others=True,
    )
    month = cells.months("1999-01")
    horizon = cells.values("horizon", dtype=int)
    target = cells.texts("target") if "target" in cells else TARGET_12MO
    intervals = pd.DataFrame(
        {
            "location": cells.texts("location"),
            "month": month.astype("datetime64[s]"),
            "target": target,
            "horizon": horizon,
            "last_month": (month - horizon * ONE_MONTH).astype("datetime64[s]"),
        }
    )
    for name in ("level", "low", "median", "high", "reported"):
        if name in cells:
            intervals[name] = cells.values(name)
    _check_intervals(cells, intervals)
    table = intervals.drop_duplicates(_SIMPLE_UNIT)
    rows = np.asarray(cells.rows)[table.index]
    table = table.drop(columns=["level", "low", "high"]).reset_index(drop=True)
    low_columns = {}
    high_columns = {}
    for share in sorted(set(intervals["level"]), reverse=True):
        low = round((1 - share) / 2, 12)
        suffix = f"_{float(share)!r}"  # all digits: levels may differ in the seventh
        low_columns[low] = f"low{suffix}"
        high_columns[round(1 - low, 12)] = f"high{suffix}"
        ends = intervals[intervals["level"] == share].set_index(_SIMPLE_UNIT)[
            ["low", "high"]
        ]
        table = table.join(ends.add_suffix(suffix), on=_SIMPLE_UNIT)
    levels = low_columns | {0.5: "median"} | dict(reversed(high_columns.items()))
    if day := DAY_IN_NAME.match(path.name):
        try:
            table["as_of"] = pd.Timestamp(day[1]).as_unit("s")
        except ValueError:
            raise DataError(f"{path}: {day[1]} is not a day") from None
    return SimpleTable(path, table, levels=levels, rows=rows)


def _check_intervals(cells: Table, intervals: pd.DataFrame) -> None:
    """Refuse a level that is none, an interval given twice, and forecasts that lack one."""
    level = intervals["level"]
    outside = ~((level > 0) & (level < 1))
    cells.refuse(
        outside.to_numpy(), "level", "does not lie between 0 and 1", "write 0.9 for 90%"
    )
    repeated = intervals.duplicated([*_SIMPLE_UNIT, "level"])
    hint = "give every interval of a place and month once"
    cells.refuse(
        repeated.to_numpy(),
        "level",
        "repeats an interval of this place and month",
        hint,
    )
    units = intervals.groupby(_SIMPLE_UNIT, sort=False)
    n_levels = level.nunique()
    lacking = units["level"].transform("size") < n_levels
    why = f"is of a place and month without all {n_levels} levels of the table"
    cells.refuse(
        lacking.to_numpy(), "level", why, "give every place and month the same levels"
    )
    differs = (
        units["median"].transform(lambda medians: medians.nunique(dropna=False)) > 1
    )
    why = "is not the only median of this place and month"
    cells.refuse(differs.to_numpy(), "median", why, "give all its rows the same median")


def _value(text: str) -> float | BadCell:
    """A number, or a blank."""
    value = number(text)
    if text and math.isnan(value):
        return BadCell("is not a number", "write 1234.5, or leave the cell blank")
    return value


def _place(text: str) -> str | BadCell:
    """A state by any of its names."""
    if re.fullmatch(r"\d{5}", text):
        hint = "odforecast backtest --dataset counties scores models of counties"
        return BadCell("is a county, and counties cannot be scored from files", hint)
    return state(text)


def header_of(path: Path) -> frozenset[str]:
    """Column names of a file in lower case; none where its own reader will refuse it."""
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            return frozenset(map(str.lower, pq.read_schema(path).names))
        with (
            gzip.open(path, "rb") if name.endswith(".gz") else path.open("rb") as handle
        ):
            text = handle.read(10_000).decode("utf-8-sig", "ignore").lower()
    except (OSError, EOFError, ValueError, IndexError, DataError):
        return frozenset()
    if name.endswith(".json"):
        return frozenset(re.findall(r'"(\w+)":', text))
    line = text.partition("\n")[0].strip()
    return frozenset(cell.strip('"') for cell in line.split(","))
