"""Panel: one target seen at one date, months × locations.

A panel is all a forecaster is given. It has no path back to the archive or to the truth.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import PanelError
from odforecast.geography import pick
from odforecast.markup import card, few, html_table, number_of, steady
from odforecast.months import ONE_MONTH, Months
from odforecast.names import COUNTIES, OCCURRENCE, RESIDENCE, STATES, VINTAGE_KINDS
from odforecast.panel.frozen import Frozen
from odforecast.panel.layers import LAYERS as LAYERS
from odforecast.panel.layers import Floats as Floats
from odforecast.panel.own import Own, with_counts
from odforecast.panel.readings import Readings
from odforecast.panel.triangle import Triangle
from odforecast.seeds import content_hash

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from odforecast.panel.donor import Donor


@dataclass(frozen=True, eq=False)
class Panel(Readings, Frozen):
    """One target as it was known on a day. Immutable; arrays are read-only.

    A panel comes from ``vintage.panel(indicator)``, from :meth:`cut` or :meth:`delayed`, or, made
    up, from :meth:`from_frame`.

    Attributes
    ----------
    indicator : str
        CDC's indicator, for example ``"Number of Drug Overdose Deaths"``.
    as_of : datetime.date
        The day the panel is seen from. Nothing published later is in it.
    release : datetime.date
        Release the numbers come from. For a pseudo-vintage this is the later release that
        was cut.
    vintage : {"real", "pseudo-clean", "pseudo-delayed", "synthetic"}
        How the panel came to be.
    locations : tuple of str
        CDC codes, length L (``US``, ``AL`` …, ``YC``).
    months : ndarray of datetime64[M], shape (T,)
        Ends of the 12-month periods, consecutive.
    reported, predicted : ndarray, shape (L, T)
        12-month-ending deaths; NaN where not published.
    complete, pending : ndarray, shape (L, T)
        CDC's data-quality figures, in percent; NaN where not published.
    low, high : ndarray, shape (L, T)
        What the reported count lies between: itself where it was published, 1 and 9 where it
        was suppressed, 1,000 and infinity where a release lost its large counts, NaN where it is
        missing.
    dataset : {"states", "counties"}
    basis : {"occurrence", "residence"}
        Whether deaths are counted where they occurred or where people lived.
    beside : mapping of str to Panel
        Panels of the same day that a model may want, by short name: ``"all-deaths"`` (deaths
        from all causes), ``"T40.4"``; for counties ``"states"``, newer months and all, with what
        stands beside that. Otherwise one level deep; absent where there is none.
    triangle : Triangle or None
        What earlier releases said of the same cells.
    final_through : datetime64[M]
        Last month whose counts are final. Models read it and never work it out themselves.
    donor : str
        The release that a pseudo-delayed panel takes its delay from; else empty.
    notes : tuple of str
        What to know of the data: an old release, a US row added up from its parts.
    problems : mapping of str to str
        Locations without usable months, and why.
    selected : bool
        Whether locations were left out by :meth:`select`.
    urban : mapping of str to str
        Of counties: the release's own code of how urban each is, ``"1"`` (large central metro) to
        ``"6"`` (noncore); empty for states.
    residents : mapping of str to float
        Of counties: people, where a population file was given; else empty.
    own : Own or None
        A state's own monthly counts, newer than CDC's: see :meth:`with_counts`. Only what was known
        on the panel's day, of its locations.

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
        if self.vintage not in VINTAGE_KINDS:
            raise PanelError(
                f"unknown vintage kind {self.vintage!r}", hint=f"one of {', '.join(VINTAGE_KINDS)}"
            )
        if self.basis not in (OCCURRENCE, RESIDENCE):
            raise PanelError(f"unknown basis {self.basis!r}", hint=f"{OCCURRENCE} or {RESIDENCE}")
        if not self.locations or len(set(self.locations)) != len(self.locations):
            raise PanelError(f"locations must be distinct and not empty, got {self.locations}")
        months = np.array(self.months, dtype="datetime64[M]")
        if months.size == 0 or (np.diff(months).astype(int) != 1).any():
            raise PanelError("months must be consecutive and not empty")
        if np.datetime64(self.as_of, "D") < months[-1].astype("datetime64[D]"):
            raise PanelError(f"as-of date {self.as_of} lies before the last month {months[-1]}")
        months.flags.writeable = False
        object.__setattr__(self, "months", months)
        shape = (len(self.locations), months.size)
        for name in LAYERS:
            given = getattr(self, name)
            array = np.array(self.reported if given is None else given, dtype=float)
            if array.shape != shape:
                raise PanelError(f"{name} has shape {array.shape}, expected {shape}")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        self._bound()
        if self.triangle is not None and self.triangle.reported.shape[1:] != shape:
            raise PanelError(
                f"the triangle has cells {self.triangle.reported.shape[1:]}, expected {shape}"
            )
        if any(p.beside for name, p in self.beside.items() if name != STATES):
            raise PanelError("a panel beside another has none beside itself")
        # Unless something says otherwise, no count is final.
        final = months[0] - ONE_MONTH if self.final_through is None else self.final_through
        object.__setattr__(self, "final_through", np.datetime64(final, "M"))
        self._freeze()
        if self.own is not None:
            # An earlier day or fewer places, by whatever way: what was not known then falls away.
            object.__setattr__(self, "own", self.own.known(self.as_of, self.locations))

    def _bound(self) -> None:
        """A published count is its own bounds; without one they are an interval, or unknown."""
        interval = np.isnan(self.reported) & (self.low < self.high)
        for name in ("low", "high"):
            bound = np.where(interval, getattr(self, name), self.reported)
            bound.flags.writeable = False
            object.__setattr__(self, name, bound)

    @steady
    def __repr__(self) -> str:
        donor = f", delay as in {self.donor}" if self.donor else ""
        return card(
            f"Panel: {self.indicator}, as of {self.as_of}",
            f"release {self.release} ({self.vintage}{donor}); counts final through "
            f"{self.final_through}",
            f"{number_of(len(self.locations), 'location')} ({few(self.locations)}), "
            f"{self.months[0]} to {self.months[-1]}",
            f"own counts of {self.own.said()}" if self.own else "",
            *(f"note: {note}" for note in self.notes[:2]),
            "next: .plot('39035'), .select('Ohio/*'); od.get_model('county').fit(panel)"
            if self.dataset == COUNTIES
            else "next: .plot('US'), .select('Ohio'), .to_frame(); od.get_model().fit(panel)",
        )

    @steady
    def _repr_html_(self) -> str:
        from odforecast.panel.frame import newest

        return html_table(
            newest(self),
            f"{self.indicator}, as of {self.as_of} (release {self.release}, {self.vintage})",
            "; ".join((f"12 months ending in {self.last_month}", *self.notes)),
        )

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, as_of: dt.date | str, indicator: str = "all-drugs"
    ) -> Panel:
        """A made-up panel, labelled ``synthetic``: for teaching and tests; no backtest takes it.

        Parameters
        ----------
        frame : DataFrame
            One row per location and month: ``location``, ``month``, ``reported``
            (12-month-ending deaths), and optionally ``predicted``, ``complete``, ``pending``.
        as_of : date or str
            The day it is meant to be seen from.
        indicator : str

        Raises
        ------
        PanelError
            If a column is missing, a cell is given twice, or a value is no count.

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
        from odforecast.panel.frame import fields_of

        return cls(**fields_of(frame, as_of, indicator))

    def select(self, locations: str | Iterable[str]) -> Panel:
        """Only these locations, in this order: for looking.

        A model that fits the whole panel at once refuses a selection: fit the whole one, and
        use ``forecast.select``.

        Parameters
        ----------
        locations : str or iterable of str
            Places by any of their names: ``"OH"``, ``"Ohio"``, ``"39"``, or a list.

        Raises
        ------
        UnknownNameError
            If a name is no place's, a place is named twice, or none is named.
        PanelError
            If the panel does not hold a place.

        Examples
        --------
        >>> import odforecast as od
        >>> od.bundled().as_of().panel().select(["Ohio", "54"]).locations
        ('OH', 'WV')
        """
        states = pick(locations, self.locations, "the panel", PanelError)
        rows = [self.locations.index(s) for s in states]
        layers = {name: getattr(self, name)[rows] for name in LAYERS}
        beside = {}
        whole = set(states) == set(self.locations)
        for name, panel in self.beside.items():
            there = [s for s in states if s in panel.locations]
            if whole or (self.dataset == COUNTIES and name == STATES):
                # Only put in another order, or counties, whose states hang on all of the nation:
                # what stands beside may have places that this has not.
                beside[name] = panel
            elif there:
                beside[name] = panel.select(there)
        return replace(
            self,
            locations=states,
            problems={s: r for s, r in self.problems.items() if s in states},
            urban={s: u for s, u in self.urban.items() if s in states},
            residents={s: n for s, n in self.residents.items() if s in states},
            beside=beside,
            triangle=None if self.triangle is None else self.triangle.rows(rows),
            selected=self.selected or set(states) != set(self.locations),
            **layers,
        )

    def with_counts(self, frame: pd.DataFrame, complete: bool = False) -> Panel:
        """The same panel with a state's own monthly counts, newer than CDC's, beside them.

        CDC's counts, its last month and the horizons stay. A forecast of months is drawn as it
        would be without them, and then conditioned on them: see :doc:`/how-to/own-counts`.

        Parameters
        ----------
        frame : DataFrame
            ``location`` (by any of its names), ``month`` (of death), ``deaths`` (of that one month,
            whole numbers) and optionally ``as_of`` (the day on which the state said so; default:
            the panel's day; several days for one month tell how counts fill up), ``basis`` and
            ``indicator`` (one value each). Every month from a location's first to its last, at
            least twelve of which CDC has too.
        complete : bool
            The counts miss nothing any more. Default: late arrivals are expected, as the file's own
            days show them, else as CDC's counts have them, with twice the spread.

        Returns
        -------
        Panel
            Rows that were known only after its day are left out and counted in its notes.

        Raises
        ------
        PanelError
            If the panel is of counties; a column is missing, a number is no count, a month is
            given twice, missing in between or not yet over; definitions are mixed; the panel is of
            a drug class and ``indicator`` does not name it in every row; the counts are
            three times CDC's or a third of them; or fewer than twelve months are in both.
        UnknownNameError
            If a name is no place's.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> import odforecast as od
        >>> panel = od.bundled().as_of().panel()
        >>> ohio = panel.monthly[panel.index("OH"), -24:]
        >>> months = [str(m) for m in np.arange("2023-05", "2025-07", dtype="M8[M]")]
        >>> frame = pd.DataFrame({"location": "Ohio", "month": months, "deaths": [*ohio, 180, 175]})
        >>> panel.with_counts(frame).own.said()
        'OH to 2025-06'
        """
        return with_counts(self, frame, complete)

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
            If the panel is of states, or the frame has a value that is no number of people, a
            county twice, a code that is no county, or none of the panel's counties.
        """
        from odforecast.panel.people import with_population

        return with_population(self, frame)

    def cut(self, month: object) -> Panel:
        """A clean pseudo-vintage: this panel up to ``month``, complete to the end.

        Predicted counts and percentages are blank, for what CDC would have said is not known;
        deaths from all causes end twelve months earlier; there are no earlier releases. It is
        seen from the day CDC would have published the month.

        Parameters
        ----------
        month : month
            Last month kept.

        Raises
        ------
        PanelError
            If the month is not in the panel, its count is neither final nor 12 months old in the
            release, or the panel is delayed: such a cut would pass for complete.
        """
        from odforecast.panel.pseudo import clean, settled

        return clean(self, settled(self, month))

    def delayed(self, month: object, donor: Donor) -> Panel:
        """A pseudo-vintage with delay: cut at ``month``, and as incomplete as a donor was.

        Parameters
        ----------
        month : month
            Last month kept.
        donor : Donor
            What a real release missed, and what it said about itself.

        Raises
        ------
        PanelError
            If :meth:`cut` refuses the month, or the panel counts a drug class, whose late arrivals
            no donor holds.
        """
        from odforecast.panel.pseudo import delayed, settled

        return delayed(self, settled(self, month), donor)

    @cached_property
    def data_hash(self) -> str:
        """Hash of all the panel holds: labels, dates and numbers, in any row order."""
        order = np.argsort(self.locations)
        triangle = () if self.triangle is None else self.triangle.content(order)
        # Named only where there are any: panels without them keep the hash they had.
        traits: list[tuple[str, object]] = [
            (n, sorted(d.items())) for n in ("urban", "residents") if (d := getattr(self, n))
        ]
        if self.own is not None:
            traits.append(("own", self.own.data_hash))
        return content_hash(
            self.indicator,
            self.as_of,
            self.release,
            self.vintage,
            self.dataset,
            self.basis,
            self.donor,
            self.final_through,
            [self.locations[i] for i in order],
            self.months,
            *(getattr(self, name)[order] for name in LAYERS),
            *triangle,
            *(x for name in sorted(self.beside) for x in (name, self.beside[name].data_hash)),
            *traits,
        )

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
        from odforecast.panel.frame import cells

        return cells(self)

    def plot(self, location: str | None = None, axes: Axes | None = None, **style: Any) -> Axes:
        """Reported, and CDC's predicted, 12-month-ending counts of one place over time.

        Parameters
        ----------
        location : str, optional
            Any of its names. Default: the only one there is, or else the US.
        axes : matplotlib Axes, optional
            Drawn into; default: those of a new figure.
        **style
            As :func:`odforecast.plot.counts` takes it.

        Returns
        -------
        matplotlib Axes
        """
        from odforecast.plot import counts

        return counts(self, location, axes=axes, **style)
