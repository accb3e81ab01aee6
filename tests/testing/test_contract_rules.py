"""Every rule of the contract is named by a model that breaks it, and by no honest one."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import odforecast as od
from odforecast.errors import PanelError
from odforecast.models import Model, Spec
from odforecast.months import ONE_MONTH
from odforecast.names import TARGET_12MO
from odforecast.testing import ContractError, check_forecaster, zoo
from odforecast.testing.contract import HINTS, RULES

SEEN: list[float] = []
BY_LOCATION = Spec("honest", by="location", joint=frozenset({"month"}), origin="")


@cache
def panels(*names: str) -> dict[str, od.Panel]:
    whole = zoo()
    return {name: whole[name] for name in names or ("ordinary",)}


@dataclass(frozen=True)
class Part:
    """A part of a model, by its name in :data:`PARTS`: it travels to other processes."""

    name: str

    def __call__(self, *given: Any) -> Any:
        return PARTS[self.name](*given)


@dataclass
class Honest:
    """Poisson noise round the last year's mean; each part can be replaced by a broken one."""

    spec: Spec = BY_LOCATION
    on_fit: Callable[[od.Panel], object] = Part("nothing")
    paths: Callable[[np.ndarray, Fitted], np.ndarray] = Part("as drawn")
    answer: Callable[[od.Forecast, od.Panel], od.Forecast] = Part("as drawn")
    rng: Callable = Part("own stream")
    min_months: int = 36

    def fit(self, panel: od.Panel) -> Fitted:
        usable, skipped = panel.usable(self.min_months)
        if not usable:
            raise PanelError("honest can use no location")
        self.on_fit(panel)
        return Fitted(self, panel, usable, skipped)


@dataclass
class Fitted:
    owner: Honest
    panel: od.Panel
    locations: tuple[str, ...]
    skipped: dict[str, str]

    def draw(self, horizon, draws, streams) -> od.Forecast:
        paths = np.empty((draws, len(self.locations), horizon))
        for i, place in enumerate(self.locations):
            row = self.panel.locations.index(place)
            mean = max(self.panel.monthly[row, -12:].mean(), 1e-9)
            paths[:, i] = self.owner.rng(streams, place).poisson(mean, (draws, horizon))
        given = {"joint": self.owner.spec.joint, "skipped": self.skipped}
        paths = self.owner.paths(paths, self)
        made = od.Forecast.from_panel(self.panel, paths, self.locations, **given)
        return self.owner.answer(made, self.panel)


def raising(error: Exception) -> None:
    raise error


def write(array: np.ndarray) -> None:
    array.flags.writeable = True
    array[0, 0] += 1


def in_secret(_: od.Panel) -> None:
    with contextlib.suppress(Exception):
        od.bundled().as_of()


def of_a_list(streams: object, place: str, calls: list = []) -> np.random.Generator:  # noqa: B006
    calls.append(place)
    return np.random.default_rng(len(calls))


def months_of(made: od.Forecast, *ends: int | None) -> od.Forecast:
    return replace(made, draws=made.draws[..., slice(*ends)], months=made.months[slice(*ends)])


def short_only(paths: np.ndarray, fitted: Fitted) -> np.ndarray:
    return paths if paths.shape[2] <= 12 else raising(ValueError("at most a year"))


#: What a model does when it is fitted, to its paths, with its answer, or for random numbers.
PARTS: dict[str, Callable] = {
    "nothing": lambda _: None,
    "as drawn": lambda made, _: made,
    "own stream": lambda streams, place: streams.generator("location", place),
    "drops a place": lambda made, _: replace(made.select(made.locations[1:]), skipped={}),
    "skips it too": lambda made, _: replace(made, skipped={made.locations[0]: "too hard"}),
    "another place": lambda made, _: replace(made, locations=("TX", *made.locations[1:])),
    "a month less": lambda made, _: months_of(made, 0, -1),
    "begins late": lambda made, _: months_of(made, 1, None),
    "a draw less": lambda made, _: replace(made, draws=made.draws[1:]),
    "below zero": lambda made, _: replace(made, draws=made.draws - 1e6),
    "another day": lambda made, panel: replace(made, as_of=panel.as_of.replace(year=2030)),
    "another last": lambda made, panel: replace(made, last_month=panel.last_month - ONE_MONTH),
    "another basis": lambda made, _: replace(made, basis="residence"),
    "another panel": lambda made, p: replace(made, panel=replace(p, reported=p.reported + 1.0)),
    "counts": lambda made, _: replace(made, target=TARGET_12MO),
    "more joint": lambda made, _: replace(made, joint=frozenset({"month", "location"})),
    "other known": lambda made, _: replace(made, known=made.known + 5.0),
    "cut at zero": lambda made, _: replace(
        made, draws=made.draws * (np.arange(len(made.months)) % 2)
    ),
    "only the array": lambda made, _: made.draws,
    "unprintable": lambda made, _: replace(made, warnings=(object(),)),
    "not finite": lambda paths, _: paths * np.nan,
    "falls over": lambda *_: raising(RuntimeError("no memory\nof that")),
    "by position": lambda paths, _: paths + np.arange(paths.shape[1])[:, None],
    "by number": lambda paths, fitted: paths * len(fitted.locations),
    "noise of process": lambda paths, _: paths + SEEN[-1] % 7,
    "recalls": lambda paths, _: paths + max(SEEN),
    "drifts": lambda paths, _: paths + len(SEEN),
    "short only": short_only,
    "refuses": lambda _: raising(PanelError("not today")),
    "wrong error": lambda _: raising(KeyError("US")),
    "refuses one": lambda panel: len(panel.locations) > 1 or raising(PanelError("not today")),
    "no reason": lambda panel: len(panel.locations) > 1 or raising(PanelError("")),
    "writes": lambda panel: write(panel.reported),
    "writes months": lambda panel: write(panel.monthly),
    "remembers": lambda panel: SEEN.append(float(panel.reported[0, -1])),
    "looks at process": lambda _: SEEN.append(float(np.random.mtrand._rand.get_state()[1][0])),
    "reads an archive": lambda _: od.bundled().as_of(),
    "reads in secret": in_secret,
    "of the clock": lambda *_: np.random.default_rng(),
    "always the same": lambda *_: np.random.default_rng(3),
    "of the process": lambda *_: np.random.mtrand._rand,
    "of a list": of_a_list,
}


def broken_rules(model: Honest, *names: str) -> set[str]:
    with pytest.raises(ContractError) as caught:
        check_forecaster(model, panels(*names))
    return {b.rule for b in caught.value.breaches}


def test_an_honest_model_keeps_all_rules_on_the_whole_zoo():
    kept = check_forecaster(Honest())
    assert kept.rules == RULES
    assert set(kept.refused) == {"very-short"}
    assert "refused very-short: honest can use no location" in str(kept)


#: A broken part, and the rule that it breaks, among others.
NAMED = [
    *(("answer", name, "places") for name in ("drops a place", "skips it too", "another place")),
    *(("answer", name, "months") for name in ("a month less", "begins late")),
    *(("answer", name, "draws") for name in ("a draw less", "below zero")),
    *(("answer", f"another {x}", "origin") for x in ("day", "last", "basis", "panel")),
    ("answer", "counts", "target"),
    ("answer", "more joint", "joint"),
    ("answer", "other known", "known"),
    ("answer", "cut at zero", "zeros"),
    ("answer", "unprintable", "saves"),
    ("on_fit", "writes", "panel-stays"),
    ("on_fit", "writes months", "panel-stays"),
    ("paths", "by position", "order"),
]
#: A broken part, and all rules that it breaks.
ALONE = [
    ("answer", "only the array", {"forecasts"}),
    ("paths", "not finite", {"finite"}),
    ("paths", "falls over", {"forecasts"}),
    ("paths", "by number", {"alone"}),
    ("paths", "short only", {"requests"}),
    ("on_fit", "refuses", {"refuses"}),
    ("on_fit", "wrong error", {"fits"}),
    ("on_fit", "reads an archive", {"future"}),
    ("on_fit", "reads in secret", {"future"}),
    ("rng", "of the clock", {"repeats"}),
    ("rng", "of the process", {"repeats", "global-random"}),
    ("rng", "of a list", {"repeats"}),
    ("rng", "always the same", {"seed"}),
]


@pytest.mark.parametrize(("where", "what", "rules"), NAMED + ALONE)
def test_what_is_broken_is_named(where, what, rules):
    found = broken_rules(Honest(**{where: Part(what)}))
    assert rules in found if isinstance(rules, str) else found == rules


@pytest.mark.parametrize(
    ("on_fit", "paths", "rule"),
    [
        ("looks at process", "noise of process", "global-random"),
        ("remembers", "recalls", "future"),
        ("remembers", "drifts", "refit"),
    ],
)
def test_what_is_remembered_is_named(on_fit, paths, rule):
    SEEN.clear()
    assert rule in broken_rules(Honest(on_fit=Part(on_fit), paths=Part(paths)))


def test_joint_draws_of_places_one_by_one_or_that_do_not_add_up_are_named():
    assert "joint" in broken_rules(Honest(spec=Spec("honest", by="location", origin="")))
    spec = Spec("honest", by=None, origin="")
    assert "US" in panels("whole-nation")["whole-nation"].locations
    assert broken_rules(Honest(spec=spec), "whole-nation") == {"joint"}


def test_more_is_forecast_than_the_declared_length_allows():
    assert broken_rules(Honest(min_months=12), "ordinary", "very-short") == {"min-months"}


def test_another_panel_may_be_refused_with_a_reason_only():
    # It is also asked for a place alone: what counts is `refuses`.
    for name, broken in (("refuses one", False), ("no reason", True)):
        rules = broken_rules(Honest(on_fit=Part(name)), "ordinary", "one-location")
        assert ("refuses" in rules) == broken


def test_a_model_that_does_not_pickle():
    local = Honest(rng=lambda streams, place: streams.generator("location", place))
    assert broken_rules(local) == {"pickles"}


def test_every_rule_has_a_hint_and_a_model_that_breaks_it():
    """Names of rules in this file: a new rule needs its broken model."""
    assert set(HINTS) == set(RULES)
    text = Path(__file__).read_text()
    assert not [rule for rule in RULES if f'"{rule}"' not in text]


def test_models_are_taken_as_objects_names_and_what_get_model_gives():
    models = (Honest(), "naive", od.get_model("naive", label="mine"), Model(Honest(), "x"))
    labels = [check_forecaster(model, panels()).label for model in models]
    assert labels == ["honest", "naive", "mine", "x"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": ""}, "model is '', allowed: a name"),
        ({"version": 2}, "version is 2, allowed: a text"),
        ({"by": "place"}, "by is 'place'; one of: location, state, or None"),
        ({"target": "deaths"}, "target is 'deaths'; did you mean"),
        ({"joint": ("month",)}, r"joint is \('month',\), allowed: a frozenset"),
        ({"joint": frozenset({"months"})}, "joint is .*months.*, allowed: a frozenset"),
        ({"joint": frozenset()}, "months that are not joint cannot be added"),
        ({"min_months": 0}, "min_months is 0, allowed"),
        ({"min_months": 3.5}, "min_months is 3.5, allowed"),
        ({"dataset": "state"}, "dataset is 'state'; did you mean 'states'"),
        ({"parameters": {"a": 1}}, "allowed: pairs of texts"),
        ({"parameters": (("a", 1),)}, "allowed: pairs of texts"),
        ({"parameters": (("a", "<f at 0x7f12>"),)}, "parameter a .* other text in each process"),
        ({"origin": "odforecast"}, "stored results would be reused when it changes"),
    ],
)
def test_a_spec_that_says_nothing(change, words):
    with pytest.raises(ContractError) as caught:
        check_forecaster(Honest(spec=replace(BY_LOCATION, **change)), panels())
    found = [b.what for b in caught.value.breaches if b.rule == "declares"]
    assert any(re.search(words, what) for what in found), found


class OfClass:
    @property
    def spec(self):
        return BY_LOCATION

    fit = Honest.fit


class BareSpec:
    spec = BY_LOCATION


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (OfClass, r"OfClass is a class, not a forecaster; give an object of it: OfClass\(\)"),
        (BareSpec, "BareSpec is a class"),
        (Model(Honest(spec={}), "x"), "is a dict, not a Spec"),  # type: ignore[arg-type]
        (BareSpec(), "it has no fit"),
        (lambda panel: panel, r"decorate a function with @od\.forecaster"),
    ],
)
def test_what_is_no_forecaster(model, said):
    with pytest.raises(TypeError, match=said):
        check_forecaster(model)
