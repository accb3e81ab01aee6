"""The rules of the contract, by name. Each yields what it finds wrong, in one line."""

from __future__ import annotations

import contextlib
import pickle
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from unittest import mock

import numpy as np

from odforecast.forecast import Forecast, load_forecast
from odforecast.geography import whole_and_parts
from odforecast.geography.places import by_fips
from odforecast.models import Fitted, Model
from odforecast.months import ONE_MONTH
from odforecast.names import COUNTIES, LOCATION, TARGET_MONTH
from odforecast.panel import Panel
from odforecast.seeds import Streams
from odforecast.testing.zoo import rows, scrambled, until

HORIZON, DRAWS, SEED = 12, 40, 1


@dataclass(frozen=True, eq=False)
class Case:
    """A model fitted to a panel of the zoo."""

    model: Model
    panel: Panel
    fitted: Fitted

    def forecast(self, fitted: Fitted | None = None, seed: int = SEED) -> Forecast:
        """What the model says, through the wrapper that everybody uses."""
        return (fitted or self.fitted).forecast(HORIZON, draws=DRAWS, seed=seed)

    def again(self, panel: Panel | None = None) -> Forecast:
        """The same from a new fit, to this panel or another."""
        return self.forecast(self.model.fit(self.panel if panel is None else panel))

    @cached_property
    def raw(self) -> Forecast:
        """What the author's code returns, before the wrapper looks at it."""
        panel = self.panel
        streams = Streams(SEED, panel.dataset, panel.indicator, str(panel.last_month))
        return self.fitted.inner.draw(HORIZON, DRAWS, streams)

    @cached_property
    def first(self) -> Forecast:
        """The forecast that the others are compared with."""
        return self.forecast()


Rule = Callable[[Case], Iterator[str]]
#: Is it the answer that was asked for? Asked of every panel; the others only once it is.
ANSWERS: dict[str, Rule] = {}
#: How it behaves, on every panel.
EVERYWHERE: dict[str, Rule] = {}
#: How it behaves, on the ordinary panel: these fit again and again.
ONCE: dict[str, Rule] = {}
#: What all of that did to the panel.
AFTER: dict[str, Rule] = {}


def _rule(table: dict[str, Rule], name: str) -> Callable[[Rule], Rule]:
    def put(function: Rule) -> Rule:
        table[name] = function
        return function

    return put


@_rule(ANSWERS, "places")
def places(case: Case) -> Iterator[str]:
    """Every place of the panel is forecast, or skipped with a reason."""
    made, asked = case.raw, case.panel.locations
    if unknown := [s for s in made.locations if s not in asked]:
        yield f"forecasts {', '.join(unknown)}, which the panel has not"
    if lost := [s for s in asked if s not in made.locations and not made.skipped.get(s)]:
        yield f"{', '.join(lost)} is neither forecast nor skipped with a reason"
    if both := sorted(set(made.locations) & set(made.skipped)):
        yield f"{', '.join(both)} is forecast and skipped"


@_rule(ANSWERS, "months")
def months(case: Case) -> Iterator[str]:
    """The months end with the one asked for, and leave none out after the panel's last."""
    made, last = case.raw, case.panel.last_month
    if made.months[-1] != last + HORIZON * ONE_MONTH:
        yield f"ends {made.months[-1]}, asked for {last + HORIZON * ONE_MONTH}"
    if made.months[0] > last + ONE_MONTH:
        yield f"begins {made.months[0]}, later than the first after {last}"


@_rule(ANSWERS, "draws")
def draws(case: Case) -> Iterator[str]:
    """As many draws as were asked for, of deaths."""
    if len(case.raw.draws) != DRAWS:
        yield f"{len(case.raw.draws)} draws, asked for {DRAWS}"
    if (case.raw.draws < 0).any():
        yield f"{int((case.raw.draws < 0).sum())} draws are below zero"


@_rule(ANSWERS, "origin")
def origin(case: Case) -> Iterator[str]:
    """As-of date, last month and basis are the panel's."""
    made, panel = case.raw, case.panel
    for what, got, want in (
        ("as-of date", made.as_of, panel.as_of),
        ("last month", made.last_month, panel.last_month),
        ("basis", made.basis, panel.basis),
    ):
        if got != want:
            yield f"{what} is {got}, the panel's is {want}"


@_rule(ANSWERS, "target")
def target(case: Case) -> Iterator[str]:
    """The paths are what the spec says they are."""
    if case.raw.target != case.model.spec.target:
        yield f"paths of {case.raw.target}, the spec declares {case.model.spec.target}"


@_rule(ANSWERS, "joint")
def joint(case: Case) -> Iterator[str]:
    """The draws are joint over the axes that the spec declares: sums of places are the sums."""
    made, spec = case.raw, case.model.spec
    if made.joint != spec.joint:
        yield f"joint over {sorted(made.joint)}, the spec declares {sorted(spec.joint)}"
    if LOCATION not in spec.joint:
        return
    if spec.by is not None and not (spec.by == "state" and case.panel.dataset == COUNTIES):
        yield f"declares draws joint over locations, and forecasts each {spec.by} by itself"
    found = whole_and_parts(made.locations)
    if found is not None:
        nation, parts = found
        off = np.abs(made.draws[:, nation] - made.draws[:, parts].sum(axis=1)).max()
        if off > 1e-6 * made.draws[:, nation].max():
            yield f"declares draws joint over locations, but US differs from its parts by {off:.0f}"


@_rule(ANSWERS, "min-months")
def min_months(case: Case) -> Iterator[str]:
    """No place is forecast from fewer months than the spec declares, or without its last count."""
    needed = case.model.spec.min_months
    if case.panel.dataset == COUNTIES:
        # A county whose count is hidden, lost or missing is forecast all the same.
        months = case.panel.months.size + 11
        if case.raw.locations and months < needed:
            yield f"forecasts {case.raw.locations[0]} (only {months} months)"
        return
    able, why = case.panel.usable(needed)
    if bold := [s for s in case.raw.locations if s in case.panel.locations and s not in able]:
        yield f"forecasts {bold[0]} ({why[bold[0]]})"


@_rule(EVERYWHERE, "repeats")
def repeats(case: Case) -> Iterator[str]:
    """One seed gives one forecast, bit for bit."""
    if not np.array_equal(case.first.draws, case.forecast().draws):
        yield "the same seed gives other draws the second time"


@_rule(EVERYWHERE, "known")
def known(case: Case) -> Iterator[str]:
    """12-month counts are the panel's months and the drawn ones, added.

    The months before the draws are the panel's. Where they are drawn, too, they may be others
    where counts can still change: in the open months, and in the year that closed last, which
    stands in provisional counts until its final file. A coherent nation's months are its parts',
    which have constants of their own: it is left out.
    """
    made, panel = case.first, case.panel
    if made.target != TARGET_MONTH:
        return
    whole = whole_and_parts(made.locations) if LOCATION in made.joint else None
    places = [i for i in range(len(made.locations)) if whole is None or i != whole[0]]
    rows_of = [panel.locations.index(made.locations[i]) for i in places]
    first = int((made.months[0] - panel.month_grid[0]).astype(int))
    before = panel.monthly[rows_of, first - 11 : first]
    same = np.isclose(made.known[..., places, :], before, rtol=1e-6, atol=1e-6, equal_nan=True)
    if made.known.ndim > 2:
        closed = panel.final_through - 12 * ONE_MONTH
        same = same | (made.months[0] - np.arange(11, 0, -1) * ONE_MONTH > closed)
    if not same.all():
        yield "the months before the draws are not the panel's"


@_rule(EVERYWHERE, "saves")
def saves(case: Case) -> Iterator[str]:
    """The forecast comes back from its file, bit for bit."""
    with tempfile.TemporaryDirectory() as folder:
        back = load_forecast(case.first.save(Path(folder) / "saved"))
    if not np.array_equal(back.draws, case.first.draws) or back.locations != case.first.locations:
        yield "a saved forecast is another one when it is loaded"


@_rule(AFTER, "panel-stays")
def panel_stays(case: Case) -> Iterator[str]:
    """A model changes nothing in its panel; asked last, of the panel that all others used."""
    fresh = replace(case.panel)  # computes hash and months anew
    if fresh.data_hash != case.panel.data_hash or not np.array_equal(
        fresh.monthly, case.panel.monthly, equal_nan=True
    ):
        yield "the panel is not what it was before"


@_rule(ONCE, "seed")
def seed(case: Case) -> Iterator[str]:
    """Another seed gives other draws."""
    if np.array_equal(case.first.draws, case.forecast(seed=SEED + 1).draws):
        yield "another seed gives the same draws"


@_rule(ONCE, "refit")
def refit(case: Case) -> Iterator[str]:
    """The same panel gives the same forecast, whatever was fitted before."""
    if not np.array_equal(case.first.draws, case.again().draws):
        yield "a second fit gives other draws"


@_rule(ONCE, "global-random")
def global_random(case: Case) -> Iterator[str]:
    """Random numbers come from the streams alone; the process's own are left alone."""
    mine, other = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        made = []
        for number in (5, 5, 6):
            np.random.seed(number)  # noqa: NPY002
            random.seed(number)
            before = _global_state()
            made.append(case.again().draws)
            if before != _global_state():
                yield "takes numbers from the process's random state, or sets it"
                return
        if np.array_equal(made[0], made[1]) and not np.array_equal(made[0], made[2]):
            yield "the draws hang on the process's random state"
    finally:
        np.random.set_state(mine)  # noqa: NPY002
        random.setstate(other)


def _global_state() -> bytes:
    return pickle.dumps((np.random.get_state(), random.getstate()))  # noqa: NPY002


@_rule(ONCE, "order")
def order(case: Case) -> Iterator[str]:
    """The order of places does not matter."""
    back = case.again(rows(case.panel, case.panel.locations[::-1]))
    yield from _differs(case, back, case.first.locations, "when places stand in another order")


@_rule(ONCE, "alone")
def alone(case: Case) -> Iterator[str]:
    """A model that forecasts places one by one needs no other place."""
    if case.model.spec.by is None:
        return
    places = case.first.locations[-1:]
    if case.model.spec.by == "state" and case.panel.dataset == COUNTIES:
        state = by_fips()[places[0]].state
        places = tuple(s for s in case.panel.locations if by_fips()[s].state == state)
    lone = case.again(rows(case.panel, places))
    yield from _differs(case, lone, places, "when it is asked for alone")


@_rule(ONCE, "together")
def together(case: Case) -> Iterator[str]:
    """Where panels can be fitted together, each is as if it were fitted alone, bit for bit."""
    if not callable(getattr(case.model.inner, "fit_many", None)):
        return
    earlier = until(case.panel, case.panel.last_month - ONE_MONTH)
    made = case.model.fit_many([earlier, case.panel])
    for panel, fitted, alone_ in zip(
        (earlier, case.panel), made, (case.again(earlier), case.first)
    ):
        if not np.array_equal(case.forecast(fitted).draws, alone_.draws):
            yield f"the panel to {panel.last_month} has other draws when it is fitted with another"


def _differs(case: Case, other: Forecast, asked: tuple[str, ...], when: str) -> Iterator[str]:
    if lost := [s for s in asked if s not in other.locations]:
        yield f"{', '.join(lost)} is not forecast {when}"
    moved = []
    for place in set(asked) & set(other.locations):
        a, b = (f.draws[:, f.locations.index(place)] for f in (case.first, other))
        # Sums over a whole panel run in another order: equal to rounding.
        close = case.model.spec.by is None and np.allclose(a, b, rtol=1e-6, atol=1e-6)
        if not close and not np.array_equal(a, b):
            moved.append(place)
    if moved:
        yield f"{', '.join(sorted(moved))} has other draws {when}"


@_rule(ONCE, "future")
def future(case: Case) -> Iterator[str]:
    """What is published later changes nothing, even where it was fitted before."""
    month = case.panel.last_month - 12 * ONE_MONTH
    made = []
    for whole in (case.panel, scrambled(case.panel, month)):
        case.model.fit(whole)
        made.append(case.again(until(whole, month)).draws)
    if not np.array_equal(made[0], made[1]):
        yield "counts after the panel's last month change the draws"
    with _closed_archives() as opened:
        case.again()
    if opened:
        yield "opens an archive: a model is given its panel alone"


@contextlib.contextmanager
def _closed_archives() -> Iterator[list[str]]:
    """Archives that answer nobody, and note who asked."""
    from odforecast.vintage import Archive, Vintage

    opened: list[str] = []

    def refuse(*_: object, **__: object) -> None:
        opened.append("asked")
        raise PermissionError("no archive is open while a model is checked")

    with (
        mock.patch.object(Archive, "as_of", refuse),
        mock.patch.object(Vintage, "panel", refuse),
        contextlib.suppress(PermissionError),
    ):
        yield opened


@_rule(ONCE, "pickles")
def pickles(case: Case) -> Iterator[str]:
    """Model, fitted model and forecast travel to other processes."""
    model: Model = pickle.loads(pickle.dumps(case.model))
    made: Forecast = pickle.loads(pickle.dumps(case.first))
    if model.spec.hash != case.model.spec.hash:
        yield "the model has another spec after pickling"
    if not np.array_equal(case.forecast(model.fit(case.panel)).draws, case.first.draws):
        yield "the model gives other draws after pickling"
    if not np.array_equal(made.draws, case.first.draws):
        yield "the forecast has other draws after pickling"


@_rule(ONCE, "requests")
def requests(case: Case) -> Iterator[str]:
    """Short and long horizons, and a single draw."""
    for horizon, number in ((1, DRAWS), (24, DRAWS), (2, 1)):
        made = case.fitted.forecast(horizon, draws=number, seed=SEED)
        if made.horizons[-1] != horizon or len(made.draws) != number:
            yield f"{number} draws of {horizon} months come back as {made.draws.shape}"


@_rule(ONCE, "zeros")
def zeros(case: Case) -> Iterator[str]:
    """Draws are not cut off at zero silently."""
    made = case.first
    if case.panel.dataset == COUNTIES:  # which have no deaths at all in many a year
        return
    share = (made.draws == 0).mean()
    if share > 0.2 and not any("zero" in text for text in made.warnings):
        yield f"{share:.0%} of the draws are zero, and no warning says why"
