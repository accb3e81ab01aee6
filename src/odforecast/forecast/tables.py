"""Tables of a forecast: counts and rates, calendar years, the nowcast, counties, hot spots.

Screens, pages and files all take their numbers from here. What CDC published at the forecast's
places and months is read here, too; a sum of places has the sum of its parts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import DataError, ForecastError, one_of, proportion, whole
from odforecast.geography import JURISDICTIONS, LOCATIONS, NATION, called, pick, population
from odforecast.months import ONE_MONTH, to_month
from odforecast.names import COUNTIES, LOCATION, MONTH, RESIDENCE, VINTAGE_REAL
from odforecast.panel import Floats, Panel
from odforecast.say import SMALL, published_count

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.forecast.forecast import Forecast

Flags = NDArray[np.bool_]
By = Literal["deaths", "rate"]
#: Columns of the table, in order; a test locks them, for files hold them.
SUMMARY_COLUMNS: Final = (
    "location",
    "name",
    "month",
    "horizon",
    "horizon_from_origin",
    "reported",
    "predicted",
    "level",
    "low",
    "median",
    "high",
    "change_low",
    "change",
    "change_high",
    "fall",
    "rate_low",
    "rate",
    "rate_high",
    "rate_of",
)
#: Columns of the table, in order; a test locks them, for files hold them.
COUNTY_COLUMNS: Final = (
    "location", "name", "month", "horizon", "horizon_from_origin", "last", "level", "low",
    "low_50", "median", "high_50", "high", "fall", "rise", "p_zero", "p_hidden", "p_ten",
    "rate_low", "rate", "rate_high", "few",
)  # fmt: skip
#: Columns of the table, in order; a test locks them.
RANKING_COLUMNS: Final = (
    "location", "name", "month", "horizon", "by", "k", "among", "deaths", "rate", "few", "rising",
    "above_last",
)  # fmt: skip
#: A rate that rests on fewer deaths is mostly chance: its standard error is over a fifth of it.
#: The National Center for Health Statistics marks such rates as unreliable.
FEW: Final = 20
#: Counties sorted at once: all draws of the nation a second time would take 300 MB.
_AT_ONCE: Final = 400
#: What CDC counts apart and the census does not: a rate is of the two together.
NEW_YORK = ("NY", "YC")
NEW_YORK_TOGETHER = "NY+YC"
_CODES = frozenset(x.state for x in LOCATIONS)
#: The counts that say what is usual: 12 to 23 months before the last one.
_USUAL = slice(-24, -12)


def published_on(forecast: Forecast) -> dt.date:
    """The day of the release that a forecast rests on; of a pseudo-vintage, its as-of date.

    A forecast made as of a day on which nothing was published says when what it knows was.
    """
    panel = forecast.panel
    return panel.release if panel is not None and panel.vintage == VINTAGE_REAL else forecast.as_of


def published(forecast: Forecast, layer: str = "reported") -> Floats:
    """A layer of the panel at the forecast's months, shape (L, M).

    Parameters
    ----------
    forecast : Forecast
    layer : {"reported", "predicted", "complete", "pending"}

    Returns
    -------
    ndarray, shape (L, M)
        Deaths, or percent. A sum of locations has the sum of its parts; of percentages there
        is none. NaN where nothing is published, after the last month too.
    """
    return at_months(forecast, layer_of(forecast, layer))


def layer_of(forecast: Forecast, layer: str) -> Floats:
    """A layer of the panel for each location of a forecast, shape (L, T); NaN where unknown."""
    panel = forecast.panel
    if panel is None:
        return np.full((len(forecast.locations), 0), np.nan)
    values: Floats = getattr(panel, layer)
    row = {s: i for i, s in enumerate(panel.locations)}
    out = np.full((len(forecast.locations), panel.months.size), np.nan)
    percent = layer in ("complete", "pending")
    for i, place in enumerate(forecast.locations):
        parts = forecast.parts.get(place, (place,))
        if NATION in row and len(parts) > 1 and set(parts) == set(JURISDICTIONS):
            parts = (NATION,)  # what CDC itself says of the sum
        if len(parts) == 1:
            if parts[0] in row:
                out[i] = values[row[parts[0]]]
        elif not percent and all(s in row for s in parts):
            out[i] = values[[row[s] for s in parts]].sum(axis=0)
    return out


def at_months(forecast: Forecast, rows: Floats, shift: int = 0) -> Floats:
    """Columns of a panel's rows (L, T) at the months of a forecast, shape (L, M).

    Parameters
    ----------
    forecast : Forecast
    rows : ndarray, shape (L, T)
    shift : int
        Months by which each is later: −12 for the counts a year earlier.
    """
    out = np.full((len(rows), forecast.months.size), np.nan)
    if forecast.panel is not None:
        column = (forecast.months - forecast.panel.months[0]).astype(int) + shift
        there = (column >= 0) & (column < rows.shape[1])
        out[:, there] = rows[:, column[there]]
    return out


def hidden_at(forecast: Forecast, shift: int = 0) -> NDArray[np.bool_]:
    """Whether the count of each location was suppressed at the months of a forecast, shape (L, M).

    Parameters
    ----------
    forecast : Forecast
    shift : int
        As of :func:`at_months`: −12 for the counts a year earlier.
    """
    suppressed = np.isnan(layer_of(forecast, "reported")) & np.isfinite(layer_of(forecast, "high"))
    return np.asarray(at_months(forecast, suppressed.astype(float), shift) == 1.0)


def rows_of(forecast: Forecast, locations: str | Iterable[str] | None) -> list[int]:
    """Positions of the places asked for, by any of their names; all where none is.

    Raises
    ------
    ForecastError
        If one is not in the forecast, or an empty list is given.
    """
    if locations is None:
        return list(range(len(forecast.locations)))
    places = pick(locations, forecast.locations, "the forecast", ForecastError, forecast.skipped)
    return [forecast.locations.index(s) for s in places]


def row_labels(
    forecast: Forecast, rows: Sequence[int], months: NDArray[np.intp] | slice = slice(None)
) -> dict[str, NDArray[Any]]:
    """Columns that say which place and month each row of a table is, places outermost."""
    places = [forecast.locations[i] for i in rows]
    n = forecast.months[months].size
    return {
        "location": np.repeat(np.array(places, dtype=object), n),
        "name": np.repeat(np.array([called(s) for s in places], dtype=object), n),
        "month": np.tile(forecast.months[months].astype("datetime64[s]"), len(places)),
        "horizon": np.tile(forecast.horizons[months], len(places)),
        "horizon_from_origin": np.tile(forecast.horizons_from_origin[months], len(places)),
    }


def residents(parts: Sequence[str], year: int) -> float:
    """Residents of some places together on July 1 of a year; NaN where nobody counts them.

    Parameters
    ----------
    parts : sequence of str
        CDC codes. New York with New York City is known, either alone is not.
    year : int

    Examples
    --------
    >>> residents(["NY", "YC"], 2024) > residents(["OH"], 2024), residents(["NY"], 2024)
    (True, nan)
    """
    held = set(parts)
    if set(NEW_YORK) <= held:
        held = held - set(NEW_YORK) | {NEW_YORK_TOGETHER}
    known = _CODES | {NEW_YORK_TOGETHER}
    return sum(population(s, year) if s in known else float("nan") for s in sorted(held))


def residents_of(forecast: Forecast) -> Floats:
    """Residents of each location of a forecast in each month's year, shape (L, M); NaN unknown.

    Of counties those of the panel, the same in every month: a population file is of one year.
    """
    parts = [forecast.parts.get(s, (s,)) for s in forecast.locations]
    panel = forecast.panel
    if panel is not None and panel.dataset == COUNTIES:
        people = [sum(panel.residents.get(s, float("nan")) for s in of) for of in parts]
        return np.repeat(np.array(people, dtype=float)[:, None], forecast.months.size, axis=1)
    years = forecast.months.astype("datetime64[Y]").astype(int) + 1970
    return np.array([[residents(of, int(y)) for y in years] for of in parts])


def year_before(forecast: Forecast) -> Floats:
    """12-month-ending deaths a year before each month of a forecast, once final.

    Where the draws reach that far back, in every draw; before them as reported, and for a sum
    of places the sum of what was reported of its parts.

    Returns
    -------
    ndarray, shape (D, L, M)
        NaN where no count is known, or where it is drawn and the draws are not joint over months.
    """
    sums = forecast.samples()
    reported = at_months(forecast, layer_of(forecast, "reported"), -12)
    out = np.broadcast_to(reported, sums.shape).copy()
    if forecast.months.size > 12:
        out[:, :, 12:] = sums[:, :, :-12] if MONTH in forecast.joint else np.nan
    return out


def summary(
    forecast: Forecast, locations: str | Iterable[str] | None = None, level: float = 0.9
) -> pd.DataFrame:
    """The table; see :meth:`odforecast.Forecast.summary`."""
    import pandas as pd

    proportion("level", level)
    kept = rows_of(forecast, locations)
    if locations is not None:  # what is not asked for is not added up
        places = [forecast.locations[i] for i in kept]
        # New York and the city have one rate, of the two together: one needs the other.
        more = set(NEW_YORK) - set(places) if set(NEW_YORK) & set(places) else set()
        pair = sorted(more & set(forecast.locations))
        forecast = replace(forecast, beside={}).select([*places, *pair])
        kept = list(range(len(places)))
    # Rounded, so that 0.9 gives the levels 0.05 and 0.95 themselves.
    sides = np.round([(1 - level) / 2, 0.5, (1 + level) / 2], 12)
    later = forecast.samples()[:, kept]
    before = year_before(forecast)[:, kept]
    known = ~np.isnan(later + before).any(axis=0)
    grown = before > 0
    moved = np.divide(100 * (later - before), before, out=np.full(later.shape, np.nan), where=grown)
    fall = np.where(known, (later < before).mean(axis=0), np.nan)
    rates, rate_of = _rates(forecast, kept, sides)
    values = {
        "reported": published(forecast, "reported")[kept],
        "predicted": published(forecast, "predicted")[kept],
        "level": np.full(fall.shape, level),
        **dict(zip(("low", "median", "high"), forecast.quantiles(list(sides))[:, kept])),
        **dict(zip(("change_low", "change", "change_high"), _sides(moved, sides))),
        "fall": fall,
        **dict(zip(("rate_low", "rate", "rate_high"), rates)),
    }
    frame: pd.DataFrame = pd.DataFrame(
        {
            **row_labels(forecast, kept),
            **{name: array.ravel() for name, array in values.items()},
            "rate_of": np.repeat(np.array(rate_of, dtype=object), forecast.months.size),
        }
    )
    assert tuple(frame.columns) == SUMMARY_COLUMNS
    return frame


def years(
    forecast: Forecast, locations: str | Iterable[str] | None = None, level: float = 0.9
) -> pd.DataFrame:
    """Calendar years; see :meth:`odforecast.Forecast.years`."""
    table = summary(forecast, locations, level)
    december = table["month"].dt.month == 12
    if not december.any():
        raise ForecastError(
            f"no year ends in the forecast, {forecast.months[0]} to {forecast.months[-1]}",
            hint="forecast further: forecast(until='2026-12')",
        )
    rows: pd.DataFrame = table[december].reset_index(drop=True)
    year = rows["month"].dt.year
    begins = year.map(lambda y: np.datetime64(f"{y}-01", "M"))
    known = [
        int(np.clip((forecast.last_month - m + ONE_MONTH).astype(int), 0, 12))
        for m in begins.to_numpy(dtype="datetime64[M]")
    ]
    rows.insert(2, "year", year)
    rows.insert(3, "known", known)
    return rows


def _sides(values: Floats, sides: Floats) -> Floats:
    """Quantiles over the draws, shape (3, L, M); NaN where any draw is."""
    lacking = np.isnan(values).any(axis=0)
    out = np.quantile(np.where(lacking, 0.0, values), sides, axis=0)
    out[:, lacking] = np.nan
    return np.asarray(out)


def _rates(forecast: Forecast, kept: list[int], sides: Floats) -> tuple[Floats, list[str]]:
    """Rates per 100,000 residents, shape (3, L, M), and of which places each is."""
    sums = forecast.samples()
    whole = {s: i for i, s in enumerate(forecast.locations)}
    if forecast.panel is not None and forecast.panel.dataset == COUNTIES:
        people = residents_of(forecast)[kept]
        known = np.isfinite(people).all(axis=1)
        named = [forecast.locations[i] if k else "" for i, k in zip(kept, known)]
        return _sides(1e5 * sums[:, kept] / people, sides), named
    together = set(NEW_YORK) <= set(whole) and LOCATION in forecast.joint
    out = np.full((3, len(kept), forecast.months.size), np.nan)
    of: list[str] = []
    years_of = forecast.months.astype("datetime64[Y]").astype(int) + 1970
    for row, i in enumerate(kept):
        place = forecast.locations[i]
        parts = forecast.parts.get(place, (place,))
        deaths, name = sums[:, i], place
        if place in NEW_YORK and together:
            # CDC counts the city apart, the census does not: neither has a rate of its own.
            parts, name = NEW_YORK, NEW_YORK_TOGETHER
            deaths = sums[:, [whole[s] for s in NEW_YORK]].sum(axis=1)
        people = np.array([residents(parts, int(y)) for y in years_of])
        if np.isnan(people).all():
            of.append("")
            continue
        out[:, row] = _sides(1e5 * deaths / people, sides)
        of.append(name)
    return out, of


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
    >>> from odforecast.forecast.tables import usual_ratio
    >>> usual_ratio(np.full((1, 24), 100.0), np.full((1, 24), 102.0))
    array([1.02])
    """
    past, said = reported[:, _USUAL], predicted[:, _USUAL]
    known = (past > 0) & np.isfinite(said)
    ratios = np.divide(said, past, out=np.zeros(past.shape), where=known)
    n = known.sum(axis=1)
    usual: Floats = np.divide(ratios.sum(axis=1), n, out=np.full(n.shape, np.nan), where=n > 0)
    return usual


def unbiased(reported: Floats, predicted: Floats) -> Floats:
    """CDC's predicted values divided by their :func:`usual_ratio`, shape (L, T).

    The predicted value lies 1 to 3 % above the final count for good in many jurisdictions; what
    remains after the division says what is missing *now*.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.forecast.tables import unbiased
    >>> predicted = np.full((1, 24), 102.0)
    >>> predicted[0, -1] = 104.04
    >>> unbiased(np.full((1, 24), 100.0), predicted)[0, [0, -1]].round(6).tolist()
    [100.0, 102.0]
    """
    return np.asarray(predicted / usual_ratio(reported, predicted)[:, None])


def nowcast(forecast: Forecast, level: float = 0.9) -> pd.DataFrame:
    """Counts once final; see :meth:`odforecast.Forecast.nowcast`."""
    import pandas as pd

    proportion("level", level)
    panel = forecast.panel
    if panel is None:
        raise ForecastError(
            "this forecast has no panel, so there are no reported counts to complete",
            hint="make it with get_model().fit(panel).forecast()",
        )
    now = np.flatnonzero(forecast.horizons <= 0)
    if not now.size:
        raise _nothing(forecast, panel)
    reported, predicted = (layer_of(forecast, name) for name in ("reported", "predicted"))
    layers = {
        "reported": at_months(forecast, reported),
        "predicted": at_months(forecast, predicted),
        "predicted_unbiased": at_months(forecast, unbiased(reported, predicted)),
        "complete": published(forecast, "complete"),
    }
    sides = [(1 - level) / 2, 0.5, (1 + level) / 2]
    final = dict(zip(("low", "median", "high"), forecast.quantiles(sides)))
    # The reported count is a constant: quantiles of the revision are those of the count, shifted.
    moved = {
        name: final[side] - layers["reported"]
        for name, side in (
            ("revision_low", "low"),
            ("revision", "median"),
            ("revision_high", "high"),
        )
    }
    columns = {"reported": layers.pop("reported")} | final | moved | layers
    labels = row_labels(forecast, range(len(forecast.locations)), now)
    return pd.DataFrame(
        {name: labels[name] for name in ("location", "month", "horizon")}
        | {"level": level}
        | {name: values[:, now].ravel() for name, values in columns.items()}
    )


def _nothing(forecast: Forecast, panel: Panel) -> ForecastError:
    """Why there is no nowcast."""
    if panel.final_through >= panel.last_month:
        return ForecastError(
            f"all counts up to {panel.last_month} are final: there is nothing to nowcast",
            hint="they are in panel.reported",
        )
    if of_counties(forecast):
        return ForecastError(
            f"{forecast.provenance.get('label', 'this model')} forecasts counts of counties after "
            "the last published one, and does not complete those",
            hint="of states there is a nowcast: get_model().fit(panel).forecast().nowcast()",
        )
    return ForecastError(
        f"{forecast.provenance.get('label', 'this model')} takes the last counts as reported, so "
        "it has no nowcast",
        hint="use dlm, which completes them, or put +delay after a model's name (naive+delay)",
    )


def of_counties(forecast: Forecast) -> bool:
    """Whether counts are of counties, by where people lived: small ones are hidden then."""
    return forecast.basis == RESIDENCE


def refuse_counties(forecast: Forecast, what: str) -> None:
    """Refuse what is made of states alone, and would show counts below 10.

    Parameters
    ----------
    forecast : Forecast
    what : str
        What is refused, in the plural: ``"reports"``.

    Raises
    ------
    DataError
        If the forecast is of counties; says what shows them.
    """
    if of_counties(forecast):
        raise DataError(
            f"this forecast is of counties, and {what} are of states: they would show counts "
            f"below {SMALL}",
            hint="odforecast forecast --dataset counties --html FILE, or "
            "odforecast.report.site.write_county_page(FILE, forecast)",
        )


def last_counts(forecast: Forecast) -> list[str]:
    """The last count of each location as its release shows it: ``594``, ``0``, ``1–9``."""
    low, high = layer_of(forecast, "low"), layer_of(forecast, "high")
    if not low.shape[1]:
        return [""] * len(forecast.locations)
    return [published_count(float(a), float(b)) for a, b in zip(low[:, -1], high[:, -1])]


def counties(
    forecast: Forecast,
    locations: str | Iterable[str] | None = None,
    level: float = 0.9,
    exact: bool = False,
) -> pd.DataFrame:
    """The table; see :meth:`odforecast.Forecast.counties`."""
    import pandas as pd

    proportion("level", level)
    if not of_counties(forecast):
        raise ForecastError(
            "this forecast is of states, whose counts are not hidden",
            hint="forecast.summary() is their table",
        )
    if locations is None and len(forecast.locations) > _AT_ONCE:
        some = range(0, len(forecast.locations), _AT_ONCE)
        parts = [forecast.locations[i : i + _AT_ONCE] for i in some]
        tables = [counties(forecast.select(of), None, level, exact) for of in parts]
        return pd.concat(tables, ignore_index=True)
    kept = rows_of(forecast, locations)
    sides = np.round([(1 - level) / 2, 0.25, 0.5, 0.75, (1 + level) / 2], 12)
    later, before = forecast.samples()[:, kept], year_before(forecast)[:, kept]
    # A hidden count stays hidden, also where draws say what it may have been.
    known = ~np.isnan(before).any(axis=0) & ~hidden_at(forecast, -12)[kept]
    counts = forecast.quantiles(list(sides))[:, kept]
    people = residents_of(forecast)[kept]
    rates = 1e5 * counts[[0, 2, 4]] / people
    few = counts[2] < FEW
    if not exact:
        rates[counts[[0, 2, 4]] < SMALL] = np.nan
        counts[counts < SMALL] = np.nan
    values = {
        "level": np.full(few.shape, level),
        **dict(zip(("low", "low_50", "median", "high_50", "high"), counts)),
        "fall": np.where(known, (later < before).mean(axis=0), np.nan),
        "rise": np.where(known, (later > before).mean(axis=0), np.nan),
        "p_zero": (later < 1).mean(axis=0),
        "p_hidden": ((later >= 1) & (later < SMALL)).mean(axis=0),
        "p_ten": (later >= SMALL).mean(axis=0),
        **dict(zip(("rate_low", "rate", "rate_high"), rates)),
        "few": few,
    }
    last = np.array(last_counts(forecast), dtype=object)[kept]
    frame: pd.DataFrame = pd.DataFrame(
        {
            **row_labels(forecast, kept),
            "last": np.repeat(last, forecast.months.size),
            **{name: array.ravel() for name, array in values.items()},
        }
    )
    assert tuple(frame.columns) == COUNTY_COLUMNS
    # The last count, drawn as it will be once complete, is there to be compared with.
    return frame[frame["horizon"] > 0].reset_index(drop=True)


def among_highest(values: Floats, k: int) -> Floats:
    """Chance of each column to be among the k highest of its row, shape (L,); they add up to k.

    Places that tie for the last rank share what is left of it: no order of names decides.

    Parameters
    ----------
    values : ndarray, shape (D, L)
        Minus infinity for what has no rank in a draw: it is never among them, and the chances
        add up to less.
    k : int
        At least 1; L and more gives 1 to all.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.forecast.tables import among_highest
    >>> among_highest(np.array([[9.0, 5.0, 5.0, 1.0], [9.0, 5.0, 4.0, 9.0]]), 2).tolist()
    [1.0, 0.25, 0.25, 0.5]
    """
    places = values.shape[1]
    at = max(places - k, 0)
    last = np.partition(values, at, axis=1)[:, at, None]
    above, level = values > last, values == last
    left = np.minimum((k - above.sum(axis=1)) / level.sum(axis=1), 1.0)
    shares = above + level * left[:, None]
    return np.asarray(np.where(np.isneginf(values), 0.0, shares).mean(axis=0))


def ranking(
    forecast: Forecast, k: int = 10, by: By = "deaths", month: object = None, exact: bool = False
) -> pd.DataFrame:
    """The table; see :meth:`odforecast.Forecast.ranking`."""
    import pandas as pd

    if by not in get_args(By):
        raise ForecastError(f"by is {by!r}", hint=one_of(by, get_args(By)))
    k = whole("k", k, 1)
    if LOCATION not in forecast.joint:
        raise ForecastError(
            "these draws are not joint over locations, so places cannot be compared in them",
            hint="rank a forecast of a model with joint draws: county for counties, dlm for states",
        )
    column = _column(forecast, month)
    # The nation and sums of places hold the others: who is highest is asked of single places.
    rows = [i for i, s in enumerate(forecast.locations) if s != NATION and s not in forecast.parts]
    if len(rows) < 2:
        raise ForecastError(f"the forecast has {len(rows)} single places: a ranking needs two")
    sums = forecast.samples()[:, rows, column]
    deaths = np.median(sums, axis=0)
    people = residents_of(forecast)[rows, column]
    rate = 1e5 * deaths / people
    ranked = sums / people if by == "rate" else sums
    if of_counties(forecast) and not exact:
        # What is not shown has no rank either: who is ahead of whom would give it away.
        ranked = np.where((sums < SMALL) & np.isfinite(ranked), -np.inf, ranked)
    there = ~np.isnan(ranked).any(axis=0)
    if not there.any():
        raise _no_rate(forecast)
    among = np.full(len(rows), np.nan)
    among[there] = among_highest(ranked[:, there], k)
    before = _year_before(forecast, column)[:, rows]
    last = layer_of(forecast, "reported")[rows]
    last = last[:, -1] if last.shape[1] else np.full(len(rows), np.nan)
    few = deaths < FEW
    if of_counties(forecast) and not exact:
        small = deaths < SMALL
        deaths, rate = np.where(small, np.nan, deaths), np.where(small, np.nan, rate)
    places = [forecast.locations[i] for i in rows]
    # Chance first, then the middle as far as it is shown, then the code: the same everywhere.
    middle = rate if by == "rate" else deaths
    keys = [(-_or_last(a), -_or_last(m), s) for a, m, s in zip(among, middle, places)]
    order = sorted(range(len(rows)), key=keys.__getitem__)
    frame: pd.DataFrame = pd.DataFrame(
        {
            "location": np.array(places, dtype=object),
            "name": np.array([called(s) for s in places], dtype=object),
            "month": np.repeat(forecast.months[[column]].astype("datetime64[s]"), len(rows)),
            "horizon": int(forecast.horizons[column]),
            "by": by,
            "k": int(k),
            "among": among,
            "deaths": deaths,
            "rate": rate,
            "few": few,
            "rising": _share(sums > before, np.isnan(before).any(axis=0)),
            "above_last": _share(sums > last, np.isnan(last)),
        }
    )
    assert tuple(frame.columns) == RANKING_COLUMNS
    return frame.iloc[order].reset_index(drop=True)


def _column(forecast: Forecast, month: object) -> int:
    """Position of the month asked for; without one, 12 months ahead or the last."""
    if month is None:
        ahead = np.flatnonzero(forecast.horizons <= 12)
        return int(ahead[-1]) if ahead.size else 0
    when = to_month(month)
    found = np.flatnonzero(forecast.months == when)
    if not found.size:
        raise ForecastError(
            f"{when} is not forecast", hint=f"from {forecast.months[0]} to {forecast.months[-1]}"
        )
    return int(found[0])


def _year_before(forecast: Forecast, column: int) -> Floats:
    """Counts 12 months before a month, in every draw, shape (D, L); NaN where unknown."""
    try:
        before = forecast.count_at(forecast.months[column] - 12 * ONE_MONTH)
    except ForecastError:  # before the panel, or there is none
        return np.full(forecast.draws.shape[:2], np.nan)
    return np.where(hidden_at(forecast, -12)[:, column], np.nan, before)


def _share(holds: Flags, unknown: Flags) -> Floats:
    """Share of draws; NaN where what they are compared with is hidden or missing."""
    return np.where(unknown, np.nan, holds.mean(axis=0))


def _or_last(value: float) -> float:
    return float("-inf") if np.isnan(value) else float(value)


def _no_rate(forecast: Forecast) -> ForecastError:
    hint = "rank by deaths"
    if of_counties(forecast):
        hint = "give a population file: panel.with_population(FILE) before the fit; or by='deaths'"
    return ForecastError("no place has a population, so there are no rates to rank", hint=hint)
