"""Hub tables of forecasts: made, checked, written to files and read back."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import math
import os
import re
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pandas.api.types import infer_dtype
from pyarrow import csv as pacsv
from pyarrow import feather

from odforecast.errors import DataError, ForecastError
from odforecast.forecasts import Forecast
from odforecast.forecasts.forecast import a_forecast
from odforecast.forecasts.text import keep_local
from odforecast.forecasts.trend import CATEGORIES
from odforecast.geography.places import LOCATIONS, lookup
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

#: Most bytes of a file, unpacked: a file of 2,000 sample paths has a quarter of it.
MAX_BYTES: Final = 256 * 2**20
#: Most characters of a cell of text, and of the longest number; a double needs 25.
_LONGEST = 100_000
_LONGEST_NUMBER = 60
#: Bytes of CSV that are parsed at one time; no row is longer.
_BLOCK: Final = 2**24
_CODED: Final = pa.dictionary(pa.int32(), pa.string())
#: Above it a double skips whole numbers.
EXACT: Final = 2.0**53
_NO_SUBMISSION: Final = "is it a hubverse model-output file?"
# ASCII digits only: other scripts' digits are digits to float() and to \d as well.
_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: R types, and the tests of :mod:`pyarrow.types` that an Arrow type must pass for each.
_R_TYPES: Final = {
    "factor": ("dictionary",),
    "integer": ("integer",),
    "double": ("floating",),
    "Date": ("date",),
    "logical": ("boolean",),
    "POSIXct": ("timestamp",),
    "character": ("string", "large_string", "string_view"),
}


@dataclass(frozen=True)
class Raw:
    """Cells of a file, the line of CSV or row of Parquet (from 1) that each row is, whether the
    last line is ended, as a file that was cut off rarely is, and the R types of Parquet's columns.
    """

    cells: pd.DataFrame
    rows: np.ndarray
    ends: bool = True
    kinds: Mapping[str, str] = field(default_factory=dict)


def file_kind(path: Path) -> str:
    """``"csv"``, ``"gz"`` or ``"parquet"``, by the ending of a file name."""
    name = path.name.lower()
    for ending, kind in ((".csv", "csv"), (".csv.gz", "gz"), (".parquet", "parquet")):
        if name.endswith(ending):
            return kind
    raise DataError(
        f"{path}: unknown file type {path.suffix!r}", hint="use .csv, .csv.gz or .parquet"
    )


def read_raw(
    path: Path,
    kind: str = "",
    limit: int | None = MAX_BYTES,
    hint: str = _NO_SUBMISSION,
) -> Raw:
    """Read a file's cells."""
    kind = kind or file_kind(path)
    try:
        if kind in ("parquet", "arrow"):
            return _typed(path, kind, limit=limit, hint=hint)
        with path.open("rb") if kind == "csv" else gzip.open(path, "rb") as handle:
            data = handle.read(-1 if limit is None else limit + 1)
        if limit is not None and len(data) > limit:
            raise DataError(
                f"{path}: more than {limit / 2**20:,.0f} MB unpacked",
                hint="no hub file is that large; write samples as Parquet, or split the file",
            )
        return _text(path, data)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (
        OSError,
        EOFError,
        zlib.error,
        pa.ArrowException,
        ValueError,
        OverflowError,
        TypeError,
        csv.Error,
    ) as error:
        if isinstance(error, DataError):
            raise
        said = plain(" ".join(str(error).split()), 300)
        hint = getattr(error, "hint", hint)
        raise DataError(f"{path}: cannot be read as {kind}: {said}", hint=hint) from error


class _BadTextError(ValueError):
    """What is wrong with a text, and what to do."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.hint = hint


def decoded(data: bytes, line: str = "row") -> str:
    """UTF-8 as text; what is not is named by its line."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        why = f"{line} {row}: byte {byte:#04x} is not UTF-8"
        raise _BadTextError(why, "save the file as UTF-8") from None


def _text(path: Path, data: bytes) -> Raw:
    """Cells of CSV, read by the rules to the letter: a stray quote is refused, not repaired."""
    decoded(data)
    if (at := data.find(b"\0")) >= 0:
        row = data.count(b"\n", 0, at) + 1
        raise _BadTextError(f"row {row}: a NUL byte, as no text has", "write the file again")
    _, header = _lines(data, 1)
    check_header(header, str(path))
    ends = data.endswith((b"\n", b"\r"))
    quotes = b'"' in data
    lines, _ = _lines(data) if quotes else (np.array([]), header)
    try:
        table = pacsv.read_csv(
            pa.BufferReader(data if ends else data + b"\n"),  # else a header alone is not seen
            pacsv.ReadOptions(use_threads=False, block_size=_BLOCK),
            pacsv.ParseOptions(newlines_in_values=quotes),
            pacsv.ConvertOptions(column_types=dict.fromkeys(header, _CODED)),
        )
    except pa.ArrowException:
        _lines(data)  # says in which row
        raise
    if not quotes:
        count = data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n") + (not ends)
        words = [chunk.dictionary for column in table.columns for chunk in column.chunks]
        most = max((pc.max(pc.binary_length(x)).as_py() or 0 for x in words), default=0)
        simple = count == len(table) + 1 and most <= csv.field_size_limit()
        lines = np.arange(2, len(table) + 2) if simple else _lines(data)[0]
    return Raw(_columns(table), lines, ends=ends)


def _lines(data: bytes, most: int | None = None) -> tuple[np.ndarray, list[str]]:
    """The line on which each row of CSV ends, and the header; what breaks the rules is refused."""
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), strict=True)
    rows = array("q")
    try:
        header = next(reader, [])
        if not header:
            raise ValueError("row 1 holds no column names")
        for cells in islice(reader, most and most - 1):
            if len(cells) == len(header):
                rows.append(reader.line_num)
            elif cells:  # an empty line holds nothing that could be lost
                raise ValueError(
                    f"row {reader.line_num}: {len(cells)} cells, and the header has {len(header)}"
                )
    except csv.Error as error:
        raise ValueError(f"row {reader.line_num}: {error}") from None
    return np.array(rows, dtype=np.int64), header


def check_header(header: Sequence[object], source: str) -> None:
    """Refuse a header with a name twice."""
    names = list(header)
    if len(set(names)) != len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise DataError(f"{source}: two columns are named {quoted(twice)}", hint="keep one")


def _typed(path: Path, kind: str, limit: int | None, hint: str) -> Raw:
    """Cells of Parquet or Arrow; our Parquet has page checksums, so a flipped bit is an error."""
    if kind == "arrow":
        table = feather.read_table(path, memory_map=False)
        schema = table.schema
    else:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            meta = file.metadata
            schema = file.schema_arrow
        size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
        if limit is not None and (size > limit or meta.num_rows > limit // 64):
            raise DataError(
                f"{path}: {meta.num_rows:,} rows, {size / 2**20:,.0f} MB unpacked",
                hint=f"at most {limit // 64:,} rows and {limit / 2**20:,.0f} MB; split the file",
            )
        # Texts stay coded: a long one that is in every row is kept once.
        texts = [f.name for f in schema if f.type in (pa.string(), pa.large_string())]
        table = pq.read_table(
            path,
            read_dictionary=texts,
            page_checksum_verification=True,
            partitioning=None,
        )
    check_header(schema.names, str(path))
    for name, column in zip(table.column_names, table.columns):
        coded = column.chunks if pa.types.is_dictionary(column.type) else []
        known = [x for chunk in coded for x in chunk.dictionary.to_pylist() if isinstance(x, str)]
        if any(len(x) > _LONGEST for x in known):
            what = f"holds a text of more than {_LONGEST:,} characters"
            raise DataError(f"{path}: column {quoted(name)} {what}", hint=hint)
    kinds = {f.name: _r_type(f.type) for f in schema}
    return Raw(_columns(table), np.arange(1, len(table) + 1), kinds=kinds)


def _columns(table: pa.Table) -> pd.DataFrame:
    """Cells as pandas has them; texts stay coded."""
    found = (x.to_pandas(ignore_metadata=True).reset_index(drop=True) for x in table.columns)
    return pd.DataFrame(dict(zip(table.column_names, found)), index=range(len(table)))


def _r_type(kind: pa.DataType) -> str:
    """The R type of an Arrow type, as hubValidations names it."""
    for name, tests in _R_TYPES.items():
        if any(getattr(pa.types, f"is_{test}")(kind) for test in tests):
            return name
    return str(kind)


def without_index(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells without the pandas index that somebody left in the table."""
    return cells[[c for c in cells if not re.fullmatch(r"__index_level_\d+__", str(c))]]


def number(cell: object) -> float:
    """The number a cell holds; NaN if it holds none, or one no double can hold."""
    if isinstance(cell, str):
        if len(cell) > _LONGEST_NUMBER or _NUMBER.fullmatch(cell) is None:
            return math.nan
    elif isinstance(cell, bool | np.bool_) or not isinstance(
        cell, int | float | np.integer | np.floating | Decimal
    ):
        return math.nan
    try:
        value = float(cell)
    except (OverflowError, ValueError):
        return math.nan
    return value if abs(value) <= EXACT else math.nan


def day(cell: object) -> np.datetime64:
    """The day a cell holds; NaT if it holds none."""
    none = np.datetime64("NaT", "s")
    if isinstance(cell, str):
        if _DAY.fullmatch(cell) is None:
            return none
        try:
            cell = dt.date.fromisoformat(cell)
        except ValueError:
            return none
    if isinstance(cell, dt.datetime):
        # Also pandas' timestamps. Noon is not a day, and which day a zone means is a guess.
        if pd.isna(cell) or cell.tzinfo is not None or cell.time() != dt.time():
            return none
        cell = cell.date()
    if isinstance(cell, dt.date) and 1900 <= cell.year <= 2200:
        return np.datetime64(cell, "s")
    return none


def is_day(text: str | None) -> bool:
    """Whether a text is a day of the calendar such as ``2024-07-31``."""
    return not np.isnat(day(text))


def numbers(column: pd.Series) -> np.ndarray:
    """Numbers of a column; NaN where a cell holds none."""
    kind = column.dtype
    if isinstance(kind, np.dtype) and kind.kind in "iuf":
        values = column.to_numpy().astype(float)
        # Infinite or too large to be exact: not what the file says.
        return np.where(np.abs(values) <= EXACT, values, np.nan)
    return np.array(_each(column, number), dtype=float)


def number_texts(texts: Iterable[str]) -> np.ndarray:
    """Numbers that texts hold; NaN where one holds none."""
    return numbers(pd.Series(list(texts), dtype=object))


def days(column: pd.Series) -> np.ndarray:
    """Days of a column as ``datetime64[s]``; NaT where a cell holds none."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "M":
        values = column.to_numpy().astype("datetime64[s]")
        whole = (values.astype("datetime64[D]") == values) & (column.to_numpy() == values)
        whole &= (values >= np.datetime64("1900-01-01")) & (values < np.datetime64("2201-01-01"))
        return np.where(whole, values, np.datetime64("NaT", "s"))
    return np.array(_each(column, day), dtype="datetime64[s]")


def _each[T](column: pd.Series, parse: Callable[[object], T]) -> list[T]:
    """A parser over a column; a text or day is parsed once, however often it is there."""
    seen: dict[str | dt.date, T] = {}
    out = []
    for cell in column.tolist():
        # Texts and days only: True and 1 are one key to a dictionary.
        if type(cell) in (str, dt.date):
            if cell not in seen:
                seen[cell] = parse(cell)
            out.append(seen[cell])
        else:
            out.append(parse(cell))
    return out


def read_texts(path: Path, hint: str = _NO_SUBMISSION) -> tuple[pd.DataFrame, np.ndarray]:
    """Cells of a file as text, and the row each is in."""
    raw = read_raw(path, hint=hint)
    cells = without_index(raw.cells)
    return pd.DataFrame({str(c): texts(cells[c]) for c in cells}), raw.rows


def text_of(cell: object) -> str:
    """A cell as text; the same for a date, a number or a text that means the same."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, np.ndarray | list | dict):
        return str(cell)
    if cell is None or cell is pd.NA or cell is pd.NaT or cell != cell:
        return ""
    if isinstance(cell, dt.datetime):
        text = cell.isoformat()
        return text[:10] if text[10:] in ("T00:00:00", "") else text
    if isinstance(cell, dt.date):
        return cell.isoformat()
    if isinstance(cell, bool | np.bool_):
        return "true" if cell else "false"
    if isinstance(cell, float | np.floating):
        value = float(cell)
        return str(int(value)) if abs(value) < 1e15 and value == int(value) else repr(value)
    return str(cell)


def coded_texts(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """The number of each cell's text (-1: there is none), and the texts, each written once."""
    different: Iterable[Any]
    if isinstance(column.dtype, pd.CategoricalDtype):
        at = column.cat.codes.to_numpy()
        different = column.cat.categories
    elif getattr(column.dtype, "kind", "O") in "fiumM" or infer_dtype(column) == "date":
        at, found = pd.factorize(column)
        different = map(pd.Timestamp, found) if column.dtype.kind == "M" else found.tolist()
    else:
        at, different = pd.factorize(np.array([text_of(x) for x in column], dtype=object))
        at = np.where(column.isna(), -1, at)
    return at, [text_of(x) for x in different]


def texts(column: pd.Series) -> pd.Series:
    """A column as text."""
    at, words = coded_texts(column)
    return pd.Series(np.array([*words, ""], dtype=object)[at], dtype=object)


OUTPUT_TYPES = ("quantile", "sample", "pmf")

#: Values are written to a thousandth of a death: more digits would only look precise.
DECIMALS = 3
#: Probabilities are written in millionths, and may miss 1 by this much when read.
_MILLION = 10**6
TOTAL = 0.001
#: Longest horizon, in months, and most characters of a scenario's name.
_MAX_HORIZON = 1200
LONGEST_NAME = 200
#: Least step between two quantile levels of a unit.
_MIN_STEP = 0.0001
_CODES = frozenset(x.code for x in LOCATIONS)
_DAY_COLUMNS: Final = ("origin_date", "target_end_date", "as_of")
_NUMBER_COLUMNS: Final = (
    "observation",
    "predicted",
    "percent_complete",
    "percent_pending",
    "oracle_value",
    "value",
)
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
    keep_local(forecast, "a hub file", own=own)
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
    parts = [
        _target_rows(forecast, target, levels=levels, output_type=output_type) for target in wanted
    ]
    return pd.concat(parts, ignore_index=True)


def _target_rows(
    forecast: Forecast,
    target: str,
    levels: Sequence[float],
    output_type: str,
) -> pd.DataFrame:
    """Rows of one target, ordered by location, month, then level or sample."""
    n_loc = len(forecast.locations)
    n_months = forecast.months.size
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
    return _frame(forecast, TARGET_TREND, kind="pmf", units=table, ids=ids, values=shares)


def _frame(
    forecast: Forecast,
    target: str,
    kind: str,
    units: pd.DataFrame,
    ids: object,
    values: np.ndarray,
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


def write_hub(
    forecast: Forecast | pd.DataFrame,
    path: str | os.PathLike[str] = "",
    levels: Sequence[float] = HUB_QUANTILES,
    targets: Sequence[str] | None = None,
    output_type: str = "quantile",
    own: bool = False,
) -> Path:
    """Write a forecast, or a checked hub table, as a hubverse model-output file.

    Parameters
    ----------
    forecast : Forecast or DataFrame
        A forecast, or a table as :func:`to_hub` or :func:`odforecast.hub.scenarios_to_hub` gives
        it.
    path : path
        ``.csv``, ``.csv.gz`` or ``.parquet``.
    levels, targets, output_type, own
        As for :func:`to_hub`; a table has them already.

    Returns
    -------
    Path
        Where it was written: whole, or not at all.

    Raises
    ------
    DataError
        If the table breaks a rule of the hub, or the file type is unknown.
    ForecastError
        If a location has no hub code, a target is not forecast, or the forecast rests on own
        counts.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(draws=50)
    >>> path = od.write_hub(forecast.select("Ohio"), tempfile.mkdtemp() + "/drift.csv")
    >>> len(od.read_hub(path))
    552
    """
    if not path:
        raise DataError("path is missing", hint="od.write_hub(forecast, 'forecast.csv')")
    if not isinstance(forecast, pd.DataFrame):
        forecast = to_hub(forecast, levels, targets=targets, output_type=output_type, own=own)
    target = Path(path)
    kind = file_kind(target)
    checked = check_hub(forecast, levels=None, source=str(target))
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
    if missing := [c for c in HUB_COLUMNS if c not in table]:
        hint = f"columns: {', '.join(HUB_COLUMNS)}"
        if len(table.columns) == 1 and re.search("[;\t]", str(table.columns[0])):
            hint = "use commas between columns, and points in decimals"
        raise DataError(f"{source}: no column {', '.join(missing)}", hint=hint)
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
            row = int(bad[bad].index.min())
            n = bad.sum()
            cell = raw[column].iloc[row]
            value = quoted(cell) if isinstance(cell, str) else plain(cell)
            more = f" ({n} such rows)" if n > 1 else ""
            raise DataError(
                f"{source}, row {rows[row]}, column {column}: {value}"
                f"{' ' + what if what else ''}{more}",
                hint=hint,
            )
    if levels is not None:
        _check_levels(out, unit, wanted=levels, source=source, numbered=rows)
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
    negative = out["value"] < 0
    pmf = out["output_type"] == "pmf"
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
    column = "output_type_id"
    kind = out["output_type"]
    pmf = kind == "pmf"
    hint = f"{TARGET_TREND} is given as pmf, and pmf is given of {TARGET_TREND}"
    odd = pmf != (out["target"] == TARGET_TREND)
    yield odd, "output_type", "does not fit the target", hint
    names = _texts(raw[column])
    given = raw[column]
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
    column = "output_type_id"
    keys = [*unit, "output_type", "output_type_id"]
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
    out: pd.DataFrame,
    unit: list[str],
    wanted: Sequence[float],
    source: str,
    numbered: np.ndarray,
) -> None:
    """Refuse a unit of quantiles without one of these levels."""
    rows = out[out["output_type"] == "quantile"]
    ids = rows["output_type_id"].to_numpy(dtype=float)[:, None]
    close = pd.DataFrame(np.isclose(ids, wanted, rtol=0, atol=1e-9), rows.index)
    have = close.groupby([rows[name] for name in unit], sort=False).transform("any")
    short = rows[~have.all(axis=1)]
    if short.empty:
        return
    row = int(short.index[0])
    units = len(short[unit].drop_duplicates())
    first = rows.loc[row]
    lacking = [x for x, there in zip(wanted, have.loc[row]) if not there]
    more = f" ({units} such units)" if units > 1 else ""
    scenario = f", scenario {quoted(first[SCENARIO_ID])}" if SCENARIO_ID in first else ""
    raise DataError(
        f"{source}, row {numbered[row]}, origin "
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
