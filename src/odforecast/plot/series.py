"""Counts month by month: as published, forecast as fans, completed, and revised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from odforecast.errors import ArchiveError, DataError
from odforecast.geography import called
from odforecast.months import ONE_MONTH
from odforecast.plot.files import Grid, describe, finish
from odforecast.plot.frame import (
    About,
    about,
    in_place,
    is_county,
    joined,
    months_in,
    one_of,
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
    LEVEL,
    MUTED,
    ORANGE,
    PAPER,
    SMALL,
    TEXT,
    Head,
    Label,
    Line,
    axes_of,
    days,
    drawn_on,
    heading_of_part,
    height_of,
    label,
    legend,
    levels,
    literal,
    named,
    of_time,
    over_all,
    quiet,
    signed,
    text_width,
    width_of,
)
from odforecast.say import SMALL as TEN
from odforecast.say import (
    between,
    capital,
    day_name,
    month_name,
    ranged,
    ranged_between,
    rounded,
    step_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["counts", "fan", "nowcast", "revision_triangle", "small_multiples"]

#: Months of history before the forecast; months ahead that were tested against final counts; and
#: months of a nowcast, or of a release, that are shown.
MONTHS = 60
TESTED = 12
_NEWEST = 24
_TAIL = 18
#: Small fans, and small nowcasts, beside one another.
_FANS = 4
_ACROSS = 6
_QUANTILES = ("location", "month", "horizon", "level", "value")
_NOWCAST = ("location", "month", "reported", "low", "median", "high", "level")
_REVISION = ("revision", "revision_low", "revision_high")
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
    table = table_of(panel, ("location", "month", "reported"), name="counts")
    place = place_of(table["location"], location, name="this panel")
    rows = rows_of(table, place)
    rows = rows.assign(
        **{c: np.nan for c in ("predicted", "low", "high") if c not in rows}
    )
    reported, predicted = (rows[c].dropna() for c in ("reported", "predicted"))
    # Where a release lost its large counts there is a floor and no ceiling: nothing to draw.
    bounds = rows[["low", "high"]].astype(float)
    hidden = (rows["reported"].isna() & np.isfinite(bounds).all(axis=1)).to_numpy()
    if reported.empty and not hidden.any():
        raise DataError(
            f"no count of {called(place)} was published", hint="look at its status"
        )
    ax = drawn_on(axes)
    when = days(months_in(rows))
    labels = []
    ax.plot(
        when,
        rows["reported"],
        color=INK,
        lw=2,
        label="reported",
        zorder=3,
    )
    if len(reported):
        labels.append(named(reported.iloc[-1], "Reported"))
    if len(predicted):
        name = "CDC's predicted value"
        ax.plot(
            when,
            rows["predicted"],
            color=ORANGE,
            lw=1.4,
            ls="--",
            label=name,
        )
        labels.append(_predicted(predicted.iloc[-1] + 1e-6))
    if hidden.any():
        ax.vlines(when[hidden], *bounds[hidden].to_numpy().T, color=MUTED, lw=2)
    levels(ax)
    counted = about(panel, rows)
    note = " Gray bars: suppressed, between these." if hidden.any() else ""
    head = Head(
        titled(counted.deaths, place),
        f"Line: reported deaths.{note}",
        source=counted.source,
    )
    return finish(
        ax,
        head,
        said=f"{_lead(counted, place)}: {_counts_said(rows, hidden)}",
        labels=labels,
        time=True,
    )


def _predicted(value: float) -> Label:
    """The direct label of CDC's own value."""
    return float(value), [Line("CDC's predicted", ORANGE), Line("value", ORANGE)], 0


def _lead(counted: About, place: str, *parts: str) -> str:
    """What the numbers of an alt text are of."""
    return joined(
        f"{capital(counted.deaths)} in {in_place(place)}",
        "12 months ending",
        counted.day,
        *parts,
    )


def _counts_said(rows: pd.DataFrame, hidden: Any) -> str:
    reported = rows[rows["reported"].notna()]
    if reported.empty:
        return f"all {int(hidden.sum())} counts are suppressed."
    last = reported.iloc[-1]
    top = reported.iloc[int(reported["reported"].to_numpy().argmax())]
    parts = [f"{last['reported']:,.0f} reported for {month_name(last['month'])}"]
    if np.isfinite(last["predicted"]):
        parts.append(f"CDC's predicted value {last['predicted']:,.0f}")
    parts.append(f"the most {top['reported']:,.0f} in {month_name(top['month'])}")
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
    inputs = _read(forecast, bands, history=history)
    place = place_of(inputs.table["location"], location, name="this forecast")
    ax = drawn_on(axes)
    name = label or "forecast"
    fan_of = _PlaceFan(inputs, place, months=months)
    fan_of.draw(ax, color, name)
    levels(ax)
    ends = [*getattr(ax, _ENDS, ()), (fan_of.end(), color, name)]
    setattr(ax, _ENDS, ends)
    future: list[Any] = [
        each for each in ends if each[0] is not None and each[0].horizon > 0
    ]
    single = len(ends) == 1 and len(future) == 1
    labels = _end_labels(future[0], width_of(ax) < 480) if single else _names(future)
    head = Head(
        titled(inputs.about.deaths, place), fan_of.marks(), source=inputs.about.source
    )
    done = finish(
        ax,
        head,
        said=fan_of.sentence(label),
        labels=labels,
        gap=16 if single else 10,
        fixed=len(labels) // 2 if single else None,
    )
    fan_of.set_months(ax)
    if len(ends) == 1:
        fan_of.mark(ax)
    for old in [x for x in ax.lines if x.get_gid() == ".bracket"]:
        old.remove()
    if single:
        _bracket(ax, *future[0][:2])
    return done


def _bracket(axes: Any, end: _End, color: str) -> None:
    """The last forecast just beyond the edge, with its intervals: thin 90%, thick 50%."""
    from matplotlib.transforms import ScaledTranslation

    at = days([end.month, end.month])
    scale = axes.get_figure(root=True).dpi_scale_trans
    common = {
        "color": color,
        "transform": axes.transData + ScaledTranslation(7 / 72, 0, scale),
        "clip_on": False,
        "gid": ".bracket",
    }
    for i, sides in enumerate(end.sides[::-1]):
        axes.plot(at, sides, lw=3.5 if i else 1.5, solid_capstyle="butt", **common)
        if not i:
            axes.plot(at, sides, "_", ms=7, mew=1.5, **common)
    axes.plot(at[:1], [end.value], "o", ms=8, **common)


def _end_labels(entry: tuple[_End, str, str], narrow: bool) -> list[Label]:
    """The last forecast in bold, between both ends of its interval."""
    end, color, name = entry
    ahead = "" if narrow or name != "forecast" else f", {end.horizon} months"
    when = f"{end.month.item():%b %Y}" if narrow else month_name(end.month)
    title = name.capitalize() if name == "forecast" else name
    head = [Line(f"{title}{ahead}", color, bold=True), Line(f"to {when}", color)]
    middle = Line(end.texts[0], color, bold=True, size=17 if narrow else 20)
    if not end.sides:
        return [(end.value, [*head, middle], 2)]
    low, high = end.sides[-1]
    interval = f"{100 * end.bands[-1]:g}% interval"
    return [
        (high, [*head, Line(end.texts[2])], 2),
        (end.value, [middle], 0),
        (low, [Line(end.texts[1]), Line(interval, MUTED)], 0),
    ]


def _names(ends: list[Any]) -> list[Label]:
    """Of several forecasts on the same axes, the name and the numbers of each."""
    labels: list[Label] = []
    for end, color, name in ends:
        lines = [
            Line(capital(name), color, bold=True),
            Line(end.texts[0], color, bold=True),
        ]
        if end.sides:
            lines.append(Line(" to ".join(end.texts[1:]), MUTED))
        labels.append((end.value, lines, 1))
    return labels


def small_multiples(
    forecast: Any,
    locations: str | Iterable[str] | None = None,
    *,
    axes: NDArray[Any] | None = None,
    bands: Sequence[float] = (0.5, 0.9),
) -> NDArray[Any]:
    """A small fan for each of several places, each on a scale of its own, from zero.

    Parameters
    ----------
    forecast : Forecast or DataFrame
        As for :func:`fan`.
    locations : str or iterable of str, optional
        Any names of places; default: all of the forecast.
    axes : array of Axes, optional
        Where to draw: as many as there are places, or more.
    bands : sequence of float
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
    inputs = _read(forecast, bands, history=None)
    places_forecast = list(dict.fromkeys(inputs.table["location"].astype(str)))
    asked = [locations] if isinstance(locations, str) else locations
    names = places_forecast if asked is None else list(asked)
    places = list(
        dict.fromkeys(place_of(places_forecast, s, name="this forecast") for s in names)
    )
    if not places:
        raise DataError("locations is empty", hint="leave it out for all of them")
    n = len(places)
    across = min(len(places), _FANS)
    size = max(3.2 * across, 5.4), 2.3 * -(-n // across) + 1.3
    grid = axes_of(n, across, size=size) if axes is None else list(np.ravel(axes))
    if len(grid) < n:
        raise DataError(
            f"{len(grid)} axes for {n} places", hint="give as many, or leave axes out"
        )
    for one, place in zip(grid, places):
        fan_of = _PlaceFan(inputs, place, months=MONTHS)
        fan_of.draw(quiet(one), BLUE, "forecast")
        levels(one)
        fan_of.set_months(one)
        end = fan_of.end()
        heading_of_part(
            one, joined(called(place), end.texts[0] if end else "", by="  ")
        )
        describe(one, fan_of.sentence(None))
    if axes is None:
        number = f"Number: {month_name(fan_of.months[-1])}."
        heading = (
            titled(inputs.about.deaths),
            f"{inputs.marks(*places)} {number}",
            inputs.about.source,
        )
        over_all(grid[0].get_figure(), "\n".join(filter(None, heading)), size=CAPTION)
    return np.array(grid[:n], dtype=object).view(Grid)


@dataclass(frozen=True)
class _Inputs:
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


def _read(forecast: Any, bands: Sequence[float], history: Any) -> _Inputs:
    """A forecast as its table with the levels that the bands need."""
    widths = tuple(sorted(float(b) for b in bands))
    if bad := [b for b in widths if not 0 < b < 1]:
        raise DataError(
            f"bands holds {bad[0]:g}: an interval lies between 0 and 1, such as 0.9"
        )
    needed = sorted({0.5, *((1 + s * b) / 2 for b in widths for s in (-1, 1))})
    keywords = {} if isinstance(forecast, pd.DataFrame) else {"levels": needed}
    table = table_of(forecast, _QUANTILES, "the forecast", **keywords)
    stored = np.unique(table["level"].to_numpy(dtype=float))
    for level in needed:
        if not np.isclose(stored, level, atol=1e-9).any():
            raise DataError(
                f"the table has no level {level:g}, which a band needs",
                hint=f"it has {', '.join(f'{x:g}' for x in stored)}: make it with to_frame(levels)",
            )
    if table.duplicated(["location", "month", "level"]).any():
        raise DataError(
            "the table of the forecast has a month of a place twice",
            hint="draw one forecast at a time",
        )
    return _Inputs(
        table,
        widths,
        history=_panel(forecast, history),
        about=_of(forecast, history, table=table),
        forecast=forecast,
    )


def _panel(forecast: Any, history: Any) -> Any:
    """The counts before a forecast: those given, or its own."""
    return getattr(forecast, "panel", None) if history is None else history


def _of(forecast: Any, history: Any, table: pd.DataFrame | None = None) -> About:
    """What is said of a forecast; a table alone does not know which deaths it is of."""
    described = about(forecast, table)
    return (
        described._replace(deaths=about(history).deaths)
        if described.deaths == "deaths"
        else described
    )


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

    def __init__(self, inputs: _Inputs, place: str, months: int) -> None:
        self.inputs = inputs
        self.place = place
        rows = rows_of(inputs.table, place)
        wide = rows.pivot(
            index="month",
            columns="level",
            values="value",
        )
        horizon = rows.drop_duplicates("month").set_index("month")["horizon"]
        self.horizon = horizon.reindex(wide.index).to_numpy(dtype=int)
        self.months = wide.index.to_numpy(dtype="datetime64[M]")
        self.levels = wide.columns.to_numpy(dtype=float)
        self.values = wide.to_numpy(dtype=float)
        self.last = np.datetime64(
            self.months[0] - int(self.horizon[0]) * ONE_MONTH, "M"
        )
        parts = getattr(inputs.forecast, "parts", None)
        reported = (
            None
            if inputs.history is None
            else reported_of(inputs.history, place, parts=parts)
        )
        if reported is not None:
            when = months_in(reported)
            reported = reported[
                (when <= self.last) & (when > self.last - months * ONE_MONTH)
            ]
        self.known = reported if reported is not None and len(reported) else None
        #: Counts of counties below 10 are not shown, neither known nor forecast.
        self.of_county = is_county(place)
        self.least = TEN if self.of_county else -np.inf
        self.number = ranged if self.of_county else rounded
        lowest = [float(np.min(self.values, initial=np.inf))]
        if self.known is not None:
            lowest.append(
                float(self.known["low" if "low" in self.known else "reported"].min())
            )
        #: Whether a count that is drawn, or hidden, is one of these.
        self.small = self.of_county and bool(np.nanmin(lowest) < TEN)
        self.middle = self._column(0.5)

    def _column(self, level: float) -> int:
        return int(np.abs(self.levels - level).argmin())

    def _sides(self, band: float) -> list[int]:
        """The columns of both ends of an interval."""
        return [self._column((1 + s * band) / 2) for s in (-1, 1)]

    def _widest(self, row: int) -> tuple[float, float]:
        """The ends of the widest interval in a row; NaN where there is none."""
        if not self.inputs.bands:
            return float("nan"), float("nan")
        low, high = self.values[row, self._sides(self.inputs.bands[-1])]
        return float(low), float(high)

    def draw(self, axes: Any, color: str, name: str) -> None:
        """The known part, and the fan over what is not final yet and what is ahead."""
        if (
            self.known is not None
            and "reported" not in axes.get_legend_handles_labels()[1]
        ):
            axes.plot(
                days(months_in(self.known)),
                self.known["reported"].to_numpy(dtype=float),
                color=INK,
                lw=2,
                label="reported",
                zorder=3,
            )
        months, values = self._opening()
        # A file of curves holds its numbers: of a county, those below 10 are not drawn at all.
        edges = np.maximum(values, self.least)
        line = np.where(values < self.least, np.nan, values)
        when = days(months)
        tested = months <= self.last + TESTED * ONE_MONTH
        later = ~tested | np.append(~tested[1:], False)
        for i, band in enumerate(self.inputs.bands[::-1]):
            sides = self._sides(band)
            blue = color == BLUE
            axes.fill_between(
                when[tested],
                *edges[tested][:, sides].T,
                lw=0,
                zorder=1.5,
                color=(BAND50 if i else BAND90) if blue else color,
                alpha=None if blue else 0.22,
            )
            if later.any():
                axes.plot(
                    when[later],
                    line[later][:, sides],
                    color=color,
                    lw=0.8,
                    ls=(0, (2, 2)),
                )
        axes.plot(
            when[tested],
            line[tested, self.middle],
            color=color,
            lw=2.2,
            zorder=2.5,
            label=literal(name),
        )
        if later.any():
            axes.plot(
                when[later],
                line[later, self.middle],
                color=color,
                lw=2.2,
                ls=(0, (2, 1)),
            )
        if self.small:
            axes.axhspan(
                0, TEN, facecolor=GRID, edgecolor="#b4bac4", hatch="///", lw=0, zorder=5
            )

    def set_months(self, axes: Any) -> None:
        """The axis of months; the line begins beside the numbers of the levels, if it meets one."""
        margin = 0.0
        reported = self.known
        if reported is not None:
            counts, (low, high) = (
                reported["reported"].to_numpy(dtype=float),
                axes.get_ylim(),
            )
            months = counts.size + int(self.horizon[-1])
            for text in (x for x in axes.texts if x.get_gid() == LEVEL):
                wide = text_width(text.get_text(), TEXT) + 4
                near = counts[: 1 + int(wide * months / width_of(axes, inner=True))]
                above = (near - text.xy[1]) * height_of(axes) / (high - low)
                if ((above > 0) & (above < 1.5 * TEXT)).any():
                    margin = max(margin, wide)
        of_time(axes, margin)

    def _opening(self) -> tuple[Any, NDArray[np.float64]]:
        """Months and quantiles (K, Q), from the last known count or the first that is revised."""
        opens = (self.horizon == 0).any() or not (self.horizon == 1).any()
        if opens or self.known is None or months_in(self.known)[-1] != self.last:
            return self.months, self.values
        first = np.full((1, self.levels.size), float(self.known["reported"].iloc[-1]))
        ahead = self.horizon >= 1
        months = np.concatenate([[self.last], self.months[ahead]])
        return months, np.concatenate([first, self.values[ahead]])

    def marks(self) -> str:
        """What the marks are; of months that were never tested, that they were not."""
        beyond = self.months[-1] > self.last + TESTED * ONE_MONTH
        untested = (
            f"Dashed: more than {TESTED} months ahead, not tested." if beyond else ""
        )
        hidden = f"Hatched: below {TEN}, not shown." if self.small else ""
        return joined(self.inputs.marks(self.place), untested, hidden, by=" ")

    def mark(self, axes: Any) -> None:
        """The highest count, and the last one with its expected final count."""
        reported = (
            self.known if self.known is None else self.known.dropna(subset="reported")
        )
        if reported is None or reported.empty:
            return
        months = months_in(reported)
        counts = reported["reported"].to_numpy(dtype=float)
        across = (
            width_of(axes, inner=True) / max(float(np.ptp(axes.get_xlim())), 1.0) * 30.4
        )
        low, high = axes.get_ylim()
        up = height_of(axes) / (high - low)
        top = int(counts.argmax())
        under = True
        if counts[-1] >= self.least:
            around = (counts[-max(1, int(130 / across)) :] - counts[-1]) * up
            height = (counts[-1] - max(low, self.least)) * up
            under = self._last(
                axes, (days(months[-1]), counts[-1]), around=around, height=height
            )
        least = max(self.least, 1)
        if (counts.size - 1 - top) * across > (50 if under else 150) and counts[
            top
        ] >= least:
            # The label stays clear of the edge, and of the label of the top line.
            edge = 100.0 if (high - counts[top]) * up < 20 else 2.0
            at = (days(months[top]), counts[top])
            x = top * across
            axes.plot(
                *at,
                "o",
                color=INK,
                ms=5,
                zorder=4,
                gid="peak",
            )
            shift, ha = (
                (0.0, "center") if x >= edge + 65 else (max(edge - x, -4.0), "left")
            )
            label(
                axes,
                f"{counts[top]:,.0f} in {month_name(months[top])}",
                at=at,
                shift=(shift, 7),
                ha=ha,
            )

    def _last(
        self, axes: Any, at: tuple[Any, float], around: Any, height: float
    ) -> bool:
        """The last count, to when, and its expected final count; whether below the line."""
        count = at[1]
        lines = [
            Line(f"{count:,.0f} reported", bold=True),
            Line(f"to {month_name(at[0])}", MUTED),
        ]
        if (final := self._final()) is not None:
            value, text = final
            near = text == rounded(count) or abs(value - count) < 0.004 * count
            lines.append(
                Line("almost final" if near else f"about {text} when final", MUTED)
            )
            axes.plot(
                at[0],
                value,
                "o",
                color=BLUE,
                mfc=PAPER,
                mew=1.5,
                ms=8,
                zorder=3.5,
                gid="final",
            )
        axes.plot(
            *at,
            "o",
            color=INK,
            ms=7,
            zorder=4,
            gid="reported",
        )
        step = 1.33 * TEXT
        tall = 1.33 * TEXT * len(lines) + 4
        drop = min(62.0, height - tall)
        under = drop > 14 and float(around.min()) > -drop + 6
        if not under:
            drop = 24.0 + max(0.0, float(around.max()))
        axes.annotate(
            "",
            at,
            (0, -drop if under else drop),
            textcoords="offset points",
            zorder=3,
            arrowprops={
                "arrowstyle": "-",
                "color": MUTED,
                "lw": 1,
                "shrinkA": 0,
                "shrinkB": 7,
            },
        )
        y = -drop - 2 if under else drop + tall - 2
        for line in lines:
            y -= step
            label(
                axes,
                line.text,
                at=at,
                shift=(5, y + 3),
                color=line.color,
                bold=line.bold,
                ha="right",
                va="baseline",
            )
        return under

    def _final(self) -> tuple[float, str] | None:
        """The expected final value of the last count, and in words."""
        rows = np.flatnonzero(self.horizon == 0)
        if not rows.size or not np.isfinite(self.values[rows[0]]).all():
            return None
        value = float(self.values[rows[0], self.middle])
        return value, self.number(value, step_of(*self._widest(rows[0])))

    def end(self) -> _End | None:
        """The last forecast and its intervals; of a county none below 10."""
        value = float(self.values[-1, self.middle])
        if not np.isfinite(value):
            return None
        ends = self._widest(-1)
        step = step_of(*self._widest(-1))
        texts = (
            self.number(x, step) for x in (value, *(ends if self.inputs.bands else ()))
        )
        # What is not shown stands at the edge of what is.
        values = np.maximum(self.values[-1], self.least)
        sides = [
            tuple(map(float, values[self._sides(band)])) for band in self.inputs.bands
        ]
        return _End(
            self.months[-1],
            int(self.horizon[-1]),
            value=float(max(value, self.least)),
            sides=sides,  # type: ignore[arg-type]
            texts=tuple(texts),
            bands=self.inputs.bands,
        )

    def sentence(self, name: str | None) -> str:
        """The numbers shown, in a sentence."""
        parts = []
        if (last := self._last_known()) is not None:
            hidden = np.isnan(last["reported"])
            number = f"1 to {TEN - 1}" if hidden else f"{last['reported']:,.0f}"
            parts.append(f"{number} reported for {month_name(last['month'])}")
        if (final := self._final()) is not None:
            parts.append(f"expected final count about {final[1]}")
        who = f"forecast by {name}" if name else "forecast"
        month = self.months[-1]
        end = self.end()
        if end is None:
            parts.append(f"no {who} for {month_name(month)}, for a count is hidden")
        else:
            interval = ranged_between if self.of_county else between
            text = f"{who} for {month_name(month)} {end.texts[0]}"
            if end.sides:
                text += (
                    f", {100 * end.bands[-1]:g}% interval {interval(*self._widest(-1))}"
                )
            parts.append(text)
        own_note = own_words(self.inputs.forecast, self.place)
        return f"{_lead(self.inputs.about, self.place, own_note)}: {'; '.join(parts)}."

    def _last_known(self) -> Any:
        """The last row with a count, or the last one if that is suppressed."""
        if self.known is None:
            return None
        last = self.known.iloc[-1]
        if np.isnan(last["reported"]) and np.isfinite(last.get("high", np.nan)):
            return last
        reported = self.known[self.known["reported"].notna()]
        return reported.iloc[-1] if len(reported) else None


# The last counts, completed


def nowcast(
    forecast: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    history: Any = None,
    kind: str = "counts",
) -> Axes:
    """The last counts of one place: as reported, expected final, and as CDC predicts them.

    Parameters
    ----------
    forecast : Forecast or DataFrame
        A forecast whose model knows the delay, or its table (``forecast.nowcast()``).
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
    history : Panel or DataFrame, optional
        Counts before them (``location``, ``month``, ``reported``). Default: the forecast's panel.
    kind : {"counts", "revision"}
        The counts; or what each is above the reported count, where small revisions can be seen.

    Returns
    -------
    Axes
        Deaths in the 12 months ending; the axis does not begin at zero, for revisions are small
        beside the counts.

    Raises
    ------
    ForecastError
        If the model takes published counts as they are.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model().fit(panel).forecast(draws=100)
    >>> od.plot.nowcast(forecast, "Ohio").get_title(loc="left")
    'Drug overdose deaths, expected final counts, Ohio'
    """
    one_of(kind, ("counts", "revision"), name="kind")
    table = (
        forecast.nowcast() if callable(getattr(forecast, "nowcast", None)) else forecast
    )
    columns = _REVISION if kind == "revision" else ()
    table = table_of(table, (*_NOWCAST, *columns), name="the nowcast")
    place = place_of(table["location"], location, name="this nowcast")
    rows: pd.DataFrame = table[table["location"].astype(str) == place]
    ax = drawn_on(axes)
    before = _before(
        rows, _panel(forecast, history), parts=getattr(forecast, "parts", None)
    )
    ends = _draw_nowcast(ax, rows, kind=kind, before=before)
    described = _of(forecast, history)
    own_note = own_words(forecast, place)
    what, below = {
        "counts": (
            "expected final counts",
            ". Dots: as reported. Blue: final count, with interval.",
        ),
        "revision": (
            "how much the last counts will rise",
            ", minus the reported count. Band: the interval.",
        ),
    }[kind]
    title = f"{capital(described.deaths)}, {what}, {called(place)}"
    below = f"12 months ending each month{below}{f' {capital(own_note)}.' if own_note else ''}"
    sentence = _nowcast_said(
        rows, place, deaths=described.deaths, seen=joined(described.day, own_note)
    )
    return finish(
        ax,
        Head(title, below, source=described.source),
        said=sentence,
        labels=ends,
        time=True,
        margin=60,
    )


def nowcast_figure(
    table: pd.DataFrame,
    history: pd.DataFrame | None = None,
    indicator: str | None = None,
    given: str = "",
) -> Figure:
    """The last counts of some places, from ``forecast.nowcast()``, for the command line.

    One location has two panels: the counts, and below them the same minus the reported count,
    where small revisions can be seen. Several have a panel of counts each. A table does not know
    which deaths it counts, nor which own counts it rests on: ``indicator`` and ``given`` say so.
    """
    table_of(table, _NOWCAST, name="the nowcast")
    deaths = about(table, indicator=indicator).deaths
    places = [str(s) for s in dict.fromkeys(table["location"])]
    n = len(places)
    single = len(places) == 1
    across = n if n <= 3 else min(int(np.ceil(n**0.5)), _ACROSS)
    size = (10.5, 7.4) if single else (4.2 * across + 0.4, 3.0 * -(-n // across) + 0.9)
    grid = axes_of(2 if single else n, across, size=size, sharex=single)
    for axes, place in zip(grid, places):
        rows = table[table["location"] == place]
        _draw_nowcast(axes, rows, kind="counts", before=_before(rows, history))
        heading_of_part(axes, called(place))
        describe(axes, _nowcast_said(rows, place, deaths=deaths))
    if single:
        _draw_nowcast(grid[1], table, kind="revision", before=table)
        heading_of_part(grid[1], "Revision: final minus reported count")
    for axes in grid:
        of_time(axes, 60)
    figure: Figure = grid[0].get_figure()
    over_all(figure, joined(titled(deaths), given), size=TEXT + 2)
    legend(*grid)
    return figure


def _before(rows: pd.DataFrame, history: Any, parts: Any = None) -> pd.DataFrame:
    """Reported counts of a place in the last months."""
    place = str(rows["location"].iloc[0])
    reported: pd.DataFrame | None = (
        None if history is None else reported_of(history, place, parts=parts)
    )
    first = rows["month"].max() - pd.DateOffset(months=_NEWEST - 1)
    return rows if reported is None else reported[reported["month"] >= first]


def _draw_nowcast(
    axes: Any, rows: pd.DataFrame, kind: str, before: pd.DataFrame
) -> list[Label]:
    """The counts, or the same minus the reported count, where what is revised can be seen."""
    counts = kind == "counts"
    middle, low, high = ("median", "low", "high") if counts else _REVISION
    less: Any = 0 if counts else rows["reported"]
    when = days(months_in(rows))
    axes.axvspan(
        when[0],
        when[-1],
        color=GRID,
        alpha=0.5,
        lw=0,
        zorder=0,
    )
    interval = f"final count: {100 * float(rows['level'].iloc[0]):g}% interval"
    axes.fill_between(
        when,
        rows[low],
        rows[high],
        color=BAND90,
        lw=0,
        label=interval,
    )
    axes.plot(
        when,
        rows[middle],
        color=BLUE,
        lw=2,
        label="final count: median",
    )
    ends = [named(rows[middle].iloc[-1], "Once final", BLUE)]
    rest = (
        ("predicted", "--", "CDC's predicted value", ("CDC's predicted", "value")),
        (
            "predicted_unbiased",
            ":",
            "CDC's, minus its usual excess",
            ("CDC's, minus its", "usual excess"),
        ),
    )
    for name, style, words, lines in rest[: 1 if counts else 2]:
        if name in rows and rows[name].notna().any():
            values = rows[name] - less
            axes.plot(
                when,
                values,
                color=ORANGE,
                lw=1.3,
                ls=style,
                label=words,
                zorder=1.9,
            )
            ends.append(
                (float(values.dropna().iloc[-1]), [Line(x, ORANGE) for x in lines], 0)
            )
    if counts:
        axes.plot(
            days(months_in(before)),
            before["reported"],
            "o",
            color=INK,
            ms=5,
            label="reported",
            zorder=3,
        )
        ends.append(named(before["reported"].dropna().iloc[-1], "Reported"))
        levels(axes, from_zero=False)
    else:
        axes.axhline(0, color=INK, lw=0.8)
        levels(axes, signed("+,.0f"), from_zero=False)
    return ends


def _nowcast_said(rows: pd.DataFrame, place: str, deaths: str, seen: str = "") -> str:
    last = rows.sort_values("month").iloc[-1]
    count = f"{last['reported']:,.0f}" if np.isfinite(last["reported"]) else "no count"
    parts = [f"{count} reported for {month_name(last['month'])}"]
    low = float(last["low"])
    high = float(last["high"])
    if np.isfinite([low, high]).all():
        parts.append(
            f"expected final count {rounded(float(last['median']), step_of(low, high))}, "
            f"{100 * float(last['level']):g}% interval {between(low, high)}"
        )
    if "predicted" in rows and np.isfinite(last["predicted"]):
        parts.append(f"CDC's predicted value {last['predicted']:,.0f}")
    return f"{joined(f'Nowcast of {deaths} in {in_place(place)}', seen)}: {'; '.join(parts)}."


# Every release over the newest


def revision_triangle(
    revisions: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    kind: str = "counts",
    settled: int = 12,
) -> Axes:
    """How the counts of one place were revised: every release over the newest.

    Parameters
    ----------
    revisions : Revisions or DataFrame
        ``archive.revisions(...)``; or its table: ``location``, ``month``, ``release``,
        ``reported``.
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
    kind : {"counts", "percent"}
        The last 18 months of each release as they were published; or how far each count was from
        the newest release's, by its age.
    settled : int
        Months from the end of a period until the newest release's count is taken as final.

    Raises
    ------
    ArchiveError
        If there are not two releases with counts of the place.

    Examples
    --------
    >>> import pandas as pd
    >>> import odforecast as od
    >>> table = pd.DataFrame({
    ...     "location": "US", "month": pd.to_datetime(["2024-01-01"] * 2 + ["2024-02-01"]),
    ...     "release": pd.to_datetime(["2024-06-12", "2025-09-17", "2025-09-17"]),
    ...     "reported": [990.0, 1000.0, 1010.0],
    ... })
    >>> print(od.plot.alt_text(od.plot.revision_triangle(table)))
    Revisions of deaths in the United States, 2 releases, June 12, 2024 to September 17, 2025:
    January 2024 was first 990, and is 1,000 in the newest.
    """
    one_of(kind, ("counts", "percent"), name="kind")
    values, releases, months, place = _triangle(revisions, location)
    has = np.flatnonzero((~np.isnan(values)).any(axis=1))
    if has.size < 2:
        raise ArchiveError(
            f"{has.size} release with counts of {called(place)}: nothing was revised",
            hint="add releases: odforecast data add FILE... --archive DIR",
        )
    values = values[has]
    releases = [releases[i] for i in has]
    ax = drawn_on(axes)
    deaths = about(revisions).deaths
    if kind == "counts":
        _releases(ax, values, releases=releases, months=months)
        below = f"The last {_TAIL} months of each release, over the line of the newest."
    else:
        _percent(ax, values, releases=releases, months=months, settled=settled)
        below = f"Each release against the count reported on {day_name(releases[-1].item())}."
    title = f"{capital(deaths)} in the 12 months ending each month: revisions, {called(place)}"
    sentence = _revised(values, releases, months=months, place=place, deaths=deaths)
    return finish(
        ax, Head(title, below), said=sentence, time=kind == "counts", margin=60
    )


def _triangle(
    revisions: Any, location: str | None
) -> tuple[Any, list[np.datetime64], Any, str]:
    """Counts (R, M) of one place, the days of the releases, and the months."""
    if callable(getattr(revisions, "triangle", None)):
        place = place_of(revisions.locations, location, name="these revisions")
        table = revisions.triangle(place)
    else:
        long = table_of(
            revisions, ("location", "month", "release", "reported"), name="revisions"
        )
        place = place_of(long["location"], location, name="this table")
        rows = long[long["location"].astype(str) == place]
        if rows.duplicated(["release", "month"]).any():
            raise DataError(f"{called(place)} has a month of a release twice")
        table = rows.pivot(
            index="release",
            columns="month",
            values="reported",
        ).sort_index()
    days_of = [np.datetime64(d, "D") for d in table.index.to_numpy()]
    months = table.columns.to_numpy(dtype="datetime64[M]")
    return table.to_numpy(dtype=float), days_of, months, place


def _releases(
    axes: Any, values: Any, releases: list[np.datetime64], months: Any
) -> None:
    when = days(months)
    last = len(releases) - 1
    axes.plot(
        when,
        values[-1],
        color=INK,
        lw=1.2,
        zorder=1,
    )  # under all others
    # Of many releases the legend names the first, the last, and some between.
    step = 1 if len(releases) <= 10 else -(-len(releases) // 8)
    for r, (color, day) in enumerate(zip(_shades(len(releases)), releases)):
        columns = np.flatnonzero(~np.isnan(values[r]))
        tail = columns[-_TAIL:]
        axes.plot(when[tail], values[r, tail], color=color, lw=1.4)
        name = (
            f"{day} (the line)"
            if r == last
            else f"{day}"
            if r % step == 0
            else f"_{day}"
        )
        axes.plot(
            when[columns[-1]],
            values[r, columns[-1]],
            "o",
            color=color,
            ms=5,
            label=name,
        )
    levels(axes, from_zero=False)
    legend(
        axes,
        title="release",
        title_fontsize=SMALL,
        alignment="left",
    )


def _percent(
    axes: Any,
    values: Any,
    releases: list[np.datetime64],
    months: Any,
    settled: int,
) -> None:
    published = np.array(releases, dtype="datetime64[M]")[:, None]
    ages = (published - months[None, :].astype("datetime64[M]")).astype(int)
    final = np.where(ages[-1] >= settled, values[-1], np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = 100 * (values / final - 1)
    off[~np.isfinite(off)] = np.nan
    for r, color in enumerate(_shades(len(releases))[:-1]):
        old = np.flatnonzero(~np.isnan(off[r]))
        if old.size:
            axes.plot(ages[r, old], off[r, old], color=color, lw=1.2)
            axes.plot(ages[r, old[-1]], off[r, old[-1]], "o", color=color, ms=5)
    axes.axhline(0, color=INK, lw=0.8)
    levels(axes, signed("+.3g", "%"), unit="from final", from_zero=False)
    axes.set_xlim(0, 36)
    axes.set_xticks(range(0, 37, 6))
    axes.set_xlabel("months from the end of the 12-month period to the release")


def _shades(n: int) -> Any:
    """From old to new, dark to light; viridis keeps its order without color."""
    from matplotlib import colormaps

    return colormaps["viridis"](np.linspace(0.05, 0.85, n))


def _revised(
    values: Any,
    releases: list[np.datetime64],
    months: Any,
    place: str,
    deaths: str,
) -> str:
    period = " to ".join(day_name(day.item()) for day in (releases[0], releases[-1]))
    lead = f"Revisions of {deaths} in {in_place(place)}, {len(releases)} releases, {period}"
    # The last month of the oldest release that the newest still has.
    in_both = np.flatnonzero(~np.isnan(values[0]) & ~np.isnan(values[-1]))
    if not in_both.size:
        return f"{lead}: they have no month in common."
    m = in_both[-1]
    return (
        f"{lead}: {month_name(months[m])} was first {values[0, m]:,.0f}, and is "
        f"{values[-1, m]:,.0f} in the newest."
    )
