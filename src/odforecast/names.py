"""Names of columns, dimensions, indicators and targets, in one place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

ALL_DRUGS: Final = "Number of Drug Overdose Deaths"
SYNTHETIC_OPIOIDS: Final = "Synthetic opioids, excl. methadone (T40.4)"
ALL_DEATHS: Final = "Number of Deaths"

#: The canonical long table: one row per (release, location, month, indicator).
TABLE_COLUMNS: Final = (
    "release",
    "location",
    "state",
    "month",
    "indicator",
    "reported",
    "predicted",
    "percent_complete",
    "percent_pending",
    "status",
)

#: Values of the ``status`` column (what a blank reported count means).
STATUSES: Final = ("ok", "suppressed", "low_quality", "missing")

#: Forecast dimensions, in the order of the array.
LOCATION: Final = "location"
MONTH: Final = "month"
FORECAST_DIMS: Final = ("draw", LOCATION, MONTH)

#: What the commands use when no model is named.
DEFAULT_MODEL: Final = "dlm"
#: The same for counties.
DEFAULT_COUNTY_MODEL: Final = "county"

#: The same defaults in Python and on the command line.
DEFAULT_HORIZON: Final = 12
#: Ten years: further ahead, intervals say nothing but how long a model runs on.
LONGEST_HORIZON: Final = 120
DEFAULT_DRAWS: Final = 1000
DEFAULT_SEED: Final = 1
#: Donors per month of a backtest with delay.
DEFAULT_DONORS: Final = 3
#: Of a backtest of counties: months between origins, and months ahead that are scored.
COUNTY_STEP: Final = 3
COUNTY_HORIZONS: Final = (3, 6, 9, 12)

#: Hubverse targets.
TARGET_12MO: Final = "deaths_12mo"
TARGET_MONTH: Final = "deaths_month"
TARGETS: Final = (TARGET_12MO, TARGET_MONTH)
#: Five categories of the change of the 12-month-ending count on a year earlier.
TARGET_TREND: Final = "trend_12mo"

#: Which scenario a row belongs to; second among the columns of a hub file.
SCENARIO_ID: Final = "scenario_id"

#: Hubverse model-output columns, in order.
HUB_COLUMNS: Final = (
    "origin_date",
    "location",
    "target",
    "horizon",
    "target_end_date",
    "output_type",
    "output_type_id",
    "value",
)

#: The 23 quantile levels of the hubs.
HUB_QUANTILES: Final = (
    0.01,
    0.025,
    0.05,
    0.10,
    0.15,
    0.20,
    0.25,
    0.30,
    0.35,
    0.40,
    0.45,
    0.50,
    0.55,
    0.60,
    0.65,
    0.70,
    0.75,
    0.80,
    0.85,
    0.90,
    0.95,
    0.975,
    0.99,
)

#: Central intervals whose coverage is reported.
COVERAGE_LEVELS: Final = (0.5, 0.8, 0.9, 0.95)

#: How a panel came to be: a release as it was; a later release cut at a month; cut, and made as
#: incomplete as a donor release was; or made up by the caller, which no backtest takes.
VINTAGE_REAL: Final = "real"
VINTAGE_CLEAN: Final = "pseudo-clean"
VINTAGE_DELAYED: Final = "pseudo-delayed"
VINTAGE_SYNTHETIC: Final = "synthetic"
#: Which kind of vintage a claim rests on, where a table has several: delayed ones decide, real
#: releases guard, clean ones tell of the model alone. They have no common mean.
DECIDING: Final = (VINTAGE_DELAYED, VINTAGE_REAL, VINTAGE_CLEAN, VINTAGE_SYNTHETIC)

#: Data sets of an archive.
STATES: Final = "states"
COUNTIES: Final = "counties"
DATASETS: Final = (STATES, COUNTIES)
#: Days after a release until the next one is overdue: CDC publishes states each month, and counties
#: each quarter.
DUE_DAYS: Final = {STATES: 45, COUNTIES: 135}
#: How deaths are counted: where they occurred, or where people lived.
OCCURRENCE: Final = "occurrence"
RESIDENCE: Final = "residence"

#: Short names of CDC's indicators.
INDICATOR_NAMES: Final = {
    "all-drugs": ALL_DRUGS,
    "all-deaths": ALL_DEATHS,
    "T40.4": SYNTHETIC_OPIOIDS,
    "opioids": "Opioids (T40.0-T40.4,T40.6)",
    "heroin": "Heroin (T40.1)",
    "natural-opioids": "Natural & semi-synthetic opioids (T40.2)",
    "methadone": "Methadone (T40.3)",
    "cocaine": "Cocaine (T40.5)",
    "psychostimulants": "Psychostimulants with abuse potential (T43.6)",
}

#: What people call a class, and the short name it has here: for a "did you mean", never taken.
INDICATOR_SAID: Final = {
    **dict.fromkeys(("fentanyl", "synthetic-opioids"), "T40.4"),
    **dict.fromkeys(
        ("meth", "methamphetamine", "stimulants", "T43.6"), "psychostimulants"
    ),
    "overdoses": "all-drugs",
    "T40.1": "heroin",
    "T40.2": "natural-opioids",
    "T40.3": "methadone",
    "T40.5": "cocaine",
}


def indicator_name(name: str) -> str:
    """CDC's name of an indicator, from that or from a short one; case does not matter.

    Names that are neither come back as they are: a release may hold others.

    Examples
    --------
    >>> indicator_name("cocaine")
    'Cocaine (T40.5)'
    """
    short = {key.lower(): value for key, value in INDICATOR_NAMES.items()}
    return short.get(name.strip().lower(), name)


def deciding_kind(kinds: Iterable[str]) -> str:
    """The kind of vintage that a claim rests on, out of those a table has; empty if it has none.

    Examples
    --------
    >>> deciding_kind(["pseudo-clean", "pseudo-delayed"]), deciding_kind([])
    ('pseudo-delayed', '')
    """
    there = set(kinds)
    return next((kind for kind in DECIDING if kind in there), "")
