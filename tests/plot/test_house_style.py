"""The house style: told apart by everybody, legible, and nothing of pyplot."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from odforecast import plot
from odforecast.plot import style

#: Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
PROTANOPIA = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
              [-0.003882, -0.048116, 1.051998]]  # fmt: skip
DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                [-0.011820, 0.042940, 0.968881]]  # fmt: skip


def lab(colour: str, seen_by=None) -> np.ndarray:
    """CIELAB of a colour, as somebody without one kind of cones sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if seen_by is not None:
        linear = np.clip(np.array(seen_by) @ linear, 0, 1)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x = to_xyz @ linear / [0.9505, 1, 1.089]
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("seen_by", [None, PROTANOPIA, DEUTERANOPIA])
def test_colours_are_told_apart_without_a_kind_of_cones(seen_by):
    roles = (style.BLUE, style.ORANGE, style.MUTED, style.INK)
    for group in (style.PALETTE, roles):
        for a, b in itertools.combinations(group, 2):
            apart = float(np.linalg.norm(lab(a, seen_by) - lab(b, seen_by)))
            assert apart > 10, (a, b)  # 2 is seen side by side


@pytest.mark.slow
def test_nothing_loads_matplotlib_before_it_is_drawn_and_nothing_pyplot(tmp_path):
    code = """
import sys
import odforecast as od
import odforecast.plot
assert "matplotlib" not in sys.modules
assert set(odforecast.plot.__all__) <= set(dir(odforecast.plot))
panel = od.bundled().as_of("2025-09-17").panel()
forecast = od.get_model("drift").fit(panel).forecast(draws=20)
axes = odforecast.plot.fan(forecast, "Ohio")
odforecast.plot.save(axes, sys.argv[1])
assert "matplotlib.figure" in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""
    command = [sys.executable, "-c", code, str(tmp_path / "fan.png")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_long_heading_is_broken_within_the_axes():
    figure = Figure(figsize=(3.9, 3), layout="constrained")
    axes = figure.subplots()
    style.heading(axes, "New York State without New York City and its five counties", "as of " * 20)
    figure.draw_without_rendering()
    width = 100 * 3.9
    for text in (axes.title, axes._left_title, *axes.texts):
        assert text.get_window_extent().x1 <= width + 1
    style.heading(axes, "Ohio", "as of today")
    assert [t.get_text() for t in axes.texts] == ["as of today"]


def smallest(figure) -> float:
    """The smallest letters of a figure, in points."""
    figure.draw_without_rendering()
    return min(
        t.get_fontsize() for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()
    )


def test_letters_are_legible(panel, forecast, revising, results, projection):
    drawn = [
        plot.counts(panel, "Ohio"), plot.fan(revising, "NYC"), plot.tile_map({"OH": -3.0}),
        plot.said_and_came(results, "Ohio"), plot.errors(results), plot.coverage(results),
        plot.pit(results), plot.reliability(results), plot.skill(results),
        plot.nowcast(revising, "US"), plot.overlay(projection, "US"), plot.averted(projection),
        plot.prevented(projection),
        plot.small_multiples(forecast, ["US", "OH"])[0],
    ]  # fmt: skip
    for axes in drawn:
        assert smallest(axes.get_figure()) >= 11
