"""What figures are drawn from: tidy tables, or objects that give one; and what is said of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from odforecast.errors import DataError, UnknownNameError
from odforecast.errors import one_of as hint_of
from odforecast.geography import JURISDICTIONS, NATION, called, pick
from odforecast.geography.places import by_fips
from odforecast.months import to_month
from odforecast.names import (
    COUNTIES,
    STATES,
    TARGET_12MO,
    TARGET_MONTH,
    VINTAGE_CLEAN,
    VINTAGE_DELAYED,
    VINTAGE_REAL,
    VINTAGE_SYNTHETIC,
    deciding_kind,
)
from odforecast.say import capital, day_name, deaths_of, month_name, old_data

#: The model that is shown where several were scored and none is named.
_FIRST_CHOICE = "dlm"
LEVELS = ("jurisdictions", "nation")
_SCORED = ("model", "location", "target", "horizon", "month", "scorable")
_WORDS = {
    VINTAGE_REAL: "real releases",
    VINTAGE_CLEAN: "clean pseudo-vintages",
    VINTAGE_DELAYED: "delayed pseudo-vintages",
    VINTAGE_SYNTHETIC: "made-up panels",
    TARGET_12MO: "12-month counts",
    TARGET_MONTH: "counts of single months",
}
_IN_A_SENTENCE = {
    "US": "the United States",
    "DC": "the District of Columbia",
    "11001": "the District of Columbia",
}


# Tables


def table_of(
    thing: Any, columns: Iterable[str], name: str, **keywords: Any
) -> pd.DataFrame:
    """The table given, or what an object's ``to_frame`` gives, once it has the columns and rows."""
    if isinstance(thing, pd.DataFrame):
        table = thing
    elif callable(getattr(thing, "to_frame", None)) and not isinstance(
        thing, pd.Series
    ):
        table = thing.to_frame(**keywords)
    else:
        raise DataError(
            f"{name} is a {type(thing).__name__}: there is nothing to draw in it",
            hint=f"give an object of odforecast, or a table with {', '.join(columns)}",
        )
    missing = [column for column in columns if column not in table]
    if missing:
        raise DataError(
            f"the table of {name} has no column {missing[0]!r}",
            hint=f"it has: {', '.join(map(str, table.columns))}",
        )
    if table.empty:
        raise DataError(
            f"the table of {name} is empty", hint="was everything filtered out?"
        )
    return table


def place_of(places: Iterable[str], location: str | None, name: str) -> str:
    """The place to draw: the one named, by any of its names, or the only one, or the US."""
    codes = list(dict.fromkeys(map(str, places)))
    if location is not None:
        return pick([location], codes, name)[0]
    if NATION in codes:
        return NATION
    if len(codes) == 1:
        return codes[0]
    kinds = "counties" if is_county(codes[0]) else "locations and no US"
    raise UnknownNameError(
        f"{name} has {len(codes):,} {kinds}",
        hint=f"name one: location={codes[0]!r}",
    )


def rows_of(table: pd.DataFrame, place: str) -> pd.DataFrame:
    """The rows of one place, in the order of months."""
    rows: pd.DataFrame = table[table["location"].astype(str) == place]
    return rows.sort_values("month", kind="stable", ignore_index=True)


def months_in(table: pd.DataFrame, column: str = "month") -> Any:
    """A column of months, as months."""
    return table[column].to_numpy(dtype="datetime64[M]")


def reported_of(
    history: Any, place: str, parts: Mapping[str, Sequence[str]] | None = None
) -> Any:
    """Rows ``month, reported`` of a place, or the sum of its parts; None where there is neither."""
    table = table_of(history, ("location", "month", "reported"), name="history")
    codes = set(table["location"].astype(str))
    members = tuple((parts or {}).get(place, ()))
    if place not in codes and set(members) == set(JURISDICTIONS) and NATION in codes:
        place = NATION  # what CDC itself says of the sum
    if place in codes:
        return rows_of(table, place)
    if not members or not set(members) <= codes:
        return None
    rows = table[table["location"].astype(str).isin(members)]
    counts = rows.groupby("month", sort=True)[["reported"]]
    # A count that is hidden in one part leaves the sum unknown.
    return counts.sum(min_count=len(members)).reset_index()


def at_month(
    table: pd.DataFrame, month: object
) -> tuple[pd.DataFrame, np.datetime64 | None]:
    """Rows of the month asked for: without one, 12 months ahead, or the last there is."""
    if "month" not in table:
        return table, None if month is None else to_month(month)
    months = months_in(table)
    if not months.size:
        raise DataError("the table is empty", hint="was everything filtered out?")
    if month is not None:
        when = to_month(month)
    elif "horizon" in table and (table["horizon"] == 12).any():
        when = months[(table["horizon"] == 12).to_numpy()].max()
    else:
        when = months.max()
    rows = table[months == when]
    if rows.empty:
        raise DataError(
            f"the table has no {when}", hint=f"it has {months.min()} to {months.max()}"
        )
    return rows, when


def one_of(value: str, allowed: Sequence[str], name: str) -> str:
    """A word out of a few."""
    if value not in allowed:
        raise UnknownNameError(f"{name} is {value!r}", hint=hint_of(value, allowed))
    return value


# What is known of them


class About(NamedTuple):
    """What a figure says of its data, in words."""

    #: Which deaths they count.
    deaths: str
    #: When they were known; empty if that is unknown.
    day: str
    #: Where they are from, and who forecast.
    source: str


def about(
    thing: Any, table: pd.DataFrame | None = None, indicator: str | None = None
) -> About:
    """What is said of something and its table; the indicator is the one named, or its own."""
    panel = thing if hasattr(thing, "vintage") else getattr(thing, "panel", None)
    release: Any = getattr(panel, "release", None)
    real = (
        isinstance(release, dt.date) and getattr(panel, "vintage", "") == VINTAGE_REAL
    )
    dataset = getattr(panel, "dataset", STATES)
    day = day_of(thing, table)
    if real and dataset == COUNTIES:
        # A release of counties stays the last for years.
        day = f"release of {day_name(release)}"
    published = day
    if real and not day.startswith("release"):
        published = f"published {day_name(release)}"
    source = ""
    if published:
        source = f"Data: CDC/NCHS, {published}." if real else f"Data {published}."
    if real and (old := old_data(release, dt.date.today(), dataset)):
        source += f" {old.partition('. ')[2]}"
    model = None if thing is panel else getattr(thing, "provenance", {}).get("model")
    if model:
        source = f"{source} Forecast: odforecast {model}.".strip()
    deaths = deaths_of(indicator or indicator_in(thing, table))
    return About(deaths, day, source=source)


def day_of(thing: Any, table: pd.DataFrame | None = None) -> str:
    """When something was known, in words: the object's day, or the day or month of its table."""
    day = getattr(thing, "as_of", None)
    if isinstance(day, dt.date):
        return f"as of {day_name(day)}"
    if table is None:
        return ""
    if "as_of" in table and len(set(table["as_of"])) == 1:
        return f"as of {day_name(pd.Timestamp(table['as_of'].iloc[0]))}"
    if "horizon_from_origin" in table:
        ahead = table["horizon_from_origin"].to_numpy().astype("timedelta64[M]")
        origins = months_in(table) - ahead
        if np.unique(origins).size == 1:
            return f"as of {month_name(origins[0])}"
    return ""


def indicator_in(thing: Any, table: pd.DataFrame | None = None) -> str | None:
    """Which deaths something counts: its own word, that of its panel, manifest or column."""
    panel = getattr(thing, "panel", None)
    manifest = getattr(thing, "manifest", {})
    candidates = (
        getattr(thing, "indicator", None),
        getattr(panel, "indicator", None),
        manifest.get("indicator"),
    )
    for indicator in candidates:
        if isinstance(indicator, str):
            return indicator
    rows = thing if table is None else table
    if "indicator" not in getattr(rows, "columns", ()):
        return None
    indicators = rows["indicator"].unique()
    return str(indicators[0]) if len(indicators) == 1 else None


# Scores


def scores_of(
    thing: Any,
    columns: tuple[str, ...] = (),
    vintage: str | None = None,
    hidden: bool = False,
) -> pd.DataFrame:
    """The scorable 12-month counts of results or a table, of one kind of vintage, with a ``level``.

    With ``hidden``, of counties also those whose count was hidden but has a PIT: without them,
    those that fell below 10 are missing, and every forecast looks too low.
    """
    labelled = thing.labelled() if callable(getattr(thing, "labelled", None)) else thing
    table = table_of(labelled, (*_SCORED, *columns), name="scores")
    table = table[table["target"].astype(str) == TARGET_12MO]
    if table.empty:
        raise DataError(
            "the scores hold no 12-month counts", hint="figures show those only"
        )
    table = of_kind(table, "vintage", named=vintage)
    scorable = table["scorable"].astype(bool)
    if hidden and "observed_low" in table:
        scorable |= table["pit"].notna()
    rows = table[scorable]
    if rows.empty:
        reason = (
            table["reason"].iloc[0] if "reason" in table else "no truth is old enough"
        )
        raise DataError(f"none of {len(table)} forecasts could be scored: {reason}")
    level = np.where(rows["location"].astype(str) == "US", "nation", "jurisdictions")
    return rows.assign(level=level, model=rows["model"].astype(str))


def of_kind(table: pd.DataFrame, column: str, named: str | None) -> pd.DataFrame:
    """Rows of a kind of vintage or of a target: the one named, or that on which a claim rests.

    Kinds of vintage have no common mean. The target is the 12-month count where there are any.
    """
    if column not in table:
        if named is None:
            return table
        raise DataError(
            f"{column} is {named!r}, and the table has no such column",
            hint="leave it out",
        )
    values = table[column].astype(str)
    kinds = list(dict.fromkeys(values))
    if named is not None:
        kind = one_of(named, kinds, name=column)
    elif column == "target":
        kind = TARGET_12MO if TARGET_12MO in kinds else kinds[0]
    else:
        kind = deciding_kind(kinds) or min(kinds)
    return table[values == kind]


def kinds_in(table: pd.DataFrame, column: str = "vintage") -> str:
    """The kinds of vintage, or targets, in a table, in words; "" where it does not say."""
    if column not in table:
        return ""
    kinds = dict.fromkeys(table[column].astype(str))
    return " and ".join(_WORDS.get(kind, kind) for kind in kinds)


def size_of(table: pd.DataFrame) -> str:
    """How many forecasts there are, and on which kind of vintage they were made, in words."""
    forecasts = f"{len(table):,} forecasts"
    kinds = kinds_in(table)
    return f"{forecasts} on {kinds}" if kinds else forecasts


def origins_in(table: pd.DataFrame) -> str:
    """From data of which months the forecasts were made, in words; "" if unknown."""
    if "last_month" not in table:
        return ""
    months = months_in(table, "last_month")
    first = month_name(months.min())
    last = month_name(months.max())
    words = f"made from counts to {first}"
    return words if first == last else f"{words} through {last}"


def of_level(table: pd.DataFrame, level: str | None) -> tuple[pd.DataFrame, str]:
    """Rows of the jurisdictions, or of the nation where there is nothing else; and whose."""
    levels = set(table["level"])
    jurisdictions, nation = LEVELS
    default = jurisdictions if jurisdictions in levels else nation
    level = one_of(level or default, LEVELS, name="level")
    rows = table[table["level"] == level]
    if rows.empty:
        raise DataError(
            f"nothing was scored for level {level!r}",
            hint=f"there is: {', '.join(levels)}",
        )
    places = rows["location"].astype(str).unique()
    if len(places) == 1:
        return rows, in_place(places[0])
    kind = "counties" if is_county(places[0]) else "jurisdictions"
    return rows, f"{len(places)} {kind}"


def models_of(table: pd.DataFrame, models: str | Sequence[str] | None) -> list[str]:
    """The models to draw: those named, or all, the default first."""
    scored = [str(model) for model in dict.fromkeys(table["model"])]
    if models is None:
        return sorted(scored, key=lambda model: model != _FIRST_CHOICE)
    names = [models] if isinstance(models, str) else list(dict.fromkeys(models))
    if not names:
        raise DataError("models is empty", hint="leave it out for all of them")
    for name in names:
        if name not in scored:
            raise UnknownNameError(
                f"no scores of model {name!r}", hint=hint_of(name, scored)
            )
    return names


def chosen(
    table: pd.DataFrame,
    model: str | None,
    level: str | None = None,
    place: str = "",
) -> tuple[pd.DataFrame, str, str]:
    """Rows of one place, or else of a level, and of one model; its name, and whose they are."""
    if place:
        rows = table[table["location"].astype(str) == place]
        area = in_place(place)
    else:
        rows, area = of_level(table, level)
    name = models_of(rows, model)[0]
    return rows[rows["model"] == name], name, area


def ahead_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Without counts published already: hardly revised, they say nothing of the forecasts."""
    return rows[rows["horizon"] >= 1]


# Words


def in_place(code: str) -> str:
    """A place as a sentence names it.

    >>> in_place("US"), in_place("Midwest"), in_place("OH")
    ('the United States', 'the Midwest', 'Ohio')
    """
    if code in ("Northeast", "Midwest", "South", "West"):
        return f"the {code}"
    return _IN_A_SENTENCE.get(code, called(code))


def is_county(code: str) -> bool:
    """Whether a code is a county's: its counts below 10 are shown as a range."""
    return code in by_fips()


def titled(deaths: str, place: str = "") -> str:
    """The title of a figure of 12-month counts."""
    return joined(
        f"{capital(deaths)} in the 12 months ending each month", place and called(place)
    )


def joined(*parts: str, by: str = ", ") -> str:
    """What there is of some parts, in a row."""
    return by.join(p for p in parts if p)


def own_words(forecast: Any, *places: str) -> str:
    """That a forecast of places rests on states' own counts, in words; empty if not."""
    own_counts = getattr(getattr(forecast, "panel", None), "own", None)
    provenance = getattr(forecast, "provenance", {})
    if own_counts is None or "own counts" not in provenance:
        return ""
    # "…, for all places but XX YY": who shares the effect of the counts, and who does not.
    _, for_all, exceptions = provenance["own counts"].partition(", for all places")
    if for_all and not set(places) <= set(exceptions.split()[1:]):
        places = own_counts.places
    words = own_counts.within(places, forecast.parts, "location" in forecast.joint)
    return f"with {words}" if words else ""
