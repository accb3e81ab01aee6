"""Making the forecast of an update, and choosing the places that are shown of it."""

from __future__ import annotations

from odforecast.forecast import Forecast
from odforecast.models import Model
from odforecast.panel import Panel


def forecast_from(
    model: Model, panel: Panel, locations: tuple[str, ...], horizon: int, draws: int, seed: int
) -> Forecast:
    """A forecast of those of some locations that a release has and a model forecasts.

    Raises
    ------
    OdforecastError
        If none can be made.
    """
    there = tuple(s for s in locations if s in panel.locations) or locations
    return chosen(whole_forecast(model, panel, there, horizon, draws, seed), there)


def whole_forecast(
    model: Model, panel: Panel, locations: tuple[str, ...], horizon: int, draws: int, seed: int
) -> Forecast:
    """A forecast of the locations asked for, among all that the model forecasts with them.

    Raises
    ------
    OdforecastError
        If none can be made.
    """
    whole = panel if model.spec.by is None else panel.select(locations)
    return model.fit(whole).forecast(horizon, draws=draws, seed=seed)


def chosen(made: Forecast, locations: tuple[str, ...]) -> Forecast:
    """Of a forecast, the locations asked for that are in it.

    Raises
    ------
    OdforecastError
        If none is.
    """
    kept = [s for s in locations if s in made.locations]
    return made.select(kept or locations)
