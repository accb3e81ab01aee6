"""Forecast: joint sample paths, and everything derived by adding."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import ForecastError, one_of
from odforecast.forecast.answers import Answers
from odforecast.forecast.part import of_these_draws, part, with_parts
from odforecast.forecast.published import layer_of
from odforecast.forecast.sums import between, in_order, sums_of
from odforecast.geography import JURISDICTIONS, NATION, REGIONS, closed, code_of, parts_of, pick
from odforecast.markup import card, few, number_of, steady
from odforecast.months import ONE_MONTH, Months, to_month
from odforecast.names import (
    HUB_QUANTILES,
    LOCATION,
    MONTH,
    OCCURRENCE,
    RESIDENCE,
    TARGET_12MO,
    TARGET_MONTH,
    TARGETS,
)
from odforecast.panel import Floats, Panel

#: Fields that are mappings: read-only, and plain where they travel.
_MAPPINGS = ("skipped", "provenance", "parts", "beside")
#: Arrays that forecasts made for themselves, by id: nobody else holds them, and none is written to.
_OURS: WeakValueDictionary[int, Floats] = WeakValueDictionary()


def _is_ours(array: object) -> bool:
    """Whether another forecast made this very array, and it is as it was then."""
    held = _OURS.get(id(array))
    return held is array and held is not None and not held.flags.writeable


@dataclass(frozen=True, eq=False)
class Forecast(Answers):
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
    >>> panel = od.bundled().as_of("2025-09-17").panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(horizon=12, draws=200, seed=1)
    >>> forecast.select("Ohio").quantiles([0.5]).shape
    (1, 1, 12)
    """

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
        # One order in memory, or sums of a selected or loaded forecast differ in the last bit.
        checked = _is_ours(self.draws)
        draws = self.draws if checked else np.array(self.draws, dtype=float, order="C")
        months = np.array(self.months, dtype="datetime64[M]")
        known = self.known
        if not _is_ours(known):
            known = np.array(known, dtype=float, order="C")
        shape = (len(self.locations), months.size)
        if draws.ndim != 3 or draws.shape[1:] != shape or 0 in draws.shape:
            raise ForecastError(f"draws have shape {draws.shape}, expected (D, {shape})")
        if known.shape not in ((shape[0], 11), (len(draws), shape[0], 11)):
            raise ForecastError(f"known has shape {known.shape}, expected {(shape[0], 11)}")
        known = known.reshape(shape[0], 11) if len(draws) == 1 else known
        if (np.diff(months).astype(int) != 1).any():
            raise ForecastError("months must be consecutive")
        if not self.joint <= {LOCATION, MONTH} or self.target not in TARGETS:
            raise ForecastError(f"unknown axis in {self.joint} or target {self.target!r}")
        if len(set(self.locations)) != len(self.locations):
            raise ForecastError("locations must be distinct")
        if not checked and not np.isfinite(draws).all():
            bad = np.argwhere(~np.isfinite(draws))
            d, i, m = bad[0]
            raise ForecastError(
                f"{len(bad)} draws are not finite, first at draw {d}, {self.locations[i]}, "
                f"{months[m]}"
            )
        for name, array in (("draws", draws), ("months", months), ("known", known)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        for array in (draws, known):
            _OURS[id(array)] = array
        if self.beside:
            object.__setattr__(self, "beside", of_these_draws(self))
        for name in _MAPPINGS:
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __getstate__(self) -> dict[str, object]:
        state = {f.name: getattr(self, f.name) for f in fields(self)}
        return state | {name: dict(getattr(self, name)) for name in _MAPPINGS}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self.__post_init__()

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
        >>> panel = od.bundled().as_of("2025-09-17").panel()
        >>> west = od.get_model("drift").fit(panel.select(["WY", "CA"])).forecast(draws=50)
        >>> east = od.get_model("naive").fit(panel.select("ME")).forecast(draws=50)
        >>> both = od.Forecast.concat([west, east])
        >>> both.locations, sorted(both.joint), both.provenance["model"]
        (('CA', 'ME', 'WY'), ['month'], 'drift + naive')
        """
        from odforecast.forecast.concat import concat

        return concat(forecasts)

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
        >>> panel = od.bundled().as_of("2025-09-17").panel()
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
        >>> fitted = od.get_model("dlm").fit(od.bundled().as_of("2025-09-17").panel())
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

    @property
    def targets(self) -> frozenset[str]:
        """What can be asked for: a model of months has both targets, one of sums only those."""
        return frozenset(TARGETS) if self.target == TARGET_MONTH else frozenset({TARGET_12MO})

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
            raise ForecastError(f"unknown target {target!r}", hint=one_of(target, TARGETS))
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

        Raises
        ------
        ForecastError
            If the month lies after the forecast, or before the panel.
        """
        when = to_month(month)
        position = int((when - self.months[0]).astype(int))
        if position >= self.months.size:
            raise ForecastError(f"{when} lies after the forecast, which ends {self.months[-1]}")
        if position >= 0:
            return np.asarray(self.samples()[:, :, position])
        if self.panel is None or when < self.panel.months[0] or when > self.panel.last_month:
            raise ForecastError(f"no count is known for {when}")
        column = int((when - self.panel.months[0]).astype(int))
        counts = layer_of(self, "reported")[:, column]
        return np.broadcast_to(counts, (self.draws.shape[0], counts.size))

    def change(self, month: object) -> Floats:
        """Change of the 12-month-ending count at a month on the count 12 months earlier.

        Both counts are taken in the same draw and as once final: where the earlier one is not
        final, its nowcast is used, not the incomplete reported count. "Fall" and trend mean
        this and nothing else.

        Parameters
        ----------
        month : month

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
        >>> fitted = od.get_model("dlm").fit(od.bundled().as_of("2025-09-17").panel())
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
        """Quantiles of a target, shape (Q, L, M), in the order of ``levels``.

        Raises
        ------
        ForecastError
            If a level lies outside (0, 1), or the target is not forecast.
        """
        probs = np.atleast_1d(np.asarray(levels, dtype=float))
        if probs.size == 0 or (probs <= 0).any() or (probs >= 1).any():
            raise ForecastError(f"quantile levels must lie in (0, 1), got {levels}")
        return between(in_order(self.samples(target)), probs)

    def probability_below(self, value: float | Floats, target: str = TARGET_12MO) -> Floats:
        """Share of draws below ``value`` (scalar, or broadcastable to (L, M)), shape (L, M)."""
        return np.asarray((self.samples(target) < value).mean(axis=0))

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
        return made._carrying({n: self.beside[n].select(of) for n, of in there.items() if of})

    def first(self, draws: int) -> Forecast:
        """Only the first draws, without the parts; shape (n, L, M)."""
        known = self.known if self.known.ndim == 2 else self.known[:draws]
        return replace(self, draws=self.draws[:draws], known=known, beside={})

    def total(self, locations: Iterable[str], name: str) -> Forecast:
        """Sum over locations, draw by draw: a forecast with the single location ``name``.

        Raises
        ------
        ForecastError
            If the draws are not joint over locations, or a location is missing.
        """
        if self.basis == RESIDENCE and name in (NATION, *REGIONS):
            raise ForecastError(
                f"this forecast is of counties, by residence, and {name} is a sum of states",
                hint="add counties: made = forecast.select('Ohio/*'); "
                "made.total(made.locations, 'Ohio, residents')",
            )
        rows = [self.index(s) for s in locations]
        if len(rows) > 1 and LOCATION not in self.joint:
            raise ForecastError(
                "these draws are not joint over locations, so they cannot be added",
                hint="use a model with joint draws (dlm, hierarchical), or forecast the sum itself",
            )
        if len(set(rows)) < len(rows):
            raise ForecastError("a location is named twice; adding it counts twice")
        if NATION in [self.locations[i] for i in rows] and len(rows) > 1:
            raise ForecastError("US already holds the other locations; adding it counts twice")
        made_of = tuple(p for s in rows for p in self._parts_at(s))
        places = [self.locations[i] for i in rows]
        made = replace(
            self,
            parts={name: made_of},
            draws=self.draws[:, rows].sum(axis=1, keepdims=True),
            known=self.known[..., rows, :].sum(axis=-2, keepdims=True),
            locations=(name,),
            beside={},
        )
        # A class that one of them does not publish has no sum.
        whole = {n: p for n, p in self.beside.items() if set(places) <= set(p.locations)}
        return made._carrying({n: p.total(places, name) for n, p in whole.items()})

    def _carrying(self, parts: Mapping[str, Forecast]) -> Forecast:
        return self.with_parts(parts) if parts else self

    def _parts_at(self, row: int) -> tuple[str, ...]:
        place = self.locations[row]
        return self.parts.get(place, (place,))

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
        if "US" in self.locations:
            return self
        nation = self.nation()
        made = replace(
            self,
            draws=np.concatenate([nation.draws, self.draws], axis=1),
            known=np.concatenate([nation.known, self.known], axis=-2),
            locations=("US", *self.locations),
            parts={**self.parts, **nation.parts},
            beside={},
        )
        return made._carrying(
            {n: p.with_nation() if n in nation.beside else p for n, p in self.beside.items()}
        )
