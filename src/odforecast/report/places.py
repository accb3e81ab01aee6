"""Figures and blocks of the page of all states, and of the page of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from odforecast import plot
from odforecast.backtesting import Results
from odforecast.errors import OdforecastError
from odforecast.forecasts.record import Scored
from odforecast.forecasts.tables import NEW_YORK_TOGETHER
from odforecast.forecasts.text import VALIDATED, beyond_validated, own_of
from odforecast.forecasts.trend import CATEGORIES
from odforecast.geography import NATION, called
from odforecast.months import ONE_MONTH
from odforecast.panel import Panel
from odforecast.report.blocks import (
    CDC,
    NONE,
    PHONE,
    Block,
    Cell,
    Column,
    Figure,
    File,
    Row,
    Scale,
    SortTable,
    both,
    chance,
    change_ends,
    ends,
    figure_of,
    known,
    middle,
    number,
    round_step,
    source_of,
    table_of,
)
from odforecast.report.numbers import (
    SIDES,
    WHOLE_STATE,
    Numbers,
    about_likely,
    direction,
    past_record,
    rounded_sides,
    row_key,
)
from odforecast.report.page import Table
from odforecast.say import capital, day_name, month_name, percent
from odforecast.say import chance as probability

Links = Mapping[str, str]
#: Pixels: beside the map, the whole width of a page, and half of it.
BESIDE = (692.0, 376.0)
WIDE = (1152.0, 376.0)
HALF = (552.0, 300.0)
Size = tuple[float, float]
#: A mark on rates of two places together.
TOGETHER = "†"
NEW_YORK_NOTE = (
    f"{TOGETHER} New York and New York City together: the census counts the city's residents with "
    "the state's."
)
#: Where sparklines begin.
SINCE = np.datetime64("2019-01", "M")
#: Width and height of a sparkline in half pixels; widths of a range and of a bar in pixels.
_WIDE = 220
_HIGH = 60
_RANGE = 132.0
_BARS = 150.0
_YEARS = (
    "Deaths by calendar year with 90% intervals, including months already reported."
)


# Figures


def history_of(code: str) -> int:
    """Months of history of the widest fan: five years beside a map, ten on the page of a state."""
    return 60 if code == NATION else 120


def fan_figure(
    numbers: Numbers, code: str, later: Panel | None, sizes: Sequence[Size]
) -> Figure:
    """Known counts and the forecast; ``later``: the same counts as they are known now, in gray."""
    from odforecast.plot.style import MUTED, days

    forecast = numbers.forecast.select(code)
    near = forecast.months <= numbers.month
    forecast = replace(
        forecast,
        draws=forecast.draws[:, :, near],
        months=forecast.months[near],
        beside={},
    )
    caption = "Line: reported deaths. Blue: forecast, with its 50% and 90% intervals."
    if later is not None and code in later.locations:
        caption += f" Gray: as known in the release of {day_name(later.release)}."

    def draw(axes: Any) -> Any:
        """The fan, and the later counts on it."""
        wide = len(sizes) < 2 or axes.figure.get_size_inches()[0] > 6
        months = history_of(code) if wide else 60
        axes = plot.fan(forecast, code, axes=axes, months=months)
        if later is not None and code in later.locations:
            since = later.months >= forecast.last_month - months * ONE_MONTH
            counts = later.reported[later.index(code)]
            axes.plot(
                days(later.months[since]),
                counts[since],
                color=MUTED,
                lw=1.4,
                zorder=2,
            )
        return axes

    stem = _stem(code)
    files = (
        File("", "CDC’s page", href=CDC),
        File.csv(f"{stem}-forecast.csv", _fan_table(numbers, code)),
    )
    return figure_of(
        f"{stem}-forecast",
        draw,
        sizes=sizes,
        source=source_of(forecast),
        months="table-months",
        caption=caption,
        files=files,
    )


def _stem(code: str) -> str:
    """A name of letters and digits, for files and addresses."""
    plain = "".join(
        c if c.isascii() and c.isalnum() else "-" for c in called(code).lower()
    )
    return ("us" if code == NATION else plain.strip("-"))[:40] or "place"


def _fan_table(numbers: Numbers, code: str) -> pd.DataFrame:
    """Reported counts and quantiles of a fan."""
    names = ["low_90", "low_50", "median", "high_50", "high_90"]
    ahead = pd.DataFrame(
        numbers.path(code).T,
        columns=names,
        index=numbers.paths[0].astype("datetime64[s]"),
    )
    since = numbers.forecast.last_month - history_of(code) * ONE_MONTH
    counts = pd.Series(numbers.known(code, since), name="reported", dtype=float)
    counts.index = pd.DatetimeIndex(counts.index.to_numpy().astype("datetime64[s]"))
    table = ahead.join(counts, how="outer").rename_axis("month").reset_index()
    return table.assign(location=code)[["location", "month", "reported", *names]]


def tiles(numbers: Numbers, links: Mapping[str, str]) -> Figure | None:
    """The map: color is the chance of a fall, the number the expected change."""
    from odforecast.plot.maps import GRID

    rows = [r for s, r in numbers.ahead.items() if s in GRID and s != NATION]
    if len(rows) < 4:
        return None
    codes = [str(row["location"]) for row in rows]
    addresses = {code: links.get(code) or f"#{row_key(code)}" for code in codes}
    complete = [row for row in rows if known(row, "fall", "change")]
    falls = [row for row in complete if direction(row["fall"]) == -1]
    rises = [row for row in complete if direction(row["fall"]) == 1]
    likely = []
    if falls:
        likely.append(("Most likely to fall", _named(falls, -1)))
    if rises:
        likely.append(("Most likely to rise", _named(rises, 1)))
    table = pd.DataFrame(rows)
    title = f"Deaths are likely to fall in {len(falls)} of {len(rows)} jurisdictions"
    title += f" and to rise in {len(rises)}" if rises else ""
    cities = "and New York City (NYC)"
    if "PR" in codes:
        cities = "New York City (NYC), and Puerto Rico"
    return figure_of(
        "us-map",
        lambda axes: plot.tile_map(table, axes=axes, links=addresses),
        sizes=((472.0, 400.0), (358.0, 330.0)),
        source=f"Jurisdictions are the 50 states, the District of Columbia, {cities}. NY is the "
        "rest of New York State. Select one for its numbers.",
        title=title,
        caption=f"Color: chance of a fall. Number: expected change, 12 months to {numbers.end} "
        "against the 12 months before",
        files=(File("", "Data (table)", href="#forecast"),),
        likely=likely,
    )


def _named(rows: Sequence[Row], way: int) -> str:
    """The five most likely, with their changes."""
    order = sorted(rows, key=lambda r: (way * r["fall"], way * -r["change"]))[:5]
    return (
        ", ".join(f"{called(r['location'])} ({percent(r['change'])})" for r in order)
        + "."
    )


def nowcast_figures(numbers: Numbers, code: str) -> list[Figure]:
    """The last counts, published and expected final; none where the model has no nowcast."""
    forecast = numbers.forecast.select(code)
    late = (forecast.horizons <= 0) & (forecast.horizons > -12)
    if (
        not late.any()
        or not np.isfinite(forecast.quantiles([0.05, 0.95])[:, 0, late]).any()
    ):
        return []
    return [
        figure_of(
            f"{_stem(code)}-last-counts",
            lambda axes: plot.nowcast(forecast, code, axes=axes),
            sizes=[(760.0, 340.0), PHONE],
            source=source_of(forecast),
        )
    ]


def past_figures(scored: Results, code: str, model: str) -> list[Figure]:
    """Past forecasts of one place against the final count; none where there are too few."""
    scores = scored.scores
    longest = scored.manifest.get("horizon", VALIDATED)
    at = min(VALIDATED, int(str(longest)))
    columns = ["location", "last_month", "month", "median", "observed", "cover_90"]
    table = scores.loc[scores["horizon"] == at, columns]
    table = table.assign(last_month=table["last_month"].dt.strftime("%Y-%m"))
    stem = _stem(code)
    try:
        return [
            figure_of(
                f"{stem}-tests",
                lambda axes: plot.said_and_came(
                    scored,
                    code,
                    model=model,
                    horizon=at,
                    axes=axes,
                ),
                sizes=[HALF, PHONE],
                source="Each test used only the data available then, with its reporting delays. "
                "The developers had already seen these years.",
                files=(File.csv(f"{stem}-tests.csv", table),),
            )
        ]
    except OdforecastError:
        return []


# Blocks


def national_blocks(
    numbers: Numbers, links: Links, record: Scored | None
) -> list[Block]:
    """The table of states, and below it what a second reader needs."""
    many = len(numbers.forecast.locations) > 1
    return [
        Block(
            "forecast",
            "Forecast by state" if many else "Forecast",
            tables=(_states_table(numbers, links),),
            words="forecast",
            of={"end": numbers.end},
        ),
        _month_block(numbers, numbers.first),
        _years_block(numbers, links),
        _counts_block(numbers, links),
        _rates_block(numbers, links),
        _trend_block(numbers, links),
        _accuracy(numbers, numbers.first, record=record, folded=True),
        Block("interval", "What a 90% interval is", words="interval", folded=True),
    ]


def state_blocks(
    numbers: Numbers,
    code: str,
    record: Scored | None,
    drawn: Sequence[Figure],
) -> tuple[list[Block], list[Block]]:
    """Calendar years beside past forecasts; and what is folded below."""
    beside = [
        _years_of(numbers, code),
        _accuracy(numbers, code, record=record, folded=False, drawn=drawn),
    ]
    return (
        [b for b in beside if not b.empty],
        [_month_block(numbers, code), _trend_of(numbers, code)],
    )


# The table of states


def _states_table(numbers: Numbers, links: Links) -> SortTable:
    """The one table of states: the nation on top, New York in its two parts and whole."""
    ahead = numbers.ahead
    what = numbers.deaths
    scale = _scale_of_changes(ahead.values())
    together = any(r["rate_of"] == NEW_YORK_TOGETHER for r in ahead.values())
    columns = [
        _place(links),
        Column(
            "Since 2019",
            "with forecast",
            show=partial(_spark, numbers),
            numbers=False,
            first="",
            look="spark",
        ),
        Column(
            "A year earlier",
            f"final count, {month_name(numbers.month - 12 * ONE_MONTH)}",
            show=middle("before_low", "before", "before_high"),
            first="descending",
            look="before",
        ),
        Column(
            "Forecast",
            f"to {numbers.end}",
            show=middle(*SIDES),
            first="descending",
            look="forecast",
        ),
        Column(
            "90% interval",
            "sorts by width",
            show=ends("low", "high"),
            first="descending",
            look="interval",
        ),
        Column(
            "Change", "on a year earlier", show=number("change", percent), look="change"
        ),
        Column(
            "Range of change",
            "",
            show=partial(_range, scale),
            numbers=False,
            first="",
            look="range",
            marks=[
                (0.0, percent(scale.low), "start"),
                (scale.at(0), "0", "middle"),
                (_RANGE, percent(scale.high), "end"),
            ],
        ),
        Column(
            "Chance of a fall",
            "nearest 5%",
            show=chance("fall"),
            first="descending",
            look="chance",
        ),
        Column(
            "Rate",
            "per 100,000",
            show=partial(_rate, numbers.new_york),
            first="descending",
            look="rate",
        ),
    ]
    note = (
        "Rates use census populations; the census counts New York City with the state."
    )
    if together and not numbers.new_york:
        note = NEW_YORK_NOTE
    keys = (
        "before",
        *("median", "low", "high"),
        "change",
        "change_low",
        "change_high",
        "fall",
        "rate",
    )
    shown = [{"state": called(s), **{k: r[k] for k in keys}} for s, r in ahead.items()]
    return _by_state(
        "forecast",
        f"{capital(what)} by state, 12 months ending {numbers.end}",
        rows=ahead.values(),
        columns=columns,
        menu=(
            ("Name", 0, "ascending"),
            ("Most deaths", 3, "descending"),
            ("Largest fall", 5, "ascending"),
            ("Largest rise", 5, "descending"),
            ("Chance of a fall", 7, "descending"),
        ),
        find="Find a state",
        source=f"{source_of(numbers.forecast)} {note}",
        files=(File.csv("states.csv", pd.DataFrame(shown), says="Table as CSV"),),
    )


def _by_state(
    key: str, caption: str, rows: Iterable[Row], columns: Sequence[Column], **more: Any
) -> SortTable:
    """A table of states by name, for nobody finds one in the order of codes; the nation on top."""
    order = sorted(rows, key=lambda r: called(str(r["location"])))
    return table_of(
        key, caption, order, columns, lambda r: r["location"] == NATION, **more
    )


def _place(links: Links) -> Column:
    """The column of names, with the page that each leads to."""

    def show(row: Row) -> Cell:
        code = str(row["location"])
        link = links.get(code) or ("" if code != WHOLE_STATE else links.get("NY", ""))
        return Cell(called(code), link=link, key=row_key(code))

    return Column("State", "", show=show, numbers=False)


def _rate(whole: bool, row: Row) -> Cell:
    """A rate; of New York's parts that of the whole state, which has a row of its own."""
    cell = number("rate", _rate_text)(row)
    if row["rate_of"] != NEW_YORK_TOGETHER or row["location"] == WHOLE_STATE:
        return cell
    return Cell(NONE) if whole else replace(cell, text=f"{cell.text}{TOGETHER}")


def _rate_text(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _spark(numbers: Numbers, row: Row) -> Cell:
    """Reported counts since 2019, and the forecast: in whole half pixels, short in the page."""
    code = str(row["location"])
    counts = numbers.known(code, SINCE)
    opening = numbers.paths[0] >= numbers.forecast.last_month
    months = numbers.paths[0][opening]
    low, mid, high = numbers.path(code)[[0, 2, 4]][:, opening]
    values = np.array([*counts.values(), *high])
    if not np.isfinite(values).any():
        return Cell("")
    first = min([*counts, *months])
    across = Scale(
        0,
        max(int((numbers.month - first).astype(int)), 1),
        start=2,
        end=_WIDE - 2,
        digits=0,
    )
    up = Scale(0, max(float(np.nanmax(values)), 1.0), start=_HIGH - 6, end=6, digits=0)

    def at(month: np.datetime64, value: float) -> tuple[int, int]:
        return int(across.at(int((month - first).astype(int)))), int(up.at(value))

    def points(when: Iterable[np.datetime64], heights: Iterable[float]) -> str:
        """A path through what is known."""
        out = ""
        last = None
        for month, height in zip(when, heights):
            point = at(month, height) if np.isfinite(height) else None
            if point is not None:
                x, y = point
                out += f"M{x} {y}" if last is None else f"l{x - last[0]} {y - last[1]}"
            last = point
        return out

    band = points([*months, *months[::-1]], [*high, *low[::-1]])
    x, y = at(months[-1], mid[-1] if np.isfinite(mid[-1]) else 0.0)
    return Cell(
        "",
        spark={
            "known": points(counts, counts.values()),
            "middle": points(months, mid),
            "band": f"{band}Z" if band else "",
            "x": x,
            "y": y,
        },
    )


def _scale_of_changes(rows: Iterable[Row]) -> Scale:
    """The common scale of changes: whole tens around all intervals, −60% to +100% at most."""
    sides = np.array([[r["change_low"], r["change_high"]] for r in rows], dtype=float)
    finite = sides[np.isfinite(sides)]
    low, high = (finite.min(), finite.max()) if finite.size else (-10.0, 10.0)
    low = 10 * np.floor(min(low, -5.0) / 10)
    high = 10 * np.ceil(max(high, 5.0) / 10)
    return Scale(
        max(-60.0, float(low)), min(100.0, float(high)), start=5, end=_RANGE - 5
    )


def _range(scale: Scale, row: Row) -> Cell:
    """The interval of a change and its median: blue for a likely fall, orange for a rise."""
    interval = change_ends(row)
    if not interval:
        return Cell(NONE)
    low, high = (scale.at(row[k]) for k in ("change_low", "change_high"))
    cuts = [(scale.start, -1)] if row["change_low"] < scale.low else []
    cuts += [(scale.end, 1)] if row["change_high"] > scale.high else []
    if cuts:
        interval += ", beyond the scale"
    look = {-1: "fall", 0: "none", 1: "rise"}[direction(row["fall"])]
    return Cell(
        interval,
        range={
            "grid": (),
            "zero": scale.at(0),
            "x": low,
            "width": round(high - low, 1),
            "look": look,
            "untested": False,
            "dot": scale.at(row["change"]),
            "dot_look": look,
            "wide": _RANGE,
            "cuts": cuts,
        },
    )


# What is folded


def _month_block(numbers: Numbers, code: str) -> Block:
    """Every month of the fan: reported, the final count or forecast; the line above reads it."""
    last = numbers.forecast.last_month
    counts = numbers.known(code, last - history_of(code) * ONE_MONTH)
    predicted = numbers.known(code, last - 11 * ONE_MONTH, "predicted")
    ahead = dict(zip(numbers.paths[0], numbers.path(code)[[0, 2, 4]].T))
    rows = []
    for month in sorted({*counts, *ahead}):
        sides = dict(zip(SIDES, ahead.get(month, np.full(3, np.nan))))
        mid, span = rounded_sides(sides) if known(sides, *SIDES) else ("", "")
        reported, theirs = (
            f"{x[month]:,.0f}" if known(x, month) else "" for x in (counts, predicted)
        )
        value = counts[month] if reported else sides["median"]
        rows.append(
            {
                "month": month_name(month),
                "reported": reported,
                "predicted": theirs,
                "middle": mid,
                "ends": span,
                "value": f"{value:.1f}" if np.isfinite(value) else "0",
                "day": str(month.astype("datetime64[D]").astype(int)),
            }
        )
    return Block(
        "month-by-month",
        "Forecast month by month",
        folded=True,
        months=rows,
        about="reported counts, expected final counts and forecasts",
        of={"place": called(code)},
    )


def _years_block(numbers: Numbers, links: Links) -> Block:
    """Calendar years of all places, a column each."""
    if numbers.years is None:
        return Block("years", "Calendar years")
    rows: dict[str, dict[Any, Any]] = {}
    months = {}
    for r in numbers.years.sort_values("year", kind="stable").to_dict("records"):
        row = rows.setdefault(r["location"], {"location": r["location"]})
        row |= {f"{k}{r['year']}": r[k] for k in SIDES}
        months[str(r["year"])] = int(r["known"])
    words = {0: "forecast", 12: "reported; may still be revised"}
    columns = [_place(links)]
    columns += [
        Column(
            y,
            words.get(n, f"{n} of 12 months reported"),
            show=both(*(f"{k}{y}" for k in SIDES)),
            first="descending",
        )
        for y, n in months.items()
    ]
    return Block(
        "years",
        "Calendar years",
        paragraphs=[x for x in (_untested(numbers),) if x],
        folded=True,
        tables=(_by_state("years", _YEARS, rows=rows.values(), columns=columns),),
        about=f"{min(months)} to {max(months)}",
    )


def untested(numbers: Numbers) -> list[str]:
    """That forecasts of the month of the main table were not tested, where own counts outrun."""
    tested = numbers.forecast.last_month + VALIDATED * ONE_MONTH
    return [_untested(numbers)] if numbers.month > tested else []


def _untested(numbers: Numbers) -> str:
    """What to say of months beyond those ever scored; empty if the forecast has none."""
    sentence = beyond_validated(numbers.forecast)
    return f"{capital(sentence)}." if sentence else ""


def _counts_block(numbers: Numbers, links: Links) -> Block:
    """The last published counts, and how much CDC's latest counts will still grow."""
    rows = [{"location": s, **r} for s, r in numbers.final.items() if "reported" in r]
    title = "Reported and final counts"
    if not rows:
        return Block("nowcast", title)
    columns = [
        _place(links),
        Column("Reported", "", show=number("reported"), first="descending"),
        Column("CDC predicted", "", show=number("predicted"), first="descending"),
    ]
    grows = any("median" in r for r in rows)
    if grows:
        rows = [r for r in rows if "median" in r]
        columns += [
            Column(
                "Final count, expected",
                "90% interval",
                show=both(*SIDES),
                first="descending",
            ),
            Column(
                "Still to come",
                "90% interval",
                show=both("revision_low", "revision", high="revision_high"),
                first="descending",
            ),
            Column(
                "Records received",
                "pending included",
                show=number("complete", "{:.1f}%".format),
            ),
        ]
    month = month_name(numbers.forecast.last_month)
    return Block(
        "nowcast",
        title,
        paragraphs=(),
        figures=nowcast_figures(numbers, numbers.first),
        tables=(
            _by_state(
                "nowcast",
                f"Deaths in the 12 months ending {month}",
                rows=rows,
                columns=columns,
            ),
        ),
        folded=True,
        about="how much CDC’s latest counts will still grow" if grows else "",
        words="nowcast",
    )


def _rates_block(numbers: Numbers, links: Links) -> Block:
    """Rates with their intervals."""
    rows = [r for r in numbers.ahead.values() if known(r, "rate")]
    if not rows:
        return Block("rates", "Rates")

    def span(row: Row) -> Cell:
        """A rate and its interval."""
        digits = 1 if row["rate_high"] - row["rate_low"] < 7 else 0
        low, mid, high = (
            f"{row[k]:,.{digits}f}" for k in ("rate_low", "rate", "rate_high")
        )
        mark = TOGETHER if row["rate_of"] == NEW_YORK_TOGETHER else ""
        return Cell(f"{mid}{mark}", float(row["rate"]), small=f"{low} to {high}")

    columns = [
        _place(links),
        Column("Rate", "90% interval", show=span, first="descending"),
    ]
    caption = f"Deaths per 100,000 people, 12 months ending {numbers.end}"
    marked = any(r["rate_of"] == NEW_YORK_TOGETHER for r in rows)
    return Block(
        "rates",
        "Rates per 100,000 people",
        paragraphs=(NEW_YORK_NOTE,) if marked else (),
        folded=True,
        tables=(_by_state("rates", caption, rows=rows, columns=columns),),
        about="with 90% intervals",
    )


def _trend_block(numbers: Numbers, links: Links) -> Block:
    """Chances of the five kinds of change."""
    end, row_by_place = numbers.kinds
    rows = row_by_place.values()
    if not rows:
        return Block("trend", "Kinds of change")
    columns = [
        _place(links),
        Column(
            "Reported a year earlier",
            "sets the limits",
            show=number("before"),
            first="descending",
        ),
        *(
            Column(_kind_name(c), "", show=number(c, _of_five), first="descending")
            for c in CATEGORIES
        ),
        *(
            Column(head, "change in percent", show=number(key, "±{:.1f}%".format))
            for head, key in (("Stable up to", "t1"), ("Large beyond", "t2"))
        ),
    ]
    caption = f"Chances of five kinds of change, 12 months ending {end}"
    return Block(
        "trend",
        "Kinds of change",
        folded=True,
        about="five classes",
        words="trend",
        tables=(_by_state("trend", caption, rows=rows, columns=columns),),
    )


def _of_five(share: float) -> str:
    """A chance in whole percent, because the five of them add up to 100%."""
    return f"{share:.0%}" if 0.005 < share < 0.995 else probability(share, short=True)


def _kind_name(category: str) -> str:
    return category.replace("_", " ").capitalize()


def _accuracy(
    numbers: Numbers,
    code: str,
    record: Scored | None,
    folded: bool,
    drawn: Sequence[Figure] = (),
) -> Block:
    """Past errors of the model in one place, and its past forecasts if they were kept."""
    title = "How accurate past forecasts were"
    past = past_record(numbers.forecast, code, record=record)
    if past is None:
        own = own_of(numbers.forecast.select(code))
        return Block("accuracy", title, figures=() if own else drawn, folded=folded)
    sentence, errors = past
    table = Table.from_frame(errors)
    about = "typical error {1} at {0}".format(*table.rows[-1]) if table.rows else ""
    return Block(
        "accuracy",
        title,
        paragraphs=(sentence,),
        figures=drawn,
        tables=(),
        plain=(table,),
        folded=folded,
        about=about,
    )


# Of one place


def cards(numbers: Numbers, code: str) -> dict[str, Any]:
    """The four numbers of a place, with what belongs to each; empty where it is not known."""
    row = numbers.ahead[code]
    last = numbers.final[code]
    us = numbers.ahead.get(NATION, {})
    rates = ("rate", "rate_low", "rate_high") if known(row, "rate") else ()
    return {
        "end": numbers.end,
        "ahead": rounded_sides(row) if known(row, *SIDES) else (),
        "change": percent(row["change"]) if known(row, "change") else "",
        "changes": change_ends(row),
        "fall": about_likely(row["fall"]) if known(row, "fall") else "",
        "rates": [_rate_text(row[k]) for k in rates],
        "together": bool(rates) and "+" in row["rate_of"],
        "us": _rate_text(us["rate"]) if code != NATION and known(us, "rate") else "",
        "last": month_name(numbers.forecast.last_month),
        "final": rounded_sides(last) if known(last, *SIDES) else (),
        **{
            k: f"{last[k]:,.0f}" if known(last, k) else ""
            for k in ("reported", "predicted")
        },
    }


def _years_of(numbers: Numbers, code: str) -> Block:
    """Calendar years with bars, dashed where such forecasts were not tested."""
    title = "Calendar years"
    every = [] if numbers.years is None else numbers.years.to_dict("records")
    rows = [r for r in every if r["location"] == code]
    highs = [r["high"] for r in rows if known(r, "high")]
    if not highs:
        return Block("years", title)
    top = max([*highs, 1.0])
    scale = Scale(0, top, start=4, end=_BARS - 8)
    marks = [float(x) for x in np.arange(0, top + 1e-9, round_step(top, 5))]
    tested = numbers.forecast.last_month + VALIDATED * ONE_MONTH

    def bar(row: Row) -> Cell:
        """The interval and the median; one dot where all of it is reported."""
        if not known(row, "low", "high"):
            return Cell("")
        whole = row["known"] == 12
        low, mid, high = (scale.at(row[k]) for k in SIDES)
        return Cell(
            "",
            range={
                "grid": [scale.at(x) for x in marks],
                "zero": None,
                "x": low,
                "width": 0 if whole else max(round(high - low, 1), 1.0),
                "look": "year",
                "dot": mid,
                "wide": _BARS,
                "untested": np.datetime64(f"{row['year']}-12", "M") > tested,
                "dot_look": "known" if whole else "fall",
                "cuts": (),
            },
        )

    named = [
        (scale.at(x), f"{x:,.0f}") for x in (marks if len(marks) < 5 else marks[::2])
    ]
    columns = [
        Column(
            "Year",
            "",
            show=lambda r: Cell(str(r["year"]), small=known_of(r, tested)),
            numbers=False,
            first="",
        ),
        Column("Deaths", "90% interval", show=both(*SIDES), first=""),
        Column(
            "Range",
            "",
            show=bar,
            numbers=False,
            first="",
            look="bar",
            wide=_BARS,
            marks=[
                # A number at an end of the scale is inside.
                (x, said, "start" if x < 10 else "end" if x > _BARS - 24 else "middle")
                for x, said in named
            ],
        ),
        Column("Change", "", show=number("change", percent), first=""),
        Column(
            "Rate",
            "per 100,000",
            show=number("rate", _rate_text),
            first="",
            look="rate",
        ),
    ]
    paragraph = _YEARS
    warning = _untested(numbers)
    if warning:
        paragraph += f" Dashed bars: {warning[:1].lower()}{warning[1:]}"
    table = table_of(
        "years",
        "Calendar years, with 90% intervals",
        records=rows,
        columns=columns,
        sorted_by=-1,
        look="year-table",
    )
    return Block("years", title, paragraphs=(paragraph,), tables=(table,))


def known_of(row: Row, tested: np.datetime64) -> str:
    """What of a year is reported, forecast, and further ahead than forecasts were tested."""
    months = int(row["known"])
    year = int(row["year"])
    if months == 12:
        return "Reported in full"
    rest = int((np.datetime64(f"{year}-12", "M") - tested).astype(int))
    warning = ""
    if rest >= 12:
        warning = "; not tested"
    elif rest == 1:
        warning = "; December not tested"
    elif rest > 1:
        warning = (
            f"; {month_name(tested + ONE_MONTH).split()[0]} to December not tested"
        )
    if not months:
        return f"Forecast{warning}"
    month = month_name(np.datetime64(f"{year}-{months:02d}", "M")).split()[0]
    span = "January" if months == 1 else f"January to {month}"
    return f"{span} reported, the rest forecast{warning}"


def _trend_of(numbers: Numbers, code: str) -> Block:
    """Chances of the five kinds of change, and what they are."""
    title = "Kind of change"
    end, row_by_place = numbers.kinds
    row = row_by_place.get(code)
    if row is None:
        return Block("trend", title)
    if not known(row, "before"):
        return Block(
            "trend",
            title,
            paragraphs=("The count a year earlier is not shown.",),
            folded=True,
        )
    cells = [[_kind_name(c), _of_five(row[c])] for c in CATEGORIES]
    return Block(
        "trend",
        title,
        plain=(Table(["Kind of change", "Chance"], cells, numbers=1),),
        folded=True,
        words="trend-of",
        of={**row, "end": end},
    )
