"""Projection: what scenarios would change, as paired draws and as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ForecastError, ScenarioError, UnknownNameError, near, one_of
from odforecast.forecast import Forecast
from odforecast.geography import JURISDICTIONS, called, pick
from odforecast.models.model import default_place
from odforecast.names import LOCATION, TARGET_MONTH
from odforecast.panel import Floats, Frozen
from odforecast.say import card, few, html_table, number_of, steady
from odforecast.scenario.answers import Answers
from odforecast.scenario.catalogue import CAVEAT
from odforecast.scenario.classes import share_name
from odforecast.scenario.limits import NATION
from odforecast.scenario.scenario import Scenario

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False)
class Projection(Answers, Frozen):
    """A forecast under scenarios; made by :func:`odforecast.scenario.project`.

    Attributes
    ----------
    baseline : Forecast
        The forecast as it was; the null scenario.
    scenarios : tuple of Scenario
        Null among them.
    forecasts : mapping of str to Forecast
        Scenario name to its forecast; draw *i* of each is paired with draw *i* of the others.
    exposures : mapping of str to (mapping of str to ndarray)
        Scenario, intervention → exposure by location, shape (L,).
    seed : int
        Seed of the scenarios' draws.
    warnings : tuple of str
        What a reader must know.
    source : Forecast
        The baseline with all its locations, whatever was selected since: what a sensitivity is
        worked out on, so that it gives the same numbers.
    tables : mapping of str to (mapping of str to float)
        Shares by name and location that were used.
    bases : mapping of str to Forecast
        What a scenario is counted against where that is not the baseline: of what had begun, the
        course without it from the last known month on.
    """

    _mappings = ("forecasts", "bases")

    baseline: Forecast
    scenarios: tuple[Scenario, ...]
    forecasts: Mapping[str, Forecast]
    exposures: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)
    seed: int = 1
    warnings: tuple[str, ...] = ()
    source: Forecast | None = None
    tables: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    bases: Mapping[str, Forecast] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._freeze()

    @steady
    def __repr__(self) -> str:
        base = self.baseline
        model = base.provenance.get("label", base.provenance.get("model", "?"))
        return card(
            f"Projection: {number_of(len(self.names), 'scenario')} on a forecast by {model} as of "
            f"{base.as_of}",
            few(self.names),
            f"{number_of(len(base.draws), 'paired draw')}, "
            f"{number_of(len(base.locations), 'location')} ({few(base.locations)}), "
            f"{base.months[0]} to {base.months[-1]}",
            *(f"note: {text}" for text in self.warnings[:2]),
            "Effects are assumptions, not estimates: the counts cannot identify cooperation.",
            "next: .averted(), .answer(), .text('US'), .plot('US'), .select('Ohio'), .to_frame()",
        )

    @steady
    def _repr_html_(self) -> str:
        place = self.baseline.locations[self.baseline.index(self._place(None))]
        rows = []
        for scenario in self.scenarios:
            forecast = self.forecasts[scenario.name].select(place)
            low, median, high = forecast.quantiles([0.05, 0.5, 0.95])[:, 0, -1].round()
            rows.append((scenario.name, scenario.title, median, low, high))
        return html_table(
            pd.DataFrame(rows, columns=["scenario", "title", "median", "5 %", "95 %"]),
            f"{called(place)}: deaths in the 12 months ending in {self.baseline.months[-1]}",
            CAVEAT,
        )

    def plot(
        self,
        location: str | None = None,
        kind: str = "overlay",
        axes: Axes | None = None,
        **style: Any,
    ) -> Axes:
        """The scenarios over one another, or the deaths averted over time, of one place.

        Parameters
        ----------
        location : str, optional
            Any of its names. Default: the only one there is, or else the US.
        kind : {"overlay", "averted"}
        axes : matplotlib Axes, optional
            Drawn into; default: those of a new figure.
        **style
            As the function of that name in :mod:`odforecast.plot` takes it.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        UnknownNameError
            If the kind or the place is unknown.
        ForecastError
            If the place was not projected, or none is named and there are several without a US.
        """
        from odforecast.plot import averted, overlay

        figures: dict[str, Callable[..., Axes]] = {"overlay": overlay, "averted": averted}
        if kind not in figures:
            raise UnknownNameError(
                f"kind is {kind!r}, an unknown figure", hint=one_of(kind, figures)
            )
        place = self.baseline.locations[self.baseline.index(self._place(location))]
        return figures[kind](self, place, axes=axes, **style)

    def _place(self, location: str | None) -> str:
        return default_place(self.baseline.locations) if location is None else location

    def _each(
        self,
        change: Callable[[Forecast], Forecast],
        exposure: Callable[[Floats], Floats],
        **others: Any,
    ) -> Projection:
        """The same with every forecast, and every exposure by location, changed in one way."""
        forecasts = {name: change(f) for name, f in self.forecasts.items()}
        return replace(
            self,
            baseline=forecasts[self.against(None)],
            forecasts=forecasts,
            bases={name: change(f) for name, f in self.bases.items()},
            exposures={
                name: {key: exposure(values) for key, values in table.items()}
                for name, table in self.exposures.items()
            },
            **others,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scenarios, in order."""
        return tuple(s.name for s in self.scenarios)

    def scenario(self, name: str) -> Scenario:
        """A scenario by name.

        Raises
        ------
        UnknownNameError
            If it was not projected.
        """
        for scenario in self.scenarios:
            if scenario.name == name:
                return scenario
        meant = near(name, self.names)
        raise UnknownNameError(
            f"no scenario {name!r} in this projection",
            hint=(f"did you mean {meant[0]!r}? " if meant else "")
            + f"it has: {', '.join(self.names)}",
        )

    def forecast(self, name: str) -> Forecast:
        """Sample paths under a scenario."""
        return self.forecasts[self.scenario(name).name]

    def with_nation(self) -> Projection:
        """The same with US put first, as the sum of the 52 jurisdictions.

        Unchanged where US is there; a projection whose draws are not joint over locations,
        or that lacks a jurisdiction, is refused.
        """
        if NATION in self.baseline.locations:
            return self
        source = self.source
        if source is not None and NATION not in source.locations:
            source = source.with_nation()
        # US is a sum here; it has no exposure of its own.
        return self._each(
            lambda f: f.with_nation(), lambda v: np.concatenate([[np.nan], v]), source=source
        )

    def select(self, locations: str | Iterable[str]) -> Projection:
        """Only these locations, by any of their names, in this order.

        Raises
        ------
        UnknownNameError
            If a name is no place's, a place is named twice, or none is named.
        ForecastError
            If a place was not projected.
        """
        here = self.baseline.locations
        places = list(pick(locations, here, "the projection", ForecastError, self.baseline.skipped))
        rows = [here.index(s) for s in places]
        return self._each(lambda f: f.select(places), lambda values: values[rows])

    def part(self, indicator: str) -> Projection:
        """A drug class under the same scenarios, in the same draws.

        Parameters
        ----------
        indicator : str
            CDC's name or a short one: ``"T40.4"``.

        Raises
        ------
        ForecastError
            If the forecast carries no such class.
        """
        of_class = self.baseline.part(indicator).locations
        rows = [self.baseline.index(s) for s in of_class]
        # A sensitivity of the class is worked out on the class.
        source = None if self.source is None else self.source.part(indicator)
        return self._each(lambda f: f.part(indicator), lambda values: values[rows], source=source)

    def region(self, name: str) -> Projection:
        """A census region as the sum of its jurisdictions, in every draw of every scenario.

        Parameters
        ----------
        name : {"Northeast", "Midwest", "South", "West"}
        """
        return self._each(lambda f: f.region(name), lambda _: np.array([np.nan]))

    def class_share(self, short: str) -> float:
        """Share of a class in all deaths, of the nation or else the mean of the known shares."""
        table = self.tables.get(share_name(short), {})
        return float(table.get(NATION, np.mean(list(table.values())) if table else 1.0))

    @property
    def can_add(self) -> bool:
        """Whether US can be had, as a row or as a sum."""
        here = set(self.baseline.locations)
        return NATION in here or (set(JURISDICTIONS) <= here and LOCATION in self.baseline.joint)

    @property
    def ahead(self) -> NDArray[np.bool_]:
        """Which months follow the last known one, shape (M,).

        The others are known, or revised by a nowcast: no scenario changes them, and no total
        counts them.
        """
        return np.asarray(self.baseline.months > self.baseline.last_month)

    def averted_draws(self, name: str, target: str = TARGET_MONTH) -> Floats:
        """Deaths averted against the baseline, draw by draw, shape (D, L, M).

        Positive: fewer deaths than under the status quo.
        """
        base = self.counted_against(name, None)
        return np.asarray(base.samples(target) - self.forecast(name).samples(target))

    def against(self, name: str | None) -> str:
        """Name of what deaths averted are counted against: the status quo by default."""
        if name is None:
            return next(s.name for s in self.scenarios if s.is_null)
        found = self.scenario(name)
        if all(s.is_null or s is found for s in self.scenarios):
            raise ScenarioError(f"nothing is left to be counted against {name}")
        return found.name

    def counted_against(self, name: str, against: str | None) -> Forecast:
        """The forecast that the deaths averted by a scenario are counted against."""
        if against is None and name in self.bases:
            return self.bases[name]
        return self.forecast(self.against(against))
