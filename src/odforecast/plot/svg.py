"""A renderer that writes short SVG for pages; imported when the first figure of a page is drawn."""

from __future__ import annotations

import math
from html import escape
from itertools import groupby
from typing import Any

from matplotlib.backend_bases import FigureCanvasBase, RendererBase
from matplotlib.colors import rgb2hex
from matplotlib.transforms import Affine2D, Transform

from odforecast.plot.style import COLORS, measured

_NAMES = {light: f"var(--{name}, {light})" for name, light in COLORS.items()}
#: Letters of pages are narrower than those that matplotlib makes room for.
_NARROWER = 0.92
#: Ascent, descent and gap of lines of letters of size 1: those of DejaVu Sans, matplotlib's own.
_HEIGHTS = tuple(_NARROWER * units / 2048 for units in (1556, 492, 410))
#: The edge of the paper's color around letters over data.
_EDGE = {"paint-order": "stroke", "stroke": _NAMES[COLORS["paper"]], "stroke-width": 3}
_ANCHORS = {"center": "middle", "right": "end"}
#: Letters of a path by code, and the vertices of each.
_CODES = {1: ("M", 1), 2: ("L", 1), 3: ("Q", 2), 4: ("C", 3), 79: ("Z", 0)}


def short(value: float, digits: int = 1) -> str:
    """A number without what does not matter."""
    return f"{value:z.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:z.0f}"


def attributes(**values: object) -> str:
    """Attributes that are known, in their order."""
    known = ((k.replace("_", "-"), v) for k, v in values.items() if v is not None)
    return "".join(
        f' {k}="{escape(v) if isinstance(v, str) else short(v, 2)}"'  # type: ignore[arg-type]
        for k, v in known
    )


class PageRenderer(RendererBase):
    """Draws a figure as elements: texts as texts, colors as variables, names behind a key.

    One serves all figures, so that matplotlib measures each text once. Neighbors with the same
    address are one link.
    """

    def begin(self, key: str, width: float, height: float, halos: set[Any]) -> None:
        """A new figure; around the letters of ``halos`` is an edge of the paper's color."""
        self.key = key
        self.width = width
        self.height = height
        self.halos = halos
        self._parts: list[tuple[str, str]] = []
        self._open: list[tuple[int, str]] = []
        self._defined: dict[object, tuple[str, str]] = {}

    def body(self, names: dict[str, str]) -> tuple[str, bool]:
        """All elements, with links called by their names; and whether there are links."""
        shapes = "".join(text for _, text in self._defined.values())
        out = [f"<defs>{shapes}</defs>"] if shapes else []
        for address, group in groupby(self._parts, key=lambda part: part[0]):
            inside = "".join(text for _, text in group)
            said = attributes(href=address, aria_label=names.get(address))
            out.append(f"<a{said}>{inside}</a>" if address else inside)
        return "".join(out), any(address for address, _ in self._parts)

    # What matplotlib asks

    def flipy(self) -> bool:
        """Whether y grows downward."""
        return True

    def get_canvas_width_height(self) -> tuple[float, float]:
        """In pixels."""
        return self.width, self.height

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> Any:  # noqa: ARG002
        """How large a text is."""
        found = measured(s, prop.get_size_in_points(), weight=prop.get_weight())
        return tuple(_NARROWER * x for x in found)

    def _get_font_height_metrics(self, prop: Any) -> tuple[float, ...]:
        """How high a line is; matplotlib would look for the font again at each text."""
        return tuple(prop.get_size_in_points() * x for x in _HEIGHTS)

    def open_group(self, s: str, gid: str | None = None) -> None:  # noqa: ARG002
        """Elements with a name of their own; a dot before it: none in a page."""
        name = gid if gid and not gid.startswith(".") else ""
        self._open.append((len(self._parts), name))

    def close_group(self, s: str) -> None:  # noqa: ARG002
        """The end of a group."""
        first, name = self._open.pop()
        inside = self._parts[first:]
        if name and inside:
            named = attributes(id=f"{self.key}-{name}")
            self._parts[first:] = [("", f"<g{named}>{''.join(x for _, x in inside)}</g>")]

    def draw_path(self, gc: Any, path: Any, transform: Any, rgbFace: Any = None) -> None:
        """A line or a face."""
        line = rgbFace is None and gc.get_hatch_path() is None
        said = self._path(path, transform, simplify=line and path.should_simplify, clip=line)
        if said:
            self._add(gc, f"<path{attributes(d=said)}{self._style(gc, rgbFace)}/>")

    def draw_markers(
        self,
        gc: Any,
        marker_path: Any,
        marker_trans: Any,
        path: Any,
        trans: Any,
        rgbFace: Any = None,
    ) -> None:
        """The same shape in several places."""
        points = [tuple(v[-2:]) for v, _ in path.iter_segments(trans, simplify=False) if len(v)]
        shape = marker_trans.transform_path(marker_path)
        if len(points) < 2:
            for x, y in points:
                self.draw_path(gc, shape, transform=Affine2D().translate(x, y), rgbFace=rgbFace)
            return
        said = self._path(shape, Affine2D().translate(0, self.height), simplify=False, clip=False)
        name = self._define(("marker", said), "path", d=said)
        uses = "".join(
            f"<use{attributes(href=f'#{name}', x=round(x, 1), y=round(self.height - y, 1))}/>"
            for x, y in points
        )
        self._add(gc, f"<g{self._style(gc, rgbFace)}>{uses}</g>")

    def draw_text(
        self,
        gc: Any,
        x: float,
        y: float,
        s: str,
        prop: Any,
        angle: float,
        ismath: Any = False,  # noqa: ARG002
        mtext: Any = None,
    ) -> None:
        """A line of text, held at its anchor: pages have letters of other widths."""
        turn = math.radians(angle)
        anchor = None
        if mtext is not None and (angle == 0 or mtext.get_rotation_mode() == "anchor"):
            at = mtext.get_transform().transform(mtext.get_unitless_position())
            right = math.sin(turn)
            down = math.cos(turn)
            off = right * (x - at[0]) + down * (y - (self.height - at[1]))
            x = at[0] + off * right
            y = self.height - at[1] + off * down
            anchor = _ANCHORS.get(mtext.get_ha())
        bold = prop.get_weight() in ("bold", 700)
        said = attributes(
            x=round(x, 1),
            y=round(y, 1),
            transform=f"rotate({short(-angle)} {short(x)} {short(y)})" if angle else None,
            font_size=f"{prop.get_size_in_points():.4g}",
            font_weight="700" if bold else None,
            text_anchor=anchor,
            fill=_named(gc.get_rgb()),
            **(_EDGE if mtext in self.halos else {}),
        )
        self._add(gc, f"<text{said}>{escape(s, quote=False)}</text>")

    # How it is written

    def _add(self, gc: Any, element: str) -> None:
        box, (path, transform) = gc.get_clip_rectangle(), gc.get_clip_path()
        name = ""
        if path is not None:
            said = self._path(path, transform, simplify=False, clip=False)
            name = self._define(("clip", said), "clipPath", inside=f'<path d="{said}"/>')
        elif box is not None:
            top = self.height - box.y0 - box.height
            edges = attributes(
                x=box.x0,
                y=top,
                width=box.width,
                height=box.height,
            )
            name = self._define(("clip", edges), "clipPath", inside=f"<rect{edges}/>")
        if name:
            tag, _, rest = element.partition(" ")
            element = f"{tag}{attributes(clip_path=f'url(#{name})')} {rest}"
        self._parts.append((gc.get_url() or "", element))

    def _define(self, what: object, tag: str, inside: str = "", **values: object) -> str:
        """The name of something that is drawn more than once."""
        if what not in self._defined:
            name = f"{self.key}-{len(self._defined)}"
            end = f">{inside}</{tag}>" if inside else "/>"
            self._defined[what] = name, f"<{tag}{attributes(id=name, **values)}{end}"
        return self._defined[what][0]

    def _path(self, path: Any, transform: Any, simplify: bool, clip: bool) -> str:
        flipped: Transform = transform + Affine2D().scale(1, -1).translate(0, self.height)
        window = (0.0, 0.0, self.width, self.height) if clip else None
        clean = path.cleaned(
            flipped,
            remove_nans=True,
            clip=window,
            simplify=simplify,
            curves=True,
        )
        digits = 2 if (clean.codes > 2).any() else 1
        at = iter(clean.vertices.tolist())
        out = []
        codes = iter(clean.codes.tolist())
        for code in codes:
            point = next(at)
            if code == 0:
                break
            letter, many = _CODES[code]
            points = [point] * bool(many)
            for _ in range(many - 1):
                points.append(next(at))
                next(codes)
            numbers = " ".join(short(v, digits) for p in points for v in p)
            out.append(f"{letter}{numbers}")
        return "".join(out)

    def _style(self, gc: Any, face: Any) -> str:
        """Fill and stroke; what is not said is the rule of SVG, and of the page's figures."""
        fill: str | None = "none"
        if gc.get_hatch() is not None:
            fill = f"url(#{self._hatch(gc, face)})"
        elif face is not None:
            fill = _named(face)
        forced = gc.get_forced_alpha()
        wide = gc.get_linewidth()
        ink = gc.get_rgb()
        _, dashes = gc.get_dashes()
        style: dict[str, object] = {"fill": fill}
        if face is not None and len(face) == 4 and not forced and face[3] != 1:
            style["fill_opacity"] = face[3]
        if forced and gc.get_alpha() != 1:
            style["opacity"] = gc.get_alpha()
        if wide:
            style["stroke"] = _named(ink) or "currentColor"
            style["stroke_width"] = wide if wide != 1 else None
            style["stroke_opacity"] = ink[3] if not forced and ink[3] != 1 else None
            style["stroke_linecap"] = "round" if gc.get_capstyle() == "round" else None
            style["stroke_dasharray"] = None if dashes is None else ",".join(map(short, dashes))
        return attributes(**style)

    def _hatch(self, gc: Any, face: Any) -> str:
        ink = rgb2hex(gc.get_hatch_color())
        around = Affine2D().scale(72)
        place = around + Affine2D().translate(0, self.height - 72)
        lines = self._path(gc.get_hatch_path(), place, simplify=False, clip=False)
        back = "" if face is None else f'<rect width="73" height="73" fill="{_named(face)}"/>'
        return self._define(
            ("hatch", gc.get_hatch(), ink, back),
            "pattern",
            inside=f'{back}<path d="{lines}" fill="{ink}" stroke="{ink}"/>',
            patternUnits="userSpaceOnUse",
            width=72,
            height=72,
        )


def _named(color: Any) -> str | None:
    """A color as the page's variable; black is what the page has."""
    found = rgb2hex(color)
    return None if found == "#000000" else _NAMES.get(found, found)


_RENDERER = PageRenderer()


def elements(figure: Any, key: str, names: dict[str, str]) -> tuple[str, bool]:
    """The elements of a figure, which is then as it was, and whether there are links among them."""
    canvas = figure.canvas
    dpi = figure.dpi
    every = [x for axes in figure.axes for x in axes.texts]
    halos = {x: x.get_path_effects() for x in every if x.get_path_effects()}
    patches = [p for p in (figure.patch, *(x.patch for x in figure.axes)) if p.get_visible()]
    page: Any = FigureCanvasBase(figure)
    page.get_renderer = lambda: _RENDERER
    figure.dpi = 72
    for text in halos:
        text.set_path_effects([])
    for patch in patches:
        patch.set_visible(False)
    try:
        width, height = 72 * figure.get_size_inches()
        _RENDERER.begin(key, float(width), float(height), set(halos))
        figure.draw(_RENDERER)
        return _RENDERER.body(names)
    finally:
        for text, effects in halos.items():
            text.set_path_effects(effects)
        for patch in patches:
            patch.set_visible(True)
        figure.dpi = dpi
        figure.set_canvas(canvas)
