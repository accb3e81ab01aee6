"""What ``odforecast forecast`` shows: the four columns, calendar years, the trend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from odforecast.cli.screen import grid
from odforecast.say import chance, percent, rounded, step_of

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.panel import Floats, Panel

#: Years beside one another.
YEARS = 3


def count(low: float, middle: float, high: float) -> str:
    """A count with its interval, both no finer than the interval.

    Examples
    --------
    >>> count(58_612.0, 70_118.0, 84_093.0), count(float("nan"), 1.0, 2.0)
    ('70,000 (59,000–84,000)', '–')
    """
    if not low <= high:
        return "–"
    step = step_of(low, high)
    ends = [rounded(low, step), rounded(high, step)]
    # A count that is as good as known has no interval to speak of.
    if ends[0] == ends[1]:
        return ends[0]
    return f"{rounded(middle, step)} ({ends[0]}–{ends[1]})"


def signed(value: float) -> str:
    """A change in whole percent, without the sign of percent.

    Examples
    --------
    >>> signed(-8.2), signed(0.2), signed(9.4)
    ('−8', '0', '+9')
    """
    return percent(value).removesuffix("%")


def change(low: float, middle: float, high: float) -> str:
    """A change in percent with its interval.

    Examples
    --------
    >>> change(-21.8, -8.2, 9.4)
    '−8 (−22 to +9)'
    """
    return f"{signed(middle)} ({signed(low)} to {signed(high)})" if low <= high else "–"


def share(value: float) -> str:
    """A probability in percent, as sentences say it, in signs for the words.

    Examples
    --------
    >>> share(0.914), share(0.77), share(0.005), share(0.995), share(float("nan"))
    ('91', '75', '<1', '>99', '–')
    """
    if value != value:
        return "–"
    return chance(value, short=True).removesuffix("%")


def main_table(table: pd.DataFrame, panel: Panel, rows: int) -> str:
    """The last month: CDC's counts, deaths, change on a year earlier, chance of a fall, rate.

    Parameters
    ----------
    table : DataFrame
        :meth:`odforecast.Forecast.summary`.
    panel : Panel
        What CDC published: a forecast by a model that takes counts as they are begins afterwards.
    rows : int
        Places shown; 0 for all.
    """
    last = table["month"].max()
    ahead = table[table["month"] == last]
    places = _first(ahead["location"], rows)
    cells = []
    marked = False
    for row in ahead[ahead["location"].isin(places)].to_dict("records"):
        together = "+" in str(row["rate_of"])
        marked = marked or together
        rate = "–" if row["rate"] != row["rate"] else f"{row['rate']:.1f}{'*' * together}"
        place = str(row["location"])
        cells.append(
            [
                place,
                _published(panel, panel.reported, place),
                _published(panel, panel.predicted, place),
                count(row["low"], row["median"], row["high"]),
                change(row["change_low"], row["change"], row["change_high"]),
                share(row["fall"]),
                rate,
            ]
        )
    # A star stands in the room of a digit.
    if marked:
        for line in cells:
            line[-1] = line[-1] if line[-1].endswith("*") else f"{line[-1]} "
    heads = [
        "", f"reported\n{panel.last_month}", f"CDC's\nestimate\n{panel.last_month}",
        f"deaths in the 12\nmonths to {last:%Y-%m}", "change on a\nyear before, %", "fall\n%",
        "per\n100,000",
    ]  # fmt: skip
    kept = [
        i for i in range(len(heads)) if i not in (1, 2) or any(line[i] != "–" for line in cells)
    ]
    return grid([heads[i] for i in kept], [[line[i] for i in kept] for line in cells])


def _published(panel: Panel, layer: Floats, place: str) -> str:
    """The last count of a layer, or a dash where nothing is published, or of a sum."""
    value = float(layer[panel.index(place), -1]) if place in panel.locations else float("nan")
    return "–" if value != value else f"{value:,.0f}"


def _first(places: pd.Series[str], rows: int) -> list[str]:
    every = list(dict.fromkeys(places))
    return every[:rows] if rows else every


def years_tables(table: pd.DataFrame, rows: int) -> Iterator[str]:
    """Calendar years beside one another, three in a table.

    Parameters
    ----------
    table : DataFrame
        :meth:`odforecast.Forecast.years`.
    rows : int
        Places shown; 0 for all.
    """
    every = list(dict.fromkeys(table["year"]))
    places = _first(table["location"], rows)
    for start in range(0, len(every), YEARS):
        some = every[start : start + YEARS]
        heads = [""]
        cells = [[place] for place in places]
        for year in some:
            part = table[table["year"] == year].set_index("location")
            heads.append(f"{year}\n{_known(int(part['known'].iloc[0]))}")
            for line in cells:
                r = part.loc[line[0]]
                line.append(count(float(r["low"]), float(r["median"]), float(r["high"])))
        yield grid(heads, cells)


def _known(months: int) -> str:
    if months == 0:
        return "all forecast"
    return "all published" if months == 12 else f"{months} months published"


def trend_table(table: pd.DataFrame, rows: int, names: Sequence[str]) -> str:
    """Five categories of the last month that has them.

    Parameters
    ----------
    table : DataFrame
        :meth:`odforecast.Forecast.trend`.
    rows : int
        Places shown; 0 for all.
    names : sequence of str
        The categories.
    """
    last = table["month"].max()
    ahead = table[table["month"] == last]
    ahead = ahead[ahead["location"].isin(_first(ahead["location"], rows))]
    heads = [
        f"change to\n{last:%Y-%m}, %", "stable\nup to", "large\nabove",
        *(name.replace("_", "\n") for name in names),
    ]  # fmt: skip
    cells = [
        [
            str(row["location"]),
            *("–" if row[t] != row[t] else f"{row[t]:.0f}%" for t in ("t1", "t2")),
            *(share(row[name]) for name in names),
        ]
        for row in ahead.to_dict("records")
    ]
    return grid(heads, cells)
