"""Sensitivity: which assumption matters, and what waiting costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import ScenarioError, whole
from odforecast.forecasts import Forecast
from odforecast.months import ONE_MONTH, to_month
from odforecast.panel import Floats
from odforecast.scenario.answer import counted, everything_works
from odforecast.scenario.apply import Applied, Shares, carrying, share_tables
from odforecast.scenario.catalogue import library
from odforecast.scenario.distributions import Beta, Fixed, Prior
from odforecast.scenario.file import named_intervention
from odforecast.scenario.grammar import MOST_EXPOSED
from odforecast.scenario.intervention import NATION, Intervention, Scenario
from odforecast.scenario.projection import check_scenario, mean_of, stacked, summary_of

#: Share of the 2023–24 fall that may be credited to cooperation: a judgement.
ATTRIBUTION = Beta(1.5, 4)

#: Months over which what waiting costs is counted in the long run.
RUN_OUT = 480


def tornado(
    forecast: Forecast,
    scenario: Scenario,
    *,
    location: str | Sequence[str] = NATION,
    exposures: Shares | None = None,
    seed: int = 1,
) -> pd.DataFrame:
    """How far the mean number of deaths averted moves with each assumption.

    One assumption at a time is held at its 5th and 95th percentile (a probability at 0 and 1, an
    exposure at half and one and a half of what it is), the others keep their distributions and
    their random numbers. Of a what-if the mean is that given that it works.

    Parameters
    ----------
    forecast : Forecast
        Baseline with all its locations (:attr:`Projection.source`): cut to one place, states that
        differ would give the nation another effect.
    scenario : Scenario
        Not null.
    location : str or sequence of str
        Whose deaths averted, over all months after the last known one.
    exposures, seed
        As in :func:`~odforecast.scenario.project`.

    Returns
    -------
    DataFrame
        ``location, intervention, assumption, low_value, high_value, averted_low, averted_high,
        averted, swing``, of each location the largest swing first.
    """
    if scenario.is_null:
        raise ScenarioError("null assumes nothing, so nothing can be varied")
    scenario = _to_come(forecast, scenario)
    reruns = Reruns(forecast, location, exposures=exposures, seed=seed)
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
        forecast: Forecast,
        location: str | Sequence[str],
        exposures: Shares | None,
        seed: int,
    ) -> None:
        places = [location] if isinstance(location, str) else list(location)
        self.rows = [forecast.index(place) for place in places]
        self.codes = [forecast.locations[i] for i in self.rows]
        self.tables = share_tables(forecast.panel, exposures)
        self.applied = Applied(forecast, self.tables, seed=seed)
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
        counts = counted(scenario, len(self.base), seed=self.applied.seed)
        if not counts.any():
            return np.zeros(len(self.codes))
        return np.asarray(self.averted(scenario)[counts].mean(axis=0))

    def in_order(self, table: pd.DataFrame, largest: str | None = None) -> pd.DataFrame:
        """The rows by location as asked for, and of each the largest first."""
        rank = table["location"].map(self.codes.index)
        keys = [rank] if largest is None else [-table[largest], rank]
        return table.iloc[np.lexsort(keys)].reset_index(drop=True)


def attribution(
    forecast: Forecast,
    onset: object,
    *,
    location: str | Sequence[str] = NATION,
    exposures: Shares | None = None,
    seed: int = 1,
) -> pd.DataFrame:
    """Deaths averted if cooperation does again what a share of the 2023–24 fall was.

    The share that was cooperation's doing cannot be estimated; it has the prior
    Beta(1.5, 4) and is always shown with 0, 25, 50, 75 and 100%.

    Parameters
    ----------
    forecast : Forecast
        Baseline.
    onset : month
        When cooperation (re)starts to work.
    location, exposures, seed
        As in :func:`tornado`.

    Returns
    -------
    DataFrame
        ``location, share`` (text), ``averted_mean, averted_q05, averted_q50, averted_q95,
        percent_mean``, over the months from the onset on.
    """
    shares: dict[str, Prior] = {
        f"{100 * share:g}%": Fixed(share)
        for share in library()["attribution"]["shares"]
    }
    shares[str(ATTRIBUTION)] = ATTRIBUTION
    episode = named_intervention("supply-shock-2023-like", onset=onset)
    [whole] = _to_come(forecast, Scenario("attribution", (episode,))).interventions
    reruns = Reruns(forecast, location, exposures=exposures, seed=seed)
    since = reruns.applied.ahead & (forecast.months >= whole.onset[0])
    base = forecast.draws[:, reruns.rows][:, :, since].sum(axis=2)
    frames: list[dict[str, Any]] = []
    for label, share in shares.items():
        saved = reruns.averted(Scenario("attribution", (whole.scaled(share),)))
        frames.append(
            {
                "location": reruns.codes,
                "share": label,
                **summary_of("averted", saved, levels=(0.05, 0.5, 0.95), fewest=1),
                "percent_mean": mean_of(-100.0 * saved / base),
            }
        )
    return reruns.in_order(stacked(frames))


def cost_of_delay(
    forecast: Forecast,
    scenario: Scenario,
    months: Sequence[int] = (0, 3, 6, 12, 18, 24),
    *,
    location: str | Sequence[str] = NATION,
    exposures: Shares | None = None,
    seed: int = 1,
) -> pd.DataFrame:
    """Deaths not prevented by the end of the forecast, against how much later it all begins.

    An effect that fades is postponed by waiting, and only what falls beyond the last month is
    missing by then. So the same is given over 480 months, with the deaths of the last twelve
    months of the forecast carried on.

    Parameters
    ----------
    forecast : Forecast
        Baseline with all its locations.
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
    scenario = _to_come(forecast, scenario)
    reruns = Reruns(forecast, location, exposures=exposures, seed=seed)
    long_forecast = _run_out(forecast, reruns.codes)
    long_run = Reruns(long_forecast, reruns.codes, exposures=reruns.tables, seed=seed)
    frames: list[dict[str, Any]] = []
    for wait in months:
        step = np.timedelta64(whole("delay", wait, least=0, error=ScenarioError), "M")
        parts = []
        for x in scenario.interventions:
            first, last = x.onset
            parts.append(replace(x, onset=(first + step, last + step)))
        later = replace(scenario, interventions=tuple(parts))
        counts = counted(later, len(reruns.base), seed=seed)
        works = everything_works(later, len(reruns.base), seed=seed)
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
