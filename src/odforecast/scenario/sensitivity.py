"""Sensitivity: which assumption matters, and what waiting costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScenarioError, whole
from odforecast.forecasts import Forecast
from odforecast.months import ONE_MONTH, to_month
from odforecast.panel import Floats
from odforecast.scenario.answer import counted, everything_works
from odforecast.scenario.apply import Applied, Shares, carrying, share_tables
from odforecast.scenario.catalogue import library
from odforecast.scenario.distributions import Fixed
from odforecast.scenario.file import named, named_intervention
from odforecast.scenario.grammar import MOST_EXPOSED
from odforecast.scenario.intervention import NATION, Intervention, Scenario
from odforecast.scenario.projection import (
    Projection,
    check_scenario,
    mean_of,
    percent_of,
    stacked,
    summary_of,
)

#: The named prior of the whole change after mid-2023, whatever its cause.
EPISODE = "supply-shock-2023-like"

#: What an intervention says of when it acts.
TIMING = ("lag", "ramp", "plateau", "half_life", "residue", "rebound")

#: Months over which what waiting costs is counted in the long run.
RUN_OUT = 480


def tornado(
    source: Forecast | Projection,
    scenario: Scenario,
    *,
    location: str | Sequence[str] | None = None,
    exposures: Shares | None = None,
    seed: int = 1,
) -> pd.DataFrame:
    """How far the mean number of deaths averted moves with each assumption.

    One assumption at a time is held at its 5th and 95th percentile (a probability at 0 and 1, an
    exposure at half and one and a half of what it is), the others keep their distributions and
    their random numbers. Of a what-if the mean is that given that it works.

    Parameters
    ----------
    source : Forecast or Projection
        A projection, whose exposures and draws are used, so that the numbers are those of its
        answer; or a baseline with all its locations.
    scenario : Scenario
        Not null.
    location : str or sequence of str, optional
        Whose deaths averted, over all months after the last known one. Default: all locations of
        a projection; US of a forecast.
    exposures, seed
        Of a forecast, as in :func:`~odforecast.scenario.project`.

    Returns
    -------
    DataFrame
        ``location, intervention, assumption, low_value, high_value, averted_low, averted_high,
        averted, swing``, of each location the largest swing first.
    """
    if scenario.is_null:
        raise ScenarioError("null assumes nothing, so nothing can be varied")
    reruns = Reruns(source, location, exposures=exposures, seed=seed)
    scenario = _to_come(reruns.forecast, scenario)
    centre = reruns.means(scenario)
    frames: list[dict[str, Any]] = []
    for position, x in enumerate(scenario.interventions):
        for key, low, high in _variations(x):
            means = []
            for _, changed in (low, high):
                parts = list(scenario.interventions)
                parts[position] = changed
                means.append(
                    reruns.means(replace(scenario, interventions=tuple(parts)))
                )
            frames.append(
                {
                    "location": reruns.codes,
                    "intervention": x.name,
                    "assumption": key,
                    "low_value": low[0],
                    "high_value": high[0],
                    "averted_low": means[0],
                    "averted_high": means[1],
                    "averted": centre,
                    "swing": abs(means[1] - means[0]),
                }
            )
    table = stacked(frames)
    return table if table.empty else reruns.in_order(table, "swing")


class Reruns:
    """A baseline on which scenarios are worked out many times, and only the deaths they avert."""

    def __init__(
        self,
        source: Forecast | Projection,
        location: str | Sequence[str] | None,
        exposures: Shares | None,
        seed: int,
        order: NDArray[np.intp] | None = None,
    ) -> None:
        forecast = source
        if isinstance(source, Projection):
            forecast = source.source or source.baseline
            exposures, seed, order = source.tables, source.seed, source.order
            location = source.baseline.locations if location is None else location
        assert isinstance(forecast, Forecast)
        location = NATION if location is None else location
        places = [location] if isinstance(location, str) else list(location)
        self.forecast = forecast
        self.rows = [forecast.index(place) for place in places]
        self.codes = [forecast.locations[i] for i in self.rows]
        self.tables = share_tables(forecast.panel, exposures)
        self.applied = Applied(forecast, self.tables, seed=seed, order=order)
        self.base = forecast.draws[:, self.rows][:, :, self.applied.ahead].sum(axis=2)

    def averted(self, scenario: Scenario) -> Floats:
        """Deaths averted in all months to come, draw by draw, shape (D, L)."""
        acting = self.applied
        check_scenario(acting.baseline, scenario)
        draws, _ = acting.acted(acting.steps(scenario, acting.felt(scenario)))
        return np.asarray(
            self.base - draws[:, self.rows][:, :, acting.ahead].sum(axis=2)
        )

    def means(self, scenario: Scenario) -> Floats:
        """Mean deaths averted in the draws that count, by location."""
        counts = counted(scenario, self.applied.order, seed=self.applied.seed)
        if not counts.any():
            return np.zeros(len(self.codes))
        return np.asarray(self.averted(scenario)[counts].mean(axis=0))

    def in_order(self, table: pd.DataFrame, largest: str | None = None) -> pd.DataFrame:
        """The rows by location as asked for, and of each the largest first."""
        rank = table["location"].map(self.codes.index)
        keys = [rank] if largest is None else [-table[largest], rank]
        return table.iloc[np.lexsort(keys)].reset_index(drop=True)


def credited(scenario: Scenario) -> bool:
    """Whether a scenario is a share of the 2023–24 fall, done again.

    >>> from odforecast.scenario import named
    >>> credited(named("cooperation-resumed")), credited(named("supply-shock-2023-like"))
    (True, False)
    """
    if len(scenario.interventions) != 1:
        return False
    (x,) = scenario.interventions
    (fall,) = named(EPISODE).interventions
    return x.size == fall.size and x.share != Fixed(1) and not x.is_what_if


def attribution(
    source: Forecast | Projection,
    scenario: Scenario,
    *,
    location: str | Sequence[str] | None = None,
    exposures: Shares | None = None,
    seed: int = 1,
) -> pd.DataFrame:
    """From the whole 2023–24 fall to the answer of a scenario that credits a share of it.

    Each step changes one assumption, in the same draws: all of the fall again, the share credited
    to cooperation, the chance of nothing, and the scenario's own timing. The last step is the
    mean over all outcomes of :meth:`Projection.answer`. The counts cannot show how large the
    share is, so the same mean follows for shares of 0, 25, 50, 75 and 100%.

    Parameters
    ----------
    source : Forecast or Projection
        As in :func:`tornado`.
    scenario : Scenario
        Of one intervention: a share of ``supply-shock-2023-like``, as ``cooperation-resumed``.
    location, exposures, seed
        As in :func:`tornado`.

    Returns
    -------
    DataFrame
        ``location, step`` (text), ``averted_mean, averted_q05, averted_q50, averted_q95,
        percent_mean``, over the months from the onset on; ``difference`` (of the mean from the
        step before; NaN of the shares). The differences add up to the answer.
    """
    if not credited(scenario):
        raise ScenarioError(
            f"{scenario.name} is not a share of {EPISODE}, so there is nothing to attribute",
            hint="name cooperation-resumed, or give a size and a share like its own",
        )
    reruns = Reruns(source, location, exposures=exposures, seed=seed)
    forecast = reruns.forecast
    [x] = _to_come(forecast, scenario).interventions
    since = reruns.applied.ahead & (forecast.months >= x.onset[0])
    base = forecast.draws[:, reruns.rows][:, :, since].sum(axis=2)
    fall = named_intervention(EPISODE, onset=x.onset)
    timing = {key: getattr(fall, key) for key in TIMING}
    slower = replace(x, **timing)
    certain = replace(slower, p_null=0.0)
    steps = {
        "all of the 2023–24 fall again": replace(certain, share=Fixed(1)),
        f"the share credited, {100 * x.share.mean:.0f}% on average": certain,
        f"a chance of {100 * x.p_null:.0f}% that nothing happens": slower,
        "its own timing: the answer": x,
    }
    chain = set(steps)
    for share in library()["attribution"]["shares"]:
        label = f"the answer if the share is {100 * share:g}%"
        steps[label] = x.scaled(Fixed(share))
    frames: list[dict[str, Any]] = []
    before = np.zeros(len(reruns.codes))
    for step, changed in steps.items():
        saved = reruns.averted(replace(scenario, interventions=(changed,)))
        summary = summary_of("averted", saved, levels=(0.05, 0.5, 0.95), fewest=1)
        mean = summary["averted_mean"]
        frames.append(
            {
                "location": reruns.codes,
                "step": step,
                **summary,
                "percent_mean": mean_of(percent_of(base, base - saved)),
                "difference": mean - before if step in chain else np.nan,
            }
        )
        before = mean
    return reruns.in_order(stacked(frames))


def cost_of_delay(
    source: Forecast | Projection,
    scenario: Scenario,
    months: Sequence[int] = (0, 3, 6, 12, 18, 24),
    *,
    location: str | Sequence[str] | None = None,
    exposures: Shares | None = None,
    seed: int = 1,
) -> pd.DataFrame:
    """Deaths not prevented by the end of the forecast, against how much later it all begins.

    An effect that fades is postponed by waiting, and only what falls beyond the last month is
    missing by then. So the same is given over 480 months, with the deaths of the last twelve
    months of the forecast carried on.

    Parameters
    ----------
    source : Forecast or Projection
        As in :func:`tornado`.
    scenario : Scenario
        Not null. Every onset is moved by the same number of months.
    months : sequence of int
        Months of delay.
    location, exposures, seed
        As in :func:`tornado`.

    Returns
    -------
    DataFrame
        ``location, delay`` (months), ``onset`` (the earliest), ``until`` (the last month counted),
        ``averted_if_works`` (mean where everything works), ``averted_mean, averted_q05,
        averted_q95``; ``not_prevented`` (mean deaths that the delay does not prevent by
        ``until``) and ``not_prevented_run_out`` (the same over 480 months).

    Raises
    ------
    ScenarioError
        If the scenario is null, or an onset moves past the forecast's end.
    """
    if scenario.is_null:
        raise ScenarioError("null assumes nothing, so nothing can be delayed")
    if len(months) == 0:
        raise ScenarioError("no months of delay are given")
    reruns = Reruns(source, location, exposures=exposures, seed=seed)
    forecast = reruns.forecast
    scenario = _to_come(forecast, scenario)
    order = reruns.applied.order
    seed = reruns.applied.seed
    long_run = Reruns(
        _run_out(forecast, reruns.codes),
        reruns.codes,
        exposures=reruns.tables,
        seed=seed,
        order=order,
    )
    frames: list[dict[str, Any]] = []
    for wait in months:
        step = np.timedelta64(whole("delay", wait, least=0, error=ScenarioError), "M")
        parts = []
        for x in scenario.interventions:
            first, last = x.onset
            parts.append(replace(x, onset=(first + step, last + step)))
        later = replace(scenario, interventions=tuple(parts))
        counts = counted(later, order, seed=seed)
        works = everything_works(later, order, seed=seed)
        saved = reruns.averted(later)
        frames.append(
            {
                "location": reruns.codes,
                "delay": wait,
                "onset": str(min(x.onset[0] for x in parts)),
                "until": str(forecast.months[-1]),
                "averted_if_works": mean_of(saved[works]),
                **summary_of("averted", saved[counts], levels=(0.05, 0.95), fewest=1),
                "not_prevented": long_run.means(later),
            }
        )
    table = reruns.in_order(stacked(frames))
    columns = table[["averted_mean", "not_prevented"]]
    lost = columns.groupby(table["location"], sort=False).transform("first") - columns
    return table.assign(
        not_prevented=lost["averted_mean"], not_prevented_run_out=lost["not_prevented"]
    )


def _run_out(forecast: Forecast, codes: Sequence[str]) -> Forecast:
    """The places' forecast with the mean of its last twelve months carried on for long."""

    def longer(f: Forecast) -> Floats:
        """All months of one indicator."""
        flat = f.draws[:, :, -12:].mean(axis=2, keepdims=True)
        return np.concatenate([f.draws, np.repeat(flat, RUN_OUT, axis=2)], axis=2)

    places = forecast.select(codes)
    months = places.months[0] + np.arange(places.months.size + RUN_OUT)
    parts = {short: longer(part) for short, part in places.beside.items()}
    return carrying(places, longer(places), parts=parts, months=months)


def _to_come(forecast: Forecast, scenario: Scenario) -> Scenario:
    """The scenario with its onsets, all of them after the last known month."""
    closed = scenario.at(str(to_month(forecast.as_of) + ONE_MONTH))
    for x in closed.interventions:
        if x.onset[0] <= forecast.last_month:
            raise ScenarioError(
                f"{scenario.name}: {x.name} begins {x.onset[0]}, before the last known month "
                f"{forecast.last_month}, allowed here: what is still to come",
                hint="od.project of a fitted model fits the baseline without what has begun",
            )
    return closed


#: The value of an assumption in words, and the intervention with it.
End = tuple[str, Intervention]
#: What has a prior, in the order in which it is varied.
_VARIED = (
    "size",
    "share",
    "spread",
    "replaced",
    "lag",
    "fraction",
    "after",
    "ramp",
    "plateau",
    "half_life",
    "residue",
)


def _variations(x: Intervention) -> Iterator[tuple[str, End, End]]:
    """Assumption, and both ends of all that is uncertain."""
    yield from _prior_variations(x, lambda end: end, prefix="")
    if x.rebound is not None:
        yield from _prior_variations(
            x.rebound, lambda end: replace(x, rebound=end), prefix="rebound "
        )
    first, last = x.onset
    if first != last:
        yield (
            "onset",
            (str(first), replace(x, onset=(first, first))),
            (str(last), replace(x, onset=(last, last))),
        )
    if not isinstance(x.exposure, str):
        yield (
            "exposure",
            ("0.5", replace(x, exposure=_times(x.exposure, 0.5))),
            ("1.5", replace(x, exposure=_times(x.exposure, 1.5))),
        )


def _prior_variations(
    noun: Any, whole: Callable[[Any], Intervention], prefix: str
) -> Iterator[tuple[str, End, End]]:
    """The same of the priors of an intervention, or of its rebound."""
    for key in _VARIED:
        prior = getattr(noun, key, None)
        if prior is None or prior.sd <= 0:
            continue
        low, high = prior.interval(0.9)
        if key == "replaced":
            low = 0.0  # that nothing is replaced is the bound, and always shown
        if key == "size" and noun.direction == "fall":
            high = min(high, 0.0)  # a rise counts as nothing
        ends = [
            (f"{v:.3g}", whole(replace(noun, **{key: Fixed(v)}))) for v in (low, high)
        ]
        yield f"{prefix}{key}", ends[0], ends[1]
    is_what_if = isinstance(noun, Intervention) and noun.is_what_if
    if 0.0 < noun.p_null < 1.0 and not is_what_if:
        never, always = (whole(replace(noun, p_null=p)) for p in (0.0, 1.0))
        yield f"{prefix}p_null", ("0", never), ("1", always)


def _times(
    exposure: float | Mapping[str, float], factor: float
) -> float | dict[str, float]:
    """An exposure times a factor, at most the largest there is."""
    if isinstance(exposure, Mapping):
        return {s: min(factor * v, MOST_EXPOSED) for s, v in exposure.items()}
    return min(factor * exposure, MOST_EXPOSED)
