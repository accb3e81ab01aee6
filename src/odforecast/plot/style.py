"""The house style: colors, sizes, axes, headings and direct labels of every figure.

One unit is one CSS pixel (a point of matplotlib). Ink is data, blue is forecast, orange is a rise
or a miss, gray is neither; nothing is said by color alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from odforecast.months import ONE_MONTH
from odforecast.say import minus

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["sheet"]

#: Colors by what they mean, on light paper. A page defines each as a variable of its name
#: (``--forecast``), for light and for dark paper; see :func:`odforecast.plot.inline`.
COLORS: Final = {
    "ink": "#17202a",
    "muted": "#55606c",
    "forecast": "#0b5cad",
    "band90": "#cfe2f5",
    "band50": "#93bfe8",
    "miss": "#a84300",
    "grid": "#e3e7ec",
    "paper": "#ffffff",
    "fall2": "#0b4a8f",
    "fall1": "#7fb2e5",
    "flat": "#e7eaee",
    "rise1": "#f3ae6d",
    "rise2": "#a33f00",
    "series3": "#009e73",
    "series4": "#cc79a7",
    "series5": "#e69f00",
    "series6": "#56b4e9",
}
_LIGHT = list(COLORS.values())
INK, MUTED, BLUE, BAND90, BAND50, ORANGE, GRID, PAPER = _LIGHT[:8]
#: Classes of a map, from a likely fall to a likely rise.
CLASSES: Final = tuple(_LIGHT[8:13])
#: One after another, for models and scenarios; and shapes that go with them.
PALETTE: Final = (BLUE, ORANGE, *_LIGHT[13:])
MARKERS: Final = ("o", "s", "^", "D", "v", "P")
DOTTED: Final = (0, (1.5, 3))

#: Sizes of letters: titles, captions, labels, and the smallest of a figure.
TITLE = 15.0
CAPTION = 13.0
TEXT = 12.0
SMALL = 11.0
_POINTS = 72.0
#: Size of a figure of its own in inches; of one that fills a page, in pixels.
WIDTH = 760 / _POINTS
HEIGHT = 400 / _POINTS
WIDE = (1080.0, 376.0)
_LEGEND: Final[dict[str, Any]] = {
    "frameon": False,
    "fontsize": SMALL,
    "handlelength": 1.5,
    "handletextpad": 0.5,
    "columnspacing": 1.3,
    "labelcolor": INK,
}
#: Names of texts that are drawn again when something is added. A dot: no element of a page.
_CAPTION = "caption"
_SOURCE = "source"
LEVEL = ".level"
_BESIDE = ".beside"
#: What axes keep: their heading, what it and labels take, and what links of a page are called.
_HEAD = "_odforecast_head"
_TAKEN = "_odforecast_taken"
LINKS = "_odforecast_links"


class Head(NamedTuple):
    """What is said around a figure: what and where, what the marks are, where the data are from."""

    title: str = ""
    caption: str = ""
    source: str = ""


class Line(NamedTuple):
    """A line of a direct label."""

    text: str
    color: str = INK
    bold: bool = False
    size: float = TEXT


#: A direct label: the value it belongs to, its lines, and which of them stands at the value.
Label = tuple[float, Sequence[Line], int]


def named(value: float, text: str, color: str = INK, *more: Line) -> Label:
    """A direct label that begins with a name in bold at its value."""
    return float(value), [Line(text, color, bold=True), *more], 0


# Axes


def sheet(size: tuple[float, float] = WIDE) -> Axes:
    """Axes to draw on for a page, which shows title, caption and source as texts of its own.

    Parameters
    ----------
    size : tuple of float
        Width and height in CSS pixels, as large as the page will show it.

    Examples
    --------
    >>> import odforecast as od
    >>> od.plot.sheet((358, 300)).get_figure().get_size_inches().tolist() == [358 / 72, 300 / 72]
    True
    """
    axes: Axes = canvas(size[0] / _POINTS, size[1] / _POINTS)[1]
    reserve(axes, bare=1)
    return axes


def canvas(width: float = WIDTH, height: float = HEIGHT) -> tuple[Figure, Any]:
    """A figure of its own (no global state) of a size in inches, with one axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    layout: Any = figure.get_layout_engine()
    layout.set(w_pad=2 / _POINTS, h_pad=2 / _POINTS)
    # From edge to edge, so that a heading at the left edge takes no room beside the axes.
    return figure, quiet(figure.subplots(gridspec_kw={"left": 0.002, "right": 1}))


def axes_of(n: int, across: int, size: tuple[float, float], **shared: Any) -> list[Any]:
    """So many axes, row by row, of a figure of its own of a size in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    every = list(figure.subplots(-(-n // across), across, squeeze=False, **shared).flat)
    for spare in every[n:]:
        spare.remove()
    return [quiet(axes) for axes in every[:n]]


def drawn_on(axes: Axes | None, height: float = HEIGHT) -> Any:
    """The axes given, or those of a new figure; spines quiet either way."""
    return canvas(WIDTH, height)[1] if axes is None else quiet(axes)


def quiet(axes: Any) -> Any:
    """Only the spines that carry a scale, in gray, and small ticks."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(
        labelsize=TEXT,
        color=MUTED,
        labelcolor=MUTED,
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(fontsize=TEXT, color=MUTED)
    return axes


def blank(axes: Any) -> None:
    """No spines and no ticks: axes of a map or of a table."""
    axes.spines[:].set_visible(False)
    axes.set(xticks=[], yticks=[])


def days(months: object) -> Any:
    """Months as days, for a time axis."""
    return np.asarray(months, dtype="datetime64[M]").astype("datetime64[D]")


def thousands(axis: Any) -> None:
    """Whole numbers with thousands separators, and few of them."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_formatter(lambda value, _: minus(f"{value:,.0f}"))
    axis.set_major_locator(MaxNLocator(5, integer=True))


def levels(
    axes: Any,
    number: Callable[[float], str] = "{:,.0f}".format,
    unit: str = "deaths",
    from_zero: bool = True,
    at: Sequence[float] | None = None,
) -> None:
    """Horizontal lines with their number above them at the left, the unit after the top one."""
    from matplotlib.ticker import MaxNLocator

    if at is None:
        spans = [
            x.dataLim.intervaly for x in axes.get_shared_y_axes().get_siblings(axes)
        ]
        low = float(np.nanmin(spans))
        high = float(np.nanmax(spans))
        low, high = (low, high) if np.isfinite([low, high]).all() else (0.0, 1.0)
        most = 5 if height_of(axes) > 190 else 3
        ticks = MaxNLocator(most, steps=[1, 2, 3, 5, 10], min_n_ticks=2)
        at = ticks.tick_values(min(low, 0.0) if from_zero else low, high)
    axes.set_yticks(at)
    axes.set_ylim(at[0], at[-1])
    axes.grid(
        axis="y",
        color=GRID,
        lw=1,
    )
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.tick_params(
        axis="y",
        length=0,
        labelleft=False,
    )
    _remove(axes, LEVEL)
    for value in at[1 if from_zero and at[0] == 0 else 0 :]:
        text = f"{number(value)} {unit}".strip() if value == at[-1] else number(value)
        label(
            axes, text, at=(0, value), shift=(0, 3), color=MUTED, gid=LEVEL, across=True
        )


def of_time(axes: Any, margin: float = 0.0) -> None:
    """A horizontal axis of months from edge to edge, with ticks at Decembers.

    There a sum of 12 months is that of a calendar year. A short axis has months between. A margin
    at the left, in pixels, keeps marks clear of the numbers of the lines.
    """
    spans = [
        other.dataLim.intervalx for other in axes.get_shared_x_axes().get_siblings(axes)
    ]
    ends = float(np.min(spans)), float(np.max(spans))
    if not np.isfinite(ends).all() or ends[1] <= ends[0]:
        return
    wide = max(width_of(axes, inner=True) - margin, 1.0)
    pixel = (ends[1] - ends[0]) / wide
    axes.set_xlim(ends[0] - margin * pixel, ends[1] + min(margin, 6) * pixel)
    start, end = (np.datetime64(int(x), "D").astype("datetime64[M]") for x in ends)
    months = np.arange(start, end + ONE_MONTH)
    room = wide / months.size
    steps = [
        s for s in (1, 3, 6, 12, 24, 36, 60, 120, 240) if s >= 12 or months.size < 30
    ]
    step = next((s for s in steps if s * room >= 5.6 * TEXT), 240)
    decembers = months[months.astype(int) % 12 == 11]
    apart = (months - (decembers if decembers.size else months)[-1]).astype(int)
    shown = months[apart % step == 0]
    axes.set_xticks(days(shown), [f"{month.item():%b %Y}" for month in shown])
    between = months[(apart % min(step, 12) == 0) & (apart % step != 0)]
    axes.set_xticks(days(between), minor=True)
    axes.tick_params(
        axis="x",
        which="both",
        length=4,
        color=MUTED,
    )
    for month, text in zip(shown, axes.get_xticklabels()):
        # At the edges a label stands inside, or not at all where it would touch the next.
        left, right = (x.astype(int) * room for x in (month - start, end - month))
        free = "right" in getattr(axes, _TAKEN, {})
        if min(left + margin, right if not free else np.inf) < 2.2 * TEXT:
            side = "left" if left < right else "right"
            text.set(horizontalalignment=side, visible=step * room >= 8 * TEXT)


def of_horizons(axes: Any, horizons: Any) -> None:
    """A horizontal axis of months ahead; a line between what is revised and what is forecast."""
    first = int(min(horizons))
    last = int(max(horizons))
    axes.set_xticks([h for h in range(-12, last + 1, 3) if h >= first])
    room = (
        45 * (last - first) / max(width_of(axes) - 145, 1.0)
    )  # for the numbers of the lines
    axes.set_xlim(first - room, last + 0.2)
    nowcast = first <= 0
    axes.set_xlabel(
        "months after the last known one" + ("; to 0: nowcast" if nowcast else "")
    )
    if nowcast:
        axes.axvline(
            0.5,
            color=MUTED,
            lw=0.8,
            ls=DOTTED,
        )


# Room


def _size(axes: Any) -> tuple[float, float]:
    """Width and height of the part of the figure that a layout gives to axes, or of themselves."""
    figure = axes.get_figure(root=True)
    spec = axes.get_subplotspec()
    wide, high = (float(x) * _POINTS for x in figure.get_size_inches())
    if spec is None or figure.get_layout_engine() is None:
        at = axes.get_position()
        taken = getattr(axes, _TAKEN, {})
        beyond = float(taken.get("above", TEXT + 6) + taken.get("below", 22))
        return at.width * wide + taken.get(
            "right", 0
        ) + 4, at.height * high + beyond + 4
    grid = spec.get_gridspec()
    return wide / grid.ncols, high / grid.nrows


def width_of(axes: Any, inner: bool = False) -> float:
    """About how wide axes will be, in pixels; ``inner``: less what direct labels take."""
    return (
        _size(axes)[0]
        - 4
        - float(getattr(axes, _TAKEN, {}).get("right", 0) if inner else 0)
    )


def height_of(axes: Any) -> float:
    """About how high axes will be, in pixels."""
    taken = getattr(axes, _TAKEN, {})
    return (
        _size(axes)[1]
        - 4
        - float(taken.get("above", TEXT + 6) + taken.get("below", 22))
    )


def reserve(axes: Any, **pixels: float) -> None:
    """Keep in mind what labels and headings take ``above``, ``below`` and at the ``right``."""
    setattr(axes, _TAKEN, {**getattr(axes, _TAKEN, {}), **pixels})


def _alone(axes: Any) -> bool:
    """Whether axes fill a figure whose layout makes room for them."""
    figure = axes.get_figure(root=True)
    return len(figure.axes) == 1 and figure.get_layout_engine() is not None


def _remove(axes: Any, gid: str) -> None:
    for old in [x for x in axes.texts if x.get_gid() == gid]:
        old.remove()


# Letters


def literal(text: object) -> str:
    r"""Text that matplotlib draws as it stands: a dollar sign begins no formula.

    >>> print(literal("from $5 to $9"))
    from \$5 to \$9
    """
    return str(text).replace("$", r"\$")


@lru_cache(maxsize=8192)
def measured(text: str, size: float, weight: str | int) -> tuple[float, ...]:
    """Width, height and descent of a text, in pixels; measured once."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight=weight)
    return tuple(
        map(float, text_to_path.get_text_width_height_descent(text, font, False))
    )


def text_width(text: str, size: float, bold: bool = False) -> float:
    """How wide a text is, in pixels."""
    return measured(text, size, weight="bold" if bold else "normal")[0]


def wrapped(text: str, width: float, size: float, bold: bool = False) -> str:
    """A text in lines of at most so many pixels, broken between words."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, bold=bold) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def head_of(axes: Any) -> Head:
    """Title, caption and source of axes, for the page that shows them."""
    return Head(*getattr(axes, _HEAD, (axes.get_title(loc="left"),)))


def heading(axes: Any, title: str, below: str = "", source: str = "") -> None:
    """A title and a caption above axes and a source below them, broken where they end.

    On axes of a page they are kept and not drawn. A second heading takes the place of the first.
    """
    setattr(axes, _HEAD, Head(title, below, source=source))
    lift = 6.0 + (TEXT + 3 if any(x.get_gid() == LEVEL for x in axes.texts) else 0)
    under = 24.0 + (TEXT + 6 if axes.get_xlabel() else 0)
    reserve(axes, above=lift, below=under - 2)
    if "bare" in getattr(axes, _TAKEN):
        return
    room = width_of(axes)
    title = wrapped(literal(title), room, size=TITLE, bold=True)
    below = wrapped(literal(below), room, size=CAPTION)
    source = wrapped(literal(source), room, size=SMALL)
    pad = lift + (1.35 * CAPTION * (below.count("\n") + 1) + 3 if below else 0)
    head = axes.set_title(
        title,
        loc="left",
        fontsize=TITLE,
        color=INK,
        fontweight="bold",
        pad=pad,
    )
    left: tuple[Any, float] = ("axes fraction", 0.0)
    if _alone(axes):  # at the edge of the figure, whatever stands left of the axes
        from matplotlib.transforms import blended_transform_factory

        left = ("figure points", 2.0)
        inches = axes.get_figure(root=True).dpi_scale_trans
        head.set(
            x=2 / _POINTS,
            transform=blended_transform_factory(inches, head.get_transform()),
        )
    for text, gid, size, y, shift, va in (
        (below, _CAPTION, CAPTION, 1, lift, "bottom"),
        (source, _SOURCE, SMALL, 0, -under, "top"),
    ):
        _remove(axes, gid)
        if text:
            axes.annotate(
                text,
                (left[1], y),
                (0, shift),
                xycoords=(left[0], "axes fraction"),
                va=va,
                gid=gid,
                textcoords="offset points",
                fontsize=size,
                color=MUTED,
                linespacing=1.25,
                annotation_clip=False,
            )
    low = 1.3 * SMALL * (source.count("\n") + 1) + 2 if source else 0
    reserve(
        axes, above=pad + 1.25 * TITLE * (title.count("\n") + 1), below=under - 2 + low
    )


def heading_of_part(axes: Any, title: str) -> None:
    """The title of one of several axes of a figure."""
    axes.set_title(
        literal(title),
        fontsize=TEXT,
        loc="left",
        pad=TEXT + 8,
        color=INK,
    )


def over_all(figure: Any, title: str, size: float) -> None:
    """The title of a figure of several axes."""
    figure.suptitle(
        literal(title),
        x=0.01,
        ha="left",
        fontsize=size,
        color=INK,
        wrap=True,
    )


def signed(form: str, unit: str = "") -> Callable[[float], str]:
    """Numbers with their sign; zero has none."""
    return lambda v: minus(f"{v:{form}}{unit}") if v else f"0{unit}"


def label(
    axes: Any,
    text: str,
    at: tuple[Any, Any],
    shift: tuple[float, float],
    color: str = INK,
    *,
    size: float = TEXT,
    bold: bool = False,
    ha: str = "left",
    va: str = "bottom",
    across: bool = False,
    gid: str | None = None,
) -> None:
    """One line of text beside a point of the data, legible over what is drawn there.

    ``across``: the point's first coordinate is a share of the axes' width.
    """
    from matplotlib.patheffects import withStroke

    axes.annotate(
        literal(text),
        at,
        shift,
        xycoords=("axes fraction" if across else "data", "data"),
        textcoords="offset points",
        color=color,
        fontsize=size,
        ha=ha,
        va=va,
        zorder=6,
        gid=gid,
        fontweight="bold" if bold else "normal",
        annotation_clip=False,
        path_effects=[withStroke(linewidth=2.5, foreground=PAPER)],
    )


def beside(
    axes: Any, at: Sequence[Label], fixed: int | None = None, gap: float = 8.0
) -> None:
    """Direct labels at the right edge, moved apart where they would overlap.

    From the highest value to the lowest: the one that is ``fixed`` stays, or that in the middle.
    """
    _remove(axes, _BESIDE)
    at = sorted(at, key=lambda each: -each[0]) if fixed is None else at
    fixed = len(at) // 2 if fixed is None else fixed
    wide = [
        text_width(x.text, x.size, bold=x.bold) for _, lines, _ in at for x in lines
    ]
    reserve(axes, right=gap + max(wide, default=0.0))
    low, high = axes.get_ylim()
    scale = height_of(axes) / max(high - low, 1e-9)
    heights = [[1.28 * line.size for line in lines] for _, lines, _ in at]
    tops = [
        (value - low) * scale + sum(tall[:which]) + tall[which] / 2
        for tall, (value, _, which) in zip(heights, at)
    ]
    for i in range(fixed - 1, -1, -1):
        tops[i] = max(tops[i], tops[i + 1] + sum(heights[i]))
    for i in range(fixed + 1, len(at)):
        tops[i] = min(tops[i], tops[i - 1] - sum(heights[i - 1]))
    floor = 0.0
    for i in range(len(at) - 1, -1, -1):  # none below the axes
        if tops[i] - sum(heights[i]) >= floor:
            break
        floor = tops[i] = floor + sum(heights[i])
    for y, tall, (value, lines, _) in zip(tops, heights, at):
        for line, step in zip(lines, tall):
            y -= step
            shift = (gap, y + 0.2 * line.size - (value - low) * scale)
            label(
                axes,
                line.text,
                at=(1, value),
                shift=shift,
                color=line.color,
                size=line.size,
                bold=line.bold,
                va="baseline",
                across=True,
                gid=_BESIDE,
            )


def legend(*grid: Any, **keywords: Any) -> None:
    """Each label once, below all axes in as many columns as fit; no box.

    A figure without a layout of its own would cut it off: there it stands where it hides least.
    """
    seen: dict[str, Any] = {}
    for axes in grid:
        if (own := axes.get_legend()) is not None:
            own.remove()
        for handle, name in zip(*axes.get_legend_handles_labels()):
            seen.setdefault(name, handle)
    figure = grid[0].get_figure(root=True)
    where = {**_LEGEND, **keywords}
    if len(grid) == 1 and not _alone(grid[0]):
        grid[0].legend(list(seen.values()), list(seen), loc="best", **where)
    elif seen:
        wide = [text_width(name, SMALL) + 3.5 * SMALL for name in seen]
        room = _POINTS * float(figure.get_size_inches()[0]) - 20 + 1.3 * SMALL
        # Filled downwards; as many columns as fit.
        columns = (np.array_split(wide, n) for n in range(len(wide), 1, -1))
        fits = (len(c) for c in columns if sum(float(x.max()) for x in c) <= room)
        where.setdefault("ncols", next(fits, 1))
        figure.legend(
            list(seen.values()), list(seen), loc="outside lower left", **where
        )
