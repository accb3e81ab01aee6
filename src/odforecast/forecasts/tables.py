"""Tables of a forecast: counts and rates, calendar years, the nowcast, counties, hot spots."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import DataError, ForecastError, one_of, proportion, whole
from odforecast.geography import JURISDICTIONS, LOCATIONS, NATION, called, population
from odforecast.months import to_month
from odforecast.names import COUNTIES, LOCATION, MONTH, RESIDENCE, VINTAGE_REAL
from odforecast.panel import Floats
from odforecast.say import SMALL, published_count

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.forecasts.forecast import Forecast

Flags = NDArray[np.bool_]
Positions = Sequence[int] | NDArray[np.intp] | slice
By = Literal["deaths", "rate"]
#: Places asked for, by any of their names; all where none is.
Places = str | Iterable[str] | None
#: A rate that rests on fewer deaths is mostly chance: its standard error is over a fifth of it.
#: The National Center for Health Statistics marks such rates as unreliable.
FEW: Final = 20
#: Counties sorted at once: all draws of the nation a second time would take 300 MB.
_AT_ONCE: Final = 400
#: What CDC counts apart and the census does not: a rate is of the two together.
NEW_YORK = ("NY", "YC")
NEW_YORK_TOGETHER = "NY+YC"
_CODES = frozenset((NEW_YORK_TOGETHER, *(x.state for x in LOCATIONS)))
#: The counts that say what is usual: 12 to 23 months before the last one.
_USUAL = slice(-24, -12)


def published_on(forecast: Forecast) -> dt.date:
    """The day of the release that a forecast rests on; of a pseudo-vintage, its as-of date."""
    panel = forecast.panel
    if panel is not None and panel.vintage == VINTAGE_REAL:
        return panel.release
    return forecast.as_of


def published(forecast: Forecast, layer: str = "reported") -> Floats:
    """A layer of the panel at the forecast's months, shape (L, M)."""
    return at_months(forecast, layer_of(forecast, layer))


def layer_of(forecast: Forecast, layer: str) -> Floats:
    """A layer of the panel for each location, (L, T); NaN where unknown, (L, 1) without a panel."""
    panel = forecast.panel
    if panel is None:
        return np.full((len(forecast.locations), 1), np.nan)
    rows = dict(zip(panel.locations, getattr(panel, layer)))
    out = np.full((len(forecast.locations), panel.months.size), np.nan)
    for i, place in enumerate(forecast.locations):
        parts = forecast.parts.get(place, (place,))
        if NATION in rows and set(parts) == set(JURISDICTIONS):
            parts = (NATION,)  # what CDC itself says of the sum
        if len(parts) == 1:
            out[i] = rows.get(parts[0], np.nan)
        elif layer not in ("complete", "pending") and set(parts) <= rows.keys():
            out[i] = np.sum([rows[s] for s in parts], axis=0)
    return out


def at_months(forecast: Forecast, rows: Floats, shift: int = 0) -> Floats:
    """Columns of a panel's rows (L, T) at the months of a forecast, shape (L, M)."""
    out = np.full((len(rows), forecast.months.size), np.nan)
    if forecast.panel is not None:
        column = (forecast.months - forecast.panel.months[0]).astype(int) + shift
        inside = (column >= 0) & (column < rows.shape[1])
        out[:, inside] = rows[:, column[inside]]
    return out


def hidden_before(forecast: Forecast) -> Flags:
    """Whether the count a year before each month was suppressed, shape (L, M)."""
    reported = layer_of(forecast, "reported")
    highest = layer_of(forecast, "high")
    suppressed = np.isnan(reported) & np.isfinite(highest)
    return np.asarray(at_months(forecast, suppressed.astype(float), shift=-12) == 1.0)


def last_counts(forecast: Forecast) -> list[str]:
    """The last count of each location as its release shows it: ``594``, ``0``, ``1–9``."""
    lowest = layer_of(forecast, "low")[:, -1]
    highest = layer_of(forecast, "high")[:, -1]
    return [
        published_count(float(low), float(high)) for low, high in zip(lowest, highest)
    ]


def chosen(forecast: Forecast, locations: Places) -> Forecast:
    """The forecast of the places asked for, by any of their names; the whole where none is."""
    if locations is None:
        return forecast
    return forecast._replace(beside={}).select(locations)


def frame_of(
    forecast: Forecast,
    columns: Mapping[str, Any],
    rows: Positions = slice(None),
    months: Positions = slice(None),
) -> pd.DataFrame:
    """A row per place and month, places outermost: which they are, and columns (L, M) or single."""
    import pandas as pd

    places = np.array(forecast.locations, dtype=object)[rows][:, None]
    names = [[called(place)] for place in places[:, 0]]
    arrays = {
        "location": places,
        "name": np.array(names, dtype=object),
        "month": forecast.months[months].astype("datetime64[s]"),
        "horizon": forecast.horizons[months],
        "horizon_from_origin": forecast.horizons_from_origin[months],
        **columns,
    }
    shape = (len(places), forecast.months[months].size)
    flat = {
        name: np.broadcast_to(array, shape).ravel() for name, array in arrays.items()
    }
    return pd.DataFrame(flat)


def _ends(values: Iterable[Floats], quantity: str = "") -> dict[str, Floats]:
    """Columns of an interval: its lower end, median and upper end."""
    names = ("low", "median", "high")
    if quantity:
        names = (f"{quantity}_low", quantity, f"{quantity}_high")
    return dict(zip(names, values))


def _levels(level: float, *middle: float) -> Floats:
    """Levels of the ends of an interval, and of what is shown between them."""
    # Rounded, so that 0.9 gives the levels 0.05 and 0.95 themselves.
    return np.round([(1 - level) / 2, *middle, (1 + level) / 2], 12)


def _share(flags: Flags, comparable: Flags) -> Floats:
    """Share of draws; NaN where what they are compared with is hidden or missing."""
    return np.where(comparable, flags.mean(axis=0), np.nan)


def residents(parts: Sequence[str], year: int) -> float:
    """Residents of some places together on July 1 of a year; NaN where nobody counts them."""
    places = set(parts)
    if set(NEW_YORK) <= places:
        places = places - set(NEW_YORK) | {NEW_YORK_TOGETHER}
    if not places <= _CODES:
        return float("nan")
    return sum(population(place, year) for place in sorted(places))


def residents_of(forecast: Forecast, pair_new_york: bool = False) -> Floats:
    """Residents of each location of a forecast in each month's year, shape (L, M); NaN unknown."""
    parts = {place: forecast.parts.get(place, (place,)) for place in forecast.locations}
    panel = forecast.panel
    if panel is not None and panel.dataset == COUNTIES:
        people = []
        for codes in parts.values():
            people.append(
                sum(panel.residents.get(code, float("nan")) for code in codes)
            )
        column = np.array(people, dtype=float)[:, None]
        return np.repeat(column, forecast.months.size, axis=1)
    if pair_new_york:
        parts.update((place, NEW_YORK) for place in NEW_YORK if place in parts)
    years, positions = np.unique(
        forecast.months.astype("datetime64[Y]"), return_inverse=True
    )
    numbers = [int(str(year)) for year in years]
    table = [
        [residents(codes, number) for number in numbers] for codes in parts.values()
    ]
    return np.array(table)[:, positions]


def year_before(forecast: Forecast, months: Positions = slice(None)) -> Floats:
    """Final 12-month-ending deaths a year before each month of a forecast."""
    positions = np.arange(forecast.months.size)[months]
    reported = at_months(forecast, layer_of(forecast, "reported"), shift=-12)[
        :, positions
    ]
    out = np.broadcast_to(reported, (len(forecast.draws), *reported.shape)).copy()
    forecasted = positions >= 12
    if forecasted.any():
        sums = forecast.samples()
        joint = MONTH in forecast.joint
        out[:, :, forecasted] = (
            sums[:, :, positions[forecasted] - 12] if joint else np.nan
        )
    return out


def summary(
    forecast: Forecast, locations: Places = None, level: float = 0.9
) -> pd.DataFrame:
    """12-month-ending counts, their change on a year earlier and their rate, as final counts.

    Parameters
    ----------
    locations : str or iterable of str, optional
        Places by any of their names. New York has a rate only together with New York City.
    level : float
        Probability of the intervals.

    Returns
    -------
    DataFrame
        One row per location and month: ``location``, ``name``, ``month`` (end of the 12
        months), ``horizon`` (0 and below: nowcast), ``horizon_from_origin``; ``reported`` and
        ``predicted`` by CDC; ``level``; ``low``, ``median``, ``high`` (deaths); ``change_low``,
        ``change``, ``change_high`` (percent of the count 12 months before, same draw); ``fall``
        (probability of a lower count than 12 months before); ``rate_low``, ``rate``,
        ``rate_high`` (per 100,000 people) and ``rate_of`` (whose rate: the place, or
        ``NY+YC``). NaN where a count is hidden or unknown.

    Raises
    ------
    ForecastError
        If the level is not a probability, a place is not forecast, or the draws are not joint
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
    proportion("level", level)
    selected = chosen(forecast, locations)  # what is not asked for is not added up
    places = selected.locations
    pair = set(NEW_YORK)
    if len(pair & set(places)) == 1 and pair <= set(forecast.locations):
        # New York and the city have one rate, of the two together: one needs the other.
        selected = chosen(forecast, (*places, *(pair - set(places))))
    levels = _levels(level, 0.5)
    later = selected.samples()
    before = year_before(selected)
    change = np.full(later.shape, np.nan)
    np.divide(100 * (later - before), before, out=change, where=before > 0)
    comparable = ~np.isnan(later + before).any(axis=0)
    rates, rate_of = _rates(selected, levels)
    columns = {
        "reported": published(selected),
        "predicted": published(selected, "predicted"),
        "level": level,
        **_ends(selected.quantiles(list(levels))),
        **_ends(_quantiles(change, levels), "change"),
        "fall": _share(later < before, comparable),
        **_ends(rates, "rate"),
        "rate_of": rate_of,
    }
    return frame_of(selected, columns).head(len(places) * selected.months.size)


def years(
    forecast: Forecast, locations: Places = None, level: float = 0.9
) -> pd.DataFrame:
    """Calendar years: the 12-month-ending counts of December.

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
    table = summary(forecast, locations, level=level)
    december = table["month"].dt.month == 12
    if not december.any():
        raise ForecastError(
            f"no year ends in the forecast, {forecast.months[0]} to {forecast.months[-1]}",
            hint="forecast further: forecast(until='2026-12')",
        )
    rows: pd.DataFrame = table[december].reset_index(drop=True)
    rows.insert(2, "year", rows["month"].dt.year)
    # A month after the last published one is a month of the year that is not known yet.
    rows.insert(3, "known", (12 - rows["horizon"]).clip(0, 12))
    return rows


def _quantiles(values: Floats, levels: Floats) -> Floats:
    """Quantiles over the draws, shape (3, L, M); NaN where any draw is."""
    lacking = np.isnan(values).any(axis=0)
    out = np.quantile(np.where(lacking, 0.0, values), levels, axis=0)
    out[:, lacking] = np.nan
    return np.asarray(out)


def _rates(forecast: Forecast, levels: Floats) -> tuple[Floats, NDArray[Any]]:
    """Rates per 100,000 residents, shape (3, L, M), and of which places each is, shape (L, 1)."""
    deaths = forecast.samples()
    rate_of = np.array(forecast.locations, dtype=object)
    rows = [i for i, place in enumerate(rate_of) if place in NEW_YORK]
    pair_new_york = len(rows) == 2 and LOCATION in forecast.joint
    if pair_new_york:
        # CDC counts the city apart, the census does not: neither has a rate of its own.
        deaths = deaths.copy()
        rate_of[rows] = NEW_YORK_TOGETHER
        deaths[:, rows] = deaths[:, rows].sum(axis=1, keepdims=True)
    people = residents_of(forecast, pair_new_york)
    rate_of[~np.isfinite(people).all(axis=1)] = ""
    return _quantiles(1e5 * deaths / people, levels), rate_of[:, None]


def usual_ratio(reported: Floats, predicted: Floats) -> Floats:
    """How far CDC's predicted values usually lie above the counts reported later.

    Parameters
    ----------
    reported, predicted : ndarray, shape (L, T)
        12-month-ending deaths of one release, up to its last month.

    Returns
    -------
    ndarray, shape (L,)
        Mean of predicted over reported of the counts 12 to 23 months old, by when little is
        missing; months without either, or without deaths, are left out. NaN where none is left.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.forecasts.tables import usual_ratio
    >>> usual_ratio(np.full((1, 24), 100.0), np.full((1, 24), 102.0))
    array([1.02])
    """
    counts = reported[:, _USUAL]
    estimates = predicted[:, _USUAL]
    usable = (counts > 0) & np.isfinite(estimates)
    ratios = np.divide(estimates, counts, out=np.zeros(counts.shape), where=usable)
    totals = ratios.sum(axis=1)
    n = usable.sum(axis=1)
    usual: Floats = np.divide(totals, n, out=np.full(n.shape, np.nan), where=n > 0)
    return usual


def unbiased(reported: Floats, predicted: Floats) -> Floats:
    """CDC's predicted values divided by their :func:`usual_ratio`, shape (L, T).

    The predicted value lies 1 to 3% above the final count for good in many jurisdictions; what
    remains after the division says what is missing *now*.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.forecasts.tables import unbiased
    >>> predicted = np.full((1, 24), 102.0)
    >>> predicted[0, -1] = 104.04
    >>> unbiased(np.full((1, 24), 100.0), predicted)[0, [0, -1]].round(6).tolist()
    [100.0, 102.0]
    """
    return np.asarray(predicted / usual_ratio(reported, predicted)[:, None])


def nowcast(
    forecast: Forecast, locations: Places = None, level: float = 0.9
) -> pd.DataFrame:
    """Estimates of the final counts of published months.

    Parameters
    ----------
    level : float
        Probability of the interval.

    Returns
    -------
    DataFrame
        One row per location and month with a horizon of 0 or below: ``location``, ``month``,
        ``horizon``, ``level``; ``reported``; ``low``, ``median``, ``high`` of the final count;
        ``revision_low``, ``revision``, ``revision_high`` (final minus reported); ``predicted``
        (CDC's estimate), ``predicted_unbiased`` (without its usual excess in this place);
        ``complete`` (CDC's percentage). NaN where nothing is published.

    Raises
    ------
    ForecastError
        If the model takes published counts as they are, or they are all final.

    Examples
    --------
    >>> import odforecast as od
    >>> fitted = od.get_model("dlm").fit(od.bundled().as_of().panel())
    >>> table = fitted.forecast(draws=100).select("Ohio").nowcast()
    >>> table["horizon"].tolist() == list(range(-11, 1))
    True
    """
    forecast = chosen(forecast, locations)
    proportion("level", level)
    if forecast.panel is None:
        raise ForecastError(
            "this forecast has no panel, so there are no reported counts to complete",
            hint="make it with get_model().fit(panel).forecast()",
        )
    published_months = np.flatnonzero(forecast.horizons <= 0)
    if not published_months.size:
        raise ForecastError(*_no_nowcast(forecast))
    all_reported = layer_of(forecast, "reported")
    all_predicted = layer_of(forecast, "predicted")
    reported = at_months(forecast, all_reported)
    cleared = at_months(forecast, unbiased(all_reported, all_predicted))
    final = forecast.quantiles([(1 - level) / 2, 0.5, (1 + level) / 2])
    columns = {
        "level": np.full(reported.shape, level),
        "reported": reported,
        **_ends(final),
        # The reported count is a constant: these quantiles are those of the count, shifted.
        **_ends(final - reported, "revision"),
        "predicted": at_months(forecast, all_predicted),
        "predicted_unbiased": cleared,
        "complete": published(forecast, "complete"),
    }
    shown = {name: values[:, published_months] for name, values in columns.items()}
    table = frame_of(forecast, shown, months=published_months)
    return table.drop(columns=["name", "horizon_from_origin"])


def _no_nowcast(forecast: Forecast) -> tuple[str, str]:
    """Why there is no nowcast, and where there is one."""
    panel = forecast.panel
    model = forecast.provenance.get("label", "this model")
    if panel is not None and panel.final_through >= panel.last_month:
        reason = f"all counts up to {panel.last_month} are final: there is nothing to nowcast"
        return reason, "they are in panel.reported"
    if of_counties(forecast):
        hint = (
            "of states there is a nowcast: get_model().fit(panel).forecast().nowcast()"
        )
        return (
            f"{model} forecasts counts of counties after the last published one, and does not "
            "complete those"
        ), hint
    hint = "use dlm, which completes them, or put +delay after a model's name (naive+delay)"
    return f"{model} takes the last counts as reported, so it has no nowcast", hint


def of_counties(forecast: Forecast) -> bool:
    """Whether counts are of counties, by where people lived: small ones are hidden then."""
    return forecast.basis == RESIDENCE


def refuse_counties(forecast: Forecast, product: str) -> None:
    """Refuse what is made of states alone, and would show counts below 10."""
    if of_counties(forecast):
        raise DataError(
            f"this forecast is of counties, and {product} are of states: they would show counts "
            f"below {SMALL}",
            hint="odforecast forecast --dataset counties --html FILE, or "
            "odforecast.report.site.write_county_page(FILE, forecast)",
        )


def counties(
    forecast: Forecast,
    locations: Places = None,
    level: float = 0.9,
    exact: bool = False,
) -> pd.DataFrame:
    """County counts in publishable form: numbers below 10 are left out.

    Parameters
    ----------
    locations : str or iterable of str, optional
        ``"Ohio/*"`` for all counties of a state.
    level : float
        Probability of the wide interval; the narrow one has 0.5.
    exact : bool
        Include numbers below 10: for analysis, not for publication.

    Returns
    -------
    DataFrame
        One row per county and month: ``location`` (FIPS), ``name``, ``month``, ``horizon``,
        ``horizon_from_origin``; ``last`` (last published count as text: ``"594"``, ``"1–9"``);
        ``level``; ``low``, ``low_50``, ``median``, ``high_50``, ``high`` (NaN below 10 unless
        ``exact``); ``fall``, ``rise`` (probabilities against 12 months before); ``p_zero``,
        ``p_hidden``, ``p_ten`` (probability of 0, of 1 to 9, of 10 or more); ``rate_low``,
        ``rate``, ``rate_high`` (per 100,000 people); ``few`` (median below 20: the rate is
        mostly chance).
    """
    import pandas as pd

    proportion("level", level)
    if not of_counties(forecast):
        raise ForecastError(
            "this forecast is of states, whose counts are not hidden",
            hint="forecast.summary() is their table",
        )
    selected = chosen(forecast, locations)
    places = selected.locations
    if len(places) > _AT_ONCE:
        parts = []
        for start in range(0, len(places), _AT_ONCE):
            block = places[start : start + _AT_ONCE]
            parts.append(counties(selected, block, level=level, exact=exact))
        return pd.concat(parts, ignore_index=True)
    later = selected.samples()
    before = year_before(selected)
    # A hidden count stays hidden, also where draws say what it may have been.
    comparable = ~np.isnan(before).any(axis=0) & ~hidden_before(selected)
    counts = selected.quantiles(list(_levels(level, 0.25, 0.5, 0.75)))
    rates = 1e5 * counts[[0, 2, 4]] / residents_of(selected)
    unreliable = counts[2] < FEW
    if not exact:
        rates[counts[[0, 2, 4]] < SMALL] = np.nan
        counts[counts < SMALL] = np.nan
    columns = {
        "last": np.array(last_counts(selected), dtype=object)[:, None],
        "level": level,
        **dict(zip(("low", "low_50", "median", "high_50", "high"), counts)),
        "fall": _share(later < before, comparable),
        "rise": _share(later > before, comparable),
        "p_zero": (later < 1).mean(axis=0),
        "p_hidden": ((later >= 1) & (later < SMALL)).mean(axis=0),
        "p_ten": (later >= SMALL).mean(axis=0),
        **_ends(rates, "rate"),
        "few": unreliable,
    }
    table = frame_of(selected, columns)
    # The last count, drawn as it will be once complete, is there to be compared with.
    return table[table["horizon"] > 0].reset_index(drop=True)


def among_highest(values: Floats, k: int) -> Floats:
    """Chance of each column to be among the k highest of its row, shape (L,); they add up to k."""
    places = values.shape[1]
    position = max(places - k, 0)
    lowest = np.partition(values, position, axis=1)[:, position, None]
    above = values > lowest
    tied = values == lowest
    # Ties share the ranks that are still free.
    portion = np.minimum((k - above.sum(axis=1)) / tied.sum(axis=1), 1.0)
    shares = above + tied * portion[:, None]
    return np.asarray(np.where(np.isneginf(values), 0.0, shares).mean(axis=0))


def ranking(
    forecast: Forecast,
    k: int = 10,
    by: By = "deaths",
    month: object = None,
    exact: bool = False,
) -> pd.DataFrame:
    """Hot spots: how likely each place is among the k highest, and whether its count rises.

    Ranks are taken draw by draw, so the probabilities add up to k. The nation and sums are left
    out. A county with fewer than 10 deaths in a draw has no rank in it.

    Parameters
    ----------
    by : {"deaths", "rate"}
        Deaths in 12 months, or per 100,000 people.
    month : month, optional
        Default: 12 months ahead, or the last.
    exact : bool
        Rank county numbers below 10 too: not for publication.

    Returns
    -------
    DataFrame
        Most likely first: ``location``, ``name``, ``month``, ``horizon``, ``by``, ``k``;
        ``among`` (probability of being among the k highest); ``deaths``, ``rate`` (medians);
        ``few`` (median below 20 deaths); ``rising`` (probability of a higher count than 12
        months before) and ``above_last`` (than the last published count).

    Raises
    ------
    ForecastError
        If the draws are not joint over locations, ``by`` or ``k`` is invalid, a month is not
        forecast, or no place has a population.

    Examples
    --------
    >>> import odforecast as od
    >>> fitted = od.get_model("dlm").fit(od.bundled().as_of().panel())
    >>> table = fitted.forecast(draws=200).ranking(k=5, by="rate")
    >>> round(float(table["among"].sum()), 6), len(table)
    (5.0, 53)
    """
    if by not in get_args(By):
        raise ForecastError(f"by is {by!r}", hint=one_of(by, get_args(By)))
    k = whole("k", k, least=1)
    if LOCATION not in forecast.joint:
        raise ForecastError(
            "these draws are not joint over locations, so places cannot be compared in them",
            hint="rank a forecast of a model with joint draws: county for counties, dlm for states",
        )
    column = _column(forecast, month)
    # The nation and sums of places hold the others: who is highest is asked of single places.
    rows = [
        i
        for i, s in enumerate(forecast.locations)
        if s != NATION and s not in forecast.parts
    ]
    if len(rows) < 2:
        raise ForecastError(
            f"the forecast has {len(rows)} single places: a ranking needs two"
        )
    sums = forecast.samples()[:, rows, column]
    people = residents_of(forecast)[rows, column]
    ranked = sums / people if by == "rate" else sums
    deaths = np.median(sums, axis=0)
    unreliable = deaths < FEW
    if of_counties(forecast) and not exact:
        # What is not shown has no rank either: who is ahead of whom would give it away.
        ranked = np.where((sums < SMALL) & np.isfinite(ranked), -np.inf, ranked)
        deaths = np.where(deaths < SMALL, np.nan, deaths)
    rankable = ~np.isnan(ranked).any(axis=0)
    if not rankable.any():
        hint = "rank by deaths"
        if of_counties(forecast):
            hint = (
                "give a population file: panel.with_population(FILE) before the fit; "
                "or by='deaths'"
            )
        raise ForecastError(
            "no place has a population, so there are no rates to rank", hint=hint
        )
    among = np.full(len(rows), np.nan)
    among[rankable] = among_highest(ranked[:, rankable], k)
    before = year_before(forecast, [column])[:, rows, 0]
    comparable = ~np.isnan(before).any(axis=0) & ~hidden_before(forecast)[rows, column]
    last = layer_of(forecast, "reported")[rows, -1]
    columns: dict[str, Any] = {
        "by": by,
        "k": k,
        "among": among[:, None],
        "deaths": deaths[:, None],
        "rate": (1e5 * deaths / people)[:, None],
        "few": unreliable[:, None],
        "rising": _share(sums > before, comparable)[:, None],
        "above_last": _share(sums > last, ~np.isnan(last))[:, None],
    }
    table = frame_of(forecast, columns, rows=rows, months=[column])
    table = table.drop(columns="horizon_from_origin")
    # Chance first, then the median as far as it is shown, then the code: the same everywhere.
    order = ["among", by, "location"]
    return table.sort_values(order, ascending=[False, False, True], ignore_index=True)


def _column(forecast: Forecast, month: object) -> int:
    """Position of the month asked for; without one, 12 months ahead or the last."""
    if month is None:
        return max(int((forecast.horizons <= 12).sum()) - 1, 0)
    target = to_month(month)
    first = forecast.months[0]
    position = int((target - first).astype(int))
    if not 0 <= position < forecast.months.size:
        hint = f"from {first} to {forecast.months[-1]}"
        raise ForecastError(f"{target} is not forecast", hint=hint)
    return position
