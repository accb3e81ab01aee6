"""Scenarios that updates keep a clock of: frozen on a day, and read with each release.

    scenarios/NAME/frozen.json       the day, the hash, and all that was assumed, the onset closed
    scenarios/NAME/2026-01-14.json   the clock with that release; .csv and .svg hold the same

A scenario that says something else later is refused, with what differs.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from odforecast.errors import DataError, ScenarioError
from odforecast.months import ONE_MONTH, to_month
from odforecast.report.page import Table
from odforecast.say import chance
from odforecast.scenario import Scenario, Series, Track, track
from odforecast.scenario.clock import THREE
from odforecast.scenario.track import only
from odforecast.seeds import content_hash

if TYPE_CHECKING:
    from odforecast.report.site import Section
    from odforecast.vintage import Archive

#: Folder of the scenarios, beside the record.
FOLDER = "scenarios"
FROZEN = "frozen.json"
_KEYS = ("on", "hash", "onset", "scenario", "check")
_DAMAGED = "restore it from a copy"


def freeze(scenario: Scenario, out: Path, on: dt.date, onset: object) -> Scenario:
    """Freeze a scenario in the folder of updates, its onset closed (``onset``, if it is open).

    One that is frozen is compared with what was frozen under its name, and refused with what
    differs; so is a file that was edited.
    """
    path = out / FOLDER / scenario.name / FROZEN
    frozen = _read(path)
    if frozen is not None:
        open_parts = [x for x in scenario.interventions if x.onset is None]
        if open_parts:
            onset = frozen["onset"].get(open_parts[0].name, (onset,))[0]
    closed = scenario.at(onset)
    stated = closed.to_dict()
    if frozen is None:
        onsets = {}
        chances = {}
        for x in closed.interventions:
            onsets[x.name] = [str(month) for month in x.onset]
            chances[x.name] = dict(zip(THREE, (round(p, 4) for p in x.chances())))
        content = {
            "on": str(on),
            "hash": closed.hash,
            "onset": onsets,
            "chances": chances,
            "scenario": stated,
            "check": _check(str(on), closed.hash, stated=stated),
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            raise DataError(
                f"cannot write {path}: {error.strerror or error}"
            ) from error
        return closed
    if closed.hash == frozen["hash"]:
        return closed
    differences = list(_differences(frozen["scenario"], stated))
    if differences:
        changes = "; ".join(differences[:5])
        if len(differences) > 5:
            changes += f"; and {len(differences) - 5} more"
        raise ScenarioError(
            f"{scenario.name} was frozen on {frozen['on']}, and has changed since: {changes}",
            hint="give the new one another name: what was assumed before the counts must not move",
        )
    return closed


def tracked(
    scenarios: Sequence[Scenario],
    out: Path,
    archive: Archive,
    *,
    on: dt.date,
    location: str,
    series: Sequence[Series] = (),
    **options: Any,
) -> list[Track]:
    """The clocks of scenarios, frozen where they are not yet, and written.

    Each scenario has one intervention; the status quo is passed over. ``options`` go to
    :func:`odforecast.scenario.track`.
    """
    newest = archive.as_of(archive.last_seen).date
    supply = [scenario for scenario in scenarios if not scenario.is_null]
    for scenario in supply:
        only(scenario)
    onset = str(to_month(newest) + ONE_MONTH)
    frozen = [freeze(scenario, out, on=on, onset=onset) for scenario in supply]
    tracks = []
    for closed in frozen:
        clock = track(closed, archive, location=location, series=series, **options)
        write_track(clock, out / FOLDER / closed.name, name=str(newest))
        tracks.append(clock)
    return tracks


def write_track(clock: Track, folder: Path, name: str) -> None:
    """A clock as JSON, as a table and as a figure, in a folder."""
    from odforecast import plot

    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(clock.to_json(), encoding="utf-8")
        clock.to_frame().to_csv(
            folder / f"{name}.csv",
            index=False,
            float_format="%.4f",
            lineterminator="\n",
        )
        plot.save(plot.chances(clock), folder / f"{name}.svg")
    except OSError as error:
        raise DataError(
            f"cannot write into {folder}: {error.strerror or error}"
        ) from error


def lacking(scenarios: Sequence[Scenario], out: Path, release: dt.date) -> bool:
    """Whether a clock was not read with a release yet."""
    names = [s.name for s in scenarios if not s.is_null]
    return not all((out / FOLDER / name / f"{release}.json").exists() for name in names)


def sections(tracks: Sequence[Track]) -> list[Section]:
    """What the page of an update says of the clocks."""
    from odforecast import plot
    from odforecast.report.page import picture
    from odforecast.report.site import Section

    pages = []
    for clock in tracks:
        title = f"Has it worked? {clock.scenario}"
        figure = picture(plot.chances(clock), title)
        days = []
        for day in clock.chances["release"]:
            days.append("before any counts" if pd.isna(day) else f"{day:%Y-%m-%d}")
        worlds = (
            clock.expected["world"].map({"works": "it works"}).fillna("it does not")
        )
        past = _table(
            clock.chances,
            "Release",
            names=days,
            first=True,
            caption="The chances so far",
        )
        future = _table(
            clock.expected,
            "If",
            names=list(worlds),
            first=False,
            caption="Where the chances should go",
        )
        paragraphs = clock.text().split("\n")
        pages.append(
            Section(title, paragraphs, tables=[past, future], pictures=(figure,))
        )
    return pages


def _table(
    rows: pd.DataFrame, head: str, names: list[str], first: bool, caption: str
) -> Table:
    """The three chances by month, with a column of names before the months, or behind them."""
    cells = []
    for name, row in zip(names, rows.to_dict("records")):
        month = str(row["month"])
        start = [name, month] if first else [month, name]
        cells.append([*start, *(chance(row[key], short=True) for key in THREE)])
    heads = (head, "Counts through") if first else ("Counts through", head)
    return Table(
        (*heads, "Works", "Does nothing", "Backfires"),
        cells,
        numbers=3,
        caption=caption,
    )


def _read(path: Path) -> dict[str, Any] | None:
    """A frozen scenario's file; None if there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"cannot read {path}: {error}", hint=_DAMAGED) from error
    if not isinstance(content, dict) or not all(key in content for key in _KEYS):
        raise DataError(f"{path} is not a frozen scenario", hint=_DAMAGED)
    if (
        _check(content["on"], content["hash"], stated=content["scenario"])
        != content["check"]
    ):
        raise DataError(f"{path} was edited: its check does not fit", hint=_DAMAGED)
    return content


def _check(on: str, digits: str, stated: dict[str, Any]) -> str:
    """Digits of what is frozen."""
    return content_hash(on, digits, json.dumps(stated, sort_keys=True))


def _differences(before: Any, after: Any, key: str = "") -> Iterator[str]:
    """Keys whose values differ, with both; titles, questions and notes do not count."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            # Regions had lags of their own once, which no clock read.
            if name not in ("lag_spread", "note") and (
                key or name not in ("title", "question")
            ):
                inner = f"{key}.{name}" if key else name
                yield from _differences(before.get(name), after.get(name), key=inner)
    elif (
        isinstance(before, list)
        and isinstance(after, list)
        and len(before) == len(after)
    ):
        for i, (a, b) in enumerate(zip(before, after), 1):
            yield from _differences(a, b, key=f"{key} {i}")
    elif before != after:
        yield f"{key} was {_short(before)}, and is {_short(after)}"


def _short(value: Any) -> str:
    text = "missing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"
