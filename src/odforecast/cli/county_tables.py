"""What ``odforecast forecast --dataset counties`` shows, in 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from odforecast.cli.screen import WIDTH, grid, share
from odforecast.geography.places import by_fips
from odforecast.say import SMALL, ranged, rounded, step_of

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.geography import County
    from odforecast.panel import Panel

_SHOWN_AS = {"YC": "NYC"}


def _named(county: County, several: bool) -> str:
    """A county in few letters; a city that is none keeps its kind: a county may have its name."""
    name = county.name if county.name.endswith(" city") else county.short
    state = _SHOWN_AS.get(county.state, county.state)
    return f"{name}, {state}" if several and county.label != county.name else name


def largest_first(table: pd.DataFrame) -> pd.DataFrame:
    """The last month of each county, the largest median first, then by FIPS."""
    last: pd.DataFrame = table[table["month"] == table["month"].max()]
    return last.sort_values(
        ["median", "p_ten", "location"], ascending=[False, False, True], ignore_index=True
    )


def interval(low: float, high: float, step: float = 1.0, exact: bool = False) -> str:
    """The ends of an interval; below 10 as a range, which a table has as nothing.

    Examples
    --------
    >>> nan = float("nan")
    >>> interval(512.0, 724.0, 10), interval(nan, 14.0), interval(nan, nan)
    ('510–720', '<10–14', '<10')
    """
    if high != high:
        return f"<{SMALL}"
    last = _number(high, step, exact)
    first = f"<{SMALL}" if low != low else _number(low, step, exact)
    return last if first == last else f"{first}–{last}"


def _number(value: float, step: float, exact: bool) -> str:
    if value != value:
        return f"<{SMALL}"
    return rounded(value, step) if exact else ranged(value, step)


def _step(row: Mapping[Any, Any]) -> float:
    """To what the numbers of a row are rounded: no finer than the wide interval."""
    return step_of(0.0 if row["low"] != row["low"] else row["low"], row["high"])


def county_table(
    shown: pd.DataFrame, panel: Panel, rows: int, level: float, rates: bool, exact: bool = False
) -> str:
    """County, last count, median, two intervals, more than a year before, chances, rate.

    Parameters
    ----------
    shown : DataFrame
        :func:`largest_first`.
    panel : Panel
    rows : int
        Counties shown; 0 for all.
    level : float
    rates : bool
        Deaths per 100,000 in place of the narrow interval.
    exact : bool
        Numbers below 10 as they are.
    """
    few = shown.head(rows) if rows else shown
    records = few.to_dict("records")
    several = len({by_fips()[str(r["location"])].state for r in records}) > 1
    cells = []
    for row in records:
        step = _step(row)
        county = by_fips()[str(row["location"])]
        rate = "–" if row["rate"] != row["rate"] else f"{row['rate']:.0f}{'*' * bool(row['few'])}"
        cells.append(
            [
                _named(county, several),
                str(row["last"]) or "–",
                _number(row["median"], step, exact),
                *([] if rates else [interval(row["low_50"], row["high_50"], step, exact)]),
                interval(row["low"], row["high"], step, exact),
                share(row["rise"]),
                share(row["p_zero"]),
                share(row["p_hidden"]),
                share(row["p_ten"]),
                *([rate] if rates else []),
            ]
        )
    if rates:
        # A star stands in the room of a digit.
        marked = any(line[-1].endswith("*") for line in cells)
        for line in cells:
            line[-1] += " " * (marked and not line[-1].endswith("*"))
    heads = [
        "", f"reported\n{panel.last_month}", f"{few['month'].max():%Y-%m}\nmedian",
        *([] if rates else ["50%"]), f"{100 * level:g}%", "more\n%", "0\n%", "1–9\n%",
        "10+\n%", *(["per\n100,000"] if rates else []),
    ]  # fmt: skip
    room = WIDTH - sum(
        2 + max(max(map(len, head.split("\n"))), *(len(line[i]) for line in cells))
        for i, head in enumerate(heads)
        if i
    )
    for line in cells:
        if len(line[0]) > room:
            line[0] = f"{line[0][: room - 1]}…"
    return grid(heads, cells)


def notes(table: pd.DataFrame, exact: bool, rates: bool) -> str:
    """What the columns are."""
    said = [
        "more: chance of more deaths than 12 months before, – where that count is hidden",
        "0, 1–9, 10+: chances of so many",
    ]
    if not exact:
        said.append(f"counts below {SMALL} are not shown, in the release or here")
    else:
        said.append(f"--exact: numbers below {SMALL} are the model's, and not for publication")
    if rates:
        said.append("the 50% interval stands in --table and --json")
    if rates and table["few"].any():
        said.append("*: a rate of fewer than 20 deaths, mostly chance")
    return "; ".join(said)


def ranking_title(hot: pd.DataFrame) -> str:
    """What the ranking says."""
    first = hot.iloc[0]
    what = "rates" if first["by"] == "rate" else "counts"
    return f"Chance of being among the {first['k']} highest {what}, 12 months to " + (
        f"{first['month']:%Y-%m}"
    )


def ranking_table(hot: pd.DataFrame, rows: int) -> str:
    """The likeliest, and whether they rise."""
    cells = []
    rates = hot["rate"].notna().any()
    for row in hot.head(rows).to_dict("records"):
        deaths = f"<{SMALL}" if row["deaths"] != row["deaths"] else rounded(row["deaths"])
        rate = "–" if row["rate"] != row["rate"] else f"{row['rate']:.0f}{'*' * bool(row['few'])}"
        cells.append(
            [str(row["name"]), share(row["among"]), share(row["rising"]), deaths]
            + ([rate] if rates else [])
        )
    heads = [
        "",
        "among\nthem, %",
        "rising\n%",
        "deaths,\nmedian",
        *(["per\n100,000"] * bool(rates)),
    ]
    return grid(heads, cells)
