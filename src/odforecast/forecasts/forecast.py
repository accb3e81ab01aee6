"""Forecast: joint sample paths, and everything derived by adding."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import ForecastError, OdforecastError, one_of, short, whole
from odforecast.forecasts import adding, tables
from odforecast.forecasts import trend as trends
from odforecast.forecasts.adding import between, in_order, quantile_levels, sums_of
from odforecast.forecasts.file import read_forecast, save_forecast
from odforecast.forecasts.tables import layer_of, of_counties
from odforecast.forecasts.text import text
from odforecast.geography import JURISDICTIONS, REGIONS, closed, code_of, parts_of, pick
from odforecast.months import ONE_MONTH, Months, to_month
from odforecast.names import (
    FORECAST_DIMS,
    HUB_QUANTILES,
    LOCATION,
    MONTH,
    OCCURRENCE,
    TARGET_12MO,
    TARGET_MONTH,
    TARGETS,
)
from odforecast.panel import Floats, Frozen, Panel
from odforecast.say import card, html_table, listed, number_of, shown_warnings, steady

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from odforecast.forecasts.record import Scored

#: Columns that a notebook shows, and their titles; decimals of their numbers.
_OF_STATES = {
    "name": "place",
    "month": "12 months ending",
    "low": "low",
    "median": "median",
    "high": "high",
    "change": "change on a year before, %",
    "fall": "chance of a fall",
    "rate": "per 100,000",
}
_OF_COUNTIES = {
    "name": "county",
    "month": "12 months ending",
    "last": "reported",
    "low": "low",
    "median": "median",
    "high": "high",
    "p_zero": "chance of 0",
    "p_hidden": "of 1–9",
    "p_ten": "of 10+",
}
_DECIMALS = dict.fromkeys(("low", "median", "high", "change"), 0) | {"rate": 1}
_DECIMALS |= dict.fromkeys(("fall", "p_zero", "p_hidden", "p_ten"), 2)


@dataclass(frozen=True, eq=False)
class Forecast(Frozen):
    """Sample paths, draws × locations × months.

    A model of months keeps paths of **monthly deaths**, and everything else is a sum. A model of
    12-month counts keeps paths of *those*, and refuses months.

    Attributes
    ----------
    draws : ndarray, shape (D, L, M)
        Monthly or 12-month-ending deaths: see ``target``.
    locations : tuple of str
        CDC codes.
    months : ndarray of datetime64[M], shape (M,)
        Consecutive. Months up to ``last_month`` are the nowcast.
    known : ndarray, shape (L, 11) or (D, L, 11)
        Monthly deaths before ``months[0]``; NaN where hidden.
    as_of : datetime.date
        The day the forecast could have been made.
    last_month : datetime64[M]
        Last month of the panel; horizon h is the h-th month after it.
    target : {"deaths_month", "deaths_12mo"}
    joint : frozenset of str
        Axes over which draws may be added, of ``"location"`` and ``"month"``.
    basis : {"occurrence", "residence"}
    panel : Panel or None
        The panel it was made from.
    skipped : mapping of str to str
        Locations without a forecast, and why.
    provenance : mapping of str to str
        Model, label, spec hash, seed, panel hash, vintage kind, library version.
    warnings : tuple of str
        Read these before using the numbers.
    parts : mapping of str to tuple of str
        Parts of each sum of locations.
    beside : mapping of str to Forecast
        Drug classes in the same draws: see :meth:`part`.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(horizon=12, draws=200, seed=1)
    >>> forecast.select("Ohio").quantiles([0.5]).shape
    (1, 1, 12)
    """

    _mappings = ("skipped", "provenance", "parts")

    draws: Floats
    locations: tuple[str, ...]
    months: Months
    known: Floats
    as_of: dt.date
    last_month: np.datetime64
    target: str = TARGET_MONTH
    joint: frozenset[str] = frozenset({LOCATION, MONTH})
    basis: str = OCCURRENCE
    panel: Panel | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    beside: Mapping[str, Forecast] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Copies: a forecast shares no array with its maker, only with what is made of it.
        draws = np.array(self.draws, float, order="C")
        object.__setattr__(self, "draws", draws)
        object.__setattr__(self, "known", np.array(self.known, float, order="C"))
        self._settle()
        if not np.isfinite(draws).all():
            bad = np.argwhere(~np.isfinite(draws))
            d, i, m = bad[0]
            first = f"first at draw {d}, {self.locations[i]}, {self.months[m]}"
            raise ForecastError(f"{len(bad)} draws are not finite, {first}")

    @classmethod
    def _from_owned(cls, **values: Any) -> Forecast:
        """A forecast of all fields, which takes its arrays over: nobody else writes to them."""
        forecast = cls.__new__(cls)
        forecast.__dict__.update(values)
        forecast._settle()
        return forecast

    def _replace(self, **changes: Any) -> Forecast:
        """The same forecast with other fields, whose arrays it takes over."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return self._from_owned(**values | changes)

    def _settle(self) -> None:
        """Check the fields, and let nobody write to them."""
        # One order in memory, or sums of a selected or loaded forecast differ in the last bit.
        draws = np.ascontiguousarray(self.draws)
        known = np.ascontiguousarray(self.known)
        months = np.array(self.months, dtype="datetime64[M]")
        shape = (len(self.locations), months.size)
        if draws.ndim != 3 or draws.shape[1:] != shape or 0 in draws.shape:
            raise ForecastError(
                f"draws have shape {draws.shape}, expected (D, {shape})"
            )
        if known.shape not in ((shape[0], 11), (len(draws), shape[0], 11)):
            raise ForecastError(
                f"known has shape {known.shape}, expected {(shape[0], 11)}"
            )
        if len(draws) == 1:
            known = known.reshape(shape[0], 11)
        if (np.diff(months).astype(int) != 1).any():
            raise ForecastError("months must be consecutive")
        if not self.joint <= {LOCATION, MONTH} or self.target not in TARGETS:
            raise ForecastError(
                f"unknown axis in {self.joint} or target {self.target!r}"
            )
        if len(set(self.locations)) != len(self.locations):
            raise ForecastError("locations must be distinct")
        for name, array in (("draws", draws), ("months", months), ("known", known)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        object.__setattr__(self, "beside", adding.of_these_draws(self))
        self._freeze()

    def __getstate__(self) -> dict[str, object]:
        return super().__getstate__() | {"beside": dict(self.beside)}

    @steady
    def __repr__(self) -> str:
        model = self.provenance.get("label", self.provenance.get("model", "?"))
        first = int(self.horizons[0])
        last = int(self.horizons[-1])
        return card(
            f"Forecast {model} as of {self.as_of}: {number_of(len(self.draws), 'draw')}, "
            f"{number_of(len(self.locations), 'location')}, {self.months[0]}..{self.months[-1]}",
            f"places  {listed(self.locations)}",
            f"horizons  {first} to {last}, months after {self.last_month}",
            f"parts  {', '.join(self.beside)}" if self.beside else "",
            *(f"warning  {said}" for said in shown_warnings(self.warnings)),
            "next: .select('Ohio/*'), .counties(), .ranking(), .text('39035'), .plot()"
            if of_counties(self)
            else "next: .select('Ohio'), .summary(), .years(), .trend(), .nowcast(), .text(), "
            ".plot()",
        )

    @steady
    def _repr_html_(self) -> str:
        caption = repr(self).splitlines()[0]
        counties = of_counties(self)
        try:
            table = self.counties() if counties else self.summary()
        except ForecastError:  # paths of single months, not joint
            return html_table(self.to_frame(target=self.target), caption)
        titles = _OF_COUNTIES if counties else _OF_STATES
        more = ".summary(), .years(), .trend(), .nowcast()"
        hidden = ""
        if counties:
            more = ".counties(), .ranking()"
            hidden = "; numbers below 10 left out"
        shown = table.loc[
            table["horizon"] == min(12, int(self.horizons[-1])), list(titles)
        ]
        names = {**titles, "last": f"reported {self.last_month}"}
        return html_table(
            shown.round(_DECIMALS).rename(columns=names),
            f"{caption.lstrip('<')}; 90% interval{hidden}",
            note=f"All of it: {more}, .text({titles['name']}), .plot()",
        )

    @classmethod
    def from_panel(
        cls, panel: Panel, draws: Floats, locations: Sequence[str], **keywords: Any
    ) -> Forecast:
        """A forecast of the months that follow, or revise the end of, a panel.

        Parameters
        ----------
        panel : Panel
            What the model was fitted to.
        draws : ndarray, shape (D, L, M)
            Monthly deaths, or 12-month-ending deaths with ``target="deaths_12mo"``.
        locations : sequence of str
            The L locations of the draws.
        **keywords
            ``first_month`` (default: the month after the panel's last), ``late`` (D, L, 11):
            deaths that the eleven months before it still miss, in every draw; and any other
            field of :class:`Forecast` (``known``: default, the panel's months).
        """
        after = panel.last_month + ONE_MONTH
        first = to_month(keywords.pop("first_month", after))
        months = np.arange(first, first + draws.shape[2] * ONE_MONTH)
        if (known := keywords.pop("known", None)) is None:
            stop = panel.monthly.shape[1] - int((after - months[0]).astype(int))
            rows = [panel.locations.index(s) for s in locations]
            known = panel.monthly[rows, stop - 11 : stop].copy()
            if LOCATION in keywords.get("joint", {LOCATION}):
                # Each row's months have their own constants; those of a coherent nation are its
                # parts', so that sums with known months add up too.
                known = closed(known, locations)
        late = keywords.pop("late", None)
        if late is not None and np.any(late):
            known = known + np.asarray(late, dtype=float)
        given = {"basis": panel.basis, "panel": panel, **keywords}
        places = tuple(locations)
        return cls(draws, places, months, known, panel.as_of, panel.last_month, **given)

    save = save_forecast

    @property
    def targets(self) -> frozenset[str]:
        """What can be asked for: a model of months has both targets, one of sums only those."""
        return (
            frozenset(TARGETS)
            if self.target == TARGET_MONTH
            else frozenset({TARGET_12MO})
        )

    @property
    def horizons(self) -> NDArray[np.int64]:
        """Months after the panel's last month, shape (M,); 0 and below are revisions."""
        return (self.months - self.last_month).astype(np.int64)

    @property
    def horizons_from_origin(self) -> NDArray[np.int64]:
        """Months after the month of the as-of date, shape (M,)."""
        return (self.months - np.datetime64(self.as_of, "M")).astype(np.int64)

    def samples(self, target: str = TARGET_12MO) -> Floats:
        """Draws of a target, shape (D, L, M); read-only, as the draws are.

        Raises
        ------
        ForecastError
            If the target is unknown, the draws do not mean it, or sums are asked of months
            that are not joint.
        """
        if target not in TARGETS:
            raise ForecastError(
                f"unknown target {target!r}", hint=one_of(target, TARGETS)
            )
        if target not in self.targets:
            raise ForecastError(
                f"{self.provenance.get('model', 'this model')} does not forecast {target}",
                hint=f"it forecasts {', '.join(sorted(self.targets))}",
            )
        if target == self.target:
            return self.draws
        if MONTH not in self.joint and self.months.size > 1:
            raise ForecastError(
                "these draws are not joint over months, so they cannot be added",
                hint="ask for single months, or use a model whose paths are joint over months",
            )
        return sums_of(self)

    def count_at(self, month: object) -> Floats:
        """12-month-ending deaths at a month in every draw, shape (D, L).

        A month that the draws reach is drawn (where counts are not final, it is the nowcast of
        the same draw); an earlier one is the reported count of the panel, of a sum of locations
        that of its parts.
        """
        when = to_month(month)
        position = int((when - self.months[0]).astype(int))
        if position >= self.months.size:
            raise ForecastError(
                f"{when} lies after the forecast, which ends {self.months[-1]}"
            )
        if position >= 0:
            return np.asarray(self.samples()[:, :, position])
        panel = self.panel
        if panel is None or not panel.months[0] <= when <= panel.last_month:
            raise ForecastError(f"no count is known for {when}")
        counts = layer_of(self, "reported")[
            :, int((when - panel.months[0]).astype(int))
        ]
        return np.broadcast_to(counts, (len(self.draws), counts.size))

    def change(self, month: object) -> Floats:
        """Change of the 12-month-ending count at a month on the count 12 months earlier.

        Both counts are taken in the same draw and as final counts: where the earlier one is not
        final, its nowcast is used, not the incomplete reported count. "Fall" and trend mean
        this and nothing else.

        Returns
        -------
        ndarray, shape (D, L)
            Deaths; below zero is a fall.

        Raises
        ------
        ForecastError
            If both counts are drawn, and the draws are not joint over months.

        Examples
        --------
        >>> import odforecast as od
        >>> fitted = od.get_model("dlm").fit(od.bundled().as_of().panel())
        >>> ohio = fitted.forecast(draws=100).select("Ohio")
        >>> ohio.change("2026-04").shape
        (100, 1)
        """
        when = to_month(month)
        before = when - 12 * ONE_MONTH
        if MONTH not in self.joint and before >= self.months[0]:
            raise ForecastError(
                f"these draws are not joint over months: those of {when} and of {before} belong "
                "to no one world, and cannot be compared",
                hint="ask for a month at most 12 after the last known one, or use another model",
            )
        return self.count_at(when) - self.count_at(before)

    def quantiles(
        self, levels: Sequence[float] = HUB_QUANTILES, target: str = TARGET_12MO
    ) -> Floats:
        """Quantiles of a target, shape (Q, L, M), in the order of ``levels``."""
        return between(in_order(self.samples(target)), quantile_levels(levels))

    def probability_below(
        self, value: float | Floats, target: str = TARGET_12MO
    ) -> Floats:
        """Share of draws below ``value`` (scalar, or broadcastable to (L, M)), shape (L, M)."""
        samples = self.samples(target)
        hint = "give a number of deaths, or an array of locations × months"
        try:
            limit = np.broadcast_to(np.asarray(value, dtype=float), samples.shape[1:])
        except (TypeError, ValueError) as error:
            raise ForecastError(f"value is {short(value)}", hint=hint) from error
        if np.isnan(limit).any():
            raise ForecastError("value is NaN", hint=hint)
        return np.asarray((samples < limit).mean(axis=0))

    def index(self, state: str) -> int:
        """Position of a location.

        Raises
        ------
        ForecastError
            If it is not in the forecast; says why if the model skipped it.
        """
        # A sum has a name that is no place's.
        code = state if state in self.locations else code_of(state)
        if code not in self.locations:
            reason = self.skipped.get(code, f"it has: {listed(self.locations, 60)}")
            raise ForecastError(f"no forecast for {code}", hint=reason)
        return self.locations.index(code)

    def select(self, locations: str | Iterable[str]) -> Forecast:
        """Only these locations, by any of their names, in this order; one may be given bare."""
        places = pick(
            locations, self.locations, "the forecast", ForecastError, self.skipped
        )
        if tuple(places) == self.locations:
            return self
        rows = [self.locations.index(s) for s in places]

        def select_classes(beside: Mapping[str, Forecast]) -> dict[str, Forecast]:
            """The classes that some of these places publish."""
            selected = {}
            for name, part in beside.items():
                publishing = [place for place in places if place in part.locations]
                if publishing:
                    selected[name] = part.select(publishing)
            return selected

        return adding.carrying(
            self,
            select_classes,
            locations=places,
            draws=self.draws[:, rows],
            known=self.known[..., rows, :],
        )

    def first(self, draws: int) -> Forecast:
        """Only the first draws, without the parts; shape (n, L, M)."""
        draws = whole("draws", draws, least=1)
        known = self.known if self.known.ndim == 2 else self.known[:draws].copy()
        return self._replace(draws=self.draws[:draws].copy(), known=known, beside={})

    total = adding.total

    def nation(self) -> Forecast:
        """The US as the sum of its 52 jurisdictions (50 states, DC and New York City)."""
        return self.total(JURISDICTIONS, "US")

    def region(self, name: str) -> Forecast:
        """A census region as the sum of its jurisdictions.

        Parameters
        ----------
        name : {"Northeast", "Midwest", "South", "West"}
        """
        if name not in REGIONS:
            raise ForecastError(f"unknown region {name!r}", hint=one_of(name, REGIONS))
        return self.total(parts_of(name), name)

    # Adding and tables stand in modules of their own.
    with_nation = adding.with_nation
    part = adding.part
    with_parts = adding.with_parts
    summary = tables.summary
    years = tables.years
    trend = trends.trend
    nowcast = tables.nowcast
    counties = tables.counties
    ranking = tables.ranking

    def text(self, location: str | None = None, record: Scored | None = None) -> str:
        """The forecast of one place in three sentences.

        They give the last count and its nowcast; the count 12 months ahead with its 90% interval
        and past errors; and the change on a year earlier with the probability of a fall.

        Parameters
        ----------
        location : str, optional
            Default: the only location, or else the US.
        record : Results, optional
            A backtest of the same model for past errors. Default: the record that ships with the
            default model.

        Raises
        ------
        ForecastError
            If no location is named and there is no US, or the record has no scores of this model.

        Examples
        --------
        >>> import odforecast as od
        >>> panel = od.bundled().as_of().panel()
        >>> forecast = od.get_model("naive").fit(panel).forecast(draws=200)
        >>> forecast.text("Ohio")
        'In Ohio, 2,539 drug overdose deaths were reported for the 12 months ending in August ...'
        """
        return text(self, location, record=record)

    def plot(self, axes: Any = None, **options: Any) -> Any:
        """Draw it: a fan for one location, small multiples for several, a map for counties.

        Parameters
        ----------
        axes : matplotlib Axes, optional
            Where to draw one location; an array of them for several. Default: a figure of its own.
        **options
            Of :func:`odforecast.plot.fan`, of :func:`odforecast.plot.small_multiples`, or, for
            several counties, of :func:`odforecast.plot.map`.

        Returns
        -------
        matplotlib Axes
            Or an array of them, for several locations.

        Examples
        --------
        >>> import odforecast as od
        >>> panel = od.bundled().as_of().panel()
        >>> forecast = od.get_model("drift").fit(panel).forecast(draws=100)
        >>> "Ohio" in forecast.select("Ohio").plot().get_title(loc="left")
        True
        """
        from odforecast.plot import fan, map, small_multiples

        many = map if of_counties(self) else small_multiples
        return (fan if len(self.locations) == 1 else many)(self, axes=axes, **options)

    def to_frame(
        self,
        levels: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95),
        target: str = TARGET_12MO,
    ) -> pd.DataFrame:
        """Quantiles of a target, tidy.

        Returns
        -------
        DataFrame
            One row per location, month and level: ``location``, ``month``, ``horizon`` (from the
            panel's last month; 0 and below are the nowcast), ``horizon_from_origin``,
            ``target``, ``level``, ``value`` (deaths).

        Examples
        --------
        >>> import odforecast as od
        >>> panel = od.bundled().as_of().panel()
        >>> table = od.get_model("naive").fit(panel).forecast(draws=50).select("Ohio").to_frame()
        >>> len(table), table["horizon"].max()
        (60, np.int64(12))
        """
        values = self.quantiles(levels, target)
        labels = tables.frame_of(self, {"target": target}).drop(columns="name")
        frame = labels.loc[labels.index.repeat(len(values))].reset_index(drop=True)
        frame["level"] = np.tile(np.asarray(levels, dtype=float), len(labels))
        frame["value"] = np.moveaxis(values, 0, 2).ravel()
        return frame

    def to_xarray(self, target: str = TARGET_12MO) -> xr.DataArray:
        """Draws of a target as a labelled array (draw, location, month)."""
        import xarray as xr

        months = self.months.astype("datetime64[ns]")
        return xr.DataArray(
            self.samples(target),
            dims=FORECAST_DIMS,
            coords={LOCATION: list(self.locations), MONTH: months},
            name=target,
            attrs={"as_of": str(self.as_of), **self.provenance},
        )


def a_forecast(value: object, error: type[OdforecastError] = ForecastError) -> Forecast:
    """What must be a forecast, or one clear error."""
    if not isinstance(value, Forecast):
        raise error(
            f"forecast is {short(value)}, no Forecast",
            hint="give one, as model.fit(panel).forecast() makes",
        )
    return value


def load_forecast(path: str | os.PathLike[str]) -> Forecast:
    """A forecast that :meth:`odforecast.Forecast.save` wrote, bit for bit, with its panel.

    Raises
    ------
    ForecastError
        If there is no forecast, a file is missing, cut short or changed, or a newer odforecast
        wrote it; names the file.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(draws=50)
    >>> folder = forecast.save(tempfile.mkdtemp() + "/drift")
    >>> again = od.load_forecast(folder)
    >>> bool((again.draws == forecast.draws).all()), again.panel.data_hash == panel.data_hash
    (True, True)
    """
    return read_forecast(Path(path), Forecast)
