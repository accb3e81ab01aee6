"""The evidence library: events and named priors, in ``evidence.toml``.

Nothing here is estimated from a step at a diplomatic date: an effect is an assumption with a
source and a grade. The counts cannot identify "cooperation".
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import UnknownNameError
from odforecast.scenario.references import cite, library
from odforecast.scenario.wording import nearest, shown

#: Said wherever a result of this layer is shown.
CAVEAT = (
    "Effects are assumptions with a source and a grade, not estimates: "
    "the counts cannot identify cooperation."
)

#: Keys of a prior that no scenario file has.
_OWN_KEYS = ("title", "kind", "finding", "parts")


def events() -> pd.DataFrame:
    """The event calendar, in order of date.

    Returns
    -------
    DataFrame
        One row per event: ``id, event, kind`` (supply, control, cooperation, pressure, check,
        rival), ``date`` (text), ``month`` and ``last_month`` (datetime64, for charts), ``ended``
        (text; "" if it has not) and ``end_month`` (NaT), ``changed, effect, log_rr`` (NaN where
        none was published), ``outcome, lag, source, reference`` (full citations), ``grade``,
        ``concludes`` (what the source concludes where our grade says something else) and
        ``differs`` (why), ``tags, episode, placebo_month``.

    Examples
    --------
    >>> import odforecast as od
    >>> table = od.scenario.events().set_index("id")
    >>> table.loc["class-scheduled", "date"], table.loc["tariffs", "ended"][:10]
    ('2019-05-01', '2026-02-20')
    """
    rows = []
    for item in library()["events"]:
        effect = item["effect"]
        months = [_month(d) for d in item["dates"]]
        rows.append(
            {
                "id": item["id"],
                "event": item["event"],
                "kind": item["kind"],
                "date": item["date_text"],
                "month": months[0],
                "last_month": months[-1],
                "ended": item.get("ended", ""),
                "end_month": _month(item["end"]) if "end" in item else np.datetime64("NaT", "s"),
                "changed": item["changed"],
                "effect": effect["text"],
                "log_rr": effect.get("log_rr", float("nan")),
                "outcome": effect.get("outcome", ""),
                "lag": item["lag"],
                "source": item["source"],
                "reference": "; ".join(map(cite, item["references"])),
                "grade": item.get("grade_text", item["grade"]),
                "concludes": item.get("concludes", ""),
                "differs": item.get("differs", ""),
                "tags": ", ".join(item["tags"]),
                "episode": bool(item.get("episode", False)),
                "placebo_month": item.get("placebo_month", ""),
            }
        )
    return pd.DataFrame(rows).sort_values("month", kind="stable", ignore_index=True)


def prior_names(*kinds: str) -> tuple[str, ...]:
    """Names of the priors of the library.

    Parameters
    ----------
    *kinds : {"supply", "control", "cooperation", "pressure", "demand"}
        Only these; default: all.

    Examples
    --------
    >>> import odforecast as od
    >>> od.scenario.prior_names("demand")[:2]
    ('methadone-expansion', 'buprenorphine-expansion')
    """
    priors = library()["priors"]
    return tuple(n for n in priors if not kinds or priors[n]["kind"] in kinds)


def prior_table(name: str, where: str = "prior") -> dict[str, Any]:
    """Keys of a named prior, as a scenario file would give them.

    Parameters
    ----------
    name : str
        One of :func:`prior_names`.
    where : str
        What asks, for the message.

    Returns
    -------
    dict
        ``name`` included; ``references`` are one-line citations.

    Raises
    ------
    UnknownNameError
        If the library has no such prior.

    Examples
    --------
    >>> prior_table("tariff-only")["p_null"]
    0.8
    >>> prior_table("naloxone-source")["references"][0][:31]
    'Stringfellow EJ, Lim TY, Humphr'
    """
    item = _prior(name, where)
    table = copy.deepcopy({k: v for k, v in item.items() if k not in _OWN_KEYS})
    return {"name": name, **table, "references": [cite(key) for key in item["references"]]}


def prior_title(name: str) -> str:
    """One line on a named prior."""
    return str(_prior(name)["title"])


def prior_kind(name: str) -> str:
    """Kind of a named prior: supply, control, cooperation, pressure or demand."""
    return str(_prior(name)["kind"])


def prior_parts(name: str) -> dict[str, float]:
    """The three named parts of a prior, with their probabilities.

    Returns
    -------
    dict of str to float
        ``works, nothing, backfires``; ``rises, nothing`` where the other tail is nothing.

    Examples
    --------
    >>> prior_parts("cooperation-resumed")
    {'works': 0.59, 'nothing': 0.4, 'backfires': 0.01}
    >>> prior_parts("cooperation-suspended")
    {'rises': 0.25, 'nothing': 0.75}
    """
    return dict(_prior(name)["parts"])


def levers() -> pd.DataFrame:
    """Demand-side levers, for comparison: ``lever, effect, source, tags, prior`` (its name)."""
    rows = []
    for name in prior_names("demand"):
        item = _prior(name)
        row = {"lever": item["title"], "effect": item["finding"], "source": item["source"]}
        rows.append({**row, "tags": "V, J", "prior": name})
    return pd.DataFrame(rows)


def attribution_shares() -> tuple[float, ...]:
    """Shares of the 2023–24 fall at which the sensitivity is always shown."""
    return tuple(float(x) for x in library()["attribution"]["shares"])


def _prior(name: str, where: str = "prior") -> Mapping[str, Any]:
    priors: Mapping[str, Any] = library()["priors"]
    if name not in priors:
        raise UnknownNameError(
            f"{where}: unknown prior {shown(name)}{nearest(name, priors)}",
            hint=f"allowed: {', '.join(priors)}",
        )
    item: Mapping[str, Any] = priors[name]
    return item


def _month(text: str) -> np.datetime64:
    return np.datetime64(f"{text[:7]}-01", "s")
