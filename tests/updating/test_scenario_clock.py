"""Scenarios frozen in a folder of updates, and their clocks."""

import datetime as dt
import json
from pathlib import Path

import pytest
from commands import ok

import odforecast as od
from odforecast.errors import DataError, ScenarioError
from odforecast.updating.scenarios import FOLDER, FROZEN, _check, freeze, lacking, sections, tracked

pytestmark = pytest.mark.slow

DAY = dt.date(2026, 2, 1)
TEXT = """name: resumed
interventions:
  - prior: cooperation-resumed
    {onset}
    p_null: {none}
"""


def parsed(onset="onset: 2025-11", none=0.4):
    return od.scenario.parse_scenarios(TEXT.format(onset=onset, none=none))[0]


def test_a_scenario_is_frozen_once(tmp_path):
    first = freeze(parsed(), tmp_path, DAY, "2026-02")
    assert freeze(parsed(), tmp_path, dt.date(2026, 3, 1), "2026-03") == first
    first_open = freeze(parsed(onset="lag: 3"), tmp_path / "open", DAY, "2026-02")
    assert str(first_open.interventions[0].onset[0]) == "2026-02"
    assert freeze(parsed(onset="lag: 3"), tmp_path / "open", DAY, "2026-09") == first_open
    held = json.loads((tmp_path / FOLDER / "resumed" / FROZEN).read_text())
    assert (held["on"], held["hash"]) == (str(DAY), first.hash)
    assert held["onset"] == {"cooperation-resumed": ["2025-11", "2025-11"]}
    assert sum(held["chances"]["cooperation-resumed"].values()) == pytest.approx(1.0, abs=1e-3)


def test_a_scenario_frozen_when_regions_had_their_own_lag_is_still_the_same(tmp_path):
    freeze(parsed(), tmp_path, DAY, "2026-02")
    path = tmp_path / FOLDER / "resumed" / FROZEN
    held = json.loads(path.read_text())
    held["scenario"]["interventions"][0]["lag_spread"] = {"uniform": [0.0, 1.0]}
    held["scenario"]["interventions"][0]["note"] = "An earlier note."
    held["hash"] = "0" * 16
    held["check"] = _check(held["on"], held["hash"], held["scenario"])
    path.write_text(json.dumps(held))
    assert freeze(parsed(), tmp_path, DAY, "2026-02") == parsed()
    with pytest.raises(ScenarioError, match=r"p_null was 0.4, and is 0.3"):
        freeze(parsed(none=0.3), tmp_path, DAY, "2026-02")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"none": 0.3}, "p_null was 0.4, and is 0.3"),
        ({"onset": "onset: 2025-10"}, 'onset was "2025-11", and is "2025-10"'),
    ],
)
def test_a_changed_scenario_and_a_damaged_file_are_refused(tmp_path, changed, said):
    freeze(parsed(), tmp_path, DAY, "2026-02")
    with pytest.raises(ScenarioError, match="was frozen on 2026-02-01") as error:
        freeze(parsed(**changed), tmp_path, DAY, "2026-02")
    assert said in str(error.value)
    path = tmp_path / FOLDER / "resumed" / FROZEN
    for damaged in ("{", "[]", path.read_text().replace("0.4", "0.5")):
        path.write_text(damaged)
        with pytest.raises(DataError):
            freeze(parsed(), tmp_path, DAY, "2026-02")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder of updates with one clock, the file of its scenario, and the clock."""
    out = tmp_path_factory.mktemp("updates")
    file = out / "file.yaml"
    file.write_text(TEXT.format(onset="onset: 2025-03", none=0.4))
    how = {"location": "Ohio", "draws": 2}
    (found,) = tracked(od.scenario.read_scenarios(file), out, od.bundled(), on=DAY, **how)
    return out, file, found


def test_clocks_are_written_once_and_put_on_the_page(kept):
    out, file, found = kept
    folder = out / FOLDER / "resumed"
    names = {FROZEN, "2026-01-14.json", "2026-01-14.csv", "2026-01-14.svg"}
    assert {p.name for p in folder.iterdir()} == names
    assert json.loads((folder / "2026-01-14.json").read_text())["location"] == "OH"
    (section,) = sections([found])
    assert section.title == "Has it worked? resumed"
    assert any("whatever its cause" in text for text in section.paragraphs)
    assert len(section.tables) == 2
    read = od.scenario.read_scenarios(file)
    assert not lacking(read, out, dt.date(2026, 1, 14))
    assert lacking(read, out, dt.date(2026, 2, 11))


@pytest.mark.usefixtures("no_clocks")
def test_an_update_shows_its_clocks(kept, tmp_path, monkeypatch):
    _, file, found = kept
    monkeypatch.setattr("odforecast.updating.run.tracked", lambda *_, **__: [found])
    options = ("--no-fetch", "--out", tmp_path, "--model", "drift", "--draws", "50", "--json")
    done = json.loads(ok("update", *options, "--scenario", file))
    assert done["clocks"][0]["scenario"] == "resumed"
    assert "Has it worked? resumed" in Path(done["page"]).read_text()


def test_two_interventions_are_refused_before_anything_is_frozen(tmp_path):
    two = od.scenario.parse_scenarios(
        "name: two\ninterventions:\n  - {prior: cooperation-resumed, onset: 2025-11}\n"
        "  - {prior: tariff-only, onset: 2025-11}\n"
    )
    with pytest.raises(ScenarioError, match="2 interventions"):
        tracked(two, tmp_path, od.bundled(), on=DAY, location="US")
    assert not (tmp_path / FOLDER).exists()
