"""Write the page of the evidence from the library that ships: part of `make figures`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from odforecast.months import ONE_MONTH, to_month
from odforecast.scenario import Fixed, Intervention, events, named_intervention, prior_names
from odforecast.scenario.catalogue import CAVEAT, library, numbered

PAGE = Path(__file__).parent / "reference" / "evidence.md"
HEAD = f"""# The evidence

{CAVEAT}
`odforecast scenario list` and `odforecast scenario show NAME` print what this page has. Numbers in
brackets lead to the {{doc}}`/bibliography`.

Tags: **V** read in the cited source; **S** press or trade reports that agree (primary text not
seen); **C** computed from the published counts; **J** a judgment. The grade says how well the
evidence supports a claim: *high, medium, low–medium, low, very low, none*. Effects without a unit
are log rate ratios.

## Events

**{library()["calendar"]["note"]}**

*Supply* is a change of the drug supply, *control* a law on substances, *cooperation* what
governments did together, *enforcement* arrests and closures, *pressure* tariffs and export lists,
and *check* the same supply under other policies."""

RIVAL_HEAD = """## Rival explanations

These changes fell into the same years (tag J, no grade). A fall that begins in these months is not
evidence for any one of them, nor for cooperation."""

PRIORS_HEAD = """## Priors

All priors are judgments (tag J) based on the tables above. The full effect is the log rate ratio
of monthly deaths of the scope at full strength and exposure 1: mean (sd), or the ends of a uniform
distribution. Effects of treatment and naloxone are in percent. P(null) is the probability of no
effect. *Replaced* is the share of averted deaths of a class that other drugs replace. Between
states the size varies by a factor whose log has an sd of 0 … 0.5; every state keeps the sign."""

TIMING_HEAD = """### Timing, in months, and modifiers

LN(2, 0.6) is a log-normal with median 2 and an sd of 0.6 on the log scale. Where only a fall or a
rise counts, the other tail means no effect. A *share* multiplies the size in every draw; what
*stays* does not fade."""

SOURCES_HEAD = """### Sources

The studies of treatment and naloxone count opioid deaths, and T40.4 is the nearest class. Two
models and a trial disagree about naloxone, so all three are shown."""

SIZES_HEAD = """### What each size was read from

A study or a count gives the change between two windows, in which an effect may still grow or
already fade. Each size is solved so that the prior's median course gives that change. A test
repeats this. "5%" means that the change is the strong end of the prior's 90% interval."""

DEFINITIONS = """## Two definitions

The share of the 2023–24 fall credited to cooperation has the prior Beta(1.5, 4), mean 0.27 (tag J),
always shown with its sensitivity at 0, 25, 50, 75 and 100%.

A result is *prior-dominated* where P(null) moves by a Bayes factor within 1/3 … 3 **and** the sd
given an effect keeps more than 0.8 of its prior. Then the result is the assumption."""


def to_markdown() -> str:
    """The whole library as a page of Markdown."""
    numbers = {item["id"]: numbered(item["references"]) for item in library()["events"]}
    calendar = events()
    ended = " until " + calendar["ended"]
    read = calendar.assign(
        date=calendar["date"] + ended.where(calendar["ended"] != "", ""),
        source=calendar["source"] + " " + calendar["id"].map(numbers),
    ).rename(columns={"changed": "what changed", "effect": "effect found"})
    rival = read["kind"] == "rival"
    lag = "; lag: " + read["lag"]
    effects = read[~rival].assign(
        **{"effect found": read["effect found"] + lag.where(read["lag"] != "–", "")},
        source=read["source"] + " " + read["tags"],
        **{"what changed": "*" + read["kind"] + ":* " + read["what changed"]},
    )
    both = calendar[calendar["concludes"] != ""].rename(
        columns={"concludes": "the source concludes", "grade": "our grade", "differs": "why"}
    )
    found = ["date", "event", "what changed", "effect found", "source", "grade"]
    blocks = [
        HEAD,
        _table(effects[found]),
        "### Where a source concludes otherwise",
        _table(both[["event", "the source concludes", "our grade", "why"]]),
        RIVAL_HEAD,
        _table(read.loc[rival, ["date", "event", "what changed", "effect found", "source"]]),
        PRIORS_HEAD,
        *_tables(),
        SIZES_HEAD,
        _table(_read_from()),
        DEFINITIONS,
    ]
    return "\n\n".join(blocks) + "\n"


def _tables() -> list[str]:
    """Three narrow tables of the priors rather than one that no page holds."""
    sizes, times, sources = [], [], []
    for name in prior_names():
        item = library()["priors"][name]
        first = {"prior": f"`{name}`"}
        row = first | {"what": item["title"], "full effect": _said_size(item)}
        row |= {"P(null)": f"{item['p_null']:.2f}"}
        said = {key: f"{x:.2f}" for key, x in item["parts"].items()}
        row |= {"works": said.get("works", "–"), "nothing": said["nothing"]}
        row |= {"backfires": said.get("backfires", f"rises {said.get('rises')}")}
        sizes.append(row | {"replaced": _text(item.get("replaced", "none"))})
        more = [] if item["direction"] == "either" else [f"only a {item['direction']} counts"]
        for name, key in (("share", "share"), ("stays", "residue"), ("exposure", "exposure")):
            if item.get(key, "none") not in ("none", 1):
                more.append(f"{name} {_text(item[key])}")
        row = first | {"deaths of": item["scope"]}
        row |= {key: _text(item[key.replace("-", "_")]) for key in ("lag", "ramp", "half-life")}
        times.append(row | {"more": "; ".join(more) or "–"})
        note = f"{item['finding']}. {item['note']}" if "finding" in item else item["note"]
        if "backfire" in item:
            note += f" How it would backfire, or rise: {item['backfire']}."
        source = f"{item['source']} {numbered(item['references'])}"
        sources.append(first | {"grade": item["grade"], "source": source, "note": note})
    blocks = []
    heads = ("### Size and chances", TIMING_HEAD, SOURCES_HEAD)
    for head, rows in zip(heads, (sizes, times, sources), strict=True):
        blocks += [head, _table(pd.DataFrame(rows))]
    return blocks


def _read_from() -> pd.DataFrame:
    """The quantity behind each size, as the page prints it."""
    rows = []
    for row in quantities().to_dict("records"):
        windows = f"12 months to {row['since']} and to {row['until']}"
        at = "" if row["level"] == 0.5 else f" ({100 * row['level']:.0f}%)"
        rows.append(
            {
                "prior": f"`{row['prior']}`",
                "episode": f"`{row['event']}`",
                "count": row["count"],
                "windows": windows if row["since"] else "at full strength",
                "release or work": row["release"],
                "log change": f"{row['log_rr']:.3f}".replace("-", "−"),
                "solved size": f"{row['size']:.2f}".replace("-", "−"),
                "prior's size": f"{row['shipped']:.2f}{at}".replace("-", "−"),
            }
        )
    return pd.DataFrame(rows)


def course_change(x: Intervention, size: float, since: object, until: object) -> float:
    """Log change between 12-month totals of the nation at two months, for a size of an effect.

    Deaths would be level without the effect, and the change is the median over 4,000 draws of the
    timing. The size is the log rate ratio at full strength and exposure 1.
    """
    months = np.arange(to_month(since) - 11 * ONE_MONTH, to_month(until) + ONE_MONTH)
    unit = replace(
        x, size=Fixed(1.0), share=Fixed(1.0), spread=Fixed(0.0), p_null=0.0,
        direction="either", rebound=None,
    )  # fmt: skip
    felt = x.exposure.get("default", 1.0) if isinstance(x.exposure, Mapping) else 1.0
    rates = np.exp(size * unit.draw(months, ["US"], np.array([felt]), 4000, 1)[:, 0])
    return float(np.median(np.log(rates[:, -12:].mean(axis=1) / rates[:, :12].mean(axis=1))))


def full_strength(x: Intervention, change: float, since: object, until: object) -> float:
    """The size whose median course gives a log change between two 12-month totals."""
    gap = lambda size: course_change(x, size, since, until) - change  # noqa: E731
    return float(brentq(gap, -4.0, 4.0, xtol=1e-6))


def quantities() -> pd.DataFrame:
    """What each size was read from: one row per measured quantity of the evidence library."""
    rows = []
    for event in library()["events"]:
        if "quantity" not in event:
            continue
        told, log_rr = event["quantity"], event["effect"]["log_rr"]
        since, until = told.get("windows", ("", ""))
        # Without windows the onset does not matter, and some lie before the first count.
        x = named_intervention(told["prior"], onset=event["dates"][0][:7] if since else "2020-01")
        row = {key: told[key] for key in ("prior", "count", "release")} | {"event": event["id"]}
        row |= {"since": since, "until": until, "log_rr": log_rr, "level": told.get("level", 0.5)}
        row["size"] = full_strength(x, log_rr, since, until) if since else log_rr
        rows.append(row | {"shipped": round(float(x.size.ppf(np.array(row["level"]))), 3)})
    return pd.DataFrame(rows)


def _table(frame: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(map(str, frame.columns)) + " |", "|---" * frame.shape[1] + "|"]
    for row in frame.itertuples(index=False):
        lines.append("| " + " | ".join(str(x).replace("|", "\\|") for x in row) + " |")
    return "\n".join(lines)


def _said_size(item: Mapping[str, Any]) -> str:
    if "dose" in item:
        return f"{item['dose']['change']}% × elasticity {_text(item['dose']['elasticity'])}"
    return f"{_text(item['percent'])}%" if "percent" in item else _text(item["size"])


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        if set(value) == {"default"}:
            return f"{float(value['default']):.2g} by default"
        ((kind, numbers),) = value.items()
        shapes = {"normal": "{} ({})", "lognormal": "LN({}, {})", "uniform": "{}–{}"}
        said = (f"{x:g}".replace("-", "−") for x in numbers)
        return shapes.get(kind, f"{str(kind).title()}({{}}, {{}})").format(*said)
    return "–" if value == "none" else f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    PAGE.write_text(to_markdown(), encoding="utf-8")
