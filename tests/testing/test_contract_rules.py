"""Every rule of the contract is named by a model that breaks it, and by no honest one."""

from __future__ import annotations

import contextlib
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest

import odforecast as od
from odforecast.errors import PanelError
from odforecast.forecast import Forecast
from odforecast.geography import JURISDICTIONS
from odforecast.models import Model, Spec
from odforecast.months import ONE_MONTH
from odforecast.names import TARGET_12MO
from odforecast.panel import Panel
from odforecast.testing import Breach, ContractError, check_forecaster, zoo
from odforecast.testing.contract import HINTS, RULES

SEEN: list[float] = []
BY_LOCATION = Spec("honest", by="location", joint=frozenset({"month"}), origin="")


@cache
def panels(*names: str) -> dict[str, Panel]:
    whole = zoo()
    return {name: whole[name] for name in names or ("ordinary",)}


def no_change(made: Forecast, panel: Panel) -> Forecast:
    return made


def as_drawn(paths: np.ndarray, fitted: Fitted) -> np.ndarray:
    return paths


def own_stream(streams, place: str) -> np.random.Generator:
    return streams.generator("location", place)


def nothing(panel: Panel) -> None:
    return None


@dataclass
class Honest:
    """Poisson noise round the last year's mean; each part can be replaced by a broken one."""

    spec: Spec = field(default_factory=lambda: BY_LOCATION)
    on_fit: Callable[[Panel], None] = nothing
    paths: Callable[[np.ndarray, Fitted], np.ndarray] = as_drawn
    answer: Callable[[Forecast, Panel], Forecast] = no_change
    rng: Callable = own_stream
    min_months: int = 36

    def fit(self, panel: Panel) -> Fitted:
        usable, skipped = panel.usable(self.min_months)
        if not usable:
            raise PanelError("honest can use no location")
        self.on_fit(panel)
        return Fitted(self, panel, usable, skipped)


@dataclass
class Fitted:
    owner: Honest
    panel: Panel
    locations: tuple[str, ...]
    skipped: dict[str, str]

    def draw(self, horizon, draws, streams) -> Forecast:
        paths = np.empty((draws, len(self.locations), horizon))
        for i, place in enumerate(self.locations):
            row = self.panel.locations.index(place)
            mean = max(self.panel.monthly[row, -12:].mean(), 1e-9)
            rng = self.owner.rng(streams, place)
            paths[:, i] = rng.poisson(mean, (draws, horizon))
        made = Forecast.from_panel(
            self.panel,
            self.owner.paths(paths, self),
            self.locations,
            joint=self.owner.spec.joint,
            skipped=self.skipped,
        )
        return self.owner.answer(made, self.panel)


def broken_rules(model: Honest, *names: str) -> set[str]:
    with pytest.raises(ContractError) as caught:
        check_forecaster(model, panels(*names))
    return {b.rule for b in caught.value.breaches}


def test_an_honest_model_keeps_all_rules_on_the_whole_zoo():
    kept = check_forecaster(Honest())
    assert kept.rules == RULES
    assert set(kept.refused) == {"very-short"}
    assert "refused very-short: honest can use no location" in str(kept)


# --- what is returned -------------------------------------------------------------------


def drop_a_place(made, panel):
    return replace(made.select(made.locations[1:]), skipped={})


def forecast_a_skipped_place(made, panel):
    return replace(made, skipped={made.locations[0]: "too hard"})


def another_place(made, panel):
    return replace(made, locations=("TX", *made.locations[1:]))


def one_month_less(made, panel):
    return replace(made, draws=made.draws[:, :, :-1], months=made.months[:-1])


def begins_late(made, panel):
    return replace(made, draws=made.draws[:, :, 1:], months=made.months[1:])


def one_draw_less(made, panel):
    return replace(made, draws=made.draws[1:])


def below_zero(made, panel):
    return replace(made, draws=made.draws - 1e6)


def another_day(made, panel):
    return replace(made, as_of=panel.as_of.replace(year=2030))


def another_last_month(made, panel):
    return replace(made, last_month=panel.last_month - ONE_MONTH)


def another_basis(made, panel):
    return replace(made, basis="residence")


def counts_not_months(made, panel):
    return replace(made, target=TARGET_12MO)


def more_joint_than_declared(made, panel):
    return replace(made, joint=frozenset({"month", "location"}))


def other_known_months(made, panel):
    return replace(made, known=made.known + 5.0)


def cut_at_zero(made, panel):
    return replace(made, draws=np.where(np.arange(made.months.size) % 2, made.draws, 0.0))


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (drop_a_place, "places"),
        (forecast_a_skipped_place, "places"),
        (another_place, "places"),
        (one_month_less, "months"),
        (begins_late, "months"),
        (one_draw_less, "draws"),
        (below_zero, "draws"),
        (another_day, "origin"),
        (another_last_month, "origin"),
        (another_basis, "origin"),
        (counts_not_months, "target"),
        (more_joint_than_declared, "joint"),
        (other_known_months, "known"),
        (cut_at_zero, "zeros"),
    ],
)
def test_a_wrong_answer_is_named(answer, rule):
    assert rule in broken_rules(Honest(answer=answer))


def test_draws_of_places_one_by_one_are_not_joint_over_locations():
    spec = Spec("honest", by="location", origin="")
    assert "joint" in broken_rules(Honest(spec=spec))


def test_joint_draws_that_do_not_add_up_are_named():
    spec = Spec("honest", by=None, origin="")
    assert "US" in panels("whole-nation")["whole-nation"].locations
    assert len(JURISDICTIONS) == 52
    assert broken_rules(Honest(spec=spec), "whole-nation") == {"joint"}


def test_more_is_forecast_than_the_declared_length_allows():
    assert broken_rules(Honest(min_months=12), "ordinary", "very-short") == {"min-months"}


def not_finite(paths, fitted):
    return paths * np.nan


def falls_over(paths, fitted):
    raise RuntimeError("no memory\nof that")


def test_what_is_not_finite_and_what_falls_over():
    assert broken_rules(Honest(paths=not_finite)) == {"finite"}
    assert broken_rules(Honest(paths=falls_over)) == {"forecasts"}
    assert broken_rules(Honest(answer=only_the_array)) == {"forecasts"}


def only_the_array(made, panel):
    return made.draws


def unprintable(made, panel):
    return replace(made, warnings=(object(),))


def test_a_forecast_that_no_file_can_hold():
    assert "saves" in broken_rules(Honest(answer=unprintable))


# --- fitting ----------------------------------------------------------------------------


def refuses_all(panel):
    raise PanelError("not today")


def wrong_error(panel):
    raise KeyError("US")


def no_reason(panel):
    raise PanelError("")


def test_the_ordinary_panel_may_not_be_refused():
    assert broken_rules(Honest(on_fit=refuses_all)) == {"refuses"}


def test_another_panel_may_be_refused_with_a_reason_only():
    def small_only(panel, how):
        if len(panel.locations) == 1:
            how(panel)

    fussy = Honest(on_fit=lambda panel: small_only(panel, refuses_all))
    # It is also asked for a place alone, and does not pickle: what counts is `refuses`.
    assert "refuses" not in broken_rules(fussy, "ordinary", "one-location")
    mute = Honest(on_fit=lambda panel: small_only(panel, no_reason))
    assert "refuses" in broken_rules(mute, "ordinary", "one-location")


def test_only_a_panel_error_is_a_refusal():
    assert broken_rules(Honest(on_fit=wrong_error)) == {"fits"}


# --- random numbers ---------------------------------------------------------------------


def of_the_clock(streams, place):
    return np.random.default_rng()


def always_the_same(streams, place):
    return np.random.default_rng(3)


def of_the_process(streams, place):
    return np.random.mtrand._rand


def of_a_list(streams, place, calls=[]):  # noqa: B006
    calls.append(place)
    return np.random.default_rng(len(calls))


def seeded_by_process(panel):
    SEEN[:] = [float(np.random.get_state()[1][0])]  # noqa: NPY002


def noise_of_process(paths, fitted):
    return paths + SEEN[0] % 7


def test_random_numbers_of_the_clock_and_of_the_process():
    assert broken_rules(Honest(rng=of_the_clock)) == {"repeats"}
    assert broken_rules(Honest(rng=of_the_process)) == {"repeats", "global-random"}
    assert broken_rules(Honest(rng=of_a_list)) == {"repeats"}
    hidden = Honest(on_fit=seeded_by_process, paths=noise_of_process)
    assert "global-random" in broken_rules(hidden)


def test_a_seed_that_is_not_used():
    assert broken_rules(Honest(rng=always_the_same)) == {"seed"}


# --- panels, places, the future ---------------------------------------------------------


def writes_into(panel):
    panel.reported.flags.writeable = True
    panel.reported[0, 0] += 1


def writes_into_months(panel):
    panel.monthly.flags.writeable = True
    panel.monthly[0, 0] += 1


@pytest.mark.parametrize("writer", [writes_into, writes_into_months])
def test_a_panel_that_is_written_into(writer):
    assert "panel-stays" in broken_rules(Honest(on_fit=writer))


def by_position(paths, fitted):
    return paths + np.arange(paths.shape[1])[:, None]


def by_number(paths, fitted):
    return paths * len(fitted.locations)


def test_draws_that_hang_on_the_order_or_on_other_places():
    assert {"order"} <= broken_rules(Honest(paths=by_position))
    assert broken_rules(Honest(paths=by_number)) == {"alone"}


def remembers(panel):
    SEEN.append(float(panel.reported[0, -1]))


def recalls(paths, fitted):
    return paths + max(SEEN)


def reads_the_archive(panel):
    od.bundled().as_of()


def reads_in_secret(panel):
    with contextlib.suppress(Exception):
        od.bundled().as_of()


def test_a_model_that_remembers_what_came_later():
    SEEN.clear()
    assert "future" in broken_rules(Honest(on_fit=remembers, paths=recalls))


@pytest.mark.parametrize("reader", [reads_the_archive, reads_in_secret])
def test_a_model_that_opens_an_archive(reader):
    assert broken_rules(Honest(on_fit=reader)) == {"future"}


FITS: list[int] = []


def counts_fits(panel):
    FITS.append(1)


def drifts(paths, fitted):
    return paths + len(FITS)


def test_a_second_fit_that_differs():
    assert "refit" in broken_rules(Honest(on_fit=counts_fits, paths=drifts))


def test_a_model_that_does_not_pickle():
    local = Honest(rng=lambda streams, place: streams.generator("location", place))
    assert broken_rules(local) == {"pickles"}


def short_only(paths, fitted):
    if paths.shape[2] > 12:
        raise ValueError("at most a year")
    return paths


def test_horizons_it_cannot_do():
    assert broken_rules(Honest(paths=short_only)) == {"requests"}


# --- the report -------------------------------------------------------------------------


def test_all_that_is_broken_is_in_one_error():
    with pytest.raises(AssertionError) as caught:
        check_forecaster(Honest(answer=one_draw_less), panels("ordinary", "clean"))
    assert str(caught.value) == (
        "honest breaks 1 rule:\n  draws (ordinary, clean): 39 draws, asked for 40\n"
        "    hint: return draws sample paths, none below zero"
    )
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.breaches == caught.value.breaches
    assert again.breaches[0] == Breach(
        "draws", "ordinary", "39 draws, asked for 40", "return draws sample paths, none below zero"
    )


def test_every_rule_says_what_to_do() -> None:
    assert set(HINTS) == set(RULES)


def test_a_rule_with_two_findings_has_one_hint():
    text = str(
        ContractError("mine", [Breach("draws", "gap", x, "do so") for x in ("too few", "below 0")])
    )
    assert text.splitlines() == [
        "mine breaks 1 rule:",
        "  draws (gap): too few",
        "  draws (gap): below 0",
        "    hint: do so",
    ]


def test_models_are_taken_as_objects_names_and_what_get_model_gives():
    labels = [
        check_forecaster(model, panels()).label
        for model in (Honest(), "naive", od.get_model("naive", label="mine"), Model(Honest(), "x"))
    ]
    assert labels == ["honest", "naive", "mine", "x"]


def test_every_rule_has_a_model_that_breaks_it():
    """Names of rules in this file: a new rule needs its broken model."""
    with open(__file__) as handle:
        text = handle.read()
    assert not [rule for rule in RULES if f'"{rule}"' not in text]


# --- the spec ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": ""}, "model is '', allowed: a name"),
        ({"version": 2}, "version is 2, allowed: a text"),
        ({"by": "place"}, "by is 'place'; one of: location, state, or None"),
        ({"target": "deaths"}, "target is 'deaths'; did you mean"),
        ({"joint": ("month",)}, r"joint is \('month',\), allowed: a frozenset"),
        ({"joint": frozenset({"months"})}, "joint is .*months.*, allowed: a frozenset"),
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


def test_what_is_no_spec_and_what_is_no_object():
    with pytest.raises(TypeError, match="is a property of the class, no Spec; give an object"):
        check_forecaster(OfClass)
    with pytest.raises(TypeError, match="is dict, no Spec"):
        check_forecaster(Model(Honest(spec={}), "x"))
    with pytest.raises(TypeError, match="it has no fit"):
        check_forecaster(BareSpec())


class OfClass:
    @property
    def spec(self):
        return BY_LOCATION

    def fit(self, panel):
        raise PanelError(panel.indicator)


class BareSpec:
    spec = BY_LOCATION


@dataclass
class Together(Honest):
    """Fits panels together, each as if it were alone, or as if it were the first."""

    wrong: bool = False

    def fit_many(self, panels):
        return [self.fit(panels[0] if self.wrong else panel) for panel in panels]


def test_panels_that_are_fitted_together():
    check_forecaster(Together(), panels())
    assert broken_rules(Together(wrong=True)) == {"together"}


def test_a_bare_function_is_no_forecaster():
    with pytest.raises(TypeError, match=r"becomes one by @od\.forecaster"):
        od.testing.check_forecaster(lambda panel: panel)
