"""What may be added to an archive, and what is stored apart."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from odforecast.errors import ArchiveError, DataError, QuarantineError
from odforecast.names import COUNTIES, STATES
from odforecast.sources.table import to_date
from odforecast.vintage import ledger
from odforecast.vintage.archive_file import Kept
from odforecast.vintage.consistency import Contradiction, contradictions
from odforecast.vintage.county_consistency import county_contradictions
from odforecast.vintage.figures import dataset_named, figures_of
from odforecast.vintage.ledger import Event
from odforecast.vintage.storage import OwnStore, Store

#: Contradictions that a message names; the ledger has more of them.
_SHOWN, _KEPT = 3, 50


class Beside(NamedTuple):
    """What a release is compared with before it counts.

    Attributes
    ----------
    earlier : DataFrame or None
        The release before.
    states : DataFrame or None
        For counties, the states' counts known that day.
    """

    earlier: pd.DataFrame | None = None
    states: pd.DataFrame | None = None


def put(
    store: OwnStore,
    table: pd.DataFrame,
    source: dict[str, str],
    *,
    accept: str | None = None,
    check: bool = False,
    instead: tuple[str, str] | None = None,
    beside: Beside | None = None,
) -> bool:
    """Add the figures of a release to a store.

    Parameters
    ----------
    store : OwnStore
    table : DataFrame
        Canonical.
    source : dict of str to str
        ``file`` and ``sha256`` of CDC's file.
    accept : str, optional
        Use them although they contradict themselves or were retracted, and why.
    check : bool
        Look for contradictions.
    instead : (str, str), optional
        Hash of figures they are put in place of, and why.
    beside : Beside, optional
        What to compare it with.

    Returns
    -------
    bool
        Whether it was this call that added them.

    Raises
    ------
    ArchiveError, QuarantineError
        See :meth:`odforecast.vintage.archive.Archive.add`.
    """
    figures = figures_of(table)
    dataset, day = figures.dataset, table["release"].iloc[0].date()
    event = Event(ledger.ADDED, dataset, day, figures.hash(table), source=source)
    date, digest = event.release, event.data_hash
    old, why = instead or ("", "")
    accept = None if accept is None else reason_of(accept)
    if (held := store.kept(dataset).get(date)) is not None and held.data_hash != old:
        if held.data_hash != digest:
            raise _other(held, table)
        if held.file is None or held.file.exists():
            return False
        store.write(table, event)  # somebody deleted the file
        return True
    known = ledger.fold(store.events()).apart.get(event.key, {}).get(digest)
    retracted = known is not None and known.event != ledger.QUARANTINED
    if known is not None and retracted and accept is None:
        raise ArchiveError(
            f"these figures of {called(date, dataset)} were {known.event}: {known.reason}",
            hint="--accept REASON takes them back",
        )
    wrong = wrong_in(table, beside) if check else []
    store.write(table, event)
    if wrong and accept is None:
        if known is None:
            kind, cells = ledger.QUARANTINED, listed(wrong, _KEPT)
            store.append(replace(event, event=kind, reason=cells))
        raise QuarantineError(
            f"{called(date, dataset)} contradicts itself and was stored apart: {listed(wrong)}",
            hint="get the file again; if CDC did publish these figures, --accept REASON",
        )
    taken = accept if accept and (wrong or retracted) else ""
    if instead is None:
        event = replace(event, reason=taken)
    else:
        why += f"; accepted: {taken}" if taken else ""
        event = replace(event, event=ledger.REPLACED, replaces=old, reason=why)
    event = store.append(event)
    now = ledger.fold(store.events()).current.get(event.key)
    if now is None:  # another process retracted it just now
        raise ArchiveError(
            f"{called(date, dataset)} was retracted meanwhile", hint="see data releases --log"
        )
    if now.data_hash != digest:  # another process was first
        raise _other(store.kept(dataset)[date], table)
    return now.event == event


def wrong_in(table: pd.DataFrame, beside: Beside | None = None) -> list[Contradiction]:
    """What a release of either data set contradicts itself in."""
    if figures_of(table).dataset == COUNTIES:
        return county_contradictions(table, *(beside or Beside()))
    return contradictions(table, (beside or Beside()).earlier)


def called(date: dt.date, dataset: str) -> str:
    """A release, in words."""
    return f"release {date}" + ("" if dataset == STATES else f" of {dataset}")


def states_on(store: Store, day: dt.date) -> pd.DataFrame | None:
    """The states' counts known on a day; None if there are none."""
    kept = store.kept()
    known = [d for d in kept if d <= day]
    return kept[max(known)].read() if known else None


def before(store: Store, date: dt.date, dataset: str = STATES) -> pd.DataFrame | None:
    """The release before a date, also where it lies beneath."""
    kept = store.kept(dataset)
    earlier = [d for d in kept if d < date]
    return kept[max(earlier)].read() if earlier else None


def found(store: Store, date: str | dt.date, dataset: str = STATES) -> Kept:
    """The figures that count for a date, or an error that names the nearest."""
    date = to_date(date)
    if date not in (kept := store.kept(dataset_named(dataset))):
        near = min(kept, key=lambda d: abs(d - date), default=None)
        raise ArchiveError(
            f"{store.path or 'the archive'} holds no {called(date, dataset)}",
            hint=said_apart([d for d in apart_dates(store, dataset) if d == date])
            or (_none_of(dataset) if near is None else f"the nearest is {near}"),
        )
    return kept[date]


def _none_of(dataset: str) -> str:
    return "it is empty" if dataset == STATES else f"it has none of {dataset}"


def apart_dates(store: Store, dataset: str = STATES) -> list[dt.date]:
    """Dates of which figures lie apart, quarantined or retracted, and none count."""
    state, kept = ledger.fold(store.events()), store.kept(dataset)
    return sorted({d for (name, d), held in state.apart.items()
                   if name == dataset and held and d not in kept})  # fmt: skip


def said_apart(dates: list[dt.date]) -> str:
    """One line on releases that lie apart; empty if there are none."""
    if not dates:
        return ""
    first = f"release {dates[-1]}" if len(dates) == 1 else f"{len(dates)} releases to {dates[-1]}"
    lie = "lies" if len(dates) == 1 else "lie"
    return f"{first} {lie} apart, unused: see odforecast data releases --log"


def reason_of(text: str) -> str:
    """A reason in one line, or a refusal of what is none."""
    text = " ".join(text.split())
    if not 3 <= len(text) <= 500:
        raise ArchiveError(
            f"a reason has 3 to 500 characters, got {len(text)}",
            hint="say what is wrong with the figures, and how you know",
        )
    return text


def listed(wrong: list[Contradiction], shown: int = _SHOWN) -> str:
    """The first contradictions in words, and how many more there are."""
    rest = f"; and {len(wrong) - shown:,} more cells" if len(wrong) > shown else ""
    return "; ".join(str(c) for c in wrong[:shown]) + rest


def _other(held: Kept, table: pd.DataFrame) -> ArchiveError:
    figures = figures_of(table)
    return ArchiveError(
        f"the archive holds other numbers for {called(held.release, figures.dataset)}: "
        f"{len(held.read()):,} rows (hash {held.data_hash}) there, {len(table):,} rows (hash "
        f"{figures.hash(table)}) in the new one",
        hint="a release never changes: is the date right, is one a subset? If those there are "
        "wrong: odforecast data fix replace FILE --reason TEXT",
    )


def checked(table: pd.DataFrame, date: dt.date) -> pd.DataFrame:
    """The table in canonical form, of the release it is filed under."""
    try:
        table = figures_of(table).canonical(table)
    except DataError as error:
        raise ArchiveError(f"release {date}: {error.message}", error.hint) from error
    inside = table["release"].iloc[0].date()
    if inside != date:
        raise ArchiveError(
            f"the table filed under {date} says that it is release {inside}",
            hint="file it under its own release date",
        )
    return table
