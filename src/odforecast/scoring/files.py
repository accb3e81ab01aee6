"""Other people's forecasts in files: hub files and simple tables, read and checked."""

from __future__ import annotations

import datetime as dt
import gzip
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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
from odforecast.say import listed, number_of, plain, quoted
from odforecast.sources.cells import (
    check_header,
    days,
    number,
    numbers,
    read_raw,
    without_index,
)
from odforecast.sources.columns import BadCell, Table, needed, state
from odforecast.sources.read import Limits
from odforecast.sources.sheet import Sheet, Term, day_parser, month_parser

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
        ``.csv``, ``.csv.gz`` or ``.parquet``; ``origin_date`` may be called ``reference_date``.
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
    cells = without_index(raw.cells)
    if "origin_date" not in cells:
        cells = cells.rename(columns={"reference_date": "origin_date"})
    table = check_hub(
        cells,
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

_INTERVAL: Final = ("low", "median", "high")
#: What makes two rows of a simple table parts of one forecast.
_SIMPLE_UNIT = ["as_of", "location", "month", "target", "horizon"]
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
        ``horizon`` and ``last_month`` (blank where the file does not say them), a column per
        quantile level, ``as_of`` (the day, by a column or the file's name), and ``reported`` where
        the file has it.
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
    if is_hub_file(source):
        return read_hub(source, levels)
    simple = read_simple(source)
    day = origin_date or simple.table["as_of"].iloc[0].date()
    if day != day:
        raise DataError(
            f"{source}: neither the table nor the file name has the day of the forecast",
            hint="name the file by the day and the model: 2024-12-11-model.csv",
        )
    if simple.table["horizon"].isna().any():
        raise DataError(f"{source}: no column horizon", hint="add the months ahead")
    return simple.to_hub(day, levels)


def read_simple(
    path: Path,
    columns: Mapping[str, str] | None = None,
    say: Callable[[str], None] | None = None,
) -> SimpleTable:
    """Read a table of medians and intervals, or of quantiles.

    Parameters
    ----------
    path : Path
        A file with the columns ``location``, ``month``, and ``low``, ``median`` and ``high``, or
        ``quantile`` and ``value``. Without a column ``horizon``, months ahead are blank.
    columns : mapping of str to str, optional
        Headers by what the columns are; ``level`` may be a percentage, ``90%``.
    say : callable, optional
        Gets a sentence about what was read.
    """
    chosen = dict(columns or {})
    percent = re.fullmatch(r"([0-9]{2}(?:\.[0-9]+)?)%", chosen.get("level", ""))
    if percent:
        del chosen["level"]
    sheet = Sheet(path, Limits(), terms=_TERMS, chosen=chosen)
    positions = {name: sheet.find(name) for name in sheet.terms}
    is_long = positions["median"] is None and positions["quantile"] is not None
    values = ("value",) if is_long else _INTERVAL
    needed_columns = [sheet.require(name) for name in ("location", "month", *values)]
    sheet.leave_out(needed_columns[:1], needed_columns[2:])
    unused = (*_INTERVAL, "level") if is_long else ("quantile", "value")
    at = {name: i for name, i in positions.items() if name not in unused}
    cells = {}
    if not is_long and at["level"] is None:
        share = percent[1] if percent else _level_in(sheet)
        cells["level"] = [f"{float(share) / 100:g}"] * len(sheet)
    column = "quantile" if is_long else "level"
    table, levels, rows = _forecasts(sheet.table(at, cells), column)
    if say is not None:
        used = [sheet.headers[i] for i in at.values() if i is not None]
        names = listed(map(repr, used), 12)
        text = (
            f"{number_of(len(table), 'forecast')} at {number_of(len(levels), 'level')}"
        )
        sentences = [f"{sheet.name}: read {text} from {names}", *sheet.left_out]
        if at["horizon"] is None:
            sentences.append("months ahead count from CDC's last month on that day")
        say("; ".join(sentences))
    return SimpleTable(path, table, levels=levels, rows=rows)


def _level_in(sheet: Sheet) -> str:
    """The level that both ends have in their names, such as ``low_90``; refused without."""
    headers = [sheet.headers[sheet.require(name)] for name in ("low", "high")]
    low, high = (re.findall("[0-9]{2}", header) for header in headers)
    if len(low) != 1 or low != high:
        raise DataError(
            f"{sheet.name}: no column for the level of the intervals",
            hint="say which it is: --column level=90%",
        )
    return str(low[0])


def _forecasts(
    cells: Table, column: str
) -> tuple[pd.DataFrame, dict[float, str], np.ndarray]:
    """A row per forecast with a column per quantile level, the levels, and the first rows."""
    month = cells.texts("month", month_parser(cells.cells["month"])).astype("M8[M]")
    horizon: Any = np.full(len(cells), np.nan)
    last_month = np.full(len(cells), np.datetime64("NaT", "s"))
    if "horizon" in cells:
        horizon = cells.values("horizon", dtype=int)
        last_month = (month - horizon * ONE_MONTH).astype("datetime64[s]")
    days: Any = _day_in(cells.raw.file)
    if "day" in cells:
        days = cells.texts("day", day_parser(cells.cells["day"]))
    table = pd.DataFrame(
        {
            "as_of": pd.to_datetime(days),
            "location": cells.texts("location"),
            "month": month.astype("datetime64[s]"),
            "target": cells.texts("target") if "target" in cells else TARGET_12MO,
            "horizon": horizon,
            "last_month": last_month,
        }
    )
    if "reported" in cells:
        table["reported"] = cells.values("reported")
    level = cells.values(column)
    outside = ~((level > 0) & (level < 1))
    reason = "does not lie between 0 and 1"
    cells.refuse(outside, column, reason, "write 0.9 for 90%")
    unit = table.groupby(_SIMPLE_UNIT, sort=False, dropna=False).ngroup()
    _check_unit(cells, column, level=level, unit=unit)
    if column == "level":
        low = ((1 - level) / 2).round(12)
        quantiles = [low, np.full(len(low), 0.5), (1 - low).round(12)]
        values = [cells.values(name) for name in _INTERVAL]
    else:
        quantiles = [level]
        values = [cells.values("value")]
    wide = pd.DataFrame(
        {
            "unit": np.tile(unit, len(values)),
            "quantile": np.concatenate(quantiles),
            "value": np.concatenate(values),
        }
    )
    # The median is in every row of a unit.
    wide = wide.drop_duplicates(["unit", "quantile"])
    wide = wide.pivot(index="unit", columns="quantile", values="value")
    levels = {quantile: f"q{quantile!r}" for quantile in map(float, wide.columns)}
    first = ~unit.duplicated().to_numpy()
    wide.columns = list(levels.values())
    table = table[first].reset_index(drop=True).join(wide)
    return table, levels, np.asarray(cells.rows)[first]


def _check_unit(cells: Table, column: str, level: Any, unit: pd.Series) -> None:
    """Refuse a level that a forecast has twice or lacks, and a second median of one."""
    rows = pd.DataFrame({"unit": unit, "level": level})
    noun = "an interval" if column == "level" else "a quantile"
    cells.refuse(
        rows.duplicated().to_numpy(),
        column,
        f"repeats {noun} of this place and month",
        f"give every {noun.split()[1]} of a place and month once",
    )
    n_levels = rows["level"].nunique()
    lacking = rows.groupby("unit")["level"].transform("size") < n_levels
    reason = f"is of a place and month without all {n_levels} levels of the table"
    hint = "give every place and month the same levels"
    cells.refuse(lacking.to_numpy(), column, reason, hint)
    if column == "level":
        medians = pd.Series(cells.values("median")).groupby(unit)
        differs = medians.transform(lambda values: values.nunique(dropna=False)) > 1
        reason = "is not the only median of this place and month"
        hint = "give all its rows the same median"
        cells.refuse(differs.to_numpy(), "median", reason, hint)


def _day_in(name: str) -> str:
    """The day that the name of a file begins with; blank if there is none."""
    day = DAY_IN_NAME.match(name)
    if day is None:
        return ""
    try:
        return str(dt.date.fromisoformat(day[1]))
    except ValueError:
        raise DataError(f"{name}: {day[1]} is not a day") from None


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


_FILLED = needed(_value)
_TERMS: Final = (
    Term("location", "the place", "state, jurisdiction, place", parse=_place),
    Term(
        "month",
        "the month",
        words="month months date period",
        without="origin reference forecast last release as issued made ahead",
        is_date=True,
    ),
    Term(
        "day", "the day of the forecast", "forecast date, reference date, origin date"
    ),
    Term("target", "the target"),
    Term("horizon", "the months ahead", "months ahead, h", parse=_FILLED),
    Term("level", "the level", "interval, coverage", parse=_FILLED),
    Term("low", "the lower end", words="lower lo", parse=_value),
    Term("median", "the median", parse=_value),
    Term("high", "the upper end", words="upper hi", parse=_value),
    Term(
        "quantile",
        "the quantile level",
        "quantile level, tau, output type id",
        parse=_FILLED,
    ),
    Term("value", "the value", "forecast, deaths, prediction", parse=_value),
    Term("reported", "the reported count", parse=_value),
)


def is_hub_file(path: Path) -> bool:
    """Whether a file has the columns of a hub file, or of one that its own reader refuses."""
    columns = header_of(path)
    return not columns or "output_type" in columns


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
    line = text if name.endswith(".json") else text.partition("\n")[0]
    return frozenset(re.findall(r"\w+", line))
