"""Numbers of a forecast as its pages show them, worked out once for all; and its sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import ForecastError
from odforecast.forecasts import Forecast
from odforecast.forecasts.record import Scored, past_errors
from odforecast.forecasts.tables import NEW_YORK, layer_of, published_on, year_before
from odforecast.forecasts.text import main_month, own_counts, own_of, place_name
from odforecast.geography import NATION, called
from odforecast.months import Months
from odforecast.names import LOCATION
from odforecast.panel import Floats
from odforecast.report.blocks import known
from odforecast.say import (
    between,
    capital,
    day_name,
    deaths_of,
    likely,
    month_name,
    percent,
    rounded,
    step_of,
    two_digits,
)

#: New York with the city, which CDC counts apart.
WHOLE_STATE = "New York, whole state"
#: Ends and median of a 90% interval in tables.
SIDES = ("low", "median", "high")


@dataclass(frozen=True)
class Numbers:
    """Tables of a forecast of the places that are shown; None where it has no such table.

    ``whole`` is the forecast with the whole state of New York, where its two parts are shown.
    """

    forecast: Forecast
    summary: pd.DataFrame
    years: pd.DataFrame | None
    trend: pd.DataFrame | None
    whole: Forecast

    @classmethod
    def from_forecast(
        cls, forecast: Forecast, locations: str | Iterable[str] | None = None
    ) -> Numbers:
        """All tables of a forecast; places are chosen last, so that New York has its rate."""
        if locations is not None and not isinstance(locations, str):
            locations = list(locations)
        selected = forecast if locations is None else forecast.select(locations)
        summary = forecast.summary(locations=locations)
        years = _or_none(partial(forecast.years, locations=locations))
        trend = _or_none(partial(forecast.trend, locations=locations))
        whole = selected
        if set(NEW_YORK) <= set(selected.locations) and LOCATION in selected.joint:
            state = selected.total(NEW_YORK, WHOLE_STATE)
            whole = replace(
                selected,
                draws=np.concatenate([selected.draws, state.draws], axis=1),
                known=np.concatenate([selected.known, state.known], axis=-2),
                locations=(*selected.locations, WHOLE_STATE),
                parts={**selected.parts, **state.parts},
                beside={},
            )
        return cls(selected, summary, years=years, trend=trend, whole=whole)

    @property
    def first(self) -> str:
        """The place of the first sentences: the nation, if it is there."""
        codes = self.forecast.locations
        return NATION if NATION in codes else codes[0]

    @property
    def deaths(self) -> str:
        """What is forecast, in words."""
        panel = self.forecast.panel
        return "deaths" if panel is None else deaths_of(panel.indicator)

    @cached_property
    def month(self) -> np.datetime64:
        """The month of the main table, that of the sentences."""
        return main_month(self.forecast)

    @property
    def end(self) -> str:
        """That month, in words."""
        return month_name(self.month)

    @property
    def new_york(self) -> bool:
        """Whether the whole state has a row of its own."""
        return self.whole is not self.forecast

    @cached_property
    def kinds(self) -> tuple[str, dict[str, dict[Any, Any]]]:
        """The month of the kinds of change, in words, and their rows by place."""
        # No later than a year after CDC's last count, which own counts may outrun.
        last = (
            self.month
            if self.trend is None
            else np.datetime64(self.trend["month"].max(), "M")
        )
        month = min(self.month, last)
        return month_name(month), self.at_month(self.trend, month)

    def at_month(
        self, table: pd.DataFrame | None, month: np.datetime64 | None = None
    ) -> dict[str, dict[Any, Any]]:
        """Rows of a table at a month, by place; by default at that of the main table."""
        if table is None:
            return {}
        when = self.month if month is None else month
        rows = table[table["month"].to_numpy().astype("datetime64[M]") == when]
        return {str(r["location"]): r for r in rows.to_dict("records")}

    @cached_property
    def ahead(self) -> dict[str, dict[Any, Any]]:
        """The summary at that month by place, with the count a year earlier."""
        rows = self.at_month(self.summary)
        if self.new_york:
            rows |= self.at_month(self.whole.select(WHOLE_STATE).summary())
        column = int(np.flatnonzero(self.whole.months == self.month)[0])
        draws = year_before(self.whole, [column])[:, :, 0]
        quantiles = np.quantile(draws, [0.05, 0.5, 0.95], axis=0)
        for place, (low, median, high) in zip(self.whole.locations, quantiles.T):
            row = rows[place]
            row["before_low"] = float(low)
            row["before"] = float(median)
            row["before_high"] = float(high)
        return rows

    @cached_property
    def final(self) -> dict[str, dict[Any, Any]]:
        """The last counts by place: reported, predicted by CDC, and the final count if known."""
        forecast = self.whole
        rows: dict[str, dict[Any, Any]] = {place: {} for place in forecast.locations}
        if forecast.panel is not None:
            column = int((forecast.last_month - forecast.panel.months[0]).astype(int))
            for layer, counts in self.layers.items():
                for place, value in zip(forecast.locations, counts[:, column]):
                    rows[place][layer] = float(value)
        nowcast = _or_none(forecast.nowcast)
        if nowcast is not None:
            for row in nowcast[nowcast["horizon"] == 0].to_dict("records"):
                rows[str(row["location"])] |= row
        return rows

    @cached_property
    def paths(self) -> tuple[Months, Floats]:
        """Months up to that one, and quantiles of each place there, shape (5, L, M)."""
        near = self.whole.months <= self.month
        quantiles = self.whole.quantiles((0.05, 0.25, 0.5, 0.75, 0.95))
        return self.whole.months[near], quantiles[:, :, near]

    def path(self, place: str) -> Floats:
        """Those quantiles of one place, shape (5, M)."""
        return self.paths[1][:, self.whole.locations.index(place)]

    @cached_property
    def layers(self) -> dict[str, Floats]:
        """What CDC reported and predicted of each place, shape (L, T)."""
        return {name: layer_of(self.whole, name) for name in ("reported", "predicted")}

    def known(
        self,
        place: str,
        since: np.datetime64,
        layer: str = "reported",
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
    return "r-" + "".join(
        c if c.isascii() and c.isalnum() else f"-{ord(c):x}" for c in code
    )


def direction(fall: float) -> int:
    """−1 where a fall is likely, 1 where a rise is: by the chance that is written."""
    if not np.isfinite(fall):
        return 0
    percent_written = 5 * round(20 * fall)
    if percent_written >= 75:
        return -1
    return 1 if percent_written <= 25 else 0


# Sentences


def title_of(numbers: Numbers, place: str | None = None) -> str:
    """The heading of a page: which deaths, where, to when."""
    locations = numbers.forecast.locations
    deaths = numbers.deaths
    if place is None and len(locations) > 1 and NATION not in locations:
        return (
            f"{capital(deaths)} in {len(locations)} states: forecast to {numbers.end}"
        )
    code = place or numbers.first
    name = "US" if code == NATION else called(code)
    return f"{name} {deaths}: forecast to {numbers.end}"


def subtitle_of(forecast: Forecast) -> str:
    """Which data a page rests on."""
    return (
        f"From data that CDC published on {day_name(published_on(forecast))}, with deaths to "
        f"{month_name(forecast.last_month)}"
    )


def description_of(numbers: Numbers, code: str) -> str:
    """A page in a sentence, for previews of links."""
    row = numbers.ahead[code]
    if not known(row, *SIDES):
        return title_of(numbers, code)
    middle, interval = rounded_sides(row)
    return (
        f"About {middle} deaths forecast in the 12 months ending {numbers.end} (90% interval "
        f"{interval})."
    )


def rounded_sides(row: dict[Any, Any]) -> tuple[str, str]:
    """A median and its 90% interval, rounded together."""
    low, middle, high = (row[k] for k in SIDES)
    step = step_of(low, high)
    return rounded(middle, step), between(low, high, step=step)


def lead(
    numbers: Numbers,
    code: str,
    record: Scored | None,
    error: bool = False,
) -> dict[str, str] | str:
    """The answer, and two sentences more: the change; the last count, or the past error.

    What has no such sentences (hidden counts, own counts of a state) has those of a screen.
    """
    forecast = numbers.forecast
    row = numbers.ahead[code]
    latest = numbers.final[code]
    complete = known(row, *SIDES, "change", "fall") and known(latest, "reported")
    if own_counts(forecast) or not complete:
        return forecast.text(code, record)
    middle, interval = rounded_sides(row)
    answer = (
        f"We forecast about {middle} {numbers.deaths} in {place_name(code)} in the 12 months "
        f"ending {numbers.end} (90% interval: {interval})."
    )
    change = float(np.median(forecast.select(code).change(numbers.month)))
    size = rounded(abs(change), step_of(row["low"], row["high"]))
    than = "as many as"
    if size != "0":
        than = f"{size} fewer than" if change < 0 else f"{size} more than"
    rest = [
        f"That is about {than} a year earlier ({percent(row['change'])}), and the chance of a "
        f"fall is {about_likely(row['fall'])}."
    ]
    rows = (
        past_errors(forecast, code, record=record)
        if error or record is not None
        else None
    )
    if error and rows is not None:
        ahead = int((numbers.month - forecast.last_month).astype(int))
        tested = rows[(rows["horizon"] == ahead) & np.isfinite(rows["error"])]
        for test in tested.to_dict("records"):
            rest.append(
                f"In {test['forecasts']:,} past tests, the typical (median) error of forecasts "
                f"this far ahead was {test['error']:.0f}%, and the 90% interval contained the "
                f"final count in {test['held']:.0%}."
            )
    if len(rest) == 1:
        counted = (
            f"CDC has reported {latest['reported']:,.0f} deaths for the 12 months ending "
            f"{month_name(forecast.last_month)}"
        )
        if "median" in latest:
            final, _ = rounded_sides(latest)
            rest.append(
                f"{counted}, and we expect about {final} when the count is final."
            )
        else:
            rest.append(f"{counted}, and late reports may still raise that count.")
    return {"answer": answer, "rest": " ".join(rest)}


def about_likely(share: float) -> str:
    """A probability within a sentence."""
    words = likely(share)
    return words if words[0] in "ou" else f"about {words}"


def past_record(
    forecast: Forecast, location: str, record: Scored | None = None
) -> tuple[str, pd.DataFrame] | None:
    """Past errors of the model that made a forecast, in one place; None where there are none.

    A sentence on what was scored, and a table of texts: months ahead, typical error (a dash where
    all counts were zero) in percent and in deaths of this forecast, share of 90% intervals that
    contained the count, and tests. Without a ``record``, a backtest of the same model, those of
    what ships of the default model.
    """
    rows = past_errors(forecast, location, record=record)
    if rows is None or own_of(
        forecast.select(location)
    ):  # past forecasts had no own counts
        return None
    first = month_name(rows["first"].min())
    last = month_name(rows["last"].max())
    sentence = (
        "We reran the model as of past dates with the data available then, and compared its "
        f"forecasts with the final counts of {first} to {last}. The developers had already seen "
        "these years."
    )
    rows = rows[rows["horizon"].isin((3, 6, 12))]
    errors = [f"{x:.1f}%" if np.isfinite(x) else "–" for x in rows["error"]]
    coverage = [f"{x:.0f}%" if np.isfinite(x) else "–" for x in 100 * rows["held"]]
    medians = dict(
        zip(forecast.horizons, forecast.select(location).quantiles([0.5])[0, 0])
    )
    deaths = rows["error"] / 100 * rows["horizon"].map(medians)
    columns = {
        "Ahead": [f"{h} months" for h in rows["horizon"]],
        "Typical (median) error": errors,
        "For this forecast": [
            f"{two_digits(x)} deaths" if x >= 0 else "–" for x in deaths
        ],
        "90% interval contained the final count": coverage,
        "Tests": rows["forecasts"].map("{:,}".format).to_numpy(),
    }
    return sentence, pd.DataFrame(columns)
