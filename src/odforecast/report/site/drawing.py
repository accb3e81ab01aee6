"""Pictures as lists of shapes: what a template prints as SVG, every text of it escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from odforecast.months import Months
from odforecast.panel import Floats

#: Size of a picture in its own units; the page makes it as wide as there is room.
WIDTH, HEIGHT = 640.0, 340.0


@dataclass(frozen=True)
class Shape:
    """One element of a picture.

    Attributes
    ----------
    kind : str
        Its SVG name: ``path``, ``line``, ``rect``, ``circle``, ``text``, ``a`` or ``g``.
    at : mapping of str to str
        Its attributes; the look of a shape is its ``class``, which the style sheet knows.
    text : str
        What a ``text`` says.
    inside : sequence of Shape
        Of ``a`` and ``g``.
    title : str
        What is shown when a mouse rests on it.
    """

    kind: str
    at: Mapping[str, str]
    text: str = ""
    inside: Sequence[Shape] = ()
    title: str = ""


@dataclass(frozen=True)
class Drawing:
    """A picture with a name and a description.

    Attributes
    ----------
    title : str
        Its name, for who hears the page.
    description : str
        What it shows, with the numbers that matter.
    shapes : sequence of Shape
        From back to front.
    caption : str
        Text below it: what the colours mean.
    width, height : float
        Size in its own units.
    key : str
        Tells it apart from the other pictures of a page.
    """

    title: str
    description: str
    shapes: Sequence[Shape]
    caption: str = ""
    width: float = WIDTH
    height: float = HEIGHT
    key: str = "picture"


def shape(kind: str, look: str, text: str = "", title: str = "", **at: float | str) -> Shape:
    """A shape; numbers are written with at most one decimal, and ``_`` in a name is ``-``.

    Examples
    --------
    >>> shape("line", "axis", x1=0, x2=1.26).at["x2"]
    '1.3'
    """
    named = {k.replace("_", "-"): v if isinstance(v, str) else number(v) for k, v in at.items()}
    return Shape(kind, {"class": look, **named}, text, (), title)


def number(value: float) -> str:
    """A position, short.

    Examples
    --------
    >>> number(3.0), number(3.14159), number(-0.01)
    ('3', '3.1', '0')
    """
    return f"{value:z.1f}".removesuffix(".0")


def line_of(x: Floats, y: Floats) -> str:
    """A path through points; where one is NaN the line is interrupted.

    Examples
    --------
    >>> line_of(np.array([0.0, 1, 2, 3]), np.array([5.0, np.nan, 6, 7]))
    'M0 5M2 6L3 7'
    """
    out, pen = [], False
    for a, b in zip(x, y):
        if not np.isfinite(b):
            pen = False
            continue
        out.append(f"{'L' if pen else 'M'}{number(a)} {number(b)}")
        pen = True
    return "".join(out)


def band_of(x: Floats, low: Floats, high: Floats) -> str:
    """A closed path around an interval; points without one are left out.

    Examples
    --------
    >>> band_of(np.array([0.0, 1]), np.array([2.0, 2]), np.array([4.0, 5]))
    'M0 4L1 5L1 2L0 2Z'
    """
    there = np.isfinite(low) & np.isfinite(high)
    if there.sum() < 2:
        return ""
    x, low, high = x[there], low[there], high[there]
    return f"{line_of(x, high)}L{line_of(x[::-1], low[::-1])[1:]}Z"


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most so many.

    Examples
    --------
    >>> ticks(0, 5_300), ticks(-22, 31)
    ([0.0, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0], [-20.0, -10.0, 0.0, 10.0, 20.0, 30.0])
    """
    span = max(high - low, 1e-9)
    power = 10.0 ** np.floor(np.log10(span / most))
    step = next(s * power for s in (1, 2, 5, 10, 20) if span / (s * power) <= most)
    first = np.ceil(low / step - 1e-9)
    return [float(k * step) + 0.0 for k in np.arange(first, np.floor(high / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Frame:
    """Axes of a picture over time: months along, a quantity up.

    Attributes
    ----------
    first, last : datetime64[M]
        Ends of the time axis.
    low, high : float
        Ends of the other.
    unit : str
        What is counted, above the axis.
    left, right, top, bottom : float
        Edges of the inner part, in units of the picture.
    """

    first: np.datetime64
    last: np.datetime64
    low: float
    high: float
    unit: str = ""
    left: float = 82.0
    right: float = WIDTH - 14.0
    top: float = 30.0
    bottom: float = HEIGHT - 34.0
    shapes: list[Shape] = field(default_factory=list)

    def x(self, months: Months | np.datetime64) -> Floats:
        """Places of months along the axis."""
        span = max(int((self.last - self.first).astype(int)), 1)
        at = np.asarray(months - self.first).astype(int) / span
        return np.asarray(self.left + at * (self.right - self.left), dtype=float)

    def y(self, values: Floats | float) -> Floats:
        """Heights of values."""
        share = (np.asarray(values, dtype=float) - self.low) / (self.high - self.low)
        return np.asarray(self.bottom - share * (self.bottom - self.top))

    def axes(self) -> list[Shape]:
        """Lines and numbers of both axes."""
        out = [shape("text", "unit", self.unit, x=2, y=16)]
        for value in ticks(self.low, self.high, 5):
            y = float(self.y(value))
            out.append(shape("line", "grid", x1=self.left, x2=self.right, y1=y, y2=y))
            out.append(shape("text", "tick end", f"{value:z,.0f}", x=self.left - 6, y=y + 5))
        for month, label in _years(self.first, self.last):
            x = float(self.x(month))
            out.append(shape("line", "axis", x1=x, x2=x, y1=self.bottom, y2=self.bottom + 5))
            near = x > self.right - 32  # there is no room for the other half of the text
            look = "tick end" if near else "tick middle"
            at = self.right if near else x
            out.append(shape("text", look, label, x=at, y=self.bottom + 24))
        out.append(
            shape("line", "axis", x1=self.left, x2=self.right, y1=self.bottom, y2=self.bottom)
        )
        return out

    def line(self, months: Months, values: Floats, look: str) -> list[Shape]:
        """A line; nothing where no two neighbours are known."""
        path = line_of(self.x(months), self.y(values))
        return [shape("path", look, d=path)] if path else []

    def band(self, months: Months, low: Floats, high: Floats, look: str) -> list[Shape]:
        """An area between two lines."""
        path = band_of(self.x(months), self.y(low), self.y(high))
        return [shape("path", look, d=path)] if path else []

    def upright(self, month: np.datetime64, look: str) -> Shape:
        """A line across at a month."""
        x = float(self.x(month))
        return shape("line", look, x1=x, x2=x, y1=self.top, y2=self.bottom)


def _years(first: np.datetime64, last: np.datetime64) -> Iterable[tuple[np.datetime64, str]]:
    """Decembers, when a calendar year is whole: at most seven of them."""
    begin, end = (int(m.astype("datetime64[Y]").astype(int)) + 1970 for m in (first, last))
    step = max(1, -(-(end - begin + 1) // 7))
    for year in range(end, begin - 1, -step):
        month = np.datetime64(f"{year}-12", "M")
        if first <= month <= last:
            yield month, f"Dec {year}"
