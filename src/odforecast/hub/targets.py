"""Target data of a hub: what each release said, and what the answers are.

``time-series`` has every count that a release (or a pseudo-vintage) held, under its day as
``as_of``. ``oracle-output`` has what a forecaster who knew the truth would have submitted, from the
newest release: settled counts only, and only for rounds before that release. Counts that were
withheld or suppressed are absent in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from odforecast.forecast.trend import CATEGORIES, LONGEST, category, thresholds
from odforecast.geography.places import called, lookup
from odforecast.hub.layout import TARGET_DATA
from odforecast.io import replacing
from odforecast.months import ONE_MONTH, Months, month_end
from odforecast.names import TARGET_12MO, TARGET_MONTH, TARGET_TREND, TARGETS
from odforecast.panel import Floats, Panel

if TYPE_CHECKING:
    from odforecast.scoring import Truth

#: Horizons of months that were published already, and are revised.
NOWCAST: Final = tuple(range(-11, 1))
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
_DAYS: Final = ("origin_date", "target_end_date", "as_of")
_NUMBERS: Final = (
    "observation", "predicted", "percent_complete", "percent_pending", "oracle_value", "value",
)  # fmt: skip
#: Months are recovered, not published: more digits would only look precise.
_DECIMALS: Final = 3


def time_series(panel: Panel) -> pd.DataFrame:
    """Every count that was known on a day, by target, place and month.

    Parameters
    ----------
    panel : Panel
        Of states.

    Returns
    -------
    DataFrame
        Columns :data:`TIME_SERIES`. ``observation`` is never NaN: what is not known has no row.
        12-month counts have CDC's ``predicted`` count, ``percent_complete`` and
        ``percent_pending`` (NaN where not published).

    Examples
    --------
    >>> import odforecast as od
    >>> table = time_series(od.bundled().as_of().panel().select("Ohio"))
    >>> table.groupby("target").size().to_dict()
    {'deaths_12mo': 128, 'deaths_month': 139}
    """
    blank = np.full(panel.monthly.shape, np.nan)
    parts = []
    for target, months, counts, *more in (
        (TARGET_12MO, panel.months, panel.reported, panel.predicted, panel.complete, panel.pending),
        (TARGET_MONTH, panel.month_grid, np.round(panel.monthly, _DECIMALS), blank, blank, blank),
    ):
        table = _units(panel, target, months)
        names = np.array([called(s) for s in panel.locations], dtype=object)
        table["location_name"] = np.repeat(names, months.size)
        for name, values in zip(TIME_SERIES[4:], (counts, *more)):
            table[name] = values.ravel()
        parts.append(table[table["observation"].notna()])
    return pd.concat(parts, ignore_index=True)[list(TIME_SERIES)]


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
    """Answers of quantiles and samples: the count itself, whatever the level or number."""
    months = panel.last_month + np.arange(NOWCAST[0], horizon + 1) * ONE_MONTH
    values, _ = truth.observed(panel.locations, months, target)
    table = _answers(panel, truth, target, months)
    table["oracle_value"] = np.round(values, _DECIMALS).ravel()
    table = table[table["oracle_value"].notna()]
    if table.empty:
        return table
    given = [table.assign(output_type=x, output_type_id=None) for x in ("quantile", "sample")]
    return pd.concat(given, ignore_index=True)


def _trends(panel: Panel, truth: Truth, horizon: int) -> pd.DataFrame:
    """The category that came: as :func:`odforecast.scoring.trend_scores` works it out."""
    months = panel.last_month + np.arange(1, horizon + 1) * ONE_MONTH
    known: Floats = np.full((len(panel.locations), months.size), np.nan)
    at = (months - 12 * ONE_MONTH - panel.months[0]).astype(int)
    inside = (at >= 0) & (at < panel.months.size)
    known[:, inside] = panel.reported[:, at[inside]]
    later, _ = truth.observed(panel.locations, months)
    before, _ = truth.observed(panel.locations, months - 12 * ONE_MONTH)
    came = category(later - before, before, thresholds(known)[0]).ravel()
    table = _answers(panel, truth, TARGET_TREND, months).assign(output_type="pmf")
    table = table.loc[np.repeat(np.flatnonzero(came >= 0), len(CATEGORIES))]
    k = np.arange(len(table)) % len(CATEGORIES)
    table["output_type_id"] = np.array(CATEGORIES, dtype=object)[k]
    table["oracle_value"] = (came[table.index] == k).astype(float)
    return table


def _answers(panel: Panel, truth: Truth, target: str, months: Months) -> pd.DataFrame:
    """Units of an origin, and what their answers are from."""
    table = _units(panel, target, months)
    table["origin_date"] = np.datetime64(panel.as_of, "s")
    table["as_of"] = np.datetime64(truth.release, "s")
    return table


def _units(panel: Panel, target: str, months: Months) -> pd.DataFrame:
    """A row per place and month."""
    ends = np.array([month_end(m) for m in months], dtype="datetime64[s]")
    codes = np.array([lookup(s).code for s in panel.locations], dtype=object)
    return pd.DataFrame(
        {
            "target_end_date": np.tile(ends, len(codes)),
            "location": np.repeat(codes, months.size),
            "target": target,
        }
    )


def write_targets(
    hub: Path, new: Iterable[Panel], panels: Iterable[Panel], truth: Truth, horizon: int
) -> None:
    """Write versions of the time series, and the answers.

    ``target-data/time-series/as_of=DATE/part-0.parquet``: the folder's name says the version, and
    the file does not hold it again. ``target-data/oracle-output.parquet``, without rows too.
    """
    for panel in new:
        name = f"as_of={panel.as_of}"
        path = hub / TARGET_DATA / "time-series" / name / "part-0.parquet"
        write_parquet(time_series(panel), path)
    answers = oracle_output(panels, truth, horizon)
    write_parquet(answers, hub / TARGET_DATA / "oracle-output.parquet")


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write Parquet with the types that a hub's readers expect: days as days, texts as texts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {}
    for name in table.columns:
        if name in _DAYS:
            # A timestamp is no day to R: it would be another type there.
            days = table[name].to_numpy(dtype="datetime64[D]")
            columns[name] = pa.array(days, type=pa.date32())
        else:
            kind = pa.float64() if name in _NUMBERS else pa.string()
            kind = pa.int32() if name == "horizon" else kind
            columns[name] = pa.array(table[name], type=kind, from_pandas=True)
    with replacing(path) as part:
        pq.write_table(pa.table(columns), part, write_page_checksum=True)
