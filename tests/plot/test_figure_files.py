"""Files: the same bytes for the same figure, with what it shows inside; and what is refused."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from odforecast import plot

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
    assert [t.text.rpartition(", ")[2] for t in titles] == ["Ohio"]
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


def test_a_figure_in_a_page(revising, forecast):
    made = [plot.inline(plot.fan(revising, "US", axes=plot.sheet()), "us-fan") for _ in "ab"]
    assert made[0] == made[1]
    assert len(made[0]) < 40_000
    for word in ("style=", "<style", "<metadata", "xlink", "font-family", "DejaVu", "<title"):
        assert word not in made[0]
    root = ET.fromstring(made[0])
    assert root.get("role") == "img"
    assert root.get("aria-label").endswith(plot.alt_text(plot.fan(revising, "US")))
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    assert all(x.startswith("us-fan") for x in ids)
    assert {"us-fan-peak", "us-fan-final", "us-fan-reported"} <= set(ids)
    used = [
        re.search(r"#([\w-]+)", v)[1] for e in root.iter() for v in e.attrib.values() if "#us" in v
    ]
    assert set(used) <= set(ids)
    texts = list(root.iter("text"))
    assert "90% interval" in {e.text for e in texts}
    assert min(float(e.get("font-size")) for e in texts) >= 11
    assert root.get("data-y").split()[0] == "0"
    assert len(root.get("data-box").split()) == 4

    links = {"OH": "ohio.html", "YC": "nyc.html?a&b"}
    tiles = ET.fromstring(plot.inline(plot.tile_map(forecast, links=links), "map"))
    assert tiles.get("role") == "group"
    found = {a.get("href"): a for a in tiles.iter("a")}
    assert set(found) == set(links.values())
    assert len(list(tiles.iter("a"))) == 2
    assert found["ohio.html"].get("aria-label").startswith("OH ")
    assert len(found["ohio.html"].findall(".//text")) == 2


def test_the_letters_of_a_figure_are_put_back(revising):
    axes = plot.fan(revising, "Ohio")
    seen = [(t.get_fontsize(), t.get_gid(), len(t.get_path_effects())) for t in axes.texts]
    plot.inline(axes, "x")
    assert [(t.get_fontsize(), t.get_gid(), len(t.get_path_effects())) for t in axes.texts] == seen
    assert axes.patch.get_visible()
