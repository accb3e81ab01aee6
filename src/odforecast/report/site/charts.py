"""Pictures of how good forecasts were: ratios with intervals, coverage, histograms, chances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from odforecast.report.site.drawing import WIDTH, Drawing, Shape, shape, ticks
from odforecast.say import chance

_ROW = 27.0
_LEFT = 236.0
#: Ratios that an axis names.
_RATIOS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20)


@dataclass(frozen=True)
class Bar:
    """A row of a chart: a value with an interval, and the value that it is held against.

    Attributes
    ----------
    label : str
    value, low, high : float
        NaN where unknown.
    mark : float
        Drawn as a tick of its own; NaN for none.
    head : bool
        A title between rows, without a value.
    """

    label: str
    value: float = np.nan
    low: float = np.nan
    high: float = np.nan
    mark: float = np.nan
    head: bool = False


def shortened(label: str, most: int) -> str:
    """A label that fits; the tables beside the picture have it whole.

    Examples
    --------
    >>> shortened("dlm", 24), shortened("an-extraordinarily-long-name", 12)
    ('dlm', 'an-extraord…')
    """
    return label if len(label) <= most else f"{label[: most - 1]}…"


def intervals(
    bars: Sequence[Bar], title: str, description: str, caption: str, *,
    unit: str, reference: float | None = None, log: bool = False, percent: bool = False,
    ends: tuple[float, float] | None = None, key: str = "intervals",
) -> Drawing:  # fmt: skip
    """Values with intervals, a row each.

    Parameters
    ----------
    bars : sequence of Bar
    title, description, caption, key : str
        See :class:`Drawing`.
    unit : str
        What is along the axis.
    reference : float, optional
        A line across all rows.
    log : bool
        Whether the axis is logarithmic.
    percent : bool
        Whether its numbers are shares, written in percent.
    ends : tuple of float, optional
        Ends of the axis; default: those of the values.
    """
    values = [v for b in bars for v in (b.value, b.low, b.high, b.mark) if np.isfinite(v)]
    values += [] if reference is None else [reference]
    low, high = ends or (min(values, default=0.0), max(values, default=1.0))
    if log:
        low, high = max(low, 0.05) / 1.05, min(max(high, low * 1.1), 20.0) * 1.05
    right, bottom = WIDTH - 30, 8 + _ROW * len(bars)

    def x(value: float) -> float:
        inside = min(max(value, low), high)
        share = np.log(inside / low) / np.log(high / low) if log else (inside - low) / (high - low)
        return float(_LEFT + share * (right - _LEFT))

    shapes: list[Shape] = []
    marks = [t for t in _RATIOS if low <= t <= high] if log else ticks(low, high, 5)
    for t in marks:
        text = f"{100 * t:.0f}%" if percent else f"{t:g}"
        shapes.append(shape("line", "grid", x1=x(t), x2=x(t), y1=4, y2=bottom))
        shapes.append(shape("text", "tick middle", text, x=x(t), y=bottom + 20))
    if reference is not None:
        shapes.append(shape("line", "reference", x1=x(reference), x2=x(reference), y1=4, y2=bottom))
    for i, bar in enumerate(bars):
        y = 8 + _ROW * (i + 0.5)
        shapes.append(
            shape(
                "text",
                "row head" if bar.head else "row",
                shortened(bar.label, 24),
                x=2 if bar.head else 12,
                y=y + 5,
            )
        )
        if np.isfinite([bar.low, bar.high]).all():
            shapes.append(shape("line", "reach", x1=x(bar.low), x2=x(bar.high), y1=y, y2=y))
        if np.isfinite(bar.mark):
            at = x(bar.mark)
            shapes.append(shape("line", "mark", x1=at, x2=at, y1=y - 9, y2=y + 9))
        if np.isfinite(bar.value):
            shapes.append(shape("circle", "dot", cx=x(bar.value), cy=y, r=4.5))
    shapes.append(shape("text", "unit end", unit, x=right, y=bottom + 42))
    return Drawing(title, description, shapes, caption, height=bottom + 50, key=key)


def histograms(
    tables: Sequence[tuple[str, pd.DataFrame]], where: str, caption: str
) -> Drawing | None:
    """PIT histograms, one a model.

    Parameters
    ----------
    tables : sequence of (str, DataFrame)
        Title, and a table of :func:`odforecast.scoring.pit_histogram`.
    where : str
        Whose counts they are.
    caption : str
    """
    shown = [(name, t) for name, t in tables if t["n"].sum()]
    if not shown:
        return None
    columns = min(2, len(shown))
    wide, tall = WIDTH / columns, 150.0
    top = max(2.0, *(float(t["density"].max()) for _, t in shown))
    shapes: list[Shape] = []
    for k, (name, table) in enumerate(shown):
        x0, y0 = 6 + wide * (k % columns), 30 + (tall + 48) * (k // columns)
        step = (wide - 24) / len(table)
        shapes.append(shape("text", "row", shortened(name, 30), x=x0, y=y0 - 8))
        for i, density in enumerate(table["density"]):
            height = tall * float(density) / top
            shapes.append(
                shape(
                    "rect",
                    "bar",
                    x=x0 + i * step,
                    y=y0 + tall - height,
                    width=step - 2,
                    height=height,
                )
            )
        even = y0 + tall - tall / top
        end = x0 + step * len(table)
        shapes.append(shape("line", "reference", x1=x0, x2=end, y1=even, y2=even))
        shapes.append(shape("line", "axis", x1=x0, x2=end, y1=y0 + tall, y2=y0 + tall))
        shapes.append(shape("text", "tick", "0", x=x0, y=y0 + tall + 19))
        shapes.append(shape("text", "tick end", "1", x=end, y=y0 + tall + 19))
    said = "; ".join(
        f"{name}: lowest tenth {100 * t['n'].iloc[0] / t['n'].sum():.0f}%, highest tenth "
        f"{100 * t['n'].iloc[-1] / t['n'].sum():.0f}%"
        for name, t in shown
    )
    height = 20 + (tall + 48) * (-(-len(shown) // columns))
    title = f"Where the counts fell in the forecasts (PIT), {where}"
    return Drawing(title, f"{said}.", shapes, caption, height=height, key="pit")


def chances(labels: Sequence[str], shares: Sequence[float], title: str, key: str) -> Drawing:
    """Probabilities of categories, a bar each."""
    left, right, row = 190.0, WIDTH - 130, 34.0
    shapes: list[Shape] = []
    looks = ("fall3", "fall2", "even", "rise2", "rise3")
    for i, (label, share) in enumerate(zip(labels, shares)):
        y = 4 + row * i
        known = float(share) if np.isfinite(share) else 0.0
        width = max((right - left) * known, 1.0)
        box = shape("rect", "box", x=left, y=y, width=width, height=row - 8)
        shapes.append(Shape("g", {"class": f"tile {looks[i]}"}, "", (box,)))
        shapes.append(shape("text", "row", label, x=2, y=y + 19))
        said = chance(share) if np.isfinite(share) else "not known"
        shapes.append(shape("text", "row", said, x=left + width + 8, y=y + 19))
    said = "; ".join(
        f"{label} {chance(share) if np.isfinite(share) else 'not known'}"
        for label, share in zip(labels, shares)
    )
    return Drawing(title, f"{said}.", shapes, height=row * len(shapes) / 3 + 4, key=key)
