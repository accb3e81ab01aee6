"""When did it begin? The month of one lasting change, as far as the counts of a place tell.

The estimator is that of past events (:mod:`odforecast.scenario.effects`). The event is one change
of unknown size that stays, and its first month may be any of a window. Every month is weighed
against the same model without a change, so there is no year of upheaval near the onset: that model
would depend on the month. Counts that are still growing are completed as a clock completes them,
in several ways.

A month here is when deaths changed, whatever the cause: not when a policy worked.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from odforecast.errors import ScenarioError, proportion, whole
from odforecast.geography import NATION, called, parts_of, resolve
from odforecast.geography.places import REGIONS
from odforecast.months import ONE_MONTH, Months, to_month
from odforecast.names import ALL_DRUGS
from odforecast.panel import Floats, Panel
from odforecast.say import card, chance, day_name, deaths_of, month_name, steady
from odforecast.scenario.catalogue import events
from odforecast.scenario.clock import IMPUTED, completed
from odforecast.scenario.distributions import Fixed, Normal, Uniform
from odforecast.scenario.effects import GRID, STREAMS, Estimator, Grid
from odforecast.scenario.intervention import Intervention
from odforecast.scenario.past import FEWEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from odforecast.vintage.archive import Archive

#: Sd of the change on the log scale, and the months that it takes to its full size.
SIZE_SD = 0.4
RAMP = (9, 15)
#: Ramps that stand for all of them, evenly by probability.
RAMPS = 5
#: What the series does by itself; a year of upheaval near the onset would depend on it.
CALM = replace(GRID, bursts=(None,))

#: Fewest months of counts before the first month in which it may have begun.
LEAD = 24
#: By default: months of counts from that month on, and how many of them are after the last one.
SPAN = 48
REST = 3
#: Fewest months in which it may have begun.
SHORTEST = 12
#: Probability of the set of months and of the interval.
LEVEL = 0.9
#: The date that is asked about most, and what happened then.
ASKED = "cooperation-resumed"
ASKED_WORDS = "when cooperation resumed"
#: What must be said of every month.
WHEN = "This is when deaths changed, whatever the cause: not when a policy worked."


@dataclass(frozen=True, eq=False, repr=False)
class Onset:
    """When one lasting change in deaths began; made by :func:`when`.

    Attributes
    ----------
    location : str
        CDC code, a census region, or codes with a plus between them: ``"KY+OH"``.
    places : tuple of str
        CDC codes of the places whose deaths are added.
    indicator : str
        Whose deaths.
    release : date
        The release that was read.
    direction : {"either", "fall", "rise"}
        Which changes are meant.
    months : ndarray of datetime64[M], shape (N,)
        Months in which it may have begun, each as likely before the counts.
    posterior : ndarray, shape (N,)
        Probability of each, given that there was one change; they add up to 1.
    bayes_factors : ndarray, shape (N,)
        Evidence for a change that began in the month, against none: 1 is no evidence either way.
    none : float
        Probability that there was no change in these months, from even odds.
    falls : float
        Probability that the change was a fall, given that there was one.
    counts : tuple of datetime64[M]
        First and last month of the counts that are read.
    notes : tuple of str
    """

    location: str
    places: tuple[str, ...]
    indicator: str
    release: dt.date
    direction: str
    months: Months
    posterior: Floats
    bayes_factors: Floats
    none: float
    falls: float
    counts: tuple[np.datetime64, np.datetime64]
    notes: tuple[str, ...] = ()

    @steady
    def __repr__(self) -> str:
        return card(
            f"Onset of a {self.noun} in {called(self.location)}, {self.indicator}",
            self.answer,
            WHEN,
            "next: print(onset), .to_frame(), .events(), .before('2023-11'), .plot()",
        )

    def __str__(self) -> str:
        return self.text()

    @property
    def noun(self) -> str:
        """What is dated: a change, a fall or a rise."""
        return "change" if self.direction == "either" else self.direction

    def before(self, month: object) -> float:
        """Probability that it began before a month, given that there was one change."""
        return float(self.posterior[self.months < to_month(month)].sum())

    def interval(self, level: float = LEVEL) -> tuple[np.datetime64, np.datetime64]:
        """First and last month between which it began with a probability, tails alike."""
        proportion("level", level, error=ScenarioError)
        tail = (1.0 - level) / 2.0
        below = np.cumsum(self.posterior)[:-1]
        low, high = np.searchsorted(below, [tail, 1.0 - tail])
        return self.months[low], self.months[high]

    def smallest(self, level: float = LEVEL) -> Months:
        """The fewest months that have a probability, in order of time; gaps are possible."""
        proportion("level", level, error=ScenarioError)
        order = np.argsort(-self.posterior, kind="stable")
        below = np.cumsum(self.posterior[order])[:-1]
        n = int(np.searchsorted(below, level)) + 1
        return np.sort(self.months[order[:n]])

    def to_frame(self) -> pd.DataFrame:
        """One row per month in which it may have begun.

        Returns
        -------
        DataFrame
            ``location``, ``month`` (as text: ``2023-11``), ``posterior``, ``bayes_factor``
            (float), ``in_set`` (whether it is in the smallest set of 90%).
        """
        return pd.DataFrame(
            {
                "location": self.location,
                "month": self.months.astype(str),
                "posterior": self.posterior,
                "bayes_factor": self.bayes_factors,
                "in_set": np.isin(self.months, self.smallest()),
            }
        )

    def events(self) -> pd.DataFrame:
        """The dated events of the calendar in these months, and the probability on either side.

        Returns
        -------
        DataFrame
            In order of date: ``id``, ``event``, ``month`` (its first, as text); ``before``
            (probability that the change began before that month), ``after`` (after its last), and
            ``flat`` (``before`` without counts: the share of the months).
        """
        table = events()
        first = table["month"].to_numpy(dtype="datetime64[M]")
        last = table["last_month"].to_numpy(dtype="datetime64[M]")
        dated = (first > self.months[0]) & (first <= self.months[-1])
        dated &= ~table["date"].str.contains("unknown").to_numpy()
        earlier = self.months < first[dated, None]
        return pd.DataFrame(
            {
                "id": table["id"][dated].to_numpy(),
                "event": table["event"][dated].to_numpy(),
                "month": first[dated].astype(str),
                "before": earlier @ self.posterior,
                "after": (self.months > last[dated, None]) @ self.posterior,
                "flat": earlier.mean(axis=1),
            }
        )

    def to_json(self) -> str:
        """All of it as JSON."""
        plain: dict[str, Any] = {
            "location": self.location,
            "places": self.places,
            "indicator": self.indicator,
            "release": str(self.release),
            "direction": self.direction,
            "counts": [str(month) for month in self.counts],
            "interval": [str(month) for month in self.interval()],
            "none": self.none,
            "falls": self.falls,
            "months": self.to_frame().to_dict("records"),
            "events": self.events().to_dict("records"),
            "notes": self.notes,
            "reminder": WHEN,
        }
        return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"

    def text(self) -> str:
        """When it began, how sure that is, and what was assumed."""
        first, last, begin, end = map(month_name, (*self.months[[0, -1]], *self.counts))
        lines = [
            f"{called(self.location)}, {deaths_of(self.indicator)}. {self.answer}",
            self._evidence,
            f"Every month from {first} to {last} was equally likely before the counts. The "
            f"{self.noun} is assumed to stay, and to reach its full size in 9 to 15 months. "
            f"Counts from {begin} to {end}, release of {day_name(self.release)}.",
            *self.notes,
            WHEN,
        ]
        return "\n".join(lines)

    @property
    def answer(self) -> str:
        """Between which months it began, and on which side of the date that is asked about."""
        low, high = map(month_name, self.interval())
        answer = (
            f"The counts say that the {self.noun}, if there was one, began between {low} and "
            f"{high} (90% interval)."
        )
        for row in self.events().to_dict("records"):
            before = row["before"]
            if row["id"] == ASKED and 0.05 < before < 0.95:
                answer += (
                    f" They cannot tell whether that was before or after "
                    f"{month_name(row['month'])}, {ASKED_WORDS}: {chance(before)} before "
                    f"(without counts: {chance(row['flat'])})."
                )
        return answer

    @property
    def _evidence(self) -> str:
        """How much the counts say, in Bayes factors and months."""
        top = self.bayes_factors.argmax()
        n = self.months.size
        text = (
            f"The evidence is strongest for {month_name(self.months[top])}: Bayes factor "
            f"{self.bayes_factors[top]:.1f}, where 1 is no evidence and 10 is strong. The "
            f"smallest set of months with a probability of 90% has {len(self.smallest())} of "
            f"{n} months (without counts: {np.ceil(LEVEL * n):.0f}). From even odds, the chance "
            f"that there was no such {self.noun} is {chance(self.none)}."
        )
        if self.direction == "either":
            text += f" If there was one, it was a fall with probability {chance(self.falls)}."
        return text

    def plot(self, axes: Axes | None = None) -> Axes:
        """The Bayes factor by month; see :func:`odforecast.plot.onset`."""
        from odforecast.plot import onset

        return onset(self, axes=axes)


def when(
    indicator: str = ALL_DRUGS,
    location: str | Sequence[str] = NATION,
    *,
    archive: Archive | None = None,
    as_of: str | dt.date | None = None,
    earliest: object | None = None,
    latest: object | None = None,
    through: object | None = None,
    direction: Literal["either", "fall", "rise"] = "either",
    seed: int = 1,
) -> Onset:
    """When one lasting change in deaths began, as far as the counts tell.

    Parameters
    ----------
    indicator : str
        Deaths to count: CDC's name, or a short one such as ``"T40.4"``.
    location : str or sequence of str
        The nation, a census region or a place by any of its names. Several are added.
    archive : Archive, optional
        Default: your own releases, then the bundled ones.
    as_of : date or str, optional
        Use only data published by this date. Default: the newest release.
    earliest, latest : month or str, optional
        Months between which it may have begun. Default: from 47 months to 3 months before the
        last month of counts.
    through : month or str, optional
        Last month of counts. Default: the last one that is final. Later ones are completed.
    direction : {"either", "fall", "rise"}
        Which changes are meant.
    seed : int
        For the deaths that arrive late.

    Returns
    -------
    Onset

    Raises
    ------
    ScenarioError
        If the months are too few, or a month has too few deaths to date a change.
    UnknownNameError
        If a place is unknown, or has no counts.

    Examples
    --------
    >>> import odforecast as od
    >>> onset = od.scenario.when("T40.4", archive=od.bundled())
    >>> [str(month) for month in onset.interval()]
    ['2021-05', '2024-06']
    >>> round(onset.before("2023-11"), 2)
    0.72
    """
    from odforecast.vintage import archive as open_archive

    seed = whole("seed", seed, least=0, error=ScenarioError)
    panel = (archive or open_archive()).as_of(as_of).panel(indicator)
    final = panel.final_through
    last = to_month(through or final)
    first = to_month(earliest or last - (SPAN - 1) * ONE_MONTH)
    end = to_month(latest or last - REST * ONE_MONTH)
    window = np.arange(first, end + ONE_MONTH)
    lead = first - LEAD * ONE_MONTH
    # A narrower window reads no fewer counts.
    begin = min(lead, last - (LEAD + SPAN - 1) * ONE_MONTH)
    begin = max(begin, panel.month_grid[0])
    if lead < panel.month_grid[0] or last > panel.last_month:
        raise ScenarioError(
            f"counts are needed from {lead} to {last}, and they are from "
            f"{panel.month_grid[0]} to {panel.last_month}",
            hint=f"earliest needs {LEAD} months of counts before it",
        )
    if window.size < SHORTEST or end >= last:
        raise ScenarioError(
            f"latest is {end}, allowed: a year after {first} or later, and before {last}"
        )
    change = Intervention(
        "change",
        Normal(0.0, SIZE_SD),
        onset=(str(first), str(end)),
        ramp=Uniform(*RAMP),
        spread=Fixed(0.0),
        direction=direction,
    )
    notes = []
    months = panel.monthly[None]
    if last > final:
        months = completed(panel, IMPUTED, seed=seed)
        notes.append(
            f"Counts after {month_name(final)} are not final. Deaths that are still missing "
            f"were added in {IMPUTED} ways, and the results averaged."
        )
    span = (panel.month_grid >= begin) & (panel.month_grid <= last)
    name, members = _members(location, panel)
    rows = {s: months[:, panel.index(s), span] for s in members if s in panel.locations}
    counts = {s: row for s, row in rows.items() if np.isfinite(row).all()}
    if len(counts) < len(members):
        absent = [called(s) for s in members if s not in counts]
        notes.append(f"Left out, for months without a count: {', '.join(absent)}.")
    deaths = np.sum(list(counts.values()), axis=0)
    if deaths.min() < FEWEST:
        raise ScenarioError(
            f"{called(name)} has a month without a count from {begin} to {last}, or with fewer "
            f"than {FEWEST:g} {deaths_of(panel.indicator)}: too few to date a change",
            hint="name more places, which are added, or a census region",
        )
    weights, falls = weigh_months(
        change, panel.month_grid[span], deaths=deaths, n_months=window.size
    )
    some = float(weights.sum())
    return Onset(
        name,
        tuple(counts),
        indicator=panel.indicator,
        release=panel.release,
        direction=direction,
        months=window,
        posterior=weights / some,
        # From even odds between none and a change in one of the months.
        bayes_factors=weights * window.size / (1.0 - some),
        none=1.0 - some,
        falls=falls / some,
        counts=(begin, last),
        notes=tuple(notes),
    )


def _members(
    location: str | Sequence[str], panel: Panel
) -> tuple[str, tuple[str, ...]]:
    """What a location is called, and the places whose deaths are added."""
    labels: list[str] = []
    codes: list[str] = []
    for name in [location] if isinstance(location, str) else location:
        region = name.strip().title()
        is_region = region in REGIONS
        members = parts_of(region) if is_region else resolve(name, panel.locations)
        labels += [region] if is_region else members
        codes += members
    places = tuple(dict.fromkeys(codes))
    if len(places) > 1 and NATION in places:
        raise ScenarioError("the US includes the other places", hint="leave one out")
    return "+".join(dict.fromkeys(labels)), places


def weigh_months(
    change: Intervention,
    months: Months,
    deaths: Floats,
    n_months: int,
    grid: Grid = CALM,
) -> tuple[Floats, float]:
    """Probabilities of a change in each month, and of a fall, from even odds.

    Means over the completions of the counts (K, T).
    """
    numbers = np.full((n_months * RAMPS, len(STREAMS)), 0.5)
    onsets, ramps = ((np.arange(n) + 0.5) / n for n in (n_months, RAMPS))
    numbers[:, STREAMS.index("onset")] = np.repeat(onsets, RAMPS)
    numbers[:, STREAMS.index("ramp")] = np.tile(ramps, n_months)
    estimator = Estimator(months, change, locations=1, numbers=numbers, grid=grid)
    weights = []
    falls = []
    for row in deaths:
        posterior = estimator.posterior(row[None])
        some = 1.0 / (1.0 + posterior.bayes_factor())
        in_month = posterior.timing_weights().reshape(n_months, RAMPS).sum(axis=1)
        weights.append(some * in_month)
        falls.append(some * posterior.cdf(0.0))
    return np.mean(weights, axis=0), float(np.mean(falls))
