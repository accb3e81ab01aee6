"""Hub tables of forecasts: made, and written to files."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from odforecast.errors import DataError, ForecastError
from odforecast.forecasts import Forecast
from odforecast.forecasts.adding import draws_at
from odforecast.forecasts.forecast import a_forecast
from odforecast.forecasts.text import keep_local
from odforecast.forecasts.trend import CATEGORIES
from odforecast.geography.places import LOCATIONS, lookup
from odforecast.io import replacing
from odforecast.months import month_end
from odforecast.names import HUB_QUANTILES, LOCATION, MONTH, TARGET_TREND, TARGETS
from odforecast.scoring.files import OUTPUT_TYPES, check_hub
from odforecast.sources.cells import file_kind

#: Values are written to a thousandth of a death: more digits would only look precise.
DECIMALS = 3
#: Probabilities are written in millionths.
_MILLION = 10**6
_DAY_COLUMNS: Final = ("origin_date", "target_end_date", "as_of")
_NUMBER_COLUMNS: Final = (
    "observation",
    "predicted",
    "percent_complete",
    "percent_pending",
    "oracle_value",
    "value",
)


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
            f"unknown output type {output_type!r}",
            hint=f"one of {', '.join(OUTPUT_TYPES)}",
        )
    states = {place.state for place in LOCATIONS}
    for state in forecast.locations:
        if state not in states:
            raise ForecastError(
                f"{state!r} has no hub code",
                hint="hub files hold jurisdictions, not regions",
            )
    if output_type == "pmf":
        return _trend_rows(forecast)
    if targets is None:
        targets = [target for target in TARGETS if target in forecast.targets]
    parts = [
        _target_rows(forecast, target, levels=levels, output_type=output_type)
        for target in targets
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
        ids = np.broadcast_to(
            np.asarray(levels, dtype=float)[:, None, None], values.shape
        )
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
        k, i, m = (int(index) for index in np.argwhere(values < 0)[0])
        name = f"level {levels[k]:g}" if output_type == "quantile" else f"draw {k}"
        raise ForecastError(
            f"negative {target} for {forecast.locations[i]}, {forecast.months[m]}, {name}: "
            f"{values[k, i, m]:g}",
            hint="deaths cannot be negative; this model's draws need a floor",
        )
    units = {
        "location": np.repeat(list(forecast.locations), n_months),
        "horizon": np.tile(forecast.horizons, n_loc),
        "month": np.tile(forecast.months, n_loc),
    }
    return _frame(
        forecast,
        target,
        kind=output_type,
        units=pd.DataFrame(units),
        ids=ids.transpose(1, 2, 0).ravel(),
        values=values.transpose(1, 2, 0).ravel(),
    )


def _trend_rows(forecast: Forecast) -> pd.DataFrame:
    """Rows of the trend, ordered by location, month, category; published months are left out."""
    table = forecast.trend()
    complete = table["t1"].notna() & table[list(CATEGORIES)].notna().all(axis=1)
    table = table[(table["horizon"] >= 1) & complete]
    if table.empty:
        raise ForecastError(
            "no trend can be given: no count of a year before was known at the origin"
        )
    chances = table[list(CATEGORIES)].to_numpy(dtype=float)
    # A hub takes no 0.999999: each is rounded down, and what is left goes to those that lost most.
    parts = np.floor(chances * _MILLION + 1e-6)
    missing = (_MILLION - parts.sum(axis=1)).astype(int)
    rank = np.argsort(
        np.argsort(parts - chances * _MILLION, axis=1, kind="stable"), axis=1
    )
    parts = parts + (rank < missing[:, None])
    return _frame(
        forecast,
        TARGET_TREND,
        kind="pmf",
        units=table,
        ids=np.tile(np.array(CATEGORIES, dtype=object), len(table)),
        values=(parts / _MILLION).ravel(),
    )


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
    codes = {state: lookup(state).code for state in forecast.locations}
    end_of = {
        month: month_end(np.datetime64(month, "M")) for month in units["month"].unique()
    }
    days = np.array([end_of[month] for month in units["month"]], dtype="datetime64[s]")
    return pd.DataFrame(
        {
            "origin_date": pd.Timestamp(forecast.as_of).as_unit("s"),
            "location": np.repeat(
                [codes[str(state)] for state in units["location"]], n
            ),
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
        raise DataError(
            "path is missing", hint="od.write_hub(forecast, 'forecast.csv')"
        )
    if not isinstance(forecast, pd.DataFrame):
        forecast = to_hub(
            forecast, levels, targets=targets, output_type=output_type, own=own
        )
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


def thinned(forecast: Forecast, n: int) -> Forecast:
    """A forecast of ``n`` of its draws, the same ones of every forecast with as many."""
    n_draws = len(forecast.draws)
    # Evenly over the draws: members of a mixture stand one behind the other.
    chosen = np.arange(n) * n_draws // n
    return draws_at(forecast._replace(beside={}), chosen)


def csv_lines(table: pd.DataFrame) -> bytes:
    """A checked table as a CSV file."""
    days = {
        name: table[name].dt.strftime("%Y-%m-%d")
        for name in ("origin_date", "target_end_date")
    }
    text = table.assign(**days, output_type_id=id_texts(table))
    return text.to_csv(index=False, lineterminator="\n").encode()


def id_texts(table: pd.DataFrame) -> list[str]:
    """Levels and numbers of samples as short as they can be; categories as they are."""
    ids = table["output_type_id"]
    return [value if isinstance(value, str) else f"{value:.12g}" for value in ids]


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write Parquet with the types that a hub's readers expect: days as days, texts as texts."""
    columns: dict[str, Any] = {}
    for name in table.columns:
        if name in _DAY_COLUMNS:
            # A timestamp is no day to R: it would be another type there.
            days = table[name].to_numpy(dtype="datetime64[D]")
            columns[name] = pa.array(days, type=pa.date32())
        else:
            is_number = name in _NUMBER_COLUMNS or table[name].dtype == float
            kind = pa.float64() if is_number else pa.string()
            kind = pa.int32() if name == "horizon" else kind
            columns[name] = pa.array(table[name], type=kind, from_pandas=True)
    with replacing(path) as part:
        pq.write_table(pa.table(columns), part, write_page_checksum=True)
