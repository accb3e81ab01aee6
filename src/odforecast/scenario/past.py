"""The past: what a date was followed by, as counterfactuals that must not be mixed up.

*Effect removed* takes the estimated change out of the counts, month by month: the same epidemic, so
it carries no forecast noise. Its interval is that given an effect, beside the chance of none.
*Forecast from the eve* is the default model at the last origin before the event. Where some places
did not have the event, *donors* are those of them that grew alike earlier. None is the effect of a
policy: all show a change, whatever its cause.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from odforecast.errors import PanelError, ScenarioError, UnknownNameError, whole
from odforecast.forecasts import Forecast
from odforecast.forecasts.adding import quantile_levels
from odforecast.forecasts.text import place_name
from odforecast.geography import JURISDICTIONS, called, code_of
from odforecast.models import Model, get_model
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH, Months, to_month
from odforecast.names import ALL_DRUGS, SYNTHETIC_OPIOIDS, TARGET_12MO
from odforecast.panel import Floats, Panel
from odforecast.say import card, deaths_of, html_table, month_name, steady
from odforecast.scenario.apply import exposure_vector, fentanyl_share
from odforecast.scenario.catalogue import events
from odforecast.scenario.distributions import Fixed, Normal
from odforecast.scenario.effects import (
    EffectDraws,
    Estimator,
    EventPosterior,
    EventSummary,
)
from odforecast.scenario.file import named_intervention
from odforecast.scenario.grammar import ALL
from odforecast.scenario.intervention import NATION, Intervention
from odforecast.scenario.values import did_you_mean
from odforecast.scoring.truth import MIN_AGE
from odforecast.seeds import seed_from

if TYPE_CHECKING:
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.vintage import Vintage

#: Events of the catalogue, and the named prior each is an instance of.
PRIOR_OF = {
    "carfentanil-scheduled": "analogue-scheduling",
    "npp-4anpp-controlled": "precursor-scheduling",
    "class-scheduled": "class-scheduling",
    "cooperation-suspended": "cooperation-suspended",
    "supply-shock-2023": "supply-shock-2023-like",
    "cooperation-resumed": "cooperation-resumed",
}

#: Months after an onset that bear on it: later turns are another story.
WINDOW = 24

#: Months before an onset that say what is usual.
BEFORE = 48

#: Draws of the timing: so many that a verdict hangs on no seed.
MANY = 1024

#: Fewest deaths in every month of a state that is looked at.
FEWEST = 3.0

#: What must be said of every change after a date.
WHATEVER = "This is the change after this date, whatever its cause: not the effect of a policy."

#: Effective draws of the timing below which a note says so.
FEW = 30

#: A vintage whose newest month is older than this on the eve says too little.
STALE = 12

#: Months of a period.
YEAR = 12

#: Of a prior that favors neither side: its size, and the chance of no effect.
NEUTRAL_SIZE = Normal(0.0, 0.4)
NEUTRAL_NULL = 0.5

#: Ends of an interval given an effect are moved so many times as far from its middle. Plain ones
#: contained a fall of 40% in 81 to 86% of tests on real growth (benchmarks/bench_past.py).
WIDER = 1.15

#: Percent of tests on real growth in which such an interval contained the deaths averted in two
#: years: without an effect, with a fall of 20% and of 40%; groups and single places together, of
#: the half on which WIDER was not chosen. All places had the event, or only some had it.
TESTED = (100, 99, 95)
TESTED_EXPOSED = (95, 95, 93)
TESTED_DONORS = 88

#: Fewest places without the event that can stand in for those with it; placebo groups of them.
FEWEST_DONORS = 15
PLACEBOS = 100

#: Months before the onset whose level donors are brought to.
LEVEL_MONTHS = 6

#: Of an interval, and of the placebo errors that it reaches as far as.
INTERVAL = (0.05, 0.95)
INSIDE = 0.9


def past_event(event: str | Intervention) -> Intervention:
    """An event of the catalogue with its prior; refused if it has none."""
    if isinstance(event, Intervention):
        return event
    if event not in PRIOR_OF:
        raise UnknownNameError(
            f"no past event {event!r} with a prior{did_you_mean(event, PRIOR_OF)}",
            hint=f"allowed: {', '.join(PRIOR_OF)}",
        )
    calendar = events()
    month = calendar.loc[calendar["id"] == event, "month"].to_numpy(
        dtype="datetime64[M]"
    )[0]
    return named_intervention(PRIOR_OF[event], onset=str(month))


def neutral_twin(event: str | Intervention) -> Intervention:
    """The same event with a prior that favors neither side; timing and exposure stay.

    The size is Normal(0, 0.4) in full, since a share would narrow it; no effect has probability .5.

    >>> import odforecast as od
    >>> twin = od.scenario.neutral_twin("cooperation-resumed")
    >>> twin.size, twin.share, twin.p_null, twin.direction
    (Normal(mean_=0.0, sd_=0.4), Fixed(value=1), 0.5, 'either')
    """
    return replace(
        past_event(event),
        size=NEUTRAL_SIZE,
        share=Fixed(1),
        p_null=NEUTRAL_NULL,
        direction="either",
    )


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of S places in K worlds."""

    months: Months
    places: tuple[str, ...]
    #: Exposures of the places, (S,).
    felt: Floats
    #: Deaths, (K, S, T).
    deaths: Floats
    #: The nation's own deaths, (K, T), where they are read.
    nation: Floats | None = None
    #: The nation's exposure.
    nation_felt: float | None = None

    @classmethod
    def from_panel(
        cls,
        panel: Panel,
        months: Floats,
        span: NDArray[np.bool_],
        felt: Mapping[str, float],
        code: str = NATION,
    ) -> Counts:
        """A panel's places, of months (K, L, T) of it: the jurisdictions, or one place alone."""
        deaths = {}
        for i, place in enumerate(panel.locations):
            counts = months[:, i, span]
            if np.isfinite(counts).all():
                deaths[place] = counts
        # Months next to none are not smooth on the log scale, and recovered ones not certain there.
        enough = {
            s for s, counts in deaths.items() if counts.mean(axis=0).min() >= FEWEST
        }
        states = tuple(s for s in JURISDICTIONS if s in enough)
        is_single = code != NATION or not states
        if is_single and code not in deaths:
            raise PanelError(f"{called(code)} has months without a count")
        places = (code,) if is_single else states
        has_nation = not is_single and NATION in deaths
        return cls(
            panel.month_grid[span],
            places,
            felt=np.array([felt[place] for place in places]),
            deaths=np.stack([deaths[place] for place in places], axis=1),
            nation=deaths[NATION] if has_nation else None,
            nation_felt=felt[NATION] if has_nation else None,
        )

    def until(self, n: int, k: int | None = None) -> Counts:
        """The first n months, of the first k worlds."""
        nation = None if self.nation is None else self.nation[:k, :n]
        return replace(
            self,
            months=self.months[:n],
            deaths=self.deaths[:k, :, :n],
            nation=nation,
        )

    def posteriors(
        self, x: Intervention, weights: Floats, **options: Any
    ) -> list[EventPosterior]:
        """One posterior for each world; the weights are the places' deaths.

        The nation's own counts say what the mean did, the states how they differ from it.
        """
        estimator = Estimator(
            self.months, x, self.felt, weights, nation=self.nation_felt, **options
        )
        nations = [None] * len(self.deaths) if self.nation is None else self.nation
        return [estimator.posterior(*counts) for counts in zip(self.deaths, nations)]


def counts_around(
    panel: Panel, x: Intervention, felt: Mapping[str, float] | None = None
) -> Counts:
    """Four years before the onset to two years after it, final where a year after it is."""
    last = min(x.onset[1] + WINDOW * ONE_MONTH, panel.last_month)
    if panel.final_through >= x.onset[1] + 12 * ONE_MONTH:
        last = min(last, panel.final_through)
    grid = panel.month_grid
    span = (grid >= x.onset[0] - BEFORE * ONE_MONTH) & (grid <= last)
    felt = felt or dict.fromkeys(panel.locations, 1.0)
    return Counts.from_panel(panel, panel.monthly[None], span=span, felt=felt)


def posterior_of(
    panel: Panel,
    x: Intervention,
    felt: Mapping[str, float],
    *,
    timings: int = MANY,
    seed: int = 1,
) -> tuple[Counts, EventPosterior]:
    """Posterior of an event, from a panel of its scope and the exposure of each location."""
    counts = counts_around(panel, x, felt=felt)
    weights = counts.deaths[0].mean(axis=1)
    [posterior] = counts.posteriors(x, weights, draws=timings, seed=seed)
    return counts, posterior


def estimate(
    panel: Panel,
    x: Intervention,
    felt: Mapping[str, float],
    code: str = NATION,
    *,
    draws: int = 1000,
    timings: int = MANY,
    seed: int = 1,
) -> tuple[Counts, EventPosterior, EffectDraws, Floats]:
    """Posterior of an event, draws of it, and log rate ratios of a location, (D, T)."""
    counts, posterior = posterior_of(panel, x, felt=felt, timings=timings, seed=seed)
    effects = posterior.draws(draws, seed)
    delta = posterior.delta(panel.month_grid, effects)
    if code == NATION and code not in counts.places and _lacks_nation(x):
        # Deaths add up, logs do not: a few places that feel much are not the nation feeling little.
        deaths = counts.deaths[0][:, counts.months >= x.onset[0]].sum(axis=1)
        without: Any = 0.0
        for level in np.unique(counts.felt):
            share = deaths[counts.felt == level].sum() / deaths.sum()
            without = without + share * np.exp(-delta * level)
        return counts, posterior, effects, np.asarray(-np.log(without))
    delta = delta * felt[code]
    if code in counts.places:
        factors = posterior.own_factors(effects, seed)[:, counts.places.index(code)]
        delta = delta * factors[:, None]
    return counts, posterior, effects, delta


def given_effect(
    draws: Floats, effects: EffectDraws, levels: Sequence[float]
) -> Floats:
    """Quantiles of the draws (D, ...) that have an effect, ``WIDER`` from their middle."""
    has_effect = effects.beta != 0.0
    rows = draws[has_effect] if has_effect.any() else draws
    middle = np.median(rows, axis=0)
    quantiles = np.quantile(rows, levels, axis=0)
    return np.asarray(middle + WIDER * (quantiles - middle))


@dataclass(frozen=True, eq=False)
class Donors:
    """Deaths where the event was, and of places without it that grew alike before it.

    The interval comes from placebos: places without the event, or groups of as many, compared with
    the rest of them in the same way.
    """

    #: From the onset on, (T,).
    months: Months
    #: Deaths where the event was, (T,).
    own: Floats
    #: What the donors say they would have been, (T,).
    like: Floats
    #: Both, of P placebos, (P, 2, T).
    placebos: Floats

    @classmethod
    def from_counts(
        cls, counts: Counts, onset: np.datetime64, code: str, seed: int = 1
    ) -> Donors | None:
        """Of a place, or of all that have the event; None where too few do not have it."""
        named = np.array([code in (NATION, place) for place in counts.places])
        treated = np.flatnonzero(named & (counts.felt > 0))
        rest = np.flatnonzero(counts.felt == 0)
        if not treated.size or rest.size < max(FEWEST_DONORS, 2 * treated.size):
            return None
        groups = rest[:, None]
        if treated.size > 1:
            rng = np.random.default_rng(seed_from("placebos", seed, str(onset)))
            groups = np.stack([rng.permutation(rest) for _ in range(PLACEBOS)])
            groups = groups[:, : treated.size]
        deaths = counts.deaths[0]
        n = int((counts.months < onset).sum())
        pairs = []
        for group in (treated, *groups):
            own = deaths[group].sum(axis=0)
            like = grown_alike(own, deaths[np.setdiff1d(rest, group)], n)
            pairs.append(np.stack([own, like])[:, n:])
        own, like = pairs[0]
        return cls(counts.months[n:], own, like=like, placebos=np.stack(pairs[1:]))

    def averted(self, *ends: np.datetime64) -> tuple[float, float, float]:
        """Deaths averted in the 12 months to each of some months, and a 90% interval."""
        if max(ends) > self.months[-1]:
            return np.nan, np.nan, np.nan
        lags = np.array(ends)[:, None] - self.months
        inside = ((lags >= 0 * ONE_MONTH) & (lags < YEAR * ONE_MONTH)).any(axis=0)
        own = float(self.own[inside].sum())
        like = float(self.like[inside].sum())
        sums = self.placebos[:, :, inside].sum(axis=2)
        errors = np.sort(np.abs(np.log(sums[:, 0] / sums[:, 1])))
        rank = int(np.ceil(INSIDE * (errors.size + 1)))
        reach = float(np.exp(errors[rank - 1]))
        return like - own, like / reach - own, like * reach - own


def grown_alike(own: Floats, donors: Floats, n: int) -> Floats:
    """Deaths by donors (J, T): weights fit log growth in n months, level that of the last months.

    >>> months = np.arange(30.0)
    >>> donors = np.array([100 * np.exp(0.01 * months), 100 * np.exp(0.03 * months)])
    >>> own = 50 * np.exp(0.02 * months)
    >>> bool(np.allclose(grown_alike(own, donors, 24), own, rtol=0.01))
    True
    """
    logs = np.log(donors + 0.5)
    growth = np.diff(np.log(own[:n] + 0.5))
    # A heavy row makes the weights add up to one.
    heavy = 1e3 * max(float(np.linalg.norm(growth)), 1e-3)
    rows = np.vstack([np.diff(logs[:, :n]).T, np.full(len(donors), heavy)])
    weights, _ = nnls(rows, np.append(growth, heavy))
    path = np.exp(weights @ logs)
    recent = slice(n - LEVEL_MONTHS, n)
    return np.asarray(path * own[recent].sum() / path[recent].sum())


@dataclass(frozen=True, eq=False, repr=False)
class Past:
    """One past event in one location; made by :func:`past`.

    Attributes
    ----------
    event : Intervention
        With its prior.
    location : str
        CDC code.
    indicator : str
        Whose deaths: the event's scope.
    months : ndarray of datetime64[M], shape (M,)
        Ends of the 12-month periods.
    observed : ndarray, shape (M,)
        12-month-ending deaths, as the newest release has them.
    removed : ndarray, shape (D, M)
        *Effect removed*, in draws of the posterior, 12-month-ending.
    eve : Forecast
        *Forecast from the eve*, of the location.
    eve_kind : str
        ``"real"`` where the archive holds that day's release, else ``"cut"``: the newest
        release, cut at the eve, complete as no release of that day was.
    delta : ndarray, shape (D, T)
        Log rate ratio of the location in each month of ``month_grid``.
    month_grid : ndarray of datetime64[M], shape (T,)
    posterior : EventPosterior
    drawn : EffectDraws
    donors : Donors or None
        Places without the event that grew alike, where there are enough.
    last_used : datetime64[M]
        Last month of the counts behind the posterior.
    notes : tuple of str
    """

    event: Intervention
    location: str
    indicator: str
    months: Months
    observed: Floats
    removed: Floats
    eve: Forecast
    eve_kind: str
    delta: Floats
    month_grid: Months
    posterior: EventPosterior
    drawn: EffectDraws
    donors: Donors | None
    last_used: np.datetime64
    notes: tuple[str, ...] = ()

    @steady
    def __repr__(self) -> str:
        s = self.summary
        return card(
            f"Past: {self.event.name} ({self.onset}) in {called(self.location)}, {self.indicator}",
            f"size {s.mean:+.2f} on the log scale (90% {s.low:+.2f} to {s.high:+.2f}) given an "
            f"effect; none with probability {s.p_null:.2f}",
            f"forecast from the eve by {self.eve.provenance.get('label', '?')} ({self.eve_kind})",
            *(f"note: {text}" for text in self.notes[:2]),
            WHATEVER,
            "next: print(past), .to_frame(), .averted('2024-12')",
        )

    @steady
    def _repr_html_(self) -> str:
        s = self.summary
        rows = [
            ("size given an effect (log scale)", s.prior_mean, s.mean),
            ("its sd", s.prior_sd, s.sd),
            ("probability of no effect", s.prior_p_null, s.p_null),
        ]
        return html_table(
            pd.DataFrame(rows, columns=["", "prior", "posterior"]),
            f"{self.event.name} ({self.onset}) in {called(self.location)}",
            note=" ".join((WHATEVER, *self.notes)),
        )

    @property
    def onset(self) -> np.datetime64:
        """First month in which the event may have begun."""
        first: np.datetime64 = self.event.onset[0]
        return first

    @property
    def summary(self) -> EventSummary:
        """Prior and posterior of the size at exposure 1."""
        return self.posterior.summary()

    @property
    def coverage(self) -> str:
        """How often such intervals contained the deaths averted, in tests."""
        none, fall, large = TESTED if self.donors is None else TESTED_EXPOSED
        text = (
            "In tests on real growth, such intervals contained the deaths averted in "
            f"{none}% of cases without an effect, in {fall}% with a fall of 20% and in {large}% "
            "with a fall of 40%."
        )
        if self.donors is None:
            return text
        return f"{text} Those from similar places contained them in {TESTED_DONORS}%."

    def averted(self, month: object) -> Floats:
        """Deaths in the 12 months to ``month`` had the change not come, less those observed.

        Draws, shape (D,), those without an effect among them; below 0 where the change added
        deaths.
        """
        columns = np.flatnonzero(self.months == to_month(month))
        if not columns.size:
            raise ScenarioError(
                f"month is {month}, allowed: {self.months[0]} to {self.months[-1]}"
            )
        column = columns[0]
        return np.asarray(self.removed[:, column] - self.observed[column])

    def averted_given_effect(self, *months: object) -> tuple[float, float, float]:
        """Mean of deaths averted in these 12-month periods if there was an effect, 90% interval."""
        draws: Any = sum(self.averted(month) for month in months)
        has_effect = self.drawn.beta != 0.0
        mean = float(draws[has_effect].mean()) if has_effect.any() else 0.0
        low, high = given_effect(draws, self.drawn, INTERVAL)
        return mean, float(low), float(high)

    def to_frame(self, levels: Sequence[float] = (0.05, 0.5, 0.95)) -> pd.DataFrame:
        """Both counterfactuals beside what was observed, tidy.

        Returns
        -------
        DataFrame
            One row per counterfactual, month and level: ``counterfactual`` (``observed``,
            ``effect removed``, ``forecast from the eve``), ``location`` (CDC code), ``month``
            (end of the 12 months, as text: ``2024-03``), all str; ``level`` (of the quantile,
            float; NaN for what was observed), ``value`` (deaths in the 12 months, float). With the
            effect removed, quantiles are those given that there was one.
        """
        levels = quantile_levels(levels, ScenarioError).tolist()
        ahead = self.eve.months > self.eve.last_month
        removed = given_effect(self.removed, self.drawn, levels)
        eve = self.eve.quantiles(levels, TARGET_12MO)[:, 0, ahead]
        curves = [("observed", self.months, np.nan, self.observed)]
        curves += [
            ("effect removed", self.months, q, row) for q, row in zip(levels, removed)
        ]
        eve_months = self.eve.months[ahead]
        curves += [
            ("forecast from the eve", eve_months, q, row) for q, row in zip(levels, eve)
        ]
        parts = [
            pd.DataFrame(
                {
                    "counterfactual": name,
                    "location": self.location,
                    "month": months.astype(str),
                    "level": level,
                    "value": values,
                }
            )
            for name, months, level, values in curves
        ]
        return pd.concat(parts, ignore_index=True)

    def text(self) -> str:
        """What was assumed, what the counts did to it, and what cannot be said."""
        s = self.summary
        dominated = ""
        if s.prior_dominated:
            dominated = " Prior-dominated: the result is the assumption."
        lines = [
            f"{self.event.name} ({month_name(self.onset)}), {called(self.location)}, "
            f"{deaths_of(self.indicator)}. {self._compare()}",
            f"{self.coverage} {WHATEVER}",
            f"Prior, given an effect: {s.prior_mean:+.2f} (sd {s.prior_sd:.2f}) on the log scale; "
            f"no effect with probability {s.prior_p_null:.2f}.",
            f"Posterior, counts through {month_name(self.last_used)}: {s.mean:+.2f} (sd "
            f"{s.sd:.2f}; 90% interval {s.low:+.2f} to {s.high:+.2f}); no effect with probability "
            f"{s.p_null:.2f} (Bayes factor {s.bayes_factor:.2g}).{dominated}",
            *self.notes,
        ]
        return "\n".join(lines)

    def _compare(self) -> str:
        """Both counterfactuals beside the last count of the window that is published."""
        last = min(self.onset + WINDOW * ONE_MONTH, self.eve.months[-1])
        published = np.isfinite(self.observed) & np.isfinite(self.removed).all(axis=0)
        in_window = (self.months >= self.onset) & (self.months <= last)
        months = self.months[published & in_window]
        if not months.size:
            until = month_name(last)
            place = place_name(self.location)
            return f"No count of {place} from the onset to {until} is published."
        month = months[-1]
        observed = self.observed[self.months == month][0]
        mean, low, high = self.averted_given_effect(month)
        forecast = self.eve.quantiles([0.5, *INTERVAL], TARGET_12MO)[:, 0]
        eve = forecast[:, self.eve.months == month][:, 0] - observed
        courses = [
            ("Effect removed, if there was one", (mean, low, high)),
            (f"Forecast from the eve ({_EVE[self.eve_kind]})", eve),
        ]
        if self.donors is not None and month <= self.donors.months[-1]:
            courses.insert(1, ("Similar places", self.donors.averted(month)))
        texts = [
            f"{name}: {observed + middle:,.0f} (90% interval {observed + low:,.0f} to "
            f"{observed + high:,.0f})."
            for name, (middle, low, high) in courses
        ]
        return (
            f"In the 12 months ending in {month_name(month)}, {observed:,.0f} deaths were "
            f"observed. {' '.join(texts)} The probability of no effect is "
            f"{self.summary.p_null:.2f}."
        )

    def __str__(self) -> str:
        return self.text()


_EVE = {
    "real": "that day's release",
    "cut": "a later release cut at the eve, more complete than any release was that day",
}


def past(
    event: str | Intervention,
    archive: Archive,
    *,
    location: str = NATION,
    model: Model | None = None,
    draws: int = 1000,
    timings: int = MANY,
    seed: int = 1,
) -> Past:
    """What followed a past event, and what might have without the change that followed.

    Parameters
    ----------
    event : str or Intervention
        Id of an event of the catalogue that has a prior (``"class-scheduled"``,
        ``"supply-shock-2023"``, …), or an intervention with an onset in the data.
    archive : Archive
        The newest release is what is observed; the release of the eve, where the archive has
        it, is what the forecast knows.
    location : str
        One location, by any of its names.
    model : Model, optional
        For the forecast from the eve; default :func:`odforecast.get_model`.
    draws, timings, seed : int
        Draws of the posterior and the forecast; draws of the timing.

    Returns
    -------
    Past

    Raises
    ------
    ScenarioError
        If the onset is outside the counts, or an exposure is missing.
    """
    from odforecast.vintage.archive import Archive

    if not isinstance(archive, Archive):
        raise ScenarioError(
            f"past takes an archive, got {type(archive).__name__}",
            hint="od.bundled(), od.archive()",
        )
    seed = whole("seed", seed, least=0, error=ScenarioError)
    draws = whole("draws", draws, least=1, error=ScenarioError)
    timings = whole("timings", timings, least=1, error=ScenarioError)
    x = past_event(event)
    if x.onset is None:
        raise ScenarioError(
            f"{x.name}: onset is open, allowed here: a month in the data"
        )
    indicator = ALL_DRUGS if x.scope == ALL else x.scope
    newest = archive.as_of()
    panel = newest.panel(indicator)
    first = x.onset[0]
    if not panel.months[0] < first < panel.last_month:
        raise ScenarioError(
            f"{x.name}: onset is {first}, allowed: after {panel.months[0]}, before "
            f"{panel.last_month}"
        )
    felt = felt_by(x, panel, tables=eve_shares(x, newest))
    code = code_of(location)
    row = panel.index(code)
    counts, posterior, effects, delta = estimate(
        panel, x, felt, code, draws=draws, timings=timings, seed=seed
    )
    observed = panel.reported[row]
    eve_panel, kind = _eve(archive, panel, onset=first)
    last = str(min(first + WINDOW * ONE_MONTH, panel.last_month))
    fitted = (model or get_model()).fit(eve_panel)
    eve = fitted.forecast(until=last, draws=draws, seed=seed).select(code)
    notes = []
    if panel.final_through < panel.last_month:
        end = "."
        if counts.months[-1] > panel.final_through:
            end = ", and the posterior has used some of them: what is late can pass for an effect."
        notes.append(
            f"Counts after {month_name(panel.final_through)} are not final: deaths are still being "
            f"added{end}"
        )
    if posterior.effective() < FEW:
        notes.append(
            "The posterior rests on few draws of the timing: ask for more timings."
        )
    if x.exposure != 1.0:
        eve_month = month_name(first - ONE_MONTH)
        notes.append(
            f"Exposure as it was in {eve_month}; {felt[code]:.2f} in {place_name(code)}."
        )
    return Past(
        x,
        code,
        indicator=indicator,
        months=panel.months,
        observed=observed,
        removed=removed(panel.monthly[row], observed, delta=delta),
        eve=eve,
        eve_kind=kind,
        delta=delta,
        month_grid=panel.month_grid,
        posterior=posterior,
        drawn=effects,
        donors=Donors.from_counts(counts, first, code, seed=seed),
        last_used=np.datetime64(counts.months[-1], "M"),
        notes=tuple(notes),
    )


def removed(months: Floats, observed: Floats, delta: Floats) -> Floats:
    """12-month counts with an effect taken out of every month, shape (D, M).

    ``delta`` is the log rate ratio of the months behind them; where it is 0 the count stays.

    >>> months, delta = np.full(13, 10.0), np.zeros((1, 13))
    >>> delta[0, -1] = np.log(0.5)
    >>> removed(months, np.array([120.0, 120.0]), delta).tolist()
    [[120.0, 130.0]]
    """
    # Months that were never known matter only where something is taken out of them.
    change = np.where(delta == 0.0, 0.0, months * np.expm1(-delta))
    return np.asarray(observed + rolling_sums(change))


def felt_by(
    x: Intervention, panel: Panel, tables: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Exposure of each location of a panel to an event.

    A table that names no US gives the nation what its jurisdictions feel on average, weighted by
    their deaths in the year before the event.
    """
    exposure = exposure_vector(x.exposure, panel.locations, tables=tables, name=x.name)
    felt = dict(zip(panel.locations, exposure.tolist()))
    states = [s for s in panel.locations if s in JURISDICTIONS]
    if states and NATION in felt and _lacks_nation(x):
        year = np.flatnonzero(panel.month_grid < x.onset[0])[-YEAR:]
        deaths = {
            s: float(np.nansum(panel.monthly[panel.index(s), year])) for s in states
        }
        felt[NATION] = sum(deaths[s] * felt[s] for s in states) / sum(deaths.values())
    return felt


def _lacks_nation(x: Intervention) -> bool:
    """Whether exposures are a table without the US."""
    return isinstance(x.exposure, Mapping) and NATION not in x.exposure


def eve_shares(x: Intervention, vintage: Vintage) -> dict[str, dict[str, float]]:
    """Shares for an exposure by name, as they were on the eve of the onset, in a release."""
    if not isinstance(x.exposure, str):
        return {}
    every, synthetic = (vintage.panel(i) for i in (ALL_DRUGS, SYNTHETIC_OPIOIDS))
    eve = min(x.onset[0] - ONE_MONTH, every.last_month)
    return {
        "fentanyl-share": fentanyl_share(every, synthetic, fill="region", month=eve)
    }


def _eve(archive: Archive, panel: Panel, onset: np.datetime64) -> tuple[Panel, str]:
    """What was known at the last origin before an event, and whether that day's release tells."""
    first = onset.astype("datetime64[D]").item()
    assert isinstance(first, dt.date)
    if any(day < first for day in archive.releases()):
        release = archive.as_of(first - dt.timedelta(days=1)).panel(panel.indicator)
        if int((onset - release.last_month).astype(int)) <= STALE:
            return release, "real"
    return panel.cut(onset - ONE_MONTH), "cut"


def settled_through(panel: Panel) -> np.datetime64:
    """Last month whose count is settled: at least 12 months old in the panel's release.

    >>> import odforecast as od
    >>> settled_through(od.bundled().as_of().panel())
    np.datetime64('2025-01')
    """
    old_enough = np.datetime64(panel.release, "M") - MIN_AGE * ONE_MONTH
    return np.datetime64(min(old_enough, panel.last_month), "M")


def growth_changes(
    panel: Panel, state: str = NATION, until: object | None = None
) -> pd.DataFrame:
    """Change in 12-month growth after every month, and its rank in percent among all months.

    With S the 12-month-ending count: ``log S(t+12)/S(t) - log S(t)/S(t-12)``. Low ranks are
    unusually large falls in growth. ``until`` is the last month of counts used, for ranks that are
    printed :func:`settled_through`. One row per month with a year of counts on either side; at
    least 37 months.

    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel().select(["US"])
    >>> len(growth_changes(panel)), len(growth_changes(panel, until=settled_through(panel)))
    (104, 97)
    """
    keep = panel.months <= (panel.last_month if until is None else to_month(until))
    counts = panel.reported[panel.index(state)][keep]
    months = panel.months[keep]
    if months.size < 3 * YEAR + 1:
        raise ScenarioError(
            f"{months.size} months of counts are too few for placebo ranks, allowed: 37 or more"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = pd.Series(np.log(counts)).diff(YEAR)
    table = pd.DataFrame(
        {"month": months.astype(str), "before": growth, "after": growth.shift(-YEAR)}
    )
    table["change"] = table["after"] - table["before"]
    table = table.dropna(subset="change").reset_index(drop=True)
    return table.assign(
        percentile=100.0 * table["change"].rank(method="max") / len(table)
    )
