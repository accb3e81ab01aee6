"""Vintage: what was known on a day. The one door to a panel, and how a release becomes one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd

from odforecast.errors import ArchiveError, PanelError, near
from odforecast.geography import JURISDICTIONS, NATION, pick
from odforecast.months import ONE_MONTH
from odforecast.names import (
    ALL_DEATHS,
    ALL_DRUGS,
    COUNTIES,
    INDICATOR_NAMES,
    INDICATOR_SAID,
    STATES,
    VINTAGE_REAL,
    indicator_name,
)
from odforecast.panel import Floats, Panel, Triangle
from odforecast.publication import final_through
from odforecast.say import card, html_facts, number_of, steady
from odforecast.sources.county import absent
from odforecast.vintage.dataset import PLACES, SETS, Grid, dataset_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from odforecast.vintage.archive import Archive, Kept
    from odforecast.vintage.revisions import Revisions

#: Indicators that stand beside another, by short name.
_BESIDE = ("all-deaths", "T40.4")
#: Those that have all drugs beside them: a model may take them as a part of the whole.
_PARTS = tuple(n for n in INDICATOR_NAMES.values() if n not in (ALL_DRUGS, ALL_DEATHS))
#: Earlier releases whose counts a panel carries: those of the last two years.
TRIANGLE_MONTHS = 24
#: Of all drugs, with what they said of themselves, those of so many months: a model learns from
#: them once their counts have settled.
LEARNING_MONTHS = 96
#: Months of a release, the last ones, of which it is kept what it said of them: those after its
#: last closed December, at most fifteen, and that December.
SAID_MONTHS = 16
#: Releases that a process keeps: a backtest asks for each of them at every later one.
_MOST = 256


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
    'the newest stored release, 2026-01-14, is used for 2026-02-01'
    >>> vintage.panel("T40.4").indicator
    'Synthetic opioids, excl. methadone (T40.4)'
    """

    def __init__(
        self, archive: Archive, as_of: dt.date, date: dt.date, note: str | None
    ) -> None:
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
        earlier = self._earlier()
        facts = {
            "as of": str(self.as_of),
            "release": str(self.date),
            "days old that day": (self.as_of - self.date).days,
            "earlier releases": f"{len(earlier)}, from {earlier[0]}"
            if earlier
            else "none",
            "note": self.note or "",
        }
        return html_facts(
            facts, "What was known on a day", note="next: .panel(), .to_frame()"
        )

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
        """The release as published: one row per indicator, location and month.

        Parameters
        ----------
        indicator : str, optional
            Default: all.
        locations : str or iterable of str, optional
            Default: all.
        dataset : {"states", "counties"}

        Returns
        -------
        DataFrame
            States: ``release``, ``month`` (datetime64), ``location`` (hub code), ``state`` (CDC's
            code), ``indicator``, ``reported``, ``predicted`` (NaN where not published),
            ``percent_complete``, ``percent_pending``, ``status`` (``ok``, ``suppressed``,
            ``low_quality`` or ``missing``). Counties: see :mod:`odforecast.sources.table`.

        Examples
        --------
        >>> import odforecast as od
        >>> len(od.bundled().as_of().to_frame("all-drugs", "Ohio"))
        128
        """
        if dataset_named(dataset) == COUNTIES:
            if indicator is not None:
                _all_drugs_only(indicator)
            table = self._archive.release(self.release(COUNTIES), None, COUNTIES)
        else:
            table = self.table if indicator is None else self._there(indicator)
        if locations is None:
            return table
        places = table[SETS[dataset].place]
        held = tuple(str(s) for s in places.unique())
        states = pick(locations, held, f"release {self.release(dataset)}", PanelError)
        order = places.map({s: i for i, s in enumerate(states)})
        return table.loc[order.dropna().sort_values(kind="stable").index].reset_index(
            drop=True
        )

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
        """
        return self.panel(indicator).plot(location, axes=axes, **style)

    def _there(self, indicator: str) -> pd.DataFrame:
        """Rows of an indicator, or what is there instead."""
        name = indicator_name(indicator)
        rows = self.rows(name)
        if rows.empty:
            hint = "it has: " + ", ".join(
                sorted(map(str, self.table["indicator"].unique()))
            )
            # A name that is right, of a class that the release lacks, needs no correction.
            if name not in INDICATOR_NAMES.values():
                for meant in near(
                    indicator, INDICATOR_SAID | {k: k for k in INDICATOR_NAMES}
                ):
                    hint = f"did you mean {meant!r}? {hint}"
            raise PanelError(f"release {self.date} has no indicator {name!r}", hint)
        return rows

    def rows(self, indicator: str) -> pd.DataFrame:
        """Rows of one indicator; only they are read. None are there if the release lacks it."""
        return self._archive.release(self.date, indicator_name(indicator))

    def release(self, dataset: str = STATES) -> dt.date:
        """Release date of the newest release of a data set known that day."""
        if dataset_named(dataset) == STATES:
            return self.date
        dates = self._archive.releases(dataset)
        known = [d for d in dates if d <= self.as_of]
        if not known:
            none = (
                f"{self._archive.path or 'the archive'} holds no release of {dataset}"
            )
            if dates:
                raise ArchiveError(
                    f"{none} of {self.as_of} or before: the first is {dates[0]}",
                    hint="archive.as_of(dataset='counties') is the newest",
                )
            raise ArchiveError(
                none,
                hint="odforecast data fetch --dataset counties, or odforecast data add FILE "
                "(gb4e-yj24 of data.cdc.gov)",
            )
        return known[-1]

    def revisions(
        self, location: str = NATION, indicator: str = "all-drugs"
    ) -> Revisions:
        """How counts were revised between the releases known that day.

        Parameters
        ----------
        location : str
            Any name of a place.

        Returns
        -------
        Revisions
            See :func:`odforecast.vintage.revisions.revisions`.
        """
        from odforecast.vintage.revisions import revisions

        return revisions(
            self._archive.until(self.as_of),
            location,
            indicator=indicator_name(indicator),
        )

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
            a class: all drugs), and what earlier releases said about the same cells.

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
            rows,
            name,
            as_of=self.as_of,
            release=self.date,
            notes=(self.note,) if self.note else (),
        )
        triangle = self._triangle(panel)
        earlier = (
            () if triangle is None else map(self._archive.reason, triangle.releases)
        )
        notes = (*panel.notes, *filter(None, earlier))
        return replace(
            panel,
            beside=self._beside(name),
            triangle=triangle,
            notes=notes,
        )

    def _counties(self, indicator: str) -> Panel:
        _all_drugs_only(indicator)
        date = self.release(COUNTIES)
        first = np.datetime64(date, "M") - TRIANGLE_MONTHS * ONE_MONTH
        days = [
            d
            for d in self._archive.releases(COUNTIES)
            if d < date and np.datetime64(d, "M") >= first
        ]
        own, *tables = (self._archive.release(d, None, COUNTIES) for d in (date, *days))
        last, *lasts = (
            t.loc[t["deaths"].notna(), "month"].max() for t in (own, *tables)
        )
        again = self._again(dict(zip(days, lasts)), last, dataset=COUNTIES)
        before = {d: t for d, t in zip(days, tables) if d not in again}
        age = (self.as_of - date).days
        notes = [self._archive.reason(d, COUNTIES) for d in (date, *before)]
        if age > SETS[COUNTIES].stale:
            notes.insert(
                0,
                f"release {date} of counties was {age} days old on {self.as_of}; CDC "
                "publishes every quarter",
            )
        told = tuple(filter(None, notes))
        return county_panel(
            own,
            self.as_of,
            states=self.panel(),
            notes=told,
            earlier=list(before.values()),
        )

    def _beside(self, indicator: str) -> dict[str, Panel]:
        out = {}
        for short in _BESIDE:
            name = INDICATOR_NAMES[short]
            # All causes: the newest release that has them; a class: the same release only.
            dates = self._earlier() if name == ALL_DEATHS else []
            for date in () if name == indicator else (self.date, *reversed(dates)):
                rows = self._archive.release(date, name)
                if rows["reported"].notna().any():
                    out[short] = state_panel(
                        rows, name, as_of=self.as_of, release=date, notes=()
                    )
                    break
        if indicator in _PARTS:
            rows = self.rows(ALL_DRUGS)
            if rows["reported"].notna().any():
                whole = state_panel(
                    rows, ALL_DRUGS, as_of=self.as_of, release=self.date, notes=()
                )
                out["all-drugs"] = replace(whole, triangle=self._triangle(whole))
        return out

    def _earlier(self) -> list[dt.date]:
        return [d for d in self._archive.releases() if d < self.date]

    def _again(
        self,
        ends: dict[dt.date, np.datetime64],
        last: np.datetime64,
        dataset: str = STATES,
    ) -> set[dt.date]:
        """Earlier releases that are copies: of one another, or of this one, which ends ``last``."""
        return {
            *self._archive.copies(ends, dataset),
            *(d for d in ends if ends[d] == last),
        }

    def _triangle(self, panel: Panel) -> Triangle | None:
        """What earlier releases said about a panel's cells; None where none has any of them."""
        learning = panel.indicator == ALL_DRUGS
        span = LEARNING_MONTHS if learning else TRIANGLE_MONTHS
        first = np.datetime64(panel.release, "M") - span * ONE_MONTH
        places = np.array([PLACES.index(s) for s in panel.locations])
        told: dict[dt.date, list[Floats]] = {}
        ends: dict[dt.date, np.datetime64] = {}
        known = np.full(len(PLACES), np.nan)
        for date in (d for d in self._earlier() if np.datetime64(d, "M") >= first):
            grid, everyone = _statement(self._archive._figures(date), panel.indicator)
            if everyone is not None:  # else those of the newest release that has them
                known = everyone
            if grid is None or (last := grid.last) is None:
                continue
            layers = [grid.on(panel.locations, panel.months)]
            if np.isnan(layers[0]).all():
                continue
            if learning:
                recent = (panel.months > last - SAID_MONTHS * ONE_MONTH) & (
                    panel.months <= last
                )
                for layer in ("pending", "predicted"):
                    said = grid.on(panel.locations, panel.months, layer)
                    layers.append(np.where(recent, said, np.nan))
                layers.append(known[places])
            told[date] = layers
            ends[date] = last
        again = self._again(ends, panel.last_month)
        kept = {date: layers for date, layers in told.items() if date not in again}
        return (
            Triangle(tuple(kept), *map(np.stack, zip(*kept.values()))) if kept else None
        )


def _all_drugs_only(indicator: str) -> None:
    if indicator_name(indicator) != ALL_DRUGS:
        raise PanelError(
            f"counties have no counts of {indicator_name(indicator)!r}",
            hint="CDC counts the deaths of all drugs together by county: all-drugs",
        )


def state_panel(
    rows: pd.DataFrame,
    indicator: str,
    as_of: dt.date,
    release: dt.date,
    notes: tuple[str, ...],
) -> Panel:
    """A panel of one indicator's rows of one release."""
    grid = Grid.from_rows(rows)
    if NATION not in grid.places and set(JURISDICTIONS) <= set(grid.places):
        parts = [grid.places.index(s) for s in JURISDICTIONS]
        whole = grid.reported[parts].sum(axis=0)
        # Predicted counts do not add up, and percentages are no sums.
        layers = {
            name: np.concatenate(
                [
                    (
                        whole
                        if name in ("reported", "low", "high")
                        else np.full(whole.size, np.nan)
                    )[None],
                    getattr(grid, name),
                ]
            )
            for name in _LAYERS
        }
        grid = Grid((NATION, *grid.places), grid.months, **layers)
        notes += (
            f"release {release} has no US row: the US is the sum of the 52 jurisdictions",
        )
    keep = np.flatnonzero(~np.isnan(grid.reported).all(axis=0))
    if not keep.size:
        raise PanelError(
            f"release {release} holds no reported counts for {indicator!r}",
            hint="it has predicted values only; use another release for this date",
        )
    # Months after the last one any location reports say nothing about the counts.
    span = slice(keep[0], keep[-1] + 1)
    return _panel(
        grid,
        span,
        dataset=STATES,
        indicator=indicator,
        as_of=as_of,
        release=release,
        final_through=final_through(release),
        notes=notes,
    )


def county_panel(
    table: pd.DataFrame,
    as_of: dt.date,
    states: Panel | None = None,
    notes: tuple[str, ...] = (),
    earlier: Sequence[pd.DataFrame] = (),
) -> Panel:
    """A panel of one release of counties."""
    grid = Grid.from_rows(table)
    release = table["release"].iloc[0].date()
    if np.isposinf(grid.high).any():
        notes += (f"release {release} lost every count of 1,000 and more",)
    notes += tuple(f"release {release} has {text}" for text in absent(table))
    codes = table.drop_duplicates("fips").set_index("fips")["urban"]
    triangle = (
        Triangle(
            tuple(t["release"].iloc[0].date() for t in earlier),
            np.stack([Grid.from_rows(t).on(grid.places, grid.months) for t in earlier]),
        )
        if earlier
        else None
    )
    return _panel(
        grid,
        slice(None),
        dataset=COUNTIES,
        indicator=ALL_DRUGS,
        as_of=as_of,
        release=release,
        beside={} if states is None else {STATES: states},
        triangle=triangle,
        final_through=min(final_through(release), grid.months[-1]),
        notes=notes,
        urban={s: str(codes[s]) for s in grid.places if codes[s]},
    )


_LAYERS = ("reported", "predicted", "complete", "pending", "low", "high")


def _panel(grid: Grid, span: slice, dataset: str, **about: Any) -> Panel:
    """The panel of a grid's months."""
    layers = {name: getattr(grid, name)[:, span] for name in _LAYERS}
    return Panel(
        vintage=VINTAGE_REAL,
        locations=grid.places,
        months=grid.months[span],
        dataset=dataset,
        basis=SETS[dataset].basis,
        **layers,
        **about,
    )


#: What a release said of an indicator, and its deaths from all causes in the order of ``PLACES``;
#: None where it has none.
Statement = tuple[Grid | None, Floats | None]


def _statement(figures: Kept, indicator: str) -> Statement:
    """What a release said: read once a process from a file, whose name says what is in it."""
    if figures.file is not None and figures.file.exists():
        return _remembered(figures, indicator)
    return _read_statement(figures, indicator)  # which refuses a file that is lost


@lru_cache(_MOST)
def _remembered(figures: Kept, indicator: str) -> Statement:
    return _read_statement(figures, indicator)


def _read_statement(figures: Kept, indicator: str) -> Statement:
    rows = figures.read(indicator)
    grid = None if rows.empty else Grid.from_rows(rows).shown
    all_deaths = _all_deaths(figures) if indicator == ALL_DRUGS else None
    return grid, all_deaths


def _all_deaths(figures: Kept) -> Floats | None:
    """What :attr:`odforecast.Panel.all_deaths` is with this release's beside a panel."""
    rows = figures.read(ALL_DEATHS)
    if not rows["reported"].notna().any():
        return None
    whole = state_panel(
        rows,
        ALL_DEATHS,
        as_of=figures.event.release,
        release=figures.event.release,
        notes=(),
    )
    beside = replace(whole, beside={"all-deaths": whole}).all_deaths
    out = np.full(len(PLACES), np.nan)
    out[[PLACES.index(s) for s in whole.locations]] = beside
    return out
