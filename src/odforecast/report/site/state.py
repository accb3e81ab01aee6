"""The page of a state: four numbers, the fan, calendar years, and past forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from odforecast.forecast.record import Scored
from odforecast.forecast.text import VALIDATED
from odforecast.forecast.trend import CATEGORIES
from odforecast.geography import NATION
from odforecast.months import ONE_MONTH
from odforecast.report.page import Table
from odforecast.report.site.blocks import Block, Figure, present, untested
from odforecast.report.site.national import (
    about_likely,
    accuracy,
    category_name,
    month_block,
    rate_text,
)
from odforecast.report.site.numbers import Numbers
from odforecast.report.site.table import (
    NONE,
    Cell,
    Column,
    Row,
    both,
    change_ends,
    number,
    table_of,
)
from odforecast.say import between, likely, month_name, percent, rounded, step_of

#: Width of the bars of calendar years, in pixels.
_BARS = 150.0


def cards(numbers: Numbers, code: str) -> list[dict[str, Any]]:
    """The four numbers of a place: what it is, the value, and what belongs to it."""
    row, said = numbers.ahead[code], numbers.final[code]
    step = step_of(row["low"], row["high"]) if np.isfinite([row["low"], row["high"]]).all() else 0
    forecast, change, rate = NONE, NONE, NONE
    lines: dict[str, list[str]] = {"forecast": [], "change": [], "rate": [], "reported": []}
    lines["forecast"].append(f"deaths, 12 months to {numbers.end}")
    if step:
        forecast = rounded(row["median"], step)
        lines["forecast"].append(f"90% interval {between(row['low'], row['high'], step)}")
    if np.isfinite(row["change"]):
        change = percent(row["change"])
        lines["change"].append(f"90% interval {change_ends(row)}")
    if np.isfinite(row["fall"]):
        lines["change"].append(f"Chance of a fall: {about_likely(row['fall'])}")
    if np.isfinite(row["rate"]):
        rate = rate_text(row["rate"])
        lines["rate"].append(
            f"90% interval {rate_text(row['rate_low'])} to {rate_text(row['rate_high'])}"
        )
        if len(row["rate_of"].split("+")) > 1:
            lines["rate"].append("New York and New York City together")
    us = numbers.ahead.get(NATION)
    if us is not None and code != NATION and np.isfinite(us["rate"]):
        lines["rate"].append(f"United States: {rate_text(us['rate'])}")
    count = said.get("reported", np.nan)
    reported = f"{count:,.0f}" if np.isfinite(count) else NONE
    lines["reported"].append(f"deaths, 12 months to {month_name(numbers.forecast.last_month)}")
    sides = [said.get(k, np.nan) for k in ("low", "median", "high")]
    if np.isfinite(sides).all():
        fine = step_of(sides[0], sides[2])
        lines["reported"].append(
            f"Final count: about {rounded(sides[1], fine)} ({between(sides[0], sides[2], fine)})"
        )
    if np.isfinite(predicted := said.get("predicted", np.nan)):
        lines["reported"].append(f"CDC predicts {predicted:,.0f}")
    heads = ("Forecast", "Change on a year earlier", "Rate per 100,000 people", "Reported so far")
    values = zip(heads, (forecast, change, rate, reported), lines.values())
    return [{"name": name, "value": value, "lines": of} for name, value, of in values]


def state_blocks(
    numbers: Numbers, code: str, record: Scored | None, figures: Sequence[Figure]
) -> tuple[list[Block], list[Block]]:
    """Calendar years beside past forecasts; and what is folded below."""
    beside = present([_years(numbers, code), accuracy(numbers, code, record, False, figures)])
    return beside, present([month_block(numbers, code), _trend(numbers, code)])


def _years(numbers: Numbers, code: str) -> Block:
    """Calendar years with bars, dashed where such forecasts were not tested."""
    if numbers.years is None:
        return Block("years", "Calendar years")
    rows = numbers.years[numbers.years["location"] == code].to_dict("records")
    highs = [r["high"] for r in rows if np.isfinite(r["high"])]
    if not highs:
        return Block("years", "Calendar years")
    top = max([*highs, 1.0])
    unit = 10 ** np.floor(np.log10(top))
    step = next(float(s * unit) for s in (0.2, 0.5, 1, 2, 5) if top / (s * unit) <= 5.0)
    marks = [float(x) for x in np.arange(0, top + 1e-9, step)]
    tested = numbers.forecast.last_month + VALIDATED * ONE_MONTH

    def at(value: float) -> float:
        """Where a count is on the scale."""
        return round(float(4 + (_BARS - 12) * value / top), 1)

    def bar(row: Row) -> Cell:
        """The interval and the median; one dot where all of it is reported."""
        if not np.isfinite([row["low"], row["high"]]).all():
            return Cell("")
        whole = row["known"] == 12
        return Cell("", range={
            "grid": [at(x) for x in marks], "zero": None, "x": at(row["low"]),
            "width": 0 if whole else max(round(at(row["high"]) - at(row["low"]), 1), 1.0),
            "look": "year", "dot": at(row["median"]), "wide": _BARS,
            "untested": np.datetime64(f"{row['year']}-12", "M") > tested,
            "dot_look": "known" if whole else "fall",
        })  # fmt: skip

    named = marks if len(marks) < 5 else marks[::2]
    columns = [
        Column("Year", "", lambda r: Cell(str(r["year"]), small=known_of(r, tested)),
               numbers=False, first=""),
        Column("Deaths", "90% interval", both("low", "median", "high"), first=""),
        Column("Range", "", bar, numbers=False, first="", look="bar", wide=_BARS, marks=[
            (at(x), f"{x:,.0f}", _anchor(at(x))) for x in named]),
        Column("Change", "", number("change", percent), first=""),
        Column("Rate", "per 100,000", number("rate", rate_text), first="", look="rate"),
    ]  # fmt: skip
    said = "Deaths by calendar year with 90% intervals, including months already reported."
    far = untested(numbers.forecast)
    if far:
        said += f" Dashed bars: {far[:1].lower()}{far[1:]}"
    caption = "Calendar years, with 90% intervals"
    table = table_of("years", caption, rows, columns, sorted_by=-1, look="year-table")
    return Block("years", "Calendar years", (said,), tables=(table,))


def _anchor(x: float) -> str:
    """Where the number of a scale is held: inside at both ends."""
    return "start" if x < 10 else "end" if x > _BARS - 24 else "middle"


def known_of(row: Row, tested: np.datetime64) -> str:
    """What of a year is reported, forecast, and further ahead than forecasts were tested."""
    known, year = int(row["known"]), int(row["year"])
    if known == 12:
        return "Reported in full"
    last = np.datetime64(f"{year}-12", "M")
    far = ""
    if tested < last:
        rest = int((last - tested).astype(int))
        first = month_name(tested + ONE_MONTH).split()[0]
        far = "; not tested" if rest >= 12 else f"; {first} to December not tested"
        if rest == 1:
            far = "; December not tested"
    if not known:
        return f"Forecast{far}"
    month = month_name(np.datetime64(f"{year}-{known:02d}", "M")).split()[0]
    months = "January" if known == 1 else f"January to {month}"
    return f"{months} reported, the rest forecast{far}"


def _trend(numbers: Numbers, code: str) -> Block:
    """Chances of the five kinds of change, and what they are."""
    table = numbers.at_month(numbers.trend)
    rows = [] if table is None else table[table["location"] == code].to_dict("records")
    title = "Kind of change"
    if not rows:
        return Block("trend", title)
    r = rows[0]
    if not np.isfinite(r["before"]):
        return Block("trend", title, ("The count a year earlier is not shown.",), folded=True)
    said = (
        f"12 months to {numbers.end} against the 12 months before, both as final counts: a change "
        f"of up to {r['t1']:.1f}% either way is called stable, one of more than {r['t2']:.1f}% "
        f"large. The limits follow from the {r['before']:,.0f} deaths reported a year before, so "
        "far."
    )
    cells = [[category_name(c).capitalize(), likely(r[c])] for c in CATEGORIES]
    return Block("trend", title, (said,), plain=(Table(["Kind of change", "Chance"], cells, 1),),
                 folded=True)  # fmt: skip
