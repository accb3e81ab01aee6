"""What may be added to an archive, and what is stored apart."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pandas as pd

from odforecast.errors import ArchiveError, DataError, QuarantineError
from odforecast.names import STATES
from odforecast.sources.table import canonical, table_hash, to_date
from odforecast.sources.vsrr import Loaded
from odforecast.vintage import ledger
from odforecast.vintage.archive_file import Kept
from odforecast.vintage.consistency import Contradiction, contradictions
from odforecast.vintage.ledger import Event
from odforecast.vintage.storage import OwnStore, Store

#: Contradictions that a message names; the ledger has more of them.
_SHOWN, _KEPT = 3, 50


def put(
    store: OwnStore,
    table: pd.DataFrame,
    source: dict[str, str],
    *,
    accept: str | None = None,
    check: bool = False,
    instead: tuple[str, str] | None = None,
    earlier: pd.DataFrame | None = None,
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
    earlier : DataFrame, optional
        The release before, to compare with.

    Returns
    -------
    bool
        Whether it was this call that added them.

    Raises
    ------
    ArchiveError, QuarantineError
        See :meth:`odforecast.vintage.archive.Archive.add`.
    """
    event = Event(ledger.ADDED, STATES, table["release"].iloc[0].date(), table_hash(table),
                  source=source)  # fmt: skip
    date, digest = event.release, event.data_hash
    old, why = instead or ("", "")
    accept = None if accept is None else reason_of(accept)
    if (held := store.kept().get(date)) is not None and held.data_hash != old:
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
            f"these figures of release {date} were {known.event}: {known.reason}",
            hint="--accept REASON takes them back",
        )
    wrong = contradictions(table, earlier) if check else []
    store.write(table, event)
    if wrong and accept is None:
        if known is None:
            kind, cells = ledger.QUARANTINED, listed(wrong, _KEPT)
            store.append(replace(event, event=kind, reason=cells))
        raise QuarantineError(
            f"release {date} contradicts itself and was stored apart: {listed(wrong)}",
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
        raise ArchiveError(f"release {date} was retracted meanwhile", hint="see data log")
    if now.data_hash != digest:  # another process was first
        raise _other(store.kept()[date], table)
    return now.event == event


def before(store: Store, date: dt.date) -> pd.DataFrame | None:
    """The release before a date, also where it lies beneath."""
    kept = store.kept()
    earlier = [d for d in kept if d < date]
    return kept[max(earlier)].read() if earlier else None


def found(store: Store, date: str | dt.date) -> Kept:
    """The figures that count for a date, or an error that names the nearest."""
    date = to_date(date)
    if date not in (kept := store.kept()):
        near = min(kept, key=lambda d: abs(d - date), default=None)
        raise ArchiveError(
            f"{store.path or 'the archive'} holds no release {date}",
            hint=said_apart([d for d in apart_dates(store) if d == date])
            or ("it is empty" if near is None else f"the nearest is {near}"),
        )
    return kept[date]


def apart_dates(store: Store) -> list[dt.date]:
    """Dates of which figures lie apart, quarantined or retracted, and none count."""
    state, kept = ledger.fold(store.events()), store.kept()
    return sorted({d for (name, d), held in state.apart.items()
                   if name == STATES and held and d not in kept})  # fmt: skip


def said_apart(dates: list[dt.date]) -> str:
    """One line on releases that lie apart; empty if there are none."""
    if not dates:
        return ""
    first = f"release {dates[-1]}" if len(dates) == 1 else f"{len(dates)} releases to {dates[-1]}"
    return f"{first} lie{'s' if len(dates) == 1 else ''} apart, unused: see odforecast data log"


def source_of(loaded: Loaded) -> dict[str, str]:
    """Where a release came from."""
    return {"file": loaded.report.file, "sha256": loaded.report.sha256}


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
    return ArchiveError(
        f"the archive holds other numbers for release {held.release}: {len(held.read()):,} rows "
        f"(hash {held.data_hash}) there, {len(table):,} rows (hash {table_hash(table)}) in the "
        "new one",
        hint="a release never changes: is the date right, is one a subset? If those there are "
        "wrong: odforecast data replace FILE --reason TEXT",
    )


def checked(table: pd.DataFrame, date: dt.date) -> pd.DataFrame:
    """The table in canonical form, of the release it is filed under."""
    try:
        table = canonical(table)
    except DataError as error:
        raise ArchiveError(f"release {date}: {error.message}", error.hint) from error
    inside = table["release"].iloc[0].date()
    if inside != date:
        raise ArchiveError(
            f"the table filed under {date} says that it is release {inside}",
            hint="file it under its own release date",
        )
    return table
