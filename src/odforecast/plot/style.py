"""The house style: colors, sizes, axes, headings and direct labels of every figure.

One unit is one CSS pixel (a point of matplotlib), so that a figure of 1,080 units fills a page of
1,080 pixels with letters of 12 pixels. Ink is data, blue is forecast, orange is a rise or a miss,
gray is neither; nothing is said by color alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from odforecast.months import ONE_MONTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Colors by what they mean, on light and on dark paper. A page defines each as a variable of its
#: name (``--forecast``); see :func:`odforecast.plot.inline`.
COLORS: Final = {
    "ink": ("#17202a", "#e9edf1"),
    "muted": ("#55606c", "#a7b2bd"),
    "forecast": ("#0b5cad", "#7dbaf5"),
    "band90": ("#cfe2f5", "#1c3b5a"),
    "band50": ("#93bfe8", "#2f6496"),
    "miss": ("#a84300", "#f5a45c"),
    "grid": ("#e3e7ec", "#28313a"),
    "paper": ("#ffffff", "#11161c"),
    "fall2": ("#0b4a8f", "#9ccbf8"),
    "fall1": ("#7fb2e5", "#2b669f"),
    "flat": ("#e7eaee", "#2a323b"),
    "rise1": ("#f3ae6d", "#95501a"),
    "rise2": ("#a33f00", "#ffb57a"),
    "series3": ("#009e73", "#3fc79c"),
    "series4": ("#cc79a7", "#e3a0c5"),
    "series5": ("#e69f00", "#f2b840"),
    "series6": ("#56b4e9", "#8fd0f5"),
}
INK, MUTED, BLUE, BAND90, BAND50, ORANGE, GRID, PAPER = (c for c, _ in list(COLORS.values())[:8])
BLACK, GREY, PALE = INK, MUTED, GRID
#: Classes of a map, from a likely fall to a likely rise.
CLASSES: Final = tuple(c for c, _ in list(COLORS.values())[8:13])
#: One after another, for models and scenarios.
PALETTE = (BLUE, ORANGE, *(c for c, _ in list(COLORS.values())[13:]))
#: Shapes that go with them: no series is known by its color alone.
MARKERS = ("o", "s", "^", "D", "v", "P")

#: Sizes of letters: titles, captions, labels, and the smallest of a figure.
TITLE, CAPTION, TEXT, SMALL = 15.0, 13.0, 12.0, 11.0
_POINTS = 72.0
#: Size of a figure of its own, of one that fills a page, and of one on a phone.
SIZE, WIDE, NARROW = (760.0, 400.0), (1080.0, 376.0), (358.0, 300.0)
WIDTH, HEIGHT = SIZE[0] / _POINTS, SIZE[1] / _POINTS
#: What :func:`columns_for` reckons with.
_LEGEND: dict[str, Any] = {
    "frameon": False, "fontsize": SMALL, "handlelength": 1.5, "handletextpad": 0.5,
    "columnspacing": 1.3,
}  # fmt: skip
#: Texts that are drawn again when something is added.
_CAPTION, _SOURCE, _LEVEL, _BESIDE = "caption", "source", ".level", ".beside"
#: What axes of a page keep instead of drawing it; and pixels taken above, below and at the right.
_HEAD, _TAKEN = "_odforecast_head", "_odforecast_taken"
#: What axes keep for a page: names of links, by address.
LINKS: Final = "_odforecast_links"


def sheet(size: tuple[float, float] = WIDE) -> Axes:
    """Axes to draw on for a page, which shows title, caption and source as texts of its own.

    Parameters
    ----------
    size : tuple of float
        Width and height in CSS pixels, as large as the page will show it.

    Examples
    --------
    >>> axes = sheet((358, 300))
    >>> axes.get_figure().get_size_inches().tolist() == [358 / 72, 300 / 72]
    True
    """
    axes: Axes = canvas(size[0] / _POINTS, size[1] / _POINTS)[1]
    reserve(axes, bare=1)
    return axes


class Head(NamedTuple):
    """What is said around a figure."""

    title: str = ""
    caption: str = ""
    source: str = ""


def head_of(axes: Any) -> Head:
    """Title, caption and source of axes, for the page that shows them."""
    head: Head = getattr(axes, _HEAD, Head(axes.get_title(loc="left")))
    return head


def canvas(width: float = WIDTH, height: float = HEIGHT) -> tuple[Figure, Any]:
    """A figure of its own (no global state) of a size in inches, with one axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=2 / _POINTS, h_pad=2 / _POINTS)  # type: ignore[union-attr]
    axes = figure.subplots()
    quiet(axes)
    return figure, axes


def drawn_on(axes: Axes | None, width: float = WIDTH, height: float = HEIGHT) -> Any:
    """The axes given, or those of a new figure; spines quiet either way."""
    if axes is None:
        return canvas(width, height)[1]
    quiet(axes)
    return axes


def quiet(axes: Any) -> None:
    """Only the spines that carry a scale, in gray, and small ticks."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(labelsize=TEXT, color=MUTED, labelcolor=MUTED)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(fontsize=TEXT, color=MUTED)


def days(months: object) -> Any:
    """Months as days, for a time axis."""
    return np.asarray(months, dtype="datetime64[M]").astype("datetime64[D]")


def thousands(axis: Any) -> None:
    """Whole numbers with thousands separators, and few of them."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.set_major_locator(MaxNLocator(5, integer=True))


def of_counts(axes: Any, from_zero: bool = True, unit: str = "deaths") -> None:
    """A vertical axis of counts: lines with their number above them, the unit on the top one."""
    levels(axes, "{:,.0f}".format, unit, from_zero)


def levels(
    axes: Any, number: Any, unit: str = "", from_zero: bool = False, whole: bool = True
) -> None:
    """Horizontal lines with their number above them at the left, the unit after the top one."""
    from matplotlib.ticker import MaxNLocator

    low, high = (float(x) for x in axes.dataLim.intervaly)
    for other in axes.get_shared_y_axes().get_siblings(axes):
        low = np.nanmin([low, other.dataLim.intervaly[0]])
        high = np.nanmax([high, other.dataLim.intervaly[1]])
    low, high = (low, high) if np.isfinite([low, high]).all() else (0.0, 1.0)
    most = 5 if height_of(axes) > 190 else 3
    locator = MaxNLocator(most, integer=whole, steps=[1, 2, 3, 5, 10])
    at = locator.tick_values(min(low, 0.0) if from_zero else low, high)
    axes.set_yticks(at)
    axes.set_ylim(at[0], at[-1])
    axes.grid(axis="y", color=GRID, lw=1)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelleft=False)
    _remove(axes, _LEVEL)
    for value in at[1 if from_zero and at[0] == 0 else 0 :]:
        text = f"{number(value)} {unit}".strip() if value == at[-1] else number(value)
        label(axes, text, (0, value), (0, 3), MUTED, gid=_LEVEL, across=True)


def of_time(axes: Any, margin: float = 0.0) -> None:
    """A horizontal axis of months from edge to edge, with ticks at Decembers.

    There a sum of 12 months is that of a calendar year. A short axis has months between.
    """
    import matplotlib.dates as dates

    ends = [other.dataLim.intervalx for other in axes.get_shared_x_axes().get_siblings(axes)]
    first, last = float(np.min(ends)), float(np.max(ends))
    if not np.isfinite([first, last]).all() or last <= first:
        return
    axes.set_xlim(first - margin, last + margin)
    width = width_of(axes, inner=True)
    start, end = (np.datetime64(dates.num2date(x).date(), "M") for x in (first, last))
    months = np.arange(start, end + ONE_MONTH)
    room = width / max(months.size, 1)
    steps = [s for s in (1, 3, 6, 12, 24, 36, 60, 120, 240) if s >= 12 or months.size < 30]
    step = next((s for s in steps if s * room >= 5.6 * TEXT), 240)
    of_year = months.astype(int) % 12
    december = months[of_year == 11][-1] if (of_year == 11).any() else months[-1]
    apart = (months - december).astype(int)
    shown = months[apart % step == 0]
    names = [f"{dates.num2date(dates.date2num(days(m))):%b %Y}" for m in shown]
    axes.set_xticks(days(shown), names)
    axes.set_xticks(days(months[apart % min(step, 12) == 0]), minor=True)
    axes.tick_params(axis="x", which="both", length=4, color=MUTED)
    edge, free = 2.2 * TEXT / room, getattr(axes, _TAKEN, {}).get("right", 0)
    for month, text in zip(shown, axes.get_xticklabels()):
        if (month - start).astype(int) < edge:
            text.set(horizontalalignment="left", visible=step * room >= 7 * TEXT)
        elif (end - month).astype(int) < edge and not free:
            text.set(horizontalalignment="right", visible=step * room >= 7 * TEXT)


def of_horizons(axes: Any, horizons: Any) -> None:
    """A horizontal axis of months ahead; a line between what is revised and what is forecast."""
    first, last = int(min(horizons)), int(max(horizons))
    axes.set_xticks([h for h in range(-12, last + 1, 3) if h >= first])
    nowcast = first <= 0
    axes.set_xlabel("months after the last known one" + ("; to 0: nowcast" if nowcast else ""))
    if nowcast:
        axes.axvline(0.5, color=GREY, lw=0.8, ls=":")


def width_of(axes: Any, inner: bool = False) -> float:
    """About how wide axes will be, in pixels; ``inner``: less what direct labels take."""
    figure = axes.get_figure(root=True)
    width = float(figure.get_size_inches()[0] * _POINTS)
    if not _alone(axes):
        return float(axes.get_position().width) * width
    return width - 4 - (getattr(axes, _TAKEN, {}).get("right", 0) if inner else 0)


def height_of(axes: Any) -> float:
    """About how high axes will be, in pixels."""
    figure = axes.get_figure(root=True)
    height = float(figure.get_size_inches()[1] * _POINTS)
    if not _alone(axes):
        return float(axes.get_position().height) * height
    taken = getattr(axes, _TAKEN, {})
    return height - 4 - taken.get("above", TEXT + 6) - taken.get("below", 22)


def reserve(axes: Any, **pixels: float) -> None:
    """Keep in mind what labels and headings take ``above``, ``below`` and at the ``right``."""
    setattr(axes, _TAKEN, {**getattr(axes, _TAKEN, {}), **pixels})


def _alone(axes: Any) -> bool:
    """Whether axes fill a figure whose layout makes room for them."""
    figure = axes.get_figure(root=True)
    return len(figure.axes) == 1 and figure.get_layout_engine() is not None


def _remove(axes: Any, gid: str) -> None:
    for old in [x for x in (*axes.texts, *axes.lines) if x.get_gid() == gid]:
        old.remove()


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """How wide a text is, in pixels."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(weight="bold" if bold else "normal")
    path = TextPath((0, 0), text, size=size, prop=font)
    return float(path.get_extents().width) if text.strip() else 0.0


def wrapped(text: str, width: float, size: float, bold: bool = False) -> str:
    """A text in lines of at most so many pixels, broken between words."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, bold) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def heading(axes: Any, title: str, below: str = "", source: str = "") -> None:
    """A title (what and where), a caption that explains the marks, and a source at the bottom.

    All are broken where the axes end. A second heading takes the place of the first.
    """
    lift = 6.0 + (TEXT + 3 if any(x.get_gid() == _LEVEL for x in axes.texts) else 0)
    setattr(axes, _HEAD, Head(title, below, source))
    if "bare" in getattr(axes, _TAKEN, {}):
        reserve(axes, above=lift)
        return
    room = width_of(axes)
    for gid in (_CAPTION, _SOURCE):
        _remove(axes, gid)
    shown = wrapped(below, room, CAPTION) if below else ""
    lines = shown.count("\n") + 1 if shown else 0
    pad = lift + 1.35 * CAPTION * lines + (3 if lines else 0)
    title = wrapped(title, room, TITLE, bold=True)
    head = axes.set_title(title, loc="left", fontsize=TITLE, color=INK, fontweight="bold", pad=pad)
    left: tuple[Any, float] = ("axes fraction", 0.0)
    if _alone(axes):  # at the edge of the figure, whatever stands left of the axes
        from matplotlib.transforms import blended_transform_factory

        left, inches = ("figure points", 2.0), axes.get_figure(root=True).dpi_scale_trans
        head.set(x=2 / _POINTS, transform=blended_transform_factory(inches, head.get_transform()))
    reserve(axes, above=pad + 1.25 * TITLE * (title.count("\n") + 1))
    if shown:
        axes.annotate(
            shown, (left[1], 1), (0, lift), xycoords=(left[0], "axes fraction"), textcoords="offset points",
            fontsize=CAPTION, color=MUTED, va="bottom", linespacing=1.25, annotation_clip=False,
            gid=_CAPTION,
        )  # fmt: skip
    if source:
        under = 24.0 + (TEXT + 6 if axes.get_xlabel() else 0)
        source = wrapped(source, room, SMALL)
        axes.annotate(
            source, (left[1], 0), (0, -under), xycoords=(left[0], "axes fraction"), textcoords="offset points",
            fontsize=SMALL, color=MUTED, va="top", annotation_clip=False, gid=_SOURCE,
        )  # fmt: skip
        reserve(axes, below=under + 1.3 * SMALL * (source.count("\n") + 1))


def label(
    axes: Any, text: str, at: tuple[Any, Any], shift: tuple[float, float], color: str = INK, *,
    size: float = TEXT, bold: bool = False, ha: str = "left", va: str = "bottom",
    across: bool = False, gid: str = "",
) -> Any:  # fmt: skip
    """One line of text beside a point of the data, legible over what is drawn there.

    ``across``: the point's first coordinate is a share of the axes' width.
    """
    from matplotlib.patheffects import withStroke

    return axes.annotate(
        text, at, shift, xycoords=("axes fraction" if across else "data", "data"),
        textcoords="offset points", color=color, fontsize=size, ha=ha, va=va, zorder=6,
        fontweight="bold" if bold else "normal", annotation_clip=False, gid=gid or None,
        path_effects=[withStroke(linewidth=2.5, foreground=PAPER)],
    )  # fmt: skip


class Line(NamedTuple):
    """A line of a direct label."""

    text: str
    color: str = INK
    bold: bool = False
    size: float = TEXT


def beside(
    axes: Any, at: Sequence[tuple[float, Sequence[Line], int]], fixed: int = 0, gap: float = 8.0
) -> None:
    """Direct labels at the right edge, moved apart where they would overlap.

    Parameters
    ----------
    at : sequence of (value, lines, which)
        From the highest value to the lowest: where it belongs, what it says, and which of its
        lines stands at the value.
    fixed : int
        The one that is not moved.
    gap : float
        Between the edge and the text.
    """
    _remove(axes, _BESIDE)
    low, high = axes.get_ylim()
    scale = height_of(axes) / max(high - low, 1e-9)
    heights = [[1.28 * line.size for line in lines] for _, lines, _ in at]
    middles = [(value - low) * scale for value, _, _ in at]
    tops = [m + sum(h[:w]) + h[w] / 2 for m, h, (_, _, w) in zip(middles, heights, at)]
    for i in range(fixed - 1, -1, -1):
        tops[i] = max(tops[i], tops[i + 1] + sum(heights[i]))
    for i in range(fixed + 1, len(at)):
        tops[i] = min(tops[i], tops[i - 1] - sum(heights[i - 1]))
    for top, tall, middle, (value, lines, _) in zip(tops, heights, middles, at):
        y = top
        for line, step in zip(lines, tall):
            y -= step
            label(axes, line.text, (1, value), (gap, y + 0.2 * line.size - middle), line.color,
                  size=line.size, bold=line.bold, va="baseline", across=True, gid=_BESIDE)  # fmt: skip


def legend(axes: Any, **keywords: Any) -> None:
    """Each label once, below the axes where the layout makes room, in as many columns as fit.

    A figure without a layout of its own would cut it off: there it stands where it hides least.
    """
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    seen: dict[str, Any] = {}
    for handle, label in zip(*axes.get_legend_handles_labels()):
        seen.setdefault(label, handle)
    if not seen:
        return
    figure = axes.get_figure(root=True)
    order = sorted(seen, key=lambda label: label != "reported")  # what is known comes first
    settings = dict(_LEGEND)
    if figure.get_layout_engine() is None:
        settings |= {"loc": "best", "frameon": True, "framealpha": 0.8, "edgecolor": "none"}
    else:
        # Below the ticks; alone in a figure it may begin at the figure's edge.
        lines = max((t.get_text().count("\n") for t in axes.get_xticklabels()), default=0)
        under = 22 + 1.2 * SMALL * lines + (TEXT + 6 if axes.get_xlabel() else 0)
        down = ScaledTranslation(0, -under / _POINTS, figure.dpi_scale_trans)
        alone = len(figure.axes) == 1
        width = _POINTS * figure.get_size_inches()[0] - 12 if alone else width_of(axes)
        across = figure.transFigure if alone else axes.transAxes
        settings |= {
            "loc": "upper left", "bbox_to_anchor": (0.015 if alone else 0, 0), "borderaxespad": 0,
            "borderpad": 0, "ncols": columns_for(order, width),
            "bbox_transform": blended_transform_factory(across, axes.transAxes + down),
        }  # fmt: skip
    axes.legend([seen[x] for x in order], order, **{**settings, **keywords})


def shared_legend(figure: Any, grid: Any) -> None:
    """One legend for several axes, below them all, each label once."""
    seen: dict[str, Any] = {}
    for axes in grid:
        if (own := axes.get_legend()) is not None:
            own.remove()
        for handle, label in zip(*axes.get_legend_handles_labels()):
            seen.setdefault(label, handle)
    width = _POINTS * float(figure.get_size_inches()[0]) - 20
    figure.legend(
        list(seen.values()), list(seen), loc="outside lower left", **_LEGEND,
        ncols=columns_for(list(seen), width),
    )  # fmt: skip


def columns_for(labels: list[str], width: float, size: float = SMALL) -> int:
    """How many columns of a legend fit into a width, in points."""
    lengths = [text_width(x, size) for x in labels]
    for n in range(len(labels), 1, -1):
        columns = np.array_split(lengths, n)  # filled downwards, as a legend is
        if sum(float(c.max()) + 3.5 * size for c in columns) <= width + 1.3 * size:
            return n
    return 1
