"""A clock for a scenario that has begun: the chances now that it works, and when we will know.

:mod:`odforecast.scenario.clock` reads the releases, :mod:`odforecast.scenario.worlds` what is to
come. What a clock says is a change after a date, whatever its cause.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import ScenarioError, whole
from odforecast.geography import NATION, called, code_of
from odforecast.models import Model, get_model
from odforecast.months import ONE_MONTH
from odforecast.say import card, chance, day_name, deaths_of, month_name, steady
from odforecast.scenario.clock import THREE, Clock
from odforecast.scenario.intervention import Intervention, Scenario
from odforecast.scenario.past import WHATEVER
from odforecast.scenario.series import Series
from odforecast.scenario.worlds import NOT_WITHIN, SURE, WORLDS, Worlds

if TYPE_CHECKING:
    from odforecast.vintage.archive import Archive

#: What must be said of months ahead.
BEYOND = (
    "Forecasts more than 12 months ahead have not been tested against real outcomes, and the "
    "expected course rests on them."
)


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

    def to_frame(self) -> pd.DataFrame:
        """Past and expected chances in one table, tidy.

        Returns
        -------
        DataFrame
            ``kind`` (``"so far"``, ``"if it works"``, ``"if it does not"``), ``release`` (text;
            empty where expected), ``month``, ``works``, ``nothing``, ``backfires``.
        """
        past = self.chances.assign(
            kind="so far", release=[_day(x) for x in self.chances["release"]]
        )
        kinds = {"works": "if it works", "does not work": "if it does not"}
        ahead = self.expected.assign(kind=self.expected["world"].map(kinds), release="")
        names = ["kind", "release", "month", *THREE]
        parts = [part[names] for part in (past, ahead) if len(part)]
        return pd.concat(parts, ignore_index=True)

    def to_json(self) -> str:
        """All of it as JSON."""
        chances = self.chances.assign(release=[_day(x) for x in self.chances["release"]])
        plain = {
            "scenario": self.scenario,
            "intervention": self.intervention.name,
            "onset": [str(m) for m in self.intervention.onset],
            "location": self.location,
            "indicator": self.indicator,
            "chances": _records(chances),
            "expected": _records(self.expected),
            "sure": SURE,
            "sure_month": _month(self.sure_month),
            "sure_from_even_odds": _month(self.sure_from_even_odds),
            "value_of_information": _records(self.value_of_information),
            "notes": list(self.notes),
            "reminder": WHATEVER,
        }
        return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"

    def text(self) -> str:
        """The chances, when we will know, what would help, and what it is not."""
        now, first = self.now, dict(self.chances.iloc[0])
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
        for world, words in (("works", "If it works"), ("does not work", "If it does not")):
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
        lines.append(self._sure)
        return [*lines, BEYOND]

    @property
    def _assumed(self) -> bool:
        works = float(self.chances["works"].iloc[0])
        return max(works, 1.0 - works) >= SURE

    @property
    def _sure(self) -> str:
        """When we expect to be sure; where the prior is, somebody who began with even odds."""
        who, never, month = "We expect to", "We do not expect to", self.sure_month
        if self._assumed:
            who = "Somebody who began with even odds would"
            never, month = f"{who} not", self.sure_from_even_odds
        if month is None:
            return f"{never} be 80% sure whether it works within five years of the onset."
        return (
            f"{who} be 80% sure whether it works with counts to {month_name(month)}, which are "
            "published about five months later."
        )

    def _helps(self) -> list[str]:
        """Which series would bring that month forward."""
        table = self.value_of_information
        if table.empty:
            return []
        rows = table.to_dict("records")
        parts = []
        for row in rows:
            month = row["sure_month"]
            sure = "80% not within five years" if month == NOT_WITHIN else f"80% by {month}"
            parts.append(f"{row['series']}: {row['sure']:.0%} ({sure})")
        return [
            f"How sure other counts would leave somebody who began with even odds, after "
            f"{rows[0]['at']} months: {'; '.join(parts)}."
        ]


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
    seed, draws = whole("seed", seed, 0, ScenarioError), whole("draws", draws, 2, ScenarioError)
    name, x = only(scenario)
    newest = archive.as_of(archive.last_seen)
    x = x.at(str(np.datetime64(newest.date, "M") + ONE_MONTH))
    clock = Clock(x, code_of(location), archive, _listed(series, x.onset[0]), seed)
    rows, last = clock.so_far()
    worlds = Worlds(clock, newest, last, model or get_model(), draws)
    found = worlds.read()
    return Track(
        x, name, clock.code, clock.indicator, pd.DataFrame(rows), found.expected, found.sure_month,
        found.sure_from_even_odds, found.value, (*clock.notes, *worlds.notes),
    )  # fmt: skip


def only(scenario: Scenario | Intervention) -> tuple[str, Intervention]:
    """Name and intervention of what a clock is kept of.

    Raises
    ------
    ScenarioError
        If a scenario has no intervention, or several.
    """
    if isinstance(scenario, Intervention):
        return scenario.name, scenario
    if len(scenario.interventions) != 1:
        raise ScenarioError(
            f"{scenario.name} has {len(scenario.interventions)} interventions, allowed in a clock: "
            "one",
            hint="put each into a scenario of its own: one clock cannot say which of them worked",
        )
    return scenario.name, scenario.interventions[0]


def _listed(series: Series | Sequence[Series] | None, onset: np.datetime64) -> tuple[Series, ...]:
    given = () if series is None else (series,) if isinstance(series, Series) else tuple(series)
    return tuple(one.measured(onset) for one in given)


def _three(row: Mapping[str, Any]) -> str:
    """The three chances in words."""
    return (
        f"{chance(row['works'])} that it works, {chance(row['nothing'])} that it does nothing, "
        f"{chance(row['backfires'])} that it backfires"
    )


def _month(month: np.datetime64 | None) -> str | None:
    return None if month is None else str(month)


def _day(stamp: Any) -> str:
    return "" if pd.isna(stamp) else f"{stamp:%Y-%m-%d}"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain values; what is not a number is null."""
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=6))
    return rows
