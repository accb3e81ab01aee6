"""The house style: colours, sizes, axes, headings and legends of every figure.

Colours are of the set of Okabe and Ito (2008), which people tell apart whichever cones they lack;
nothing is said by colour alone. Letters have 9 points or more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Forecast, and contrast to it.
BLUE, ORANGE = "#0072b2", "#d55e00"
#: What is known, and what lies beside the point.
BLACK, GREY, PALE = "#1a1a1a", "#6b7280", "#e5e7eb"
#: One after another, for models and scenarios.
PALETTE = (BLUE, ORANGE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
#: Shapes that go with them: no series is known by its colour alone.
MARKERS = ("o", "s", "^", "D", "v", "P")

#: Points: titles, labels, and the smallest letters of a figure.
TITLE, TEXT, SMALL = 13.0, 10.0, 9.0
#: Inches: one figure on a slide.
WIDTH, HEIGHT = 7.6, 4.4
_POINTS = 72.0
#: What :func:`columns_for` reckons with.
_LEGEND: dict[str, Any] = {
    "frameon": False, "fontsize": SMALL, "handlelength": 1.5, "handletextpad": 0.5,
    "columnspacing": 1.3,
}  # fmt: skip


@contextmanager
def style() -> Iterator[None]:
    """Settings of matplotlib under which figures are drawn; those of before are put back.

    Examples
    --------
    >>> import matplotlib
    >>> with style():
    ...     matplotlib.rcParams["axes.spines.top"]
    False
    """
    import matplotlib

    settings: Any = {
        "font.size": TEXT,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": GREY,
        "axes.labelsize": TEXT,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "legend.fontsize": SMALL,
        "legend.frameon": False,
        "hatch.linewidth": 0.6,
    }
    with matplotlib.rc_context(settings):
        yield


def canvas(width: float = 7.2, height: float = 3.6) -> tuple[Figure, Any]:
    """A figure of its own (no global state), with one axes and quiet spines.

    Parameters
    ----------
    width, height : float
        Inches.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
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
    """Only the spines that carry a scale, in grey, and small ticks."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(labelsize=SMALL, color=GREY)


def days(months: object) -> Any:
    """Months as days, for a time axis."""
    return np.asarray(months, dtype="datetime64[M]").astype("datetime64[D]")


def thousands(axis: Any) -> None:
    """Whole numbers with thousands separators, and few of them."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.set_major_locator(MaxNLocator(5, integer=True))


def of_counts(axes: Any, from_zero: bool = True) -> None:
    """A vertical axis of counts: from zero, unless what matters is small beside the count."""
    thousands(axes.yaxis)
    if from_zero:
        # Of all that is drawn so far, on axes that share the scale too: a limit once set stays.
        axes.set_autoscaley_on(True)
        axes.autoscale_view(scalex=False)
        axes.set_ylim(0, axes.get_ylim()[1])


def of_time(axes: Any) -> None:
    """A horizontal axis of months; as many ticks as there is room for, years where they do."""
    import matplotlib.dates as dates

    most = max(3, int(width_of(axes) / 44))
    first, last = axes.get_xlim()
    years = (last - first) / 365.25
    ticks: Any
    if years > 2.5:
        step = next((s for s in (1, 2, 5, 10, 20) if years / s <= most + 0.5), 50)
        ticks = dates.YearLocator(step)  # type: ignore[no-untyped-call]
    else:
        ticks = dates.AutoDateLocator(minticks=2, maxticks=most)  # type: ignore[no-untyped-call]
    form = dates.ConciseDateFormatter(ticks, show_offset=False)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(ticks)
    axes.xaxis.set_major_formatter(form)


def of_horizons(axes: Any, horizons: Any) -> None:
    """A horizontal axis of months ahead; a line between what is revised and what is forecast."""
    first, last = int(min(horizons)), int(max(horizons))
    axes.set_xticks([h for h in range(-12, last + 1, 3) if h >= first])
    nowcast = first <= 0
    axes.set_xlabel("months after the last known one" + ("; to 0: nowcast" if nowcast else ""))
    if nowcast:
        axes.axvline(0.5, color=GREY, lw=0.8, ls=":")


def width_of(axes: Any) -> float:
    """About how wide axes are, in points; a layout that is still to come makes them wider."""
    figure = axes.get_figure(root=True)
    return float(axes.get_position().width * figure.get_size_inches()[0] * _POINTS)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """How wide a text is, in points."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size).get_extents().width) if text.strip() else 0.0


def wrapped(text: str, width: float, size: float) -> str:
    """A text in lines of at most so many points, broken between words."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def heading(axes: Any, title: str, below: str = "") -> None:
    """A title at the left, and below it, in grey, what is shown and as of which day.

    Both are broken where the axes end. A second heading takes the place of the first.
    """
    room = width_of(axes)
    for old in [t for t in axes.texts if t.get_gid() == "below the title"]:
        old.remove()
    shown = wrapped(below, room, SMALL) if below else ""
    lines = shown.count("\n") + 1 if shown else 0
    axes.set_title(
        wrapped(title, room, TITLE), loc="left", fontsize=TITLE, color=BLACK,
        pad=6 + 1.4 * SMALL * lines,
    )  # fmt: skip
    if shown:
        note = axes.annotate(
            shown, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points",
            fontsize=SMALL, color=GREY, va="bottom", linespacing=1.25, annotation_clip=False,
        )  # fmt: skip
        note.set_gid("below the title")


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
