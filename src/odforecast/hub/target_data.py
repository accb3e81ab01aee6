"""Target data of a hub: what each release said, and what the answers are.

``time-series`` has every count that a release (or a pseudo-vintage) held, under its day as
``as_of``. ``oracle-output`` has what a forecaster who knew the truth would have submitted, from the
newest release: settled counts only, and only for rounds before that release. Counts that were
withheld or suppressed are absent in both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from odforecast.forecast.trend import CATEGORIES, LONGEST, category, thresholds
from odforecast.geography.places import called, lookup
from odforecast.hub.config import NOWCAST
from odforecast.io import replacing
from odforecast.months import ONE_MONTH, Months, month_end
from odforecast.names import TARGET_12MO, TARGET_MONTH, TARGET_TREND, TARGETS
from odforecast.panel import Floats, Panel

if TYPE_CHECKING:
    from odforecast.scoring import Truth

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

#: Months are recovered, not published: more digits would only look precise.
_DECIMALS: Final = 3
#: Output types whose answer is the count itself, whatever the level or number.
_OF_COUNTS: Final = ("quantile", "sample")


def time_series(panel: Panel) -> pd.DataFrame:
    """Every count that was known on a day.

    Parameters
    ----------
    panel : Panel
        Of states.

    Returns
    -------
    DataFrame
        Columns :data:`TIME_SERIES`, by target, place and month: ``target_end_date``
        (datetime64[s]), ``location`` (hub code), ``target`` (``"deaths_12mo"``,
        ``"deaths_month"``), ``location_name``, ``observation`` (deaths, float; never NaN:
        what is not known has no row), and of 12-month counts CDC's ``predicted`` count,
        ``percent_complete`` and ``percent_pending`` (NaN where not published).

    Examples
    --------
    >>> import odforecast as od
    >>> table = time_series(od.bundled().as_of().panel().select("Ohio"))
    >>> table.groupby("target").size().to_dict()
    {'deaths_12mo': 128, 'deaths_month': 139}
    """
    blank = np.full(panel.monthly.shape, np.nan)
    parts = [
        _cells(panel, TARGET_12MO, panel.months, panel.reported, panel.predicted,
               panel.complete, panel.pending),
        _cells(panel, TARGET_MONTH, panel.month_grid, np.round(panel.monthly, _DECIMALS),
               blank, blank, blank),
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _cells(
    panel: Panel,
    target: str,
    months: Months,
    counts: Floats,
    predicted: Floats,
    complete: Floats,
    pending: Floats,
) -> pd.DataFrame:
    n = months.size
    table = pd.DataFrame(
        {
            "target_end_date": np.tile(_ends(months), len(panel.locations)),
            "location": np.repeat(_codes(panel.locations), n),
            "target": target,
            "location_name": np.repeat(
                np.array([called(s) for s in panel.locations], dtype=object), n
            ),
            "observation": counts.ravel(),
            "predicted": predicted.ravel(),
            "percent_complete": complete.ravel(),
            "percent_pending": pending.ravel(),
        }
    )
    return table[table["observation"].notna()]


def oracle_output(panels: Iterable[Panel], truth: Truth, horizon: int = 12) -> pd.DataFrame:
    """The answers of the rounds, as far as they are known.

    Parameters
    ----------
    panels : iterable of Panel
        What was known at each origin.
    truth : Truth
        Of the newest release. It says which counts are settled.
    horizon : int
        Months ahead that the hub asks for.

    Returns
    -------
    DataFrame
        Columns :data:`ORACLE`. Of each count a row for ``quantile`` and one for ``sample``,
        without an ``output_type_id`` (None): the answer is the same for all levels. Of each trend
        five rows ``pmf``, 1 for the category that came and 0 for the others, where the count, that
        of the year before, and what was known of it at the origin are there. ``as_of`` is the
        truth's release. Rounds of that day or later have no rows: they could know the answer.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel().select("Ohio")
    >>> table = oracle_output([panel.cut("2023-01")], od.Truth(panel))
    >>> table.groupby(["target", "output_type"]).size().to_dict()[("trend_12mo", "pmf")]
    60
    """
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
    months = panel.last_month + np.arange(NOWCAST[0], horizon + 1) * ONE_MONTH
    values, _ = truth.observed(panel.locations, months, target)
    if np.isnan(values).all():
        return pd.DataFrame(columns=list(ORACLE))
    table = _frame(panel, truth, target, months)
    table["oracle_value"] = np.round(values, _DECIMALS).ravel()
    table = table[table["oracle_value"].notna()]
    given = [table.assign(output_type=name, output_type_id=None) for name in _OF_COUNTS]
    return pd.concat(given, ignore_index=True)


def _trends(panel: Panel, truth: Truth, horizon: int) -> pd.DataFrame:
    """The category that came: as :func:`odforecast.scoring.trend_scores` works it out."""
    months = panel.last_month + np.arange(1, horizon + 1) * ONE_MONTH
    known = np.full((len(panel.locations), months.size), np.nan)
    at = (months - 12 * ONE_MONTH - panel.months[0]).astype(int)
    inside = (at >= 0) & (at < panel.months.size)
    known[:, inside] = panel.reported[:, at[inside]]
    later, _ = truth.observed(panel.locations, months)
    before, _ = truth.observed(panel.locations, months - 12 * ONE_MONTH)
    came = category(later - before, before, thresholds(known)[0]).ravel()
    if (came < 0).all():
        return pd.DataFrame(columns=list(ORACLE))
    table = _frame(panel, truth, TARGET_TREND, months)[came >= 0]
    came = came[came >= 0]
    given = [
        table.assign(output_type="pmf", output_type_id=name, oracle_value=(came == k).astype(float))
        for k, name in enumerate(CATEGORIES)
    ]
    order = np.arange(len(table) * len(CATEGORIES)).reshape(len(CATEGORIES), -1).T.ravel()
    return pd.concat(given, ignore_index=True).iloc[order]


def _frame(panel: Panel, truth: Truth, target: str, months: Months) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "origin_date": np.datetime64(panel.as_of, "s"),
            "target_end_date": np.tile(_ends(months), len(panel.locations)),
            "location": np.repeat(_codes(panel.locations), months.size),
            "target": target,
            "as_of": np.datetime64(truth.release, "s"),
        }
    )


def _codes(locations: Iterable[str]) -> np.ndarray:
    return np.array([lookup(s).code for s in locations], dtype=object)


def _ends(months: Months) -> np.ndarray:
    return np.array([month_end(m) for m in months], dtype="datetime64[s]")


def write_time_series(table: pd.DataFrame, as_of: dt.date, folder: Path) -> Path:
    """Write one version of the time series.

    Parameters
    ----------
    table : DataFrame
        As :func:`time_series` gives it.
    as_of : date
        Its day.
    folder : Path
        ``target-data``.

    Returns
    -------
    Path
        ``target-data/time-series/as_of=DATE/part-0.parquet``: the folder's name says the
        version, and the file does not hold it again.
    """
    path = folder / "time-series" / f"as_of={as_of}" / "part-0.parquet"
    return _write(table[list(TIME_SERIES)], path)


def write_oracle_output(table: pd.DataFrame, folder: Path) -> Path:
    """Write the answers, ``target-data/oracle-output.parquet``; without rows too.

    Parameters
    ----------
    table : DataFrame
        As :func:`oracle_output` gives it.
    folder : Path
        ``target-data``.
    """
    return _write(table[list(ORACLE)], folder / "oracle-output.parquet")


def _write(table: pd.DataFrame, path: Path) -> Path:
    with replacing(path) as part:
        write_typed(table, part)
    return path


def write_typed(table: pd.DataFrame, path: Path) -> None:
    """Write Parquet with the types that a hub's readers expect: days as days, texts as texts.

    Parameters
    ----------
    table : DataFrame
        Columns of a hub's table; every name has one type.
    path : Path
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    days = ("origin_date", "target_end_date", "as_of")
    numbers = {"horizon": pa.int32()} | dict.fromkeys(
        ("observation", "predicted", "percent_complete", "percent_pending", "oracle_value",
         "value"), pa.float64())  # fmt: skip
    columns: dict[str, Any] = {}
    for name in table.columns:
        cells = table[name]
        kind = pa.date32() if name in days else numbers.get(name, pa.string())
        if name in days:
            # A timestamp is no day to R: it would be another type there.
            array = pa.array(cells.to_numpy(dtype="datetime64[D]"), type=kind)
        else:
            array = pa.array(cells, type=kind, from_pandas=True)
        columns[name] = array
    pq.write_table(pa.table(columns), path, write_page_checksum=True)
