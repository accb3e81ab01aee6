"""The house style: told apart by everybody, legible, nothing of pyplot; and figures as files."""

import doctest
import importlib
import inspect
import itertools
import pkgutil
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from odforecast import plot
from odforecast.plot import files, style
from odforecast.plot.files import figure_of, title_of

#: Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
PROTANOPIA = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
              [-0.003882, -0.048116, 1.051998]]  # fmt: skip
DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                [-0.011820, 0.042940, 0.968881]]  # fmt: skip


DOCS = Path(__file__).resolve().parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"


def lab(colour: str, seen_by=None) -> np.ndarray:
    """CIELAB of a colour, as somebody without one kind of cones sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if seen_by is not None:
        linear = np.clip(np.array(seen_by) @ linear, 0, 1)
    xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x = np.array(xyz) @ linear / [0.9505, 1, 1.089]
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("seen_by", [None, PROTANOPIA, DEUTERANOPIA])
def test_colours_are_told_apart_without_a_kind_of_cones(seen_by):
    for group in (style.PALETTE, (style.BLUE, style.ORANGE, style.MUTED, style.INK)):
        for a, b in itertools.combinations(group, 2):
            apart = float(np.linalg.norm(lab(a, seen_by) - lab(b, seen_by)))
            assert apart > 10, (a, b)  # 2 is seen side by side


def test_nothing_loads_matplotlib_before_it_is_drawn_and_nothing_pyplot(tmp_path):
    code = """
import sys
from odforecast import plot
assert "matplotlib" not in sys.modules
assert set(plot.__all__) <= set(dir(plot))
plot.save(plot.tile_map({"OH": 1.0}), sys.argv[1])
assert "matplotlib.figure" in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "map.png")], check=True)


def test_a_long_heading_is_broken_within_the_axes():
    axes = Figure(figsize=(3.9, 3), layout="constrained").subplots()
    style.heading(axes, "New York State without New York City and its five counties", "as of " * 20)
    axes.get_figure().draw_without_rendering()
    for text in (axes.title, axes._left_title, *axes.texts):
        assert text.get_window_extent().x1 <= 391
    style.heading(axes, "Ohio", "as of today")
    assert [t.get_text() for t in axes.texts] == ["as of today"]


HELPERS = ("alt_text", "inline", "save", "sheet")
FIGURES = [
    pytest.param(name, marks=pytest.mark.slow) if name == "chances" else name
    for name in plot.__all__
    if name not in HELPERS
]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_of_an_example_is_legible_and_says_what_it_shows(name, monkeypatch):
    function = getattr(plot, name)
    drawn, names = [], {}

    def draw(*args, **keywords):
        drawn.append(function(*args, **keywords))
        return drawn[-1]

    monkeypatch.setattr(plot, name, draw)
    for example in doctest.DocTestParser().get_examples(function.__doc__):
        exec(example.source, names)
    assert drawn, f"the example of plot.{name} does not draw it"
    figure = figure_of(drawn[0])
    heads = [style.head_of(axes) for axes in figure.axes]
    assert title_of(figure) != "Figure", "without a title: end with finish(axes, head, said)"
    assert all(head.title for head in heads), "axes without a title"
    assert heads[0].caption or heads[0].source or len(heads) > 1, "its head needs a caption"
    assert re.search(r"\d", plot.alt_text(drawn[0])), "what it says (finish) has no number"
    figure.draw_without_rendering()
    letters = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    assert min(t.get_fontsize() for t in letters) >= 11


def test_every_figure_is_in_the_reference_and_the_gallery():
    index = (DOCS / "reference" / "api" / "index.md").read_text()
    listed = re.search(r"currentmodule:: odforecast\.plot\n.*?```", index, re.S)[0]
    gallery = (DOCS / "gallery.md").read_text()
    names = [name for name in plot.__all__ if name not in HELPERS]
    unlisted = [name for name in names if f"   {name}\n" not in listed]
    assert not unlisted, "list it in docs/reference/api/index.md, under odforecast.plot"
    undrawn = [name for name in names if f"od.plot.{name}(" not in gallery]
    assert not undrawn, "draw it in docs/gallery.md"


def takes_axes(function) -> bool:
    axes = inspect.signature(function).parameters.get("axes")
    return axes is not None and axes.default is None


def test_every_function_that_may_be_given_axes_is_a_public_figure():
    names = [info.name for info in pkgutil.iter_modules(plot.__path__, "odforecast.plot.")]
    for module in map(importlib.import_module, names):
        if not hasattr(module, "__all__"):
            continue
        assert {*module.__all__} <= {*plot.__all__}, f"gather {module.__name__} in plot/__init__.py"
        if module in (files, style):  # what helps to draw
            continue
        functions = inspect.getmembers(module, inspect.isfunction)
        here = {name: f for name, f in functions if f.__module__ == module.__name__}
        figures = {name for name, function in here.items() if takes_axes(function)}
        hidden, bare = figures - {*module.__all__}, {*module.__all__} - figures
        assert not hidden, f"name it in __all__ of {module.__name__}"
        assert not bare, "a figure has a parameter axes=None"


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_the_same_figure_gives_the_same_bytes(forecast, tmp_path, suffix):
    files = (tmp_path / f"{name}.{suffix}" for name in "ab")
    one, two = (plot.save(plot.fan(forecast, "Ohio"), file).read_bytes() for file in files)
    assert one == two
    assert len(one) > 5_000


def test_an_svg_says_what_it_shows(panel, forecast, projection, tmp_path):
    grid = plot.small_multiples(forecast, ["OH", "WV"])
    titles = {"supply-shock-2023-like": "a <b> & $c$"}
    for axes, parts in (
        (plot.counts(panel, "Ohio"), ["Ohio"]), (grid, ["Ohio", "West Virginia"]),
        (plot.overlay(projection, "US", titles=titles), ["a <b> & $c$"]),
    ):  # fmt: skip
        path = plot.save(axes, tmp_path / "figure.svg")
        root = ET.parse(path).getroot()
        (title,), (desc,) = root.findall(f"{SVG}title"), root.findall(f"{SVG}desc")
        assert desc.text == plot.alt_text(axes)
        assert all(part in desc.text for part in parts)
        assert root.get("role") == "img"
        assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
        assert "<dc:date>" not in path.read_text(encoding="utf-8")
    assert plot.alt_text(grid.figure) == plot.alt_text(grid)


def test_a_figure_in_a_page(revising, forecast):
    axes = plot.fan(revising, "US", axes=plot.sheet())
    seen = [(t.get_fontsize(), t.get_gid(), len(t.get_path_effects())) for t in axes.texts]
    made = [plot.inline(axes, "us-fan") for _ in "ab"]
    assert made[0] == made[1]
    assert [(t.get_fontsize(), t.get_gid(), len(t.get_path_effects())) for t in axes.texts] == seen
    assert axes.patch.get_visible()
    assert len(made[0]) < 40_000
    for word in ("style=", "<style", "<metadata", "xlink", "font-family", "DejaVu", "<title"):
        assert word not in made[0]
    root = ET.fromstring(made[0])
    assert root.get("role") == "img"
    assert root.get("aria-label").endswith(plot.alt_text(axes))
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    assert all(x.startswith("us-fan") for x in ids)
    assert {"us-fan-peak", "us-fan-final", "us-fan-reported"} <= set(ids)
    used = [v for e in root.iter() for v in e.attrib.values() if "#us" in v]
    assert {re.search(r"#([\w-]+)", v)[1] for v in used} <= set(ids)
    texts = list(root.iter("text"))
    assert "90% interval" in {e.text for e in texts}
    assert min(float(e.get("font-size")) for e in texts) >= 11
    assert (root.get("data-y").split()[0], len(root.get("data-box").split())) == ("0", 4)

    links = {"OH": "ohio.html", "YC": "nyc.html?a&b"}
    tiles = ET.fromstring(plot.inline(plot.tile_map(forecast, links=links), "map"))
    assert tiles.get("role") == "group"
    found = {a.get("href"): a for a in tiles.iter("a")}
    assert set(found) == set(links.values())
    assert len(list(tiles.iter("a"))) == 2
    assert found["ohio.html"].get("aria-label").startswith("OH ")
    assert len(found["ohio.html"].findall(".//text")) == 2
