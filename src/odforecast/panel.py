"""Panel: one indicator seen at one date, months × locations.

A panel is all a forecaster is given. It has no path back to the archive or to the truth.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError, PanelError
from odforecast.geography.places import JURISDICTIONS, lookup, population
from odforecast.monthly.sums import recover_months
from odforecast.months import ONE_MONTH, Months, to_month
from odforecast.names import ALL_DEATHS, ALL_DRUGS, VINTAGE_KINDS, VINTAGE_REAL, VINTAGE_THINNED
from odforecast.seeds import content_hash
from odforecast.vintage.archive import Archive

Floats = NDArray[np.float64]

_LAYERS = ("reported", "predicted", "percent_complete", "percent_pending")


@dataclass(frozen=True, eq=False)
class Panel:
    """One indicator as one release gave it. Immutable; arrays are read-only.

    Build one with :meth:`from_table`; cut a pseudo-vintage with :meth:`cut`.

    Attributes
    ----------
    indicator : str
        CDC's indicator, for example ``"Number of Drug Overdose Deaths"``.
    as_of : datetime.date
        The day the panel is seen from. Nothing published later is in it.
    release : datetime.date
        Release the numbers come from. For a pseudo-vintage this is the later release that
        was cut.
    vintage : {"real", "pseudo-clean", "pseudo-thinned"}
        How the panel came to be.
    locations : tuple of str
        CDC codes, length L (``US``, ``AL`` …, ``YC``).
    months : ndarray of datetime64[M], shape (T,)
        Ends of the 12-month periods, consecutive.
    reported, predicted : ndarray, shape (L, T)
        12-month-ending deaths; NaN where not published.
    percent_complete, percent_pending : ndarray, shape (L, T)
        CDC's data-quality figures, in percent; NaN where not published.
    all_deaths : ndarray, shape (L,)
        Deaths from all causes in the last complete year known at the as-of date: what a
        percentage of records pending is a percentage of. NaN where unknown.
    problems : mapping of str to str
        Locations without usable months, and why.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.Panel.from_archive(od.bundled(), as_of="2025-09-17")
    >>> panel.last_month, len(panel.locations)
    (np.datetime64('2025-04'), 53)
    """

    indicator: str
    as_of: dt.date
    release: dt.date
    vintage: str
    locations: tuple[str, ...]
    months: Months
    reported: Floats
    predicted: Floats
    percent_complete: Floats
    percent_pending: Floats
    all_deaths: Floats | None = None
    problems: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.vintage not in VINTAGE_KINDS:
            raise PanelError(
                f"unknown vintage kind {self.vintage!r}", hint=f"one of {', '.join(VINTAGE_KINDS)}"
            )
        if not self.locations or len(set(self.locations)) != len(self.locations):
            raise PanelError(f"locations must be distinct and not empty, got {self.locations}")
        months = np.asarray(self.months, dtype="datetime64[M]")
        if months.size == 0 or (np.diff(months).astype(int) != 1).any():
            raise PanelError("months must be consecutive and not empty")
        if np.datetime64(self.as_of, "D") < months[-1].astype("datetime64[D]"):
            raise PanelError(f"as-of date {self.as_of} lies before the last month {months[-1]}")
        shape = (len(self.locations), months.size)
        for name in _LAYERS:
            array = np.array(getattr(self, name), dtype=float)
            if array.shape != shape:
                raise PanelError(f"{name} has shape {array.shape}, expected {shape}")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        whole = np.full(shape[0], np.nan) if self.all_deaths is None else self.all_deaths
        whole = np.array(whole, dtype=float)
        if whole.shape != shape[:1]:
            raise PanelError(f"all_deaths has shape {whole.shape}, expected {shape[:1]}")
        whole.flags.writeable = False
        object.__setattr__(self, "all_deaths", whole)
        months = months.copy()
        months.flags.writeable = False
        object.__setattr__(self, "months", months)
        object.__setattr__(self, "problems", MappingProxyType(dict(self.problems)))

    def __repr__(self) -> str:
        return (
            f"<Panel {self.indicator!r} as of {self.as_of} ({self.vintage}, release "
            f"{self.release}): {len(self.locations)} locations, "
            f"{self.months[0]}..{self.months[-1]}>"
        )

    def __getstate__(self) -> dict[str, object]:
        # Caches are rebuilt; a mapping proxy does not pickle.
        state = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return state | {"problems": dict(self.problems)}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self.__post_init__()

    @classmethod
    def from_table(
        cls,
        table: pd.DataFrame,
        *,
        as_of: dt.date,
        release: dt.date,
        indicator: str = ALL_DRUGS,
        locations: Iterable[str] | None = None,
        vintage: str = VINTAGE_REAL,
        all_deaths: Mapping[str, float] | None = None,
    ) -> Panel:
        """Build a panel from the canonical long table of one release.

        Parameters
        ----------
        table : DataFrame
            Columns of :data:`odforecast.names.TABLE_COLUMNS`; one release.
        as_of, release : datetime.date
            The day it is seen from, and the release date.
        indicator : str
            Which indicator.
        locations : iterable of str, optional
            CDC codes, in this order; default: all but Puerto Rico, US first.
        vintage : str
            How the table came to be.
        all_deaths : mapping of str to float, optional
            Deaths from all causes in a year, by location.

        Raises
        ------
        PanelError
            If the indicator or a location is not there, or no count is.
        """
        rows = table[table["indicator"] == indicator]
        if rows.empty:
            known = ", ".join(sorted(map(str, table["indicator"].unique())))
            raise PanelError(
                f"release {release} has no indicator {indicator!r}", hint=f"it has: {known}"
            )
        present = set(rows["state"])
        if locations is None:
            states = [s for s in ("US", *JURISDICTIONS) if s in present]
        else:
            states = list(locations)
            if absent := [s for s in states if s not in present]:
                raise PanelError(
                    f"release {release} has no {indicator!r} for {', '.join(absent)}",
                    hint=f"it has: {', '.join(sorted(present))}",
                )
        rows = rows[rows["state"].isin(states)]
        stamps = rows["month"].to_numpy().astype("datetime64[M]")
        months = np.arange(stamps.min(), stamps.max() + ONE_MONTH)
        shape = (len(states), months.size)
        where = (
            pd.Index(states).get_indexer(pd.Index(rows["state"])),
            (stamps - months[0]).astype(int),
        )
        layers: dict[str, Any] = {}
        for name in _LAYERS:
            layers[name] = np.full(shape, np.nan)
            layers[name][where] = rows[name].to_numpy(dtype=float)
        reported = layers["reported"]
        if np.isnan(reported).all():
            raise PanelError(
                f"release {release} holds no reported counts for {indicator!r}",
                hint="it has predicted values only; use another release for this date",
            )
        # Months after the last one any location reports say nothing about the counts.
        keep = np.flatnonzero(~np.isnan(reported).all(axis=0))
        span = slice(keep[0], keep[-1] + 1)
        return cls(
            indicator=indicator,
            as_of=as_of,
            release=release,
            vintage=vintage,
            locations=tuple(states),
            months=months[span],
            all_deaths=np.array([(all_deaths or {}).get(s, np.nan) for s in states]),
            **{name: array[:, span] for name, array in layers.items()},
        )

    @classmethod
    def from_archive(
        cls,
        archive: Archive,
        as_of: dt.date | str,
        *,
        indicator: str = ALL_DRUGS,
        locations: Iterable[str] | None = None,
    ) -> Panel:
        """The newest release of an archive that was known on a day.

        Parameters
        ----------
        archive : Archive
            Releases.
        as_of : date or str
            The day; ``"2024-12-11"``.
        indicator, locations
            As in :meth:`from_table`.

        Raises
        ------
        ArchiveError
            If the archive holds nothing that old.
        PanelError
            If the release lacks the indicator or a location.
        """
        seen = archive.as_of(as_of, indicator)
        if seen.table.empty:
            seen = archive.as_of(as_of)  # the refusal lists the indicators that are there
        return cls.from_table(
            seen.table,
            as_of=seen.as_of,
            release=seen.date,
            indicator=indicator,
            locations=locations,
            all_deaths=_all_deaths(archive, seen.as_of),
        )

    @property
    def last_month(self) -> np.datetime64:
        """Last month with a reported count anywhere."""
        return np.datetime64(self.months[-1], "M")

    @property
    def month_grid(self) -> Months:
        """Months behind the sums, shape (T + 11,): starts 11 before ``months``."""
        return np.arange(self.months[0] - 11 * ONE_MONTH, self.months[-1] + ONE_MONTH)

    @cached_property
    def _recovered(self) -> tuple[Floats, dict[str, str]]:
        problems = dict(self.problems)
        try:
            months = recover_months(self.reported)
        except DataError:
            rows = []
            for state, row in zip(self.locations, self.reported):
                try:
                    rows.append(recover_months(row[None])[0])
                except DataError as error:
                    problems[state] = error.message
                    rows.append(np.full(row.size + 11, np.nan))
            months = np.stack(rows)
        months.flags.writeable = False
        return months, problems

    @property
    def monthly(self) -> Floats:
        """Monthly deaths behind the reported sums, shape (L, T + 11), on :attr:`month_grid`.

        Exact up to one additive constant per calendar month; see
        :mod:`odforecast.monthly.sums`.
        """
        return self._recovered[0]

    def usable(self, min_months: int = 24) -> tuple[tuple[str, ...], dict[str, str]]:
        """Locations a model can use, and why the others cannot be used.

        A usable location has a reported count in the last month and at least ``min_months``
        months without a gap before it.

        Returns
        -------
        usable : tuple of str
        skipped : dict of str to str
            Location to reason.
        """
        months, problems = self._recovered
        skipped: dict[str, str] = {}
        good: list[str] = []
        for state, row in zip(self.locations, months):
            gaps = np.flatnonzero(np.isnan(row))
            length = row.size if gaps.size == 0 else row.size - 1 - int(gaps[-1])
            if state in problems:
                skipped[state] = problems[state]
            elif length == 0:
                skipped[state] = f"no reported count in the last month ({self.last_month})"
            elif length < min_months:
                skipped[state] = f"only {length} months up to {self.last_month}"
            else:
                good.append(state)
        return tuple(good), skipped

    def index(self, state: str) -> int:
        """Row of a location.

        Raises
        ------
        PanelError
            If the panel does not hold it.
        """
        code = lookup(state).state
        if code not in self.locations:
            raise PanelError(
                f"the panel has no {code}", hint=f"it has: {', '.join(self.locations)}"
            )
        return self.locations.index(code)

    def select(self, locations: Iterable[str]) -> Panel:
        """The same panel with only these locations, in this order."""
        states = tuple(lookup(s).state for s in locations)
        rows = [self.index(s) for s in states]
        layers = {name: getattr(self, name)[rows] for name in _LAYERS}
        problems = {s: r for s, r in self.problems.items() if s in states}
        assert self.all_deaths is not None
        whole = self.all_deaths[rows]
        return replace(self, locations=states, problems=problems, all_deaths=whole, **layers)

    def cut(self, last_month: object, *, as_of: dt.date, vintage: str) -> Panel:
        """A pseudo-vintage: this panel up to ``last_month``, seen from ``as_of``.

        Parameters
        ----------
        last_month : month
            Last month kept.
        as_of : datetime.date
            The day it is meant to be seen from.
        vintage : {"pseudo-clean", "pseudo-thinned"}
            Label of the result; a cut panel is never ``"real"``.

        Raises
        ------
        PanelError
            If the month is not in the panel, or the label is ``"real"``.
        """
        month = to_month(last_month)
        if not self.months[0] <= month <= self.months[-1]:
            raise PanelError(
                f"cannot cut at {month}: the panel has {self.months[0]}..{self.months[-1]}"
            )
        if vintage == VINTAGE_REAL:
            raise PanelError("a cut panel is not a real vintage", hint="label it pseudo-clean")
        stop = int((month - self.months[0]).astype(int)) + 1
        layers = {name: getattr(self, name)[:, :stop] for name in _LAYERS}
        return replace(self, as_of=as_of, vintage=vintage, months=self.months[:stop], **layers)

    def thinned(self, completeness: Floats) -> Panel:
        """The panel with its last sums reduced to what would have been reported so far.

        Parameters
        ----------
        completeness : ndarray, shape (K,)
            Share of the 12-month-ending count reported, the last month first.

        Returns
        -------
        Panel
            Labelled ``"pseudo-thinned"``; counts rounded to whole deaths. Predicted counts
            are blank where the reported are thinned: the publisher's estimate for such a
            vintage does not exist.
        """
        shares = np.ones(self.months.size)
        stop = min(len(completeness), shares.size)
        shares[shares.size - stop :] = np.asarray(completeness, dtype=float)[:stop][::-1]
        return replace(
            self,
            vintage=VINTAGE_THINNED,
            reported=np.round(self.reported * shares),
            predicted=np.where(shares < 1.0, np.nan, self.predicted),
        )

    @cached_property
    def data_hash(self) -> str:
        """Hash of all the panel holds: labels, dates and numbers, in any row order."""
        order = np.argsort(self.locations)
        assert self.all_deaths is not None
        return content_hash(
            self.indicator,
            self.as_of,
            self.release,
            self.vintage,
            [self.locations[i] for i in order],
            self.months,
            *(getattr(self, name)[order] for name in _LAYERS),
            self.all_deaths[order],
        )

    def populations(self) -> Floats:
        """Residents on July 1 of each month's year, shape (L, T); NaN for NY and YC, whose
        denominators do not match CDC's split (see :func:`odforecast.geography.places.population`).
        """
        years = self.months.astype("datetime64[Y]").astype(int) + 1970
        return np.array([[population(s, int(y)) for y in years] for s in self.locations])

    def to_frame(self) -> pd.DataFrame:
        """Long table: location, month, reported, predicted, completeness figures."""
        n_loc, n_time = self.reported.shape
        columns: dict[str, object] = {
            "location": np.repeat(self.locations, n_time),
            "month": np.tile(self.months.astype("datetime64[s]"), n_loc),
        }
        return pd.DataFrame(columns | {name: getattr(self, name).ravel() for name in _LAYERS})


def _all_deaths(archive: Archive, as_of: dt.date) -> dict[str, float]:
    """Deaths from all causes by location, from the newest release known that day that has them.

    The count of the year that ended twelve months before the release's last month is taken:
    by then all records are in, if not all causes.
    """
    for date in reversed([d for d in archive.releases() if d <= as_of]):
        table = archive.release(date, ALL_DEATHS)
        counts = table[table["reported"].notna()]
        if len(counts):
            settled = counts["month"] <= counts["month"].max() - pd.DateOffset(months=12)
            last = counts[settled].sort_values("month").groupby("state")["reported"].last()
            return {str(state): float(n) for state, n in last.items()}
    return {}
