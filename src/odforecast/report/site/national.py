"""Numbers of a forecast, its three sentences, the table of states, and what is folded below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from odforecast.forecast import Forecast
from odforecast.forecast.record import Scored, past_errors
from odforecast.forecast.tables import NEW_YORK_TOGETHER
from odforecast.forecast.text import own_counts, place_name
from odforecast.forecast.trend import CATEGORIES
from odforecast.geography import NATION, called
from odforecast.months import ONE_MONTH
from odforecast.report.page import Table
from odforecast.report.record import past_record
from odforecast.report.site import drawings
from odforecast.report.site.blocks import Block, File, months_of, present, source_of, untested
from odforecast.report.site.numbers import WHOLE_STATE, Numbers, direction, row_key
from odforecast.report.site.table import (
    NONE,
    Cell,
    Column,
    Row,
    Show,
    SortTable,
    both,
    chance,
    change_ends,
    ends,
    middle,
    number,
    table_of,
)
from odforecast.say import between, likely, month_name, percent, rounded, step_of

Links = Mapping[str, str]
#: A mark on rates of two places together.
TOGETHER = "†"
NEW_YORK_NOTE = (
    f"{TOGETHER} New York and New York City together: the census counts the city's residents with "
    "the state's."
)
#: Where sparklines begin.
SINCE = np.datetime64("2019-01", "M")
#: Size of a sparkline in half pixels, and of a range in pixels.
_WIDE, _HIGH, _RANGE = 220, 60, 132.0
_INTERVAL = (
    "The forecast is a range of possible outcomes. The 90% interval leaves out the lowest 5% and "
    "the highest 5% of them. If the model is right, the final count falls inside the interval 9 "
    "times out of 10."
)


# Sentences


def title_of(numbers: Numbers, place: str | None = None) -> str:
    """The heading of a page: which deaths, where, to when."""
    made, what = numbers.forecast, numbers.deaths
    if place is None and len(made.locations) > 1 and NATION not in made.locations:
        where = f"{len(made.locations)} states"
        return f"{what[:1].upper()}{what[1:]} in {where}: forecast to {numbers.end}"
    code = place or numbers.first
    name = "US" if code == NATION else called(code)
    return f"{name} {what}: forecast to {numbers.end}"


def subtitle_of(forecast: Forecast) -> str:
    """Which data a page rests on."""
    from odforecast.forecast.tables import published_on
    from odforecast.say import day_name

    return (
        f"From data that CDC published on {day_name(published_on(forecast))}, with deaths to "
        f"{month_name(forecast.last_month)}"
    )


def lead(
    numbers: Numbers, code: str, record: Scored | None, error: bool = False
) -> dict[str, str] | str:
    """The answer, and two sentences more: the change; the last count, or the past error.

    What has no such sentences (hidden counts, own counts of a state) has those of a screen.
    """
    made, row = numbers.forecast, numbers.ahead[code]
    sides = [row[k] for k in ("low", "median", "high", "change", "fall")]
    said = numbers.final[code]
    if own_counts(made) or not np.isfinite([*sides, said.get("reported", np.nan)]).all():
        return made.text(code, record)
    step = step_of(row["low"], row["high"])
    answer = (
        f"We forecast about {rounded(row['median'], step)} {numbers.deaths} in {place_name(code)} "
        f"in the 12 months ending {numbers.end} (90% interval: "
        f"{between(row['low'], row['high'], step)})."
    )
    moved = float(np.median(made.select(code).change(numbers.month)))
    size = rounded(abs(moved), step)
    than = f"{size} {'fewer' if moved < 0 else 'more'} than" if size != "0" else "as many as"
    rest = [
        f"That is about {than} a year earlier ({percent(row['change'])}), and the chance of a "
        f"fall is {about_likely(row['fall'])}."
    ]
    rows = past_errors(made, code, record) if error or record is not None else None
    if error and rows is not None:
        ahead = int((numbers.month - made.last_month).astype(int))
        for r in rows[(rows["horizon"] == ahead) & np.isfinite(rows["error"])].to_dict("records"):
            rest.append(
                f"In {r['forecasts']:,} past tests, the typical (median) error of forecasts this "
                f"far ahead was {r['error']:.0f}%."
            )
    if len(rest) == 1:
        counted = (
            f"CDC has reported {said['reported']:,.0f} deaths for the 12 months ending "
            f"{month_name(made.last_month)}"
        )
        if "median" in said:
            final = rounded(said["median"], step_of(said["low"], said["high"]))
            rest.append(f"{counted}, and we expect about {final} when the count is final.")
        else:
            rest.append(f"{counted}, and late reports may still raise that count.")
    return {"answer": answer, "rest": " ".join(rest)}


def about_likely(share: float) -> str:
    """A probability within a sentence."""
    text = likely(share)
    return text if text[0] in "ou" else f"about {text}"


def description_of(numbers: Numbers, code: str) -> str:
    """A page in a sentence, for previews of links."""
    row = numbers.ahead[code]
    if not np.isfinite([row["low"], row["high"]]).all():
        return title_of(numbers, code)
    step = step_of(row["low"], row["high"])
    return (
        f"About {rounded(row['median'], step)} deaths forecast in the 12 months ending "
        f"{numbers.end} (90% interval {between(row['low'], row['high'], step)})."
    )


# The table of states


def states_table(numbers: Numbers, links: Links) -> SortTable:
    """The one table of states: the nation on top, New York in its two parts and whole."""
    scale = _Scale.of(numbers.ahead.values())
    then = month_name(numbers.month - 12 * ONE_MONTH)
    together = any(r["rate_of"] == NEW_YORK_TOGETHER for r in numbers.ahead.values())
    columns = [
        Column("State", "", place(links), numbers=False),
        Column("Since 2019", "with forecast", partial(_spark, numbers), numbers=False, first="",
               look="spark"),
        Column("A year earlier", f"final count, {then}", _before, first="descending",
               look="before"),
        Column("Forecast", f"to {numbers.end}", middle("low", "median", "high"),
               first="descending", look="forecast"),
        Column("90% interval", "sorts by width", ends("low", "high"), first="descending",
               look="interval"),
        Column("Change", "on a year earlier", number("change", percent), look="change"),
        Column("Range of change", "", scale.show, numbers=False, first="", look="range",
               marks=scale.marks),
        Column("Chance of a fall", "nearest 5%", chance("fall"), first="descending", look="chance"),
        Column("Rate", "per 100,000", partial(_rate, numbers._more), first="descending",
               look="rate"),
    ]  # fmt: skip
    what = numbers.deaths
    note = "Rates use census populations; the census counts New York City with the state."
    if together and not numbers._more:
        note = NEW_YORK_NOTE
    shown = [
        {"state": called(r["location"]),
         **{k: r[k] for k in ("before", "median", "low", "high", "change", "change_low",
                              "change_high", "fall", "rate")}}
        for r in numbers.ahead.values()
    ]  # fmt: skip
    return table_of(
        "forecast", f"{what[:1].upper()}{what[1:]} by state, 12 months ending {numbers.end}",
        _in_order(numbers.ahead), columns, _is_nation,
        menu=(("Name", 0, "ascending"), ("Most deaths", 3, "descending"),
              ("Largest fall", 5, "ascending"), ("Largest rise", 5, "descending"),
              ("Chance of a fall", 7, "descending")),
        find="Find a state", source=f"{source_of(numbers.forecast)} {note}",
        files=(File.csv("states.csv", pd.DataFrame(shown), "Table as CSV"),),
    )  # fmt: skip


def _in_order(rows: Mapping[str, Row]) -> list[Row]:
    """Rows by name; nobody finds a state in the order of codes."""
    return sorted(rows.values(), key=lambda r: called(str(r["location"])))


def _is_nation(row: Row) -> bool:
    return bool(row["location"] == NATION)


def place(links: Links) -> Show:
    """The name of a place, with the page that it leads to."""

    def show(row: Row) -> Cell:
        code = str(row["location"])
        link = links.get(code) or ("" if code != WHOLE_STATE else links.get("NY", ""))
        return Cell(called(code), link=link, key=row_key(code))

    return show


def _before(row: Row) -> Cell:
    """The final count a year earlier: exactly, where it is known."""
    sides = [row["before_low"], row["before"], row["before_high"]]
    if not np.isfinite(sides).all():
        return Cell(NONE)
    return Cell(rounded(row["before"], step_of(sides[0], sides[2])), row["before"])


def _rate(whole: bool, row: Row) -> Cell:
    """A rate; of New York's parts that of the whole state, which has a row of its own."""
    cell = number("rate", rate_text)(row)
    if row["rate_of"] != NEW_YORK_TOGETHER or row["location"] == WHOLE_STATE:
        return cell
    return Cell(NONE) if whole else replace(cell, text=f"{cell.text}{TOGETHER}")


def rate_text(value: float) -> str:
    """A rate per 100,000."""
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _spark(numbers: Numbers, row: Row) -> Cell:
    """Reported counts since 2019, and the forecast."""
    code = str(row["location"])
    known = numbers.known(code, SINCE)
    months, paths = numbers.paths
    low, _, mid, _, high = paths[:, numbers.whole.locations.index(code)]
    opening = months >= numbers.forecast.last_month
    months, low, mid, high = (v[opening] for v in (months, low, mid, high))
    values = np.array([*known.values(), *high])
    if not np.isfinite(values).any():
        return Cell("")
    first = min([*known, *months])
    span = max(int((numbers.month - first).astype(int)), 1)
    top = max(float(np.nanmax(values)), 1.0)

    def points(when: Iterable[np.datetime64], heights: Iterable[float]) -> str:
        """A path through what is known, in whole half pixels and steps: short in the page."""
        out, at, apart = "", (0, 0), True
        for m, v in zip(when, heights):
            if not np.isfinite(v):
                apart = True
                continue
            x, y = place_at(m, v)
            out += f"M{x} {y}" if apart else f"l{x - at[0]} {y - at[1]}"
            at, apart = (x, y), False
        return out

    def place_at(month: np.datetime64, value: float) -> tuple[int, int]:
        """Where a count is."""
        x = 2 + int((month - first).astype(int)) * (_WIDE - 4) / span
        return round(x), round(_HIGH - 6 - (_HIGH - 12) * value / top)

    band = points([*months, *months[::-1]], [*high, *low[::-1]])
    x, y = place_at(months[-1], mid[-1] if np.isfinite(mid[-1]) else 0.0)
    return Cell("", spark={
        "known": points(known, known.values()), "middle": points(months, mid),
        "band": f"{band}Z" if band else "", "x": x, "y": y,
    })  # fmt: skip


@dataclass(frozen=True)
class _Scale:
    """The common scale of the changes, in percent."""

    low: float
    high: float

    @classmethod
    def of(cls, rows: Iterable[Row]) -> _Scale:
        """Whole tens around all intervals, from −60% to +100% at most."""
        sides = np.array([[r["change_low"], r["change_high"]] for r in rows], dtype=float)
        known = sides[np.isfinite(sides)]
        low, high = (known.min(), known.max()) if known.size else (-10.0, 10.0)
        low, high = 10 * np.floor(min(low, -5.0) / 10), 10 * np.ceil(max(high, 5.0) / 10)
        return cls(max(-60.0, float(low)), min(100.0, float(high)))

    def at(self, value: float) -> float:
        """Where a change is, inside the scale."""
        inside = min(max(value, self.low), self.high)
        return round(float(5 + (_RANGE - 10) * (inside - self.low) / (self.high - self.low)), 1)

    @property
    def marks(self) -> list[tuple[float, str, str]]:
        """Its ends and zero."""
        return [(0.0, percent(self.low), "start"), (self.at(0), "0", "middle"),
                (_RANGE, percent(self.high), "end")]  # fmt: skip

    def show(self, row: Row) -> Cell:
        """The interval of a change and its median: blue for a likely fall, orange for a rise."""
        said = change_ends(row)
        if not said:
            return Cell(NONE)
        low, high = self.at(row["change_low"]), self.at(row["change_high"])
        look = {-1: "fall", 0: "none", 1: "rise"}[direction(row["fall"])]
        return Cell(said, range={
            "grid": (), "zero": self.at(0), "x": low, "width": round(high - low, 1), "look": look,
            "untested": False, "dot": self.at(row["change"]), "dot_look": look, "wide": _RANGE,
        })  # fmt: skip


# What is folded


def national_blocks(numbers: Numbers, links: Links, record: Scored | None) -> list[Block]:
    """The table of states, and below it what a second reader needs."""
    made = numbers.forecast
    many = len(made.locations) > 1
    return present([
        Block(
            "forecast", "Forecast by state" if many else "Forecast",
            (f"Each row is the number of deaths in the 12 months ending {numbers.end}, with a 90% "
             "interval. Change compares it with the expected final count a year earlier. Where a "
             "bar crosses the zero line, both a rise and a fall are plausible.",),
            tables=(states_table(numbers, links),),
        ),
        month_block(numbers, numbers.first),
        years_block(numbers, links),
        counts_block(numbers, links),
        _rates_block(numbers, links),
        _trend_block(numbers, links),
        accuracy(numbers, numbers.first, record, folded=True),
        Block("interval", "What a 90% interval is", (_INTERVAL,), folded=True),
    ])  # fmt: skip


def month_block(numbers: Numbers, code: str) -> Block:
    """Every month of the fan, which its reading line takes from here."""
    months, paths = numbers.paths
    sides = paths[[0, 2, 4], numbers.whole.locations.index(code)]
    known, predicted = (
        numbers.known(code, since, layer)
        for layer, since in (("reported", drawings.first_month(numbers, code)),
                             ("predicted", numbers.forecast.last_month - 11 * ONE_MONTH))
    )  # fmt: skip
    return Block(
        "month-by-month", "Forecast month by month", folded=True,
        about="reported counts, expected final counts and forecasts",
        months=months_of("table-months", called(code), known, predicted,
                         dict(zip(months, sides.T))),
    )  # fmt: skip


def years_block(numbers: Numbers, links: Links) -> Block:
    """Calendar years of all places, a column each."""
    if numbers.years is None:
        return Block("years", "Calendar years")
    rows: dict[str, dict[Any, Any]] = {}
    known = {}
    for r in numbers.years.sort_values("year", kind="stable").to_dict("records"):
        row = rows.setdefault(r["location"], {"location": r["location"]})
        row |= {f"{k}{r['year']}": r[k] for k in ("low", "median", "high")}
        known[str(r["year"])] = int(r["known"])
    columns = [Column("State", "", place(links), numbers=False)]
    columns += [
        Column(y, known_part(k), both(f"low{y}", f"median{y}", f"high{y}"), first="descending")
        for y, k in known.items()
    ]
    caption = "Deaths by calendar year with 90% intervals, including months already reported."
    table = table_of("years", caption, _in_order(rows), columns, _is_nation)
    said = untested(numbers.forecast)
    about = f"{min(known)} to {max(known)}"
    return Block("years", "Calendar years", [said] if said else (), tables=(table,), folded=True,
                 about=about)  # fmt: skip


def known_part(known: int) -> str:
    """How much of a year is known.

    Examples
    --------
    >>> known_part(4), known_part(0), known_part(12)
    ('4 of 12 months reported', 'forecast', 'reported in full')
    """
    if known == 0:
        return "forecast"
    return "reported in full" if known == 12 else f"{known} of 12 months reported"


def counts_block(numbers: Numbers, links: Links) -> Block:
    """The last published counts, and how much CDC's latest counts will still grow."""
    rows = [{"location": s, **r} for s, r in numbers.final.items() if "reported" in r]
    if not rows:
        return Block("nowcast", "Reported and final counts")
    columns = [
        Column("State", "", place(links), numbers=False),
        Column("Reported", "", number("reported"), first="descending"),
        Column("CDC predicted", "", number("predicted"), first="descending"),
    ]
    grows = any("median" in r for r in rows)
    if grows:
        rows = [r for r in rows if "median" in r]
        columns += [
            Column("Final count, expected", "90% interval", both("low", "median", "high"),
                   first="descending"),
            Column("Still to come", "90% interval",
                   both("revision_low", "revision", "revision_high"), first="descending"),
            Column("Complete", "CDC's percentage", number("complete", "{:.1f}%".format)),
        ]  # fmt: skip
    month = month_name(numbers.forecast.last_month)
    order = sorted(rows, key=lambda r: called(str(r["location"])))
    table = table_of(
        "nowcast", f"Deaths in the 12 months ending {month}", order, columns, _is_nation
    )
    said = (
        "Recent counts are incomplete because death investigations take months. “CDC predicted” "
        "is CDC’s own adjusted value."
    )
    return Block(
        "nowcast", "Reported and final counts", (said,), drawings.nowcast(numbers, numbers.first),
        (table,), folded=True,
        about="how much CDC’s latest counts will still grow" if grows else "",
    )  # fmt: skip


def _rates_block(numbers: Numbers, links: Links) -> Block:
    """Rates with their intervals."""
    rows = [r for r in _in_order(numbers.ahead) if np.isfinite(r["rate"])]
    if not rows:
        return Block("rates", "Rates")

    def span(row: Row) -> Cell:
        """A rate and its interval."""
        digits = 1 if row["rate_high"] - row["rate_low"] < 7 else 0
        low, mid, high = (f"{row[k]:,.{digits}f}" for k in ("rate_low", "rate", "rate_high"))
        mark = TOGETHER if row["rate_of"] == NEW_YORK_TOGETHER else ""
        return Cell(f"{mid}{mark}", float(row["rate"]), small=f"{low} to {high}")

    columns = [
        Column("State", "", place(links), numbers=False),
        Column("Rate", "90% interval", span, first="descending"),
    ]
    caption = f"Deaths per 100,000 people, 12 months ending {numbers.end}"
    marked = any(r["rate_of"] == NEW_YORK_TOGETHER for r in rows)
    return Block(
        "rates", "Rates per 100,000 people", (NEW_YORK_NOTE,) if marked else (), folded=True,
        tables=(table_of("rates", caption, rows, columns, _is_nation),), about="with 90% intervals",
    )  # fmt: skip


def _trend_block(numbers: Numbers, links: Links) -> Block:
    """Chances of the five kinds of change."""
    rows = numbers.at_month(numbers.trend)
    if rows is None:
        return Block("trend", "Kinds of change")
    columns = [
        Column("State", "", place(links), numbers=False),
        Column("Reported a year earlier", "sets the limits", number("before"), first="descending"),
        *(Column(category_name(c).capitalize(), "", chance(c), first="descending")
          for c in CATEGORIES),
        *(Column(head, "change in percent", number(key, "±{:.1f}%".format))
          for head, key in (("Stable up to", "t1"), ("Large beyond", "t2"))),
    ]  # fmt: skip
    caption = f"Chances of five kinds of change, 12 months ending {numbers.end}"
    order = {str(r["location"]): r for r in rows.to_dict("records")}
    said = (
        "Change compares the 12 months with the 12 months before, both as final counts. What is "
        "stable, and what is large, depends on how many deaths were reported a year before."
    )
    table = table_of("trend", caption, _in_order(order), columns, _is_nation)
    return Block(
        "trend", "Kinds of change", (said,), tables=(table,), folded=True, about="five classes"
    )


def category_name(category: str) -> str:
    """A category of the trend in words.

    Examples
    --------
    >>> category_name("large_decrease")
    'large decrease'
    """
    return category.replace("_", " ")


def accuracy(
    numbers: Numbers, code: str, record: Scored | None, folded: bool,
    figures: Sequence[Any] = (),
) -> Block:  # fmt: skip
    """Past errors of the model in one place, and its past forecasts if they were kept."""
    title = "How accurate past forecasts were"
    found = past_record(numbers.forecast, code, record)
    if found is None:
        return Block("accuracy", title, figures=figures, folded=folded)
    said, table = found
    cells = [
        [f"{v:,}" if not isinstance(v, str) else v for v in row]
        for row in table.itertuples(index=False)
    ]
    head = [str(c) for c in table.columns]
    about = f"typical error {cells[-1][1]} at {cells[-1][0]} months" if cells else ""
    plain = (Table(head, cells, numbers=len(head) - 1),)
    return Block("accuracy", title, (said,), figures, (), plain, folded=folded, about=about)
