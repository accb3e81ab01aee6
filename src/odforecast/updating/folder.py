"""The folder of one update: a page, a hub file and what made them, whole or not there."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import secrets
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from odforecast.errors import DataError
from odforecast.forecast import Forecast
from odforecast.forecast.text import place_name
from odforecast.geography import NATION, called
from odforecast.hub import model_id, to_hub, write_hub
from odforecast.names import TARGET_12MO
from odforecast.report.page.parts import Table
from odforecast.updating import words
from odforecast.updating.changes import Change
from odforecast.updating.scenarios import sections as clocks
from odforecast.updating.words import RECORD_HEAD, coverage_sentence, said_and_came
from odforecast.vintage.quality import SEVERITIES, Flag

if TYPE_CHECKING:
    from odforecast.report.site import Section
    from odforecast.scenario import Track

PAGE, CHANGES, MANIFEST = "index.html", "changes.csv", "update.json"
#: Places in the page's table of changes, besides the first; the file has them all.
SHOWN = 15
_LEFT_OVER = re.compile(r"\.\d{4}-\d{2}-\d{2}\.[0-9a-f]{8}\.(part|old)")


def hub_name(forecast: Forecast) -> str:
    """Name of the hub file, as hubs want it: day, team and model, joined by hyphens.

    Parquet holds in 0.2 MB what takes 2 MB as text, and updates may be kept under version control.

    Parameters
    ----------
    forecast : Forecast
    """
    name = model_id(str(forecast.provenance["label"]))
    return f"{forecast.provenance['release']}-{name}.parquet"


def write_folder(
    out: Path,
    whole: Forecast,
    forecast: Forecast,
    change: Change,
    flags: Sequence[Flag],
    record: pd.DataFrame,
    manifest: dict[str, Any],
    tracks: Sequence[Track] = (),
) -> Path:
    """Write the folder of a release; one that is there is replaced.

    Parameters
    ----------
    out : Path
    whole : Forecast
        ``forecast`` among all places that were forecast with it: New York has a rate with its city.
    forecast : Forecast
        Of the places that are shown.
    change : Change
    flags : sequence of Flag
        What was found in the release.
    record : DataFrame
        The record with this update's lines.
    manifest : dict
        What goes into ``update.json``.
    tracks : sequence of Track
        Clocks of scenarios, shown after what changed.

    Returns
    -------
    Path

    Raises
    ------
    DataError
        If it cannot be written, or what is there is not ours (:func:`check_folder`); then nothing
        is there, or what was there before.
    """
    name = str(forecast.provenance["release"])
    target, token = out / name, secrets.token_hex(4)
    part = out / f".{name}.{token}.part"
    try:
        part.mkdir(parents=True)
        place = NATION if NATION in forecast.locations else forecast.locations[0]
        model = str(forecast.provenance["label"])
        said = sections(change, flags, record, place, model)
        said[1:1] = clocks(tracks)
        write_page(part / PAGE, whole, forecast.locations, said)
        write_hub(hub_rows(forecast), part / hub_name(forecast))
        _write_changes(change, part / CHANGES)
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        (part / MANIFEST).write_text(text, encoding="utf-8")
        check_folder(target)  # a forecast takes its time
        _swap(part, target, out / f".{name}.{token}.old")
    except OSError as error:
        raise DataError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _write_changes(change: Change, path: Path) -> None:
    table = change.table.assign(month=pd.to_datetime(change.table["month"]).dt.strftime("%Y-%m"))
    path.write_text(table.to_csv(index=False, float_format="%.1f", lineterminator="\n"), "utf-8")


def hub_rows(forecast: Forecast) -> pd.DataFrame:
    """Rows of the hub file: quantiles of 12-month counts, and chances of the five trends.

    Parameters
    ----------
    forecast : Forecast
    """
    counts = to_hub(forecast, targets=[TARGET_12MO])
    return pd.concat([counts, to_hub(forecast, output_type="pmf")], ignore_index=True)


def write_page(
    path: Path, whole: Forecast, locations: Sequence[str], parts: Sequence[Section]
) -> None:
    """Write the page of an update: the report of the forecast, and what an update says of it.

    Parameters
    ----------
    path : Path
    whole : Forecast
    locations : sequence of str
        Those of its places that are shown.
    parts : sequence of Section
    """
    from odforecast.report.site import write_report

    write_report(path, forecast=whole, locations=list(locations), sections=parts)


def check_folder(target: Path) -> None:
    """Refuse to replace a folder that is not ours, or holds what somebody put there.

    Parameters
    ----------
    target : Path
        Folder of a release; may not be there yet.

    Raises
    ------
    DataError
        If it holds anything but what an update wrote, by its ``update.json``.
    """
    hint = "move that away, or write updates to another folder: --out"
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise DataError(f"{target} is no folder of an update", hint=hint)
    if not target.is_dir():
        return
    held = _said_in(target)
    ours = {PAGE, CHANGES, MANIFEST, held.get("hub_file")} if held else set()
    try:
        entries = sorted(target.iterdir())
    except OSError as error:
        raise DataError(f"cannot read {target}: {error.strerror or error}") from error
    others = [p.name for p in entries if p.name not in ours or p.is_symlink() or not p.is_file()]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise DataError(
            f"{target} holds what no update wrote ({', '.join(others[:3])}{more}), and would be "
            "replaced",
            hint=hint,
        )


def _swap(part: Path, target: Path, old: Path) -> None:
    """Put a folder in its place; what was there goes when the new one is there."""
    if not target.exists():
        part.rename(target)
        return
    target.rename(old)
    try:
        part.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def clear(out: Path) -> None:
    """Take away what an update that was killed left half written; call it under the lock.

    Parameters
    ----------
    out : Path
    """
    with contextlib.suppress(OSError):
        for entry in sorted(out.iterdir()):
            if (found := _LEFT_OVER.fullmatch(entry.name)) is None:
                continue
            target = out / entry.name[1:11]
            if found[1] == "old" and not target.exists():
                entry.rename(target)  # killed between the two renamings
            else:
                shutil.rmtree(entry, ignore_errors=True)


def manifest_of(out: Path, release: dt.date) -> dict[str, Any]:
    """What an update of a release wrote into ``update.json``; empty if there is none, or no page.

    Parameters
    ----------
    out : Path
    release : datetime.date
    """
    folder = out / str(release)
    return _said_in(folder) if (folder / PAGE).exists() else {}


def _said_in(folder: Path) -> dict[str, Any]:
    """The ``update.json`` of a folder of a release; empty if it has none of that release."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    ours = isinstance(found, dict) and found.get("release") == folder.name
    return found if ours else {}


def sections(
    change: Change, flags: Sequence[Flag], record: pd.DataFrame, place: str, model: str
) -> list[Section]:
    """What the page has beside the forecast: what changed, the release's flags, the record.

    Parameters
    ----------
    change : Change
    flags : sequence of Flag
    record : DataFrame
        From :func:`odforecast.updating.record.read`.
    place : str
        The place that sentences are of.
    model : str
        The model whose forecasts are shown beside what came, as the record has it.
    """
    from odforecast.report.site import Section

    said = words.sentences(change, place)
    tables: list[Table] = []
    if rows := words.lines(change, place):
        said.append(_DEFINITION)
        tables.append(_changes(change, rows))
    made = [Section("What changed since the forecast before", said, tables)]
    made.append(_checked(flags))
    outcomes = said_and_came(record, place, model=model)
    if outcomes:
        title = f"12-month counts, {place_name(place)}"
        made.append(
            Section(
                "What was said before, and what came",
                [coverage_sentence(record, model)],
                tables=[Table(RECORD_HEAD, outcomes, 0, title)],
            )
        )
    return made


_DEFINITION = (
    "Revisions: what the new release says otherwise of months known before (counts, how complete "
    "they are, what CDC predicts, which are final). New months: what it says of months that the "
    "release before did not have. Model: other settings or another version of the model. The "
    "parts add up to the change."
)


def _changes(change: Change, rows: list[list[str]]) -> Table:
    """The changes where they are largest beside the intervals given before."""
    month = words.month_of(change)
    caption = f"Medians for the 12 months ending in {month:%B %Y}. {words.NOTE}."
    if len(rows) > 1 + SHOWN:
        caption += (
            f" Shown are the {SHOWN} places whose change is largest beside the interval given "
            f"before; {CHANGES} has all places and months."
        )
    heads = ["Place", *(title.capitalize() for title in words.HEAD[1:])]
    drop = len(heads) - (1 if all(row[-1] in ("–", "0") for row in rows) else 0)
    cells = [row[:drop] for row in rows[: 1 + SHOWN]]
    return Table(heads[:drop], cells, drop - 1, caption)


def checked(flags: Sequence[Flag]) -> str:
    """What was found in a release, in a sentence.

    Examples
    --------
    >>> checked([])
    'Checked: nothing to flag.'
    """
    counts = Counter(flag.severity for flag in flags)
    said = [f"{counts[s]} {s}{'s' * (counts[s] > 1)}" for s in SEVERITIES if counts[s]]
    return f"Checked: {', '.join(said) or 'nothing to flag'}."


def _checked(flags: Sequence[Flag]) -> Section:
    from odforecast.report.site import Section

    shown = [f for f in flags if f.severity != "note"]
    paragraphs = [f"{checked(flags)} The command odforecast data check lists them all."]
    if not shown:
        return Section("The release, checked", paragraphs)
    rows = [[called(f.location), f.month or "", f.code, f.message] for f in shown[:30]]
    left = len(shown) - len(rows)
    caption = f"Errors and warnings{f', the first 30; {left} more' if left else ''}"
    table = Table(("Place", "From", "Flag", "What it says"), rows, 0, caption)
    return Section("The release, checked", paragraphs, tables=[table])
