"""A clock for a scenario that has begun: the chances now that it works, and when we will know.

:mod:`odforecast.scenario.clock` reads the releases. What is to come is simulated: worlds in which
the scenario works and does not are drawn from today's chances (on the first day, the prior) and act
on the forecast model's own draws, and the estimator reads each world, month by month. Where the
effect has begun the model is fitted again with its mean taken out, so that its trend does not hold
a part of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import ScenarioError, whole
from odforecast.forecasts import Forecast
from odforecast.geography import JURISDICTIONS, NATION, called, code_of
from odforecast.models import Model, get_model
from odforecast.models.delay.layer import Delayed
from odforecast.months import ONE_MONTH, Months
from odforecast.panel import Floats
from odforecast.say import card, chance, day_name, deaths_of, month_name, steady
from odforecast.scenario.apply import (
    Applied,
    Begun,
    panel_without,
    share_name,
    share_tables,
)
from odforecast.scenario.clock import READS, THREE, YOUNGEST, Clock, Series, with_series
from odforecast.scenario.drawing import Timings
from odforecast.scenario.effects import EventPosterior, stratified, timings_of
from odforecast.scenario.grammar import ALL
from odforecast.scenario.intervention import Intervention, Scenario
from odforecast.scenario.past import BEFORE, FEWEST, WHATEVER, Counts
from odforecast.seeds import seed_from

if TYPE_CHECKING:
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.vintage import Vintage

#: How sure is sure.
SURE = 0.8
#: Simulated worlds of each kind, and those in which series are compared.
WORLDS = 40
COMPARED = 24
#: Months of counts since the onset at which worlds are read, and series compared.
CHECKED = (3, 6, 9, 12, 15, 18, 21, 24, 30, 36, 42, 48, 54, 60)
SERIES_CHECKED = (6, 12, 18, 24, 36, 48, 60)
#: Draws from the chances, of which worlds are taken.
POOL = 6000
NOT_WITHIN = "not within five years"
#: What must be said of months ahead.
BEYOND = (
    "Forecasts more than 12 months ahead have not been tested against real outcomes, and the "
    "expected course rests on them."
)
_WORLDS = ("works", "does not work")
_EXPECTED = [
    "month",
    "months_since",
    "world",
    *THREE,
    "works_q10",
    "works_q90",
    "worlds",
]
_VALUE = [
    "series",
    "read",
    "sure_month",
    "months_earlier",
    "at",
    "works_if_works",
    "works_if_not",
    "sure",
]


@dataclass(frozen=True, eq=False, repr=False)
class Track:
    """The clock of one scenario in one location; made by :func:`track`.

    Attributes
    ----------
    intervention : Intervention
        With its prior and onset.
    location : str
        CDC code.
    indicator : str
        Whose deaths are read: the intervention's scope.
    chances : DataFrame
        What was known on each day: ``release`` (datetime64[s]; NaT for the prior), ``month`` (last
        month of deaths that is read, as text), ``works``, ``nothing``, ``backfires``
        (probabilities, float), ``late_sd`` (sd of ``works`` from the deaths that arrive late).
    expected : DataFrame
        Where the chances are expected to go: ``month``, ``months_since`` (months of counts since
        the onset), ``world`` (``"works"`` or ``"does not work"``), the mean ``works``,
        ``nothing``, ``backfires``, and the 10 and 90% quantiles of the first, ``works_q10``,
        ``works_q90``, over ``worlds``.
    sure_month : datetime64[M] or None
        Last month of deaths of the first counts that are expected to leave us 80% sure whether it
        works; None: not within five years of the onset. Where the prior is that sure already, it
        is the first month that is read.
    sure_from_even_odds : datetime64[M] or None
        The same for somebody who began with even odds: what the counts alone can do.
    value_of_information : DataFrame
        What other counts would say, in the same worlds: ``series``, ``read`` (whether the clock
        reads it), ``sure_month`` (text) and ``months_earlier`` (than the total of all drugs alone;
        NaN where either is not within five years), both from even odds; ``works_if_works`` and
        ``works_if_not`` (mean chance that it works, ``at`` so many months of counts) by the
        scenario's own prior; ``sure`` (how sure then, on average, from even odds).
    notes : tuple of str
    """

    intervention: Intervention
    scenario: str
    location: str
    indicator: str
    chances: pd.DataFrame
    expected: pd.DataFrame
    sure_month: np.datetime64 | None
    sure_from_even_odds: np.datetime64 | None
    value_of_information: pd.DataFrame
    notes: tuple[str, ...] = ()

    @steady
    def __repr__(self) -> str:
        return card(
            f"Track: {self.scenario} ({self.onset}) in {called(self.location)}, {self.indicator}",
            _three(self.now),
            self._sure,
            WHATEVER,
            "next: print(track), .chances, .expected, .value_of_information",
        )

    def __str__(self) -> str:
        return self.text()

    @property
    def onset(self) -> np.datetime64:
        """First month in which it may have begun."""
        first: np.datetime64 = self.intervention.onset[0]
        return first

    @property
    def now(self) -> dict[str, Any]:
        """The newest chances, a row of :attr:`chances`."""
        return dict(self.chances.iloc[-1])

    @property
    def _dated(self) -> pd.DataFrame:
        """The chances, with releases as texts; empty for the prior."""
        days = self.chances["release"].dt.strftime("%Y-%m-%d").fillna("")
        return self.chances.assign(release=days)

    def to_frame(self) -> pd.DataFrame:
        """Past and expected chances in one table, tidy.

        Returns
        -------
        DataFrame
            ``kind`` (``"so far"``, ``"if it works"``, ``"if it does not"``), ``release`` (text;
            empty where expected), ``month``, ``works``, ``nothing``, ``backfires``.
        """
        kinds = dict(zip(_WORLDS, ("if it works", "if it does not")))
        ahead = self.expected.assign(kind=self.expected["world"].map(kinds), release="")
        names = ["kind", "release", "month", *THREE]
        parts = [self._dated.assign(kind="so far")[names], ahead[names]]
        return pd.concat([part for part in parts if len(part)], ignore_index=True)

    def to_json(self) -> str:
        """All of it as JSON."""
        plain = {
            "scenario": self.scenario,
            "intervention": self.intervention.name,
            "onset": [str(month) for month in self.intervention.onset],
            "location": self.location,
            "indicator": self.indicator,
            "chances": _records(self._dated),
            "expected": _records(self.expected),
            "sure": SURE,
            "sure_month": _text_or_none(self.sure_month),
            "sure_from_even_odds": _text_or_none(self.sure_from_even_odds),
            "value_of_information": _records(self.value_of_information),
            "notes": list(self.notes),
            "reminder": WHATEVER,
        }
        return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"

    def text(self) -> str:
        """The chances, when we will know, what would help, and what it is not."""
        newest = self.now
        prior = dict(self.chances.iloc[0])
        counts = "No counts since the onset have been published yet."
        if len(self.chances) > 1:
            counts = (
                f"Counts through {month_name(newest['month'])}, from the release of "
                f"{day_name(pd.Timestamp(newest['release']).date())}."
            )
        lines = [
            f"{self.scenario} (onset {month_name(self.onset)}), {called(self.location)}, "
            f"{deaths_of(self.indicator)}. {counts}",
            f"The chances now: {_three(newest)}. Before any counts: {_three(prior)}.",
            *self._ahead(),
            *self._helps(),
            *self.notes,
            WHATEVER,
        ]
        return "\n".join(lines)

    def brief_line(self) -> str:
        """One line for a brief."""
        return (
            f"{self.scenario}: {_three(self.now)} (counts through "
            f"{month_name(self.now['month'])}). {self._sure} {WHATEVER}"
        )

    def _ahead(self) -> list[str]:
        """When we expect to know."""
        if self.expected.empty:
            return [
                "The clock has run out: it reads five years of counts after the onset."
            ]
        lines = []
        for world, words in zip(_WORLDS, ("If it works", "If it does not")):
            rows = self.expected[self.expected["world"] == world]
            if rows.empty:
                continue
            near = rows.iloc[(rows["months_since"] - 24).abs().to_numpy().argmin()]
            end = rows.iloc[-1]
            lines.append(
                f"{words}, the chance that it works is expected to be {chance(near['works'])} "
                f"with counts to {month_name(near['month'])} and {chance(end['works'])} with "
                f"counts to {month_name(end['month'])}."
            )
        if self._assumed:
            lines.append(
                "The prior is 80% sure before any counts, so that is no finding."
            )
        return [*lines, self._sure, BEYOND]

    @property
    def _assumed(self) -> bool:
        works = float(self.chances["works"].iloc[0])
        return max(works, 1.0 - works) >= SURE

    @property
    def _sure(self) -> str:
        """When we expect to be sure; where the prior is, somebody who began with even odds."""
        subject = "We expect to"
        negation = "We do not expect to"
        month = self.sure_month
        if self._assumed:
            subject = "Somebody who began with even odds would"
            negation = f"{subject} not"
            month = self.sure_from_even_odds
        if month is None:
            return f"{negation} be 80% sure whether it works within five years of the onset."
        return (
            f"{subject} be 80% sure whether it works with counts to {month_name(month)}, which are "
            "published about five months later."
        )

    def _helps(self) -> list[str]:
        """Which series would bring that month forward."""
        parts = []
        for row in self.value_of_information.to_dict("records"):
            month = row["sure_month"]
            sure = month if month == NOT_WITHIN else f"by {month_name(month)}"
            parts.append(f"{row['series']}: {row['sure']:.0%} (80% {sure})")
        if not parts:
            return []
        return [
            f"How sure other counts would leave somebody who began with even odds, after "
            f"{self.value_of_information['at'].iloc[0]} months: {'; '.join(parts)}."
        ]


def _records(table: pd.DataFrame) -> Any:
    """Rows of a table for JSON; pandas writes what is not a number as null."""
    return json.loads(table.to_json(orient="records", double_precision=6))


def _text_or_none(month: np.datetime64 | None) -> str | None:
    return None if month is None else str(month)


def _three(row: Mapping[str, Any]) -> str:
    """The three chances in words."""
    return (
        f"{chance(row['works'])} that it works, {chance(row['nothing'])} that it does nothing, "
        f"{chance(row['backfires'])} that it backfires"
    )


def track(
    scenario: Scenario | Intervention,
    archive: Archive,
    *,
    location: str = NATION,
    series: Series | Sequence[Series] | None = None,
    model: Model | None = None,
    draws: int = WORLDS,
    seed: int = 1,
) -> Track:
    """What the counts say so far of a scenario that has begun, and when they will say more.

    Parameters
    ----------
    scenario : Scenario or Intervention
        With one intervention. An open onset is the month after the newest release.
    archive : Archive
        Every release since the onset is read as it was on its day.
    location : str
        One location, by any of its names.
    series : Series or sequence of Series, optional
        Series of one's own that the clock reads beside the counts.
    model : Model, optional
        Whose draws the worlds to come are made of; default :func:`odforecast.get_model`.
    draws : int
        Simulated worlds in which it works, and as many in which it does not. The time it takes
        is in proportion: about half a minute.
    seed : int

    Returns
    -------
    Track

    Raises
    ------
    ScenarioError
        If the scenario has no intervention, or several; if the onset is before the counts, an
        exposure is missing, or a series is too short.
    """
    from odforecast.vintage.archive import Archive

    if not isinstance(archive, Archive):
        raise ScenarioError(
            f"track takes an archive, got {type(archive).__name__}",
            hint="od.bundled(), od.archive()",
        )
    seed = whole("seed", seed, least=0, error=ScenarioError)
    draws = whole("draws", draws, least=2, error=ScenarioError)
    name, x = only(scenario)
    newest = archive.as_of(archive.last_seen)
    x = x.at(str(np.datetime64(newest.date, "M") + ONE_MONTH))
    if series is None:
        series = ()
    elif isinstance(series, Series):
        series = (series,)
    measured = tuple(item.measured(x.onset[0]) for item in series)
    clock = Clock(x, code_of(location), archive=archive, series=measured, seed=seed)
    rows, posteriors = clock.so_far()
    worlds = Worlds(clock, newest, posteriors, model=model or get_model(), draws=draws)
    return Track(
        x,
        name,
        clock.code,
        clock.indicator,
        pd.DataFrame(rows),
        *worlds.read(),
        notes=tuple(clock.notes),
    )


def only(scenario: Scenario | Intervention) -> tuple[str, Intervention]:
    """Name and intervention of what a clock is kept of; refused if there is not just one."""
    if isinstance(scenario, Intervention):
        return scenario.name, scenario
    if len(scenario.interventions) != 1:
        raise ScenarioError(
            f"{scenario.name} has {len(scenario.interventions)} interventions, allowed in a clock: "
            "one",
            hint="put each into a scenario of its own: one clock cannot say which of them worked",
        )
    return scenario.name, scenario.interventions[0]


# ------------------------------------------------------------------------------- worlds to come

#: Expected chances, the month in which we are sure, from even odds too, and what series say.
Expectations = tuple[
    pd.DataFrame, np.datetime64 | None, np.datetime64 | None, pd.DataFrame
]


@dataclass(frozen=True, eq=False)
class Arm:
    """Worlds of one kind."""

    #: Sizes of the effect, (W,).
    beta: Floats
    #: The counts that may be read, by their label.
    counts: dict[str, Counts]
    #: The user's series in each world.
    series: tuple[tuple[Series, ...], ...]


class Worlds:
    """Worlds to come, in which it works and in which it does not, and what the clock would say."""

    def __init__(
        self,
        clock: Clock,
        vintage: Vintage,
        posteriors: Sequence[EventPosterior],
        model: Model,
        draws: int,
    ) -> None:
        self.clock = clock
        self.vintage = vintage
        self.draws = draws
        self.x = clock.x
        self.posteriors = posteriors
        self.panel = vintage.panel()
        self.felt = clock.felt(vintage)
        # The last months are completed in what is read, so they must be in what is to come.
        late = f"{model.label}+delay"
        self.model = model if model.spec.corrects_delay else Model(Delayed(model), late)
        self.rng = np.random.default_rng(seed_from("track", clock.seed, clock.x.name))
        self.end = self._month(READS)
        first = max(self.x.onset[0] - BEFORE * ONE_MONTH, self.panel.month_grid[0])
        #: All months that an estimator may see.
        self.months: Months = np.arange(first, self.end + ONE_MONTH)
        deaths = "all drugs" if self.x.scope == ALL else self.x.scope
        where = "nation and states" if clock.code == NATION else called(clock.code)
        #: What the clock reads, in words.
        self.label = f"{deaths}, {where}"
        #: The same with the user's series.
        self.label_with_series = (
            f"{self.label}, with {', '.join(s.name for s in clock.series)}"
        )

    def _month(self, k: int) -> np.datetime64:
        """The k-th month since the onset."""
        month: np.datetime64 = self.x.onset[0] + (k - 1) * ONE_MONTH
        return month

    def read(self) -> Expectations:
        """What the clock is expected to say."""
        last = self.panel.last_month - YOUNGEST * ONE_MONTH
        checked = [k for k in CHECKED if self._month(k) > last]
        if not checked:
            return (
                pd.DataFrame(columns=_EXPECTED),
                None,
                None,
                pd.DataFrame(columns=_VALUE),
            )
        arms, weight = self.arms()
        compared = [k for k in SERIES_CHECKED if k in checked] or checked[-1:]
        chances = self._chances_in(arms, checked=checked, compared=compared)
        labels = list(dict.fromkeys(label for label, _, _ in chances))
        label = self.label_with_series if self.clock.series else labels[-1]
        rows = []
        for world in arms:
            for k in checked:
                values = chances[label, world, k]
                low, high = np.quantile(values[:, 0], [0.1, 0.9])
                means = values.mean(axis=0)
                rows.append(
                    (str(self._month(k)), k, world, *means, low, high, len(values))
                )
        prior = self.clock.before[0]

        def sure(label: str, k: int, odds: float, worlds: int | None = None) -> float:
            """How sure we are on average whether it works, who began with a chance of ``odds``."""
            total = 0.0
            for world in arms:
                began = _moved(weight, prior, to=odds)
                share = began if world == "works" else 1.0 - began
                works = _moved(chances[label, world, k][:worlds, 0], prior, to=odds)
                total += share * float(np.maximum(works, 1.0 - works).mean())
            return total

        def month_sure(odds: float) -> np.datetime64 | None:
            k = _first(checked, [sure(label, k, odds) for k in checked])
            return None if k is None else self._month(k)

        middle = min(compared, key=lambda k: abs(k - 24))
        n = min(self.draws, COMPARED)
        # All are set against the first: the total of all drugs.
        firsts = [
            _first(compared, [sure(s, k, 0.5, n) for k in compared]) for s in labels
        ]
        lines = []
        for series, first in zip(labels, firsts):
            months_earlier = np.nan
            if first is not None and firsts[0] is not None:
                months_earlier = float(firsts[0] - first)
            works = [
                float(chances[series, world, middle][:n, 0].mean())
                if world in arms
                else np.nan
                for world in _WORLDS
            ]
            lines.append(
                (
                    series,
                    series == label,
                    NOT_WITHIN if first is None else str(self._month(first)),
                    months_earlier,
                    middle,
                    *works,
                    sure(series, middle, 0.5, n),
                )
            )
        expected = pd.DataFrame(rows, columns=_EXPECTED)
        value = pd.DataFrame(lines, columns=_VALUE)
        return expected, month_sure(prior), month_sure(0.5), value

    def _chances_in(
        self, arms: Mapping[str, Arm], checked: Sequence[int], compared: Sequence[int]
    ) -> dict[tuple[str, str, int], Floats]:
        """Chances (W, 3) by what is read, kind of world and months of counts."""
        names = list(next(iter(arms.values())).counts)
        chances = {}
        for name in names:
            # The clock reads the last of these.
            is_read = name == names[-1]
            n = self.draws if is_read else min(self.draws, COMPARED)
            for k in checked if is_read else compared:
                for world, arm in arms.items():
                    for label, values in self.chances(name, arm, k=k, worlds=n).items():
                        chances[label, world, k] = values
        return chances

    def chances(self, name: str, arm: Arm, k: int, worlds: int) -> dict[str, Floats]:
        """Chances (W, 3) in worlds after k months, by what is read."""
        n = int((self.x.onset[0] - self.months[0]).astype(int)) + k
        counts = arm.counts[name].until(n, worlds)
        weights = arm.counts[name].deaths[0, :, :n].mean(axis=1)
        posteriors = self.clock.estimated(counts, weights, light=True)
        chances = {name: np.array([self.clock.chances(p) for p in posteriors])}
        if arm.series and name == self.label:
            values = []
            for posterior, several in zip(posteriors, arm.series):
                series = [item.until(counts.months[-1]) for item in several]
                values.append(self.clock.chances(with_series(posterior, series)))
            chances[self.label_with_series] = np.array(values)
        return chances

    def arms(self) -> tuple[dict[str, Arm], float]:
        """Both kinds of worlds, and how likely it is today that it works."""
        beta, timed = self._pool()
        chances = np.array(self.clock.before)
        if self.posteriors:
            chances = np.mean([self.clock.chances(p) for p in self.posteriors], axis=0)
        fitted = self.model.fit(self.panel)
        ahead = fitted.forecast(
            until=str(self.end), draws=self.draws, seed=self.clock.seed
        )
        evenly = self.rng.permutation((np.arange(self.draws) + 0.5) / self.draws)
        works, nothing, backfires = chances
        does_nothing = evenly * (nothing + backfires) < nothing
        signs = (np.full(self.draws, -1.0), np.where(does_nothing, 0.0, 1.0))
        weight = float(works)
        arms = {}
        for world, sign, likely in zip(_WORLDS, signs, (weight, 1.0 - weight)):
            if likely > 1.0 / POOL:
                rows = _rows_of_signs(beta, sign)
                arms[world] = self._arm(
                    world, ahead, beta=beta[rows], timed=timed.at(rows)
                )
        return arms, weight

    def _pool(self) -> tuple[Floats, Timings]:
        """Sizes, 0 for nothing, and timings, as likely as they are today."""
        prior = self.clock.prior
        n = POOL
        if not self.posteriors:
            beta = self.rng.normal(prior.mean, prior.sd, 20 * n)
            beta = beta[(beta > prior.low) & (beta < prior.high)]
            beta = np.resize(beta, n) if beta.size else np.zeros(n)
            beta = np.where(self.rng.random(n) < prior.p_null, 0.0, beta)
            return beta, timings_of(self.x, stratified(self.x, n, seed=self.clock.seed))
        n_each = n // len(self.posteriors)
        sizes = []
        timings = []
        for k, posterior in enumerate(self.posteriors):
            effects = posterior.draws(n_each, seed_from("track", self.clock.seed, k))
            sizes.append(effects.beta)
            timings.append(posterior.timings.at(effects.timing))
        order = self.rng.permutation(n_each * len(sizes))
        return np.concatenate(sizes)[order], Timings.joined(timings).at(order)

    def _arm(self, world: str, ahead: Forecast, beta: Floats, timed: Timings) -> Arm:
        """Worlds with these sizes and timings."""
        x = self.x
        clock = self.clock
        panel = self.panel
        felt = np.array([self.felt[s] for s in ahead.locations])
        scale = beta[:, None] * felt * self._own_factors(ahead, timed)
        last = timed.shape(np.array([panel.last_month]))
        change = timed.shape(ahead.months) - last
        course = np.where(ahead.months > panel.last_month, change, 0.0)
        log = scale[:, :, None] * course[:, None]
        unreplaced = 1.0 - x.replaced.ppf(self.rng.random(beta.size))
        tables: Mapping[str, Mapping[str, float]] = self._shares
        base = ahead
        steps = [(x, log, unreplaced)]
        if (last != 0.0).any() and world == "works":
            # Its trend holds a part of the effect: the model is fitted again without it.
            mean = (beta[:, None] * timed.shape(panel.month_grid)).mean(axis=0)
            places = np.array([self.felt[s] for s in panel.locations])
            past = Begun(x, places[:, None] * mean, unreplaced=float(unreplaced.mean()))
            adds_up = Applied(ahead, tables, seed=clock.seed).nation is not None
            less, tables = panel_without(panel, [past], tables=tables, adds_up=adds_up)
            fitted = self.model.fit(less)
            base = fitted.forecast(
                until=str(self.end), draws=self.draws, seed=clock.seed
            )
            level = (felt * float(mean[-1]))[None, :, None]
            steps.insert(0, (x, level, np.full(beta.size, unreplaced.mean())))
        path, classes = Applied(base, tables, seed=clock.seed).acted(steps)
        is_past = ~(ahead.months > ahead.last_month)
        path[:, :, is_past] = ahead.draws[:, :, is_past]
        for short, part in ahead.beside.items():
            if short in classes:
                rows = [ahead.locations.index(s) for s in part.locations]
                classes[short][:, rows] = np.where(
                    is_past, part.draws, classes[short][:, rows]
                )
        series = tuple(
            self._ahead_of(w, beta[w], timed=timed) for w in range(beta.size)
        )
        counts = self._counts(ahead, {ALL: path, **classes})
        return Arm(beta, counts, series=series if clock.series else ())

    def _own_factors(self, ahead: Forecast, timed: Timings) -> Floats:
        """The states' own factors of the effect, of mean one over the nation's deaths, (W, L)."""
        is_state = np.array([s in JURISDICTIONS for s in ahead.locations])
        tau = timed.spread[:, None]
        z = self.rng.standard_normal((tau.size, len(ahead.locations)))
        factors = np.where(is_state, np.exp(tau * z - 0.5 * tau**2), 1.0)
        if self.x.national and is_state.any():
            deaths = np.where(is_state, ahead.draws.mean(axis=(0, 2)), 0.0)
            mean = (factors * deaths).sum(axis=1, keepdims=True) / deaths.sum()
            factors = np.where(is_state, factors / mean, factors)
        return factors

    @cached_property
    def _shares(self) -> dict[str, Mapping[str, float]]:
        """Shares of the classes in all drugs, by name and location."""
        return share_tables(self.panel)

    def _counts(
        self, ahead: Forecast, paths: Mapping[str, Floats]
    ) -> dict[str, Counts]:
        """What may be read: the nation's total, the scope's, and the states'."""
        x = self.x
        code = self.clock.code
        before = self.months < ahead.months[0]

        def deaths_of(scope: str, places: Sequence[str]) -> Floats:
            """Months of places in every world, as counted and then as forecast, (W, S, T)."""
            panel = self.panel if scope == ALL else self.vintage.panel(scope)
            months = pd.DataFrame(
                panel.monthly, panel.locations, panel.month_grid.astype(str)
            )
            past = months.reindex(
                index=list(places), columns=self.months[before].astype(str)
            )
            to_come = paths[scope][:, [ahead.locations.index(s) for s in places]]
            to_come = to_come[:, :, ahead.months >= self.months[0]]
            worlds = np.repeat(past.to_numpy()[None], len(to_come), axis=0)
            return np.asarray(
                np.maximum(np.concatenate([worlds, to_come], axis=2), 0.0)
            )

        felt = np.array([self.felt[code]])
        felt_by_all = felt
        if x.scope != ALL:
            share = self._shares.get(share_name(x.scope), {}).get(code, 1.0)
            felt_by_all = felt * share * (1.0 - x.replaced.mean)
        place = "nation" if code == NATION else called(code)
        total = deaths_of(ALL, [code])
        counts = {
            f"all drugs, {place}": Counts(
                self.months, (code,), felt=felt_by_all, deaths=total
            )
        }
        of_scope = deaths_of(x.scope, [code])
        if x.scope != ALL:
            label = f"{x.scope}, {place}"
            counts[label] = Counts(self.months, (code,), felt=felt, deaths=of_scope)
        if code == NATION:
            panel = self.panel if x.scope == ALL else self.vintage.panel(x.scope)
            states = [
                s
                for s in panel.locations
                if s in JURISDICTIONS and s in ahead.locations
            ]
            deaths = deaths_of(x.scope, states)
            fewest = np.nan_to_num(deaths[0][:, before]).min(axis=1, initial=np.inf)
            enough = fewest >= FEWEST
            states = [state for state, is_enough in zip(states, enough) if is_enough]
            if states:
                counts[self.label] = Counts(
                    self.months,
                    tuple(states),
                    felt=np.array([self.felt[state] for state in states]),
                    deaths=deaths[:, enough],
                    nation=of_scope[:, 0],
                    nation_felt=self.felt[NATION],
                )
        return counts

    def _ahead_of(self, world: int, beta: float, timed: Timings) -> tuple[Series, ...]:
        """The series of one's own, with months to come."""
        longer = []
        for series in self.clock.series:
            assert series.noise is not None
            ahead = np.arange(series.months[-1] + ONE_MONTH, self.end + ONE_MONTH)
            walk, error = np.sqrt(series.noise)
            course = timed.shape(np.concatenate([series.months[-1:], ahead]))[world]
            steps = np.cumsum(self.rng.normal(0.0, walk, ahead.size))
            logs = (
                np.log(series.values[-1])
                + steps
                + self.rng.normal(0.0, error, ahead.size)
            )
            logs += series.elasticity * beta * (course[1:] - course[0])
            months = np.concatenate([series.months, ahead])
            values = np.concatenate([series.values, np.exp(logs)])
            longer.append(replace(series, months=months, values=values))
        return tuple(longer)


def _rows_of_signs(beta: Floats, signs: Floats) -> Any:
    """Rows of sizes with the signs asked for, in turn; where there is none, of others."""
    rows = np.zeros(signs.size, dtype=int)
    for sign in np.unique(signs):
        matches = np.flatnonzero(np.sign(beta) == sign)
        if not matches.size:
            matches = (
                np.flatnonzero(beta >= 0.0) if sign >= 0.0 else np.arange(beta.size)
            )
        targets = np.flatnonzero(signs == sign)
        rows[targets] = np.resize(matches, targets.size)
    return rows


def _first(checked: Sequence[int], sure: Sequence[float]) -> int | None:
    """First month in which we are sure, on the line between the months that are read."""
    earlier: tuple[int, float] | None = None
    for k, value in zip(checked, sure):
        if value >= SURE:
            if earlier is None:
                return k
            k_before, value_before = earlier
            part = (SURE - value_before) / max(value - value_before, 1e-9)
            return int(np.ceil(k_before + part * (k - k_before)))
        earlier = (k, value)
    return None


def _moved(chance_of: Any, prior: float, to: float) -> Any:
    """A chance as it would be for somebody who began with another one, on the same evidence."""
    if not 0.0 < prior < 1.0:
        return chance_of
    factor = to / (1.0 - to) * (1.0 - prior) / prior
    return factor * chance_of / (factor * chance_of + 1.0 - chance_of)
