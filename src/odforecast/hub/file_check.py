"""The rules of a hub table, and who broke them: file, row, column, value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.forecast.trend import CATEGORIES
from odforecast.geography.places import LOCATIONS
from odforecast.hub.cells import days, numbers
from odforecast.hub.raw import check_header
from odforecast.names import HUB_COLUMNS, HUB_QUANTILES, SCENARIO_ID, TARGET_TREND, TARGETS
from odforecast.say import plain, quoted

OUTPUT_TYPES = ("quantile", "sample", "pmf")

#: Most characters of a scenario's name.
LONGEST_NAME = 200

#: How far the probabilities of a unit may miss 1: they are rounded.
TOTAL = 0.001

#: Longest horizon, in months.
MAX_HORIZON = 1200
#: Least step between two quantile levels of a unit.
MIN_STEP = 0.0001

_CODES = frozenset(x.code for x in LOCATIONS)
_UNIT = ["origin_date", "location", "target", "horizon", "target_end_date"]


def columns_of(names: Iterable[object]) -> tuple[str, ...]:
    """Columns of a hub table, in their order.

    Parameters
    ----------
    names : iterable of str
        Columns that a table has.

    Returns
    -------
    tuple of str
        :data:`odforecast.names.HUB_COLUMNS`; with ``scenario_id`` behind ``origin_date``, as
        scenario hubs have it, where it is among ``names``.

    Examples
    --------
    >>> columns_of(["value", "scenario_id"])[:3]
    ('origin_date', 'scenario_id', 'location')
    """
    if SCENARIO_ID not in list(names):
        return HUB_COLUMNS
    return (HUB_COLUMNS[0], SCENARIO_ID, *HUB_COLUMNS[1:])


def is_scenario_name(cell: object) -> bool:
    """Whether a cell names a scenario: text that a screen shows as it stands.

    Examples
    --------
    >>> is_scenario_name("null"), is_scenario_name("10 %, $ and é"), is_scenario_name(" x")
    (True, True, False)
    """
    if not isinstance(cell, str) or not 0 < len(cell) <= LONGEST_NAME:
        return False
    return cell.isprintable() and cell == cell.strip()


def check_hub(
    table: pd.DataFrame,
    levels: Sequence[float] | None = HUB_QUANTILES,
    source: str = "table",
    first_row: int = 1,
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
    first_row : int
        Number of the first row, for messages.
    rows : ndarray of int, optional
        Number of every row, where they do not follow one another in the file.

    Returns
    -------
    DataFrame
        Columns :func:`columns_of`, typed; row order kept.

    Raises
    ------
    DataError
        At the first row that breaks a rule; see :func:`read_hub`.
    """
    if rows is None:
        rows = np.arange(first_row, first_row + len(table))
    return _Checker(table, source, rows).run(levels)


class _Checker:
    """One table under inspection; every method raises at the first bad row."""

    def __init__(self, table: pd.DataFrame, source: str, rows: np.ndarray) -> None:
        self.source, self.rows = source, rows
        check_header(list(table.columns), source)
        missing = [c for c in HUB_COLUMNS if c not in table]
        if missing:
            raise DataError(
                f"{source}: no column {', '.join(missing)}",
                hint=f"columns: {', '.join(HUB_COLUMNS)}",
            )
        self.columns = list(columns_of(table.columns))
        self.unit = [c for c in self.columns if c in _UNIT or c == SCENARIO_ID]
        if extra := [c for c in table.columns if c not in self.columns]:
            more = f" and {len(extra) - 1:,} more" if len(extra) > 1 else ""
            raise DataError(
                f"{source}: unknown column {quoted(extra[0])}{more}",
                hint="hub files name the model in the file name, and hold no other columns",
            )
        self.raw = table[self.columns].reset_index(drop=True)
        self.out = pd.DataFrame(index=self.raw.index)

    def run(self, levels: Sequence[float] | None) -> pd.DataFrame:
        if self.raw.empty:
            raise DataError(f"{self.source}: no rows")
        self.dates("origin_date")
        if SCENARIO_ID in self.columns:
            self.scenarios()
        self.locations()
        self.choices("target", (*TARGETS, TARGET_TREND))
        self.numbers("horizon", whole=True)
        self.dates("target_end_date")
        self.choices("output_type", OUTPUT_TYPES)
        self.identifiers()
        self.numbers("value")
        negative, pmf = self.out["value"] < 0, self.out["output_type"] == "pmf"
        self.refuse(negative & ~pmf, "value", "deaths cannot be negative")
        self.refuse(negative & pmf, "value", "probabilities cannot be negative")
        self.horizons()
        self.duplicates()
        self.order()
        self.probabilities()
        if levels is not None:
            self.levels(levels)
        return self.out[self.columns]

    def refuse(self, bad: pd.Series[bool], column: str, hint: str, what: str = "") -> None:
        """Raise at the first bad row."""
        if not bad.any():
            return
        row = int(np.flatnonzero(bad.to_numpy())[0])
        n = int(bad.sum())
        more = f" ({n} such rows)" if n > 1 else ""
        cell = self.raw[column].iloc[row]
        value = quoted(cell) if isinstance(cell, str) else plain(cell)
        raise DataError(
            f"{self.source}, row {self.rows[row]}, column {column}: {value}"
            f"{' ' + what if what else ''}{more}",
            hint=hint,
        )

    def dates(self, column: str) -> None:
        found = pd.Series(days(self.raw[column]))
        self.refuse(
            found.isna(), column, "write days as 2024-07-31, without time or zone", "is no date"
        )
        self.out[column] = found
        if column == "target_end_date":
            month_ends = self.out[column].dt.is_month_end
            self.refuse(
                ~month_ends, column, "targets end on the last day of a month",
                "is not the last day of its month",
            )  # fmt: skip

    def locations(self) -> None:
        codes = self.texts("location")
        unknown = ~codes.isin(_CODES)
        # ASCII: other scripts have digits too. Looked for only where something is unknown.
        lost = unknown
        if unknown.any():
            lost = unknown & codes.str.fullmatch("[0-9]") & codes.str.zfill(2).isin(_CODES)
        self.refuse(
            lost,
            "location",
            "a leading zero was lost (by a spreadsheet?); write FIPS codes as text: 01, not 1",
        )
        self.refuse(
            unknown,
            "location",
            "use two-digit FIPS codes (54 for West Virginia), US, or NYC",
            "is no location",
        )
        self.out["location"] = codes

    def scenarios(self) -> None:
        """Every row names its scenario; nothing stands for a missing one."""
        cells = self.raw[SCENARIO_ID].astype(object)
        texts = pd.Series([isinstance(cell, str) for cell in cells])
        absent = pd.Series([_is_none(cell) for cell in cells])
        self.refuse(
            absent,
            SCENARIO_ID,
            "every row names its scenario (null is a name), or the file has no such column",
            "names no scenario",
        )
        self.refuse(~texts, SCENARIO_ID, "write names of scenarios as text", "is no text")
        good = {name: is_scenario_name(name) for name in cells.unique()}
        self.refuse(
            ~cells.map(good).astype(bool),
            SCENARIO_ID,
            f"1 to {LONGEST_NAME} printable characters, no space before or after them",
            "is no name of a scenario",
        )
        self.out[SCENARIO_ID] = cells.astype(str)

    def texts(self, column: str) -> pd.Series[str]:
        return self.raw[column].astype(object).astype(str)

    def choices(self, column: str, allowed: Sequence[str]) -> None:
        values = self.texts(column)
        self.refuse(~values.isin(allowed), column, f"one of {', '.join(allowed)}")
        self.out[column] = values

    def numbers(self, column: str, *, whole: bool = False) -> None:
        values = pd.Series(numbers(self.raw[column]))
        self.refuse(
            values.isna(), column, "give a finite number such as 1345.5", "is no finite number"
        )
        if whole:
            self.refuse(values != values.round(), column, "give a whole number of months")
            self.refuse(values.abs() > MAX_HORIZON, column, f"at most {MAX_HORIZON} months")
            self.out[column] = values.astype(np.int64)
        else:
            self.out[column] = values

    def identifiers(self) -> None:
        """Levels, numbers of samples, and categories; the last are texts."""
        kind = self.out["output_type"]
        pmf = kind == "pmf"
        of_trend = self.out["target"] == TARGET_TREND
        self.refuse(
            pmf != of_trend,
            "output_type",
            f"{TARGET_TREND} is given as pmf, and pmf is given of {TARGET_TREND}",
            "does not fit the target",
        )
        names = self.texts("output_type_id")
        self.refuse(
            pmf & ~names.isin(CATEGORIES), "output_type_id", f"one of {', '.join(CATEGORIES)}"
        )
        given = self.raw["output_type_id"]
        ids = pd.Series(numbers(given.astype(object).where(~pmf, 0) if pmf.any() else given))
        self.refuse(
            ids.isna(), "output_type_id", "give a finite number such as 0.5", "is no finite number"
        )
        self.refuse(
            (kind == "quantile") & ((ids <= 0) | (ids >= 1)),
            "output_type_id",
            "quantile levels lie between 0 and 1",
        )
        self.refuse(
            (kind == "sample") & ((ids < 0) | (ids != ids.round())),
            "output_type_id",
            "number samples 0, 1, 2 …",
        )
        self.out["output_type_id"] = ids.astype(object).where(~pmf, names) if pmf.any() else ids

    def probabilities(self) -> None:
        """Each unit of a trend has all categories, and they add up to 1."""
        rows = self.out[self.out["output_type"] == "pmf"]
        if rows.empty:
            return
        units = rows.groupby(self.unit, sort=False)["value"]
        short = units.transform("size") != len(CATEGORIES)
        everywhere = self.out.index
        self.refuse(
            short.reindex(everywhere, fill_value=False),
            "output_type_id",
            f"give every unit all of {', '.join(CATEGORIES)}",
            "is of a unit that lacks a category",
        )
        off = (units.transform("sum") - 1).abs() > TOTAL
        self.refuse(
            off.reindex(everywhere, fill_value=False),
            "value",
            f"the probabilities of a unit add up to 1, within {TOTAL}",
            "is of a unit whose probabilities do not add up to 1",
        )

    def horizons(self) -> None:
        """Within an origin, target month minus horizon is one month: the panel's last."""
        months = self.out["target_end_date"].to_numpy().astype("datetime64[M]").astype(int)
        last = pd.Series(months) - self.out["horizon"]
        first = last.groupby(self.out["origin_date"]).transform(lambda x: x.mode().iloc[0])
        self.refuse(
            last != first,
            "horizon",
            "within an origin, horizons and target months must move together: horizon h is "
            "the h-th month after the last one published",
            "does not fit target_end_date",
        )
        origin = self.out["origin_date"].to_numpy().astype("datetime64[M]").astype(int)
        self.refuse(
            last > origin,
            "horizon",
            "horizon 1 is the first month after the last one published by the origin date",
            "puts the last published month after the origin date",
        )

    def duplicates(self) -> None:
        keys = [*self.unit, "output_type", "output_type_id"]
        again = self.out.duplicated(keys)
        self.refuse(again, "output_type_id", "give every forecast once", "repeats a row")
        # 0.5 and 0.5000001 are one level and a slip of the pen: scored as two, it counts twice.
        near = self.out.loc[self.out["output_type"] != "pmf", keys]
        near = near.sort_values(keys, kind="stable").astype({"output_type_id": float})
        same = (near[keys[:-1]] == near[keys[:-1]].shift()).all(axis=1)
        close = same & (near["output_type_id"].diff() < MIN_STEP)
        self.refuse(
            close.reindex(self.out.index, fill_value=False),
            "output_type_id",
            f"levels of a unit lie at least {MIN_STEP} apart",
            "nearly repeats a level",
        )

    def order(self) -> None:
        rows = self.out[self.out["output_type"] == "quantile"]
        rows = rows.sort_values([*self.unit, "output_type_id"], kind="stable")
        unit = rows.groupby(self.unit, sort=False).ngroup()
        fell = (rows["value"].diff() < 0) & (unit == unit.shift())
        self.refuse(
            fell.reindex(self.out.index, fill_value=False),
            "value",
            "quantiles must not fall as their level rises",
            "lies below the quantile of the next lower level",
        )

    def levels(self, wanted: Sequence[float]) -> None:
        rows = self.out[self.out["output_type"] == "quantile"]
        if rows.empty:
            return
        unit = rows.groupby(self.unit, sort=False).ngroup().to_numpy()
        have = np.zeros((unit.max() + 1, len(wanted)), dtype=bool)
        for k, level in enumerate(wanted):
            close = np.isclose(rows["output_type_id"].to_numpy(), level, rtol=0, atol=1e-9)
            have[unit[close], k] = True
        short = np.flatnonzero(~have.all(axis=1))
        if short.size == 0:
            return
        row = int(np.flatnonzero(unit == short[0])[0])
        first = rows.iloc[row]
        lacking = [x for x, there in zip(wanted, have[short[0]]) if not there]
        more = f" ({short.size} such units)" if short.size > 1 else ""
        scenario = f", scenario {quoted(first[SCENARIO_ID])}" if SCENARIO_ID in first else ""
        raise DataError(
            f"{self.source}, row {self.rows[int(rows.index[row])]}, origin "
            f"{first['origin_date']:%Y-%m-%d}{scenario}, location {first['location']}, "
            f"{first['target']}, {first['target_end_date']:%Y-%m-%d}: "
            f"{len(lacking)} of {len(wanted)} quantile "
            f"levels missing, first {lacking[0]:g}{more}",
            hint="give every unit all levels",
        )


def _is_none(cell: object) -> bool:
    """Whether a cell holds nothing: None, NaN, an empty text."""
    if isinstance(cell, str | float):
        return cell == "" or cell != cell
    return cell is None or cell is pd.NA or cell is pd.NaT
