"""A state's own monthly counts, newer than CDC's: a layer of a panel.

They change no count of CDC's: its last month and the horizons stay. A forecast of months takes
them into account once it is drawn (:mod:`odforecast.models.own`); no model sees them before.
What cannot be trusted is refused here, with what was found.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import PanelError
from odforecast.geography import JURISDICTIONS, NATION, absent, called, code_of
from odforecast.markup import few, number_of
from odforecast.months import Months, to_month
from odforecast.names import ALL_DRUGS, INDICATOR_NAMES, STATES, indicator_name
from odforecast.panel.own_compared import check
from odforecast.seeds import content_hash

if TYPE_CHECKING:
    from odforecast.panel.panel import Panel

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]

_NEEDED = ("location", "month", "deaths")
_COLUMNS = (*_NEEDED, "as_of", "basis", "indicator")
#: More than any state has in a month.
_MOST = 100_000.0


@dataclass(frozen=True, eq=False)
class Own:
    """Monthly counts of jurisdictions, by the day on which they were known.

    One row per location, month and day, sorted; arrays are read-only.

    Attributes
    ----------
    locations : tuple of str
        CDC codes, length N.
    months : ndarray of datetime64[M], shape (N,)
        Months of death.
    deaths : ndarray, shape (N,)
        Deaths of that one month, by the state's own definition.
    as_of : ndarray of datetime64[D], shape (N,)
        The day on which the state said so.
    complete : bool
        Whether the counts miss nothing any more; else late arrivals are expected.
    basis : str
        What the file says of its basis; empty if nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.panel.own import Own
    >>> months = np.array(["2025-06", "2025-05"], dtype="datetime64[M]")
    >>> day = np.full(2, np.datetime64("2025-09-01"))
    >>> Own(("OH", "OH"), months, np.array([180.0, 190.0]), day).of("OH")[1].tolist()
    [190.0, 180.0]
    """

    locations: tuple[str, ...]
    months: Months
    deaths: Floats
    as_of: Days
    complete: bool = False
    basis: str = ""

    def __post_init__(self) -> None:
        months = np.array(self.months, dtype="datetime64[M]")
        as_of = np.array(self.as_of, dtype="datetime64[D]")
        deaths = np.array(self.deaths, dtype=float)
        if not len(self.locations) == months.size == as_of.size == deaths.size:
            raise PanelError("own counts need a location, month, day and number in every row")
        places = np.array(self.locations, dtype=str)
        order = np.lexsort((as_of, months, places))
        object.__setattr__(self, "locations", tuple(str(s) for s in places[order]))
        for name, array in (("months", months), ("deaths", deaths), ("as_of", as_of)):
            held = array[order]
            held.flags.writeable = False
            object.__setattr__(self, name, held)

    @property
    def places(self) -> tuple[str, ...]:
        """The locations, each once."""
        return tuple(dict.fromkeys(self.locations))

    @property
    def data_hash(self) -> str:
        """Hash of all rows, in any order."""
        places = "|".join(self.locations)
        # As whole days and months: a date's bytes hang on how it is kept.
        times = (self.months.astype(np.int64), self.as_of.astype(np.int64))
        return content_hash(places, *times, self.deaths, self.complete, self.basis)

    def known(self, day: dt.date, locations: Iterable[str]) -> Own | None:
        """The rows of some locations that were known on a day; None where there are none."""
        wanted = set(locations)
        keep = self.as_of <= np.datetime64(day, "D")
        keep &= np.array([s in wanted for s in self.locations], dtype=bool)
        if keep.all():
            return self if keep.size else None
        if not keep.any():
            return None
        places = tuple(s for s, k in zip(self.locations, keep) if k)
        return replace(
            self,
            locations=places,
            months=self.months[keep],
            deaths=self.deaths[keep],
            as_of=self.as_of[keep],
        )

    def rows(self, location: str) -> tuple[Months, Floats, Days]:
        """All rows of a location: months, deaths and days, by month and day."""
        at = np.array([s == location for s in self.locations], dtype=bool)
        return self.months[at], self.deaths[at], self.as_of[at]

    def of(self, location: str) -> tuple[Months, Floats, Days]:
        """The newest count of each month of a location, in order; each array of shape (n,)."""
        months, deaths, days = self.rows(location)
        last = np.append(months[1:] != months[:-1], True)[: months.size]
        return months[last], deaths[last], days[last]

    def said(self) -> str:
        """In words: which places, up to which month.

        Examples
        --------
        >>> import numpy as np
        >>> from odforecast.panel.own import Own
        >>> month = np.array(["2025-06"], dtype="datetime64[M]")
        >>> Own(("OH",), month, np.array([180.0]), np.array(["2025-09-01"], "M8[D]")).said()
        'OH to 2025-06'
        """
        return self._to_months({s: s for s in self.places})

    def within(
        self, places: Iterable[str], parts: Mapping[str, Sequence[str]], summed: bool
    ) -> str:
        """In words, the own counts that a forecast of places rests on; empty if none.

        Parameters
        ----------
        places : iterable of str
            Locations of a forecast.
        parts : mapping of str to sequence of str
            What its sums are made of.
        summed : bool
            Whether the nation is the sum of its parts in every draw.
        """
        of: set[str] = set()
        for place in places:
            of.update(parts.get(place, JURISDICTIONS if place == NATION and summed else (place,)))
        there = {s: called(s) for s in self.places if s in of}
        return f"own counts of {self._to_months(there)}" if there else ""

    def _to_months(self, names: Mapping[str, str]) -> str:
        ends = {name: self.of(s)[0][-1] for s, name in names.items()}
        if len(set(ends.values())) == 1:
            return f"{few(ends)} to {next(iter(ends.values()))}"
        return few([f"{s} to {month}" for s, month in ends.items()])


def with_counts(panel: Panel, frame: pd.DataFrame, complete: bool = False) -> Panel:
    """See :meth:`odforecast.panel.Panel.with_counts`."""
    if panel.dataset != STATES:
        raise PanelError(
            f"own counts are monthly counts of states, and this panel holds {panel.dataset}",
            hint="give them to the panel of the states: vintage.panel()",
        )
    if panel.own is not None:
        raise PanelError(
            f"the panel has own counts already ({panel.own.said()})",
            hint="give all of them in one frame",
        )
    own, later = _read(panel, frame, complete)
    for state in own.places:
        check(panel, own, state)
    notes = panel.notes
    if later:
        notes += (f"{number_of(later, 'own count')} known only after {panel.as_of} left out",)
    return replace(panel, own=own, notes=notes)


def _read(panel: Panel, frame: pd.DataFrame, complete: bool) -> tuple[Own, int]:
    """Rows of a frame that were known on the panel's day, and how many came later."""
    if not isinstance(frame, pd.DataFrame):
        raise PanelError(f"own counts are a {type(frame).__name__}, not a DataFrame")
    if "location" not in frame and "state" in frame:
        frame = frame.rename(columns={"state": "location"})
    lacking = [c for c in _NEEDED if c not in frame]
    if lacking or frame.empty:
        held = ", ".join(str(c) for c in frame.columns)
        raise PanelError(
            f"own counts have no {', '.join(lacking) or 'rows'}"
            + (f"; the columns are {held}" if lacking else ""),
            hint="they need location, month, deaths, and may have as_of",
        )
    names = [str(c) for c in frame.columns]
    if doubled := sorted({n for n in names if names.count(n) > 1} & set(_COLUMNS)):
        raise PanelError(
            f"own counts have two columns of one name: {', '.join(doubled)}",
            hint="keep one of each",
        )
    basis = _one_value(frame, "basis")
    _one_indicator(panel, frame)
    unnamed = [_blank(x) for x in frame["location"]]
    if any(unnamed):
        raise PanelError(
            f"location is blank in row {unnamed.index(True)} of the own counts (and "
            f"{sum(unnamed) - 1} more)",
            hint="name the place in every row",
        )
    names = [str(x).strip() for x in frame["location"]]
    codes = {name: code_of(name) for name in dict.fromkeys(names)}
    if NATION in codes.values():
        raise PanelError(
            "own counts of the US: the nation is added up from its jurisdictions",
            hint="give the jurisdictions' own counts, and leave the US out",
        )
    absent(list(dict.fromkeys(codes.values())), panel.locations, "the panel", PanelError)
    places = [codes[name] for name in names]
    months = np.array([to_month(m) for m in frame["month"]], dtype="datetime64[M]")
    labels = [f"{s} {m}" for s, m in zip(places, months)]
    deaths = _counts(frame["deaths"], labels)
    days = _days(frame.get("as_of"), labels, panel.as_of)
    cells = pd.Series(list(zip(places, months, days)))
    if (twice := cells[cells.duplicated()]).size:
        state, month, day = twice.iloc[0]
        values = deaths[[i for i, c in enumerate(cells) if c == (state, month, day)]]
        raise PanelError(
            f"{state} {month} is given twice as of {day}: {_listed(values)}",
            hint="one row per location, month and as_of",
        )
    early = months >= days.astype("datetime64[M]")
    if early.any():
        i = int(np.flatnonzero(early)[0])
        raise PanelError(
            f"{labels[i]} had not ended on {days[i]}, the day on which it is said to be known"
            + (f" (and {int(early.sum()) - 1} more)" if early.sum() > 1 else ""),
            hint="leave months that have not ended out; a later --as-of moves the day of rows "
            "without an as_of",
        )
    now = days <= np.datetime64(panel.as_of, "D")
    if not now.any():
        raise PanelError(
            f"all {len(days)} own counts were known only after {panel.as_of} (the first on "
            f"{days.min()})",
            hint=f"take the panel as of {days.min()} or later: --as-of {days.min()}",
        )
    rows = np.flatnonzero(now)
    own = Own(
        tuple(places[i] for i in rows), months[rows], deaths[rows], days[rows], complete, basis
    )
    return own, int((~now).sum())


def _one_value(frame: pd.DataFrame, column: str) -> str:
    """The only value of a column; empty where there is no such column."""
    if column not in frame:
        return ""
    values = sorted({str(v).strip() for v in frame[column] if not _blank(v)})
    if len(values) > 1:
        raise PanelError(
            f"own counts have several values of {column}: {', '.join(values[:4])}",
            hint="counts of one definition only: keep the rows of one",
        )
    return values[0] if values else ""


def _one_indicator(panel: Panel, frame: pd.DataFrame) -> None:
    """Refuse counts of other deaths; those of a class must say that they are."""
    said = _one_value(frame, "indicator")
    if said and indicator_name(said).lower() != panel.indicator.lower():
        raise PanelError(
            f"own counts are of {said!r}, the panel's of {panel.indicator!r}",
            hint="give own counts of the same deaths, or take that indicator's panel",
        )
    if panel.indicator == ALL_DRUGS or (said and not any(map(_blank, frame["indicator"]))):
        return
    short = next((s for s, n in INDICATOR_NAMES.items() if n == panel.indicator), panel.indicator)
    raise PanelError(
        f"own counts do not say that they are of {panel.indicator!r}"
        + (" in every row" if said else ", and may be of all drugs"),
        hint=f"if they are, add a column indicator with {short} in every row; counts of all drugs "
        "belong to the panel of all drugs: leave --indicator out (vintage.panel())",
    )


def _counts(column: pd.Series[Any], labels: list[str]) -> Floats:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    raw = list(column)
    for bad, why in (
        (~np.isfinite(numbers), "no number"),
        (numbers < 0, "negative"),
        (numbers > _MOST, "more than any state has in a month"),
        (np.trunc(numbers) != numbers, "no whole number of deaths"),
    ):
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            shown = "blank" if _blank(raw[i]) else f"{raw[i]!s:.20}"
            more = f" (and {int(bad.sum()) - 1} more)" if bad.sum() > 1 else ""
            what = shown if shown == "blank" else f"{shown}, {why}"
            raise PanelError(
                f"{labels[i]}: deaths is {what}{more}",
                hint="give every month's count; a suppressed one cannot be used",
            )
    return numbers


def _days(column: pd.Series[Any] | None, labels: list[str], panel_day: dt.date) -> Days:
    """The day of each row: that of the panel where none is given."""
    default = np.datetime64(panel_day, "D")
    days = np.full(len(labels), default)
    if column is None:
        return days
    for i, value in enumerate(column):
        if not _blank(value):
            text = str(value)[:10] if not isinstance(value, str) else value.strip()
            try:
                days[i] = np.datetime64(dt.date.fromisoformat(text), "D")
            except ValueError:
                raise PanelError(
                    f"{labels[i]}: as_of is {value!s:.20}, no day", hint="write it as 2025-09-17"
                ) from None
    return days


def _blank(value: object) -> bool:
    return value is None or value is pd.NaT or value != value or not str(value).strip()


def _listed(values: Floats) -> str:
    return " and ".join(f"{v:,.0f}" for v in values[:2])
