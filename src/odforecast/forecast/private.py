"""Forecasts that rest on somebody's own counts stay with them, unless they say otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odforecast.errors import ForecastError
from odforecast.names import LOCATION

if TYPE_CHECKING:
    from odforecast.forecast.forecast import Forecast

#: Key of the provenance of a forecast that was conditioned on own counts.
OWN_COUNTS = "own counts"
#: End of that text where places without own counts rest on those of the others, too; after it, if
#: any, `` but `` and the codes of those that do not.
FOR_ALL = ", for all places"


def own_counts(forecast: Forecast) -> str:
    """What own counts a forecast rests on, in words; empty where none.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> own_counts(od.get_model("naive").fit(panel).forecast(draws=50))
    ''
    """
    return forecast.provenance.get(OWN_COUNTS, "")


def own_of(forecast: Forecast, place: str) -> str:
    """The own counts that a place's forecast rests on, in words; empty where none.

    Parameters
    ----------
    forecast : Forecast
    place : str
        A location of it; a sum rests on its parts'.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> own_of(od.get_model("naive").fit(panel).forecast(draws=50), "OH")
    ''
    """
    own = None if forecast.panel is None else forecast.panel.own
    said = own_counts(forecast)
    if not said or own is None:
        return ""
    _, for_all, but = said.partition(FOR_ALL)
    places = own.places if for_all and place not in but.split()[1:] else (place,)
    return own.within(places, forecast.parts, LOCATION in forecast.joint)


def keep_local(forecast: Forecast, where: str, own: bool) -> None:
    """Refuse to publish what rests on own counts, unless it is asked for.

    Parameters
    ----------
    forecast : Forecast
    where : str
        What would hold it: ``"a hub file"``.
    own : bool
        Whether it was asked for.

    Raises
    ------
    ForecastError
    """
    if not own and (said := own_counts(forecast)):
        raise ForecastError(
            f"this forecast rests on own counts ({said.partition(', hash')[0]}), which are not "
            f"put into {where} unasked",
            hint="own=True does (--with-own-counts); without own counts, forecast from the panel "
            "as CDC published it",
        )
