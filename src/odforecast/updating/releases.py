"""Two releases side by side: which counts are new, which differ, and one without the new ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from odforecast.geography import called
from odforecast.months import ONE_MONTH
from odforecast.panel import LAYERS, Floats, Panel

#: Columns of :func:`revised_counts`.
REVISED = ("location", "name", "month", "reported_before", "reported_now", "revision")


def without_newest(panel: Panel, like: Panel) -> Panel:
    """A release without the months that an earlier one did not have; all else as it is.

    Unlike :meth:`odforecast.Panel.cut` this is no pseudo-vintage: what the release says of the
    months that stay (how complete they are, what CDC predicts, which are final) is kept, and it
    is seen from its own day. So the months that stay are one release older than they were.

    Parameters
    ----------
    panel : Panel
        Of the new release.
    like : Panel
        Of the earlier one: the last month kept is its last.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> without_newest(panel, panel.cut("2024-12")).last_month, panel.last_month
    (np.datetime64('2024-12'), np.datetime64('2025-08'))
    """
    if like.last_month >= panel.last_month:
        return panel
    ends = {name: other.last_month for name, other in like.beside.items()}
    beside = {
        name: _until(other, ends.get(name, like.last_month)) for name, other in panel.beside.items()
    }
    left = f"months after {like.last_month} were left out"
    return replace(_until(panel, like.last_month), beside=beside, notes=(*panel.notes, left))


def _until(panel: Panel, month: np.datetime64) -> Panel:
    stop = min(max(int((month - panel.months[0]).astype(int)) + 1, 1), panel.months.size)
    triangle = None if panel.triangle is None else panel.triangle.cells(slice(stop))
    layers = {name: getattr(panel, name)[:, :stop] for name in LAYERS}
    return replace(panel, months=panel.months[:stop], triangle=triangle, **layers)


def counts_of(panel: Panel, earlier: Panel) -> dict[str, int]:
    """How many counts are new, and how many of those in both releases differ.

    Parameters
    ----------
    panel, earlier : Panel
        Of the new release and the one before.

    Returns
    -------
    dict of str to int
        ``new``, ``common``, ``revised``: see :class:`odforecast.updating.changes.Change`.
    """
    new = panel.reported[:, panel.months > earlier.last_month]
    a, b = _aligned(earlier, panel)
    both = np.isfinite(a) & np.isfinite(b)
    return {
        "new": int(np.isfinite(new).sum()),
        "common": int(both.sum()),
        "revised": int((both & (a != b)).sum()),
    }


def _aligned(earlier: Panel, panel: Panel) -> tuple[Floats, Floats]:
    """Reported counts of both at the places and months that both have."""
    places = [s for s in earlier.locations if s in panel.locations]
    first = max(earlier.months[0], panel.months[0])
    stop = min(earlier.last_month, panel.last_month) + ONE_MONTH
    out = []
    for one in (earlier, panel):
        columns = slice(*(int((m - one.months[0]).astype(int)) for m in (first, stop)))
        out.append(one.reported[[one.locations.index(s) for s in places], columns])
    return out[0], out[1]


def revised_counts(panel: Panel, earlier: Panel, locations: tuple[str, ...]) -> pd.DataFrame:
    """What became of the counts that were last before.

    Parameters
    ----------
    panel, earlier : Panel
        Of the new release and the one before.
    locations : tuple of str
        CDC codes.

    Returns
    -------
    DataFrame
        See :class:`odforecast.updating.changes.Change`.
    """
    month = earlier.last_month
    rows = []
    for place in locations:
        if place not in earlier.locations or month > panel.last_month or month < panel.months[0]:
            continue
        was = float(earlier.reported[earlier.locations.index(place), -1])
        column = int((month - panel.months[0]).astype(int))
        is_now = float(panel.reported[panel.locations.index(place), column])
        stamp = pd.Timestamp(str(month))
        rows.append((place, called(place), stamp, was, is_now, is_now - was))
    return pd.DataFrame(rows, columns=list(REVISED))
