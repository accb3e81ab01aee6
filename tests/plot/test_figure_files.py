"""Files: the same bytes for the same figure, with what it shows inside; and what is refused."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from matplotlib.figure import Figure

from odforecast import plot
from odforecast.errors import DataError

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_the_same_figure_gives_the_same_bytes(forecast, tmp_path, suffix):
    written = []
    for name in ("a", "b"):
        axes = plot.fan(forecast, "Ohio")
        written.append(plot.save(axes, tmp_path / f"{name}.{suffix}").read_bytes())
    assert written[0] == written[1]
    assert len(written[0]) > 5_000


def test_an_svg_says_what_it_shows(panel, tmp_path):
    axes = plot.counts(panel, "Ohio")
    path = plot.save(axes, tmp_path / "ohio.svg")
    root = ET.parse(path).getroot()
    assert root.get("role") == "img"
    titles, (desc,) = root.findall(f"{SVG}title"), root.findall(f"{SVG}desc")
    assert [t.text for t in titles] == ["Ohio"]
    assert desc.text == plot.alt_text(axes)
    assert root.get("aria-labelledby") == f"{titles[0].get('id')} {desc.get('id')}"
    assert "<dc:date>" not in path.read_text(encoding="utf-8")


def test_what_other_people_wrote_is_escaped(projection, tmp_path):
    axes = plot.overlay(projection, "US", titles={"supply-shock-2023-like": "a <b> & $c$"})
    root = ET.parse(plot.save(axes, tmp_path / "x.svg")).getroot()
    assert "a <b> & $c$" in root.find(f"{SVG}desc").text


def test_a_figure_of_several_says_all(forecast, tmp_path):
    grid = plot.small_multiples(forecast, ["OH", "WV"])
    path = plot.save(grid, tmp_path / "two.svg")
    said = ET.parse(path).getroot().find(f"{SVG}desc").text
    assert "Ohio" in said
    assert "West Virginia" in said
    assert plot.alt_text(grid[0].get_figure()) == said


def test_other_suffixes_and_empty_axes_are_refused(panel, tmp_path):
    axes = plot.counts(panel, "Ohio")
    with pytest.raises(DataError, match=r"use \.png, \.svg or \.pdf"):
        plot.save(axes, tmp_path / "ohio.jpg")
    with pytest.raises(DataError, match="no axes"):
        plot.save(Figure(), tmp_path / "none.svg")
    with pytest.raises(DataError, match="was drawn on these axes"):
        plot.alt_text(Figure().subplots())
    assert not list(tmp_path.iterdir())
