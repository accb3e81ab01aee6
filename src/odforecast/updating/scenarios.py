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
from odforecast.models import Model
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
    held = _read(path)
    if held is not None:
        onset = next(
            (
                held["onset"].get(x.name, (onset,))[0]
                for x in scenario.interventions
                if x.onset is None
            ),
            onset,
        )
    closed = scenario.at(onset)
    stated = closed.to_dict()
    if held is None:
        plain = {
            "on": str(on),
            "hash": closed.hash,
            "onset": {x.name: [str(m) for m in x.onset] for x in closed.interventions},
            "chances": {
                x.name: dict(zip(THREE, (round(p, 4) for p in x.chances())))
                for x in closed.interventions
            },
            "scenario": stated,
            "check": _check(str(on), closed.hash, stated=stated),
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(plain, indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            raise DataError(f"cannot write {path}: {error.strerror or error}") from error
    elif closed.hash != held["hash"] and (differs := list(_differences(held["scenario"], stated))):
        more = f"; and {len(differs) - 5} more" if len(differs) > 5 else ""
        raise ScenarioError(
            f"{scenario.name} was frozen on {held['on']}, and has changed since: "
            f"{'; '.join(differs[:5])}{more}",
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
    model: Model | None = None,
    series: Sequence[Series] = (),
    **how: Any,
) -> list[Track]:
    """The clocks of scenarios, frozen where they are not yet, and written.

    Each scenario has one intervention; the status quo is passed over. ``how`` goes to
    :func:`odforecast.scenario.track`.
    """
    from odforecast import plot

    newest = archive.as_of(archive.last_seen).date
    given = [s for s in scenarios if not s.is_null]
    for scenario in given:
        only(scenario)
    made = []
    for closed in [freeze(s, out, on=on, onset=str(to_month(newest) + ONE_MONTH)) for s in given]:
        found = track(closed, archive, location=location, model=model, series=series, **how)
        folder = out / FOLDER / closed.name
        try:
            (folder / f"{newest}.json").write_text(found.to_json(), encoding="utf-8")
            found.to_frame().to_csv(
                folder / f"{newest}.csv",
                index=False,
                float_format="%.4f",
                lineterminator="\n",
            )
            plot.save(plot.chances(found), folder / f"{newest}.svg")
        except OSError as error:
            raise DataError(f"cannot write into {folder}: {error.strerror or error}") from error
        made.append(found)
    return made


def lacking(scenarios: Sequence[Scenario], out: Path, release: dt.date) -> bool:
    """Whether a clock was not read with a release yet."""
    names = [s.name for s in scenarios if not s.is_null]
    return not all((out / FOLDER / name / f"{release}.json").exists() for name in names)


def sections(tracks: Sequence[Track]) -> list[Section]:
    """What the page of an update says of the clocks."""
    from odforecast import plot
    from odforecast.report.page import picture
    from odforecast.report.site import Section

    made = []
    for found in tracks:
        title = f"Has it worked? {found.scenario}"
        drawn = picture(plot.chances(found), title)
        days = [
            "before any counts" if pd.isna(day) else f"{day:%Y-%m-%d}"
            for day in found.chances["release"]
        ]
        worlds = found.expected["world"].map({"works": "it works"}).fillna("it does not")
        tables = [
            _table(found.chances, "Release", names=days, first=True, caption="The chances so far"),
            _table(
                found.expected,
                "If",
                names=list(worlds),
                first=False,
                caption="Where the chances should go",
            ),
        ]
        made.append(Section(title, found.text().split("\n"), tables=tables, pictures=(drawn,)))
    return made


def _table(rows: pd.DataFrame, head: str, names: list[str], first: bool, caption: str) -> Table:
    """The three chances by month, with a column of names before the months, or behind them."""
    cells = []
    for name, row in zip(names, rows.to_dict("records")):
        pair = [name, str(row["month"])]
        cells.append(
            [*(pair if first else pair[::-1]), *(chance(row[key], short=True) for key in THREE)]
        )
    heads = (head, "Counts through") if first else ("Counts through", head)
    return Table((*heads, "Works", "Does nothing", "Backfires"), cells, numbers=3, caption=caption)


def _read(path: Path) -> dict[str, Any] | None:
    """A frozen scenario's file; None if there is none."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"cannot read {path}: {error}", hint=_DAMAGED) from error
    if not isinstance(held, dict) or not all(key in held for key in _KEYS):
        raise DataError(f"{path} is not a frozen scenario", hint=_DAMAGED)
    if _check(held["on"], held["hash"], stated=held["scenario"]) != held["check"]:
        raise DataError(f"{path} was edited: its check does not fit", hint=_DAMAGED)
    return held


def _check(on: str, digits: str, stated: dict[str, Any]) -> str:
    """Digits of what is frozen."""
    return content_hash(on, digits, json.dumps(stated, sort_keys=True))


def _differences(before: Any, now: Any, key: str = "") -> Iterator[str]:
    """Keys whose values differ, with both; titles and questions do not count."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in dict.fromkeys((*before, *now)):
            # Regions had lags of their own once, which no clock read.
            if name != "lag_spread" and (key or name not in ("title", "question")):
                inner = f"{key}.{name}" if key else name
                yield from _differences(before.get(name), now.get(name), key=inner)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for i, (a, b) in enumerate(zip(before, now), 1):
            yield from _differences(a, b, key=f"{key} {i}")
    elif before != now:
        yield f"{key} was {_short(before)}, and is {_short(now)}"


def _short(value: Any) -> str:
    text = "missing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"
