"""The fan of one place: what is known black, what is not final yet dotted, the rest in colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.months import ONE_MONTH
from odforecast.plot.inputs import (
    indicator_in,
    months_in,
    reported_of,
    rows_of,
    seen_words,
    table_of,
)
from odforecast.plot.style import BLACK, PALE, TEXT, days
from odforecast.plot.words import (
    SMALL,
    between,
    capital,
    deaths_of,
    in_place,
    is_county,
    joined,
    literal,
    month_name,
    ranged,
    ranged_between,
    rounded,
    step_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLUMNS = ("location", "month", "horizon", "level", "value")


@dataclass(frozen=True)
class Seen:
    """A forecast as its table, and what is to be said about it."""

    table: pd.DataFrame
    bands: tuple[float, ...]
    history: Any
    parts: Any
    when: str
    deaths: str
    forecast: Any = None

    def own(self, *places: str) -> str:
        """That a forecast of places rests on states' own counts, in words; empty if not."""
        panel = getattr(self.forecast, "panel", None)
        own = getattr(panel, "own", None)
        if own is None or "own counts" not in self.forecast.provenance:
            return ""
        _, for_all, but = self.forecast.provenance["own counts"].partition(", for all places")
        if for_all and not set(places) <= set(but.split()[1:]):
            places = own.places
        said = own.within(places, self.forecast.parts, "location" in self.forecast.joint)
        return f"with {said}" if said else ""


def read(forecast: Any, bands: Sequence[float], history: Any) -> Seen:
    """A forecast as its table with the levels that the bands need."""
    wanted = tuple(sorted(float(b) for b in bands))
    if bad := [b for b in wanted if not 0 < b < 1]:
        raise DataError(f"bands holds {bad[0]:g}: an interval lies between 0 and 1, such as 0.9")
    levels = sorted({0.5, *(p for b in wanted for p in ((1 - b) / 2, (1 + b) / 2))})
    keywords = {} if isinstance(forecast, pd.DataFrame) else {"levels": levels}
    table = table_of(forecast, _COLUMNS, "the forecast", **keywords)
    held = np.unique(table["level"].to_numpy(dtype=float))
    for level in levels:
        if not np.isclose(held, level, atol=1e-9).any():
            raise DataError(
                f"the table has no level {level:g}, which a band needs",
                hint=f"it has {', '.join(f'{x:g}' for x in held)}: make it with to_frame(levels)",
            )
    panel = getattr(forecast, "panel", None)
    whose = indicator_in(forecast, table) or indicator_in(history)
    return Seen(
        table,
        wanted,
        panel if history is None else history,
        getattr(forecast, "parts", None),
        seen_words(forecast, table),
        deaths_of(whose),
        forecast,
    )


class PlaceFan:
    """One place: its known counts, and the quantiles ahead of them."""

    def __init__(self, seen: Seen, place: str, months: int) -> None:
        self.seen, self.place = seen, place
        rows = rows_of(seen.table, place)
        wide = rows.pivot_table(index="month", columns="level", values="value", dropna=False)
        horizon = rows.drop_duplicates("month").set_index("month")["horizon"]
        self.horizon = horizon.reindex(wide.index).to_numpy(dtype=int)
        self.months = wide.index.to_numpy(dtype="datetime64[M]")
        self.levels = wide.columns.to_numpy(dtype=float)
        self.values = wide.to_numpy(dtype=float)
        self.last = np.datetime64(self.months[0] - int(self.horizon[0]) * ONE_MONTH, "M")
        known = None if seen.history is None else reported_of(seen.history, place, seen.parts)
        if known is not None:
            when = months_in(known)
            known = known[(when <= self.last) & (when > self.last - months * ONE_MONTH)]
        self.known = known
        #: Counts of counties below 10 are not shown, neither known nor forecast.
        self.of_county = is_county(place)

    def column(self, level: float) -> int:
        """Which column holds a level."""
        return int(np.abs(self.levels - level).argmin())

    def sides(self, band: float) -> tuple[int, int]:
        """Which columns are the ends of an interval."""
        return self.column((1 - band) / 2), self.column((1 + band) / 2)

    def draw(self, axes: Any, color: str, label: str, plain: bool) -> None:
        """Known part, nowcast and forecast; ``plain``: no number at the end."""
        back, middle = self.horizon <= 0, self.column(0.5)
        self._known(axes, back)
        when, ahead = self._ahead()
        # A file of curves holds its numbers: of a county, those below 10 are not drawn at all.
        floor = SMALL if self.of_county else -np.inf
        bands, line = np.maximum(ahead, floor), np.where(ahead < floor, np.nan, ahead)
        for band in self.seen.bands[::-1]:
            low, high = self.sides(band)
            shade = {"color": color, "alpha": 0.22, "lw": 0}
            axes.fill_between(days(when), bands[:, low], bands[:, high], **shade)
            if back.any():
                rows = self.values[back]
                axes.fill_between(days(self.months[back]), rows[:, low], rows[:, high], **shade)
        own = label == "forecast"
        if back.any():
            axes.axvspan(days(self.months[back][0]), days(self.last), color=PALE, alpha=0.6, lw=0,
                         zorder=0)  # fmt: skip
            axes.plot(
                days(self.months[back]), self.values[back, middle], color=color, lw=1.8,
                ls=(0, (2, 1)), label="estimate once final" if own else "_nowcast",
            )  # fmt: skip
        axes.plot(days(when), line[:, middle], color=color, lw=2.0, label=literal(label))
        if self.seen.bands:
            names = " / ".join(f"{100 * b:g}" for b in self.seen.bands)
            of = "" if own else f", {label}"
            plural = "s" if len(self.seen.bands) > 1 else ""
            axes.fill_between([], [], [], color=color, alpha=0.35, lw=0,
                              label=literal(f"{names}% interval{plural}{of}"))  # fmt: skip
        if not plain and len(ahead) and np.isfinite(ahead[-1, middle]):
            axes.annotate(
                self._number(ahead[-1, middle], *self._ends()),
                (days(when)[-1], self._height(ahead[-1, middle])), (4, 0), color=color,
                textcoords="offset points", fontsize=TEXT, va="center", fontweight="bold",
                annotation_clip=False, zorder=6,
            )  # fmt: skip

        if self.of_county and self._has_small():
            covered = "below 10: not shown"
            again = covered in axes.get_legend_handles_labels()[1]
            axes.axhspan(0, SMALL, facecolor=PALE, edgecolor="#b4bac4", hatch="///", lw=0,
                         zorder=5, label="_again" if again else covered)  # fmt: skip

    def _has_small(self) -> bool:
        """Whether a count that is drawn, or hidden, lies below 10."""
        lowest = [float(np.min(self.values, initial=np.inf))]
        if self.known is not None and len(self.known):
            name = "low" if "low" in self.known else "reported"
            lowest.append(float(self.known[name].min()))
        return bool(np.nanmin(lowest) < SMALL)

    def _height(self, value: float) -> float:
        """Where the number at the end stands: one that is not shown, amid those not shown."""
        return SMALL / 2 if self.of_county and value < SMALL else float(value)

    def _number(self, value: float, low: float, high: float) -> str:
        """A count no finer than its interval; of a county as a range where it is small."""
        step = step_of(low, high)
        return ranged(value, step) if self.of_county else rounded(value, step)

    def _interval(self, low: float, high: float) -> str:
        return ranged_between(low, high) if self.of_county else between(low, high)

    def _known(self, axes: Any, back: NDArray[np.bool_]) -> None:
        if self.known is None or not len(self.known):
            return
        if "reported" in axes.get_legend_handles_labels()[1]:
            return  # a second fan on the same axes
        months, counts = months_in(self.known), self.known["reported"].to_numpy(dtype=float)
        loose = months >= self.months[back][0] if back.any() else np.zeros(months.size, dtype=bool)
        axes.plot(days(months[~loose]), counts[~loose], color=BLACK, lw=1.8, label="reported",
                  zorder=3)  # fmt: skip
        if loose.any():
            axes.plot(days(months[loose]), counts[loose], "o", color=BLACK, ms=3, mfc="white",
                      mew=0.9, label="not final yet", zorder=4)  # fmt: skip

    def _ahead(self) -> tuple[Any, NDArray[np.float64]]:
        """Months after the last known one and their quantiles (K, Q), opening from that month."""
        ahead = self.horizon >= 1
        when, values = self.months[ahead], self.values[ahead]
        if not (self.horizon == 1).any():
            return when, values
        if (self.horizon == 0).any():
            first = self.values[self.horizon == 0]
        elif self.known is None or not (months_in(self.known) == self.last).any():
            return when, values
        else:
            first = np.full((1, self.levels.size), float(self.known["reported"].iloc[-1]))
        return np.concatenate([[self.last], when]), np.concatenate([first, values])

    def _ends(self, row: int = -1) -> tuple[float, float]:
        """The widest interval at the last month, or another row."""
        if not self.seen.bands:
            return float("nan"), float("nan")
        low, high = self.sides(self.seen.bands[-1])
        return float(self.values[row, low]), float(self.values[row, high])

    def sentence(self, label: str | None) -> str:
        """The numbers shown, in a sentence."""
        lead = f"{capital(self.seen.deaths)} in {in_place(self.place)}, 12 months ending"
        seen = self.seen.when
        parts = []
        if self._hidden():
            parts.append(f"1 to {SMALL - 1} reported for {month_name(self.last)}")
        elif self.known is not None and self.known["reported"].notna().any():
            last = self.known[self.known["reported"].notna()].iloc[-1]
            parts.append(f"{last['reported']:,.0f} reported for {month_name(last['month'])}")
        middle = self.column(0.5)
        now = np.flatnonzero(self.horizon == 0)
        if now.size and np.isfinite(self.values[now[0]]).all():
            step = step_of(*self._ends(int(now[0])))
            parts.append(f"once final about {rounded(self.values[now[0], middle], step)}")
        end = month_name(self.months[-1])
        who = f"forecast by {label}" if label else "forecast"
        last_value, ends = float(self.values[-1, middle]), self._ends()
        if not np.isfinite(last_value):
            parts.append(f"no {who} for {end}, for a count is hidden")
        else:
            said = f"{who} for {end} {self._number(last_value, *ends)}"
            if self.seen.bands:
                said += f", {100 * self.seen.bands[-1]:g}% interval {self._interval(*ends)}"
            parts.append(said)
        return f"{joined(lead, seen, self.seen.own(self.place))}: {'; '.join(parts)}."

    def _hidden(self) -> bool:
        """Whether the last known count is suppressed."""
        if self.known is None or not len(self.known) or "high" not in self.known:
            return False
        last = self.known.iloc[-1]
        return bool(np.isnan(last["reported"]) and np.isfinite(last["high"]))
