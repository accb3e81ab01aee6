"""Figures inside pages: matplotlib's SVG, cleaned, with text as text and colors as variables."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from odforecast.plot.output import alt_text, figure_of, title_of
from odforecast.plot.style import COLORS, LINKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_NAMES = {"#000000": "currentColor"} | {
    light: f"var(--{name}, {light})" for name, (light, _) in COLORS.items()
}
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
#: What matplotlib says of every line or text though it is the rule.
_USUAL = {
    ("stroke-linejoin", "round"), ("stroke-linejoin", "miter"), ("stroke-linecap", "square"),
    ("stroke-linecap", "butt"), ("text-anchor", "start"), ("fill-opacity", "1"),
    ("stroke-width", "1"), ("fill-rule", "nonzero"), ("font-weight", "400"),
}  # fmt: skip
#: Letters of pages are narrower than those that matplotlib makes room for.
_NARROWER = 0.92
#: Texts over data, and the edge of the paper's color around their letters.
_HALO = "halo:"
_EDGE = f' paint-order="stroke" stroke="var(--paper, {COLORS["paper"][0]})" stroke-width="3"'


def variables(dark: bool = False) -> str:
    """The colors of figures as CSS declarations, on light or on dark paper.

    Examples
    --------
    >>> variables()[:30], variables(dark=True)[:14]
    ('--ink:#17202a;--muted:#55606c;', '--ink:#e9edf1;')
    """
    return "".join(f"--{name}:{both[dark]};" for name, both in COLORS.items())


def inline(
    axes: Axes | Figure | NDArray[Any],
    key: str,
    *,
    label: str = "",
) -> str:
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
    import matplotlib
    from matplotlib.text import Text

    figure = figure_of(axes)
    buffer = io.BytesIO()
    halos = [x for one in figure.axes for x in one.texts if x.get_path_effects()]
    before = [(x.get_path_effects(), x.get_gid()) for x in halos]
    patches = [p for p in (figure.patch, *(one.patch for one in figure.axes)) if p.get_visible()]
    letters = [(x, x.get_fontsize()) for x in figure.findobj(Text)]
    for text, size in letters:
        text.set_fontsize(_NARROWER * size)
    gids = {str(x.get_gid()) for x in figure.findobj() if x.get_gid()}
    for text in halos:
        text.set(path_effects=[], gid=f"{_HALO}{text.get_gid() or ''}")
    for patch in patches:
        patch.set_visible(False)
    try:
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": key}):
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    finally:
        for text, (effects, gid) in zip(halos, before):
            text.set(path_effects=effects, gid=gid)
        for text, size in letters:
            text.set_fontsize(size)
        for patch in patches:
            patch.set_visible(True)
    names = {k: v for one in figure.axes for k, v in getattr(one, LINKS, {}).items()}
    root = ElementTree.fromstring(buffer.getvalue())
    made = _Cleaner(key, {g for g in gids if not g.startswith(".")}, names)
    body = "".join(made.children(root))
    width, height = (72 * float(x) for x in figure.get_size_inches())
    said = f"{label or title_of(figure)}. {alt_text(axes)}"
    role = "group" if made.links else "img"
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" class="figure" id="{escape(key)}" role="{role}" '
        f'aria-label="{escape(said)}" fill="currentColor" stroke-linejoin="round"'
        f"{_scales(figure, width, height)}>{body}</svg>"
    )


def _scales(figure: Any, width: float, height: float) -> str:
    """Where the first axes lie, and the values at their edges."""
    axes = figure.axes[0]
    box = axes.get_position()
    edges = (box.x0 * width, (1 - box.y1) * height, box.x1 * width, (1 - box.y0) * height)
    numbers = {"box": edges, "x": axes.get_xlim(), "y": axes.get_ylim()}
    return "".join(
        f' data-{name}="{" ".join(f"{x:.6g}" for x in values)}"' for name, values in numbers.items()
    )


class _Cleaner:
    """Elements of matplotlib's SVG as short ones: attributes for styles, no names by chance."""

    def __init__(self, key: str, gids: set[str], names: dict[str, str]) -> None:
        self.key, self.gids, self.names = key, gids, names
        self.links = False

    def children(self, element: Any) -> Iterator[str]:
        """What is inside an element; neighbors with the same address are one link."""
        address, inside = "", ""
        for child in element:
            link, text = self._element(child)
            if link != address:
                yield self._link(address, inside)
                address, inside = link, ""
            inside += text
        yield self._link(address, inside)

    def _link(self, address: str, inside: str) -> str:
        if not address:
            return inside
        self.links = True
        name = self.names.get(address, "")
        said = f' aria-label="{escape(name)}"' if name else ""
        return f'<a href="{escape(address)}"{said}>{inside}</a>'

    def _element(self, element: Any) -> tuple[str, str]:
        """The address of an element that is a link all through, and the element."""
        tag = element.tag.rpartition("}")[2]
        at = {k.rpartition("}")[2]: v for k, v in element.attrib.items()}
        if tag in ("metadata", "style", "title") or (tag == "g" and not len(element)):
            return "", ""
        if tag == "defs":
            inside = "".join(self.children(element))
            return "", f"<defs>{inside}</defs>" if inside else ""
        if tag == "a":
            return at.get("href", ""), "".join(self.children(element))
        if tag == "g":
            one = len(element) == 1
            link, inside = (
                self._element(element[0]) if one else ("", "".join(self.children(element)))
            )
            kept = self._attributes({k: v for k, v in at.items() if k == "clip-path"})
            gid = at.get("id", "")
            if gid.startswith(_HALO):
                gid, kept = gid.removeprefix(_HALO), f"{kept}{_EDGE}"
            name = self._id(gid) if gid in self.gids else ""
            return link, f"<g{name}{kept}>{inside}</g>" if inside and (name or kept) else inside
        if tag == "text":
            text = escape("".join(element.itertext()), quote=False)
            return "", f"<text{self._attributes(at)}>{text}</text>"
        inside = "".join(self.children(element))
        name = self._id(at["id"]) if "id" in at else ""
        return "", f"<{tag}{name}{self._attributes(at)}" + (
            f">{inside}</{tag}>" if inside else "/>"
        )

    def _id(self, name: str) -> str:
        return f' id="{escape(self.key)}-{escape(name)}"' if name else ""

    def _attributes(self, at: Mapping[str, str]) -> str:
        """Attributes with the parts of a style among them, numbers short, colors by name."""
        parts = dict(p.split(":", 1) for p in at.get("style", "").split(";") if ":" in p)
        style = {k.strip(): v.strip() for k, v in parts.items()}
        if "font" in style:  # such as: bold 12px 'DejaVu Sans', sans-serif
            words = style.pop("font").partition("px")[0].split()
            style["font-size"] = words[-1]
            if "bold" in words or "700" in words:
                style["font-weight"] = "700"
        style.pop("font-family", None)
        if "font-size" in style:
            style["font-size"] = f"{float(style['font-size'].removesuffix('px')) / _NARROWER:.4g}"
        out = []
        for name, value in {
            **{k: v for k, v in at.items() if k not in ("style", "id")},
            **style,
        }.items():
            value = _short(name, value, 2 if "id" in at else 1)
            if value and (name, value) not in _USUAL:
                if name == "href" and value.startswith("#"):
                    value = f"#{self.key}-{value[1:]}"
                value = value.replace("url(#", f"url(#{self.key}-")
                out.append(f' {name}="{escape(value)}"')
        return "".join(out)


def _short(name: str, value: str, decimals: int) -> str:
    """A value without what does not matter."""
    if value in _NAMES:
        return _NAMES[value]
    if name == "transform" and value.startswith("rotate(-0"):
        return ""
    if name.startswith(("data-", "href", "clip-path")):
        return value
    value = _NUMBER.sub(lambda m: f"{float(m[0]):z.{decimals}f}".rstrip("0").rstrip("."), value)
    if name == "d":
        value = re.sub(r"\s*([A-Za-z])\s*", r"\1", value).strip()
    return value.removesuffix("px")
