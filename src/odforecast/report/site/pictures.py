"""Pictures of counts over time: the fan, past forecasts, and the nowcast."""

from __future__ import annotations

import numpy as np

from odforecast.forecast import Forecast
from odforecast.forecast.tables import layer_of, published_on
from odforecast.geography import called
from odforecast.months import ONE_MONTH, Months
from odforecast.panel import Floats, Panel
from odforecast.report.site.drawing import HEIGHT, Drawing, Frame, Shape, number, shape
from odforecast.report.site.past import PastForecasts, ends_held
from odforecast.say import between, day_name, month_name, rounded, step_of

#: Months drawn before the last known one.
HISTORY = 72
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_UNIT = "deaths in 12 months, ending in the month below"


def fan(forecast: Forecast, location: str, later: Panel | None = None) -> Drawing:
    """Known counts, and the forecast after them with its intervals.

    Parameters
    ----------
    forecast : Forecast
    location : str
        One of its codes.
    later : Panel, optional
        A later release: the same counts as they are known now, in grey.
    """
    one = forecast.select(location)
    months, known = _known(one)
    low, q25, middle, q75, high = one.quantiles(_LEVELS)[:, 0]
    first = max(one.last_month - HISTORY * ONE_MONTH, months[0])
    recent = months >= first
    months, known = months[recent], known[recent]
    now_months, now = _later(later, location, first)
    top = _top(known, high, now)
    frame = Frame(first, max(one.months[-1], _end(now_months)), 0.0, top, _UNIT)
    shapes = [
        *frame.axes(),
        *frame.band(one.months, low, high, "band wide-band"),
        *frame.band(one.months, q25, q75, "band"),
        *frame.line(now_months, now, "now"),
        *frame.line(one.months, middle, "middle-line"),
        *frame.line(months, known, "known"),
        frame.upright(one.last_month, "eve"),
        _label(frame, one.last_month, f"known to {_short(one.last_month)}"),
    ]
    nowcast = bool((one.horizons <= 0).any())
    caption = (
        f"Black: as published by {day_name(published_on(one))}. Blue: the forecast, its middle "
        "value and intervals of 50% and 90%"
        + (", and what the last published counts will be once final." if nowcast else ".")
    )
    if later is not None:
        caption += f" Grey: as known in the release of {day_name(later.release)}."
    name = called(location)
    return Drawing(
        f"{name}: counts so far and forecast", _said(one, months, known), shapes, caption,
        key=f"fan-{_word(location)}",
    )  # fmt: skip


def _said(one: Forecast, months: Months, known: Floats) -> str:
    """The fan in a sentence."""
    parts = []
    there = np.flatnonzero(np.isfinite(known))
    if there.size:
        k = there[-1]
        parts.append(
            f"{known[k]:,.0f} deaths reported for the 12 months to {month_name(months[k])}"
        )
    near = np.flatnonzero(one.horizons <= 12)
    for k in dict.fromkeys([int(near[-1]) if near.size else -1, one.months.size - 1]):
        low, middle, high = one.quantiles([0.05, 0.5, 0.95])[:, 0, k]
        if np.isfinite([low, high]).all():
            step = step_of(low, high)
            parts.append(
                f"about {rounded(middle, step)} forecast for those to {month_name(one.months[k])} "
                f"(90% interval {between(low, high, step)})"
            )
    return f"{'; '.join(parts)}." if parts else "No count is known."


def past(location: str, made: PastForecasts, now: Panel) -> Drawing | None:
    """Past forecasts as arrows from what was known when they were made, and what came.

    Parameters
    ----------
    location : str
    made : PastForecasts
        Of this place.
    now : Panel
        Counts as they are known now, in grey.
    """
    if not made.arrows:
        return None
    first = min(a.last_month for a in made.arrows) - 12 * ONE_MONTH
    months, counts = _later(now, location, first)
    ends = [a.months[-1] for a in made.arrows]
    highs = np.array([a.high[-1] for a in made.arrows])
    starts = np.array([a.known for a in made.arrows])
    middles = np.concatenate([a.median for a in made.arrows])
    frame = Frame(first, max(*ends, _end(months)), 0.0, _top(counts, highs, starts, middles), _UNIT)
    shapes = [*frame.axes(), *frame.line(months, counts, "now")]
    for arrow in made.arrows:
        end = float(frame.x(arrow.months[-1]))
        y = [float(frame.y(v)) for v in (arrow.low[-1], arrow.high[-1])]
        known = f"{arrow.known:,.0f}" if np.isfinite(arrow.known) else "no count shown"
        said = (
            f"known to {_short(arrow.last_month)}: {known}; said for "
            f"{_short(arrow.months[-1])}: {arrow.median[-1]:,.0f} "
            f"({between(arrow.low[-1], arrow.high[-1])})"
        )
        shapes.append(shape("line", "whisker", x1=end, x2=end, y1=y[0], y2=y[1]))
        path = np.concatenate([[arrow.known], arrow.median])
        along = np.concatenate([[arrow.last_month], arrow.months])
        shapes += frame.line(along, path, "arrow")
        shapes.append(
            shape("circle", "said", title=said, cx=end, cy=float(frame.y(arrow.median[-1])), r=2.6)
        )
    for arrow in made.arrows:
        if np.isfinite(arrow.known):
            x, y0 = float(frame.x(arrow.last_month)), float(frame.y(arrow.known))
            shapes.append(shape("circle", "then", cx=x, cy=y0, r=2.8))
    name = called(location)
    inside, settled = ends_held(made, location, now)
    said = (
        f"{len(made.arrows)} forecasts of {made.model}, each of up to {made.horizon} months, from "
        f"the counts known when it was made."
    )
    if settled:
        said += (
            f" At {settled} of the ends the count is settled by now; the grey line passes through "
            f"the interval at {inside} of them."
        )
    caption = (
        f"Black dots: the last count as it was known then. Blue: what {made.model} said from "
        f"there, with the 90% interval at its end. Grey: the counts as known in the release of "
        f"{day_name(now.release)}. {made.note}"
    )
    return Drawing(
        f"{name}: what was said, and what came",
        said,
        shapes,
        caption,
        key=f"past-{_word(location)}",
    )


def nowcast(forecast: Forecast, location: str) -> Drawing | None:
    """The last twelve counts as published, as CDC predicts them, and as they will be once final."""
    one = forecast.select(location)
    late = (one.horizons <= 0) & (one.horizons > -12)
    if not late.any():
        return None
    months = one.months[late]
    low, middle, high = one.quantiles([0.05, 0.5, 0.95])[:, 0, late]
    reported, predicted = (
        _at(one, layer_of(one, layer)[0], months) for layer in ("reported", "predicted")
    )
    values = np.concatenate([low, high, reported, predicted])
    if not np.isfinite(values).any():
        return None
    bottom, top = float(np.nanmin(values)), float(np.nanmax(values))
    room = max(0.08 * (top - bottom), 1.0)
    frame = _MonthFrame(months[0], months[-1], max(0.0, bottom - room), top + room, _UNIT)
    shapes = [
        *frame.axes(),
        *frame.band(months, low, high, "band wide-band"),
        *frame.line(months, middle, "middle-line"),
        *frame.line(months, predicted, "cdc"),
        *frame.line(months, reported, "known"),
    ]
    step = step_of(low[-1], high[-1])
    description = f"For the 12 months to {month_name(months[-1])}: " + (
        f"{reported[-1]:,.0f} reported, " if np.isfinite(reported[-1]) else "no count shown, "
    )
    if np.isfinite(predicted[-1]):
        description += f"{predicted[-1]:,.0f} predicted by CDC, "
    if np.isfinite([low[-1], high[-1]]).all():
        description += (
            f"once final about {rounded(middle[-1], step)} (90% interval "
            f"{between(low[-1], high[-1], step)})"
        )
    return Drawing(
        f"{called(location)}: the last counts, as published and once final",
        f"{description.removesuffix(', ')}.",
        shapes,
        "Black: as published. Blue: what they will be once final, with an interval of 90%. "
        "Orange, dashed: CDC's own predicted values. The axis does not begin at zero.",
        key=f"nowcast-{_word(location)}",
    )


#: Heights at which a frame puts what belongs to Decembers.
_BELOW = (number(HEIGHT - 34.0 + 24), number(HEIGHT - 34.0 + 5))


class _MonthFrame(Frame):
    """A frame of a year: its months are named, not its Decembers."""

    def axes(self) -> list[Shape]:
        """Lines and numbers of both axes."""
        out = [s for s in super().axes() if s.at.get("y", s.at.get("y2")) not in _BELOW]
        months = np.arange(self.first, self.last + ONE_MONTH)
        for month in months[::-1][:: max(1, months.size // 4)]:
            x = float(self.x(month))
            look = "tick end" if month == self.last else "tick middle"
            out.append(shape("text", look, _short(month), x=x, y=self.bottom + 24))
        return out


def _known(one: Forecast) -> tuple[Months, Floats]:
    """Published counts of a place, of a sum those of its parts."""
    if one.panel is None:
        return one.months[:1], np.array([np.nan])
    return one.panel.months, layer_of(one, "reported")[0]


def _at(one: Forecast, row: Floats, months: Months) -> Floats:
    """A panel's row at some months; NaN outside."""
    out = np.full(months.size, np.nan)
    if one.panel is not None:
        column = (months - one.panel.months[0]).astype(int)
        inside = (column >= 0) & (column < row.size)
        out[inside] = row[column[inside]]
    return out


def _later(panel: Panel | None, location: str, first: np.datetime64) -> tuple[Months, Floats]:
    """Counts of a release from a month on; none where it has no such place."""
    if panel is None or location not in panel.locations:
        return np.array([], dtype="datetime64[M]"), np.array([])
    kept = panel.months >= first
    return panel.months[kept], panel.reported[panel.index(location), kept]


def _end(months: Months) -> np.datetime64:
    return months[-1] if months.size else np.datetime64("1970-01", "M")


def _top(*values: Floats) -> float:
    """Upper end of an axis that holds all values."""
    joined = np.concatenate(values)
    joined = joined[np.isfinite(joined)]
    return max(1.08 * float(joined.max()), 5.0) if joined.size else 10.0


def _label(frame: Frame, month: np.datetime64, text: str) -> Shape:
    """A text beside an upright, on the side where there is room."""
    x = float(frame.x(month))
    late = x > (frame.left + frame.right) / 2
    look = "tick end" if late else "tick"
    return shape("text", look, text, x=x - 5 if late else x + 5, y=frame.top + 10)


def _short(month: np.datetime64) -> str:
    """A month in few letters.

    Examples
    --------
    >>> _short(np.datetime64("2026-04"))
    'Apr 2026'
    """
    name, year = month_name(month).split()
    return f"{name[:3]} {year}"


def _word(location: str) -> str:
    """A name of letters and digits, for the identity of an element."""
    return "".join(c if c.isascii() and c.isalnum() else f"-{ord(c):x}" for c in location)
