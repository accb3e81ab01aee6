"""The page "Cooperation 2023–2026, scored": dated events, and what the counts say of each.

Every number is read from the calendar, from an :class:`~odforecast.scenario.Onset` or from a
:class:`~odforecast.scenario.Track`; the page computes none.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast import plot
from odforecast.errors import ScenarioError
from odforecast.geography import NATION, called
from odforecast.names import indicator_name
from odforecast.report.blocks import PHONE, Block, figure_of, page
from odforecast.report.page import Table, write_page
from odforecast.report.places import HALF
from odforecast.say import chance, day_name, deaths_of, month_name
from odforecast.scenario import Onset, Track, named, track, when
from odforecast.scenario.catalogue import events, prior_judges
from odforecast.scenario.past import WHATEVER
from odforecast.scenario.track import ordinal
from odforecast.version import __version__

if TYPE_CHECKING:
    from odforecast.vintage import Archive

TITLE = "Cooperation 2023–2026, scored"
INDICATOR = "T40.4"
#: Events that have a clock: the named prior, and the first month in which it can have worked.
CLOCKS = {
    "cooperation-resumed": ("cooperation-resumed", "2023-11"),
    "4ap-controlled": ("precursor-scheduling", "2024-09"),
    "busan": ("cooperation-resumed", "2025-11"),
}
#: The event whose clock is drawn.
DRAWN = "cooperation-resumed"
#: Month of the first event in the table of all.
FIRST = np.datetime64("2022-08")
#: Shown where the counts say nothing.
_NONE = "–"
_READING = (
    "“Chance that deaths changed earlier” is the probability that a lasting change in deaths began "
    "in a month before the event. “Works” means that deaths fell after the date, whatever the "
    f"cause. The chance before any counts is the judgment of {prior_judges()}. “Against other "
    "dates” ranks this date among the months up to a year earlier and later. Only the first rank "
    "would single it out."
)
_AGAIN = (
    "odforecast update writes this page with every release. To write it alone: odforecast "
    "scenario when --indicator T40.4 --html cooperation.html"
)


@dataclass(frozen=True, eq=False)
class Scored:
    """What the page reads."""

    #: When deaths changed.
    onset: Onset
    #: The clocks, by the id of their event.
    tracks: Mapping[str, Track]

    def page(self) -> str:
        """The page."""
        onset = self.onset
        rows = events().set_index("id", drop=False).to_dict("index")
        dated = onset.events().set_index("id").to_dict("index")
        # The first line of its text is the place, the deaths and the answer.
        _, evidence, *assumptions = onset.text().splitlines()
        release = day_name(onset.release)
        blocks = [
            Block("dates", "Three dates", [_READING], plain=[self._dates(rows, dated)]),
            Block("unknown", "What cannot be known", self._unknown(rows, dated)),
            Block(
                "releases",
                "The chance with every release",
                plain=[self._releases(rows)],
                folded=True,
            ),
            Block(
                "calendar",
                "All dated events",
                plain=[_calendar(rows, dated)],
                folded=True,
            ),
            Block(
                "sources",
                "Sources of the three dates",
                [f"{rows[key]['event']}: {rows[key]['reference']}" for key in CLOCKS],
                folded=True,
            ),
            Block("made", "How this page is made", [*assumptions, _AGAIN], folded=True),
        ]
        return page(
            title=TITLE,
            subtitle=f"United States, {deaths_of(onset.indicator)}. CDC’s release of {release}.",
            lead=[{"answer": onset.answer, "rest": self._alone()}, evidence],
            pair=self._figures(),
            blocks=blocks,
            made=f"Made with odforecast {__version__} from CDC’s provisional counts of overdose "
            f"deaths (VSRR), release of {release}.",
        )

    def _figures(self) -> list[Block]:
        """When deaths changed, and the clock of one event, side by side."""
        clock = self.tracks[DRAWN]
        drawn = {
            "onset": (
                "When deaths changed",
                lambda axes: plot.onset(self.onset, axes=axes),
            ),
            "clock": (
                "How the chance moved",
                lambda axes: plot.chances(clock, axes=axes),
            ),
        }
        blocks = []
        for key, (title, draw) in drawn.items():
            figure = figure_of(key, draw, [HALF, PHONE])
            blocks.append(Block(f"{key}-part", title, figures=[figure]))
        return blocks

    def _alone(self) -> str:
        """Where the drawn event ranks among other dates."""
        clock = self.tracks[DRAWN]
        if clock.rank is None:
            return ""
        rank, n = clock.rank
        place = "the highest" if rank == 1 else f"only the {ordinal(rank)} highest"
        return (
            f"Of {n} possible dates around {month_name(clock.onset)}, that month has {place} "
            "chance that deaths fell afterward."
        )

    def _unknown(self, rows: Mapping[Any, Any], dated: Mapping[Any, Any]) -> list[str]:
        """What the counts cannot say."""
        rivals = [
            row["event"]
            for key, row in rows.items()
            if row["kind"] == "rival" and key in dated
        ]
        last = month_name(self.onset.counts[1])
        return [
            f"Why deaths changed. {WHATEVER}",
            f"Which of several causes it was. In the same years: {'; '.join(rivals)}.",
            "When a measure really began. Enforcement can begin earlier than an announcement, or "
            "much later.",
            "Whether cooperation works, for somebody who has not seen these counts. The chances "
            "before any counts were set after the fall of 2023.",
            f"What happened after {last}. Later counts are not final yet, so the month of the "
            "change is estimated without them.",
            "Whether Woodside worked, from counts alone. "
            f"{self.tracks[DRAWN].detection.text()}",
        ]

    def _dates(self, rows: Mapping[Any, Any], dated: Mapping[Any, Any]) -> Table:
        """The scored dates: what was claimed, since when, how the chance moved, other dates."""
        last = month_name(self.onset.counts[1])
        cells = []
        for key, clock in self.tracks.items():
            row = rows[key]
            claim = f"{row['changed']}\n{row['source']}, {_days(row['date'])}"
            since = f"Not known yet\nFinal counts end in {last}"
            if key in dated:
                before = dated[key]["before"]
                since = f"{chance(before)}\n{chance(dated[key]['flat'])} without counts"
            cells.append([row["event"], claim, since, _moved(clock), _ranked(clock)])
        return Table(
            (
                "Event",
                "What was announced",
                "Chance that deaths changed earlier",
                "Chance that it works",
                "Against other dates",
            ),
            cells,
        )

    def _releases(self, rows: Mapping[Any, Any]) -> Table:
        """The chance with every release."""
        cells = []
        for key, clock in self.tracks.items():
            for row in clock.chances.to_dict("records"):
                day = row["release"]
                name = "Before any counts" if pd.isna(day) else day_name(day.date())
                counts = _NONE if pd.isna(day) else month_name(row["month"])
                value = _NONE if _what_if(clock) else chance(row[clock.aim], short=True)
                cells.append([rows[key]["event"], name, counts, value])
        return Table(
            ("Event", "Release", "Counts through", "Chance that it works"),
            cells,
            numbers=1,
        )


def check_onset(onset: Onset) -> None:
    """Refuse another place than the nation, and other deaths than those of T40.4."""
    if onset.location != NATION or onset.indicator != indicator_name(INDICATOR):
        raise ScenarioError(
            f"the page is about {INDICATOR} in the US, not {onset.indicator} in "
            f"{called(onset.location)}",
            hint=f"odforecast scenario when --indicator {INDICATOR} --html FILE",
        )


def score_cooperation(
    archive: Archive, *, onset: Onset | None = None, seed: int = 1
) -> Scored:
    """Read when deaths changed, and the clocks of the scored events, from an archive's releases.

    ``onset`` is what :func:`odforecast.scenario.when` says of the nation and T40.4, where it is at
    hand.
    """
    if onset is None:
        onset = when(INDICATOR, archive=archive, seed=seed)
    check_onset(onset)
    tracks = {}
    for key, (prior, month) in CLOCKS.items():
        scenario = named(prior, onset=month)
        # Only what is drawn needs the course of other dates.
        placebo: Any = True if key == DRAWN else "newest"
        tracks[key] = track(scenario, archive, placebo=placebo, seed=seed)
    return Scored(onset, tracks)


def write_scored(
    path: str | os.PathLike[str],
    archive: Archive,
    *,
    onset: Onset | None = None,
    seed: int = 1,
) -> Scored:
    """Write the page of :func:`score_cooperation`, whole or not at all."""
    scored = score_cooperation(archive, onset=onset, seed=seed)
    write_page(Path(path), scored.page())
    return scored


def _what_if(clock: Track) -> bool:
    return clock.intervention.is_what_if


def _moved(clock: Track) -> str:
    """The chance before any counts, and now."""
    if _what_if(clock):
        return "No probability attached"
    before, now = (chance(clock.chances[clock.aim].iloc[i]) for i in (0, -1))
    if len(clock.chances) == 1:
        return f"{before}\nNo counts since then have been published"
    return (
        f"{now}\n{before} before any counts\n"
        f"Counts through {month_name(clock.now['month'])}"
    )


def _ranked(clock: Track) -> str:
    """Its place among other dates."""
    if clock.rank is None:
        return _NONE
    rank, n = clock.rank
    values = clock.dates[clock.aim]
    return (
        f"Rank {rank} of {n}\n{chance(values.min())} to {chance(values.max())} for an event in "
        "another month"
    )


def _calendar(rows: Mapping[Any, Any], dated: Mapping[Any, Any]) -> Table:
    """Every dated event: what happened, who says so, and the chance that deaths changed earlier."""
    cells = []
    for key, row in rows.items():
        if row["month"] < FIRST:
            continue
        event = f"{row['changed']}\n{row['source']}"
        chances = [_NONE, _NONE]
        if key in dated:
            chances = [
                chance(dated[key][name], short=True) for name in ("before", "flat")
            ]
        cells.append([row["event"], row["date"], event, *chances])
    return Table(
        (
            "Event",
            "Date",
            "What changed",
            "Chance that deaths changed earlier",
            "Without counts",
        ),
        cells,
        numbers=2,
    )


def _days(text: str) -> str:
    """Days of the calendar in words."""
    days = [dt.date.fromisoformat(day) for day in text.split("; ")]
    return " and ".join(map(day_name, days))
