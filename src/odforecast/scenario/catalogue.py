"""The evidence library: events and named priors, in ``evidence.toml``.

An effect is an assumption with a source and a grade: the counts cannot identify "cooperation".
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import UnknownNameError, one_of
from odforecast.say import month_name
from odforecast.scenario.values import did_you_mean, show

#: Who judged the chances of the named priors.
DEVELOPERS = "the odforecast developers"
#: Said wherever a result of this layer is shown.
CAVEAT = (
    "Effects are assumptions with a source and a grade, not estimates: "
    "the counts cannot identify cooperation."
)

#: Keys of a prior that no scenario file has.
_OWN_KEYS = ("title", "kind", "finding", "why", "parts")


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
    for x in library()["events"]:
        months = [_month(date) for date in x["dates"]]
        effect = x["effect"]
        rows.append(
            {
                "id": x["id"],
                "event": x["event"],
                "kind": x["kind"],
                "date": x["date_text"],
                "month": months[0],
                "last_month": months[-1],
                "ended": x.get("ended", ""),
                "end_month": _month(x["end"])
                if "end" in x
                else np.datetime64("NaT", "s"),
                "changed": x["changed"],
                "effect": effect["text"],
                "log_rr": effect.get("log_rr", float("nan")),
                "outcome": effect.get("outcome", ""),
                "lag": x["lag"],
                "source": x["source"],
                "reference": "; ".join(map(cite, x["references"])),
                "grade": x.get("grade_text", x["grade"]),
                "concludes": x.get("concludes", ""),
                "differs": x.get("differs", ""),
                "tags": ", ".join(x["tags"]),
                "episode": bool(x.get("episode", False)),
                "placebo_month": x.get("placebo_month", ""),
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


def prior_table(name: str) -> dict[str, Any]:
    """Keys of a named prior, as a scenario file would give them; references as lines."""
    item = _prior(name)
    table = copy.deepcopy({k: v for k, v in item.items() if k not in _OWN_KEYS})
    return {
        "name": name,
        **table,
        "references": [cite(key) for key in item["references"]],
    }


def prior_title(name: str) -> str:
    """One line on a named prior."""
    return str(_prior(name)["title"])


def prior_judges() -> str:
    """Who judged the chances of the named priors, and when."""
    return f"{DEVELOPERS}, {month_name(np.datetime64(library()['judged'], 'M'))}"


def plain_reason(source: str, note: str) -> str:
    """What an assumption rests on: of a named prior, in the library's plain words."""
    for prior in library()["priors"].values():
        if prior["note"] == note:
            reason = str(prior["why"])
            return reason if source == prior["source"] else f"{source}. {reason}"
    return ". ".join(text.rstrip(".") for text in (source, note) if text)


def levers() -> pd.DataFrame:
    """Demand-side levers, for comparison: ``lever, effect, source, tags, prior`` (its name)."""
    rows = []
    for name in prior_names("demand"):
        item = _prior(name)
        rows.append(
            {
                "lever": item["title"],
                "effect": item["finding"],
                "source": item["source"],
                "tags": "V, J",
                "prior": name,
            }
        )
    return pd.DataFrame(rows)


def _prior(name: str) -> Any:
    priors = library()["priors"]
    if name not in priors:
        raise UnknownNameError(
            f"prior: unknown prior {show(name)}{did_you_mean(name, priors)}",
            hint=f"allowed: {', '.join(priors)}",
        )
    return priors[name]


def _month(text: str) -> np.datetime64:
    return np.datetime64(f"{text[:7]}-01", "s")


@cache
def library() -> dict[str, Any]:
    """The whole library, as ``evidence.toml`` has it; not to be changed."""
    path = resources.files("odforecast.scenario") / "evidence.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def references() -> pd.DataFrame:
    """All works cited, in order of authors and year.

    Returns
    -------
    DataFrame
        One row per work: ``id, authors, year, title, journal`` (or the kind of notice), ``doi``
        ("" where it has none, or none that is certain) and ``citation``, one line.

    Examples
    --------
    >>> import odforecast as od
    >>> table = od.scenario.references().set_index("id")
    >>> table.loc["larochelle-2018", "doi"]
    '10.7326/M17-3107'
    """
    rows: list[dict[str, Any]] = [
        {
            "id": key,
            "authors": work["authors"],
            "year": work["year"],
            "title": work["title"],
            "journal": work["journal"],
            "doi": work.get("doi", ""),
            "citation": cite(key),
        }
        for key, work in library()["references"].items()
    ]
    rows.sort(key=_order)
    return pd.DataFrame(rows)


def cite(key: str) -> str:
    """One line on a work: authors, year, title, journal, DOI.

    Parameters
    ----------
    key : str
        Its id, such as ``"mcketin-2011"``.

    Examples
    --------
    >>> import odforecast as od
    >>> od.scenario.cite("degenhardt-2006")
    'Degenhardt L, Day C, Gilmour S, Hall W (2006). The “lessons” of the Australian “heroin
    shortage”. Substance Abuse Treatment, Prevention, and Policy 1:11. doi:10.1186/1747-597X-1-11'
    """
    works = library()["references"]
    if key not in works:
        raise UnknownNameError(
            f"unknown reference {show(key)}", hint=one_of(key, works)
        )
    item = works[key]
    title = item["title"] if item["title"].endswith("?") else f"{item['title']}."
    line = f"{item['authors']} ({item['year']}). {title} {item['journal']}."
    return f"{line} doi:{item['doi']}" if "doi" in item else line


def numbered(keys: Sequence[str]) -> str:
    """Their numbers in the list of :func:`references`, as a page prints them."""
    place = {key: i for i, key in enumerate(references()["id"], start=1)}
    numbers = sorted(place[key] for key in keys)
    return f"[{', '.join(map(str, numbers))}]"


def _order(work: Mapping[str, Any]) -> tuple[str, int, str]:
    return str(work["authors"]).casefold(), int(work["year"]), str(work["title"])
