"""Numbers of a forecast as its pages show them, worked out once for all pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import ForecastError
from odforecast.forecast import Forecast
from odforecast.forecast.tables import NEW_YORK, layer_of, year_before
from odforecast.forecast.text import VALIDATED
from odforecast.geography import NATION
from odforecast.months import Months
from odforecast.names import LOCATION
from odforecast.panel import Floats
from odforecast.say import deaths_of, month_name

#: New York with the city, which CDC counts apart.
WHOLE_STATE = "New York, whole state"


@dataclass(frozen=True)
class Numbers:
    """Tables of a forecast, worked out once for all pages.

    Attributes
    ----------
    forecast : Forecast
        Of the places that are shown.
    summary, years, trend : DataFrame
        Of the methods of those names; None where the forecast has no such table.
    whole : Forecast
        Also of the whole state of New York where its two parts are shown.
    """

    forecast: Forecast
    summary: pd.DataFrame
    years: pd.DataFrame | None
    trend: pd.DataFrame | None
    whole: Forecast

    @classmethod
    def of(cls, forecast: Forecast, locations: str | Iterable[str] | None = None) -> Numbers:
        """All tables of a forecast; places are chosen last, so that New York has its rate."""
        if locations is None:
            of: list[str] | None = None
        else:
            of = [locations] if isinstance(locations, str) else list(locations)
        made = whole = forecast if of is None else forecast.select(of)
        years, trend = (
            _or_none(partial(table, locations=of)) for table in (forecast.years, forecast.trend)
        )
        if set(NEW_YORK) <= set(made.locations) and LOCATION in made.joint:
            state = made.total(NEW_YORK, WHOLE_STATE)
            whole = replace(
                made, draws=np.concatenate([made.draws, state.draws], axis=1),
                known=np.concatenate([made.known, state.known], axis=-2),
                locations=(*made.locations, WHOLE_STATE),
                parts={**made.parts, **state.parts}, beside={},
            )  # fmt: skip
        return cls(made, forecast.summary(locations=of), years, trend, whole)

    @cached_property
    def first(self) -> str:
        """The place of the first sentences: the nation, if it is there."""
        codes = self.forecast.locations
        return NATION if NATION in codes else codes[0]

    @cached_property
    def deaths(self) -> str:
        """What is forecast, in words."""
        panel = self.forecast.panel
        return "deaths" if panel is None else deaths_of(panel.indicator)

    @cached_property
    def month(self) -> np.datetime64:
        """The month of the main table: twelve months ahead, or the last one forecast before."""
        horizons = self.summary["horizon"]
        rows = self.summary[horizons <= VALIDATED]
        return np.datetime64((rows if len(rows) else self.summary)["month"].max(), "M")

    @cached_property
    def end(self) -> str:
        """That month, in words."""
        return month_name(self.month)

    def at_month(self, table: pd.DataFrame | None) -> pd.DataFrame | None:
        """Rows of a table at that month; None where it has none."""
        if table is None:
            return None
        rows = table[table["month"].to_numpy().astype("datetime64[M]") == self.month]
        return rows if len(rows) else None

    @cached_property
    def ahead(self) -> dict[str, dict[Any, Any]]:
        """The summary at that month by place, with the count a year earlier."""
        rows = self.at_month(self.summary)
        assert rows is not None
        extra = self.whole.select(WHOLE_STATE).summary() if self._more else None
        if (state := self.at_month(extra)) is not None:
            rows = pd.concat([rows, state], ignore_index=True)
        found = {str(r["location"]): r for r in rows.to_dict("records")}
        column = int(np.flatnonzero(self.whole.months == self.month)[0])
        before = np.quantile(year_before(self.whole, [column])[:, :, 0], [0.05, 0.5, 0.95], axis=0)
        for place, sides in zip(self.whole.locations, before.T):
            found[place] |= dict(zip(("before_low", "before", "before_high"), map(float, sides)))
        return found

    @property
    def _more(self) -> bool:
        return len(self.whole.locations) > len(self.forecast.locations)

    @cached_property
    def final(self) -> dict[str, dict[Any, Any]]:
        """The last counts by place: reported, predicted by CDC, and the final count if known."""
        made = self.whole
        found: dict[str, dict[Any, Any]] = {s: {} for s in made.locations}
        if made.panel is not None:
            column = int((made.last_month - made.panel.months[0]).astype(int))
            for layer, counts in self.layers.items():
                for place, value in zip(made.locations, counts[:, column]):
                    found[place][layer] = float(value)
        table = _or_none(made.nowcast)
        if table is not None:
            for r in table[table["horizon"] == 0].to_dict("records"):
                found[str(r["location"])] |= r
        return found

    @cached_property
    def paths(self) -> tuple[Months, Floats]:
        """Months up to that one, and quantiles of each place there, shape (5, L, M)."""
        kept = self.whole.months <= self.month
        values = self.whole.quantiles((0.05, 0.25, 0.5, 0.75, 0.95))
        return self.whole.months[kept], values[:, :, kept]

    @cached_property
    def layers(self) -> dict[str, Floats]:
        """What CDC reported and predicted of each place, shape (L, T)."""
        return {name: layer_of(self.whole, name) for name in ("reported", "predicted")}

    def known(
        self, place: str, since: np.datetime64, layer: str = "reported"
    ) -> dict[np.datetime64, float]:
        """What CDC published of a place from a month on."""
        if self.whole.panel is None:
            return {}
        row = self.layers[layer][self.whole.locations.index(place)]
        return {m: float(v) for m, v in zip(self.whole.panel.months, row) if m >= since}


def _or_none(table: Callable[[], pd.DataFrame]) -> pd.DataFrame | None:
    """A table; None where the forecast is too short for it, or has none."""
    try:
        return table()
    except ForecastError:
        return None


def row_key(code: str) -> str:
    """The address of a place's row, letters and digits only."""
    return "r-" + "".join(c if c.isascii() and c.isalnum() else f"-{ord(c):x}" for c in code)


def direction(fall: float) -> int:
    """−1 where a fall is likely, 1 where a rise is: by the chance that is written."""
    near = 5 * round(20 * fall) if np.isfinite(fall) else 50
    return -1 if near >= 75 else 1 if near <= 25 else 0
