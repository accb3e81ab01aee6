"""Vintage: what was known on a day. The one door to a panel."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd

from odforecast.errors import ArchiveError, PanelError, near
from odforecast.geography import NATION, pick
from odforecast.months import ONE_MONTH
from odforecast.names import (
    ALL_DEATHS,
    ALL_DRUGS,
    COUNTIES,
    INDICATOR_NAMES,
    INDICATOR_SAID,
    STATES,
    indicator_name,
)
from odforecast.panel import Panel, Triangle
from odforecast.say import card, html_facts, number_of, steady
from odforecast.vintage.county_panel import county_panel
from odforecast.vintage.earlier import TRIANGLE_MONTHS, triangle_of
from odforecast.vintage.figures import dataset_named
from odforecast.vintage.state_panel import state_panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from odforecast.vintage.archive import Archive
    from odforecast.vintage.revisions import Revisions

#: Counties are published every quarter.
_STALE_COUNTIES = 135
#: Indicators that stand beside another, by short name.
_BESIDE = ("all-deaths", "T40.4")
#: Those that have all drugs beside them: a model may take them as a part of the whole.
_PARTS = tuple(s for s, n in INDICATOR_NAMES.items() if n not in (ALL_DRUGS, ALL_DEATHS))


class Vintage:
    """What an archive knew on a day: the newest release by then, and what earlier ones said.

    Made by :meth:`odforecast.vintage.archive.Archive.as_of`. It reads lazily from its archive and
    stays in the process that opened it: send panels to workers, not vintages.

    Attributes
    ----------
    as_of : datetime.date
        The day asked for.
    date : datetime.date
        Release date of the numbers; never after ``as_of``.
    note : str or None
        Set when the day lies after the last release the archive has seen, or so long after
        ``date`` that CDC must have published a release the archive lacks; or when the release
        contradicts itself and was accepted, or was replaced: with the reason.

    Examples
    --------
    >>> import odforecast as od
    >>> vintage = od.bundled().as_of("2026-02-01")
    >>> vintage.note
    'the last release seen is 2026-01-14: asked for 2026-02-01, answered with it'
    >>> vintage.panel("T40.4").indicator
    'Synthetic opioids, excl. methadone (T40.4)'
    """

    def __init__(self, archive: Archive, as_of: dt.date, date: dt.date, note: str | None) -> None:
        self._archive = archive
        self.as_of = as_of
        self.date = date
        self.note = note

    @steady
    def __repr__(self) -> str:
        age = (self.as_of - self.date).days
        counties = self._archive.until(self.as_of).releases(COUNTIES)
        return card(
            f"Vintage: what was known on {self.as_of}",
            f"release {self.date}, {number_of(age, 'day')} old that day",
            f"of counties: release {counties[-1]}" if counties else "",
            f"note: {self.note}" if self.note else "",
            "next: .panel(), .panel('T40.4'), .revisions('Ohio'), .plot(), .to_frame()",
        )

    @steady
    def _repr_html_(self) -> str:
        earlier = self._earlier(self.date)
        facts = {
            "as of": str(self.as_of),
            "release": str(self.date),
            "days old that day": (self.as_of - self.date).days,
            "earlier releases": f"{len(earlier)}, from {earlier[0]}" if earlier else "none",
            "note": self.note or "",
        }
        return html_facts(facts, "What was known on a day", "next: .panel(), .to_frame()")

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a vintage stays in the process that opened its archive; send vintage.panel(...)"
        )

    @property
    def data_hash(self) -> str:
        """Content hash of the whole release."""
        return self._archive.data_hash(self.date)

    @property
    def table(self) -> pd.DataFrame:
        """Canonical long table of the release; the caller's own copy."""
        return self._archive.release(self.date)

    def to_frame(
        self,
        indicator: str | None = None,
        locations: str | Iterable[str] | None = None,
        dataset: str = STATES,
    ) -> pd.DataFrame:
        """The release as it was published, tidy: one row per indicator, location and month.

        Parameters
        ----------
        indicator : str, optional
            CDC's name, or a short one; default: all.
        locations : str or iterable of str, optional
            Places by any of their names; default: all.
        dataset : {"states", "counties"}

        Returns
        -------
        DataFrame
            Of counties, the columns of :mod:`odforecast.sources.table`. Of states:
            ``release`` and ``month`` (end of the 12 months, both datetime64), ``location`` (hub
            code, str), ``state`` (CDC's code, str), ``indicator`` (str); ``reported`` and
            ``predicted`` (12-month-ending deaths, float, NaN where not published),
            ``percent_complete`` and ``percent_pending`` (percent, float), ``status`` (``ok``,
            ``suppressed``, ``low_quality`` or ``missing``).

        Raises
        ------
        PanelError
            If the release lacks the indicator, or a place.
        UnknownNameError
            If a name is no place's, or a place is named twice.

        Examples
        --------
        >>> import odforecast as od
        >>> len(od.bundled().as_of().to_frame("all-drugs", "Ohio"))
        128
        """
        if dataset_named(dataset) == COUNTIES:
            if indicator is not None:
                _all_drugs_only(indicator)
            date, column = self.release(COUNTIES), "fips"
            table = self._archive.release(date, None, COUNTIES)
        else:
            date, column = self.date, "state"
            table = self.table if indicator is None else self._there(indicator)
        if locations is None:
            return table
        held = tuple(str(s) for s in table[column].unique())
        states = pick(locations, held, f"release {date}", PanelError)
        place = table[column].map({s: i for i, s in enumerate(states)})
        kept = place.dropna().sort_values(kind="stable").index
        return table.loc[kept].reset_index(drop=True)

    def plot(
        self,
        location: str | None = None,
        indicator: str = "all-drugs",
        axes: Axes | None = None,
        **style: Any,
    ) -> Axes:
        """Reported, and CDC's predicted, counts of one place: :meth:`odforecast.Panel.plot`.

        Parameters
        ----------
        location : str, optional
            Any of its names. Default: the US.
        indicator : str
            CDC's name, or a short one.
        axes : matplotlib Axes, optional
            Drawn into; default: those of a new figure.
        **style
            As :func:`odforecast.plot.counts` takes it.

        Returns
        -------
        matplotlib Axes
        """
        return self.panel(indicator).plot(location, axes=axes, **style)

    def _there(self, indicator: str) -> pd.DataFrame:
        """Rows of an indicator, or what is there instead."""
        name = indicator_name(indicator)
        rows = self.rows(name)
        if rows.empty:
            known = ", ".join(sorted(map(str, self.table["indicator"].unique())))
            short = {k: k for k in INDICATOR_NAMES}
            # A name that is right, of a class that the release lacks, needs no correction.
            meant = (
                () if name in INDICATOR_NAMES.values() else near(indicator, INDICATOR_SAID | short)
            )
            raise PanelError(
                f"release {self.date} has no indicator {name!r}",
                hint=(f"did you mean {meant[0]!r}? " if meant else "") + f"it has: {known}",
            )
        return rows

    def rows(self, indicator: str) -> pd.DataFrame:
        """Rows of one indicator; only they are read. None are there if the release lacks it."""
        return self._archive.release(self.date, indicator_name(indicator))

    def release(self, dataset: str = STATES) -> dt.date:
        """Release date of the newest release of a data set known that day.

        Raises
        ------
        ArchiveError
            If the archive holds no release of that data set.
        """
        if dataset_named(dataset) == STATES:
            return self.date
        dates = self._archive.releases(dataset)
        known = [d for d in dates if d <= self.as_of]
        if not known:
            where = self._archive.path or "the archive"
            raise ArchiveError(
                f"{where} holds no release of {dataset}"
                + (f" of {self.as_of} or before: the first is {dates[0]}" if dates else ""),
                hint="archive.as_of(dataset='counties') is the newest"
                if dates
                else "odforecast data fetch --dataset counties, or odforecast data add FILE "
                "(gb4e-yj24 of data.cdc.gov)",
            )
        return known[-1]

    def revisions(self, location: str = NATION, indicator: str = "all-drugs") -> Revisions:
        """How counts were revised between the releases known that day.

        Parameters
        ----------
        location : str
            Any name of a place.
        indicator : str

        Returns
        -------
        Revisions
            See :func:`odforecast.vintage.revisions.revisions`.
        """
        from odforecast.vintage.revisions import revisions

        return revisions(self._archive.until(self.as_of), location, indicator_name(indicator))

    def panel(self, indicator: str = "all-drugs", dataset: str = STATES) -> Panel:
        """One target as it was known that day, all locations.

        Parameters
        ----------
        indicator : str
            CDC's name, or a short one: ``all-drugs``, ``T40.4``, ``cocaine``, …
        dataset : {"states", "counties"}

        Returns
        -------
        Panel
            Of counties: all of the newest release known that day, in FIPS order, with the states'
            panel of the day beside it (``beside["states"]``), newer months and all.
            Of states: US first where the release has it or all of its parts, then the
            jurisdictions; with deaths of all causes and T40.4 of the same day beside it (beside
            a class: all drugs), and what earlier releases said of the same cells.

        Raises
        ------
        PanelError
            If the release lacks the indicator, or holds no count of it.
        ArchiveError
            If the archive has no release of the data set.
        """
        if dataset_named(dataset) == COUNTIES:
            return self._counties(indicator)
        name = indicator_name(indicator)
        rows = self._there(indicator)
        panel = state_panel(
            rows, name, self.as_of, self.date, () if not self.note else (self.note,)
        )
        triangle = self._triangle(panel)
        earlier = () if triangle is None else map(self._archive.reason, triangle.releases)
        notes = (*panel.notes, *(reason for reason in earlier if reason))
        return replace(panel, beside=self._beside(name), triangle=triangle, notes=notes)

    def _counties(self, indicator: str) -> Panel:
        _all_drugs_only(indicator)
        date = self.release(COUNTIES)
        dates = self._archive.releases(COUNTIES)
        first = np.datetime64(date, "M") - TRIANGLE_MONTHS * ONE_MONTH
        earlier = [d for d in dates if d < date and np.datetime64(d, "M") >= first]
        age = (self.as_of - date).days
        notes = [self._archive.reason(d, COUNTIES) for d in (date, *earlier)]
        if age > _STALE_COUNTIES:
            notes.insert(0, f"release {date} of counties was {age} days old on {self.as_of}; CDC "
                         "publishes every quarter")  # fmt: skip
        return county_panel(
            self._archive.release(date, None, COUNTIES),
            self.as_of,
            self.panel(),
            tuple(n for n in notes if n),
            [self._archive.release(d, None, COUNTIES) for d in earlier],
        )

    def _beside(self, indicator: str) -> dict[str, Panel]:
        out = {}
        for short in _BESIDE:
            name = INDICATOR_NAMES[short]
            if name == indicator:
                continue
            # All causes: the newest release that has them; a class: the same release only.
            dates = self._earlier(self.date) if name == ALL_DEATHS else []
            for date in (self.date, *reversed(dates)):
                rows = self._archive.release(date, name)
                if not rows.empty and rows["reported"].notna().any():
                    out[short] = state_panel(rows, name, self.as_of, date, ())
                    break
        if indicator in {INDICATOR_NAMES[short] for short in _PARTS}:
            rows = self.rows(ALL_DRUGS)
            if not rows.empty and rows["reported"].notna().any():
                whole = state_panel(rows, ALL_DRUGS, self.as_of, self.date, ())
                out["all-drugs"] = replace(whole, triangle=self._triangle(whole))
        return out

    def _earlier(self, date: dt.date) -> list[dt.date]:
        return [d for d in self._archive.releases() if d < date]

    def _triangle(self, panel: Panel) -> Triangle | None:
        return triangle_of(self._archive, panel, self._earlier(self.date))


def _all_drugs_only(indicator: str) -> None:
    if indicator_name(indicator) != ALL_DRUGS:
        raise PanelError(
            f"counties have no counts of {indicator_name(indicator)!r}",
            hint="CDC counts the deaths of all drugs together by county: all-drugs",
        )
