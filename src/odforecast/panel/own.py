"""A state's own monthly counts, newer than CDC's: a layer of a panel."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import PanelError
from odforecast.geography import JURISDICTIONS, NATION, absent, called, code_of
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH, Months, to_day, to_month, today
from odforecast.names import (
    ALL_DRUGS,
    INDICATOR_NAMES,
    STATES,
    VINTAGE_REAL,
    indicator_name,
)
from odforecast.panel.triangle import Floats, fixed
from odforecast.say import listed, number_of
from odforecast.seeds import content_hash

if TYPE_CHECKING:
    from odforecast.panel.panel import Panel

Days = NDArray[np.datetime64]
Bools = NDArray[np.bool_]

_NEEDED = ("location", "month", "deaths")
_COLUMNS = (*_NEEDED, "as_of", "basis", "indicator")
#: What is a number in a text. pandas' own parser may crash Python on others.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
#: More than any state has in a month.
_MOST = 100_000.0
#: Months that both must have: the level is learned on 12-month sums.
LEAST_OVERLAP = 12
#: Own counts over CDC's beyond which they cannot be of the same deaths. Months for 12-month sums
#: give 12, thousands 1,000; definitions in use differ by a tenth, a class by a half.
WILD = 3.0
#: Own counts over CDC's that need no second look: definitions in use differ by a tenth.
USUAL = (0.7, 1.4)
#: A month this many times the usual is a slip, if it is so many standard deviations from it that
#: chance in small counts cannot be why.
_SLIP = 3.0
_CHANCE = 6.0
#: A month of this share of the usual has come in: a low one before it is no late report.
_IN = 0.5
#: New York without the city, and the city: a place of its own.
_NEW_YORK = "NY"
_CITY = "YC"


@dataclass(frozen=True, eq=False)
class Own:
    """Monthly counts of jurisdictions, by the day on which they were known.

    One row per location, month and day, sorted; arrays are read-only.

    Attributes
    ----------
    locations : tuple of str
        CDC codes, length N.
    months, as_of : ndarray of datetime64, shape (N,)
        Month of death; day of the report.
    deaths : ndarray, shape (N,)
        Deaths of that month, by the state's definition.
    complete : bool
        Whether the counts are complete; else late arrivals are expected.
    basis : str
        As the file says; empty if it does not.
    undated : datetime.date or None
        The day assumed for rows without one.

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
    undated: dt.date | None = None

    def __post_init__(self) -> None:
        kinds = {"months": "datetime64[M]", "deaths": "float", "as_of": "datetime64[D]"}
        arrays = {
            name: np.asarray(getattr(self, name), kind) for name, kind in kinds.items()
        }
        places = np.array(self.locations, dtype=str)
        if {array.size for array in arrays.values()} != {places.size}:
            raise PanelError(
                "own counts need a location, month, day and number in every row"
            )
        order = np.lexsort((arrays["as_of"], arrays["months"], places))
        object.__setattr__(self, "locations", tuple(places[order].tolist()))
        for name, array in arrays.items():
            object.__setattr__(self, name, fixed(array[order], array.dtype.str))

    @property
    def places(self) -> tuple[str, ...]:
        """The locations, each once."""
        return tuple(dict.fromkeys(self.locations))

    @property
    def last_month(self) -> np.datetime64:
        """The last month of any location."""
        return np.datetime64(self.months.max(), "M")

    @property
    def data_hash(self) -> str:
        """Hash of all rows, in any order."""
        places = "|".join(self.locations)
        # As whole days and months: a date's bytes hang on how it is kept.
        times = (self.months.astype(np.int64), self.as_of.astype(np.int64))
        return content_hash(places, *times, self.deaths, self.complete, self.basis)

    def known(self, day: dt.date, locations: Iterable[str]) -> Own | None:
        """The rows of some locations that were known on a day; None where there are none."""
        published = self.as_of <= np.datetime64(day, "D")
        keep = np.isin(self.locations, list(locations)) & published
        if not keep.any():
            return None
        if keep.all():
            return self
        places = np.array(self.locations)[keep]
        return replace(
            self,
            locations=tuple(places.tolist()),
            months=self.months[keep],
            deaths=self.deaths[keep],
            as_of=self.as_of[keep],
        )

    def rows(self, location: str) -> tuple[Months, Floats, Days]:
        """All rows of a location: months, deaths and days, by month and day."""
        rows = np.array(self.locations, dtype=str) == location
        return self.months[rows], self.deaths[rows], self.as_of[rows]

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
        self,
        places: Iterable[str],
        parts: Mapping[str, Sequence[str]],
        summed: bool,
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
        codes: set[str] = set()
        for place in places:
            jurisdictions = JURISDICTIONS if summed and place == NATION else (place,)
            codes.update(parts.get(place, jurisdictions))
        names = {code: called(code) for code in self.places if code in codes}
        return f"own counts of {self._to_months(names)}" if names else ""

    def _to_months(self, names: Mapping[str, str]) -> str:
        ends = {}
        for code, name in names.items():
            months, _, _ = self.of(code)
            ends[name] = months[-1]
        if len(set(ends.values())) == 1:
            month = next(iter(ends.values()))
            return f"{listed(ends)} to {month}"
        return listed([f"{name} to {month}" for name, month in ends.items()])


def with_counts(
    panel: Panel,
    frame: pd.DataFrame,
    complete: bool = False,
    day: dt.date | str | None = None,
) -> Panel:
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
    # A panel that was cut or made up is seen from its own day, whatever the clock says.
    viewed = max(today(), panel.as_of) if panel.vintage == VINTAGE_REAL else panel.as_of
    if day is not None:
        viewed = to_day(day)
    counts = _read(panel, frame, complete=complete, default_day=viewed)
    own = counts.known(viewed, panel.locations)
    if own is None:
        first = counts.as_of.min()
        raise PanelError(
            f"all {len(counts.locations)} own counts were known only after {viewed} (the first on "
            f"{first})",
            hint=f"give {first} or a later day: --as-of {first}",
        )
    for state in own.places:
        _check(panel, own, state=state)
    notes = panel.notes
    later = len(counts.locations) - len(own.locations)
    if later:
        notes += (
            f"{number_of(later, 'own count')} known only after {viewed} left out",
        )
    # Seen from the day of the newest count in it: nothing published later is in a panel.
    newest = own.as_of.max().astype(object)
    if newest > panel.as_of:
        class_panels = {
            name: replace(class_panel, as_of=newest)
            for name, class_panel in panel.beside.items()
        }
        panel = replace(panel, as_of=newest, beside=class_panels)
    return replace(panel, own=own, notes=notes)


def numbers(column: pd.Series[Any]) -> tuple[Floats, Bools]:
    """The numbers of a column, NaN where a cell is blank, and where a cell is something else."""
    values = np.full(len(column), np.nan)
    wrong = np.zeros(len(column), dtype=bool)
    for i, cell in enumerate(column):
        real = isinstance(cell, Real) and not isinstance(cell, bool | np.bool_)
        numeric = isinstance(cell, str) and _NUMBER.fullmatch(cell.strip())
        if real or numeric:
            values[i] = float(cell)
        else:
            wrong[i] = not _blank(cell)
    return values, wrong


def dated[T](cell: str, value: object, read: Callable[[Any], T]) -> T:
    """A month or day; one that cannot be read is refused under the name of its cell."""
    try:
        return read(value)
    except PanelError as error:
        raise PanelError(f"{cell}: {error.message}", hint=error.hint) from None


def whole(frame: pd.DataFrame, columns: Iterable[str], message: str, hint: str) -> None:
    """Refuse a frame without some columns, or without rows."""
    lacking = [column for column in columns if column not in frame]
    if lacking:
        names = ", ".join(map(str, frame.columns))
        raise PanelError(
            f"{message} {', '.join(lacking)}; the columns are {names}", hint=hint
        )
    if frame.empty:
        raise PanelError(f"{message} rows", hint=hint)


def months_in(frame: pd.DataFrame) -> Months:
    """The months of a frame; one that cannot be read is refused with its row."""
    months = []
    for row, cell in enumerate(frame["month"]):
        months.append(dated(f"row {row}, month", cell, read=to_month))
    return np.array(months, dtype="datetime64[M]")


def refuse(bad: Bools, message: str, hint: str | None, *cells: Any) -> None:
    """Raise for the first bad row, with its cells in the message, and how many more there are."""
    if bad.any():
        row = int(bad.argmax())
        text = message.format(*(column[row] for column in cells))
        if bad.sum() > 1:
            text += f" (and {int(bad.sum()) - 1} more)"
        raise PanelError(text, hint=hint)


def _read(
    panel: Panel, frame: pd.DataFrame, complete: bool, default_day: dt.date
) -> Own:
    """All rows of a frame; those without a day of their own were known on one."""
    if not isinstance(frame, pd.DataFrame):
        raise PanelError(f"own counts are a {type(frame).__name__}, not a DataFrame")
    if "location" not in frame and "state" in frame:
        frame = frame.rename(columns={"state": "location"})
    hint = "they need location, month, deaths, and may have as_of"
    whole(frame, _NEEDED, message="own counts have no", hint=hint)
    names = [str(column) for column in frame.columns]
    doubled = sorted(column for column in _COLUMNS if names.count(column) > 1)
    if doubled:
        raise PanelError(
            f"own counts have two columns of one name: {', '.join(doubled)}",
            hint="keep one of each",
        )
    basis = _one_value(frame, "basis")
    _one_indicator(panel, frame)
    blank = np.array([_blank(x) for x in frame["location"]])
    message = "location is blank in row {} of the own counts"
    hint = "name the place in every row"
    refuse(blank, message, hint, range(len(frame)))
    names = [str(x).strip() for x in frame["location"]]
    codes = {name: code_of(name) for name in dict.fromkeys(names)}
    places = [codes[name] for name in names]
    if NATION in places:
        raise PanelError(
            "own counts of the US: the nation is added up from its jurisdictions",
            hint="give the jurisdictions' own counts, and leave the US out",
        )
    absent(list(dict.fromkeys(places)), panel.locations, "the panel", PanelError)
    months = months_in(frame)
    labels = [f"{s} {m}" for s, m in zip(places, months)]
    deaths = _counts(frame["deaths"], labels)
    report_days = frame["as_of"] if "as_of" in frame else [None] * len(labels)
    undated = None
    dates = []
    for label, cell in zip(labels, report_days):
        if _blank(cell):
            undated = default_day
            dates.append(default_day)
        else:
            dates.append(dated(f"{label}: as_of", cell, read=to_day))
    days = np.array(dates, dtype="datetime64[D]")
    rows = pd.DataFrame({"label": labels, "day": dates, "deaths": deaths})
    keys = ["label", "day"]
    message = "{} is given twice as of {}: {:,.0f} and {:,.0f}"
    before = rows.groupby(keys)["deaths"].transform("first")
    hint = "one row per location, month and as_of"
    refuse(
        rows.duplicated(keys).to_numpy(), message, hint, labels, days, before, deaths
    )
    message = "{} had not ended on {}, the day on which it is said to be known"
    hint = "leave it out; a later --as-of moves the day of rows without an as_of"
    refuse(months >= days.astype("datetime64[M]"), message, hint, labels, days)
    return Own(
        tuple(places),
        months,
        deaths=deaths,
        as_of=days,
        complete=complete,
        basis=basis,
        undated=undated,
    )


def _one_value(frame: pd.DataFrame, column: str) -> str:
    """The only value of a column; empty where there is no such column."""
    values = sorted({str(v).strip() for v in frame.get(column, ()) if not _blank(v)})
    if len(values) > 1:
        raise PanelError(
            f"own counts have several values of {column}: {', '.join(values[:4])}",
            hint="counts of one definition only: keep the rows of one",
        )
    return values[0] if values else ""


def _one_indicator(panel: Panel, frame: pd.DataFrame) -> None:
    """Refuse counts of other deaths; those of a class must say that they are."""
    indicator = _one_value(frame, "indicator")
    if indicator and indicator_name(indicator).lower() != panel.indicator.lower():
        raise PanelError(
            f"own counts are of {indicator!r}, the panel's of {panel.indicator!r}",
            hint="give own counts of the same deaths, or take that indicator's panel",
        )
    if panel.indicator == ALL_DRUGS or (
        indicator and not any(map(_blank, frame["indicator"]))
    ):
        return
    short = next(
        (s for s, n in INDICATOR_NAMES.items() if n == panel.indicator), panel.indicator
    )
    raise PanelError(
        f"own counts do not say that they are of {panel.indicator!r}"
        + (" in every row" if indicator else ", and may be of all drugs"),
        hint=f"if they are, add a column indicator with {short} in every row; counts of all drugs "
        "belong to the panel of all drugs: leave --indicator out (vintage.panel())",
    )


def _counts(column: pd.Series[Any], labels: list[str]) -> Floats:
    """Deaths of one month each: whole numbers, none of them blank."""
    values, _ = numbers(column)
    hint = "give every month's count; a suppressed one cannot be used"
    for bad, why in (
        (~np.isfinite(values), "not a number"),
        (values < 0, "negative"),
        (values > _MOST, "more than any state has in a month"),
        (np.trunc(values) != values, "not a whole number of deaths"),
    ):
        shown = ["blank" if _blank(x) else f"{x!s:.20}, {why}" for x in column]
        refuse(bad, "{}: deaths is {}", hint, labels, shown)
    return values


def _blank(value: object) -> bool:
    return value is None or value is pd.NaT or value != value or not str(value).strip()


def common(panel: Panel, own: Own, state: str) -> tuple[Months, Floats, Floats]:
    """Consecutive months that both have, with the state's and CDC's deaths, each of shape (n,)."""
    months, deaths, _ = own.of(state)
    at = (months - panel.month_grid[0]).astype(int)
    inside = (at >= 0) & (at < panel.month_grid.size)
    cdc = panel.monthly[panel.locations.index(state)][at[inside]]
    counted = np.isfinite(cdc)
    shared_months = months[inside][counted]
    own_deaths = deaths[inside][counted]
    cdc = cdc[counted]
    # Sums over 12 months need months without a gap: those after CDC's last one.
    gaps = np.flatnonzero(np.diff(shared_months).astype(int) != 1)
    first = gaps[-1] + 1 if gaps.size else 0
    return shared_months[first:], own_deaths[first:], cdc[first:]


def _check(panel: Panel, own: Own, state: str) -> None:
    """Refuse counts of a state that have gaps or cannot be compared with CDC's."""
    months, deaths, _ = own.of(state)
    name = f"own counts of {called(state)}"
    gaps = np.flatnonzero(np.diff(months).astype(int) != 1)
    if gaps.size:
        before = months[gaps[0]]
        after = months[gaps[0] + 1]
        raise PanelError(
            f"{name} have a gap: {before + ONE_MONTH} is missing between {before} and {after}",
            hint="give every month from the first to the last",
        )
    shared_months, own_deaths, cdc = common(panel, own, state=state)
    if shared_months.size < LEAST_OVERLAP:
        span = (
            f" ({shared_months[0]} to {shared_months[-1]})"
            if shared_months.size
            else ""
        )
        last = panel.last_month
        first = last - (LEAST_OVERLAP - 1) * ONE_MONTH
        needed = [
            f"begin the file in {first} or earlier, with counts of the same definition"
        ]
        if months[0] <= first:
            needed = []
        if months[-1] <= last:
            needed.append(f"let it go on after {last}, CDC's last month")
        hint = ", and ".join(needed) or "give months of which CDC shows a count"
        raise PanelError(
            f"{name} ({months[0]} to {months[-1]}) share "
            f"{number_of(shared_months.size, 'month')} with CDC's{span}; "
            f"{LEAST_OVERLAP} are needed to learn how the two compare",
            hint=hint,
        )
    own_total = float(rolling_sums(own_deaths)[-1])
    cdc_total = float(rolling_sums(cdc)[-1])
    until = shared_months[-1]
    total = (
        f"{name} add up to {own_total:,.0f} in the 12 months to {until}, where CDC has "
    )
    ratio = np.inf if own_total else 1.0
    if cdc_total > 0:
        ratio = own_total / cdc_total
    if not 1.0 / WILD < ratio < WILD:
        hint = "are they of the same deaths, and of the whole state?"
        if ratio > 1:
            hint = "are these 12-month counts given as months?"
        raise PanelError(
            f"{total}{cdc_total:,.0f}: {ratio:,.2g} times CDC's", hint=hint
        )
    if state == _NEW_YORK and _CITY in panel.locations:
        city = panel.monthly[panel.locations.index(_CITY)]
        positions = (shared_months[-12:] - panel.month_grid[0]).astype(int)
        with_city = cdc_total + float(city[positions].sum())
        # Nearer to the two together than to the state without the city.
        if own_total**2 > with_city * cdc_total:
            raise PanelError(
                f"{total}{cdc_total:,.0f} without the city and {with_city:,.0f} with it",
                hint="CDC counts New York City apart: give the rest of the state as NY, and the "
                "city as NYC",
            )
    scale = np.median(own_deaths) / max(float(np.median(cdc)), 1.0)
    shared = np.isin(months, shared_months)
    _refuse_slips(name, months, deaths=deaths, shared=shared, cdc=cdc * scale)


def _refuse_slips(
    name: str, months: Months, deaths: Floats, shared: Bools, cdc: Floats
) -> None:
    """Refuse a month that is three times what is usual, or a third of it, beyond chance.

    One that CDC has alike is not a slip: deaths rose, or reports to both are late. ``cdc`` has the
    months of ``shared``, on the state's scale.
    """
    n = deaths.size
    alike = np.zeros(n, dtype=bool)
    implied = np.full(n, np.nan)
    alike[shared] = (deaths[shared] >= USUAL[0] * cdc) & (
        deaths[shared] <= USUAL[1] * cdc
    )
    # Late reports lower none of what CDC's data imply.
    recent = [np.median(cdc[max(i - 12, 0) : i + 1]) for i in range(cdc.size)]
    implied[shared] = [max(count, median) for count, median in zip(cdc, recent)]
    before = [np.median(deaths[i - 12 : i]) if i >= 12 else np.nan for i in range(n)]
    around = [np.median(deaths[max(i - 6, 0) : i + 7]) for i in range(n)]
    root = np.sqrt(deaths + 0.375)  # of a Poisson count, with an sd of a half
    usual: Any = [
        (np.array(before), "about {:,.0f} a month in the 12 months before"),
        (np.array(around), "about {:,.0f} in a month of those about it"),
        (implied, "CDC's data imply about {:,.0f}"),
    ]
    for low in (False, True):
        for level, clause in usual[: 2 if low else 3]:
            extreme = (level > _SLIP * deaths) if low else (deaths > _SLIP * level)
            deviations = 2 * np.abs(root - np.sqrt(level + 0.375))
            bad = extreme & ~alike & (deviations > _CHANCE)
            if low:  # the newest months may still be coming in
                reported = np.flatnonzero(deaths >= _IN * level)
                end = int(reported[-1]) + 1 if reported.size else 0
                bad[end:] = False
            if bad.any():
                i = int(bad.argmax())
                comparison = clause.format(level[i])
                raise PanelError(
                    f"{name}: {deaths[i]:,.0f} deaths in {months[i]}, and {comparison}",
                    hint="correct the month that is wrong",
                )
