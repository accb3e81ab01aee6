"""What a map of counties shows: a count and a value for each, out of a forecast or a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.geography import pick
from odforecast.plot.inputs import at_month, indicator_in, seen_words
from odforecast.plot.words import SMALL as TEN
from odforecast.plot.words import deaths_of, is_county

if TYPE_CHECKING:
    from numpy.typing import NDArray

Value = Literal["median", "rate", "rising", "ten", "among"]
#: What may be shown, and the columns of tables that hold it.
COLUMNS: Final = {
    "median": ("median", "deaths"),
    "rate": ("rate",),
    "rising": ("rise", "rising"),
    "ten": ("p_ten",),
    "among": ("among",),
}


@dataclass(frozen=True)
class CountyValues:
    """A row for each county, and what is known of them."""

    table: pd.DataFrame
    value: str
    month: np.datetime64 | None
    when: str
    deaths: str
    k: int

    @property
    def counts(self) -> NDArray[np.float64]:
        """Medians; NaN below 10."""
        found = self.table["count"].to_numpy(dtype=float)
        return np.where(found < TEN, np.nan, found)

    def without(self, codes: list[str]) -> CountyValues:
        """The others.

        Raises
        ------
        DataError
            If none is left.
        """
        kept = self.table[~self.table["location"].isin(codes)].reset_index(drop=True)
        if kept.empty:
            raise DataError(
                f"{codes[0]} has no place on the map",
                hint="Connecticut's planning regions need a file of borders: boundaries=",
            )
        return replace(self, table=kept)

    @property
    def values(self) -> NDArray[np.float64]:
        """What the colour says."""
        return self.table["value"].to_numpy(dtype=float)


def read_counties(
    values: Any,
    value: str,
    locations: str | Iterable[str] | None,
    month: object,
    k: int,
    by: str,
    indicator: str | None,
) -> CountyValues:
    """A row per county out of whatever was given."""
    deaths = deaths_of(indicator or indicator_in(values))
    if not isinstance(values, pd.DataFrame):
        if not callable(getattr(values, "counties", None)):
            raise DataError(
                f"values is a {type(values).__name__}: there is nothing to map in it",
                hint="give a forecast of counties, or its counties() or ranking()",
            )
        if not any(is_county(s) for s in values.locations):
            raise DataError(
                "this forecast holds no counties", hint="a map of states: od.plot.tile_map"
            )
        made = values if locations is None else values.select(locations)
        table = made.counties()
        if value == "among":
            rows, _ = at_month(table, month)
            ranked = made.ranking(k=k, by=by, month=rows["month"].iloc[0])
            table = rows.merge(ranked[["location", "among"]], on="location")
    else:
        table = values
    lacking = [c for c in ("location",) if c not in table]
    shown = next((c for c in COLUMNS[value] if c in table), None)
    if lacking or shown is None:
        raise DataError(
            f"the table has no column {(lacking or COLUMNS[value])[0]!r}",
            hint=f"it has: {', '.join(table.columns.astype(str))}",
        )
    rows, when = at_month(table, month)
    codes = rows["location"].astype(str)
    if odd := [s for s in codes if not is_county(s)]:
        raise DataError(f"{odd[0]!r} is not a county", hint="a map of states: od.plot.tile_map")
    if codes.duplicated().any():
        raise DataError("a county has several rows", hint="give one row per county, or month=")
    count = next((c for c in COLUMNS["median"] if c in rows), None)
    if count is None:
        raise DataError(
            "the table has no column 'median', which the size of a bubble is",
            hint=f"it has: {', '.join(rows.columns.astype(str))}",
        )
    made_of = pd.DataFrame(
        {"location": codes, "count": rows[count].astype(float), "value": rows[shown].astype(float)}
    ).reset_index(drop=True)
    if locations is not None:
        places = pick(locations, list(made_of["location"]), "the table", DataError)
        made_of = made_of.set_index("location").loc[list(places)].reset_index()
    if value != "median" and not made_of["value"].notna().any():
        hint = "a rate needs a population file" if value == "rate" else "was everything hidden?"
        raise DataError(f"no county has a {shown!r}, so there is nothing to map", hint=hint)
    return CountyValues(made_of, value, when, seen_words(values, rows), f"{deaths} of residents", k)
