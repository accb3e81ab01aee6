"""What the data commands share about the two data sets: options, and one release to look at."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli.meant import Choice
from odforecast.cli.screen import note, wrapped
from odforecast.cli.source import BUNDLED, open_source
from odforecast.errors import ArchiveError
from odforecast.names import COUNTIES, DATASETS, STATES
from odforecast.say import plain

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.vintage.archive import Archive

#: Widest word on where a release came from.
_FROM = 17
#: What the two were called when only the one by state went into an archive.
FORMER = {"vsrr": STATES, "county": COUNTIES}


@dataclass(frozen=True)
class Seen:
    """One release to look at.

    Attributes
    ----------
    dataset : {"states", "counties"}
    date : datetime.date
        Release date.
    table : DataFrame
        Canonical.
    before : DataFrame or None
        The release before.
    earlier : datetime.date or None
        Its date.
    states : DataFrame or None
        Of counties: the states' counts to hold beside them.
    """

    dataset: str
    date: dt.date
    table: pd.DataFrame
    before: pd.DataFrame | None = None
    earlier: dt.date | None = None
    states: pd.DataFrame | None = None


def former_words(command: click.Command) -> click.Command:
    """Let ``--dataset`` of a command take the words it took before, unlisted."""
    for param in command.params:
        if param.name == "dataset":
            param.type = Choice(list(DATASETS), former=FORMER)
    return command


def seen(
    archive: Path | None, source: str | None, release: str | None, as_of: str | None, dataset: str
) -> Seen:
    """The release that a command looks at: of an archive as of a day, or of one file.

    A file is told by its columns, whatever ``dataset`` says.

    Raises
    ------
    ArchiveError, DataError
        If there is none, or the file cannot be trusted.
    """
    from odforecast.sources.release import read_release
    from odforecast.vintage import archive as own
    from odforecast.vintage.dataset import dataset_of, notes_of

    if source is not None and source != BUNDLED and archive is None:
        loaded = read_release(source, release)
        if dataset_of(loaded) == COUNTIES:
            for text in notes_of(loaded):
                note(f"{Path(source).name}: {text}")
            found = Seen(COUNTIES, loaded.release, loaded.table)
            return _beside(found, own())
    store = open_source(archive, source, release, look=True)
    if dataset == COUNTIES:
        return _counties(store, as_of)
    dates = store.releases()
    vintage = store.as_of(as_of)
    if vintage.note:
        note(vintage.note)
    place = dates.index(vintage.date)
    earlier = dates[place - 1] if place else None
    before = None if earlier is None else store.release(earlier)
    return Seen(STATES, vintage.date, vintage.table, before, earlier)


def _counties(store: Archive, as_of: str | None) -> Seen:
    from odforecast.sources.table import to_date

    dates = store.releases(COUNTIES)
    day = None if as_of is None else to_date(as_of)
    known = [d for d in dates if day is None or d <= day]
    if not known:
        raise ArchiveError(
            f"{store.path or 'the archive'} holds no release of counties"
            + (f" of {as_of} or before: the first is {dates[0]}" if dates else ""),
            hint="odforecast data fetch --dataset counties, or odforecast data add FILE",
        )
    date, earlier = known[-1], known[-2] if len(known) > 1 else None
    if text := store.reason(date, COUNTIES):
        note(text)
    before = None if earlier is None else store.release(earlier, None, COUNTIES)
    found = Seen(COUNTIES, date, store.release(date, None, COUNTIES), before, earlier)
    return _beside(found, store)


def _beside(found: Seen, store: Archive) -> Seen:
    """With the states' counts known that day, or the first after it: for looking, no more."""
    dates = store.releases()
    if not dates:
        return found
    known = [d for d in dates if d <= found.date]
    date = known[-1] if known else dates[0]
    return Seen(
        found.dataset, found.date, found.table, found.before, found.earlier, store.release(date)
    )


def checked(checks: list[str]) -> str:
    """The strongest of the checks; that a release was accepted in spite of them counts more."""
    return next(c for c in ("accepted", "sha256", "git blob", "structure") if c in checks)


def came_from(kind: str, place: str, file: str) -> str:
    """Where a release came from, in a word or two; --json has all of it."""
    words = {
        "bundled": "bundled",
        "cdc": "CDC" if place in ("", "data.cdc.gov") else f"CDC, {place}",
        "past": "past copy",
    }
    said = plain(words.get(kind) or file or "a file", 160)
    return said if len(said) <= _FROM else f"{said[: _FROM - 1]}…"


def facts_said(name: str, rows: list[tuple[str, str]]) -> str:
    """What is in a file, one fact a line."""
    lines = (wrapped(f"  {fact:<12} {text}", indent=" " * 15) for fact, text in rows)
    return "\n".join([name, *lines])
