"""How counts were revised: releases × months, what changed between two releases, completeness."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ArchiveError, UnknownNameError, one_of
from odforecast.geography import JURISDICTIONS, NATION, called, pick, resolve
from odforecast.geography.places import by_fips
from odforecast.months import ONE_MONTH, Months
from odforecast.names import (
    ALL_DRUGS,
    COUNTIES,
    INDICATOR_NAMES,
    INDICATOR_SAID,
    STATES,
    indicator_name,
)
from odforecast.panel import Floats
from odforecast.say import card, html_table, listed, number_of, steady
from odforecast.sources.table import INDICATORS
from odforecast.vintage.dataset import ORDER, SETS, Grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from odforecast.vintage.archive import Archive

type Cells = NDArray[np.intp]
#: What they are called in a message.
_OF = "the table of revisions"


@dataclass(
    frozen=True,
    eq=False,
    repr=False,
)
class Revisions:
    """One indicator in every release: releases × locations × months.

    Attributes
    ----------
    indicator : str
    releases : tuple of datetime.date
        Oldest first, R of them; those left out are in ``skipped``.
    locations : tuple of str
        CDC codes, L of them.
    months : ndarray of datetime64[M], shape (M,)
        End of the 12-month periods, without gaps.
    reported, predicted : ndarray, shape (R, L, M)
        12-month-ending deaths; NaN where the release has none.
    hashes : tuple of str
        Content hash of each release.
    skipped : dict of datetime.date to str
        Releases with no reported count of the indicator at these locations, and copies of another.
    """

    indicator: str
    releases: tuple[dt.date, ...]
    locations: tuple[str, ...]
    months: Months
    reported: Floats
    predicted: Floats
    hashes: tuple[str, ...]
    skipped: dict[dt.date, str]

    @steady
    def __repr__(self) -> str:
        return card(
            f"Revisions: {self.indicator}, {number_of(len(self.releases), 'release')}",
            f"releases {self.releases[0]} to {self.releases[-1]}"
            + (f", {len(self.skipped)} left out" if self.skipped else ""),
            f"{number_of(len(self.locations), 'location')} ({listed(self.locations)}), "
            f"{self.months[0]} to {self.months[-1]}",
            "next: .triangle('US'), .units(), .plot('US'), .select('Ohio'), .to_frame()",
        )

    @steady
    def _repr_html_(self) -> str:
        place = self._place(None)
        row = self.reported[:, self._index(place)]
        known = np.isfinite(row)
        last = np.where(
            known.any(axis=1), known.shape[1] - 1 - known[:, ::-1].argmax(axis=1), 0
        )
        columns = {
            "release": self.releases,
            "last month": self.months[last].astype(str),
            "reported": row[np.arange(len(row)), last],
            "in the newest release": row[-1, last],
        }
        title = f"{self.indicator}, {called(place)}: last count of each release"
        hint = "12-month-ending deaths, newest release first"
        return html_table(pd.DataFrame(columns).iloc[::-1], title, note=hint)

    def to_frame(self) -> pd.DataFrame:
        """Every published count, tidy: one row per location, month and release that has one.

        Returns
        -------
        DataFrame
            ``location`` (CDC code, str), ``name`` (in full, str), ``month`` (end of the 12 months,
            datetime64[s]), ``release`` (datetime64[s]), ``age`` (months from the one to the
            other, int), ``reported`` and ``predicted`` (12-month-ending deaths, float, NaN where
            the release has none).

        Examples
        --------
        >>> import odforecast as od
        >>> from odforecast.vintage.revisions import revisions
        >>> list(revisions(od.bundled(), "US").to_frame())
        ['location', 'name', 'month', 'release', 'age', 'reported', 'predicted']
        """
        there = np.isfinite(self.reported) | np.isfinite(self.predicted)
        place, m, r = np.nonzero(np.moveaxis(there, 0, 2))
        table = self._cells(r, place, m=m, unit="s").assign(
            predicted=self.predicted[r, place, m]
        )
        table.insert(
            1, "name", table["location"].map({s: called(s) for s in self.locations})
        )
        return table

    def _cells(self, r: Cells, place: Cells, m: Cells, unit: str) -> pd.DataFrame:
        """Some cells, a row each, with what labels them."""
        return pd.DataFrame(
            {
                "location": np.array(self.locations, dtype=object)[place],
                "month": self.months[m].astype(f"datetime64[{unit}]"),
                "release": np.array(self.releases, dtype=f"datetime64[{unit}]")[r],
                "age": self.ages[r, m],
                "reported": self.reported[r, place, m],
            }
        )

    def select(self, locations: str | Iterable[str]) -> Revisions:
        """Only these locations, by any of their names, in this order."""
        rows = [self.locations.index(s) for s in pick(locations, self.locations, _OF)]
        return replace(
            self,
            locations=tuple(self.locations[i] for i in rows),
            reported=self.reported[:, rows],
            predicted=self.predicted[:, rows],
        )

    def plot(
        self, location: str | None = None, axes: Axes | None = None, **style: Any
    ) -> Axes:
        """What each release said about each month of one place: the reporting triangle.

        Parameters
        ----------
        location : str, optional
            Any of its names. Default: the only one there is, or else the US or the first.
        axes : matplotlib Axes, optional
            Drawn into; default: those of a new figure.
        **style
            As :func:`odforecast.plot.revision_triangle` takes it.
        """
        from odforecast.plot import revision_triangle

        place = self.locations[self._index(self._place(location))]
        return revision_triangle(self, place, axes=axes, **style)

    def _place(self, location: str | None) -> str:
        if location is not None:
            return location
        return NATION if NATION in self.locations else self.locations[0]

    @property
    def ages(self) -> NDArray[np.int64]:
        """Months from the end of each period to each release, shape (R, M)."""
        published = np.array(self.releases, dtype="datetime64[D]").astype(
            "datetime64[M]"
        )
        return (published[:, None] - self.months[None, :]).astype(np.int64)

    def triangle(self, location: str = "US", column: str = "reported") -> pd.DataFrame:
        """Releases × months of one location, as a labelled table.

        Parameters
        ----------
        column : {"reported", "predicted"}

        Returns
        -------
        DataFrame, shape (R, M)
            Index ``release``, columns ``month`` (both datetime64); NaN where a release has no
            count.
        """
        if column not in ("reported", "predicted"):
            raise UnknownNameError(
                f"unknown column {column!r}",
                hint=one_of(column, ("reported", "predicted")),
            )
        values = self.reported if column == "reported" else self.predicted
        return pd.DataFrame(
            values[:, self._index(location)],
            index=pd.DatetimeIndex(
                [pd.Timestamp(d) for d in self.releases], name="release"
            ),
            columns=pd.DatetimeIndex(
                self.months.astype("datetime64[ns]"), name="month"
            ),
        )

    def final(self, settled: int = 12) -> tuple[Floats, dt.date]:
        """Reported counts of the newest release, where they are old enough to be final.

        Parameters
        ----------
        settled : int
            Months from the end of a period to the release.

        Returns
        -------
        final : ndarray, shape (L, M)
            NaN where the newest release has no count, or one that is too young.
        release : datetime.date
        """
        old = self.ages[-1] >= settled
        return np.where(old[None, :], self.reported[-1], np.nan), self.releases[-1]

    def units(self, settled: int = 12) -> pd.DataFrame:
        """Every count that has a final value: one row per (location, month, release).

        Parameters
        ----------
        settled : int
            As in :meth:`final`.

        Returns
        -------
        DataFrame
            Columns ``location`` (CDC code), ``month``, ``release``, ``age`` (months),
            ``reported``, ``final`` (deaths), ``completeness`` (reported / final) and
            ``final_release``. The newest release itself has no rows: it is the final one.
        """
        final, release = self.final(settled)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = self.reported[:-1] / final[None]
        r, place, m = np.nonzero(np.isfinite(ratio))
        return self._cells(r, place, m=m, unit="ns").assign(
            final=final[place, m],
            completeness=ratio[r, place, m],
            final_release=pd.Timestamp(release),
        )

    def _index(self, location: str) -> int:
        (state,) = pick([location], self.locations, _OF)
        return self.locations.index(state)


def revisions(
    archive: Archive, locations: str | Iterable[str] = "US", indicator: str = ALL_DRUGS
) -> Revisions:
    """What every release of an archive said about the same months.

    Parameters
    ----------
    locations : str or iterable of str
        ``"all"`` for the US and every jurisdiction; counties (``"39035"``, ``"Ohio/*"``) are not
        combined with states.
    indicator : str
        CDC's name, or a short one; for counties all drugs.

    Raises
    ------
    ArchiveError
        If no release has a reported count of the indicator there.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.vintage.revisions import revisions
    >>> seen = revisions(od.bundled(), "US")
    >>> seen.triangle("US").shape
    (2, 128)
    """
    indicator = indicator_name(indicator)
    if indicator not in INDICATORS:
        raise UnknownNameError(
            f"unknown indicator {indicator!r}",
            hint=one_of(indicator, INDICATOR_NAMES, also=INDICATOR_SAID)
            + ", or as CDC spells it",
        )
    every = isinstance(locations, str) and locations.strip().lower() == "all"
    states = (NATION, *JURISDICTIONS) if every else resolve(locations)
    of_counties = [code in by_fips() for code in states]
    if any(of_counties) and not (all(of_counties) and indicator == ALL_DRUGS):
        raise UnknownNameError(
            "counties have releases of their own, with the deaths of all drugs together",
            hint="ask for counties alone, and for all-drugs",
        )
    dataset = SETS[COUNTIES if any(of_counties) else STATES]
    found: dict[dt.date, Grid | None] = {}
    ends: dict[dt.date, np.datetime64] = {}
    for date in archive.releases(dataset.name):
        table = archive.release(date, indicator if dataset.part else None, dataset.name)
        if (shown := table.loc[table[dataset.counts].notna(), "month"]).size:
            ends[date] = np.datetime64(shown.max(), "M")
        rows = table[table[dataset.place].isin(states)]
        found[date] = None if rows.empty else Grid.from_rows(rows)
    again = archive.copies(ends, dataset.name)
    kept = {
        d: g for d, g in found.items() if g and g.last is not None and d not in again
    }
    if not kept:
        raise ArchiveError(
            f"no release has a reported count of {indicator!r} for {', '.join(states)}",
            hint="is it the right indicator?",
        )
    first = min(g.months[0] for g in kept.values())
    last = max(g.months[-1] for g in kept.values())
    months = np.arange(first, last + ONE_MONTH)
    return Revisions(
        indicator=indicator,
        releases=tuple(kept),
        locations=states,
        months=months,
        reported=np.stack([g.on(states, months) for g in kept.values()]),
        predicted=np.stack([g.on(states, months, "predicted") for g in kept.values()]),
        hashes=tuple(archive.data_hash(d, dataset.name) for d in kept),
        skipped={
            d: again.get(d, "no reported count of it") for d in found if d not in kept
        },
    )


def compare(
    archive: Archive,
    a: str | dt.date,
    b: str | dt.date,
    indicator: str | None = None,
) -> pd.DataFrame:
    """Differences between two releases.

    Parameters
    ----------
    a, b : date or str
        Release dates.
    indicator : str, optional
        This one only.

    Returns
    -------
    DataFrame
        Rows whose reported count or status differs, in the order of the table: ``state``,
        ``month``, ``indicator``, ``reported_a``, ``reported_b``, ``change`` (b less a),
        ``percent`` (of a), ``status_a``, ``status_b`` (``"absent"`` where a release has no such
        row) and ``kind``: ``"changed"``, ``"appeared"`` or ``"vanished"``.
    """
    keys = ["indicator", "state", "month"]
    said = ["reported", "status"]
    sides = [
        archive.release(d, indicator)[[*keys, *said]].astype({"status": object})
        for d in (a, b)
    ]
    found = sides[0].merge(
        sides[1],
        on=keys,
        how="outer",
        suffixes=("_a", "_b"),
    )
    found = found.fillna({"status_a": "absent", "status_b": "absent"})
    one = found["reported_a"]
    two = found["reported_b"]
    blank = one.isna() & two.isna() & (found["status_a"] == found["status_b"])
    found = found[~((one == two) | blank)].copy()
    one = found["reported_a"]
    two = found["reported_b"]
    found["change"] = two - one
    found["percent"] = (100 * found["change"] / one).where(one != 0)
    kinds = [one.isna() & two.notna(), one.notna() & two.isna()]
    found["kind"] = np.select(kinds, ["appeared", "vanished"], "changed")
    rank = {"indicator": {k: i for i, k in enumerate(INDICATORS)}, "state": ORDER}
    found = found.sort_values(
        keys, key=lambda c: c.map(rank[str(c.name)]) if c.name in rank else c
    ).reset_index(drop=True)
    names = [
        "state",
        "month",
        "indicator",
        "reported_a",
        "reported_b",
        "change",
        "percent",
        "status_a",
        "status_b",
        "kind",
    ]
    return found[names]


def completeness(
    units: pd.DataFrame, by: Iterable[str] = ("location",)
) -> pd.DataFrame:
    """Completeness by months since the end of the period.

    Parameters
    ----------
    units : DataFrame
        As :meth:`odforecast.vintage.revisions.Revisions.units` gives it.
    by : iterable of str
        Columns besides ``age``; empty for one curve over all.

    Returns
    -------
    DataFrame
        Columns ``*by``, ``age``, ``n`` (counts behind it), ``median``, ``low`` and ``high``
        (5 and 95%) of reported / final.
    """
    grouped = units.groupby([*by, "age"], sort=True)["completeness"]
    curve = grouped.agg(
        n="size",
        median="median",
        low=lambda x: x.quantile(0.05),
        high=lambda x: x.quantile(0.95),
    )
    return curve.reset_index()
