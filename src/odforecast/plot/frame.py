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


def table_of(thing: Any, columns: Iterable[str], what: str, **keywords: Any) -> pd.DataFrame:
    """The table given, or what an object's ``to_frame`` gives, once it has the columns and rows."""
    if isinstance(thing, pd.DataFrame):
        table = thing
    elif callable(getattr(thing, "to_frame", None)) and not isinstance(thing, pd.Series):
        table = thing.to_frame(**keywords)
    else:
        raise DataError(
            f"{what} is a {type(thing).__name__}: there is nothing to draw in it",
            hint=f"give an object of odforecast, or a table with {', '.join(columns)}",
        )
    if lacking := [c for c in columns if c not in table]:
        raise DataError(
            f"the table of {what} has no column {lacking[0]!r}",
            hint=f"it has: {', '.join(map(str, table.columns))}",
        )
    if table.empty:
        raise DataError(f"the table of {what} is empty", hint="was everything filtered out?")
    return table


def place_of(places: Iterable[str], location: str | None, what: str) -> str:
    """The place to draw: the one named, by any of its names, or the only one, or the US."""
    there = list(dict.fromkeys(map(str, places)))
    if location is not None:
        return pick([location], there, what)[0]
    if len(there) == 1 or NATION in there:
        return NATION if NATION in there else there[0]
    kinds = "counties" if is_county(there[0]) else "locations and no US"
    raise UnknownNameError(
        f"{what} has {len(there):,} {kinds}",
        hint=f"name one: location={there[0]!r}",
    )


def rows_of(table: pd.DataFrame, place: str) -> pd.DataFrame:
    """The rows of one place, in the order of months."""
    rows: pd.DataFrame = table[table["location"].astype(str) == place]
    return rows.sort_values("month", kind="stable", ignore_index=True)


def months_in(table: pd.DataFrame, column: str = "month") -> Any:
    """A column of months, as months."""
    return table[column].to_numpy(dtype="datetime64[M]")


def reported_of(history: Any, place: str, parts: Mapping[str, Sequence[str]] | None = None) -> Any:
    """Rows ``month, reported`` of a place, or the sum of its parts; None where there is neither."""
    table = table_of(history, ("location", "month", "reported"), what="history")
    there = set(table["location"].astype(str))
    of = tuple((parts or {}).get(place, ()))
    if place not in there and set(of) == set(JURISDICTIONS) and NATION in there:
        place = NATION  # what CDC itself says of the sum
    if place in there:
        return rows_of(table, place)
    if not of or not set(of) <= there:
        return None
    rows = table[table["location"].astype(str).isin(of)]
    # A count that is hidden in one part leaves the sum unknown.
    return rows.groupby("month", sort=True)[["reported"]].sum(min_count=len(of)).reset_index()


def at_month(table: pd.DataFrame, month: object) -> tuple[pd.DataFrame, np.datetime64 | None]:
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
        raise DataError(f"the table has no {when}", hint=f"it has {months.min()} to {months.max()}")
    return rows, when


def one_of(value: str, allowed: Sequence[str], name: str) -> str:
    """A word out of a few."""
    if value not in allowed:
        raise UnknownNameError(f"{name} is {value!r}", hint=hint_of(value, allowed))
    return value


# What is known of them


class About(NamedTuple):
    """Which deaths something counts, when it was known, and where its counts are from."""

    deaths: str
    seen: str
    source: str


def about(thing: Any, table: pd.DataFrame | None = None, indicator: str | None = None) -> About:
    """What is said of something and its table; the indicator is the one named, or its own."""
    panel = thing if hasattr(thing, "vintage") else getattr(thing, "panel", None)
    release: Any = getattr(panel, "release", None)
    real = isinstance(release, dt.date) and getattr(panel, "vintage", "") == VINTAGE_REAL
    dataset = getattr(panel, "dataset", STATES)
    seen = seen_of(thing, table)
    if real and dataset == COUNTIES:
        # A release of counties stays the last for years.
        seen = f"release of {day_name(release)}"
    when = seen
    if real and not seen.startswith("release"):
        when = f"published {day_name(release)}"
    source = f"Data{': CDC/NCHS,' if real else ''} {when}." if when else ""
    if real and old_data(release, dt.date.today()):
        source += " CDC has published newer data."
    model = None if thing is panel else getattr(thing, "provenance", {}).get("model")
    source = f"{source} Forecast: odforecast {model}.".strip() if model else source
    return About(deaths_of(indicator or indicator_in(thing, table)), seen, source=source)


def seen_of(thing: Any, table: pd.DataFrame | None = None) -> str:
    """When something was known, in words: the object's day, or the day or month of its table."""
    if isinstance(day := getattr(thing, "as_of", None), dt.date):
        return f"as of {day_name(day)}"
    if table is not None and "as_of" in table and len(set(table["as_of"])) == 1:
        return f"as of {day_name(pd.Timestamp(table['as_of'].iloc[0]))}"
    if table is not None and "horizon_from_origin" in table:
        months = months_in(table) - table["horizon_from_origin"].to_numpy().astype("timedelta64[M]")
        if np.unique(months).size == 1:
            return f"as of {month_name(months[0])}"
    return ""


def indicator_in(thing: Any, table: pd.DataFrame | None = None) -> str | None:
    """Which deaths something counts: its own word, that of its panel, manifest or column."""
    owners = (thing, getattr(thing, "panel", None))
    manifest = getattr(thing, "manifest", {})
    said = [*(getattr(x, "indicator", None) for x in owners), manifest.get("indicator")]
    if named := [x for x in said if isinstance(x, str)]:
        return named[0]
    given = thing if table is None else table
    held = list(given["indicator"].unique()) if "indicator" in getattr(given, "columns", ()) else []
    return str(held[0]) if len(held) == 1 else None


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
    given = thing.labelled() if callable(getattr(thing, "labelled", None)) else thing
    table = table_of(given, (*_SCORED, *columns), what="scores")
    table = table[table["target"].astype(str) == TARGET_12MO]
    if table.empty:
        raise DataError("the scores hold no 12-month counts", hint="figures show those only")
    table = of_kind(table, "vintage", named=vintage)
    known = table["scorable"].astype(bool)
    if hidden and "observed_low" in table:
        known |= table["pit"].notna()
    kept = table[known]
    if kept.empty:
        why = table["reason"].iloc[0] if "reason" in table else "no truth is old enough"
        raise DataError(f"none of {len(table)} forecasts could be scored: {why}")
    level = np.where(kept["location"].astype(str) == "US", "nation", "jurisdictions")
    return kept.assign(level=level, model=kept["model"].astype(str))


def of_kind(table: pd.DataFrame, column: str, named: str | None) -> pd.DataFrame:
    """Rows of a kind of vintage or of a target: the one named, or that on which a claim rests.

    Kinds of vintage have no common mean. The target is the 12-month count where there are any.
    """
    if column not in table:
        if named is None:
            return table
        raise DataError(
            f"{column} is {named!r}, and the table has no such column", hint="leave it out"
        )
    held = table[column].astype(str)
    there = list(dict.fromkeys(held))
    if named is not None:
        return table[held == one_of(named, there, name=column)]
    if column == "target":
        return table[held == min(there, key=lambda t: t != TARGET_12MO)]
    return table[held == (deciding_kind(there) or min(there))]


def said_in(table: pd.DataFrame, column: str = "vintage") -> str:
    """The kinds of vintage, or targets, in a table, in words; "" where it does not say."""
    held = dict.fromkeys(table[column].astype(str)) if column in table else {}
    return " and ".join(_WORDS.get(name, name) for name in held)


def many_in(table: pd.DataFrame) -> str:
    """How many forecasts there are, and on which kind of vintage they were made, in words."""
    kind = said_in(table)
    return f"{len(table):,} forecasts{f' on {kind}' if kind else ''}"


def origins_in(table: pd.DataFrame) -> str:
    """From data of which months the forecasts were made, in words; "" if unknown."""
    if "last_month" not in table:
        return ""
    first, last = (month_name(m) for m in np.sort(months_in(table, "last_month"))[[0, -1]])
    return f"made from counts to {first}" + (f" through {last}" if first != last else "")


def of_level(table: pd.DataFrame, level: str | None) -> tuple[pd.DataFrame, str]:
    """Rows of the jurisdictions, or of the nation where there is nothing else; and whose."""
    there = set(table["level"])
    level = one_of(level or LEVELS[LEVELS[0] not in there], LEVELS, name="level")
    rows = table[table["level"] == level]
    if rows.empty:
        raise DataError(
            f"nothing was scored for level {level!r}", hint=f"there is: {', '.join(there)}"
        )
    places = rows["location"].astype(str).unique()
    what = "counties" if is_county(places[0]) else "jurisdictions"
    return rows, in_place(places[0]) if len(places) == 1 else f"{len(places)} {what}"


def models_of(table: pd.DataFrame, models: str | Sequence[str] | None) -> list[str]:
    """The models to draw: those named, or all, the default first."""
    there = [str(m) for m in dict.fromkeys(table["model"])]
    if models is None:
        return sorted(there, key=lambda m: m != _FIRST_CHOICE)
    asked = [models] if isinstance(models, str) else list(dict.fromkeys(models))
    if not asked:
        raise DataError("models is empty", hint="leave it out for all of them")
    if unknown := [m for m in asked if m not in there]:
        raise UnknownNameError(
            f"no scores of model {unknown[0]!r}", hint=hint_of(unknown[0], there)
        )
    return asked


def chosen(
    table: pd.DataFrame,
    model: str | None,
    level: str | None = None,
    place: str = "",
) -> tuple[pd.DataFrame, str, str]:
    """Rows of one place, or else of a level, and of one model; its name, and whose they are."""
    if place:
        rows = table[table["location"].astype(str) == place]
        whose = in_place(place)
    else:
        rows, whose = of_level(table, level)
    name = models_of(rows, model)[0]
    return rows[rows["model"] == name], name, whose


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
    return joined(f"{capital(deaths)} in the 12 months ending each month", place and called(place))


def joined(*parts: str, by: str = ", ") -> str:
    """What there is of some parts, in a row."""
    return by.join(p for p in parts if p)


def own_words(forecast: Any, *places: str) -> str:
    """That a forecast of places rests on states' own counts, in words; empty if not."""
    own = getattr(getattr(forecast, "panel", None), "own", None)
    if own is None or "own counts" not in getattr(forecast, "provenance", {}):
        return ""
    _, for_all, but = forecast.provenance["own counts"].partition(", for all places")
    if for_all and not set(places) <= set(but.split()[1:]):
        places = own.places
    said = own.within(places, forecast.parts, "location" in forecast.joint)
    return f"with {said}" if said else ""
