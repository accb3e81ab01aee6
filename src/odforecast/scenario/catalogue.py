"""The evidence library: events and named priors, in ``evidence.toml``.

Nothing here is estimated from a step at a diplomatic date: an effect is an assumption with a
source and a grade. The counts cannot identify "cooperation".
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import UnknownNameError
from odforecast.scenario.references import cite, library, numbered, references
from odforecast.scenario.wording import nearest, shown

#: Said wherever a result of this layer is shown.
CAVEAT = (
    "Effects are assumptions with a source and a grade, not estimates: "
    "the counts cannot identify cooperation."
)

#: Keys of a prior that no scenario file has.
_OWN_KEYS = ("title", "kind", "finding", "parts")

#: The named parts of a prior; "rises" where the other tail is nothing.
_PARTS = ("works", "nothing", "backfires", "rises")


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
    {'works': 0.45, 'nothing': 0.4, 'backfires': 0.15}
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


def events_for_people() -> pd.DataFrame:
    """The event calendar as a table to read: without the columns for charts."""
    columns = ["event", "date", "ended", "changed", "effect", "lag", "source", "grade", "tags"]
    return events()[columns].rename(columns={"changed": "what changed"})


def to_markdown() -> str:
    """The whole library as a page of Markdown (``docs/reference/evidence.md``)."""
    numbers = {item["id"]: numbered(item["references"]) for item in library()["events"]}
    calendar = events()
    read = calendar.assign(
        ended=calendar["ended"].replace("", "–"),
        source=calendar["source"] + " " + calendar["id"].map(numbers),
    ).rename(columns={"changed": "what changed", "effect": "effect found"})
    rival = read["kind"] == "rival"
    both = read[read["concludes"] != ""].rename(
        columns={"concludes": "the source concludes", "grade": "our grade", "differs": "why"}
    )
    demand = prior_names("demand")
    blocks = [
        _HEAD,
        _table(read.loc[~rival, ["date", "ended", "event", "kind", "what changed"]]),
        "### What was found",
        _table(read.loc[~rival, ["event", "effect found", "lag", "source", "grade", "tags"]]),
        "### Where a source concludes otherwise\n\nBoth conclusions, side by side.",
        _table(both[["event", "the source concludes", "our grade", "why"]]),
        _RIVAL_HEAD,
        _table(read.loc[rival, ["date", "event", "what changed", "effect found", "source"]]),
        _PRIORS_HEAD,
        *_tables([n for n in prior_names() if n not in demand], "The"),
        _DEMAND_HEAD,
        *_tables(demand, "Their"),
        _DEFINITIONS,
        "## References",
        "\n".join(f"{i}. {line}" for i, line in enumerate(references()["citation"], start=1)),
    ]
    return "\n\n".join(blocks) + "\n"


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


def _tables(names: Sequence[str], which: str) -> list[str]:
    """Four narrow tables of priors rather than one that no page holds, each with a heading."""
    sizes, parts, times, sources = [], [], [], []
    for name in names:
        item = _prior(name)
        first = {"prior": f"`{name}`"}
        size = _said_size(item)
        row = first | {"what": item["title"], "deaths of": item["scope"], "full effect": size}
        row |= {"P(null)": f"{item['p_null']:.2f}", "tail that counts": item["direction"]}
        row |= {"replaced": _text(item.get("replaced", "none"))}
        sizes.append(row | {"exposure": _text(item["exposure"])})
        said = {key: f"{x:.2f}" for key, x in item["parts"].items()}
        row = first | {key: said.get(key, "–") for key in _PARTS}
        parts.append(row | {"how it would backfire, or rise": item.get("backfire", "–")})
        row = first | {"lag": _text(item["lag"]), "ramp": _text(item["ramp"])}
        row |= {"half-life": _text(item["half_life"])}
        times.append(row | {"sd of a region's lag": _text(item.get("lag_spread", "none"))})
        note = f"{item['finding']}. {item['note']}" if "finding" in item else item["note"]
        source = f"{item['source']} {numbered(item['references'])}"
        sources.append(first | {"grade": item["grade"], "source": source, "note": note})
    blocks = []
    titles = ("size", "three parts", "timing, in months", "sources")
    for title, rows in zip(titles, (sizes, parts, times, sources)):
        table = pd.DataFrame(rows)
        blocks += [f"### {which} {title}", _table(table.loc[:, (table != "–").any()])]
    return blocks


def _table(frame: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(map(str, frame.columns)) + " |", "|---" * frame.shape[1] + "|"]
    for row in frame.itertuples(index=False):
        lines.append("| " + " | ".join(str(x).replace("|", "\\|") for x in row) + " |")
    return "\n".join(lines)


def _said_size(item: Mapping[str, Any]) -> str:
    if "dose" in item:
        return f"{item['dose']['change']} % × elasticity {_text(item['dose']['elasticity'])}"
    return f"{_text(item['percent'])} %" if "percent" in item else _text(item["size"])


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        if set(value) == {"default"}:
            return f"{float(value['default']):.2g} by default"
        ((kind, numbers),) = value.items()
        shapes = {"normal": "{} ({})", "lognormal": "LogNormal(ln {}, {})", "uniform": "{} … {}"}
        said = (f"{x:g}".replace("-", "−") for x in numbers)
        return shapes.get(kind, f"{str(kind).title()}({{}}, {{}})").format(*said)
    return "–" if value == "none" else f"{value:g}" if isinstance(value, float) else str(value)


_HEAD = f"""# The evidence

{CAVEAT}
This page is made from `evidence.toml`, which ships with the package;
`odforecast scenario list` and `odforecast scenario show NAME` print it.

Tags: **V** read in the cited source; **S** press or trade reports that agree with each other, the
primary text not seen; **C** computed from the published counts; **J** a judgement. A grade says how
well the evidence bears what it names: *high, medium, low–medium, low, very low, none*. Effects are
log rate ratios where a number is given without a unit. Numbers in brackets are the references at
the end.

## Event calendar

Kinds: *supply* is what happened to it, *control* a law on substances, *cooperation* what
governments did together or for each other, *pressure* tariffs and orders, *check* an outcome that
shares the supply and not the policies."""

_RIVAL_HEAD = """## Rival explanations

What else fell into the same years, by our judgement (tag J, no grade): a fall that begins in these
months is no evidence for any one of them, nor for cooperation. How unusual the change after each
date is among all possible months, `odforecast scenario validate placebo-time` computes; no such
rank is printed here."""

_PRIORS_HEAD = """## Named priors

All are judgements (tag J) built on the tables above. The full effect is the log rate ratio of
monthly deaths of the scope at full strength and exposure 1: mean (sd), or the ends of a uniform
distribution. P(null) is the probability that nothing happens. *Replaced* is the part of the averted
deaths of a class that come all the same, from another drug. Between states the size varies by a
factor whose log has an sd of 0 … 0.5, drawn once a draw; every state keeps the sign. Where one tail
counts, the effect in the other is nothing. LogNormal(ln 2, 0.6) has the median 2 and the sd 0.6 of
its log."""

_DEMAND_HEAD = """## Demand-side levers, for comparison

Priors like those above, which run beside them. What the studies found is read there (tag V), the
rest is judgement (J). The full effect is in percent of the deaths of the scope, mean (sd); the
studies count opioid deaths, and T40.4 is the nearest class. The naloxone figures of two models and
a trial disagree: all three are shown. An effect lasts as long as the effort does."""

_DEFINITIONS = """## Two more definitions

The share of the 2023–24 fall that is credited to cooperation has the prior Beta(1.5, 4), mean 0.27
(tag J), and is always shown with the sensitivity at 0, 25, 50, 75 and 100 %.

A result is printed as *prior-dominated* where P(null) moves by a Bayes factor within 1/3 … 3
**and** the sd given an effect keeps more than 0.8 of its prior: then the data said little, and what
is shown is the assumption."""
