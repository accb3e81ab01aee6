"""Projection: any forecaster's sample paths under scenarios, with common random numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import (
    ForecastError,
    OdforecastError,
    ScenarioError,
    UnknownNameError,
    one_of,
    whole,
)
from odforecast.errors import short as said
from odforecast.forecasts import Forecast
from odforecast.forecasts.adding import quantile_levels
from odforecast.geography import JURISDICTIONS, NATION, called, pick
from odforecast.models import Fitted
from odforecast.months import ONE_MONTH, Months, to_month
from odforecast.names import (
    ALL_DRUGS,
    DEFAULT_SEED,
    LOCATION,
    SCENARIO_ID,
    TARGET_12MO,
    TARGET_MONTH,
)
from odforecast.panel import Floats, Frozen
from odforecast.say import (
    card,
    deaths_of,
    html_table,
    listed,
    month_name,
    number_of,
    steady,
)
from odforecast.scenario import answer
from odforecast.scenario.answer import Answer, Outcome
from odforecast.scenario.apply import (
    FITTED_AGAIN,
    NOT_FITTED_AGAIN,
    Applied,
    baseline_without,
    share_tables,
    stand_for_all,
)
from odforecast.scenario.detection import Detection, detection
from odforecast.scenario.intervention import NULL, Scenario
from odforecast.scenario.mechanism import caveat
from odforecast.scenario.started import check_started, lead

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HORIZON = 24

#: Paths of a fitted model that are simulated by default, and those of them that are kept.
PATHS = 6000
DRAWS = 2000

#: Numbers of one location, by column.
Row = Mapping[str, Any]

#: Fewest draws in which a scenario works of which quantiles are given.
FEWEST = 10

#: Quantile levels of deaths averted.
LEVELS = (0.05, 0.5, 0.95)
_ENDS = (0.05, 0.95)
_CHANCES = ("works", "nothing", "backfires")
_TIES = ("fewer", "same", "more")


def project(
    source: Forecast | Fitted,
    scenarios: Scenario | Iterable[Scenario],
    horizon: int | None = None,
    draws: int | None = None,
    seed: int | None = None,
    *,
    until: object | None = None,
    exposures: Mapping[str, Mapping[str, float]] | None = None,
    begun: bool = False,
) -> Projection:
    """Project a forecast under scenarios.

    Every scenario acts on the **same** baseline draws, and interventions of one name share their
    random numbers, so differences are paired draw by draw. The null scenario is the baseline
    itself, draw for draw; it is always there.

    An effect on all drugs multiplies monthly deaths by ``exp(delta)``. One on a class acts on that
    draw's own deaths of the class, and all deaths change by as many; both are there afterwards
    (:meth:`Projection.part`).

    An intervention that began by the last known month has already left its mark on the data, and
    is refused without ``begun``. With it only what changes **after** that month counts,
    ``delta(t) - delta(last month)``. Of a fitted model the baseline is fitted again without it, so
    that its part of the trend does not count twice (:mod:`odforecast.scenario.apply`); a forecast
    has that part in it.

    Where the draws are joint and US is the sum of its 52 jurisdictions, it stays their sum;
    elsewhere US is scaled with its own exposure.

    Parameters
    ----------
    source : Forecast or Fitted
        What to project: a forecast, or a fitted model to forecast with.
    scenarios : Scenario or iterable of Scenario
        One named without an onset begins in the month after the as-of date.
        ``null`` is put first if it is not among them.
    horizon, draws : int, optional
        For a fitted model; 24 months, and 2,000 draws that stand for 6,000: one of each three in
        the order of the nation's deaths ahead. Where something has begun, and with a number, as
        many paths are simulated as there are draws.
    until : month, optional
        For a fitted model: the last month, instead of a horizon.
    seed : int, optional
        Seed of the model's draws and of the scenarios'; default: the forecast's own, or 1.
    exposures : mapping of str to (mapping of str to float), optional
        Shares by place, by any of its names: ``{"fentanyl-share": {"Ohio": 0.62, …}}``.
        Default for ``fentanyl-share``: from the forecast's panel, where T40.4 stands beside it.
    begun : bool
        Also scenarios that began by the last known month.

    Returns
    -------
    Projection

    Raises
    ------
    ScenarioError
        If names repeat; if an exposure is missing; if the draws do not mean monthly deaths
        and a scenario is not null; if an onset lies before the data, or by the last known
        month without ``begun``; if the effect ended before the forecast begins.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel().select(["US"])
    >>> fitted = od.get_model("drift").fit(panel)
    >>> again = od.scenario.named_intervention("cooperation-resumed", onset="2025-10")
    >>> resumes = od.Scenario("resumes", (again,))
    >>> projection = od.project(fitted, [od.scenario.NULL, resumes], horizon=24, draws=200, seed=1)
    >>> projection.forecasts["null"].draws is projection.baseline.draws
    True
    """
    if not isinstance(source, Forecast | Fitted):
        raise ScenarioError(
            f"source is {said(source)}, neither a forecast nor a fitted model",
            hint="od.get_model().fit(panel) makes one of a panel",
        )
    as_of = source.as_of if isinstance(source, Forecast) else source.panel.as_of
    chosen = _with_null(scenarios, as_of)
    if seed is None:
        seed = DEFAULT_SEED
        if isinstance(source, Forecast):
            seed = int(source.provenance.get("seed", DEFAULT_SEED))
    seed = whole("seed", seed, least=0, error=ScenarioError)
    if isinstance(source, Fitted):
        if horizon is None and until is None:
            horizon = HORIZON
        onsets = [x.onset[0] for s in chosen for x in s.interventions]
        # What has begun is fitted again with as many paths: there it would take a minute.
        begun_by_now = any(onset <= source.panel.last_month for onset in onsets)
        if draws is None and not begun_by_now:
            baseline = source.forecast(horizon, until, PATHS, seed)
            baseline = stand_for_all(baseline, DRAWS)
        else:
            n = DRAWS if draws is None else draws
            baseline = source.forecast(horizon, until, n, seed)
    elif (horizon, draws, until) == (None, None, None):
        baseline = source
    else:
        raise ScenarioError(
            "horizon, until and draws belong to a fitted model; a forecast has its own",
            hint="leave them out, or give the fitted model",
        )
    shares = share_tables(baseline.panel, exposures)
    applied = Applied(baseline, shares, seed=seed)
    warnings = list(baseline.warnings)
    bases = {}
    columns: dict[tuple[str, str], Floats] = {}
    forecasts: dict[str, Forecast] = {}
    for scenario in chosen:
        name = scenario.name
        if scenario.is_null:
            forecasts[name] = baseline
            continue
        warnings += check_scenario(
            baseline, scenario, refitted=isinstance(source, Fitted)
        )
        check_started(scenario, baseline.last_month, begun=begun)
        felt = applied.felt(scenario)
        columns |= {
            (name, intervention): values for intervention, values in felt.items()
        }
        acting = applied
        if isinstance(source, Fitted):
            without = baseline_without(
                source, applied, scenario=scenario, exposures=felt
            )
            if without is not baseline:
                acting = Applied(without, shares, seed=seed, order=applied.order)
                bases[name] = without
        forecasts[name] = acting.under(scenario, felt)
        warnings += acting.notes
    heads = pd.MultiIndex.from_tuples(
        list(columns), names=[SCENARIO_ID, "intervention"]
    )
    index = pd.Index(baseline.locations, name="location")
    return Projection(
        baseline,
        tuple(chosen),
        forecasts,
        exposures=pd.DataFrame(columns, index, heads, dtype=float),
        seed=seed,
        warnings=tuple(dict.fromkeys(warnings)),
        source=baseline,
        tables=shares,
        bases=bases,
        order=applied.order,
    )


def _with_null(scenarios: object, as_of: Any) -> list[Scenario]:
    """The scenarios, null among them, those left open beginning in the month after a day."""
    is_list = isinstance(scenarios, Iterable) and not isinstance(scenarios, str)
    items: list[Any] = list(scenarios) if is_list else [scenarios]  # type: ignore[call-overload]
    wrong = [item for item in items if not isinstance(item, Scenario)]
    if wrong:
        raise ScenarioError(
            f"scenarios has {wrong[0]!r}, which is no Scenario",
            hint="od.scenario.named(name) makes one of a named prior",
        )
    # The default onset is the month after the as-of date, never the clock's.
    chosen = [scenario.at(str(to_month(as_of) + ONE_MONTH)) for scenario in items]
    if not any(scenario.is_null for scenario in chosen):
        chosen.insert(0, NULL)
    names = [scenario.name for scenario in chosen]
    if len(set(names)) != len(names):
        raise ScenarioError(
            f"scenario names repeat: {', '.join(names)}", hint="rename one"
        )
    return chosen


def check_scenario(
    baseline: Forecast, scenario: Scenario, refitted: bool = False
) -> list[str]:
    """Refuse what cannot be projected on a baseline; warnings of what has begun."""
    warnings = []
    panel = baseline.panel
    if TARGET_MONTH not in baseline.targets:
        model = baseline.provenance.get("model", "this model")
        raise ScenarioError(
            f"{scenario.name}: {model} forecasts 12-month sums only, so an effect on months "
            "cannot be applied to it",
            hint="project a model of months (dlm, auto-ets, drift), or the null scenario",
        )
    for x in scenario.interventions:
        if panel is not None and x.onset[0] < panel.month_grid[0]:
            raise ScenarioError(
                f"{scenario.name}: onset of {x.name} is {x.onset[0]}, allowed: "
                f"{panel.month_grid[0]} (first month of the data) or later"
            )
        if x.onset[0] <= baseline.last_month:
            warnings.append(
                f"{scenario.name}: {x.name} begins {x.onset[0]}, before the last known month "
                f"{baseline.last_month}: only what changes after it is projected, "
                + (FITTED_AGAIN if refitted else NOT_FITTED_AGAIN)
            )
        if x.onset[1] > baseline.months[-1]:
            raise ScenarioError(
                f"{scenario.name}: {x.name} may begin {x.onset[1]}, after the last month "
                f"projected ({baseline.months[-1]})",
                hint=f"forecast further: until={str(x.onset[1])!r} or later (--until)",
            )
    return warnings


@dataclass(frozen=True, eq=False, repr=False)
class Projection(Frozen):
    """A forecast under scenarios; made by :func:`odforecast.scenario.project`.

    Attributes
    ----------
    baseline : Forecast
        The forecast as it was; the null scenario.
    scenarios : tuple of Scenario
        Null among them.
    forecasts : mapping of str to Forecast
        Scenario name to its forecast; draw *i* of each is paired with draw *i* of the others.
    exposures : DataFrame
        A row per location, a column per scenario and intervention.
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
    order : ndarray of int, shape (D,)
        The draws, those with few deaths ahead in the nation first: effects are dealt to the paths
        in this order, so that paths with few and with many deaths get the same mixture.
    detections : dict of (str, str) to Detection
        What :meth:`detection` has worked out, by scenario and place; selections share it.
    """

    _mappings = ("forecasts", "bases")

    baseline: Forecast
    scenarios: tuple[Scenario, ...]
    forecasts: Mapping[str, Forecast]
    exposures: pd.DataFrame = field(default_factory=pd.DataFrame)
    seed: int = 1
    warnings: tuple[str, ...] = ()
    source: Forecast | None = None
    tables: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    bases: Mapping[str, Forecast] = field(default_factory=dict)
    order: NDArray[np.intp] = field(default_factory=lambda: np.arange(0))
    detections: dict[tuple[str, str], Detection | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._freeze()

    @steady
    def __repr__(self) -> str:
        base = self.baseline
        model = base.provenance.get("label", base.provenance.get("model", "?"))
        return card(
            f"Projection: {number_of(len(self.names), 'scenario')} on a forecast by {model} as of "
            f"{base.as_of}",
            listed(self.names),
            f"{number_of(len(base.draws), 'paired draw')}, "
            f"{number_of(len(base.locations), 'location')} ({listed(base.locations)}), "
            f"{base.months[0]} to {base.months[-1]}",
            *(f"note: {text}" for text in self.warnings[:2]),
            caveat(self.scenarios),
            "next: .averted(), .answer(), .text('US'), .plot('US'), .select('Ohio'), .to_frame()",
        )

    @steady
    def _repr_html_(self) -> str:
        place = self.place(None)
        rows = []
        for scenario in self.scenarios:
            forecast = self.forecasts[scenario.name].select(place)
            last = forecast.quantiles([0.5, 0.05, 0.95])[:, 0, -1].round()
            rows.append((scenario.name, scenario.title, *last))
        return html_table(
            pd.DataFrame(rows, columns=["scenario", "title", "median", "5%", "95%"]),
            f"{called(place)}: deaths in the 12 months ending in {self.baseline.months[-1]}",
            note=caveat(self.scenarios),
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
        """
        from odforecast.plot import averted, overlay

        figures: dict[str, Callable[..., Axes]] = {
            "overlay": overlay,
            "averted": averted,
        }
        if kind not in figures:
            raise UnknownNameError(
                f"kind is {kind!r}, an unknown figure", hint=one_of(kind, figures)
            )
        place = self.place(location)
        return figures[kind](self, place, axes=axes, **style)

    def place(self, location: str | None = None) -> str:
        """CDC code of a place of the projection.

        Parameters
        ----------
        location : str, optional
            Any of its names. Default: the only one there is, or else the US.
        """
        from odforecast.plot.frame import place_of

        places = self.baseline.locations
        if location is None:
            return place_of(places, None, name="this projection")
        return places[self.baseline.index(location)]

    def _map(self, change: Callable[[Forecast], Forecast], **fields: Any) -> Projection:
        """The same with every forecast changed in one way."""
        forecasts = {name: change(f) for name, f in self.forecasts.items()}
        base = forecasts[self._null]
        # A sum of places has no exposure of its own: nobody stated one.
        return replace(
            self,
            baseline=base,
            forecasts=forecasts,
            bases={name: change(f) for name, f in self.bases.items()},
            exposures=self.exposures.reindex(base.locations),
            **fields,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scenarios, in order."""
        return tuple(s.name for s in self.scenarios)

    def scenario(self, name: str) -> Scenario:
        """A scenario by name."""
        for scenario in self.scenarios:
            if scenario.name == name:
                return scenario
        raise UnknownNameError(
            f"no scenario {name!r} in this projection", hint=one_of(name, self.names)
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
        return self._map(lambda f: f.with_nation(), source=source)

    def select(self, locations: str | Iterable[str]) -> Projection:
        """Only these locations, by any of their names, in this order."""
        base = self.baseline
        places = pick(
            locations, base.locations, "the projection", ForecastError, base.skipped
        )
        return self._map(lambda f: f.select(list(places)))

    def part(self, indicator: str) -> Projection:
        """A drug class under the same scenarios, in the same draws.

        Parameters
        ----------
        indicator : str
            CDC's name or a short one: ``"T40.4"``.
        """
        # A sensitivity of the class is worked out on the class.
        source = None if self.source is None else self.source.part(indicator)
        return self._map(lambda f: f.part(indicator), source=source, detections={})

    def region(self, name: str) -> Projection:
        """A census region as the sum of its jurisdictions, in every draw of every scenario.

        Parameters
        ----------
        name : {"Northeast", "Midwest", "South", "West"}
        """
        return self._map(lambda f: f.region(name))

    @property
    def can_add(self) -> bool:
        """Whether the US is available, as a row or as a sum."""
        places = set(self.baseline.locations)
        if NATION in places:
            return True
        return set(JURISDICTIONS) <= places and LOCATION in self.baseline.joint

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
        base = self.counted_against(name)
        return np.asarray(base.samples(target) - self.forecast(name).samples(target))

    def counted_against(self, name: str) -> Forecast:
        """The forecast that the deaths averted by a scenario are counted against."""
        return self.bases.get(name, self.baseline)

    def to_frame(self, levels: Sequence[float] = (0.05, 0.5, 0.95)) -> pd.DataFrame:
        """Quantiles of the 12-month counts under every scenario, tidy.

        Returns
        -------
        DataFrame
            One row per scenario, location, month and level: ``scenario_id`` and ``location``
            (CDC code or FIPS), ``month`` (end of the 12 months, as text: ``2026-03``), all str;
            ``level`` (of the quantile, float), ``value`` (deaths in the 12 months, float).
        """
        base = self.baseline
        keys = [levels, base.locations, base.months.astype(str)]
        index = pd.MultiIndex.from_product(keys, names=["level", "location", "month"])
        tables = []
        for name, forecast in self.forecasts.items():
            table = index.to_frame(index=False)
            table[SCENARIO_ID] = name
            table["value"] = forecast.quantiles(levels).ravel()
            tables.append(table[[SCENARIO_ID, "location", "month", "level", "value"]])
        return stacked(tables)

    def answer(self) -> pd.DataFrame:
        """One row per scenario and location: if it works, the chances, and over all outcomes.

        Means everywhere, over the months from the earliest onset on. All of it holds under the
        assumptions and no further: the counts cannot identify cooperation.

        Returns
        -------
        DataFrame
            ``scenario_id, against`` (the status quo), ``location, first_month, last_month,
            baseline`` (mean deaths without it); ``works, nothing, backfires`` (chances, as its
            owner judges them, over 36 months from the onset); ``averted_if_works_mean``, ``_q05``,
            ``_q50``, ``_q95`` (deaths averted in the draws where everything in it works);
            ``averted_mean, averted_q05, averted_q95, percent_mean`` (over all outcomes);
            ``fewer, same, more`` (share of draws with fewer deaths than without it, exactly as
            many, more). A what-if has no chances: NaN, and all of its numbers hold given that it
            works. Of several interventions the chances are in :meth:`outcomes`.
        """
        return pd.DataFrame([a.numbers for a in self.answers])

    def outcomes(self) -> pd.DataFrame:
        """What may come of each scenario, how likely that is, and what it would avert.

        Of one intervention: it works, does nothing, or backfires. Of several: each of them works
        or not. Of a what-if: that it works.

        Returns
        -------
        DataFrame
            ``scenario_id, against, location, outcome`` (in words), ``chance`` (as judged; NaN of a
            what-if), ``share`` (of the draws), ``averted_mean, averted_q05, averted_q95`` (NaN in
            fewer than 10 draws but for the mean). The means weighed by the shares add up to
            ``averted_mean`` of :meth:`answer`.
        """
        return pd.DataFrame([case for a in self.answers for case in a.cases])

    def text(self, location: str | None = None) -> str:
        """The answer for one place, in plain sentences, for people.

        Parameters
        ----------
        location : str, optional
            Any of its names. Default: the only location there is, or else the US.
        """
        return answer.text(self, location)

    def averted(self, levels: Sequence[float] = LEVELS) -> pd.DataFrame:
        """Deaths averted and percent change, by scenario, location and period.

        Parameters
        ----------
        levels : sequence of float
            Quantile levels in (0, 1).

        Returns
        -------
        DataFrame
            ``scenario_id, against, location, kind, period``: kind ``year`` (``2026``, and ``2026
            (May–Dec)`` where the year is not whole), ``since-onset`` (``months 1-12`` from the
            earliest onset) and ``all`` (from that onset on, as in :meth:`answer`); months up to
            the last known one never count. Of a what-if all holds given that it works.
            ``first_month, last_month, baseline`` (mean deaths without it), ``averted_mean``,
            ``averted_q05`` …, ``percent_mean`` (mean of the paired percent changes; below 0:
            fewer deaths), ``percent_q05`` …, ``fewer, same, more`` (shares of the draws).
        """
        probs = quantile_levels(levels, ScenarioError)
        rows: list[Row] = []
        for scenario, _ in self._since_onsets():
            for place in zip(*self._periods(scenario, probs)):
                rows += place
        return pd.DataFrame(rows)

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """The answer of every scenario but the status quo in every location, in this order."""
        panel = self.baseline.panel
        deaths = deaths_of(ALL_DRUGS if panel is None else panel.indicator)
        answers = []
        for scenario, span in self._since_onsets():
            base, path = self._sums(scenario, span)
            outcomes = answer.outcomes_of(scenario, *self._order_and_seed)
            numbers = self._numbers(scenario, span)
            cases = [self._case(scenario, base - path, x) for x in outcomes]
            periods = self._periods(scenario, LEVELS)
            for i, place in enumerate(self.baseline.locations):
                works = cases[0][i]
                begun = lead(scenario, self.baseline, deaths, works)
                answers.append(
                    Answer(
                        scenario,
                        place,
                        numbers=numbers[i],
                        cases=tuple(case[i] for case in cases),
                        periods=tuple(period[i] for period in periods),
                        detect=partial(self.detection, scenario.name, place),
                        deaths=deaths,
                        begun=begun,
                    )
                )
        return tuple(answers)

    def detection(self, name: str, location: str | None = None) -> Detection | None:
        """When counts would show that a scenario does what it is there for.

        None where counts cannot say: it has several interventions, which counts do not tell
        apart, or the counts of the panel are too few. This takes a few seconds, once.
        """
        base = self.baseline if self.source is None else self.source
        parts = self.scenario(name).interventions
        if len(parts) != 1 or base.panel is None:
            return None
        place = self.place(location)
        if parts[0].national and NATION in base.panel.locations:
            # What all states feel alike shows best in the nation's counts.
            place = NATION
        if (name, place) not in self.detections:
            try:
                known = detection(parts[0], base.panel, place, exposures=self.tables)
            except OdforecastError:
                known = None
            self.detections[name, place] = known
        return self.detections[name, place]

    def _numbers(self, scenario: Scenario, span: NDArray[np.bool_]) -> list[Row]:
        """Rows of :meth:`answer`, one per location."""
        base, path = self._sums(scenario, span)
        saved = base - path
        judged = answer.judged(scenario)
        works = answer.everything_works(scenario, *self._order_and_seed)
        counted = self.counted(scenario.name)
        chances = (np.nan,) * 3
        if len(judged) == len(scenario.interventions) == 1:
            chances = judged[0].chances()
        return _rows(
            {
                **self._keys(scenario),
                **self._months(span, base),
                **dict(zip(_CHANCES, chances)),
                **summary_of("averted_if_works", saved[works], levels=LEVELS),
                **summary_of("averted", saved[counted], levels=_ENDS, fewest=1),
                "percent_mean": mean_of(percent_of(base, base - saved)[counted]),
                **_ties(saved[counted], bool(judged)),
            }
        )

    def _case(self, scenario: Scenario, saved: Floats, outcome: Outcome) -> list[Row]:
        """Rows of :meth:`outcomes` of one outcome, one per location."""
        n = max(int(self.counted(scenario.name).sum()), 1)
        values = saved[outcome.draws]
        return _rows(
            {
                **self._keys(scenario),
                "outcome": outcome.label,
                "chance": outcome.chance,
                "share": len(values) / n,
                **summary_of("averted", values, levels=_ENDS),
                "averted_mean": mean_of(values),
            }
        )

    def _periods(self, scenario: Scenario, levels: Iterable[float]) -> list[list[Row]]:
        """Rows of :meth:`averted`: of every period, one per location."""
        counted = self.counted(scenario.name)
        judged = bool(answer.judged(scenario))
        onset = _begins(scenario)
        tables = []
        for kind, label, span in periods(self.baseline.months, self.ahead, onset=onset):
            base, path = self._sums(scenario, span)
            saved = (base - path)[counted]
            percent = percent_of(base, path)[counted]
            table = {
                **self._keys(scenario),
                "kind": kind,
                "period": label,
                **self._months(span, base),
                **summary_of("averted", saved, levels=levels, fewest=1),
                **summary_of("percent", percent, levels=levels, fewest=1),
                **_ties(saved, judged),
            }
            tables.append(_rows(table))
        return tables

    def probability_fewer_than(
        self,
        value: float,
        location: str = NATION,
        target: str = TARGET_12MO,
    ) -> pd.DataFrame:
        """Probability of fewer than ``value`` deaths, month by month, for each scenario.

        Returns
        -------
        DataFrame
            ``scenario_id, location, month, value, probability``.
        """
        i = self.baseline.index(location)
        keys = {
            "location": self.baseline.locations[i],
            "month": self.baseline.months.astype(str),
        }
        return stacked(
            {
                SCENARIO_ID: name,
                **keys,
                "value": float(value),
                "probability": forecast.probability_below(value, target)[i],
            }
            for name, forecast in self.forecasts.items()
        )

    def exposure_table(self) -> pd.DataFrame:
        """Exposure of every location to every intervention."""
        table = self.exposures.melt(
            value_name="exposure", ignore_index=False
        ).reset_index()
        return table[[SCENARIO_ID, "intervention", "location", "exposure"]]

    def to_parquet(self, path: str | Path) -> Path:
        """Write all draws: ``scenario_id, draw, location, month, deaths_month``.

        Draws of one number are paired across scenarios. The baseline is the null scenario.
        A model that forecasts 12-month sums only has ``deaths_12mo`` instead.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        base = self.baseline
        n_draws, n_loc, n_months = base.draws.shape
        target = TARGET_MONTH if TARGET_MONTH in base.targets else TARGET_12MO
        meta = {
            "model": base.provenance.get("model", ""),
            "seed": str(self.seed),
            "caveat": caveat(self.scenarios),
        }
        draw = np.repeat(np.arange(n_draws, dtype=np.int32), n_loc * n_months)
        place = np.tile(np.repeat(np.arange(n_loc, dtype=np.int32), n_months), n_draws)
        month = np.tile(np.arange(n_months, dtype=np.int32), n_draws * n_loc)

        def words(codes: NDArray[np.int32], names: Iterable[str]) -> Any:
            """A column of few words."""
            return pa.DictionaryArray.from_arrays(codes, list(names))

        def table(name: str) -> Any:
            """The draws of a scenario."""
            columns = {
                SCENARIO_ID: words(np.zeros(draw.size, dtype=np.int32), [name]),
                "draw": draw,
                "location": words(place, base.locations),
                "month": words(month, base.months.astype(str)),
                target: self.forecasts[name].samples(target).reshape(-1),
            }
            return pa.table(columns).replace_schema_metadata(meta)

        schema = table(self._null).schema
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for name in self.forecasts:
                writer.write_table(table(name))
        return Path(path)

    @property
    def _null(self) -> str:
        """Name of the status quo."""
        return next(s.name for s in self.scenarios if s.is_null)

    def _keys(self, scenario: Scenario) -> dict[str, Any]:
        """First columns of a table of a scenario: a row per location."""
        places = list(self.baseline.locations)
        return {SCENARIO_ID: scenario.name, "against": self._null, "location": places}

    def _months(self, span: Any, base: Floats) -> dict[str, Any]:
        """First and last of some months, and the mean deaths in them without a scenario."""
        first, last = map(str, self.baseline.months[span][[0, -1]])
        return {"first_month": first, "last_month": last, "baseline": mean_of(base)}

    def _since_onsets(self) -> Iterator[tuple[Scenario, NDArray[np.bool_]]]:
        """The scenarios, and the months from the earliest onset on."""
        for scenario in self.scenarios:
            if not scenario.is_null:
                yield scenario, self.since_onset(scenario.name)

    def _sums(self, scenario: Scenario, span: Any) -> tuple[Floats, Floats]:
        """Deaths in some months without a scenario, and with it: (D, L) each."""
        base = self.counted_against(scenario.name)
        path = self.forecast(scenario.name)
        return base.draws[:, :, span].sum(axis=2), path.draws[:, :, span].sum(axis=2)

    def counted(self, name: str) -> NDArray[np.bool_]:
        """In which draws the answer of a scenario holds: all, or where its what-ifs work. (D,)."""
        return answer.counted(self.scenario(name), *self._order_and_seed)

    @property
    def _order_and_seed(self) -> tuple[NDArray[np.intp], int]:
        """What the draws of an effect are made of."""
        return self.order, self.seed

    def since_onset(self, name: str) -> NDArray[np.bool_]:
        """Which months its answer counts: those ahead, from the earliest onset on. Shape (M,)."""
        return np.asarray(
            self.ahead & (self.baseline.months >= _begins(self.scenario(name)))
        )


def _begins(scenario: Scenario) -> np.datetime64:
    """The earliest month in which something may begin."""
    first: np.datetime64 = min(x.onset[0] for x in scenario.interventions)
    return first


def periods(
    months: Months, ahead: NDArray[np.bool_], onset: np.datetime64
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Kind, label and months of every period over which deaths ahead are added up.

    Calendar years, twelve months at a time since the onset, and all months from it on.

    >>> months = np.arange("2026-11", "2028-01", dtype="datetime64[M]")
    >>> found = periods(months, months > months[0], months[1])
    >>> [label for _, label, _ in found]
    ['2026 (Dec)', '2027', 'months 1-12', 'months 13-13', 'all']
    """
    years = months.astype("datetime64[Y]")
    since = (months - onset).astype(int)
    for year in np.unique(years[ahead]):
        inside = ahead & (years == year)
        label = str(year)
        if inside.sum() < 12:
            ends = dict.fromkeys(month_name(m)[:3] for m in months[inside][[0, -1]])
            label += f" ({'–'.join(ends)})"
        yield "year", label, inside
    after = ahead & (since >= 0)
    for block in np.unique(since[after] // 12):
        inside = after & (since // 12 == block)
        first, last = since[inside][[0, -1]] + 1
        yield "since-onset", f"months {first}-{last}", inside
    yield "all", "all", after


def percent_of(before: Floats, after: Floats) -> Floats:
    """Changes in percent; 0 where there was nothing."""
    return np.divide(
        100.0 * (after - before), before, out=np.zeros_like(before), where=before > 0
    )


def mean_of(values: Floats) -> Floats:
    """Means over the draws, (D, L) to (L,), each summed as a series of its own."""
    if not len(values):
        return np.full(values.shape[1], np.nan)
    return np.asarray(np.ascontiguousarray(values.T).mean(axis=1))


def summary_of(
    name: str,
    values: Floats,
    levels: Iterable[float],
    fewest: int = FEWEST,
) -> dict[str, Floats]:
    """Mean and quantiles by columns such as ``averted_q05``; NaN of fewer draws than a few."""
    tags = [f"{100 * level:g}" for level in levels]
    columns = [f"{name}_q{tag if '.' in tag else tag.zfill(2)}" for tag in tags]
    if len(values) < fewest:
        return dict.fromkeys(
            [f"{name}_mean", *columns], np.full(values.shape[1], np.nan)
        )
    quantiles = np.quantile(values, list(levels), axis=0)
    return {f"{name}_mean": mean_of(values), **dict(zip(columns, quantiles))}


def _ties(saved: Floats, judged: bool) -> dict[str, Any]:
    """Chances of fewer deaths, of the same, and of more; a what-if has none."""
    if not (judged and len(saved)):
        return dict.fromkeys(_TIES, np.nan)
    cases = (saved > 0, saved == 0, saved < 0)
    return {key: case.mean(axis=0) for key, case in zip(_TIES, cases)}


def _rows(columns: Mapping[str, Any]) -> list[Row]:
    """Columns by location as a row for each."""
    rows: Any = pd.DataFrame(columns).to_dict("records")
    return list(rows)


def stacked(rows: Iterable[Mapping[str, Any] | pd.DataFrame]) -> pd.DataFrame:
    """Tables of columns below each other; without any, an empty one."""
    frames = [pd.DataFrame(columns) for columns in rows]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
