"""Scenarios that updates keep a clock of: frozen on a day, and read with each release.

Beside the record lies a folder for each::

    scenarios/NAME/frozen.json       the day, the hash, and all that was assumed, the onset closed
    scenarios/NAME/2026-01-14.json   the clock with that release; .csv and .svg hold the same

A scenario that says something else later is refused, with what differs: what was assumed before
there were counts must not move after.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from odforecast.errors import DataError, ScenarioError
from odforecast.models import Model
from odforecast.months import ONE_MONTH, to_month
from odforecast.report.page.parts import Table
from odforecast.say import chance
from odforecast.scenario import Scenario, Series, Track, track
from odforecast.scenario.track import only
from odforecast.scenario.worlds import WORLDS
from odforecast.seeds import content_hash

if TYPE_CHECKING:
    from odforecast.report.site import Section
    from odforecast.vintage import Archive

#: Folder of the scenarios, beside the record.
FOLDER = "scenarios"
FROZEN = "frozen.json"
_SAID = ("title", "question")


@dataclass(frozen=True)
class Frozen:
    """A scenario as it was frozen.

    Attributes
    ----------
    on : datetime.date
        The day.
    scenario : Scenario
        With its onset closed.
    path : Path
    """

    on: dt.date
    scenario: Scenario
    path: Path


def freeze(scenario: Scenario, out: Path, on: dt.date, onset: object) -> Frozen:
    """Freeze a scenario in the folder of updates; one that is frozen is held against it.

    Parameters
    ----------
    scenario : Scenario
    out : Path
        Folder of updates.
    on : datetime.date
        Today.
    onset : month
        Where the scenario leaves it open.

    Raises
    ------
    ScenarioError
        If it is not what was frozen under its name; says what differs.
    DataError
        If the file was edited, or cannot be written.
    """
    path = out / FOLDER / scenario.name / FROZEN
    held = _read(path)
    if held is None:
        closed = scenario.at(onset)
        stated = closed.to_dict()
        plain = {
            "on": str(on),
            "hash": closed.hash,
            "onset": {x.name: [str(m) for m in x.onset] for x in closed.interventions},
            "chances": {x.name: _chances(closed, x.name) for x in closed.interventions},
            "scenario": stated,
            "check": _check(str(on), closed.hash, stated),
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(plain, indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            raise DataError(f"cannot write {path}: {error.strerror or error}") from error
        return Frozen(on, closed, path)
    closed = _closed_as(scenario, held["onset"])
    if closed.hash != held["hash"]:
        differs = list(_differences(held["scenario"], closed.to_dict()))
        more = f"; and {len(differs) - 5} more" if len(differs) > 5 else ""
        raise ScenarioError(
            f"{scenario.name} was frozen on {held['on']}, and is another one now: "
            f"{'; '.join(differs[:5])}{more}",
            hint="give the new one another name: what was assumed before the counts must not move",
        )
    return Frozen(dt.date.fromisoformat(held["on"]), closed, path)


def tracked(
    scenarios: Sequence[Scenario],
    out: Path,
    archive: Archive,
    *,
    on: dt.date,
    location: str,
    model: Model | None = None,
    series: Sequence[Series] = (),
    draws: int = WORLDS,
    seed: int = 1,
) -> list[Track]:
    """The clocks of scenarios, frozen where they are not yet, and written.

    Parameters
    ----------
    scenarios : sequence of Scenario
        Each with one intervention; the status quo is passed over.
    out : Path
        Folder of updates.
    archive : Archive
    on : datetime.date
        Today.
    location : str
        One location, by any of its names.
    model, series, draws, seed
        As in :func:`odforecast.scenario.track`.
    """
    newest = archive.as_of(archive.last_seen).date
    onset = str(to_month(newest) + ONE_MONTH)
    given = [s for s in scenarios if not s.is_null]
    for scenario in given:
        only(scenario)
    frozen = [freeze(scenario, out, on, onset) for scenario in given]
    made = []
    for each in frozen:
        found = track(
            each.scenario, archive, location=location, model=model, series=series, draws=draws,
            seed=seed,
        )  # fmt: skip
        _write(found, each.path.parent, str(newest))
        made.append(found)
    return made


def lacking(scenarios: Sequence[Scenario], out: Path, release: dt.date) -> bool:
    """Whether a clock was not read with a release yet.

    Parameters
    ----------
    scenarios : sequence of Scenario
    out : Path
    release : datetime.date
    """
    names = [s.name for s in scenarios if not s.is_null]
    return not all((out / FOLDER / name / f"{release}.json").exists() for name in names)


def _write(found: Track, folder: Path, name: str) -> None:
    """The clock as JSON, as a table and as a figure."""
    from odforecast import plot

    try:
        (folder / f"{name}.json").write_text(found.to_json(), encoding="utf-8")
        text = found.to_frame().to_csv(index=False, float_format="%.4f", lineterminator="\n")
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        plot.save(plot.chances(found), folder / f"{name}.svg")
    except OSError as error:
        raise DataError(f"cannot write into {folder}: {error.strerror or error}") from error


def sections(tracks: Sequence[Track]) -> list[Section]:
    """What the page of an update says of the clocks."""
    from odforecast import plot
    from odforecast.report.page.parts import picture
    from odforecast.report.site import Section

    made = []
    for found in tracks:
        axes = plot.chances(found)
        drawn = picture(lambda axes=axes: axes.figure, plot.alt_text(axes))  # type: ignore[misc]
        made.append(
            Section(
                f"Has it worked? {found.scenario}",
                found.text().split("\n"),
                [_so_far(found), _expected(found)],
                (drawn,),
            )
        )
    return made


def _so_far(found: Track) -> Table:
    rows = [
        [
            "before any counts" if pd.isna(row["release"]) else f"{row['release']:%Y-%m-%d}",
            str(row["month"]),
            *(chance(row[name], short=True) for name in _THREE),
        ]
        for row in found.chances.to_dict("records")
    ]
    return Table(("Release", "Counts to", *_HEADS), rows, 3, "The chances so far")


def _expected(found: Track) -> Table:
    rows = [
        [
            str(row["month"]),
            "it works" if row["world"] == "works" else "it does not",
            *(chance(row[name], short=True) for name in _THREE),
        ]
        for row in found.expected.to_dict("records")
    ]
    return Table(("Counts to", "If", *_HEADS), rows, 3, "Where the chances are expected to go")


_THREE = ("works", "nothing", "backfires")
_HEADS = ("Works", "Does nothing", "Backfires")


def _chances(scenario: Scenario, name: str) -> dict[str, float]:
    """The three chances of an intervention before any counts."""
    found = next(x for x in scenario.interventions if x.name == name).chances()
    return dict(zip(("works", "nothing", "backfires"), (round(p, 4) for p in found)))


def _closed_as(scenario: Scenario, onsets: dict[str, list[str]]) -> Scenario:
    """The scenario with what it leaves open beginning when it was frozen to."""
    found = [onsets.get(x.name) for x in scenario.interventions if x.onset is None]
    return scenario.at(found[0][0]) if found and found[0] else scenario


def _read(path: Path) -> dict[str, Any] | None:
    """A frozen scenario's file; None if there is none."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"cannot read {path}: {error}", hint="restore it from a copy") from error
    keys = ("on", "hash", "onset", "scenario", "check")
    if not isinstance(held, dict) or not all(key in held for key in keys):
        raise DataError(f"{path} is not a frozen scenario", hint="restore it from a copy")
    if _check(held["on"], held["hash"], held["scenario"]) != held["check"]:
        raise DataError(f"{path} was edited: its check does not fit", hint="restore it from a copy")
    return held


def _check(on: str, digits: str, stated: dict[str, Any]) -> str:
    """Digits of what is frozen."""
    return content_hash(on, digits, json.dumps(stated, sort_keys=True))


def _differences(before: Any, now: Any, key: str = "") -> Iterator[str]:
    """Keys whose values differ, with both; titles and questions do not count."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in dict.fromkeys((*before, *now)):
            if key or name not in _SAID:
                inner = f"{key}.{name}" if key else name
                yield from _differences(before.get(name), now.get(name), inner)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for i, (a, b) in enumerate(zip(before, now), 1):
            yield from _differences(a, b, f"{key} {i}")
    elif before != now:
        yield f"{key} was {_short(before)}, and is {_short(now)}"


def _short(value: Any) -> str:
    text = "not there" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"
