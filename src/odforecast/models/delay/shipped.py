"""What the releases behind the dated sets turned out to miss, as it ships with the package.

``make constants`` writes the table beside ``delay.csv``; nothing else does. It holds of each
release what :func:`odforecast.models.delay.estimate.estimate` reads, so that more releases can be
added to those.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
from collections.abc import Sequence
from functools import cache
from importlib import resources

import numpy as np

from odforecast.errors import DataError
from odforecast.geography import JURISDICTIONS
from odforecast.models.delay.deficit import SPAN
from odforecast.models.delay.estimate import Seen
from odforecast.panel import Floats

SHIPPED = "seen.csv.gz"
#: A count this many months old is settled.
SETTLED = 12
#: Significant digits of what was pending.
_DIGITS = 6
_HEAD = ("release", "n_open", "closing", "newest", "location", "quantity")
_QUANTITIES = ("pending", "predicted", "late", "months", "counts")


@cache
def shipped_seen() -> tuple[Seen, ...]:
    """Every release that ships, oldest first.

    Raises
    ------
    DataError
        If the table is not as ``make constants`` wrote it.

    Examples
    --------
    >>> found = shipped_seen()
    >>> len(found), found[0].release, found[-1].release
    (17, '2017-09-13', '2024-12-11')
    """
    file = resources.files("odforecast.models.delay") / SHIPPED
    return parsed(gzip.decompress(file.read_bytes()).decode())


def known_by(cutoff: str | dt.date, found: Sequence[Seen]) -> tuple[Seen, ...]:
    """Those whose last count was a year old by a cut-off."""
    limit = np.datetime64(str(cutoff), "M")
    ages = [int((limit - np.datetime64(s.release, "M")).astype(int)) + s.newest + 1 for s in found]
    return tuple(s for s, age in zip(found, ages, strict=True) if age >= SETTLED)


def written(found: Sequence[Seen], about: Sequence[str] = ()) -> str:
    """The table as text: a line per release, jurisdiction and quantity, the last month first.

    Parameters
    ----------
    found : sequence of Seen
    about : sequence of str
        Lines of the header.
    """
    lines = [*(f"# {line}" for line in about), ",".join((*_HEAD, "values"))]
    for s in found:
        n = min(s.n_open, 12)
        tables = {
            "pending": s.pending,
            "predicted": s.predicted,
            "late": s.late[:, : min(s.n_open + 12, SPAN)],  # the open months and the closed year
            "months": s.months[:, :n],
            "counts": np.column_stack([s.last, s.year]),
        }
        for row, state in enumerate(JURISDICTIONS):
            head = f"{s.release},{s.n_open},{s.closing:.{_DIGITS}g},{s.newest},{state}"
            for name in _QUANTITIES:
                lines.append(f"{head},{name},{' '.join(_text(x) for x in tables[name][row])}")
    return "\n".join(lines) + "\n"


def _text(value: float) -> str:
    return "-" if np.isnan(value) else f"{value + 0.0:.{_DIGITS}g}"


def parsed(text: str) -> tuple[Seen, ...]:
    """The releases of a text that :func:`written` made."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    head, *rows = csv.reader(lines)
    if tuple(head[: len(_HEAD)]) != _HEAD:
        raise DataError(
            "the table of what releases missed has other columns",
            hint="make constants writes it again",
        )
    tables: dict[tuple[str, str, str, str], dict[str, list[list[float]]]] = {}
    for release, n_open, closing, newest, _, quantity, values in rows:
        numbers = [np.nan if x == "-" else float(x) for x in values.split(" ")]
        held = tables.setdefault((release, n_open, closing, newest), {})
        held.setdefault(quantity, []).append(numbers)
    return tuple(
        Seen(
            release=release,
            n_open=int(n_open),
            closing=float(closing),
            pending=np.array(held["pending"]),
            predicted=np.array(held["predicted"]),
            late=_wide(held["late"], 0.0),
            months=_wide(held["months"], np.nan),
            last=np.array(held["counts"])[:, 0],
            year=np.array(held["counts"])[:, 1],
            newest=int(newest),
        )
        for (release, n_open, closing, newest), held in tables.items()
    )


def _wide(rows: list[list[float]], fill: float) -> Floats:
    out = np.full((len(rows), SPAN), fill)
    out[:, : len(rows[0])] = rows
    return out
