"""Panel: one target seen at one date, months × locations."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError, PanelError
from odforecast.geography import absent, called, code_of, lookup, pick
from odforecast.geography.places import SPLIT, by_fips, edition_of
from odforecast.monthly.sums import recover_months
from odforecast.months import ONE_MONTH, Months, to_day
from odforecast.names import (
    COUNTIES,
    OCCURRENCE,
    STATES,
    VINTAGE_SYNTHETIC,
    indicator_name,
)
from odforecast.panel.own import (
    Own,
    dated,
    months_in,
    numbers,
    refuse,
    whole,
    with_counts,
)
from odforecast.panel.pseudo import Donor, clean, delayed, settled
from odforecast.panel.triangle import Floats, Triangle, fix_arrays, fixed, rows_for
from odforecast.publication import SETTLED
from odforecast.say import card, html_table, listed, number_of, quoted, steady
from odforecast.seeds import content_hash

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Arrays (L, T) of a panel.
LAYERS = ("reported", "predicted", "complete", "pending", "low", "high")


class Frozen:
    """A frozen dataclass whose mappings are read-only, and travel as plain ones.

    Its ``__post_init__`` calls :meth:`_freeze`.
    """

    #: The fields that are mappings.
    _mappings: ClassVar[tuple[str, ...]]

    def _freeze(self) -> None:
        for name in self._mappings:
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __getstate__(self) -> dict[str, object]:
        # Caches are rebuilt; a mapping proxy does not pickle.
        state = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return state | {name: dict(getattr(self, name)) for name in self._mappings}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()  # type: ignore[attr-defined]


#: What a panel's hash covers beside its numbers.
_LABELS = (
    "indicator",
    "as_of",
    "release",
    "vintage",
    "dataset",
    "basis",
    "donor",
    "final_through",
)


@dataclass(frozen=True, eq=False)
class Panel(Frozen):
    """One indicator as it was known on one day. Immutable; arrays are read-only.

    Make panels with ``vintage.panel(indicator)``, :meth:`cut`, :meth:`delayed`, or, for made-up
    counts, :meth:`from_frame`.

    Attributes
    ----------
    indicator : str
        CDC's indicator, such as ``"Number of Drug Overdose Deaths"``.
    as_of : datetime.date
        Nothing published after this day is in the panel.
    release : datetime.date
        Release of the numbers; for a pseudo-vintage the later release that was cut.
    vintage : {"real", "pseudo-clean", "pseudo-delayed", "synthetic"}
    locations : tuple of str
        CDC codes, length L.
    months : ndarray of datetime64[M], shape (T,)
        Ends of the 12-month periods.
    reported, predicted : ndarray, shape (L, T)
        12-month-ending deaths; NaN where not published.
    complete, pending : ndarray, shape (L, T)
        CDC's data-quality figures in percent.
    low, high : ndarray, shape (L, T)
        Bounds of the reported count: equal where published, 1 and 9 where suppressed, 1,000 and
        infinity where a release lost its large counts.
    dataset : {"states", "counties"}
    basis : {"occurrence", "residence"}
    beside : mapping of str to Panel
        Panels of the same day: ``"all-deaths"``, ``"T40.4"``; for counties ``"states"``.
    triangle : Triangle or None
        What earlier releases said about the same cells.
    final_through : datetime64[M]
        Last month whose counts are final.
    donor : str
        Release that a pseudo-delayed panel takes its delay from; else empty.
    notes : tuple of str
    problems : mapping of str to str
        Locations without usable months, and why.
    selected : bool
        Whether :meth:`select` left locations out.
    urban : mapping of str to str
        Counties: urban–rural code, ``"1"`` to ``"6"``.
    residents : mapping of str to float
        Counties: people, where a population file was given.
    own : Own or None
        A state's own newer counts: see :meth:`with_counts`.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> panel.last_month, len(panel.locations), panel.final_through
    (np.datetime64('2025-08'), 54, np.datetime64('2024-12'))
    """

    _mappings = ("problems", "beside", "urban", "residents")

    indicator: str
    as_of: dt.date
    release: dt.date
    vintage: str
    locations: tuple[str, ...]
    months: Months
    reported: Floats
    predicted: Floats
    complete: Floats
    pending: Floats
    low: Floats = None  # type: ignore[assignment]
    high: Floats = None  # type: ignore[assignment]
    dataset: str = STATES
    basis: str = OCCURRENCE
    beside: Mapping[str, Panel] = field(default_factory=dict)
    triangle: Triangle | None = None
    final_through: np.datetime64 = None  # type: ignore[assignment]
    donor: str = ""
    notes: tuple[str, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    selected: bool = False
    urban: Mapping[str, str] = field(default_factory=dict)
    residents: Mapping[str, float] = field(default_factory=dict)
    own: Own | None = None

    def __post_init__(self) -> None:
        months = fixed(self.months, "datetime64[M]")
        shape = (len(self.locations), months.size)
        if not self.locations or len(set(self.locations)) != len(self.locations):
            raise PanelError(
                f"locations must be distinct and not empty, got {self.locations}"
            )
        if months.size == 0 or (np.diff(months).astype(int) != 1).any():
            raise PanelError("months must be consecutive and not empty")
        if np.datetime64(self.as_of, "D") < months[-1].astype("datetime64[D]"):
            raise PanelError(
                f"as-of date {self.as_of} lies before the last month {months[-1]}"
            )
        object.__setattr__(self, "months", months)
        fix_arrays(self, dict.fromkeys(LAYERS, shape))
        # A published count is its own bounds; without one they are an interval, or unknown.
        interval = np.isnan(self.reported) & (self.low < self.high)
        for name in ("low", "high"):
            bound = np.where(interval, getattr(self, name), self.reported)
            object.__setattr__(self, name, fixed(bound))
        if self.triangle is not None:
            cells = self.triangle.reported.shape[1:]
            if cells != shape:
                raise PanelError(f"the triangle has cells {cells}, expected {shape}")
        assert not any(p.beside for name, p in self.beside.items() if name != STATES)
        # Unless something says otherwise, no count is final.
        final = (
            months[0] - ONE_MONTH if self.final_through is None else self.final_through
        )
        object.__setattr__(self, "final_through", np.datetime64(final, "M"))
        self._freeze()
        if self.own is not None:
            # An earlier day or fewer places, by whatever way: what was not known then falls away.
            object.__setattr__(self, "own", self.own.known(self.as_of, self.locations))

    @steady
    def __repr__(self) -> str:
        donor = f", delay as in {self.donor}" if self.donor else ""
        return card(
            f"Panel: {self.indicator}, as of {self.as_of}",
            f"release {self.release} ({self.vintage}{donor}); counts final through "
            f"{self.final_through}",
            f"{number_of(len(self.locations), 'location')} ({listed(self.locations)}), "
            f"{self.months[0]} to {self.months[-1]}",
            f"own counts of {self.own.said()}" if self.own else "",
            *(f"note: {note}" for note in self.notes[:2]),
            "next: .plot('39035'), .select('Ohio/*'); od.get_model('county').fit(panel)"
            if self.dataset == COUNTIES
            else "next: .plot('US'), .select('Ohio'), .to_frame(); od.get_model().fit(panel)",
        )

    @steady
    def _repr_html_(self) -> str:
        last = self.reported[:, -1]
        before = np.full(last.shape, np.nan)
        if self.months.size > 12:
            before = self.reported[:, -13]
        change = 100 * (last / np.where(before > 0, before, np.nan) - 1)
        columns = {
            "place": [called(s) for s in self.locations],
            "reported": last,
            "predicted": self.predicted[:, -1].round(),
            "a year earlier": before,
            "change, %": change.round(1),
            "complete, %": self.complete[:, -1],
        }
        return html_table(
            pd.DataFrame(columns),
            f"{self.indicator}, as of {self.as_of} (release {self.release}, {self.vintage})",
            note="; ".join((f"12 months ending in {self.last_month}", *self.notes)),
        )

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        as_of: dt.date | str,
        indicator: str = "all-drugs",
    ) -> Panel:
        """A made-up panel, labelled ``synthetic``: for teaching and tests; no backtest takes it.

        Parameters
        ----------
        frame : DataFrame
            One row per location and month: ``location``, ``month``, ``reported``
            (12-month-ending deaths), and optionally ``predicted``, ``complete``, ``pending``.
        as_of : date or str
            The day it is meant to be seen from.

        Examples
        --------
        >>> import pandas as pd
        >>> import odforecast as od
        >>> frame = pd.DataFrame(
        ...     {"location": "Ohio", "month": ["2024-01", "2024-02"], "reported": [50, 51]}
        ... )
        >>> od.Panel.from_frame(frame, as_of="2024-06-01").locations
        ('OH',)
        """
        hint = "it needs location, month, reported: one row per location and month"
        whole(
            frame,
            ("location", "month", "reported"),
            message="the frame has no",
            hint=hint,
        )
        day = dated("as_of", as_of, read=to_day)
        states = [lookup(str(s)).state for s in frame["location"]]
        stamps = months_in(frame)
        labels = [f"{s} {m}" for s, m in zip(states, stamps)]
        locations = tuple(dict.fromkeys(states))
        months = np.arange(stamps.min(), stamps.max() + ONE_MONTH)
        rows = np.array([locations.index(s) for s in states])
        columns = (stamps - months[0]).astype(int)
        repeated = pd.Series(labels).duplicated().to_numpy()
        refuse(repeated, "{} is given twice", "one row per location and month", labels)
        layers: dict[str, Any] = {}
        for name in ("reported", "predicted", "complete", "pending"):
            layers[name] = np.full((len(locations), months.size), np.nan)
            if name not in frame:
                continue
            values, wrong = numbers(frame[name])
            noun = "a number"
            if name == "reported":
                wrong |= (values < 0) | np.isinf(values)
                noun = "a count"
            cells = [_cell_text(cell) for cell in frame[name]]
            refuse(
                wrong, f"{{}}: {name} is {{}}, which is not {noun}", None, labels, cells
            )
            layers[name][rows, columns] = values
        name = indicator_name(indicator)
        layers["final_through"] = months[-1]  # made-up counts are what they are
        return cls(name, day, day, VINTAGE_SYNTHETIC, locations, months, **layers)

    def select(self, locations: str | Iterable[str]) -> Panel:
        """Only these locations, in this order: for looking.

        A model that fits the whole panel at once refuses a selection: fit the whole one, and
        use ``forecast.select``.

        Parameters
        ----------
        locations : str or iterable of str
            Places by any of their names: ``"OH"``, ``"Ohio"``, ``"39"``, or a list.

        Examples
        --------
        >>> import odforecast as od
        >>> od.bundled().as_of().panel().select(["Ohio", "54"]).locations
        ('OH', 'WV')
        """
        states = pick(locations, self.locations, "the panel", PanelError)
        rows = [self.locations.index(s) for s in states]
        layers: dict[str, Any] = {name: getattr(self, name)[rows] for name in LAYERS}
        for name in ("problems", "urban", "residents"):
            values = getattr(self, name)
            layers[name] = {s: values[s] for s in values if s in states}
        panels = {}
        reordered = set(states) == set(self.locations)
        for name, panel in self.beside.items():
            common = [s for s in states if s in panel.locations]
            if reordered or (self.dataset == COUNTIES and name == STATES):
                # Only put in another order, or counties, whose states hang on all of the nation:
                # the panel beside may have places that this has not.
                panels[name] = panel
            elif common:
                panels[name] = panel.select(common)
        layers |= {"beside": panels, "selected": self.selected or not reordered}
        if self.triangle is not None:
            layers["triangle"] = self.triangle.rows(rows)
        return replace(self, locations=states, **layers)

    def with_counts(
        self,
        frame: pd.DataFrame,
        complete: bool = False,
        day: dt.date | str | None = None,
    ) -> Panel:
        """Add a state's own monthly counts, newer than CDC's.

        CDC's counts and the horizons stay. The forecast is conditioned on the own counts
        (:doc:`/how-to/own-counts`).

        Parameters
        ----------
        frame : DataFrame
            ``location``, ``month`` (of death), ``deaths`` (whole numbers), optionally ``as_of``
            (day of the report; several days show how counts grow), ``basis`` and ``indicator``.
            Every month of a location, at least twelve of which CDC has too.
        complete : bool
            The counts are complete. Default: late arrivals are expected, as the file's days show,
            or as CDC's with doubled uncertainty.
        day : date or str, optional
            Day on which rows without ``as_of`` were known; later rows are left out with a note.
            Default: today, or the panel's day if it is not a real release.

        Returns
        -------
        Panel
            Seen from the day of its newest count, if that is later.

        Raises
        ------
        PanelError
            If the panel is of counties; a column is missing, a number is not a count, a month is
            given twice, missing or not yet over; definitions are mixed; a drug class is not named
            in every row; counts are three times CDC's or a third; or fewer than twelve months
            overlap.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> import odforecast as od
        >>> panel = od.bundled().as_of().panel()
        >>> ohio = panel.monthly[panel.index("OH"), -24:]
        >>> months = [str(m) for m in np.arange("2023-05", "2025-07", dtype="M8[M]")]
        >>> frame = pd.DataFrame({"location": "Ohio", "month": months, "deaths": [*ohio, 180, 175]})
        >>> panel.with_counts(frame, day="2026-01-14").own.said()
        'OH to 2025-06'
        """
        return with_counts(self, frame, complete=complete, day=day)

    def with_population(self, frame: pd.DataFrame) -> Panel:
        """A panel of counties that knows how many people live in each, so that it has rates.

        Parameters
        ----------
        frame : DataFrame
            ``fips`` (or ``location``; codes of five digits), ``population`` (people) and
            optionally ``year``: what :func:`odforecast.sources.census.read_population` gives.

        Returns
        -------
        Panel
            With :attr:`residents`; a note says the year, and which counties have none.

        Raises
        ------
        PanelError
            If the panel is of states, or the frame has a value that is not a number of people, a
            county twice, a code that is not a county, or none of the panel's counties.
        """
        return with_population(self, frame)

    def cut(self, month: object) -> Panel:
        """A clean pseudo-vintage: this panel up to ``month``, complete to the end.

        Predicted counts and percentages are blank, for what CDC would have said is not known;
        deaths from all causes end twelve months earlier; there are no earlier releases. It is
        seen from the day CDC would have published the month.

        Raises
        ------
        PanelError
            If the month is not in the panel, its count is neither final nor 12 months old in the
            release, or the panel is delayed: such a cut would pass for complete.
        """
        return clean(self, settled(self, month))

    def delayed(self, month: object, donor: Donor) -> Panel:
        """A pseudo-vintage with delay: cut at ``month``, and as incomplete as a donor was.

        Parameters
        ----------
        donor : Donor
            What a real release missed, and what it said about itself.

        Raises
        ------
        PanelError
            If :meth:`cut` refuses the month, or the panel counts a drug class, whose late arrivals
            no donor holds.
        """
        return delayed(self, settled(self, month), donor=donor)

    @property
    def last_month(self) -> np.datetime64:
        """Last month with a reported count anywhere."""
        return np.datetime64(self.months[-1], "M")

    @property
    def settled_through(self) -> np.datetime64:
        """Last month whose count is final, or at least 12 months old where the panel is seen."""
        month = np.datetime64(min(self.as_of, self.release), "M")
        last_settled = max(month - SETTLED * ONE_MONTH, self.final_through)
        return np.datetime64(min(last_settled, self.last_month), "M")

    @property
    def month_grid(self) -> Months:
        """Months behind the sums, shape (T + 11,): starts 11 before ``months``."""
        return np.arange(self.months[0] - 11 * ONE_MONTH, self.months[-1] + ONE_MONTH)

    @cached_property
    def _recovered(self) -> tuple[Floats, dict[str, str]]:
        problems = dict(self.problems)
        # A suppressed count is 1 to 9, not something smooth: months are those after the last one.
        later_hidden = np.cumsum(self.hidden[:, ::-1], axis=1)[:, ::-1] > 0
        sums = np.where(later_hidden, np.nan, self.reported)
        months = np.full((len(sums), self.month_grid.size), np.nan)
        try:
            months = recover_months(sums)
        except DataError:
            for i, state in enumerate(self.locations):
                try:
                    months[i] = recover_months(sums[i : i + 1])[0]
                except DataError as error:
                    problems[state] = error.message
        return fixed(months), problems

    @property
    def hidden(self) -> NDArray[np.bool_]:
        """Whether a count was suppressed, shape (L, T)."""
        return np.isnan(self.reported) & np.isfinite(self.high)

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Whether a release lost a count of 1,000 and more, shape (L, T)."""
        return np.isnan(self.reported) & np.isposinf(self.high)

    @property
    def monthly(self) -> Floats:
        """Monthly deaths behind the reported sums, shape (L, T + 11), on :attr:`month_grid`.

        Exact up to one additive constant per calendar month; see
        :mod:`odforecast.monthly.sums`. NaN up to the last suppressed count of a row.
        """
        return self._recovered[0]

    @cached_property
    def all_deaths(self) -> Floats:
        """Deaths from all causes in a year, shape (L,): what a percentage of records pending is
        a percentage of; NaN where unknown.

        The newest count of ``beside["all-deaths"]`` where its counts are final, else the newest
        that is at least 12 months old: by then all records are in, if not all causes.
        """
        all_causes = self.beside.get("all-deaths")
        if all_causes is None:
            return np.full(len(self.locations), np.nan)
        until = all_causes.last_month
        if all_causes.final_through < until:
            until = np.datetime64(until - 12 * ONE_MONTH, "M")
        counts = pd.DataFrame(
            np.where(all_causes.months <= until, all_causes.reported, np.nan)
        )
        last = counts.ffill(axis=1).to_numpy()[:, -1]
        return fixed(rows_for(self.locations, all_causes.locations, values=last))

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
        for i, (state, row) in enumerate(zip(self.locations, months)):
            length = int(
                np.isnan([*row[::-1], np.nan]).argmax()
            )  # months without a gap at the end
            if state in problems:
                skipped[state] = problems[state]
            elif self.hidden[i, -1]:
                skipped[state] = (
                    f"the count of the last month ({self.last_month}) is suppressed"
                )
            elif length == 0:
                skipped[state] = (
                    f"no reported count in the last month ({self.last_month})"
                )
            elif length < min_months:
                reason = f"only {length} months up to {self.last_month}"
                if self.hidden[i].any():
                    reason += " since a suppressed count"
                skipped[state] = reason
        return tuple(s for s in self.locations if s not in skipped), skipped

    def index(self, location: str) -> int:
        """Row of a location, given by any of its names."""
        code = location if location in self.locations else code_of(location)
        absent([code], self.locations, "the panel", PanelError)
        return self.locations.index(code)

    @cached_property
    def data_hash(self) -> str:
        """Hash of all the panel holds: labels, dates and numbers, in any row order."""
        order = np.argsort(self.locations)
        content: list[object] = []
        for name in _LABELS:
            content.append(getattr(self, name))
        content += [[self.locations[i] for i in order], self.months]
        for name in LAYERS:
            content.append(getattr(self, name)[order])
        if self.triangle is not None:
            content += self.triangle.content(order)
        for name in sorted(self.beside):
            content += [name, self.beside[name].data_hash]
        # Named only where there are any: panels without them keep the hash they had.
        if self.urban:
            content.append(("urban", sorted(self.urban.items())))
        if self.residents:
            content.append(("residents", sorted(self.residents.items())))
        if self.own:
            content.append(("own", self.own.data_hash))
        return content_hash(*content)

    def to_frame(self) -> pd.DataFrame:
        """All cells, tidy: one row per location and month.

        Returns
        -------
        DataFrame
            ``location`` (CDC code or FIPS, str), ``name`` (in full, str), ``month`` (end of the
            12 months, datetime64[s]); in 12-month-ending deaths, float, NaN where not published,
            ``reported``, ``predicted``, and what the reported count lies between, ``low`` and
            ``high`` (1 and 9 where it was suppressed); ``complete`` and ``pending`` (CDC's
            percentages, float).

        Examples
        --------
        >>> import odforecast as od
        >>> table = od.bundled().as_of().panel().select("Ohio").to_frame()
        >>> list(table)
        ['location', 'name', 'month', 'reported', 'predicted', 'complete', 'pending', 'low', 'high']
        """
        n_loc, n_time = self.reported.shape
        columns: dict[str, object] = {
            "location": np.repeat(self.locations, n_time),
            "name": np.repeat([called(s) for s in self.locations], n_time),
            "month": np.tile(self.months.astype("datetime64[s]"), n_loc),
        }
        return pd.DataFrame(
            columns | {name: getattr(self, name).ravel() for name in LAYERS}
        )

    def plot(
        self, location: str | None = None, axes: Axes | None = None, **style: Any
    ) -> Axes:
        """Reported, and CDC's predicted, 12-month-ending counts of one place over time.

        Parameters
        ----------
        location : str, optional
            Any of its names. Default: the only one there is, or else the US.
        axes : matplotlib Axes, optional
            Drawn into; default: those of a new figure.
        **style
            As :func:`odforecast.plot.counts` takes it.
        """
        from odforecast.plot import counts

        return counts(self, location, axes=axes, **style)


def _cell_text(cell: object) -> str:
    return quoted(cell) if isinstance(cell, str) else str(cell)


def with_population(panel: Panel, frame: pd.DataFrame) -> Panel:
    """See :meth:`Panel.with_population`."""
    if panel.dataset != COUNTIES:
        raise PanelError(
            "populations by county go with a panel of counties, and this one holds states",
            hint='vintage.panel(dataset="counties")',
        )
    code = "fips" if "fips" in frame else "location"
    if not {code, "population"} <= set(frame):
        raise PanelError(
            f"no columns fips and population; it has {', '.join(map(str, frame.columns))}",
            hint="odforecast.sources.census.read_population reads the Census Bureau's file",
        )
    # Codes that a spreadsheet made numbers of have lost their leading zero.
    fips = [str(value).strip().zfill(5) for value in frame[code]]
    people, wrong = numbers(frame["population"])
    wrong |= ~np.isnan(people) & ~(np.isfinite(people) & (people > 0))
    rows = range(len(fips))
    cells = [_cell_text(cell) for cell in frame["population"]]
    message = "row {} ({}): population {} is not a number of people"
    refuse(wrong, message, "leave it out, or correct it", rows, fips, cells)
    unknown = np.array([f not in by_fips() for f in fips], dtype=bool)
    refuse(unknown, "row {}: {!r} is not a county", "leave totals out", rows, fips)
    repeated = pd.Series(fips).duplicated().to_numpy()
    message = "{} ({}) is there twice"
    refuse(repeated, message, "one row a county", [called(f) for f in fips], fips)
    population = {f: n for f, n in zip(fips, people.tolist()) if not np.isnan(n)}
    for old, parts in SPLIT.items():
        if old not in population and all(part in population for part in parts):
            population[old] = sum(population[part] for part in parts)
    locations = set(panel.locations)
    residents = {f: n for f, n in population.items() if f in locations}
    if not residents:
        raise PanelError(
            "the table has none of the panel's counties", hint="is it by county?"
        )
    used = set(residents)
    for old in residents:
        used |= set(SPLIT.get(old, ()))
    years = frame["year"].tolist() if "year" in frame else [0] * len(fips)
    counts: Counter[object] = Counter()
    for code, year in zip(fips, years):
        if code in used:
            counts[year or "a year that the table does not say"] += 1
    (most_common, _), *rare = counts.most_common()
    note = f"rates are per resident: people of {most_common}"
    for year, n in rare:
        note += f", of {number_of(n, 'county', 'counties')} of {year}"
    notes = [note]
    without = [f for f in panel.locations if f not in residents]
    panel_editions = {edition_of(f) for f in panel.locations} - {None}
    table_editions = {edition_of(f) for f in fips} - {None}
    if panel_editions and table_editions and panel_editions.isdisjoint(table_editions):
        in_panel = str(next(iter(panel_editions))).replace("-", " ")
        in_table = str(next(iter(table_editions))).replace("-", " ")
        notes.append(
            f"Connecticut has {in_panel} in the panel and {in_table} in the table of people, which "
            "do not nest: it has no rates"
        )
        without = [f for f in without if edition_of(f) is None]
    if without:
        names = listed(map(called, without), 4)
        notes.append(
            f"no population of {number_of(len(without), 'county', 'counties')} ({names})"
        )
    return replace(panel, residents=residents, notes=(*panel.notes, *notes))
