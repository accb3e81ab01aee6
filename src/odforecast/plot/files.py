"""Finished figures: what they say to who cannot see them, figures as files, and inside pages."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import partial
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import DataError
from odforecast.io import replacing
from odforecast.plot.style import LINKS, Head, Label, beside, head_of, heading, of_time

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["alt_text", "inline", "save"]

#: Kinds of files, and what is left out of each so that the same figure gives the same bytes.
_WRITTEN: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_SAID = "_odforecast_alt"


def finish(
    axes: Any,
    head: Head,
    said: str,
    labels: Sequence[Label] = (),
    *,
    fixed: int | None = None,
    gap: float = 8.0,
    time: bool = False,
    margin: float = 0.0,
) -> Axes:
    """The end of every figure: its heading, direct labels, months and alt text."""
    heading(axes, *head)
    if labels:
        beside(axes, labels, fixed=fixed, gap=gap)
    if time:
        of_time(axes, margin)
    describe(axes, said)
    done: Axes = axes
    return done


def describe(axes: Any, sentence: str) -> None:
    """Keep with the axes what was drawn on them, in a sentence with its numbers."""
    said = getattr(axes, _SAID, ())
    if sentence not in said:
        setattr(axes, _SAID, (*said, sentence))
    # A notebook shows by itself what pyplot holds, and this figure is not pyplot's.
    axes._repr_svg_ = partial(_as_svg, axes)


def alt_text(axes: Axes | Figure | NDArray[Any]) -> str:
    """What a figure shows, in a sentence or two with the numbers, for who cannot see it.

    Parameters
    ----------
    axes : Axes, Figure, or array of Axes
        Drawn by functions of :mod:`odforecast.plot`.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> print(od.plot.alt_text(od.plot.counts(panel, "Ohio")))
    Drug overdose deaths in Ohio, 12 months ending, as of January 14, 2026: ...
    """
    if not (sentences := _sentences(_axes_in(axes))):
        raise DataError(
            "nothing of odforecast.plot was drawn on these axes, so there is nothing to say",
            hint="draw with odforecast.plot first, for example odforecast.plot.fan(forecast)",
        )
    return " ".join(sentences)


def save(
    axes: Axes | Figure | NDArray[Any],
    path: str | os.PathLike[str],
    *,
    dpi: float = 150,
) -> Path:
    """Write the figure of some axes; the same figure gives the same bytes.

    Parameters
    ----------
    axes : Axes, Figure, or array of Axes
        The whole figure is written.
    path : path
        Its suffix says how: ``.png``, ``.svg`` or ``.pdf``. A file that is there is replaced.
    dpi : float
        Dots per inch, of PNG.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> axes = od.plot.counts(panel, "Ohio")
    >>> od.plot.save(axes, tempfile.mkdtemp() + "/ohio.svg").name
    'ohio.svg'
    """
    import matplotlib

    target = Path(path)
    kind = target.suffix.lower().lstrip(".")
    if kind not in _WRITTEN:
        raise DataError(
            f"path is {str(target)!r}: a figure cannot be written as {target.suffix or 'that'!r}",
            hint="use .png, .svg or .pdf",
        )
    figure = figure_of(axes)
    title = title_of(figure)
    said = " ".join(_sentences(figure.axes))
    about = {**_WRITTEN[kind], "Title": title}
    if kind != "svg":
        about["Subject" if kind == "pdf" else "Description"] = said
    # Letters as outlines, so that it looks the same everywhere; no names by chance.
    fixed = matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": title})
    with fixed, replacing(target) as part:
        figure.savefig(
            part,
            format=kind,
            dpi=dpi,
            metadata=about,
        )
        if kind == "svg":
            text = _described(part.read_text(encoding="utf-8"), title, said=said)
            part.write_text(text, encoding="utf-8")
    return target


def inline(axes: Axes | Figure | NDArray[Any], key: str, *, label: str = "") -> str:
    """A figure as an SVG element for a page, the same bytes for the same numbers.

    Texts stay texts in the page's own type, colors are the page's variables (``--forecast``, with
    the light color where a page defines none), nothing needs a ``style`` attribute, so a strict
    policy of content lets it in. Elements with a ``gid`` keep it, behind the key; those with an
    address (``set_url``) are links.

    Parameters
    ----------
    axes : Axes, Figure, or array of Axes
        Drawn by functions of :mod:`odforecast.plot`, best on :func:`sheet`.
    key : str
        Tells the figure apart from others of the page; begins every ``id``.
    label : str, optional
        What the figure is called; default: its title.

    Returns
    -------
    str
        With ``data-box`` (left, top, right, bottom of the axes), ``data-x`` and ``data-y`` (the
        values there; time in days since 1970) for scripts that read values at a point.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> axes = od.plot.counts(panel, "Ohio", axes=od.plot.sheet((358, 300)))
    >>> od.plot.inline(axes, "ohio")[:50]
    '<svg viewBox="0 0 358 300" class="figure" id="ohio'
    """
    from odforecast.plot.svg import elements

    figure = figure_of(axes)
    names = {k: v for one in figure.axes for k, v in getattr(one, LINKS, {}).items()}
    body, links = elements(figure, key, names=names)
    width, height = (72 * float(x) for x in figure.get_size_inches())
    said = f"{label or title_of(figure)}. {alt_text(axes)}"
    first = figure.axes[0]
    at = first.get_position()
    edges = (at.x0 * width, (1 - at.y1) * height, at.x1 * width, (1 - at.y0) * height)
    scales = "".join(
        f' data-{name}="{" ".join(f"{x:.6g}" for x in values)}"'
        for name, values in (
            ("box", edges),
            ("x", first.get_xlim()),
            ("y", first.get_ylim()),
        )
    )
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" class="figure" id="{escape(key)}" '
        f'role="{"group" if links else "img"}" aria-label="{escape(said)}" fill="currentColor" '
        f'stroke-linejoin="round"{scales}>{body}</svg>'
    )


def _described(text: str, title: str, said: str) -> str:
    """An SVG with its title and description where readers of screens look for them."""
    text = re.sub(r"\s*<title>.*?</title>", "", text, count=1, flags=re.DOTALL)
    head = re.search(r"<svg\b[^>]*>", text)
    assert head is not None
    names = "title desc" if said else "title"
    opened = f'{head[0][:-1]} role="img" aria-labelledby="{names}">'
    lines = f'\n <title id="title">{escape(title)}</title>'
    if said:
        lines += f'\n <desc id="desc">{escape(said)}</desc>'
    return text[: head.start()] + opened + lines + text[head.end() :]


class Grid(np.ndarray[Any, Any]):
    """Axes of one figure, which a notebook shows as that figure."""

    @property
    def figure(self) -> Figure:
        """The figure that they are on."""
        found: Figure = self.flat[0].get_figure(root=True)
        return found

    def _repr_svg_(self) -> str | None:
        return _as_svg(self.flat[0]) if self.size else None


def _as_svg(axes: Axes) -> str:
    """The figure of some axes as a notebook shows it."""
    with TemporaryDirectory() as folder:
        return save(axes, Path(folder, "figure.svg")).read_text(encoding="utf-8")


def _axes_in(axes: Any) -> list[Any]:
    if hasattr(axes, "axes") and isinstance(axes.axes, list):  # a figure
        return list(axes.axes)
    if hasattr(axes, "ravel"):
        return [one for one in axes.ravel() if one is not None]
    return list(axes) if isinstance(axes, list | tuple) else [axes]


def figure_of(axes: Any) -> Any:
    """The figure of some axes."""
    if not (inside := _axes_in(axes)):
        raise DataError("there are no axes, so there is no figure to write")
    return inside[0].get_figure(root=True)


def _sentences(grid: Sequence[Any]) -> list[str]:
    return list(dict.fromkeys(s for one in grid for s in getattr(one, _SAID, ())))


def title_of(figure: Any) -> str:
    """The title of the figure, or those of its axes."""
    over = figure.get_suptitle()
    titles = [
        t for x in figure.axes for t in (head_of(x).title, x.get_title(loc="center"))
    ]
    shown = (
        "; ".join(dict.fromkeys(t for t in ([over] if over else titles) if t))
        or "Figure"
    )
    return " ".join(shown.replace(r"\$", "$").split())
