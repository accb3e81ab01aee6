"""Write the page of the evidence from the library that ships: part of `make figures`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from odforecast.scenario import events, prior_names, references
from odforecast.scenario.catalogue import CAVEAT, library, numbered
from odforecast.scenario.size import quantities

PAGE = Path(__file__).parent / "reference" / "evidence.md"
#: The named parts of a prior; "rises" where the other tail is nothing.
PARTS = ("works", "nothing", "backfires", "rises")

HEAD = f"""# The evidence

{CAVEAT}
This page is made from `evidence.toml`, which ships with the package;
`odforecast scenario list` and `odforecast scenario show NAME` print it.

Tags: **V** read in the cited source; **S** press or trade reports that agree (primary text not
seen); **C** computed from the published counts; **J** a judgement. A grade says how well the
evidence supports a claim: *high, medium, low–medium, low, very low, none*. Effects without a unit
are log rate ratios. Numbers in brackets refer to the list at the end.

## Event calendar

**{library()["calendar"]["note"]}**

Kinds: *supply* is a change of the drug supply; *control* a law on substances; *cooperation* what
governments did together or for each other; *enforcement* arrests, indictments, closures and
sanctions; *pressure* tariffs, orders and export lists; *check* an outcome with the same supply but
other policies."""

RIVAL_HEAD = """## Rival explanations

These explanations fell into the same years, in our judgement (tag J, no grade). A fall that begins
in these months is not evidence for any one of them, nor for cooperation.
`odforecast scenario validate placebo-time` computes how unusual the change after each date is."""

PRIORS_HEAD = """## Named priors

All priors are judgements (tag J) based on the tables above. The full effect is the log rate ratio
of monthly deaths of the scope at full strength and exposure 1: mean (sd), or the ends of a uniform
distribution. P(null) is the probability of no effect. *Replaced* is the share of averted deaths of
a class that other drugs replace. Between states the size varies by a factor whose log has an sd of
0 … 0.5, drawn once per draw; every state keeps the sign. Where one tail counts, the other means
no effect. LogNormal(ln 2, 0.6) has median 2 and an sd of 0.6 on the log scale. Where a prior has a
*share*, the size is multiplied by it in every draw."""

SIZES_HEAD = """### What each size was read from

A size is the effect **at full strength**. Measured is the change between two windows, in which an
effect may still grow or already fade. So each size is solved: with the prior's own lag, ramp and
half-life, the median course must give the measured change. A test repeats this on the bundled
counts. Studies that give the change at full strength need no solving. "5%" means that the measured
change is the strong end of the prior's 90% interval. Sizes are rounded: the fall to April 2025, not
yet final, would give −0.72 for the shock, and calendar years −0.63."""

#: What version 3 of the library changed: prior, before, after, why.
CHANGES = (
    ("`supply-shock-2023-like`", "−0.45 (0.20)", "−0.65 (0.29)",
     "−0.45 was the change from 2023 to 2024, but both years are on the ramp: it gave −0.29 where "
     "−0.42 was counted. The spread grows in proportion.", "16,800 → 22,400"),
    ("`analogue-scheduling`", "−0.12 (0.08)", "−0.22 (0.15)",
     "The same error: it gave −0.02 where −0.04 was counted.", "2,390 → 4,310"),
    ("`cooperation-resumed`", "−0.08 (0.12); works 45%, backfires 15%",
     "−0.65 (0.29) × Beta(1.5, 4); works 59%, backfires 1%",
     "Derived from the shock and the share of it credited to cooperation, over its own timing. The "
     "chance of nothing stays 40%, our judgement. The share has no negative values, so only the "
     "shock's own chance of raising deaths is left.", "1,670 → 3,820"),
    ("`precursor-scheduling`", "−0.15 (0.15), P(null) 0.50", "−0.13 (0.13), P(null) 0.60",
     "Controls have small and temporary effects: Mexico 2005; 8 of 13 regulations had none.",
     "2,130 → 1,340"),
    ("`supplier-closure`", "−0.10 (0.12), all of it fades",
     "−0.25 (0.25), a share Beta(0.5, 0.5) stays",
     "Closures are larger, and half of them lasted: Mexico 2007.", "1,730 → 4,980"),
    ("`substitution-rebound`", "fraction 0.22", "fraction 0.15",
     "The same rise of 0.10, as a fraction of 0.65 and not of 0.45.", "–"),
    ("`class-scheduling`", "grade medium", "grade low", "Its window holds the pandemic.", "–"),
    ("`cooperation-suspended`", "grade medium", "grade none",
     "The counts contain no information: Bayes factor 1.1.", "–"),
)  # fmt: skip

CHANGES_HEAD = """### What changed in version 3

Timings did not change. The last column is the mean number of deaths averted in the United States
from January 2026 to December 2028, over all outcomes (release of January 14, 2026). For Ohio,
`cooperation-resumed` went from 60 to 140 fewer deaths on average, from 116 to 140 if it works."""

DEMAND_HEAD = """## Demand-side levers, for comparison

These priors have the same form. Findings are from the studies (tag V), the rest is judgement (J).
The full effect is in percent of the deaths of the scope, mean (sd). The studies count opioid
deaths, and T40.4 is the nearest class. Two models and a trial disagree about naloxone, so all three
are shown. An effect lasts as long as the effort does."""

DEFINITIONS = """## Two more definitions

The share of the 2023–24 fall credited to cooperation has the prior Beta(1.5, 4), mean 0.27 (tag J).
It is always shown with its sensitivity at 0, 25, 50, 75 and 100%.

A result is *prior-dominated* where P(null) moves by a Bayes factor within 1/3 … 3 **and** the sd
given an effect keeps more than 0.8 of its prior. Then the result is the assumption."""


def to_markdown() -> str:
    """The whole library as a page of Markdown."""
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
        HEAD,
        _table(read.loc[~rival, ["date", "ended", "event", "kind", "what changed"]]),
        "### What was found",
        _table(read.loc[~rival, ["event", "effect found", "lag", "source", "grade", "tags"]]),
        "### Where a source concludes otherwise\n\nBoth conclusions, side by side.",
        _table(both[["event", "the source concludes", "our grade", "why"]]),
        RIVAL_HEAD,
        _table(read.loc[rival, ["date", "event", "what changed", "effect found", "source"]]),
        PRIORS_HEAD,
        *_tables([n for n in prior_names() if n not in demand], "The"),
        SIZES_HEAD,
        _table(_read_from()),
        CHANGES_HEAD,
        _table(pd.DataFrame(CHANGES, columns=["prior", "before", "now", "why", "deaths averted"])),
        DEMAND_HEAD,
        *_tables(demand, "Their"),
        DEFINITIONS,
        "## References",
        "\n".join(f"{i}. {line}" for i, line in enumerate(references()["citation"], start=1)),
    ]
    return "\n\n".join(blocks) + "\n"


def _tables(names: Sequence[str], which: str) -> list[str]:
    """Four narrow tables of priors rather than one that no page holds, each with a heading."""
    sizes, parts, times, sources = [], [], [], []
    for name in names:
        item = library()["priors"][name]
        first = {"prior": f"`{name}`"}
        size = _said_size(item)
        row = first | {"what": item["title"], "deaths of": item["scope"], "full effect": size}
        row |= {"P(null)": f"{item['p_null']:.2f}", "tail that counts": item["direction"]}
        row |= {"replaced": _text(item.get("replaced", "none"))}
        row |= {"share": _text(item.get("share", "none"))}
        sizes.append(row | {"exposure": _text(item["exposure"])})
        said = {key: f"{x:.2f}" for key, x in item["parts"].items()}
        row = first | {key: said.get(key, "–") for key in PARTS}
        parts.append(row | {"how it would backfire, or rise": item.get("backfire", "–")})
        row = first | {"lag": _text(item["lag"]), "ramp": _text(item["ramp"])}
        row |= {"half-life": _text(item["half_life"])}
        times.append(row | {"share that stays": _text(item.get("residue", "none"))})
        note = f"{item['finding']}. {item['note']}" if "finding" in item else item["note"]
        source = f"{item['source']} {numbered(item['references'])}"
        sources.append(first | {"grade": item["grade"], "source": source, "note": note})
    blocks = []
    titles = ("size", "three parts", "timing, in months", "sources")
    for title, rows in zip(titles, (sizes, parts, times, sources)):
        table = pd.DataFrame(rows)
        blocks += [f"### {which} {title}", _table(table.loc[:, (table != "–").any()])]
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
        shapes = {"normal": "{} ({})", "lognormal": "LogNormal(ln {}, {})", "uniform": "{} … {}"}
        said = (f"{x:g}".replace("-", "−") for x in numbers)
        return shapes.get(kind, f"{str(kind).title()}({{}}, {{}})").format(*said)
    return "–" if value == "none" else f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    PAGE.write_text(to_markdown(), encoding="utf-8")
