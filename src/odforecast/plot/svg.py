"""matplotlib's SVG of a figure, rewritten for pages; imported when the first one is drawn."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from html import escape
from itertools import groupby
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from matplotlib import rc_context
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_svg import RendererSVG

from odforecast.plot.style import COLORS, measured

_VARIABLES = {light: f"var(--{name}, {light})" for name, light in COLORS.items()}
#: The name of letters over data while a figure is written, and the edge of paper around them.
_HALO = ".halo"
_EDGE = {
    "paint-order": "stroke",
    "stroke": _VARIABLES[COLORS["paper"]],
    "stroke-width": "3",
}
#: Declarations that pages set themselves, or that are SVG's own rule.
_LEFT_OUT = {"font-family", "stroke-linejoin", "stroke-dashoffset"}
_RULES = {
    ("stroke-width", "1"),
    ("stroke-linecap", "butt"),
    ("stroke-linecap", "square"),
    ("text-anchor", "start"),
}
#: Letters of pages are narrower than those that matplotlib makes room for.
_NARROWER = 0.92
#: Ascent, descent and gap of lines of letters of size 1: those of DejaVu Sans, matplotlib's own.
_HEIGHTS = (1556 / 2048, 492 / 2048, 410 / 2048)


class Part(NamedTuple):
    """An element of a figure."""

    #: Where it leads; empty: nowhere.
    address: str
    text: str


def elements(figure: Any, key: str, names: Mapping[str, str]) -> tuple[str, bool]:
    """The elements of a figure, which is then as it was, and whether there are links among them.

    Texts stay texts, colors are the page's variables, and every ``id`` begins with the key. Links
    are called by their names; neighbors with the same address are one.
    """
    parts = list(Rewriter(key).parts(_written(figure, key)))
    links = any(part.address for part in parts)
    body = []
    for address, neighbors in groupby(parts, key=lambda part: part.address):
        text = "".join(part.text for part in neighbors)
        if address:
            link = {"href": address, "aria-label": names.get(address)}
            text = f"<a{_attributes(link)}>{text}</a>"
        body.append(text)
    return "".join(body), links


class Renderer(RendererSVG):
    """matplotlib's writer of SVG with sizes of letters that are looked up once for all figures."""

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> Any:  # noqa: ARG002
        """How large a text is in the letters of pages."""
        sizes = measured(s, prop.get_size_in_points(), weight=prop.get_weight())
        return tuple(_NARROWER * size for size in sizes)

    def _get_font_height_metrics(self, prop: Any) -> tuple[float, ...]:
        return tuple(
            _NARROWER * prop.get_size_in_points() * share for share in _HEIGHTS
        )


def _written(figure: Any, key: str) -> ET.Element:
    """What matplotlib writes, without paper; the figure is then as it was."""
    buffer = io.StringIO()
    width, height = 72 * figure.get_size_inches()
    with ExitStack() as stack:

        def change(artist: Any, **values: object) -> None:
            before = {name: getattr(artist, f"get_{name}")() for name in values}
            stack.callback(artist.set, **before)
            artist.set(**values)

        stack.enter_context(rc_context({"svg.fonttype": "none", "svg.hashsalt": key}))
        stack.callback(figure.set_canvas, figure.canvas)
        change(figure, dpi=72)
        for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
            change(patch, visible=False)
        for text in (text for axes in figure.axes for text in axes.texts):
            if text.get_path_effects():  # with these, letters would become outlines
                change(text, path_effects=[], gid=_HALO)
        renderer: Any = Renderer(width, height, buffer)  # type: ignore[no-untyped-call]
        canvas: Any = FigureCanvasBase(figure)
        canvas.get_renderer = lambda: renderer
        figure.draw(renderer)
        renderer.finalize()
    return ET.fromstring(buffer.getvalue())


class Rewriter:
    """Elements of matplotlib as elements of a page."""

    def __init__(self, key: str) -> None:
        self.key = key
        #: Short names of shapes that are drawn more than once, by matplotlib's.
        self.shapes: dict[str, str] = {}

    def parts(
        self, parent: ET.Element, address: str = "", halo: bool = False
    ) -> Iterator[Part]:
        """What is inside an element; groups that say nothing are opened."""
        for child in parent:
            tag = child.tag.rpartition("}")[2]
            if tag in ("metadata", "style"):
                continue
            if tag == "a":
                yield from self.parts(child, _href(child), halo=halo)
                continue
            over_data = halo or child.get("id") == _HALO
            attributes = self._attributes(child, tag, over_data)
            if tag == "g" and not attributes:
                yield from self.parts(child, address, halo=over_data)
            elif tag != "path" or "fill" not in attributes or _visible(attributes):
                inside = "".join(
                    part.text for part in self.parts(child, halo=over_data)
                )
                content = (
                    escape(child.text or "", quote=False) if tag == "text" else inside
                )
                if content:
                    yield Part(
                        address, f"<{tag}{_attributes(attributes)}>{content}</{tag}>"
                    )
                elif tag not in ("g", "defs"):
                    yield Part(address, f"<{tag}{_attributes(attributes)}/>")

    def _attributes(
        self, element: ET.Element, tag: str, halo: bool
    ) -> dict[str, str | None]:
        """The attributes of an element: no style, and an id only where something needs it."""
        found: dict[str, str | None] = {}
        if tag == "g":
            _lift_style(element)
        for name, value in element.items():
            if name == "id":
                found["id"] = self._id(value, tag)
            elif name == "d":
                found["d"] = _path(value)
            elif name == "style":
                found |= self._style(value)
            elif name == "clip-path":
                found["clip-path"] = self._reference(value)
            elif name.endswith("href"):
                found["href"] = self._reference(value)
            elif not value.startswith("rotate(-0 "):
                found[name] = _VARIABLES.get(value) or _rounded(value, 1)
        if tag == "text" and halo:
            found |= _EDGE
        return {name: value for name, value in found.items() if value is not None}

    def _id(self, name: str, tag: str) -> str | None:
        if tag != "g":
            return self._shape(name)
        by_matplotlib = re.search(r"_\d+$", name)
        return None if by_matplotlib or name.startswith(".") else f"{self.key}-{name}"

    def _shape(self, name: str) -> str:
        return self.shapes.setdefault(name, f"{self.key}-{len(self.shapes)}")

    def _reference(self, text: str) -> str:
        return re.sub(r"#([\w-]+)", lambda match: f"#{self._shape(match[1])}", text)

    def _style(self, text: str) -> dict[str, str]:
        """Declarations as attributes: a strict policy of content forbids styles."""
        found = {}
        for declaration in text.split("; "):
            name, _, value = declaration.partition(": ")
            value = _rounded(value.removesuffix("px"), 2)
            if name in _LEFT_OUT or (name, value) in _RULES:
                continue
            if value.startswith("url"):
                value = self._reference(value)
            elif value == "#000000":
                value = "currentColor"
            found[name] = _VARIABLES.get(value, value)
        return found


def _lift_style(group: ET.Element) -> None:
    """The style that all uses of a shape share is their group's."""
    styles = {child.get("style") for child in group if child.tag.endswith("}use")}
    if len(styles) == 1 and len(group) > 1 and (style := styles.pop()):
        group.set("style", style)
        for child in group:
            child.attrib.pop("style", None)


def _visible(attributes: Mapping[str, object]) -> bool:
    return attributes["fill"] != "none" or "stroke" in attributes


def _href(link: ET.Element) -> str:
    return next(value for name, value in link.items() if name.endswith("href"))


def _path(text: str) -> str:
    """A path without what does not matter."""
    digits = 2 if re.search("[CQ]", text) else 1
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", _rounded(text, digits)).strip()


def _rounded(text: str, digits: int) -> str:
    """A text whose decimal numbers have at most so many digits."""

    def short(match: re.Match[str]) -> str:
        return f"{float(match[0]):z.{digits}f}".rstrip("0").rstrip(".")

    return re.sub(r"-?\d+\.\d+(?:e[-+]?\d+)?", short, text)


def _attributes(values: Mapping[str, str | None]) -> str:
    known = ((name, value) for name, value in values.items() if value is not None)
    return "".join(f' {name}="{escape(value)}"' for name, value in known)
