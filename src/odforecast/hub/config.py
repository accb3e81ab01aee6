"""What a hub asks for, as the hubverse's configuration says it: ``admin``, ``tasks`` and
``target-data``.

One round per origin. Its ``last_data_date`` is the end of the last month known then, and horizon h
is the h-th month after it: so a validator finds in each round which months may be forecast, and
need not know CDC's calendar.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from odforecast.errors import DataError
from odforecast.forecast.trend import CATEGORIES, LONGEST
from odforecast.geography.places import lookup
from odforecast.months import ONE_MONTH, month_end
from odforecast.names import (
    HUB_QUANTILES,
    LOCATION,
    MONTH,
    TARGET_12MO,
    TARGET_MONTH,
    TARGET_TREND,
    TARGETS,
)

#: The schemas that the configuration is written for.
SCHEMAS: Final = "https://raw.githubusercontent.com/hubverse-org/schemas/main/v6.0.0"

#: Horizons of months that were published already, and are revised.
NOWCAST: Final = tuple(range(-11, 1))
#: First and last day of submission, in days after the origin: until the next release.
DUE: Final = (0, 27)
#: Samples of a task, at least and at most.
SAMPLES: Final = (100, 1000)

#: The rule, in words: it stands in every target's description.
HORIZON_RULE: Final = (
    "Horizon h is the h-th month after the last month known on origin_date, which is the round's "
    "last_data_date; it is not counted from origin_date. target_end_date is the last day of that "
    "month. Horizons of 0 and below revise months that were published already."
)

_TITLES: Final = {
    TARGET_12MO: "Drug-overdose deaths in the 12 months ending with the target month",
    TARGET_MONTH: "Drug-overdose deaths in the target month",
    TARGET_TREND: "Change of the 12-month-ending count on a year earlier, in five categories",
}
_DETAILS: Final = {
    TARGET_12MO: "The count of the 12 months up to target_end_date, as once final.",
    TARGET_MONTH: "The count of the month that ends on target_end_date, as once final. CDC does "
    "not publish it: it is recovered from the 12-month sums, up to one constant per calendar "
    "month.",
    TARGET_TREND: "The change of the 12-month-ending count from 12 months before. With N that "
    "earlier count as known on origin_date, t = max(5, 128 * sqrt(2 / N)) percent: stable up to "
    "t, large beyond 3 t.",
}


@dataclass(frozen=True)
class Round:
    """One origin of a hub.

    Attributes
    ----------
    origin : datetime.date
        Its id: the day the forecast could have been made.
    last_month : datetime64[M]
        Last month known then.
    locations : tuple of str
        CDC codes of the places with a count.
    """

    origin: dt.date
    last_month: np.datetime64
    locations: tuple[str, ...]

    def ends(self, horizons: Iterable[int]) -> list[str]:
        """Last days of the months at these horizons, as texts."""
        return [month_end(self.last_month + h * ONE_MONTH).isoformat() for h in horizons]


def admin_config(
    name: str,
    maintainer: str,
    contact: Mapping[str, str],
    repository: str,
    formats: Sequence[str] = ("csv", "parquet"),
    timezone: str = "US/Eastern",
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What ``admin.json`` holds.

    Parameters
    ----------
    name, maintainer : str
    contact : mapping of str to str
        ``name`` and ``email`` of a person.
    repository : str
        ``OWNER/NAME`` of the repository that the hub will lie in.
    formats : sequence of str
        Formats of submissions: ``csv``, ``parquet``.
    timezone : str
        In which the days of submission begin and end.
    more : mapping, optional
        Metadata of this package's: ``indicator`` and the like.

    Raises
    ------
    DataError
        If the repository is not ``OWNER/NAME``, or the address is none.

    Examples
    --------
    >>> made = admin_config("Overdoses", "Ohio", {"name": "A", "email": "a@b.org"}, "ohio/hub")
    >>> made["repository"]
    {'host': 'github', 'owner': 'ohio', 'name': 'hub'}
    """
    owner, slash, called = repository.partition("/")
    if not (slash and owner and called) or "/" in called or len(repository.split()) != 1:
        raise DataError(f"repository is {repository!r}", hint="OWNER/NAME, as ohio/overdose-hub")
    before, at, after = contact.get("email", "").partition("@")
    if not (before and at and "." in after) or len(contact["email"].split()) != 1:
        raise DataError(
            f"the contact's address is {contact.get('email', '')!r}", hint="somebody@example.org"
        )
    return {
        "schema_version": f"{SCHEMAS}/admin-schema.json",
        "name": name,
        "maintainer": maintainer,
        "contact": {"name": contact["name"], "email": contact["email"]},
        "repository": {"host": "github", "owner": owner, "name": called},
        "file_format": list(formats),
        "timezone": timezone,
        "additional_metadata": {"horizon_rule": HORIZON_RULE, **(more or {})},
    }


def tasks_config(
    rounds: Sequence[Round],
    horizon: int = 12,
    samples: tuple[int, int] = SAMPLES,
    joint: Iterable[str] = (LOCATION, MONTH),
    due: tuple[int, int] = DUE,
) -> dict[str, Any]:
    """What ``tasks.json`` holds.

    Parameters
    ----------
    rounds : sequence of Round
        At least one; each day once.
    horizon : int
        Months ahead, 1 to 120; of the trend up to 12.
    samples : tuple of int
        Samples of a task, at least and at most; a submission may leave them out.
    joint : iterable of str
        Over what a sample is one course at least: ``"location"``, ``"month"``. Over both targets
        it always is.
    due : tuple of int
        First and last day of submission, in days after the origin.

    Returns
    -------
    dict
        By version 6.0.0 of the hubverse's schema. Every place, target and horizon is optional;
        what is given has all quantile levels, or all categories. ``target_end_date`` follows from
        the round and the horizon, so it is a derived task id.

    Raises
    ------
    DataError
        If there is no round, two are of one day, or a number is out of range.

    Examples
    --------
    >>> import datetime as dt
    >>> import numpy as np
    >>> day = dt.date(2025, 9, 17)
    >>> tasks = tasks_config([Round(day, np.datetime64("2025-04"), ("US", "OH"))])
    >>> (round_,) = tasks["rounds"]
    >>> round_["last_data_date"], round_["model_tasks"][0]["task_ids"]["location"]["optional"]
    ('2025-04-30', ['US', '39'])
    >>> sample = round_["model_tasks"][0]["output_type"]["sample"]
    >>> sample["output_type_id_params"]["compound_taskid_set"]
    ['origin_date']
    """
    if not rounds:
        raise DataError("a hub needs a round", hint="an archive with a release")
    days = [r.origin for r in rounds]
    if twice := [d for d in dict.fromkeys(days) if days.count(d) > 1]:
        raise DataError(f"two rounds are of {twice[0]}", hint="one origin a day")
    if not 1 <= horizon <= 120:
        raise DataError(f"horizon is {horizon}", hint="1 to 120 months")
    if not 1 <= samples[0] <= samples[1]:
        raise DataError(f"samples are {samples[0]} to {samples[1]}", hint="1 or more, rising")
    if due[0] > due[1]:
        raise DataError(f"submission ends on day {due[1]}, before day {due[0]}")
    axes = set(joint)
    if wrong := axes - {LOCATION, MONTH}:
        raise DataError(f"joint over {sorted(wrong)[0]!r}", hint=f"{LOCATION}, {MONTH}")
    compound = ["origin_date", *([] if LOCATION in axes else ["location"]),
                *([] if MONTH in axes else ["horizon"])]  # fmt: skip
    return {
        "schema_version": f"{SCHEMAS}/tasks-schema.json",
        "rounds": [_round(r, horizon, samples, compound, due) for r in rounds],
        # Levels beside categories: one column has one type.
        "output_type_id_datatype": "character",
        "derived_task_ids": ["target_end_date"],
    }


def _round(
    made: Round, horizon: int, samples: tuple[int, int], compound: list[str], due: tuple[int, int]
) -> dict[str, Any]:
    ahead = list(range(1, horizon + 1))
    near = [h for h in ahead if h <= LONGEST]
    deaths = {"type": "double", "minimum": 0}
    counts = {
        "quantile": {
            "output_type_id": {"required": list(HUB_QUANTILES)},
            "is_required": True,
            "value": deaths,
        },
        "sample": {
            "output_type_id_params": {
                "type": "integer",
                "min_samples_per_task": samples[0],
                "max_samples_per_task": samples[1],
                "compound_taskid_set": compound,
            },
            "is_required": False,
            "value": deaths,
        },
    }
    trend = {
        "pmf": {
            "output_type_id": {"required": list(CATEGORIES)},
            "is_required": True,
            "value": {"type": "double", "minimum": 0, "maximum": 1},
        }
    }
    return {
        "round_id_from_variable": True,
        "round_id": "origin_date",
        "round_name": f"{made.origin}, known to {made.last_month}",
        # Both counts in one set of tasks: a sample may not span two, and is one over both.
        "model_tasks": [
            _tasks(made, TARGETS, [*NOWCAST, *ahead], counts, "continuous", "deaths"),
            _tasks(made, (TARGET_TREND,), near, trend, "ordinal", "category of the change"),
        ],
        "submissions_due": {"relative_to": "origin_date", "start": due[0], "end": due[1]},
        "last_data_date": month_end(made.last_month).isoformat(),
        "additional_metadata": {
            "horizon": {
                "unit": "month",
                "counted_from": "last_data_date",
                "leads_to": "target_end_date",
            }
        },
    }


def _tasks(
    made: Round,
    targets: Sequence[str],
    horizons: list[int],
    outputs: dict[str, Any],
    kind: str,
    units: str,
) -> dict[str, Any]:
    return {
        "task_ids": {
            "origin_date": {"required": [made.origin.isoformat()], "optional": None},
            "location": _optional([lookup(s).code for s in made.locations]),
            "target": _optional(list(targets)),
            "horizon": _optional(horizons),
            # A task id that follows from others must be optional.
            "target_end_date": _optional(made.ends(horizons)),
        },
        "output_type": outputs,
        "target_metadata": [
            {
                "target_id": target,
                "target_name": _TITLES[target],
                "target_units": units,
                "target_keys": {"target": target},
                "target_type": kind,
                "description": f"{_DETAILS[target]} {HORIZON_RULE}",
                "is_step_ahead": True,
                "time_unit": "month",
            }
            for target in targets
        ],
    }


def _optional(values: list[Any]) -> dict[str, Any]:
    return {"required": None, "optional": values}


def target_data_config() -> dict[str, Any]:
    """What ``target-data.json`` holds.

    The time series has a version for each release (``as_of``); what the truth is has one. The
    category of a trend hangs on what was known at the origin, so ``origin_date`` is part of what
    is observed there.

    Examples
    --------
    >>> target_data_config()["oracle-output"]["observable_unit"]
    ['origin_date', 'target_end_date', 'location', 'target']
    """
    unit = ["target_end_date", "location", "target"]
    return {
        "schema_version": f"{SCHEMAS}/target-data-schema.json",
        "observable_unit": unit,
        "date_col": "target_end_date",
        "versioned": True,
        "time-series": {
            "non_task_id_schema": {
                "location_name": "character",
                "predicted": "double",
                "percent_complete": "double",
                "percent_pending": "double",
            },
            "versioned": True,
        },
        "oracle-output": {
            "has_output_type_ids": True,
            "observable_unit": ["origin_date", *unit],
            "versioned": True,
        },
    }
