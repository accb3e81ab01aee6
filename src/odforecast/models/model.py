"""Model: the one wrapper round every forecaster. It seeds, calls, and checks what comes back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from odforecast.errors import ForecastError, PanelError, UnknownNameError, whole
from odforecast.forecasts import Forecast
from odforecast.geography.places import by_fips, counties_of, edition_held
from odforecast.models.spec import Spec
from odforecast.months import ONE_MONTH, to_month
from odforecast.names import (
    COUNTIES,
    DEFAULT_COUNTY_MODEL,
    DEFAULT_DRAWS,
    DEFAULT_HORIZON,
    DEFAULT_SEED,
    LONGEST_HORIZON,
    TARGET_MONTH,
)
from odforecast.panel import Panel
from odforecast.say import card, html_table, number_of, steady
from odforecast.seeds import Streams

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@runtime_checkable
class Drawer(Protocol):
    """A fitted forecaster, as its author writes it."""

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths of the ``horizon`` months after the panel's last month.

        Random numbers come from ``streams`` alone, each location's from its own stream.
        """
        ...


@runtime_checkable
class Forecaster(Protocol):
    """A forecaster, as its author writes it.

    Attributes
    ----------
    spec : Spec
        What it is: see :class:`odforecast.models.spec.Spec`.
    """

    @property
    def spec(self) -> Spec:
        """What it is."""
        ...

    def fit(self, panel: Panel) -> Drawer:
        """Fit to what was known: nothing but the panel may be used."""
        ...


#: The library's version; reading it takes a millisecond, and a forecast a few.
_installed = cache(installed_version)
#: Where the models come from that ship with the library.
_OURS = Spec("").origin
#: A label is shown in tables and stored beside results; it is never a path.
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.,+=()\[\]'-]*")
#: Columns of the tables of what a model is and what a fit learned.
_COLUMNS = ("name", "value", "source")
Row = tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class Model:
    """A forecaster with a label, as :func:`odforecast.get_model` returns it.

    Attributes
    ----------
    inner : Forecaster
        What its author wrote.
    label : str
        Its name in tables; two configurations of one model differ in it. Never a path.
    reference : tuple of str or None
        Module and name to find a decorated function by, for other processes.
    origin : str or None
        Distribution and version of its code where its author did not say; empty if unknown.

    Examples
    --------
    >>> import odforecast as od
    >>> od.get_model("dlm", delay=False)
    <Model dlm(delay=False)
      the whole panel at once; paths of single months; takes the last months as they are
      next: .fit(panel), .to_frame()>
    """

    inner: Forecaster
    label: str
    reference: tuple[str, str] | None = None
    origin: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.label, str) or not LABEL.fullmatch(self.label):
            raise UnknownNameError(
                f"label is {self.label!r}, which is not a valid label",
                hint="a text of letters, digits, spaces and _.,+=()[]'- that begins with a letter "
                "or digit",
            )

    @property
    def spec(self) -> Spec:
        """What the model is."""
        spec = self.inner.spec
        return spec if self.origin is None else replace(spec, origin=self.origin)

    @steady
    def __repr__(self) -> str:
        return card(
            f"Model {self.label}", _summary(self.spec), "next: .fit(panel), .to_frame()"
        )

    @steady
    def _repr_html_(self) -> str:
        return html_table(
            self.to_frame(), f"Model {self.label}", note=_summary(self.spec)
        )

    def to_frame(self) -> pd.DataFrame:
        """What the model is and its settings, one row each.

        Returns
        -------
        DataFrame
            ``name`` (str), ``value`` (as text, str), ``source`` (``"spec"``: what the model is;
            ``"setting"``: what can be set; ``"member: NAME"``: of a model it is made of; str).

        Examples
        --------
        >>> import odforecast as od
        >>> table = od.get_model("dlm", delay=False).to_frame().set_index("name")
        >>> table.loc["delay"].tolist()
        ['False', 'setting']
        """
        return pd.DataFrame(list(_declared(self.spec)), columns=list(_COLUMNS))

    def __reduce__(self) -> tuple[Any, ...]:
        if self.reference is not None:
            return (_by_reference, (*self.reference, self.label))
        return (Model, (self.inner, self.label, None, self.origin))

    def fit(self, panel: Panel) -> Fitted:
        """Fit to a panel.

        Raises
        ------
        PanelError
            If no location can be used, or a model of the whole panel is given a selection.
        """
        self._accept(panel)
        return Fitted(self, panel, inner=self.inner.fit(_published(panel)))

    def _accept(self, panel: Panel) -> None:
        """Refuse a panel that this model cannot be fitted to."""
        if not isinstance(panel, Panel):
            raise PanelError(
                f"panel is {type(panel).__name__}, not a Panel",
                hint="archive.as_of().panel() gives one",
            )
        spec = self.spec
        counties = panel.dataset == COUNTIES
        holds = f"this panel holds {panel.dataset}"
        if spec.by is None and panel.selected:
            raise PanelError(
                f"{self.label} is fitted to the whole panel at once, and this one is a selection "
                f"({len(panel.locations)} locations)",
                hint="fit the whole panel, then forecast.select(...)",
            )
        if counties and spec.dataset is None and spec.origin == _OURS:
            # Fitted to counties they would leave out, without a word, all that were ever hidden.
            raise PanelError(
                f"{self.label} forecasts states, and {holds}",
                hint=f"get_model('{DEFAULT_COUNTY_MODEL}'); the states are panel.beside['states']",
            )
        if spec.dataset not in (None, panel.dataset):
            raise PanelError(
                f"{self.label} forecasts {spec.dataset}, and {holds}",
                hint="" if counties else "vintage.panel(dataset='counties')",
            )
        if spec.by == "state" and counties and panel.selected:
            _check_whole_states(self.label, panel)
        if panel.own is not None and spec.target != TARGET_MONTH:
            raise ForecastError(
                f"{self.label} forecasts 12-month counts, and own counts ({panel.own.said()}) are "
                "of months",
                hint="use a model of months: dlm, ensemble, naive, …",
            )


def _published(panel: Panel) -> Panel:
    """What a model sees: own counts move its draws, and none of its own."""
    return panel if panel.own is None else replace(panel, own=None)


def _check_whole_states(label: str, panel: Panel) -> None:
    """Refuse a part of a state's counties to a model that takes each state as a whole."""
    edition = edition_held(panel.locations)
    states = dict.fromkeys(by_fips()[fips].state for fips in panel.locations)
    for state in states:
        counties = {county.fips for county in counties_of(state, edition)}
        n_held = len(counties & set(panel.locations))
        if n_held < len(counties):
            raise PanelError(
                f"{label} takes the counties of a state together, and this panel has {n_held} of "
                f"{len(counties)} of {state}",
                hint=f"fit panel.select('{state}/*'), then forecast.select(...)",
            )


def _by_reference(module: str, name: str, label: str) -> Model:
    """The model that a decorated function is, found by its name."""
    model: Any = import_module(module)
    for part in name.split("."):
        model = getattr(model, part)
    assert isinstance(model, Model)
    return model if model.label == label else replace(model, label=label)


@dataclass(
    frozen=True,
    eq=False,
    repr=False,
)
class Fitted:
    """A fitted model: it can forecast, any number of times.

    Attributes
    ----------
    model : Model
    panel : Panel
        What it was fitted to.
    inner : Drawer
        What its author's ``fit`` returned, with whatever it learned.
    """

    model: Model
    panel: Panel
    inner: Drawer

    @steady
    def __repr__(self) -> str:
        panel = self.panel
        notes = [f"note: {note}" for note in self.warnings[:2]]
        following = "next: .forecast(), .plot(), .to_frame()"
        if getattr(self.inner, "idata", None) is not None:
            following += ", .idata"
        return card(
            f"Fitted {self.model.label}: {panel.indicator}, as of {panel.as_of}",
            f"on {number_of(len(panel.locations), 'location')}, {panel.months[0]} to "
            f"{panel.last_month} (release {panel.release}, {panel.vintage})",
            *notes,
            following,
        )

    @steady
    def _repr_html_(self) -> str:
        panel = self.panel
        return html_table(
            self.to_frame(),
            f"{self.model.label} fitted to {panel.indicator}, as of {panel.as_of}",
            note="; ".join((f"last month {panel.last_month}", *self.warnings)),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the fit warns of, a failed check of its sample for one; empty where nothing."""
        return tuple(str(text) for text in getattr(self.inner, "warnings", ()))

    @property
    def idata(self) -> Any:
        """ArviZ's container of the posterior (xarray.DataTree), where the model has one.

        Its groups are ``posterior``, ``sample_stats`` and ``observed_data``, with labelled
        dimensions: ``arviz_stats.summary``, ``arviz_stats.ess`` and ArviZ's plots take it as it is.

        Raises
        ------
        AttributeError
            If the model is not a sample of a posterior; says which are.

        Examples
        --------
        >>> import odforecast as od
        >>> fitted = od.get_model("naive").fit(od.bundled().as_of().panel().select("Ohio"))
        >>> fitted.idata
        Traceback (most recent call last):
        ...
        AttributeError: naive has no posterior sample (idata); hierarchical and hierarchical-quick
        have one
        """
        idata = getattr(self.inner, "idata", None)
        if idata is None:
            raise AttributeError(
                f"{self.model.label} has no posterior sample (idata); hierarchical and "
                "hierarchical-quick have one"
            )
        return idata

    def to_frame(self) -> pd.DataFrame:
        """What was fitted: the model's settings, and what its author's fit says it learned.

        Returns
        -------
        DataFrame
            ``name`` (str), ``value`` (as text, str), ``source`` (str): as of
            :meth:`Model.to_frame`; ``"panel"`` for what it was fitted to, ``"fit"`` for single
            numbers learned from it, ``"posterior"`` for the mean and sd of a sampled parameter,
            ``"constants of DAY"`` for what ships with the library.

        Examples
        --------
        >>> import odforecast as od
        >>> fitted = od.get_model("naive").fit(od.bundled().as_of().panel())
        >>> table = fitted.to_frame().set_index("name")
        >>> table.loc["last month"].tolist()
        ['2025-08', 'panel']
        """
        panel = self.panel
        rows: list[Row] = [
            ("indicator", panel.indicator, "panel"),
            ("as of", str(panel.as_of), "panel"),
            ("release", str(panel.release), "panel"),
            ("last month", str(panel.last_month), "panel"),
            ("locations", str(len(panel.locations)), "panel"),
        ]
        rows = [*_declared(self.model.spec), *rows, *_learned(self.inner)]
        return pd.DataFrame(rows, columns=list(_COLUMNS))

    def plot(
        self, location: str | None = None, axes: Axes | None = None, **style: Any
    ) -> Axes:
        """Fan of the default forecast (12 months, 1000 draws, seed 1) of one place.

        The forecast is made for it; to draw one that there is, use
        :meth:`odforecast.Forecast.plot`.

        Parameters
        ----------
        location : str, optional
            Any of its names. Default: the only one there is, or else the US.
        axes : matplotlib Axes, optional
            Drawn into; default: those of a new figure.
        **style
            As :func:`odforecast.plot.fan` takes it.
        """
        from odforecast.plot import fan

        return fan(self.forecast(), location, axes=axes, **style)

    def forecast(
        self,
        horizon: int | None = None,
        until: object | None = None,
        draws: int = DEFAULT_DRAWS,
        seed: int = DEFAULT_SEED,
    ) -> Forecast:
        """Sample paths of the months after the panel's last, checked.

        The same seed gives the same draws, bit for bit; two vintages of one month, or models
        that use the same streams, are paired.

        Parameters
        ----------
        horizon : int, optional
            Months ahead, counted from the panel's last month; 12 if neither is given.
        until : month, optional
            Forecast up to this month instead.
        draws : int
            Sample paths.
        seed : int
            The run's seed.

        Raises
        ------
        ForecastError
            If horizon or draws is not a positive whole number, the seed is negative, both horizon
            and ``until`` are given, or the model does not return what was requested.
        """
        if until is not None:
            if horizon is not None:
                raise ForecastError("give horizon or until, not both")
            horizon = int((to_month(until, 12) - self.panel.last_month).astype(int))
            if horizon < 1:
                raise ForecastError(
                    f"until {to_month(until, 12)} is not after the last known month "
                    f"{self.panel.last_month}"
                )
        horizon = DEFAULT_HORIZON if horizon is None else horizon
        horizon = whole("horizon", horizon, least=1)
        draws = whole("draws", draws, least=1)
        seed = whole("seed", seed, least=0)
        if horizon > LONGEST_HORIZON:
            raise ForecastError(
                f"horizon is {horizon} months, at most {LONGEST_HORIZON} can be asked for",
                hint="nothing was checked beyond 12 months: ask for a nearer end",
            )
        panel = self.panel
        forecast = self.draw(horizon, draws, streams=streams_of(panel, seed))
        spec = self.model.spec
        labels = {
            "model": spec.model,
            "model_version": spec.version,
            "label": self.model.label,
            "spec_hash": spec.hash,
            "seed": str(seed),
            "data_hash": panel.data_hash,
            "vintage": panel.vintage,
            "release": str(panel.release),
            "odforecast": _installed("odforecast"),
        }
        if panel.notes:
            labels["notes"] = "; ".join(panel.notes)
        delay = getattr(
            self.inner, "delay_said", ""
        )  # only who took the constants knows
        if delay:
            labels["delay"] = str(delay)
        return forecast._replace(provenance={**forecast.provenance, **labels})

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """As :meth:`forecast`, from given streams: what a model made of models calls."""
        forecast: object = self.inner.draw(horizon, draws, streams)
        panel = self.panel
        fault = f"a {type(forecast).__name__}, not a Forecast"
        if isinstance(forecast, Forecast):
            found = faults(
                forecast,
                _published(panel),
                spec=self.model.spec,
                horizon=horizon,
                draws=draws,
            )
            fault = next((text for _, text in found), "")
        if fault:
            raise ForecastError(
                f"{self.model.label} returned {fault}", hint="the model is at fault"
            )
        assert isinstance(forecast, Forecast)
        if panel.own is None:
            return forecast
        from odforecast.models.own import conditioned

        return conditioned(forecast, panel, streams=streams, fitted=self.inner)


def streams_of(panel: Panel, seed: int = 1) -> Streams:
    """The streams of random numbers of a panel's forecasts."""
    return Streams(
        seed, panel.dataset, indicator=panel.indicator, last_month=str(panel.last_month)
    )


def _summary(spec: Spec) -> str:
    """What a model is, in one line."""
    fitted_to = {None: "the whole panel at once", "state": "state by state"}
    by = fitted_to.get(spec.by, "place by place")
    paths = "single months" if spec.target == TARGET_MONTH else "12-month counts"
    if spec.corrects_delay:
        return f"{by}; paths of {paths}; completes the last months"
    return f"{by}; paths of {paths}; takes the last months as they are"


def faults(
    forecast: Forecast,
    panel: Panel,
    spec: Spec,
    horizon: int,
    draws: int,
) -> Iterator[tuple[str, str]]:
    """What of a forecast is not what was asked for, or not what the spec declares."""
    # Each with the rule of `odforecast.testing` that it breaks.
    last, first, until = panel.last_month + np.array([0, 1, horizon]) * ONE_MONTH
    if forecast.last_month != last:
        yield "origin", f"last month {forecast.last_month}, the panel's is {last}"
    if forecast.as_of != panel.as_of:
        yield "origin", f"as-of date {forecast.as_of}, the panel's is {panel.as_of}"
    if (
        forecast.panel not in (None, panel)
        and forecast.panel.data_hash != panel.data_hash
    ):
        yield "origin", "the forecast of another panel"
    if forecast.months[-1] != until:
        yield (
            "months",
            f"months to {forecast.months[-1]}, asked for {horizon} months, to {until}",
        )
    if forecast.months[0] > first:
        yield (
            "months",
            f"months from {forecast.months[0]}, later than the first after {last}",
        )
    if len(forecast.draws) != draws:
        yield "draws", f"{len(forecast.draws)} draws, asked for {draws}"
    unknown = [place for place in forecast.locations if place not in panel.locations]
    if unknown:
        yield "places", f"{', '.join(unknown)}, which the panel has not"
    if forecast.target != spec.target:
        yield "target", f"paths of {forecast.target}, its spec declares {spec.target}"
    if forecast.joint != spec.joint:
        joint = sorted(forecast.joint)
        declared = sorted(spec.joint)
        yield "joint", f"draws joint over {joint}, its spec declares {declared}"
    if forecast.basis != panel.basis:
        yield "origin", f"deaths by {forecast.basis}, the panel's are by {panel.basis}"
    if (forecast.draws < 0).any():
        d, i, m = np.argwhere(forecast.draws < 0)[0]
        yield (
            "draws",
            f"negative deaths, first at draw {d}, {forecast.locations[i]}, {forecast.months[m]}",
        )


def _declared(spec: Spec, member: str = "") -> Iterator[Row]:
    """What a spec declares, and those of its members."""
    declared = (
        ("model", spec.model),
        ("version", spec.version),
        ("fitted to", spec.by or "whole panel"),
        ("paths of", spec.target),
        ("joint over", " and ".join(sorted(spec.joint))),
        ("months needed", str(spec.min_months)),
        ("completes the last months", "yes" if spec.corrects_delay else "no"),
    )
    source = f"member: {member}" if member else "spec"
    for name, value in declared:
        yield name, value, source
    for name, value in spec.parameters:
        yield name, value, source if member else "setting"
    yield "spec hash", spec.hash, source
    for inner in spec.members:
        yield from _declared(
            inner, f"{member} > {inner.model}" if member else inner.model
        )


def _learned(inner: object) -> Iterator[Row]:
    """What a fitted model says about itself, or else what it holds in the open."""
    # A model that knows better has a method `described()`, which gives such rows. Of others the
    # single numbers and words are taken, and of a posterior sample its single parameters.
    state = dict(getattr(inner, "__dict__", {}))
    skipped = state.pop("skipped", None)
    if isinstance(skipped, Mapping):
        yield "locations left out", str(len(skipped)), "fit"
    described = getattr(inner, "described", None)
    if callable(described):
        for name, value, source in described():
            yield str(name), _text(value), str(source)
        return
    for name, value in state.items():
        plain = isinstance(value, bool | int | float | str | np.integer | np.floating)
        if plain and name not in ("model", "name") and not name.startswith("_"):
            yield name.replace("_", " "), _text(value), "fit"
    idata = state.get("idata")
    if idata is not None:
        for name, values in idata["posterior"].data_vars.items():
            if set(values.dims) == {"chain", "draw"}:
                draws = np.asarray(values.values, dtype=float)
                yield (
                    str(name),
                    f"{draws.mean():.4g} (sd {draws.std():.2g})",
                    "posterior",
                )
    fitted = state.get("fitted")
    if isinstance(fitted, Fitted):  # a layer round another model
        yield from _learned(fitted.inner)


def _text(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return (
        f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)[:200]
    )


#: Is told what is done, how many steps of it are, and of how many.
Watcher = Callable[[str, int, int], None]

_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(tell: Watcher) -> Iterator[None]:
    """Report how far the long fits in this block are; no number depends on it."""
    token = _WATCHER.set(tell)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def watcher() -> Watcher | None:
    """Who is notified, if anybody is; a model asks before it samples."""
    return _WATCHER.get()
