"""The rules of a hub table, and who broke them: file, row, column, value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.geography.places import LOCATIONS
from odforecast.names import HUB_COLUMNS, HUB_QUANTILES, TARGETS

OUTPUT_TYPES = ("quantile", "sample")

_CODES = frozenset(x.code for x in LOCATIONS)
_UNIT = ["origin_date", "location", "target", "horizon", "target_end_date"]


def check_hub(
    table: pd.DataFrame,
    levels: Sequence[float] | None = HUB_QUANTILES,
    source: str = "table",
    first_row: int = 0,
) -> pd.DataFrame:
    """Check a hub table and give its columns their types and order.

    Parameters
    ----------
    table : DataFrame
        Text or typed columns.
    levels : sequence of float or None
        Levels every unit with quantiles must have; None to accept any.
    source : str
        Name of the file, for messages.
    first_row : int
        Number of the first row, for messages.

    Returns
    -------
    DataFrame
        Columns :data:`odforecast.names.HUB_COLUMNS`, typed; row order kept.

    Raises
    ------
    DataError
        At the first row that breaks a rule; see :func:`read_hub`.
    """
    return _Checker(table, source, first_row).run(levels)


class _Checker:
    """One table under inspection; every method raises at the first bad row."""

    def __init__(self, table: pd.DataFrame, source: str, first_row: int) -> None:
        self.source, self.first_row = source, first_row
        missing = [c for c in HUB_COLUMNS if c not in table]
        if missing:
            raise DataError(
                f"{source}: no column {', '.join(missing)}",
                hint=f"columns: {', '.join(HUB_COLUMNS)}",
            )
        if extra := [str(c) for c in table.columns if c not in HUB_COLUMNS]:
            raise DataError(
                f"{source}: unknown column {', '.join(extra)}",
                hint="hub files name the model in the file name, and hold no other columns",
            )
        self.raw = table[list(HUB_COLUMNS)].reset_index(drop=True)
        self.out = pd.DataFrame(index=self.raw.index)

    def run(self, levels: Sequence[float] | None) -> pd.DataFrame:
        if self.raw.empty:
            raise DataError(f"{self.source}: no rows")
        self.dates("origin_date")
        self.locations()
        self.choices("target", TARGETS)
        self.numbers("horizon", whole=True)
        self.dates("target_end_date")
        self.choices("output_type", OUTPUT_TYPES)
        self.numbers("output_type_id")
        self.numbers("value")
        self.ids()
        negative = self.out["value"] < 0
        self.refuse(negative, "value", "deaths cannot be negative")
        self.horizons()
        self.duplicates()
        self.order()
        if levels is not None:
            self.levels(levels)
        return self.out[list(HUB_COLUMNS)]

    def refuse(self, bad: pd.Series[bool], column: str, hint: str, what: str = "") -> None:
        """Raise at the first bad row."""
        if not bad.any():
            return
        row = int(np.flatnonzero(bad.to_numpy())[0])
        n = int(bad.sum())
        more = f" ({n} such rows)" if n > 1 else ""
        value = self.raw[column].iloc[row]
        shown = repr(value) if isinstance(value, str) else str(value)
        raise DataError(
            f"{self.source}, row {row + self.first_row}, column {column}: {shown}"
            f"{' ' + what if what else ''}{more}",
            hint=hint,
        )

    def dates(self, column: str) -> None:
        raw = self.raw[column]
        if pd.api.types.is_datetime64_any_dtype(raw):
            days = raw
        else:
            days = pd.to_datetime(raw.astype(str), format="%Y-%m-%d", errors="coerce")
        self.refuse(days.isna(), column, "write dates as 2024-07-31", "is no date")
        self.out[column] = days.astype("datetime64[s]")
        if column == "target_end_date":
            month_ends = self.out[column].dt.is_month_end
            self.refuse(
                ~month_ends, column, "targets end on the last day of a month",
                "is not the last day of its month",
            )  # fmt: skip

    def locations(self) -> None:
        codes = self.raw["location"].astype(str)
        unknown = ~codes.isin(_CODES)
        padded = codes.str.zfill(2).isin(_CODES)
        self.refuse(
            unknown & padded & codes.str.fullmatch(r"\d"),
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

    def choices(self, column: str, allowed: Sequence[str]) -> None:
        values = self.raw[column].astype(str)
        self.refuse(~values.isin(allowed), column, f"one of {', '.join(allowed)}")
        self.out[column] = values

    def numbers(self, column: str, *, whole: bool = False) -> None:
        values = pd.to_numeric(self.raw[column], errors="coerce").astype(float)
        self.refuse(
            ~pd.Series(np.isfinite(values)), column, "give a finite number", "is no finite number"
        )
        if whole:
            self.refuse(values != values.round(), column, "give a whole number of months")
            self.out[column] = values.astype(np.int64)
        else:
            self.out[column] = values

    def ids(self) -> None:
        ids, quantile = self.out["output_type_id"], self.out["output_type"] == "quantile"
        self.refuse(
            quantile & ((ids <= 0) | (ids >= 1)),
            "output_type_id",
            "quantile levels lie between 0 and 1",
        )
        self.refuse(
            ~quantile & ((ids < 0) | (ids != ids.round())),
            "output_type_id",
            "number samples 0, 1, 2 …",
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
        again = self.out.duplicated([*_UNIT, "output_type", "output_type_id"])
        self.refuse(again, "output_type_id", "give every forecast once", "repeats a row")

    def order(self) -> None:
        rows = self.out[self.out["output_type"] == "quantile"]
        rows = rows.sort_values([*_UNIT, "output_type_id"], kind="stable")
        unit = rows.groupby(_UNIT, sort=False).ngroup()
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
        unit = rows.groupby(_UNIT, sort=False).ngroup().to_numpy()
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
        raise DataError(
            f"{self.source}, row {int(rows.index[row]) + self.first_row}, origin "
            f"{first['origin_date']:%Y-%m-%d}, location {first['location']}, {first['target']}, "
            f"{first['target_end_date']:%Y-%m-%d}: {len(lacking)} of {len(wanted)} quantile "
            f"levels missing, first {lacking[0]:g}{more}",
            hint="give every unit all levels",
        )
