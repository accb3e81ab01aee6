"""Hub tables of forecasts, written to files and read back."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from odforecast.errors import DataError, ForecastError, short
from odforecast.forecast import Forecast
from odforecast.forecast.forecast import a_forecast
from odforecast.forecast.text import keep_local
from odforecast.forecast.trend import CATEGORIES
from odforecast.geography.places import LOCATIONS, lookup
from odforecast.hub.file_check import OUTPUT_TYPES, check_hub
from odforecast.hub.raw import read_raw
from odforecast.io import replacing
from odforecast.months import month_end
from odforecast.names import HUB_COLUMNS, HUB_QUANTILES, LOCATION, MONTH, TARGET_TREND, TARGETS

#: Values are written to a thousandth of a death: more digits would only look precise.
DECIMALS = 3
#: Probabilities to a millionth.
_DECIMALS_OF_CHANCE = 6


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
    forecast : Forecast
        L locations, M months, D draws.
    levels : sequence of float
        Quantile levels (for ``output_type="quantile"``).
    targets : sequence of str, optional
        ``"deaths_12mo"``, ``"deaths_month"``; default: those the forecast has.
    output_type : {"quantile", "sample", "pmf"}
        Quantiles, the draws themselves, or the probabilities of the trend
        (:meth:`odforecast.Forecast.trend`), target ``"trend_12mo"``, of the months up to 12
        ahead whose count a year before was known at the origin. Samples with one
        ``output_type_id`` belong together: over all locations and months if the draws are joint
        over both, over the months of one location if they are joint over months only, else
        each unit has its own.
    own : bool
        Also where the forecast rests on a state's own counts
        (:meth:`odforecast.panel.Panel.with_counts`), which are not passed on unasked.

    Returns
    -------
    DataFrame
        Columns :data:`odforecast.names.HUB_COLUMNS`: ``origin_date`` and
        ``target_end_date`` as timestamps, ``location`` as hub code (``"54"``, ``"US"``,
        ``"NYC"``), ``output_type_id`` as a number (level, or number of the sample) or, of a
        trend, the category, ``value`` in deaths, rounded to a thousandth, or a probability.

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
        return _trend_rows(forecast)[list(HUB_COLUMNS)]
    wanted = [t for t in TARGETS if t in forecast.targets] if targets is None else list(targets)
    parts = [_target_rows(forecast, target, levels, output_type) for target in wanted]
    return pd.concat(parts, ignore_index=True)[list(HUB_COLUMNS)]


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
    n_ids = values.shape[0]
    rows = n_months * n_ids
    ends = np.array([month_end(m) for m in forecast.months], dtype="datetime64[s]")
    return pd.DataFrame(
        {
            "origin_date": pd.Timestamp(forecast.as_of).as_unit("s"),
            "location": np.repeat([lookup(s).code for s in forecast.locations], rows),
            "target": target,
            "horizon": np.tile(np.repeat(forecast.horizons, n_ids), n_loc),
            "target_end_date": np.tile(np.repeat(ends, n_ids), n_loc),
            "output_type": output_type,
            "output_type_id": ids.transpose(1, 2, 0).ravel(),
            "value": values.transpose(1, 2, 0).ravel(),
        }
    )


def _trend_rows(forecast: Forecast) -> pd.DataFrame:
    """Rows of the trend, ordered by location, month, category; what has already come is none."""
    table = forecast.trend()
    given = table["t1"].notna() & table[list(CATEGORIES)].notna().all(axis=1)
    table = table[(table["horizon"] >= 1) & given]
    if table.empty:
        raise ForecastError(
            "no trend can be given: no count of a year before was known at the origin"
        )
    n = len(CATEGORIES)
    ends = [month_end(np.datetime64(m, "M")) for m in table["month"].to_numpy()]
    chances = table[list(CATEGORIES)].to_numpy(dtype=float)
    return pd.DataFrame(
        {
            "origin_date": pd.Timestamp(forecast.as_of).as_unit("s"),
            "location": np.repeat([lookup(s).code for s in table["location"]], n),
            "target": TARGET_TREND,
            "horizon": np.repeat(table["horizon"].to_numpy(), n),
            "target_end_date": np.repeat(np.array(ends, dtype="datetime64[s]"), n),
            "output_type": "pmf",
            "output_type_id": np.tile(np.array(CATEGORIES, dtype=object), len(table)),
            "value": _adding_up(chances).ravel(),
        }
    )


def _adding_up(chances: np.ndarray) -> np.ndarray:
    """Probabilities in millionths that add up to 1: a hub takes no 0.999999.

    Each is rounded down, and what is left goes to those that lost most.
    """
    whole = 10**_DECIMALS_OF_CHANCE
    parts = np.floor(chances * whole + 1e-6)
    left = (whole - parts.sum(axis=1)).astype(int)
    rank = np.argsort(np.argsort(parts - chances * whole, axis=1, kind="stable"), axis=1)
    return np.asarray((parts + (rank < left[:, None])) / whole)


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

    Raises
    ------
    DataError
        If the table breaks a rule of :func:`check_hub`, is none, or the file type is unknown.
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
                checked = checked.assign(output_type_id=_texts(checked["output_type_id"]))
            checked.to_parquet(part, index=False, write_page_checksum=True)
        else:
            text = checked.assign(
                origin_date=checked["origin_date"].dt.strftime("%Y-%m-%d"),
                target_end_date=checked["target_end_date"].dt.strftime("%Y-%m-%d"),
                output_type_id=_texts(checked["output_type_id"]),
            )
            lines = text.to_csv(index=False, lineterminator="\n").encode()
            # No time or name inside: the same table gives the same bytes.
            part.write_bytes(gzip.compress(lines, mtime=0) if kind == "gz" else lines)
    return target


def _texts(ids: pd.Series) -> list[str]:
    """Levels and numbers as short as they can be; categories as they are."""
    return [x if isinstance(x, str) else f"{x:.12g}" for x in ids]


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
        that are no finite number or negative, duplicates, quantiles out of order, missing
        levels, horizons that contradict the dates. Rows are numbered as a text editor
        numbers lines in a CSV file (the header is line 1), from 1 in Parquet.
    """
    source = Path(path)
    raw = read_raw(source, file_kind(source))
    table = check_hub(raw.cells, levels=levels, source=str(source), rows=raw.rows)
    if not raw.ends:
        # Last, because it is the weakest sign: the row may be whole. But 1,345 cut to 13 is a
        # number too, and only the missing line end tells.
        raise DataError(
            f"{source}, row {raw.rows[-1]}: the last line has no line end; is the file cut off?",
            hint="get it again, or end the line if it is whole",
        )
    return table


def file_kind(path: Path) -> str:
    """``"csv"``, ``"gz"`` or ``"parquet"``, by the ending of a file name.

    Raises
    ------
    DataError
        If it is another one.
    """
    name = path.name.lower()
    for ending, kind in ((".csv", "csv"), (".csv.gz", "gz"), (".parquet", "parquet")):
        if name.endswith(ending):
            return kind
    raise DataError(
        f"{path}: unknown file type {path.suffix!r}", hint="use .csv, .csv.gz or .parquet"
    )
