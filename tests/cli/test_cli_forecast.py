"""``odforecast forecast`` as a stranger would use it."""

from __future__ import annotations

import re
from functools import partial

import commands
import pandas as pd
import pytest

import odforecast as od
from odforecast.forecast import Forecast
from odforecast.hub import read_hub
from odforecast.models import registry as base
from odforecast.models.registry import register
from odforecast.models.spec import Spec

run = partial(commands.run, "forecast")

QUICK = ["--model", "hub-baseline", "--draws", "60"]


@pytest.fixture
def models(monkeypatch):
    """Registered models are taken back after the test."""
    monkeypatch.setattr(base, "_REGISTERED", dict(base._REGISTERED))


class Joint:
    """Joint draws over all locations of the panel it sees, which it remembers."""

    spec = Spec("joint", by=None, origin="tests==1")
    seen: tuple[str, ...] = ()

    def fit(self, panel):
        Joint.seen = panel.locations
        self.panel = panel
        return self

    def draw(self, horizon, draws, streams):
        states = [s for s in self.panel.locations if s != "WY"]
        rng = streams.generator("model")
        return Forecast.from_panel(
            self.panel,
            rng.poisson(50.0, (draws, len(states), horizon)).astype(float),
            states,
            joint=self.spec.joint,
            skipped={"WY": "too small for it"},
            warnings=("read with care",),
        )


class Alone(Joint):
    """A model of mine. With more to say."""

    spec = Spec("alone", by="location", joint=frozenset({"month"}), origin="my-models 1.2")


def test_table_and_file(tmp_path):
    out = tmp_path / "f.csv"
    result = run(*QUICK, "--locations", "US,WV,NYC", "--out", str(out))
    assert result.exit_code == 0, result.output
    text = result.stdout
    # The model has no draws of past months, and what is published is shown all the same.
    assert "69,172 drug overdose deaths were reported" in " ".join(text.split())
    assert "Number of Drug Overdose Deaths, as of 2026-01-14" in text
    assert "months to 2026-08" in text
    assert "lower than a year earlier" in " ".join(text.split())
    assert max(len(line) for line in text.splitlines() if str(out) not in line) <= 80
    assert not re.search(r"[\x1b]| $", text, re.M)
    made = od.get_model("hub-baseline").fit(od.bundled().as_of().panel()).forecast(draws=60)
    want = od.to_hub(made.select(["US", "WV", "NYC"]), targets=["deaths_12mo"])
    pd.testing.assert_frame_equal(read_hub(out), want, check_exact=True)
    assert f"hub file: {out} (828 rows)" in text


def test_the_default_seed_is_fixed_and_locations_do_not_matter(tmp_path):
    tables = []
    for words in ("US,WV", "US,WV", "WV", "WV --seed 9"):
        args = (*QUICK, "--model", "drift", "--locations", *words.split())
        assert run(*args, "--out", str(tmp_path / "f.csv")).exit_code == 0
        tables.append(read_hub(tmp_path / "f.csv"))
    a, b, c, other = tables
    assert a.equals(b)
    assert a[a["location"] == "54"].reset_index(drop=True).equals(c)
    assert not other.equals(c)


def test_a_joint_model_sees_every_location_and_another_only_those_asked_for(models):
    register("joint", Joint)
    register("alone", Alone)
    result = run("--model", "joint", "--locations", "WV,OH", "--draws", "20")
    assert result.exit_code == 0, result.output
    assert len(Joint.seen) == 54
    assert result.stdout.index("\nWV ") < result.stdout.index("\nOH ")
    assert "\nAL " not in result.stdout
    assert run("--model", "alone", "--locations", "WV,OH", "--draws", "20").exit_code == 0
    assert Joint.seen == ("WV", "OH")


def test_a_model_of_ones_own_is_listed_with_where_it_comes_from(models):
    register("alone", Alone)
    text = commands.ok("models")
    (line,) = (x for x in text.splitlines() if x.split()[:1] == ["alone"])
    assert "A model of mine. With more to say" in line
    assert "[my-models 1.2]" in " ".join(text.split())


def test_warnings_and_skipped_locations_are_said_on_standard_error(models):
    register("alone", Alone)
    result = run("--model", "alone", "--locations", "US,WY", "--draws", "20")
    assert result.exit_code == 0
    assert "skipped WY: too small for it" in result.stderr
    assert "warning: read with care" in result.stderr
    assert "WY" not in result.stdout
    none = run("--model", "alone", "--locations", "US,WY", "--draws", "20", "--as-of", "2026-02-01")
    assert "note: the newest stored release, 2026-01-14, is used" in " ".join(none.stderr.split())


def test_a_model_that_takes_incomplete_months_as_they_are_is_said_to_lean_low():
    said = " ".join(run(*QUICK, "--locations", "US").stderr.split())
    assert "hub-baseline takes them as reported, so it leans low" in said
    corrected = run("--model", "cdc-predicted", "--draws", "60", "--locations", "US")
    assert corrected.exit_code == 0
    assert "leans low" not in corrected.stderr


def test_a_target_the_model_lacks():
    result = run(*QUICK, "--locations", "US", "--target", "deaths_month")
    assert result.exit_code == 1
    assert "hub-baseline does not forecast deaths_month" in result.stderr
    both = run(*QUICK, "--locations", "US", "--target", "both")
    assert both.exit_code == 0
    assert "note: hub-baseline does not forecast deaths_month" in both.stderr


def test_all_locations_do_not_flood_the_screen():
    result = run(*QUICK, "--horizon", "2")
    assert result.exit_code == 0
    assert "… and 42 more states (--rows 0 shows all)" in result.output
    assert len(re.findall(r"^[A-Z]{2}  ", result.stdout, re.M)) == 12
    every = run(*QUICK, "--horizon", "2", "--rows", "0").stdout
    assert len(re.findall(r"^[A-Z]{2,3}  ", every, re.M)) == 54
    assert "To save it: --table" in result.output
