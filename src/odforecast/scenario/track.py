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
from odforecast.scenario.apply import Applied, Begun, panel_without, share_name, share_tables
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
_EXPECTED = ["month", "months_since", "world", *THREE, "works_q10", "works_q90", "worlds"]
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


@dataclass(
    frozen=True,
    eq=False,
    repr=False,
)
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
        days = ["" if pd.isna(x) else f"{x:%Y-%m-%d}" for x in self.chances["release"]]
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
        sure, even = (
            None if m is None else str(m) for m in (self.sure_month, self.sure_from_even_odds)
        )
        # pandas writes what is not a number as null.
        tables = {
            key: json.loads(table.to_json(orient="records", double_precision=6))
            for key, table in (
                ("chances", self._dated),
                ("expected", self.expected),
                ("value", self.value_of_information),
            )
        }
        plain = {
            "scenario": self.scenario,
            "intervention": self.intervention.name,
            "onset": [str(m) for m in self.intervention.onset],
            "location": self.location,
            "indicator": self.indicator,
            "chances": tables["chances"],
            "expected": tables["expected"],
            "sure": SURE,
            "sure_month": sure,
            "sure_from_even_odds": even,
            "value_of_information": tables["value"],
            "notes": list(self.notes),
            "reminder": WHATEVER,
        }
        return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"

    def text(self) -> str:
        """The chances, when we will know, what would help, and what it is not."""
        now = self.now
        first = dict(self.chances.iloc[0])
        counts = "No counts since the onset have been published yet."
        if len(self.chances) > 1:
            counts = (
                f"Counts through {month_name(now['month'])}, from the release of "
                f"{day_name(pd.Timestamp(now['release']).date())}."
            )
        lines = [
            f"{self.scenario} (onset {month_name(self.onset)}), {called(self.location)}, "
            f"{deaths_of(self.indicator)}. {counts}",
            f"The chances now: {_three(now)}. Before any counts: {_three(first)}.",
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
            return ["The clock has run out: it reads five years of counts after the onset."]
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
            lines.append("The prior is 80% sure before any counts, so that is no finding.")
        return [*lines, self._sure, BEYOND]

    @property
    def _assumed(self) -> bool:
        works = float(self.chances["works"].iloc[0])
        return max(works, 1.0 - works) >= SURE

    @property
    def _sure(self) -> str:
        """When we expect to be sure; where the prior is, somebody who began with even odds."""
        who = "We expect to"
        never = "We do not expect to"
        month = self.sure_month
        if self._assumed:
            who = "Somebody who began with even odds would"
            never = f"{who} not"
            month = self.sure_from_even_odds
        if month is None:
            return f"{never} be 80% sure whether it works within five years of the onset."
        return (
            f"{who} be 80% sure whether it works with counts to {month_name(month)}, which are "
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

    given: object = archive
    if not isinstance(given, Archive):
        raise ScenarioError(
            f"track takes an archive, got {type(given).__name__}", hint="od.bundled(), od.archive()"
        )
    seed = whole("seed", seed, least=0, error=ScenarioError)
    draws = whole("draws", draws, least=2, error=ScenarioError)
    name, x = only(scenario)
    newest = archive.as_of(archive.last_seen)
    x = x.at(str(np.datetime64(newest.date, "M") + ONE_MONTH))
    beside = () if series is None else (series,) if isinstance(series, Series) else tuple(series)
    measured = tuple(one.measured(x.onset[0]) for one in beside)
    clock = Clock(x, code_of(location), archive=archive, series=measured, seed=seed)
    rows, last = clock.so_far()
    found = Worlds(clock, newest, posteriors=last, model=model or get_model(), draws=draws).read()
    return Track(
        x,
        name,
        clock.code,
        clock.indicator,
        pd.DataFrame(rows),
        *found,
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
Found = tuple[pd.DataFrame, np.datetime64 | None, np.datetime64 | None, pd.DataFrame]


@dataclass(frozen=True, eq=False)
class Arm:
    """Worlds of one kind: their sizes, the counts by what is read, and the series of one's own."""

    beta: Floats
    counts: dict[str, Counts]
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
        #: What the clock reads, in words; and with the series beside it.
        self.own = f"{deaths}, {where}"
        self.beside = f"{self.own}, with {', '.join(s.name for s in clock.series)}"

    def _month(self, k: int) -> np.datetime64:
        """The k-th month since the onset."""
        month: np.datetime64 = self.x.onset[0] + (k - 1) * ONE_MONTH
        return month

    def read(self) -> Found:
        """What the clock is expected to say."""
        last = self.panel.last_month - YOUNGEST * ONE_MONTH
        checked = [k for k in CHECKED if self._month(k) > last]
        if not checked:
            return pd.DataFrame(columns=_EXPECTED), None, None, pd.DataFrame(columns=_VALUE)
        arms, weight = self.arms()
        names = list(next(iter(arms.values())).counts)
        compared = [k for k in SERIES_CHECKED if k in checked] or checked[-1:]
        # The clock reads the last of these; all are set against the first.
        said: dict[tuple[str, str, int], Floats] = {}
        for name in names:
            n = self.draws if name == names[-1] else min(self.draws, COMPARED)
            for k in checked if name == names[-1] else compared:
                for world, arm in arms.items():
                    for label, found in self.chances(name, arm, k=k, worlds=n).items():
                        said[label, world, k] = found
        read = self.beside if self.clock.series else names[-1]
        prior = self.clock.before[0]

        def sure(label: str, k: int, odds: float, worlds: int | None = None) -> float:
            """How sure we are on average whether it works, who began with a chance of ``odds``."""
            total = 0.0
            for world in arms:
                began = _moved(weight, prior, to=odds)
                share = began if world == "works" else 1.0 - began
                works = _moved(said[label, world, k][:worlds, 0], prior, to=odds)
                total += share * float(np.maximum(works, 1.0 - works).mean())
            return total

        rows = []
        for world in arms:
            for k in checked:
                found = said[read, world, k]
                low, high = np.quantile(found[:, 0], [0.1, 0.9])
                rows.append(
                    (str(self._month(k)), k, world, *found.mean(axis=0), low, high, len(found))
                )
        firsts = (_first(checked, [sure(read, k, p) for k in checked]) for p in (prior, 0.5))
        own, even = (None if k is None else self._month(k) for k in firsts)
        at = min(compared, key=lambda k: abs(k - 24))
        n = min(self.draws, COMPARED)
        labels = list(dict.fromkeys(label for label, _, _ in said))
        when = [_first(compared, [sure(s, k, 0.5, n) for k in compared]) for s in labels]
        lines = []
        for label, then in zip(labels, when):
            earlier = np.nan if then is None or when[0] is None else float(when[0] - then)
            ends = [
                float(said[label, w, at][:n, 0].mean()) if w in arms else np.nan for w in _WORLDS
            ]
            month = NOT_WITHIN if then is None else str(self._month(then))
            lines.append((label, label == read, month, earlier, at, *ends, sure(label, at, 0.5, n)))
        expected = pd.DataFrame(rows, columns=_EXPECTED)
        return expected, own, even, pd.DataFrame(lines, columns=_VALUE)

    def chances(self, name: str, arm: Arm, k: int, worlds: int) -> dict[str, Floats]:
        """Chances (W, 3) in worlds after k months, by what is read."""
        n = int((self.x.onset[0] - self.months[0]).astype(int)) + k
        counts = arm.counts[name].until(n, worlds)
        weights = arm.counts[name].deaths[0, :, :n].mean(axis=1)
        found = self.clock.estimated(counts, weights, light=True)
        out = {name: np.array([self.clock.chances(p) for p in found])}
        if arm.series and name == self.own:
            known = [[s.until(counts.months[-1]) for s in each] for each in arm.series]
            beside = [self.clock.chances(with_series(p, s)) for p, s in zip(found, known)]
            out[self.beside] = np.array(beside)
        return out

    def arms(self) -> tuple[dict[str, Arm], float]:
        """Both kinds of worlds, and how likely it is today that it works."""
        beta, timed = self._pool()
        now = np.array(self.clock.before)
        if self.posteriors:
            now = np.mean([self.clock.chances(p) for p in self.posteriors], axis=0)
        fitted = self.model.fit(self.panel)
        ahead = fitted.forecast(
            until=str(self.end),
            draws=self.draws,
            seed=self.clock.seed,
        )
        evenly = self.rng.permutation((np.arange(self.draws) + 0.5) / self.draws)
        none = evenly * (now[1] + now[2]) < now[1]
        signs = (np.full(self.draws, -1.0), np.where(none, 0.0, 1.0))
        weight = float(now[0])
        arms = {}
        for world, sign, likely in zip(_WORLDS, signs, (weight, 1.0 - weight)):
            if likely > 1.0 / POOL:
                at = _of_signs(beta, sign)
                arms[world] = self._arm(world, ahead, beta=beta[at], timed=timed.at(at))
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
        each = n // len(self.posteriors)
        drawn = [
            p.draws(each, seed_from("track", self.clock.seed, k))
            for k, p in enumerate(self.posteriors)
        ]
        times = [p.timings.at(d.timing) for p, d in zip(self.posteriors, drawn)]
        order = self.rng.permutation(each * len(drawn))
        return np.concatenate([d.beta for d in drawn])[order], Timings.joined(times).at(order)

    def _arm(self, world: str, ahead: Forecast, beta: Floats, timed: Timings) -> Arm:
        """Worlds with these sizes and timings."""
        x = self.x
        clock = self.clock
        panel = self.panel
        felt = np.array([self.felt[s] for s in ahead.locations])
        scale = beta[:, None] * felt * self._own_factors(ahead, timed)
        last = timed.shape(np.array([panel.last_month]))
        course = np.where(ahead.months > panel.last_month, timed.shape(ahead.months) - last, 0.0)
        log = scale[:, :, None] * course[:, None]
        kept = 1.0 - x.replaced.ppf(self.rng.random(beta.size))
        tables: Mapping[str, Mapping[str, float]] = self._shares
        base = ahead
        steps = [(x, log, kept)]
        if (last != 0.0).any() and world == "works":
            # Its trend holds a part of the effect: the model is fitted again without it.
            mean = (beta[:, None] * timed.shape(panel.month_grid)).mean(axis=0)
            places = np.array([self.felt[s] for s in panel.locations])
            taken = Begun(x, places[:, None] * mean, kept=float(kept.mean()))
            adds_up = Applied(ahead, tables, seed=clock.seed).nation is not None
            less, tables = panel_without(panel, [taken], tables=tables, adds_up=adds_up)
            base = self.model.fit(less).forecast(
                until=str(self.end),
                draws=self.draws,
                seed=clock.seed,
            )
            level = (felt * float(mean[-1]))[None, :, None]
            steps.insert(0, (x, level, np.full(beta.size, kept.mean())))
        path, classes = Applied(base, tables, seed=clock.seed).acted(steps)
        now = ~(ahead.months > ahead.last_month)
        path[:, :, now] = ahead.draws[:, :, now]
        for short, part in ahead.beside.items():
            if short in classes:
                rows = [ahead.locations.index(s) for s in part.locations]
                classes[short][:, rows] = np.where(now, part.draws, classes[short][:, rows])
        series = tuple(self._ahead_of(w, beta[w], timed=timed) for w in range(beta.size))
        counts = self._counts(ahead, {ALL: path, **classes})
        return Arm(beta, counts, series=series if clock.series else ())

    def _own_factors(self, ahead: Forecast, timed: Timings) -> Floats:
        """The states' own factors of the effect, of mean one over the nation's deaths, (W, L)."""
        is_state = np.array([s in JURISDICTIONS for s in ahead.locations])
        tau = timed.spread[:, None]
        z = self.rng.standard_normal((tau.size, len(ahead.locations)))
        own = np.where(is_state, np.exp(tau * z - 0.5 * tau**2), 1.0)
        if self.x.national and is_state.any():
            deaths = np.where(is_state, ahead.draws.mean(axis=(0, 2)), 0.0)
            mean = (own * deaths).sum(axis=1, keepdims=True) / deaths.sum()
            own = np.where(is_state, own / mean, own)
        return own

    @cached_property
    def _shares(self) -> dict[str, Mapping[str, float]]:
        """Shares of the classes in all drugs, by name and location."""
        return share_tables(self.panel)

    def _counts(self, ahead: Forecast, paths: Mapping[str, Floats]) -> dict[str, Counts]:
        """What may be read: the nation's total, the scope's, and the states'."""
        x = self.x
        code = self.clock.code
        before = self.months < ahead.months[0]

        def rows(scope: str, places: Sequence[str]) -> Floats:
            """Months of places in every world, as counted and then as forecast, (W, S, T)."""
            panel = self.panel if scope == ALL else self.vintage.panel(scope)
            known = pd.DataFrame(panel.monthly, panel.locations, panel.month_grid.astype(str))
            past = known.reindex(index=list(places), columns=self.months[before].astype(str))
            to_come = paths[scope][:, [ahead.locations.index(s) for s in places]]
            to_come = to_come[:, :, ahead.months >= self.months[0]]
            worlds = np.repeat(past.to_numpy()[None], len(to_come), axis=0)
            return np.asarray(np.maximum(np.concatenate([worlds, to_come], axis=2), 0.0))

        felt = of_all = np.array([self.felt[code]])
        if x.scope != ALL:
            share = self._shares.get(share_name(x.scope), {}).get(code, 1.0)
            of_all = felt * share * (1.0 - x.replaced.mean)
        total = f"all drugs, {called(code) if code != NATION else 'nation'}"
        found = {total: Counts(self.months, (code,), felt=of_all, deaths=rows(ALL, [code]))}
        of_scope = rows(x.scope, [code])
        if x.scope != ALL:
            name = self.own if code != NATION else f"{x.scope}, nation"
            found[name] = Counts(self.months, (code,), felt=felt, deaths=of_scope)
        if code == NATION:
            panel = self.panel if x.scope == ALL else self.vintage.panel(x.scope)
            states = [s for s in panel.locations if s in JURISDICTIONS and s in ahead.locations]
            deaths = rows(x.scope, states)
            good = np.nan_to_num(deaths[0][:, before]).min(axis=1, initial=np.inf) >= FEWEST
            states = [s for s, g in zip(states, good) if g]
            deaths = deaths[:, good]
            if states:
                each = np.array([self.felt[s] for s in states])
                nation = of_scope[:, 0], self.felt[NATION]
                found[self.own] = Counts(self.months, tuple(states), each, deaths, *nation)
        return found

    def _ahead_of(self, world: int, beta: float, timed: Timings) -> tuple[Series, ...]:
        """The series of one's own, with months to come."""
        out = []
        for one in self.clock.series:
            assert one.noise is not None
            new = np.arange(one.months[-1] + ONE_MONTH, self.end + ONE_MONTH)
            walk, error = np.sqrt(one.noise)
            course = timed.shape(np.concatenate([one.months[-1:], new]))[world]
            steps = np.cumsum(self.rng.normal(0.0, walk, new.size))
            logs = np.log(one.values[-1]) + steps + self.rng.normal(0.0, error, new.size)
            logs += one.elasticity * beta * (course[1:] - course[0])
            months = np.concatenate([one.months, new])
            values = np.concatenate([one.values, np.exp(logs)])
            out.append(replace(one, months=months, values=values))
        return tuple(out)


def _of_signs(beta: Floats, signs: Floats) -> Any:
    """Places of sizes with the signs asked for, in turn; where there is none, of others."""
    out = np.zeros(signs.size, dtype=int)
    for sign in np.unique(signs):
        there = np.flatnonzero(np.sign(beta) == sign)
        rows = np.flatnonzero(signs == sign)
        others = np.flatnonzero(beta >= 0.0) if sign >= 0.0 else np.arange(beta.size)
        out[rows] = np.resize(there if there.size else others, rows.size)
    return out


def _first(checked: Sequence[int], sure: Sequence[float]) -> int | None:
    """First month in which we are sure, on the line between the months that are read."""
    before: tuple[int, float] | None = None
    for k, value in zip(checked, sure):
        if value >= SURE:
            if before is None:
                return k
            part = (SURE - before[1]) / max(value - before[1], 1e-9)
            return int(np.ceil(before[0] + part * (k - before[0])))
        before = (k, value)
    return None


def _moved(chance_of: Any, prior: float, to: float) -> Any:
    """A chance as it would be for somebody who began with another one, on the same evidence."""
    if not 0.0 < prior < 1.0:
        return chance_of
    factor = to / (1.0 - to) * (1.0 - prior) / prior
    return factor * chance_of / (factor * chance_of + 1.0 - chance_of)
