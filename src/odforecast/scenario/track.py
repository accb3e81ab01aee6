"""A clock for a scenario that has begun: the chances now that it works, and when we will know.

:mod:`odforecast.scenario.clock` reads the releases, :mod:`odforecast.scenario.worlds` draws what is
to come from the same posterior, and :mod:`odforecast.scenario.detection` says when counts would
show it. Beside the event, the same clock is set for every month up to a year earlier and later.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from odforecast.errors import OdforecastError, ScenarioError, whole
from odforecast.geography import NATION, called, code_of
from odforecast.months import ONE_MONTH, Months
from odforecast.panel import Floats, Panel
from odforecast.say import card, chance, day_name, deaths_of, month_name, steady
from odforecast.scenario.apply import share_tables
from odforecast.scenario.clock import READS, THREE, Clock, Series, aim
from odforecast.scenario.detection import (
    CHECKED,
    COMPLETIONS,
    NOT_WITHIN,
    SURE,
    Detection,
    detection,
    felt_in_all,
    label_of,
    months_checked,
    when_known,
)
from odforecast.scenario.effects import NEGLIGIBLE
from odforecast.scenario.grammar import ALL
from odforecast.scenario.intervention import Intervention, Scenario
from odforecast.scenario.past import WHATEVER
from odforecast.scenario.worlds import World, worlds_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from odforecast.vintage.archive import Archive
    from odforecast.vintage.vintage import Vintage

#: Simulated worlds of each kind.
WORLDS = 40
#: Months of counts at which series are compared.
COMPARED = 24
#: Draws of the deaths that arrive late at each placebo date.
PLACEBO = 2
#: Placebo dates lie so many months around the onset at most, and are read at so many months.
AROUND = 12
CUTS = 6
#: Fewest placebo dates of which a rank says anything.
FEWEST_DATES = 3
#: What must be said of months ahead.
BEYOND = (
    "The expected course is simulated: it assumes that counts vary by themselves as they did in "
    "the past. More than 12 months ahead it has not been tested against real outcomes."
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
_VALUE = ["series", "read", "sure_month", "months_earlier", "at", "sure"]
_PLACEBO = ["onset", "month", *THREE, "event"]


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
        (probabilities, float), ``late_sd`` (sd of ``works`` from the deaths that arrive late). Of
        a what-if they are those of somebody who began with even odds.
    expected : DataFrame
        Where the chances are expected to go: ``month``, ``months_since`` (months of counts since
        the onset), ``world`` (``"works"`` or ``"does not work"``), the mean ``works``,
        ``nothing``, ``backfires``, and the 10 and 90% quantiles of the chance of what it is there
        for, ``works_q10``, ``works_q90``, over ``worlds``.
    detection : Detection
        When counts would show that it works, by one criterion for every scenario and product.
    placebo : DataFrame
        What the same clock says for an event in another month, each on the counts of the newest
        release, cut at some months and whole: ``onset``, ``month`` (last month of deaths that is
        read), ``works``, ``nothing``, ``backfires``, and ``event`` (whether it is the onset
        itself). Empty before there are counts since the onset.
    value_of_information : DataFrame
        What other counts would say: ``series``, ``read`` (whether the clock reads it),
        ``sure_month`` (text) by the criterion of ``detection``, ``months_earlier`` (than the
        first; NaN where either is not within five years), and ``sure``: in how many
        of the worlds in which it works somebody who began with even odds is 80% sure that it
        does, ``at`` so many months of counts.
    notes : tuple of str
    """

    intervention: Intervention
    scenario: str
    location: str
    indicator: str
    chances: pd.DataFrame
    expected: pd.DataFrame
    detection: Detection
    placebo: pd.DataFrame
    value_of_information: pd.DataFrame
    notes: tuple[str, ...] = ()

    @steady
    def __repr__(self) -> str:
        return card(
            f"Track: {self.scenario} ({self.onset}) in {called(self.location)}, {self.indicator}",
            self._now,
            self.detection.text(),
            WHATEVER,
            "next: print(track), .plot(), .chances, .expected, .placebo, .detection.chances",
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
    def sure_month(self) -> np.datetime64 | None:
        """Last month of the first counts that would show that it works; None: not in five years."""
        return self.detection.month

    @property
    def aim(self) -> str:
        """Column of the chance of what it is there for."""
        return THREE[aim(self.intervention)]

    @property
    def does(self) -> str:
        """What it is there for: ``"works"`` or ``"raises deaths"``."""
        return "raises deaths" if self.intervention.rises else "works"

    @property
    def dates(self) -> pd.DataFrame:
        """The newest row of every date of :attr:`placebo`, and its ``rank``, the highest first."""
        newest = self.placebo.groupby("onset").tail(1)
        return newest.assign(rank=newest[self.aim].rank(method="min", ascending=False))

    @property
    def rank(self) -> tuple[int, int] | None:
        """Place of the event among all dates, the highest chance first, and their number."""
        dates = self.dates
        if len(dates) <= FEWEST_DATES:
            return None
        return int(dates.loc[dates["event"].astype(bool), "rank"].item()), len(dates)

    @property
    def _dated(self) -> pd.DataFrame:
        """The chances, with releases as texts; empty for the prior."""
        days = self.chances["release"].dt.strftime("%Y-%m-%d").fillna("")
        return self.chances.assign(release=days)

    def to_frame(self) -> pd.DataFrame:
        """Past and expected chances, and those of other dates, in one table, tidy.

        Returns
        -------
        DataFrame
            ``kind`` (``"so far"``, ``"if it works"``, ``"if it does not"``, ``"another date"``),
            ``onset``, ``release`` (text; empty where expected), ``month`` (last month of counts),
            ``works``, ``nothing``, ``backfires``.
        """
        kinds = dict(zip(_WORLDS, ("if it works", "if it does not")))
        ahead = self.expected.assign(kind=self.expected["world"].map(kinds), release="")
        dates = self.placebo[~self.placebo["event"].astype(bool)]
        dates = dates.assign(kind="another date", release="")
        so_far = self._dated.assign(kind="so far")
        parts = [
            table.assign(onset=table.get("onset", str(self.onset)))
            for table in (so_far, ahead, dates)
        ]
        names = ["kind", "onset", "release", "month", *THREE]
        parts = [part[names] for part in parts]
        return pd.concat([part for part in parts if len(part)], ignore_index=True)

    def to_json(self) -> str:
        """All of it as JSON."""
        plain = {
            "scenario": self.scenario,
            "intervention": self.intervention.name,
            "what_if": self.intervention.is_what_if,
            "onset": [str(month) for month in self.intervention.onset],
            "location": self.location,
            "indicator": self.indicator,
            "chances": _records(self._dated),
            "expected": _records(self.expected),
            "sure": SURE,
            "detection": self.detection.to_dict(),
            "placebo": _records(self.placebo),
            "rank": self.rank,
            "value_of_information": _records(self.value_of_information),
            "notes": list(self.notes),
            "reminder": WHATEVER,
        }
        return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"

    def text(self) -> str:
        """The chances, other dates, when we will know, what would help, and what it is not."""
        newest = self.now
        counts = "No counts since the onset have been published yet."
        if len(self.chances) > 1:
            counts = (
                f"Counts through {month_name(newest['month'])}, from the release of "
                f"{day_name(pd.Timestamp(newest['release']).date())}."
            )
        lines = [
            f"{self.scenario} (onset {month_name(self.onset)}), {called(self.location)}, "
            f"{deaths_of(self.indicator)}. {counts}",
            self._now,
            *self._dates(),
            *self._ahead(),
            self.detection.text(),
            self.detection.by_size(),
            *self._helps(),
            *self.notes,
            WHATEVER,
        ]
        return "\n".join(filter(None, lines))

    def brief_line(self) -> str:
        """One line for a brief."""
        parts = [
            f"{self.scenario}, counts through {month_name(self.now['month'])}: {self._now}",
            *self._dates(),
            self.detection.text(),
            WHATEVER,
        ]
        return " ".join(parts)

    @property
    def _now(self) -> str:
        """The three chances, and what they were before any counts."""
        prior = dict(self.chances.iloc[0])
        begun = len(self.chances) > 1
        if self.intervention.is_what_if:
            text = (
                "No probability is attached to this what-if: belief in a scenario file gives "
                "one."
            )
            if begun:
                text += (
                    " Somebody who began with even odds would now give it "
                    f"{_three(self.now)}."
                )
            return text
        if not begun:
            return f"Before any counts: {_three(prior)}."
        return (
            f"The chances now: {_three(self.now)}. Before any counts: {_three(prior)}."
        )

    def _dates(self) -> list[str]:
        """The same statement for other dates, and the rank of this one."""
        if self.rank is None:
            return []
        rank, n = self.rank
        dates = self.dates
        values = dates[self.aim]
        first, last = map(month_name, dates["onset"].iloc[[0, -1]])
        place = "highest" if rank == 1 else f"{ordinal(rank)} highest"
        return [
            f"On the same counts, an event in any month from {first} to {last} would get "
            f"{chance(values.min())} to {chance(values.max())}. The chance for "
            f"{month_name(self.onset)} is the {place} of {n} dates."
        ]

    def _ahead(self) -> list[str]:
        """Where the chances are expected to go."""
        if self.expected.empty:
            return [
                "The clock has run out: it reads five years of counts after the onset."
            ]
        does = self.does
        odds = " from even odds" if self.intervention.is_what_if else ""
        lines = []
        for world, words in zip(_WORLDS, (f"If it {does}", "If it does not")):
            rows = self.expected[self.expected["world"] == world]
            if rows.empty:
                continue
            near = rows.iloc[(rows["months_since"] - 24).abs().to_numpy().argmin()]
            end = rows.iloc[-1]
            lines.append(
                f"{words}, the chance{odds} that it {does} is expected to be "
                f"{chance(near[self.aim])} with counts to {month_name(near['month'])} and "
                f"{chance(end[self.aim])} with counts to {month_name(end['month'])}."
            )
        return [*lines, BEYOND]

    def _helps(self) -> list[str]:
        """Which series would bring that month forward."""
        parts = []
        for row in self.value_of_information.to_dict("records"):
            month = row["sure_month"]
            sure = month if month == NOT_WITHIN else f"by {month_name(month)}"
            parts.append(f"{row['series']}: {chance(row['sure'])} ({sure})")
        if len(parts) < 2:
            return []
        months = self.value_of_information["at"].iloc[0]
        return [
            f"Chance that counts show it after {months} months if it is so, by what is read: "
            f"{'; '.join(parts)}."
        ]

    def plot(self, axes: Axes | None = None) -> Axes:
        """The chance with each release and at other dates; see :func:`odforecast.plot.chances`."""
        from odforecast.plot import chances

        return chances(self, axes=axes)


def ordinal(number: int) -> str:
    """A rank.

    >>> [ordinal(n) for n in (2, 3, 9, 11, 21, 22)]
    ['2nd', '3rd', '9th', '11th', '21st', '22nd']
    """
    endings = {1: "st", 2: "nd", 3: "rd"}
    ending = "th" if number in (11, 12, 13) else endings.get(number % 10, "th")
    return f"{number}{ending}"


def _records(table: pd.DataFrame) -> Any:
    """Rows of a table for JSON; pandas writes what is not a number as null."""
    return json.loads(table.to_json(orient="records", double_precision=6))


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
    placebo: bool | Literal["newest"] = True,
    draws: int = WORLDS,
    seed: int = 1,
) -> Track:
    """What the counts say so far of a scenario that has begun, and when they will say more.

    Parameters
    ----------
    scenario : Scenario or Intervention
        With one intervention. An open onset is the month after the newest release. Of a what-if
        the clock says what somebody would think who began with even odds.
    archive : Archive
        Every release since the onset is read as it was on its day.
    location : str
        One location, by any of its names.
    series : Series or sequence of Series, optional
        Series of one's own that the clock reads beside the counts.
    placebo : bool or "newest"
        Whether the clock is also set for the 12 months before and after the onset, on the newest
        release. This takes about a minute; ``"newest"``, the newest counts alone, is faster.
    draws : int
        Simulated worlds in which it works, and as many in which it does not.
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
    rows, _ = clock.so_far()
    ahead = Ahead(clock, newest, draws=draws)
    chances = pd.DataFrame(rows)
    dates = pd.DataFrame(columns=_PLACEBO)
    if placebo and len(rows) > 1:
        dates = ahead.placebo(chances.iloc[-1], course=placebo is True)
    best = detection(x, newest.panel(), clock.code)
    return Track(
        x,
        name,
        clock.code,
        clock.indicator,
        chances,
        ahead.expected(),
        best,
        dates,
        ahead.value_of_information(best),
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


# ------------------------------------------------------------------------------ the newest release


class Ahead:
    """The newest release of a clock: where its chances should go, and what other dates get."""

    def __init__(self, clock: Clock, vintage: Vintage, draws: int) -> None:
        self.clock = clock
        self.vintage = vintage
        self.draws = draws
        self.panel: Panel = vintage.panel(clock.indicator)
        self.felt = clock.felt(vintage)
        reading = clock.reading(self.panel, self.felt)
        until = np.datetime64(vintage.date, "M") - ONE_MONTH
        posteriors = clock.posteriors(reading, until=until)
        #: The user's series as they are known today.
        self.series = tuple(
            item.until(until) for item in clock.series if item.months[0] <= until
        )
        self.worlds = worlds_of(clock, reading, posteriors, self.series)
        self.now = np.mean([clock.chances(p) for p in posteriors], axis=0)

    def expected(self) -> pd.DataFrame:
        """Mean chances in worlds in which it works, and in which it does not."""
        clock = self.clock
        worlds = self.worlds
        since = int((worlds.last - clock.x.onset[0]).astype(int)) + 1
        months = sorted({max(since + 1, 1), *CHECKED})
        checked = [k for k in months_checked(clock, worlds, months) if k <= READS]
        rows = []
        for world, drawn in self.arms().items():
            for k in checked:
                n = worlds.index(clock.month(k))
                values = np.array([clock.chances(p) for p in worlds.read(drawn, n)])
                low, high = np.quantile(values[:, aim(clock.x)], [0.1, 0.9])
                means = values.mean(axis=0)
                month = str(clock.month(k))
                rows.append((month, k, world, *means, low, high, len(drawn)))
        return pd.DataFrame(rows, columns=_EXPECTED)

    def arms(self) -> dict[str, list[World]]:
        """Worlds of both kinds; none of what has no chance today."""
        kinds = (-1, 0, 1)
        wanted = aim(self.clock.x)
        arms = {"works": self.worlds.draw(kinds[wanted], self.draws)}
        rest = self.now.copy()
        rest[wanted] = 0.0
        if rest.sum() > NEGLIGIBLE:
            last = 2 - wanted
            n = round(self.draws * rest[last] / rest.sum())
            others = self.worlds.draw(0, self.draws - n)
            arms["does not work"] = [*others, *self.worlds.draw(kinds[last], n)]
        if self.now[wanted] <= NEGLIGIBLE:
            del arms["works"]
        return arms

    def placebo(self, newest: pd.Series, course: bool) -> pd.DataFrame:
        """The chances of the same counts for onsets up to a year earlier and later."""
        x = self.clock.x
        first = x.onset[0] + (1 - AROUND) * ONE_MONTH
        step = int(np.ceil((self.worlds.last - first).astype(int) / CUTS))
        end = self.worlds.last if course else first
        cuts = np.arange(first, end, max(step, 1) * ONE_MONTH)
        rows = []
        for months in range(-AROUND, AROUND + 1):
            onset = tuple(month + months * ONE_MONTH for month in x.onset)
            for month, chances in self._at(replace(x, onset=onset), cuts):
                rows.append((str(onset[0]), str(month), *chances, months == 0))
        table = pd.DataFrame(rows, columns=_PLACEBO)
        own = table["event"] & (table["month"] == newest["month"])
        table.loc[own, list(THREE)] = [float(newest[name]) for name in THREE]
        return table

    def _at(
        self, x: Intervention, cuts: Months
    ) -> Iterator[tuple[np.datetime64, Floats]]:
        """The chances for an onset at each month; none where it has no counts, or too few."""
        clock = Clock(x, self.clock.code, None, self.series, seed=self.clock.seed)
        try:
            reading = clock.reading(self.panel, self.felt, draws=PLACEBO)
        except OdforecastError:
            return
        last = reading.months[-1]
        for month in [*cuts[cuts < last], last]:
            if month < x.onset[0]:
                continue
            counts = reading.until(int((month - reading.months[0]).astype(int)) + 1)
            posteriors = clock.posteriors(counts, until=month)
            yield month, np.mean([clock.chances(p) for p in posteriors], axis=0)

    def value_of_information(self, best: Detection) -> pd.DataFrame:
        """How soon other counts would show it: all drugs, the best there are, and those read."""
        clock = self.clock
        x = clock.x
        known: dict[str, tuple[np.datetime64 | None, pd.DataFrame]] = {}
        if x.scope != ALL:
            every = self.vintage.panel()
            felt = felt_in_all(x, self.felt, share_tables(every))
            bare = Clock(x, clock.code, None, (), seed=clock.seed)
            reading = bare.reading(every, felt, draws=COMPLETIONS)
            posteriors = bare.posteriors(reading, until=reading.months[-1])
            worlds = worlds_of(bare, reading, posteriors)
            known[label_of(ALL, clock.code)] = when_known(bare, worlds)
        known[best.series] = best.month, best.course
        label = label_of(x.scope, clock.code)
        if clock.series:
            label += f", with {', '.join(item.name for item in clock.series)}"
        if label not in known:
            known[label] = when_known(clock, self.worlds)
        first = next(iter(known.values()))[0]
        since = int((self.worlds.last - x.onset[0]).astype(int)) + 1
        rows = []
        for name, (month, course) in known.items():
            course = course[course["months"] > since]
            if course.empty:
                continue
            earlier = np.nan
            if first is not None and month is not None:
                earlier = float((first - month).astype(int))
            near = course.iloc[(course["months"] - COMPARED).abs().to_numpy().argmin()]
            text = NOT_WITHIN if month is None else str(month)
            at = int(near["months"])
            rows.append((name, name == label, text, earlier, at, float(near["chance"])))
        return pd.DataFrame(rows, columns=_VALUE)
