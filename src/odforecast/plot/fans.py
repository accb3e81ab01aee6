"""Counts as they were published, and forecasts as fans: of one place, or of several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.months import ONE_MONTH
from odforecast.plot.files import Grid, describe, finish
from odforecast.plot.frame import (
    About,
    about,
    capital,
    in_place,
    is_county,
    joined,
    months_in,
    own_words,
    place_of,
    reported_of,
    rows_of,
    table_of,
    titled,
)
from odforecast.plot.style import (
    BAND50,
    BAND90,
    BLUE,
    CAPTION,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    TEXT,
    Head,
    Label,
    Line,
    canvas,
    days,
    drawn_on,
    heading_of_part,
    height_of,
    label,
    levels,
    literal,
    of_time,
    over_all,
    width_of,
)
from odforecast.say import SMALL, between, month_name, ranged, ranged_between, rounded, step_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

#: Months of history before the forecast; and months ahead that were tested against final counts.
MONTHS, TESTED = 60, 12
_COLUMNS = ("location", "month", "horizon", "level", "value")
#: What axes keep: the ends of the fans on them.
_ENDS = "_odforecast_ends"


def counts(panel: Any, location: str | None = None, axes: Axes | None = None) -> Axes:
    """12-month-ending deaths as reported, and as CDC predicts that they will be.

    Parameters
    ----------
    panel : Panel or DataFrame
        A panel, or its table: ``location``, ``month``, ``reported`` (deaths), and where they are
        known ``predicted``, and ``low`` and ``high`` of counts that were suppressed.
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> od.plot.counts(panel, "Ohio").get_title(loc="left")
    'Drug overdose deaths in the 12 months ending each month, Ohio'
    """
    table = table_of(panel, ("location", "month", "reported"), "counts")
    place = place_of(table["location"], location, "this panel")
    rows = rows_of(table, place)
    known = rows[rows["reported"].notna()]
    # Where a release lost its large counts there is a floor and no ceiling: nothing to draw.
    bounds = rows.reindex(columns=["low", "high"]).astype(float)
    hidden = (rows["reported"].isna() & np.isfinite(bounds).all(axis=1)).to_numpy()
    if known.empty and not hidden.any():
        raise DataError(f"no count of {called(place)} was published", hint="look at its status")
    drawn = drawn_on(axes)
    when = days(months_in(rows))
    drawn.plot(when, rows["reported"], color=INK, lw=2, label="reported", zorder=3)
    labels: list[Label] = []
    if len(known):
        labels = [(float(known["reported"].iloc[-1]), [Line("Reported", bold=True)], 0)]
    guessed = rows["predicted"].dropna() if "predicted" in rows else known["reported"].iloc[:0]
    if len(guessed):
        name = "CDC's predicted value"
        drawn.plot(when, rows["predicted"], color=ORANGE, lw=1.4, ls="--", label=name)
        lines = [Line(x, ORANGE) for x in ("CDC's predicted", "value")]
        labels.append((float(guessed.iloc[-1]) + 1e-6, lines, 0))
    if hidden.any():
        drawn.vlines(when[hidden], *bounds[hidden].to_numpy().T, color=MUTED, lw=2)
    levels(drawn)
    of = about(panel, rows)
    note = " Gray bars: suppressed, between these." if hidden.any() else ""
    lead = joined(f"{capital(of.deaths)} in {in_place(place)}", "12 months ending", of.seen)
    head = Head(titled(of.deaths, place), f"Line: reported deaths.{note}", of.source)
    return finish(drawn, head, f"{lead}: {_counts_said(rows, hidden)}", labels, time=True)


def _counts_said(rows: pd.DataFrame, hidden: Any) -> str:
    seen = rows[rows["reported"].notna()]
    if seen.empty:
        return f"all {int(hidden.sum())} counts are suppressed."
    last, top = seen.iloc[-1], seen.iloc[int(seen["reported"].to_numpy().argmax())]
    parts = [
        f"{last['reported']:,.0f} reported for {month_name(last['month'])}",
        f"the most {top['reported']:,.0f} in {month_name(top['month'])}",
    ]
    if "predicted" in rows and np.isfinite(last["predicted"]):
        parts.insert(1, f"CDC's predicted value {last['predicted']:,.0f}")
    if hidden.any():
        parts.append(f"{int(hidden.sum())} counts suppressed")
    return "; ".join(parts) + "."


def fan(
    forecast: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    history: Any = None,
    bands: Sequence[float] = (0.5, 0.9),
    label: str | None = None,
    months: int = MONTHS,
    color: str = BLUE,
) -> Axes:
    """The next months of one place: median and central intervals, after what is known.

    The last reported count is a dot, and its expected final count a hollow
    one. Months more than 12 ahead, where forecasts were never tested, are dashed. Called twice on
    the same axes, it puts one forecast over another.

    Parameters
    ----------
    forecast : Forecast or DataFrame
        A forecast, or its table (``forecast.to_frame(levels)``): ``location``, ``month``,
        ``horizon``, ``level``, ``value`` (deaths in the 12 months ending).
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
    history : Panel or DataFrame, optional
        Reported counts (``location``, ``month``, ``reported``). Default: the forecast's panel;
        a table of a forecast has none.
    bands : sequence of float
        Central intervals, each between 0 and 1.
    label : str, optional
        What the forecast is called. Default: ``forecast``.
    months : int
        Months of history shown.
    color : str
        Of the fan.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(draws=100, seed=1)
    >>> axes = od.plot.fan(forecast, "Ohio", bands=(0.8,))
    >>> axes.get_title(loc="left")
    'Drug overdose deaths in the 12 months ending each month, Ohio'
    """
    seen = _read(forecast, bands, history)
    place = place_of(seen.table["location"], location, "this forecast")
    drawn, name = drawn_on(axes), label or "forecast"
    fan_of = _PlaceFan(seen, place, months)
    fan_of.draw(drawn, color, name)
    levels(drawn)
    ends = [*getattr(drawn, _ENDS, ()), (fan_of.end(), color, name)]
    setattr(drawn, _ENDS, ends)
    known: list[Any] = [each for each in ends if each[0] is not None and each[0].horizon > 0]
    one = len(ends) == 1 and len(known) == 1
    labels = _end_labels(known[0], width_of(drawn) < 480) if one else _names(known)
    head = Head(titled(seen.about.deaths, place), fan_of.marks(), seen.about.source)
    done = finish(drawn, head, fan_of.sentence(label), labels, time=True, gap=16 if one else 10,
                  fixed=len(labels) // 2 if one else None)  # fmt: skip
    if len(ends) == 1:
        fan_of.mark(drawn)
    for old in [x for x in drawn.lines if x.get_gid() == ".bracket"]:
        old.remove()
    if one:
        _bracket(drawn, *known[0][:2])
    return done


def _bracket(axes: Any, end: _End, color: str) -> None:
    """The last forecast just beyond the edge, with its intervals: thin 90%, thick 50%."""
    from matplotlib.transforms import ScaledTranslation

    at, scale = days([end.month, end.month]), axes.get_figure(root=True).dpi_scale_trans
    common = {"color": color, "transform": axes.transData + ScaledTranslation(7 / 72, 0, scale),
              "clip_on": False, "gid": ".bracket"}  # fmt: skip
    for i, sides in enumerate(end.sides[::-1]):
        axes.plot(at, sides, lw=3.5 if i else 1.5, solid_capstyle="butt", **common)
        if not i:
            axes.plot(at, sides, "_", ms=7, mew=1.5, **common)
    axes.plot(at[:1], [end.value], "o", ms=8, **common)


def _end_labels(known: tuple[_End, str, str], narrow: bool) -> list[Label]:
    """The last forecast in bold, between both ends of its interval."""
    end, color, name = known
    ahead = "" if narrow or name != "forecast" else f", {end.horizon} months"
    when = f"{end.month.item():%b %Y}" if narrow else month_name(end.month)
    title = name.capitalize() if name == "forecast" else name
    head = [Line(f"{title}{ahead}", color, True), Line(f"to {when}", color)]
    middle = Line(end.texts[0], color, True, 17 if narrow else 20)
    if not end.sides:
        return [(end.value, [*head, middle], 2)]
    (low, high), interval = end.sides[-1], f"{100 * end.bands[-1]:g}% interval"
    return [
        (high, [*head, Line(end.texts[2])], 2),
        (end.value, [middle], 0),
        (low, [Line(end.texts[1]), Line(interval, MUTED)], 0),
    ]


def _names(ends: list[Any]) -> list[Label]:
    """Of several forecasts on the same axes, the name and the numbers of each."""
    said: list[Label] = []
    for end, color, name in ends:
        lines = [Line(capital(name), color, True), Line(end.texts[0], color, True)]
        lines += [Line(f"{end.texts[1]} to {end.texts[2]}", MUTED)] if end.sides else []
        said.append((end.value, lines, 1))
    return said


def small_multiples(
    forecast: Any,
    locations: str | Iterable[str] | None = None,
    *,
    columns: int = 4,
    axes: NDArray[Any] | None = None,
    history: Any = None,
    bands: Sequence[float] = (0.5, 0.9),
    months: int = MONTHS,
) -> NDArray[Any]:
    """A small fan for each of several places, each on a scale of its own, from zero.

    Parameters
    ----------
    forecast : Forecast or DataFrame
        As for :func:`fan`.
    locations : str or iterable of str, optional
        Any names of places; default: all of the forecast.
    columns : int
        Fans beside one another, in a figure of its own.
    axes : array of Axes, optional
        Where to draw: as many as there are places, or more.
    history, bands, months
        As for :func:`fan`.

    Returns
    -------
    ndarray of Axes, shape (P,)
        One for each place, in their order.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(draws=100, seed=1)
    >>> [axes.get_title(loc="left") for axes in od.plot.small_multiples(forecast, ["Ohio", "WV"])]
    ['Ohio  ...', 'West Virginia  ...']
    """
    seen = _read(forecast, bands, history)
    there = list(dict.fromkeys(seen.table["location"].astype(str)))
    asked = [locations] if isinstance(locations, str) else locations
    named = there if asked is None else list(asked)
    places = list(dict.fromkeys(place_of(there, s, "this forecast") for s in named))
    if not places:
        raise DataError("locations is empty", hint="leave it out for all of them")
    if columns < 1:
        raise DataError(f"columns is {columns}: a row needs at least one")
    grid = _grid(len(places), columns) if axes is None else np.ravel(np.asarray(axes, dtype=object))
    if grid.size < len(places):
        raise DataError(
            f"{grid.size} axes for {len(places)} places", hint="give as many, or leave axes out"
        )
    for one, place in zip(grid, places):
        fan_of = _PlaceFan(seen, place, months)
        fan_of.draw(drawn_on(one), BLUE, "forecast")
        levels(one)
        of_time(one)
        end = fan_of.end()
        heading_of_part(one, joined(called(place), end.texts[0] if end else "", by="  "))
        describe(one, fan_of.sentence(None))
    if axes is None:
        said = f"{titled(seen.about.deaths)}\n{seen.marks(*places)}"
        over_all(grid[0].get_figure(), said, CAPTION)
    return grid[: len(places)].view(Grid)


def _grid(n: int, columns: int) -> NDArray[Any]:
    across = min(n, columns)
    down = -(-n // across)
    figure, first = canvas(max(3.2 * across, 5.4), 2.3 * down + 0.9)
    first.remove()
    grid: NDArray[Any] = figure.subplots(down, across, squeeze=False).ravel()
    for spare in grid[n:]:
        spare.remove()
    return grid[:n]


@dataclass(frozen=True)
class _Seen:
    """A forecast as its table, and what is to be said about it."""

    table: pd.DataFrame
    bands: tuple[float, ...]
    history: Any
    about: About
    forecast: Any

    def marks(self, *places: str) -> str:
        """What the marks of a fan are, and whose own counts it knew."""
        names = " and ".join(f"{100 * b:g}%" for b in self.bands)
        plural = "s" if len(self.bands) > 1 else ""
        with_bands = f", with its {names} interval{plural}" if self.bands else ""
        forecast = joined(f"forecast{with_bands}", own_words(self.forecast, *places))
        return f"Line: reported deaths. Blue: {forecast}."


def _read(forecast: Any, bands: Sequence[float], history: Any) -> _Seen:
    """A forecast as its table with the levels that the bands need."""
    wanted = tuple(sorted(float(b) for b in bands))
    if bad := [b for b in wanted if not 0 < b < 1]:
        raise DataError(f"bands holds {bad[0]:g}: an interval lies between 0 and 1, such as 0.9")
    needed = sorted({0.5, *(p for b in wanted for p in ((1 - b) / 2, (1 + b) / 2))})
    keywords = {} if isinstance(forecast, pd.DataFrame) else {"levels": needed}
    table = table_of(forecast, _COLUMNS, "the forecast", **keywords)
    held = np.unique(table["level"].to_numpy(dtype=float))
    for level in needed:
        if not np.isclose(held, level, atol=1e-9).any():
            raise DataError(
                f"the table has no level {level:g}, which a band needs",
                hint=f"it has {', '.join(f'{x:g}' for x in held)}: make it with to_frame(levels)",
            )
    if table.duplicated(["location", "month", "level"]).any():
        raise DataError("the table of the forecast has a month of a place twice",
                        hint="draw one forecast at a time")  # fmt: skip
    known = getattr(forecast, "panel", None) if history is None else history
    of = about(forecast, table)
    if of.deaths == "deaths":
        of = of._replace(deaths=about(history).deaths)
    return _Seen(table, wanted, known, of, forecast)


class _End(NamedTuple):
    """The last forecast of a fan: its median, its intervals, and both in words."""

    month: np.datetime64
    horizon: int
    value: float
    sides: list[tuple[float, float]]
    texts: tuple[str, ...]
    bands: tuple[float, ...]


class _PlaceFan:
    """One place: its known counts, and the quantiles ahead of them."""

    def __init__(self, seen: _Seen, place: str, months: int) -> None:
        self.seen, self.place = seen, place
        rows = rows_of(seen.table, place)
        wide = rows.pivot(index="month", columns="level", values="value")
        horizon = rows.drop_duplicates("month").set_index("month")["horizon"]
        self.horizon = horizon.reindex(wide.index).to_numpy(dtype=int)
        self.months = wide.index.to_numpy(dtype="datetime64[M]")
        self.levels = wide.columns.to_numpy(dtype=float)
        self.values = wide.to_numpy(dtype=float)
        self.last = np.datetime64(self.months[0] - int(self.horizon[0]) * ONE_MONTH, "M")
        parts = getattr(seen.forecast, "parts", None)
        known = None if seen.history is None else reported_of(seen.history, place, parts)
        if known is not None:
            when = months_in(known)
            known = known[(when <= self.last) & (when > self.last - months * ONE_MONTH)]
        self.known = known if known is not None and len(known) else None
        #: Counts of counties below 10 are not shown, neither known nor forecast.
        self.of_county = is_county(place)
        self.middle = self._column(0.5)

    def _column(self, level: float) -> int:
        return int(np.abs(self.levels - level).argmin())

    def _interval(self, row: int, band: float | None = None) -> tuple[float, float]:
        """The ends of an interval in a row, by default of the widest; NaN where there is none."""
        if not self.seen.bands:
            return float("nan"), float("nan")
        band = self.seen.bands[-1] if band is None else band
        low, high = (self.values[row, self._column((1 + s * band) / 2)] for s in (-1, 1))
        return float(low), float(high)

    def draw(self, axes: Any, color: str, name: str) -> None:
        """The known part, and the fan over what is not final yet and what is ahead."""
        if self.known is not None and "reported" not in axes.get_legend_handles_labels()[1]:
            counts = self.known["reported"].to_numpy(dtype=float)
            axes.plot(days(months_in(self.known)), counts, color=INK, lw=2, label="reported",
                      zorder=3)  # fmt: skip
        months, values = self._opening()
        # A file of curves holds its numbers: of a county, those below 10 are not drawn at all.
        floor = SMALL if self.of_county else -np.inf
        edges, line = np.maximum(values, floor), np.where(values < floor, np.nan, values)
        when, tested = days(months), months <= self.last + TESTED * ONE_MONTH
        later = ~tested | np.append(~tested[1:], False)
        for i, band in enumerate(self.seen.bands[::-1]):
            sides = [self._column((1 + s * band) / 2) for s in (-1, 1)]
            shade = (
                {"color": color, "alpha": 0.22}
                if color != BLUE
                else {"color": BAND50 if i else BAND90}
            )
            ends = (edges[tested, side] for side in sides)
            axes.fill_between(when[tested], *ends, lw=0, zorder=1.5, **shade)
            if later.any():
                axes.plot(when[later], line[later][:, sides], color=color, lw=0.8, ls=(0, (2, 2)))
        axes.plot(when[tested], line[tested, self.middle], color=color, lw=2.2, zorder=2.5,
                  label=literal(name))  # fmt: skip
        if later.any():
            axes.plot(when[later], line[later, self.middle], color=color, lw=2.2, ls=(0, (2, 1)))
        if self.of_county and self._has_small():
            axes.axhspan(0, SMALL, facecolor=GRID, edgecolor="#b4bac4", hatch="///", lw=0, zorder=5)

    def _has_small(self) -> bool:
        """Whether a count that is drawn, or hidden, lies below 10."""
        lowest = [float(np.min(self.values, initial=np.inf))]
        if self.known is not None:
            lowest.append(float(self.known["low" if "low" in self.known else "reported"].min()))
        return bool(np.nanmin(lowest) < SMALL)

    def _opening(self) -> tuple[Any, NDArray[np.float64]]:
        """Months and quantiles (K, Q), from the last known count or the first that is revised."""
        there = (self.horizon == 0).any() or not (self.horizon == 1).any()
        if there or self.known is None or months_in(self.known)[-1] != self.last:
            return self.months, self.values
        first = np.full((1, self.levels.size), float(self.known["reported"].iloc[-1]))
        ahead = self.horizon >= 1
        months = np.concatenate([[self.last], self.months[ahead]])
        return months, np.concatenate([first, self.values[ahead]])

    def marks(self) -> str:
        """What the marks are; of months that were never tested, that they were not."""
        beyond = self.months[-1] > self.last + TESTED * ONE_MONTH
        untested = f" Dashed: more than {TESTED} months ahead, not tested." if beyond else ""
        hidden = (
            f" Hatched: below {SMALL}, not shown." if self.of_county and self._has_small() else ""
        )
        return self.seen.marks(self.place) + untested + hidden

    def mark(self, axes: Any) -> None:
        """The highest count, and the last one with its expected final count."""
        known = self.known if self.known is None else self.known[self.known["reported"].notna()]
        if known is None or known.empty:
            return
        months, counts = months_in(known), known["reported"].to_numpy(dtype=float)
        across = width_of(axes, inner=True) / max(float(np.ptp(axes.get_xlim())), 1.0) * 30.4
        low, high = axes.get_ylim()
        up = height_of(axes) / (high - low)
        top, least, under = int(counts.argmax()), SMALL if self.of_county else 1, True
        if counts[-1] >= least or not self.of_county:
            around = (counts[-max(1, int(130 / across)) :] - counts[-1]) * up
            height = (counts[-1] - (max(low, SMALL) if self.of_county else low)) * up
            under = self._last(axes, (days(months[-1]), counts[-1]), around, height)
        if (counts.size - 1 - top) * across > (50 if under else 150) and counts[top] >= least:
            # The label stays clear of the edge, and of the label of the top line.
            edge = 100.0 if (high - counts[top]) * up < 28 else 2.0
            at, x = (days(months[top]), counts[top]), top * across
            axes.plot(*at, "o", color=INK, ms=5, zorder=4, gid="peak")
            shift, ha = (0.0, "center") if x >= edge + 65 else (max(edge - x, -4.0), "left")
            label(axes, f"{counts[top]:,.0f} in {month_name(months[top])}", at, (shift, 7), ha=ha)

    def _last(self, axes: Any, at: tuple[Any, float], around: Any, height: float) -> bool:
        """The last count, to when, and its expected final count; whether below the line."""
        count = at[1]
        lines = [Line(f"{count:,.0f} reported", bold=True), Line(f"to {month_name(at[0])}", MUTED)]
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
        return under

    def _final(self) -> tuple[float, str] | None:
        """The expected final value of the last count, and in words."""
        now = np.flatnonzero(self.horizon == 0)
        if not now.size or not np.isfinite(self.values[now[0]]).all():
            return None
        value, step = float(self.values[now[0], self.middle]), step_of(*self._interval(now[0]))
        return value, ranged(value, step) if self.of_county else rounded(value, step)

    def end(self) -> _End | None:
        """The last forecast and its intervals; of a county none below 10."""
        value = float(self.values[-1, self.middle])
        if not np.isfinite(value):
            return None
        sides = [self._interval(-1, band) for band in self.seen.bands]
        step = step_of(*self._interval(-1))
        number = ranged if self.of_county else rounded
        texts = tuple(number(x, step) for x in (value, *(sides[-1] if sides else ())))
        if self.of_county:  # what is not shown stands at the edge of what is
            value = max(value, SMALL)
            sides = [(max(low, SMALL), max(high, SMALL)) for low, high in sides]
        return _End(self.months[-1], int(self.horizon[-1]), value, sides, texts, self.seen.bands)

    def sentence(self, name: str | None) -> str:
        """The numbers shown, in a sentence."""
        parts = []
        if (last := self._last_known()) is not None:
            hidden = np.isnan(last["reported"])
            number = f"1 to {SMALL - 1}" if hidden else f"{last['reported']:,.0f}"
            parts.append(f"{number} reported for {month_name(last['month'])}")
        if (final := self._final()) is not None:
            parts.append(f"expected final count about {final[1]}")
        who, month, end = f"forecast by {name}" if name else "forecast", self.months[-1], self.end()
        if end is None:
            parts.append(f"no {who} for {month_name(month)}, for a count is hidden")
        else:
            interval = ranged_between if self.of_county else between
            said = f"{who} for {month_name(month)} {end.texts[0]}"
            if end.sides:
                said += f", {100 * end.bands[-1]:g}% interval {interval(*self._interval(-1))}"
            parts.append(said)
        of = self.seen.about
        lead = f"{capital(of.deaths)} in {in_place(self.place)}, 12 months ending"
        lead = joined(lead, of.seen, own_words(self.seen.forecast, self.place))
        return f"{lead}: {'; '.join(parts)}."

    def _last_known(self) -> Any:
        """The last row with a count, or the last one if that is suppressed."""
        if self.known is None:
            return None
        last = self.known.iloc[-1]
        if np.isnan(last["reported"]) and np.isfinite(last.get("high", np.nan)):
            return last
        there = self.known[self.known["reported"].notna()]
        return there.iloc[-1] if len(there) else None
