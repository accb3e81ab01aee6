"""When death counts would show that a scenario does what it is there for: one criterion for all.

A brief, the answer of a projection and the clock ask :func:`detection`, and print its sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from odforecast.errors import ScenarioError
from odforecast.geography import called, code_of
from odforecast.names import INDICATOR_NAMES
from odforecast.panel import Floats, Panel
from odforecast.say import capital, chance, deaths_of, month_name
from odforecast.scenario.apply import share_name, share_tables
from odforecast.scenario.clock import Clock, aim, even_odds
from odforecast.scenario.grammar import ALL
from odforecast.scenario.intervention import NATION, Intervention
from odforecast.scenario.past import felt_by
from odforecast.scenario.worlds import World, Worlds, worlds_of

#: How sure somebody must be who began with even odds, and in what share of the worlds.
SURE = 0.8
SHARE = 2.0 / 3.0
#: Changes of deaths in percent whose chances are worked out, and months of counts after the onset.
SIZES = (0, 10, 20, 30, 40)
#: A size is left out whose prior chance, or that of more, is below this.
UNLIKELY = 0.02
AFTER = (12, 18, 24, 36, 60)
#: Months of counts at which the month is looked for, on the line between them.
CHECKED = (6, 9, 12, 15, 18, 21, 24, 30, 36, 42, 48, 54, 60)
#: Simulated worlds of each kind, and draws of the deaths that arrive late.
WORLDS = 200
COMPLETIONS = 4
#: One seed for all, so that products with seeds of their own agree.
SEED = 1
CRITERION = (
    "Counts show it once somebody who began with even odds would be at least 80% sure that it "
    "{does}, in two of three simulations in which it {does}."
)


NOT_WITHIN = "not within five years"


@dataclass(frozen=True, eq=False)
class Detection:
    """When counts would show that an intervention does what it is there for.

    Attributes
    ----------
    intervention : Intervention
    indicator : str
        Whose deaths are counted: those that it changes, ``"T40.4"``, where there are counts.
    location : str
        CDC code of where; the states are read beside the nation.
    month : datetime64[M] or None
        Last month of the first counts that would show it, by :data:`CRITERION`; None: not within
        five years of the onset.
    known : datetime64[M]
        Last month of the counts that were read.
    course : DataFrame
        Chance that counts show it if it works (``chance``), by ``months`` of counts.
    chances : DataFrame
        Chance that counts show it (``chance``), by the change of deaths in percent at full
        strength (``size``; 0: it does nothing, so that the chance is that of a false alarm), and
        months of counts since the onset (``months``).
    """

    intervention: Intervention
    indicator: str
    location: str
    month: np.datetime64 | None
    known: np.datetime64
    course: pd.DataFrame
    chances: pd.DataFrame

    @property
    def series(self) -> str:
        """The series, in short: ``"T40.4, nation and states"``."""
        return label_of(self.indicator, self.location)

    @property
    def counted(self) -> str:
        """The series, in words."""
        place = "the nation and the states"
        if self.location != NATION:
            place = called(self.location)
        return f"{deaths_of(self.indicator)} in {place}"

    @property
    def criterion(self) -> str:
        """The criterion, in a sentence."""
        does = "raises deaths" if self.intervention.rises else "works"
        return CRITERION.format(does=does)

    @property
    def short(self) -> str:
        """The month, or that there is none, for a cell of a table."""
        if self.month is None:
            return capital(NOT_WITHIN)
        return month_name(self.month)

    def to_dict(self) -> dict[str, Any]:
        """All of it, plain."""
        return {
            "series": self.series,
            "month": None if self.month is None else str(self.month),
            "known": str(self.known),
            "criterion": self.criterion,
            "course": self.course.to_dict("records"),
            "chances": self.chances.to_dict("records"),
        }

    def text(self, criterion: bool = True) -> str:
        """When counts would show it, of which series, and what that means."""
        does = "raises deaths" if self.intervention.rises else "works"
        when = f"would not show whether it {does} within five years of the onset"
        if self.month is not None and self.month <= self.known:
            when = f"to {month_name(self.known)} show such a change, whatever its cause"
        elif self.month is not None:
            when = (
                f"would show whether it {does} once {month_name(self.month)} is counted, about "
                "five months later"
            )
        elif len(self.course):
            when += f" (probability {chance(self.course['chance'].max())})"
        sentence = f"Counts of {self.counted} {when}."
        return f"{sentence} {self.criterion}" if criterion else sentence

    @property
    def soonest(self) -> dict[int, int | None]:
        """Months after which two of three simulations show a change of a size; None: none does."""
        sizes = {}
        for size, rows in self.chances.groupby(self.chances["size"].abs()):
            months = rows.loc[rows["chance"] >= SHARE, "months"]
            sizes[int(size)] = None if months.empty else int(months.min())
        sizes.pop(0, None)
        return sizes

    @property
    def highest(self) -> float:
        """The highest chance of a size that would not show within five years."""
        never = [size for size, months in self.soonest.items() if months is None]
        rows = self.chances["size"].abs().isin(never)
        return float(self.chances.loc[rows, "chance"].max())

    def by_size(self) -> str:
        """How soon counts would show a change of each size, in a sentence; empty of no size."""
        parts: list[str] = []
        never = []
        for size, months in self.soonest.items():
            if months is None:
                never.append(size)
            else:
                parts.insert(0, f"{size}% within {months} months")
        if never:
            less = " or less" if len(never) > 1 else ""
            parts.append(
                f"{max(never)}%{less} {NOT_WITHIN} (at most {chance(self.highest)} likely)"
            )
        noun = "rise" if self.intervention.rises else "fall"
        if not parts:
            return ""
        return f"By size of the {noun} at full strength: {', '.join(parts)}."


def detection(
    x: Intervention,
    panel: Panel,
    location: str = NATION,
    *,
    exposures: Mapping[str, Mapping[str, float]] | None = None,
) -> Detection:
    """When counts would show that an intervention does what it is there for.

    Parameters
    ----------
    x : Intervention
        With its onset.
    panel : Panel
        Of all drugs, with the class of the scope beside it, or of that class. Without counts of
        the class, those of all drugs are read.
    location : str
        Where it is looked for. What all states feel alike shows best in the nation's counts, so
        these are read wherever the panel has them.
    exposures : mapping of str to (mapping of str to float), optional
        Tables of shares by name, as for :func:`odforecast.project`.

    Raises
    ------
    ScenarioError, PanelError
        If there are too few counts, or none of the location.
    """
    code = code_of(location)
    if x.national and NATION in panel.locations:
        code = NATION
    tables = share_tables(panel, exposures)
    felt = felt_by(x, panel, tables=tables)
    counts = panel.beside.get(x.scope, panel)
    scope = x.scope
    if scope != ALL and counts.indicator != INDICATOR_NAMES.get(scope):
        counts, felt, scope = panel, felt_in_all(x, felt, tables), ALL
    clock = Clock(x, code, archive=None, series=(), seed=SEED)
    reading = clock.reading(counts, felt, draws=COMPLETIONS)
    posteriors = clock.posteriors(reading, until=reading.months[-1])
    worlds = worlds_of(clock, reading, posteriors)
    month, course = when_known(clock, worlds)
    sizes = chances_by_size(clock, worlds)
    return Detection(x, scope, code, month, worlds.last, course=course, chances=sizes)


def felt_in_all(
    x: Intervention,
    felt: Mapping[str, float],
    tables: Mapping[str, Mapping[str, float]],
) -> dict[str, float]:
    """Exposures of all overdose deaths to what moves those of a class."""
    shares = tables.get(share_name(x.scope))
    if shares is None:
        raise ScenarioError(
            f"{x.name}: there are no counts of {x.scope}, and no share of them in all deaths"
        )
    kept = 1.0 - x.replaced.mean
    return {
        place: exposure * shares.get(place, 1.0) * kept
        for place, exposure in felt.items()
    }


def label_of(scope: str, code: str) -> str:
    """What is read, in words."""
    where = "nation and states" if code == NATION else called(code)
    return f"{'all drugs' if scope == ALL else scope}, {where}"


def when_known(
    clock: Clock, worlds: Worlds
) -> tuple[np.datetime64 | None, pd.DataFrame]:
    """Last month of the first counts that show it by the criterion, and how likely each is to."""
    drawn = worlds.draw(1 if clock.x.rises else -1, WORLDS)
    since = int((worlds.last - clock.x.onset[0]).astype(int)) + 1
    checked = months_checked(clock, worlds, CHECKED)
    if since > 0:
        checked.insert(0, since)
    shares = []
    for k in checked:
        sure = sureness(clock, worlds, drawn, k=k)
        shares.append(float((sure >= SURE).mean()))
    k_known = first_above(checked, shares, SHARE)
    month = None if k_known is None else clock.month(k_known)
    return month, pd.DataFrame({"months": checked, "chance": shares})


def chances_by_size(clock: Clock, worlds: Worlds) -> pd.DataFrame:
    """Chance that counts show it, by size and months of counts."""
    sign = 1 if clock.x.rises else -1
    checked = months_checked(clock, worlds, AFTER)
    rows = []
    for size in SIZES:
        beta = float(np.log1p(sign * size / 100))
        # A size that the prior all but excludes is no question about this intervention.
        z = (beta - clock.prior.mean) / clock.prior.sd
        if size and ndtr(-sign * z) < UNLIKELY:
            continue
        drawn = worlds.draw(beta, WORLDS)
        for k in checked:
            sure = sureness(clock, worlds, drawn, k=k)
            rows.append((sign * size, k, float((sure >= SURE).mean())))
    return pd.DataFrame(rows, columns=["size", "months", "chance"])


def sureness(clock: Clock, worlds: Worlds, drawn: Sequence[World], k: int) -> Floats:
    """Chance from even odds that it does what it is there for, in each world after k months."""
    n = worlds.index(clock.month(k))
    odds = even_odds(clock.x)
    wanted = aim(clock.x)
    chances = [clock.chances(p, odds)[wanted] for p in worlds.read(drawn, n)]
    return np.array(chances)


def months_checked(clock: Clock, worlds: Worlds, months: Sequence[int]) -> list[int]:
    """Months since the onset that are still to come."""
    return [k for k in months if clock.month(k) > worlds.last]


def first_above(
    checked: Sequence[int], values: Sequence[float], level: float
) -> int | None:
    """First month at a level, on the line between the months that are read."""
    earlier: tuple[int, float] | None = None
    for k, value in zip(checked, values):
        if value >= level:
            if earlier is None:
                return k
            k_before, value_before = earlier
            part = (level - value_before) / max(value - value_before, 1e-9)
            return int(np.ceil(k_before + part * (k - k_before) - 1e-9))
        earlier = (k, value)
    return None
