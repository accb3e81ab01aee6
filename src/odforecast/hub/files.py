"""Hub tables of forecasts: made, checked, written to files and read back."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from odforecast.errors import DataError, ForecastError, short
from odforecast.forecast import Forecast
from odforecast.forecast.forecast import a_forecast
from odforecast.forecast.text import keep_local
from odforecast.forecast.trend import CATEGORIES
from odforecast.geography.places import LOCATIONS, lookup
from odforecast.hub.cells import check_header, days, file_kind, numbers, read_raw, without_index
from odforecast.io import replacing
from odforecast.months import month_end
from odforecast.names import (
    HUB_COLUMNS,
    HUB_QUANTILES,
    LOCATION,
    MONTH,
    SCENARIO_ID,
    TARGET_TREND,
    TARGETS,
)
from odforecast.say import plain, quoted

OUTPUT_TYPES = ("quantile", "sample", "pmf")

#: Values are written to a thousandth of a death: more digits would only look precise.
DECIMALS = 3
#: Probabilities are written in millionths, and may miss 1 by this much when read.
_MILLION, TOTAL = 10**6, 0.001
#: Longest horizon, in months, and most characters of a scenario's name.
_MAX_HORIZON, LONGEST_NAME = 1200, 200
#: Least step between two quantile levels of a unit.
_MIN_STEP = 0.0001
_CODES = frozenset(x.code for x in LOCATIONS)
_DAY_COLUMNS: Final = ("origin_date", "target_end_date", "as_of")
_NUMBER_COLUMNS: Final = (
    "observation", "predicted", "percent_complete", "percent_pending", "oracle_value", "value",
)  # fmt: skip
_UNIT = ("origin_date", SCENARIO_ID, "location", "target", "horizon", "target_end_date")


def to_hub(
    forecast: Forecast,
    levels: Sequence[float] = HUB_QUANTILES,
    targets: Sequence[str] | None = None,
    output_type: str = "quantile",
    own: bool = False,
) -> pd.DataFrame:
    """Hubverse rows of a forecast.

    Parameters
    ----------
    levels : sequence of float
        Quantile levels.
    targets : sequence of str, optional
        ``"deaths_12mo"``, ``"deaths_month"``; default: those the forecast has.
    output_type : {"quantile", "sample", "pmf"}
        Quantiles, draws, or probabilities of the trend (target ``"trend_12mo"``). Samples with one
        ``output_type_id`` are one path over the axes on which the draws are joint.
    own : bool
        Allow a forecast that rests on a state's own counts.

    Returns
    -------
    DataFrame
        :data:`odforecast.names.HUB_COLUMNS`: dates as timestamps, ``location`` as hub code
        (``"54"``, ``"US"``, ``"NYC"``), ``value`` in deaths (to a thousandth) or as probability.

    Raises
    ------
    ForecastError
        If a location has no hub code, a value is negative, a target is not forecast, or the
        forecast rests on own counts.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel().select(["US"])
    >>> forecast = od.get_model("drift").fit(panel).forecast(horizon=3, draws=200, seed=1)
    >>> table = od.to_hub(forecast, targets=["deaths_12mo"])
    >>> len(table), table["location"].unique().tolist(), table["horizon"].unique().tolist()
    (69, ['US'], [1, 2, 3])
    """
    forecast = a_forecast(forecast)
    keep_local(forecast, "a hub file", own)
    if output_type not in OUTPUT_TYPES:
        raise ForecastError(
            f"unknown output type {output_type!r}", hint=f"one of {', '.join(OUTPUT_TYPES)}"
        )
    if unknown := [s for s in forecast.locations if s not in {x.state for x in LOCATIONS}]:
        raise ForecastError(
            f"{unknown[0]!r} has no hub code", hint="hub files hold jurisdictions, not regions"
        )
    if output_type == "pmf":
        return _trend_rows(forecast)
    wanted = [t for t in TARGETS if t in forecast.targets] if targets is None else list(targets)
    parts = [_target_rows(forecast, target, levels, output_type) for target in wanted]
    return pd.concat(parts, ignore_index=True)


def _target_rows(
    forecast: Forecast, target: str, levels: Sequence[float], output_type: str
) -> pd.DataFrame:
    """Rows of one target, ordered by location, month, then level or sample."""
    n_loc, n_months = len(forecast.locations), forecast.months.size
    if output_type == "quantile":
        values = forecast.quantiles(levels, target)
        ids = np.broadcast_to(np.asarray(levels, dtype=float)[:, None, None], values.shape)
    else:
        values = forecast.samples(target)
        draw = np.arange(values.shape[0], dtype=float)[:, None, None]
        unit = np.zeros((1, n_loc, n_months))
        if LOCATION not in forecast.joint:
            unit = unit + np.arange(n_loc)[:, None]
        if MONTH not in forecast.joint:
            unit = unit * n_months + np.arange(n_months)
        ids = draw + values.shape[0] * unit
    values = np.round(values, DECIMALS)
    if (values < 0).any():
        k, i, m = (int(x) for x in np.argwhere(values < 0)[0])
        what = f"level {levels[k]:g}" if output_type == "quantile" else f"draw {k}"
        raise ForecastError(
            f"negative {target} for {forecast.locations[i]}, {forecast.months[m]}, {what}: "
            f"{values[k, i, m]:g}",
            hint="deaths cannot be negative; this model's draws need a floor",
        )
    units = {
        "location": np.repeat(list(forecast.locations), n_months),
        "horizon": np.tile(forecast.horizons, n_loc),
        "month": np.tile(forecast.months, n_loc),
    }
    flat = (x.transpose(1, 2, 0).ravel() for x in (ids, values))
    return _frame(forecast, target, output_type, pd.DataFrame(units), *flat)


def _trend_rows(forecast: Forecast) -> pd.DataFrame:
    """Rows of the trend, ordered by location, month, category; published months are left out."""
    table = forecast.trend()
    given = table["t1"].notna() & table[list(CATEGORIES)].notna().all(axis=1)
    table = table[(table["horizon"] >= 1) & given]
    if table.empty:
        raise ForecastError(
            "no trend can be given: no count of a year before was known at the origin"
        )
    chances = table[list(CATEGORIES)].to_numpy(dtype=float)
    # A hub takes no 0.999999: each is rounded down, and what is left goes to those that lost most.
    parts = np.floor(chances * _MILLION + 1e-6)
    left = (_MILLION - parts.sum(axis=1)).astype(int)
    rank = np.argsort(np.argsort(parts - chances * _MILLION, axis=1, kind="stable"), axis=1)
    ids = np.tile(np.array(CATEGORIES, dtype=object), len(table))
    shares = ((parts + (rank < left[:, None])) / _MILLION).ravel()
    return _frame(forecast, TARGET_TREND, "pmf", table, ids, shares)


def _frame(
    forecast: Forecast, target: str, kind: str, units: pd.DataFrame, ids: object, values: np.ndarray
) -> pd.DataFrame:
    """Rows of units, each with as many ids as there are values of it."""
    n = len(values) // len(units)
    codes = {s: lookup(s).code for s in forecast.locations}
    ends = {m: month_end(np.datetime64(m, "M")) for m in units["month"].unique()}
    days = np.array([ends[m] for m in units["month"]], dtype="datetime64[s]")
    return pd.DataFrame(
        {
            "origin_date": pd.Timestamp(forecast.as_of).as_unit("s"),
            "location": np.repeat([codes[str(s)] for s in units["location"]], n),
            "target": target,
            "horizon": np.repeat(units["horizon"].to_numpy(), n),
            "target_end_date": np.repeat(days, n),
            "output_type": kind,
            "output_type_id": ids,
            "value": values,
        }
    )


def write_hub(table: pd.DataFrame, path: str | Path | None = None) -> Path:
    """Check a hub table and write it; the file is complete or absent.

    Parameters
    ----------
    table : DataFrame
        As given by :func:`to_hub`, or by :func:`odforecast.hub.scenarios_to_hub`.
    path : str or Path
        ``.csv``, ``.csv.gz`` or ``.parquet``.

    Returns
    -------
    Path
        Where it was written.
    """
    given: object = table
    if path is None or not isinstance(given, pd.DataFrame):
        what = f"table is {short(given)}, no table" if path else "path is missing"
        raise DataError(what, hint="od.write_hub(od.to_hub(forecast), 'forecast.csv')")
    target = Path(path)
    kind = file_kind(target)
    checked = check_hub(table, levels=None, source=str(target))
    with replacing(target) as part:
        if kind == "parquet":
            if "pmf" in set(checked["output_type"]):
                # One column has one type: beside categories, levels are texts too.
                checked = checked.assign(output_type_id=id_texts(checked))
            checked.to_parquet(part, index=False, write_page_checksum=True)
        else:
            lines = csv_lines(checked)
            # No time or name inside: the same table gives the same bytes.
            part.write_bytes(gzip.compress(lines, mtime=0) if kind == "gz" else lines)
    return target


def csv_lines(table: pd.DataFrame) -> bytes:
    """A checked table as a CSV file."""
    days = table[["origin_date", "target_end_date"]].apply(lambda x: x.dt.strftime("%Y-%m-%d"))
    text = table.assign(**days, output_type_id=id_texts(table))
    return text.to_csv(index=False, lineterminator="\n").encode()


def id_texts(table: pd.DataFrame) -> list[str]:
    """Levels and numbers of samples as short as they can be; categories as they are."""
    return [x if isinstance(x, str) else f"{x:.12g}" for x in table["output_type_id"]]


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write Parquet with the types that a hub's readers expect: days as days, texts as texts."""
    columns: dict[str, Any] = {}
    for name in table.columns:
        if name in _DAY_COLUMNS:
            # A timestamp is no day to R: it would be another type there.
            days = table[name].to_numpy(dtype="datetime64[D]")
            columns[name] = pa.array(days, type=pa.date32())
        else:
            kind = pa.float64() if name in _NUMBER_COLUMNS else pa.string()
            kind = pa.int32() if name == "horizon" else kind
            columns[name] = pa.array(table[name], type=kind, from_pandas=True)
    with replacing(path) as part:
        pq.write_table(pa.table(columns), part, write_page_checksum=True)


def read_hub(path: str | Path, levels: Sequence[float] | None = HUB_QUANTILES) -> pd.DataFrame:
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
    table = check_hub(without_index(raw.cells), levels=levels, source=str(source), rows=raw.rows)
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
    if missing := [c for c in HUB_COLUMNS if c not in table]:
        raise DataError(
            f"{source}: no column {', '.join(missing)}", hint=f"columns: {', '.join(HUB_COLUMNS)}"
        )
    named = [SCENARIO_ID] if SCENARIO_ID in table else []
    columns = [HUB_COLUMNS[0], *named, *HUB_COLUMNS[1:]]
    if extra := [c for c in table.columns if c not in columns]:
        more = f" and {len(extra) - 1:,} more" if len(extra) > 1 else ""
        raise DataError(
            f"{source}: unknown column {quoted(extra[0])}{more}",
            hint="hub files name the model in the file name, and hold no other columns",
        )
    raw = table[columns].reset_index(drop=True)
    out = pd.DataFrame(index=raw.index)
    if raw.empty:
        raise DataError(f"{source}: no rows")
    unit = [c for c in columns if c in _UNIT]
    for bad, column, what, hint in chain(_cell_rules(raw, out), _unit_rules(out, unit)):
        # Rows that a rule does not speak of are good.
        if bad.any():
            row, n = int(bad[bad].index.min()), bad.sum()
            cell = raw[column].iloc[row]
            value = quoted(cell) if isinstance(cell, str) else plain(cell)
            more = f" ({n} such rows)" if n > 1 else ""
            raise DataError(
                f"{source}, row {rows[row]}, column {column}: {value}"
                f"{' ' + what if what else ''}{more}",
                hint=hint,
            )
    if levels is not None:
        _check_levels(out, unit, levels, source, rows)
    return out[columns]


#: A rule: the rows that break it, the column to look at, what is wrong with its cell, what to do.
type Rule = tuple[pd.Series[bool], str, str, str]


def _cell_rules(raw: pd.DataFrame, out: pd.DataFrame) -> Iterator[Rule]:
    """Rules of single cells, one after the other; ``out`` gets the typed columns."""

    def choice(column: str, allowed: Sequence[str]) -> Rule:
        """A column of few texts."""
        out[column] = _texts(raw[column])
        return ~out[column].isin(allowed), column, "", f"one of {', '.join(allowed)}"

    def parsed(column: str, values: np.ndarray, what: str, hint: str) -> Rule:
        """A column of days or numbers."""
        out[column] = values
        return out[column].isna(), column, what, hint

    def day(column: str) -> Rule:
        """A column of days."""
        hint = "write days as 2024-07-31, without time or zone"
        return parsed(column, days(raw[column]), "is not a date", hint)

    def number(column: str) -> Rule:
        """A column of numbers."""
        hint = "give a number such as 1345.5"
        return parsed(column, numbers(raw[column]), "is not a finite number", hint)

    yield day("origin_date")
    if SCENARIO_ID in raw:
        yield from _scenario_rules(raw, out)
    codes = out["location"] = _texts(raw["location"])
    unknown = ~codes.isin(_CODES)
    # ASCII: other scripts have digits too.
    lost = unknown & codes.str.fullmatch("[0-9]") & codes.str.zfill(2).isin(_CODES)
    hint = "a leading zero was lost (by a spreadsheet?); write FIPS codes as text: 01, not 1"
    yield lost, "location", "", hint
    hint = "use two-digit FIPS codes (54 for West Virginia), US, or NYC"
    yield unknown, "location", "is not a location", hint
    yield choice("target", (*TARGETS, TARGET_TREND))
    yield number("horizon")
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
    yield number("value")
    negative, pmf = out["value"] < 0, out["output_type"] == "pmf"
    yield negative & ~pmf, "value", "", "deaths cannot be negative"
    yield negative & pmf, "value", "", "probabilities cannot be negative"


def _scenario_rules(raw: pd.DataFrame, out: pd.DataFrame) -> Iterator[Rule]:
    """Every row names its scenario; nothing stands for a missing one."""
    cells = raw[SCENARIO_ID].astype(object)
    hint = "every row names its scenario (null is a name), or the file has no such column"
    yield cells.map(_is_none).astype(bool), SCENARIO_ID, "names no scenario", hint
    texts = pd.Series([isinstance(cell, str) for cell in cells])
    yield ~texts, SCENARIO_ID, "is not text", "write names of scenarios as text"
    hint = f"1 to {LONGEST_NAME} printable characters, no space before or after them"
    good = {name: is_scenario_name(name) for name in cells.unique()}
    yield ~cells.map(good).astype(bool), SCENARIO_ID, "is not a scenario name", hint
    out[SCENARIO_ID] = cells.astype(str)


def _id_rules(raw: pd.DataFrame, out: pd.DataFrame) -> Iterator[Rule]:
    """Levels, numbers of samples, and categories; the last are texts."""
    column, kind = "output_type_id", out["output_type"]
    pmf = kind == "pmf"
    hint = f"{TARGET_TREND} is given as pmf, and pmf is given of {TARGET_TREND}"
    odd = pmf != (out["target"] == TARGET_TREND)
    yield odd, "output_type", "does not fit the target", hint
    names, given = _texts(raw[column]), raw[column]
    yield pmf & ~names.isin(CATEGORIES), column, "", f"one of {', '.join(CATEGORIES)}"
    ids = pd.Series(numbers(given.astype(object).where(~pmf, 0) if pmf.any() else given))
    yield ids.isna(), column, "is not a finite number", "give a finite number such as 0.5"
    outside = (kind == "quantile") & ((ids <= 0) | (ids >= 1))
    yield outside, column, "", "quantile levels lie between 0 and 1"
    uncounted = (kind == "sample") & ((ids < 0) | (ids != ids.round()))
    yield uncounted, column, "", "number samples 0, 1, 2 …"
    out[column] = ids.astype(object).where(~pmf, names) if pmf.any() else ids


def _unit_rules(out: pd.DataFrame, unit: list[str]) -> Iterator[Rule]:
    """Rules of rows that belong together, one after the other."""
    # Within an origin, target month less horizon is one month: the panel's last.
    months = pd.Series(out["target_end_date"].to_numpy().astype("datetime64[M]").astype(int))
    last = months - out["horizon"]
    first = last.groupby(out["origin_date"]).transform(lambda x: x.mode().iloc[0])
    hint = (
        "within an origin, horizons and target months must move together: horizon h is "
        "the h-th month after the last one published"
    )
    yield last != first, "horizon", "does not fit target_end_date", hint
    origin = out["origin_date"].to_numpy().astype("datetime64[M]").astype(int)
    what = "puts the last published month after the origin date"
    hint = "horizon 1 is the first month after the last one published by the origin date"
    yield last > origin, "horizon", what, hint
    column, keys = "output_type_id", [*unit, "output_type", "output_type_id"]
    yield out.duplicated(keys), column, "repeats a row", "give every forecast once"
    # 0.5 and 0.5000001 are one level and a slip of the pen: scored as two, it counts twice.
    near = out.loc[out["output_type"] != "pmf", keys]
    near = near.sort_values(keys, kind="stable").astype({column: float})
    same = (near[keys[:-1]] == near[keys[:-1]].shift()).all(axis=1)
    close = same & (near[column].diff() < _MIN_STEP)
    hint = f"levels of a unit lie at least {_MIN_STEP} apart"
    yield close, column, "nearly repeats a level", hint
    rows = out[out["output_type"] == "quantile"]
    rows = rows.sort_values([*unit, column], kind="stable")
    number = rows.groupby(unit, sort=False).ngroup()
    fell = (rows["value"].diff() < 0) & (number == number.shift())
    what = "lies below the quantile of the next lower level"
    yield fell, "value", what, "quantiles must not fall as their level rises"
    trends = out[out["output_type"] == "pmf"].groupby(unit, sort=False)["value"]
    hint = f"give every unit all of {', '.join(CATEGORIES)}"
    lacking = trends.transform("size") != len(CATEGORIES)
    yield lacking, column, "is of a unit that lacks a category", hint
    off = (trends.transform("sum") - 1).abs() > TOTAL
    hint = f"the probabilities of a unit add up to 1, within {TOTAL}"
    yield off, "value", "is of a unit whose probabilities do not add up to 1", hint


def _check_levels(
    out: pd.DataFrame, unit: list[str], wanted: Sequence[float], source: str, numbered: np.ndarray
) -> None:
    """Refuse a unit of quantiles without one of these levels."""
    rows = out[out["output_type"] == "quantile"]
    if rows.empty:
        return
    number = rows.groupby(unit, sort=False).ngroup().to_numpy()
    have = np.zeros((number.max() + 1, len(wanted)), dtype=bool)
    for k, level in enumerate(wanted):
        close = np.isclose(rows["output_type_id"].to_numpy(), level, rtol=0, atol=1e-9)
        have[number[close], k] = True
    short = np.flatnonzero(~have.all(axis=1))
    if short.size == 0:
        return
    row = int(np.flatnonzero(number == short[0])[0])
    first = rows.iloc[row]
    lacking = [x for x, there in zip(wanted, have[short[0]]) if not there]
    more = f" ({short.size} such units)" if short.size > 1 else ""
    scenario = f", scenario {quoted(first[SCENARIO_ID])}" if SCENARIO_ID in first else ""
    raise DataError(
        f"{source}, row {numbered[int(rows.index[row])]}, origin "
        f"{first['origin_date']:%Y-%m-%d}{scenario}, location {first['location']}, "
        f"{first['target']}, {first['target_end_date']:%Y-%m-%d}: "
        f"{len(lacking)} of {len(wanted)} quantile "
        f"levels missing, first {lacking[0]:g}{more}",
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
