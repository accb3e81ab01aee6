"""What people ask of a forecast of counties: the table that may be published, and hot spots."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from odforecast.forecast.counties import counties
from odforecast.forecast.ranking import By, ranking
from odforecast.say import html_table

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.forecast.forecast import Forecast


class CountyAnswers:
    """Tables of counties; the ranking is of states as well."""

    def _forecast(self) -> Forecast:
        return cast("Forecast", self)

    def counties(
        self,
        locations: str | Iterable[str] | None = None,
        level: float = 0.9,
        exact: bool = False,
    ) -> pd.DataFrame:
        """Counts of counties as they may be published: a number below 10 is left out.

        CDC hides counts of 1 to 9, and a median of 4 would stand for one. What is shown in its
        place are the chances of 0, of 1 to 9, and of 10 and more.

        Parameters
        ----------
        locations : str or iterable of str, optional
            Counties whose rows are given, by any of their names; ``"Ohio/*"`` for a state's.
        level : float
            Probability of the wide interval, between 0 and 1; the narrow one has 0.5.
        exact : bool
            Numbers below 10 too: for work with them, not for publication.

        Returns
        -------
        DataFrame
            One row per county and month: ``location`` (FIPS), ``name``, ``month`` (end of the 12
            months), ``horizon``, ``horizon_from_origin``; ``last`` (the last published count as
            its release shows it, str: ``"594"``, ``"0"``, ``"1–9"``; empty where it is missing);
            ``level``; ``low``, ``low_50``, ``median``, ``high_50``, ``high`` (deaths of
            residents; NaN below 10 unless ``exact``); ``fall``, ``rise`` (probability of a lower
            or higher count than 12 months before; NaN where that one is hidden); ``p_zero``,
            ``p_hidden``, ``p_ten`` (probability of 0, of 1 to 9, of 10 and more); ``rate_low``,
            ``rate``, ``rate_high`` (deaths per 100,000 residents; NaN without a population, and
            where the count is left out); ``few`` (whether the median is below 20: a rate of so
            few deaths is mostly chance).

        Raises
        ------
        ForecastError
            If the forecast is not of counties, or the level is no probability.
        """
        return counties(self._forecast(), locations, level, exact)

    def ranking(
        self, k: int = 10, by: By = "deaths", month: object = None, exact: bool = False
    ) -> pd.DataFrame:
        """Hot spots: how likely each place is among the k highest, and whether its count rises.

        Ranks are taken draw by draw. Places that tie for the last rank share it, so the chances
        of all places add up to k. The nation and sums of places are left out. A county has no rank
        in a draw in which it has fewer than 10 deaths: what is not shown would show in its rank.

        Parameters
        ----------
        k : int
            How many are the highest.
        by : {"deaths", "rate"}
            What is ranked: deaths in 12 months, or those per 100,000 residents.
        month : month, optional
            End of the 12 months. Default: 12 months ahead, or the last.
        exact : bool
            Of counties, numbers below 10 too, which then have a rank: not for publication.

        Returns
        -------
        DataFrame
            Most likely first; ties by the median, then by the code: ``location``, ``name``,
            ``month``, ``horizon``, ``by``, ``k``; ``among`` (probability of being among the k
            highest; NaN where there is no rate); ``deaths``, ``rate`` (medians; of a county NaN
            below 10 deaths); ``few`` (whether the median is below 20 deaths: such a rate is
            mostly chance); ``rising`` (probability of a higher count than 12 months before, as
            :meth:`change` has it) and ``above_last`` (than the last published one); NaN where
            that count is hidden.

        Raises
        ------
        ForecastError
            If the draws are not joint over locations, ``by`` or ``k`` is none, a month is not
            forecast, or no place has a population.

        Examples
        --------
        >>> import odforecast as od
        >>> fitted = od.get_model("dlm").fit(od.bundled().as_of().panel())
        >>> table = fitted.forecast(draws=200).ranking(k=5, by="rate")
        >>> round(float(table["among"].sum()), 6), len(table)
        (5.0, 53)
        """
        return ranking(self._forecast(), k, by, month, exact)


def counties_html(made: Forecast) -> str:
    """Counties in a notebook: what may be published."""
    table = made.counties()
    shown = table[table["horizon"] == min(12, int(made.horizons[-1]))]
    columns = {
        "name": "county",
        "month": "12 months ending",
        "last": f"reported {made.last_month}",
        "low": "low",
        "median": "median",
        "high": "high",
        "p_zero": "chance of 0",
        "p_hidden": "of 1–9",
        "p_ten": "of 10+",
    }
    rows = shown[list(columns)].round({"low": 0, "median": 0, "high": 0})
    rows = rows.round({"p_zero": 2, "p_hidden": 2, "p_ten": 2}).rename(columns=columns)
    return html_table(
        rows,
        f"{made!r}".splitlines()[0].lstrip("<") + "; 90 % interval; numbers below 10 left out",
        "All of it: .counties(), .ranking(), .text(county), .plot()",
    )
