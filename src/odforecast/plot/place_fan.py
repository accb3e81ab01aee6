"""The fan of one place: what is known black, what is not final yet dotted, the rest in colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

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
    source_of,
    table_of,
)
from odforecast.plot.style import (
    BAND50,
    BAND90,
    BLUE,
    INK,
    MUTED,
    PALE,
    PAPER,
    TEXT,
    Line,
    days,
    height_of,
    label,
    width_of,
)
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

#: Months ahead at which forecasts were checked against what came.
TESTED = 12
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

    def marks(self, *places: str) -> str:
        """What the marks of a fan are, and what it knew."""
        names = " and ".join(f"{100 * b:g}%" for b in self.bands)
        plural = "s" if len(self.bands) > 1 else ""
        with_bands = f", with its {names} interval{plural}" if self.bands else ""
        own = self.own(*places)
        return f"Line: reported deaths. Blue: forecast{with_bands}.{f' {capital(own)}.' if own else ''}"

    def source(self) -> str:
        """Where the counts are from, and which model made the forecast."""
        return source_of(self.forecast, self.table)


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


class End(NamedTuple):
    """The last forecast of a fan: its median, its intervals, and both in words."""

    month: np.datetime64
    horizon: int
    value: float
    sides: list[tuple[float, float]]
    texts: tuple[str, ...]
    bands: tuple[float, ...]


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

    def draw(self, axes: Any, color: str, name: str) -> None:
        """The known part, and the fan over what is not final yet and what is ahead."""
        self._known(axes)
        when, values = self._opening()
        # A file of curves holds its numbers: of a county, those below 10 are not drawn at all.
        floor = SMALL if self.of_county else -np.inf
        edges, line = np.maximum(values, floor), np.where(values < floor, np.nan, values)
        tested = when <= self.last + TESTED * ONE_MONTH
        later = ~tested | np.append(~tested[1:], False)
        own = color == BLUE
        for i, band in enumerate(self.seen.bands[::-1]):
            low, high = self.sides(band)
            shade = {"color": (BAND50 if i else BAND90) if own else color, "alpha": None if own
                     else 0.22, "lw": 0, "zorder": 1.5}  # fmt: skip
            axes.fill_between(days(when[tested]), edges[tested, low], edges[tested, high], **shade)
            for side in (low, high) if later.any() else ():
                axes.plot(days(when[later]), line[later, side], color=color, lw=0.8, ls=(0, (2, 2)))
        middle = self.column(0.5)
        axes.plot(days(when[tested]), line[tested, middle], color=color, lw=2.2, zorder=2.5,
                  label=literal(name))  # fmt: skip
        if later.any():
            axes.plot(days(when[later]), line[later, middle], color=color, lw=2.2, ls=(0, (2, 1)))
        if self.of_county and self._has_small():
            covered = "below 10: not shown"
            again = covered in axes.get_legend_handles_labels()[1]
            axes.axhspan(0, SMALL, facecolor=PALE, edgecolor="#b4bac4", hatch="///", lw=0,
                         zorder=5, label="_again" if again else covered)  # fmt: skip

    def marks(self) -> str:
        """What the marks are; of months that were never tested, that they were not."""
        beyond = self.months[-1] > self.last + TESTED * ONE_MONTH
        untested = f" Dashed: more than {TESTED} months ahead, not tested." if beyond else ""
        return self.seen.marks(self.place) + untested

    def mark(self, axes: Any) -> None:
        """The highest count, and the last one with what it will be once final."""
        if self.known is None or not self.known["reported"].notna().any():
            return
        known = self.known[self.known["reported"].notna()]
        months, counts = months_in(known), known["reported"].to_numpy(dtype=float)
        across = width_of(axes, inner=True) / max(float(np.ptp(axes.get_xlim())), 1.0) * 30.4
        low, high = axes.get_ylim()
        up = height_of(axes) / (high - low)
        top, least = int(counts.argmax()), SMALL if self.of_county else 1
        if (counts.size - 1 - top) * across > 40 and counts[top] >= least:
            self._peak(axes, months[top], counts[top], top * across, (high - counts[top]) * up)
        if counts[-1] >= least or not self.of_county:
            wide = max(1, int(130 / across))
            around = (counts[-wide:] - counts[-1]) * up
            self._last(axes, months[-1], counts[-1], around, (counts[-1] - low) * up)

    def _peak(self, axes: Any, month: np.datetime64, count: float, x: float, below: float) -> None:
        """The highest count, its label clear of the edge and of the label of the top line."""
        axes.plot(days(month), count, "o", color=INK, ms=5, zorder=4, gid="peak")
        least = 100.0 if below < 28 else 2.0
        centered = x >= least + 65
        label(axes, f"{count:,.0f} in {month_name(month)}", (days(month), count),
              (0 if centered else max(least - x, -4), 7), ha="center" if centered else "left")  # fmt: skip

    def _last(
        self, axes: Any, month: np.datetime64, count: float, around: Any, height: float
    ) -> None:
        """The last count: what was reported, to when, and how much of it is still missing."""
        at = days(month), count
        lines = [Line(f"{count:,.0f} reported", bold=True), Line(f"to {month_name(month)}", MUTED)]
        if (final := self._final()) is not None:
            value, said = final
            near = said == rounded(count) or abs(value - count) < 0.004 * count
            lines.append(Line("almost final" if near else f"about {said} when final", MUTED))
            axes.plot(at[0], value, "o", color=BLUE, mfc=PAPER, mew=1.5, ms=8, zorder=3.5,
                      gid="final")  # fmt: skip
        axes.plot(*at, "o", color=INK, ms=7, zorder=4, gid="reported")
        step, tall = 1.33 * TEXT, 1.33 * TEXT * len(lines) + 4
        drop = min(62.0, height - tall)
        under = drop > 14 and float(around.min()) > -drop + 6
        if not under:
            drop = 24.0 + max(0.0, float(around.max()))
        axes.annotate("", at, (0, -drop if under else drop), textcoords="offset points", zorder=3,
                      arrowprops={"arrowstyle": "-", "color": MUTED, "lw": 1, "shrinkA": 0,
                                  "shrinkB": 7})  # fmt: skip
        y = -drop - 2 if under else drop + tall - 2
        for line in lines:
            y -= step
            label(axes, line.text, at, (5, y + 3), line.color, bold=line.bold, ha="right",
                  va="baseline")  # fmt: skip

    def _final(self) -> tuple[float, str] | None:
        """What the last count will be once final, and in words."""
        now = np.flatnonzero(self.horizon == 0)
        if not now.size or not np.isfinite(self.values[now[0]]).all():
            return None
        value = float(self.values[now[0], self.column(0.5)])
        return value, self._number(value, *self._ends(int(now[0])))

    def end(self) -> End | None:
        """The last forecast and its intervals."""
        value = float(self.values[-1, self.column(0.5)])
        if not np.isfinite(value) or self.horizon[-1] < 1:
            return None
        sides = [(float(self.values[-1, a]), float(self.values[-1, b]))
                 for a, b in map(self.sides, self.seen.bands)]  # fmt: skip
        low, high = self._ends()
        step = step_of(low, high) if sides else 1.0
        number = ranged if self.of_county else rounded
        texts = (number(value, step), *(number(x, step) for x in (low, high) if sides))
        return End(self.months[-1], int(self.horizon[-1]), value, sides, texts, self.seen.bands)

    def _has_small(self) -> bool:
        """Whether a count that is drawn, or hidden, lies below 10."""
        lowest = [float(np.min(self.values, initial=np.inf))]
        if self.known is not None and len(self.known):
            name = "low" if "low" in self.known else "reported"
            lowest.append(float(self.known[name].min()))
        return bool(np.nanmin(lowest) < SMALL)

    def _number(self, value: float, low: float, high: float) -> str:
        """A count no finer than its interval; of a county as a range where it is small."""
        step = step_of(low, high)
        return ranged(value, step) if self.of_county else rounded(value, step)

    def _interval(self, low: float, high: float) -> str:
        return ranged_between(low, high) if self.of_county else between(low, high)

    def _known(self, axes: Any) -> None:
        if self.known is None or not len(self.known):
            return
        if "reported" in axes.get_legend_handles_labels()[1]:
            return  # a second fan on the same axes
        counts = self.known["reported"].to_numpy(dtype=float)
        axes.plot(days(months_in(self.known)), counts, color=INK, lw=2, label="reported", zorder=3)

    def _opening(self) -> tuple[Any, NDArray[np.float64]]:
        """Months and their quantiles (K, Q), from the last known count or the first that is revised."""
        there = (self.horizon == 0).any() or not (self.horizon == 1).any()
        if there or self.known is None or not (months_in(self.known) == self.last).any():
            return self.months, self.values
        first = np.full((1, self.levels.size), float(self.known["reported"].iloc[-1]))
        ahead = self.horizon >= 1
        return (np.concatenate([[self.last], self.months[ahead]]),
                np.concatenate([first, self.values[ahead]]))  # fmt: skip

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
