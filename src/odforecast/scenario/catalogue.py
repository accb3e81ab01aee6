"""The evidence library: events, named priors, demand-side levers, in ``evidence.toml``.

Nothing here is estimated from a step at a diplomatic date: an effect is an assumption with a
source and a grade. The counts cannot identify "cooperation".
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import UnknownNameError
from odforecast.scenario.wording import shown

#: Said wherever a result of this layer is shown.
CAVEAT = (
    "Effects are assumptions with a source and a grade, not estimates: "
    "the counts cannot identify cooperation."
)


@cache
def _library() -> dict[str, Any]:
    path = resources.files("odforecast.scenario") / "evidence.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def events() -> pd.DataFrame:
    """The event calendar, in order of date.

    Returns
    -------
    DataFrame
        One row per event: ``id, event, date`` (text), ``month`` and ``last_month``
        (datetime64, for charts), ``changed, effect, log_rr`` (NaN where none was published),
        ``outcome, lag, source, grade, tags, episode, placebo_month``.

    Examples
    --------
    >>> table = events()
    >>> table.loc[table["id"] == "class-scheduled", "date"].item()
    '2019-05-01'
    """
    rows = []
    for item in _library()["events"]:
        effect = item["effect"]
        months = [np.datetime64(d[:7], "M") for d in item["dates"]]
        rows.append(
            {
                "id": item["id"],
                "event": item["event"],
                "date": item["date_text"],
                "month": months[0].astype("datetime64[s]"),
                "last_month": months[-1].astype("datetime64[s]"),
                "changed": item["changed"],
                "effect": effect["text"],
                "log_rr": effect.get("log_rr", float("nan")),
                "outcome": effect.get("outcome", ""),
                "lag": item["lag"],
                "source": item["source"],
                "grade": item.get("grade_text", item["grade"]),
                "tags": ", ".join(item["tags"]),
                "episode": bool(item.get("episode", False)),
                "placebo_month": item.get("placebo_month", ""),
            }
        )
    return pd.DataFrame(rows).sort_values("month", kind="stable", ignore_index=True)


def prior_names() -> tuple[str, ...]:
    """Names of the priors of the library."""
    return tuple(_library()["priors"])


def prior_table(name: str, where: str = "prior") -> dict[str, Any]:
    """Keys of a named prior, as a scenario file would give them; ``name`` included.

    Raises
    ------
    UnknownNameError
        If the library has no such prior.

    Examples
    --------
    >>> prior_table("tariff-only")["p_null"]
    0.8
    """
    priors: Mapping[str, Any] = _library()["priors"]
    if name not in priors:
        raise UnknownNameError(
            f"{where}: unknown prior {shown(name)}", hint=f"allowed: {', '.join(priors)}"
        )
    table = copy.deepcopy({k: v for k, v in priors[name].items() if k != "title"})
    return {"name": name, **table}


def prior_title(name: str) -> str:
    """One line on a named prior."""
    return str(_library()["priors"][name]["title"])


def levers() -> pd.DataFrame:
    """Demand-side levers, for comparison: ``lever, effect, source, tags``."""
    table = pd.DataFrame(_library()["levers"])
    return table.assign(tags=[", ".join(x) for x in table["tags"]])


def attribution_shares() -> tuple[float, ...]:
    """Shares of the 2023–24 fall at which the sensitivity is always shown."""
    return tuple(float(x) for x in _library()["attribution"]["shares"])


def to_markdown() -> str:
    """The whole library as a page of Markdown (``docs/evidence.md``)."""
    parts = [_EVENTS_HEAD, "\n".join(_table(events_for_people())), _PRIORS_HEAD]
    rows = []
    for name in prior_names():
        prior = prior_table(name)
        rows.append(
            {
                "prior": f"`{name}`",
                "size": _text(prior["size"]),
                "P(null)": f"{prior['p_null']:.2f}",
                "lag, months": _text(prior["lag"]),
                "ramp": _text(prior["ramp"]),
                "half-life, months": _text(prior["half_life"]),
                "exposure": _text(prior["exposure"]),
                "grade": prior["grade"],
                "source and note": f"{prior['source']}. {prior['note']}",
            }
        )
    parts += ["\n".join(_table(pd.DataFrame(rows))), _SHARE, _LEVERS_HEAD]
    parts.append("\n".join(_table(levers())))
    return "\n\n".join(parts) + "\n"


def events_for_people() -> pd.DataFrame:
    """The event calendar as a table to read: without the columns for charts."""
    columns = ["event", "date", "changed", "effect", "lag", "source", "grade", "tags"]
    return events()[columns].rename(columns={"changed": "what changed"})


def _table(frame: pd.DataFrame) -> list[str]:
    lines = ["| " + " | ".join(map(str, frame.columns)) + " |", "|---" * frame.shape[1] + "|"]
    for row in frame.itertuples(index=False):
        lines.append("| " + " | ".join(str(x).replace("|", "\\|") for x in row) + " |")
    return lines


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        if set(value) == {"default"}:
            return f"{float(value['default']):.2g} by default"
        ((kind, numbers),) = value.items()
        short = {"normal": "{} ({})", "lognormal": "LogNormal(ln {}, {})", "uniform": "{}–{}"}
        return short[kind].format(*(f"{x:g}" for x in numbers))
    return "–" if value == "none" else str(value)


_EVENTS_HEAD = f"""# The evidence

{CAVEAT} This page is made from `evidence.toml`, which ships with the package;
`odforecast scenario list` and `odforecast scenario show NAME` print it. Tags: **V** read in the
cited source, **C** computed from the published counts, **J** a judgement. Effects are log rate
ratios where a number is given.

## Event calendar"""

_PRIORS_HEAD = """## Named priors

All eight are judgements (tag J) built on the table above. Size is the log rate ratio of
monthly deaths at exposure 1, mean (sd); P(null) is the probability that nothing happens;
between states the size varies with sd 0.15."""

_SHARE = """The share of the 2023–24 fall that is credited to cooperation has the prior
Beta(1.5, 4), mean 0.27, and is always shown with the sensitivity at 0, 25, 50, 75 and 100 %.
A result whose posterior sd exceeds 0.8 of the prior sd is printed as *prior-dominated*."""

_LEVERS_HEAD = """## Demand-side levers, for comparison

The naloxone figures of two models and a trial disagree: all three are shown."""
