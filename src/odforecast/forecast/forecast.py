"""Forecast: joint sample paths, and everything derived by adding."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from odforecast.errors import ForecastError, OdforecastError, one_of, short
from odforecast.forecast.adding import carrying, total, with_nation
from odforecast.forecast.answers import Answers
from odforecast.forecast.arrays import held
from odforecast.forecast.part import of_these_draws, part, with_parts
from odforecast.forecast.readings import Readings
from odforecast.geography import JURISDICTIONS, REGIONS, closed, code_of, parts_of, pick
from odforecast.months import ONE_MONTH, Months, to_month
from odforecast.names import LOCATION, MONTH, OCCURRENCE, RESIDENCE, TARGET_MONTH, TARGETS
from odforecast.panel import Floats, Frozen, Panel
from odforecast.say import card, few, number_of, steady


@dataclass(frozen=True, eq=False)
class Forecast(Readings, Answers, Frozen):
    """Sample paths, draws × locations × months.

    A model of months keeps paths of **monthly deaths**, and everything else is derived by
    adding. A model of 12-month counts keeps paths of *those*: differences of them can be
    negative, so months are refused, not clipped.

    Attributes
    ----------
    draws : ndarray, shape (D, L, M)
        Monthly deaths, or 12-month-ending deaths: see ``target``.
    locations : tuple of str
        CDC codes, length L.
    months : ndarray of datetime64[M], shape (M,)
        Consecutive months. Months up to ``last_month`` appear where a model revises what is
        known (a nowcast); the rest are forecasts.
    known : ndarray, shape (L, 11) or (D, L, 11)
        Months of death before ``months[0]``, as known: with them draws of months add up to
        12-month-ending counts. In every draw, where they can still change. NaN where they are
        hidden; counts that need them are NaN.
    as_of : datetime.date
        The origin: the day the forecast could have been made.
    last_month : datetime64[M]
        Last month of the panel; horizon h is the h-th month after it.
    target : {"deaths_month", "deaths_12mo"}
        What the draws are.
    joint : frozenset of str
        Axes over which the draws are joint, out of ``"location"`` and ``"month"``.
        Adding over another axis is an error.
    basis : {"occurrence", "residence"}
        How deaths are counted.
    panel : Panel or None
        The panel it was made from.
    skipped : mapping of str to str
        Locations asked for and not forecast, and why.
    provenance : mapping of str to str
        Model, label, spec hash, seed, panel hash, vintage kind, library version.
    warnings : tuple of str
        What a reader must know before using the numbers (failed diagnostics, clips).
    parts : mapping of str to tuple of str
        What each sum of locations is made of.
    beside : mapping of str to Forecast
        Drug classes in the same draws, by short name: see :meth:`part`. Only those of these very
        draws: with other draws they are left out.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(horizon=12, draws=200, seed=1)
    >>> forecast.select("Ohio").quantiles([0.5]).shape
    (1, 1, 12)
    """

    _mappings = ("skipped", "provenance", "parts", "beside")

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
        arrays = held(self.draws, self.months, self.known, self.locations)
        if not self.joint <= {LOCATION, MONTH} or self.target not in TARGETS:
            raise ForecastError(f"unknown axis in {self.joint} or target {self.target!r}")
        if len(set(self.locations)) != len(self.locations):
            raise ForecastError("locations must be distinct")
        for name, array in zip(("draws", "months", "known"), arrays):
            object.__setattr__(self, name, array)
        if self.beside:
            object.__setattr__(self, "beside", of_these_draws(self))
        self._freeze()

    @steady
    def __repr__(self) -> str:
        model = self.provenance.get("label", self.provenance.get("model", "?"))
        first, last = int(self.horizons[0]), int(self.horizons[-1])
        return card(
            f"Forecast {model} as of {self.as_of}: {number_of(len(self.draws), 'draw')}, "
            f"{number_of(len(self.locations), 'location')}, {self.months[0]}..{self.months[-1]}",
            f"places  {few(self.locations)}",
            f"horizons  {first} to {last}, months after {self.last_month}",
            f"parts  {', '.join(self.beside)}" if self.beside else "",
            *(f"warning  {said}" for said in self.warnings),
            "next: .select('Ohio/*'), .counties(), .ranking(), .text('39035'), .plot()"
            if self.basis == RESIDENCE
            else "next: .select('Ohio'), .summary(), .years(), .trend(), .nowcast(), .text(), "
            ".plot()",
        )

    @classmethod
    def from_panel(
        cls, panel: Panel, draws: Floats, locations: Sequence[str], **keywords: object
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
            field of :class:`Forecast`.
        """
        after = panel.last_month + ONE_MONTH
        first = to_month(keywords.pop("first_month", after))
        months = np.arange(first, first + draws.shape[2] * ONE_MONTH)
        stop = panel.monthly.shape[1] - int((after - months[0]).astype(int))
        rows = [panel.locations.index(s) for s in locations]
        known = panel.monthly[rows, stop - 11 : stop].copy()
        joint = keywords.get("joint", frozenset({LOCATION, MONTH}))
        if LOCATION in joint:  # type: ignore[operator]
            # Each row's months have their own constants; those of a coherent nation are its
            # parts', so that sums with known months add up too.
            known = closed(known, locations)
        late = keywords.pop("late", None)
        if late is not None:
            arriving = np.asarray(late, dtype=float)
            if arriving.any():
                known = known + arriving
        return cls(
            draws=draws,
            locations=tuple(locations),
            months=months,
            known=known,
            as_of=panel.as_of,
            last_month=panel.last_month,
            basis=panel.basis,
            panel=panel,
            **keywords,  # type: ignore[arg-type]
        )

    @staticmethod
    def concat(forecasts: Iterable[Forecast]) -> Forecast:
        """Join forecasts of different locations, made at one time with one seed, into one.

        Locations come in the order of CDC's table, counties after them by code. The draws are
        joint over the axes that all of them are joint over, but over locations only where all
        are pieces of one and the same forecast: one model, seed and panel, as the provenance
        says, so that draw d is one world in all of them. Fitted apart, places are drawn each
        from its own stream, as if independent: adding such draws makes the spread of the sum
        too narrow.

        Parameters
        ----------
        forecasts : iterable of Forecast

        Returns
        -------
        Forecast
            Its panel holds the rows of all panels; None if a forecast has none. What their
            provenances say differently stands joined by ``" + "``.

        Raises
        ------
        ForecastError
            If there are none, a location comes twice, or they differ in as-of date, months,
            target, basis, number of draws, seed, scenario or panel.

        Examples
        --------
        >>> import odforecast as od
        >>> panel = od.bundled().as_of().panel()
        >>> west = od.get_model("drift").fit(panel.select(["WY", "CA"])).forecast(draws=50)
        >>> east = od.get_model("naive").fit(panel.select("ME")).forecast(draws=50)
        >>> both = od.Forecast.concat([west, east])
        >>> both.locations, sorted(both.joint), both.provenance["model"]
        (('CA', 'ME', 'WY'), ['month'], 'drift + naive')
        """
        from odforecast.forecast.concat import concat

        given: object = forecasts
        return concat([a_forecast(f) for f in (given if isinstance(given, Iterable) else [given])])

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
        """Write all of it, its panel too, into a folder: JSON and Parquet, no pickle.

        At every moment the folder holds a whole forecast or none;
        :func:`odforecast.load_forecast` reads it, bit for bit. Of counties the draws below 10 are
        in it, too: such a folder is for its owner, and not for publication.

        Parameters
        ----------
        path : path
            The folder. It is made if it is absent.
        overwrite : bool
            Take the place of a forecast that is there.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        ForecastError
            If a forecast or something else is there, it cannot be written, or the forecast
            holds values that have no form in the file.

        Examples
        --------
        >>> import tempfile
        >>> import odforecast as od
        >>> panel = od.bundled().as_of().panel()
        >>> forecast = od.get_model("drift").fit(panel).forecast(draws=50)
        >>> forecast.save(tempfile.mkdtemp() + "/drift").name
        'drift'
        """
        from odforecast.forecast.file import save_forecast

        return save_forecast(self, path, overwrite)

    def part(self, indicator: str) -> Forecast:
        """A drug class in the same draws: in each of them a part of the whole.

        Draw d of the part and draw d of this forecast are one world: their difference is the
        deaths without the class, and their ratio its share.

        Parameters
        ----------
        indicator : str
            CDC's name or a short one: ``"T40.4"``.

        Returns
        -------
        Forecast
            Of the locations that publish the class; ``skipped`` says why others are not there.

        Raises
        ------
        ForecastError
            If this forecast carries no such class.

        Examples
        --------
        >>> import odforecast as od
        >>> fitted = od.get_model("dlm").fit(od.bundled().as_of().panel())
        >>> whole = fitted.forecast(draws=100)
        >>> fentanyl = whole.part("T40.4").select(["US", "Ohio"])
        >>> bool((fentanyl.samples() <= whole.select(["US", "Ohio"]).samples()).all())
        True
        """
        return part(self, indicator)

    def with_parts(self, parts: Mapping[str, Forecast]) -> Forecast:
        """The same forecast, carrying drug classes in its draws; for authors of models.

        Parameters
        ----------
        parts : mapping of str to Forecast
            By short name, of the same draws and months.

        Raises
        ------
        ForecastError
            If one has other draws or months.
        """
        return with_parts(self, parts)

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
            reason = self.skipped.get(code, f"it has: {few(self.locations, 60)}")
            raise ForecastError(f"no forecast for {code}", hint=reason)
        return self.locations.index(code)

    def select(self, locations: str | Iterable[str]) -> Forecast:
        """Only these locations, by any of their names, in this order; one may be given bare."""
        places = pick(locations, self.locations, "the forecast", ForecastError, self.skipped)
        rows = [self.locations.index(s) for s in places]
        made = replace(
            self,
            draws=self.draws[:, rows],
            known=self.known[..., rows, :],
            locations=places,
            beside={},
        )
        there = {n: [s for s in places if s in p.locations] for n, p in self.beside.items()}
        return carrying(made, {n: self.beside[n].select(of) for n, of in there.items() if of})

    def first(self, draws: int) -> Forecast:
        """Only the first draws, without the parts; shape (n, L, M)."""
        known = self.known if self.known.ndim == 2 else self.known[:draws]
        return replace(self, draws=self.draws[:draws], known=known, beside={})

    def total(self, locations: Iterable[str], name: str) -> Forecast:
        """Sum over locations, draw by draw: a forecast with the single location ``name``.

        Raises
        ------
        ForecastError
            If the draws are not joint over locations, a location is missing, none is named, one
            would be counted twice, or the name is that of another place.
        """
        return total(self, locations, name)

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

    def with_nation(self) -> Forecast:
        """The same forecast with ``US`` put first, as the sum of the 52 jurisdictions."""
        return with_nation(self)


def a_forecast(value: object, error: type[OdforecastError] = ForecastError) -> Forecast:
    """What must be a forecast, or one clear error."""
    if not isinstance(value, Forecast):
        raise error(
            f"forecast is {short(value)}, no Forecast",
            hint="give one, as model.fit(panel).forecast() makes",
        )
    return value
