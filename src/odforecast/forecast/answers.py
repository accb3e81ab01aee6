"""What people ask of a forecast: methods of :class:`~odforecast.Forecast` that end in a table,
a text or a picture. Each has its mathematics in a module of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from odforecast.errors import ForecastError
from odforecast.forecast.counties import of_counties
from odforecast.forecast.county_answers import CountyAnswers, counties_html
from odforecast.forecast.nowcast import nowcast
from odforecast.forecast.summary import summary, years
from odforecast.forecast.text import text
from odforecast.forecast.trend import trend
from odforecast.names import FORECAST_DIMS, LOCATION, MONTH, TARGET_12MO
from odforecast.say import html_table, steady

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from odforecast.forecast.forecast import Forecast
    from odforecast.forecast.record import Scored


class Answers(CountyAnswers):
    """Tables, texts and pictures of a forecast."""

    def _forecast(self) -> Forecast:
        return cast("Forecast", self)

    def summary(
        self, locations: str | Iterable[str] | None = None, level: float = 0.9
    ) -> pd.DataFrame:
        """What people ask: the count, its change on a year earlier, its rate, and what CDC says.

        All of it is of 12-month-ending counts as once final, from the same joint draws.

        Parameters
        ----------
        locations : str or iterable of str, optional
            Places whose rows are given, by any of their names. They are chosen last: New York
            has a rate only where New York City is forecast with it.
        level : float
            Probability of the central intervals, between 0 and 1.

        Returns
        -------
        DataFrame
            One row per location and month: ``location`` (code), ``name``, ``month`` (end of the
            12 months), ``horizon`` (months after the last published one; 0 and below were
            published, and are completed), ``horizon_from_origin``; ``reported`` and
            ``predicted`` (CDC's, deaths; NaN where nothing is published); ``level``; ``low``,
            ``median``, ``high`` (deaths); ``change_low``, ``change``, ``change_high`` (percent of
            the count 12 months before, in the same draw); ``fall`` (probability of a lower count
            than 12 months before); ``rate_low``, ``rate``, ``rate_high`` (deaths per 100,000
            residents on July 1 of the month's year, or of the last year the census has) and
            ``rate_of`` (whose rate it is: the place, ``NY+YC`` for New York and New York City,
            which the census does not tell apart; empty where there is none). NaN where a count is
            hidden or unknown.

        Raises
        ------
        ForecastError
            If the level is no probability, a place is not forecast, or the draws are not joint
            over months.

        Examples
        --------
        >>> import odforecast as od
        >>> panel = od.bundled().as_of().panel()
        >>> forecast = od.get_model("drift").fit(panel).forecast(draws=100)
        >>> table = forecast.summary(locations=["Ohio", "New York"])
        >>> table.groupby("location", sort=False)["rate_of"].first().to_dict()
        {'OH': 'OH', 'NY': ''}
        >>> bool((table["low"] <= table["median"]).all())
        True
        """
        return summary(self._forecast(), locations, level)

    def years(
        self, locations: str | Iterable[str] | None = None, level: float = 0.9
    ) -> pd.DataFrame:
        """Calendar years: the 12-month-ending counts of December.

        Parameters
        ----------
        locations : str or iterable of str, optional
        level : float

        Returns
        -------
        DataFrame
            The rows of :meth:`summary` for December, with ``year`` and ``known`` (months of that
            year that were published at the origin, 0 to 12; the rest is forecast).

        Raises
        ------
        ForecastError
            If no December lies in the forecast.

        Examples
        --------
        >>> import odforecast as od
        >>> panel = od.bundled().as_of().panel()
        >>> forecast = od.get_model("drift").fit(panel).forecast(until="2026-12", draws=100)
        >>> forecast.years(locations="Ohio")[["year", "known"]].to_numpy().tolist()
        [[2025, 8], [2026, 0]]
        """
        return years(self._forecast(), locations, level)

    def trend(self, locations: str | Iterable[str] | None = None) -> pd.DataFrame:
        """Five categories of the change on a year earlier, as probabilities.

        A change is that of :meth:`change`, relative to the count 12 months before. It is large
        above t₂, stable up to t₁, with t₁ = max(5 %, 1.28 √(2/N)), t₂ = 3 t₁ and N the count 12
        months before *as known at the origin*.

        Parameters
        ----------
        locations : str or iterable of str, optional

        Returns
        -------
        DataFrame
            One row per location and month up to 12 months ahead: ``location``, ``name``,
            ``month``, ``horizon``, ``before`` (N, deaths), ``t1``, ``t2`` (percent), and the
            probabilities ``large_decrease``, ``decrease``, ``stable``, ``increase``,
            ``large_increase``, which add up to 1. NaN where N is not published.

        Raises
        ------
        ForecastError
            If a place is not forecast, or all months are further ahead.

        Examples
        --------
        >>> import odforecast as od
        >>> panel = od.bundled().as_of().panel()
        >>> forecast = od.get_model("drift").fit(panel).forecast(draws=100)
        >>> last = forecast.trend("Wyoming").iloc[-1]
        >>> float(last["before"]), round(float(last["t1"]), 1)
        (86.0, 19.5)
        """
        return trend(self._forecast(), locations)

    def nowcast(
        self, locations: str | Iterable[str] | None = None, level: float = 0.9
    ) -> pd.DataFrame:
        """What the last published counts will be once final, beside what is published of them.

        Parameters
        ----------
        locations : str or iterable of str, optional
            Places whose rows are given, by any of their names.
        level : float
            Probability of the central interval, between 0 and 1.

        Returns
        -------
        DataFrame
            One row per location and month with a horizon of 0 or below, in the forecast's
            order: ``location``, ``month`` (end of the 12 months), ``horizon``, ``level``; in
            deaths of the 12 months ``reported`` (as released), ``low``, ``median`` and
            ``high`` of the count once final, ``revision_low``, ``revision`` and
            ``revision_high`` (final less reported), ``predicted`` (CDC's own estimate),
            ``predicted_unbiased`` (that over the mean of predicted / reported of the location's
            counts 12 to 23 months old); ``complete`` (CDC's percentage). NaN where nothing is
            published. A region or total is the sum of its parts, draw by draw.

        Raises
        ------
        ForecastError
            If the model takes published counts as they are, or they are all final: then
            nothing is left to nowcast.

        Examples
        --------
        >>> import odforecast as od
        >>> fitted = od.get_model("dlm").fit(od.bundled().as_of().panel())
        >>> table = fitted.forecast(draws=100).select("Ohio").nowcast()
        >>> table["horizon"].tolist() == list(range(-11, 1))
        True
        """
        made = self._forecast()
        return nowcast(made if locations is None else made.select(locations), level)

    def text(self, location: str | None = None, record: Scored | None = None) -> str:
        """The forecast of one place in three sentences, for people.

        The last known count, and what it will be once final where the draws say so; the count
        12 months ahead (or the last one forecast) with its 90 % interval, and how far such
        forecasts have been off here; the change on the count 12 months before, and the
        probability of a fall.

        Parameters
        ----------
        location : str, optional
            Any of its names. Default: the only location there is, or else the US.
        record : Results, optional
            A backtest of the same model, to take past errors from. Default: those that ship of
            the default model. Where there are none, nothing is said of them.

        Returns
        -------
        str

        Raises
        ------
        ForecastError
            If there are several locations, none of them is named, and they hold no US; or the
            record has no scores of this model.

        Examples
        --------
        >>> import odforecast as od
        >>> panel = od.bundled().as_of().panel()
        >>> forecast = od.get_model("naive").fit(panel).forecast(draws=200)
        >>> forecast.text("Ohio")
        'In Ohio, 2,539 drug overdose deaths were reported for the 12 months ending in August ...'
        """
        return text(self._forecast(), location, record)

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
        from odforecast.plot import fan, small_multiples

        made = self._forecast()
        if len(made.locations) == 1:
            return fan(made, axes=axes, **options)
        if of_counties(made):
            from odforecast.plot import map as county_map

            return county_map(made, axes=axes, **options)
        return small_multiples(made, axes=axes, **options)

    @steady
    def _repr_html_(self) -> str:
        made = self._forecast()
        if of_counties(made):
            return counties_html(made)
        try:
            table = made.summary()
        except ForecastError:  # paths of single months, not joint
            return html_table(made.to_frame(target=made.target), repr(made).splitlines()[0])
        last = table[table["horizon"] == min(12, int(made.horizons[-1]))]
        shown = last[["name", "month", "low", "median", "high", "change", "fall", "rate"]].round(
            {"low": 0, "median": 0, "high": 0, "change": 0, "fall": 2, "rate": 1}
        )
        shown = shown.rename(
            columns={
                "name": "place",
                "month": "12 months ending",
                "change": "change on a year before, %",
                "fall": "chance of a fall",
                "rate": "per 100,000",
            }
        )
        return html_table(
            shown,
            f"{self!r}".splitlines()[0].lstrip("<") + "; 90 % interval",
            "All of it: .summary(), .years(), .trend(), .nowcast(), .text(place), .plot()",
        )

    def to_frame(
        self, levels: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95), target: str = TARGET_12MO
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
        import pandas as pd

        made = self._forecast()
        values = made.quantiles(levels, target)
        n_levels, n_loc, n_months = values.shape
        return pd.DataFrame(
            {
                "location": np.repeat(made.locations, n_months * n_levels),
                "month": np.tile(np.repeat(made.months.astype("datetime64[s]"), n_levels), n_loc),
                "horizon": np.tile(np.repeat(made.horizons, n_levels), n_loc),
                "horizon_from_origin": np.tile(
                    np.repeat(made.horizons_from_origin, n_levels), n_loc
                ),
                "target": target,
                "level": np.tile(np.asarray(levels, dtype=float), n_loc * n_months),
                "value": np.moveaxis(values, 0, 2).ravel(),
            }
        )

    def to_xarray(self, target: str = TARGET_12MO) -> xr.DataArray:
        """Draws of a target as a labelled array (draw, location, month)."""
        import xarray as xr

        made = self._forecast()
        return xr.DataArray(
            made.samples(target),
            dims=FORECAST_DIMS,
            coords={
                LOCATION: list(made.locations),
                MONTH: made.months.astype("datetime64[ns]"),
            },
            name=target,
            attrs={"as_of": str(made.as_of), **made.provenance},
        )
