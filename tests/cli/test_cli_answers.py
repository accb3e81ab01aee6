"""What people ask of ``odforecast forecast``: tables, JSON, files, pictures, pages."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import commands
import numpy as np
import pytest
from click.testing import CliRunner

import odforecast as od
from odforecast.cli import main
from odforecast.cli.screen import change, count, share
from odforecast.forecast.text import VALIDATED, beyond_validated, place_name, sentences
from odforecast.geography import lookup

run = partial(commands.run, "forecast")

QUICK = ("--source", "bundled", "--draws", "60")
PLACES = "US,NY,NYC,Ohio"


@pytest.fixture(scope="module")
def whole():
    """What the default model says in Python."""
    return od.get_model().fit(od.bundled().as_of().panel()).forecast(until="2026-12", draws=60)


@pytest.fixture(scope="module")
def asked():
    return [*QUICK, "--until", "2026-12", "--locations", PLACES]


def table_of(text, head):
    """Rows of the first table after some words, by place."""
    below = text[text.index(head) :].partition("─\n")[2].split("\n\n")[0]
    rows = re.findall(r"^([A-Z]{2,3}) (.*)$", below, re.M)
    return {place: " ".join(cells.split()) for place, cells in rows}


def test_the_four_columns_are_those_of_the_whole_forecast(asked, whole):
    result = run(*asked)
    assert result.exit_code == 0, result.output
    shown = table_of(result.stdout, "per")
    table = whole.summary(locations=PLACES.split(","))
    last = table[table["month"] == table["month"].max()].set_index("location")
    assert list(shown) == ["US", "NY", "NYC", "OH"]
    panel = whole.panel
    for shown_as, cells in shown.items():
        place = lookup(shown_as).state
        row, at = last.loc[place], panel.index(place)
        together = "*" if place in ("NY", "YC") else ""
        assert cells.split() == [
            *(f"{layer[at, -1]:,.0f}" for layer in (panel.reported, panel.predicted)),
            *count(row["low"], row["median"], row["high"]).split(),
            *change(row["change_low"], row["change"], row["change_high"]).split(),
            share(row["fall"]), f"{row['rate']:.1f}{together}",
        ]  # fmt: skip
    assert last.loc["NY", "rate"] == last.loc["YC", "rate"]
    assert "*: rate of New York and New York City together" in " ".join(result.stdout.split())


def test_calendar_years_say_what_is_known_of_them(asked, whole):
    text = run(*asked).stdout
    shown = table_of(text, "Calendar years")
    rows = whole.years(locations="Ohio")
    assert shown["OH"] == " ".join(count(*r) for r in rows[["low", "median", "high"]].to_numpy())
    assert re.search(r"all published +8 months published +all forecast", text)
    assert "Calendar years" not in run(*QUICK, "--model", "naive", "--horizon", "3").stdout


def test_the_text_of_the_nation_or_of_the_first_place_comes_first(asked, whole):
    for places, name in ((PLACES, "US"), ("Ohio,WV", "Ohio")):
        done = run(*QUICK, "--until", "2026-12", "--locations", places)
        text = " ".join(done.stdout.split())
        known, ahead, moved = sentences(whole, name)
        place = place_name(name).replace("the", "The")
        assert text.startswith(f"{place}: {ahead[:1].lower()}{ahead[1:]} {moved} {known}")


def test_what_is_saved_is_the_forecast_of_the_places(asked, whole, tmp_path):
    folder = tmp_path / "saved"
    assert run(*asked, "--save", str(folder)).exit_code == 0
    kept = od.load_forecast(folder)
    assert kept.locations == ("US", "NY", "YC", "OH")
    np.testing.assert_array_equal(kept.draws, whole.select(kept.locations).draws)
    again = run(*asked, "--save", str(folder))
    assert again.exit_code == 2
    assert f"--save {folder} contains a forecast; replace it with --replace" in again.stderr
    assert run(*asked, "--save", str(folder), "--replace").exit_code == 0


def test_a_horizon_beyond_what_was_validated_is_said(whole):
    assert beyond_validated(whole)
    near = od.get_model("naive").fit(whole.panel.select(["US"]))
    assert not beyond_validated(near.forecast(VALIDATED, draws=2))
    words = ["--model", "naive", *QUICK, "--locations", "US"]
    far = " ".join(run(*words, "--horizon", str(VALIDATED + 1)).stderr.split())
    assert far.count("(more than 12 months ahead) have not been tested") == 1
    assert "not been tested" not in run(*words, "--horizon", str(VALIDATED)).stderr


def test_examples_are_listed_copied_and_never_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def examples(*args):
        return CliRunner().invoke(main, ["examples", *args])

    listed = json.loads(examples("--json").stdout)
    assert "cooperation-2026.yaml" in [x["name"] for x in listed]
    assert all(x["what"] for x in listed)
    assert list(tmp_path.iterdir()) == []
    assert examples("cooperation-2026").exit_code == 0
    od.scenario.read_scenarios("cooperation-2026.yaml")
    Path("cooperation-2026.yaml").write_text("mine")
    again = examples("pilot-two-states.yaml", "cooperation-2026")
    assert again.exit_code == 1
    assert "error: cooperation-2026.yaml exists already; copy into another folder" in again.stderr
    assert not Path("pilot-two-states.yaml").exists()
    assert Path("cooperation-2026.yaml").read_text() == "mine"
    assert examples("--out", "all").exit_code == 0
    assert sorted(p.name for p in Path("all").iterdir()) == [x["name"] for x in listed]
